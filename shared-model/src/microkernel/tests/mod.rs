//! The microkernel over a scripted backend: what each step does, what it refuses, and what must
//! hold after any of them.

use alloc::string::ToString;
use alloc::vec::Vec;

use object::write::{Object as Writer, Symbol, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, SectionKind, SymbolFlags, SymbolKind, SymbolScope,
};

use super::hypercall;
use super::scripted::Scripted;
use super::{Microkernel, Step};
use crate::abi::{Hypercall, Resource, Status, utcb};
use crate::arch::Arch;
use crate::bundle::Bundle;
use crate::capability::{Capability, Slot, SpaceId};
use crate::domain::{DomainId, DomainState, LifecycleError, ThreadId, ThreadState};
use crate::event::EventKind;
use crate::exit::{End, Exit};
use crate::layout;
use crate::registers::RAX;
use crate::world::World;

mod allocation;
mod audit;
mod blocks;
mod boot;
mod bound_notifications;
mod broken;
mod cancelled_sends;
mod capability_operations;
mod cascades;
mod configured;
mod deleted_threads;
mod devices;
mod explore;
mod failures;
mod fault_handlers;
mod faults;
mod freed_frames;
mod guest_physical;
mod hopeless;
mod hostile;
mod hosts;
mod hypercalls;
mod ipc;
mod ipc_rights;
mod lent;
mod lifecycle;
mod limits;
mod looked;
mod message_reference;
mod messages;
mod parallel;
mod preempted_revoke;
mod quota;
mod reference;
mod refused;
mod rendezvous;
mod replayed;
mod scenes;
mod schedule;
mod storm;
mod threads;
mod time_limits;
mod told;

use audit::{Replay, audit};
pub(in crate::microkernel) use broken::Broken;

/// One page of a window.
const DATA: u64 = layout::DATA_WINDOW.0;
const CODE: u64 = layout::CODE_WINDOW.0;

/// From here on there are a million slots in a row.
const MANY: u64 = 3 << 20;

/// Rights, as hypercalls carry them.
const R: u64 = 1;
const W: u64 = 2;
const X: u64 = 4;
const G: u64 = 8;

/// A module with these functions.
fn module(functions: &[&str]) -> Vec<u8> {
    let mut file = Writer::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
    let text = file.add_section(Vec::new(), b".text".to_vec(), SectionKind::Text);
    file.append_section_data(text, &[0xc3; 256], 16);
    for (i, name) in functions.iter().enumerate() {
        file.add_symbol(Symbol {
            name: name.as_bytes().to_vec(),
            value: i as u64 * 16,
            size: 16,
            kind: SymbolKind::Text,
            scope: SymbolScope::Dynamic,
            weak: false,
            section: SymbolSection::Section(text),
            flags: SymbolFlags::None,
        });
    }
    file.write().expect("a small object")
}

/// A domain `main` that runs, with a page in slot 25, mapped, and a capability to `peer`, which
/// runs too and holds nothing, in slot 26.
const TWO: &str = r#"
name = "two"
[limits]
pages = 200
[[domain]]
name = "main"
module = "m"
pages = [{ slot = 25, rights = "rwxg", at = 0x4000_0000 }]
caps = [{ slot = 26, object = "peer", rights = "rwg" }]
[[domain]]
name = "peer"
module = "m"
"#;

const MAIN: ThreadId = ThreadId(0);
const PEER: ThreadId = ThreadId(1);

/// A microkernel, and the account of its log.
#[derive(Clone)]
struct Bench {
    kernel: Microkernel<Scripted>,
    replay: Replay,
    /// Nothing is checked for a while, where many steps make a large world.
    unchecked: bool,
}

impl Bench {
    /// A world, not booted, whose modules are `m` (an init function and `work`), `two` (that, with
    /// a dependency that has an init function), `none` (no init function) and `broken`.
    fn asleep(world: &str) -> Self {
        let mut bundle = Bundle::new(World::parse(world).expect("a world"));
        let main = bundle.add_file("m", &module(&["init_module", "work"]));
        let library = bundle.add_file("library", &module(&["init_module", "help"]));
        let none = bundle.add_file("none", &module(&["help"]));
        let broken = bundle.add_file("broken", b"not an ELF file");
        for (name, files) in [
            ("m", alloc::vec![main]),
            ("two", alloc::vec![library, main]),
            ("none", alloc::vec![none]),
            ("broken", alloc::vec![broken]),
            ("empty", Vec::new()),
        ] {
            bundle.modules.insert(name.into(), files);
        }
        let kernel = Microkernel::new(Scripted::default(), bundle);
        Self { kernel, replay: Replay::default(), unchecked: false }
    }

    fn new(world: &str) -> Self {
        let mut bench = Self::asleep(world);
        bench.kernel.boot().expect("the world boots");
        bench.audit();
        bench
    }

