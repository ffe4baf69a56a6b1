//! Runs a world with a host thread for each of its threads, all at the same time.
//!
//! # Who does what
//!
//! The microkernel is behind one lock. A thread's host thread (`Run::serve`) asks under it what to
//! do, runs its thread without it, and has what came of that handled under it; while its thread
//! cannot run it sleeps. The caller's own host thread (`Crew::supervise`) starts host threads as
//! threads are created, keeps the time, and says when it is over.
//!
//! # Nothing is missed
//!
//! - Whoever has handled an exit wakes those host threads whose threads can go on, before it lets go
//!   of the lock; who sleeps has looked under the same lock before.
//! - The supervisor is parked; whoever has something for it unparks it, which is remembered if it is
//!   not parked at that moment.
//! - At the end `stop` is set, then every sleeper is woken and every thread kicked. A kick is sticky,
//!   so a host thread that has looked at `stop` too early comes back at once and looks again.
//!
//! # A panic
//!
//! of a host thread leaves the microkernel in whatever state: nobody touches it again. All host
//! threads stop as at the end, and the panic goes on in the caller.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Scope, ScopedJoinHandle, Thread};
use std::time::{Duration, Instant};

use shared_model::arch::{Kick, Parallel, Runner as _};
use shared_model::bundle::Bundle;
use shared_model::domain::{LifecycleError, ThreadId};
use shared_model::microkernel::{Microkernel, Schedule, Step, Turn};

use crate::backend::{Backend, BackendError};
use crate::drive;
use crate::observe::{Observer, Watch};

/// Ends a parallel run from elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<Cancelled>);

#[derive(Debug, Default)]
struct Cancelled {
    asked: AtomicBool,
    supervisor: Mutex<Option<Thread>>,
}

impl Cancel {
    /// Ends the run that it was passed to, or will be, as its limit of time would.
    pub fn cancel(&self) {
        self.0.asked.store(true, Ordering::SeqCst);
        let supervisor = self.0.supervisor.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = &*supervisor {
            thread.unpark();
        }
    }

    fn is_asked(&self) -> bool {
        self.0.asked.load(Ordering::SeqCst)
    }

    fn watched_by(&self, supervisor: Option<Thread>) {
        *self.0.supervisor.lock().unwrap_or_else(PoisonError::into_inner) = supervisor;
    }
}

/// Runs a bundle's world in parallel on a machine until nothing can run any more, or for at most
/// `timeout`.
///
/// # Errors
/// [`LifecycleError`] if the world cannot be created, or the host refuses another host thread.
///
/// # Panics
/// If the machine does.
pub fn run_on<A>(
    machine: A,
    bundle: &Bundle,
    timeout: Duration,
    cancel: &Cancel,
) -> Result<drive::Run, LifecycleError>
where
    A: Parallel + Send,
{
    run_watched(machine, bundle, timeout, cancel, &mut Watch::new(Backend::Native, None))
}

/// As [`run_on`], and somebody watches; the backend is said to be the native one, whatever the
/// machine is.
///
/// # Errors
/// As [`run_on`].
///
/// # Panics
/// If the machine does.
pub fn run_on_observed<A>(
    machine: A,
    bundle: &Bundle,
    timeout: Duration,
    cancel: &Cancel,
    observer: &mut dyn Observer,
) -> Result<drive::Run, BackendError>
where
    A: Parallel + Send,
{
    let mut watch = Watch::new(Backend::Native, Some(observer));
    let result = run_watched(machine, bundle, timeout, cancel, &mut watch);
    let result = result.map_err(BackendError::from);
    watch.ended(&result);
    result
}

