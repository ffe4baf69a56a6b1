//! What a cold exit means, given the thread's registers and the domain's memory.
//!
//! A pure function of those, so that every answer is tested without a guest.

use iced_x86::Instruction;
use shared_model::abi::RETURN_PORT;
use shared_model::address::{GuestPhysical, GuestVirtual, PAGE_SIZE};
use shared_model::boot::{CODE_SELECTOR, DATA_SELECTOR, EXCEPTION_FRAME, GATE_STRIDE, RETURN_GATE};
use shared_model::exit::{Access, Exit};
use shared_model::paging::{WalkError, walk};
use shared_model::registers::{RSP, Registers, SystemRegisters};

use super::exits::Step;
use super::refused::{self, Memory, Processor};
use super::vcpu::visible_flags;

/// Bytes of a gate's `out %al, $port`.
const GATE_OUT: u64 = 2;
const OVERFLOW: u8 = 4;
const INVALID_OPCODE: u8 = 6;
const GENERAL_PROTECTION: u8 = 13;
const PAGE_FAULT: u8 = 14;
/// Page-fault error code: the page was present (Intel SDM vol. 3, 4.7).
const CODE_PRESENT: u32 = 1 << 0;
/// Page-fault error code: a reserved bit was set in an entry.
const CODE_RESERVED: u32 = 1 << 3;

/// What the answer depends on.
pub(crate) struct Scene<'a> {
    pub(crate) system: &'a SystemRegisters,
    pub(crate) registers: Registers,
    pub(crate) cr2: u64,
    pub(crate) fs_base: u64,
    pub(crate) gs_base: u64,
    pub(crate) memory: &'a dyn Memory,
    /// The mappings have changed since the run began.
    pub(crate) outdated: bool,
}

/// The answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Explained {
    pub(crate) exit: Exit,
    /// The registers that the thread has now, where they are not those it stopped with; the
    /// exception frame that they were taken from is to be cleared.
    pub(crate) restored: Option<Registers>,
}

impl From<Exit> for Explained {
    fn from(exit: Exit) -> Self {
        Self { exit, restored: None }
    }
}

/// Explains a step that is not [`Step::Again`].
pub(crate) fn explain(step: Step, scene: &Scene<'_>) -> Explained {
    let rip = GuestVirtual(scene.registers.rip);
    let exit = match step {
        Step::Hypercall(number) => Exit::Hypercall { number },
        Step::Kicked | Step::Again => Exit::Kicked,
        Step::Return if scene.registers.rip == scene.system.gates.0 + RETURN_GATE + GATE_OUT => {
            Exit::Return
        }
        Step::Return => Exit::Port { port: RETURN_PORT },
        Step::Port { port, .. } => Exit::Port { port },
        Step::Gate(vector) => return gate(vector, scene),
        Step::Refused { known, host } => refusal(known, host, scene),
        Step::Shutdown => match refused::find(scene.memory, &scene.processor()) {
            // A shadow-paging host cannot read the table either, and finds no way to say so.
            Some(found) if found.table => fault(found),
            _ => Exit::Shutdown,
        },
        Step::Stopped(what) => Exit::Unsupported { what, at: rip },
    };
    exit.into()
}

fn fault(found: refused::Refusal) -> Exit {
    Exit::Fault { address: found.address, from: found.from, access: found.access }
}

fn refusal(known: Option<(u64, bool)>, host: &str, scene: &Scene<'_>) -> Exit {
    if let Some(found) = refused::find(scene.memory, &scene.processor()) {
        return fault(found);
    }
    let from = GuestVirtual(scene.registers.rip);
    match known {
        // The mappings allow what is at RIP, so the host has moved it past the instruction.
        Some((address, write)) => {
            let access = if write { Access::Write } else { Access::Read };
            Exit::Fault { address: GuestPhysical(address), from, access }
        }
        // It was refused, and is not any more: another thread's doing. As nothing of the
        // instruction has happened, the thread tries again.
        None if scene.outdated => Exit::Kicked,
        None => unsupported(&format!("{host}, though every mapping allows"), from.0, scene),
    }
}

fn unsupported(why: &str, at: u64, scene: &Scene<'_>) -> Exit {
    let bytes = refused::code(scene.memory, scene.system.page_table_root, at);
    let instruction = scene.decode(at);
    let length = instruction.as_ref().map_or(bytes.len(), Instruction::len);
    let name = instruction
        .map_or_else(|| String::from("bytes"), |i| format!("{:?}", i.mnemonic()).to_lowercase());
    let hex: Vec<String> = bytes.iter().take(length).map(|byte| format!("{byte:02x}")).collect();
    let what = format!("{why} `{name}` ({})", hex.join(" "));
    Exit::Unsupported { what, at: GuestVirtual(at) }
}

