//! Divergences in the index: signatures, and the runs that have them.

use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use super::rows::{int, uint};
use crate::page::Page;
use crate::signature::Signature;
use crate::view::Divergence;

const COLUMNS: &str =
    "id, event, field, left_side, right_side, count, first_seen, last_seen, newest_run";

/// A run that is over has this signature.
pub(super) fn add(
    connection: &Connection,
    signature: &Signature,
    run: u64,
    world: &str,
    at: i64,
) -> Result<String> {
    let id = signature.id();
    connection
        .prepare_cached(
            "INSERT INTO signatures VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?6, ?7)
            ON CONFLICT DO UPDATE SET count = count + 1, first_seen = min(first_seen, ?6),
                last_seen = max(last_seen, ?6), newest_run = max(newest_run, ?7)",
        )?
        .execute(params![
            id,
            signature.event,
            signature.field,
            signature.left,
            signature.right,
            at,
            int(run)
        ])?;
    connection
        .prepare_cached(
            "INSERT INTO signature_worlds VALUES (?, ?, 1)
            ON CONFLICT DO UPDATE SET count = count + 1",
        )?
        .execute([&id, world])?;
    Ok(id)
}

/// A run with this signature is gone, also from the table of runs.
pub(super) fn remove(connection: &Connection, id: &str, world: &str) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE signature_worlds SET count = count - 1 WHERE signature = ? AND world = ?",
        )?
        .execute([id, world])?;
    connection
        .prepare_cached(
            "DELETE FROM signature_worlds WHERE signature = ? AND world = ? AND count = 0",
        )?
        .execute([id, world])?;
    let gone = connection
        .prepare_cached("DELETE FROM signatures WHERE id = ? AND count = 1")?
        .execute([id])?;
    if gone == 1 {
        return Ok(());
    }
    connection
        .prepare_cached(
            "UPDATE signatures SET count = count - 1,
                first_seen = (SELECT min(finished_at) FROM runs WHERE signature = ?1),
                last_seen = (SELECT max(finished_at) FROM runs WHERE signature = ?1),
                newest_run = (SELECT max(id) FROM runs WHERE signature = ?1)
            WHERE id = ?1",
        )?
        .execute([id])
        .map(drop)
}

pub(crate) fn get(connection: &Connection, id: &str) -> Result<Option<Divergence>> {
    let found = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM signatures WHERE id = ?"))?
        .query_row([id], from_row)
        .optional()?;
    found.map(|divergence| with_worlds(connection, divergence)).transpose()
}

pub(crate) fn list(connection: &Connection, page: Page) -> Result<Vec<Divergence>> {
    let found: Vec<Divergence> = connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM signatures WHERE newest_run < ?
            ORDER BY newest_run DESC LIMIT ?"
        ))?
        .query_map([page.below(), page.limit()], from_row)?
        .collect::<Result<_>>()?;
    found.into_iter().map(|divergence| with_worlds(connection, divergence)).collect()
}

fn with_worlds(connection: &Connection, divergence: Divergence) -> Result<Divergence> {
    let worlds = connection
        .prepare_cached(
            "SELECT world FROM signature_worlds WHERE signature = ? ORDER BY world LIMIT ?",
        )?
        .query_map(params![divergence.id, int(Divergence::WORLDS_MAX as u64)], |row| row.get(0))?
        .collect::<Result<_>>()?;
    let world_count = connection
        .prepare_cached("SELECT count(*) FROM signature_worlds WHERE signature = ?")?
        .query_row([&divergence.id], |row| uint(row, 0))?;
    Ok(Divergence { worlds, world_count, ..divergence })
}

fn from_row(row: &Row<'_>) -> Result<Divergence> {
    Ok(Divergence {
        id: row.get(0)?,
        signature: Signature {
            event: row.get(1)?,
            field: row.get(2)?,
            left: row.get(3)?,
            right: row.get(4)?,
        },
        count: uint(row, 5)?,
        first_seen: row.get(6)?,
        last_seen: row.get(7)?,
        newest_run: uint(row, 8)?,
        worlds: Vec::new(),
        world_count: 0,
    })
}
