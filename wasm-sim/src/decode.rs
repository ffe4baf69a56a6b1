//! From an instruction to the operation that executes it fast, where there is one.

use iced_x86::{Instruction, Mnemonic as M, OpKind, Register};

use crate::engine::{GS, ZERO};
use crate::op::{Code, Form, Op};
use crate::operand::general;
use crate::slow::condition_code;
use crate::width::Width;

/// What an operation has to do with the flags, for finding flags that nobody sees.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Effect {
    /// Afterwards every status flag is new.
    pub(crate) writes: bool,
    /// It uses or keeps a flag, or it may be left to the slow interpreter and then to a
    /// fault, which shows them all.
    pub(crate) reads: bool,
    /// The operation to use instead if nobody sees the flags it sets.
    pub(crate) quiet: Option<Code>,
}

const PLAIN: Effect = Effect { writes: false, reads: false, quiet: None };
const WRITES: Effect = Effect { writes: true, reads: false, quiet: None };
const READS: Effect = Effect { writes: false, reads: true, quiet: None };

/// An operation and its effect on flags.
pub(crate) type Translated = (Op, Effect);

/// The number of a register of one of the widths that have fast handlers. The high byte
/// registers do not.
fn register(i: &Instruction, n: u32) -> Option<(u8, Width)> {
    if i.op_kind(n) != OpKind::Register {
        return None;
    }
    let register = general(i.op_register(n))?;
    (!register.high).then_some((register.index as u8, register.width))
}

/// The immediate, if sign-extending 32 bits of it gives all of it.
fn immediate(i: &Instruction, n: u32) -> Option<i32> {
    i32::try_from(i.try_immediate(n).ok()? as i64).ok()
}

/// Fills in the address, if it is computed with 64 bits from at most two registers.
fn address(i: &Instruction, op: Op) -> Option<Op> {
    let part = |register: Register| match register {
        Register::None | Register::RIP => Some(ZERO),
        other => general(other).filter(|r| r.width == Width::QUAD).map(|r| r.index as u8),
    };
    let mut base = part(i.memory_base())?;
    let mut index = part(i.memory_index())?;
    if i.memory_base() == Register::None
        && i.memory_index() == Register::None
        && i.memory_displ_size() != 8
    {
        return None;
    }
    if i.memory_segment() == Register::GS && i.mnemonic() != M::Lea {
        match (base, index) {
            (ZERO, _) => base = GS,
            (_, ZERO) => index = GS,
            _ => return None,
        }
    }
    let disp = i32::try_from(i.memory_displacement64() as i64).ok()?;
    let scale = i.memory_index_scale().trailing_zeros() as u8;
    Some(Op { base, index, scale, disp, ..op })
}

/// The column of a width in the tables of [`Code`].
fn column(width: Width) -> Option<usize> {
    match width {
        Width::BYTE => Some(0),
        Width::DOUBLE => Some(1),
        Width::QUAD => Some(2),
        _ => None,
    }
}

/// One of two codes, by width.
fn by_width(width: Width, narrow: Code, wide: Code) -> Option<Code> {
    match width {
        Width::DOUBLE => Some(narrow),
        Width::QUAD => Some(wide),
        _ => None,
    }
}

/// The operation for an instruction, or nothing if only the slow interpreter knows it.
pub(crate) fn translate(i: &Instruction) -> Option<Translated> {
    let (mut op, effect) = match i.mnemonic() {
        M::Add | M::Or | M::Adc | M::Sbb | M::And | M::Sub | M::Xor | M::Cmp | M::Test => {
            arithmetic(i)?
        }
        M::Mov => mov(i)?,
        M::Movzx => zero_extend(i)?,
        M::Movsx | M::Movsxd => sign_extend(i)?,
        M::Cdqe => {
            let op = Op { dst: 0, src: 0, ..Op::new(Code::SignRR32To64) };
            (op, PLAIN)
        }
        M::Cwde => (Op { dst: 0, src: 0, ..Op::new(Code::SignRR16To32) }, PLAIN),
        M::Lea => {
            let (dst, width) = register(i, 0)?;
            let code = by_width(width, Code::Lea32, Code::Lea64)?;
            (address(i, Op { dst, ..Op::new(code) })?, PLAIN)
        }
        M::Shl | M::Sal | M::Shr | M::Sar | M::Rol | M::Ror => shift(i)?,
        M::Inc | M::Dec | M::Neg | M::Not => unary(i)?,
        M::Imul if i.op_count() > 1 => imul(i)?,
        M::Mul | M::Div | M::Idiv => multiply(i)?,
        M::Cdq => (Op::new(Code::Cdq), PLAIN),
        M::Cqo => (Op::new(Code::Cqo), PLAIN),
        M::Bswap => {
            let (dst, width) = register(i, 0)?;
            (Op { dst, ..Op::new(by_width(width, Code::Bswap32, Code::Bswap64)?) }, PLAIN)
        }
        M::Xchg => {
            let ((dst, width), (src, _)) = (register(i, 0)?, register(i, 1)?);
            (Op { dst, src, ..Op::new(by_width(width, Code::XchgRR32, Code::XchgRR64)?) }, PLAIN)
        }
        M::Push | M::Pop | M::Leave => stack(i)?,
        M::Call | M::Ret | M::Jmp => transfer(i)?,
        M::Nop | M::Endbr64 | M::Pause => (Op::new(Code::Nop), PLAIN),
        _ => conditional(i)?,
    };
    op.length = i.len() as u8;
    Some((op, effect))
}

