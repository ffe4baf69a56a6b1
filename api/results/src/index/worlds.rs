//! Worlds in the index.

use rusqlite::{Connection, OptionalExtension, Params, Result, Row, params};

use super::rows::{int, uint, value};
use super::{Failure, blobs};
use crate::page::Page;
use crate::record::WorldAdded;
use crate::world::World;

const COLUMNS: &str = "sequence, id, name, domains, size, uploaded_at, about, source";

pub(super) fn insert(connection: &Connection, seq: u64, at: i64, world: &WorldAdded) -> Result<()> {
    blobs::name(connection, &world.blob)?;
    connection
        .prepare_cached("INSERT INTO worlds VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")?
        .execute(params![
            int(seq),
            world.id,
            world.name,
            world.domains,
            int(world.blob.bytes),
            world.blob.hash,
            at,
            world.about.get(),
            world.source
        ])
        .map(drop)
}

pub(super) fn delete(
    connection: &Connection,
    id: &str,
    unnamed: &mut Vec<String>,
) -> std::result::Result<(), Failure> {
    let blob: Option<String> = connection
        .prepare_cached("DELETE FROM worlds WHERE id = ? RETURNING blob")?
        .query_row([id], |row| row.get(0))
        .optional()?;
    match blob {
        None => Err(Failure::Missing(format!("world {id}"))),
        Some(blob) => Ok(blobs::unname(connection, &blob, unnamed)?),
    }
}

pub(crate) fn get(connection: &Connection, id: &str) -> Result<Option<World>> {
    one(connection, "WHERE id = ?", [id])
}

pub(crate) fn named(connection: &Connection, name: &str) -> Result<Option<World>> {
    one(connection, "WHERE name = ? ORDER BY sequence DESC LIMIT 1", [name])
}

pub(crate) fn list(connection: &Connection, page: Page) -> Result<Vec<World>> {
    let sql =
        format!("SELECT {COLUMNS} FROM worlds WHERE sequence < ? ORDER BY sequence DESC LIMIT ?");
    connection.prepare_cached(&sql)?.query_map([page.below(), page.limit()], from_row)?.collect()
}

/// The line that added the world.
pub(crate) fn sequence(connection: &Connection, id: &str) -> Result<Option<u64>> {
    connection
        .prepare_cached("SELECT sequence FROM worlds WHERE id = ?")?
        .query_row([id], |row| uint(row, 0))
        .optional()
}

/// Hash and size of the world's bundle.
pub(crate) fn bundle(connection: &Connection, id: &str) -> Result<Option<(String, u64)>> {
    connection
        .prepare_cached("SELECT blob, size FROM worlds WHERE id = ?")?
        .query_row([id], |row| Ok((row.get(0)?, uint(row, 1)?)))
        .optional()
}

/// A run of the world that is queued or running, if there is one.
pub(crate) fn user(connection: &Connection, id: &str) -> Result<Option<u64>> {
    connection
        .prepare_cached(
            "SELECT id FROM runs WHERE world_id = ? AND state IN ('queued', 'running') LIMIT 1",
        )?
        .query_row([id], |row| uint(row, 0))
        .optional()
}

fn one(connection: &Connection, which: &str, params: impl Params) -> Result<Option<World>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM worlds {which}"))?
        .query_row(params, from_row)
        .optional()
}

fn from_row(row: &Row<'_>) -> Result<World> {
    Ok(World {
        sequence: uint(row, 0)?,
        id: row.get(1)?,
        name: row.get(2)?,
        domains: row.get(3)?,
        size: uint(row, 4)?,
        uploaded_at: row.get(5)?,
        about: value(row, 6)?,
        source: row.get(7)?,
    })
}
