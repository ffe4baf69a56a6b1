//! Random sequences of all operations, on the real thing and on the reference: every result,
//! errors included, and the whole state after each step.
//!
//! `LCD_MODEL_CASES=10000 cargo test -p shared-model compared` tries longer.

use std::panic::{AssertUnwindSafe, catch_unwind};

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::test_runner::{Config, TestRunner};

use super::reference::Reference;
use super::sabotage::{ALL, Broken, Tested};
use crate::address::{Frame, GuestPhysical};
use crate::capability::{Capabilities, Capability, EndpointId, Object, Place, Slot, SpaceId, cptr};
use crate::domain::{DomainId, ThreadId};
use crate::rights::Rights;

/// Spaces that are opened at once, and one that is opened by a step if at all.
const SPACES: [SpaceId; 6] = [
    SpaceId::Domain(DomainId(0)),
    SpaceId::Domain(DomainId(1)),
    SpaceId::Thread(ThreadId(0)),
    SpaceId::Boot(DomainId(1)),
    SpaceId::Host,
    SpaceId::Domain(DomainId(7)),
];

const OBJECTS: [Object; 4] = [
    Object::Page(Frame(0)),
    Object::Lent(Frame(0)),
    Object::Endpoint(EndpointId(0)),
    Object::Domain(DomainId(0)),
];

#[derive(Clone, Debug)]
enum Step {
    Open(SpaceId),
    Close(SpaceId, usize),
    Insert(Slot, Object, Rights),
    Copy {
        between: (Slot, Slot),
        mask: Rights,
        badge: Option<u64>,
        grant: bool,
    },
    Move(Slot, Slot, Rights),
    Delete(Slot),
    Revoke(Slot, usize),
    /// To the end, in pieces.
    RevokeAll(Slot, usize),
    RevokeUntil(Slot, usize, u64),
    Derive(Slot, Slot),
    Map(Slot, Place),
    Unmap(Slot),
}

fn space() -> impl Strategy<Value = SpaceId> {
    prop_oneof![8 => Just(0_usize), 4 => Just(1), 2 => 2..5_usize, 1 => Just(5)]
        .prop_map(|index| SPACES[index])
}

fn slot() -> impl Strategy<Value = Slot> {
    // Some on each level, and all the ways in which a number can be wrong.
    let far = vec![1 << 20, 1 << 20 | 33, 2 << 20 | 33 << 5, 2 << 20 | 32 << 10, cptr::NUMBERS - 1];
    let wrong = vec![0, 1, 2, 32, 1 << 20 | 1 << 10, 2 << 20 | 1 << 15, cptr::NUMBERS, u64::MAX];
    let number = prop_oneof![
        60 => 3..10_u64,
        10 => proptest::sample::select(far),
        3 => proptest::sample::select(wrong),
    ];
    (space(), number).prop_map(|(space, number)| Slot { space, number })
}

fn rights() -> impl Strategy<Value = Rights> {
    let some = (0..32_u64).prop_map(|bits| Rights::from_bits(bits).expect("five bits"));
    prop_oneof![3 => Just(Rights::ALL), 1 => some]
}

