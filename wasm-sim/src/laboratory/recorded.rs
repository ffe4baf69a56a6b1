//! A log that is repeated, and whether the run is still the same.

use shared_model::laboratory;
use shared_model::microkernel::EventLog;

/// A log beside the one that comes into being. It stays text, of which a line is looked into only
/// where it differs.
pub(super) struct Recorded {
    /// The lines of its events.
    lines: String,
    /// Where the next of them begins.
    at: usize,
    /// How many of its events the run has had.
    same: usize,
    /// The event that the run had another one instead of.
    astray: Option<usize>,
}

impl Recorded {
    /// What comes after the header of a log.
    pub(super) fn new(log: &str) -> Self {
        let events = log.split_once('\n').map_or("", |(_, events)| events);
        Self { lines: events.into(), at: 0, same: 0, astray: None }
    }

    /// The first event that is another in the run, whose log this is.
    pub(super) fn astray(&mut self, run: &EventLog) -> Option<usize> {
        while self.astray.is_none()
            && let Some(event) = run.since(self.same).first()
            && let Some(line) = self.lines[self.at..].lines().next()
        {
            let own = laboratory::lines(std::slice::from_ref(event));
            let own = own.trim_ascii_end();
            if own != line.as_bytes() && !laboratory::are_alike(own, line.as_bytes()) {
                self.astray = Some(self.same);
            }
            self.at = (self.at + line.len() + 1).min(self.lines.len());
            self.same += 1;
        }
        self.astray
    }
}
