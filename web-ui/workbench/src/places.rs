//! Places in a text, and what is wrong there.

use serde::Serialize;

/// Something that is wrong at a place of a text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Complaint {
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// How many characters, at least 1.
    pub length: usize,
    /// What is wrong, and what to do.
    pub message: String,
}
