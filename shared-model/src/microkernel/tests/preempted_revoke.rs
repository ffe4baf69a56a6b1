//! A large revoke takes many steps, and others have their turns between: whatever they do, what was
//! derived is gone in the end, and nothing else.

use super::scenes::{ALL, TO_PEER, TO_THIRD, family, thread};
use super::{Bench, DATA, G, MAIN, PEER, R};
use crate::abi::{Hypercall, Status};
use crate::capability::{Slot, SpaceId};
use crate::domain::{DomainId, ThreadId};
use crate::event::EventKind;
use crate::exit::{End, KillReason};

use Hypercall::{
    CapCopy, CapDelete, CapGrant, CapMove, CapRevoke, CapRevokeUntil, PageAllocate, PageMap,
    ThreadKill, Yield,
};

/// What is revoked.
const ROOT: u64 = 12;
/// Slots in a row for what is derived, in every domain.
const MANY: u64 = 2 << 20;
/// Capabilities removed in one step.
const STEP: usize = 16;

/// A page with a large tree: a chain in `main`, and a fan in `peer`, some of which is mapped.
fn tree(fan: u64) -> Bench {
    let mut bench = family();
    bench.kernel.batch = STEP;
    bench.unchecked = true;
    bench.done(MAIN, PageAllocate, &[ROOT, ALL]);
    bench.done(MAIN, CapCopy, &[ROOT, MANY, ALL]);
    for i in 1..40 {
        bench.done(MAIN, CapCopy, &[MANY + i - 1, MANY + i, ALL]);
    }
    for i in 0..fan {
        bench.done(MAIN, CapGrant, &[TO_PEER, MANY + i % 40, MANY + i, R | G]);
    }
    for i in 0..5 {
        bench.done(PEER, PageMap, &[MANY + i * 7, DATA + 0x1000 * i, R]);
    }
    bench.unchecked = false;
    bench.audit();
    bench
}

/// Begins to revoke, which is not done in one step.
#[track_caller]
fn begin(bench: &mut Bench, thread: ThreadId, call: Hypercall, words: &[u64]) {
    let words = Bench::all_words(words);
    assert_eq!(bench.raw(thread, call as u32, &words), Status::Waiting);
    assert!(bench.kernel.workers.contains(&thread));
}

/// How many capabilities to the root's object there are.
fn left(bench: &Bench) -> u64 {
    let object = bench.capability(MAIN, ROOT).expect("the root").object;
    u64::from(bench.kernel.capabilities.references(object))
}

/// One step of the revoking thread.
#[track_caller]
fn step(bench: &mut Bench, thread: ThreadId) {
    let at = bench.kernel.ready.iter().position(|&ready| ready == thread);
    bench.kernel.ready.rotate_left(at.expect("it is ready"));
    bench.kernel.step(1000);
    bench.audit();
}

#[test]
fn others_have_their_turn_after_each_step_of_limited_length() {
    let mut bench = tree(200);
    let mut before = left(&bench);
    begin(&mut bench, MAIN, CapRevoke, &[ROOT]);
    let mut turns = 0;
    while bench.kernel.workers.contains(&MAIN) {
        let now = left(&bench);
        assert!(before - now <= STEP as u64);
        before = now;
        bench.done(PEER, Yield, &[]);
        step(&mut bench, MAIN);
        // Its step over, it is behind the others.
        assert_ne!(bench.kernel.current().map(|(thread, _)| thread), Some(MAIN));
        turns += 1;
    }
    assert!(turns + 1 >= 240 / STEP, "{turns}");
    assert_eq!(left(&bench), 1);
    assert!(bench.kernel.arch.mappings()[&crate::domain::DomainId(1)].keys().all(|at| at.0 < DATA));
    let ended = |event: &&crate::event::Event| {
        matches!(event.kind, EventKind::Completed { call: CapRevoke, status: Status::Ok })
    };
    assert_eq!(bench.kernel.events().iter().filter(ended).count(), 1);
    bench.tear_down();
}

#[test]
fn what_others_derive_meanwhile_goes_too() {
    let mut bench = tree(150);
    begin(&mut bench, MAIN, CapRevoke, &[ROOT]);
    let mut made = 0;
    while bench.kernel.workers.contains(&MAIN) {
        // From the first that is left, to slots that were not in use, and into a third domain.
        let found = (0..150).find(|i| bench.capability(PEER, MANY + i).is_some());
        if let Some(i) = found {
            bench.done(PEER, CapCopy, &[MANY + i, MANY + 5000 + made, R]);
            bench.done(PEER, CapMove, &[MANY + i, MANY + 7000 + made, ALL]);
            made += 1;
        }
        if made == 3 {
            bench.done(PEER, CapDelete, &[MANY + 7002]);
        }
        step(&mut bench, MAIN);
    }
    assert!(made > 5);
    assert_eq!(left(&bench), 1);
    assert_eq!(bench.word(MAIN, crate::abi::utcb::STATUS), 0);
    bench.tear_down();
}

