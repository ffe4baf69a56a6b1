//! Sizes at which a slip in an algorithm is seen: in time, in memory, or in the stack.

use super::{PAGE, slot, space, with_spaces};
use crate::capability::{Capabilities, cptr};
use crate::rights::Rights;

const MANY: u32 = 1_000_000;

/// A root in space 0 and `MANY` descendants in space 1. `chain`: each is the child of the one
/// before, and not of the root.
fn descendants(chain: bool) -> Capabilities {
    let mut caps = with_spaces(2);
    caps.insert(slot(0, 3), PAGE, Rights::ALL).unwrap();
    let mut from = slot(0, 3);
    for index in 3..MANY + 3 {
        let to = slot(1, cptr::nth(index).unwrap());
        caps.copy(from, to, Rights::ALL, None).unwrap();
        from = if chain { to } else { from };
    }
    caps
}

#[test]
fn a_million_capabilities_take_less_than_64_bytes_each() {
    let caps = descendants(false);
    assert_eq!(caps.count(space(1)), MANY);
    let each = caps.heap_bytes() as f64 / f64::from(MANY);
    assert!(each < 64.0, "{each} bytes");
}

#[test]
fn a_chain_of_a_million_is_revoked_in_pieces_without_going_down_it_each_time() {
    let mut caps = descendants(true);
    let mut calls = 1;
    // If each call went down the chain again, this would be 50 billion steps.
    while !caps.revoke(slot(0, 3), 10).unwrap().1 {
        calls += 1;
    }
    assert_eq!((calls, caps.len()), (MANY / 10, 1));
    caps.check();
}

#[test]
fn a_chain_of_a_million_is_searched_without_a_deep_stack() {
    let mut caps = descendants(true);
    assert_eq!(caps.holders(PAGE).len(), MANY as usize + 1);
    caps.check();
    let (removed, done) = caps.revoke_until(slot(0, 3), usize::MAX, |_, _| false).unwrap();
    assert_eq!((removed.len(), done), (MANY as usize, true));
}

#[test]
fn a_full_space_has_no_free_slot_until_one_is_freed() {
    let mut caps = with_spaces(2);
    caps.insert(slot(0, 3), PAGE, Rights::ALL).unwrap();
    for index in 3..cptr::TOTAL {
        let number = caps.first_free(space(1));
        assert_eq!(number, cptr::nth(index));
        caps.copy(slot(0, 3), slot(1, number.unwrap()), Rights::ALL, None).unwrap();
    }
    assert_eq!(caps.first_free(space(1)), None);
    for index in [1_082_399, 500_000, 40_000, 31] {
        let number = cptr::nth(index).unwrap();
        caps.delete(slot(1, number)).unwrap();
        assert_eq!(caps.first_free(space(1)), Some(number));
    }
    caps.check();
    let mut done = false;
    while !done {
        done = caps.close(space(1), 1000).1;
    }
    assert_eq!(caps.len(), 1);
    caps.check();
}
