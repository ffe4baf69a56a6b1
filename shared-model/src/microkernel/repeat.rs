//! Repeating a run: exits take effect in the order of another run's log.
//!
//! One thread's exit is *due*. It runs until it comes to it; while it does not, the others run as
//! well, a little each, for it may wait for what they store. Who comes to an exit that is not due is
//! held there.
//!
//! What a thread does between its exits has no place in the order, and where the repetition puts it
//! matters as far as mappings come and go meanwhile. The log says enough to get that right:
//!
//! - An access that was refused and is allowed by the time its exit is due is tried again.
//! - Before an exit by which a mapping goes, threads that had no access refused afterwards run ahead
//!   to their next exits: what they accessed in between they may have accessed before.
//! - A thread that had one refused runs as late as possible.
//!
//! The values that threads read from memory that others write are their own affair: between threads
//! that agree about who writes when, by exits or through the memory itself, they are the same.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

mod lines;
mod ways;

pub use lines::exit_order_of_lines;
pub use ways::ways;

use super::schedule::Turns;
use super::{Microkernel, Schedule, Step};
use crate::abi::{Hypercall, Status};
use crate::arch::Arch;
use crate::domain::ThreadId;
use crate::event::{EventKind, Log};
use crate::exit::{End, Exit, KillReason};

/// Instructions that a thread runs in a row: another one may have to store what it waits for.
pub(super) const SLICE: u64 = 10_000;
/// So many times that, all together, threads run ahead before a mapping goes.
const AHEAD: u32 = 500;
/// After so many slices without the exit that is due, also those run that are to run late.
const PATIENCE: u32 = 64;

/// What decides a run, besides its inputs.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Order {
    /// The threads whose exits took effect, one after the other.
    pub exits: Vec<ThreadId>,
    /// Threads that were killed from outside, and how many exits there had been by then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kills: Vec<(u64, ThreadId)>,
    /// After the last exit, the run's limit ended what still ran.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub timed_out: bool,
    /// Which of the exits are refused accesses, counted from 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refusals: Vec<u64>,
    /// By which of them mappings went.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmappings: Vec<u64>,
}

impl From<Vec<ThreadId>> for Order {
    fn from(exits: Vec<ThreadId>) -> Self {
        Self { exits, ..Self::default() }
    }
}

/// How far a recorded order has come.
#[derive(Clone, Debug, Default)]
pub(super) struct Repeat {
    /// How many of its exits have taken effect, and how many of its kills.
    done: usize,
    killed: usize,
    /// The recorded run's limit has been reached.
    timed_out: bool,
    /// The run is not the recorded one.
    astray: bool,
    /// Whether each thread's coming exits are refused accesses.
    coming: BTreeMap<ThreadId, VecDeque<bool>>,
    unmappings: BTreeSet<usize>,
    /// A thread that runs a little while the one whose exit is due has not reached it.
    helper: Option<ThreadId>,
    /// Slices that were used since the last exit.
    slices: u32,
    /// The exit that is due has been reached, and others run ahead of it: so many slices are left.
    ahead: Option<u32>,
    /// Exits that were reached before it was their turn.
    held: BTreeMap<ThreadId, Exit>,
}

impl Repeat {
    pub(super) fn new(order: &Order) -> Self {
        let refusals: BTreeSet<u64> = order.refusals.iter().copied().collect();
        let mut coming = BTreeMap::<_, VecDeque<_>>::new();
        for (number, &thread) in (0..).zip(&order.exits) {
            coming.entry(thread).or_default().push_back(refusals.contains(&number));
        }
        let unmappings = order.unmappings.iter().map(|&number| number as usize).collect();
        Self { coming, unmappings, ..Self::default() }
    }

    /// Whether the thread's next exit is a refused access; nothing if it has none any more.
    fn next_is_refusal(&self, thread: ThreadId) -> Option<bool> {
        self.coming.get(&thread)?.front().copied()
    }

    #[cfg(test)]
    pub(super) const fn done(&self) -> usize {
        self.done
    }

    #[cfg(test)]
    pub(super) fn hold_for_test(&mut self, thread: ThreadId, exit: Exit) {
        self.held.insert(thread, exit);
    }
}

impl Turns {
    /// The recorded order, while it is followed.
    const fn order(&self) -> Option<&Order> {
        match self.schedule() {
            Schedule::Recorded(order) if !self.repeat.astray => Some(order),
            _ => None,
        }
    }

    /// The thread whose exit is next in a recorded order.
    pub(super) fn due(&self) -> Option<ThreadId> {
        self.order()?.exits.get(self.repeat.done).copied()
    }

    #[cfg(test)]
    pub(super) fn is_held(&self, thread: ThreadId) -> bool {
        self.repeat.held.contains_key(&thread)
    }
}

