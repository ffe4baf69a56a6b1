//! Blocks of several pages: allocated, mapped and unmapped as wholes.

use super::{Bench, CODE, DATA, G, MAIN, PEER, R, TWO, W, X, utcb};
use crate::abi::{Hypercall, Status};
use crate::address::PAGE_SIZE;
use crate::arch::Arch as _;
use crate::capability::{Object, Slot, SpaceId};
use crate::domain::DomainId;
use crate::event::EventKind;
use crate::microkernel::blocks::{BLOCK_PAGES_MAX, ORDER_MAX};

use Hypercall::{
    CapCopy, CapDelete, CapInspect, CapLookup, CapMove, CapRevoke, ChannelCreate, DomainCreate,
    MemoryGrantAndMap, MemoryStatistics, PageAllocate, PageAllocateMany, PageAllocateNode, PageMap,
    PageUnmap,
};

const ALL: u64 = R | W | X | G;

fn large() -> Bench {
    Bench::new(&TWO.replace("pages = 200", "pages = 20000"))
}

/// Results of the last call, from message register 1 on.
fn results<const N: usize>(bench: &Bench) -> [u64; N] {
    core::array::from_fn(|i| bench.word(MAIN, utcb::MESSAGE + 8 * (i + 1)))
}

#[test]
fn a_block_has_the_pages_that_were_asked_for_and_is_one_capability() {
    let mut bench = large();
    bench.unchecked = true;
    for order in 0..=ORDER_MAX {
        let (frames, events) = (bench.kernel.frames.in_use(), bench.kernel.events().len());
        bench.done(MAIN, PageAllocate, &[10, ALL, order]);
        assert_eq!(bench.kernel.frames.in_use() - frames, 1 << order);
        assert_eq!(bench.words(events), ["hypercall", "capability_added"]);
        bench.done(MAIN, CapInspect, &[10]);
        assert_eq!(results(&bench), [1, ALL, 0, 1 << order, 0]);
        bench.done(MAIN, CapDelete, &[10]);
        assert_eq!(bench.kernel.frames.in_use(), frames);
    }
    for pages in [1, 3, 1025, BLOCK_PAGES_MAX] {
        bench.done(MAIN, PageAllocateMany, &[10, ALL, pages]);
        bench.done(MAIN, CapInspect, &[10]);
        assert_eq!(results::<5>(&bench)[3], pages);
        bench.done(MAIN, CapDelete, &[10]);
    }
    bench.unchecked = false;
    for (call, size) in [
        (PageAllocate, ORDER_MAX + 1),
        (PageAllocate, 64),
        (PageAllocate, u64::MAX),
        (PageAllocateMany, 0),
        (PageAllocateMany, BLOCK_PAGES_MAX + 1),
        (PageAllocateMany, u64::MAX),
        (PageAllocateNode, ORDER_MAX + 1),
    ] {
        bench.refused(MAIN, call, &[10, ALL, size, 0], Status::Invalid);
    }
    bench.refused(MAIN, PageAllocateNode, &[10, ALL, 0, 2], Status::Invalid);
    bench.refused(MAIN, PageAllocateMany, &[25, ALL, 2], Status::Exists);
    bench.tear_down();
}

#[test]
fn the_window_and_the_alignment_are_the_whole_blocks() {
    let mut bench = large();
    bench.done(MAIN, PageAllocateMany, &[10, ALL, 3]);
    let end = CODE - 2 * PAGE_SIZE;
    for at in [end, CODE - PAGE_SIZE, DATA - PAGE_SIZE, 0, DATA + 1, u64::MAX - 0xfff] {
        bench.refused(MAIN, PageMap, &[10, at, R], Status::Invalid);
    }
    bench.done(MAIN, PageMap, &[10, CODE - 3 * PAGE_SIZE, R | W]);
    bench.refused(MAIN, PageMap, &[10, DATA + 0x10_0000, R | W], Status::Exists);
    bench.done(MAIN, PageUnmap, &[10]);
    // Its last page would be where the first is of what is mapped already.
    bench.done(MAIN, PageAllocate, &[11, ALL, 0]);
    bench.done(MAIN, PageMap, &[11, DATA + 0x12_000, R]);
    bench.refused(MAIN, PageMap, &[10, DATA + 0x10_000, R], Status::Exists);
    bench.done(MAIN, PageMap, &[10, DATA + 0xf_000, R]);
    bench.tear_down();
}

