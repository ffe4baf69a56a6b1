//! `lcd diff`.

use std::time::Duration;

use bundled_worlds::WORLDS;
use indicatif::{ProgressBar, ProgressStyle};
use lcd::Backend;
use lcd::assemble::{self, Modules};
use lcd::differential::{self, Case, Field, Outcome, Summary};
use lcd::model::compare::Divergence;
use lcd::model::event::Event;
use native_vmx::HostReport;
use serde::Serialize;

use super::output::{Output, Tone, table};
use super::place::{Comparison, Place, ToCompare};
use super::turns::Turns;
use super::{Code, duration};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// World files, bundles, modules or bundled worlds; without any, all bundled worlds.
    what: Vec<String>,
    /// Only these backends.
    #[arg(long, value_name = "BACKEND")]
    backend: Vec<Backend>,
    /// Give each run up after so long [default: the world's own limit].
    #[arg(long, value_name = "T", value_parser = duration)]
    timeout: Option<Duration>,
    #[command(flatten)]
    turns: Turns,
    /// Only list the bundled worlds.
    #[arg(long)]
    list: bool,
}

/// The JSON result.
#[derive(Serialize)]
struct Results<'a> {
    schema: &'static str,
    host: &'a HostReport,
    cases: &'a [Case],
    summary: Summary,
}

pub(super) fn main(
    arguments: &Arguments,
    modules: &Modules,
    place: &Place<'_>,
    output: &Output,
) -> anyhow::Result<Code> {
    if arguments.list {
        return list(output);
    }
    let host = place.hardware()?;
    let chosen = &arguments.backend;
    let mut field = place.backends(|backend| chosen.is_empty() || chosen.contains(backend))?;
    arguments.turns.leave_out(&mut field);
    let names: Vec<String> = match arguments.what.as_slice() {
        [] => WORLDS.iter().map(|world| world.name.to_owned()).collect(),
        given => given.to_vec(),
    };
    let progress = progress(names.len());
    let comparison =
        Comparison { field: &field, timeout: arguments.timeout, turns: &arguments.turns };
    let worlds = names.iter().map(|name| (name.clone(), put_together(name, modules)));
    let cases = place.compare(worlds, &comparison, &progress);
    progress.finish_and_clear();
    let cases = cases?;
    let summary = Summary::of(&cases);
    if output.is_json() {
        output.json(&Results { schema: "lcd-diff/1", host: &host, cases: &cases, summary })?;
    } else {
        human(&host, &field, &cases, summary, output)?;
    }
    Ok(if summary.diverge > 0 {
        Code::Diverge
    } else if cases.iter().any(|case| case.unloadable) {
        Code::Setup
    } else {
        Code::Success
    })
}

fn list(output: &Output) -> anyhow::Result<Code> {
    let about = |toml| lcd::model::world::World::parse(toml).map_or(String::new(), |w| w.about);
    let rows = WORLDS.iter().map(|world| vec![world.name.to_owned(), about(world.toml)]);
    output.print(&table(&["world", "what it shows"], rows.collect()))?;
    Ok(Code::Success)
}

/// What is compared for a name. Of a bundled world that could not be built, that is said.
fn put_together(name: &str, modules: &Modules) -> anyhow::Result<ToCompare> {
    match assemble::anything(name, modules) {
        Ok(bundle) => Ok(ToCompare::World(Box::new(bundle))),
        Err(error @ assemble::AssembleError::Unavailable { .. }) => {
            let case = differential::skipped(name, error.to_string());
            Ok(ToCompare::Skipped(Box::new(case)))
        }
        Err(error) => Err(error.into()),
    }
}

