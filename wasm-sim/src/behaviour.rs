//! What the machine as a whole must do, tested through [`Arch`].

use proptest::prelude::*;
use shared_model::abi::RETURN_PORT;
use shared_model::address::{GuestPhysical, GuestVirtual, PAGE_SIZE};
use shared_model::arch::{Arch, DomainId, Kick, ThreadId};
use shared_model::boot::RETURN_GATE;
use shared_model::exit::{Access, Exit};
use shared_model::registers::{CF, DF, Registers, SystemRegisters, ZF};
use shared_model::rights::Rights;

use crate::rig::{
    CODE, CODE_PAGE, DATA, DATA_PAGE, DOMAIN, GATES, GS, LARGE, NO_EXECUTE, PRESENT, Rig, STACK,
    STOP, THREAD, USER, WRITABLE,
};

fn with(changes: &[(usize, u64)]) -> Registers {
    let mut registers = Rig::start();
    for &(index, value) in changes {
        registers.general[index] = value;
    }
    registers
}

fn page_fault(code: u32, address: u64) -> Exit {
    Exit::Exception { vector: 14, code, address: Some(GuestVirtual(address)) }
}

fn exception(vector: u8) -> Exit {
    Exit::Exception { vector, code: 0, address: None }
}

/// Runs one instruction that is not expected to get past `CODE`.
fn fails(rig: &mut Rig, code: &[u8], changes: &[(usize, u64)]) -> Exit {
    let before = with(changes);
    let (exit, after) = rig.run(code, &before);
    assert_eq!(after.rip, CODE, "{exit:?}");
    assert_eq!(after.general, before.general, "{exit:?}");
    exit
}

#[test]
fn page_faults_have_the_exact_code_and_address() {
    let mut rig = Rig::new();
    let load = [0x48, 0x8b, 0x00];
    let store = [0x48, 0x89, 0x00];
    let add = [0x48, 0x01, 0x00];
    assert_eq!(fails(&mut rig, &load, &[(0, 0x5000)]), page_fault(4, 0x5000));
    assert_eq!(fails(&mut rig, &store, &[(0, 0x5000)]), page_fault(6, 0x5000));
    assert_eq!(fails(&mut rig, &add, &[(0, 0x5000)]), page_fault(6, 0x5000));
    assert_eq!(fails(&mut rig, &store, &[(0, CODE + 64)]), page_fault(7, CODE + 64));
    rig.map(0x5000, PRESENT | WRITABLE);
    assert_eq!(fails(&mut rig, &load, &[(0, 0x5000)]), page_fault(5, 0x5000));
    rig.map(0x5000, DATA_PAGE | 1 << 50);
    assert_eq!(fails(&mut rig, &load, &[(0, 0x5000)]), page_fault(13, 0x5000));
    // A supervisor-only or read-only table entry above counts as well.
    rig.map(0x5000, DATA_PAGE);
    let place = rig.entry_place(0x5000, 30);
    let whole = rig.entry(place);
    rig.set_entry(place, whole & !WRITABLE);
    assert_eq!(fails(&mut rig, &store, &[(0, 0x5000)]), page_fault(7, 0x5000));
}

#[test]
fn instruction_fetch_honours_no_execute_and_names_the_second_page() {
    let mut rig = Rig::new();
    let jump = [0xff, 0xe0];
    let (exit, after) = rig.run(&jump, &with(&[(0, DATA + 5)]));
    assert_eq!((exit, after.rip), (page_fault(0x15, DATA + 5), DATA + 5));
    let (exit, after) = rig.run(&jump, &with(&[(0, 0x5000)]));
    assert_eq!((exit, after.rip), (page_fault(0x14, 0x5000), 0x5000));
    // mov $imm32, %eax with its last byte on a page that is not there.
    rig.poke(CODE + PAGE_SIZE - 4, &[0xb8, 1, 0, 0]);
    let start = Registers { rip: CODE + PAGE_SIZE - 4, ..Rig::start() };
    rig.arch.set_registers(THREAD, &start);
    assert_eq!(rig.arch.run(THREAD, 9), page_fault(0x14, CODE + PAGE_SIZE));
    assert_eq!(rig.arch.registers(THREAD).rip, start.rip);
    rig.map(CODE + PAGE_SIZE, CODE_PAGE);
    rig.poke(CODE + PAGE_SIZE, &[0x80, STOP[0], STOP[1]]);
    assert!(matches!(rig.arch.run(THREAD, 9), Exit::Hypercall { .. }));
    assert_eq!(rig.arch.registers(THREAD).general[0], 0x8000_0001);
    assert_eq!(rig.arch.retired(THREAD), Some(4));
}

