//! What is wrong with a text: everything, up to a limit.

use super::place::Place;
use crate::places::Complaint;

/// Complaints that somebody reads.
const COMPLAINTS_MAX: usize = 100;
/// Characters of a message: a name in it may be as long as the line.
const MESSAGE_MAX: usize = 400;

/// What is wrong.
#[derive(Default)]
pub(super) struct Complaints(Vec<Complaint>);

impl Complaints {
    pub(super) fn add(&mut self, place: Place, message: impl Into<String>) {
        if self.is_full() {
            return;
        }
        let Place { line, column, length } = place;
        let mut message: String = message.into();
        if let Some((end, _)) = message.char_indices().nth(MESSAGE_MAX) {
            message.truncate(end);
            message.push('…');
        }
        let complaint = Complaint { line, column, length, message };
        if !self.0.contains(&complaint) {
            self.0.push(complaint);
        }
    }

    /// Whether nothing more is added.
    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= COMPLAINTS_MAX
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, in the order of the text.
    pub(super) fn into_sorted(mut self) -> Vec<Complaint> {
        self.0.sort();
        self.0
    }
}
