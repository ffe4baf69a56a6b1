//! Steps of life: the legal ones, and that all others are refused and harmless.

use super::{Bench, MAIN, PEER, TWO};
use crate::abi::{Hypercall, Status};
use crate::address::{GuestPhysical, GuestVirtual};
use crate::arch::Arch;
use crate::domain::{Action, DomainId, DomainState, LifecycleError, ThreadId, ThreadState};
use crate::event::EventKind;
use crate::exit::{Access, End, Exit, Exited, KillReason};
use crate::microkernel::Step;
use crate::registers::{ARGUMENTS, RSP};
use crate::world::Argument;
use alloc::string::String;
use alloc::vec::Vec;

const SLEEPER: &str = r#"
name = "sleeper"
[[domain]]
name = "main"
module = "m"
start = false
"#;

fn thread_state(action: Action, state: ThreadState) -> LifecycleError {
    LifecycleError::ThreadState { action, state }
}

#[test]
fn a_thread_starts_once_and_ends_once() {
    let mut bench = Bench::new(SLEEPER);
    assert_eq!(bench.kernel.step(1), Step::Idle);
    let none = ThreadId(9);
    assert_eq!(bench.kernel.start_thread(none), Err(LifecycleError::NoThread(none)));
    assert_eq!(bench.kernel.kill_thread(none), Err(LifecycleError::NoThread(none)));
    bench.kernel.start_thread(MAIN).unwrap();
    let before = bench.state();
    let refused = Err(thread_state(Action::Start, ThreadState::Ready));
    assert_eq!(bench.kernel.start_thread(MAIN), refused);
    assert_eq!(bench.state(), before);
    bench.kernel.kill_thread(MAIN).unwrap();
    bench.audit();
    let before = (bench.state(), bench.kernel.events().len());
    let dead = |action| Err(thread_state(action, ThreadState::Dead));
    assert_eq!(bench.kernel.kill_thread(MAIN), dead(Action::Kill));
    assert_eq!(bench.kernel.start_thread(MAIN), dead(Action::Start));
    assert_eq!(bench.kernel.kicker(MAIN).map(drop), dead(Action::Kick));
    let again = bench.kernel.load_module(DomainId(0), "m", None, &[]);
    let state = DomainState::Dead;
    assert_eq!(again, Err(LifecycleError::DomainState { action: Action::Configure, state }));
    assert_eq!((bench.state(), bench.kernel.events().len()), before);
    assert_eq!(bench.kernel.step(1), Step::Idle);
    bench.tear_down();
}

#[test]
fn a_thread_that_was_never_started_can_be_killed() {
    let mut bench = Bench::new(SLEEPER);
    bench.kernel.kill_thread(MAIN).unwrap();
    bench.audit();
    assert_eq!(bench.end_of(MAIN), Some(End::Killed(KillReason::Killed)));
    assert_eq!(bench.state_of(DomainId(0)), Some(DomainState::Dead));
    bench.tear_down();
}

#[test]
fn a_domain_that_is_gone_is_gone_for_everybody() {
    let mut bench = Bench::new(TWO);
    let gone = DomainId(1);
    bench.kernel.destroy_domain(gone).unwrap();
    bench.audit();
    assert_eq!(bench.capability(MAIN, 26), None, "every copy goes");
    let no = LifecycleError::NoDomain(gone);
    assert_eq!(bench.kernel.destroy_domain(gone), Err(no.clone()));
    assert_eq!(bench.kernel.load_module(gone, "m", None, &[]), Err(no.clone()));
    assert_eq!(bench.kernel.console(gone), Err(no));
    assert_eq!(bench.kernel.symbolize(gone, GuestVirtual(0)), None);
    assert_eq!(bench.end_of(PEER), Some(End::Killed(KillReason::Destroyed)));
    assert_eq!(bench.kernel.kill_thread(PEER), Err(thread_state(Action::Kill, ThreadState::Dead)));
    bench.refused(MAIN, Hypercall::DomainRun, &[26], Status::NotFound);
    bench.tear_down();
}

