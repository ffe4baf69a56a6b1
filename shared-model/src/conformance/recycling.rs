//! A thread starts from nothing, whoever had its processor before.
//!
//! A backend may use a processor again for another thread of the domain. Whatever a program
//! can leave in one must be gone then: a register that survives is a channel between two
//! programs that share no capability.

use alloc::vec::Vec;

use super::{
    BUDGET, Bench, CALL, CODE, DATA, FIRST, Home, KickSoon, NOWHERE, RAX, RBX, RCX, RDI, RDX,
};
use crate::abi::HYPERCALL_PORT;
use crate::address::{Frame, GuestVirtual};
use crate::arch::{Arch, ThreadId};
use crate::exit::Exit;
use crate::registers::{FLAGS_INITIAL, Registers};

/// Where programs that dirty a processor find values, from the start of the data.
const VALUES: usize = 0x800;
/// Bytes at the start of the data in which a program leaves what it sees.
const SEEN: usize = 512;

/// A part of a processor's state. Both programs have the data's address in RBX.
struct Part {
    name: &'static str,
    /// Leaves something in it.
    dirty: &'static [u8],
    /// Writes it to the start of the data.
    look: &'static [u8],
}

/// What the bases of `fs` and `gs` lead to: mov %fs:0x28, %rax; mov %rax, (%rbx);
/// mov %gs:0x28, %rax; mov %rax, 8(%rbx).
const BASES: [u8; 25] = [
    0x64, 0x48, 0x8b, 0x04, 0x25, 0x28, 0, 0, 0, 0x48, 0x89, 0x03, 0x65, 0x48, 0x8b, 0x04, 0x25,
    0x28, 0, 0, 0, 0x48, 0x89, 0x43, 8,
];

/// Selectors themselves are not here: where a host runs level 3 as if it were its own, they
/// are the host thread's, and every domain on it sees them.
const PARTS: [Part; 8] = [
    Part {
        name: "x87 and SSE",
        dirty: &[
            0xd9, 0xe8, // fld1
            0xd9, 0xeb, // fldpi
            0xd9, 0xab, 0, 8, 0, 0, // fldcw VALUES(%rbx)
            0x0f, 0xae, 0x93, 4, 8, 0, 0, // ldmxcsr VALUES + 4(%rbx)
            0x0f, 0x10, 0x83, 0x10, 8, 0, 0, // movups VALUES + 16(%rbx), %xmm0
            0x0f, 0x10, 0xbb, 0x10, 8, 0, 0, // ..., %xmm7
            0x44, 0x0f, 0x10, 0x83, 0x10, 8, 0, 0, // ..., %xmm8
            0x44, 0x0f, 0x10, 0xbb, 0x10, 8, 0, 0, // ..., %xmm15
        ],
        // fxsave64 (%rbx)
        look: &[0x48, 0x0f, 0xae, 0x03],
    },
    Part {
        name: "AVX",
        // vcmptrueps %ymm0, %ymm0, %ymm0; the same into %ymm15
        dirty: &[0xc5, 0xfc, 0xc2, 0xc0, 0x0f, 0xc5, 0x7c, 0xc2, 0xf8, 0x0f],
        // vmovups %ymm0, (%rbx); vmovups %ymm15, 32(%rbx)
        look: &[0xc5, 0xfc, 0x11, 0x03, 0xc5, 0x7c, 0x11, 0x7b, 0x20],
    },
    Part {
        name: "AVX-512 masks",
        // kxnorw %k1, %k1, %k1
        dirty: &[0xc5, 0xf4, 0x46, 0xc9],
        // kmovw %k1, %eax; mov %eax, (%rbx)
        look: &[0xc5, 0xf8, 0x93, 0xc1, 0x89, 0x03],
    },
    Part {
        name: "AVX-512 registers",
        // vpternlogd $0xff, %zmm17, %zmm17, %zmm17
        dirty: &[0x62, 0xa3, 0x75, 0x40, 0x25, 0xc9, 0xff],
        // vmovdqu32 %zmm17, (%rbx)
        look: &[0x62, 0xe1, 0x7e, 0x48, 0x7f, 0x0b],
    },
    Part {
        name: "protection keys",
        // mov $0xc0000000, %eax; xor %ecx, %ecx; xor %edx, %edx; wrpkru
        dirty: &[0xb8, 0, 0, 0, 0xc0, 0x31, 0xc9, 0x31, 0xd2, 0x0f, 0x01, 0xef],
        // xor %ecx, %ecx; rdpkru; mov %eax, (%rbx)
        look: &[0x31, 0xc9, 0x0f, 0x01, 0xee, 0x89, 0x03],
    },
    Part {
        name: "bases by selector",
        // mov $DATA_SELECTOR, %eax; mov %eax, %ds; ..., %es; ..., %fs; ..., %gs
        dirty: &[0xb8, 0x2b, 0, 0, 0, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xe0, 0x8e, 0xe8],
        look: &BASES,
    },
    Part {
        name: "bases",
        // mov $DATA + VALUES, %eax; wrfsbase %rax; wrgsbase %rax
        dirty: &[
            0xb8, 0, 8, 0x10, 0x10, 0xf3, 0x48, 0x0f, 0xae, 0xd0, 0xf3, 0x48, 0x0f, 0xae, 0xd8,
        ],
        look: &BASES,
    },
    Part {
        name: "flags",
        // push $0x244cd5; popf
        dirty: &[0x68, 0xd5, 0x4c, 0x24, 0, 0x9d],
        // pushf; pop (%rbx); and $0x244dd5, (%rbx): the flags that everybody sees, single
        // step, nested task, alignment check and identification (Intel SDM vol. 1, 3.4.3)
        look: &[0x9c, 0x8f, 0x03, 0x81, 0x23, 0xd5, 0x4d, 0x24, 0],
    },
];

