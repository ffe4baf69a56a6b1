//! Registers, hypercalls, gates, ports, kicks and the lives of threads.

use super::{Bench, CALL, CODE, KickSoon, RAX, RBX, RCX, RDX, exception};
use crate::abi::{EXCEPTION_PORT, HYPERCALL_PORT, RETURN_PORT};
use crate::arch::{Arch, Kick, ThreadId};
use crate::boot::{GATE_STRIDE, RETURN_GATE};
use crate::exit::Exit;
use crate::registers::{FLAGS_INITIAL, FLAGS_VISIBLE, RSP, Registers};

pub(super) fn registers_are_what_was_set_and_flags_only_the_visible_ones<A: Arch>(
    mut bench: Bench<A>,
    _: KickSoon<'_, A>,
) {
    let (home, thread) = bench.start(&CALL, &[]);
    let mut registers = Registers { rip: CODE.0, rflags: !0, ..Registers::default() };
    for (i, value) in (1..).zip(&mut registers.general) {
        *value = 0x1111_1111_1111_1111_u64.wrapping_mul(i);
    }
    bench.arch.set_registers(thread, &registers);
    registers.rflags = FLAGS_INITIAL | FLAGS_VISIBLE;
    assert_eq!(bench.arch.registers(thread), registers);
    bench.expect_call(thread, 0x11);
    registers.rip += 2;
    assert_eq!(bench.arch.registers(thread), registers);
    let fresh = ThreadId(1000);
    bench.arch.thread_create(fresh, home.id, &home.system).expect("a thread");
    let initial = Registers { rflags: FLAGS_INITIAL, ..Registers::default() };
    assert_eq!(bench.arch.registers(fresh), initial);
}

pub(super) fn a_hypercall_carries_the_width_that_was_written<A: Arch>(
    mut bench: Bench<A>,
    _: KickSoon<'_, A>,
) {
    // out %al; out %ax; out %eax, $0xe0; out %al; out %ax; out %eax, %dx
    let code = [0xe6, 0xe0, 0x66, 0xe7, 0xe0, 0xe7, 0xe0, 0xee, 0x66, 0xef, 0xef];
    let set = [(RAX, 0xffff_ffff_1234_5678), (RDX, HYPERCALL_PORT.into())];
    let (_, thread) = bench.start(&code, &set);
    for number in [0x78, 0x5678, 0x1234_5678, 0x78, 0x5678, 0x1234_5678] {
        bench.expect_call(thread, number);
    }
    assert_eq!(bench.rip(thread), CODE.0 + code.len() as u64);
}

pub(super) fn a_hypercall_changes_nothing_but_rip<A: Arch>(
    mut bench: Bench<A>,
    _: KickSoon<'_, A>,
) {
    // stc; std; 1: out %al, $0xe0; inc %rbx; jmp 1b
    let code = [0xf9, 0xfd, 0xe6, 0xe0, 0x48, 0xff, 0xc3, 0xeb, 0xf9];
    let (home, thread) = bench.start(&code, &[(RAX, 7), (RBX, 1)]);
    for turn in 1..100 {
        bench.expect_call(thread, 7);
        // Not looking must be as good as looking.
        if turn % 3 == 0 {
            let registers = bench.arch.registers(thread);
            assert_eq!(registers.rip, CODE.0 + 4);
            assert_eq!(registers.general[RBX], turn);
            assert_eq!(registers.general[RSP], home.stack_top());
            let direction = registers.rflags & 1 << 10;
            assert_ne!(direction, 0, "{:#x}", registers.rflags);
        }
    }
}

pub(super) fn the_return_gate_returns<A: Arch>(mut bench: Bench<A>, _: KickSoon<'_, A>) {
    // mov $42, %eax; ret
    let (home, thread) = bench.start(&[0xb8, 42, 0, 0, 0, 0xc3], &[]);
    let gate = home.system.gates.0 + RETURN_GATE;
    let mut registers = bench.arch.registers(thread);
    registers.general[RSP] -= 8;
    bench.arch.set_registers(thread, &registers);
    let stack = bench.behind(&home, home.places.stack());
    bench.set_word(stack, 0xff8, gate);
    assert_eq!(bench.run(thread), Exit::Return);
    let registers = bench.arch.registers(thread);
    assert_eq!((registers.general[RAX], registers.rip), (42, gate + 2));
    assert_eq!(registers.general[RSP], home.stack_top());
    bench.go_to(thread, gate);
    assert_eq!(bench.run(thread), Exit::Return);
}

