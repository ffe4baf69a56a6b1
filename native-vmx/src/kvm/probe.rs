//! What this host can do, by trying it: a tiny machine runs a counted loop at privilege
//! level 3 and at level 0. Where both take the same time, the processor runs both; where
//! level 0 takes a hundred times as long, the kernel interprets it.

use std::fs;
use std::time::{Duration, Instant};

use kvm_bindings::{
    KVM_CAP_COALESCED_PIO, KVM_CAP_IMMEDIATE_EXIT, KVM_CAP_IOEVENTFD, KVM_CAP_MAX_VCPUS,
    KVM_CAP_MEMORY_FAULT_INFO, KVM_CAP_NR_MEMSLOTS, KVM_CAP_SYNC_MMU, KVM_CAP_SYNC_REGS,
    KVM_CAP_USER_MEMORY,
};
use kvm_ioctls::Kvm;
use shared_model::abi::HYPERCALL_PORT;
use shared_model::address::{Frame, GuestPhysical, GuestVirtual};
use shared_model::arch::{Arch, DomainId, Kick, ThreadId};
use shared_model::boot;
use shared_model::exit::Exit;
use shared_model::paging::{PageTables, PhysicalRoom};
use shared_model::registers::{Registers, SystemRegisters};
use shared_model::rights::Rights;

use super::reset::Ring;
use super::{NativeArch, broken, device};
use crate::report::{Capability, HostClass, HostReport, Measured, Unavailable};

/// Times each thing is measured; the best counts, because a shared host only ever adds.
const ATTEMPTS: usize = 3;
/// Turns of the loop at level 3, two instructions each.
const TURNS: u64 = 500_000;
/// Turns at level 0, first: an interpreter takes milliseconds for these.
const TURNS_FEW: u64 = 2_000;
/// Level 0 is interpreted if an instruction takes this much longer than at level 3. The gap
/// between a processor and an interpreter is a factor of hundreds.
const INTERPRETED: f64 = 20.0;
/// When a guest that should have ended long ago is stopped.
const PATIENCE: Duration = Duration::from_secs(5);

/// Finds out what this host can do for native execution. Takes some tens of milliseconds.
pub fn probe() -> HostReport {
    let (vendor, model) = processor();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let (class, reason, measured) = match measure() {
        Ok(measured) => {
            let class = classify(&measured);
            (class, describe(class, &measured), Some(measured))
        }
        Err(unavailable) => (HostClass::Absent, unavailable.to_string(), None),
    };
    let kvm = device().ok();
    HostReport {
        class,
        reason,
        kvm_api_version: kvm.map(Kvm::get_api_version),
        capabilities: kvm.map(capabilities).unwrap_or_default(),
        processor_vendor: vendor,
        processor_model: model,
        kernel: kernel.trim().to_owned(),
        measured,
    }
}

fn classify(measured: &Measured) -> HostClass {
    // A level-3 instruction below the clock's resolution counts as a tenth of a nanosecond.
    let native = measured.ring3_per_instruction().max(0.1);
    if measured.ring0_per_instruction() > INTERPRETED * native {
        HostClass::EmulatedRings
    } else {
        HostClass::NativeRings
    }
}

fn describe(class: HostClass, measured: &Measured) -> String {
    let (three, zero) = (measured.ring3_per_instruction(), measured.ring0_per_instruction());
    let meaning = match class {
        HostClass::NativeRings => "the processor runs both levels",
        _ => "the kernel interprets level 0: exits cost more than on hardware virtualization",
    };
    format!("an instruction takes {three:.2} ns at level 3 and {zero:.2} ns at level 0; {meaning}")
}

