//! Asking a server. Every answer is held against the description (see [`crate::conformance`]).

use serde_json::Value;
use ureq::http::{HeaderMap, Method, Request};

use crate::conformance;
use crate::server::{PATIENCE, eventually};
use crate::stream::Stream;

pub(crate) const JSON: &str = "application/json";
pub(crate) const TOML: &str = "application/toml";
pub(crate) const BUNDLE: &str = "application/vnd.lcd.bundle";
pub(crate) const BYTES: &str = "application/octet-stream";

/// A server's other end.
#[derive(Clone)]
pub(crate) struct Client {
    agent: ureq::Agent,
    address: String,
    headers: Vec<(String, String)>,
}

/// What a server answered.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// This, which must have that status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// A problem's `detail`.
    #[track_caller]
    pub(crate) fn detail(&self) -> String {
        self.json()["detail"]
            .as_str()
            .unwrap_or_else(|| panic!("no problem: {}", self.text()))
            .into()
    }

    /// A header, empty if it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("it is text"))
    }

    /// The media type, without its parameters.
    pub(crate) fn media_type(&self) -> &str {
        self.header("content-type").split(';').next().unwrap_or_default().trim()
    }
}

impl Client {
    /// A client of the server at `http://address:port`.
    pub(crate) fn new(address: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_connections(0)
            .timeout_per_read(Some(PATIENCE))
            .timeout_per_write(Some(PATIENCE))
            .proxy(None)
            .build();
        let client =
            Self { agent: config.new_agent(), address: address.into(), headers: Vec::new() };
        conformance::learn(&client);
        client
    }

    /// `address:port`.
    pub(crate) fn authority(&self) -> &str {
        self.address.trim_start_matches("http://")
    }

    /// The same with a further header.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        client.headers.push((name.into(), value.into()));
        client
    }

    /// Asks, and holds the answer against the description.
    ///
    /// # Errors
    /// If there is no answer, or not all of it.
    pub(crate) fn ask(
        &self,
        method: &Method,
        path: &str,
        media_type: &str,
        body: &[u8],
    ) -> Result<Reply, ureq::Error> {
        let reply = self.ask_anything(method, path, media_type, body)?;
        conformance::check(method.as_str(), path, &reply);
        Ok(reply)
    }

    /// Asks for something whose answer is not held against anything.
    ///
    /// # Errors
    /// If there is no answer, or not all of it.
    pub(crate) fn ask_anything(
        &self,
        method: &Method,
        path: &str,
        media_type: &str,
        body: &[u8],
    ) -> Result<Reply, ureq::Error> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.address));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if !media_type.is_empty() {
            request = request.header("content-type", media_type);
        }
        let sends = *method == Method::POST || *method == Method::PUT || *method == Method::PATCH;
        let answer = match sends {
            true => self.agent.run(request.body(body).expect("a request"))?,
            false => self.agent.run(request.body(()).expect("a request"))?,
        };
        let (parts, body) = answer.into_parts();
        let body = body.into_with_config().limit(u64::MAX).read_to_vec()?;
        Ok(Reply { status: parts.status.as_u16(), headers: parts.headers, body })
    }

    #[track_caller]
    fn must(&self, method: &Method, path: &str, media_type: &str, body: &[u8]) -> Reply {
        let reply = self.ask(method, path, media_type, body);
        reply.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Reply {
        self.must(&Method::GET, path, "", &[])
    }

    #[track_caller]
    pub(crate) fn delete(&self, path: &str) -> Reply {
        self.must(&Method::DELETE, path, "", &[])
    }

    #[track_caller]
    pub(crate) fn send(&self, method: &Method, path: &str) -> Reply {
        self.must(method, path, "", &[])
    }

    #[track_caller]
    pub(crate) fn post(&self, path: &str, media_type: &str, body: impl AsRef<[u8]>) -> Reply {
        self.must(&Method::POST, path, media_type, body.as_ref())
    }

    #[track_caller]
    pub(crate) fn post_json(&self, path: &str, body: &Value) -> Reply {
        self.post(path, JSON, body.to_string())
    }

    /// A post without a body.
    #[track_caller]
    pub(crate) fn tell(&self, path: &str) -> Reply {
        self.post(path, "", [])
    }

    #[track_caller]
    pub(crate) fn upload_module(&self, name: &str, bytes: &[u8]) -> Reply {
        self.post(&format!("/api/v1/modules?name={name}"), BYTES, bytes)
    }

    #[track_caller]
    pub(crate) fn upload_world(&self, toml: &str) -> Reply {
        self.post("/api/v1/worlds", TOML, toml)
    }

    /// Starts a run, and returns its number.
    #[track_caller]
    pub(crate) fn start(&self, request: &Value) -> u64 {
        let reply = self.post_json("/api/v1/runs", request).expect(202);
        let id = reply.json()["id"].as_u64().expect("a number");
        assert_eq!(reply.header("location"), format!("/api/v1/runs/{id}"));
        id
    }

    /// Waits until a run is over.
    #[track_caller]
    pub(crate) fn over(&self, run: u64) -> Value {
        self.until(run, &["finished", "failed", "cancelled", "interrupted"])
    }

    /// Waits until a run has one of these states.
    #[track_caller]
    pub(crate) fn until(&self, run: u64, states: &[&str]) -> Value {
        eventually(&format!("run {run} is {}", states.join(" or ")), || {
            let run = self.get(&format!("/api/v1/runs/{run}")).expect(200).json();
            states.contains(&run["state"].as_str().expect("a state")).then_some(run)
        })
    }

    /// Follows something; another answer than a stream is one, too.
    #[track_caller]
    pub(crate) fn follow(&self, path: &str, last: Option<&str>) -> Result<Stream, Box<Reply>> {
        let mut request = Request::builder().uri(format!("{}{path}", self.address));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let answer = self.agent.run(request.body(()).expect("a request"));
        let (parts, body) = answer.unwrap_or_else(|error| panic!("{path}: {error}")).into_parts();
        let mut reply =
            Reply { status: parts.status.as_u16(), headers: parts.headers, body: Vec::new() };
        if reply.status == 200 {
            conformance::check("GET", path, &reply);
            return Ok(Stream::new(body.into_reader()));
        }
        reply.body = body.into_with_config().read_to_vec().expect("a body");
        conformance::check("GET", path, &reply);
        Err(Box::new(reply))
    }

    /// A number that the server counts, all labels together; 0 if there is none.
    #[track_caller]
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").expect(200).text();
        let values = text.lines().filter_map(|line| {
            let (key, value) = line.rsplit_once(' ')?;
            let this = key == name || key.strip_prefix(name)?.starts_with('{');
            this.then(|| value.parse::<f64>().expect("a number"))
        });
        values.sum()
    }

    /// Whether it answers at all.
    #[track_caller]
    pub(crate) fn is_well(&self) {
        assert_eq!(self.get("/healthz").expect(200).text(), "ok\n");
    }
}
