//! What the arithmetic and logic instructions compute, at any width.
//!
//! Both the fast handlers and the slow interpreter call these, so an instruction's meaning
//! is in one place. Operands and results are zero-extended from the width. Where the manual
//! leaves a flag undefined, the value is the one that current Intel processors produce, and
//! the flag is reported as undefined.

use shared_model::registers::{AF, CF, OF, PF, SF, ZF};

use crate::flags::{Flags, of_result};
use crate::width::Width;

#[inline(always)]
pub(crate) fn add(flags: &mut Flags, width: Width, a: u64, b: u64) -> u64 {
    let result = width.truncate(a.wrapping_add(b));
    flags.set_add(width, a, b, result);
    result
}

#[inline(always)]
pub(crate) fn adc(flags: &mut Flags, width: Width, a: u64, b: u64) -> u64 {
    let result = width.truncate(a.wrapping_add(b).wrapping_add(u64::from(flags.carry())));
    flags.set_add(width, a, b, result);
    result
}

#[inline(always)]
pub(crate) fn sub(flags: &mut Flags, width: Width, a: u64, b: u64) -> u64 {
    let result = width.truncate(a.wrapping_sub(b));
    flags.set_subtract(width, a, b, result);
    result
}

#[inline(always)]
pub(crate) fn sbb(flags: &mut Flags, width: Width, a: u64, b: u64) -> u64 {
    let result = width.truncate(a.wrapping_sub(b).wrapping_sub(u64::from(flags.carry())));
    flags.set_subtract(width, a, b, result);
    result
}

#[inline(always)]
pub(crate) fn and(flags: &mut Flags, width: Width, a: u64, b: u64) -> u64 {
    flags.set_logic(width, a & b);
    a & b
}

#[inline(always)]
pub(crate) fn or(flags: &mut Flags, width: Width, a: u64, b: u64) -> u64 {
    flags.set_logic(width, a | b);
    a | b
}

#[inline(always)]
pub(crate) fn xor(flags: &mut Flags, width: Width, a: u64, b: u64) -> u64 {
    flags.set_logic(width, a ^ b);
    a ^ b
}

#[inline(always)]
pub(crate) fn neg(flags: &mut Flags, width: Width, a: u64) -> u64 {
    sub(flags, width, 0, a)
}

/// CF (and whether it is undefined) as it was, for the instructions that keep it.
#[inline(always)]
fn kept_carry(flags: &Flags) -> (u64, u64) {
    (u64::from(flags.carry()), flags.undefined() & CF)
}

#[inline(always)]
pub(crate) fn inc(flags: &mut Flags, width: Width, a: u64) -> u64 {
    let (carry, poison) = kept_carry(flags);
    let result = width.truncate(a.wrapping_add(1));
    let overflow = if result == 1 << width.sign_shift() { OF } else { 0 };
    let adjust = if result & 0xf == 0 { AF } else { 0 };
    flags.set_mixed(width, result, carry | overflow | adjust, poison);
    result
}

#[inline(always)]
pub(crate) fn dec(flags: &mut Flags, width: Width, a: u64) -> u64 {
    let (carry, poison) = kept_carry(flags);
    let result = width.truncate(a.wrapping_sub(1));
    let overflow = if a == 1 << width.sign_shift() { OF } else { 0 };
    let adjust = if a & 0xf == 0 { AF } else { 0 };
    flags.set_mixed(width, result, carry | overflow | adjust, poison);
    result
}

/// A shift count as the processor uses it: 6 bits for 64-bit operands, else 5.
#[inline(always)]
pub(crate) const fn shift_count(width: Width, count: u64) -> u32 {
    (count & if width.index() == 3 { 63 } else { 31 }) as u32
}

/// AF is undefined after every shift, OF after one by more than a bit. Processors clear AF,
/// and set OF as if the count were 1.
#[inline(always)]
const fn shift_undefined(count: u32) -> u64 {
    if count == 1 { AF } else { AF | OF }
}

/// Whether the two top bits of an operand differ: OF of a shift to the left by 1.
#[inline(always)]
const fn top_bits_differ(width: Width, a: u64) -> u64 {
    width.sign(a ^ (a << 1))
}

