//! Waiting: threads that block, what wakes them, and time.
//!
//! Time is counted in ticks, and each exit that the microkernel handles is one. When nothing can
//! run, time goes on to the next moment at which something can. So it is the same on every host.
//!
//! A thread that waits is in at most one queue (an endpoint's, a notification's), has at most one
//! deadline, and waits through at most one capability; [`Microkernel::stop_waiting`] takes it out
//! of all of them, so that no stale waiter is left wherever a wait ends.

use super::Microkernel;
use super::hypercall::{Answer, Outcome, Request};
use crate::abi::{Hypercall, Status};
use crate::arch::Arch;
use crate::capability::{EndpointId, NotificationId, Object, Slot, SpaceId};
use crate::domain::{DomainId, DomainState, Thread, ThreadId, ThreadState, Wait, Waiting};
use crate::event::EventKind;
use crate::exit::{End, KillReason};
use crate::rights::Rights;

/// A limit of so many ticks, or more, is none.
const FOREVER: u64 = 1 << 48;

impl<A: Arch> Microkernel<A> {
    /// Blocks the caller of a hypercall.
    pub(super) fn block(
        &mut self,
        thread: ThreadId,
        call: Option<Hypercall>,
        wait: Wait,
        through: Option<Slot>,
        timeout: u64,
    ) -> Outcome {
        let limited = timeout != 0 && timeout < FOREVER;
        let deadline = limited.then(|| self.now.saturating_add(timeout));
        self.wait(thread, Waiting { call, wait, through, deadline });
        // Somebody was there to end this wait, and is gone. Where nobody has been yet, somebody may
        // still come.
        if self.has_been_shared(thread) && self.is_hopeless(thread) {
            self.wake(thread, Status::PeerDied);
        }
        Outcome::Waits
    }

    fn wait(&mut self, thread: ThreadId, waiting: Waiting) {
        match waiting.wait {
            Wait::Send { endpoint, .. } | Wait::FaultSend { endpoint, .. } => {
                self.endpoint_mut(endpoint).senders.push_back(thread);
            }
            Wait::Receive { endpoint } => self.endpoint_mut(endpoint).receivers.push_back(thread),
            Wait::Notification { notification } => {
                self.notification_mut(notification).waiters.push_back(thread);
            }
            Wait::Doorbell { channel, side } => {
                self.channel_mut(channel).bells[side].waiters.push_back(thread);
            }
            Wait::Reply | Wait::FaultReply { .. } | Wait::Sleep => {}
        }
        if let Some(deadline) = waiting.deadline {
            self.deadlines.insert((deadline, thread));
        }
        if let Some(slot) = waiting.through {
            self.waiting_through.insert((slot, thread));
        }
        self.ready.retain(|&other| other != thread);
        let state = self.thread_mut(thread);
        state.state = ThreadState::Blocked;
        state.waiting = Some(waiting);
    }

    /// A thread whose message was received goes on waiting, now for the answer. Its limit of time
    /// stays; the capability it called through has served its purpose.
    pub(super) fn wait_for_answer(&mut self, thread: ThreadId, wait: Wait) {
        let waiting = self.stop_waiting(thread).expect("its message was just taken");
        self.wait(thread, Waiting { wait, through: None, ..waiting });
    }

    /// Takes a thread out of whatever it waits in. It is still blocked, or dead.
    pub(super) fn stop_waiting(&mut self, thread: ThreadId) -> Option<Waiting> {
        let waiting = self.thread_mut(thread).waiting.take()?;
        let others = |queue: &mut alloc::collections::VecDeque<ThreadId>| {
            queue.retain(|&other| other != thread);
        };
        match waiting.wait {
            Wait::Send { endpoint, .. } | Wait::FaultSend { endpoint, .. } => {
                others(&mut self.endpoint_mut(endpoint).senders);
            }
            Wait::Receive { endpoint } => others(&mut self.endpoint_mut(endpoint).receivers),
            Wait::Notification { notification } => {
                others(&mut self.notification_mut(notification).waiters);
            }
            Wait::Doorbell { channel, side } => {
                others(&mut self.channel_mut(channel).bells[side].waiters);
            }
            Wait::Reply | Wait::FaultReply { .. } | Wait::Sleep => {}
        }
        if let Some(deadline) = waiting.deadline {
            self.deadlines.remove(&(deadline, thread));
        }
        if let Some(slot) = waiting.through {
            self.waiting_through.remove(&(slot, thread));
        }
        Some(waiting)
    }

