//! A worker of this build, and what it says.

use std::path::Path;
use std::time::Duration;

use lcd::Backend;
use lcd::assemble::{self, Modules};
use lcd::model::bundle::Bundle;
use lcd::model::microkernel::Schedule;
use lcd_server::worker::pool::Settings;
use lcd_server::worker::process::{Limits, Outcome, Worker};
use lcd_server::worker::protocol::{Action, Answer, Job};
use tokio_util::sync::CancellationToken;

/// Long enough for everything that should happen at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) const LIMITS: Limits =
    Limits { wall: PATIENCE, output_bytes: 1 << 30, resident_bytes: 4 << 30 };

/// Workers of this build.
pub(crate) fn settings(idle: usize) -> Settings {
    Settings {
        program: Path::new(env!("CARGO_BIN_EXE_lcd")).into(),
        arguments: vec!["worker".into()],
        idle,
        patience: PATIENCE,
        first_pause: Duration::from_millis(100),
        longest_pause: Duration::from_secs(1),
    }
}

pub(crate) async fn ready() -> Worker {
    let program = Path::new(env!("CARGO_BIN_EXE_lcd"));
    let worker = Worker::spawn(program, &["worker"]).await.expect("it starts");
    worker.ready(PATIENCE).await.expect("it is ready").0
}

/// The backends that there are here.
pub(crate) fn backends() -> Vec<Backend> {
    let native = lcd_tests::native_or_note();
    Backend::ALL.into_iter().filter(|backend| native || *backend == Backend::Sim).collect()
}

pub(crate) fn bundled(world: &str) -> Bundle {
    assemble::anything(world, &Modules::default()).expect("it is bundled")
}

pub(crate) fn job(action: Action) -> Job {
    Job { action, timeout_ms: None, cpu_seconds: None, memory_bytes: None }
}

pub(crate) fn run(backend: Backend) -> Job {
    job(Action::Run { backend, schedule: Schedule::Cooperative })
}

pub(crate) fn compare() -> Job {
    job(Action::Compare { backends: backends(), schedule: None })
}

/// Has a worker do a job, and returns what it said as well.
pub(crate) async fn answers(
    worker: Worker,
    job: &Job,
    bundle: &Bundle,
    limits: Limits,
) -> (Outcome, Vec<Answer>) {
    let mut said = Vec::new();
    let mut sink = |answer| {
        said.push(answer);
        Ok(())
    };
    let never = CancellationToken::new();
    let outcome = worker.run(job, &bundle.encode(), &mut sink, &never, limits).await;
    (outcome, said)
}

/// The log of a backend, as its answers have it.
pub(crate) fn log(said: &[Answer], of: Backend) -> String {
    let part = |answer: &Answer| match answer {
        Answer::LogStarted { backend, header } if *backend == of => {
            Some(serde_json::to_string(header).expect("a header is plain data") + "\n")
        }
        Answer::Events { backend, lines } if *backend == of => Some(lines.clone()),
        _ => None,
    };
    said.iter().filter_map(part).collect()
}
