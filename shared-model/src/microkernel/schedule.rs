//! Whose turn it is.
//!
//! Exits are where a schedule decides, because they are the same on every backend. Where in its code
//! a thread is stopped otherwise is known only to a backend that counts instructions.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::{Microkernel, Step};
use crate::abi::{Hypercall, Status};
use crate::arch::Arch;
use crate::domain::{LifecycleError, ThreadId, ThreadState};
use crate::event::{EventKind, Log};
use crate::exit::{End, Exit, KillReason};

/// The order in which threads take turns.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// A thread runs until it yields, waits or ends; then the one that has waited longest.
    #[default]
    Cooperative,
    /// After each exit, any of the threads that can run, drawn with a generator that begins with
    /// the seed.
    Seeded {
        /// The seed.
        seed: u64,
        /// A thread's turn also ends after a number of instructions, drawn from 1 to this one, on a
        /// backend that counts them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        preempt: Option<u64>,
    },
    /// Exits take effect in this order, that of [`exit_order`] of another run's log. What threads do
    /// between their exits goes on meanwhile. If a thread is named that cannot have a turn, this is
    /// another run, and the rest of it is cooperative.
    ///
    /// A hypercall that took several turns is done in one.
    Recorded(Order),
    /// Threads run at the same time, and their exits take effect as they come: see
    /// [`super::Turn`]. A machine that is asked for one step after the other runs them
    /// cooperatively.
    Parallel,
}

/// What decides a run, besides its inputs.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Order {
    /// The threads whose exits took effect, one after the other.
    pub exits: Vec<ThreadId>,
    /// Threads that were killed from outside, and how many exits there had been by then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kills: Vec<(u64, ThreadId)>,
    /// After the last exit, the run's limit ended what still ran.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub timed_out: bool,
}

impl From<Vec<ThreadId>> for Order {
    fn from(exits: Vec<ThreadId>) -> Self {
        Self { exits, ..Self::default() }
    }
}

impl Schedule {
    /// Whether it is the usual one, which logs do not mention.
    pub const fn is_cooperative(&self) -> bool {
        matches!(self, Self::Cooperative)
    }

    /// Whether it repeats another run, whatever the schedule of that was.
    pub const fn is_recorded(&self) -> bool {
        matches!(self, Self::Recorded(_))
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cooperative => f.write_str("cooperative"),
            Self::Seeded { seed, preempt: None } => write!(f, "seed {seed}"),
            Self::Seeded { seed, preempt: Some(most) } => {
                write!(f, "seed {seed} with turns of up to {most} instructions")
            }
            Self::Recorded(order) => write!(f, "a recorded one of {} exits", order.exits.len()),
            Self::Parallel => f.write_str("parallel"),
        }
    }
}

/// Instructions that a thread runs in a row while a recorded order is repeated: another one may
/// have to store what it waits for.
const SLICE: u64 = 10_000;

/// A schedule, and how far it has come.
#[derive(Debug, Default)]
pub(super) struct Turns {
    schedule: Schedule,
    /// Draws threads.
    exits: Generator,
    /// Draws lengths of turns: apart, so that counting instructions changes no other draw.
    slices: Generator,
    /// The thread whose turn it is and the count of instructions at which that ends.
    slice: Option<(ThreadId, u64)>,
    /// Of a recorded order: how many of its exits have taken effect, and how many of its kills.
    done: usize,
    killed: usize,
    /// The recorded run's limit has been reached.
    timed_out: bool,
    /// The run is not the recorded one.
    astray: bool,
    /// A thread that runs a little while the one whose exit is due has not reached it.
    helper: Option<ThreadId>,
    /// Exits that were reached before it was their turn.
    held: BTreeMap<ThreadId, Exit>,
}

impl Turns {
    pub(super) const fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// The recorded order, while it is followed.
    const fn order(&self) -> Option<&Order> {
        match &self.schedule {
            Schedule::Recorded(order) if !self.astray => Some(order),
            _ => None,
        }
    }

    /// The thread whose exit is next in a recorded order.
    fn due(&self) -> Option<ThreadId> {
        self.order()?.exits.get(self.done).copied()
    }

    #[cfg(test)]
    pub(super) fn is_held(&self, thread: ThreadId) -> bool {
        self.held.contains_key(&thread)
    }

    #[cfg(test)]
    pub(super) fn held_for_test(&mut self, thread: ThreadId, exit: Exit) {
        self.held.insert(thread, exit);
    }

    /// The longest turn, where turns are limited.
    fn longest(&self) -> Option<u64> {
        match self.schedule {
            Schedule::Seeded { preempt, .. } => preempt,
            Schedule::Recorded(_) => self.due().map(|_| SLICE),
            Schedule::Cooperative | Schedule::Parallel => None,
        }
    }
}

