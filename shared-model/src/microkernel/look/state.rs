//! Domains and threads, with their registers.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::Serialize;

use crate::abi::Hypercall;
use crate::address::GuestVirtual;
use crate::arch::Arch;
use crate::domain::{self, DomainId, ThreadId};
use crate::hex::Hex;
use crate::microkernel::Microkernel;
use crate::registers::Registers;

/// What can be seen of everything that lives, and of the dead threads whose domain still is.
#[derive(Debug, Serialize)]
pub struct State {
    /// Events in the log so far.
    pub events: usize,
    /// Ticks.
    pub now: u64,
    /// Whose turn it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<ThreadId>,
    /// The domains there are.
    pub domains: Vec<DomainState>,
    /// Their threads.
    pub threads: Vec<ThreadState>,
}

/// A domain.
#[derive(Debug, Serialize)]
pub struct DomainState {
    /// Its number.
    pub id: DomainId,
    /// Its name.
    pub name: String,
    /// How far its life has come.
    pub state: domain::DomainState,
}

/// A thread.
#[derive(Debug, Serialize)]
pub struct ThreadState {
    /// Its number.
    pub id: ThreadId,
    /// Its domain.
    pub domain: DomainId,
    /// Its number within the domain.
    pub index: u32,
    /// How far its life has come.
    pub state: domain::ThreadState,
    /// The hypercall that it waits in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<Hypercall>,
    /// In words, how it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    /// Its code is the host's, so that it has no registers.
    pub host: bool,
    /// The general registers, in the processor's order.
    pub general: [Hex; 16],
    /// The instruction pointer.
    pub rip: Hex,
    /// The flags.
    pub rflags: Hex,
    /// Those of them that the manual leaves undefined now.
    pub undefined: Hex,
    /// Which function it is in: `module!function+0x12`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

impl<A: Arch> Microkernel<A> {
    /// What there is to see of domains and threads. Takes as long as there are of them.
    pub fn state(&mut self) -> State {
        let ids = self.domains.values().flat_map(|domain| domain.threads.iter().copied());
        let mut ids: Vec<_> = ids.collect();
        ids.sort_unstable();
        let threads = ids.into_iter().map(|id| self.thread_state(id)).collect();
        let domains = self.domains();
        let domains =
            domains.map(|(id, name, state)| DomainState { id, name: name.to_string(), state });
        State {
            events: self.events.len(),
            now: self.now,
            current: self.current().map(|(thread, _)| thread),
            domains: domains.collect(),
            threads,
        }
    }

    fn thread_state(&mut self, id: ThreadId) -> ThreadState {
        let (registers, undefined) = self.registers_of(id);
        let thread = self.thread(id);
        let host = self.is_of_host(id);
        let at = self.symbolize(thread.domain, GuestVirtual(registers.rip));
        ThreadState {
            id,
            domain: thread.domain,
            index: thread.index,
            state: thread.state,
            call: thread
                .waiting
                .as_ref()
                .map_or(thread.work.as_ref().map(|work| work.call), |waiting| waiting.call),
            end: thread.ended.as_ref().map(|(end, _)| end.to_string()),
            host,
            general: registers.general.map(Hex),
            rip: Hex(registers.rip),
            rflags: Hex(registers.rflags),
            undefined: Hex(undefined),
            at: at.filter(|_| !host),
        }
    }

    /// A thread's registers, and which of its flags are undefined. Of a dead thread, those that it
    /// ended with.
    pub(super) fn registers_of(&mut self, id: ThreadId) -> (Registers, u64) {
        if let Some((_, registers)) = &self.thread(id).ended {
            return (*registers, 0);
        }
        if self.is_of_host(id) {
            return (Registers::default(), 0);
        }
        (self.arch.registers(id), self.arch.undefined_flags(id))
    }
}
