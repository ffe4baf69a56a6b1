//! A backend that believes nothing: it checks what the model asks for, and its threads do
//! nothing but hypercalls at random.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use lcd_tests::Random;
use shared_model::abi::{Hypercall, utcb};
use shared_model::address::{Frame, GuestPhysical, PAGE_SIZE};
use shared_model::arch::{Arch, ArchError, DomainId, Kick, ThreadId};
use shared_model::exit::Exit;
use shared_model::layout::{CODE_WINDOW, DATA_WINDOW, PHYSICAL_SIZE};
use shared_model::registers::{Registers, SystemRegisters};
use shared_model::rights::Rights;

/// No other host thread looks at this backend.
#[derive(Clone, Debug)]
pub(crate) struct NoKick;

impl Kick for NoKick {
    fn kick(&self) {}
}

#[derive(Default, Debug)]
struct Domain {
    pages: BTreeMap<GuestPhysical, (Frame, Rights)>,
    threads: usize,
}

/// The backend.
#[derive(Debug)]
pub(crate) struct Checked {
    random: Random,
    /// Where each domain's UTCB is.
    utcb: GuestPhysical,
    /// Names that domains may configure their children with.
    names: &'static [&'static str],
    frames: BTreeMap<Frame, Vec<u8>>,
    domains: BTreeMap<DomainId, Domain>,
    threads: BTreeMap<ThreadId, (DomainId, Registers)>,
    /// How many frames there are, for who no longer has the backend at hand.
    live: Rc<Cell<usize>>,
}

impl Checked {
    pub(crate) fn new(seed: u64, utcb: GuestPhysical, names: &'static [&'static str]) -> Self {
        Self {
            random: Random::new(seed),
            utcb,
            names,
            frames: BTreeMap::new(),
            domains: BTreeMap::new(),
            threads: BTreeMap::new(),
            live: Rc::default(),
        }
    }

    /// An argument that may well mean something.
    fn argument(&mut self) -> u64 {
        let windows = [DATA_WINDOW.0, CODE_WINDOW.0];
        match self.random.below(12) {
            0..=5 => self.random.below(9),
            6 | 7 => self.random.below(16),
            8 | 9 => self.random.one_of(&windows) + self.random.below(4) * PAGE_SIZE,
            10 => self.random.one_of(&[u64::MAX, 1 << 63, PHYSICAL_SIZE, 4096, 3840, 3841, 255]),
            _ => self.random.word(),
        }
    }

    fn number(&mut self) -> u32 {
        match self.random.below(16) {
            0 => self.random.word() as u32,
            // Exits rarely, so that there are others to talk to.
            1 if self.random.once_in(40) => Hypercall::Exit as u32,
            _ => {
                let call = self.random.one_of(Hypercall::ALL);
                if call == Hypercall::Exit { Hypercall::Yield as u32 } else { call as u32 }
            }
        }
    }

    fn is_mapped(&self, frame: Frame) -> bool {
        self.domains.values().any(|d| d.pages.values().any(|(mapped, _)| *mapped == frame))
    }

    /// Counts the frames that exist, also later.
    pub(crate) fn live_frames(&self) -> Rc<Cell<usize>> {
        Rc::clone(&self.live)
    }
}

impl Arch for Checked {
    type Kick = NoKick;

