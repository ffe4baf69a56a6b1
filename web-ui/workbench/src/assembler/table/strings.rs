//! Instructions on strings, which take no operands.

use iced_x86::Code::*;

use super::Prefixes::{Rep, Repe};
use super::shapes::{
    FROM_TO, LODS_8, LODS_16, LODS_32, LODS_64, SCAS_8, SCAS_16, SCAS_32, SCAS_64, STOS_8, STOS_16,
    STOS_32, STOS_64, TO_FROM,
};
use super::{Row, row};

pub(super) static ROWS: &[Row] = &[
    row(&["movsb"], "copies from [rsi] to [rdi]", Rep, TO_FROM, &[Movsb_m8_m8]),
    row(&["movsw"], "copies from [rsi] to [rdi]", Rep, TO_FROM, &[Movsw_m16_m16]),
    row(&["movsd"], "copies from [rsi] to [rdi]", Rep, TO_FROM, &[Movsd_m32_m32]),
    row(&["movsq"], "copies from [rsi] to [rdi]", Rep, TO_FROM, &[Movsq_m64_m64]),
    row(&["cmpsb"], "compares [rsi] with [rdi]", Repe, FROM_TO, &[Cmpsb_m8_m8]),
    row(&["cmpsw"], "compares [rsi] with [rdi]", Repe, FROM_TO, &[Cmpsw_m16_m16]),
    row(&["cmpsd"], "compares [rsi] with [rdi]", Repe, FROM_TO, &[Cmpsd_m32_m32]),
    row(&["cmpsq"], "compares [rsi] with [rdi]", Repe, FROM_TO, &[Cmpsq_m64_m64]),
    row(&["stosb"], "copies rax to [rdi]", Rep, STOS_8, &[Stosb_m8_AL]),
    row(&["stosw"], "copies rax to [rdi]", Rep, STOS_16, &[Stosw_m16_AX]),
    row(&["stosd"], "copies rax to [rdi]", Rep, STOS_32, &[Stosd_m32_EAX]),
    row(&["stosq"], "copies rax to [rdi]", Rep, STOS_64, &[Stosq_m64_RAX]),
    row(&["lodsb"], "copies from [rsi] to rax", Rep, LODS_8, &[Lodsb_AL_m8]),
    row(&["lodsw"], "copies from [rsi] to rax", Rep, LODS_16, &[Lodsw_AX_m16]),
    row(&["lodsd"], "copies from [rsi] to rax", Rep, LODS_32, &[Lodsd_EAX_m32]),
    row(&["lodsq"], "copies from [rsi] to rax", Rep, LODS_64, &[Lodsq_RAX_m64]),
    row(&["scasb"], "compares rax with [rdi]", Repe, SCAS_8, &[Scasb_AL_m8]),
    row(&["scasw"], "compares rax with [rdi]", Repe, SCAS_16, &[Scasw_AX_m16]),
    row(&["scasd"], "compares rax with [rdi]", Repe, SCAS_32, &[Scasd_EAX_m32]),
    row(&["scasq"], "compares rax with [rdi]", Repe, SCAS_64, &[Scasq_RAX_m64]),
];
