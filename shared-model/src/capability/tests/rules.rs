//! The rules of each operation, one by one: what it does, and which error comes first.

use alloc::vec::Vec;

use super::{PAGE, slot, space, with_spaces};
use crate::address::{Frame, GuestPhysical};
use crate::capability::{
    CapError, Capabilities, ChannelId, EndpointId, NotificationId, Object, Place, Ports, Slot,
    SpaceId,
};
use crate::domain::{DomainId, ThreadId};
use crate::rights::Rights;

const ENDPOINT: Object = Object::Endpoint(EndpointId(4));

/// An endpoint in slot 3 of space 0, with all rights.
fn with_endpoint() -> Capabilities {
    let mut caps = with_spaces(3);
    caps.insert(slot(0, 3), ENDPOINT, Rights::ALL).unwrap();
    caps
}

fn children(caps: &Capabilities, of: Slot) -> Vec<Slot> {
    let mut slots: Vec<_> = caps.children(of).unwrap().collect();
    slots.sort();
    slots
}

#[test]
fn errors_about_the_destination_come_before_those_about_the_source() {
    let mut caps = with_endpoint();
    let (used, empty, bad) = (slot(0, 3), slot(0, 9), slot(0, 0));
    let nowhere = slot(7, 3);
    for (from, to, error) in [
        (empty, used, CapError::Occupied(used)),
        (bad, used, CapError::Occupied(used)),
        (nowhere, used, CapError::Occupied(used)),
        (empty, bad, CapError::NoSlot(bad)),
        (empty, nowhere, CapError::NoSpace(nowhere.space)),
        (empty, empty, CapError::Empty(empty)),
        (bad, empty, CapError::NoSlot(bad)),
        (nowhere, empty, CapError::NoSpace(nowhere.space)),
        (used, used, CapError::Occupied(used)),
    ] {
        assert_eq!(caps.copy(from, to, Rights::ALL, None), Err(error));
        assert_eq!(caps.copy(from, to, Rights::ALL, Some(1)), Err(error));
        assert_eq!(caps.grant(from, to, Rights::ALL, None), Err(error));
        assert_eq!(caps.move_to(from, to, Rights::ALL), Err(error));
    }
    assert_eq!(caps.len(), 1);
    caps.check();
}

#[test]
fn errors_of_a_typed_lookup_come_in_the_order_number_space_slot_kind_right() {
    let mut caps = with_endpoint();
    caps.copy(slot(0, 3), slot(0, 4), Rights::READ, None).unwrap();
    let (bad, nowhere, empty) = (slot(9, 1), slot(9, 3), slot(0, 5));
    assert_eq!(caps.page(bad, Rights::ALL), Err(CapError::NoSlot(bad)));
    assert_eq!(caps.page(nowhere, Rights::ALL), Err(CapError::NoSpace(nowhere.space)));
    assert_eq!(caps.page(empty, Rights::ALL), Err(CapError::Empty(empty)));
    assert_eq!(caps.page(slot(0, 4), Rights::ALL), Err(CapError::WrongKind(slot(0, 4))));
    let lacks = CapError::Lacks(slot(0, 4), Rights::CALL);
    assert_eq!(caps.endpoint(slot(0, 4), Rights::CALL), Err(lacks));
    assert_eq!(caps.expect(slot(0, 4), Rights::CALL), Err(lacks));
    assert_eq!(caps.endpoint(slot(0, 4), Rights::READ), Ok(EndpointId(4)));
}

#[test]
fn each_kind_is_found_by_its_own_lookup_and_no_other() {
    let objects = [
        Object::Page(Frame(1)),
        Object::Lent(Frame(1)),
        Object::Domain(DomainId(1)),
        Object::HostDomain(DomainId(1)),
        Object::Endpoint(EndpointId(1)),
        Object::Notification(NotificationId(1)),
        Object::Channel(ChannelId(1)),
        Object::Ports(Ports { first: 0x3f8, last: 0x3ff }),
        Object::Interrupt(4),
        Object::Reply(ThreadId(1)),
    ];
    let mut caps = with_spaces(1);
    for (number, object) in (3..).zip(objects) {
        let at = slot(0, number);
        caps.insert(at, object, Rights::NONE).unwrap();
        let none = Rights::NONE;
        let found = [
            caps.page(at, none).is_ok(),
            caps.domain(at, none).is_ok(),
            caps.endpoint(at, none).is_ok(),
            caps.notification(at, none).is_ok(),
            caps.channel(at, none).is_ok(),
            caps.ports(at, none).is_ok(),
            caps.interrupt(at, none).is_ok(),
            caps.reply(at, none).is_ok(),
        ];
        let kind = [0, 0, 1, 1, 2, 3, 4, 5, 6, 7][number as usize - 3];
        let wanted: [bool; 8] = core::array::from_fn(|i| i == kind);
        assert_eq!(found, wanted, "{object:?}");
        assert_eq!(caps.references(object), 1);
        let badged = caps.copy(at, slot(0, 30), Rights::ALL, Some(1));
        assert_eq!(badged.is_ok(), object.takes_badge());
        assert_eq!(caps.set_mapped(at, place(0)).is_ok(), object.is_memory());
        let _ = caps.delete(slot(0, 30));
    }
    caps.check();
}

