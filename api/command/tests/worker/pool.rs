//! Workers that wait for jobs.

use lcd::Backend;
use lcd_server::worker::pool::{Pool, PoolError};
use lcd_server::worker::process::Outcome;
use std::process::Command;
use std::time::Duration;

use crate::worker::{LIMITS, PATIENCE, answers, bundled, run, settings};

/// Waits until so many workers wait.
async fn full(pool: &Pool, count: usize) {
    tokio::time::timeout(PATIENCE, async {
        while pool.idle() < count {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("the pool fills up");
}

#[tokio::test]
async fn workers_are_replaced_and_those_that_died_meanwhile_are_not_given_out() {
    let pool = Pool::start(settings(2));
    full(&pool, 2).await;
    let taken = pool.take().await.unwrap();
    let process = taken.process().unwrap();
    full(&pool, 2).await;
    // Somebody kills all that wait, of which this one was to be the next.
    let mut waiting = Vec::new();
    for _ in 0..2 {
        waiting.push(pool.take().await.unwrap());
    }
    assert!(waiting.iter().all(|other| other.process() != Some(process)));
    let (outcome, _) = answers(taken, &run(Backend::Sim), &bundled("printk"), LIMITS).await;
    assert!(matches!(outcome, Outcome::Finished(_)), "{outcome}");
    for mut worker in waiting {
        let process = worker.process().unwrap().to_string();
        assert!(Command::new("kill").args(["-KILL", &process]).status().unwrap().success());
        tokio::time::timeout(PATIENCE, async {
            while worker.is_alive() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await
        .unwrap();
    }
    pool.shut_down().await;
    assert_eq!(pool.idle(), 0);
    assert!(matches!(pool.take().await, Err(PoolError::Closed)));
}
