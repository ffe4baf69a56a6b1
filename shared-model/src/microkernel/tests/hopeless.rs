//! Waits that begin when nobody is left who could end them.

use super::{Bench, G, MAIN, PEER, R, W};
use crate::abi::{Hypercall, Status};
use crate::domain::{ThreadId, ThreadState};

use Hypercall::{
    CapGrant, ChannelCreate, EndpointCreate, Exit, FaultBind, NotificationCreate, NotificationWait,
    SyncReceive, SyncSend,
};

const CALL: u64 = 16;
/// Where every domain has the object in question.
const OBJECT: u64 = 10;

const TWO: &str = r#"
name = "two"
[[domain]]
name = "main"
module = "m"
caps = [{ slot = 20, object = "peer", rights = "rwg" }]
[[domain]]
name = "peer"
module = "m"
"#;

/// `main` makes an object and gives `peer` a capability to it.
fn shared(create: Hypercall, rights: u64, badge: u64) -> Bench {
    let mut bench = Bench::new(TWO);
    bench.done(MAIN, create, &[OBJECT, 0]);
    bench.done(MAIN, CapGrant, &[20, OBJECT, OBJECT, rights, badge]);
    bench
}

#[track_caller]
fn completes(bench: &Bench, thread: ThreadId, expected: Status) {
    use crate::event::EventKind::Completed;
    assert_eq!(bench.state_of_thread(thread), ThreadState::Ready);
    let last = bench.kernel.events().last().map(|event| &event.kind);
    assert!(matches!(last, Some(Completed { status, .. }) if *status == expected), "{last:?}");
}

#[test]
fn a_wait_for_somebody_who_has_gone_ends_as_it_begins() {
    for timeout in [0, 100] {
        for (create, badge, wait) in
            [(NotificationCreate, 0, NotificationWait), (ChannelCreate, 1, NotificationWait)]
        {
            let mut bench = shared(create, R | W, badge);
            bench.done(PEER, Exit, &[0]);
            assert_eq!(bench.call(MAIN, wait, &[OBJECT, timeout]), Status::Waiting);
            completes(&bench, MAIN, Status::PeerDied);
            bench.tear_down();
        }
        for call in [SyncSend, SyncReceive] {
            let mut bench = shared(EndpointCreate, R | W, 0);
            bench.done(PEER, Exit, &[0]);
            assert_eq!(bench.send(MAIN, call, OBJECT, timeout), Status::Waiting);
            completes(&bench, MAIN, Status::PeerDied);
            bench.tear_down();
        }
    }
}

#[test]
fn a_wait_that_somebody_can_end_goes_on() {
    let mut bench = shared(EndpointCreate, R | W, 0);
    assert_eq!(bench.send(MAIN, SyncReceive, OBJECT, 0), Status::Waiting);
    assert_eq!(bench.state_of_thread(MAIN), ThreadState::Blocked);
    bench.done(PEER, Exit, &[0]);
    completes(&bench, MAIN, Status::PeerDied);
    bench.tear_down();
}

/// Nobody but `main` can send there, but faults come through a capability of its own.
#[test]
fn whoever_waits_for_faults_waits_as_long_as_there_can_be_any() {
    let mut bench = Bench::new(TWO);
    bench.done(MAIN, EndpointCreate, &[OBJECT]);
    bench.done(MAIN, FaultBind, &[20, OBJECT]);
    assert_eq!(bench.send(MAIN, SyncReceive, OBJECT, 0), Status::Waiting);
    assert_eq!(bench.state_of_thread(MAIN), ThreadState::Blocked);
    bench.done(PEER, Exit, &[0]);
    completes(&bench, MAIN, Status::PeerDied);
    bench.tear_down();
}

#[test]
fn a_wait_for_the_own_threads_faults_is_hopeless_with_one_thread() {
    let mut bench = shared(EndpointCreate, R | G | CALL, 0);
    bench.done(MAIN, FaultBind, &[0, OBJECT]);
    assert_eq!(bench.send(MAIN, SyncReceive, OBJECT, 0), Status::Waiting);
    completes(&bench, MAIN, Status::PeerDied);
    bench.tear_down();
}
