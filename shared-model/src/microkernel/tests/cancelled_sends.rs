//! Sends of one badge are cancelled, and the others do not notice.

use alloc::vec::Vec;

use super::scenes::{ALL, EP, blocked, family, message, thread, woken, words};
use super::{Bench, G, MAIN, R, W};
use crate::abi::{Hypercall, Received, Status, utcb};
use crate::domain::{ThreadId, ThreadState};

use Hypercall::{
    CapCopy, EndpointCancel, EndpointCreate, SyncCall, SyncPollReceive, SyncReceive, SyncReply,
    SyncSend,
};

/// Slots of the endpoint with a badge, which is the number itself.
const BADGES: [u64; 3] = [11, 12, 13];

/// An endpoint, and threads that can send to it.
fn senders(count: usize) -> (Bench, Vec<ThreadId>) {
    let mut bench = family();
    bench.done(MAIN, EndpointCreate, &[EP]);
    for badge in BADGES {
        bench.done(MAIN, CapCopy, &[EP, badge, W | G, badge]);
    }
    let threads = (0..count).map(|_| thread(&mut bench, 0)).collect();
    (bench, threads)
}

#[test]
fn of_many_senders_only_those_with_the_badge_are_woken() {
    let (mut bench, threads) = senders(24);
    bench.done(MAIN, CapCopy, &[EP, 14, ALL]);
    let slots = [11, 12, 14, 13];
    for (i, &sender) in threads.iter().enumerate() {
        // Calls are sends too, as long as nobody has received them.
        let call = if i % 3 == 0 { SyncCall } else { SyncSend };
        message(&mut bench, sender, 100 * i as u64);
        assert_eq!(bench.send(sender, call, slots[i % 4], 0), Status::Waiting);
    }
    // Badge 0 is that of capabilities without one.
    for (which, badge) in [(1, 12), (2, 0)] {
        bench.done(MAIN, EndpointCancel, &[EP, 99]);
        bench.done(MAIN, EndpointCancel, &[EP, badge]);
        for &sender in threads.iter().skip(which).step_by(4) {
            woken(&bench, sender, Status::Cancelled);
        }
    }
    // The rest is there, in the order in which it came.
    for (i, &sender) in threads.iter().enumerate().filter(|(i, _)| [0, 3].contains(&(i % 4))) {
        blocked(&bench, sender);
        assert_eq!(bench.send(MAIN, SyncReceive, EP, 0), Status::Ok);
        assert_eq!(words(&bench, MAIN)[0], 100 * i as u64);
        assert_eq!(bench.word(MAIN, utcb::BADGE), slots[i % 4]);
        if bench.word(MAIN, utcb::RECEIVED) == Received::Call as u64 {
            blocked(&bench, sender);
            assert_eq!(bench.send(MAIN, SyncReply, 0, 0), Status::Ok);
        }
        woken(&bench, sender, Status::Ok);
    }
    assert_eq!(bench.send(MAIN, SyncPollReceive, EP, 0), Status::WouldBlock);
    // A call that was received waits for its answer, and that is no send any more.
    let caller = threads[0];
    assert_eq!(bench.send(caller, SyncCall, 11, 0), Status::Waiting);
    assert_eq!(bench.send(MAIN, SyncReceive, EP, 0), Status::Ok);
    bench.done(MAIN, EndpointCancel, &[EP, 11]);
    blocked(&bench, caller);
    assert_eq!(bench.send(MAIN, SyncReply, 0, 0), Status::Ok);
    woken(&bench, caller, Status::Ok);
    bench.tear_down();
}

#[test]
fn cancelling_again_and_again_loses_no_message_and_makes_none_up() {
    let (mut bench, threads) = senders(9);
    let mut sent = [0_u64; 9];
    let mut received = [0_u64; 9];
    let mut cancelled = [0_u64; 9];
    for round in 0..60 {
        for (i, &sender) in threads.iter().enumerate() {
            if bench.state_of_thread(sender) == ThreadState::Ready {
                sent[i] += 1;
                message(&mut bench, sender, 1000 * i as u64 + sent[i]);
                assert_eq!(bench.send(sender, SyncSend, BADGES[i % 3], 0), Status::Waiting);
            }
        }
        if round % 4 == 3 {
            for _ in 0..5 {
                assert_eq!(bench.send(MAIN, SyncReceive, EP, 0), Status::Ok);
                let from = (words(&bench, MAIN)[0] / 1000) as usize;
                assert_eq!(words(&bench, MAIN)[0] % 1000, sent[from], "the one that waits");
                assert_eq!(bench.word(MAIN, utcb::BADGE), BADGES[from % 3]);
                received[from] += 1;
                woken(&bench, threads[from], Status::Ok);
            }
        } else {
            let which = round % 3;
            bench.done(MAIN, EndpointCancel, &[EP, BADGES[which]]);
            for (i, &sender) in threads.iter().enumerate() {
                if i % 3 == which {
                    cancelled[i] += 1;
                    woken(&bench, sender, Status::Cancelled);
                } else {
                    blocked(&bench, sender);
                }
            }
        }
    }
    for (i, &sender) in threads.iter().enumerate() {
        let waits = u64::from(bench.state_of_thread(sender) == ThreadState::Blocked);
        assert_eq!(sent[i], received[i] + cancelled[i] + waits);
    }
    for badge in BADGES {
        bench.done(MAIN, EndpointCancel, &[EP, badge]);
    }
    assert_eq!(bench.send(MAIN, SyncPollReceive, EP, 0), Status::WouldBlock);
    bench.done(MAIN, CapCopy, &[EP, 15, R]);
    bench.refused(MAIN, EndpointCancel, &[15, 11], Status::NotPermitted);
    bench.tear_down();
}
