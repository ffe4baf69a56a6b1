//! The threads of a domain: further ones besides the first, and what others do with them.
//!
//! A domain's page tables have an area for each thread that it can have; a thread's pages appear
//! there when it is created. They stay when it ends, so that what it left can be looked at, and
//! are cleared when another thread takes the area.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::Microkernel;
use super::hypercall::{Answer, Outcome, Request};
use super::lifecycle::named_call;
use crate::abi::{Resource, Status, utcb};
use crate::address::{LOWER_HALF_END, PAGE_SIZE};
use crate::arch::{Arch, ArchError};
use crate::capability::{Object, Slot, SpaceId};
use crate::construct::{PlannedPage, ThreadPlan};
use crate::domain::{
    Action, Call, Domain, DomainId, DomainState, LifecycleError, Thread, ThreadId, ThreadState,
};
use crate::event::EventKind;
use crate::exit::{End, KillReason};
use crate::layout::{THREADS_MAX, ThreadPlaces};
use crate::registers::{FLAGS_INITIAL, FLAGS_VISIBLE, Registers, SystemRegisters};
use crate::rights::Rights;
use crate::world::Argument;

/// Words in which a thread's registers are exchanged: the general ones, `rip` and `rflags`.
const REGISTER_WORDS: usize = 18;

impl<A: Arch> Microkernel<A> {
    /// Gives a domain whose area for it is mapped its `index`-th thread, which is suspended.
    pub(super) fn add_thread(
        &mut self,
        domain: DomainId,
        index: u32,
        system: SystemRegisters,
        places: ThreadPlaces,
    ) -> Result<ThreadId, LifecycleError> {
        let id = ThreadId(self.threads.len() as u32);
        self.charge(domain, Resource::Threads, 1).map_err(|_| {
            LifecycleError::Exhausted("the domain's quota of threads is used up".into())
        })?;
        if let Err(error) = self.arch.thread_create(id, domain, &system) {
            self.refund(domain, Resource::Threads, 1);
            return Err(LifecycleError::Exhausted(error.to_string()));
        }
        self.capabilities.open(SpaceId::Thread(id));
        self.live.insert(id);
        let state = self.domains.get_mut(&domain).expect("a live domain");
        let utcb = state.space.lookup(places.utcb_page()).expect("its area is mapped").frame;
        match state.threads.get_mut(index as usize) {
            Some(before) => *before = id,
            None => state.threads.push(id),
        }
        self.threads.push(Thread {
            domain,
            index,
            state: ThreadState::Suspended,
            started: false,
            is_set_up: false,
            paused: false,
            waiting: None,
            work: None,
            replies: 0,
            reply_rights: Rights::WRITE,
            bound: None,
            system,
            places,
            stack: places.stack_page(),
            stack_pointer: None,
            utcb,
            calls: Vec::new(),
            current_call: 0,
            kill_after: None,
            ended: None,
        });
        Ok(id)
    }

    /// Gives a configured or running domain a further thread, with an area without anything of
    /// whoever had it before. On a failure nothing has changed. `paused` threads are as if somebody
    /// had suspended them; `given` is what the domain has got for it already.
    fn further_thread(
        &mut self,
        domain: DomainId,
        paused: bool,
        given: &[Slot],
    ) -> Result<ThreadId, LifecycleError> {
        let state = self.domains.get(&domain).ok_or(LifecycleError::NoDomain(domain))?;
        let (DomainState::Configured | DomainState::Running, Some(home)) =
            (state.state, &state.home)
        else {
            let (action, state) = (Action::AddThread, state.state);
            return Err(LifecycleError::DomainState { action, state });
        };
        let index = self.free_index(state).ok_or_else(|| {
            let message = alloc::format!("a domain has at most {THREADS_MAX} threads at a time");
            LifecycleError::Exhausted(message)
        })?;
        let ThreadPlan { pages, system, places } = home.thread(index);
        let is_new = state.space.lookup(places.utcb_page()).is_err();
        let put = if is_new { self.put_more_pages(domain, &pages)? } else { Vec::new() };
        let thread = match self.add_thread(domain, index, system, places) {
            Ok(thread) => thread,
            Err(error) => {
                self.take_pages_back(&put);
                return Err(error);
            }
        };
        if !is_new {
            for page in pages {
                let mut bytes = page.bytes;
                bytes.resize(PAGE_SIZE as usize, 0);
                self.write_physical(domain, page.at, &bytes);
            }
        }
        self.thread_mut(thread).paused = paused;
        let pages = self.pages_under(&[given, &put].concat());
        let created = Some(thread);
        let event = EventKind::ThreadCreated { index, created, suspended: paused, pages };
        self.record(domain, None, event);
        Ok(thread)
    }

