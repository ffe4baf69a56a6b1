//! What a domain is before it runs: what it is told about its capabilities, where it starts, which
//! threads its world gives it; and what others can learn of it.

use alloc::vec::Vec;

use super::{Bench, DATA, MAIN, PEER, R, TWO, W};
use crate::abi::{Hypercall, Status, boot_info, utcb};
use crate::address::PAGE_SIZE;
use crate::arch::Arch;
use crate::domain::{DomainId, LifecycleError, ThreadId, ThreadState};
use crate::event::EventKind;
use crate::exit::{End, Exited};
use crate::layout;
use crate::registers::RSP;
use crate::world::Argument;

use Hypercall::{
    BootName, CapCopy, CapDelete, CapGrant, DomainConfigure, DomainCreate, DomainInspect,
    DomainRun, ThreadCreate, ThreadKill, ThreadResume,
};

const PC: u64 = 0x1000_0010;
const RDI: usize = 7;

#[track_caller]
fn inspect(bench: &mut Bench, slot: u64) -> [u64; 4] {
    bench.done(MAIN, DomainInspect, &[slot]);
    core::array::from_fn(|i| bench.word(MAIN, utcb::MESSAGE + 8 + i * 8))
}

#[test]
fn a_domain_is_inspected() {
    let mut bench = Bench::new(TWO);
    bench.done(MAIN, DomainCreate, &[30]);
    assert_eq!(inspect(&mut bench, 30), [0, 0, 0, 0]);
    assert_eq!(bench.configure(MAIN, 30, "m"), Status::Ok);
    assert_eq!(inspect(&mut bench, 30), [1, 1, 0, 0]);
    bench.done(MAIN, DomainRun, &[30]);
    bench.done(MAIN, ThreadCreate, &[30, PC, 0, 0]);
    assert_eq!(inspect(&mut bench, 30), [2, 2, 0, 0]);
    bench.done(ThreadId(2), Hypercall::Exit, &[u64::MAX]);
    assert_eq!(inspect(&mut bench, 30), [2, 1, 1, u64::MAX]);
    bench.done(MAIN, ThreadKill, &[30, 1]);
    assert_eq!(inspect(&mut bench, 30), [4, 0, 1, u64::MAX]);
    bench.done(PEER, ThreadKill, &[0, 0]);
    assert_eq!(inspect(&mut bench, 26), [4, 0, 0, 0]);
    assert_eq!(inspect(&mut bench, 0), [2, 1, 0, 0]);
    bench.done(MAIN, CapCopy, &[26, 31, W, 0]);
    bench.refused(MAIN, DomainInspect, &[31], Status::NotPermitted);
    bench.refused(MAIN, DomainInspect, &[25], Status::Invalid);
    bench.tear_down();
}

#[test]
fn a_domain_without_a_module_starts_where_it_is_told_to() {
    let mut bench = Bench::new(TWO);
    bench.done(MAIN, DomainCreate, &[30]);
    for pc in [0, 1 << 47, u64::MAX] {
        bench.refused(MAIN, DomainConfigure, &[30, 0, pc, 0], Status::Invalid);
    }
    bench.done(MAIN, DomainConfigure, &[30, 0, 0x6000_0000, 0]);
    let names: Vec<_> = bench.kernel.domains().map(|(_, name, _)| name).collect();
    assert_eq!(names, ["main", "peer", "domain"]);
    bench.refused(MAIN, DomainConfigure, &[30, 0, 0x6000_0000, 0], Status::BadState);
    bench.done(MAIN, CapGrant, &[30, 25, 7, R | W]);
    let at = bench.kernel.events().len();
    bench.done(MAIN, DomainRun, &[30]);
    assert_eq!(bench.words(at), ["hypercall", "thread_started", "call"]);
    let thread = ThreadId(2);
    assert_eq!(bench.kernel.arch.registers(thread).rip, 0x6000_0000);
    bench.done(thread, Hypercall::PageMap, &[7, DATA, R | W]);
    bench.returns(thread, 4);
    assert_eq!(bench.end_of(thread), Some(End::Exit(Exited { value: 4 })));
    bench.tear_down();
}

