//! The microkernel: it owns every domain, thread, capability and frame, runs threads one at a
//! time on a backend, and does what their hypercalls ask for.
//!
//! Sequential mode: one thread runs until it exits to here; after a hypercall it goes on,
//! unless it yielded, waits or ended. The order in which things happen therefore depends on nothing
//! but the world, and every backend must produce the same log.
//!
//! - `boot`: what a world declares comes into being;
//! - `lifecycle`: create, load, start, kill, destroy; `domains`: the hypercalls about that;
//! - `threads`: further threads of a domain; `faults`: who deals with what went wrong in them;
//! - `hypercall`: how a hypercall arrives and is answered;
//! - `capabilities`: what domains do with capabilities, and what follows from a removal;
//! - `blocks`, `memory`: blocks of pages and their mappings; `lent`: those of the host and the
//!   world; `quota`: who may have how much;
//! - `ipc`, `notification`, `waiting`: messages, signals, and threads that block;
//! - `devices`: a timer and a serial port, their ports and interrupts;
//! - `hosts`: domains whose code is the host's;
//! - `schedule`: whose turn it is; `parallel`: threads that run at the same time;
//!   `repeat`: the order of another run;
//! - `look`: what is the case, for those who want to see it.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use crate::address::{Frame, GuestPhysical, PAGE_SIZE};
use crate::arch::Arch;
use crate::bundle::Bundle;
use crate::capability::{
    Capabilities, ChannelId, EndpointId, NotificationId, Object, Slot, SpaceId,
};
use crate::domain::{
    Action, Domain, DomainId, DomainState, LifecycleError, Thread, ThreadId, ThreadReport,
    ThreadState,
};
use crate::event::{Digest, Event, EventKind, LOG_VERSION, Log, LogHeader};
use crate::exit::{End, Exit, Exited, KillReason};
use crate::frames::Frames;
use crate::registers::RAX;
use crate::world::KillAfter;

mod blocks;
mod boot;
mod capabilities;
mod console;
mod devices;
mod domains;
mod event_log;
mod faults;
mod hosts;
mod hypercall;
mod ipc;
mod lent;
mod lifecycle;
pub mod look;
mod memory;
mod notification;
mod parallel;
mod quota;
mod repeat;
mod schedule;
#[cfg(test)]
mod scripted;
#[cfg(test)]
mod tests;
mod threads;
mod waiting;

use blocks::Block;
use devices::Devices;
pub use event_log::EventLog;
use hosts::Hosts;
use ipc::Endpoint;
use lent::HostSlots;
use notification::{Channel, Notification};
pub use parallel::Turn;
use quota::Accounts;
pub use repeat::{Order, exit_order, exit_order_of_lines, ways};
pub use schedule::Schedule;
use schedule::Turns;

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
    /// It is a host thread's turn: the caller runs it up to its next hypercall, and passes that to
    /// [`Microkernel::host_call`].
    Host(ThreadId),
    /// No thread is ready, and none will be by itself.
    Idle,
}

/// The microkernel over a backend.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub struct Microkernel<A: Arch> {
    arch: A,
    bundle: Bundle,
    frames: Frames,
    capabilities: Capabilities,
    /// Blocks of pages, by their first frame.
    blocks: BTreeMap<Frame, Block>,
    /// Pages in use of each memory node.
    node_pages: [u64; blocks::NODES as usize],
    host_slots: HostSlots,
    /// On whose account endpoints, notifications and channels are.
    object_owners: BTreeMap<Object, DomainId>,
    /// Every capability of a domain to an endpoint, a notification, a channel or lent memory.
    holders: BTreeSet<(Object, Slot)>,
    /// Those of these objects that more than one domain has held.
    shared: BTreeSet<Object>,
    endpoints: BTreeMap<EndpointId, Endpoint>,
    notifications: BTreeMap<NotificationId, Notification>,
    channels: BTreeMap<ChannelId, Channel>,
    /// The number of the next endpoint, notification or channel.
    next_object: u32,
    accounts: Accounts,
    devices: Devices,
    hosts: Hosts,
    domains: BTreeMap<DomainId, Domain>,
    threads: Vec<Thread>,
    /// Those that are not dead.
    live: BTreeSet<ThreadId>,
    /// Threads that can run; the first does.
    ready: VecDeque<ThreadId>,
    turns: Turns,
    /// Threads that got other registers since they last ran, while threads run at the same time.
    moved: BTreeSet<ThreadId>,
    /// Ticks since the beginning: exits that were handled, and time in which nothing could run.
    now: u64,
    /// When waits end by themselves.
    deadlines: BTreeSet<(u64, ThreadId)>,
    /// The capability that each wait depends on.
    waiting_through: BTreeSet<(Slot, ThreadId)>,
    /// The capability that each domain's fault handler is bound with.
    fault_bindings: BTreeSet<(Slot, DomainId)>,
    /// Threads in the middle of a long operation.
    workers: BTreeSet<ThreadId>,
    /// Domains that nobody holds any more and that are not taken apart yet.
    orphans: VecDeque<DomainId>,
    /// Capabilities that one turn of a long operation removes.
    batch: usize,
    /// Pages that this turn of one has unmapped or freed.
    pages_done: u64,
    /// A capability or a thread is gone whose absence may make somebody's wait hopeless.
    peers_changed: bool,
    next_domain: u32,
    /// Every name that a domain has had, so that no later one is mistaken for it.
    names: BTreeSet<String>,
    /// For each module, the number that its next domain without a name is to have.
    numbered: BTreeMap<String, u32>,
    /// Retired by threads that are gone, on a backend that counts.
    retired_before: Option<u64>,
    /// The thread whose hypercall is being served: what happens meanwhile is its doing.
    cause: Option<ThreadId>,
    events: EventLog,
    header: LogHeader,
    finished: bool,
    /// The rule that a test has broken.
    #[cfg(test)]
    broken: tests::Broken,
}

