//! Further threads of a domain: what they start with, who stops them and when, and that nothing of
//! one is left for the next.

use alloc::vec::Vec;

use super::{Bench, G, MAIN, PEER, R, TWO};
use crate::abi::{Hypercall, Resource, Status, thread_area, utcb};
use crate::address::{GuestPhysical, PAGE_SIZE};
use crate::arch::Arch;
use crate::boot;
use crate::capability::{Slot, SpaceId};
use crate::domain::{DomainId, DomainState, LifecycleError, ThreadId, ThreadState};
use crate::exit::{End, Exit, Exited, KillReason};
use crate::layout::{self, THREADS_MAX};
use crate::microkernel::Step;
use crate::registers::{FLAGS_INITIAL, FLAGS_VISIBLE, RSP, Registers};

use Hypercall::{
    CapCopy, CapDelete, CapMove, CapRevoke, DomainCreate, DomainRun, EndpointCreate, Sleep,
    SyncReceive, SyncSend, ThreadCreate, ThreadGetRegisters, ThreadKill, ThreadResume,
    ThreadSetRegisters, ThreadSuspend, Yield,
};

const PC: u64 = 0x1000_0010;
const TERMINATED: Option<End> = Some(End::Killed(KillReason::Terminated));
const RDI: usize = 7;

/// Creates a thread in the domain of a slot, or in the caller's own for slot 0.
#[track_caller]
fn create(bench: &mut Bench, thread: ThreadId, domain: u64) -> (u64, ThreadId) {
    bench.done(thread, ThreadCreate, &[domain, PC, 0, 77]);
    let index = bench.word(thread, utcb::MESSAGE + 8);
    (index, ThreadId(bench.kernel.threads.len() as u32 - 1))
}

/// A further thread of `main` that runs.
#[track_caller]
fn second(bench: &mut Bench) -> ThreadId {
    let (index, thread) = create(bench, MAIN, 0);
    bench.done(MAIN, ThreadResume, &[0, index]);
    thread
}

fn used(bench: &Bench, domain: u32, resource: Resource) -> u64 {
    bench.kernel.accounts.of(DomainId(domain), resource).unwrap().1
}

