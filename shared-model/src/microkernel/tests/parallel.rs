//! Threads that run at the same time: what happens to their exits, and that the order of the exits
//! decides everything else.

use alloc::vec::Vec;

use super::{Bench, MAIN, PEER, TWO};
use crate::abi::{Hypercall, utcb};
use crate::address::{GuestPhysical, GuestVirtual};
use crate::arch::Arch;
use crate::domain::{ThreadId, ThreadState};
use crate::event::EventKind;
use crate::exit::{Access, End, Exit, KillReason};
use crate::layout;
use crate::microkernel::{Schedule, Step, Turn, exit_order};

/// Three that can do a little of everything to each other.
const WORLD: &str = r#"
name = "together"
[limits]
pages = 3000
events = 100000000
instructions = 1000000000000
[[endpoint]]
name = "e"
[[notification]]
name = "n"
[[memory]]
name = "shared"
pages = 4
[[domain]]
name = "a"
module = "m"
threads = [{ call = "work" }]
pages = [{ slot = 25, rights = "rwxg", at = 0x4000_0000 }]
caps = [
    { slot = 3, object = "e", rights = "rwg" },
    { slot = 4, object = "n", rights = "rwg" },
    { slot = 5, object = "b", rights = "rwg" },
    { slot = 6, object = "shared", rights = "rwg" },
    { slot = 7, object = "a", rights = "rwg" },
]
[[domain]]
name = "b"
module = "m"
threads = [{ call = "work" }]
caps = [
    { slot = 3, object = "e", rights = "rwg" },
    { slot = 4, object = "n", rights = "rwg" },
    { slot = 5, object = "a", rights = "rwg" },
    { slot = 6, object = "shared", rights = "rwg" },
    { slot = 7, object = "b", rights = "rwg" },
]
[[domain]]
name = "c"
module = "m"
caps = [
    { slot = 3, object = "e", rights = "wg" },
    { slot = 4, object = "n", rights = "wg" },
    { slot = 5, object = "a", rights = "w" },
    { slot = 6, object = "shared", rights = "rw" },
]
"#;

/// A repeatable stream of numbers (xorshift64*, Vigna 2016).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % end
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// An argument of this name.
    fn argument(&mut self, name: &str) -> u64 {
        match name {
            "rights" => self.one_of(&[1, 3, 11, 27]),
            "badge" => self.one_of(&[0, 0, 1, 7]),
            "address" => layout::DATA_WINDOW.0 + self.below(6) * 0x1000,
            "timeout" | "ticks" => self.one_of(&[0, 1, 2, 5, 20]),
            "thread" => self.below(4),
            "pc" => 0x1000_0010,
            "name" => 1,
            "length" => 3,
            "domain" => self.one_of(&[0, 5, 7]),
            _ => self.one_of(&[2, 3, 4, 5, 6, 7, 8, 9, 10, 25]),
        }
    }

    fn call(&mut self) -> Hypercall {
        use Hypercall::{
            CapCopy, CapDelete, CapGrant, CapRevoke, ConsoleWrite, DomainConfigure, DomainCreate,
            DomainRun, NotificationSignal, NotificationWait, PageAllocate, PageMap, PageUnmap,
            Sleep, SyncCall, SyncReceive, SyncReply, SyncReplyReceive, SyncSend, ThreadCreate,
            ThreadGetRegisters, ThreadKill, ThreadResume, ThreadSetRegisters, ThreadSuspend, Yield,
        };
        if self.below(300) == 0 {
            return self.one_of(&[ThreadKill, Hypercall::Exit]);
        }
        self.one_of(&[
            CapCopy,
            CapCopy,
            CapDelete,
            CapGrant,
            CapRevoke,
            ConsoleWrite,
            DomainConfigure,
            DomainCreate,
            DomainRun,
            NotificationSignal,
            NotificationSignal,
            NotificationWait,
            PageAllocate,
            PageMap,
            PageUnmap,
            Sleep,
            SyncCall,
            SyncReceive,
            SyncReceive,
            SyncReply,
            SyncReplyReceive,
            SyncSend,
            ThreadCreate,
            ThreadGetRegisters,
            ThreadResume,
            ThreadResume,
            ThreadSetRegisters,
            ThreadSuspend,
            Yield,
        ])
    }
}

/// What a thread did, for another run to repeat.
struct Done {
    thread: ThreadId,
    utcb: Vec<u8>,
    exit: Exit,
}

impl Done {
    fn random(thread: ThreadId, random: &mut Random) -> Self {
        let mut words = [0; 34];
        words.fill_with(|| random.argument("slot"));
        let call = random.call();
        for (i, name) in call.arguments().iter().enumerate() {
            words[i] = random.argument(name);
        }
        words[utcb::ENDPOINT / 8] = 3;
        words[utcb::TIMEOUT / 8] = random.argument("timeout");
        words[utcb::BUFFER / 8] = u64::from_le_bytes(*b"mmm\0\0\0\0\0");
        let utcb = words.iter().flat_map(|word: &u64| word.to_le_bytes()).collect();
        let address = layout::DATA_WINDOW.0 + 0x5000;
        let (physical, from) = (GuestPhysical(address), GuestVirtual(address));
        let exit = match random.below(600) {
            0 => Exit::Fault { address: physical, from, access: Access::Read },
            1 => Exit::Exception { vector: 13, code: 0, address: None },
            2 => Exit::Return,
            _ => Exit::Hypercall { number: call as u32 },
        };
        Self { thread, utcb, exit }
    }
}

