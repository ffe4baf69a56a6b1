//! Guest-physical ranges of several sizes: mapped, unmapped, mapped again, across one another, and
//! after what they belonged to is gone. Nothing here depends on large pages; a block of 512 pages
//! is as large as one.

use super::scenes::{ALL, TO_PEER, family};
use super::{Bench, CODE, DATA, MAIN, PEER, R, W, X};
use crate::abi::{Hypercall, Status, utcb};
use crate::address::{Frame, GuestPhysical, PAGE_SIZE};
use crate::capability::Object;
use crate::domain::DomainId;
use crate::layout;

use Hypercall::{
    CapCopy, CapDelete, CapGrant, CapInspect, CapLookup, CapRevoke, DomainCreate,
    MemoryGrantAndMap, PageAllocate, PageAllocateMany, PageMap, PageUnmap,
};

/// A place where a large page could be, and the size of one.
const AT: u64 = DATA + 0x40_0000;
const LARGE: u64 = 0x20_0000;
/// Slots: two large blocks, two pages.
const BLOCK: u64 = 12;
const OTHER: u64 = 13;
const PAGE: u64 = 14;
const SMALL: u64 = 15;

fn bench() -> Bench {
    let mut bench = family();
    for (slot, order) in [(BLOCK, 9), (OTHER, 9), (PAGE, 0), (SMALL, 0)] {
        bench.done(MAIN, PageAllocate, &[slot, ALL, order]);
    }
    bench
}

#[track_caller]
fn map(bench: &mut Bench, slot: u64, at: u64) {
    bench.done(MAIN, PageMap, &[slot, at, R | W]);
}

#[track_caller]
fn taken(bench: &mut Bench, slot: u64, at: u64) {
    bench.refused(MAIN, PageMap, &[slot, at, R | W], Status::Exists);
}

/// The frames that the backend has in a domain from an address on.
fn frames(bench: &Bench, domain: u32, at: u64, pages: usize) -> alloc::vec::Vec<Option<Frame>> {
    let mappings = &bench.kernel.arch.mappings()[&DomainId(domain)];
    let place = |page| GuestPhysical(at + page as u64 * PAGE_SIZE);
    (0..pages).map(|page| mappings.get(&place(page)).map(|&(frame, _)| frame)).collect()
}

/// Whether exactly the pages of the block in a slot are mapped there.
#[track_caller]
fn is_at(bench: &Bench, slot: u64, at: u64) {
    let Some(Object::Page(block)) = bench.capability(MAIN, slot).map(|found| found.object) else {
        panic!("slot {slot} has no page");
    };
    let wanted: alloc::vec::Vec<_> =
        bench.kernel.blocks[&block].frames.iter().copied().map(Some).collect();
    assert_eq!(frames(bench, 0, at, wanted.len()), wanted);
}

#[track_caller]
fn is_empty(bench: &Bench, at: u64, pages: usize) {
    assert!(frames(bench, 0, at, pages).iter().all(Option::is_none));
}

#[test]
fn a_page_is_mapped_unmapped_and_mapped_again() {
    let mut bench = bench();
    for at in [AT, AT + PAGE_SIZE, DATA, DATA + layout::DATA_WINDOW_SIZE - PAGE_SIZE] {
        // The page at the very beginning is there from the start in no domain of this world.
        map(&mut bench, PAGE, at);
        is_at(&bench, PAGE, at);
        taken(&mut bench, SMALL, at);
        bench.done(MAIN, PageUnmap, &[PAGE]);
        is_empty(&bench, at, 1);
        map(&mut bench, SMALL, at);
        is_at(&bench, SMALL, at);
        bench.done(MAIN, PageUnmap, &[SMALL]);
    }
    bench.tear_down();
}

#[test]
fn a_large_block_is_mapped_unmapped_and_mapped_again() {
    let mut bench = bench();
    for at in [AT, AT + LARGE, DATA + layout::DATA_WINDOW_SIZE - LARGE] {
        map(&mut bench, BLOCK, at);
        is_at(&bench, BLOCK, at);
        is_empty(&bench, at - PAGE_SIZE, 1);
        bench.done(MAIN, PageUnmap, &[BLOCK]);
        is_empty(&bench, at, 512);
        map(&mut bench, OTHER, at);
        bench.done(MAIN, PageUnmap, &[OTHER]);
    }
    bench.tear_down();
}

