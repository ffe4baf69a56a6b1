//! Host domains: a capability space, an account, messages and a thread, whose code is the host's.
//!
//! A host domain has no guest-physical space and its thread no processor, so nothing of it is known
//! to the backend but a frame, its UTCB. Otherwise it is a domain: hypercalls are the same, and so
//! are turns, waits and ends. What needs a guest-physical space or registers is refused with
//! [`Status::Invalid`]; instead of mapping memory, host code reads and writes what it holds
//! capabilities to.
//!
//! The code is a service of the model ([`crate::services`]), or somebody outside, who is told when it
//! is the thread's turn ([`Step::Host`]) and passes its next hypercall.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::hypercall::{Answer, Outcome, Request};
use super::memory::host_slot;
use super::{Microkernel, Step};
use crate::abi::{Hypercall, Resource, Status, utcb};
use crate::address::{GuestPhysical, GuestVirtual, PAGE_SIZE};
use crate::arch::Arch;
use crate::capability::{Object, Slot, SpaceId};
use crate::domain::{Action, DomainId, DomainState, LifecycleError, Thread, ThreadId, ThreadState};
use crate::exit::{End, KillReason};
use crate::host::{HostCall, HostResult, WORDS};
use crate::layout::SystemBlock;
use crate::registers::SystemRegisters;
use crate::rights::Rights;
use crate::services::{self, Memory, Service};

/// Characters that are kept of what a thread panicked with.
const PANIC_SHOWN: usize = 200;

/// The code of a host thread.
enum Code {
    /// It is part of the model.
    Service(Box<dyn Service>),
    /// Somebody else makes the thread's hypercalls.
    Outside,
}

/// All host domains, and what their live threads run.
#[derive(Default)]
pub(super) struct Hosts {
    domains: BTreeSet<DomainId>,
    threads: BTreeMap<ThreadId, Code>,
}

/// For tests that go on from a state in several ways. Services are not among what they explore.
#[cfg(test)]
impl Clone for Hosts {
    fn clone(&self) -> Self {
        assert!(self.threads.values().all(|code| matches!(code, Code::Outside)));
        let threads = self.threads.keys().map(|&thread| (thread, Code::Outside)).collect();
        Self { domains: self.domains.clone(), threads }
    }
}

impl core::fmt::Debug for Hosts {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_set().entries(self.threads.keys()).finish()
    }
}

impl<A: Arch> Microkernel<A> {
    /// Whether the thread's code is the host's. It is not once the thread has ended.
    pub(super) fn is_host_thread(&self, thread: ThreadId) -> bool {
        self.hosts.threads.contains_key(&thread)
    }

    /// Whether the domain is a host domain.
    pub(super) fn is_host_domain(&self, domain: DomainId) -> bool {
        self.hosts.domains.contains(&domain)
    }

    /// A host thread has ended: its code is dropped. Says whether it was one.
    pub(super) fn host_thread_ended(&mut self, thread: ThreadId) -> bool {
        self.hosts.threads.remove(&thread).is_some()
    }

    /// A domain is gone. Says whether it was a host domain.
    pub(super) fn host_domain_gone(&mut self, domain: DomainId) -> bool {
        self.hosts.domains.remove(&domain)
    }

    /// Creates a host domain, whose capability the microkernel itself holds, with a thread that is
    /// not started. It runs a service, or without one what [`Microkernel::host_call`] passes.
    ///
    /// # Errors
    /// [`LifecycleError::NoService`], or [`LifecycleError::Exhausted`] if the backend has no frame
    /// left.
    pub fn create_host_domain(
        &mut self,
        name: &str,
        service: Option<&str>,
    ) -> Result<(DomainId, ThreadId), LifecycleError> {
        let code = service.map_or(Ok(Code::Outside), code)?;
        let slot = host_slot(DomainId(self.next_domain));
        let exhausted = |error: &dyn ToString| LifecycleError::Exhausted(error.to_string());
        self.capabilities.vacant(slot).map_err(|error| exhausted(&error))?;
        let (domain, thread) = self.new_host_domain(name, None, code)?;
        let pages = self.bundle.world.limits.pages;
        self.accounts.set_limit(domain, Resource::Pages, pages.into());
        let object = Object::HostDomain(domain);
        let inserted = self.capabilities.insert(slot, object, Rights::ALL);
        inserted.map_err(|error| exhausted(&error))?;
        Ok((domain, thread))
    }

    /// Creates a host domain that nobody holds yet.
    fn new_host_domain(
        &mut self,
        name: &str,
        creator: Option<DomainId>,
        code: Code,
    ) -> Result<(DomainId, ThreadId), LifecycleError> {
        let domain = self.new_domain_of(name, creator, true)?;
        self.hosts.domains.insert(domain);
        match self.add_host_thread(domain, code) {
            Ok(thread) => Ok((domain, thread)),
            Err(status) => {
                self.abandon(domain);
                let message = alloc::format!("a host domain needs a page and a thread: {status:?}");
                Err(LifecycleError::Exhausted(message))
            }
        }
    }

