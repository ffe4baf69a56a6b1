//! Messages between threads: who gets what, in which order, and what ends a wait.

use super::scenes::{
    CALL, EP, THIRD, TO_PEER, TO_THIRD, has_message, message, waits, with_endpoint, woken,
};
use super::{G, MAIN, PEER, R, W};
use crate::abi::{Hypercall, Received, Status, utcb};
use crate::domain::{DomainId, ThreadState};
use crate::exit::{End, KillReason};
use crate::microkernel::Step;

use Hypercall::{
    CapCopy, CapDelete, CapGrant, CapMove, CapRevoke, EndpointCancel, EndpointCreate,
    NotificationBind, NotificationCreate, NotificationPoll, NotificationSignal, NotificationWait,
    PageAllocate, SyncCall, SyncPollReceive, SyncPollSend, SyncReceive, SyncReply,
    SyncReplyReceive, SyncSend,
};

#[test]
fn all_eight_registers_arrive_whoever_comes_first() {
    for receiver_first in [false, true] {
        let mut bench = with_endpoint(R | W, R | W);
        message(&mut bench, THIRD, 100);
        if receiver_first {
            waits(&mut bench, PEER, SyncReceive);
            assert_eq!(bench.send(THIRD, SyncSend, EP, 0), Status::Ok);
            woken(&bench, PEER, Status::Ok);
        } else {
            waits(&mut bench, THIRD, SyncSend);
            assert_eq!(bench.send(PEER, SyncReceive, EP, 0), Status::Ok);
            woken(&bench, THIRD, Status::Ok);
        }
        has_message(&bench, PEER, 100);
        assert_eq!(bench.word(PEER, utcb::BADGE), 7);
        assert_eq!(bench.word(PEER, utcb::RECEIVED), Received::Message as u64);
        bench.tear_down();
    }
}

#[test]
fn senders_and_receivers_are_served_in_the_order_of_their_coming() {
    let mut bench = with_endpoint(R | W, R | W);
    for (sender, first) in [(THIRD, 30), (PEER, 20)] {
        message(&mut bench, sender, first);
        waits(&mut bench, sender, SyncSend);
    }
    for first in [30, 20] {
        assert_eq!(bench.send(MAIN, SyncReceive, EP, 0), Status::Ok);
        has_message(&bench, MAIN, first);
    }
    for receiver in [PEER, THIRD] {
        waits(&mut bench, receiver, SyncReceive);
    }
    for (receiver, first) in [(PEER, 40), (THIRD, 50)] {
        message(&mut bench, MAIN, first);
        assert_eq!(bench.send(MAIN, SyncSend, EP, 0), Status::Ok);
        woken(&bench, receiver, Status::Ok);
        has_message(&bench, receiver, first);
    }
    bench.tear_down();
}

#[test]
fn without_the_right_there_is_no_message() {
    let mut bench = with_endpoint(R, W);
    for (thread, call) in [
        (PEER, SyncSend),
        (PEER, SyncPollSend),
        (PEER, SyncCall),
        (THIRD, SyncReceive),
        (THIRD, SyncPollReceive),
        // Write without grant or call: it could not be answered.
        (THIRD, SyncCall),
    ] {
        assert_eq!(bench.send(thread, call, EP, 0), Status::NotPermitted, "{call:?}");
    }
    for call in [SyncSend, SyncReceive, SyncCall, SyncPollSend, SyncPollReceive] {
        assert_eq!(bench.send(MAIN, call, 25, 0), Status::NotFound);
        assert_eq!(bench.send(MAIN, call, TO_PEER, 0), Status::Invalid);
        assert_eq!(bench.send(MAIN, call, 0, 0), Status::Invalid);
        assert_eq!(bench.send(MAIN, call, 1, 0), Status::Invalid);
        assert_eq!(bench.send(MAIN, call, u64::MAX, 0), Status::Invalid);
    }
    bench.done(MAIN, CapRevoke, &[EP]);
    bench.done(MAIN, CapGrant, &[TO_THIRD, EP, EP, W | CALL]);
    waits(&mut bench, THIRD, SyncCall);
    bench.tear_down();
}

