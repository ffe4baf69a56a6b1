//! That a fold tells the truth of whole runs, `microkernel/tests/told.rs` checks after every step of
//! every test there. Here: the single rules, old logs, and logs that make no sense.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::{DomainStage, Fold, MappedRange, Snapshot, ThreadStage};
use crate::abi::{Hypercall, Status};
use crate::address::{Frame, GuestPhysical, PAGE_SIZE};
use crate::capability::{EndpointId, Object, Slot, SpaceId};
use crate::domain::{DomainId, ThreadId};
use crate::event::{Event, EventKind, Log, PageRange};
use crate::exit::{End, Exited};
use crate::registers::Registers;
use crate::rights::Rights;

const OWN: SpaceId = SpaceId::Domain(DomainId(0));
const ENDPOINT: Object = Object::Endpoint(EndpointId(1));

const fn own(number: u64) -> Slot {
    Slot { space: OWN, number }
}

fn event(kind: EventKind) -> Event {
    Event { domain: DomainId(0), thread: Some(ThreadId(0)), kind }
}

fn added(slot: u64, from: Option<Slot>) -> Event {
    let (space, rights) = (None, Rights::ALL);
    event(EventKind::CapabilityAdded { space, slot, object: ENDPOINT, rights, badge: 0, from })
}

fn removed(slot: u64, moved_to: Option<u64>, heir: Option<Slot>) -> Event {
    let object = ENDPOINT;
    event(EventKind::CapabilityRemoved { space: OWN, slot, object, moved_to, heir })
}

/// What each capability of a snapshot is derived from.
fn parents(snapshot: &Snapshot) -> Vec<(Slot, Option<Slot>)> {
    let all = snapshot.spaces.iter().flat_map(|space| {
        let slot = |number| Slot { space: space.space, number };
        space.capabilities.iter().map(move |held| (slot(held.slot), held.from))
    });
    all.collect()
}

/// An original in slot 1, derived from it 2, from that 3, from that 4.
fn chain() -> Vec<Event> {
    let mut events = vec![added(1, None)];
    events.extend((2..5).map(|slot| added(slot, Some(own(slot - 1)))));
    events
}

#[test]
fn what_was_derived_from_a_deleted_capability_goes_to_what_that_was_derived_from() {
    let mut events = chain();
    events.push(removed(3, None, None));
    let wanted = [(own(1), None), (own(2), Some(own(1))), (own(4), Some(own(2)))];
    assert_eq!(parents(&Snapshot::of(&events)), wanted);
    events.push(removed(1, None, None));
    let wanted = [(own(2), None), (own(4), Some(own(2)))];
    assert_eq!(parents(&Snapshot::of(&events)), wanted);
}

#[test]
fn what_a_revoke_leaves_goes_to_the_revoked_capability() {
    let mut events = chain();
    events.push(removed(3, None, Some(own(1))));
    let wanted = [(own(1), None), (own(2), Some(own(1))), (own(4), Some(own(1)))];
    assert_eq!(parents(&Snapshot::of(&events)), wanted);
}

#[test]
fn a_capability_moves_with_what_is_derived_from_it_and_with_its_mapping() {
    let mut events = chain();
    let (page, frame, rights) = (GuestPhysical(0x4000_0000), Frame(9), Rights::READ);
    events.push(event(EventKind::DomainCreated { name: "main".into() }));
    events.push(event(EventKind::Mapped { page, frame, rights, slot: Some(2) }));
    events.push(removed(2, Some(8), None));
    let wanted =
        [(own(1), None), (own(3), Some(own(8))), (own(4), Some(own(3))), (own(8), Some(own(1)))];
    assert_eq!(parents(&Snapshot::of(&events)), wanted, "between the two events");
    events.push(added(8, Some(own(1))));
    let snapshot = Snapshot::of(&events);
    assert_eq!(parents(&snapshot), wanted);
    let mapped = MappedRange { page, frame, pages: 1, rights, boot: false, slot: Some(8) };
    assert_eq!(snapshot.domains[0].memory, [mapped]);
}

#[test]
fn the_hosts_capability_is_there_while_something_is_derived_from_it() {
    let host = Slot { space: SpaceId::Host, number: 5 };
    let mut events = vec![added(1, Some(host)), added(2, Some(host))];
    let wanted = [(host, None), (own(1), Some(host)), (own(2), Some(host))];
    assert_eq!(parents(&Snapshot::of(&events)), wanted);
    assert_eq!(Snapshot::of(&events).objects[0].capabilities, 3);
    events.push(removed(1, None, None));
    events.push(removed(2, None, None));
    assert_eq!(Snapshot::of(&events), Snapshot::default());
}

