//! Quotas: limits hold for all that a domain creates, and every account is right at any time.

use proptest::prelude::{ProptestConfig, any, proptest};

use super::{Bench, G, MAIN, PEER, R, TWO, W, X, utcb};
use crate::abi::{Hypercall, Resource, Status};
use crate::domain::{DOMAINS_MAX, DomainId, ThreadId, ThreadState};
use crate::exit::Exit;

use Hypercall::{
    CapCopy, CapDelete, CapGrant, CapRevoke, ChannelCreate, DomainCreate, EndpointCreate,
    NotificationCreate, PageAllocateMany, QuotaGet, QuotaSet,
};

const ALL: u64 = R | W | X | G;
const PAGES: u64 = Resource::Pages as u64;
const OBJECTS: u64 = Resource::Objects as u64;

fn roomy() -> Bench {
    Bench::new(&TWO.replace("pages = 200", "pages = 4000"))
}

/// Limit and use of a resource, as the caller is told.
fn quota(bench: &mut Bench, slot: u64, resource: u64) -> (u64, u64) {
    bench.done(MAIN, QuotaGet, &[slot, resource]);
    (bench.word(MAIN, utcb::MESSAGE + 8), bench.word(MAIN, utcb::MESSAGE + 16))
}

#[test]
fn each_resource_is_limited_and_returned() {
    let mut bench = roomy();
    bench.done(MAIN, DomainCreate, &[10]);
    let cases: [(Resource, Hypercall, &[u64]); 5] = [
        (Resource::Pages, PageAllocateMany, &[5, ALL, 1]),
        (Resource::Capabilities, CapCopy, &[20, 5, ALL, 0]),
        (Resource::Domains, DomainCreate, &[5]),
        (Resource::Objects, EndpointCreate, &[5]),
        (Resource::Objects, NotificationCreate, &[5]),
    ];
    for (resource, call, words) in cases {
        let number = resource as u64;
        bench.done(PEER, EndpointCreate, &[20]);
        let (_, used) = quota(&mut bench, 26, number);
        for limit in [used, used.saturating_sub(1), 0] {
            bench.done(MAIN, QuotaSet, &[26, number, limit]);
            assert_eq!(quota(&mut bench, 26, number), (limit, used));
            bench.refused(PEER, call, words, Status::NoMemory);
        }
        bench.done(MAIN, QuotaSet, &[26, number, used + 1]);
        bench.done(PEER, call, words);
        assert_eq!(quota(&mut bench, 26, number), (used + 1, used + 1));
        let more = [words[0] + 1].into_iter().chain(words[1..].iter().copied());
        let more: alloc::vec::Vec<_> = match call {
            CapCopy => [20, 6, ALL, 0].into(),
            _ => more.collect(),
        };
        bench.refused(PEER, call, &more, Status::NoMemory);
        bench.done(PEER, CapDelete, &[5]);
        assert_eq!(quota(&mut bench, 26, number).1, used);
        bench.done(MAIN, QuotaSet, &[26, number, u64::MAX]);
        bench.done(PEER, CapDelete, &[20]);
    }
    // A thread is what a domain is configured with.
    let threads = Resource::Threads as u64;
    bench.done(MAIN, QuotaSet, &[10, threads, 0]);
    assert_eq!(bench.configure(MAIN, 10, "m"), Status::NoMemory);
    bench.done(MAIN, QuotaSet, &[10, threads, 1]);
    assert_eq!(bench.configure(MAIN, 10, "m"), Status::Ok);
    assert_eq!(quota(&mut bench, 10, threads), (1, 1));
    bench.tear_down();
}

