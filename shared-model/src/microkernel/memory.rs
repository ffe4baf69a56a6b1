//! Frames, mappings, and what follows from a capability being removed.
//!
//! The order within an operation: first the model's tables, then the backend's mapping, then
//! the event. A backend's mapping is gone before the capability operation returns.

use alloc::collections::VecDeque;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::Microkernel;
use crate::address::{Frame, GuestPhysical, PAGE_SIZE};
use crate::arch::{Arch, ArchError};
use crate::capability::{Capability, Object, Removed, Slot, SpaceId};
use crate::construct::Blueprint;
use crate::domain::{DomainId, LifecycleError};
use crate::event::EventKind;
use crate::layout;
use crate::rights::Rights;
use crate::space::Mapping;
use crate::world::PagePlan;

impl<A: Arch> Microkernel<A> {
    /// Gives a domain its boot pages. On a failure it has none of them.
    pub(super) fn put_pages(
        &mut self,
        domain: DomainId,
        plan: &Blueprint,
    ) -> Result<(), LifecycleError> {
        let space = SpaceId::Boot(domain);
        for (i, page) in plan.pages.iter().enumerate() {
            let slot = Slot { space, number: i as u64 + 1 };
            let put = self
                .new_page(domain, slot, page.rights)
                .and_then(|frame| {
                    self.arch.frame_write(frame, 0, &page.bytes);
                    self.map(slot, domain, page.at, Mapping { frame, rights: page.rights })
                })
                .map_err(|error| LifecycleError::Exhausted(error.to_string()));
            if put.is_err() {
                self.remove_boot_pages(domain);
                return put;
            }
        }
        Ok(())
    }

    pub(super) fn remove_boot_pages(&mut self, domain: DomainId) {
        for removed in self.capabilities.destroy(SpaceId::Boot(domain)) {
            self.after_removal(removed);
        }
    }

    /// Gives a domain a page that its world says it holds from the start.
    pub(super) fn give_page(
        &mut self,
        domain: DomainId,
        plan: &PagePlan,
    ) -> Result<(), LifecycleError> {
        let exhausted = |error: ArchError| LifecycleError::Exhausted(error.to_string());
        let slot = Slot { space: SpaceId::Domain(domain), number: plan.slot };
        let frame = self.new_page(domain, slot, plan.rights).map_err(exhausted)?;
        self.record_capability(slot);
        if let Some(at) = plan.at {
            let window = layout::window_rights(at).unwrap_or_default();
            let mapping = Mapping { frame, rights: plan.rights & window };
            self.map(slot, domain, at, mapping).map_err(exhausted)?;
            self.record_mapped(domain, at, mapping);
        }
        Ok(())
    }

    /// Gives a domain a capability to another.
    pub(super) fn give_domain(
        &mut self,
        holder: DomainId,
        number: u64,
        named: DomainId,
        rights: Rights,
    ) -> Result<(), LifecycleError> {
        let from = Slot { space: SpaceId::Host, number: u64::from(named.0) + 1 };
        let to = Slot { space: SpaceId::Domain(holder), number };
        self.capabilities
            .grant(from, to, rights)
            .map_err(|error| LifecycleError::Load(error.to_string()))?;
        self.record_capability(to);
        Ok(())
    }

    /// A zeroed page on the domain's account, with its first capability in `slot`, which is
    /// vacant.
    pub(super) fn new_page(
        &mut self,
        account: DomainId,
        slot: Slot,
        rights: Rights,
    ) -> Result<Frame, ArchError> {
        let domain = self.domains.get_mut(&account).expect("the account is a live domain");
        let left = domain.pages_left.checked_sub(1).ok_or_else(|| {
            ArchError("the domain's quota of pages is used up: raise `pages` in [limits]".into())
        })?;
        let frame = self.frames.take();
        if let Err(error) = self.arch.frame_allocate(frame) {
            self.frames.give(frame);
            return Err(error);
        }
        if let Err(error) = self.capabilities.insert(slot, Object::Page(frame), rights) {
            self.arch.frame_free(frame);
            self.frames.give(frame);
            return Err(ArchError(error.to_string()));
        }
        self.owners.insert(frame, account);
        self.domains.get_mut(&account).expect("as above").pages_left = left;
        Ok(frame)
    }

    /// Maps the page of a capability that is not mapped.
    pub(super) fn map(
        &mut self,
        slot: Slot,
        domain: DomainId,
        at: GuestPhysical,
        mapping: Mapping,
    ) -> Result<(), ArchError> {
        let refused = |error: &dyn core::fmt::Display| ArchError(error.to_string());
        let space = &mut self.domains.get_mut(&domain).expect("a live domain").space;
        space.map(at, mapping, false).map_err(|error| refused(&error))?;
        let noted = self.capabilities.set_mapped(slot, domain, at);
        let mapped = match &noted {
            Ok(()) => self.arch.map(domain, at, mapping.frame, mapping.rights),
            Err(error) => Err(refused(error)),
        };
        if mapped.is_err() {
            // These undo what just succeeded: there is nothing to report.
            let _ = space.unmap(at);
            if noted.is_ok() {
                let _ = self.capabilities.clear_mapped(slot);
            }
        }
        mapped
    }

