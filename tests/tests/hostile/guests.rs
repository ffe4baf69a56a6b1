//! Guests that flood, lie and spin, on every backend that is there.

use std::time::Duration;

use lcd::Backend;
use lcd::differential::{self, Case, Field, Outcome};
use lcd_tests::elf::{Elf, READ_EXECUTE, Segment};
use native_vmx::HostClass;
use shared_model::address::GuestVirtual;
use shared_model::bundle::Bundle;
use shared_model::compare::Divergence;
use shared_model::event::{Event, EventKind};
use shared_model::exit::{End, KillReason};
use shared_model::registers::RSP;
use shared_model::report::RunReport;
use shared_model::world::{DomainPlan, World};

/// mov %gs:0, %rbx: the UTCB.
const UTCB: [u8; 9] = [0x65, 0x48, 0x8b, 0x1c, 0x25, 0, 0, 0, 0];

/// A world with one domain that runs these instructions.
fn guest(code: &[&[u8]]) -> Bundle {
    let segment = Segment::new(0x40_0000, READ_EXECUTE, &code.concat());
    let mut bundle = Bundle::new(World::single(DomainPlan::new("main", "guest")));
    let elf = Elf::executable(0x40_0000, vec![segment]).bytes();
    let file = bundle.add_file("guest", &elf);
    bundle.modules.insert("guest".into(), vec![file]);
    bundle
}

fn field() -> Field {
    vec![(Backend::Native, lcd_tests::native()), (Backend::Sim, Ok(()))]
}

#[track_caller]
fn agrees(bundle: &Bundle) -> Case {
    let case = differential::case(bundle, &field(), None);
    let expected = match lcd_tests::native_or_note() {
        true => Outcome::Agree,
        false => Outcome::Skipped,
    };
    assert_eq!(case.outcome, expected, "{:?} {:?}", case.reason, case.divergence);
    case
}

#[test]
fn a_flood_of_messages_ends_at_a_limit_and_the_console_stays_small() {
    // movq $3840, (%rbx); mov $32, %eax; out %eax, $0xe0; jmp back
    let flood =
        [0x48, 0xc7, 0x03, 0x00, 0x0f, 0x00, 0x00, 0xb8, 32, 0, 0, 0, 0xe7, 0xe0, 0xeb, 0xf0];
    let mut bundle = guest(&[&UTCB, &flood]);
    bundle.world.limits.instructions = 20_000;
    for (backend, available) in field() {
        if available.is_err() {
            continue;
        }
        let run = lcd::run(&bundle, backend, Some(Duration::from_secs(2))).expect("it runs");
        let report = RunReport::from_log(&run.log);
        let end = report.domains[0].end();
        assert_eq!(end, Some(&End::Killed(KillReason::Timeout)), "{backend}");
        assert!(report.domains[0].console.len() <= 4 << 20, "{backend}");
    }
}

#[test]
fn a_log_that_grows_without_end_ends_the_run() {
    // 1: mov $33, %eax; out %eax, $0xe0; jmp 1b
    let mut bundle = guest(&[&[0xb8, 33, 0, 0, 0, 0xe7, 0xe0, 0xeb, 0xf7]]);
    bundle.world.limits.events = 500;
    for (backend, available) in field() {
        if available.is_err() {
            continue;
        }
        let run = lcd::run(&bundle, backend, None).expect("it runs");
        let last = run.log.events.iter().rev().find_map(|event| match &event.kind {
            EventKind::Ended { end, .. } => Some(end.clone()),
            _ => None,
        });
        assert_eq!(last, Some(End::Killed(KillReason::Timeout)), "{backend}");
        assert!(run.log.events.len() < 700, "{backend}: {}", run.log.events.len());
    }
}

#[test]
fn every_call_with_a_utcb_of_ones_is_refused_alike() {
    // lea (%rbx), %rdi; mov $4096, %ecx; mov $-1, %al; rep stosb
    let fill = [0x48, 0x8d, 0x3b, 0xb9, 0, 0x10, 0, 0, 0xb0, 0xff, 0xf3, 0xaa];
    let mut code: Vec<Vec<u8>> = vec![UTCB.to_vec()];
    for number in (0..64_u32).chain([0x100, 0x7fff_ffff, u32::MAX]).filter(|&n| n != 8) {
        code.push(fill.to_vec());
        code.push([&[0xb8][..], &number.to_le_bytes(), &[0xe7, 0xe0]].concat());
    }
    code.push(vec![0xc3]);
    let parts: Vec<_> = code.iter().map(Vec::as_slice).collect();
    let case = agrees(&guest(&parts));
    assert!(case.events > 66, "{}", case.events);
}

