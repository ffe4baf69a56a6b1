//! What a domain shows: its console, and a dump of a thread.

use alloc::string::String;
use alloc::vec::Vec;

use super::Microkernel;
use super::hypercall::{Answer, Outcome, Request};
use crate::abi::Status;
use crate::address::{GuestVirtual, PAGE_SIZE};
use crate::arch::Arch;
use crate::event::EventKind;
use crate::registers::RSP;

/// Bytes a domain's console keeps.
const CONSOLE_MAX: usize = 4 << 20;
/// Words of the stack that a dump shows.
const STACK_SHOWN: u64 = 16;

impl<A: Arch> Microkernel<A> {
    pub(super) fn console_write(&mut self, request: &mut Request) -> Answer {
        let bytes = self.take_bytes(request, request.arguments[0])?;
        self.show(request, bytes)
    }

    pub(super) fn console_put(&mut self, request: &mut Request) -> Answer {
        let byte = u8::try_from(request.arguments[0]).map_err(|_| Status::Invalid)?;
        self.show(request, alloc::vec![byte])
    }

    fn show(&mut self, request: &mut Request, bytes: Vec<u8>) -> Answer {
        let console = &mut self.domains.get_mut(&request.domain).expect("the caller's").console;
        if console.len() + bytes.len() > CONSOLE_MAX {
            return Err(Status::NoMemory);
        }
        console.extend(&bytes);
        // A character may be split between two calls, so nothing may be lost of either.
        match String::from_utf8(bytes) {
            Ok(text) => request.text = Some(text),
            Err(error) => request.bytes = Some(crate::hex::encode(error.as_bytes())),
        }
        Ok(Outcome::Done)
    }

    pub(super) fn dump_stack(&mut self, request: &Request) -> Answer {
        if self.is_host_thread(request.thread) {
            return Err(Status::Invalid);
        }
        let registers = self.arch.registers(request.thread);
        let at = self.symbolize(request.domain, GuestVirtual(registers.rip));
        let state = self.thread(request.thread);
        let (bottom, top) = (state.places.stack(), state.places.stack_top());
        let rsp = registers.general[RSP];
        let stack = if (bottom.0..top.0).contains(&rsp) {
            let physical = crate::address::GuestPhysical(state.stack.0 + (rsp - bottom.0));
            let length = (STACK_SHOWN * 8).min(top.0 - rsp);
            debug_assert!(length <= PAGE_SIZE);
            let bytes = self.read_physical(request.domain, physical, length);
            let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("8 bytes"));
            bytes.chunks_exact(8).map(word).collect()
        } else {
            Vec::new()
        };
        self.record(request.domain, None, EventKind::Dumped { registers, stack, at });
        Ok(Outcome::Done)
    }
}
