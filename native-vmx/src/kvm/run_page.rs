//! The page that KVM shares with us for each virtual processor (`struct kvm_run`,
//! Documentation/virt/kvm/api.rst, section 5).
//!
//! # Soundness rules
//!
//! 1. `immediate_exit` is one byte that other threads write ([`ExitByte`]). Everybody
//!    accesses it as an `AtomicU8`, here and in the kernel, and nobody in another way.
//! 2. Everything else in the page is accessed by the owner of the [`RunPage`] alone, of
//!    which there is one (the `Vcpu`, which one host thread at a time holds: `processor`), and
//!    by the kernel while that owner is inside `KVM_RUN`. A page that is mapped again for
//!    another thread is that owner's from then on: its predecessor's mapping is gone or
//!    detached.
//! 3. No reference to `kvm_run` is made, because it would cover the byte of rule 1: fields
//!    are copied through raw pointers.
//! 4. The memory outlives every [`ExitByte`]. When the processor is gone, ordinary memory
//!    takes the page's place, so a late kick writes to a byte that nobody reads, and keeps
//!    no virtual machine alive.

use std::io;
use std::os::fd::BorrowedFd;
use std::ptr::{addr_of, addr_of_mut};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use kvm_bindings::{
    KVM_EXIT_INTERNAL_ERROR, KVM_EXIT_IO, KVM_EXIT_IO_OUT, KVM_EXIT_MEMORY_FAULT, KVM_EXIT_MMIO,
    KVM_SYNC_X86_REGS, KVM_SYNC_X86_SREGS, kvm_regs, kvm_run, kvm_sregs,
};

use super::exits::Raw;
use super::mapping::Mapping;
use super::stop::Byte;

/// The page, for the virtual processor's owner.
#[derive(Debug)]
pub(crate) struct RunPage {
    memory: Arc<Mapping>,
}

/// The one byte of the page that other threads may write.
#[derive(Debug, Clone)]
pub(crate) struct ExitByte {
    memory: Arc<Mapping>,
}

impl Byte for ExitByte {
    fn set(&self, exit: bool) {
        let run: *mut kvm_run = self.memory.as_ptr().cast();
        // SAFETY: the mapping is at least as large as `kvm_run` (checked in `RunPage::map`)
        // and lives as long as `self.memory` (rule 4); computing a field's address reads
        // nothing.
        let byte = unsafe { addr_of_mut!((*run).immediate_exit) };
        // SAFETY: the byte is valid and only ever accessed atomically (rule 1).
        let byte = unsafe { AtomicU8::from_ptr(byte) };
        // `stop` has the fences.
        byte.store(exit.into(), Ordering::Relaxed);
    }
}

impl RunPage {
    /// Maps the page of the virtual processor behind `fd`; `len` is what
    /// `KVM_GET_VCPU_MMAP_SIZE` says.
    pub(crate) fn map(fd: BorrowedFd<'_>, len: usize) -> io::Result<Self> {
        if len < size_of::<kvm_run>() {
            return Err(io::Error::other("KVM's run page is smaller than its layout"));
        }
        Ok(Self { memory: Arc::new(Mapping::file(fd, 0, len)?) })
    }

    /// The handle for other threads.
    pub(crate) fn exit_byte(&self) -> ExitByte {
        ExitByte { memory: self.memory.clone() }
    }

    fn run(&self) -> *mut kvm_run {
        self.memory.as_ptr().cast()
    }

    /// Whether the kernel copies the registers into the page at each exit (api.rst,
    /// section 5, `kvm_valid_regs`).
    pub(crate) fn ask_for_registers(&mut self, ask: bool) {
        let fields = if ask { KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS } else { 0 };
        // SAFETY: valid memory (rule 4), ours alone now (rule 2).
        unsafe { addr_of_mut!((*self.run()).kvm_valid_regs).write(fields.into()) };
    }

    /// The general registers, as of the last exit that was asked to bring them.
    pub(crate) fn registers(&self) -> kvm_regs {
        // SAFETY: valid memory (rule 4), ours alone now (rule 2); any bits are a `kvm_regs`.
        unsafe { addr_of!((*self.run()).s.regs.regs).read() }
    }

    /// The system registers, as of the last exit that was asked to bring them.
    pub(crate) fn system_registers(&self) -> kvm_sregs {
        // SAFETY: as in `registers`.
        unsafe { addr_of!((*self.run()).s.regs.sregs).read() }
    }

    /// Has the next entry load these registers.
    pub(crate) fn set_registers(&mut self, registers: &kvm_regs) {
        // SAFETY: valid memory (rule 4), ours alone now (rule 2).
        unsafe {
            addr_of_mut!((*self.run()).s.regs.regs).write(*registers);
            let dirty = addr_of_mut!((*self.run()).kvm_dirty_regs);
            dirty.write(dirty.read() | u64::from(KVM_SYNC_X86_REGS));
        }
    }

    /// What the last successful `KVM_RUN` reported.
    pub(crate) fn report(&self) -> Raw {
        let run = self.run();
        // SAFETY: valid memory (rule 4), ours alone now (rule 2).
        let reason = unsafe { addr_of!((*run).exit_reason).read() };
        match reason {
            KVM_EXIT_IO => {
                // SAFETY: as above; the reason says which member of the union is filled,
                // and all of them are plain numbers.
                let io = unsafe { addr_of!((*run).__bindgen_anon_1.io).read() };
                let mut data = [0; 4];
                let width = usize::from(io.size).min(data.len());
                let from = self.memory.range(io.data_offset as usize, width);
                // SAFETY: in range, and ours alone now (rule 2).
                unsafe { std::ptr::copy_nonoverlapping(from, data.as_mut_ptr(), width) };
                Raw::Io {
                    out: u32::from(io.direction) == KVM_EXIT_IO_OUT,
                    port: io.port,
                    count: io.count,
                    data: u32::from_le_bytes(data),
                }
            }
            KVM_EXIT_MMIO => {
                // SAFETY: as for KVM_EXIT_IO.
                let mmio = unsafe { addr_of!((*run).__bindgen_anon_1.mmio).read() };
                Raw::Mmio { address: mmio.phys_addr, write: mmio.is_write != 0 }
            }
            KVM_EXIT_INTERNAL_ERROR => {
                // SAFETY: as for KVM_EXIT_IO.
                let internal = unsafe { addr_of!((*run).__bindgen_anon_1.internal).read() };
                Raw::Internal { suberror: internal.suberror }
            }
            KVM_EXIT_MEMORY_FAULT => Raw::MemoryFault,
            other => Raw::Other { reason: other },
        }
    }

    /// Sets what a pending `in` reads: all ones, as from a bus on which nobody answers.
    pub(crate) fn answer_ones(&mut self) {
        let run = self.run();
        // SAFETY: valid memory (rule 4), ours alone now (rule 2); the caller's last exit was
        // KVM_EXIT_IO.
        let io = unsafe { addr_of!((*run).__bindgen_anon_1.io).read() };
        let len = usize::from(io.size) * io.count as usize;
        let to = self.memory.range(io.data_offset as usize, len);
        // SAFETY: in range, and ours alone now (rule 2).
        unsafe { std::ptr::write_bytes(to, 0xff, len) };
    }
}

impl Drop for RunPage {
    fn drop(&mut self) {
        // Rule 4. Without other handles the mapping goes anyway. A failure keeps the virtual
        // processor's memory for as long as somebody holds a kick handle, and nothing worse.
        if Arc::strong_count(&self.memory) > 1 {
            drop(self.memory.detach());
        }
    }
}
