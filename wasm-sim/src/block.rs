//! Decoded code: blocks of operations, found by the address they start at.
//!
//! A block is a `Head` and the operations after it, up to one that ends it. All blocks of an
//! address space lie in one array, and branches link to positions in it. Nothing is ever
//! removed singly: when code or a translation that led to it changes, all of them go.

use std::collections::BTreeMap;

use iced_x86::Mnemonic;
use iced_x86::{Code as X86, Decoder, DecoderError, DecoderOptions, FlowControl, Instruction};
use shared_model::address::{GuestVirtual, PAGE_SIZE};
use shared_model::exit::{Access, Exit};

use crate::decode::{Effect, translate};
use crate::engine::Engine;
use crate::memory::{GENERAL_PROTECTION, exception};
use crate::op::{Code, Op};

/// The longest an instruction can be (SDM vol. 2, 2.3.11).
const LONGEST: usize = 15;
/// Instructions that a block can have.
const BLOCK_MAX: usize = 64;
/// Operations that are kept before all are dropped.
const OPS_MAX: usize = 1 << 20;
const JUMPS: usize = 1024;

/// Where an indirect jump to `rip` found its block.
#[derive(Clone, Copy)]
struct Jump {
    rip: u64,
    head: u32,
}

/// The decoded code of one address space.
pub(crate) struct CodeCache {
    /// Position 0 is a head that no budget can pay for: the target of unknown links.
    pub(crate) ops: Vec<Op>,
    /// What the operations stand for that only the slow interpreter knows.
    instructions: Vec<Instruction>,
    heads: BTreeMap<u64, u32>,
    jumps: Box<[Jump; JUMPS]>,
    /// The frames' code and table epochs that the blocks were decoded under.
    epochs: (u64, u64),
    generation: u64,
}

const fn slot(rip: u64) -> usize {
    (rip ^ rip >> 10) as usize % JUMPS
}

impl Default for CodeCache {
    fn default() -> Self {
        let mut cache = Self {
            ops: Vec::new(),
            instructions: Vec::new(),
            heads: BTreeMap::new(),
            jumps: Box::new([Jump { rip: 0, head: 0 }; JUMPS]),
            epochs: (0, 0),
            generation: 0,
        };
        cache.clear();
        cache
    }
}

impl CodeCache {
    /// Drops every block.
    pub(crate) fn clear(&mut self) {
        self.ops.clear();
        self.ops.push(Op { imm: -1, ..Op::new(Code::Head) });
        self.instructions.clear();
        self.heads.clear();
        self.generation += 1;
        // Head 0 is as good as none.
        self.jumps.fill(Jump { rip: 0, head: 0 });
    }

    /// How often the blocks have been dropped: positions are good for one generation.
    pub(crate) const fn generation(&self) -> u64 {
        self.generation
    }

    /// The instruction of an operation without a handler.
    pub(crate) fn instruction(&self, index: usize) -> Instruction {
        self.instructions[index]
    }

    /// Drops every block if code or page tables have been written since the last call.
    pub(crate) fn catch_up(&mut self, engine: &Engine) {
        let epochs = engine.memory.frames.epochs;
        if self.epochs != (epochs.code, epochs.tables) {
            self.epochs = (epochs.code, epochs.tables);
            self.clear();
        }
    }

    /// Whether [`CodeCache::catch_up`] would drop the blocks.
    pub(crate) fn is_stale(&self, engine: &Engine) -> bool {
        let epochs = engine.memory.frames.epochs;
        self.epochs != (epochs.code, epochs.tables)
    }

    /// The head of the block at `rip`, if an indirect jump went there before; 0 otherwise.
    #[inline(always)]
    pub(crate) fn quick_find(&self, rip: u64) -> u32 {
        let jump = self.jumps[slot(rip)];
        if jump.rip == rip { jump.head } else { 0 }
    }

    /// Lets [`CodeCache::quick_find`] find a block.
    pub(crate) fn remember_jump(&mut self, rip: u64, head: u32) {
        self.jumps[slot(rip)] = Jump { rip, head };
    }

    /// The head of the block at `rip`, which is decoded first if need be.
    pub(crate) fn find(&mut self, engine: &mut Engine, rip: u64) -> Result<u32, Exit> {
        match self.heads.get(&rip) {
            Some(&head) => Ok(head),
            None => self.decode_block(engine, rip),
        }
    }

