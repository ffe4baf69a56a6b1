//! A small domain for the tests of this crate: a page of code at 1 MiB.
#![allow(dead_code, reason = "each test binary uses its part")]

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
    let (gdt, idt, gates, task, stack) = (0x20_0000, 0x20_1000, 0x20_2000, 0x20_3000, 0x20_4000);
    let pages: [(u64, Rights, &[u8]); 6] = [
        (CODE, Rights::READ_EXECUTE, code),
        (gdt, Rights::READ, &boot::gdt()[..]),
        (idt, Rights::READ, &boot::idt(GuestVirtual(gates))[..]),
        (gates, Rights::READ_EXECUTE, &boot::gates()[..]),
        (task, Rights::READ, &boot::task(GuestVirtual(stack + 0x1000))[..]),
        (stack, Rights::READ_WRITE, &[]),
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
