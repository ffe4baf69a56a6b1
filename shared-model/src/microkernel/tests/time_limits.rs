//! Limits of time where somebody takes too long: a server, a server of a server, and what a thread
//! does about it that watches.

use super::scenes::{
    CALL, EP, THIRD, TO_PEER, TO_THIRD, blocked, goes, has_message, message, thread, waits,
    with_endpoint, woken,
};
use super::{Bench, G, MAIN, PEER, R, W};
use crate::abi::{Hypercall, Status, utcb};
use crate::arch::Arch;
use crate::domain::ThreadId;
use crate::exit::{End, KillReason};

use Hypercall::{
    CapDelete, CapGrant, EndpointCreate, SyncCall, SyncPollReceive, SyncReceive, SyncReply,
    SyncReplyReceive, SyncSend, ThreadGetRegisters, ThreadKill, ThreadResume, ThreadSetRegisters,
    ThreadSuspend, Yield,
};

/// A second endpoint, behind the first.
const BEHIND: u64 = 11;

#[track_caller]
fn idles(bench: &mut Bench, thread: ThreadId, ticks: u64) {
    for _ in 0..ticks {
        bench.done(thread, Yield, &[]);
    }
}

#[test]
fn a_server_that_takes_too_long_answers_nobody_and_serves_the_next() {
    let mut bench = with_endpoint(R, W | CALL);
    for limit in [1, 5, 30] {
        assert_eq!(bench.send(THIRD, SyncCall, EP, limit), Status::Waiting);
        if limit > 1 {
            goes(&mut bench, PEER, SyncReceive);
            idles(&mut bench, PEER, limit - 2);
            blocked(&bench, THIRD);
        }
        idles(&mut bench, PEER, 1);
        woken(&bench, THIRD, Status::TimedOut);
        message(&mut bench, THIRD, 1);
        message(&mut bench, PEER, 70);
        let status = if limit > 1 { Status::PeerDied } else { Status::NotFound };
        assert_eq!(bench.send(PEER, SyncReplyReceive, EP, 0), status);
        has_message(&bench, THIRD, 1);
        // In time.
        assert_eq!(bench.send(THIRD, SyncCall, EP, 10), Status::Waiting);
        goes(&mut bench, PEER, SyncReceive);
        idles(&mut bench, PEER, 5);
        message(&mut bench, PEER, 80);
        goes(&mut bench, PEER, SyncReply);
        woken(&bench, THIRD, Status::Ok);
        has_message(&bench, THIRD, 80);
        // The limit of what is over means nothing any more.
        idles(&mut bench, MAIN, 20);
        assert!(bench.kernel.deadlines.is_empty());
    }
    bench.tear_down();
}

/// `third` calls `peer`, which calls a thread of `main` through another endpoint.
fn nested(outer: u64, inner: u64) -> (Bench, ThreadId) {
    let mut bench = with_endpoint(R, W | CALL);
    bench.done(MAIN, EndpointCreate, &[BEHIND]);
    bench.done(MAIN, CapGrant, &[TO_PEER, BEHIND, BEHIND, W | CALL]);
    let behind = thread(&mut bench, 0);
    assert_eq!(bench.send(behind, SyncReceive, BEHIND, 0), Status::Waiting);
    waits(&mut bench, PEER, SyncReceive);
    assert_eq!(bench.send(THIRD, SyncCall, EP, outer), Status::Waiting);
    assert_eq!(bench.send(PEER, SyncCall, BEHIND, inner), Status::Waiting);
    woken(&bench, behind, Status::Ok);
    (bench, behind)
}

#[test]
fn the_limit_of_an_inner_call_leaves_the_outer_one_to_be_answered() {
    let (mut bench, behind) = nested(100, 5);
    idles(&mut bench, behind, 5);
    woken(&bench, PEER, Status::TimedOut);
    blocked(&bench, THIRD);
    message(&mut bench, PEER, 300);
    goes(&mut bench, PEER, SyncReply);
    woken(&bench, THIRD, Status::Ok);
    has_message(&bench, THIRD, 300);
    assert_eq!(bench.send(behind, SyncReply, 0, 0), Status::PeerDied);
    bench.tear_down();
}

