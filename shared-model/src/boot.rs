//! The pages a thread's processor starts from: descriptor tables, task segment, gates.
//!
//! Everything runs at privilege level 3. An exception finds its gate in the domain's own
//! IDT, which stays at level 3 and switches to the exception stack (IST 1); the gate's
//! code is one `out` to a port that names the vector, so no register is disturbed and the
//! host reads the frame that the processor pushed.

use alloc::boxed::Box;

use crate::abi::{EXCEPTION_PORT, EXCEPTION_VECTORS, HYPERCALL_PORT, RETURN_PORT};
use crate::address::{GuestVirtual, PAGE_SIZE};

/// Bytes between the code of two gates.
pub const GATE_STRIDE: u64 = 16;
/// Where the return gate's code is, relative to the first gate: the address at which a
/// function that the microkernel calls returns.
pub const RETURN_GATE: u64 = GATE_STRIDE * EXCEPTION_VECTORS as u64;

/// Selector of the 64-bit code segment, privilege level 3. Linux's own value: on
/// shadow-paging hosts that run level 3 natively, other selectors cost more.
pub const CODE_SELECTOR: u16 = 0x33;
/// Selector of the data and stack segment.
pub const DATA_SELECTOR: u16 = 0x2b;
/// Selector of the task segment.
pub const TASK_SELECTOR: u16 = 0x40;
/// Limit of the global descriptor table: ten 8-byte entries.
pub const GDT_LIMIT: u16 = 10 * 8 - 1;
/// Limit of the interrupt descriptor table: 32 gates of 16 bytes.
pub const IDT_LIMIT: u16 = 32 * 16 - 1;
/// Bytes of fields before the task segment's port bitmap (Intel SDM vol. 3, 7.7).
const TASK_FIELDS: u16 = 104;
/// Limit of the task segment: its fields, a bitmap for ports 0 to 255, and the byte of ones
/// that must end it (Intel SDM vol. 1, 19.5.2). Ports above are refused.
pub const TASK_LIMIT: u16 = TASK_FIELDS + 32;

/// Offset in the task segment of the exception stack's top (IST 1).
pub const TASK_STACK: u64 = 0x24;
/// Bytes that an exception pushes in 64-bit mode, the error code included (Intel SDM vol. 3,
/// 6.14.2).
pub const EXCEPTION_FRAME: usize = 48;

/// The content of one page.
pub type Page = Box<[u8; PAGE_SIZE as usize]>;

fn page() -> Page {
    Box::new([0; PAGE_SIZE as usize])
}

fn put(page: &mut Page, offset: u64, bytes: &[u8]) {
    page[offset as usize..][..bytes.len()].copy_from_slice(bytes);
}

/// The global descriptor table, shared by a domain's threads. The task descriptor is
/// present and busy; a processor's hidden state holds each thread's own base.
pub fn gdt() -> Page {
    // Flat segments, 4 KiB granularity, accessed (Intel SDM vol. 3, 3.4.5). The kernel-level
    // pair is there because some hosts look for Linux's own table shape.
    const ENTRIES: [(u16, u64); 6] = [
        (0x10, 0x00af_9b00_0000_ffff),
        (0x18, 0x00cf_9300_0000_ffff),
        (0x20, 0x00cf_fb00_0000_ffff),
        (DATA_SELECTOR & !7, 0x00cf_f300_0000_ffff),
        (CODE_SELECTOR & !7, 0x00af_fb00_0000_ffff),
        (TASK_SELECTOR, 0x0000_8b00_0000_0000 | TASK_LIMIT as u64),
    ];
    let mut page = page();
    for (selector, entry) in ENTRIES {
        put(&mut page, selector.into(), &entry.to_le_bytes());
    }
    page
}

/// The interrupt descriptor table: 32 interrupt gates to the code of [`gates`].
pub fn idt(gates: GuestVirtual) -> Page {
    let mut page = page();
    for vector in 0..u64::from(EXCEPTION_VECTORS) {
        let target = gates.0 + vector * GATE_STRIDE;
        // Level 3 may raise only the breakpoint by an instruction of its own; `int n` to
        // any other vector is a general-protection fault.
        let level: u64 = if vector == 3 { 3 } else { 0 };
        let (interrupt_gate, present, stack) = (0xe_u64, 1_u64, 1_u64);
        // Intel SDM vol. 3, 6.14.1.
        let low = target & 0xffff
            | u64::from(CODE_SELECTOR) << 16
            | stack << 32
            | interrupt_gate << 40
            | level << 45
            | present << 47
            | (target >> 16 & 0xffff) << 48;
        put(&mut page, vector * 16, &low.to_le_bytes());
        put(&mut page, vector * 16 + 8, &(target >> 32).to_le_bytes());
    }
    page
}

/// The gates' code: `out %al, $port` and then an instruction that cannot be passed.
pub fn gates() -> Page {
    let mut page = page();
    let exceptions =
        (0..EXCEPTION_VECTORS).map(|v| (GATE_STRIDE * u64::from(v), EXCEPTION_PORT + v));
    for (offset, port) in exceptions.chain([(RETURN_GATE, RETURN_PORT)]) {
        put(&mut page, offset, &[0xe6, port as u8, 0x0f, 0x0b]);
    }
    page
}

/// A task segment whose only stack is `exception_stack_top` and whose port bitmap allows
/// the hypercall, return and exception ports and no other.
pub fn task(exception_stack_top: GuestVirtual) -> Page {
    let mut page = page();
    put(&mut page, TASK_STACK, &exception_stack_top.0.to_le_bytes());
    put(&mut page, 0x66, &TASK_FIELDS.to_le_bytes());
    let bitmap = &mut page[TASK_FIELDS.into()..=TASK_LIMIT.into()];
    bitmap.fill(0xff);
    for port in (0..=255).filter(|&port| port_allowed(port, 1)) {
        bitmap[usize::from(port / 8)] &= !(1 << (port % 8));
    }
    page
}

/// Whether the port bitmap of [`task`] lets level 3 use `width` bytes of ports from `port`.
pub fn port_allowed(port: u16, width: u16) -> bool {
    let allowed = [
        EXCEPTION_PORT..EXCEPTION_PORT + EXCEPTION_VECTORS,
        HYPERCALL_PORT..HYPERCALL_PORT + 4,
        RETURN_PORT..RETURN_PORT + 1,
    ];
    (0..width).all(|i| {
        port.checked_add(i).is_some_and(|p| allowed.iter().any(|range| range.contains(&p)))
    })
}

#[cfg(test)]
mod tests {
    use super::{TASK_FIELDS, TASK_LIMIT, port_allowed, task};
    use crate::abi::{HYPERCALL_PORT, RETURN_PORT};
    use crate::address::GuestVirtual;

    #[test]
    fn the_bitmap_says_what_port_allowed_says() {
        let page = task(GuestVirtual(0x1000));
        for port in 0..=255_u16 {
            let bit = page[usize::from(TASK_FIELDS + port / 8)] >> (port % 8) & 1;
            assert_eq!(bit == 0, port_allowed(port, 1), "port {port:#x}");
        }
        assert_eq!(page[usize::from(TASK_LIMIT)], 0xff);
        assert!(port_allowed(HYPERCALL_PORT, 4) && port_allowed(RETURN_PORT, 1));
        assert!(!port_allowed(RETURN_PORT, 2) && !port_allowed(u16::MAX, 1));
    }
}
