//! How many runs there are of which kind, counted as they change.

use rusqlite::{Connection, Result, Row, params};

use super::rows::{int, uint, word};
use crate::campaign::Counts;
use crate::run::RunState;

/// The row of the tally that counts all runs.
const ALL: u64 = 0;

/// Counts a run, for itself and for its campaign: 1 when it is in this state with this outcome,
/// -1 when it no longer is.
pub(super) fn count(
    connection: &Connection,
    campaign: Option<u64>,
    state: RunState,
    outcome: Option<&str>,
    by: i64,
) -> Result<()> {
    let mut add = connection.prepare_cached(
        "INSERT INTO tally VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count",
    )?;
    for campaign in [Some(ALL), campaign].into_iter().flatten() {
        add.execute(params![int(campaign), state.as_str(), outcome.unwrap_or_default(), by])?;
    }
    Ok(())
}

/// Forgets a campaign's numbers.
pub(super) fn forget(connection: &Connection, campaign: u64) -> Result<()> {
    connection
        .prepare_cached("DELETE FROM tally WHERE campaign = ?")?
        .execute([int(campaign)])
        .map(drop)
}

/// The numbers of all runs.
pub(crate) fn all_runs(connection: &Connection) -> Result<Counts> {
    runs_of(connection, ALL)
}

/// The numbers of a campaign's runs.
pub(super) fn runs_of(connection: &Connection, campaign: u64) -> Result<Counts> {
    let mut counts = Counts::default();
    let mut statement = connection.prepare_cached(
        "SELECT state, outcome, count FROM tally WHERE campaign = ? AND count > 0",
    )?;
    let mut rows = statement.query([int(campaign)])?;
    while let Some(row) = rows.next()? {
        let state = word(row, 0, RunState::from_name)?;
        let outcome: String = row.get(1)?;
        let count = uint(row, 2)?;
        counts.total += count;
        *counts.states.entry(state).or_default() += count;
        if !outcome.is_empty() {
            *counts.outcomes.entry(outcome).or_default() += count;
        }
    }
    Ok(counts)
}

/// How many modules, worlds, campaigns and divergences there are, and the bytes of all blobs.
pub(crate) struct Totals {
    pub(crate) modules: u64,
    pub(crate) worlds: u64,
    pub(crate) campaigns: u64,
    pub(crate) divergences: u64,
    pub(crate) blob_bytes: u64,
}

pub(crate) fn totals(connection: &Connection) -> Result<Totals> {
    connection
        .prepare_cached(
            "SELECT (SELECT count(*) FROM modules), (SELECT count(*) FROM worlds),
                (SELECT count(*) FROM campaigns), (SELECT count(*) FROM signatures),
                (SELECT blob_bytes FROM numbers)",
        )?
        .query_row([], |row: &Row<'_>| {
            Ok(Totals {
                modules: uint(row, 0)?,
                worlds: uint(row, 1)?,
                campaigns: uint(row, 2)?,
                divergences: uint(row, 3)?,
                blob_bytes: uint(row, 4)?,
            })
        })
}

/// The bytes of all blobs.
pub(crate) fn blob_bytes(connection: &Connection) -> Result<u64> {
    connection.prepare_cached("SELECT blob_bytes FROM numbers")?.query_row([], |row| uint(row, 0))
}
