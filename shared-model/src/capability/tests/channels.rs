//! Channels are memory with a badge: which end it is.

use super::{slot, with_spaces};
use crate::address::GuestPhysical;
use crate::capability::{CapError, ChannelId, Object, Place};
use crate::domain::DomainId;
use crate::rights::Rights;

const CHANNEL: Object = Object::Channel(ChannelId(3));
const ALL: Rights = Rights::ALL;

fn place(domain: u32) -> Place {
    Place::Memory { domain: DomainId(domain), page: GuestPhysical(0x4000_0000) }
}

#[test]
fn each_end_of_a_channel_is_mapped_and_keeps_its_badge() {
    let mut caps = with_spaces(2);
    let (near, far) = (slot(0, 5), slot(1, 5));
    caps.insert(near, CHANNEL, ALL).unwrap();
    caps.grant(near, far, ALL, Some(1)).unwrap();
    for (at, domain, badge) in [(near, 0, 0), (far, 1, 1)] {
        caps.set_mapped(at, place(domain)).unwrap();
        let capability = caps.lookup(at).unwrap();
        assert_eq!((capability.badge, capability.mapped), (badge, Some(place(domain))));
        assert_eq!(caps.set_mapped(at, place(domain)), Err(CapError::Mapped(at)));
        caps.check();
    }
    assert_eq!(caps.move_to(far, slot(1, 6), ALL).unwrap().mapped, Some(place(1)));
    let far = slot(1, 6);
    assert_eq!(caps.clear_mapped(far), Ok(Some(place(1))));
    assert_eq!((caps.lookup(far).unwrap().badge, caps.clear_mapped(far)), (1, Ok(None)));
    let removed = caps.delete(near).unwrap();
    assert_eq!((removed.capability.mapped, removed.last), (Some(place(0)), false));
    caps.check();
    assert_eq!(caps.delete(far).unwrap().capability.badge, 1);
}

#[test]
fn a_channel_has_two_ends_and_no_more() {
    let mut caps = with_spaces(1);
    caps.insert(slot(0, 5), CHANNEL, ALL).unwrap();
    for badge in [2, 3, 1 << 31, 1 << 32, u64::MAX] {
        let refused = caps.copy(slot(0, 5), slot(0, 6), ALL, Some(badge));
        assert_eq!(refused, Err(CapError::Badged(slot(0, 5))));
    }
    caps.copy(slot(0, 5), slot(0, 6), ALL, Some(1)).unwrap();
    // As of any badge: a copy has the same, and cannot be given another.
    assert_eq!(caps.copy(slot(0, 6), slot(0, 7), ALL, None).unwrap().badge, 1);
    for badge in [0, 1] {
        let refused = caps.copy(slot(0, 6), slot(0, 8), ALL, Some(badge));
        assert_eq!(refused, Err(CapError::Badged(slot(0, 6))));
    }
    caps.check();
}

#[test]
fn other_badges_are_as_large_as_ever() {
    let mut caps = with_spaces(1);
    let endpoint = Object::Endpoint(crate::capability::EndpointId(1));
    caps.insert(slot(0, 5), endpoint, ALL).unwrap();
    caps.copy(slot(0, 5), slot(0, 6), ALL, Some(u64::MAX)).unwrap();
    assert_eq!(caps.lookup(slot(0, 6)).unwrap().badge, u64::MAX);
    assert_eq!(caps.set_mapped(slot(0, 6), place(0)), Err(CapError::WrongKind(slot(0, 6))));
    caps.check();
}
