//! The simulated machine: domains, threads, and the model's view of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use shared_model::address::{Frame, GuestPhysical, GuestVirtual};
use shared_model::arch::{Arch, ArchError, DomainId, Kick, ThreadId};
use shared_model::exit::Exit;
use shared_model::registers::{FLAGS_INITIAL, Registers, SystemRegisters};
use shared_model::rights::Rights;

use crate::block::CodeCache;
use crate::deliver::deliver;
use crate::drive::Run;
use crate::engine::{Engine, GS};
use crate::flags::Flags;
use crate::frames::{Touched, Watched, position};
use crate::marks::{Flip, Marks};
use crate::physical::{PhysicalSpace, Stale};
use crate::tlb::Tlb;

/// What is cached for the threads that share a page table.
struct AddressSpace {
    root: GuestPhysical,
    tlb: Box<Tlb>,
    code: CodeCache,
}

#[derive(Default)]
struct Domain {
    physical: PhysicalSpace,
    spaces: Vec<AddressSpace>,
}

impl Domain {
    /// Forgets what a change of the physical space has made wrong.
    fn forget(&mut self, stale: Stale) {
        for space in &mut self.spaces {
            if stale.translations {
                space.tlb.flush();
            }
            if stale.code {
                space.code.clear();
            }
        }
    }
}

struct Thread {
    domain: DomainId,
    /// Index of its address space in the domain.
    space: usize,
    system: SystemRegisters,
    registers: Registers,
    flags: Flags,
    kick: Arc<AtomicBool>,
    retired: u64,
    /// It is in the middle of a repeated string instruction.
    again: bool,
}

/// Stops a thread of a [`SimArch`].
#[derive(Clone, Debug)]
pub struct SimKick(Arc<AtomicBool>);

