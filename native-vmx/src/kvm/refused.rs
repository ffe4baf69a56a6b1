//! Which access was refused, to the byte, when the host only says that one was.
//!
//! At privilege level 3 a shadow-paging KVM reports an access to a host page without
//! permission as EFAULT without an address, and elsewhere KVM reports it to the page. The
//! answer is in the domain: decode the instruction at RIP, form its addresses from the
//! registers, walk the domain's tables, and ask the mappings which access they refuse. The
//! order is the processor's: the fetch first, then sources, then destinations.
//!
//! The instruction has had no effect when this is asked, except that a repeated string
//! instruction has completed the iterations that its registers say.

use iced_x86::{
    Code, Decoder, DecoderError, DecoderOptions, Instruction, InstructionInfoFactory, Mnemonic,
    OpAccess, OpKind, Register, UsedMemory,
};
use shared_model::address::{GuestPhysical, GuestVirtual, PAGE_SIZE};
use shared_model::exit::Access;
use shared_model::paging::{WalkError, walk};
use shared_model::registers::Registers;
use shared_model::rights::Rights;

/// The longest instruction (Intel SDM vol. 2, 2.3.11).
const INSTRUCTION_MAX: usize = 15;

/// A domain's guest-physical memory as its mappings allow it.
pub(crate) trait Memory {
    /// The rights of the mapping at `page`, or nothing if there is none.
    fn rights(&self, page: GuestPhysical) -> Option<Rights>;
    /// Copies from mapped memory; the bytes lie in one page, which is mapped.
    fn read(&self, from: GuestPhysical, bytes: &mut [u8]);
}

/// What an instruction's addresses depend on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Processor {
    pub(crate) registers: Registers,
    pub(crate) root: GuestPhysical,
    pub(crate) fs_base: u64,
    pub(crate) gs_base: u64,
}

/// An access that the mappings do not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) address: GuestPhysical,
    pub(crate) from: GuestVirtual,
    pub(crate) access: Access,
    /// The refused page holds a page table: the processor read it on its own account.
    pub(crate) table: bool,
}

/// What keeps an access from its memory.
enum Obstacle {
    /// The domain's own tables: an exception, not a refusal.
    PageFault,
    Refused(Refusal),
}

/// Reads an entry of a page table through the mappings.
pub(crate) fn entry(memory: &dyn Memory, at: GuestPhysical) -> Option<u64> {
    memory.rights(at.page())?;
    let mut bytes = [0; 8];
    memory.read(at, &mut bytes);
    Some(u64::from_le_bytes(bytes))
}

/// The first refused access of the instruction at RIP, if one is.
pub(crate) fn find(memory: &dyn Memory, processor: &Processor) -> Option<Refusal> {
    let instruction = match fetch(memory, processor) {
        Ok(instruction) => instruction?,
        Err(Obstacle::Refused(refusal)) => return Some(refusal),
        Err(Obstacle::PageFault) => return None,
    };
    for (start, size, access) in accesses(&instruction, processor) {
        match check(memory, processor.root, start, size, access) {
            // An access that the tables refuse raises an exception. There was none, so the
            // processor did not come to it: the order of two sources is its own choice.
            Ok(()) | Err(Obstacle::PageFault) => {}
            Err(Obstacle::Refused(refusal)) => return Some(refusal),
        }
    }
    None
}

/// The instruction at RIP, if it can be fetched and decoded.
pub(crate) fn decode(memory: &dyn Memory, processor: &Processor) -> Option<Instruction> {
    fetch(memory, processor).ok().flatten()
}

/// The bytes at `at`, as far as they can be fetched, up to an instruction's length.
pub(crate) fn code(memory: &dyn Memory, root: GuestPhysical, at: u64) -> Vec<u8> {
    fetch_bytes(memory, root, at).0
}

