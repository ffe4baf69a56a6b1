//! Port instructions: how a domain calls the microkernel, and how it may not.

use iced_x86::{Instruction, Mnemonic as M, OpKind};
use shared_model::abi::{HYPERCALL_PORT, RETURN_PORT};
use shared_model::boot::{RETURN_GATE, port_allowed};
use shared_model::exit::Exit;

use crate::engine::{Engine, Flow, Outcome, RAX, RDX, unsupported};
use crate::memory::{GENERAL_PROTECTION, exception};
use crate::width::Width;

/// Operand width of a port instruction, from its mnemonic's operands.
fn width(i: &Instruction) -> Width {
    let bytes = match i.mnemonic() {
        M::In => i.op0_register().size(),
        M::Out => i.op1_register().size(),
        M::Insb | M::Outsb => 1,
        M::Insw | M::Outsw => 2,
        _ => 4,
    };
    Width::of_bytes(bytes).unwrap_or(Width::DOUBLE)
}

impl Engine {
    pub(crate) fn port(&mut self, i: &Instruction) -> Outcome {
        let writes = i.mnemonic() == M::Out;
        let operand = if writes { 0 } else { 1 };
        let port = match i.mnemonic() {
            M::In | M::Out if i.op_kind(operand) == OpKind::Immediate8 => u16::from(i.immediate8()),
            _ => self.regs[RDX] as u16,
        };
        let width = width(i);
        if !port_allowed(port, width.bytes() as u16) {
            return Err(exception(GENERAL_PROTECTION));
        }
        if !matches!(i.mnemonic(), M::In | M::Out) {
            return Err(unsupported(i));
        }
        if !writes {
            // As from a bus on which nobody answers.
            self.set_numbered(RAX, width, u64::MAX);
        }
        let at_return_gate = i.ip() == self.gates.wrapping_add(RETURN_GATE);
        Ok(Flow::Leave(match port {
            HYPERCALL_PORT if writes => {
                Exit::Hypercall { number: self.get_numbered(RAX, width) as u32 }
            }
            RETURN_PORT if writes && at_return_gate => Exit::Return,
            _ => Exit::Port { port },
        }))
    }
}
