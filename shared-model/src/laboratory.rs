//! What the laboratory is asked, as it crosses the boundary to the simulator: a run that can be
//! moved through, stopped and looked into.
//!
//! Numbers of 64 bits are "0x…" texts, so that none loses a digit where all numbers are floating
//! ones; counts and small numbers are numbers.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::abi::Hypercall;
use crate::domain::{DomainId, ThreadId};
use crate::event::{Digest, Event, LogHeader};
use crate::hex::Hex;
use crate::microkernel::Schedule;
use crate::microkernel::look::{self, Space};
use crate::snapshot::Snapshot;

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
        /// Faults that are built in.
        #[serde(default)]
        plants: Vec<Plant>,
    },
    /// How to repeat this log. Whoever boots with that may compare the logs elsewhere, and so has the
    /// run alone in this memory.
    Order {
        /// The log.
        recorded: String,
    },
    /// Whether two lines differ at most in what hosts may show differently: see [`are_alike`].
    Alike {
        /// A line.
        one: String,
        /// Another.
        other: String,
        /// They are of a run in parallel.
        #[serde(default)]
        parallel: bool,
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
    /// Lines of the log that the asker does not have yet, as they are in it; these and those before
    /// are forgotten. They still count, and a digest is the same as with them.
    Take {
        /// How many of the log's events the asker has.
        known: usize,
        /// How many come at most.
        limit: usize,
    },
    /// The same without forgetting. It is an error to ask for what is forgotten.
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
    /// A digest of everything, as text.
    Digest,
    /// What a domain wrote, as text.
    Console {
        /// The domain.
        domain: DomainId,
    },
}

/// How to repeat a run.
#[derive(Debug, Serialize)]
pub struct Repetition {
    /// In which order to take turns: see [`ways`](crate::microkernel::ways).
    pub schedule: Schedule,
    /// Its threads look at memory that others write meanwhile: it may take another course all the
    /// same.
    pub races: bool,
}

/// Where a run has come to.
#[derive(Debug, Serialize)]
pub struct State {
    /// The moment.
    pub position: Position,
    /// Nothing will happen any more.
    pub over: bool,
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
// Elsewhere it would become part of code that has to be fast, and large.
#[inline(never)]
pub fn parse(request: &[u8]) -> Result<Request, String> {
    serde_json::from_slice(request).map_err(|error| format!("not a request: {error}"))
}

/// What the laboratory answers.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// To [`Request::Boot`] and [`Request::State`].
    State(State),
    /// To [`Request::Order`].
    Order(Repetition),
    /// To [`Request::Alike`].
    Alike(bool),
    /// To [`Request::Advance`].
    Advanced(Advanced),
    /// To [`Request::Memory`].
    Memory(Vec<look::MemoryPiece>),
    /// To [`Request::Walk`].
    Walk(look::Walk),
    /// To [`Request::Graph`].
    Graph(Snapshot),
    /// To [`Request::Objects`].
    Objects(look::Objects),
    /// To [`Request::Utcb`].
    Utcb(look::Utcb),
    /// To [`Request::Header`].
    Header(LogHeader),
    /// To [`Request::Program`].
    Program(look::Program),
    /// To [`Request::Digest`].
    Digest(Digest),
    /// To [`Request::Console`].
    Text(String),
}

impl Answer {
    /// The answer as JSON.
    ///
    /// # Errors
    /// None that can happen to the answers there are.
    #[inline(never)]
    pub fn to_json(&self) -> Result<Vec<u8>, String> {
        serde_json::to_vec(self).map_err(|error| format!("the answer cannot be written: {error}"))
    }
}

/// Events as lines of a log: the answer to [`Request::Events`].
#[inline(never)]
pub fn lines(events: &[Event]) -> Vec<u8> {
    let mut out = Vec::new();
    for event in events {
        out.extend(serde_json::to_vec(event).expect("an event is plain data"));
        out.push(b'\n');
    }
    out
}

/// How a thread that runs can end by what another one does.
const STOPPED: [&str; 3] = ["fault", "terminated", "destroyed"];

/// Whether two events, as JSON, differ only in what hosts may show differently: flags that the
/// manual leaves undefined, and what a thread had come to that was stopped from outside. In parallel,
/// a fault may do so as well: another thread took the page away.
pub fn are_alike(one: &[u8], other: &[u8], parallel: bool) -> bool {
    let [one, other] = [one, other].map(|event| comparable(event, parallel));
    one.is_some() && one == other
}

