//! What events say of one capability, one page or one thread.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::Cell;

use super::{Excerpt, Operation};
use crate::abi::Status;
use crate::address::{Frame, GuestPhysical};
use crate::capability::{Object, Slot, SpaceId};
use crate::domain::{DomainId, ThreadId};
use crate::event::{Event, EventKind};
use crate::rights::Rights;

/// The events before one of them, as far as they are at hand. Numbers are those of the whole log.
#[derive(Clone, Copy)]
pub(super) struct History<'a> {
    excerpt: Excerpt<'a>,
    number: usize,
    /// Events were looked for that are left out: what is said without them is worth nothing.
    missed: &'a Cell<bool>,
}

/// How a capability came into a slot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Added {
    pub(super) event: usize,
    pub(super) object: Object,
    pub(super) rights: Rights,
    pub(super) from: Option<Slot>,
}

/// How it left it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Removed {
    pub(super) event: usize,
    pub(super) moved_to: Option<u64>,
}

/// What was last in a slot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) added: Added,
    /// Nothing if it is still there.
    pub(super) removed: Option<Removed>,
}

/// What was last mapped at a page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mapping {
    pub(super) event: usize,
    pub(super) frame: Frame,
    pub(super) rights: Rights,
    /// The slot that the capability is in, or was last.
    pub(super) slot: Option<u64>,
    /// The event by which it went; nothing if it is still there.
    pub(super) unmapped: Option<usize>,
}

impl<'a> History<'a> {
    pub(super) fn new(excerpt: &Excerpt<'a>, number: usize, missed: &'a Cell<bool>) -> Self {
        Self { excerpt: *excerpt, number, missed }
    }

