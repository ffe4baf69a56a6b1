//! The status flags, kept as the operands of the instruction that set them.
//!
//! Most flags are overwritten before anybody looks, so an instruction only records what
//! it did, and a flag is computed when something asks for it.

use shared_model::registers::{AF, CF, DF, OF, PF, SF, ZF};

use crate::width::Width;

/// The six flags that arithmetic sets.
pub(crate) const STATUS: u64 = CF | PF | AF | ZF | SF | OF;

/// How the flags follow from the operands; the low two bits are the [`Width`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Kind(u32);

impl Kind {
    /// `result = a + b`, possibly plus a carry.
    const ADD: u32 = 0;
    /// `result = a - b`, possibly less a borrow.
    const SUBTRACT: u32 = 4;
    /// Carry and overflow are zero, the rest follows from `result`.
    const LOGIC: u32 = 8;
    /// CF, AF and OF are bits of `a`, the rest follows from `result`; `b` has the bits
    /// that the manual leaves undefined.
    const MIXED: u32 = 12;
    /// Every flag is a bit of `a`; `b` as for `MIXED`.
    const EXPLICIT: u32 = 16;

    #[inline(always)]
    const fn width(self) -> Width {
        Width::of_index(self.0)
    }

    #[inline(always)]
    const fn class(self) -> u32 {
        self.0 & !3
    }
}

/// The status flags and the direction flag of one thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flags {
    kind: Kind,
    /// String instructions go downwards.
    pub(crate) down: bool,
    a: u64,
    b: u64,
    result: u64,
}

/// The parity flag of a result: set if its low byte has an even number of ones.
#[inline(always)]
const fn parity(result: u64) -> bool {
    (result as u8).count_ones() & 1 == 0
}

#[inline(always)]
const fn bit(condition: bool, flag: u64) -> u64 {
    if condition { flag } else { 0 }
}

/// SF, ZF and PF of a result (Intel SDM vol. 1, 3.4.3.1).
#[inline(always)]
pub(crate) const fn of_result(width: Width, result: u64) -> u64 {
    bit(width.sign(result) != 0, SF)
        | bit(width.truncate(result) == 0, ZF)
        | bit(parity(result), PF)
}

impl Flags {
    /// All flags clear.
    pub(crate) const fn new() -> Self {
        Self { kind: Kind(Kind::EXPLICIT), down: false, a: 0, b: 0, result: 0 }
    }

    /// After `result = a + b`, or with a carry in: operands zero-extended from `width`.
    #[inline(always)]
    pub(crate) fn set_add(&mut self, width: Width, a: u64, b: u64, result: u64) {
        self.kind = Kind(Kind::ADD + width.index());
        (self.a, self.b, self.result) = (a, b, result);
    }

    /// After `result = a - b`, or with a borrow in: operands zero-extended from `width`.
    #[inline(always)]
    pub(crate) fn set_subtract(&mut self, width: Width, a: u64, b: u64, result: u64) {
        self.kind = Kind(Kind::SUBTRACT + width.index());
        (self.a, self.b, self.result) = (a, b, result);
    }

    /// After a bitwise operation. AF is undefined; processors clear it.
    #[inline(always)]
    pub(crate) fn set_logic(&mut self, width: Width, result: u64) {
        self.kind = Kind(Kind::LOGIC + width.index());
        self.result = result;
    }

    /// SF, ZF and PF follow from `result` (zero-extended from `width`); CF, AF and OF are
    /// in `bits`; the flags in `undefined` are only what processors happen to produce.
    #[inline(always)]
    pub(crate) fn set_mixed(&mut self, width: Width, result: u64, bits: u64, undefined: u64) {
        self.kind = Kind(Kind::MIXED + width.index());
        (self.a, self.b, self.result) = (bits, undefined, result);
    }

    /// All six flags at once.
    pub(crate) fn set_explicit(&mut self, bits: u64, undefined: u64) {
        self.kind = Kind(Kind::EXPLICIT);
        (self.a, self.b) = (bits & STATUS, undefined & STATUS);
    }

    /// Every flag keeps its value, but the manual no longer vouches for any.
    pub(crate) fn set_all_undefined(&mut self) {
        let kept = self.status();
        self.set_explicit(kept, STATUS);
    }

    /// Replaces the flags in `which` by those of `bits`; `undefined` of them are undefined
    /// from now on.
    pub(crate) fn replace(&mut self, which: u64, bits: u64, undefined: u64) {
        let kept = self.status() & !which;
        let poison = self.undefined() & !which;
        self.set_explicit(kept | (bits & which), poison | (undefined & which));
    }

    /// What a fault in the middle of a repeated comparison leaves, where `self` is from before it
    /// and `last` of its last iteration. Intel's processors restore the flags of before (SDM vol.
    /// 2, REP), AMD's keep the last iteration's: where the two differ, nobody vouches for them.
    pub(crate) fn or_those_of(self, last: Self) -> Self {
        let differing = self.status() ^ last.status();
        let mut flags = self;
        if differing != 0 {
            flags.replace(differing, self.status(), differing);
        }
        flags
    }

