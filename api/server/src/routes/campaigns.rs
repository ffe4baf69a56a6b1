//! Campaigns: a set of worlds, compared.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bundled_worlds::WORLDS;
use lcd_results::{NewCampaign, NewRun};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::paging::{self, Page, PageQuery};
use super::time::rfc3339;
use crate::app::App;
use crate::http::extract::{Json as Body, Path, Query};
use crate::problem::Problem;
use crate::request::{BackendName, Doing, RunRequest, Turns};

/// What to compare.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CampaignRequest {
    /// A name for people.
    #[schema(max_length = 200)]
    pub name: String,
    /// Worlds: bundled ones' names, uploaded ones' ids or names. By default all bundled ones that
    /// are available.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_items = 1)]
    pub worlds: Option<Vec<String>>,
    /// On which backends. By default all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_items = 1, max_items = 2)]
    pub backends: Option<Vec<BackendName>>,
    /// Give each run up after so many milliseconds. By default as its world says.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub timeout_ms: Option<u64>,
    /// How threads take turns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turns: Option<Turns>,
}

/// How far a campaign is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum CampaignState {
    /// Some of its runs wait or go on.
    Running,
    /// All are over.
    Finished,
    /// Somebody stopped it.
    Stopped,
}

/// A campaign.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct CampaignAnswer {
    /// Its number: 1 is the first, and none is used twice.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// How far it is.
    pub state: CampaignState,
    /// What was asked for.
    pub request: CampaignRequest,
    /// How many runs it has.
    pub total: u64,
    /// How many of them are over.
    pub over: u64,
    /// How many are in which state.
    pub states: BTreeMap<String, u64>,
    /// How many have which outcome.
    pub outcomes: BTreeMap<String, u64>,
    /// When it was asked for.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When somebody stopped it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub stopped_at: Option<String>,
    /// Where it is.
    pub href: String,
    /// Its runs.
    pub runs: String,
}

impl CampaignAnswer {
    /// What the store says, for people.
    pub(super) fn of(campaign: lcd_results::Campaign) -> Self {
        let lcd_results::Campaign { id, name, request, created_at, stopped_at, runs, .. } =
            campaign;
        let count = |over| {
            let states = runs.states.iter().filter(|(state, _)| state.is_over() == over);
            states.map(|(_, count)| count).sum::<u64>()
        };
        let state = match (count(false), stopped_at) {
            (0, None) => CampaignState::Finished,
            (0, Some(_)) => CampaignState::Stopped,
            _ => CampaignState::Running,
        };
        Self {
            id,
            name,
            state,
            request: serde_json::from_value(request).unwrap_or_default(),
            total: runs.total,
            over: count(true),
            states: runs.states.iter().map(|(state, &n)| (state.to_string(), n)).collect(),
            outcomes: runs.outcomes,
            created_at: rfc3339(created_at),
            stopped_at: stopped_at.map(rfc3339),
            href: format!("/api/v1/campaigns/{id}"),
            runs: format!("/api/v1/runs?campaign={id}"),
        }
    }
}

/// Start a campaign: a comparison of each world.
#[utoipa::path(post, path = "/api/v1/campaigns", tag = "campaigns", request_body = CampaignRequest,
    responses((status = 202, description = "Its runs wait for their turns.", body = CampaignAnswer,
        headers(("location" = String, description = "Where it is.")))))]
pub(super) async fn start(
    State(app): State<App>,
    Body(request): Body<CampaignRequest>,
) -> Result<Response, Problem> {
    app.check_room()?;
    let asked = app.clone();
    let new = app.blocking(move || plan(&asked, &request)).await?;
    let campaign = app.engine().submit_campaign(new).await?;
    let answer = CampaignAnswer::of(campaign);
    let location = [(header::LOCATION, answer.href.clone())];
    Ok((StatusCode::ACCEPTED, location, Json(answer)).into_response())
}

