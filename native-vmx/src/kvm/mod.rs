//! [`Arch`] over KVM.

mod access;
mod copy;
mod exits;
mod explain;
mod frames;
mod headroom;
mod kick;
mod mapping;
mod probe;
mod processor;
mod refused;
mod reset;
mod run_page;
mod space;
mod stop;
mod sync;
mod vcpu;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io;
use std::sync::OnceLock;

use kvm_bindings::{
    KVM_API_VERSION, KVM_CAP_IMMEDIATE_EXIT, KVM_CAP_SYNC_MMU, KVM_CAP_SYNC_REGS,
    KVM_CAP_USER_MEMORY, KVM_CAP_XSAVE, KVM_SYNC_X86_REGS, KVM_SYNC_X86_SREGS,
};
use kvm_ioctls::Kvm;
use shared_model::address::{Frame, GuestPhysical, GuestVirtual, PAGE_SIZE};
use shared_model::arch::{Arch, ArchError, DomainId, Parallel, ThreadId};
use shared_model::boot::EXCEPTION_FRAME;
use shared_model::exit::Exit;
use shared_model::registers::{Registers, SystemRegisters};
use shared_model::rights::Rights;

use self::exits::Step;
use self::explain::{Scene, explain};
use self::frames::Frames;
use self::headroom::Headroom;
use self::processor::{Left, Processor};
use self::refused::Memory;
use self::reset::Ring;
use self::space::Space;
use self::vcpu::Vcpu;
use crate::report::Unavailable;

pub use self::kick::KickHandle;
pub use self::probe::probe;
pub use self::processor::{NativeRaw, NativeRunner};

/// A machine whose domains are KVM virtual machines.
///
/// It is used by one host thread at a time and may move between host threads. What others use
/// at the same time are its [`KickHandle`]s and [`NativeRunner`]s. Its methods stop a thread
/// that runs elsewhere if they have to ([`Parallel`]); when it is dropped, every thread is gone.
#[derive(Debug)]
pub struct NativeArch {
    // In this order they are dropped: processors before their virtual machines, and the
    // frames last.
    threads: BTreeMap<ThreadId, Processor>,
    spaces: BTreeMap<DomainId, Space>,
    frames: Frames,
    headroom: Headroom,
    /// Entries of processors whose threads are gone.
    entries_before: u64,
    run_page_size: usize,
    kvm: &'static Kvm,
}

impl NativeArch {
    /// A machine without domains. `/dev/kvm` is opened if nothing in this process has done so before.
    ///
    /// # Errors
    /// [`Unavailable`], which says what is missing and what to do about it.
    pub fn new() -> Result<Self, Unavailable> {
        let kvm = open()?;
        let run_page_size = kvm
            .get_vcpu_mmap_size()
            .map_err(|error| broken("KVM_GET_VCPU_MMAP_SIZE fails", error))?;
        let frames =
            Frames::new().map_err(|error| broken("a memory file cannot be made", error))?;
        let (threads, spaces) = (BTreeMap::new(), BTreeMap::new());
        let headroom = Headroom::default();
        Ok(Self { threads, spaces, frames, headroom, entries_before: 0, run_page_size, kvm })
    }

    /// How often this thread's processor was entered (`KVM_RUN` was called): once for a
    /// hypercall, twice where the registers were wanted as well.
    pub fn entries(&self, thread: ThreadId) -> u64 {
        self.threads.get(&thread).expect("the model passes live threads").look().entries()
    }

    fn create(
        &mut self,
        thread: ThreadId,
        domain: DomainId,
        system: &SystemRegisters,
        ring: Ring,
    ) -> Result<(), ArchError> {
        let refused = |error| host("make a virtual processor", error);
        let run_page_size = self.run_page_size;
        let space = self.space(domain);
        let fd = space.processor(system, ring).map_err(refused)?;
        let vcpu = Vcpu::new(fd, run_page_size, system.gates, space.changes()).map_err(refused)?;
        self.threads.insert(thread, Processor::new(vcpu, domain, system));
        Ok(())
    }

    fn space(&mut self, domain: DomainId) -> &mut Space {
        self.spaces.get_mut(&domain).expect("the model passes live domains")
    }

    fn thread(&mut self, thread: ThreadId) -> &mut Processor {
        self.threads.get_mut(&thread).expect("the model passes live threads")
    }

