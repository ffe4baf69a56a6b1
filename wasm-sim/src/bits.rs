//! Instructions on single bits and bit fields.

use iced_x86::{Instruction, Mnemonic as M, OpKind};
use shared_model::registers::{AF, CF, OF, PF, SF, ZF};

use crate::alu;
use crate::engine::{Engine, Flow, Outcome, RDX};
use crate::flags::{STATUS, of_result};
use crate::operand::width_of;
use crate::width::Width;

const CRC32C: u32 = 0x82f6_3b78;

const fn flag(condition: bool, bit: u64) -> u64 {
    if condition { bit } else { 0 }
}

impl Engine {
    /// `bt`, `bts`, `btr`, `btc`. With a register as the bit number, a memory operand is a bit
    /// string that extends in both directions (SDM vol. 2, 3.1.1.9).
    pub(crate) fn bit_test(&mut self, i: &Instruction) -> Outcome {
        let width = width_of(i, 0)?;
        let number = self.read_operand(i, 1)?;
        let in_string = i.op0_kind() == OpKind::Memory && i.op1_kind() == OpKind::Register;
        let extra = if in_string {
            let operands = width.signed(number) >> width.bits().trailing_zeros();
            (operands as u64).wrapping_mul(width.bytes() as u64)
        } else {
            0
        };
        let mask = 1_u64 << (number & u64::from(width.sign_shift()));
        let old = if i.mnemonic() == M::Bt {
            if i.op0_kind() == OpKind::Memory {
                let (address, segment) = self.linear(i, extra);
                self.memory.read(address, width.bytes(), segment)?
            } else {
                self.read_operand(i, 0)?
            }
        } else {
            let place = self.open_at(i, 0, extra)?;
            let old = self.read_place(place);
            let new = match i.mnemonic() {
                M::Bts => old | mask,
                M::Btr => old & !mask,
                _ => old ^ mask,
            };
            self.write_place(place, new);
            old
        };
        // ZF is kept; OF, SF, AF and PF are undefined, and processors keep them too.
        let kept = self.flags.status() & !CF;
        let poison = self.flags.undefined() & ZF | OF | SF | AF | PF;
        self.flags.set_explicit(kept | flag(old & mask != 0, CF), poison);
        Ok(Flow::Next)
    }

    pub(crate) fn bit_scan(&mut self, i: &Instruction) -> Outcome {
        let width = width_of(i, 0)?;
        let source = self.read_operand(i, 1)?;
        let bits = u64::from(width.bits());
        let trailing = u64::from(source.trailing_zeros()).min(bits);
        let leading = u64::from(source.leading_zeros()) - (64 - bits);
        let (result, which, set) = match i.mnemonic() {
            M::Bsf | M::Bsr if source == 0 => {
                // The destination is undefined; processors leave it alone.
                alu::set_partly(&mut self.flags, width, 0, ZF, ZF);
                return Ok(Flow::Next);
            }
            M::Bsf => (trailing, ZF, 0),
            M::Bsr => (bits - 1 - leading, ZF, 0),
            M::Tzcnt => (trailing, ZF | CF, flag(trailing == 0, ZF) | flag(source == 0, CF)),
            M::Lzcnt => (leading, ZF | CF, flag(leading == 0, ZF) | flag(source == 0, CF)),
            _ => (u64::from(source.count_ones()), STATUS, flag(source == 0, ZF)),
        };
        if matches!(i.mnemonic(), M::Bsf | M::Bsr) {
            alu::set_partly(&mut self.flags, width, result, which, set);
        } else {
            // The undefined rest is clear.
            self.flags.set_explicit(set, !which);
        }
        self.write_operand(i, 0, result)?;
        Ok(Flow::Next)
    }