    /// Removes a page of a domain, if it is there.
    pub(super) fn unmap(&mut self, domain: DomainId, at: GuestPhysical) {
        let Some(state) = self.domains.get_mut(&domain) else { return };
        if let Ok(Some(Mapping { frame, .. })) = state.space.unmap(at) {
            self.arch.unmap(domain, at);
            // Boot pages come and go with their domain; only window pages are news.
            if layout::window_rights(at).is_some() {
                self.record(domain, None, EventKind::Unmapped { page: at, frame });
            }
        }
    }

    /// Carries out what the removal of a capability means: its mapping goes, and with the last
    /// capability the object.
    ///
    /// Domains are taken apart one after the other, not one within another: in the middle of a
    /// domain's end, some of its pages are mapped under capabilities that are gone already, and
    /// must not be freed by the end of another. It also takes no stack, however long the chain.
    pub(super) fn after_removal(&mut self, removed: Removed) {
        let mut orphans = VecDeque::new();
        self.settle(removed, &mut orphans);
        while let Some(domain) = orphans.pop_front() {
            self.reap_domain(domain, &mut orphans);
        }
    }

    /// As [`Microkernel::after_removal`], but a domain that has lost its last capability is only
    /// added to `orphans`.
    pub(super) fn settle(&mut self, removed: Removed, orphans: &mut VecDeque<DomainId>) {
        let Removed { slot, capability: Capability { object, mapped, .. }, last } = removed;
        if let Some((domain, at)) = mapped {
            self.unmap(domain, at);
        }
        if let SpaceId::Domain(holder) = slot.space {
            let removed =
                EventKind::CapabilityRemoved { space: slot.space, slot: slot.number, object };
            self.record(holder, None, removed);
        }
        if !last {
            return;
        }
        match object {
            Object::Page(frame) => {
                self.arch.frame_free(frame);
                self.frames.give(frame);
                let owner = self.owners.remove(&frame);
                if let Some(owner) = owner.and_then(|owner| self.domains.get_mut(&owner)) {
                    owner.pages_left += 1;
                }
            }
            Object::Domain(domain) => orphans.push_back(domain),
        }
    }

    pub(super) fn record_capability(&mut self, slot: Slot) {
        let (SpaceId::Domain(domain), Ok(capability)) =
            (slot.space, self.capabilities.lookup(slot))
        else {
            return;
        };
        let Capability { object, rights, .. } = capability;
        let added = EventKind::CapabilityAdded { slot: slot.number, object, rights };
        self.record(domain, None, added);
    }

    pub(super) fn record_mapped(&mut self, domain: DomainId, page: GuestPhysical, to: Mapping) {
        let Mapping { frame, rights } = to;
        self.record(domain, None, EventKind::Mapped { page, frame, rights });
    }

    /// Bytes of a domain's memory, as far as it is mapped.
    pub(super) fn read_physical(
        &self,
        domain: DomainId,
        start: GuestPhysical,
        length: u64,
    ) -> Vec<u8> {
        let mut out = Vec::new();
        for (at, offset, size) in chunks(start, length) {
            let Ok(Mapping { frame, .. }) = self.domains[&domain].space.lookup(at) else { break };
            let from = out.len();
            out.resize(from + size, 0);
            self.arch.frame_read(frame, offset, &mut out[from..]);
        }
        out
    }

    /// Writes into pages of a domain that its builder mapped.
    pub(super) fn write_physical(&mut self, domain: DomainId, start: GuestPhysical, bytes: &[u8]) {
        let mut rest = bytes;
        for (at, offset, size) in chunks(start, bytes.len() as u64) {
            let (now, later) = rest.split_at(size);
            rest = later;
            if let Ok(Mapping { frame, .. }) = self.domains[&domain].space.lookup(at) {
                self.arch.frame_write(frame, offset, now);
            }
        }
    }
}

/// The pieces of a range that lie in one page each: the page, the offset in it, the size.
fn chunks(
    start: GuestPhysical,
    length: u64,
) -> impl Iterator<Item = (GuestPhysical, usize, usize)> {
    let end = start.0 + length;
    let mut at = start;
    core::iter::from_fn(move || {
        let size = (PAGE_SIZE - at.page_offset() as u64).min(end - at.0);
        let piece = (at.page(), at.page_offset(), size as usize);
        at.0 += size;
        (size > 0).then_some(piece)
    })
}