fn arithmetic(i: &Instruction) -> Option<Translated> {
    let (form, width, op) = if i.op0_kind() == OpKind::Memory {
        let width = Width::of_bytes(i.memory_size().size())?;
        let op = address(i, Op::new(Code::Nop))?;
        match register(i, 1) {
            Some((src, _)) => (Form::MR, width, Op { src, ..op }),
            None => (Form::MI, width, Op { imm: immediate(i, 1)?, ..op }),
        }
    } else {
        let (dst, width) = register(i, 0)?;
        let op = Op { dst, ..Op::new(Code::Nop) };
        match i.op1_kind() {
            OpKind::Memory => (Form::RM, width, address(i, op)?),
            OpKind::Register => (Form::RR, width, Op { src: register(i, 1)?.0, ..op }),
            _ => (Form::RI, width, Op { imm: immediate(i, 1)?, ..op }),
        }
    };
    let column = column(width)?;
    let code = Code::arithmetic(i.mnemonic(), form, column)?;
    let in_memory = matches!(form, Form::RM | Form::MR | Form::MI);
    let effect = Effect {
        writes: true,
        reads: in_memory || matches!(i.mnemonic(), M::Adc | M::Sbb),
        quiet: Code::quiet(i.mnemonic(), form, column),
    };
    Some((Op { code, ..op }, effect))
}

fn mov(i: &Instruction) -> Option<Translated> {
    if i.op0_kind() == OpKind::Memory {
        let column = Width::of_bytes(i.memory_size().size())?.index() as usize;
        if let Some((src, _)) = register(i, 1) {
            let code = [Code::MovMR8, Code::MovMR16, Code::MovMR32, Code::MovMR64][column];
            return Some((address(i, Op { src, ..Op::new(code) })?, READS));
        }
        let code = [Code::MovMI8, Code::MovMI16, Code::MovMI32, Code::MovMI64][column];
        let imm = immediate(i, 1)?;
        return Some((address(i, Op { imm, ..Op::new(code) })?, READS));
    }
    let (dst, width) = register(i, 0)?;
    if i.op1_kind() == OpKind::Memory {
        let code =
            [Code::MovRM8, Code::MovRM16, Code::MovRM32, Code::MovRM64][width.index() as usize];
        return Some((address(i, Op { dst, ..Op::new(code) })?, READS));
    }
    if let Some((src, _)) = register(i, 1) {
        let code = match width {
            Width::BYTE => Code::MovRR8,
            Width::DOUBLE => Code::MovRR32,
            Width::QUAD => Code::MovRR64,
            _ => return None,
        };
        return Some((Op { dst, src, ..Op::new(code) }, PLAIN));
    }
    let value = i.try_immediate(1).ok()?;
    let op = match width {
        Width::BYTE => Op { imm: value as i32, ..Op::new(Code::MovRI8) },
        Width::DOUBLE => Op { imm: value as i32, ..Op::new(Code::MovRI32) },
        Width::QUAD => Op::new(Code::MovRI64).with_wide(value),
        _ => return None,
    };
    Some((Op { dst, ..op }, PLAIN))
}

fn zero_extend(i: &Instruction) -> Option<Translated> {
    let (dst, width) = register(i, 0)?;
    if width == Width::WORD {
        return None;
    }
    if i.op1_kind() == OpKind::Memory {
        let byte = i.memory_size().size() == 1;
        let code = if byte { Code::ZeroRM8 } else { Code::ZeroRM16 };
        return Some((address(i, Op { dst, ..Op::new(code) })?, READS));
    }
    let (src, from) = register(i, 1)?;
    let code = if from == Width::BYTE { Code::ZeroRR8 } else { Code::ZeroRR16 };
    Some((Op { dst, src, ..Op::new(code) }, PLAIN))
}

