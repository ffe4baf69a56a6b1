//! The state that every thread starts from, whether KVM's virtual processor is new or was
//! another thread's of the same domain.
//!
//! KVM keeps a virtual processor until its virtual machine goes, so a domain whose threads
//! come and go has to use them again, and one that survives with a register of the thread
//! before would be a channel. Nothing is taken over: every group of registers that a
//! program at level 3, or an exit on its behalf, can change is set in full.
//!
//! Not set, because level 3 cannot change them: `cpuid`, XCR0, the APIC's registers, and all
//! MSRs but the one below.

use std::io;

use kvm_bindings::{
    CpuId, KVM_MAX_CPUID_ENTRIES, KVM_VCPUEVENT_VALID_NMI_PENDING, KVM_VCPUEVENT_VALID_SHADOW,
    KVM_VCPUEVENT_VALID_TRIPLE_FAULT, Msrs, kvm_cpuid_entry2, kvm_debugregs, kvm_msr_entry,
    kvm_segment, kvm_sregs, kvm_vcpu_events, kvm_xsave,
};
use kvm_ioctls::VcpuFd;
use shared_model::boot::{
    CODE_SELECTOR, DATA_SELECTOR, GATE_STRIDE, GDT_LIMIT, IDT_LIMIT, TASK_LIMIT, TASK_SELECTOR,
};
use shared_model::registers::SystemRegisters;

/// CR0: paging, write protection also for level 0, native x87 errors, protection. Without
/// AM, so that a domain's alignment flag means nothing.
const CR0: u64 = 1 << 31 | 1 << 16 | 1 << 5 | 1 << 4 | 1 << 1 | 1;
/// CR4: PAE, SSE and its exceptions, and no clock at level 3 (where the host honours that).
const CR4: u64 = 1 << 5 | 1 << 9 | 1 << 10 | 1 << 2;
/// EFER: long mode, active; no-execute. Without SCE, so that `syscall` is invalid.
const EFER: u64 = 1 << 8 | 1 << 10 | 1 << 11;
/// Where `syscall` leads, on hosts that ignore SCE (Intel SDM vol. 4, IA32_LSTAR).
const MSR_LSTAR: u32 = 0xc000_0082;
/// The gate that `syscall` is led to there: invalid opcode, which is what it should raise.
const SYSCALL_GATE: u64 = 6;
/// DR6 and DR7 after a reset (Intel SDM vol. 3, table 10-1).
const DEBUG: (u64, u64) = (0xffff_0ff0, 0x400);

/// A privilege level.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ring {
    Zero,
    Three,
}

/// What a virtual machine's processors can be told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Abilities {
    /// A shutdown that is due can be called off (KVM_CAP_X86_TRIPLE_FAULT_EVENT, Linux 6.0).
    /// Without it, one that a kick overtook would be the next thread's; the two are of the
    /// same domain, so it harms only itself.
    pub(crate) triple_fault: bool,
}

/// Sets everything but the general registers, which travel in the run page.
///
/// No exit's effect may be pending.
pub(crate) fn reset(
    fd: &VcpuFd,
    abilities: Abilities,
    system: &SystemRegisters,
    ring: Ring,
) -> io::Result<()> {
    let apic_base = fd.get_sregs()?.apic_base;
    fd.set_sregs(&system_registers(apic_base, system, ring))?;
    // After the system registers, which bring their own idea of a pending interrupt.
    fd.set_vcpu_events(&no_events(abilities))?;
    // SAFETY: the kernel reads 4096 bytes, and no more unless the process has asked for
    // larger states to be enabled (arch_prctl, ARCH_REQ_XCOMP_GUEST_PERM), which it has not.
    unsafe { fd.set_xsave(&initial_extended_state())? };
    let (dr6, dr7) = DEBUG;
    fd.set_debug_regs(&kvm_debugregs { dr6, dr7, ..Default::default() })?;
    let lstar = kvm_msr_entry {
        index: MSR_LSTAR,
        data: system.gates.0 + SYSCALL_GATE * GATE_STRIDE,
        ..Default::default()
    };
    let lstar = Msrs::from_entries(&[lstar]).map_err(|_| io::ErrorKind::OutOfMemory)?;
    // A host that has no such register needs no gate for it either.
    fd.set_msrs(&lstar)?;
    Ok(())
}

