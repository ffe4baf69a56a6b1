//! A small domain on any backend, in which one snippet runs after the other.

use shared_model::address::{Frame, GuestPhysical, GuestVirtual, PAGE_SIZE};
use shared_model::arch::{Arch, DomainId, ThreadId};
use shared_model::boot;
use shared_model::exit::Exit;
use shared_model::paging::{PageTables, PhysicalRoom};
use shared_model::registers::{Registers, SystemRegisters};
use shared_model::rights::Rights;

use super::generate::Snippet;

/// A page of code.
pub(crate) const CODE: u64 = 0x1000_0000;
/// Two pages of data, with nothing on either side.
pub(crate) const DATA: u64 = 0x1010_0000;
pub(crate) const DATA_PAGES: u64 = 2;
/// A page that can only be read.
pub(crate) const CONSTANT: u64 = 0x1020_0000;
/// A page that the tables allow everything but execution, and the domain's space nothing.
pub(crate) const ABSENT: u64 = 0x1030_0000;
/// What `gs` points to: the data.
pub(crate) const GS_BASE: u64 = DATA + 0x400;

/// `out %al, $0xe0`: a snippet's end.
pub(crate) const END: [u8; 2] = [0xe6, 0xe0];

/// Far more than a snippet retires.
const BUDGET: u64 = 1 << 30;

const DOMAIN: DomainId = DomainId(0);
const THREAD: ThreadId = ThreadId(0);

/// What running a snippet led to.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) exit: Exit,
    pub(crate) registers: Registers,
    pub(crate) undefined_flags: u64,
    pub(crate) memory: Vec<u8>,
}

/// A domain with one thread.
pub(crate) struct Machine<A: Arch> {
    arch: A,
    code: Frame,
    data: [Frame; DATA_PAGES as usize],
}

struct Builder<A: Arch> {
    arch: A,
    room: PhysicalRoom,
    tables: PageTables,
    frames: u32,
}

impl<A: Arch> Builder<A> {
    fn frame(&mut self, bytes: &[u8]) -> Frame {
        let frame = Frame(self.frames);
        self.frames += 1;
        self.arch.frame_allocate(frame).expect("a frame");
        self.arch.frame_write(frame, 0, bytes);
        frame
    }

    fn table_entry(&mut self, from: u64, rights: Rights) -> GuestPhysical {
        let to = self.room.take(1).expect("room");
        self.tables.map(&mut self.room, GuestVirtual(from), to, rights).expect("a free address");
        to
    }

    fn page(&mut self, from: u64, rights: Rights, bytes: &[u8]) -> (GuestPhysical, Frame) {
        let to = self.table_entry(from, rights);
        let frame = self.frame(bytes);
        self.arch.map(DOMAIN, to, frame, rights).expect("a mapping");
        (to, frame)
    }
}

impl<A: Arch> Machine<A> {
    pub(crate) fn new(arch: A) -> Self {
        let [gdt, idt, gates, task, stack] =
            [0, 1, 2, 3, 4].map(|page| 0x2000_0000 + page * PAGE_SIZE);
        let mut room = PhysicalRoom::new(GuestPhysical(PAGE_SIZE), GuestPhysical(1 << 24));
        let tables = PageTables::new(&mut room).expect("room for the root");
        let mut builder = Builder { arch, room, tables, frames: 0 };
        builder.arch.domain_create(DOMAIN).expect("a domain");
        let (_, code) = builder.page(CODE, Rights::READ_EXECUTE, &[]);
        let data =
            [0, 1].map(|page| builder.page(DATA + page * PAGE_SIZE, Rights::READ_WRITE, &[]).1);
        builder.page(CONSTANT, Rights::READ, &[0x5a; PAGE_SIZE as usize]);
        builder.table_entry(ABSENT, Rights::READ_WRITE);
        builder.page(gdt, Rights::READ, &boot::gdt()[..]);
        builder.page(idt, Rights::READ, &boot::idt(GuestVirtual(gates))[..]);
        builder.page(gates, Rights::READ_EXECUTE, &boot::gates()[..]);
        let top = GuestVirtual(stack + PAGE_SIZE);
        builder.page(task, Rights::READ, &boot::task(top)[..]);
        let (exception_stack, _) = builder.page(stack, Rights::READ_WRITE, &[]);
        let pages: Vec<_> = builder.tables.pages().map(|(page, table)| (page, *table)).collect();
        for (page, table) in pages {
            let bytes: Vec<u8> = table.iter().flat_map(|entry| entry.to_le_bytes()).collect();
            let frame = builder.frame(&bytes);
            builder.arch.map(DOMAIN, page, frame, Rights::READ).expect("a mapping");
        }
        let system = SystemRegisters {
            page_table_root: builder.tables.root(),
            gs_base: GuestVirtual(GS_BASE),
            gdt: GuestVirtual(gdt),
            idt: GuestVirtual(idt),
            task: GuestVirtual(task),
            gates: GuestVirtual(gates),
            exception_stack,
        };
        builder.arch.thread_create(THREAD, DOMAIN, &system).expect("a thread");
        Self { arch: builder.arch, code, data }
    }

    /// Runs a snippet from its own registers and memory, whatever ran before.
    pub(crate) fn run(&mut self, snippet: &Snippet) -> Outcome {
        self.arch.frame_write(self.code, 0, &snippet.code());
        for (frame, bytes) in self.data.iter().zip(snippet.memory.chunks(PAGE_SIZE as usize)) {
            self.arch.frame_write(*frame, 0, bytes);
        }
        self.arch.set_registers(THREAD, &snippet.registers);
        let exit = self.arch.run(THREAD, BUDGET);
        let registers = self.arch.registers(THREAD);
        let undefined_flags = self.arch.undefined_flags(THREAD);
        let mut memory = vec![0; snippet.memory.len()];
        for (frame, bytes) in self.data.iter().zip(memory.chunks_mut(PAGE_SIZE as usize)) {
            self.arch.frame_read(*frame, 0, bytes);
        }
        Outcome { exit, registers, undefined_flags, memory }
    }
}
