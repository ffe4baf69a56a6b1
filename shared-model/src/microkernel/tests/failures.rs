//! The backend refuses: at each of its calls that can fail, once. Whatever was going on is undone,
//! and the world can go on.

use super::{Bench, CODE, DATA, MAIN, PEER, R, TWO, W, X};
use crate::abi::Hypercall;
use crate::domain::LifecycleError;

use Hypercall::{CapDelete, CapGrant, DomainCreate, DomainRun, PageAllocate, PageMap};

/// A bit of everything that asks the backend for something. Refusals are expected.
fn scenario(bench: &mut Bench) {
    bench.call(MAIN, PageAllocate, &[10, 15]);
    bench.call(MAIN, PageMap, &[10, DATA + 0x1000, R | W]);
    bench.call(MAIN, CapGrant, &[26, 10, 10, R | X]);
    bench.call(PEER, PageMap, &[10, CODE, R | X]);
    bench.call(MAIN, DomainCreate, &[11]);
    bench.configure(MAIN, 11, "two");
    bench.call(MAIN, DomainRun, &[11]);
    bench.call(MAIN, CapDelete, &[10]);
    bench.call(MAIN, CapDelete, &[11]);
}

#[test]
fn a_failure_at_any_call_of_a_boot_leaves_nothing_behind() {
    let calls = {
        let mut bench = Bench::new(TWO);
        bench.tear_down();
        bench.kernel.arch.fallible
    };
    assert!(calls > 50);
    for fail_at in 0..calls {
        let mut bench = Bench::asleep(TWO);
        bench.kernel.arch.fail_at = Some(fail_at);
        let error = bench.kernel.boot().expect_err("one of its calls fails");
        assert!(matches!(&error, LifecycleError::Exhausted(_)), "{error}");
        bench.audit();
        bench.tear_down();
    }
}

#[test]
fn a_failure_at_any_call_of_a_run_is_a_status_and_no_more() {
    let mut bench = Bench::new(TWO);
    let booted = bench.kernel.arch.fallible;
    scenario(&mut bench);
    let calls = bench.kernel.arch.fallible;
    assert!(calls > booted + 50);
    for fail_at in booted..calls {
        let mut bench = Bench::new(TWO);
        bench.kernel.arch.fail_at = Some(fail_at);
        scenario(&mut bench);
        assert!(bench.kernel.arch.fallible > fail_at, "the failure was reached");
        // The second time nothing fails, and all of it is as if the first had not been.
        bench.done(MAIN, PageAllocate, &[20, 15]);
        bench.done(MAIN, PageMap, &[20, DATA + 0x9000, R | W]);
        bench.child(MAIN, 21);
        bench.tear_down();
    }
}

#[test]
fn a_domain_whose_thread_was_refused_can_be_configured_again() {
    let mut bench = Bench::new(TWO);
    bench.done(MAIN, DomainCreate, &[7]);
    let (frames, fallible) = (bench.kernel.frames.in_use(), bench.kernel.arch.fallible);
    assert_eq!(bench.configure(MAIN, 7, "m"), crate::abi::Status::Ok);
    let calls = bench.kernel.arch.fallible - fallible;
    bench.done(MAIN, CapDelete, &[7]);
    bench.done(MAIN, DomainCreate, &[7]);
    // The thread is the last thing that is asked for.
    bench.kernel.arch.fail_at = Some(bench.kernel.arch.fallible + calls - 1);
    assert_eq!(bench.configure(MAIN, 7, "m"), crate::abi::Status::NoMemory);
    assert_eq!(bench.kernel.frames.in_use(), frames);
    assert_eq!(bench.configure(MAIN, 7, "m"), crate::abi::Status::Ok);
    bench.done(MAIN, DomainRun, &[7]);
    bench.tear_down();
}
