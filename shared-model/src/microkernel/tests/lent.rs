//! Memory that the host lends.

use super::{Bench, DATA, G, MAIN, PEER, R, TWO, W};
use crate::abi::{Hypercall, Resource, Status};
use crate::address::{Frame, PAGE_SIZE};
use crate::capability::SpaceId;
use crate::domain::{DomainId, LifecycleError};
use crate::microkernel::blocks::BLOCK_PAGES_MAX;
use crate::rights::Rights;

use Hypercall::{CapDelete, CapGrant, CapInspect, CapRevoke, PageMap};

const FIRST: DomainId = DomainId(0);

#[test]
fn lent_memory_is_shared_with_the_host_until_it_is_taken_back() {
    let mut bench = Bench::new(TWO);
    let used = bench.kernel.accounts.of(FIRST, Resource::Pages);
    let memory = bench.kernel.lend(2, b"hello").unwrap();
    bench.audit();
    bench.kernel.give_lent(memory, FIRST, 10, Rights::READ_WRITE | Rights::GRANT).unwrap();
    bench.done(MAIN, CapInspect, &[10]);
    assert_eq!(bench.word(MAIN, 8), 2, "its kind");
    bench.done(MAIN, PageMap, &[10, DATA + 0x8000, R | W]);
    bench.done(MAIN, CapGrant, &[26, 10, 9, R]);
    bench.done(PEER, PageMap, &[9, DATA, R]);
    assert_eq!(bench.kernel.accounts.of(FIRST, Resource::Pages), used, "it is on nobody's account");

    // What one writes, the other reads, also across pages.
    bench.kernel.lent_write(memory, PAGE_SIZE - 2, b"world").unwrap();
    let at = crate::address::GuestPhysical(DATA + 0x9000 - 2);
    assert_eq!(bench.kernel.read_physical(FIRST, at, 5), b"world");
    bench.kernel.write_physical(FIRST, at, b"World");
    assert_eq!(bench.kernel.lent_read(memory, PAGE_SIZE - 2, 5).unwrap(), b"World");

    // It is returned when the last domain has no capability to it any more; it is not gone.
    let events = bench.kernel.events().len();
    bench.done(MAIN, CapRevoke, &[10]);
    assert!(!bench.words(events).contains(&"lent_returned"));
    bench.done(MAIN, CapDelete, &[10]);
    let words = bench.words(events);
    assert_eq!(words.iter().filter(|word| **word == "lent_returned").count(), 1);
    assert_eq!(*words.last().unwrap(), "lent_returned");
    assert_eq!(bench.kernel.lent_read(memory, 0, 5).unwrap(), b"hello");
    // It can be given again, and taken back from under whoever has it.
    bench.kernel.give_lent(memory, FIRST, 10, Rights::READ).unwrap();
    bench.done(MAIN, PageMap, &[10, DATA + 0x8000, R]);
    let contents = bench.kernel.take_back(memory).unwrap();
    bench.audit();
    assert_eq!((&contents[..5], &contents[4094..4099]), (&b"hello"[..], &b"World"[..]));
    assert_eq!((bench.capability(MAIN, 10), contents.len()), (None, 8192));
    assert!(bench.kernel.domains[&FIRST].mapped.len() == 1);
    assert_eq!(bench.kernel.take_back(memory), Err(LifecycleError::NotLent(memory)));
    assert!(bench.kernel.lent().is_empty());
    bench.tear_down();
}

#[test]
fn a_dead_borrower_returns_what_it_had() {
    let mut bench = Bench::new(TWO);
    let memory = bench.kernel.lend(1, b"x").unwrap();
    bench.kernel.give_lent(memory, DomainId(1), 5, Rights::ALL).unwrap();
    bench.kernel.give_lent(memory, DomainId(1), 6, Rights::ALL).unwrap();
    bench.done(PEER, PageMap, &[6, DATA, R]);
    let events = bench.kernel.events().len();
    bench.kernel.destroy_domain(DomainId(1)).unwrap();
    bench.audit();
    let words = bench.words(events);
    assert_eq!(words.iter().filter(|word| **word == "lent_returned").count(), 1);
    assert_eq!(bench.kernel.lent().into_iter().collect::<alloc::vec::Vec<_>>(), [(memory, 1)]);
    assert_eq!(bench.kernel.take_back(memory).unwrap()[0], b'x');
    bench.tear_down();
}

