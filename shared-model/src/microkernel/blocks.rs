//! Blocks of pages: the unit that a capability to memory names. Their frames need not be adjacent;
//! a block is called by its first.
//!
//! Allocating, mapping, unmapping and freeing a block each take as long as it has pages, in one go:
//! that is why it has at most [`BLOCK_PAGES_MAX`].

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Microkernel;
use super::hypercall::{Answer, Outcome, Request};
use crate::abi::{Hypercall, Resource, Status};
use crate::address::{Frame, GuestPhysical, PAGE_SIZE};
use crate::arch::{Arch, ArchError};
use crate::capability::{Capability, Object, Place, Slot, SpaceId};
use crate::domain::{DomainId, DomainState};
use crate::layout;
use crate::rights::Rights;
use crate::space::Mapping;

/// The largest order of a block.
pub(super) const ORDER_MAX: u64 = 10;
/// Pages that one block can have: 16 MiB. The slowest backend maps them in some hundredths of a
/// second, and nobody else gets a turn meanwhile.
pub(super) const BLOCK_PAGES_MAX: u64 = 4 << ORDER_MAX;
/// Memory nodes that the model has.
pub(super) const NODES: u64 = 2;

/// A block of pages.
#[derive(Clone, Debug)]
pub(super) struct Block {
    /// Its frames, in the order in which they are mapped.
    pub(super) frames: Vec<Frame>,
    /// On whose account it is; nobody's if it is the world's, or the host's.
    pub(super) account: Option<DomainId>,
    /// The memory node it is from.
    pub(super) node: u64,
    /// The host lent it, and has not taken it back: it outlives every capability.
    pub(super) is_lent: bool,
}

/// Pages in a block of an order.
pub(super) fn pages_of_order(order: u64) -> Result<u64, Status> {
    if order <= ORDER_MAX { Ok(1 << order) } else { Err(Status::Invalid) }
}

/// A page of a mapping.
const fn nth(start: GuestPhysical, index: usize) -> GuestPhysical {
    GuestPhysical(start.0 + index as u64 * PAGE_SIZE)
}

impl<A: Arch> Microkernel<A> {
    pub(super) fn block_pages(&self, block: Frame) -> u64 {
        self.blocks.get(&block).map_or(0, |block| block.frames.len() as u64)
    }

    /// The block that an object is, if it is memory.
    pub(super) fn block_of(&self, object: Object) -> Option<Frame> {
        match object {
            Object::Page(block) | Object::Lent(block) => Some(block),
            Object::Channel(id) => self.channels.get(&id).map(|channel| channel.block),
            _ => None,
        }
    }

    pub(super) fn page_allocate(&mut self, request: &Request) -> Answer {
        let rights = request.rights(1)?;
        let [_, _, size, node, ..] = request.arguments;
        let (pages, node) = match request.call {
            Hypercall::PageAllocateMany if (1..=BLOCK_PAGES_MAX).contains(&size) => (size, 0),
            Hypercall::PageAllocateMany => return Err(Status::Invalid),
            Hypercall::PageAllocateNode => (pages_of_order(size)?, node),
            _ => (pages_of_order(size)?, 0),
        };
        if node >= NODES {
            return Err(Status::Invalid);
        }
        let slot = self.vacant_argument(request, 0)?;
        let block = self.new_block(request.domain, pages, node).map_err(|_| Status::NoMemory)?;
        if let Err(status) = self.add_root(slot, Object::Page(block), rights) {
            self.free_block(block);
            return Err(status);
        }
        Ok(Outcome::Done)
    }

    /// A block of zeroed pages on the domain's account.
    pub(super) fn new_block(
        &mut self,
        account: DomainId,
        pages: u64,
        node: u64,
    ) -> Result<Frame, ArchError> {
        self.charge(account, Resource::Pages, pages).map_err(|_| {
            ArchError("the domain's quota of pages is used up: raise `pages` in [limits]".into())
        })?;
        let block = self.allocate_block(Some(account), pages, node);
        if block.is_err() {
            self.refund(account, Resource::Pages, pages);
        }
        block
    }