    /// The general-register instructions of BMI1 and BMI2.
    pub(crate) fn bit_manipulation(&mut self, i: &Instruction) -> Outcome {
        let width = width_of(i, 0)?;
        let bits = width.bits();
        let last = self.read_operand(i, i.op_count() - 1)?;
        if i.op_count() == 2 {
            let source = last;
            let (result, set) = match i.mnemonic() {
                M::Blsi => (source & source.wrapping_neg(), flag(source != 0, CF)),
                M::Blsmsk => (source ^ source.wrapping_sub(1), flag(source == 0, CF)),
                _ => (source & source.wrapping_sub(1), flag(source == 0, CF)),
            };
            let result = width.truncate(result);
            self.set_logic_like(width, result, set, AF | PF);
            self.write_operand(i, 0, result)?;
            return Ok(Flow::Next);
        }
        let middle = self.read_operand(i, 1)?;
        let result = match i.mnemonic() {
            M::Andn => {
                let result = !middle & last;
                self.set_logic_like(width, result, 0, AF | PF);
                result
            }
            M::Bextr => {
                let (start, length) = (last & 0xff, last >> 8 & 0xff);
                let field = if start >= 64 { 0 } else { middle >> start };
                let result = if length >= 64 { field } else { field & ((1 << length) - 1) };
                self.set_logic_like(width, result, 0, AF | SF | PF);
                result
            }
            M::Bzhi => {
                let index = last & 0xff;
                let whole = index >= u64::from(bits);
                let result = if whole { middle } else { middle & ((1 << index) - 1) };
                self.set_logic_like(width, result, flag(whole, CF), AF | PF);
                result
            }
            M::Mulx => {
                // The implicit factor is rdx; both destinations may be the same register,
                // which then has the high half.
                let factor = self.get_numbered(RDX, width);
                let full = u128::from(factor) * u128::from(last);
                self.write_operand(i, 1, full as u64)?;
                (full >> bits) as u64
            }
            M::Pdep => deposit(middle, last),
            M::Pext => extract(middle, last),
            M::Rorx => {
                let turn = last as u32 & (bits - 1);
                if width == Width::QUAD {
                    middle.rotate_right(turn)
                } else {
                    u64::from((middle as u32).rotate_right(turn))
                }
            }
            M::Sarx => (width.signed(middle) >> alu::shift_count(width, last)) as u64,
            M::Shlx => middle << alu::shift_count(width, last),
            _ => middle >> alu::shift_count(width, last),
        };
        self.write_operand(i, 0, result)?;
        Ok(Flow::Next)
    }

    /// SF and ZF of a result, CF as given, OF clear; undefined flags are clear too.
    fn set_logic_like(&mut self, width: Width, result: u64, set: u64, undefined: u64) {
        let bits = of_result(width, result) & !undefined;
        self.flags.set_explicit(bits | set, undefined);
    }

    /// `adcx` and `adox`: an addition whose only carry, in and out, is one flag.
    pub(crate) fn add_with_flag(&mut self, i: &Instruction, carry: u64) -> Outcome {
        let width = width_of(i, 0)?;
        let source = self.read_operand(i, 1)?;
        let old = self.read_operand(i, 0)?;
        let carried = u128::from(self.flags.status() & carry != 0);
        let full = u128::from(old) + u128::from(source) + carried;
        self.flags.replace(carry, flag(full >> width.bits() != 0, carry), 0);
        self.write_operand(i, 0, full as u64)?;
        Ok(Flow::Next)
    }

    /// `crc32`: the Castagnoli polynomial, bit-reflected.
    pub(crate) fn crc32(&mut self, i: &Instruction) -> Outcome {
        let source = self.read_operand(i, 1)?;
        let mut crc = self.read_operand(i, 0)? as u32;
        for byte in &source.to_le_bytes()[..width_of(i, 1)?.bytes()] {
            crc ^= u32::from(*byte);
            for _ in 0..8 {
                crc = crc >> 1 ^ if crc & 1 != 0 { CRC32C } else { 0 };
            }
        }
        self.write_operand(i, 0, u64::from(crc))?;
        Ok(Flow::Next)
    }
}

/// `pdep`: the low bits of `source` go to the set bits of `mask`.
fn deposit(source: u64, mut mask: u64) -> u64 {
    let mut result = 0;
    let mut from = 0;
    while mask != 0 {
        let lowest = mask & mask.wrapping_neg();
        if source >> from & 1 != 0 {
            result |= lowest;
        }
        from += 1;
        mask ^= lowest;
    }
    result
}

/// `pext`: the bits of `source` under `mask` go to the low bits.
fn extract(source: u64, mut mask: u64) -> u64 {
    let mut result = 0;
    let mut to = 0;
    while mask != 0 {
        let lowest = mask & mask.wrapping_neg();
        if source & lowest != 0 {
            result |= 1 << to;
        }
        to += 1;
        mask ^= lowest;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::{deposit, extract};

    #[test]
    fn deposit_and_extract_are_inverse_under_the_mask() {
        assert_eq!(deposit(0b101, 0xf0f0), 0x50);
        assert_eq!(extract(0x5a5a, 0xf0f0), 0x55);
        assert_eq!(extract(deposit(u64::MAX, 1 << 63), 1 << 63), 1);
    }
}
