//! What happens, as it happens: server-sent events. Whoever was cut off goes on where they were,
//! with `Last-Event-ID`.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc::{Sender, channel};
use tokio_stream::wrappers::ReceiverStream;
use utoipa::IntoParams;

use super::campaigns::{self, CampaignAnswer, CampaignState};
use super::runs;
use crate::app::App;
use crate::engine::live::{Change, Missed};
use crate::http::extract::{Path, Query};
use crate::logs::Lines;
use crate::problem::{Kind, Problem};

/// Where a follower was.
const LAST_EVENT_ID: &str = "last-event-id";
/// The id of the last event of a stream that is over. Who comes back with it is told to stay away.
const END: &str = "end";
/// How long a browser waits before it comes back.
const RETRY: Duration = Duration::from_secs(2);
/// Events that wait for a follower who is slow; then whoever produces them waits.
const WAITING: usize = 64;
/// How often nothing is said, so that both sides see that the other is there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Which part of a stream.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StreamQuery {
    /// Whether the events of the logs are wanted, and not only how far the run is [default: yes].
    pub events: Option<bool>,
}

/// An event of a log, on its way.
#[derive(Serialize)]
struct LogEvent<'a> {
    backend: &'a str,
    index: u64,
    event: &'a RawValue,
}

/// Whether there is nobody to tell any more.
struct Gone;

/// A stream's other end.
struct Follower(Sender<Result<Sent, Infallible>>);

impl Follower {
    async fn tell(&self, event: Sent) -> Result<(), Gone> {
        self.0.send(Ok(event)).await.map_err(|_| Gone)
    }

    async fn tell_json(
        &self,
        name: &str,
        id: Option<String>,
        data: &impl Serialize,
    ) -> Result<(), Gone> {
        let Ok(json) = serde_json::to_string(data) else { return Err(Gone) };
        let event = Sent::default().event(name).data(json);
        self.tell(match id {
            Some(id) => event.id(id),
            None => event,
        })
        .await
    }
}

/// Answers with a stream that `follow` fills, until that is done, the follower is gone or the server
/// ends. `follow` is given the id of the last event that the follower has seen.
fn respond<F>(
    app: &App,
    headers: &HeaderMap,
    follow: impl FnOnce(Follower, Option<String>) -> F,
) -> Result<Response, Problem>
where
    F: Future<Output = Result<(), Gone>> + Send + 'static,
{
    let seen = match headers.get(LAST_EVENT_ID).map(|seen| seen.to_str()) {
        None => None,
        // A 204 tells a browser not to come back (HTML, section 9.2.3).
        Some(Ok(END)) => return Ok(StatusCode::NO_CONTENT.into_response()),
        Some(Ok("")) => None,
        Some(Ok(seen)) => Some(seen.to_owned()),
        Some(Err(_)) => return Err(unknown_id("?")),
    };
    let permit = app.stream()?;
    let (sender, receiver) = channel(WAITING);
    let follower = Follower(sender.clone());
    let shutdown = app.shutdown().clone();
    let following = follow(follower, seen);
    tokio::spawn(async move {
        let _permit = permit;
        metrics::gauge!("lcd_streams").increment(1);
        tokio::select! {
            _ = following => {}
            () = shutdown.cancelled() => {
                let event = Sent::default().event("shutdown").data("{}");
                // A follower who is slow is not waited for.
                let _ = sender.try_send(Ok(event));
            }
            () = sender.closed() => {}
        }
        metrics::gauge!("lcd_streams").decrement(1);
    });
    let stream = ReceiverStream::new(receiver);
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

fn unknown_id(id: &str) -> Problem {
    let detail = format!("`{}` is no event's id of this stream", id.escape_debug());
    Problem::new(Kind::BAD_REQUEST, detail)
        .advise("Leave Last-Event-ID out to begin at the beginning.")
}

/// Follow a run: `state` whenever it has a new state, `log` for each event of its logs (with its
/// backend and number, and an id to go on from), `end` when it is over.
#[utoipa::path(get, path = "/api/v1/runs/{id}/stream", tag = "streams",
    params(("id" = u64, Path, description = "The run's number."), StreamQuery,
        ("last-event-id" = Option<String>, Header, description = "Where to go on.", example = "native/12")),
    responses(
        (status = 200, description = "What happens, as it happens.", body = String, content_type = "text/event-stream"),
        (status = 204, description = "The run is over, and whoever asks has seen its end."),
    ))]
