//! Frames and mappings: zero at birth, effective at once, one memory under many names.

use super::{
    Bench, CALL, CODE, CODE_WINDOW, DATA_WINDOW, KickSoon, LAST, RAX, RBX, RDX, code_page,
    data_page, refused,
};
use crate::address::{Frame, GuestPhysical, GuestVirtual, PAGE_SIZE};
use crate::arch::Arch;
use crate::exit::{Access, Exit};
use crate::rights::Rights;

/// 1: mov (%rbx), %eax; out %al, $0xe0; jmp 1b
const READ_LOOP: [u8; 6] = [0x8b, 0x03, 0xe6, 0xe0, 0xeb, 0xfa];
/// 1: mov %edx, (%rbx); inc %edx; out %al, $0xe0; jmp 1b
const WRITE_LOOP: [u8; 8] = [0x89, 0x13, 0xff, 0xc2, 0xe6, 0xe0, 0xeb, 0xf8];

pub(super) fn frames_are_zero_and_separate<A: Arch>(mut bench: Bench<A>, _: KickSoon<'_, A>) {
    let frames: [Frame; 8] = core::array::from_fn(|_| bench.frame());
    for (i, &frame) in (1..).zip(&frames) {
        let mut bytes = [1; PAGE_SIZE as usize];
        bench.arch.frame_read(frame, 0, &mut bytes);
        assert!(bytes.iter().all(|&byte| byte == 0), "{frame}");
        bench.set_word(frame, 0, i);
        bench.set_word(frame, 0xff8, !i);
    }
    for (i, &frame) in (1..).zip(&frames) {
        assert_eq!((bench.word(frame, 0), bench.word(frame, 0xff8)), (i, !i));
    }
    let mut odd = [0; 3];
    bench.arch.frame_write(frames[0], 0xffd, &[7, 8, 9]);
    bench.arch.frame_read(frames[0], 0xffd, &mut odd);
    assert_eq!(odd, [7, 8, 9]);
}

pub(super) fn a_freed_frame_comes_back_zero<A: Arch>(mut bench: Bench<A>, _: KickSoon<'_, A>) {
    let frame = bench.frame();
    for _ in 0..3 {
        bench.set_word(frame, 0x800, !0);
        bench.arch.frame_free(frame);
        bench.arch.frame_allocate(frame).expect("a frame");
        assert_eq!(bench.word(frame, 0x800), 0);
    }
    // Also when a guest wrote it.
    let (home, thread) = bench.start(&WRITE_LOOP, &[(RBX, DATA_WINDOW.0), (RDX, !0)]);
    bench.arch.map(home.id, data_page(0), frame, Rights::READ_WRITE).expect("a mapping");
    bench.expect_call(thread, 0);
    assert_eq!(bench.word(frame, 0), 0xffff_ffff);
    bench.arch.unmap(home.id, data_page(0));
    bench.arch.frame_free(frame);
    bench.arch.frame_allocate(frame).expect("a frame");
    assert_eq!(bench.word(frame, 0), 0);
}

pub(super) fn a_new_domain_has_nothing_mapped<A: Arch>(mut bench: Bench<A>, _: KickSoon<'_, A>) {
    let set = [(RBX, DATA_WINDOW.0)];
    let (mut home, thread) = bench.start(&READ_LOOP, &set);
    bench.window_page(&mut home, 0, Rights::READ);
    bench.expect_call(thread, 0);
    bench.arch.thread_destroy(thread);
    bench.arch.domain_destroy(home.id);
    let (_, thread) = bench.start(&READ_LOOP, &set);
    assert_eq!(bench.run(thread), refused(0, Access::Read));
}

