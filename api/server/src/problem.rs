//! What went wrong, for the caller: RFC 9457 problem details, whatever the cause.
//!
//! A handler that fails returns a [`Problem`]; what never reaches a handler (no such path, a body
//! that is too long, a panic) becomes one in [`crate::http`]. The kinds are listed once, here, and
//! served at `/problems/{kind}`.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The media type of problem details (RFC 9457, section 6.1).
pub const MEDIA_TYPE: &str = "application/problem+json";

/// A kind of problem: what its `type` names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kind {
    /// The last part of its `type`.
    pub name: &'static str,
    /// The status of the answer.
    pub status: StatusCode,
    /// What it is, in a few words, the same every time.
    pub title: &'static str,
    /// What to do about it, if the occurrence says nothing more special.
    pub advice: &'static str,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $constant:ident = $name:literal, $status:ident, $title:literal, $advice:literal;)*) => {
        impl Kind {
            $($(#[$doc])* pub const $constant: Self = Self {
                name: $name, status: StatusCode::$status, title: $title, advice: $advice,
            };)*
            /// All of them, by name.
            pub const ALL: &[Self] = &[$(Self::$constant),*];
        }
    };
}

kinds! {
    /// The request makes no sense as HTTP or has a parameter that cannot be read.
    BAD_REQUEST = "bad-request", BAD_REQUEST, "The request cannot be read",
        "Compare it with the description at /docs.";
    /// The server is still busy with the thing, or the thing is not far enough.
    CONFLICT = "conflict", CONFLICT, "It is in the wrong state for that",
        "Look at its state first.";
    /// The `Origin` or `Sec-Fetch-Site` says that a page of somebody else's asks.
    FOREIGN_ORIGIN = "foreign-origin", FORBIDDEN, "A page of another origin asks",
        "Requests of web pages are served for this server's own pages only; scripts send no Origin.";
    /// The `Host` is none of this server's names.
    FOREIGN_HOST = "foreign-host", MISDIRECTED_REQUEST, "This server does not go by that name",
        "Use the address that the server printed, or start it with --allow-host NAME.";
    /// The request's line and headers are too long.
    HEAD_TOO_LARGE = "head-too-large", REQUEST_HEADER_FIELDS_TOO_LARGE,
        "The request's head is too long",
        "Send fewer and shorter headers: 64, and 32 KiB with the line before them.";
    /// Something is wrong in this program.
    INTERNAL = "internal", INTERNAL_SERVER_ERROR, "Something went wrong in the server",
        "The server's log has more under the same request id; please report it.";
    /// It was, but its bytes are no longer what they were.
    DAMAGED = "damaged", INTERNAL_SERVER_ERROR, "What was stored is damaged",
        "Restart the server: it rebuilds its index from the journal and says what it could not save.";
    /// The path exists, with other methods.
    METHOD_NOT_ALLOWED = "method-not-allowed", METHOD_NOT_ALLOWED, "The method is not for this path",
        "The Allow header lists those that are.";
    /// Nothing is there.
    NOT_FOUND = "not-found", NOT_FOUND, "There is no such thing",
        "/docs lists all paths; things that were deleted do not come back.";
    /// The store has no room.
    STORAGE_FULL = "storage-full", INSUFFICIENT_STORAGE, "There is no room left to store it",
        "Delete runs and uploads that are no longer needed, or make room on the server's disk.";
    /// Too long.
    TOO_LARGE = "too-large", PAYLOAD_TOO_LARGE, "The body is too long",
        "The limits are in /api/v1/host, under `limits`.";
    /// Too many at once.
    TOO_MANY = "too-many", TOO_MANY_REQUESTS, "Too much at once",
        "Wait for as many seconds as Retry-After says, and try again.";
    /// The body did not come in time.
    SLOW_REQUEST = "slow-request", REQUEST_TIMEOUT, "The request took too long to arrive",
        "Send it again, without pauses.";
    /// It took the server too long.
    TIMEOUT = "timeout", GATEWAY_TIMEOUT, "The answer took too long",
        "Try again later, or ask for less.";
    /// No token, or a wrong one.
    UNAUTHORIZED = "unauthorized", UNAUTHORIZED, "A token is needed",
        "Send `Authorization: Bearer TOKEN` with the token of the server's token file.";
    /// The server is about to end, or has not begun.
    UNAVAILABLE = "unavailable", SERVICE_UNAVAILABLE, "The server cannot do that now",
        "Try again in a few seconds.";
    /// Not a media type that is read here.
    UNSUPPORTED_MEDIA_TYPE = "unsupported-media-type", UNSUPPORTED_MEDIA_TYPE,
        "The body's media type is not one that is read here",
        "Set Content-Type to one that /docs names for this path.";
    /// Understood, and wrong.
    INVALID = "invalid", UNPROCESSABLE_ENTITY, "What was sent is wrong",
        "Correct what the detail names.";
    /// The target is longer than any that this server has.
    URI_TOO_LONG = "uri-too-long", URI_TOO_LONG, "The address is too long",
        "Shorten the parameters.";
}