#[test]
fn a_large_block_does_not_go_over_a_page() {
    for page in [0, 1, 255, 511] {
        let mut bench = bench();
        map(&mut bench, PAGE, AT + page * PAGE_SIZE);
        taken(&mut bench, BLOCK, AT);
        is_at(&bench, PAGE, AT + page * PAGE_SIZE);
        assert_eq!(frames(&bench, 0, AT, 512).iter().flatten().count(), 1, "nothing is begun");
        bench.tear_down();
    }
}

#[test]
fn a_page_does_not_go_into_a_large_block() {
    let mut bench = bench();
    map(&mut bench, BLOCK, AT);
    for page in [0, 1, 255, 511] {
        taken(&mut bench, PAGE, AT + page * PAGE_SIZE);
    }
    is_at(&bench, BLOCK, AT);
    map(&mut bench, PAGE, AT - PAGE_SIZE);
    map(&mut bench, SMALL, AT + LARGE);
    is_at(&bench, BLOCK, AT);
    bench.tear_down();
}

#[test]
fn a_large_block_goes_where_an_unmapped_page_was() {
    for page in [0, 300, 511] {
        let mut bench = bench();
        map(&mut bench, PAGE, AT + page * PAGE_SIZE);
        taken(&mut bench, BLOCK, AT);
        bench.done(MAIN, PageUnmap, &[PAGE]);
        map(&mut bench, BLOCK, AT);
        is_at(&bench, BLOCK, AT);
        bench.tear_down();
    }
}

#[test]
fn a_page_goes_where_an_unmapped_large_block_was() {
    let mut bench = bench();
    map(&mut bench, BLOCK, AT);
    bench.done(MAIN, PageUnmap, &[BLOCK]);
    for page in [0, 300, 511] {
        map(&mut bench, PAGE, AT + page * PAGE_SIZE);
        is_at(&bench, PAGE, AT + page * PAGE_SIZE);
        bench.done(MAIN, PageUnmap, &[PAGE]);
    }
    bench.tear_down();
}

#[test]
fn two_large_blocks_do_not_overlap_by_any_page() {
    let mut bench = bench();
    map(&mut bench, BLOCK, AT);
    for pages in [0, 1, 256, 511] {
        taken(&mut bench, OTHER, AT + pages * PAGE_SIZE);
        taken(&mut bench, OTHER, AT - pages * PAGE_SIZE);
    }
    map(&mut bench, OTHER, AT + LARGE);
    bench.done(MAIN, PageUnmap, &[OTHER]);
    map(&mut bench, OTHER, AT - LARGE);
    is_at(&bench, BLOCK, AT);
    is_at(&bench, OTHER, AT - LARGE);
    bench.tear_down();
}

#[test]
fn a_large_block_goes_where_a_deleted_page_was() {
    for revoked in [false, true] {
        let mut bench = bench();
        bench.done(MAIN, CapCopy, &[PAGE, 16, ALL]);
        map(&mut bench, 16, AT + 77 * PAGE_SIZE);
        taken(&mut bench, BLOCK, AT);
        if revoked {
            bench.done(MAIN, CapRevoke, &[PAGE]);
        } else {
            bench.done(MAIN, CapDelete, &[16]);
        }
        map(&mut bench, BLOCK, AT);
        is_at(&bench, BLOCK, AT);
        bench.tear_down();
    }
}

#[test]
fn a_page_goes_where_a_deleted_large_block_was() {
    let mut bench = bench();
    map(&mut bench, BLOCK, AT);
    let used = bench.kernel.frames.in_use();
    bench.done(MAIN, CapDelete, &[BLOCK]);
    assert_eq!(used - bench.kernel.frames.in_use(), 512);
    is_empty(&bench, AT, 512);
    for page in [0, 300, 511] {
        map(&mut bench, PAGE, AT + page * PAGE_SIZE);
        bench.done(MAIN, PageUnmap, &[PAGE]);
    }
    // Some of its frames come again, at another place.
    bench.done(MAIN, PageAllocateMany, &[BLOCK, ALL, 100]);
    map(&mut bench, BLOCK, AT + PAGE_SIZE);
    is_at(&bench, BLOCK, AT + PAGE_SIZE);
    bench.tear_down();
}

