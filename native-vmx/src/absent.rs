//! The crate's interface where there is no KVM: nothing can be made, and the reason is said.

use std::convert::Infallible;

use shared_model::address::{Frame, GuestPhysical};
use shared_model::arch::{Arch, ArchError, DomainId, Kick, Parallel, Runner, ThreadId};
use shared_model::exit::Exit;
use shared_model::registers::{Registers, SystemRegisters};
use shared_model::rights::Rights;

use crate::report::{HostClass, HostReport, Unavailable};

const REASON: Unavailable =
    Unavailable::Platform { os: std::env::consts::OS, architecture: std::env::consts::ARCH };

/// Says that domains cannot run natively here.
pub fn probe() -> HostReport {
    HostReport {
        class: HostClass::Absent,
        reason: REASON.to_string(),
        kvm_api_version: None,
        capabilities: Vec::new(),
        processor_vendor: String::from("unknown"),
        processor_model: std::env::consts::ARCH.to_owned(),
        kernel: std::env::consts::OS.to_owned(),
        measured: None,
    }
}

/// Cannot be made on this platform.
#[derive(Debug, Clone)]
pub struct KickHandle(Infallible);

impl Kick for KickHandle {
    fn kick(&self) {
        match self.0 {}
    }
}

/// Cannot be made on this platform.
#[derive(Debug)]
pub struct NativeArch(Infallible);

impl NativeArch {
    /// Refuses.
    ///
    /// # Errors
    /// Always [`Unavailable::Platform`].
    pub fn new() -> Result<Self, Unavailable> {
        Err(REASON)
    }

    /// How often this thread's processor was entered.
    pub fn entries(&self, _: ThreadId) -> u64 {
        match self.0 {}
    }
}

impl Arch for NativeArch {
    type Kick = KickHandle;

    fn name(&self) -> &'static str {
        match self.0 {}
    }
    fn frame_allocate(&mut self, _: Frame) -> Result<(), ArchError> {
        match self.0 {}
    }
    fn frame_free(&mut self, _: Frame) {
        match self.0 {}
    }
    fn frame_read(&self, _: Frame, _: usize, _: &mut [u8]) {
        match self.0 {}
    }
    fn frame_write(&mut self, _: Frame, _: usize, _: &[u8]) {
        match self.0 {}
    }
    fn domain_create(&mut self, _: DomainId) -> Result<(), ArchError> {
        match self.0 {}
    }
    fn domain_destroy(&mut self, _: DomainId) {
        match self.0 {}
    }
    fn map(&mut self, _: DomainId, _: GuestPhysical, _: Frame, _: Rights) -> Result<(), ArchError> {
        match self.0 {}
    }
    fn unmap(&mut self, _: DomainId, _: GuestPhysical) {
        match self.0 {}
    }
    fn thread_create(
        &mut self,
        _: ThreadId,
        _: DomainId,
        _: &SystemRegisters,
    ) -> Result<(), ArchError> {
        match self.0 {}
    }
    fn thread_destroy(&mut self, _: ThreadId) {
        match self.0 {}
    }
    fn registers(&mut self, _: ThreadId) -> Registers {
        match self.0 {}
    }
    fn set_registers(&mut self, _: ThreadId, _: &Registers) {
        match self.0 {}
    }
    fn run(&mut self, _: ThreadId, _: u64) -> Exit {
        match self.0 {}
    }
    fn kicker(&self, _: ThreadId) -> KickHandle {
        match self.0 {}
    }
}

/// Cannot be made on this platform.
#[derive(Debug)]
pub struct NativeRunner(Infallible);

/// Cannot be made on this platform.
#[derive(Debug)]
pub struct NativeRaw(Infallible);

impl Runner for NativeRunner {
    type Raw = NativeRaw;

    fn run(&mut self) -> NativeRaw {
        match self.0 {}
    }
}

impl Parallel for NativeArch {
    type Raw = NativeRaw;
    type Runner = NativeRunner;

    fn runner(&self, _: ThreadId) -> NativeRunner {
        match self.0 {}
    }
    fn complete(&mut self, _: ThreadId, raw: NativeRaw) -> Exit {
        match raw.0 {}
    }
}
