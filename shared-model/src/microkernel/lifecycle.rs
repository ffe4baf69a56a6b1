//! Create, load, start, kill, destroy.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::Microkernel;
use super::capabilities::{AT_ONCE, PAGES_BATCH};
use super::memory::host_slot;
use crate::abi::Resource;
use crate::address::{GuestPhysical, GuestVirtual, LOWER_HALF_END, PAGE_SIZE};
use crate::arch::Arch;
use crate::boot;
use crate::capability::{CapError, Object, SpaceId};
use crate::construct::{self, Blueprint};
use crate::domain::{
    Action, Call, DOMAINS_MAX, Domain, DomainId, DomainState, LifecycleError, ThreadId, ThreadState,
};
use crate::event::{Digest, EventKind};
use crate::exit::{End, Exited, KillReason};
use crate::layout;
use crate::loader::{self, Image, Kind, Program};
use crate::registers::{ARGUMENTS, FLAGS_INITIAL, RSP, Registers};
use crate::rights::Rights;
use crate::space::AddressSpace;
use crate::world::Argument;

/// Tables that a guest-physical space can need at most: two upper levels with one table each, a
/// table for each GiB and a leaf table for each 2 MiB.
const TABLES_MAX: usize =
    2 + (layout::PHYSICAL_SIZE >> 30) as usize + (layout::PHYSICAL_SIZE >> 21) as usize;

/// Where an initial thread starts, if not where its module says.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Entry {
    pub(super) pc: Option<GuestVirtual>,
    pub(super) sp: Option<u64>,
}

impl<A: Arch> Microkernel<A> {
    /// Creates an empty domain, whose capability the microkernel itself holds.
    ///
    /// # Errors
    /// [`LifecycleError::Exhausted`] if the backend refuses.
    pub fn create_domain(&mut self, name: &str) -> Result<DomainId, LifecycleError> {
        let slot = host_slot(DomainId(self.next_domain));
        let exhausted = |error: CapError| LifecycleError::Exhausted(error.to_string());
        self.capabilities.vacant(slot).map_err(exhausted)?;
        let id = self.new_domain(name, None)?;
        let pages = self.bundle.world.limits.pages;
        self.accounts.set_limit(id, Resource::Pages, pages.into());
        self.capabilities.insert(slot, Object::Domain(id), Rights::ALL).map_err(exhausted)?;
        Ok(id)
    }

    /// Creates an empty domain that nobody holds yet, on its creator's account.
    pub(super) fn new_domain(
        &mut self,
        name: &str,
        creator: Option<DomainId>,
    ) -> Result<DomainId, LifecycleError> {
        self.new_domain_of(name, creator, false)
    }

    /// The same of either kind: a host domain is none to the backend.
    pub(super) fn new_domain_of(
        &mut self,
        name: &str,
        creator: Option<DomainId>,
        is_host: bool,
    ) -> Result<DomainId, LifecycleError> {
        if self.domains.len() >= DOMAINS_MAX {
            let message = format!("a run has at most {DOMAINS_MAX} domains at a time");
            return Err(LifecycleError::Exhausted(message));
        }
        if let Some(creator) = creator {
            if !self.accounts.can_have_below(creator) {
                let message = format!("at most {DOMAINS_MAX} domains create each other in a row");
                return Err(LifecycleError::Exhausted(message));
            }
            self.charge(creator, Resource::Domains, 1).map_err(|_| {
                LifecycleError::Exhausted("the creator's quota of domains is used up".into())
            })?;
        }
        let id = DomainId(self.next_domain);
        let created = if is_host { Ok(()) } else { self.arch.domain_create(id) };
        if let Err(error) = created {
            if let Some(creator) = creator {
                self.refund(creator, Resource::Domains, 1);
            }
            return Err(LifecycleError::Exhausted(error.to_string()));
        }
        self.next_domain += 1;
        let name: String = name.into();
        self.names.insert(name.clone());
        self.capabilities.open(SpaceId::Domain(id));
        self.capabilities.open(SpaceId::Boot(id));
        self.accounts.open(id, creator);
        self.record(id, None, EventKind::DomainCreated { name: name.clone() });
        let domain = Domain {
            name,
            state: DomainState::Embryo,
            space: AddressSpace::new(TABLES_MAX),
            mapped: BTreeMap::new(),
            program: None,
            files: Vec::new(),
            home: None,
            threads: Vec::new(),
            console: Vec::new(),
            fault_handler: None,
        };
        self.domains.insert(id, domain);
        Ok(id)
    }

