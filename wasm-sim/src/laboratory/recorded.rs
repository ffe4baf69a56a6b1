//! A log that is repeated, and whether the run is still the same.

use shared_model::event::{Event, EventKind, Log};
use shared_model::registers::Registers;

/// A log beside the one that comes into being.
pub(super) struct Recorded {
    events: Vec<Event>,
    /// How many of its events the run has had.
    same: usize,
    /// The event that the run had another one instead of.
    astray: Option<usize>,
}

impl Recorded {
    pub(super) fn new(log: Log) -> Self {
        Self { events: log.events, same: 0, astray: None }
    }

    /// The first event that is another in the run, whose events so far these are.
    pub(super) fn astray(&mut self, run: &[Event]) -> Option<usize> {
        while self.astray.is_none()
            && let (Some(recorded), Some(event)) = (self.events.get(self.same), run.get(self.same))
        {
            if recorded != event && !are_alike(recorded, event) {
                self.astray = Some(self.same);
            } else {
                self.same += 1;
            }
        }
        self.astray
    }
}

/// Whether two events differ only in what hosts may show differently.
fn are_alike(one: &Event, other: &Event) -> bool {
    let [one, other] = [one, other].map(comparable);
    one == other
}

fn comparable(event: &Event) -> Event {
    let mut event = event.clone();
    match &mut event.kind {
        EventKind::Ended { end, registers, undefined_flags, at } => {
            *undefined_flags = 0;
            registers.rflags = 0;
            if end.is_asynchronous() {
                *registers = Registers::default();
                *at = None;
            }
        }
        // What a thread that was stopped left in memory depends on when that was.
        EventKind::Memory { digest, .. } => *digest = shared_model::event::Digest::of([]),
        EventKind::MemoryTotal { zero, .. } => *zero = 0,
        _ => {}
    }
    event
}
