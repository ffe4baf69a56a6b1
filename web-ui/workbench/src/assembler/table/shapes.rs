//! What the encodings of instructions take.

use super::super::want::Want::{self, *};

/// What each encoding of a row takes, in the same order.
pub(crate) type Shape = &'static [&'static [Want]];

pub(super) const NONE: Shape = &[&[]];
pub(super) const ONE: Shape = &[&[Rm8], &[Rm16], &[Rm32], &[Rm64]];
pub(super) const BYTE: Shape = &[&[Rm8]];
pub(super) const REGISTER: Shape = &[&[R32], &[R64]];
pub(super) const MEMORY: Shape = &[&[Memory]];
pub(super) const MEMORY_8: Shape = &[&[M64]];
pub(super) const MEMORY_16: Shape = &[&[M128]];
pub(super) const INTERRUPT: Shape = &[&[Imm8]];
pub(super) const RETURN: Shape = &[&[], &[Imm16]];
pub(super) const MOV: Shape = &[
    &[Rm8, R8],
    &[Rm16, R16],
    &[Rm32, R32],
    &[Rm64, R64],
    &[R8, Rm8],
    &[R16, Rm16],
    &[R32, Rm32],
    &[R64, Rm64],
    &[R8, Imm8],
    &[R16, Imm16],
    &[R32, Imm32],
    &[Rm8, Imm8],
    &[Rm16, Imm16],
    &[Rm32, Imm32],
    &[Rm64, Imm32To64],
    &[R64, Imm64],
    &[R64, Control],
    &[Control, R64],
];
pub(super) const MOVABS: Shape = &[&[R64, Imm64]];
pub(super) const EXTEND: Shape =
    &[&[R16, Rm8], &[R32, Rm8], &[R64, Rm8], &[R32, Rm16], &[R64, Rm16]];
pub(super) const EXTEND_32: Shape = &[&[R64, Rm32]];
pub(super) const MOVBE: Shape =
    &[&[R16, M16], &[R32, M32], &[R64, M64], &[M16, R16], &[M32, R32], &[M64, R64]];
pub(super) const ADDRESS: Shape = &[&[R16, Memory], &[R32, Memory], &[R64, Memory]];
pub(super) const PUSH: Shape = &[&[R64], &[R16], &[Rm64], &[Rm16IfSaid], &[Imm8To64], &[Imm32To64]];
pub(super) const POP: Shape = &[&[R64], &[R16], &[Rm64], &[Rm16IfSaid]];
pub(super) const EXCHANGE: Shape =
    &[&[R16, Ax], &[R32, Eax], &[R64, Rax], &[Rm8, R8], &[Rm16, R16], &[Rm32, R32], &[Rm64, R64]];
pub(super) const ARITHMETIC: Shape = &[
    &[Rm8, R8],
    &[Rm16, R16],
    &[Rm32, R32],
    &[Rm64, R64],
    &[R8, Rm8],
    &[R16, Rm16],
    &[R32, Rm32],
    &[R64, Rm64],
    &[Rm16, Imm8To16],
    &[Rm32, Imm8To32],
    &[Rm64, Imm8To64],
    &[Al, Imm8],
    &[Ax, Imm16],
    &[Eax, Imm32],
    &[Rax, Imm32To64],
    &[Rm8, Imm8],
    &[Rm16, Imm16],
    &[Rm32, Imm32],
    &[Rm64, Imm32To64],
];
pub(super) const TEST: Shape = &[
    &[Rm8, R8],
    &[Rm16, R16],
    &[Rm32, R32],
    &[Rm64, R64],
    &[Al, Imm8],
    &[Ax, Imm16],
    &[Eax, Imm32],
    &[Rax, Imm32To64],
    &[Rm8, Imm8],
    &[Rm16, Imm16],
    &[Rm32, Imm32],
    &[Rm64, Imm32To64],
];
pub(super) const MULTIPLY: Shape = &[
    &[Rm8],
    &[Rm16],
    &[Rm32],
    &[Rm64],
    &[R16, Rm16],
    &[R32, Rm32],
    &[R64, Rm64],
    &[R16, Rm16, Imm16],
    &[R32, Rm32, Imm32],
    &[R64, Rm64, Imm32To64],
    &[R16, Rm16, Imm8To16],
    &[R32, Rm32, Imm8To32],
    &[R64, Rm64, Imm8To64],
];
pub(super) const SHIFT: Shape = &[
    &[Rm8, One],
    &[Rm16, One],
    &[Rm32, One],
    &[Rm64, One],
    &[Rm8, Cl],
    &[Rm16, Cl],
    &[Rm32, Cl],
    &[Rm64, Cl],
    &[Rm8, Imm8],
    &[Rm16, Imm8],
    &[Rm32, Imm8],
    &[Rm64, Imm8],
];
pub(super) const SHIFT_DOUBLE: Shape = &[
    &[Rm16, R16, Imm8],
    &[Rm32, R32, Imm8],
    &[Rm64, R64, Imm8],
    &[Rm16, R16, Cl],
    &[Rm32, R32, Cl],
    &[Rm64, R64, Cl],
];
pub(super) const BIT: Shape =
    &[&[Rm16, R16], &[Rm32, R32], &[Rm64, R64], &[Rm16, Imm8], &[Rm32, Imm8], &[Rm64, Imm8]];
pub(super) const SCAN: Shape = &[&[R16, Rm16], &[R32, Rm32], &[R64, Rm64]];
pub(super) const STORE: Shape = &[&[Rm8, R8], &[Rm16, R16], &[Rm32, R32], &[Rm64, R64]];
pub(super) const JUMP: Shape = &[&[Short], &[Near], &[Rm64]];
pub(super) const BRANCH: Shape = &[&[Short], &[Near]];
pub(super) const NEAR: Shape = &[&[Short]];
pub(super) const CALL: Shape = &[&[Near], &[Rm64]];
pub(super) const IN: Shape =
    &[&[Al, Imm8], &[Ax, Imm8], &[Eax, Imm8], &[Al, Dx], &[Ax, Dx], &[Eax, Dx]];
pub(super) const OUT: Shape =
    &[&[Imm8, Al], &[Imm8, Ax], &[Imm8, Eax], &[Dx, Al], &[Dx, Ax], &[Dx, Eax]];
pub(super) const TO_FROM: Shape = &[&[ToRdi, FromRsi]];
pub(super) const FROM_TO: Shape = &[&[FromRsi, ToRdi]];
pub(super) const STOS_8: Shape = &[&[ToRdi, ImpliedAl]];
pub(super) const LODS_8: Shape = &[&[ImpliedAl, FromRsi]];
pub(super) const SCAS_8: Shape = &[&[ImpliedAl, ToRdi]];
pub(super) const STOS_16: Shape = &[&[ToRdi, ImpliedAx]];
pub(super) const LODS_16: Shape = &[&[ImpliedAx, FromRsi]];
pub(super) const SCAS_16: Shape = &[&[ImpliedAx, ToRdi]];
pub(super) const STOS_32: Shape = &[&[ToRdi, ImpliedEax]];
pub(super) const LODS_32: Shape = &[&[ImpliedEax, FromRsi]];
pub(super) const SCAS_32: Shape = &[&[ImpliedEax, ToRdi]];
pub(super) const STOS_64: Shape = &[&[ToRdi, ImpliedRax]];
pub(super) const LODS_64: Shape = &[&[ImpliedRax, FromRsi]];
pub(super) const SCAS_64: Shape = &[&[ImpliedRax, ToRdi]];
