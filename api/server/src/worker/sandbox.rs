//! How a worker locks itself in.
//!
//! What a world's modules do is confined by their domain. This is for the day on which that fails:
//! whoever got hold of the worker is to find a process that can compute and answer, and nothing
//! else. It cannot open a file, reach a network, start a program, or touch another process.
//!
//! On x86-64 Linux the system calls are filtered ([`filter`](self) lists them, with reasons);
//! everywhere else there is no filter, and [`Confinement::None`] says so.

use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod filter;

/// How a worker is confined.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confinement {
    /// Its system calls are filtered, and its resources limited.
    Seccomp,
    /// It is not, for this reason.
    None(String),
}

/// A worker could not be confined.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// The kernel refused a step.
    #[error("cannot confine this process: {step}: {source}")]
    Step {
        /// What was tried.
        step: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// The filter could not be made or installed.
    #[error(
        "cannot filter this process's system calls, does the kernel have CONFIG_SECCOMP_FILTER? {0}"
    )]
    Filter(String),
}

/// Locks the process in, all of its threads, for good. Whatever it needs must be open by now.
///
/// # Errors
/// [`SandboxError`], after which it may be confined in part and should end.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub fn enter() -> Result<Confinement, SandboxError> {
    limits::enter()?;
    filter::install().map_err(|error| SandboxError::Filter(error.to_string()))?;
    Ok(Confinement::Seccomp)
}

/// Does nothing: there is no filter for this system.
///
/// # Errors
/// None.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub fn enter() -> Result<Confinement, SandboxError> {
    Ok(Confinement::None("there is no sandbox for this system, only for x86-64 Linux".into()))
}

/// Limits what one job may use: processor time of all threads together, and bytes of memory, once
/// for what the process allocates and once for each file of domains' memory. Limits only fall.
///
/// # Errors
/// [`SandboxError`].
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub fn limit(processor: Option<Duration>, memory: Option<u64>) -> Result<(), SandboxError> {
    if let Some(time) = processor {
        limits::processor(time)?;
    }
    memory.map_or(Ok(()), limits::memory)
}

/// Does nothing: see [`enter`].
///
/// # Errors
/// None.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub fn limit(_processor: Option<Duration>, _memory: Option<u64>) -> Result<(), SandboxError> {
    Ok(())
}

/// Limits that are no matter of system calls.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod limits {
    use rustix::io::Errno;
    use rustix::process::{
        DumpableBehavior, Resource, Rlimit, Signal, getrlimit, prlimit, set_dumpable_behavior,
        set_parent_process_death_signal,
    };
    use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities, set_no_new_privs};

    use std::time::Duration;

    use super::SandboxError;

    /// Files that may be open: each domain has a virtual machine, each thread a processor.
    const FILES: u64 = 4096;

    pub(super) fn enter() -> Result<(), SandboxError> {
        let nothing = CapabilitySet::empty();
        let powers =
            CapabilitySets { effective: nothing, permitted: nothing, inheritable: nothing };
        // The one who gets the answers is gone: nobody wants them.
        let orphaned = set_parent_process_death_signal(Some(Signal::KILL));
        done("end with the parent", orphaned)?;
        done("forgo new privileges", set_no_new_privs(true))?;
        done("drop capabilities", set_capabilities(None, powers))?;
        // Others of the same user cannot trace it either, and no memory is written to disk.
        done("forbid tracing", set_dumpable_behavior(DumpableBehavior::NotDumpable))?;
        lower(Resource::Core, "forbid core files", 0)?;
        lower(Resource::Nofile, "limit open files", FILES)?;
        lower(Resource::Memlock, "forbid locked memory", 0)?;
        lower(Resource::Msgqueue, "forbid message queues", 0)
    }

    /// Whole seconds, at least one.
    pub(super) fn processor(time: Duration) -> Result<(), SandboxError> {
        // At the first limit there is a signal that says what it is about; at the second, which is
        // also there for one who ignores that, the process is killed.
        let first = time.as_secs().max(1);
        set(Resource::Cpu, "limit processor time", first, first.saturating_add(1))
    }

    pub(super) fn memory(bytes: u64) -> Result<(), SandboxError> {
        lower(Resource::Data, "limit memory", bytes)?;
        lower(Resource::Fsize, "limit the size of files", bytes)
    }

    fn lower(resource: Resource, step: &'static str, to: u64) -> Result<(), SandboxError> {
        set(resource, step, to, to)
    }

    /// Lowers a limit, for good.
    fn set(
        resource: Resource,
        step: &'static str,
        current: u64,
        maximum: u64,
    ) -> Result<(), SandboxError> {
        let present = getrlimit(resource).maximum;
        let at_most = |to: u64| Some(present.map_or(to, |present| present.min(to)));
        let limit = Rlimit { current: at_most(current), maximum: at_most(maximum) };
        done(step, prlimit(None, resource, limit).map(drop))
    }

    fn done(step: &'static str, result: Result<(), Errno>) -> Result<(), SandboxError> {
        result.map_err(|error| SandboxError::Step { step, source: error.into() })
    }
}
