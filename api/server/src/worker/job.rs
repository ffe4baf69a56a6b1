//! The worker's side: `lcd worker`.
//!
//! What a job comes to, in [`Answer::Finished`]:
//! - of [`Action::Run`] a [`RunResult`];
//! - of [`Action::Compare`] the [`Case`](lcd::differential::Case).

use std::io::{self, BufReader, Read, Write};
use std::time::Duration;

use lcd::differential::{self, Field};
use lcd::model::bundle::Bundle;
use lcd::model::event::{Event, LogHeader};
use lcd::model::microkernel::Schedule;
use lcd::model::report::RunReport;
use lcd::model::world::{DomainPlan, World};
use lcd::{Backend, BackendError, Observer, Run};
use serde::{Deserialize, Serialize};

use super::protocol::{self, Action, Answer, Job, ProtocolError, Ready, RunEnded, shortened};
use super::sandbox;

#[cfg(test)]
mod tests;

/// Bytes of a log that are collected before they are sent, if there are so many at a time.
const LINES: usize = 1 << 18;

/// What an [`Action::Run`] comes to.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RunResult {
    /// The run.
    pub report: RunReport,
    /// The world's expectations that are not met, a sentence each.
    pub unmet: Vec<String>,
    /// Whether it ended as the world expects; if it expects nothing, with 0 everywhere.
    pub went_well: bool,
}

/// Does one job, from standard input to standard output, locked in.
///
/// What goes wrong with the job is an answer.
///
/// # Errors
/// [`ProtocolError`] if nobody can be told: the other side is gone, or speaks another language.
pub fn main() -> Result<(), ProtocolError> {
    let mut output = io::stdout();
    // When memory is short, a worker goes before the server does (proc(5)).
    let _ = std::fs::write("/proc/self/oom_score_adj", "500");
    // And when processors are, requests come before runs.
    let _ = rustix::process::setpriority_process(None, 10);
    let field = Backend::ALL.map(|backend| (backend, warm_up(backend))).into();
    match sandbox::enter() {
        Ok(confinement) => {
            let ready = Ready { version: protocol::VERSION, confinement };
            send(&mut output, &Answer::Ready(ready))?;
        }
        Err(error) => {
            let message = shortened(&error.to_string());
            return send(&mut output, &Answer::Failed { message });
        }
    }
    serve(&mut BufReader::new(io::stdin()), &mut output, &field)
}

/// Has a backend open what it needs while it still can, `/dev/kvm` and the simulator's compiled code,
/// and do once what it does only once: by running nothing. Fails if the backend cannot be used here.
fn warm_up(backend: Backend) -> Result<(), String> {
    let mut world = World::single(DomainPlan::new("nobody", "nothing"));
    world.domains.clear();
    let ran = lcd::run(&Bundle::new(world), backend, None);
    ran.map(drop).map_err(|reason| reason.to_string())
}

/// Reads a job and does it.
fn serve(
    input: &mut impl Read,
    output: &mut impl Write,
    field: &Field,
) -> Result<(), ProtocolError> {
    let Some((job, bundle)) = Job::read(input)? else {
        // Not needed after all.
        return Ok(());
    };
    let mut reporter = Reporter { output, broken: None };
    let last = match work(&job, &bundle, field, &mut reporter) {
        Ok(result) => Answer::Finished { result },
        Err(message) => Answer::Failed { message: shortened(&message) },
    };
    reporter.say(&last);
    match reporter.broken {
        Some(ProtocolError::TooLong { length, limit, .. }) => {
            let message = format!("an answer would have {length} bytes, of at most {limit}");
            send(reporter.output, &Answer::Failed { message })
        }
        Some(error) => Err(error),
        None => Ok(()),
    }
}

fn work<W: Write>(
    job: &Job,
    bundle: &[u8],
    field: &Field,
    reporter: &mut Reporter<'_, W>,
) -> Result<serde_json::Value, String> {
    sandbox::limit(job.cpu_seconds.map(Duration::from_secs), job.memory_bytes)
        .map_err(|error| error.to_string())?;
    let bundle = Bundle::decode(bundle).map_err(|error| error.to_string())?;
    let timeout = job.timeout_ms.map(Duration::from_millis);
    let result = match &job.action {
        Action::Run { backend, schedule } => {
            let report = run(&bundle, *backend, timeout, schedule, field, reporter)?;
            let unmet = report.unmet(&bundle.world);
            let went_well = report.went_well(&bundle.world);
            serde_json::to_value(RunResult { report, unmet, went_well })
        }
        Action::Compare { backends, schedule } => {
            let schedule = schedule.as_ref();
            let usable = |backend| {
                schedule.map_or(Ok(()), |schedule| differential::can_follow(backend, schedule))?;
                available(backend, field)
            };
            let field = backends.iter().map(|&backend| (backend, usable(backend))).collect();
            let case = differential::case_observed(&bundle, &field, timeout, schedule, reporter);
            serde_json::to_value(case)
        }
    };
    result.map_err(|error| error.to_string())
}

fn run<W: Write>(
    bundle: &Bundle,
    backend: Backend,
    timeout: Option<Duration>,
    schedule: &Schedule,
    field: &Field,
    reporter: &mut Reporter<'_, W>,
) -> Result<RunReport, String> {
    differential::can_follow(backend, schedule)?;
    available(backend, field)?;
    let run = lcd::run_observed(bundle, backend, timeout, schedule.clone(), reporter);
    let run = run.map_err(|error| error.to_string())?;
    Ok(RunReport::from_log(&run.log))
}

/// Whether a backend could be used before the doors were shut.
fn available(backend: Backend, field: &Field) -> Result<(), String> {
    let found = field.iter().find(|(other, _)| *other == backend);
    found.map_or_else(|| Err(format!("{backend} was not asked for")), |(_, result)| result.clone())
}

/// Passes on what runs do, as they do it.
struct Reporter<'a, W> {
    output: &'a mut W,
    /// The first answer that could not be given; those after it are not given either.
    broken: Option<ProtocolError>,
}

impl<W: Write> Reporter<'_, W> {
    fn say(&mut self, answer: &Answer) {
        if self.broken.is_none() {
            self.broken = send(self.output, answer).err();
        }
    }
}

impl<W: Write> Observer for Reporter<'_, W> {
    fn started(&mut self, backend: Backend, header: &LogHeader) {
        self.say(&Answer::LogStarted { backend, header: header.clone() });
    }

    fn events(&mut self, backend: Backend, events: &[Event]) {
        let mut lines = String::new();
        for event in events {
            lines.push_str(&serde_json::to_string(event).expect("an event is plain data"));
            lines.push('\n');
            if lines.len() >= LINES {
                self.say(&Answer::Events { backend, lines: std::mem::take(&mut lines) });
            }
        }
        if !lines.is_empty() {
            self.say(&Answer::Events { backend, lines });
        }
    }

    fn ended(&mut self, backend: Backend, result: Result<&Run, &BackendError>) {
        let run = result.ok();
        self.say(&Answer::RunEnded(RunEnded {
            backend,
            seconds: run.map_or(0.0, |run| run.elapsed.as_secs_f64()),
            instructions: run.and_then(|run| run.retired),
            entries: run.and_then(|run| run.entries),
            error: result.err().map(|error| shortened(&error.to_string())),
        }));
    }
}

fn send(output: &mut impl Write, answer: &Answer) -> Result<(), ProtocolError> {
    output.write_all(&answer.encode()?)?;
    Ok(output.flush()?)
}
