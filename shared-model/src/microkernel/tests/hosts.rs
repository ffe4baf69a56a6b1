//! Host domains: services that guests call, what they reach, and how they end.

use alloc::string::String;

use super::super::scripted::Scripted;
use super::{Bench, DATA, G, MAIN, PEER, R, TWO, W, text};
use crate::abi::{Hypercall, ObjectKind, Received, Status, utcb};
use crate::arch::Arch;
use crate::bundle::Bundle;
use crate::capability::Object;
use crate::domain::{DomainId, DomainState, LifecycleError, ThreadId, ThreadState};
use crate::event::EventKind;
use crate::exit::{End, Exit, Exited, KillReason};
use crate::host::{HostCall, HostResult, Message};
use crate::microkernel::Step;
use crate::rights::Rights;
use crate::session::{Progress, Request, Response, Session, handle_json};
use crate::world::World;

use Hypercall::{
    CapCopy, CapDelete, CapGrant, CapInspect, CapRevoke, ChannelCreate, ConsoleWrite, DomainRun,
    DumpStack, EndpointCreate, HostDomainCreate, NotificationSignal, NotificationWait,
    PageAllocate, PageMap, PageUnmap, SyncCall, Yield,
};

/// The host domain and its thread, after those of [`TWO`].
const HOST: DomainId = DomainId(2);
const THREAD: ThreadId = ThreadId(2);
/// The guest's capabilities: to the host domain, and to the endpoint.
const TO_HOST: u64 = 30;
const EP: u64 = 10;
const GUEST: DomainId = DomainId(0);

/// A host domain that runs a service, with an endpoint to `main` in its slot 3.
fn serving(service: &str) -> Bench {
    let mut bench = with_host(Some(service));
    bench.done(MAIN, EndpointCreate, &[EP]);
    bench.done(MAIN, CapGrant, &[TO_HOST, EP, 3, R | G]);
    bench.kernel.start_thread(THREAD).unwrap();
    bench.audit();
    settle(&mut bench, THREAD);
    bench
}

/// A host domain that `main` holds.
fn with_host(service: Option<&str>) -> Bench {
    let mut bench = Bench::new(TWO);
    assert_eq!(bench.kernel.create_host_domain("host", service).unwrap(), (HOST, THREAD));
    bench.audit();
    bench.kernel.give_domain(GUEST, TO_HOST, HOST, Rights::ALL).unwrap();
    bench.audit();
    bench
}

/// Gives a host thread its turn.
#[track_caller]
fn turn(bench: &mut Bench, thread: ThreadId) -> Step {
    let at = bench.kernel.ready.iter().position(|&ready| ready == thread);
    bench.kernel.ready.rotate_left(at.expect("the thread is ready"));
    let step = bench.kernel.step(1000);
    bench.audit();
    step
}

/// Gives a host thread its turns until it waits or has ended.
#[track_caller]
fn settle(bench: &mut Bench, thread: ThreadId) {
    for _ in 0..100 {
        if bench.state_of_thread(thread) != ThreadState::Ready {
            return;
        }
        assert_eq!(turn(bench, thread), Step::Continued);
    }
    panic!("it neither waits nor ends");
}

fn capabilities(bench: &mut Bench, slots: &[u64]) {
    for i in 0..utcb::REGISTERS {
        let slot = slots.get(i).copied().unwrap_or(0);
        bench.set_word(MAIN, utcb::CAPABILITY + i * 8, slot);
    }
}

/// `main` calls the service, with capabilities, and returns the answer.
#[track_caller]
fn ask(bench: &mut Bench, words: &[u64], slots: &[u64]) -> [u64; 8] {
    capabilities(bench, slots);
    for i in 0..utcb::REGISTERS {
        bench.set_word(MAIN, utcb::MESSAGE + i * 8, words.get(i).copied().unwrap_or(0));
    }
    assert_eq!(bench.send(MAIN, SyncCall, EP, 0), Status::Waiting);
    settle(bench, THREAD);
    assert_eq!(bench.state_of_thread(MAIN), ThreadState::Ready, "it was answered");
    assert_eq!(bench.word(MAIN, utcb::STATUS), 0);
    core::array::from_fn(|i| bench.word(MAIN, utcb::MESSAGE + i * 8))
}

