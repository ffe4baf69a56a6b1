//! The microkernel: it owns every domain, thread, capability and frame, runs threads one at a
//! time on a backend, and does what their hypercalls ask for.
//!
//! Sequential mode: one thread runs until it exits to here; after a hypercall it goes on,
//! unless it yielded or ended. The order in which things happen therefore depends on nothing
//! but the world, and every backend must produce the same log.
//!
//! - [`lifecycle`](self): create, load, start, kill, destroy;
//! - `memory`: frames, mappings, and what follows from a capability being removed;
//! - `hypercall`: the dispatch.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use crate::address::{Frame, GuestPhysical, PAGE_SIZE};
use crate::arch::Arch;
use crate::bundle::Bundle;
use crate::capability::Capabilities;
use crate::domain::{
    Action, Domain, DomainId, DomainState, LifecycleError, Thread, ThreadId, ThreadReport,
    ThreadState,
};
use crate::event::{Digest, Event, EventKind, LOG_VERSION, Log, LogHeader};
use crate::exit::{Access, End, Exit, Exited, KillReason};
use crate::frames::Frames;
use crate::registers::RAX;
use crate::world::KillAfter;

mod hypercall;
mod lifecycle;
mod memory;
#[cfg(test)]
mod scripted;
#[cfg(test)]
mod tests;

/// Characters of a symbol's name that a report shows.
const NAME_SHOWN: usize = 120;

/// What one step led to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// An exit was handled; there may be more to do.
    Continued,
    /// The thread was kicked, and is as it was. The caller knows why.
    Kicked(ThreadId),
    /// The thread used the step's budget up, and is as it was.
    Budget(ThreadId),
    /// No thread is ready.
    Idle,
}

/// The microkernel over a backend.
#[derive(Debug)]
pub struct Microkernel<A: Arch> {
    arch: A,
    bundle: Bundle,
    frames: Frames,
    capabilities: Capabilities,
    /// On whose account each frame is.
    owners: BTreeMap<Frame, DomainId>,
    domains: BTreeMap<DomainId, Domain>,
    threads: Vec<Thread>,
    /// Threads that can run; the first does.
    ready: VecDeque<ThreadId>,
    next_domain: u32,
    /// Every name that a domain has had, so that no later one is mistaken for it.
    names: BTreeSet<String>,
    /// For each module, the number that its next domain without a name is to have.
    numbered: BTreeMap<String, u32>,
    /// Retired by threads that are gone, on a backend that counts.
    retired_before: Option<u64>,
    /// The thread whose hypercall is being served: what happens meanwhile is its doing.
    cause: Option<ThreadId>,
    events: Vec<Event>,
    header: LogHeader,
    finished: bool,
}

impl<A: Arch> Microkernel<A> {
    /// A microkernel with nothing in it yet but the modules of `bundle`.
    pub fn new(arch: A, bundle: Bundle) -> Self {
        let header = LogHeader {
            lcd_log: LOG_VERSION,
            backend: arch.name().into(),
            world: bundle.world.name.clone(),
            inputs: bundle.digest(),
        };
        Self {
            arch,
            bundle,
            frames: Frames::new(),
            capabilities: Capabilities::new(),
            owners: BTreeMap::new(),
            domains: BTreeMap::new(),
            threads: Vec::new(),
            ready: VecDeque::new(),
            next_domain: 0,
            names: BTreeSet::new(),
            numbered: BTreeMap::new(),
            retired_before: Some(0),
            cause: None,
            events: Vec::new(),
            header,
            finished: false,
        }
    }

    /// Creates the domains of the bundle's world and starts those that start with it.
    ///
    /// # Errors
    /// When a module cannot be loaded or the backend has no room; what was created stays, to be
    /// destroyed with the microkernel.
    pub fn boot(&mut self) -> Result<(), LifecycleError> {
        let plans = self.bundle.world.domains.clone();
        let mut created = Vec::new();
        for plan in &plans {
            let domain = self.create_domain(&plan.name)?;
            let call = plan.call.as_deref();
            let thread = self.load_module(domain, &plan.module, call, &plan.args)?;
            self.threads[thread.0 as usize].kill_after = plan.kill_after;
            created.push((domain, thread));
        }
        for (plan, &(domain, _)) in plans.iter().zip(&created) {
            for page in &plan.pages {
                self.give_page(domain, page)?;
            }
            for grant in &plan.domains {
                let named = plans.iter().position(|plan| plan.name == grant.name);
                let named = named.ok_or_else(|| {
                    LifecycleError::Load(alloc::format!("no domain is named `{}`", grant.name))
                })?;
                self.give_domain(domain, grant.slot, created[named].0, grant.rights)?;
            }
        }
        for (plan, &(_, thread)) in plans.iter().zip(&created) {
            if plan.start {
                self.start_thread(thread)?;
            }
        }
        Ok(())
    }

