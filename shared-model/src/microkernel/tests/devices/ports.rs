//! Ports, by hypercall and by instruction.

use super::super::CODE;
use super::{
    Bench, DomainId, EventKind, G, Hypercall, MAIN, PEER, PEER_DOMAIN, Ports, R, Rights, SERIAL,
    Status, W, bench, count, input, last_of, out, registers,
};
use crate::abi::device;
use crate::arch::Arch;
use crate::exit::{End, Exit, KillReason};
use crate::layout::SystemBlock;
use crate::registers::Registers;

const SCRATCH: u16 = device::SERIAL_SCRATCH;

#[test]
fn a_holder_of_a_range_reads_and_writes_inside_and_not_outside() {
    let mut bench = bench();
    out(&mut bench, SERIAL, SCRATCH, 1, 0x5a);
    assert_eq!(input(&mut bench, SERIAL, SCRATCH, 1), 0x5a);
    let written = EventKind::Port { port: SCRATCH, width: 1, write: true, value: 0x5a };
    let read = EventKind::Port { port: SCRATCH, width: 1, write: false, value: 0x5a };
    assert!(bench.kernel.events().iter().any(|event| event.kind == written));
    assert_eq!(last_of(&bench, "port"), Some(&read));
    // The first and the last, and every way across an end.
    for (port, width) in [(0x3f8, 1), (0x3f8, 4), (0x40f, 1), (0x40e, 2), (0x40c, 4)] {
        bench.done(MAIN, Hypercall::PortRead, &[SERIAL, port, width]);
    }
    for (port, width) in [
        (0x3f7, 1),
        (0x3f7, 2),
        (0x410, 1),
        (0x40f, 2),
        (0x40d, 4),
        (0x40, 1),
        (0xffff, 2),
        (0x1_03f8, 1),
        (u64::MAX, 4),
        (0x3f8, 0),
        (0x3f8, 3),
        (0x3f8, 8),
        (0x3f8, 257),
        (0x3f8, u64::MAX),
    ] {
        let read = [SERIAL, port, width];
        bench.refused(MAIN, Hypercall::PortRead, &read, Status::Invalid);
        let write = [SERIAL, port, width, 0];
        bench.refused(MAIN, Hypercall::PortWrite, &write, Status::Invalid);
    }
    for (width, value) in [(1, 0x100), (2, 0x1_0000), (4, 1 << 32), (4, u64::MAX)] {
        let write = [SERIAL, 0x3f8, width, value];
        bench.refused(MAIN, Hypercall::PortWrite, &write, Status::Invalid);
    }
}

#[test]
fn each_direction_needs_its_right_and_a_capability() {
    let mut bench = bench();
    bench.done(MAIN, Hypercall::CapCopy, &[SERIAL, 20, R]);
    bench.done(MAIN, Hypercall::CapCopy, &[SERIAL, 21, W]);
    let port = u64::from(SCRATCH);
    bench.done(MAIN, Hypercall::PortRead, &[20, port, 1]);
    bench.refused(MAIN, Hypercall::PortWrite, &[20, port, 1, 1], Status::NotPermitted);
    bench.done(MAIN, Hypercall::PortWrite, &[21, port, 1, 1]);
    bench.refused(MAIN, Hypercall::PortRead, &[21, port, 1], Status::NotPermitted);
    bench.refused(MAIN, Hypercall::PortRead, &[22, port, 1], Status::NotFound);
    bench.refused(MAIN, Hypercall::PortRead, &[PEER_DOMAIN, port, 1], Status::Invalid);
    bench.refused(PEER, Hypercall::PortRead, &[SERIAL, port, 1], Status::NotFound);
}

#[test]
fn after_a_revoke_nothing_is_reached() {
    let mut bench = bench();
    bench.done(MAIN, Hypercall::CapGrant, &[PEER_DOMAIN, SERIAL, 5, R | W]);
    let port = u64::from(SCRATCH);
    bench.done(PEER, Hypercall::PortWrite, &[5, port, 1, 7]);
    let rip = code(&mut bench, PEER, 0, &[0xec]);
    bench.kernel.arch.set_registers(PEER, &registers(rip, 0, port));
    assert!(bench.kernel.emulate_port(PEER, 13, 0));
    bench.done(MAIN, Hypercall::CapRevoke, &[SERIAL]);
    bench.refused(PEER, Hypercall::PortRead, &[5, port, 1], Status::NotFound);
    bench.kernel.arch.set_registers(PEER, &registers(rip, 0, port));
    bench.exit(PEER, Exit::Exception { vector: 13, code: 0, address: None });
    let fault = KillReason::Exception { vector: 13, code: 0, address: None };
    assert_eq!(bench.end_of(PEER), Some(End::Killed(fault)));
    assert_eq!(input(&mut bench, SERIAL, SCRATCH, 1), 7);
}

