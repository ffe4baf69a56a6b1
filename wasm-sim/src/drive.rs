//! Runs a thread: moves between the fast loop and the slow interpreter, and keeps count.

use std::sync::atomic::{AtomicBool, Ordering};

use iced_x86::Instruction;
use shared_model::exit::Exit;

use crate::block::{CodeCache, fetch};
use crate::engine::{Engine, Flow, Outcome};
use crate::execute::{Leave, execute};
use crate::op::Code;
use crate::slow::condition_code;

/// Instructions between two looks at the kick.
const SLICE: u64 = 1 << 13;

/// Where to go on.
enum Place {
    /// At the address in `rip`.
    Address,
    /// At the block with this head, not yet paid for.
    Head(u32),
    /// At this operation of a block that is paid for.
    Operation(usize),
}

/// One run of one thread.
pub(crate) struct Run<'a> {
    pub(crate) engine: &'a mut Engine,
    pub(crate) code: &'a mut CodeCache,
    pub(crate) kick: &'a AtomicBool,
    /// Instructions that may still be retired.
    pub(crate) left: u64,
    /// With this much left, the next instruction is executed even if runs stop before it.
    pub(crate) pass: Option<u64>,
    /// The next instruction is a repeated one that has not finished.
    pub(crate) again: bool,
    /// The run has ended before an instruction at which runs stop.
    pub(crate) stopped: bool,
}

