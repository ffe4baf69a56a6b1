//! Why something was refused, from the log alone: which capability would have allowed it, whether
//! it was ever there, which right it lacks, and who took it or gave it without that.
//!
//! What is asked about is an event: a thread's fault, its end by one, or a hypercall that was
//! refused. The answer looks at nothing but the events before it, so it is the same whichever
//! backend wrote them; of a log that does not tell something, it makes what it can.

use alloc::string::String;
use core::cell::Cell;

use serde::{Deserialize, Serialize};

use crate::abi::{Hypercall, Status};
use crate::capability::Object;
use crate::domain::{DomainId, ThreadId};
use crate::event::{Event, EventKind};
use crate::exit::{Access, End, KillReason};
use crate::hex::Hex;
use crate::registers::{RDX, Registers};

mod call;
mod fault;
mod history;
mod needs;
mod protection;
#[cfg(test)]
mod tests;

use history::History;

/// Why an access or a hypercall was refused.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Refusal {
    /// In a sentence or two, for people.
    pub text: String,
    /// What was tried: `read`, `write`, `execute`, or a hypercall's name.
    pub access: String,
    /// Whose thread tried it.
    pub domain: DomainId,
    /// The thread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<ThreadId>,
    /// The guest-virtual address that was accessed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Hex>,
    /// The guest-physical address that it leads to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub physical: Option<Hex>,
    /// The slot of the capability that would have allowed it, if it is or was there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<u64>,
    /// What that capability names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<crate::capability::CapabilityObject>))]
    pub object: Option<Object>,
    /// The right that it lacks, as a letter of `rwxgc`, if it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
    /// The event by which it went, or came without that right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_by: Option<usize>,
    /// The hypercall that brought that about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
}

/// A hypercall that changed who may do what.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Operation {
    /// Its event.
    pub event: usize,
    /// Which hypercall.
    pub call: Hypercall,
    /// Who called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<ThreadId>,
    /// The caller's domain.
    pub domain: DomainId,
}

/// Why the event with this number, from 0, was a refusal; nothing if it was none.
pub fn refusal(events: &[Event], number: usize) -> Option<Refusal> {
    let all = Excerpt { beginning: &[], from: 0, events };
    // Nothing is missing before the first event.
    all.refusal(number).unwrap_or_default()
}

/// What is at hand of a log of which events are left out.
#[derive(Clone, Copy, Debug)]
pub struct Excerpt<'a> {
    /// Its first events: what domains are called and what they are built from is mostly there.
    pub beginning: &'a [Event],
    /// How many events of the log come before those that follow.
    pub from: usize,
    /// The others, up to the one that is asked about at least.
    pub events: &'a [Event],
}

/// Why something was refused cannot be told without earlier events.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Earlier;

impl Excerpt<'_> {
    /// As [`refusal`] of the whole log.
    ///
    /// # Errors
    /// [`Earlier`] where that depends on events that are left out.
    pub fn refusal(&self, number: usize) -> Result<Option<Refusal>, Earlier> {
        let missed = Cell::new(number < self.from);
        let found = explain(History::new(self, number, &missed));
        if missed.get() { Err(Earlier) } else { Ok(found) }
    }
}

fn explain(history: History<'_>) -> Option<Refusal> {
    let event = history.asked()?;
    let by = By { domain: event.domain, thread: event.thread };
    match &event.kind {
        EventKind::Ended { end: End::Killed(reason), registers, .. } => {
            of_reason(history, by, reason, Some(registers))
        }
        EventKind::Faulted { fault, .. } => of_reason(history, by, fault, None),
        EventKind::Hypercall { call: Some(call), arguments, status, .. } => {
            call::refused(history, by, *call, arguments, *status)
        }
        EventKind::Completed { call, status: Status::Cancelled } => {
            call::cancelled(history, by, *call)
        }
        _ => None,
    }
}

fn of_reason(
    history: History<'_>,
    by: By,
    reason: &KillReason,
    registers: Option<&Registers>,
) -> Option<Refusal> {
    match reason {
        &KillReason::Fault { address, guest_physical, access } => {
            Some(fault::refused(history, by, address, guest_physical, access))
        }
        &KillReason::Exception { vector: fault::PAGE_FAULT, code, address } => {
            fault::by_tables(history, by, code, address?)
        }
        KillReason::Exception { vector: protection::GENERAL_PROTECTION, .. } => {
            Some(protection::refused(history, by, registers.map(dx)))
        }
        KillReason::Unprovided { symbol, access } => {
            Some(fault::unprovided(history, by, symbol, *access))
        }
        _ => None,
    }
}

/// The register in which a port mostly is.
const fn dx(registers: &Registers) -> u16 {
    registers.general[RDX] as u16
}

/// Who was refused something.
#[derive(Clone, Copy)]
struct By {
    domain: DomainId,
    thread: Option<ThreadId>,
}

impl By {
    /// A refusal about which nothing else is known.
    fn refusal(self, access: impl Into<String>, text: String) -> Refusal {
        let By { domain, thread } = self;
        Refusal {
            text,
            access: access.into(),
            domain,
            thread,
            address: None,
            physical: None,
            slot: None,
            object: None,
            missing: None,
            taken_by: None,
            operation: None,
        }
    }
}

/// What was tried, as the past of a verb.
const fn tried(access: Access) -> &'static str {
    match access {
        Access::Read => "read",
        Access::Write => "wrote to",
        Access::Execute => "tried to execute",
    }
}