#[test]
fn events_of_a_block_are_in_the_order_of_its_pages() {
    let mut bench = large();
    bench.done(MAIN, PageAllocate, &[10, ALL, 2]);
    let at = bench.kernel.events().len();
    bench.done(MAIN, PageMap, &[10, DATA + 0x8000, R]);
    bench.done(MAIN, CapDelete, &[10]);
    let pages = |bench: &Bench, mapped: bool| -> alloc::vec::Vec<u64> {
        let place = |kind: &EventKind| match *kind {
            EventKind::Mapped { page, .. } if mapped => Some(page.0),
            EventKind::Unmapped { page, .. } if !mapped => Some(page.0),
            _ => None,
        };
        bench.kernel.events()[at..].iter().filter_map(|event| place(&event.kind)).collect()
    };
    let wanted: alloc::vec::Vec<_> = (8..12).map(|page| DATA + page * PAGE_SIZE).collect();
    assert_eq!((pages(&bench, true), pages(&bench, false)), (wanted.clone(), wanted));
    let mapped = ["hypercall", "mapped", "mapped", "mapped", "mapped", "hypercall"];
    assert_eq!(bench.words(at)[..6], mapped);
    let gone = ["unmapped", "unmapped", "unmapped", "unmapped", "capability_removed"];
    assert_eq!(bench.words(at)[6..], gone);
    bench.tear_down();
}

#[test]
fn a_backend_that_fails_in_the_middle_leaves_nothing_allocated_or_mapped() {
    const PAGES: u64 = 7;
    for fail_at in 0..PAGES {
        let mut bench = large();
        bench.kernel.arch.fail_at = Some(bench.kernel.arch.fallible + fail_at);
        bench.refused(MAIN, PageAllocateMany, &[10, ALL, PAGES], Status::NoMemory);
        bench.done(MAIN, PageAllocateMany, &[10, ALL, PAGES]);
        bench.kernel.arch.fail_at = Some(bench.kernel.arch.fallible + fail_at);
        bench.refused(MAIN, PageMap, &[10, DATA + 0x8000, R | W], Status::NoMemory);
        bench.done(MAIN, PageMap, &[10, DATA + 0x8000, R | W]);
        bench.done(MAIN, DomainCreate, &[11]);
        bench.kernel.arch.fail_at = Some(bench.kernel.arch.fallible + fail_at);
        let granted = [11, 10, 5, DATA, R | W];
        bench.refused(MAIN, MemoryGrantAndMap, &granted, Status::NoMemory);
        bench.done(MAIN, MemoryGrantAndMap, &granted);
        bench.kernel.arch.fail_at = Some(bench.kernel.arch.fallible + fail_at);
        bench.refused(MAIN, ChannelCreate, &[12, 3], Status::NoMemory);
        bench.done(MAIN, ChannelCreate, &[12, 3]);
        bench.tear_down();
    }
}

#[test]
fn pages_are_zero_whatever_they_held_before() {
    let mut bench = large();
    bench.done(MAIN, PageAllocate, &[10, ALL, 3]);
    let frame = bench.kernel.blocks.keys().next_back().copied().unwrap();
    let frames = bench.kernel.blocks[&frame].frames.clone();
    for &frame in &frames {
        bench.kernel.arch.frame_write(frame, 100, b"secret");
    }
    bench.done(MAIN, CapDelete, &[10]);
    bench.done(PEER, PageAllocateMany, &[10, ALL, 8]);
    let frame = bench.kernel.blocks.keys().next_back().copied().unwrap();
    assert_eq!(bench.kernel.blocks[&frame].frames, frames, "the lowest numbers come first");
    assert_eq!(bench.kernel.read_block(frame, 0, 8 * PAGE_SIZE), [0; 8 * PAGE_SIZE as usize]);
    bench.tear_down();
}