pub(super) fn gate_ports_from_elsewhere_are_port_exits<A: Arch>(
    mut bench: Bench<A>,
    _: KickSoon<'_, A>,
) {
    for port in [RETURN_PORT, EXCEPTION_PORT, EXCEPTION_PORT + 14, HYPERCALL_PORT + 1] {
        let (_, thread) = bench.start(&[0xe6, port as u8, 0xe6, 0xe0], &[]);
        assert_eq!(bench.run(thread), Exit::Port { port });
        assert_eq!(bench.rip(thread), CODE.0 + 2);
        bench.expect_call(thread, 0);
    }
}

pub(super) fn a_jump_to_a_gate_is_a_port_exit<A: Arch>(mut bench: Bench<A>, _: KickSoon<'_, A>) {
    for vector in [0, 6, 13, 14] {
        // jmp *%rbx
        let (home, thread) = bench.start(&[0xff, 0xe3], &[]);
        let gate = home.system.gates.0 + GATE_STRIDE * u64::from(vector);
        let mut registers = bench.arch.registers(thread);
        registers.general[RBX] = gate;
        bench.arch.set_registers(thread, &registers);
        assert_eq!(bench.run(thread), Exit::Port { port: EXCEPTION_PORT + vector });
        registers.rip = gate + 2;
        registers.rflags = FLAGS_INITIAL;
        assert_eq!(bench.arch.registers(thread), registers);
    }
}

pub(super) fn in_reads_ones_and_is_a_port_exit<A: Arch>(mut bench: Bench<A>, _: KickSoon<'_, A>) {
    // in $0xe0, %al; in $0xe0, %eax; then a hypercall
    let (_, thread) = bench.start(&[0xe4, 0xe0, 0xe5, 0xe0, 0xe6, 0xe0], &[]);
    for (offset, rax) in [(2, 0xff), (4, 0xffff_ffff)] {
        assert_eq!(bench.run(thread), Exit::Port { port: HYPERCALL_PORT });
        let registers = bench.arch.registers(thread);
        assert_eq!((registers.rip, registers.general[RAX]), (CODE.0 + offset, rax));
    }
    bench.expect_call(thread, 0xff);
    // The same without looking at the registers in between.
    bench.go_to(thread, CODE.0);
    for _ in 0..2 {
        assert_eq!(bench.run(thread), Exit::Port { port: HYPERCALL_PORT });
    }
    bench.expect_call(thread, 0xff);
}

pub(super) fn ports_outside_the_bitmap_are_protection_faults<A: Arch>(
    mut bench: Bench<A>,
    _: KickSoon<'_, A>,
) {
    let accesses: [&[u8]; 7] = [
        &[0xe6, 0x80],                     // out %al, $0x80
        &[0xe6, EXCEPTION_PORT as u8 - 1], // out %al
        &[0xe7, RETURN_PORT as u8],        // out %eax: the three ports after it, too
        &[0xe4, 0x80],                     // in $0x80, %al
        &[0xee],                           // out %al, %dx: port 0x1234
        &[0xed],                           // in %dx, %eax
        &[0x66, 0xef],                     // out %ax, %dx
    ];
    for code in accesses {
        let (_, thread) = bench.start(code, &[(RAX, 5), (RDX, 0x1234)]);
        assert_eq!(bench.run(thread), exception(13, 0), "{code:x?}");
        let registers = bench.arch.registers(thread);
        assert_eq!((registers.rip, registers.general[RAX]), (CODE.0, 5), "{code:x?}");
    }
}

