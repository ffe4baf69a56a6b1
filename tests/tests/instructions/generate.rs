//! Random snippets of general-register instructions, with the state to run them in.
//!
//! An instruction that would look at a flag which the manual leaves undefined there is not
//! taken: what follows from such a flag cannot be compared.

use std::fmt::Write as _;

use iced_x86::{
    Decoder, DecoderOptions, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, Register,
    RflagsBits,
};
use lcd_tests::Random;
use shared_model::address::PAGE_SIZE;
use shared_model::registers::{
    AF, CF, DF, FLAGS_INITIAL, FLAGS_VISIBLE, OF, PF, Registers, SF, ZF,
};

use super::encode::{Encoder, value};
use super::machine::{ABSENT, CODE, CONSTANT, DATA, DATA_PAGES, END};

/// Extensions of the instruction set, which the host's processor may lack.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Features {
    /// BMI1, BMI2, LZCNT, POPCNT, MOVBE, ADX and SSE4.2's CRC32, or none of them.
    pub(crate) extended: bool,
}

impl Features {
    pub(crate) fn of_this_processor() -> Self {
        let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let flags: Vec<_> = text
            .lines()
            .find(|l| l.starts_with("flags"))
            .unwrap_or("")
            .split_whitespace()
            .collect();
        let needed = ["bmi1", "bmi2", "abm", "popcnt", "movbe", "adx", "sse4_2"];
        let extended = needed.iter().all(|name| flags.contains(name));
        if !extended {
            println!("the processor lacks one of {needed:?}: none of them is used");
        }
        Self { extended }
    }

    pub(crate) const fn all() -> Self {
        Self { extended: true }
    }
}

/// What to run, and the state before.
#[derive(Clone, Debug)]
pub(crate) struct Snippet {
    pub(crate) instructions: Vec<Vec<u8>>,
    pub(crate) registers: Registers,
    pub(crate) memory: Vec<u8>,
}

impl Snippet {
    /// Its bytes, with the end.
    pub(crate) fn code(&self) -> Vec<u8> {
        let mut code = self.instructions.concat();
        code.extend(END);
        code
    }

    pub(crate) fn without(&self, i: usize) -> Self {
        let mut smaller = self.clone();
        smaller.instructions.remove(i);
        smaller
    }

    /// One instruction a line, with its bytes.
    pub(crate) fn listing(&self) -> String {
        let mut text = String::new();
        let mut at = CODE;
        for bytes in &self.instructions {
            let name = decode(bytes, at).map_or_else(|| "?".into(), |i| format!("{:?}", i.code()));
            let digits: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            writeln!(text, "    {at:#x}  {:<36} {name}", digits.join(" ")).expect("a string");
            at += bytes.len() as u64;
        }
        text
    }

    /// Whether the instruction at an address compares two places in memory: of two bad ones, the
    /// manual does not say which is reported.
    pub(crate) fn compares_memory_at(&self, address: u64) -> bool {
        let code = self.code();
        let start = address.wrapping_sub(CODE) as usize;
        let rest = code.get(start..).unwrap_or_default();
        let mut decoder = Decoder::with_ip(64, rest, address, DecoderOptions::NONE);
        matches!(
            decoder.decode().mnemonic(),
            Mnemonic::Cmpsb | Mnemonic::Cmpsw | Mnemonic::Cmpsd | Mnemonic::Cmpsq
        )
    }

    /// Whether a comparison is repeated at an address: if it faults in the middle, processors of
    /// different makers leave different flags.
    pub(crate) fn repeats_comparison_at(&self, address: u64) -> bool {
        let code = self.code();
        let start = address.wrapping_sub(CODE) as usize;
        let rest = code.get(start..).unwrap_or_default();
        let instruction = Decoder::with_ip(64, rest, address, DecoderOptions::NONE).decode();
        let compares = matches!(
            instruction.mnemonic(),
            Mnemonic::Cmpsb
                | Mnemonic::Cmpsw
                | Mnemonic::Cmpsd
                | Mnemonic::Cmpsq
                | Mnemonic::Scasb
                | Mnemonic::Scasw
                | Mnemonic::Scasd
                | Mnemonic::Scasq
        );
        compares && (instruction.has_rep_prefix() || instruction.has_repne_prefix())
    }

    /// Flags that the manual leaves undefined at some point of the snippet.
    pub(crate) fn may_be_undefined(&self) -> u64 {
        let mut all = 0;
        let mut at = CODE;
        for bytes in &self.instructions {
            if let Some(instruction) = decode(bytes, at) {
                all |= undefined_by(&instruction);
            }
            at += bytes.len() as u64;
        }
        all
    }
}

