//! Rules of the microkernel that a test can have broken, each in one line of the microkernel's own
//! code: to show that the tests would notice.

use alloc::vec::Vec;

use super::super::Microkernel;
use super::super::ipc::call_slot;
use crate::arch::Arch;
use crate::capability::{Slot, SpaceId};
use crate::domain::ThreadId;

/// What is broken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(in crate::microkernel) enum Broken {
    #[default]
    Nothing,
    /// A revoke goes one generation deep: what was derived from the removed stays.
    KeepsGrandchildren,
    /// A revoke takes its root along.
    RevokesSelf,
    /// A revoke that goes on takes what is in the slot by now for what it was called for.
    RevokesNewOccupant,
    /// What was mapped under a removed capability stays mapped.
    KeepsMapping,
    /// Whoever waited through a removed capability goes on waiting.
    KeepsWaiting,
    /// A thread that is killed stays in the queue it waited in.
    LeavesStaleWaiter,
    /// A right to answer is not used up.
    AnswersTwice,
    /// When a caller gives up, its place is taken by the call before.
    AnswersAnother,
    /// Nobody is told that his peer is gone.
    ForgetsPeers,
    /// A removed capability is given back to its account twice.
    RefundsTwice,
    /// A page that nobody names stays in use.
    LeaksFrames,
    /// A removal is not logged.
    LogsNoRemoval,
}

impl<A: Arch> Microkernel<A> {
    /// A revoke as it is broken. Says whether it is.
    pub(in crate::microkernel) fn break_revoke(&mut self, slot: Slot) -> bool {
        match self.broken {
            Broken::KeepsGrandchildren => {}
            Broken::RevokesSelf => {
                let (removed, _) = self.capabilities.revoke(slot, usize::MAX).unwrap_or_default();
                removed.into_iter().for_each(|removed| self.settle(removed));
            }
            _ => return false,
        }
        let below: Vec<_> = match self.broken {
            Broken::RevokesSelf => alloc::vec![slot],
            _ => self.children(slot),
        };
        for slot in below {
            if let Ok(removed) = self.capabilities.delete(slot) {
                self.settle(removed);
            }
        }
        true
    }

    fn children(&self, slot: Slot) -> Vec<Slot> {
        self.capabilities.children(slot).map(Iterator::collect).unwrap_or_default()
    }

    /// Called before a thread's wait ends because its time is up.
    pub(in crate::microkernel) fn break_expiry(&mut self, thread: ThreadId) {
        if self.broken != Broken::AnswersAnother {
            return;
        }
        for slot in self.children(call_slot(thread)) {
            if let SpaceId::Thread(holder) = slot.space {
                self.thread_mut(holder).replies -= 1;
            }
        }
    }

    /// Called when a thread ends.
    pub(in crate::microkernel) fn break_end(&mut self, thread: ThreadId) {
        if self.broken != Broken::LeavesStaleWaiter {
            return;
        }
        if let Some(waiting) = self.thread_mut(thread).waiting.take() {
            if let Some(deadline) = waiting.deadline {
                self.deadlines.remove(&(deadline, thread));
            }
            if let Some(slot) = waiting.through {
                self.waiting_through.remove(&(slot, thread));
            }
        }
    }
}