/// The runs of a campaign that is asked for.
fn plan(app: &App, request: &CampaignRequest) -> Result<NewCampaign, Problem> {
    let worlds: Vec<String> = match &request.worlds {
        Some(worlds) => worlds.clone(),
        None => {
            let available = WORLDS.iter().filter(|world| world.unavailable.is_none());
            available.map(|world| world.name.to_owned()).collect()
        }
    };
    let allowed = app.config().limits.campaign_runs;
    match worlds.len() {
        0 => return Err(Problem::invalid("`worlds` is empty: leave it out for all bundled ones")),
        count if count > allowed => {
            let detail = format!("{count} worlds, of {allowed} that a campaign may have");
            return Err(Problem::invalid(detail));
        }
        _ => {}
    }
    if request.name.chars().count() > 200 {
        return Err(Problem::invalid("`name` can have 200 characters"));
    }
    let run = |world: String| {
        let asked = RunRequest {
            world: Some(world),
            kind: Doing::Comparison,
            backends: request.backends.clone(),
            timeout_ms: request.timeout_ms,
            turns: request.turns,
            ..Default::default()
        };
        asked.check(&app.config().limits)?;
        let subject = asked.subject(&app.results(), app.modules())?;
        Ok(NewRun {
            campaign: None,
            restarted_from: None,
            kind: asked.kind.into(),
            world: subject.name,
            world_id: subject.id,
            request: serde_json::to_value(&asked).map_err(Problem::internal)?,
        })
    };
    let runs = worlds.into_iter().map(run).collect::<Result<_, Problem>>()?;
    let asked = serde_json::to_value(request).map_err(Problem::internal)?;
    Ok(NewCampaign { name: request.name.clone(), request: asked, runs })
}

/// All campaigns.
#[utoipa::path(get, path = "/api/v1/campaigns", tag = "campaigns", params(PageQuery),
    responses((status = 200, description = "A page of them.", body = Page<CampaignAnswer>)))]
pub(super) async fn list(
    State(app): State<App>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<CampaignAnswer>>, Problem> {
    let page = paging::read(&query)?;
    let campaigns = app.store(move |results| results.campaigns(page)).await?;
    Ok(Json(Page::of(campaigns, page, |campaign| campaign.id, CampaignAnswer::of)))
}

/// The campaign with this number.
///
/// # Errors
/// [`crate::problem::Kind::NOT_FOUND`], and what the store says.
pub(super) fn find(app: &App, id: u64) -> Result<lcd_results::Campaign, Problem> {
    app.look_up(|results| results.campaign(id))?.ok_or_else(|| Problem::no_such("campaign", id))
}

/// One campaign.
#[utoipa::path(get, path = "/api/v1/campaigns/{id}", tag = "campaigns",
    params(("id" = u64, Path, description = "Its number.")),
    responses((status = 200, description = "It.", body = CampaignAnswer)))]
pub(super) async fn get(
    State(app): State<App>,
    Path(id): Path<u64>,
) -> Result<Json<CampaignAnswer>, Problem> {
    Ok(Json(CampaignAnswer::of(find(&app, id)?)))
}

/// Stop a campaign: its runs that wait or go on are cancelled. What is over stays.
#[utoipa::path(post, path = "/api/v1/campaigns/{id}/stop", tag = "campaigns",
    params(("id" = u64, Path, description = "Its number.")),
    responses((status = 202, description = "It stops.", body = CampaignAnswer)))]
pub(super) async fn stop(State(app): State<App>, Path(id): Path<u64>) -> Result<Response, Problem> {
    find(&app, id)?;
    app.engine().stop(id).await?;
    let answer = CampaignAnswer::of(find(&app, id)?);
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
}

/// Delete a campaign that is over, with its runs and their logs.
#[utoipa::path(delete, path = "/api/v1/campaigns/{id}", tag = "campaigns",
    params(("id" = u64, Path, description = "Its number.")),
    responses(
        (status = 204, description = "It is gone."),
        (status = 409, description = "It is not over yet.", body = crate::problem::ProblemDetails,
            content_type = "application/problem+json"),
    ))]
pub(super) async fn delete(
    State(app): State<App>,
    Path(id): Path<u64>,
) -> Result<StatusCode, Problem> {
    app.store(move |results| results.delete_campaign(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
