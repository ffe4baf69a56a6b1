//! The two backends behind one face: what can be asked of a session wherever it runs.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use native_vmx::{KickHandle, NativeArch, Unavailable};
use shared_model::bundle::Bundle;
use shared_model::domain::LifecycleError;
use shared_model::event::{Event, Log, LogHeader};
use shared_model::session::{Progress, Request, Response, Session};
use shared_model::world::KillAfter;
use thiserror::Error;
use wasm_host::{Engines, Simulator, SimulatorError};

use shared_model::domain::ThreadId;

/// Where domains run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Backend {
    /// On the processor, isolated by KVM.
    Native,
    /// In the simulator, anywhere.
    Sim,
}

impl Backend {
    /// Both, in the order in which reports list them.
    pub const ALL: [Self; 2] = [Self::Native, Self::Sim];
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Sim => "sim",
        })
    }
}

impl FromStr for Backend {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|backend| backend.to_string() == text)
            .ok_or_else(|| format!("`{text}` is no backend: use native or sim"))
    }
}

/// A backend could not do what it was asked.
#[derive(Debug, Error)]
pub enum BackendError {
    /// Native execution is not possible here.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The model refused.
    #[error(transparent)]
    Lifecycle(#[from] LifecycleError),
    /// The simulator failed.
    #[error(transparent)]
    Simulator(SimulatorError),
}

impl From<SimulatorError> for BackendError {
    fn from(error: SimulatorError) -> Self {
        match error {
            SimulatorError::Lifecycle(error) => Self::Lifecycle(error),
            other => Self::Simulator(other),
        }
    }
}

/// A session on one of the backends.
pub(crate) enum Machine {
    Native(Box<Session<NativeArch>>),
    Sim(Box<Simulator>),
}

/// Instructions that the simulator runs before it looks up: a few tens of milliseconds.
const SLICE: u64 = 4_000_000;

impl Machine {
    pub(crate) fn open(backend: Backend, bundle: &Bundle) -> Result<Self, BackendError> {
        Ok(match backend {
            Backend::Native => {
                Self::Native(Box::new(Session::new(NativeArch::new()?, bundle.clone())))
            }
            Backend::Sim => Self::Sim(Box::new(engines()?.open(bundle)?)),
        })
    }

    pub(crate) fn request(&mut self, request: Request) -> Result<Response, BackendError> {
        Ok(match self {
            Self::Native(session) => session.handle(request)?,
            Self::Sim(simulator) => simulator.request(&request)?,
        })
    }

    pub(crate) fn add_modules(&mut self, bundle: &Bundle) -> Result<(), BackendError> {
        match self {
            Self::Native(session) => session.add_modules(bundle),
            Self::Sim(simulator) => simulator.add_modules(bundle)?,
        }
        Ok(())
    }

    /// Runs for a while: to the next exit natively, for a slice of instructions simulated.
    pub(crate) fn run(&mut self) -> Result<Progress, BackendError> {
        Ok(match self {
            Self::Native(session) => session.run(u64::MAX, 1),
            Self::Sim(simulator) => simulator.run(SLICE)?,
        })
    }

    /// What the next run will run, how to stop it from another host thread, and when it is to be
    /// killed. Nothing for the simulator, whose runs are short and which counts instructions.
    pub(crate) fn current(&self) -> Option<(ThreadId, KickHandle, Option<KillAfter>)> {
        let Self::Native(session) = self else { return None };
        let (thread, kill_after) = session.kernel().current()?;
        Some((thread, session.kernel().kicker(thread).ok()?, kill_after))
    }

    pub(crate) fn retired(&mut self) -> Option<u64> {
        match self {
            Self::Native(session) => session.kernel().retired().filter(|&count| count > 0),
            Self::Sim(simulator) => simulator.retired().ok(),
        }
    }

    /// How often hardware was entered.
    pub(crate) fn entries(&self) -> Option<u64> {
        match self {
            Self::Native(session) => session.kernel().entries(),
            Self::Sim(_) => None,
        }
    }

    /// What the log is a log of.
    pub(crate) fn header(&mut self) -> Result<LogHeader, BackendError> {
        Ok(match self {
            Self::Native(session) => session.kernel().header(),
            Self::Sim(simulator) => simulator.header()?,
        })
    }

    /// All that has happened so far.
    pub(crate) fn events(&mut self) -> Result<&[Event], BackendError> {
        Ok(match self {
            Self::Native(session) => session.kernel().events(),
            Self::Sim(simulator) => simulator.events()?,
        })
    }

    /// Whether more has happened than so many events. The simulator is not asked: perhaps.
    pub(crate) fn may_have_more_than(&self, events: usize) -> bool {
        match self {
            Self::Native(session) => session.kernel().events().len() > events,
            Self::Sim(_) => true,
        }
    }

    pub(crate) fn log(&mut self) -> Result<Log, BackendError> {
        Ok(match self {
            Self::Native(session) => session.log(),
            Self::Sim(simulator) => simulator.log()?,
        })
    }
}

/// Checks that a backend can be used here.
///
/// # Errors
/// [`BackendError`] with the reason and what to do about it.
pub fn available(backend: Backend) -> Result<(), BackendError> {
    match backend {
        Backend::Native => NativeArch::new().map(drop).map_err(BackendError::from),
        Backend::Sim => engines().map(drop).map_err(BackendError::from),
    }
}

/// The simulator, compiled once in a process.
fn engines() -> Result<&'static Engines, SimulatorError> {
    static ENGINES: OnceLock<Engines> = OnceLock::new();
    if let Some(engines) = ENGINES.get() {
        return Ok(engines);
    }
    let engines = Engines::new()?;
    Ok(ENGINES.get_or_init(|| engines))
}
