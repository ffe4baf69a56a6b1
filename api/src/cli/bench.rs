//! `lcd bench`: the same bytes on every backend.

use anyhow::Context as _;
use lcd::Backend;
use lcd::model::bundle::Bundle;
use lcd::model::report::RunReport;
use lcd::model::world::{Argument, DomainPlan, World};
use native_vmx::HostReport;
use serde::Serialize;

use super::Code;
use super::output::{Output, Spinner, table};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Rounds of sieving, checksumming and sorting.
    #[arg(long, default_value_t = 40)]
    rounds: u64,
}

#[derive(Serialize)]
struct Results {
    host: HostReport,
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

pub(super) fn main(arguments: &Arguments, output: &Output) -> anyhow::Result<Code> {
    let mut bundle = Bundle::new(World::single(DomainPlan::new("bench", "bench.ko")));
    let plan = &mut bundle.world.domains[0];
    plan.call = Some(vec![String::from("bench")]);
    plan.args = vec![Argument::Unsigned(arguments.rounds)];
    bundle.world.limits.instructions = u64::MAX;
    bundle.world.limits.milliseconds = 3_600_000;
    let files = [
        bundle.add_file(lcd::assemble::LIBLCD, liblcd::OBJECT),
        bundle.add_file("bench.ko", bundled_worlds::BENCH_MODULE),
    ];
    bundle.modules.insert("bench.ko".into(), files.to_vec());

    // The simulator goes first: it counts the instructions.
    let (mut runs, mut instructions) = (Vec::new(), 0);
    for backend in [Backend::Sim, Backend::Native] {
        let _spinner = Spinner::new(&format!("bench on {backend}"));
        let run = match lcd::run(&bundle, backend, None) {
            Ok(run) => run,
            Err(lcd::BackendError::Unavailable(reason)) => {
                output.note(&format!("{backend} skipped: {reason}"));
                continue;
            }
            Err(error) => return Err(error.into()),
        };
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
    let same = runs.windows(2).all(|pair| pair[0].digest == pair[1].digest);
    let results =
        Results { host: native_vmx::probe(), rounds: arguments.rounds, instructions, runs };
    if output.is_json() {
        output.json(&results)?;
    } else {
        human(&results, output)?;
    }
    Ok(if same { Code::Success } else { Code::Diverge })
}

fn human(results: &Results, output: &Output) -> anyhow::Result<()> {
    let Results { host, rounds, instructions, runs } = results;
    output.print(&format!("host: {}, {}", host.class, host.processor_model))?;
    output.print(&format!("{instructions} instructions ({rounds} rounds)"))?;
    let fastest = runs.iter().map(|run| run.seconds).fold(f64::INFINITY, f64::min);
    let row = |run: &Measured| {
        vec![
            run.backend.clone(),
            format!("{:.3} s", run.seconds),
            format!("{:.0}", run.million_instructions_per_second),
            format!("{:.1}", run.seconds / fastest),
            format!("{:#x}", run.digest),
        ]
    };
    let heads = ["backend", "time", "million instr/s", "times slower", "digest"];
    output.print(&table(&heads, runs.iter().map(row).collect()))
}