/// A write to the port of a vector's gate.
fn gate(vector: u8, scene: &Scene<'_>) -> Explained {
    let port = shared_model::abi::EXCEPTION_PORT + u16::from(vector);
    let at_gate =
        scene.registers.rip == scene.system.gates.0 + u64::from(vector) * GATE_STRIDE + GATE_OUT;
    if !at_gate {
        return Exit::Port { port }.into();
    }
    let Some(frame) = frame(vector, scene) else {
        // Some hosts run `syscall` as a jump to where it leads, without changing level. It
        // leads to the invalid-opcode gate, and leaves its return address in RCX.
        let behind = scene.registers.general[1].wrapping_sub(2);
        let bytes = refused::code(scene.memory, scene.system.page_table_root, behind);
        if vector == INVALID_OPCODE && bytes.starts_with(&[0x0f, 0x05]) {
            return unsupported("outside the contract:", behind, scene).into();
        }
        return Exit::Port { port }.into();
    };
    let mut restored = scene.registers;
    restored.rip = frame.rip;
    restored.general[RSP] = frame.rsp;
    restored.rflags = visible_flags(frame.rflags);
    // `int 4` is a trap where it is allowed at all; the others are refused at RIP.
    let at = if vector == OVERFLOW { frame.rip.wrapping_sub(2) } else { frame.rip };
    let exit = match scene.decode(at) {
        Some(instruction)
            if matches!(vector, OVERFLOW | INVALID_OPCODE | GENERAL_PROTECTION)
                && refused::is_outside_contract(&instruction) =>
        {
            unsupported("outside the contract:", at, scene)
        }
        _ if vector == PAGE_FAULT => page_fault(frame.code, scene),
        _ => Exit::Exception { vector, code: frame.code, address: None },
    };
    Explained { exit, restored: Some(restored) }
}

/// What a page fault means. Hosts that keep shadow tables show two things of their own: a
/// table that they cannot read looks absent to them, and their own upper half looks present
/// with reserved bits set. The domain's tables say what it really was.
fn page_fault(code: u32, scene: &Scene<'_>) -> Exit {
    let from = GuestVirtual(scene.cr2);
    let found = walk(scene.system.page_table_root, from, |at| refused::entry(scene.memory, at));
    let code = code & !(CODE_PRESENT | CODE_RESERVED);
    match found {
        Err(WalkError::Unreadable(address)) => Exit::Fault { address, from, access: Access::Read },
        Err(WalkError::NotPresent) => {
            Exit::Exception { vector: PAGE_FAULT, code, address: Some(from) }
        }
        Ok(_) => {
            Exit::Exception { vector: PAGE_FAULT, code: code | CODE_PRESENT, address: Some(from) }
        }
    }
}

/// What a processor pushes when it delivers an exception (Intel SDM vol. 3, 6.14.2).
struct Frame {
    code: u32,
    rip: u64,
    rflags: u64,
    rsp: u64,
}

/// Whether a vector has an error code (Intel SDM vol. 3, table 6-1).
const fn has_code(vector: u8) -> bool {
    matches!(vector, 8 | 10..=14 | 17 | 21 | 29 | 30)
}

/// The frame at the end of the exception stack, if the processor pushed one. A domain that
/// jumps to a gate has none there, because each is cleared when it is consumed; one that
/// writes a frame there first fools only itself.
fn frame(vector: u8, scene: &Scene<'_>) -> Option<Frame> {
    let page = scene.system.exception_stack;
    scene.memory.rights(page)?;
    let start = PAGE_SIZE as usize - EXCEPTION_FRAME;
    let mut bytes = [0; EXCEPTION_FRAME];
    scene.memory.read(GuestPhysical(page.0 + start as u64), &mut bytes);
    let word = |index: usize| {
        let at = index * 8;
        u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
    };
    let [rip, cs, rflags, rsp, ss] = [1, 2, 3, 4, 5].map(word);
    let code = if has_code(vector) { word(0) as u32 } else { 0 };
    let pushed = EXCEPTION_FRAME as u64 - if has_code(vector) { 0 } else { 8 };
    let offset = scene.registers.general[RSP] & (PAGE_SIZE - 1);
    let genuine = cs & 0xffff == u64::from(CODE_SELECTOR)
        && ss & 0xffff == u64::from(DATA_SELECTOR)
        && offset == PAGE_SIZE - pushed;
    genuine.then_some(Frame { code, rip, rflags, rsp })
}

impl Scene<'_> {
    fn processor(&self) -> Processor {
        Processor {
            registers: self.registers,
            root: self.system.page_table_root,
            fs_base: self.fs_base,
            gs_base: self.gs_base,
        }
    }

    fn decode(&self, at: u64) -> Option<Instruction> {
        let mut processor = self.processor();
        processor.registers.rip = at;
        refused::decode(self.memory, &processor)
    }
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;
