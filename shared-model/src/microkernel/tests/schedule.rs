//! Schedules: what is drawn is drawn the same way again, and a run's order can be repeated.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;

use super::super::scripted::{Act, Scripted};
use super::{Bench, Microkernel, Status};
use crate::abi::Hypercall;
use crate::compare::{Verdict, compare};
use crate::domain::{LifecycleError, ThreadId, ThreadState};
use crate::event::{EventKind, Log};
use crate::exit::{End, Exit, KillReason};
use crate::microkernel::{Schedule, Step, exit_order};

use Act::{Await, Set};

const THREE: &str = r#"
name = "three"
[[domain]]
name = "a"
module = "m"
[[domain]]
name = "b"
module = "m"
[[domain]]
name = "c"
module = "m"
"#;

fn recorded(order: &[ThreadId]) -> Schedule {
    Schedule::Recorded(order.to_vec().into())
}

const THREADS: [ThreadId; 3] = [ThreadId(0), ThreadId(1), ThreadId(2)];

fn call(after: u64, call: Hypercall) -> Act {
    Act::Exit(after, Exit::Hypercall { number: call as u32 })
}

/// So many calls of some instructions each, and the end.
fn calls(count: usize, each: u64) -> Vec<Act> {
    let mut program: Vec<_> = (0..count).map(|_| call(each, Hypercall::Time)).collect();
    program.push(call(each, Hypercall::Exit));
    program
}

fn bench(schedule: &Schedule, counts: bool, programs: &[Vec<Act>]) -> Bench {
    let mut bench = Bench::asleep(THREE);
    bench.kernel.arch.counts = counts;
    for (thread, program) in THREADS.into_iter().zip(programs) {
        bench.kernel.arch.programs.insert(thread, VecDeque::from(program.clone()));
    }
    bench.kernel.set_schedule(schedule.clone()).unwrap();
    bench.kernel.boot().unwrap();
    bench
}

/// Runs to the end, in steps of this budget.
fn run(schedule: &Schedule, counts: bool, budget: u64, programs: &[Vec<Act>]) -> Log {
    let mut bench = bench(schedule, counts, programs);
    let mut steps = 0;
    while bench.kernel.step(budget) != Step::Idle {
        bench.audit();
        steps += 1;
        assert!(steps < 100_000, "it ends");
    }
    bench.kernel.finish();
    let log = bench.kernel.log();
    bench.tear_down();
    log
}

const fn seeded(seed: u64, preempt: Option<u64>) -> Schedule {
    Schedule::Seeded { seed, preempt }
}

#[test]
fn a_seed_means_one_order_and_others_mean_others() {
    let programs: Vec<_> = (0..3).map(|_| calls(4, 10)).collect();
    let mut orders = BTreeSet::new();
    for seed in 0..40 {
        let log = run(&seeded(seed, None), false, 1000, &programs);
        assert_eq!(log, run(&seeded(seed, None), false, 7, &programs));
        // Counting instructions changes nothing where none are counted.
        assert_eq!(log, run(&seeded(seed, None), true, 1000, &programs));
        assert_eq!(log.header.schedule, seeded(seed, None));
        orders.insert(exit_order(&log).exits);
    }
    assert!(orders.len() > 30, "{}", orders.len());
    let first: BTreeSet<_> = orders.iter().map(|order| order[0]).collect();
    assert_eq!(first, BTreeSet::from(THREADS), "anybody can be first");
}

#[test]
fn turns_of_counted_instructions_do_not_depend_on_the_caller() {
    // Each waits for another one's store, so that nobody gets far alone.
    let programs = [
        alloc::vec![Await(1), call(50, Hypercall::Time), Set(2), call(1, Hypercall::Exit)],
        alloc::vec![call(100, Hypercall::Time), Set(1), Await(2), call(5, Hypercall::Exit)],
        calls(5, 30),
    ];
    let mut logs = BTreeSet::new();
    for seed in 0..10 {
        let schedule = seeded(seed, Some(64));
        let log = run(&schedule, true, 1000, &programs);
        for budget in [1, 3, 64, u64::MAX] {
            assert_eq!(log, run(&schedule, true, budget, &programs), "{budget}");
        }
        assert_eq!(log.header.schedule, schedule);
        logs.insert(exit_order(&log).exits);
    }
    assert!(logs.len() > 5);
    // A backend that does not count says that it did not do this.
    let log = run(&seeded(1, Some(64)), false, 1000, &[calls(1, 1), calls(1, 1), calls(1, 1)]);
    assert_eq!(log.header.schedule, seeded(1, None));
}