impl<A: Arch> Microkernel<A> {
    /// Chooses the order in which threads take turns.
    ///
    /// # Errors
    /// [`LifecycleError::Begun`] if anything has happened yet.
    pub fn set_schedule(&mut self, schedule: Schedule) -> Result<(), LifecycleError> {
        if !self.events.is_empty() {
            return Err(LifecycleError::Begun);
        }
        let mut turns = Turns::default();
        if let Schedule::Seeded { seed, .. } = schedule {
            turns.exits = Generator(seed);
            turns.slices = Generator(!seed);
        }
        self.turns = Turns { schedule, ..turns };
        Ok(())
    }

    /// The schedule as it could be followed: without counting, no turn ends after some instructions.
    pub(super) fn schedule(&self) -> Schedule {
        match self.turns.schedule {
            Schedule::Seeded { seed, .. } if self.retired().is_none() => {
                Schedule::Seeded { seed, preempt: None }
            }
            ref schedule => schedule.clone(),
        }
    }

    /// The thread whose turn it is.
    pub(super) fn next_thread(&self) -> Option<ThreadId> {
        let Some(due) = self.turns.due() else { return self.ready.front().copied() };
        let worker = self.workers.iter().copied().find(|&worker| self.is_ready(worker));
        let helper = || self.turns.helper.filter(|&helper| self.can_help(helper));
        let due = || Some(due).filter(|&due| self.is_ready(due));
        // A hypercall that goes on was due before.
        worker.or_else(|| due().map(|due| helper().unwrap_or(due))).or(self.ready.front().copied())
    }

    fn is_ready(&self, thread: ThreadId) -> bool {
        let found = self.threads.get(thread.0 as usize);
        found.is_some_and(|thread| thread.state == ThreadState::Ready)
    }

    /// Whether a thread can run on towards an exit that is not due.
    fn can_help(&self, thread: ThreadId) -> bool {
        self.is_ready(thread)
            && !self.is_host_thread(thread)
            && !self.turns.held.contains_key(&thread)
    }

    /// Gives up a recorded order that this run does not follow: the thread whose exit is due cannot
    /// run, and others can.
    pub(super) fn check_order(&mut self) {
        let stuck = self.turns.due().is_some_and(|due| !self.is_ready(due));
        if stuck && self.workers.is_empty() && !self.ready.is_empty() {
            self.turns.astray = true;
        }
    }

    /// Whether a recorded order is followed, in which it is said who is killed and when.
    pub(super) const fn is_repeating(&self) -> bool {
        self.turns.order().is_some()
    }

    /// Does what somebody outside did at this point of a recorded run.
    pub(super) fn repeat_interference(&mut self) -> Option<Step> {
        if self.turns.timed_out {
            return Some(Step::Idle);
        }
        // While nothing can run, time goes on before anybody outside has a say.
        let order = self.turns.order().filter(|_| !self.ready.is_empty())?;
        if let Some(&(at, thread)) = order.kills.get(self.turns.killed)
            && at <= self.turns.done as u64
        {
            self.turns.killed += 1;
            // In another run, it may have ended already.
            let _ = self.kill_thread(thread);
            return Some(Step::Continued);
        }
        if order.timed_out && self.turns.done >= order.exits.len() {
            self.turns.timed_out = true;
            self.time_out();
            return Some(Step::Idle);
        }
        None
    }

    /// The exit that a thread reached before it was due, now that it is its turn. What was refused
    /// to it then may be allowed by now: it tries again.
    pub(super) fn take_held(&mut self, thread: ThreadId) -> Option<Exit> {
        self.turns.held.remove(&thread).filter(|exit| !is_refusal(exit))
    }

    /// A thread has ended, or goes on elsewhere: what it had come to does not happen.
    pub(super) fn drop_held(&mut self, thread: ThreadId) {
        self.turns.held.remove(&thread);
    }

    /// Keeps an exit that is not due. Gives back one that is.
    pub(super) fn hold(&mut self, thread: ThreadId, exit: Exit) -> Option<Exit> {
        let due = self.turns.due().filter(|&due| due != thread);
        if due.is_none() || matches!(exit, Exit::Kicked | Exit::Budget) {
            return Some(exit);
        }
        self.turns.held.insert(thread, exit);
        self.help(thread);
        None
    }

    /// Lets the next thread after this one run a little, so that each comes along that the one whose
    /// exit is due may wait for.
    fn help(&mut self, after: ThreadId) {
        let others = || self.ready.iter().copied().filter(|&other| self.can_help(other));
        let next = others().filter(|&other| other > after).min().or_else(|| others().min());
        self.turns.slice = None;
        self.turns.helper = next;
    }

    /// Instructions that the thread may retire before somebody else's turn.
    pub(super) fn slice_left(&mut self, thread: ThreadId) -> u64 {
        let (Some(longest), Some(retired)) = (self.turns.longest(), self.arch.retired(thread))
        else {
            return u64::MAX;
        };
        let end = match self.turns.slice {
            Some((of, end)) if of == thread => end,
            _ if self.turns.schedule.is_recorded() => retired.saturating_add(longest),
            _ => retired.saturating_add(self.turns.slices.below(longest)).saturating_add(1),
        };
        self.turns.slice = Some((thread, end));
        end.saturating_sub(retired).max(1)
    }

