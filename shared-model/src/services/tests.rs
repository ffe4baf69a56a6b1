//! Services without a microkernel: which hypercalls they make, given what they are told.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::{ENDPOINT, Memory, NAMES, Service, null_net, service};
use crate::abi::{Hypercall, ObjectKind, Received, Status};
use crate::host::{HostCall, HostResult};

/// Blocks, by the slots they are held in.
#[derive(Default)]
struct Blocks(BTreeMap<u64, Vec<u8>>);

impl Memory for Blocks {
    fn read(&self, slot: u64, offset: u64, bytes: &mut [u8]) -> Result<(), Status> {
        let block = self.0.get(&slot).ok_or(Status::NotFound)?;
        let from = block.get(offset as usize..).and_then(|from| from.get(..bytes.len()));
        bytes.copy_from_slice(from.ok_or(Status::Invalid)?);
        Ok(())
    }

    fn write(&mut self, slot: u64, offset: u64, bytes: &[u8]) -> Result<(), Status> {
        let block = self.0.get_mut(&slot).ok_or(Status::NotFound)?;
        let to = block.get_mut(offset as usize..).and_then(|to| to.get_mut(..bytes.len()));
        to.ok_or(Status::Invalid)?.copy_from_slice(bytes);
        Ok(())
    }
}

struct Bench {
    service: Box<dyn Service>,
    memory: Blocks,
    /// What it did last.
    call: HostCall,
}

impl Bench {
    fn new(name: &str) -> Self {
        let service = service(name).expect("it is bundled");
        let mut bench = Self { service, memory: Blocks::default(), call: HostCall::default() };
        bench.told(&HostResult::default());
        bench
    }

    fn told(&mut self, result: &HostResult) -> &HostCall {
        self.call = self.service.step(result, &mut self.memory);
        &self.call
    }

    #[track_caller]
    fn makes(&self, call: Hypercall) -> &HostCall {
        assert_eq!(Hypercall::from_number(self.call.number), Some(call), "{:?}", self.call);
        &self.call
    }

    /// Its last hypercall is done.
    fn done(&mut self) -> &HostCall {
        self.told(&HostResult::default())
    }

    fn refused(&mut self, status: Status) -> &HostCall {
        self.told(&HostResult { status, ..HostResult::default() })
    }

    /// It receives a call with these words and capability registers.
    #[track_caller]
    fn called(&mut self, words: &[u64], arrived: u64) -> &HostCall {
        let receive = self.makes(Hypercall::SyncReceive);
        assert_eq!(receive.endpoint, ENDPOINT);
        let message = core::array::from_fn(|i| words.get(i).copied().unwrap_or(0));
        let received = Received::Call;
        self.told(&HostResult { message, arrived, received, ..HostResult::default() })
    }

    /// Lets it go on until it answers, and returns the answer.
    #[track_caller]
    fn answer(&mut self) -> [u64; 8] {
        for _ in 0..10 {
            if self.call.number == Hypercall::SyncReply as u32 {
                let answer = self.call.message;
                self.done();
                return answer;
            }
            self.done();
        }
        panic!("no answer comes");
    }
}

const INVALID: u64 = (Status::Invalid as i64).cast_unsigned();

#[test]
fn every_name_is_a_service_and_nothing_else_is() {
    assert!(NAMES.is_sorted());
    for name in NAMES {
        assert!(service(name).is_some(), "{name}");
    }
    assert!(service("").is_none() && service("Echo").is_none());
}

#[test]
fn init_exits_with_0_and_goes_on_doing_so() {
    let mut bench = Bench::new("init");
    assert_eq!(bench.makes(Hypercall::Exit).message[0], 0);
    // An exit is always granted; a step after it must not break anything.
    bench.done();
    bench.makes(Hypercall::Yield);
}