#[test]
fn polling_never_waits() {
    let mut bench = with_endpoint(R | W, R | W);
    assert_eq!(bench.send(PEER, SyncPollReceive, EP, 0), Status::WouldBlock);
    assert_eq!(bench.send(PEER, SyncPollSend, EP, 0), Status::WouldBlock);
    waits(&mut bench, THIRD, SyncSend);
    assert_eq!(bench.send(PEER, SyncPollReceive, EP, 0), Status::Ok);
    waits(&mut bench, THIRD, SyncReceive);
    assert_eq!(bench.send(PEER, SyncPollSend, EP, 0), Status::Ok);
    woken(&bench, THIRD, Status::Ok);
    bench.tear_down();
}

#[test]
fn a_call_is_answered_once_and_by_slot_2() {
    let mut bench = with_endpoint(R | W, W | CALL);
    message(&mut bench, THIRD, 1);
    waits(&mut bench, THIRD, SyncCall);
    assert_eq!(bench.send(PEER, SyncReply, 0, 0), Status::NotFound, "nobody has called yet");
    assert_eq!(bench.send(PEER, SyncReceive, EP, 0), Status::Ok);
    assert_eq!(bench.word(PEER, utcb::RECEIVED), Received::Call as u64);
    assert_eq!(bench.state_of_thread(THIRD), ThreadState::Blocked, "it waits for the answer");
    message(&mut bench, PEER, 60);
    assert_eq!(bench.send(PEER, SyncReply, 0, 0), Status::Ok);
    woken(&bench, THIRD, Status::Ok);
    has_message(&bench, THIRD, 60);
    assert_eq!(bench.send(PEER, SyncReply, 0, 0), Status::NotFound, "once");
    bench.tear_down();
}

#[test]
fn reply_receive_serves_one_caller_after_the_other() {
    let mut bench = with_endpoint(R | W, W | CALL);
    bench.done(MAIN, CapCopy, &[EP, 11, W | CALL, 9]);
    waits(&mut bench, PEER, SyncReceive);
    message(&mut bench, THIRD, 1);
    waits(&mut bench, THIRD, SyncCall);
    woken(&bench, PEER, Status::Ok);
    assert_eq!(bench.word(PEER, utcb::BADGE), 7);
    message(&mut bench, MAIN, 2);
    assert_eq!(bench.send(MAIN, SyncCall, 11, 0), Status::Waiting);
    message(&mut bench, PEER, 70);
    assert_eq!(bench.send(PEER, SyncReplyReceive, EP, 0), Status::Ok);
    woken(&bench, THIRD, Status::Ok);
    has_message(&bench, THIRD, 70);
    assert_eq!(bench.word(PEER, utcb::BADGE), 9);
    has_message(&bench, PEER, 2);
    waits(&mut bench, PEER, SyncReplyReceive);
    woken(&bench, MAIN, Status::Ok);
    bench.tear_down();
}

#[test]
fn calls_nest_and_are_answered_from_the_last_to_the_first() {
    let mut bench = with_endpoint(R | W, W | CALL);
    waits(&mut bench, THIRD, SyncCall);
    assert_eq!(bench.send(PEER, SyncReceive, EP, 0), Status::Ok);
    waits(&mut bench, MAIN, SyncCall);
    assert_eq!(bench.send(PEER, SyncReceive, EP, 0), Status::Ok);
    assert_eq!(bench.send(PEER, SyncReply, 0, 0), Status::Ok);
    woken(&bench, MAIN, Status::Ok);
    assert_eq!(bench.state_of_thread(THIRD), ThreadState::Blocked);
    assert_eq!(bench.send(PEER, SyncReply, 0, 0), Status::Ok);
    woken(&bench, THIRD, Status::Ok);
    bench.tear_down();
}

#[test]
fn an_answer_can_be_put_aside_and_given_later() {
    let mut bench = with_endpoint(R | W, W | CALL);
    waits(&mut bench, THIRD, SyncCall);
    assert_eq!(bench.send(PEER, SyncReceive, EP, 0), Status::Ok);
    bench.done(PEER, CapMove, &[2, 30, 31]);
    waits(&mut bench, MAIN, SyncCall);
    assert_eq!(bench.send(PEER, SyncReceive, EP, 0), Status::Ok);
    // The right to answer exists once.
    bench.refused(PEER, CapCopy, &[30, 29, 31], Status::Invalid);
    bench.refused(PEER, CapCopy, &[2, 29, 31], Status::Invalid);
    message(&mut bench, PEER, 5);
    assert_eq!(bench.send(PEER, SyncSend, 30, 0), Status::Ok);
    woken(&bench, THIRD, Status::Ok);
    assert_eq!(bench.capability(PEER, 30), None);
    assert_eq!(bench.send(PEER, SyncSend, 30, 0), Status::NotFound);
    assert_eq!(bench.send(PEER, SyncReply, 0, 0), Status::Ok);
    woken(&bench, MAIN, Status::Ok);
    bench.tear_down();
}

