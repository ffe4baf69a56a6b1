//! Notifications: bits that anybody may add and somebody takes, without a message and without
//! waiting to send. A channel is memory with such a doorbell at each end.

use alloc::collections::VecDeque;

use super::Microkernel;
use super::hypercall::{Answer, Outcome, Request};
use crate::abi::{Hypercall, Received, Status, utcb};
use crate::address::Frame;
use crate::arch::Arch;
use crate::capability::{Capability, ChannelId, NotificationId, Object, Slot};
use crate::domain::{ThreadId, Wait};
use crate::event::EventKind;
use crate::rights::Rights;

/// Bits, and who waits for them.
#[derive(Clone, Debug, Default)]
pub(super) struct Notification {
    pub(super) bits: u64,
    pub(super) waiters: VecDeque<ThreadId>,
    /// The thread whose receiving it also ends.
    pub(super) bound: Option<ThreadId>,
    /// The capability that it was bound through.
    bound_through: Option<Slot>,
    /// An interrupt signals it, so that waiting for it is never in vain.
    pub(super) is_bound_to_device: bool,
}

/// Shared pages with two ends.
#[derive(Clone, Debug)]
pub(super) struct Channel {
    /// The block of its pages.
    pub(super) block: Frame,
    /// The doorbells at end 0, the creator's, and at end 1.
    pub(super) bells: [Notification; 2],
}

impl<A: Arch> Microkernel<A> {
    pub(super) fn notification_mut(&mut self, id: NotificationId) -> &mut Notification {
        self.notifications.get_mut(&id).expect("a notification lives while somebody waits for it")
    }

    pub(super) fn channel_mut(&mut self, id: ChannelId) -> &mut Channel {
        self.channels.get_mut(&id).expect("a channel lives while somebody waits for it")
    }

    pub(super) fn notification_create(&mut self, request: &Request) -> Answer {
        let slot = self.vacant_argument(request, 0)?;
        let id = NotificationId(self.next_object);
        self.new_object(request.domain, slot, Object::Notification(id), Rights::ALL)?;
        self.notifications.insert(id, Notification::default());
        Ok(Outcome::Done)
    }

    pub(super) fn channel_create(&mut self, request: &Request) -> Answer {
        let slot = self.vacant_argument(request, 0)?;
        let pages = super::blocks::pages_of_order(request.arguments[1])?;
        let block = self.new_block(request.domain, pages, 0).map_err(|_| Status::NoMemory)?;
        let id = ChannelId(self.next_object);
        if let Err(status) = self.new_object(request.domain, slot, Object::Channel(id), Rights::ALL)
        {
            self.free_block(block);
            return Err(status);
        }
        let bells = [Notification::default(), Notification::default()];
        self.channels.insert(id, Channel { block, bells });
        Ok(Outcome::Done)
    }

    pub(super) fn notification_signal(&mut self, request: &Request) -> Answer {
        let slot = self.slot_argument(request, 0)?;
        let capability = self.capabilities.expect(slot, Rights::WRITE)?;
        let bits = capability.badge.max(1);
        match capability.object {
            Object::Notification(id) => self.signal(id, bits),
            Object::Channel(id) => self.ring(id, 1 - side(capability.badge)),
            _ => return Err(Status::Invalid),
        }
        Ok(Outcome::Done)
    }

    /// Adds bits to a notification and hands them to whoever waits.
    pub(super) fn signal(&mut self, id: NotificationId, bits: u64) {
        let domain = self.cause.map_or(crate::domain::DomainId(0), |t| self.thread(t).domain);
        let object = Object::Notification(id);
        self.record(domain, None, EventKind::Signalled { object, side: None, bits });
        let notification = self.notification_mut(id);
        notification.bits |= bits;
        if let Some(&waiter) = notification.waiters.front() {
            let bits = core::mem::take(&mut notification.bits);
            self.write_words(waiter, 1, &[bits]);
            self.wake(waiter, Status::Ok);
        } else if let Some(bound) = notification.bound
            && matches!(
                self.thread(bound).waiting.as_ref().map(|waiting| &waiting.wait),
                Some(Wait::Receive { .. })
            )
        {
            self.take_bound_notification(bound);
            self.wake(bound, Status::Ok);
        }
    }