#[test]
fn addresses_that_are_not_canonical_raise_the_segments_exception() {
    let mut rig = Rig::new();
    let bad = 1 << 47;
    assert_eq!(fails(&mut rig, &[0x48, 0x8b, 0x00], &[(0, bad)]), exception(13));
    assert_eq!(fails(&mut rig, &[0x48, 0x8b, 0x45, 0x00], &[(5, bad)]), exception(12));
    assert_eq!(fails(&mut rig, &[0x50], &[(4, bad + 8)]), exception(12));
    assert_eq!(fails(&mut rig, &[0x48, 0x8b, 0x00], &[(0, bad - 4)]), exception(13));
    assert_eq!(fails(&mut rig, &[0xff, 0xe0], &[(0, bad)]), exception(13));
    // gs makes it a data access whatever the base.
    assert_eq!(fails(&mut rig, &[0x65, 0x48, 0x8b, 0x45, 0x00], &[(5, bad)]), exception(13));
}

#[test]
fn an_access_across_pages_happens_whole_or_not_at_all() {
    let mut rig = Rig::new();
    let edge = DATA + 2 * PAGE_SIZE;
    rig.poke(edge - 8, &[0xaa; 8]);
    let store = [0x48, 0x89, 0x08];
    let exit = fails(&mut rig, &store, &[(0, edge - 4), (1, 0)]);
    assert_eq!(exit, page_fault(6, edge));
    assert_eq!(rig.peek(edge - 8), 0xaaaa_aaaa_aaaa_aaaa);
    let both = DATA + PAGE_SIZE - 3;
    let code = [store.as_slice(), &[0x48, 0x8b, 0x10], &STOP].concat();
    let (_, after) = rig.run(&code, &with(&[(0, both), (1, 0x0102_0304_0506_0708)]));
    assert_eq!(after.general[2], 0x0102_0304_0506_0708);
    assert_eq!(rig.peek(DATA + PAGE_SIZE) & 0xff_ffff_ffff, 0x01_0203_0405);
}

#[test]
fn large_pages_translate_and_their_low_bits_are_reserved() {
    let mut rig = Rig::new();
    let physical = rig.physical(DATA);
    let load = [0x48, 0x8b, 0x00, STOP[0], STOP[1]];
    rig.poke(DATA + 0x10, &7_u64.to_le_bytes());
    let two_mib = rig.entry_place(0x8000_0000, 21);
    rig.set_entry(two_mib, PRESENT | USER | LARGE);
    let (_, after) = rig.run(&load, &with(&[(0, 0x8000_0000 + physical + 0x10)]));
    assert_eq!(after.general[0], 7);
    rig.set_entry(two_mib, PRESENT | USER | LARGE | 0x2000);
    assert_eq!(fails(&mut rig, &load, &[(0, 0x8000_0000)]), page_fault(13, 0x8000_0000));
    let one_gib = rig.entry_place(0xc000_0000, 30);
    rig.set_entry(one_gib, PRESENT | USER | LARGE | NO_EXECUTE);
    let (_, after) = rig.run(&load, &with(&[(0, 0xc000_0000 + physical + 0x10)]));
    assert_eq!(after.general[0], 7);
}

