//! HTTP, as far as a server is spoken to here: small requests, answers in JSON, and patience with a
//! server that is busy or was away for a moment.

use std::cell::Cell;
use std::io::Read as _;
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

use lcd_server::config::Token;
use lcd_server::problem::{MEDIA_TYPE, ProblemDetails};
use serde::de::DeserializeOwned;
use ureq::http::{Request, Response, header};
use ureq::{Agent, Body};

use super::failure::{Failure, plain};
use crate::output::Output;

/// Bytes that an answer in JSON may have.
pub(super) const JSON_MAX: u64 = 64 << 20;
/// Bytes that a problem may have.
const PROBLEM_MAX: u64 = 1 << 20;
/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);
/// How long nothing may come from a server that something was asked of. While a run is followed a
/// server says every 15 seconds that it is there.
const SILENCE: Duration = Duration::from_secs(60);
/// How long a server that is busy is asked again.
const BUSY: Duration = Duration::from_secs(300);
/// The longest pause that a server that is busy may ask for.
const BUSY_PAUSE: Duration = Duration::from_secs(30);
/// How long a server that has answered before, and then went away, is asked again.
const AWAY: Duration = Duration::from_secs(20);
/// The first pause before something is tried again, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// A server's address: `http://HOST[:PORT][/PATH]`, without a slash at its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Address(String);

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim_end_matches('/');
        let uri: ureq::http::Uri = text.parse().map_err(|_| not_one(text))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => {
                return Err(String::from(
                    "https is not spoken here: take the connection through a tunnel that is \
                     encrypted, as with `ssh -L 7171:127.0.0.1:7171 HOST`, and give \
                     http://127.0.0.1:7171",
                ));
            }
            _ => return Err(not_one(text)),
        }
        let host = uri.host().unwrap_or_default();
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        if host.is_empty() || authority.contains('@') || uri.query().is_some() || text.contains('#')
        {
            return Err(not_one(text));
        }
        Ok(Self(text.into()))
    }
}

fn not_one(text: &str) -> String {
    format!("`{text}` is no server's address: use http://HOST:PORT, as `lcd serve` prints it")
}

/// What is asked of a server.
#[derive(Clone, Copy)]
pub(super) struct Ask<'a> {
    /// The path, with its query, after the server's address.
    pub path: &'a str,
    /// What is sent, and its media type; without it, something is only read.
    pub body: Option<(&'static str, &'a [u8])>,
    /// Whether it does no harm if it is asked twice because the answer was lost.
    pub repeatable: bool,
    /// Bytes that the answer may have.
    pub limit: u64,
}

impl<'a> Ask<'a> {
    /// Asks for what is at a path.
    pub(super) const fn get(path: &'a str) -> Self {
        Self { path, body: None, repeatable: true, limit: JSON_MAX }
    }

    /// Sends something that is kept once, however often it is sent.
    pub(super) const fn put(path: &'a str, media_type: &'static str, body: &'a [u8]) -> Self {
        Self { path, body: Some((media_type, body)), repeatable: true, limit: JSON_MAX }
    }

    /// Asks for something to be done.
    pub(super) const fn post(path: &'a str, json: &'a [u8]) -> Self {
        Self { path, body: Some(("application/json", json)), repeatable: false, limit: JSON_MAX }
    }
}

/// A server, to be asked.
pub(super) struct Client<'a> {
    agent: Agent,
    address: Address,
    token: Option<Token>,
    output: &'a Output,
    /// Whether it has ever answered.
    met: Cell<bool>,
    /// Whether somebody was told that it is busy.
    noted: Cell<bool>,
}