#[test]
fn a_caller_that_gave_up_leaves_a_gap_and_not_its_place_to_another() {
    let mut bench = with_endpoint(R | W, W | CALL);
    waits(&mut bench, MAIN, SyncCall);
    assert_eq!(bench.send(PEER, SyncReceive, EP, 0), Status::Ok);
    assert_eq!(bench.send(THIRD, SyncCall, EP, 3), Status::Waiting);
    assert_eq!(bench.send(PEER, SyncReceive, EP, 0), Status::Ok);
    for _ in 0..4 {
        bench.done(PEER, Hypercall::Yield, &[]);
    }
    woken(&bench, THIRD, Status::TimedOut);
    assert_eq!(bench.send(PEER, SyncReply, 0, 0), Status::PeerDied, "the third is not there");
    assert_eq!(bench.state_of_thread(MAIN), ThreadState::Blocked, "and this was not for main");
    assert_eq!(bench.send(PEER, SyncReply, 0, 0), Status::Ok);
    woken(&bench, MAIN, Status::Ok);
    bench.tear_down();
}

#[test]
fn capabilities_go_along_and_each_side_learns_which() {
    let mut bench = with_endpoint(R | W | G, R | W | G);
    bench.done(THIRD, PageAllocate, &[12, R | W | G]);
    bench.done(THIRD, PageAllocate, &[13, R | W]);
    for (i, from, to) in [(0, 12, 12), (1, 13, 13), (2, 14, 14), (3, 12, EP), (4, 12, 0)] {
        bench.set_word(THIRD, utcb::CAPABILITY + i * 8, from);
        bench.set_word(PEER, utcb::CAPABILITY + i * 8, to);
    }
    waits(&mut bench, THIRD, SyncSend);
    assert_eq!(bench.send(PEER, SyncReceive, EP, 0), Status::Ok);
    for side in [PEER, THIRD] {
        assert_eq!(bench.word(side, utcb::ARRIVED), 0b00001);
        assert_eq!(bench.word(side, utcb::FAILED), 0b01110);
    }
    let arrived = bench.capability(PEER, 12).expect("it arrived");
    assert_eq!(arrived.rights.bits(), R | W | G);
    assert_eq!(bench.capability(PEER, 13), None, "without grant it stays");
    // It is the sender's child.
    bench.done(THIRD, CapRevoke, &[12]);
    assert_eq!(bench.capability(PEER, 12), None);
    bench.tear_down();
}

#[test]
fn an_endpoint_without_grant_lets_no_capability_through() {
    let mut bench = with_endpoint(R | W, W | CALL);
    bench.done(THIRD, PageAllocate, &[12, R | W | G]);
    bench.set_word(THIRD, utcb::CAPABILITY, 12);
    bench.set_word(PEER, utcb::CAPABILITY, 12);
    waits(&mut bench, THIRD, SyncCall);
    assert_eq!(bench.send(PEER, SyncReceive, EP, 0), Status::Ok);
    assert_eq!((bench.word(PEER, utcb::ARRIVED), bench.word(PEER, utcb::FAILED)), (0, 1));
    // Nor back: the receiver's own capability has no grant either.
    bench.done(PEER, PageAllocate, &[12, R | G]);
    assert_eq!(bench.send(PEER, SyncReply, 0, 0), Status::Ok);
    assert_eq!((bench.word(THIRD, utcb::ARRIVED), bench.word(THIRD, utcb::FAILED)), (0, 1));
    bench.tear_down();
}

#[test]
fn a_wait_ends_when_its_time_is_up() {
    let mut bench = with_endpoint(R | W, R | W);
    assert_eq!(bench.send(PEER, SyncReceive, EP, 2), Status::Waiting);
    bench.done(MAIN, Hypercall::Yield, &[]);
    assert_eq!(bench.state_of_thread(PEER), ThreadState::Blocked);
    bench.done(MAIN, Hypercall::Yield, &[]);
    woken(&bench, PEER, Status::TimedOut);
    waits(&mut bench, THIRD, SyncSend);
    assert_eq!(bench.send(MAIN, SyncReceive, EP, 0), Status::Ok, "nobody stale is in its way");
    bench.tear_down();
}