#[test]
fn the_limit_of_an_outer_call_leaves_the_inner_one_to_be_answered() {
    let (mut bench, behind) = nested(5, 100);
    idles(&mut bench, behind, 5);
    woken(&bench, THIRD, Status::TimedOut);
    blocked(&bench, PEER);
    message(&mut bench, behind, 300);
    goes(&mut bench, behind, SyncReply);
    woken(&bench, PEER, Status::Ok);
    has_message(&bench, PEER, 300);
    assert_eq!(bench.send(PEER, SyncReply, 0, 0), Status::PeerDied);
    // Both at the same tick: both are told.
    let (mut bench, behind) = nested(6, 5);
    idles(&mut bench, behind, 5);
    woken(&bench, THIRD, Status::TimedOut);
    woken(&bench, PEER, Status::TimedOut);
    bench.tear_down();
}

/// `main` watches: it waits for a sign of life for so long.
#[track_caller]
fn no_sign_of_life(bench: &mut Bench, server: ThreadId) {
    bench.done(MAIN, EndpointCreate, &[14]);
    assert_eq!(bench.send(MAIN, SyncReceive, 14, 4), Status::Waiting);
    idles(bench, server, 4);
    woken(bench, MAIN, Status::TimedOut);
}

#[test]
fn who_watches_a_server_that_is_late_ends_it_and_its_callers_are_told() {
    let mut bench = with_endpoint(R, W | CALL);
    bench.done(MAIN, CapDelete, &[EP]);
    goes_to(&mut bench);
    no_sign_of_life(&mut bench, PEER);
    bench.done(MAIN, ThreadKill, &[TO_PEER, 0]);
    assert_eq!(bench.end_of(PEER), Some(End::Killed(KillReason::Terminated)));
    woken(&bench, THIRD, Status::PeerDied);
    bench.tear_down();
}

/// `third` calls and `peer` receives, and does not answer.
#[track_caller]
fn goes_to(bench: &mut Bench) {
    waits(bench, PEER, SyncReceive);
    waits(bench, THIRD, SyncCall);
    woken(bench, PEER, Status::Ok);
}

#[test]
fn who_watches_a_server_that_is_late_puts_it_back_to_its_beginning() {
    let mut bench = with_endpoint(R | G, W | CALL);
    goes_to(&mut bench);
    let start = bench.kernel.arch.registers(PEER).rip;
    let mut lost = bench.kernel.arch.registers(PEER);
    lost.rip = start + 0x20;
    bench.kernel.arch.set_registers(PEER, &lost);
    no_sign_of_life(&mut bench, PEER);
    bench.done(MAIN, ThreadSuspend, &[TO_PEER, 0]);
    bench.done(MAIN, ThreadGetRegisters, &[TO_PEER, 0]);
    let at = utcb::BUFFER + 16 * 8;
    assert_eq!(bench.word(MAIN, at), start + 0x20);
    bench.set_word(MAIN, at, start);
    bench.done(MAIN, ThreadSetRegisters, &[TO_PEER, 0]);
    bench.done(MAIN, ThreadResume, &[TO_PEER, 0]);
    assert_eq!(bench.kernel.arch.registers(PEER).rip, start);
    // It still owes the answer: it says that it failed, and serves on.
    blocked(&bench, THIRD);
    message(&mut bench, PEER, 500);
    waits(&mut bench, PEER, SyncReplyReceive);
    woken(&bench, THIRD, Status::Ok);
    has_message(&bench, THIRD, 500);
    waits(&mut bench, THIRD, SyncCall);
    woken(&bench, PEER, Status::Ok);
    goes(&mut bench, PEER, SyncReply);
    bench.done(MAIN, ThreadKill, &[TO_THIRD, 0]);
    assert_eq!(bench.send(MAIN, SyncPollReceive, EP, 0), Status::WouldBlock);
    assert_eq!(bench.send(MAIN, SyncSend, EP, 1), Status::Waiting);
    bench.tear_down();
}
