//! Quotas and limits: what happens at them, and that everything returns.

use super::{Bench, MAIN, MANY, PEER, R, TWO};
use crate::abi::Resource;
use crate::abi::{Hypercall, Status};
use crate::domain::{DomainId, LifecycleError};
use crate::exit::{End, Exit, KillReason};
use crate::microkernel::Step;

use Hypercall::{CapDelete, DomainCreate, PageAllocate, Yield};

const TIMEOUT: Option<End> = Some(End::Killed(KillReason::Timeout));

#[test]
fn a_quota_ends_exactly_and_every_page_returns() {
    let mut bench = Bench::new(TWO);
    let before = bench.kernel.frames.in_use();
    let left = bench.kernel.pages_left(DomainId(0));
    for page in 0..left {
        bench.done(MAIN, PageAllocate, &[MANY + page, R]);
    }
    bench.refused(MAIN, PageAllocate, &[9, R], Status::NoMemory);
    // It is the domain's own quota: the peer has its own.
    bench.done(PEER, PageAllocate, &[9, R]);
    bench.done(PEER, CapDelete, &[9]);
    bench.done(MAIN, CapDelete, &[MANY]);
    bench.done(MAIN, PageAllocate, &[MANY, R]);
    for page in 0..left {
        bench.done(MAIN, CapDelete, &[MANY + page]);
    }
    assert_eq!(bench.kernel.frames.in_use(), before);
    bench.tear_down();
}

#[test]
fn a_domain_that_does_not_fit_its_quota_is_not_loaded_at_all() {
    for pages in [0, 1, 20] {
        let mut bench =
            Bench::asleep(&TWO.replace("pages = 200", &alloc::format!("pages = {pages}")));
        let error = bench.kernel.boot().unwrap_err();
        assert!(
            matches!(&error, LifecycleError::Exhausted(text) if text.contains("quota")),
            "{error}"
        );
        bench.audit();
        assert_eq!(bench.kernel.frames.in_use(), 0);
        bench.tear_down();
    }
    let mut bench = Bench::new(TWO);
    bench.kernel.bundle.world.limits.pages = 5;
    {
        let used = bench.kernel.accounts.of(DomainId(0), Resource::Pages).unwrap().1;
        bench.kernel.accounts.set_limit(DomainId(0), Resource::Pages, used + 5);
    }
    let events = bench.kernel.events().len();
    let _ = bench.kernel.create_domain("small").unwrap();
    let small = bench.kernel.load_module(DomainId(2), "m", None, &[]);
    assert!(small.is_err());
    assert_eq!(bench.words(events), ["domain_created"]);
}

#[test]
fn the_log_has_an_end_and_threads_end_with_it() {
    let mut bench = Bench::new(&TWO.replace("pages = 200", "pages = 200\nevents = 100"));
    let mut steps = 0;
    while bench.kernel.current().is_some() {
        bench.kernel.arch.exits.push_back(Exit::Hypercall { number: Yield as u32 });
        assert_eq!(bench.kernel.step(10), Step::Continued);
        bench.audit();
        steps += 1;
        assert!(steps < 200);
    }
    assert_eq!((bench.end_of(MAIN), bench.end_of(PEER)), (TIMEOUT, TIMEOUT));
    assert!(bench.kernel.events().len() <= 102);
    bench.tear_down();
}

#[test]
fn limits_of_nothing_and_of_everything_are_limits() {
    for limits in [
        "events = 0",
        "instructions = 0",
        // The first thread's first run uses all of them up.
        "events = 9223372036854775807\ninstructions = 9223372036854775807",
    ] {
        let mut bench =
            Bench::asleep(&TWO.replace("pages = 200", &alloc::format!("pages = 200\n{limits}")));
        bench.kernel.arch.counts = true;
        bench.kernel.boot().unwrap();
        for _ in 0..4 {
            bench.kernel.step(u64::MAX);
            bench.audit();
        }
        assert_eq!(bench.kernel.current(), None, "{limits}");
        assert_eq!(bench.end_of(MAIN), TIMEOUT, "{limits}");
        bench.tear_down();
    }
}

#[test]
fn a_spinning_thread_is_killed_after_its_own_instructions_exactly() {
    let killed = TWO.replacen(
        "module = \"m\"",
        "module = \"m\"\nkill_after = { instructions = 2500, milliseconds = 18446744073709551615 }",
        1,
    );
    // The largest number of a TOML file is signed.
    let killed = killed.replace("18446744073709551615", "9223372036854775807");
    let mut bench = Bench::asleep(&killed);
    bench.kernel.arch.counts = true;
    bench.kernel.boot().unwrap();
    for _ in 0..3 {
        assert_eq!(bench.kernel.step(1000), Step::Budget(MAIN));
    }
    assert_eq!(bench.kernel.retired(), Some(2500));
    assert_eq!(bench.kernel.step(1000), Step::Continued);
    bench.audit();
    assert_eq!(bench.end_of(MAIN), Some(End::Killed(KillReason::Killed)));
    assert_eq!(bench.kernel.retired(), Some(2500), "what the dead have run still counts");
    assert_eq!(bench.kernel.step(1000), Step::Budget(PEER));
    assert_eq!(bench.kernel.retired(), Some(3500));
    bench.kernel.time_out();
    assert_eq!((bench.end_of(PEER), bench.kernel.step(1)), (TIMEOUT, Step::Idle));
    bench.tear_down();
}

#[test]
fn a_backend_that_does_not_count_says_so_to_the_end() {
    let mut bench = Bench::new(TWO);
    assert_eq!(bench.kernel.retired(), None);
    bench.kernel.time_out();
    assert_eq!(bench.kernel.retired(), None);
    bench.tear_down();
}

#[test]
fn domains_come_and_go_without_leaving_anything() {
    let mut bench = Bench::new(TWO);
    let (frames, state) = (bench.kernel.frames.in_use(), bench.kernel.capabilities.len());
    for _ in 0..30 {
        bench.child(MAIN, 28);
        bench.done(MAIN, DomainCreate, &[29]);
        bench.done(MAIN, CapDelete, &[29]);
        bench.done(MAIN, CapDelete, &[28]);
        assert_eq!(
            (bench.kernel.frames.in_use(), bench.kernel.capabilities.len()),
            (frames, state)
        );
    }
    assert!(bench.kernel.threads.iter().skip(2).all(|thread| thread.calls.is_empty()));
    bench.tear_down();
}