#[test]
fn a_guest_calls_a_service_and_gets_the_answer() {
    let mut bench = serving("echo");
    for round in 0..3 {
        let words = [1, 2, 3, 4, 5, 6, 7, round];
        assert_eq!(ask(&mut bench, &words, &[]), words);
    }
    assert_eq!(bench.state_of(HOST), Some(DomainState::Running));
    let created = EventKind::DomainCreated { name: "host".into() };
    assert!(
        bench.kernel.events().iter().any(|event| event.domain == HOST && event.kind == created)
    );
    bench.tear_down();
}

#[test]
fn capabilities_go_to_a_service_and_come_back() {
    let mut bench = serving("echo");
    // The page of slot 25 goes in register 0 and comes back in register 4, to slot 14.
    ask(&mut bench, &[5], &[25, 0, 0, 0, 14]);
    assert_eq!(bench.word(MAIN, utcb::ARRIVED), 1 << 4);
    let (sent, back) = (bench.capability(MAIN, 25).unwrap(), bench.capability(MAIN, 14).unwrap());
    assert_eq!((sent.object, sent.rights), (back.object, back.rights));
    // The service has kept nothing, and what it passed on is now a child of the first.
    assert_eq!(bench.capability(THREAD, 8), None);
    bench.done(MAIN, CapRevoke, &[25]);
    assert_eq!(bench.capability(MAIN, 14), None);
    bench.tear_down();
}

#[test]
fn a_service_reads_what_it_was_given_and_nothing_else() {
    let mut bench = serving("logger");
    let Object::Page(frame) = bench.capability(MAIN, 25).unwrap().object else { panic!("a page") };
    bench.kernel.arch.frame_write(frame, 4000, b"from memory");
    assert_eq!(ask(&mut bench, &[1, 4000, 11], &[25])[..2], [0, 11]);
    assert_eq!(bench.kernel.console(HOST).unwrap(), "from memory");
    // Past the end, without memory, and what is no memory.
    let invalid = (Status::Invalid as i64).cast_unsigned();
    assert_eq!(ask(&mut bench, &[1, 4000, 97], &[25])[0], invalid);
    let nothing = (Status::NotFound as i64).cast_unsigned();
    assert_eq!(ask(&mut bench, &[1, 0, 1], &[])[0], nothing);
    assert_eq!(ask(&mut bench, &[1, 0, 1], &[26])[0], invalid);
    // Without the right to read.
    bench.done(MAIN, CapCopy, &[25, 15, W | G]);
    let refused = (Status::NotPermitted as i64).cast_unsigned();
    assert_eq!(ask(&mut bench, &[1, 0, 1], &[15])[0], refused);
    assert_eq!(bench.kernel.console(HOST).unwrap(), "from memory");
    bench.tear_down();
}