    /// Loads a module of the bundle into an empty domain and gives it its initial thread.
    ///
    /// `call` names the functions that the thread is to call, in order, by default the module's
    /// `init_module` or the executable's entry; the modules it depends on are initialised first.
    /// `arguments` go to the last function.
    ///
    /// # Errors
    /// [`LifecycleError`]; the domain is then still empty.
    pub fn load_module(
        &mut self,
        domain: DomainId,
        module: &str,
        call: Option<&[String]>,
        arguments: &[Argument],
    ) -> Result<ThreadId, LifecycleError> {
        self.load(domain, module, call, arguments, Entry::default())
    }

    /// As [`Microkernel::load_module`], with a say in where the initial thread starts.
    pub(super) fn load(
        &mut self,
        domain: DomainId,
        module: &str,
        call: Option<&[String]>,
        arguments: &[Argument],
        entry: Entry,
    ) -> Result<ThreadId, LifecycleError> {
        self.expect_state(domain, Action::Configure, DomainState::Embryo)?;
        let parts = self.bundle.module(module);
        let parts = parts.ok_or_else(|| LifecycleError::NoModule(module.into()))?;
        let failed = |error: &dyn core::fmt::Display| LifecycleError::Load(error.to_string());
        let program = loader::link(&parts).map_err(|error| failed(&error))?;
        let plan = construct::blueprint(&program, arguments)
            .map_err(|error| failed(&format!("{module}: {error}")))?;
        let mut calls = match entry.pc {
            Some(pc) => alloc::vec![call_at(&program, pc)],
            None => calls(module, &program, call)?,
        };
        if let Some(last) = calls.last_mut() {
            last.arguments.clone_from(&plan.arguments);
        }
        // An executable stands alone: of its files, the last.
        let files = self.bundle.modules.get(module).map_or(&[][..], Vec::as_slice);
        let files = files[files.len().saturating_sub(program.images.len())..].to_vec();
        let thread = self.install(domain, plan, program, calls, entry.sp)?;
        self.domains.get_mut(&domain).expect("it was just built").files = files;
        Ok(thread)
    }

    /// Builds an empty domain without a module, whose initial thread starts at `pc`.
    pub(super) fn configure_bare(
        &mut self,
        domain: DomainId,
        pc: GuestVirtual,
        sp: Option<u64>,
    ) -> Result<ThreadId, LifecycleError> {
        self.expect_state(domain, Action::Configure, DomainState::Embryo)?;
        let program = Program { images: Vec::new(), unprovided: Vec::new() };
        let plan = construct::blueprint(&program, &[])
            .map_err(|error| LifecycleError::Load(error.to_string()))?;
        let calls = alloc::vec![call_at(&program, pc)];
        self.install(domain, plan, program, calls, sp)
    }

    /// Gives an empty domain its pages and its initial thread. On a failure it is still empty.
    fn install(
        &mut self,
        domain: DomainId,
        plan: Blueprint,
        program: Program,
        calls: Vec<Call>,
        sp: Option<u64>,
    ) -> Result<ThreadId, LifecycleError> {
        self.put_pages(domain, &plan)?;
        let thread = match self.add_thread(domain, 0, plan.system, plan.places) {
            Ok(thread) => thread,
            Err(error) => {
                self.remove_boot_pages(domain);
                return Err(error);
            }
        };
        let state = self.thread_mut(thread);
        (state.calls, state.stack_pointer) = (calls, sp);
        for image in &program.images {
            let loaded =
                EventKind::Loaded { module: image.name.clone(), digest: image_digest(image) };
            self.record(domain, None, loaded);
        }
        self.record_built(domain, thread);
        let state = self.domains.get_mut(&domain).expect("its state was just checked");
        state.program = Some(program);
        state.home = Some(plan.home);
        state.state = DomainState::Configured;
        Ok(thread)
    }