#[test]
fn what_the_physical_space_refuses_is_a_fault_of_the_model() {
    let mut rig = Rig::new();
    let page = rig.physical(DATA);
    let frame = Rig::frame_at(page);
    let code = [0x48, 0x89, 0x48, 0x10, 0x48, 0x8b, 0x50, 0x10, STOP[0], STOP[1]];
    let start = with(&[(0, DATA), (1, 5)]);
    assert_eq!(rig.run(&code, &start).0, STOPPED_AT_DATA);
    // Read-only: the write is refused, to the byte, though it has just been allowed.
    rig.arch.map(DOMAIN, GuestPhysical(page), frame, Rights::READ).unwrap();
    let refused = |access| Exit::Fault {
        address: GuestPhysical(page + 0x10),
        from: GuestVirtual(DATA + 0x10),
        access,
    };
    assert_eq!(rig.run(&code, &start).0, refused(Access::Write));
    assert_eq!(rig.run(&code[4..], &start).0, STOPPED_AT_DATA);
    rig.arch.unmap(DOMAIN, GuestPhysical(page));
    assert_eq!(rig.run(&code[4..], &start).0, refused(Access::Read));
    rig.arch.map(DOMAIN, GuestPhysical(page), frame, Rights::READ_WRITE).unwrap();
    assert_eq!(rig.run(&code, &start).0, STOPPED_AT_DATA);
    // The same for a page table, and for code.
    let table = rig.entry_place(DATA, 12);
    rig.arch.unmap(DOMAIN, GuestPhysical(table).page());
    let exit = rig.run_again(&start);
    let from = GuestVirtual(DATA + 0x10);
    assert_eq!(exit, Exit::Fault { address: GuestPhysical(table), from, access: Access::Read });
}

/// `al` is the low byte of the address of the data.
const STOPPED_AT_DATA: Exit = Exit::Hypercall { number: (DATA & 0xff) as u32 };

#[test]
fn unmapped_code_does_not_run_on() {
    let mut rig = Rig::new();
    rig.run(&STOP, &Rig::start());
    let code = rig.physical(CODE);
    rig.arch.unmap(DOMAIN, GuestPhysical(code));
    let exit = rig.run_again(&Rig::start());
    let (address, from) = (GuestPhysical(code), GuestVirtual(CODE));
    assert_eq!(exit, Exit::Fault { address, from, access: Access::Execute });
}

#[test]
fn code_that_is_written_changes() {
    let mut rig = Rig::new();
    // The same frame, writable, at another address.
    let page = rig.physical(CODE);
    let alias = 0x4000_0000;
    let place = rig.entry_place(alias, 12);
    rig.set_entry(place, page | DATA_PAGE);
    // movb %cl, 4(%rax) writes the immediate of the mov after it.
    let code = [0x88, 0x48, 0x04, 0xb2, 0x01, STOP[0], STOP[1]];
    for value in [2, 3, 4] {
        let (_, after) = rig.run(&code, &with(&[(0, alias), (1, value)]));
        assert_eq!(after.general[2], value);
    }
    // From outside.
    rig.poke(CODE + 4, &[9]);
    let mut start = Rig::start();
    start.rip = CODE + 3;
    rig.arch.set_registers(THREAD, &start);
    rig.arch.run(THREAD, 9);
    assert_eq!(rig.arch.registers(THREAD).general[2], 9);
    // By another domain that maps the frame.
    let (other, thread) = (DomainId(1), ThreadId(1));
    rig.arch.domain_create(other).unwrap();
    for physical in (0x1000..0x2_0000).step_by(PAGE_SIZE as usize) {
        let at = GuestPhysical(physical);
        let _ = rig.arch.map(other, at, Rig::frame_at(physical), Rights::READ_WRITE);
    }
    let system = SystemRegisters {
        page_table_root: GuestPhysical(0x1000),
        gs_base: GuestVirtual(0),
        gdt: GuestVirtual(0),
        idt: GuestVirtual(0),
        task: GuestVirtual(0),
        gates: GuestVirtual(0),
        exception_stack: GuestPhysical(0),
    };
    rig.arch.thread_create(thread, other, &system).unwrap();
    rig.arch.set_registers(thread, &with(&[(0, alias), (1, 77)]));
    rig.arch.run(thread, 9);
    rig.arch.set_registers(THREAD, &start);
    rig.arch.run(THREAD, 9);
    assert_eq!(rig.arch.registers(THREAD).general[2], 77);
}