fn place() -> impl Strategy<Value = Place> {
    let domain = (0..1_u32 << 31).prop_map(DomainId);
    (domain, 0..1_u64 << 36, any::<bool>()).prop_map(|(domain, page, device)| match device {
        true => Place::Device { domain, page: (page % (1 << 19)) << 12 },
        false => Place::Memory { domain, page: GuestPhysical(page << 12) },
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let object = || proptest::sample::select(&OBJECTS[..]);
    let badge = || prop_oneof![4 => Just(None), 1 => (0..3_u64).prop_map(Some)];
    let limit = || prop_oneof![3 => 0..4_usize, 1 => Just(usize::MAX)];
    let copy = ((slot(), slot()), rights(), badge(), any::<bool>());
    let step = prop_oneof![
        1 => space().prop_map(Step::Open),
        1 => (space(), limit()).prop_map(|(space, limit)| Step::Close(space, limit)),
        8 => (slot(), object(), rights()).prop_map(|(at, what, r)| Step::Insert(at, what, r)),
        24 => copy.prop_map(|(between, mask, badge, grant)| {
            Step::Copy { between, mask, badge, grant }
        }),
        6 => (slot(), slot(), rights()).prop_map(|(from, to, mask)| Step::Move(from, to, mask)),
        6 => slot().prop_map(Step::Delete),
        5 => (slot(), limit()).prop_map(|(at, limit)| Step::Revoke(at, limit)),
        1 => (slot(), 1..3_usize).prop_map(|(at, limit)| Step::RevokeAll(at, limit)),
        3 => (slot(), limit(), 0..4_u64).prop_map(|(at, n, keep)| Step::RevokeUntil(at, n, keep)),
        6 => (slot(), slot()).prop_map(|(root, under)| Step::Derive(root, under)),
        5 => (slot(), place()).prop_map(|(at, place)| Step::Map(at, place)),
        2 => slot().prop_map(Step::Unmap),
    ];
    proptest::collection::vec(step, 1..120)
}

struct Both {
    real: Tested,
    reference: Reference,
}

impl Both {
    fn new(broken: Broken) -> Self {
        let mut both = Self {
            real: Tested { caps: Capabilities::new(), broken },
            reference: Reference::default(),
        };
        SPACES[..5].iter().for_each(|&space| both.step(Step::Open(space)));
        both
    }

    fn step(&mut self, step: Step) {
        let Self { real, reference } = self;
        match step {
            Step::Open(space) => {
                real.caps.open(space);
                reference.open(space);
            }
            Step::Close(space, limit) => reference.close(space, limit, real.close(space, limit)),
            Step::Insert(at, object, rights) => {
                let wanted = reference.insert(at, object, rights);
                assert_eq!(real.insert(at, object, rights), wanted);
            }
            Step::Copy { between, mask, badge, grant } => {
                let needed = if grant { Rights::GRANT } else { Rights::NONE };
                let wanted = reference.copy(between, mask, badge, needed);
                assert_eq!(real.copy(between, mask, badge, grant), wanted);
            }
            Step::Move(from, to, mask) => {
                let wanted = reference.move_to(from, to, mask);
                assert_eq!(real.move_to(from, to, mask), wanted);
            }
            Step::Delete(at) => assert_eq!(real.delete(at), reference.delete(at)),
            Step::Revoke(at, limit) => {
                reference.revoke(at, limit, |_, _| false, real.revoke(at, limit));
            }
            Step::RevokeAll(at, limit) => self.revoke_all(at, limit),
            Step::RevokeUntil(at, limit, keep) => {
                let keep = |slot: Slot, held: &Capability| {
                    slot.number % 4 == keep && held.rights.contains(Rights::READ)
                };
                reference.revoke(at, limit, keep, real.revoke_until(at, limit, keep));
            }
            Step::Derive(root, under) => {
                assert_eq!(real.derive(root, under), reference.derive(root, under));
            }
            Step::Map(at, place) => {
                assert_eq!(real.set_mapped(at, place), reference.set_mapped(at, place));
            }
            Step::Unmap(at) => assert_eq!(real.caps.clear_mapped(at), reference.clear_mapped(at)),
        }
        self.compare();
    }

    fn revoke_all(&mut self, at: Slot, limit: usize) {
        loop {
            let real = self.real.revoke(at, limit);
            let again = matches!(real, Ok((_, false)));
            self.reference.revoke(at, limit, |_, _| false, real);
            self.real.caps.check();
            if !again {
                break;
            }
        }
    }

    fn compare(&self) {
        let Self { real: Tested { caps, .. }, reference } = self;
        caps.check();
        let wanted = reference.all();
        let held: BTreeMap<_, _> = caps
            .iter()
            .map(|(slot, held)| (slot, (held, caps.parent(slot).expect("it was just seen"))))
            .collect();
        assert_eq!(held, wanted);
        assert_eq!((caps.len(), caps.is_empty()), (wanted.len(), wanted.is_empty()));
        for &slot in wanted.keys() {
            let children: BTreeSet<_> = caps.children(slot).expect("it was just seen").collect();
            let of = |at: &&Slot| wanted[at].1 == Some(slot);
            assert_eq!(children, wanted.keys().filter(of).copied().collect());
        }
        for space in SPACES {
            let slots: Vec<_> = caps.in_space(space).map(|(slot, _)| slot).collect();
            assert!(wanted.keys().filter(|slot| slot.space == space).eq(&slots), "{space:?}");
            assert_eq!(caps.count(space) as usize, slots.len());
            assert_eq!(caps.first_free(space), reference.first_free(space));
            for number in [0, 1, 3, 32, 1 << 20] {
                let slot = Slot { space, number };
                assert_eq!(caps.vacant(slot), reference.vacant(slot));
                assert_eq!(caps.lookup(slot), reference.lookup(slot));
            }
        }
        for object in OBJECTS {
            let named = |at: &&Slot| wanted[at].0.object == object;
            let holders: Vec<_> = wanted.keys().filter(named).copied().collect();
            assert_eq!(caps.holders(object), holders);
            assert_eq!(caps.references(object), reference.references(object));
        }
    }
}

fn config(cases: u32) -> Config {
    let asked = std::env::var("LCD_MODEL_CASES").ok().and_then(|text| text.parse().ok());
    Config { cases: asked.unwrap_or(cases), failure_persistence: None, ..Config::default() }
}

#[test]
fn every_operation_does_what_the_reference_does() {
    TestRunner::new(config(200))
        .run(&steps(), |steps| {
            let mut both = Both::new(Broken::Nothing);
            steps.into_iter().for_each(|step| both.step(step));
            Ok(())
        })
        .unwrap();
}

#[test]
fn each_rule_that_is_broken_on_purpose_is_noticed() {
    for broken in ALL {
        let mut runner = TestRunner::deterministic();
        let strategy = steps();
        let noticed = (0..400).any(|_| {
            let tree = strategy.new_tree(&mut runner).expect("a sequence");
            let steps = proptest::strategy::ValueTree::current(&tree);
            let mut both = Both::new(broken);
            let run = || steps.into_iter().for_each(|step| both.step(step));
            catch_unwind(AssertUnwindSafe(run)).is_err()
        });
        assert!(noticed, "{broken:?} went unnoticed");
    }
}
