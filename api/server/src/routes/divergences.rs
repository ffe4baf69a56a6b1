//! Verdicts, world by world, and divergences that look the same.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::paging::{self, Page, PageQuery};
use super::runs::{self, RunAnswer};
use super::time::rfc3339;
use crate::app::App;
use crate::http::extract::{Path, Query};
use crate::problem::Problem;

/// What a divergence looks like, so that the same one is known again.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct SignatureAnswer {
    /// The kind of event that differs first; `expectation` where backends agree with each other but
    /// not with the world, `error` where one could not run it.
    #[schema(example = "ended")]
    pub event: String,
    /// The field of it that differs.
    #[schema(example = "registers.general[0]")]
    pub field: String,
    /// What the first backend has there.
    pub left: String,
    /// What the second has.
    pub right: String,
}

/// Divergences that look the same.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct DivergenceAnswer {
    /// The signature's id.
    #[schema(pattern = "^[0-9a-f]{16}$")]
    pub id: String,
    /// What they look like.
    pub signature: SignatureAnswer,
    /// Runs that have it.
    pub count: u64,
    /// When the first of these was over.
    #[schema(format = DateTime)]
    pub first_seen: String,
    /// When the last was.
    #[schema(format = DateTime)]
    pub last_seen: String,
    /// Names of their worlds, at most 100.
    pub worlds: Vec<String>,
    /// How many worlds there are.
    pub world_count: u64,
    /// The newest of the runs.
    pub newest_run: String,
    /// All of the runs.
    pub runs: String,
    /// What to type to see it again.
    #[schema(example = "lcd diff revoke")]
    pub again: String,
    /// Where it is.
    pub href: String,
}

impl From<lcd_results::Divergence> for DivergenceAnswer {
    fn from(divergence: lcd_results::Divergence) -> Self {
        let lcd_results::Divergence { id, signature, count, first_seen, last_seen, .. } =
            divergence;
        let lcd_results::Signature { event, field, left, right } = signature;
        Self {
            signature: SignatureAnswer { event, field, left, right },
            count,
            first_seen: rfc3339(first_seen),
            last_seen: rfc3339(last_seen),
            again: format!("lcd diff {}", divergence.worlds.first().map_or("", String::as_str)),
            worlds: divergence.worlds,
            world_count: divergence.world_count,
            newest_run: format!("/api/v1/runs/{}", divergence.newest_run),
            runs: format!("/api/v1/runs?signature={id}"),
            href: format!("/api/v1/divergences/{id}"),
            id,
        }
    }
}

/// Where each world stands: its newest comparison that came to an end.
#[utoipa::path(get, path = "/api/v1/verdicts", tag = "verdicts", params(PageQuery),
    responses((status = 200, description = "A page of them, a world each.", body = Page<RunAnswer>)))]
pub(super) async fn verdicts(
    State(app): State<App>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<RunAnswer>>, Problem> {
    let page = paging::read(&query)?;
    let newest = app.store(move |results| results.verdicts(page)).await?;
    Ok(Json(Page::of(newest, page, |run| run.id, |run| runs::answer(&app, run))))
}

/// Divergences, grouped by what they look like.
#[utoipa::path(get, path = "/api/v1/divergences", tag = "verdicts", params(PageQuery),
    responses((status = 200, description = "A page of them, those seen last first.", body = Page<DivergenceAnswer>)))]
pub(super) async fn list(
    State(app): State<App>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<DivergenceAnswer>>, Problem> {
    let page = paging::read(&query)?;
    let groups = app.store(move |results| results.divergences(page)).await?;
    Ok(Json(Page::of(groups, page, |group| group.newest_run, DivergenceAnswer::from)))
}

/// Divergences that look so.
#[utoipa::path(get, path = "/api/v1/divergences/{id}", tag = "verdicts",
    params(("id" = String, Path, description = "The signature's id.")),
    responses((status = 200, description = "They.", body = DivergenceAnswer)))]
pub(super) async fn get(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<DivergenceAnswer>, Problem> {
    let asked = id.clone();
    let found = app.store(move |results| results.divergence(&asked)).await?;
    let found = found.ok_or_else(|| Problem::no_such("divergence", id.escape_debug()))?;
    Ok(Json(found.into()))
}