/// A bar on standard error, drawn only if that is a terminal.
fn progress(total: usize) -> ProgressBar {
    let bar = ProgressBar::new(total as u64);
    let style = ProgressStyle::with_template("{pos}/{len} {wide_bar} {msg:30!}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar
}

fn human(
    host: &HostReport,
    field: &Field,
    cases: &[Case],
    summary: Summary,
    output: &Output,
) -> anyhow::Result<()> {
    output.print(&format!("host: {}, {}", host.class, host.processor_model))?;
    let rows = cases.iter().map(|case| row(case, output)).collect();
    output
        .print(&table(&["world", "outcome", "events", "native", "sim", "what it shows"], rows))?;
    // That a backend is missing is said once for all, below.
    let missing = |case: &Case| case.backends.iter().any(|run| run.skipped.is_some());
    let plain = |case: &&Case| match case.outcome {
        Outcome::Agree => true,
        Outcome::Skipped => missing(case) && !case.unloadable,
        Outcome::Diverge | Outcome::Poisoned => false,
    };
    for case in cases.iter().filter(|case| !plain(case)) {
        details(case, output)?;
    }
    for (backend, reason) in field.iter().filter_map(|(b, a)| Some((b, a.as_ref().err()?))) {
        let count = cases.len();
        let note = format!(
            "{backend} skipped for all {count}, so nothing was compared, only run and held against \
             expectations: {reason}"
        );
        output.print(&output.paint(Tone::Warn, &note))?;
    }
    let Summary { agree, diverge, poisoned, skipped } = summary;
    let line = format!("{agree} agree, {diverge} diverge, {poisoned} poisoned, {skipped} skipped");
    let tone = if diverge > 0 { Tone::Bad } else { Tone::Good };
    output.print(&output.paint(tone, &line))
}

fn row(case: &Case, output: &Output) -> Vec<String> {
    let tone = match case.outcome {
        Outcome::Agree => Tone::Good,
        Outcome::Diverge => Tone::Bad,
        Outcome::Poisoned | Outcome::Skipped => Tone::Warn,
    };
    let time = |name: &str| match case.backends.iter().find(|run| run.backend == name) {
        Some(run) if run.skipped.is_none() && run.error.is_none() => {
            format!("{:.1} ms", run.seconds * 1000.0)
        }
        _ => String::from("-"),
    };
    vec![
        case.name.clone(),
        output.paint(tone, case.outcome.word()),
        case.events.to_string(),
        time("native"),
        time("sim"),
        case.about.clone(),
    ]
}

fn details(case: &Case, output: &Output) -> anyhow::Result<()> {
    let reason = case.reason.as_deref().unwrap_or_default();
    output.print(&format!("\n{}: {reason}", output.paint(Tone::Bold, &case.name)))?;
    for line in &case.unmet {
        output.print(&format!("  {line}"))?;
    }
    if let Some(divergence) = &case.divergence {
        context(divergence, Sides { left: "native", right: "sim" }, output)?;
        output.print(&format!("  again: lcd diff {}", case.name))?;
    }
    Ok(())
}

/// What the two logs that were compared are called.
#[derive(Clone, Copy)]
pub(super) struct Sides {
    pub(super) left: &'static str,
    pub(super) right: &'static str,
}

/// The first divergent event under the equal ones before it.
pub(super) fn context(
    divergence: &Divergence,
    sides: Sides,
    output: &Output,
) -> anyhow::Result<()> {
    // It may come from elsewhere, so nothing is taken for granted.
    let start = divergence.index.saturating_sub(divergence.context.len());
    for (i, event) in divergence.context.iter().enumerate() {
        output.print(&output.paint(Tone::Dim, &format!("  {:>6}  {}", start + i, line(event)?)))?;
    }
    let Sides { left, right } = sides;
    for (side, event) in [(left, &divergence.left), (right, &divergence.right)] {
        let text = match event {
            Some(event) => line(event)?,
            None => String::from("(no more events)"),
        };
        let head = format!("  {:>6}  {side}: {text}", divergence.index);
        output.print(&output.paint(Tone::Bad, &head))?;
    }
    Ok(())
}

fn line(event: &Event) -> anyhow::Result<String> {
    Ok(serde_json::to_string(event)?)
}
