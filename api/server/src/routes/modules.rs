//! Modules: kernel modules and freestanding executables that somebody uploaded.

use axum::Json;
use axum::extract::{FromRequest as _, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use lcd::inspect::ModuleReport;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::paging::{self, Page, PageQuery};
use super::time::rfc3339;
use crate::app::App;
use crate::http::extract::{Body, Path, Query, media_type};
use crate::problem::Problem;
use crate::uploads;

/// An uploaded module.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct ModuleAnswer {
    /// The SHA-256 of its bytes.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub id: String,
    /// The name it was uploaded with.
    #[schema(example = "crc16.ko")]
    pub name: String,
    /// Its size in bytes, unpacked.
    pub size: u64,
    /// When it was uploaded.
    #[schema(format = DateTime)]
    pub uploaded_at: String,
    /// Where it is.
    pub href: String,
}

/// An uploaded module, looked into.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct ModuleDetails {
    /// What lists say of it.
    #[serde(flatten)]
    pub module: ModuleAnswer,
    /// Sections, relocations, exports, imports and who provides them, entry points.
    pub report: ModuleReport,
}

/// How a module is uploaded.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct UploadQuery {
    /// Its file's name, by which worlds and other modules name it. Compressed files (`.xz`, `.zst`,
    /// `.gz`) are unpacked.
    #[param(
        example = "crc16.ko",
        min_length = 1,
        max_length = 128,
        pattern = "^[A-Za-z0-9_+-][A-Za-z0-9._+-]*$"
    )]
    pub name: String,
}

impl From<lcd_results::Module> for ModuleAnswer {
    fn from(module: lcd_results::Module) -> Self {
        let lcd_results::Module { id, name, size, uploaded_at, .. } = module;
        let href = format!("/api/v1/modules/{id}");
        Self { id, name, size, uploaded_at: rfc3339(uploaded_at), href }
    }
}

/// Upload a module. The same bytes are kept once, under the name they came with first.
#[utoipa::path(post, path = "/api/v1/modules", tag = "modules", params(UploadQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream",
        description = "The module's file."),
    responses(
        (status = 201, description = "It is stored.", body = ModuleAnswer,
            headers(("location" = String, description = "Where it is."))),
        (status = 200, description = "The same bytes were there already.", body = ModuleAnswer),
    ))]
pub(super) async fn upload(
    State(app): State<App>,
    Query(query): Query<UploadQuery>,
    headers: HeaderMap,
    request: axum::extract::Request,
) -> Result<Response, Problem> {
    let _permit = app.upload()?;
    media_type(&headers, &["application/octet-stream"])?;
    let Body(bytes) = Body::from_request(request, &()).await?;
    let limit = app.config().limits.module_bytes;
    let results = app.results();
    let (module, new) =
        app.blocking(move || uploads::add_module(&results, &query.name, &bytes, limit)).await?;
    let answer = ModuleAnswer::from(module);
    let location = [(header::LOCATION, answer.href.clone())];
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, location, Json(answer)).into_response())
}

/// All modules.
#[utoipa::path(get, path = "/api/v1/modules", tag = "modules", params(PageQuery),
    responses((status = 200, description = "A page of them.", body = Page<ModuleAnswer>)))]
pub(super) async fn list(
    State(app): State<App>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<ModuleAnswer>>, Problem> {
    let page = paging::read(&query)?;
    let modules = app.look_up(|results| results.modules(page))?;
    Ok(Json(Page::of(modules, page, |module| module.sequence, ModuleAnswer::from)))
}

/// One module, looked into.
#[utoipa::path(get, path = "/api/v1/modules/{id}", tag = "modules",
    params(("id" = String, Path, description = "Its id, or its name.")),
    responses((status = 200, description = "It.", body = ModuleDetails)))]
pub(super) async fn get(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<ModuleDetails>, Problem> {
    let module = uploads::find_module(&app.results(), &id)?;
    let (asked, inspected) = (app.clone(), module.clone());
    let report = app
        .blocking(move || uploads::inspect(&asked.results(), asked.modules(), &inspected))
        .await?;
    Ok(Json(ModuleDetails { module: module.into(), report }))
}

/// The bytes of a module.
#[utoipa::path(get, path = "/api/v1/modules/{id}/content", tag = "modules",
    params(("id" = String, Path, description = "Its id, or its name.")),
    responses((status = 200, description = "They.", body = Vec<u8>, content_type = "application/octet-stream")))]
pub(super) async fn content(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let module = uploads::find_module(&app.results(), &id)?;
    let bytes = app.store(move |results| results.module_bytes(&module.id)).await?;
    let bytes = bytes.ok_or_else(|| Problem::no_such("module", id))?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response())
}

/// Delete a module. Worlds that were made with it keep their own copy.
#[utoipa::path(delete, path = "/api/v1/modules/{id}", tag = "modules",
    params(("id" = String, Path, description = "Its id, or its name.")),
    responses((status = 204, description = "It is gone.")))]
pub(super) async fn delete(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let module = uploads::find_module(&app.results(), &id)?;
    app.store(move |results| results.delete_module(&module.id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
