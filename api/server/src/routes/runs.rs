//! Runs: a world on one backend, or on several and compared.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use lcd::differential::Case;
use lcd::model::report::RunReport;
use lcd_results::{NewRun, RunFilter, RunSummary};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::paging::{self, Page};
use super::time::rfc3339;
use crate::app::App;
use crate::engine::live;
use crate::http::extract::{Json as Body, Path, Query};
use crate::problem::{Kind, Problem};
use crate::request::{Doing, RunRequest};

/// How far a run is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum RunState {
    /// It waits for its turn.
    Queued,
    /// It goes on.
    Running,
    /// It ended by itself; its outcome says how.
    Finished,
    /// It could not be run, or not to its end; its reason says why.
    Failed,
    /// Somebody ended it.
    Cancelled,
    /// The server ended first. It can be restarted.
    Interrupted,
}

/// One word for a run's result.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum RunOutcome {
    /// Of a comparison: all backends agree, and with the world's expectations.
    Agree,
    /// Of a comparison: they do not.
    Diverge,
    /// Of a comparison: they agree up to a point after which nothing can be compared.
    Poisoned,
    /// Of a comparison: nothing was compared, for a reason that is given.
    Skipped,
    /// Of a run: it ended as the world expects; if it expects nothing, with 0.
    Passed,
    /// Of a run: it did not.
    Failed,
}

/// A run.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct RunAnswer {
    /// Its number: 1 is the first, and none is used twice.
    pub id: u64,
    /// What is done.
    pub kind: Doing,
    /// How far it is.
    pub state: RunState,
    /// One word for its result, once it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<RunOutcome>,
    /// Why, if there is something to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The world's name.
    pub world: String,
    /// The uploaded world's id; bundled ones have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub world_id: Option<String>,
    /// The campaign that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campaign: Option<u64>,
    /// The run that it repeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restarted_from: Option<u64>,
    /// The id of its divergence's signature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// How far it is, while it waits or goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// When it was asked for.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub started_at: Option<String>,
    /// When it was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub finished_at: Option<String>,
    /// Where it is.
    pub href: String,
}

/// How far a run is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Progress {
    /// Runs that are before it, while it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<usize>,
    /// The backend that runs now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    /// Events that each backend has written.
    pub events: BTreeMap<String, u64>,
}

/// A run with what was asked for and what it left.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct RunDetails {
    /// What lists say of it.
    #[serde(flatten)]
    pub run: RunAnswer,
    /// What was asked for.
    pub request: RunRequest,
    /// The class of the machine that it ran on: its timings mean nothing without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_class: Option<String>,
    /// Its logs, a backend each.
    pub logs: Vec<LogAnswer>,
}

/// A log.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct LogAnswer {
    /// The backend that wrote it.
    pub backend: String,
    /// Events in it.
    pub events: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// Seconds that the run took there.
    pub seconds: f64,
    /// Instructions, where they are counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instructions: Option<u64>,
    /// Whether it goes to the run's end.
    pub complete: bool,
    /// The SHA-256 of its bytes.
    pub sha256: String,
    /// Where it is.
    pub href: String,
}

/// What came of a run.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct ReportAnswer {
    /// The run.
    pub run: RunDetails,
    /// Of a comparison: the outcome, what became of each backend, the first divergent event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case: Option<Case>,
    /// Of a run: its domains, what they wrote, how their threads ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<RunReport>,
    /// Of a run: the world's expectations that were not met.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unmet: Vec<String>,
}

/// Which runs.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RunQuery {
    /// Those in this state.
    #[param(inline)]
    pub state: Option<RunState>,
    /// Those with this outcome.
    #[param(inline)]
    pub outcome: Option<RunOutcome>,
    /// Those of this kind.
    #[param(inline)]
    pub kind: Option<Doing>,
    /// Those of worlds with this name.
    pub world: Option<String>,
    /// Those of this campaign.
    pub campaign: Option<u64>,
    /// Those whose divergence has this signature.
    pub signature: Option<String>,
    /// How many, at most 500 [default: 50].
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
    /// Where to go on: the `next` of the page before.
    pub before: Option<String>,
}

impl From<lcd_results::RunState> for RunState {
    fn from(state: lcd_results::RunState) -> Self {
        use lcd_results::RunState as S;
        match state {
            S::Queued => Self::Queued,
            S::Running => Self::Running,
            S::Finished => Self::Finished,
            S::Failed => Self::Failed,
            S::Cancelled => Self::Cancelled,
            S::Interrupted => Self::Interrupted,
        }
    }
}

