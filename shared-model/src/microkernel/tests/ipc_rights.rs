//! What each right of an endpoint's capability allows, with all sets of rights there are.

use super::scenes::{ALL, CALL, EP, TO_PEER, blocked, family, woken};
use super::{Bench, G, MAIN, PEER, R, W};
use crate::abi::{Hypercall, Status, utcb};

use Hypercall::{
    CapDelete, CapGrant, EndpointCancel, EndpointCreate, PageAllocate, SyncCall, SyncPollReceive,
    SyncPollSend, SyncReceive, SyncReply, SyncSend,
};

/// The slot of `peer` with the endpoint and these rights.
const fn with(rights: u64) -> u64 {
    1 << 20 | rights
}

/// `main` made an endpoint, and `peer` has a capability with every set of rights.
fn every_set() -> Bench {
    let mut bench = family();
    bench.done(MAIN, EndpointCreate, &[EP]);
    for rights in 0..=ALL {
        bench.done(MAIN, CapGrant, &[TO_PEER, EP, with(rights), rights]);
    }
    bench
}

/// Puts one slot into a thread's first capability register.
fn names(bench: &mut Bench, thread: crate::domain::ThreadId, slot: u64) {
    bench.set_word(thread, utcb::CAPABILITY, slot);
}

/// Whether the page arrived in `main`, which is then as before.
#[track_caller]
fn arrived(bench: &mut Bench, slot: u64) -> bool {
    let arrived = bench.word(MAIN, utcb::ARRIVED) == 1;
    assert_eq!(bench.word(MAIN, utcb::FAILED), u64::from(!arrived));
    assert_eq!(bench.capability(MAIN, slot).is_some(), arrived);
    if arrived {
        bench.done(MAIN, CapDelete, &[slot]);
    }
    arrived
}

#[test]
fn to_send_needs_write_and_nothing_else() {
    let mut bench = every_set();
    for rights in 0..=ALL {
        let slot = with(rights);
        if rights & W == 0 {
            for call in [SyncSend, SyncPollSend] {
                assert_eq!(bench.send(PEER, call, slot, 0), Status::NotPermitted);
            }
            continue;
        }
        assert_eq!(bench.send(PEER, SyncPollSend, slot, 0), Status::WouldBlock);
        assert_eq!(bench.send(PEER, SyncSend, slot, 0), Status::Waiting);
        bench.done(MAIN, EndpointCancel, &[EP, 0]);
        woken(&bench, PEER, Status::Cancelled);
        for call in [SyncSend, SyncPollSend] {
            assert_eq!(bench.send(MAIN, SyncReceive, EP, 0), Status::Waiting);
            assert_eq!(bench.send(PEER, call, slot, 0), Status::Ok);
            woken(&bench, MAIN, Status::Ok);
        }
    }
    bench.tear_down();
}

#[test]
fn to_receive_needs_read_and_nothing_else() {
    let mut bench = every_set();
    for rights in 0..=ALL {
        let slot = with(rights);
        if rights & R == 0 {
            for call in [SyncReceive, SyncPollReceive] {
                assert_eq!(bench.send(PEER, call, slot, 0), Status::NotPermitted);
            }
            continue;
        }
        assert_eq!(bench.send(PEER, SyncPollReceive, slot, 0), Status::WouldBlock);
        assert_eq!(bench.send(PEER, SyncReceive, slot, 0), Status::Waiting);
        assert_eq!(bench.send(MAIN, SyncSend, EP, 0), Status::Ok);
        woken(&bench, PEER, Status::Ok);
    }
    bench.tear_down();
}

#[test]
fn a_capability_goes_along_only_with_grant() {
    let mut bench = every_set();
    bench.done(PEER, PageAllocate, &[12, R | W | G]);
    names(&mut bench, PEER, 12);
    names(&mut bench, MAIN, 30);
    for rights in (0..=ALL).filter(|rights| rights & W != 0) {
        let slot = with(rights);
        for receiver_first in [false, true] {
            let [first, second] = match receiver_first {
                false => [(PEER, SyncSend, slot), (MAIN, SyncReceive, EP)],
                true => [(MAIN, SyncReceive, EP), (PEER, SyncSend, slot)],
            };
            let (thread, call, through) = first;
            assert_eq!(bench.send(thread, call, through, 0), Status::Waiting);
            let (thread, call, through) = second;
            assert_eq!(bench.send(thread, call, through, 0), Status::Ok, "the words go");
            assert_eq!(arrived(&mut bench, 30), rights & G != 0);
        }
    }
    // A capability without grant stays, whatever the endpoint's.
    bench.done(PEER, PageAllocate, &[13, R | W]);
    names(&mut bench, PEER, 13);
    assert_eq!(bench.send(MAIN, SyncReceive, EP, 0), Status::Waiting);
    assert_eq!(bench.send(PEER, SyncSend, with(ALL), 0), Status::Ok);
    assert!(!arrived(&mut bench, 30));
    bench.tear_down();
}

#[test]
fn to_call_needs_write_and_either_grant_or_call() {
    let mut bench = every_set();
    for rights in 0..=ALL {
        let slot = with(rights);
        if rights & W == 0 || rights & (G | CALL) == 0 {
            assert_eq!(bench.send(PEER, SyncCall, slot, 0), Status::NotPermitted);
            continue;
        }
        assert_eq!(bench.send(PEER, SyncCall, slot, 0), Status::Waiting);
        assert_eq!(bench.send(MAIN, SyncReceive, EP, 0), Status::Ok);
        blocked(&bench, PEER);
        assert_eq!(bench.send(MAIN, SyncReply, 0, 0), Status::Ok);
        woken(&bench, PEER, Status::Ok);
    }
    bench.tear_down();
}

#[test]
fn an_answer_carries_a_capability_if_who_received_the_call_may_grant() {
    let mut bench = every_set();
    bench.done(PEER, PageAllocate, &[12, R | W | G]);
    names(&mut bench, PEER, 12);
    names(&mut bench, MAIN, 30);
    for rights in (0..=ALL).filter(|rights| rights & R != 0) {
        for called_first in [false, true] {
            if called_first {
                assert_eq!(bench.send(MAIN, SyncCall, EP, 0), Status::Waiting);
                assert_eq!(bench.send(PEER, SyncReceive, with(rights), 0), Status::Ok);
            } else {
                assert_eq!(bench.send(PEER, SyncReceive, with(rights), 0), Status::Waiting);
                assert_eq!(bench.send(MAIN, SyncCall, EP, 0), Status::Waiting);
            }
            // To answer needs no right but the one that came with the call.
            assert_eq!(bench.send(PEER, SyncReply, 0, 0), Status::Ok);
            woken(&bench, MAIN, Status::Ok);
            assert_eq!(arrived(&mut bench, 30), rights & G != 0);
        }
    }
    bench.tear_down();
}