#[test]
fn a_port_that_nobody_answers_reads_all_ones() {
    let mut bench = bench();
    let all = Ports { first: 0, last: 0xffff };
    bench.kernel.give_ports(DomainId(0), 5, all, Rights::ALL).unwrap();
    for (port, width, ones) in
        [(0x80, 1, 0xff), (0xcf8, 4, 0xffff_ffff), (0xffff, 1, 0xff), (0xe0, 2, 0xffff)]
    {
        out(&mut bench, 5, port, width, 0);
        assert_eq!(input(&mut bench, 5, port, width), ones);
    }
    // A register at a wrong width is such a port too.
    assert_eq!(input(&mut bench, 5, SCRATCH, 2), 0xffff);
    assert_eq!(input(&mut bench, 5, device::TIMER_COUNT, 1), 0xff);
    assert_eq!(count(&bench, "port"), 10);
}

/// Puts code at an offset in two pages of a domain's code window and returns its address.
pub(super) fn code(
    bench: &mut Bench,
    thread: crate::domain::ThreadId,
    offset: usize,
    bytes: &[u8],
) -> u64 {
    if bench.capability(thread, 24).is_none() {
        bench.done(thread, Hypercall::PageAllocate, &[24, R | W | 4 | G, 1]);
        bench.done(thread, Hypercall::PageMap, &[24, CODE, R | 4]);
    }
    let object = bench.capability(thread, 24).unwrap().object;
    let crate::capability::Object::Page(block) = object else { panic!("{object:?}") };
    let frames = bench.kernel.blocks[&block].frames.clone();
    for (i, &byte) in bytes.iter().enumerate() {
        let at = offset + i;
        if let Some(&frame) = frames.get(at / 4096) {
            bench.kernel.arch.frame_write(frame, at % 4096, &[byte]);
        }
    }
    SystemBlock::place(&[]).unwrap().code_window().0 + offset as u64
}

/// What an instruction at an offset in the code does, if it is carried out; if it is not, nothing
/// has changed.
#[track_caller]
fn emulate(
    bench: &mut Bench,
    offset: usize,
    bytes: &[u8],
    rax: u64,
    rdx: u64,
) -> Option<(Registers, EventKind)> {
    let rip = code(bench, MAIN, offset, bytes);
    let before = registers(rip, rax, rdx);
    bench.kernel.arch.set_registers(MAIN, &before);
    let (state, events) = (bench.state(), bench.kernel.events().len());
    let done = bench.kernel.emulate_port(MAIN, 13, 0);
    let mut after = bench.kernel.arch.registers(MAIN);
    if !done {
        assert_eq!((after, bench.state()), (before, state), "{bytes:x?}");
        assert_eq!(bench.kernel.events().len(), events, "{bytes:x?}");
        return None;
    }
    let event = &bench.kernel.events()[events];
    assert_eq!((event.domain, event.thread), (DomainId(0), Some(MAIN)));
    after.rip -= rip;
    Some((after, event.kind.clone()))
}

/// A bench whose main domain holds all ports below 0x100 and the serial port's.
fn emulating() -> Bench {
    let mut bench = bench();
    let low = Ports { first: 0, last: 0xff };
    bench.kernel.give_ports(DomainId(0), 5, low, Rights::ALL).unwrap();
    bench
}

const OLD: u64 = 0x1122_3344_5566_7788;

