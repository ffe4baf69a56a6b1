//! Accesses that a domain's tables allow and its guest-physical space does not.

use super::{
    Bench, CALL, CODE, CODE_WINDOW, DATA, DATA_WINDOW, KickSoon, RAX, RBX, RCX, RDI, RDX, RSI,
    code_page, data_page, refused,
};
use crate::address::{GuestPhysical, GuestVirtual, PAGE_SIZE};
use crate::arch::Arch;
use crate::exit::{Access, Exit};
use crate::paging::walk;
use crate::registers::RSP;
use crate::rights::Rights;

const READ: [u8; 2] = [0x8b, 0x13]; // mov (%rbx), %edx
const WRITE: [u8; 2] = [0x89, 0x13]; // mov %edx, (%rbx)
const JUMP: [u8; 2] = [0xff, 0xe3]; // jmp *%rbx

/// A refused access, and the registers as they were.
#[track_caller]
fn expect<A: Arch>(bench: &mut Bench<A>, code: &[u8], set: &[(usize, u64)], exit: &Exit) {
    let (_, thread) = bench.start(code, set);
    let before = bench.arch.registers(thread);
    assert_eq!(bench.run(thread), *exit, "{code:x?}");
    assert_eq!(bench.arch.registers(thread), before, "{code:x?}");
}

pub(super) fn absent_memory_refuses_every_access<A: Arch>(mut bench: Bench<A>, _: KickSoon<'_, A>) {
    let at = [(RBX, DATA_WINDOW.0 + 0x5123)];
    expect(&mut bench, &READ, &at, &refused(0x5123, Access::Read));
    expect(&mut bench, &WRITE, &at, &refused(0x5123, Access::Write));
    let (_, thread) = bench.start(&JUMP, &[(RBX, CODE_WINDOW.0 + 0x5123)]);
    let exit = Exit::Fault {
        address: GuestPhysical(code_page(5).0 + 0x123),
        from: GuestVirtual(CODE_WINDOW.0 + 0x5123),
        access: Access::Execute,
    };
    // Again and again the same.
    for _ in 0..3 {
        assert_eq!(bench.run(thread), exit);
        assert_eq!(bench.rip(thread), CODE_WINDOW.0 + 0x5123);
    }
}

pub(super) fn read_only_memory_refuses_writes_alone<A: Arch>(
    mut bench: Bench<A>,
    _: KickSoon<'_, A>,
) {
    // mov (%rbx), %edx; out %al, $0xe0; mov %edx, (%rbx)
    let code = [&READ[..], &CALL, &WRITE].concat();
    let (mut home, thread) = bench.start(&code, &[(RBX, DATA_WINDOW.0 + 0x10)]);
    let frame = bench.window_page(&mut home, 0, Rights::READ);
    bench.set_word(frame, 0x10, 77);
    bench.expect_call(thread, 0);
    assert_eq!(bench.register(thread, RDX), 77);
    let mut registers = bench.arch.registers(thread);
    registers.general[RDX] = 78;
    bench.arch.set_registers(thread, &registers);
    assert_eq!(bench.run(thread), refused(0x10, Access::Write));
    assert_eq!(bench.rip(thread), CODE.0 + 4);
    assert_eq!(bench.word(frame, 0x10), 77);
}

pub(super) fn a_fault_is_exact_to_the_byte<A: Arch>(mut bench: Bench<A>, _: KickSoon<'_, A>) {
    // mov %rdx, (%rbx) and mov (%rbx), %rdx, with either page missing
    for (code, access) in [([0x48, 0x89, 0x13], Access::Write), ([0x48, 0x8b, 0x13], Access::Read)]
    {
        for (present, offset) in [(0, 0x1000), (1, 0xffb)] {
            let (mut home, thread) =
                bench.start(&code, &[(RBX, DATA_WINDOW.0 + 0xffb), (RDX, 0x0102_0304_0506_0708)]);
            let frame = bench.window_page(&mut home, present, Rights::READ_WRITE);
            assert_eq!(bench.run(thread), refused(offset, access));
            assert_eq!(bench.rip(thread), CODE.0);
            let edge = if present == 0 { 0xff8 } else { 0 };
            assert_eq!(bench.word(frame, edge), 0, "nothing was written");
        }
    }
    // Both missing: the lower one.
    let at = [(RBX, DATA_WINDOW.0 + 0xffb)];
    expect(&mut bench, &[0x48, 0x8b, 0x13], &at, &refused(0xffb, Access::Read));
}