fn registers(words: &[u64; 18]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn got(bench: &Bench, thread: ThreadId) -> [u64; 18] {
    core::array::from_fn(|i| bench.word(thread, utcb::BUFFER + i * 8))
}

#[test]
fn a_thread_starts_at_its_function_and_ends_with_its_value() {
    let mut bench = Bench::new(TWO);
    let at = bench.kernel.events().len();
    let (index, thread) = create(&mut bench, MAIN, 0);
    assert_eq!(index, 1);
    assert_eq!(bench.words(at), ["hypercall", "thread_created"]);
    assert_eq!(bench.state_of_thread(thread), ThreadState::Suspended);
    let Registers { general, rip, rflags } = bench.kernel.arch.registers(thread);
    assert_eq!((rip, rflags, general[RDI]), (PC, FLAGS_INITIAL, 77));
    let state = bench.kernel.thread(thread);
    let (places, gates) = (state.places, state.system.gates);
    assert_eq!(general[RSP], places.stack_top().0 - 8);
    let top = GuestPhysical(places.stack_page().0 + layout::STACK_PAGES * PAGE_SIZE - 8);
    let gate = gates.0 + boot::RETURN_GATE;
    assert_eq!(bench.kernel.read_physical(DomainId(0), top, 8), gate.to_le_bytes());
    let word = |offset: usize| {
        let at = GuestPhysical(places.area_page().0 + offset as u64);
        let bytes = bench.kernel.read_physical(DomainId(0), at, 8);
        u64::from_le_bytes(bytes.try_into().unwrap())
    };
    assert_eq!(word(thread_area::THREAD), 1);
    assert_eq!(word(thread_area::UTCB), places.utcb().0);
    let block = bench.kernel.domains[&DomainId(0)].home.unwrap().block;
    assert_eq!(word(thread_area::BOOT_INFO), block.boot_info().0);

    bench.done(MAIN, ThreadResume, &[0, 1]);
    bench.done(thread, Yield, &[]);
    bench.returns(thread, 5);
    assert_eq!(bench.end_of(thread), Some(End::Exit(Exited { value: 5 })));
    assert_eq!(bench.state_of(DomainId(0)), Some(DomainState::Running));
    bench.returns(MAIN, 0);
    assert_eq!(bench.state_of(DomainId(0)), Some(DomainState::Dead));
    bench.tear_down();
}

#[test]
fn a_given_stack_pointer_is_taken_as_it_is() {
    let mut bench = Bench::new(TWO);
    bench.done(MAIN, ThreadCreate, &[0, PC, 0x4000_0123, 0]);
    let registers = bench.kernel.arch.registers(ThreadId(2));
    assert_eq!(registers.general[RSP], 0x4000_0123);
    bench.tear_down();
}

#[test]
fn creating_a_thread_is_refused_where_it_must_be() {
    let mut bench = Bench::new(TWO);
    bench.done(MAIN, DomainCreate, &[30]);
    bench.done(MAIN, CapCopy, &[26, 31, R | G, 0]);
    for (words, status) in [
        ([0, layout::DATA_WINDOW_SIZE << 20, 0, 0], Status::Invalid),
        ([0, 1 << 47, 0, 0], Status::Invalid),
        ([0, u64::MAX, 0, 0], Status::Invalid),
        ([1, PC, 0, 0], Status::Invalid),
        ([25, PC, 0, 0], Status::Invalid),
        ([29, PC, 0, 0], Status::NotFound),
        ([31, PC, 0, 0], Status::NotPermitted),
        ([30, PC, 0, 0], Status::BadState),
    ] {
        bench.refused(MAIN, ThreadCreate, &words, status);
    }
    bench.done(PEER, Hypercall::Exit, &[0]);
    bench.refused(MAIN, ThreadCreate, &[26, PC, 0, 0], Status::BadState);
    bench.tear_down();
}

#[test]
fn threads_are_limited_by_their_areas_and_by_quota() {
    let world = TWO.replace("pages = 200", "pages = 2000");
    let mut bench = Bench::new(&world);
    for index in 1..u64::from(THREADS_MAX) {
        assert_eq!(create(&mut bench, MAIN, 0).0, index);
    }
    bench.refused(MAIN, ThreadCreate, &[0, PC, 0, 0], Status::NoMemory);
    assert_eq!(used(&bench, 0, Resource::Threads), u64::from(THREADS_MAX));
    // The lowest that is free, but never the first thread's.
    for index in [9, 4] {
        bench.done(MAIN, ThreadKill, &[0, index]);
    }
    assert_eq!(create(&mut bench, MAIN, 0).0, 4);
    assert_eq!(create(&mut bench, MAIN, 0).0, 9);
    bench.tear_down();

    let mut bench = Bench::new(TWO);
    bench.kernel.accounts.set_limit(DomainId(0), Resource::Threads, 2);
    create(&mut bench, MAIN, 0);
    bench.refused(MAIN, ThreadCreate, &[0, PC, 0, 0], Status::NoMemory);
    bench.done(MAIN, ThreadKill, &[0, 1]);
    create(&mut bench, MAIN, 0);
    bench.tear_down();
}

#[test]
fn a_thread_that_cannot_be_had_leaves_nothing_behind() {
    let mut bench = Bench::new(TWO);
    let pages = used(&bench, 0, Resource::Pages);
    bench.kernel.accounts.set_limit(DomainId(0), Resource::Pages, pages + 5);
    bench.refused(MAIN, ThreadCreate, &[0, PC, 0, 0], Status::NoMemory);
    bench.kernel.accounts.set_limit(DomainId(0), Resource::Pages, 200);
    // Twelve pages, each a frame and a mapping, and the processor.
    for failing in 0..25 {
        bench.kernel.arch.fail_at = Some(bench.kernel.arch.fallible + failing);
        bench.refused(MAIN, ThreadCreate, &[0, PC, 0, 0], Status::NoMemory);
        bench.kernel.check_accounts();
    }
    bench.kernel.arch.fail_at = None;
    create(&mut bench, MAIN, 0);
    assert_eq!(used(&bench, 0, Resource::Pages), pages + 12);
    bench.done(MAIN, ThreadKill, &[0, 1]);
    // Its pages are there already: only the processor can fail.
    bench.kernel.arch.fail_at = Some(bench.kernel.arch.fallible);
    bench.refused(MAIN, ThreadCreate, &[0, PC, 0, 0], Status::NoMemory);
    bench.tear_down();
}

#[test]
fn nothing_of_a_dead_thread_is_left_for_the_next() {
    let mut bench = Bench::new(TWO);
    let (_, first) = create(&mut bench, MAIN, 0);
    let places = bench.kernel.thread(first).places;
    let area: Vec<_> =
        (0..16).map(|i| GuestPhysical(places.utcb_page().0 + i * PAGE_SIZE)).collect();
    let content = |bench: &Bench| -> Vec<Vec<u8>> {
        area.iter().map(|&at| bench.kernel.read_physical(DomainId(0), at, PAGE_SIZE)).collect()
    };
    let fresh = content(&bench);
    assert_eq!(fresh.iter().filter(|page| !page.is_empty()).count(), 12);
    for &at in &area {
        bench.kernel.write_physical(DomainId(0), at, &[0xee; PAGE_SIZE as usize]);
    }
    let frames = bench.kernel.frames.in_use();
    bench.done(MAIN, ThreadKill, &[0, 1]);
    assert_eq!(content(&bench)[0], [0xee; 4096], "what it left can be looked at");
    let (index, next) = create(&mut bench, MAIN, 0);
    assert_eq!((index, bench.kernel.frames.in_use()), (1, frames));
    assert_ne!(first, next);
    assert_eq!(content(&bench), fresh);
    bench.tear_down();
}

#[test]
fn a_thousand_threads_leave_nothing() {
    let mut bench = Bench::new(TWO);
    let (_, _) = create(&mut bench, MAIN, 0);
    bench.done(MAIN, ThreadKill, &[0, 1]);
    let counts = |bench: &Bench| {
        let kernel = &bench.kernel;
        let resources = Resource::ALL.map(|resource| used(bench, 0, resource));
        let held = kernel.capabilities.len();
        (kernel.frames.in_use(), held, resources, kernel.live.len(), kernel.ready.len())
    };
    let before = counts(&bench);
    bench.unchecked = true;
    for i in 0..1000 {
        let (index, thread) = create(&mut bench, MAIN, 0);
        if i % 2 == 0 {
            bench.done(MAIN, ThreadResume, &[0, index]);
            bench.done(thread, Hypercall::Exit, &[i]);
        } else {
            bench.done(MAIN, ThreadKill, &[0, index]);
        }
    }
    bench.unchecked = false;
    bench.audit();
    assert_eq!(counts(&bench), before);
    bench.kernel.check_accounts();
    assert_eq!(bench.kernel.domains[&DomainId(0)].threads.len(), 2);
    bench.tear_down();
}

#[test]
fn a_thread_of_another_domain_is_created_and_ruled_through_its_capability() {
    let mut bench = Bench::new(TWO);
    let (index, thread) = create(&mut bench, MAIN, 26);
    assert_eq!((index, bench.kernel.thread(thread).domain), (1, DomainId(1)));
    assert_eq!(used(&bench, 1, Resource::Threads), 2);
    bench.done(MAIN, ThreadResume, &[26, 1]);
    bench.done(MAIN, ThreadSuspend, &[26, 0]);
    assert_eq!(bench.state_of_thread(PEER), ThreadState::Suspended);
    bench.done(MAIN, ThreadGetRegisters, &[26, 0]);
    bench.done(MAIN, ThreadKill, &[26, 0]);
    assert_eq!(bench.state_of(DomainId(1)), Some(DomainState::Running));
    bench.done(MAIN, ThreadKill, &[26, 1]);
    assert_eq!(bench.state_of(DomainId(1)), Some(DomainState::Dead));
    assert_eq!(used(&bench, 1, Resource::Threads), 0);
    bench.done(MAIN, CapCopy, &[26, 31, R | G, 0]);
    for call in [ThreadSuspend, ThreadResume, ThreadSetRegisters, ThreadGetRegisters, ThreadKill] {
        bench.refused(MAIN, call, &[26, 0], Status::BadState);
        bench.refused(MAIN, call, &[26, 2], Status::NotFound);
        bench.refused(MAIN, call, &[26, u64::MAX], Status::NotFound);
        bench.refused(MAIN, call, &[31, 0], Status::NotPermitted);
        bench.refused(MAIN, call, &[25, 0], Status::Invalid);
    }
    bench.tear_down();
}

#[test]
fn a_ready_thread_is_suspended_and_resumed() {
    let mut bench = Bench::new(TWO);
    let thread = second(&mut bench);
    let at = bench.kernel.events().len();
    bench.done(MAIN, ThreadSuspend, &[0, 1]);
    bench.done(MAIN, ThreadSuspend, &[0, 1]);
    assert_eq!(bench.state_of_thread(thread), ThreadState::Suspended);
    bench.done(MAIN, ThreadResume, &[0, 1]);
    bench.done(MAIN, ThreadResume, &[0, 1]);
    assert_eq!(bench.state_of_thread(thread), ThreadState::Ready);
    // What has no effect is no news.
    let news: Vec<_> = bench.words(at).into_iter().filter(|word| *word != "hypercall").collect();
    assert_eq!(news, ["thread_suspended", "thread_resumed"]);
    // Its own suspension takes effect at once, and its status is there when it goes on.
    bench.done(thread, ThreadSuspend, &[0, 1]);
    assert_eq!(bench.state_of_thread(thread), ThreadState::Suspended);
    assert!(!bench.kernel.ready.contains(&thread));
    bench.done(MAIN, ThreadResume, &[0, 1]);
    bench.returns(thread, 1);
    bench.tear_down();
}

#[test]
fn a_suspended_thread_goes_on_waiting() {
    let mut bench = Bench::new(TWO);
    bench.done(MAIN, EndpointCreate, &[10]);
    let thread = second(&mut bench);
    assert_eq!(bench.send(thread, SyncReceive, 10, 0), Status::Waiting);
    bench.done(MAIN, ThreadSuspend, &[0, 1]);
    assert_eq!(bench.state_of_thread(thread), ThreadState::Blocked);
    // Resumed before it is woken: as if nothing had been.
    bench.done(MAIN, ThreadResume, &[0, 1]);
    bench.done(MAIN, ThreadSuspend, &[0, 1]);
    assert_eq!(bench.send(MAIN, SyncSend, 10, 0), Status::Ok);
    assert_eq!(bench.state_of_thread(thread), ThreadState::Suspended);
    assert_eq!(bench.word(thread, utcb::STATUS), 0);
    bench.done(MAIN, ThreadResume, &[0, 1]);
    assert_eq!(bench.state_of_thread(thread), ThreadState::Ready);

    // A time that is up meanwhile is up.
    assert_eq!(bench.call(thread, Sleep, &[2]), Status::Waiting);
    bench.done(MAIN, ThreadSuspend, &[0, 1]);
    bench.done(MAIN, Yield, &[]);
    bench.done(MAIN, Yield, &[]);
    assert_eq!(bench.state_of_thread(thread), ThreadState::Suspended);
    bench.tear_down();
}

#[test]
fn a_revocation_goes_on_while_its_thread_is_suspended() {
    let mut bench = Bench::new(TWO);
    let thread = second(&mut bench);
    for slot in 40..50 {
        bench.done(MAIN, CapCopy, &[25, slot + (1 << 20), R, 0]);
    }
    bench.kernel.batch = 3;
    assert_eq!(bench.raw(thread, CapRevoke as u32, &[25]), Status::Waiting);
    bench.done(MAIN, ThreadSuspend, &[0, 1]);
    assert_eq!(bench.state_of_thread(thread), ThreadState::Ready);
    bench.refused(MAIN, ThreadSetRegisters, &[0, 1], Status::BadState);
    bench.finish_work(thread);
    assert_eq!(bench.state_of_thread(thread), ThreadState::Suspended);
    assert_eq!(bench.word(thread, utcb::STATUS), 0);
    assert_eq!(bench.capability(MAIN, 40 + (1 << 20)), None);
    bench.tear_down();
}

#[test]
fn threads_of_a_configured_domain_stay_suspended() {
    let mut bench = Bench::new(TWO);
    bench.done(MAIN, DomainCreate, &[30]);
    assert_eq!(bench.configure(MAIN, 30, "m"), Status::Ok);
    let first = ThreadId(2);
    let (index, further) = create(&mut bench, MAIN, 30);
    for thread in [0, index] {
        bench.refused(MAIN, ThreadResume, &[30, thread], Status::BadState);
    }
    // Suspended before it is started, it is set up and waits to be resumed.
    bench.done(MAIN, ThreadSuspend, &[30, 0]);
    bench.done(MAIN, DomainRun, &[30]);
    assert_eq!(bench.state_of_thread(first), ThreadState::Suspended);
    assert_eq!(bench.kernel.arch.registers(first).rip, 0x1000_0000);
    let again = bench.kernel.start_thread(first);
    assert!(matches!(again, Err(LifecycleError::ThreadState { .. })), "it is started once");
    bench.done(MAIN, ThreadResume, &[30, 0]);
    bench.returns(first, 0);
    assert_eq!(bench.state_of_thread(further), ThreadState::Suspended);
    bench.done(MAIN, ThreadResume, &[30, index]);
    bench.returns(further, 0);
    assert_eq!(bench.state_of(DomainId(2)), Some(DomainState::Dead));
    bench.tear_down();
}

#[test]
fn registers_are_read_and_replaced_while_a_thread_is_still() {
    let mut bench = Bench::new(TWO);
    let thread = second(&mut bench);
    for call in [ThreadGetRegisters, ThreadSetRegisters] {
        bench.refused(MAIN, call, &[0, 1], Status::BadState);
        bench.refused(MAIN, call, &[0, 0], Status::BadState);
    }
    bench.done(MAIN, ThreadSuspend, &[0, 1]);
    bench.done(MAIN, ThreadGetRegisters, &[0, 1]);
    let words = got(&bench, MAIN);
    assert_eq!((words[RDI], words[16], words[17]), (77, PC, FLAGS_INITIAL));
    let mut wanted: [u64; 18] = core::array::from_fn(|i| u64::MAX - i as u64);
    for rip in [1 << 47, u64::MAX] {
        wanted[16] = rip;
        bench.buffer(MAIN, &registers(&wanted));
        bench.refused(MAIN, ThreadSetRegisters, &[0, 1], Status::Invalid);
    }
    wanted[16] = 0x1234;
    wanted[17] = u64::MAX;
    bench.buffer(MAIN, &registers(&wanted));
    bench.done(MAIN, ThreadSetRegisters, &[0, 1]);
    let found = bench.kernel.arch.registers(thread);
    assert_eq!((found.rip, found.rflags), (0x1234, FLAGS_INITIAL | FLAGS_VISIBLE));
    assert_eq!(found.general[..], wanted[..16]);
    bench.done(MAIN, ThreadResume, &[0, 1]);

    // In a hypercall they can be seen, and not changed.
    assert_eq!(bench.call(thread, Sleep, &[1000]), Status::Waiting);
    bench.refused(MAIN, ThreadGetRegisters, &[0, 1], Status::BadState);
    bench.done(MAIN, ThreadSuspend, &[0, 1]);
    bench.done(MAIN, ThreadGetRegisters, &[0, 1]);
    assert_eq!(got(&bench, MAIN)[16], 0x1234);
    bench.refused(MAIN, ThreadSetRegisters, &[0, 1], Status::BadState);
    bench.tear_down();
}

#[test]
fn an_initial_thread_starts_with_registers_that_it_was_given() {
    let mut bench = Bench::new(TWO);
    bench.done(MAIN, DomainCreate, &[30]);
    assert_eq!(bench.configure(MAIN, 30, "two"), Status::Ok);
    let mut words = [0; 18];
    (words[RDI], words[16]) = (3, 0x1000_0040);
    bench.buffer(MAIN, &registers(&words));
    bench.done(MAIN, ThreadSetRegisters, &[30, 0]);
    let at = bench.kernel.events().len();
    bench.done(MAIN, DomainRun, &[30]);
    assert_eq!(bench.words(at), ["hypercall", "thread_started"]);
    let registers = bench.kernel.arch.registers(ThreadId(2));
    assert_eq!((registers.rip, registers.general[RDI]), (0x1000_0040, 3));
    bench.returns(ThreadId(2), 9);
    assert_eq!(bench.end_of(ThreadId(2)), Some(End::Exit(Exited { value: 9 })));
    bench.tear_down();
}

#[test]
fn a_thread_is_killed_whatever_it_does() {
    let mut bench = Bench::new(TWO);
    bench.done(MAIN, EndpointCreate, &[10]);
    // Ready, suspended, waiting to receive, waiting to send, asleep.
    for what in 0..5 {
        let thread = second(&mut bench);
        match what {
            1 => bench.done(MAIN, ThreadSuspend, &[0, 1]),
            2 => assert_eq!(bench.send(thread, SyncReceive, 10, 0), Status::Waiting),
            3 => assert_eq!(bench.send(thread, SyncSend, 10, 50), Status::Waiting),
            4 => assert_eq!(bench.call(thread, Sleep, &[100]), Status::Waiting),
            _ => {}
        }
        let at = bench.kernel.events().len();
        bench.done(MAIN, ThreadKill, &[0, 1]);
        assert_eq!(bench.words(at), ["hypercall", "ended"]);
        assert_eq!(bench.end_of(thread), TERMINATED);
        bench.refused(MAIN, ThreadKill, &[0, 1], Status::BadState);
    }
    // Nobody is met at the endpoint.
    assert_eq!(bench.send(MAIN, Hypercall::SyncPollSend, 10, 0), Status::WouldBlock);
    assert_eq!(bench.send(MAIN, Hypercall::SyncPollReceive, 10, 0), Status::WouldBlock);
    // Itself, and with it the domain.
    bench.done(MAIN, ThreadKill, &[0, 0]);
    assert_eq!(bench.end_of(MAIN), TERMINATED);
    assert_eq!(bench.state_of(DomainId(0)), Some(DomainState::Dead));
    bench.tear_down();
}

#[test]
fn a_domain_whose_only_thread_is_killed_before_it_ran_is_dead() {
    let mut bench = Bench::new(TWO);
    bench.done(MAIN, DomainCreate, &[30]);
    assert_eq!(bench.configure(MAIN, 30, "m"), Status::Ok);
    bench.done(MAIN, ThreadKill, &[30, 0]);
    assert_eq!(bench.state_of(DomainId(2)), Some(DomainState::Dead));
    for call in [DomainRun, ThreadCreate] {
        bench.refused(MAIN, call, &[30, PC], Status::BadState);
    }
    // With another thread it is not dead, and cannot be started either.
    bench.done(MAIN, DomainCreate, &[31]);
    assert_eq!(bench.configure(MAIN, 31, "m"), Status::Ok);
    create(&mut bench, MAIN, 31);
    bench.done(MAIN, ThreadKill, &[31, 0]);
    bench.refused(MAIN, DomainRun, &[31], Status::BadState);
    bench.done(MAIN, ThreadKill, &[31, 1]);
    assert_eq!(bench.state_of(DomainId(3)), Some(DomainState::Dead));
    bench.tear_down();
}

#[test]
fn a_thread_can_destroy_its_domain_with_all_its_threads() {
    let mut bench = Bench::new(TWO);
    let thread = bench.child(MAIN, 30);
    let (index, further) = create(&mut bench, MAIN, 30);
    bench.done(MAIN, ThreadResume, &[30, index]);
    assert_eq!(bench.call(further, Sleep, &[1000]), Status::Waiting);
    bench.done(MAIN, CapDelete, &[30]);
    let destroyed = Some(End::Killed(KillReason::Destroyed));
    assert_eq!((bench.end_of(thread), bench.end_of(further)), (destroyed.clone(), destroyed));
    assert_eq!(used(&bench, 0, Resource::Threads), 1);
    bench.tear_down();
}

#[test]
fn a_wait_ends_when_the_capability_it_goes_through_is_moved() {
    let mut bench = Bench::new(TWO);
    bench.done(MAIN, EndpointCreate, &[10]);
    let thread = second(&mut bench);
    assert_eq!(bench.send(thread, SyncReceive, 10, 0), Status::Waiting);
    bench.done(MAIN, CapMove, &[10, 11, 31]);
    assert_eq!(bench.state_of_thread(thread), ThreadState::Ready);
    assert_eq!(bench.word(thread, utcb::STATUS).cast_signed(), Status::Cancelled as i64);
    bench.done(MAIN, CapDelete, &[11]);
    bench.done(MAIN, ThreadKill, &[0, 1]);
    bench.tear_down();
}

#[test]
fn a_run_ends_threads_that_are_suspended_for_good() {
    let mut bench = Bench::new(TWO);
    let thread = second(&mut bench);
    bench.done(MAIN, ThreadSuspend, &[0, 1]);
    let (_, never) = create(&mut bench, MAIN, 0);
    bench.done(MAIN, Hypercall::Exit, &[0]);
    bench.done(PEER, Hypercall::Exit, &[0]);
    assert_eq!(bench.kernel.step(1), Step::Idle);
    bench.kernel.finish();
    let stuck = Some(End::Killed(KillReason::Stuck));
    assert_eq!((bench.end_of(thread), bench.end_of(never)), (stuck.clone(), stuck));
}

#[test]
fn a_further_thread_that_faults_ends_alone() {
    let mut bench = Bench::new(TWO);
    let thread = second(&mut bench);
    bench.exit(thread, Exit::Shutdown);
    assert_eq!(bench.end_of(thread), Some(End::Killed(KillReason::Shutdown)));
    assert_eq!(bench.state_of(DomainId(0)), Some(DomainState::Running));
    let space = SpaceId::Thread(thread);
    assert!(bench.kernel.capabilities.vacant(Slot { space, number: 3 }).is_err());
    bench.tear_down();
}