/// Nothing being delivered, nothing pending, and no shadow of a `mov %ss` in which nothing
/// may be delivered.
fn no_events(abilities: Abilities) -> kvm_vcpu_events {
    let mut flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW;
    if abilities.triple_fault {
        flags |= KVM_VCPUEVENT_VALID_TRIPLE_FAULT;
    }
    kvm_vcpu_events { flags, ..Default::default() }
}

/// What `fninit` leaves, MXCSR as after a reset, and every other register of the XSAVE area
/// zero (Intel SDM vol. 1, 13.4.1 and 13.6).
fn initial_extended_state() -> kvm_xsave {
    /// Words of the area: the control word, MXCSR, and which components follow.
    const FCW: usize = 0;
    const MXCSR: usize = 6;
    const COMPONENTS: usize = 128;
    let mut state = kvm_xsave::default();
    state.region[FCW] = 0x37f;
    state.region[MXCSR] = 0x1f80;
    // x87 and SSE are as said here, and what is not named is initialised. SSE is named
    // because hosts that keep the standard form take MXCSR from it only then.
    state.region[COMPONENTS] = 0b11;
    state
}

fn system_registers(apic_base: u64, system: &SystemRegisters, ring: Ring) -> kvm_sregs {
    let dpl = if ring == Ring::Three { 3 } else { 0 };
    let (code, data) = match ring {
        Ring::Three => (CODE_SELECTOR, DATA_SELECTOR),
        Ring::Zero => (0x10, 0x18),
    };
    // Descriptor types, accessed already: Intel SDM vol. 3, tables 3-1 and 3-2.
    let flat = |selector, type_, l| kvm_segment {
        limit: u32::MAX,
        selector,
        type_,
        present: 1,
        dpl,
        db: 1 - l,
        s: 1,
        l,
        g: 1,
        ..Default::default()
    };
    let none = kvm_segment { unusable: 1, present: 0, ..flat(0, 3, 0) };
    let mut sregs = kvm_sregs { apic_base, ..Default::default() };
    sregs.cr0 = CR0;
    sregs.cr3 = system.page_table_root.0;
    sregs.cr4 = CR4;
    sregs.efer = EFER;
    sregs.cs = flat(code, 0xb, 1);
    sregs.ss = flat(data, 3, 0);
    (sregs.ds, sregs.es, sregs.fs) = (none, none, none);
    sregs.gs = kvm_segment { base: system.gs_base.0, ..none };
    sregs.tr = kvm_segment {
        base: system.task.0,
        limit: TASK_LIMIT.into(),
        selector: TASK_SELECTOR,
        type_: 0xb,
        present: 1,
        ..Default::default()
    };
    sregs.ldt = kvm_segment { unusable: 1, ..Default::default() };
    sregs.gdt.base = system.gdt.0;
    sregs.gdt.limit = GDT_LIMIT;
    sregs.idt.base = system.idt.0;
    sregs.idt.limit = IDT_LIMIT;
    sregs
}

/// What `cpuid` says: the first x86-64 processors' features and no more, so that a program
/// that asks finds nothing that the state here does not enable (no XSAVE, so no AVX).
///
/// The vendor is the host's, because KVM's own behaviour for a guest depends on it.
pub(crate) fn cpuid() -> io::Result<CpuId> {
    let vendor = std::arch::x86_64::__cpuid(0);
    let entry = |function, eax, ebx, ecx, edx| kvm_cpuid_entry2 {
        function,
        eax,
        ebx,
        ecx,
        edx,
        ..Default::default()
    };
    // Intel SDM vol. 2, CPUID: FPU, TSC, MSR, PAE, CX8, SEP, PGE, CMOV, MMX, FXSR, SSE, SSE2.
    let features = 0x0780_a971;
    // The same for AMD's numbers: SYSCALL, NX, LM.
    let extended = 1 << 11 | 1 << 20 | 1 << 29;
    let entries = [
        entry(0, 1, vendor.ebx, vendor.ecx, vendor.edx),
        entry(1, 0, 0, 0, features),
        entry(0x8000_0000, 0x8000_0008, vendor.ebx, vendor.ecx, vendor.edx),
        entry(0x8000_0001, 0, 0, 0, extended),
        // 36 bits of physical and 48 of linear address.
        entry(0x8000_0008, 48 << 8 | 36, 0, 0, 0),
    ];
    const { assert!(5 <= KVM_MAX_CPUID_ENTRIES) };
    CpuId::from_entries(&entries).map_err(|_| io::ErrorKind::OutOfMemory.into())
}
