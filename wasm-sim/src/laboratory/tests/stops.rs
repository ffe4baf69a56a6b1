//! Runs stop where they should, as often as they should, wherever they are cut.

use shared_model::abi::{Hypercall, utcb};
use shared_model::bundle::Bundle;
use shared_model::domain::{DomainId, ThreadId};
use shared_model::hex::Hex;
use shared_model::laboratory::{AddressStop, CapabilityStop, Goal, MemoryStop, Stopped, Stops};

use super::code::{Code, DATA, WINDOW};
use super::{Bench, bundle, busy};

const MAIN: DomainId = DomainId(0);

/// A loop of seven rounds around an increment, whose address comes with it.
fn rounds() -> (Bundle, u64) {
    let code = Code::new().r12d(7);
    let top = code.here();
    let code = code.spin(10).increment(DATA);
    let increment = code.here() - 8;
    let code = code.fill(DATA + 0x1000, 9000).again(top).load(DATA).call(Hypercall::Yield, &[]);
    let code = code.load(DATA).exit(0);
    (one(&code), increment)
}

fn one(code: &Code) -> Bundle {
    bundle("name = \"one\"\n[[domain]]\nname = \"main\"\nmodule = \"m\"\n", &[("m", code)])
}

fn at(address: u64) -> Stops {
    let stop = AddressStop { domain: MAIN, address: Hex(address) };
    Stops { addresses: vec![stop], ..Stops::default() }
}

fn on(address: u64, length: u64, read: bool) -> Stops {
    let stop = MemoryStop { domain: MAIN, address: Hex(address), length, read };
    Stops { memory: vec![stop], ..Stops::default() }
}

