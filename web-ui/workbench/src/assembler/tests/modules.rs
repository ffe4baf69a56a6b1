//! Whole texts, as the loader sees them.

use shared_model::layout::MODULE_BASE;
use shared_model::loader::{Module, Scope, link};

use super::{assemble, code, good, linked};

/// The bytes of a segment, by its label.
fn segment(text: &str, label: &str) -> Vec<u8> {
    let program = linked(text);
    let segments = &program.images[0].segments;
    segments.iter().find(|s| s.label == label).map(|s| s.bytes.clone()).unwrap_or_default()
}

#[test]
fn data_of_all_kinds() {
    let text = "SIZE equ end - start\n.data\nstart: .byte 1, 'a', -1, \"hi\\n\\0\\x41\\101\"\n\
                .word 0x1234, SIZE\n.long ~0, 3 << 4 | 1 ^ 2 & 7, (1 + 2) * 3 % 5\nend:\n\
                .quad 0xffffffffffffffff\n.asciz \"a\", \"b\"\n.align 8\nmessage db \"x\", 0\n dd 5";
    let bytes = segment(text, ".data");
    let mut expected = vec![1, b'a', 255, b'h', b'i', b'\n', 0, b'A', b'A', 0x34, 0x12, 25, 0];
    expected.extend(u32::MAX.to_le_bytes());
    expected.extend((3u32 << 4 | 1 ^ 2 & 7).to_le_bytes());
    expected.extend(4u32.to_le_bytes());
    expected.extend(u64::MAX.to_le_bytes());
    expected.extend(b"a\0b\0");
    expected.resize(40, 0);
    expected.extend([b'x', 0, 5, 0, 0, 0]);
    assert_eq!(bytes, expected);
}

#[test]
fn labels_and_relocations_lead_to_the_right_places() {
    let text = "first: mov rax, offset value\n mov ecx, offset value + 4\n lea rdx, [rip + value]\n\
                mov esi, [rip + value + 2]\n mov edi, [value + rax*8]\n call other\n movabs r8, offset other\n\
                other: ret\n.data\n .quad 0\nvalue: .quad first, value - 8, other - first\n .long value\n .long . - value";
    let program = linked(text);
    let image = &program.images[0];
    let [code, data] = &*image.segments else { panic!("code and data") };
    let value = image.symbol("value").unwrap().0;
    let (other, first) = (image.symbol("other").unwrap().0, image.symbol("first").unwrap().0);
    assert_eq!((value, first), (data.start.0 + 8, MODULE_BASE.0));
    let shown = crate::disassembler::disassemble(first, &code.bytes, 8).text();
    assert_eq!(
        shown,
        [
            format!("mov rax, {value:#x}"),
            format!("mov ecx, {:#x}", value + 4),
            format!("lea rdx, [{value:#x}]"),
            format!("mov esi, [{:#x}]", value + 2),
            format!("mov edi, [rax*8 + {value:#x}]"),
            format!("call {other:#x}"),
            format!("mov r8, {other:#x}"),
            "ret".into(),
        ]
    );
    let word = |at: usize| u64::from_le_bytes(data.bytes[at..at + 8].try_into().unwrap());
    assert_eq!([word(8), word(16), word(24)], [first, value - 8, other - first]);
    assert_eq!(word(32), value | 28 << 32);
}

#[test]
fn branches_are_as_short_as_they_can_be() {
    let distance = |zeros: usize| code_length(&format!("jmp end\n.zero {zeros}\nend:"));
    assert_eq!(distance(127) - 127, 2);
    assert_eq!(distance(128) - 128, 5);
    // The second becomes long only because the first does.
    let text = "a: je end\n je far\n .zero 120\nend: .zero 4\nfar: ret";
    assert_eq!(code_length(text), 2 + 2 + 124 + 1);
    let text = "a: je end\n je far\n .zero 126\nend: .zero 4\nfar: ret";
    assert_eq!(code_length(text), 6 + 6 + 130 + 1);
    assert_eq!(code("back: jmp back"), Ok(vec![0xeb, 0xfe]));
}

fn code_length(text: &str) -> usize {
    linked(text).images[0].segments[0].bytes.len()
}

