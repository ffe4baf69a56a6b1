//! HTTP itself: connections, who is let in, how requests are watched, what every answer has.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use tokio::sync::Semaphore;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument as _;

mod bare;
pub mod connection;
pub mod extract;
pub mod guard;
mod linger;

use crate::config::Limits;
use crate::problem::{Kind, MEDIA_TYPE, Problem};
use guard::Guard;

/// Under which name a request is known in the server's log.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What a request is called in the log.
#[derive(Clone, Debug)]
pub struct RequestId(pub Arc<str>);

/// Marks an answer that the pages of others may show in a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AnyFrame;

/// Puts around all routes what every request goes through, from the outside inwards: it is named
/// and watched, a panic becomes an answer, it is let in or not, and it is counted.
pub fn surround(routes: Router, guard: Guard, limits: &Limits) -> Router {
    let permits = Arc::new(Semaphore::new(limits.requests));
    routes
        .layer(middleware::from_fn_with_state(permits, limit))
        .layer(middleware::from_fn_with_state(Arc::new(guard), guard::admit))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(Arc::new(RequestIds::new()), watch))
}

/// Refuses what takes longer than `allowed` to be answered. What is streamed after the answer has
/// begun is not counted.
pub async fn answer_within(
    State(allowed): State<Duration>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    tokio::time::timeout(allowed, next.run(request))
        .await
        .map_err(|_| Problem::new(Kind::TIMEOUT, format!("there was no answer within {allowed:?}")))
}

/// Refuses a request when as many as are allowed are being answered.
async fn limit(
    State(permits): State<Arc<Semaphore>>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let Ok(_permit) = permits.try_acquire() else {
        if guard::is_probe(request.uri().path()) {
            return Ok(next.run(request).await);
        }
        let problem = Problem::new(Kind::TOO_MANY, "too many requests are being answered");
        return Err(problem.retry_after(1));
    };
    Ok(next.run(request).await)
}

/// Makes names of requests that differ between starts of the server, too.
#[derive(Debug)]
struct RequestIds {
    start: u32,
    next: AtomicU64,
}

impl RequestIds {
    fn new() -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Self { start: now.unwrap_or_default().as_secs() as u32, next: AtomicU64::new(1) }
    }

    fn next(&self) -> RequestId {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        RequestId(format!("{:08x}-{number:x}", self.start).into())
    }
}

/// Names a request, logs and counts it, and completes its answer.
async fn watch(State(ids): State<Arc<RequestIds>>, mut request: Request, next: Next) -> Response {
    let id = ids.next();
    let start = Instant::now();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    // Paths as they were asked for have no end; routes do.
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = route.unwrap_or_else(|| "none".into());
    request.extensions_mut().insert(id.clone());
    let span = tracing::info_span!("request", id = %id.0, %method, path);
    let response = next.run(request).instrument(span.clone()).await;
    let response = complete(response, &id);
    let (status, elapsed) = (response.status(), start.elapsed());
    span.in_scope(|| {
        let problem = response.extensions().get::<Problem>().map(Problem::detail);
        let milliseconds = elapsed.as_secs_f64() * 1000.0;
        if status.is_server_error() {
            tracing::error!(status = status.as_u16(), milliseconds, problem, "answered");
        } else {
            tracing::info!(status = status.as_u16(), milliseconds, problem, "answered");
        }
    });
    let method = method_label(&method);
    let labels = [("method", method), ("route", route), ("status", status.as_str().to_owned())];
    metrics::counter!("lcd_http_requests_total", &labels).increment(1);
    metrics::histogram!("lcd_http_request_seconds", &labels[..2]).record(elapsed);
    response
}

/// Methods that anybody can invent are one label.
fn method_label(method: &axum::http::Method) -> String {
    use axum::http::Method;
    let known = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::OPTIONS,
        Method::PATCH,
    ];
    if known.contains(method) { method.to_string() } else { "other".into() }
}