fn fetch(memory: &dyn Memory, processor: &Processor) -> Result<Option<Instruction>, Obstacle> {
    let rip = processor.registers.rip;
    let (bytes, obstacle) = fetch_bytes(memory, processor.root, rip);
    let mut decoder = Decoder::with_ip(64, &bytes, rip, DecoderOptions::NONE);
    let instruction = decoder.decode();
    match (decoder.last_error(), obstacle) {
        (DecoderError::None, _) => Ok(Some(instruction)),
        // The instruction goes on where it cannot be fetched.
        (DecoderError::NoMoreBytes, Some(obstacle)) => Err(obstacle),
        _ => Ok(None),
    }
}

fn fetch_bytes(memory: &dyn Memory, root: GuestPhysical, at: u64) -> (Vec<u8>, Option<Obstacle>) {
    let mut bytes = Vec::with_capacity(INSTRUCTION_MAX);
    while bytes.len() < INSTRUCTION_MAX {
        let next = GuestVirtual(at.wrapping_add(bytes.len() as u64));
        let address = match translate(memory, root, next, Access::Execute) {
            Ok(address) => address,
            Err(obstacle) => return (bytes, Some(obstacle)),
        };
        let in_page = PAGE_SIZE as usize - next.page_offset();
        let mut piece = [0; INSTRUCTION_MAX];
        let piece = &mut piece[..in_page.min(INSTRUCTION_MAX - bytes.len())];
        memory.read(address, piece);
        bytes.extend_from_slice(piece);
    }
    (bytes, None)
}

/// Where one byte is, if the domain's tables and its mappings allow the access.
fn translate(
    memory: &dyn Memory,
    root: GuestPhysical,
    from: GuestVirtual,
    access: Access,
) -> Result<GuestPhysical, Obstacle> {
    if !from.is_canonical() {
        return Err(Obstacle::PageFault);
    }
    let found = walk(root, from, |at| entry(memory, at)).map_err(|error| match error {
        WalkError::NotPresent => Obstacle::PageFault,
        WalkError::Unreadable(address) => {
            Obstacle::Refused(Refusal { address, from, access: Access::Read, table: true })
        }
    })?;
    let needed = match access {
        Access::Read => Rights::READ,
        Access::Write => Rights::READ_WRITE,
        Access::Execute => Rights::READ_EXECUTE,
    };
    if !found.rights.contains(needed) {
        return Err(Obstacle::PageFault);
    }
    let allowed = memory
        .rights(found.address.page())
        .is_some_and(|rights| access != Access::Write || rights.contains(Rights::WRITE));
    if allowed {
        Ok(found.address)
    } else {
        Err(Obstacle::Refused(Refusal { address: found.address, from, access, table: false }))
    }
}

/// Checks every page that `size` bytes from `start` touch, upwards.
fn check(
    memory: &dyn Memory,
    root: GuestPhysical,
    start: u64,
    size: u64,
    access: Access,
) -> Result<(), Obstacle> {
    let last = start.wrapping_add(size.max(1) - 1);
    translate(memory, root, GuestVirtual(start), access)?;
    let mut page = start & !(PAGE_SIZE - 1);
    while page != last & !(PAGE_SIZE - 1) {
        page = page.wrapping_add(PAGE_SIZE);
        translate(memory, root, GuestVirtual(page), access)?;
    }
    Ok(())
}

/// The instruction's memory accesses as (start, bytes, kind), sources before destinations.
fn accesses(instruction: &Instruction, processor: &Processor) -> Vec<(u64, u64, Access)> {
    if instruction.is_string_instruction() && repeats_no_more(instruction, processor) {
        return Vec::new();
    }
    let mut factory = InstructionInfoFactory::new();
    let used = factory.info(instruction).used_memory();
    let mut found: Vec<_> = used
        .iter()
        .filter_map(|memory| {
            let access = kind(memory.access())?;
            let start = memory.virtual_address(0, |register, _, _| value(register, processor))?;
            let start = start.wrapping_add(correction(instruction, memory, processor));
            Some((start, memory.memory_size().size() as u64, access))
        })
        .collect();
    found.sort_by_key(|&(_, _, access)| access == Access::Write);
    found
}

const fn kind(access: OpAccess) -> Option<Access> {
    match access {
        OpAccess::Read | OpAccess::CondRead => Some(Access::Read),
        OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite => {
            Some(Access::Write)
        }
        OpAccess::None | OpAccess::NoMemAccess => None,
    }
}

