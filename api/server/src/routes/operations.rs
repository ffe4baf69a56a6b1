//! For those who run the server: probes and numbers.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::problem::{Kind, Problem};

/// That the server can do its work.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Ready {
    /// Always `ready`; otherwise the answer is a problem.
    #[schema(example = "ready")]
    pub status: &'static str,
    /// Runs that wait.
    pub queued: usize,
    /// Runs that are run.
    pub active: usize,
}

/// Whether the process lives: it answers.
#[utoipa::path(get, path = "/healthz", tag = "operations", security(()),
    responses((status = 200, description = "It does.", body = String, content_type = "text/plain")))]
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether the server takes work: its store has room, workers can be started, and it is not about to end.
#[utoipa::path(get, path = "/readyz", tag = "operations", security(()),
    responses((status = 200, description = "It does.", body = Ready)))]
pub(super) async fn readyz(State(app): State<App>) -> Result<axum::Json<Ready>, Problem> {
    if app.shutdown().is_cancelled() {
        return Err(Problem::new(Kind::UNAVAILABLE, "the server is ending"));
    }
    app.check_room()?;
    if let Some(trouble) = app.engine().trouble() {
        return Err(Problem::new(Kind::UNAVAILABLE, trouble));
    }
    app.store(|results| results.check()).await?;
    let (queued, active) = app.engine().load();
    Ok(axum::Json(Ready { status: "ready", queued, active }))
}

/// Numbers for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "operations",
    responses((status = 200, description = "The numbers.", body = String, content_type = "text/plain")))]
pub(super) async fn metrics(State(app): State<App>) -> Result<Response, Problem> {
    let store_bytes = app.look_up(lcd_results::Results::bytes_on_disk)?;
    let media_type = "text/plain; version=0.0.4; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, media_type)], app.metrics().render(store_bytes)).into_response())
}
