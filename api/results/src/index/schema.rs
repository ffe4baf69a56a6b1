//! The tables.

use rusqlite::{Connection, OptionalExtension};

/// Changes whenever the tables do; an index with another one is made anew.
const VERSION: i32 = 1;

const TABLES: &str = "
-- One row: the last line applied, the highest numbers given away, and the size of all blobs.
CREATE TABLE numbers (
    applied INTEGER NOT NULL,
    runs INTEGER NOT NULL,
    campaigns INTEGER NOT NULL,
    blob_bytes INTEGER NOT NULL
);
INSERT INTO numbers VALUES (0, 0, 0, 0);

-- How often modules, worlds and logs name each.
CREATE TABLE blobs (
    hash TEXT PRIMARY KEY,
    stored INTEGER NOT NULL,
    names INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE modules (
    sequence INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    size INTEGER NOT NULL,
    uploaded_at INTEGER NOT NULL,
    about TEXT NOT NULL
);
CREATE INDEX modules_name ON modules (name);

CREATE TABLE worlds (
    sequence INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    domains INTEGER NOT NULL,
    size INTEGER NOT NULL,
    blob TEXT NOT NULL,
    uploaded_at INTEGER NOT NULL,
    about TEXT NOT NULL,
    source TEXT
);
CREATE INDEX worlds_name ON worlds (name);

CREATE TABLE campaigns (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    stopped_at INTEGER,
    request TEXT NOT NULL
);

-- What can be long comes last: lists do not read as far.
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    campaign INTEGER,
    restarted_from INTEGER,
    kind TEXT NOT NULL,
    world TEXT NOT NULL,
    world_id TEXT,
    state TEXT NOT NULL,
    outcome TEXT,
    reason TEXT,
    signature TEXT,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    finished_at INTEGER,
    host_class TEXT,
    request TEXT NOT NULL,
    host TEXT,
    result TEXT
);
-- Each ends in the run's number, so what it finds is in the order of lists.
CREATE INDEX runs_campaign ON runs (campaign) WHERE campaign IS NOT NULL;
CREATE INDEX runs_campaign_state ON runs (campaign, state) WHERE campaign IS NOT NULL;
CREATE INDEX runs_campaign_outcome ON runs (campaign, outcome) WHERE campaign IS NOT NULL;
CREATE INDEX runs_state ON runs (state);
CREATE INDEX runs_outcome ON runs (outcome) WHERE outcome IS NOT NULL;
CREATE INDEX runs_world ON runs (world);
CREATE INDEX runs_world_outcome ON runs (world, outcome) WHERE outcome IS NOT NULL;
CREATE INDEX runs_signature ON runs (signature) WHERE signature IS NOT NULL;
CREATE INDEX runs_seen ON runs (signature, finished_at) WHERE signature IS NOT NULL;
CREATE INDEX runs_history ON runs (world, finished_at) WHERE state = 'finished';
CREATE INDEX runs_of_world ON runs (world_id, state) WHERE world_id IS NOT NULL;

CREATE TABLE logs (
    run INTEGER NOT NULL,
    backend TEXT NOT NULL,
    blob TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    events INTEGER NOT NULL,
    seconds REAL NOT NULL,
    instructions INTEGER,
    complete INTEGER NOT NULL,
    PRIMARY KEY (run, backend)
) WITHOUT ROWID;

-- How many runs there are, by campaign (0: all of them), state and outcome ('': none).
CREATE TABLE tally (
    campaign INTEGER NOT NULL,
    state TEXT NOT NULL,
    outcome TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (campaign, state, outcome)
) WITHOUT ROWID;

CREATE TABLE signatures (
    id TEXT PRIMARY KEY,
    event TEXT NOT NULL,
    field TEXT NOT NULL,
    left_side TEXT NOT NULL,
    right_side TEXT NOT NULL,
    count INTEGER NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    newest_run INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX signatures_newest ON signatures (newest_run);

CREATE TABLE signature_worlds (
    signature TEXT NOT NULL,
    world TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (signature, world)
) WITHOUT ROWID;
";

/// Makes the tables in an empty index.
pub(super) fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {VERSION}; COMMIT;"
    ))
}

/// Whether there is nothing in it yet.
pub(super) fn is_blank(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))
}

/// Why the index cannot be used, if it cannot.
pub(super) fn check(connection: &Connection) -> Result<(), String> {
    let said = |error: rusqlite::Error| error.to_string();
    let version: i32 =
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(said)?;
    if version != VERSION {
        return Err(format!("its tables have version {version}, and {VERSION} is needed"));
    }
    let damage: Option<String> = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .optional()
        .map_err(said)?;
    match damage.as_deref() {
        Some("ok") => Ok(()),
        damage => Err(format!("its check says: {}", damage.unwrap_or("nothing"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What lists look for is found through an index, and in their order.
    #[test]
    fn lists_neither_scan_nor_sort() {
        let connection = Connection::open_in_memory().unwrap();
        create(&connection).unwrap();
        let conditions = [
            "state = ?",
            "outcome = ?",
            "world = ?",
            "campaign = ?",
            "signature = ?",
            "campaign = ? AND state = ?",
            "campaign = ? AND outcome = ?",
            "world = ? AND outcome = ?",
        ];
        let lists = conditions.map(|condition| {
            format!("SELECT id FROM runs WHERE {condition} ORDER BY id DESC LIMIT 9")
        });
        let others = [
            "SELECT id FROM runs WHERE world = ? AND state = 'finished'
                ORDER BY finished_at DESC, id DESC LIMIT 9",
            "SELECT min(finished_at) FROM runs WHERE signature = ?",
            "SELECT max(id) FROM runs WHERE signature = ?",
            "SELECT id FROM runs WHERE world_id = ? AND state IN ('queued', 'running')",
            "SELECT id FROM signatures WHERE newest_run < ? ORDER BY newest_run DESC LIMIT 9",
        ];
        for sql in lists.iter().map(String::as_str).chain(others) {
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let unbound = rusqlite::params_from_iter(vec![0; statement.parameter_count()]);
            let plan: Vec<String> = statement
                .query_map(unbound, |row| row.get(3))
                .unwrap()
                .map(Result::unwrap)
                .collect();
            let plan = plan.join("; ");
            assert!(plan.contains("USING") && !plan.contains("B-TREE"), "{sql}: {plan}");
            assert!(!plan.contains("SCAN"), "{sql}: {plan}");
        }
    }
}
