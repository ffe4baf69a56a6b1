//! What an instruction works on, as it is written.

use iced_x86::Register;

use super::cursor::{Cursor, Error};
use super::expression::{Binary, Expression};
use super::place::Place;
use super::registers;
use super::symbols::Symbols;

/// An operand, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Operand {
    pub(super) kind: Kind,
    pub(super) place: Place,
}

/// What an operand is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Register(Register),
    /// A number, or a label to go to. `offset` before it means a label's address.
    Value {
        value: Expression,
        offset: bool,
    },
    Memory(Box<Memory>),
}

/// Memory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Memory {
    /// Bytes, if that is written.
    pub(super) size: Option<u32>,
    pub(super) segment: Register,
    pub(super) base: Register,
    pub(super) index: Register,
    /// What the index is multiplied with, if that is written.
    pub(super) scale: Option<Expression>,
    pub(super) displacement: Option<Expression>,
}

const SIZES: [(&str, u32); 5] =
    [("byte", 1), ("word", 2), ("dword", 4), ("qword", 8), ("oword", 16)];

/// Reads an operand.
pub(super) fn operand(cursor: &mut Cursor<'_>, symbols: &mut Symbols) -> Result<Operand, Error> {
    let start = cursor.place();
    let kind = kind(cursor, symbols)?;
    Ok(Operand { kind, place: start.to(cursor.before()) })
}

fn kind(cursor: &mut Cursor<'_>, symbols: &mut Symbols) -> Result<Kind, Error> {
    let word = cursor.word().map(str::to_ascii_lowercase);
    let size = SIZES.iter().find(|(name, _)| word.as_deref() == Some(name));
    if let Some((name, bytes)) = size {
        cursor.next();
        cursor.skip_word("ptr");
        let segment = segment(cursor)?;
        if !cursor.is('[') {
            let message = format!("after `{name} ptr` comes memory: {name} ptr [rax]");
            return Err(cursor.error(message));
        }
        return memory(cursor, symbols, segment, Some(*bytes));
    }
    if word.as_deref() == Some("offset") {
        cursor.next();
        let value = cursor.expression(symbols)?;
        no_register(&value)?;
        return Ok(Kind::Value { value, offset: true });
    }
    let segment = segment(cursor)?;
    if cursor.is('[') {
        return memory(cursor, symbols, segment, None);
    }
    if segment != Register::None {
        return Err(cursor.error("after the segment comes memory: gs:[0]".into()));
    }
    let value = cursor.expression(symbols)?;
    if cursor.is('[') {
        let message = "all of an address is between the brackets: [rax + 8]";
        return Err(cursor.error(message.into()));
    }
    match value {
        Expression::Register(Register::RIP, place) => {
            Err((place, "rip is only in addresses: [rip + label]".into()))
        }
        Expression::Register(register, _) => Ok(Kind::Register(register)),
        value => {
            no_register(&value)?;
            Ok(Kind::Value { value, offset: false })
        }
    }
}

fn no_register(value: &Expression) -> Result<(), Error> {
    match value.register() {
        Some((register, place)) => {
            let name = registers::name(register);
            Err((place, format!("what is computed with `{name}` is an address: [{name} + 8]")))
        }
        None => Ok(()),
    }
}

/// `gs:`, if it is there.
fn segment(cursor: &mut Cursor<'_>) -> Result<Register, Error> {
    let Some(register) = cursor.word().and_then(registers::find) else {
        return Ok(Register::None);
    };
    if !register.is_segment_register() || !cursor.after_is(':') {
        return Ok(Register::None);
    }
    if !matches!(register, Register::FS | Register::GS) {
        let name = registers::name(register);
        return Err(cursor.error(format!("`{name}:` changes nothing in 64-bit mode: leave it out")));
    }
    cursor.next();
    cursor.next();
    Ok(register)
}

