//! What goes when a domain goes: chains, circles, the caller itself, and pages in common.

use super::{Bench, DATA, MAIN, PEER, R, TWO, W};
use crate::abi::{Hypercall, Status};
use crate::capability::Object;
use crate::domain::{DomainId, ThreadId};
use crate::exit::{End, KillReason};

use Hypercall::{CapDelete, CapGrant, CapRevoke, DomainCreate, PageAllocate, PageMap};

const DESTROYED: Option<End> = Some(End::Killed(KillReason::Destroyed));

/// A world in which `main` holds the only capability to itself that it can name, in slot 3, and
/// more: one to `peer`, and a page.
fn with_self() -> Bench {
    let world =
        TWO.replace("caps = [", "caps = [{ slot = 3, object = \"main\", rights = \"rwg\" }, ");
    let mut bench = Bench::new(&world);
    // The host gives its own capabilities up: what is left is what the domains hold.
    for number in [1, 2] {
        let space = crate::capability::SpaceId::Host;
        let removed = bench.kernel.capabilities.delete(crate::capability::Slot { space, number });
        bench.kernel.settle(removed.unwrap());
        while !bench.kernel.reap_orphans() {}
    }
    bench.audit();
    bench
}

#[test]
fn a_domain_can_destroy_itself_in_the_middle_of_a_hypercall() {
    let mut bench = with_self();
    let at = bench.kernel.events().len();
    bench.done(MAIN, CapDelete, &[3]);
    assert_eq!(bench.words(at)[..3], ["hypercall", "capability_removed", "ended"]);
    assert_eq!((bench.end_of(MAIN), bench.end_of(PEER)), (DESTROYED, DESTROYED));
    assert_eq!(bench.kernel.domains.len(), 0, "the peer was held by main alone");
    bench.tear_down();
}

#[test]
fn a_child_can_destroy_its_parent_that_called_it() {
    let mut bench = with_self();
    bench.done(MAIN, CapGrant, &[26, 3, 9, R | W]);
    // Main's own capability is not the last one any more.
    bench.done(MAIN, CapDelete, &[3]);
    assert!(bench.kernel.domains.contains_key(&DomainId(0)));
    // Main goes, and with it the only capability to the caller itself.
    bench.done(PEER, CapDelete, &[9]);
    assert_eq!(bench.kernel.domains.len(), 0);
    bench.tear_down();
}

#[test]
fn a_page_that_goes_with_an_inner_domain_is_unmapped_in_the_outer_one_first() {
    let mut bench = with_self();
    // Main's slot 2 (the peer) comes before slot 40 (the page), so that at main's end the peer
    // goes first, and the peer's capability to the page is the last but one or the last.
    bench.done(MAIN, PageAllocate, &[30, 15]);
    bench.done(MAIN, PageMap, &[30, DATA + 0x1000, R | W]);
    bench.done(MAIN, CapGrant, &[26, 30, 5, 15]);
    bench.done(PEER, PageMap, &[5, DATA, R]);
    bench.done(MAIN, CapDelete, &[3]);
    assert_eq!(bench.kernel.frames.in_use(), 0);
    bench.tear_down();
}

#[test]
fn two_domains_that_hold_each_other_stay_until_somebody_destroys_one() {
    let mut bench = with_self();
    bench.done(MAIN, CapGrant, &[26, 3, 9, R | W]);
    bench.done(MAIN, CapDelete, &[3]);
    bench.done(MAIN, Hypercall::Exit, &[0]);
    bench.done(PEER, Hypercall::Exit, &[0]);
    assert_eq!(bench.kernel.domains.len(), 2);
    bench.kernel.destroy_domain(DomainId(0)).unwrap();
    bench.audit();
    assert_eq!(bench.kernel.domains.len(), 0);
    bench.tear_down();
}

#[test]
fn a_chain_of_200_domains_goes_at_once() {
    let world = TWO.replace("pages = 200", "pages = 20000");
    let mut bench = Bench::new(&world);
    let mut thread = MAIN;
    bench.unchecked = true;
    for _ in 0..200 {
        thread = bench.child(thread, 28);
    }
    bench.unchecked = false;
    bench.audit();
    let frames = bench.kernel.frames.in_use();
    let at = bench.kernel.events().len();
    bench.done(MAIN, CapDelete, &[28]);
    assert_eq!(bench.kernel.domains.len(), 2);
    assert!(bench.kernel.frames.in_use() < frames / 10);
    let words = bench.words(at);
    assert_eq!(words.iter().filter(|word| **word == "domain_destroyed").count(), 200);
    assert!((2..=201).all(|id| bench.end_of(ThreadId(id)) == DESTROYED));
    bench.tear_down();
}

#[test]
fn revoking_a_domain_takes_the_copies_and_leaves_the_domain() {
    let mut bench = Bench::new(TWO);
    bench.done(MAIN, DomainCreate, &[7]);
    bench.done(MAIN, CapGrant, &[26, 7, 7, 15]);
    bench.done(PEER, CapGrant, &[7, 7, 7, 15]);
    bench.done(MAIN, CapRevoke, &[7]);
    assert_eq!(bench.capability(PEER, 7), None);
    assert_eq!(
        bench.capability(MAIN, 7).map(|found| found.object),
        Some(Object::Domain(DomainId(2)))
    );
    bench.refused(PEER, CapGrant, &[7, 7, 7, 15], Status::NotFound);
    bench.tear_down();
}

#[test]
fn a_page_outlives_the_domain_that_allocated_it_while_another_holds_it() {
    let mut bench = Bench::new(TWO);
    bench.done(MAIN, CapGrant, &[26, 25, 5, R | W]);
    bench.done(PEER, PageMap, &[5, DATA, R | W]);
    bench.kernel.destroy_domain(DomainId(0)).unwrap();
    bench.audit();
    assert!(bench.capability(PEER, 5).unwrap().mapped.is_some());
    let frames = bench.kernel.frames.in_use();
    bench.done(PEER, CapDelete, &[5]);
    assert_eq!(bench.kernel.frames.in_use(), frames - 1);
    bench.tear_down();
}
