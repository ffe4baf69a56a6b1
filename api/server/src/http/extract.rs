//! What handlers take from a request. Whatever does not fit becomes a problem that says what.

use std::time::Duration;

use axum::body::{Bytes, HttpBody as _};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header;
use axum::http::request::Parts;
use bytes::BytesMut;
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;

use crate::problem::{Kind, Problem};

/// A part of the path.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

/// The parameters after the question mark. Unknown ones are the type's business: with
/// `deny_unknown_fields` they are refused.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

/// A body of JSON.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

/// A body as it came, within the limit of its route.
#[derive(Clone, Debug)]
pub struct Body(pub Bytes);

impl<T, S> FromRequestParts<S> for Path<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            // A run is a number: nothing else is called like one.
            Err(rejection) => Err(Problem::new(Kind::NOT_FOUND, rejection.body_text())),
        }
    }
}

impl<T, S> FromRequestParts<S> for Query<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(Problem::new(Kind::BAD_REQUEST, rejection.body_text())),
        }
    }
}

impl<T, S> FromRequest<S> for Json<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        expect_media_type(&request, &["application/json"])?;
        let Body(bytes) = Body::from_request(request, state).await?;
        // A list would be taken for the fields in their order, and an empty one for all defaults.
        if bytes.trim_ascii_start().starts_with(b"[") {
            return Err(Problem::invalid("the body must be a JSON object, not a list"));
        }
        let read = serde_json::from_slice(&bytes);
        read.map(Self).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => Problem::invalid(error),
            _ => Problem::new(Kind::BAD_REQUEST, format!("the body is not JSON: {error}")),
        })
    }
}

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let limits = request.extensions().get::<BodyLimits>().copied().unwrap_or_default();
        limits.read(request.into_body()).await.map(Self)
    }
}

/// What a body may be like, on some route: set by [`BodyLimits::layer`].
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// Bytes it may have.
    pub bytes: usize,
    /// How long it may pause.
    pub pause: Duration,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self { bytes: 64 << 10, pause: Duration::from_secs(10) }
    }
}

impl BodyLimits {
    /// Sets the limits of a route.
    pub fn layer(self) -> axum::Extension<Self> {
        axum::Extension(self)
    }

    async fn read(self, mut body: axum::body::Body) -> Result<Bytes, Problem> {
        let too_large = || {
            let detail = format!("the body may have {} bytes here", self.bytes);
            Err(Problem::new(Kind::TOO_LARGE, detail))
        };
        // What Content-Length announces, if it does.
        let announced = body.size_hint().lower();
        if announced > self.bytes as u64 {
            return too_large();
        }
        let mut bytes = BytesMut::with_capacity(announced.min(1 << 20) as usize);
        loop {
            let frame = tokio::time::timeout(self.pause, body.frame()).await;
            let Ok(frame) = frame else {
                let detail = format!("the body paused for more than {:?}", self.pause);
                return Err(Problem::new(Kind::SLOW_REQUEST, detail));
            };
            match frame {
                None => return Ok(bytes.freeze()),
                Some(Ok(frame)) => {
                    let data = frame.into_data().unwrap_or_default();
                    if bytes.len() + data.len() > self.bytes {
                        return too_large();
                    }
                    bytes.extend_from_slice(&data);
                }
                Some(Err(error)) => {
                    let detail = format!("the body broke off: {error}");
                    return Err(Problem::new(Kind::BAD_REQUEST, detail));
                }
            }
        }
    }
}

/// Refuses a body of another media type than these. Parameters such as a charset do not matter.
///
/// # Errors
/// [`Kind::UNSUPPORTED_MEDIA_TYPE`], with those that would do.
pub fn expect_media_type(request: &Request, accepted: &[&str]) -> Result<(), Problem> {
    media_type(request.headers(), accepted).map(drop)
}

/// Which of `accepted` the body is said to be.
///
/// # Errors
/// As [`expect_media_type`].
pub fn media_type<'a>(
    headers: &axum::http::HeaderMap,
    accepted: &[&'a str],
) -> Result<&'a str, Problem> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = given.and_then(|text| text.split(';').next()).map(str::trim);
    let found =
        accepted.iter().find(|known| essence.is_some_and(|e| e.eq_ignore_ascii_case(known)));
    found.copied().ok_or_else(|| {
        let given = given.map_or_else(|| "none was given".into(), |given| format!("not `{given}`"));
        let detail = format!("the Content-Type must be {}; {given}", accepted.join(" or "));
        Problem::new(Kind::UNSUPPORTED_MEDIA_TYPE, detail)
    })
}