#[test]
fn echo_answers_with_what_came_and_drops_the_capabilities() {
    let mut bench = Bench::new("echo");
    assert_eq!(bench.makes(Hypercall::SyncReceive).capabilities, [8, 9, 10, 11, 0, 0, 0, 0]);
    let reply = bench.called(&[1, 2, 3, 4, 5, 6, 7, 8], 0b1010).clone();
    assert_eq!(reply.number, Hypercall::SyncReply as u32);
    assert_eq!(reply.message, [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(reply.capabilities, [0, 0, 0, 0, 0, 9, 0, 11]);
    bench.refused(Status::PeerDied);
    assert_eq!(bench.makes(Hypercall::CapDelete).message[0], 9);
    bench.done();
    assert_eq!(bench.makes(Hypercall::CapDelete).message[0], 11);
    bench.done();
    bench.makes(Hypercall::SyncReceive);
    // A message wants no answer.
    bench.told(&HostResult { message: [9; 8], ..HostResult::default() });
    bench.makes(Hypercall::SyncReceive);
}

#[test]
fn servers_end_with_0_when_nobody_is_left_and_else_with_the_status() {
    for name in ["echo", "logger", "null-block", "null-net"] {
        for (status, value) in [(Status::PeerDied, 0), (Status::NotFound, -2)] {
            let mut bench = Bench::new(name);
            bench.makes(Hypercall::SyncReceive);
            bench.refused(status);
            let exit = bench.makes(Hypercall::Exit);
            assert_eq!(exit.message[0].cast_signed(), value, "{name}");
        }
    }
}

#[test]
fn the_spawner_creates_runs_and_ends() {
    let mut bench = Bench::new("spawner");
    let create = bench.makes(Hypercall::HostDomainCreate);
    assert_eq!((create.message[1], create.buffer.as_slice()), (4, b"init".as_slice()));
    let slot = create.message[0];
    bench.done();
    assert_eq!(bench.makes(Hypercall::DomainRun).message[0], slot);
    bench.done();
    assert_eq!(bench.makes(Hypercall::Exit).message[0], 0);

    let mut bench = Bench::new("spawner");
    bench.refused(Status::NoMemory);
    assert_eq!(bench.makes(Hypercall::Exit).message[0].cast_signed(), -12);
}

#[test]
fn the_logger_shows_words_and_memory() {
    let mut bench = Bench::new("logger");
    let text = u64::from_le_bytes(*b"hello!\n.");
    bench.called(&[0, 7, text], 0);
    let write = bench.makes(Hypercall::ConsoleWrite);
    assert_eq!((write.message[0], write.buffer.as_slice()), (7, b"hello!\n".as_slice()));
    assert_eq!(bench.answer()[..2], [0, 7]);

    // Longer than a buffer: in parts.
    bench.memory.0.insert(8, (0..10_000).map(|i| i as u8).collect());
    bench.called(&[1, 1000, 5000], 1);
    let mut shown = Vec::new();
    while bench.call.number == Hypercall::ConsoleWrite as u32 {
        shown.extend(bench.call.buffer.clone());
        bench.done();
    }
    assert_eq!(shown, (1000..6000).map(|i| i as u8).collect::<Vec<_>>());
    assert_eq!(bench.makes(Hypercall::CapDelete).message[0], 8);
    assert_eq!(bench.answer()[..2], [0, 5000]);

    for bad in [[0, 49, 0], [0, u64::MAX, 0], [1, 9999, 2], [1, 0, 1 << 16 | 1], [2, 0, 0]] {
        bench.called(&bad, 1);
        assert_eq!(bench.answer()[..2], [INVALID, 0], "{bad:?}");
    }
}

#[test]
fn the_block_device_reads_zeros_and_counts() {
    let mut bench = Bench::new("null-block");
    bench.memory.0.insert(6, alloc::vec![7; 8192]);
    bench.called(&[0], 0);
    assert_eq!(bench.answer(), [0, 1 << 21, 512, 256, 0, 0, 0, 0]);
    bench.called(&[1, 100, 3, 512], 1);
    assert_eq!(bench.answer()[..2], [0, 3]);
    let read = &bench.memory.0[&6];
    assert!(read[512..2048].iter().all(|&byte| byte == 0));
    assert!(read[..512].iter().chain(&read[2048..]).all(|&byte| byte == 7));
    bench.called(&[2, (1 << 21) - 16, 16, 0], 1);
    assert_eq!(bench.answer()[..2], [0, 16]);
    bench.called(&[3], 0);
    assert_eq!(bench.answer()[..2], [0, 0]);
    bench.called(&[0], 0);
    assert_eq!(bench.answer()[4..], [1, 1, 3, 16]);
}

#[test]
fn requests_that_make_no_sense_are_refused() {
    for (name, bad) in [
        ("null-block", [1, 1 << 21, 1, 0]),
        ("null-block", [1, u64::MAX, 1, 0]),
        ("null-block", [2, 0, 257, 0]),
        ("null-block", [1, 0, 1, 8192 - 511]),
        ("null-block", [4, 0, 0, 0]),
        ("null-net", [1, 0, 13, 0]),
        ("null-net", [1, 0, 1515, 0]),
        ("null-net", [1, 8190, 60, 0]),
        ("null-net", [2, 0, 59, 0]),
        ("null-net", [3, 0, 0, 0]),
    ] {
        let mut bench = Bench::new(name);
        bench.memory.0.insert(6, alloc::vec![7; 8192]);
        bench.called(&bad, 1);
        assert_eq!(bench.answer(), [INVALID, 0, 0, 0, 0, 0, 0, 0], "{name} {bad:?}");
        bench.called(&[0], 0);
        assert!(bench.answer()[4..].iter().all(|&count| count == 0), "nothing was counted");
    }
    // Without memory.
    let mut bench = Bench::new("null-net");
    bench.called(&[1, 0, 60], 0);
    assert_eq!(bench.answer()[0].cast_signed(), Status::NotFound as i64);
}

#[test]
fn the_network_card_counts_and_makes_frames_up() {
    let mut bench = Bench::new("null-net");
    bench.memory.0.insert(6, alloc::vec![0; 4096]);
    bench.called(&[1, 100, 1514], 1);
    assert_eq!(bench.answer()[..2], [0, 1514]);
    let mut bytes = 0;
    for number in 0..4 {
        bench.called(&[2, 64, 2000], 1);
        let frame = null_net::frame(number);
        assert_eq!(bench.answer()[..2], [0, frame.len() as u64]);
        assert_eq!(bench.memory.0[&6][64..][..frame.len()], frame);
        bytes += frame.len() as u64;
    }
    bench.called(&[0], 0);
    assert_eq!(bench.answer(), [0, 0x6463_6c00_0002, 1500, 1, 1514, 4, bytes, 0]);
    let lengths: Vec<_> = (0..1455).map(|number| null_net::frame(number).len()).collect();
    let mut sorted = lengths.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (60..=1514).collect::<Vec<_>>(), "all lengths come");
    assert_ne!(lengths, sorted);
}

#[test]
fn memory_that_is_left_serves_requests_without_any() {
    let mut bench = Bench::new("null-block");
    bench.called(&[8], 0);
    assert_eq!(bench.answer()[0].cast_signed(), Status::NotFound as i64);
    bench.called(&[8], 1);
    assert_eq!(bench.makes(Hypercall::CapDelete).message[0], 5);
    bench.done();
    assert_eq!(bench.makes(Hypercall::CapMove).message[..2], [6, 5]);
    bench.memory.0.insert(5, alloc::vec![1; 4096]);
    assert_eq!(bench.answer()[0], 0);
    bench.called(&[1, 0, 1, 0], 0);
    assert_eq!(bench.answer()[..2], [0, 1]);
    assert_eq!(bench.memory.0[&5][511..513], [0, 1]);
}

/// The other end of a channel of one page, with the rings in all of it.
const HALF: u64 = 2048;

impl Bench {
    /// Attaches a channel, of which the service has end 1, and memory.
    #[track_caller]
    fn attached(&mut self) {
        self.memory.0.insert(4, alloc::vec![0; 4096]);
        self.memory.0.insert(5, alloc::vec![7; 4096]);
        self.called(&[9, 0], 0b11);
        self.makes(Hypercall::CapInspect);
        let inspected = [0, ObjectKind::Channel as u64, 3, 1, 1, 0, 0, 0];
        self.told(&HostResult { message: inspected, ..HostResult::default() });
        assert_eq!(self.answer()[..2], [0, 0]);
        self.makes(Hypercall::CapInspect);
        self.told(&HostResult { message: inspected, ..HostResult::default() });
        self.makes(Hypercall::NotificationWait);
    }

    /// Puts a request into the `slot`th slot, and says which status that had.
    fn request(&mut self, slot: u64, flags: u32, words: &[u64]) -> u32 {
        let ring = self.memory.0.get_mut(&4).unwrap();
        let slot = &mut ring[(slot * 64) as usize..][..64];
        let before = u32::from_le_bytes(slot[..4].try_into().unwrap());
        slot[..4].copy_from_slice(&0x746e_6573_u32.to_le_bytes());
        slot[4..8].copy_from_slice(&flags.to_le_bytes());
        for (i, word) in words.iter().enumerate() {
            slot[8 + i * 8..][..8].copy_from_slice(&word.to_le_bytes());
        }
        before
    }

    /// Takes the `slot`th answer: its status, flags and words.
    fn taken(&mut self, slot: u64) -> (u32, u32, [u64; 7]) {
        let ring = self.memory.0.get_mut(&4).unwrap();
        let slot = &mut ring[(HALF + slot * 64) as usize..][..64];
        let half = |at: usize| u32::from_le_bytes(slot[at..][..4].try_into().unwrap());
        let word = |i: usize| u64::from_le_bytes(slot[8 + i * 8..][..8].try_into().unwrap());
        let taken = (half(0), half(4), core::array::from_fn(word));
        slot[..4].fill(0);
        taken
    }
}

const AWAITED: u32 = 0x7469_6177;
const SENT: u32 = 0x746e_6573;
const FULL: u32 = 0x6c6c_7566;

/// The flags of the answer to a message with these flags: a request's becomes a response's.
fn answered(flags: u32) -> u32 {
    if flags % 4 == 1 { flags + 1 } else { flags }
}

#[test]
fn a_ring_carries_requests_in_order_and_rings_once_for_all_of_them() {
    let mut bench = Bench::new("null-block");
    bench.attached();
    for i in 0..3 {
        assert_eq!(bench.request(i, 40 + i as u32, &[1, i, 1, i * 512]), AWAITED);
    }
    bench.request(3, 43, &[0]);
    bench.done();
    bench.makes(Hypercall::NotificationSignal);
    for i in 0..3 {
        assert_eq!(bench.taken(i), (SENT, answered(40 + i as u32), [0, 1, 0, 0, 0, 0, 0]));
    }
    assert_eq!(bench.taken(3), (SENT, 43, [0, 1 << 21, 512, 256, 3, 0, 3]));
    assert!(bench.memory.0[&5][..1536].iter().all(|&byte| byte == 0));
    assert_eq!(bench.memory.0[&5][1536], 7);
    bench.done();
    bench.makes(Hypercall::NotificationWait);
    // Woken for nothing: it looks, and waits again without ringing.
    bench.done();
    bench.makes(Hypercall::NotificationWait);
    // Detaching ends it, and gives both capabilities back.
    bench.request(4, 0, &[10]);
    bench.done();
    bench.makes(Hypercall::NotificationSignal);
    for slot in [4, 5] {
        bench.done();
        assert_eq!(bench.makes(Hypercall::CapDelete).message[0], slot);
    }
    bench.done();
    bench.makes(Hypercall::SyncReceive);
}

#[test]
fn a_ring_without_room_for_answers_waits_until_there_is_some() {
    let mut bench = Bench::new("null-net");
    bench.attached();
    // 32 slots in each direction.
    for i in 0..32 {
        bench.request(i, i as u32, &[2, 0, 1514]);
    }
    bench.done();
    bench.makes(Hypercall::NotificationSignal);
    bench.request(0, 32, &[2, 0, 1514]);
    bench.done();
    bench.makes(Hypercall::NotificationWait);
    bench.done();
    bench.makes(Hypercall::NotificationWait);
    for i in 0..32 {
        let (status, flags, words) = bench.taken(i);
        assert_eq!(
            (status, flags, words[0]),
            (if i == 31 { FULL } else { SENT }, answered(i as u32), 0)
        );
    }
    bench.done();
    bench.makes(Hypercall::NotificationSignal);
    assert_eq!(bench.taken(0).1, 32);
}

#[test]
fn garbage_in_a_ring_harms_nobody_but_its_writer() {
    let mut bench = Bench::new("null-block");
    bench.attached();
    bench.memory.0.get_mut(&4).unwrap().fill(0xa5);
    bench.done();
    bench.makes(Hypercall::NotificationWait);
    bench.memory.0.get_mut(&4).unwrap().fill(0);
    // Its capability is revoked: back to calls.
    bench.memory.0.remove(&4);
    bench.done();
    bench.makes(Hypercall::CapDelete);
    bench.done();
    bench.done();
    bench.makes(Hypercall::SyncReceive);
}

#[test]
fn what_is_no_channel_is_not_attached() {
    let mut bench = Bench::new("null-block");
    bench.called(&[9], 0);
    assert_eq!(bench.answer()[0].cast_signed(), Status::NotFound as i64);
    bench.called(&[9], 1);
    bench.makes(Hypercall::CapInspect);
    let inspected = [0, ObjectKind::Page as u64, 3, 0, 1, 0, 0, 0];
    bench.told(&HostResult { message: inspected, ..HostResult::default() });
    assert_eq!(bench.answer()[0], INVALID);
    bench.makes(Hypercall::SyncReceive);
}
