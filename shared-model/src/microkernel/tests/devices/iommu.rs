//! Which memory a device reaches.

use alloc::vec::Vec;

use super::{
    Bench, DomainId, EventKind, G, Hypercall, MAIN, Object, PEER, PEER_DOMAIN, Ports, R, Rights,
    SERIAL, Status, TIMER, W, bench, count, input, last_of, out,
};
use crate::abi::device;
use crate::arch::Arch;

const BLOCK: u64 = 15;
const AT: u64 = 0x10_0000;

/// A bench where `main` has two pages with `hello` across their border, and the serial port.
fn assigned() -> Bench {
    let mut bench = bench();
    bench.done(MAIN, Hypercall::PageAllocate, &[BLOCK, R | W | G, 1]);
    write(&mut bench, 0, 4094, b"he");
    write(&mut bench, 1, 0, b"llo");
    bench.done(MAIN, Hypercall::DeviceAssign, &[0, SERIAL]);
    bench
}

fn frames(bench: &Bench) -> Vec<crate::address::Frame> {
    let Object::Page(block) = bench.capability(MAIN, BLOCK).unwrap().object else { panic!() };
    bench.kernel.blocks[&block].frames.clone()
}

fn write(bench: &mut Bench, page: usize, offset: usize, bytes: &[u8]) {
    let frame = frames(bench)[page];
    bench.kernel.arch.frame_write(frame, offset, bytes);
}

fn map(bench: &mut Bench, address: u64, rights: u64) {
    bench.done(MAIN, Hypercall::DeviceMap, &[0, BLOCK, address, rights]);
}

/// Has the serial port transfer, and returns its status and how many bytes are left.
fn transfer(bench: &mut Bench, command: u32, address: u64, length: u32) -> (u64, u64) {
    for (port, value) in [
        (device::SERIAL_DMA_ADDRESS, address as u32),
        (device::SERIAL_DMA_ADDRESS_HIGH, (address >> 32) as u32),
        (device::SERIAL_DMA_LENGTH, length),
    ] {
        out(bench, SERIAL, port, 4, value);
    }
    out(bench, SERIAL, device::SERIAL_DMA_COMMAND, 1, command);
    let status = input(bench, SERIAL, device::SERIAL_DMA_COMMAND, 1);
    (status, input(bench, SERIAL, device::SERIAL_DMA_LENGTH, 4))
}

fn send(bench: &mut Bench, address: u64, length: u32) -> (u64, u64) {
    transfer(bench, 1, address, length)
}

const DONE: u64 = 1;
const REFUSED: u64 = 2;
const INVALID: u64 = 4;

#[test]
fn it_sends_what_is_mapped_to_the_byte() {
    let mut bench = assigned();
    map(&mut bench, AT, R);
    assert_eq!(send(&mut bench, AT + 4094, 5), (DONE, 0));
    assert_eq!(bench.kernel.serial_output(), b"hello");
    let sent = EventKind::DeviceOutput { device: "serial".into(), hex: "68656c6c6f".into() };
    assert_eq!(last_of(&bench, "device_output"), Some(&sent));
    assert_eq!(input(&mut bench, SERIAL, device::SERIAL_DMA_ADDRESS, 4), AT + 4099);
    // Up to the end, and not a byte further.
    assert_eq!(send(&mut bench, AT + 8190, 2), (DONE, 0));
    assert_eq!(send(&mut bench, AT + 8190, 3), (REFUSED, 1));
    assert_eq!(send(&mut bench, AT - 1, 1), (REFUSED, 1));
    assert_eq!(send(&mut bench, AT | 1 << 32, 1), (REFUSED, 1));
    assert_eq!(send(&mut bench, u64::MAX, 1), (REFUSED, 1));
    assert_eq!(bench.kernel.serial_output(), b"hello\0\0\0\0");
    // Nothing is little enough to be done anywhere, and shown nowhere.
    let shown = count(&bench, "device_output");
    assert_eq!(send(&mut bench, 0, 0), (DONE, 0));
    assert_eq!(count(&bench, "device_output"), shown);
}

