//! A notification that is bound to a thread: what ends the thread's receiving, and what is left
//! when either of the two goes.

use super::scenes::{
    EP, THIRD, TO_PEER, TO_THIRD, blocked, goes, has_message, message, thread, waits,
    with_endpoint, woken,
};
use super::{Bench, G, MAIN, PEER, R, W};
use crate::abi::{Hypercall, Received, Status, utcb};
use crate::domain::ThreadId;

use Hypercall::{
    CapDelete, CapGrant, CapMove, CapRevoke, EndpointCreate, NotificationBind, NotificationCreate,
    NotificationPoll, NotificationSignal, NotificationWait, Sleep, SyncPollReceive, SyncReceive,
    SyncSend, ThreadKill,
};

/// The notification, and capabilities of `main` that signal bits 2 and 4 of it.
const NOTIFICATION: u64 = 12;
const TWO: u64 = 13;
const FOUR: u64 = 14;

/// `peer` receives from the endpoint, to which `third` can send; it is bound to a notification,
/// which `main` signals.
fn bound() -> Bench {
    let mut bench = with_endpoint(R, W);
    bench.done(MAIN, NotificationCreate, &[NOTIFICATION]);
    for (slot, badge) in [(TWO, 2), (FOUR, 4)] {
        bench.done(MAIN, Hypercall::CapCopy, &[NOTIFICATION, slot, W | G, badge]);
    }
    bench.done(MAIN, CapGrant, &[TO_PEER, NOTIFICATION, NOTIFICATION, R]);
    bench.done(PEER, NotificationBind, &[NOTIFICATION]);
    bench
}

#[track_caller]
fn has_bits(bench: &Bench, thread: ThreadId, bits: u64) {
    assert_eq!(bench.word(thread, utcb::RECEIVED), Received::Notification as u64);
    assert_eq!(bench.word(thread, utcb::BADGE), bits);
}

#[test]
fn who_receives_is_woken_by_a_message_and_by_a_signal() {
    let mut bench = bound();
    for i in 0..10 {
        waits(&mut bench, PEER, SyncReceive);
        bench.done(MAIN, NotificationSignal, &[TWO]);
        woken(&bench, PEER, Status::Ok);
        has_bits(&bench, PEER, 2);

        waits(&mut bench, PEER, SyncReceive);
        message(&mut bench, THIRD, i);
        goes(&mut bench, THIRD, SyncSend);
        woken(&bench, PEER, Status::Ok);
        assert_eq!(bench.word(PEER, utcb::RECEIVED), Received::Message as u64);
        assert_eq!(bench.word(PEER, utcb::BADGE), 7);
        has_message(&bench, PEER, i);

        // With both there, the bits are first, all of them at once, and the sender is not lost.
        waits(&mut bench, THIRD, SyncSend);
        bench.done(MAIN, NotificationSignal, &[TWO]);
        bench.done(MAIN, NotificationSignal, &[FOUR]);
        goes(&mut bench, PEER, SyncReceive);
        has_bits(&bench, PEER, 6);
        blocked(&bench, THIRD);
        goes(&mut bench, PEER, SyncReceive);
        woken(&bench, THIRD, Status::Ok);

        // What waits for something else is not disturbed, and the bits are not lost.
        assert_eq!(bench.call(PEER, Sleep, &[2]), Status::Waiting);
        bench.done(MAIN, NotificationSignal, &[FOUR]);
        blocked(&bench, PEER);
        bench.done(MAIN, Hypercall::Yield, &[]);
        woken(&bench, PEER, Status::Ok);
        goes(&mut bench, PEER, SyncReceive);
        has_bits(&bench, PEER, 4);

        // The notification can be waited for by itself as well.
        assert_eq!(bench.call(PEER, NotificationWait, &[NOTIFICATION, 0]), Status::Waiting);
        bench.done(MAIN, NotificationSignal, &[TWO]);
        woken(&bench, PEER, Status::Ok);
        assert_eq!(bench.word(PEER, utcb::MESSAGE + 8), 2);
    }
    bench.tear_down();
}