fn comparable(event: &[u8], parallel: bool) -> Option<Value> {
    let mut event: Value = serde_json::from_slice(event).ok()?;
    let fields = event.as_object_mut()?;
    match fields.get("event")?.as_str()? {
        "ended" => {
            let reason = fields.get("end")?.get("reason")?.as_str()?;
            let is_asynchronous =
                matches!(reason, "killed" | "timeout") || parallel && STOPPED.contains(&reason);
            fields.remove("undefined_flags");
            if is_asynchronous {
                fields.remove("registers");
                fields.remove("at");
            } else {
                fields.get_mut("registers")?.as_object_mut()?.remove("rflags");
            }
        }
        // What a thread that was stopped left in memory depends on when that was.
        "memory" => {
            fields.remove("digest");
        }
        "memory_total" => {
            fields.remove("zero");
        }
        _ => {}
    }
    Some(event)
}

#[cfg(test)]
mod tests {
    use super::{are_alike, parse};

    #[test]
    fn requests_are_as_the_page_writes_them() {
        for request in [
            r#"{"boot":{}}"#,
            r#"{"boot":{"schedule":{"seeded":{"seed":1}},"plants":[{"domain":0,"address":"0x1","register":"rax","xor":"0x1"}]}}"#,
            r#"{"order":{"recorded":"{}\n"}}"#,
            r#"{"alike":{"one":"{}","other":"{}","parallel":true}}"#,
            r#"{"advance":{"goal":{"single":1},"budget":1000}}"#,
            r#"{"advance":{"goal":{"position":{"retired":1,"steps":2}},"stops":{},"budget":1}}"#,
            r#"{"advance":{"goal":"end","stops":{"addresses":[{"domain":0,"address":"0x1"}],"hypercalls":["cap_revoke"],"capabilities":[{"domain":0,"slot":3}],"memory":[{"domain":0,"address":"0x1","length":8,"read":true}]},"budget":1}}"#,
            r#""state""#,
            r#"{"memory":{"domain":0,"space":"virtual","address":"0x1000","length":64}}"#,
            r#"{"walk":{"domain":0,"address":"0x1000"}}"#,
            r#"{"events":{"from":0,"limit":10}}"#,
            r#"{"utcb":{"thread":0}}"#,
            r#"{"take":{"known":0,"limit":10}}"#,
            r#""digest""#,
        ] {
            assert!(
                parse(request.as_bytes()).is_ok(),
                "{request}: {:?}",
                parse(request.as_bytes())
            );
        }
        assert!(parse(br#"{"advance":{"goal":"nowhere","budget":1}}"#).is_err());
        assert!(
            parse(br#"{"advance":{"goal":"end","stops":{"hypercalls":["x"]},"budget":1}}"#)
                .is_err()
        );
    }

    #[test]
    fn only_what_hosts_show_differently_is_ignored() {
        let ended = |reason: &str, rax: u64, flags: u64| {
            alloc::format!(
                r#"{{"domain":0,"thread":0,"event":"ended","end":{{"reason":"{reason}","value":0}},"registers":{{"general":[{rax}],"rip":1,"rflags":{flags}}},"undefined_flags":{flags}}}"#
            )
        };
        let alike = |a: &str, b: &str| are_alike(a.as_bytes(), b.as_bytes(), false);
        assert!(alike(&ended("exit", 1, 2), &ended("exit", 1, 3)));
        assert!(!alike(&ended("exit", 1, 2), &ended("exit", 2, 2)));
        assert!(alike(&ended("killed", 1, 2), &ended("killed", 2, 2)));
        assert!(!alike(&ended("killed", 1, 2), &ended("timeout", 1, 2)));
        assert!(!alike("no event", "no event"));
        assert!(!alike(&ended("fault", 1, 2), &ended("fault", 2, 2)));
        let parallel = |a: &str, b: &str| are_alike(a.as_bytes(), b.as_bytes(), true);
        assert!(parallel(&ended("fault", 1, 2), &ended("fault", 2, 2)));
        assert!(!parallel(&ended("exit", 1, 2), &ended("exit", 2, 2)));
    }
}