#[test]
fn what_cannot_be_lent_read_or_written_changes_nothing() {
    let mut bench = Bench::new(TWO);
    let before = (bench.kernel.frames.in_use(), bench.kernel.capabilities.len());
    for pages in [0, BLOCK_PAGES_MAX + 1, u64::MAX] {
        assert!(matches!(bench.kernel.lend(pages, &[]), Err(LifecycleError::Exhausted(_))));
    }
    assert!(matches!(bench.kernel.lend(1, &[0; 4097]), Err(LifecycleError::Outside { .. })));
    for fail_at in 0..3 {
        bench.kernel.arch.fail_at = Some(bench.kernel.arch.fallible + fail_at);
        assert!(matches!(bench.kernel.lend(3, b"abc"), Err(LifecycleError::Exhausted(_))));
        assert_eq!((bench.kernel.frames.in_use(), bench.kernel.capabilities.len()), before);
        bench.audit();
    }
    let memory = bench.kernel.lend(1, b"abc").unwrap();
    for (offset, length) in [(4096, 1), (0, 4097), (u64::MAX, 2), (4095, 2)] {
        let outside = Err(LifecycleError::Outside { offset, length });
        assert_eq!(bench.kernel.lent_read(memory, offset, length), outside);
    }
    assert!(bench.kernel.lent_write(memory, 4095, b"ab").is_err());
    assert_eq!(bench.kernel.lent_read(memory, 4096, 0), Ok(alloc::vec![]));
    // A domain's own memory is not the host's to read this way.
    for other in [Frame(0), Frame(memory.0 + 1), Frame(u32::MAX)] {
        assert_eq!(bench.kernel.lent_read(other, 0, 1), Err(LifecycleError::NotLent(other)));
        assert!(bench.kernel.give_lent(other, FIRST, 16, Rights::READ).is_err());
    }
    let nobody = DomainId(77);
    let given = bench.kernel.give_lent(memory, nobody, 5, Rights::READ);
    assert_eq!(given, Err(LifecycleError::NoDomain(nobody)));
    assert!(bench.kernel.give_lent(memory, FIRST, 25, Rights::READ).is_err(), "the slot is taken");
    bench.kernel.take_back(memory).unwrap();
    bench.tear_down();
}

#[test]
fn slots_for_what_is_lent_never_meet_those_of_domains_and_are_used_again() {
    let mut bench = Bench::new(TWO);
    for _ in 0..3 {
        let memory = bench.kernel.lend(1, &[]).unwrap();
        let slot = bench.kernel.create_memory(1, 1, false, b"of the world").unwrap();
        assert_eq!(slot.space, SpaceId::Host);
        let _ = bench.kernel.create_domain("more").unwrap();
        bench.audit();
        bench.kernel.take_back(memory).unwrap();
        let removed = bench.kernel.capabilities.delete(slot).unwrap();
        bench.kernel.settle(removed);
        bench.kernel.give_host_slot(slot);
        bench.audit();
    }
    assert!(bench.kernel.create_memory(1, 2, false, &[]).is_err(), "there is no node 2");
    bench.tear_down();
}

#[test]
fn lent_memory_is_not_allocated_by_domains() {
    let mut bench = Bench::new(TWO);
    let memory = bench.kernel.lend(1, b"mine").unwrap();
    bench.kernel.give_lent(memory, FIRST, 10, Rights::ALL).unwrap();
    bench.done(MAIN, CapDelete, &[10]);
    bench.done(MAIN, Hypercall::PageAllocate, &[11, R | W | G, 0]);
    assert_eq!(bench.kernel.lent_read(memory, 0, 4).unwrap(), b"mine");
    bench.refused(MAIN, CapInspect, &[10], Status::NotFound);
    bench.kernel.take_back(memory).unwrap();
    bench.tear_down();
}
