//! A backend without a processor, for tests of the model: a run returns what the test wrote down
//! beforehand. It checks the model's side of the contract of [`crate::arch`] and panics where the
//! model breaks it; it can fail on demand, and it can break its own side.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;

use crate::address::{Frame, GuestPhysical, GuestVirtual, PAGE_SIZE};
use crate::arch::{Arch, ArchError, DomainId, Kick, ThreadId};
use crate::exit::Exit;
use crate::layout;
use crate::registers::{Registers, SystemRegisters};
use crate::rights::Rights;

/// A kick handle that does nothing: nothing here runs for long.
#[derive(Clone, Debug)]
pub(super) struct NoKick;

impl Kick for NoKick {
    fn kick(&self) {}
}

/// A thread's processor.
#[derive(Clone, Debug)]
struct Processor {
    domain: DomainId,
    exception_stack: GuestPhysical,
    registers: Registers,
    retired: u64,
}

/// A step of a program.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// After so many instructions, an exit.
    Exit(u64, Exit),
    /// One instruction that sets a flag, as a store to shared memory would.
    Set(u32),
    /// A loop until the flag is set.
    Await(u32),
}

/// A mirror of the mappings that a domain has.
pub(super) type Mappings = BTreeMap<GuestPhysical, (Frame, Rights)>;

/// The machine.
#[derive(Clone, Debug, Default)]
pub(super) struct Scripted {
    /// Copies of the machine share what none of them has written since.
    frames: BTreeMap<Frame, Arc<[u8; PAGE_SIZE as usize]>>,
    domains: BTreeMap<DomainId, Mappings>,
    threads: BTreeMap<ThreadId, Processor>,
    used_domains: BTreeSet<DomainId>,
    used_threads: BTreeSet<ThreadId>,
    /// What the next runs return. With nothing here, a thread spins its budget away.
    pub(super) exits: VecDeque<Exit>,
    /// What threads do that have a program: that instead of the above.
    pub(super) programs: BTreeMap<ThreadId, VecDeque<Act>>,
    /// What programs have set.
    flags: BTreeSet<u32>,
    /// Whether it says how many instructions a thread has retired.
    pub(super) counts: bool,
    /// Calls that can fail and were made so far.
    pub(super) fallible: u64,
    /// Which of them fails, counted from 0.
    pub(super) fail_at: Option<u64>,
    /// Breaks its side of the contract: unmaps nothing.
    pub(super) keeps_mappings: bool,
}

impl Scripted {
    pub(super) fn frames(&self) -> impl Iterator<Item = Frame> {
        self.frames.keys().copied()
    }

    pub(super) fn mappings(&self) -> &BTreeMap<DomainId, Mappings> {
        &self.domains
    }

    pub(super) fn has_thread(&self, thread: ThreadId) -> bool {
        self.threads.contains_key(&thread)
    }

    /// Runs a program up to its next exit, or as far as the budget reaches.
    fn run_program(&mut self, thread: ThreadId, mut budget: u64) -> Exit {
        while budget > 0 {
            let program = self.programs.get_mut(&thread).expect("it has a program");
            let (used, exit) = match program.front_mut() {
                Some(Act::Exit(left, exit)) if *left <= budget => {
                    ((*left).max(1), Some(exit.clone()))
                }
                Some(Act::Exit(left, _)) => {
                    *left -= budget;
                    (budget, None)
                }
                Some(&mut Act::Set(flag)) => {
                    self.flags.insert(flag);
                    program.pop_front();
                    (1, None)
                }
                Some(Act::Await(flag)) if self.flags.contains(flag) => {
                    program.pop_front();
                    (1, None)
                }
                Some(Act::Await(_)) | None => (budget, None),
            };
            self.processor(thread).retired += used;
            budget -= used.min(budget);
            if let Some(exit) = exit {
                self.programs.get_mut(&thread).expect("as above").pop_front();
                return exit;
            }
        }
        Exit::Budget
    }

    fn may_fail(&mut self, what: &str) -> Result<(), ArchError> {
        let number = self.fallible;
        self.fallible += 1;
        if self.fail_at == Some(number) {
            return Err(ArchError(alloc::format!("{what} fails, as the test asked for")));
        }
        Ok(())
    }

    #[track_caller]
    fn frame(&self, frame: Frame) -> &[u8; PAGE_SIZE as usize] {
        self.frames.get(&frame).unwrap_or_else(|| panic!("frame {frame} is not in use"))
    }

    #[track_caller]
    fn processor(&mut self, thread: ThreadId) -> &mut Processor {
        self.threads.get_mut(&thread).unwrap_or_else(|| panic!("{thread:?} does not exist"))
    }

    /// The contract: a domain's own pages, tables among them, stay while it has a thread. Those of
    /// another thread's area come when that is created, and those of further arguments before it.
    #[track_caller]
    fn check_not_needed(&self, domain: DomainId, page: GuestPhysical) {
        if layout::window_rights(page).is_some() {
            return;
        }
        let area = layout::thread_of(page);
        let is_late = page >= layout::MORE_ARGUMENTS;
        let needs = |processor: &Processor| {
            processor.domain == domain
                && (!is_late
                    || area.is_some() && layout::thread_of(processor.exception_stack) == area)
        };
        let needed = self.threads.values().any(needs);
        assert!(!needed, "boot page {page} of {domain:?} changes under a thread");
    }
}

