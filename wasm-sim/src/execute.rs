//! The fast loop: executes blocks of operations.
//!
//! A handler does the whole of its instruction if nothing is special about it. Otherwise it
//! does nothing at all, and the loop returns, saying which operation the slow interpreter
//! must take over. So no handler ever raises an exception.

use std::ops::{BitAnd, BitOr, BitXor};

use crate::alu;
use crate::block::CodeCache;
use crate::engine::{Engine, RAX, RBP, RCX, RDX, RSP};
use crate::op::Code;
use crate::width::Width;

/// Why the fast loop returned.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Leave {
    /// The operation at this position has not been executed; the slow interpreter must.
    Slow(usize),
    /// The branch at this position has been executed, but for finding its target.
    Link(usize),
    /// The block with this head is next, and costs more than is left.
    Head(u32),
}

/// Executes from the operation at `pc`, whose block is paid for. Each further block takes its
/// number of instructions from `fuel`.
pub(crate) fn execute(
    engine: &mut Engine,
    code: &CodeCache,
    mut pc: usize,
    fuel: &mut u32,
) -> Leave {
    let ops = code.ops.as_slice();
    let mut left = *fuel;
    let leave = loop {
        let Some(op) = ops.get(pc) else { break Leave::Link(pc) };

        macro_rules! next {
            () => {{
                pc += 1;
                continue;
            }};
        }
        macro_rules! get {
            ($width:ident, $field:ident) => {
                Width::$width.truncate(engine.regs[usize::from(op.$field)])
            };
        }
        // The value is already truncated.
        macro_rules! set {
            ($width:ident, $value:expr) => {{
                let value = $value;
                let whole = &mut engine.regs[usize::from(op.dst)];
                *whole = if Width::$width.bytes() < 4 {
                    *whole & !Width::$width.mask() | value
                } else {
                    value
                };
                next!()
            }};
        }
        macro_rules! immediate {
            ($width:ident) => {
                Width::$width.truncate(op.imm as i64 as u64)
            };
        }
        macro_rules! address {
            () => {
                engine.regs[usize::from(op.base)]
                    .wrapping_add(engine.regs[usize::from(op.index)].wrapping_shl(op.scale.into()))
                    .wrapping_add(op.disp as i64 as u64)
            };
        }
        macro_rules! load {
            ($type:ident) => {{
                let Some(bytes) = engine.memory.quick_read(address!()) else {
                    break Leave::Slow(pc);
                };
                u64::from($type::from_le_bytes(bytes))
            }};
        }
        macro_rules! store {
            ($type:ident, $value:expr) => {{
                let value = $value;
                let Some(bytes) = engine.memory.quick_update(address!()) else {
                    break Leave::Slow(pc);
                };
                *bytes = (value as $type).to_le_bytes();
                next!()
            }};
        }
        macro_rules! extend {
            ($from:ident, $to:ident, $value:expr) => {
                Width::$to.truncate(Width::$from.signed($value) as u64)
            };
        }
        macro_rules! binary {
            ($operation:expr, $width:ident, $a:expr, $b:expr) => {{
                let (a, b) = ($a, $b);
                $operation(&mut engine.flags, Width::$width, a, b)
            }};
        }
        macro_rules! compare {
            ($operation:expr, $width:ident, $a:expr, $b:expr) => {{
                binary!($operation, $width, $a, $b);
                next!()
            }};
        }
        macro_rules! update {
            ($operation:expr, $width:ident, $type:ident, $b:expr) => {{
                let b = $b;
                let Some(bytes) = engine.memory.quick_update(address!()) else {
                    break Leave::Slow(pc);
                };
                let a = u64::from($type::from_le_bytes(*bytes));
                let result = $operation(&mut engine.flags, Width::$width, a, b);
                *bytes = (result as $type).to_le_bytes();
                next!()
            }};
        }
        macro_rules! count {
            ($width:ident) => {
                alu::shift_count(Width::$width, engine.regs[RCX])
            };
        }
        macro_rules! multiply {
            ($width:ident) => {{
                let (a, b) = (Width::$width.truncate(engine.regs[RAX]), get!($width, src));
                let (low, high) = alu::multiply(&mut engine.flags, Width::$width, a, b, false);
                (engine.regs[RAX], engine.regs[RDX]) = (low, high);
                next!()
            }};
        }
        macro_rules! divide {
            ($width:ident, $signed:literal) => {{
                let high = Width::$width.truncate(engine.regs[RDX]);
                let low = Width::$width.truncate(engine.regs[RAX]);
                let divisor = get!($width, src);
                let Some((quotient, remainder)) =
                    alu::divide(Width::$width, high, low, divisor, $signed)
                else {
                    break Leave::Slow(pc);
                };
                (engine.regs[RAX], engine.regs[RDX]) = (quotient, remainder);
                engine.flags.set_all_undefined();
                next!()
            }};
        }
        macro_rules! exchange {
            ($width:ident) => {{
                let (a, b) = (get!($width, dst), get!($width, src));
                engine.regs[usize::from(op.dst)] = b;
                engine.regs[usize::from(op.src)] = a;
                next!()
            }};
        }
        macro_rules! select {
            ($width:ident, $value:expr) => {{
                let value = $value;
                let old = get!($width, dst);
                set!($width, if engine.condition(op.imm as u8) { value } else { old })
            }};
        }
        macro_rules! stack_top {
            () => {{
                let Some(bytes) = engine.memory.quick_read::<8>(engine.regs[RSP]) else {
                    break Leave::Slow(pc);
                };
                u64::from_le_bytes(bytes)
            }};
        }
        macro_rules! push_return {
            ($value:expr) => {{
                let value: u64 = $value;
                let top = engine.regs[RSP].wrapping_sub(8);
                let Some(bytes) = engine.memory.quick_update(top) else {
                    break Leave::Slow(pc);
                };
                *bytes = value.to_le_bytes();
                engine.regs[RSP] = top;
            }};
        }
        macro_rules! push {
            ($value:expr) => {{
                push_return!($value);
                next!()
            }};
        }
        // The block an indirect branch goes to, if it has gone there before.
        macro_rules! find {
            ($target:expr) => {{
                let link = code.quick_find($target);
                if link == 0 {
                    break Leave::Slow(pc);
                }
                link
            }};
        }
        macro_rules! choose {
            ($condition:expr) => {
                if $condition { op.taken } else { op.fall }
            };
        }
        macro_rules! compare_jump {
            ($width:ident, $b:expr, $condition:expr) => {{
                let (a, b) = (get!($width, dst), $b);
                alu::sub(&mut engine.flags, Width::$width, a, b);
                let condition: fn(u64, u64) -> bool = $condition;
                choose!(condition(a, b))
            }};
        }
        macro_rules! test_jump {
            ($width:ident, $b:expr, $condition:expr) => {{
                let result = alu::and(&mut engine.flags, Width::$width, get!($width, dst), $b);
                let condition: fn(u64) -> bool = $condition;
                choose!(condition(result))
            }};
        }
        macro_rules! subtract_jump {
            ($width:ident, $condition:expr) => {{
                let (a, b) = (get!($width, dst), immediate!($width));
                let result = alu::sub(&mut engine.flags, Width::$width, a, b);
                engine.regs[usize::from(op.dst)] = result;
                let condition: fn(u64) -> bool = $condition;
                choose!(condition(result))
            }};
        }

        // An operation either continues the loop or yields the link of the next block.
        let link = match op.code {
            Code::Nop => next!(),
            Code::Slow | Code::SlowEnd => break Leave::Slow(pc),
            Code::Head => break Leave::Link(pc),
            Code::End => op.fall,

            // Moves.
            Code::MovRR32 => set!(DOUBLE, get!(DOUBLE, src)),
            Code::MovRR64 => set!(QUAD, get!(QUAD, src)),
            Code::MovRR8 => set!(BYTE, get!(BYTE, src)),
            Code::MovRI8 => set!(BYTE, immediate!(BYTE)),
            Code::MovRI32 => set!(DOUBLE, immediate!(DOUBLE)),
            Code::MovRI64 => set!(QUAD, op.wide()),
            Code::MovRM8 => set!(BYTE, load!(u8)),
            Code::MovRM16 => set!(WORD, load!(u16)),
            Code::MovRM32 => set!(DOUBLE, load!(u32)),
            Code::MovRM64 => set!(QUAD, load!(u64)),
            Code::MovMR8 => store!(u8, get!(BYTE, src)),
            Code::MovMR16 => store!(u16, get!(WORD, src)),
            Code::MovMR32 => store!(u32, get!(DOUBLE, src)),
            Code::MovMR64 => store!(u64, get!(QUAD, src)),
            Code::MovMI8 => store!(u8, immediate!(BYTE)),
            Code::MovMI16 => store!(u16, immediate!(WORD)),
            Code::MovMI32 => store!(u32, immediate!(DOUBLE)),
            Code::MovMI64 => store!(u64, immediate!(QUAD)),
            Code::ZeroRR8 => set!(QUAD, get!(BYTE, src)),
            Code::ZeroRR16 => set!(QUAD, get!(WORD, src)),
            Code::ZeroRM8 => set!(QUAD, load!(u8)),
            Code::ZeroRM16 => set!(QUAD, load!(u16)),
            Code::SignRR8To32 => set!(DOUBLE, extend!(BYTE, DOUBLE, get!(BYTE, src))),
            Code::SignRR8To64 => set!(QUAD, extend!(BYTE, QUAD, get!(BYTE, src))),
            Code::SignRR16To32 => set!(DOUBLE, extend!(WORD, DOUBLE, get!(WORD, src))),
            Code::SignRR16To64 => set!(QUAD, extend!(WORD, QUAD, get!(WORD, src))),
            Code::SignRR32To64 => set!(QUAD, extend!(DOUBLE, QUAD, get!(DOUBLE, src))),
            Code::SignRM8To32 => set!(DOUBLE, extend!(BYTE, DOUBLE, load!(u8))),
            Code::SignRM8To64 => set!(QUAD, extend!(BYTE, QUAD, load!(u8))),
            Code::SignRM16To32 => set!(DOUBLE, extend!(WORD, DOUBLE, load!(u16))),
            Code::SignRM16To64 => set!(QUAD, extend!(WORD, QUAD, load!(u16))),
            Code::SignRM32To64 => set!(QUAD, extend!(DOUBLE, QUAD, load!(u32))),
            Code::Lea32 => set!(DOUBLE, Width::DOUBLE.truncate(address!())),
            Code::Lea64 => set!(QUAD, address!()),

            // Arithmetic with flags.
            Code::AddRR8 => set!(BYTE, binary!(alu::add, BYTE, get!(BYTE, dst), get!(BYTE, src))),
            Code::AddRR32 => {
                set!(DOUBLE, binary!(alu::add, DOUBLE, get!(DOUBLE, dst), get!(DOUBLE, src)))
            }
            Code::AddRR64 => set!(QUAD, binary!(alu::add, QUAD, get!(QUAD, dst), get!(QUAD, src))),
            Code::AddRI8 => set!(BYTE, binary!(alu::add, BYTE, get!(BYTE, dst), immediate!(BYTE))),
            Code::AddRI32 => {
                set!(DOUBLE, binary!(alu::add, DOUBLE, get!(DOUBLE, dst), immediate!(DOUBLE)))
            }
            Code::AddRI64 => set!(QUAD, binary!(alu::add, QUAD, get!(QUAD, dst), immediate!(QUAD))),
            Code::AddRM8 => set!(BYTE, binary!(alu::add, BYTE, get!(BYTE, dst), load!(u8))),
            Code::AddRM32 => set!(DOUBLE, binary!(alu::add, DOUBLE, get!(DOUBLE, dst), load!(u32))),
            Code::AddRM64 => set!(QUAD, binary!(alu::add, QUAD, get!(QUAD, dst), load!(u64))),
            Code::AddMR8 => update!(alu::add, BYTE, u8, get!(BYTE, src)),
            Code::AddMR32 => update!(alu::add, DOUBLE, u32, get!(DOUBLE, src)),
            Code::AddMR64 => update!(alu::add, QUAD, u64, get!(QUAD, src)),
            Code::AddMI8 => update!(alu::add, BYTE, u8, immediate!(BYTE)),
            Code::AddMI32 => update!(alu::add, DOUBLE, u32, immediate!(DOUBLE)),
            Code::AddMI64 => update!(alu::add, QUAD, u64, immediate!(QUAD)),
            Code::OrRR8 => set!(BYTE, binary!(alu::or, BYTE, get!(BYTE, dst), get!(BYTE, src))),
            Code::OrRR32 => {
                set!(DOUBLE, binary!(alu::or, DOUBLE, get!(DOUBLE, dst), get!(DOUBLE, src)))
            }
            Code::OrRR64 => set!(QUAD, binary!(alu::or, QUAD, get!(QUAD, dst), get!(QUAD, src))),
            Code::OrRI8 => set!(BYTE, binary!(alu::or, BYTE, get!(BYTE, dst), immediate!(BYTE))),
            Code::OrRI32 => {
                set!(DOUBLE, binary!(alu::or, DOUBLE, get!(DOUBLE, dst), immediate!(DOUBLE)))
            }
            Code::OrRI64 => set!(QUAD, binary!(alu::or, QUAD, get!(QUAD, dst), immediate!(QUAD))),
            Code::OrRM8 => set!(BYTE, binary!(alu::or, BYTE, get!(BYTE, dst), load!(u8))),
            Code::OrRM32 => set!(DOUBLE, binary!(alu::or, DOUBLE, get!(DOUBLE, dst), load!(u32))),
            Code::OrRM64 => set!(QUAD, binary!(alu::or, QUAD, get!(QUAD, dst), load!(u64))),
            Code::OrMR8 => update!(alu::or, BYTE, u8, get!(BYTE, src)),
            Code::OrMR32 => update!(alu::or, DOUBLE, u32, get!(DOUBLE, src)),
            Code::OrMR64 => update!(alu::or, QUAD, u64, get!(QUAD, src)),
            Code::OrMI8 => update!(alu::or, BYTE, u8, immediate!(BYTE)),
            Code::OrMI32 => update!(alu::or, DOUBLE, u32, immediate!(DOUBLE)),
            Code::OrMI64 => update!(alu::or, QUAD, u64, immediate!(QUAD)),
            Code::AdcRR8 => set!(BYTE, binary!(alu::adc, BYTE, get!(BYTE, dst), get!(BYTE, src))),
            Code::AdcRR32 => {
                set!(DOUBLE, binary!(alu::adc, DOUBLE, get!(DOUBLE, dst), get!(DOUBLE, src)))
            }
            Code::AdcRR64 => set!(QUAD, binary!(alu::adc, QUAD, get!(QUAD, dst), get!(QUAD, src))),
            Code::AdcRI8 => set!(BYTE, binary!(alu::adc, BYTE, get!(BYTE, dst), immediate!(BYTE))),
            Code::AdcRI32 => {
                set!(DOUBLE, binary!(alu::adc, DOUBLE, get!(DOUBLE, dst), immediate!(DOUBLE)))
            }
            Code::AdcRI64 => set!(QUAD, binary!(alu::adc, QUAD, get!(QUAD, dst), immediate!(QUAD))),
            Code::AdcRM8 => set!(BYTE, binary!(alu::adc, BYTE, get!(BYTE, dst), load!(u8))),
            Code::AdcRM32 => set!(DOUBLE, binary!(alu::adc, DOUBLE, get!(DOUBLE, dst), load!(u32))),
            Code::AdcRM64 => set!(QUAD, binary!(alu::adc, QUAD, get!(QUAD, dst), load!(u64))),
            Code::AdcMR8 => update!(alu::adc, BYTE, u8, get!(BYTE, src)),
            Code::AdcMR32 => update!(alu::adc, DOUBLE, u32, get!(DOUBLE, src)),
            Code::AdcMR64 => update!(alu::adc, QUAD, u64, get!(QUAD, src)),
            Code::AdcMI8 => update!(alu::adc, BYTE, u8, immediate!(BYTE)),
            Code::AdcMI32 => update!(alu::adc, DOUBLE, u32, immediate!(DOUBLE)),
            Code::AdcMI64 => update!(alu::adc, QUAD, u64, immediate!(QUAD)),
            Code::SbbRR8 => set!(BYTE, binary!(alu::sbb, BYTE, get!(BYTE, dst), get!(BYTE, src))),
            Code::SbbRR32 => {
                set!(DOUBLE, binary!(alu::sbb, DOUBLE, get!(DOUBLE, dst), get!(DOUBLE, src)))
            }
            Code::SbbRR64 => set!(QUAD, binary!(alu::sbb, QUAD, get!(QUAD, dst), get!(QUAD, src))),
            Code::SbbRI8 => set!(BYTE, binary!(alu::sbb, BYTE, get!(BYTE, dst), immediate!(BYTE))),
            Code::SbbRI32 => {
                set!(DOUBLE, binary!(alu::sbb, DOUBLE, get!(DOUBLE, dst), immediate!(DOUBLE)))
            }
            Code::SbbRI64 => set!(QUAD, binary!(alu::sbb, QUAD, get!(QUAD, dst), immediate!(QUAD))),
            Code::SbbRM8 => set!(BYTE, binary!(alu::sbb, BYTE, get!(BYTE, dst), load!(u8))),
            Code::SbbRM32 => set!(DOUBLE, binary!(alu::sbb, DOUBLE, get!(DOUBLE, dst), load!(u32))),
            Code::SbbRM64 => set!(QUAD, binary!(alu::sbb, QUAD, get!(QUAD, dst), load!(u64))),
            Code::SbbMR8 => update!(alu::sbb, BYTE, u8, get!(BYTE, src)),
            Code::SbbMR32 => update!(alu::sbb, DOUBLE, u32, get!(DOUBLE, src)),
            Code::SbbMR64 => update!(alu::sbb, QUAD, u64, get!(QUAD, src)),
            Code::SbbMI8 => update!(alu::sbb, BYTE, u8, immediate!(BYTE)),
            Code::SbbMI32 => update!(alu::sbb, DOUBLE, u32, immediate!(DOUBLE)),
            Code::SbbMI64 => update!(alu::sbb, QUAD, u64, immediate!(QUAD)),
            Code::AndRR8 => set!(BYTE, binary!(alu::and, BYTE, get!(BYTE, dst), get!(BYTE, src))),
            Code::AndRR32 => {
                set!(DOUBLE, binary!(alu::and, DOUBLE, get!(DOUBLE, dst), get!(DOUBLE, src)))
            }
            Code::AndRR64 => set!(QUAD, binary!(alu::and, QUAD, get!(QUAD, dst), get!(QUAD, src))),
            Code::AndRI8 => set!(BYTE, binary!(alu::and, BYTE, get!(BYTE, dst), immediate!(BYTE))),
            Code::AndRI32 => {
                set!(DOUBLE, binary!(alu::and, DOUBLE, get!(DOUBLE, dst), immediate!(DOUBLE)))
            }
            Code::AndRI64 => set!(QUAD, binary!(alu::and, QUAD, get!(QUAD, dst), immediate!(QUAD))),
            Code::AndRM8 => set!(BYTE, binary!(alu::and, BYTE, get!(BYTE, dst), load!(u8))),
            Code::AndRM32 => set!(DOUBLE, binary!(alu::and, DOUBLE, get!(DOUBLE, dst), load!(u32))),
            Code::AndRM64 => set!(QUAD, binary!(alu::and, QUAD, get!(QUAD, dst), load!(u64))),
            Code::AndMR8 => update!(alu::and, BYTE, u8, get!(BYTE, src)),
            Code::AndMR32 => update!(alu::and, DOUBLE, u32, get!(DOUBLE, src)),
            Code::AndMR64 => update!(alu::and, QUAD, u64, get!(QUAD, src)),
            Code::AndMI8 => update!(alu::and, BYTE, u8, immediate!(BYTE)),
            Code::AndMI32 => update!(alu::and, DOUBLE, u32, immediate!(DOUBLE)),
            Code::AndMI64 => update!(alu::and, QUAD, u64, immediate!(QUAD)),
            Code::SubRR8 => set!(BYTE, binary!(alu::sub, BYTE, get!(BYTE, dst), get!(BYTE, src))),
            Code::SubRR32 => {
                set!(DOUBLE, binary!(alu::sub, DOUBLE, get!(DOUBLE, dst), get!(DOUBLE, src)))
            }
            Code::SubRR64 => set!(QUAD, binary!(alu::sub, QUAD, get!(QUAD, dst), get!(QUAD, src))),
            Code::SubRI8 => set!(BYTE, binary!(alu::sub, BYTE, get!(BYTE, dst), immediate!(BYTE))),
            Code::SubRI32 => {
                set!(DOUBLE, binary!(alu::sub, DOUBLE, get!(DOUBLE, dst), immediate!(DOUBLE)))
            }
            Code::SubRI64 => set!(QUAD, binary!(alu::sub, QUAD, get!(QUAD, dst), immediate!(QUAD))),
            Code::SubRM8 => set!(BYTE, binary!(alu::sub, BYTE, get!(BYTE, dst), load!(u8))),
            Code::SubRM32 => set!(DOUBLE, binary!(alu::sub, DOUBLE, get!(DOUBLE, dst), load!(u32))),
            Code::SubRM64 => set!(QUAD, binary!(alu::sub, QUAD, get!(QUAD, dst), load!(u64))),
            Code::SubMR8 => update!(alu::sub, BYTE, u8, get!(BYTE, src)),
            Code::SubMR32 => update!(alu::sub, DOUBLE, u32, get!(DOUBLE, src)),
            Code::SubMR64 => update!(alu::sub, QUAD, u64, get!(QUAD, src)),
            Code::SubMI8 => update!(alu::sub, BYTE, u8, immediate!(BYTE)),
            Code::SubMI32 => update!(alu::sub, DOUBLE, u32, immediate!(DOUBLE)),
            Code::SubMI64 => update!(alu::sub, QUAD, u64, immediate!(QUAD)),
            Code::XorRR8 => set!(BYTE, binary!(alu::xor, BYTE, get!(BYTE, dst), get!(BYTE, src))),
            Code::XorRR32 => {
                set!(DOUBLE, binary!(alu::xor, DOUBLE, get!(DOUBLE, dst), get!(DOUBLE, src)))
            }
            Code::XorRR64 => set!(QUAD, binary!(alu::xor, QUAD, get!(QUAD, dst), get!(QUAD, src))),
            Code::XorRI8 => set!(BYTE, binary!(alu::xor, BYTE, get!(BYTE, dst), immediate!(BYTE))),
            Code::XorRI32 => {
                set!(DOUBLE, binary!(alu::xor, DOUBLE, get!(DOUBLE, dst), immediate!(DOUBLE)))
            }
            Code::XorRI64 => set!(QUAD, binary!(alu::xor, QUAD, get!(QUAD, dst), immediate!(QUAD))),
            Code::XorRM8 => set!(BYTE, binary!(alu::xor, BYTE, get!(BYTE, dst), load!(u8))),
            Code::XorRM32 => set!(DOUBLE, binary!(alu::xor, DOUBLE, get!(DOUBLE, dst), load!(u32))),
            Code::XorRM64 => set!(QUAD, binary!(alu::xor, QUAD, get!(QUAD, dst), load!(u64))),
            Code::XorMR8 => update!(alu::xor, BYTE, u8, get!(BYTE, src)),
            Code::XorMR32 => update!(alu::xor, DOUBLE, u32, get!(DOUBLE, src)),
            Code::XorMR64 => update!(alu::xor, QUAD, u64, get!(QUAD, src)),
            Code::XorMI8 => update!(alu::xor, BYTE, u8, immediate!(BYTE)),
            Code::XorMI32 => update!(alu::xor, DOUBLE, u32, immediate!(DOUBLE)),
            Code::XorMI64 => update!(alu::xor, QUAD, u64, immediate!(QUAD)),
            Code::CmpRR8 => compare!(alu::sub, BYTE, get!(BYTE, dst), get!(BYTE, src)),
            Code::CmpRR32 => compare!(alu::sub, DOUBLE, get!(DOUBLE, dst), get!(DOUBLE, src)),
            Code::CmpRR64 => compare!(alu::sub, QUAD, get!(QUAD, dst), get!(QUAD, src)),
            Code::CmpRI8 => compare!(alu::sub, BYTE, get!(BYTE, dst), immediate!(BYTE)),
            Code::CmpRI32 => compare!(alu::sub, DOUBLE, get!(DOUBLE, dst), immediate!(DOUBLE)),
            Code::CmpRI64 => compare!(alu::sub, QUAD, get!(QUAD, dst), immediate!(QUAD)),
            Code::CmpRM8 => compare!(alu::sub, BYTE, get!(BYTE, dst), load!(u8)),
            Code::CmpRM32 => compare!(alu::sub, DOUBLE, get!(DOUBLE, dst), load!(u32)),
            Code::CmpRM64 => compare!(alu::sub, QUAD, get!(QUAD, dst), load!(u64)),
            Code::CmpMR8 => compare!(alu::sub, BYTE, load!(u8), get!(BYTE, src)),
            Code::CmpMR32 => compare!(alu::sub, DOUBLE, load!(u32), get!(DOUBLE, src)),
            Code::CmpMR64 => compare!(alu::sub, QUAD, load!(u64), get!(QUAD, src)),
            Code::CmpMI8 => compare!(alu::sub, BYTE, load!(u8), immediate!(BYTE)),
            Code::CmpMI32 => compare!(alu::sub, DOUBLE, load!(u32), immediate!(DOUBLE)),
            Code::CmpMI64 => compare!(alu::sub, QUAD, load!(u64), immediate!(QUAD)),
            Code::TestRR8 => compare!(alu::and, BYTE, get!(BYTE, dst), get!(BYTE, src)),
            Code::TestRR32 => compare!(alu::and, DOUBLE, get!(DOUBLE, dst), get!(DOUBLE, src)),
            Code::TestRR64 => compare!(alu::and, QUAD, get!(QUAD, dst), get!(QUAD, src)),
            Code::TestRI8 => compare!(alu::and, BYTE, get!(BYTE, dst), immediate!(BYTE)),
            Code::TestRI32 => compare!(alu::and, DOUBLE, get!(DOUBLE, dst), immediate!(DOUBLE)),
            Code::TestRI64 => compare!(alu::and, QUAD, get!(QUAD, dst), immediate!(QUAD)),
            Code::TestRM8 => compare!(alu::and, BYTE, get!(BYTE, dst), load!(u8)),
            Code::TestRM32 => compare!(alu::and, DOUBLE, get!(DOUBLE, dst), load!(u32)),
            Code::TestRM64 => compare!(alu::and, QUAD, get!(QUAD, dst), load!(u64)),
            Code::TestMR8 => compare!(alu::and, BYTE, load!(u8), get!(BYTE, src)),
            Code::TestMR32 => compare!(alu::and, DOUBLE, load!(u32), get!(DOUBLE, src)),
            Code::TestMR64 => compare!(alu::and, QUAD, load!(u64), get!(QUAD, src)),
            Code::TestMI8 => compare!(alu::and, BYTE, load!(u8), immediate!(BYTE)),
            Code::TestMI32 => compare!(alu::and, DOUBLE, load!(u32), immediate!(DOUBLE)),
            Code::TestMI64 => compare!(alu::and, QUAD, load!(u64), immediate!(QUAD)),

            // Arithmetic whose flags nobody sees.
            Code::QuietAddRR32 => set!(
                DOUBLE,
                Width::DOUBLE.truncate(get!(DOUBLE, dst).wrapping_add(get!(DOUBLE, src)))
            ),
            Code::QuietAddRR64 => set!(QUAD, get!(QUAD, dst).wrapping_add(get!(QUAD, src))),
            Code::QuietAddRI32 => set!(
                DOUBLE,
                Width::DOUBLE.truncate(get!(DOUBLE, dst).wrapping_add(immediate!(DOUBLE)))
            ),
            Code::QuietAddRI64 => set!(QUAD, get!(QUAD, dst).wrapping_add(immediate!(QUAD))),
            Code::QuietAddRM32 => {
                set!(DOUBLE, Width::DOUBLE.truncate(get!(DOUBLE, dst).wrapping_add(load!(u32))))
            }
            Code::QuietAddRM64 => set!(QUAD, get!(QUAD, dst).wrapping_add(load!(u64))),
            Code::QuietOrRR32 => set!(DOUBLE, get!(DOUBLE, dst).bitor(get!(DOUBLE, src))),
            Code::QuietOrRR64 => set!(QUAD, get!(QUAD, dst).bitor(get!(QUAD, src))),
            Code::QuietOrRI32 => set!(DOUBLE, get!(DOUBLE, dst).bitor(immediate!(DOUBLE))),
            Code::QuietOrRI64 => set!(QUAD, get!(QUAD, dst).bitor(immediate!(QUAD))),
            Code::QuietOrRM32 => set!(DOUBLE, get!(DOUBLE, dst).bitor(load!(u32))),
            Code::QuietOrRM64 => set!(QUAD, get!(QUAD, dst).bitor(load!(u64))),
            Code::QuietAndRR32 => set!(DOUBLE, get!(DOUBLE, dst).bitand(get!(DOUBLE, src))),
            Code::QuietAndRR64 => set!(QUAD, get!(QUAD, dst).bitand(get!(QUAD, src))),
            Code::QuietAndRI32 => set!(DOUBLE, get!(DOUBLE, dst).bitand(immediate!(DOUBLE))),
            Code::QuietAndRI64 => set!(QUAD, get!(QUAD, dst).bitand(immediate!(QUAD))),
            Code::QuietAndRM32 => set!(DOUBLE, get!(DOUBLE, dst).bitand(load!(u32))),
            Code::QuietAndRM64 => set!(QUAD, get!(QUAD, dst).bitand(load!(u64))),
            Code::QuietSubRR32 => set!(
                DOUBLE,
                Width::DOUBLE.truncate(get!(DOUBLE, dst).wrapping_sub(get!(DOUBLE, src)))
            ),
            Code::QuietSubRR64 => set!(QUAD, get!(QUAD, dst).wrapping_sub(get!(QUAD, src))),
            Code::QuietSubRI32 => set!(
                DOUBLE,
                Width::DOUBLE.truncate(get!(DOUBLE, dst).wrapping_sub(immediate!(DOUBLE)))
            ),
            Code::QuietSubRI64 => set!(QUAD, get!(QUAD, dst).wrapping_sub(immediate!(QUAD))),
            Code::QuietSubRM32 => {
                set!(DOUBLE, Width::DOUBLE.truncate(get!(DOUBLE, dst).wrapping_sub(load!(u32))))
            }
            Code::QuietSubRM64 => set!(QUAD, get!(QUAD, dst).wrapping_sub(load!(u64))),
            Code::QuietXorRR32 => set!(DOUBLE, get!(DOUBLE, dst).bitxor(get!(DOUBLE, src))),
            Code::QuietXorRR64 => set!(QUAD, get!(QUAD, dst).bitxor(get!(QUAD, src))),
            Code::QuietXorRI32 => set!(DOUBLE, get!(DOUBLE, dst).bitxor(immediate!(DOUBLE))),
            Code::QuietXorRI64 => set!(QUAD, get!(QUAD, dst).bitxor(immediate!(QUAD))),
            Code::QuietXorRM32 => set!(DOUBLE, get!(DOUBLE, dst).bitxor(load!(u32))),
            Code::QuietXorRM64 => set!(QUAD, get!(QUAD, dst).bitxor(load!(u64))),

            // Shifts, rotates and other arithmetic on registers.
            Code::ShlRI32 => {
                set!(DOUBLE, binary!(alu::shl, DOUBLE, get!(DOUBLE, dst), op.imm as u32))
            }
            Code::ShlRC32 => {
                set!(DOUBLE, binary!(alu::shl, DOUBLE, get!(DOUBLE, dst), count!(DOUBLE)))
            }
            Code::ShlRI64 => set!(QUAD, binary!(alu::shl, QUAD, get!(QUAD, dst), op.imm as u32)),
            Code::ShlRC64 => set!(QUAD, binary!(alu::shl, QUAD, get!(QUAD, dst), count!(QUAD))),
            Code::ShrRI32 => {
                set!(DOUBLE, binary!(alu::shr, DOUBLE, get!(DOUBLE, dst), op.imm as u32))
            }
            Code::ShrRC32 => {
                set!(DOUBLE, binary!(alu::shr, DOUBLE, get!(DOUBLE, dst), count!(DOUBLE)))
            }
            Code::ShrRI64 => set!(QUAD, binary!(alu::shr, QUAD, get!(QUAD, dst), op.imm as u32)),
            Code::ShrRC64 => set!(QUAD, binary!(alu::shr, QUAD, get!(QUAD, dst), count!(QUAD))),
            Code::SarRI32 => {
                set!(DOUBLE, binary!(alu::sar, DOUBLE, get!(DOUBLE, dst), op.imm as u32))
            }
            Code::SarRC32 => {
                set!(DOUBLE, binary!(alu::sar, DOUBLE, get!(DOUBLE, dst), count!(DOUBLE)))
            }
            Code::SarRI64 => set!(QUAD, binary!(alu::sar, QUAD, get!(QUAD, dst), op.imm as u32)),
            Code::SarRC64 => set!(QUAD, binary!(alu::sar, QUAD, get!(QUAD, dst), count!(QUAD))),
            Code::RolRI32 => {
                set!(DOUBLE, binary!(alu::rol_immediate, DOUBLE, get!(DOUBLE, dst), op.imm as u32))
            }
            Code::RolRI64 => {
                set!(QUAD, binary!(alu::rol_immediate, QUAD, get!(QUAD, dst), op.imm as u32))
            }
            Code::RorRI32 => {
                set!(DOUBLE, binary!(alu::ror_immediate, DOUBLE, get!(DOUBLE, dst), op.imm as u32))
            }
            Code::RorRI64 => {
                set!(QUAD, binary!(alu::ror_immediate, QUAD, get!(QUAD, dst), op.imm as u32))
            }
            Code::QuietShlRI32 => {
                set!(DOUBLE, Width::DOUBLE.truncate(get!(QUAD, dst) << (op.imm & 31)))
            }
            Code::QuietShlRI64 => set!(QUAD, get!(QUAD, dst) << (op.imm & 63)),
            Code::QuietShrRI32 => set!(DOUBLE, get!(DOUBLE, dst) >> (op.imm & 31)),
            Code::QuietShrRI64 => set!(QUAD, get!(QUAD, dst) >> (op.imm & 63)),
            Code::QuietSarRI32 => {
                set!(DOUBLE, u64::from((get!(QUAD, dst) as i32 >> (op.imm & 31)) as u32))
            }
            Code::QuietSarRI64 => set!(QUAD, (get!(QUAD, dst) as i64 >> (op.imm & 63)) as u64),
            Code::Inc32 => {
                set!(DOUBLE, alu::inc(&mut engine.flags, Width::DOUBLE, get!(DOUBLE, dst)))
            }
            Code::Inc64 => set!(QUAD, alu::inc(&mut engine.flags, Width::QUAD, get!(QUAD, dst))),
            Code::Dec32 => {
                set!(DOUBLE, alu::dec(&mut engine.flags, Width::DOUBLE, get!(DOUBLE, dst)))
            }
            Code::Dec64 => set!(QUAD, alu::dec(&mut engine.flags, Width::QUAD, get!(QUAD, dst))),
            Code::Neg32 => {
                set!(DOUBLE, alu::neg(&mut engine.flags, Width::DOUBLE, get!(DOUBLE, dst)))
            }
            Code::Neg64 => set!(QUAD, alu::neg(&mut engine.flags, Width::QUAD, get!(QUAD, dst))),
            Code::QuietNeg32 => {
                set!(DOUBLE, Width::DOUBLE.truncate(get!(DOUBLE, dst).wrapping_neg()))
            }
            Code::Not32 => set!(DOUBLE, Width::DOUBLE.truncate(!get!(DOUBLE, dst))),
            Code::QuietNeg64 => set!(QUAD, Width::QUAD.truncate(get!(QUAD, dst).wrapping_neg())),
            Code::Not64 => set!(QUAD, Width::QUAD.truncate(!get!(QUAD, dst))),
            Code::IncM32 => update!(|flags, width, a, _| alu::inc(flags, width, a), DOUBLE, u32, 0),
            Code::IncM64 => update!(|flags, width, a, _| alu::inc(flags, width, a), QUAD, u64, 0),
            Code::DecM32 => update!(|flags, width, a, _| alu::dec(flags, width, a), DOUBLE, u32, 0),
            Code::DecM64 => update!(|flags, width, a, _| alu::dec(flags, width, a), QUAD, u64, 0),
            Code::ImulRR32 => {
                set!(DOUBLE, binary!(alu::imul, DOUBLE, get!(DOUBLE, dst), get!(DOUBLE, src)))
            }
            Code::ImulRM32 => {
                set!(DOUBLE, binary!(alu::imul, DOUBLE, get!(DOUBLE, dst), load!(u32)))
            }
            Code::ImulRRI32 => {
                set!(DOUBLE, binary!(alu::imul, DOUBLE, get!(DOUBLE, src), immediate!(DOUBLE)))
            }
            Code::Mul32 => multiply!(DOUBLE),
            Code::Div32 => divide!(DOUBLE, false),
            Code::Idiv32 => divide!(DOUBLE, true),
            Code::ImulRR64 => {
                set!(QUAD, binary!(alu::imul, QUAD, get!(QUAD, dst), get!(QUAD, src)))
            }
            Code::ImulRM64 => set!(QUAD, binary!(alu::imul, QUAD, get!(QUAD, dst), load!(u64))),
            Code::ImulRRI64 => {
                set!(QUAD, binary!(alu::imul, QUAD, get!(QUAD, src), immediate!(QUAD)))
            }
            Code::Mul64 => multiply!(QUAD),
            Code::Div64 => divide!(QUAD, false),
            Code::Idiv64 => divide!(QUAD, true),
            Code::Cdq => {
                engine.regs[RDX] = u64::from((engine.regs[RAX] as i32 >> 31) as u32);
                next!()
            }
            Code::Cqo => {
                engine.regs[RDX] = (engine.regs[RAX] as i64 >> 63) as u64;
                next!()
            }
            Code::Bswap32 => set!(DOUBLE, u64::from((get!(QUAD, dst) as u32).swap_bytes())),
            Code::Bswap64 => set!(QUAD, get!(QUAD, dst).swap_bytes()),
            Code::XchgRR32 => exchange!(DOUBLE),
            Code::XchgRR64 => exchange!(QUAD),
            Code::SetR => set!(BYTE, u64::from(engine.condition(op.imm as u8))),
            Code::CmovRR32 => select!(DOUBLE, get!(DOUBLE, src)),
            Code::CmovRM32 => select!(DOUBLE, load!(u32)),
            Code::CmovRR64 => select!(QUAD, get!(QUAD, src)),
            Code::CmovRM64 => select!(QUAD, load!(u64)),

            // The stack, and calls.
            Code::PushR => push!(engine.regs[usize::from(op.src)]),
            Code::PushI => push!(op.imm as i64 as u64),
            Code::PopR => {
                let value = stack_top!();
                engine.regs[RSP] = engine.regs[RSP].wrapping_add(8);
                engine.regs[usize::from(op.dst)] = value;
                next!()
            }
            Code::Leave => {
                let Some(bytes) = engine.memory.quick_read::<8>(engine.regs[RBP]) else {
                    break Leave::Slow(pc);
                };
                engine.regs[RSP] = engine.regs[RBP].wrapping_add(8);
                engine.regs[RBP] = u64::from_le_bytes(bytes);
                next!()
            }
            Code::Call => {
                push_return!(op.imm as i64 as u64);
                op.taken
            }
            Code::CallR => {
                let link = find!(engine.regs[usize::from(op.src)]);
                push_return!(op.wide());
                link
            }
            Code::CallM => {
                let link = find!(load!(u64));
                push_return!(op.wide());
                link
            }
            Code::Ret => {
                let link = find!(stack_top!());
                engine.regs[RSP] = engine.regs[RSP].wrapping_add(8);
                link
            }
            Code::Jmp => op.taken,
            Code::JmpR => find!(engine.regs[usize::from(op.src)]),
            Code::JmpM => find!(load!(u64)),

            // Conditional jumps.
            Code::Jo => choose!(engine.flags.condition(0)),
            Code::Jno => choose!(engine.flags.condition(1)),
            Code::Jb => choose!(engine.flags.condition(2)),
            Code::Jae => choose!(engine.flags.condition(3)),
            Code::Je => choose!(engine.flags.condition(4)),
            Code::Jne => choose!(engine.flags.condition(5)),
            Code::Jbe => choose!(engine.flags.condition(6)),
            Code::Ja => choose!(engine.flags.condition(7)),
            Code::Js => choose!(engine.flags.condition(8)),
            Code::Jns => choose!(engine.flags.condition(9)),
            Code::Jp => choose!(engine.flags.condition(10)),
            Code::Jnp => choose!(engine.flags.condition(11)),
            Code::Jl => choose!(engine.flags.condition(12)),
            Code::Jge => choose!(engine.flags.condition(13)),
            Code::Jle => choose!(engine.flags.condition(14)),
            Code::Jg => choose!(engine.flags.condition(15)),

            // A comparison and a conditional jump.
            Code::CmpRR32Jb => compare_jump!(DOUBLE, get!(DOUBLE, src), |a, b| a < b),
            Code::CmpRR32Jae => compare_jump!(DOUBLE, get!(DOUBLE, src), |a, b| a >= b),
            Code::CmpRR32Je => compare_jump!(DOUBLE, get!(DOUBLE, src), |a, b| a == b),
            Code::CmpRR32Jne => compare_jump!(DOUBLE, get!(DOUBLE, src), |a, b| a != b),
            Code::CmpRR32Jbe => compare_jump!(DOUBLE, get!(DOUBLE, src), |a, b| a <= b),
            Code::CmpRR32Ja => compare_jump!(DOUBLE, get!(DOUBLE, src), |a, b| a > b),
            Code::CmpRR32Jl => compare_jump!(DOUBLE, get!(DOUBLE, src), |a, b| Width::DOUBLE
                .signed(a)
                < Width::DOUBLE.signed(b)),
            Code::CmpRR32Jge => compare_jump!(DOUBLE, get!(DOUBLE, src), |a, b| Width::DOUBLE
                .signed(a)
                >= Width::DOUBLE.signed(b)),
            Code::CmpRR32Jle => compare_jump!(DOUBLE, get!(DOUBLE, src), |a, b| Width::DOUBLE
                .signed(a)
                <= Width::DOUBLE.signed(b)),
            Code::CmpRR32Jg => compare_jump!(DOUBLE, get!(DOUBLE, src), |a, b| Width::DOUBLE
                .signed(a)
                > Width::DOUBLE.signed(b)),
            Code::CmpRR64Jb => compare_jump!(QUAD, get!(QUAD, src), |a, b| a < b),
            Code::CmpRR64Jae => compare_jump!(QUAD, get!(QUAD, src), |a, b| a >= b),
            Code::CmpRR64Je => compare_jump!(QUAD, get!(QUAD, src), |a, b| a == b),
            Code::CmpRR64Jne => compare_jump!(QUAD, get!(QUAD, src), |a, b| a != b),
            Code::CmpRR64Jbe => compare_jump!(QUAD, get!(QUAD, src), |a, b| a <= b),
            Code::CmpRR64Ja => compare_jump!(QUAD, get!(QUAD, src), |a, b| a > b),
            Code::CmpRR64Jl => compare_jump!(QUAD, get!(QUAD, src), |a, b| Width::QUAD.signed(a)
                < Width::QUAD.signed(b)),
            Code::CmpRR64Jge => compare_jump!(QUAD, get!(QUAD, src), |a, b| Width::QUAD.signed(a)
                >= Width::QUAD.signed(b)),
            Code::CmpRR64Jle => compare_jump!(QUAD, get!(QUAD, src), |a, b| Width::QUAD.signed(a)
                <= Width::QUAD.signed(b)),
            Code::CmpRR64Jg => compare_jump!(QUAD, get!(QUAD, src), |a, b| Width::QUAD.signed(a)
                > Width::QUAD.signed(b)),
            Code::CmpRI8Jb => compare_jump!(BYTE, immediate!(BYTE), |a, b| a < b),
            Code::CmpRI8Jae => compare_jump!(BYTE, immediate!(BYTE), |a, b| a >= b),
            Code::CmpRI8Je => compare_jump!(BYTE, immediate!(BYTE), |a, b| a == b),
            Code::CmpRI8Jne => compare_jump!(BYTE, immediate!(BYTE), |a, b| a != b),
            Code::CmpRI8Jbe => compare_jump!(BYTE, immediate!(BYTE), |a, b| a <= b),
            Code::CmpRI8Ja => compare_jump!(BYTE, immediate!(BYTE), |a, b| a > b),
            Code::CmpRI8Jl => compare_jump!(BYTE, immediate!(BYTE), |a, b| Width::BYTE.signed(a)
                < Width::BYTE.signed(b)),
            Code::CmpRI8Jge => compare_jump!(BYTE, immediate!(BYTE), |a, b| Width::BYTE.signed(a)
                >= Width::BYTE.signed(b)),
            Code::CmpRI8Jle => compare_jump!(BYTE, immediate!(BYTE), |a, b| Width::BYTE.signed(a)
                <= Width::BYTE.signed(b)),
            Code::CmpRI8Jg => compare_jump!(BYTE, immediate!(BYTE), |a, b| Width::BYTE.signed(a)
                > Width::BYTE.signed(b)),
            Code::CmpRI32Jb => compare_jump!(DOUBLE, immediate!(DOUBLE), |a, b| a < b),
            Code::CmpRI32Jae => compare_jump!(DOUBLE, immediate!(DOUBLE), |a, b| a >= b),
            Code::CmpRI32Je => compare_jump!(DOUBLE, immediate!(DOUBLE), |a, b| a == b),
            Code::CmpRI32Jne => compare_jump!(DOUBLE, immediate!(DOUBLE), |a, b| a != b),
            Code::CmpRI32Jbe => compare_jump!(DOUBLE, immediate!(DOUBLE), |a, b| a <= b),
            Code::CmpRI32Ja => compare_jump!(DOUBLE, immediate!(DOUBLE), |a, b| a > b),
            Code::CmpRI32Jl => compare_jump!(DOUBLE, immediate!(DOUBLE), |a, b| Width::DOUBLE
                .signed(a)
                < Width::DOUBLE.signed(b)),
            Code::CmpRI32Jge => compare_jump!(DOUBLE, immediate!(DOUBLE), |a, b| Width::DOUBLE
                .signed(a)
                >= Width::DOUBLE.signed(b)),
            Code::CmpRI32Jle => compare_jump!(DOUBLE, immediate!(DOUBLE), |a, b| Width::DOUBLE
                .signed(a)
                <= Width::DOUBLE.signed(b)),
            Code::CmpRI32Jg => compare_jump!(DOUBLE, immediate!(DOUBLE), |a, b| Width::DOUBLE
                .signed(a)
                > Width::DOUBLE.signed(b)),
            Code::CmpRI64Jb => compare_jump!(QUAD, immediate!(QUAD), |a, b| a < b),
            Code::CmpRI64Jae => compare_jump!(QUAD, immediate!(QUAD), |a, b| a >= b),
            Code::CmpRI64Je => compare_jump!(QUAD, immediate!(QUAD), |a, b| a == b),
            Code::CmpRI64Jne => compare_jump!(QUAD, immediate!(QUAD), |a, b| a != b),
            Code::CmpRI64Jbe => compare_jump!(QUAD, immediate!(QUAD), |a, b| a <= b),
            Code::CmpRI64Ja => compare_jump!(QUAD, immediate!(QUAD), |a, b| a > b),
            Code::CmpRI64Jl => compare_jump!(QUAD, immediate!(QUAD), |a, b| Width::QUAD.signed(a)
                < Width::QUAD.signed(b)),
            Code::CmpRI64Jge => compare_jump!(QUAD, immediate!(QUAD), |a, b| Width::QUAD.signed(a)
                >= Width::QUAD.signed(b)),
            Code::CmpRI64Jle => compare_jump!(QUAD, immediate!(QUAD), |a, b| Width::QUAD.signed(a)
                <= Width::QUAD.signed(b)),
            Code::CmpRI64Jg => compare_jump!(QUAD, immediate!(QUAD), |a, b| Width::QUAD.signed(a)
                > Width::QUAD.signed(b)),
            Code::TestRR8Je => test_jump!(BYTE, get!(BYTE, src), |r| r == 0),
            Code::TestRR8Jne => test_jump!(BYTE, get!(BYTE, src), |r| r != 0),
            Code::TestRR8Js => test_jump!(BYTE, get!(BYTE, src), |r| Width::BYTE.signed(r) < 0),
            Code::TestRR8Jns => test_jump!(BYTE, get!(BYTE, src), |r| Width::BYTE.signed(r) >= 0),
            Code::TestRR8Jle => test_jump!(BYTE, get!(BYTE, src), |r| Width::BYTE.signed(r) <= 0),
            Code::TestRR8Jg => test_jump!(BYTE, get!(BYTE, src), |r| Width::BYTE.signed(r) > 0),
            Code::TestRR32Je => test_jump!(DOUBLE, get!(DOUBLE, src), |r| r == 0),
            Code::TestRR32Jne => test_jump!(DOUBLE, get!(DOUBLE, src), |r| r != 0),
            Code::TestRR32Js => {
                test_jump!(DOUBLE, get!(DOUBLE, src), |r| Width::DOUBLE.signed(r) < 0)
            }
            Code::TestRR32Jns => {
                test_jump!(DOUBLE, get!(DOUBLE, src), |r| Width::DOUBLE.signed(r) >= 0)
            }
            Code::TestRR32Jle => {
                test_jump!(DOUBLE, get!(DOUBLE, src), |r| Width::DOUBLE.signed(r) <= 0)
            }
            Code::TestRR32Jg => {
                test_jump!(DOUBLE, get!(DOUBLE, src), |r| Width::DOUBLE.signed(r) > 0)
            }
            Code::TestRR64Je => test_jump!(QUAD, get!(QUAD, src), |r| r == 0),
            Code::TestRR64Jne => test_jump!(QUAD, get!(QUAD, src), |r| r != 0),
            Code::TestRR64Js => test_jump!(QUAD, get!(QUAD, src), |r| Width::QUAD.signed(r) < 0),
            Code::TestRR64Jns => test_jump!(QUAD, get!(QUAD, src), |r| Width::QUAD.signed(r) >= 0),
            Code::TestRR64Jle => test_jump!(QUAD, get!(QUAD, src), |r| Width::QUAD.signed(r) <= 0),
            Code::TestRR64Jg => test_jump!(QUAD, get!(QUAD, src), |r| Width::QUAD.signed(r) > 0),
            Code::TestRI8Je => test_jump!(BYTE, immediate!(BYTE), |r| r == 0),
            Code::TestRI8Jne => test_jump!(BYTE, immediate!(BYTE), |r| r != 0),
            Code::TestRI32Je => test_jump!(DOUBLE, immediate!(DOUBLE), |r| r == 0),
            Code::TestRI32Jne => test_jump!(DOUBLE, immediate!(DOUBLE), |r| r != 0),
            Code::SubRI32Je => subtract_jump!(DOUBLE, |r| r == 0),
            Code::SubRI32Jne => subtract_jump!(DOUBLE, |r| r != 0),
            Code::SubRI64Je => subtract_jump!(QUAD, |r| r == 0),
            Code::SubRI64Jne => subtract_jump!(QUAD, |r| r != 0),
        };
        let Some(head) = ops.get(link as usize) else { break Leave::Link(pc) };
        // An unknown link leads to head 0, which nothing can pay for.
        let cost = head.imm as u32;
        if cost > left {
            break if link == 0 { Leave::Link(pc) } else { Leave::Head(link) };
        }
        left -= cost;
        pc = link as usize + 1;
    };
    *fuel = left;
    leave
}
