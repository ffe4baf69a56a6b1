//! Messages, calls and answers, between domains and between threads of one: whoever comes first,
//! with limits of time, and with partners that are suspended meanwhile.

use super::scenes::{
    CALL, EP, TO_PEER, blocked, family, goes, has_message, message, thread, waits, with_endpoint,
    woken,
};
use super::{Bench, G, MAIN, PEER, R, W};
use crate::abi::{Hypercall, Received, Status, utcb};
use crate::domain::{ThreadId, ThreadState};

use Hypercall::{
    CapCopy, CapGrant, EndpointCreate, NotificationBind, NotificationCreate, NotificationSignal,
    SyncCall, SyncPollReceive, SyncPollSend, SyncReceive, SyncReply, SyncReplyReceive, SyncSend,
    ThreadResume, ThreadSuspend, Yield,
};

/// How often each pair meets.
const TIMES: u64 = 40;

/// `main`, and a thread of another domain that has its endpoint.
fn two_domains() -> (Bench, ThreadId) {
    let mut bench = family();
    bench.done(MAIN, EndpointCreate, &[EP]);
    bench.done(MAIN, CapGrant, &[TO_PEER, EP, EP, R | W | G]);
    (bench, PEER)
}

/// `main`, and a further thread of its domain.
fn one_domain() -> (Bench, ThreadId) {
    let mut bench = family();
    bench.done(MAIN, EndpointCreate, &[EP]);
    let other = thread(&mut bench, 0);
    (bench, other)
}

#[track_caller]
fn received(bench: &Bench, thread: ThreadId, what: Received, first: u64) {
    assert_eq!(bench.word(thread, utcb::RECEIVED), what as u64);
    has_message(bench, thread, first);
}

/// Messages one way and the other, each side coming first in turn.
fn send_and_receive((mut bench, other): (Bench, ThreadId)) {
    for i in 0..TIMES {
        let [from, to] = if i % 4 < 2 { [MAIN, other] } else { [other, MAIN] };
        message(&mut bench, from, i * 10);
        message(&mut bench, to, 7777);
        let [(first, what), (second, then)] = match i % 2 {
            0 => [(from, SyncSend), (to, SyncReceive)],
            _ => [(to, SyncReceive), (from, SyncSend)],
        };
        waits(&mut bench, first, what);
        goes(&mut bench, second, then);
        woken(&bench, first, Status::Ok);
        received(&bench, to, Received::Message, i * 10);
        has_message(&bench, from, i * 10);
    }
    bench.tear_down();
}

/// Calls, and a server that answers and receives in one go, or in two.
fn call_and_answer((mut bench, server): (Bench, ThreadId)) {
    waits(&mut bench, server, SyncReceive);
    for i in 0..TIMES {
        message(&mut bench, MAIN, i * 10);
        waits(&mut bench, MAIN, SyncCall);
        if i > 0 && i % 2 == 0 {
            // The server answered before without receiving.
            goes(&mut bench, server, SyncReceive);
        }
        received(&bench, server, Received::Call, i * 10);
        blocked(&bench, MAIN);
        message(&mut bench, server, i * 10 + 5);
        if i % 2 == 0 {
            waits(&mut bench, server, SyncReplyReceive);
        } else {
            goes(&mut bench, server, SyncReply);
        }
        woken(&bench, MAIN, Status::Ok);
        received(&bench, MAIN, Received::Message, i * 10 + 5);
    }
    bench.tear_down();
}

#[test]
fn a_message_goes_from_one_domain_to_another() {
    send_and_receive(two_domains());
}

#[test]
fn a_call_goes_to_another_domain_and_its_answer_comes_back() {
    call_and_answer(two_domains());
}

