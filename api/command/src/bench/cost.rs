//! What one of many equal things costs: the difference between two runs, of which one does twice as
//! many, so that what a run costs by itself cancels out.

use anyhow::{Context as _, ensure};
use bundled_worlds::WORLDS;
use lcd::model::bundle::Bundle;
use lcd::model::report::RunReport;
use lcd::parallel::Cancel;
use lcd::{Backend, Run, assemble};
use serde::Serialize;

use super::super::output::Spinner;

/// Runs of each size. Others use the machine too, so the quickest is taken.
const REPEATS: usize = 3;

/// How a world is run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Threads take turns.
    Sequential(Backend),
    /// Each thread has a processor.
    Parallel,
}

/// The costs of one of them.
#[derive(Clone, Copy, Serialize)]
pub(super) struct Cost {
    /// Instructions retired, in the simulator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) instructions: Option<f64>,
    /// Entries of the processor, which are as many as exits, on hardware.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) entries: Option<f64>,
    pub(super) microseconds: f64,
}

/// The least of several runs.
#[derive(Clone, Copy)]
struct Total {
    instructions: Option<u64>,
    entries: Option<u64>,
    microseconds: f64,
}

impl Total {
    fn of(run: &Run) -> Self {
        let (instructions, entries) = (run.retired, run.entries);
        Self { instructions, entries, microseconds: run.elapsed.as_secs_f64() * 1e6 }
    }

    fn least(self, other: Self) -> Self {
        Self {
            instructions: self.instructions.min(other.instructions),
            entries: self.entries.min(other.entries),
            microseconds: self.microseconds.min(other.microseconds),
        }
    }
}

/// Measures a world that `make` makes for a number of things to do. The domain at `measured` returns
/// that number if all went well.
pub(super) fn cost(
    what: &str,
    mode: Mode,
    count: u64,
    measured: usize,
    make: impl Fn(u64) -> anyhow::Result<Bundle>,
) -> anyhow::Result<Cost> {
    let _spinner = Spinner::new(what);
    let total = |count: u64| {
        let bundle = make(count)?;
        let runs = (0..REPEATS).map(|_| {
            let run = match mode {
                Mode::Sequential(backend) => lcd::run(&bundle, backend, None),
                Mode::Parallel => lcd::run_parallel(&bundle, None, &Cancel::default()),
            }?;
            let report = RunReport::from_log(&run.log);
            let returned = report.domains.get(measured).and_then(|domain| domain.returned);
            ensure!(returned == Some(count), "{what}: {count} expected, {returned:?} done");
            Ok(Total::of(&run))
        });
        let totals: Vec<Total> = runs.collect::<anyhow::Result<_>>()?;
        totals.into_iter().reduce(Total::least).context("no run")
    };
    let (once, twice) = (total(count)?, total(count * 2)?);
    let each = |once: f64, twice: f64| (twice - once) / count as f64;
    let counted = |once: Option<u64>, twice: Option<u64>| Some(each(once? as f64, twice? as f64));
    Ok(Cost {
        instructions: counted(once.instructions, twice.instructions),
        entries: counted(once.entries, twice.entries),
        microseconds: each(once.microseconds, twice.microseconds),
    })
}

/// A bundled world that is to be measured: without limits of its own.
pub(super) fn bundled(name: &str) -> anyhow::Result<Bundle> {
    let world = WORLDS.iter().find(|world| world.name == name);
    let mut bundle = assemble::bundled(world.with_context(|| format!("{name} is not bundled"))?)?;
    let limits = &mut bundle.world.limits;
    (limits.instructions, limits.milliseconds, limits.events) = (u64::MAX, 3_600_000, u64::MAX);
    Ok(bundle)
}
