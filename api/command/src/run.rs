//! `lcd run`.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use lcd::Backend;
use lcd::assemble::{self, Modules};
use lcd::differential::comparison;
use lcd::model::bundle::Bundle;
use lcd::model::compare::Verdict;
use lcd::model::event::{Event, Log};
use lcd::model::exit::{End, Exited};
use lcd::model::refusal::refusal;
use lcd::model::report::{DomainReport, RunReport, ThreadEnd};
use serde::Serialize;

use super::output::{Output, Spinner, Tone};
use super::place::{Place, Ran, RunPlan};
use super::turns::Turns;
use super::{Code, duration};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// A module's file or name, a world file (.toml), a bundle (.lcdb), or a bundled world.
    what: String,
    /// Where it runs [default: native if possible, else sim].
    #[arg(long)]
    backend: Option<Backend>,
    /// Write the event log to this file, as lines of JSON.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Write the world and all its modules to this file, as they are run: a bundle. It should be called
    /// NAME.lcdb.
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// Give up after so long: 10s, 500ms, 2m [default: the world's own limit].
    #[arg(long, value_name = "T", value_parser = duration)]
    timeout: Option<Duration>,
    #[command(flatten)]
    turns: Turns,
}

/// The JSON result.
#[derive(Serialize)]
struct Results<'a> {
    #[serde(flatten)]
    report: &'a RunReport,
    /// What came of repeating the run in the simulator.
    #[serde(skip_serializing_if = "Option::is_none")]
    repeated: Option<&'a Verdict>,
}

pub(super) fn main(
    arguments: &Arguments,
    modules: &Modules,
    place: &Place<'_>,
    output: &Output,
) -> anyhow::Result<Code> {
    let bundle = assemble::anything(&arguments.what, modules)?;
    if let Some(path) = &arguments.bundle {
        fs::write(path, bundle.encode())
            .with_context(|| format!("cannot write the bundle to {}", path.display()))?;
    }
    let turns = &arguments.turns;
    let backend = place.backend(turns.backend(arguments.backend)?, output)?;
    let plan = RunPlan { backend, timeout: arguments.timeout, turns };
    let Ran { run, repeated } = place.run(&bundle, &plan, &arguments.what)?;
    if let Some(path) = &arguments.log {
        fs::write(path, run.log.to_json_lines())
            .with_context(|| format!("cannot write the log to {}", path.display()))?;
    }
    let repeated = match (turns.is_parallel(), repeated) {
        (true, Some(repeated)) => Some(comparison(&bundle)(&run.log, &repeated)),
        (true, None) => Some(repeat(&bundle, &run.log, arguments)?),
        (false, _) => None,
    };
    let report = RunReport::from_log(&run.log);
    let unmet = report.unmet(&bundle.world);
    if output.is_json() {
        output.json(&Results { report: &report, repeated: repeated.as_ref() })?;
    } else {
        for domain in &report.domains {
            let text = human(domain, report.domains.len() > 1, &run.log.events, output);
            output.print(text.trim_end())?;
        }
        let count = report.events;
        output.note(&format!("{backend}: {count} events in {:.3} s", run.elapsed.as_secs_f64()));
    }
    if let Some(verdict) = &repeated {
        output.note(&in_words(verdict));
    }
    for line in &unmet {
        eprintln!("{} {line}", output.error_label());
    }
    if let Some(Verdict::Diverge(_)) = repeated {
        return Ok(Code::Diverge);
    }
    Ok(if report.went_well(&bundle.world) { Code::Success } else { Code::Failure })
}

/// Repeats a parallel run in the simulator.
fn repeat(bundle: &Bundle, log: &Log, arguments: &Arguments) -> anyhow::Result<Verdict> {
    let _spinner = Spinner::new(&format!("{} again on {}", arguments.what, Backend::Sim));
    let repeated = lcd::replay(bundle, log, arguments.timeout)?;
    Ok(comparison(bundle)(log, &repeated.log))
}

fn in_words(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Agree { compared } => {
            format!("repeated in the simulator: all {compared} events agree")
        }
        Verdict::Poisoned { compared, why } => {
            format!("repeated in the simulator: {compared} events agree, then: {why}")
        }
        Verdict::Diverge(divergence) => format!(
            "repeated in the simulator: event {} differs: {}",
            divergence.index,
            divergence.fields.join("; ")
        ),
    }
}

fn human(domain: &DomainReport, name_it: bool, events: &[Event], output: &Output) -> String {
    let mut text = String::new();
    if name_it {
        text.push_str(&output.paint(Tone::Bold, &format!("[{}]\n", domain.name)));
    }
    text.push_str(&domain.console);
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    for thread in &domain.threads {
        text.push_str(&ending(&domain.name, thread, events, output));
        text.push('\n');
    }
    text
}

/// How a thread ended; if it was killed, why it may not have done what it did, as far as the log says
/// so, and its registers.
fn ending(name: &str, thread: &ThreadEnd, events: &[Event], output: &Output) -> String {
    let Some((end, registers)) = &thread.parsed else {
        return output.paint(Tone::Dim, &format!("{name} did not end"));
    };
    match end {
        End::Exit(Exited { value: 0 }) => output.paint(Tone::Good, &format!("{name} {end}")),
        End::Exit(_) => output.paint(Tone::Warn, &format!("{name} {end}")),
        End::Killed(_) => {
            let at = thread.at.as_ref().map_or(String::new(), |at| format!(" in {at}"));
            let head = format!("{name}: {end}, rip {:#x}{at}", registers.rip);
            let names = lcd::model::registers::GENERAL_NAMES;
            let cells: Vec<_> = names
                .iter()
                .zip(registers.general)
                .map(|(name, value)| format!("{name:>4} {value:016x}"))
                .collect();
            let rows: Vec<_> = cells.chunks(4).map(|row| format!("  {}", row.join(" "))).collect();
            let flags = format!("  rflags {:#x}", registers.rflags);
            let registers = output.paint(Tone::Dim, &format!("{}\n{flags}", rows.join("\n")));
            let refused = thread.event.and_then(|number| refusal(events, number));
            let why = refused.map_or(String::new(), |refused| format!("\n  {}", refused.text));
            format!("{}{why}\n{registers}", output.paint(Tone::Bad, &head))
        }
    }
}
