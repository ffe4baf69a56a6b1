//! What hardware does between an exception and its gate, as far as it can be seen afterwards.
//!
//! The gate says which handler and that it runs on the exception stack (IST 1), whose top is in
//! the task segment; the processor pushes a frame there (Intel SDM vol. 3, 6.14). If any of
//! that is not there, no exception is reported: the processor shuts down. The frame itself is
//! never seen, because whoever reports an exception clears it; so none is written here.

use shared_model::boot::{EXCEPTION_FRAME, TASK_STACK};
use shared_model::exit::{Access, Exit};
use shared_model::registers::SystemRegisters;

use crate::memory::{Memory, Segment};

/// Bytes of a gate.
const GATE: u64 = 16;

/// What becomes of an exit: an exception that cannot be delivered is a shutdown.
pub(crate) fn deliver(memory: &mut Memory, system: &SystemRegisters, exit: Exit) -> Exit {
    let Exit::Exception { vector, .. } = exit else { return exit };
    match frame(memory, system, vector) {
        Ok(()) => exit,
        Err(_) => Exit::Shutdown,
    }
}

fn frame(memory: &mut Memory, system: &SystemRegisters, vector: u8) -> Result<(), Exit> {
    let gate = system.idt.0.wrapping_add(u64::from(vector) * GATE);
    memory.read(gate, 8, Segment::Data)?;
    let top = memory.read(system.task.0.wrapping_add(TASK_STACK), 8, Segment::Data)?;
    let start = top.wrapping_sub(EXCEPTION_FRAME as u64);
    let span = memory.span(start, EXCEPTION_FRAME, Access::Write, Segment::Stack)?;
    memory.copy_in(span, &[0; EXCEPTION_FRAME]);
    Ok(())
}
