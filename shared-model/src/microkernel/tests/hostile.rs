//! Domains that try everything: random hypercalls with hostile arguments, faults, kills, a backend
//! that fails, in any order. After each step everything that must hold is checked.
//!
//! `LCD_MODEL_CASES=10000 cargo test -p shared-model hostile` tries longer.

use std::panic::{AssertUnwindSafe, catch_unwind};

use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::test_runner::{Config, TestRunner};

use super::reference::Reference;
use super::{Bench, CODE, DATA};
use crate::abi::{Hypercall, Status, utcb};
use crate::address::{GuestPhysical, GuestVirtual};
use crate::arch::Arch;
use crate::capability::{Object, Slot, SpaceId, cptr};
use crate::domain::{DomainId, ThreadId};
use crate::exit::{Access, Exit};
use crate::rights::Rights;

/// Domains that hold pages, each other and themselves, with different rights. The last is held by
/// one of them alone.
const WORLD: &str = r#"
name = "hostile"
[limits]
pages = 60
events = 4000
[[domain]]
name = "a"
module = "m"
pages = [{ slot = 25, rights = "rwxg", at = 0x4000_0000 }, { slot = 26, rights = "rwg" }]
caps = [
    { slot = 3, object = "a", rights = "rwg" },
    { slot = 4, object = "b", rights = "rwg" },
    { slot = 5, object = "c", rights = "rwg" },
]
[[domain]]
name = "b"
module = "m"
pages = [
    { slot = 25, rights = "rxg", at = 0x6000_0000 },
    { slot = 6, rights = "rwg", at = 0x4000_0000 },
]
caps = [{ slot = 26, object = "d", rights = "rwg" }, { slot = 3, object = "a", rights = "wg" }, { slot = 4, object = "c", rights = "rw" }]
[[domain]]
name = "c"
module = "two"
caps = [{ slot = 3, object = "b", rights = "rg" }, { slot = 4, object = "c", rights = "rwg" }]
[[domain]]
name = "d"
module = "m"
"#;

const MODULES: [&str; 6] = ["m", "m", "two", "none", "broken", "what?"];

/// What is tried. `who` and the like are taken modulo how many there are.
#[derive(Clone, Debug)]
enum Step {
    Call { who: usize, call: usize, words: [u64; 4], name: usize },
    Raw { who: usize, number: u32, words: [u64; 8] },
    Return { who: usize, value: u64 },
    Leave { who: usize, how: usize },
    Kill(usize),
    Destroy(usize),
    Create,
    Load(usize, usize),
    Start(usize),
    Fail(u64),
}

fn slot() -> impl Strategy<Value = u64> {
    prop_oneof![12 => 1..9_u64, 1 => Just(0), 1 => Just(cptr::NUMBERS - 1), 1 => Just(cptr::NUMBERS), 1 => any::<u64>()]
}

fn rights() -> impl Strategy<Value = u64> {
    prop_oneof![12 => 0..16_u64, 4 => Just(15), 1 => Just(16), 1 => any::<u64>()]
}

fn place() -> impl Strategy<Value = u64> {
    let pages = (0..3_u64).prop_map(|page| page * 0x1000);
    prop_oneof![
        6 => pages.clone().prop_map(|offset| DATA + offset),
        4 => pages.prop_map(|offset| CODE + offset),
        1 => Just(DATA + 0x1ffff000),
        1 => Just(DATA - 0x1000),
        1 => Just(CODE + 0x1000_0000),
        1 => (0..0x3000_u64).prop_map(|offset| DATA + offset),
        1 => any::<u64>(),
    ]
}

