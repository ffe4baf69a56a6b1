//! What the original system's suites check of its capability library, and of its allocation of
//! slot numbers.

use alloc::vec::Vec;

use super::{PAGE, slot, space, with_spaces};
use crate::address::{Frame, GuestPhysical};
use crate::capability::{CapError, Capabilities, Object, Place, cptr};
use crate::domain::DomainId;
use crate::rights::Rights;

#[test]
fn insert_look_up_delete_look_up_destroy_insert() {
    let mut caps = with_spaces(1);
    caps.insert(slot(0, 3), PAGE, Rights::ALL).unwrap();
    assert_eq!(caps.lookup(slot(0, 3)).unwrap().object, PAGE);
    let removed = caps.delete(slot(0, 3)).unwrap();
    assert!(removed.last, "the page has no capability left");
    assert_eq!(caps.lookup(slot(0, 3)), Err(CapError::Empty(slot(0, 3))));
    assert_eq!(caps.close(space(0), 1), (Vec::new(), true));
    let refused = caps.insert(slot(0, 3), PAGE, Rights::ALL);
    assert_eq!(refused, Err(CapError::NoSpace(space(0))));
    caps.check();
}

#[test]
fn what_is_granted_is_in_the_destination_until_it_is_revoked() {
    let mut caps = with_spaces(2);
    caps.insert(slot(0, 3), PAGE, Rights::ALL).unwrap();
    caps.grant(slot(0, 3), slot(1, 9), Rights::ALL, None).unwrap();
    assert_eq!(caps.lookup(slot(1, 9)).unwrap().object, PAGE);
    let (removed, done) = caps.revoke(slot(0, 3), usize::MAX).unwrap();
    assert_eq!(
        (removed.len(), removed[0].slot, removed[0].last, done),
        (1, slot(1, 9), false, true)
    );
    assert_eq!(caps.lookup(slot(1, 9)), Err(CapError::Empty(slot(1, 9))));
    assert!(caps.lookup(slot(0, 3)).is_ok());
    caps.check();
}

#[test]
fn four_tables_full_are_granted_to_two_spaces_and_all_revoked() {
    let mut caps = with_spaces(3);
    let numbers: Vec<_> = (0..4 * 32).map(|_| insert_anywhere(&mut caps)).collect();
    for (i, &number) in numbers.iter().enumerate() {
        for other in [1, 2] {
            let to = caps.first_free(space(other)).unwrap();
            assert_eq!(to, numbers[i], "all three spaces fill alike");
            caps.grant(slot(0, number), slot(other, to), Rights::ALL, None).unwrap();
        }
    }
    caps.check();
    assert_eq!((caps.count(space(1)), caps.len()), (128, 3 * 128));
    for &number in &numbers {
        let (removed, done) = caps.revoke(slot(0, number), 2).unwrap();
        assert_eq!((removed.len(), done), (2, true));
    }
    assert_eq!((caps.count(space(0)), caps.count(space(1)), caps.count(space(2))), (128, 0, 0));
    caps.check();
}

/// The stress test's work for one thread: its many threads are the kernel's affair.
#[test]
fn rounds_of_grants_and_revokes_leave_nothing_behind() {
    let mut caps = with_spaces(2);
    let mut bytes = None;
    for _ in 0..50 {
        let roots: Vec<_> = (0..100).map(|_| insert_anywhere(&mut caps)).collect();
        for grant in 0..200 {
            let to = caps.first_free(space(1)).unwrap();
            caps.grant(slot(0, roots[grant % 100]), slot(1, to), Rights::ALL, None).unwrap();
        }
        for &root in &roots {
            assert_eq!(caps.revoke(slot(0, root), 9).unwrap().0.len(), 2);
            assert!(caps.delete(slot(0, root)).unwrap().last);
        }
        assert!(caps.is_empty());
        caps.check();
        let now = caps.heap_bytes();
        assert_eq!(*bytes.get_or_insert(now), now, "every round uses the same memory");
    }
}

#[test]
fn a_domain_s_first_number_is_3_and_the_ones_below_are_no_slots() {
    let mut caps = with_spaces(1);
    assert_eq!(caps.first_free(space(0)), Some(3));
    for number in [cptr::NULL, cptr::CALL, cptr::REPLY, 32, cptr::NUMBERS, u64::MAX] {
        let bad = slot(0, number);
        assert_eq!(caps.insert(bad, PAGE, Rights::ALL), Err(CapError::NoSlot(bad)));
        assert_eq!(caps.lookup(bad), Err(CapError::NoSlot(bad)));
        assert_eq!(caps.delete(bad), Err(CapError::NoSlot(bad)));
    }
}

#[test]
fn level_0_fills_and_then_level_1_in_order_and_what_is_freed_comes_next() {
    let mut caps = with_spaces(1);
    for index in 3..cptr::CAPACITY[0] + cptr::CAPACITY[1] {
        assert_eq!(insert_anywhere(&mut caps), cptr::nth(index).unwrap());
    }
    caps.check();
    assert_eq!(caps.first_free(space(0)), cptr::nth(32 + 1024));
    for number in [17, 1 << 20, 1 << 20 | 1023, 1 << 20 | 500] {
        caps.delete(slot(0, number)).unwrap();
        assert_eq!(insert_anywhere(&mut caps), number);
    }
    caps.delete(slot(0, 1 << 20 | 77)).unwrap();
    caps.delete(slot(0, 3)).unwrap();
    assert_eq!((insert_anywhere(&mut caps), insert_anywhere(&mut caps)), (3, 1 << 20 | 77));
    caps.check();
}

#[test]
fn a_mapping_is_told_when_its_capability_goes() {
    let mut caps = with_spaces(1);
    let place = Place::Memory { domain: DomainId(0), page: GuestPhysical(0x4000) };
    for object in [Object::Page(Frame(1)), Object::Lent(Frame(1))] {
        caps.insert(slot(0, 3), object, Rights::ALL).unwrap();
        caps.set_mapped(slot(0, 3), place).unwrap();
        assert_eq!(caps.set_mapped(slot(0, 3), place), Err(CapError::Mapped(slot(0, 3))));
        assert_eq!(caps.delete(slot(0, 3)).unwrap().capability.mapped, Some(place));
    }
}

/// A page of its own in the lowest free slot of space 0.
fn insert_anywhere(caps: &mut Capabilities) -> u64 {
    let number = caps.first_free(space(0)).unwrap();
    let object = Object::Page(Frame(number as u32));
    caps.insert(slot(0, number), object, Rights::ALL).unwrap();
    number
}