#[test]
fn with_nothing_to_run_time_goes_on_by_itself() {
    let mut bench = with_endpoint(R | W, R | W);
    assert_eq!(bench.send(PEER, SyncReceive, EP, 1_000_000), Status::Waiting);
    assert_eq!(bench.call(THIRD, Hypercall::Sleep, &[5_000]), Status::Waiting);
    waits(&mut bench, MAIN, SyncReceive);
    assert_eq!(bench.kernel.step(1), Step::Continued);
    woken(&bench, THIRD, Status::Ok);
    waits(&mut bench, THIRD, SyncReceive);
    assert_eq!(bench.kernel.step(1), Step::Continued);
    woken(&bench, PEER, Status::TimedOut);
    waits(&mut bench, PEER, SyncReceive);
    assert_eq!(bench.kernel.step(1), Step::Idle, "nobody will ever send");
    bench.kernel.finish();
    assert_eq!(bench.end_of(MAIN), Some(End::Killed(KillReason::Stuck)));
}

#[test]
fn a_wait_ends_when_its_capability_goes() {
    for by_revoke in [false, true] {
        let mut bench = with_endpoint(R | W, R | W);
        waits(&mut bench, PEER, SyncReceive);
        if by_revoke {
            bench.done(MAIN, CapRevoke, &[EP]);
        } else {
            let domain = bench.kernel.thread(PEER).domain;
            let space = crate::capability::SpaceId::Domain(domain);
            let slot = crate::capability::Slot { space, number: EP };
            let removed = bench.kernel.capabilities.delete(slot).expect("it has it");
            bench.kernel.settle(removed);
        }
        woken(&bench, PEER, Status::Cancelled);
        bench.tear_down();
    }
}

#[test]
fn a_caller_is_told_when_nobody_can_answer_any_more() {
    // The server deletes the right to answer, dies, or is destroyed.
    for way in 0..4 {
        let mut bench = with_endpoint(R | W, W | CALL);
        waits(&mut bench, THIRD, SyncCall);
        assert_eq!(bench.send(PEER, SyncReceive, EP, 0), Status::Ok);
        match way {
            0 => bench.done(PEER, CapDelete, &[2]),
            1 => bench.done(PEER, Hypercall::Exit, &[0]),
            2 => {
                bench.done(PEER, CapMove, &[2, 30, 31]);
                bench.done(PEER, Hypercall::Exit, &[0]);
            }
            _ => bench.kernel.destroy_domain(DomainId(1)).expect("it exists"),
        }
        bench.audit();
        woken(&bench, THIRD, Status::PeerDied);
        bench.tear_down();
    }
}

#[test]
fn a_sender_is_told_when_nobody_is_left_to_receive() {
    let mut bench = with_endpoint(R, W);
    waits(&mut bench, THIRD, SyncSend);
    // Main could still receive: it is alive and may.
    bench.done(PEER, Hypercall::Exit, &[0]);
    assert_eq!(bench.state_of_thread(THIRD), ThreadState::Blocked);
    bench.done(MAIN, Hypercall::Exit, &[0]);
    woken(&bench, THIRD, Status::PeerDied);
    bench.tear_down();
}

#[test]
fn who_comes_after_the_last_peer_has_gone_is_told_at_once() {
    let mut bench = with_endpoint(R | W, W | CALL);
    bench.done(MAIN, Hypercall::Exit, &[0]);
    bench.done(PEER, Hypercall::Exit, &[0]);
    assert_eq!(bench.send(THIRD, SyncCall, EP, 0), Status::Waiting);
    woken(&bench, THIRD, Status::PeerDied);
    // Where nobody has been yet, somebody may still come.
    bench.done(THIRD, EndpointCreate, &[11]);
    assert_eq!(bench.send(THIRD, SyncReceive, 11, 0), Status::Waiting);
    assert_eq!(bench.state_of_thread(THIRD), ThreadState::Blocked);
    bench.tear_down();
}

#[test]
fn a_thread_that_is_killed_while_it_waits_is_in_nobodys_way() {
    for call in [SyncSend, SyncReceive, SyncCall] {
        let mut bench = with_endpoint(R | W | CALL, R | W);
        waits(&mut bench, PEER, call);
        bench.kernel.kill_thread(PEER).expect("it lives");
        bench.audit();
        assert_eq!(bench.end_of(PEER), Some(End::Killed(KillReason::Killed)));
        assert_eq!(bench.send(MAIN, SyncPollSend, EP, 0), Status::WouldBlock);
        assert_eq!(bench.send(MAIN, SyncPollReceive, EP, 0), Status::WouldBlock);
        bench.tear_down();
    }
}