    /// Starts a suspended thread: it runs when its turn comes.
    ///
    /// # Errors
    /// [`LifecycleError`] if it was started before, or does not exist.
    pub fn start_thread(&mut self, thread: ThreadId) -> Result<(), LifecycleError> {
        let report = self.thread_report(thread)?;
        if report.state != ThreadState::Suspended || self.thread(thread).started {
            return Err(LifecycleError::ThreadState { action: Action::Start, state: report.state });
        }
        let domain = self.domains.get_mut(&report.domain);
        let domain = domain.ok_or(LifecycleError::NoDomain(report.domain))?;
        domain.state = DomainState::Running;
        let state = self.thread_mut(thread);
        state.started = true;
        let (is_paused, is_set_up) = (state.paused, state.is_set_up);
        if !is_paused {
            self.thread_mut(thread).state = ThreadState::Ready;
            self.ready.push_back(thread);
        }
        self.record(report.domain, Some(thread), EventKind::ThreadStarted);
        if is_set_up || self.is_host_thread(thread) {
            return Ok(());
        }
        if self.thread(thread).calls.is_empty() {
            // As when Linux loads a module that has no init function: nothing to do, no error.
            self.end(thread, End::Exit(Exited { value: 0 }));
        } else {
            self.begin_call(thread);
        }
        Ok(())
    }

    /// Starts a domain: its initial thread, and those that its world gave it. Those that are
    /// suspended are set up, and stay so until they are resumed.
    ///
    /// # Errors
    /// [`LifecycleError`] if it does not exist, was started before, or its initial thread is gone.
    pub fn start_domain(&mut self, domain: DomainId) -> Result<(), LifecycleError> {
        self.expect_state(domain, Action::Run, DomainState::Configured)?;
        let threads = self.domains[&domain].threads.clone();
        for (index, thread) in threads.into_iter().enumerate() {
            let state = self.thread(thread);
            if index == 0 || (state.state == ThreadState::Suspended && !state.started) {
                self.start_thread(thread)?;
            }
        }
        Ok(())
    }

    /// Ends a thread for good, whatever it is doing.
    ///
    /// # Errors
    /// [`LifecycleError`] if it has ended already, or does not exist.
    pub fn kill_thread(&mut self, thread: ThreadId) -> Result<(), LifecycleError> {
        match self.thread_report(thread)?.state {
            ThreadState::Dead => {
                Err(LifecycleError::ThreadState { action: Action::Kill, state: ThreadState::Dead })
            }
            _ => {
                self.end(thread, End::Killed(KillReason::Killed));
                // With it, the last who could run may be gone.
                self.end_hopeless_waits();
                Ok(())
            }
        }
    }

    /// Destroys a domain: its threads end, its capabilities go, its pages return.
    ///
    /// # Errors
    /// [`LifecycleError::NoDomain`] if it does not exist.
    pub fn destroy_domain(&mut self, domain: DomainId) -> Result<(), LifecycleError> {
        if !self.domains.contains_key(&domain) {
            return Err(LifecycleError::NoDomain(domain));
        }
        // Deleting its last capability is what destroys a domain.
        let holders = [Object::Domain(domain), Object::HostDomain(domain)];
        let holders: Vec<_> =
            holders.into_iter().flat_map(|object| self.capabilities.holders(object)).collect();
        for slot in holders {
            if let Ok(removed) = self.capabilities.delete(slot) {
                self.settle(removed);
            }
        }
        while !self.reap_orphans() {}
        self.end_hopeless_waits();
        Ok(())
    }

    /// Frees what a domain has that nobody holds any more, at most `left` capabilities of it. Says
    /// whether that was all.
    pub(super) fn reap_domain(&mut self, domain: DomainId, left: &mut usize) -> bool {
        let Some(state) = self.domains.get(&domain) else { return true };
        for thread in state.threads.clone() {
            if self.thread(thread).state != ThreadState::Dead {
                self.end(thread, End::Killed(KillReason::Destroyed));
            }
        }
        if !self.forget_devices_of(domain, left) {
            return false;
        }
        for space in [SpaceId::Domain(domain), SpaceId::Boot(domain)] {
            loop {
                let limit = (*left).min(AT_ONCE);
                let (removed, done) = self.capabilities.close(space, limit);
                *left -= removed.len();
                removed.into_iter().for_each(|removed| self.settle(removed));
                if done {
                    break;
                }
                if *left == 0 || self.pages_done >= PAGES_BATCH {
                    return false;
                }
            }
        }
        if !self.host_domain_gone(domain) {
            self.arch.domain_destroy(domain);
        }
        self.unbind_faults(domain);
        self.domains.remove(&domain);
        if let Some(creator) = self.accounts.close(domain) {
            self.refund(creator, Resource::Domains, 1);
        }
        self.record(domain, None, EventKind::DomainDestroyed);
        true
    }

