//! Who watches a run is told all of its log, in order and in time.

use std::panic::{self, AssertUnwindSafe};
use std::time::{Duration, Instant};

use bundled_worlds::WORLDS;
use lcd::differential::{Field, Outcome, case, case_observed};
use lcd::model::bundle::Bundle;
use lcd::model::event::{Event, EventKind, LogHeader};
use lcd::model::exit::End;
use lcd::model::microkernel::Schedule;
use lcd::model::world::World;
use lcd::{Backend, BackendError, Observer, Run, assemble, run_observed};

/// What one backend has told.
#[derive(Default)]
struct Told {
    header: Option<LogHeader>,
    events: Vec<Event>,
    /// Whether it ended, and how.
    ended: Option<bool>,
}

/// Remembers all that it is told, and checks the order.
#[derive(Default)]
struct Recorder {
    native: Told,
    sim: Told,
    /// The longest piece.
    longest: usize,
}

impl Recorder {
    fn of(&mut self, backend: Backend) -> &mut Told {
        match backend {
            Backend::Native => &mut self.native,
            Backend::Sim => &mut self.sim,
        }
    }
}

impl Observer for Recorder {
    fn started(&mut self, backend: Backend, header: &LogHeader) {
        let told = self.of(backend);
        assert!(told.header.is_none() && told.events.is_empty() && told.ended.is_none());
        told.header = Some(header.clone());
    }

    fn events(&mut self, backend: Backend, events: &[Event]) {
        assert!(!events.is_empty());
        self.longest = self.longest.max(events.len());
        let told = self.of(backend);
        assert!(told.header.is_some() && told.ended.is_none());
        told.events.extend_from_slice(events);
    }

    fn ended(&mut self, backend: Backend, result: Result<&Run, &BackendError>) {
        let told = self.of(backend);
        assert!(told.ended.is_none());
        told.ended = Some(result.is_ok());
        if let Ok(run) = result {
            assert_eq!(Some(&run.log.header), told.header.as_ref());
            assert!(run.log.events == told.events, "what was told is not what is in the log");
        }
    }
}

fn backends() -> Vec<Backend> {
    let there = |backend: &Backend| *backend == Backend::Sim || lcd_tests::native_or_note();
    Backend::ALL.into_iter().filter(there).collect()
}

fn bundled(name: &str) -> Bundle {
    let world = WORLDS.iter().find(|world| world.name == name).expect("it is bundled");
    assemble::bundled(world).unwrap_or_else(|error| panic!("{error}"))
}

/// Another world over the files of a bundled one.
fn over_files_of(name: &str, world: &str) -> Bundle {
    let mut bundle = bundled(name);
    bundle.world = World::parse(world).unwrap_or_else(|error| panic!("{error}"));
    bundle
}

#[track_caller]
fn watch(bundle: &Bundle, backend: Backend, schedule: &Schedule) -> Recorder {
    let mut recorder = Recorder::default();
    let run = run_observed(bundle, backend, None, schedule.clone(), &mut recorder);
    let run = run.expect("it runs");
    let told = recorder.of(backend);
    assert_eq!(told.ended, Some(true), "{} on {backend}", bundle.world.name);
    assert!(told.events == run.log.events);
    recorder
}

#[test]
fn what_is_told_is_the_log() {
    for name in
        ["printk", "ipc1", "load", "null-pointer", "serial", "grant-storm", "killed-threads"]
    {
        for backend in backends() {
            watch(&bundled(name), backend, &Schedule::Cooperative);
        }
    }
}

#[test]
fn what_is_told_of_other_schedules_is_their_log() {
    for name in ["ipc2", "matrix", "ring-ping-pong"] {
        for backend in backends() {
            watch(&bundled(name), backend, &Schedule::Seeded { seed: 5, preempt: None });
        }
        let preempted = Schedule::Seeded { seed: 6, preempt: Some(500) };
        watch(&bundled(name), Backend::Sim, &preempted);
    }
}

#[test]
fn what_is_told_of_a_parallel_run_is_its_log() {
    if !lcd_tests::native_or_note() {
        return;
    }
    for name in ["parallel-calls", "parallel-kill", "parallel-spin"] {
        let mut recorder = watch(&bundled(name), Backend::Native, &Schedule::Parallel);
        let header = recorder.of(Backend::Native).header.take();
        assert_eq!(header.map(|header| header.schedule), Some(Schedule::Parallel));
    }
}

#[test]
fn a_long_log_comes_in_pieces() {
    const MOST: usize = 5000;
    let calls = "\"work\", ".repeat(40);
    let world = format!(
        "name = \"long\"\n[[domain]]\nname = \"worker\"\nmodule = \"spin.ko\"\ncall = [{calls}]\n"
    );
    let bundle = over_files_of("parallel-spin", &world);
    for backend in backends() {
        let mut recorder = watch(&bundle, backend, &Schedule::Cooperative);
        let (longest, all) = (recorder.longest, recorder.of(backend).events.len());
        assert!(all > 2 * MOST && longest <= MOST, "{longest} of {all} on {backend}");
    }
}