    /// The address of the operation at `pc`, which is in a block.
    pub(crate) fn address_of(&self, pc: usize) -> u64 {
        let mut before = 0;
        for op in self.ops[..pc].iter().rev() {
            if op.code == Code::Head {
                return op.wide().wrapping_add(before);
            }
            before += u64::from(op.length);
        }
        before
    }

    /// Instructions of a block from the operation at `pc` to its end.
    pub(crate) fn instructions_from(&self, pc: usize) -> u32 {
        self.ops[pc..].iter().take_while(|op| op.code != Code::Head).map(Op::instructions).sum()
    }

    fn decode_block(&mut self, engine: &mut Engine, rip: u64) -> Result<u32, Exit> {
        // Watching frames and tables does not advance the epochs that matter here.
        if self.ops.len() + BLOCK_MAX + 2 >= OPS_MAX {
            self.clear();
        }
        let mut block = Vec::with_capacity(BLOCK_MAX);
        let mut address = rip;
        let mut ended = false;
        while !ended && block.len() < BLOCK_MAX {
            // The first instruction decides whether there is a block at all; a later one
            // that cannot be fetched is left for when it is reached, and so is one in
            // another page, whose translation may by then be another.
            let first = block.is_empty();
            let crosses = (address & !(PAGE_SIZE - 1)) != (rip & !(PAGE_SIZE - 1));
            let marked = engine.is_marked(address);
            if !first && (crosses || marked) {
                break;
            }
            let fetched = fetch(engine, address);
            let fetched = match fetched {
                Ok(fetched) if first || !fetched.crosses_page => fetched,
                Err(exit) if first => return Err(exit),
                _ => break,
            };
            fetched.watch(engine);
            let ends = marked || ends_block(&fetched.instruction);
            let translated = translate(&fetched.instruction).filter(|_| !marked);
            let (op, effect) = translated.unwrap_or_else(|| {
                let code = if ends { Code::SlowEnd } else { Code::Slow };
                let length = fetched.instruction.len() as u8;
                let imm = self.instructions.len() as i32;
                self.instructions.push(fetched.instruction);
                let effect = Effect { reads: true, ..Effect::default() };
                (Op { length, imm, ..Op::new(code) }, effect)
            });
            ended = ends;
            address = address.wrapping_add(fetched.instruction.len() as u64);
            block.push((op, effect));
        }
        if !ended {
            block.push((Op::new(Code::End), Effect { reads: true, ..Effect::default() }));
        }
        silence(&mut block);
        fuse(&mut block);
        Ok(self.append(rip, &block))
    }

    fn append(&mut self, rip: u64, block: &[(Op, Effect)]) -> u32 {
        let head = self.ops.len() as u32;
        let count: u32 = block.iter().map(|(op, _)| op.instructions()).sum();
        self.ops.push(Op { imm: count as i32, ..Op::new(Code::Head).with_wide(rip) });
        self.ops.extend(block.iter().map(|(op, _)| *op));
        self.heads.insert(rip, head);
        head
    }
}

/// Replaces operations whose flags are overwritten before anybody can see them.
fn silence(block: &mut [(Op, Effect)]) {
    let mut seen = true;
    for (op, effect) in block.iter_mut().rev() {
        if let (false, Some(quiet)) = (seen, effect.quiet) {
            op.code = quiet;
            // An inc or dec that keeps the carry no longer has to.
            seen = effect.writes && effect.reads;
            continue;
        }
        seen = effect.reads || seen && !effect.writes;
    }
}

/// Makes one operation of a comparison and the conditional jump that ends the block.
fn fuse(block: &mut Vec<(Op, Effect)>) {
    if let [.., (first, _), (jump, _)] = block.as_mut_slice()
        && Code::jump(jump.imm as u8) == Some(jump.code)
        && let Some(code) = first.code.fused(jump.imm as u8)
    {
        first.code = code;
        first.length += jump.length;
        block.pop();
    }
}

/// Whether what comes after the instruction is not always the next one, or the microkernel
/// may see the state after it.
fn ends_block(i: &Instruction) -> bool {
    i.flow_control() != FlowControl::Next || matches!(i.mnemonic(), Mnemonic::In | Mnemonic::Out)
}

/// An instruction, and where its bytes are.
pub(crate) struct Fetched {
    pub(crate) instruction: Instruction,
    /// Positions and lengths of its one or two parts.
    parts: [(usize, usize); 2],
    crosses_page: bool,
}

