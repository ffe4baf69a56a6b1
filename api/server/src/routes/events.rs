//! What happened in a run: its log, in pages, filtered, or whole; its console.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use lcd::model::domain::DomainId;
use lcd::model::event::{Event, EventKind, LogHeader};
use serde::{Deserialize, Serialize};
use tokio_stream::wrappers::ReceiverStream;
use utoipa::{IntoParams, ToSchema};

use super::{paging, runs};
use crate::app::App;
use crate::http::extract::{Path, Query};
use crate::logs::{self, Lines};
use crate::problem::{Kind, Problem};
use crate::request::BackendName;

/// Events that one request looks at, whatever it filters out.
const LOOKED_AT: u64 = 100_000;

/// Which events.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventQuery {
    /// Whose log. By default the first that there is.
    #[param(inline)]
    pub backend: Option<BackendName>,
    /// The number of the first event, counted from 0.
    pub from: Option<u64>,
    /// How many, at most 500 [default: 50].
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
    /// Only those of these kinds: words as in the log, with commas between them.
    #[param(example = "hypercall,faulted")]
    pub kind: Option<String>,
    /// Only those about this domain.
    pub domain: Option<u32>,
    /// Only those that this thread caused.
    pub thread: Option<u32>,
}

/// A part of a log.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct EventPage {
    /// The backend whose log it is.
    pub backend: String,
    /// What it is a log of.
    pub header: LogHeader,
    /// The events.
    pub items: Vec<NumberedEvent>,
    /// The `from` of the next part, if there is, or may come, more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
    /// Whether the run goes on, so that more may come.
    pub growing: bool,
}

/// An event and its number.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct NumberedEvent {
    /// Its number in the log, counted from 0.
    pub index: u64,
    /// It.
    pub event: Event,
}

/// Whose log.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LogQuery {
    /// Whose log. By default the first that there is.
    #[param(inline)]
    pub backend: Option<BackendName>,
}

/// Whose console.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ConsoleQuery {
    /// On which backend. By default the first of which there is a log.
    #[param(inline)]
    pub backend: Option<BackendName>,
    /// Only this domain's, by its name.
    pub domain: Option<String>,
}

/// What domains wrote.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct ConsoleAnswer {
    /// The backend.
    pub backend: String,
    /// The domains, in the order of their creation.
    pub domains: Vec<DomainConsole>,
    /// Whether the run goes on, so that more may come.
    pub growing: bool,
}

/// What a domain wrote.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct DomainConsole {
    /// Its name.
    pub domain: String,
    /// All that it wrote.
    pub text: String,
}

/// Whose log is meant.
///
/// # Errors
/// [`Kind::NOT_FOUND`] if there is none (yet).
pub(super) fn whose(
    app: &App,
    run: &lcd_results::Run,
    asked: Option<BackendName>,
) -> Result<String, Problem> {
    let there = app.look_up(|results| logs::backends(results, run))?;
    let found = match asked {
        Some(backend) => there.into_iter().find(|name| *name == backend.to_string()),
        None => there.into_iter().next(),
    };
    found.ok_or_else(|| {
        let id = run.summary.id;
        let which = asked.map_or_else(|| "log".into(), |backend| format!("log of {backend}"));
        let problem = Problem::new(Kind::NOT_FOUND, format!("run {id} has no {which}"));
        match run.summary.state.is_over() {
            true => problem.advise("The run's `reason` says why."),
            false => problem.advise("It has not begun there yet: try again later."),
        }
    })
}

/// Opens a log that is there.
pub(super) fn open(app: &App, run: u64, backend: &str) -> Result<Lines, Problem> {
    let lines = Lines::open(&app.results(), run, backend)?;
    lines.ok_or_else(|| Problem::new(Kind::NOT_FOUND, format!("the log of run {run} is gone")))
}

/// Events of a run, in pages.
#[utoipa::path(get, path = "/api/v1/runs/{id}/events", tag = "runs",
    params(("id" = u64, Path, description = "The run's number."), EventQuery),
    responses((status = 200, description = "They.", body = EventPage)))]
pub(super) async fn page(
    State(app): State<App>,
    Path(id): Path<u64>,
    Query(query): Query<EventQuery>,
) -> Result<Json<EventPage>, Problem> {
    let limit = paging::limit(query.limit)? as usize;
    let run = runs::find(&app, id)?;
    let backend = whose(&app, &run, query.backend)?;
    let growing = !run.summary.state.is_over();
    let asked = app.clone();
    app.blocking(move || {
        let mut lines = open(&asked, id, &backend)?;
        let header = lines.header()?;
        let header = header.ok_or_else(|| Problem::internal("a log without a header"))?;
        let from = query.from.unwrap_or(0);
        let mut index = lines.skip(from)?;
        let mut answer = EventPage { backend, header, items: Vec::new(), next: None, growing };
        let filter = Filter::new(&query);
        let mut looked_at = 0;
        loop {
            if answer.items.len() == limit || looked_at == LOOKED_AT {
                answer.next = Some(index);
                break;
            }
            let Some(event) = lines.event()? else {
                answer.next = growing.then_some(index.max(from));
                break;
            };
            if filter.passes(&event) {
                answer.items.push(NumberedEvent { index, event });
            }
            index += 1;
            looked_at += 1;
        }
        Ok(Json(answer))
    })
    .await
}