    /// Takes a domain apart that nobody was given.
    fn abandon(&mut self, domain: DomainId) {
        self.orphans.push_back(domain);
        self.reap_orphans();
    }

    fn add_host_thread(&mut self, domain: DomainId, code: Code) -> Result<ThreadId, Status> {
        let utcb = self.new_block(domain, 1, 0).map_err(|_| Status::NoMemory)?;
        let slot = Slot { space: SpaceId::Boot(domain), number: 1 };
        if let Err(error) = self.capabilities.insert(slot, Object::Page(utcb), Rights::READ_WRITE) {
            self.free_block(utcb);
            return Err(error.into());
        }
        self.charge(domain, Resource::Threads, 1)?;
        let id = ThreadId(self.threads.len() as u32);
        self.capabilities.open(SpaceId::Thread(id));
        self.live.insert(id);
        self.threads.push(host_thread(domain, utcb));
        self.hosts.threads.insert(id, code);
        let state = self.domains.get_mut(&domain).expect("it was just created");
        state.threads.push(id);
        state.state = DomainState::Configured;
        self.record_built(domain, id);
        Ok(id)
    }

    pub(super) fn host_domain_create(&mut self, request: &mut Request) -> Answer {
        if !self.is_host_domain(request.domain) {
            return Err(Status::NotPermitted);
        }
        let slot = self.vacant_argument(request, 0)?;
        let service = self.take_name(request, request.arguments[1])?;
        let code = code(&service).map_err(|error| Status::from(&error))?;
        let created = self.new_host_domain("", Some(request.domain), code);
        let (domain, _) = created.map_err(|error| Status::from(&error))?;
        if let Err(status) = self.add_root(slot, Object::HostDomain(domain), Rights::ALL) {
            self.abandon(domain);
            return Err(status);
        }
        self.name_after(domain, &service);
        Ok(Outcome::Done)
    }

    /// Refuses what makes no sense for a host domain: it has no guest-physical space, and its
    /// thread no registers.
    pub(super) fn refuse_for_hosts(&self, request: &Request) -> Result<(), Status> {
        let target = match request.call {
            Hypercall::PageMap | Hypercall::DumpStack => Ok(request.domain),
            Hypercall::DomainConfigure
            | Hypercall::MemoryGrantAndMap
            | Hypercall::BootName
            | Hypercall::FaultBind
            | Hypercall::ThreadCreate
            | Hypercall::ThreadSetRegisters
            | Hypercall::ThreadGetRegisters => self.domain_argument(request, 0, Rights::NONE),
            _ => return Ok(()),
        };
        // Whatever else is wrong with the argument, the call itself says.
        match target {
            Ok(domain) if self.is_host_domain(domain) => Err(Status::Invalid),
            _ => Ok(()),
        }
    }

    /// A host thread's turn.
    pub(super) fn run_service(&mut self, thread: ThreadId) -> Step {
        match self.hosts.threads.insert(thread, Code::Outside) {
            Some(Code::Service(mut service)) => {
                let last = self.result_of(thread);
                let domain = self.thread(thread).domain;
                let call = service.step(&last, &mut Reach { kernel: self, domain });
                self.hosts.threads.insert(thread, Code::Service(service));
                self.make_host_call(thread, &call)
            }
            _ => Step::Host(thread),
        }
    }

    fn make_host_call(&mut self, thread: ThreadId, call: &HostCall) -> Step {
        let frame = self.thread(thread).utcb;
        let bytes: Vec<u8> = call.words().iter().flat_map(|word| word.to_le_bytes()).collect();
        self.arch.frame_write(frame, 0, &bytes);
        self.arch.frame_write(frame, utcb::BUFFER, call.bytes());
        self.takes_effect(thread);
        self.hypercall(thread, call.number);
        self.handled()
    }

    pub(super) fn result_of(&self, thread: ThreadId) -> HostResult {
        let mut bytes = [0; WORDS * 8];
        self.arch.frame_read(self.thread(thread).utcb, 0, &mut bytes);
        let word = |i: usize| u64::from_le_bytes(core::array::from_fn(|j| bytes[i * 8 + j]));
        HostResult::from_words(&core::array::from_fn(word))
    }

    /// Makes the hypercall of a host thread whose turn it is and that runs no service.
    ///
    /// # Errors
    /// [`LifecycleError`] if it is not; nothing has happened then.
    pub fn host_call(&mut self, thread: ThreadId, call: &HostCall) -> Result<(), LifecycleError> {
        self.expect_outside(thread)?;
        self.make_host_call(thread, call);
        if self.is_parallel() {
            self.finish_work(thread);
            self.settle_turns();
        }
        Ok(())
    }

    /// How the last hypercall of such a thread ended.
    ///
    /// # Errors
    /// As [`Microkernel::host_call`].
    pub fn host_result(&self, thread: ThreadId) -> Result<HostResult, LifecycleError> {
        self.expect_outside(thread)?;
        Ok(self.result_of(thread))
    }