fn place(page: u64) -> Place {
    Place::Memory { domain: DomainId(0), page: GuestPhysical(page << 12) }
}

#[test]
fn a_copy_never_has_more_rights_than_its_source() {
    let mut caps = with_spaces(3);
    caps.insert(slot(0, 3), PAGE, Rights::READ | Rights::GRANT).unwrap();
    let copy = caps.grant(slot(0, 3), slot(1, 3), Rights::READ_WRITE, None).unwrap();
    assert_eq!((copy.rights, Ok(copy)), (Rights::READ, caps.lookup(slot(1, 3))));
    let again = caps.grant(slot(1, 3), slot(2, 3), Rights::ALL, None);
    assert_eq!(again, Err(CapError::Lacks(slot(1, 3), Rights::GRANT)));
    let copied = caps.copy(slot(1, 3), slot(2, 3), Rights::ALL, None).unwrap();
    assert_eq!(copied.rights, Rights::READ, "who only copies needs no right to pass on");
    assert!(caps.page(slot(1, 3), Rights::WRITE).is_err());
    assert_eq!(caps.parent(slot(2, 3)), Ok(Some(slot(1, 3))));
    caps.check();
}

#[test]
fn a_badge_is_given_once_and_inherited() {
    let mut caps = with_endpoint();
    let copy = caps.copy(slot(0, 3), slot(1, 3), Rights::ALL, Some(77)).unwrap();
    assert_eq!(copy.badge, 77);
    for badge in [0, 77, 78] {
        let refused = caps.copy(slot(1, 3), slot(1, 4), Rights::ALL, Some(badge));
        assert_eq!(refused, Err(CapError::Badged(slot(1, 3))));
    }
    // The kind, here the badge's, is looked at before the right to grant.
    caps.copy(slot(1, 3), slot(1, 5), Rights::READ, None).unwrap();
    let refused = caps.grant(slot(1, 5), slot(1, 6), Rights::ALL, Some(5));
    assert_eq!(refused, Err(CapError::Badged(slot(1, 5))));
    assert_eq!(caps.lookup(slot(1, 5)).unwrap().badge, 77);
    caps.move_to(slot(1, 5), slot(2, 9), Rights::ALL).unwrap();
    assert_eq!(caps.lookup(slot(2, 9)).unwrap().badge, 77);
    caps.delete(slot(1, 3)).unwrap();
    assert_eq!(caps.lookup(slot(2, 9)).unwrap().badge, 77, "the root has none, still");
    caps.check();
}

#[test]
fn a_move_keeps_parent_children_badge_and_place() {
    let mut caps = with_spaces(2);
    caps.insert(slot(0, 3), PAGE, Rights::ALL).unwrap();
    caps.copy(slot(0, 3), slot(0, 4), Rights::ALL, None).unwrap();
    caps.copy(slot(0, 4), slot(0, 5), Rights::READ, None).unwrap();
    caps.set_mapped(slot(0, 4), place(2)).unwrap();
    let moved = caps.move_to(slot(0, 4), slot(1, 8), Rights::ALL).unwrap();
    assert_eq!((moved.mapped, Ok(moved)), (Some(place(2)), caps.lookup(slot(1, 8))));
    assert_eq!(caps.parent(slot(1, 8)), Ok(Some(slot(0, 3))));
    assert_eq!(children(&caps, slot(1, 8)), [slot(0, 5)]);
    assert_eq!(caps.lookup(slot(0, 4)), Err(CapError::Empty(slot(0, 4))));
    caps.check();
}

#[test]
fn a_move_drops_only_rights_that_no_child_and_no_mapping_has() {
    let mut caps = with_spaces(2);
    caps.insert(slot(0, 3), PAGE, Rights::ALL).unwrap();
    caps.copy(slot(0, 3), slot(0, 5), Rights::READ | Rights::GRANT, None).unwrap();
    let refused = caps.move_to(slot(0, 3), slot(0, 4), Rights::READ);
    assert_eq!(refused, Err(CapError::HasChildren(slot(0, 3))));
    let weaker = Rights::READ_WRITE | Rights::GRANT;
    assert_eq!(caps.move_to(slot(0, 3), slot(0, 4), weaker).unwrap().rights, weaker);
    caps.set_mapped(slot(0, 4), place(1)).unwrap();
    let less = Rights::READ | Rights::GRANT;
    let refused = caps.move_to(slot(0, 4), slot(0, 3), less);
    assert_eq!(refused, Err(CapError::Mapped(slot(0, 4))));
    caps.revoke(slot(0, 4), 1).unwrap();
    assert_eq!(
        caps.move_to(slot(0, 4), slot(0, 3), Rights::READ_WRITE).unwrap().rights,
        Rights::READ_WRITE,
        "what a mapping cannot have can be dropped"
    );
    caps.check();
}

