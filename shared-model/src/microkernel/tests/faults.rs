//! Faults that are sent to somebody: who is told what, who decides, and what happens when nobody
//! can.

use super::scenes::{CALL, EP, FAMILY, THIRD, family};
use super::{Bench, DATA, G, MAIN, PEER, R, W};
use crate::abi::{Hypercall, Received, Status, utcb};
use crate::address::{GuestPhysical, GuestVirtual};
use crate::arch::Arch;
use crate::domain::{DomainId, ThreadId, ThreadState};
use crate::exit::{Access, End, Exit, KillReason};
use crate::microkernel::Step;
use crate::registers::Registers;

use Hypercall::{
    CapCopy, CapDelete, CapGrant, CapMove, CapRevoke, EndpointCreate, FaultBind, MemoryGrantAndMap,
    PageAllocate, PageMap, SyncCall, SyncReceive, SyncReply, SyncReplyReceive, ThreadCreate,
    ThreadGetRegisters, ThreadKill, ThreadResume, ThreadSetRegisters, ThreadSuspend,
};

/// `main` has capabilities to the others and made the endpoint, `peer` can receive from it, and
/// the faults of `third` go there with badge 5.
fn three() -> Bench {
    let mut bench = family();
    bench.done(MAIN, EndpointCreate, &[EP]);
    bench.done(MAIN, CapGrant, &[20, EP, EP, R | W | G]);
    bench.done(MAIN, CapCopy, &[EP, 11, W | CALL, 5]);
    bench.done(MAIN, FaultBind, &[21, 11]);
    bench
}

const FAULT: Exit = Exit::Fault {
    address: GuestPhysical(DATA + 0x5008),
    from: GuestVirtual(0x4000_5008),
    access: Access::Write,
};

fn fault_end() -> Option<End> {
    Some(End::Killed(KillReason::Fault {
        address: GuestVirtual(0x4000_5008),
        guest_physical: GuestPhysical(DATA + 0x5008),
        access: Access::Write,
    }))
}

const EXCEPTION: Exit = Exit::Exception { vector: 13, code: 8, address: None };

fn exception_end() -> Option<End> {
    Some(End::Killed(KillReason::Exception { vector: 13, code: 8, address: None }))
}

#[track_caller]
fn receives(bench: &mut Bench, thread: ThreadId, status: Status) {
    assert_eq!(bench.send(thread, SyncReceive, EP, 0), status);
}

/// Answers the fault that a thread received last.
#[track_caller]
fn decides(bench: &mut Bench, thread: ThreadId, decision: u64) {
    assert_eq!(bench.raw(thread, SyncReply as u32, &[decision]), Status::Ok);
}

fn message(bench: &Bench, thread: ThreadId) -> [u64; 8] {
    core::array::from_fn(|i| bench.word(thread, utcb::MESSAGE + i * 8))
}

fn rip(bench: &mut Bench, thread: ThreadId) -> u64 {
    bench.kernel.arch.registers(thread).rip
}

#[test]
fn a_handler_is_told_what_is_missing_and_the_instruction_is_tried_again() {
    let mut bench = three();
    receives(&mut bench, PEER, Status::Waiting);
    let at = bench.kernel.events().len();
    let before = rip(&mut bench, THIRD);
    let own = message(&bench, THIRD);
    bench.exit(THIRD, FAULT);
    assert_eq!(bench.words(at), ["faulted", "message", "capability_added", "completed"]);
    assert_eq!(bench.state_of_thread(THIRD), ThreadState::Blocked);
    assert_eq!(message(&bench, PEER), [1, 0x4000_5008, W, before, 0, 0, DATA + 0x5008, 0]);
    assert_eq!(bench.word(PEER, utcb::RECEIVED), Received::Fault as u64);
    assert_eq!(bench.word(PEER, utcb::BADGE), 5);
    decides(&mut bench, PEER, 0);
    assert_eq!(bench.state_of_thread(THIRD), ThreadState::Ready);
    assert_eq!(rip(&mut bench, THIRD), before);
    // The fault is not the thread's doing: its UTCB is as it was.
    assert_eq!(message(&bench, THIRD), own);
    bench.exit(THIRD, Exit::Return);
    assert!(matches!(bench.end_of(THIRD), Some(End::Exit(_))));
    bench.tear_down();
}

