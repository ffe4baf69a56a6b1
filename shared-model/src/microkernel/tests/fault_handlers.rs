//! Every kind of fault, with a handler in another domain and with one in the same: what it is told,
//! and that the instruction is tried again, goes on elsewhere, or ends the thread, as it decides.

use super::scenes::{
    CALL, EP, THIRD, TO_PEER, TO_THIRD, blocked, family, goes, message, thread, woken, words,
};
use super::{Bench, CODE, DATA, G, MAIN, PEER, R, W, X};
use crate::abi::{Hypercall, Received, Status, utcb};
use crate::address::{GuestPhysical, GuestVirtual};
use crate::arch::Arch;
use crate::domain::{DomainId, ThreadId, ThreadState};
use crate::exit::{Access, End, Exit, KillReason};

use Hypercall::{
    CapCopy, CapGrant, EndpointCreate, FaultBind, MemoryGrantAndMap, PageAllocate, PageMap,
    PageUnmap, SyncPollReceive, SyncReceive, SyncReply, ThreadGetRegisters, ThreadResume,
    ThreadSetRegisters, ThreadSuspend,
};

/// A domain whose faults go to a handler.
struct Handled {
    bench: Bench,
    /// Whose faults are handled, and its index.
    faulty: ThreadId,
    index: u64,
    handler: ThreadId,
    /// The handler's slot for the faulty thread's domain.
    domain: u64,
}

/// The handler is a thread of another domain, or of the same.
fn handled(within: bool) -> Handled {
    let mut bench = family();
    bench.done(MAIN, EndpointCreate, &[EP]);
    if within {
        bench.done(MAIN, FaultBind, &[0, EP]);
        let faulty = thread(&mut bench, 0);
        return Handled { bench, faulty, index: 1, handler: MAIN, domain: 0 };
    }
    bench.done(MAIN, CapCopy, &[EP, 11, W | CALL, 5]);
    bench.done(MAIN, FaultBind, &[TO_THIRD, 11]);
    bench.done(MAIN, CapGrant, &[TO_PEER, EP, EP, R]);
    bench.done(MAIN, CapGrant, &[TO_PEER, TO_THIRD, 22, R | W]);
    Handled { bench, faulty: THIRD, index: 0, handler: PEER, domain: 22 }
}

const MISSING: u64 = DATA + 0x5000;
/// Where that page appears to the domain's instructions.
const SEEN: u64 = 0x4000_5000;

/// The faults: how the thread leaves the processor, and what the handler is told, but for where the
/// thread was and which it is.
fn faults() -> [(Exit, [u64; 6]); 5] {
    let fault = |physical, virtual_, access| Exit::Fault {
        address: GuestPhysical(physical),
        from: GuestVirtual(virtual_),
        access,
    };
    let code = 0x6000_0040;
    [
        (fault(MISSING + 8, SEEN + 8, Access::Read), [1, SEEN + 8, R, 0, MISSING + 8, 0]),
        (fault(MISSING, SEEN, Access::Write), [1, SEEN, W, 0, MISSING, 0]),
        (fault(CODE + 0x40, code, Access::Execute), [1, code, X, 0, CODE + 0x40, 0]),
        // It began in the page before, which is there.
        (fault(MISSING, SEEN, Access::Read), [1, SEEN, R, 0, MISSING, 0]),
        (Exit::Exception { vector: 6, code: 0, address: None }, [2, 0, 6, 0, 0, 0]),
    ]
}

fn end_of(exit: &Exit) -> KillReason {
    match *exit {
        Exit::Fault { address, from, access } => {
            KillReason::Fault { address: from, guest_physical: address, access }
        }
        Exit::Exception { vector, code, address } => {
            KillReason::Exception { vector, code, address }
        }
        ref other => panic!("{other:?}"),
    }
}

impl Handled {
    /// The thread faults, and the handler, which waits for it or comes later, is told.
    #[track_caller]
    fn fault(&mut self, exit: Exit, told: [u64; 6], waits: bool) {
        let Self { faulty, handler, index, .. } = *self;
        let bench = &mut self.bench;
        let rip = bench.kernel.arch.registers(faulty).rip;
        message(bench, faulty, 900);
        if waits {
            assert_eq!(bench.send(handler, SyncReceive, EP, 0), Status::Waiting);
            bench.exit(faulty, exit);
            woken(bench, handler, Status::Ok);
        } else {
            bench.exit(faulty, exit);
            blocked(bench, faulty);
            goes(bench, handler, SyncReceive);
        }
        let [kind, address, detail, code, physical, last] = told;
        let wanted = [kind, address, detail, rip, index, code, physical, last];
        assert_eq!(words(bench, handler), wanted);
        assert_eq!(bench.word(handler, utcb::RECEIVED), Received::Fault as u64);
        blocked(bench, faulty);
    }

