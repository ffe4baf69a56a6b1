//! A storm of hypercalls: every call there is, with arguments that are mostly wrong and sometimes
//! right, from domains that hold a little of everything, with garbage in their UTCBs. Nothing may
//! panic, all that must hold must hold, and a neighbour that has nothing to do with them must not
//! notice.
//!
//! `LCD_STORM=1000000 cargo test --release -p shared-model storm` makes a million.

use alloc::vec::Vec;

use super::{Bench, CODE, DATA};
use crate::abi::{Hypercall, utcb};
use crate::address::{GuestPhysical, GuestVirtual};
use crate::arch::Arch;
use crate::capability::{Object, SpaceId};
use crate::domain::{ThreadId, ThreadState};
use crate::exit::{Access, Exit};
use crate::microkernel::Step;
use crate::space::Mapping;

/// Two that know each other, with further threads, objects of every kind and a service in the host,
/// and a third that knows nobody.
const WORLD: &str = r#"
name = "storm"
[limits]
pages = 4000
events = 100000000
[[endpoint]]
name = "e"
[[endpoint]]
name = "to echo"
[[notification]]
name = "n"
[[channel]]
name = "c"
order = 1
[[memory]]
name = "lent"
pages = 2
lent = true
[[ports]]
name = "timer"
first = 0x40
last = 0x47
[[ports]]
name = "serial"
first = 0x3f8
last = 0x40f
[[interrupt]]
name = "timer line"
line = 0
[[interrupt]]
name = "serial line"
line = 4
[[domain]]
name = "a"
module = "m"
threads = [{ call = "work" }, { call = "work" }]
pages = [{ slot = 25, rights = "rwxg", at = 0x4000_0000 }, { slot = 26, rights = "rwg" }]
caps = [
    { slot = 3, object = "a", rights = "rwg" },
    { slot = 4, object = "b", rights = "rwg" },
    { slot = 5, object = "e", rights = "rwg" },
    { slot = 6, object = "n", rights = "rwg" },
    { slot = 7, object = "c", rights = "rwg", at = 0x4000_8000 },
    { slot = 8, object = "lent", rights = "rwg" },
    { slot = 9, object = "timer", rights = "rwg" },
    { slot = 10, object = "timer line", rights = "rwg" },
    { slot = 11, object = "to echo", rights = "wg" },
]
[[domain]]
name = "b"
module = "m"
threads = [{ call = "work" }]
pages = [{ slot = 25, rights = "rxg", at = 0x6000_0000 }]
caps = [
    { slot = 3, object = "a", rights = "rwg" },
    { slot = 4, object = "echo", rights = "rwg" },
    { slot = 5, object = "e", rights = "rwg" },
    { slot = 6, object = "n", rights = "rwg" },
    { slot = 7, object = "c", rights = "rwg", badge = 1, at = 0x4000_8000 },
    { slot = 8, object = "lent", rights = "rwg", at = 0x4000_c000 },
    { slot = 9, object = "serial", rights = "rwg" },
    { slot = 10, object = "serial line", rights = "rwg" },
    { slot = 11, object = "to echo", rights = "wg" },
]
[[domain]]
name = "neighbour"
module = "m"
pages = [{ slot = 25, rights = "rw", at = 0x4000_0000 }]
[[domain]]
name = "echo"
service = "echo"
caps = [{ slot = 3, object = "to echo", rights = "rg" }]
"#;

/// Threads are numbered in the order of their domains.
const NEIGHBOUR: ThreadId = ThreadId(5);
const PRECIOUS: [u8; 8] = *b"precious";

/// A repeatable stream of numbers (xorshift64*, Vigna 2016).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn one_of(&mut self, choices: &[u64]) -> u64 {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// A value for an argument of this name: plausible three times out of four.
    fn argument(&mut self, name: &str) -> u64 {
        if self.below(4) == 0 {
            return self.anything();
        }
        match name {
            "rights" => self.one_of(&[1, 2, 3, 3, 5, 9, 11, 15, 19, 27, 31]),
            "badge" => self.one_of(&[0, 0, 0, 1, 7]),
            "address" => {
                let offset = self.below(6) * 0x1000;
                let start = self.one_of(&[DATA, DATA, CODE, 0x1000, 0]);
                start + offset
            }
            "order" => self.below(4),
            "pages" => self.below(20),
            "node" | "resource" | "width" | "thread" => self.below(5),
            "limit" => self.one_of(&[0, 10, 500, 5000, u64::MAX]),
            "timeout" | "ticks" => self.one_of(&[1, 2, 5, 20]),
            "length" | "name" => self.one_of(&[0, 1, 1, 2, 4, 255, 4000]),
            "pc" => self.one_of(&[0, 0, 0x1000_0000, 0x4000_0000, 1 << 47]),
            "sp" | "argument" | "value" | "character" => self.below(256),
            "port" => self.one_of(&[0x40, 0x43, 0x3f8, 0x3fd, 0xe0, 0x80]),
            _ => self.one_of(&[0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 25, 26]),
        }
    }

    fn anything(&mut self) -> u64 {
        match self.below(4) {
            0 => self.next(),
            1 => self.one_of(&[0, 1, u64::MAX, 1 << 20, 1 << 22, 3 << 20, 1 << 31, 1 << 32]),
            2 => 1 << self.below(64),
            _ => self.below(40),
        }
    }
}

struct Storm {
    bench: Bench,
    random: Random,
    calls: u64,
    precious: Mapping,
}

