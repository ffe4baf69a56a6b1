//! The server's side of one worker: its start, its job, its limits, and its end.
//!
//! Whatever happens, the process is killed and waited for: by [`Worker::run`] and [`Worker::end`]
//! before they return, and in the background if a [`Worker`] is dropped.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::protocol::{self, Answer, Conversation, Job, ProtocolError, Ready};

mod parent;

/// Bytes of a worker's messages that are kept, the last ones.
const MESSAGES: usize = 8 << 10;
/// How often a worker's memory is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How long a worker that has stopped talking may take to end by itself.
const FAREWELL: Duration = Duration::from_secs(2);
/// What a worker's environment has of the server's: where wasmtime's cache is.
const ENVIRONMENT: [&str; 2] = ["HOME", "XDG_CACHE_HOME"];

/// What a worker may use while it does its job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Time until it has finished.
    pub wall: Duration,
    /// Bytes of its answers.
    pub output_bytes: u64,
    /// Bytes of memory that it occupies.
    pub resident_bytes: u64,
}

/// How a job ended.
#[derive(Debug)]
pub enum Outcome {
    /// It is done, with this result: see [`super::job`].
    Finished(Value),
    /// It could not be done, for the reason that the worker gives.
    Failed(String),
    /// Somebody did not want it any more.
    Cancelled,
    /// It took longer than it may.
    TimedOut {
        /// The limit.
        limit: Duration,
    },
    /// The answers were longer than they may be.
    TooMuchOutput {
        /// The limit in bytes.
        limit: u64,
    },
    /// The worker occupied more memory than it may.
    TooMuchMemory {
        /// The limit in bytes.
        limit: u64,
        /// What it occupied when somebody looked, in bytes.
        seen: u64,
    },
    /// The worker ended without an answer.
    Died(Death),
    /// What the worker said is not what a worker says.
    Misbehaved(ProtocolError),
    /// Whoever took the answers could not take any more.
    NotTaken(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finished(_) => f.write_str("finished"),
            Self::Failed(message) => f.write_str(message),
            Self::Cancelled => f.write_str("cancelled"),
            Self::TimedOut { limit } => {
                write!(f, "not finished after {} s", limit.as_secs_f64())
            }
            Self::TooMuchOutput { limit } => {
                write!(f, "the log and the result have more than {limit} bytes")
            }
            Self::TooMuchMemory { limit, seen } => {
                write!(f, "the run occupied {seen} bytes of memory, and may have {limit}")
            }
            Self::Died(death) => death.fmt(f),
            Self::Misbehaved(error) => {
                write!(f, "the worker's answers are wrong: {error}")
            }
            Self::NotTaken(reason) => write!(f, "the log could not be kept: {reason}"),
        }
    }
}

/// A worker that ended by itself, or was killed by somebody else.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Death {
    /// With what.
    pub how: String,
    /// The end of what it wrote to standard error.
    pub messages: String,
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the worker {}", self.how)?;
        match self.messages.trim() {
            "" => Ok(()),
            messages => write!(f, "; its last words: {messages}"),
        }
    }
}