    /// The lowest index that no live thread has. The initial thread keeps its own: how it ended
    /// is what is said of the domain.
    fn free_index(&self, domain: &Domain) -> Option<u32> {
        let is_free = |&index: &u32| {
            let thread = domain.threads.get(index as usize);
            thread.is_none_or(|&thread| self.thread(thread).state == ThreadState::Dead)
        };
        (1..THREADS_MAX).find(is_free)
    }

    /// Gives a domain pages that it was not built with: all of them, or none. Returns where the
    /// capabilities are under which they are mapped.
    fn put_more_pages(
        &mut self,
        domain: DomainId,
        pages: &[PlannedPage],
    ) -> Result<Vec<Slot>, LifecycleError> {
        let space = SpaceId::Boot(domain);
        let mut put = Vec::new();
        for page in pages {
            // That is where it goes.
            let number = self.capabilities.first_free(space).unwrap_or_default();
            if let Err(ArchError(message)) = self.put_page(domain, page) {
                self.take_pages_back(&put);
                return Err(LifecycleError::Exhausted(message));
            }
            put.push(Slot { space, number });
        }
        Ok(put)
    }

    fn take_pages_back(&mut self, put: &[Slot]) {
        for &slot in put {
            if let Ok(removed) = self.capabilities.delete(slot) {
                self.settle(removed);
            }
        }
    }

    /// Gives a domain that does not run yet a further thread that its world declares: it calls one
    /// function, and starts with the domain; a `paused` one is then as if somebody had suspended it.
    pub(super) fn add_world_thread(
        &mut self,
        domain: DomainId,
        call: &str,
        arguments: &[Argument],
        paused: bool,
    ) -> Result<ThreadId, LifecycleError> {
        self.expect_state(domain, Action::AddThread, DomainState::Configured)?;
        let state = &self.domains[&domain];
        let (Some(program), Some(mut home)) = (&state.program, state.home) else {
            return Err(LifecycleError::Load("the domain has no module".into()));
        };
        let function = named_call(program, call)?;
        let (arguments, pages) = home
            .place_arguments(arguments)
            .map_err(|error| LifecycleError::Load(alloc::format!("{call}: {error}")))?;
        let put = self.put_more_pages(domain, &pages)?;
        let thread = match self.further_thread(domain, paused, &put) {
            Ok(thread) => thread,
            Err(error) => {
                self.take_pages_back(&put);
                return Err(error);
            }
        };
        self.thread_mut(thread).calls = alloc::vec![Call { arguments, ..function }];
        self.domains.get_mut(&domain).expect("its state was checked").home = Some(home);
        Ok(thread)
    }

    /// The domain that an argument names, if its code runs on the machine.
    pub(super) fn machine_domain(
        &self,
        request: &Request,
        argument: usize,
        rights: Rights,
    ) -> Result<DomainId, Status> {
        let slot = self.slot_argument(request, argument)?;
        match self.capabilities.lookup(slot)?.object {
            Object::HostDomain(_) => Err(Status::Invalid),
            _ => Ok(self.capabilities.domain(slot, rights)?),
        }
    }

    /// The same, 0 being the caller's own.
    pub(super) fn machine_domain_or_own(
        &self,
        request: &Request,
        argument: usize,
        rights: Rights,
    ) -> Result<DomainId, Status> {
        match request.arguments[argument] {
            0 if self.is_host_thread(request.thread) => Err(Status::Invalid),
            0 => Ok(request.domain),
            _ => self.machine_domain(request, argument, rights),
        }
    }

    /// The thread that the first two arguments name, if it is not dead. It may be the host's.
    fn thread_argument(&self, request: &Request) -> Result<ThreadId, Status> {
        let domain = self.domain_argument(request, 0, Rights::WRITE)?;
        let state = self.domains.get(&domain).ok_or(Status::BadState)?;
        let index = usize::try_from(request.arguments[1]).map_err(|_| Status::NotFound)?;
        let thread = *state.threads.get(index).ok_or(Status::NotFound)?;
        match self.thread(thread).state {
            ThreadState::Dead => Err(Status::BadState),
            _ => Ok(thread),
        }
    }

