//! Who is let in, before anything else looks at a request.
//!
//! - `Host` must be one of the server's own names. Otherwise a page from elsewhere could make its
//!   own name mean 127.0.0.1 and read what this server says (DNS rebinding).
//! - `Origin`, if there is one, must be one of them too, and `Sec-Fetch-Site` must not say that
//!   another site asks: no page of somebody else's starts a run here.
//! - The page's own files are for links and frames on any page: for them `Sec-Fetch-Site` is not looked
//!   at. They are the same in every copy of this program.
//! - With a token configured, every request must show it, but those for the probes, the
//!   documentation and the page's own files.

use std::net::SocketAddr;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header, uri::Authority};
use axum::middleware::Next;
use axum::response::Response;

use crate::config::Token;
use crate::page;
use crate::problem::{Kind, Problem};

/// What is checked.
#[derive(Clone, Debug)]
pub struct Guard {
    names: Vec<String>,
    token: Option<Token>,
}

/// Paths that answer whoever asks: they say that the server is there, and whether it works.
const PROBES: [&str; 2] = ["/healthz", "/readyz"];
/// A path that answers without a token: it says what the server understands.
const OPEN: &str = "/api/v1/openapi.json";
/// Whole directories of such.
const OPEN_BELOW: [&str; 2] = ["/docs", "/problems/"];

/// Whether a path is for those who watch the server.
pub(super) fn is_probe(path: &str) -> bool {
    PROBES.contains(&path)
}

impl Guard {
    /// A guard for a server at this address.
    pub fn new(address: SocketAddr, further: &[String], token: Option<Token>) -> Self {
        let mut names = vec![address.ip().to_string()];
        if address.ip().is_loopback() || address.ip().is_unspecified() {
            names.extend(["localhost", "127.0.0.1", "::1"].map(String::from));
        }
        // Whoever gives a port with a name means the name.
        let host = |name: &String| match name.parse::<Authority>() {
            Ok(authority) => authority.host().to_ascii_lowercase(),
            Err(_) => name.to_ascii_lowercase(),
        };
        names.extend(further.iter().map(host));
        names.sort();
        names.dedup();
        Self { names, token }
    }

    /// Whether a request may go on.
    ///
    /// # Errors
    /// [`Kind::FOREIGN_HOST`], [`Kind::FOREIGN_ORIGIN`] or [`Kind::UNAUTHORIZED`].
    pub fn admit(&self, request: &Request) -> Result<(), Problem> {
        // A probe knows an address, not a name, and learns nothing.
        if is_probe(request.uri().path()) {
            return Ok(());
        }
        let headers = request.headers();
        let host = self.check_host(request)?;
        check_origin(host, headers)?;
        if is_page(request) {
            return Ok(());
        }
        check_site(headers)?;
        match &self.token {
            Some(token) if !is_open(request.uri().path()) => check_token(token, headers),
            _ => Ok(()),
        }
    }

    /// The name that the request calls this server by.
    fn check_host<'a>(&self, request: &'a Request) -> Result<&'a str, Problem> {
        let mut hosts = request.headers().get_all(header::HOST).iter();
        let (first, second) = (hosts.next(), hosts.next());
        let given = first.and_then(|host| host.to_str().ok()).unwrap_or_default();
        let target = request.uri().authority().map(Authority::as_str);
        // An absolute target counts before the header (RFC 9112, section 3.2.2), so both must fit.
        let fits = second.is_none() && self.knows(given) && target.is_none_or(|t| self.knows(t));
        if fits {
            return Ok(given);
        }
        let detail = format!("the Host `{given}` is none of {}", self.names.join(", "));
        Err(Problem::new(Kind::FOREIGN_HOST, detail))
    }

    /// Whether `host`, or `host:port`, is this server. The port is not looked at, so that one that
    /// is forwarded from elsewhere works.
    fn knows(&self, host_and_port: &str) -> bool {
        let Ok(authority) = host_and_port.parse::<Authority>() else { return false };
        if host_and_port.contains('@') {
            return false;
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        self.names.iter().any(|name| name.eq_ignore_ascii_case(host))
    }
}

fn is_open(path: &str) -> bool {
    path == OPEN || OPEN_BELOW.iter().any(|directory| path.starts_with(directory))
}

/// Whether somebody wants a file of the page, and nothing else.
fn is_page(request: &Request) -> bool {
    let reads = [Method::GET, Method::HEAD].contains(request.method());
    reads && page::file(request.uri().path()).is_some()
}

/// Browsers say whose page asks.
fn check_site(headers: &HeaderMap) -> Result<(), Problem> {
    let site = headers.get("sec-fetch-site").and_then(|site| site.to_str().ok());
    match site {
        Some(site @ ("cross-site" | "same-site")) => {
            Err(Problem::new(Kind::FOREIGN_ORIGIN, format!("Sec-Fetch-Site is {site}")))
        }
        _ => Ok(()),
    }
}

/// Another port is another origin, so an `Origin` must be what the request calls this server.
fn check_origin(host: &str, headers: &HeaderMap) -> Result<(), Problem> {
    for origin in headers.get_all(header::ORIGIN) {
        let text = origin.to_str().unwrap_or_default();
        let authority = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
        if !authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host)) {
            let detail = format!("the Origin `{text}` is not this server, `{host}`");
            return Err(Problem::new(Kind::FOREIGN_ORIGIN, detail));
        }
    }
    Ok(())
}