    /// Ends a thread. The first reason sticks.
    pub(super) fn end(&mut self, thread: ThreadId, end: End) {
        if self.thread(thread).state == ThreadState::Dead {
            return;
        }
        let (registers, undefined_flags) = self.leave_processor(thread);
        self.ready.retain(|other| *other != thread);
        self.live.remove(&thread);
        self.stop_acting(thread);
        let state = &mut self.threads[thread.0 as usize];
        state.state = ThreadState::Dead;
        state.ended = Some((end.clone(), registers));
        // What is left of a dead thread is kept for good, and a run can have very many.
        state.calls = Vec::new();
        let domain = state.domain;
        self.refund(domain, Resource::Threads, 1);
        self.peers_changed = true;
        let others_live = |id: &ThreadId| self.threads[id.0 as usize].state != ThreadState::Dead;
        if let Some(domain) = self.domains.get_mut(&domain)
            && !domain.threads.iter().any(others_live)
        {
            domain.state = DomainState::Dead;
        }
        let killed = matches!(end, End::Killed(_));
        let at = killed.then(|| self.symbolize(domain, GuestVirtual(registers.rip))).flatten();
        self.record(domain, Some(thread), EventKind::Ended { end, registers, at, undefined_flags });
    }

    /// Frees the processor of a thread that ends, if it has one. Returns its registers and which of
    /// their flags are undefined.
    fn leave_processor(&mut self, thread: ThreadId) -> (Registers, u64) {
        if self.host_thread_ended(thread) {
            return (Registers::default(), 0);
        }
        let registers = self.arch.registers(thread);
        let undefined_flags = self.arch.undefined_flags(thread);
        let retired = self.arch.retired(thread);
        self.retired_before =
            self.retired_before.zip(retired).map(|(before, own)| before.saturating_add(own));
        self.arch.thread_destroy(thread);
        (registers, undefined_flags)
    }

    /// A thread that ends takes part in nothing any more: it waits for nobody, and nobody waits for
    /// its answers.
    fn stop_acting(&mut self, thread: ThreadId) {
        #[cfg(test)]
        self.break_end(thread);
        self.stop_waiting(thread);
        self.unbind(thread);
        self.workers.remove(&thread);
        self.drop_held(thread);
        self.thread_mut(thread).work = None;
        self.forget_call(thread);
        let (removed, _) = self.capabilities.close(SpaceId::Thread(thread), usize::MAX);
        // Nothing in a thread's own space is mapped, on an account or the last of its object but
        // the thread's own right to be answered. That it ended says that they are gone.
        drop(removed);
    }

    /// Sets a thread up for the call it has come to.
    pub(super) fn begin_call(&mut self, thread: ThreadId) {
        let state = self.thread(thread);
        let (call, domain) = (state.calls[state.current_call].clone(), state.domain);
        let sp = state.stack_pointer;
        let arguments: Vec<_> = call.arguments.iter().map(|argument| argument.value).collect();
        self.enter(thread, call.address.0, &arguments, sp);
        let event = EventKind::Call { symbol: call.symbol, address: call.address, arguments };
        self.record(domain, Some(thread), event);
    }

    /// Sets a thread up to enter a function: all registers zero but the stack pointer and the
    /// arguments, the return gate as return address, the stack aligned as the ABI demands at a
    /// function's entry (System V AMD64 ABI, 3.2.2). A given stack pointer is taken as it is, with
    /// whatever is there as return address.
    pub(super) fn enter(&mut self, thread: ThreadId, pc: u64, arguments: &[u64], sp: Option<u64>) {
        let state = self.thread(thread);
        let (domain, places, stack) = (state.domain, state.places, state.stack);
        let gate = state.system.gates.0 + boot::RETURN_GATE;
        let mut registers = Registers { rip: pc, rflags: FLAGS_INITIAL, ..Registers::default() };
        for (register, value) in ARGUMENTS.iter().zip(arguments) {
            registers.general[*register] = *value;
        }
        let on_stack = arguments.get(ARGUMENTS.len()..).unwrap_or_default();
        registers.general[RSP] = sp.unwrap_or_else(|| {
            let words: Vec<u64> = core::iter::once(gate).chain(on_stack.iter().copied()).collect();
            let below = (on_stack.len() as u64 * 8).next_multiple_of(16) + 8;
            let rsp = places.stack_top().0 - below;
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            let physical = GuestPhysical(stack.0 + (rsp - places.stack().0));
            self.write_physical(domain, physical, &bytes);
            rsp
        });
        self.arch.set_registers(thread, &registers);
    }

