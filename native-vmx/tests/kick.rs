//! Kicks at random moments: none is lost, none is invented, nothing hangs.

mod machine;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use machine::{CALL_LOOP, Delays, SPIN, Watchdog};
use shared_model::arch::{Arch, DomainId, Kick, ThreadId};
use shared_model::exit::Exit;

const D: DomainId = DomainId(0);
const T: ThreadId = ThreadId(0);

/// Kicks `count` times, each after the one before was answered.
fn storm(code: &[u8], count: u64) {
    let Some(mut arch) = machine::machine() else { return };
    let _watchdog = Watchdog::new(Duration::from_secs(120));
    let (system, _) = machine::domain(&mut arch, D, 0, code);
    machine::thread(&mut arch, T, D, &system);
    let kick = arch.kicker(T);
    let answered = Arc::new(AtomicU64::new(0));
    let seen = answered.clone();
    let kicker = thread::spawn(move || {
        let mut delays = Delays(0x9e37_79b9_7f4a_7c15);
        for sent in 1..=count {
            delays.wait();
            kick.kick();
            while seen.load(Ordering::Acquire) < sent {
                thread::yield_now();
            }
        }
    });
    let start = Instant::now();
    let mut calls = 0_u64;
    while answered.load(Ordering::Relaxed) < count {
        match arch.run(T, 0) {
            Exit::Kicked => answered.fetch_add(1, Ordering::Release),
            Exit::Hypercall { .. } => {
                calls += 1;
                continue;
            }
            other => panic!("{other:?}"),
        };
    }
    let each = start.elapsed().as_secs_f64() * 1e6 / count as f64;
    println!("{count} kicks answered, {each:.0} us each, {calls} hypercalls between");
    kicker.join().unwrap();
    // No kick is left over: a spin would end at once, a hypercall would not come.
    if code == CALL_LOOP {
        for _ in 0..10 {
            assert!(matches!(arch.run(T, 0), Exit::Hypercall { .. }));
        }
    }
}

#[test]
fn thousands_of_kicks_end_a_spin_each() {
    storm(&SPIN, 2000);
}

#[test]
fn thousands_of_kicks_among_hypercalls_are_answered_once_each() {
    storm(&CALL_LOOP, 2000);
}

/// An exception runs a few instructions of its own, and a kick may fall among them.
#[test]
fn a_kick_never_shows_the_inside_of_an_exception() {
    let Some(mut arch) = machine::machine() else { return };
    let _watchdog = Watchdog::new(Duration::from_secs(120));
    // ud2
    let (system, _) = machine::domain(&mut arch, D, 0, &[0x0f, 0x0b]);
    machine::thread(&mut arch, T, D, &system);
    let kick = arch.kicker(T);
    let done = Arc::new(AtomicBool::new(false));
    let stop = done.clone();
    let kicker = thread::spawn(move || {
        let mut delays = Delays(0x1234_5678_9abc_def1);
        while !stop.load(Ordering::Relaxed) {
            delays.wait();
            kick.kick();
        }
    });
    let mut seen = [0; 2];
    while seen[0] < 500 || seen[1] < 100 {
        match arch.run(T, 0) {
            Exit::Kicked => seen[0] += 1,
            Exit::Exception { vector: 6, code: 0, address: None } => seen[1] += 1,
            other => panic!("{other:?}"),
        }
        assert_eq!(arch.registers(T).rip, machine::CODE, "{seen:?}");
    }
    done.store(true, Ordering::Relaxed);
    kicker.join().unwrap();
}

#[test]
fn kicks_from_many_threads_while_threads_come_and_go() {
    let Some(mut arch) = machine::machine() else { return };
    let _watchdog = Watchdog::new(Duration::from_secs(120));
    let (system, _) = machine::domain(&mut arch, D, 0, &SPIN);
    thread::scope(|scope| {
        for number in 0..40 {
            let id = ThreadId(number);
            machine::thread(&mut arch, id, D, &system);
            // These kick on after the thread is gone, for a while.
            for _ in 0..3 {
                let kick = arch.kicker(id);
                scope.spawn(move || {
                    for _ in 0..200 {
                        kick.kick();
                        thread::yield_now();
                    }
                });
            }
            assert_eq!(arch.run(id, 0), Exit::Kicked);
            arch.thread_destroy(id);
        }
    });
}

#[test]
fn a_machine_may_move_between_host_threads() {
    let Some(mut arch) = machine::machine() else { return };
    let _watchdog = Watchdog::new(Duration::from_secs(60));
    let (system, _) = machine::domain(&mut arch, D, 0, &SPIN);
    machine::thread(&mut arch, T, D, &system);
    for turn in 0..20 {
        let kick = arch.kicker(T);
        arch = thread::spawn(move || {
            thread::spawn(move || {
                thread::sleep(Duration::from_millis(turn % 3));
                kick.kick();
            });
            assert_eq!(arch.run(T, 0), Exit::Kicked);
            arch
        })
        .join()
        .unwrap();
    }
    assert!(arch.registers(T).general[3] > 0);
}
