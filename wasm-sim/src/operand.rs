//! Operands of a decoded instruction, for the slow interpreter.

use iced_x86::{Instruction, OpKind, Register};
use shared_model::exit::{Access, Exit};

use crate::engine::{Engine, GS, unsupported};
use crate::memory::{Segment, Span};
use crate::width::Width;

/// A general register, as an instruction names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct General {
    pub(crate) index: usize,
    pub(crate) width: Width,
    /// One of `ah`, `ch`, `dh`, `bh`: bits 15 to 8.
    pub(crate) high: bool,
}

/// The general register with this name, if it is one.
pub(crate) fn general(register: Register) -> Option<General> {
    if !register.is_gpr() {
        return None;
    }
    let high = matches!(register, Register::AH | Register::CH | Register::DH | Register::BH);
    Some(General {
        index: register.full_register().number() & 15,
        width: Width::of_bytes(register.size())?,
        high,
    })
}

/// A destination that is read and then written: memory has been found writable.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    Register(General),
    Memory(Span, Width),
}

impl Place {
    pub(crate) const fn width(self) -> Width {
        match self {
            Self::Register(register) => register.width,
            Self::Memory(_, width) => width,
        }
    }
}

/// The width of operand `n`. What has none that an integer instruction can have (a vector
/// register, say) is unsupported.
pub(crate) fn width_of(instruction: &Instruction, n: u32) -> Result<Width, Exit> {
    let bytes = match instruction.op_kind(n) {
        OpKind::Register => {
            return general(instruction.op_register(n))
                .map(|register| register.width)
                .ok_or_else(|| unsupported(instruction));
        }
        OpKind::Memory => instruction.memory_size().size(),
        OpKind::Immediate8 => 1,
        OpKind::Immediate16 | OpKind::Immediate8to16 => 2,
        OpKind::Immediate32 | OpKind::Immediate8to32 => 4,
        OpKind::Immediate64 | OpKind::Immediate8to64 | OpKind::Immediate32to64 => 8,
        _ => 0,
    };
    Width::of_bytes(bytes).ok_or_else(|| unsupported(instruction))
}

impl Engine {
    pub(crate) fn get(&self, register: General) -> u64 {
        let value = self.regs[register.index] >> if register.high { 8 } else { 0 };
        register.width.truncate(value)
    }

    /// Writes a register: 32 bits clear the upper half, fewer leave the rest (SDM vol. 1,
    /// 3.4.1.1).
    pub(crate) fn set(&mut self, register: General, value: u64) {
        let value = register.width.truncate(value);
        let whole = &mut self.regs[register.index];
        *whole = match register.width {
            Width::QUAD | Width::DOUBLE => value,
            width => {
                let shift = if register.high { 8 } else { 0 };
                *whole & !(width.mask() << shift) | value << shift
            }
        };
    }

    /// Writes the register with this number, at a width.
    pub(crate) fn set_numbered(&mut self, index: usize, width: Width, value: u64) {
        self.set(General { index, width, high: false }, value);
    }

    /// Reads the register with this number, at a width.
    pub(crate) fn get_numbered(&self, index: usize, width: Width) -> u64 {
        width.truncate(self.regs[index])
    }

    /// The address of the memory operand, without the segment's base, and whether it is
    /// computed with 32 bits.
    fn offset(&self, instruction: &Instruction) -> (u64, bool) {
        let base = instruction.memory_base();
        let index = instruction.memory_index();
        let mut address = instruction.memory_displacement64();
        // The displacement of an address relative to rip is already absolute.
        if let Some(register) = general(base) {
            address = address.wrapping_add(self.get(register));
        }
        if let Some(register) = general(index) {
            let scaled = self.get(register).wrapping_mul(instruction.memory_index_scale().into());
            address = address.wrapping_add(scaled);
        }
        let narrow = match (base, index) {
            (Register::None, Register::None) => instruction.memory_displ_size() == 4,
            (Register::None, other) | (other, _) => other.size() == 4,
        };
        (if narrow { Width::DOUBLE.truncate(address) } else { address }, narrow)
    }