#[test]
fn nobody_gets_more_by_creating_others() {
    let mut bench = roomy();
    // Main's child can have ten objects, with all that it creates.
    let child = bench.child(MAIN, 10);
    bench.done(MAIN, QuotaSet, &[10, OBJECTS, 10]);
    let grandchild = bench.child(child, 10);
    for object in 0..4 {
        bench.done(child, EndpointCreate, &[16 + object]);
    }
    for object in 0..6 {
        bench.done(grandchild, EndpointCreate, &[16 + object]);
    }
    bench.refused(child, EndpointCreate, &[29], Status::NoMemory);
    bench.refused(grandchild, ChannelCreate, &[29, 0], Status::NoMemory);
    assert_eq!(quota(&mut bench, 10, OBJECTS), (10, 10));
    bench.done(grandchild, CapDelete, &[16]);
    bench.done(child, EndpointCreate, &[29]);
    bench.refused(grandchild, EndpointCreate, &[16], Status::NoMemory);
    // Its own children's limits count as well, and their sum may be more than its own.
    bench.done(child, QuotaSet, &[10, OBJECTS, 1000]);
    bench.refused(grandchild, EndpointCreate, &[16], Status::NoMemory);
    bench.tear_down();
    assert_eq!(bench.kernel.account_count(), 0);
}

#[test]
fn nobody_sets_the_limits_that_hold_for_itself() {
    let mut bench = roomy();
    let child = bench.child(MAIN, 10);
    // The child has its own capability, and its creator's.
    bench.done(MAIN, CapGrant, &[10, 10, 10, ALL, 0]);
    bench.kernel.give_domain(DomainId(2), 11, DomainId(0), crate::rights::Rights::ALL).unwrap();
    for slot in [0, 10, 11] {
        bench.refused(child, QuotaSet, &[slot, PAGES, u64::MAX], Status::Invalid);
    }
    bench.refused(MAIN, QuotaSet, &[0, PAGES, 1], Status::Invalid);
    bench.refused(MAIN, QuotaSet, &[10, 5, 1], Status::Invalid);
    bench.refused(MAIN, QuotaGet, &[10, 5], Status::Invalid);
    bench.refused(MAIN, QuotaSet, &[25, PAGES, 1], Status::Invalid);
    bench.refused(MAIN, QuotaSet, &[99, PAGES, 1], Status::Invalid);
    bench.refused(MAIN, QuotaGet, &[30, PAGES], Status::NotFound);
    bench.done(MAIN, CapCopy, &[10, 12, R]);
    bench.refused(MAIN, QuotaSet, &[12, PAGES, 1], Status::NotPermitted);
    assert!(quota(&mut bench, 12, PAGES).1 > 0);
    bench.done(MAIN, CapCopy, &[10, 13, W]);
    bench.refused(MAIN, QuotaGet, &[13, PAGES], Status::NotPermitted);
    // What a domain is told of itself includes what it created.
    let (limit, used) = quota(&mut bench, 0, PAGES);
    assert_eq!(limit, 4000);
    assert_eq!(used, 4000 - bench.kernel.pages_left(DomainId(0)));
    assert!(used > quota(&mut bench, 12, PAGES).1);
    bench.tear_down();
}

#[test]
fn heirs_stay_within_what_the_dead_were_allowed() {
    let mut bench = roomy();
    let child = bench.child(MAIN, 10);
    bench.done(MAIN, QuotaSet, &[10, OBJECTS, 3]);
    let grandchild = bench.child(child, 11);
    // Main holds the grandchild and a page of the child's, then the child goes.
    bench.done(child, PageAllocateMany, &[12, ALL, 5]);
    bench.done(MAIN, CapGrant, &[10, 26, 20, ALL, 0]);
    for (slot, to) in [(11, 14), (12, 15)] {
        bench.kernel.give_domain(DomainId(2), 13, DomainId(0), crate::rights::Rights::ALL).unwrap();
        bench.done(child, CapGrant, &[13, slot, to, ALL, 0]);
        bench.done(child, CapDelete, &[13]);
    }
    bench.done(MAIN, CapDelete, &[10]);
    assert_eq!(bench.kernel.thread(child).state, ThreadState::Dead);
    let accounts = bench.kernel.account_count();
    assert_eq!(accounts, bench.kernel.domains.len() + 1, "one is closed and still in use");
    for object in 0..3 {
        bench.done(grandchild, EndpointCreate, &[16 + object]);
    }
    bench.refused(grandchild, EndpointCreate, &[19], Status::NoMemory);
    let (_, before) = quota(&mut bench, 0, PAGES);
    bench.done(MAIN, CapDelete, &[15]);
    assert_eq!(quota(&mut bench, 0, PAGES).1, before - 5, "refunded through the dead");
    bench.done(MAIN, CapDelete, &[14]);
    assert_eq!(bench.kernel.account_count(), bench.kernel.domains.len());
    bench.tear_down();
    assert_eq!(bench.kernel.account_count(), 0);
}

