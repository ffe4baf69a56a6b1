//! What domains do with capabilities, and what follows from one being removed.

use alloc::vec::Vec;

use super::Microkernel;
use super::blocks::BLOCK_PAGES_MAX;
use super::hypercall::{Answer, Outcome, Request};
use crate::abi::{Hypercall, ObjectKind, Resource, Status};
use crate::arch::Arch;
use crate::capability::{Capability, Object, Place, Removed, Slot, SpaceId};
use crate::domain::{DomainId, DomainState, ThreadId, Work};
use crate::event::EventKind;
use crate::rights::Rights;

/// Capabilities that one turn of a long operation removes.
pub(super) const BATCH: usize = 512;
/// Pages unmapped or freed after which a turn removes no more of them.
pub(super) const PAGES_BATCH: u64 = 4 * BLOCK_PAGES_MAX;
/// Capabilities that are removed before it looks how many pages that meant.
pub(super) const AT_ONCE: usize = 64;

/// What becomes of the capabilities derived from one that leaves its slot.
#[derive(Clone, Copy)]
enum Successor {
    /// It only goes to another slot of the same domain, and they stay with it.
    MovedTo(u64),
    /// They are derived from this one now, without one from what it was derived from.
    Heir(Option<Slot>),
}

impl<A: Arch> Microkernel<A> {
    pub(super) fn cap_delete(&mut self, request: &Request) -> Answer {
        let slot = self.slot_argument(request, 0)?;
        let removed = self.capabilities.delete(slot);
        self.leave_reply_slot(request, slot);
        self.settle(removed?);
        Ok(self.work(request.thread, Work { call: request.call, revoke: None, keep: None }))
    }

    pub(super) fn cap_revoke(&mut self, request: &Request) -> Answer {
        let slot = self.slot_argument(request, 0)?;
        self.capabilities.lookup(slot)?;
        let keep = match request.call {
            Hypercall::CapRevokeUntil => {
                let domain = self.slot_argument(request, 1)?;
                Some(self.capabilities.domain(domain, Rights::NONE)?)
            }
            _ => None,
        };
        Ok(self.work(request.thread, Work { call: request.call, revoke: Some(slot), keep }))
    }

    pub(super) fn cap_grant(&mut self, request: &Request) -> Answer {
        let mask = request.rights(3)?;
        let target = self.capabilities.domain(self.slot_argument(request, 0)?, Rights::WRITE)?;
        let alive = self.domains.get(&target).is_some_and(|to| to.state != DomainState::Dead);
        if !alive {
            return Err(Status::BadState);
        }
        let from = self.slot_argument(request, 1)?;
        let to = Slot { space: SpaceId::Domain(target), number: request.arguments[2] };
        self.pass_capability(from, to, mask, request.badge(4))?;
        Ok(Outcome::Done)
    }

    pub(super) fn cap_copy(&mut self, request: &Request) -> Answer {
        let mask = request.rights(2)?;
        let from = self.slot_argument(request, 0)?;
        let to = Slot { space: SpaceId::Domain(request.domain), number: request.arguments[1] };
        self.capabilities.vacant(to)?;
        self.refuse_reply(from)?;
        self.charge(request.domain, Resource::Capabilities, 1)?;
        if let Err(error) = self.capabilities.copy(from, to, mask, request.badge(3)) {
            self.refund(request.domain, Resource::Capabilities, 1);
            return Err(error.into());
        }
        self.note_added(to);
        Ok(Outcome::Done)
    }

    /// Copies a capability to another domain's space, on that domain's account.
    pub(super) fn pass_capability(
        &mut self,
        from: Slot,
        to: Slot,
        mask: Rights,
        badge: Option<u64>,
    ) -> Result<(), Status> {
        self.capabilities.vacant(to)?;
        self.refuse_reply(from)?;
        let SpaceId::Domain(target) = to.space else { return Err(Status::Invalid) };
        self.charge(target, Resource::Capabilities, 1)?;
        if let Err(error) = self.capabilities.grant(from, to, mask, badge) {
            self.refund(target, Resource::Capabilities, 1);
            return Err(error.into());
        }
        self.note_added(to);
        Ok(())
    }