fn parallel(world: &str) -> Bench {
    let mut bench = Bench::asleep(world);
    bench.kernel.set_schedule(Schedule::Parallel).expect("nothing has happened yet");
    bench.kernel.boot().expect("the world boots");
    bench.unchecked = true;
    bench
}

/// Lets random threads do random things at the same time, until nobody can go on or for so many
/// exits. Now and then somebody outside kills one.
fn run(seed: u64, exits: usize) -> (Bench, Vec<Done>) {
    let mut bench = parallel(WORLD);
    let mut random = Random(seed);
    let mut all = Vec::new();
    while all.len() < exits && !bench.kernel.is_over() {
        let mut ready: Vec<_> = bench.kernel.ready.iter().copied().collect();
        ready.sort_unstable();
        let thread = random.one_of(&ready);
        if random.below(700) == 0 {
            bench.kernel.kill_thread(thread).expect("it lives");
            continue;
        }
        let done = Done::random(thread, &mut random);
        let frame = bench.kernel.thread(thread).utcb;
        bench.kernel.arch.frame_write(frame, 0, &done.utcb);
        bench.kernel.begin_run(thread);
        bench.kernel.handle_exit(thread, done.exit.clone());
        all.push(done);
        if all.len().is_multiple_of(50) {
            bench.unchecked = false;
            bench.audit();
            bench.unchecked = true;
        }
    }
    bench.kernel.time_out();
    bench.kernel.finish();
    (bench, all)
}

/// Repeats a run one thread at a time, given the order of its exits and what threads had in their
/// UTCBs then. On a backend that counts instructions, threads run ahead where a mapping goes.
#[track_caller]
fn repeat(of: &Bench, all: &[Done], counts: bool) -> Bench {
    let mut bench = Bench::asleep(WORLD);
    bench.kernel.arch.counts = counts;
    let order = exit_order(&of.kernel.log());
    bench.kernel.set_schedule(Schedule::Recorded(order)).expect("nothing has happened yet");
    bench.kernel.boot().expect("the world boots");
    for done in all {
        // A run without an exit: what comes before it has then happened.
        while bench.kernel.step(1) != Step::Budget(done.thread) {}
        let frame = bench.kernel.thread(done.thread).utcb;
        bench.kernel.arch.frame_write(frame, 0, &done.utcb);
        bench.kernel.arch.exits.push_back(done.exit.clone());
        let before = bench.kernel.turns.repeat.done();
        while bench.kernel.turns.repeat.done() == before {
            bench.kernel.step(100_000);
        }
    }
    while bench.kernel.step(1000) != Step::Idle {}
    bench.kernel.finish();
    bench
}

#[test]
fn the_order_of_exits_decides_everything() {
    let asked = std::env::var("LCD_STORM").ok().and_then(|text| text.parse().ok());
    let (mut exits, mut kills) = (0, 0);
    for seed in 1..=asked.unwrap_or(60_u64) {
        let (bench, all) = run(seed, 600);
        for counts in [false, true] {
            let again = repeat(&bench, &all, counts);
            let (events, repeated) = (bench.kernel.events(), again.kernel.events());
            for (i, (event, other)) in events.iter().zip(repeated).enumerate() {
                assert_eq!(event, other, "event {i} with seed {seed}");
            }
            assert_eq!(events.len(), repeated.len(), "seed {seed}");
        }
        exits += all.len();
        kills += exit_order(&bench.kernel.log()).kills.len();
    }
    assert!(exits > 2_000 && kills > 0, "{exits} exits, {kills} kills");
}

fn suspended_peer() -> Bench {
    let mut bench = parallel(TWO);
    // Slot 26 is the peer.
    hypercall(&mut bench, MAIN, Hypercall::ThreadSuspend, &[26, 0]);
    assert_eq!(bench.state_of_thread(PEER), ThreadState::Suspended);
    bench
}

fn hypercall(bench: &mut Bench, thread: ThreadId, call: Hypercall, words: &[u64]) {
    for (i, &word) in words.iter().enumerate() {
        bench.set_word(thread, utcb::MESSAGE + i * 8, word);
    }
    bench.kernel.begin_run(thread);
    bench.kernel.handle_exit(thread, Exit::Hypercall { number: call as u32 });
}

const YIELD: Exit = Exit::Hypercall { number: Hypercall::Yield as u32 };