    fn name(&self) -> &'static str {
        "checked"
    }

    fn frame_allocate(&mut self, frame: Frame) -> Result<(), ArchError> {
        // Hosts run out of memory too.
        if self.random.once_in(2000) {
            return Err(ArchError("no memory, for a test".into()));
        }
        let fresh = self.frames.insert(frame, vec![0; PAGE_SIZE as usize]).is_none();
        assert!(fresh, "frame {frame} exists");
        self.live.set(self.frames.len());
        Ok(())
    }

    fn frame_free(&mut self, frame: Frame) {
        assert!(!self.is_mapped(frame), "frame {frame} is still mapped");
        assert!(self.frames.remove(&frame).is_some(), "there is no frame {frame}");
        self.live.set(self.frames.len());
    }

    fn frame_read(&self, frame: Frame, offset: usize, bytes: &mut [u8]) {
        bytes.copy_from_slice(&self.frames[&frame][offset..offset + bytes.len()]);
    }

    fn frame_write(&mut self, frame: Frame, offset: usize, bytes: &[u8]) {
        let page = self.frames.get_mut(&frame).expect("a live frame");
        page[offset..offset + bytes.len()].copy_from_slice(bytes);
    }

    fn domain_create(&mut self, domain: DomainId) -> Result<(), ArchError> {
        if self.random.once_in(50) {
            return Err(ArchError("no other machine, for a test".into()));
        }
        assert!(self.domains.insert(domain, Domain::default()).is_none());
        Ok(())
    }

    fn domain_destroy(&mut self, domain: DomainId) {
        let gone = self.domains.remove(&domain).expect("a live domain");
        assert_eq!(gone.threads, 0, "its threads go first");
    }

    fn map(
        &mut self,
        domain: DomainId,
        page: GuestPhysical,
        frame: Frame,
        rights: Rights,
    ) -> Result<(), ArchError> {
        assert!(page.is_page_aligned() && page.0 < PHYSICAL_SIZE, "{page}");
        assert!(self.frames.contains_key(&frame), "there is no frame {frame}");
        assert!(!rights.is_writable_code() && rights.contains(Rights::READ), "{rights:?}");
        let pages = &mut self.domains.get_mut(&domain).expect("a live domain").pages;
        if self.random.once_in(2000) {
            pages.remove(&page);
            return Err(ArchError("no mapping left, for a test".into()));
        }
        pages.insert(page, (frame, rights));
        Ok(())
    }

    fn unmap(&mut self, domain: DomainId, page: GuestPhysical) {
        self.domains.get_mut(&domain).expect("a live domain").pages.remove(&page);
    }

    fn thread_create(
        &mut self,
        thread: ThreadId,
        domain: DomainId,
        _: &SystemRegisters,
    ) -> Result<(), ArchError> {
        if self.random.once_in(50) {
            return Err(ArchError("no other processor, for a test".into()));
        }
        self.domains.get_mut(&domain).expect("a live domain").threads += 1;
        assert!(self.threads.insert(thread, (domain, Registers::default())).is_none());
        Ok(())
    }

    fn thread_destroy(&mut self, thread: ThreadId) {
        let (domain, _) = self.threads.remove(&thread).expect("a live thread");
        self.domains.get_mut(&domain).expect("it outlives its threads").threads -= 1;
    }

    fn registers(&mut self, thread: ThreadId) -> Registers {
        self.threads[&thread].1
    }

    fn set_registers(&mut self, thread: ThreadId, registers: &Registers) {
        self.threads.get_mut(&thread).expect("a live thread").1 = *registers;
    }

    fn run(&mut self, thread: ThreadId, _: u64) -> Exit {
        let (domain, _) = self.threads[&thread];
        let (frame, rights) = self.domains[&domain].pages[&self.utcb];
        assert!(rights.contains(Rights::READ_WRITE), "a thread keeps its UTCB");
        for register in 0..utcb::REGISTERS {
            let argument = self.argument();
            self.frame_write(frame, utcb::MESSAGE + register * 8, &argument.to_le_bytes());
        }
        let number = self.number();
        let text =
            if self.random.once_in(8) { "\u{fffd}\0" } else { self.random.one_of(self.names) };
        self.frame_write(frame, utcb::BUFFER, text.as_bytes());
        if number == Hypercall::DomainConfigure as u32 && !self.random.once_in(8) {
            let length = text.len() as u64;
            self.frame_write(frame, utcb::MESSAGE + 8, &length.to_le_bytes());
        }
        Exit::Hypercall { number }
    }

    fn kicker(&self, _: ThreadId) -> NoKick {
        NoKick
    }
}
