//! What a worker is asked, and what it answers.
//!
//! Both directions are frames: a byte that says what it is, the payload's length (little-endian, 4
//! bytes), the payload. A job is two frames: [`Job`] as JSON, and an encoded bundle. Answers are
//! [`Answer`]s, in the order that [`Conversation`] checks.
//!
//! The reading side believes nothing: each kind has its own limit of length, memory is allocated
//! only as bytes arrive, and whatever is not exactly right is a [`ProtocolError`].

use std::io::{self, Read};

use lcd::Backend;
use lcd::model::event::LogHeader;
use lcd::model::microkernel::Schedule;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt as _};

#[cfg(test)]
mod tests;

/// Version of the protocol. A server refuses a worker with another.
pub const VERSION: u32 = 1;

/// Bytes before the payload.
const HEAD: usize = 5;
/// Bytes that are allocated before any have arrived.
const FIRST: usize = 1 << 16;

/// What a worker is to do.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// What to do with the bundle.
    pub action: Action,
    /// Limit of each run, instead of the world's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Seconds of processor time, of all threads together, after which the worker is killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_seconds: Option<u64>,
    /// Bytes that the worker may allocate; and bytes that the file may have in which one machine's
    /// domains have their memory, which grows by 64 MiB at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
}

/// What to do with a bundle.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// Run it on one backend.
    Run {
        /// The backend.
        #[serde(with = "name")]
        backend: Backend,
        /// In which order threads take turns.
        schedule: Schedule,
    },
    /// Run it on several backends, and compare.
    Compare {
        /// The backends, in this order.
        #[serde(with = "names")]
        backends: Vec<Backend>,
        /// Instead of the way the world is meant to be scheduled.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        schedule: Option<Schedule>,
    },
}

/// What a worker says.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    /// It is locked in, and waits for its job.
    Ready(Ready),
    /// A run has begun.
    LogStarted {
        /// Where.
        backend: Backend,
        /// The first line of its log.
        header: LogHeader,
    },
    /// A run's log goes on.
    Events {
        /// Which run's.
        backend: Backend,
        /// One line of JSON or several, each with its end of line.
        lines: String,
    },
    /// A run has ended, and its log is complete.
    RunEnded(RunEnded),
    /// The job is done. The last answer.
    Finished {
        /// What came of it: see [`super::job`].
        result: serde_json::Value,
    },
    /// The job could not be done. The last answer.
    Failed {
        /// Why.
        message: String,
    },
}

/// [`Answer::Ready`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ready {
    /// [`VERSION`].
    pub version: u32,
    /// How the worker is confined.
    pub confinement: super::sandbox::Confinement,
}

/// [`Answer::RunEnded`].
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunEnded {
    /// Where it ran.
    #[serde(with = "name")]
    pub backend: Backend,
    /// Seconds that it took, without loading.
    pub seconds: f64,
    /// Instructions retired, where they are counted.
    pub instructions: Option<u64>,
    /// How often hardware was entered, where it was.
    pub entries: Option<u64>,
    /// Why the backend could not run it to its end.
    pub error: Option<String>,
}