    #[track_caller]
    fn decide(&mut self, decision: u64) {
        let status = self.bench.raw(self.handler, SyncReply as u32, &[decision]);
        assert_eq!(status, Status::Ok);
    }

    /// The handler maps a page where it is missing.
    #[track_caller]
    fn map(&mut self, slot: u64, at: u64, rights: u64) {
        let bench = &mut self.bench;
        bench.done(self.handler, PageAllocate, &[slot, R | W | X | G]);
        if self.domain == 0 {
            bench.done(self.handler, PageMap, &[slot, at, rights]);
        } else {
            let words = [self.domain, slot, slot, at, rights];
            bench.done(self.handler, MemoryGrantAndMap, &words);
        }
    }

    /// The faulty thread is where it was, with all that was its own, and runs.
    #[track_caller]
    fn goes_on_at(&mut self, rip: u64) {
        let Self { faulty, .. } = *self;
        assert_eq!(self.bench.state_of_thread(faulty), ThreadState::Ready);
        assert_eq!(self.bench.kernel.arch.registers(faulty).rip, rip);
        assert_eq!(words(&self.bench, faulty), core::array::from_fn(|i| 900 + i as u64));
        self.bench.done(faulty, Hypercall::Yield, &[]);
    }

    fn rip(&mut self) -> u64 {
        self.bench.kernel.arch.registers(self.faulty).rip
    }
}

/// A fault that a page makes good: the handler maps it, and the instruction is tried again.
#[track_caller]
fn made_good(within: bool, which: usize) {
    for waits in [false, true] {
        let mut handled = handled(within);
        let rip = handled.rip();
        let (exit, told) = faults()[which].clone();
        handled.fault(exit.clone(), told, waits);
        let [_, _, right, _, physical, _] = told;
        handled.map(30, physical & !0xfff, R | right);
        let domain = handled.bench.kernel.thread(handled.faulty).domain;
        let at = GuestPhysical(physical & !0xfff);
        let mapping = handled.bench.kernel.arch.mappings()[&domain][&at];
        assert_eq!(mapping.1.bits(), R | right);
        handled.decide(0);
        handled.goes_on_at(rip);
        // The same again, and nobody makes it good: it is the handler who is asked.
        handled.fault(exit, told, waits);
        handled.decide(0);
        handled.goes_on_at(rip);
        handled.bench.tear_down();
    }
}

#[test]
fn a_read_is_made_good_within_the_domain() {
    made_good(true, 0);
}

#[test]
fn a_write_is_made_good_within_the_domain() {
    made_good(true, 1);
}

#[test]
fn a_fetch_is_made_good_within_the_domain() {
    made_good(true, 2);
}

#[test]
fn an_access_across_pages_is_made_good_within_the_domain() {
    made_good(true, 3);
}

#[test]
fn a_read_is_made_good_by_another_domain() {
    made_good(false, 0);
}

#[test]
fn a_write_is_made_good_by_another_domain() {
    made_good(false, 1);
}

#[test]
fn a_fetch_is_made_good_by_another_domain() {
    made_good(false, 2);
}

#[test]
fn an_access_across_pages_is_made_good_by_another_domain() {
    made_good(false, 3);
}

/// An instruction that means nothing: the handler lets the thread go on behind it.
#[track_caller]
fn stepped_over(within: bool) {
    let mut handled = handled(within);
    let rip = handled.rip();
    let (exit, told) = faults()[4].clone();
    handled.fault(exit, told, true);
    let Handled { handler, domain, index, .. } = handled;
    let bench = &mut handled.bench;
    bench.refused(handler, ThreadSetRegisters, &[domain, index], Status::BadState);
    bench.done(handler, ThreadSuspend, &[domain, index]);
    bench.done(handler, ThreadGetRegisters, &[domain, index]);
    let at = utcb::BUFFER + 16 * 8;
    assert_eq!(bench.word(handler, at), rip);
    bench.set_word(handler, at, rip + 2);
    bench.done(handler, ThreadSetRegisters, &[domain, index]);
    bench.done(handler, ThreadResume, &[domain, index]);
    blocked(bench, handled.faulty);
    handled.decide(0);
    handled.goes_on_at(rip + 2);
    handled.bench.tear_down();
}

