//! The promises about a hypercall's cost that hold on every host: one entry, no allocation.
#![allow(unsafe_code, reason = "counting allocations needs an allocator of our own")]

mod machine;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use machine::CALL_LOOP;
use shared_model::arch::{Arch, DomainId, Parallel, Runner, ThreadId};
use shared_model::exit::Exit;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

struct Counting;

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_hypercall_is_one_entry_without_an_allocation() {
    const CALLS: u64 = 2000;
    let Some(mut arch) = machine::machine() else { return };
    let (domain, thread) = (DomainId(0), ThreadId(0));
    let (system, _) = machine::domain(&mut arch, domain, 0, &CALL_LOOP);
    machine::thread(&mut arch, thread, domain, &system);
    assert!(matches!(arch.run(thread, 0), Exit::Hypercall { .. }));
    let (entries, allocations) = (arch.entries(thread), ALLOCATIONS.load(Ordering::Relaxed));
    let start = Instant::now();
    let all = (0..CALLS).all(|_| matches!(arch.run(thread, 0), Exit::Hypercall { .. }));
    let time = start.elapsed();
    let allocated = ALLOCATIONS.load(Ordering::Relaxed) - allocations;
    assert!(all);
    assert_eq!((arch.entries(thread) - entries, allocated), (CALLS, 0));
    println!("{:.2} us per hypercall", time.as_secs_f64() * 1e6 / CALLS as f64);
    // Asking for the registers is one more.
    arch.registers(thread);
    arch.registers(thread);
    assert_eq!(arch.entries(thread) - entries, CALLS + 1);
    a_runner_costs_the_same(&mut arch, thread);
}

/// In the same test, because allocations are the whole process's.
fn a_runner_costs_the_same(arch: &mut native_vmx::NativeArch, thread: ThreadId) {
    const CALLS: u64 = 2000;
    let mut runner = arch.runner(thread);
    let (entries, allocations) = (arch.entries(thread), ALLOCATIONS.load(Ordering::Relaxed));
    let start = Instant::now();
    let all = (0..CALLS).all(|_| {
        let raw = runner.run();
        matches!(arch.complete(thread, raw), Exit::Hypercall { .. })
    });
    let time = start.elapsed();
    let allocated = ALLOCATIONS.load(Ordering::Relaxed) - allocations;
    assert!(all);
    assert_eq!((arch.entries(thread) - entries, allocated), (CALLS, 0));
    println!("{:.2} us per hypercall through a runner", time.as_secs_f64() * 1e6 / CALLS as f64);
}
