//! Each operation on capabilities with every kind of object: where it needs something, where it
//! needs nothing, and what is there afterwards.

use super::scenes::{ALL, CALL};
use super::{Bench, DATA, G, MAIN, PEER, R, W};
use crate::abi::{Hypercall, ObjectKind, Status, utcb};
use crate::capability::{Capability, Slot, SpaceId, cptr};
use crate::domain::DomainId;
use crate::rights::Rights;

use Hypercall::{
    CapCopy, CapDelete, CapGrant, CapInspect, CapMove, CapRevoke, ChannelCreate, DomainCreate,
    EndpointCancel, EndpointCreate, NotificationCreate, PageAllocate, PageMap, SyncCall,
    SyncReceive, SyncReply, SyncSend, Yield,
};

const WORLD: &str = r#"
name = "kinds"
[limits]
pages = 2000
[[memory]]
name = "lent"
lent = true
[[ports]]
name = "serial"
first = 0x3f8
last = 0x40f
[[interrupt]]
name = "line"
line = 4
[[domain]]
name = "main"
module = "m"
caps = [
    { slot = 16, object = "serial", rights = "rwg" },
    { slot = 17, object = "line", rights = "rwg" },
    { slot = 18, object = "lent", rights = "rwg" },
    { slot = 20, object = "peer", rights = "rwg" },
]
[[domain]]
name = "peer"
module = "m"
"#;

const PAGE: u64 = 10;
const ENDPOINT: u64 = 12;
const NOTIFICATION: u64 = 13;
const CHANNEL: u64 = 14;
/// The slots of `main` with a capability of each kind.
const KINDS: core::ops::RangeInclusive<u64> = 10..=18;
/// One that is taken by something else, and some that are empty.
const TAKEN: u64 = 20;
const EMPTY: u64 = 29;
const FREE: [u64; 4] = [25, 26, 27, 28];
/// Numbers that are no place for a capability.
const NOWHERE: [u64; 5] = [cptr::NULL, cptr::CALL, cptr::REPLY, 32, cptr::NUMBERS];

fn every_kind() -> Bench {
    let mut bench = Bench::new(WORLD);
    bench.done(MAIN, PageAllocate, &[PAGE, ALL]);
    bench.done(MAIN, PageAllocate, &[11, ALL, 2]);
    bench.done(MAIN, EndpointCreate, &[ENDPOINT]);
    bench.done(MAIN, NotificationCreate, &[NOTIFICATION]);
    bench.done(MAIN, ChannelCreate, &[CHANNEL, 0]);
    bench.done(MAIN, DomainCreate, &[15]);
    bench
}

fn held(bench: &Bench, slot: u64) -> Capability {
    bench.capability(MAIN, slot).expect("the slot is taken")
}

/// The world's own objects are the host's to take back; the rest goes with the domains.
#[track_caller]
fn over(mut bench: Bench) {
    for id in [1, 0] {
        bench.kernel.destroy_domain(DomainId(id)).expect("it exists");
        bench.audit();
    }
    let lent = bench.kernel.frames.in_use() as u64;
    assert_eq!(bench.kernel.lent().values().sum::<u64>(), lent, "nothing else is left");
}

/// The slot of `main` from which the capability in another one is derived.
fn parent(bench: &Bench, number: u64) -> Option<u64> {
    let slot = Slot { space: SpaceId::Domain(DomainId(0)), number };
    bench.kernel.capabilities.parent(slot).expect("the slot is taken").map(|slot| slot.number)
}

#[test]
fn every_kind_is_copied_from_a_taken_slot_to_an_empty_one() {
    let mut bench = every_kind();
    for slot in KINDS {
        // What is wrong with the destination is said first, also where the source is empty.
        for from in [slot, EMPTY, 0] {
            bench.refused(MAIN, CapCopy, &[from, TAKEN, ALL], Status::Exists);
        }
        bench.refused(MAIN, CapCopy, &[slot, slot, ALL], Status::Exists);
        bench.refused(MAIN, CapCopy, &[EMPTY, FREE[0], ALL], Status::NotFound);
        for number in NOWHERE {
            bench.refused(MAIN, CapCopy, &[slot, number, ALL], Status::Invalid);
        }
        for number in [cptr::NULL, cptr::CALL, 32, cptr::NUMBERS] {
            bench.refused(MAIN, CapCopy, &[number, FREE[0], ALL], Status::Invalid);
        }
        bench.done(MAIN, CapCopy, &[slot, FREE[0], ALL]);
        assert_eq!(held(&bench, FREE[0]), held(&bench, slot));
        assert_eq!(parent(&bench, FREE[0]), Some(slot));
        bench.refused(MAIN, CapCopy, &[slot, FREE[0], ALL], Status::Exists);
        bench.done(MAIN, CapDelete, &[FREE[0]]);
    }
    over(bench);
}

