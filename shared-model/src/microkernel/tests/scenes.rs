//! What several files of tests begin with: domains that know each other, further threads, and
//! what is known of a thread that waits or was woken.

use super::{Bench, MAIN};
use crate::abi::{Hypercall, Status, utcb};
use crate::domain::{ThreadId, ThreadState};

pub(super) const THIRD: ThreadId = ThreadId(2);
/// The capabilities of `main` to the other two.
pub(super) const TO_PEER: u64 = 20;
pub(super) const TO_THIRD: u64 = 21;
/// The slot of the endpoint, wherever somebody has it.
pub(super) const EP: u64 = 10;
/// The right to call.
pub(super) const CALL: u64 = 16;
pub(super) const ALL: u64 = 31;

pub(super) const FAMILY: &str = r#"
name = "family"
[limits]
pages = 20000
[[domain]]
name = "main"
module = "m"
caps = [
    { slot = 20, object = "peer", rights = "rwg" },
    { slot = 21, object = "third", rights = "rwg" },
]
[[domain]]
name = "peer"
module = "m"
[[domain]]
name = "third"
module = "m"
"#;

/// Three domains that run: `main`, and two that it rules.
pub(super) fn family() -> Bench {
    Bench::new(FAMILY)
}

/// The same with an endpoint, which the others have with these rights, the third with badge 7.
pub(super) fn with_endpoint(peer: u64, third: u64) -> Bench {
    let mut bench = family();
    bench.done(MAIN, Hypercall::EndpointCreate, &[EP]);
    bench.done(MAIN, Hypercall::CapGrant, &[TO_PEER, EP, EP, peer]);
    bench.done(MAIN, Hypercall::CapGrant, &[TO_THIRD, EP, EP, third, 7]);
    bench
}

/// A further thread, which runs, in the domain of a slot of `main`, 0 being its own.
#[track_caller]
pub(super) fn thread(bench: &mut Bench, domain: u64) -> ThreadId {
    bench.done(MAIN, Hypercall::ThreadCreate, &[domain, 0x1000_0010, 0, 0]);
    let index = bench.word(MAIN, utcb::MESSAGE + 8);
    bench.done(MAIN, Hypercall::ThreadResume, &[domain, index]);
    ThreadId(bench.kernel.threads.len() as u32 - 1)
}

/// Fills a thread's message registers with numbers from `first` on.
pub(super) fn message(bench: &mut Bench, thread: ThreadId, first: u64) {
    for i in 0..utcb::REGISTERS {
        bench.set_word(thread, utcb::MESSAGE + i * 8, first + i as u64);
    }
}

/// Its message registers.
pub(super) fn words(bench: &Bench, thread: ThreadId) -> [u64; utcb::REGISTERS] {
    core::array::from_fn(|i| bench.word(thread, utcb::MESSAGE + i * 8))
}

#[track_caller]
pub(super) fn has_message(bench: &Bench, thread: ThreadId, first: u64) {
    assert_eq!(words(bench, thread), core::array::from_fn(|i| first + i as u64));
}

/// A call that carries a message, through the usual slot, and that has to wait.
#[track_caller]
pub(super) fn waits(bench: &mut Bench, thread: ThreadId, call: Hypercall) {
    assert_eq!(bench.send(thread, call, EP, 0), Status::Waiting);
    blocked(bench, thread);
}

/// The same, and it is done at once.
#[track_caller]
pub(super) fn goes(bench: &mut Bench, thread: ThreadId, call: Hypercall) {
    assert_eq!(bench.send(thread, call, EP, 0), Status::Ok, "{call:?}");
}

#[track_caller]
pub(super) fn blocked(bench: &Bench, thread: ThreadId) {
    assert_eq!(bench.state_of_thread(thread), ThreadState::Blocked);
}

/// A thread's wait is over, and this is what it was told.
#[track_caller]
pub(super) fn woken(bench: &Bench, thread: ThreadId, status: Status) {
    assert_eq!(bench.state_of_thread(thread), ThreadState::Ready);
    assert_eq!(bench.word(thread, utcb::STATUS).cast_signed(), status as i64);
}
