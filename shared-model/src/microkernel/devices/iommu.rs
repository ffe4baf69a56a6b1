//! Which memory a device reaches by itself: that which is mapped for devices of the domain that it
//! is assigned to, and nothing without one.
//!
//! An I/O mapping exists under a capability, as any other: when that goes, so does the mapping,
//! before the operation returns.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Device;
use crate::abi::{Status, device};
use crate::address::{Frame, PAGE_SIZE};
use crate::arch::Arch;
use crate::capability::{Capability, Object, Place, Ports, Slot};
use crate::domain::DomainId;
use crate::microkernel::Microkernel;
use crate::microkernel::hypercall::{Answer, Outcome, Request};
use crate::rights::Rights;

/// Whose memory a device can reach.
#[derive(Clone, Debug)]
pub(super) struct Assignment {
    pub(super) domain: DomainId,
    /// The capabilities that it was assigned with; none to a domain that assigned it to itself.
    through: [Option<Slot>; 2],
}

impl Assignment {
    pub(super) fn is_through(&self, slot: Slot) -> bool {
        self.through.contains(&Some(slot))
    }

    #[cfg(test)]
    pub(super) fn through(&self) -> impl Iterator<Item = (Slot, Rights)> + '_ {
        self.through.iter().flatten().map(|&slot| (slot, Rights::WRITE))
    }

    /// A capability has moved.
    pub(super) fn follow(&mut self, from: Slot, to: Slot) {
        for slot in &mut self.through {
            if *slot == Some(from) {
                *slot = Some(to);
            }
        }
    }
}

/// A block that a domain's devices can reach.
#[derive(Clone, Debug)]
struct Mapping {
    object: Object,
    /// The capability under which it exists.
    slot: Slot,
    pages: u64,
    rights: Rights,
}

/// The I/O spaces of all domains: each mapping by its domain and first address.
#[derive(Clone, Debug, Default)]
pub(super) struct Mappings(BTreeMap<(DomainId, u64), Mapping>);

impl Mappings {
    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = ((DomainId, u64), Slot, Object)> + '_ {
        self.0.iter().map(|(&at, mapping)| (at, mapping.slot, mapping.object))
    }

    /// The last mapping that begins at or below an address.
    fn at_or_below(&self, domain: DomainId, address: u64) -> Option<(u64, &Mapping)> {
        let (&(_, start), found) = self.0.range((domain, 0)..=(domain, address)).next_back()?;
        Some((start, found))
    }

    fn overlaps(&self, domain: DomainId, address: u64, size: u64) -> bool {
        let last = address + size - 1;
        let found = self.at_or_below(domain, last);
        found.is_some_and(|(start, found)| start + found.pages * PAGE_SIZE > address)
    }
}

/// The device that a capability to ports means: the one of which it has all.
fn device_of(ports: Ports) -> Result<Device, Status> {
    let covers = |device: &Device| {
        let all = device.ports();
        ports.first <= all.first && all.last <= ports.last
    };
    let mut covered = Device::ALL.into_iter().filter(covers);
    match (covered.next(), covered.next()) {
        (Some(device), None) => Ok(device),
        _ => Err(Status::Invalid),
    }
}

impl<A: Arch> Microkernel<A> {
    /// The frame and the offset in it that an address of a device's own means, if it may do this
    /// there.
    pub(super) fn device_access(
        &self,
        device: Device,
        address: u64,
        rights: Rights,
    ) -> Option<(Frame, usize)> {
        let domain = self.devices.assignments.get(&device)?.domain;
        let (start, found) = self.devices.mappings.at_or_below(domain, address)?;
        let (page, offset) = ((address - start) / PAGE_SIZE, (address - start) % PAGE_SIZE);
        if page >= found.pages || !found.rights.contains(rights) {
            return None;
        }
        let block = self.blocks.get(&self.block_of(found.object)?)?;
        Some((*block.frames.get(page as usize)?, offset as usize))
    }

    /// The serial port sends from memory, or puts its input there: up to the first address that it
    /// may not use.
    pub(super) fn serial_transfer(&mut self, domain: DomainId, command: u8) {
        let length = self.devices.serial.transfer.length;
        let (status, sent) = match command {
            _ if length > device::SERIAL_DMA_MAX => (device::SERIAL_DMA_INVALID, Vec::new()),
            device::SERIAL_DMA_SEND => self.read_for_serial(),
            device::SERIAL_DMA_RECEIVE => (self.write_for_serial(), Vec::new()),
            _ => (device::SERIAL_DMA_INVALID, Vec::new()),
        };
        self.devices.serial.transfer.status = status;
        if command == device::SERIAL_DMA_SEND {
            self.serial_send(domain, &sent);
        }
    }

    /// The next piece of the serial port's transfer: at most so many bytes, on one page.
    fn next_piece(&self, rights: Rights, most: usize) -> Option<(Frame, usize, usize)> {
        let address = self.devices.serial.transfer.address;
        let (frame, offset) = self.device_access(Device::Serial, address, rights)?;
        Some((frame, offset, most.min(PAGE_SIZE as usize - offset)))
    }

    fn advance_transfer(&mut self, bytes: usize) {
        let transfer = &mut self.devices.serial.transfer;
        transfer.address += bytes as u64;
        transfer.length -= bytes as u32;
    }

