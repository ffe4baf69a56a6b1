//! `lcd bench`: what domains, messages and capabilities cost here.
//!
//! Counts (instructions, entries of the processor) are the same in every run; times are the
//! machine's, and are shown beside something measured in the same run that they can be divided by.

use clap::ValueEnum;
use lcd::Backend;
use native_vmx::HostReport;
use serde::Serialize;

use super::Code;
use super::output::{Output, table};

mod capabilities;
mod compute;
mod cost;
mod messages;
mod rings;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Measure only this, or these: compute,messages [default: everything].
    #[arg(long, value_enum, value_delimiter = ',', value_name = "SECTION")]
    only: Vec<Section>,
    /// Compute: rounds of sieving, checksumming and sorting.
    #[arg(long, value_name = "N", default_value_t = 40)]
    rounds: u64,
    /// Messages: round trips.
    #[arg(long, value_name = "N", default_value_t = 4000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    trips: u64,
    /// Rings: messages.
    #[arg(long, value_name = "N", default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000_000))]
    messages: u64,
    /// Capabilities: operations on each set of them.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    operations: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Section {
    /// The same bytes on every backend.
    Compute,
    /// Calls and signals between two domains.
    Messages,
    /// Messages through shared pages.
    Rings,
    /// Capabilities beside a hash map.
    Capabilities,
}

/// All that was measured, and where.
#[derive(Serialize)]
struct Results {
    host: HostReport,
    /// Why nothing was measured on hardware, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    native_skipped: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compute: Option<compute::Results>,
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<messages::Results>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rings: Option<rings::Results>,
    #[serde(skip_serializing_if = "Option::is_none")]
    capabilities: Option<capabilities::Results>,
}

pub(super) fn main(arguments: &Arguments, output: &Output) -> anyhow::Result<Code> {
    let wanted = |section| arguments.only.is_empty() || arguments.only.contains(&section);
    // The simulator goes first: it counts the instructions.
    let mut backends = vec![Backend::Sim];
    let native_skipped = match lcd::available(Backend::Native) {
        Ok(()) => {
            backends.push(Backend::Native);
            None
        }
        Err(reason) => Some(reason.to_string()),
    };
    let mut results = Results {
        host: native_vmx::probe(),
        native_skipped,
        compute: None,
        messages: None,
        rings: None,
        capabilities: None,
    };
    if let Some(reason) = &results.native_skipped {
        output.note(&format!("native skipped: {reason}"));
    }
    if wanted(Section::Compute) {
        results.compute = Some(compute::measure(arguments.rounds, &backends)?);
    }
    if wanted(Section::Messages) {
        results.messages = Some(messages::measure(arguments.trips, &backends)?);
    }
    if wanted(Section::Rings) {
        results.rings = Some(rings::measure(arguments.messages, &backends)?);
    }
    if wanted(Section::Capabilities) {
        results.capabilities = Some(capabilities::measure(arguments.operations));
    }
    if output.is_json() {
        output.json(&results)?;
    } else {
        human(&results, output)?;
    }
    let same = results.compute.as_ref().is_none_or(compute::Results::is_same);
    Ok(if same { Code::Success } else { Code::Diverge })
}

fn human(results: &Results, output: &Output) -> anyhow::Result<()> {
    let host = &results.host;
    output.print(&format!("host: {}, {}", host.class, host.processor_model))?;
    let sections = [
        results.compute.as_ref().map(compute::Results::table),
        results.messages.as_ref().map(messages::Results::table),
        results.rings.as_ref().map(rings::Results::table),
        results.capabilities.as_ref().map(capabilities::Results::table),
    ];
    let single = sections.iter().flatten().count() == 1;
    for Table { title, heads, rows } in sections.into_iter().flatten() {
        if !single {
            output.print("")?;
        }
        output.print(&title)?;
        output.print(&table(heads, rows))?;
    }
    Ok(())
}

/// A section for people.
struct Table {
    title: String,
    heads: &'static [&'static str],
    rows: Vec<Vec<String>>,
}

/// What cannot be counted.
const NO_NUMBER: &str = "–";

/// A number, or that there is none.
fn shown(number: Option<f64>, decimals: usize) -> String {
    number.map_or_else(|| NO_NUMBER.to_owned(), |number| format!("{number:.decimals$}"))
}
