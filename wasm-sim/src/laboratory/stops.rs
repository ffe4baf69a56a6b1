//! What stops a run before its goal.

use std::collections::{BTreeMap, BTreeSet};

use shared_model::abi::Hypercall;
use shared_model::address::{GuestVirtual, PAGE_SIZE};
use shared_model::arch::Arch as _;
use shared_model::capability::{Slot, SpaceId};
use shared_model::domain::{DomainId, ThreadId};
use shared_model::event::{Event, EventKind};
use shared_model::hex::Hex;
use shared_model::laboratory::{CapabilityStop, MemoryStop, Stopped, Stops};
use shared_model::session::Session;

use crate::SimArch;
use crate::frames::{Watched, position};

/// Stops, while a run goes on.
pub(super) struct Armed {
    hypercalls: Vec<Hypercall>,
    capabilities: Vec<CapabilityStop>,
    memory: Vec<Bytes>,
}

/// Bytes that are watched.
struct Bytes {
    stop: MemoryStop,
    /// What is there, and nothing where nothing is.
    last: Vec<Option<u8>>,
    /// Where the pieces of it are, with their addresses.
    places: Vec<(u64, Watched)>,
}

impl Armed {
    /// Arms the machine. If the run has been seen at this moment, it does not stop here again.
    pub(super) fn new(session: &mut Session<SimArch>, stops: &Stops, seen: bool) -> Self {
        let mut addresses: BTreeMap<DomainId, BTreeSet<u64>> = BTreeMap::new();
        for stop in &stops.addresses {
            addresses.entry(stop.domain).or_default().insert(stop.address.0);
        }
        let current = session.kernel().current().map(|(thread, _)| thread);
        let arch = session.kernel_mut().arch_mut();
        arch.set_stops(addresses);
        arch.pass(current.filter(|_| seen));
        let memory = stops.memory.iter().filter(|stop| stop.length > 0);
        let memory = memory.map(|&stop| Bytes { stop, last: Vec::new(), places: Vec::new() });
        let mut armed = Self {
            hypercalls: stops.hypercalls.clone(),
            capabilities: stops.capabilities.clone(),
            memory: memory.collect(),
        };
        armed.watch(session);
        for bytes in &mut armed.memory {
            bytes.last = bytes.read(session);
        }
        armed
    }

    /// Lets the machine run as if nothing stopped it.
    pub(super) fn disarm(session: &mut Session<SimArch>) {
        let arch = session.kernel_mut().arch_mut();
        arch.pass(None);
        arch.set_watched(Vec::new());
    }

    /// After a step, which began with so many events and maybe a thread's turn, and in which the
    /// microkernel may have done something: whether the run is to stop.
    pub(super) fn look(
        &mut self,
        session: &mut Session<SimArch>,
        events: usize,
        thread: Option<ThreadId>,
        handled: bool,
    ) -> Option<Stopped> {
        if let Some((thread, address)) = session.kernel_mut().arch_mut().take_stop() {
            let domain = session.kernel().thread_report(thread).ok()?.domain;
            return Some(Stopped::Address { domain, address: Hex(address.0), thread });
        }
        let memory = self.look_at_memory(session, thread, handled);
        let new = session.kernel().event_log().since(events);
        let numbered = || (events..).zip(new);
        let hypercall = || numbered().find_map(|(number, event)| self.hypercall(number, event));
        let capability = || {
            numbered().find_map(|(event, kind)| {
                let stop = self.capabilities.iter().find(|stop| concerns(kind, **stop))?;
                Some(Stopped::Capability { domain: stop.domain, slot: stop.slot, event })
            })
        };
        memory.or_else(hypercall).or_else(capability)
    }

    fn hypercall(&self, number: usize, event: &Event) -> Option<Stopped> {
        let EventKind::Hypercall { call: Some(call), .. } = event.kind else { return None };
        let name = self.hypercalls.contains(&call).then(|| call.name())?;
        Some(Stopped::Hypercall { name, event: number, thread: event.thread? })
    }

