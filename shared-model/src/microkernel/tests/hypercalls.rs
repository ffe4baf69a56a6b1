//! Every hypercall: what it does, and each way in which it is refused.

use super::{Bench, CODE, DATA, G, MAIN, MANY, PEER, R, TWO, W, X};
use crate::abi::{Hypercall, Status, utcb};
use crate::capability::{Object, cptr};
use crate::domain::{DomainId, ThreadState};
use crate::event::EventKind;
use crate::exit::{End, Exited};
use crate::rights::Rights;
use alloc::vec::Vec;

use Hypercall::{
    CapDelete, CapGrant, CapRevoke, ConsoleWrite, DomainConfigure, DomainCreate, DomainRun, Exit,
    PageAllocate, PageMap, PageUnmap, Yield,
};

/// Numbers that are no slot.
const NO_SLOTS: [u64; 4] = [0, cptr::NUMBERS, 1 << 32 | 1, u64::MAX];

#[test]
fn page_allocate_gives_a_zeroed_page_and_refuses_bad_slots_and_rights() {
    let mut bench = Bench::new(TWO);
    bench.done(MAIN, PageAllocate, &[10, R | W]);
    let page = bench.capability(MAIN, 10).unwrap();
    assert_eq!((page.rights, page.mapped), (Rights::READ_WRITE, None));
    // A page that nobody may do anything with is of no use, and harmless.
    bench.done(MAIN, PageAllocate, &[cptr::NUMBERS - 1, 0]);
    bench.refused(MAIN, PageAllocate, &[10, R], Status::Exists);
    for slot in NO_SLOTS {
        bench.refused(MAIN, PageAllocate, &[slot, R], Status::Invalid);
    }
    for rights in [32, 1 << 32, u64::MAX] {
        bench.refused(MAIN, PageAllocate, &[11, rights], Status::Invalid);
    }
    bench.tear_down();
}

#[test]
fn page_map_maps_once_within_a_window_and_within_the_rights() {
    let mut bench = Bench::new(TWO);
    bench.done(MAIN, PageAllocate, &[10, R | W | X | G]);
    bench.done(MAIN, PageAllocate, &[11, R]);
    bench.done(MAIN, PageAllocate, &[12, W]);
    let free = DATA + 0x5000;
    for (words, status) in [
        ([29, free, R], Status::NotFound),
        ([0, free, R], Status::Invalid),
        ([26, free, R], Status::Invalid),
        ([11, free, R | W], Status::NotPermitted),
        ([11, free, G], Status::NotPermitted),
        ([10, free, R | G], Status::Invalid),
        ([10, free, 32 | R], Status::Invalid),
        ([10, free, 0], Status::Invalid),
        ([12, free, W], Status::Invalid),
        ([10, free, R | X], Status::Invalid),
        ([10, CODE, R | W], Status::Invalid),
        ([10, CODE, X], Status::Invalid),
        // All that is in the code window can be executed.
        ([10, CODE, R], Status::Invalid),
        ([10, free + 1, R], Status::Invalid),
        // Not aligned and in a page that is taken: the address is wrong, wherever it is.
        ([10, DATA + 8, R], Status::Invalid),
        ([10, 0, R], Status::Invalid),
        ([10, 0x1000, R], Status::Invalid),
        ([10, DATA - 0x1000, R], Status::Invalid),
        ([10, 0x7000_0000, R], Status::Invalid),
        ([10, DATA | 1 << 48, R], Status::Invalid),
        ([10, !0xfff, R], Status::Invalid),
        ([10, DATA, R], Status::Exists),
        ([25, free, R], Status::Exists),
    ] {
        bench.refused(MAIN, PageMap, &words, status);
    }
    bench.done(MAIN, PageMap, &[10, CODE, R | X]);
    let at = bench.kernel.events().len() - 1;
    let event = bench.kernel.events()[at].clone();
    assert_eq!((event.kind.word(), event.thread), ("mapped", Some(MAIN)));
    bench.refused(MAIN, PageMap, &[10, free, R], Status::Exists);
    bench.done(MAIN, PageMap, &[11, CODE - 0x1000, R]);
    bench.tear_down();
}