fn sign_extend(i: &Instruction) -> Option<Translated> {
    let (dst, width) = register(i, 0)?;
    let op = Op { dst, ..Op::new(Code::Nop) };
    if i.op1_kind() == OpKind::Memory {
        let code = match (i.memory_size().size(), width) {
            (1, Width::DOUBLE) => Code::SignRM8To32,
            (1, Width::QUAD) => Code::SignRM8To64,
            (2, Width::DOUBLE) => Code::SignRM16To32,
            (2, Width::QUAD) => Code::SignRM16To64,
            (4, Width::DOUBLE) => Code::MovRM32,
            (4, Width::QUAD) => Code::SignRM32To64,
            _ => return None,
        };
        return Some((Op { code, ..address(i, op)? }, READS));
    }
    let (src, from) = register(i, 1)?;
    let code = match (from, width) {
        (Width::BYTE, Width::DOUBLE) => Code::SignRR8To32,
        (Width::BYTE, Width::QUAD) => Code::SignRR8To64,
        (Width::WORD, Width::DOUBLE) => Code::SignRR16To32,
        (Width::WORD, Width::QUAD) => Code::SignRR16To64,
        (Width::DOUBLE, Width::DOUBLE) => Code::MovRR32,
        (Width::DOUBLE, Width::QUAD) => Code::SignRR32To64,
        _ => return None,
    };
    Some((Op { src, code, ..op }, PLAIN))
}

fn shift(i: &Instruction) -> Option<Translated> {
    let (dst, width) = register(i, 0)?;
    let op = Op { dst, ..Op::new(Code::Nop) };
    if i.op1_kind() == OpKind::Register {
        let code = match i.mnemonic() {
            M::Shl | M::Sal => by_width(width, Code::ShlRC32, Code::ShlRC64)?,
            M::Shr => by_width(width, Code::ShrRC32, Code::ShrRC64)?,
            M::Sar => by_width(width, Code::SarRC32, Code::SarRC64)?,
            _ => return None,
        };
        // A count of zero keeps the flags.
        return Some((Op { code, ..op }, READS));
    }
    let mask = if width == Width::QUAD { 63 } else { 31 };
    let imm = immediate(i, 1)? & mask;
    if imm == 0 {
        return None;
    }
    let (code, quiet) = match i.mnemonic() {
        M::Shl | M::Sal => (
            by_width(width, Code::ShlRI32, Code::ShlRI64)?,
            by_width(width, Code::QuietShlRI32, Code::QuietShlRI64),
        ),
        M::Shr => (
            by_width(width, Code::ShrRI32, Code::ShrRI64)?,
            by_width(width, Code::QuietShrRI32, Code::QuietShrRI64),
        ),
        M::Sar => (
            by_width(width, Code::SarRI32, Code::SarRI64)?,
            by_width(width, Code::QuietSarRI32, Code::QuietSarRI64),
        ),
        M::Rol => (by_width(width, Code::RolRI32, Code::RolRI64)?, None),
        _ => (by_width(width, Code::RorRI32, Code::RorRI64)?, None),
    };
    let rotates = quiet.is_none();
    let effect = Effect { writes: !rotates, reads: rotates, quiet };
    Some((Op { code, imm, ..op }, effect))
}

fn unary(i: &Instruction) -> Option<Translated> {
    if i.op0_kind() == OpKind::Memory {
        let width = Width::of_bytes(i.memory_size().size())?;
        let code = match i.mnemonic() {
            M::Inc => by_width(width, Code::IncM32, Code::IncM64)?,
            M::Dec => by_width(width, Code::DecM32, Code::DecM64)?,
            _ => return None,
        };
        return Some((address(i, Op::new(code))?, READS));
    }
    let (dst, width) = register(i, 0)?;
    let (code, imm, effect) = match i.mnemonic() {
        // Without their flags these are additions.
        M::Inc | M::Dec => {
            let quiet = by_width(width, Code::QuietAddRI32, Code::QuietAddRI64);
            let effect = Effect { writes: false, reads: true, quiet };
            if i.mnemonic() == M::Inc {
                (by_width(width, Code::Inc32, Code::Inc64)?, 1, effect)
            } else {
                (by_width(width, Code::Dec32, Code::Dec64)?, -1, effect)
            }
        }
        M::Neg => {
            let quiet = by_width(width, Code::QuietNeg32, Code::QuietNeg64);
            let effect = Effect { quiet, ..WRITES };
            (by_width(width, Code::Neg32, Code::Neg64)?, 0, effect)
        }
        _ => (by_width(width, Code::Not32, Code::Not64)?, 0, PLAIN),
    };
    Some((Op { dst, imm, ..Op::new(code) }, effect))
}