    /// What a cold exit means. May read memory, decode and allocate.
    #[cold]
    fn explain(&mut self, thread: ThreadId, step: Step) -> Exit {
        let processor = self.threads.get_mut(&thread).expect("the thread has just run");
        let (domain, system) = (processor.domain, processor.system);
        let mut vcpu = processor.hold();
        let registers = vcpu.registers();
        let space = self.spaces.get(&domain).expect("a thread's domain is live");
        if space.is_lost() {
            let what = "the host ran out of memory mappings (vm.max_map_count)".to_owned();
            return Exit::Unsupported { what, at: GuestVirtual(registers.rip) };
        }
        let (cr2, fs_base, gs_base) = vcpu.cr2_and_bases();
        let outdated = vcpu.is_outdated();
        let memory = &Mapped { space, frames: &self.frames };
        let scene = Scene { system: &system, registers, cr2, fs_base, gs_base, memory, outdated };
        let explained = explain(step, &scene);
        if let Some(restored) = explained.restored {
            vcpu.set_registers(&restored);
            if let Some((frame, _)) = space.at(system.exception_stack.page()) {
                let start = PAGE_SIZE as usize - EXCEPTION_FRAME;
                self.frames.write(frame, start, &[0; EXCEPTION_FRAME]);
            }
        }
        explained.exit
    }

    /// Makes sense of what a run elsewhere left, if nobody has yet. The thread's registers are
    /// those of the exit from then on.
    fn resolve(&mut self, thread: ThreadId) {
        let pending = self.thread(thread).hold().pending.take();
        if let Some(step) = pending {
            let exit = self.explain(thread, step);
            self.thread(thread).resolved = Some(exit);
        }
    }
}

impl Drop for NativeArch {
    fn drop(&mut self) {
        // Runners may be inside, and a domain's memory must not go before they have left.
        while let Some((_, processor)) = self.threads.pop_first() {
            drop(processor.take());
        }
    }
}

impl Arch for NativeArch {
    type Kick = KickHandle;

    fn name(&self) -> &'static str {
        "native"
    }

    fn frame_allocate(&mut self, frame: Frame) -> Result<(), ArchError> {
        self.frames.allocate(frame).map_err(|error| host("allocate a frame", error))
    }

    fn frame_free(&mut self, frame: Frame) {
        self.frames.free(frame);
    }

    fn frame_read(&self, frame: Frame, offset: usize, bytes: &mut [u8]) {
        self.frames.read(frame, offset, bytes);
    }

    fn frame_write(&mut self, frame: Frame, offset: usize, bytes: &[u8]) {
        self.frames.write(frame, offset, bytes);
    }

    fn domain_create(&mut self, domain: DomainId) -> Result<(), ArchError> {
        let space = Space::new(self.kvm).map_err(|e| host("make a virtual machine", e))?;
        self.spaces.insert(domain, space);
        Ok(())
    }

    fn domain_destroy(&mut self, domain: DomainId) {
        let left = self.threads.iter().filter(|(_, processor)| processor.domain == domain);
        let left: Vec<ThreadId> = left.map(|(&thread, _)| thread).collect();
        debug_assert!(left.is_empty(), "{left:?} are left in {domain:?}");
        // Whatever the model did: a guest must not run on without its memory.
        left.into_iter().for_each(|thread| self.thread_destroy(thread));
        self.spaces.remove(&domain);
    }

    fn map(
        &mut self,
        domain: DomainId,
        page: GuestPhysical,
        frame: Frame,
        rights: Rights,
    ) -> Result<(), ArchError> {
        let space = self.spaces.get_mut(&domain).expect("the model passes live domains");
        let mapped = space.map(page, frame, rights, self.frames.fd(), &mut self.headroom);
        mapped.map_err(|error| match error.kind() {
            io::ErrorKind::OutOfMemory => ArchError(format!(
                "cannot map a page: {error}; the host's limit on a process's mappings may be \
                 reached: raise it with `sysctl vm.max_map_count`"
            )),
            _ => host("map a page", error),
        })
    }

    fn unmap(&mut self, domain: DomainId, page: GuestPhysical) {
        let space = self.spaces.get_mut(&domain).expect("the model passes live domains");
        space.unmap(page, &mut self.headroom);
    }

    fn thread_create(
        &mut self,
        thread: ThreadId,
        domain: DomainId,
        system: &SystemRegisters,
    ) -> Result<(), ArchError> {
        self.create(thread, domain, system, Ring::Three)
    }

    fn thread_destroy(&mut self, thread: ThreadId) {
        if !self.threads.contains_key(&thread) {
            return;
        }
        // An exception's frame is not left behind, even where nobody asked what it was.
        self.resolve(thread);
        let Some(processor) = self.threads.remove(&thread) else { return };
        let domain = processor.domain;
        let Some(vcpu) = processor.take() else { return };
        let (entries, spare) = vcpu.retire();
        self.entries_before += entries;
        if let (Some(spare), Some(space)) = (spare, self.spaces.get_mut(&domain)) {
            space.put_aside(spare);
        }
    }

    fn registers(&mut self, thread: ThreadId) -> Registers {
        self.resolve(thread);
        self.thread(thread).hold().registers()
    }

    fn set_registers(&mut self, thread: ThreadId, registers: &Registers) {
        self.resolve(thread);
        self.thread(thread).hold().set_registers(registers);
    }

    fn total_entries(&self) -> Option<u64> {
        let live = self.threads.values().map(|processor| processor.look().entries());
        Some(self.entries_before + live.sum::<u64>())
    }

    fn run(&mut self, thread: ThreadId, _budget: u64) -> Exit {
        let step = self.thread(thread).hold().run();
        match step {
            Step::Hypercall(number) => Exit::Hypercall { number },
            Step::Kicked => Exit::Kicked,
            cold => self.explain(thread, cold),
        }
    }

    fn kicker(&self, thread: ThreadId) -> KickHandle {
        self.threads.get(&thread).expect("the model passes live threads").kick().clone()
    }
}

