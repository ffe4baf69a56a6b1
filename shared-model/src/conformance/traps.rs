//! Exceptions: what the processor raises by itself, and what the tables make it raise.

use super::{
    Bench, CODE, CODE_WINDOW, CONSTANT, DATA, DATA_WINDOW, KickSoon, NOWHERE, RAX, RBX, RCX,
    exception,
};
use crate::address::{GuestVirtual, PAGE_SIZE};
use crate::arch::Arch;
use crate::exit::Exit;
use crate::registers::{CF, DF, FLAGS_INITIAL, RSP};

const NOT_CANONICAL: u64 = 0x8000_0000_0000_0000;

fn page_fault(code: u32, address: u64) -> Exit {
    Exit::Exception { vector: 14, code, address: Some(GuestVirtual(address)) }
}

pub(super) fn every_exception_has_its_vector_code_and_place<A: Arch>(
    mut bench: Bench<A>,
    _: KickSoon<'_, A>,
) {
    // Each with RBX not canonical, RCX zero, RAX at misaligned data.
    let cases: [(u8, &[u8]); 14] = [
        (0, &[0xf7, 0xf1]),                   // div %ecx
        (6, &[0x0f, 0x0b]),                   // ud2
        (13, &[0x8b, 0x13]),                  // mov (%rbx), %edx
        (13, &[0x89, 0x13]),                  // mov %edx, (%rbx)
        (13, &[0xff, 0xe3]),                  // jmp *%rbx
        (13, &[0xff, 0xd3]),                  // call *%rbx
        (12, &[0x48, 0x8b, 0x54, 0x1c, 0x0]), // mov (%rsp,%rbx), %rdx
        (13, &[0xf4]),                        // hlt
        (13, &[0xfa]),                        // cli
        (13, &[0xfb]),                        // sti
        (13, &[0x0f, 0x20, 0xd8]),            // mov %cr3, %rax
        (13, &[0x0f, 0x32]),                  // rdmsr
        (13, &[0x48, 0x0f, 0xc7, 0x08]),      // cmpxchg16b (%rax)
        (13, &[0x0f, 0x01, 0x10]),            // lgdt (%rax)
    ];
    for (vector, code) in cases {
        let set = [(RAX, DATA.0 + 1), (RBX, NOT_CANONICAL), (RCX, 0)];
        let (_, thread) = bench.start(code, &set);
        let before = bench.arch.registers(thread);
        assert_eq!(bench.run(thread), exception(vector, 0), "{code:x?}");
        assert_eq!(bench.arch.registers(thread).general, before.general, "{code:x?}");
        assert_eq!(bench.rip(thread), CODE.0, "{code:x?}");
    }
    // push %rax with such a stack pointer
    let (_, thread) = bench.start(&[0x50], &[(RSP, NOT_CANONICAL)]);
    assert_eq!(bench.run(thread), exception(12, 0));
    assert_eq!(bench.register(thread, RSP), NOT_CANONICAL);
}

pub(super) fn a_breakpoint_stops_after_itself<A: Arch>(mut bench: Bench<A>, _: KickSoon<'_, A>) {
    // int3; out %al, $0xe0
    let (home, thread) = bench.start(&[0xcc, 0xe6, 0xe0], &[(RAX, 6)]);
    assert_eq!(bench.run(thread), exception(3, 0));
    assert_eq!(bench.rip(thread), CODE.0 + 1);
    assert_eq!(bench.register(thread, RSP), home.stack_top());
    bench.expect_call(thread, 6);
}

pub(super) fn page_faults_say_what_was_attempted<A: Arch>(mut bench: Bench<A>, _: KickSoon<'_, A>) {
    let (read, write, jump): (&[u8], &[u8], &[u8]) = (&[0x8b, 0x13], &[0x89, 0x13], &[0xff, 0xe3]);
    let upper = 0xffff_8000_0000_1000;
    let cases = [
        (read, NOWHERE.0 + 0x123, 4),
        (write, NOWHERE.0 + 0x123, 6),
        (jump, NOWHERE.0 + 0x123, 0x14),
        (write, CONSTANT.0 + 8, 7),
        (write, CODE.0 + 0x800, 7),
        (jump, DATA.0 + 16, 0x15),
        (jump, DATA_WINDOW.0 + 16, 0x15),
        (write, CODE_WINDOW.0 + 16, 7),
        (read, upper, 4),
        (write, upper, 6),
        (jump, upper, 0x14),
    ];
    for (code, address, error) in cases {
        let (_, thread) = bench.start(code, &[(RBX, address)]);
        assert_eq!(bench.run(thread), page_fault(error, address), "{code:x?} {address:#x}");
        let at = if code == jump { address } else { CODE.0 };
        assert_eq!(bench.rip(thread), at, "{code:x?} {address:#x}");
    }
}