#[test]
fn page_unmap_takes_the_mapping_and_nothing_else() {
    let mut bench = Bench::new(TWO);
    bench.done(MAIN, PageUnmap, &[25]);
    assert_eq!(bench.words(bench.kernel.events().len() - 2), ["hypercall", "unmapped"]);
    assert_eq!(bench.capability(MAIN, 25).unwrap().mapped, None);
    let events = bench.kernel.events().len();
    bench.done(MAIN, PageUnmap, &[25]);
    assert_eq!(bench.kernel.events().len(), events + 1, "there was nothing to unmap");
    bench.done(MAIN, PageMap, &[25, DATA + 0x1000, R]);
    bench.refused(MAIN, PageUnmap, &[26], Status::Invalid);
    bench.refused(MAIN, PageUnmap, &[27], Status::NotFound);
    bench.refused(MAIN, PageUnmap, &[0], Status::Invalid);
    bench.tear_down();
}

#[test]
fn cap_grant_passes_on_at_most_what_the_source_has() {
    let mut bench = Bench::new(TWO);
    bench.done(MAIN, PageAllocate, &[10, R | G]);
    bench.done(MAIN, PageAllocate, &[11, R | W]);
    for (words, status) in [
        ([29, 10, 5, R], Status::NotFound),
        ([10, 10, 5, R], Status::Invalid),
        ([0, 10, 5, R], Status::Invalid),
        ([26, 29, 5, R], Status::NotFound),
        ([26, u64::MAX, 5, R], Status::Invalid),
        ([26, 11, 5, R], Status::NotPermitted),
        ([26, 10, 0, R], Status::Invalid),
        ([26, 10, cptr::NUMBERS, R], Status::Invalid),
        ([26, 10, 5, 32], Status::Invalid),
        ([26, 10, 5, u64::MAX], Status::Invalid),
    ] {
        bench.refused(MAIN, CapGrant, &words, status);
    }
    bench.done(MAIN, CapGrant, &[26, 10, 5, R | W | X | G]);
    assert_eq!(bench.capability(PEER, 5).unwrap().rights, Rights::READ | Rights::GRANT);
    bench.refused(MAIN, CapGrant, &[26, 10, 5, R], Status::Exists);
    let event = bench.kernel.events()[bench.kernel.events().len() - 2].clone();
    assert_eq!((event.domain, event.thread), (DomainId(1), Some(MAIN)));
    // The peer cannot add a right either, nor map with one it was not given.
    bench.refused(PEER, PageMap, &[5, DATA, R | W], Status::NotPermitted);
    bench.done(PEER, PageMap, &[5, DATA, R]);
    // A domain's capability that has lost write lets nobody in.
    bench.done(MAIN, CapGrant, &[26, 26, 6, R | G]);
    bench.refused(PEER, CapGrant, &[6, 5, 9, R], Status::NotPermitted);
    bench.refused(PEER, DomainConfigure, &[6, 0], Status::NotPermitted);
    bench.refused(PEER, DomainRun, &[6], Status::NotPermitted);
    bench.tear_down();
}

#[test]
fn cap_delete_and_cap_revoke_take_mappings_along() {
    let mut bench = Bench::new(TWO);
    bench.done(MAIN, CapGrant, &[26, 25, 5, R | W]);
    bench.done(PEER, PageMap, &[5, DATA, R | W]);
    for call in [CapDelete, CapRevoke] {
        bench.refused(MAIN, call, &[30], Status::NotFound);
        for slot in NO_SLOTS {
            bench.refused(MAIN, call, &[slot], Status::Invalid);
        }
    }
    let at = bench.kernel.events().len();
    bench.done(MAIN, CapRevoke, &[25]);
    assert_eq!(bench.words(at), ["hypercall", "unmapped", "capability_removed"]);
    assert!(bench.kernel.events()[at..].iter().all(|event| event.thread == Some(MAIN)));
    assert_eq!(bench.capability(PEER, 5), None);
    assert!(bench.capability(MAIN, 25).unwrap().mapped.is_some(), "the root stays as it is");
    let frames = bench.kernel.frames.in_use();
    bench.done(MAIN, CapDelete, &[25]);
    assert_eq!(bench.kernel.frames.in_use(), frames - 1);
    bench.tear_down();
}