pub(super) fn a_fetch_across_pages_names_the_second<A: Arch>(
    mut bench: Bench<A>,
    _: KickSoon<'_, A>,
) {
    // nop; mov $imm32, %eax, of which two bytes are on the first page
    let start = CODE_WINDOW.0 + PAGE_SIZE - 3;
    let (mut home, thread) = bench.start(&JUMP, &[(RBX, start)]);
    let frame = bench.frame();
    bench.map(&mut home, code_page(0), frame, Rights::READ_EXECUTE);
    bench.arch.frame_write(frame, 0xffd, &[0x90, 0xb8, 9]);
    let exit = Exit::Fault {
        address: code_page(1),
        from: GuestVirtual(CODE_WINDOW.0 + PAGE_SIZE),
        access: Access::Execute,
    };
    assert_eq!(bench.run(thread), exit);
    assert_eq!(bench.rip(thread), start + 1);
    let next = bench.frame();
    bench.arch.frame_write(next, 0, &[0, 0, 0, 0xe6, 0xe0]);
    bench.map(&mut home, code_page(1), next, Rights::READ_EXECUTE);
    bench.expect_call(thread, 9);
}

pub(super) fn stack_accesses_are_accesses<A: Arch>(mut bench: Bench<A>, _: KickSoon<'_, A>) {
    let top = [(RSP, DATA_WINDOW.0 + 0x2000), (RBX, CODE.0)];
    let below = refused(0x1ff8, Access::Write);
    expect(&mut bench, &[0x50], &top, &below); // push %rax
    expect(&mut bench, &[0x6a, 0x05], &top, &below); // push $5
    expect(&mut bench, &[0xe8, 0, 0, 0, 0], &top, &below); // call
    expect(&mut bench, &[0xff, 0xd3], &top, &below); // call *%rbx
    expect(&mut bench, &[0x9c], &top, &below); // pushf
    let here = refused(0x2000, Access::Read);
    expect(&mut bench, &[0x58], &top, &here); // pop %rax
    expect(&mut bench, &[0xc3], &top, &here); // ret
    let frame = [(5, DATA_WINDOW.0 + 0x2000)];
    expect(&mut bench, &[0xc9], &frame, &here); // leave, through RBP
}

pub(super) fn addresses_come_from_the_whole_instruction<A: Arch>(
    mut bench: Bench<A>,
    _: KickSoon<'_, A>,
) {
    let set = [(RBX, DATA_WINDOW.0), (RCX, 0x10), (RDX, 0x10_0000)];
    let read = |offset| refused(offset, Access::Read);
    // mov 0x1234(%rbx,%rcx,8), %eax
    expect(&mut bench, &[0x8b, 0x84, 0xcb, 0x34, 0x12, 0, 0], &set, &read(0x12b4));
    // mov 0x40000010, %eax
    expect(&mut bench, &[0x8b, 0x04, 0x25, 0x10, 0, 0, 0x40], &set, &read(0x10));
    // mov 0x30001000(%rip), %eax: RIP is the next instruction's
    let relative = [0x8b, 0x05, 0x00, 0x10, 0, 0x30];
    expect(&mut bench, &relative, &set, &read(0x1006));
    // mov (%ebx), %eax with the upper half of RBX set
    let high = [(RBX, 0xffff_ffff_0000_0000 | DATA_WINDOW.0)];
    expect(&mut bench, &[0x67, 0x8b, 0x03], &high, &read(0));
    // mov %gs:(%rdi), %eax
    let home = bench.home(&[0x65, 0x8b, 0x07]);
    let base = home.system.gs_base.0;
    let thread = bench.thread(&home, &[(RDI, (DATA_WINDOW.0 + 0x88).wrapping_sub(base))]);
    assert_eq!(bench.run(thread), read(0x88));
    // bts %rdx, (%rbx): bit 0x10_0000 is 0x2_0000 bytes on
    expect(&mut bench, &[0x48, 0x0f, 0xab, 0x13], &set, &refused(0x2_0000, Access::Write));
}