#[test]
fn every_form_of_in_and_out_is_carried_out() {
    const W16: u64 = 0x1122_3344_5566_ffff;
    const W32: u64 = 0xffff_ffff;
    const W8: u64 = 0x1122_3344_5566_77ff;
    let mut bench = emulating();
    let table: &[(&[u8], u16, u8, Option<u64>)] = &[
        (&[0xe4, 0x80], 0x80, 1, Some(W8)),
        (&[0xe5, 0x81], 0x81, 4, Some(W32)),
        (&[0x66, 0xe5, 0x82], 0x82, 2, Some(W16)),
        (&[0xec], 0x3f8 + 20, 1, Some(0x1122_3344_5566_7700)),
        (&[0xed], 0x3f8 + 1, 4, Some(W32)),
        (&[0x66, 0xed], 0x3f8 + 1, 2, Some(W16)),
        (&[0xe6, 0x80], 0x80, 1, None),
        (&[0xe7, 0x81], 0x81, 4, None),
        (&[0x66, 0xe7, 0x82], 0x82, 2, None),
        (&[0xee], 0x3ff, 1, None),
        (&[0xef], 0x3f8 + 1, 4, None),
        (&[0x66, 0xef], 0x3f8 + 1, 2, None),
        // A prefix means nothing to a one-byte form; REX.W takes the other's effect.
        (&[0x66, 0xe4, 0x80], 0x80, 1, Some(W8)),
        (&[0x66, 0x66, 0xe5, 0x80], 0x80, 2, Some(W16)),
        (&[0x48, 0xe5, 0x80], 0x80, 4, Some(W32)),
        (&[0x40, 0xe4, 0x80], 0x80, 1, Some(W8)),
        (&[0x4f, 0xef], 0x3f8 + 1, 4, None),
        (&[0x66, 0x48, 0xe5, 0x80], 0x80, 4, Some(W32)),
        (&[0x66, 0x41, 0xe5, 0x80], 0x80, 2, Some(W16)),
        // One that is not last has no effect.
        (&[0x48, 0x66, 0xe5, 0x80], 0x80, 2, Some(W16)),
        (&[0x48, 0x41, 0xe5, 0x80], 0x80, 4, Some(W32)),
        // The longest there is.
        (&[0x66; 13], 0x80, 2, Some(W16)),
    ];
    for (bytes, port, width, rax) in table {
        let mut bytes = bytes.to_vec();
        if bytes.len() == 13 {
            bytes.extend([0xe5, 0x80]);
        }
        let rdx = 0xdead_beef_0000_0000 | u64::from(*port);
        let (after, event) = emulate(&mut bench, 0x100, &bytes, OLD, rdx)
            .unwrap_or_else(|| panic!("{bytes:x?} is not carried out"));
        assert_eq!(after.rip, bytes.len() as u64, "{bytes:x?}");
        assert_eq!(after.general[0], rax.unwrap_or(OLD), "{bytes:x?}");
        assert_eq!(after.general[2], rdx);
        let EventKind::Port { port: used, width: as_wide, write, value } = event else {
            panic!("{bytes:x?}: {event:?}");
        };
        assert_eq!((used, as_wide, write), (*port, *width, rax.is_none()), "{bytes:x?}");
        if write {
            let low = OLD as u32 & [0, 0xff, 0xffff, 0, u32::MAX][usize::from(*width)];
            assert_eq!(value, low, "{bytes:x?}");
        }
        bench.audit();
    }
}

#[test]
fn an_instruction_may_cross_pages_and_end_before_one_that_is_not_there() {
    let mut bench = emulating();
    for (offset, bytes) in [
        (0xfff, &[0xe4, 0x80][..]),
        (0xffe, &[0x66, 0xe5, 0x80]),
        (0xfff, &[0x66, 0xe5, 0x80]),
        (0x1fff, &[0xec]),
        (0x1ffe, &[0xe4, 0x80]),
        (0x1ffd, &[0x66, 0x48, 0xed]),
    ] {
        let done = emulate(&mut bench, offset, bytes, OLD, 0x80);
        assert!(done.is_some(), "{offset:#x} {bytes:x?}");
    }
    for (offset, bytes) in [(0x1fff, &[0xe4, 0x80][..]), (0x1ffe, &[0x66, 0xe5, 0x80])] {
        assert_eq!(emulate(&mut bench, offset, bytes, OLD, 0x80), None, "{offset:#x}");
    }
}

#[test]
fn other_instructions_and_other_ports_stay_faults() {
    let mut bench = emulating();
    // Strings, `cli`, `hlt`, repeats, segments, locks, an escape, nothing but prefixes.
    for bytes in [
        &[0x6c][..],
        &[0x6d],
        &[0x6e],
        &[0x6f],
        &[0xf3, 0x6c],
        &[0x66, 0x6f],
        &[0xfa],
        &[0xf4],
        &[0xf3, 0xec],
        &[0xf0, 0xec],
        &[0x64, 0xec],
        &[0x67, 0xec],
        &[0x0f, 0xec],
        &[0xe3, 0x80],
        &[0xe8, 0x80],
        &[0xeb, 0x80],
        &[0xc3],
        &[0x00],
        &[0xcd, 0x80],
        &[0x66; 15],
        &[0x48; 20],
        &[
            0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
            0x66, 0xec,
        ],
        &[
            0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
            0xe4, 0x80,
        ],
    ] {
        assert_eq!(emulate(&mut bench, 0x100, bytes, OLD, 0x80), None, "{bytes:x?}");
    }
    // Outside, across an end, and the ports of gates and hypercalls, though they are held.
    for port in [0x100, 0x3f7, 0x410, 0xffff, 0xc0, 0xdf, 0xe0, 0xe4, 0xe5, 0xe7] {
        assert_eq!(emulate(&mut bench, 0x100, &[0xec], OLD, port), None, "{port:#x}");
        assert_eq!(emulate(&mut bench, 0x100, &[0xee], OLD, port), None, "{port:#x}");
    }
    for (bytes, port) in
        [(&[0xed][..], 0xfd), (&[0x66, 0xed], 0xff), (&[0xed], 0xbd), (&[0x66, 0xef], 0xe7)]
    {
        assert_eq!(emulate(&mut bench, 0x100, bytes, OLD, port), None, "{port:#x}");
    }
    assert!(emulate(&mut bench, 0x100, &[0xed], OLD, 0xbc).is_some());
    assert!(emulate(&mut bench, 0x100, &[0xed], OLD, 0xe8).is_some());
}

