//! Whose turn it is: the options of `lcd run` and `lcd diff` about that.

use anyhow::bail;
use lcd::Backend;
use lcd::differential::{Field, alone, can_follow};
use lcd::model::bundle::Bundle;
use lcd::model::microkernel::Schedule;
use lcd_server::request;

#[derive(Clone, Copy, Default, clap::Args)]
pub(super) struct Turns {
    /// Run all threads at the same time on hardware, then repeat the order of their exits in the
    /// simulator and compare.
    #[arg(long, conflicts_with = "seed")]
    parallel: bool,
    /// After each exit, draw whose turn is next with a generator that begins with N.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Also end turns after 1 to N instructions, drawn as well. In the simulator only, which counts
    /// them.
    #[arg(long, value_name = "N", requires = "seed", value_parser = clap::value_parser!(u64).range(1..))]
    preempt: Option<u64>,
}

impl Turns {
    /// Whether `--parallel` was given.
    pub(super) const fn is_parallel(&self) -> bool {
        self.parallel
    }

    /// The backend that the options ask for, if they leave no choice.
    pub(super) fn backend(&self, chosen: Option<Backend>) -> anyhow::Result<Option<Backend>> {
        let needed = match self {
            Self { parallel: true, .. } => Some(Backend::Native),
            Self { preempt: Some(_), .. } => Some(Backend::Sim),
            _ => None,
        };
        match (needed, chosen) {
            (Some(Backend::Native), Some(Backend::Sim)) => bail!(
                "--parallel runs on hardware, and --backend sim asks for the simulator: leave one \
                 of them out"
            ),
            (_, chosen) => {
                let backend = needed.or(chosen);
                let asked = self.of_worlds().zip(chosen);
                if let Some(Err(reason)) = asked.map(|(s, backend)| can_follow(backend, &s)) {
                    bail!("--preempt: {reason}");
                }
                Ok(backend)
            }
        }
    }

    /// The schedule of one run on a backend.
    pub(super) fn of_run(&self, bundle: &Bundle, backend: Backend) -> Schedule {
        match (self.of_worlds(), backend) {
            (Some(schedule), _) => schedule,
            (None, Backend::Native) if bundle.world.schedule.parallel => Schedule::Parallel,
            (None, _) => alone(bundle),
        }
    }

    /// The schedule of all worlds alike, if there is one.
    pub(super) const fn of_worlds(&self) -> Option<Schedule> {
        match *self {
            Self { parallel: true, .. } => Some(Schedule::Parallel),
            Self { seed: Some(seed), preempt, .. } => Some(Schedule::Seeded { seed, preempt }),
            _ => None,
        }
    }

    /// Leaves out of a comparison what cannot do it.
    pub(super) fn leave_out(&self, field: &mut Field) {
        let Some(schedule) = self.of_worlds() else { return };
        for (backend, available) in field {
            if let Err(reason) = can_follow(*backend, &schedule) {
                *available = Err(reason);
            }
        }
    }

    /// The same, as a server takes it.
    pub(super) fn request(&self) -> Option<request::Turns> {
        let Self { parallel, seed, preempt } = *self;
        self.of_worlds().map(|_| request::Turns { parallel, seed, preempt })
    }
}
