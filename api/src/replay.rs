//! A log's run again, in the simulator: whether the world and the order of what happened in it are
//! enough to come to the same.

use std::time::Duration;

use shared_model::bundle::Bundle;
use shared_model::compare::Verdict;
use shared_model::event::Log;
use shared_model::microkernel::{exit_order, ways};

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
    let simulated = log.header.backend == Backend::Sim.to_string();
    let ways = ways(&bundle.world, &log.header.schedule, exit_order(log), simulated);
    let mut first = None;
    for way in ways {
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
