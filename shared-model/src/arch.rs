//! The seam: what a backend supplies. Everything else is the model.
//!
//! # Contract
//!
//! - The model chooses every identity (domains, threads, frames); a backend never
//!   invents one. It may assume that the model passes only live ones.
//! - [`Arch::map`] and [`Arch::unmap`] are effective on return: no thread of the
//!   domain, on any processor, uses the old state after it.
//! - A mapping without [`Rights::WRITE`] refuses writes; an absent one refuses
//!   everything. [`Rights::EXECUTE`] is *not* enforced at this level, because stock
//!   KVM cannot (a memory slot has no no-execute bit): the model enforces it in the
//!   domain's page tables, which the domain cannot write, and never lets a
//!   guest-physical page without the right be reached through an executable entry.
//! - [`Arch::run`] returns with a precise state: every instruction before the exit
//!   has happened, and none after it.
//! - When an instruction makes several accesses and more than one is refused, the source
//!   is reported before the destination, and the lower page of an access that crosses
//!   pages. Nothing of the instruction is written; a repeated string instruction has done
//!   its completed iterations, and its registers say how many.
//! - Page tables come from the model with their accessed and dirty bits set, so a backend
//!   never has to write one. They, and the descriptor tables and gates of [`crate::boot`], are
//!   never unmapped while a thread of the domain exists, and lead to nothing at or above
//!   [`crate::layout::PHYSICAL_SIZE`]. They do not change after the domain's first thread was
//!   created: they lead to the areas of all threads that may ever be.
//! - The pages of a thread's area (its task segment and exception stack among them, see
//!   [`crate::layout::thread_of`]) are mapped before the thread is created, perhaps while others
//!   of the domain exist, and stay as long as it exists. Afterwards they stay mapped too, and are
//!   written anew before [`Arch::run`] for the next thread with the same area.
//! - The error code of a page fault is what the domain's own tables explain, whatever else
//!   a host has in its own.
//! - After an exception, the last 48 bytes of the exception-stack page are zero: what a
//!   processor pushed there has been consumed.
//! - `in` from a port that the bitmap allows reads all ones, and the exit is
//!   [`Exit::Port`]; so is a jump to a gate that no exception took.
//!
//! The module `conformance` (a feature of that name) states the same as tests; every
//! implementation passes it.

use thiserror::Error;

use crate::address::{Frame, GuestPhysical};
use crate::exit::Exit;
use crate::registers::{Registers, SystemRegisters};
use crate::rights::Rights;

pub use crate::domain::{DomainId, ThreadId};

/// The host could not supply something: a message for people, and nothing in the
/// model has changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct ArchError(pub alloc::string::String);

/// Stops a running thread from outside.
///
/// A kick is sticky: if the thread is not running, its next run returns
/// [`Exit::Kicked`] at once. One `Kicked` consumes every kick before it.
pub trait Kick: Clone + Send + Sync + 'static {
    /// Makes the thread's current run, or else its next, end soon.
    fn kick(&self);
}

/// A machine that domains can run on.
pub trait Arch {
    /// The handle by which other host threads stop a thread of this machine.
    type Kick: Kick;

    /// The backend's short name: `native` or `sim`.
    fn name(&self) -> &'static str;

    /// Makes `frame` exist with all its bytes zero.
    ///
    /// # Errors
    /// When the host has no memory left.
    fn frame_allocate(&mut self, frame: Frame) -> Result<(), ArchError>;
    /// Gives the frame's memory back. No mapping of it is left.
    fn frame_free(&mut self, frame: Frame);
    /// Copies from the frame, starting `offset` bytes in. `offset + bytes.len()` is at
    /// most [`crate::address::PAGE_SIZE`].
    fn frame_read(&self, frame: Frame, offset: usize, bytes: &mut [u8]);
    /// Copies into the frame, as [`Arch::frame_read`].
    fn frame_write(&mut self, frame: Frame, offset: usize, bytes: &[u8]);

