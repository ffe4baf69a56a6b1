//! One virtual processor: its initial state, and the loop that runs it until an exit.
//!
//! The loop allocates nothing, takes no lock and moves no register: entering costs a fence
//! and a load for those who want to stop it, and the ioctl. Registers come and go through the
//! run page (KVM_CAP_SYNC_REGS), only when asked for.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use kvm_bindings::kvm_regs;
use kvm_ioctls::VcpuFd;
use shared_model::address::GuestVirtual;
use shared_model::boot::{GATE_STRIDE, RETURN_GATE};
use shared_model::registers::{FLAGS_INITIAL, FLAGS_VISIBLE, Registers};

use super::exits::{Step, failure, meaning};
use super::kick::{HostThread, KickHandle};
use super::run_page::RunPage;
use super::stop::Byte;

/// `_IO(KVMIO, 0x80)` (linux/kvm.h).
const KVM_RUN: libc::c_ulong = 0xae80;
/// Answers to one `in` that a string instruction may ask for before it is given up.
const SETTLE_MAX: usize = 64;

/// A virtual processor.
#[derive(Debug)]
pub(crate) struct Vcpu {
    fd: VcpuFd,
    // Before `page`, which then sees whether other handles are left.
    kick: KickHandle,
    page: RunPage,
    gates: GuestVirtual,
    /// The page's registers are the thread's, and nothing of the last exit is pending.
    settled: bool,
    /// The last exit asked for more than it was given, and KVM still waits for it.
    unfinished: bool,
    /// The last exit was an `in`, which waits for its data.
    input: bool,
    /// How often the domain's mappings have changed: now, and when the last run began.
    changes: Arc<AtomicU64>,
    changes_seen: u64,
    /// What the last run ended with, where nobody has made sense of it yet.
    pub(crate) pending: Option<Step>,
    /// Calls of `KVM_RUN`, for measuring what an exit costs.
    entries: u64,
}

impl Vcpu {
    /// Makes a thread's processor of one that is new or has been put aside. The run page is
    /// mapped anew, so that handles of a thread before it point elsewhere.
    pub(crate) fn new(
        fd: VcpuFd,
        page_size: usize,
        gates: GuestVirtual,
        changes: Arc<AtomicU64>,
    ) -> io::Result<Self> {
        // SAFETY: `fd` stays open for the whole call.
        let borrowed = unsafe { BorrowedFd::borrow_raw(fd.as_raw_fd()) };
        let mut page = RunPage::map(borrowed, page_size)?;
        // A thread before may have left its wishes there.
        page.ask_for_registers(false);
        page.set_registers(&to_kvm(&Registers::default()));
        let kick = KickHandle::new(page.exit_byte());
        Ok(Self {
            fd,
            page,
            kick,
            gates,
            changes,
            changes_seen: 0,
            pending: None,
            settled: true,
            unfinished: false,
            input: false,
            entries: 0,
        })
    }

    pub(crate) const fn kick(&self) -> &KickHandle {
        &self.kick
    }

    pub(crate) const fn entries(&self) -> u64 {
        self.entries
    }

    /// Ends the thread: its handles do nothing from now on. Returns its entries, and what is left,
    /// which can be another's unless KVM cannot be brought to forget the last exit.
    pub(crate) fn retire(mut self) -> (u64, Option<VcpuFd>) {
        self.settle();
        (self.entries, (!self.unfinished).then_some(self.fd))
    }

    /// Runs until something happens.
    pub(crate) fn run(&mut self) -> Step {
        self.changes_seen = self.changes.load(Ordering::Acquire);
        self.kick.stop().begin(HostThread::current().0);
        let mut entered = false;
        let step = loop {
            if self.kick.stop().is_asked() {
                if !(entered && self.is_at_gate()) {
                    self.kick.stop().answer();
                    break Step::Kicked;
                }
                // An exception has been delivered and its gate has not spoken yet. The gate's
                // next instruction is an exit, so whoever asked can wait for it; nobody is to
                // see a thread in between. Looking has set the exit byte.
                self.kick.stop().go_on();
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
        self.kick.stop().end();
        self.input = matches!(step, Step::Port { input: true, .. });
        step
    }

    /// Whether the domain's mappings have changed since the last run began, so that what was
    /// refused then may be allowed now.
    pub(crate) fn is_outdated(&self) -> bool {
        self.changes.load(Ordering::Acquire) != self.changes_seen
    }

    /// Whether the next instruction is a gate's `out`.
    fn is_at_gate(&mut self) -> bool {
        let offset = self.registers().rip.wrapping_sub(self.gates.0);
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
            // Who asks at the same time writes the same value, and the next run clears it.
            exit.set(true);
            self.unfinished = self.enter().is_ok();
            if !self.unfinished {
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
