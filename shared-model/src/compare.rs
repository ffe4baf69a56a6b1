//! Whether two runs of the same inputs agree.
//!
//! Three answers. *Agree*: every comparable event is equal. *Diverge*: one is not; the first is
//! named. *Poisoned*: up to a point they agree, and there a run met something that a host may
//! show differently (the clock, say) or a backend could not do, so that what follows means
//! nothing. One-sided ends are divergences, never poison, unless the end says so itself.
//!
//! Not compared: flags that the manual leaves undefined; the registers and memory of a thread
//! that was stopped at a moment that depends on the host's speed, and how far beyond the other
//! side it had come by then.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::Serialize;

use crate::domain::{DomainId, ThreadId};
use crate::event::{Event, EventKind, Log};
use crate::exit::{End, KillReason};

/// The result of comparing two logs.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum Verdict {
    /// Every comparable event is equal.
    Agree {
        /// How many were compared.
        compared: usize,
    },
    /// The runs differ.
    Diverge(Box<Divergence>),
    /// They agree as far as they can be compared.
    Poisoned {
        /// Events before that point.
        compared: usize,
        /// Which backend, and what it met.
        why: String,
    },
}

/// The first difference between two runs.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Divergence {
    /// How many comparable events are equal before it.
    pub index: usize,
    /// The fields that differ, as paths into the event.
    pub fields: Vec<String>,
    /// The event on the left, if it has one.
    pub left: Option<Event>,
    /// The event on the right, if it has one.
    pub right: Option<Event>,
    /// The equal events just before, oldest first.
    pub context: Vec<Event>,
}

/// Events of context that a divergence carries.
const CONTEXT: usize = 4;

/// Compares two logs of the same world.
pub fn compare(left: &Log, right: &Log) -> Verdict {
    if left.header.inputs != right.header.inputs {
        return Verdict::Diverge(Box::new(Divergence {
            index: 0,
            fields: alloc::vec![String::from("inputs")],
            left: None,
            right: None,
            context: Vec::new(),
        }));
    }
    let stopped = Stopped::new(left, right);
    let sides = (stopped.comparable(left), stopped.comparable(right));
    let poison = [(left, &sides.0), (right, &sides.1)]
        .into_iter()
        .filter_map(|(log, events)| poisoned_at(log, events))
        .min_by_key(|(at, _)| *at);
    let end = poison.as_ref().map_or(usize::MAX, |(at, _)| *at);
    let length = sides.0.len().max(sides.1.len()).min(end);
    let flags = UndefinedFlags::new(left, right);
    for index in 0..length {
        let (a, b) = (sides.0.get(index), sides.1.get(index));
        let equal = match (a, b) {
            (Some(a), Some(b)) => flags.mask(a, &stopped) == flags.mask(b, &stopped),
            _ => false,
        };
        if !equal {
            let context = &sides.0[index.saturating_sub(CONTEXT)..index.min(sides.0.len())];
            return Verdict::Diverge(Box::new(Divergence {
                index,
                fields: different_fields(a.copied(), b.copied()),
                left: a.map(|event| (*event).clone()),
                right: b.map(|event| (*event).clone()),
                context: context.iter().map(|event| (*event).clone()).collect(),
            }));
        }
    }
    match poison {
        Some((compared, why)) => Verdict::Poisoned { compared, why },
        None => Verdict::Agree { compared: length },
    }
}

/// The first comparable event after which nothing can be compared, and why.
fn poisoned_at(log: &Log, events: &[&Event]) -> Option<(usize, String)> {
    events.iter().enumerate().find_map(|(at, event)| {
        let EventKind::Ended { end: End::Killed(reason), registers, .. } = &event.kind else {
            return None;
        };
        let backend = &log.header.backend;
        match reason {
            KillReason::Unsupported { what } => {
                Some((at, format!("{backend}: {what} at {:#x}", registers.rip)))
            }
            KillReason::Timeout => Some((at, format!("{backend}: the run's limit was reached"))),
            _ => None,
        }
    })
}

/// Threads that were stopped at a moment of the host's choosing, and what of them is comparable.
struct Stopped {
    /// For each, how many of its events both sides have.
    threads: BTreeMap<ThreadId, usize>,
    domains: BTreeSet<DomainId>,
}

