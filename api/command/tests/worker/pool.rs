//! Workers that wait for jobs.

use std::fs;
use std::time::Duration;

use lcd::Backend;
use lcd_server::worker::pool::{Pool, PoolError, Settings};
use lcd_server::worker::process::Outcome;

use crate::worker::{LIMITS, PATIENCE, answers, bundled, run, settings};

/// Waits until something is so.
async fn until(mut what: impl FnMut() -> bool) {
    tokio::time::timeout(PATIENCE, async {
        while !what() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("it comes to that");
}

#[tokio::test]
async fn workers_are_replaced_until_the_pool_is_shut_down() {
    let pool = Pool::start(settings(2));
    until(|| pool.idle() == 2).await;
    let first = pool.take().await.unwrap();
    until(|| pool.idle() == 2).await;
    let second = pool.take().await.unwrap();
    assert_ne!(first.process(), second.process());
    pool.shut_down().await;
    assert_eq!(pool.idle(), 0);
    assert!(matches!(pool.take().await, Err(PoolError::Closed)));
    // Those that were taken go on.
    for worker in [first, second] {
        let (outcome, _) = answers(worker, &run(Backend::Sim), &bundled("printk"), LIMITS).await;
        assert!(matches!(outcome, Outcome::Finished(_)), "{outcome}");
    }
}

/// The first that starts says that it is ready, and leaves its number; then it ends. All others are
/// workers.
const FIRST_DIES: &str = r#"
if mkdir "$0/once" 2>/dev/null; then
    printf '\020\045\000\000\000{"version":1,"confinement":"seccomp"}'
    echo $$ > "$0/number"
else
    exec "$1" worker
fi"#;

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_worker_that_died_while_it_waited_is_not_given_out() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().to_str().unwrap();
    let arguments = ["-c", FIRST_DIES, place, env!("CARGO_BIN_EXE_lcd")].map(String::from).into();
    let pool = Pool::start(Settings { program: "/bin/sh".into(), arguments, ..settings(1) });
    until(|| pool.idle() == 1).await;
    let mut dead = None;
    until(|| {
        let Ok(text) = fs::read_to_string(directory.path().join("number")) else { return false };
        let Ok(process) = text.trim().parse::<u32>() else { return false };
        dead = Some(process);
        // It has ended, whether or not somebody has taken note.
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ")
    })
    .await;
    let worker = pool.take().await.unwrap();
    assert_ne!(worker.process(), dead);
    let (outcome, _) = answers(worker, &run(Backend::Sim), &bundled("printk"), LIMITS).await;
    assert!(matches!(outcome, Outcome::Finished(_)), "{outcome}");
    pool.shut_down().await;
}
