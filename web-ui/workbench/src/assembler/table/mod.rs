//! The instructions: how each is called, what it takes, and its encodings.
//!
//! A [`Row`] has encodings, in the order in which they are tried, and a [`Shape`] with what each
//! of them takes. Many rows have the same shape. Of the encodings that fit, the shortest is chosen,
//! and of equally short ones the first: the same that GNU as chooses.

use iced_x86::Code;

use super::want::Want;
pub(super) use shapes::Shape;

mod arithmetic;
mod conditions;
mod control;
mod moves;
mod shapes;
mod strings;

/// Which prefixes an instruction can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prefixes {
    /// None.
    Plain,
    /// `lock`, if it writes to memory.
    Lock,
    /// `rep`.
    Rep,
    /// `repe` and `repne`.
    Repe,
}

/// An instruction.
pub(super) struct Row {
    /// What it is called.
    pub(super) names: &'static [&'static str],
    /// What it does.
    pub(super) about: &'static str,
    pub(super) prefixes: Prefixes,
    shape: Shape,
    codes: &'static [Code],
}

const fn row(
    names: &'static [&'static str],
    about: &'static str,
    prefixes: Prefixes,
    shape: Shape,
    codes: &'static [Code],
) -> Row {
    assert!(shape.len() == codes.len(), "each encoding takes something");
    Row { names, about, prefixes, shape, codes }
}

impl Row {
    /// Its encodings, and what they take.
    pub(super) fn forms(&self) -> impl Iterator<Item = (Code, &'static [Want])> + Clone {
        self.codes.iter().copied().zip(self.shape.iter().copied())
    }
}

/// All of them.
pub(super) fn rows() -> impl Iterator<Item = &'static Row> {
    [moves::ROWS, arithmetic::ROWS, conditions::ROWS, control::ROWS, strings::ROWS]
        .into_iter()
        .flatten()
}

/// The row of an instruction, by its name in lower case.
pub(super) fn find(name: &str) -> Option<&'static Row> {
    rows().find(|row| row.names.contains(&name))
}