    /// A block of zeroed pages. On a failure no page is left.
    pub(super) fn allocate_block(
        &mut self,
        account: Option<DomainId>,
        pages: u64,
        node: u64,
    ) -> Result<Frame, ArchError> {
        let mut frames = Vec::with_capacity(pages as usize);
        for _ in 0..pages {
            let frame = self.frames.take();
            if let Err(error) = self.arch.frame_allocate(frame) {
                self.frames.give(frame);
                self.give_frames(&frames);
                return Err(error);
            }
            frames.push(frame);
        }
        let first = *frames.first().ok_or_else(|| ArchError("a block has a page".into()))?;
        self.node_pages[node as usize] += pages;
        self.blocks.insert(first, Block { frames, account, node, is_lent: false });
        Ok(first)
    }

    pub(super) fn free_block(&mut self, block: Frame) {
        let Some(Block { frames, account, node, .. }) = self.blocks.remove(&block) else { return };
        self.give_frames(&frames);
        self.pages_done += frames.len() as u64;
        self.node_pages[node as usize] -= frames.len() as u64;
        if let Some(account) = account {
            self.refund(account, Resource::Pages, frames.len() as u64);
        }
    }

    fn give_frames(&mut self, frames: &[Frame]) {
        for &frame in frames {
            self.arch.frame_free(frame);
            self.frames.give(frame);
        }
    }

    /// Every frame in use, and on whose account it is.
    pub(super) fn frame_owners(&self) -> BTreeMap<Frame, DomainId> {
        let all = self.blocks.values().flat_map(|block| {
            let account = block.account.unwrap_or(DomainId(0));
            block.frames.iter().map(move |&frame| (frame, account))
        });
        all.collect()
    }

    pub(super) fn page_map(&mut self, request: &Request) -> Answer {
        let slot = self.slot_argument(request, 0)?;
        let at = GuestPhysical(request.arguments[1]);
        self.map_capability(slot, request.domain, at, request.rights(2)?)?;
        Ok(Outcome::Done)
    }

    /// Maps the block of a capability in a window of the domain that holds it: all of it, or
    /// nothing.
    pub(super) fn map_capability(
        &mut self,
        slot: Slot,
        domain: DomainId,
        at: GuestPhysical,
        rights: Rights,
    ) -> Result<(), Status> {
        let capability = self.capabilities.lookup(slot)?;
        let block = self.check_mapping(capability, domain, at, rights)?;
        self.map_pages(domain, at, block, rights)?;
        self.note_mapped(slot, domain, at, block, rights)
    }

    /// Whether a capability can be mapped so. Returns its block.
    fn check_mapping(
        &self,
        capability: Capability,
        domain: DomainId,
        at: GuestPhysical,
        rights: Rights,
    ) -> Result<Frame, Status> {
        let block = self.block_of(capability.object).ok_or(Status::Invalid)?;
        if !capability.rights.contains(rights) {
            return Err(Status::NotPermitted);
        }
        let pages = self.block_pages(block) as usize;
        let size = pages as u64 * PAGE_SIZE;
        let last = at.0.checked_add(size - PAGE_SIZE).ok_or(Status::Invalid)?;
        let window = layout::window_rights(at).ok_or(Status::Invalid)?;
        let fits = layout::window_rights(GuestPhysical(last)) == Some(window);
        let possible = layout::window_allows(window, rights);
        if !possible || !fits || !at.is_page_aligned() {
            return Err(Status::Invalid);
        }
        let space = &self.domains.get(&domain).ok_or(Status::BadState)?.space;
        let is_taken = |page| space.lookup(nth(at, page)).is_ok();
        if capability.mapped.is_some() || (0..pages).any(is_taken) {
            return Err(Status::Exists);
        }
        Ok(block)
    }

    /// Maps all pages of a block, or none.
    fn map_pages(
        &mut self,
        domain: DomainId,
        at: GuestPhysical,
        block: Frame,
        rights: Rights,
    ) -> Result<(), Status> {
        for page in 0..self.block_pages(block) as usize {
            let frame = self.blocks[&block].frames[page];
            if self.map_page(domain, nth(at, page), Mapping { frame, rights }).is_err() {
                (0..page).rev().for_each(|done| self.unmap_page(domain, nth(at, done)));
                return Err(Status::NoMemory);
            }
        }
        Ok(())
    }

    /// A block was mapped under a capability of the same domain.
    fn note_mapped(
        &mut self,
        slot: Slot,
        domain: DomainId,
        at: GuestPhysical,
        block: Frame,
        rights: Rights,
    ) -> Result<(), Status> {
        self.capabilities.set_mapped(slot, Place::Memory { domain, page: at })?;
        self.note_place(slot);
        for page in 0..self.block_pages(block) as usize {
            let frame = self.blocks[&block].frames[page];
            self.record_mapped(domain, nth(at, page), Mapping { frame, rights }, slot.number);
        }
        Ok(())
    }

