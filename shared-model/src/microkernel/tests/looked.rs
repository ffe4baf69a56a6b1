//! What there is to see of a microkernel.

use alloc::vec::Vec;

use super::{Bench, DATA, MAIN, PEER, R, TWO, W};
use crate::abi::{Hypercall, Status, utcb};
use crate::address::GuestVirtual;
use crate::arch::Arch;
use crate::domain::{DomainId, ThreadState};
use crate::hex::Hex;
use crate::microkernel::look::Space;
use crate::paging::PRESENT;

use Hypercall::{EndpointCreate, NotificationCreate, NotificationSignal, SyncCall, SyncReceive};

const DOMAIN: DomainId = DomainId(0);

/// The guest-virtual address of the data window, which is the same.
const WINDOW: u64 = DATA;

#[test]
fn threads_are_shown_with_what_they_wait_for_and_how_they_ended() {
    let mut bench = Bench::new(TWO);
    bench.done(MAIN, EndpointCreate, &[20]);
    assert_eq!(bench.send(MAIN, SyncReceive, 20, 0), Status::Waiting);
    let state = bench.kernel.state();
    let [main, peer] = &*state.threads else { panic!("two threads") };
    assert_eq!((main.state, main.call), (ThreadState::Blocked, Some(SyncReceive)));
    assert_eq!((peer.state, peer.call), (ThreadState::Ready, None));
    assert_eq!((state.current, state.domains.len()), (Some(PEER), 2));
    assert!(!main.host && main.end.is_none());
    bench.kernel.kill_thread(MAIN).unwrap();
    let state = bench.kernel.state();
    assert_eq!(state.threads[0].end.as_deref(), Some("killed"));
    assert_eq!(state.events, bench.kernel.events().len());
}

#[test]
fn memory_is_shown_with_whose_it_is_and_under_which_slot() {
    let mut bench = Bench::new(TWO);
    let frame = bench.kernel.locate(DOMAIN, GuestVirtual(WINDOW + 8)).unwrap().0;
    bench.kernel.arch.frame_write(frame, 0xffe, &[0xab, 0xcd]);
    let pieces = bench.kernel.memory(DOMAIN, Space::Virtual, WINDOW + 0xffe, 4).unwrap();
    let [here, after] = &*pieces else { panic!("two pages") };
    assert_eq!((here.bytes.as_deref(), here.length), (Some("abcd"), 2));
    assert_eq!((here.frame.slot, here.frame.owner), (Some(25), Some(DOMAIN)));
    assert_eq!(here.frame.rights.as_deref(), Some("rw"));
    assert_eq!(here.table_rights.as_deref(), Some("rw"));
    assert_eq!((after.bytes.as_deref(), after.frame.frame), (None, None));
    assert!(after.why.as_ref().unwrap().contains("no capability"));
    let physical = bench.kernel.memory(DOMAIN, Space::Physical, DATA + 0xffe, 2).unwrap();
    assert_eq!(physical[0].bytes.as_deref(), Some("abcd"));
    let end = bench.kernel.memory(DOMAIN, Space::Virtual, u64::MAX - 3, 100).unwrap();
    assert_eq!((end.len(), end[0].length), (1, 4));
    assert!(bench.kernel.memory(DOMAIN, Space::Virtual, 0, 1 << 22).is_err());
    assert!(bench.kernel.memory(DomainId(9), Space::Virtual, 0, 1).is_err());
}

