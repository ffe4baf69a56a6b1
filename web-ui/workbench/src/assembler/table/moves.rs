//! Instructions that move data.

use iced_x86::Code::*;

use super::Prefixes::{Lock, Plain};
use super::shapes::{
    ADDRESS, EXCHANGE, EXTEND, EXTEND_32, MEMORY_8, MEMORY_16, MOV, MOVABS, MOVBE, POP, PUSH,
    REGISTER, STORE,
};
use super::{Row, row};

pub(super) static ROWS: &[Row] = &[
    row(
        &["mov"],
        "copies",
        Plain,
        MOV,
        &[
            Mov_rm8_r8,
            Mov_rm16_r16,
            Mov_rm32_r32,
            Mov_rm64_r64,
            Mov_r8_rm8,
            Mov_r16_rm16,
            Mov_r32_rm32,
            Mov_r64_rm64,
            Mov_r8_imm8,
            Mov_r16_imm16,
            Mov_r32_imm32,
            Mov_rm8_imm8,
            Mov_rm16_imm16,
            Mov_rm32_imm32,
            Mov_rm64_imm32,
            Mov_r64_imm64,
            Mov_r64_cr,
            Mov_cr_r64,
        ],
    ),
    row(&["movabs"], "copies a number of 64 bits", Plain, MOVABS, &[Mov_r64_imm64]),
    row(
        &["movzx"],
        "copies, the upper bits zero",
        Plain,
        EXTEND,
        &[Movzx_r16_rm8, Movzx_r32_rm8, Movzx_r64_rm8, Movzx_r32_rm16, Movzx_r64_rm16],
    ),
    row(
        &["movsx"],
        "copies, the upper bits as the sign",
        Plain,
        EXTEND,
        &[Movsx_r16_rm8, Movsx_r32_rm8, Movsx_r64_rm8, Movsx_r32_rm16, Movsx_r64_rm16],
    ),
    row(
        &["movsxd"],
        "copies 32 bits into 64, the upper bits as the sign",
        Plain,
        EXTEND_32,
        &[Movsxd_r64_rm32],
    ),
    row(
        &["movbe"],
        "copies with the bytes in the other order",
        Plain,
        MOVBE,
        &[Movbe_r16_m16, Movbe_r32_m32, Movbe_r64_m64, Movbe_m16_r16, Movbe_m32_r32, Movbe_m64_r64],
    ),
    row(&["lea"], "computes an address", Plain, ADDRESS, &[Lea_r16_m, Lea_r32_m, Lea_r64_m]),
    row(
        &["push"],
        "puts on the stack",
        Plain,
        PUSH,
        &[Push_r64, Push_r16, Push_rm64, Push_rm16, Pushq_imm8, Pushq_imm32],
    ),
    row(&["pop"], "takes from the stack", Plain, POP, &[Pop_r64, Pop_r16, Pop_rm64, Pop_rm16]),
    row(
        &["xchg"],
        "exchanges",
        Lock,
        EXCHANGE,
        &[
            Xchg_r16_AX,
            Xchg_r32_EAX,
            Xchg_r64_RAX,
            Xchg_rm8_r8,
            Xchg_rm16_r16,
            Xchg_rm32_r32,
            Xchg_rm64_r64,
        ],
    ),
    row(&["bswap"], "turns the order of the bytes round", Plain, REGISTER, &[Bswap_r32, Bswap_r64]),
    row(
        &["cmpxchg"],
        "compares with rax, and exchanges if equal",
        Lock,
        STORE,
        &[Cmpxchg_rm8_r8, Cmpxchg_rm16_r16, Cmpxchg_rm32_r32, Cmpxchg_rm64_r64],
    ),
    row(
        &["xadd"],
        "exchanges and adds",
        Lock,
        STORE,
        &[Xadd_rm8_r8, Xadd_rm16_r16, Xadd_rm32_r32, Xadd_rm64_r64],
    ),
    row(
        &["cmpxchg8b"],
        "compares 8 bytes with edx:eax, and exchanges if equal",
        Lock,
        MEMORY_8,
        &[Cmpxchg8b_m64],
    ),
    row(
        &["cmpxchg16b"],
        "compares 16 bytes with rdx:rax, and exchanges if equal",
        Lock,
        MEMORY_16,
        &[Cmpxchg16b_m128],
    ),
];