#[test]
fn a_server_tells_messages_from_calls() {
    let mut bench = with_endpoint(R, W | CALL);
    let third = super::scenes::THIRD;
    for i in 0..TIMES {
        let call = if i % 3 == 0 { SyncCall } else { SyncSend };
        message(&mut bench, third, i);
        waits(&mut bench, third, call);
        goes(&mut bench, PEER, SyncReceive);
        if i % 3 == 0 {
            received(&bench, PEER, Received::Call, i);
            goes(&mut bench, PEER, SyncReply);
        } else {
            received(&bench, PEER, Received::Message, i);
        }
        woken(&bench, third, Status::Ok);
        // Nobody waits for an answer: then there is no receiving either.
        waits(&mut bench, third, SyncSend);
        assert_eq!(bench.send(PEER, SyncReplyReceive, EP, 0), Status::NotFound);
        blocked(&bench, third);
        goes(&mut bench, PEER, SyncReceive);
    }
    bench.tear_down();
}

#[test]
fn a_message_that_must_not_wait_goes_only_to_who_waits_for_it() {
    for (mut bench, other) in [two_domains(), one_domain()] {
        for i in 0..TIMES {
            message(&mut bench, MAIN, i * 10);
            assert_eq!(bench.send(MAIN, SyncPollSend, EP, 0), Status::WouldBlock);
            assert_eq!(bench.send(other, SyncPollReceive, EP, 0), Status::WouldBlock);
            waits(&mut bench, other, SyncReceive);
            message(&mut bench, MAIN, i * 10 + 1);
            goes(&mut bench, MAIN, SyncPollSend);
            woken(&bench, other, Status::Ok);
            // The one that nobody waited for has left no trace.
            received(&bench, other, Received::Message, i * 10 + 1);
        }
        bench.tear_down();
    }
}

#[test]
fn who_answers_and_receives_serves_each_caller_with_its_own_answer() {
    let (mut bench, server) = two_domains();
    let mut clients = alloc::vec::Vec::new();
    for badge in 1..=4 {
        bench.done(MAIN, CapCopy, &[EP, 10 + badge, W | CALL, badge]);
        clients.push((thread(&mut bench, 0), badge));
    }
    waits(&mut bench, server, SyncReceive);
    for (client, badge) in clients.iter().copied() {
        message(&mut bench, client, badge * 100);
        assert_eq!(bench.send(client, SyncCall, 10 + badge, 0), Status::Waiting);
    }
    for i in 0..TIMES {
        let (client, badge) = clients[i as usize % 4];
        assert_eq!(bench.word(server, utcb::BADGE), badge);
        received(&bench, server, Received::Call, badge * 100);
        message(&mut bench, server, badge * 1000 + i);
        goes(&mut bench, server, SyncReplyReceive);
        woken(&bench, client, Status::Ok);
        received(&bench, client, Received::Message, badge * 1000 + i);
        message(&mut bench, client, badge * 100);
        assert_eq!(bench.send(client, SyncCall, 10 + badge, 0), Status::Waiting);
    }
    bench.tear_down();
}

#[test]
fn a_message_goes_from_one_thread_to_another_of_the_domain() {
    send_and_receive(one_domain());
}

#[test]
fn a_call_goes_to_a_thread_of_the_same_domain_and_its_answer_comes_back() {
    call_and_answer(one_domain());
}

#[test]
fn a_partner_that_comes_within_the_limit_is_met_and_a_later_one_is_not() {
    for (mut bench, other) in [two_domains(), one_domain()] {
        for (late, wait, meet) in [
            (false, SyncSend, SyncPollReceive),
            (true, SyncSend, SyncPollReceive),
            (false, SyncReceive, SyncPollSend),
            (true, SyncReceive, SyncPollSend),
        ] {
            assert_eq!(bench.send(other, wait, EP, 5), Status::Waiting);
            // Every exit is a tick, and the meeting is one as well.
            for _ in 0..if late { 5 } else { 3 } {
                bench.done(MAIN, Yield, &[]);
            }
            let (told, met) = match late {
                false => (Status::Ok, Status::Ok),
                true => (Status::TimedOut, Status::WouldBlock),
            };
            assert_eq!(bench.send(MAIN, meet, EP, 0), met, "{wait:?}");
            woken(&bench, other, told);
        }
        // A caller's limit is for both: until it is heard, and until it is answered.
        for heard in [false, true] {
            assert_eq!(bench.send(other, SyncCall, EP, 4), Status::Waiting);
            if heard {
                goes(&mut bench, MAIN, SyncReceive);
            }
            for _ in 0..4 {
                bench.done(MAIN, Yield, &[]);
            }
            woken(&bench, other, Status::TimedOut);
            if heard {
                assert_eq!(bench.send(MAIN, SyncReply, EP, 0), Status::PeerDied);
            } else {
                assert_eq!(bench.send(MAIN, SyncPollReceive, EP, 0), Status::WouldBlock);
            }
        }
        bench.tear_down();
    }
}