/// The instruction of these bytes. Of several, the last: the others only prepare it.
fn decode(bytes: &[u8], at: u64) -> Option<Instruction> {
    let mut decoder = Decoder::with_ip(64, bytes, at, DecoderOptions::NONE);
    let mut last = None;
    while decoder.can_decode() {
        let instruction = decoder.decode();
        if instruction.is_invalid() {
            return None;
        }
        last = Some(instruction);
    }
    last
}

fn flags_of(bits: u32) -> u64 {
    let pairs = [
        (RflagsBits::CF, CF),
        (RflagsBits::PF, PF),
        (RflagsBits::AF, AF),
        (RflagsBits::ZF, ZF),
        (RflagsBits::SF, SF),
        (RflagsBits::OF, OF),
        (RflagsBits::DF, DF),
    ];
    pairs.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, flag)| flag).sum()
}

pub(crate) const STATUS: u64 = FLAGS_VISIBLE & !DF;

/// Flags that an instruction may leave undefined, whatever its operands.
fn undefined_by(instruction: &Instruction) -> u64 {
    match instruction.mnemonic() {
        // A count that is too large makes all of them undefined (Intel SDM vol. 2, SHLD).
        Mnemonic::Shld | Mnemonic::Shrd => STATUS,
        // OF for counts other than 1, CF for counts beyond the width, AF always.
        Mnemonic::Shl | Mnemonic::Sal | Mnemonic::Shr | Mnemonic::Sar => OF | CF | AF,
        Mnemonic::Rol | Mnemonic::Ror | Mnemonic::Rcl | Mnemonic::Rcr => OF,
        _ => flags_of(instruction.rflags_undefined()),
    }
}

/// Whether an instruction may leave every flag as it was: a shift by a count of zero, a repeated
/// comparison of nothing.
fn may_keep_flags(instruction: &Instruction) -> bool {
    let shift = matches!(
        instruction.mnemonic(),
        Mnemonic::Shl
            | Mnemonic::Sal
            | Mnemonic::Shr
            | Mnemonic::Sar
            | Mnemonic::Rol
            | Mnemonic::Ror
            | Mnemonic::Rcl
            | Mnemonic::Rcr
            | Mnemonic::Shld
            | Mnemonic::Shrd
    );
    shift || instruction.is_string_instruction()
}

/// A new snippet.
pub(crate) fn snippet(random: &mut Random, features: Features) -> Snippet {
    let mut registers = Registers { rip: CODE, ..Registers::default() };
    for register in &mut registers.general {
        *register = value(random);
    }
    // The stack is mostly where it can be used, and always canonical.
    registers.general[4] = match random.below(16) {
        0 => random.one_of(&[0, 4, CONSTANT + 0x80, ABSENT + 0x80, DATA + 4, DATA + PAGE_SIZE]),
        _ => DATA + 0x800 + random.below(0x1000) / 8 * 8,
    };
    registers.rflags = FLAGS_INITIAL | random.word() & FLAGS_VISIBLE;
    let mut memory = vec![0; (DATA_PAGES * PAGE_SIZE) as usize];
    for word in memory.chunks_exact_mut(8) {
        word.copy_from_slice(&value(random).to_le_bytes());
    }
    let wanted = 1 + random.below(10) as usize;
    let mut snippet = Snippet { instructions: Vec::new(), registers, memory };
    let (mut undefined, mut at) = (0, CODE);
    while snippet.instructions.len() < wanted {
        let bytes = Encoder { random, features, out: Vec::new() }.instruction();
        let Some(instruction) = decode(&bytes, at) else { continue };
        if moves_the_stack(&instruction) || flags_read(&instruction) & undefined != 0 {
            continue;
        }
        if !may_keep_flags(&instruction) {
            undefined &= !flags_of(instruction.rflags_modified());
        }
        undefined |= undefined_by(&instruction);
        at += bytes.len() as u64;
        snippet.instructions.push(bytes);
    }
    snippet
}

/// Whether an instruction may leave anything in the stack pointer. Hosts that run a domain on
/// shadow page tables interpret it as long as that is no canonical address, so that not the
/// processor would be the judge but the host's interpreter, which knows fewer instructions.
fn moves_the_stack(instruction: &Instruction) -> bool {
    let mut info = InstructionInfoFactory::new();
    let writes = info.info(instruction).used_registers().iter().any(|used| {
        let write = matches!(
            used.access(),
            OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite
        );
        write && used.register().full_register() == Register::RSP
    });
    let pops_it = instruction.mnemonic() == Mnemonic::Pop
        && instruction.op0_register().full_register() == Register::RSP;
    writes && (pops_it || !instruction.is_stack_instruction())
}

fn flags_read(instruction: &Instruction) -> u64 {
    match instruction.mnemonic() {
        Mnemonic::Pushf | Mnemonic::Pushfq => FLAGS_VISIBLE,
        _ => flags_of(instruction.rflags_read()),
    }
}
