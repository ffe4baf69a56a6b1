//! Pre-decoded operations: what a block of instructions is turned into, once, to be executed
//! many times.

use iced_x86::Mnemonic;

use crate::engine::ZERO;

/// One operation, usually one instruction. The meaning of the fields depends on the code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Op {
    pub(crate) code: Code,
    /// Registers, by number.
    pub(crate) dst: u8,
    pub(crate) src: u8,
    /// The address: `base + (index << scale) + disp`.
    pub(crate) base: u8,
    pub(crate) index: u8,
    pub(crate) scale: u8,
    /// Bytes of code that this operation stands for.
    pub(crate) length: u8,
    pub(crate) disp: i32,
    /// An immediate, or a shift count, or the number of a condition.
    pub(crate) imm: i32,
    /// Where the block that a branch goes to begins, or 0 if that is not known yet.
    pub(crate) taken: u32,
    /// The same for the block after it.
    pub(crate) fall: u32,
}

impl Op {
    pub(crate) const fn new(code: Code) -> Self {
        Self {
            code,
            dst: 0,
            src: 0,
            base: ZERO,
            index: ZERO,
            scale: 0,
            length: 0,
            disp: 0,
            imm: 0,
            taken: 0,
            fall: 0,
        }
    }

    /// Uses the two links for a number instead.
    pub(crate) const fn with_wide(mut self, value: u64) -> Self {
        self.taken = value as u32;
        self.fall = (value >> 32) as u32;
        self
    }

    /// The number in the two links.
    #[inline(always)]
    pub(crate) const fn wide(&self) -> u64 {
        self.taken as u64 | (self.fall as u64) << 32
    }

    /// How many instructions this operation stands for.
    pub(crate) const fn instructions(&self) -> u32 {
        match self.code {
            Code::Head | Code::End => 0,
            code if code.is_fused() => 2,
            _ => 1,
        }
    }
}

/// Where the operands of an arithmetic instruction are: destination, then source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    /// Register, register.
    RR,
    /// Register, immediate.
    RI,
    /// Register, memory.
    RM,
    /// Memory, register.
    MR,
    /// Memory, immediate.
    MI,
}

/// Defines [`Code`] and the ways from an instruction to its code, from one list.
macro_rules! codes {
    (
        arithmetic { $($name:ident:
            [$($rr:ident),*], [$($ri:ident),*], [$($rm:ident),*], [$($mr:ident),*], [$($mi:ident),*];)* }
        quiet { $($quiet:ident: [$($qrr:ident),*], [$($qri:ident),*], [$($qrm:ident),*];)* }
        fused { $($first:ident: $($condition:literal => $fused:ident),*;)* }
        jumps { $($jump:ident),* }
        others { $($other:ident),* }
    ) => {
        /// What an operation does. The number at the end of a name is its width in bits; the
        /// letters before it are a [`Form`].
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u16)]
        pub(crate) enum Code {
            $($other,)*
            $($($rr,)* $($ri,)* $($rm,)* $($mr,)* $($mi,)*)*
            $($($qrr,)* $($qri,)* $($qrm,)*)*
            $($jump,)*
            $($($fused,)*)*
        }

        impl Code {
            /// The code of an arithmetic instruction of 8, 32 or 64 bits (`column` 0, 1, 2).
            pub(crate) fn arithmetic(mnemonic: Mnemonic, form: Form, column: usize) -> Option<Self> {
                let row: [[Self; 3]; 5] = match mnemonic {
                    $(Mnemonic::$name => [
                        [$(Self::$rr),*], [$(Self::$ri),*], [$(Self::$rm),*],
                        [$(Self::$mr),*], [$(Self::$mi),*],
                    ],)*
                    _ => return None,
                };
                row[form as usize].get(column).copied()
            }

            /// The same, 32 or 64 bits, for an instruction whose flags nobody sees.
            pub(crate) fn quiet(mnemonic: Mnemonic, form: Form, column: usize) -> Option<Self> {
                let row: [[Self; 2]; 3] = match mnemonic {
                    $(Mnemonic::$quiet => [[$(Self::$qrr),*], [$(Self::$qri),*], [$(Self::$qrm),*]],)*
                    _ => return None,
                };
                row.get(form as usize)?.get(column.checked_sub(1)?).copied()
            }

            /// The code for this one followed by a conditional jump.
            pub(crate) const fn fused(self, condition: u8) -> Option<Self> {
                match (self, condition) {
                    $($((Self::$first, $condition) => Some(Self::$fused),)*)*
                    _ => None,
                }
            }

            const fn is_fused(self) -> bool {
                self as u16 > Self::Jg as u16
            }

            /// The conditional jump with this condition.
            pub(crate) fn jump(condition: u8) -> Option<Self> {
                [$(Self::$jump),*].get(usize::from(condition)).copied()
            }
        }
    };
}

