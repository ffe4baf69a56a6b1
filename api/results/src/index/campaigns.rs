//! Campaigns in the index.

use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use super::rows::{int, uint, value};
use super::{Failure, runs, statistics};
use crate::campaign::{Campaign, Counts};
use crate::page::Page;
use crate::record::CampaignCreated;

const COLUMNS: &str = "id, name, created_at, stopped_at, request";

pub(super) fn insert(connection: &Connection, at: i64, campaign: &CampaignCreated) -> Result<()> {
    connection
        .prepare_cached("INSERT INTO campaigns VALUES (?, ?, ?, NULL, ?)")?
        .execute(params![int(campaign.campaign), campaign.name, at, campaign.request.get()])?;
    campaign.runs.iter().try_for_each(|run| runs::insert(connection, at, run))
}

pub(super) fn stop(connection: &Connection, at: i64, id: u64) -> std::result::Result<(), Failure> {
    let stopped = connection
        .prepare_cached("UPDATE campaigns SET stopped_at = ? WHERE id = ?")?
        .execute(params![at, int(id)])?;
    if stopped == 0 { Err(missing(id)) } else { Ok(()) }
}

pub(super) fn delete(
    connection: &Connection,
    id: u64,
    unnamed: &mut Vec<String>,
) -> std::result::Result<(), Failure> {
    let ids: Vec<u64> = connection
        .prepare_cached("SELECT id FROM runs WHERE campaign = ?")?
        .query_map([int(id)], |row| uint(row, 0))?
        .collect::<Result<_>>()?;
    for run in ids {
        runs::delete(connection, run, unnamed)?;
    }
    statistics::forget(connection, id)?;
    let gone =
        connection.prepare_cached("DELETE FROM campaigns WHERE id = ?")?.execute([int(id)])?;
    if gone == 0 { Err(missing(id)) } else { Ok(()) }
}

fn missing(id: u64) -> Failure {
    Failure::Missing(format!("campaign {id}"))
}

pub(crate) fn exists(connection: &Connection, id: u64) -> Result<bool> {
    connection.prepare_cached("SELECT 1 FROM campaigns WHERE id = ?")?.exists([int(id)])
}

pub(crate) fn get(connection: &Connection, id: u64) -> Result<Option<Campaign>> {
    let campaign = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM campaigns WHERE id = ?"))?
        .query_row([int(id)], from_row)
        .optional()?;
    campaign.map(|campaign| counted(connection, campaign)).transpose()
}

pub(crate) fn list(connection: &Connection, page: Page) -> Result<Vec<Campaign>> {
    let campaigns: Vec<Campaign> = connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM campaigns WHERE id < ? ORDER BY id DESC LIMIT ?"
        ))?
        .query_map([page.below(), page.limit()], from_row)?
        .collect::<Result<_>>()?;
    campaigns.into_iter().map(|campaign| counted(connection, campaign)).collect()
}

fn counted(connection: &Connection, campaign: Campaign) -> Result<Campaign> {
    Ok(Campaign { runs: statistics::runs_of(connection, campaign.id)?, ..campaign })
}

fn from_row(row: &Row<'_>) -> Result<Campaign> {
    Ok(Campaign {
        id: uint(row, 0)?,
        name: row.get(1)?,
        created_at: row.get(2)?,
        stopped_at: row.get(3)?,
        request: value(row, 4)?,
        runs: Counts::default(),
    })
}
