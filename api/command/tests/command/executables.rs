//! `lcd run` of executables at their own addresses, with the rights that their segments say.

use lcd_tests::elf::{Elf, READ, READ_EXECUTE, READ_WRITE, Segment};
use serde_json::Value;

use crate::command::{FAILURE, Place, SETUP, SUCCESS, backends, lcd};

/// Both ends of the lower half, the usual place, and the place that the domain's own system
/// pages would otherwise have.
const BASES: [u64; 5] = [0x10000, 0x40_0000, 0x4000_0000, 0x7000_0000_0000, 0x7fff_0000_0000];

/// Runs a file on every backend and returns what they agree on.
#[track_caller]
fn run(file: &Elf, code: i32) -> Value {
    let place = Place::new();
    let path = place.file("program.elf", file.bytes());
    let reports = backends().into_iter().map(|backend| {
        let done = lcd(&["run", &path, "--backend", backend, "--format", "json"]);
        done.expect(code).json()
    });
    let reports: Vec<Value> = reports.collect();
    for report in &reports {
        assert_eq!(report["domains"], reports[0]["domains"]);
        assert_eq!(report["events"], reports[0]["events"]);
    }
    reports[0]["domains"][0]["threads"][0].clone()
}

fn code(at: u64, bytes: &[u8]) -> Segment {
    Segment::new(at, READ_EXECUTE, bytes)
}

/// A program of one segment that starts with its first byte.
fn program(at: u64, bytes: &[u8]) -> Elf {
    Elf::executable(at, vec![code(at, bytes)])
}

/// `mov $value, %register`, of the registers rax to rdi.
fn load(register: u8, value: u64) -> Vec<u8> {
    [&[0x48, 0xb8 | register][..], &value.to_le_bytes()].concat()
}

const RAX: u8 = 0;
const RCX: u8 = 1;
const RDX: u8 = 2;
const RBX: u8 = 3;
const RET: [u8; 1] = [0xc3];

#[test]
fn an_executable_runs_at_exactly_its_own_addresses() {
    for base in BASES {
        // Where am I, what is in my data, and what becomes of it.
        let data = base + 0x3000;
        let bytes = [
            vec![0x48, 0x8d, 0x0d, 0xf9, 0xff, 0xff, 0xff], // lea -7(%rip), %rcx
            load(RBX, data),
            vec![0x48, 0x8b, 0x13],                         // mov (%rbx), %rdx
            vec![0x48, 0xff, 0x43, 0x08],                   // incq 8(%rbx)
            vec![0x48, 0x8b, 0x73, 0x08],                   // mov 8(%rbx), %rsi
            vec![0x48, 0x8b, 0xbb, 0x00, 0x10, 0x00, 0x00], // mov 0x1000(%rbx), %rdi
            load(RAX, 42),
            RET.to_vec(),
        ];
        let mut words = Segment::new(data, READ_WRITE, &0x1122_3344_5566_7788_u64.to_le_bytes());
        words.zeros = 0x1800;
        let file = Elf::executable(base, vec![code(base, &bytes.concat()), words]);
        let thread = run(&file, FAILURE);
        assert_eq!(thread["end"]["reason"], "exit", "{base:#x}: {thread}");
        assert_eq!(thread["end"]["value"], 42);
        let registers = &thread["registers"];
        assert_eq!(registers["rcx"], format!("{base:#x}"));
        assert_eq!(registers["rbx"], format!("{data:#x}"));
        assert_eq!(registers["rdx"], "0x1122334455667788");
        assert_eq!((&registers["rsi"], &registers["rdi"]), (&"0x1".into(), &"0x0".into()));
    }
}

#[test]
fn an_executable_that_returns_zero_ended_well() {
    run(&program(0x40_0000, &[0x31, 0xc0, 0xc3]), SUCCESS); // xor %eax, %eax; ret
}

#[test]
fn registers_start_at_zero_and_the_stack_is_ready() {
    let thread = run(&program(0x40_0000, &[0x0f, 0x0b]), FAILURE); // ud2
    let registers = thread["registers"].as_object().unwrap();
    for (name, value) in registers {
        let expected = match name.as_str() {
            "rip" => "0x400000",
            "rflags" => "0x202",
            "rsp" => continue,
            _ => "0x0",
        };
        assert_eq!(value, expected, "{name}");
    }
    let rsp = registers["rsp"].as_str().unwrap().strip_prefix("0x").unwrap();
    // As after a call (System V AMD64 ABI, 3.2.2).
    assert_eq!(u64::from_str_radix(rsp, 16).unwrap() % 16, 8);
}