codes! {
arithmetic {
    Add: [AddRR8, AddRR32, AddRR64],
        [AddRI8, AddRI32, AddRI64],
        [AddRM8, AddRM32, AddRM64],
        [AddMR8, AddMR32, AddMR64],
        [AddMI8, AddMI32, AddMI64];
    Or: [OrRR8, OrRR32, OrRR64],
        [OrRI8, OrRI32, OrRI64],
        [OrRM8, OrRM32, OrRM64],
        [OrMR8, OrMR32, OrMR64],
        [OrMI8, OrMI32, OrMI64];
    Adc: [AdcRR8, AdcRR32, AdcRR64],
        [AdcRI8, AdcRI32, AdcRI64],
        [AdcRM8, AdcRM32, AdcRM64],
        [AdcMR8, AdcMR32, AdcMR64],
        [AdcMI8, AdcMI32, AdcMI64];
    Sbb: [SbbRR8, SbbRR32, SbbRR64],
        [SbbRI8, SbbRI32, SbbRI64],
        [SbbRM8, SbbRM32, SbbRM64],
        [SbbMR8, SbbMR32, SbbMR64],
        [SbbMI8, SbbMI32, SbbMI64];
    And: [AndRR8, AndRR32, AndRR64],
        [AndRI8, AndRI32, AndRI64],
        [AndRM8, AndRM32, AndRM64],
        [AndMR8, AndMR32, AndMR64],
        [AndMI8, AndMI32, AndMI64];
    Sub: [SubRR8, SubRR32, SubRR64],
        [SubRI8, SubRI32, SubRI64],
        [SubRM8, SubRM32, SubRM64],
        [SubMR8, SubMR32, SubMR64],
        [SubMI8, SubMI32, SubMI64];
    Xor: [XorRR8, XorRR32, XorRR64],
        [XorRI8, XorRI32, XorRI64],
        [XorRM8, XorRM32, XorRM64],
        [XorMR8, XorMR32, XorMR64],
        [XorMI8, XorMI32, XorMI64];
    Cmp: [CmpRR8, CmpRR32, CmpRR64],
        [CmpRI8, CmpRI32, CmpRI64],
        [CmpRM8, CmpRM32, CmpRM64],
        [CmpMR8, CmpMR32, CmpMR64],
        [CmpMI8, CmpMI32, CmpMI64];
    Test: [TestRR8, TestRR32, TestRR64],
        [TestRI8, TestRI32, TestRI64],
        [TestRM8, TestRM32, TestRM64],
        [TestMR8, TestMR32, TestMR64],
        [TestMI8, TestMI32, TestMI64];
}
quiet {
    Add: [QuietAddRR32, QuietAddRR64], [QuietAddRI32, QuietAddRI64], [QuietAddRM32, QuietAddRM64];
    Or: [QuietOrRR32, QuietOrRR64], [QuietOrRI32, QuietOrRI64], [QuietOrRM32, QuietOrRM64];
    And: [QuietAndRR32, QuietAndRR64], [QuietAndRI32, QuietAndRI64], [QuietAndRM32, QuietAndRM64];
    Sub: [QuietSubRR32, QuietSubRR64], [QuietSubRI32, QuietSubRI64], [QuietSubRM32, QuietSubRM64];
    Xor: [QuietXorRR32, QuietXorRR64], [QuietXorRI32, QuietXorRI64], [QuietXorRM32, QuietXorRM64];
}
fused {
    CmpRR32: 2 => CmpRR32Jb, 3 => CmpRR32Jae, 4 => CmpRR32Je, 5 => CmpRR32Jne, 6 => CmpRR32Jbe, 7 => CmpRR32Ja, 12 => CmpRR32Jl, 13 => CmpRR32Jge, 14 => CmpRR32Jle, 15 => CmpRR32Jg;
    CmpRR64: 2 => CmpRR64Jb, 3 => CmpRR64Jae, 4 => CmpRR64Je, 5 => CmpRR64Jne, 6 => CmpRR64Jbe, 7 => CmpRR64Ja, 12 => CmpRR64Jl, 13 => CmpRR64Jge, 14 => CmpRR64Jle, 15 => CmpRR64Jg;
    CmpRI8: 2 => CmpRI8Jb, 3 => CmpRI8Jae, 4 => CmpRI8Je, 5 => CmpRI8Jne, 6 => CmpRI8Jbe, 7 => CmpRI8Ja, 12 => CmpRI8Jl, 13 => CmpRI8Jge, 14 => CmpRI8Jle, 15 => CmpRI8Jg;
    CmpRI32: 2 => CmpRI32Jb, 3 => CmpRI32Jae, 4 => CmpRI32Je, 5 => CmpRI32Jne, 6 => CmpRI32Jbe, 7 => CmpRI32Ja, 12 => CmpRI32Jl, 13 => CmpRI32Jge, 14 => CmpRI32Jle, 15 => CmpRI32Jg;
    CmpRI64: 2 => CmpRI64Jb, 3 => CmpRI64Jae, 4 => CmpRI64Je, 5 => CmpRI64Jne, 6 => CmpRI64Jbe, 7 => CmpRI64Ja, 12 => CmpRI64Jl, 13 => CmpRI64Jge, 14 => CmpRI64Jle, 15 => CmpRI64Jg;
    TestRR8: 4 => TestRR8Je, 5 => TestRR8Jne, 8 => TestRR8Js, 9 => TestRR8Jns, 14 => TestRR8Jle, 15 => TestRR8Jg;
    TestRR32: 4 => TestRR32Je, 5 => TestRR32Jne, 8 => TestRR32Js, 9 => TestRR32Jns, 14 => TestRR32Jle, 15 => TestRR32Jg;
    TestRR64: 4 => TestRR64Je, 5 => TestRR64Jne, 8 => TestRR64Js, 9 => TestRR64Jns, 14 => TestRR64Jle, 15 => TestRR64Jg;
    TestRI8: 4 => TestRI8Je, 5 => TestRI8Jne;
    TestRI32: 4 => TestRI32Je, 5 => TestRI32Jne;
    SubRI32: 4 => SubRI32Je, 5 => SubRI32Jne;
    SubRI64: 4 => SubRI64Je, 5 => SubRI64Jne;
}
jumps {
    Jo, Jno, Jb, Jae, Je, Jne, Jbe, Ja, Js, Jns, Jp, Jnp, Jl, Jge, Jle, Jg
}
others {
    Head, End, Slow, SlowEnd, Nop,
    MovRR8, MovRR32, MovRR64, MovRI8, MovRI32, MovRI64,
    MovRM8, MovRM16, MovRM32, MovRM64, MovMR8, MovMR16, MovMR32, MovMR64,
    MovMI8, MovMI16, MovMI32, MovMI64,
    ZeroRR8, ZeroRR16, ZeroRM8, ZeroRM16,
    SignRR8To32, SignRR8To64, SignRR16To32, SignRR16To64, SignRR32To64,
    SignRM8To32, SignRM8To64, SignRM16To32, SignRM16To64, SignRM32To64,
    Lea32, Lea64,
    ShlRI32, ShlRI64, ShrRI32, ShrRI64, SarRI32, SarRI64,
    QuietShlRI32, QuietShlRI64, QuietShrRI32, QuietShrRI64, QuietSarRI32, QuietSarRI64,
    ShlRC32, ShlRC64, ShrRC32, ShrRC64, SarRC32, SarRC64,
    RolRI32, RolRI64, RorRI32, RorRI64,
    Inc32, Inc64, Dec32, Dec64, Neg32, Neg64, QuietNeg32, QuietNeg64, Not32, Not64,
    IncM32, IncM64, DecM32, DecM64,
    ImulRR32, ImulRR64, ImulRM32, ImulRM64, ImulRRI32, ImulRRI64,
    Mul32, Mul64, Div32, Div64, Idiv32, Idiv64,
    Cdq, Cqo, Bswap32, Bswap64, XchgRR32, XchgRR64,
    SetR, CmovRR32, CmovRR64, CmovRM32, CmovRM64,
    PushR, PushI, PopR, Leave, Call, CallR, CallM, Ret, Jmp, JmpR, JmpM
}
}

#[cfg(test)]
mod tests {
    use super::{Code, Form, Op};
    use iced_x86::Mnemonic;

    #[test]
    fn an_operation_is_small() {
        assert_eq!(size_of::<Op>(), 24);
    }

    #[test]
    fn codes_follow_from_the_instruction() {
        assert_eq!(Code::arithmetic(Mnemonic::Sub, Form::MI, 1), Some(Code::SubMI32));
        assert_eq!(Code::quiet(Mnemonic::Xor, Form::RM, 2), Some(Code::QuietXorRM64));
        assert_eq!(Code::quiet(Mnemonic::Xor, Form::MR, 2), None);
        assert_eq!(Code::quiet(Mnemonic::Xor, Form::RR, 0), None);
        assert_eq!(Code::CmpRR64.fused(2), Some(Code::CmpRR64Jb));
        assert_eq!(Code::jump(15), Some(Code::Jg));
        assert_eq!(Op::new(Code::TestRR8Je).instructions(), 2);
        assert_eq!(Op::new(Code::Jg).instructions(), 1);
    }
}
