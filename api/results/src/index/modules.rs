//! Modules in the index.

use rusqlite::{Connection, OptionalExtension, Params, Result, Row, params};

use super::rows::{int, uint, value};
use super::{Failure, blobs};
use crate::module::Module;
use crate::page::Page;
use crate::record::ModuleAdded;

const COLUMNS: &str = "sequence, id, name, size, uploaded_at, about";

pub(super) fn insert(
    connection: &Connection,
    seq: u64,
    at: i64,
    module: &ModuleAdded,
) -> Result<()> {
    blobs::name(connection, &module.blob)?;
    connection
        .prepare_cached("INSERT INTO modules VALUES (?, ?, ?, ?, ?, ?)")?
        .execute(params![
            int(seq),
            module.blob.hash,
            module.name,
            int(module.blob.bytes),
            at,
            module.about.get()
        ])
        .map(drop)
}

pub(super) fn delete(
    connection: &Connection,
    id: &str,
    unnamed: &mut Vec<String>,
) -> std::result::Result<(), Failure> {
    let gone = connection.prepare_cached("DELETE FROM modules WHERE id = ?")?.execute([id])?;
    if gone == 0 {
        return Err(Failure::Missing(format!("module {id}")));
    }
    Ok(blobs::unname(connection, id, unnamed)?)
}

pub(crate) fn get(connection: &Connection, id: &str) -> Result<Option<Module>> {
    one(connection, "WHERE id = ?", [id])
}

pub(crate) fn named(connection: &Connection, name: &str) -> Result<Option<Module>> {
    one(connection, "WHERE name = ? ORDER BY sequence DESC LIMIT 1", [name])
}

pub(crate) fn list(connection: &Connection, page: Page) -> Result<Vec<Module>> {
    let sql =
        format!("SELECT {COLUMNS} FROM modules WHERE sequence < ? ORDER BY sequence DESC LIMIT ?");
    connection.prepare_cached(&sql)?.query_map([page.below(), page.limit()], from_row)?.collect()
}

/// The line that added the module.
pub(crate) fn sequence(connection: &Connection, id: &str) -> Result<Option<u64>> {
    connection
        .prepare_cached("SELECT sequence FROM modules WHERE id = ?")?
        .query_row([id], |row| uint(row, 0))
        .optional()
}

fn one(connection: &Connection, which: &str, params: impl Params) -> Result<Option<Module>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM modules {which}"))?
        .query_row(params, from_row)
        .optional()
}

fn from_row(row: &Row<'_>) -> Result<Module> {
    Ok(Module {
        sequence: uint(row, 0)?,
        id: row.get(1)?,
        name: row.get(2)?,
        size: uint(row, 3)?,
        uploaded_at: row.get(4)?,
        about: value(row, 5)?,
    })
}
