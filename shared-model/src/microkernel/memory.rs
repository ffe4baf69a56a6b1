//! Pages of domains: those they are built from, mappings, and the host's view of their memory.
//!
//! The order within an operation: first the model's tables, then the backend's mapping, then
//! the event. A backend's mapping is gone before the capability operation returns.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::Microkernel;
use crate::address::{Frame, GuestPhysical, PAGE_SIZE};
use crate::arch::{Arch, ArchError};
use crate::capability::{Capability, Object, Place, Slot, SpaceId, cptr};
use crate::construct::{Blueprint, PlannedPage};
use crate::domain::{DomainId, LifecycleError, ThreadId};
use crate::event::{EventKind, PageRange};
use crate::layout;
use crate::rights::Rights;
use crate::space::Mapping;

impl<A: Arch> Microkernel<A> {
    /// Gives a domain its boot pages. On a failure it has none of them.
    pub(super) fn put_pages(
        &mut self,
        domain: DomainId,
        plan: &Blueprint,
    ) -> Result<(), LifecycleError> {
        for page in &plan.pages {
            let put = self.put_page(domain, page);
            if let Err(error) = put {
                self.remove_boot_pages(domain);
                return Err(LifecycleError::Exhausted(error.to_string()));
            }
        }
        Ok(())
    }

    /// Gives a domain one page of those it is built from. It is mapped under a capability that the
    /// domain cannot name.
    pub(super) fn put_page(
        &mut self,
        domain: DomainId,
        page: &PlannedPage,
    ) -> Result<Frame, ArchError> {
        let space = SpaceId::Boot(domain);
        let refused = |error: &dyn core::fmt::Display| ArchError(error.to_string());
        let number = self.capabilities.first_free(space);
        let number = number.ok_or_else(|| ArchError("a domain's boot space is full".into()))?;
        let slot = Slot { space, number };
        let frame = self.new_block(domain, 1, 0)?;
        if let Err(error) = self.capabilities.insert(slot, Object::Page(frame), page.rights) {
            self.free_block(frame);
            return Err(refused(&error));
        }
        self.arch.frame_write(frame, 0, &page.bytes);
        let mapped = self.map_page(domain, page.at, Mapping { frame, rights: page.rights });
        let place = Place::Memory { domain, page: page.at };
        let noted = mapped.and_then(|()| {
            self.capabilities.set_mapped(slot, place).map_err(|error| refused(&error))
        });
        match noted {
            Ok(()) => Ok(frame),
            Err(error) => {
                if let Ok(removed) = self.capabilities.delete(slot) {
                    self.settle(removed);
                }
                Err(error)
            }
        }
    }

    pub(super) fn remove_boot_pages(&mut self, domain: DomainId) {
        let space = SpaceId::Boot(domain);
        let (removed, _) = self.capabilities.close(space, usize::MAX);
        removed.into_iter().for_each(|removed| self.settle(removed));
        self.capabilities.open(space);
    }

    /// Gives a domain a capability to another, which was created from outside.
    ///
    /// # Errors
    /// [`LifecycleError`], and nothing has changed.
    pub fn give_domain(
        &mut self,
        holder: DomainId,
        number: u64,
        named: DomainId,
        rights: Rights,
    ) -> Result<(), LifecycleError> {
        let from = host_slot(named);
        let to = Slot { space: SpaceId::Domain(holder), number };
        self.pass_capability(from, to, rights, None)
            .map_err(|status| LifecycleError::Load(format!("slot {number}: {status:?}")))
    }

    /// Maps one page, in the model and in the backend.
    pub(super) fn map_page(
        &mut self,
        domain: DomainId,
        at: GuestPhysical,
        mapping: Mapping,
    ) -> Result<(), ArchError> {
        let space = &mut self.domains.get_mut(&domain).expect("a live domain").space;
        space.map(at, mapping, false).map_err(|error| ArchError(error.to_string()))?;
        let mapped = self.arch.map(domain, at, mapping.frame, mapping.rights);
        if mapped.is_err() {
            // This undoes what just succeeded: there is nothing to report.
            let _ = space.unmap(at);
        }
        mapped
    }

    /// Undoes [`Microkernel::map_page`], which nobody has seen.
    pub(super) fn unmap_page(&mut self, domain: DomainId, at: GuestPhysical) {
        let space = &mut self.domains.get_mut(&domain).expect("a live domain").space;
        if let Ok(Some(_)) = space.unmap(at) {
            self.arch.unmap(domain, at);
        }
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

    /// Tells of a page that was mapped under the capability in a slot of its domain.
    pub(super) fn record_mapped(
        &mut self,
        domain: DomainId,
        page: GuestPhysical,
        to: Mapping,
        slot: u64,
    ) {
        let Mapping { frame, rights } = to;
        self.record(domain, None, EventKind::Mapped { page, frame, rights, slot: Some(slot) });
    }

    /// Tells what a domain was built from.
    pub(super) fn record_built(&mut self, domain: DomainId, initial: ThreadId) {
        // Somebody may have mapped pages in its windows before.
        let space = self.domains[&domain].space.iter();
        let pages = space.filter(|&(page, _)| layout::window_rights(page).is_none());
        let pages = PageRange::of(pages);
        self.record(domain, None, EventKind::Built { initial, pages });
    }

    /// The pages that are mapped under these capabilities of one space.
    pub(super) fn pages_under(&self, slots: &[Slot]) -> Vec<PageRange> {
        let page = |&slot: &Slot| match self.capabilities.lookup(slot) {
            Ok(Capability {
                object: Object::Page(frame),
                rights,
                mapped: Some(Place::Memory { page, .. }),
                ..
            }) => Some((page, Mapping { frame, rights })),
            _ => None,
        };
        let pages: BTreeMap<_, _> = slots.iter().filter_map(page).collect();
        PageRange::of(pages)
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

/// The microkernel's own capability to a domain that the host created.
pub(super) fn host_slot(domain: DomainId) -> Slot {
    let number = cptr::nth(domain.0.saturating_add(1)).unwrap_or(0);
    Slot { space: SpaceId::Host, number }
}
