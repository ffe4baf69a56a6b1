//! Runs and their logs in the index.

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension, Result, Row, params, params_from_iter};
use serde::Deserialize;

use super::rows::{int, optional_uint, optional_value, uint, value, word};
use super::{Failure, blobs, divergences, statistics};
use crate::log::LogFile;
use crate::page::Page;
use crate::record::{Json, LogSealed, RunCreated, RunFinished};
use crate::run::{Run, RunFilter, RunKind, RunState, RunSummary};
use crate::signature::Signature;
use crate::view::{BackendTime, HistoryEntry};

/// What lists show.
const SUMMARY: &str = "runs.id, campaign, restarted_from, kind, world, world_id, state, outcome,
    reason, created_at, started_at, finished_at, event, field, left_side, right_side";
const FROM: &str = "FROM runs LEFT JOIN signatures ON signatures.id = runs.signature";

/// What deciding about a run needs to know of it.
pub(crate) struct Status {
    pub(crate) state: RunState,
    pub(crate) campaign: Option<u64>,
    world: String,
    outcome: Option<String>,
    signature: Option<String>,
}

pub(crate) fn status(connection: &Connection, id: u64) -> Result<Option<Status>> {
    connection
        .prepare_cached("SELECT state, campaign, world, outcome, signature FROM runs WHERE id = ?")?
        .query_row([int(id)], |row| {
            Ok(Status {
                state: word(row, 0, RunState::from_name)?,
                campaign: optional_uint(row, 1)?,
                world: row.get(2)?,
                outcome: row.get(3)?,
                signature: row.get(4)?,
            })
        })
        .optional()
}

/// The status of a run that a line is about.
fn expect(connection: &Connection, id: u64) -> std::result::Result<Status, Failure> {
    status(connection, id)?.ok_or_else(|| Failure::Missing(format!("run {id}")))
}

pub(super) fn insert(connection: &Connection, at: i64, run: &RunCreated) -> Result<()> {
    statistics::count(connection, run.campaign, RunState::Queued, None, 1)?;
    connection
        .prepare_cached(
            "INSERT INTO runs (id, campaign, restarted_from, kind, world, world_id, state,
                created_at, request) VALUES (?, ?, ?, ?, ?, ?, 'queued', ?, ?)",
        )?
        .execute(params![
            int(run.run),
            run.campaign.map(int),
            run.restarted_from.map(int),
            run.kind.as_str(),
            run.world,
            run.world_id,
            at,
            run.request.get()
        ])
        .map(drop)
}

/// The part of a machine's description that histories show.
#[derive(Deserialize)]
struct HostClass {
    class: Option<String>,
}

pub(super) fn start(
    connection: &Connection,
    at: i64,
    id: u64,
    host: &Json,
) -> std::result::Result<(), Failure> {
    let before = expect(connection, id)?;
    move_to(connection, &before, RunState::Running, None)?;
    let class = serde_json::from_str::<HostClass>(host.get()).ok().and_then(|host| host.class);
    connection
        .prepare_cached(
            "UPDATE runs SET state = 'running', started_at = ?, host_class = ?, host = ?
            WHERE id = ?",
        )?
        .execute(params![at, class, host.get(), int(id)])?;
    Ok(())
}

pub(super) fn finish(
    connection: &Connection,
    at: i64,
    run: &RunFinished,
) -> std::result::Result<(), Failure> {
    let before = expect(connection, run.run)?;
    move_to(connection, &before, run.state, run.outcome.as_deref())?;
    let signature = run
        .signature
        .as_ref()
        .map(|signature| divergences::add(connection, signature, run.run, &before.world, at))
        .transpose()?;
    for log in &run.logs {
        insert_log(connection, run.run, log)?;
    }
    connection
        .prepare_cached(
            "UPDATE runs SET state = ?, outcome = ?, reason = ?, signature = ?, finished_at = ?,
                result = ? WHERE id = ?",
        )?
        .execute(params![
            run.state.as_str(),
            run.outcome,
            run.reason,
            signature,
            at,
            run.result.get(),
            int(run.run)
        ])?;
    Ok(())
}