impl RunOutcome {
    /// The outcome that is called so.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "agree" => Self::Agree,
            "diverge" => Self::Diverge,
            "poisoned" => Self::Poisoned,
            "skipped" => Self::Skipped,
            "passed" => Self::Passed,
            "failed" => Self::Failed,
            _ => return None,
        })
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Agree => "agree",
            Self::Diverge => "diverge",
            Self::Poisoned => "poisoned",
            Self::Skipped => "skipped",
            Self::Passed => "passed",
            Self::Failed => "failed",
        }
    }
}

impl RunState {
    const fn stored(self) -> lcd_results::RunState {
        use lcd_results::RunState as S;
        match self {
            Self::Queued => S::Queued,
            Self::Running => S::Running,
            Self::Finished => S::Finished,
            Self::Failed => S::Failed,
            Self::Cancelled => S::Cancelled,
            Self::Interrupted => S::Interrupted,
        }
    }
}

/// What lists say of a run.
pub(super) fn answer(app: &App, run: RunSummary) -> RunAnswer {
    let progress = match run.state {
        lcd_results::RunState::Queued => Some(Progress {
            before: app.engine().before(run.campaign, run.id),
            backend: None,
            events: BTreeMap::new(),
        }),
        lcd_results::RunState::Running => app.engine().live(run.id).map(|live| {
            let live::Progress { backend, events, .. } = live.progress();
            Progress { before: None, backend, events }
        }),
        _ => None,
    };
    RunAnswer {
        id: run.id,
        kind: match run.kind {
            lcd_results::RunKind::Run => Doing::Run,
            lcd_results::RunKind::Comparison => Doing::Comparison,
        },
        state: run.state.into(),
        outcome: run.outcome.as_deref().and_then(RunOutcome::from_word),
        reason: run.reason,
        world: run.world,
        world_id: run.world_id,
        campaign: run.campaign,
        restarted_from: run.restarted_from,
        signature: run.signature.map(|signature| signature.id()),
        progress,
        created_at: rfc3339(run.created_at),
        started_at: run.started_at.map(rfc3339),
        finished_at: run.finished_at.map(rfc3339),
        href: format!("/api/v1/runs/{}", run.id),
    }
}

pub(super) fn details(app: &App, run: lcd_results::Run) -> Result<RunDetails, Problem> {
    let lcd_results::Run { summary, request, host, logs, .. } = run;
    let id = summary.id;
    let log = |log: lcd_results::LogFile| LogAnswer {
        href: format!("/api/v1/runs/{id}/log?backend={}", log.backend),
        backend: log.backend,
        events: log.events,
        bytes: log.bytes,
        seconds: log.seconds,
        instructions: log.instructions,
        complete: log.complete,
        sha256: log.blob,
    };
    Ok(RunDetails {
        run: answer(app, summary),
        request: serde_json::from_value(request).map_err(Problem::internal)?,
        host_class: host.and_then(|host| Some(host.get("class")?.as_str()?.to_owned())),
        logs: logs.into_iter().map(log).collect(),
    })
}

/// The run with this number.
///
/// # Errors
/// [`Kind::NOT_FOUND`], and what the store says.
pub(super) fn find(app: &App, id: u64) -> Result<lcd_results::Run, Problem> {
    app.look_up(|results| results.run(id))?.ok_or_else(|| Problem::no_such("run", id))
}

/// Start a run or a comparison. It waits for its turn and then goes on by itself: look at it, or
/// follow its stream.
#[utoipa::path(post, path = "/api/v1/runs", tag = "runs", request_body = RunRequest,
    responses((status = 202, description = "It waits for its turn.", body = RunAnswer,
        headers(("location" = String, description = "Where it is.")))))]
pub(super) async fn start(
    State(app): State<App>,
    Body(request): Body<RunRequest>,
) -> Result<Response, Problem> {
    request.check(&app.config().limits)?;
    app.check_room()?;
    let (asked, named) = (app.clone(), request.clone());
    let subject = app.blocking(move || named.subject(&asked.results(), asked.modules())).await?;
    let new = NewRun {
        campaign: None,
        restarted_from: None,
        kind: request.kind.into(),
        world: subject.name,
        world_id: subject.id,
        request: serde_json::to_value(&request).map_err(Problem::internal)?,
    };
    accepted(&app, app.engine().submit(new).await?)
}

fn accepted(app: &App, run: lcd_results::Run) -> Result<Response, Problem> {
    let answer = answer(app, run.summary);
    let location = [(header::LOCATION, answer.href.clone())];
    Ok((StatusCode::ACCEPTED, location, Json(answer)).into_response())
}

/// All runs, or some.
#[utoipa::path(get, path = "/api/v1/runs", tag = "runs", params(RunQuery),
    responses((status = 200, description = "A page of them.", body = Page<RunAnswer>)))]