#[test]
fn a_space_that_is_gone_leaves_its_blocks_free_for_another() {
    let mut bench = bench();
    for _ in 0..3 {
        bench.done(MAIN, DomainCreate, &[30]);
        let domain = bench.kernel.next_domain - 1;
        bench.done(MAIN, MemoryGrantAndMap, &[30, BLOCK, 7, AT, R | W]);
        bench.done(MAIN, MemoryGrantAndMap, &[30, PAGE, 8, CODE, R | X]);
        let refused = [30, PAGE, 9, AT + LARGE / 2, R];
        bench.refused(MAIN, MemoryGrantAndMap, &refused, Status::Exists);
        assert_eq!(frames(&bench, domain, AT, 512).iter().flatten().count(), 512);
        // The same place of another space has nothing to do with it.
        map(&mut bench, OTHER, AT);
        bench.done(MAIN, CapDelete, &[30]);
        is_at(&bench, OTHER, AT);
        bench.done(MAIN, PageUnmap, &[OTHER]);
        map(&mut bench, BLOCK, AT);
        bench.done(MAIN, PageUnmap, &[BLOCK]);
    }
    bench.tear_down();
}

#[test]
fn a_block_begins_at_any_page_and_nowhere_between() {
    let mut bench = bench();
    for at in [AT, AT + PAGE_SIZE, AT + 3 * PAGE_SIZE] {
        for slot in [BLOCK, PAGE] {
            map(&mut bench, slot, at);
            is_at(&bench, slot, at);
            bench.done(MAIN, PageUnmap, &[slot]);
            for off in [1, 8, 0x800, 0xfff] {
                bench.refused(MAIN, PageMap, &[slot, at + off, R], Status::Invalid);
            }
        }
    }
    // All of it is in one window.
    let end = DATA + layout::DATA_WINDOW_SIZE;
    for at in [end - LARGE + PAGE_SIZE, end - PAGE_SIZE, DATA - PAGE_SIZE, DATA - LARGE] {
        bench.refused(MAIN, PageMap, &[BLOCK, at, R], Status::Invalid);
    }
    let end = CODE + layout::CODE_WINDOW_SIZE;
    for at in [end, end - LARGE + PAGE_SIZE, u64::MAX - LARGE + 1, !0xfff] {
        bench.refused(MAIN, PageMap, &[BLOCK, at, R], Status::Invalid);
    }
    bench.done(MAIN, PageMap, &[BLOCK, end - LARGE, R | X]);
    bench.tear_down();
}

#[test]
fn one_capability_is_at_one_place_at_a_time() {
    let mut bench = bench();
    for slot in [BLOCK, PAGE] {
        map(&mut bench, slot, AT);
        for at in [AT, AT + PAGE_SIZE, AT + LARGE, DATA] {
            taken(&mut bench, slot, at);
        }
        bench.refused(MAIN, PageMap, &[slot, CODE, R | X], Status::Exists);
        bench.done(MAIN, CapInspect, &[slot]);
        assert_eq!(bench.word(MAIN, utcb::MESSAGE + 40), AT);
        bench.done(MAIN, PageUnmap, &[slot]);
        bench.done(MAIN, PageUnmap, &[slot]);
        bench.done(MAIN, PageMap, &[slot, CODE, R | X]);
        is_at(&bench, slot, CODE);
        bench.done(MAIN, CapDelete, &[slot]);
    }
    bench.tear_down();
}

#[test]
fn two_capabilities_to_a_block_are_mapped_apart_from_each_other() {
    let mut bench = bench();
    for slot in [BLOCK, PAGE] {
        bench.done(MAIN, CapCopy, &[slot, 16, ALL]);
        bench.done(MAIN, CapGrant, &[TO_PEER, slot, slot, ALL]);
        map(&mut bench, slot, AT);
        // Overlapping itself is overlapping.
        taken(&mut bench, 16, AT);
        map(&mut bench, 16, AT + LARGE);
        bench.done(PEER, PageMap, &[slot, AT, R]);
        bench.done(MAIN, PageUnmap, &[slot]);
        is_at(&bench, 16, AT + LARGE);
        assert!(frames(&bench, 1, AT, 1)[0].is_some());
        bench.done(MAIN, CapLookup, &[AT + LARGE]);
        assert_eq!(bench.word(MAIN, utcb::MESSAGE + 8), 16);
        bench.done(PEER, PageUnmap, &[slot]);
        is_at(&bench, 16, AT + LARGE);
        bench.done(MAIN, CapDelete, &[16]);
        is_empty(&bench, AT + LARGE, 1);
    }
    bench.tear_down();
}
