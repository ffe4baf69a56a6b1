//! The model's own devices, a timer and a serial port, and what gives domains a hold on devices:
//! ports, interrupts, and accesses to memory that devices make by themselves.
//!
//! - `timer`, `serial`: the devices, as registers; they know nothing of domains;
//! - `ports`: who may use which port, by hypercall or by an instruction of its own;
//! - `interrupts`: from a device's line to a notification;
//! - `iommu`: which memory a device can reach.

use alloc::collections::BTreeMap;
use alloc::format;

use super::Microkernel;
use crate::abi::device;
use crate::arch::Arch;
#[cfg(test)]
use crate::capability::NotificationId;
use crate::capability::{Capability, Object, Place, Ports, Slot, SpaceId};
use crate::domain::{DomainId, LifecycleError};
use crate::event::EventKind;
use crate::rights::Rights;

mod interrupts;
mod iommu;
mod ports;
mod serial;
mod timer;

use interrupts::Line;
use iommu::{Assignment, Mappings};
use ports::Holdings;
use serial::{Effect, Serial};
use timer::Timer;

/// A device.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Device {
    Timer,
    Serial,
}

impl Device {
    const ALL: [Self; 2] = [Self::Timer, Self::Serial];

    /// All its ports.
    const fn ports(self) -> Ports {
        let (first, last) = match self {
            Self::Timer => (device::TIMER_FIRST, device::TIMER_LAST),
            Self::Serial => (device::SERIAL_FIRST, device::SERIAL_LAST),
        };
        Ports { first, last }
    }
}

/// All devices, and who has to do with them.
#[derive(Clone, Debug, Default)]
pub(super) struct Devices {
    timer: Timer,
    serial: Serial,
    /// Interrupt lines; one that is not here is as in the beginning.
    lines: BTreeMap<u8, Line>,
    holdings: Holdings,
    /// Whose memory a device can reach.
    assignments: BTreeMap<Device, Assignment>,
    mappings: Mappings,
}

impl Devices {
    pub(super) fn new() -> Self {
        Self::default()
    }
}

/// For tests.
#[cfg(test)]
impl Devices {
    /// Every I/O mapping, and the capability under which it exists.
    pub(super) fn mapped(&self) -> impl Iterator<Item = ((DomainId, u64), Slot, Object)> + '_ {
        self.mappings.iter()
    }

    /// Every capability that something was arranged with, and the right that that took.
    pub(super) fn arranged_through(&self) -> impl Iterator<Item = (Slot, Rights)> + '_ {
        let bound = self.lines.values().flat_map(Line::through);
        bound.chain(self.assignments.values().flat_map(Assignment::through))
    }

    /// Whether a line signals a notification.
    pub(super) fn signals(&self, notification: NotificationId) -> bool {
        self.lines.values().any(|line| line.signals(notification))
    }

    pub(super) fn line_count(&self) -> usize {
        self.lines.len()
    }
}

impl<A: Arch> Microkernel<A> {
    /// Lets the devices do what is due by now. However often the timer ran down meanwhile, that is
    /// one interrupt.
    pub(super) fn run_devices(&mut self) {
        if self.devices.timer.run(self.now) {
            self.raise(device::TIMER_INTERRUPT);
        }
    }

    /// The tick at which a device next does something that ends somebody's wait. A timer that
    /// nobody listens to must not keep a run alive.
    pub(super) fn next_device_event(&self) -> Option<u64> {
        self.devices.timer.next().filter(|_| self.is_awaited(device::TIMER_INTERRUPT))
    }

    /// Reads a port on behalf of a domain that may.
    fn port_in(&mut self, domain: DomainId, port: u16, width: u8) -> u32 {
        let devices = &mut self.devices;
        let read = devices.timer.read(port, width, self.now);
        let read = read.or_else(|| devices.serial.read(port, width));
        // As from a bus on which nobody answers.
        let value = read.unwrap_or(ports::mask(width));
        self.record(domain, None, EventKind::Port { port, width, write: false, value });
        value
    }

    /// Writes to a port on behalf of a domain that may.
    fn port_out(&mut self, domain: DomainId, port: u16, width: u8, value: u32) {
        self.record(domain, None, EventKind::Port { port, width, write: true, value });
        self.devices.timer.write(port, width, value, self.now);
        match self.devices.serial.write(port, width, value) {
            Some(Effect::Send(byte)) => self.serial_send(domain, &[byte]),
            Some(Effect::Transfer(command)) => self.serial_transfer(domain, command),
            None => {}
        }
        self.deliver_interrupt(device::SERIAL_INTERRUPT);
    }