/// `shl` by a masked count; a count of zero changes nothing (SDM vol. 2, SAL/SAR/SHL/SHR).
#[inline(always)]
pub(crate) fn shl(flags: &mut Flags, width: Width, a: u64, count: u32) -> u64 {
    if count == 0 {
        return a;
    }
    let result = width.truncate(a << count);
    let bits = width.bits();
    // Past the width, the carry is one of the zeros that were shifted in.
    let carry = if count > bits { 0 } else { (a >> (bits - count)) & 1 };
    let poison = shift_undefined(count) | if count >= bits { CF } else { 0 };
    let overflow = top_bits_differ(width, a) * OF;
    flags.set_mixed(width, result, carry | overflow, poison);
    result
}

/// `shr` by a masked count.
#[inline(always)]
pub(crate) fn shr(flags: &mut Flags, width: Width, a: u64, count: u32) -> u64 {
    if count == 0 {
        return a;
    }
    let result = a >> count;
    let carry = (a >> (count - 1)) & 1;
    let poison = shift_undefined(count) | if count >= width.bits() { CF } else { 0 };
    flags.set_mixed(width, result, carry | (width.sign(a) * OF), poison);
    result
}

/// `sar` by a masked count.
#[inline(always)]
pub(crate) fn sar(flags: &mut Flags, width: Width, a: u64, count: u32) -> u64 {
    if count == 0 {
        return a;
    }
    let signed = width.signed(a);
    let result = width.truncate((signed >> count) as u64);
    let carry = ((signed >> (count - 1)) & 1) as u64;
    flags.set_mixed(width, result, carry, shift_undefined(count));
    result
}

/// Replaces CF and OF, as rotates do. OF is undefined unless the count is 1.
#[inline(always)]
fn set_rotate(flags: &mut Flags, carry: u64, overflow: u64, count: u32) {
    let poison = if count == 1 { 0 } else { OF };
    flags.replace(CF | OF, carry | (overflow * OF), poison);
}

fn turn_left(width: Width, a: u64, count: u32) -> u64 {
    let turn = count & width.sign_shift();
    if turn == 0 { a } else { width.truncate(a << turn) | (a >> (width.bits() - turn)) }
}

/// `rol` by a masked count. Only a masked count of zero leaves the flags alone; a multiple
/// of the width does not.
#[inline(always)]
pub(crate) fn rol(flags: &mut Flags, width: Width, a: u64, count: u32) -> u64 {
    if count == 0 {
        return a;
    }
    let result = turn_left(width, a, count);
    set_rotate(flags, result & 1, top_bits_differ(width, a), count);
    result
}

/// `ror` by a masked count.
#[inline(always)]
pub(crate) fn ror(flags: &mut Flags, width: Width, a: u64, count: u32) -> u64 {
    if count == 0 {
        return a;
    }
    let result = turn_left(width, a, width.bits() - (count & width.sign_shift()));
    set_rotate(flags, width.sign(result), width.sign(a) ^ (a & 1), count);
    result
}

/// `rol` of a register by an immediate: where OF is undefined, processors keep it.
#[inline(always)]
pub(crate) fn rol_immediate(flags: &mut Flags, width: Width, a: u64, count: u32) -> u64 {
    if count < 2 {
        return rol(flags, width, a, count);
    }
    let result = turn_left(width, a, count);
    set_rotate(flags, result & 1, u64::from(flags.overflow()), count);
    result
}

/// `ror` of a register by an immediate.
#[inline(always)]
pub(crate) fn ror_immediate(flags: &mut Flags, width: Width, a: u64, count: u32) -> u64 {
    if count < 2 {
        return ror(flags, width, a, count);
    }
    let result = turn_left(width, a, width.bits() - (count & width.sign_shift()));
    set_rotate(flags, width.sign(result), u64::from(flags.overflow()), count);
    result
}

/// `rcl` by a masked count: a rotation of the operand with CF on top.
pub(crate) fn rcl(flags: &mut Flags, width: Width, a: u64, count: u32) -> u64 {
    rotate_with_carry(flags, width, a, count, false)
}

