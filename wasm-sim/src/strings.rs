//! String instructions, repeated or not.
//!
//! A repeated one does at most [`SLICE`] iterations at a time and then asks to be executed
//! again, so that no single instruction can hold up a kick. Each such slice counts as one
//! instruction.

use iced_x86::{Code, Instruction, OpKind};
use shared_model::address::GuestVirtual;
use shared_model::exit::{Access, Exit};

use crate::alu;
use crate::engine::{Engine, Flow, Outcome, RAX, RCX, RDI, RSI};
use crate::memory::Segment;
use crate::width::Width;

/// Iterations of a repeated string instruction that count as one instruction.
pub(crate) const SLICE: u64 = 4096;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Operation {
    Move,
    Store,
    Load,
    Compare,
    Scan,
}

/// How often to repeat.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Repeat {
    Once,
    /// `rcx` times.
    Counted,
    /// `rcx` times, as long as ZF is this.
    While(bool),
}

fn operation(i: &Instruction) -> Option<(Operation, Width)> {
    Some(match i.code() {
        Code::Movsb_m8_m8 => (Operation::Move, Width::BYTE),
        Code::Movsw_m16_m16 => (Operation::Move, Width::WORD),
        Code::Movsd_m32_m32 => (Operation::Move, Width::DOUBLE),
        Code::Movsq_m64_m64 => (Operation::Move, Width::QUAD),
        Code::Stosb_m8_AL => (Operation::Store, Width::BYTE),
        Code::Stosw_m16_AX => (Operation::Store, Width::WORD),
        Code::Stosd_m32_EAX => (Operation::Store, Width::DOUBLE),
        Code::Stosq_m64_RAX => (Operation::Store, Width::QUAD),
        Code::Lodsb_AL_m8 => (Operation::Load, Width::BYTE),
        Code::Lodsw_AX_m16 => (Operation::Load, Width::WORD),
        Code::Lodsd_EAX_m32 => (Operation::Load, Width::DOUBLE),
        Code::Lodsq_RAX_m64 => (Operation::Load, Width::QUAD),
        Code::Cmpsb_m8_m8 => (Operation::Compare, Width::BYTE),
        Code::Cmpsw_m16_m16 => (Operation::Compare, Width::WORD),
        Code::Cmpsd_m32_m32 => (Operation::Compare, Width::DOUBLE),
        Code::Cmpsq_m64_m64 => (Operation::Compare, Width::QUAD),
        Code::Scasb_AL_m8 => (Operation::Scan, Width::BYTE),
        Code::Scasw_AX_m16 => (Operation::Scan, Width::WORD),
        Code::Scasd_EAX_m32 => (Operation::Scan, Width::DOUBLE),
        Code::Scasq_RAX_m64 => (Operation::Scan, Width::QUAD),
        _ => return None,
    })
}

/// What is fixed while a string instruction repeats.
struct Frame<'a> {
    instruction: &'a Instruction,
    operation: Operation,
    width: Width,
    /// The width of addresses and of the count.
    address: Width,
    /// What is added to the pointers.
    step: u64,
}

impl Engine {
    pub(crate) fn string(&mut self, i: &Instruction) -> Outcome {
        let Some((operation, width)) = operation(i) else { return self.port(i) };
        let narrow = (0..i.op_count())
            .any(|n| matches!(i.op_kind(n), OpKind::MemoryESEDI | OpKind::MemorySegESI));
        let step = width.bytes() as u64;
        let frame = Frame {
            instruction: i,
            operation,
            width,
            address: if narrow { Width::DOUBLE } else { Width::QUAD },
            step: if self.flags.down { step.wrapping_neg() } else { step },
        };
        let compares = matches!(operation, Operation::Compare | Operation::Scan);
        let repeat = match (i.has_repne_prefix(), i.has_rep_prefix()) {
            (false, false) => Repeat::Once,
            (repne, _) if compares => Repeat::While(!repne),
            _ => Repeat::Counted,
        };
        if repeat == Repeat::Once {
            self.string_element(&frame)?;
            return Ok(Flow::Next);
        }
        self.repeat_string(&frame, repeat)
    }

    fn repeat_string(&mut self, frame: &Frame<'_>, repeat: Repeat) -> Outcome {
        // The end of a slice leaves the flags as they were before the whole instruction, as if
        // nothing had happened yet but the iterations that the registers count.
        let flags = self.flags;
        if frame.address == Width::DOUBLE {
            self.narrow_pointers(frame);
        }
        let mut budget = SLICE;
        loop {
            let count = self.get_numbered(RCX, frame.address);
            if count == 0 {
                return Ok(Flow::Next);
            }
            if budget == 0 {
                self.flags = flags;
                return Ok(Flow::Again);
            }
            let done = match self.string_run(frame, count.min(budget)) {
                Some(done) => done,
                None => {
                    if let Err(exit) = self.string_element(frame) {
                        self.flags = flags.or_those_of(self.flags);
                        return Err(exit);
                    }
                    1
                }
            };
            budget -= done;
            self.set_numbered(RCX, frame.address, count - done);
            if let Repeat::While(zero) = repeat
                && self.flags.zero() != zero
            {
                return Ok(Flow::Next);
            }
        }
    }

