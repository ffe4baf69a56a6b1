//! Several threads at the same time, each on a host thread of its own, while the machine is
//! used by another.

mod machine;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use machine::{CALL_LOOP, CODE, DATA, DATA_FRAME, Delays, SPIN, STACK, STACK_FRAME, Watchdog};
use native_vmx::{NativeArch, NativeRunner};
use shared_model::address::{Frame, GuestPhysical, GuestVirtual};
use shared_model::arch::{Arch, DomainId, Kick, Parallel, Runner, ThreadId};
use shared_model::exit::{Access, Exit};
use shared_model::registers::Registers;
use shared_model::rights::Rights;

const D: DomainId = DomainId(0);
const T: ThreadId = ThreadId(0);
const U: ThreadId = ThreadId(1);
const RDX: usize = 2;
const RBX: usize = 3;
const LIMIT: Duration = Duration::from_secs(120);

/// The machine as a driver keeps it.
type Shared = Mutex<NativeArch>;

fn lock(machine: &Shared) -> MutexGuard<'_, NativeArch> {
    machine.lock().unwrap()
}

/// A machine with a domain that has `code`.
fn start(code: &[u8]) -> Option<(Watchdog, NativeArch, shared_model::registers::SystemRegisters)> {
    let mut arch = machine::machine()?;
    let watchdog = Watchdog::new(LIMIT);
    let (system, _) = machine::domain(&mut arch, D, 0, code);
    Some((watchdog, arch, system))
}

fn set(arch: &mut NativeArch, thread: ThreadId, register: usize, value: u64) {
    let mut registers = arch.registers(thread);
    registers.general[register] = value;
    arch.set_registers(thread, &registers);
}

/// Runs until the thread leaves for something that is not a kick.
fn until_exit(machine: &Shared, thread: ThreadId, runner: &mut NativeRunner) -> Exit {
    loop {
        let raw = runner.run();
        match lock(machine).complete(thread, raw) {
            Exit::Kicked => {}
            exit => return exit,
        }
    }
}

/// Lets a guest that has just been started get going.
fn a_moment() {
    thread::sleep(Duration::from_millis(3));
}

#[test]
fn two_threads_add_to_one_counter() {
    const TURNS: u64 = 2_000_000;
    // 1: lock xadd %eax, (%rbx); mov $1, %eax; dec %rcx; jnz 1b; out %al, $0xe0
    let code = [0xf0, 0x0f, 0xc1, 0x03, 0xb8, 1, 0, 0, 0, 0x48, 0xff, 0xc9, 0x75, 0xf2, 0xe6, 0xe0];
    let Some((_watchdog, mut arch, system)) = start(&code) else { return };
    for thread in [T, U] {
        machine::thread(&mut arch, thread, D, &system);
        for (register, value) in [(0, 1), (1, TURNS), (RBX, DATA)] {
            set(&mut arch, thread, register, value);
        }
    }
    let runners = [T, U].map(|thread| (thread, arch.runner(thread)));
    let machine = &Mutex::new(arch);
    thread::scope(|scope| {
        for (thread, mut runner) in runners {
            scope.spawn(move || {
                let exit = until_exit(machine, thread, &mut runner);
                assert_eq!(exit, Exit::Hypercall { number: 1 });
            });
        }
    });
    let mut sum = [0; 4];
    lock(machine).frame_read(Frame(DATA_FRAME), 0, &mut sum);
    assert_eq!(u64::from(u32::from_le_bytes(sum)), 2 * TURNS);
}

/// The first word of a frame.
fn word(machine: &Shared, frame: u32) -> u64 {
    let mut bytes = [0; 8];
    lock(machine).frame_read(Frame(frame), 0, &mut bytes);
    u64::from_le_bytes(bytes)
}

/// Waits until a guest has changed a word in a way that shows that it runs.
fn until(machine: &Shared, frame: u32, shows: impl Fn(u64) -> bool) {
    while !shows(word(machine, frame)) {
        thread::yield_now();
    }
}

#[test]
fn a_page_taken_from_a_running_reader_is_gone_at_once() {
    // 1: mov (%rbx), %rax; mov %rax, (%rdx); jmp 1b
    let code = [0x48, 0x8b, 0x03, 0x48, 0x89, 0x02, 0xeb, 0xf8];
    let Some((_watchdog, mut arch, system)) = start(&code) else { return };
    machine::thread(&mut arch, T, D, &system);
    set(&mut arch, T, RBX, DATA);
    set(&mut arch, T, RDX, STACK);
    let (page, frame) = (GuestPhysical(DATA), Frame(DATA_FRAME));
    let machine = &Mutex::new(arch);
    let mut delays = Delays(0x9e37_79b9_7f4a_7c15);
    for turn in 1..=100_u64 {
        lock(machine).frame_write(frame, 0, &turn.to_le_bytes());
        let mut runner = lock(machine).runner(T);
        thread::scope(|scope| {
            let reader = scope.spawn(move || until_exit(machine, T, &mut runner));
            until(machine, STACK_FRAME, |seen| seen == turn);
            delays.wait();
            let mut arch = lock(machine);
            arch.unmap(D, page);
            // Nobody reads what is written from now on.
            arch.frame_write(frame, 0, &[0xdd; 8]);
            drop(arch);
            let (address, from) = (GuestPhysical(DATA), GuestVirtual(DATA));
            let exit = Exit::Fault { address, from, access: Access::Read };
            assert_eq!(reader.join().unwrap(), exit, "turn {turn}");
        });
        assert_eq!(word(machine, STACK_FRAME), turn);
        assert_eq!(lock(machine).registers(T).general[0], turn);
        lock(machine).map(D, page, frame, Rights::READ).unwrap();
    }
}