#[test]
fn where_a_module_starts_and_its_stack_are_replaced() {
    let mut bench = Bench::new(TWO);
    for (pc, sp, calls) in [(0x1000_0012, 0, 1), (0, 0x4000_0ff0, 2), (0x1000_0000, 0x10, 1)] {
        bench.done(MAIN, DomainCreate, &[30]);
        let length = bench.buffer(MAIN, b"two");
        bench.done(MAIN, DomainConfigure, &[30, length, pc, sp]);
        bench.done(MAIN, DomainRun, &[30]);
        let thread = ThreadId(bench.kernel.threads.len() as u32 - 1);
        let registers = bench.kernel.arch.registers(thread);
        let state = bench.kernel.thread(thread);
        assert_eq!(registers.rip, if pc == 0 { 0x1000_0000 } else { pc });
        let top = state.places.stack_top().0 - 8;
        assert_eq!(registers.general[RSP], if sp == 0 { top } else { sp });
        assert_eq!(state.calls.len(), calls);
        let Some(EventKind::Call { symbol, .. }) = bench.kernel.events().last().map(|e| &e.kind)
        else {
            panic!("it begins with a call");
        };
        let expected = if pc == 0x1000_0012 { "help+0x2" } else { "init_module" };
        assert_eq!(symbol, expected);
        bench.done(MAIN, CapDelete, &[30]);
    }
    bench.tear_down();
}

/// The entries of a domain's boot information.
fn named(bench: &Bench, domain: DomainId) -> Vec<(alloc::string::String, u64)> {
    let home = bench.kernel.domains[&domain].home.unwrap();
    let page = bench.kernel.read_physical(domain, home.boot_info, PAGE_SIZE);
    let word = |at: usize| u64::from_le_bytes(page[at..at + 8].try_into().unwrap());
    assert_eq!(word(boot_info::FORMAT), boot_info::VERSION);
    let entries = page[boot_info::ENTRIES..].chunks(boot_info::ENTRY_SIZE);
    let entries: Vec<_> = entries
        .map(|entry| {
            let (name, slot) = entry.split_at(boot_info::ENTRY_SLOT);
            let name = core::str::from_utf8(name).unwrap().trim_end_matches('\0').into();
            (name, u64::from_le_bytes(slot.try_into().unwrap()))
        })
        .filter(|(name, _): &(alloc::string::String, u64)| !name.is_empty())
        .collect();
    assert_eq!(word(boot_info::COUNT), entries.len() as u64);
    entries
}

#[test]
fn a_configured_domain_is_told_what_its_slots_are_called() {
    let mut bench = Bench::new(TWO);
    bench.done(MAIN, DomainCreate, &[30]);
    bench.done(MAIN, CapGrant, &[30, 25, 7, R | W]);
    bench.done(MAIN, CapGrant, &[30, 25, 8, R | W]);
    let length = bench.buffer(MAIN, b"disk");
    bench.refused(MAIN, BootName, &[30, 7, length], Status::BadState);
    assert_eq!(bench.configure(MAIN, 30, "m"), Status::Ok);
    bench.buffer(MAIN, b"disk");
    bench.done(MAIN, BootName, &[30, 7, 4]);
    bench.done(MAIN, BootName, &[30, 7, 3]);
    let home = DomainId(2);
    assert_eq!(named(&bench, home), [("disk".into(), 7), ("dis".into(), 7)]);
    bench.done(MAIN, BootName, &[30, 8, 4]);
    assert_eq!(named(&bench, home), [("disk".into(), 8), ("dis".into(), 7)]);
    for (words, status) in [
        ([30, 9, 4], Status::NotFound),
        ([30, 0, 4], Status::Invalid),
        ([30, 7, 0], Status::Invalid),
        ([30, 7, 24], Status::Invalid),
        ([30, 7, u64::MAX], Status::Invalid),
        ([25, 7, 4], Status::Invalid),
        ([0, 7, 4], Status::Invalid),
    ] {
        bench.refused(MAIN, BootName, &words, status);
    }
    for bad in [b"a\0b", b"a\nb", &[0xff, b'a', b'b']] {
        bench.buffer(MAIN, bad);
        bench.refused(MAIN, BootName, &[30, 7, 3], Status::Invalid);
    }
    bench.unchecked = true;
    for i in 2..boot_info::ENTRIES_MAX {
        bench.buffer(MAIN, alloc::format!("{i:023}").as_bytes());
        bench.done(MAIN, BootName, &[30, 7, 23]);
    }
    bench.unchecked = false;
    bench.buffer(MAIN, b"more");
    bench.refused(MAIN, BootName, &[30, 7, 4], Status::NoMemory);
    bench.buffer(MAIN, b"disk");
    bench.done(MAIN, BootName, &[30, 7, 4]);
    assert_eq!(named(&bench, home).len(), boot_info::ENTRIES_MAX);
    bench.done(MAIN, DomainRun, &[30]);
    bench.refused(MAIN, BootName, &[30, 7, 4], Status::BadState);
    bench.tear_down();
}