pub(super) fn a_page_fault_across_pages_names_the_second<A: Arch>(
    mut bench: Bench<A>,
    _: KickSoon<'_, A>,
) {
    let end = DATA.0 + 2 * PAGE_SIZE;
    // mov %rdx, (%rbx)
    let (home, thread) = bench.start(&[0x48, 0x89, 0x13], &[(RBX, end - 4), (2, !0)]);
    assert_eq!(bench.run(thread), page_fault(6, end));
    let last = bench.behind(&home, GuestVirtual(end - 8));
    assert_eq!(bench.word(last, 0xff8), 0, "nothing was written");
    // The code ends in the middle of an instruction: mov $imm32, %eax
    let end = CODE.0 + 2 * PAGE_SIZE;
    let (home, thread) = bench.start(&[], &[]);
    let last = bench.behind(&home, GuestVirtual(end - 8));
    bench.arch.frame_write(last, 0xffe, &[0xb8, 1]);
    bench.go_to(thread, end - 2);
    assert_eq!(bench.run(thread), page_fault(0x14, end));
    assert_eq!(bench.rip(thread), end - 2);
}

pub(super) fn an_exception_keeps_registers_and_flags<A: Arch>(
    mut bench: Bench<A>,
    _: KickSoon<'_, A>,
) {
    // stc; std; ud2
    let (_, thread) = bench.start(&[0xf9, 0xfd, 0x0f, 0x0b], &[]);
    let mut registers = bench.arch.registers(thread);
    for (i, value) in (1..).zip(&mut registers.general) {
        *value = i * 0x0123_4567_89ab_cdef;
    }
    bench.arch.set_registers(thread, &registers);
    assert_eq!(bench.run(thread), exception(6, 0));
    registers.rip += 2;
    registers.rflags = FLAGS_INITIAL | CF | DF;
    assert_eq!(bench.arch.registers(thread), registers);
    // It stays where it is until somebody moves it.
    assert_eq!(bench.run(thread), exception(6, 0));
    assert_eq!(bench.arch.registers(thread), registers);
}

pub(super) fn an_exception_leaves_a_clean_stack_page<A: Arch>(
    mut bench: Bench<A>,
    _: KickSoon<'_, A>,
) {
    let causes: [(&[u8], Exit); 3] = [
        (&[0x0f, 0x0b], exception(6, 0)),
        (&[0xf4], exception(13, 0)),
        (&[0x8b, 0x13], page_fault(4, NOWHERE.0)),
    ];
    for (code, exit) in causes {
        let (home, thread) = bench.start(code, &[(RBX, NOWHERE.0)]);
        let stack = bench.behind(&home, home.places.exception_stack());
        bench.set_word(stack, 0xfc8, 0x1111);
        bench.set_word(stack, 0xfd0, 0x2222);
        assert_eq!(bench.run(thread), exit);
        let words: [u64; 7] = core::array::from_fn(|i| bench.word(stack, 0xfc8 + 8 * i));
        assert_eq!(words, [0x1111, 0, 0, 0, 0, 0, 0], "{code:x?}");
    }
}

pub(super) fn a_thread_goes_on_after_its_cause_is_skipped<A: Arch>(
    mut bench: Bench<A>,
    _: KickSoon<'_, A>,
) {
    // ud2; hlt; mov (%rbx), %edx; out %al, $0xe0
    let code = [0x0f, 0x0b, 0xf4, 0x8b, 0x13, 0xe6, 0xe0];
    let (_, thread) = bench.start(&code, &[(RAX, 4), (RBX, NOWHERE.0)]);
    let steps =
        [(0, 2, exception(6, 0)), (2, 3, exception(13, 0)), (3, 5, page_fault(4, NOWHERE.0))];
    for (at, next, exit) in steps {
        assert_eq!(bench.run(thread), exit);
        assert_eq!(bench.rip(thread), CODE.0 + at);
        bench.go_to(thread, CODE.0 + next);
    }
    bench.expect_call(thread, 4);
}

pub(super) fn an_exception_without_a_working_table_is_a_shutdown<A: Arch>(
    mut bench: Bench<A>,
    _: KickSoon<'_, A>,
) {
    let mut home = bench.home(&[0x0f, 0x0b]);
    home.system.idt = NOWHERE;
    let thread = bench.thread(&home, &[]);
    assert_eq!(bench.run(thread), Exit::Shutdown);
}
