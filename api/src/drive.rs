//! Runs a world to its end on one backend, within limits of the host's time.
//!
//! A native thread leaves the processor only at an exit, so a spinning one has to be kicked. One
//! watchdog thread per run sleeps until the earliest of the current thread's deadline, the whole
//! run's, and the moment at which somebody who watches wants to hear of what has happened; the loop
//! below decides, after a kick, which of them it was.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use native_vmx::{KickHandle, NativeArch};
use shared_model::arch::Kick as _;
use shared_model::bundle::Bundle;
use shared_model::domain::{LifecycleError, ThreadId};
use shared_model::event::Log;
use shared_model::microkernel::{Schedule, exit_order};
use shared_model::session::{Progress, Request};

use crate::backend::{Backend, BackendError, Machine};
use crate::observe::{Observer, Watch};
use crate::parallel::{self, Cancel};

/// A finished run.
#[derive(Debug)]
pub struct Run {
    /// Everything that happened.
    pub log: Log,
    /// How long the run took, without loading and digesting.
    pub elapsed: Duration,
    /// Instructions retired, on a backend that counts.
    pub retired: Option<u64>,
    /// How often hardware was entered, on a backend that enters it: `KVM_RUN` was called. That is
    /// once for each exit, and once more where a thread's registers were wanted.
    pub entries: Option<u64>,
}

/// Runs a bundle's world on a backend until nothing is ready any more, or until `timeout` (by
/// default the world's own limit), after which threads that still run end with `timeout`.
///
/// A thread goes on until it waits, yields or ends. In a world that is meant to run in parallel one
/// may wait for another by looking at memory: for that see [`crate::run_parallel`], and
/// [`crate::differential::alone`] with [`run_scheduled`].
///
/// # Errors
/// [`BackendError`] if the backend is unavailable or a module cannot be loaded.
pub fn run(
    bundle: &Bundle,
    backend: Backend,
    timeout: Option<Duration>,
) -> Result<Run, BackendError> {
    run_scheduled(bundle, backend, timeout, Schedule::Cooperative)
}

/// As [`run`], with threads that take turns in another order than the usual one.
///
/// # Errors
/// As [`run`].
pub fn run_scheduled(
    bundle: &Bundle,
    backend: Backend,
    timeout: Option<Duration>,
    schedule: Schedule,
) -> Result<Run, BackendError> {
    run_watched(bundle, backend, timeout, schedule, &Cancel::default(), None)
}

/// As [`run_scheduled`], and somebody watches. With [`Schedule::Parallel`], a native run is that of
/// [`run_parallel`].
///
/// # Errors
/// As [`run`].
pub fn run_observed(
    bundle: &Bundle,
    backend: Backend,
    timeout: Option<Duration>,
    schedule: Schedule,
    observer: &mut dyn Observer,
) -> Result<Run, BackendError> {
    run_watched(bundle, backend, timeout, schedule, &Cancel::default(), Some(observer))
}

/// Runs a bundle's world on hardware, with a processor for each of its threads, until nothing can run
/// any more, or until `timeout` (by default the world's own limit) or somebody else ends it.
///
/// # Errors
/// As [`run`].
pub fn run_parallel(
    bundle: &Bundle,
    timeout: Option<Duration>,
    cancel: &Cancel,
) -> Result<Run, BackendError> {
    run_watched(bundle, Backend::Native, timeout, Schedule::Parallel, cancel, None)
}

/// Repeats a run in the simulator: exits take effect in the order in which the log has them.
///
/// # Errors
/// As [`run`].
pub fn replay(bundle: &Bundle, log: &Log, timeout: Option<Duration>) -> Result<Run, BackendError> {
    run_scheduled(bundle, Backend::Sim, timeout, Schedule::Recorded(exit_order(log)))
}

/// Every run of a bundle. Only a parallel one can be cancelled.
pub(crate) fn run_watched(
    bundle: &Bundle,
    backend: Backend,
    timeout: Option<Duration>,
    schedule: Schedule,
    cancel: &Cancel,
    observer: Option<&mut dyn Observer>,
) -> Result<Run, BackendError> {
    let mut watch = Watch::new(backend, observer);
    let result = match (&schedule, backend) {
        (Schedule::Parallel, Backend::Native) => at_once(bundle, timeout, cancel, &mut watch),
        _ => in_turns(bundle, backend, timeout, schedule, &mut watch),
    };
    watch.ended(&result);
    result
}

fn at_once(
    bundle: &Bundle,
    timeout: Option<Duration>,
    cancel: &Cancel,
    watch: &mut Watch<'_>,
) -> Result<Run, BackendError> {
    bundle.world.validate().map_err(LifecycleError::Load)?;
    let limit = Duration::from_millis(bundle.world.limits.milliseconds);
    let machine = NativeArch::new()?;
    Ok(parallel::run_watched(machine, bundle, timeout.unwrap_or(limit), cancel, watch)?)
}

