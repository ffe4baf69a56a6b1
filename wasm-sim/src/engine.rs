//! The processor that runs one thread at a time: its registers and its memory.

use std::sync::Arc;

use iced_x86::{Instruction, Mnemonic};
use shared_model::address::GuestVirtual;
use shared_model::exit::Exit;
use shared_model::registers::{FLAGS_INITIAL, Registers};

use crate::flags::Flags;
use crate::marks::Marks;
use crate::memory::{GENERAL_PROTECTION, Memory, exception};

/// Index of a register that always reads zero: an absent base or index.
pub(crate) const ZERO: u8 = 16;
/// Index of the base of `gs`, which addresses may use like a base or index.
pub(crate) const GS: u8 = 17;

pub(crate) const RAX: usize = 0;
pub(crate) const RCX: usize = 1;
pub(crate) const RDX: usize = 2;
pub(crate) const RBX: usize = 3;
pub(crate) const RSP: usize = 4;
pub(crate) const RBP: usize = 5;
pub(crate) const RSI: usize = 6;
pub(crate) const RDI: usize = 7;

/// Exception vectors without an error code.
pub(crate) const DIVIDE_ERROR: u8 = 0;
pub(crate) const DEBUG: u8 = 1;
pub(crate) const BREAKPOINT: u8 = 3;
pub(crate) const INVALID_OPCODE: u8 = 6;

/// What comes after an instruction.
#[derive(Debug)]
pub(crate) enum Flow {
    /// The next one.
    Next,
    /// The one at a canonical address.
    Jump(u64),
    /// The same one: a repeated string instruction that has not finished.
    Again,
    /// The next one, but first the model hears of this.
    Leave(Exit),
}

/// What executing an instruction yields: an error is an exit with the state as before it.
pub(crate) type Outcome = Result<Flow, Exit>;

/// Registers and memory of the running thread.
pub(crate) struct Engine {
    /// The general registers, then [`ZERO`] and [`GS`]. As long as a byte can index, so
    /// that an index needs no check.
    pub(crate) regs: [u64; 256],
    pub(crate) flags: Flags,
    pub(crate) rip: u64,
    /// Where the exception gates are: it decides what writing to their ports means.
    pub(crate) gates: u64,
    pub(crate) memory: Memory,
    /// What is marked in the running domain's code, if anything is.
    pub(crate) marks: Option<Arc<Marks>>,
}

impl Engine {
    pub(crate) fn new() -> Self {
        Self {
            regs: [0; 256],
            flags: Flags::new(),
            rip: 0,
            gates: 0,
            memory: Memory::default(),
            marks: None,
        }
    }

    /// Whether a condition that is the low bits of an opcode holds.
    pub(crate) fn condition(&self, code: u8) -> bool {
        self.flags.condition(code)
    }

    /// What `pushf` stores: the visible flags and the system flags of every thread.
    pub(crate) fn flags_image(&self) -> u64 {
        self.flags.visible() | FLAGS_INITIAL
    }

    /// Puts what the model sees of a thread into the registers.
    pub(crate) fn load(&mut self, registers: &Registers, flags: Flags) {
        self.regs[..16].copy_from_slice(&registers.general);
        self.rip = registers.rip;
        self.flags = flags;
    }

    /// The reverse of [`Engine::load`].
    pub(crate) fn save(&self) -> Registers {
        let mut general = [0; 16];
        general.copy_from_slice(&self.regs[..16]);
        Registers { general, rip: self.rip, rflags: self.flags_image() }
    }
}

/// Goes to `target`, which must be canonical (SDM vol. 2, JMP: `#GP(0)` with the state as
/// before the branch).
pub(crate) fn branch(target: u64) -> Outcome {
    if GuestVirtual(target).is_canonical() {
        Ok(Flow::Jump(target))
    } else {
        Err(exception(GENERAL_PROTECTION))
    }
}

/// The end of what can be simulated, naming the instruction.
pub(crate) fn unsupported(instruction: &Instruction) -> Exit {
    let what = if instruction.mnemonic() == Mnemonic::INVALID {
        String::from("a vector instruction")
    } else {
        format!("{:?}", instruction.mnemonic()).to_lowercase()
    };
    Exit::Unsupported { what, at: GuestVirtual(instruction.ip()) }
}
