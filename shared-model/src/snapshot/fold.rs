//! From events to what is the case.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use super::derivations::{Derivations, Name};
use super::{DomainSnapshot, DomainStage, MappedRange, Snapshot, ThreadSnapshot, ThreadStage};
use crate::abi::{Hypercall, Status};
use crate::address::GuestPhysical;
use crate::capability::{Object, Slot, SpaceId};
use crate::domain::{DomainId, ThreadId};
use crate::event::{Event, EventKind, PageRange};
use crate::exit::{End, KillReason};
use crate::space::Mapping;

/// What the events so far have brought about.
#[derive(Clone, Debug, Default)]
pub struct Fold {
    domains: BTreeMap<DomainId, Domain>,
    threads: BTreeMap<ThreadId, Thread>,
    derivations: Derivations,
}

#[derive(Clone, Debug)]
struct Domain {
    name: String,
    stage: DomainStage,
    threads: Vec<ThreadId>,
    /// Those of them that have not ended.
    live: BTreeSet<ThreadId>,
    /// The pages it is built from.
    boot: Vec<PageRange>,
    /// The pages of its windows, and the capabilities they are mapped under.
    windows: BTreeMap<GuestPhysical, (Mapping, Option<Name>)>,
}

#[derive(Clone, Debug)]
struct Thread {
    index: u32,
    has_run: bool,
    suspended: bool,
    call: Option<Hypercall>,
    fault: Option<KillReason>,
    end: Option<End>,
}

impl Fold {
    /// Nothing has happened.
    pub fn new() -> Self {
        Self::default()
    }

    /// Goes on by one event. Takes about as many steps as the event changes things.
    pub fn apply(&mut self, event: &Event) {
        match &event.kind {
            EventKind::CapabilityAdded { .. }
            | EventKind::CapabilityRemoved { .. }
            | EventKind::CapabilityDerived { .. } => self.capability(event.domain, &event.kind),
            EventKind::DomainCreated { .. }
            | EventKind::DomainNamed { .. }
            | EventKind::Built { .. }
            | EventKind::Loaded { .. }
            | EventKind::Mapped { .. }
            | EventKind::Unmapped { .. }
            | EventKind::DomainDestroyed => self.domain(event.domain, &event.kind),
            EventKind::ThreadCreated { .. }
            | EventKind::ThreadSuspended { .. }
            | EventKind::ThreadResumed { .. } => self.further_thread(event.domain, &event.kind),
            kind => {
                if let Some(thread) = event.thread {
                    self.thread(event.domain, thread, kind);
                }
            }
        }
    }

    /// What is the case now.
    pub fn snapshot(&self) -> Snapshot {
        let domains = self.domains.iter().map(|(&id, domain)| DomainSnapshot {
            id,
            name: domain.name.clone(),
            state: domain.stage,
            threads: domain
                .threads
                .iter()
                .filter_map(|thread| Some(self.threads.get(thread)?.snapshot(*thread)))
                .collect(),
            memory: self.memory(domain),
        });
        Snapshot {
            domains: domains.collect(),
            spaces: self.derivations.spaces(),
            objects: self.derivations.objects(),
        }
    }

    fn capability(&mut self, domain: DomainId, kind: &EventKind) {
        let own = |number| Slot { space: SpaceId::Domain(domain), number };
        match *kind {
            EventKind::CapabilityAdded { space, slot, object, rights, badge, from } => {
                let slot = Slot { number: slot, space: space.unwrap_or(SpaceId::Domain(domain)) };
                self.derivations.add(slot, (object, rights, badge), from);
            }
            EventKind::CapabilityRemoved { space, slot: number, object, moved_to, heir } => {
                let slot = Slot { space, number };
                match moved_to {
                    Some(to) => self.derivations.move_to(slot, own(to)),
                    None => self.derivations.remove(slot, heir),
                }
                // Somebody has dealt with a fault when nobody has the right to do so any more.
                if let Object::Reply(thread) = object
                    && !self.derivations.is_named(object)
                    && let Some(thread) = self.threads.get_mut(&thread)
                {
                    thread.fault = None;
                }
            }
            EventKind::CapabilityDerived { slot, from } => {
                self.derivations.derive(own(slot), own(from));
            }
            _ => {}
        }
    }

    fn domain(&mut self, id: DomainId, kind: &EventKind) {
        if let EventKind::DomainCreated { name } = kind {
            self.domains.insert(id, Domain::new(name));
            return;
        }
        let Some(domain) = self.domains.get_mut(&id) else { return };
        match kind {
            EventKind::DomainNamed { name } => domain.name.clone_from(name),
            EventKind::Loaded { .. } => domain.stage = DomainStage::Loaded,
            EventKind::Built { initial, pages } => {
                domain.stage = DomainStage::Loaded;
                domain.boot.clone_from(pages);
                self.add_thread(*initial, id, 0);
            }
            &EventKind::Mapped { page, frame, rights, slot } => {
                let slot = slot.map(|number| Slot { space: SpaceId::Domain(id), number });
                let under = slot.and_then(|slot| self.derivations.name(slot));
                domain.windows.insert(page, (Mapping { frame, rights }, under));
            }
            EventKind::Unmapped { page, .. } => {
                domain.windows.remove(page);
            }
            EventKind::DomainDestroyed => {
                domain.stage = DomainStage::Destroyed;
                domain.boot.clear();
                domain.windows.clear();
                self.derivations.close(SpaceId::Domain(id));
            }
            _ => {}
        }
    }

