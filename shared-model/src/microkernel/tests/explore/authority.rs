//! Two domains that grant, copy, move, delete, revoke, map and unmap, in every order, against the
//! reference of authority. A revoke takes as many turns as there are capabilities to remove.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::super::reference::Reference;
use super::{Bench, Broken, DomainId, Explored, can_call, explore_all, is_noticed};
use crate::abi::{Hypercall, Status, utcb};
use crate::capability::{Slot, SpaceId};
use crate::domain::ThreadId;
use crate::event::EventKind;
use crate::exit::Exit;
use crate::microkernel::Step;

use super::super::DATA;
use Hypercall::{
    CapCopy, CapDelete, CapGrant, CapMove, CapRevoke, PageAllocate, PageMap, PageUnmap,
};

/// Where `a`'s second thread starts: in its module.
const PC: u64 = 0x1000_0010;

const WORLD: &str = r#"
name = "authority"
[[domain]]
name = "a"
module = "m"
pages = [{ slot = 5, rights = "rwg" }]
caps = [{ slot = 4, object = "b", rights = "w" }]
[[domain]]
name = "b"
module = "m"
caps = [{ slot = 4, object = "a", rights = "w" }]
"#;

#[derive(Clone)]
struct Authority {
    bench: Bench,
    reference: Reference,
    /// What each thread is revoking: the number that the reference gave it.
    revokes: BTreeMap<ThreadId, u64>,
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Call(u32, Hypercall, [u64; 4]),
    /// Goes on with a revoke.
    Work(u32),
}

impl Explored for Authority {
    const DEPTH: usize = 6;
    const STATES: usize = 2000;
    type Act = Act;

    fn start(broken: Broken) -> Self {
        let mut bench = Bench::new(WORLD);
        let first = ThreadId(0);
        // A second thread of `a`, which can change what the first is in the middle of revoking.
        bench.done(first, Hypercall::ThreadCreate, &[0, PC, 0, 0]);
        bench.done(first, Hypercall::ThreadResume, &[0, 1]);
        bench.done(first, CapCopy, &[5, 6, 31, 0]);
        bench.done(first, CapCopy, &[6, 7, 3, 0]);
        bench.kernel.batch = 1;
        bench.forget_log();
        bench.kernel.broken = broken;
        let reference = Reference::of(&bench.kernel);
        Self { bench, reference, revokes: BTreeMap::new() }
    }

    fn acts() -> Vec<Act> {
        let call = Act::Call;
        alloc::vec![
            // `a` has the page in slot 5, and `b` gets it there.
            call(0, CapGrant, [4, 5, 5, 0b1011]),
            call(0, CapCopy, [5, 6, 31, 0]),
            call(0, CapCopy, [6, 7, 1, 0]),
            call(0, CapMove, [6, 7, 31, 0]),
            call(0, CapMove, [5, 8, 31, 0]),
            call(0, CapDelete, [5, 0, 0, 0]),
            call(0, CapDelete, [6, 0, 0, 0]),
            call(0, CapRevoke, [5, 0, 0, 0]),
            call(0, CapRevoke, [6, 0, 0, 0]),
            call(0, PageAllocate, [5, 11, 0, 0]),
            call(0, PageMap, [5, DATA, 3, 0]),
            call(0, PageMap, [7, DATA, 3, 0]),
            call(0, PageUnmap, [5, 0, 0, 0]),
            call(1, CapGrant, [4, 5, 7, 31]),
            call(1, CapCopy, [5, 6, 9, 0]),
            call(1, CapDelete, [5, 0, 0, 0]),
            call(1, CapMove, [6, 5, 31, 0]),
            call(1, CapRevoke, [5, 0, 0, 0]),
            call(1, PageMap, [5, DATA, 3, 0]),
            call(1, PageMap, [6, DATA, 1, 0]),
            call(2, CapDelete, [5, 0, 0, 0]),
            call(2, CapMove, [6, 5, 31, 0]),
            call(2, CapCopy, [5, 7, 3, 0]),
            call(2, CapRevoke, [6, 0, 0, 0]),
            Act::Work(0),
            Act::Work(2),
            Act::Work(1),
        ]
    }