    fn look_at_memory(
        &mut self,
        session: &mut Session<SimArch>,
        thread: Option<ThreadId>,
        handled: bool,
    ) -> Option<Stopped> {
        if self.memory.is_empty() {
            return None;
        }
        let touched = session.kernel_mut().arch_mut().take_touched();
        if handled {
            // Mappings come and go only where the microkernel does something.
            self.watch(session);
        }
        if touched.written || handled {
            for bytes in &mut self.memory {
                let now = bytes.read(session);
                let changed = now.iter().zip(&bytes.last).position(|(now, last)| now != last);
                bytes.last = now;
                if let Some(changed) = changed {
                    let address = bytes.stop.address.0.wrapping_add(changed as u64);
                    return Some(bytes.stopped(address, thread, true));
                }
            }
        }
        let read = touched.read?;
        self.memory.iter().filter(|bytes| bytes.stop.read).find_map(|bytes| {
            let (address, _) = bytes.places.iter().find(|(_, watched)| watched.start == read)?;
            Some(bytes.stopped(*address, thread, false))
        })
    }

    /// Finds out where the bytes are now.
    fn watch(&mut self, session: &mut Session<SimArch>) {
        if self.memory.is_empty() {
            return;
        }
        for bytes in &mut self.memory {
            bytes.places = bytes.find(session);
        }
        let watched = self.memory.iter().flat_map(|bytes| &bytes.places);
        let watched = watched.map(|&(_, watched)| watched).collect();
        session.kernel_mut().arch_mut().set_watched(watched);
    }
}

impl Bytes {
    fn stopped(&self, address: u64, thread: Option<ThreadId>, write: bool) -> Stopped {
        Stopped::Memory { domain: self.stop.domain, address: Hex(address), thread, write }
    }

    /// The pieces that are in one page each, and where they are.
    fn find(&self, session: &Session<SimArch>) -> Vec<(u64, Watched)> {
        let MemoryStop { domain, address, read, .. } = self.stop;
        let mut found = Vec::new();
        for (start, length) in pieces(address.0, self.stop.length) {
            let place = session.kernel().locate(domain, GuestVirtual(start));
            if let Some((frame, offset)) = place {
                let watched = Watched { start: position(frame, offset), length, read };
                found.push((start, watched));
            }
        }
        found
    }

    fn read(&self, session: &Session<SimArch>) -> Vec<Option<u8>> {
        let mut out = Vec::new();
        for (start, length) in pieces(self.stop.address.0, self.stop.length) {
            let place = session.kernel().locate(self.stop.domain, GuestVirtual(start));
            let Some((frame, offset)) = place else {
                out.resize(out.len() + length, None);
                continue;
            };
            let mut bytes = vec![0; length];
            session.kernel().arch().frame_read(frame, offset, &mut bytes);
            out.extend(bytes.into_iter().map(Some));
        }
        out
    }
}

/// Bytes that are watched in one go.
const WATCHED_MAX: u64 = 1 << 16;

/// The parts of a range that are in one page each: their first addresses and their lengths.
fn pieces(address: u64, length: u64) -> impl Iterator<Item = (u64, usize)> {
    let (mut at, mut left) = (address, length.min(WATCHED_MAX));
    std::iter::from_fn(move || {
        let size = left.min(PAGE_SIZE - at % PAGE_SIZE);
        let piece = (size > 0).then_some((at, size as usize));
        (at, left) = (at.wrapping_add(size), left - size);
        piece
    })
}

/// Whether an event is about the capability in a slot, or a hypercall that names it.
fn concerns(event: &Event, stop: CapabilityStop) -> bool {
    let CapabilityStop { domain, slot: number } = stop;
    let here = Slot { space: SpaceId::Domain(domain), number };
    let own = |number| Slot { space: SpaceId::Domain(event.domain), number };
    match &event.kind {
        EventKind::CapabilityAdded { space, slot, from, .. } => {
            let slot = Slot { space: space.unwrap_or(own(0).space), number: *slot };
            slot == here || *from == Some(here)
        }
        EventKind::CapabilityRemoved { space, slot, heir, .. } => {
            Slot { space: *space, number: *slot } == here || *heir == Some(here)
        }
        EventKind::CapabilityDerived { slot, from } => own(*slot) == here || own(*from) == here,
        EventKind::Hypercall { call: Some(call), arguments, .. } => {
            event.domain == domain
                && call.own_slots().any(|argument| arguments.get(argument) == Some(&number))
        }
        _ => false,
    }
}
