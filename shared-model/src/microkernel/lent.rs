//! Memory of the world's and the host's own. It is on nobody's account, and begins with a capability
//! of the microkernel's own space, from which others are derived.
//!
//! What the host lends outlives every capability to it: the host reads and writes it at any time,
//! is told in the log when no domain holds it any more, and has it until it takes it back.

use alloc::collections::BTreeMap;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::Microkernel;
use super::blocks::{BLOCK_PAGES_MAX, NODES};
use crate::abi::Status;
use crate::address::{Frame, PAGE_SIZE};
use crate::arch::Arch;
use crate::capability::{Object, Slot, SpaceId, cptr};
use crate::domain::{DomainId, LifecycleError};
use crate::event::EventKind;
use crate::rights::Rights;

/// Slots of the microkernel's own space for what is not a domain: from the last one downwards, so
/// that domains, whose slots follow from their numbers, never meet them.
#[derive(Clone, Debug, Default)]
pub(super) struct HostSlots {
    used: u32,
    /// Those of objects that are gone.
    free: Vec<u64>,
}

/// How many such slots there are. The others are enough for every domain of a run.
const HOST_SLOTS: u32 = cptr::CAPACITY[cptr::LEVELS - 1] / 2;

impl HostSlots {
    fn take(&mut self) -> Option<u64> {
        self.free.pop().or_else(|| {
            self.used = Some(self.used + 1).filter(|&used| used <= HOST_SLOTS)?;
            cptr::nth(cptr::TOTAL - self.used)
        })
    }
}

impl<A: Arch> Microkernel<A> {
    /// Lends pages to the machine, zeroed but for what they begin with. No domain has them before
    /// [`Microkernel::give_lent`].
    ///
    /// # Errors
    /// [`LifecycleError::Exhausted`] if there is no memory, or that is more than one block can have;
    /// [`LifecycleError::Outside`] if the contents are longer than the pages.
    pub fn lend(&mut self, pages: u64, contents: &[u8]) -> Result<Frame, LifecycleError> {
        let slot = self.create_memory(pages, 0, true, contents)?;
        match self.capabilities.lookup(slot) {
            Ok(capability) => Ok(self.block_of(capability.object).expect("it is memory")),
            Err(error) => Err(LifecycleError::Exhausted(error.to_string())),
        }
    }

    /// A block of nobody's, under a capability of the microkernel's own space.
    pub(super) fn create_memory(
        &mut self,
        pages: u64,
        node: u64,
        lent: bool,
        contents: &[u8],
    ) -> Result<Slot, LifecycleError> {
        if !(1..=BLOCK_PAGES_MAX).contains(&pages) || node >= NODES {
            let message = alloc::format!(
                "{pages} pages of node {node}: a block has 1 to {BLOCK_PAGES_MAX}, nodes are below {NODES}"
            );
            return Err(LifecycleError::Exhausted(message));
        }
        check_range(pages, 0, contents.len() as u64)?;
        let slot = self.vacant_host_slot()?;
        let block = self.allocate_block(None, pages, node);
        let block = block.map_err(|error| LifecycleError::Exhausted(error.to_string()));
        let block = block.inspect_err(|_| self.give_host_slot(slot))?;
        let object = if lent { Object::Lent(block) } else { Object::Page(block) };
        self.capabilities.insert(slot, object, Rights::ALL).expect("the slot is vacant");
        if let Some(block) = self.blocks.get_mut(&block) {
            block.is_lent = lent;
        }
        self.write_block(block, 0, contents);
        Ok(slot)
    }

    /// A vacant slot of the microkernel's own space, for the origin of an object that is no domain.
    pub(super) fn vacant_host_slot(&mut self) -> Result<Slot, LifecycleError> {
        let full = || LifecycleError::Exhausted("the microkernel's own space is full".into());
        let number = self.host_slots.take().ok_or_else(full)?;
        Ok(Slot { space: SpaceId::Host, number })
    }

    /// Nothing is in that slot any more.
    pub(super) fn give_host_slot(&mut self, slot: Slot) {
        self.host_slots.free.push(slot.number);
    }

    /// Gives a domain a capability to lent memory, with these rights.
    ///
    /// # Errors
    /// [`LifecycleError::NotLent`]; [`LifecycleError::NoDomain`]; [`LifecycleError::Exhausted`] if
    /// the slot cannot take it.
    pub fn give_lent(
        &mut self,
        memory: Frame,
        domain: DomainId,
        slot: u64,
        rights: Rights,
    ) -> Result<(), LifecycleError> {
        let from = self.lent_slot(memory)?;
        if !self.domains.contains_key(&domain) {
            return Err(LifecycleError::NoDomain(domain));
        }
        let to = Slot { space: SpaceId::Domain(domain), number: slot };
        let refused =
            |status: Status| LifecycleError::Exhausted(alloc::format!("slot {slot}: {status:?}"));
        self.pass_capability(from, to, rights, None).map_err(refused)
    }