    fn serial_send(&mut self, domain: DomainId, bytes: &[u8]) {
        if self.devices.serial.send(bytes) {
            let hex = crate::hex::encode(bytes);
            self.record(domain, None, EventKind::DeviceOutput { device: "serial".into(), hex });
        }
    }

    /// What was sent through the serial port.
    pub fn serial_output(&self) -> &[u8] {
        self.devices.serial.output()
    }

    /// Bytes that arrive at the serial port. Returns how many it had room for; the others are
    /// lost.
    pub fn serial_input(&mut self, bytes: &[u8]) -> usize {
        let taken = self.devices.serial.receive(bytes);
        self.deliver_interrupt(device::SERIAL_INTERRUPT);
        taken
    }

    /// Gives a domain a capability to I/O ports.
    ///
    /// # Errors
    /// [`LifecycleError::Load`] if there are no such ports, or the slot cannot take it.
    pub fn give_ports(
        &mut self,
        holder: DomainId,
        number: u64,
        ports: Ports,
        rights: Rights,
    ) -> Result<(), LifecycleError> {
        if ports.first > ports.last {
            let message = format!("ports {:#x} to {:#x} are none", ports.first, ports.last);
            return Err(LifecycleError::Load(message));
        }
        self.give_root(holder, number, Object::Ports(ports), rights)
    }

    /// Gives a domain a capability to an interrupt line.
    ///
    /// # Errors
    /// [`LifecycleError::Load`] if the slot cannot take it.
    pub fn give_interrupt(
        &mut self,
        holder: DomainId,
        number: u64,
        line: u8,
        rights: Rights,
    ) -> Result<(), LifecycleError> {
        self.give_root(holder, number, Object::Interrupt(line), rights)
    }

    /// Gives a domain a copy of the microkernel's own capability to an object of the machine.
    fn give_root(
        &mut self,
        holder: DomainId,
        number: u64,
        object: Object,
        rights: Rights,
    ) -> Result<(), LifecycleError> {
        let refused =
            |what: &dyn core::fmt::Debug| LifecycleError::Load(format!("slot {number}: {what:?}"));
        let mut holders = self.capabilities.holders(object).into_iter();
        let root = match holders.find(|slot| slot.space == SpaceId::Host) {
            Some(root) => root,
            None => {
                let root = self.vacant_host_slot()?;
                let kept = self.capabilities.insert(root, object, Rights::ALL);
                kept.map_err(|error| refused(&error))?;
                root
            }
        };
        let to = Slot { space: SpaceId::Domain(holder), number };
        self.pass_capability(root, to, rights, None).map_err(|status| refused(&status))
    }

    /// A capability is gone: what was arranged through it goes too.
    pub(super) fn device_capability_gone(&mut self, slot: Slot, object: Object) {
        match object {
            Object::Interrupt(_) | Object::Notification(_) => self.unbind_through(slot),
            Object::Ports(_) | Object::Domain(_) | Object::HostDomain(_) => {
                self.devices.assignments.retain(|_, assignment| !assignment.is_through(slot));
            }
            _ => {}
        }
    }

    /// A capability has another slot now, and maybe fewer rights: what was arranged through it
    /// stays if it still could be.
    pub(super) fn device_capability_moved(&mut self, from: Slot, to: Slot) {
        let Ok(capability) = self.capabilities.lookup(to) else { return };
        let Capability { object, rights, mapped, .. } = capability;
        if let Some(Place::Device { domain, page }) = mapped {
            self.device_mapping_moved(domain, page, to);
        }
        let needed = match object {
            Object::Interrupt(_) => Rights::READ,
            Object::Notification(_)
            | Object::Ports(_)
            | Object::Domain(_)
            | Object::HostDomain(_) => Rights::WRITE,
            _ => return,
        };
        if !rights.contains(needed) {
            self.device_capability_gone(from, object);
            return;
        }
        self.devices.lines.values_mut().for_each(|line| line.follow(from, to));
        self.devices.assignments.values_mut().for_each(|assignment| assignment.follow(from, to));
    }

    /// A domain is being taken apart: at once, no device reaches memory through it any more, and its
    /// I/O space goes, at most `left` mappings of it now. Says whether that was all.
    pub(super) fn forget_devices_of(&mut self, domain: DomainId, left: &mut usize) -> bool {
        self.devices.assignments.retain(|_, assignment| assignment.domain != domain);
        self.unmap_all_devices(domain, left)
    }
}