    #[inline(always)]
    pub(crate) fn carry(&self) -> bool {
        let shift = self.kind.width().sign_shift();
        match self.kind.class() {
            // The carry out of the top bit (SDM vol. 1, 3.4.3.1), whatever came in.
            Kind::ADD => {
                (((self.a & self.b) | ((self.a | self.b) & !self.result)) >> shift) & 1 != 0
            }
            Kind::SUBTRACT => {
                (((!self.a & self.b) | ((!self.a | self.b) & self.result)) >> shift) & 1 != 0
            }
            Kind::LOGIC => false,
            _ => self.a & CF != 0,
        }
    }

    #[inline(always)]
    pub(crate) fn overflow(&self) -> bool {
        let shift = self.kind.width().sign_shift();
        match self.kind.class() {
            Kind::ADD => (((self.a ^ self.result) & (self.b ^ self.result)) >> shift) & 1 != 0,
            Kind::SUBTRACT => (((self.a ^ self.b) & (self.a ^ self.result)) >> shift) & 1 != 0,
            Kind::LOGIC => false,
            _ => self.a & OF != 0,
        }
    }

    #[inline(always)]
    pub(crate) fn zero(&self) -> bool {
        if self.kind.0 == Kind::EXPLICIT { self.a & ZF != 0 } else { self.result == 0 }
    }

    #[inline(always)]
    pub(crate) fn sign(&self) -> bool {
        if self.kind.0 == Kind::EXPLICIT {
            self.a & SF != 0
        } else {
            self.kind.width().sign(self.result) != 0
        }
    }

    #[inline(always)]
    pub(crate) fn parity(&self) -> bool {
        if self.kind.0 == Kind::EXPLICIT { self.a & PF != 0 } else { parity(self.result) }
    }

    fn adjust(&self) -> bool {
        match self.kind.class() {
            Kind::ADD | Kind::SUBTRACT => (self.a ^ self.b ^ self.result) & 0x10 != 0,
            Kind::LOGIC => false,
            _ => self.a & AF != 0,
        }
    }

    /// The six flags, in their places in RFLAGS.
    pub(crate) fn status(&self) -> u64 {
        if self.kind.0 == Kind::EXPLICIT {
            return self.a;
        }
        bit(self.carry(), CF)
            | bit(self.parity(), PF)
            | bit(self.adjust(), AF)
            | bit(self.zero(), ZF)
            | bit(self.sign(), SF)
            | bit(self.overflow(), OF)
    }

    /// The flags that the manual leaves undefined at this point.
    pub(crate) fn undefined(&self) -> u64 {
        match self.kind.class() {
            Kind::ADD | Kind::SUBTRACT => 0,
            Kind::LOGIC => AF,
            _ => self.b,
        }
    }

    /// [`shared_model::registers::FLAGS_VISIBLE`] as a program sees them.
    pub(crate) fn visible(&self) -> u64 {
        self.status() | bit(self.down, DF)
    }

    /// Sets every visible flag; none is undefined afterwards.
    pub(crate) fn set_visible(&mut self, bits: u64) {
        self.set_explicit(bits, 0);
        self.down = bits & DF != 0;
    }

    /// Whether condition `code` holds: the low four bits of the opcodes of `jcc`, `setcc`
    /// and `cmovcc` (SDM vol. 2, appendix B.1.4.7).
    #[inline(always)]
    pub(crate) fn condition(&self, code: u8) -> bool {
        let base = match code >> 1 & 7 {
            0 => self.overflow(),
            1 => self.carry(),
            2 => self.zero(),
            3 => self.carry() || self.zero(),
            4 => self.sign(),
            5 => self.parity(),
            6 => self.sign() != self.overflow(),
            _ => self.zero() || self.sign() != self.overflow(),
        };
        base != (code & 1 != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::{AF, CF, Flags, OF, PF, SF, Width, ZF};

    #[test]
    fn addition_sets_every_flag_from_its_operands() {
        let mut flags = Flags::new();
        flags.set_add(Width::BYTE, 0x80, 0x80, 0);
        assert_eq!(flags.status(), CF | ZF | OF | PF);
        flags.set_add(Width::BYTE, 0x7f, 0x01, 0x80);
        assert_eq!(flags.status(), SF | OF | AF);
        // With a carry in, the carry out is still exact.
        flags.set_add(Width::BYTE, 0xff, 0xff, 0xff);
        assert!(flags.carry());
    }

    #[test]
    fn subtraction_borrows() {
        let mut flags = Flags::new();
        flags.set_subtract(Width::DOUBLE, 0, 1, 0xffff_ffff);
        assert_eq!(flags.status(), CF | SF | AF | PF);
        flags.set_subtract(Width::QUAD, 1 << 63, 1, (1 << 63) - 1);
        assert!(flags.overflow() && !flags.carry());
    }

    #[test]
    fn logic_leaves_the_adjust_flag_undefined() {
        let mut flags = Flags::new();
        flags.set_logic(Width::WORD, 0);
        assert_eq!((flags.status(), flags.undefined()), (ZF | PF, AF));
        flags.replace(AF, AF, 0);
        assert_eq!((flags.status(), flags.undefined()), (ZF | PF | AF, 0));
    }

    #[test]
    fn a_condition_and_its_complement_differ() {
        let mut flags = Flags::new();
        for bits in 0..64_u64 {
            let spread = bits & 1 | (bits & 2) << 1 | (bits & 4) << 2 | (bits & 0x18) << 3;
            flags.set_explicit(spread | (bits & 0x20) << 6, 0);
            for code in 0..8 {
                assert_ne!(flags.condition(code * 2), flags.condition(code * 2 + 1));
            }
        }
    }
}
