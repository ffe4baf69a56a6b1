//! What agrees, what differs, and what cannot be said.

use super::{Verdict, compare};
use crate::address::{Frame, GuestPhysical};
use crate::capability::Object;
use crate::domain::{DomainId, ThreadId};
use crate::event::{Digest, Event, EventKind, Log, LogHeader};
use crate::exit::{End, Exited, KillReason};
use crate::registers::{Registers, ZF};
use crate::rights::Rights;
use alloc::vec::Vec;

fn log(backend: &str, kinds: Vec<EventKind>) -> Log {
    let inputs = Digest::of([]);
    let header = LogHeader {
        lcd_log: 1,
        backend: backend.into(),
        world: "w".into(),
        inputs,
        schedule: crate::microkernel::Schedule::Cooperative,
    };
    let event = |kind| Event { domain: DomainId(0), thread: Some(ThreadId(0)), kind };
    Log { header, events: kinds.into_iter().map(event).collect() }
}

fn ended(end: End, rflags: u64, undefined_flags: u64) -> EventKind {
    let registers = Registers { rflags, ..Registers::default() };
    EventKind::Ended { end, registers, at: None, undefined_flags }
}

fn returned(value: u64) -> EventKind {
    EventKind::Return { value }
}

fn exit() -> End {
    End::Exit(Exited { value: 0 })
}

#[test]
fn equal_logs_agree_and_the_first_difference_is_named() {
    let a = log("sim", alloc::vec![returned(1), returned(2), returned(3)]);
    assert_eq!(compare(&a, &a), Verdict::Agree { compared: 3 });
    let b = log("native", alloc::vec![returned(1), returned(9), returned(8)]);
    let Verdict::Diverge(found) = compare(&a, &b) else { panic!("they differ") };
    assert_eq!((found.index, found.fields), (1, alloc::vec!["value: 2 and 9".into()]));
    assert_eq!(found.context.len(), 1);
    let short = log("native", alloc::vec![returned(1)]);
    assert!(
        matches!(compare(&a, &short), Verdict::Diverge(d) if d.index == 1 && d.right.is_none())
    );
}

#[test]
fn undefined_flags_are_masked_and_defined_ones_are_not() {
    let a = log("sim", alloc::vec![ended(exit(), 2, ZF)]);
    let b = log("native", alloc::vec![ended(exit(), 2 | ZF, 0)]);
    assert_eq!(compare(&a, &b), Verdict::Agree { compared: 1 });
    let c = log("sim", alloc::vec![ended(exit(), 2, 0)]);
    assert!(matches!(compare(&c, &b), Verdict::Diverge(_)));
}

#[test]
fn what_a_host_decides_is_not_compared() {
    let killed = || End::Killed(KillReason::Killed);
    let a = log("sim", alloc::vec![returned(1), ended(killed(), 2, 0)]);
    let b = log("native", alloc::vec![returned(1), returned(1), ended(killed(), 3, 0)]);
    assert_eq!(compare(&a, &b), Verdict::Agree { compared: 2 });
    let exited = log("native", alloc::vec![returned(1), ended(exit(), 2, 0)]);
    assert!(matches!(compare(&a, &exited), Verdict::Diverge(_)), "the ends differ");
}

#[test]
fn poison_hides_what_follows_and_nothing_before() {
    let unsupported = || End::Killed(KillReason::Unsupported { what: "rdtsc".into() });
    let a = log("sim", alloc::vec![returned(1), ended(unsupported(), 2, 0)]);
    let b = log("native", alloc::vec![returned(1), returned(7), returned(8)]);
    let verdict = compare(&a, &b);
    assert!(matches!(&verdict, Verdict::Poisoned { compared: 1, why } if why.contains("rdtsc")));
    let c = log("native", alloc::vec![returned(2), returned(7)]);
    assert!(matches!(compare(&a, &c), Verdict::Diverge(d) if d.index == 0));
}

