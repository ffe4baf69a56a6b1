//! Whether two runs of the same inputs agree.
//!
//! Three answers. *Agree*: every comparable event is equal. *Diverge*: one is not; the first is
//! named. *Poisoned*: up to a point they agree, and there a run met something that a host may
//! show differently (the clock, say) or a backend could not do, so that what follows means
//! nothing. One-sided ends are divergences, never poison, unless the end says so itself.
//!
//! Not compared: flags that the manual leaves undefined; the registers of a thread that was
//! stopped at a moment that depends on the host's speed, memory that it could write, when that
//! was, and how far beyond the other side it had come by then. A difference that a stop can
//! explain, in a domain that is connected with the thread's, is poison.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::domain::ThreadId;
use crate::event::{Event, EventKind, Log};

mod outcomes;
mod stopped;
#[cfg(test)]
mod tests;

pub use outcomes::compare_outcomes;
use stopped::{Side, Stopped};

/// The result of comparing two logs.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
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
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
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
    // A run that repeats another one's order is to be compared with that.
    let schedules = [&left.header.schedule, &right.header.schedule];
    if schedules[0] != schedules[1] && !schedules.iter().any(|schedule| schedule.is_recorded()) {
        let [left, right] = schedules;
        return Verdict::Diverge(Box::new(Divergence {
            index: 0,
            fields: alloc::vec![format!("schedule: {left} and {right}")],
            left: None,
            right: None,
            context: Vec::new(),
        }));
    }
    let stopped = Stopped::new(left, right);
    let flags = UndefinedFlags::new(left, right);
    let (mut left, mut right) = (Side::new(left, &stopped), Side::new(right, &stopped));
    let poison = [left.poison(), right.poison()].into_iter().flatten().min_by_key(|(at, _)| *at);
    let end = poison.as_ref().map_or(usize::MAX, |(at, _)| *at);
    let mut found = difference(&left, &right, end, |event| flags.mask(event, &stopped));
    let stop = left.before_stop.min(right.before_stop);
    if let Some(at) = found
        && at >= stop
        && left.explained(at, &stopped)
        && right.explained(at, &stopped)
    {
        let why = || {
            String::from(
                "a thread was stopped at a moment of the host's choosing, and what a domain \
                 connected with it did depends on when",
            )
        };
        if poison.is_some() {
            return Verdict::Poisoned { compared: at, why: why() };
        }
        // What the thread cannot have influenced must be equal all the same.
        left.keep_independent(stop, &stopped);
        right.keep_independent(stop, &stopped);
        found = difference(&left, &right, end, |event| flags.mask(event, &stopped));
        if found.is_none() {
            return Verdict::Poisoned { compared: at, why: why() };
        }
    }
    match (found, poison) {
        (Some(index), _) => Verdict::Diverge(Box::new(Divergence::at(index, &left, &right))),
        (None, Some((compared, why))) => Verdict::Poisoned { compared, why },
        (None, None) => Verdict::Agree { compared: left.events.len() },
    }
}

/// The first index below `end` at which two sides differ, one having no event there included.
fn difference(
    left: &Side<'_>,
    right: &Side<'_>,
    end: usize,
    mask: impl Fn(&Event) -> Event,
) -> Option<usize> {
    let length = left.events.len().max(right.events.len()).min(end);
    (0..length).find(|&index| match (left.events.get(index), right.events.get(index)) {
        (Some(a), Some(b)) => a != b && mask(a) != mask(b),
        _ => true,
    })
}

impl Divergence {
    fn at(index: usize, left: &Side<'_>, right: &Side<'_>) -> Self {
        let (a, b) = (left.events.get(index).copied(), right.events.get(index).copied());
        let context = &left.events[index.saturating_sub(CONTEXT)..index];
        Self {
            index,
            fields: different_fields(a, b),
            left: a.cloned(),
            right: b.cloned(),
            context: context.iter().copied().cloned().collect(),
        }
    }
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
        if let EventKind::Ended { registers, undefined_flags, at, .. } = &mut event.kind {
            let thread = event.thread.unwrap_or(ThreadId(u32::MAX));
            *undefined_flags = 0;
            registers.rflags &= !self.0.get(&thread).copied().unwrap_or(0);
            if stopped.thread(thread) {
                *registers = crate::registers::Registers::default();
                *at = None;
            }
        }
        if let EventKind::MemoryTotal { zero, .. } = &mut event.kind
            && stopped.shares(event.domain)
        {
            *zero = 0;
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