#[test]
fn host_memory_follows_capabilities_exactly() {
    let mut bench = with_host(None);
    bench.done(MAIN, PageAllocate, &[14, R | W | G, 1]);
    bench.done(MAIN, CapGrant, &[TO_HOST, 14, 20, R]);
    bench.done(MAIN, CapGrant, &[TO_HOST, 14, 21, W]);
    let kernel = &mut bench.kernel;
    // A block's pages follow each other, whatever their frames are.
    kernel.host_write(HOST, 21, 4094, b"abcd").unwrap();
    let mut bytes = [0; 6];
    kernel.host_read(HOST, 20, 4093, &mut bytes).unwrap();
    assert_eq!(&bytes, b"\0abcd\0");
    assert_eq!(kernel.host_read(HOST, 20, 8192, &mut []), Ok(()));
    for (slot, offset, status) in [
        (21, 0, Status::NotPermitted),
        (20, 8187, Status::Invalid),
        (20, u64::MAX, Status::Invalid),
        (22, 0, Status::NotFound),
        (0, 0, Status::Invalid),
    ] {
        assert_eq!(kernel.host_read(HOST, slot, offset, &mut bytes), Err(status), "{slot}");
    }
    assert_eq!(kernel.host_write(HOST, 20, 0, b"x"), Err(Status::NotPermitted));
    assert_eq!(kernel.host_read(GUEST, 25, 0, &mut bytes), Err(Status::Invalid), "a guest's");
    assert_eq!(kernel.host_read(DomainId(9), 25, 0, &mut bytes), Err(Status::Invalid));
    bench.done(MAIN, CapRevoke, &[14]);
    assert_eq!(bench.kernel.host_read(HOST, 20, 0, &mut bytes), Err(Status::NotFound));
    bench.tear_down();
}

#[test]
fn a_caller_of_a_service_that_is_killed_learns_it() {
    for destroy in [false, true] {
        let mut bench = serving("echo");
        capabilities(&mut bench, &[]);
        assert_eq!(bench.send(MAIN, SyncCall, EP, 0), Status::Waiting);
        if destroy {
            bench.kernel.destroy_domain(HOST).unwrap();
        } else {
            bench.kernel.kill_thread(THREAD).unwrap();
        }
        bench.audit();
        assert_eq!(bench.word(MAIN, utcb::STATUS).cast_signed(), Status::PeerDied as i64);
        let reason = if destroy { KillReason::Destroyed } else { KillReason::Killed };
        assert_eq!(bench.end_of(THREAD), Some(End::Killed(reason)));
        let ended = bench.kernel.events().iter().find_map(|event| match &event.kind {
            EventKind::Ended { registers, .. } if event.domain == HOST => Some(*registers),
            _ => None,
        });
        assert_eq!(ended, Some(crate::registers::Registers::default()));
        bench.tear_down();
    }
}

#[test]
fn a_service_ends_with_its_last_client() {
    let mut bench = serving("echo");
    bench.done(MAIN, CapDelete, &[EP]);
    settle(&mut bench, THREAD);
    assert_eq!(bench.end_of(THREAD), Some(End::Exit(Exited { value: 0 })));
    assert_eq!(bench.state_of(HOST), Some(DomainState::Dead));
    bench.tear_down();
}

#[test]
fn only_host_domains_create_host_domains() {
    let mut bench = with_host(None);
    let length = bench.buffer(MAIN, b"init");
    bench.refused(MAIN, HostDomainCreate, &[18, length], Status::NotPermitted);
    bench.tear_down();
}

#[test]
fn the_spawner_creates_a_domain_that_runs_and_exits() {
    let mut bench = with_host(Some("spawner"));
    bench.done(MAIN, DomainRun, &[TO_HOST]);
    settle(&mut bench, THREAD);
    assert_eq!(bench.end_of(THREAD), Some(End::Exit(Exited { value: 0 })));
    let (child, thread) = (DomainId(3), ThreadId(3));
    assert_eq!(bench.capability(THREAD, 8).unwrap().object, Object::HostDomain(child));
    assert_eq!(bench.kernel.domains[&child].name, "init");
    settle(&mut bench, thread);
    assert_eq!(bench.end_of(thread), Some(End::Exit(Exited { value: 0 })));
    assert_eq!(bench.state_of(child), Some(DomainState::Dead));
    // It goes with the domain that created it.
    bench.kernel.destroy_domain(HOST).unwrap();
    bench.audit();
    assert_eq!(bench.state_of(child), None);
    bench.tear_down();
}

#[test]
fn an_unknown_service_is_refused_and_a_name_is_taken_once() {
    let mut bench = Bench::new(TWO);
    let error = bench.kernel.create_host_domain("x", Some("nothing")).unwrap_err();
    assert_eq!(error, LifecycleError::NoService("nothing".into()));
    assert!(text(&error).contains("echo, init"), "{error}");
    bench.audit();
    let first = bench.kernel.create_host_domain("init", Some("init")).unwrap();
    assert_eq!(first, (HOST, THREAD), "the refused one has left no number out");
    bench.tear_down();
}

