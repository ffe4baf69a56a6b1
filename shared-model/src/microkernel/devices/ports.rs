//! I/O ports: by hypercall, and by the `in` and `out` of drivers that know of none.
//!
//! The processor refuses a domain every port but those of the gates (`crate::boot`), with a #GP.
//! Where the instruction is one on ports that a capability in the domain's space allows, it is
//! carried out here; otherwise the fault stays what it is.

use alloc::collections::BTreeMap;
use core::ops::RangeInclusive;

use crate::abi::{EXCEPTION_PORT, RETURN_PORT, Status};
use crate::address::GuestVirtual;
use crate::arch::Arch;
use crate::capability::{Capability, Object, Ports, Slot, SpaceId};
use crate::domain::{DomainId, ThreadId};
use crate::microkernel::Microkernel;
use crate::microkernel::hypercall::{Answer, Outcome, Request};
use crate::paging;
use crate::registers::{RAX, Registers};
use crate::rights::Rights;

/// The exception of a port that the bitmap refuses; its error code is 0.
const GENERAL_PROTECTION: u8 = 13;
/// Bytes that an instruction can have (Intel SDM vol. 2, 2.3.11). A longer one is a #GP as well.
const INSTRUCTION_MAX: u64 = 15;
/// Index of `rdx`: the port, unless the instruction holds it.
const RDX: usize = 2;
/// Ports of gates and hypercalls, and what is left of the four bytes of the last. Whoever uses one
/// wrongly does not mean a device.
const GATES: RangeInclusive<u16> = EXCEPTION_PORT..=RETURN_PORT + 3;

/// The value of a port of this width with all bits set.
pub(super) const fn mask(width: u8) -> u32 {
    match width {
        1 => 0xff,
        2 => 0xffff,
        _ => u32::MAX,
    }
}

/// The ports that a domain holds, found without going through its capabilities: for each domain,
/// range and set of rights, how many capabilities there are. Ranges come from the world, so a domain
/// has few however many copies it makes.
#[derive(Clone, Debug, Default)]
pub(super) struct Holdings(BTreeMap<(DomainId, Ports, u64), u32>);

impl Holdings {
    fn key(slot: Slot, capability: &Capability) -> Option<(DomainId, Ports, u64)> {
        match (slot.space, capability.object) {
            (SpaceId::Domain(domain), Object::Ports(ports)) => {
                Some((domain, ports, capability.rights.bits()))
            }
            _ => None,
        }
    }

    fn of(&self, domain: DomainId) -> impl Iterator<Item = (Ports, Rights)> + '_ {
        let lowest = Ports { first: 0, last: 0 };
        let held = self.0.range((domain, lowest, 0)..).take_while(move |held| held.0.0 == domain);
        held.map(|(&(_, ports, bits), _)| (ports, Rights::from_bits(bits).unwrap_or_default()))
    }

    fn allows(&self, domain: DomainId, port: u16, width: u8, right: Rights) -> bool {
        self.of(domain).any(|(held, rights)| rights.contains(right) && has(held, port, width))
    }
}

/// Whether all bytes of an access are in a range of ports.
fn has(ports: Ports, port: u16, width: u8) -> bool {
    let last = port.checked_add(u16::from(width) - 1);
    port >= ports.first && last.is_some_and(|last| last <= ports.last)
}

impl super::Devices {
    /// A capability has come into a slot.
    pub(in crate::microkernel) fn ports_added(&mut self, slot: Slot, capability: &Capability) {
        if let Some(key) = Holdings::key(slot, capability) {
            *self.holdings.0.entry(key).or_default() += 1;
        }
    }

    /// A capability has left a slot.
    pub(in crate::microkernel) fn ports_left(&mut self, slot: Slot, capability: &Capability) {
        let Some(key) = Holdings::key(slot, capability) else { return };
        if let Some(count) = self.holdings.0.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                self.holdings.0.remove(&key);
            }
        }
    }

    /// How many capabilities to ports a domain has, for tests.
    #[cfg(test)]
    pub(in crate::microkernel) fn ports_held(&self, domain: DomainId) -> u32 {
        self.holdings.0.iter().filter(|(key, _)| key.0 == domain).map(|(_, count)| count).sum()
    }
}

/// An `in` or `out`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Instruction {
    length: u64,
    width: u8,
    writes: bool,
    /// Nothing: the port is in `dx`.
    port: Option<u8>,
}

/// Decodes an `in` or `out` whose bytes `fetch` yields, by their distance from the first; nothing
/// if it is another instruction, or cannot be fetched. The string forms, which access memory, are
/// others.
fn decode(mut fetch: impl FnMut(u64) -> Option<u8>) -> Option<Instruction> {
    let (mut is_short, mut is_wide) = (false, false);
    let mut at = 0;
    let opcode = loop {
        match fetch(at)? {
            // A prefix behind it takes a REX prefix its effect.
            0x66 => (is_short, is_wide) = (true, false),
            rex @ 0x40..=0x4f => is_wide = rex & 8 != 0,
            other => break other,
        }
        at += 1;
        if at == INSTRUCTION_MAX {
            return None;
        }
    };
    let has_immediate = match opcode {
        0xe4..=0xe7 => true,
        0xec..=0xef => false,
        _ => return None,
    };
    // There are no 8-byte ports; REX.W only overrides the prefix (Intel SDM vol. 2, 2.2.1.2).
    let width = match opcode & 1 {
        0 => 1,
        _ if is_short && !is_wide => 2,
        _ => 4,
    };
    let length = at + if has_immediate { 2 } else { 1 };
    if length > INSTRUCTION_MAX {
        return None;
    }
    let port = if has_immediate { Some(fetch(at + 1)?) } else { None };
    Some(Instruction { length, width, writes: opcode & 2 != 0, port })
}