fn memory(
    cursor: &mut Cursor<'_>,
    symbols: &mut Symbols,
    before: Register,
    size: Option<u32>,
) -> Result<Kind, Error> {
    cursor.next();
    let mut segment = segment(cursor)?;
    if segment == Register::None {
        segment = before;
    }
    let place = cursor.place();
    let address = cursor.expression(symbols)?;
    let place = place.to(cursor.before());
    cursor.expect(']', "the address ends with `]`")?;
    let mut memory = Memory { size, segment, ..Memory::default() };
    memory.gather(address, true)?;
    memory.arrange(place)?;
    Ok(Kind::Memory(Box::new(memory)))
}

impl Memory {
    /// Takes an address to pieces: registers, and the rest.
    fn gather(&mut self, part: Expression, plus: bool) -> Result<(), Error> {
        match part {
            Expression::Binary(Binary::Add, left, right) => {
                self.gather(*left, plus)?;
                self.gather(*right, plus)
            }
            Expression::Binary(Binary::Subtract, left, right) => {
                self.gather(*left, plus)?;
                self.gather(*right, !plus)
            }
            Expression::Register(register, place) if plus => self.register(register, None, place),
            Expression::Binary(Binary::Multiply, left, right)
                if plus && matches!(*left, Expression::Register(..)) =>
            {
                self.scaled(*left, *right)
            }
            Expression::Binary(Binary::Multiply, left, right)
                if plus && matches!(*right, Expression::Register(..)) =>
            {
                self.scaled(*right, *left)
            }
            other => {
                if let Some((_, place)) = other.register() {
                    let message = "of a register an address can have its value, or that times 1, 2, \
                                   4 or 8: [rax + rbx*8 + 16]";
                    return Err((place, message.into()));
                }
                self.displacement = Some(match (self.displacement.take(), plus) {
                    (None, true) => other,
                    (None, false) => Expression::Negate(Box::new(other)),
                    (Some(sum), true) => Expression::binary(Binary::Add, sum, other),
                    (Some(sum), false) => Expression::binary(Binary::Subtract, sum, other),
                });
                Ok(())
            }
        }
    }

    fn scaled(&mut self, register: Expression, scale: Expression) -> Result<(), Error> {
        match (register, scale.register()) {
            (Expression::Register(register, place), None) => {
                self.register(register, Some(scale), place)
            }
            (_, Some((_, place))) => Err((place, "registers cannot be multiplied".into())),
            _ => Ok(()),
        }
    }

    fn register(
        &mut self,
        register: Register,
        scale: Option<Expression>,
        place: Place,
    ) -> Result<(), Error> {
        let fits = register.is_gpr64() || register.is_gpr32() || register == Register::RIP;
        if !fits {
            let name = registers::name(register);
            let message = format!("`{name}` cannot be in an address: those of 64 bits can");
            return Err((place, message));
        }
        if scale.is_none() && self.base == Register::None {
            self.base = register;
        } else if self.index == Register::None {
            self.index = register;
            self.scale = scale;
        } else if self.scale.is_none() && scale.is_some() && self.base == Register::None {
            self.base = self.index;
            self.index = register;
            self.scale = scale;
        } else {
            return Err((place, "an address has at most two registers".into()));
        }
        Ok(())
    }

    /// Puts the registers where the encoding has room for them.
    fn arrange(&mut self, place: Place) -> Result<(), Error> {
        let stack = |register| matches!(register, Register::RSP | Register::ESP);
        if stack(self.index) && self.scale.is_none() {
            std::mem::swap(&mut self.base, &mut self.index);
        }
        if stack(self.index) {
            return Err((place, "the stack pointer cannot be multiplied or be added twice".into()));
        }
        let both = [self.base, self.index];
        if both.contains(&Register::RIP) && self.index != Register::None {
            return Err((place, "to rip only a number can be added: [rip + label]".into()));
        }
        let wide = |register: Register| register.is_gpr64() || register == Register::RIP;
        if self.base != Register::None
            && self.index != Register::None
            && wide(self.base) != wide(self.index)
        {
            return Err((place, "the registers of an address have the same size".into()));
        }
        Ok(())
    }
}