#[test]
fn a_width_other_than_the_documented_one_is_a_number_all_the_same() {
    // out %al, $0xe0 and out %ax, $0xe0 with garbage above, then out %eax to the port beside
    let code = [0xb8, 0x21, 0xff, 0xff, 0xff, 0xe6, 0xe0, 0x66, 0xe7, 0xe0, 0xe7, 0xe1, 0xc3];
    agrees(&guest(&[&code]));
}

#[test]
fn system_instructions_end_their_domain_alike() {
    for code in [
        &[0xf4][..],         // hlt
        &[0xfa],             // cli
        &[0x0f, 0x01, 0xd9], // vmmcall
        &[0x0f, 0x22, 0xd8], // mov %rax, %cr3
        &[0x0f, 0x20, 0xd8], // mov %cr3, %rax
        &[0x0f, 0x30],       // wrmsr
        &[0x0f, 0x32],       // rdmsr
        &[0x0f, 0x01, 0x38], // invlpg (%rax)
        &[0x0f, 0x01, 0x10], // lgdt (%rax)
        &[0xee],             // out %al, %dx
        &[0x6c],             // insb
        &[0x0f, 0x09],       // wbinvd
    ] {
        let case = differential::case(&guest(&[code]), &field(), None);
        let poisoned = case.outcome == Outcome::Poisoned;
        assert!(poisoned || case.outcome != Outcome::Diverge, "{code:x?}: {:?}", case.reason);
        assert!(case.backends.iter().all(|run| run.error.is_none()), "{code:x?}");
    }
}

/// Whether a host may have interpreted the code where the machines differ. Hosts without
/// hardware virtualization do so as long as the stack pointer is no canonical address, and
/// when an instruction raises #GP or #SS; their interpreter is not the processor. Some of them
/// also report `int1`, a trap, at the instruction instead of after it.
fn was_interpreted(divergence: &Divergence) -> bool {
    if native_vmx::probe().class != HostClass::EmulatedRings {
        return false;
    }
    let parts = |event: &Option<Event>| match event.as_ref().map(|event| &event.kind) {
        Some(EventKind::Ended { end, registers, .. }) => {
            let vector = match end {
                End::Killed(KillReason::Exception { vector, .. }) => Some(*vector),
                _ => None,
            };
            Some((vector, GuestVirtual(registers.general[RSP]).is_canonical()))
        }
        _ => None,
    };
    let (native, sim) = (parts(&divergence.left), parts(&divergence.right));
    let wild_stack = [native, sim].into_iter().flatten().any(|(_, canonical)| !canonical);
    let vectors = (native.and_then(|(v, _)| v), sim.and_then(|(v, _)| v));
    wild_stack || matches!(vectors, (Some(6), Some(12 | 13)) | (Some(1), Some(1)))
}

#[test]
fn code_that_makes_no_sense_ends_its_domain_alike() {
    let mut random = lcd_tests::Random::new(5);
    let mut outcomes = std::collections::BTreeMap::new();
    for _ in 0..400 {
        let code: Vec<u8> = (0..64).map(|_| random.word() as u8).collect();
        let mut bundle = guest(&[&code]);
        bundle.world.limits.instructions = 100_000;
        bundle.world.limits.milliseconds = 100;
        let case = differential::case(&bundle, &field(), None);
        *outcomes.entry(format!("{:?}", case.outcome)).or_insert(0) += 1;
        let reason = case.reason.as_deref().unwrap_or_default();
        if let Some(divergence) = &case.divergence {
            assert!(was_interpreted(divergence), "{code:x?}: {reason} {divergence:?}");
        }
        assert!(case.backends.iter().all(|run| run.error.is_none()), "{code:x?}: {reason}");
    }
    println!("{outcomes:?}");
}