fn check_token(token: &Token, headers: &HeaderMap) -> Result<(), Problem> {
    let refused = |detail: &str| Err(Problem::new(Kind::UNAUTHORIZED, detail));
    let Some(given) = headers.get(header::AUTHORIZATION) else {
        return refused("there is no Authorization header");
    };
    let shown = given.as_bytes();
    match shown.split_at_checked(7) {
        Some((scheme, shown)) if scheme.eq_ignore_ascii_case(b"bearer ") => {
            if token.matches(shown.trim_ascii()) { Ok(()) } else { refused("the token is wrong") }
        }
        _ => refused("the Authorization header is not `Bearer TOKEN`"),
    }
}

/// The guard as a layer.
pub async fn admit(
    State(guard): State<std::sync::Arc<Guard>>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    guard.admit(&request)?;
    Ok(next.run(request).await)
}

#[cfg(test)]
mod tests {
    use super::Guard;
    use crate::config::Token;
    use axum::body::Body;
    use axum::extract::Request;

    fn request(headers: &[(&str, &str)]) -> Request {
        let mut builder = Request::builder().uri("/api/v1");
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.body(Body::empty()).unwrap()
    }

    fn status(guard: &Guard, headers: &[(&str, &str)]) -> u16 {
        guard
            .admit(&request(headers))
            .map_or_else(|problem| problem.kind().status.as_u16(), |()| 200)
    }

    #[test]
    fn only_the_servers_own_names_are_answered() {
        let guard =
            Guard::new("127.0.0.1:7171".parse().unwrap(), &["Lab.example:443".into()], None);
        for host in ["127.0.0.1:7171", "localhost", "LOCALHOST:80", "[::1]:7171", "lab.example:1"] {
            assert_eq!(status(&guard, &[("host", host)]), 200, "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.nip.io",
            "a@localhost",
            "[::2]",
        ] {
            assert_eq!(status(&guard, &[("host", host)]), 421, "{host}");
        }
        assert_eq!(status(&guard, &[]), 421);
        assert_eq!(status(&guard, &[("host", "localhost"), ("host", "evil")]), 421);
    }

    #[test]
    fn pages_of_others_are_not_answered() {
        let guard = Guard::new("127.0.0.1:7171".parse().unwrap(), &[], None);
        let with = |name, value| status(&guard, &[("host", "localhost:7171"), (name, value)]);
        assert_eq!(with("origin", "http://localhost:7171"), 200);
        assert_eq!(with("origin", "http://localhost:3000"), 403);
        assert_eq!(with("origin", "null"), 403);
        assert_eq!(with("origin", "http://evil.example"), 403);
        assert_eq!(with("origin", "http://localhost@evil.example"), 403);
        assert_eq!(with("sec-fetch-site", "same-origin"), 200);
        assert_eq!(with("sec-fetch-site", "none"), 200);
        assert_eq!(with("sec-fetch-site", "cross-site"), 403);
        assert_eq!(with("sec-fetch-site", "same-site"), 403);
    }

    #[test]
    fn a_token_is_asked_for_except_by_probes() {
        let place = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(place.path(), "0123456789abcdef").unwrap();
        let token = Token::read(place.path()).unwrap();
        let guard = Guard::new("127.0.0.1:7171".parse().unwrap(), &[], Some(token));
        let with = |value| status(&guard, &[("host", "localhost"), ("authorization", value)]);
        assert_eq!(with("Bearer 0123456789abcdef"), 200);
        assert_eq!(with("bearer 0123456789abcdef"), 200);
        for wrong in ["Bearer 0123456789abcdeF", "Bearer ", "Basic 0123456789abcdef", "é", ""] {
            assert_eq!(with(wrong), 401, "{wrong}");
        }
        assert_eq!(status(&guard, &[("host", "localhost")]), 401);
        let mut probe = request(&[("host", "localhost")]);
        *probe.uri_mut() = "/healthz".parse().unwrap();
        guard.admit(&probe).unwrap();
        probe.headers_mut().insert("host", "10.0.0.7:7171".parse().unwrap());
        guard.admit(&probe).unwrap();
        *probe.uri_mut() = "/api/v1/openapi.json".parse().unwrap();
        assert!(guard.admit(&probe).is_err(), "another name");
    }

    #[test]
    fn files_of_the_page_are_for_links_and_frames_on_any_page() {
        let place = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(place.path(), "0123456789abcdef").unwrap();
        let token = Token::read(place.path()).unwrap();
        let guard = Guard::new("127.0.0.1:7171".parse().unwrap(), &[], Some(token));
        let asks = |method: &str, path: &str, headers: &[(&str, &str)]| {
            let mut request = request(headers);
            *request.method_mut() = method.parse().unwrap();
            *request.uri_mut() = path.parse().unwrap();
            guard.admit(&request).map_or_else(|problem| problem.kind().status.as_u16(), |()| 200)
        };
        let own = ("host", "localhost");
        let foreign = ("sec-fetch-site", "cross-site");
        for path in ["/", "/index.html", "/embed.html", "/lcd/site.json", "/lcd/sim.wasm"] {
            for method in ["GET", "HEAD"] {
                assert_eq!(asks(method, path, &[own, foreign]), 200, "{path}");
            }
            assert_eq!(asks("GET", path, &[("host", "evil.example")]), 421, "{path}");
            assert_eq!(asks("GET", path, &[own, ("origin", "http://evil.example")]), 403, "{path}");
            assert_eq!(asks("POST", path, &[own, foreign]), 403, "{path}");
            assert_eq!(asks("POST", path, &[own]), 401, "{path}");
        }
        for path in ["/api/v1", "/docs/", "/metrics", "/assets/nothing", "//", "/lcd/../api/v1"] {
            assert_eq!(asks("GET", path, &[own, foreign]), 403, "{path}");
        }
    }
}