#[test]
fn a_domain_is_created_configured_and_run_once() {
    let mut bench = Bench::new(TWO);
    bench.done(MAIN, DomainCreate, &[7]);
    bench.refused(MAIN, DomainCreate, &[7], Status::Exists);
    for slot in NO_SLOTS {
        bench.refused(MAIN, DomainCreate, &[slot], Status::Invalid);
    }
    bench.refused(MAIN, DomainRun, &[7], Status::BadState);
    let length = bench.buffer(MAIN, b"m");
    for (words, status) in [
        ([8, length], Status::NotFound),
        ([1, length], Status::Invalid),
        ([0, length], Status::Invalid),
        ([7, 256], Status::Invalid),
        ([7, u64::MAX], Status::Invalid),
        ([26, length], Status::BadState),
    ] {
        // The name is in the log where there is one, so only the state is compared.
        bench.refused(MAIN, DomainConfigure, &words, status);
    }
    assert_eq!(bench.configure(MAIN, 7, "nothing"), Status::NotFound);
    assert_eq!(bench.configure(MAIN, 7, ""), Status::Invalid, "no module, and no place to start");
    bench.buffer(MAIN, &[0xff, 0xfe]);
    bench.refused(MAIN, DomainConfigure, &[7, 2], Status::Invalid);
    assert_eq!(bench.configure(MAIN, 7, "m"), Status::Ok);
    assert_eq!(bench.configure(MAIN, 7, "m"), Status::BadState);
    bench.done(MAIN, DomainRun, &[7]);
    bench.refused(MAIN, DomainRun, &[7], Status::BadState);
    bench.refused(MAIN, DomainRun, &[25], Status::Invalid);
    let child = crate::domain::ThreadId(2);
    assert_eq!(bench.kernel.thread(child).state, ThreadState::Ready);
    bench.done(child, Exit, &[7]);
    bench.refused(MAIN, DomainRun, &[7], Status::BadState);
    bench.refused(MAIN, CapGrant, &[7, 25, 25, R], Status::BadState);
    assert_eq!(bench.configure(MAIN, 7, "m"), Status::BadState);
    bench.tear_down();
}

#[test]
fn a_module_that_does_not_load_leaves_an_empty_domain_that_can_be_used() {
    let mut bench = Bench::new(TWO);
    bench.done(MAIN, DomainCreate, &[7]);
    let frames = bench.kernel.frames.in_use();
    for module in ["broken", "empty"] {
        let at = bench.kernel.events().len();
        assert_eq!(bench.configure(MAIN, 7, module), Status::Invalid, "{module}");
        assert_eq!(bench.words(at), ["hypercall", "load_failed"]);
        assert_eq!(bench.kernel.frames.in_use(), frames);
    }
    assert_eq!(bench.configure(MAIN, 7, "m"), Status::Ok);
    bench.tear_down();
}

#[test]
fn domains_created_at_run_time_have_names_of_their_own_for_good() {
    let mut bench = Bench::new(TWO);
    let mut names = Vec::new();
    for _ in 0..3 {
        bench.child(MAIN, 7);
        let domain = *bench.kernel.domains.keys().next_back().unwrap();
        names.push(bench.kernel.domains[&domain].name.clone());
        bench.done(MAIN, CapDelete, &[7]);
    }
    assert_eq!(names, ["m", "m.2", "m.3"]);
    bench.kernel.create_domain("m.4").unwrap();
    bench.child(MAIN, 7);
    assert_eq!(bench.kernel.domains.values().next_back().unwrap().name, "m.5");
    bench.tear_down();
}