    /// Puts an original capability into a vacant slot of a domain.
    pub(super) fn add_root(
        &mut self,
        slot: Slot,
        object: Object,
        rights: Rights,
    ) -> Result<(), Status> {
        if let SpaceId::Domain(domain) = slot.space {
            self.charge(domain, Resource::Capabilities, 1)?;
        }
        if let Err(error) = self.capabilities.insert(slot, object, rights) {
            if let SpaceId::Domain(domain) = slot.space {
                self.refund(domain, Resource::Capabilities, 1);
            }
            return Err(error.into());
        }
        self.note_added(slot);
        Ok(())
    }

    /// The right to answer a call exists once: it can be moved, not copied.
    fn refuse_reply(&self, from: Slot) -> Result<(), Status> {
        match self.capabilities.lookup(from)?.object {
            Object::Reply(_) => Err(Status::Invalid),
            _ => Ok(()),
        }
    }

    pub(super) fn cap_move(&mut self, request: &Request) -> Answer {
        let mask = request.rights(2)?;
        let from = self.slot_argument(request, 0)?;
        let to = Slot { space: SpaceId::Domain(request.domain), number: request.arguments[1] };
        self.capabilities.vacant(to)?;
        // From the thread's own space, a capability comes onto the domain's account.
        let comes_in = from.space != to.space;
        self.capabilities.lookup(from)?;
        if comes_in {
            self.charge(request.domain, Resource::Capabilities, 1)?;
        }
        let removed = self.capabilities.lookup(from)?;
        if let Err(error) = self.capabilities.move_to(from, to, mask) {
            if comes_in {
                self.refund(request.domain, Resource::Capabilities, 1);
            }
            return Err(error.into());
        }
        self.note_left(from, removed, Successor::MovedTo(to.number));
        self.note_added(to);
        self.cancel_waits_through(from);
        self.device_capability_moved(from, to);
        self.leave_reply_slot(request, from);
        Ok(Outcome::Done)
    }

    pub(super) fn cap_derive(&mut self, request: &Request) -> Answer {
        let (slot, under) = (self.slot_argument(request, 0)?, self.slot_argument(request, 1)?);
        self.capabilities.derive(slot, under)?;
        let derived = EventKind::CapabilityDerived { slot: slot.number, from: under.number };
        self.record(request.domain, None, derived);
        Ok(Outcome::Done)
    }

    pub(super) fn cap_inspect(&mut self, request: &mut Request) -> Answer {
        let slot = self.slot_argument(request, 0)?;
        let capability = self.capabilities.lookup(slot)?;
        let (kind, size) = match capability.object {
            Object::Page(frame) => (ObjectKind::Page, self.block_pages(frame)),
            Object::Lent(frame) => (ObjectKind::Lent, self.block_pages(frame)),
            Object::Domain(_) => (ObjectKind::Domain, 0),
            Object::HostDomain(_) => (ObjectKind::HostDomain, 0),
            Object::Endpoint(_) => (ObjectKind::Endpoint, 0),
            Object::Notification(_) => (ObjectKind::Notification, 0),
            Object::Channel(id) => {
                (ObjectKind::Channel, self.block_pages(self.channels[&id].block))
            }
            Object::Ports(ports) => {
                (ObjectKind::Ports, u64::from(ports.last) - u64::from(ports.first) + 1)
            }
            Object::Interrupt(_) => (ObjectKind::Interrupt, 0),
            Object::Reply(_) => (ObjectKind::Reply, 0),
        };
        let place = match capability.mapped {
            Some(Place::Memory { page, .. }) => page.0,
            Some(Place::Device { page, .. }) => page,
            None => 0,
        };
        request.results =
            alloc::vec![kind as u64, capability.rights.bits(), capability.badge, size, place];
        Ok(Outcome::Done)
    }

    /// If the slot was the thread's slot 2, that now means the call before.
    fn leave_reply_slot(&mut self, request: &Request, slot: Slot) {
        let state = self.thread_mut(request.thread);
        if slot.space == SpaceId::Thread(request.thread) && state.replies > 0 {
            state.replies -= 1;
        }
    }

    /// Begins a long operation, and ends it if it is a short one.
    fn work(&mut self, thread: ThreadId, work: Work) -> Outcome {
        self.thread_mut(thread).work = Some(work);
        self.workers.insert(thread);
        match self.work_on(thread) {
            true => Outcome::Done,
            false => Outcome::Waits,
        }
    }