/// Two domains with a thread each. `seen` is what one backend saw of them.
fn two(seen: Vec<(u32, EventKind)>) -> Log {
    let mut log = log("x", Vec::new());
    log.events = seen
        .into_iter()
        .map(|(n, kind)| Event { domain: DomainId(n), thread: Some(ThreadId(n)), kind })
        .collect();
    log
}

fn killed() -> EventKind {
    ended(End::Killed(KillReason::Killed), 2, 0)
}

fn holds(object: Object) -> EventKind {
    EventKind::CapabilityAdded {
        space: None,
        slot: 1,
        object,
        rights: Rights::ALL,
        badge: 0,
        from: None,
    }
}

fn mapped(rights: Rights) -> EventKind {
    EventKind::Mapped { page: GuestPhysical(0x4000_0000), frame: Frame(9), rights, slot: None }
}

fn memory(byte: u8) -> EventKind {
    let digest = Digest::of([[byte].as_slice()]);
    EventKind::Memory { page: Some(GuestPhysical(0x4000_0000)), frame: Frame(9), digest }
}

#[test]
fn what_a_stopped_thread_does_longer_on_one_side_is_no_difference() {
    // Thread 0 maps and unmaps for as long as it is let; thread 1 takes its turns between.
    let turn = |n| [(0, mapped(Rights::READ)), (1, returned(n))];
    let short = [turn(1), turn(2)].concat().into_iter();
    let short = short.chain([(0, killed()), (1, returned(3)), (1, returned(4))]);
    let long = [turn(1), turn(2), turn(3), turn(4), turn(5)].concat().into_iter();
    let (short, long) = (two(short.collect()), two(long.take(8).chain([(0, killed())]).collect()));
    assert_eq!(compare(&short, &long), Verdict::Agree { compared: 7 });
    assert_eq!(compare(&long, &short), Verdict::Agree { compared: 7 });
}

#[test]
fn a_thread_that_nobody_stopped_is_compared_to_its_end() {
    let a = two(alloc::vec![(0, killed()), (1, returned(1)), (1, ended(exit(), 2, 0))]);
    let b = two(alloc::vec![(0, killed()), (1, returned(2)), (1, ended(exit(), 2, 0))]);
    assert!(matches!(compare(&a, &b), Verdict::Diverge(found) if found.index == 0));
    let c = two(alloc::vec![(0, killed()), (1, returned(1))]);
    assert!(matches!(compare(&a, &c), Verdict::Diverge(_)));
}

#[test]
fn a_difference_that_a_stop_can_explain_is_poison_and_hides_no_other() {
    let run = |near: u64, far: u64, before: u64| {
        two(alloc::vec![
            (1, returned(before)),
            (0, holds(Object::Page(Frame(9)))),
            (1, holds(Object::Page(Frame(9)))),
            (0, killed()),
            (1, returned(near)),
            (2, returned(far)),
        ])
    };
    assert!(matches!(compare(&run(1, 1, 0), &run(1, 1, 0)), Verdict::Agree { compared: 6 }));
    let near = compare(&run(1, 1, 0), &run(2, 1, 0));
    assert!(matches!(near, Verdict::Poisoned { compared: 3, .. }), "{near:?}");
    // Another domain has nothing to do with it, and before the stop nothing can be explained.
    assert!(matches!(compare(&run(1, 1, 0), &run(2, 2, 0)), Verdict::Diverge(_)));
    assert!(matches!(compare(&run(1, 1, 0), &run(1, 2, 0)), Verdict::Diverge(_)));
    assert!(matches!(compare(&run(1, 1, 0), &run(1, 1, 7)), Verdict::Diverge(_)));
}

#[test]
fn connections_reach_through_third_domains() {
    let run = |last: u64| {
        two(alloc::vec![
            (2, holds(Object::Page(Frame(4)))),
            (1, holds(Object::Page(Frame(4)))),
            (1, holds(Object::Domain(DomainId(0)))),
            (0, killed()),
            (2, returned(last)),
            (3, returned(1)),
        ])
    };
    assert!(matches!(compare(&run(1), &run(2)), Verdict::Poisoned { .. }));
}