    /// Runs the thread whose turn it is up to its next exit, and handles that. `budget` is in
    /// instructions, for backends that count them.
    pub fn step(&mut self, budget: u64) -> Step {
        let Some(&thread) = self.ready.front() else { return Step::Idle };
        if self.finished {
            return Step::Idle;
        }
        if self.events.len() as u64 >= self.bundle.world.limits.events {
            self.end(thread, End::Killed(KillReason::Timeout));
            return Step::Continued;
        }
        let (left, reason) = self.instructions_left(thread);
        if left == 0 {
            self.end(thread, End::Killed(reason));
            return Step::Continued;
        }
        let exit = self.arch.run(thread, budget.min(left));
        match exit {
            Exit::Kicked => return Step::Kicked(thread),
            Exit::Budget => return Step::Budget(thread),
            Exit::Hypercall { number } => self.hypercall(thread, number),
            Exit::Return => self.returned(thread),
            Exit::Fault { address, from, access } => {
                let fault = KillReason::Fault { address: from, guest_physical: address, access };
                self.end(thread, End::Killed(fault));
            }
            Exit::Exception { vector, code, address } => {
                let reason = self.explain_exception(thread, vector, code, address);
                self.end(thread, End::Killed(reason));
            }
            Exit::Port { port } => self.end(thread, End::Killed(KillReason::Port { port })),
            Exit::Unsupported { what, .. } => {
                self.end(thread, End::Killed(KillReason::Unsupported { what }));
            }
            Exit::Shutdown => self.end(thread, End::Killed(KillReason::Shutdown)),
        }
        Step::Continued
    }

    /// The thread that the next step runs, and when it is to be killed.
    pub fn current(&self) -> Option<(ThreadId, Option<KillAfter>)> {
        let &thread = self.ready.front().filter(|_| !self.finished)?;
        Some((thread, self.thread(thread).kill_after))
    }

    /// Ends every thread that is still ready because the run's limit is reached.
    pub fn time_out(&mut self) {
        while let Some(&thread) = self.ready.front() {
            self.end(thread, End::Killed(KillReason::Timeout));
        }
    }

    /// Adds the digests of all memory to the log. Nothing runs after this.
    pub fn finish(&mut self) {
        if core::mem::replace(&mut self.finished, true) {
            return;
        }
        let mut unmapped = self.owners.clone();
        let ids: Vec<_> = self.domains.keys().copied().collect();
        for id in ids {
            let pages: Vec<_> = self.domains[&id].space.iter().collect();
            let total = pages.len();
            let mut zero = 0;
            for (page, mapping) in pages {
                unmapped.remove(&mapping.frame);
                zero += usize::from(!self.record_memory(id, Some(page), mapping.frame));
            }
            self.record(id, None, EventKind::MemoryTotal { pages: total, zero });
        }
        // What somebody holds and nobody maps can be mapped again, so it is state too.
        for (frame, owner) in unmapped {
            self.record_memory(owner, None, frame);
        }
    }

    /// Records a frame's digest, unless all of it is zero. Says whether it was recorded.
    fn record_memory(
        &mut self,
        domain: DomainId,
        page: Option<GuestPhysical>,
        frame: Frame,
    ) -> bool {
        let mut bytes = [0; PAGE_SIZE as usize];
        self.arch.frame_read(frame, 0, &mut bytes);
        let any = bytes.iter().any(|&byte| byte != 0);
        if any {
            let digest = Digest::of([bytes.as_slice()]);
            self.record(domain, None, EventKind::Memory { page, frame, digest });
        }
        any
    }

    /// What has happened so far.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The log so far, with its header.
    pub fn log(&self) -> Log {
        Log { header: self.header.clone(), events: self.events.clone() }
    }

    /// Adds a module under a name, for domains created later.
    pub fn add_module(&mut self, name: &str, files: &[(&str, &[u8])]) {
        let numbers = files.iter().map(|(file, bytes)| self.bundle.add_file(file, bytes)).collect();
        self.bundle.modules.insert(name.into(), numbers);
    }

    /// All domains that exist, with their names and states.
    pub fn domains(&self) -> impl Iterator<Item = (DomainId, &str, DomainState)> {
        self.domains.iter().map(|(id, domain)| (*id, domain.name.as_str(), domain.state))
    }

    /// What is known of a thread.
    ///
    /// # Errors
    /// [`LifecycleError::NoThread`].
    pub fn thread_report(&self, thread: ThreadId) -> Result<ThreadReport, LifecycleError> {
        let found = self.threads.get(thread.0 as usize).ok_or(LifecycleError::NoThread(thread))?;
        let (domain, state, ended) = (found.domain, found.state, found.ended.clone());
        Ok(ThreadReport { domain, state, ended })
    }

