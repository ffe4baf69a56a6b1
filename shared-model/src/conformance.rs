//! The contract of [`crate::arch::Arch`], as tests that every backend passes.
//!
//! Each case gets a machine of its own, builds one or two domains with the same builders
//! that the microkernel uses, runs programs of a few bytes and compares exits and registers
//! exactly. A failed case panics where it failed; the name is printed by whoever runs it.
//!
//! What the suite adds to the words of `arch` and `exit`:
//!
//! - After an exception, the last 48 bytes of the exception stack's page are zero: whoever
//!   pushes a frame there clears it when it is reported.
//! - `in` from an allowed port reads ones.
//! - A page fault's code has no bit that the domain's own tables do not explain.
//! - Of two refused accesses of one instruction, the source is reported; of an access that
//!   crosses pages, the lower page. Nothing was written then.
//! - A repeated string instruction that is refused has done the iterations before, and
//!   its registers say so.
//!
//! Not asked, because processors and hosts differ: an access across the end of the canonical
//! space, flags that the manual leaves undefined, `int n`, taking a page table away while
//! it is in use.

mod control;
mod faults;
mod memory;
mod recycling;
mod traps;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::address::{Frame, GuestPhysical, GuestVirtual, PAGE_SIZE};
use crate::arch::{Arch, DomainId, ThreadId};
use crate::boot;
use crate::exit::Exit;
use crate::layout::{self, SystemBlock, ThreadPlaces};
use crate::paging::{PageTables, PhysicalRoom};
use crate::registers::{RSP, Registers, SystemRegisters};
use crate::rights::Rights;

/// Calls a kick handle's `kick` from another host thread, a little later. A backend without
/// threads calls it at once.
pub type KickSoon<'a, A> = &'a dyn Fn(<A as Arch>::Kick);

/// One case.
#[derive(Debug)]
pub struct Case<A: Arch> {
    /// What it shows, as a sentence with underscores.
    pub name: &'static str,
    run: fn(Bench<A>, KickSoon<'_, A>),
}

impl<A: Arch> Case<A> {
    /// Runs the case on a fresh machine. Panics if the machine breaks the contract.
    pub fn run(&self, machine: A, kick_soon: KickSoon<'_, A>) {
        (self.run)(Bench { arch: machine, frames: 0, domains: 0, threads: 0 }, kick_soon);
    }
}

macro_rules! cases {
    ($($module:ident: $($name:ident)*;)*) => {
        /// All cases.
        pub fn cases<A: Arch>() -> Vec<Case<A>> {
            alloc::vec![$($(Case { name: stringify!($name), run: $module::$name }),*),*]
        }
    };
}

cases! {
    control:
        registers_are_what_was_set_and_flags_only_the_visible_ones
        a_hypercall_carries_the_width_that_was_written
        a_hypercall_changes_nothing_but_rip
        the_return_gate_returns
        gate_ports_from_elsewhere_are_port_exits
        a_jump_to_a_gate_is_a_port_exit
        in_reads_ones_and_is_a_port_exit
        ports_outside_the_bitmap_are_protection_faults
        gs_points_to_the_thread_area_and_fs_to_zero
        threads_have_their_own_registers
        a_kick_before_a_run_ends_it_at_once_and_once
        many_kicks_are_one
        a_kick_ends_a_spin_and_the_thread_goes_on_after_it
        a_kick_handle_may_outlive_its_thread
        a_thread_may_be_replaced_many_times;
    traps:
        every_exception_has_its_vector_code_and_place
        a_breakpoint_stops_after_itself
        page_faults_say_what_was_attempted
        a_page_fault_across_pages_names_the_second
        an_exception_keeps_registers_and_flags
        an_exception_leaves_a_clean_stack_page
        a_thread_goes_on_after_its_cause_is_skipped
        an_exception_without_a_working_table_is_a_shutdown;
    faults:
        absent_memory_refuses_every_access
        read_only_memory_refuses_writes_alone
        a_fault_is_exact_to_the_byte
        a_fetch_across_pages_names_the_second
        stack_accesses_are_accesses
        addresses_come_from_the_whole_instruction
        read_modify_write_is_a_write
        sources_come_before_destinations
        string_instructions_stop_between_iterations
        a_count_of_zero_accesses_nothing
        after_a_fault_the_same_instruction_can_succeed
        a_missing_page_table_is_a_fault_on_the_table
        page_tables_rank_above_mappings;
    memory:
        frames_are_zero_and_separate
        a_freed_frame_comes_back_zero
        a_new_domain_has_nothing_mapped
        map_unmap_and_remap_take_effect_at_once
        rights_taken_away_take_effect_at_once
        code_taken_away_takes_effect_at_once
        one_frame_in_two_places_is_one_memory
        two_domains_share_a_frame
        code_changed_through_an_alias_is_what_runs
        the_first_and_the_last_page_are_ordinary
        a_domain_can_go_while_pages_are_mapped;
    recycling:
        a_thread_sees_nothing_of_the_one_before
        a_thread_starts_fresh_however_the_one_before_ended
        each_thread_has_its_own_system_registers;
}

/// Runs every case, each on a machine of its own, and says how many there were. `before` is
/// told each name first.
///
/// Panics at the first that fails.
pub fn run<A: Arch>(
    make: impl Fn() -> A,
    kick_soon: KickSoon<'_, A>,
    mut before: impl FnMut(&str),
) -> usize {
    let cases = cases::<A>();
    for case in &cases {
        before(case.name);
        case.run(make(), kick_soon);
    }
    cases.len()
}

/// Instructions that no case comes near.
const BUDGET: u64 = 1 << 40;

/// Numbers of registers, as in [`Registers::general`].
const RAX: usize = 0;
const RCX: usize = 1;
const RDX: usize = 2;
const RBX: usize = 3;
const RSI: usize = 6;
const RDI: usize = 7;

/// Two pages of code, read and execute.
const CODE: GuestVirtual = GuestVirtual(0x1000_0000);
/// Two pages of data, read and write.
const DATA: GuestVirtual = GuestVirtual(0x1010_0000);
/// A page that the tables allow reading only.
const CONSTANT: GuestVirtual = GuestVirtual(0x1020_0000);
/// An address that the tables do not know.
const NOWHERE: GuestVirtual = GuestVirtual(0x2000_0000);
/// The first page of the space: data.
const FIRST: GuestVirtual = GuestVirtual(0);
/// The last page of the lower half: code.
const LAST: GuestVirtual = GuestVirtual(0x7fff_ffff_f000);
/// The windows' guest-virtual addresses, in the default system block.
const DATA_WINDOW: GuestVirtual = layout::SYSTEM_DEFAULT;
const CODE_WINDOW: GuestVirtual = GuestVirtual(layout::SYSTEM_DEFAULT.0 + 0x2000_0000);

/// `out %al, $HYPERCALL_PORT`.
const CALL: [u8; 2] = [0xe6, 0xe0];

/// A machine under test.
struct Bench<A: Arch> {
    arch: A,
    frames: u32,
    domains: u32,
    threads: u32,
}

/// A domain with the pages named above.
struct Home {
    id: DomainId,
    system: SystemRegisters,
    places: ThreadPlaces,
    room: PhysicalRoom,
    tables: PageTables,
    pages: BTreeMap<GuestPhysical, Frame>,
}

impl<A: Arch> Bench<A> {
    fn frame(&mut self) -> Frame {
        let frame = Frame(self.frames);
        self.frames += 1;
        self.arch.frame_allocate(frame).expect("a frame");
        frame
    }

