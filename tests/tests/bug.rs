//! What a domain that breaks down leaves behind: the world `bug`, whose log has to show where it
//! was and what was in its registers.

use bundled_worlds::WORLDS;
use lcd::Backend;
use lcd::assemble;
use lcd::model::event::EventKind;
use lcd::model::registers::RSP;

/// What the module puts into rax, rcx, rdx, rbx, rsp (its own), rbp, rsi, rdi, r8 to r15.
const NUMBERS: [u64; 16] = [1, 3, 4, 2, 0, 7, 5, 6, 8, 9, 0xa, 0xb, 0xc, 0xd, 0xe, 0xf];

#[test]
fn every_register_and_five_calls_are_in_the_log() {
    let world = WORLDS.iter().find(|world| world.name == "bug").expect("it is bundled");
    let bundle = assemble::bundled(world).expect("it can be built");
    let native = lcd_tests::native_or_note().then_some(Backend::Native);
    for backend in native.into_iter().chain([Backend::Sim]) {
        let log = lcd::run(&bundle, backend, None).expect("it runs").log;
        let kinds = || log.events.iter().map(|event| &event.kind);
        let ended = kinds().find_map(|kind| match kind {
            EventKind::Ended { registers, .. } => Some(registers),
            _ => None,
        });
        let mut registers = ended.expect("it ends").general;
        registers[RSP] = 0;
        assert_eq!(registers, NUMBERS, "{backend}");
        let dumped = kinds().find_map(|kind| match kind {
            EventKind::Dumped { stack, at, .. } => Some((stack, at.as_deref())),
            _ => None,
        });
        let (stack, at) = dumped.expect("it shows its stack");
        assert!(at.is_some_and(|at| at.starts_with("bug.ko!fifth+")), "{at:?}");
        // Four functions of the module, its init function, and the return gate.
        let places: Vec<_> = stack.iter().filter(|&&word| word >= 0x1000_0000).collect();
        assert!(places.len() >= 5, "{backend}: {stack:x?}");
    }
}