#[test]
fn a_handler_in_another_domain_maps_the_page() {
    let mut bench = three();
    bench.done(MAIN, CapGrant, &[20, 21, 22, R | W]);
    receives(&mut bench, PEER, Status::Waiting);
    bench.exit(THIRD, FAULT);
    let physical = message(&bench, PEER)[6] & !0xfff;
    bench.done(PEER, PageAllocate, &[30, R | W | G]);
    bench.done(PEER, MemoryGrantAndMap, &[22, 30, 27, physical, R | W]);
    decides(&mut bench, PEER, 0);
    assert_eq!(bench.state_of_thread(THIRD), ThreadState::Ready);
    let third = &bench.kernel.domains[&DomainId(2)];
    assert!(third.space.lookup(GuestPhysical(DATA + 0x5000)).is_ok());
    // What was given can be taken away again.
    bench.done(PEER, CapRevoke, &[30]);
    let third = &bench.kernel.domains[&DomainId(2)];
    assert!(third.space.lookup(GuestPhysical(DATA + 0x5000)).is_err());
    // Nobody pages it any more.
    bench.done(MAIN, FaultBind, &[21, 0]);
    let words = [22, 30, 27, physical, R | W];
    bench.refused(PEER, MemoryGrantAndMap, &words, Status::BadState);
    bench.tear_down();
}

#[test]
fn a_handler_in_the_same_domain_maps_the_page() {
    let mut bench = three();
    bench.done(MAIN, CapGrant, &[21, EP, EP, R | W | G]);
    bench.done(THIRD, ThreadCreate, &[0, 0x1000_0010, 0, 0]);
    bench.done(THIRD, ThreadResume, &[0, 1]);
    let pager = ThreadId(3);
    receives(&mut bench, pager, Status::Waiting);
    bench.exit(THIRD, FAULT);
    let [kind, address, ..] = message(&bench, pager);
    assert_eq!((kind, message(&bench, pager)[4]), (1, 0));
    bench.done(pager, PageAllocate, &[30, R | W]);
    bench.done(pager, PageMap, &[30, address & !0xfff, R | W]);
    decides(&mut bench, pager, 0);
    assert_eq!(bench.state_of_thread(THIRD), ThreadState::Ready);
    // The pager's own fault goes the same way. Nobody else receives, so it ends with the run.
    receives(&mut bench, pager, Status::Waiting);
    bench.exit(THIRD, EXCEPTION);
    assert_eq!(message(&bench, pager)[..6], [2, 0, 13, rip(&mut bench, THIRD), 0, 8]);
    bench.exit(pager, FAULT);
    assert_eq!(bench.state_of_thread(pager), ThreadState::Blocked);
    assert_eq!(bench.state_of_thread(THIRD), ThreadState::Blocked);
    bench.done(MAIN, Hypercall::Exit, &[0]);
    bench.done(PEER, Hypercall::Exit, &[0]);
    assert_eq!(bench.kernel.step(1), Step::Idle);
    bench.kernel.finish();
    assert_eq!((bench.end_of(THIRD), bench.end_of(pager)), (exception_end(), fault_end()));
}

#[test]
fn a_handler_that_refuses_ends_the_thread_with_its_fault() {
    let mut bench = three();
    for (decision, exit, end) in [(1, FAULT, fault_end()), (u64::MAX, EXCEPTION, exception_end())] {
        bench.done(MAIN, ThreadCreate, &[21, 0x1000_0010, 0, 0]);
        bench.done(MAIN, ThreadResume, &[21, 1]);
        let thread = ThreadId(bench.kernel.threads.len() as u32 - 1);
        receives(&mut bench, PEER, Status::Waiting);
        bench.exit(thread, exit);
        assert_eq!(message(&bench, PEER)[4], 1);
        decides(&mut bench, PEER, decision);
        assert_eq!(bench.end_of(thread), end);
        let nobody = bench.raw(PEER, SyncReply as u32, &[0]);
        assert_eq!(nobody, Status::NotFound, "a fault is answered once");
    }
    bench.tear_down();
}

#[test]
fn faults_wait_until_somebody_receives() {
    let mut bench = three();
    bench.done(MAIN, ThreadCreate, &[21, 0x1000_0010, 0, 0]);
    bench.done(MAIN, ThreadResume, &[21, 1]);
    let further = ThreadId(3);
    bench.exit(further, EXCEPTION);
    bench.exit(THIRD, FAULT);
    for (thread, index) in [(further, 1), (THIRD, 0)] {
        assert_eq!(bench.state_of_thread(thread), ThreadState::Blocked);
        receives(&mut bench, PEER, Status::Ok);
        assert_eq!(message(&bench, PEER)[4], index);
        assert_eq!(bench.word(PEER, utcb::BADGE), 5);
    }
    // The last received is answered first.
    decides(&mut bench, PEER, 0);
    assert_eq!(bench.state_of_thread(THIRD), ThreadState::Ready);
    assert_eq!(bench.state_of_thread(further), ThreadState::Blocked);
    decides(&mut bench, PEER, 1);
    assert_eq!(bench.end_of(further), exception_end());
    bench.tear_down();
}