impl Run<'_> {
    /// Runs until something happens. The registers are then exact.
    pub(crate) fn run(&mut self) -> Exit {
        self.engine.memory.tlb.catch_up(self.engine.memory.frames.epochs);
        let mut place = Place::Address;
        loop {
            match self.advance(place) {
                Ok(next) => place = next,
                Err(exit) => return exit,
            }
        }
    }

    fn advance(&mut self, place: Place) -> Result<Place, Exit> {
        match place {
            Place::Address => {
                self.check_kick()?;
                self.code.catch_up(self.engine);
                let head = match self.code.find(self.engine, self.engine.rip) {
                    Ok(head) => head,
                    // With no budget left, what cannot be fetched has not been tried.
                    Err(_) if self.left == 0 => return Err(Exit::Budget),
                    Err(exit) => return Err(exit),
                };
                Ok(Place::Head(head))
            }
            Place::Head(head) => {
                let head = head as usize;
                self.engine.rip = self.code.ops[head].wide();
                self.check_kick()?;
                let cost = u64::from(self.code.ops[head].imm as u32);
                if self.left == 0 {
                    return Err(Exit::Budget);
                }
                if cost > self.left {
                    return self.step();
                }
                self.left -= cost;
                Ok(Place::Operation(head + 1))
            }
            Place::Operation(pc) => {
                let grant = self.left.min(SLICE) as u32;
                let mut fuel = grant;
                let leave = execute(self.engine, self.code, pc, &mut fuel);
                self.left -= u64::from(grant - fuel);
                match leave {
                    Leave::Head(head) => Ok(Place::Head(head)),
                    Leave::Link(pc) => self.link(pc),
                    Leave::Slow(pc) => self.take_over(pc),
                }
            }
        }
    }

    fn check_kick(&self) -> Result<(), Exit> {
        if self.kick.load(Ordering::Relaxed) && self.kick.swap(false, Ordering::Acquire) {
            return Err(Exit::Kicked);
        }
        Ok(())
    }

    /// Executes one instruction that is cheaper than its block.
    fn step(&mut self) -> Result<Place, Exit> {
        let rip = self.engine.rip;
        self.check_stop(rip)?;
        self.again = false;
        let instruction = fetch(self.engine, rip)?.instruction;
        let outcome = self.engine.interpret(&instruction);
        self.left -= u64::from(outcome.is_ok());
        self.finish(&instruction, outcome)?;
        Ok(Place::Address)
    }

    /// Ends the run before an instruction at which runs stop, unless this one began there or is in
    /// the middle of it.
    fn check_stop(&mut self, rip: u64) -> Result<(), Exit> {
        let passes = self.again || self.pass == Some(self.left);
        if self.engine.marks.is_none() || passes || !self.engine.stops_at(rip) {
            return Ok(());
        }
        self.stopped = true;
        Err(Exit::Budget)
    }

    /// Sets `rip` to where an instruction leads.
    fn finish(&mut self, instruction: &Instruction, outcome: Outcome) -> Result<(), Exit> {
        self.engine.rip = match outcome {
            Ok(Flow::Next | Flow::Leave(_)) => instruction.next_ip(),
            Ok(Flow::Jump(target)) => target,
            Ok(Flow::Again) | Err(_) => instruction.ip(),
        };
        self.again = matches!(outcome, Ok(Flow::Again));
        if outcome.is_ok() && !self.again && self.engine.marks.is_some() {
            self.engine.spoil(instruction.ip());
        }
        match outcome {
            Ok(Flow::Leave(exit)) | Err(exit) => Err(exit),
            // Somebody wants to look at what the instruction did to memory.
            Ok(_) if self.engine.memory.frames.is_touched() => Err(Exit::Budget),
            Ok(_) => Ok(()),
        }
    }

    /// Executes the operation at `pc` with the slow interpreter.
    fn take_over(&mut self, pc: usize) -> Result<Place, Exit> {
        let op = self.code.ops[pc];
        let rip = self.code.address_of(pc);
        if op.code == Code::SlowEnd && self.engine.marks.is_some() {
            // The block is this instruction alone, if it is marked.
            let paid = u64::from(self.code.instructions_from(pc));
            self.left += paid;
            self.engine.rip = rip;
            self.check_stop(rip)?;
            self.left -= paid;
        }
        self.again = false;
        let known = matches!(op.code, Code::Slow | Code::SlowEnd);
        let instruction = if known {
            self.code.instruction(op.imm as usize)
        } else {
            self.engine.rip = rip;
            fetch(self.engine, rip)?.instruction
        };
        let outcome = self.engine.interpret(&instruction);
        let whole = u64::from(instruction.len() as u8) == u64::from(op.length);
        if whole
            && matches!(outcome, Ok(Flow::Next))
            && op.code != Code::SlowEnd
            && !self.code.is_stale(self.engine)
            && !self.engine.memory.frames.is_touched()
        {
            return Ok(Place::Operation(pc + 1));
        }
        // The rest of the block will not be executed from here.
        self.left += u64::from(self.code.instructions_from(pc)) - u64::from(outcome.is_ok());
        let indirect =
            matches!(op.code, Code::CallR | Code::CallM | Code::JmpR | Code::JmpM | Code::Ret);
        self.finish(&instruction, outcome)?;
        if indirect && !self.code.is_stale(self.engine) && self.left != 0 {
            let rip = self.engine.rip;
            let head = self.code.find(self.engine, rip)?;
            self.code.remember_jump(rip, head);
        }
        Ok(Place::Address)
    }

    /// Finds the block after the branch at `pc`, which has been executed, and links it.
    fn link(&mut self, pc: usize) -> Result<Place, Exit> {
        let op = self.code.ops[pc];
        let rip = self.code.address_of(pc);
        self.engine.rip = rip;
        let mut taken = false;
        if op.code == Code::End {
            // Nothing to execute: the next block begins here.
        } else {
            let mut instruction = fetch(self.engine, rip)?.instruction;
            if instruction.len() < usize::from(op.length) {
                instruction = fetch(self.engine, instruction.next_ip())?.instruction;
            }
            taken = condition_code(&instruction).is_none_or(|code| self.engine.condition(code));
            self.engine.rip =
                if taken { instruction.near_branch_target() } else { instruction.next_ip() };
        }
        if self.left == 0 {
            return Err(Exit::Budget);
        }
        let generation = self.code.generation();
        let rip = self.engine.rip;
        let head = self.code.find(self.engine, rip)?;
        if self.code.generation() == generation {
            let op = &mut self.code.ops[pc];
            if taken {
                op.taken = head;
            } else {
                op.fall = head;
            }
        }
        Ok(Place::Head(head))
    }
}