impl<A: Arch> Microkernel<A> {
    /// The thread that runs while one thread's exit is due.
    pub(super) fn next_repeating(&self, due: ThreadId) -> Option<ThreadId> {
        // A hypercall that goes on was due before.
        let worker = self.workers.iter().copied().find(|&worker| self.is_ready(worker));
        let helper = || self.turns.repeat.helper.filter(|&helper| self.can_help(helper));
        let due = || Some(due).filter(|&due| self.is_ready(due));
        worker.or_else(|| due().map(|due| helper().unwrap_or(due))).or(self.ready.front().copied())
    }

    /// Whether a thread can run on towards an exit that is not due.
    fn can_help(&self, thread: ThreadId) -> bool {
        self.is_ready(thread)
            && !self.is_host_thread(thread)
            && !self.turns.repeat.held.contains_key(&thread)
    }

    /// Whether it is also to.
    fn is_to_help(&self, thread: ThreadId) -> bool {
        let repeat = &self.turns.repeat;
        let wanted = match (repeat.ahead, repeat.next_is_refusal(thread)) {
            // Nothing is known of what came after the last exit.
            (Some(left), next) => left > 0 && next == Some(false),
            (None, Some(true)) => repeat.slices > PATIENCE || self.turns.due() == Some(thread),
            (None, _) => true,
        };
        wanted && self.can_help(thread)
    }

    /// Gives up a recorded order that this run does not follow: the thread whose exit is due cannot
    /// run, and others can.
    pub(super) fn check_order(&mut self) {
        let stuck = self.turns.due().is_some_and(|due| !self.is_ready(due));
        if stuck && self.workers.is_empty() && !self.ready.is_empty() {
            self.turns.repeat.astray = true;
        }
    }

    /// Whether a recorded order is followed, in which it is said who is killed and when.
    pub(super) const fn is_repeating(&self) -> bool {
        self.turns.order().is_some()
    }

    /// Does what somebody outside did at this point of a recorded run.
    pub(super) fn repeat_interference(&mut self) -> Option<Step> {
        if self.turns.repeat.timed_out {
            return Some(Step::Idle);
        }
        // While nothing can run, time goes on before anybody outside has a say.
        let order = self.turns.order().filter(|_| !self.ready.is_empty())?;
        let done = self.turns.repeat.done;
        if let Some(&(at, thread)) = order.kills.get(self.turns.repeat.killed)
            && at <= done as u64
        {
            self.turns.repeat.killed += 1;
            // In another run, it may have ended already.
            let _ = self.kill_thread(thread);
            return Some(Step::Continued);
        }
        if order.timed_out && done >= order.exits.len() {
            self.turns.repeat.timed_out = true;
            self.time_out();
            return Some(Step::Idle);
        }
        None
    }

    /// The exit that a thread reached before it was due, now that it is its turn. What was refused
    /// to it then may be allowed by now: it tries again.
    pub(super) fn take_held(&mut self, thread: ThreadId) -> Option<Exit> {
        self.turns.repeat.held.remove(&thread).filter(|exit| !is_refusal(exit))
    }

    /// A thread has ended, or goes on elsewhere: what it had come to does not happen.
    pub(super) fn drop_held(&mut self, thread: ThreadId) {
        self.turns.repeat.held.remove(&thread);
    }

    /// Keeps an exit that is not due, or that others are to run ahead of. Gives back one that is to
    /// take effect.
    pub(super) fn hold(&mut self, thread: ThreadId, exit: Exit) -> Option<Exit> {
        let Some(due) = self.turns.due() else { return Some(exit) };
        if matches!(exit, Exit::Kicked | Exit::Budget) || thread == due && !self.let_run_ahead() {
            return Some(exit);
        }
        self.turns.repeat.held.insert(thread, exit);
        self.help(thread);
        None
    }

    /// The exit that is due has been reached: says whether others run ahead before it takes effect.
    pub(super) fn let_run_ahead(&mut self) -> bool {
        // Where nothing is counted, who runs ahead would not stop.
        let counts = self.retired().is_some();
        let repeat = &mut self.turns.repeat;
        if !counts || repeat.ahead.is_some() || !repeat.unmappings.contains(&repeat.done) {
            return false;
        }
        repeat.ahead = Some(AHEAD);
        true
    }

    /// Lets the next thread after this one run a little, so that each comes along that the one whose
    /// exit is due may wait for.
    pub(super) fn help(&mut self, after: ThreadId) {
        let repeat = &mut self.turns.repeat;
        repeat.slices = repeat.slices.saturating_add(1);
        repeat.ahead = repeat.ahead.map(|left| left.saturating_sub(1));
        let others = || self.ready.iter().copied().filter(|&other| self.is_to_help(other));
        let next = others().filter(|&other| other > after).min().or_else(|| others().min());
        self.turns.end_slice();
        self.turns.repeat.helper = next;
    }

