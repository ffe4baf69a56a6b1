//! Stopping a virtual processor from another thread, without losing a kick and without a
//! lock.
//!
//! # The race, and why it is not lost
//!
//! Three variables, all accessed in one total order (`SeqCst`):
//!
//! - `wanted`: somebody kicked and nobody has answered yet. This is the truth.
//! - `immediate_exit`, in the run page: makes the *next* `KVM_RUN` return (api.rst, section
//!   5). The kernel reads it on the way in, once.
//! - `runner`: the host thread that is about to be, or is, inside `KVM_RUN`; 0 if none.
//!
//! ```text
//! kick                         run
//! K1 wanted = true             R1 runner = me
//! K2 immediate_exit = 1        R2 immediate_exit = 0        <-.
//! K3 if runner != 0            R3 if wanted was true: done    |
//!       signal that thread     R4 KVM_RUN; if interrupted, ---'
//!                              R5 runner = 0
//! ```
//!
//! Take a kick during a run, and look at where K2 falls:
//!
//! - *Before R2.* Then K1 is before R3, and R3 sees it.
//! - *After R2, before the kernel reads the byte in R4.* `KVM_RUN` returns at once, and the
//!   loop comes to R3, which sees K1.
//! - *After the kernel has read the byte.* Then R1 is before K3, so K3 sees the runner and
//!   signals it; its handler does nothing, but the signal ends `KVM_RUN`, or keeps it from
//!   entering the guest: the kernel looks for signals after it has read the byte, and
//!   until the guest is entered with interrupts off. The loop comes to R3.
//! - *After R3 or R4 said something else.* `wanted` stays, and the next run's R3 sees it.
//!
//! A kick is answered once: R3 takes `wanted` in one exchange. A K2 or K3 that comes after
//! its K1 was answered costs one more turn of the loop, or an interrupted system call of
//! the same thread later; `immediate_exit` alone is never taken for a kick.
//!
//! The thread that K3 names may have ended, and its number may be a newer thread's of this
//! process (never another process's: `tgkill` names both). That one sees a spurious
//! interruption, which every caller of a blocking system call has to expect, and the
//! handler restarts what can be restarted.

use std::cell::Cell;
use std::ptr;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use shared_model::arch::Kick;

use super::run_page::ExitByte;

#[derive(Debug)]
struct State {
    wanted: AtomicBool,
    runner: AtomicI32,
    exit_byte: ExitByte,
}

/// Stops a thread of a [`super::NativeArch`]. Valid after the thread is gone, when it does
/// nothing.
#[derive(Debug, Clone)]
pub struct KickHandle(Arc<State>);

impl KickHandle {
    pub(crate) fn new(exit_byte: ExitByte) -> Self {
        let (wanted, runner) = (AtomicBool::new(false), AtomicI32::new(0));
        Self(Arc::new(State { wanted, runner, exit_byte }))
    }

    /// R1.
    pub(crate) fn begin(&self, host: HostThread) {
        self.0.runner.store(host.0, Ordering::SeqCst);
    }

    /// R2 and R3: whether there was a kick, which is then answered.
    pub(crate) fn rearm(&self) -> bool {
        self.0.exit_byte.set(false);
        // The load spares the common case the exchange.
        self.0.wanted.load(Ordering::SeqCst) && self.0.wanted.swap(false, Ordering::SeqCst)
    }

    /// R5.
    pub(crate) fn end(&self) {
        self.0.runner.store(0, Ordering::SeqCst);
    }
}

impl Kick for KickHandle {
    fn kick(&self) {
        self.0.wanted.store(true, Ordering::SeqCst); // K1
        self.0.exit_byte.set(true); // K2
        let runner = self.0.runner.load(Ordering::SeqCst); // K3
        if runner != 0 {
            // SAFETY: only numbers are passed; the handler for the signal is installed
            // (a `HostThread` exists). A thread that is gone is an error to ignore.
            unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), runner, signal()) };
        }
    }
}

/// The calling thread, ready to be signalled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HostThread(i32);

impl HostThread {
    pub(crate) fn current() -> Self {
        thread_local! {
            static THREAD: Cell<i32> = const { Cell::new(0) };
        }
        let mut id = THREAD.get();
        if id == 0 {
            unblock(signal());
            // SAFETY: takes nothing and cannot fail.
            id = unsafe { libc::gettid() };
            THREAD.set(id);
        }
        Self(id)
    }
}

/// The real-time signal that nobody else in the process had a handler for when it was first
/// needed.
fn signal() -> libc::c_int {
    static SIGNAL: OnceLock<libc::c_int> = OnceLock::new();
    *SIGNAL.get_or_init(|| {
        let free = (libc::SIGRTMIN()..=libc::SIGRTMAX()).find(|&signal| {
            // SAFETY: all zeros is a valid `sigaction`, which the call fills.
            let mut present: libc::sigaction = unsafe { std::mem::zeroed() };
            // SAFETY: `present` is valid for a write; nothing is changed.
            let asked = unsafe { libc::sigaction(signal, ptr::null(), &raw mut present) };
            asked == 0 && present.sa_sigaction == libc::SIG_DFL
        });
        let signal = free.unwrap_or_else(|| libc::SIGRTMAX());
        // SAFETY: all zeros is a valid `sigaction` with an empty mask.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        let handler: extern "C" fn(libc::c_int) = do_nothing;
        action.sa_sigaction = handler as libc::sighandler_t;
        // `KVM_RUN` returns EINTR all the same; other system calls go on.
        action.sa_flags = libc::SA_RESTART;
        // SAFETY: the handler touches nothing, so it is safe at any point of any thread.
        unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) };
        signal
    })
}

/// The signal's arrival is its whole effect.
extern "C" fn do_nothing(_: libc::c_int) {}

/// A blocked signal would not end `KVM_RUN`, and threads inherit their creator's mask.
fn unblock(signal: libc::c_int) {
    // SAFETY: all zeros is a valid set, which the next call empties properly.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: `set` is valid, `signal` is a signal, and only this thread's mask changes.
    unsafe {
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, signal);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, ptr::null_mut());
    }
}