    /// What is in lent memory now.
    ///
    /// # Errors
    /// [`LifecycleError::NotLent`]; [`LifecycleError::Outside`].
    pub fn lent_read(
        &self,
        memory: Frame,
        offset: u64,
        length: u64,
    ) -> Result<Vec<u8>, LifecycleError> {
        self.lent_slot(memory)?;
        check_range(self.block_pages(memory), offset, length)?;
        Ok(self.read_block(memory, offset, length))
    }

    /// Writes into lent memory, whoever has it mapped.
    ///
    /// # Errors
    /// As [`Microkernel::lent_read`]; nothing is written then.
    pub fn lent_write(
        &mut self,
        memory: Frame,
        offset: u64,
        bytes: &[u8],
    ) -> Result<(), LifecycleError> {
        self.lent_slot(memory)?;
        check_range(self.block_pages(memory), offset, bytes.len() as u64)?;
        self.write_block(memory, offset, bytes);
        Ok(())
    }

    /// Ends the loan: every capability to the memory goes, with its mappings, and then the memory.
    /// Returns what was in it.
    ///
    /// # Errors
    /// [`LifecycleError::NotLent`].
    pub fn take_back(&mut self, memory: Frame) -> Result<Vec<u8>, LifecycleError> {
        let root = self.lent_slot(memory)?;
        while !self.revoke_some(root, None) {}
        let contents = self.read_block(memory, 0, self.block_pages(memory) * PAGE_SIZE);
        if let Some(block) = self.blocks.get_mut(&memory) {
            block.is_lent = false;
        }
        if let Ok(removed) = self.capabilities.delete(root) {
            self.settle(removed);
            self.give_host_slot(root);
        }
        Ok(contents)
    }

    /// What the host lends now, and how many pages each.
    pub fn lent(&self) -> BTreeMap<Frame, u64> {
        let lent = self.blocks.iter().filter(|(_, block)| block.is_lent);
        lent.map(|(&frame, block)| (frame, block.frames.len() as u64)).collect()
    }

    /// Where the host's own capability to lent memory is.
    fn lent_slot(&self, memory: Frame) -> Result<Slot, LifecycleError> {
        let is_lent = self.blocks.get(&memory).is_some_and(|block| block.is_lent);
        let holders = is_lent.then(|| self.capabilities.holders(Object::Lent(memory)));
        let root = holders.and_then(|slots| slots.first().copied());
        root.filter(|slot| slot.space == SpaceId::Host).ok_or(LifecycleError::NotLent(memory))
    }

    /// A capability to lent memory has left a domain. If it was the last that a domain had, the host
    /// is told.
    pub(super) fn note_returned(&mut self, object: Object, slot: Slot) {
        let (Object::Lent(memory), SpaceId::Domain(domain)) = (object, slot.space) else { return };
        let first = (object, Slot { space: SpaceId::Host, number: 0 });
        let held = self.holders.range(first..).next().is_some_and(|held| held.0 == object);
        if !held {
            self.record(domain, None, EventKind::LentReturned { memory });
        }
    }

    /// The last capability to lent memory is gone, the host's own included.
    pub(super) fn return_lent(&mut self, memory: Frame) {
        if self.blocks.get(&memory).is_some_and(|block| !block.is_lent) {
            self.free_block(memory);
        }
    }

    pub(super) fn read_block(&self, block: Frame, offset: u64, length: u64) -> Vec<u8> {
        let mut out = alloc::vec![0; length as usize];
        for (page, offset, range) in pieces(offset, out.len()) {
            self.arch.frame_read(self.blocks[&block].frames[page], offset, &mut out[range]);
        }
        out
    }

    pub(super) fn write_block(&mut self, block: Frame, offset: u64, bytes: &[u8]) {
        for (page, offset, range) in pieces(offset, bytes.len()) {
            let frame = self.blocks[&block].frames[page];
            self.arch.frame_write(frame, offset, &bytes[range]);
        }
    }
}

fn check_range(pages: u64, offset: u64, length: u64) -> Result<(), LifecycleError> {
    let end = offset.checked_add(length);
    match end.is_some_and(|end| end <= pages * PAGE_SIZE) {
        true => Ok(()),
        false => Err(LifecycleError::Outside { offset, length }),
    }
}

/// The parts of a range that lie in one page each: which page, where in it, which of the bytes.
fn pieces(
    offset: u64,
    length: usize,
) -> impl Iterator<Item = (usize, usize, core::ops::Range<usize>)> {
    let mut done = 0;
    core::iter::from_fn(move || {
        let at = offset + done as u64;
        let within = (at % PAGE_SIZE) as usize;
        let size = (PAGE_SIZE as usize - within).min(length - done);
        let piece = ((at / PAGE_SIZE) as usize, within, done..done + size);
        done += size;
        (size > 0).then_some(piece)
    })
}