    /// An exit of the thread takes effect.
    pub(super) fn repeated(&mut self, thread: ThreadId) {
        let is_due = self.turns.due() == Some(thread);
        let repeat = &mut self.turns.repeat;
        if is_due {
            repeat.done += 1;
            (repeat.helper, repeat.slices, repeat.ahead) = (None, 0, None);
            if let Some(coming) = repeat.coming.get_mut(&thread) {
                coming.pop_front();
            }
        }
        repeat.held.retain(|_, exit| !is_refusal(exit));
    }
}

/// Whether the exit is about an access that other threads' exits can allow.
const fn is_refusal(exit: &Exit) -> bool {
    matches!(exit, Exit::Fault { .. })
}

/// What decided a run, by its log: for [`Schedule::Recorded`].
pub fn exit_order(log: &Log) -> Order {
    let mut builder = Builder::default();
    for event in &log.events {
        if let EventKind::Unmapped { .. } = event.kind {
            builder.unmapped();
        }
        let Some(thread) = event.thread else { continue };
        match &event.kind {
            EventKind::Hypercall { call, status, .. } => {
                builder.hypercall(thread, *call, *status);
            }
            EventKind::Port { .. } => builder.port(thread),
            EventKind::Return { .. } => builder.exit(thread, false),
            EventKind::Faulted { fault, .. } => {
                builder.faulted(thread, fault, matches!(fault, KillReason::Fault { .. }));
            }
            EventKind::Ended { end: End::Killed(reason), .. } => {
                builder.killed(thread, reason, Ending::of(reason));
            }
            _ => {}
        }
    }
    builder.order
}

/// Of how a thread was killed, what matters to the order of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ending {
    /// By what it did itself; perhaps by an access that was refused.
    Own { is_refusal: bool },
    /// By somebody outside.
    Killed,
    /// By the run's limit.
    TimedOut,
    /// By what others did.
    Other,
}

impl Ending {
    const fn of(reason: &KillReason) -> Self {
        match reason {
            KillReason::Fault { .. } => Self::Own { is_refusal: true },
            reason if is_own(reason) => Self::Own { is_refusal: false },
            KillReason::Killed => Self::Killed,
            KillReason::Timeout => Self::TimedOut,
            _ => Self::Other,
        }
    }
}

/// Makes an order of a log, whatever it is read as. `F` is a fault.
struct Builder<F> {
    order: Order,
    /// Faults that were sent to somebody, with which a thread ends if he says so.
    faults: BTreeMap<ThreadId, F>,
    /// Whose next port access is a hypercall's.
    port: Option<ThreadId>,
}

impl<F> Default for Builder<F> {
    fn default() -> Self {
        Self { order: Order::default(), faults: BTreeMap::new(), port: None }
    }
}

impl<F: PartialEq> Builder<F> {
    fn unmapped(&mut self) {
        // Nothing goes before the first exit.
        let Some(last) = self.order.exits.len().checked_sub(1) else { return };
        if self.order.unmappings.last() != Some(&(last as u64)) {
            self.order.unmappings.push(last as u64);
        }
    }

    fn exit(&mut self, thread: ThreadId, is_refusal: bool) {
        self.note(thread, is_refusal);
        self.faults.remove(&thread);
    }

    fn note(&mut self, thread: ThreadId, is_refusal: bool) {
        if is_refusal {
            self.order.refusals.push(self.order.exits.len() as u64);
        }
        self.order.exits.push(thread);
    }

    fn hypercall(&mut self, thread: ThreadId, call: Option<Hypercall>, status: Status) {
        let of_port = matches!(call, Some(Hypercall::PortRead | Hypercall::PortWrite));
        self.port = (of_port && status == Status::Ok).then_some(thread);
        self.exit(thread, false);
    }

    fn port(&mut self, thread: ThreadId) {
        if self.port.take() != Some(thread) {
            self.exit(thread, false);
        }
    }

    fn faulted(&mut self, thread: ThreadId, fault: F, is_refusal: bool) {
        self.note(thread, is_refusal);
        self.faults.insert(thread, fault);
    }

    fn killed(&mut self, thread: ThreadId, reason: F, ending: Ending) {
        match ending {
            Ending::Own { is_refusal } if self.faults.get(&thread) != Some(&reason) => {
                self.exit(thread, is_refusal);
            }
            Ending::Killed => self.order.kills.push((self.order.exits.len() as u64, thread)),
            Ending::TimedOut => self.order.timed_out = true,
            Ending::Own { .. } | Ending::Other => {}
        }
    }
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
