//! What an encoding takes as an operand.

use iced_x86::{OpKind, Register};

/// What an encoding takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// A general register.
    R8,
    R16,
    R32,
    R64,
    /// A general register, or memory.
    Rm8,
    Rm16,
    Rm32,
    Rm64,
    /// The same, memory only if its size is written.
    Rm16IfSaid,
    /// Memory of any size.
    Memory,
    M16,
    M32,
    M64,
    M128,
    /// This register.
    Al,
    Ax,
    Eax,
    Rax,
    Cl,
    Dx,
    /// A control register.
    Control,
    /// The number 1.
    One,
    /// Numbers.
    Imm8,
    Imm16,
    Imm32,
    Imm64,
    /// Numbers that the processor extends, with their sign.
    Imm8To16,
    Imm8To32,
    Imm8To64,
    Imm32To64,
    /// A place to go to, at most 127 bytes from here.
    Short,
    /// A place to go to.
    Near,
    /// Not written: the string at rdi, the one at rsi, and a part of rax.
    ToRdi,
    FromRsi,
    ImpliedAl,
    ImpliedAx,
    ImpliedEax,
    ImpliedRax,
}

/// A kind of number: bytes in the instruction, and bytes that it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Immediate {
    pub(super) stored: u32,
    pub(super) meant: u32,
    pub(super) kind: OpKind,
}

impl Immediate {
    /// The bits of a number if it can be written so, as a number of 64 bits with its sign.
    pub(super) fn fit(self, value: i128) -> Option<i64> {
        let bits = 8 * self.meant;
        if value < -(1 << (bits - 1)) || value >= 1 << bits {
            return None;
        }
        // 0xffff_ffff and -1 are the same number of 32 bits.
        let signed = (value as i64) << (64 - bits) >> (64 - bits);
        let stored = 8 * self.stored;
        let kept = signed << (64 - stored) >> (64 - stored);
        (self.stored == self.meant || kept == signed).then_some(signed)
    }
}

impl Want {
    /// Whether it is not written.
    pub(super) const fn is_implied(self) -> bool {
        matches!(
            self,
            Self::ToRdi
                | Self::FromRsi
                | Self::ImpliedAl
                | Self::ImpliedAx
                | Self::ImpliedEax
                | Self::ImpliedRax
        )
    }

    /// What stands for it if it is not written.
    pub(super) const fn implied(self) -> Option<Register> {
        match self {
            Self::ImpliedAl => Some(Register::AL),
            Self::ImpliedAx => Some(Register::AX),
            Self::ImpliedEax => Some(Register::EAX),
            Self::ImpliedRax => Some(Register::RAX),
            _ => None,
        }
    }

    /// Whether it takes a register.
    pub(super) fn takes(self, register: Register) -> bool {
        match self {
            Self::R8 | Self::Rm8 => register.is_gpr8(),
            Self::R16 | Self::Rm16 | Self::Rm16IfSaid => register.is_gpr16(),
            Self::R32 | Self::Rm32 => register.is_gpr32(),
            Self::R64 | Self::Rm64 => register.is_gpr64(),
            Self::Al => register == Register::AL,
            Self::Ax => register == Register::AX,
            Self::Eax => register == Register::EAX,
            Self::Rax => register == Register::RAX,
            Self::Cl => register == Register::CL,
            Self::Dx => register == Register::DX,
            Self::Control => register.is_cr(),
            _ => false,
        }
    }

    /// Bytes of memory that it takes; 0 for any.
    pub(super) const fn memory(self) -> Option<u32> {
        match self {
            Self::Rm8 => Some(1),
            Self::Rm16 | Self::Rm16IfSaid | Self::M16 => Some(2),
            Self::Rm32 | Self::M32 => Some(4),
            Self::Rm64 | Self::M64 => Some(8),
            Self::M128 => Some(16),
            Self::Memory => Some(0),
            _ => None,
        }
    }

    /// How it has a number.
    pub(super) const fn immediate(self) -> Option<Immediate> {
        let (stored, meant, kind) = match self {
            Self::Imm8 => (1, 1, OpKind::Immediate8),
            Self::Imm16 => (2, 2, OpKind::Immediate16),
            Self::Imm32 => (4, 4, OpKind::Immediate32),
            Self::Imm64 => (8, 8, OpKind::Immediate64),
            Self::Imm8To16 => (1, 2, OpKind::Immediate8to16),
            Self::Imm8To32 => (1, 4, OpKind::Immediate8to32),
            Self::Imm8To64 => (1, 8, OpKind::Immediate8to64),
            Self::Imm32To64 => (4, 8, OpKind::Immediate32to64),
            _ => return None,
        };
        Some(Immediate { stored, meant, kind })
    }

    /// In words, for messages.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::R8 => "a register of 8 bits",
            Self::R16 => "a register of 16 bits",
            Self::R32 => "a register of 32 bits",
            Self::R64 => "a register of 64 bits",
            Self::Rm8 => "8 bits in a register or in memory",
            Self::Rm16 | Self::Rm16IfSaid => "16 bits in a register or in memory",
            Self::Rm32 => "32 bits in a register or in memory",
            Self::Rm64 => "64 bits in a register or in memory",
            Self::Memory => "memory",
            Self::M16 => "16 bits of memory",
            Self::M32 => "32 bits of memory",
            Self::M64 => "64 bits of memory",
            Self::M128 => "128 bits of memory",
            Self::Al => "al",
            Self::Ax => "ax",
            Self::Eax => "eax",
            Self::Rax => "rax",
            Self::Cl => "cl",
            Self::Dx => "dx",
            Self::Control => "a control register",
            Self::One => "1",
            Self::Imm8 | Self::Imm8To16 | Self::Imm8To32 | Self::Imm8To64 => "a number of 8 bits",
            Self::Imm16 => "a number of 16 bits",
            Self::Imm32 | Self::Imm32To64 => "a number of 32 bits",
            Self::Imm64 => "a number of 64 bits",
            Self::Short | Self::Near => "a label",
            Self::ToRdi
            | Self::FromRsi
            | Self::ImpliedAl
            | Self::ImpliedAx
            | Self::ImpliedEax
            | Self::ImpliedRax => "nothing",
        }
    }
}
