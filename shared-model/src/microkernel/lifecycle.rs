//! Create, load, start, kill, destroy.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::Microkernel;
use crate::address::{GuestVirtual, LOWER_HALF_END, PAGE_SIZE};
use crate::arch::Arch;
use crate::boot;
use crate::capability::{CapError, Object, Slot, SpaceId};
use crate::construct::{self, Blueprint};
use crate::domain::{
    Action, Call, DOMAINS_MAX, Domain, DomainId, DomainState, LifecycleError, Thread, ThreadId,
    ThreadState,
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

impl<A: Arch> Microkernel<A> {
    /// Creates an empty domain, whose capability the microkernel itself holds.
    ///
    /// # Errors
    /// [`LifecycleError::Exhausted`] if the backend refuses.
    pub fn create_domain(&mut self, name: &str) -> Result<DomainId, LifecycleError> {
        let slot = Slot { space: SpaceId::Host, number: u64::from(self.next_domain) + 1 };
        let exhausted = |error: CapError| LifecycleError::Exhausted(error.to_string());
        self.capabilities.vacant(slot).map_err(exhausted)?;
        let id = self.new_domain(name)?;
        self.capabilities.insert(slot, Object::Domain(id), Rights::ALL).map_err(exhausted)?;
        Ok(id)
    }

    /// Creates an empty domain that nobody holds yet.
    pub(super) fn new_domain(&mut self, name: &str) -> Result<DomainId, LifecycleError> {
        if self.domains.len() >= DOMAINS_MAX {
            let message = format!("a run has at most {DOMAINS_MAX} domains at a time");
            return Err(LifecycleError::Exhausted(message));
        }
        let id = DomainId(self.next_domain);
        self.arch
            .domain_create(id)
            .map_err(|error| LifecycleError::Exhausted(error.to_string()))?;
        self.next_domain += 1;
        let name: String = name.into();
        self.names.insert(name.clone());
        self.record(id, None, EventKind::DomainCreated { name: name.clone() });
        let domain = Domain {
            name,
            state: DomainState::Embryo,
            space: AddressSpace::new(TABLES_MAX),
            program: None,
            thread: None,
            console: Vec::new(),
            pages_left: self.bundle.world.limits.pages,
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
        self.expect_state(domain, Action::Configure, DomainState::Embryo)?;
        let parts = self.bundle.module(module);
        let parts = parts.ok_or_else(|| LifecycleError::NoModule(module.into()))?;
        let failed = |error: &dyn core::fmt::Display| LifecycleError::Load(error.to_string());
        let program = loader::link(&parts).map_err(|error| failed(&error))?;
        let plan = construct::blueprint(&program, arguments)
            .map_err(|error| failed(&format!("{module}: {error}")))?;
        let mut calls = calls(module, &program, call)?;
        if let Some(last) = calls.last_mut() {
            last.arguments.clone_from(&plan.arguments);
        }
        self.put_pages(domain, &plan)?;
        let thread = self.add_thread(domain, &plan, calls)?;
        for image in &program.images {
            let loaded =
                EventKind::Loaded { module: image.name.clone(), digest: image_digest(image) };
            self.record(domain, None, loaded);
        }
        let state = self.domains.get_mut(&domain).expect("its state was just checked");
        state.program = Some(program);
        state.thread = Some(thread);
        state.state = DomainState::Configured;
        Ok(thread)
    }

    fn add_thread(
        &mut self,
        domain: DomainId,
        plan: &Blueprint,
        calls: Vec<Call>,
    ) -> Result<ThreadId, LifecycleError> {
        let id = ThreadId(self.threads.len() as u32);
        if let Err(error) = self.arch.thread_create(id, domain, &plan.system) {
            self.remove_boot_pages(domain);
            return Err(LifecycleError::Exhausted(error.to_string()));
        }
        let utcb = self.domains[&domain].space.lookup(plan.utcb);
        self.threads.push(Thread {
            domain,
            state: ThreadState::Suspended,
            system: plan.system,
            places: plan.places,
            stack: plan.stack,
            utcb: utcb.expect("the plan has a UTCB").frame,
            calls,
            current_call: 0,
            kill_after: None,
            ended: None,
        });
        Ok(id)
    }

    /// Starts a suspended thread: it runs when its turn comes.
    ///
    /// # Errors
    /// [`LifecycleError`] if it was started before, or does not exist.
    pub fn start_thread(&mut self, thread: ThreadId) -> Result<(), LifecycleError> {
        let report = self.thread_report(thread)?;
        if report.state != ThreadState::Suspended {
            return Err(LifecycleError::ThreadState { action: Action::Start, state: report.state });
        }
        let domain = self.domains.get_mut(&report.domain);
        let domain = domain.ok_or(LifecycleError::NoDomain(report.domain))?;
        domain.state = DomainState::Running;
        self.threads[thread.0 as usize].state = ThreadState::Ready;
        self.ready.push_back(thread);
        self.record(report.domain, Some(thread), EventKind::ThreadStarted);
        if self.thread(thread).calls.is_empty() {
            // As when Linux loads a module that has no init function: nothing to do, no error.
            self.end(thread, End::Exit(Exited { value: 0 }));
        } else {
            self.begin_call(thread);
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
                Ok(())
            }
        }
    }

    /// Destroys a domain: its thread ends, its capabilities go, its pages return.
    ///
    /// # Errors
    /// [`LifecycleError::NoDomain`] if it does not exist.
    pub fn destroy_domain(&mut self, domain: DomainId) -> Result<(), LifecycleError> {
        if !self.domains.contains_key(&domain) {
            return Err(LifecycleError::NoDomain(domain));
        }
        // Deleting its last capability is what destroys a domain: revoke every copy, then
        // delete the original.
        let holders: Vec<_> = self.capabilities.holders(Object::Domain(domain));
        for slot in holders {
            if let Ok(removed) = self.capabilities.delete(slot) {
                self.after_removal(removed);
            }
        }
        Ok(())
    }

    /// Frees everything of a domain that no capability names any more. Domains that only it held
    /// are added to `orphans`.
    pub(super) fn reap_domain(&mut self, domain: DomainId, orphans: &mut VecDeque<DomainId>) {
        let Some(state) = self.domains.get(&domain) else { return };
        if let Some(thread) = state.thread
            && self.thread(thread).state != ThreadState::Dead
        {
            self.end(thread, End::Killed(KillReason::Destroyed));
        }
        for space in [SpaceId::Domain(domain), SpaceId::Boot(domain)] {
            for removed in self.capabilities.destroy(space) {
                self.settle(removed, orphans);
            }
        }
        self.arch.domain_destroy(domain);
        self.domains.remove(&domain);
        self.record(domain, None, EventKind::DomainDestroyed);
    }

    /// Ends a thread. The first reason sticks.
    pub(super) fn end(&mut self, thread: ThreadId, end: End) {
        if self.thread(thread).state == ThreadState::Dead {
            return;
        }
        let registers = self.arch.registers(thread);
        let undefined_flags = self.arch.undefined_flags(thread);
        let retired = self.arch.retired(thread);
        self.retired_before =
            self.retired_before.zip(retired).map(|(before, own)| before.saturating_add(own));
        self.arch.thread_destroy(thread);
        self.ready.retain(|other| *other != thread);
        let state = &mut self.threads[thread.0 as usize];
        state.state = ThreadState::Dead;
        state.ended = Some((end.clone(), registers));
        // What is left of a dead thread is kept for good, and a run can have very many.
        state.calls = Vec::new();
        let domain = state.domain;
        if let Some(domain) = self.domains.get_mut(&domain) {
            domain.state = DomainState::Dead;
        }
        let killed = matches!(end, End::Killed(_));
        let at = killed.then(|| self.symbolize(domain, GuestVirtual(registers.rip))).flatten();
        self.record(domain, Some(thread), EventKind::Ended { end, registers, at, undefined_flags });
    }

    /// Sets a thread up for the call it has come to: all registers zero but the stack pointer
    /// and the arguments, the return gate as return address, the stack aligned as the ABI
    /// demands at a function's entry (System V AMD64 ABI, 3.2.2).
    pub(super) fn begin_call(&mut self, thread: ThreadId) {
        let state = self.thread(thread);
        let call = state.calls[state.current_call].clone();
        let (domain, places, stack) = (state.domain, state.places, state.stack);
        let gate = state.system.gates.0 + boot::RETURN_GATE;
        let values: Vec<_> = call.arguments.iter().map(|argument| argument.value).collect();
        let mut registers =
            Registers { rip: call.address.0, rflags: FLAGS_INITIAL, ..Registers::default() };
        for (register, value) in ARGUMENTS.iter().zip(&values) {
            registers.general[*register] = *value;
        }
        let on_stack = values.get(ARGUMENTS.len()..).unwrap_or_default();
        let words: Vec<u64> = core::iter::once(gate).chain(on_stack.iter().copied()).collect();
        let below = (on_stack.len() as u64 * 8).next_multiple_of(16) + 8;
        let rsp = places.stack_top().0 - below;
        registers.general[RSP] = rsp;
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let physical = crate::address::GuestPhysical(stack.0 + (rsp - places.stack().0));
        self.write_physical(domain, physical, &bytes);
        self.arch.set_registers(thread, &registers);
        let event =
            EventKind::Call { symbol: call.symbol, address: call.address, arguments: values };
        self.record(domain, Some(thread), event);
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
    let new = |symbol: &str, address: GuestVirtual, is_init: bool| Call {
        symbol: symbol.into(),
        address,
        arguments: Vec::new(),
        is_init,
    };
    let (_, dependencies) = program.images.split_last().expect("as above");
    let init = |image: &Image| image.init.map(|address| new("init_module", address, true));
    let mut calls: Vec<_> = dependencies.iter().filter_map(init).collect();
    match named {
        Some(names) => {
            for name in names {
                let address =
                    program.symbol(name).ok_or_else(|| no_function(module, main, name))?;
                calls.push(new(name, address, name == "init_module"));
            }
        }
        None => match (main.kind, main.entry, main.init) {
            (Kind::Relocatable, _, Some(address)) => calls.push(new("init_module", address, true)),
            (Kind::Executable | Kind::StaticPie, Some(address), _) => {
                calls.push(new("entry", address, false));
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
    // A symbol's value is whatever the file says, and processors cannot be started just anywhere.
    if let Some(call) = calls.iter().find(|call| call.address.0 >= LOWER_HALF_END) {
        let message =
            format!("{module}: `{}` is at {}, not in the lower half", call.symbol, call.address);
        return Err(LifecycleError::Load(message));
    }
    Ok(calls)
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
