//! What the laboratory shows.

use shared_model::abi::Hypercall;
use shared_model::laboratory::{Goal, Stops};
use shared_model::refusal::refusal;

use super::{Bench, busy};

#[test]
fn nothing_can_be_asked_before_the_boot_and_nothing_booted_twice() {
    let mut bench = Bench::booted(&busy(), r#"{"boot":{}}"#);
    assert!(bench.ask(r#"{"boot":{}}"#).is_err());
    let mut fresh = super::Laboratory::default();
    let mut session = shared_model::session::Session::new(crate::SimArch::new(), busy());
    assert!(fresh.handle(&mut session, br#""state""#).unwrap_err().contains("boot"));
    assert!(fresh.handle(&mut session, br#""header""#).is_ok());
    assert!(fresh.handle(&mut session, b"{").is_err());
}

#[test]
fn every_question_is_answered_at_every_tenth_hypercall() {
    let mut bench = Bench::booted(&busy(), r#"{"boot":{}}"#);
    while !bench.laboratory.is_over {
        for request in [
            r#""state""#,
            r#""graph""#,
            r#""objects""#,
            r#""digest""#,
            r#"{"memory":{"domain":0,"space":"virtual","address":"0x3fffff80","length":256}}"#,
            r#"{"memory":{"domain":0,"space":"physical","address":"0x0","length":8192}}"#,
            r#"{"memory":{"domain":1,"space":"virtual","address":"0xfffffffffffffff0","length":64}}"#,
            r#"{"walk":{"domain":0,"address":"0x40000000"}}"#,
            r#"{"walk":{"domain":0,"address":"0x800000000000"}}"#,
            r#"{"utcb":{"thread":0}}"#,
            r#"{"utcb":{"thread":2}}"#,
            r#"{"program":{"domain":0}}"#,
            r#"{"program":{"domain":2}}"#,
            r#"{"console":{"domain":1}}"#,
            r#"{"events":{"from":0,"limit":9}}"#,
        ] {
            bench.ask(request).unwrap_or_else(|error| panic!("{request}: {error}"));
        }
        for request in [
            r#"{"memory":{"domain":2,"space":"virtual","address":"0x0","length":1}}"#,
            r#"{"memory":{"domain":9,"space":"virtual","address":"0x0","length":1}}"#,
            r#"{"memory":{"domain":0,"space":"virtual","address":"0x0","length":99999999}}"#,
            r#"{"utcb":{"thread":9}}"#,
            r#"{"console":{"domain":9}}"#,
            r#"{"take":{"known":0}}"#,
        ] {
            assert!(bench.ask(request).is_err(), "{request}");
        }
        for _ in 0..10 {
            bench.go(Goal::Hypercall, &Stops::default(), u64::MAX);
        }
    }
    let console = bench.ask(r#"{"console":{"domain":1}}"#).unwrap();
    assert_eq!(console, r#""AAAAAA""#);
}

#[test]
fn the_fault_at_the_end_names_the_hypercall_that_took_the_page() {
    let mut bench = Bench::booted(&busy(), r#"{"boot":{}}"#);
    bench.go(Goal::End, &Stops::default(), u64::MAX);
    let events = bench.session.kernel().events();
    let fault = events.iter().position(|event| {
        event.kind.word() == "ended" && event.thread.is_some_and(|thread| thread.0 == 0)
    });
    let refusal = refusal(events, fault.unwrap()).unwrap();
    let operation = refusal.operation.unwrap();
    assert_eq!((refusal.access.as_str(), refusal.slot), ("read", Some(10)));
    assert_eq!((operation.call, refusal.domain.0), (Hypercall::CapDelete, 0));
}

#[test]
fn the_graph_is_the_snapshot_of_the_log_so_far() {
    let mut bench = Bench::booted(&busy(), r#"{"boot":{}}"#);
    for _ in 0..12 {
        bench.go(Goal::Events(bench.events() + 7), &Stops::default(), u64::MAX);
        let events = bench.session.kernel().events().to_vec();
        assert_eq!(
            bench.laboratory.graph(bench.session.kernel().event_log()),
            shared_model::snapshot::Snapshot::of(&events),
            "after {} events",
            events.len()
        );
    }
}
