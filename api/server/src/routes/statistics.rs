//! The store in numbers, and what became of a world over time.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::paging;
use super::runs::RunOutcome;
use super::time::rfc3339;
use crate::app::App;
use crate::http::extract::{Path, Query};
use crate::problem::Problem;

/// The store in numbers.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct StatisticsAnswer {
    /// Modules that were uploaded.
    pub modules: u64,
    /// Worlds that were uploaded.
    pub worlds: u64,
    /// Campaigns.
    pub campaigns: u64,
    /// Runs.
    pub runs: u64,
    /// Runs by state.
    pub states: BTreeMap<String, u64>,
    /// Runs by outcome.
    pub outcomes: BTreeMap<String, u64>,
    /// Divergences that look different.
    pub divergences: u64,
    /// Bytes on the disk.
    pub disk: DiskAnswer,
}

/// Bytes on the disk.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(super) struct DiskAnswer {
    /// Modules, worlds and logs, compressed.
    pub blobs: u64,
    /// The journal.
    pub journal: u64,
    /// The index.
    pub index: u64,
}

/// What became of a world over time.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct HistoryAnswer {
    /// The world's name.
    pub world: String,
    /// Its finished runs, the oldest first.
    pub items: Vec<HistoryItem>,
}

/// A finished run of a world.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct HistoryItem {
    /// The run.
    pub run: u64,
    /// When it was over.
    #[schema(format = DateTime)]
    pub at: String,
    /// What came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<RunOutcome>,
    /// The class of the machine: times of different classes cannot be compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_class: Option<String>,
    /// What it took on each backend.
    pub backends: BTreeMap<String, Took>,
}

/// What a run took.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(super) struct Took {
    /// Seconds.
    pub seconds: f64,
    /// Instructions, where they are counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instructions: Option<u64>,
}

/// How far back.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct HistoryQuery {
    /// How many runs, at most 500 [default: 50].
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
}

/// The store in numbers.
#[utoipa::path(get, path = "/api/v1/statistics", tag = "statistics",
    responses((status = 200, description = "That.", body = StatisticsAnswer)))]
pub(super) async fn statistics(State(app): State<App>) -> Result<Json<StatisticsAnswer>, Problem> {
    let found = app.store(|results| results.statistics()).await?;
    let lcd_results::Statistics { modules, worlds, campaigns, runs, divergences, disk, .. } = found;
    let lcd_results::DiskUse { blobs, journal, index } = disk;
    Ok(Json(StatisticsAnswer {
        modules,
        worlds,
        campaigns,
        runs: runs.total,
        states: runs.states.iter().map(|(state, &count)| (state.to_string(), count)).collect(),
        outcomes: runs.outcomes,
        divergences,
        disk: DiskAnswer { blobs, journal, index },
    }))
}

/// What became of a world over time.
#[utoipa::path(get, path = "/api/v1/history/{world}", tag = "statistics",
    params(("world" = String, Path, description = "The world's name."), HistoryQuery),
    responses((status = 200, description = "Its finished runs. None, if it has none.", body = HistoryAnswer)))]
pub(super) async fn history(
    State(app): State<App>,
    Path(world): Path<String>,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<HistoryAnswer>, Problem> {
    let limit = paging::limit(query.limit)? as usize;
    let name = world.clone();
    let entries = app.store(move |results| results.history(&name, limit)).await?;
    let item = |entry: lcd_results::HistoryEntry| HistoryItem {
        run: entry.run,
        at: rfc3339(entry.at),
        outcome: entry.outcome.as_deref().and_then(RunOutcome::from_word),
        host_class: entry.host_class,
        backends: entry
            .backends
            .into_iter()
            .map(|took| {
                let lcd_results::BackendTime { backend, seconds, instructions } = took;
                (backend, Took { seconds, instructions })
            })
            .collect(),
    };
    Ok(Json(HistoryAnswer { world, items: entries.into_iter().map(item).collect() }))
}
