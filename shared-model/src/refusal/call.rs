//! Hypercalls.

use alloc::format;
use alloc::string::String;

use super::history::{Held, History, describe, letter, right_name};
use super::needs::needed;
use super::{By, Refusal};
use crate::abi::{Hypercall, Status};
use crate::capability::{Slot, SpaceId, cptr};

/// An argument that names a slot.
#[derive(Clone, Copy)]
struct Named {
    argument: usize,
    number: u64,
    held: Option<Held>,
}

/// A hypercall that was refused.
pub(super) fn refused(
    history: History<'_>,
    by: By,
    call: Hypercall,
    arguments: &[u64],
    status: Status,
) -> Option<Refusal> {
    let general = general(status)?;
    let who = history.who(by.domain, by.thread);
    let base = by.refusal(call.name(), format!("{who} was refused {}", call.name()));
    let space = SpaceId::Domain(by.domain);
    let named = call.own_slots().filter_map(|argument| {
        let number = *arguments.get(argument)?;
        let held = history.held(Slot { space, number });
        (number != cptr::NULL).then_some(Named { argument, number, held })
    });
    let found = match status {
        Status::NotFound => empty(history, &base, call, named),
        Status::NotPermitted => lacking(history, &base, call, arguments, named),
        _ => None,
    };
    Some(found.unwrap_or_else(|| Refusal { text: format!("{}: {general}.", base.text), ..base }))
}

/// What a status means where nothing more is known. Nothing for one that is no refusal.
const fn general(status: Status) -> Option<&'static str> {
    Some(match status {
        Status::Waiting | Status::Ok | Status::WouldBlock | Status::TimedOut => return None,
        Status::NotPermitted => "something that it needs is not permitted to this domain",
        Status::NotFound => "what it names does not exist",
        Status::NoMemory => "memory, or a quota of the domain or of who created it, is used up",
        Status::Busy => "what derives from the capability must go first",
        Status::Exists => "the destination is taken",
        Status::Invalid => "an argument is out of range or of the wrong kind",
        Status::PeerDied => "nobody is left who could answer",
        Status::NoSystemCall => "there is no such hypercall",
        Status::BadState => "what it is about is in a state that does not allow this",
        Status::Cancelled => "the capability that it went through was taken away",
    })
}

/// The first slot that is empty and should not be.
fn empty(
    history: History<'_>,
    base: &Refusal,
    call: Hypercall,
    named: impl Iterator<Item = Named>,
) -> Option<Refusal> {
    let gone = |named: &Named| named.held.is_none_or(|held| held.removed.is_some());
    let is_source = |named: &Named| call.arguments()[named.argument] != "to";
    let mut named = named.filter(is_source);
    let Named { number, held, .. } = named.find(gone).filter(|_| names_things(call))?;
    let base = base.clone();
    if number == cptr::REPLY {
        let text =
            format!("{}: slot 2 is the right to answer a call, and there is none.", base.text);
        return Some(Refusal { text, slot: Some(number), ..base });
    }
    let Some(Held { added, removed: Some(removed) }) = held else {
        let text = format!("{}: nothing was ever in slot {number}.", base.text);
        return Some(Refusal { text, slot: Some(number), ..base });
    };
    let operation = history.operation(removed.event);
    let what = match removed.moved_to {
        Some(to) => format!("was moved to slot {to}"),
        None => String::from("was taken away"),
    };
    let text = format!(
        "{}: slot {number} is empty. Until event {}, a capability to {} was there; then it {what}: \
         {}.",
        base.text,
        removed.event,
        describe(added.object),
        history.whose(operation)
    );
    Some(Refusal {
        text,
        slot: Some(number),
        object: Some(added.object),
        taken_by: Some(removed.event),
        operation,
        ..base
    })
}

/// Whether the call's slots have to hold something: those of most calls that create things must be
/// empty.
const fn names_things(call: Hypercall) -> bool {
    use Hypercall as H;
    !matches!(
        call,
        H::DomainCreate
            | H::HostDomainCreate
            | H::EndpointCreate
            | H::NotificationCreate
            | H::ChannelCreate
            | H::PageAllocate
            | H::PageAllocateNode
            | H::PageAllocateMany
    )
}

/// The first capability that lacks a right that the call needs.
fn lacking(
    history: History<'_>,
    base: &Refusal,
    call: Hypercall,
    arguments: &[u64],
    mut named: impl Iterator<Item = Named>,
) -> Option<Refusal> {
    let (number, held, right) = named.find_map(|named| {
        let held = named.held.filter(|held| held.removed.is_none())?;
        let need = needed(call, named.argument, arguments);
        Some((named.number, held, need.missing(held.added.rights)?))
    })?;
    let narrowed = history.narrowed(held.added, right);
    let operation = history.operation(narrowed);
    let which = if narrowed == held.added.event { "It" } else { "What it is derived from" };
    let text = format!(
        "{}: the capability to {} in slot {number} has the rights {}, without the right to {}. \
         {which} was given without that in event {narrowed}: {}.",
        base.text,
        describe(held.added.object),
        held.added.rights,
        right_name(right),
        history.whose(operation)
    );
    Some(Refusal {
        text,
        slot: Some(number),
        object: Some(held.added.object),
        missing: Some(letter(right)),
        taken_by: Some(narrowed),
        operation,
        ..base.clone()
    })
}

/// A wait that ended because the capability went that it was through.
pub(super) fn cancelled(history: History<'_>, by: By, call: Hypercall) -> Option<Refusal> {
    let (last, arguments) = history.last_call(by.thread?)?;
    let argument = last.own_slots().next().filter(|_| last == call)?;
    let number = *arguments.get(argument)?;
    let held = history.held(Slot { space: SpaceId::Domain(by.domain), number });
    let who = history.who(by.domain, by.thread);
    let base = by.refusal(
        call.name(),
        format!("{who} waited in {} through slot {number}, and was told to give up", call.name()),
    );
    let Some(Held { added, removed: Some(removed) }) = held else {
        // Somebody ended the waits of a badge.
        return Some(Refusal { text: format!("{}.", base.text), ..base });
    };
    let operation = history.operation(removed.event);
    let text = format!(
        "{}, because the capability to {} in it went in event {}: {}.",
        base.text,
        describe(added.object),
        removed.event,
        history.whose(operation)
    );
    Some(Refusal {
        text,
        slot: Some(number),
        object: Some(added.object),
        taken_by: Some(removed.event),
        operation,
        ..base
    })
}
