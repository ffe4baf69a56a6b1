//! The page: files that are part of this program. They hold nothing secret, and say nothing of what
//! this server has; for that the page asks the API, like everybody else.

use std::net::Ipv6Addr;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use lcd_page::{File, POLICY, Page};

use crate::http::AnyFrame;
use crate::problem::{Kind, Problem};

/// A lesson, for the pages of others.
const EMBEDDED: &str = "/embed.html";

/// The file that a path names, if it is one of the page's.
pub(crate) fn file(path: &str) -> Option<&'static File> {
    match path.strip_prefix('/')? {
        "" => Page::served().get("index.html"),
        name => Page::served().get(name),
    }
}

/// Makes the page ready, so that nobody has to wait for that.
pub(crate) fn prepare() {
    Page::served();
}

/// Serves it.
pub(crate) fn routes() -> Router {
    let directories = ["/", "/assets/{*path}", "/lcd/{*path}"].map(String::from);
    let names = Page::served().files().filter(|(path, _)| !path.contains('/'));
    let all = names.map(|(path, _)| format!("/{path}")).chain(directories);
    all.fold(Router::new(), |routes, path| routes.route(&path, get(answer)))
}

async fn answer(request: Request) -> Result<Response, Problem> {
    let path = request.uri().path();
    let file = file(path).ok_or_else(|| Problem::new(Kind::NOT_FOUND, "there is no such file"))?;
    let headers = request.headers();
    let gzipped = match accepts_gzip(headers) {
        true => tokio::task::spawn_blocking(|| file.gzipped()).await.map_err(Problem::internal)?,
        false => None,
    };
    let tag = match gzipped {
        // Other bytes need another tag.
        Some(_) => format!("{}-gzip\"", file.etag.trim_end_matches('"')),
        None => file.etag.clone(),
    };
    let mut response = match is_known(headers, &tag) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => Body::from(gzipped.unwrap_or(&file.bytes)).into_response(),
    };
    let modified = response.status() == StatusCode::OK;
    let cache = if file.immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
    let answer = response.headers_mut();
    let mut set = |name, value| answer.insert(name, HeaderValue::from_static(value));
    set(header::CACHE_CONTROL, cache);
    set(header::VARY, "accept-encoding");
    // With `no-referrer` the page's own requests would have no origin, either.
    set(header::REFERRER_POLICY, "same-origin");
    let embedded = path == EMBEDDED;
    set(RESOURCE_POLICY, if embedded { "cross-origin" } else { "same-origin" });
    if modified {
        set(header::CONTENT_TYPE, file.media_type);
        if gzipped.is_some() {
            set(header::CONTENT_ENCODING, "gzip");
        }
    }
    let policy = if embedded { policy_embedded(headers) } else { policy() };
    for (name, value) in [(header::ETAG, tag), (header::CONTENT_SECURITY_POLICY, policy)] {
        answer.insert(name, HeaderValue::try_from(value).map_err(Problem::internal)?);
    }
    if embedded {
        response.extensions_mut().insert(AnyFrame);
    }
    Ok(response)
}

const RESOURCE_POLICY: header::HeaderName =
    header::HeaderName::from_static("cross-origin-resource-policy");

/// The page shows results and starts runs, with whatever token it was told: in the frame of
/// somebody else's page, people could be made to click on what they do not see.
fn policy() -> String {
    format!("{POLICY}; frame-ancestors 'none'")
}

/// A lesson is made to be shown on other pages. It has no part that asks for results or starts runs,
/// and the browser sees to it that it cannot: it may fetch files of the page and nothing else.
fn policy_embedded(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.and_then(|host| host.parse::<Authority>().ok());
    let own = match host {
        // A policy cannot name such an address.
        Some(host) if host.host().trim_matches(['[', ']']).parse::<Ipv6Addr>().is_ok() => {
            "'self'".into()
        }
        Some(host) => {
            let port = host.port_u16().map_or(String::new(), |port| format!(":{port}"));
            let name = host.host();
            format!("{name}{port}/assets/ {name}{port}/lcd/")
        }
        None => "'none'".into(),
    };
    let policy = POLICY.replace("connect-src 'self'", &format!("connect-src {own}"));
    format!("{policy}; frame-ancestors *")
}

/// Whether the client has what the tag names (RFC 9110, section 13.1.2).
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let lists = headers.get_all(header::IF_NONE_MATCH).iter();
    let mut given = lists.filter_map(|list| list.to_str().ok()).flat_map(|list| list.split(','));
    given.any(|given| {
        let given = given.trim();
        given == "*" || given.strip_prefix("W/").unwrap_or(given) == tag
    })
}

/// Whether the client takes gzip (RFC 9110, section 12.5.3).
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let lists = headers.get_all(header::ACCEPT_ENCODING).iter();
    let parts = lists.filter_map(|list| list.to_str().ok()).flat_map(|list| list.split(','));
    let mut any = None;
    for part in parts {
        let (name, weight) = part.split_once(';').unwrap_or((part, ""));
        let weight = weight.trim().trim_start_matches(['q', 'Q']).trim_start_matches('=');
        let wanted = weight.is_empty() || weight.parse::<f32>().is_ok_and(|weight| weight > 0.0);
        match name.trim() {
            name if name.eq_ignore_ascii_case("gzip") => return wanted,
            "*" => any = Some(wanted),
            _ => {}
        }
    }
    any.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::{accepts_gzip, file, is_known, policy_embedded};
    use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

    fn with(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn encodings_are_those_that_the_client_takes() {
        for (value, expected) in [
            ("gzip", true),
            ("br, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("*", true),
            ("*;q=0", false),
            ("gzip;q=0, *", false),
            ("br", false),
            ("", false),
            ("gzip;q=many", false),
        ] {
            assert_eq!(accepts_gzip(&with(header::ACCEPT_ENCODING, value)), expected, "{value}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }

    #[test]
    fn tags_are_compared_one_by_one() {
        let known = |value| is_known(&with(header::IF_NONE_MATCH, value), "\"a\"");
        assert!(known("\"a\"") && known("W/\"a\"") && known("\"b\", \"a\"") && known("*"));
        assert!(!known("\"b\"") && !known("a") && !known(""));
    }

    #[test]
    fn a_lesson_fetches_files_and_nothing_else() {
        let policy = |host| policy_embedded(&with(header::HOST, host));
        let local = policy("localhost:7171");
        assert!(local.contains("connect-src localhost:7171/assets/ localhost:7171/lcd/;"));
        assert!(
            policy("lab.example").contains("connect-src lab.example/assets/ lab.example/lcd/;")
        );
        assert!(policy("[::1]:7171").contains("connect-src 'self';"));
        assert!(local.ends_with("; frame-ancestors *"));
    }

    #[test]
    fn paths_are_those_of_files() {
        assert!(std::ptr::eq(file("/").unwrap(), file("/index.html").unwrap()));
        for path in ["", "//", "/index", "/assets/", "/lcd", "index.html", "/../index.html"] {
            assert!(file(path).is_none(), "{path}");
        }
    }
}