    fn ring(&mut self, id: ChannelId, side: usize) {
        let domain = self.cause.map_or(crate::domain::DomainId(0), |t| self.thread(t).domain);
        let signalled =
            EventKind::Signalled { object: Object::Channel(id), side: Some(side), bits: 1 };
        self.record(domain, None, signalled);
        let bell = &mut self.channel_mut(id).bells[side];
        bell.bits |= 1;
        if let Some(&waiter) = bell.waiters.front() {
            let bits = core::mem::take(&mut bell.bits);
            self.write_words(waiter, 1, &[bits]);
            self.wake(waiter, Status::Ok);
        }
    }

    pub(super) fn notification_wait(&mut self, request: &mut Request) -> Answer {
        let slot = self.slot_argument(request, 0)?;
        let capability = self.capabilities.expect(slot, Rights::READ)?;
        let (bits, wait) = match capability.object {
            Object::Notification(notification) => {
                let bits = &mut self.notification_mut(notification).bits;
                (core::mem::take(bits), Wait::Notification { notification })
            }
            Object::Channel(channel) => {
                let side = side(capability.badge);
                let bits = &mut self.channel_mut(channel).bells[side].bits;
                (core::mem::take(bits), Wait::Doorbell { channel, side })
            }
            _ => return Err(Status::Invalid),
        };
        if bits != 0 {
            request.results.push(bits);
            return Ok(Outcome::Done);
        }
        if request.call == Hypercall::NotificationPoll {
            return Err(Status::WouldBlock);
        }
        let (call, timeout) = (Some(request.call), request.arguments[1]);
        Ok(self.block(request.thread, call, wait, Some(slot), timeout))
    }

    pub(super) fn notification_bind(&mut self, request: &Request) -> Answer {
        let thread = request.thread;
        if request.arguments[0] == 0 {
            self.unbind(thread);
            return Ok(Outcome::Done);
        }
        let slot = self.slot_argument(request, 0)?;
        let id = self.capabilities.notification(slot, Rights::READ)?;
        if self.notification_mut(id).bound.is_some() {
            return Err(Status::Exists);
        }
        self.unbind(thread);
        let notification = self.notification_mut(id);
        (notification.bound, notification.bound_through) = (Some(thread), Some(slot));
        self.thread_mut(thread).bound = Some(id);
        Ok(Outcome::Done)
    }

    /// A thread's receiving is no longer ended by a notification.
    pub(super) fn unbind(&mut self, thread: ThreadId) {
        if let Some(id) = self.thread_mut(thread).bound.take()
            && let Some(notification) = self.notifications.get_mut(&id)
        {
            (notification.bound, notification.bound_through) = (None, None);
        }
    }

    /// A capability has left a slot, and with it the binding that was made through it: what it
    /// allowed to read is not read any more.
    pub(super) fn unbind_thread_through(&mut self, slot: Slot, capability: Capability) {
        if let Object::Notification(id) = capability.object
            && let Some(notification) = self.notifications.get(&id)
            && notification.bound_through == Some(slot)
            && let Some(thread) = notification.bound
        {
            self.unbind(thread);
            self.peers_changed = true;
        }
    }

    /// If the thread's bound notification has bits, they become what it receives.
    pub(super) fn take_bound_notification(&mut self, thread: ThreadId) -> bool {
        let Some(id) = self.thread(thread).bound else { return false };
        let bits = core::mem::take(&mut self.notification_mut(id).bits);
        if bits == 0 {
            return false;
        }
        let words = [bits, 0, 0, Received::Notification as u64];
        let bytes: alloc::vec::Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let frame = self.thread(thread).utcb;
        self.arch.frame_write(frame, utcb::BADGE, &bytes);
        true
    }
}

/// The end of a channel that a badge means.
const fn side(badge: u64) -> usize {
    if badge == 1 { 1 } else { 0 }
}