    #[track_caller]
    fn audit(&mut self) {
        if !self.unchecked {
            audit(&self.kernel, &mut self.replay);
        }
    }

    /// Checks what happened, and forgets the log of it.
    #[track_caller]
    fn forget_log(&mut self) {
        self.audit();
        self.replay.forget(self.kernel.events.kept_mut());
    }

    /// Gives a thread its turn and lets it leave the processor like this.
    #[track_caller]
    fn exit(&mut self, thread: ThreadId, exit: Exit) -> Step {
        let at = self.kernel.ready.iter().position(|&ready| ready == thread);
        self.kernel.ready.rotate_left(at.expect("the thread is ready"));
        self.kernel.arch.exits.push_back(exit);
        let step = self.kernel.step(1000);
        self.audit();
        step
    }

    /// Makes a hypercall with these message registers, and returns what the log says.
    #[track_caller]
    fn raw(&mut self, thread: ThreadId, number: u32, words: &[u64]) -> Status {
        let frame = self.kernel.thread(thread).utcb;
        let domain = self.kernel.thread(thread).domain;
        for (i, word) in words.iter().enumerate() {
            self.kernel.arch.frame_write(frame, utcb::MESSAGE + i * 8, &word.to_le_bytes());
        }
        let at = self.kernel.events().len();
        let step = self.exit(thread, Exit::Hypercall { number });
        assert_eq!(step, Step::Continued);
        let event = &self.kernel.events()[at];
        assert_eq!((event.domain, event.thread), (domain, Some(thread)));
        let EventKind::Hypercall { status, .. } = event.kind else {
            panic!("a hypercall is its own first event, not {event:?}");
        };
        let told =
            status != Status::Waiting && self.kernel.thread(thread).state != ThreadState::Dead;
        if self.kernel.domains.contains_key(&domain) && told {
            let mut word = [0; 8];
            self.kernel.arch.frame_read(frame, utcb::STATUS, &mut word);
            assert_eq!(i64::from_le_bytes(word), status as i64);
        }
        status
    }

    #[track_caller]
    fn call(&mut self, thread: ThreadId, call: Hypercall, words: &[u64]) -> Status {
        let words = match hypercall::carries_message(call) {
            true => words.to_vec(),
            false => Self::all_words(words),
        };
        match self.raw(thread, call as u32, &words) {
            Status::Waiting if self.kernel.workers.contains(&thread) => self.finish_work(thread),
            status => status,
        }
    }

    /// Gives a thread its turns until its long operation is over, and returns how that ended.
    #[track_caller]
    fn finish_work(&mut self, thread: ThreadId) -> Status {
        while self.kernel.workers.contains(&thread) {
            let at = self.kernel.ready.iter().position(|&ready| ready == thread);
            self.kernel.ready.rotate_left(at.expect("a working thread is ready"));
            assert_eq!(self.kernel.step(1000), Step::Continued);
            self.audit();
        }
        let ended = self.kernel.events().iter().rev().find_map(|event| match event.kind {
            EventKind::Completed { status, .. } if event.thread == Some(thread) => Some(status),
            _ => None,
        });
        ended.unwrap_or(Status::Cancelled)
    }

    /// A call that is refused, and changes nothing but its own event and status.
    #[track_caller]
    fn refused(&mut self, thread: ThreadId, call: Hypercall, words: &[u64], status: Status) {
        let before = self.state();
        let events = self.kernel.events().len();
        assert_eq!(self.call(thread, call, words), status, "{call:?} {words:x?}");
        assert_eq!(self.kernel.events().len(), events + 1, "{call:?} {words:x?}");
        assert_eq!(self.state(), before, "{call:?} {words:x?}");
    }

    /// A call that is done.
    #[track_caller]
    fn done(&mut self, thread: ThreadId, call: Hypercall, words: &[u64]) {
        assert_eq!(self.call(thread, call, words), Status::Ok, "{call:?} {words:x?}");
    }

    /// Makes a call that carries a message, through an endpoint.
    #[track_caller]
    fn send(&mut self, thread: ThreadId, call: Hypercall, endpoint: u64, timeout: u64) -> Status {
        let frame = self.kernel.thread(thread).utcb;
        for (offset, word) in [(utcb::ENDPOINT, endpoint), (utcb::TIMEOUT, timeout)] {
            self.kernel.arch.frame_write(frame, offset, &word.to_le_bytes());
        }
        self.call(thread, call, &[])
    }

    /// A word of a thread's UTCB.
    fn word(&self, thread: ThreadId, offset: usize) -> u64 {
        let mut word = [0];
        self.kernel.read_words(self.kernel.thread(thread).utcb, offset, &mut word);
        word[0]
    }