#[test]
fn a_second_revoke_of_the_same_tree_ends_as_well() {
    for inner in [false, true] {
        let mut bench = tree(150);
        let other = thread(&mut bench, 0);
        begin(&mut bench, MAIN, CapRevoke, &[ROOT]);
        // Of the same capability, or of one that the first takes away.
        let slot = if inner { MANY } else { ROOT };
        begin(&mut bench, other, CapRevoke, &[slot]);
        while !bench.kernel.workers.is_empty() {
            for thread in [MAIN, other] {
                if bench.kernel.workers.contains(&thread) {
                    step(&mut bench, thread);
                }
            }
        }
        assert_eq!(left(&bench), 1);
        for thread in [MAIN, other] {
            assert_eq!(bench.word(thread, crate::abi::utcb::STATUS), 0);
        }
        bench.tear_down();
    }
}

#[test]
fn a_revoke_whose_capability_goes_is_over_and_leaves_what_comes_into_the_slot() {
    for moved in [false, true] {
        let mut bench = tree(150);
        let other = thread(&mut bench, 0);
        begin(&mut bench, MAIN, CapRevoke, &[ROOT]);
        if moved {
            bench.done(other, CapMove, &[ROOT, 13, ALL]);
        } else {
            bench.done(other, CapDelete, &[ROOT]);
        }
        bench.done(other, PageAllocate, &[ROOT, ALL]);
        bench.done(other, CapCopy, &[ROOT, 14, ALL]);
        assert_eq!(bench.finish_work(MAIN), Status::Ok);
        assert_eq!(left(&bench), 2, "what is in the slot now was not meant");
        bench.tear_down();
    }
}

#[test]
fn a_thread_that_is_killed_in_the_middle_leaves_the_rest_to_revoke_again() {
    let mut bench = tree(150);
    let other = thread(&mut bench, 0);
    let all = left(&bench);
    begin(&mut bench, other, CapRevoke, &[ROOT]);
    step(&mut bench, other);
    bench.done(MAIN, ThreadKill, &[0, 1]);
    assert_eq!(bench.end_of(other), Some(End::Killed(KillReason::Terminated)));
    let rest = left(&bench);
    assert!(1 < rest && rest < all);
    bench.done(PEER, Yield, &[]);
    assert_eq!(left(&bench), rest);
    bench.done(MAIN, CapRevoke, &[ROOT]);
    assert_eq!(left(&bench), 1);
    bench.tear_down();
}

#[test]
fn in_steps_too_what_is_to_be_kept_stays() {
    let mut bench = tree(100);
    bench.done(MAIN, CapGrant, &[TO_THIRD, MANY + 3, ROOT, R | G]);
    bench.done(MAIN, CapGrant, &[TO_THIRD, ROOT, 13, R | G]);
    begin(&mut bench, MAIN, CapRevokeUntil, &[ROOT, TO_THIRD]);
    while bench.kernel.workers.contains(&MAIN) {
        bench.done(super::scenes::THIRD, Yield, &[]);
        step(&mut bench, MAIN);
    }
    assert_eq!(left(&bench), 3);
    bench.done(MAIN, CapRevoke, &[ROOT]);
    assert_eq!(left(&bench), 1);
    bench.tear_down();
}

#[test]
fn what_a_revoke_leaves_alone_is_the_revoked_capabilitys_at_once() {
    let mut bench = tree(100);
    begin(&mut bench, MAIN, CapRevokeUntil, &[ROOT, TO_PEER]);
    // Between the steps the log says so too: that is audited after each.
    bench.audit();
    let space = SpaceId::Domain(DomainId(0));
    let root = Slot { space, number: ROOT };
    let children = bench.kernel.capabilities.children(root).expect("the root").count();
    assert!(children > 1, "some of the kept ones, and the rest of the chain");
    assert!(bench.capability(MAIN, MANY).is_some(), "what they were derived from is still there");
    assert_eq!(bench.finish_work(MAIN), Status::Ok);
    assert_eq!(left(&bench), 101, "the root, and all that is the other's");
    bench.tear_down();
}
