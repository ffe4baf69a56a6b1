//! Synchronous messages: send, receive, call, reply.
//!
//! Two threads meet at an endpoint; whoever comes first waits, first come first served. A message
//! is the eight message registers, copied when the two meet, and up to eight capabilities: where
//! both sides name a slot in the same capability register, the receiver gets a copy.
//!
//! **Replies.** Every thread has a space of its own ([`SpaceId::Thread`]) that only the microkernel
//! uses. Number 1 in it is the right to answer the thread. When a call is received, a child of
//! that capability goes to the receiver's own space, above those of calls it has not answered yet:
//! the receiver's slot 2 is the topmost. To answer is to revoke: whatever became of the child, it
//! is gone afterwards, so a call is answered once. A caller that dies, or gives up, revokes as well
//! and leaves an empty place behind, so that a later reply cannot go to somebody else. And when the
//! child goes any other way, nobody can answer any more, and the caller learns that.

use super::Microkernel;
use super::hypercall::{Answer, Outcome, Request};
use crate::abi::{Hypercall, Received, Resource, Status, utcb};
use crate::arch::Arch;
use crate::capability::{Capability, EndpointId, Object, Slot, SpaceId};
use crate::domain::{FaultHandler, ThreadId, ThreadState, Wait};
use crate::event::EventKind;
use crate::rights::Rights;
use alloc::collections::VecDeque;

/// Calls that a thread can have received and not answered. They fit the lowest table of its space.
pub(super) const REPLIES_MAX: u32 = 29;

/// Where two threads meet.
#[derive(Clone, Debug, Default)]
pub(super) struct Endpoint {
    pub(super) senders: VecDeque<ThreadId>,
    pub(super) receivers: VecDeque<ThreadId>,
}

/// What a send is allowed to do: from the capability it goes through.
#[derive(Clone, Copy)]
struct Sending {
    badge: u64,
    can_grant: bool,
    received: Received,
}

impl<A: Arch> Microkernel<A> {
    pub(super) fn endpoint_mut(&mut self, endpoint: EndpointId) -> &mut Endpoint {
        self.endpoints.get_mut(&endpoint).expect("an endpoint lives while somebody waits at it")
    }

    pub(super) fn endpoint_create(&mut self, request: &Request) -> Answer {
        let slot = self.vacant_argument(request, 0)?;
        let endpoint = EndpointId(self.next_object);
        self.new_object(request.domain, slot, Object::Endpoint(endpoint), Rights::ALL)?;
        self.endpoints.insert(endpoint, Endpoint::default());
        Ok(Outcome::Done)
    }

    /// Puts the first capability of a new object, which is on the domain's account, into a vacant
    /// slot.
    pub(super) fn new_object(
        &mut self,
        account: crate::domain::DomainId,
        slot: Slot,
        object: Object,
        rights: Rights,
    ) -> Result<(), Status> {
        self.charge(account, Resource::Objects, 1)?;
        if let Err(error) = self.add_root(slot, object, rights) {
            self.refund(account, Resource::Objects, 1);
            return Err(error);
        }
        self.object_owners.insert(object, account);
        self.next_object += 1;
        Ok(())
    }

    pub(super) fn sync_send(&mut self, request: &mut Request) -> Answer {
        let slot = self.slot_argument(request, 0)?;
        let is_call = request.call == Hypercall::SyncCall;
        if !is_call
            && let Ok(Capability { object: Object::Reply(_), .. }) = self.capabilities.lookup(slot)
        {
            return self.reply_through(request.thread, slot);
        }
        let endpoint = self.capabilities.endpoint(slot, Rights::WRITE)?;
        let capability = self.capabilities.lookup(slot)?;
        let can_grant = capability.rights.contains(Rights::GRANT);
        if is_call && !can_grant && !capability.rights.contains(Rights::CALL) {
            return Err(Status::NotPermitted);
        }
        let received = if is_call { Received::Call } else { Received::Message };
        let sending = Sending { badge: capability.badge, can_grant, received };
        let wait = Wait::Send { endpoint, badge: capability.badge, can_grant, is_call };
        let (thread, timeout) = (request.thread, request.arguments[1]);
        let Some(&receiver) = self.endpoint_mut(endpoint).receivers.front() else {
            if request.call == Hypercall::SyncPollSend {
                return Err(Status::WouldBlock);
            }
            return Ok(self.block(thread, Some(request.call), wait, Some(slot), timeout));
        };
        self.deliver(thread, receiver, sending, None);
        self.wake(receiver, Status::Ok);
        if is_call {
            return Ok(self.block(thread, Some(request.call), Wait::Reply, None, timeout));
        }
        Ok(Outcome::Done)
    }

