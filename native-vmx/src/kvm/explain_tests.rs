//! Cold exits without a guest.

use shared_model::abi::{EXCEPTION_PORT, RETURN_PORT};
use shared_model::address::{GuestPhysical, GuestVirtual};
use shared_model::boot::{GATE_STRIDE, RETURN_GATE};
use shared_model::exit::{Access, Exit};
use shared_model::registers::{CF, FLAGS_INITIAL, RSP, Registers, SystemRegisters};
use shared_model::rights::Rights;

use super::super::exits::Step;
use super::super::refused::tests::{CODE, Pages};
use super::{Explained, Scene, explain};

const GATES: u64 = 0x40_0000;
const EXCEPTION_STACK: u64 = 0x50_0000;
const REFUSED: Step = Step::Refused { known: None, host: "EFAULT" };

/// A thread at the gate of `vector` with these six words at the end of its exception stack.
fn at_gate(vector: u8, words: [u64; 6], cr2: u64) -> (Pages, Registers, u64) {
    let mut pages = Pages::new(&[0x0f, 0x0b]);
    let mut stack = vec![0; 0x1000];
    for (i, word) in words.iter().enumerate() {
        stack[0xfd0 + 8 * i..][..8].copy_from_slice(&word.to_le_bytes());
    }
    pages.pages.insert(GuestPhysical(EXCEPTION_STACK), (Rights::READ_WRITE, stack));
    let mut registers =
        Registers { rip: GATES + u64::from(vector) * GATE_STRIDE + 2, ..Registers::default() };
    let pushed = if matches!(vector, 13 | 14) { 48 } else { 40 };
    registers.general[RSP] = 0x7000_1000 - pushed;
    (pages, registers, cr2)
}

fn run(step: Step, scene: (Pages, Registers, u64)) -> Explained {
    run_while(false, step, scene)
}

/// `outdated`: as if another thread had changed the mappings in the meantime.
fn run_while(
    outdated: bool,
    step: Step,
    (pages, registers, cr2): (Pages, Registers, u64),
) -> Explained {
    let system = SystemRegisters {
        page_table_root: pages.root,
        gs_base: GuestVirtual(0),
        gdt: GuestVirtual(0),
        idt: GuestVirtual(0),
        task: GuestVirtual(0),
        gates: GuestVirtual(GATES),
        exception_stack: GuestPhysical(EXCEPTION_STACK),
    };
    let (fs_base, gs_base) = (0, 0);
    let memory = &pages;
    explain(step, &Scene { system: &system, registers, cr2, fs_base, gs_base, memory, outdated })
}

const FLAGS: u64 = 0x1_3202 | CF;
const FRAME: [u64; 6] = [0x10, CODE, 0x33, FLAGS, 0x1234, 0x2b];

#[test]
fn an_exception_is_its_frame() {
    let explained = run(Step::Gate(6), at_gate(6, FRAME, 0));
    assert_eq!(explained.exit, Exit::Exception { vector: 6, code: 0, address: None });
    let restored = explained.restored.unwrap();
    assert_eq!((restored.rip, restored.general[RSP]), (CODE, 0x1234));
    assert_eq!(restored.rflags, FLAGS_INITIAL | CF, "the host's system bits are gone");
    let explained = run(Step::Gate(13), at_gate(13, FRAME, 0));
    assert_eq!(explained.exit, Exit::Exception { vector: 13, code: 0x10, address: None });
}

#[test]
fn without_a_frame_a_gate_is_only_a_port() {
    let port = EXCEPTION_PORT + 6;
    let kernel_code = [0, CODE, 0x10, FLAGS, 0x1234, 0x2b];
    let kernel_stack = [0, CODE, 0x33, FLAGS, 0x1234, 0x18];
    for words in [[0; 6], kernel_code, kernel_stack] {
        let explained = run(Step::Gate(6), at_gate(6, words, 0));
        assert_eq!(explained, Exit::Port { port }.into());
    }
    let mut moved = at_gate(6, FRAME, 0);
    moved.1.general[RSP] -= 8;
    assert_eq!(run(Step::Gate(6), moved), Exit::Port { port }.into());
    let mut elsewhere = at_gate(6, FRAME, 0);
    elsewhere.1.rip += 1;
    assert_eq!(run(Step::Gate(6), elsewhere), Exit::Port { port }.into());
}