/// What `rax` holds after so many bytes were read into it.
const fn merge(rax: u64, width: u8, value: u32) -> u64 {
    match width {
        // A 4-byte register is extended with zeros (Intel SDM vol. 1, 3.4.1.1), others are not.
        4 => value as u64,
        _ => rax & !(mask(width) as u64) | value as u64,
    }
}

impl<A: Arch> Microkernel<A> {
    /// Whether an exception was a port access that a capability of the domain allows; it has then
    /// been carried out.
    pub(in crate::microkernel) fn emulate_port(
        &mut self,
        thread: ThreadId,
        vector: u8,
        code: u32,
    ) -> bool {
        let domain = self.thread(thread).domain;
        let holds_any = self.devices.holdings.of(domain).next().is_some();
        if vector != GENERAL_PROTECTION || code != 0 || !holds_any {
            return false;
        }
        let mut registers = self.arch.registers(thread);
        let rip = registers.rip;
        let decoded = decode(|at| self.fetch(thread, GuestVirtual(rip.wrapping_add(at))));
        let Some(instruction) = decoded else { return false };
        let next = GuestVirtual(rip.wrapping_add(instruction.length));
        if !next.is_canonical() {
            return false;
        }
        registers.rip = next.0;
        if !self.carry_out(thread, domain, instruction, &mut registers) {
            return false;
        }
        self.arch.set_registers(thread, &registers);
        true
    }

    /// Does what a port instruction says, if the domain may.
    fn carry_out(
        &mut self,
        thread: ThreadId,
        domain: DomainId,
        instruction: Instruction,
        registers: &mut Registers,
    ) -> bool {
        let Instruction { width, writes, port, .. } = instruction;
        let port = port.map_or(registers.general[RDX] as u16, u16::from);
        let right = if writes { Rights::WRITE } else { Rights::READ };
        let last = port.saturating_add(u16::from(width) - 1);
        let is_gate = port <= *GATES.end() && last >= *GATES.start();
        if is_gate || !self.devices.holdings.allows(domain, port, width, right) {
            return false;
        }
        let rax = &mut registers.general[RAX];
        self.cause = Some(thread);
        if writes {
            self.port_out(domain, port, width, *rax as u32 & mask(width));
        } else {
            *rax = merge(*rax, width, self.port_in(domain, port, width));
        }
        self.cause = None;
        true
    }

    /// A byte of code, as the thread's processor would fetch it.
    fn fetch(&self, thread: ThreadId, address: GuestVirtual) -> Option<u8> {
        let state = self.thread(thread);
        let space = &self.domains[&state.domain].space;
        let read = |at: crate::address::GuestPhysical, bytes: &mut [u8]| {
            let frame = space.lookup(at.page()).ok()?.frame;
            self.arch.frame_read(frame, at.page_offset(), bytes);
            Some(())
        };
        if !address.is_canonical() {
            return None;
        }
        let found = paging::walk(state.system.page_table_root, address, |at| {
            let mut entry = [0; 8];
            read(at, &mut entry)?;
            Some(u64::from_le_bytes(entry))
        });
        let found = found.ok().filter(|found| found.rights.contains(Rights::EXECUTE))?;
        let mut byte = [0];
        read(found.address, &mut byte)?;
        Some(byte[0])
    }

    /// The port and the width that a hypercall names, of those that its capability has.
    fn port_arguments(&self, request: &Request, right: Rights) -> Result<(u16, u8), Status> {
        let ports = self.capabilities.ports(self.slot_argument(request, 0)?, right)?;
        let [_, port, width, ..] = request.arguments;
        let port = u16::try_from(port).map_err(|_| Status::Invalid)?;
        let width = u8::try_from(width).map_err(|_| Status::Invalid)?;
        let possible = matches!(width, 1 | 2 | 4) && has(ports, port, width);
        if possible { Ok((port, width)) } else { Err(Status::Invalid) }
    }

    pub(in crate::microkernel) fn port_read(&mut self, request: &mut Request) -> Answer {
        let (port, width) = self.port_arguments(request, Rights::READ)?;
        let value = self.port_in(request.domain, port, width);
        request.results.push(value.into());
        Ok(Outcome::Done)
    }

    pub(in crate::microkernel) fn port_write(&mut self, request: &Request) -> Answer {
        let (port, width) = self.port_arguments(request, Rights::WRITE)?;
        let value = u32::try_from(request.arguments[3]).ok().filter(|&v| v <= mask(width));
        self.port_out(request.domain, port, width, value.ok_or(Status::Invalid)?);
        Ok(Outcome::Done)
    }
}