#[test]
fn memory_that_a_stopped_thread_can_write_is_not_compared_and_other_memory_is() {
    let run = |rights: Rights, byte: u8, zero: usize| {
        let mut events = alloc::vec![(0, mapped(rights)), (1, mapped(Rights::READ)), (0, killed())];
        if zero == 0 {
            events.push((1, memory(byte)));
        }
        events.push((1, EventKind::MemoryTotal { pages: 1, zero }));
        two(events)
    };
    let write = Rights::READ_WRITE;
    let agree = |verdict: Verdict| matches!(verdict, Verdict::Agree { .. });
    assert!(agree(compare(&run(write, 1, 0), &run(write, 2, 0))));
    assert!(agree(compare(&run(write, 1, 0), &run(write, 0, 1))), "zero on one side only");
    assert!(!agree(compare(&run(Rights::READ, 1, 0), &run(Rights::READ, 2, 0))));
}

#[test]
fn a_limit_on_one_side_is_poison_where_it_was_reached() {
    let timeout = || ended(End::Killed(KillReason::Timeout), 2, 0);
    let short =
        two(alloc::vec![(0, returned(1)), (1, returned(1)), (0, timeout()), (1, timeout())]);
    let long = |n| {
        two(alloc::vec![
            (0, returned(1)),
            (1, returned(n)),
            (0, returned(5)),
            (2, returned(6)),
            (0, ended(exit(), 2, 0)),
            (1, ended(exit(), 2, 0)),
        ])
    };
    assert!(matches!(compare(&short, &long(1)), Verdict::Poisoned { compared: 2, .. }));
    assert!(matches!(compare(&long(1), &short), Verdict::Poisoned { compared: 2, .. }));
    assert!(matches!(compare(&short, &long(2)), Verdict::Diverge(found) if found.index == 1));
}

#[test]
fn logs_of_different_inputs_are_not_compared() {
    let a = log("sim", alloc::vec![returned(1)]);
    let mut b = a.clone();
    b.header.inputs = Digest::of([b"other".as_slice()]);
    assert!(matches!(compare(&a, &b), Verdict::Diverge(found) if found.fields == ["inputs"]));
}

/// Two logs of a run and its repetition, of a thread that ends with different registers.
fn in_parallel(end: &End, before: &[EventKind]) -> Verdict {
    let side = |backend: &str, rflags| {
        log(backend, before.iter().cloned().chain([ended(end.clone(), rflags, 0)]).collect())
    };
    let (mut left, right) = (side("native", 2), side("sim", 2 | ZF));
    left.header.schedule = crate::microkernel::Schedule::Parallel;
    let mut right = right;
    right.header.schedule = crate::microkernel::Schedule::Recorded(Vec::new().into());
    compare(&left, &right)
}

#[test]
fn where_a_running_thread_was_when_another_ended_it_is_not_compared() {
    let page = GuestPhysical(0x4000_0000);
    let fault = |address| {
        End::Killed(KillReason::Fault {
            address: crate::address::GuestVirtual(address),
            guest_physical: GuestPhysical(address),
            access: crate::exit::Access::Read,
        })
    };
    let unmapped = EventKind::Unmapped { page, frame: Frame(7) };
    for end in [End::Killed(KillReason::Terminated), End::Killed(KillReason::Destroyed)] {
        assert_eq!(in_parallel(&end, &[]), Verdict::Agree { compared: 1 });
    }
    // A page that was there until somebody took it, and one that never was.
    let taken = core::slice::from_ref(&unmapped);
    assert_eq!(in_parallel(&fault(page.0 + 8), taken), Verdict::Agree { compared: 2 });
    for (end, before) in [(fault(page.0 + 8), &[][..]), (fault(page.0 + 0x1000), taken)] {
        assert!(matches!(in_parallel(&end, before), Verdict::Diverge(_)), "{end:?}");
    }
    assert!(matches!(in_parallel(&exit(), &[]), Verdict::Diverge(_)));
}
