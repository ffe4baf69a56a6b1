//! Threads that end because their domain is deleted or somebody kills them, whatever they are doing,
//! and what those learn who had to do with them.

use super::scenes::{
    CALL, EP, THIRD, TO_PEER, TO_THIRD, blocked, goes, thread, waits, with_endpoint, woken,
};
use super::{Bench, MAIN, PEER, R, W};
use crate::abi::{Hypercall, Resource, Status};
use crate::domain::{DomainId, DomainState, ThreadId};
use crate::exit::{End, KillReason};

use Hypercall::{
    CapDelete, NotificationCreate, NotificationWait, Sleep, SyncCall, SyncPollReceive,
    SyncPollSend, SyncReceive, SyncSend, ThreadKill, ThreadSuspend, Yield,
};

const TERMINATED: Option<End> = Some(End::Killed(KillReason::Terminated));
const DESTROYED: Option<End> = Some(End::Killed(KillReason::Destroyed));

/// A thread of a new domain in slot 30, which has the endpoint.
fn child(bench: &mut Bench) -> ThreadId {
    bench.done(MAIN, Hypercall::DomainCreate, &[30]);
    assert_eq!(bench.configure(MAIN, 30, "m"), Status::Ok);
    bench.done(MAIN, Hypercall::CapGrant, &[30, EP, EP, R | W | CALL]);
    bench.done(MAIN, Hypercall::DomainRun, &[30]);
    ThreadId(bench.kernel.threads.len() as u32 - 1)
}

/// Everything that a thread can be doing. `peer` serves.
const DOINGS: [&str; 7] =
    ["running", "suspended", "sending", "receiving", "calling", "sleeping", "waiting"];

#[track_caller]
fn begin(bench: &mut Bench, thread: ThreadId, doing: &str) {
    match doing {
        "running" => bench.done(thread, Yield, &[]),
        "suspended" => bench.done(MAIN, ThreadSuspend, &[30, 0]),
        "sending" => waits(bench, thread, SyncSend),
        "receiving" => waits(bench, thread, SyncReceive),
        "calling" => {
            waits(bench, thread, SyncCall);
            goes(bench, PEER, SyncReceive);
        }
        "sleeping" => assert_eq!(bench.call(thread, Sleep, &[1000]), Status::Waiting),
        "waiting" => {
            bench.done(thread, NotificationCreate, &[12]);
            assert_eq!(bench.call(thread, NotificationWait, &[12, 0]), Status::Waiting);
        }
        other => panic!("{other}"),
    }
}

/// Nobody meets what is left of it.
#[track_caller]
fn is_nowhere(bench: &mut Bench, thread: ThreadId, doing: &str) {
    assert!(!bench.kernel.ready.contains(&thread));
    assert!(!bench.kernel.arch.has_thread(thread));
    for call in [SyncPollSend, SyncPollReceive] {
        assert_eq!(bench.send(MAIN, call, EP, 0), Status::WouldBlock, "{doing}");
    }
    if doing == "calling" {
        assert_eq!(bench.send(PEER, Hypercall::SyncReply, 0, 0), Status::PeerDied);
    }
    assert!(bench.kernel.deadlines.is_empty() && bench.kernel.waiting_through.is_empty());
}

#[test]
fn a_thread_goes_with_its_domain_whatever_it_is_doing() {
    for doing in DOINGS {
        let mut bench = with_endpoint(R, W);
        let frames = bench.kernel.frames.in_use();
        let thread = child(&mut bench);
        begin(&mut bench, thread, doing);
        bench.done(MAIN, CapDelete, &[30]);
        assert_eq!(bench.end_of(thread), DESTROYED, "{doing}");
        is_nowhere(&mut bench, thread, doing);
        assert_eq!(bench.kernel.frames.in_use(), frames);
        bench.tear_down();
    }
}

#[test]
fn a_thread_is_killed_whatever_it_is_doing_and_its_domain_stays() {
    for doing in DOINGS {
        let mut bench = with_endpoint(R, W);
        let thread = child(&mut bench);
        let domain = bench.kernel.thread(thread).domain;
        begin(&mut bench, thread, doing);
        bench.done(MAIN, ThreadKill, &[30, 0]);
        assert_eq!(bench.end_of(thread), TERMINATED, "{doing}");
        is_nowhere(&mut bench, thread, doing);
        assert_eq!(bench.state_of(domain), Some(DomainState::Dead));
        bench.refused(MAIN, ThreadKill, &[30, 0], Status::BadState);
        let threads = bench.kernel.accounts.of(domain, Resource::Threads).unwrap().1;
        assert_eq!(threads, 0);
        bench.tear_down();
    }
}

#[test]
fn a_thread_that_runs_can_end_itself_and_others_of_its_domain_go_on() {
    let mut bench = with_endpoint(R, W);
    let further = thread(&mut bench, 0);
    bench.done(further, ThreadKill, &[0, 1]);
    assert_eq!(bench.end_of(further), TERMINATED);
    bench.done(MAIN, Yield, &[]);
    // The first as well, and the domain lives while any thread does.
    let further = thread(&mut bench, 0);
    bench.done(further, ThreadKill, &[0, 0]);
    assert_eq!((bench.end_of(MAIN), bench.end_of(further)), (TERMINATED, None));
    assert_eq!(bench.state_of(DomainId(0)), Some(DomainState::Running));
    bench.done(further, ThreadKill, &[0, 1]);
    assert_eq!(bench.state_of(DomainId(0)), Some(DomainState::Dead));
    bench.tear_down();
}

#[test]
fn who_waits_for_a_thread_that_goes_is_told_so() {
    // The server has received the call, or only could.
    for received in [false, true] {
        for destroyed in [false, true] {
            let mut bench = with_endpoint(R, W | CALL);
            bench.done(MAIN, CapDelete, &[EP]);
            waits(&mut bench, THIRD, SyncCall);
            if received {
                goes(&mut bench, PEER, SyncReceive);
            }
            blocked(&bench, THIRD);
            if destroyed {
                bench.kernel.destroy_domain(DomainId(1)).expect("it exists");
                bench.kernel.end_hopeless_waits();
                bench.audit();
            } else {
                bench.done(MAIN, ThreadKill, &[TO_PEER, 0]);
            }
            woken(&bench, THIRD, Status::PeerDied);
            bench.done(MAIN, ThreadKill, &[TO_THIRD, 0]);
            bench.tear_down();
        }
    }
}
