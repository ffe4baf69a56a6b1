//! For tests: a machine with one domain and one thread, and page tables to play with.

use shared_model::abi::HYPERCALL_PORT;
use shared_model::address::{Frame, GuestPhysical, GuestVirtual, PAGE_SIZE};
use shared_model::arch::{Arch, DomainId, ThreadId};
use shared_model::boot;
use shared_model::exit::Exit;
use shared_model::registers::{Registers, SystemRegisters};
use shared_model::rights::Rights;

use crate::machine::SimArch;

pub(crate) const DOMAIN: DomainId = DomainId(0);
pub(crate) const THREAD: ThreadId = ThreadId(0);
/// Where [`Rig::run`] puts code.
pub(crate) const CODE: u64 = 0x1000_0000;
/// A page of data, and one after it.
pub(crate) const DATA: u64 = 0x2000_0000;
/// The end of a page of stack.
pub(crate) const STACK: u64 = 0x3000_1000;
pub(crate) const GS: u64 = DATA + 0x800;
pub(crate) const GATES: u64 = 0x7000_0000;
const IDT: u64 = 0x7100_0000;
const TASK: u64 = 0x7200_0000;
/// The end of the page for exception frames.
const EXCEPTION_STACK: u64 = 0x7300_1000;

pub(crate) const PRESENT: u64 = 1;
pub(crate) const WRITABLE: u64 = 2;
pub(crate) const USER: u64 = 4;
pub(crate) const LARGE: u64 = 0x80;
pub(crate) const NO_EXECUTE: u64 = 1 << 63;
/// Entries as the model makes them, accessed and dirty.
pub(crate) const DATA_PAGE: u64 = PRESENT | WRITABLE | USER | 0x60 | NO_EXECUTE;
pub(crate) const CODE_PAGE: u64 = PRESENT | USER | 0x60;

const ROOT: u64 = 0x1000;

/// `out %al, $hypercall`: the end of a test's code.
pub(crate) const STOP: [u8; 2] = [0xe6, HYPERCALL_PORT as u8];

pub(crate) struct Rig {
    pub(crate) arch: SimArch,
    next: u64,
}

impl Rig {
    /// Code, data and stack pages are mapped; frame `n` is at guest-physical page `n + 1`.
    pub(crate) fn new() -> Self {
        let mut arch = SimArch::new();
        arch.domain_create(DOMAIN).unwrap();
        let mut rig = Self { arch, next: ROOT };
        rig.page();
        let system = SystemRegisters {
            page_table_root: GuestPhysical(ROOT),
            gs_base: GuestVirtual(GS),
            gdt: GuestVirtual(0),
            idt: GuestVirtual(IDT),
            task: GuestVirtual(TASK),
            gates: GuestVirtual(GATES),
            exception_stack: GuestPhysical(0),
        };
        rig.arch.thread_create(THREAD, DOMAIN, &system).unwrap();
        rig.map(CODE, CODE_PAGE);
        rig.map(DATA, DATA_PAGE);
        rig.map(DATA + PAGE_SIZE, DATA_PAGE);
        rig.map(STACK - PAGE_SIZE, DATA_PAGE);
        rig.map(IDT, DATA_PAGE);
        rig.map(TASK, DATA_PAGE);
        rig.map(EXCEPTION_STACK - PAGE_SIZE, DATA_PAGE);
        rig.poke(TASK, &boot::task(GuestVirtual(EXCEPTION_STACK))[..]);
        rig
    }

    pub(crate) fn frame_at(physical: u64) -> Frame {
        Frame((physical / PAGE_SIZE) as u32 - 1)
    }

    /// A new guest-physical page.
    pub(crate) fn page(&mut self) -> u64 {
        let physical = self.next;
        self.next += PAGE_SIZE;
        let frame = Self::frame_at(physical);
        self.arch.frame_allocate(frame).unwrap();
        self.arch.map(DOMAIN, GuestPhysical(physical), frame, Rights::READ_WRITE).unwrap();
        physical
    }

    pub(crate) fn entry(&self, place: u64) -> u64 {
        let mut bytes = [0; 8];
        let frame = Self::frame_at(place);
        self.arch.frame_read(frame, (place % PAGE_SIZE) as usize, &mut bytes);
        u64::from_le_bytes(bytes)
    }

    pub(crate) fn set_entry(&mut self, place: u64, value: u64) {
        let frame = Self::frame_at(place);
        self.arch.frame_write(frame, (place % PAGE_SIZE) as usize, &value.to_le_bytes());
    }

    /// The guest-physical place of the entry for `address` at a level: 39, 30, 21 or 12.
    pub(crate) fn entry_place(&mut self, address: u64, level: u32) -> u64 {
        let mut table = ROOT;
        let mut shift = 39;
        loop {
            let place = table + (address >> shift & 511) * 8;
            if shift == level {
                return place;
            }
            if self.entry(place) & PRESENT == 0 {
                let page = self.page();
                self.set_entry(place, page | PRESENT | WRITABLE | USER | 0x20);
            }
            table = self.entry(place) & 0x000f_ffff_ffff_f000;
            shift -= 9;
        }
    }

    /// Maps a new page at `address`; returns its guest-physical address.
    pub(crate) fn map(&mut self, address: u64, flags: u64) -> u64 {
        let page = self.page();
        let place = self.entry_place(address, 12);
        self.set_entry(place, page | flags);
        page
    }

    /// The guest-physical address of the 4 KiB page at `address`.
    pub(crate) fn physical(&mut self, address: u64) -> u64 {
        let place = self.entry_place(address, 12);
        (self.entry(place) & 0x000f_ffff_ffff_f000) + address % PAGE_SIZE
    }

    pub(crate) fn poke(&mut self, address: u64, bytes: &[u8]) {
        let physical = self.physical(address);
        let frame = Self::frame_at(physical);
        self.arch.frame_write(frame, (physical % PAGE_SIZE) as usize, bytes);
    }

    pub(crate) fn peek(&mut self, address: u64) -> u64 {
        let physical = self.physical(address);
        self.entry(physical)
    }

    /// Registers at the start of the code, with the stack's end in rsp.
    pub(crate) fn start() -> Registers {
        let mut registers = Registers { rip: CODE, ..Registers::default() };
        registers.general[4] = STACK;
        registers
    }

    /// Runs code from `registers` until it stops for something else than the budget.
    pub(crate) fn run(&mut self, code: &[u8], registers: &Registers) -> (Exit, Registers) {
        self.poke(CODE, code);
        self.arch.set_registers(THREAD, registers);
        let exit = self.arch.run(THREAD, 1_000_000);
        (exit, self.arch.registers(THREAD))
    }

    /// Runs the code that is there from `registers`.
    pub(crate) fn run_again(&mut self, registers: &Registers) -> Exit {
        self.arch.set_registers(THREAD, registers);
        self.arch.run(THREAD, 1_000_000)
    }
}
