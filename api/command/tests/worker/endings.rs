//! How a job ends that does not end by itself.

use std::process::Command;
use std::time::Duration;

use lcd::Backend;
use lcd_server::worker::process::{BirthError, Limits, Outcome, Worker};
use lcd_server::worker::protocol::{Answer, Job};
use tokio_util::sync::CancellationToken;

use crate::worker::{LIMITS, PATIENCE, answers, backends, bundled, ready, run};

/// A job that goes on for as long as anybody lets it.
fn endless(backend: Backend) -> Job {
    Job { timeout_ms: Some(1_000_000), ..run(backend) }
}

/// A world whose thread spins, and nobody kills it.
fn spinning() -> lcd::model::bundle::Bundle {
    let mut bundle = bundled("load");
    for domain in &mut bundle.world.domains {
        domain.kill_after = None;
    }
    bundle.world.limits.instructions = u64::MAX;
    bundle.world.limits.milliseconds = 1_000_000;
    bundle
}

/// Whether a process is there.
fn exists(process: u32) -> bool {
    std::path::Path::new(&format!("/proc/{process}")).exists()
}

#[tokio::test]
async fn a_spinning_world_ends_with_the_limit_of_time() {
    for backend in backends() {
        let worker = ready().await;
        let process = worker.process().unwrap();
        let limits = Limits { wall: Duration::from_millis(300), ..LIMITS };
        let (outcome, _) = answers(worker, &endless(backend), &spinning(), limits).await;
        assert!(matches!(outcome, Outcome::TimedOut { .. }), "{outcome}");
        // It has been waited for as well.
        assert!(!exists(process));
    }
}

#[tokio::test]
async fn somebody_who_does_not_want_it_any_more_ends_it() {
    let cancel = CancellationToken::new();
    let worker = ready().await;
    let process = worker.process().unwrap();
    // As soon as the run has begun.
    let mut sink = |answer| {
        if matches!(answer, Answer::LogStarted { .. }) {
            cancel.cancel();
        }
        Ok(())
    };
    let bundle = spinning().encode();
    let outcome = worker.run(&endless(Backend::Sim), &bundle, &mut sink, &cancel, LIMITS).await;
    assert!(matches!(outcome, Outcome::Cancelled), "{outcome}");
    assert!(!exists(process));
}

#[tokio::test]
async fn a_worker_that_is_killed_has_died() {
    let worker = ready().await;
    let process = worker.process().unwrap().to_string();
    let mut sink = |answer| {
        if matches!(answer, Answer::LogStarted { .. }) {
            let killed = Command::new("kill").args(["-KILL", &process]).status();
            assert!(killed.unwrap().success());
        }
        Ok(())
    };
    let never = CancellationToken::new();
    let bundle = spinning().encode();
    let outcome = worker.run(&endless(Backend::Sim), &bundle, &mut sink, &never, LIMITS).await;
    let Outcome::Died(death) = outcome else { panic!("{outcome}") };
    assert!(death.how.contains("signal 9"), "{death}");
}

#[tokio::test]
async fn a_worker_that_nobody_waits_for_is_killed() {
    let worker = ready().await;
    let process = worker.process().unwrap();
    drop(worker);
    tokio::time::timeout(PATIENCE, async {
        while exists(process) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn answers_are_limited_and_may_be_refused() {
    let limits = Limits { output_bytes: 100, ..LIMITS };
    let (outcome, _) = answers(ready().await, &run(Backend::Sim), &bundled("printk"), limits).await;
    assert!(matches!(outcome, Outcome::TooMuchOutput { limit: 100 }), "{outcome}");

    let mut full = |_: Answer| Err(String::from("the disk is full"));
    let never = CancellationToken::new();
    let bundle = bundled("printk").encode();
    let outcome = ready().await.run(&run(Backend::Sim), &bundle, &mut full, &never, LIMITS).await;
    assert!(matches!(&outcome, Outcome::NotTaken(why) if why.contains("full")), "{outcome}");
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn memory_is_limited() {
    let limits = Limits { resident_bytes: 1 << 20, ..LIMITS };
    let job = endless(Backend::Sim);
    let (outcome, _) = answers(ready().await, &job, &spinning(), limits).await;
    assert!(matches!(outcome, Outcome::TooMuchMemory { seen: 1_048_577.., .. }), "{outcome}");
}

#[tokio::test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
async fn a_jobs_own_limits_are_the_kernels() {
    let job = Job { cpu_seconds: Some(1), ..endless(Backend::Sim) };
    let (outcome, _) = answers(ready().await, &job, &spinning(), LIMITS).await;
    let Outcome::Died(death) = outcome else { panic!("{outcome}") };
    assert!(death.how.contains("its processor time was used up"), "{death}");

    for backend in backends() {
        let limited = |bytes| Job { memory_bytes: Some(bytes), ..run(backend) };
        let (outcome, _) =
            answers(ready().await, &limited(256 << 20), &bundled("printk"), LIMITS).await;
        assert!(matches!(outcome, Outcome::Finished(_)), "{backend}: {outcome}");
        // Less than a run begins with.
        let (outcome, _) =
            answers(ready().await, &limited(4 << 20), &bundled("printk"), LIMITS).await;
        assert!(matches!(outcome, Outcome::Died(_) | Outcome::Failed(_)), "{backend}: {outcome}");
        println!("{backend} with 4 MiB: {outcome}");
    }
}

#[tokio::test]
async fn another_program_is_no_worker() {
    let start = async |program: &str, arguments: &[&str]| {
        let worker = Worker::spawn(program.as_ref(), arguments).await?;
        worker.ready(PATIENCE).await.map(drop)
    };
    let error = start("sh", &["-c", "echo no >&2; exit 3"]).await.unwrap_err();
    let BirthError::Died(death) = error else { panic!("{error}") };
    assert!(death.how.contains("exit status: 3"), "{death}");
    assert_eq!(death.messages, "no\n");
    let error = start("echo", &["I am not a worker"]).await.unwrap_err();
    assert!(matches!(error, BirthError::Misbehaved(_)), "{error}");
    let error = start("/nowhere/lcd", &[]).await.unwrap_err();
    assert!(matches!(error, BirthError::Start(_)), "{error}");
    let late = Worker::spawn("sleep".as_ref(), &["1000"]).await.unwrap();
    let process = late.process().unwrap();
    let error = late.ready(Duration::from_millis(50)).await.unwrap_err();
    assert!(matches!(error, BirthError::TimedOut(_)), "{error}");
    assert!(!exists(process));
}
