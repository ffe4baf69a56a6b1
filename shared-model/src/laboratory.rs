//! What the laboratory is asked, as it crosses the boundary to the simulator: a run that can be
//! moved through, stopped and looked into.
//!
//! Numbers of 64 bits are "0x…" texts, so that none loses a digit where all numbers are floating
//! ones; counts and small numbers are numbers. The answers are in [`crate::microkernel::look`] and
//! where they are made.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::abi::Hypercall;
use crate::domain::{DomainId, ThreadId};
use crate::hex::Hex;
use crate::microkernel::Schedule;
use crate::microkernel::look::{self, Space};

/// A moment of a run. Two moments are in the order of `retired`, and then of `steps`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
pub struct Position {
    /// Instructions that all threads have retired.
    pub retired: u64,
    /// Exits that were handled, and other steps of the microkernel.
    pub steps: u64,
}

/// Where to go.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// So many single steps on: an instruction of whoever's turn it is, or a step of the microkernel.
    Single(u64),
    /// To the first moment that is not before this one.
    Position(Position),
    /// To the first moment at which the log has so many events.
    Events(usize),
    /// Until the next hypercall has been handled.
    Hypercall,
    /// To the end of the run, with the digests of memory in its log.
    End,
}

/// What stops a run on its way.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Stops {
    /// Before the instructions at these addresses.
    pub addresses: Vec<AddressStop>,
    /// After these hypercalls.
    pub hypercalls: Vec<Hypercall>,
    /// After an event about the capabilities in these slots, or a hypercall that names one.
    pub capabilities: Vec<CapabilityStop>,
    /// After a change of these bytes, or also after they were read.
    pub memory: Vec<MemoryStop>,
}

/// An instruction to stop before.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub struct AddressStop {
    /// The domain.
    pub domain: DomainId,
    /// Its guest-virtual address.
    pub address: Hex,
}

/// A slot to stop at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub struct CapabilityStop {
    /// The domain.
    pub domain: DomainId,
    /// Its slot.
    pub slot: u64,
}

/// Bytes to stop at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub struct MemoryStop {
    /// The domain.
    pub domain: DomainId,
    /// The first byte's guest-virtual address.
    pub address: Hex,
    /// How many bytes.
    pub length: u64,
    /// Also stop at instructions that read them.
    #[serde(default)]
    pub read: bool,
}

/// A fault that is built into the machine: whenever the instruction at the address has been
/// executed, bits of a register are inverted.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Plant {
    /// The domain.
    pub domain: DomainId,
    /// The instruction's guest-virtual address.
    pub address: Hex,
    /// The general register, by its 64-bit name.
    pub register: String,
    /// The bits.
    pub xor: Hex,
}

/// What the laboratory can be asked.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Create and start what the world declares.
    Boot {
        /// In this order of turns.
        #[serde(default)]
        schedule: Option<Schedule>,
        /// Or in that of this log.
        #[serde(default)]
        recorded: Option<String>,
        /// Faults that are built in.
        #[serde(default)]
        plants: Vec<Plant>,
    },
    /// Go on.
    Advance {
        /// To where.
        goal: Goal,
        /// Unless one of these comes before.
        #[serde(default)]
        stops: Stops,
        /// And for about so many instructions at most.
        budget: u64,
    },
    /// What can be seen of domains and threads: the answer is a [`State`].
    State,
    /// Bytes of a domain: [`look::MemoryPiece`]s.
    Memory {
        /// The domain.
        domain: DomainId,
        /// Which addresses these are.
        space: Space,
        /// The first.
        address: Hex,
        /// How many.
        length: u64,
    },
    /// The way from an address to a frame: a [`look::Walk`].
    Walk {
        /// The domain.
        domain: DomainId,
        /// The guest-virtual address.
        address: Hex,
    },
    /// Who holds which capabilities: a [`crate::snapshot::Snapshot`].
    Graph,
    /// Who waits where: [`look::Objects`].
    Objects,
    /// What is in a thread's UTCB: a [`look::Utcb`].
    Utcb {
        /// The thread.
        thread: ThreadId,
    },
    /// Lines of the log, as they are in it.
    Events {
        /// How many of its events are left out.
        from: usize,
        /// How many come at most.
        limit: usize,
    },
    /// The log's first line.
    Header,
    /// What is loaded in a domain: a [`look::Program`].
    Program {
        /// The domain.
        domain: DomainId,
    },
    /// Why an event was a refusal, or null if it was none.
    Refusal {
        /// The event's number, from 0.
        event: usize,
    },
    /// A digest of everything, as text.
    Digest,
    /// What a domain wrote, as text.
    Console {
        /// The domain.
        domain: DomainId,
    },
}

/// Where a run has come to.
#[derive(Debug, Serialize)]
pub struct State {
    /// The moment.
    pub position: Position,
    /// Nothing will happen any more.
    pub over: bool,
    /// Of a repeated run: it left the recorded one at this event of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub astray: Option<usize>,
    /// What there is.
    #[serde(flatten)]
    pub state: look::State,
}

/// Why a run stands still.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stopped {
    /// It is where it was to go.
    Goal,
    /// It has used its budget up.
    Budget,
    /// It is over.
    Over,
    /// The instruction at an address is the next.
    Address {
        /// The domain.
        domain: DomainId,
        /// The address.
        address: Hex,
        /// The thread that is there.
        thread: ThreadId,
    },
    /// A hypercall was handled.
    Hypercall {
        /// Which.
        name: &'static str,
        /// Its event.
        event: usize,
        /// Whose it was.
        thread: ThreadId,
    },
    /// Something happened to a capability, or was done with it.
    Capability {
        /// The domain.
        domain: DomainId,
        /// Its slot.
        slot: u64,
        /// The event that says so.
        event: usize,
    },
    /// Bytes were changed or read.
    Memory {
        /// The domain.
        domain: DomainId,
        /// The first of them that was changed, or of those that were watched.
        address: Hex,
        /// Whose turn it was.
        #[serde(skip_serializing_if = "Option::is_none")]
        thread: Option<ThreadId>,
        /// Whether they were changed.
        write: bool,
    },
}

/// How far a run went.
#[derive(Debug, Serialize)]
pub struct Advanced {
    /// Where it has come to.
    pub state: State,
    /// Why it stands still.
    pub stopped: Stopped,
}

/// Reads a request.
///
/// # Errors
/// A message if the bytes are not one.
pub fn parse(request: &[u8]) -> Result<Request, String> {
    serde_json::from_slice(request).map_err(|error| format!("not a request: {error}"))
}

/// An answer as JSON.
///
/// # Errors
/// None that can happen to the answers there are.
pub fn answer(answer: &impl Serialize) -> Result<Vec<u8>, String> {
    serde_json::to_vec(answer).map_err(|error| format!("the answer cannot be written: {error}"))
}
