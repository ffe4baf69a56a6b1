//! Every order in which two sides can use a ring of messages: the steps of liblcd's `ring.c`, one
//! atomic access each, around a doorbell that keeps what was rung before somebody waits at it.
//!
//! A wake-up that is lost shows as two sides that wait: a deadlock, which the checker reports. A
//! message that is lost or read too early shows as another number.

use loom::model::Builder;
use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

const AVAILABLE: u32 = 0;
const AWAITED: u32 = 1;
const SENT: u32 = 2;
const FULL: u32 = 3;

/// What is broken.
#[derive(Clone, Copy, PartialEq)]
enum Broken {
    Nothing,
    /// After the announcement, nobody looks again.
    NoSecondLook,
    /// The announcement overwrites whatever the other side has put there.
    Overwrites,
    /// Whoever hands a slot over does not ring.
    NoRing,
    /// Handing over does not release what was written before.
    Unordered,
}

#[derive(Default)]
struct Doorbell {
    rung: Mutex<bool>,
    arrived: Condvar,
}

impl Doorbell {
    fn ring(&self) {
        *self.rung.lock().unwrap() = true;
        self.arrived.notify_one();
    }

    fn wait(&self) {
        let mut rung = self.rung.lock().unwrap();
        while !*rung {
            rung = self.arrived.wait(rung).unwrap();
        }
        *rung = false;
    }
}

struct Slot {
    status: AtomicU32,
    word: AtomicU64,
}

struct Ring {
    slots: Vec<Slot>,
    sender: Doorbell,
    receiver: Doorbell,
    broken: Broken,
}

impl Ring {
    fn new(slots: usize, broken: Broken) -> Arc<Self> {
        let slot = |_| Slot { status: AtomicU32::new(AVAILABLE), word: AtomicU64::new(0) };
        let slots = (0..slots).map(slot).collect();
        let (sender, receiver) = (Doorbell::default(), Doorbell::default());
        Arc::new(Self { slots, sender, receiver, broken })
    }

    /// Says in the slot that this side waits while it has this status. Returns the status that
    /// decides.
    fn announce(&self, slot: &Slot, status: u32, announced: u32) -> u32 {
        if self.broken == Broken::Overwrites {
            slot.status.store(announced, Ordering::SeqCst);
            return status;
        }
        let order = (Ordering::AcqRel, Ordering::Acquire);
        match slot.status.compare_exchange(status, announced, order.0, order.1) {
            Ok(_) => status,
            Err(_) if self.broken == Broken::NoSecondLook => status,
            Err(found) if found == announced => status,
            Err(found) => found,
        }
    }

    /// Gives the slot to the other side, and rings if that has announced that it waits.
    fn hand_over(&self, slot: &Slot, status: u32, announced: u32, bell: &Doorbell) {
        let unordered = self.broken == Broken::Unordered;
        let order = if unordered { Ordering::Relaxed } else { Ordering::AcqRel };
        let before = slot.status.swap(status, order);
        if before == announced && self.broken != Broken::NoRing {
            bell.ring();
        }
    }

    fn send(&self, number: u64) {
        let slot = &self.slots[number as usize % self.slots.len()];
        let is_sent = |status| status == SENT || status == FULL;
        if is_sent(slot.status.load(Ordering::Acquire)) {
            while is_sent(self.announce(slot, SENT, FULL)) {
                self.sender.wait();
            }
        }
        slot.word.store(number, Ordering::Relaxed);
        self.hand_over(slot, SENT, AWAITED, &self.receiver);
    }

    fn receive(&self, number: u64) -> u64 {
        let slot = &self.slots[number as usize % self.slots.len()];
        let is_empty = |status| status == AVAILABLE || status == AWAITED;
        if is_empty(slot.status.load(Ordering::Acquire)) {
            while is_empty(self.announce(slot, AVAILABLE, AWAITED)) {
                self.receiver.wait();
            }
        }
        let word = slot.word.load(Ordering::Relaxed);
        self.hand_over(slot, AVAILABLE, FULL, &self.sender);
        word
    }
}

/// Sends so many messages, numbered from 1, through a ring of so many slots.
fn check(slots: usize, messages: u64, broken: Broken) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(4);
    builder.check(move || {
        let ring = Ring::new(slots, broken);
        let sender = {
            let ring = ring.clone();
            thread::spawn(move || (1..=messages).for_each(|number| ring.send(number)))
        };
        for number in 1..=messages {
            assert_eq!(ring.receive(number), number, "another message than was sent");
        }
        sender.join().unwrap();
    });
}

/// Names the broken rule that the test in this process is to try.
const VARIABLE: &str = "LCD_BROKEN_RING";

const ALL: [(&str, Broken, &str); 4] = [
    ("no second look", Broken::NoSecondLook, "deadlock"),
    ("overwrites", Broken::Overwrites, "deadlock"),
    ("no ring", Broken::NoRing, "deadlock"),
    ("unordered", Broken::Unordered, "another message than was sent"),
];

#[test]
fn every_message_arrives_once_in_order_and_nobody_waits_for_ever() {
    let asked = std::env::var(VARIABLE).unwrap_or_default();
    let broken = ALL.iter().find(|(name, ..)| *name == asked);
    let broken = broken.map_or(Broken::Nothing, |&(_, broken, _)| broken);
    check(1, 2, broken);
    check(1, 3, broken);
    check(2, 4, broken);
}

/// In processes of their own, because the checker does not survive what it finds.
#[test]
fn each_rule_that_is_broken_on_purpose_is_noticed() {
    for (name, _, found) in ALL {
        let this = std::env::current_exe().unwrap();
        let only = ["--exact", "every_message_arrives_once_in_order_and_nobody_waits_for_ever"];
        let output = std::process::Command::new(this)
            .args(only)
            .arg("--nocapture")
            .env(VARIABLE, name)
            .env("RUST_BACKTRACE", "0")
            .output()
            .unwrap();
        assert!(!output.status.success(), "{name} went unnoticed");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(found), "{name}: {said}");
    }
}