#[test]
fn an_original_can_be_put_under_another() {
    let mut events = vec![added(1, None), added(2, None)];
    events.push(event(EventKind::CapabilityDerived { slot: 1, from: 2 }));
    assert_eq!(parents(&Snapshot::of(&events)), [(own(1), Some(own(2))), (own(2), None)]);
}

#[test]
fn adjacent_pages_of_one_capability_are_one_range() {
    let mapped = |page, frame, slot| {
        let (page, frame) = (GuestPhysical(page * PAGE_SIZE), Frame(frame));
        event(EventKind::Mapped { page, frame, rights: Rights::READ, slot: Some(slot) })
    };
    let events = [
        event(EventKind::DomainCreated { name: "main".into() }),
        added(1, None),
        added(2, None),
        mapped(11, 6, 1),
        mapped(10, 5, 1),
        mapped(12, 7, 2),
        mapped(13, 9, 2),
        mapped(15, 10, 2),
    ];
    let snapshot = Snapshot::of(&events);
    let found = snapshot.domains[0].memory.iter();
    let found: Vec<_> = found.map(|r| (r.page.0 / PAGE_SIZE, r.frame.0, r.pages, r.slot)).collect();
    let wanted =
        [(10, 5, 2, Some(1)), (12, 7, 1, Some(2)), (13, 9, 1, Some(2)), (15, 10, 1, Some(2))];
    assert_eq!(found, wanted);
}

#[test]
fn a_log_from_before_this_was_told_can_be_read() {
    let lines = concat!(
        r#"{"lcd_log":1,"backend":"sim","world":"w","inputs":"00000000000000000000000000000000"}"#,
        "\n",
        r#"{"domain":0,"event":"domain_created","name":"main"}"#,
        "\n",
        r#"{"domain":0,"event":"loaded","module":"m","digest":"00000000000000000000000000000000"}"#,
        "\n",
        r#"{"domain":0,"event":"capability_added","slot":25,"object":{"page":3},"rights":"rw-g-"}"#,
        "\n",
        r#"{"domain":0,"event":"mapped","page":1073741824,"frame":3,"rights":"rw---"}"#,
        "\n",
        r#"{"domain":0,"thread":0,"event":"thread_started"}"#,
        "\n",
        r#"{"domain":0,"thread":0,"event":"thread_created","index":1}"#,
        "\n",
        r#"{"domain":0,"event":"capability_removed","space":{"domain":0},"slot":25,"object":{"page":3}}"#,
        "\n",
    );
    let log = Log::from_json_lines(lines).unwrap();
    let snapshot = Snapshot::of(&log.events);
    let domain = &snapshot.domains[0];
    assert_eq!((&*domain.name, domain.state), ("main", DomainStage::Running));
    assert_eq!((domain.threads.len(), domain.threads[0].state), (1, ThreadStage::Running));
    assert_eq!((domain.memory.len(), domain.memory[0].slot), (1, None));
    assert!(snapshot.spaces.is_empty());
}

#[test]
fn a_snapshot_round_trips_through_json() {
    let mut events = chain();
    events.push(event(EventKind::DomainCreated { name: "main".into() }));
    let range =
        PageRange { page: GuestPhysical(0), frame: Frame(0), pages: 3, rights: Rights::READ };
    events.push(event(EventKind::Built { initial: ThreadId(0), pages: vec![range] }));
    let snapshot = Snapshot::of(&events);
    let json = serde_json::to_string(&snapshot).unwrap();
    assert_eq!(serde_json::from_str::<Snapshot>(&json).unwrap(), snapshot);
}

fn spaces() -> impl Strategy<Value = SpaceId> {
    prop_oneof![
        Just(SpaceId::Host),
        (0..2u32).prop_map(|id| SpaceId::Boot(DomainId(id))),
        (0..2u32).prop_map(|id| SpaceId::Domain(DomainId(id))),
        (0..2u32).prop_map(|id| SpaceId::Thread(ThreadId(id))),
    ]
}

fn slots() -> impl Strategy<Value = Slot> {
    (spaces(), 0..4u64).prop_map(|(space, number)| Slot { space, number })
}

