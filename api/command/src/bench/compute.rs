//! The same bytes on every backend.

use anyhow::Context as _;
use lcd::Backend;
use lcd::model::report::RunReport;
use lcd::model::world::Argument;
use serde::Serialize;

use super::super::output::Spinner;
use super::Table;
use super::cost::bundled;

#[derive(Serialize)]
pub(super) struct Results {
    rounds: u64,
    instructions: u64,
    runs: Vec<Measured>,
}

#[derive(Serialize)]
struct Measured {
    backend: String,
    seconds: f64,
    million_instructions_per_second: f64,
    digest: u64,
}

pub(super) fn measure(rounds: u64, backends: &[Backend]) -> anyhow::Result<Results> {
    let mut bundle = bundled("bench-compute")?;
    bundle.world.domains[0].args = vec![Argument::Unsigned(rounds)];
    let (mut runs, mut instructions) = (Vec::new(), 0);
    for &backend in backends {
        let _spinner = Spinner::new(&format!("compute on {backend}"));
        let run = lcd::run(&bundle, backend, None)?;
        instructions = run.retired.unwrap_or(instructions);
        let report = RunReport::from_log(&run.log);
        let digest = report.domains.first().and_then(|domain| domain.returned);
        let seconds = run.elapsed.as_secs_f64();
        runs.push(Measured {
            backend: backend.to_string(),
            seconds,
            million_instructions_per_second: instructions as f64 / seconds / 1e6,
            digest: digest.with_context(|| format!("{backend}: the benchmark did not return"))?,
        });
    }
    Ok(Results { rounds, instructions, runs })
}

impl Results {
    /// Whether every backend has computed the same.
    pub(super) fn is_same(&self) -> bool {
        self.runs.windows(2).all(|pair| pair[0].digest == pair[1].digest)
    }

    pub(super) fn table(&self) -> Table {
        let fastest = self.runs.iter().map(|run| run.seconds).fold(f64::INFINITY, f64::min);
        let row = |run: &Measured| {
            vec![
                run.backend.clone(),
                format!("{:.3} s", run.seconds),
                format!("{:.0}", run.million_instructions_per_second),
                format!("{:.1}", run.seconds / fastest),
                format!("{:#x}", run.digest),
            ]
        };
        Table {
            title: format!("compute: {} instructions ({} rounds)", self.instructions, self.rounds),
            heads: &["backend", "time", "million instr/s", "times slower", "digest"],
            rows: self.runs.iter().map(row).collect(),
        }
    }
}
