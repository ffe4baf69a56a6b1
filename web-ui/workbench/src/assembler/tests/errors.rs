//! What is wrong is told: all of it, where it is, and with what to do.

use proptest::prelude::{any, prop, proptest};
use proptest::sample::select;

use super::{assemble, code};

/// The complaints of a text: line, column, length, and a part of the message.
fn complaints(text: &str) -> Vec<(usize, usize, usize, String)> {
    let assembled = assemble("test.s", text);
    assert!(assembled.object.is_empty() && assembled.lines.is_empty());
    let all = assembled.complaints.into_iter();
    all.map(|c| (c.line, c.column, c.length, c.message)).collect()
}

#[test]
fn all_that_is_wrong_is_told_in_the_order_of_the_text() {
    let text =
        "start:\n\tmvo rax, 1\n\tadd rax, ebx\nstart:\tjmp nowhere\n\t.globl gone\n\tmov [rax], 5";
    let found = complaints(text);
    let places: Vec<_> =
        found.iter().map(|(line, column, length, _)| (*line, *column, *length)).collect();
    assert_eq!(places, [(2, 2, 3), (3, 6, 8), (4, 1, 5), (5, 9, 4), (6, 6, 5)], "{found:?}");
    let parts = [
        "is it `mov`?",
        "`rax` has 64 bits and `ebx` has 32",
        "already, on line 1",
        "no label",
        "byte ptr",
    ];
    for ((.., message), part) in found.iter().zip(parts) {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn messages_say_what_to_do() {
    let mut wrong = Vec::new();
    for (line, column, part) in [
        ("movl eax, 1", 1, "write `mov`"),
        ("frobnicate", 1, "if it is a label, it needs a colon"),
        ("quad 5", 1, "the directive is `.quad`"),
        (".quat 5", 1, "is it `.quad`"),
        ("mov eax", 5, "takes 2 operands, and here is one"),
        ("ret 1, 2", 5, "no operand or one operand, and here are 2"),
        ("mov 5, eax", 5, "cannot have a number here"),
        ("lea rax, gs:[8]", 10, "leave that out"),
        ("mov al, 256", 9, "256 does not fit: here it can be -128 to 255"),
        ("add rax, 0x80000000", 10, "take it into a register first"),
        ("shl eax, ebx", 10, "cl"),
        ("mov [rax], [rbx]", 5, "one operand in memory"),
        ("mov rax, dword ptr [rbx]", 10, "it would be qword ptr"),
        ("inc [rax]", 5, "byte ptr, word ptr, dword ptr or qword ptr"),
        ("movzx eax, [rax]", 12, "byte ptr or word ptr"),
        ("mov ah, r8b", 5, "ah, bh, ch and dh"),
        ("mov eax, [rsp*2]", 11, "stack pointer"),
        ("mov eax, [rax + rbx + rcx]", 23, "at most two registers"),
        ("mov eax, [rax*3]", 10, "1, 2, 4 or 8"),
        ("mov eax, [rax + ebx]", 11, "same size"),
        ("mov eax, [ax]", 11, "those of 64 bits"),
        ("mov eax, [rip + rax]", 11, "to rip only a number"),
        ("mov eax, [rax - rbx]", 17, "its value"),
        ("mov eax, [rax + 0x100000000]", 10, "32 bits"),
        ("mov eax, [rax", 14, "ends with `]`"),
        ("mov eax, 8[rax]", 11, "between the brackets"),
        ("mov eax, rax + 8", 10, "[rax + 8]"),
        ("mov eax, ds:[8]", 10, "changes nothing"),
        ("mov eax, (1 + 2", 16, "no `)`"),
        ("mov eax, 1 +", 13, "missing"),
        ("mov eax, 1 2", 12, "the line should end here"),
        ("mov eax,", 9, "missing after the comma"),
        ("mov eax, 1 / 0", 10, "division by zero"),
        ("mov eax, 1 << 64", 10, "0 to 63"),
        ("mov eax, 017", 10, "0o17"),
        ("mov eax, 0x", 10, "is no number"),
        ("mov eax, 0x1ffffffffffffffff", 10, "more than 64 bits"),
        ("mov eax, 'ab'", 10, "one character"),
        ("mov eax, \"a\"", 10, "a character has '…'"),
        ("mov xmm0, eax", 5, "no vector registers"),
        ("mov rax, unknown", 10, ".extern unknown"),
        ("hypercall cap_gran", 11, "the hypercall `cap_grant`"),
        ("mov rax, cap_grant", 10, "LCD_CALL_CAP_GRANT"),
        ("mov rax, LCD_REED", 10, "nothing is called"),
        ("jmp 5", 5, "a label"),
        ("jmp 1b", 5, "no label `1:` before"),
        ("call 1f", 6, "no label `1:` after"),
        ("lock mov [rax], eax", 1, "read and write memory"),
        ("rep cmpsb", 1, "`repe`"),
        ("repne movsb", 1, "write `rep`"),
        ("rep nop", 1, "movs, stos"),
        ("lock", 5, "an instruction"),
        ("rax: nop", 1, "is a register"),
        ("a = 1\na = 2", 1, "already, on line 1"),
        ("LCD_READ = 1", 1, "every text knows"),
        ("a = a + 1", 1, "itself"),
        ("a: .quad a * 2", 10, "known only when the module is loaded"),
        (".byte 300", 7, "does not fit"),
        (".word \"text\"", 7, ".byte or .ascii"),
        (".ascii 5", 8, "a text is missing"),
        (".ascii \"abc", 8, "no closing"),
        (".ascii \"\\q\"", 9, "known are"),
        (".align 3", 8, "power of two"),
        (".zero later\nlater = 5", 7, "further up"),
        (".zero -1", 7, "out of range"),
        (".section .strange", 10, "what is `.strange` for"),
        (".section x, \"awx\"", 13, "writable and executable"),
        (".bss\n.byte 1", 1, "only zeros"),
        (".data\nnop", 1, "write .text before"),
        (".data\ninit_module: .byte 1", 1, "in .text"),
        ("hypercall", 10, "which hypercall"),
        ("hypercall frob", 11, "nothing is called `frob`"),
        ("[rax]", 1, "a line begins with"),
        ("nop @", 5, "nothing is called"),
        ("mov rax, label\nlabel:", 10, "offset label"),
        ("loop far\n.zero 200\nfar:", 1, "200 bytes away"),
        ("mov al, offset label\nlabel:", 5, "must be 32 or 64"),
        ("mov eax, ä", 10, "means nothing here"),
    ] {
        let found = complaints(line);
        let right = match &*found {
            [(_, at, length, message)] => message.contains(part) && *at == column && *length > 0,
            _ => false,
        };
        if !right {
            wrong.push(format!("{line}: {found:?}, not {column}: {part}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_text_that_is_too_large_is_refused_and_much_that_is_wrong_is_cut_off() {
    assert!(complaints(&"nop\n".repeat(300_000))[0].3.contains("more than 1048576 bytes"));
    assert_eq!(complaints(&"x y z\n".repeat(5000)).len(), 100);
    assert!(complaints(&".zero 0x4000000\n".repeat(100))[0].3.contains("all of this has"));
    assert!(complaints(&format!(".ascii \"{}\"", "a".repeat(5000)))[0].3.contains("4096"));
    let deep = format!("mov eax, {}1", "(".repeat(2000));
    assert!(complaints(&deep)[0].3.contains("within each other"));
    let long = format!("mov eax, 1{}", "+1".repeat(1000));
    assert!(complaints(&long)[0].3.contains("256 parts"));
    // Each name twice the one before: computing the last takes as many steps as that.
    let mut names = String::from("a0 = 1\n");
    for i in 1..60 {
        names.push_str(&format!("a{i} = a{0} + a{0}\n", i - 1));
    }
    assert!(complaints(&names)[0].3.contains("long row"));
}

#[test]
fn as_many_lines_as_there_can_be_take_moments() {
    let start = std::time::Instant::now();
    let text = "jmp end\n".repeat(100_000) + "end: ret\n";
    assert_eq!(assemble("test.s", &text).complaints, []);
    let wrong = "jmp elsewhere\n".repeat(70_000);
    assert_eq!(complaints(&wrong).len(), 100);
    // Unoptimised and beside other tests.
    assert!(start.elapsed().as_secs() < 60);
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[ -~\n\t\u{e4}]{0,200}") {
        _ = assemble("test.s", &text);
    }

    #[test]
    fn no_mixture_of_words_makes_it_panic(
        words in prop::collection::vec(select(vec![
            "mov", "add", "lea", "imul", "jmp", "call", "loop", "rep", "lock", "movsb", "rax", "eax", "ah", "r8b",
            "[", "]", "+", "-", "*", "(", ")", ",", ":", "=", "5", "0xffffffffffffffff", "-1", "label", "label:",
            ".local", ".local:", "1:", "1b", "1f", "offset", "qword ptr", "byte", "gs:", "rip", "rsp", "\n", "\n",
            "equ", "db", ".quad", ".zero", ".align", ".bss", ".data", ".text", "\"text\"", "'a'", "$", "hypercall",
            ".section", ".extern", ".global", "<<", "~", "%", "LCD_READ", "cr3", "xchg", "test", "shl", "cl", "1",
        ]), 0..40),
    ) {
        _ = assemble("test.s", &words.join(" "));
    }

    /// Whatever is taken means what is written: the decoder, and the text again, say the same.
    #[test]
    fn what_is_assembled_is_decoded_to_itself(
        name in select(vec!["mov", "add", "cmp", "test", "xchg", "imul", "lea", "movzx", "movsx", "shl", "bt", "cmovb", "xadd"]),
        first in select(vec!["rax", "ecx", "r9w", "sil", "r15", "edx", "qword ptr [rbx]", "dword ptr [r12 + rcx * 4 + 8]", "byte ptr [rbp]"]),
        second in select(vec!["rdx", "eax", "bx", "r8b", "cl", "1", "-5", "0x1234", "word ptr [rax - 0x80]", "qword ptr [rsi]", "byte ptr gs:[rdi]"]),
        ip in any::<u32>(),
    ) {
        let line = format!("{name} {first}, {second}");
        let Ok(bytes) = code(&line) else { return Ok(()) };
        let shown = crate::disassembler::disassemble(ip.into(), &bytes, 9);
        let again = shown.text();
        assert_eq!(again.len(), 1, "{line}: {again:?}");
        // Other encodings of the same may be chosen for what the decoder writes.
        assert_eq!(code(&again[0]).map(|code| code.len()), Ok(bytes.len()), "{line}: {again:?}");
    }
}
