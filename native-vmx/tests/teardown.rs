//! What a domain took from the host comes back, kick handles or not.
//!
//! One test, because it counts what the whole process has.

mod machine;

use std::fs;
use std::time::Instant;

use machine::CALL_LOOP;
use shared_model::address::{Frame, GuestPhysical, PAGE_SIZE};
use shared_model::arch::{Arch, DomainId, Kick, Parallel, Runner, ThreadId};
use shared_model::exit::Exit;
use shared_model::layout::PHYSICAL_SIZE;
use shared_model::rights::Rights;

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Mappings of this process whose line contains `what`.
fn mappings(what: &str) -> usize {
    fs::read_to_string("/proc/self/maps").unwrap().lines().filter(|l| l.contains(what)).count()
}

#[test]
fn everything_comes_back() {
    let Some(mut arch) = machine::machine() else { return };
    let mut kicks = Vec::new();
    let mut before = None;
    let start = Instant::now();
    const TURNS: u32 = 50;
    for turn in 0..TURNS {
        let domain = DomainId(turn);
        let (system, frames) = machine::domain(&mut arch, domain, 0, &CALL_LOOP);
        for number in 0..3 {
            let thread = ThreadId(turn * 3 + number);
            machine::thread(&mut arch, thread, domain, &system);
            assert!(matches!(arch.run(thread, 0), Exit::Hypercall { .. }));
            kicks.push(arch.kicker(thread));
            arch.thread_destroy(thread);
        }
        arch.domain_destroy(domain);
        (0..frames).map(Frame).for_each(|frame| arch.frame_free(frame));
        // The first turn may open what stays open.
        let now = (descriptors(), mappings("kvm"));
        assert_eq!(*before.get_or_insert(now), now, "turn {turn}");
        assert_eq!(mappings("kvm-vcpu"), 0, "a handle keeps a processor");
    }
    println!("{:?} per domain of three threads", start.elapsed() / TURNS);
    kicks.iter().for_each(Kick::kick);
    dropping_the_machine_drops_everything(arch);
    kicks.iter().for_each(Kick::kick);
    assert_eq!(mappings("lcd-frames"), 0);
    running_out_of_host_mappings_is_an_error_and_unmapping_still_works();
}

fn dropping_the_machine_drops_everything(mut arch: native_vmx::NativeArch) {
    let domain = DomainId(1000);
    let (system, _) = machine::domain(&mut arch, domain, 0, &CALL_LOOP);
    machine::thread(&mut arch, ThreadId(1000), domain, &system);
    assert!(matches!(arch.run(ThreadId(1000), 0), Exit::Hypercall { .. }));
    let _kick = arch.kicker(ThreadId(1000));
    let mut runner = arch.runner(ThreadId(1000));
    drop(arch);
    assert_eq!((mappings("kvm-vcpu"), mappings("lcd-frames")), (0, 0));
    runner.run();
}

/// Every other page is a mapping of its own for the host, which limits their number.
fn running_out_of_host_mappings_is_an_error_and_unmapping_still_works() {
    let Some(mut arch) = machine::machine() else { return };
    let domain = DomainId(0);
    let (system, next) = machine::domain(&mut arch, domain, 1, &CALL_LOOP);
    machine::thread(&mut arch, ThreadId(0), domain, &system);
    arch.frame_allocate(Frame(0)).unwrap();
    let places =
        || (0x1001..PHYSICAL_SIZE / PAGE_SIZE).step_by(2).map(|n| GuestPhysical(n * PAGE_SIZE));
    let start = Instant::now();
    let mut mapped = 0;
    let failure = places().find_map(|place| {
        mapped += 1;
        arch.map(domain, place, Frame(0), Rights::READ_WRITE).err()
    });
    println!("{mapped} single pages in {:?}", start.elapsed());
    if let Some(error) = failure {
        assert!(error.0.contains("vm.max_map_count"), "{error}");
    }
    // The domain has what it had.
    assert!(matches!(arch.run(ThreadId(0), 0), Exit::Hypercall { .. }));
    for place in places().take(mapped) {
        arch.unmap(domain, place);
    }
    assert!(matches!(arch.run(ThreadId(0), 0), Exit::Hypercall { .. }));
    arch.frame_allocate(Frame(next)).unwrap();
    let place = places().last().unwrap();
    arch.map(domain, place, Frame(next), Rights::READ_WRITE).unwrap();
}