/// Bytes from the other side are not what they should be.
#[derive(Debug, Error)]
pub enum ProtocolError {
    /// They could not be read or written.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    /// They end in the middle of a frame.
    #[error("the bytes end in the middle of a frame")]
    Truncated,
    /// They end where there should be more frames.
    #[error("the bytes end where {0} should follow")]
    Missing(&'static str),
    /// No frame begins so.
    #[error("no frame has the kind {0} here")]
    Kind(u8),
    /// A frame is longer than its kind may be.
    #[error("a frame of kind {kind} has {length} bytes, and may have {limit}")]
    TooLong {
        /// The kind.
        kind: u8,
        /// Its length.
        length: usize,
        /// What is allowed.
        limit: usize,
    },
    /// A payload is not what its kind says.
    #[error("a frame of kind {kind} is wrong: {reason}")]
    Payload {
        /// The kind.
        kind: u8,
        /// What is wrong.
        reason: String,
    },
    /// A frame that may not come at this point.
    #[error("out of order: {0}")]
    Order(&'static str),
}

/// The kinds of frames, and how long each may be.
mod kind {
    pub(super) const JOB: u8 = 1;
    pub(super) const BUNDLE: u8 = 2;
    pub(super) const READY: u8 = 16;
    pub(super) const LOG_STARTED: u8 = 17;
    pub(super) const EVENTS: u8 = 18;
    pub(super) const RUN_ENDED: u8 = 19;
    pub(super) const FINISHED: u8 = 20;
    pub(super) const FAILED: u8 = 21;

    pub(super) fn limit(kind: u8) -> Option<usize> {
        Some(match kind {
            // Both may have a recorded schedule, which names each exit of a run.
            JOB | LOG_STARTED => 64 << 20,
            BUNDLE => 256 << 20,
            EVENTS | FINISHED => 16 << 20,
            READY | RUN_ENDED | FAILED => 1 << 16,
            _ => return None,
        })
    }
}

/// Bytes of a message that are sent; more are left out.
const MESSAGE_MAX: usize = 1 << 14;

/// As much of a message as fits into an answer.
pub fn shortened(message: &str) -> String {
    message[..message.floor_char_boundary(MESSAGE_MAX)].to_owned()
}

/// A backend by its name.
mod name {
    use lcd::Backend;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(backend: &Backend, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(backend)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Backend, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// Backends by their names.
mod names {
    use lcd::Backend;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(all: &[Backend], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(all.iter().map(Backend::to_string))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<Backend>, D::Error> {
        let names = Vec::<String>::deserialize(from)?;
        names.iter().map(|name| name.parse().map_err(D::Error::custom)).collect()
    }
}

/// A frame of these bytes, one part after the other.
fn frame(kind: u8, parts: &[&[u8]]) -> Result<Vec<u8>, ProtocolError> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let limit = kind::limit(kind).ok_or(ProtocolError::Kind(kind))?;
    let too_long = ProtocolError::TooLong { kind, length, limit };
    let Some(size) = u32::try_from(length).ok().filter(|_| length <= limit) else {
        return Err(too_long);
    };
    let mut bytes = Vec::with_capacity(HEAD + length);
    bytes.push(kind);
    bytes.extend(size.to_le_bytes());
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
    Ok(bytes)
}

/// What a frame's first bytes say: its kind and length, if such a frame may come.
fn head(bytes: [u8; HEAD], expected: fn(u8) -> bool) -> Result<(u8, usize), ProtocolError> {
    let [kind, length @ ..] = bytes;
    let length = u32::from_le_bytes(length) as usize;
    let limit = kind::limit(kind).filter(|_| expected(kind)).ok_or(ProtocolError::Kind(kind))?;
    if length > limit {
        return Err(ProtocolError::TooLong { kind, length, limit });
    }
    Ok((kind, length))
}

/// Reads one frame; nothing if the bytes end before it.
fn read_frame(
    input: &mut impl Read,
    expected: fn(u8) -> bool,
) -> Result<Option<(u8, Vec<u8>)>, ProtocolError> {
    let mut first = Vec::with_capacity(HEAD);
    input.by_ref().take(HEAD as u64).read_to_end(&mut first)?;
    let Ok(first) = <[u8; HEAD]>::try_from(first.as_slice()) else {
        return if first.is_empty() { Ok(None) } else { Err(ProtocolError::Truncated) };
    };
    let (kind, length) = head(first, expected)?;
    let mut payload = Vec::with_capacity(length.min(FIRST));
    input.by_ref().take(length as u64).read_to_end(&mut payload)?;
    if payload.len() < length {
        return Err(ProtocolError::Truncated);
    }
    Ok(Some((kind, payload)))
}

fn json<T: serde::de::DeserializeOwned>(kind: u8, payload: &[u8]) -> Result<T, ProtocolError> {
    serde_json::from_slice(payload).map_err(|error| wrong(kind, &error.to_string()))
}

fn to_json(kind: u8, value: &impl Serialize) -> Result<Vec<u8>, ProtocolError> {
    serde_json::to_vec(value).map_err(|error| wrong(kind, &error.to_string()))
}

fn wrong(kind: u8, reason: &str) -> ProtocolError {
    ProtocolError::Payload { kind, reason: reason.into() }
}

impl Job {
    /// The frames of a job with its bundle, as `Bundle::encode` made it.
    ///
    /// # Errors
    /// [`ProtocolError::TooLong`].
    pub fn encode(&self, bundle: &[u8]) -> Result<Vec<u8>, ProtocolError> {
        let mut bytes = frame(kind::JOB, &[&to_json(kind::JOB, self)?])?;
        bytes.append(&mut frame(kind::BUNDLE, &[bundle])?);
        Ok(bytes)
    }

    /// Reads a job and the bytes of its bundle; nothing if the other side went away instead.
    ///
    /// # Errors
    /// [`ProtocolError`].
    pub fn read(input: &mut impl Read) -> Result<Option<(Self, Vec<u8>)>, ProtocolError> {
        let Some((_, job)) = read_frame(input, |kind| kind == kind::JOB)? else {
            return Ok(None);
        };
        let job = json(kind::JOB, &job)?;
        let (_, bundle) = read_frame(input, |kind| kind == kind::BUNDLE)?
            .ok_or(ProtocolError::Missing("a bundle"))?;
        Ok(Some((job, bundle)))
    }
}

impl Answer {
    /// The answer's frame.
    ///
    /// # Errors
    /// [`ProtocolError::TooLong`].
    pub fn encode(&self) -> Result<Vec<u8>, ProtocolError> {
        match self {
            Self::Ready(ready) => frame(kind::READY, &[&to_json(kind::READY, ready)?]),
            Self::LogStarted { backend, header } => {
                let header = to_json(kind::LOG_STARTED, header)?;
                frame(kind::LOG_STARTED, &[&[number(*backend)], &header])
            }
            Self::Events { backend, lines } => {
                frame(kind::EVENTS, &[&[number(*backend)], lines.as_bytes()])
            }
            Self::RunEnded(ended) => frame(kind::RUN_ENDED, &[&to_json(kind::RUN_ENDED, ended)?]),
            Self::Finished { result } => {
                frame(kind::FINISHED, &[&to_json(kind::FINISHED, result)?])
            }
            Self::Failed { message } => frame(kind::FAILED, &[message.as_bytes()]),
        }
    }

    /// Reads an answer, and says how many bytes it had; nothing if there are no more.
    ///
    /// # Errors
    /// [`ProtocolError`].
    pub async fn read(
        input: &mut (impl AsyncRead + Unpin),
    ) -> Result<Option<(Self, u64)>, ProtocolError> {
        let mut first = Vec::with_capacity(HEAD);
        (&mut *input).take(HEAD as u64).read_to_end(&mut first).await?;
        let Ok(first) = <[u8; HEAD]>::try_from(first.as_slice()) else {
            return if first.is_empty() { Ok(None) } else { Err(ProtocolError::Truncated) };
        };
        let (kind, length) = head(first, |kind| kind >= kind::READY)?;
        let mut payload = Vec::with_capacity(length.min(FIRST));
        (&mut *input).take(length as u64).read_to_end(&mut payload).await?;
        if payload.len() < length {
            return Err(ProtocolError::Truncated);
        }
        Ok(Some((Self::decode(kind, payload)?, (HEAD + length) as u64)))
    }

    fn decode(kind: u8, payload: Vec<u8>) -> Result<Self, ProtocolError> {
        Ok(match kind {
            kind::READY => Self::Ready(json(kind, &payload)?),
            kind::LOG_STARTED => {
                let (backend, header) = from_backend(kind, payload)?;
                let header: LogHeader = json(kind, header.as_bytes())?;
                if header.backend != backend.to_string() {
                    return Err(wrong(kind, "the header names another backend"));
                }
                Self::LogStarted { backend, header }
            }
            kind::EVENTS => {
                let (backend, lines) = from_backend(kind, payload)?;
                check_lines(&lines).map_err(|reason| wrong(kind, &reason))?;
                Self::Events { backend, lines }
            }
            kind::RUN_ENDED => Self::RunEnded(json(kind, &payload)?),
            kind::FINISHED => Self::Finished { result: json(kind, &payload)? },
            kind::FAILED => {
                let message = String::from_utf8(payload);
                let message = message.map_err(|error| wrong(kind, &error.to_string()))?;
                Self::Failed { message }
            }
            _ => return Err(ProtocolError::Kind(kind)),
        })
    }
}

const fn number(backend: Backend) -> u8 {
    match backend {
        Backend::Native => 0,
        Backend::Sim => 1,
    }
}

/// A payload that begins with a backend's number and goes on as text.
fn from_backend(kind: u8, mut payload: Vec<u8>) -> Result<(Backend, String), ProtocolError> {
    let backend = match payload.first() {
        Some(0) => Backend::Native,
        Some(1) => Backend::Sim,
        _ => return Err(wrong(kind, "it names no backend")),
    };
    payload.remove(0);
    let text = String::from_utf8(payload).map_err(|error| wrong(kind, &error.to_string()))?;
    Ok((backend, text))
}

/// Checks that text is whole lines, each of them a JSON object.
fn check_lines(text: &str) -> Result<(), String> {
    let Some(text) = text.strip_suffix('\n') else {
        return Err("the last line has no end".into());
    };
    for line in text.split('\n') {
        if !line.starts_with('{') {
            return Err("a line is no JSON object".into());
        }
        serde_json::from_str::<IgnoredAny>(line)
            .map_err(|error| format!("a line is not JSON: {error}"))?;
    }
    Ok(())
}

/// The order of answers: `Ready`, then for each backend at most one log, which starts, goes on and
/// ends, then `Finished` or, at any time, `Failed`.
#[derive(Debug, Default)]
pub struct Conversation {
    ready: bool,
    over: bool,
    logs: [Stage; 2],
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Stage {
    #[default]
    Before,
    Running,
    Ended,
}

impl Conversation {
    /// Takes note of an answer.
    ///
    /// # Errors
    /// [`ProtocolError::Order`] if it may not come now.
    pub fn accept(&mut self, answer: &Answer) -> Result<(), ProtocolError> {
        let mut enter = |backend: Backend, stage: Stage| {
            std::mem::replace(&mut self.logs[usize::from(number(backend))], stage)
        };
        let refused = match answer {
            _ if self.over => Some("an answer after the last one"),
            Answer::Failed { .. } => {
                self.over = true;
                None
            }
            Answer::Ready(_) if self.ready => Some("ready twice"),
            Answer::Ready(_) => {
                self.ready = true;
                None
            }
            _ if !self.ready => Some("an answer before it was ready"),
            Answer::LogStarted { backend, .. } => {
                let before = enter(*backend, Stage::Running);
                (before != Stage::Before).then_some("a log that starts twice")
            }
            Answer::Events { backend, .. } => {
                let before = enter(*backend, Stage::Running);
                (before != Stage::Running).then_some("events outside a log")
            }
            Answer::RunEnded(ended) => {
                let before = enter(ended.backend, Stage::Ended);
                let ended_well = ended.error.is_none();
                let refused = before == Stage::Ended || (before == Stage::Before && ended_well);
                refused.then_some("the end of a run that did not run")
            }
            Answer::Finished { .. } => {
                self.over = true;
                self.logs.contains(&Stage::Running).then_some("done before a run has ended")
            }
        };
        refused.map_or(Ok(()), |what| Err(ProtocolError::Order(what)))
    }
}
