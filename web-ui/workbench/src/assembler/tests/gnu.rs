//! Byte for byte what GNU as makes of the same text.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use object::{Object, ObjectSection};

use super::code;

/// Room for an instruction. What follows it there is filled with this.
const ROOM: usize = 32;
const FILLER: u8 = 0xcc;

/// What GNU as makes of each line, or nothing if there is none here.
fn gnu(lines: &[String]) -> Option<Vec<Vec<u8>>> {
    let mut text = String::from(".intel_syntax noprefix\n.text\n");
    for line in lines {
        text.push_str(line);
        text.push_str(&format!("\n.balign {ROOM}, {FILLER:#x}\n"));
    }
    let name = format!("lcd-workbench-{}-{:p}", std::process::id(), lines.as_ptr());
    let base: PathBuf = std::env::temp_dir().join(name);
    let (source, object) = (base.with_extension("s"), base.with_extension("o"));
    fs::write(&source, text).expect("a temporary file");
    let output = Command::new("gcc").arg("-c").arg(&source).arg("-o").arg(&object).output();
    let bytes = fs::read(&object);
    _ = fs::remove_file(&source);
    _ = fs::remove_file(&object);
    let output = match output {
        Ok(output) => output,
        Err(error) => {
            println!("not compared with GNU as: gcc cannot be run: {error}");
            return None;
        }
    };
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let bytes = bytes.expect("an object");
    let file = object::File::parse(&*bytes).expect("an object");
    let text = file.section_by_name(".text").expect("code").data().expect("its bytes");
    Some(text.chunks(ROOM).map(<[u8]>::to_vec).collect())
}

fn compare(lines: &[String]) {
    let Some(expected) = gnu(lines) else { return };
    assert_eq!(expected.len(), lines.len());
    let mut wrong = Vec::new();
    for (line, expected) in lines.iter().zip(expected) {
        match code(line) {
            Ok(bytes)
                if expected.starts_with(&bytes)
                    && expected[bytes.len()..].iter().all(|byte| *byte == FILLER) => {}
            Ok(bytes) => wrong.push(format!("{line}: {bytes:02x?}, not {expected:02x?}")),
            Err(message) => wrong.push(format!("{line}: {message}")),
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), lines.len(), wrong.join("\n"));
}

const REGISTERS: [(u32, &[&str]); 4] = [
    (8, &["al", "bl", "sil", "r9b", "ch"]),
    (16, &["ax", "cx", "r10w"]),
    (32, &["eax", "edx", "r11d"]),
    (64, &["rax", "rsi", "r12"]),
];

const MEMORY: [&str; 12] = [
    "[rax]",
    "[rbp]",
    "[rsp]",
    "[r12]",
    "[r13 + 8]",
    "[rbx - 128]",
    "[rcx + 0x1000]",
    "[rdi + rsi]",
    "[rbx + rcx*8 - 0x90]",
    "[r9*4 + 16]",
    "[rip + 0x20]",
    "gs:[0x10]",
];

fn pointer(bits: u32) -> &'static str {
    match bits {
        8 => "byte ptr",
        16 => "word ptr",
        32 => "dword ptr",
        _ => "qword ptr",
    }
}

fn numbers(bits: u32) -> Vec<i128> {
    let all = [0, 1, 5, -1, 127, 128, -128, -129, 255, 0x1234, 0x1234_5678, -0x1234_5678];
    let mut fit: Vec<i128> =
        all.into_iter().filter(|n| *n >= -(1 << (bits - 1)) && *n < 1 << bits).collect();
    fit.push((1 << bits.min(32)) - 1 - i128::from(bits == 64) * (1 << 31));
    fit
}

#[test]
fn arithmetic() {
    let mut lines = Vec::new();
    for name in ["add", "or", "adc", "sbb", "and", "sub", "xor", "cmp", "mov", "test"] {
        for (bits, registers) in REGISTERS {
            for register in registers {
                for other in registers.iter().filter(|other| **other != "ch" || *register == "al") {
                    if *register != "ch" || matches!(*other, "al" | "bl") {
                        lines.push(format!("{name} {register}, {other}"));
                    }
                }
                for number in numbers(bits) {
                    lines.push(format!("{name} {register}, {number}"));
                }
            }
            for memory in MEMORY {
                let register = registers[1];
                lines.push(format!("{name} {} {memory}, {register}", pointer(bits)));
                lines.push(format!("{name} {register}, {memory}"));
                lines.push(format!("{name} {} {memory}, 5", pointer(bits)));
                lines.push(format!(
                    "{name} {} {memory}, {}",
                    pointer(bits),
                    numbers(bits).last().unwrap()
                ));
            }
        }
    }
    compare(&lines);
}