#[test]
fn polling_takes_the_bits_once_whichever_way() {
    let mut bench = bound();
    assert_eq!(bench.send(PEER, SyncPollReceive, EP, 0), Status::WouldBlock);
    bench.done(MAIN, NotificationSignal, &[TWO]);
    goes(&mut bench, PEER, SyncPollReceive);
    has_bits(&bench, PEER, 2);
    assert_eq!(bench.send(PEER, SyncPollReceive, EP, 0), Status::WouldBlock);
    bench.refused(PEER, NotificationPoll, &[NOTIFICATION], Status::WouldBlock);

    bench.done(MAIN, NotificationSignal, &[FOUR]);
    bench.done(PEER, NotificationPoll, &[NOTIFICATION]);
    assert_eq!(bench.word(PEER, utcb::MESSAGE + 8), 4);
    assert_eq!(bench.send(PEER, SyncPollReceive, EP, 0), Status::WouldBlock);

    waits(&mut bench, THIRD, SyncSend);
    bench.done(MAIN, NotificationSignal, &[TWO]);
    goes(&mut bench, PEER, SyncPollReceive);
    has_bits(&bench, PEER, 2);
    goes(&mut bench, PEER, SyncPollReceive);
    assert_eq!(bench.word(PEER, utcb::RECEIVED), Received::Message as u64);
    bench.tear_down();
}

#[test]
fn a_thread_outlives_its_notification_and_a_notification_its_thread() {
    let mut bench = bound();
    waits(&mut bench, PEER, SyncReceive);
    bench.done(MAIN, CapRevoke, &[NOTIFICATION]);
    bench.done(MAIN, CapDelete, &[NOTIFICATION]);
    assert!(bench.kernel.notifications.is_empty());
    blocked(&bench, PEER);
    goes(&mut bench, THIRD, SyncSend);
    woken(&bench, PEER, Status::Ok);
    // It can have another.
    bench.done(PEER, NotificationCreate, &[NOTIFICATION]);
    bench.done(PEER, NotificationBind, &[NOTIFICATION]);
    bench.tear_down();

    let mut bench = bound();
    let further = thread(&mut bench, TO_PEER);
    bench.refused(further, NotificationBind, &[NOTIFICATION], Status::Exists);
    waits(&mut bench, PEER, SyncReceive);
    bench.done(MAIN, ThreadKill, &[TO_PEER, 0]);
    bench.done(MAIN, NotificationSignal, &[FOUR]);
    bench.done(further, NotificationBind, &[NOTIFICATION]);
    goes(&mut bench, further, SyncReceive);
    has_bits(&bench, further, 4);
    bench.tear_down();
}

#[test]
fn the_binding_goes_with_the_capability_that_it_was_made_through() {
    for how in 0..3 {
        let mut bench = bound();
        waits(&mut bench, PEER, SyncReceive);
        match how {
            0 => {
                bench.done(MAIN, CapRevoke, &[NOTIFICATION]);
            }
            1 => {
                let further = thread(&mut bench, TO_PEER);
                bench.done(further, CapDelete, &[NOTIFICATION]);
            }
            _ => {
                let further = thread(&mut bench, TO_PEER);
                bench.done(further, CapMove, &[NOTIFICATION, 15, R]);
            }
        }
        bench.done(MAIN, NotificationSignal, &[NOTIFICATION]);
        blocked(&bench, PEER);
        goes(&mut bench, THIRD, SyncSend);
        woken(&bench, PEER, Status::Ok);
        assert_eq!(bench.word(PEER, utcb::RECEIVED), Received::Message as u64);
        bench.tear_down();
    }
}

#[test]
fn who_can_be_signalled_is_not_told_that_nobody_is_left() {
    let mut bench = bound();
    // An endpoint at which nobody can ever send, and a notification that main can signal.
    bench.done(PEER, EndpointCreate, &[30]);
    assert_eq!(bench.send(PEER, SyncReceive, 30, 0), Status::Waiting);
    bench.done(MAIN, CapGrant, &[TO_THIRD, TWO, 15, W]);
    bench.done(THIRD, Hypercall::Exit, &[0]);
    blocked(&bench, PEER);
    bench.done(MAIN, NotificationSignal, &[FOUR]);
    woken(&bench, PEER, Status::Ok);
    has_bits(&bench, PEER, 4);
    // When that is over too, it is told.
    assert_eq!(bench.send(PEER, SyncReceive, 30, 0), Status::Waiting);
    bench.done(MAIN, Hypercall::Exit, &[0]);
    woken(&bench, PEER, Status::PeerDied);
    bench.tear_down();
}
