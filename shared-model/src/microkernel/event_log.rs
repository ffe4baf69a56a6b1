//! The log while a run goes on, of which events can be given up that somebody else has.

use alloc::vec::Vec;
use core::fmt;

use crate::event::{Event, EventKind};

/// The events of a run so far. Numbers are those of the whole log, whatever is kept of it.
#[derive(Clone, Default)]
pub struct EventLog {
    kept: Vec<Event>,
    /// How many were there before those.
    forgotten: usize,
    /// Of their lines.
    hash: Running,
}

impl EventLog {
    /// How many events there were, forgotten ones among them.
    pub const fn len(&self) -> usize {
        self.forgotten + self.kept.len()
    }

    /// Whether nothing has happened.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many of the first events are not kept any more.
    pub const fn forgotten(&self) -> usize {
        self.forgotten
    }

    /// Those that are kept: all, unless somebody has asked for less.
    pub fn kept(&self) -> &[Event] {
        &self.kept
    }

    /// The events from this number on; none where some of them are forgotten.
    pub fn since(&self, from: usize) -> &[Event] {
        let start = from.checked_sub(self.forgotten);
        start.and_then(|start| self.kept.get(start..)).unwrap_or_default()
    }

    /// Gives up the events before this number. `seen` gets each of them with its number and its line.
    pub fn forget(&mut self, before: usize, mut seen: impl FnMut(usize, &Event, &[u8])) {
        let count = before.saturating_sub(self.forgotten).min(self.kept.len());
        for event in self.kept.drain(..count) {
            let line = line(&event);
            self.hash.add(&line);
            seen(self.forgotten, &event, &line);
            self.forgotten += 1;
        }
    }

    pub(super) fn push(&mut self, event: Event) {
        self.kept.push(event);
    }

    /// What an event says, which is still being found out.
    pub(super) fn kind_mut(&mut self, number: usize) -> &mut EventKind {
        &mut self.kept[number - self.forgotten].kind
    }

    /// What a test takes out of the log, it has never had.
    #[cfg(test)]
    pub(super) const fn kept_mut(&mut self) -> &mut Vec<Event> {
        &mut self.kept
    }

    /// A hash of all lines there were.
    pub(super) fn hash(&self) -> [u64; 2] {
        let mut hash = self.hash;
        self.kept.iter().for_each(|event| hash.add(&line(event)));
        hash.0
    }
}

/// A hash of the lines so far. A long log is hashed while it is written, in which a cryptographic
/// hash would take most of the time; and nobody gains anything by a log that has the hash of another.
#[derive(Clone, Copy)]
struct Running([u64; 2]);

impl Default for Running {
    /// Of no lines. From zero, empty lines would lead nowhere.
    fn default() -> Self {
        Self([0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344])
    }
}

impl Running {
    fn add(&mut self, line: &[u8]) {
        let (words, rest) = line.as_chunks();
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        words.iter().chain([&last]).for_each(|&word| self.mix(u64::from_le_bytes(word)));
        self.mix(line.len() as u64);
    }

    /// Two hashes side by side, each of which keeps apart what differs in one word.
    const fn mix(&mut self, word: u64) {
        let Self([one, other]) = self;
        *one = (one.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        *other = (*other ^ word).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
        *other ^= *other >> 29;
    }
}

impl fmt::Debug for EventLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} events, {} of them forgotten", self.len(), self.forgotten)
    }
}

fn line(event: &Event) -> Vec<u8> {
    serde_json::to_vec(event).expect("an event is plain data")
}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec::Vec;

    use super::{EventLog, Running, line};
    use crate::domain::DomainId;
    use crate::event::{Event, EventKind};
    use proptest::prelude::{any, prop_assert_eq, prop_assert_ne, proptest};
    use proptest::sample::Index;

    fn event(value: u64) -> Event {
        Event { domain: DomainId(1), thread: None, kind: EventKind::Return { value } }
    }

    proptest! {
        #[test]
        fn other_lines_have_another_hash(
            lines in proptest::collection::vec("[ -~]{0,40}", 1..8),
            place in any::<(Index, Index)>(),
            byte in 0_u8..32,
        ) {
            let hash = |lines: &[Vec<u8>]| {
                let mut hash = Running::default();
                lines.iter().for_each(|line| hash.add(line));
                hash.0
            };
            let lines: Vec<Vec<u8>> = lines.into_iter().map(String::into_bytes).collect();
            let mut others = lines.clone();
            let line = place.0.get_mut(&mut others);
            line.insert(place.1.index(line.len() + 1), byte);
            let longer = hash(&others);
            prop_assert_ne!(longer, hash(&lines));
            let line = place.0.get_mut(&mut others);
            *place.1.get_mut(line) ^= 1;
            prop_assert_ne!(hash(&others), longer);
            // Where a line ends makes a difference, too.
            others.insert(place.0.index(others.len()), Vec::new());
            prop_assert_ne!(hash(&others), longer);
            prop_assert_ne!(hash(&[lines.concat()]), hash(&[lines.concat(), Vec::new()]));
        }

        #[test]
        fn what_is_forgotten_still_counts(
            forgets in proptest::collection::vec(proptest::option::of(0..60_usize), 1..60),
        ) {
            let (mut all, mut log) = (EventLog::default(), EventLog::default());
            let mut told = Vec::new();
            for (value, before) in (0_u64..).zip(forgets) {
                all.push(event(value));
                log.push(event(value));
                let before = before.unwrap_or(0);
                log.forget(before, |number, event, bytes| {
                    assert_eq!(bytes, line(event));
                    told.push((number, event.clone()));
                });
                prop_assert_eq!(log.len(), all.len());
                prop_assert_eq!(log.hash(), all.hash());
                prop_assert_eq!(log.since(log.forgotten()), log.kept());
                prop_assert_eq!(log.since(log.len() + 1), &[]);
                if log.forgotten() > 0 {
                    prop_assert_eq!(log.since(log.forgotten() - 1), &[]);
                }
            }
            let numbers: Vec<usize> = told.iter().map(|(number, _)| *number).collect();
            prop_assert_eq!(numbers, (0..log.forgotten()).collect::<Vec<_>>());
            let events = told.into_iter().map(|(_, event)| event);
            let whole: Vec<Event> = events.chain(log.kept().iter().cloned()).collect();
            prop_assert_eq!(whole.as_slice(), all.kept());
        }
    }
}