pub(super) fn read_modify_write_is_a_write<A: Arch>(mut bench: Bench<A>, _: KickSoon<'_, A>) {
    let cases: [&[u8]; 7] = [
        &[0x01, 0x13],             // add %edx, (%rbx)
        &[0xff, 0x03],             // incl (%rbx)
        &[0x87, 0x13],             // xchg %edx, (%rbx)
        &[0xf0, 0x0f, 0xc1, 0x13], // lock xadd %edx, (%rbx)
        &[0xf0, 0x0f, 0xb1, 0x13], // lock cmpxchg %edx, (%rbx)
        &[0xc1, 0x23, 0x03],       // shll $3, (%rbx)
        &[0xf7, 0x13],             // notl (%rbx)
    ];
    for code in cases {
        let exit = refused(0x20, Access::Write);
        expect(&mut bench, code, &[(RBX, DATA_WINDOW.0 + 0x20)], &exit);
        let (mut home, thread) = bench.start(code, &[(RBX, DATA_WINDOW.0 + 0x20)]);
        bench.window_page(&mut home, 0, Rights::READ);
        assert_eq!(bench.run(thread), exit, "{code:x?}");
    }
    // A comparison is not one: cmp %edx, (%rbx)
    let exit = refused(0x20, Access::Read);
    expect(&mut bench, &[0x39, 0x13], &[(RBX, DATA_WINDOW.0 + 0x20)], &exit);
}

pub(super) fn sources_come_before_destinations<A: Arch>(mut bench: Bench<A>, _: KickSoon<'_, A>) {
    let set = [(RSI, DATA_WINDOW.0 + 0x3008), (RDI, DATA_WINDOW.0 + 0x1008)];
    expect(&mut bench, &[0x48, 0xa5], &set, &refused(0x3008, Access::Read)); // movsq
    let set = [(RBX, DATA_WINDOW.0 + 0x3008), (RSP, DATA_WINDOW.0 + 0x1008)];
    expect(&mut bench, &[0xff, 0x33], &set, &refused(0x3008, Access::Read)); // push (%rbx)
    expect(&mut bench, &[0xff, 0x13], &set, &refused(0x3008, Access::Read)); // call *(%rbx)
    expect(&mut bench, &[0x8f, 0x03], &set, &refused(0x1008, Access::Read)); // pop (%rbx)
    // With the source there, the destination is refused.
    for (code, source, set, offset) in [
        (&[0x48, 0xa5], 3, [(RSI, 0x3008), (RDI, 0x1008)], 0x1008),
        (&[0xff, 0x33], 3, [(RBX, 0x3008), (RSP, 0x1008)], 0x1000),
        (&[0x8f, 0x03], 1, [(RBX, 0x3008), (RSP, 0x1008)], 0x3008),
    ] {
        let set = set.map(|(register, offset)| (register, DATA_WINDOW.0 + offset));
        let (mut home, thread) = bench.start(code, &set);
        bench.window_page(&mut home, source, Rights::READ);
        let before = bench.arch.registers(thread);
        assert_eq!(bench.run(thread), refused(offset, Access::Write), "{code:x?}");
        assert_eq!(bench.arch.registers(thread), before, "{code:x?}");
    }
}

