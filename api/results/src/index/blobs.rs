//! Which blobs are named, and how often.

use rusqlite::{Connection, Result, params};

use super::rows::int;
use crate::record::BlobRef;

/// One thing more names the blob.
pub(super) fn name(connection: &Connection, blob: &BlobRef) -> Result<()> {
    let new = connection
        .prepare_cached("INSERT INTO blobs VALUES (?, ?, 1) ON CONFLICT DO NOTHING")?
        .execute(params![blob.hash, int(blob.stored)])?;
    if new == 1 {
        return grow(connection, int(blob.stored));
    }
    connection
        .prepare_cached("UPDATE blobs SET names = names + 1 WHERE hash = ?")?
        .execute([&blob.hash])
        .map(drop)
}

/// One thing less names the blob; it joins `unnamed` if that was the last.
pub(super) fn unname(connection: &Connection, hash: &str, unnamed: &mut Vec<String>) -> Result<()> {
    let (names, stored): (i64, i64) = connection
        .prepare_cached(
            "UPDATE blobs SET names = names - 1 WHERE hash = ? RETURNING names, stored",
        )?
        .query_row([hash], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if names > 0 {
        return Ok(());
    }
    connection.prepare_cached("DELETE FROM blobs WHERE hash = ?")?.execute([hash])?;
    unnamed.push(hash.to_owned());
    grow(connection, -stored)
}

fn grow(connection: &Connection, bytes: i64) -> Result<()> {
    connection
        .prepare_cached("UPDATE numbers SET blob_bytes = blob_bytes + ?")?
        .execute([bytes])
        .map(drop)
}

/// Whether anything names the blob.
pub(crate) fn is_named(connection: &Connection, hash: &str) -> Result<bool> {
    connection.prepare_cached("SELECT 1 FROM blobs WHERE hash = ?")?.exists([hash])
}