pub(crate) fn run_watched<A>(
    machine: A,
    bundle: &Bundle,
    timeout: Duration,
    cancel: &Cancel,
    watch: &mut Watch<'_>,
) -> Result<drive::Run, LifecycleError>
where
    A: Parallel + Send,
{
    let mut kernel = Microkernel::new(machine, bundle.clone());
    kernel.set_schedule(Schedule::Parallel)?;
    watch.started(|| Ok::<_, LifecycleError>(kernel.header()))?;
    if let Err(error) = kernel.boot() {
        watch.deliver_after(kernel.events());
        return Err(error);
    }
    let start = Instant::now();
    let inside = Inside { kernel, seen: 0, sleeping: BTreeMap::new(), kills: BTreeMap::new() };
    let supervisor = thread::current();
    cancel.watched_by(Some(supervisor.clone()));
    let run = Run { inside: Mutex::new(inside), stop: AtomicBool::new(false), supervisor };
    let deadline = start.checked_add(timeout);
    let ended = thread::scope(|scope| {
        let mut crew = Crew { run: &run, scope, host_threads: Vec::new(), panicked: None };
        // Also if this one panics, the others have to stop before the scope waits for them.
        let supervised = AssertUnwindSafe(|| crew.supervise(deadline, cancel, watch));
        let ended = panic::catch_unwind(supervised);
        crew.dismiss();
        match (ended, crew.panicked) {
            (Ok(ended), None) => ended,
            (_, Some(payload)) | (Err(payload), None) => panic::resume_unwind(payload),
        }
    });
    cancel.watched_by(None);
    let elapsed = start.elapsed();
    let mut kernel = run.inside.into_inner().unwrap_or_else(PoisonError::into_inner).kernel;
    let (retired, entries) = (kernel.retired(), kernel.entries());
    if ended.is_ok() {
        kernel.finish();
    }
    watch.deliver_after(kernel.events());
    ended?;
    Ok(drive::Run { log: kernel.log(), elapsed, retired, entries })
}

/// What all host threads share.
struct Run<A: Parallel> {
    inside: Mutex<Inside<A>>,
    /// Every host thread is to end.
    stop: AtomicBool,
    supervisor: Thread,
}

/// What is behind the lock.
struct Inside<A: Parallel> {
    kernel: Microkernel<A>,
    /// Threads that have got a host thread so far, or had no use for one.
    seen: u32,
    /// Host threads whose thread cannot run.
    sleeping: BTreeMap<ThreadId, Arc<Condvar>>,
    /// When threads are to be killed.
    kills: BTreeMap<ThreadId, Instant>,
}

/// The host threads, as the supervisor has them.
struct Crew<'scope, 'env, A: Parallel> {
    run: &'env Run<A>,
    scope: &'scope Scope<'scope, 'env>,
    host_threads: Vec<(Option<A::Kick>, ScopedJoinHandle<'scope, ()>)>,
    /// What the first of them panicked with.
    panicked: Option<Box<dyn Any + Send>>,
}

/// Somebody panicked with the lock.
struct Poisoned;

impl<A: Parallel> Run<A> {
    fn lock(&self) -> Result<MutexGuard<'_, Inside<A>>, Poisoned> {
        self.inside.lock().map_err(|_| Poisoned)
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// Runs a thread until it ends, or all do.
    fn serve(&self, thread: ThreadId, runner: Option<A::Runner>) {
        // However this ends, the supervisor looks what it was.
        let _report = Report(&self.supervisor);
        let _: Result<(), Poisoned> = self.try_serve(thread, runner);
    }

    fn try_serve(&self, thread: ThreadId, mut runner: Option<A::Runner>) -> Result<(), Poisoned> {
        let woken = Arc::new(Condvar::new());
        let mut raw = None;
        let mut first = true;
        let mut inside = self.lock()?;
        while !self.is_stopped() {
            match inside.kernel.turn(thread) {
                Turn::Ended => return Ok(()),
                Turn::Wait => {
                    inside.sleeping.insert(thread, Arc::clone(&woken));
                    inside = woken.wait(inside).map_err(|_| Poisoned)?;
                    inside.sleeping.remove(&thread);
                }
                Turn::Host => {
                    if let Step::Host(_) = inside.kernel.take_step(thread) {
                        // A world's host domains run services, so nobody is there to make its
                        // calls.
                        let _ = inside.kernel.kill_thread(thread);
                    }
                    inside.changed(&self.supervisor);
                }
                Turn::Run => {
                    if let Some(raw) = raw.take() {
                        inside.kernel.complete_run(thread, raw);
                        inside.changed(&self.supervisor);
                        continue;
                    }
                    let Some(runner) = &mut runner else { return Ok(()) };
                    if std::mem::take(&mut first) {
                        inside.first_run(thread, &self.supervisor);
                    }
                    inside.kernel.begin_run(thread);
                    drop(inside);
                    raw = Some(runner.run());
                    inside = self.lock()?;
                }
            }
        }
        Ok(())
    }
}

impl<A: Parallel> Inside<A> {
    /// After anything that others may have waited for: wakes them.
    fn changed(&mut self, supervisor: &Thread) {
        let over = self.kernel.is_over();
        for (&thread, woken) in &self.sleeping {
            if self.kernel.turn(thread) != Turn::Wait {
                woken.notify_all();
            }
        }
        if over || self.kernel.thread_count() > self.seen {
            supervisor.unpark();
        }
    }