fn capabilities(kvm: &Kvm) -> Vec<Capability> {
    [
        (KVM_CAP_USER_MEMORY, "USER_MEMORY"),
        (KVM_CAP_NR_MEMSLOTS, "NR_MEMSLOTS"),
        (KVM_CAP_SYNC_MMU, "SYNC_MMU"),
        (KVM_CAP_IOEVENTFD, "IOEVENTFD"),
        (KVM_CAP_MAX_VCPUS, "MAX_VCPUS"),
        (KVM_CAP_SYNC_REGS, "SYNC_REGS"),
        (KVM_CAP_IMMEDIATE_EXIT, "IMMEDIATE_EXIT"),
        (KVM_CAP_COALESCED_PIO, "COALESCED_PIO"),
        (KVM_CAP_MEMORY_FAULT_INFO, "MEMORY_FAULT_INFO"),
    ]
    .into_iter()
    .map(|(number, name)| Capability {
        name: name.to_owned(),
        value: kvm.check_extension_raw(number.into()),
    })
    .collect()
}

/// The vendor and the model name, as /proc/cpuinfo prints them.
fn processor() -> (String, String) {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        text.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.trim() == name)
            .map_or_else(|| String::from("unknown"), |(_, value)| value.trim().to_owned())
    };
    (field("vendor_id"), field("model name"))
}

const DOMAIN: DomainId = DomainId(0);
const LEVEL_3: ThreadId = ThreadId(0);
const LEVEL_0: ThreadId = ThreadId(1);
const CODE: GuestVirtual = GuestVirtual(0x10_0000);

/// Where each page of the tiny machine goes, guest-physical and guest-virtual alike.
const GDT: u64 = 0x20_0000;
const IDT: u64 = 0x20_1000;
const GATES: u64 = 0x20_2000;
const TASK: u64 = 0x20_3000;
const EXCEPTIONS: u64 = 0x20_4000;

fn measure() -> Result<Measured, Unavailable> {
    let mut arch = NativeArch::new()?;
    let system = build(&mut arch).map_err(|error| broken("a small machine fails", error))?;
    for (thread, ring) in [(LEVEL_3, Ring::Three), (LEVEL_0, Ring::Zero)] {
        arch.create(thread, DOMAIN, &system, ring)
            .map_err(|error| broken("a virtual processor fails", error))?;
    }
    // The first entry builds the host's translations; it is not what a run costs.
    turns(&mut arch, LEVEL_3, 1)?;
    let exit = best(|| turns(&mut arch, LEVEL_3, 1))?;
    let three = best(|| turns(&mut arch, LEVEL_3, TURNS))?;
    turns(&mut arch, LEVEL_0, 1)?;
    let exit_0 = best(|| turns(&mut arch, LEVEL_0, 1))?;
    let mut zero_turns = TURNS_FEW;
    let mut zero = best(|| turns(&mut arch, LEVEL_0, zero_turns))?;
    // Too short to time unless it is interpreted.
    if zero < Duration::from_micros(200) {
        zero_turns = TURNS;
        zero = best(|| turns(&mut arch, LEVEL_0, zero_turns))?;
    }
    let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    Ok(Measured {
        ring3_instructions: 2 * TURNS,
        ring3_nanoseconds: nanoseconds(three.saturating_sub(exit)),
        ring0_instructions: 2 * zero_turns,
        ring0_nanoseconds: nanoseconds(zero.saturating_sub(exit_0)),
        exit_round_trip_nanoseconds: nanoseconds(exit),
    })
}

fn best(
    mut attempt: impl FnMut() -> Result<Duration, Unavailable>,
) -> Result<Duration, Unavailable> {
    (0..ATTEMPTS).try_fold(Duration::MAX, |best, _| Ok(best.min(attempt()?)))
}

/// Runs the loop that many times and the hypercall at its end.
fn turns(arch: &mut NativeArch, thread: ThreadId, turns: u64) -> Result<Duration, Unavailable> {
    let mut registers = Registers { rip: CODE.0, ..Registers::default() };
    registers.general[1] = turns;
    arch.set_registers(thread, &registers);
    let kick = arch.kicker(thread);
    let (exit, time) = std::thread::scope(|scope| {
        let (done, waiting) = std::sync::mpsc::channel::<()>();
        scope.spawn(move || {
            if waiting.recv_timeout(PATIENCE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                kick.kick();
            }
        });
        let start = Instant::now();
        let exit = arch.run(thread, u64::MAX);
        let time = start.elapsed();
        drop(done);
        (exit, time)
    });
    match exit {
        Exit::Hypercall { .. } => Ok(time),
        other => Err(broken("a 64-bit guest does not run", format!("{other:?}"))),
    }
}