    /// With 32-bit addresses processors clear the upper half of the count first, and for
    /// copies and fills of the pointers, even if then nothing is done.
    fn narrow_pointers(&mut self, frame: &Frame<'_>) {
        let narrow = |register: &mut u64| *register = Width::DOUBLE.truncate(*register);
        narrow(&mut self.regs[RCX]);
        if frame.operation == Operation::Move {
            narrow(&mut self.regs[RSI]);
        }
        if matches!(frame.operation, Operation::Move | Operation::Store) {
            narrow(&mut self.regs[RDI]);
        }
    }

    /// The address in a pointer register.
    fn pointer(&self, frame: &Frame<'_>, register: usize) -> (u64, Segment) {
        let offset = self.get_numbered(register, frame.address);
        // The destination is always in `es`; only the source can be in `gs`.
        if register == RDI {
            (offset, Segment::Data)
        } else {
            self.in_segment(frame.instruction, offset)
        }
    }

    fn advance(&mut self, frame: &Frame<'_>, register: usize, elements: u64) {
        let moved = frame.step.wrapping_mul(elements);
        let value = self.regs[register].wrapping_add(moved);
        self.set_numbered(register, frame.address, value);
    }

    fn load_element(&mut self, frame: &Frame<'_>, register: usize) -> Result<u64, Exit> {
        let (address, segment) = self.pointer(frame, register);
        self.memory.read(address, frame.width.bytes(), segment)
    }

    fn store_element(&mut self, frame: &Frame<'_>, value: u64) -> Result<(), Exit> {
        let (address, segment) = self.pointer(frame, RDI);
        self.memory.write(address, frame.width.bytes(), value, segment)
    }

    /// One iteration.
    fn string_element(&mut self, frame: &Frame<'_>) -> Result<(), Exit> {
        let width = frame.width;
        match frame.operation {
            Operation::Move => {
                let value = self.load_element(frame, RSI)?;
                self.store_element(frame, value)?;
                self.advance(frame, RSI, 1);
                self.advance(frame, RDI, 1);
            }
            Operation::Store => {
                self.store_element(frame, self.regs[RAX])?;
                self.advance(frame, RDI, 1);
            }
            Operation::Load => {
                let value = self.load_element(frame, RSI)?;
                self.set_numbered(RAX, width, value);
                self.advance(frame, RSI, 1);
            }
            Operation::Compare => {
                // Of two bad addresses, processors report the second operand's.
                let b = self.load_element(frame, RDI)?;
                let a = self.load_element(frame, RSI)?;
                alu::sub(&mut self.flags, width, a, b);
                self.advance(frame, RSI, 1);
                self.advance(frame, RDI, 1);
            }
            Operation::Scan => {
                let b = self.load_element(frame, RDI)?;
                let a = self.get_numbered(RAX, width);
                alu::sub(&mut self.flags, width, a, b);
                self.advance(frame, RDI, 1);
            }
        }
        Ok(())
    }

    /// Up to `count` iterations of an upward copy or fill at once, if they stay in their
    /// pages and nothing can go wrong. Returns how many were done.
    fn string_run(&mut self, frame: &Frame<'_>, count: u64) -> Option<u64> {
        let bytes = frame.width.bytes();
        let upward = frame.step == bytes as u64 && frame.address == Width::QUAD;
        if !upward || count < 2 {
            return None;
        }
        let (to, _) = self.pointer(frame, RDI);
        let mut elements = count.min(room(to, bytes));
        match frame.operation {
            Operation::Move => {
                let (from, _) = self.pointer(frame, RSI);
                elements = elements.min(room(from, bytes));
                if elements < 2 {
                    return None;
                }
                let length = elements as usize * bytes;
                let source = self.place(from, Access::Read)?;
                let target = self.place(to, Access::Write)?;
                // Upwards element by element, what is written may be read again.
                if target > source && target < source + length {
                    return None;
                }
                self.memory.copy_frames(source, target, length);
                self.advance(frame, RSI, elements);
            }
            Operation::Store => {
                if elements < 2 {
                    return None;
                }
                let target = self.place(to, Access::Write)?;
                let value = self.regs[RAX].to_le_bytes();
                self.memory.fill_frame(target, elements as usize * bytes, &value[..bytes]);
            }
            _ => return None,
        }
        self.advance(frame, RDI, elements);
        Some(elements)
    }

    /// Where an address is, if it can be accessed; the element-wise way reports why not.
    fn place(&mut self, address: u64, access: Access) -> Option<usize> {
        if !GuestVirtual(address).is_canonical() {
            return None;
        }
        self.memory.translate(address, access).ok()
    }
}

/// Elements that fit between an address and the end of its page.
fn room(address: u64, bytes: usize) -> u64 {
    (0x1000 - (address & 0xfff)) / bytes as u64
}