/// Whether a repeat prefix is there and its count has run out: nothing is accessed then.
fn repeats_no_more(instruction: &Instruction, processor: &Processor) -> bool {
    let short = (0..instruction.op_count())
        .any(|i| matches!(instruction.op_kind(i), OpKind::MemoryESEDI | OpKind::MemorySegESI));
    let counter = if short { Register::ECX } else { Register::RCX };
    // REP and REPE are one prefix to the decoder.
    let repeated = instruction.has_rep_prefix() || instruction.has_repne_prefix();
    repeated && value(counter, processor) == Some(0)
}

/// What the decoder's address leaves out.
fn correction(instruction: &Instruction, memory: &UsedMemory, processor: &Processor) -> u64 {
    let destination = instruction.op0_kind() == OpKind::Memory
        && memory.base() == instruction.memory_base()
        && memory.displacement() == instruction.memory_displacement64();
    match instruction.mnemonic() {
        // `pop (%rsp)` uses RSP as the pop leaves it (Intel SDM vol. 2, POP).
        Mnemonic::Pop if destination && kind(memory.access()) == Some(Access::Write) => {
            let based_on_stack = matches!(memory.base(), Register::RSP | Register::ESP);
            if based_on_stack { memory.memory_size().size() as u64 } else { 0 }
        }
        // A bit offset in a register reaches beyond the operand (SDM vol. 2, 3.1.1.9).
        Mnemonic::Bt | Mnemonic::Bts | Mnemonic::Btr | Mnemonic::Btc
            if instruction.op1_kind() == OpKind::Register =>
        {
            let bytes = memory.memory_size().size() as i64;
            let offset = value(instruction.op1_register(), processor).unwrap_or_default();
            let offset = match bytes {
                2 => i64::from(offset as i16),
                4 => i64::from(offset as i32),
                _ => offset as i64,
            };
            (offset.div_euclid(bytes * 8) * bytes) as u64
        }
        _ => 0,
    }
}

/// The value of a general register of any width, or the base of a segment.
fn value(register: Register, processor: &Processor) -> Option<u64> {
    if register.is_segment_register() {
        return Some(match register {
            Register::FS => processor.fs_base,
            Register::GS => processor.gs_base,
            _ => 0,
        });
    }
    if !register.is_gpr() {
        return None;
    }
    let full = processor.registers.general[register.full_register().number()];
    Some(match register.size() {
        8 => full,
        4 => full & 0xffff_ffff,
        2 => full & 0xffff,
        _ if matches!(register, Register::AH | Register::CH | Register::DH | Register::BH) => {
            full >> 8 & 0xff
        }
        _ => full & 0xff,
    })
}

/// Whether an instruction does what the contract leaves to each host, so that the
/// exception it led to means nothing for another one.
pub(crate) fn is_outside_contract(instruction: &Instruction) -> bool {
    matches!(instruction.code(), Code::Int_imm8 if instruction.immediate8() != 3)
        || matches!(
            instruction.mnemonic(),
            Mnemonic::Rdtsc
                | Mnemonic::Rdtscp
                | Mnemonic::Rdpmc
                | Mnemonic::Rdrand
                | Mnemonic::Rdseed
                | Mnemonic::Syscall
                | Mnemonic::Sysenter
                | Mnemonic::Sysret
                | Mnemonic::Sysexit
                | Mnemonic::Iret
                | Mnemonic::Iretq
                | Mnemonic::Sgdt
                | Mnemonic::Sidt
                | Mnemonic::Sldt
                | Mnemonic::Str
                | Mnemonic::Smsw
                | Mnemonic::Rdfsbase
                | Mnemonic::Rdgsbase
                | Mnemonic::Wrfsbase
                | Mnemonic::Wrgsbase
                | Mnemonic::Xgetbv
                | Mnemonic::Vmcall
                | Mnemonic::Vmmcall
        )
}

#[cfg(test)]
#[path = "refused_tests.rs"]
pub(super) mod tests;