    /// A capability that may be mapped is in this slot now: where it is mapped leads to it.
    pub(super) fn note_place(&mut self, slot: Slot) {
        if let Ok(Capability { mapped: Some(Place::Memory { domain, page }), .. }) =
            self.capabilities.lookup(slot)
            && let Some(domain) = self.domains.get_mut(&domain)
        {
            domain.mapped.insert(page, slot.number);
        }
    }

    pub(super) fn page_unmap(&mut self, request: &Request) -> Answer {
        let slot = self.slot_argument(request, 0)?;
        let Capability { object, mapped, .. } = self.capabilities.lookup(slot)?;
        if !object.is_memory() {
            return Err(Status::Invalid);
        }
        if let Some(Place::Memory { domain, page }) = mapped {
            self.capabilities.clear_mapped(slot)?;
            self.unmap_block(domain, page, object);
        }
        Ok(Outcome::Done)
    }

    /// Removes the mapping of a capability's block.
    pub(super) fn unmap_block(&mut self, domain: DomainId, at: GuestPhysical, object: Object) {
        let Some(block) = self.block_of(object) else { return };
        if let Some(domain) = self.domains.get_mut(&domain) {
            domain.mapped.remove(&at);
        }
        let pages = self.block_pages(block);
        (0..pages as usize).for_each(|page| self.unmap(domain, nth(at, page)));
        self.pages_done += pages;
    }

    pub(super) fn cap_lookup(&mut self, request: &mut Request) -> Answer {
        let address = GuestPhysical(request.arguments[0]);
        let mapped = &self.domains.get(&request.domain).ok_or(Status::NotFound)?.mapped;
        let (start, &number) = mapped.range(..=address).next_back().ok_or(Status::NotFound)?;
        let offset = address.0 - start.0;
        let slot = Slot { space: SpaceId::Domain(request.domain), number };
        let block = self.block_of(self.capabilities.lookup(slot)?.object);
        if block.is_none_or(|block| offset / PAGE_SIZE >= self.block_pages(block)) {
            return Err(Status::NotFound);
        }
        request.results = alloc::vec![number, offset];
        Ok(Outcome::Done)
    }

    pub(super) fn memory_grant_and_map(&mut self, request: &Request) -> Answer {
        let [_, _, number, at, ..] = request.arguments;
        let (at, rights) = (GuestPhysical(at), request.rights(4)?);
        let domain = self.machine_domain(request, 0, Rights::WRITE)?;
        // A domain that runs gets pages from outside only if somebody deals with its faults.
        let takes_pages = self.domains.get(&domain).is_some_and(|domain| match domain.state {
            DomainState::Embryo | DomainState::Configured => true,
            DomainState::Running => domain.fault_handler.is_some(),
            DomainState::Dead => false,
        });
        if !takes_pages {
            return Err(Status::BadState);
        }
        let from = self.slot_argument(request, 1)?;
        let to = Slot { space: SpaceId::Domain(domain), number };
        self.capabilities.vacant(to)?;
        let source = self.capabilities.expect(from, Rights::GRANT)?;
        // The rest of the rights is the copy's alone.
        let mapping = rights.for_mapping();
        let copy = Capability { rights: source.rights & rights, mapped: None, ..source };
        let block = self.check_mapping(copy, domain, at, mapping)?;
        self.charge(domain, Resource::Capabilities, 1)?;
        // Nobody hears of the capability before the pages are there.
        if let Err(status) = self.map_pages(domain, at, block, mapping) {
            self.refund(domain, Resource::Capabilities, 1);
            return Err(status);
        }
        self.capabilities.grant(from, to, rights, None).expect("it was just checked");
        self.note_added(to);
        self.note_mapped(to, domain, at, block, mapping)?;
        Ok(Outcome::Done)
    }

    pub(super) fn memory_statistics(&mut self, request: &mut Request) -> Answer {
        let node = request.arguments[0];
        if node >= NODES {
            return Err(Status::Invalid);
        }
        let mapped = self.domains.get(&request.domain).map_or(0, |domain| domain.space.mapped());
        let account = self.accounts.of(request.domain, Resource::Pages);
        let used = account.map_or(0, |(_, used)| used);
        let all = self.frames.in_use() as u64;
        request.results = alloc::vec![mapped as u64, used, all, self.node_pages[node as usize]];
        Ok(Outcome::Done)
    }
}
