//! The model of Lightweight Capability Domains: what a capability, an address space, a
//! message and a death mean, written once.
//!
//! 1. **Mechanism is elsewhere.** No I/O, no clock, no thread, no `unsafe`. A backend
//!    supplies frames, mappings, registers and "run until an exit" through [`arch::Arch`].
//! 2. **Nothing without a capability.** A domain's page exists in its address space only
//!    under a live capability with those rights, and no operation adds rights.
//! 3. **Everything observable is an event.** A run is one ordered log; comparing two runs
//!    is finding the first event that differs.
#![cfg_attr(not(feature = "schema"), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(all(test, not(feature = "schema")))]
extern crate std;

pub mod abi;
pub mod address;
pub mod arch;
pub mod boot;
pub mod bundle;
pub mod capability;
pub mod compare;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod construct;
pub mod domain;
pub mod event;
pub mod exit;
pub mod frames;
pub mod hex;
pub mod host;
pub mod laboratory;
pub mod layout;
pub mod loader;
pub mod microkernel;
pub mod paging;
pub mod refusal;
pub mod registers;
pub mod report;
pub mod rights;
pub mod services;
pub mod session;
pub mod snapshot;
pub mod space;
pub mod world;