    /// One step of a thread's long operation. Says whether it is over; then the thread has none.
    fn work_on(&mut self, thread: ThreadId) -> bool {
        let Some(work) = self.thread(thread).work.clone() else { return true };
        self.pages_done = 0;
        if let Some(slot) = work.revoke {
            if !self.revoke_some(slot, work.keep) {
                return false;
            }
            if let Some(work) = &mut self.thread_mut(thread).work {
                work.revoke = None;
            }
        }
        if !self.reap_orphans() {
            return false;
        }
        self.thread_mut(thread).work = None;
        self.workers.remove(&thread);
        true
    }

    /// Revokes as much as one turn allows. Says whether nothing is left.
    pub(super) fn revoke_some(&mut self, slot: Slot, keep: Option<DomainId>) -> bool {
        #[cfg(test)]
        if self.break_revoke(slot) {
            return true;
        }
        let mut left = self.batch;
        loop {
            let limit = left.min(AT_ONCE);
            // What the slot held may have been taken away between two steps.
            let step = match keep {
                None => self.capabilities.revoke(slot, limit),
                Some(domain) => self
                    .capabilities
                    .revoke_until(slot, limit, |at, _| at.space == SpaceId::Domain(domain)),
            };
            let (removed, done) = step.unwrap_or((Vec::new(), true));
            left -= removed.len();
            removed.into_iter().for_each(|removed| self.settle(removed));
            if done || left == 0 || self.pages_done >= PAGES_BATCH {
                return done;
            }
        }
    }

    /// A thread's turn, spent on its long operation.
    pub(super) fn continue_work(&mut self, thread: ThreadId) {
        let call = self.thread(thread).work.as_ref().expect("it has work").call;
        self.cause = Some(thread);
        let done = self.work_on(thread);
        self.cause = None;
        if done {
            self.complete(thread, call, Status::Ok);
            self.stop_if_paused(thread);
        }
        // Either way the others come first now, in the order of the queue.
        self.yield_turn(thread);
    }

    /// The capability that is being revoked has itself been taken away: there is nothing left to
    /// revoke, and whatever comes into the slot is not meant.
    fn stop_revoking(&mut self, slot: Slot) {
        #[cfg(test)]
        if self.broken == super::tests::Broken::RevokesNewOccupant {
            return;
        }
        for &worker in &self.workers {
            if let Some(work) = &mut self.threads[worker.0 as usize].work
                && work.revoke == Some(slot)
            {
                work.revoke = None;
            }
        }
    }

    /// Takes the domains apart that nobody holds any more, a bounded step. Says whether none is
    /// left.
    ///
    /// They are taken apart one after the other, not one within another: in the middle of a
    /// domain's end, some of its pages are mapped under capabilities that are gone already, and
    /// must not be freed by the end of another. It also takes no stack, however long the chain.
    pub(super) fn reap_orphans(&mut self) -> bool {
        let mut left = self.batch;
        self.pages_done = 0;
        while let Some(&domain) = self.orphans.front() {
            if !self.reap_domain(domain, &mut left) {
                return false;
            }
            self.orphans.pop_front();
        }
        true
    }

    /// Carries out what the removal of a capability means: its mapping goes, whoever waits through
    /// it stops, and with the last capability the object goes. A domain that has lost its last
    /// capability is only added to the orphans.
    pub(super) fn settle(&mut self, removed: Removed) {
        let Removed { slot, capability, last, .. } = removed;
        match capability.mapped {
            #[cfg(test)]
            _ if self.broken == super::tests::Broken::KeepsMapping => {}
            Some(Place::Memory { domain, page }) => {
                self.unmap_block(domain, page, capability.object)
            }
            Some(Place::Device { domain, page }) => {
                self.unmap_device(domain, page, capability.object);
            }
            None => {}
        }
        self.note_removed(&removed);
        self.note_returned(capability.object, slot);
        self.device_capability_gone(slot, capability.object);
        self.cancel_waits_through(slot);
        if last {
            self.free_object(capability.object);
        }
        if matches!(
            capability.object,
            Object::Endpoint(_) | Object::Notification(_) | Object::Channel(_) | Object::Reply(_)
        ) {
            self.peers_changed = true;
        }
    }

