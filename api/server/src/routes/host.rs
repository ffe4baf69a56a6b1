//! The machine behind the server.

use axum::Json;
use axum::extract::State;
use lcd::host::HostDescription;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::config::Limits;
use crate::problem::Problem;

/// Where to go on from.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Index {
    /// The version of lcd.
    pub version: &'static str,
    /// What there is, by name.
    pub links: std::collections::BTreeMap<&'static str, &'static str>,
}

/// The machine behind the server, and what callers can use up.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct HostAnswer {
    /// The machine, as `lcd host` shows it.
    #[serde(flatten)]
    pub host: HostDescription,
    /// What callers can use up.
    pub limits: Limits,
}

/// A backend.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct BackendAnswer {
    /// Its name.
    #[schema(example = "native")]
    pub name: String,
    /// Whether worlds can run on it here.
    pub available: bool,
    /// Why not, and what to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// All backends.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Backends {
    /// Them, in the order in which reports list them.
    pub items: Vec<BackendAnswer>,
}

/// What there is.
#[utoipa::path(get, path = "/api/v1", tag = "host",
    responses((status = 200, description = "Where to go on from.", body = Index)))]
pub(super) async fn index() -> Json<Index> {
    let links = [
        ("backends", "/api/v1/backends"),
        ("campaigns", "/api/v1/campaigns"),
        ("changes", "/api/v1/changes"),
        ("description", "/api/v1/openapi.json"),
        ("divergences", "/api/v1/divergences"),
        ("documentation", "/docs"),
        ("host", "/api/v1/host"),
        ("modules", "/api/v1/modules"),
        ("runs", "/api/v1/runs"),
        ("statistics", "/api/v1/statistics"),
        ("verdicts", "/api/v1/verdicts"),
        ("worlds", "/api/v1/worlds"),
    ];
    Json(Index { version: env!("CARGO_PKG_VERSION"), links: links.into_iter().collect() })
}

/// The machine, and the server's limits.
#[utoipa::path(get, path = "/api/v1/host", tag = "host",
    responses((status = 200, description = "They.", body = HostAnswer)))]
pub(super) async fn host(State(app): State<App>) -> Json<HostAnswer> {
    let host = app.engine().host().clone();
    Json(HostAnswer { host, limits: app.config().limits })
}

/// The backends, and why one cannot be used.
#[utoipa::path(get, path = "/api/v1/backends", tag = "host",
    responses((status = 200, description = "They.", body = Backends)))]
pub(super) async fn backends(State(app): State<App>) -> Result<Json<Backends>, Problem> {
    let items = app.engine().field().iter().map(|(backend, available)| BackendAnswer {
        name: backend.to_string(),
        available: available.is_ok(),
        reason: available.as_ref().err().cloned(),
    });
    Ok(Json(Backends { items: items.collect() }))
}