pub(super) fn string_instructions_stop_between_iterations<A: Arch>(
    mut bench: Bench<A>,
    _: KickSoon<'_, A>,
) {
    // rep movsb; out %al, $0xe0
    let set = [(RSI, DATA.0), (RDI, DATA_WINDOW.0 + 0xff0), (RCX, 0x20)];
    let (mut home, thread) = bench.start(&[0xf3, 0xa4, 0xe6, 0xe0], &set);
    let source = bench.behind(&home, DATA);
    bench.arch.frame_write(source, 0, &[0x5a; 0x20]);
    let first = bench.window_page(&mut home, 0, Rights::READ_WRITE);
    assert_eq!(bench.run(thread), refused(0x1000, Access::Write));
    let registers = bench.arch.registers(thread);
    let [rsi, rdi, rcx] = [RSI, RDI, RCX].map(|register| registers.general[register]);
    assert_eq!((rsi, rdi, rcx), (DATA.0 + 0x10, DATA_WINDOW.0 + 0x1000, 0x10));
    assert_eq!(registers.rip, CODE.0);
    assert_eq!(bench.word(first, 0xff8), 0x5a5a_5a5a_5a5a_5a5a);
    let second = bench.window_page(&mut home, 1, Rights::READ_WRITE);
    bench.expect_call(thread, 0);
    assert_eq!(bench.word(second, 8), 0x5a5a_5a5a_5a5a_5a5a);
    assert_eq!(bench.word(second, 16), 0);
    // std; rep stosq, downwards into a page that can only be read
    let set = [(RAX, 7), (RDI, DATA_WINDOW.0 + 0x1008), (RCX, 5)];
    let (mut home, thread) = bench.start(&[0xfd, 0xf3, 0x48, 0xab], &set);
    bench.window_page(&mut home, 0, Rights::READ);
    let upper = bench.window_page(&mut home, 1, Rights::READ_WRITE);
    assert_eq!(bench.run(thread), refused(0xff8, Access::Write));
    let registers = bench.arch.registers(thread);
    assert_eq!(registers.general[RCX], 3);
    assert_eq!(registers.general[RDI], DATA_WINDOW.0 + 0xff8);
    assert_eq!([bench.word(upper, 0), bench.word(upper, 8)], [7, 7]);
    // repne scasb through zeros into nothing
    let set = [(RAX, 1), (RDI, DATA_WINDOW.0 + 0xffe), (RCX, 9)];
    let (mut home, thread) = bench.start(&[0xf2, 0xae], &set);
    bench.window_page(&mut home, 0, Rights::READ);
    assert_eq!(bench.run(thread), refused(0x1000, Access::Read));
    assert_eq!(bench.register(thread, RCX), 7);
}

pub(super) fn a_count_of_zero_accesses_nothing<A: Arch>(mut bench: Bench<A>, _: KickSoon<'_, A>) {
    let set = [(RSI, DATA_WINDOW.0), (RDI, DATA_WINDOW.0), (RCX, 0), (RAX, 2)];
    let (_, thread) = bench.start(&[0xf3, 0xa4, 0xe6, 0xe0], &set);
    bench.expect_call(thread, 2);
}

pub(super) fn after_a_fault_the_same_instruction_can_succeed<A: Arch>(
    mut bench: Bench<A>,
    _: KickSoon<'_, A>,
) {
    // add %edx, (%rbx); out %al, $0xe0
    let set = [(RBX, DATA_WINDOW.0 + 8), (RDX, 5)];
    let (mut home, thread) = bench.start(&[0x01, 0x13, 0xe6, 0xe0], &set);
    assert_eq!(bench.run(thread), refused(8, Access::Write));
    let frame = bench.window_page(&mut home, 0, Rights::READ);
    bench.set_word(frame, 8, 37);
    assert_eq!(bench.run(thread), refused(8, Access::Write));
    bench.map(&mut home, data_page(0), frame, Rights::READ_WRITE);
    bench.expect_call(thread, 0);
    assert_eq!(bench.word(frame, 8), 42);
}

pub(super) fn a_missing_page_table_is_a_fault_on_the_table<A: Arch>(
    mut bench: Bench<A>,
    _: KickSoon<'_, A>,
) {
    let mut home = bench.home(&READ);
    // The entry that leads to the data window, and its table.
    let from = GuestVirtual(DATA_WINDOW.0 + 0x20_0123);
    let mut entries = alloc::vec::Vec::new();
    let found = walk(home.system.page_table_root, from, |at| {
        entries.push(at);
        Some(bench.word(home.pages[&at.page()], at.page_offset()))
    });
    found.expect("the window is mapped");
    let entry = entries[2];
    bench.arch.unmap(home.id, entry.page());
    home.pages.remove(&entry.page());
    let thread = bench.thread(&home, &[(RBX, from.0)]);
    let exit = Exit::Fault { address: entry, from, access: Access::Read };
    assert_eq!(bench.run(thread), exit);
    assert_eq!(bench.rip(thread), CODE.0);
}

pub(super) fn page_tables_rank_above_mappings<A: Arch>(mut bench: Bench<A>, _: KickSoon<'_, A>) {
    // Nothing is mapped behind either, and the tables refuse the access first.
    for (code, address, error) in
        [(WRITE, CODE_WINDOW.0 + 0x5000, 7), (JUMP, DATA_WINDOW.0 + 0x5000, 0x15)]
    {
        let (_, thread) = bench.start(&code, &[(RBX, address)]);
        let address = Some(GuestVirtual(address));
        let exit = Exit::Exception { vector: 14, code: error, address };
        assert_eq!(bench.run(thread), exit);
    }
}