pub(super) async fn list(
    State(app): State<App>,
    Query(query): Query<RunQuery>,
) -> Result<Json<Page<RunAnswer>>, Problem> {
    let RunQuery { state, outcome, kind, world, campaign, signature, limit, before } = query;
    let page = paging::read(&paging::PageQuery { limit, before })?;
    let filter = RunFilter {
        state: state.map(RunState::stored),
        outcome: outcome.map(|outcome| outcome.word().into()),
        world,
        kind: kind.map(Into::into),
        campaign,
        signature,
    };
    let runs = app.look_up(|results| results.runs(&filter, page))?;
    Ok(Json(Page::of(runs, page, |run| run.id, |run| answer(&app, run))))
}

/// One run.
#[utoipa::path(get, path = "/api/v1/runs/{id}", tag = "runs",
    params(("id" = u64, Path, description = "Its number.")),
    responses((status = 200, description = "It.", body = RunDetails)))]
pub(super) async fn get(
    State(app): State<App>,
    Path(id): Path<u64>,
) -> Result<Json<RunDetails>, Problem> {
    let run = find(&app, id)?;
    Ok(Json(details(&app, run)?))
}

/// What came of a run, once it is over.
#[utoipa::path(get, path = "/api/v1/runs/{id}/report", tag = "runs",
    params(("id" = u64, Path, description = "Its number.")),
    responses(
        (status = 200, description = "That.", body = ReportAnswer),
        (status = 409, description = "It is not over yet.", body = crate::problem::ProblemDetails,
            content_type = "application/problem+json"),
    ))]
pub(super) async fn report(
    State(app): State<App>,
    Path(id): Path<u64>,
) -> Result<Json<ReportAnswer>, Problem> {
    let run = find(&app, id)?;
    if !run.summary.state.is_over() {
        let detail = format!("run {id} is {}", run.summary.state);
        return Err(Problem::new(Kind::CONFLICT, detail)
            .advise(format!("Follow /api/v1/runs/{id}/stream, which says when it is over.")));
    }
    let result = run.result.clone().filter(|result| !result.is_null());
    let (mut case, mut report, mut unmet) = (None, None, Vec::new());
    match (run.summary.kind, result) {
        (_, None) => {}
        (lcd_results::RunKind::Comparison, Some(result)) => {
            case = Some(serde_json::from_value(result).map_err(Problem::internal)?);
        }
        (lcd_results::RunKind::Run, Some(result)) => {
            let result: crate::worker::job::RunResult =
                serde_json::from_value(result).map_err(Problem::internal)?;
            report = Some(result.report);
            unmet = result.unmet;
        }
    }
    Ok(Json(ReportAnswer { run: details(&app, run)?, case, report, unmet }))
}

/// End a run that waits or goes on. What it wrote stays.
#[utoipa::path(post, path = "/api/v1/runs/{id}/cancel", tag = "runs",
    params(("id" = u64, Path, description = "Its number.")),
    responses(
        (status = 202, description = "It ends.", body = RunAnswer),
        (status = 409, description = "It is over already.", body = crate::problem::ProblemDetails,
            content_type = "application/problem+json"),
    ))]
pub(super) async fn cancel(
    State(app): State<App>,
    Path(id): Path<u64>,
) -> Result<Response, Problem> {
    find(&app, id)?;
    app.engine().cancel(id).await?;
    let run = find(&app, id)?;
    Ok((StatusCode::ACCEPTED, Json(answer(&app, run.summary))).into_response())
}

/// Start the same again: of a run that is over, also one that a restart of the server interrupted.
#[utoipa::path(post, path = "/api/v1/runs/{id}/restart", tag = "runs",
    params(("id" = u64, Path, description = "Its number.")),
    responses(
        (status = 202, description = "The new run waits for its turn.", body = RunAnswer,
            headers(("location" = String, description = "Where it is."))),
        (status = 409, description = "It is not over yet.", body = crate::problem::ProblemDetails,
            content_type = "application/problem+json"),
    ))]
pub(super) async fn restart(
    State(app): State<App>,
    Path(id): Path<u64>,
) -> Result<Response, Problem> {
    let lcd_results::Run { summary, request, .. } = find(&app, id)?;
    if !summary.state.is_over() {
        return Err(Problem::new(Kind::CONFLICT, format!("run {id} is {}", summary.state)));
    }
    app.check_room()?;
    let new = NewRun {
        campaign: None,
        restarted_from: Some(id),
        kind: summary.kind,
        world: summary.world,
        world_id: summary.world_id,
        request,
    };
    accepted(&app, app.engine().submit(new).await?)
}

/// Delete a run that is over, with its logs.
#[utoipa::path(delete, path = "/api/v1/runs/{id}", tag = "runs",
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
    app.store(move |results| results.delete_run(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
