//! A domain's guest-physical space: a virtual machine whose one memory slot lies over a
//! reservation of this process's address space, and the record of what is mapped there.
//!
//! The slot is set once, because changing slots costs milliseconds on shadow-paging hosts.
//! What changes is the reservation: KVM follows the process's own mappings and drops its
//! translations before `mmap` returns (the kernel's mmu notifiers), on every processor. That
//! holds while virtual processors run: the notifier removes the translations, interrupts the
//! processors that may have them in use and waits for their answer, and a fault that comes in
//! between waits for the process's mappings to settle. So nothing has to be stopped first
//! (`tests/parallel.rs` holds that).

use std::collections::BTreeMap;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use kvm_bindings::{KVM_CAP_X86_TRIPLE_FAULT_EVENT, kvm_enable_cap, kvm_userspace_memory_region};
use kvm_ioctls::{Kvm, VcpuFd, VmFd};
use shared_model::address::{Frame, GuestPhysical, PAGE_SIZE};
use shared_model::layout::PHYSICAL_SIZE;
use shared_model::registers::SystemRegisters;
use shared_model::rights::Rights;

use super::frames::Frames;
use super::headroom::Headroom;
use super::mapping::{Mapping, Protection};
use super::reset::{Abilities, Ring, cpuid, reset};

/// One domain.
#[derive(Debug)]
pub(crate) struct Space {
    // Before `memory`: the virtual machine and its processors go first.
    spare: Vec<VcpuFd>,
    vm: VmFd,
    memory: Mapping,
    pages: BTreeMap<GuestPhysical, (Frame, Rights)>,
    next_processor: u64,
    abilities: Abilities,
    /// Counts changes of the mappings, each after it has taken effect: who reads a number and
    /// then enters the guest has all changes that it counts.
    changes: Arc<AtomicU64>,
    lost: bool,
}

impl Space {
    pub(crate) fn new(kvm: &Kvm) -> io::Result<Self> {
        let vm = kvm.create_vm()?;
        let len = usize::try_from(PHYSICAL_SIZE).expect("64-bit host");
        let memory = Mapping::reserve(len)?;
        let slot = kvm_userspace_memory_region {
            slot: 0,
            flags: 0,
            guest_phys_addr: 0,
            memory_size: PHYSICAL_SIZE,
            userspace_addr: memory.as_ptr().addr() as u64,
        };
        // SAFETY: the range is ours for as long as a guest can run: processors are taken from
        // whoever runs them before a `Space` goes (`NativeArch::domain_destroy` and its
        // `Drop`), and the virtual machine goes first (field order). It holds nothing but the
        // domain's own pages: what a guest does there cannot touch an object of this program.
        unsafe { vm.set_user_memory_region(slot)? };
        let abilities = Abilities { triple_fault: enable_triple_faults(&vm) };
        let (spare, pages, changes) = (Vec::new(), BTreeMap::new(), Arc::default());
        let (next_processor, lost) = (0, false);
        Ok(Self { spare, vm, memory, pages, next_processor, abilities, changes, lost })
    }

    /// A virtual processor in its initial state. KVM keeps one until the virtual machine
    /// goes, even when its descriptor is closed, and allows only so many: what was put aside
    /// is taken first, and numbers are not used again.
    pub(crate) fn processor(&mut self, system: &SystemRegisters, ring: Ring) -> io::Result<VcpuFd> {
        let fd = match self.spare.pop() {
            Some(fd) => fd,
            None => self.new_processor()?,
        };
        reset(&fd, self.abilities, system, ring)?;
        Ok(fd)
    }

    fn new_processor(&mut self) -> io::Result<VcpuFd> {
        let fd = self.vm.create_vcpu(self.next_processor)?;
        self.next_processor += 1;
        // Once: KVM refuses another answer after the first run.
        fd.set_cpuid2(&cpuid()?)?;
        Ok(fd)
    }

    /// Puts a virtual processor aside for another thread. Nothing of it is pending.
    pub(crate) fn put_aside(&mut self, processor: VcpuFd) {
        self.spare.push(processor);
    }

    pub(crate) fn map(
        &mut self,
        page: GuestPhysical,
        frame: Frame,
        rights: Rights,
        frames: BorrowedFd<'_>,
        headroom: &mut Headroom,
    ) -> io::Result<()> {
        let protection =
            if rights.contains(Rights::WRITE) { Protection::ReadWrite } else { Protection::Read };
        let offset = Frames::offset(frame);
        let len = PAGE_SIZE as usize;
        let placed = headroom
            .keep()
            .and_then(|()| self.memory.place(at(page), len, frames, offset, protection));
        match placed {
            Ok(()) => {
                self.pages.insert(page, (frame, rights));
            }
            Err(_) => {
                self.pages.remove(&page);
                self.end_access(page, headroom);
            }
        }
        self.changes.fetch_add(1, Ordering::Release);
        placed
    }

    pub(crate) fn unmap(&mut self, page: GuestPhysical, headroom: &mut Headroom) {
        if self.pages.remove(&page).is_some() {
            self.end_access(page, headroom);
            self.changes.fetch_add(1, Ordering::Release);
        }
    }

    /// See [`super::vcpu::Vcpu::is_outdated`].
    pub(crate) fn changes(&self) -> Arc<AtomicU64> {
        self.changes.clone()
    }

    /// Ends access to a page, whatever it takes: when this returns, a revoked page must not
    /// be reachable.
    fn end_access(&mut self, page: GuestPhysical, headroom: &mut Headroom) {
        let (at, len) = (at(page), PAGE_SIZE as usize);
        if self.memory.withdraw(at, len).is_ok() {
            return;
        }
        headroom.spend();
        if self.memory.withdraw(at, len).is_ok() {
            return;
        }
        // Somebody else has used the room. All of the domain's memory goes: that splits no
        // mapping.
        self.lost = true;
        if self.memory.forbid(0, self.memory.len()).is_err() {
            // The kernel refuses even that. Nothing that returns would be safe.
            std::process::abort();
        }
    }

    /// Whether the domain's memory was taken away because one page could not be.
    pub(crate) const fn is_lost(&self) -> bool {
        self.lost
    }

    /// What `page` leads to.
    pub(crate) fn at(&self, page: GuestPhysical) -> Option<(Frame, Rights)> {
        self.pages.get(&page).copied()
    }
}

/// Whether the host lets a due shutdown be called off; see [`Abilities`].
fn enable_triple_faults(vm: &VmFd) -> bool {
    let enable = kvm_enable_cap {
        cap: KVM_CAP_X86_TRIPLE_FAULT_EVENT,
        args: [1, 0, 0, 0],
        ..Default::default()
    };
    vm.enable_cap(&enable).is_ok()
}

fn at(page: GuestPhysical) -> usize {
    debug_assert!(page.is_page_aligned() && page.0 < PHYSICAL_SIZE, "{page} is no page");
    usize::try_from(page.0).expect("64-bit host")
}