    /// The effective address, as `lea` computes it.
    pub(crate) fn effective_address(&self, instruction: &Instruction) -> u64 {
        self.offset(instruction).0
    }

    /// The linear address of the memory operand, `extra` bytes further on.
    pub(crate) fn linear(&self, instruction: &Instruction, extra: u64) -> (u64, Segment) {
        let (offset, narrow) = self.offset(instruction);
        let offset = offset.wrapping_add(extra);
        let offset = if narrow { Width::DOUBLE.truncate(offset) } else { offset };
        self.in_segment(instruction, offset)
    }

    /// Adds the base of the memory operand's segment. In 64-bit mode only `fs` and `gs`
    /// override it, and the base of `fs` is 0 (SDM vol. 1, 3.3.7.1); an address based on
    /// rsp or rbp is otherwise in the stack segment, whatever prefix it has.
    pub(crate) fn in_segment(&self, instruction: &Instruction, offset: u64) -> (u64, Segment) {
        match instruction.segment_prefix() {
            Register::GS => {
                return (offset.wrapping_add(self.regs[usize::from(GS)]), Segment::Data);
            }
            Register::FS => return (offset, Segment::Data),
            _ => {}
        }
        let on_stack = matches!(
            instruction.memory_base(),
            Register::RSP | Register::RBP | Register::ESP | Register::EBP
        );
        (offset, if on_stack { Segment::Stack } else { Segment::Data })
    }

    /// Reads operand `n`, zero-extended; an immediate is sign-extended to 64 bits.
    pub(crate) fn read_operand(&mut self, instruction: &Instruction, n: u32) -> Result<u64, Exit> {
        match instruction.op_kind(n) {
            OpKind::Register => {
                let register =
                    general(instruction.op_register(n)).ok_or_else(|| unsupported(instruction))?;
                Ok(self.get(register))
            }
            OpKind::Memory => {
                let bytes = width_of(instruction, n)?.bytes();
                let (address, segment) = self.linear(instruction, 0);
                self.memory.read(address, bytes, segment)
            }
            _ => instruction.try_immediate(n).map_err(|_| unsupported(instruction)),
        }
    }

    /// Writes operand `n`.
    pub(crate) fn write_operand(
        &mut self,
        instruction: &Instruction,
        n: u32,
        value: u64,
    ) -> Result<(), Exit> {
        if instruction.op_kind(n) == OpKind::Memory {
            let bytes = width_of(instruction, n)?.bytes();
            let (address, segment) = self.linear(instruction, 0);
            return self.memory.write(address, bytes, value, segment);
        }
        let register =
            general(instruction.op_register(n)).ok_or_else(|| unsupported(instruction))?;
        self.set(register, value);
        Ok(())
    }

    /// Opens operand `n` to be read and written.
    pub(crate) fn open(&mut self, instruction: &Instruction, n: u32) -> Result<Place, Exit> {
        self.open_at(instruction, n, 0)
    }

    /// As [`Engine::open`], `extra` bytes past the operand's address if it is in memory.
    pub(crate) fn open_at(
        &mut self,
        instruction: &Instruction,
        n: u32,
        extra: u64,
    ) -> Result<Place, Exit> {
        let width = width_of(instruction, n)?;
        if instruction.op_kind(n) == OpKind::Memory {
            let (address, segment) = self.linear(instruction, extra);
            let span = self.memory.span(address, width.bytes(), Access::Write, segment)?;
            return Ok(Place::Memory(span, width));
        }
        let register =
            general(instruction.op_register(n)).ok_or_else(|| unsupported(instruction))?;
        Ok(Place::Register(register))
    }

    pub(crate) fn read_place(&mut self, place: Place) -> u64 {
        match place {
            Place::Register(register) => self.get(register),
            Place::Memory(span, width) => {
                let mut value = [0; 8];
                self.memory.copy_out(span, &mut value[..width.bytes()]);
                u64::from_le_bytes(value)
            }
        }
    }

    pub(crate) fn write_place(&mut self, place: Place, value: u64) {
        match place {
            Place::Register(register) => self.set(register, value),
            Place::Memory(span, width) => {
                self.memory.copy_in(span, &value.to_le_bytes()[..width.bytes()]);
            }
        }
    }
}
