//! What capability operations cost, beside a hash map that holds the same and keeps no derivations.
//!
//! The two are measured in turns, and the median of each is taken, so that a machine that others use
//! as well still tells which is faster.

use std::collections::HashMap;
use std::hint::black_box;
use std::time::Instant;

use serde::Serialize;
use shared_model::address::Frame;
use shared_model::capability::{Capabilities, Capability, Object, Slot, SpaceId, cptr};
use shared_model::domain::DomainId;
use shared_model::rights::Rights;

/// How long to measure.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    /// Of so many measurements the median is taken.
    pub(crate) repeats: usize,
    /// Operations of each measurement.
    pub(crate) operations: u32,
}

/// What one operation, or one capability, takes.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Row {
    pub(crate) operation: &'static str,
    /// How many capabilities there are.
    pub(crate) capabilities: u32,
    pub(crate) each: f64,
    pub(crate) unit: &'static str,
    /// The same of a hash map, if it has something to compare.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hash_map: Option<f64>,
}

impl Row {
    /// How many times longer the hash map takes.
    pub(crate) fn ratio(&self) -> Option<f64> {
        Some(self.hash_map? / self.each)
    }
}

const ROOT: Slot = slot(0, 3);
const OBJECT: Object = Object::Page(Frame(7));

const fn slot(domain: u32, number: u64) -> Slot {
    Slot { space: SpaceId::Domain(DomainId(domain)), number }
}

/// The slot of domain 1 at `index` in the order of allocation, from the first it can use.
fn nth(index: u32) -> Slot {
    slot(1, cptr::nth(index + 3).expect("a space has that many"))
}

/// A root, and `count` copies of it in another space.
fn descendants(count: u32) -> Capabilities {
    let mut caps = Capabilities::new();
    caps.open(ROOT.space);
    caps.open(nth(0).space);
    caps.insert(ROOT, OBJECT, Rights::ALL).expect("a new space is empty");
    for index in 0..count {
        caps.grant(ROOT, nth(index), Rights::ALL, None).expect("the slot is new");
    }
    caps
}

/// The same in a hash map.
fn map(count: u32) -> HashMap<Slot, Capability> {
    (0..count).map(|index| (nth(index), capability())).collect()
}

fn capability() -> Capability {
    Capability { object: OBJECT, rights: Rights::ALL, badge: 0, mapped: None }
}

/// Slots in an order that no cache can guess, the same in each run.
fn shuffled(count: u32, effort: Effort) -> Vec<Slot> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as u32 % count
    };
    (0..effort.operations).map(|_| nth(next())).collect()
}

/// Nanoseconds of an operation that is done once for each slot.
fn time(slots: &[Slot], mut operation: impl FnMut(Slot)) -> f64 {
    let start = Instant::now();
    slots.iter().for_each(|&slot| operation(slot));
    start.elapsed().as_nanos() as f64 / slots.len() as f64
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Measures two things in turns.
fn compare(
    (operation, capabilities): (&'static str, u32),
    effort: Effort,
    mut ours: impl FnMut() -> f64,
    mut theirs: impl FnMut() -> f64,
) -> Row {
    let (a, b): (Vec<_>, Vec<_>) = (0..effort.repeats).map(|_| (ours(), theirs())).unzip();
    let hash_map = Some(median(b));
    Row { operation, capabilities, each: median(a), unit: "ns", hash_map }
}

fn lookup(count: u32, effort: Effort) -> Row {
    let (caps, map, slots) = (descendants(count), map(count), shuffled(count, effort));
    compare(
        ("lookup", count),
        effort,
        || time(&slots, |slot| _ = black_box(&caps.lookup(slot))),
        || time(&slots, |slot| _ = black_box(&map.get(&slot).copied())),
    )
}

fn grant_and_delete(count: u32, effort: Effort) -> Row {
    let (mut caps, mut map) = (descendants(count), map(count));
    let slots = shuffled(count, effort);
    compare(
        ("delete and grant again", count),
        effort,
        || {
            time(&slots, |slot| {
                assert!(black_box(&caps.delete(slot)).is_ok());
                assert!(black_box(&caps.grant(ROOT, slot, Rights::ALL, None)).is_ok());
            })
        },
        || {
            time(&slots, |slot| {
                assert!(black_box(&map.remove(&slot)).is_some());
                assert!(black_box(&map.insert(slot, capability())).is_none());
            })
        },
    )
}

/// As an allocator does: the lowest free slot, each time.
fn allocate_and_delete(count: u32, effort: Effort) -> Row {
    let (mut caps, slots) = (descendants(count), shuffled(count, effort));
    let space = nth(0).space;
    let times = (0..effort.repeats).map(|_| {
        time(&slots, |slot| {
            caps.delete(slot).expect("it is held");
            let number = caps.first_free(space).expect("it was just freed");
            let to = Slot { space, number };
            assert!(black_box(&caps.grant(ROOT, to, Rights::ALL, None)).is_ok());
        })
    });
    alone("the same, lowest free", count, median(times.collect()), "ns")
}

fn revoke(operation: &'static str, count: u32, limit: usize, effort: Effort) -> Row {
    let times = (0..effort.repeats.min(5)).map(|_| {
        let mut caps = descendants(count);
        let start = Instant::now();
        while !black_box(caps.revoke(ROOT, limit)).expect("the root stays").1 {}
        start.elapsed().as_nanos() as f64 / f64::from(count)
    });
    alone(operation, count, median(times.collect()), "ns")
}

/// Beside an entry of the map, which takes its share of empty ones and a byte of its own as well.
fn size(count: u32) -> Row {
    let each = descendants(count).heap_bytes() as f64 / f64::from(count);
    let hash_map = Some(size_of::<(Slot, Capability)>() as f64);
    Row { hash_map, ..alone("size", count, each, "bytes") }
}

fn alone(operation: &'static str, capabilities: u32, each: f64, unit: &'static str) -> Row {
    Row { operation, capabilities, each, unit, hash_map: None }
}

/// Measures everything.
pub(crate) fn all(effort: Effort, mut report: impl FnMut(Row)) {
    for count in [25, 1000, 100_000, 1_000_000] {
        report(lookup(count, effort));
        report(grant_and_delete(count, effort));
        report(allocate_and_delete(count, effort));
    }
    for count in [10_000, 100_000, 1_000_000] {
        report(revoke("revoke, all at once", count, usize::MAX, effort));
        report(revoke("revoke, by 1000", count, 1000, effort));
        report(size(count));
    }
}
