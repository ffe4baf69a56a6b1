//! What is wrong with a world, and where: first as a way through its tables, which a world from
//! a bundle has as well, then as a line and a column of the file.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use thiserror::Error;
use toml::de::{DeTable, DeValue};

/// A step from a value to one that is in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Key(&'static str),
    Item(usize),
}

/// The way from the top of a world to a value: `domain[0].caps[2].rights`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Path(Vec<Step>);

impl Path {
    /// The way to the value of a key at the top.
    pub(super) fn of(key: &'static str) -> Self {
        Self::default().key(key)
    }

    /// From here on to the value of a key.
    pub(super) fn key(mut self, key: &'static str) -> Self {
        self.0.push(Step::Key(key));
        self
    }

    /// From here on to an element.
    pub(super) fn item(mut self, index: usize) -> Self {
        self.0.push(Step::Item(index));
        self
    }

    /// A flaw of what this leads to.
    pub(super) fn flaw(self, message: impl Into<String>) -> Flaw {
        Flaw { at: self, message: message.into() }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(i, step)| match step {
            Step::Key(key) if i == 0 => f.write_str(key),
            Step::Key(key) => write!(f, ".{key}"),
            Step::Item(index) => write!(f, "[{index}]"),
        })
    }
}

/// Something that is wrong, in a world that need not come from a file.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{at}: {message}")]
pub(crate) struct Flaw {
    at: Path,
    message: String,
}

impl Flaw {
    /// The same as an error of the file that the world was read from.
    pub(super) fn in_file(self, source: &str) -> WorldError {
        WorldError::at(source, locate(source, &self.at), self.message)
    }
}

/// Where a value is in a file. If it is not there (a flaw can be that something is missing),
/// what it would be in.
fn locate(source: &str, path: &Path) -> usize {
    // Positions are needed only here, so the file is read again instead of carrying them along.
    let Ok(root) = DeTable::parse(source) else { return 0 };
    let root = root.into_inner();
    let Some((Step::Key(first), rest)) = path.0.split_first() else { return 0 };
    let Some(mut found) = root.get(*first) else { return 0 };
    for step in rest {
        let next = match (step, found.get_ref()) {
            (Step::Key(key), DeValue::Table(table)) => table.get(*key),
            (Step::Item(index), DeValue::Array(array)) => array.get(*index),
            _ => None,
        };
        let Some(next) = next else { break };
        found = next;
    }
    found.span().start
}

/// What is wrong with a world file, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}, column {column}: {message}{}", point_at(.excerpt, *.caret))]
pub struct WorldError {
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// What is wrong and what would be right.
    pub message: String,
    /// The line around the place, and where in this part the place is, from 1.
    excerpt: String,
    caret: usize,
}

/// Characters of a line that an error shows before the place, and in all.
const EXCERPT: (usize, usize) = (60, 100);

fn point_at(excerpt: &str, caret: usize) -> String {
    if excerpt.is_empty() {
        return String::new();
    }
    format!("\n    {excerpt}\n    {:>caret$}", '^')
}

impl WorldError {
    pub(super) fn at(source: &str, offset: usize, message: impl Into<String>) -> Self {
        let before = source.get(..offset).unwrap_or(source);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = source.get(start..).unwrap_or_default().lines().next().unwrap_or_default();
        let column = before[start..].chars().count() + 1;
        // A line can be as long as the file, and what is in it must not move the cursor.
        let left_out = (column - 1).saturating_sub(EXCERPT.0);
        let shown = line.chars().skip(left_out).take(EXCERPT.1);
        Self {
            line: before.matches('\n').count() + 1,
            column,
            message: message.into(),
            excerpt: shown.map(|c| if c.is_control() { ' ' } else { c }).collect(),
            caret: column - left_out,
        }
    }
}