fn insert_log(connection: &Connection, run: u64, log: &LogSealed) -> Result<()> {
    blobs::name(connection, &log.blob)?;
    connection
        .prepare_cached("INSERT INTO logs VALUES (?, ?, ?, ?, ?, ?, ?, ?)")?
        .execute(params![
            int(run),
            log.backend,
            log.blob.hash,
            int(log.blob.bytes),
            int(log.events),
            log.seconds,
            log.instructions.map(int),
            log.complete
        ])
        .map(drop)
}

/// Counts the run where it is now instead of where it was.
fn move_to(
    connection: &Connection,
    before: &Status,
    state: RunState,
    outcome: Option<&str>,
) -> Result<()> {
    let Status { campaign, outcome: was, .. } = before;
    statistics::count(connection, *campaign, before.state, was.as_deref(), -1)?;
    statistics::count(connection, *campaign, state, outcome, 1)
}

pub(super) fn delete(
    connection: &Connection,
    id: u64,
    unnamed: &mut Vec<String>,
) -> std::result::Result<(), Failure> {
    let run = expect(connection, id)?;
    statistics::count(connection, run.campaign, run.state, run.outcome.as_deref(), -1)?;
    let blobs: Vec<String> = connection
        .prepare_cached("DELETE FROM logs WHERE run = ? RETURNING blob")?
        .query_map([int(id)], |row| row.get(0))?
        .collect::<Result<_>>()?;
    for blob in blobs {
        blobs::unname(connection, &blob, unnamed)?;
    }
    connection.prepare_cached("DELETE FROM runs WHERE id = ?")?.execute([int(id)])?;
    if let Some(signature) = run.signature {
        divergences::remove(connection, &signature, &run.world)?;
    }
    Ok(())
}

pub(crate) fn get(connection: &Connection, id: u64) -> Result<Option<Run>> {
    let run = connection
        .prepare_cached(&format!(
            "SELECT {SUMMARY}, request, host, result {FROM} WHERE runs.id = ?"
        ))?
        .query_row([int(id)], |row| {
            Ok(Run {
                summary: summary_from_row(row)?,
                request: value(row, 16)?,
                host: optional_value(row, 17)?,
                result: optional_value(row, 18)?,
                logs: Vec::new(),
            })
        })
        .optional()?;
    run.map(|run| Ok(Run { logs: logs(connection, id)?, ..run })).transpose()
}

pub(crate) fn summary(connection: &Connection, id: u64) -> Result<Option<RunSummary>> {
    connection
        .prepare_cached(&format!("SELECT {SUMMARY} {FROM} WHERE runs.id = ?"))?
        .query_row([int(id)], summary_from_row)
        .optional()
}

pub(crate) fn list(
    connection: &Connection,
    filter: &RunFilter,
    page: Page,
) -> Result<Vec<RunSummary>> {
    let text = |text: &str| Sql::Text(text.to_owned());
    // Only the conditions that there are, so that each statement finds its own way.
    let conditions = [
        ("state", filter.state.map(|state| text(state.as_str()))),
        ("outcome", filter.outcome.as_deref().map(text)),
        ("world", filter.world.as_deref().map(text)),
        ("kind", filter.kind.map(|kind| text(kind.as_str()))),
        ("campaign", filter.campaign.map(|campaign| Sql::Integer(int(campaign)))),
        ("signature", filter.signature.as_deref().map(text)),
    ];
    let mut sql = format!("SELECT {SUMMARY} {FROM} WHERE runs.id < ?");
    let mut values = vec![Sql::Integer(page.below())];
    for (column, value) in conditions {
        if let Some(value) = value {
            sql.push_str(&format!(" AND {column} = ?"));
            values.push(value);
        }
    }
    sql.push_str(" ORDER BY runs.id DESC LIMIT ?");
    values.push(Sql::Integer(page.limit()));
    connection
        .prepare_cached(&sql)?
        .query_map(params_from_iter(values), summary_from_row)?
        .collect()
}

/// The newest finished comparison of each world, newest first.
pub(crate) fn verdicts(connection: &Connection, page: Page) -> Result<Vec<RunSummary>> {
    connection
        .prepare_cached(&format!(
            "SELECT {SUMMARY} {FROM} WHERE runs.id IN (SELECT max(id) FROM runs
                WHERE state = 'finished' AND kind = 'comparison' GROUP BY world)
            AND runs.id < ? ORDER BY runs.id DESC LIMIT ?"
        ))?
        .query_map(params![page.below(), page.limit()], summary_from_row)?
        .collect()
}