/// Which events are wanted.
struct Filter<'a> {
    kinds: Option<Vec<&'a str>>,
    domain: Option<u32>,
    thread: Option<u32>,
}

impl<'a> Filter<'a> {
    fn new(query: &'a EventQuery) -> Self {
        let kinds = query.kind.as_deref().map(|kinds| kinds.split(',').map(str::trim).collect());
        Self { kinds, domain: query.domain, thread: query.thread }
    }

    fn passes(&self, event: &Event) -> bool {
        let word = event.kind.word();
        self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&word))
            && self.domain.is_none_or(|domain| event.domain.0 == domain)
            && self.thread.is_none_or(|thread| event.thread.is_some_and(|t| t.0 == thread))
    }
}

/// A run's whole log: a header and then an event a line, as `lcd run --log` writes it.
#[utoipa::path(get, path = "/api/v1/runs/{id}/log", tag = "runs",
    params(("id" = u64, Path, description = "The run's number."), LogQuery),
    responses((status = 200, description = "It; of a run that goes on, what there is so far.",
        body = String, content_type = "application/x-ndjson")))]
pub(super) async fn log(
    State(app): State<App>,
    Path(id): Path<u64>,
    Query(query): Query<LogQuery>,
) -> Result<Response, Problem> {
    let run = runs::find(&app, id)?;
    let backend = whose(&app, &run, query.backend)?;
    let permit = app.stream()?;
    let mut lines = open(&app, id, &backend)?;
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    tokio::task::spawn_blocking(move || {
        // Held until whoever reads has everything, or is gone.
        let _permit = permit;
        loop {
            let mut part = Vec::with_capacity(PART + 1024);
            let failed = loop {
                match lines.next_line() {
                    Ok(Some(line)) => {
                        part.extend_from_slice(line);
                        part.push(b'\n');
                        if part.len() >= PART {
                            break None;
                        }
                    }
                    Ok(None) => break None,
                    Err(error) => break Some(std::io::Error::other(error)),
                }
            };
            let last = part.len() < PART;
            if !part.is_empty() && sender.blocking_send(Ok(Bytes::from(part))).is_err() {
                return;
            }
            if let Some(error) = failed {
                // The answer breaks off, so that nobody takes it for whole.
                let _ = sender.blocking_send(Err(error));
                return;
            }
            if last {
                return;
            }
        }
    });
    let name =
        format!("attachment; filename=\"{}-{id}-{backend}.jsonl\"", file_name(&run.summary.world));
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson".to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, Body::from_stream(ReceiverStream::new(receiver))).into_response())
}

/// Bytes of a log that are sent at once.
const PART: usize = 64 << 10;

/// A world's name, as far as it can be in a file's.
fn file_name(world: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    world.chars().take(64).map(plain).collect()
}

/// What the domains of a run wrote.
#[utoipa::path(get, path = "/api/v1/runs/{id}/console", tag = "runs",
    params(("id" = u64, Path, description = "The run's number."), ConsoleQuery),
    responses((status = 200, description = "That.", body = ConsoleAnswer)))]
pub(super) async fn console(
    State(app): State<App>,
    Path(id): Path<u64>,
    Query(query): Query<ConsoleQuery>,
) -> Result<Json<ConsoleAnswer>, Problem> {
    let run = runs::find(&app, id)?;
    let backend = whose(&app, &run, query.backend)?;
    let growing = !run.summary.state.is_over();
    let asked = app.clone();
    app.blocking(move || {
        let mut lines = open(&asked, id, &backend)?;
        lines.header()?;
        let mut found: BTreeMap<DomainId, (String, Vec<u8>)> = BTreeMap::new();
        while let Some(event) = lines.event()? {
            let console = found.entry(event.domain).or_default();
            if let EventKind::DomainCreated { name } | EventKind::DomainNamed { name } = &event.kind
            {
                console.0.clone_from(name);
            }
            console.1.extend(event.kind.written().unwrap_or_default());
        }
        let domains = found.into_values().map(|(domain, bytes)| DomainConsole {
            domain,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        });
        let wanted = |console: &DomainConsole| {
            query.domain.as_ref().is_none_or(|domain| *domain == console.domain)
        };
        Ok(Json(ConsoleAnswer { backend, domains: domains.filter(wanted).collect(), growing }))
    })
    .await
}