#[test]
fn a_page_fault_is_what_the_tables_say() {
    // Absent, whatever the host shows in the present and reserved bits.
    for code in [4, 0xd] {
        let frame = [code, CODE, 0x33, 2, 0, 0x2b];
        let exit = run(Step::Gate(14), at_gate(14, frame, 0x9000_0000)).exit;
        let address = Some(GuestVirtual(0x9000_0000));
        assert_eq!(exit, Exit::Exception { vector: 14, code: 4, address });
    }
    // Present, and not writable.
    let frame = [7, CODE, 0x33, 2, 0, 0x2b];
    let exit = run(Step::Gate(14), at_gate(14, frame, CODE + 8)).exit;
    let address = Some(GuestVirtual(CODE + 8));
    assert_eq!(exit, Exit::Exception { vector: 14, code: 7, address });
}

#[test]
fn a_page_fault_for_want_of_a_table_is_a_fault_on_the_table() {
    let frame = [4, CODE, 0x33, 2, 0, 0x2b];
    let mut scene = at_gate(14, frame, 0x123_4567);
    let root = scene.0.root;
    scene.0.pages.remove(&root);
    let explained = run(Step::Gate(14), scene);
    let (address, from) = (root, GuestVirtual(0x123_4567));
    assert_eq!(explained.exit, Exit::Fault { address, from, access: Access::Read });
    assert_eq!(explained.restored.unwrap().rip, CODE);
}

#[test]
fn what_raised_it_may_be_outside_the_contract() {
    let scene = |code: &[u8], rip| {
        let mut scene = at_gate(13, [0, rip, 0x33, 2, 0, 0x2b], 0);
        let bytes = &mut scene.0.pages.get_mut(&GuestPhysical(CODE)).unwrap().1;
        bytes[..code.len()].copy_from_slice(code);
        scene
    };
    let exit = run(Step::Gate(13), scene(&[0x0f, 0x31], CODE)).exit;
    let what = String::from("outside the contract: `rdtsc` (0f 31)");
    assert_eq!(exit, Exit::Unsupported { what, at: GuestVirtual(CODE) });
    // What stands before RIP did not raise a fault.
    let exit = run(Step::Gate(13), scene(&[0xcd, 0x80, 0xf4], CODE + 2)).exit;
    assert_eq!(exit, Exit::Exception { vector: 13, code: 0, address: None });
}

#[test]
fn a_system_call_that_jumped_is_named() {
    let mut scene = at_gate(6, [0; 6], 0);
    scene.0.pages.get_mut(&GuestPhysical(CODE)).unwrap().1[..2].copy_from_slice(&[0x0f, 0x05]);
    scene.1.general[1] = CODE + 2;
    let exit = run(Step::Gate(6), scene).exit;
    assert!(
        matches!(&exit, Exit::Unsupported { what, at } if what.contains("syscall") && at.0 == CODE),
        "{exit:?}"
    );
}

#[test]
fn only_the_return_gate_returns() {
    let mut scene = at_gate(0, [0; 6], 0);
    scene.1.rip = GATES + RETURN_GATE + 2;
    assert_eq!(run(Step::Return, scene), Exit::Return.into());
    let scene = at_gate(0, [0; 6], 0);
    assert_eq!(run(Step::Return, scene), Exit::Port { port: RETURN_PORT }.into());
}

#[test]
fn a_refusal_that_nothing_explains_is_unsupported() {
    let mut scene = at_gate(0, [0; 6], 0);
    scene.1.rip = CODE;
    let exit = run(REFUSED, scene).exit;
    let what = String::from("EFAULT, though every mapping allows `ud2` (0f 0b)");
    assert_eq!(exit, Exit::Unsupported { what, at: GuestVirtual(CODE) });
    // Unless it may have been true a moment ago.
    let mut scene = at_gate(0, [0; 6], 0);
    scene.1.rip = CODE;
    assert_eq!(run_while(true, REFUSED, scene).exit, Exit::Kicked);
    // Unless KVM said where.
    let mut scene = at_gate(0, [0; 6], 0);
    scene.1.rip = CODE;
    let step = Step::Refused { known: Some((0x8000_0010, true)), host: "KVM_EXIT_MMIO" };
    let (address, from) = (GuestPhysical(0x8000_0010), GuestVirtual(CODE));
    assert_eq!(run(step, scene).exit, Exit::Fault { address, from, access: Access::Write });
}

#[test]
fn a_shutdown_for_want_of_a_table_is_a_fault_on_the_table() {
    let mut scene = at_gate(0, [0; 6], 0);
    scene.1.rip = CODE;
    let root = scene.0.root;
    scene.0.pages.remove(&root);
    let exit = run(Step::Shutdown, scene).exit;
    let from = GuestVirtual(CODE);
    assert_eq!(exit, Exit::Fault { address: root, from, access: Access::Read });
    let mut scene = at_gate(0, [0; 6], 0);
    scene.1.rip = CODE;
    assert_eq!(run(Step::Shutdown, scene), Exit::Shutdown.into());
}