#[test]
fn a_line_of_successors_has_an_end() {
    let mut bench = roomy();
    bench.unchecked = true;
    let host = crate::rights::Rights::ALL;
    // Each domain creates the next one, which holds itself; then it goes.
    let mut creator = DomainId(0);
    let mut made = 0;
    while let Ok(next) = bench.kernel.new_domain("", Some(creator)) {
        let slot = super::Slot { space: super::SpaceId::Domain(next), number: 5 };
        bench.kernel.add_root(slot, crate::capability::Object::Domain(next), host).unwrap();
        creator = next;
        made += 1;
        assert!(made < 2 * DOMAINS_MAX);
    }
    assert_eq!(made, DOMAINS_MAX - 2, "with the two of the world there are as many as can be");
    // Those before the last go, and the line is as long as before.
    for number in 2..creator.0 {
        bench.kernel.destroy_domain(DomainId(number)).unwrap();
    }
    bench.unchecked = false;
    bench.audit();
    let mut made = 0;
    while let Ok(next) = bench.kernel.new_domain("", Some(creator)) {
        let slot = super::Slot { space: super::SpaceId::Domain(next), number: 5 };
        bench.kernel.add_root(slot, crate::capability::Object::Domain(next), host).unwrap();
        (creator, made) = (next, made + 1);
    }
    assert!(made < 3);
    bench.tear_down();
    assert_eq!(bench.kernel.account_count(), 0);
}

/// Something that a thread does, with two choices.
fn act(bench: &mut Bench, thread: ThreadId, what: u8, a: u64, b: u64) {
    let (domain, thing) = (10 + a % 5, 16 + b % 5);
    let (call, words) = match what % 13 {
        0 | 1 => (DomainCreate, [domain, 0, 0, 0]),
        2 | 3 => {
            bench.configure(thread, domain, "m");
            (Hypercall::DomainRun, [domain, 0, 0, 0])
        }
        4 => (PageAllocateMany, [thing, ALL, 1 + a % 4, 0]),
        5 => (EndpointCreate, [thing, 0, 0, 0]),
        6 => (ChannelCreate, [thing, a % 2, 0, 0]),
        7 => (CapGrant, [domain, thing, 16 + a % 5, ALL]),
        8 | 9 => (CapGrant, [domain, 10 + b % 5, 10 + (a ^ b) % 5, ALL]),
        10 if a & 1 == 0 => (CapDelete, [domain, 0, 0, 0]),
        10 => (CapDelete, [thing, 0, 0, 0]),
        11 => (QuotaSet, [domain, a % 5, b, 0]),
        _ if a & 3 == 0 => (CapRevoke, [domain, 0, 0, 0]),
        _ => {
            bench.exit(thread, Exit::Shutdown);
            return;
        }
    };
    bench.call(thread, call, &words);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// The audit recounts everything after each step.
    #[test]
    fn every_count_is_right_at_any_time_and_zero_in_the_end(
        steps in proptest::collection::vec((any::<u8>(), any::<u8>(), 0..64_u64, 0..64_u64), 1..90)
    ) {
        let mut bench = roomy();
        bench.kernel.give_domain(DomainId(1), 14, DomainId(0), crate::rights::Rights::ALL).unwrap();
        for (actor, what, a, b) in steps {
            let ready: alloc::vec::Vec<_> = bench.kernel.ready.iter().copied().collect();
            if ready.is_empty() {
                break;
            }
            act(&mut bench, ready[usize::from(actor) % ready.len()], what, a, b);
        }
        bench.tear_down();
        assert_eq!(bench.kernel.account_count(), 0);
    }
}