    /// A domain with code at [`CODE`].
    fn home(&mut self, code: &[u8]) -> Home {
        let id = DomainId(self.domains);
        self.domains += 1;
        self.arch.domain_create(id).expect("a domain");
        let block = SystemBlock::place(&[]).expect("a free space has room");
        let places = block.thread(0);
        let gdt = block.descriptors();
        let (idt, gates) = (GuestVirtual(gdt.0 + 0x1000), GuestVirtual(gdt.0 + 0x2000));
        let mut room = PhysicalRoom::new(layout::PHYSICAL_FIRST, layout::DATA_WINDOW);
        let mut tables = PageTables::new(&mut room).expect("room for the root");
        let windows = [
            (DATA_WINDOW, layout::DATA_WINDOW, layout::DATA_WINDOW_SIZE, Rights::READ_WRITE),
            (CODE_WINDOW, layout::CODE_WINDOW, layout::CODE_WINDOW_SIZE, Rights::READ_EXECUTE),
        ];
        for (from, to, size, rights) in windows {
            tables.map_large(&mut room, from, to, size, rights).expect("a window");
        }
        let system = SystemRegisters {
            page_table_root: tables.root(),
            gs_base: places.area(),
            gdt,
            idt,
            task: places.task(),
            gates,
            exception_stack: GuestPhysical(0),
        };
        let mut home = Home { id, system, places, room, tables, pages: BTreeMap::new() };
        let stack_end = GuestVirtual(places.exception_stack().0 + PAGE_SIZE);
        let contents: [(GuestVirtual, Rights, &[u8]); 11] = [
            (CODE, Rights::READ_EXECUTE, code),
            (GuestVirtual(CODE.0 + PAGE_SIZE), Rights::READ_EXECUTE, &[]),
            (DATA, Rights::READ_WRITE, &[]),
            (GuestVirtual(DATA.0 + PAGE_SIZE), Rights::READ_WRITE, &[]),
            (CONSTANT, Rights::READ, &[]),
            (FIRST, Rights::READ_WRITE, &[]),
            (LAST, Rights::READ_EXECUTE, &[]),
            (gdt, Rights::READ, &boot::gdt()[..]),
            (idt, Rights::READ, &boot::idt(gates)[..]),
            (gates, Rights::READ_EXECUTE, &boot::gates()[..]),
            (places.task(), Rights::READ, &boot::task(stack_end)[..]),
        ];
        for (from, rights, bytes) in contents {
            self.add(&mut home, from, rights, bytes);
        }
        self.add(&mut home, places.area(), Rights::READ_WRITE, &[]);
        self.add(&mut home, places.stack(), Rights::READ_WRITE, &[]);
        home.system.exception_stack =
            self.add(&mut home, places.exception_stack(), Rights::READ_WRITE, &[]);
        let tables: Vec<_> = home.tables.pages().map(|(page, table)| (page, *table)).collect();
        for (page, table) in tables {
            let bytes: Vec<u8> = table.iter().flat_map(|entry| entry.to_le_bytes()).collect();
            let frame = self.frame();
            self.arch.frame_write(frame, 0, &bytes);
            self.map(&mut home, page, frame, Rights::READ);
        }
        home
    }

