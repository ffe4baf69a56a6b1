//! Expressions: numbers, names and what is computed from them.
//!
//! A name may be that of a place, whose number is not known before everything has its place, or is
//! known only to the loader. So an expression is kept, and its value is one of two: a number, or a
//! place with a distance.

use std::cell::Cell;

use iced_x86::Register;

use super::place::Place;

/// Parts that an expression can have.
const PARTS_MAX: usize = 256;
/// Steps that computing one can take, the names in it included.
const STEPS_MAX: usize = 10_000;

/// The number of a symbol.
pub(super) type SymbolId = usize;

/// An operation on two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    ShiftLeft,
    ShiftRight,
    And,
    Or,
    Xor,
}

/// An expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expression {
    Number(i128),
    Symbol(SymbolId, Place),
    /// Only between brackets.
    Register(Register, Place),
    Negate(Box<Self>),
    Invert(Box<Self>),
    Binary(Binary, Box<Self>, Box<Self>),
}

/// The value of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    Number(i128),
    /// So many bytes after a symbol that has a place.
    Relative(SymbolId, i128),
}

/// A value, and whether it can be another one in another layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Evaluated {
    pub(super) value: Value,
    pub(super) moves: bool,
}

/// What a symbol is to an expression.
pub(super) enum Meaning<'a> {
    Constant(&'a Expression),
    /// In a section, at an offset in it.
    Label {
        section: usize,
        offset: u64,
    },
    /// In another module.
    External,
    Undefined,
}

impl Binary {
    fn apply(self, left: i128, right: i128) -> Result<i128, String> {
        let shift = || {
            u32::try_from(right)
                .ok()
                .filter(|&count| count < 64)
                .ok_or_else(|| format!("a shift by {right}: it can be 0 to 63"))
        };
        let value = match self {
            Self::Add => left + right,
            Self::Subtract => left - right,
            Self::Multiply => left.checked_mul(right).ok_or_else(too_large)?,
            Self::Divide if right != 0 => left / right,
            Self::Remainder if right != 0 => left % right,
            Self::Divide | Self::Remainder => return Err("a division by zero".into()),
            Self::ShiftLeft => left << shift()?,
            Self::ShiftRight => left >> shift()?,
            Self::And => left & right,
            Self::Or => left | right,
            Self::Xor => left ^ right,
        };
        in_range(value)
    }
}

fn too_large() -> String {
    "the value has more than 64 bits".into()
}

fn in_range(value: i128) -> Result<i128, String> {
    if (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&value) {
        Ok(value)
    } else {
        Err(too_large())
    }
}

impl Expression {
    /// A part, if the expression does not become too long by it.
    pub(super) fn binary(operation: Binary, left: Self, right: Self) -> Self {
        Self::Binary(operation, Box::new(left), Box::new(right))
    }

    /// A register in it.
    pub(super) fn register(&self) -> Option<(Register, Place)> {
        match self {
            Self::Register(register, place) => Some((*register, *place)),
            Self::Number(_) | Self::Symbol(..) => None,
            Self::Negate(inner) | Self::Invert(inner) => inner.register(),
            Self::Binary(_, left, right) => left.register().or_else(|| right.register()),
        }
    }

    /// Its value. `meaning` says what a symbol is.
    pub(super) fn evaluate<'a>(
        &'a self,
        meaning: &impl Fn(SymbolId) -> Meaning<'a>,
    ) -> Result<Evaluated, String> {
        self.value(meaning, 0, &Cell::new(STEPS_MAX))
    }

    fn value<'a>(
        &'a self,
        meaning: &impl Fn(SymbolId) -> Meaning<'a>,
        depth: usize,
        steps: &Cell<usize>,
    ) -> Result<Evaluated, String> {
        steps.set(steps.get().saturating_sub(1));
        if depth > 2 * PARTS_MAX || steps.get() == 0 {
            return Err("a name that is defined by itself, or by a very long row of others".into());
        }
        let fixed = |number| Evaluated { value: Value::Number(number), moves: false };
        match self {
            Self::Number(number) => Ok(fixed(in_range(*number)?)),
            Self::Register(..) => Err("a register stands only between [ and ]".into()),
            Self::Symbol(symbol, _) => match meaning(*symbol) {
                Meaning::Constant(expression) => expression.value(meaning, depth + 8, steps),
                Meaning::Label { .. } => {
                    Ok(Evaluated { value: Value::Relative(*symbol, 0), moves: true })
                }
                Meaning::External => {
                    Ok(Evaluated { value: Value::Relative(*symbol, 0), moves: false })
                }
                Meaning::Undefined => Err(String::new()),
            },
            Self::Negate(inner) | Self::Invert(inner) => {
                let Evaluated { value, moves } = inner.value(meaning, depth + 1, steps)?;
                let Value::Number(number) = value else { return Err(not_a_number()) };
                let number = match self {
                    Self::Negate(_) => -number,
                    // Of 64 bits, so that ~0xff is what it is in C.
                    _ => !number,
                };
                Ok(Evaluated { value: Value::Number(in_range(number)?), moves })
            }
            Self::Binary(operation, left, right) => {
                let left = left.value(meaning, depth + 1, steps)?;
                let right = right.value(meaning, depth + 1, steps)?;
                combine(*operation, left, right, meaning)
            }
        }
    }
}

fn not_a_number() -> String {
    "the address of a label is known only when the module is loaded: it can be added to, and two \
     labels of a section can be subtracted, nothing else"
        .into()
}

fn combine<'a>(
    operation: Binary,
    left: Evaluated,
    right: Evaluated,
    meaning: &impl Fn(SymbolId) -> Meaning<'a>,
) -> Result<Evaluated, String> {
    use Value::{Number, Relative};
    let moves = left.moves || right.moves;
    let value = match (operation, left.value, right.value) {
        (_, Number(left), Number(right)) => Number(operation.apply(left, right)?),
        (Binary::Add, Relative(symbol, distance), Number(number))
        | (Binary::Add, Number(number), Relative(symbol, distance)) => {
            Relative(symbol, in_range(distance + number)?)
        }
        (Binary::Subtract, Relative(symbol, distance), Number(number)) => {
            Relative(symbol, in_range(distance - number)?)
        }
        (Binary::Subtract, Relative(end, after_end), Relative(start, after_start)) => {
            let between = match (meaning(end), meaning(start)) {
                (
                    Meaning::Label { section: a, offset: end },
                    Meaning::Label { section: b, offset: start },
                ) if a == b => i128::from(end) - i128::from(start),
                _ if end == start => 0,
                _ => return Err("only labels of one section can be subtracted".into()),
            };
            Number(in_range(between + after_end - after_start)?)
        }
        _ => return Err(not_a_number()),
    };
    Ok(Evaluated { value, moves })
}

/// Counts the parts of an expression while it is read.
#[derive(Default)]
pub(super) struct Parts(usize);

impl Parts {
    /// Whether there may be one more.
    pub(super) fn more(&mut self) -> Result<(), String> {
        self.0 += 1;
        if self.0 > PARTS_MAX {
            return Err(format!("an expression can have {PARTS_MAX} parts"));
        }
        Ok(())
    }
}
