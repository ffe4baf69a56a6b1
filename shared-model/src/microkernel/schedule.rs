//! Whose turn it is.
//!
//! Exits are where a schedule decides, because they are the same on every backend. Where in its code
//! a thread is stopped otherwise is known only to a backend that counts instructions.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::Microkernel;
use super::repeat::{self, Order, Repeat};
use crate::arch::Arch;
use crate::domain::{LifecycleError, ThreadId, ThreadState};
use crate::world::World;

/// The order in which threads take turns.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
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
    /// Exits take effect in this order, that of [`exit_order`](super::exit_order) of another run's
    /// log. What threads do between their exits goes on meanwhile. If a thread is named that cannot
    /// have a turn, this is another run, and the rest of it is cooperative.
    ///
    /// A hypercall that took several turns is done in one.
    Recorded(Order),
    /// Threads run at the same time, and their exits take effect as they come: see
    /// [`super::Turn`]. A machine that is asked for one step after the other runs them
    /// cooperatively.
    Parallel,
}

impl Schedule {
    /// Whether it is the usual one, which logs do not mention.
    pub const fn is_cooperative(&self) -> bool {
        matches!(self, Self::Cooperative)
    }

    /// The usual one of a world whose threads are run one at a time. In one that is meant to run in
    /// parallel, a thread may wait for another by looking at memory again and again, so nobody has
    /// the processor for long.
    pub const fn alone(world: &World) -> Self {
        match world.schedule.parallel {
            true => Self::Seeded { seed: 0, preempt: Some(10_000) },
            false => Self::Cooperative,
        }
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

/// A schedule, and how far it has come.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns {
    schedule: Schedule,
    /// Draws threads.
    exits: Generator,
    /// Draws lengths of turns: apart, so that counting instructions changes no other draw.
    slices: Generator,
    /// The thread whose turn it is and the count of instructions at which that ends.
    slice: Option<(ThreadId, u64)>,
    /// How far a recorded order has come.
    pub(super) repeat: Repeat,
}

impl Turns {
    /// Whoever runs next begins a turn.
    pub(super) const fn end_slice(&mut self) {
        self.slice = None;
    }

    pub(super) const fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// What decides what comes next. When the next turn ends by itself is not part of it: that is
    /// drawn when somebody tries to run.
    pub(super) fn progress(&self) -> impl fmt::Debug {
        (&self.exits, &self.repeat)
    }

    /// The longest turn, where turns are limited.
    fn longest(&self) -> Option<u64> {
        match self.schedule {
            Schedule::Seeded { preempt, .. } => preempt,
            Schedule::Recorded(_) => self.due().map(|_| repeat::SLICE),
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
        if let Schedule::Recorded(order) = &schedule {
            turns.repeat = Repeat::new(order);
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
        match self.turns.due() {
            Some(due) => self.next_repeating(due),
            None => self.ready.front().copied(),
        }
    }

    pub(super) fn is_ready(&self, thread: ThreadId) -> bool {
        let found = self.threads.get(thread.0 as usize);
        found.is_some_and(|thread| thread.state == ThreadState::Ready)
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
        self.repeated(thread);
    }

    /// After an exit: decides whose turn is next.
    pub(super) fn choose_next(&mut self) {
        self.turns.end_slice();
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

/// A generator of numbers that follow from the one it begins with (the finalizer and the step of
/// `SplitMix64`; Steele, Lea and Flood, OOPSLA 2014).
#[derive(Clone, Debug, Default)]
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