#[test]
fn a_handler_that_goes_takes_the_thread_along() {
    // It has received the fault, or only could.
    for received in [false, true] {
        let mut bench = three();
        bench.done(MAIN, CapDelete, &[EP]);
        bench.exit(THIRD, FAULT);
        if received {
            receives(&mut bench, PEER, Status::Ok);
        }
        assert_eq!(bench.state_of_thread(THIRD), ThreadState::Blocked);
        bench.done(MAIN, ThreadKill, &[20, 0]);
        assert_eq!(bench.end_of(THIRD), fault_end());
        bench.tear_down();
    }
}

#[test]
fn where_nobody_can_answer_a_fault_is_the_end() {
    let mut bench = three();
    bench.done(MAIN, ThreadKill, &[20, 0]);
    bench.done(MAIN, CapDelete, &[EP]);
    let at = bench.kernel.events().len();
    bench.exit(THIRD, FAULT);
    assert_eq!(bench.words(at), ["faulted", "ended"]);
    assert_eq!(bench.end_of(THIRD), fault_end());
    bench.tear_down();

    // Nobody but itself.
    let mut bench = three();
    bench.done(MAIN, FaultBind, &[0, EP]);
    bench.done(PEER, Hypercall::Exit, &[0]);
    bench.exit(MAIN, FAULT);
    assert_eq!(bench.end_of(MAIN), fault_end());
    bench.tear_down();
}

#[test]
fn a_fault_while_a_fault_is_handled_is_handled_by_another() {
    let mut bench = three();
    // The handler's own faults go to main.
    bench.done(MAIN, EndpointCreate, &[12]);
    bench.done(MAIN, FaultBind, &[20, 12]);
    receives(&mut bench, PEER, Status::Waiting);
    assert_eq!(bench.send(MAIN, SyncReceive, 12, 0), Status::Waiting);
    bench.exit(THIRD, FAULT);
    bench.exit(PEER, EXCEPTION);
    assert_eq!(message(&bench, MAIN)[2], 13);
    // First the handler goes on, and then what it handles.
    decides(&mut bench, MAIN, 0);
    decides(&mut bench, PEER, 0);
    assert_eq!(bench.state_of_thread(THIRD), ThreadState::Ready);
    // Or the handler ends, and with it what it handles.
    receives(&mut bench, PEER, Status::Waiting);
    assert_eq!(bench.send(MAIN, SyncReceive, 12, 0), Status::Waiting);
    bench.exit(THIRD, FAULT);
    bench.exit(PEER, EXCEPTION);
    decides(&mut bench, MAIN, 1);
    assert_eq!((bench.end_of(PEER), bench.end_of(THIRD)), (exception_end(), fault_end()));
    bench.tear_down();
}

#[test]
fn binding_needs_the_domain_and_an_endpoint_that_can_be_called() {
    let mut bench = three();
    bench.done(MAIN, CapCopy, &[21, 30, R | G, 0]);
    bench.done(MAIN, CapCopy, &[EP, 31, W, 0]);
    bench.done(MAIN, CapCopy, &[EP, 12, R | G | CALL, 0]);
    for (words, status) in [
        ([30, EP], Status::NotPermitted),
        ([21, 31], Status::NotPermitted),
        ([21, 12], Status::NotPermitted),
        ([21, 20], Status::Invalid),
        ([21, 29], Status::NotFound),
        ([21, 1], Status::Invalid),
        ([EP, EP], Status::Invalid),
        ([29, EP], Status::NotFound),
    ] {
        bench.refused(MAIN, FaultBind, &words, status);
    }
    bench.done(MAIN, FaultBind, &[21, 0]);
    bench.exit(THIRD, FAULT);
    assert_eq!(bench.end_of(THIRD), fault_end());
    bench.refused(MAIN, FaultBind, &[21, EP], Status::BadState);
    bench.tear_down();
}

