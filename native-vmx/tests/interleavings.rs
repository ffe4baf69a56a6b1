//! Every order in which the words of `kvm/stop.rs` can be used by several host threads, around
//! a kernel that behaves as badly as it may: a signal that comes before `KVM_RUN` is gone, and
//! a guest that spins leaves only for a signal.
//!
//! A lost kick or claim shows as a guest that never leaves: a deadlock, which the checker
//! reports.

use loom::model::Builder;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

#[path = "../src/kvm/stop.rs"]
#[allow(dead_code, reason = "a guest without exceptions never goes on")]
mod stop;
mod sync {
    pub(crate) use loom::sync::atomic::{AtomicI32, AtomicU32, Ordering, fence};
}

use stop::{Byte, Stop};

/// The run page's byte.
struct ExitByte(Arc<AtomicBool>);

impl Byte for ExitByte {
    fn set(&self, exit: bool) {
        self.0.store(exit, Ordering::Relaxed);
    }
}

/// What a guest does when it is entered.
#[derive(Clone, Copy, PartialEq)]
enum Guest {
    Spins,
    /// Leaves by itself at once.
    Calls,
}

#[derive(Debug, PartialEq)]
enum Left {
    Kicked,
    Call,
    Gone,
}

struct Host {
    stop: Stop<ExitByte>,
    byte: Arc<AtomicBool>,
    /// A signal is pending for the host thread that runs, number 1.
    signal: Mutex<bool>,
    arrived: Condvar,
    /// What a driver keeps around the machine, whose owner makes the claims.
    machine: Mutex<()>,
    /// The slot: whether there is a processor in it.
    slot: Mutex<bool>,
    guest: Guest,
}

impl Host {
    fn new(guest: Guest) -> Arc<Self> {
        let byte = Arc::new(AtomicBool::new(false));
        let stop = Stop::new(ExitByte(byte.clone()));
        let (signal, arrived) = (Mutex::new(false), Condvar::new());
        let (machine, slot) = (Mutex::new(()), Mutex::new(true));
        Arc::new(Self { stop, byte, signal, arrived, machine, slot, guest })
    }

    /// The ioctl: whether it returned because of the guest.
    fn enter(&self) -> bool {
        // Delivered while still outside, where the handler does nothing.
        *self.signal.lock().unwrap() = false;
        if self.byte.load(Ordering::Relaxed) {
            return false;
        }
        if self.guest == Guest::Calls {
            return true;
        }
        let mut signal = self.signal.lock().unwrap();
        while !*signal {
            signal = self.arrived.wait(signal).unwrap();
        }
        *signal = false;
        false
    }

    /// As `Vcpu::run`.
    fn run_held(&self) -> Left {
        self.stop.begin(1);
        let left = loop {
            if self.stop.is_asked() {
                self.stop.answer();
                break Left::Kicked;
            }
            if self.enter() {
                break Left::Call;
            }
        };
        self.stop.end();
        left
    }

    /// As `NativeRunner::run`.
    fn run(&self) -> Left {
        if self.stop.is_claimed() {
            return Left::Kicked;
        }
        let slot = self.slot.lock().unwrap();
        if *slot { self.run_held() } else { Left::Gone }
    }

    /// A driver whose threads never end by themselves.
    fn drive(&self) {
        while self.run() != Left::Gone {
            drop(self.machine.lock().unwrap());
        }
    }

    fn signal_to(&self, runner: i32) {
        if runner != 0 {
            *self.signal.lock().unwrap() = true;
            self.arrived.notify_one();
        }
    }

    fn kick(&self) {
        self.signal_to(self.stop.kick());
    }

    /// As `Shared::claim` by whoever has the machine; then the processor is taken away or not.
    /// (The real one first tries the lock. The checker would make that wait, and a claim while
    /// the lock is free is checked as well this way.)
    fn claim(&self, take: bool) {
        let _machine = self.machine.lock().unwrap();
        self.signal_to(self.stop.claim());
        let mut slot = self.slot.lock().unwrap();
        self.stop.release();
        *slot &= !take;
    }
}

/// Host threads are taken off their processor at the worst moment, twice.
fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(model);
}

#[test]
fn a_kick_ends_a_spin_once() {
    check(|| {
        let host = Host::new(Guest::Spins);
        let other = host.clone();
        let kicker = thread::spawn(move || other.kick());
        assert_eq!(host.run(), Left::Kicked);
        kicker.join().unwrap();
        assert!(!host.stop.is_asked(), "one kick, one answer");
    });
}

#[test]
fn kicks_among_calls_are_answered_and_none_is_invented() {
    check(|| {
        let host = Host::new(Guest::Calls);
        let other = host.clone();
        let kicker = thread::spawn(move || other.kick());
        let early = (0..2).filter(|_| host.run() == Left::Kicked).count();
        kicker.join().unwrap();
        let late = (0..2).filter(|_| host.run() == Left::Kicked).count();
        assert_eq!(early + late, 1);
    });
}

#[test]
fn two_kickers_are_one_or_two() {
    check(|| {
        let host = Host::new(Guest::Spins);
        let kickers = [0; 2].map(|_| {
            let other = host.clone();
            thread::spawn(move || other.kick())
        });
        assert_eq!(host.run(), Left::Kicked);
        for kicker in kickers {
            kicker.join().unwrap();
        }
        // The second kick was before the answer, or it ends the next run at once.
        if host.stop.is_asked() {
            assert_eq!(host.run(), Left::Kicked);
        }
        assert!(!host.stop.is_asked());
    });
}

#[test]
fn a_claim_takes_the_processor_from_a_runner_that_does_not_give_up() {
    check(|| {
        let host = Host::new(Guest::Spins);
        let other = host.clone();
        let claimer = thread::spawn(move || other.claim(true));
        host.drive();
        claimer.join().unwrap();
        assert!(!host.stop.is_claimed());
    });
}

#[test]
fn two_claims_and_a_kick_end_together() {
    check(|| {
        let host = Host::new(Guest::Spins);
        let (one, two) = (host.clone(), host.clone());
        let looks = thread::spawn(move || one.claim(false));
        let takes = thread::spawn(move || {
            two.kick();
            two.claim(true);
        });
        host.drive();
        looks.join().unwrap();
        takes.join().unwrap();
        assert!(!host.stop.is_claimed());
    });
}