    /// The event that all this is about.
    pub(super) fn asked(self) -> Option<&'a Event> {
        self.at(self.number)
    }

    fn at(self, number: usize) -> Option<&'a Event> {
        self.excerpt.events.get(number.checked_sub(self.excerpt.from)?)
    }

    /// Events from one number up to another that comes after all at hand at most.
    fn between(self, from: usize, to: usize) -> &'a [Event] {
        let Excerpt { from: first, events, .. } = self.excerpt;
        let place = |number: usize| number.saturating_sub(first).min(events.len());
        &events[place(from)..place(to)]
    }

    /// The events before this one, the last one first.
    fn back(self) -> impl Iterator<Item = (usize, &'a Event)> {
        let first = self.excerpt.from;
        let events = self.between(first, self.number);
        events.iter().enumerate().rev().map(move |(i, event)| (first + i, event)).chain(self.none())
    }

    /// The same for what stays as it is once it has been said, as late as that may be: what is in
    /// the log's beginning is not changed by what is left out.
    fn back_for_good(self) -> impl Iterator<Item = &'a Event> {
        let late = self.between(self.excerpt.from, self.number);
        late.iter().rev().chain(self.excerpt.beginning.iter().rev()).chain(self.none())
    }

    /// No event. Who comes to it has looked for more than is at hand.
    fn none<T>(self) -> impl Iterator<Item = T> {
        core::iter::from_fn(move || {
            self.missed.set(self.missed.get() || self.excerpt.from > 0);
            None
        })
    }

    /// The same up to an earlier event.
    pub(super) const fn until(self, number: usize) -> Self {
        Self { number, ..self }
    }

    /// What was last in a slot, if anything ever was.
    pub(super) fn held(self, at: Slot) -> Option<Held> {
        let mut removed = None;
        for (number, event) in self.back() {
            match event.kind {
                EventKind::CapabilityAdded { space, slot, object, rights, from, .. } => {
                    let space = space.unwrap_or(SpaceId::Domain(event.domain));
                    if (Slot { space, number: slot }) == at {
                        let added = Added { event: number, object, rights, from };
                        return Some(Held { added, removed });
                    }
                }
                EventKind::CapabilityRemoved { space, slot, moved_to, .. }
                    if removed.is_none() && (Slot { space, number: slot }) == at =>
                {
                    removed = Some(Removed { event: number, moved_to });
                }
                _ => {}
            }
        }
        None
    }

    /// All that was ever in a slot of a domain and fits, with its slot, the last one first.
    pub(super) fn all_held(
        self,
        domain: DomainId,
        fits: impl Fn(Object) -> bool,
    ) -> Vec<(u64, Held)> {
        let own = SpaceId::Domain(domain);
        let mut removals = BTreeMap::new();
        let mut all = Vec::new();
        for (number, event) in self.back() {
            match event.kind {
                EventKind::CapabilityAdded { space, slot, object, rights, from, .. }
                    if space.unwrap_or(SpaceId::Domain(event.domain)) == own =>
                {
                    let removed = removals.remove(&slot);
                    if fits(object) {
                        let added = Added { event: number, object, rights, from };
                        all.push((slot, Held { added, removed }));
                    }
                }
                EventKind::CapabilityRemoved { space, slot, moved_to, .. } if space == own => {
                    removals.insert(slot, Removed { event: number, moved_to });
                }
                _ => {}
            }
        }
        all
    }

    /// The event by which a capability, or what it is derived from, came without a right that it is
    /// derived from had.
    pub(super) fn narrowed(self, added: Added, right: Rights) -> usize {
        let mut added = added;
        while let Some(from) = added.from
            && let Some(above) = self.until(added.event).held(from)
            && !above.added.rights.contains(right)
            && above.added.event < added.event
        {
            added = above.added;
        }
        added.event
    }

    /// What was last mapped at a page of a domain, in one of its windows.
    pub(super) fn mapping(self, domain: DomainId, at: GuestPhysical) -> Option<Mapping> {
        let mut unmapped = None;
        for (event, Event { domain: of, kind, .. }) in self.back() {
            match *kind {
                EventKind::Unmapped { page, .. } if page == at && *of == domain => {
                    unmapped = unmapped.or(Some(event));
                }
                EventKind::Mapped { page, frame, rights, slot } if page == at && *of == domain => {
                    let end = unmapped.unwrap_or(self.number);
                    let slot = slot.map(|slot| self.follow(domain, slot, event, end));
                    return Some(Mapping { event, frame, rights, slot, unmapped });
                }
                _ => {}
            }
        }
        None
    }

    /// Where the capability is at the end that was in a slot of a domain at the beginning.
    fn follow(self, domain: DomainId, slot: u64, from: usize, to: usize) -> u64 {
        let mut slot = slot;
        for event in self.between(from, to) {
            if let EventKind::CapabilityRemoved { space, slot: left, moved_to: Some(moved), .. } =
                event.kind
                && (space, left) == (SpaceId::Domain(domain), slot)
            {
                slot = moved;
            }
        }
        slot
    }

    /// The removal of the capability under which a page was mapped: its event comes right after
    /// those of the pages.
    pub(super) fn removal_after(self, unmapped: usize, domain: DomainId) -> Option<usize> {
        let rest = (unmapped..).zip(self.between(unmapped, self.number));
        let mut rest = rest.skip_while(|(_, event)| {
            matches!(event.kind, EventKind::Unmapped { .. }) && event.domain == domain
        });
        let (number, event) = rest.next()?;
        let own = SpaceId::Domain(domain);
        match event.kind {
            EventKind::CapabilityRemoved { space, moved_to: None, .. } if space == own => {
                Some(number)
            }
            _ => None,
        }
    }

    /// The hypercall that brought an event about.
    pub(super) fn operation(self, event: usize) -> Option<Operation> {
        let thread = self.at(event)?.thread?;
        let mut own =
            self.until(event + 1).back().filter(|(_, event)| event.thread == Some(thread));
        own.find_map(|(number, event)| match event.kind {
            EventKind::Hypercall {
                call: Some(call), status: Status::Ok | Status::Waiting, ..
            } => {
                Some(Operation { event: number, call, thread: Some(thread), domain: event.domain })
            }
            _ => None,
        })
    }

    /// The arguments of the last hypercall that a thread made.
    pub(super) fn last_call(self, thread: ThreadId) -> Option<(crate::abi::Hypercall, &'a [u64])> {
        self.back().filter(|(_, event)| event.thread == Some(thread)).find_map(|(_, event)| {
            match &event.kind {
                EventKind::Hypercall { call: Some(call), arguments, .. } => {
                    Some((*call, arguments.as_slice()))
                }
                _ => None,
            }
        })
    }

    /// The pages that a domain was built from, or got for a thread, among which a page is: what they
    /// allow.
    pub(super) fn built(self, domain: DomainId, at: GuestPhysical) -> Option<Rights> {
        self.back_for_good().filter(|event| event.domain == domain).find_map(|event| {
            let (EventKind::Built { pages, .. } | EventKind::ThreadCreated { pages, .. }) =
                &event.kind
            else {
                return None;
            };
            let size = |pages: u64| pages.saturating_mul(crate::address::PAGE_SIZE);
            let has = |start: GuestPhysical, pages| {
                at.0.checked_sub(start.0).is_some_and(|distance| distance < size(pages))
            };
            pages.iter().find(|range| has(range.page, range.pages)).map(|range| range.rights)
        })
    }

    /// A domain, as people call it.
    pub(super) fn domain(self, id: DomainId) -> String {
        let name = self.back_for_good().find_map(|event| match &event.kind {
            EventKind::DomainCreated { name } | EventKind::DomainNamed { name }
                if event.domain == id && !name.is_empty() =>
            {
                Some(name)
            }
            _ => None,
        });
        name.map_or_else(|| format!("domain {}", id.0), |name| format!("`{name}`"))
    }

    /// A thread and its domain, for the beginning of a sentence.
    pub(super) fn who(self, domain: DomainId, thread: Option<ThreadId>) -> String {
        let domain = self.domain(domain);
        thread.map_or_else(
            || format!("The host, for {domain},"),
            |thread| format!("Thread {} of {domain}", thread.0),
        )
    }

    /// Who did what an operation did.
    pub(super) fn whose(self, operation: Option<Operation>) -> String {
        match operation {
            Some(Operation { event, call, thread, domain }) => format!(
                "{}{} did that with {} (event {event})",
                thread.map_or_else(String::new, |thread| format!("thread {} of ", thread.0)),
                self.domain(domain),
                call.name()
            ),
            None => String::from("no hypercall did that: the world, or the microkernel itself"),
        }
    }
}