#[test]
fn every_kind_is_deleted_once_and_others_to_the_same_object_stay() {
    let mut bench = every_kind();
    for slot in KINDS {
        let capability = held(&bench, slot);
        bench.done(MAIN, CapCopy, &[slot, FREE[0], ALL]);
        bench.done(MAIN, CapCopy, &[FREE[0], FREE[1], ALL]);
        bench.done(MAIN, CapDelete, &[FREE[0]]);
        assert_eq!(bench.capability(MAIN, FREE[0]), None);
        assert_eq!((held(&bench, slot), held(&bench, FREE[1])), (capability, capability));
        assert_eq!(parent(&bench, FREE[1]), Some(slot), "its grandchild is its child now");
        for empty in [FREE[0], EMPTY] {
            bench.refused(MAIN, CapDelete, &[empty], Status::NotFound);
        }
        for number in [cptr::NULL, cptr::CALL, 32, cptr::NUMBERS] {
            bench.refused(MAIN, CapDelete, &[number], Status::Invalid);
        }
        // The original goes, and the copy is one.
        bench.done(MAIN, CapDelete, &[slot]);
        assert_eq!((held(&bench, FREE[1]), bench.capability(MAIN, slot)), (capability, None));
        bench.done(MAIN, CapDelete, &[FREE[1]]);
    }
    over(bench);
}

#[test]
fn a_copy_has_the_rights_and_the_badge_that_it_is_given_and_never_more() {
    let mut bench = every_kind();
    for slot in KINDS {
        let source = held(&bench, slot);
        for mask in 0..=ALL {
            bench.done(MAIN, CapCopy, &[slot, FREE[0], mask]);
            let wanted = source.rights & Rights::from_bits(mask).unwrap();
            assert_eq!(held(&bench, FREE[0]), Capability { rights: wanted, ..source });
            bench.done(MAIN, CapCopy, &[FREE[0], FREE[1], ALL]);
            assert_eq!(held(&bench, FREE[1]).rights, wanted, "nothing comes back");
            bench.done(MAIN, CapDelete, &[FREE[1]]);
            bench.done(MAIN, CapDelete, &[FREE[0]]);
        }
        bench.refused(MAIN, CapCopy, &[slot, FREE[0], 32], Status::Invalid);
        let badges: &[u64] = match slot {
            ENDPOINT | NOTIFICATION => &[1, 5, u64::MAX],
            CHANNEL => &[1],
            _ => &[],
        };
        for badge in [1, 5, u64::MAX] {
            if !badges.contains(&badge) {
                bench.refused(MAIN, CapCopy, &[slot, FREE[0], ALL, badge], Status::Invalid);
                continue;
            }
            bench.done(MAIN, CapCopy, &[slot, FREE[0], ALL, badge]);
            assert_eq!(held(&bench, FREE[0]), Capability { badge, ..source });
            // It has its badge for good, and passes it on.
            bench.refused(MAIN, CapCopy, &[FREE[0], FREE[1], ALL, badge], Status::Invalid);
            bench.done(MAIN, CapCopy, &[FREE[0], FREE[1], R]);
            assert_eq!(held(&bench, FREE[1]).badge, badge);
            bench.done(MAIN, CapDelete, &[FREE[1]]);
            bench.done(MAIN, CapDelete, &[FREE[0]]);
        }
        bench.refused(MAIN, CapCopy, &[slot, TAKEN, ALL, 1], Status::Exists);
        bench.refused(MAIN, CapCopy, &[EMPTY, FREE[0], ALL, 1], Status::NotFound);
    }
    over(bench);
}

#[test]
fn every_kind_is_moved_with_its_place_in_the_tree() {
    let mut bench = every_kind();
    for slot in KINDS {
        let [to, copy, ..] = FREE;
        for from in [slot, EMPTY, 0] {
            bench.refused(MAIN, CapMove, &[from, TAKEN, ALL], Status::Exists);
        }
        bench.refused(MAIN, CapMove, &[slot, slot, ALL], Status::Exists);
        bench.refused(MAIN, CapMove, &[EMPTY, to, ALL], Status::NotFound);
        for number in NOWHERE {
            bench.refused(MAIN, CapMove, &[slot, number, ALL], Status::Invalid);
        }
        let (capability, above) = (held(&bench, slot), parent(&bench, slot));
        bench.done(MAIN, CapCopy, &[slot, copy, ALL]);
        bench.done(MAIN, CapMove, &[slot, to, ALL]);
        assert_eq!((held(&bench, to), bench.capability(MAIN, slot)), (capability, None));
        assert_eq!((parent(&bench, to), parent(&bench, copy)), (above, Some(to)));
        bench.refused(MAIN, CapMove, &[slot, EMPTY, ALL], Status::NotFound);
        bench.done(MAIN, CapRevoke, &[to]);
        bench.done(MAIN, CapMove, &[to, slot, ALL]);
        assert_eq!(held(&bench, slot), capability);
    }
    over(bench);
}

