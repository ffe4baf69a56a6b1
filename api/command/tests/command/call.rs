//! `lcd call`, of a module made here.

use object::write::{Object, Symbol, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, SectionKind, SymbolFlags, SymbolKind, SymbolScope,
};
use serde_json::json;

use crate::command::{Done, FAILURE, Place, SETUP, backends, lcd};

/// A module whose global functions are these bytes.
fn module(functions: &[(&str, &[u8])]) -> Vec<u8> {
    let mut object = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
    let text = object.add_section(Vec::new(), b".text".to_vec(), SectionKind::Text);
    for (name, code) in functions {
        let value = object.append_section_data(text, code, 16);
        object.add_symbol(Symbol {
            name: name.as_bytes().to_vec(),
            value,
            size: code.len() as u64,
            kind: SymbolKind::Text,
            scope: SymbolScope::Dynamic,
            weak: false,
            section: SymbolSection::Section(text),
            flags: SymbolFlags::None,
        });
    }
    object.write().expect("a small object")
}

/// Functions with as little as possible in them.
fn functions() -> Vec<u8> {
    module(&[
        // mov %rdi, %rax; ret
        ("first", &[0x48, 0x89, 0xf8, 0xc3]),
        // lea (%rdi,%rsi), %rax; add %rdx, %rcx, %r8, %r9, 8(%rsp), 16(%rsp); ret
        (
            "sum",
            &[
                0x48, 0x8d, 0x04, 0x37, 0x48, 0x01, 0xd0, 0x48, 0x01, 0xc8, 0x4c, 0x01, 0xc0, 0x4c,
                0x01, 0xc8, 0x48, 0x03, 0x44, 0x24, 0x08, 0x48, 0x03, 0x44, 0x24, 0x10, 0xc3,
            ],
        ),
        // copy(to, from, count): mov %rdx, %rcx; rep movsb; mov %rdx, %rax; ret
        ("copy", &[0x48, 0x89, 0xd1, 0xf3, 0xa4, 0x48, 0x89, 0xd0, 0xc3]),
        // mov (%rdi), %rax; ret
        ("load", &[0x48, 0x8b, 0x07, 0xc3]),
        // mov $-22, %eax, over a register of ones; ret
        ("refuse", &[0x48, 0x83, 0xc8, 0xff, 0xb8, 0xea, 0xff, 0xff, 0xff, 0xc3]),
        // ud2
        ("fall", &[0x0f, 0x0b]),
    ])
}

struct Bench {
    place: Place,
    path: String,
}

impl Bench {
    fn new() -> Self {
        let place = Place::new();
        let path = place.file("functions.ko", functions());
        Self { place, path }
    }

    fn call(&self, backend: &str, rest: &[&str]) -> Done {
        lcd(&[&["call", &self.path], rest, &["--backend", backend]].concat())
    }

    fn json(&self, backend: &str, rest: &[&str]) -> serde_json::Value {
        self.call(backend, &[rest, &["--format", "json"]].concat()).json()
    }
}

#[test]
fn integers_are_passed_as_they_are() {
    let bench = Bench::new();
    for backend in backends() {
        for (argument, expected) in [
            ("0", 0),
            ("42", 42),
            ("0xFFFFFFFFFFFFFFFF", u64::MAX),
            ("18446744073709551615", u64::MAX),
            ("-1", u64::MAX),
            ("-9223372036854775808", 1 << 63),
        ] {
            let result = bench.json(backend, &["first", argument]);
            assert_eq!(result["return"], expected, "{argument}");
        }
    }
}

#[test]
fn scripts_get_the_documented_shape() {
    let bench = Bench::new();
    for backend in backends() {
        let result = bench.json(backend, &["copy", "buf:4", "str:hey", "4"]);
        let keys: Vec<_> = result.as_object().unwrap().keys().map(String::as_str).collect();
        let mut sorted = keys.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, ["buffers", "console", "end", "return"]);
        assert_eq!(result["return"], 4);
        assert_eq!(result["buffers"], json!([{ "arg": 0, "hex": "68657900" }]));
        assert_eq!(result["console"], "");
        assert_eq!(
            (&result["end"]["reason"], &result["end"]["value"]),
            (&json!("exit"), &json!(4))
        );
    }
}