#[test]
fn a_page_table_that_is_written_takes_effect() {
    let mut rig = Rig::new();
    let first = rig.map(0x5000, DATA_PAGE);
    let second = rig.page();
    rig.poke(0x5000, &1_u64.to_le_bytes());
    rig.set_entry(second, 2);
    // Make the page table writable by the domain: it swaps the page between two loads.
    let entry = rig.entry_place(0x5000, 12);
    let window = rig.entry_place(0x6000, 12);
    rig.set_entry(window, entry & !0xfff | DATA_PAGE);
    let code = [
        &[0x48, 0x8b, 0x10][..], // mov (%rax), %rdx
        &[0x48, 0x89, 0x0e],     // mov %rcx, (%rsi)
        &[0x48, 0x8b, 0x18],     // mov (%rax), %rbx
        &STOP,
    ]
    .concat();
    let change = [(0, 0x5000), (1, second | DATA_PAGE), (6, 0x6000 + entry % PAGE_SIZE)];
    for _ in 0..2 {
        rig.set_entry(entry, first | DATA_PAGE);
        let (_, after) = rig.run(&code, &with(&change));
        assert_eq!((after.general[2], after.general[3]), (1, 2));
    }
}

#[test]
fn repeated_strings_stop_where_they_fault() {
    let mut rig = Rig::new();
    let end = DATA + 2 * PAGE_SIZE;
    // rep movsb into the end of the mapped pages.
    let start = with(&[(1, 100), (6, DATA), (7, end - 10)]);
    let (exit, after) = rig.run(&[0xf3, 0xa4], &start);
    assert_eq!(exit, page_fault(6, end));
    assert_eq!((after.rip, after.general[1], after.general[7]), (CODE, 90, end));
    assert_eq!(after.general[6], DATA + 10);
    // Downwards.
    let mut start = with(&[(0, 0x55), (1, 100), (7, DATA + 4)]);
    start.rflags = DF;
    let (exit, after) = rig.run(&[0xf3, 0xaa], &start);
    assert_eq!(exit, page_fault(6, DATA - 1));
    assert_eq!((after.general[1], after.general[7]), (95, DATA - 1));
    // repe cmpsb keeps the flags of before if it faults.
    let mut start = with(&[(1, 100), (6, end - 2), (7, DATA + 64)]);
    rig.poke(end - 2, &[0, 0]);
    start.rflags = CF;
    let (exit, after) = rig.run(&[0xf3, 0xa6], &start);
    assert_eq!((exit, after.general[1]), (page_fault(4, end), 98));
    assert_eq!(after.rflags & (CF | ZF), CF);
}

#[test]
fn an_overlapping_copy_repeats_its_source() {
    let mut rig = Rig::new();
    rig.poke(DATA, &[1, 2, 3]);
    let code = [0xf3, 0xa4, STOP[0], STOP[1]];
    rig.run(&code, &with(&[(1, 9), (6, DATA), (7, DATA + 3)]));
    assert_eq!(rig.peek(DATA + 4), 0x0302_0103_0201_0302);
}

#[test]
fn a_long_repetition_can_be_split_by_the_budget() {
    let mut rig = Rig::new();
    rig.poke(CODE, &[0xf3, 0xac, STOP[0], STOP[1]]);
    // rep lodsb, always from the same page: the count wraps nowhere near done.
    rig.arch.set_registers(THREAD, &with(&[(1, 5000), (6, DATA)]));
    assert_eq!(rig.arch.run(THREAD, 1), Exit::Budget);
    let registers = rig.arch.registers(THREAD);
    assert_eq!((registers.rip, registers.general[1]), (CODE, 5000 - 4096));
    assert!(matches!(rig.arch.run(THREAD, 2), Exit::Hypercall { .. }));
    assert_eq!(rig.arch.registers(THREAD).general[6], DATA + 5000);
    assert_eq!(rig.arch.retired(THREAD), Some(3));
}