    fn further_thread(&mut self, domain: DomainId, kind: &EventKind) {
        match kind {
            EventKind::ThreadCreated { index, created, suspended, pages } => {
                if let Some(id) = *created {
                    self.add_thread(id, domain, *index).suspended = *suspended;
                }
                if let Some(domain) = self.domains.get_mut(&domain) {
                    domain.boot.extend(pages);
                }
            }
            EventKind::ThreadSuspended { index } => {
                if let Some(thread) = self.thread_at(domain, *index) {
                    thread.suspended = true;
                }
            }
            EventKind::ThreadResumed { index } => {
                if let Some(thread) = self.thread_at(domain, *index) {
                    (thread.suspended, thread.has_run) = (false, true);
                }
            }
            _ => {}
        }
    }

    fn thread(&mut self, domain: DomainId, id: ThreadId, kind: &EventKind) {
        match kind {
            EventKind::ThreadStarted => {
                if !self.threads.contains_key(&id) {
                    // The log is of a time when it did not say that threads come into being.
                    let before = self.domains.get(&domain).map_or(0, |d| d.threads.len());
                    self.add_thread(id, domain, before as u32);
                }
                if let Some(thread) = self.threads.get_mut(&id) {
                    thread.has_run = true;
                }
                if let Some(domain) = self.domains.get_mut(&domain) {
                    domain.stage = DomainStage::Running;
                }
            }
            EventKind::Hypercall { call, status: Status::Waiting, .. } => {
                if let Some(thread) = self.threads.get_mut(&id) {
                    thread.call = *call;
                }
            }
            EventKind::Completed { .. } => {
                if let Some(thread) = self.threads.get_mut(&id) {
                    thread.call = None;
                }
            }
            EventKind::Faulted { fault, .. } => {
                if let Some(thread) = self.threads.get_mut(&id) {
                    thread.fault = Some(fault.clone());
                }
            }
            EventKind::Ended { end, .. } => self.ended(domain, id, end),
            _ => {}
        }
    }

    fn ended(&mut self, domain: DomainId, id: ThreadId, end: &End) {
        if let Some(thread) = self.threads.get_mut(&id) {
            (thread.call, thread.fault) = (None, None);
            thread.end = Some(end.clone());
        }
        self.derivations.close(SpaceId::Thread(id));
        if let Some(domain) = self.domains.get_mut(&domain) {
            domain.live.remove(&id);
            if domain.live.is_empty() {
                domain.stage = DomainStage::Ended;
            }
        }
    }

    fn add_thread(&mut self, id: ThreadId, domain: DomainId, index: u32) -> &mut Thread {
        if let Some(domain) = self.domains.get_mut(&domain) {
            domain.threads.push(id);
            domain.live.insert(id);
        }
        let thread =
            Thread { index, has_run: false, suspended: false, call: None, fault: None, end: None };
        self.threads.entry(id).insert_entry(thread).into_mut()
    }

    /// The thread that has a number within a domain.
    fn thread_at(&mut self, domain: DomainId, index: u32) -> Option<&mut Thread> {
        let has_index = |id: &&ThreadId| self.threads.get(id).is_some_and(|t| t.index == index);
        let id = *self.domains.get(&domain)?.live.iter().find(has_index)?;
        self.threads.get_mut(&id)
    }

    /// What is mapped in a domain, as few ranges as that makes.
    fn memory(&self, domain: &Domain) -> Vec<MappedRange> {
        let boot = domain.boot.iter().map(|&PageRange { page, frame, pages, rights }| {
            MappedRange { page, frame, pages, rights, boot: true, slot: None }
        });
        let mut ranges: Vec<_> = boot.collect();
        let mut last: Option<(PageRange, Option<Name>)> = None;
        let mut windows = Vec::new();
        for (&page, &(to, under)) in &domain.windows {
            match &mut last {
                Some((range, same)) if *same == under && range.goes_on_with(page, to) => {
                    range.pages += 1;
                }
                _ => {
                    let Mapping { frame, rights } = to;
                    windows
                        .extend(last.replace((PageRange { page, frame, pages: 1, rights }, under)));
                }
            }
        }
        windows.extend(last);
        ranges.extend(windows.into_iter().map(|(range, under)| {
            let PageRange { page, frame, pages, rights } = range;
            let slot = under.and_then(|name| self.derivations.slot(name)).map(|slot| slot.number);
            MappedRange { page, frame, pages, rights, boot: false, slot }
        }));
        ranges.sort_by_key(|range| range.page);
        ranges
    }
}

impl Domain {
    fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            stage: DomainStage::Created,
            threads: Vec::new(),
            live: BTreeSet::new(),
            boot: Vec::new(),
            windows: BTreeMap::new(),
        }
    }
}

impl Thread {
    fn stage(&self) -> ThreadStage {
        if self.end.is_some() {
            ThreadStage::Ended
        } else if self.call.is_some() || self.fault.is_some() {
            ThreadStage::Waiting
        } else if !self.has_run {
            ThreadStage::Created
        } else if self.suspended {
            ThreadStage::Suspended
        } else {
            ThreadStage::Running
        }
    }

    fn snapshot(&self, id: ThreadId) -> ThreadSnapshot {
        let (call, fault, end) = (self.call, self.fault.clone(), self.end.clone());
        ThreadSnapshot { id, index: self.index, state: self.stage(), call, fault, end }
    }
}