pub(super) fn map_unmap_and_remap_take_effect_at_once<A: Arch>(
    mut bench: Bench<A>,
    _: KickSoon<'_, A>,
) {
    let (mut home, thread) = bench.start(&READ_LOOP, &[(RBX, DATA_WINDOW.0 + 0x3010)]);
    let frames = [bench.frame(), bench.frame()];
    bench.set_word(frames[0], 0x10, 0x5a);
    bench.set_word(frames[1], 0x10, 0xa5);
    for _ in 0..20 {
        assert_eq!(bench.run(thread), refused(0x3010, Access::Read));
        for (frame, value) in frames.into_iter().zip([0x5a, 0xa5]) {
            bench.map(&mut home, data_page(3), frame, Rights::READ);
            bench.expect_call(thread, value);
            bench.expect_call(thread, value);
        }
        bench.arch.unmap(home.id, data_page(3));
        // Nothing there: nothing happens.
        bench.arch.unmap(home.id, data_page(3));
    }
    // Neighbours in the same large page do not notice.
    bench.map(&mut home, data_page(3), frames[0], Rights::READ);
    bench.map(&mut home, data_page(2), frames[1], Rights::READ);
    bench.expect_call(thread, 0x5a);
    bench.arch.unmap(home.id, data_page(2));
    bench.expect_call(thread, 0x5a);
}

pub(super) fn rights_taken_away_take_effect_at_once<A: Arch>(
    mut bench: Bench<A>,
    _: KickSoon<'_, A>,
) {
    let (mut home, thread) = bench.start(&WRITE_LOOP, &[(RBX, DATA_WINDOW.0)]);
    let frame = bench.window_page(&mut home, 0, Rights::READ_WRITE);
    for turn in 0..20 {
        bench.expect_call(thread, 0);
        assert_eq!(bench.word(frame, 0), turn);
        bench.map(&mut home, data_page(0), frame, Rights::READ);
        assert_eq!(bench.run(thread), refused(0, Access::Write));
        assert_eq!(bench.word(frame, 0), turn);
        bench.map(&mut home, data_page(0), frame, Rights::READ_WRITE);
    }
}

pub(super) fn code_taken_away_takes_effect_at_once<A: Arch>(
    mut bench: Bench<A>,
    _: KickSoon<'_, A>,
) {
    // 1: call *%rbx; out %al, $0xe0; jmp 1b
    let code = [0xff, 0xd3, 0xe6, 0xe0, 0xeb, 0xfa];
    let (mut home, thread) = bench.start(&code, &[(RBX, CODE_WINDOW.0)]);
    let frames = [bench.frame(), bench.frame()];
    // mov $imm32, %eax; ret
    bench.arch.frame_write(frames[0], 0, &[0xb8, 1, 0, 0, 0, 0xc3]);
    bench.arch.frame_write(frames[1], 0, &[0xb8, 2, 0, 0, 0, 0xc3]);
    for _ in 0..5 {
        for (frame, value) in frames.into_iter().zip([1, 2]) {
            bench.map(&mut home, code_page(0), frame, Rights::READ_EXECUTE);
            bench.expect_call(thread, value);
            bench.expect_call(thread, value);
        }
        bench.arch.unmap(home.id, code_page(0));
        let exit =
            Exit::Fault { address: code_page(0), from: CODE_WINDOW, access: Access::Execute };
        assert_eq!(bench.run(thread), exit);
    }
}

pub(super) fn one_frame_in_two_places_is_one_memory<A: Arch>(
    mut bench: Bench<A>,
    _: KickSoon<'_, A>,
) {
    // mov %edx, (%rbx); mov 0x1000(%rbx), %eax; out %al, $0xe0
    let code = [0x89, 0x13, 0x8b, 0x83, 0, 0x10, 0, 0, 0xe6, 0xe0];
    let (mut home, thread) = bench.start(&code, &[(RBX, DATA_WINDOW.0 + 4), (RDX, 99)]);
    let frame = bench.window_page(&mut home, 0, Rights::READ_WRITE);
    bench.map(&mut home, data_page(1), frame, Rights::READ);
    bench.expect_call(thread, 99);
    assert_eq!(bench.word(frame, 0), 99 << 32);
    bench.set_word(frame, 0, 11 << 32);
    bench.go_to(thread, CODE.0 + 2);
    bench.expect_call(thread, 11);
}