    pub(super) fn sync_receive(&mut self, request: &mut Request) -> Answer {
        let slot = self.slot_argument(request, 0)?;
        let endpoint = self.capabilities.endpoint(slot, Rights::READ)?;
        let thread = request.thread;
        if self.thread(thread).replies >= REPLIES_MAX {
            return Err(Status::NoMemory);
        }
        if self.take_bound_notification(thread) {
            return Ok(Outcome::Done);
        }
        let can_answer_with = self.capabilities.lookup(slot)?.rights;
        self.thread_mut(thread).reply_rights = Rights::WRITE | can_answer_with & Rights::GRANT;
        let Some(&sender) = self.endpoint_mut(endpoint).senders.front() else {
            if request.call == Hypercall::SyncPollReceive {
                return Err(Status::WouldBlock);
            }
            let (call, timeout) = (Some(request.call), request.arguments[1]);
            let wait = Wait::Receive { endpoint };
            return Ok(self.block(thread, call, wait, Some(slot), timeout));
        };
        self.take_from(sender, thread);
        Ok(Outcome::Done)
    }

    /// Receives from a thread that waits to send.
    fn take_from(&mut self, sender: ThreadId, receiver: ThreadId) {
        let wait = self.thread(sender).waiting.as_ref().map(|waiting| waiting.wait.clone());
        match wait {
            Some(Wait::Send { badge, can_grant, is_call, .. }) => {
                let received = if is_call { Received::Call } else { Received::Message };
                self.deliver(sender, receiver, Sending { badge, can_grant, received }, None);
                if is_call {
                    self.wait_for_answer(sender, Wait::Reply);
                } else {
                    self.wake(sender, Status::Ok);
                }
            }
            Some(Wait::FaultSend { badge, words, reason, .. }) => {
                self.deliver_fault(sender, receiver, badge, words);
                self.wait_for_answer(sender, Wait::FaultReply { reason });
            }
            _ => unreachable!("only senders are in a queue of senders"),
        }
    }

    /// Copies a message and its capabilities from one thread to another, and for a call the right
    /// to answer. `words` replaces what is in the sender's message registers.
    fn deliver(
        &mut self,
        sender: ThreadId,
        receiver: ThreadId,
        sending: Sending,
        words: Option<[u64; utcb::REGISTERS]>,
    ) {
        let Sending { badge, can_grant, received } = sending;
        let (from, to) = (self.thread(sender).utcb, self.thread(receiver).utcb);
        let own = words.is_none();
        let words = words.unwrap_or_else(|| {
            let mut words = [0; utcb::REGISTERS];
            self.read_words(from, utcb::MESSAGE, &mut words);
            words
        });
        // The message is in the log before what it brings along.
        let at = self.events.len();
        let domain = self.thread(sender).domain;
        let (arrived, failed) = (0, 0);
        let message = EventKind::Message { to: receiver, badge, received, words, arrived, failed };
        self.record(domain, Some(sender), message);
        let (got, lost) =
            if own { self.pass_capabilities(sender, receiver, can_grant) } else { (0, 0) };
        if let EventKind::Message { arrived, failed, .. } = self.events.kind_mut(at) {
            (*arrived, *failed) = (got, lost);
        }
        self.write_words(receiver, 0, &words);
        let outcome = [badge, got, lost, received as u64];
        let bytes: alloc::vec::Vec<u8> =
            outcome.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.arch.frame_write(to, utcb::BADGE, &bytes);
        if own {
            // The sender learns which of its capabilities went through.
            self.arch.frame_write(from, utcb::ARRIVED, &bytes[8..24]);
        }
        if matches!(received, Received::Call | Received::Fault) {
            self.give_reply(sender, receiver);
        }
    }

    /// Copies capabilities where both sides name a slot. Returns which arrived and which failed,
    /// a bit for each register.
    fn pass_capabilities(
        &mut self,
        sender: ThreadId,
        receiver: ThreadId,
        can_grant: bool,
    ) -> (u64, u64) {
        let mut named = [[0; utcb::REGISTERS]; 2];
        for (thread, slots) in [sender, receiver].into_iter().zip(&mut named) {
            self.read_words(self.thread(thread).utcb, utcb::CAPABILITY, slots);
        }
        let [from, to] = named;
        let spaces = [sender, receiver].map(|t| SpaceId::Domain(self.thread(t).domain));
        let (mut arrived, mut failed) = (0, 0);
        for (i, (&from, &to)) in from.iter().zip(&to).enumerate() {
            if from == 0 || to == 0 {
                continue;
            }
            let from = Slot { space: spaces[0], number: from };
            let to = Slot { space: spaces[1], number: to };
            let passed = can_grant && self.pass_capability(from, to, Rights::ALL, None).is_ok();
            *if passed { &mut arrived } else { &mut failed } |= 1 << i;
        }
        (arrived, failed)
    }

    /// Gives the receiver of a call the right to answer it.
    fn give_reply(&mut self, caller: ThreadId, receiver: ThreadId) {
        let root = call_slot(caller);
        if self.capabilities.vacant(root).is_ok() {
            let rights = Rights::WRITE | Rights::GRANT;
            let object = Object::Reply(caller);
            self.capabilities.insert(root, object, rights).expect("the slot is vacant");
        }
        let state = self.thread_mut(receiver);
        state.replies += 1;
        let rights = state.reply_rights;
        let to = self.reply_slot(receiver);
        // An earlier call that was given up has left this place empty.
        let copied = self.capabilities.copy(root, to, rights, None);
        self.record_added(to, copied.expect("a receiver has room for a reply"));
    }