#[test]
fn only_that_exception_at_code_that_can_be_fetched_is_looked_at() {
    let mut bench = emulating();
    let rip = code(&mut bench, MAIN, 0, &[0xec]);
    bench.kernel.arch.set_registers(MAIN, &registers(rip, 0, 0x80));
    for (vector, number) in [(6, 0), (13, 8), (14, 0), (0, 0)] {
        assert!(!bench.kernel.emulate_port(MAIN, vector, number));
    }
    // Data, nothing, and what no processor would accept as an address.
    let data = SystemBlock::place(&[]).unwrap().data_window().0;
    for rip in [data, 0, 0x7fff_ffff_ffff, 0x1000] {
        bench.kernel.arch.set_registers(MAIN, &registers(rip, 0, 0x80));
        assert!(!bench.kernel.emulate_port(MAIN, 13, 0), "{rip:#x}");
    }
    // Without a capability to ports nobody looks at all.
    bench.kernel.arch.set_registers(PEER, &registers(rip, 0, 0x80));
    assert!(!bench.kernel.emulate_port(PEER, 13, 0));
}

#[test]
fn an_instruction_needs_the_right_that_the_hypercall_needs() {
    let mut bench = bench();
    bench.done(MAIN, Hypercall::CapCopy, &[SERIAL, 20, R]);
    bench.done(MAIN, Hypercall::CapDelete, &[SERIAL]);
    let port = u64::from(SCRATCH);
    assert!(emulate(&mut bench, 0, &[0xec], OLD, port).is_some());
    assert_eq!(emulate(&mut bench, 0, &[0xee], OLD, port), None);
    // Two capabilities that cover an access only together do not.
    let halves = [(0x500, 0x501, 6), (0x502, 0x503, 7)];
    for (first, last, slot) in halves {
        let ports = Ports { first, last };
        bench.kernel.give_ports(DomainId(0), slot, ports, Rights::ALL).unwrap();
    }
    assert!(emulate(&mut bench, 0, &[0x66, 0xed], OLD, 0x502).is_some());
    assert_eq!(emulate(&mut bench, 0, &[0xed], OLD, 0x500), None);
    // A move that drops the right counts at once.
    bench.done(MAIN, Hypercall::CapMove, &[20, 21, W]);
    assert_eq!(emulate(&mut bench, 0, &[0xec], OLD, port), None);
}

#[test]
fn a_driver_that_knows_of_no_capabilities_prints_and_goes_on() {
    let mut bench = bench();
    let rip = code(&mut bench, MAIN, 0, &[0xee, 0xee]);
    let data = u64::from(device::SERIAL_DATA);
    bench.kernel.arch.set_registers(MAIN, &registers(rip, 0x41, data));
    for i in 1..=2 {
        let now = bench.kernel.now;
        bench.exit(MAIN, Exit::Exception { vector: 13, code: 0, address: None });
        assert_eq!((bench.end_of(MAIN), bench.kernel.now), (None, now + 1));
        assert_eq!(bench.kernel.arch.registers(MAIN).rip, rip + i);
    }
    assert_eq!(bench.kernel.serial_output(), b"AA");
    let sent = EventKind::DeviceOutput { device: "serial".into(), hex: "41".into() };
    assert_eq!(last_of(&bench, "device_output"), Some(&sent));
}

#[test]
fn input_comes_byte_by_byte_and_is_bounded() {
    let mut bench = bench();
    assert_eq!(bench.kernel.serial_input(b"ok"), 2);
    assert_eq!(input(&mut bench, SERIAL, device::SERIAL_LINE_STATUS, 1), 0x61);
    let read = [(); 3].map(|()| input(&mut bench, SERIAL, device::SERIAL_DATA, 1));
    assert_eq!(read, [0x6f, 0x6b, 0]);
    assert_eq!(input(&mut bench, SERIAL, device::SERIAL_LINE_STATUS, 1), 0x60);
    assert_eq!(bench.kernel.serial_input(&[1; 5000]), 4096);
    assert_eq!(bench.kernel.serial_input(b"x"), 0);
}
