//! What is the case in a microkernel, for those who want to see it: nothing here changes anything.
//!
//! The answers are as the laboratory gives them: `state` (threads and their registers), `memory`
//! (bytes, and the way to them), `objects` (who waits where), `program` (what is loaded) and
//! `digest` (everything, in one number).

use alloc::string::String;

use super::Microkernel;
use crate::address::{Frame, GuestPhysical, PAGE_SIZE};
use crate::arch::Arch;
use crate::bundle::Bundle;
use crate::capability::{Place, Slot, SpaceId};
use crate::domain::{Domain, DomainId, ThreadId};
use crate::rights::Rights;

mod digest;
mod memory;
mod objects;
mod program;
mod state;

pub use memory::{MemoryPiece, Space, Walk, WalkLevel};
pub use objects::{Channel, Endpoint, Notification, Objects, Side, Utcb, Waiter};
pub use program::{Image, Program, Segment, Symbol};
pub use state::{DomainState, State, ThreadState};

impl<A: Arch> Microkernel<A> {
    /// The backend.
    pub const fn arch(&self) -> &A {
        &self.arch
    }

    /// The backend, for what it can do that [`Arch`] does not ask for.
    pub const fn arch_mut(&mut self) -> &mut A {
        &mut self.arch
    }

    /// What runs.
    pub const fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// Ticks since the beginning: what limits of time count.
    pub const fn now(&self) -> u64 {
        self.now
    }

    /// Whether the thread's code is, or was, the host's.
    pub fn is_of_host(&self, thread: ThreadId) -> bool {
        self.is_host_thread(thread) || self.is_host_domain(self.thread(thread).domain)
    }

    fn domain(&self, domain: DomainId) -> Result<&Domain, String> {
        let found = self.domains.get(&domain);
        found.ok_or_else(|| alloc::format!("there is no domain {}, or no longer", domain.0))
    }

    /// What a guest-physical page of a domain leads to.
    fn landing(&self, domain: DomainId, address: GuestPhysical) -> Option<Landing> {
        let mapping = self.domains.get(&domain)?.space.lookup(address).ok()?;
        let mapped = self.mapped_at(domain, address);
        let block = mapped.map_or(mapping.frame, |(_, block)| block);
        let owner = self.blocks.get(&block).map_or_else(
            || self.blocks.values().find(|block| block.frames.contains(&mapping.frame)),
            Some,
        );
        Some(Landing {
            frame: mapping.frame,
            rights: mapping.rights,
            owner: owner.and_then(|block| block.account),
            slot: mapped.map(|(slot, _)| slot),
        })
    }

    /// The slot of the capability under which a page of a window is mapped, and its block.
    fn mapped_at(&self, domain: DomainId, address: GuestPhysical) -> Option<(u64, Frame)> {
        let state = self.domains.get(&domain)?;
        let (&first, &number) = state.mapped.range(..=address).next_back()?;
        let slot = Slot { space: SpaceId::Domain(domain), number };
        let capability = self.capabilities.lookup(slot).ok()?;
        let block = self.block_of(capability.object)?;
        let size = self.block_pages(block) * PAGE_SIZE;
        let is_there = capability.mapped == Some(Place::Memory { domain, page: first });
        (is_there && address.0 - first.0 < size).then_some((number, block))
    }
}

/// What a guest-physical page leads to.
struct Landing {
    frame: Frame,
    rights: Rights,
    /// On whose account the frame is, if on anybody's.
    owner: Option<DomainId>,
    /// The slot under which it is mapped, if it is in a window.
    slot: Option<u64>,
}

/// Rights as their letters alone.
fn letters(rights: Rights) -> String {
    alloc::string::ToString::to_string(&rights).replace('-', "")
}