    pub(super) fn thread_create(&mut self, request: &mut Request) -> Answer {
        let domain = self.machine_domain_or_own(request, 0, Rights::WRITE)?;
        let [_, pc, sp, argument, ..] = request.arguments;
        if pc >= LOWER_HALF_END {
            return Err(Status::Invalid);
        }
        let thread =
            self.further_thread(domain, true, &[]).map_err(|error| Status::from(&error))?;
        let state = self.thread_mut(thread);
        (state.started, state.is_set_up) = (true, true);
        let index = state.index;
        self.enter(thread, pc, &[argument], Some(sp).filter(|&sp| sp != 0));
        request.results.push(index.into());
        Ok(Outcome::Done)
    }

    pub(super) fn thread_suspend(&mut self, request: &Request) -> Answer {
        let thread = self.thread_argument(request)?;
        let state = self.thread_mut(thread);
        if core::mem::replace(&mut state.paused, true) {
            return Ok(Outcome::Done);
        }
        let (domain, index) = (state.domain, state.index);
        self.stop_if_paused(thread);
        self.record(domain, None, EventKind::ThreadSuspended { index });
        Ok(Outcome::Done)
    }

    /// Takes a suspended thread's turns away, unless it is in a hypercall, which goes on.
    pub(super) fn stop_if_paused(&mut self, thread: ThreadId) {
        let state = self.thread_mut(thread);
        if state.paused && state.state == ThreadState::Ready && state.work.is_none() {
            state.state = ThreadState::Suspended;
            self.ready.retain(|&other| other != thread);
            self.stop_running(thread);
        }
    }

    pub(super) fn thread_resume(&mut self, request: &Request) -> Answer {
        let thread = self.thread_argument(request)?;
        let Thread { domain, index, state, started, paused, .. } = *self.thread(thread);
        if self.domains[&domain].state == DomainState::Configured {
            return Err(Status::BadState);
        }
        if !paused && started {
            return Ok(Outcome::Done);
        }
        self.thread_mut(thread).paused = false;
        self.record(domain, None, EventKind::ThreadResumed { index });
        if !started {
            self.start_thread(thread).map_err(|error| Status::from(&error))?;
        } else if state == ThreadState::Suspended {
            self.make_ready(thread);
        }
        Ok(Outcome::Done)
    }

    pub(super) fn thread_set_registers(&mut self, request: &Request) -> Answer {
        self.machine_domain_or_own(request, 0, Rights::WRITE)?;
        let thread = self.thread_argument(request)?;
        let state = self.thread(thread);
        // A thread that waits because of a fault is in no hypercall: who deals with the fault can
        // let it go on elsewhere.
        let in_call = state.waiting.as_ref().is_some_and(|waiting| waiting.call.is_some());
        let is_still = match state.state {
            ThreadState::Suspended => true,
            ThreadState::Blocked => state.paused && !in_call,
            ThreadState::Ready | ThreadState::Dead => false,
        };
        if !is_still {
            return Err(Status::BadState);
        }
        let mut words = [0; REGISTER_WORDS];
        let frame = self.thread(request.thread).utcb;
        self.read_buffer(frame, &mut words);
        let [general @ .., rip, rflags] = words;
        if rip >= LOWER_HALF_END {
            return Err(Status::Invalid);
        }
        let rflags = FLAGS_INITIAL | rflags & FLAGS_VISIBLE;
        self.arch.set_registers(thread, &Registers { general, rip, rflags });
        self.goes_on_elsewhere(thread);
        let state = self.thread_mut(thread);
        if !state.started {
            state.is_set_up = true;
            state.calls.clear();
        }
        Ok(Outcome::Done)
    }

    pub(super) fn thread_get_registers(&mut self, request: &Request) -> Answer {
        self.machine_domain_or_own(request, 0, Rights::WRITE)?;
        let thread = self.thread_argument(request)?;
        let state = self.thread(thread);
        if !state.paused && state.state != ThreadState::Suspended {
            return Err(Status::BadState);
        }
        let Registers { general, rip, rflags } = self.arch.registers(thread);
        let words = general.into_iter().chain([rip, rflags]);
        let bytes: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
        let frame = self.thread(request.thread).utcb;
        self.arch.frame_write(frame, utcb::BUFFER, &bytes);
        Ok(Outcome::Done)
    }

    fn read_buffer(&self, frame: crate::address::Frame, words: &mut [u64; REGISTER_WORDS]) {
        let mut bytes = [0; REGISTER_WORDS * 8];
        self.arch.frame_read(frame, utcb::BUFFER, &mut bytes);
        for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = u64::from_le_bytes(bytes.try_into().expect("chunks are 8 bytes"));
        }
    }

    pub(super) fn thread_kill(&mut self, request: &Request) -> Answer {
        let thread = self.thread_argument(request)?;
        self.end(thread, End::Killed(KillReason::Terminated));
        Ok(Outcome::Done)
    }
}