/// A worker is not there, or not ready.
#[derive(Debug, Error)]
pub enum BirthError {
    /// The process could not be started.
    #[error("cannot start a worker: {0}")]
    Start(#[from] io::Error),
    /// It ended before it was ready.
    #[error("{0}")]
    Died(Death),
    /// It says that it cannot work.
    #[error("a worker cannot start: {0}")]
    Failed(String),
    /// It took too long.
    #[error("a worker was not ready after {} s", .0.as_secs_f64())]
    TimedOut(Duration),
    /// It said something else.
    #[error("a worker's first answer is wrong: {0}")]
    Misbehaved(#[from] ProtocolError),
    /// It is a worker of another version of this program.
    #[error("a worker speaks version {found} of the protocol, this server {wanted}: restart it")]
    Version {
        /// The worker's version.
        found: u32,
        /// The server's.
        wanted: u32,
    },
}

/// Takes a worker's answers as they come.
///
/// A function that returns at once will do; what has to wait is a type of its own. While it waits,
/// the worker does too.
pub trait Sink: Send {
    /// Takes one answer: the start of a log, events, or the end of a run.
    ///
    /// # Errors
    /// Why no more can be taken. This ends the job.
    fn take(&mut self, answer: Answer) -> impl Future<Output = Result<(), String>> + Send;
}

impl<F: FnMut(Answer) -> Result<(), String> + Send> Sink for F {
    fn take(&mut self, answer: Answer) -> impl Future<Output = Result<(), String>> + Send {
        std::future::ready(self(answer))
    }
}

/// A worker process.
#[derive(Debug)]
pub struct Worker {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    messages: Messages,
    conversation: Conversation,
}

impl Worker {
    /// Starts a program as a worker, which is this program's `lcd worker` unless it is a test.
    ///
    /// # Errors
    /// [`BirthError::Start`].
    pub async fn spawn(program: &Path, arguments: &[&str]) -> Result<Self, BirthError> {
        let mut command = Command::new(program);
        command.args(arguments).env_clear();
        command
            .envs(ENVIRONMENT.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Somebody who interrupts the server from a terminal means the server, which then ends its
        // workers itself.
        command.process_group(0).kill_on_drop(true);
        let mut child = parent::start(command).await?;
        let missing = || io::Error::other("a pipe is missing");
        let input = child.stdin.take().ok_or_else(missing)?;
        let output = BufReader::new(child.stdout.take().ok_or_else(missing)?);
        let messages = Messages::collect(child.stderr.take().ok_or_else(missing)?);
        let conversation = Conversation::default();
        Ok(Self { child, input: Some(input), output, messages, conversation })
    }

    /// Waits until the worker is locked in and waits for its job. One that is not, is ended.
    ///
    /// # Errors
    /// [`BirthError`].
    pub async fn ready(mut self, patience: Duration) -> Result<(Self, Ready), BirthError> {
        let error = match timeout(patience, self.answer()).await {
            Err(_) => BirthError::TimedOut(patience),
            Ok(Ok(Some((Answer::Ready(ready), _)))) if ready.version == protocol::VERSION => {
                return Ok((self, ready));
            }
            Ok(Ok(Some((Answer::Ready(ready), _)))) => {
                BirthError::Version { found: ready.version, wanted: protocol::VERSION }
            }
            Ok(Ok(Some((Answer::Failed { message }, _)))) => BirthError::Failed(message),
            Ok(Ok(Some(_))) => ProtocolError::Order("an answer before it was ready").into(),
            Ok(Ok(None) | Err(ProtocolError::Truncated)) => {
                return Err(BirthError::Died(self.death().await));
            }
            Ok(Err(error)) => error.into(),
        };
        self.end().await;
        Err(error)
    }

    /// Its process, unless it has been waited for.
    pub fn process(&self) -> Option<u32> {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Has the worker do its one job, and ends it. `bundle` is what `Bundle::encode` made.
    pub async fn run(
        mut self,
        job: &Job,
        bundle: &[u8],
        sink: &mut impl Sink,
        cancel: &CancellationToken,
        limits: Limits,
    ) -> Outcome {
        let frames = match job.encode(bundle) {
            Ok(frames) => frames,
            Err(error) => {
                self.end().await;
                return Outcome::Failed(format!("the job is too large: {error}"));
            }
        };
        let process = self.child.id();
        let ended = tokio::select! {
            biased;
            () = cancel.cancelled() => Some(Outcome::Cancelled),
            () = sleep(limits.wall) => Some(Outcome::TimedOut { limit: limits.wall }),
            seen = grown_beyond(process, limits.resident_bytes) => {
                Some(Outcome::TooMuchMemory { limit: limits.resident_bytes, seen })
            }
            ended = self.converse(&frames, sink, limits.output_bytes) => ended,
        };
        match ended {
            Some(outcome) => {
                self.end().await;
                outcome
            }
            None => Outcome::Died(self.death().await),
        }
    }

    /// Passes on what the worker says until it has said how the job ended. Nothing if it stops
    /// before that.
    async fn converse(
        &mut self,
        frames: &[u8],
        sink: &mut impl Sink,
        output_bytes: u64,
    ) -> Option<Outcome> {
        let Some(mut input) = self.input.take() else {
            return Some(Outcome::Failed("the worker has had its job".into()));
        };
        // That it does not listen is seen below: it says why, or has ended.
        let _ = input.write_all(frames).await;
        drop(input);
        let mut seen = 0u64;
        loop {
            let (answer, bytes) = match self.answer().await {
                Ok(Some(answer)) => answer,
                Ok(None) | Err(ProtocolError::Truncated) => return None,
                Err(error) => return Some(Outcome::Misbehaved(error)),
            };
            seen = seen.saturating_add(bytes);
            if seen > output_bytes {
                return Some(Outcome::TooMuchOutput { limit: output_bytes });
            }
            match answer {
                Answer::Finished { result } => return Some(Outcome::Finished(result)),
                Answer::Failed { message } => return Some(Outcome::Failed(message)),
                answer => {
                    if let Err(reason) = sink.take(answer).await {
                        return Some(Outcome::NotTaken(reason));
                    }
                }
            }
        }
    }

    /// The next answer, if there is one and it is in order.
    async fn answer(&mut self) -> Result<Option<(Answer, u64)>, ProtocolError> {
        let Some((answer, bytes)) = Answer::read(&mut self.output).await? else { return Ok(None) };
        self.conversation.accept(&answer)?;
        Ok(Some((answer, bytes)))
    }

    /// Kills the worker and waits for its end.
    pub async fn end(mut self) {
        self.messages.reader.abort();
        // It may have ended already, which is what is wanted.
        let _ = self.child.kill().await;
    }

    /// What a worker died of that has stopped talking.
    async fn death(mut self) -> Death {
        let status = timeout(FAREWELL, self.child.wait()).await;
        let how = match status {
            Ok(Ok(status)) => explain(status),
            Ok(Err(error)) => format!("ended, but how is not known: {error}"),
            Err(_) => String::from("closed its output without an answer, and had to be killed"),
        };
        let _ = self.child.kill().await;
        // What it wrote is complete when the pipe is closed, which its end does.
        let _ = timeout(FAREWELL, &mut self.messages.reader).await;
        self.messages.reader.abort();
        Death { how, messages: self.messages.text() }
    }
}

/// How a process ended, for people.
fn explain(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;

    let Some(signal) = status.signal() else {
        return format!("ended with {status}");
    };
    let meaning = match signal {
        libc::SIGSYS => "the sandbox refused a system call",
        libc::SIGXCPU => "its processor time was used up",
        libc::SIGXFSZ => "the memory of its domains was used up",
        libc::SIGKILL => "somebody killed it, or the host ran out of memory",
        libc::SIGABRT => "it aborted",
        libc::SIGSEGV | libc::SIGBUS => "it touched memory that is not its own",
        _ => "nobody here knows why",
    };
    format!("was ended by signal {signal}: {meaning}")
}

/// The end of what a worker writes to standard error.
#[derive(Debug)]
struct Messages {
    last: Arc<Mutex<VecDeque<u8>>>,
    reader: JoinHandle<()>,
}

impl Messages {
    /// Reads on until the pipe is closed, so that the worker never waits for it.
    fn collect(mut from: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let last = Arc::<Mutex<VecDeque<u8>>>::default();
        let kept = Arc::clone(&last);
        let reader = tokio::spawn(async move {
            let mut bytes = [0; 1024];
            while let Ok(count @ 1..) = from.read(&mut bytes).await {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend(&bytes[..count]);
                let surplus = kept.len().saturating_sub(MESSAGES);
                kept.drain(..surplus);
            }
        });
        Self { last, reader }
    }

    fn text(&self) -> String {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(last.make_contiguous()).into_owned()
    }
}

impl Drop for Messages {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Returns when the process occupies more than so many bytes, with how many. Never, if nobody can
/// tell.
async fn grown_beyond(process: Option<u32>, limit: u64) -> u64 {
    while let Some(bytes) = process.and_then(resident) {
        if bytes > limit {
            return bytes;
        }
        sleep(LOOK).await;
    }
    std::future::pending().await
}

/// Bytes of memory that a process occupies. The file is the kernel's, so reading it does not wait.
#[cfg(target_os = "linux")]
fn resident(process: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/statm")).ok()?;
    let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
    pages.checked_mul(u64::try_from(rustix::param::page_size()).ok()?)
}

/// Nobody can tell.
#[cfg(not(target_os = "linux"))]
fn resident(_process: u32) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::{Death, Messages, Outcome, explain};
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    #[test]
    fn a_death_says_what_it_was() {
        let by = |signal| explain(ExitStatus::from_raw(signal));
        assert!(by(libc::SIGSYS).contains("the sandbox refused a system call"));
        assert!(by(libc::SIGXCPU).contains("processor time"));
        assert_eq!(explain(ExitStatus::from_raw(3 << 8)), "ended with exit status: 3");
        let death = Death { how: by(libc::SIGSYS), messages: "one\ntwo\n".into() };
        assert!(Outcome::Died(death).to_string().ends_with("its last words: one\ntwo"));
    }

    #[tokio::test]
    async fn of_messages_the_last_ones_are_kept() {
        let long = [vec![b'a'; 100_000], b"the end".to_vec()].concat();
        let mut messages = Messages::collect(std::io::Cursor::new(long));
        (&mut messages.reader).await.unwrap();
        let text = messages.text();
        assert_eq!(text.len(), super::MESSAGES);
        assert!(text.ends_with("aaathe end"));
    }
}