pub(super) fn two_domains_share_a_frame<A: Arch>(mut bench: Bench<A>, _: KickSoon<'_, A>) {
    let (mut from, writer) = bench.start(&WRITE_LOOP, &[(RBX, DATA_WINDOW.0)]);
    let (mut to, reader) = bench.start(&READ_LOOP, &[(RBX, DATA_WINDOW.0 + 0x7000)]);
    let frame = bench.window_page(&mut from, 0, Rights::READ_WRITE);
    bench.map(&mut to, data_page(7), frame, Rights::READ);
    for turn in 0..10 {
        bench.expect_call(writer, 0);
        bench.expect_call(reader, turn);
    }
    bench.arch.unmap(to.id, data_page(7));
    bench.expect_call(writer, 0);
    assert_eq!(bench.run(reader), refused(0x7000, Access::Read));
}

pub(super) fn code_changed_through_an_alias_is_what_runs<A: Arch>(
    mut bench: Bench<A>,
    _: KickSoon<'_, A>,
) {
    // 1: inc %edx; mov %dl, 1(%rbx); out %al, $0xe0; call *%rcx; out %al, $0xe0; jmp 1b
    let code = [0xff, 0xc2, 0x88, 0x53, 0x01, 0xe6, 0xe0, 0xff, 0xd1, 0xe6, 0xe0, 0xeb, 0xf3];
    let set = [(RBX, DATA_WINDOW.0), (super::RCX, CODE_WINDOW.0)];
    let (mut home, thread) = bench.start(&code, &set);
    let frame = bench.window_page(&mut home, 0, Rights::READ_WRITE);
    bench.map(&mut home, code_page(0), frame, Rights::READ_EXECUTE);
    // mov $imm32, %eax; ret
    bench.arch.frame_write(frame, 0, &[0xb8, 0, 0, 0, 0, 0xc3]);
    for turn in 1..20 {
        // The exit between writing and running is the serialisation that the manual asks
        // for when the two addresses differ (Intel SDM vol. 3, 12.6).
        bench.expect_call(thread, turn - 1);
        bench.expect_call(thread, turn);
    }
    // And from outside.
    bench.expect_call(thread, 19);
    bench.arch.frame_write(frame, 1, &[200]);
    bench.expect_call(thread, 200);
}

pub(super) fn the_first_and_the_last_page_are_ordinary<A: Arch>(
    mut bench: Bench<A>,
    _: KickSoon<'_, A>,
) {
    // mov %rdx, 8; mov 8, %rax; jmp *%rbx
    let code = [0x48, 0x89, 0x14, 0x25, 8, 0, 0, 0, 0x48, 0x8b, 0x04, 0x25, 8, 0, 0, 0, 0xff, 0xe3];
    let end = LAST.0 + PAGE_SIZE;
    let (home, thread) = bench.start(&code, &[(RDX, 0x1234), (RBX, end - 2)]);
    let last = bench.behind(&home, LAST);
    bench.arch.frame_write(last, 0xffe, &CALL);
    bench.expect_call(thread, 0x34);
    let registers = bench.arch.registers(thread);
    assert_eq!((registers.general[RAX], registers.rip), (0x1234, end));
    let first = bench.behind(&home, GuestVirtual(0));
    assert_eq!(bench.word(first, 8), 0x1234);
}

pub(super) fn a_domain_can_go_while_pages_are_mapped<A: Arch>(
    mut bench: Bench<A>,
    _: KickSoon<'_, A>,
) {
    let shared = bench.frame();
    for turn in 0..10 {
        let (mut home, thread) = bench.start(&READ_LOOP, &[(RBX, DATA_WINDOW.0)]);
        bench.map(&mut home, data_page(0), shared, Rights::READ_WRITE);
        bench.set_word(shared, 0, turn);
        bench.expect_call(thread, turn as u32);
        bench.arch.thread_destroy(thread);
        bench.arch.domain_destroy(home.id);
        // What was only its own can be freed now.
        for frame in home.pages.into_values().filter(|&frame| frame != shared) {
            bench.arch.frame_free(frame);
        }
    }
    let last = GuestPhysical(crate::layout::PHYSICAL_SIZE - PAGE_SIZE);
    let (home, _) = bench.start(&CALL, &[]);
    bench.arch.map(home.id, last, shared, Rights::READ).expect("the last page can be mapped");
    bench.arch.unmap(home.id, last);
}