/// How often a run stops before its end, if it is cut after so many instructions.
fn count(bundle: &Bundle, stops: &Stops, budget: u64, is_stop: impl Fn(Stopped) -> bool) -> usize {
    let mut bench = Bench::booted(bundle, r#"{"boot":{}}"#);
    let mut count = 0;
    loop {
        match bench.go(Goal::End, stops, budget) {
            Stopped::Over => return count,
            Stopped::Budget => {}
            stopped => {
                assert!(is_stop(stopped), "{stopped:?}");
                count += 1;
            }
        }
    }
}

#[test]
fn a_run_stops_before_an_address_once_a_round() {
    let (bundle, increment) = rounds();
    let expected = Stopped::Address { domain: MAIN, address: Hex(increment), thread: ThreadId(0) };
    for budget in [u64::MAX, 100_000, 97, 13, 5, 2, 1] {
        assert_eq!(count(&bundle, &at(increment), budget, |stop| stop == expected), 7, "{budget}");
    }
    let mut bench = Bench::booted(&bundle, r#"{"boot":{}}"#);
    assert_eq!(bench.go(Goal::End, &at(increment), u64::MAX), expected);
    let (rip, value) = {
        let state = bench.session.kernel_mut().state();
        (state.threads[0].rip, bench.session.kernel().memory(MAIN, SPACE, DATA, 8).unwrap())
    };
    assert_eq!((rip, value[0].bytes.as_deref()), (Hex(increment), Some("0000000000000000")));
    // Without stops it goes on, and another stop is found in code that was decoded before.
    assert_eq!(bench.go(Goal::Single(3), &Stops::default(), u64::MAX), Stopped::Goal);
    assert_eq!(bench.go(Goal::End, &at(increment), u64::MAX), expected);
}

const SPACE: shared_model::microkernel::look::Space =
    shared_model::microkernel::look::Space::Virtual;

#[test]
fn a_repeated_instruction_is_stopped_at_once() {
    let (bundle, increment) = rounds();
    // mov eax, mov ecx and mov edi come before it.
    let repeated = increment + 8 + 15;
    for budget in [u64::MAX, 50, 3, 1] {
        let stops = at(repeated);
        let found = count(&bundle, &stops, budget, |stop| matches!(stop, Stopped::Address { .. }));
        assert_eq!(found, 7, "{budget}");
    }
}

#[test]
fn a_run_that_was_seen_at_an_address_goes_on_from_there() {
    let (bundle, increment) = rounds();
    let mut bench = Bench::booted(&bundle, r#"{"boot":{}}"#);
    bench.go(Goal::End, &at(increment), u64::MAX);
    let there = bench.position();
    let mut other = Bench::booted(&bundle, r#"{"boot":{}}"#);
    assert_eq!(other.go(Goal::Position(there), &Stops::default(), u64::MAX), Stopped::Goal);
    assert!(matches!(other.go(Goal::End, &at(increment), u64::MAX), Stopped::Address { .. }));
    assert!(other.position() > there);
}

#[test]
fn a_run_stops_after_changes_and_reads_of_bytes() {
    let (bundle, _) = rounds();
    let written =
        |stop| matches!(stop, Stopped::Memory { write: true, address, .. } if address == Hex(DATA));
    for budget in [u64::MAX, 20, 1] {
        assert_eq!(count(&bundle, &on(DATA, 8, false), budget, written), 7, "{budget}");
        // The increments read too; then the two loads.
        let any = |stop| matches!(stop, Stopped::Memory { .. });
        assert_eq!(count(&bundle, &on(DATA, 8, true), budget, any), 9, "{budget}");
        // Filling changes them once, and a byte beside what is watched does not count.
        assert_eq!(count(&bundle, &on(DATA + 0x1000, 16, false), budget, any), 1, "{budget}");
        assert_eq!(count(&bundle, &on(DATA + 8, 8, true), budget, any), 0, "{budget}");
    }
    let mut bench = Bench::booted(&bundle, r#"{"boot":{}}"#);
    bench.go(Goal::End, &on(DATA, 8, false), u64::MAX);
    let value = bench.session.kernel().memory(MAIN, SPACE, DATA, 8).unwrap();
    assert_eq!(value[0].bytes.as_deref(), Some("0100000000000000"), "it stops after the change");
}

#[test]
fn a_run_stops_after_a_hypercall_that_changes_bytes() {
    let code = Code::new()
        .call(Hypercall::CapDelete, &[9])
        .call(Hypercall::PageAllocate, &[10, 3, 0])
        .call(Hypercall::PageMap, &[10, WINDOW as u32, 3])
        .eax(5)
        .store(WINDOW)
        .call(Hypercall::CapDelete, &[10])
        .exit(0);
    let bundle = one(&code);
    let mut bench = Bench::booted(&bundle, r#"{"boot":{}}"#);
    let status = bench.session.kernel().utcb(ThreadId(0)).unwrap().address.0 + utcb::STATUS as u64;
    let stopped = bench.go(Goal::End, &on(status, 8, false), u64::MAX);
    assert!(matches!(stopped, Stopped::Memory { write: true, .. }), "{stopped:?}");
    let events = bench.session.kernel().events();
    assert!(matches!(
        events.last().unwrap().kind,
        shared_model::event::EventKind::Hypercall { call: Some(Hypercall::CapDelete), .. }
    ));
    // What is not mapped yet is watched as well: it comes, is written, and goes.
    let stops = on(WINDOW, 4, false);
    let mut changes = 0;
    while bench.go(Goal::End, &stops, u64::MAX) != Stopped::Over {
        changes += 1;
    }
    assert_eq!(changes, 3);
}

#[test]
fn a_run_stops_at_hypercalls_and_at_what_they_do_to_a_slot() {
    let code = Code::new()
        .call(Hypercall::PageAllocate, &[10, 3, 0])
        .call(Hypercall::CapCopy, &[10, 11, 1, 0])
        .call(Hypercall::CapInspect, &[11])
        .call(Hypercall::CapRevoke, &[10])
        .call(Hypercall::CapInspect, &[12])
        .exit(0);
    let bundle = one(&code);
    for budget in [u64::MAX, 3, 1] {
        let stops = Stops { hypercalls: vec![Hypercall::CapInspect], ..Stops::default() };
        let named = |stop| matches!(stop, Stopped::Hypercall { name: "cap_inspect", .. });
        assert_eq!(count(&bundle, &stops, budget, named), 2);
        let capability = |slot| Stops {
            capabilities: vec![CapabilityStop { domain: MAIN, slot }],
            ..Stops::default()
        };
        let any = |stop| matches!(stop, Stopped::Capability { .. });
        // It comes and is used, it is copied, it is revoked.
        assert_eq!(count(&bundle, &capability(10), budget, any), 3);
        // It comes, is looked at, goes.
        assert_eq!(count(&bundle, &capability(11), budget, any), 3);
        assert_eq!(count(&bundle, &capability(13), budget, any), 0);
    }
    let mut bench = Bench::booted(&bundle, r#"{"boot":{}}"#);
    for expected in 1..=6 {
        assert_eq!(bench.go(Goal::Hypercall, &Stops::default(), u64::MAX), Stopped::Goal);
        let events = bench.session.kernel().events();
        let made = events.iter().filter(|event| event.kind.word() == "hypercall").count();
        assert_eq!(made, expected);
    }
}

#[test]
fn a_fault_that_is_built_in_changes_a_register_each_time() {
    let (bundle, increment) = rounds();
    let plant = |address: u64, register: &str| {
        format!(
            r#"{{"boot":{{"plants":[{{"domain":0,"address":"{address:#x}","register":"{register}","xor":"0x6"}}]}}}}"#
        )
    };
    // r12 is inverted after `mov r12d, 7`: one round is left.
    let mut bench = Bench::booted(&bundle, &plant(super::code::TEXT + 9, "r12"));
    bench.go(Goal::End, &Stops::default(), u64::MAX);
    let value = bench.session.kernel().memory(MAIN, SPACE, DATA, 1).unwrap();
    assert_eq!(value[0].bytes.as_deref(), Some("01"));
    // It does not depend on how the run is cut.
    let mut whole = Bench::booted(&bundle, &plant(increment, "r12"));
    let mut cut = Bench::booted(&bundle, &plant(increment, "r12"));
    whole.go(Goal::End, &Stops::default(), 3000);
    while cut.position() < whole.position() {
        cut.go(Goal::Single(1), &at(increment), u64::MAX);
    }
    assert_eq!((cut.position(), cut.digest()), (whole.position(), whole.digest()));
    let mut session = shared_model::session::Session::new(crate::SimArch::new(), bundle);
    let wrong = plant(0, "eflags");
    let refused = super::Laboratory::default().handle(&mut session, wrong.as_bytes());
    assert!(refused.unwrap_err().contains("eflags"));
}

#[test]
fn stops_change_nothing_but_where_a_run_stands_still() {
    let mut free =
        Bench::booted(&busy(), r#"{"boot":{"schedule":{"seeded":{"seed":1,"preempt":9}}}}"#);
    let mut stopped =
        Bench::booted(&busy(), r#"{"boot":{"schedule":{"seeded":{"seed":1,"preempt":9}}}}"#);
    free.go(Goal::End, &Stops::default(), u64::MAX);
    let stops = Stops {
        memory: on(DATA, 8, true).memory,
        addresses: at(super::code::TEXT + 9).addresses,
        hypercalls: vec![Hypercall::Yield],
        ..Stops::default()
    };
    while stopped.go(Goal::End, &stops, 1000) != Stopped::Over {}
    assert_eq!((free.position(), free.digest()), (stopped.position(), stopped.digest()));
}
