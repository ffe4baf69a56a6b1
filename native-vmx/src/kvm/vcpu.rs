//! One virtual processor: its initial state, and the loop that runs it until an exit.
//!
//! The loop allocates nothing, takes no lock and moves no register: entering costs two
//! atomic stores and a load for kicks, and the ioctl. Registers come and go through the
//! run page (KVM_CAP_SYNC_REGS), only when asked for.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use kvm_bindings::{
    CpuId, KVM_MAX_CPUID_ENTRIES, Msrs, kvm_cpuid_entry2, kvm_msr_entry, kvm_regs, kvm_segment,
    kvm_sregs,
};
use kvm_ioctls::VcpuFd;
use shared_model::arch::Kick;
use shared_model::boot::{
    CODE_SELECTOR, DATA_SELECTOR, GATE_STRIDE, GDT_LIMIT, IDT_LIMIT, RETURN_GATE, TASK_LIMIT,
    TASK_SELECTOR,
};
use shared_model::domain::DomainId;
use shared_model::registers::{FLAGS_INITIAL, FLAGS_VISIBLE, Registers, SystemRegisters};

use super::exits::{Step, failure, meaning};
use super::kick::{HostThread, KickHandle};
use super::run_page::RunPage;

/// `_IO(KVMIO, 0x80)` (linux/kvm.h).
const KVM_RUN: libc::c_ulong = 0xae80;
/// Answers to one `in` that a string instruction may ask for before it is given up.
const SETTLE_MAX: usize = 64;

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

/// A privilege level.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ring {
    Zero,
    Three,
}

/// A virtual processor.
#[derive(Debug)]
pub(crate) struct Vcpu {
    fd: VcpuFd,
    // Before `page`, which then sees whether other handles are left.
    kick: KickHandle,
    page: RunPage,
    domain: DomainId,
    system: SystemRegisters,
    /// The page's registers are the thread's, and nothing of the last exit is pending.
    settled: bool,
    /// The last exit was an `in`, which waits for its data.
    input: bool,
    /// Calls of `KVM_RUN`, for measuring what an exit costs.
    entries: u64,
}

impl Vcpu {
    pub(crate) fn new(
        fd: VcpuFd,
        page_size: usize,
        domain: DomainId,
        system: &SystemRegisters,
        ring: Ring,
    ) -> io::Result<Self> {
        // SAFETY: `fd` stays open for the whole call.
        let borrowed = unsafe { BorrowedFd::borrow_raw(fd.as_raw_fd()) };
        let mut page = RunPage::map(borrowed, page_size)?;
        fd.set_cpuid2(&cpuid()?)?;
        fd.set_sregs(&system_registers(fd.get_sregs()?, system, ring))?;
        let lstar = kvm_msr_entry {
            index: MSR_LSTAR,
            data: system.gates.0 + SYSCALL_GATE * GATE_STRIDE,
            ..Default::default()
        };
        let lstar = Msrs::from_entries(&[lstar]).map_err(|_| io::ErrorKind::OutOfMemory)?;
        // A host that has no such register needs no gate for it either.
        fd.set_msrs(&lstar)?;
        page.set_registers(&to_kvm(&Registers::default()));
        let kick = KickHandle::new(page.exit_byte());
        Ok(Self {
            fd,
            page,
            kick,
            domain,
            system: *system,
            settled: true,
            input: false,
            entries: 0,
        })
    }

    pub(crate) const fn domain(&self) -> DomainId {
        self.domain
    }

    pub(crate) const fn system(&self) -> &SystemRegisters {
        &self.system
    }

    pub(crate) const fn kick(&self) -> &KickHandle {
        &self.kick
    }

    pub(crate) const fn entries(&self) -> u64 {
        self.entries
    }

    /// Runs until something happens.
    pub(crate) fn run(&mut self) -> Step {
        self.kick.begin(HostThread::current());
        let (mut entered, mut owed) = (false, false);
        let step = loop {
            if self.kick.rearm() {
                if !(entered && self.is_at_gate()) {
                    break Step::Kicked;
                }
                // An exception has been delivered and its gate has not spoken yet. The gate's
                // next instruction is an exit, so the kick can wait for it; nobody is to see
                // a thread in between.
                owed = true;
            }
            if self.settled {
                self.page.ask_for_registers(false);
                self.settled = false;
            }
            entered = true;
            let step = match self.enter() {
                Ok(()) => meaning(self.page.report()),
                Err(error) => failure(&error),
            };
            if step != Step::Again {
                break step;
            }
        };
        self.kick.end();
        if owed {
            self.kick.kick();
        }
        self.input = matches!(step, Step::Port { input: true, .. });
        step
    }

