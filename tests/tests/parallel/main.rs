//! Threads that run at the same time, each on a host thread of its own, and the simulator repeating
//! the order in which their exits took effect. On hardware where there is some, and everywhere on a
//! machine of the test's own.

mod machine;

use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{process, thread};

use bundled_worlds::WORLDS;
use lcd::assemble;
use lcd::differential::comparison;
use lcd::model::bundle::Bundle;
use lcd::model::compare::{Verdict, compare};
use lcd::model::domain::ThreadId;
use lcd::model::event::{Event, EventKind, Log, LogHeader};
use lcd::model::exit::{End, KillReason};
use lcd::model::microkernel::exit_order;
use lcd::model::report::RunReport;
use lcd::model::session::{Progress, Request, Session};
use lcd::model::world::World;
use lcd::parallel::{Cancel, run_on, run_on_observed};
use lcd::{Backend, BackendError, Observer, Run};
use machine::Threaded;
use native_vmx::NativeArch;
use wasm_sim::SimArch;

/// Longer than any run takes on a host that is busy with other things.
const LIMIT: Duration = Duration::from_secs(60);

/// Ends the process if a test hangs: a hang is what is looked for.
struct Watchdog(Arc<AtomicBool>);

impl Watchdog {
    fn new(what: &'static str) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let watched = Arc::clone(&done);
        thread::spawn(move || {
            let end = Instant::now() + Duration::from_secs(400);
            while Instant::now() < end {
                if watched.load(Ordering::Relaxed) {
                    return;
                }
                thread::sleep(Duration::from_millis(200));
            }
            eprintln!("{what}: hangs");
            process::abort();
        });
        Self(done)
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Where runs are made.
#[derive(Clone, Copy, Debug)]
enum Machine {
    Native,
    Threaded,
}

/// The machines that are there. Says which is not, and why.
fn machines() -> impl Iterator<Item = Machine> {
    let native = lcd_tests::native_or_note().then_some(Machine::Native);
    native.into_iter().chain([Machine::Threaded])
}

impl Machine {
    fn run(self, bundle: &Bundle, timeout: Duration, cancel: &Cancel) -> Log {
        let done = match self {
            Self::Native => {
                let machine = NativeArch::new().expect("it was there a moment ago");
                run_on(machine, bundle, timeout, cancel)
            }
            Self::Threaded => run_on(Threaded::new(), bundle, timeout, cancel),
        };
        done.expect("the world boots").log
    }
}

fn bundled(name: &str) -> Bundle {
    let world = WORLDS.iter().find(|world| world.name == name).expect("it is bundled");
    assemble::bundled(world).unwrap_or_else(|error| panic!("{error}"))
}

/// Another world over the files of a bundled one.
fn over_files_of(name: &str, world: &str) -> Bundle {
    let bundled = WORLDS.iter().find(|world| world.name == name).expect("it is bundled");
    let mut bundle = Bundle::new(World::parse(world).unwrap_or_else(|error| panic!("{error}")));
    for (file, bytes) in bundled.files {
        let parts = [bundle.add_file("liblcd", liblcd::OBJECT), bundle.add_file(file, bytes)];
        bundle.modules.insert((*file).into(), parts.to_vec());
    }
    bundle
}

/// Repeats a run one thread at a time.
fn repeat(bundle: &Bundle, log: &Log) -> Log {
    let mut session = Session::new(SimArch::new(), bundle.clone());
    let schedule = lcd::model::microkernel::Schedule::Recorded(exit_order(log));
    session.handle(Request::Schedule(schedule)).expect("nothing has happened yet");
    session.handle(Request::Boot).expect("it has booted before");
    while session.run(50_000_000, 1000) != Progress::Idle {}
    session.handle(Request::Finish).expect("a run can always be finished");
    session.log()
}

/// Runs a world in parallel, and holds it against its expectations and against its repetition.
#[track_caller]
fn check(machine: Machine, bundle: &Bundle) -> Log {
    let name = &bundle.world.name;
    let log = machine.run(bundle, LIMIT, &Cancel::default());
    let unmet = RunReport::from_log(&log).unmet(&bundle.world);
    assert!(unmet.is_empty(), "{name} on {machine:?}: {unmet:?}");
    match comparison(bundle)(&log, &repeat(bundle, &log)) {
        Verdict::Agree { .. } => log,
        verdict => panic!("{name} on {machine:?}: {verdict:#?}"),
    }
}

#[test]
fn many_runs_of_every_parallel_world_are_repeated() {
    let _watchdog = Watchdog::new("many runs");
    let parallel = |name: &&str| bundled(name).world.schedule.parallel;
    let names: Vec<_> = WORLDS.iter().map(|world| world.name).filter(parallel).collect();
    assert!(names.len() >= 5, "{names:?}");
    for machine in machines() {
        for name in &names {
            let bundle = bundled(name);
            for _ in 0..10 {
                check(machine, &bundle);
            }
        }
    }
}

/// A world need not be meant for it.
#[test]
fn worlds_for_one_thread_at_a_time_can_run_in_parallel_too() {
    let _watchdog = Watchdog::new("worlds");
    for machine in machines() {
        for name in ["printk", "sieve", "null-pointer", "unprovided"] {
            check(machine, &bundled(name));
        }
    }
}

#[test]
fn a_token_is_passed_without_leaving_the_guests() {
    let _watchdog = Watchdog::new("token");
    for machine in machines() {
        let log = check(machine, &bundled("parallel-token"));
        let mut exits = exit_order(&log).exits;
        exits.sort_unstable();
        // Each returns once, and that is all that anybody outside has to do with it.
        assert_eq!(exits, [ThreadId(0), ThreadId(1)]);
        assert!(!log.events.iter().any(|e| matches!(e.kind, EventKind::Hypercall { .. })));
    }
}

#[test]
fn two_hundred_runs_in_a_row_do_not_hang() {
    let _watchdog = Watchdog::new("two hundred runs");
    for machine in machines() {
        let (start, bundle) = (Instant::now(), bundled("parallel-kill"));
        for _ in 0..200 {
            check(machine, &bundle);
        }
        println!("200 runs on {machine:?}: {:?}", start.elapsed());
    }
}

#[test]
fn more_threads_than_processors_all_get_on() {
    let _watchdog = Watchdog::new("many threads");
    let domain = |i: usize| {
        format!("[[domain]]\nname = \"d{i}\"\nmodule = \"spin.ko\"\ncall = [\"work\"]\n")
    };
    let expect = |i: usize| format!("[[expect]]\ndomain = \"d{i}\"\nend = \"exit\"\nvalue = 300\n");
    let world: String = (0..12).map(domain).chain((0..12).map(expect)).collect();
    let bundle = over_files_of("parallel-spin", &format!("name = \"many\"\n{world}"));
    for machine in machines() {
        check(machine, &bundle);
    }
}

const SPINNERS: &str = r#"
name = "spinners"
[[domain]]
name = "a"
module = "spin.ko"
call = ["spin"]
[[domain]]
name = "b"
module = "spin.ko"
call = ["spin"]
threads = [{ call = "spin" }]
"#;

/// What is left of a run that was given up: all have been, and its repetition comes as far.
fn assert_given_up(bundle: &Bundle, log: &Log) {
    let is_timeout = |kind: &EventKind| {
        matches!(kind, EventKind::Ended { end: End::Killed(KillReason::Timeout), .. })
    };
    assert_eq!(log.events.iter().filter(|event| is_timeout(&event.kind)).count(), 3);
    let start = Instant::now();
    let verdict = compare(log, &repeat(bundle, log));
    assert!(matches!(verdict, Verdict::Poisoned { .. }), "{verdict:?}");
    assert!(start.elapsed() < LIMIT);
}

#[test]
fn a_limit_of_time_ends_threads_that_never_leave() {
    let _watchdog = Watchdog::new("limit");
    let bundle = over_files_of("parallel-spin", SPINNERS);
    for machine in machines() {
        let log = machine.run(&bundle, Duration::from_millis(50), &Cancel::default());
        assert_given_up(&bundle, &log);
    }
}

#[test]
fn somebody_else_can_end_a_run() {
    let _watchdog = Watchdog::new("cancel");
    let bundle = over_files_of("parallel-spin", SPINNERS);
    for machine in machines() {
        // Before it starts, and at some time.
        for delay in [0, 0, 1, 3, 10, 40] {
            let cancel = Cancel::default();
            let other = cancel.clone();
            let canceller = thread::spawn(move || {
                thread::sleep(Duration::from_millis(delay));
                other.cancel();
            });
            let log = machine.run(&bundle, Duration::MAX, &cancel);
            canceller.join().expect("it only cancels");
            assert_given_up(&bundle, &log);
        }
    }
}

#[test]
fn a_panic_of_the_machine_ends_the_run_and_goes_on_in_the_caller() {
    let _watchdog = Watchdog::new("panic");
    let world =
        format!("{SPINNERS}\n[[domain]]\nname = \"c\"\nmodule = \"spin.ko\"\ncall = [\"work\"]\n");
    let bundle = over_files_of("parallel-spin", &world);
    for exits in [0, 1, 20, 250] {
        let machine = Threaded::that_panics_after(exits);
        let run = || run_on(machine, &bundle, LIMIT, &Cancel::default());
        let start = Instant::now();
        let payload = panic::catch_unwind(panic::AssertUnwindSafe(run)).expect_err("it panics");
        let message = payload.downcast_ref::<&str>().expect("a panic with a constant message");
        assert_eq!(*message, "the test asked for this");
        assert!(start.elapsed() < LIMIT / 2, "nobody waited for the limit");
    }
}

/// Collects a run's events, slowly at first.
#[derive(Default)]
struct Collector {
    pieces: usize,
    events: Vec<Event>,
    ended: bool,
}

impl Observer for Collector {
    fn started(&mut self, _: Backend, header: &LogHeader) {
        assert_eq!(header.schedule, lcd::model::microkernel::Schedule::Parallel);
    }

    fn events(&mut self, _: Backend, events: &[Event]) {
        assert!(!self.ended && !events.is_empty());
        if self.pieces < 3 {
            // Meanwhile the threads run on.
            thread::sleep(Duration::from_millis(5));
        }
        self.pieces += 1;
        self.events.extend_from_slice(events);
    }

    fn ended(&mut self, _: Backend, result: Result<&Run, &BackendError>) {
        self.ended = result.is_ok();
    }
}

#[test]
fn who_watches_is_told_all_of_the_log() {
    let _watchdog = Watchdog::new("watching");
    for name in ["parallel-calls", "parallel-kill", "parallel-rings"] {
        let mut collector = Collector::default();
        let (bundle, never) = (bundled(name), Cancel::default());
        let run = run_on_observed(Threaded::new(), &bundle, LIMIT, &never, &mut collector);
        assert!(collector.ended && collector.events == run.expect("it runs").log.events);
        println!("{name}: {} events in {} pieces", collector.events.len(), collector.pieces);
    }
}
