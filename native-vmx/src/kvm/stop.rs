//! The words by which host threads stop a virtual processor that another one runs.
//!
//! This file is also compiled into `tests/interleavings.rs`, with atomics that are checked in
//! every order: `super::sync` says which.
//!
//! # The race, and why it is not lost
//!
//! - `asked`: somebody wants the processor to stop, and why. This is the truth. A *kick* is a
//!   bit, which whoever runs answers once. *Claims* are a number: that many host threads wait
//!   for the processor itself, and each takes its own back when it has it.
//! - the exit byte, in the run page: makes the *next* `KVM_RUN` return (api.rst, section 5).
//!   The kernel reads it on the way in, once.
//! - `runner`: the host thread that is about to be, or is, inside `KVM_RUN`; 0 if none. Only
//!   one can be: it holds the processor's lock, or the machine itself.
//!
//! ```text
//! kick, claim                  run
//! K1 asked |= why              R1 runner = me
//!    fence F1                  R2 exit byte = 0   <----------.
//! K2 exit byte = 1                fence F2                   |
//! K3 if runner != 0            R3 if asked: leave            |
//!       signal that thread     R4 KVM_RUN; if interrupted, --'
//!                              R5 runner = 0
//! ```
//!
//! The fences are `SeqCst`, so they have an order. Take somebody who asks, and the last F2
//! before the guest is entered:
//!
//! - *F1 is before F2.* Then R3 sees K1, and the guest is not entered.
//! - *F2 is before F1.* Then K3 sees the runner of R1 and signals it, and K2 comes after R2. A
//!   signal that arrives inside `KVM_RUN` ends it, or keeps it from entering the guest: the
//!   kernel looks for signals after it has read the byte, and until the guest is entered with
//!   interrupts off. One that arrives before `KVM_RUN` is gone when its handler has done
//!   nothing; but K2 came before it, so the kernel finds the byte set, and returns. Either
//!   way the loop comes to R2 and R3, which sees K1: it came before the signal.
//! - *R3 or R4 said something else first.* `asked` stays, and the next run's R3 sees it.
//!
//! A kick is answered once: its bit is taken when the loop leaves for it. A K2 or K3 that
//! comes after its K1 was answered costs one more turn of the loop, or an interrupted system
//! call of the same thread later; the exit byte alone is never taken for a kick.
//!
//! # Claims
//!
//! Who wants the processor itself (to read registers, or to take it away) claims it and then
//! waits for its lock. The count stays up until the lock is held: a runner that comes back
//! for another run before the waiter has woken leaves again at R3, so it cannot keep the
//! processor from the waiter for longer than one turn.
//!
//! The thread that K3 names may have ended, and its number may be a newer thread's of this
//! process (never another process's: `tgkill` names both). That one sees a spurious
//! interruption, which every caller of a blocking system call has to expect, and the
//! handler restarts what can be restarted.

use super::sync::{AtomicI32, AtomicU32, Ordering, fence};

/// The bit of `asked` that kicks set.
const KICK: u32 = 1;
/// One claim. The count has the bits above.
const CLAIM: u32 = 2;

/// The one byte of the run page that anybody may write.
pub(crate) trait Byte {
    /// Says whether the next `KVM_RUN` returns at once. Needs no order of its own.
    fn set(&self, exit: bool);
}

/// See the file's beginning.
#[derive(Debug)]
pub(crate) struct Stop<B> {
    asked: AtomicU32,
    runner: AtomicI32,
    byte: B,
}

impl<B: Byte> Stop<B> {
    pub(crate) fn new(byte: B) -> Self {
        Self { asked: AtomicU32::new(0), runner: AtomicI32::new(0), byte }
    }

    /// R1.
    pub(crate) fn begin(&self, host: i32) {
        self.runner.store(host, Ordering::Relaxed);
    }

    /// R2 and R3: whether somebody wants the processor to stop.
    pub(crate) fn is_asked(&self) -> bool {
        self.byte.set(false);
        fence(Ordering::SeqCst); // F2
        self.asked.load(Ordering::Acquire) != 0
    }

    /// Leaves for whoever asked: kicks until now have their answer.
    pub(crate) fn answer(&self) {
        self.asked.fetch_and(!KICK, Ordering::AcqRel);
    }

    /// Goes on although somebody asked: R2 once more, where something else has set the byte.
    pub(crate) fn go_on(&self) {
        self.byte.set(false);
    }

    /// R5.
    pub(crate) fn end(&self) {
        self.runner.store(0, Ordering::Relaxed);
    }

    /// Whether somebody waits for the processor.
    pub(crate) fn is_claimed(&self) -> bool {
        self.asked.load(Ordering::Acquire) >= CLAIM
    }

    /// Kicks. The host thread that is returned, if it is not 0, is to be signalled.
    #[must_use]
    pub(crate) fn kick(&self) -> i32 {
        self.asked.fetch_or(KICK, Ordering::AcqRel); // K1
        self.summon()
    }

    /// Begins to wait for the processor; otherwise as [`Stop::kick`].
    #[must_use]
    pub(crate) fn claim(&self) -> i32 {
        self.asked.fetch_add(CLAIM, Ordering::AcqRel); // K1
        self.summon()
    }

    /// Takes a claim back.
    pub(crate) fn release(&self) {
        self.asked.fetch_sub(CLAIM, Ordering::AcqRel);
    }

    fn summon(&self) -> i32 {
        fence(Ordering::SeqCst); // F1
        self.byte.set(true); // K2
        self.runner.load(Ordering::Relaxed) // K3
    }
}