    /// Whether the next instruction is a gate's `out`.
    fn is_at_gate(&mut self) -> bool {
        let offset = self.registers().rip.wrapping_sub(self.system.gates.0);
        offset <= RETURN_GATE && offset.is_multiple_of(GATE_STRIDE)
    }

    fn enter(&mut self) -> io::Result<()> {
        self.entries += 1;
        // SAFETY: a KVM_RUN on our own virtual processor. The kernel writes to the run page
        // (rule 2 of `run_page`) and to the domain's frames (rule 3 of `mapping`).
        let result = unsafe { libc::ioctl(self.fd.as_raw_fd(), KVM_RUN, 0) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Completes the last exit and brings the registers into the page.
    ///
    /// Where the processor runs `out` itself, KVM reports it before it moves RIP past it
    /// (arch/x86/kvm/x86.c, `kvm_fast_pio`); where it is emulated, after. One run that
    /// returns before the guest is entered completes it, and is also the cheapest way to
    /// ask for registers.
    fn settle(&mut self) {
        if self.settled {
            return;
        }
        self.page.ask_for_registers(true);
        let exit = self.page.exit_byte();
        for _ in 0..SETTLE_MAX {
            if self.input {
                self.page.answer_ones();
            }
            // A kick at the same time writes the same value; the next run rearms.
            exit.set(true);
            if self.enter().is_err() {
                break;
            }
            // A string instruction asks for more.
        }
        self.input = false;
        self.settled = true;
    }

    /// The registers now.
    pub(crate) fn registers(&mut self) -> Registers {
        self.settle();
        from_kvm(&self.page.registers())
    }

    /// CR2 and the bases of `fs` and `gs`.
    pub(crate) fn cr2_and_bases(&mut self) -> (u64, u64, u64) {
        self.settle();
        let system = self.page.system_registers();
        (system.cr2, system.fs.base, system.gs.base)
    }

    /// Replaces the registers.
    pub(crate) fn set_registers(&mut self, registers: &Registers) {
        // Something pending would be completed with the new registers otherwise.
        self.settle();
        self.page.set_registers(&to_kvm(registers));
    }
}

/// The flags as everybody sees them: what a program can change, and fixed system bits.
pub(crate) const fn visible_flags(rflags: u64) -> u64 {
    FLAGS_INITIAL | rflags & FLAGS_VISIBLE
}

fn from_kvm(r: &kvm_regs) -> Registers {
    Registers {
        general: [
            r.rax, r.rcx, r.rdx, r.rbx, r.rsp, r.rbp, r.rsi, r.rdi, r.r8, r.r9, r.r10, r.r11,
            r.r12, r.r13, r.r14, r.r15,
        ],
        rip: r.rip,
        rflags: visible_flags(r.rflags),
    }
}

const fn to_kvm(registers: &Registers) -> kvm_regs {
    let [rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15] =
        registers.general;
    let (rip, rflags) = (registers.rip, visible_flags(registers.rflags));
    kvm_regs {
        rax,
        rbx,
        rcx,
        rdx,
        rsi,
        rdi,
        rsp,
        rbp,
        r8,
        r9,
        r10,
        r11,
        r12,
        r13,
        r14,
        r15,
        rip,
        rflags,
    }
}

fn system_registers(reset: kvm_sregs, system: &SystemRegisters, ring: Ring) -> kvm_sregs {
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
    let mut sregs = reset;
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
fn cpuid() -> io::Result<CpuId> {
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

#[cfg(test)]
mod tests {
    use super::{from_kvm, to_kvm};
    use shared_model::registers::{FLAGS_INITIAL, Registers};

    #[test]
    fn registers_round_trip_and_system_flags_do_not() {
        let mut registers = Registers { rip: 99, rflags: !0, ..Registers::default() };
        for (i, value) in registers.general.iter_mut().enumerate() {
            *value = 1000 + i as u64;
        }
        let back = from_kvm(&to_kvm(&registers));
        assert_eq!(back.general, registers.general);
        assert_eq!((back.rip, back.rflags), (99, 0xcd5 | FLAGS_INITIAL));
        assert_eq!(to_kvm(&registers).rbx, 1003, "hardware's order, not KVM's");
    }
}