#[test]
fn exit_ends_the_caller_with_its_value() {
    let mut bench = Bench::new(TWO);
    bench.done(MAIN, Exit, &[(-7_i64).cast_unsigned()]);
    assert_eq!(bench.end_of(MAIN), Some(End::Exit(Exited { value: -7 })));
    assert!(bench.kernel.ready.iter().all(|&thread| thread == PEER));
    bench.tear_down();
}

#[test]
fn the_console_keeps_bytes_as_they_were_and_has_an_end() {
    let mut bench = Bench::new(TWO);
    let text = "à la carte";
    for bytes in [&text.as_bytes()[..1], &text.as_bytes()[1..], b"", b"\xff\n"] {
        let length = bench.buffer(MAIN, bytes);
        bench.done(MAIN, ConsoleWrite, &[length]);
    }
    let console = bench.kernel.console(DomainId(0)).unwrap();
    assert_eq!(console, "à la carte\u{fffd}\n");
    let report = crate::report::RunReport::from_log(&bench.kernel.log());
    assert_eq!(report.domains[0].console, console, "the log tells the same");
    let lines = bench.kernel.log().to_json_lines();
    assert_eq!(crate::event::Log::from_json_lines(&lines).unwrap(), bench.kernel.log());

    for length in [utcb::BUFFER_SIZE as u64 + 1, 1 << 32, u64::MAX] {
        bench.refused(MAIN, ConsoleWrite, &[length], Status::Invalid);
    }
    while bench.call(MAIN, ConsoleWrite, &[utcb::BUFFER_SIZE as u64]) == Status::Ok {}
    bench.refused(MAIN, ConsoleWrite, &[utcb::BUFFER_SIZE as u64], Status::NoMemory);
    bench.refused(PEER, ConsoleWrite, &[u64::MAX], Status::Invalid);
    let length = bench.buffer(PEER, b"others still can");
    bench.done(PEER, ConsoleWrite, &[length]);
    bench.tear_down();
}

#[test]
fn yield_lets_the_others_run_first() {
    let mut bench = Bench::new(TWO);
    bench.done(MAIN, Yield, &[]);
    assert_eq!(bench.kernel.current().map(|(thread, _)| thread), Some(PEER));
    bench.done(PEER, Yield, &[]);
    assert_eq!(bench.kernel.current().map(|(thread, _)| thread), Some(MAIN));
    bench.tear_down();
}

#[test]
fn numbers_without_a_meaning_are_refused() {
    let mut bench = Bench::new(TWO);
    let before = bench.state();
    for number in (0..300).chain([u32::MAX, 1 << 31]) {
        if Hypercall::from_number(number).is_none() {
            assert_eq!(bench.raw(MAIN, number, &[1; 8]), Status::NoSystemCall);
        }
    }
    assert_eq!(bench.state(), before);
    let last = &bench.kernel.events().last().unwrap().kind;
    assert!(
        matches!(last, EventKind::Hypercall { call: None, arguments, .. } if arguments.is_empty())
    );
    bench.tear_down();
}

#[test]
fn all_domains_a_run_can_have_and_no_more() {
    let mut bench = Bench::new(TWO);
    let free = crate::domain::DOMAINS_MAX as u64 - 2;
    for slot in 0..free {
        bench.done(MAIN, DomainCreate, &[MANY + slot]);
    }
    bench.refused(MAIN, DomainCreate, &[9], Status::NoMemory);
    let refused = bench.kernel.create_domain("one more").unwrap_err();
    assert!(super::text(&refused).contains("at most 256"));
    bench.done(MAIN, CapDelete, &[MANY]);
    bench.done(MAIN, DomainCreate, &[9]);
    let named = |slot: u64| bench.capability(MAIN, slot).map(|capability| capability.object);
    assert_eq!(named(9), Some(Object::Domain(DomainId(256))), "no number is used twice");
    assert_eq!(named(MANY), None);
    bench.tear_down();
    assert_eq!(
        bench.kernel.console(DomainId(0)).unwrap_err(),
        crate::domain::LifecycleError::NoDomain(DomainId(0))
    );
}