#[test]
fn a_move_can_drop_rights_that_nothing_depends_on() {
    let mut bench = every_kind();
    for slot in KINDS {
        let [to, copy, ..] = FREE;
        let capability = held(&bench, slot);
        bench.done(MAIN, CapCopy, &[slot, copy, R | W]);
        // The copy could do more than what it is a copy of.
        bench.refused(MAIN, CapMove, &[slot, to, R], Status::Busy);
        bench.refused(MAIN, CapMove, &[slot, TAKEN, R], Status::Exists);
        bench.refused(MAIN, CapMove, &[slot, to, 32], Status::Invalid);
        bench.done(MAIN, CapMove, &[slot, to, R | W]);
        let weaker = Capability { rights: Rights::READ_WRITE, ..capability };
        assert_eq!(held(&bench, to), weaker);
        bench.done(MAIN, CapMove, &[to, slot, ALL]);
        assert_eq!(held(&bench, slot), weaker, "what was dropped is gone");
        bench.done(MAIN, CapDelete, &[copy]);
    }
    bench.done(MAIN, PageMap, &[PAGE, DATA, R | W]);
    bench.refused(MAIN, CapMove, &[PAGE, FREE[0], R], Status::Exists);
    bench.done(MAIN, CapMove, &[PAGE, FREE[0], R | W]);
    over(bench);
}

#[test]
fn only_an_endpoint_has_sends_to_cancel() {
    let mut bench = every_kind();
    for slot in KINDS.filter(|&slot| slot != ENDPOINT) {
        bench.refused(MAIN, EndpointCancel, &[slot, 5], Status::Invalid);
    }
    bench.refused(MAIN, EndpointCancel, &[EMPTY, 5], Status::NotFound);
    bench.refused(MAIN, EndpointCancel, &[0, 5], Status::Invalid);
    // Who may only send, or only receive, does not decide about others' sends.
    for (slot, rights) in FREE.into_iter().zip([R | G | CALL, W | G | CALL, 0, R | W]) {
        bench.done(MAIN, CapCopy, &[ENDPOINT, slot, rights]);
        if rights == R | W {
            bench.done(MAIN, EndpointCancel, &[slot, 5]);
        } else {
            bench.refused(MAIN, EndpointCancel, &[slot, 5], Status::NotPermitted);
        }
    }
    for badge in [0, 5, u64::MAX] {
        bench.done(MAIN, EndpointCancel, &[ENDPOINT, badge]);
    }
    over(bench);
}

#[test]
fn revoking_takes_what_was_derived_of_every_kind_wherever_it_is() {
    let mut bench = every_kind();
    for slot in KINDS {
        let capability = held(&bench, slot);
        let [a, b, c, _] = FREE;
        for (from, to) in [(slot, a), (a, b), (slot, c)] {
            bench.done(MAIN, CapCopy, &[from, to, ALL]);
        }
        bench.done(MAIN, CapGrant, &[TAKEN, b, 9, ALL]);
        // A leaf has nothing below it.
        bench.refused(MAIN, CapRevoke, &[c], Status::Ok);
        bench.done(MAIN, CapRevoke, &[a]);
        assert_eq!((bench.capability(MAIN, b), bench.capability(PEER, 9)), (None, None));
        assert_eq!((held(&bench, a), held(&bench, c)), (capability, capability));
        bench.done(MAIN, CapRevoke, &[slot]);
        assert_eq!((bench.capability(MAIN, a), bench.capability(MAIN, c)), (None, None));
        assert_eq!(held(&bench, slot), capability);
        bench.refused(MAIN, CapRevoke, &[EMPTY], Status::NotFound);
        bench.refused(MAIN, CapRevoke, &[0], Status::Invalid);
    }
    over(bench);
}