#[test]
fn interleavings_within_code_are_found() {
    // Whether the first thread's store is seen before the second one's call.
    let programs = [
        alloc::vec![call(20, Hypercall::Time), Set(1), call(20, Hypercall::Exit)],
        alloc::vec![Await(1), call(1, Hypercall::Exit)],
        calls(0, 25),
    ];
    let ends: BTreeSet<_> = (0..60)
        .map(|seed| exit_order(&run(&seeded(seed, Some(8)), true, 1000, &programs)).exits)
        .collect();
    let after_store =
        |order: &&Vec<ThreadId>| order.iter().rposition(|&t| t == THREADS[0]) == Some(3);
    assert!(ends.iter().any(|order| after_store(&order)), "{ends:?}");
    assert!(ends.iter().any(|order| !after_store(&order)), "{ends:?}");
}

#[test]
fn a_recorded_order_gives_the_same_log_on_any_backend() {
    let programs = [
        alloc::vec![call(30_000, Hypercall::Time), Set(1), call(7, Hypercall::Exit)],
        alloc::vec![Await(1), call(10, Hypercall::Yield), call(10, Hypercall::Exit)],
        calls(6, 5000),
    ];
    for schedule in [seeded(3, Some(9000)), seeded(9, Some(20_000))] {
        let log = run(&schedule, true, 1 << 40, &programs);
        let order = exit_order(&log).exits;
        assert_eq!(order.len(), 2 + 2 + 7);
        for budget in [1 << 40, 100] {
            let again = run(&recorded(&order), true, budget, &programs);
            assert_eq!(again.events, log.events);
            let compared = log.events.len();
            assert_eq!(compare(&log, &again), Verdict::Agree { compared });
            assert_eq!(again.header.schedule, recorded(&order));
        }
    }
}

#[test]
fn a_thread_whose_exit_is_due_is_not_kept_waiting_by_what_it_waits_for() {
    // By the order, the second thread's exit comes first, and it spins until the first and the
    // third have stored, which come to exits of their own before it.
    let programs = [
        alloc::vec![Set(1), call(5, Hypercall::Time), call(5, Hypercall::Exit)],
        alloc::vec![Await(1), Await(2), call(5, Hypercall::Exit)],
        alloc::vec![call(5, Hypercall::Time), Set(2), call(5, Hypercall::Exit)],
    ];
    let order = [2, 1, 2, 0, 0].map(ThreadId);
    let log = run(&recorded(&order), true, 1 << 40, &programs);
    assert_eq!(exit_order(&log).exits, order);
    let all_alive = EventKind::Hypercall {
        call: Some(Hypercall::Time),
        number: Hypercall::Time as u32,
        arguments: Vec::new(),
        text: None,
        bytes: None,
        status: Status::Ok,
    };
    assert_eq!(log.events.iter().filter(|event| event.kind == all_alive).count(), 2);
}

#[test]
fn on_a_backend_that_does_not_count_a_kick_lets_others_run() {
    let programs = [
        alloc::vec![Set(1), call(5, Hypercall::Exit)],
        alloc::vec![Await(1), call(5, Hypercall::Exit)],
        calls(0, 5),
    ];
    let order = [1, 0, 2].map(ThreadId);
    let mut bench = bench(&recorded(&order), false, &programs);
    assert_eq!(bench.kernel.current().map(|(thread, _)| thread), Some(THREADS[1]));
    // It would spin for good; the caller's patience ends.
    assert_eq!(bench.kernel.step(1000), Step::Budget(THREADS[1]));
    assert_eq!(bench.kernel.step(1000), Step::Budget(THREADS[1]));
    for _ in 0..20 {
        if let Step::Budget(thread) = bench.kernel.step(1000) {
            bench.kernel.end_turn(thread);
        }
        bench.audit();
    }
    assert_eq!(exit_order(&bench.kernel.log()).exits, order);
    bench.tear_down();
}

