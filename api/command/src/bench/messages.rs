//! Calls and signals between two domains, beside a hypercall that concerns nobody else.

use lcd::Backend;
use lcd::model::world::Argument;
use serde::Serialize;

use super::cost::{Cost, Mode, bundled, cost};
use super::{Table, shown};

#[derive(Serialize)]
pub(super) struct Results {
    round_trips: u64,
    costs: Vec<Measured>,
}

#[derive(Serialize)]
struct Measured {
    operation: &'static str,
    backend: String,
    #[serde(flatten)]
    cost: Cost,
    /// How many bare hypercalls take as long, in the same run of this command.
    hypercalls: f64,
}

/// What is measured: its name, the world, the client's function. The hypercall comes first.
const OPERATIONS: [(&str, &str, &str); 3] = [
    ("hypercall", "bench-calls", "ask_the_time"),
    ("call and reply", "bench-calls", "call"),
    ("signal and wait, both ways", "bench-signals", "signal"),
];

pub(super) fn measure(round_trips: u64, backends: &[Backend]) -> anyhow::Result<Results> {
    let mut costs = Vec::new();
    for &backend in backends {
        let mut hypercall = None;
        for (operation, world, function) in OPERATIONS {
            let what = format!("{operation} on {backend}");
            let make = |count| {
                let mut bundle = bundled(world)?;
                let client = &mut bundle.world.domains[0];
                client.call = Some(vec![function.to_owned()]);
                client.args = vec![Argument::Unsigned(count)];
                Ok(bundle)
            };
            let cost = cost(&what, Mode::Sequential(backend), round_trips, 0, make)?;
            let bare = *hypercall.get_or_insert(cost.microseconds);
            let (backend, hypercalls) = (backend.to_string(), cost.microseconds / bare);
            costs.push(Measured { operation, backend, cost, hypercalls });
        }
    }
    Ok(Results { round_trips, costs })
}

impl Results {
    pub(super) fn table(&self) -> Table {
        let row = |measured: &Measured| {
            let Measured { operation, backend, cost, hypercalls } = measured;
            vec![
                (*operation).to_owned(),
                backend.clone(),
                shown(cost.instructions, 0),
                shown(cost.entries, 2),
                format!("{:.2} µs", cost.microseconds),
                format!("{hypercalls:.2}"),
            ]
        };
        let trips = self.round_trips;
        Table {
            title: format!("messages: a round trip, from {trips} and {}", trips * 2),
            heads: &["operation", "backend", "instructions", "entries", "time", "hypercalls"],
            rows: self.costs.iter().map(row).collect(),
        }
    }
}