/// Leaves the run as soon as it is told of a hypercall.
#[derive(Default)]
struct Leaver {
    killed: bool,
}

/// What it leaves with.
struct Left;

impl Observer for Leaver {
    fn started(&mut self, _: Backend, _: &LogHeader) {}

    fn events(&mut self, _: Backend, events: &[Event]) {
        for event in events {
            self.killed |= matches!(event.kind, EventKind::Ended { end: End::Killed(_), .. });
        }
        let hypercall = |event: &Event| matches!(event.kind, EventKind::Hypercall { .. });
        if events.iter().any(hypercall) && !self.killed {
            panic::resume_unwind(Box::new(Left));
        }
    }

    fn ended(&mut self, _: Backend, _: Result<&Run, &BackendError>) {
        panic!("it had to be told before");
    }
}

/// The first domain lets the second have a turn, which spins until the run's limit.
const SPINNING: &str = r#"
name = "spinning"
[limits]
milliseconds = 120_000
instructions = 1_000_000_000_000
[[domain]]
name = "worker"
module = "spin.ko"
call = ["work"]
[[domain]]
name = "spinner"
module = "spin.ko"
call = ["spin"]
"#;

#[test]
fn what_happened_before_a_thread_spins_is_told_while_it_does() {
    let bundle = over_files_of("parallel-spin", SPINNING);
    let limit = Duration::from_secs(120);
    for backend in backends() {
        let mut schedules = vec![Schedule::Cooperative];
        if backend == Backend::Native {
            schedules.push(Schedule::Parallel);
        }
        for schedule in schedules {
            let mut leaver = Leaver::default();
            let start = Instant::now();
            let run = || run_observed(&bundle, backend, Some(limit), schedule.clone(), &mut leaver);
            let left = panic::catch_unwind(AssertUnwindSafe(run)).expect_err("it never ends");
            assert!(left.is::<Left>(), "{schedule} on {backend}");
            assert!(start.elapsed() < limit, "{schedule} on {backend}");
            assert!(!leaver.killed);
        }
    }
}

#[test]
fn a_comparison_tells_of_each_backend() {
    let field: Field = Backend::ALL
        .map(|backend| (backend, lcd::available(backend).map_err(|e| e.to_string())))
        .into();
    let there = backends();
    for name in ["printk", "parallel-counter"] {
        let bundle = bundled(name);
        let mut recorder = Recorder::default();
        let watched = case_observed(&bundle, &field, None, None, &mut recorder);
        assert_eq!(watched.outcome, case(&bundle, &field, None).outcome);
        for (backend, run) in Backend::ALL.into_iter().zip(&watched.backends) {
            let is_there = there.contains(&backend);
            let told = recorder.of(backend);
            assert_eq!(told.header.is_some(), is_there);
            assert_eq!(told.ended, is_there.then_some(true));
            assert_eq!(told.events.len(), run.events);
        }
    }
}

#[test]
fn a_comparison_in_another_order_is_watched_too() {
    let field: Field = vec![(Backend::Native, Err("not today".into())), (Backend::Sim, Ok(()))];
    let seeded = Schedule::Seeded { seed: 9, preempt: None };
    let mut recorder = Recorder::default();
    let watched = case_observed(&bundled("ipc1"), &field, None, Some(&seeded), &mut recorder);
    assert_eq!(watched.outcome, Outcome::Skipped);
    assert!(recorder.native.header.is_none() && recorder.native.ended.is_none());
    assert_eq!(recorder.sim.header.map(|header| header.schedule), Some(seeded));
}

#[test]
fn a_run_that_fails_tells_what_there_was() {
    let mut bundle = bundled("printk");
    for file in &mut bundle.files {
        if file.name == "printk.ko" {
            file.bytes = b"not a module".to_vec();
        }
    }
    for backend in backends() {
        let mut recorder = Recorder::default();
        let run = run_observed(&bundle, backend, None, Schedule::Cooperative, &mut recorder);
        assert!(run.is_err());
        let told = recorder.of(backend);
        let created = EventKind::DomainCreated { name: "main".into() };
        assert_eq!(told.events.first().map(|event| &event.kind), Some(&created));
        assert_eq!(told.ended, Some(false));
    }
}

#[test]
fn a_run_that_cannot_begin_only_ends() {
    let mut bundle = bundled("printk");
    bundle.world.domains[0].name = String::new();
    let second = bundle.world.domains[0].clone();
    bundle.world.domains.push(second);
    let mut recorder = Recorder::default();
    let run = run_observed(&bundle, Backend::Sim, None, Schedule::Cooperative, &mut recorder);
    assert!(run.is_err());
    assert!(recorder.sim.header.is_none() && recorder.sim.events.is_empty());
    assert_eq!(recorder.sim.ended, Some(false));
}