/// An occurrence of a problem.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    kind: Kind,
    detail: String,
    advice: Option<String>,
    retry_after: Option<u64>,
}

/// A problem as it is sent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProblemDetails {
    /// Which kind it is: `/problems/{kind}`, a page that describes it.
    #[schema(example = "/problems/not-found")]
    pub r#type: String,
    /// The kind in a few words.
    pub title: String,
    /// The status of the answer, again.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// What is wrong this time.
    pub detail: String,
    /// What to do about it.
    pub advice: String,
    /// This occurrence in the server's log: the same as the `x-request-id` header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
}

impl Problem {
    /// A problem of a kind, with what is wrong this time.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), advice: None, retry_after: None }
    }

    /// Says what to do in place of the kind's general advice.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// Says after how many seconds to try again.
    #[must_use]
    pub const fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// There is no `what` called `name`.
    pub fn no_such(what: &str, name: impl std::fmt::Display) -> Self {
        Self::new(Kind::NOT_FOUND, format!("there is no {what} {name}"))
    }

    /// What was sent is wrong.
    pub fn invalid(detail: impl std::fmt::Display) -> Self {
        Self::new(Kind::INVALID, detail.to_string())
    }

    /// A bug, or a failure of the machine; the detail is for the log as well.
    pub fn internal(detail: impl std::fmt::Display) -> Self {
        Self::new(Kind::INTERNAL, detail.to_string())
    }

    /// Its kind.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// What is wrong.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// As it is sent, for a request with this id.
    pub fn details(&self, instance: Option<&str>) -> ProblemDetails {
        ProblemDetails {
            r#type: format!("/problems/{}", self.kind.name),
            title: self.kind.title.into(),
            status: self.kind.status.as_u16(),
            detail: self.detail.clone(),
            advice: self.advice.clone().unwrap_or_else(|| self.kind.advice.into()),
            instance: instance.map(|id| format!("urn:request:{id}")),
        }
    }
}

impl IntoResponse for Problem {
    /// The body is written by [`crate::http::surround`], which knows the request's id.
    fn into_response(self) -> Response {
        let mut response = self.kind.status.into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.kind == Kind::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer realm=\"lcd\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<lcd_results::ResultsError> for Problem {
    fn from(error: lcd_results::ResultsError) -> Self {
        use lcd_results::ResultsError as E;
        let kind = match &error {
            E::NotFound { .. } => Kind::NOT_FOUND,
            E::InUse { .. } => Kind::CONFLICT,
            E::Full { .. } => Kind::STORAGE_FULL,
            E::Damaged { .. } => Kind::DAMAGED,
            _ => Kind::INTERNAL,
        };
        Self::new(kind, error.to_string())
    }
}