impl<A: Arch> Microkernel<A> {
    /// A microkernel with nothing in it yet but the modules of `bundle`.
    pub fn new(arch: A, bundle: Bundle) -> Self {
        let header = LogHeader {
            lcd_log: LOG_VERSION,
            backend: arch.name().into(),
            world: bundle.world.name.clone(),
            inputs: bundle.digest(),
            schedule: Schedule::Cooperative,
        };
        let mut capabilities = Capabilities::new();
        capabilities.open(SpaceId::Host);
        Self {
            arch,
            bundle,
            frames: Frames::new(),
            capabilities,
            blocks: BTreeMap::new(),
            node_pages: [0; blocks::NODES as usize],
            host_slots: HostSlots::default(),
            object_owners: BTreeMap::new(),
            holders: BTreeSet::new(),
            shared: BTreeSet::new(),
            endpoints: BTreeMap::new(),
            notifications: BTreeMap::new(),
            channels: BTreeMap::new(),
            next_object: 0,
            accounts: Accounts::new(),
            devices: Devices::new(),
            hosts: Hosts::default(),
            domains: BTreeMap::new(),
            threads: Vec::new(),
            live: BTreeSet::new(),
            ready: VecDeque::new(),
            turns: Turns::default(),
            moved: BTreeSet::new(),
            now: 0,
            deadlines: BTreeSet::new(),
            waiting_through: BTreeSet::new(),
            fault_bindings: BTreeSet::new(),
            workers: BTreeSet::new(),
            orphans: VecDeque::new(),
            batch: capabilities::BATCH,
            pages_done: 0,
            peers_changed: false,
            next_domain: 0,
            names: BTreeSet::new(),
            numbered: BTreeMap::new(),
            retired_before: Some(0),
            cause: None,
            events: EventLog::default(),
            header,
            finished: false,
            #[cfg(test)]
            broken: tests::Broken::Nothing,
        }
    }

    /// Runs the thread whose turn it is up to its next exit, and handles that. `budget` is in
    /// instructions, for backends that count them.
    pub fn step(&mut self, budget: u64) -> Step {
        if self.finished {
            return Step::Idle;
        }
        if self.workers.is_empty() && !self.orphans.is_empty() {
            // Whoever began this has ended meanwhile.
            self.reap_orphans();
            self.end_hopeless_waits();
            return Step::Continued;
        }
        if let Some(step) = self.repeat_interference() {
            return step;
        }
        self.check_order();
        let Some(thread) = self.next_thread() else {
            let any = !self.is_log_full() && self.advance_time();
            self.choose_next();
            return if any { Step::Continued } else { Step::Idle };
        };
        if self.is_log_full() {
            self.end(thread, End::Killed(KillReason::Timeout));
            return Step::Continued;
        }
        if self.thread(thread).work.is_some() {
            self.continue_work(thread);
            return self.handled();
        }
        if let Some(exit) = self.take_held(thread) {
            return self.exited(thread, exit);
        }
        if self.is_host_thread(thread) {
            if self.turns.due() == Some(thread) && self.let_run_ahead() {
                self.help(thread);
                return Step::Continued;
            }
            return self.run_service(thread);
        }
        let (left, reason) = self.instructions_left(thread);
        if left == 0 {
            self.end(thread, End::Killed(reason));
            return self.handled();
        }
        let slice = self.slice_left(thread);
        let exit = self.arch.run(thread, budget.min(left).min(slice));
        match self.hold(thread, exit) {
            Some(exit) => self.exited(thread, exit),
            None => Step::Continued,
        }
    }