#[test]
fn two_slots_are_exchanged_by_three_moves() {
    let mut caps = with_endpoint();
    caps.insert(slot(0, 4), PAGE, Rights::READ).unwrap();
    for (from, to) in [(3, 5), (4, 3), (5, 4)] {
        caps.move_to(slot(0, from), slot(0, to), Rights::ALL).unwrap();
    }
    assert_eq!(caps.lookup(slot(0, 3)).unwrap().object, PAGE);
    assert_eq!(caps.lookup(slot(0, 4)).unwrap().object, ENDPOINT);
    assert_eq!(caps.count(space(0)), 2);
    caps.check();
}

#[test]
fn deleting_hands_the_children_to_the_parent() {
    let mut caps = with_endpoint();
    caps.copy(slot(0, 3), slot(1, 3), Rights::ALL, None).unwrap();
    for number in [4, 5, 6] {
        caps.copy(slot(1, 3), slot(1, number), Rights::ALL, None).unwrap();
    }
    caps.copy(slot(0, 3), slot(1, 9), Rights::ALL, None).unwrap();
    assert!(!caps.delete(slot(1, 3)).unwrap().last);
    let all = [4, 5, 6, 9].map(|number| slot(1, number));
    assert_eq!(children(&caps, slot(0, 3)), all);
    caps.check();
    caps.delete(slot(0, 3)).unwrap();
    assert!(all.iter().all(|&at| caps.parent(at) == Ok(None)), "they are originals now");
    assert_eq!(caps.holders(ENDPOINT), all);
    caps.check();
}

#[test]
fn revoke_removes_all_descendants_and_nothing_else() {
    let mut caps = with_spaces(4);
    caps.insert(slot(0, 3), PAGE, Rights::ALL).unwrap();
    caps.insert(slot(0, 4), Object::Page(Frame(8)), Rights::ALL).unwrap();
    for (from, to) in [
        (slot(0, 3), slot(1, 3)),
        (slot(1, 3), slot(2, 3)),
        (slot(1, 3), slot(2, 4)),
        (slot(0, 3), slot(3, 3)),
    ] {
        caps.grant(from, to, Rights::ALL, None).unwrap();
    }
    caps.set_mapped(slot(2, 4), place(4)).unwrap();
    let (removed, done) = caps.revoke(slot(1, 3), 2).unwrap();
    let mut gone: Vec<_> = removed.iter().map(|r| r.slot).collect();
    gone.sort();
    assert_eq!((&*gone, done), (&[slot(2, 3), slot(2, 4)][..], true));
    let mapped: Vec<_> = removed.iter().filter_map(|r| r.capability.mapped).collect();
    assert_eq!(mapped, [place(4)]);
    assert!(removed.iter().all(|r| !r.last));
    for left in [slot(0, 3), slot(0, 4), slot(1, 3), slot(3, 3)] {
        assert!(caps.lookup(left).is_ok());
    }
    assert_eq!(caps.revoke(slot(1, 3), 0), Ok((Vec::new(), true)));
    caps.check();
}

#[test]
fn a_revoke_that_keeps_some_puts_them_under_the_revoked() {
    let mut caps = with_endpoint();
    // 3 ─ 4 ─ 5 ─ 6, 3 ─ 7 ─ 8: 5 and 7 are kept, with what is below.
    for (from, to) in [(3, 4), (4, 5), (5, 6), (3, 7), (7, 8)] {
        caps.copy(slot(0, from), slot(0, to), Rights::ALL, None).unwrap();
    }
    let keep = |at: Slot, _: &_| [5, 7].contains(&at.number);
    assert_eq!(caps.revoke_until(slot(0, 3), 0, keep), Ok((Vec::new(), false)));
    let (removed, done) = caps.revoke_until(slot(0, 3), 9, keep).unwrap();
    assert_eq!((removed.len(), removed[0].slot, done), (1, slot(0, 4), true));
    assert_eq!(children(&caps, slot(0, 3)), [slot(0, 5), slot(0, 7)]);
    assert_eq!(children(&caps, slot(0, 5)), [slot(0, 6)]);
    caps.check();
}