#[test]
fn a_partner_that_is_suspended_is_met_and_goes_on_when_it_is_resumed() {
    for (mut bench, other) in [two_domains(), one_domain()] {
        let (domain, index) = if other == PEER { (TO_PEER, 0) } else { (0, 1) };
        for (wait, meet) in [(SyncSend, SyncReceive), (SyncReceive, SyncSend)] {
            let (from, to) = if wait == SyncSend { (other, MAIN) } else { (MAIN, other) };
            waits(&mut bench, other, wait);
            message(&mut bench, from, 30);
            bench.done(MAIN, ThreadSuspend, &[domain, index]);
            message(&mut bench, from, 30);
            goes(&mut bench, MAIN, meet);
            has_message(&bench, to, 30);
            assert_eq!(bench.state_of_thread(other), ThreadState::Suspended);
            bench.done(MAIN, ThreadResume, &[domain, index]);
            woken(&bench, other, Status::Ok);
        }
        // So is who waits for an answer.
        waits(&mut bench, other, SyncCall);
        goes(&mut bench, MAIN, SyncReceive);
        bench.done(MAIN, ThreadSuspend, &[domain, index]);
        message(&mut bench, MAIN, 60);
        goes(&mut bench, MAIN, SyncReply);
        assert_eq!(bench.state_of_thread(other), ThreadState::Suspended);
        bench.done(MAIN, ThreadResume, &[domain, index]);
        woken(&bench, other, Status::Ok);
        has_message(&bench, other, 60);
        bench.tear_down();
    }
}

#[test]
fn a_receive_that_does_not_wait_takes_what_is_there() {
    for (mut bench, other) in [two_domains(), one_domain()] {
        bench.done(MAIN, NotificationCreate, &[12]);
        bench.done(MAIN, CapCopy, &[12, 13, W, 64]);
        for i in 0..TIMES {
            message(&mut bench, MAIN, 4444);
            assert_eq!(bench.send(MAIN, SyncPollReceive, EP, 0), Status::WouldBlock);
            has_message(&bench, MAIN, 4444);
            message(&mut bench, other, i);
            waits(&mut bench, other, if i % 2 == 0 { SyncSend } else { SyncCall });
            goes(&mut bench, MAIN, SyncPollReceive);
            if i % 2 == 0 {
                received(&bench, MAIN, Received::Message, i);
            } else {
                received(&bench, MAIN, Received::Call, i);
                goes(&mut bench, MAIN, SyncReply);
            }
            woken(&bench, other, Status::Ok);
        }
        // The bits of a bound notification are something too.
        bench.done(MAIN, NotificationBind, &[12]);
        assert_eq!(bench.send(MAIN, SyncPollReceive, EP, 0), Status::WouldBlock);
        bench.done(MAIN, NotificationSignal, &[13]);
        goes(&mut bench, MAIN, SyncPollReceive);
        assert_eq!(bench.word(MAIN, utcb::RECEIVED), Received::Notification as u64);
        assert_eq!(bench.word(MAIN, utcb::BADGE), 64);
        assert_eq!(bench.send(MAIN, SyncPollReceive, EP, 0), Status::WouldBlock);
        bench.tear_down();
    }
}