fn build(arch: &mut NativeArch) -> Result<SystemRegisters, String> {
    // 1: dec %rcx; jnz 1b; out %al, $HYPERCALL_PORT; ud2
    let code = [0x48, 0xff, 0xc9, 0x75, 0xfb, 0xe6, HYPERCALL_PORT as u8, 0x0f, 0x0b];
    let stack_top = GuestVirtual(EXCEPTIONS + 0x1000);
    let pages: [(u64, Rights, &[u8]); 6] = [
        (CODE.0, Rights::READ_EXECUTE, &code),
        (GDT, Rights::READ, &boot::gdt()[..]),
        (IDT, Rights::READ, &boot::idt(GuestVirtual(GATES))[..]),
        (GATES, Rights::READ_EXECUTE, &boot::gates()[..]),
        (TASK, Rights::READ, &boot::task(stack_top)[..]),
        (EXCEPTIONS, Rights::READ_WRITE, &[]),
    ];
    let mut room = PhysicalRoom::new(GuestPhysical(0x1000), GuestPhysical(0x10_0000));
    let mut tables = PageTables::new(&mut room).map_err(|error| error.to_string())?;
    arch.domain_create(DOMAIN).map_err(|error| error.to_string())?;
    let mut frames = (0..).map(Frame);
    let mut put = |arch: &mut NativeArch, page: u64, rights, bytes: &[u8]| {
        let frame = frames.next().ok_or("no frame left")?;
        let result = arch
            .frame_allocate(frame)
            .and_then(|()| arch.map(DOMAIN, GuestPhysical(page), frame, rights));
        result.map_err(|error| error.to_string())?;
        arch.frame_write(frame, 0, bytes);
        Ok::<(), String>(())
    };
    for (page, rights, bytes) in pages {
        tables
            .map(&mut room, GuestVirtual(page), GuestPhysical(page), rights)
            .map_err(|error| error.to_string())?;
        put(arch, page, rights, bytes)?;
    }
    for (page, table) in tables.pages() {
        let bytes: Vec<u8> = table.iter().flat_map(|entry| entry.to_le_bytes()).collect();
        put(arch, page.0, Rights::READ, &bytes)?;
    }
    Ok(SystemRegisters {
        page_table_root: tables.root(),
        gs_base: GuestVirtual(0),
        gdt: GuestVirtual(GDT),
        idt: GuestVirtual(IDT),
        task: GuestVirtual(TASK),
        gates: GuestVirtual(GATES),
        exception_stack: GuestPhysical(EXCEPTIONS),
    })
}

#[cfg(test)]
mod tests {
    use super::{classify, probe};
    use crate::report::{HostClass, HostReport, Measured};

    fn measured(three: u64, zero: u64) -> Measured {
        Measured {
            ring3_instructions: 1000,
            ring3_nanoseconds: three,
            ring0_instructions: 1000,
            ring0_nanoseconds: zero,
            exit_round_trip_nanoseconds: 1000,
        }
    }

    #[test]
    fn the_class_is_the_ratio_of_the_two_levels() {
        assert_eq!(classify(&measured(150, 150)), HostClass::NativeRings);
        assert_eq!(classify(&measured(0, 800)), HostClass::NativeRings);
        assert_eq!(classify(&measured(150, 400_000)), HostClass::EmulatedRings);
    }

    #[test]
    fn the_report_serialises_and_an_absence_has_its_reason() {
        let report = probe();
        println!("{report}");
        assert_eq!(report.class == HostClass::Absent, report.measured.is_none());
        assert!(!report.reason.is_empty());
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<HostReport>(&text).unwrap(), report);
    }
}