#[test]
fn a_service_outside_makes_the_calls_that_it_is_given() {
    let mut bench = with_host(None);
    bench.kernel.start_thread(THREAD).unwrap();
    let call = HostCall::new(ConsoleWrite, &[3]).with_bytes(b"abc");
    assert_eq!(turn(&mut bench, THREAD), Step::Host(THREAD));
    assert_eq!(turn(&mut bench, THREAD), Step::Host(THREAD), "until a call comes");
    assert_eq!(bench.kernel.host_result(THREAD).unwrap(), HostResult::default());
    bench.kernel.host_call(THREAD, &call).unwrap();
    bench.audit();
    assert_eq!(bench.kernel.console(HOST).unwrap(), "abc");
    // The turn stays, as a guest's does.
    assert_eq!(bench.kernel.next_thread(), Some(THREAD));
    let none = HostCall { number: 0xffff, ..HostCall::default() };
    bench.kernel.host_call(THREAD, &none).unwrap();
    assert_eq!(bench.kernel.host_result(THREAD).unwrap().status, Status::NoSystemCall);
    bench.kernel.host_call(THREAD, &HostCall::new(Yield, &[])).unwrap();
    assert_ne!(bench.kernel.next_thread(), Some(THREAD));
    // Not its turn, not a host thread, not there.
    for thread in [THREAD, MAIN, ThreadId(77)] {
        assert!(bench.kernel.host_call(thread, &call).is_err());
        assert!(bench.kernel.host_result(thread).is_err());
    }
    assert!(bench.kernel.kicker(THREAD).is_err());
    assert!(bench.kernel.host_panicked(MAIN, "x").is_err());
    bench.kernel.host_panicked(THREAD, "on\nfire").unwrap();
    bench.audit();
    let panicked = KillReason::Panicked { message: "on fire".into() };
    assert_eq!(bench.end_of(THREAD), Some(End::Killed(panicked)));
    assert!(bench.kernel.host_panicked(THREAD, "again").is_err());
    bench.tear_down();
}

/// Makes a call as the host thread, whose turn it becomes.
#[track_caller]
fn hosts(bench: &mut Bench, call: &HostCall) -> HostResult {
    assert_eq!(turn(bench, THREAD), Step::Host(THREAD));
    bench.kernel.host_call(THREAD, call).unwrap();
    bench.audit();
    bench.kernel.result_of(THREAD)
}

#[test]
fn what_needs_an_address_space_or_registers_is_refused() {
    let mut bench = with_host(None);
    bench.kernel.start_thread(THREAD).unwrap();
    for (call, words, status) in [
        (PageAllocate, [20, 3, 0, 0], Status::Ok),
        (PageMap, [20, DATA, 3, 0], Status::Invalid),
        (PageUnmap, [20, 0, 0, 0], Status::Ok),
        (DumpStack, [0; 4], Status::Invalid),
        (Hypercall::ThreadCreate, [0, 0x1000, 0, 0], Status::Invalid),
        (Hypercall::ThreadGetRegisters, [0; 4], Status::Invalid),
        (Hypercall::ThreadSetRegisters, [0; 4], Status::Invalid),
    ] {
        let got = hosts(&mut bench, &HostCall::new(call, &words));
        assert_eq!(got.status, status, "{call:?}");
    }
    for call in [Hypercall::MemoryGrantAndMap, Hypercall::ThreadCreate, Hypercall::FaultBind] {
        bench.refused(MAIN, call, &[TO_HOST, 25, 19, DATA, 3], Status::Invalid);
    }
    assert_eq!(bench.configure(MAIN, TO_HOST, "m"), Status::Invalid);
    bench.refused(MAIN, DomainRun, &[TO_HOST], Status::BadState);
    let inspected = bench.call(MAIN, CapInspect, &[TO_HOST]);
    assert_eq!(inspected, Status::Ok);
    assert_eq!(bench.word(MAIN, utcb::MESSAGE + 8), ObjectKind::HostDomain as u64);
    bench.tear_down();
}

