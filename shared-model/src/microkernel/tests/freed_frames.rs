//! Pages whose capabilities go while they are in use, and address spaces as wholes: what is mapped
//! is exactly what a capability allows, until exactly that capability goes.

use alloc::vec::Vec;

use super::scenes::{
    ALL, CALL, EP, TO_PEER, TO_THIRD, family, goes, message, waits, with_endpoint, woken, words,
};
use super::{Bench, CODE, DATA, G, MAIN, PEER, R, W, X};
use crate::abi::{Hypercall, Status, utcb};
use crate::address::{GuestPhysical, PAGE_SIZE};
use crate::arch::Arch;
use crate::capability::{Object, SpaceId};
use crate::domain::{DomainId, ThreadId};
use crate::layout;
use crate::rights::Rights;

use Hypercall::{
    CapCopy, CapDelete, CapGrant, CapLookup, CapMove, CapRevoke, DomainCreate, EndpointCreate,
    MemoryGrantAndMap, PageAllocate, PageMap, PageUnmap, SyncCall, SyncPollReceive, SyncReceive,
    SyncReply, SyncSend,
};

const A: u64 = DATA + 0x10_0000;
const B: u64 = DATA + 0x20_0000;

/// What the backend has mapped there.
fn mapped(bench: &Bench, domain: u32, page: u64) -> Option<(crate::address::Frame, Rights)> {
    bench.kernel.arch.mappings()[&DomainId(domain)].get(&GuestPhysical(page)).copied()
}

