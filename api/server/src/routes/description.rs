//! The description of all this: OpenAPI 3.1, and pages to read it.

use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, Info, LicenseBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, ResponseBuilder,
    SecurityRequirement,
};
use utoipa_swagger_ui::SwaggerUi;

use crate::http::extract::Path;
use crate::problem::{Kind, MEDIA_TYPE, Problem, ProblemDetails};

/// Where the description is.
const JSON: &str = "/api/v1/openapi.json";

/// What the description says besides the paths.
pub(super) fn outline() -> OpenApi {
    let mut info = Info::new("lcd", env!("CARGO_PKG_VERSION"));
    info.description = Some(
        "Modules and worlds in, runs and verdicts out. Long work is a resource with a state: ask \
         for it, look at it, follow its stream. Whatever is refused says why and what to do, as \
         problem details (RFC 9457)."
            .into(),
    );
    info.license = Some(
        LicenseBuilder::new()
            .name("MIT OR Apache-2.0")
            .identifier(Some("MIT OR Apache-2.0"))
            .build(),
    );
    let mut api = OpenApiBuilder::new().info(info).build();
    let components = api.components.get_or_insert_default();
    let token = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    components.add_security_scheme("token", token);
    // With a token file every request needs the token, without one none does.
    let none = SecurityRequirement::default();
    api.security = Some(vec![none, SecurityRequirement::new::<_, [&str; 0], &str>("token", [])]);
    api
}

/// Adds what every operation can answer.
pub(super) fn complete(mut api: OpenApi) -> OpenApi {
    use utoipa::{PartialSchema as _, ToSchema as _};
    let components = api.components.get_or_insert_default();
    components.schemas.insert(ProblemDetails::name().into(), ProblemDetails::schema());
    for (path, item) in &mut api.paths.paths {
        let has_parameter = path.contains('{');
        let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.delete];
        for (index, operation) in operations.into_iter().enumerate() {
            let Some(operation) = operation else { continue };
            name(operation);
            for kind in possible(path, has_parameter, index == 1, operation) {
                let code = kind.status.as_u16().to_string();
                let responses = &mut operation.responses.responses;
                responses.entry(code).or_insert_with(|| RefOr::T(response(kind)));
            }
        }
    }
    api
}

/// Functions of different resources have the same names; operations must not.
fn name(operation: &mut Operation) {
    let tag = operation.tags.iter().flatten().next();
    if let (Some(tag), Some(id)) = (tag, &operation.operation_id) {
        operation.operation_id = Some(format!("{tag}_{id}"));
    }
}

/// The problems that an operation can meet.
fn possible(path: &str, named: bool, posts: bool, operation: &Operation) -> Vec<Kind> {
    let mut kinds = vec![
        Kind::BAD_REQUEST,
        Kind::UNAUTHORIZED,
        Kind::FOREIGN_ORIGIN,
        Kind::FOREIGN_HOST,
        Kind::TOO_MANY,
        Kind::INTERNAL,
        Kind::UNAVAILABLE,
        Kind::TIMEOUT,
    ];
    if named {
        kinds.push(Kind::NOT_FOUND);
    }
    if operation.request_body.is_some() {
        kinds.extend([
            Kind::TOO_LARGE,
            Kind::UNSUPPORTED_MEDIA_TYPE,
            Kind::INVALID,
            Kind::SLOW_REQUEST,
        ]);
    }
    if posts {
        kinds.extend([Kind::NOT_FOUND, Kind::CONFLICT, Kind::INVALID, Kind::STORAGE_FULL]);
    }
    if named && path.starts_with("/api/v1/") {
        kinds.extend([Kind::CONFLICT, Kind::INVALID]);
    }
    kinds
}

fn response(kind: Kind) -> utoipa::openapi::Response {
    let schema = Ref::from_schema_name("ProblemDetails");
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let mut description = format!("{}.", kind.title);
    if kind == Kind::INTERNAL {
        description = format!("{} {}.", description, Kind::DAMAGED.title);
    }
    ResponseBuilder::new().description(description).content(MEDIA_TYPE, content).build()
}

/// Serves the description and the pages to read it.
pub(super) fn serve(routes: Router, api: &OpenApi) -> Router {
    // Its scripts and styles are files of its own, some styles are in the page.
    let policy = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                  frame-ancestors 'none'";
    let layer = SetResponseHeaderLayer::overriding(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(policy),
    );
    let docs: Router =
        Router::new().merge(SwaggerUi::new("/docs").url(JSON, api.clone())).layer(layer.clone());
    let problems = Router::new().route("/problems/{kind}", get(problem)).layer(layer);
    routes.merge(docs).merge(problems)
}

/// A page about a kind of problem.
async fn problem(Path(name): Path<String>) -> Result<Response, Problem> {
    let found = Kind::ALL.iter().find(|kind| kind.name == name);
    let kind = found.ok_or_else(|| Problem::no_such("problem", name.escape_debug()))?;
    let Kind { title, advice, status, name } = kind;
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>\
         <style>body{{font:1rem/1.5 sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}}</style>\
         <h1>{title}</h1><p>{advice}</p><p><code>{name}</code>, status {status}. \
         <a href=\"/docs\">The whole description</a></p>"
    );
    Ok((StatusCode::OK, Html(page)).into_response())
}
