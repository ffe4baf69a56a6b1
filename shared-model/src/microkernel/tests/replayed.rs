//! What the original system's suites check of its threads, its start of a domain and its
//! endpoints, and what no other test here says in so many words.

use alloc::vec::Vec;

use super::{Bench, G, MAIN, R, TWO, W};
use crate::abi::{Hypercall, utcb};
use crate::address::{GuestPhysical, GuestVirtual, PAGE_SIZE};
use crate::arch::Arch;
use crate::domain::{DomainId, ThreadId, ThreadState};
use crate::{boot, paging};

use Hypercall::{CapGrant, EndpointCreate, Exit, ThreadCreate, ThreadKill};

/// Where a thread's addresses lead, by the tables that its processor uses.
fn resolve(bench: &Bench, thread: ThreadId, address: GuestVirtual) -> Option<GuestPhysical> {
    let state = bench.kernel.thread(thread);
    let entry = |at: GuestPhysical| {
        let bytes = bench.kernel.read_physical(state.domain, at, 8);
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    };
    let found = paging::walk(state.system.page_table_root, address, entry).ok()?;
    Some(found.address)
}

/// The page that a guest-virtual page leads to.
fn page(bench: &Bench, thread: ThreadId, address: GuestVirtual) -> Vec<u8> {
    let at = resolve(bench, thread, address).expect("it is mapped");
    bench.kernel.read_physical(bench.kernel.thread(thread).domain, at, PAGE_SIZE)
}

#[test]
fn a_domains_first_thread_is_number_0_and_a_dead_ones_number_is_given_again() {
    let mut bench = Bench::new(TWO);
    let create = |bench: &mut Bench| {
        bench.done(MAIN, ThreadCreate, &[0, 0x1000_0000, 0, 0]);
        bench.word(MAIN, utcb::MESSAGE + 8)
    };
    assert_eq!(bench.kernel.thread(MAIN).index, 0);
    assert_eq!([create(&mut bench), create(&mut bench)], [1, 2]);
    bench.done(MAIN, ThreadKill, &[0, 1]);
    assert_eq!([create(&mut bench), create(&mut bench)], [1, 3]);
    bench.tear_down();
}

#[test]
fn a_new_thread_knows_its_domain_and_the_domain_knows_it() {
    let mut bench = Bench::new(TWO);
    bench.done(MAIN, ThreadCreate, &[0, 0x1000_0000, 0, 0]);
    let thread = ThreadId(2);
    let registers = bench.kernel.arch.registers(thread);
    let state = bench.kernel.thread(thread);
    assert_eq!((state.domain, state.state), (DomainId(0), ThreadState::Suspended));
    assert!(bench.kernel.domains[&DomainId(0)].threads.contains(&thread));
    let stack = GuestVirtual(registers.general[crate::registers::RSP]);
    assert_eq!(registers.rip, 0x1000_0000);
    assert_eq!(state.system.page_table_root, bench.kernel.thread(MAIN).system.page_table_root);
    assert!(resolve(&bench, thread, stack).is_some(), "its stack is there");
    bench.tear_down();
}

#[test]
fn descriptor_tables_task_segment_and_utcb_are_where_the_processor_looks_for_them() {
    let bench = Bench::new(TWO);
    let state = bench.kernel.thread(MAIN);
    let system = state.system;
    assert_eq!(page(&bench, MAIN, system.gdt)[..], boot::gdt()[..]);
    assert_eq!(page(&bench, MAIN, system.idt)[..], boot::idt(system.gates)[..]);
    assert_eq!(page(&bench, MAIN, system.gates)[..], boot::gates()[..]);
    let top = GuestVirtual(state.places.exception_stack().0 + PAGE_SIZE);
    assert_eq!(page(&bench, MAIN, system.task)[..], boot::task(top)[..]);
    // The UTCB's page leads to the frame that the microkernel itself uses.
    let at = resolve(&bench, MAIN, state.places.utcb()).unwrap();
    let mapping = bench.kernel.domains[&DomainId(0)].space.lookup(at).unwrap();
    assert_eq!(mapping.frame, state.utcb);
    // Page 0 is nobody's.
    assert_eq!(resolve(&bench, MAIN, GuestVirtual(0)), None);
}

#[test]
fn an_endpoint_goes_with_the_last_domain_that_holds_it() {
    let mut bench = Bench::new(TWO);
    bench.done(MAIN, EndpointCreate, &[10]);
    bench.done(MAIN, CapGrant, &[26, 10, 10, R | W | G]);
    assert_eq!(bench.kernel.endpoints.len(), 1);
    bench.done(MAIN, Exit, &[0]);
    bench.kernel.destroy_domain(DomainId(0)).unwrap();
    bench.audit();
    assert_eq!(bench.kernel.endpoints.len(), 1, "the other still has it");
    bench.kernel.destroy_domain(DomainId(1)).unwrap();
    bench.audit();
    assert!(bench.kernel.endpoints.is_empty());
    bench.tear_down();
}