    /// Handles what a thread's run ended with.
    fn exited(&mut self, thread: ThreadId, exit: Exit) -> Step {
        match exit {
            Exit::Kicked => return Step::Kicked(thread),
            Exit::Budget => {
                self.end_slice(thread);
                return Step::Budget(thread);
            }
            _ => self.takes_effect(thread),
        }
        match exit {
            Exit::Kicked | Exit::Budget => unreachable!("these are no events"),
            Exit::Hypercall { number } => self.hypercall(thread, number),
            Exit::Return => self.returned(thread),
            Exit::Fault { .. } => self.faulted(thread, exit),
            Exit::Exception { vector, code, .. } => {
                if !self.emulate_port(thread, vector, code) {
                    self.faulted(thread, exit);
                }
            }
            Exit::Port { port } => self.end(thread, End::Killed(KillReason::Port { port })),
            Exit::Unsupported { what, .. } => {
                self.end(thread, End::Killed(KillReason::Unsupported { what }));
            }
            Exit::Shutdown => self.end(thread, End::Killed(KillReason::Shutdown)),
        }
        self.handled()
    }

    /// After each exit: what time and other people's deaths bring about, and whose turn is next.
    fn handled(&mut self) -> Step {
        self.expire();
        self.end_hopeless_waits();
        self.choose_next();
        Step::Continued
    }

    /// The thread that the next step runs, and when it is to be killed.
    pub fn current(&self) -> Option<(ThreadId, Option<KillAfter>)> {
        let thread = self.next_thread().filter(|_| !self.finished)?;
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
        self.end_stuck_threads();
        while !self.reap_orphans() {}
        let mut unmapped = self.frame_owners();
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

    /// What has happened so far. Of a run that has been asked to forget something, what came after
    /// that.
    pub fn events(&self) -> &[Event] {
        self.events.kept()
    }

    /// The same, with what is known of events that are forgotten.
    pub const fn event_log(&self) -> &EventLog {
        &self.events
    }

    /// Gives up the events before this number: see [`EventLog::forget`]. They count as before, and
    /// nothing that happens depends on them.
    pub fn forget_events(&mut self, before: usize, seen: impl FnMut(usize, &Event, &[u8])) {
        self.events.forget(before, seen);
    }

    /// What the log is a log of.
    pub fn header(&self) -> LogHeader {
        LogHeader { schedule: self.schedule(), ..self.header.clone() }
    }

    /// The log so far, with its header: of a run that has forgotten nothing.
    pub fn log(&self) -> Log {
        Log { header: self.header(), events: self.events.kept().to_vec() }
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
            // A host thread is never on the processor for longer than a hypercall.
            state if self.is_host_thread(thread) => {
                Err(LifecycleError::ThreadState { action: Action::Kick, state })
            }
            _ => Ok(self.arch.kicker(thread)),
        }
    }

    /// Instructions that all threads together have retired, where the backend counts.
    pub fn retired(&self) -> Option<u64> {
        let ran = self.live.iter().filter(|&&thread| !self.is_host_thread(thread));
        ran.copied().try_fold(self.retired_before?, |total, thread| {
            Some(total.saturating_add(self.arch.retired(thread)?))
        })
    }

    /// How often processors were entered for all threads together: see [`Arch::total_entries`].
    pub fn entries(&self) -> Option<u64> {
        self.arch.total_entries()
    }

    /// How many instructions the thread may still retire, and what happens then.
    fn instructions_left(&self, thread: ThreadId) -> (u64, KillReason) {
        let (Some(all), Some(own)) = (self.retired(), self.arch.retired(thread)) else {
            return (u64::MAX, KillReason::Timeout);
        };
        let run = self.bundle.world.limits.instructions.saturating_sub(all);
        match self.thread(thread).kill_after {
            // Of a recorded run it is known when that was.
            Some(kill) if kill.instructions.saturating_sub(own) <= run && !self.is_repeating() => {
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
        let Some(call) = state.calls.get(state.current_call) else {
            // What it was started on was no call of its world's.
            self.end(thread, End::Exit(Exited { value: value.cast_signed() }));
            return;
        };
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

    fn thread(&self, thread: ThreadId) -> &Thread {
        &self.threads[thread.0 as usize]
    }

    fn thread_mut(&mut self, thread: ThreadId) -> &mut Thread {
        &mut self.threads[thread.0 as usize]
    }

    fn record(&mut self, domain: DomainId, thread: Option<ThreadId>, kind: EventKind) {
        let thread = thread.or(self.cause);
        self.events.push(Event { domain, thread, kind });
    }
}