#[test]
fn a_right_taken_from_a_running_writer_is_gone_at_once() {
    // 1: inc %rax; mov %rax, (%rbx); jmp 1b
    let code = [0x48, 0xff, 0xc0, 0x48, 0x89, 0x03, 0xeb, 0xf8];
    let Some((_watchdog, mut arch, system)) = start(&code) else { return };
    machine::thread(&mut arch, T, D, &system);
    set(&mut arch, T, RBX, DATA);
    let (page, frame) = (GuestPhysical(DATA), Frame(DATA_FRAME));
    let machine = &Mutex::new(arch);
    for _ in 0..30 {
        let before = word(machine, DATA_FRAME);
        let mut runner = lock(machine).runner(T);
        thread::scope(|scope| {
            let writer = scope.spawn(move || until_exit(machine, T, &mut runner));
            until(machine, DATA_FRAME, |count| count > before);
            lock(machine).map(D, page, frame, Rights::READ).unwrap();
            let now = word(machine, DATA_FRAME);
            thread::sleep(Duration::from_micros(300));
            assert_eq!(word(machine, DATA_FRAME), now);
            let exit = writer.join().unwrap();
            assert!(matches!(exit, Exit::Fault { access: Access::Write, .. }), "{exit:?}");
            // The write that was refused is the one after the last that was not.
            assert_eq!(lock(machine).registers(T).general[0], now + 1);
        });
        lock(machine).map(D, page, frame, Rights::READ_WRITE).unwrap();
    }
}

#[test]
fn a_running_thread_can_be_looked_at_and_moved() {
    let code = [&SPIN[..], &CALL_LOOP].concat();
    let Some((_watchdog, mut arch, system)) = start(&code) else { return };
    machine::thread(&mut arch, T, D, &system);
    let mut runner = arch.runner(T);
    let machine = &Mutex::new(arch);
    thread::scope(|scope| {
        let spinner = scope.spawn(move || until_exit(machine, T, &mut runner));
        let (mut last, mut moves) = (0, 0);
        while moves < 20 {
            a_moment();
            let registers = lock(machine).registers(T);
            assert!(registers.general[RBX] >= last && registers.rip - CODE < 5);
            moves += u32::from(registers.general[RBX] > last);
            last = registers.general[RBX];
        }
        let registers = Registers { rip: CODE + SPIN.len() as u64, ..Registers::default() };
        lock(machine).set_registers(T, &registers);
        assert_eq!(spinner.join().unwrap(), Exit::Hypercall { number: 0 });
    });
}

#[test]
fn a_destroyed_thread_stops_and_never_runs_again() {
    let Some((_watchdog, mut arch, system)) = start(&SPIN) else { return };
    let mut slowest = Duration::ZERO;
    for turn in 0..30 {
        let id = ThreadId(turn);
        machine::thread(&mut arch, id, D, &system);
        let (mut runner, kick) = (arch.runner(id), arch.kicker(id));
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                // A driver that asks nobody.
                while !done.load(Ordering::Relaxed) {
                    runner.run();
                }
            });
            a_moment();
            let start = Instant::now();
            arch.thread_destroy(id);
            slowest = slowest.max(start.elapsed());
            kick.kick();
            // Its processor is another's now, and the runner that goes on does not touch it.
            let next = ThreadId(1000 + turn);
            arch.thread_create(next, D, &system).unwrap();
            arch.set_registers(next, &Registers { rip: CODE, ..Registers::default() });
            let other = arch.kicker(next);
            scope.spawn(move || {
                a_moment();
                other.kick();
            });
            assert_eq!(arch.run(next, 0), Exit::Kicked);
            arch.thread_destroy(next);
            done.store(true, Ordering::Relaxed);
        });
    }
    println!("the slowest of 30 took {slowest:?}");
    assert!(slowest < Duration::from_secs(5));
}

