//! A log's run again, in the simulator: whether the world and the order of what happened in it are
//! enough to come to the same.

use std::time::Duration;

use shared_model::bundle::Bundle;
use shared_model::compare::Verdict;
use shared_model::event::{Event, EventKind, Log};
use shared_model::exit::{End, KillReason};
use shared_model::microkernel::{Schedule, exit_order};

use crate::backend::{Backend, BackendError};
use crate::differential::comparison;
use crate::drive::{Run, run_scheduled};

/// A log's run again.
#[derive(Debug)]
pub struct Replay {
    /// The run in the simulator.
    pub run: Run,
    /// Whether it came to the log: what is on the left of a difference was logged.
    pub verdict: Verdict,
}

/// Repeats the run of a log in the simulator and compares. Of a log that is not
/// [whole](Log::is_whole), what it has is compared with the beginning of the run.
///
/// # Errors
/// As [`crate::run`].
pub fn replay_and_compare(
    bundle: &Bundle,
    log: &Log,
    timeout: Option<Duration>,
) -> Result<Replay, BackendError> {
    let mut first = None;
    for way in ways(bundle, log) {
        let run = run_scheduled(bundle, Backend::Sim, timeout, way)?;
        let replay = judged(bundle, log, run);
        if let Verdict::Agree { .. } = replay.verdict {
            return Ok(replay);
        }
        first.get_or_insert(replay);
    }
    Ok(first.expect("there is at least one way"))
}

fn judged(bundle: &Bundle, log: &Log, mut run: Run) -> Replay {
    let verdict = match (log.is_whole(), bundle.world.schedule.races) {
        (true, _) => comparison(bundle)(log, &run.log),
        (false, true) => Verdict::Poisoned {
            compared: 0,
            why: String::from(
                "the log is cut off, and of a world whose threads race only what comes of it in the \
                 end can be compared",
            ),
        },
        (false, false) => {
            let rest = run.log.events.split_off(log.events.len().min(run.log.events.len()));
            let verdict = comparison(bundle)(log, &run.log);
            run.log.events.extend(rest);
            verdict
        }
    };
    Replay { run, verdict }
}

/// What may take the simulator the way of a log, the most likely first.
///
/// Taking turns as the log's run did comes to the same by itself, unless a thread was stopped at a
/// moment of the host's choosing. Following the log exit by exit has those moments from the log, but
/// between exits it lets everybody come along, also those who looked at memory in another order.
fn ways(bundle: &Bundle, log: &Log) -> Vec<Schedule> {
    let header = &log.header;
    let recorded = || Schedule::Recorded(exit_order(log));
    match &header.schedule {
        own @ (Schedule::Cooperative | Schedule::Seeded { preempt: None, .. }) => {
            match depends_on_the_host(bundle, log) {
                true => vec![recorded(), own.clone()],
                false => vec![own.clone()],
            }
        }
        own @ (Schedule::Seeded { .. } | Schedule::Recorded(_)) => vec![own.clone()],
        Schedule::Parallel => vec![recorded()],
    }
}

/// Whether the host's clock had a say in it. The simulator kills after a number of instructions, so
/// there only a limit of time did.
fn depends_on_the_host(bundle: &Bundle, log: &Log) -> bool {
    let simulated = log.header.backend == Backend::Sim.to_string();
    let kills = bundle.world.domains.iter().any(|domain| domain.kill_after.is_some());
    let stopped = |event: &Event| match &event.kind {
        EventKind::Ended { end: End::Killed(KillReason::Timeout), .. } => true,
        EventKind::Ended { end, .. } => end.is_asynchronous() && !simulated,
        _ => false,
    };
    kills && !simulated || log.events.iter().any(stopped)
}