    /// The thread has used up what it was given, by its turn or by the step.
    pub(super) fn end_slice(&mut self, thread: ThreadId) {
        let Some((of, end)) = self.turns.slice else { return };
        if of == thread && self.arch.retired(thread).is_some_and(|retired| retired >= end) {
            self.end_turn(thread);
        }
    }

    /// Lets others run before the thread goes on, where the schedule is about more than exits: for
    /// callers that kicked the thread for this reason, on a backend that does not count.
    pub fn end_turn(&mut self, thread: ThreadId) {
        match self.turns.schedule {
            Schedule::Cooperative | Schedule::Parallel => {}
            Schedule::Seeded { .. } => self.choose_next(),
            Schedule::Recorded(_) => self.help(thread),
        }
    }

    /// An exit of the thread is handled: a tick.
    pub(super) fn takes_effect(&mut self, thread: ThreadId) {
        self.now = self.now.saturating_add(1);
        if self.turns.due() == Some(thread) {
            self.turns.done += 1;
            self.turns.helper = None;
        }
        self.turns.held.retain(|_, exit| !is_refusal(exit));
    }

    /// After an exit: decides whose turn is next.
    pub(super) fn choose_next(&mut self) {
        self.turns.slice = None;
        if let Schedule::Seeded { .. } = self.turns.schedule
            && !self.ready.is_empty()
        {
            let drawn = self.turns.exits.below(self.ready.len() as u64) as usize;
            if let Some(thread) = self.ready.remove(drawn) {
                self.ready.push_front(thread);
            }
        }
    }

    /// Lets the other ready threads run first.
    pub(super) fn yield_turn(&mut self, thread: ThreadId) {
        if self.ready.front() == Some(&thread) {
            self.ready.rotate_left(1);
        }
    }
}

/// Whether the exit is about an access that other threads' exits can allow.
const fn is_refusal(exit: &Exit) -> bool {
    matches!(exit, Exit::Fault { .. })
}

/// The order in which a run's exits took effect, by its log: for [`Schedule::Recorded`].
pub fn exit_order(log: &Log) -> Order {
    let mut order = Order::default();
    // Faults that were sent to somebody, with which a thread ends if he says so.
    let mut faults = BTreeMap::new();
    // Whose next port access is a hypercall's.
    let mut port = None;
    for event in &log.events {
        let Some(thread) = event.thread else { continue };
        let is_exit = match &event.kind {
            EventKind::Hypercall { call, status, .. } => {
                let of_port = matches!(call, Some(Hypercall::PortRead | Hypercall::PortWrite));
                port = (of_port && *status == Status::Ok).then_some(thread);
                true
            }
            EventKind::Port { .. } => port.take() != Some(thread),
            EventKind::Return { .. } => true,
            EventKind::Faulted { fault, .. } => {
                order.exits.push(thread);
                faults.insert(thread, fault);
                continue;
            }
            EventKind::Ended { end: End::Killed(KillReason::Killed), .. } => {
                order.kills.push((order.exits.len() as u64, thread));
                false
            }
            EventKind::Ended { end: End::Killed(KillReason::Timeout), .. } => {
                order.timed_out = true;
                false
            }
            EventKind::Ended { end: End::Killed(reason), .. } => {
                is_own(reason) && faults.get(&thread) != Some(&reason)
            }
            _ => false,
        };
        if is_exit {
            order.exits.push(thread);
            faults.remove(&thread);
        }
    }
    order
}

/// Whether a thread ends so by what it does itself.
const fn is_own(reason: &KillReason) -> bool {
    matches!(
        reason,
        KillReason::Exception { .. }
            | KillReason::Fault { .. }
            | KillReason::Unprovided { .. }
            | KillReason::Port { .. }
            | KillReason::Unsupported { .. }
            | KillReason::Shutdown
    )
}

/// A generator of numbers that follow from the one it begins with (the finalizer and the step of
/// `SplitMix64`; Steele, Lea and Flood, OOPSLA 2014).
#[derive(Debug, Default)]
struct Generator(u64);

impl Generator {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = [(30, 0xbf58_476d_1ce4_e5b9), (27, 0x94d0_49bb_1331_11eb)]
            .iter()
            .fold(self.0, |mixed, (shift, factor)| (mixed ^ mixed >> shift).wrapping_mul(*factor));
        mixed ^ mixed >> 31
    }

    /// A number below `end`, or 0.
    fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u64
    }
}

#[cfg(test)]
mod unit {
    use super::Generator;

    #[test]
    fn the_generator_gives_the_published_numbers() {
        let mut generator = Generator(1_234_567);
        let numbers: [u64; 3] = core::array::from_fn(|_| generator.next());
        assert_eq!(
            numbers,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
        assert!((0..1000).all(|_| generator.below(3) < 3) && generator.below(0) == 0);
    }
}