#[test]
fn ports_mean_what_the_bitmap_and_the_gates_say() {
    let mut rig = Rig::new();
    let start = with(&[(0, 0xffff_ffff_1234_5678), (2, 0xe0)]);
    let (exit, after) = rig.run(&[0xe7, 0xe0], &start);
    assert_eq!((exit, after.rip), (Exit::Hypercall { number: 0x1234_5678 }, CODE + 2));
    assert_eq!(rig.run(&[0x66, 0xef], &start).0, Exit::Hypercall { number: 0x5678 });
    assert_eq!(rig.run(&[0xe6, 0xc3], &start).0, Exit::Port { port: 0xc3 });
    assert_eq!(rig.run(&[0xe4, 0xe0], &start).0, Exit::Port { port: 0xe0 });
    let ret = RETURN_PORT as u8;
    assert_eq!(rig.run(&[0xe6, ret], &start).0, Exit::Port { port: RETURN_PORT });
    for denied in [&[0xe6, 0x80][..], &[0xe7, ret], &[0xe4, 0xbf], &[0x6c], &[0xfa], &[0xf4]] {
        assert_eq!(fails(&mut rig, denied, &[(2, 0x1e0)]), exception(13), "{denied:x?}");
    }
    rig.map(GATES, CODE_PAGE);
    rig.poke(GATES + RETURN_GATE, &[0xe6, ret]);
    rig.poke(STACK - 8, &(GATES + RETURN_GATE).to_le_bytes());
    let (exit, after) = rig.run(&[0xc3], &with(&[(4, STACK - 8)]));
    assert_eq!((exit, after.rip), (Exit::Return, GATES + RETURN_GATE + 2));
}

#[test]
fn invalid_and_unsupported_are_told_apart() {
    let mut rig = Rig::new();
    let invalid: [&[u8]; 6] = [
        &[0x0f, 0x0b],
        &[0x06],
        &[0xce],
        &[0xf0, 0x01, 0xc8],
        &[0xf0, 0x8b, 0x00],
        &[0x0f, 0xff, 0xc0],
    ];
    for code in invalid {
        assert_eq!(fails(&mut rig, code, &[]), exception(6), "{code:x?}");
    }
    // 15 prefixes before an instruction make it too long.
    assert_eq!(fails(&mut rig, &[0x66; 16], &[]), exception(13));
    let outside: [(&[u8], &str); 10] = [
        (&[0x66, 0x0f, 0x01, 0xc1], "a malformed system instruction"),
        (&[0x0f, 0x31], "rdtsc"),
        (&[0x0f, 0xa2], "cpuid"),
        (&[0x0f, 0xc7, 0xf0], "rdrand"),
        (&[0x0f, 0x05], "syscall"),
        (&[0xcd, 0x80], "int"),
        (&[0x0f, 0x01, 0xc1], "vmcall"),
        (&[0x0f, 0x28, 0xc1], "movaps"),
        (&[0xd9, 0xe8], "fld1"),
        (&[0x62, 0xf1, 0x7c, 0x48, 0x28, 0xc1], "an EVEX-encoded instruction"),
    ];
    for (code, name) in outside {
        match fails(&mut rig, code, &[]) {
            Exit::Unsupported { what, at } => assert_eq!((what.as_str(), at.0), (name, CODE)),
            exit => panic!("{code:x?}: {exit:?}"),
        }
    }
}

#[test]
fn traps_come_after_and_divisions_fault_before() {
    let mut rig = Rig::new();
    let (exit, after) = rig.run(&[0xcc], &Rig::start());
    assert_eq!((exit, after.rip), (exception(3), CODE + 1));
    assert_eq!(fails(&mut rig, &[0xf7, 0xf1], &[(0, 1), (1, 0)]), exception(0));
    assert_eq!(
        fails(&mut rig, &[0x48, 0xf7, 0xf9], &[(0, 0), (2, 1 << 63), (1, !0)]),
        exception(0)
    );
}

#[test]
fn gs_has_its_base() {
    let mut rig = Rig::new();
    rig.poke(GS + 8, &42_u64.to_le_bytes());
    let code = [0x65, 0x48, 0x8b, 0x04, 0x25, 8, 0, 0, 0, STOP[0], STOP[1]];
    assert_eq!(rig.run(&code, &Rig::start()).1.general[0], 42);
    let code = [0x65, 0x48, 0x8b, 0x44, 0x88, 4, STOP[0], STOP[1]];
    assert_eq!(rig.run(&code, &with(&[(1, 1)])).1.general[0], 42);
}

