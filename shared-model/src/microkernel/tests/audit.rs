//! What must hold of a microkernel between any two steps, checked from outside: against the
//! backend's own account of mappings and frames, and against the log.

use alloc::collections::{BTreeMap, BTreeSet};

use super::super::Microkernel;
use super::super::scripted::Scripted;
use crate::address::{Frame, GuestPhysical};
use crate::capability::{Capability, Object, Slot, SpaceId};
use crate::domain::{DomainId, DomainState, ThreadState};
use crate::event::{Event, EventKind};
use crate::layout;
use crate::rights::Rights;

/// What the log says is the case.
#[derive(Debug, Default)]
pub(super) struct Replay {
    read: usize,
    domains: BTreeSet<DomainId>,
    capabilities: BTreeMap<(DomainId, u64), (Object, Rights)>,
    mappings: BTreeMap<(DomainId, GuestPhysical), (Frame, Rights)>,
}

impl Replay {
    /// Reads what was added to the log. Each event must make sense after those before.
    fn read_on(&mut self, events: &[Event]) {
        for Event { domain, kind, .. } in &events[self.read..] {
            let domain = *domain;
            match *kind {
                EventKind::DomainCreated { .. } => assert!(self.domains.insert(domain)),
                EventKind::DomainDestroyed => assert!(self.domains.remove(&domain)),
                EventKind::CapabilityAdded { slot, object, rights } => {
                    let old = self.capabilities.insert((domain, slot), (object, rights));
                    assert_eq!(old, None, "slot {slot} of {domain:?} was taken");
                }
                EventKind::CapabilityRemoved { space, slot, object } => {
                    assert_eq!(space, SpaceId::Domain(domain));
                    let old = self.capabilities.remove(&(domain, slot));
                    assert_eq!(old.map(|(object, _)| object), Some(object));
                }
                EventKind::Mapped { page, frame, rights } => {
                    let old = self.mappings.insert((domain, page), (frame, rights));
                    assert_eq!(old, None, "{page} of {domain:?} was mapped");
                }
                EventKind::Unmapped { page, frame } => {
                    let old = self.mappings.remove(&(domain, page));
                    assert_eq!(old.map(|(frame, _)| frame), Some(frame));
                }
                _ => {}
            }
        }
        self.read = events.len();
    }
}

/// Panics if an invariant does not hold.
pub(super) fn audit(kernel: &Microkernel<Scripted>, replay: &mut Replay) {
    kernel.capabilities.check();
    replay.read_on(&kernel.events);
    let all = capabilities(kernel);
    assert_eq!(all.len(), kernel.capabilities.len(), "every space belongs to a live domain");
    mappings(kernel, &all);
    frames(kernel, &all);
    lives(kernel, &all);
    logged(kernel, &all, replay);
}

/// Every capability of the host and of live domains.
fn capabilities(kernel: &Microkernel<Scripted>) -> BTreeMap<Slot, Capability> {
    let of_domain = |&id: &DomainId| [SpaceId::Boot(id), SpaceId::Domain(id)];
    let spaces = kernel.domains.keys().flat_map(of_domain).chain([SpaceId::Host]);
    spaces.flat_map(|space| kernel.capabilities.in_space(space)).collect()
}

/// A mapping exists under exactly one live capability of its own domain, with those rights, and
/// the backend has the same mappings.
fn mappings(kernel: &Microkernel<Scripted>, all: &BTreeMap<Slot, Capability>) {
    let mut wanted = BTreeMap::new();
    for (slot, capability) in all {
        let Some((domain, page)) = capability.mapped else { continue };
        let (SpaceId::Boot(holder) | SpaceId::Domain(holder)) = slot.space else {
            panic!("the host maps nothing");
        };
        assert_eq!(holder, domain, "a capability is mapped where it is held");
        let Object::Page(frame) = capability.object else { panic!("only pages are mapped") };
        let old = wanted.insert((domain, page), (frame, capability.rights));
        assert_eq!(old, None, "two capabilities claim {page} of {domain:?}");
    }
    let mut mapped = 0;
    for (id, domain) in &kernel.domains {
        let mirror = &kernel.arch.mappings()[id];
        assert_eq!(domain.space.mapped(), mirror.len(), "the backend has others in {id:?}");
        for (page, mapping) in domain.space.iter() {
            mapped += 1;
            assert_eq!(mirror.get(&page), Some(&(mapping.frame, mapping.rights)), "{page}");
            let (frame, rights) = wanted.get(&(*id, page)).expect("a capability allows it");
            assert_eq!(*frame, mapping.frame, "{page} of {id:?}");
            assert!(rights.contains(mapping.rights), "{page} of {id:?}: more rights");
            if let Some(window) = layout::window_rights(page) {
                assert!(window.contains(mapping.rights), "{page} of {id:?}: not of the window");
            }
        }
    }
    assert_eq!(mapped, wanted.len(), "every mapped capability has its mapping");
    let ids: BTreeSet<_> = kernel.domains.keys().collect();
    assert_eq!(ids, kernel.arch.mappings().keys().collect(), "the backend has the same domains");
}

