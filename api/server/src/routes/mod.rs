//! The resources, a file each.

use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::config::Limits;
use crate::http::answer_within;
use crate::http::extract::BodyLimits;
use crate::page;

mod campaigns;
mod description;
mod divergences;
mod events;
mod host;
mod modules;
mod operations;
mod paging;
mod runs;
mod snapshots;
mod statistics;
mod streams;
mod time;
mod worlds;

/// All routes, and their description.
pub(crate) fn router(app: &App) -> (Router, OpenApi) {
    let (routes, api) = all(&app.config().limits).with_state(app.clone()).split_for_parts();
    let api = description::complete(api);
    (description::serve(routes, &api).merge(page::routes()), api)
}

/// The description of all routes, without a server.
pub fn openapi() -> OpenApi {
    description::complete(all(&Limits::default()).split_for_parts().1)
}

fn all(limits: &Limits) -> OpenApiRouter<App> {
    let pause = Duration::from_millis(limits.request_milliseconds);
    let body = |bytes| BodyLimits { bytes, pause }.layer();
    let quick = OpenApiRouter::new()
        .routes(routes!(host::index))
        .routes(routes!(host::host))
        .routes(routes!(host::backends))
        .routes(routes!(modules::list))
        .routes(routes!(modules::get, modules::delete))
        .routes(routes!(modules::content))
        .routes(routes!(worlds::list))
        .routes(routes!(worlds::get, worlds::delete))
        .routes(routes!(worlds::bundle))
        .routes(routes!(runs::list, runs::start))
        .routes(routes!(runs::get, runs::delete))
        .routes(routes!(runs::cancel))
        .routes(routes!(runs::restart))
        .routes(routes!(runs::report))
        .routes(routes!(events::console))
        .routes(routes!(events::page))
        .routes(routes!(events::log))
        .routes(routes!(snapshots::graph))
        .routes(routes!(snapshots::spaces))
        .routes(routes!(streams::run))
        .routes(routes!(streams::campaign))
        .routes(routes!(streams::changes))
        .routes(routes!(campaigns::list, campaigns::start))
        .routes(routes!(campaigns::get, campaigns::delete))
        .routes(routes!(campaigns::stop))
        .routes(routes!(divergences::verdicts))
        .routes(routes!(divergences::list))
        .routes(routes!(divergences::get))
        .routes(routes!(statistics::statistics))
        .routes(routes!(statistics::history))
        .routes(routes!(operations::healthz))
        .routes(routes!(operations::readyz))
        .routes(routes!(operations::metrics))
        .layer(body(limits.body_bytes))
        .layer(from_fn_with_state(
            Duration::from_millis(limits.answer_milliseconds),
            answer_within,
        ));
    // A large body may take longer to arrive than an answer may; only its pauses are limited.
    let module =
        OpenApiRouter::new().routes(routes!(modules::upload)).layer(body(limits.module_bytes));
    let world = OpenApiRouter::new()
        .routes(routes!(worlds::upload))
        .routes(routes!(worlds::check))
        .layer(body(limits.world_bytes));
    OpenApiRouter::with_openapi(description::outline()).merge(quick).merge(module).merge(world)
}
