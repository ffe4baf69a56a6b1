//! Services: code of host domains that is part of the model, so that it does the same on every
//! backend, also inside the simulator's WebAssembly module.
//!
//! A service is a state machine that is asked, each time it is its thread's turn, for its next
//! hypercall. The bundled ones are written as `async` functions, which the compiler makes state
//! machines of: every hypercall and every access to memory is an `await`.
//!
//! `docs/services.md` has their protocols.

mod context;
mod device;
mod echo;
mod logger;
mod mailbox;
mod null_block;
mod null_net;
mod ring;
mod spawner;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;

use crate::abi::Status;
use crate::host::{HostCall, HostResult};

pub use context::Context;
use context::straight;

/// The slot in which a service expects the endpoint that it serves.
pub const ENDPOINT: u64 = crate::capability::cptr::FIRST;

/// The code of a thread of a host domain. It has no clock and no randomness, and nothing outside.
pub trait Service: Send {
    /// It is the thread's turn. `last` is how its previous hypercall ended (all zero the first
    /// time); the answer is its next. A service ends with the exit hypercall.
    fn step(&mut self, last: &HostResult, memory: &mut dyn Memory) -> HostCall;
}

/// Memory that a host domain holds capabilities to: a block of pages, own or lent, or a channel's.
pub trait Memory {
    /// Reads from `offset` bytes into the block.
    ///
    /// # Errors
    /// [`Status::NotPermitted`] without the right to read; [`Status::Invalid`] outside the block or
    /// if the slot holds something else; [`Status::NotFound`] if it holds nothing.
    fn read(&self, slot: u64, offset: u64, bytes: &mut [u8]) -> Result<(), Status>;

    /// Writes, as [`Memory::read`].
    ///
    /// # Errors
    /// As [`Memory::read`], with the right to write.
    fn write(&mut self, slot: u64, offset: u64, bytes: &[u8]) -> Result<(), Status>;
}

/// The names of the bundled services.
pub const NAMES: [&str; 6] = ["echo", "init", "logger", "null-block", "null-net", "spawner"];

/// A bundled service, by its name.
pub fn service(name: &str) -> Option<Box<dyn Service>> {
    Some(match name {
        "echo" => straight(echo::echo),
        "init" => straight(async |_| 0),
        "logger" => straight(logger::logger),
        "null-block" => straight(|cx| device::serve(cx, null_block::NullBlock::default())),
        "null-net" => straight(|cx| device::serve(cx, null_net::NullNet::default())),
        "spawner" => straight(spawner::spawner),
        _ => return None,
    })
}

/// What a service that can do no more ends with. With nobody left to serve it has done its work.
fn exit_value(status: Status) -> i64 {
    if status == Status::PeerDied { 0 } else { status as i64 }
}