#[test]
fn an_undefined_instruction_is_stepped_over_within_the_domain() {
    stepped_over(true);
}

#[test]
fn an_undefined_instruction_is_stepped_over_by_another_domain() {
    stepped_over(false);
}

#[test]
fn a_handler_that_refuses_ends_the_thread_with_its_fault_whatever_it_is() {
    for within in [false, true] {
        for (i, (exit, told)) in faults().into_iter().enumerate() {
            let mut handled = handled(within);
            let end = Some(End::Killed(end_of(&exit)));
            handled.fault(exit, told, i % 2 == 0);
            handled.decide(1 + i as u64);
            assert_eq!(handled.bench.end_of(handled.faulty), end);
            let again = handled.bench.raw(handled.handler, SyncReply as u32, &[0]);
            assert_eq!(again, Status::NotFound, "there is nobody to answer any more");
            handled.bench.tear_down();
        }
    }
}

#[test]
fn a_hypercall_that_does_not_exist_is_no_fault() {
    for within in [false, true] {
        let mut handled = handled(within);
        let Handled { faulty, handler, .. } = handled;
        for number in [27, 31, 68, 0x8000_0000, u32::MAX] {
            assert_eq!(handled.bench.raw(faulty, number, &[]), Status::NoSystemCall);
            assert_eq!(handled.bench.send(handler, SyncPollReceive, EP, 0), Status::WouldBlock);
        }
        handled.bench.tear_down();
    }
}

#[test]
fn the_fault_of_a_handler_goes_to_the_next_and_both_are_made_good() {
    let mut handled = handled(false);
    handled.bench.done(MAIN, EndpointCreate, &[12]);
    handled.bench.done(MAIN, FaultBind, &[TO_PEER, 12]);
    let (exit, told) = faults()[1].clone();
    handled.fault(exit.clone(), told, true);
    // The handler looks at a page of its own that is missing.
    handled.bench.exit(PEER, exit);
    blocked(&handled.bench, PEER);
    assert_eq!(handled.bench.send(MAIN, SyncReceive, 12, 0), Status::Ok);
    handled.bench.done(MAIN, PageAllocate, &[30, R | W | G]);
    handled.bench.done(MAIN, MemoryGrantAndMap, &[TO_PEER, 30, 25, MISSING, R | W]);
    assert_eq!(handled.bench.raw(MAIN, SyncReply as u32, &[0]), Status::Ok);
    // Now it passes that page on: what is there is what main gave.
    handled.bench.done(MAIN, CapGrant, &[TO_PEER, 30, 26, R | W | G]);
    handled.bench.done(PEER, MemoryGrantAndMap, &[22, 26, 25, MISSING, R | W]);
    let rip = handled.rip();
    handled.decide(0);
    handled.goes_on_at(rip);
    let frames = [DomainId(1), DomainId(2)]
        .map(|domain| handled.bench.kernel.arch.mappings()[&domain][&GuestPhysical(MISSING)].0);
    assert_eq!(frames[0], frames[1]);
    // And what main takes back is gone at both.
    handled.bench.done(MAIN, Hypercall::CapRevoke, &[30]);
    for domain in [DomainId(1), DomainId(2)] {
        let mappings = &handled.bench.kernel.arch.mappings()[&domain];
        assert!(!mappings.contains_key(&GuestPhysical(MISSING)));
    }
    handled.bench.tear_down();
}

#[test]
fn a_page_that_is_taken_away_again_is_missing_again() {
    let mut handled = handled(true);
    let (exit, told) = faults()[0].clone();
    for _ in 0..3 {
        handled.fault(exit.clone(), told, true);
        handled.map(30, MISSING, R);
        handled.decide(0);
        let rip = handled.rip();
        handled.goes_on_at(rip);
        handled.bench.done(MAIN, PageUnmap, &[30]);
        handled.bench.done(MAIN, Hypercall::CapDelete, &[30]);
    }
    handled.bench.tear_down();
}
