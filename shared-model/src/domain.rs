//! Domains and their threads: what they are and which steps of life are legal.
//!
//! ```text
//! domain:  Embryo ── configure ──► Configured ── run ──► Running ── last thread ends ──► Dead
//! thread:  Suspended ◄── suspend, resume ──► Ready ◄── waits, is woken ──► Blocked
//!          and from each of them ── ends, is killed ──► Dead
//! ```
//!
//! Any domain can be destroyed, any thread killed. A step that is not in the picture is
//! refused and changes nothing. While a domain is only configured, its threads stay suspended. A
//! blocked thread that is suspended goes on waiting, and is suspended when it is woken.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::abi::{Hypercall, utcb};
use crate::address::{Frame, GuestPhysical, GuestVirtual};
use crate::capability::{ChannelId, EndpointId, NotificationId, Slot};
use crate::construct::{Home, PlacedArgument};
use crate::exit::{End, KillReason};
use crate::layout::ThreadPlaces;
use crate::loader::Program;
use crate::registers::{Registers, SystemRegisters};
use crate::rights::Rights;
use crate::space::AddressSpace;
use crate::world::KillAfter;

/// A domain's number: in the order of creation, from 0, never used again in a run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct DomainId(pub u32);

/// A thread's number: in the order of creation in the whole run, from 0, never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
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
    /// Not started, or suspended.
    Suspended,
    /// Running, or waiting for its turn.
    Ready,
    /// In a hypercall that waits for something.
    Blocked,
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
            Self::Suspended => "suspended",
            Self::Ready => "started",
            Self::Blocked => "waiting",
            Self::Dead => "dead",
        })
    }
}

/// A step of life, for errors.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    /// Give it another thread.
    AddThread,
    /// Keep a thread from running.
    Suspend,
    /// Let it run again.
    Resume,
    /// Read or replace its registers.
    Access,
    /// Make the hypercall of a host thread.
    Call,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Configure => "configure",
            Self::Run => "run",
            Self::Start => "start",
            Self::Kill => "kill",
            Self::Kick => "kick",
            Self::AddThread => "add a thread to",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Access => "access the registers of",
            Self::Call => "make a hypercall for",
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
    /// No service has this name.
    #[error("no service is named `{0}`; there are {names}", names = crate::services::NAMES.join(", "))]
    NoService(String),
    /// The module cannot be loaded, or has nothing to start with.
    #[error("{0}")]
    Load(String),
    /// The backend or the domain's quota has no more.
    #[error("{0}")]
    Exhausted(String),
    /// The host does not lend that memory, or no longer.
    #[error("no memory that begins with frame {0} is lent")]
    NotLent(Frame),
    /// The memory is smaller than that.
    #[error("{length:#x} bytes from {offset:#x} on are not all in the memory")]
    Outside {
        /// The first byte.
        offset: u64,
        /// How many.
        length: u64,
    },
    /// What can be chosen before the run was asked for in the middle of it.
    #[error("the run has begun")]
    Begun,
}

/// A domain.
#[derive(Clone, Debug)]
pub(crate) struct Domain {
    pub(crate) name: String,
    pub(crate) state: DomainState,
    pub(crate) space: AddressSpace,
    /// The slots of what is mapped in its windows, by the first page.
    pub(crate) mapped: BTreeMap<GuestPhysical, u64>,
    /// What is loaded.
    pub(crate) program: Option<Program>,
    /// The numbers in the bundle of the files that the program's images are from.
    pub(crate) files: Vec<usize>,
    /// What its threads have in common, once it is configured.
    pub(crate) home: Option<Home>,
    /// Its threads by index: the initial one first, and of others the last that had the index.
    pub(crate) threads: Vec<ThreadId>,
    pub(crate) console: Vec<u8>,
    /// Who deals with its threads' faults.
    pub(crate) fault_handler: Option<FaultHandler>,
}

/// Where a domain's faults go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FaultHandler {
    pub(crate) endpoint: EndpointId,
    /// The capability that it was bound with: when that goes, faults end threads again.
    pub(crate) through: Slot,
    /// That capability's badge, with which the faults arrive.
    pub(crate) badge: u64,
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
#[derive(Clone, Debug)]
pub(crate) struct Thread {
    pub(crate) domain: DomainId,
    /// Its number within the domain.
    pub(crate) index: u32,
    pub(crate) state: ThreadState,
    /// It has been set up to run: it has begun its first call, or somebody chose its registers.
    pub(crate) started: bool,
    /// Somebody chose its registers before it was started, so that it makes no calls.
    pub(crate) is_set_up: bool,
    /// Suspended by somebody; while it waits, that goes on.
    pub(crate) paused: bool,
    /// What it waits for, while it is blocked.
    pub(crate) waiting: Option<Waiting>,
    /// A long operation that it is in the middle of; it takes its turns like running.
    pub(crate) work: Option<Work>,
    /// Calls it has received and not answered: slot 2 names the last of them.
    pub(crate) replies: u32,
    /// What the next call it receives lets it do: reply, and with grant pass capabilities on.
    pub(crate) reply_rights: Rights,
    /// The notification that also ends its receiving.
    pub(crate) bound: Option<NotificationId>,
    pub(crate) system: SystemRegisters,
    pub(crate) places: ThreadPlaces,
    /// The guest-physical address of the stack's lowest page.
    pub(crate) stack: GuestPhysical,
    /// The stack pointer of its calls, if not the top of its own stack.
    pub(crate) stack_pointer: Option<u64>,
    pub(crate) utcb: Frame,
    /// The functions it calls, and which of them is running.
    pub(crate) calls: Vec<Call>,
    pub(crate) current_call: usize,
    pub(crate) kill_after: Option<KillAfter>,
    /// How it ended, and its registers then.
    pub(crate) ended: Option<(End, Registers)>,
}

/// Why a thread is blocked, and until when.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    /// The hypercall that waits, for the log; nothing if the thread faulted.
    pub(crate) call: Option<Hypercall>,
    pub(crate) wait: Wait,
    /// The capability through which it waits: when that goes, the wait ends.
    pub(crate) through: Option<Slot>,
    /// The tick at which it is given up.
    pub(crate) deadline: Option<u64>,
}

/// What a blocked thread waits for.
#[derive(Debug, Clone)]
pub(crate) enum Wait {
    /// Somebody to receive its message.
    Send {
        endpoint: EndpointId,
        badge: u64,
        /// Capabilities may go along.
        can_grant: bool,
        is_call: bool,
    },
    /// A message.
    Receive { endpoint: EndpointId },
    /// The answer to its call.
    Reply,
    /// Its fault is to be received at this endpoint.
    FaultSend {
        endpoint: EndpointId,
        badge: u64,
        words: [u64; utcb::REGISTERS],
        reason: KillReason,
    },
    /// The answer to its fault.
    FaultReply { reason: KillReason },
    /// Bits of a notification.
    Notification { notification: NotificationId },
    /// A channel's doorbell at its side.
    Doorbell { channel: ChannelId, side: usize },
    /// A time.
    Sleep,
}

/// An operation that is done in bounded steps, so that nobody has to wait long for a turn.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    pub(crate) call: Hypercall,
    /// What is being revoked; nothing once that is done and domains remain to be taken apart.
    pub(crate) revoke: Option<Slot>,
    /// Whose capabilities stay.
    pub(crate) keep: Option<DomainId>,
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