/// Arguments that fit the call more often than not.
fn call() -> impl Strategy<Value = Step> {
    let calls = prop_oneof![
        4 => Just(Hypercall::CapGrant), 2 => Just(Hypercall::CapDelete),
        2 => Just(Hypercall::CapRevoke), 3 => Just(Hypercall::PageAllocate),
        6 => Just(Hypercall::PageMap), 2 => Just(Hypercall::PageUnmap),
        2 => Just(Hypercall::DomainCreate), 2 => Just(Hypercall::DomainConfigure),
        2 => Just(Hypercall::DomainRun), 1 => Just(Hypercall::ConsoleWrite),
        1 => Just(Hypercall::Yield),
    ];
    let numbers =
        (any::<usize>(), calls, slot(), slot(), slot(), rights(), place(), any::<usize>());
    numbers.prop_map(|(who, call, a, b, c, rights, place, name)| {
        let words = match call {
            Hypercall::CapGrant => [a, b, c, rights],
            Hypercall::PageAllocate => [a, rights, 0, 0],
            Hypercall::PageMap => [a, place, rights, 0],
            // The length is put in when the name is.
            Hypercall::DomainConfigure if name % 8 == 0 => [a, b, 0, 0],
            Hypercall::ConsoleWrite => [place % 5000, b, c, 0],
            _ => [a, u64::MAX, 0, 0],
        };
        Step::Call { who, call: call as usize, words, name }
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = any::<usize>;
    let number = prop_oneof![0..40_u32, any::<u32>()];
    let step = prop_oneof![
        60 => call(),
        3 => (who(), number, any::<[u64; 8]>())
            .prop_map(|(who, number, words)| Step::Raw { who, number, words }),
        1 => (who(), any::<u64>()).prop_map(|(who, value)| Step::Return { who, value }),
        1 => (who(), 0..8_usize).prop_map(|(who, how)| Step::Leave { who, how }),
        1 => who().prop_map(Step::Kill),
        1 => who().prop_map(Step::Destroy),
        1 => Just(Step::Create),
        2 => (who(), who()).prop_map(|(domain, module)| Step::Load(domain, module)),
        2 => who().prop_map(Step::Start),
        3 => (0..30_u64).prop_map(Step::Fail),
    ];
    proptest::collection::vec(step, 1..80)
}

/// What the test breaks on purpose.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Broken {
    Nothing,
    /// A copy has every right.
    Grant,
    /// The backend keeps what was unmapped.
    Unmap,
    /// A deleted capability leaves its page's frame in use.
    Free,
    /// A revoke forgets to say so in the log.
    Log,
    /// A dead thread keeps its turn.
    Death,
}

struct World {
    bench: Bench,
    reference: Reference,
    broken: Broken,
    steps: usize,
}

impl World {
    fn new(broken: Broken) -> Self {
        let mut bench = Bench::new(WORLD);
        let (holder, held) = (ThreadId(1), ThreadId(3));
        bench.done(holder, Hypercall::CapGrant, &[26, 6, 25, 15]);
        bench.done(held, Hypercall::PageMap, &[25, DATA, 1]);
        bench.kernel.arch.keeps_mappings = broken == Broken::Unmap;
        let mut reference = Reference::of(&bench.kernel);
        // The host keeps only the first domain, so that the others can lose their last holder.
        for number in [2, 3, 4] {
            let slot = Slot { space: SpaceId::Host, number };
            let removed = bench.kernel.capabilities.delete(slot).expect("the host made it");
            bench.kernel.settle(removed);
            while !bench.kernel.reap_orphans() {}
            reference.delete(slot).expect("it is there as well");
        }
        Self { bench, reference, broken, steps: 0 }
    }

    fn thread(&self, who: usize) -> Option<ThreadId> {
        let ready = &self.bench.kernel.ready;
        (!ready.is_empty()).then(|| ready[who % ready.len()])
    }

    fn domain(&self, which: usize) -> Option<DomainId> {
        let domains = &self.bench.kernel.domains;
        domains.keys().nth(which.checked_rem(domains.len())?).copied()
    }

    fn step(&mut self, step: Step) {
        self.steps += 1;
        match step {
            Step::Call { who, call, mut words, name } => {
                let Some(thread) = self.thread(who) else { return };
                let call = Hypercall::from_number(call as u32).expect("one of them");
                if call == Hypercall::DomainConfigure && words[1] == u64::MAX {
                    words[1] = self.bench.buffer(thread, MODULES[name % MODULES.len()].as_bytes());
                }
                self.call(thread, call, words);
            }
            Step::Raw { who, number, words } => {
                let Some(thread) = self.thread(who) else { return };
                match Hypercall::from_number(number) {
                    Some(call) => {
                        let frame = self.bench.kernel.thread(thread).utcb;
                        let garbage: Vec<_> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
                        self.bench.kernel.arch.frame_write(frame, utcb::BUFFER, &garbage);
                        self.call(thread, call, [words[0], words[1], words[2], words[3]]);
                    }
                    None => {
                        let status = self.bench.raw(thread, number, &words);
                        assert_eq!(status, Status::NoSystemCall);
                    }
                }
            }
            Step::Return { who, value } => {
                if let Some(thread) = self.thread(who) {
                    self.bench.returns(thread, value);
                }
            }
            Step::Leave { who, how } => {
                if let Some(thread) = self.thread(who) {
                    self.bench.exit(thread, leave(how));
                }
            }
            Step::Kill(which) => {
                let number = which % self.bench.kernel.threads.len();
                let _ = self.bench.kernel.kill_thread(ThreadId(number as u32));
            }
            Step::Destroy(which) if which % 4 == 0 => {
                if let Some(domain) = self.domain(which / 4) {
                    self.bench.kernel.destroy_domain(domain).expect("it exists");
                    self.reference.destroy(domain);
                }
            }
            Step::Destroy(_) => {}
            Step::Create => {
                if let Ok(domain) = self.bench.kernel.create_domain("made") {
                    let slot = Slot { space: SpaceId::Host, number: u64::from(domain.0) + 1 };
                    self.reference.insert(slot, Object::Domain(domain), Rights::ALL);
                }
            }
            Step::Load(domain, module) => {
                if let Some(domain) = self.domain(domain) {
                    let module = MODULES[module % MODULES.len()];
                    let _ = self.bench.kernel.load_module(domain, module, None, &[]);
                }
            }
            Step::Start(which) => {
                let number = which % self.bench.kernel.threads.len();
                let _ = self.bench.kernel.start_thread(ThreadId(number as u32));
            }
            Step::Fail(soon) => {
                self.bench.kernel.arch.fail_at = Some(self.bench.kernel.arch.fallible + soon);
            }
        }
        self.sabotage();
        self.bench.audit();
        self.reference.check(&self.bench.kernel);
    }

    fn call(&mut self, thread: ThreadId, call: Hypercall, words: [u64; 4]) {
        let holder = self.bench.kernel.thread(thread).domain;
        let own = |number| Slot { space: SpaceId::Domain(holder), number };
        let wanted = match call {
            Hypercall::CapDelete => Some(self.reference.delete(own(words[0]))),
            Hypercall::CapRevoke => Some(self.reference.revoke(own(words[0]))),
            Hypercall::CapGrant => {
                let domains = &self.bench.kernel.domains;
                Some(self.reference.grant(holder, words, |id| domains[&id].state))
            }
            _ => None,
        };
        let status = self.bench.call(thread, call, &words);
        if let Some(wanted) = wanted {
            assert_eq!(status, wanted.err().unwrap_or(Status::Ok), "{call:?} {words:x?}");
        }
        if status != Status::Ok {
            return;
        }
        match call {
            Hypercall::PageAllocate | Hypercall::DomainCreate => {
                let object = self.bench.capability(thread, words[0]).expect("it is new").object;
                let rights = match call {
                    Hypercall::PageAllocate => Rights::from_bits(words[1]).expect("it was taken"),
                    _ => Rights::ALL,
                };
                self.reference.insert(own(words[0]), object, rights);
            }
            Hypercall::CapGrant if self.broken == Broken::Grant => {
                self.widen(own(words[0]), words[2])
            }
            _ => {}
        }
    }

    /// As if a grant did not intersect.
    fn widen(&mut self, target: Slot, number: u64) {
        let capabilities = &mut self.bench.kernel.capabilities;
        let Ok(Object::Domain(to)) = capabilities.lookup(target).map(|found| found.object) else {
            return;
        };
        let slot = Slot { space: SpaceId::Domain(to), number };
        let object = capabilities.delete(slot).expect("it was granted").capability.object;
        capabilities.insert(slot, object, Rights::ALL).expect("it is vacant");
    }

    /// Breaks what the test asked for, if this step gives an opportunity.
    fn sabotage(&mut self) {
        let kernel = &mut self.bench.kernel;
        match (self.broken, kernel.events().last().map(|event| event.kind.word())) {
            (Broken::Free, Some("capability_removed")) => drop(kernel.frames.take()),
            (Broken::Log, Some("capability_removed")) => drop(kernel.events.kept_mut().pop()),
            (Broken::Death, Some("ended")) => kernel.ready.push_back(ThreadId(0)),
            _ => {}
        }
    }
}

fn leave(how: usize) -> Exit {
    let at = GuestVirtual(0x1000_0000);
    match how {
        0 => Exit::Exception { vector: 14, code: 7, address: Some(GuestVirtual(u64::MAX)) },
        1 => Exit::Fault { address: GuestPhysical(DATA), from: at, access: Access::Write },
        2 => Exit::Port { port: 0xe4 },
        3 => Exit::Unsupported { what: "rdtsc".into(), at },
        4 => Exit::Shutdown,
        5 => Exit::Hypercall { number: Hypercall::Exit as u32 },
        6 => Exit::Kicked,
        _ => Exit::Budget,
    }
}

pub(super) fn config(cases: u32) -> Config {
    let asked = std::env::var("LCD_MODEL_CASES").ok().and_then(|text| text.parse().ok());
    Config { cases: asked.unwrap_or(cases), failure_persistence: None, ..Config::default() }
}

#[test]
fn nothing_that_must_hold_can_be_broken_by_hostile_domains() {
    TestRunner::new(config(100))
        .run(&steps(), |steps| {
            let mut world = World::new(Broken::Nothing);
            steps.into_iter().for_each(|step| world.step(step));
            world.bench.tear_down();
            Ok(())
        })
        .unwrap();
}

#[test]
fn the_checks_notice_what_is_broken_on_purpose() {
    for broken in [Broken::Grant, Broken::Unmap, Broken::Free, Broken::Log, Broken::Death] {
        let mut runner = TestRunner::deterministic();
        let strategy = steps();
        let noticed = (0..200).any(|_| {
            let tree = strategy.new_tree(&mut runner).expect("a sequence");
            let steps = proptest::strategy::ValueTree::current(&tree);
            let mut world = World::new(broken);
            let run = || steps.into_iter().for_each(|step| world.step(step));
            catch_unwind(AssertUnwindSafe(run)).is_err()
        });
        assert!(noticed, "{broken:?} went unnoticed");
    }
}