#[test]
fn a_capability_is_found_by_any_address_of_its_block() {
    let mut bench = large();
    bench.done(MAIN, PageAllocateMany, &[10, ALL, 3]);
    bench.done(MAIN, PageMap, &[10, DATA + 0x8000, R | W]);
    for offset in [0, 1, 0x1000, 0x2fff] {
        bench.done(MAIN, CapLookup, &[DATA + 0x8000 + offset]);
        assert_eq!(results(&bench), [10, offset]);
    }
    for address in [DATA + 0x7fff, DATA + 0xb000, DATA + 0x1000, 0, 0x1000, u64::MAX] {
        bench.refused(MAIN, CapLookup, &[address], Status::NotFound);
    }
    // It is found where it is now, and a copy that is mapped elsewhere by its own address.
    bench.done(MAIN, CapMove, &[10, 11, ALL]);
    bench.done(MAIN, CapCopy, &[11, 12, R]);
    bench.done(MAIN, PageMap, &[12, DATA + 0x1_0000, R]);
    bench.done(MAIN, CapLookup, &[DATA + 0x9000]);
    assert_eq!(results(&bench), [11, 0x1000]);
    bench.done(MAIN, CapLookup, &[DATA + 0x1_2008]);
    assert_eq!(results(&bench), [12, 0x2008]);
    bench.refused(PEER, CapLookup, &[DATA + 0x9000], Status::NotFound);
    bench.done(MAIN, CapRevoke, &[11]);
    bench.refused(MAIN, CapLookup, &[DATA + 0x1_2008], Status::NotFound);
    bench.done(MAIN, PageUnmap, &[11]);
    bench.refused(MAIN, CapLookup, &[DATA + 0x9000], Status::NotFound);
    bench.tear_down();
}

#[test]
fn both_ends_of_a_channel_are_mapped_like_pages() {
    let mut bench = large();
    bench.done(MAIN, ChannelCreate, &[10, 1]);
    bench.done(MAIN, PageMap, &[10, DATA + 0x8000, R | W]);
    bench.refused(MAIN, CapCopy, &[10, 11, ALL, 2], Status::Invalid);
    bench.done(MAIN, Hypercall::CapGrant, &[26, 10, 9, R | W, 1]);
    bench.done(PEER, PageMap, &[9, DATA, R | W]);
    let capability = bench.capability(PEER, 9).unwrap();
    assert!(capability.badge == 1 && capability.mapped.is_some());
    bench.done(PEER, PageUnmap, &[9]);
    assert_eq!(bench.capability(PEER, 9).unwrap().badge, 1);
    bench.done(PEER, PageMap, &[9, DATA, R]);
    bench.done(MAIN, CapRevoke, &[10]);
    assert_eq!(bench.capability(PEER, 9), None);
    assert!(bench.kernel.domains[&DomainId(1)].mapped.is_empty());
    bench.tear_down();
}

#[test]
fn a_domain_gets_memory_with_its_mapping_before_it_runs() {
    let mut bench = large();
    bench.done(MAIN, PageAllocate, &[10, ALL, 1]);
    bench.done(MAIN, DomainCreate, &[11]);
    let at = bench.kernel.events().len();
    bench.done(MAIN, MemoryGrantAndMap, &[11, 10, 7, DATA + 0x4000, R | W | G]);
    assert_eq!(bench.words(at), ["hypercall", "capability_added", "mapped", "mapped"]);
    let child = SpaceId::Domain(DomainId(2));
    let granted = bench.kernel.capabilities.lookup(Slot { space: child, number: 7 }).unwrap();
    assert_eq!(granted.rights.bits(), R | W | G);
    let parent = bench.kernel.capabilities.parent(Slot { space: child, number: 7 }).unwrap();
    assert_eq!(parent.map(|slot| slot.number), Some(10));

    let refused: [(&[u64], Status); 10] = [
        (&[11, 10, 7, DATA, R], Status::Exists),
        (&[11, 10, 8, DATA + 0x5000, R], Status::Exists),
        (&[11, 10, 8, DATA, R | X], Status::Invalid),
        (&[11, 10, 8, DATA, W], Status::Invalid),
        (&[11, 10, 8, 0x1000, R], Status::Invalid),
        (&[11, 10, 2, DATA, R], Status::Invalid),
        (&[11, 11, 8, DATA, R], Status::Invalid),
        (&[11, 99, 8, DATA, R], Status::Invalid),
        (&[10, 10, 8, DATA, R], Status::Invalid),
        (&[11, 30, 8, DATA, R], Status::NotFound),
    ];
    for (words, status) in refused {
        bench.refused(MAIN, MemoryGrantAndMap, words, status);
    }
    bench.done(MAIN, CapCopy, &[10, 12, R | W]);
    bench.refused(MAIN, MemoryGrantAndMap, &[11, 12, 8, DATA, R], Status::NotPermitted);
    bench.done(MAIN, CapCopy, &[10, 13, R | G]);
    bench.refused(MAIN, MemoryGrantAndMap, &[11, 13, 8, DATA, R | W], Status::NotPermitted);
    bench.done(MAIN, CapCopy, &[11, 14, R]);
    bench.refused(MAIN, MemoryGrantAndMap, &[14, 10, 8, DATA, R], Status::NotPermitted);
    // Configured is early enough; running is not.
    assert_eq!(bench.configure(MAIN, 11, "m"), Status::Ok);
    bench.done(MAIN, MemoryGrantAndMap, &[11, 13, 8, DATA, R]);
    bench.done(MAIN, Hypercall::DomainRun, &[11]);
    bench.refused(MAIN, MemoryGrantAndMap, &[11, 10, 9, CODE, R], Status::BadState);
    bench.refused(MAIN, MemoryGrantAndMap, &[26, 10, 9, CODE, R], Status::BadState);
    bench.tear_down();
}