    pub(super) fn expect_state(
        &self,
        domain: DomainId,
        action: Action,
        wanted: DomainState,
    ) -> Result<(), LifecycleError> {
        let found = self.domains.get(&domain).ok_or(LifecycleError::NoDomain(domain))?.state;
        if found == wanted {
            Ok(())
        } else {
            Err(LifecycleError::DomainState { action, state: found })
        }
    }
}

/// Functions that one thread calls in a row: more than any module has dependencies.
const CALLS_MAX: usize = 64;

/// The functions that a program's thread calls: those of `named`, or the module's own beginning,
/// after the init functions of the modules it depends on. None at all for a module that is only
/// a library.
fn calls(
    module: &str,
    program: &Program,
    named: Option<&[String]>,
) -> Result<Vec<Call>, LifecycleError> {
    let main = program.main().expect("a program has at least one image");
    let (_, dependencies) = program.images.split_last().expect("as above");
    let init = |image: &Image| image.init.map(|address| call_to("init_module", address, true));
    let mut calls: Vec<_> = dependencies.iter().filter_map(init).collect();
    match named {
        Some(names) => {
            for name in names {
                let address =
                    program.symbol(name).ok_or_else(|| no_function(module, main, name))?;
                calls.push(call_to(name, address, name == "init_module"));
            }
        }
        None => match (main.kind, main.entry, main.init) {
            (Kind::Relocatable, _, Some(address)) => {
                calls.push(call_to("init_module", address, true))
            }
            (Kind::Executable | Kind::StaticPie, Some(address), _) => {
                calls.push(call_to("entry", address, false));
            }
            (Kind::Relocatable, _, None) => {}
            _ => {
                let message = format!("{module}: an executable without an entry point");
                return Err(LifecycleError::Load(message));
            }
        },
    }
    if named.is_some_and(<[_]>::is_empty) || calls.len() > CALLS_MAX {
        let number = calls.len();
        let message = format!("{module}: {number} functions to call; a list has 1 to {CALLS_MAX}");
        return Err(LifecycleError::Load(message));
    }
    calls.iter().try_for_each(|call| expect_lower_half(module, call))?;
    Ok(calls)
}

/// A symbol's value is whatever the file says, and processors cannot be started just anywhere.
fn expect_lower_half(module: &str, call: &Call) -> Result<(), LifecycleError> {
    if call.address.0 < LOWER_HALF_END {
        return Ok(());
    }
    let message =
        format!("{module}: `{}` is at {}, not in the lower half", call.symbol, call.address);
    Err(LifecycleError::Load(message))
}

fn call_to(symbol: &str, address: GuestVirtual, is_init: bool) -> Call {
    Call { symbol: symbol.into(), address, arguments: Vec::new(), is_init }
}

/// A call of a function that its program names, for a further thread.
pub(super) fn named_call(program: &Program, name: &str) -> Result<Call, LifecycleError> {
    let main = program.main();
    let main = main.ok_or_else(|| LifecycleError::Load("the domain has no module".into()))?;
    let address = program.symbol(name).ok_or_else(|| no_function(&main.name, main, name))?;
    let call = call_to(name, address, name == "init_module");
    expect_lower_half(&main.name, &call)?;
    Ok(call)
}

/// A call of whatever is at an address.
fn call_at(program: &Program, address: GuestVirtual) -> Call {
    let symbol = match program.symbolize(address) {
        Some((_, symbol, 0)) => symbol.into(),
        Some((_, symbol, offset)) => format!("{symbol}+{offset:#x}"),
        None => address.to_string(),
    };
    call_to(&symbol, address, false)
}

fn no_function(module: &str, main: &Image, name: &str) -> LifecycleError {
    let exports: Vec<_> = main.exports.iter().take(8).map(|export| &*export.name).collect();
    let offer = if exports.is_empty() {
        String::from("it exports nothing")
    } else {
        format!("it exports {}", exports.join(", "))
    };
    LifecycleError::Load(format!("{module} has no function `{name}`; {offer}"))
}

/// Digest of what a module became in memory.
fn image_digest(image: &Image) -> Digest {
    let mut parts: Vec<u8> = Vec::new();
    for segment in &image.segments {
        let pages = segment.size / PAGE_SIZE;
        for number in [segment.start.0, pages, segment.rights.bits(), segment.bytes.len() as u64] {
            parts.extend(number.to_le_bytes());
        }
        parts.extend(&segment.bytes);
    }
    Digest::of([parts.as_slice()])
}