/// The page fault that a program ends with: its code, its address and where.
#[track_caller]
fn page_fault(file: &Elf, error: u64, address: u64) -> u64 {
    let thread = run(file, FAILURE);
    let end = &thread["end"];
    assert_eq!((&end["reason"], &end["vector"]), (&"exception".into(), &14.into()), "{end}");
    assert_eq!(end["code"], error, "{end}");
    assert_eq!(end["address"], format!("{address:#x}"));
    let rip = end["rip"].as_str().unwrap();
    u64::from_str_radix(rip.strip_prefix("0x").unwrap(), 16).unwrap()
}

#[test]
fn each_segment_has_its_own_rights_and_no_others() {
    for base in BASES {
        let (constants, data) = (base + 0x2000, base + 0x4000);
        let with = |bytes: &[Vec<u8>]| {
            let segments = vec![
                code(base, &bytes.concat()),
                Segment::new(constants, READ, &[1; 16]),
                Segment::new(data, READ_WRITE, &[0xc3; 16]),
            ];
            Elf::executable(base, segments)
        };
        let store = vec![0x88, 0x03]; // mov %al, (%rbx)
        let jump = vec![0xff, 0xe3]; // jmp *%rbx
        // Present, write, user (Intel SDM vol. 3, 4.7): to constants and to code.
        let at = page_fault(&with(&[load(RBX, constants + 5), store.clone()]), 7, constants + 5);
        assert_eq!(at, base + 10);
        page_fault(&with(&[load(RBX, base), store.clone()]), 7, base);
        // Present, user, fetch: of constants and of data.
        for target in [constants, data] {
            let at = page_fault(&with(&[load(RBX, target), jump.clone()]), 0x15, target);
            assert_eq!(at, target);
        }
        // Not present: what lies between the segments belongs to nobody.
        let gap = base + 0x3000;
        page_fault(&with(&[load(RBX, gap), store]), 6, gap);
        page_fault(&with(&[load(RBX, gap), vec![0x8a, 0x03]]), 4, gap);
        page_fault(&with(&[load(RBX, gap), jump]), 0x14, gap);
    }
}

#[test]
fn a_program_that_starts_outside_of_itself_ends_there() {
    let file = Elf::executable(0x50_0000, vec![code(0x40_0000, &RET)]);
    assert_eq!(page_fault(&file, 0x14, 0x50_0000), 0x50_0000);
}

#[test]
fn what_a_program_computes_is_the_same_everywhere() {
    // A linear congruential generator, a million steps: a loop that both must get right.
    let bytes = [
        load(RCX, 1_000_000),
        load(RDX, 6_364_136_223_846_793_005),
        load(RAX, 1),
        vec![0x48, 0x0f, 0xaf, 0xc2], // imul %rdx, %rax
        vec![0x48, 0xff, 0xc0],       // inc %rax
        vec![0x48, 0xff, 0xc9],       // dec %rcx
        vec![0x75, 0xf4],             // jnz, to the imul
        RET.to_vec(),
    ];
    let mut expected = 1_u64;
    for _ in 0..1_000_000 {
        expected = expected.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    }
    let thread = run(&program(0x40_0000, &bytes.concat()), FAILURE);
    assert_eq!(thread["end"]["value"], expected.cast_signed());
}

#[test]
fn a_program_cannot_take_the_kernel_half_or_overlap_itself() {
    let place = Place::new();
    let refused = |file: &Elf| {
        let path = place.file("program.elf", file.bytes());
        let done = lcd(&["run", &path, "--backend", "sim"]).expect(SETUP);
        assert!(done.stderr.contains("program.elf"), "{}", done.stderr);
        done.stderr
    };
    refused(&program(0xffff_8000_0000_0000, &RET));
    refused(&program(0x7fff_ffff_f000, &[0x90; 0x2000]));
    let twice = vec![code(0x40_0000, &[0x90; 0x1800]), code(0x40_1000, &RET)];
    refused(&Elf::executable(0x40_0000, twice));
    let mut huge = code(0x40_0000, &RET);
    huge.zeros = 1 << 40;
    refused(&Elf::executable(0x40_0000, vec![huge]));
    let mut writable = code(0x40_0000, &RET);
    writable.flags = READ_WRITE | READ_EXECUTE;
    let message = refused(&Elf::executable(0x40_0000, vec![writable]));
    assert!(message.contains("writ") && message.contains("execut"), "{message}");
}
