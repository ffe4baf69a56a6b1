//! Going on.
//!
//! A run is a row of moments. From one to the next, the thread whose turn it is retires one
//! instruction, or the microkernel does something, or both. A moment's position counts the
//! instructions and those steps of the microkernel; so it never stays the same, and does not depend
//! on how far the run was asked to go at a time. What the microkernel decides depends on exits, and on
//! turns whose length is counted from where they began, and never on where a run was interrupted.

use shared_model::laboratory::{Goal, Position, Stopped, Stops};
use shared_model::microkernel::Step;
use shared_model::session::{Request, Session};

use super::Laboratory;
use super::stops::Armed;
use crate::SimArch;

/// Instructions that a step of the microkernel counts as, where it is about how long it takes.
const STEP_COST: u64 = 64;
/// And an event of the log: it will be written out, and there must not be too many at a time.
const EVENT_COST: u64 = 256;

/// What is left to do of an advance.
struct Course {
    goal: Goal,
    /// Single steps that are left.
    singles: u64,
    /// What is left of the budget.
    budget: u64,
}

impl Laboratory {
    pub(super) fn advance(
        &mut self,
        session: &mut Session<SimArch>,
        goal: Goal,
        stops: &Stops,
        budget: u64,
    ) -> Stopped {
        let seen = self.seen == Some(self.position(session));
        let singles = if let Goal::Single(count) = goal { count } else { 0 };
        let armed = Armed::new(session, stops, seen);
        let stopped = self.run(session, armed, Course { goal, singles, budget });
        Armed::disarm(session);
        self.seen = (stopped != Stopped::Budget).then(|| self.position(session));
        stopped
    }

    fn run(
        &mut self,
        session: &mut Session<SimArch>,
        mut armed: Armed,
        mut course: Course,
    ) -> Stopped {
        loop {
            let position = self.position(session);
            let events = session.kernel().event_log().len();
            if course.is_done(position, events) {
                return Stopped::Goal;
            }
            if self.is_over {
                return Stopped::Over;
            }
            if course.budget == 0 {
                return Stopped::Budget;
            }
            let thread = session.kernel().current().map(|(thread, _)| thread);
            let most = course.most(position).min(course.budget);
            let handled = self.step(session, most);
            let now = self.position(session);
            let used = now.retired - position.retired;
            let new = (session.kernel().event_log().len() - events) as u64;
            let cost = used + u64::from(handled) * STEP_COST + new * EVENT_COST;
            course.budget = course.budget.saturating_sub(cost);
            course.singles = course.singles.saturating_sub(u64::from(now != position));
            if let Some(stopped) = armed.look(session, events, thread, handled) {
                return stopped;
            }
            if course.goal == Goal::Hypercall && has_hypercall(session, events) {
                return Stopped::Goal;
            }
        }
    }

    /// Goes on up to the next exit, for so many instructions at most. Says whether the microkernel did
    /// anything but run a thread.
    fn step(&mut self, session: &mut Session<SimArch>, most: u64) -> bool {
        match session.kernel_mut().step(most) {
            // Nobody kicks anybody here.
            Step::Budget(_) | Step::Kicked(_) => return false,
            Step::Continued => {}
            // A world's host domains run services, so nobody is there to make its calls.
            Step::Host(thread) => {
                let killed = session.handle(Request::Kill(thread));
                debug_assert!(killed.is_ok(), "it was its turn");
            }
            Step::Idle => {
                session.kernel_mut().finish();
                self.is_over = true;
            }
        }
        self.steps += 1;
        true
    }
}

impl Course {
    /// Whether this moment is where to go.
    fn is_done(&self, position: Position, events: usize) -> bool {
        match self.goal {
            Goal::Single(_) => self.singles == 0,
            Goal::Position(goal) => position >= goal,
            Goal::Events(goal) => events >= goal,
            Goal::Hypercall | Goal::End => false,
        }
    }

    /// How many instructions can be retired without going too far.
    fn most(&self, position: Position) -> u64 {
        match self.goal {
            Goal::Single(_) => 1,
            // With all instructions retired, steps are missing: they come before the next one does,
            // or not at all.
            Goal::Position(goal) => goal.retired.saturating_sub(position.retired).max(1),
            Goal::Events(_) | Goal::Hypercall | Goal::End => u64::MAX,
        }
    }
}

fn has_hypercall(session: &Session<SimArch>, from: usize) -> bool {
    use shared_model::event::EventKind;
    let events = session.kernel().event_log().since(from);
    events.iter().any(|event| matches!(event.kind, EventKind::Hypercall { .. }))
}
