//! Every bundled world under many orders of its threads: seeded schedules, of which half also stop
//! threads in the middle of their code. What the world expects must be seen under each, and the
//! same seed must give the same log, on every backend.
//!
//! `LCD_SCHEDULES=1000 cargo test --release -p lcd-tests --test schedules` tries a thousand orders
//! of each world. A world whose `[schedule] seeds` is lower is tried that often at most.

use std::sync::atomic::{AtomicUsize, Ordering};

use bundled_worlds::WORLDS;
use lcd::assemble;
use lcd::model::bundle::Bundle;
use lcd::model::event::Log;
use lcd::model::microkernel::Schedule;
use lcd::model::report::RunReport;
use lcd::model::session::{Progress, Request, Session};
use lcd::{Backend, run_scheduled};
use wasm_sim::SimArch;

/// Orders of each world that are tried without being asked for more.
const DEFAULT: u32 = 4;

/// The schedule of a number: every other one also interrupts threads between exits. In a world
/// that is meant to run in parallel all do, as threads wait there by looking at memory.
fn schedule(bundle: &Bundle, number: u32) -> Schedule {
    let seed = u64::from(number);
    let interrupts = bundle.world.schedule.parallel || number.is_multiple_of(2);
    let preempt = interrupts.then(|| 100 + seed * 37 % 3000);
    Schedule::Seeded { seed, preempt }
}

fn run(bundle: &Bundle, schedule: Schedule) -> Log {
    let mut session = Session::new(SimArch::new(), bundle.clone());
    session.handle(Request::Schedule(schedule)).expect("nothing has happened yet");
    session.handle(Request::Boot).expect("it boots");
    while session.run(10_000_000, 1000) != Progress::Idle {}
    session.handle(Request::Finish).expect("a run can always be finished");
    session.log()
}

fn worlds() -> Vec<Bundle> {
    let there = WORLDS.iter().filter(|world| world.unavailable.is_none());
    there
        .map(|world| assemble::bundled(world).expect("bundled worlds can be put together"))
        .collect()
}

#[test]
fn every_world_comes_to_the_same_under_every_schedule() {
    let asked = std::env::var("LCD_SCHEDULES").ok().and_then(|text| text.parse().ok());
    let wanted: u32 = asked.unwrap_or(DEFAULT);
    let (worlds, next) = (worlds(), AtomicUsize::new(0));
    let tried = AtomicUsize::new(0);
    let work = || {
        let mut wrong = Vec::new();
        while let Some(bundle) = worlds.get(next.fetch_add(1, Ordering::Relaxed)) {
            let seeds = bundle.world.schedule.seeds.min(wanted);
            for number in 0..seeds {
                let log = run(bundle, schedule(bundle, number));
                tried.fetch_add(1, Ordering::Relaxed);
                let unmet = RunReport::from_log(&log).unmet(&bundle.world);
                if let Some(first) = unmet.first() {
                    wrong.push(format!(
                        "{}, {:?}: {first}",
                        bundle.world.name,
                        schedule(bundle, number)
                    ));
                    break;
                }
            }
        }
        wrong
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        runs.into_iter().flat_map(|run| run.join().expect("a run does not panic")).collect()
    });
    println!("{} schedules of {} worlds", tried.into_inner(), worlds.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_same_seed_gives_the_same_log_everywhere() {
    let kvm = lcd::available(Backend::Native).is_ok();
    if !kvm {
        println!("hardware is left out: KVM is not available here");
    }
    for bundle in worlds()
        .iter()
        .filter(|bundle| bundle.world.domains.len() > 1 && !bundle.world.schedule.parallel)
    {
        let schedule = Schedule::Seeded { seed: 7, preempt: None };
        let (first, again) = (run(bundle, schedule.clone()), run(bundle, schedule.clone()));
        assert_eq!(first, again, "{}", bundle.world.name);
        // What is killed after a time ends elsewhere on a backend that does not count.
        let timed = bundle.world.domains.iter().any(|domain| domain.kill_after.is_some());
        if kvm && !timed {
            let native = run_scheduled(bundle, Backend::Native, None, schedule).expect("it runs");
            let verdict = lcd::model::compare::compare(&native.log, &first);
            let agrees = matches!(verdict, lcd::model::compare::Verdict::Agree { .. });
            assert!(agrees, "{}: {verdict:?}", bundle.world.name);
        }
    }
}
