//! Messages through shared pages, without the microkernel.

use lcd::Backend;
use lcd::model::world::Argument;
use serde::Serialize;

use super::cost::{Cost, Mode, bundled, cost};
use super::{Table, shown};

/// The channel's size: `1 << ORDER` pages.
const ORDER: u64 = 4;
/// Slots of each of its two rings, 64 bytes each.
const SLOTS: u64 = (4096 << ORDER) / 64 / 2;

#[derive(Serialize)]
pub(super) struct Results {
    messages: u64,
    slots: u64,
    costs: Vec<Measured>,
}

#[derive(Serialize)]
struct Measured {
    /// What an end does that cannot go on.
    waiting: &'static str,
    backend: String,
    #[serde(flatten)]
    cost: Cost,
    messages_per_second: f64,
}

pub(super) fn measure(messages: u64, backends: &[Backend]) -> anyhow::Result<Results> {
    let mut costs = Vec::new();
    for &backend in backends {
        costs.push(one("yields", Mode::Sequential(backend), backend, messages)?);
    }
    // Without a processor for each, both ends would spin for ever.
    if backends.contains(&Backend::Native) {
        costs.push(one("polls, in parallel", Mode::Parallel, Backend::Native, messages)?);
    }
    Ok(Results { messages, slots: SLOTS, costs })
}

fn one(
    waiting: &'static str,
    mode: Mode,
    backend: Backend,
    messages: u64,
) -> anyhow::Result<Measured> {
    let polls = u64::from(mode == Mode::Parallel);
    let make = |count| {
        let mut bundle = bundled("bench-rings")?;
        bundle.world.channels[0].order = ORDER;
        for end in &mut bundle.world.domains {
            end.args = [1 << ORDER, polls, count].map(Argument::Unsigned).to_vec();
        }
        Ok(bundle)
    };
    let what = format!("rings on {backend}");
    let cost = cost(&what, mode, messages, 1, make)?;
    let messages_per_second = 1e6 / cost.microseconds;
    Ok(Measured { waiting, backend: backend.to_string(), cost, messages_per_second })
}

impl Results {
    pub(super) fn table(&self) -> Table {
        let row = |measured: &Measured| {
            let Measured { waiting, backend, cost, messages_per_second } = measured;
            vec![
                (*waiting).to_owned(),
                backend.clone(),
                shown(cost.instructions, 1),
                shown(cost.entries, 4),
                format!("{:.1} ns", cost.microseconds * 1000.0),
                format!("{:.2}", messages_per_second / 1e6),
            ]
        };
        let Self { messages, slots, .. } = self;
        Table {
            title: format!(
                "rings: a message of 64 bytes, from {messages} and {}, {slots} slots",
                messages * 2
            ),
            heads: &["waiting", "backend", "instructions", "entries", "time", "million/s"],
            rows: self.costs.iter().map(row).collect(),
        }
    }
}