/// What a capability names, as people call it.
pub(super) fn describe(object: Object) -> String {
    match object {
        Object::Page(frame) => format!("memory (from frame {frame})"),
        Object::Lent(frame) => format!("lent memory (from frame {frame})"),
        Object::Domain(domain) => format!("domain {}", domain.0),
        Object::HostDomain(domain) => format!("the host's domain {}", domain.0),
        Object::Endpoint(id) => format!("endpoint {}", id.0),
        Object::Notification(id) => format!("notification {}", id.0),
        Object::Channel(id) => format!("channel {}", id.0),
        Object::Ports(ports) => format!("ports {:#x} to {:#x}", ports.first, ports.last),
        Object::Interrupt(line) => format!("interrupt {line}"),
        Object::Reply(thread) => format!("the answer to thread {}", thread.0),
    }
}

/// A right, as people call it.
pub(super) fn right_name(right: Rights) -> &'static str {
    match right {
        Rights::READ => "read",
        Rights::WRITE => "write",
        Rights::EXECUTE => "execute",
        Rights::GRANT => "grant",
        Rights::CALL => "call",
        _ => "those",
    }
}

/// The letter of a right.
pub(super) fn letter(right: Rights) -> String {
    alloc::string::ToString::to_string(&right).replace('-', "")
}
