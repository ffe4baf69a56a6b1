//! Worlds: the bundled ones, and those that somebody uploaded.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest as _, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::paging::{self, Page};
use super::time::rfc3339;
use crate::app::App;
use crate::http::extract::{Body, Path, Query, media_type};
use crate::problem::Problem;
use crate::uploads::{self, BUNDLE_TYPE, TOML_TYPE, Upload};

/// Where a world comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Origin {
    /// It comes with lcd.
    Bundled,
    /// Somebody uploaded it.
    Uploaded,
}

/// A world.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct WorldAnswer {
    /// By which runs name it: a bundled world's name, or the digest of an uploaded one and all its
    /// modules.
    pub id: String,
    /// Its name.
    #[schema(example = "printk")]
    pub name: String,
    /// What it shows.
    pub about: String,
    /// Where it comes from.
    pub origin: Origin,
    /// Why it cannot be run, if it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unavailable: Option<String>,
    /// Domains that it declares.
    pub domains: u32,
    /// When it was uploaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub uploaded_at: Option<String>,
    /// Where it is.
    pub href: String,
}

/// A world with its file.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct WorldDetails {
    /// What lists say of it.
    #[serde(flatten)]
    pub world: WorldAnswer,
    /// Its world file, if it came as one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What it says, read: its limits, domains, objects and expectations (docs/worlds.md).
    #[schema(value_type = Object)]
    pub world_file: serde_json::Value,
    /// The modules that are linked for it.
    pub modules: Vec<Linked>,
}

/// A module of a world, with what is linked before it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Linked {
    /// What the world calls it.
    pub name: String,
    /// The files, in link order.
    pub files: Vec<LinkedFile>,
}

/// A file of a world.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct LinkedFile {
    /// Its name.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
}

/// Which worlds.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WorldQuery {
    /// Only those from there. Without it the bundled ones come first, on the first page.
    pub origin: Option<Origin>,
    /// How many uploaded ones, at most 500 [default: 50].
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
    /// Where to go on: the `next` of the page before.
    pub before: Option<String>,
}

/// That a world can be run.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Checked {
    /// Its id, if it were uploaded.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Domains that it declares.
    pub domains: u32,
}

impl From<lcd_results::World> for WorldAnswer {
    fn from(world: lcd_results::World) -> Self {
        let about = world.about.as_str().unwrap_or_default().to_owned();
        Self {
            href: format!("/api/v1/worlds/{}", world.id),
            id: world.id,
            name: world.name,
            about,
            origin: Origin::Uploaded,
            unavailable: None,
            domains: world.domains,
            uploaded_at: Some(rfc3339(world.uploaded_at)),
        }
    }
}

fn bundled(world: &bundled_worlds::BundledWorld) -> WorldAnswer {
    let parsed = lcd::model::world::World::parse(world.toml).ok();
    WorldAnswer {
        id: world.name.into(),
        name: world.name.into(),
        about: parsed.as_ref().map_or_else(String::new, |parsed| parsed.about.clone()),
        origin: Origin::Bundled,
        unavailable: world.unavailable.map(String::from),
        domains: parsed.map_or(0, |parsed| parsed.domains.len() as u32),
        uploaded_at: None,
        href: format!("/api/v1/worlds/{}", world.name),
    }
}

/// All worlds.
#[utoipa::path(get, path = "/api/v1/worlds", tag = "worlds", params(WorldQuery),
    responses((status = 200, description = "A page of them.", body = Page<WorldAnswer>)))]
pub(super) async fn list(
    State(app): State<App>,
    Query(query): Query<WorldQuery>,
) -> Result<Json<Page<WorldAnswer>>, Problem> {
    let WorldQuery { origin, limit, before } = query;
    let first = before.is_none();
    let page = paging::read(&paging::PageQuery { limit, before })?;
    let mut answer = Page { items: Vec::new(), next: None };
    if origin != Some(Origin::Bundled) {
        let worlds = app.look_up(|results| results.worlds(page))?;
        answer = Page::of(worlds, page, |world| world.sequence, WorldAnswer::from);
    }
    if origin != Some(Origin::Uploaded) && first {
        let all = bundled_worlds::WORLDS.iter().map(bundled);
        answer.items.splice(0..0, all);
    }
    Ok(Json(answer))
}

/// Upload a world: a world file, whose modules are uploaded ones or those of the server's module
/// path, or a bundle, which has its modules inside.
#[utoipa::path(post, path = "/api/v1/worlds", tag = "worlds",
    request_body(content(
        (String = "application/toml", example = "name = \"hello\"\n\n[[domain]]\nname = \"main\"\nmodule = \"hello.ko\"\n"),
        (Vec<u8> = "application/vnd.lcd.bundle"),
    )),
    responses(
        (status = 201, description = "It is stored.", body = WorldAnswer,
            headers(("location" = String, description = "Where it is."))),
        (status = 200, description = "The same world with the same modules was there already.",
            body = WorldAnswer),
    ))]
