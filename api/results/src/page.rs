//! Lists in parts.

/// A part of a list, which is ordered from the newest to the oldest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Only what is older than the thing with this number: the number of the last thing of the
    /// part before this one. Each list says what its numbers are. `None` begins with the newest.
    pub before: Option<u64>,
    /// How many things at most.
    pub limit: usize,
}

impl Page {
    /// The first part.
    #[must_use]
    pub fn first(limit: usize) -> Self {
        Self { before: None, limit }
    }

    /// The part after the thing with number `last`.
    #[must_use]
    pub fn after(last: u64, limit: usize) -> Self {
        Self { before: Some(last), limit }
    }

    /// Numbers below this one belong to the part. SQLite's integers are signed.
    pub(crate) fn below(self) -> i64 {
        self.before.map_or(i64::MAX, |number| i64::try_from(number).unwrap_or(i64::MAX))
    }

    /// The limit as SQLite takes it, where a negative one would mean none.
    pub(crate) fn limit(self) -> i64 {
        i64::try_from(self.limit).unwrap_or(i64::MAX)
    }
}