    /// The code of such a thread broke down: it ends, and its domain with it.
    ///
    /// # Errors
    /// [`LifecycleError`] if the thread has ended, or is not run from outside.
    pub fn host_panicked(&mut self, thread: ThreadId, with: &str) -> Result<(), LifecycleError> {
        let state = self.thread_report(thread)?.state;
        if !matches!(self.hosts.threads.get(&thread), Some(Code::Outside)) {
            return Err(LifecycleError::ThreadState { action: Action::Call, state });
        }
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        let message: String = with.chars().take(PANIC_SHOWN).map(plain).collect();
        self.end(thread, End::Killed(KillReason::Panicked { message }));
        self.end_hopeless_waits();
        Ok(())
    }

    fn expect_outside(&self, thread: ThreadId) -> Result<(), LifecycleError> {
        let state = self.thread_report(thread)?.state;
        let outside = matches!(self.hosts.threads.get(&thread), Some(Code::Outside));
        let at_work = self.thread(thread).work.is_some();
        let is_turn = match self.is_parallel() {
            true => self.turn(thread) == super::Turn::Host,
            false => self.next_thread() == Some(thread),
        };
        if outside && !at_work && !self.finished && is_turn {
            Ok(())
        } else {
            Err(LifecycleError::ThreadState { action: Action::Call, state })
        }
    }

    /// Memory that a host domain holds a capability to, for its code outside.
    ///
    /// # Errors
    /// As [`Memory::read`].
    pub fn host_read(
        &self,
        domain: DomainId,
        slot: u64,
        offset: u64,
        bytes: &mut [u8],
    ) -> Result<(), Status> {
        for (frame, within, range) in
            self.pieces(domain, slot, offset, bytes.len(), Rights::READ)?
        {
            self.arch.frame_read(frame, within, &mut bytes[range]);
        }
        Ok(())
    }

    /// Writes to memory, as [`Microkernel::host_read`].
    ///
    /// # Errors
    /// As [`Memory::write`].
    pub fn host_write(
        &mut self,
        domain: DomainId,
        slot: u64,
        offset: u64,
        bytes: &[u8],
    ) -> Result<(), Status> {
        let pieces = self.pieces(domain, slot, offset, bytes.len(), Rights::WRITE)?;
        for (frame, within, range) in pieces {
            self.arch.frame_write(frame, within, &bytes[range]);
        }
        Ok(())
    }

    /// The parts of a range of a block that lie in one frame each: the frame, the offset in it, and
    /// which bytes of the range.
    fn pieces(
        &self,
        domain: DomainId,
        slot: u64,
        offset: u64,
        length: usize,
        rights: Rights,
    ) -> Result<Vec<(crate::address::Frame, usize, core::ops::Range<usize>)>, Status> {
        if !self.is_host_domain(domain) {
            return Err(Status::Invalid);
        }
        let slot = Slot { space: SpaceId::Domain(domain), number: slot };
        let capability = self.capabilities.expect(slot, rights)?;
        let block = self.block_of(capability.object).ok_or(Status::Invalid)?;
        let frames = &self.blocks[&block].frames;
        let size = frames.len() as u64 * PAGE_SIZE;
        if offset.checked_add(length as u64).is_none_or(|end| end > size) {
            return Err(Status::Invalid);
        }
        let page = PAGE_SIZE as usize;
        let (mut at, mut done) = (offset as usize, 0);
        let mut pieces = Vec::new();
        while done < length {
            let size = (page - at % page).min(length - done);
            pieces.push((frames[at / page], at % page, done..done + size));
            (at, done) = (at + size, done + size);
        }
        Ok(pieces)
    }
}

/// A host domain's memory, for the step of its service.
struct Reach<'a, A: Arch> {
    kernel: &'a mut Microkernel<A>,
    domain: DomainId,
}

impl<A: Arch> Memory for Reach<'_, A> {
    fn read(&self, slot: u64, offset: u64, bytes: &mut [u8]) -> Result<(), Status> {
        self.kernel.host_read(self.domain, slot, offset, bytes)
    }

    fn write(&mut self, slot: u64, offset: u64, bytes: &[u8]) -> Result<(), Status> {
        self.kernel.host_write(self.domain, slot, offset, bytes)
    }
}

fn code(service: &str) -> Result<Code, LifecycleError> {
    let found = services::service(service).map(Code::Service);
    found.ok_or_else(|| LifecycleError::NoService(service.into()))
}

/// A thread without a processor.
fn host_thread(domain: DomainId, utcb: crate::address::Frame) -> Thread {
    let nowhere = GuestVirtual(0);
    let system = SystemRegisters {
        page_table_root: GuestPhysical(0),
        gs_base: nowhere,
        gdt: nowhere,
        idt: nowhere,
        task: nowhere,
        gates: nowhere,
        exception_stack: GuestPhysical(0),
    };
    Thread {
        domain,
        index: 0,
        state: ThreadState::Suspended,
        paused: false,
        waiting: None,
        work: None,
        replies: 0,
        reply_rights: Rights::WRITE,
        bound: None,
        started: false,
        is_set_up: false,
        stack_pointer: None,
        system,
        places: SystemBlock::place(&[]).expect("nothing is taken").thread(0),
        stack: GuestPhysical(0),
        utcb,
        calls: Vec::new(),
        current_call: 0,
        kill_after: None,
        ended: None,
    }
}
