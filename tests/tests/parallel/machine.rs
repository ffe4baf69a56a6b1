//! A machine whose threads run at the same time wherever there is a compiler: the simulated one,
//! shared, a few instructions of a thread at a time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lcd::model::address::{Frame, GuestPhysical};
use lcd::model::arch::{Arch, ArchError, DomainId, Parallel, Runner, ThreadId};
use lcd::model::exit::Exit;
use lcd::model::registers::{Registers, SystemRegisters};
use lcd::model::rights::Rights;
use wasm_sim::{SimArch, SimKick};

/// Instructions that a thread runs before another can.
const SLICE: u64 = 300;

#[derive(Clone)]
pub(crate) struct Threaded {
    machine: Arc<Mutex<SimArch>>,
    /// How many exits may be completed before it panics.
    left: Arc<AtomicU64>,
}

impl Threaded {
    pub(crate) fn new() -> Self {
        Self::that_panics_after(u64::MAX)
    }

    pub(crate) fn that_panics_after(exits: u64) -> Self {
        let machine = Arc::new(Mutex::new(SimArch::new()));
        Self { machine, left: Arc::new(AtomicU64::new(exits)) }
    }

    fn lock(&self) -> MutexGuard<'_, SimArch> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Arch for Threaded {
    type Kick = SimKick;

    fn name(&self) -> &'static str {
        "threaded"
    }
    fn frame_allocate(&mut self, frame: Frame) -> Result<(), ArchError> {
        self.lock().frame_allocate(frame)
    }
    fn frame_free(&mut self, frame: Frame) {
        self.lock().frame_free(frame);
    }
    fn frame_read(&self, frame: Frame, offset: usize, bytes: &mut [u8]) {
        self.lock().frame_read(frame, offset, bytes);
    }
    fn frame_write(&mut self, frame: Frame, offset: usize, bytes: &[u8]) {
        self.lock().frame_write(frame, offset, bytes);
    }
    fn domain_create(&mut self, domain: DomainId) -> Result<(), ArchError> {
        self.lock().domain_create(domain)
    }
    fn domain_destroy(&mut self, domain: DomainId) {
        self.lock().domain_destroy(domain);
    }
    fn map(
        &mut self,
        domain: DomainId,
        page: GuestPhysical,
        frame: Frame,
        rights: Rights,
    ) -> Result<(), ArchError> {
        self.lock().map(domain, page, frame, rights)
    }
    fn unmap(&mut self, domain: DomainId, page: GuestPhysical) {
        self.lock().unmap(domain, page);
    }
    fn thread_create(
        &mut self,
        thread: ThreadId,
        domain: DomainId,
        system: &SystemRegisters,
    ) -> Result<(), ArchError> {
        self.lock().thread_create(thread, domain, system)
    }
    fn thread_destroy(&mut self, thread: ThreadId) {
        self.lock().thread_destroy(thread);
    }
    fn registers(&mut self, thread: ThreadId) -> Registers {
        self.lock().registers(thread)
    }
    fn set_registers(&mut self, thread: ThreadId, registers: &Registers) {
        self.lock().set_registers(thread, registers);
    }
    fn undefined_flags(&self, thread: ThreadId) -> u64 {
        self.lock().undefined_flags(thread)
    }
    fn run(&mut self, thread: ThreadId, budget: u64) -> Exit {
        self.lock().run(thread, budget)
    }
    fn kicker(&self, thread: ThreadId) -> SimKick {
        self.lock().kicker(thread)
    }
}

pub(crate) struct ThreadedRunner(Threaded, ThreadId);

impl Runner for ThreadedRunner {
    type Raw = Exit;

    fn run(&mut self) -> Exit {
        loop {
            // A thread that is gone is unknown to the machine, and that is an exit too.
            match self.0.lock().run(self.1, SLICE) {
                Exit::Budget => {}
                exit => return exit,
            }
            std::thread::yield_now();
        }
    }
}

impl Parallel for Threaded {
    type Raw = Exit;
    type Runner = ThreadedRunner;

    fn runner(&self, thread: ThreadId) -> ThreadedRunner {
        ThreadedRunner(self.clone(), thread)
    }

    fn complete(&mut self, thread: ThreadId, raw: Exit) -> Exit {
        assert!(self.left.fetch_sub(1, Ordering::Relaxed) > 0, "the test asked for this");
        match raw {
            // What was refused may be allowed by now.
            Exit::Fault { .. } => match self.lock().run(thread, 1) {
                Exit::Budget => Exit::Kicked,
                exit => exit,
            },
            exit => exit,
        }
    }
}