#[test]
fn moves() {
    let mut lines: Vec<String> = [
        "mov rax, 0x123456789abcdef0",
        "mov rax, -0x80000000",
        "mov r15, 0x80000000",
        "mov rcx, 0xffffffffffffffff",
        "movabs rdx, 7",
        "mov rax, cr3",
        "mov cr0, rdx",
        "movzx eax, byte ptr [rbx]",
        "movzx r9d, word ptr [rbx + r10*2]",
        "movzx rax, cl",
        "movzx ax, cl",
        "movzx ebx, si",
        "movsx rax, word ptr gs:[rdx]",
        "movsx eax, cl",
        "movsxd rax, ecx",
        "movsxd r8, dword ptr [rsp + 4]",
        "movbe eax, [rbx]",
        "movbe [rbx], r9",
        "lea rax, [rip + 8]",
        "lea eax, [rbx + rcx]",
        "lea r8w, [r9]",
        "lea rax, [rax*8]",
        "lea rax, [0x1000]",
        "mov eax, [0x7fffffff]",
        "mov dword ptr [ebx + ecx*4 + 8], 1",
        "mov eax, [r8d]",
        "mov eax, [r13 + r12]",
        "mov eax, [r12*1 + r13]",
        "mov eax, [rbp + rbp]",
        "mov eax, [rax + rsp]",
        "mov eax, [2 + rbx*2 + rcx - 7]",
        "push rax",
        "push r9",
        "push ax",
        "push 5",
        "push -200",
        "push 0x7fffffff",
        "push [rax]",
        "push word ptr [rax]",
        "push qword ptr gs:[0]",
        "pop rbx",
        "pop r15",
        "pop cx",
        "pop [rsp]",
        "pop word ptr [r9]",
        "xchg rax, rbx",
        "xchg rbx, rax",
        "xchg rbx, rcx",
        "xchg eax, eax",
        "xchg eax, r8d",
        "xchg ax, cx",
        "xchg cl, dl",
        "xchg [rax], ecx",
        "xchg ecx, [rax]",
        "lock xchg [rax], rcx",
        "bswap eax",
        "bswap r9",
        "test [rax], ecx",
        "test ecx, [rax]",
        "in al, 0x60",
        "in eax, dx",
        "in ax, 0xff",
        "out 0xe0, eax",
        "out dx, al",
        "out dx, ax",
    ]
    .map(String::from)
    .to_vec();
    for memory in MEMORY {
        for (bits, registers) in REGISTERS {
            lines.push(format!("mov {}, {memory}", registers[0]));
            lines.push(format!("mov {memory}, {}", registers[1]));
            lines.push(format!("xadd {memory}, {}", registers[1]));
            lines.push(format!("lock cmpxchg {memory}, {}", registers[1]));
            lines.push(format!("lock add {} {memory}, 1", pointer(bits)));
        }
        if !memory.starts_with("gs") {
            lines.push(format!("lea r10, {memory}"));
        }
        lines.push(format!("cmpxchg8b {memory}"));
        lines.push(format!("lock cmpxchg16b {memory}"));
        lines.push(format!("invlpg {memory}"));
    }
    compare(&lines);
}

#[test]
fn shifts_and_products() {
    let mut lines = Vec::new();
    for (bits, registers) in REGISTERS {
        let places = registers.iter().map(|r| (*r).to_string());
        let places: Vec<_> =
            places.chain(MEMORY.iter().map(|m| format!("{} {m}", pointer(bits)))).collect();
        for place in &places {
            for name in ["shl", "sal", "shr", "sar", "rol", "ror", "rcl", "rcr"] {
                for count in ["1", "cl", "2", "63", "255"] {
                    lines.push(format!("{name} {place}, {count}"));
                }
            }
            for name in ["inc", "dec", "neg", "not", "mul", "imul", "div", "idiv"] {
                lines.push(format!("{name} {place}"));
            }
        }
        if bits == 8 {
            continue;
        }
        let register = registers[1];
        for place in &places {
            for name in ["bt", "bts", "btr", "btc"] {
                lines.push(format!("{name} {place}, {register}"));
                lines.push(format!("{name} {place}, 7"));
            }
            for name in ["bsf", "bsr", "popcnt", "tzcnt", "lzcnt", "cmovz", "cmovnle", "imul"] {
                lines.push(format!("{name} {register}, {place}"));
            }
            for name in ["shld", "shrd"] {
                lines.push(format!("{name} {place}, {register}, cl"));
                lines.push(format!("{name} {place}, {register}, 3"));
            }
            for number in numbers(bits) {
                lines.push(format!("imul {register}, {place}, {number}"));
            }
        }
    }
    compare(&lines);
}

#[test]
fn every_instruction_without_operands() {
    let mut lines = Vec::new();
    for row in super::super::table::rows() {
        if row.forms().any(|(_, wants)| wants.iter().all(|want| want.is_implied())) {
            lines.extend(row.names.iter().map(|name| (*name).to_string()));
            let prefixes: &[&str] = match row.prefixes {
                super::super::table::Prefixes::Rep => &["rep"],
                super::super::table::Prefixes::Repe => &["repe", "repne", "repz", "repnz"],
                _ => &[],
            };
            lines.extend(prefixes.iter().map(|prefix| format!("{prefix} {}", row.names[0])));
        }
    }
    assert!(lines.len() > 60);
    lines.extend(["ret 16", "int 0x80", "ret 0xffff"].map(String::from));
    compare(&lines);
}

#[test]
fn every_condition() {
    let mut lines = Vec::new();
    for row in super::super::table::rows() {
        for name in row.names {
            if name.starts_with("set") {
                lines.push(format!("{name} al"));
                lines.push(format!("{name} sil"));
                lines.push(format!("{name} [rax + 4]"));
            } else if name.starts_with("cmov") {
                lines.push(format!("{name} r8w, [rax]"));
                lines.push(format!("{name} eax, r9d"));
            } else if row.forms().any(|(_, w)| w == [super::super::want::Want::Short]) {
                lines.push(format!("1: {name} 1b"));
                lines.push(format!("{name} 1f\n1:"));
            }
        }
    }
    lines.extend(
        ["1: call 1b", "call rax", "call [rax]", "call qword ptr [rip + 4]"].map(String::from),
    );
    lines.extend(["jmp r9", "jmp [rax*8 + 0x1000]", "jmp qword ptr gs:[8]"].map(String::from));
    assert!(lines.len() > 180);
    compare(&lines);
}