#[test]
fn every_way_to_leave_the_processor_has_its_end() {
    let fault = Exit::Fault {
        address: GuestPhysical(0x4000_1008),
        from: GuestVirtual(0x4000_1008),
        access: Access::Write,
    };
    let at = GuestVirtual(0x1000);
    for (exit, word) in [
        (fault, "fault"),
        (Exit::Exception { vector: 6, code: 0, address: None }, "exception"),
        (Exit::Exception { vector: 14, code: 4, address: Some(at) }, "exception"),
        (Exit::Port { port: 0xe4 }, "port"),
        (Exit::Unsupported { what: "rdtsc".into(), at }, "unsupported"),
        (Exit::Shutdown, "shutdown"),
    ] {
        let mut bench = Bench::new(TWO);
        assert_eq!(bench.exit(MAIN, exit), Step::Continued);
        let first = bench.end_of(MAIN);
        assert_eq!(first.as_ref().map(End::word), Some(word));
        // The first reason sticks, whatever comes after.
        assert!(bench.kernel.kill_thread(MAIN).is_err());
        bench.kernel.time_out();
        bench.kernel.destroy_domain(DomainId(0)).unwrap();
        bench.audit();
        assert_eq!(bench.end_of(MAIN), first);
        assert_eq!(bench.end_of(PEER), Some(End::Killed(KillReason::Timeout)));
        bench.tear_down();
    }
}

#[test]
fn a_kick_and_a_used_up_budget_change_nothing() {
    let mut bench = Bench::new(TWO);
    let before = (bench.state(), bench.kernel.events().len());
    assert_eq!(bench.exit(MAIN, Exit::Kicked), Step::Kicked(MAIN));
    assert_eq!(bench.exit(MAIN, Exit::Budget), Step::Budget(MAIN));
    assert_eq!((bench.state(), bench.kernel.events().len()), before);
    // It can be killed while it spins, and the others go on.
    bench.kernel.kill_thread(MAIN).unwrap();
    assert_eq!(bench.exit(PEER, Exit::Budget), Step::Budget(PEER));
    bench.tear_down();
}

#[test]
fn functions_are_called_in_order_and_a_failing_init_stops_them() {
    let mut bench = Bench::asleep(SLEEPER);
    for (first, second) in [(0, true), (5, true), (-22, false)] {
        let domain = bench.kernel.create_domain("d").unwrap();
        let names = [String::from("init_module"), String::from("work")];
        let thread = bench.kernel.load_module(domain, "two", Some(&names), &[]).unwrap();
        bench.kernel.start_thread(thread).unwrap();
        let at = bench.kernel.events().len();
        // The dependency's init; its upper half is garbage, as a C int's may be.
        bench.returns(thread, 0xdead_beef_0000_0000);
        bench.returns(thread, i64::from(first).cast_unsigned() & 0xffff_ffff);
        if second {
            bench.returns(thread, u64::MAX);
            assert_eq!(bench.words(at), ["return", "call", "return", "call", "return", "ended"]);
            assert_eq!(bench.end_of(thread), Some(End::Exit(Exited { value: -1 })));
        } else {
            assert_eq!(bench.words(at), ["return", "call", "return", "ended"]);
            assert_eq!(bench.end_of(thread), Some(End::Exit(Exited { value: first.into() })));
        }
    }
    bench.tear_down();
}

#[test]
fn a_function_gets_its_arguments_in_registers_on_the_stack_and_in_buffers() {
    let mut bench = Bench::asleep(SLEEPER);
    let domain = bench.kernel.create_domain("d").unwrap();
    let mut arguments: Vec<_> = (1..=8).map(Argument::Unsigned).collect();
    arguments.push(Argument::Buffer { buffer: 5000 });
    arguments.push(Argument::Buffer { buffer: 0 });
    let thread = bench.kernel.load_module(domain, "m", Some(&["work".into()]), &arguments).unwrap();
    bench.kernel.start_thread(thread).unwrap();
    let registers = bench.kernel.arch.registers(thread);
    let found: Vec<_> = ARGUMENTS.iter().map(|&register| registers.general[register]).collect();
    assert_eq!(found, [1, 2, 3, 4, 5, 6]);
    let rsp = registers.general[RSP];
    assert_eq!(rsp % 16, 8, "as after a call");
    let state = bench.kernel.thread(thread);
    let at = GuestPhysical(state.stack.0 + (rsp - state.places.stack().0));
    let buffer = state.calls[0].arguments[8].output.unwrap().0;
    let words = bench.kernel.read_physical(domain, at, 8 * 5);
    let words: Vec<_> =
        words.chunks(8).map(|word| u64::from_le_bytes(word.try_into().unwrap())).collect();
    assert_eq!(words[0], state.system.gates.0 + crate::boot::RETURN_GATE);
    assert_eq!(words[1..3], [7, 8]);

    bench.kernel.write_physical(domain, GuestPhysical(buffer.0 + 4094), b"abcd");
    let events = bench.kernel.events().len();
    bench.returns(thread, 0);
    assert_eq!(bench.words(events), ["return", "buffer", "buffer", "ended"]);
    let report = crate::report::RunReport::from_log(&bench.kernel.log());
    let buffers = &report.domains[0].buffers;
    assert_eq!((buffers[0].0, buffers[0].1.len()), (8, 10_000));
    assert_eq!(&buffers[0].1[8186..8198], "006162636400");
    assert_eq!(buffers[1], (9, String::new()));
    bench.tear_down();
}

