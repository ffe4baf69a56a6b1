//! What each line of the journal changes in the index.

use rusqlite::Connection;

use super::numbers::Numbers;
use super::{Failure, campaigns, modules, runs, worlds};
use crate::record::{Line, Record, RunCreated, RunFinished};

/// Applies a line. Blobs that nothing names after it join `unnamed`.
///
/// # Errors
///
/// A failure may leave a part of the line applied: the caller has a savepoint to go back to.
pub(crate) fn apply(
    connection: &Connection,
    numbers: &mut Numbers,
    line: &Line,
    unnamed: &mut Vec<String>,
) -> Result<(), Failure> {
    let at = line.at;
    match &line.change {
        Record::ModuleAdded(module) => modules::insert(connection, line.seq, at, module)?,
        Record::ModuleDeleted { id } => modules::delete(connection, id, unnamed)?,
        Record::WorldAdded(world) => worlds::insert(connection, line.seq, at, world)?,
        Record::WorldDeleted { id } => worlds::delete(connection, id, unnamed)?,
        Record::RunCreated(run) => {
            numbers.runs = numbers.runs.max(run.run);
            runs::insert(connection, at, run)?;
        }
        Record::RunStarted { run, host } => runs::start(connection, at, *run, host)?,
        Record::RunFinished(run) => runs::finish(connection, at, run)?,
        Record::RunDeleted { run, .. } => runs::delete(connection, *run, unnamed)?,
        Record::CampaignCreated(campaign) => {
            numbers.campaigns = numbers.campaigns.max(campaign.campaign);
            for run in &campaign.runs {
                numbers.runs = numbers.runs.max(run.run);
            }
            campaigns::insert(connection, at, campaign)?;
        }
        Record::CampaignStopped { campaign } => campaigns::stop(connection, at, *campaign)?,
        Record::CampaignDeleted { campaign } => {
            campaigns::delete(connection, *campaign, unnamed)?;
        }
        Record::Numbers { runs, campaigns } => {
            numbers.runs = numbers.runs.max(*runs);
            numbers.campaigns = numbers.campaigns.max(*campaigns);
        }
    }
    numbers.applied = line.seq;
    Ok(())
}

/// Whether a line still says something: what it is about is there. What lines say about things
/// that are gone can be forgotten.
pub(crate) fn is_live(connection: &Connection, line: &Line) -> rusqlite::Result<bool> {
    let campaign_exists = |campaign| campaigns::exists(connection, campaign);
    Ok(match &line.change {
        // The same bytes may have come, gone, and come again.
        Record::ModuleAdded(module) => {
            modules::sequence(connection, &module.blob.hash)? == Some(line.seq)
        }
        Record::WorldAdded(world) => worlds::sequence(connection, &world.id)? == Some(line.seq),
        Record::RunCreated(RunCreated { run, .. })
        | Record::RunStarted { run, .. }
        | Record::RunFinished(RunFinished { run, .. }) => runs::status(connection, *run)?.is_some(),
        // It takes a run back that the line of its campaign created.
        Record::RunDeleted { campaign: Some(campaign), .. } => campaign_exists(*campaign)?,
        Record::CampaignCreated(created) => campaign_exists(created.campaign)?,
        Record::CampaignStopped { campaign } => campaign_exists(*campaign)?,
        Record::ModuleDeleted { .. }
        | Record::WorldDeleted { .. }
        | Record::RunDeleted { campaign: None, .. }
        | Record::CampaignDeleted { .. }
        | Record::Numbers { .. } => false,
    })
}