/// A frame is in use exactly while a capability names it, and is on one account.
fn frames(kernel: &Microkernel<Scripted>, all: &BTreeMap<Slot, Capability>) {
    let named: BTreeSet<_> = all
        .values()
        .filter_map(|capability| match capability.object {
            Object::Page(frame) => Some(frame),
            Object::Domain(_) => None,
        })
        .collect();
    let owned: BTreeSet<_> = kernel.owners.keys().copied().collect();
    assert_eq!(named, owned);
    assert_eq!(named, kernel.arch.frames().collect());
    assert_eq!(named.len(), kernel.frames.in_use());
    for (id, domain) in &kernel.domains {
        let owned = kernel.owners.values().filter(|&owner| owner == id).count();
        let quota = kernel.bundle.world.limits.pages;
        assert_eq!(domain.pages_left as usize + owned, quota as usize, "{id:?}");
    }
}

/// Domains live while somebody holds them; they and their threads are in states that fit.
fn lives(kernel: &Microkernel<Scripted>, all: &BTreeMap<Slot, Capability>) {
    let held: BTreeSet<_> = all
        .values()
        .filter_map(|capability| match capability.object {
            Object::Domain(domain) => Some(domain),
            Object::Page(_) => None,
        })
        .collect();
    assert_eq!(held, kernel.domains.keys().copied().collect());
    for domain in kernel.domains.values() {
        let thread = domain.thread.map(|thread| kernel.thread(thread).state);
        let fits = match domain.state {
            DomainState::Embryo => thread.is_none() && domain.space.mapped() == 0,
            DomainState::Configured => thread == Some(ThreadState::Suspended),
            DomainState::Running => thread == Some(ThreadState::Ready),
            DomainState::Dead => thread == Some(ThreadState::Dead),
        };
        assert!(fits, "{:?} with {thread:?}", domain.state);
    }
    let mut live = 0;
    for (number, thread) in kernel.threads.iter().enumerate() {
        let id = crate::domain::ThreadId(number as u32);
        let dead = thread.state == ThreadState::Dead;
        assert_eq!(kernel.arch.has_thread(id), !dead);
        assert_eq!(thread.ended.is_some(), dead);
        let turns = kernel.ready.iter().filter(|&&ready| ready == id).count();
        assert_eq!(turns, usize::from(thread.state == ThreadState::Ready), "{id:?}");
        if !dead {
            live += 1;
            assert_eq!(kernel.owners.get(&thread.utcb), Some(&thread.domain));
        }
    }
    assert_eq!(live, kernel.arch.thread_count());
}

/// The log tells all that domains hold and see.
fn logged(kernel: &Microkernel<Scripted>, all: &BTreeMap<Slot, Capability>, replay: &Replay) {
    let held: BTreeMap<_, _> = all
        .iter()
        .filter_map(|(slot, capability)| match slot.space {
            SpaceId::Domain(id) => {
                Some(((id, slot.number), (capability.object, capability.rights)))
            }
            _ => None,
        })
        .collect();
    assert_eq!(replay.capabilities, held);
    let mapped: BTreeMap<_, _> = kernel
        .domains
        .iter()
        .flat_map(|(id, domain)| {
            domain.space.iter().map(move |(page, to)| ((*id, page), (to.frame, to.rights)))
        })
        .filter(|((_, page), _)| layout::window_rights(*page).is_some())
        .collect();
    assert_eq!(replay.mappings, mapped);
    assert_eq!(replay.domains, kernel.domains.keys().copied().collect());
}