#[test]
fn a_host_domain_creates_others_of_both_kinds() {
    let mut bench = with_host(None);
    bench.kernel.start_thread(THREAD).unwrap();
    let create = HostCall::new(HostDomainCreate, &[20, 4]).with_bytes(b"init");
    assert_eq!(hosts(&mut bench, &create).status, Status::Ok);
    assert_eq!(hosts(&mut bench, &create).status, Status::Exists);
    for (name, status) in [("none", Status::NotFound), ("\u{7f}\u{7f}", Status::NotFound)] {
        let create = HostCall::new(HostDomainCreate, &[21, name.len() as u64]);
        assert_eq!(hosts(&mut bench, &create.with_bytes(name.as_bytes())).status, status);
    }
    let broken = HostCall::new(HostDomainCreate, &[21, 1]).with_bytes(&[0xff]);
    assert_eq!(hosts(&mut bench, &broken).status, Status::Invalid);
    let again = HostCall::new(HostDomainCreate, &[21, 4]).with_bytes(b"init");
    assert_eq!(hosts(&mut bench, &again).status, Status::Ok);
    assert_eq!(bench.kernel.domains[&DomainId(4)].name, "init.2");

    for call in [
        HostCall::new(Hypercall::DomainCreate, &[22]),
        HostCall::new(Hypercall::DomainConfigure, &[22, 1]).with_bytes(b"m"),
        HostCall::new(DomainRun, &[22]),
        HostCall::new(CapDelete, &[20]),
    ] {
        assert_eq!(hosts(&mut bench, &call).status, Status::Ok, "{call:?}");
    }
    assert_eq!(bench.state_of(DomainId(3)), None);
    bench.tear_down();
}

#[test]
fn a_failure_in_the_middle_of_creating_one_leaves_nothing() {
    let mut bench = with_host(None);
    bench.kernel.start_thread(THREAD).unwrap();
    let before = bench.state();
    bench.kernel.arch.fail_at = Some(bench.kernel.arch.fallible);
    let create = HostCall::new(HostDomainCreate, &[20, 4]).with_bytes(b"init");
    assert_eq!(hosts(&mut bench, &create).status, Status::NoMemory);
    assert_eq!(bench.state(), before);
    bench.kernel.arch.fail_at = Some(bench.kernel.arch.fallible);
    assert!(bench.kernel.create_host_domain("more", None).is_err());
    bench.audit();
    assert_eq!(bench.state(), before);
    bench.tear_down();
}

#[test]
fn instructions_are_counted_without_host_threads() {
    let mut bench = Bench::asleep(TWO);
    bench.kernel.arch.counts = true;
    bench.kernel.boot().unwrap();
    bench.kernel.create_host_domain("host", Some("init")).unwrap();
    bench.kernel.start_thread(THREAD).unwrap();
    settle(&mut bench, THREAD);
    assert_eq!(bench.kernel.retired(), Some(0));
    bench.exit(PEER, Exit::Hypercall { number: Yield as u32 });
    assert_eq!(bench.kernel.retired(), Some(1));
    bench.kernel.finish();
    bench.kernel.time_out();
    bench.tear_down();
}