fn objects() -> impl Strategy<Value = Object> {
    prop_oneof![Just(ENDPOINT), (0..2u32).prop_map(|id| Object::Reply(ThreadId(id)))]
}

fn kinds() -> impl Strategy<Value = EventKind> {
    let rights = Rights::READ;
    let pages = prop_oneof![Just(0), 0..3u64, Just(u64::MAX)].prop_map(move |pages| {
        let (page, frame) = (GuestPhysical(!(PAGE_SIZE - 1)), Frame(u32::MAX));
        vec![PageRange { page, frame, pages, rights }]
    });
    let page = prop_oneof![0..3u64, Just(u64::MAX / PAGE_SIZE)];
    let page = page.prop_map(|page| GuestPhysical(page * PAGE_SIZE)).boxed();
    let frame = prop_oneof![0..3u32, Just(u32::MAX)].prop_map(Frame).boxed();
    let slot = proptest::option::of(0..4u64).boxed();
    let from = proptest::option::of(slots()).boxed();
    let added = (proptest::option::of(spaces()), 0..4u64, objects(), from.clone());
    let removed = (slots(), objects(), slot.clone(), from);
    prop_oneof![
        Just(EventKind::DomainCreated { name: String::new() }),
        Just(EventKind::ThreadStarted),
        Just(EventKind::DomainDestroyed),
        (0..3u32, pages.clone())
            .prop_map(|(id, pages)| EventKind::Built { initial: ThreadId(id), pages }),
        (0..2u32, proptest::option::of((0..3u32).prop_map(ThreadId)), pages).prop_map(
            |(index, created, pages)| EventKind::ThreadCreated {
                index,
                created,
                suspended: true,
                pages
            }
        ),
        (0..2u32).prop_map(|index| EventKind::ThreadSuspended { index }),
        (0..2u32).prop_map(|index| EventKind::ThreadResumed { index }),
        Just(EventKind::Completed { call: Hypercall::Sleep, status: Status::Ok }),
        Just(EventKind::Ended {
            end: End::Exit(Exited { value: 0 }),
            registers: Registers::default(),
            at: None,
            undefined_flags: 0,
        }),
        (page.clone(), frame.clone(), slot)
            .prop_map(move |(page, frame, slot)| EventKind::Mapped { page, frame, rights, slot }),
        (page, frame).prop_map(|(page, frame)| EventKind::Unmapped { page, frame }),
        added.prop_map(move |(space, slot, object, from)| {
            EventKind::CapabilityAdded { space, slot, object, rights, badge: 0, from }
        }),
        removed.prop_map(|(Slot { space, number: slot }, object, moved_to, heir)| {
            EventKind::CapabilityRemoved { space, slot, object, moved_to, heir }
        }),
        (0..4u64, 0..4u64).prop_map(|(slot, from)| EventKind::CapabilityDerived { slot, from }),
    ]
}

proptest! {
    #[test]
    fn a_log_that_makes_no_sense_gives_a_snapshot_all_the_same(
        events in proptest::collection::vec((0..2u32, 0..3u32, kinds()), 0..200),
    ) {
        let mut fold = Fold::new();
        for (domain, thread, kind) in events {
            let (domain, thread) = (DomainId(domain), Some(ThreadId(thread)));
            fold.apply(&Event { domain, thread, kind });
            let snapshot = fold.snapshot();
            for space in &snapshot.spaces {
                prop_assert!(space.capabilities.is_sorted_by_key(|held| held.slot));
            }
            prop_assert!(snapshot.spaces.is_sorted_by_key(|space| space.space));
        }
    }
}

#[test]
fn forgetting_a_long_line_takes_no_stack() {
    let host = |number| Slot { space: SpaceId::Host, number };
    let mut fold = Fold::new();
    let rights = Rights::READ;
    for number in 1..100_000 {
        let (space, from) = (Some(SpaceId::Host), Some(host(number - 1)));
        let added = EventKind::CapabilityAdded {
            space,
            slot: number,
            object: ENDPOINT,
            rights,
            badge: 0,
            from,
        };
        fold.apply(&event(added));
    }
    let gone = EventKind::CapabilityRemoved {
        space: SpaceId::Host,
        slot: 99_999,
        object: ENDPOINT,
        moved_to: None,
        heir: None,
    };
    fold.apply(&event(gone));
    assert_eq!(fold.snapshot(), Snapshot::default());
}
