//! `lcd replay`.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bundled_worlds::WORLDS;
use lcd::Replay;
use lcd::assemble::{self, Modules};
use lcd::model::bundle::Bundle;
use lcd::model::compare::Verdict;
use lcd::model::event::{Log, Recovered};
use serde::Serialize;

use super::diff::{Sides, context};
use super::output::{Output, Spinner, Tone};
use super::{Code, duration};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The log, as `lcd run --log` and servers write it.
    log: PathBuf,
    /// What it is a log of, if that is no bundled world: a world file (.toml), a bundle (.lcdb), a
    /// module's file or name. It must be the same, to the byte.
    world: Option<String>,
    /// Write the log of the replay to this file.
    #[arg(long = "log", value_name = "FILE")]
    to: Option<PathBuf>,
    /// Give up after so long: 10s, 500ms, 2m [default: the world's own limit].
    #[arg(long, value_name = "T", value_parser = duration)]
    timeout: Option<Duration>,
}

/// The JSON result.
#[derive(Serialize)]
struct Results<'a> {
    schema: &'static str,
    world: &'a str,
    /// Digest of the world and its modules.
    inputs: String,
    /// What the log is of.
    backend: &'a str,
    schedule: String,
    /// Whether the log goes to the end of its run.
    whole: bool,
    /// The line in the middle of which it ends, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    torn: Option<usize>,
    /// Events that were logged, and that the replay came to.
    events: usize,
    replayed: usize,
    verdict: &'a Verdict,
}

pub(super) fn main(
    arguments: &Arguments,
    modules: &Modules,
    output: &Output,
) -> anyhow::Result<Code> {
    let path = arguments.log.display();
    let bytes = fs::read(&arguments.log).with_context(|| path.to_string())?;
    let Recovered { log, torn } = Log::recover(&bytes).with_context(|| path.to_string())?;
    let bundle = match &arguments.world {
        Some(world) => named(world, &log, modules)?,
        None => bundled(&log)?,
    };
    let Replay { run, verdict } = {
        let _spinner = Spinner::new(&format!("{} again in the simulator", log.header.world));
        lcd::replay_and_compare(&bundle, &log, arguments.timeout)?
    };
    if let Some(path) = &arguments.to {
        fs::write(path, run.log.to_json_lines())
            .with_context(|| format!("cannot write the log to {}", path.display()))?;
    }
    let header = &log.header;
    if output.is_json() {
        output.json(&Results {
            schema: "lcd-replay/1",
            world: &header.world,
            inputs: header.inputs.to_string(),
            backend: &header.backend,
            schedule: header.schedule.to_string(),
            whole: log.is_whole(),
            torn,
            events: log.events.len(),
            replayed: run.log.events.len(),
            verdict: &verdict,
        })?;
    } else {
        human(&log, torn, &verdict, output)?;
        let count = run.log.events.len();
        output.note(&format!("replayed: {count} events in {:.3} s", run.elapsed.as_secs_f64()));
    }
    Ok(match verdict {
        Verdict::Diverge(_) => Code::Diverge,
        Verdict::Agree { .. } | Verdict::Poisoned { .. } => Code::Success,
    })
}

/// What somebody named, which must be what the log is of.
fn named(world: &str, log: &Log, modules: &Modules) -> anyhow::Result<Bundle> {
    let bundle = assemble::anything(world, modules)?;
    let (given, inputs) = (bundle.digest(), log.header.inputs);
    if given == inputs {
        return Ok(bundle);
    }
    let recorded = &log.header.world;
    let names = match bundle.world.name == *recorded {
        true => "the world is called the same, so it or a module has changed".to_owned(),
        false => format!("the log is of `{recorded}`, this is `{}`", bundle.world.name),
    };
    bail!(
        "this log was recorded with other inputs than {world}: {names} (the log's inputs are \
         {inputs}, these are {given}). `lcd run --bundle FILE` keeps a world and its modules as they \
         were"
    )
}

/// The bundled world that the log is of.
fn bundled(log: &Log) -> anyhow::Result<Bundle> {
    let (name, inputs) = (&log.header.world, log.header.inputs);
    if let Some(bundle) = assemble::with_inputs(inputs) {
        return Ok(bundle);
    }
    let also = match WORLDS.iter().any(|world| world.name == *name) {
        true => {
            "the bundled world of that name has others: it is of another version of lcd, or only \
                 called the same"
        }
        false => "it is no bundled world",
    };
    bail!(
        "this log is of `{name}` with the inputs {inputs}, and {also}: name the world's file, its \
         module or its bundle (`lcd run --bundle FILE`) after the log"
    )
}

fn human(log: &Log, torn: Option<usize>, verdict: &Verdict, output: &Output) -> anyhow::Result<()> {
    let header = &log.header;
    output
        .print(&format!("{}, recorded by {}, {}", header.world, header.backend, header.schedule))?;
    if !log.is_whole() {
        let where_to = match torn {
            Some(line) => format!("in the middle of line {line}"),
            None => "before the end of its run".to_owned(),
        };
        let count = log.events.len();
        let text = format!(
            "the log ends {where_to}: its {count} events are held against the replay's first"
        );
        output.print(&output.paint(Tone::Warn, &text))?;
    }
    match verdict {
        Verdict::Agree { compared } => {
            output.print(&output.paint(Tone::Good, &format!("agree: all {compared} events")))
        }
        Verdict::Poisoned { compared, why } => output.print(
            &output.paint(Tone::Warn, &format!("poisoned: {compared} events agree, then: {why}")),
        ),
        Verdict::Diverge(divergence) => {
            let fields = divergence.fields.join("; ");
            let text = format!("diverge: event {}: {fields}", divergence.index);
            output.print(&output.paint(Tone::Bad, &text))?;
            context(divergence, Sides { left: "logged", right: "replayed" }, output)
        }
    }
}
