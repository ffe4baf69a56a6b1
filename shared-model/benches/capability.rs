//! How fast capabilities are, and how large, beside a hash map that holds the same and keeps no
//! derivations.
//!
//! `cargo bench -p shared-model` runs it. The two are measured in turns, and the median of each is
//! taken, so that a machine that others use as well still tells which is faster.

use std::collections::HashMap;
use std::hint::black_box;
use std::time::Instant;

use shared_model::address::Frame;
use shared_model::capability::{Capabilities, Capability, Object, Slot, SpaceId, cptr};
use shared_model::domain::DomainId;
use shared_model::rights::Rights;

const ROUNDS: usize = 15;
const OPERATIONS: usize = 200_000;

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
fn shuffled(count: u32) -> Vec<Slot> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as u32 % count
    };
    (0..OPERATIONS).map(|_| nth(next())).collect()
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

/// Measures two things in turns and prints how they compare.
fn compare(what: &str, count: u32, mut ours: impl FnMut() -> f64, mut theirs: impl FnMut() -> f64) {
    let (a, b): (Vec<_>, Vec<_>) = (0..ROUNDS).map(|_| (ours(), theirs())).unzip();
    let (ours, theirs) = (median(a), median(b));
    let ratio = theirs / ours;
    println!("{what:24} {count:>9} {ours:>8.1} ns {theirs:>8.1} ns {ratio:>6.2} x");
}

fn lookup(count: u32) {
    let (caps, map, slots) = (descendants(count), map(count), shuffled(count));
    compare(
        "lookup",
        count,
        || time(&slots, |slot| _ = black_box(&caps.lookup(slot))),
        || time(&slots, |slot| _ = black_box(&map.get(&slot).copied())),
    );
}

fn grant_and_delete(count: u32) {
    let (mut caps, mut map, slots) = (descendants(count), map(count), shuffled(count));
    compare(
        "delete and grant again",
        count,
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
    );
}

/// As an allocator does: the lowest free slot, each time.
fn allocate_and_delete(count: u32) {
    let (mut caps, slots) = (descendants(count), shuffled(count));
    let space = nth(0).space;
    let times = (0..ROUNDS).map(|_| {
        time(&slots, |slot| {
            caps.delete(slot).expect("it is held");
            let number = caps.first_free(space).expect("it was just freed");
            let to = Slot { space, number };
            assert!(black_box(&caps.grant(ROOT, to, Rights::ALL, None)).is_ok());
        })
    });
    let each = median(times.collect());
    println!("{:24} {count:>9} {each:>8.1} ns", "the same, lowest free");
}

fn revoke(count: u32, limit: usize) {
    let times = (0..ROUNDS.min(5)).map(|_| {
        let mut caps = descendants(count);
        let start = Instant::now();
        while !black_box(caps.revoke(ROOT, limit)).expect("the root stays").1 {}
        start.elapsed().as_nanos() as f64 / f64::from(count)
    });
    let each = median(times.collect());
    let pieces = if limit == usize::MAX { "all at once".into() } else { format!("by {limit}") };
    println!("{:24} {count:>9} {each:>8.1} ns", format!("revoke {pieces}"));
}

fn bytes(count: u32) {
    let each = descendants(count).heap_bytes() as f64 / f64::from(count);
    let entry = size_of::<(Slot, Capability)>();
    println!("{:24} {count:>9} {each:>8.1} bytes (an entry of the map: {entry})", "size");
}

fn main() {
    println!("{:24} {:>9} {:>11} {:>11}", "each", "of", "lcd", "HashMap");
    for count in [25, 1000, 100_000, 1_000_000] {
        lookup(count);
        grant_and_delete(count);
        allocate_and_delete(count);
    }
    for count in [10_000, 100_000, 1_000_000] {
        revoke(count, usize::MAX);
        revoke(count, 1000);
        bytes(count);
    }
}