/// Gives an answer what every one has; a failure gets its problem as the body.
fn complete(mut response: Response, id: &RequestId) -> Response {
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        let problem = response.extensions_mut().remove::<Problem>();
        let problem = problem.unwrap_or_else(|| unexplained(status));
        let details = problem.details(Some(&id.0));
        let body = serde_json::to_vec(&details).unwrap_or_default();
        let headers = std::mem::take(response.headers_mut());
        response = (status, body).into_response();
        for name in [header::ALLOW, header::RETRY_AFTER, header::WWW_AUTHENTICATE] {
            if let Some(value) = headers.get(&name) {
                response.headers_mut().insert(name, value.clone());
            }
        }
        let media_type = HeaderValue::from_static(MEDIA_TYPE);
        response.headers_mut().insert(header::CONTENT_TYPE, media_type);
        response.extensions_mut().insert(problem);
    }
    let framed = response.extensions().get::<AnyFrame>().is_some();
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        headers.insert(REQUEST_ID, value);
    }
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ];
    for (name, value) in fixed {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if !framed {
        headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    }
    response
}

/// What the router itself refuses comes with a status alone.
fn unexplained(status: StatusCode) -> Problem {
    match status {
        StatusCode::NOT_FOUND => Problem::new(Kind::NOT_FOUND, "there is no such path"),
        StatusCode::METHOD_NOT_ALLOWED => {
            Problem::new(Kind::METHOD_NOT_ALLOWED, "this path has other methods")
        }
        status => match Kind::ALL.iter().find(|kind| kind.status == status) {
            Some(kind) => Problem::new(*kind, kind.title),
            None if status.is_client_error() => Problem::new(Kind::BAD_REQUEST, status.to_string()),
            None => Problem::internal(status),
        },
    }
}

/// What a panicking handler's caller gets. The panic itself is in the server's log.
fn panicked(payload: Box<dyn Any + Send>) -> Response {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default();
    tracing::error!(panic = text, "a handler panicked");
    metrics::counter!("lcd_http_panics_total").increment(1);
    Problem::new(Kind::INTERNAL, "the server met a bug while it answered").into_response()
}

#[cfg(test)]
mod tests {
    use super::{answer_within, surround};
    use crate::config::Limits;
    use crate::http::guard::Guard;
    use crate::problem::ProblemDetails;
    use axum::Router;
    use axum::body::Body;
    use axum::extract::Request;
    use axum::middleware::from_fn_with_state;
    use axum::routing::{get, post};
    use http_body_util::BodyExt as _;
    use std::time::Duration;
    use tower::ServiceExt as _;

    async fn ask(path: &str) -> (u16, ProblemDetails, String) {
        let routes = Router::new()
            .route("/panic", get(|| async { panic!("on purpose") as &'static str }))
            .route("/never", get(|| async { std::future::pending::<&'static str>().await }))
            .route("/post", post(|| async { "ok" }))
            .layer(from_fn_with_state(Duration::from_millis(20), answer_within));
        let guard = Guard::new("127.0.0.1:1".parse().unwrap(), &[], None);
        let routes = surround(routes, guard, &Limits::default());
        let request = Request::builder().uri(path).header("host", "localhost");
        let answer = routes.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap(), id)
    }

    #[tokio::test]
    async fn panics_delays_and_what_no_handler_sees_are_problems() {
        for (path, status, kind) in [
            ("/panic", 500, "/problems/internal"),
            ("/never", 504, "/problems/timeout"),
            ("/post", 405, "/problems/method-not-allowed"),
            ("/nowhere", 404, "/problems/not-found"),
        ] {
            let (code, problem, id) = ask(path).await;
            assert_eq!((code, problem.status, problem.r#type.as_str()), (status, status, kind));
            assert_eq!(problem.instance, Some(format!("urn:request:{id}")));
            // What a panic says is for the log.
            assert!(!problem.detail.contains("on purpose") && !problem.advice.is_empty());
        }
    }
}
