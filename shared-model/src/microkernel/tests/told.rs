//! What a fold of the log says is the case is the case: capabilities and what each is derived from,
//! mappings, and the lives of domains and threads.

use alloc::collections::{BTreeMap, BTreeSet};

use super::super::Microkernel;
use super::super::scripted::Scripted;
use crate::address::{Frame, GuestPhysical, PAGE_SIZE};
use crate::capability::{Capability, Object, Place, Slot, SpaceId};
use crate::domain::{DomainId, DomainState, Thread, ThreadState};
use crate::layout;
use crate::rights::Rights;
use crate::snapshot::{DomainSnapshot, DomainStage, Snapshot, ThreadSnapshot, ThreadStage};

/// A page of a domain: where it leads, with which rights, and the slot it is mapped under if it is
/// one of a window.
type Page = (Frame, Rights, Option<u64>);

pub(super) fn audit(
    kernel: &Microkernel<Scripted>,
    all: &BTreeMap<Slot, Capability>,
    told: &Snapshot,
) {
    capabilities(kernel, all, told);
    let exist: BTreeSet<_> =
        told.domains.iter().filter(|d| d.state != DomainStage::Destroyed).map(|d| d.id).collect();
    assert_eq!(exist, kernel.domains.keys().copied().collect());
    let mut threads = 0;
    for domain in &told.domains {
        threads += domain.threads.len();
        lives(kernel, domain);
        memory(kernel, all, domain);
    }
    assert_eq!(threads, kernel.threads.len(), "every thread is told of");
}

/// Every capability of domains and threads, and what there is of the host's and of rights to be
/// answered where something is derived from it.
fn capabilities(kernel: &Microkernel<Scripted>, all: &BTreeMap<Slot, Capability>, told: &Snapshot) {
    let has_children =
        |slot: &Slot| kernel.capabilities.children(*slot).expect("it exists").next().is_some();
    let is_told = |slot: &Slot| match slot.space {
        SpaceId::Host => has_children(slot),
        SpaceId::Thread(_) => slot.number != 1 || has_children(slot),
        SpaceId::Domain(_) => true,
        SpaceId::Boot(_) => false,
    };
    let there = all.iter().filter(|(slot, _)| is_told(slot)).map(|(&slot, capability)| {
        let Capability { object, rights, badge, .. } = *capability;
        let parent = kernel.capabilities.parent(slot).expect("it exists");
        (slot, (object, rights, badge, parent))
    });
    let there: BTreeMap<_, _> = there.collect();
    let mut said = BTreeMap::new();
    for space in &told.spaces {
        assert!(!space.capabilities.is_empty());
        for held in &space.capabilities {
            let slot = Slot { space: space.space, number: held.slot };
            said.insert(slot, (held.object, held.rights, held.badge, held.from));
        }
    }
    assert_eq!(said, there);
    let mut counts = BTreeMap::<Object, u64>::new();
    there.values().for_each(|held| *counts.entry(held.0).or_default() += 1);
    assert_eq!(
        told.objects.iter().map(|o| (o.object, o.capabilities)).collect::<BTreeMap<_, _>>(),
        counts
    );
}

fn lives(kernel: &Microkernel<Scripted>, told: &DomainSnapshot) {
    let stage = match kernel.domains.get(&told.id) {
        None => DomainStage::Destroyed,
        Some(domain) => {
            assert_eq!(domain.name, told.name);
            match domain.state {
                DomainState::Embryo => DomainStage::Created,
                DomainState::Configured => DomainStage::Loaded,
                DomainState::Running => DomainStage::Running,
                DomainState::Dead => DomainStage::Ended,
            }
        }
    };
    assert_eq!(told.state, stage, "{:?}", told.id);
    for thread in &told.threads {
        let there = kernel.thread(thread.id);
        assert_eq!((there.domain, there.index), (told.id, thread.index));
        assert_eq!(there.ended.as_ref().map(|(end, _)| end), thread.end.as_ref());
        life(there, thread);
    }
}

fn life(there: &Thread, told: &ThreadSnapshot) {
    let is_busy = there.state == ThreadState::Blocked || there.work.is_some();
    let fits = match told.state {
        ThreadStage::Created => there.state == ThreadState::Suspended,
        ThreadStage::Suspended => there.state == ThreadState::Suspended && there.started,
        ThreadStage::Running => there.state == ThreadState::Ready && !is_busy,
        ThreadStage::Waiting => is_busy,
        ThreadStage::Ended => there.state == ThreadState::Dead,
    };
    assert!(fits, "{told:?} is {:?}", there.state);
    let call = there.waiting.as_ref().and_then(|waiting| waiting.call);
    assert_eq!(told.call, call.or(there.work.as_ref().map(|work| work.call)));
}

fn memory(kernel: &Microkernel<Scripted>, all: &BTreeMap<Slot, Capability>, told: &DomainSnapshot) {
    let mut said = BTreeMap::new();
    let mut end = 0;
    for range in &told.memory {
        assert!(range.page.0 >= end, "ranges are in order, and none overlaps another");
        end = range.page.0 + range.pages * PAGE_SIZE;
        assert_eq!(range.boot, range.slot.is_none());
        for i in 0..range.pages {
            let page = GuestPhysical(range.page.0 + i * PAGE_SIZE);
            assert_eq!(range.boot, layout::window_rights(page).is_none());
            let frame = Frame(range.frame.0 + i as u32);
            said.insert(page, (frame, range.rights, range.slot));
        }
    }
    let mut there = pages(kernel, all, told.id);
    if kernel.orphans.contains(&told.id) {
        // Some of those that it was built from may have gone already.
        for (&page, &mapping) in &said {
            if layout::window_rights(page).is_none() {
                there.entry(page).or_insert(mapping);
            }
        }
    }
    assert_eq!(said, there, "{:?}", told.id);
}

/// What is mapped in a domain, by the microkernel's own account.
fn pages(
    kernel: &Microkernel<Scripted>,
    all: &BTreeMap<Slot, Capability>,
    id: DomainId,
) -> BTreeMap<GuestPhysical, Page> {
    let Some(domain) = kernel.domains.get(&id) else { return BTreeMap::new() };
    let mut pages: BTreeMap<GuestPhysical, Page> =
        domain.space.iter().map(|(page, to)| (page, (to.frame, to.rights, None))).collect();
    let space = SpaceId::Domain(id);
    for (slot, capability) in all.iter().filter(|(slot, _)| slot.space == space) {
        let Some(Place::Memory { page, .. }) = capability.mapped else { continue };
        let block = kernel.block_of(capability.object).expect("only memory is mapped");
        for i in 0..kernel.block_pages(block) {
            let page = GuestPhysical(page.0 + i * PAGE_SIZE);
            pages.get_mut(&page).expect("it is mapped").2 = Some(slot.number);
        }
    }
    pages
}