    fn apply(&mut self, act: Act) -> bool {
        let (Act::Call(thread, ..) | Act::Work(thread)) = act;
        let thread = ThreadId(thread);
        let possible = match act {
            Act::Call(..) => can_call(&self.bench, thread),
            Act::Work(_) => self.bench.kernel.thread(thread).work.is_some(),
        };
        if !possible {
            return false;
        }
        match act {
            Act::Call(_, call, words) => {
                let status = self.call(thread, call, words);
                self.follow(thread, call, words, status);
            }
            Act::Work(_) => assert_eq!(self.bench.exit(thread, Exit::Budget), Step::Continued),
        }
        self.bench.kernel.arch.exits.clear();
        self.follow_revoke(thread);
        self.reference.check(&self.bench.kernel);
        self.bench.forget_log();
        true
    }

    fn bench(&mut self) -> &mut Bench {
        &mut self.bench
    }
}

impl Authority {
    fn call(&mut self, thread: ThreadId, call: Hypercall, words: [u64; 4]) -> Status {
        for (i, word) in words.into_iter().chain([0; 4]).enumerate() {
            self.bench.set_word(thread, utcb::MESSAGE + i * 8, word);
        }
        let step = self.bench.exit(thread, Exit::Hypercall { number: call as u32 });
        assert_eq!(step, Step::Continued);
        let EventKind::Hypercall { status, .. } = self.bench.kernel.events()[0].kind else {
            panic!("a hypercall is its own first event");
        };
        status
    }

    /// What the reference makes of a call.
    fn follow(&mut self, thread: ThreadId, call: Hypercall, words: [u64; 4], status: Status) {
        let holder = self.bench.kernel.thread(thread).domain;
        let own = |number| Slot { space: SpaceId::Domain(holder), number };
        let [first, second, third, _] = words;
        let wanted = match call {
            CapGrant => {
                let domains = &self.bench.kernel.domains;
                self.reference.grant(holder, words, |id: DomainId| domains[&id].state)
            }
            CapCopy => self.reference.copy(own(first), own(second), third),
            CapMove => self.reference.move_to(own(first), own(second)),
            CapDelete => self.reference.delete(own(first)),
            CapRevoke => match self.reference.number(own(first)) {
                Some(number) => {
                    self.revokes.insert(thread, number);
                    return assert!(matches!(status, Status::Ok | Status::Waiting));
                }
                None => Err(Status::NotFound),
            },
            PageAllocate if status == Status::Ok => {
                let held = self.bench.capability(thread, first).expect("it is new");
                assert_eq!(held.rights.bits(), second);
                return self.reference.insert(own(first), held.object, held.rights);
            }
            _ => return,
        };
        assert_eq!(status, wanted.err().unwrap_or(Status::Ok), "{call:?} {words:?}");
    }

    /// A revoke removes only what derives from what it was called for, and in the end all of it.
    fn follow_revoke(&mut self, thread: ThreadId) {
        let Some(&number) = self.revokes.get(&thread) else { return };
        let left = self.reference.remove_derived(number, &self.bench.kernel);
        if self.bench.kernel.thread(thread).work.is_none() {
            self.revokes.remove(&thread);
            assert_eq!(left, 0, "a revoke that is over leaves something");
        }
    }
}

#[test]
fn explore_authority() {
    explore_all::<Authority>();
}

#[test]
fn explore_broken_authority() {
    for broken in [
        Broken::KeepsGrandchildren,
        Broken::RevokesSelf,
        Broken::RevokesNewOccupant,
        Broken::KeepsMapping,
        Broken::RefundsTwice,
        Broken::LeaksFrames,
        Broken::LogsNoRemoval,
    ] {
        is_noticed::<Authority>(broken);
    }
}