/// `rcr` by a masked count.
pub(crate) fn rcr(flags: &mut Flags, width: Width, a: u64, count: u32) -> u64 {
    rotate_with_carry(flags, width, a, count, true)
}

fn rotate_with_carry(flags: &mut Flags, width: Width, a: u64, count: u32, right: bool) -> u64 {
    if count == 0 {
        return a;
    }
    let bits = width.bits();
    let carry = u64::from(flags.carry());
    let overflow = if right { width.sign(a) ^ carry } else { top_bits_differ(width, a) };
    // A multiple of the circle's length moves nothing, and processors keep OF.
    let turn = count % (bits + 1);
    let overflow = if turn == 0 { u64::from(flags.overflow()) } else { overflow };
    let circle = u128::from(a) | u128::from(carry) << bits;
    let turned = match (turn, right) {
        (0, _) => circle,
        (_, true) => circle >> turn | circle << (bits + 1 - turn),
        (_, false) => circle << turn | circle >> (bits + 1 - turn),
    };
    set_rotate(flags, (turned >> bits) as u64 & 1, overflow, count);
    width.truncate(turned as u64)
}

/// `shld`: shifts `a` left, filling from the top of `b`.
///
/// With 16-bit operands and a count above 16 everything is undefined; processors shift
/// through `a:b:a`.
pub(crate) fn shld(flags: &mut Flags, width: Width, a: u64, b: u64, count: u32) -> u64 {
    if count == 0 {
        return a;
    }
    let bits = width.bits();
    let (result, carry) = if count <= bits {
        let wide = u128::from(a) << bits | u128::from(b);
        ((wide << count >> bits) as u64, (a >> (bits - count)) & 1)
    } else {
        let wide = u128::from(b) << bits | u128::from(a);
        let count = count - bits;
        ((wide << count >> bits) as u64, (b >> (bits - count)) & 1)
    };
    let overflow = top_bits_differ(width, a);
    finish_double_shift(flags, width, width.truncate(result), carry | (overflow * OF), count)
}

/// `shrd`: shifts `a` right, filling from the bottom of `b`.
pub(crate) fn shrd(flags: &mut Flags, width: Width, a: u64, b: u64, count: u32) -> u64 {
    if count == 0 {
        return a;
    }
    let bits = width.bits();
    let (result, carry) = if count <= bits {
        let wide = u128::from(b) << bits | u128::from(a);
        ((wide >> count) as u64, (a >> (count - 1)) & 1)
    } else {
        let wide = u128::from(a) << bits | u128::from(b);
        let count = count - bits;
        ((wide >> count) as u64, (b >> (count - 1)) & 1)
    };
    let overflow = width.sign(a) ^ (b & 1);
    finish_double_shift(flags, width, width.truncate(result), carry | (overflow * OF), count)
}

fn finish_double_shift(flags: &mut Flags, width: Width, result: u64, bits: u64, count: u32) -> u64 {
    let poison =
        if count > width.bits() { CF | PF | AF | ZF | SF | OF } else { shift_undefined(count) };
    flags.set_mixed(width, result, bits, poison);
    result
}

/// Signed multiplication, low half: CF and OF say that the high half matters.
#[inline(always)]
pub(crate) fn imul(flags: &mut Flags, width: Width, a: u64, b: u64) -> u64 {
    let (low, lost) = if width == Width::QUAD {
        (a as i64).overflowing_mul(b as i64)
    } else {
        // 32 bits by 32 fit into 64.
        let full = width.signed(a) * width.signed(b);
        (full, full != width.signed(full as u64))
    };
    let result = width.truncate(low as u64);
    set_multiply(flags, width, result, lost);
    result
}

/// SF, ZF, AF and PF are undefined after a multiplication. Processors clear ZF and AF and
/// set the other two from the low half.
#[inline(always)]
fn set_multiply(flags: &mut Flags, width: Width, low: u64, lost: bool) {
    let bits = if lost { CF | OF } else { 0 } | of_result(width, low) & (SF | PF);
    flags.set_explicit(bits, SF | ZF | AF | PF);
}

