//! A thread's virtual processor, between the machine and the host thread that runs it.
//!
//! # Who holds it
//!
//! The processor is in a slot behind a lock. Without a [`NativeRunner`] the machine is the
//! slot's only owner, which it sees from the count of handles, and takes no lock. With one,
//! whoever enters the guest holds the lock for as long as it is inside, and the machine takes
//! it by force: it *claims* the processor ([`super::stop`]), which ends the run, and waits.
//!
//! A run's lock is free unless the machine wants the same processor at that moment, so it
//! costs two atomic operations beside a system call.
//!
//! # Order
//!
//! Whatever lock a driver has around the machine comes first, the slot's second. A runner
//! holds the slot's only inside [`Runner::run`], where it takes no other, so the machine never
//! waits for longer than a virtual processor takes to leave its guest.
//!
//! # What a run leaves
//!
//! Making sense of most exits needs the machine. A runner leaves those in the slot; the machine
//! resolves them when it is told ([`super::NativeArch`]'s `complete`) or when it is asked for
//! registers before that: nobody is to see a thread inside an exception's delivery.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use shared_model::arch::{DomainId, Runner};
use shared_model::exit::Exit;
use shared_model::registers::SystemRegisters;

use super::exits::Step;
use super::kick::KickHandle;
use super::vcpu::Vcpu;

/// Empty when the thread is gone.
type Slot = Option<Vcpu>;

#[derive(Debug)]
struct Shared {
    kick: KickHandle,
    slot: Mutex<Slot>,
}

/// A thread's processor, as the machine has it.
#[derive(Debug)]
pub(crate) struct Processor {
    shared: Arc<Shared>,
    pub(crate) domain: DomainId,
    pub(crate) system: SystemRegisters,
    /// What the last run meant, where that had to be found out before somebody asked.
    pub(crate) resolved: Option<Exit>,
}

impl Processor {
    pub(crate) fn new(vcpu: Vcpu, domain: DomainId, system: &SystemRegisters) -> Self {
        let (kick, slot) = (vcpu.kick().clone(), Mutex::new(Some(vcpu)));
        let shared = Arc::new(Shared { kick, slot });
        Self { shared, domain, system: *system, resolved: None }
    }

    pub(crate) fn kick(&self) -> &KickHandle {
        &self.shared.kick
    }

    /// The processor, which does not run while it is held.
    pub(crate) fn hold(&mut self) -> Held<'_> {
        // No weak handles are ever made, so a count of one stays one.
        if Arc::strong_count(&self.shared) == 1 {
            let shared = Arc::get_mut(&mut self.shared).expect("the only handle");
            return Held::Own(shared.slot.get_mut().unwrap_or_else(PoisonError::into_inner));
        }
        Held::Locked(self.shared.claim())
    }

    /// As [`Processor::hold`], without the right to change anything.
    pub(crate) fn look(&self) -> Held<'_> {
        Held::Locked(self.shared.claim())
    }

    /// Takes the processor away for good: no runner enters the guest again.
    pub(crate) fn take(self) -> Option<Vcpu> {
        self.shared.claim().take()
    }

    pub(crate) fn runner(&self) -> NativeRunner {
        NativeRunner(self.shared.clone())
    }
}

impl Shared {
    /// Stops whoever runs the processor, and waits for it.
    fn claim(&self) -> MutexGuard<'_, Slot> {
        match self.slot.try_lock() {
            Ok(slot) => return slot,
            Err(TryLockError::Poisoned(slot)) => return slot.into_inner(),
            Err(TryLockError::WouldBlock) => {}
        }
        self.kick.claim();
        let slot = self.lock();
        self.kick.stop().release();
        slot
    }

    fn lock(&self) -> MutexGuard<'_, Slot> {
        // A panic in between leaves a processor that has stopped, like any other.
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A processor that does not run.
pub(crate) enum Held<'a> {
    Own(&'a mut Slot),
    Locked(MutexGuard<'a, Slot>),
}

impl Deref for Held<'_> {
    type Target = Vcpu;

    fn deref(&self) -> &Vcpu {
        let slot = match self {
            Self::Own(slot) => &**slot,
            Self::Locked(slot) => &**slot,
        };
        slot.as_ref().expect("a slot is emptied when its `Processor` goes")
    }
}

impl DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut Vcpu {
        let slot = match self {
            Self::Own(slot) => &mut **slot,
            Self::Locked(slot) => &mut **slot,
        };
        slot.as_mut().expect("a slot is emptied when its `Processor` goes")
    }
}

/// A thread's processor, as the host thread that runs it holds it.
///
/// It may outlive the thread and the machine; runs then end at once.
#[derive(Debug)]
pub struct NativeRunner(Arc<Shared>);

/// What a run left behind.
#[derive(Debug)]
pub struct NativeRaw(pub(crate) Left);

/// See [`NativeRaw`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    Hypercall(u32),
    /// Nothing: somebody wanted the thread to stop.
    Kicked,
    /// Nothing, because there is no thread.
    Gone,
    /// Something to make sense of, in the slot.
    Pending,
}

impl Runner for NativeRunner {
    type Raw = NativeRaw;

    fn run(&mut self) -> NativeRaw {
        // Who waits for the lock gets it before the next run.
        if self.0.kick.stop().is_claimed() {
            return NativeRaw(Left::Kicked);
        }
        let mut slot = self.0.lock();
        let Some(vcpu) = slot.as_mut() else { return NativeRaw(Left::Gone) };
        NativeRaw(match vcpu.run() {
            Step::Hypercall(number) => Left::Hypercall(number),
            Step::Kicked => Left::Kicked,
            cold => {
                vcpu.pending = Some(cold);
                Left::Pending
            }
        })
    }
}