    /// A thread runs for the first time: from now on its time is counted.
    fn first_run(&mut self, thread: ThreadId, supervisor: &Thread) {
        if let Some(after) = self.kernel.kill_after(thread) {
            let after = Duration::from_millis(after.milliseconds);
            if let Some(at) = Instant::now().checked_add(after) {
                self.kills.insert(thread, at);
                supervisor.unpark();
            }
        }
    }

    /// Kills those whose time is up.
    fn kill_due(&mut self, now: Instant) {
        let due = self.kills.extract_if(.., |_, at| *at <= now);
        for (thread, _) in due {
            // It may have ended meanwhile.
            let _ = self.kernel.kill_thread(thread);
        }
    }
}

impl<'scope, A> Crew<'scope, '_, A>
where
    A: Parallel + Send,
{
    /// Starts host threads, keeps the time and tells who watches, until the run is over or somebody
    /// panics.
    fn supervise(
        &mut self,
        deadline: Option<Instant>,
        cancel: &Cancel,
        watch: &mut Watch<'_>,
    ) -> Result<(), LifecycleError> {
        let run = self.run;
        loop {
            self.join(|host_thread| host_thread.is_finished());
            let Ok(mut inside) = run.lock() else { return Ok(()) };
            let now = Instant::now();
            inside.kill_due(now);
            if cancel.is_asked() || deadline.is_some_and(|deadline| deadline <= now) {
                inside.kernel.time_out();
                return Ok(());
            }
            if self.panicked.is_some() || inside.kernel.is_over() {
                return Ok(());
            }
            self.start_host_threads(&mut inside)?;
            inside.changed(&run.supervisor);
            let next = deadline.into_iter().chain(inside.kills.values().copied()).min();
            let new = watch.copy_due(inside.kernel.events(), now);
            drop(inside);
            // Whoever watches may take its time, so nobody waits for that with the lock.
            watch.deliver(&new);
            match next.into_iter().chain(watch.next_look()).min() {
                Some(at) => thread::park_timeout(at.saturating_duration_since(Instant::now())),
                None => thread::park(),
            }
        }
    }

    fn start_host_threads(&mut self, inside: &mut Inside<A>) -> Result<(), LifecycleError> {
        let run = self.run;
        while inside.seen < inside.kernel.thread_count() {
            let thread = ThreadId(inside.seen);
            inside.seen += 1;
            if inside.kernel.turn(thread) == Turn::Ended {
                continue;
            }
            let runner = inside.kernel.runner(thread);
            let kick = runner.as_ref().and_then(|_| inside.kernel.kicker(thread).ok());
            let name = format!("thread {}", thread.0);
            let builder = thread::Builder::new().name(name);
            let host_thread = builder.spawn_scoped(self.scope, move || run.serve(thread, runner));
            let host_thread = host_thread.map_err(|error| {
                LifecycleError::Exhausted(format!("cannot start a host thread: {error}"))
            })?;
            self.host_threads.push((kick, host_thread));
        }
        Ok(())
    }

    /// Ends all host threads.
    fn dismiss(&mut self) {
        self.run.stop.store(true, Ordering::SeqCst);
        // Whatever else a panic has left, the list is in order.
        let inside = self.run.inside.lock().unwrap_or_else(PoisonError::into_inner);
        inside.sleeping.values().for_each(|woken| woken.notify_all());
        drop(inside);
        self.host_threads.iter().filter_map(|(kick, _)| kick.as_ref()).for_each(Kick::kick);
        self.join(|_| true);
    }

    /// Waits for some host threads.
    fn join(&mut self, which: impl Fn(&ScopedJoinHandle<'scope, ()>) -> bool) {
        let (ended, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.host_threads)
            .into_iter()
            .partition(|(_, host_thread)| which(host_thread));
        self.host_threads = others;
        for (_, host_thread) in ended {
            if let Err(payload) = host_thread.join() {
                self.panicked.get_or_insert(payload);
            }
        }
    }
}

/// Tells the supervisor, when it goes, that a host thread has ended.
struct Report<'a>(&'a Thread);

impl Drop for Report<'_> {
    fn drop(&mut self) {
        self.0.unpark();
    }
}