pub(super) async fn run(
    State(app): State<App>,
    Path(id): Path<u64>,
    Query(query): Query<StreamQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    runs::find(&app, id)?;
    let seen = headers.get(LAST_EVENT_ID).and_then(|seen| seen.to_str().ok()).unwrap_or_default();
    let place = Place::after(seen).ok_or_else(|| unknown_id(seen))?;
    let events = query.events.unwrap_or(true);
    respond(&app.clone(), &headers, move |follower, _| async move {
        follow_run(&app, id, events, place, &follower).await
    })
}

/// Where a follower of a run is: whose log, and how many of its events they have.
struct Place {
    backend: usize,
    events: u64,
    log: Option<Lines>,
}

impl Place {
    /// The place after the event of this id.
    fn after(id: &str) -> Option<Self> {
        if id.is_empty() || id == END {
            return Some(Self { backend: 0, events: 0, log: None });
        }
        let (name, index) = id.split_once('/')?;
        let backend = lcd::Backend::ALL.iter().position(|backend| backend.to_string() == name)?;
        let events = index.parse::<u64>().ok()?.checked_add(1)?;
        Some(Self { backend, events, log: None })
    }
}

async fn follow_run(
    app: &App,
    id: u64,
    events: bool,
    mut place: Place,
    follower: &Follower,
) -> Result<(), Gone> {
    // Before the state is read, so that no change is missed.
    let mut changes = app.engine().changes().follow(None).next;
    let mut told = None;
    loop {
        // Deleted meanwhile: there is nothing more to say than that it is over.
        let Ok(run) = runs::find(app, id) else {
            return end(follower, &serde_json::json!({})).await;
        };
        let state = run.summary.state;
        let answer = runs::answer(app, run.summary);
        if told != Some(state) {
            follower.tell_json("state", None, &answer).await?;
            told = Some(state);
        }
        let live = app.engine().live(id);
        let mut progress = live.as_ref().map(|live| live.follow());
        if let Some(progress) = &mut progress {
            progress.mark_unchanged();
        }
        if events {
            place = deliver(app, id, place, state.is_over(), follower).await?;
        }
        if state.is_over() {
            return end(follower, &answer).await;
        }
        tokio::select! {
            () = changed(&mut progress) => {}
            () = change_of(&mut changes, id) => {}
        }
    }
}

async fn end(follower: &Follower, data: &impl Serialize) -> Result<(), Gone> {
    follower.tell_json("end", Some(END.into()), data).await
}

/// Waits until a run that goes on is further; for ever, if it does not.
async fn changed(
    progress: &mut Option<tokio::sync::watch::Receiver<crate::engine::live::Progress>>,
) {
    if let Some(progress) = progress
        && progress.changed().await.is_ok()
    {
        return;
    }
    // It does not go on, or no more: its end is a change of its state.
    std::future::pending().await
}