    fn set_word(&mut self, thread: ThreadId, offset: usize, word: u64) {
        let frame = self.kernel.thread(thread).utcb;
        self.kernel.arch.frame_write(frame, offset, &word.to_le_bytes());
    }

    /// A call with these arguments and nothing left over from others in the further ones.
    fn all_words(words: &[u64]) -> Vec<u64> {
        let mut all = words.to_vec();
        all.resize(utcb::REGISTERS, 0);
        all
    }

    /// All that a refused operation must leave alone.
    fn state(&self) -> impl PartialEq + core::fmt::Debug + use<> {
        let kernel = &self.kernel;
        let domains: Vec<_> = kernel
            .domains
            .iter()
            .map(|(id, domain)| {
                let held: Vec<_> = [SpaceId::Domain(*id), SpaceId::Boot(*id)]
                    .into_iter()
                    .flat_map(|space| kernel.capabilities.in_space(space))
                    .map(|(slot, capability)| (slot, capability, kernel.capabilities.parent(slot)))
                    .collect();
                let console = domain.console.len();
                (*id, domain.name.clone(), domain.state, kernel.pages_left(*id), held, console)
            })
            .collect();
        let mappings = kernel.arch.mappings().clone();
        let frames: Vec<_> = kernel.arch.frames().collect();
        let threads: Vec<_> = kernel.threads.iter().map(|thread| thread.state).collect();
        let ready: Vec<_> = kernel.ready.iter().copied().collect();
        let mut ready_set = ready.clone();
        ready_set.sort();
        (domains, mappings, frames, threads, ready_set)
    }

    /// Puts text or bytes into the thread's buffer and returns their number.
    fn buffer(&mut self, thread: ThreadId, bytes: &[u8]) -> u64 {
        let frame = self.kernel.thread(thread).utcb;
        self.kernel.arch.frame_write(frame, utcb::BUFFER, bytes);
        bytes.len() as u64
    }

    /// Asks for a module in the domain that a slot names.
    #[track_caller]
    fn configure(&mut self, thread: ThreadId, slot: u64, module: &str) -> Status {
        let length = self.buffer(thread, module.as_bytes());
        self.call(thread, Hypercall::DomainConfigure, &[slot, length])
    }

    /// Creates a domain in a slot, gives it `m` and starts it.
    #[track_caller]
    fn child(&mut self, thread: ThreadId, slot: u64) -> ThreadId {
        self.done(thread, Hypercall::DomainCreate, &[slot]);
        assert_eq!(self.configure(thread, slot, "m"), Status::Ok);
        self.done(thread, Hypercall::DomainRun, &[slot]);
        ThreadId(self.kernel.threads.len() as u32 - 1)
    }

    /// The thread's function returns this.
    #[track_caller]
    fn returns(&mut self, thread: ThreadId, value: u64) {
        let mut registers = self.kernel.arch.registers(thread);
        registers.general[RAX] = value;
        self.kernel.arch.set_registers(thread, &registers);
        self.exit(thread, Exit::Return);
    }

    fn state_of_thread(&self, thread: ThreadId) -> ThreadState {
        self.kernel.thread(thread).state
    }

    fn capability(&self, thread: ThreadId, number: u64) -> Option<Capability> {
        let space = SpaceId::Domain(self.kernel.thread(thread).domain);
        self.kernel.capabilities.lookup(Slot { space, number }).ok()
    }

    fn end_of(&self, thread: ThreadId) -> Option<End> {
        self.kernel.thread_report(thread).expect("a thread").ended.map(|(end, _)| end)
    }

    fn state_of(&self, domain: DomainId) -> Option<DomainState> {
        self.kernel.domains.get(&domain).map(|domain| domain.state)
    }

    /// The words of the events from `at` on.
    fn words(&self, at: usize) -> Vec<&'static str> {
        self.kernel.events()[at..].iter().map(|event| event.kind.word()).collect()
    }

    /// Destroys every domain. Nothing may be left then.
    #[track_caller]
    fn tear_down(&mut self) {
        while let Some(&domain) = self.kernel.domains.keys().next() {
            self.kernel.destroy_domain(domain).expect("it exists");
            self.audit();
        }
        assert_eq!(self.kernel.frames.in_use(), 0);
        assert!(self.kernel.capabilities.is_empty() && self.kernel.ready.is_empty());
        assert_eq!(self.kernel.arch.frames().count(), 0);
    }
}

impl Microkernel<Scripted> {
    /// Pages that the domain may still take.
    fn pages_left(&self, domain: DomainId) -> u64 {
        let (limit, used) = self.accounts.of(domain, Resource::Pages).expect("an account");
        limit.saturating_sub(used)
    }
}

fn text(error: &LifecycleError) -> alloc::string::String {
    error.to_string()
}