    /// Makes an empty guest-physical space of [`crate::layout::PHYSICAL_SIZE`] bytes.
    ///
    /// # Errors
    /// When the host refuses another virtual machine.
    fn domain_create(&mut self, domain: DomainId) -> Result<(), ArchError>;
    /// Frees the space. Its threads are gone already; its mappings may not be.
    fn domain_destroy(&mut self, domain: DomainId);
    /// Maps `page` (aligned, below [`crate::layout::PHYSICAL_SIZE`]) to `frame`,
    /// replacing what was there.
    ///
    /// # Errors
    /// When the host refuses; the old mapping is then gone.
    fn map(
        &mut self,
        domain: DomainId,
        page: GuestPhysical,
        frame: Frame,
        rights: Rights,
    ) -> Result<(), ArchError>;
    /// Removes the mapping of `page`, if there is one.
    fn unmap(&mut self, domain: DomainId, page: GuestPhysical);

    /// Makes a virtual processor at privilege level 3 in 64-bit mode.
    ///
    /// # Errors
    /// When the host refuses another one.
    fn thread_create(
        &mut self,
        thread: ThreadId,
        domain: DomainId,
        system: &SystemRegisters,
    ) -> Result<(), ArchError>;
    /// Frees the processor. Its kick handles stay valid and do nothing.
    fn thread_destroy(&mut self, thread: ThreadId);
    /// The registers now, with system bits of the flags as in
    /// [`crate::registers::FLAGS_INITIAL`].
    fn registers(&mut self, thread: ThreadId) -> Registers;
    /// Replaces the registers. Of the flags, only
    /// [`crate::registers::FLAGS_VISIBLE`] bits are taken.
    fn set_registers(&mut self, thread: ThreadId, registers: &Registers);
    /// Status flags that the manual leaves undefined in the current state. A backend
    /// that cannot tell says none.
    fn undefined_flags(&self, _thread: ThreadId) -> u64 {
        0
    }
    /// Instructions that the thread has retired, where the backend counts them.
    fn retired(&self, _thread: ThreadId) -> Option<u64> {
        None
    }
    /// How often processors were entered for all threads so far, those included that are gone,
    /// where the backend has processors to enter.
    fn total_entries(&self) -> Option<u64> {
        None
    }
    /// Runs until something happens. A backend that counts instructions stops with
    /// [`Exit::Budget`] after `budget` of them; another ignores it and is bounded by
    /// a kick.
    fn run(&mut self, thread: ThreadId, budget: u64) -> Exit;
    /// A handle that stops the thread.
    fn kicker(&self, thread: ThreadId) -> Self::Kick;
}

/// A backend whose threads can run at the same time, each on a host thread of its own.
///
/// A driver keeps the machine behind one lock. The host thread of each thread runs it without
/// that lock, and takes it to have what came of the run made an exit, and to handle it:
///
/// ```text
/// loop {
///     raw = runner.run()
///     lock the machine; stop if the thread is gone
///     exit = machine.complete(thread, raw); handle it
///     unlock; wait while the thread is blocked
/// }
/// ```
///
/// What [`Arch`] promises holds for threads that run elsewhere at the moment of the call:
///
/// - [`Arch::map`] and [`Arch::unmap`] are effective on return, without stopping anybody.
/// - [`Arch::registers`], [`Arch::set_registers`] and [`Arch::thread_destroy`] stop the thread,
///   wait until it has left its guest, and only then act. Its run ends as if kicked.
/// - After [`Arch::thread_destroy`], its runner enters the guest no more.
/// - [`Arch::run`] excludes the thread's runner, as the machine's owner holds the machine.
///
/// So [`Exit::Kicked`] may come without a kick. It then says that nothing has happened, and
/// that the thread may be run again; so does one for a refused access that another thread's
/// mapping has allowed in the meantime.
pub trait Parallel: Arch {
    /// What a run left behind, before it is made sense of.
    type Raw: Send;
    /// A thread's processor, as the host thread that runs it holds it.
    type Runner: Runner<Raw = Self::Raw>;

    /// A runner of the thread. One at a time is of use.
    fn runner(&self, thread: ThreadId) -> Self::Runner;
    /// Makes an exit of what [`Runner::run`] returned. The thread still exists and has not run
    /// since. If its registers were read or set since, the exit is that of the run all the
    /// same.
    fn complete(&mut self, thread: ThreadId, raw: Self::Raw) -> Exit;
}

/// Runs one thread of a [`Parallel`] machine.
///
/// It may outlive the thread and the machine.
pub trait Runner: Send {
    /// What a run left behind.
    type Raw: Send;

    /// Runs until something happens. Takes no lock that the machine's owner could hold while
    /// it waits for this thread, and returns at once if the thread is gone.
    fn run(&mut self) -> Self::Raw;
}