    /// Ends a thread's wait: it learns the status and is ready, or suspended if somebody suspended
    /// it meanwhile. A thread whose fault nobody will answer ends with the fault.
    pub(super) fn wake(&mut self, thread: ThreadId, status: Status) {
        let Some(waiting) = self.stop_waiting(thread) else { return };
        match waiting.wait {
            #[cfg(test)]
            Wait::Reply if self.broken == super::tests::Broken::AnswersTwice => {}
            Wait::Reply => self.forget_call(thread),
            Wait::FaultReply { .. } | Wait::FaultSend { .. } => self.forget_call(thread),
            _ => {}
        }
        if let Wait::FaultSend { reason, .. } | Wait::FaultReply { reason } = waiting.wait
            && status != Status::Ok
        {
            self.make_ready(thread);
            self.end(thread, End::Killed(reason));
            return;
        }
        if let Some(call) = waiting.call {
            self.complete(thread, call, status);
        }
        self.make_ready(thread);
    }

    /// Tells a thread how a hypercall ended that took longer.
    pub(super) fn complete(&mut self, thread: ThreadId, call: Hypercall, status: Status) {
        self.write_status(thread, status);
        let domain = self.thread(thread).domain;
        let cause = self.cause.take();
        self.record(domain, Some(thread), EventKind::Completed { call, status });
        self.cause = cause;
    }

    pub(super) fn make_ready(&mut self, thread: ThreadId) {
        let state = self.thread_mut(thread);
        if state.paused {
            state.state = ThreadState::Suspended;
        } else {
            state.state = ThreadState::Ready;
            self.ready.push_back(thread);
        }
    }

    /// A capability has left its slot: whoever waited through it is told so.
    pub(super) fn cancel_waits_through(&mut self, slot: Slot) {
        #[cfg(test)]
        if self.broken == super::tests::Broken::KeepsWaiting {
            return;
        }
        let from = (slot, ThreadId(0));
        let to = (slot, ThreadId(u32::MAX));
        while let Some(&(_, thread)) = self.waiting_through.range(from..=to).next() {
            self.wake(thread, Status::Cancelled);
        }
    }

    /// Ends the waits of threads that only somebody could end who is gone, if anybody has gone since
    /// the last time. It looks at blocked threads only.
    pub(super) fn end_hopeless_waits(&mut self) {
        #[cfg(test)]
        if self.broken == super::tests::Broken::ForgetsPeers {
            return;
        }
        if !core::mem::take(&mut self.peers_changed) {
            return;
        }
        let blocked: alloc::vec::Vec<_> = self.blocked().collect();
        for thread in blocked {
            if self.is_hopeless(thread) {
                self.wake(thread, Status::PeerDied);
            }
        }
    }

    /// Every blocked thread, in the order of their numbers.
    pub(super) fn blocked(&self) -> impl Iterator<Item = ThreadId> {
        let blocked = |&thread: &ThreadId| self.thread(thread).state == ThreadState::Blocked;
        self.live.iter().copied().filter(blocked)
    }

    /// Whether nobody is left who could end the thread's wait.
    pub(super) fn is_hopeless(&self, thread: ThreadId) -> bool {
        let Some(waiting) = &self.thread(thread).waiting else { return false };
        match waiting.wait {
            Wait::Reply | Wait::FaultReply { .. } => return !self.is_reply_held(thread),
            Wait::Receive { endpoint } => {
                if self.can_fault_to(endpoint, thread) {
                    return false;
                }
                if let Some(bound) = self.thread(thread).bound
                    && !self.is_silent(bound, thread)
                {
                    return false;
                }
            }
            Wait::Notification { notification } => return self.is_silent(notification, thread),
            _ => {}
        }
        self.awaited(thread).is_some_and(|awaited| !self.could_somebody(awaited, thread))
    }

    /// Whether nobody is left who could signal a notification to a thread.
    fn is_silent(&self, id: NotificationId, thread: ThreadId) -> bool {
        let by_device = self.notifications.get(&id).is_some_and(|n| n.is_bound_to_device);
        !by_device && !self.could_somebody((Object::Notification(id), Rights::WRITE, None), thread)
    }

    /// The object that a thread waits for, the right that ends its wait, and for a channel the side
    /// that has to have it.
    fn awaited(&self, thread: ThreadId) -> Option<(Object, Rights, Option<u64>)> {
        Some(match self.thread(thread).waiting.as_ref()?.wait {
            Wait::Send { endpoint, .. } | Wait::FaultSend { endpoint, .. } => {
                (Object::Endpoint(endpoint), Rights::READ, None)
            }
            Wait::Receive { endpoint } => (Object::Endpoint(endpoint), Rights::WRITE, None),
            Wait::Notification { notification } => {
                (Object::Notification(notification), Rights::WRITE, None)
            }
            Wait::Doorbell { channel, side } => {
                (Object::Channel(channel), Rights::WRITE, Some(1 - side as u64))
            }
            Wait::Reply | Wait::FaultReply { .. } | Wait::Sleep => return None,
        })
    }