impl Parallel for NativeArch {
    type Raw = NativeRaw;
    type Runner = NativeRunner;

    fn runner(&self, thread: ThreadId) -> NativeRunner {
        self.threads.get(&thread).expect("the model passes live threads").runner()
    }

    fn complete(&mut self, thread: ThreadId, raw: NativeRaw) -> Exit {
        match raw.0 {
            Left::Hypercall(number) => Exit::Hypercall { number },
            Left::Kicked | Left::Gone => Exit::Kicked,
            Left::Pending => {
                self.resolve(thread);
                self.thread(thread).resolved.take().unwrap_or(Exit::Kicked)
            }
        }
    }
}

/// A domain's memory as its mappings allow it, for [`refused`].
struct Mapped<'a> {
    space: &'a Space,
    frames: &'a Frames,
}

impl Memory for Mapped<'_> {
    fn rights(&self, page: GuestPhysical) -> Option<Rights> {
        self.space.at(page).map(|(_, rights)| rights)
    }

    fn read(&self, from: GuestPhysical, bytes: &mut [u8]) {
        if let Some((frame, _)) = self.space.at(from.page()) {
            self.frames.read(frame, from.page_offset(), bytes);
        }
    }
}

/// What is relied on: capability, name, the bits of its value that must be set, purpose.
const NEEDED: [(u32, &str, u32, &str); 5] = [
    (KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY", 1, "guest memory"),
    (KVM_CAP_SYNC_MMU, "KVM_CAP_SYNC_MMU", 1, "revoking memory at once"),
    (KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT", 1, "stopping a thread"),
    (KVM_CAP_XSAVE, "KVM_CAP_XSAVE", 1, "using a processor again"),
    (KVM_CAP_SYNC_REGS, "KVM_CAP_SYNC_REGS", KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS, "registers"),
];

/// `/dev/kvm`, opened once in a process: one that has shut itself in afterwards can still make
/// virtual machines. A failure is not remembered, because somebody may do something about it.
fn device() -> Result<&'static Kvm, Unavailable> {
    static DEVICE: OnceLock<Kvm> = OnceLock::new();
    if let Some(kvm) = DEVICE.get() {
        return Ok(kvm);
    }
    let kvm = Kvm::new().map_err(|error| {
        let error = io::Error::from(error);
        match error.kind() {
            io::ErrorKind::NotFound => Unavailable::NoDevice { advice: access::absent() },
            io::ErrorKind::PermissionDenied => {
                Unavailable::Permission { advice: access::refused() }
            }
            // The node is there but the module behind it is not.
            _ if matches!(error.raw_os_error(), Some(libc::ENODEV | libc::ENXIO)) => {
                Unavailable::NoDevice { advice: access::absent() }
            }
            _ => Unavailable::Open(error.to_string()),
        }
    })?;
    Ok(DEVICE.get_or_init(|| kvm))
}

/// The device, after a check that all of [`NEEDED`] is there.
fn open() -> Result<&'static Kvm, Unavailable> {
    let kvm = device()?;
    let found = kvm.get_api_version();
    if found != KVM_API_VERSION.cast_signed() {
        return Err(Unavailable::ApiVersion { found });
    }
    for (number, name, bits, purpose) in NEEDED {
        let value = kvm.check_extension_raw(number.into());
        if value < 0 || value.cast_unsigned() & bits != bits {
            return Err(Unavailable::Capability { name, purpose });
        }
    }
    Ok(kvm)
}

fn broken(what: &'static str, error: impl Display) -> Unavailable {
    Unavailable::Broken { what, why: error.to_string() }
}

fn host(what: &str, error: io::Error) -> ArchError {
    ArchError(format!("cannot {what}: {error}"))
}