impl Storm {
    fn new(seed: u64) -> Self {
        let mut bench = Bench::new(WORLD);
        bench.unchecked = true;
        assert_eq!(bench.kernel.domains[&bench.kernel.thread(NEIGHBOUR).domain].name, "neighbour");
        let domain = bench.kernel.thread(NEIGHBOUR).domain;
        let precious = bench.kernel.domains[&domain].space.lookup(GuestPhysical(DATA)).unwrap();
        bench.kernel.arch.frame_write(precious.frame, 0, &PRECIOUS);
        Self { bench, random: Random(seed | 1), calls: 0, precious }
    }

    /// A ready thread that is part of the storm.
    fn thread(&mut self) -> Option<ThreadId> {
        let ready = self.bench.kernel.ready.iter().copied();
        let ready: Vec<_> = ready.filter(|&thread| thread != NEIGHBOUR).collect();
        let at = self.random.below((ready.len() as u64).max(1)) as usize;
        ready.get(at).copied()
    }

    /// Fills a thread's UTCB and has it make a call.
    fn call(&mut self, thread: ThreadId) {
        let all = Hypercall::ALL;
        let call = all[self.random.below(all.len() as u64) as usize];
        let known = self.random.below(50) != 0;
        // Ending is rarely interesting twice.
        let known = known && (call != Hypercall::Exit || self.random.below(50) == 0);
        let number = if known { call as u32 } else { self.random.next() as u32 };
        if self.bench.kernel.is_host_thread(thread) {
            return self.turn(thread, Exit::Budget);
        }
        let frame = self.bench.kernel.thread(thread).utcb;
        let mut words = [0; 34];
        words.fill_with(|| self.random.argument("slot"));
        for (i, name) in call.arguments().iter().enumerate() {
            words[i] = self.random.argument(name);
        }
        words[utcb::TIMEOUT / 8] = self.random.one_of(&[1, 3, 10]);
        words[32] = u64::from_le_bytes(*b"m\0two\0\0\0");
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.bench.kernel.arch.frame_write(frame, 0, &bytes);
        self.turn(thread, Exit::Hypercall { number });
        self.calls += 1;
    }

    fn turn(&mut self, thread: ThreadId, exit: Exit) {
        let kernel = &mut self.bench.kernel;
        let at = kernel.ready.iter().position(|&ready| ready == thread).expect("it is ready");
        kernel.ready.rotate_left(at);
        if kernel.thread(thread).work.is_none() && !kernel.is_host_thread(thread) {
            kernel.arch.exits.push_back(exit);
        }
        assert_eq!(kernel.step(1000), Step::Continued);
        kernel.arch.exits.clear();
    }

    /// One step, usually a call. Says whether the storm can go on.
    fn step(&mut self) -> bool {
        let Some(thread) = self.thread() else {
            // All of them wait, or are gone. Without the neighbour time would go on by itself.
            return self.bench.kernel.advance_time() && self.bench.kernel.ready.len() > 1;
        };
        match self.random.below(400) {
            _ if self.bench.kernel.is_host_thread(thread) => self.call(thread),
            0 => {
                let (address, from) = (GuestPhysical(DATA), GuestVirtual(DATA));
                self.turn(thread, Exit::Fault { address, from, access: Access::Write });
            }
            1 => self.turn(thread, Exit::Exception { vector: 13, code: 0, address: None }),
            _ => self.call(thread),
        }
        true
    }

    /// The host gives up what it has besides domains.
    fn hosts_own_goes(&mut self) {
        let kernel = &mut self.bench.kernel;
        for memory in kernel.lent().into_keys() {
            kernel.take_back(memory).expect("it is lent");
        }
        let held: Vec<_> = kernel.capabilities.in_space(SpaceId::Host).collect();
        for (slot, capability) in held {
            if !matches!(capability.object, Object::Domain(_) | Object::HostDomain(_)) {
                let removed = kernel.capabilities.delete(slot).expect("it was just seen");
                kernel.settle(removed);
                kernel.give_host_slot(slot);
            }
        }
    }

    #[track_caller]
    fn check(&mut self) {
        self.bench.unchecked = false;
        self.bench.audit();
        self.bench.unchecked = true;
        let kernel = &self.bench.kernel;
        let neighbour = kernel.thread(NEIGHBOUR);
        assert_eq!(neighbour.state, ThreadState::Ready, "the neighbour is unharmed");
        let space = &kernel.domains[&neighbour.domain].space;
        assert_eq!(space.lookup(GuestPhysical(DATA)), Ok(self.precious));
        let mut bytes = [0; 8];
        kernel.arch.frame_read(self.precious.frame, 0, &mut bytes);
        assert_eq!(bytes, PRECIOUS);
    }
}

#[test]
fn a_storm_of_hypercalls_breaks_nothing() {
    let asked = std::env::var("LCD_STORM").ok().and_then(|text| text.parse().ok());
    let wanted: u64 = asked.unwrap_or(200_000);
    let (mut made, mut seed) = (0, 1);
    while made < wanted {
        let mut storm = Storm::new(seed);
        seed += 1;
        let mut steps = 0_u64;
        while storm.calls < 5_000 && made + storm.calls < wanted && storm.step() {
            steps += 1;
            if steps.is_multiple_of(100) {
                storm.check();
            }
        }
        storm.check();
        made += storm.calls.max(1);
        storm.hosts_own_goes();
        storm.bench.tear_down();
    }
}
