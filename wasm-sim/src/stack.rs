//! Instructions on the stack, and calls.

use iced_x86::{Code, Instruction, OpKind};
use shared_model::exit::{Access, Exit};

use crate::engine::{Engine, Flow, Outcome, RBP, RSP, branch, unsupported};
use crate::memory::Segment;
use crate::operand::general;
use crate::slow::PROGRAM_FLAGS;
use crate::width::Width;

/// TF, NT, AC and ID: a program may set them, but what follows is out of contract.
const FORBIDDEN_FLAGS: u64 = 1 << 8 | 1 << 14 | 1 << 18 | 1 << 21;

impl Engine {
    /// The width of what a stack instruction moves: 64 bits, or 16 with the prefix.
    fn stack_width(i: &Instruction) -> Width {
        if i.stack_pointer_increment().unsigned_abs() == 2 { Width::WORD } else { Width::QUAD }
    }

    fn push_value(&mut self, width: Width, value: u64) -> Result<(), Exit> {
        let top = self.regs[RSP].wrapping_sub(width.bytes() as u64);
        self.memory.write(top, width.bytes(), value, Segment::Stack)?;
        self.regs[RSP] = top;
        Ok(())
    }

    fn peek(&mut self, width: Width) -> Result<u64, Exit> {
        self.memory.read(self.regs[RSP], width.bytes(), Segment::Stack)
    }

    /// Segment selectors are the host's; nothing that shows or changes one is simulated.
    fn names_segment(i: &Instruction) -> bool {
        i.op0_kind() == OpKind::Register && general(i.op0_register()).is_none()
    }

    pub(crate) fn push(&mut self, i: &Instruction) -> Outcome {
        if Self::names_segment(i) {
            return Err(unsupported(i));
        }
        let value = self.read_operand(i, 0)?;
        self.push_value(Self::stack_width(i), value)?;
        Ok(Flow::Next)
    }

    pub(crate) fn pop(&mut self, i: &Instruction) -> Outcome {
        if Self::names_segment(i) {
            return Err(unsupported(i));
        }
        let width = Self::stack_width(i);
        let value = self.peek(width)?;
        // An address that uses rsp uses the incremented one (SDM vol. 2, POP).
        let before = self.regs[RSP];
        self.regs[RSP] = before.wrapping_add(width.bytes() as u64);
        if let Err(exit) = self.write_operand(i, 0, value) {
            self.regs[RSP] = before;
            return Err(exit);
        }
        Ok(Flow::Next)
    }

    pub(crate) fn pushf(&mut self, i: &Instruction) -> Outcome {
        let image = self.flags_image();
        self.push_value(Self::stack_width(i), image)?;
        Ok(Flow::Next)
    }

    /// `popf` at privilege level 3 with I/O privilege level 0 changes neither IF nor IOPL.
    pub(crate) fn popf(&mut self, i: &Instruction) -> Outcome {
        let width = Self::stack_width(i);
        let value = self.peek(width)?;
        if value & FORBIDDEN_FLAGS != 0 {
            return Err(unsupported(i));
        }
        self.regs[RSP] = self.regs[RSP].wrapping_add(width.bytes() as u64);
        self.flags.set_visible(value & PROGRAM_FLAGS);
        Ok(Flow::Next)
    }

    pub(crate) fn call(&mut self, i: &Instruction) -> Outcome {
        let target = self.near_target(i)?;
        // The store comes first: a bad target is noticed after it, and only rsp is as
        // before. The manual's pseudocode has the opposite order; processors do this.
        let before = self.regs[RSP];
        self.push_value(Width::QUAD, i.next_ip())?;
        branch(target).inspect_err(|_| self.regs[RSP] = before)
    }

    pub(crate) fn ret(&mut self, i: &Instruction) -> Outcome {
        let extra = match i.code() {
            Code::Retnq => 0,
            Code::Retnq_imm16 => u64::from(i.immediate16()),
            _ => return Err(unsupported(i)),
        };
        let target = self.peek(Width::QUAD)?;
        let flow = branch(target)?;
        self.regs[RSP] = self.regs[RSP].wrapping_add(8 + extra);
        Ok(flow)
    }

    pub(crate) fn leave(&mut self, i: &Instruction) -> Outcome {
        let width = Self::leave_width(i);
        let value = self.memory.read(self.regs[RBP], width.bytes(), Segment::Stack)?;
        self.regs[RSP] = self.regs[RBP].wrapping_add(width.bytes() as u64);
        self.set_numbered(RBP, width, value);
        Ok(Flow::Next)
    }

    fn leave_width(i: &Instruction) -> Width {
        if i.code() == Code::Leavew { Width::WORD } else { Width::QUAD }
    }

    /// `enter`: pushes rbp, copies the outer frames' pointers, makes room.
    pub(crate) fn enter(&mut self, i: &Instruction) -> Outcome {
        let width = if i.code() == Code::Enterw_imm16_imm8 { Width::WORD } else { Width::QUAD };
        let room = u64::from(i.immediate16());
        let level = i.immediate8_2nd() & 31;
        let (rsp, rbp) = (self.regs[RSP], self.regs[RBP]);
        let result = self.enter_frame(width, room, level);
        if result.is_err() {
            (self.regs[RSP], self.regs[RBP]) = (rsp, rbp);
        }
        result
    }

    fn enter_frame(&mut self, width: Width, room: u64, level: u8) -> Outcome {
        let bytes = width.bytes() as u64;
        self.push_value(width, self.regs[RBP])?;
        let frame = self.regs[RSP];
        if level > 0 {
            let mut outer = self.regs[RBP];
            for _ in 1..level {
                outer = outer.wrapping_sub(bytes);
                let value = self.memory.read(outer, width.bytes(), Segment::Stack)?;
                self.push_value(width, value)?;
            }
            self.push_value(width, frame)?;
        }
        let top = self.regs[RSP].wrapping_sub(room);
        // The new top must be writable (SDM vol. 2, ENTER).
        self.memory.span(top, width.bytes(), Access::Write, Segment::Stack)?;
        self.regs[RSP] = top;
        self.set_numbered(RBP, width, frame);
        Ok(Flow::Next)
    }
}
