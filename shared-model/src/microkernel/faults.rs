//! Who deals with what goes wrong in a thread: its end, or a message to whoever the domain's
//! faults go to, who decides.

use super::Microkernel;
use super::hypercall::{Answer, Outcome, Request};
use crate::abi::{FaultKind, Status, utcb};
use crate::address::GuestVirtual;
use crate::arch::Arch;
use crate::capability::Slot;
use crate::domain::{DomainId, DomainState, FaultHandler, ThreadId};
use crate::event::EventKind;
use crate::exit::{Access, End, Exit, KillReason};
use crate::rights::Rights;

impl<A: Arch> Microkernel<A> {
    pub(super) fn fault_bind(&mut self, request: &Request) -> Answer {
        let domain = self.machine_domain_or_own(request, 0, Rights::WRITE)?;
        if self.domains.get(&domain).is_none_or(|domain| domain.state == DomainState::Dead) {
            return Err(Status::BadState);
        }
        if request.arguments[1] == 0 {
            self.unbind_faults(domain);
            return Ok(Outcome::Done);
        }
        let through = self.slot_argument(request, 1)?;
        let endpoint = self.capabilities.endpoint(through, Rights::WRITE)?;
        let capability = self.capabilities.lookup(through)?;
        // A fault is a call.
        let can_call = [Rights::GRANT, Rights::CALL].map(|right| capability.rights.contains(right));
        if can_call == [false, false] {
            return Err(Status::NotPermitted);
        }
        let handler = FaultHandler { endpoint, through, badge: capability.badge };
        self.bind_faults(domain, handler);
        Ok(Outcome::Done)
    }

    /// Faults of a domain's threads go there from now on.
    pub(super) fn bind_faults(&mut self, domain: DomainId, handler: FaultHandler) {
        self.unbind_faults(domain);
        if let Some(state) = self.domains.get_mut(&domain) {
            state.fault_handler = Some(handler);
            self.fault_bindings.insert((handler.through, domain));
        }
    }

    /// Faults of the domain's threads end them from now on. Those that are waiting to be dealt with
    /// go on doing so.
    pub(super) fn unbind_faults(&mut self, domain: DomainId) {
        let handler = self.domains.get_mut(&domain).and_then(|domain| domain.fault_handler.take());
        if let Some(handler) = handler {
            self.fault_bindings.remove(&(handler.through, domain));
        }
    }

    /// The capability in a slot has gone, and with it what it was used for.
    pub(super) fn unbind_faults_through(&mut self, slot: Slot) {
        let all = (slot, DomainId(0))..=(slot, DomainId(u32::MAX));
        while let Some(&(_, domain)) = self.fault_bindings.range(all.clone()).next() {
            self.unbind_faults(domain);
        }
    }

    /// A thread's instruction faulted: that ends it, unless somebody deals with its domain's faults.
    pub(super) fn faulted(&mut self, thread: ThreadId, exit: Exit) {
        let (reason, message) = match exit {
            Exit::Fault { address, from, access } => {
                let access_right = match access {
                    Access::Read => Rights::READ,
                    Access::Write => Rights::WRITE,
                    Access::Execute => Rights::EXECUTE,
                };
                let reason = KillReason::Fault { address: from, guest_physical: address, access };
                (reason, [FaultKind::Page as u64, from.0, access_right.bits(), 0, address.0])
            }
            Exit::Exception { vector, code, address } => {
                let reason = self.explain_exception(thread, vector, code, address);
                let at = address.unwrap_or_default().0;
                (reason, [FaultKind::Exception as u64, at, vector.into(), code.into(), 0])
            }
            _ => return,
        };
        let domain = self.thread(thread).domain;
        let Some(handler) = self.domains[&domain].fault_handler else {
            self.end(thread, End::Killed(reason));
            return;
        };
        let rip = self.arch.registers(thread).rip;
        self.record(domain, Some(thread), EventKind::Faulted { fault: reason.clone(), rip });
        let [kind, address, detail, code, physical] = message;
        let index = self.thread(thread).index.into();
        let words: [u64; utcb::REGISTERS] = [kind, address, detail, rip, index, code, physical, 0];
        self.send_fault(thread, handler, words, reason);
        if self.is_hopeless(thread) {
            self.wake(thread, Status::PeerDied);
        }
    }

    /// A page fault at the address of an import that nobody provides is about that import.
    fn explain_exception(
        &self,
        thread: ThreadId,
        vector: u8,
        code: u32,
        address: Option<GuestVirtual>,
    ) -> KillReason {
        let program = self.domains[&self.thread(thread).domain].program.as_ref();
        let import = address.and_then(|address| program?.unprovided_at(address));
        match import {
            Some(import) => {
                // Intel SDM vol. 3, 4.7: bit 1 is a write, bit 4 a fetch.
                let access = match code {
                    code if code & 16 != 0 => Access::Execute,
                    code if code & 2 != 0 => Access::Write,
                    _ => Access::Read,
                };
                KillReason::Unprovided { symbol: import.name.clone(), access }
            }
            None => KillReason::Exception { vector, code, address },
        }
    }
}
