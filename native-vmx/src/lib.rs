//! Domains on hardware: [`shared_model::arch::Arch`] over Linux's KVM.
//!
//! 1. **One ioctl per hypercall.** The number travels in the `out` instruction, arguments
//!    and results in the UTCB page. Registers move only when somebody asks for them.
//! 2. **Authority is a host mapping.** A domain's guest-physical space is one memory slot
//!    over a reservation without access; mapping a page there is `mmap` of a frame of one
//!    memory file, unmapping it is `mmap` of nothing. Both are effective on return, and no
//!    guest page table changes.
//! 3. **The host never says more than it knows.** Where KVM does not tell which access was
//!    refused, the instruction is decoded and the domain's own tables are walked.
//! 4. **`unsafe` stays small.** It is in [`kvm`](self)'s mapping, run-page, kick and ioctl
//!    wrappers, each with its rules at the top of the file.
//!
//! On a host without KVM, or not Linux on x86-64, the crate still compiles;
//! [`NativeArch::new`] and [`probe`] say why it cannot be used.

mod report;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[allow(unsafe_code, reason = "talking to KVM and mapping memory are system calls")]
mod kvm;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub use kvm::{KickHandle, NativeArch, NativeRaw, NativeRunner, probe};

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
mod absent;
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub use absent::{KickHandle, NativeArch, NativeRaw, NativeRunner, probe};

pub use report::{Capability, HostClass, HostReport, Measured, Unavailable};