fn in_turns(
    bundle: &Bundle,
    backend: Backend,
    timeout: Option<Duration>,
    schedule: Schedule,
    watch: &mut Watch<'_>,
) -> Result<Run, BackendError> {
    // Worlds come from elsewhere than files too; a wrong one is refused alike everywhere.
    bundle.world.validate().map_err(LifecycleError::Load)?;
    let mut machine = Machine::open(backend, bundle)?;
    if !schedule.is_cooperative() {
        machine.request(Request::Schedule(schedule))?;
    }
    watch.started(|| machine.header())?;
    let limit = Duration::from_millis(bundle.world.limits.milliseconds);
    // The simulator's own limit is in instructions, which every host counts alike; the clock
    // only ends it when somebody asked for that.
    let allowed = match (timeout, backend) {
        (Some(timeout), _) => Some(timeout),
        (None, Backend::Native) => Some(limit),
        (None, Backend::Sim) => None,
    };
    let ran = boot_and_drive(&mut machine, allowed, watch);
    // Also of a run that failed, whatever there was.
    let rest = watch.rest(&mut machine);
    let (elapsed, retired, entries) = ran?;
    rest?;
    Ok(Run { log: machine.log()?, elapsed, retired, entries })
}

/// All of a run, for at most as long as `allowed`. What it took is of the time between boot and end.
fn boot_and_drive(
    machine: &mut Machine,
    allowed: Option<Duration>,
    watch: &mut Watch<'_>,
) -> Result<(Duration, Option<u64>, Option<u64>), BackendError> {
    machine.request(Request::Boot)?;
    let start = Instant::now();
    drive(machine, allowed.and_then(|allowed| start.checked_add(allowed)), watch)?;
    let elapsed = start.elapsed();
    let (retired, entries) = (machine.retired(), machine.entries());
    machine.request(Request::Finish)?;
    Ok((elapsed, retired, entries))
}

fn drive(
    machine: &mut Machine,
    deadline: Option<Instant>,
    watch: &mut Watch<'_>,
) -> Result<(), BackendError> {
    let watchdog = Watchdog::new();
    let mut armed = None;
    // When each thread with a kill time of its own is to be killed.
    let mut kill_at: HashMap<ThreadId, Instant> = HashMap::new();
    loop {
        // Somebody waits for events, which a thread that spins does not leave the processor for.
        let look = watch.look(machine)?;
        if let Some((thread, kick, kill_after)) = machine.current()
            && armed != Some((thread, look))
        {
            if let Some(after) = kill_after {
                let after = Duration::from_millis(after.milliseconds);
                kill_at.entry(thread).or_insert_with(|| Instant::now() + after);
            }
            let own = kill_at.get(&thread).copied();
            watchdog.arm(own.into_iter().chain(deadline).chain(look).min(), kick);
            armed = Some((thread, look));
        }
        let progress = machine.run()?;
        if progress == Progress::Idle {
            return Ok(());
        }
        if let Progress::Host(thread) = progress {
            // A world's host domains run services, so nobody is there to make its calls.
            machine.request(Request::Kill(thread))?;
        }
        let now = Instant::now();
        if let Progress::Kicked(thread) = progress {
            armed = None;
            if kill_at.get(&thread).is_some_and(|&at| at <= now) {
                machine.request(Request::Kill(thread))?;
            }
        }
        if deadline.is_some_and(|deadline| deadline <= now) {
            machine.request(Request::TimeOut)?;
            return Ok(());
        }
    }
}

/// Kicks at a given time. Dropping it ends its thread.
struct Watchdog {
    shared: Arc<(Mutex<Armed>, Condvar)>,
    thread: Option<thread::JoinHandle<()>>,
}

#[derive(Default)]
struct Armed {
    target: Option<(Instant, KickHandle)>,
    /// Until when the watchdog sleeps, if it does and does not sleep for ever.
    sleeps_until: Option<Instant>,
    stop: bool,
}

impl Watchdog {
    fn new() -> Self {
        let shared = Arc::<(Mutex<Armed>, Condvar)>::default();
        let watched = Arc::clone(&shared);
        Self { shared, thread: Some(thread::spawn(move || watch(&watched))) }
    }

    /// Replaces what was armed. Threads that take turns have the same deadline, more often than
    /// not, so the watchdog is woken only if it would be late.
    fn arm(&self, at: Option<Instant>, kick: KickHandle) {
        let (lock, changed) = &*self.shared;
        let mut armed = lock.lock().unwrap_or_else(PoisonError::into_inner);
        armed.target = at.map(|at| (at, kick));
        let late = at.is_some_and(|at| armed.sleeps_until.is_none_or(|until| at < until));
        drop(armed);
        if late {
            changed.notify_one();
        }
    }
}

fn watch(shared: &(Mutex<Armed>, Condvar)) {
    let (lock, changed) = shared;
    let mut armed = lock.lock().unwrap_or_else(PoisonError::into_inner);
    while !armed.stop {
        let now = Instant::now();
        armed.sleeps_until = armed.target.as_ref().map(|(at, _)| *at);
        armed = match &armed.target {
            Some((at, kick)) if *at <= now => {
                kick.kick();
                armed.target = None;
                armed
            }
            Some((at, _)) => {
                let left = *at - now;
                changed.wait_timeout(armed, left).unwrap_or_else(PoisonError::into_inner).0
            }
            None => changed.wait(armed).unwrap_or_else(PoisonError::into_inner),
        };
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        let (lock, changed) = &*self.shared;
        lock.lock().unwrap_or_else(PoisonError::into_inner).stop = true;
        changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // It holds no resource that its panic could have left half-done.
            let _ = thread.join();
        }
    }
}