#[test]
fn an_order_of_another_run_is_given_up() {
    let programs: Vec<_> = (0..3).map(|_| calls(2, 10)).collect();
    let plain = run(&Schedule::Cooperative, true, 1000, &programs);
    let orders: [&[u32]; 6] =
        [&[], &[99], &[0, 0, 0, 0, 0, 0], &[2, 77, 1], &[1, 1, 1, 1], &[2, 2, 2, 2, 2]];
    for order in orders {
        let order_of = recorded(&order.iter().copied().map(ThreadId).collect::<Vec<_>>());
        let log = run(&order_of, true, 1000, &programs);
        assert_eq!(exit_order(&log).exits.len(), 9, "everybody comes to the end");
        let followed = order.iter().take(3).take_while(|thread| **thread < 3).count();
        let wanted: Vec<_> = order[..followed].iter().copied().map(ThreadId).collect();
        assert_eq!(exit_order(&log).exits[..followed], wanted);
    }
    assert_eq!(run(&recorded(&[]), true, 1000, &programs).events, plain.events);
}

#[test]
fn an_exit_that_was_reached_early_is_not_taken_by_the_dead() {
    let programs = [alloc::vec![], alloc::vec![call(5, Hypercall::Time)], alloc::vec![]];
    let mut bench = bench(&recorded(&[ThreadId(0)]), true, &programs);
    for _ in 0..10 {
        bench.kernel.step(1 << 40);
    }
    assert!(bench.kernel.turns.is_held(THREADS[1]));
    bench.kernel.kill_thread(THREADS[1]).unwrap();
    assert!(!bench.kernel.turns.is_held(THREADS[1]));
    assert_eq!(exit_order(&bench.kernel.log()).exits, []);
    bench.audit();
    bench.kernel.time_out();
    assert_eq!(bench.kernel.step(1), Step::Idle);
    bench.tear_down();
}

#[test]
fn the_order_of_exits_counts_each_exit_once() {
    let mut bench = Bench::asleep(THREE);
    bench.kernel.boot().unwrap();
    let fault = Exit::Exception { vector: 6, code: 0, address: None };
    bench.call(THREADS[0], Hypercall::Yield, &[]);
    bench.exit(THREADS[1], fault);
    bench.raw(THREADS[2], 9999, &[]);
    bench.returns(THREADS[2], 0);
    bench.kernel.kill_thread(THREADS[0]).unwrap();
    assert_eq!(bench.state_of_thread(THREADS[0]), ThreadState::Dead);
    assert_eq!(bench.end_of(THREADS[0]), Some(End::Killed(KillReason::Killed)));
    let order = exit_order(&bench.kernel.log());
    assert_eq!(
        (order.exits, order.kills),
        ([0, 1, 2, 2].map(ThreadId).into(), alloc::vec![(4, THREADS[0])])
    );
    bench.tear_down();
}

#[test]
fn two_schedules_are_not_compared_as_if_they_were_one() {
    let programs: Vec<_> = (0..3).map(|_| calls(2, 10)).collect();
    let logs = [Schedule::Cooperative, seeded(1, None), seeded(2, None)]
        .map(|schedule| run(&schedule, true, 1000, &programs));
    for (left, right, said) in [
        (&logs[0], &logs[1], "schedule: cooperative and seed 1"),
        (&logs[1], &logs[2], "schedule: seed 1 and seed 2"),
    ] {
        let Verdict::Diverge(divergence) = compare(left, right) else { panic!("they differ") };
        assert_eq!((divergence.index, &*divergence.fields), (0, &[said.into()][..]));
    }
    for log in &logs {
        let text = log.to_json_lines();
        assert_eq!(&Log::from_json_lines(&text).unwrap(), log);
        assert_eq!(text.lines().next().unwrap().contains("schedule"), log != &logs[0]);
    }
}

#[test]
fn a_schedule_is_chosen_before_anything_happens() {
    let mut kernel: Microkernel<Scripted> = Bench::asleep(THREE).kernel;
    kernel.set_schedule(seeded(1, None)).unwrap();
    kernel.set_schedule(Schedule::Cooperative).unwrap();
    kernel.boot().unwrap();
    assert_eq!(kernel.set_schedule(seeded(1, None)), Err(LifecycleError::Begun));
    assert!(kernel.log().header.schedule.is_cooperative());
    let text = serde_json::to_string(&seeded(u64::MAX, Some(0))).unwrap();
    assert_eq!(serde_json::from_str::<Schedule>(&text).unwrap(), seeded(u64::MAX, Some(0)));
}