/// The first page of the data, cleared, with the values in place.
fn prepare<A: Arch>(bench: &mut Bench<A>, home: &Home) -> Frame {
    let data = bench.behind(home, DATA);
    bench.arch.frame_write(data, 0, &[0; SEEN]);
    // All exceptions masked, rounding to zero.
    bench.arch.frame_write(data, VALUES, &[0x7f, 0x0f]);
    // The same, every exception seen, and tiny results flushed to zero.
    bench.arch.frame_write(data, VALUES + 4, &0xffbf_u32.to_le_bytes());
    bench.arch.frame_write(data, VALUES + 16, &[0xa5; 16]);
    // What the bases lead to in a new thread, and here.
    let (area, first) = (bench.behind(home, home.places.area()), bench.behind(home, FIRST));
    bench.set_word(area, 0x28, 0x1111);
    bench.set_word(first, 0x28, 0x2222);
    bench.set_word(data, VALUES + 0x28, 0x3333);
    data
}

/// What a new thread of the domain sees of a part, or nothing if the machine has none.
fn look<A: Arch>(bench: &mut Bench<A>, home: &Home, part: &Part) -> Option<[u8; SEEN]> {
    let data = prepare(bench, home);
    let thread = begin(bench, home, part.look);
    let there = ends_with_call(bench, thread);
    bench.arch.thread_destroy(thread);
    let mut seen = [0; SEEN];
    bench.arch.frame_read(data, 0, &mut seen);
    there.then_some(seen)
}

/// A thread that runs `code` and then makes a hypercall.
fn begin<A: Arch>(bench: &mut Bench<A>, home: &Home, code: &[u8]) -> ThreadId {
    let frame = bench.behind(home, CODE);
    bench.arch.frame_write(frame, 0, code);
    bench.arch.frame_write(frame, code.len(), &CALL);
    bench.thread(home, &[(RBX, DATA.0)])
}

/// Whether the thread came to its hypercall; if not, it has used what the machine lacks.
fn ends_with_call<A: Arch>(bench: &mut Bench<A>, thread: ThreadId) -> bool {
    match bench.run(thread) {
        Exit::Hypercall { .. } => true,
        Exit::Unsupported { .. } | Exit::Exception { vector: 6, .. } => false,
        other => panic!("{other:?}"),
    }
}

pub(super) fn a_thread_sees_nothing_of_the_one_before<A: Arch>(
    mut bench: Bench<A>,
    _: KickSoon<'_, A>,
) {
    for part in &PARTS {
        let home = bench.home(&[]);
        let Some(first) = look(&mut bench, &home, part) else { continue };
        // A domain of its own, so that the processor is new to the dirt.
        let home = bench.home(&[]);
        prepare(&mut bench, &home);
        let thread = begin(&mut bench, &home, part.dirty);
        let dirtied = ends_with_call(&mut bench, thread);
        bench.arch.thread_destroy(thread);
        if dirtied {
            let seen = look(&mut bench, &home, part);
            assert!(seen == Some(first), "{} differ from a new processor's", part.name);
        }
        if part.name == "x87 and SSE" {
            // Intel SDM vol. 1, 8.1.5 and 10.2.3: control words with everything masked,
            // rounding to nearest, and an empty stack.
            assert_eq!(first[..5], [0x7f, 3, 0, 0, 0]);
            assert_eq!(first[24..28], [0x80, 0x1f, 0, 0]);
            assert!(first[32..416].iter().all(|&byte| byte == 0));
        }
    }
}