#[test]
fn each_thread_is_told_what_to_do() {
    let mut bench = parallel(TWO);
    assert_eq!([MAIN, PEER].map(|thread| bench.kernel.turn(thread)), [Turn::Run; 2]);
    assert_eq!(bench.kernel.turn(ThreadId(2)), Turn::Ended);
    hypercall(&mut bench, PEER, Hypercall::Sleep, &[3]);
    assert_eq!(bench.kernel.turn(PEER), Turn::Wait);
    // Ticks are exits, whoever's.
    hypercall(&mut bench, MAIN, Hypercall::Yield, &[]);
    hypercall(&mut bench, MAIN, Hypercall::Yield, &[]);
    assert_eq!(bench.kernel.turn(PEER), Turn::Wait);
    hypercall(&mut bench, MAIN, Hypercall::Yield, &[]);
    assert_eq!(bench.kernel.turn(PEER), Turn::Run);
    hypercall(&mut bench, PEER, Hypercall::Exit, &[0]);
    assert_eq!(bench.kernel.turn(PEER), Turn::Ended);
    assert!(!bench.kernel.is_over());
    // With nobody else, time goes on by itself.
    hypercall(&mut bench, MAIN, Hypercall::Sleep, &[1000]);
    assert_eq!(bench.kernel.turn(MAIN), Turn::Run);
    bench.kernel.kill_thread(MAIN).unwrap();
    assert!(bench.kernel.is_over());
    bench.kernel.finish();
}

#[test]
fn the_exit_of_a_suspended_thread_waits() {
    let mut bench = suspended_peer();
    assert_eq!(bench.kernel.turn(PEER), Turn::Wait);
    let before = bench.kernel.events().len();
    // A driver that does not wait changes nothing.
    bench.kernel.handle_exit(PEER, YIELD);
    assert_eq!(bench.kernel.events().len(), before);
    hypercall(&mut bench, MAIN, Hypercall::ThreadResume, &[26, 0]);
    assert_eq!(bench.kernel.turn(PEER), Turn::Run);
    bench.kernel.handle_exit(PEER, YIELD);
    let last = bench.kernel.events().last().unwrap();
    assert!(last.thread == Some(PEER) && matches!(last.kind, EventKind::Hypercall { .. }));
}

#[test]
fn the_exit_of_a_thread_that_got_other_registers_does_not_happen() {
    let mut bench = suspended_peer();
    hypercall(&mut bench, MAIN, Hypercall::ThreadSetRegisters, &[26, 0]);
    hypercall(&mut bench, MAIN, Hypercall::ThreadResume, &[26, 0]);
    let before = bench.kernel.events().len();
    bench.kernel.handle_exit(PEER, YIELD);
    assert_eq!(bench.kernel.events().len(), before);
    // The next one is of the new registers.
    bench.kernel.begin_run(PEER);
    bench.kernel.handle_exit(PEER, YIELD);
    assert_eq!(bench.kernel.events().len(), before + 1);
}

#[test]
fn a_long_operation_is_one_turn() {
    let mut bench = parallel(TWO);
    bench.kernel.batch = 2;
    for slot in 3..20 {
        hypercall(&mut bench, MAIN, Hypercall::CapCopy, &[25, slot, 1, 0]);
    }
    hypercall(&mut bench, MAIN, Hypercall::CapRevoke, &[25]);
    assert!(bench.kernel.workers.is_empty() && bench.kernel.orphans.is_empty());
    assert_eq!(bench.capability(MAIN, 19), None);
    let last = bench.kernel.events().last().unwrap();
    assert!(matches!(last.kind, EventKind::Completed { .. }), "{last:?}");
}

#[test]
fn the_limit_of_events_ends_everybody() {
    let world = TWO.replace("pages = 200", "pages = 200\nevents = 30");
    let mut bench = parallel(&world);
    for _ in 0..30 {
        hypercall(&mut bench, MAIN, Hypercall::Yield, &[]);
    }
    for thread in [MAIN, PEER] {
        assert_eq!(bench.end_of(thread), Some(End::Killed(KillReason::Timeout)));
        assert_eq!(bench.kernel.turn(thread), Turn::Ended);
    }
    assert!(bench.kernel.is_over());
}

/// What was refused before another thread's exit allowed it does not happen in a repetition either.
#[test]
fn an_access_that_is_allowed_by_the_time_it_is_due_is_tried_again() {
    let mut bench = Bench::asleep(TWO);
    let order = [MAIN, PEER].to_vec().into();
    bench.kernel.set_schedule(Schedule::Recorded(order)).unwrap();
    bench.kernel.boot().unwrap();
    let address = layout::DATA_WINDOW.0;
    let (physical, from) = (GuestPhysical(address), GuestVirtual(address));
    let refused = Exit::Fault { address: physical, from, access: Access::Read };
    // The peer comes to it too early, and after the other's exit it is no refusal any more.
    bench.kernel.turns.repeat.hold_for_test(PEER, refused);
    bench.kernel.arch.exits.extend([YIELD, YIELD]);
    bench.kernel.step(1000);
    bench.kernel.step(1000);
    let threads: Vec<_> = bench.kernel.events().iter().rev().take(2).map(|e| e.thread).collect();
    assert_eq!(threads, [Some(PEER), Some(MAIN)]);
    assert_eq!(bench.state_of_thread(PEER), ThreadState::Ready);
}