#[test]
fn labels_of_functions_and_numbered_ones() {
    let text = "one: .loop: dec eax\n jnz .loop\n ret\ntwo: .loop: dec ecx\n jnz .loop\n1: jmp 1f\n jmp 1b\n1: ret\n.Lend: jmp .Lend";
    let bytes = segment(text, ".text");
    assert_eq!(
        bytes,
        [
            0xff, 0xc8, 0x75, 0xfc, 0xc3, 0xff, 0xc9, 0x75, 0xfc, 0xeb, 2, 0xeb, 0xfc, 0xc3, 0xeb,
            0xfe
        ]
    );
    let program = linked(text);
    let names: Vec<_> = program.images[0].symbols.iter().map(|symbol| &*symbol.name).collect();
    assert_eq!(names, ["one", "two"]);
}

#[test]
fn names_are_global_if_they_are_said_to_be() {
    let text = ".global seen\nseen: ret\nhidden: ret\n.extern far\n call far\n.weak:\n";
    let program = linked(text);
    let symbols = &program.images[0].symbols;
    let scope = |name: &str| symbols.iter().find(|symbol| symbol.name == name).unwrap().scope;
    assert_eq!((scope("seen"), scope("hidden")), (Scope::Global, Scope::Local));
    assert_eq!(program.unprovided[0].name, "far");
    assert_eq!(program.images[0].exports.len(), 1);
    let other = good(".extern seen\ninit_module: jmp seen").object;
    let first = good(text).object;
    let modules =
        [("first", &first), ("second", &other)].map(|(name, bytes)| Module { name, bytes });
    let both = link(&modules).unwrap();
    assert_eq!(both.main().unwrap().imports[0].from.as_deref(), Some("first"));
    assert!(both.main().unwrap().init.is_some());
}

#[test]
fn sections_and_zeros() {
    let text = ".text\nret\n.section .rodata\n.byte 7\n.bss\n.align 64\nroom: .zero 100\n.data\n.byte 1\n\
                .section .init.text\ninit_module: nop\n.text\nnop\n.section .mine, \"aw\"\n.byte 9\n\
                .section .note, \"\"\n.byte 8";
    let program = linked(text);
    let found: Vec<_> = program.images[0]
        .segments
        .iter()
        .map(|s| (&*s.label, &s.bytes[..2.min(s.bytes.len())]))
        .collect();
    let expected: [(&str, &[u8]); 4] =
        [(".text", &[0xc3, 0x90]), (".rodata", &[7]), (".data", &[1, 9]), (".init.text", &[0x90])];
    assert_eq!(found, expected);
    assert_eq!(program.images[0].symbol("room").unwrap().0 % 64, 0);
}

#[test]
fn a_hypercall_is_its_number_and_the_port() {
    let expected = [0xb8, 3, 0, 0, 0, 0xe7, 0xe0];
    for name in
        ["console_put", "CONSOLE_PUT", "LCD_CALL_CONSOLE_PUT", "3", "1 + 2", "number\nnumber = 3"]
    {
        assert_eq!(code(&format!("hypercall {name}")).as_deref(), Ok(&expected[..]), "{name}");
    }
}

#[test]
fn names_that_every_text_knows() {
    let bytes = code(
        "mov rbx, gs:[LCD_AREA_UTCB]\nmov ecx, [rbx + LCD_UTCB_STATUS]\ncmp ecx, LCD_NOT_PERMITTED",
    );
    let shown = crate::disassembler::disassemble(0, &bytes.unwrap(), 9).text();
    assert_eq!(shown, ["mov rbx, gs:[0]", "mov ecx, [rbx + 0x80]", "cmp ecx, -1"]);
}

#[test]
fn lines_say_what_each_line_became() {
    let assembled =
        good("; nothing\nf: nop; two\n\n jmp f\n.align 8\n hypercall yield\n.data\n.byte 1\n");
    let lines: Vec<_> =
        assembled.lines.iter().map(|l| (l.line, &*l.section, l.offset, l.length)).collect();
    assert_eq!(lines, [(2, ".text", 0, 1), (4, ".text", 1, 2), (6, ".text", 8, 7)]);
}

#[test]
fn the_same_text_is_the_same_object_whatever_it_is_called() {
    let text = "init_module: ret";
    assert_eq!(good(text).object, good(text).object);
    let program = |name: &str| {
        let object = assemble(name, text).object;
        link(&[Module { name: "x", bytes: &object }]).unwrap().images[0].modinfo.clone()
    };
    assert!(program("dir/my-driver.ko").contains(&("name".into(), "my_driver".into())));
    _ = program("\0odd\u{1}");
    // A text may say it itself.
    let own = "init_module: ret\n.section .modinfo\n.asciz \"license=GPL\", \"depends=other\"";
    assert_eq!(linked(own).images[0].modinfo.len(), 2);
}
