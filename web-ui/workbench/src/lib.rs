//! What the page needs beside the simulator: text to machine code and back, the source lines of a
//! module, bundles, compressed files, two logs side by side, and why a log has a refusal.
//!
//! One call, [`answer`], takes a request as the page writes it (`web-ui/src/workbench/protocol.ts`)
//! and gives back an answer; [`exports`] makes it reachable in the WebAssembly module. Whatever the
//! input is, there is an answer or a message: this runs on what students write and on files from
//! anywhere.

pub mod assembler;
pub mod compare;
pub mod disassembler;
pub mod exports;
pub mod lines;
mod places;
mod refusals;
mod request;
mod worlds;

pub use request::answer;