fn frame_of(bench: &Bench, thread: ThreadId, slot: u64) -> crate::address::Frame {
    match bench.capability(thread, slot).expect("a page").object {
        Object::Page(frame) => frame,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_page_that_is_deleted_in_use_is_gone_before_the_call_returns() {
    for revoked in [false, true] {
        let mut bench = family();
        bench.done(MAIN, PageAllocate, &[12, R | W | G]);
        let frame = frame_of(&bench, MAIN, 12);
        bench.done(MAIN, CapGrant, &[TO_PEER, 12, 12, R | W]);
        bench.done(PEER, PageMap, &[12, A, R | W]);
        bench.kernel.arch.frame_write(frame, 8, b"secret");
        let frames = bench.kernel.frames.in_use();
        if revoked {
            bench.done(MAIN, CapRevoke, &[12]);
            assert_eq!((mapped(&bench, 1, A), bench.kernel.frames.in_use()), (None, frames));
            bench.done(MAIN, CapDelete, &[12]);
        } else {
            bench.done(MAIN, CapDelete, &[12]);
            assert!(mapped(&bench, 1, A).is_some(), "another capability allows it");
            bench.done(PEER, CapDelete, &[12]);
        }
        assert_eq!((mapped(&bench, 1, A), bench.kernel.frames.in_use()), (None, frames - 1));
        // Whoever has the frame next finds nothing of it.
        bench.done(PEER, PageAllocate, &[13, R | W]);
        assert_eq!(frame_of(&bench, PEER, 13), frame);
        let mut page = [1; PAGE_SIZE as usize];
        bench.kernel.arch.frame_read(frame, 0, &mut page);
        assert_eq!(page, [0; PAGE_SIZE as usize]);
        bench.tear_down();
    }
}

#[test]
fn a_message_whose_buffer_goes_with_its_domain_reaches_nobody() {
    // It waits to be received; or its sender waits for the answer.
    for received in [false, true] {
        let mut bench = with_endpoint(R, W | CALL);
        bench.done(MAIN, EndpointCreate, &[11]);
        bench.done(MAIN, DomainCreate, &[30]);
        assert_eq!(bench.configure(MAIN, 30, "m"), Status::Ok);
        bench.done(MAIN, CapGrant, &[30, EP, EP, W | CALL]);
        bench.done(MAIN, Hypercall::DomainRun, &[30]);
        let sender = ThreadId(bench.kernel.threads.len() as u32 - 1);
        message(&mut bench, sender, 500);
        waits(&mut bench, sender, SyncCall);
        if received {
            goes(&mut bench, PEER, SyncReceive);
        }
        message(&mut bench, PEER, 1);
        bench.done(MAIN, CapDelete, &[30]);
        assert_eq!(bench.send(PEER, SyncPollReceive, EP, 0), Status::WouldBlock);
        assert_eq!(words(&bench, PEER)[0], 1);
        let answer = if received { Status::PeerDied } else { Status::NotFound };
        assert_eq!(bench.send(PEER, SyncReply, 0, 0), answer);
        bench.tear_down();
    }
    // The receiver's goes, and the sender is not told that it was received.
    let mut bench = with_endpoint(R, W | CALL);
    let third = super::scenes::THIRD;
    bench.done(MAIN, CapDelete, &[EP]);
    waits(&mut bench, PEER, SyncReceive);
    bench.kernel.destroy_domain(DomainId(1)).expect("it exists");
    bench.audit();
    assert_eq!(bench.send(third, Hypercall::SyncPollSend, EP, 0), Status::WouldBlock);
    bench.tear_down();
}

#[test]
fn a_message_buffer_can_be_neither_named_nor_unmapped_nor_covered() {
    let mut bench = family();
    let pages: Vec<_> = bench.kernel.domains[&DomainId(0)].space.iter().collect();
    assert!(pages.len() > 10);
    bench.done(MAIN, PageAllocate, &[12, ALL]);
    bench.done(MAIN, DomainCreate, &[30]);
    for (page, mapping) in pages {
        assert_eq!(layout::window_rights(page), None, "{page}");
        for rights in [R, R | W, R | X] {
            bench.refused(MAIN, PageMap, &[12, page.0, rights], Status::Invalid);
            let words = [30, 12, 12, page.0, rights];
            bench.refused(MAIN, MemoryGrantAndMap, &words, Status::Invalid);
        }
        bench.refused(MAIN, CapLookup, &[page.0], Status::NotFound);
        let own = bench.kernel.capabilities.holders(Object::Page(mapping.frame));
        assert!(own.iter().all(|slot| slot.space == SpaceId::Boot(DomainId(0))));
    }
    // It serves to the end.
    bench.done(MAIN, CapDelete, &[12]);
    bench.done(MAIN, EndpointCreate, &[EP]);
    bench.done(MAIN, CapGrant, &[TO_PEER, EP, EP, R]);
    waits(&mut bench, PEER, SyncReceive);
    message(&mut bench, MAIN, 9);
    goes(&mut bench, MAIN, SyncSend);
    woken(&bench, PEER, Status::Ok);
    assert_eq!(bench.word(PEER, utcb::MESSAGE), 9);
    bench.tear_down();
}

#[test]
fn a_mapping_has_exactly_the_rights_that_were_asked_for() {
    let mut bench = family();
    bench.unchecked = true;
    for held in 0..=ALL {
        bench.done(MAIN, PageAllocate, &[12, held]);
        for asked in 0..=ALL {
            for (window, at) in [(R | W, A), (R | X, CODE)] {
                let status = if asked & !held != 0 {
                    Status::NotPermitted
                } else if asked & !window != 0 || asked & R == 0 || asked & X != window & X {
                    Status::Invalid
                } else {
                    Status::Ok
                };
                let got = bench.call(MAIN, PageMap, &[12, at, asked]);
                assert_eq!(got, status, "{asked:x} of {held:x} at {at:x}");
                let there = mapped(&bench, 0, at).map(|(_, rights)| rights.bits());
                assert_eq!(there, Some(asked).filter(|_| status == Status::Ok));
                bench.done(MAIN, PageUnmap, &[12]);
                assert_eq!(mapped(&bench, 0, at), None);
            }
        }
        bench.done(MAIN, CapDelete, &[12]);
    }
    bench.unchecked = false;
    bench.audit();
    bench.tear_down();
}

/// All orders of three things.
const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

#[test]
fn a_page_that_is_copied_and_mapped_everywhere_is_freed_in_every_order() {
    for order in ORDERS {
        let mut bench = family();
        let frames = bench.kernel.frames.in_use();
        bench.done(MAIN, PageAllocate, &[12, ALL]);
        bench.done(MAIN, CapCopy, &[12, 13, ALL]);
        bench.done(MAIN, CapGrant, &[TO_PEER, 13, 12, R | W]);
        let places = [(MAIN, 12, 0, A), (MAIN, 13, 0, B), (PEER, 12, 1, A)];
        for (thread, slot, _, at) in places {
            bench.done(thread, PageMap, &[slot, at, R]);
        }
        let mut left = [true; 3];
        for which in order {
            let (thread, slot, ..) = places[which];
            bench.done(thread, CapDelete, &[slot]);
            left[which] = false;
            let there = places.map(|(_, _, domain, at)| mapped(&bench, domain, at).is_some());
            assert_eq!(there, left, "{order:?}");
            let any = left.iter().any(|&left| left);
            assert_eq!(bench.kernel.frames.in_use() - frames, usize::from(any));
        }
        bench.tear_down();
    }
}

#[test]
fn an_address_space_is_made_filled_and_taken_apart_again_and_again() {
    let mut bench = family();
    bench.done(MAIN, PageAllocate, &[12, ALL, 3]);
    let before = (bench.kernel.frames.in_use(), bench.kernel.capabilities.len());
    for round in 0..20 {
        bench.done(MAIN, DomainCreate, &[30]);
        let domain = DomainId(bench.kernel.next_domain - 1);
        assert_eq!(bench.kernel.domains[&domain].space.mapped(), 0, "a new one is empty");
        bench.done(MAIN, MemoryGrantAndMap, &[30, 12, 7, A, R | W]);
        assert_eq!(bench.configure(MAIN, 30, "m"), Status::Ok);
        bench.done(MAIN, MemoryGrantAndMap, &[30, 12, 8, CODE, R | X]);
        assert!(mapped(&bench, domain.0, A + 0x7000).is_some());
        if round % 2 == 0 {
            bench.done(MAIN, Hypercall::DomainRun, &[30]);
        }
        bench.done(MAIN, CapDelete, &[30]);
        assert!(!bench.kernel.arch.mappings().contains_key(&domain));
        let after = (bench.kernel.frames.in_use(), bench.kernel.capabilities.len());
        assert_eq!(after, before);
    }
    bench.tear_down();
}

#[test]
fn a_place_is_taken_by_one_mapping_at_a_time() {
    let mut bench = family();
    for slot in [12, 13] {
        bench.done(MAIN, PageAllocate, &[slot, ALL]);
    }
    bench.done(MAIN, CapCopy, &[12, 14, ALL]);
    bench.done(MAIN, PageMap, &[12, A, R]);
    let first = mapped(&bench, 0, A);
    // Neither another page, nor the same one through another capability, nor with other rights.
    for slot in [13, 14] {
        bench.refused(MAIN, PageMap, &[slot, A, R | W], Status::Exists);
        bench.refused(MAIN, PageMap, &[slot, A, R], Status::Exists);
    }
    bench.refused(MAIN, PageMap, &[12, B, R], Status::Exists);
    assert_eq!(mapped(&bench, 0, A), first);
    // In another domain it is another place.
    bench.done(MAIN, CapGrant, &[TO_PEER, 12, 12, R]);
    bench.done(PEER, PageMap, &[12, A, R]);
    bench.done(MAIN, PageUnmap, &[12]);
    bench.done(MAIN, PageMap, &[13, A, R | W]);
    assert_eq!(mapped(&bench, 1, A), first);
    assert_ne!(mapped(&bench, 0, A).map(|(frame, _)| frame), first.map(|(frame, _)| frame));
    bench.tear_down();
}

#[test]
fn a_capability_that_was_mapped_once_takes_nobody_elses_mapping_away() {
    let mut bench = family();
    for slot in [12, 13] {
        bench.done(MAIN, PageAllocate, &[slot, ALL]);
    }
    bench.done(MAIN, PageMap, &[12, A, R]);
    bench.done(MAIN, PageUnmap, &[12]);
    bench.done(MAIN, PageMap, &[13, A, R | W]);
    let now = mapped(&bench, 0, A);
    // Unmapped again, copied, moved, revoked, deleted: the place is not its own any more.
    bench.done(MAIN, PageUnmap, &[12]);
    bench.done(MAIN, CapCopy, &[12, 14, ALL]);
    bench.done(MAIN, PageUnmap, &[14]);
    bench.done(MAIN, CapMove, &[12, 15, ALL]);
    bench.done(MAIN, CapRevoke, &[15]);
    bench.done(MAIN, CapDelete, &[15]);
    assert_eq!(mapped(&bench, 0, A), now);
    bench.refused(MAIN, PageUnmap, &[12], Status::NotFound);
    bench.done(MAIN, CapLookup, &[A]);
    assert_eq!(bench.word(MAIN, utcb::MESSAGE + 8), 13);

    // A domain that is gone takes its mappings along, and nobody else's at the same place.
    bench.done(MAIN, CapGrant, &[TO_PEER, 13, 13, R]);
    bench.done(MAIN, CapGrant, &[TO_THIRD, 13, 13, R]);
    bench.done(PEER, PageMap, &[13, A, R]);
    bench.done(super::scenes::THIRD, PageMap, &[13, A, R]);
    bench.kernel.destroy_domain(DomainId(2)).expect("it exists");
    bench.audit();
    assert_eq!(mapped(&bench, 0, A), now);
    assert!(mapped(&bench, 1, A).is_some());
    bench.tear_down();
}
