//! The numbers that the store counts with.

use rusqlite::Connection;

use super::rows::{int, uint};

/// The numbers that the store counts with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// The last line applied.
    pub(crate) applied: u64,
    /// The highest number of a run so far.
    pub(crate) runs: u64,
    /// The highest number of a campaign so far.
    pub(crate) campaigns: u64,
}

impl Numbers {
    /// As the index has them.
    pub(crate) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        connection.prepare_cached("SELECT applied, runs, campaigns FROM numbers")?.query_row(
            [],
            |row| {
                Ok(Self { applied: uint(row, 0)?, runs: uint(row, 1)?, campaigns: uint(row, 2)? })
            },
        )
    }

    /// Gives them to the index.
    pub(crate) fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached("UPDATE numbers SET applied = ?, runs = ?, campaigns = ?")?
            .execute([int(self.applied), int(self.runs), int(self.campaigns)])
            .map(drop)
    }
}
