//! What opening the store found and put right.

use std::path::PathBuf;

/// What opening the store found and put right. Its default is a store that was closed properly.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Changes that were in the journal and not yet in the index.
    pub replayed: u64,
    /// Why the index was made anew from the journal.
    pub rebuilt: Option<Rebuilt>,
    /// Bytes cut off the journal's end: a line that a crash left half written, which nobody was
    /// told about.
    pub cut: u64,
    /// Lines of the journal that cannot be read. What they said is lost; the rest is kept.
    pub damaged: Vec<DamagedLine>,
    /// Runs that were going on and are `interrupted` now.
    pub interrupted: Vec<u64>,
    /// Files that nothing names and that were removed: blobs, spools, and what was half written.
    pub swept: u64,
    /// How many lines the journal was made shorter by, because they were about things that are
    /// gone.
    pub compacted: u64,
}

/// Why and how the index was made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// Why.
    pub why: String,
    /// Where the old one is, if there was one. It can be deleted.
    pub set_aside: Option<PathBuf>,
}

/// A line of the journal that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedLine {
    /// Its number, counted from 1.
    pub line: u64,
    /// What is wrong with it.
    pub what: String,
}