#[test]
fn threads_of_a_world_start_with_their_domain() {
    let mut bench = Bench::asleep(TWO);
    let domain = bench.kernel.create_domain("d").unwrap();
    let first = bench.kernel.load_module(domain, "m", None, &[]).unwrap();
    let text = Argument::Text { text: "hello".into() };
    let arguments = [Argument::Unsigned(3), text, Argument::Buffer { buffer: 16 }];
    let further = bench.kernel.add_world_thread(domain, "work", &arguments, false).unwrap();
    bench.audit();
    let missing = bench.kernel.add_world_thread(domain, "missing", &[], false);
    assert!(matches!(missing, Err(LifecycleError::Load(_))));
    let large = [Argument::Buffer { buffer: layout::MORE_ARGUMENTS_SIZE }];
    let large = bench.kernel.add_world_thread(domain, "work", &large, false);
    assert!(matches!(large, Err(LifecycleError::Load(_))));
    let before = bench.state();
    for failing in 0..29 {
        bench.kernel.arch.fail_at = Some(bench.kernel.arch.fallible + failing);
        let failed = bench.kernel.add_world_thread(domain, "work", &arguments, false);
        assert!(matches!(failed, Err(LifecycleError::Exhausted(_))), "{failing}");
        assert_eq!(bench.state(), before);
    }
    bench.kernel.arch.fail_at = None;
    bench.kernel.start_domain(domain).unwrap();
    bench.audit();
    assert_eq!(bench.kernel.ready, [first, further]);
    let registers = bench.kernel.arch.registers(further);
    let room = bench.kernel.domains[&domain].home.unwrap().block.more_arguments().0;
    assert_eq!((registers.rip, registers.general[RDI]), (PC, 3));
    assert_eq!((registers.general[6], registers.general[2]), (room, room + 0x2000));
    assert_eq!(bench.kernel.read_physical(domain, layout::MORE_ARGUMENTS, 6), *b"hello\0");
    let at = bench.kernel.events().len();
    bench.returns(further, 1);
    assert_eq!(bench.words(at), ["return", "buffer", "ended"]);
    let late = bench.kernel.add_world_thread(domain, "work", &[], false);
    assert!(matches!(late, Err(LifecycleError::DomainState { .. })));
    bench.tear_down();
}

/// A domain that does not start with its world and has two further threads, of which one waits to
/// be resumed.
const FURTHER: &str = r#"
name = "further"
[[domain]]
name = "main"
module = "m"
caps = [{ slot = 26, object = "peer", rights = "rwg" }]
[[domain]]
name = "peer"
module = "m"
start = false
threads = [{ call = "work", args = [5] }, { call = "work", start = false }]
"#;

#[test]
fn a_thread_of_a_world_runs_with_its_domain_or_when_it_is_resumed() {
    let mut bench = Bench::new(FURTHER);
    let [early, late] = [ThreadId(2), ThreadId(3)];
    for thread in [PEER, early, late] {
        assert_eq!(bench.state_of_thread(thread), ThreadState::Suspended);
    }
    bench.refused(MAIN, ThreadResume, &[26, 2], Status::BadState);
    let at = bench.kernel.events().len();
    bench.done(MAIN, DomainRun, &[26]);
    let started = ["thread_started", "call"];
    assert_eq!(bench.words(at), [&["hypercall"], &started.repeat(3)[..]].concat());
    assert_eq!(bench.kernel.arch.registers(early).general[RDI], 5);
    assert_eq!(bench.state_of_thread(late), ThreadState::Suspended);
    bench.done(MAIN, ThreadResume, &[26, 2]);
    bench.returns(late, 0);
    bench.tear_down();
}
