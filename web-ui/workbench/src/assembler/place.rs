//! Where something is in the text.

/// A part of a line. Lines and columns are counted from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) length: usize,
}

impl Place {
    /// From here to the end of another one on the same line.
    pub(super) fn to(self, end: Self) -> Self {
        let length = (end.column + end.length).saturating_sub(self.column).max(1);
        Self { length, ..self }
    }
}