impl Stopped {
    fn new(left: &Log, right: &Log) -> Self {
        let mut threads = BTreeMap::new();
        let mut domains = BTreeSet::new();
        for event in left.events.iter().chain(&right.events) {
            if let (Some(thread), EventKind::Ended { end, .. }) = (event.thread, &event.kind)
                && end.is_asynchronous()
            {
                let count = |log: &Log| {
                    let own = |event: &&Event| event.thread == Some(thread) && !is_end(event);
                    log.events.iter().filter(own).count()
                };
                threads.insert(thread, count(left).min(count(right)));
                domains.insert(event.domain);
            }
        }
        Self { threads, domains }
    }

    /// The events of a log that can be compared.
    fn comparable<'a>(&self, log: &'a Log) -> Vec<&'a Event> {
        let mut seen: BTreeMap<ThreadId, usize> = BTreeMap::new();
        let keep = |event: &&Event| {
            let memory =
                matches!(event.kind, EventKind::Memory { .. } | EventKind::MemoryTotal { .. });
            if memory && self.domains.contains(&event.domain) {
                return false;
            }
            match event.thread.and_then(|thread| Some((thread, self.threads.get(&thread)?))) {
                Some((thread, &common)) if !is_end(event) => {
                    let seen = seen.entry(thread).or_insert(0);
                    *seen += 1;
                    *seen <= common
                }
                _ => true,
            }
        };
        log.events.iter().filter(keep).collect()
    }
}

const fn is_end(event: &Event) -> bool {
    matches!(event.kind, EventKind::Ended { .. })
}

/// For each thread, the flags that either side says are undefined at its end.
struct UndefinedFlags(BTreeMap<ThreadId, u64>);

impl UndefinedFlags {
    fn new(left: &Log, right: &Log) -> Self {
        let mut all = BTreeMap::new();
        for event in left.events.iter().chain(&right.events) {
            if let (Some(thread), EventKind::Ended { undefined_flags, .. }) =
                (event.thread, &event.kind)
            {
                *all.entry(thread).or_insert(0) |= undefined_flags;
            }
        }
        Self(all)
    }

    /// The event without what cannot be compared.
    fn mask(&self, event: &Event, stopped: &Stopped) -> Event {
        let mut event = event.clone();
        if let EventKind::Ended { registers, undefined_flags, .. } = &mut event.kind {
            let thread = event.thread.unwrap_or(ThreadId(u32::MAX));
            *undefined_flags = 0;
            registers.rflags &= !self.0.get(&thread).copied().unwrap_or(0);
            if stopped.threads.contains_key(&thread) {
                *registers = crate::registers::Registers::default();
            }
        }
        event
    }
}

fn different_fields(left: Option<&Event>, right: Option<&Event>) -> Vec<String> {
    let (Some(left), Some(right)) = (left, right) else {
        return alloc::vec![String::from("one side has no more events")];
    };
    let json = |event: &Event| serde_json::to_value(event).expect("an event is plain data");
    let mut fields = Vec::new();
    json_difference("", &json(left), &json(right), &mut fields);
    fields
}

fn json_difference(
    path: &str,
    left: &serde_json::Value,
    right: &serde_json::Value,
    out: &mut Vec<String>,
) {
    use serde_json::Value;
    let join = |key: &dyn ToString| {
        let key = key.to_string();
        if path.is_empty() { key } else { format!("{path}.{key}") }
    };
    match (left, right) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<_> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let of = |map: &serde_json::Map<String, Value>| {
                    map.get(key).cloned().unwrap_or(Value::Null)
                };
                json_difference(&join(key), &of(a), &of(b), out);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (i, (a, b)) in a.iter().zip(b).enumerate() {
                json_difference(&join(&i), a, b, out);
            }
        }
        _ if left != right => out.push(format!("{path}: {left} and {right}")),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
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
        assert!(
            matches!(&verdict, Verdict::Poisoned { compared: 1, why } if why.contains("rdtsc"))
        );
        let c = log("native", alloc::vec![returned(2), returned(7)]);
        assert!(matches!(compare(&a, &c), Verdict::Diverge(d) if d.index == 0));
    }
}