#[test]
fn buffers_come_from_text_digits_and_files() {
    let bench = Bench::new();
    let file = bench.place.file("input", [9, 8, 7]);
    for backend in backends() {
        for (argument, expected) in [
            ("str:hey".to_owned(), "686579"),
            ("hex:00 ff 10".to_owned(), "00ff10"),
            (format!("file:{file}"), "090807"),
            ("str:é".to_owned(), "c3a900"),
        ] {
            let result = bench.json(backend, &["copy", "buf:3", &argument, "3"]);
            assert_eq!(result["buffers"][0]["hex"], expected, "{argument}");
        }
        let result = bench.json(backend, &["copy", "buf:3", "buf:8", "3"]);
        assert_eq!(result["buffers"][1], json!({ "arg": 1, "hex": "0000000000000000" }));
        // People see them too.
        let done = bench.call(backend, &["copy", "buf:3", "str:hey", "3"]).expect(0);
        let expected = format!("0x3 (3)\nargument 0:\n  0000  {:<47}  hey\n", "68 65 79");
        assert_eq!(done.stdout, expected);
    }
}

#[test]
fn more_than_six_arguments_go_on_the_stack() {
    let bench = Bench::new();
    for backend in backends() {
        let digits = ["1", "20", "300", "4000", "50000", "600000", "7000000", "80000000"];
        let result = bench.json(backend, &[&["sum"], &digits[..]].concat());
        assert_eq!(result["return"], 87_654_321);
    }
}

#[test]
fn as_many_arguments_as_nobody_needs_are_an_error() {
    let bench = Bench::new();
    let many = vec!["1"; 10_000];
    for backend in backends() {
        let done = bench.call(backend, &[&["first"], &many[..]].concat()).expect(SETUP);
        assert!(done.stderr.contains("argument"), "{}", done.stderr);
    }
}

#[test]
fn the_result_has_the_type_that_was_named() {
    let bench = Bench::new();
    for backend in backends() {
        for (kind, expected) in [
            ("u64", "0xffffffea (4294967274)"),
            ("i32", "0xffffffffffffffea (-22)"),
            ("u8", "0xea (234)"),
        ] {
            let done = bench.call(backend, &["refuse", "--returns", kind]).expect(0);
            assert_eq!(done.stdout.trim_end(), expected, "{kind}");
        }
    }
    let done = bench.call("sim", &["refuse", "--returns", "f32"]).expect(2);
    assert!(done.stderr.contains("use u8, i8"), "{}", done.stderr);
}

#[test]
fn a_call_that_does_not_return_says_how_it_ended() {
    let bench = Bench::new();
    for backend in backends() {
        let done = bench.call(backend, &["fall"]).expect(FAILURE);
        assert!(done.stdout.contains("exception #UD"), "{}", done.stdout);
        let result = bench.json(backend, &["fall"]);
        assert_eq!((&result["return"], &result["end"]["name"]), (&json!(null), &json!("#UD")));
        // Behind a buffer's page there is nothing.
        let result = bench.json(backend, &["copy", "buf:4096", "str:x", "8192"]);
        assert_eq!((&result["return"], &result["end"]["vector"]), (&json!(null), &json!(14)));
    }
}

#[test]
fn init_runs_first_and_its_console_is_shown() {
    let place = Place::with(&["printk.ko"]);
    // mov $-22, %eax; ret
    let refusing =
        module(&[("init_module", &[0xb8, 0xea, 0xff, 0xff, 0xff, 0xc3]), ("f", &[0xc3])]);
    place.file("refusing.ko", refusing);
    let path = |name| place.join(name).to_str().unwrap().to_owned();
    for backend in backends() {
        let call = |name, symbol| {
            let module = path(name);
            lcd(&["call", &module, symbol, "--backend", backend, "--format", "json"])
        };
        let result = call("printk.ko", "cleanup_module").json();
        assert!(result["console"].as_str().unwrap().starts_with("hello"), "{result}");
        let done = call("refusing.ko", "f").expect(FAILURE);
        let result = done.json();
        assert_eq!((&result["return"], &result["end"]["value"]), (&json!(null), &json!(-22)));
    }
}

#[test]
fn a_function_or_an_argument_that_is_not_one_is_an_error() {
    let bench = Bench::new();
    for (rest, part) in [
        (&["third"][..], "no function `third`"),
        (&["first", "twelve"], "argument `twelve`"),
        (&["first", "hex:0"], "pairs of hexadecimal digits"),
        (&["first", "file:/nonexistent"], "/nonexistent"),
        (&["first", "buf:99999999999"], "MiB"),
        (&["first", "blob:1"], "use an integer, str:, hex:, file: or buf:"),
    ] {
        let done = bench.call("sim", rest).expect(SETUP);
        assert!(done.stderr.contains(part), "{part}: {}", done.stderr);
        assert_eq!(done.stdout, "");
    }
}
