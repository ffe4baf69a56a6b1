//! Domains on a simulated x86-64 machine.
//!
//! [`SimArch`] is the [`shared_model::arch::Arch`] that needs no hardware: general-register
//! code of 64-bit mode at privilege level 3, with the domain's own page tables, exact
//! exceptions and exact faults. It is compiled natively for tests and to WebAssembly for
//! everything else.
//!
//! 1. **One meaning.** `slow` interprets every supported instruction, one at a time, to
//!    be read beside the manual; what is computed is in `alu`. The fast loop in `execute`
//!    covers only the simple cases and hands everything else over.
//! 2. **Never wrong.** What is not simulated ends the run with the instruction's name.
//!    Nothing a domain does makes the simulator panic.
//! 3. **Nothing stale.** A frame that decoded code or a translation depends on is watched:
//!    writes to it, through any mapping or from outside, are noticed.
#![deny(unsafe_code)]

mod alu;
#[cfg(test)]
mod behaviour;
mod bits;
mod block;
mod decode;
mod deliver;
mod drive;
mod engine;
mod execute;
pub mod exports;
mod flags;
mod frames;
mod laboratory;
mod machine;
mod marks;
mod memory;
mod op;
mod operand;
mod physical;
mod ports;
#[cfg(test)]
mod rig;
mod slow;
mod stack;
mod strings;
mod tlb;
mod width;

pub use machine::{SimArch, SimKick};
