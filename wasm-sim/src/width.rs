//! Operand widths, and what arithmetic at a width needs.

/// The width of an operand: 8, 16, 32 or 64 bits.
///
/// Holds the base-2 logarithm of the bytes, so that a constant width folds away in the
/// handlers of [`crate::execute`] while [`crate::slow`] passes one computed at run time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Width(u32);

impl Width {
    pub(crate) const BYTE: Self = Self(0);
    pub(crate) const WORD: Self = Self(1);
    pub(crate) const DOUBLE: Self = Self(2);
    pub(crate) const QUAD: Self = Self(3);

    /// The width of an operand of `bytes` bytes, if there is one.
    pub(crate) const fn of_bytes(bytes: usize) -> Option<Self> {
        match bytes {
            1 => Some(Self::BYTE),
            2 => Some(Self::WORD),
            4 => Some(Self::DOUBLE),
            8 => Some(Self::QUAD),
            _ => None,
        }
    }

    /// The logarithm, 0 to 3.
    #[inline(always)]
    pub(crate) const fn index(self) -> u32 {
        self.0
    }

    /// The width with this logarithm; only the low two bits count.
    #[inline(always)]
    pub(crate) const fn of_index(index: u32) -> Self {
        Self(index & 3)
    }

    #[inline(always)]
    pub(crate) const fn bytes(self) -> usize {
        1 << self.0
    }

    #[inline(always)]
    pub(crate) const fn bits(self) -> u32 {
        8 << self.0
    }

    /// The number of the sign bit.
    #[inline(always)]
    pub(crate) const fn sign_shift(self) -> u32 {
        self.bits() - 1
    }

    /// All bits of an operand.
    #[inline(always)]
    pub(crate) const fn mask(self) -> u64 {
        u64::MAX >> (64 - self.bits())
    }

    #[inline(always)]
    pub(crate) const fn truncate(self, value: u64) -> u64 {
        value & self.mask()
    }

    /// The sign bit of `value`, as 0 or 1.
    #[inline(always)]
    pub(crate) const fn sign(self, value: u64) -> u64 {
        (value >> self.sign_shift()) & 1
    }

    /// `value` as a signed number of this width.
    #[inline(always)]
    pub(crate) const fn signed(self, value: u64) -> i64 {
        let unused = 64 - self.bits();
        ((value << unused) as i64) >> unused
    }
}

#[cfg(test)]
mod tests {
    use super::Width;

    #[test]
    fn widths_truncate_and_extend() {
        assert_eq!(Width::BYTE.signed(0x180), -128);
        assert_eq!(Width::WORD.truncate(0x1_2345), 0x2345);
        assert_eq!(Width::DOUBLE.mask(), 0xffff_ffff);
        assert_eq!(Width::QUAD.sign(1 << 63), 1);
        assert_eq!(Width::of_bytes(3), None);
    }
}