    /// Whether the object that a thread waits for was ever held by two domains.
    fn has_been_shared(&self, thread: ThreadId) -> bool {
        self.awaited(thread).is_some_and(|(object, ..)| self.shared.contains(&object))
    }

    /// Whether anybody else who can still act holds a right to an object.
    fn could_somebody(
        &self,
        (object, needed, side): (Object, Rights, Option<u64>),
        thread: ThreadId,
    ) -> bool {
        let own = self.thread(thread).domain;
        let could = |&(_, slot): &(Object, Slot)| {
            let Ok(capability) = self.capabilities.lookup(slot) else { return false };
            let SpaceId::Domain(holder) = slot.space else { return false };
            capability.rights.contains(needed)
                && side.is_none_or(|side| u64::from(capability.badge == 1) == side)
                && self.has_other_live_thread(holder, own, thread)
        };
        self.holders_of(object).any(could)
    }

    /// Every domain's capability to an endpoint, a notification or a channel.
    pub(super) fn holders_of(&self, object: Object) -> impl Iterator<Item = &(Object, Slot)> {
        let first = Slot { space: SpaceId::Host, number: 0 };
        self.holders.range((object, first)..).take_while(move |held| held.0 == object)
    }

    /// Whether faults of threads other than this one would be sent to the endpoint.
    fn can_fault_to(&self, endpoint: EndpointId, thread: ThreadId) -> bool {
        let own = self.thread(thread).domain;
        self.fault_bindings.iter().any(|&(_, domain)| {
            let handler = self.domains[&domain].fault_handler.as_ref();
            handler.is_some_and(|handler| handler.endpoint == endpoint)
                && self.has_other_live_thread(domain, own, thread)
        })
    }

    /// Whether `holder` has a thread, other than `thread` of domain `own`, that could still act.
    fn has_other_live_thread(&self, holder: DomainId, own: DomainId, thread: ThreadId) -> bool {
        let Some(domain) = self.domains.get(&holder) else { return false };
        match domain.state {
            DomainState::Dead => false,
            // Somebody may still start it.
            DomainState::Embryo | DomainState::Configured => holder != own,
            DomainState::Running => domain
                .threads
                .iter()
                .any(|&other| other != thread && self.thread(other).state != ThreadState::Dead),
        }
    }

    /// Ends every wait whose time is up.
    pub(super) fn expire(&mut self) {
        while let Some(&(deadline, thread)) = self.deadlines.first() {
            if deadline > self.now {
                break;
            }
            #[cfg(test)]
            self.break_expiry(thread);
            let slept =
                matches!(self.thread(thread).waiting, Some(Waiting { wait: Wait::Sleep, .. }));
            self.wake(thread, if slept { Status::Ok } else { Status::TimedOut });
        }
        self.run_devices();
    }

    /// With nothing ready, lets time go on to the next moment at which something happens. Says
    /// whether there is one.
    pub(super) fn advance_time(&mut self) -> bool {
        let deadline = self.deadlines.first().map(|&(deadline, _)| deadline);
        let next = deadline.into_iter().chain(self.next_device_event()).min();
        // A device that goes on for ever helps nobody if nobody waits for it.
        let Some(next) = next.filter(|_| self.blocked().next().is_some()) else { return false };
        self.now = self.now.max(next);
        let domain = DomainId(0);
        self.record(domain, None, EventKind::TimeAdvanced { to: self.now });
        self.expire();
        true
    }

    /// At the end of a run: threads that still wait, or are suspended in the middle of what they do,
    /// will be so for ever.
    pub(super) fn end_stuck_threads(&mut self) {
        let stuck = |&thread: &ThreadId| {
            let Thread { state, started, .. } = self.thread(thread);
            *state == ThreadState::Blocked || (*state == ThreadState::Suspended && *started)
        };
        let stuck: alloc::vec::Vec<_> = self.live.iter().copied().filter(stuck).collect();
        for thread in stuck {
            let waiting = self.thread(thread).waiting.as_ref().map(|waiting| &waiting.wait);
            let reason = match waiting {
                Some(Wait::FaultSend { reason, .. } | Wait::FaultReply { reason }) => {
                    reason.clone()
                }
                _ => KillReason::Stuck,
            };
            self.end(thread, End::Killed(reason));
        }
    }

    pub(super) fn sleep(&mut self, request: &Request) -> Answer {
        match request.arguments[0] {
            0 => Ok(Outcome::Done),
            ticks => {
                let call = Some(request.call);
                Ok(self.block(request.thread, call, Wait::Sleep, None, ticks))
            }
        }
    }
}
