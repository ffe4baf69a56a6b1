//! `lcd call`.

use std::time::Duration;

use lcd::Backend;
use lcd::assemble::Modules;
use lcd::call::{self, CallResult, ResultType};
use lcd::model::exit::End;
use lcd::model::hex;

use super::output::{Output, Tone};
use super::place::{Place, RunPlan};
use super::turns::Turns;
use super::{Code, duration};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// A module's file, or its name in the module path.
    module: String,
    /// The function: an export, or any other function of the module.
    symbol: String,
    /// Integers, or buffers passed by address: str:TEXT, hex:BYTES, file:PATH, and buf:SIZE for
    /// output.
    #[arg(allow_negative_numbers = true)]
    arguments: Vec<String>,
    /// The C type of the result, u8 to u64 or i8 to i64: what a narrower one leaves in the rest
    /// of rax means nothing.
    #[arg(long, value_name = "TYPE", default_value = "u64")]
    returns: ResultType,
    /// Where it runs [default: native if possible, else sim].
    #[arg(long)]
    backend: Option<Backend>,
    /// Give up after so long.
    #[arg(long, value_name = "T", value_parser = duration)]
    timeout: Option<Duration>,
}

pub(super) fn main(
    arguments: &Arguments,
    modules: &Modules,
    place: &Place<'_>,
    output: &Output,
) -> anyhow::Result<Code> {
    let parsed = arguments.arguments.iter().map(|text| call::argument(text));
    let parsed = parsed.collect::<Result<Vec<_>, _>>()?;
    let bundle = call::bundle(&arguments.module, &arguments.symbol, parsed, modules)?;
    let backend = place.backend(arguments.backend, output)?;
    let plan = RunPlan { backend, timeout: arguments.timeout, turns: &Turns::default() };
    let ran = place.run(&bundle, &plan, &arguments.symbol)?;
    let result = call::result(&bundle, &ran.run.log, arguments.returns);
    if output.is_json() {
        output.json(&result)?;
    } else {
        human(&result, arguments.returns, output)?;
    }
    Ok(if result.returned.is_some() { Code::Success } else { Code::Failure })
}

fn human(result: &CallResult, kind: ResultType, output: &Output) -> anyhow::Result<()> {
    if !result.console.is_empty() {
        output.print(result.console.trim_end_matches('\n'))?;
    }
    match (result.returned, &result.parsed) {
        (Some(value), _) => {
            let decimal = match kind.is_signed() {
                true => value.cast_signed().to_string(),
                false => value.to_string(),
            };
            output.print(&format!("{value:#x} ({decimal})"))?;
        }
        (None, Some(End::Exit(exited))) => {
            let text = format!("the call was not made: init returned {}", exited.value);
            output.print(&output.paint(Tone::Bad, &text))?;
        }
        (None, Some(end)) => output.print(&output.paint(Tone::Bad, &end.to_string()))?,
        (None, None) => output.print(&output.paint(Tone::Bad, "the call did not end"))?,
    }
    for buffer in &result.buffers {
        output.print(&format!("argument {}:", buffer.arg))?;
        output.print(&dump(&hex::decode(&buffer.hex).unwrap_or_default()))?;
    }
    Ok(())
}

/// Sixteen bytes a line: offset, hexadecimal, text.
fn dump(bytes: &[u8]) -> String {
    let row = |(i, row): (usize, &[u8])| {
        let digits: Vec<_> = row.iter().map(|byte| format!("{byte:02x}")).collect();
        let printable = |&byte: &u8| if (0x20..0x7f).contains(&byte) { byte as char } else { '.' };
        let text: String = row.iter().map(printable).collect();
        format!("  {:04x}  {:<47}  {text}", i * 16, digits.join(" "))
    };
    bytes.chunks(16).enumerate().map(row).collect::<Vec<_>>().join("\n")
}
