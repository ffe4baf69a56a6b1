//! Making objects: every kind, in a row of slots, in slots that cannot take any, and of every size
//! until nothing is left.

use alloc::vec::Vec;

use super::scenes::{ALL, family};
use super::{Bench, MAIN};
use crate::abi::{Hypercall, Resource, Status, utcb};
use crate::capability::{Object, cptr};
use crate::domain::DomainId;

use Hypercall::{
    CapDelete, ChannelCreate, DomainCreate, EndpointCreate, NotificationCreate, PageAllocate,
    PageAllocateMany, PageAllocateNode,
};

/// Every call that makes an object in its first argument's slot, with the other arguments.
const MAKERS: [(Hypercall, [u64; 3]); 7] = [
    (PageAllocate, [ALL, 1, 0]),
    (PageAllocateMany, [ALL, 3, 0]),
    (PageAllocateNode, [ALL, 0, 1]),
    (EndpointCreate, [0, 0, 0]),
    (NotificationCreate, [0, 0, 0]),
    (ChannelCreate, [1, 0, 0]),
    (DomainCreate, [0, 0, 0]),
];

fn words(slot: u64, rest: [u64; 3]) -> [u64; 4] {
    [slot, rest[0], rest[1], rest[2]]
}

/// All that is on the account of `main`, and the frames in use.
fn used(bench: &Bench) -> ([u64; 5], usize) {
    let account = |resource| bench.kernel.accounts.of(DomainId(0), resource).expect("an account").1;
    (Resource::ALL.map(account), bench.kernel.frames.in_use())
}

#[test]
fn every_kind_of_object_is_made_in_a_row_of_slots() {
    let mut bench = family();
    for (call, rest) in MAKERS {
        let before = used(&bench);
        let mut made: Vec<Object> = Vec::new();
        // Across the end of the first level.
        for slot in (25..32).chain(1 << 20..(1 << 20) + 10) {
            bench.done(MAIN, call, &words(slot, rest));
            let capability = bench.capability(MAIN, slot).expect("it was made");
            assert!(!made.contains(&capability.object), "each is an object of its own");
            assert_eq!((capability.rights.bits(), capability.badge), (ALL, 0));
            made.push(capability.object);
        }
        let resource = match call {
            PageAllocate | PageAllocateMany | PageAllocateNode => Resource::Pages,
            DomainCreate => Resource::Domains,
            _ => Resource::Objects,
        };
        let each = match call {
            PageAllocate => 2,
            PageAllocateMany => 3,
            _ => 1,
        };
        let (counted, at) = (used(&bench).0, resource as usize);
        assert_eq!(counted[at] - before.0[at], 17 * each, "{call:?}");
        for slot in (25..32).chain(1 << 20..(1 << 20) + 10) {
            bench.done(MAIN, CapDelete, &[slot]);
        }
        assert_eq!(used(&bench), before, "{call:?}");
    }
    bench.tear_down();
}

#[test]
fn nothing_is_made_where_it_cannot_be_put() {
    let mut bench = family();
    bench.done(MAIN, PageAllocate, &[25, ALL]);
    let before = used(&bench);
    for (call, rest) in MAKERS {
        for slot in [20, 21, 25] {
            bench.refused(MAIN, call, &words(slot, rest), Status::Exists);
        }
        for slot in [cptr::NULL, cptr::CALL, cptr::REPLY, 32, 1 << 20 | 1 << 10, cptr::NUMBERS] {
            bench.refused(MAIN, call, &words(slot, rest), Status::Invalid);
        }
        // Nor where there is a place, but nothing more may be held.
        let held = before.0[Resource::Capabilities as usize];
        bench.kernel.accounts.set_limit(DomainId(0), Resource::Capabilities, held);
        bench.refused(MAIN, call, &words(26, rest), Status::NoMemory);
        bench.kernel.accounts.set_limit(DomainId(0), Resource::Capabilities, u64::MAX);
        assert_eq!(used(&bench), before, "{call:?}");
    }
    bench.tear_down();
}

#[test]
fn memory_of_every_size_is_had_until_it_is_used_up_and_again_when_it_is_back() {
    let mut bench = family();
    bench.unchecked = true;
    let pages = used(&bench).0[Resource::Pages as usize];
    bench.kernel.accounts.set_limit(DomainId(0), Resource::Pages, pages + 2100);
    let frames = bench.kernel.frames.in_use();
    for _ in 0..3 {
        let mut taken = Vec::new();
        // The largest first: 1024 + 1024 + 32 + 16 + 4.
        for order in (0..=10).rev() {
            let mut slot = (1 << 20) + 20 * order;
            while bench.call(MAIN, PageAllocate, &[slot, ALL, order]) == Status::Ok {
                taken.push((slot, 1 << order));
                slot += 1;
            }
            assert_eq!(bench.word(MAIN, utcb::STATUS).cast_signed(), Status::NoMemory as i64);
        }
        let sizes: Vec<u64> = taken.iter().map(|&(_, size)| size).collect();
        assert_eq!(sizes, [1024, 1024, 32, 16, 4]);
        assert_eq!(bench.kernel.frames.in_use() - frames, 2100);
        // What one gives back, and no more, can be had in other sizes.
        bench.done(MAIN, CapDelete, &[taken[3].0]);
        for slot in 0..16 {
            bench.done(MAIN, PageAllocate, &[(2 << 20) + slot, ALL, 0]);
        }
        bench.refused(MAIN, PageAllocate, &[(2 << 20) + 16, ALL, 0], Status::NoMemory);
        for slot in taken.iter().map(|&(slot, _)| slot).chain((2 << 20)..(2 << 20) + 16) {
            bench.call(MAIN, CapDelete, &[slot]);
        }
        assert_eq!(bench.kernel.frames.in_use(), frames);
    }
    bench.unchecked = false;
    bench.audit();
    bench.tear_down();
}
