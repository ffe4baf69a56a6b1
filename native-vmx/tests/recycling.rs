//! A domain may have any number of threads, one after another. KVM never gives a virtual
//! processor back, so this is only so because they are used again.

mod machine;

use std::time::Instant;

use machine::{CALL_LOOP, CODE, DATA};
use shared_model::arch::{Arch, DomainId, Kick, ThreadId};
use shared_model::exit::Exit;
use shared_model::registers::{FLAGS_INITIAL, Registers};

/// More than KVM allows in one virtual machine, where that is known: 1024 on most hosts.
const TURNS: u32 = 5000;
const D: DomainId = DomainId(0);

#[test]
fn thousands_of_threads_one_after_another() {
    let Some(mut arch) = machine::machine() else { return };
    let (system, _) = machine::domain(&mut arch, D, 0, &CALL_LOOP);
    let start = Instant::now();
    for turn in 0..TURNS {
        machine::thread(&mut arch, ThreadId(turn), D, &system);
        if turn % 100 == 0 {
            assert!(matches!(arch.run(ThreadId(turn), 0), Exit::Hypercall { .. }));
        }
        arch.thread_destroy(ThreadId(turn));
    }
    println!("{:?} per thread", start.elapsed() / TURNS);
}

/// Several at a time, ended in another order than they began, and all of them different.
#[test]
fn threads_that_overlap_do_not_meet() {
    let Some(mut arch) = machine::machine() else { return };
    let (system, _) = machine::domain(&mut arch, D, 0, &CALL_LOOP);
    let mut living: Vec<(ThreadId, u64)> = Vec::new();
    for turn in 0..300_u32 {
        let id = ThreadId(turn);
        arch.thread_create(id, D, &system).unwrap();
        let initial = Registers { rflags: FLAGS_INITIAL, ..Registers::default() };
        assert_eq!(arch.registers(id), initial);
        let mut registers = Registers { rip: CODE, ..initial };
        registers.general = [u64::from(turn) * 0x0101_0101; 16];
        arch.set_registers(id, &registers);
        living.push((id, registers.general[1]));
        for &(id, value) in &living {
            assert_eq!(arch.run(id, 0), Exit::Hypercall { number: value as u8 as u32 });
            assert_eq!(arch.registers(id).general, [value; 16]);
        }
        if living.len() > 7 {
            for victim in [turn as usize * 5 % 7, 3, 0] {
                arch.thread_destroy(living.remove(victim % living.len()).0);
            }
        }
    }
}

/// A processor in the middle of an `ins`, which may ask for more than anybody gives it, is no use
/// to another thread.
#[test]
fn what_a_thread_left_unfinished_is_not_the_next_ones() {
    // rep insb; out %al, $0xe0
    let Some(mut arch) = machine::machine() else { return };
    let (system, _) = machine::domain(&mut arch, D, 0, &[0xf3, 0x6c, 0xe6, 0xe0]);
    for turn in 0..20 {
        let (asks, next) = (ThreadId(2 * turn), ThreadId(2 * turn + 1));
        machine::thread(&mut arch, asks, D, &system);
        let mut registers = Registers { rip: CODE, ..Registers::default() };
        // The count, the port and the place.
        (registers.general[1], registers.general[2], registers.general[7]) = (4000, 0xe0, DATA);
        arch.set_registers(asks, &registers);
        assert_eq!(arch.run(asks, 0), Exit::Port { port: 0xe0 });
        arch.thread_destroy(asks);
        machine::thread(&mut arch, next, D, &system);
        arch.set_registers(next, &Registers { rip: CODE + 2, ..Registers::default() });
        assert_eq!(arch.run(next, 0), Exit::Hypercall { number: 0 });
        assert_eq!(arch.registers(next).general, [0; 16]);
        arch.thread_destroy(next);
    }
}

/// Handles of the threads before share a processor with the one that runs, and nothing else.
#[test]
fn old_handles_cost_a_new_thread_nothing() {
    let Some(mut arch) = machine::machine() else { return };
    let (system, _) = machine::domain(&mut arch, D, 0, &CALL_LOOP);
    let mut old = Vec::new();
    for turn in 0..20 {
        let id = ThreadId(turn);
        machine::thread(&mut arch, id, D, &system);
        assert!(matches!(arch.run(id, 0), Exit::Hypercall { .. }));
        old.push(arch.kicker(id));
        arch.thread_destroy(id);
    }
    let id = ThreadId(100);
    machine::thread(&mut arch, id, D, &system);
    let entries = arch.entries(id);
    for turn in 1..100 {
        old.iter().for_each(Kick::kick);
        assert!(matches!(arch.run(id, 0), Exit::Hypercall { .. }));
        assert_eq!(arch.entries(id) - entries, turn);
    }
}