pub(super) fn gs_points_to_the_thread_area_and_fs_to_zero<A: Arch>(
    mut bench: Bench<A>,
    _: KickSoon<'_, A>,
) {
    // mov %gs:0x28, %rax; mov %fs:0x28, %rbx; out %al, $0xe0
    let code = [
        0x65, 0x48, 0x8b, 0x04, 0x25, 0x28, 0, 0, 0, 0x64, 0x48, 0x8b, 0x1c, 0x25, 0x28, 0, 0, 0,
        0xe6, 0xe0,
    ];
    let (home, thread) = bench.start(&code, &[]);
    let area = bench.behind(&home, home.places.area());
    bench.set_word(area, 0x28, 0x6c63_645f_7761_6c01);
    let first = bench.behind(&home, super::FIRST);
    bench.set_word(first, 0x28, 0x1234);
    bench.expect_call(thread, 1);
    assert_eq!(bench.register(thread, RAX), 0x6c63_645f_7761_6c01);
    assert_eq!(bench.register(thread, RBX), 0x1234);
}

pub(super) fn threads_have_their_own_registers<A: Arch>(mut bench: Bench<A>, _: KickSoon<'_, A>) {
    // 1: inc %rax; inc %rcx; out %al, $0xe0; jmp 1b
    let code = [0x48, 0xff, 0xc0, 0x48, 0xff, 0xc1, 0xe6, 0xe0, 0xeb, 0xf6];
    let (home, one) = bench.start(&code, &[(RCX, 100)]);
    let two = bench.thread(&home, &[(RAX, 50), (RCX, 200)]);
    for turn in 1..10 {
        bench.expect_call(one, turn);
        bench.expect_call(two, turn + 50);
    }
    assert_eq!((bench.register(one, RCX), bench.register(two, RCX)), (109, 209));
}

/// 1: inc %rbx; jmp 1b
const SPIN: [u8; 5] = [0x48, 0xff, 0xc3, 0xeb, 0xfb];

pub(super) fn a_kick_before_a_run_ends_it_at_once_and_once<A: Arch>(
    mut bench: Bench<A>,
    _: KickSoon<'_, A>,
) {
    let (_, thread) = bench.start(&CALL, &[(RAX, 3)]);
    let before = bench.arch.registers(thread);
    bench.arch.kicker(thread).kick();
    assert_eq!(bench.run(thread), Exit::Kicked);
    assert_eq!(bench.arch.registers(thread), before);
    bench.expect_call(thread, 3);
}

pub(super) fn many_kicks_are_one<A: Arch>(mut bench: Bench<A>, _: KickSoon<'_, A>) {
    let (home, thread) = bench.start(&CALL, &[(RAX, 3)]);
    let other = bench.thread(&home, &[(RAX, 4)]);
    let kick = bench.arch.kicker(thread);
    for _ in 0..5 {
        kick.kick();
        kick.clone().kick();
    }
    bench.expect_call(other, 4);
    assert_eq!(bench.run(thread), Exit::Kicked);
    bench.expect_call(thread, 3);
}

pub(super) fn a_kick_ends_a_spin_and_the_thread_goes_on_after_it<A: Arch>(
    mut bench: Bench<A>,
    kick_soon: KickSoon<'_, A>,
) {
    let code = [&SPIN[..], &CALL].concat();
    let (_, thread) = bench.start(&code, &[(RAX, 9)]);
    for _ in 0..5 {
        kick_soon(bench.arch.kicker(thread));
        assert_eq!(bench.run(thread), Exit::Kicked);
        let rip = bench.rip(thread);
        assert!(rip == CODE.0 || rip == CODE.0 + 3, "{rip:#x}");
    }
    bench.go_to(thread, CODE.0 + 5);
    bench.expect_call(thread, 9);
}

pub(super) fn a_kick_handle_may_outlive_its_thread<A: Arch>(
    mut bench: Bench<A>,
    _: KickSoon<'_, A>,
) {
    let (home, thread) = bench.start(&CALL, &[]);
    let kick = bench.arch.kicker(thread);
    bench.arch.thread_destroy(thread);
    kick.kick();
    let next = bench.thread(&home, &[(RAX, 8)]);
    kick.kick();
    bench.expect_call(next, 8);
    bench.arch.thread_destroy(next);
    bench.arch.domain_destroy(home.id);
    drop(bench);
    kick.kick();
}

pub(super) fn a_thread_may_be_replaced_many_times<A: Arch>(
    mut bench: Bench<A>,
    _: KickSoon<'_, A>,
) {
    let home = bench.home(&CALL);
    for number in 0..100 {
        let thread = bench.thread(&home, &[(RAX, number)]);
        bench.expect_call(thread, number as u32);
        bench.arch.thread_destroy(thread);
    }
}