    /// The book-keeping of a removal.
    pub(super) fn note_removed(&mut self, removed: &Removed) {
        if let SpaceId::Domain(holder) = removed.slot.space {
            self.refund(holder, Resource::Capabilities, 1);
            #[cfg(test)]
            if self.broken == super::tests::Broken::RefundsTwice {
                self.refund(holder, Resource::Capabilities, 1);
            }
        }
        self.note_left(removed.slot, removed.capability, Successor::Heir(removed.heir));
    }

    /// A capability has left a slot.
    fn note_left(&mut self, slot: Slot, capability: Capability, successor: Successor) {
        let object = capability.object;
        self.holders.remove(&(object, slot));
        self.devices.ports_left(slot, &capability);
        self.stop_revoking(slot);
        self.unbind_faults_through(slot);
        self.unbind_thread_through(slot, capability);
        #[cfg(test)]
        if self.broken == super::tests::Broken::LogsNoRemoval {
            return;
        }
        self.record_left(slot, object, successor);
    }

    /// Tells of a capability that has left a slot.
    fn record_left(&mut self, slot: Slot, object: Object, successor: Successor) {
        let Some(holder) = self.holder_of(slot.space, object) else { return };
        let (moved_to, heir) = match successor {
            Successor::MovedTo(number) => (Some(number), None),
            Successor::Heir(heir) => (None, heir),
        };
        let (space, slot) = (slot.space, slot.number);
        let removed = EventKind::CapabilityRemoved { space, slot, object, moved_to, heir };
        self.record(holder, None, removed);
    }

    /// The domain whose event it is that something came into a space or left it, if it is one. What
    /// the host has is told of only where something is derived from it, and goes after all that;
    /// but a domain's end begins with the host's capability to it.
    fn holder_of(&self, space: SpaceId, object: Object) -> Option<DomainId> {
        match (space, object) {
            (SpaceId::Domain(domain), _) => Some(domain),
            (SpaceId::Thread(thread), _) => Some(self.thread(thread).domain),
            (SpaceId::Host, Object::Domain(domain) | Object::HostDomain(domain)) => Some(domain),
            (SpaceId::Host | SpaceId::Boot(_), _) => None,
        }
    }

    /// A capability has come into a slot.
    pub(super) fn note_added(&mut self, slot: Slot) {
        let Ok(capability) = self.capabilities.lookup(slot) else { return };
        self.devices.ports_added(slot, &capability);
        let object = capability.object;
        if matches!(
            object,
            Object::Endpoint(_) | Object::Notification(_) | Object::Channel(_) | Object::Lent(_)
        ) {
            if self.holders_of(object).any(|(_, other)| other.space != slot.space) {
                self.shared.insert(object);
            }
            self.holders.insert((object, slot));
        }
        self.note_place(slot);
        self.record_added(slot, capability);
    }

    /// Tells of a capability that has come into a slot of a domain or a thread.
    pub(super) fn record_added(&mut self, slot: Slot, capability: Capability) {
        let Capability { object, rights, badge, .. } = capability;
        let Some(holder) = self.holder_of(slot.space, object) else { return };
        let from = self.capabilities.parent(slot).ok().flatten();
        let space = Some(slot.space).filter(|&space| space != SpaceId::Domain(holder));
        let slot = slot.number;
        let added = EventKind::CapabilityAdded { space, slot, object, rights, badge, from };
        self.record(holder, None, added);
    }

    /// The last capability to an object is gone.
    fn free_object(&mut self, object: Object) {
        self.shared.remove(&object);
        match object {
            #[cfg(test)]
            Object::Page(_) if self.broken == super::tests::Broken::LeaksFrames => {}
            Object::Page(frame) => self.free_block(frame),
            Object::Lent(frame) => self.return_lent(frame),
            Object::Domain(domain) | Object::HostDomain(domain) => self.orphans.push_back(domain),
            Object::Endpoint(id) => self.endpoint_gone(id),
            Object::Notification(id) => {
                if let Some(bound) = self.notification_mut(id).bound {
                    self.thread_mut(bound).bound = None;
                }
                self.unbind_interrupts(id);
                self.notifications.remove(&id);
            }
            Object::Channel(id) => {
                if let Some(channel) = self.channels.remove(&id) {
                    self.free_block(channel.block);
                }
            }
            Object::Interrupt(line) => self.reset_line(line),
            Object::Ports(_) | Object::Reply(_) => {}
        }
        if let Some(owner) = self.object_owners.remove(&object) {
            self.refund(owner, Resource::Objects, 1);
        }
    }
}