#[test]
fn a_block_device_behind_calls_and_behind_a_ring() {
    let mut bench = serving("null-block");
    let Object::Page(frame) = bench.capability(MAIN, 25).unwrap().object else { panic!("a page") };
    bench.kernel.arch.frame_write(frame, 0, &[9; 4096]);
    assert_eq!(ask(&mut bench, &[0], &[])[..3], [0, 1 << 21, 512]);
    assert_eq!(ask(&mut bench, &[1, 7, 2, 1024], &[25])[..2], [0, 2]);
    let mut page = [0; 4096];
    bench.kernel.arch.frame_read(frame, 0, &mut page);
    assert!(page[1024..2048].iter().all(|&byte| byte == 0) && page[1023] == 9 && page[2048] == 9);
    // Read-only memory cannot be read into, but written from.
    bench.done(MAIN, CapCopy, &[25, 15, R | G]);
    let refused = (Status::NotPermitted as i64).cast_unsigned();
    assert_eq!(ask(&mut bench, &[1, 7, 1, 0], &[15])[0], refused);
    assert_eq!(ask(&mut bench, &[2, 7, 1, 0], &[15])[..2], [0, 1]);

    ring_of(&mut bench);
    request(&mut bench, 0, 5, &[1, 0, 8, 0]);
    request(&mut bench, 1, 6, &[1, 0, 9, 0]);
    bench.done(MAIN, NotificationSignal, &[16]);
    settle(&mut bench, THREAD);
    bench.done(MAIN, NotificationWait, &[16]);
    let (flags, words) = answer(&bench, 0);
    assert_eq!((flags, words[0], words[1]), (6, 0, 8));
    let (flags, words) = answer(&bench, 1);
    assert_eq!((flags, words[0].cast_signed()), (6, Status::Invalid as i64));
    bench.kernel.arch.frame_read(frame, 0, &mut page);
    assert_eq!(page, [0; 4096]);
    // With the channel gone, the service serves calls again.
    bench.done(MAIN, CapRevoke, &[16]);
    settle(&mut bench, THREAD);
    assert_eq!(ask(&mut bench, &[0], &[])[4..6], [2, 1]);
    bench.tear_down();
}

#[test]
fn a_network_card_behind_calls_and_behind_a_ring() {
    let mut bench = serving("null-net");
    assert_eq!(ask(&mut bench, &[1, 0, 1000], &[25])[..2], [0, 1000]);
    assert_eq!(ask(&mut bench, &[2, 0, 1514], &[25])[..2], [0, 60]);
    ring_of(&mut bench);
    request(&mut bench, 0, 0, &[1, 0, 60]);
    request(&mut bench, 1, 0, &[2, 0, 1514]);
    request(&mut bench, 2, 0, &[10]);
    bench.done(MAIN, NotificationSignal, &[16]);
    settle(&mut bench, THREAD);
    bench.done(MAIN, NotificationWait, &[16]);
    assert_eq!(answer(&bench, 1).1[..2], [0, 149]);
    assert_eq!(ask(&mut bench, &[0], &[])[3..7], [2, 1060, 2, 209]);
    assert_eq!((bench.capability(THREAD, 4), bench.capability(THREAD, 5)), (None, None));
    bench.tear_down();
}

/// Attaches a channel of one page, in slot 16 of `main`, and the page of slot 25 as its memory.
fn ring_of(bench: &mut Bench) {
    bench.done(MAIN, ChannelCreate, &[16, 0]);
    bench.done(MAIN, CapCopy, &[16, 17, R | W | G, 1]);
    assert_eq!(ask(bench, &[9, 0], &[17, 25])[..2], [0, 0]);
    bench.done(MAIN, CapDelete, &[17]);
}

fn ring_frame(bench: &Bench) -> crate::address::Frame {
    let Object::Channel(id) = bench.capability(MAIN, 16).unwrap().object else {
        panic!("a channel")
    };
    bench.kernel.channels[&id].block
}

fn request(bench: &mut Bench, slot: usize, flags: u32, words: &[u64]) {
    let frame = ring_frame(bench);
    let mut bytes = [0x746e_6573_u32.to_le_bytes(), flags.to_le_bytes()].concat();
    bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    bench.kernel.arch.frame_write(frame, slot * 64, &bytes);
}