/// Waits until a run has a new state.
async fn change_of(changes: &mut tokio::sync::broadcast::Receiver<Change>, run: u64) {
    loop {
        match changes.recv().await {
            Ok(change) if change.run != run => {}
            // Among those that were missed there may have been one.
            Ok(_) | Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// Tells all events that there are after a place, and says where that is then.
async fn deliver(
    app: &App,
    id: u64,
    mut place: Place,
    over: bool,
    follower: &Follower,
) -> Result<Place, Gone> {
    while let Some(backend) = lcd::Backend::ALL.get(place.backend).map(ToString::to_string) {
        let (results, name, later) = (app.results(), backend.clone(), place.backend + 1);
        let read = app.blocking(move || {
            // Looked at before the log is: if the next backend has begun, this log is complete.
            let others = lcd::Backend::ALL.get(later..).unwrap_or_default();
            let complete = over
                || others.iter().any(|other| {
                    Lines::open(&results, id, &other.to_string()).is_ok_and(|log| log.is_some())
                });
            if place.log.is_none() {
                place.log = Lines::open(&results, id, &name)?;
                if let Some(log) = &mut place.log {
                    log.skip(1 + place.events)?;
                }
            }
            let mut lines = Vec::new();
            if let Some(log) = &mut place.log {
                while lines.len() < WAITING
                    && let Some(line) = log.next_line()?
                {
                    lines.push(String::from_utf8_lossy(line).into_owned());
                }
            }
            Ok((place, lines, complete))
        });
        // A log that cannot be read has no more events; the run's state says what there is to say.
        let Ok((next, lines, complete)) = read.await else { return Err(Gone) };
        place = next;
        if lines.is_empty() {
            if !complete {
                return Ok(place);
            }
            place = Place { backend: place.backend + 1, events: 0, log: None };
            continue;
        }
        for line in lines {
            let Ok(event) = serde_json::from_str(&line) else { return Err(Gone) };
            let index = place.events;
            let data = LogEvent { backend: &backend, index, event };
            follower.tell_json("log", Some(format!("{backend}/{index}")), &data).await?;
            place.events += 1;
        }
    }
    Ok(place)
}

/// Follow a campaign: `state` when it is further, `run` for each of its runs that has a new state,
/// `end` when all are over. `reset` means that too much was missed: read its runs again.
#[utoipa::path(get, path = "/api/v1/campaigns/{id}/stream", tag = "streams",
    params(("id" = u64, Path, description = "The campaign's number."),
        ("last-event-id" = Option<String>, Header, description = "Where to go on.")),
    responses(
        (status = 200, description = "What happens, as it happens.", body = String, content_type = "text/event-stream"),
        (status = 204, description = "It is over, and whoever asks has seen its end."),
    ))]
pub(super) async fn campaign(
    State(app): State<App>,
    Path(id): Path<u64>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    campaigns::find(&app, id)?;
    respond(&app.clone(), &headers, move |follower, seen| async move {
        let mut changes = begin(&app, &follower, seen.as_deref(), Some(id)).await?;
        loop {
            let Ok(found) = campaigns::find(&app, id) else {
                return end(&follower, &serde_json::json!({})).await;
            };
            let answer = CampaignAnswer::of(found);
            follower.tell_json("state", None, &answer).await?;
            if answer.state != CampaignState::Running {
                return end(&follower, &answer).await;
            }
            // Its state is told again after what has happened meanwhile, not after each.
            next(&app, &follower, &mut changes, Some(id)).await?;
            while !changes.is_empty() {
                next(&app, &follower, &mut changes, Some(id)).await?;
            }
        }
    })
}

/// Follow everything: `run` for each run that has a new state. `reset` means that too much was
/// missed: read the lists again.
#[utoipa::path(get, path = "/api/v1/changes", tag = "streams",
    params(("last-event-id" = Option<String>, Header, description = "Where to go on.")),
    responses(
        (status = 200, description = "What happens, as it happens.", body = String, content_type = "text/event-stream"),
        (status = 204, description = "Whoever asks has seen the end of another stream."),
    ))]
pub(super) async fn changes(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    respond(&app.clone(), &headers, move |follower, seen| async move {
        let mut changes = begin(&app, &follower, seen.as_deref(), None).await?;
        loop {
            next(&app, &follower, &mut changes, None).await?;
        }
    })
}

/// Tells what a follower who comes back has missed, and follows from there.
async fn begin(
    app: &App,
    follower: &Follower,
    seen: Option<&str>,
    campaign: Option<u64>,
) -> Result<tokio::sync::broadcast::Receiver<Change>, Gone> {
    let all = app.engine().changes();
    let Missed { changes, newest, next } = all.follow(seen);
    follower.tell(Sent::default().retry(RETRY).comment("hello")).await?;
    match changes {
        Some(changes) => {
            for change in changes {
                tell_change(app, follower, change, campaign).await?;
            }
        }
        None => {
            let event = Sent::default().event("reset").id(all.id(newest)).data("{}");
            follower.tell(event).await?;
        }
    }
    Ok(next)
}

/// Waits for the next change and tells it.
async fn next(
    app: &App,
    follower: &Follower,
    changes: &mut tokio::sync::broadcast::Receiver<Change>,
    campaign: Option<u64>,
) -> Result<(), Gone> {
    match changes.recv().await {
        Ok(change) => tell_change(app, follower, change, campaign).await,
        Err(RecvError::Lagged(_)) => follower.tell(Sent::default().event("reset").data("{}")).await,
        Err(RecvError::Closed) => Err(Gone),
    }
}

async fn tell_change(
    app: &App,
    follower: &Follower,
    change: Change,
    campaign: Option<u64>,
) -> Result<(), Gone> {
    if campaign.is_some() && campaign != change.campaign {
        return Ok(());
    }
    // One that is deleted by now is not worth telling.
    let Ok(run) = runs::find(app, change.run) else { return Ok(()) };
    let id = app.engine().changes().id(change.number);
    follower.tell_json("run", Some(id), &runs::answer(app, run.summary)).await
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn places_are_named_by_backend_and_number() {
        let after = |id| Place::after(id).map(|place| (place.backend, place.events));
        assert_eq!(after(""), Some((0, 0)));
        assert_eq!(after("native/12"), Some((0, 13)));
        assert_eq!(after("sim/0"), Some((1, 1)));
        for wrong in ["native", "gpu/1", "sim/-1", "sim/18446744073709551615", "/", "sim/1/2"] {
            assert_eq!(after(wrong), None, "{wrong}");
        }
    }
}