#[test]
fn popf_changes_what_a_program_may_change() {
    let mut rig = Rig::new();
    let push = |value: u32| [&[0x68][..], &value.to_le_bytes(), &[0x9d, 0x9c, 0x58]].concat();
    let code = [push(0x0003_3ad5), STOP.to_vec()].concat();
    let (_, after) = rig.run(&code, &Rig::start());
    assert_eq!(after.general[0], 0xad5 | 0x202);
    assert_eq!(after.rflags, after.general[0]);
    let (exit, after) = rig.run(&push(0x100), &Rig::start());
    assert!(matches!(exit, Exit::Unsupported { .. }));
    assert_eq!((after.rip, after.general[4]), (CODE + 5, STACK - 8));
}

#[test]
fn the_budget_is_exact_wherever_it_ends() {
    // A loop with a fused comparison, a call and memory: 8 instructions a turn.
    let code = [
        0x48, 0xff, 0xc0, // top: inc %rax
        0xe8, 0x0b, 0x00, 0x00, 0x00, // call f
        0x48, 0x83, 0xf8, 0x64, // cmp $100, %rax
        0x75, 0xf2, // jne top
        STOP[0], STOP[1], 0xcc, 0xcc, 0xcc, // f:
        0x48, 0x01, 0x03, // add %rax, (%rbx)
        0x48, 0xff, 0xc9, // dec %rcx
        0x90, // nop
        0xc3, // ret
    ];
    let start = with(&[(3, DATA)]);
    let mut whole = Rig::new();
    let (exit, end) = whole.run(&code, &start);
    assert_eq!(exit, Exit::Hypercall { number: 100 });
    let total = whole.arch.retired(THREAD).unwrap();
    assert_eq!(total, 801);
    for step in [1, 2, 3, 5, 7, 64, 800] {
        let mut rig = Rig::new();
        rig.poke(CODE, &code);
        rig.arch.set_registers(THREAD, &start);
        let mut runs = 0;
        while rig.arch.run(THREAD, step) == Exit::Budget {
            runs += 1;
            assert_eq!(rig.arch.retired(THREAD), Some(runs * step));
        }
        assert_eq!(rig.arch.registers(THREAD), end);
        assert_eq!(rig.arch.retired(THREAD), Some(total));
        assert_eq!(rig.peek(DATA), 5050);
    }
}

#[test]
fn a_kick_is_sticky_and_consumed_once() {
    let mut rig = Rig::new();
    rig.poke(CODE, &[0xeb, 0xfe]);
    rig.arch.set_registers(THREAD, &Rig::start());
    let kick = rig.arch.kicker(THREAD);
    kick.kick();
    kick.clone().kick();
    assert_eq!(rig.arch.run(THREAD, 100), Exit::Kicked);
    assert_eq!(rig.arch.run(THREAD, 100), Exit::Budget);
    let remote = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(20));
        kick.kick();
    });
    assert_eq!(rig.arch.run(THREAD, u64::MAX), Exit::Kicked);
    remote.join().unwrap();
    rig.arch.kicker(THREAD).kick();
    rig.arch.thread_destroy(THREAD);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever bytes it is given, the machine stops with an exit, in a state that does not
    /// depend on how the run was sliced.
    #[test]
    fn random_bytes_never_panic(
        code in proptest::collection::vec(any::<u8>(), 1..60),
        general in proptest::array::uniform16(prop_oneof![
            any::<u64>(),
            (DATA..DATA + 2 * PAGE_SIZE),
            0_u64..64,
        ]),
        rflags in any::<u64>(),
        slice in 1_u64..9,
    ) {
        let registers = Registers { general, rip: CODE, rflags };
        let outcome = |slice: u64| {
            let mut rig = Rig::new();
            rig.poke(CODE, &code);
            rig.arch.set_registers(THREAD, &registers);
            let mut left = 300;
            loop {
                let budget = slice.min(left);
                let exit = rig.arch.run(THREAD, budget);
                left -= budget;
                if exit != Exit::Budget || left == 0 {
                    let data = rig.peek(DATA + 8);
                    return (exit, rig.arch.registers(THREAD), rig.arch.undefined_flags(THREAD), data);
                }
            }
        };
        prop_assert_eq!(outcome(slice), outcome(300));
    }
}