/// Full multiplication: low and high half.
#[inline(always)]
pub(crate) fn multiply(
    flags: &mut Flags,
    width: Width,
    a: u64,
    b: u64,
    signed: bool,
) -> (u64, u64) {
    let (low, high, lost) = if signed {
        let full = i128::from(width.signed(a)) * i128::from(width.signed(b));
        let lost = full != i128::from(width.signed(full as u64));
        (full as u64, (full >> width.bits()) as u64, lost)
    } else {
        let full = u128::from(a) * u128::from(b);
        let high = (full >> width.bits()) as u64;
        (full as u64, high, high != 0)
    };
    let (low, high) = (width.truncate(low), width.truncate(high));
    set_multiply(flags, width, low, lost);
    (low, high)
}

/// Division of `high:low`: quotient and remainder, or nothing where the processor raises
/// \#DE. All flags are undefined afterwards; processors leave them as they were.
#[inline(always)]
pub(crate) fn divide(
    width: Width,
    high: u64,
    low: u64,
    divisor: u64,
    signed: bool,
) -> Option<(u64, u64)> {
    let bits = width.bits();
    if divisor == 0 {
        return None;
    }
    if signed {
        let dividend = i128::from(width.signed(high)) << bits | i128::from(low);
        let divisor = i128::from(width.signed(divisor));
        let quotient = dividend.checked_div(divisor)?;
        if quotient != i128::from(width.signed(quotient as u64)) {
            return None;
        }
        let remainder = dividend.wrapping_rem(divisor);
        Some((width.truncate(quotient as u64), width.truncate(remainder as u64)))
    } else {
        if high >= divisor {
            return None;
        }
        if width == Width::QUAD && high != 0 {
            let dividend = u128::from(high) << 64 | u128::from(low);
            let divisor = u128::from(divisor);
            return Some(((dividend / divisor) as u64, (dividend % divisor) as u64));
        }
        // Narrower dividends fit into 64 bits, and most 64-bit ones have no high half.
        let dividend = if width == Width::QUAD { low } else { high << bits | low };
        Some((dividend / divisor, dividend % divisor))
    }
}

/// Flags of an instruction that defines only those of `which`, as `bits`, and leaves the
/// rest undefined with SF, ZF and PF of `result` and AF clear.
pub(crate) fn set_partly(flags: &mut Flags, width: Width, result: u64, which: u64, bits: u64) {
    let rest = of_result(width, result) & !which;
    flags.set_explicit(rest | bits & which, !which);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shift_by_zero_leaves_the_flags() {
        let mut flags = Flags::new();
        flags.set_explicit(CF | OF | ZF, 0);
        assert_eq!(shl(&mut flags, Width::DOUBLE, 5, shift_count(Width::DOUBLE, 32)), 5);
        assert_eq!(flags.status(), CF | OF | ZF);
    }

    #[test]
    fn rotates_through_carry_use_one_bit_more() {
        let mut flags = Flags::new();
        flags.set_explicit(CF, 0);
        assert_eq!(rcl(&mut flags, Width::BYTE, 0x80, 1), 0x01);
        assert!(flags.carry() && flags.overflow());
        assert_eq!(rcr(&mut flags, Width::BYTE, 0x01, 1), 0x80);
        assert!(flags.carry());
    }

    #[test]
    fn division_refuses_what_does_not_fit() {
        assert_eq!(divide(Width::DOUBLE, 1, 0, 1, false), None);
        assert_eq!(divide(Width::QUAD, 1 << 63, 0, u64::MAX, true), None);
        assert_eq!(divide(Width::QUAD, u64::MAX, 1 << 63, u64::MAX, true), None);
        assert_eq!(divide(Width::BYTE, 0xff, 0xf9, 2, true), Some((0xfd, 0xff)));
        assert_eq!(divide(Width::QUAD, 0, 7, 2, false), Some((3, 1)));
    }

    #[test]
    fn multiplication_says_whether_the_high_half_matters() {
        let mut flags = Flags::new();
        assert_eq!(imul(&mut flags, Width::BYTE, 0xff, 0xff), 1);
        assert!(!flags.carry());
        assert_eq!(multiply(&mut flags, Width::QUAD, u64::MAX, 2, false), (u64::MAX - 1, 1));
        assert!(flags.carry());
        assert_eq!(flags.undefined(), SF | ZF | AF | PF);
    }
}