pub(super) async fn upload(
    State(app): State<App>,
    headers: HeaderMap,
    request: axum::extract::Request,
) -> Result<Response, Problem> {
    let upload = read(&app, &headers, request).await?;
    let results = app.results();
    let (world, new) = app.blocking(move || uploads::add_world(&results, &upload)).await?;
    let answer = WorldAnswer::from(world);
    let location = [(header::LOCATION, answer.href.clone())];
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, location, Json(answer)).into_response())
}

/// Check a world without storing it: the same refusals as an upload, with line and column.
#[utoipa::path(post, path = "/api/v1/worlds/check", tag = "worlds",
    request_body(content(
        (String = "application/toml", example = "name = \"hello\"\n\n[[domain]]\nname = \"main\"\nmodule = \"hello.ko\"\n"),
        (Vec<u8> = "application/vnd.lcd.bundle"),
    )),
    responses((status = 200, description = "Nothing is wrong with it.", body = Checked)))]
pub(super) async fn check(
    State(app): State<App>,
    headers: HeaderMap,
    request: axum::extract::Request,
) -> Result<Json<Checked>, Problem> {
    let Upload { bundle, .. } = read(&app, &headers, request).await?;
    let id = bundle.digest().to_string();
    let domains = bundle.world.domains.len() as u32;
    Ok(Json(Checked { id, name: bundle.world.name, domains }))
}

/// Reads an uploaded world, whichever form it has.
async fn read(
    app: &App,
    headers: &HeaderMap,
    request: axum::extract::Request,
) -> Result<Upload, Problem> {
    let _permit = app.upload()?;
    let form = media_type(headers, &[TOML_TYPE, BUNDLE_TYPE])?;
    let Body(bytes) = Body::from_request(request, &()).await?;
    let asked = app.clone();
    app.blocking(move || match form {
        TOML_TYPE => uploads::assemble(&asked.results(), asked.modules(), &bytes),
        _ => uploads::decode(&bytes),
    })
    .await
}

/// One world.
#[utoipa::path(get, path = "/api/v1/worlds/{id}", tag = "worlds",
    params(("id" = String, Path, description = "A bundled world's name, or an uploaded world's id or name.")),
    responses((status = 200, description = "It.", body = WorldDetails)))]
pub(super) async fn get(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<WorldDetails>, Problem> {
    let asked = app.clone();
    app.blocking(move || {
        let found = uploads::find_world(&asked.results(), &id)?;
        let bundle = found.bundle(&asked.results())?;
        let (world, source) = match found {
            uploads::FoundWorld::Bundled(world) => (bundled(world), Some(world.toml.to_owned())),
            uploads::FoundWorld::Uploaded(world) => {
                let source = world.source.clone();
                (WorldAnswer::from(*world), source)
            }
        };
        let world_file = serde_json::to_value(&bundle.world).map_err(Problem::internal)?;
        let file = |&number: &usize| {
            let file = &bundle.files[number];
            LinkedFile { name: file.name.clone(), size: file.bytes.len() as u64 }
        };
        let modules = bundle.modules.iter().map(|(name, files)| Linked {
            name: name.clone(),
            files: files.iter().map(file).collect(),
        });
        Ok(Json(WorldDetails { world, source, world_file, modules: modules.collect() }))
    })
    .await
}

/// A world with all its modules, as one file.
#[utoipa::path(get, path = "/api/v1/worlds/{id}/bundle", tag = "worlds",
    params(("id" = String, Path, description = "A bundled world's name, or an uploaded world's id or name.")),
    responses((status = 200, description = "It.", body = Vec<u8>, content_type = "application/vnd.lcd.bundle")))]
pub(super) async fn bundle(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let results = app.results();
    let bytes = app
        .blocking(move || {
            let found = uploads::find_world(&results, &id)?;
            Ok(Bytes::from(found.bundle(&results)?.encode()))
        })
        .await?;
    Ok(([(header::CONTENT_TYPE, BUNDLE_TYPE)], bytes).into_response())
}

/// Delete an uploaded world. Its runs stay.
#[utoipa::path(delete, path = "/api/v1/worlds/{id}", tag = "worlds",
    params(("id" = String, Path, description = "An uploaded world's id or name.")),
    responses((status = 204, description = "It is gone.")))]
pub(super) async fn delete(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    match uploads::find_world(&app.results(), &id)? {
        uploads::FoundWorld::Bundled(_) => Err(Problem::new(
            crate::problem::Kind::CONFLICT,
            format!("{id} comes with lcd and cannot be deleted"),
        )),
        uploads::FoundWorld::Uploaded(world) => {
            app.store(move |results| results.delete_world(&world.id)).await?;
            Ok(StatusCode::NO_CONTENT)
        }
    }
}
