//! Parallel mode: every thread runs on a host thread of its own.
//!
//! A driver keeps the microkernel behind one lock. The host thread of each thread asks what to do
//! ([`Microkernel::turn`]), runs its thread without the lock, and comes back to have the exit
//! handled. What happens between two exits of a thread is its own; everything else happens under the
//! lock, an exit at a time, so the order of exits decides it all: ticks are counted per exit, time
//! goes on when no thread can run, and what follows from an exit is done before the next. The same
//! order of exits in a machine that runs one thread at a time ([`super::Schedule::Recorded`]) is
//! therefore the same log.
//!
//! - The order of the ready threads means nothing here; they are a set.
//! - A hypercall that takes several turns is done in one: what is removed in it is bounded by
//!   quotas, and others run on in their guests meanwhile.
//! - An exit of a thread that was suspended in the meantime waits until it is resumed, and does not
//!   happen if somebody gives the thread other registers before.

use super::{Microkernel, Schedule, Step};
use crate::arch::{Arch, Kick as _, Parallel};
use crate::domain::{ThreadId, ThreadState};
use crate::exit::Exit;
use crate::world::KillAfter;

/// What the host thread of a thread is to do next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    /// Have the last run's exit handled, if there is one; else run the thread.
    Run,
    /// The thread's code is the host's: make it take a step, under the lock.
    Host,
    /// Nothing, until some exit has been handled.
    Wait,
    /// Nothing any more.
    Ended,
}

impl<A: Arch> Microkernel<A> {
    /// Whether threads run at the same time.
    pub(super) fn is_parallel(&self) -> bool {
        self.turns.schedule().is_parallel()
    }

    /// What the thread's host thread is to do.
    pub fn turn(&self, thread: ThreadId) -> Turn {
        let state = self.threads.get(thread.0 as usize).map(|thread| thread.state);
        match state {
            _ if self.finished => Turn::Ended,
            Some(ThreadState::Ready) if self.is_host_thread(thread) => Turn::Host,
            Some(ThreadState::Ready) => Turn::Run,
            Some(ThreadState::Blocked | ThreadState::Suspended) => Turn::Wait,
            Some(ThreadState::Dead) | None => Turn::Ended,
        }
    }

    /// Threads that there are or were: their numbers are those below.
    pub fn thread_count(&self) -> u32 {
        self.threads.len() as u32
    }

    /// When a thread is to be killed from outside, counted from its first run.
    pub fn kill_after(&self, thread: ThreadId) -> Option<KillAfter> {
        self.threads.get(thread.0 as usize)?.kill_after
    }

    /// A thread is about to run. Its next exit is one of the registers that it has now.
    pub fn begin_run(&mut self, thread: ThreadId) {
        self.moved.remove(&thread);
    }

    /// Handles the exit that a thread's run ended with, and what follows from it. The thread's turn
    /// is [`Turn::Run`].
    pub fn handle_exit(&mut self, thread: ThreadId, exit: Exit) {
        let happens = !self.moved.remove(&thread) && self.turn(thread) == Turn::Run;
        if !happens || matches!(exit, Exit::Kicked | Exit::Budget) {
            return;
        }
        if self.is_log_full() {
            self.time_out();
            return;
        }
        self.exited(thread, exit);
        self.finish_work(thread);
        self.settle_turns();
    }

    /// Lets a thread whose code is the host's take a step. [`Step::Host`] says that the code is not
    /// the model's: the caller makes the hypercall.
    pub fn take_step(&mut self, thread: ThreadId) -> Step {
        if self.turn(thread) != Turn::Host {
            return Step::Continued;
        }
        if self.is_log_full() {
            self.time_out();
            return Step::Continued;
        }
        let step = self.run_service(thread);
        self.finish_work(thread);
        self.settle_turns();
        step
    }

    /// Whether no thread can run, and none will by itself. What was asked for from outside has its
    /// consequences before.
    pub fn is_over(&mut self) -> bool {
        self.settle_turns();
        self.ready.is_empty()
    }

    pub(super) fn finish_work(&mut self, thread: ThreadId) {
        while self.thread(thread).work.is_some() {
            self.continue_work(thread);
            self.handled();
        }
    }

    /// Does what comes before any further exit.
    pub(super) fn settle_turns(&mut self) {
        loop {
            if !self.orphans.is_empty() {
                self.reap_orphans();
                self.end_hopeless_waits();
            } else if !self.ready.is_empty() || self.is_log_full() || !self.advance_time() {
                return;
            }
        }
    }

    /// Whether the log has as many events as the run may have.
    pub(super) fn is_log_full(&self) -> bool {
        self.events.len() as u64 >= self.bundle.world.limits.events
    }

    /// A thread is suspended: it leaves its guest before this returns, and its host thread, which
    /// may be on its way there, comes back.
    pub(super) fn stop_running(&mut self, thread: ThreadId) {
        if self.is_parallel() && !self.is_host_thread(thread) {
            self.arch.kicker(thread).kick();
            self.arch.registers(thread);
        }
    }

    /// A thread has got other registers: an exit that it had come to does not happen.
    pub(super) fn goes_on_elsewhere(&mut self, thread: ThreadId) {
        self.drop_held(thread);
        if self.is_parallel() {
            self.moved.insert(thread);
        }
    }
}

impl<A: Parallel> Microkernel<A> {
    /// What runs the thread, for its host thread. Nothing for a thread without a processor.
    pub fn runner(&self, thread: ThreadId) -> Option<A::Runner> {
        let has_processor = self.turn(thread) != Turn::Ended && !self.is_host_thread(thread);
        has_processor.then(|| self.arch.runner(thread))
    }

    /// As [`Microkernel::handle_exit`], of what a runner brought.
    pub fn complete_run(&mut self, thread: ThreadId, raw: A::Raw) {
        if self.turn(thread) == Turn::Run {
            let exit = self.arch.complete(thread, raw);
            self.handle_exit(thread, exit);
        }
    }
}

impl Schedule {
    /// Whether threads run at the same time.
    pub const fn is_parallel(&self) -> bool {
        matches!(self, Self::Parallel)
    }
}