fn imul(i: &Instruction) -> Option<Translated> {
    let (dst, width) = register(i, 0)?;
    let op = Op { dst, ..Op::new(Code::Nop) };
    if i.op_count() == 3 {
        let code = by_width(width, Code::ImulRRI32, Code::ImulRRI64)?;
        let op = Op { src: register(i, 1)?.0, imm: immediate(i, 2)?, code, ..op };
        return Some((op, WRITES));
    }
    if i.op1_kind() == OpKind::Memory {
        let code = by_width(width, Code::ImulRM32, Code::ImulRM64)?;
        let effect = Effect { reads: true, ..WRITES };
        return Some((Op { code, ..address(i, op)? }, effect));
    }
    let code = by_width(width, Code::ImulRR32, Code::ImulRR64)?;
    Some((Op { src: register(i, 1)?.0, code, ..op }, WRITES))
}

fn multiply(i: &Instruction) -> Option<Translated> {
    let (src, width) = register(i, 0)?;
    // A division may be left to the slow interpreter, for its exception.
    let (code, effect) = match i.mnemonic() {
        M::Mul => (by_width(width, Code::Mul32, Code::Mul64)?, WRITES),
        M::Div => (by_width(width, Code::Div32, Code::Div64)?, READS),
        _ => (by_width(width, Code::Idiv32, Code::Idiv64)?, READS),
    };
    Some((Op { src, ..Op::new(code) }, effect))
}

fn stack(i: &Instruction) -> Option<Translated> {
    if i.mnemonic() == M::Leave {
        return (i.code() == iced_x86::Code::Leaveq).then_some((Op::new(Code::Leave), READS));
    }
    if i.stack_pointer_increment().unsigned_abs() != 8 {
        return None;
    }
    let code = if i.mnemonic() == M::Push { Code::PushR } else { Code::PopR };
    if let Some((register, _)) = register(i, 0) {
        return Some((Op { dst: register, src: register, ..Op::new(code) }, READS));
    }
    if i.op0_kind() == OpKind::Memory || i.op0_kind() == OpKind::Register {
        return None;
    }
    Some((Op { imm: immediate(i, 0)?, ..Op::new(Code::PushI) }, READS))
}

fn transfer(i: &Instruction) -> Option<Translated> {
    let is_call = i.mnemonic() == M::Call;
    let op = if i.mnemonic() == M::Ret {
        if i.code() != iced_x86::Code::Retnq {
            return None;
        }
        Op::new(Code::Ret)
    } else if i.op0_kind() == OpKind::NearBranch64 {
        // The slow interpreter raises the exception of a non-canonical target.
        if !shared_model::address::GuestVirtual(i.near_branch64()).is_canonical() {
            return None;
        }
        // The return address is a sign-extended displacement where it can be.
        let imm = if is_call { i32::try_from(i.next_ip() as i64).ok()? } else { 0 };
        Op { imm, ..Op::new(if is_call { Code::Call } else { Code::Jmp }) }
    } else if let Some((src, Width::QUAD)) = register(i, 0) {
        let op = Op { src, ..Op::new(if is_call { Code::CallR } else { Code::JmpR }) };
        op.with_wide(i.next_ip())
    } else if i.is_call_near_indirect() || i.is_jmp_near_indirect() {
        let op = Op::new(if is_call { Code::CallM } else { Code::JmpM });
        address(i, op)?.with_wide(i.next_ip())
    } else {
        return None;
    };
    Some((op, READS))
}

fn conditional(i: &Instruction) -> Option<Translated> {
    let condition = condition_code(i)?;
    let imm = i32::from(condition);
    if i.is_jcc_short_or_near() {
        let target = shared_model::address::GuestVirtual(i.near_branch_target());
        let code = Code::jump(condition)?;
        return target.is_canonical().then_some((Op { imm, ..Op::new(code) }, READS));
    }
    let (dst, width) = register(i, 0)?;
    if i.op_count() == 1 {
        return Some((Op { dst, imm, ..Op::new(Code::SetR) }, READS));
    }
    if i.op1_kind() == OpKind::Memory {
        let code = by_width(width, Code::CmovRM32, Code::CmovRM64)?;
        return Some((address(i, Op { dst, imm, ..Op::new(code) })?, READS));
    }
    let code = by_width(width, Code::CmovRR32, Code::CmovRR64)?;
    Some((Op { dst, src: register(i, 1)?.0, imm, ..Op::new(code) }, READS))
}
