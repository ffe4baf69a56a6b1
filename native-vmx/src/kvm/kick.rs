//! Stopping a virtual processor from another thread, without losing a kick and without a
//! lock: the words and the argument are in [`super::stop`], the signals are here.

use std::cell::Cell;
use std::ptr;
use std::sync::Arc;
use std::sync::OnceLock;

use shared_model::arch::Kick;

use super::run_page::ExitByte;
use super::stop::Stop;

/// Stops a thread of a [`super::NativeArch`]. Valid after the thread is gone, when it does
/// nothing.
#[derive(Debug, Clone)]
pub struct KickHandle(Arc<Stop<ExitByte>>);

impl KickHandle {
    pub(crate) fn new(exit_byte: ExitByte) -> Self {
        Self(Arc::new(Stop::new(exit_byte)))
    }

    pub(crate) fn stop(&self) -> &Stop<ExitByte> {
        &self.0
    }

    /// Asks for the processor itself, until [`Stop::release`].
    pub(crate) fn claim(&self) {
        signal_to(self.0.claim());
    }
}

impl Kick for KickHandle {
    fn kick(&self) {
        signal_to(self.0.kick());
    }
}

/// Interrupts a host thread, unless it is none.
fn signal_to(runner: i32) {
    if runner != 0 {
        // SAFETY: only numbers are passed; the handler for the signal is installed
        // (a `HostThread` exists). A thread that is gone is an error to ignore.
        unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), runner, signal()) };
    }
}

/// The calling thread, ready to be signalled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HostThread(pub(crate) i32);

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