    /// Slot 2 of a thread: the right to answer the call it received last.
    pub(super) fn reply_slot(&self, thread: ThreadId) -> Slot {
        let depth = self.thread(thread).replies.max(1);
        Slot { space: SpaceId::Thread(thread), number: 1 + u64::from(depth) }
    }

    pub(super) fn sync_reply(&mut self, request: &Request) -> Answer {
        let thread = request.thread;
        if self.thread(thread).replies == 0 {
            return Err(Status::NotFound);
        }
        let slot = self.reply_slot(thread);
        let answer = self.reply_through(thread, slot);
        // Answered or in vain: the next reply is for the call before.
        self.thread_mut(thread).replies -= 1;
        answer
    }

    /// Answers a call through the right to do so, wherever it is kept.
    fn reply_through(&mut self, thread: ThreadId, slot: Slot) -> Answer {
        let Ok(capability) = self.capabilities.lookup(slot) else { return Err(Status::PeerDied) };
        let caller = self.capabilities.reply(slot, Rights::WRITE)?;
        let can_grant = capability.rights.contains(Rights::GRANT);
        let wait = self.thread(caller).waiting.as_ref().map(|waiting| waiting.wait.clone());
        match wait {
            Some(Wait::Reply) => {
                let sending = Sending { badge: 0, can_grant, received: Received::Message };
                self.deliver(thread, caller, sending, None);
                self.wake(caller, Status::Ok);
            }
            Some(Wait::FaultReply { .. }) => {
                let mut decision = [0];
                self.read_words(self.thread(thread).utcb, utcb::MESSAGE, &mut decision);
                let status = if decision[0] == 0 { Status::Ok } else { Status::Cancelled };
                self.wake(caller, status);
            }
            _ => unreachable!("a right to answer exists only while somebody waits for it"),
        }
        Ok(Outcome::Done)
    }

    /// Nobody can answer the thread's call from now on.
    pub(super) fn forget_call(&mut self, caller: ThreadId) {
        let root = call_slot(caller);
        while let Ok((removed, done)) = self.capabilities.revoke(root, usize::MAX) {
            for removed in removed {
                self.note_removed(&removed);
            }
            if done {
                break;
            }
        }
    }

    /// Whether somebody who can still act holds the right to answer the thread.
    pub(super) fn is_reply_held(&self, caller: ThreadId) -> bool {
        let Ok(mut held) = self.capabilities.children(call_slot(caller)) else { return false };
        held.any(|slot| match slot.space {
            SpaceId::Thread(thread) => self.thread(thread).state != ThreadState::Dead,
            SpaceId::Domain(domain) => self.is_live_domain(domain),
            _ => false,
        })
    }

    pub(super) fn endpoint_cancel(&mut self, request: &Request) -> Answer {
        let slot = self.slot_argument(request, 0)?;
        let endpoint = self.capabilities.endpoint(slot, Rights::READ | Rights::WRITE)?;
        let badge = request.arguments[1];
        let senders: alloc::vec::Vec<_> =
            self.endpoint_mut(endpoint).senders.iter().copied().collect();
        for sender in senders {
            let waiting = self.thread(sender).waiting.as_ref();
            if waiting.is_some_and(|w| matches!(w.wait, Wait::Send { badge: b, .. } if b == badge))
            {
                self.wake(sender, Status::Cancelled);
            }
        }
        Ok(Outcome::Done)
    }

    /// The last capability to an endpoint is gone, and whoever waited through one has been told.
    pub(super) fn endpoint_gone(&mut self, id: EndpointId) {
        self.endpoints.remove(&id);
    }

    /// Hands a thread's fault to whoever receives at the endpoint, or queues it there.
    pub(super) fn send_fault(
        &mut self,
        thread: ThreadId,
        handler: FaultHandler,
        words: [u64; utcb::REGISTERS],
        reason: crate::exit::KillReason,
    ) {
        let FaultHandler { endpoint, through, badge } = handler;
        match self.endpoint_mut(endpoint).receivers.front().copied() {
            Some(receiver) => {
                self.deliver_fault(thread, receiver, badge, words);
                self.wake(receiver, Status::Ok);
                self.block(thread, None, Wait::FaultReply { reason }, None, 0);
            }
            None => {
                let wait = Wait::FaultSend { endpoint, badge, words, reason };
                self.block(thread, None, wait, Some(through), 0);
            }
        }
    }

    fn deliver_fault(
        &mut self,
        thread: ThreadId,
        receiver: ThreadId,
        badge: u64,
        words: [u64; utcb::REGISTERS],
    ) {
        let sending = Sending { badge, can_grant: false, received: Received::Fault };
        self.deliver(thread, receiver, sending, Some(words));
    }
}

/// Where the right to answer a thread begins.
pub(super) const fn call_slot(thread: ThreadId) -> Slot {
    Slot { space: SpaceId::Thread(thread), number: 1 }
}