impl Kick for SimKick {
    fn kick(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// A simulated x86-64 machine.
///
/// It runs the general-register instructions of 64-bit mode at privilege level 3; anything
/// else ends a run with [`Exit::Unsupported`]. The same calls give the same results on
/// every host.
///
/// # Counting
///
/// [`Arch::retired`] and the budget of [`Arch::run`] count the same thing: one for each
/// instruction that completed, also if it then trapped or left for the model, and none for
/// one that faulted. A repeated string instruction counts one for every 4096 iterations it
/// makes without interruption, or part of them; the budget may end between two such
/// slices, with `rip` at the instruction and its registers telling how far it has come, as
/// after an interrupt.
pub struct SimArch {
    engine: Engine,
    domains: BTreeMap<DomainId, Domain>,
    threads: BTreeMap<ThreadId, Thread>,
    marks: BTreeMap<DomainId, Arc<Marks>>,
    /// The thread and its count of instructions at which runs do not stop.
    pass: Option<(ThreadId, u64)>,
    /// The thread that stopped, and where.
    stopped: Option<(ThreadId, GuestVirtual)>,
}

impl Default for SimArch {
    fn default() -> Self {
        Self::new()
    }
}

impl SimArch {
    /// A machine without memory.
    pub fn new() -> Self {
        Self {
            engine: Engine::new(),
            domains: BTreeMap::new(),
            threads: BTreeMap::new(),
            marks: BTreeMap::new(),
            pass: None,
            stopped: None,
        }
    }

    /// Replaces the instructions before which runs stop: with [`Exit::Budget`], and
    /// [`SimArch::take_stop`] says where.
    pub(crate) fn set_stops(&mut self, stops: BTreeMap<DomainId, BTreeSet<u64>>) {
        let domains: BTreeSet<_> = self.marks.keys().chain(stops.keys()).copied().collect();
        for domain in domains {
            let stops = stops.get(&domain).cloned().unwrap_or_default();
            self.change_marks(domain, |marks| marks.stops = stops);
        }
    }

    /// Inverts bits of a register from now on whenever an instruction has been executed.
    pub(crate) fn plant(&mut self, domain: DomainId, address: u64, flip: Flip) {
        self.change_marks(domain, |marks| marks.plants.entry(address).or_default().push(flip));
    }

    fn change_marks(&mut self, domain: DomainId, change: impl FnOnce(&mut Marks)) {
        let before = self.marks.remove(&domain).unwrap_or_default();
        let mut after = Marks::clone(&before);
        change(&mut after);
        // Marks are in the decoded code.
        if after != *before
            && let Some(domain) = self.domains.get_mut(&domain)
        {
            domain.forget(Stale { translations: false, code: true });
        }
        if !after.is_empty() {
            self.marks.insert(domain, Arc::new(after));
        }
    }

    /// The thread's next instruction is executed, even if runs stop before it. Nobody else's is.
    pub(crate) fn pass(&mut self, thread: Option<ThreadId>) {
        self.pass = thread.and_then(|thread| Some((thread, self.threads.get(&thread)?.retired)));
    }

    /// Where the last run stopped, if it did.
    pub(crate) fn take_stop(&mut self) -> Option<(ThreadId, GuestVirtual)> {
        self.stopped.take()
    }

    /// Replaces the bytes of which somebody wants to hear when they are accessed. They are all in
    /// frames that exist.
    pub(crate) fn set_watched(&mut self, watched: Vec<Watched>) {
        self.engine.memory.frames.set_watched(watched);
    }

    /// What has happened to them since the last call. A run ends with [`Exit::Budget`] after an
    /// instruction that did something.
    pub(crate) fn take_touched(&mut self) -> Touched {
        self.engine.memory.frames.take_touched()
    }
}

/// A thread that the model says exists, and does not, cannot be run.
fn no_such_thread(thread: ThreadId) -> Exit {
    Exit::Unsupported { what: format!("no thread {}", thread.0), at: GuestVirtual(0) }
}

impl Arch for SimArch {
    type Kick = SimKick;

    fn name(&self) -> &'static str {
        "sim"
    }

    fn frame_allocate(&mut self, frame: Frame) -> Result<(), ArchError> {
        self.engine.memory.frames.allocate(frame)
    }

    fn frame_free(&mut self, frame: Frame) {
        self.engine.memory.frames.free(frame);
    }

    fn frame_read(&self, frame: Frame, offset: usize, bytes: &mut [u8]) {
        self.engine.memory.frames.read(frame, offset, bytes);
    }

    fn frame_write(&mut self, frame: Frame, offset: usize, bytes: &[u8]) {
        self.engine.memory.frames.write(position(frame, offset), bytes);
    }

    fn domain_create(&mut self, domain: DomainId) -> Result<(), ArchError> {
        self.domains.insert(domain, Domain::default());
        Ok(())
    }

    fn domain_destroy(&mut self, domain: DomainId) {
        self.domains.remove(&domain);
    }

    fn map(
        &mut self,
        domain: DomainId,
        page: GuestPhysical,
        frame: Frame,
        rights: Rights,
    ) -> Result<(), ArchError> {
        let Some(domain) = self.domains.get_mut(&domain) else {
            return Err(ArchError(format!("no domain {}", domain.0)));
        };
        if !self.engine.memory.frames.exists(frame) {
            return Err(ArchError(format!("frame {frame} was never allocated")));
        }
        let stale = domain.physical.map(page, frame, rights);
        domain.forget(stale);
        Ok(())
    }

    fn unmap(&mut self, domain: DomainId, page: GuestPhysical) {
        if let Some(domain) = self.domains.get_mut(&domain) {
            let stale = domain.physical.unmap(page);
            domain.forget(stale);
        }
    }

    fn thread_create(
        &mut self,
        thread: ThreadId,
        domain: DomainId,
        system: &SystemRegisters,
    ) -> Result<(), ArchError> {
        let Some(owner) = self.domains.get_mut(&domain) else {
            return Err(ArchError(format!("no domain {}", domain.0)));
        };
        let root = system.page_table_root;
        let space = match owner.spaces.iter().position(|space| space.root == root) {
            Some(space) => space,
            None => {
                let (tlb, code) = (Box::default(), CodeCache::default());
                owner.spaces.push(AddressSpace { root, tlb, code });
                owner.spaces.len() - 1
            }
        };
        let thread_state = Thread {
            domain,
            space,
            system: *system,
            registers: Registers { rflags: FLAGS_INITIAL, ..Registers::default() },
            flags: Flags::new(),
            kick: Arc::new(AtomicBool::new(false)),
            retired: 0,
            again: false,
        };
        self.threads.insert(thread, thread_state);
        Ok(())
    }

    fn thread_destroy(&mut self, thread: ThreadId) {
        self.threads.remove(&thread);
    }

    fn registers(&mut self, thread: ThreadId) -> Registers {
        self.threads.get(&thread).map(|thread| thread.registers).unwrap_or_default()
    }

    fn set_registers(&mut self, thread: ThreadId, registers: &Registers) {
        if let Some(thread) = self.threads.get_mut(&thread) {
            thread.flags.set_visible(registers.rflags);
            let rflags = thread.flags.visible() | FLAGS_INITIAL;
            thread.registers = Registers { rflags, ..*registers };
            thread.again = false;
        }
    }

    fn undefined_flags(&self, thread: ThreadId) -> u64 {
        self.threads.get(&thread).map_or(0, |thread| thread.flags.undefined())
    }

    fn retired(&self, thread: ThreadId) -> Option<u64> {
        self.threads.get(&thread).map(|thread| thread.retired)
    }

    fn run(&mut self, id: ThreadId, budget: u64) -> Exit {
        let Some(thread) = self.threads.get_mut(&id) else { return no_such_thread(id) };
        let Some(domain) = self.domains.get_mut(&thread.domain) else {
            return no_such_thread(id);
        };
        let AddressSpace { root, tlb, code } = &mut domain.spaces[thread.space];
        let engine = &mut self.engine;

        std::mem::swap(&mut engine.memory.tlb, tlb);
        std::mem::swap(&mut engine.memory.space, &mut domain.physical);
        engine.memory.root = root.0;
        engine.regs[usize::from(GS)] = thread.system.gs_base.0;
        engine.gates = thread.system.gates.0;
        engine.load(&thread.registers, thread.flags);

        engine.marks = self.marks.get(&thread.domain).cloned();

        let pass = self.pass == Some((id, thread.retired));
        let mut run = Run {
            engine,
            code,
            kick: &thread.kick,
            left: budget,
            pass: pass.then_some(budget),
            again: thread.again,
            stopped: false,
        };
        let exit = run.run();
        thread.again = run.again;
        self.stopped = run.stopped.then_some((id, GuestVirtual(run.engine.rip)));
        thread.retired += budget - run.left;
        let exit = deliver(&mut engine.memory, &thread.system, exit);

        thread.registers = engine.save();
        thread.flags = engine.flags;
        std::mem::swap(&mut engine.memory.tlb, tlb);
        std::mem::swap(&mut engine.memory.space, &mut domain.physical);
        exit
    }

    fn kicker(&self, thread: ThreadId) -> SimKick {
        let kick = self.threads.get(&thread).map(|thread| Arc::clone(&thread.kick));
        SimKick(kick.unwrap_or_default())
    }
}