#[test]
fn it_goes_on_from_one_mapping_to_the_next() {
    let mut bench = assigned();
    map(&mut bench, AT, R);
    bench.done(MAIN, Hypercall::PageAllocate, &[16, R | W | G, 0]);
    bench.done(MAIN, Hypercall::DeviceMap, &[0, 16, AT + 0x2000, R]);
    assert_eq!(send(&mut bench, AT, 0x3000), (DONE, 0));
    assert_eq!(send(&mut bench, AT, 0x3001), (REFUSED, 1));
    bench.done(MAIN, Hypercall::DeviceUnmap, &[BLOCK]);
    assert_eq!(send(&mut bench, AT + 0x2000, 0x1000), (DONE, 0));
    assert_eq!(send(&mut bench, AT + 0x1fff, 1), (REFUSED, 1));
}

#[test]
fn it_needs_the_right() {
    let mut bench = assigned();
    map(&mut bench, AT, W);
    assert_eq!(send(&mut bench, AT, 1), (REFUSED, 1));
    assert_eq!(bench.kernel.serial_output(), b"");
    bench.done(MAIN, Hypercall::DeviceUnmap, &[BLOCK]);
    map(&mut bench, AT, R);
    bench.kernel.serial_input(b"evil");
    assert_eq!(transfer(&mut bench, 2, AT, 4), (REFUSED, 4));
    let mut page = [0; 4096];
    bench.kernel.arch.frame_read(frames(&bench)[0], 0, &mut page);
    assert_eq!(&page[..4], &[0; 4]);
    // What could not be put anywhere has not been taken.
    assert_eq!(input(&mut bench, SERIAL, device::SERIAL_DATA, 1), u64::from(b'e'));
}

#[test]
fn input_goes_to_memory_as_far_as_there_is_any() {
    let mut bench = assigned();
    map(&mut bench, AT, R | W);
    bench.kernel.serial_input(b"abcdef");
    assert_eq!(transfer(&mut bench, 2, AT + 4093, 4), (DONE, 0));
    assert_eq!(transfer(&mut bench, 2, AT + 8, 100), (DONE, 98));
    assert_eq!(transfer(&mut bench, 2, 0, 100), (DONE, 100));
    assert_eq!(send(&mut bench, AT + 4092, 6), (DONE, 0));
    assert_eq!(send(&mut bench, AT + 7, 4), (DONE, 0));
    assert_eq!(bench.kernel.serial_output(), b"\0abcdl\0ef\0");
}

#[test]
fn a_transfer_is_bounded_and_a_command_is_one_of_two() {
    let mut bench = assigned();
    map(&mut bench, AT, R | W);
    let most = device::SERIAL_DMA_MAX;
    for (command, length) in [(1, most + 1), (2, u32::MAX), (0, 1), (3, 1), (0xff, 1)] {
        assert_eq!(transfer(&mut bench, command, AT, length), (INVALID, length.into()));
    }
    assert_eq!(send(&mut bench, AT, most), (REFUSED, u64::from(most) - 0x2000));
}

#[test]
fn after_a_revoke_it_reaches_nothing() {
    let mut bench = assigned();
    bench.done(MAIN, Hypercall::CapCopy, &[BLOCK, 16, R]);
    bench.done(MAIN, Hypercall::DeviceMap, &[0, 16, AT, R]);
    assert_eq!(send(&mut bench, AT, 4), (DONE, 0));
    bench.done(MAIN, Hypercall::CapRevoke, &[BLOCK]);
    assert_eq!(send(&mut bench, AT, 4), (REFUSED, 4));
    map(&mut bench, AT, R);
    assert_eq!(send(&mut bench, AT, 4), (DONE, 0));
    // The mapping goes along with its capability.
    bench.done(MAIN, Hypercall::CapMove, &[BLOCK, 17, 31]);
    assert_eq!(send(&mut bench, AT, 4), (DONE, 0));
    bench.done(MAIN, Hypercall::CapDelete, &[17]);
    assert_eq!(send(&mut bench, AT, 4), (REFUSED, 4));
}