impl<'a> Client<'a> {
    pub(super) fn new(address: Address, token: Option<Token>, output: &'a Output) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // Servers are on this machine or at the end of a tunnel.
            .proxy(None)
            .user_agent(concat!("lcd/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(CONNECT))
            .timeout_connect(Some(CONNECT))
            .timeout_per_read(Some(SILENCE))
            .timeout_per_write(Some(SILENCE))
            .build();
        Self {
            agent: config.new_agent(),
            address,
            token,
            output,
            met: Cell::new(false),
            noted: Cell::new(false),
        }
    }

    /// The server's address.
    pub(super) fn address(&self) -> &str {
        &self.address.0
    }

    /// Asks, and reads the answer as JSON.
    pub(super) fn json<T: DeserializeOwned>(&self, ask: &Ask<'_>) -> Result<T, Failure> {
        let bytes = self.bytes(ask)?;
        serde_json::from_slice(&bytes)
            .map_err(|error| self.strange(format!("{}: {error}", ask.path)))
    }

    /// Asks, again where that may help, and reads the answer.
    pub(super) fn bytes(&self, ask: &Ask<'_>) -> Result<Vec<u8>, Failure> {
        let begin = Instant::now();
        let mut pauses = Pauses::default();
        loop {
            let failure = match self.once(ask) {
                Ok(bytes) => return Ok(bytes),
                Err(failure) => failure,
            };
            let (pause, patience) = match failure.is_passing() {
                Some(Some(after)) => {
                    self.note(&failure);
                    (after.clamp(PAUSES.0, BUSY_PAUSE), BUSY)
                }
                // Nobody waits for a server that was never there.
                Some(None) if ask.repeatable && self.met.get() => (pauses.next(), AWAY),
                _ => return Err(failure),
            };
            if begin.elapsed() + pause > patience {
                return Err(failure);
            }
            thread::sleep(pause);
        }
    }

    fn once(&self, ask: &Ask<'_>) -> Result<Vec<u8>, Failure> {
        let response = self.send(ask, "application/json, */*", None)?;
        if response.status() != 200 && response.status() != 201 && response.status() != 202 {
            return Err(self.strange(format!("{} for {}", response.status(), ask.path)));
        }
        let bytes = self.read(response, ask.limit)?;
        self.met.set(true);
        Ok(bytes)
    }

    /// Begins to follow something. Nothing if there is nothing more to come.
    pub(super) fn follow(&self, path: &str, seen: &str) -> Result<Option<Response<Body>>, Failure> {
        let response = self.send(&Ask::get(path), "text/event-stream", Some(seen))?;
        match response.status().as_u16() {
            200 => Ok(Some(response)),
            204 => Ok(None),
            _ => Err(self.strange(format!("{} for {path}", response.status()))),
        }
    }

    /// Asks once. A problem is a failure.
    fn send(
        &self,
        ask: &Ask<'_>,
        accept: &str,
        seen: Option<&str>,
    ) -> Result<Response<Body>, Failure> {
        let mut request = Request::builder()
            .uri(format!("{}{}", self.address.0, ask.path))
            .header(header::ACCEPT, accept);
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, token.authorization());
        }
        if let Some(seen) = seen.filter(|seen| !seen.is_empty()) {
            request = request.header("last-event-id", seen);
        }
        let sent = match ask.body {
            None => request.method("GET").body(()).map(|request| self.agent.run(request)),
            Some((media_type, bytes)) => request
                .method("POST")
                .header(header::CONTENT_TYPE, media_type)
                .body(bytes)
                .map(|request| self.agent.run(request)),
        };
        let response = sent.map_err(|error| self.strange(error.to_string()))?;
        let response = response.map_err(|error| self.connection(error))?;
        match response.status().is_client_error() || response.status().is_server_error() {
            true => Err(self.problem(response)),
            false => Ok(response),
        }
    }

    /// What the server says is wrong.
    fn problem(&self, response: Response<Body>) -> Failure {
        let status = response.status();
        let has = |name, text: &str| {
            let value = response.headers().get(name).and_then(|value| value.to_str().ok());
            value.is_some_and(|value| value.starts_with(text))
        };
        let is_problem = has(header::CONTENT_TYPE, MEDIA_TYPE);
        let after = response.headers().get(header::RETRY_AFTER);
        let after = after.and_then(|after| after.to_str().ok()?.parse().ok());
        let read = self.read(response, PROBLEM_MAX).ok().filter(|_| is_problem);
        match read.and_then(|bytes| serde_json::from_slice::<ProblemDetails>(&bytes).ok()) {
            Some(mut details) => {
                details.status = status.as_u16();
                let retry_after = after.map(Duration::from_secs);
                Failure::Problem { details: Box::new(details), retry_after }
            }
            None => self.strange(format!("{status}, and not in the words of one")),
        }
    }

    fn read(&self, response: Response<Body>, limit: u64) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        let body = response.into_body().into_reader();
        let read = body.take(limit.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|error| self.connection(error.into()))?;
        if bytes.len() as u64 > limit {
            return Err(self.strange(format!("an answer of more than {limit} bytes")));
        }
        Ok(bytes)
    }

    /// Tells people, once, that it takes longer and why.
    fn note(&self, failure: &Failure) {
        if let Failure::Problem { details, .. } = failure
            && !self.noted.replace(true)
        {
            let text =
                format!("{} is busy, so this waits: {}", self.address.0, plain(&details.detail));
            self.output.note(&text);
        }
    }

    fn connection(&self, error: ureq::Error) -> Failure {
        Failure::Connection { server: self.address.0.clone(), error }
    }

    /// An answer that makes no sense.
    pub(super) fn strange(&self, what: String) -> Failure {
        Failure::Strange { server: self.address.0.clone(), what }
    }
}

/// Pauses that become longer.
pub(super) struct Pauses(Duration);

impl Default for Pauses {
    fn default() -> Self {
        Self(PAUSES.0)
    }
}

impl Pauses {
    /// The next one.
    pub(super) fn next(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (pause * 2).min(PAUSES.1);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn addresses_are_of_servers() {
        let read = |text: &str| text.parse::<Address>().map(|address| address.0);
        assert_eq!(read("http://127.0.0.1:7171/").unwrap(), "http://127.0.0.1:7171");
        assert_eq!(read("http://[::1]:80").unwrap(), "http://[::1]:80");
        assert_eq!(read("http://lab.example/lcd/").unwrap(), "http://lab.example/lcd");
        assert!(read("https://lab.example").unwrap_err().contains("ssh -L"));
        for wrong in [
            "",
            "127.0.0.1:7171",
            "lab",
            "ftp://lab",
            "http://",
            "http://a@b",
            "http://a/?b",
            "http://a b",
        ] {
            assert!(read(wrong).unwrap_err().contains("http://HOST:PORT"), "{wrong}");
        }
    }
}