#[test]
fn the_binding_goes_with_its_capability() {
    for how in 0..3 {
        let mut bench = three();
        bench.exit(THIRD, FAULT);
        assert_eq!(bench.state_of_thread(THIRD), ThreadState::Blocked);
        match how {
            0 => bench.done(MAIN, CapDelete, &[11]),
            1 => bench.done(MAIN, CapRevoke, &[EP]),
            _ => bench.done(MAIN, CapMove, &[11, 12, 31]),
        }
        // Who waited through it is told so; later faults are nobody's business.
        assert_eq!(bench.end_of(THIRD), fault_end());
        assert!(bench.kernel.domains[&DomainId(2)].fault_handler.is_none());
        bench.tear_down();
    }
}

#[test]
fn only_faults_of_instructions_are_sent() {
    for (exit, word) in [
        (Exit::Port { port: 0xc0 }, "port"),
        (Exit::Unsupported { what: "rdtsc".into(), at: GuestVirtual(0) }, "unsupported"),
        (Exit::Shutdown, "shutdown"),
    ] {
        let mut bench = three();
        bench.exit(THIRD, exit);
        assert_eq!(bench.end_of(THIRD).map(|end| end.word()), Some(word));
        bench.tear_down();
    }
}

#[test]
fn a_handler_can_look_and_let_the_thread_go_on_elsewhere() {
    let mut bench = three();
    bench.done(MAIN, EndpointCreate, &[12]);
    bench.done(MAIN, FaultBind, &[21, 12]);
    assert_eq!(bench.send(MAIN, SyncReceive, 12, 0), Status::Waiting);
    bench.exit(THIRD, EXCEPTION);
    bench.refused(MAIN, ThreadGetRegisters, &[21, 0], Status::BadState);
    bench.done(MAIN, ThreadSuspend, &[21, 0]);
    bench.done(MAIN, ThreadGetRegisters, &[21, 0]);
    let at = utcb::BUFFER + 16 * 8;
    let next = bench.word(MAIN, at) + 2;
    bench.set_word(MAIN, at, next);
    bench.done(MAIN, ThreadSetRegisters, &[21, 0]);
    decides(&mut bench, MAIN, 0);
    assert_eq!(bench.state_of_thread(THIRD), ThreadState::Suspended);
    bench.done(MAIN, ThreadResume, &[21, 0]);
    let Registers { rip, .. } = bench.kernel.arch.registers(THIRD);
    assert_eq!((rip, bench.state_of_thread(THIRD)), (next, ThreadState::Ready));
    bench.tear_down();
}

#[test]
fn a_thread_that_faults_for_ever_is_stopped_by_the_limit_of_events() {
    let world = FAMILY.replace("[limits]", "[limits]\nevents = 400");
    let mut bench = Bench::new(&world);
    bench.done(MAIN, EndpointCreate, &[EP]);
    bench.done(MAIN, CapGrant, &[20, EP, EP, R | W | G]);
    bench.done(MAIN, FaultBind, &[21, EP]);
    receives(&mut bench, PEER, Status::Waiting);
    bench.unchecked = true;
    for _ in 0..500 {
        if bench.state_of_thread(THIRD) != ThreadState::Ready {
            break;
        }
        bench.exit(THIRD, FAULT);
        if bench.state_of_thread(PEER) == ThreadState::Ready {
            bench.set_word(PEER, utcb::MESSAGE, 0);
            bench.set_word(PEER, utcb::ENDPOINT, EP);
            bench.exit(PEER, Exit::Hypercall { number: SyncReplyReceive as u32 });
        }
    }
    let ends = [THIRD, PEER].map(|thread| bench.end_of(thread));
    let timeout = Some(End::Killed(KillReason::Timeout));
    assert!(ends.contains(&timeout), "{ends:?}");
    assert!(bench.kernel.events().len() < 420);
}

#[test]
fn a_fault_of_a_thread_that_owes_an_answer_leaves_its_caller_waiting() {
    let mut bench = three();
    bench.done(MAIN, CapGrant, &[21, EP, EP, R | W | G]);
    bench.done(MAIN, EndpointCreate, &[12]);
    bench.done(MAIN, FaultBind, &[21, 12]);
    receives(&mut bench, THIRD, Status::Waiting);
    assert_eq!(bench.send(PEER, SyncCall, EP, 0), Status::Waiting);
    assert_eq!(bench.send(MAIN, SyncReceive, 12, 0), Status::Waiting);
    bench.exit(THIRD, FAULT);
    assert_eq!(bench.state_of_thread(PEER), ThreadState::Blocked);
    decides(&mut bench, MAIN, 1);
    assert_eq!(bench.end_of(THIRD), fault_end());
    assert_eq!(bench.word(PEER, utcb::STATUS).cast_signed(), Status::PeerDied as i64);
    bench.tear_down();
}