#[test]
fn without_a_domain_it_reaches_nothing() {
    let mut bench = assigned();
    map(&mut bench, AT, R);
    bench.done(MAIN, Hypercall::DeviceRelease, &[SERIAL]);
    bench.done(MAIN, Hypercall::DeviceRelease, &[SERIAL]);
    assert_eq!(send(&mut bench, AT, 4), (REFUSED, 4));
    // Another domain has other addresses.
    bench.done(MAIN, Hypercall::DeviceAssign, &[PEER_DOMAIN, SERIAL]);
    assert_eq!(send(&mut bench, AT, 4), (REFUSED, 4));
    bench.done(MAIN, Hypercall::DeviceUnmap, &[BLOCK]);
    bench.done(MAIN, Hypercall::DeviceUnmap, &[BLOCK]);
    bench.done(MAIN, Hypercall::DeviceMap, &[PEER_DOMAIN, BLOCK, 0, R]);
    assert_eq!(send(&mut bench, 0, 4), (DONE, 0));
    // It goes with that domain, and the capability can be used again.
    bench.kernel.destroy_domain(DomainId(1)).unwrap();
    bench.audit();
    assert_eq!(send(&mut bench, 0, 4), (REFUSED, 4));
    map(&mut bench, AT, R);
    bench.done(MAIN, Hypercall::DeviceAssign, &[0, SERIAL]);
    assert_eq!(send(&mut bench, AT, 4), (DONE, 0));
}

#[test]
fn an_assignment_lives_as_long_as_what_it_was_made_with() {
    for gone in [PEER_DOMAIN, SERIAL] {
        let mut bench = assigned();
        bench.done(MAIN, Hypercall::DeviceRelease, &[SERIAL]);
        let copy = if gone == SERIAL { [SERIAL, 20, R | W] } else { [PEER_DOMAIN, 20, W] };
        bench.done(MAIN, Hypercall::CapCopy, &copy);
        let words = if gone == SERIAL { [PEER_DOMAIN, 20] } else { [20, SERIAL] };
        bench.done(MAIN, Hypercall::DeviceAssign, &words);
        let again = [0, SERIAL];
        bench.refused(MAIN, Hypercall::DeviceAssign, &again, Status::Exists);
        bench.done(MAIN, Hypercall::CapMove, &[20, 21, W]);
        bench.refused(MAIN, Hypercall::DeviceAssign, &again, Status::Exists);
        bench.done(MAIN, Hypercall::CapRevoke, &[gone]);
        bench.done(MAIN, Hypercall::DeviceAssign, &again);
    }
    // A move that drops the right ends it too.
    let mut bench = assigned();
    bench.done(MAIN, Hypercall::CapMove, &[SERIAL, 20, R]);
    assert_eq!(bench.kernel.devices.arranged_through().count(), 0);
}

#[test]
fn assigning_needs_a_whole_device_and_rights() {
    let mut bench = bench();
    let (assign, release) = (Hypercall::DeviceAssign, Hypercall::DeviceRelease);
    bench.done(MAIN, Hypercall::CapCopy, &[SERIAL, 20, R | G]);
    bench.done(MAIN, Hypercall::CapCopy, &[PEER_DOMAIN, 21, R | G]);
    bench.refused(MAIN, assign, &[0, 20], Status::NotPermitted);
    bench.refused(MAIN, assign, &[21, SERIAL], Status::NotPermitted);
    bench.refused(MAIN, release, &[20], Status::NotPermitted);
    for (first, last) in [(0x3f8, 0x3ff), (0x3f9, 0x40f), (0x3f8, 0x40e), (0x40, 0x40f), (0, 0x3f)]
    {
        bench.kernel.give_ports(DomainId(0), 22, Ports { first, last }, Rights::ALL).unwrap();
        bench.audit();
        bench.refused(MAIN, assign, &[0, 22], Status::Invalid);
        bench.refused(MAIN, release, &[22], Status::Invalid);
        bench.done(MAIN, Hypercall::CapDelete, &[22]);
    }
    bench.refused(MAIN, assign, &[SERIAL, SERIAL], Status::Invalid);
    bench.refused(MAIN, assign, &[0, PEER_DOMAIN], Status::Invalid);
    bench.refused(MAIN, assign, &[0, 23], Status::NotFound);
    bench.refused(MAIN, assign, &[23, SERIAL], Status::NotFound);
    // A range around one device is that device.
    let around = Ports { first: 0x48, last: 0xffff };
    bench.kernel.give_ports(DomainId(0), 22, around, Rights::ALL).unwrap();
    bench.audit();
    bench.done(MAIN, assign, &[PEER_DOMAIN, 22]);
    bench.refused(MAIN, assign, &[0, SERIAL], Status::Exists);
    bench.done(MAIN, release, &[SERIAL]);
    bench.done(MAIN, assign, &[0, TIMER]);
    bench.returns(PEER, 0);
    bench.refused(MAIN, assign, &[PEER_DOMAIN, SERIAL], Status::BadState);
}