    /// What the domain has written to its console.
    ///
    /// # Errors
    /// [`LifecycleError::NoDomain`].
    pub fn console(&self, domain: DomainId) -> Result<String, LifecycleError> {
        let domain = self.domains.get(&domain).ok_or(LifecycleError::NoDomain(domain))?;
        Ok(String::from_utf8_lossy(&domain.console).into_owned())
    }

    /// Where an address of the domain is in its program: `module!symbol+0x12`.
    pub fn symbolize(
        &self,
        domain: DomainId,
        address: crate::address::GuestVirtual,
    ) -> Option<String> {
        let program = self.domains.get(&domain)?.program.as_ref()?;
        let (module, symbol, offset) = program.symbolize(address)?;
        // Names are the module's to choose, and end up in terminals.
        let plain = |name: &str| -> String {
            name.chars().take(NAME_SHOWN).map(|c| if c.is_control() { '?' } else { c }).collect()
        };
        Some(alloc::format!("{}!{}+{offset:#x}", plain(module), plain(symbol)))
    }

    /// The handle that stops the thread's current or next run.
    ///
    /// # Errors
    /// [`LifecycleError`] if the thread does not exist or is dead.
    pub fn kicker(&self, thread: ThreadId) -> Result<A::Kick, LifecycleError> {
        match self.thread_report(thread)?.state {
            ThreadState::Dead => {
                Err(LifecycleError::ThreadState { action: Action::Kick, state: ThreadState::Dead })
            }
            _ => Ok(self.arch.kicker(thread)),
        }
    }

    /// Instructions that all threads together have retired, where the backend counts.
    pub fn retired(&self) -> Option<u64> {
        // Whoever is not ready has not run yet, or is counted already.
        self.ready.iter().try_fold(self.retired_before?, |total, &thread| {
            Some(total.saturating_add(self.arch.retired(thread)?))
        })
    }

    /// How many instructions the thread may still retire, and what happens then.
    fn instructions_left(&self, thread: ThreadId) -> (u64, KillReason) {
        let (Some(all), Some(own)) = (self.retired(), self.arch.retired(thread)) else {
            return (u64::MAX, KillReason::Timeout);
        };
        let run = self.bundle.world.limits.instructions.saturating_sub(all);
        match self.thread(thread).kill_after {
            Some(kill) if kill.instructions.saturating_sub(own) <= run => {
                (kill.instructions.saturating_sub(own), KillReason::Killed)
            }
            _ => (run, KillReason::Timeout),
        }
    }

    /// A function returned: go on with the next, or end.
    fn returned(&mut self, thread: ThreadId) {
        let value = self.arch.registers(thread).general[RAX];
        let domain = self.thread(thread).domain;
        self.record(domain, Some(thread), EventKind::Return { value });
        let state = &self.threads[thread.0 as usize];
        let call = &state.calls[state.current_call];
        let outputs: Vec<_> = call
            .arguments
            .iter()
            .enumerate()
            .filter_map(|(i, argument)| Some((i, argument.output?)))
            .collect();
        // An init function returns a C int, whose upper half means nothing.
        let result = if call.is_init { i64::from(value as i32) } else { value.cast_signed() };
        // As in Linux, which loads a module whose init function returned something positive.
        let failed = call.is_init && result < 0;
        let last = state.current_call + 1 == state.calls.len();
        for (argument, (start, length)) in outputs {
            let hex = crate::hex::encode(&self.read_physical(domain, start, length));
            self.record(domain, Some(thread), EventKind::Buffer { argument, hex });
        }
        if last || failed {
            self.end(thread, End::Exit(Exited { value: result }));
        } else {
            self.threads[thread.0 as usize].current_call += 1;
            self.begin_call(thread);
        }
    }

    /// A page fault at the address of an import that nobody provides is about that import.
    fn explain_exception(
        &self,
        thread: ThreadId,
        vector: u8,
        code: u32,
        address: Option<crate::address::GuestVirtual>,
    ) -> KillReason {
        let program = self.domains[&self.thread(thread).domain].program.as_ref();
        let import = address.and_then(|address| program?.unprovided_at(address));
        match import {
            Some(import) => {
                // Intel SDM vol. 3, 4.7: bit 1 is a write, bit 4 a fetch.
                let access = match code {
                    code if code & 16 != 0 => Access::Execute,
                    code if code & 2 != 0 => Access::Write,
                    _ => Access::Read,
                };
                KillReason::Unprovided { symbol: import.name.clone(), access }
            }
            None => KillReason::Exception { vector, code, address },
        }
    }

    fn thread(&self, thread: ThreadId) -> &Thread {
        &self.threads[thread.0 as usize]
    }

    fn record(&mut self, domain: DomainId, thread: Option<ThreadId>, kind: EventKind) {
        let thread = thread.or(self.cause);
        self.events.push(Event { domain, thread, kind });
    }
}