/// The numbers of all runs in this state, the oldest first.
pub(crate) fn in_state(connection: &Connection, state: RunState) -> Result<Vec<u64>> {
    connection
        .prepare_cached("SELECT id FROM runs WHERE state = ? ORDER BY id")?
        .query_map([state.as_str()], |row| uint(row, 0))?
        .collect()
}

/// A run of the campaign that is queued or running, if there is one.
pub(crate) fn going_on(connection: &Connection, campaign: u64) -> Result<Option<u64>> {
    connection
        .prepare_cached(
            "SELECT id FROM runs WHERE campaign = ? AND state IN ('queued', 'running') LIMIT 1",
        )?
        .query_row([int(campaign)], |row| uint(row, 0))
        .optional()
}

fn summary_from_row(row: &Row<'_>) -> Result<RunSummary> {
    let signature = match row.get::<_, Option<String>>(12)? {
        None => None,
        Some(event) => {
            Some(Signature { event, field: row.get(13)?, left: row.get(14)?, right: row.get(15)? })
        }
    };
    Ok(RunSummary {
        id: uint(row, 0)?,
        campaign: optional_uint(row, 1)?,
        restarted_from: optional_uint(row, 2)?,
        kind: word(row, 3, RunKind::from_name)?,
        world: row.get(4)?,
        world_id: row.get(5)?,
        state: word(row, 6, RunState::from_name)?,
        outcome: row.get(7)?,
        reason: row.get(8)?,
        created_at: row.get(9)?,
        started_at: row.get(10)?,
        finished_at: row.get(11)?,
        signature,
    })
}

fn logs(connection: &Connection, run: u64) -> Result<Vec<LogFile>> {
    connection
        .prepare_cached(
            "SELECT backend, blob, bytes, events, seconds, instructions, complete FROM logs
            WHERE run = ? ORDER BY backend",
        )?
        .query_map([int(run)], log_from_row)?
        .collect()
}

pub(crate) fn log(connection: &Connection, run: u64, backend: &str) -> Result<Option<LogFile>> {
    connection
        .prepare_cached(
            "SELECT backend, blob, bytes, events, seconds, instructions, complete FROM logs
            WHERE run = ? AND backend = ?",
        )?
        .query_row(params![int(run), backend], log_from_row)
        .optional()
}

fn log_from_row(row: &Row<'_>) -> Result<LogFile> {
    Ok(LogFile {
        backend: row.get(0)?,
        blob: row.get(1)?,
        bytes: uint(row, 2)?,
        events: uint(row, 3)?,
        seconds: row.get(4)?,
        instructions: optional_uint(row, 5)?,
        complete: row.get(6)?,
    })
}

/// The last finished runs of a world, the oldest first.
pub(crate) fn history(
    connection: &Connection,
    world: &str,
    limit: usize,
) -> Result<Vec<HistoryEntry>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, finished_at, outcome, host_class, backend, seconds, instructions
        FROM (SELECT id, finished_at, outcome, host_class FROM runs
            WHERE world = ? AND state = 'finished' ORDER BY finished_at DESC, id DESC LIMIT ?)
        LEFT JOIN logs ON run = id ORDER BY finished_at, id, backend",
    )?;
    let mut rows = statement.query(params![world, Page::first(limit).limit()])?;
    let mut entries: Vec<HistoryEntry> = Vec::new();
    // A row for each log, or one for a run without any.
    while let Some(row) = rows.next()? {
        let run = uint(row, 0)?;
        if entries.last().is_none_or(|last| last.run != run) {
            entries.push(HistoryEntry {
                run,
                at: row.get(1)?,
                outcome: row.get(2)?,
                host_class: row.get(3)?,
                backends: Vec::new(),
            });
        }
        if let (Some(entry), Some(backend)) = (entries.last_mut(), row.get(4)?) {
            entry.backends.push(BackendTime {
                backend,
                seconds: row.get(5)?,
                instructions: optional_uint(row, 6)?,
            });
        }
    }
    Ok(entries)
}