fn answer(bench: &Bench, slot: usize) -> (u32, [u64; 7]) {
    let mut bytes = [0; 64];
    bench.kernel.arch.frame_read(ring_frame(bench), 2048 + slot * 64, &mut bytes);
    assert_eq!(bytes[..4], 0x746e_6573_u32.to_le_bytes());
    let word = |i: usize| u64::from_le_bytes(bytes[8 + i * 8..][..8].try_into().unwrap());
    (u32::from_le_bytes(bytes[4..8].try_into().unwrap()), core::array::from_fn(word))
}

/// Asks a session in JSON, as somebody on the other side of a boundary does.
#[track_caller]
fn over_json(session: &mut Session<Scripted>, request: &Request) -> Response {
    let bytes = serde_json::to_vec(request).unwrap();
    assert_eq!(&serde_json::from_slice::<Request>(&bytes).unwrap(), request);
    let answer = handle_json(session, &bytes).unwrap();
    let answer: Result<Response, LifecycleError> = serde_json::from_slice(&answer).unwrap();
    answer.unwrap()
}

#[test]
fn host_calls_cross_a_boundary_of_json() {
    let world = World::single(crate::world::DomainPlan::new("host", ""));
    let bundle = Bundle::new(World { domains: alloc::vec::Vec::new(), ..world });
    let mut session = Session::new(Scripted::default(), bundle);
    let session = &mut session;
    let create = |name: &str, service: Option<&str>| Request::CreateHostDomain {
        name: name.into(),
        service: service.map(String::from),
    };
    let Response::HostDomain(client, thread) = over_json(session, &create("client", None)) else {
        panic!("a host domain");
    };
    let Response::HostDomain(server, echo) = over_json(session, &create("echo", Some("echo")))
    else {
        panic!("a host domain");
    };
    let give =
        Request::GiveDomain { holder: client, slot: 20, domain: server, rights: Rights::ALL };
    assert_eq!(over_json(session, &give), Response::Done);
    assert_eq!(over_json(session, &Request::Start(thread)), Response::Done);
    let call = |session: &mut Session<Scripted>, call: HostCall| {
        assert_eq!(session.run(1000, 100), Progress::Host(thread));
        assert_eq!(over_json(session, &Request::HostCall { thread, call }), Response::Done);
        assert_eq!(session.run(1000, 100), Progress::Host(thread));
        match over_json(session, &Request::HostResult(thread)) {
            Response::HostResult(result) => result,
            other => panic!("{other:?}"),
        }
    };
    for prepare in [
        HostCall::new(EndpointCreate, &[21]),
        HostCall::new(CapGrant, &[20, 21, 3, R | G]),
        HostCall::new(DomainRun, &[20]),
        HostCall::new(PageAllocate, &[22, R | W, 0]),
    ] {
        assert_eq!(call(session, prepare).status, Status::Ok);
    }
    let message = Message::new(&[3, 1, 4, 1, 5]);
    let got = call(session, HostCall::with_message(SyncCall, 21, &message));
    assert_eq!((got.status, got.message), (Status::Ok, message.words));

    let write = Request::HostWrite { domain: client, slot: 22, offset: 9, bytes: b"xyz".to_vec() };
    assert_eq!(over_json(session, &write), Response::Done);
    let read = |length| Request::HostRead { domain: client, slot: 22, offset: 8, length };
    assert_eq!(over_json(session, &read(5)), Response::Bytes(b"\0xyz\0".to_vec()));
    for length in [4089, u64::MAX] {
        assert_eq!(over_json(session, &read(length)), Response::Refused(Status::Invalid));
    }
    let panicked = Request::HostPanicked { thread, message: "oh".into() };
    assert_eq!(over_json(session, &panicked), Response::Done);
    // The service has nobody left to serve, and ends by itself.
    assert_eq!(session.run(1000, 100), Progress::Idle);
    let Response::Report(report) = over_json(session, &Request::Report(echo)) else {
        panic!("a report");
    };
    assert_eq!(report.ended.unwrap().0, End::Exit(Exited { value: 0 }));
    assert_eq!(got.received, Received::Message);
}