#[test]
fn waiting_sends_of_a_badge_are_cancelled_and_no_others() {
    let mut bench = with_endpoint(R | W, W | CALL);
    waits(&mut bench, PEER, SyncSend);
    waits(&mut bench, THIRD, SyncCall);
    bench.done(MAIN, EndpointCancel, &[EP, 7]);
    woken(&bench, THIRD, Status::Cancelled);
    assert_eq!(bench.state_of_thread(PEER), ThreadState::Blocked);
    bench.tear_down();
}

#[test]
fn a_thread_has_room_for_29_unanswered_calls() {
    let mut bench = with_endpoint(R | W, W | CALL);
    for _ in 0..29 {
        assert_eq!(bench.send(THIRD, SyncCall, EP, 1), Status::Waiting);
        assert_eq!(bench.send(PEER, SyncReceive, EP, 0), Status::Ok);
        woken(&bench, THIRD, Status::TimedOut);
    }
    assert_eq!(bench.send(PEER, SyncReceive, EP, 0), Status::NoMemory);
    for _ in 0..29 {
        assert_eq!(bench.send(PEER, SyncReply, 0, 0), Status::PeerDied);
    }
    assert_eq!(bench.send(PEER, SyncReply, 0, 0), Status::NotFound);
    bench.tear_down();
}

#[test]
fn notifications_collect_bits_and_wake_one_at_a_time() {
    let mut bench = with_endpoint(R | W, R | W);
    bench.done(MAIN, NotificationCreate, &[12]);
    bench.done(MAIN, CapGrant, &[TO_PEER, 12, 12, R]);
    bench.done(MAIN, CapGrant, &[TO_THIRD, 12, 12, W, 4]);
    bench.refused(PEER, NotificationSignal, &[12], Status::NotPermitted);
    bench.refused(THIRD, NotificationPoll, &[12], Status::NotPermitted);
    bench.refused(PEER, NotificationPoll, &[12], Status::WouldBlock);
    bench.done(MAIN, NotificationSignal, &[12]);
    bench.done(THIRD, NotificationSignal, &[12]);
    bench.done(PEER, NotificationPoll, &[12]);
    assert_eq!(bench.word(PEER, 8), 5);
    bench.refused(PEER, NotificationPoll, &[12], Status::WouldBlock);
    assert_eq!(bench.call(PEER, NotificationWait, &[12, 0]), Status::Waiting);
    assert_eq!(bench.call(MAIN, NotificationWait, &[12, 0]), Status::Waiting);
    bench.done(THIRD, NotificationSignal, &[12]);
    woken(&bench, PEER, Status::Ok);
    assert_eq!(bench.word(PEER, 8), 4);
    assert_eq!(bench.state_of_thread(MAIN), ThreadState::Blocked);
    // Only the third and main hold the right to signal, and main is the one who waits.
    bench.done(THIRD, Hypercall::Exit, &[0]);
    woken(&bench, MAIN, Status::PeerDied);
    bench.tear_down();
}

#[test]
fn a_bound_notification_ends_a_receive() {
    let mut bench = with_endpoint(R | W, R | W);
    bench.done(MAIN, NotificationCreate, &[12]);
    bench.done(MAIN, CapGrant, &[TO_PEER, 12, 12, R]);
    bench.done(PEER, NotificationBind, &[12]);
    bench.refused(MAIN, NotificationBind, &[12], Status::Exists);
    waits(&mut bench, PEER, SyncReceive);
    bench.done(MAIN, NotificationSignal, &[12]);
    woken(&bench, PEER, Status::Ok);
    assert_eq!(bench.word(PEER, utcb::RECEIVED), Received::Notification as u64);
    assert_eq!(bench.word(PEER, utcb::BADGE), 1);
    // Bits that are there already end the next receive at once.
    bench.done(MAIN, NotificationSignal, &[12]);
    assert_eq!(bench.send(PEER, SyncReceive, EP, 0), Status::Ok);
    assert_eq!(bench.word(PEER, utcb::RECEIVED), Received::Notification as u64);
    bench.done(PEER, NotificationBind, &[0]);
    waits(&mut bench, PEER, SyncReceive);
    bench.done(MAIN, NotificationSignal, &[12]);
    assert_eq!(bench.state_of_thread(PEER), ThreadState::Blocked);
    bench.done(MAIN, CapDelete, &[12]);
    bench.tear_down();
}
