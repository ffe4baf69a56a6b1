//! A small domain for the tests of this crate: a page of code at 1 MiB.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use native_vmx::NativeArch;
use shared_model::address::{Frame, GuestPhysical, GuestVirtual};
use shared_model::arch::{Arch, DomainId, ThreadId};
use shared_model::boot;
use shared_model::paging::{PageTables, PhysicalRoom};
use shared_model::registers::{Registers, SystemRegisters};
use shared_model::rights::Rights;

/// Where the code is.
pub(crate) const CODE: u64 = 0x10_0000;
/// 1: inc %rbx; jmp 1b
pub(crate) const SPIN: [u8; 5] = [0x48, 0xff, 0xc3, 0xeb, 0xfb];
/// 1: out %al, $0xe0; jmp 1b
pub(crate) const CALL_LOOP: [u8; 4] = [0xe6, 0xe0, 0xeb, 0xfc];

/// A page that can be read and written, and its frame's number after a domain's first.
pub(crate) const DATA: u64 = 0x30_0000;
pub(crate) const DATA_FRAME: u32 = 6;
/// The same for the exception stack, which a thread without exceptions can use as it likes.
pub(crate) const STACK: u64 = 0x20_4000;
pub(crate) const STACK_FRAME: u32 = 5;

/// This host's KVM, or nothing, with the reason printed.
pub(crate) fn machine() -> Option<NativeArch> {
    NativeArch::new().inspect_err(|reason| println!("skipped: {reason}")).ok()
}

/// A domain with `code`, and the next free frame's number.
pub(crate) fn domain(
    arch: &mut NativeArch,
    id: DomainId,
    first_frame: u32,
    code: &[u8],
) -> (SystemRegisters, u32) {
    let (gdt, idt, gates, task, stack) = (0x20_0000, 0x20_1000, 0x20_2000, 0x20_3000, STACK);
    let pages: [(u64, Rights, &[u8]); 7] = [
        (CODE, Rights::READ_EXECUTE, code),
        (gdt, Rights::READ, &boot::gdt()[..]),
        (idt, Rights::READ, &boot::idt(GuestVirtual(gates))[..]),
        (gates, Rights::READ_EXECUTE, &boot::gates()[..]),
        (task, Rights::READ, &boot::task(GuestVirtual(stack + 0x1000))[..]),
        (stack, Rights::READ_WRITE, &[]),
        (DATA, Rights::READ_WRITE, &[]),
    ];
    let mut room = PhysicalRoom::new(GuestPhysical(0x1000), GuestPhysical(0x10_0000));
    let mut tables = PageTables::new(&mut room).unwrap();
    arch.domain_create(id).unwrap();
    let mut next = first_frame;
    let mut put = |arch: &mut NativeArch, page, rights, bytes: &[u8]| {
        arch.frame_allocate(Frame(next)).unwrap();
        arch.frame_write(Frame(next), 0, bytes);
        arch.map(id, GuestPhysical(page), Frame(next), rights).unwrap();
        next += 1;
    };
    for (page, rights, bytes) in pages {
        tables.map(&mut room, GuestVirtual(page), GuestPhysical(page), rights).unwrap();
        put(arch, page, rights, bytes);
    }
    for (page, table) in tables.pages() {
        let bytes: Vec<u8> = table.iter().flat_map(|entry| entry.to_le_bytes()).collect();
        put(arch, page.0, Rights::READ, &bytes);
    }
    let system = SystemRegisters {
        page_table_root: tables.root(),
        gs_base: GuestVirtual(0),
        gdt: GuestVirtual(gdt),
        idt: GuestVirtual(idt),
        task: GuestVirtual(task),
        gates: GuestVirtual(gates),
        exception_stack: GuestPhysical(stack),
    };
    (system, next)
}

/// A thread at the start of the code.
pub(crate) fn thread(
    arch: &mut NativeArch,
    id: ThreadId,
    domain: DomainId,
    system: &SystemRegisters,
) {
    arch.thread_create(id, domain, system).unwrap();
    arch.set_registers(id, &Registers { rip: CODE, ..Registers::default() });
}

/// One test at a time: a guest that spins takes a whole processor, and so does a kicker.
static TURN: Mutex<()> = Mutex::new(());

/// Ends the process if the test hangs: a lost kick would spin for ever.
pub(crate) struct Watchdog {
    done: Arc<AtomicBool>,
    _turn: MutexGuard<'static, ()>,
}

impl Watchdog {
    pub(crate) fn new(limit: Duration) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let done = Arc::new(AtomicBool::new(false));
        let seen = done.clone();
        thread::spawn(move || {
            let start = Instant::now();
            while start.elapsed() < limit {
                if seen.load(Ordering::Relaxed) {
                    return;
                }
                thread::sleep(Duration::from_millis(20));
            }
            eprintln!("a guest still spins, or somebody waits for ever");
            std::process::abort();
        });
        Self { done, _turn: turn }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
    }
}

/// Delays from nothing to a few hundred microseconds, so that kicks fall before, into and
/// after every step of the loop. A fixed sequence (xorshift), so that runs are alike.
pub(crate) struct Delays(pub(crate) u64);

impl Delays {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn wait(&mut self) {
        let random = self.next();
        let nanoseconds = (random % 300_000) >> (random >> 32 & 15);
        let until = Instant::now() + Duration::from_nanos(nanoseconds);
        while Instant::now() < until {
            thread::yield_now();
        }
    }
}
