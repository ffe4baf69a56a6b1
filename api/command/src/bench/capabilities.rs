//! Capabilities beside a hash map that holds the same and keeps no derivations.

use serde::Serialize;

use super::super::output::Spinner;
use super::{Table, shown};

#[path = "../../../../shared-model/benches/capability/measure.rs"]
mod measure;
use measure::{Effort, Row};

/// Medians of so many.
const REPEATS: usize = 5;

#[derive(Serialize)]
pub(super) struct Results {
    operations: u32,
    costs: Vec<Row>,
}

pub(super) fn measure(operations: u32) -> Results {
    let _spinner = Spinner::new("capabilities");
    let mut costs = Vec::new();
    let effort = Effort { repeats: REPEATS, operations };
    measure::all(effort, |row| costs.push(row));
    Results { operations, costs }
}

impl Results {
    pub(super) fn table(&self) -> Table {
        let row = |row: &Row| {
            let value = |value| format!("{value:.1} {}", row.unit);
            vec![
                row.operation.to_owned(),
                row.capabilities.to_string(),
                value(row.each),
                row.hash_map.map_or_else(|| shown(None, 0), value),
                shown(row.ratio(), 2),
            ]
        };
        Table {
            title: format!("capabilities: one of {}", self.operations),
            heads: &["operation", "among", "lcd", "HashMap", "HashMap / lcd"],
            rows: self.costs.iter().map(row).collect(),
        }
    }
}