pub(super) fn a_thread_starts_fresh_however_the_one_before_ended<A: Arch>(
    mut bench: Bench<A>,
    kick_soon: KickSoon<'_, A>,
) {
    let codes: [&[u8]; 9] = [
        &CALL,
        &[0xe4, HYPERCALL_PORT as u8], // in $HYPERCALL_PORT, %al: waits for data
        &[0xf3, 0x6c],                 // rep insb: waits for more
        &[0x8b, 0x07],                 // mov (%rdi), %eax: what nobody maps
        &[0x0f, 0x0b],                 // ud2
        &[0x9d],                       // popf: from an empty stack, so a page fault
        &[0x8e, 0xd1],                 // mov %ecx, %ss: no such segment
        &[0xeb, 0xfe],                 // 1: jmp 1b
        &[0xe6, 0x80],                 // out %al, $0x80: not allowed
    ];
    for code in codes {
        for look in [false, true] {
            let mut home = bench.home(code);
            // Twice: a processor that was used again is used again.
            for table in [home.system.idt, NOWHERE] {
                let proper = core::mem::replace(&mut home.system.idt, table);
                let set = [(RDX, HYPERCALL_PORT.into()), (RCX, 16), (RDI, NOWHERE.0)];
                let thread = bench.thread(&home, &set);
                if code == [0xeb, 0xfe] {
                    kick_soon(bench.arch.kicker(thread));
                }
                bench.arch.run(thread, BUDGET);
                if look {
                    bench.arch.registers(thread);
                }
                bench.arch.thread_destroy(thread);
                home.system.idt = proper;
                starts_fresh(&mut bench, &home, code);
            }
        }
    }
}

/// A new thread has initial registers, runs, and its exceptions and faults are its own.
fn starts_fresh<A: Arch>(bench: &mut Bench<A>, home: &Home, code: &[u8]) {
    let fresh = ThreadId(10_000);
    bench.arch.thread_create(fresh, home.id, &home.system).expect("a thread");
    let initial = Registers { rflags: FLAGS_INITIAL, ..Registers::default() };
    assert_eq!(bench.arch.registers(fresh), initial, "after {code:x?}");
    // out %al, $0xe0; ud2, where the thread before was: what it left undone must not be
    // done to this one's instruction.
    let frame = bench.behind(home, CODE);
    bench.arch.frame_write(frame, 0, &[0xe6, 0xe0, 0x0f, 0x0b]);
    let mut registers = Registers { rip: CODE.0, rflags: FLAGS_INITIAL, ..initial };
    registers.general[RAX] = 0x77;
    bench.arch.set_registers(fresh, &registers);
    assert_eq!(bench.arch.run(fresh, BUDGET), Exit::Hypercall { number: 0x77 }, "after {code:x?}");
    assert_eq!(bench.arch.run(fresh, BUDGET), super::exception(6, 0), "after {code:x?}");
    registers.rip += 2;
    assert_eq!(bench.arch.registers(fresh), registers, "after {code:x?}");
    bench.arch.thread_destroy(fresh);
    bench.arch.frame_write(frame, 0, &[0; 4]);
    bench.arch.frame_write(frame, 0, code);
}

pub(super) fn each_thread_has_its_own_system_registers<A: Arch>(
    mut bench: Bench<A>,
    _: KickSoon<'_, A>,
) {
    // mov %gs:0, %eax; out %al, $0xe0
    let mut home = bench.home(&[0x65, 0x8b, 0x04, 0x25, 0, 0, 0, 0, 0xe6, 0xe0]);
    let data = bench.behind(&home, DATA);
    let places: Vec<u64> = (0..8).map(|index| index * 0x20).collect();
    for &place in &places {
        bench.set_word(data, place as usize, place + 5);
    }
    for &place in &places {
        home.system.gs_base = GuestVirtual(DATA.0 + place);
        let thread = bench.thread(&home, &[]);
        bench.expect_call(thread, place as u32 + 5);
        bench.arch.thread_destroy(thread);
    }
}