#[test]
fn a_machine_that_goes_takes_its_threads_along() {
    let Some((_watchdog, mut arch, system)) = start(&SPIN) else { return };
    let threads = [T, U, ThreadId(2)];
    threads.iter().for_each(|&thread| machine::thread(&mut arch, thread, D, &system));
    let runners = threads.map(|thread| arch.runner(thread));
    let gone = &AtomicBool::new(false);
    thread::scope(|scope| {
        for mut runner in runners {
            scope.spawn(move || {
                while !gone.load(Ordering::Acquire) {
                    runner.run();
                }
                // Still there, still harmless.
                runner.run();
            });
        }
        a_moment();
        drop(arch);
        gone.store(true, Ordering::Release);
    });
}

#[test]
fn what_was_refused_and_is_allowed_by_now_is_tried_again() {
    // mov (%rbx), %eax; out %al, $0xe0
    let Some((_watchdog, mut arch, system)) = start(&[0x8b, 0x03, 0xe6, 0xe0]) else { return };
    machine::thread(&mut arch, T, D, &system);
    set(&mut arch, T, RBX, DATA);
    let (page, frame) = (GuestPhysical(DATA), Frame(DATA_FRAME));
    arch.frame_write(frame, 0, &[7]);
    arch.unmap(D, page);
    let mut runner = arch.runner(T);
    let raw = runner.run();
    arch.map(D, page, frame, Rights::READ).unwrap();
    assert_eq!(arch.complete(T, raw), Exit::Kicked);
    let raw = runner.run();
    assert_eq!(arch.complete(T, raw), Exit::Hypercall { number: 7 });
}

#[test]
fn nobody_sees_a_thread_inside_an_exception() {
    // ud2
    let Some((_watchdog, mut arch, system)) = start(&[0x0f, 0x0b]) else { return };
    machine::thread(&mut arch, T, D, &system);
    let mut runner = arch.runner(T);
    // Between the run and its completion.
    let raw = runner.run();
    let registers = arch.registers(T);
    assert_eq!(registers.rip, CODE);
    let exit = Exit::Exception { vector: 6, code: 0, address: None };
    assert_eq!(arch.complete(T, raw), exit);
    // And whenever else.
    let machine = &Mutex::new(arch);
    let done = &AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(move || {
            for _ in 0..300 {
                assert_eq!(until_exit(machine, T, &mut runner), exit);
            }
            done.store(true, Ordering::Relaxed);
        });
        let mut delays = Delays(0x1234_5678_9abc_def1);
        while !done.load(Ordering::Relaxed) {
            delays.wait();
            assert_eq!(lock(machine).registers(T), registers);
        }
    });
}

/// Threads come, run, and are kicked, looked at and destroyed by somebody who does not ask
/// what they are doing.
#[test]
fn hundreds_of_random_ends_never_hang() {
    const ENDS: u32 = 300;
    let code = [&SPIN[..], &CALL_LOOP].concat();
    let Some((_watchdog, mut arch, system)) = start(&code) else { return };
    let born = AtomicU32::new(0);
    let fresh = move |arch: &mut NativeArch, random: u64| {
        let id = ThreadId(born.fetch_add(1, Ordering::Relaxed));
        machine::thread(arch, id, D, &system);
        // In the spin, or among hypercalls.
        let rip = CODE + SPIN.len() as u64 * (random & 1);
        arch.set_registers(id, &Registers { rip, ..Registers::default() });
        id
    };
    let mut living: Vec<ThreadId> = (0..3).map(|n| fresh(&mut arch, n)).collect();
    let first: Vec<_> = living.iter().map(|&id| (id, arch.runner(id))).collect();
    // The machine and who is alive in it, as one.
    let world = &Mutex::new((arch, living.clone()));
    thread::scope(|scope| {
        let drive = move |id: ThreadId, mut runner: NativeRunner| {
            loop {
                let raw = runner.run();
                let (arch, living) = &mut *world.lock().unwrap();
                if !living.contains(&id) {
                    return;
                }
                let exit = arch.complete(id, raw);
                assert!(matches!(exit, Exit::Kicked | Exit::Hypercall { .. }), "{exit:?}");
            }
        };
        for (id, runner) in first {
            scope.spawn(move || drive(id, runner));
        }
        let mut delays = Delays(0x9e37_79b9_7f4a_7c15);
        let mut ends = 0;
        while ends < ENDS {
            delays.wait();
            let random = delays.next();
            let index = (random >> 8) as usize % living.len();
            let (arch, alive) = &mut *world.lock().unwrap();
            match random % 4 {
                0 => arch.kicker(living[index]).kick(),
                1 => drop(arch.registers(living[index])),
                _ => {
                    if random & 64 != 0 {
                        arch.kicker(living[index]).kick();
                    }
                    arch.thread_destroy(living[index]);
                    living[index] = fresh(arch, random >> 7);
                    alive.clone_from(&living);
                    let (id, runner) = (living[index], arch.runner(living[index]));
                    scope.spawn(move || drive(id, runner));
                    ends += 1;
                }
            }
        }
        let (arch, alive) = &mut *world.lock().unwrap();
        alive.clear();
        living.iter().for_each(|&id| arch.thread_destroy(id));
    });
}