impl Arch for Scripted {
    type Kick = NoKick;

    fn name(&self) -> &'static str {
        "scripted"
    }

    fn frame_allocate(&mut self, frame: Frame) -> Result<(), ArchError> {
        assert!(!self.frames.contains_key(&frame), "frame {frame} is in use");
        self.may_fail("frame_allocate")?;
        self.frames.insert(frame, Arc::new([0; PAGE_SIZE as usize]));
        Ok(())
    }

    fn frame_free(&mut self, frame: Frame) {
        assert!(self.frames.remove(&frame).is_some(), "frame {frame} is not in use");
        for (domain, mappings) in &self.domains {
            for (page, (to, _)) in mappings {
                assert!(*to != frame, "frame {frame} is freed and mapped at {page} of {domain:?}");
            }
        }
    }

    fn frame_read(&self, frame: Frame, offset: usize, bytes: &mut [u8]) {
        bytes.copy_from_slice(&self.frame(frame)[offset..offset + bytes.len()]);
    }

    fn frame_write(&mut self, frame: Frame, offset: usize, bytes: &[u8]) {
        self.frame(frame);
        let page = self.frames.get_mut(&frame).expect("it was just seen");
        Arc::make_mut(page)[offset..offset + bytes.len()].copy_from_slice(bytes);
    }

    fn domain_create(&mut self, domain: DomainId) -> Result<(), ArchError> {
        assert!(!self.used_domains.contains(&domain), "{domain:?} is used twice");
        self.may_fail("domain_create")?;
        self.used_domains.insert(domain);
        self.domains.insert(domain, Mappings::new());
        Ok(())
    }

    fn domain_destroy(&mut self, domain: DomainId) {
        assert!(self.domains.remove(&domain).is_some(), "{domain:?} does not exist");
        let runs = self.threads.values().any(|processor| processor.domain == domain);
        assert!(!runs, "{domain:?} is destroyed and has a thread");
    }

    fn map(
        &mut self,
        domain: DomainId,
        page: GuestPhysical,
        frame: Frame,
        rights: Rights,
    ) -> Result<(), ArchError> {
        self.frame(frame);
        assert!(page.is_page_aligned() && page.0 < layout::PHYSICAL_SIZE, "{page} is no page");
        assert!(rights.contains(Rights::READ) && !rights.is_writable_code(), "{rights}");
        assert!(!rights.contains(Rights::GRANT), "{rights}");
        self.check_not_needed(domain, page);
        let failed = self.may_fail("map");
        let mappings = self.domains.get_mut(&domain).expect("the domain exists");
        match failed {
            Ok(()) => drop(mappings.insert(page, (frame, rights))),
            Err(_) => drop(mappings.remove(&page)),
        }
        failed
    }

    fn unmap(&mut self, domain: DomainId, page: GuestPhysical) {
        self.check_not_needed(domain, page);
        let mappings = self.domains.get_mut(&domain).expect("the domain exists");
        if !self.keeps_mappings {
            mappings.remove(&page);
        }
    }

    fn thread_create(
        &mut self,
        thread: ThreadId,
        domain: DomainId,
        system: &SystemRegisters,
    ) -> Result<(), ArchError> {
        assert!(!self.used_threads.contains(&thread), "{thread:?} is used twice");
        let mappings = self.domains.get(&domain).expect("the domain exists");
        for page in [system.page_table_root, system.exception_stack] {
            assert!(mappings.contains_key(&page), "{page} is not mapped");
        }
        self.may_fail("thread_create")?;
        self.used_threads.insert(thread);
        let registers = Registers::default();
        let exception_stack = system.exception_stack;
        let processor = Processor { domain, exception_stack, registers, retired: 0 };
        self.threads.insert(thread, processor);
        Ok(())
    }

    fn thread_destroy(&mut self, thread: ThreadId) {
        assert!(self.threads.remove(&thread).is_some(), "{thread:?} does not exist");
    }

    fn registers(&mut self, thread: ThreadId) -> Registers {
        self.processor(thread).registers
    }

    fn set_registers(&mut self, thread: ThreadId, registers: &Registers) {
        assert!(GuestVirtual(registers.rip).is_canonical(), "rip {:#x}", registers.rip);
        self.processor(thread).registers = *registers;
    }

    fn retired(&self, thread: ThreadId) -> Option<u64> {
        let processor = self.threads.get(&thread).expect("the thread exists");
        self.counts.then_some(processor.retired)
    }

    fn run(&mut self, thread: ThreadId, budget: u64) -> Exit {
        assert!(budget > 0, "a run needs a budget");
        if self.programs.contains_key(&thread) {
            return self.run_program(thread, budget);
        }
        let exit = self.exits.pop_front().unwrap_or(Exit::Budget);
        let processor = self.processor(thread);
        processor.retired += if exit == Exit::Budget { budget } else { 1 };
        exit
    }

    fn kicker(&self, thread: ThreadId) -> NoKick {
        assert!(self.threads.contains_key(&thread), "{thread:?} does not exist");
        NoKick
    }
}