#[test]
fn mappings_are_pages_inside_the_space_that_do_not_overlap() {
    let mut bench = assigned();
    let device_map = Hypercall::DeviceMap;
    let end = device::IO_SPACE_SIZE;
    for address in [1, 0xfff, 0x1_0001, end, end - 0x1000, u64::MAX, u64::MAX - 0xfff] {
        bench.refused(MAIN, device_map, &[0, BLOCK, address, R], Status::Invalid);
    }
    for rights in [0, 4, R | 4, R | G, 16, 32, u64::MAX] {
        bench.refused(MAIN, device_map, &[0, BLOCK, AT, rights], Status::Invalid);
    }
    bench.done(MAIN, Hypercall::CapCopy, &[BLOCK, 16, R]);
    bench.refused(MAIN, device_map, &[0, 16, AT, W], Status::NotPermitted);
    bench.refused(MAIN, device_map, &[0, 16, AT, R | W], Status::NotPermitted);
    bench.done(MAIN, Hypercall::CapCopy, &[PEER_DOMAIN, 17, R]);
    bench.refused(MAIN, device_map, &[17, BLOCK, AT, R], Status::NotPermitted);
    bench.refused(MAIN, device_map, &[0, SERIAL, AT, R], Status::Invalid);
    bench.refused(MAIN, device_map, &[SERIAL, BLOCK, AT, R], Status::Invalid);
    bench.refused(MAIN, device_map, &[0, 18, AT, R], Status::NotFound);
    bench.refused(MAIN, Hypercall::DeviceUnmap, &[18], Status::NotFound);
    bench.refused(MAIN, Hypercall::DeviceUnmap, &[SERIAL], Status::Invalid);

    map(&mut bench, end - 0x2000, R);
    bench.refused(MAIN, device_map, &[0, BLOCK, AT, R], Status::Exists);
    for address in [end - 0x2000, end - 0x3000] {
        bench.refused(MAIN, device_map, &[0, 16, address, R], Status::Exists);
    }
    bench.done(MAIN, device_map, &[0, 16, end - 0x4000, R]);
    bench.done(MAIN, Hypercall::DeviceUnmap, &[16]);
    bench.done(MAIN, device_map, &[0, 16, 0, R]);
    // Another domain's space is another.
    bench.done(MAIN, Hypercall::CapCopy, &[BLOCK, 19, R]);
    bench.done(MAIN, device_map, &[PEER_DOMAIN, 19, 0, R]);
    // A capability is mapped in one way at a time.
    bench.refused(MAIN, Hypercall::PageMap, &[19, super::super::DATA, R], Status::Exists);
    bench.done(MAIN, Hypercall::PageUnmap, &[19]);
    bench.refused(MAIN, device_map, &[0, 19, AT, R], Status::Exists);
    bench.done(MAIN, Hypercall::DeviceUnmap, &[19]);
    bench.done(MAIN, Hypercall::PageMap, &[19, super::super::DATA, R]);
    bench.refused(MAIN, device_map, &[0, 19, AT, R], Status::Exists);
    bench.done(MAIN, Hypercall::DeviceUnmap, &[19]);
    bench.refused(MAIN, device_map, &[0, 19, AT, R], Status::Exists);
}

#[test]
fn a_large_space_is_taken_apart_in_turns() {
    let mut bench = assigned();
    bench.kernel.batch = 4;
    for slot in 0..10 {
        bench.done(MAIN, Hypercall::CapCopy, &[BLOCK, (1 << 20) + slot, R]);
        let address = 0x2000 * slot;
        bench.done(MAIN, Hypercall::DeviceMap, &[PEER_DOMAIN, (1 << 20) + slot, address, R]);
    }
    bench.kernel.destroy_domain(DomainId(1)).unwrap();
    bench.audit();
    for slot in 0..10 {
        let address = 0x2000 * slot;
        bench.done(MAIN, Hypercall::DeviceMap, &[0, (1 << 20) + slot, address, R]);
    }
}