impl Fetched {
    /// Notices writes to the instruction's bytes from now on.
    fn watch(&self, engine: &mut Engine) {
        for (position, length) in self.parts {
            if length != 0 {
                engine.memory.frames.watch_code(position, length);
            }
        }
        engine.memory.tlb.catch_up(engine.memory.frames.epochs);
    }
}

/// Fetches and decodes the instruction at `rip`.
///
/// The second page is looked at only if the instruction reaches into it.
pub(crate) fn fetch(engine: &mut Engine, rip: u64) -> Result<Fetched, Exit> {
    if !GuestVirtual(rip).is_canonical() {
        return Err(exception(GENERAL_PROTECTION));
    }
    let memory = &mut engine.memory;
    let first = memory.translate(rip, Access::Execute)?;
    let here = ((PAGE_SIZE - rip % PAGE_SIZE) as usize).min(LONGEST);
    let mut bytes = [0; LONGEST];
    bytes[..here].copy_from_slice(&memory.frames.bytes[first..first + here]);
    let (instruction, complete) = decode(&bytes[..here], rip);
    if complete {
        let parts = [(first, instruction.len().min(here)), (0, 0)];
        return Ok(Fetched {
            instruction: check(instruction, &bytes)?,
            parts,
            crosses_page: false,
        });
    }
    let next = rip.wrapping_add(here as u64);
    if !GuestVirtual(next).is_canonical() {
        return Err(exception(GENERAL_PROTECTION));
    }
    let second = memory.translate(next, Access::Execute)?;
    let rest = LONGEST - here;
    bytes[here..].copy_from_slice(&memory.frames.bytes[second..second + rest]);
    let (instruction, _) = decode(&bytes, rip);
    let parts = [(first, here), (second, instruction.len().saturating_sub(here))];
    Ok(Fetched { instruction: check(instruction, &bytes)?, parts, crosses_page: true })
}

/// Decodes; the second value is whether the bytes sufficed.
fn decode(bytes: &[u8], rip: u64) -> (Instruction, bool) {
    let mut decoder = Decoder::with_ip(64, bytes, rip, DecoderOptions::NONE);
    let instruction = decoder.decode();
    (instruction, decoder.last_error() != DecoderError::NoMoreBytes)
}

/// Whether an instruction that the decoder rejects would be longer than any may be: it is if
/// it does not end even without its first prefix.
fn is_too_long(bytes: &[u8; LONGEST]) -> bool {
    let starts_with_prefix = is_segment_or_size(bytes[0]) || matches!(bytes[0], 0xf0 | 0xf2 | 0xf3);
    starts_with_prefix && !decode(&bytes[..LONGEST - 1], 0).1 && !decode(&bytes[1..], 0).1
}

const fn is_segment_or_size(byte: u8) -> bool {
    matches!(byte, 0x26 | 0x2e | 0x36 | 0x3e | 0x64 | 0x65 | 0x66 | 0x67)
}

/// Whether this is an encoding of the `vmcall` family with a prefix it should not have:
/// below a hypervisor not every such one is an invalid opcode.
fn is_hypervisor_call(bytes: &[u8; LONGEST]) -> bool {
    let is_prefix =
        |byte: &u8| is_segment_or_size(*byte) || matches!(*byte, 0xf0 | 0xf2 | 0xf3 | 0x40..=0x4f);
    let opcode = bytes.iter().position(|byte| !is_prefix(byte)).unwrap_or(0);
    matches!(bytes[opcode..], [0x0f, 0x01, 0xc0..=0xff, ..])
}

/// Tells apart why the decoder rejects an instruction. It leaves out the EVEX encodings,
/// which are valid but not simulated; nearly everything else a processor rejects too.
fn check(instruction: Instruction, bytes: &[u8; LONGEST]) -> Result<Instruction, Exit> {
    if instruction.code() != X86::INVALID {
        return Ok(instruction);
    }
    if bytes.iter().find(|&&byte| !is_segment_or_size(byte)) == Some(&0x62) {
        return Err(Exit::Unsupported {
            what: String::from("an EVEX-encoded instruction"),
            at: GuestVirtual(instruction.ip()),
        });
    }
    if is_hypervisor_call(bytes) {
        return Err(Exit::Unsupported {
            what: String::from("a malformed system instruction"),
            at: GuestVirtual(instruction.ip()),
        });
    }
    if is_too_long(bytes) {
        return Err(exception(GENERAL_PROTECTION));
    }
    Ok(instruction)
}
