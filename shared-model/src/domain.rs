//! Domains and their threads: what they are and which steps of life are legal.
//!
//! ```text
//! domain:  Embryo ── configure ──► Configured ── run ──► Running ── last thread ends ──► Dead
//! thread:  Suspended ── start ──► Ready ── ends, is killed ──► Dead
//! ```
//!
//! Any domain can be destroyed, any thread killed. A step that is not in the picture is
//! refused and changes nothing.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::address::{Frame, GuestPhysical, GuestVirtual};
use crate::construct::PlacedArgument;
use crate::exit::End;
use crate::layout::ThreadPlaces;
use crate::loader::Program;
use crate::registers::{Registers, SystemRegisters};
use crate::space::AddressSpace;
use crate::world::KillAfter;

/// A domain's number: in the order of creation, from 0, never used again in a run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DomainId(pub u32);

/// A thread's number: in the order of creation in the whole run, from 0, never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ThreadId(pub u32);

/// Domains that can exist at a time: it bounds the host's virtual machines.
pub const DOMAINS_MAX: usize = 256;

/// How far a domain's life has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DomainState {
    /// Nothing is loaded.
    Embryo,
    /// A module is loaded and the initial thread can be started.
    Configured,
    /// The initial thread was started.
    Running,
    /// It will not run any more.
    Dead,
}

/// How far a thread's life has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ThreadState {
    /// Not started.
    Suspended,
    /// Running, or waiting for its turn.
    Ready,
    /// Ended.
    Dead,
}

impl fmt::Display for DomainState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Embryo => "empty",
            Self::Configured => "configured",
            Self::Running => "running",
            Self::Dead => "dead",
        })
    }
}

impl fmt::Display for ThreadState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Suspended => "not started",
            Self::Ready => "started",
            Self::Dead => "dead",
        })
    }
}

/// A step of life, for errors.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Load a module.
    Configure,
    /// Start the initial thread.
    Run,
    /// Start a thread.
    Start,
    /// End a thread.
    Kill,
    /// Stop a thread's current run.
    Kick,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Configure => "configure",
            Self::Run => "run",
            Self::Start => "start",
            Self::Kill => "kill",
            Self::Kick => "kick",
        })
    }
}

/// A step of life that is refused. Nothing has changed.
#[derive(Clone, PartialEq, Eq, Debug, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LifecycleError {
    /// The domain does not exist, or no longer.
    #[error("there is no domain {}", .0.0)]
    NoDomain(DomainId),
    /// The thread does not exist, or no longer.
    #[error("there is no thread {}", .0.0)]
    NoThread(ThreadId),
    /// The domain is not in a state that allows this.
    #[error("cannot {action} a domain that is {state}")]
    DomainState {
        /// What was asked for.
        action: Action,
        /// What the domain is.
        state: DomainState,
    },
    /// The thread is not in a state that allows this.
    #[error("cannot {action} a thread that is {state}")]
    ThreadState {
        /// What was asked for.
        action: Action,
        /// What the thread is.
        state: ThreadState,
    },
    /// No module has this name.
    #[error(
        "no module is named `{0}`: the world declares none, and nothing of that name was added"
    )]
    NoModule(String),
    /// The module cannot be loaded, or has nothing to start with.
    #[error("{0}")]
    Load(String),
    /// The backend or the domain's quota has no more.
    #[error("{0}")]
    Exhausted(String),
}

/// A domain.
#[derive(Debug)]
pub(crate) struct Domain {
    pub(crate) name: String,
    pub(crate) state: DomainState,
    pub(crate) space: AddressSpace,
    /// What is loaded.
    pub(crate) program: Option<Program>,
    /// The initial thread, once there is a module.
    pub(crate) thread: Option<ThreadId>,
    pub(crate) console: Vec<u8>,
    /// Pages it may still take: those it is built from and those it allocates.
    pub(crate) pages_left: u32,
}

/// A function that a thread is to call.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) symbol: String,
    pub(crate) address: GuestVirtual,
    pub(crate) arguments: Vec<PlacedArgument>,
    /// It returns a C `int`, of which 0 means success: an init function.
    pub(crate) is_init: bool,
}

/// A thread.
#[derive(Debug)]
pub(crate) struct Thread {
    pub(crate) domain: DomainId,
    pub(crate) state: ThreadState,
    pub(crate) system: SystemRegisters,
    pub(crate) places: ThreadPlaces,
    /// The guest-physical address of the stack's lowest page.
    pub(crate) stack: GuestPhysical,
    pub(crate) utcb: Frame,
    /// The functions it calls, and which of them is running.
    pub(crate) calls: Vec<Call>,
    pub(crate) current_call: usize,
    pub(crate) kill_after: Option<KillAfter>,
    /// How it ended, and its registers then.
    pub(crate) ended: Option<(End, Registers)>,
}

/// What is known of a thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadReport {
    /// Its domain.
    pub domain: DomainId,
    /// Its state.
    pub state: ThreadState,
    /// How it ended, and its registers then.
    pub ended: Option<(End, Registers)>,
}