    /// A page of the domain under construction.
    fn add(
        &mut self,
        home: &mut Home,
        from: GuestVirtual,
        rights: Rights,
        bytes: &[u8],
    ) -> GuestPhysical {
        let to = home.room.take(1).expect("room");
        home.tables.map(&mut home.room, from, to, rights).expect("a free address");
        let frame = self.frame();
        self.arch.frame_write(frame, 0, bytes);
        self.map(home, to, frame, rights);
        to
    }

    fn map(&mut self, home: &mut Home, page: GuestPhysical, frame: Frame, rights: Rights) {
        self.arch.map(home.id, page, frame, rights).expect("a mapping");
        home.pages.insert(page, frame);
    }

    /// A fresh frame in the data window, `index` pages in.
    fn window_page(&mut self, home: &mut Home, index: u64, rights: Rights) -> Frame {
        let frame = self.frame();
        self.map(home, data_page(index), frame, rights);
        frame
    }

    /// A thread at [`CODE`] with these registers and a stack.
    fn thread(&mut self, home: &Home, set: &[(usize, u64)]) -> ThreadId {
        let thread = ThreadId(self.threads);
        self.threads += 1;
        self.arch.thread_create(thread, home.id, &home.system).expect("a thread");
        let mut registers = Registers { rip: CODE.0, ..Registers::default() };
        registers.general[RSP] = home.stack_top();
        for &(register, value) in set {
            registers.general[register] = value;
        }
        self.arch.set_registers(thread, &registers);
        thread
    }

    /// A thread that runs `code` in a domain of its own.
    fn start(&mut self, code: &[u8], set: &[(usize, u64)]) -> (Home, ThreadId) {
        let home = self.home(code);
        let thread = self.thread(&home, set);
        (home, thread)
    }

    fn run(&mut self, thread: ThreadId) -> Exit {
        self.arch.run(thread, BUDGET)
    }

    /// Runs and expects the hypercall that [`CALL`] makes, with this number.
    #[track_caller]
    fn expect_call(&mut self, thread: ThreadId, number: u32) {
        assert_eq!(self.run(thread), Exit::Hypercall { number });
    }

    fn register(&mut self, thread: ThreadId, register: usize) -> u64 {
        self.arch.registers(thread).general[register]
    }

    fn rip(&mut self, thread: ThreadId) -> u64 {
        self.arch.registers(thread).rip
    }

    /// Moves the thread to `rip`, as a microkernel that handled an exit would.
    fn go_to(&mut self, thread: ThreadId, rip: u64) {
        let registers = Registers { rip, ..self.arch.registers(thread) };
        self.arch.set_registers(thread, &registers);
    }

    /// The 8 bytes at `offset` of a frame.
    fn word(&self, frame: Frame, offset: usize) -> u64 {
        let mut bytes = [0; 8];
        self.arch.frame_read(frame, offset, &mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn set_word(&mut self, frame: Frame, offset: usize, value: u64) {
        self.arch.frame_write(frame, offset, &value.to_le_bytes());
    }

    /// The frame behind an address of the domain.
    fn behind(&self, home: &Home, address: GuestVirtual) -> Frame {
        let found = home.tables.lookup(address).expect("a mapped address");
        home.pages[&found.address.page()]
    }
}

impl Home {
    fn stack_top(&self) -> u64 {
        self.places.stack().0 + PAGE_SIZE
    }
}

/// The guest-physical page `index` pages into the data window.
fn data_page(index: u64) -> GuestPhysical {
    GuestPhysical(layout::DATA_WINDOW.0 + index * PAGE_SIZE)
}

/// The guest-physical page `index` pages into the code window.
fn code_page(index: u64) -> GuestPhysical {
    GuestPhysical(layout::CODE_WINDOW.0 + index * PAGE_SIZE)
}

/// The exit of a refused access at a byte of the data window.
fn refused(offset: u64, access: crate::exit::Access) -> Exit {
    Exit::Fault {
        address: GuestPhysical(layout::DATA_WINDOW.0 + offset),
        from: GuestVirtual(DATA_WINDOW.0 + offset),
        access,
    }
}

/// The exit of an exception without an address.
fn exception(vector: u8, code: u32) -> Exit {
    Exit::Exception { vector, code, address: None }
}