#[test]
fn a_walk_shows_every_level_and_ends_at_whatever_the_tables_hold() {
    let bench = Bench::new(TWO);
    let walk = bench.kernel.walk_from(DOMAIN, GuestVirtual(WINDOW + 0x10)).unwrap();
    let levels: Vec<_> = walk.levels.iter().map(|level| (level.level, level.large)).collect();
    assert_eq!(levels, [(4, false), (3, false), (2, true)]);
    assert_eq!(walk.physical, Some(Hex(DATA + 0x10)));
    assert_eq!((walk.frame.slot, walk.why), (Some(25), None));
    let walk = bench.kernel.walk_from(DOMAIN, GuestVirtual(1 << 47)).unwrap();
    assert!(walk.levels.is_empty() && walk.why.unwrap().contains("canonical"));
    let walk = bench.kernel.walk_from(DOMAIN, GuestVirtual(0)).unwrap();
    assert!(walk.why.unwrap().contains("not present"));

    // Tables that no microkernel makes: to themselves, to nowhere, with every bit set.
    for hostile in [0_u64, 0x1000, 0x7fff_f000, 0x000f_ffff_ffff_f000, u64::MAX] {
        let mut bench = Bench::new(TWO);
        let root = bench.kernel.domains[&DOMAIN].home.unwrap().page_table_root;
        let mapping = bench.kernel.domains[&DOMAIN].space.lookup(root).unwrap();
        for index in 0..512 {
            let entry = (hostile | PRESENT).to_le_bytes();
            bench.kernel.arch.frame_write(mapping.frame, index * 8, &entry);
        }
        for address in [0, WINDOW, u64::MAX, 0x7fff_ffff_ffff] {
            let walk = bench.kernel.walk_from(DOMAIN, GuestVirtual(address)).unwrap();
            assert!(walk.levels.len() <= 4 && (walk.why.is_some() || walk.physical.is_some()));
        }
    }
}

#[test]
fn who_waits_where_is_shown() {
    let mut bench = Bench::new(TWO);
    bench.done(MAIN, EndpointCreate, &[20]);
    bench.done(MAIN, NotificationCreate, &[21]);
    bench.done(MAIN, NotificationSignal, &[21]);
    bench.set_word(MAIN, utcb::MESSAGE, 77);
    assert_eq!(bench.send(MAIN, SyncCall, 20, 0), Status::Waiting);
    let objects = bench.kernel.objects();
    let [endpoint] = &*objects.endpoints else { panic!("one endpoint") };
    let [sender] = &*endpoint.senders else { panic!("one sender") };
    assert_eq!((sender.thread, sender.call, sender.badge), (MAIN, Some(true), Some(Hex(0))));
    assert_eq!((endpoint.receivers.len(), objects.notifications[0].bits), (0, Hex(1)));
    let utcb = bench.kernel.utcb(MAIN).unwrap();
    assert_eq!((utcb.endpoint, utcb.message[0]), (Hex(20), Hex(77)));
    assert_eq!(utcb.status_name, "ok");
}

#[test]
fn a_program_is_shown_with_the_places_of_its_sections() {
    let bench = Bench::new(TWO);
    let program = bench.kernel.program(DOMAIN).unwrap();
    let [image] = &*program.images else { panic!("one module") };
    let [section] = &*image.sections else { panic!("one section: {:?}", image.sections) };
    assert_eq!((&*section.name, section.size), (".text", 256));
    assert_eq!(Hex(section.address.0), image.segments[0].start);
    assert_eq!(bench.kernel.bundle().files[image.file].name, image.name);
    let work = image.symbols.iter().find(|symbol| symbol.name == "work").unwrap();
    assert_eq!((work.address, work.function), (Hex(section.address.0 + 16), true));
}

#[test]
fn the_digest_changes_with_registers_memory_log_and_queues() {
    let mut bench = Bench::new(TWO);
    let first = bench.kernel.digest();
    assert_eq!(bench.kernel.digest(), first);
    let mut seen = alloc::vec![first];
    let frame = bench.kernel.thread(MAIN).utcb;
    bench.kernel.arch.frame_write(frame, 4000, &[1]);
    seen.push(bench.kernel.digest());
    let mut registers = bench.kernel.arch.registers(MAIN);
    registers.general[3] ^= 1;
    bench.kernel.arch.set_registers(MAIN, &registers);
    seen.push(bench.kernel.digest());
    bench.kernel.ready.rotate_left(1);
    seen.push(bench.kernel.digest());
    bench.done(MAIN, Hypercall::PageAllocate, &[22, R | W, 0]);
    seen.push(bench.kernel.digest());
    for (i, one) in seen.iter().enumerate() {
        assert!(!seen[i + 1..].contains(one), "change {i}");
    }
}
