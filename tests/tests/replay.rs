//! Logs of all bundled worlds, from every backend, are reached again in the simulator; so are their
//! beginnings; and a log that says something else is not.

use bundled_worlds::WORLDS;
use lcd::model::bundle::Bundle;
use lcd::model::compare::Verdict;
use lcd::model::event::{EventKind, Log};
use lcd::model::microkernel::Schedule;
use lcd::parallel::Cancel;
use lcd::{Backend, assemble, differential, replay_and_compare};
use lcd_tests::Random;

fn worlds() -> impl Iterator<Item = Bundle> {
    let built = WORLDS.iter().filter(|world| world.unavailable.is_none());
    built.map(|world| assemble::bundled(world).expect("bundled worlds can be put together"))
}

/// The world as it is meant to be run.
fn run(bundle: &Bundle, backend: Backend) -> Log {
    let run = match (bundle.world.schedule.parallel, backend) {
        (true, Backend::Native) => lcd::run_parallel(bundle, None, &Cancel::default()),
        _ => lcd::run_scheduled(bundle, backend, None, differential::alone(bundle)),
    };
    run.unwrap_or_else(|error| panic!("{} on {backend}: {error}", bundle.world.name)).log
}

/// What differs, if anything does.
fn difference(bundle: &Bundle, log: &Log) -> Option<String> {
    let replay = replay_and_compare(bundle, log, None).expect("it runs");
    match replay.verdict {
        Verdict::Diverge(found) => Some(format!("event {}: {:?}", found.index, found.fields)),
        Verdict::Agree { .. } | Verdict::Poisoned { .. } => None,
    }
}

/// Replays whole logs, and each cut off somewhere.
fn reached_again(backend: Backend) {
    let mut random = Random::new(11);
    let mut wrong = Vec::new();
    for bundle in worlds() {
        let log = run(&bundle, backend);
        assert!(log.is_whole(), "{}", bundle.world.name);
        let name = &bundle.world.name;
        wrong.extend(difference(&bundle, &log).map(|found| format!("{name}: {found}")));
        let length = random.below(log.events.len() as u64) as usize;
        let mut beginning = log;
        beginning.events.truncate(length);
        let found = difference(&bundle, &beginning);
        wrong.extend(found.map(|found| format!("{name}, cut after {length}: {found}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn logs_of_the_simulator_are_reached_again() {
    reached_again(Backend::Sim);
}

#[test]
fn logs_of_hardware_are_reached_again() {
    if lcd_tests::native_or_note() {
        reached_again(Backend::Native);
    }
}

#[test]
fn other_orders_are_reached_again() {
    for bundle in worlds().filter(|bundle| bundle.world.name.starts_with("parallel-")) {
        for preempt in [None, Some(200)] {
            if preempt.is_none() && bundle.world.schedule.parallel {
                continue;
            }
            let schedule = Schedule::Seeded { seed: 3, preempt };
            let run = lcd::run_scheduled(&bundle, Backend::Sim, None, schedule).expect("it runs");
            let again = replay_and_compare(&bundle, &run.log, None).expect("it runs");
            assert_eq!(again.run.log, run.log, "{}", bundle.world.name);
        }
    }
}

#[test]
fn a_log_that_says_something_else_is_not_reached() {
    let bundle = worlds().find(|bundle| bundle.world.name == "revoke").expect("it is bundled");
    let log = run(&bundle, Backend::Sim);
    let is_call = |kind: &EventKind| matches!(kind, EventKind::Hypercall { .. });
    let calls = log.events.iter().enumerate().filter(|(_, event)| is_call(&event.kind));
    let mut tried = 0;
    for (at, _) in calls {
        let mut changed = log.clone();
        if let EventKind::Hypercall { number, .. } = &mut changed.events[at].kind {
            *number += 1;
        }
        assert!(difference(&bundle, &changed).is_some(), "event {at}");
        // Cut off right after it, the same is found.
        changed.events.truncate(at + 1);
        assert!(difference(&bundle, &changed).is_some(), "event {at}, the last");
        // As is one that is missing, or one too many.
        let mut shorter = log.clone();
        shorter.events.remove(at);
        assert!(difference(&bundle, &shorter).is_some(), "without event {at}");
        tried += 1;
    }
    assert!(tried > 5, "{tried}");
    let mut longer = log.clone();
    longer.events.push(log.events[0].clone());
    assert!(difference(&bundle, &longer).is_some());
}