#[test]
fn a_module_that_is_only_a_library_loads_and_has_nothing_to_do() {
    let mut bench = Bench::asleep(SLEEPER);
    let domain = bench.kernel.create_domain("d").unwrap();
    let thread = bench.kernel.load_module(domain, "none", None, &[]).unwrap();
    let events = bench.kernel.events().len();
    bench.kernel.start_thread(thread).unwrap();
    assert_eq!(bench.words(events), ["thread_started", "ended"]);
    let (end, _) = bench.kernel.thread_report(thread).unwrap().ended.unwrap();
    assert_eq!(end, End::Exit(Exited { value: 0 }));
    bench.tear_down();
}

#[test]
fn calls_that_cannot_be_made_are_refused() {
    let mut bench = Bench::asleep(SLEEPER);
    let domain = bench.kernel.create_domain("d").unwrap();
    let mut refused = |call: &[String], arguments: &[Argument]| {
        let result = bench.kernel.load_module(domain, "m", Some(call), arguments);
        assert_eq!(bench.state_of(domain), Some(DomainState::Embryo));
        bench.audit();
        super::text(&result.unwrap_err())
    };
    let work = [String::from("work")];
    assert!(refused(&[], &[]).contains("0 functions"));
    assert!(refused(&alloc::vec![String::from("work"); 65], &[]).contains("65 functions"));
    assert!(refused(&[String::from("nothing\u{1b}[31m")], &[]).contains("no function"));
    let many = alloc::vec![Argument::Unsigned(1); 100_000];
    assert!(refused(&work, &many).contains("100000 arguments"));
    let huge = [Argument::Buffer { buffer: u64::MAX }];
    assert!(refused(&work, &huge).contains("MiB"));
    let odd = [Argument::Bytes { hex: "0".into() }];
    assert!(refused(&work, &odd).contains("hexadecimal"));
    let large = [Argument::Buffer { buffer: 0x10_0000 }];
    assert!(bench.kernel.load_module(domain, "m", Some(&work), &large).is_ok());
    bench.tear_down();
}

#[test]
fn the_most_arguments_leave_room_on_the_stack() {
    let mut bench = Bench::asleep(SLEEPER);
    let domain = bench.kernel.create_domain("d").unwrap();
    let most = alloc::vec![Argument::Signed(-1); crate::construct::ARGUMENTS_MAX];
    let thread = bench.kernel.load_module(domain, "m", None, &most).unwrap();
    bench.kernel.start_thread(thread).unwrap();
    let rsp = bench.kernel.arch.registers(thread).general[RSP];
    assert!(rsp - bench.kernel.thread(thread).places.stack().0 > 0x7000);
    bench.tear_down();
}

#[test]
fn a_bundle_that_nobody_checked_is_refused_and_not_believed() {
    let mut world = crate::world::World::parse(TWO).unwrap();
    world.domains[0].caps[0].object = "nobody".into();
    let mut bench = Bench::asleep(TWO);
    bench.kernel.bundle.world = world;
    let error = bench.kernel.boot().unwrap_err();
    assert!(super::text(&error).contains("nobody"), "{error}");
    bench.audit();
    bench.tear_down();
}

#[test]
fn nothing_runs_after_the_end_of_the_log() {
    let mut bench = Bench::new(TWO);
    bench.kernel.finish();
    let events = bench.kernel.events().len();
    bench.kernel.finish();
    assert_eq!(bench.kernel.step(1000), Step::Idle);
    assert_eq!(bench.kernel.current(), None);
    assert_eq!(bench.kernel.events().len(), events);
    bench.audit();
    bench.tear_down();
}

#[test]
fn a_page_that_is_held_and_not_mapped_is_digested_too() {
    let mut bench = Bench::new(TWO);
    bench.done(MAIN, Hypercall::PageAllocate, &[30, 3]);
    bench.done(MAIN, Hypercall::PageAllocate, &[31, 3]);
    let frame = bench.kernel.frame_owners().keys().next_back().copied().unwrap();
    bench.kernel.arch.frame_write(frame, 9, b"kept");
    let events = bench.kernel.events().len();
    bench.kernel.finish();
    let held: Vec<_> = bench.kernel.events()[events..]
        .iter()
        .filter_map(|event| match event.kind {
            EventKind::Memory { page: None, frame, .. } => Some(frame),
            _ => None,
        })
        .collect();
    assert_eq!(held, [frame], "the other page is all zero");
}