#[test]
fn an_original_can_be_put_under_another_to_the_same_object() {
    let mut caps = with_spaces(1);
    for number in [3, 4] {
        caps.insert(slot(0, number), PAGE, Rights::ALL).unwrap();
    }
    caps.insert(slot(0, 5), ENDPOINT, Rights::ALL).unwrap();
    caps.insert(slot(0, 6), PAGE, Rights::READ).unwrap();
    caps.copy(slot(0, 3), slot(0, 7), Rights::ALL, None).unwrap();
    for (root, under, error) in [
        (3, 9, CapError::Empty(slot(0, 9))),
        (7, 4, CapError::NotRoot(slot(0, 7))),
        (3, 3, CapError::NotRoot(slot(0, 3))),
        (3, 7, CapError::NotRoot(slot(0, 3))),
        (3, 5, CapError::WrongKind(slot(0, 5))),
        (3, 6, CapError::Lacks(slot(0, 6), Rights::ALL)),
    ] {
        assert_eq!(caps.derive(slot(0, root), slot(0, under)), Err(error));
    }
    caps.derive(slot(0, 3), slot(0, 4)).unwrap();
    caps.derive(slot(0, 6), slot(0, 7)).unwrap();
    assert_eq!(caps.revoke(slot(0, 4), 9).unwrap().0.len(), 3, "the subtree came along");
    caps.check();
}

#[test]
fn a_space_that_is_being_closed_takes_nothing_and_is_gone_in_the_end() {
    let mut caps = with_endpoint();
    for number in 4..9 {
        caps.copy(slot(0, 3), slot(0, number), Rights::ALL, None).unwrap();
    }
    caps.copy(slot(0, 3), slot(1, 3), Rights::ALL, None).unwrap();
    let (removed, done) = caps.close(space(0), 4);
    assert_eq!((removed.len(), removed[0].slot, done), (4, slot(0, 3), false));
    assert_eq!(caps.first_free(space(0)), None);
    let refused = caps.copy(slot(1, 3), slot(0, 20), Rights::ALL, None);
    assert_eq!(refused, Err(CapError::NoSpace(space(0))));
    assert!(caps.lookup(slot(0, 8)).is_ok(), "what is left can still be looked up");
    caps.open(space(0));
    assert_eq!(caps.vacant(slot(0, 20)), Err(CapError::NoSpace(space(0))));
    let (removed, done) = caps.close(space(0), 4);
    assert_eq!((removed.len(), done), (2, true));
    assert_eq!(caps.lookup(slot(0, 8)), Err(CapError::NoSpace(space(0))));
    assert_eq!((caps.len(), caps.parent(slot(1, 3))), (1, Ok(None)));
    assert_eq!(caps.close(space(0), 4), (Vec::new(), true));
    caps.check();
}

#[test]
fn each_kind_of_space_has_its_own_numbers() {
    let spaces = [
        SpaceId::Host,
        SpaceId::Boot(DomainId(5)),
        SpaceId::Domain(DomainId(5)),
        SpaceId::Thread(ThreadId(5)),
    ];
    let mut caps = Capabilities::new();
    for space in spaces {
        assert_eq!(caps.first_free(space), None);
        caps.open(space);
        let first = if matches!(space, SpaceId::Domain(_)) { 3 } else { 1 };
        assert_eq!(caps.first_free(space), Some(first));
        caps.insert(Slot { space, number: first }, PAGE, Rights::ALL).unwrap();
    }
    let held: Vec<_> = caps.iter().map(|(slot, _)| slot.space).collect();
    assert_eq!(held, spaces);
    assert_eq!((caps.references(PAGE), caps.holders(PAGE).len()), (4, 4));
    caps.check();
}

#[test]
fn what_is_revoked_in_pieces_can_change_in_between() {
    let mut caps = with_spaces(1);
    caps.insert(slot(0, 3), PAGE, Rights::ALL).unwrap();
    for number in 4..20 {
        caps.copy(slot(0, number - 1), slot(0, number), Rights::ALL, None).unwrap();
    }
    for root in [3, 5, 7] {
        assert_eq!(caps.revoke(slot(0, root), 1).unwrap().0.len(), 1);
    }
    // The place that all three remember goes, and one of the roots; more is derived above.
    caps.delete(slot(0, 16)).unwrap();
    caps.delete(slot(0, 5)).unwrap();
    caps.copy(slot(0, 4), slot(0, 20), Rights::ALL, None).unwrap();
    caps.check();
    let (removed, done) = caps.revoke(slot(0, 3), usize::MAX).unwrap();
    assert_eq!((removed.len(), done), (12, true));
    assert_eq!(caps.len(), 1);
    caps.check();
}
