//! What must hold of a microkernel between any two steps, checked from outside: against the
//! backend's own account of mappings and frames, and against the log.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use super::super::Microkernel;
use super::super::scripted::Scripted;
use crate::address::{Frame, GuestPhysical, PAGE_SIZE};
use crate::capability::{Capability, Object, Place, Slot, SpaceId};
use crate::domain::{DomainId, DomainState, ThreadId, ThreadState, Wait};
use crate::event::{Event, EventKind};
use crate::layout;
use crate::rights::Rights;
use crate::snapshot::Fold;

/// What the log says is the case.
#[derive(Clone, Debug, Default)]
pub(super) struct Replay {
    read: usize,
    domains: BTreeSet<DomainId>,
    capabilities: BTreeMap<(DomainId, u64), (Object, Rights)>,
    mappings: BTreeMap<(DomainId, GuestPhysical), (Frame, Rights)>,
    fold: Fold,
}

impl Replay {
    /// Reads the rest of the log, and empties it: what comes then goes on from what is the case.
    pub(super) fn forget(&mut self, events: &mut Vec<Event>) {
        self.read_on(events);
        events.clear();
        self.read = 0;
    }

    /// Reads what was added to the log. Each event must make sense after those before.
    fn read_on(&mut self, events: &[Event]) {
        for event in &events[self.read..] {
            self.fold.apply(event);
            let Event { domain, kind, .. } = event;
            let domain = *domain;
            match *kind {
                EventKind::DomainCreated { .. } => assert!(self.domains.insert(domain)),
                EventKind::DomainDestroyed => assert!(self.domains.remove(&domain)),
                // Those of threads and the host are looked at in the snapshot alone.
                EventKind::CapabilityAdded { space: Some(_), .. }
                | EventKind::CapabilityRemoved {
                    space: SpaceId::Thread(_) | SpaceId::Host, ..
                } => {}
                EventKind::CapabilityAdded { slot, object, rights, .. } => {
                    let old = self.capabilities.insert((domain, slot), (object, rights));
                    assert_eq!(old, None, "slot {slot} of {domain:?} was taken");
                }
                EventKind::CapabilityRemoved { space, slot, object, .. } => {
                    assert_eq!(space, SpaceId::Domain(domain));
                    let old = self.capabilities.remove(&(domain, slot));
                    assert_eq!(old.map(|(object, _)| object), Some(object));
                }
                EventKind::Mapped { page, frame, rights, .. } => {
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
    replay.read_on(kernel.events());
    let all = capabilities(kernel);
    assert_eq!(all.len(), kernel.capabilities.len(), "every space belongs to a live domain");
    mappings(kernel, &all);
    frames(kernel, &all);
    lives(kernel, &all);
    logged(kernel, &all, replay);
    super::told::audit(kernel, &all, &replay.fold.snapshot());
    super::devices::audit(kernel);
    kernel.check_accounts();
    places(kernel, &all);
}

/// What is mapped in a window is found by its address.
fn places(kernel: &Microkernel<Scripted>, all: &BTreeMap<Slot, Capability>) {
    let mut wanted = BTreeMap::new();
    for (slot, capability) in all {
        if let (SpaceId::Domain(_), Some(Place::Memory { domain, page })) =
            (slot.space, capability.mapped)
        {
            wanted.insert((domain, page), slot.number);
        }
    }
    let found = kernel.domains.iter().flat_map(|(id, domain)| {
        domain.mapped.iter().map(move |(&page, &number)| ((*id, page), number))
    });
    assert_eq!(wanted, found.collect());
    let in_use: u64 = kernel.node_pages.iter().sum();
    assert_eq!(in_use, kernel.frames.in_use() as u64);
}

/// Every capability of the host, of live domains and of live threads.
fn capabilities(kernel: &Microkernel<Scripted>) -> BTreeMap<Slot, Capability> {
    let of_domain = |&id: &DomainId| [SpaceId::Boot(id), SpaceId::Domain(id)];
    let spaces = kernel.domains.keys().flat_map(of_domain).chain([SpaceId::Host]);
    let of_threads = kernel.live.iter().map(|&id| SpaceId::Thread(id));
    spaces.chain(of_threads).flat_map(|space| kernel.capabilities.in_space(space)).collect()
}

/// A mapping exists under exactly one live capability of its own domain, with those rights, and
/// the backend has the same mappings.
fn mappings(kernel: &Microkernel<Scripted>, all: &BTreeMap<Slot, Capability>) {
    let mut wanted = BTreeMap::new();
    for (slot, capability) in all {
        let Some(Place::Memory { domain, page }) = capability.mapped else { continue };
        let (SpaceId::Boot(holder) | SpaceId::Domain(holder)) = slot.space else {
            panic!("the host maps nothing");
        };
        assert_eq!(holder, domain, "a capability is mapped where it is held");
        for (i, &frame) in block(kernel, capability.object).iter().enumerate() {
            let page = GuestPhysical(page.0 + i as u64 * PAGE_SIZE);
            let old = wanted.insert((domain, page), (frame, capability.rights));
            assert_eq!(old, None, "two capabilities claim {page} of {domain:?}");
        }
    }
    let mut mapped = 0;
    for (id, domain) in &kernel.domains {
        let Some(mirror) = kernel.arch.mappings().get(id) else { continue };
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
    for id in kernel.arch.mappings().keys() {
        assert!(kernel.domains.contains_key(id), "the backend still has {id:?}");
    }
}

/// The frames of a block that an object is, or has.
fn block(kernel: &Microkernel<Scripted>, object: Object) -> Vec<Frame> {
    let first = match object {
        Object::Page(frame) | Object::Lent(frame) => frame,
        Object::Channel(id) => kernel.channels[&id].block,
        _ => return Vec::new(),
    };
    kernel.blocks[&first].frames.clone()
}

/// A frame is in use exactly while a capability names its block, and the accounts agree.
fn frames(kernel: &Microkernel<Scripted>, all: &BTreeMap<Slot, Capability>) {
    let named = all.values().flat_map(|capability| block(kernel, capability.object));
    let named: BTreeSet<_> = named.collect();
    let owned: BTreeSet<_> = kernel.frame_owners().keys().copied().collect();
    assert_eq!(named, owned);
    assert_eq!(named, kernel.arch.frames().collect());
    assert_eq!(named.len(), kernel.frames.in_use());
}

/// Domains live while somebody holds them; they and their threads are in states that fit.
fn lives(kernel: &Microkernel<Scripted>, all: &BTreeMap<Slot, Capability>) {
    let held: BTreeSet<_> = all
        .values()
        .filter_map(|capability| match capability.object {
            Object::Domain(domain) | Object::HostDomain(domain) => Some(domain),
            _ => None,
        })
        .collect();
    let waiting_for_their_end: BTreeSet<_> = kernel.orphans.iter().copied().collect();
    let exist: BTreeSet<_> = kernel.domains.keys().copied().collect();
    assert!(held.is_subset(&exist));
    assert!(exist.iter().all(|id| held.contains(id) || waiting_for_their_end.contains(id)));
    for domain in kernel.domains.values() {
        let states: Vec<_> = domain.threads.iter().map(|&id| kernel.thread(id).state).collect();
        let all_dead = states.iter().all(|&state| state == ThreadState::Dead);
        let fits = match domain.state {
            DomainState::Embryo => states.is_empty(),
            DomainState::Configured => {
                let still = |state| matches!(state, ThreadState::Suspended | ThreadState::Dead);
                states.iter().all(|&state| still(state)) && !all_dead
            }
            DomainState::Running => !all_dead,
            DomainState::Dead => all_dead,
        };
        assert!(fits, "{:?} with {states:?}", domain.state);
    }
    let owners = kernel.frame_owners();
    for (number, thread) in kernel.threads.iter().enumerate() {
        let id = crate::domain::ThreadId(number as u32);
        let dead = thread.state == ThreadState::Dead;
        assert_eq!(kernel.live.contains(&id), !dead);
        assert_eq!(kernel.arch.has_thread(id), !dead && !kernel.is_host_thread(id));
        assert_eq!(thread.ended.is_some(), dead);
        let turns = kernel.ready.iter().filter(|&&ready| ready == id).count();
        assert_eq!(turns, usize::from(thread.state == ThreadState::Ready), "{id:?}");
        assert_eq!(thread.waiting.is_some(), thread.state == ThreadState::Blocked, "{id:?}");
        match thread.state {
            ThreadState::Suspended => assert!(thread.paused || !thread.started, "{id:?}"),
            ThreadState::Ready => assert!(!thread.paused || thread.work.is_some(), "{id:?}"),
            ThreadState::Blocked | ThreadState::Dead => {}
        }
        assert_eq!(kernel.workers.contains(&id), thread.work.is_some(), "{id:?}");
        if !dead {
            assert_eq!(owners.get(&thread.utcb), Some(&thread.domain));
        }
    }
    waits(kernel);
    faults(kernel);
}

/// A domain's faults go to the endpoint whose capability they were bound with.
fn faults(kernel: &Microkernel<Scripted>) {
    let mut bound = 0;
    for (id, domain) in &kernel.domains {
        let Some(handler) = domain.fault_handler else { continue };
        bound += 1;
        assert!(kernel.fault_bindings.contains(&(handler.through, *id)));
        let found = kernel.capabilities.lookup(handler.through).map(|found| found.object);
        assert_eq!(found, Ok(Object::Endpoint(handler.endpoint)));
    }
    assert_eq!(kernel.fault_bindings.len(), bound);
}

/// A blocked thread is in exactly the queues that its wait says, and nobody else is in any.
fn waits(kernel: &Microkernel<Scripted>) {
    let mut queued = BTreeMap::<ThreadId, usize>::new();
    let mut count = |queue: &VecDeque<ThreadId>| {
        for &thread in queue {
            *queued.entry(thread).or_default() += 1;
        }
    };
    for endpoint in kernel.endpoints.values() {
        count(&endpoint.senders);
        count(&endpoint.receivers);
        assert!(endpoint.senders.is_empty() || endpoint.receivers.is_empty(), "they could meet");
    }
    kernel.notifications.values().for_each(|notification| count(&notification.waiters));
    kernel.channels.values().flat_map(|c| &c.bells).for_each(|bell| count(&bell.waiters));
    let (mut deadlines, mut through) = (0, 0);
    for id in kernel.blocked() {
        let waiting = kernel.thread(id).waiting.as_ref().expect("blocked threads wait");
        let in_queue = match waiting.wait {
            Wait::Send { .. }
            | Wait::Receive { .. }
            | Wait::FaultSend { .. }
            | Wait::Notification { .. }
            | Wait::Doorbell { .. } => 1,
            Wait::Reply | Wait::FaultReply { .. } | Wait::Sleep => 0,
        };
        assert_eq!(queued.remove(&id).unwrap_or(0), in_queue, "{id:?}");
        if let Some(deadline) = waiting.deadline {
            assert!(kernel.deadlines.contains(&(deadline, id)));
            deadlines += 1;
        }
        if let Some(slot) = waiting.through {
            assert!(kernel.waiting_through.contains(&(slot, id)));
            assert!(kernel.capabilities.lookup(slot).is_ok(), "{id:?} waits through nothing");
            through += 1;
        }
    }
    assert!(queued.is_empty(), "stale waiters: {queued:?}");
    assert_eq!(kernel.deadlines.len(), deadlines);
    assert_eq!(kernel.waiting_through.len(), through);
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
