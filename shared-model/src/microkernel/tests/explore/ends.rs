//! Domains that end, by their own doing and by others', while one waits for the other, while things
//! are taken away, and while another is being taken apart.

use alloc::vec::Vec;

use super::super::DATA;
use super::{Bench, Broken, DomainId, Explored, can_call, explore_all, is_noticed};
use crate::abi::{Hypercall, utcb};
use crate::domain::{ThreadId, ThreadState};
use crate::exit::Exit;
use crate::microkernel::Step;

use Hypercall::{
    CapDelete, CapGrant, CapRevoke, DomainCreate, NotificationSignal, NotificationWait,
    PageAllocate, PageMap, SyncCall, SyncReceive, SyncReply, SyncSend,
};

const WORLD: &str = r#"
name = "ends"
[[domain]]
name = "a"
module = "m"
caps = [{ slot = 3, object = "b", rights = "rwg" }]
[[domain]]
name = "b"
module = "m"
caps = [{ slot = 3, object = "a", rights = "rwg" }]
"#;

const ENDPOINT: u64 = 10;
const NOTIFICATION: u64 = 11;

#[derive(Clone)]
struct Ends {
    bench: Bench,
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Call(u32, Hypercall, [u64; 5]),
    Work(u32),
    /// Goes on with taking apart what nobody holds, where nobody is at it.
    Reap,
    Time,
    Kill(u32),
    Destroy(u32),
}

impl Explored for Ends {
    const DEPTH: usize = 6;
    const STATES: usize = 6000;
    type Act = Act;

    fn start(broken: Broken) -> Self {
        let mut bench = Bench::new(WORLD);
        let first = ThreadId(0);
        bench.done(first, Hypercall::EndpointCreate, &[ENDPOINT]);
        bench.done(first, CapGrant, &[3, ENDPOINT, ENDPOINT, 31]);
        bench.done(first, Hypercall::NotificationCreate, &[NOTIFICATION]);
        bench.done(first, CapGrant, &[3, NOTIFICATION, NOTIFICATION, 31]);
        // The host keeps only the first domain.
        let slot = bench.kernel.capabilities.in_space(crate::capability::SpaceId::Host);
        let slots: Vec<_> = slot.map(|(slot, _)| slot).collect();
        let removed = bench.kernel.capabilities.delete(slots[1]).expect("it was just seen");
        bench.kernel.settle(removed);
        bench.kernel.batch = 1;
        bench.forget_log();
        bench.kernel.broken = broken;
        Self { bench }
    }

    fn acts() -> Vec<Act> {
        let call = |thread, call, words: &[u64]| {
            let mut all = [0; 5];
            all[..words.len()].copy_from_slice(words);
            Act::Call(thread, call, all)
        };
        alloc::vec![
            call(0, SyncCall, &[]),
            call(0, SyncReceive, &[]),
            call(0, NotificationWait, &[NOTIFICATION, 1 << 20]),
            call(0, CapRevoke, &[ENDPOINT]),
            call(0, CapDelete, &[ENDPOINT]),
            call(0, CapDelete, &[3]),
            call(0, DomainCreate, &[6]),
            call(0, CapGrant, &[6, ENDPOINT, ENDPOINT, 31]),
            call(0, CapGrant, &[6, 3, 3, 31]),
            call(0, CapDelete, &[6]),
            call(0, PageAllocate, &[7, 11]),
            call(0, PageMap, &[7, DATA, 3]),
            call(0, Hypercall::QuotaGet, &[0, 0]),
            call(1, SyncReceive, &[]),
            call(1, SyncReply, &[]),
            call(1, SyncSend, &[]),
            call(1, NotificationSignal, &[NOTIFICATION]),
            call(1, CapDelete, &[ENDPOINT]),
            call(1, CapDelete, &[NOTIFICATION]),
            call(1, CapDelete, &[2]),
            call(1, CapDelete, &[3]),
            call(1, Hypercall::Exit, &[]),
            Act::Work(0),
            Act::Work(1),
            Act::Reap,
            Act::Time,
            Act::Kill(0),
            Act::Kill(1),
            Act::Destroy(0),
            Act::Destroy(1),
        ]
    }

    fn apply(&mut self, act: Act) -> bool {
        let kernel = &mut self.bench.kernel;
        match act {
            Act::Call(thread, call, words) => {
                if !can_call(&self.bench, ThreadId(thread)) {
                    return false;
                }
                self.call(ThreadId(thread), call, words);
            }
            Act::Work(thread) => {
                if kernel.thread(ThreadId(thread)).work.is_none() {
                    return false;
                }
                assert_eq!(self.bench.exit(ThreadId(thread), Exit::Budget), Step::Continued);
            }
            Act::Reap => {
                if !kernel.workers.is_empty() || kernel.orphans.is_empty() {
                    return false;
                }
                assert_eq!(kernel.step(1000), Step::Continued);
            }
            Act::Time => {
                if kernel.deadlines.is_empty() {
                    return false;
                }
                kernel.advance_time();
            }
            Act::Kill(thread) => {
                if kernel.kill_thread(ThreadId(thread)).is_err() {
                    return false;
                }
            }
            Act::Destroy(domain) => {
                if kernel.destroy_domain(DomainId(domain)).is_err() {
                    return false;
                }
            }
        }
        self.bench.kernel.arch.exits.clear();
        self.nobody_waits_in_vain(act);
        self.bench.forget_log();
        true
    }

    fn bench(&mut self) -> &mut Bench {
        &mut self.bench
    }
}

impl Ends {
    fn call(&mut self, thread: ThreadId, call: Hypercall, words: [u64; 5]) {
        for (i, word) in words.into_iter().chain([0; 3]).enumerate() {
            self.bench.set_word(thread, utcb::MESSAGE + i * 8, word);
        }
        self.bench.set_word(thread, utcb::ENDPOINT, ENDPOINT);
        self.bench.set_word(thread, utcb::TIMEOUT, 0);
        let step = self.bench.exit(thread, Exit::Hypercall { number: call as u32 });
        assert_eq!(step, Step::Continued);
    }

    /// Once a domain or a thread is gone, nobody waits for it, unless he has begun since.
    fn nobody_waits_in_vain(&self, act: Act) {
        let kernel = &self.bench.kernel;
        if matches!(act, Act::Kill(_) | Act::Destroy(_) | Act::Call(_, Hypercall::Exit, _)) {
            let in_vain = kernel.blocked().find(|&thread| kernel.is_hopeless(thread));
            assert_eq!(in_vain, None, "somebody waits for the dead");
        }
        for thread in &kernel.threads {
            assert!(thread.state != ThreadState::Dead || thread.waiting.is_none());
        }
    }
}

#[test]
fn explore_ends() {
    explore_all::<Ends>();
}

#[test]
fn explore_broken_ends() {
    for broken in [
        Broken::KeepsWaiting,
        Broken::ForgetsPeers,
        Broken::LeavesStaleWaiter,
        Broken::LeaksFrames,
        Broken::RefundsTwice,
    ] {
        is_noticed::<Ends>(broken);
    }
}
