//! What agrees, what differs, and what cannot be said.

use super::{Verdict, compare};
use crate::domain::{DomainId, ThreadId};
use crate::event::{Digest, Event, EventKind, Log, LogHeader};
use crate::exit::{End, Exited, KillReason};
use crate::registers::{Registers, ZF};
use alloc::vec::Vec;

fn log(backend: &str, kinds: Vec<EventKind>) -> Log {
    let inputs = Digest::of([]);
    let header = LogHeader { lcd_log: 1, backend: backend.into(), world: "w".into(), inputs };
    let event = |kind| Event { domain: DomainId(0), thread: Some(ThreadId(0)), kind };
    Log { header, events: kinds.into_iter().map(event).collect() }
}

fn ended(end: End, rflags: u64, undefined_flags: u64) -> EventKind {
    let registers = Registers { rflags, ..Registers::default() };
    EventKind::Ended { end, registers, undefined_flags }
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
