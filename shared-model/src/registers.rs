//! A thread's registers, in one neutral form for both backends.

use serde::{Deserialize, Serialize};

use crate::address::{GuestPhysical, GuestVirtual};

/// Names of the general registers in the order of their hardware encoding.
pub const GENERAL_NAMES: [&str; 16] = [
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13",
    "r14", "r15",
];

/// Index of `rax` in [`Registers::general`]: results.
pub const RAX: usize = 0;
/// Index of `rdx` in [`Registers::general`]: among other things, ports.
pub const RDX: usize = 2;
/// Index of `rsp` in [`Registers::general`]: the stack pointer.
pub const RSP: usize = 4;
/// Where the first six integer arguments of a call go (System V AMD64 ABI, 3.2.3):
/// rdi, rsi, rdx, rcx, r8, r9.
pub const ARGUMENTS: [usize; 6] = [7, 6, 2, 1, 8, 9];

/// The status flags and the direction flag: what a program can observe and change.
pub const FLAGS_VISIBLE: u64 = CF | PF | AF | ZF | SF | DF | OF;
/// Carry.
pub const CF: u64 = 1 << 0;
/// Parity of the low byte of the result.
pub const PF: u64 = 1 << 2;
/// Carry out of bit 3.
pub const AF: u64 = 1 << 4;
/// Zero.
pub const ZF: u64 = 1 << 6;
/// Sign.
pub const SF: u64 = 1 << 7;
/// Direction of string instructions.
pub const DF: u64 = 1 << 10;
/// Signed overflow.
pub const OF: u64 = 1 << 11;

/// RFLAGS as every thread starts: bit 1 is always one; interrupts are enabled
/// because the host's are, whatever the domain does; the I/O privilege level is 0,
/// so ports are governed by the task segment's bitmap.
pub const FLAGS_INITIAL: u64 = 1 << 1 | 1 << 9;

/// The general registers, the instruction pointer and the flags.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Registers {
    /// In the order of [`GENERAL_NAMES`].
    pub general: [u64; 16],
    /// The instruction pointer.
    pub rip: u64,
    /// The flags. Only [`FLAGS_VISIBLE`] bits differ from [`FLAGS_INITIAL`]: what a
    /// host shows in the system bits is removed by the backend.
    pub rflags: u64,
}

/// What a thread's processor needs besides [`Registers`], fixed for its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SystemRegisters {
    /// CR3: the top-level page table.
    pub page_table_root: GuestPhysical,
    /// Base of the `gs` segment: the per-thread area. The base of `fs` is 0.
    pub gs_base: GuestVirtual,
    /// The global descriptor table; its limit is [`crate::boot::GDT_LIMIT`].
    pub gdt: GuestVirtual,
    /// The interrupt descriptor table: 32 gates.
    pub idt: GuestVirtual,
    /// The task segment, with the exception stack and the port bitmap.
    pub task: GuestVirtual,
    /// Code that each gate leads to: vector `v` at `gates + v * `
    /// [`crate::boot::GATE_STRIDE`].
    pub gates: GuestVirtual,
    /// The page on whose end the processor pushes an exception's frame.
    pub exception_stack: GuestPhysical,
}