#[test]
fn statistics_count_by_domain_account_and_node() {
    let mut bench = large();
    let mut before = [0; 4];
    for node in [0, 1] {
        bench.done(MAIN, MemoryStatistics, &[node]);
        before = results(&bench);
    }
    assert_eq!((before[2], before[3]), (bench.kernel.frames.in_use() as u64, 0));
    bench.done(MAIN, PageAllocateNode, &[10, ALL, 3, 1]);
    bench.done(MAIN, PageMap, &[10, DATA + 0x8000, R]);
    bench.done(PEER, PageAllocateNode, &[10, ALL, 1, 1]);
    bench.done(MAIN, MemoryStatistics, &[1]);
    let [mapped, own, all, of_node] = results(&bench);
    assert_eq!([mapped, own], [before[0] + 8, before[1] + 8]);
    assert_eq!([all, of_node], [before[2] + 10, 10]);
    bench.refused(MAIN, MemoryStatistics, &[2], Status::Invalid);
    bench.done(MAIN, CapDelete, &[10]);
    bench.done(MAIN, MemoryStatistics, &[1]);
    assert_eq!(results(&bench), [before[0], before[1], before[2] + 2, 2]);
    bench.tear_down();
}

#[test]
fn what_the_largest_block_needs_is_there_and_comes_back() {
    let mut bench = large();
    bench.unchecked = true;
    bench.done(MAIN, PageAllocateMany, &[10, ALL, BLOCK_PAGES_MAX]);
    bench.done(MAIN, PageMap, &[10, DATA + 0x20_0000, R | W]);
    let last = DATA + 0x20_0000 + BLOCK_PAGES_MAX * PAGE_SIZE - 1;
    bench.done(MAIN, CapLookup, &[last]);
    assert_eq!(results(&bench), [10, BLOCK_PAGES_MAX * PAGE_SIZE - 1]);
    let block = bench.capability(MAIN, 10).unwrap().object;
    assert!(matches!(block, Object::Page(_)));
    bench.done(MAIN, CapDelete, &[10]);
    bench.unchecked = false;
    bench.audit();
    bench.tear_down();
}

#[test]
fn a_turn_of_a_revoke_is_bounded_by_the_pages_it_unmaps() {
    let mut bench = large();
    bench.unchecked = true;
    bench.done(MAIN, PageAllocateMany, &[10, ALL, BLOCK_PAGES_MAX]);
    // As many copies as the window has room for, each mapped.
    let copies = (CODE - DATA) / PAGE_SIZE / BLOCK_PAGES_MAX;
    bench.done(MAIN, PageUnmap, &[25]);
    // Between them are copies that are mapped nowhere, which cost nothing of that.
    for copy in 0..copies {
        for slot in 21 * copy..21 * (copy + 1) {
            bench.done(MAIN, CapCopy, &[10, (1 << 20) + slot, ALL]);
        }
        let at = DATA + copy * BLOCK_PAGES_MAX * PAGE_SIZE;
        bench.done(MAIN, PageMap, &[(1 << 20) + 21 * copy, at, R]);
    }
    let all = bench.kernel.capabilities.len();
    let status = bench.raw(MAIN, CapRevoke as u32, &[10]);
    assert_eq!(status, Status::Waiting);
    let left = bench.kernel.domains[&DomainId(0)].mapped.len();
    assert!((20..copies as usize).contains(&left), "{left}");
    assert_eq!(all - bench.kernel.capabilities.len(), 2 * super::super::capabilities::AT_ONCE);
    assert_eq!(bench.finish_work(MAIN), Status::Ok);
    assert!(bench.kernel.domains[&DomainId(0)].mapped.is_empty());
    bench.unchecked = false;
    bench.audit();
    bench.tear_down();
}