    fn read_for_serial(&mut self) -> (u8, Vec<u8>) {
        let mut read = Vec::new();
        while self.devices.serial.transfer.length > 0 {
            let most = self.devices.serial.transfer.length as usize;
            let Some((frame, offset, size)) = self.next_piece(Rights::READ, most) else {
                return (device::SERIAL_DMA_REFUSED, read);
            };
            let from = read.len();
            read.resize(from + size, 0);
            self.arch.frame_read(frame, offset, &mut read[from..]);
            self.advance_transfer(size);
        }
        (device::SERIAL_DMA_DONE, read)
    }

    fn write_for_serial(&mut self) -> u8 {
        let serial = &self.devices.serial;
        let mut left = serial.waiting().min(serial.transfer.length as usize);
        while left > 0 {
            let Some((frame, offset, size)) = self.next_piece(Rights::WRITE, left) else {
                return device::SERIAL_DMA_REFUSED;
            };
            let bytes = self.devices.serial.take(size);
            self.arch.frame_write(frame, offset, &bytes);
            self.advance_transfer(size);
            left -= size;
        }
        device::SERIAL_DMA_DONE
    }

    pub(in crate::microkernel) fn device_assign(&mut self, request: &Request) -> Answer {
        let domain = self.domain_argument(request, 0, Rights::WRITE)?;
        let ports = self.slot_argument(request, 1)?;
        let device = device_of(self.capabilities.ports(ports, Rights::WRITE)?)?;
        if !self.is_live_domain(domain) {
            return Err(Status::BadState);
        }
        if self.devices.assignments.contains_key(&device) {
            return Err(Status::Exists);
        }
        let is_own = request.arguments[0] == 0;
        let through = if is_own { None } else { Some(self.slot_argument(request, 0)?) };
        let assignment = Assignment { domain, through: [Some(ports), through] };
        self.devices.assignments.insert(device, assignment);
        Ok(Outcome::Done)
    }

    pub(in crate::microkernel) fn device_release(&mut self, request: &Request) -> Answer {
        let slot = self.slot_argument(request, 0)?;
        let device = device_of(self.capabilities.ports(slot, Rights::WRITE)?)?;
        self.devices.assignments.remove(&device);
        Ok(Outcome::Done)
    }

    pub(in crate::microkernel) fn device_map(&mut self, request: &Request) -> Answer {
        let rights = request.rights(3)?;
        let domain = self.domain_argument(request, 0, Rights::WRITE)?;
        let slot = self.slot_argument(request, 1)?;
        let (block, capability) = self.capabilities.page(slot, Rights::NONE)?;
        let (address, pages) = (request.arguments[2], self.block_pages(block));
        let size = pages * PAGE_SIZE;
        let fits = address.checked_add(size).is_some_and(|end| end <= device::IO_SPACE_SIZE);
        let possible = pages > 0 && !rights.is_empty() && Rights::READ_WRITE.contains(rights);
        if !fits || !address.is_multiple_of(PAGE_SIZE) || !possible {
            return Err(Status::Invalid);
        }
        self.capabilities.expect(slot, rights)?;
        if !self.is_live_domain(domain) {
            return Err(Status::BadState);
        }
        if capability.mapped.is_some() || self.devices.mappings.overlaps(domain, address, size) {
            return Err(Status::Exists);
        }
        self.capabilities.set_mapped(slot, Place::Device { domain, page: address })?;
        let mapping = Mapping { object: capability.object, slot, pages, rights };
        self.devices.mappings.0.insert((domain, address), mapping);
        Ok(Outcome::Done)
    }

    pub(in crate::microkernel) fn device_unmap(&mut self, request: &Request) -> Answer {
        let slot = self.slot_argument(request, 0)?;
        let (_, Capability { object, mapped, .. }) = self.capabilities.page(slot, Rights::NONE)?;
        if let Some(Place::Device { domain, page }) = mapped {
            self.capabilities.clear_mapped(slot)?;
            self.unmap_device(domain, page, object);
        }
        Ok(Outcome::Done)
    }

    /// A mapping for a domain's devices goes with its capability.
    pub(in crate::microkernel) fn unmap_device(
        &mut self,
        domain: DomainId,
        page: u64,
        object: Object,
    ) {
        let gone = self.devices.mappings.0.remove(&(domain, page));
        debug_assert_eq!(gone.map(|mapping| mapping.object), Some(object));
    }

    /// The I/O space of a domain goes with it, at most `left` mappings now. Says whether that was
    /// all. The capabilities stay with whoever holds them.
    pub(super) fn unmap_all_devices(&mut self, domain: DomainId, left: &mut usize) -> bool {
        let all = (domain, 0)..=(domain, u64::MAX);
        while let Some((&(_, page), mapping)) = self.devices.mappings.0.range(all.clone()).next() {
            if *left == 0 {
                return false;
            }
            *left -= 1;
            let (slot, object) = (mapping.slot, mapping.object);
            let was = self.capabilities.clear_mapped(slot);
            debug_assert_eq!(was, Ok(Some(Place::Device { domain, page })));
            self.unmap_device(domain, page, object);
        }
        true
    }

    /// The capability under which a mapping exists has moved.
    pub(super) fn device_mapping_moved(&mut self, domain: DomainId, page: u64, to: Slot) {
        if let Some(mapping) = self.devices.mappings.0.get_mut(&(domain, page)) {
            mapping.slot = to;
        }
    }
}