#[test]
fn three_capabilities_change_places_through_an_empty_slot() {
    let mut bench = every_kind();
    let first_two = [*KINDS.start(), KINDS.start() + 1];
    for slot in KINDS.skip(2) {
        let [a, b] = first_two;
        let before = [a, b, slot].map(|slot| held(&bench, slot));
        bench.done(MAIN, CapCopy, &[b, FREE[1], ALL]);
        // Into each other they do not go.
        bench.refused(MAIN, CapMove, &[a, b, ALL], Status::Exists);
        for (from, to) in [(a, FREE[0]), (b, a), (slot, b), (FREE[0], slot)] {
            bench.done(MAIN, CapMove, &[from, to, ALL]);
        }
        assert_eq!([slot, a, b].map(|slot| held(&bench, slot)), before);
        assert_eq!(bench.capability(MAIN, FREE[0]), None);
        bench.done(MAIN, CapRevoke, &[a]);
        assert_eq!(bench.capability(MAIN, FREE[1]), None, "what is derived goes along");
    }
    over(bench);
}

#[test]
fn the_right_to_answer_is_put_aside_into_an_empty_slot() {
    let mut bench = every_kind();
    let saved = FREE[0];
    bench.done(MAIN, CapGrant, &[TAKEN, ENDPOINT, 9, W | CALL]);
    bench.refused(MAIN, CapMove, &[2, saved, ALL], Status::NotFound);
    assert_eq!(bench.send(PEER, SyncCall, 9, 0), Status::Waiting);
    assert_eq!(bench.send(MAIN, SyncReceive, ENDPOINT, 0), Status::Ok);
    bench.refused(MAIN, CapMove, &[2, TAKEN, ALL], Status::Exists);
    for number in NOWHERE {
        bench.refused(MAIN, CapMove, &[2, number, ALL], Status::Invalid);
    }
    bench.done(MAIN, CapMove, &[2, saved, ALL]);
    bench.done(MAIN, CapInspect, &[saved]);
    assert_eq!(bench.word(MAIN, utcb::MESSAGE + 8), ObjectKind::Reply as u64);
    bench.refused(MAIN, CapMove, &[2, FREE[1], ALL], Status::NotFound);
    assert_eq!(bench.send(MAIN, SyncReply, 0, 0), Status::NotFound);
    assert_eq!(bench.send(MAIN, SyncSend, saved, 0), Status::Ok);
    assert_eq!(bench.word(PEER, utcb::STATUS), 0);
    assert_eq!(bench.capability(MAIN, saved), None, "it is used once");

    // A caller that gives up takes the right back, wherever it is.
    assert_eq!(bench.send(PEER, SyncCall, 9, 4), Status::Waiting);
    assert_eq!(bench.send(MAIN, SyncReceive, ENDPOINT, 0), Status::Ok);
    bench.done(MAIN, CapMove, &[2, saved, ALL]);
    bench.done(MAIN, Yield, &[]);
    assert!(bench.capability(MAIN, saved).is_some());
    bench.done(MAIN, Yield, &[]);
    assert_eq!(bench.capability(MAIN, saved), None);
    assert_eq!(bench.word(PEER, utcb::STATUS).cast_signed(), Status::TimedOut as i64);
    over(bench);
}

#[test]
fn a_slot_is_found_at_every_depth_and_under_one_number_only() {
    let mut bench = every_kind();
    for (level, capacity) in (0_u64..).zip(cptr::CAPACITY.map(u64::from)) {
        let start = level << 20;
        for within in [if level == 0 { 21 } else { 0 }, capacity / 2 + 7, capacity - 1] {
            let number = start | within;
            bench.refused(MAIN, CapInspect, &[number], Status::NotFound);
            bench.done(MAIN, CapCopy, &[PAGE, number, R]);
            bench.done(MAIN, CapInspect, &[number]);
            assert_eq!(bench.word(MAIN, utcb::MESSAGE + 16), R);
            // Not the slot beside it, nor the one at the same place of another table or level.
            let elsewhere = [number ^ 1, (number + (1 << 20)) % cptr::NUMBERS];
            for other in elsewhere.into_iter().filter(|&other| cptr::fields(other).is_some()) {
                if bench.capability(MAIN, other).is_none() {
                    let refused = bench.call(MAIN, CapInspect, &[other]);
                    assert!([Status::NotFound, Status::Invalid].contains(&refused), "{other:#x}");
                }
            }
            // Bits that a number does not have, and bits of the way that its level does not use.
            for bit in (22..64).chain((0..20).filter(|&bit| 1 << bit >= capacity)) {
                for call in [CapInspect, CapDelete, CapRevoke] {
                    bench.refused(MAIN, call, &[number | 1 << bit], Status::Invalid);
                }
            }
            bench.done(MAIN, CapDelete, &[number]);
            bench.refused(MAIN, CapInspect, &[number], Status::NotFound);
        }
    }
    over(bench);
}
