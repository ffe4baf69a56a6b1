//! The object's own functions, the very bytes that domains get, in an ordinary process with a
//! microkernel of a few lines: slots, rings, activities, and a stub for every hypercall. See
//! `native/host.h`.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use shared_model::abi::Hypercall;

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}:\n{text}");
    text.trim().to_owned()
}

/// Compiles a test with the host and the object, and runs it.
fn run_test(name: &str, source: &Path) {
    let compiler = env!("LIBLCD_CC");
    let native = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/native"));
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&directory).expect("cargo's directory can be written");
    let (object, own) = (directory.join("liblcd.o"), directory.join("own.o"));
    let program = directory.join(name);
    fs::write(&object, liblcd::OBJECT).expect("the directory can be written");
    // The rest would stand in the way of the C library's functions.
    let objcopy = run(Command::new(compiler).arg("-print-prog-name=objcopy"));
    let mut keep = Command::new(objcopy);
    keep.arg("--wildcard");
    for symbol in ["lcd_*", "__kmalloc", "kfree", "vmalloc"] {
        keep.arg(format!("--keep-global-symbol={symbol}"));
    }
    run(keep.arg(&object).arg(&own));
    // The object's addresses have 32 bits, so the program cannot be position-independent.
    run(Command::new(compiler)
        .args(["-std=gnu11", "-O1", "-D_GNU_SOURCE", "-pthread", "-fno-pie", "-no-pie", "-Wall"])
        .args(["-I", concat!(env!("CARGO_MANIFEST_DIR"), "/include"), "-I"])
        .args([native, source, &native.join("host.c"), &own])
        .arg("-o")
        .arg(&program));
    run(&mut Command::new(program));
}

fn run_file(name: &str) {
    let source = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/native"));
    run_test(name, &source.join(name).with_extension("c"));
}

#[test]
fn slots() {
    run_file("slots");
}

#[test]
fn rings() {
    run_file("rings");
}

#[test]
fn activities() {
    run_file("activities");
}

/// What a stub takes beside the arguments, for its results.
fn results(call: Hypercall) -> &'static str {
    match call {
        Hypercall::CapInspect => ", &capability",
        Hypercall::DomainInspect => ", &domain",
        Hypercall::MemoryStatistics => ", &memory",
        Hypercall::CapLookup | Hypercall::QuotaGet => ", &result[0], &result[1]",
        Hypercall::NotificationWait
        | Hypercall::NotificationPoll
        | Hypercall::ThreadCreate
        | Hypercall::PortRead => ", &result[0]",
        Hypercall::ThreadSetRegisters | Hypercall::ThreadGetRegisters => ", &registers",
        Hypercall::Time => "&result[0]",
        _ => "",
    }
}

/// How many results there are, in message registers 1, 2, …
fn result_count(call: Hypercall) -> usize {
    match call {
        Hypercall::CapInspect => 5,
        Hypercall::DomainInspect | Hypercall::MemoryStatistics => 4,
        Hypercall::CapLookup | Hypercall::QuotaGet => 2,
        Hypercall::NotificationWait
        | Hypercall::NotificationPoll
        | Hypercall::ThreadCreate
        | Hypercall::PortRead
        | Hypercall::Time => 1,
        _ => 0,
    }
}

/// Every stub puts each of its arguments where the microkernel looks for it, whatever was there
/// before, and takes the results from where they are.
#[test]
fn stubs() {
    let mut source = String::from(STUBS_HEAD);
    for &call in Hypercall::ALL {
        // It does not return.
        if call == Hypercall::Exit {
            continue;
        }
        let arguments = call.arguments();
        let mut passed = Vec::new();
        let mut expected = Vec::new();
        for (i, &argument) in arguments.iter().enumerate() {
            // Where text is meant, its length is what goes into the register.
            if argument == "name" || argument == "length" {
                passed.push(if call == Hypercall::ConsoleWrite {
                    "\"a name\", 6".to_owned()
                } else {
                    "\"a name\"".to_owned()
                });
                expected.push(6);
            } else {
                passed.push((1001 + i).to_string());
                expected.push(1001 + i);
            }
        }
        let carries = call.name().starts_with("sync_");
        writeln!(
            source,
            "\tprepare();\n\tstatus = lcd_{name}({}{});\n\tcheck({}, {}, {}, (uint64_t[]){{ {} }}, \
             {}, \"{name}\");",
            passed.join(", "),
            results(call),
            call as u32,
            u32::from(carries),
            expected.len(),
            expected
                .iter()
                .map(usize::to_string)
                .chain(["0".into()])
                .collect::<Vec<_>>()
                .join(", "),
            u32::from(arguments.iter().any(|&a| a == "name" || a == "length")),
            name = call.name(),
        )
        .expect("a string takes it");
        let stored = match call {
            Hypercall::CapInspect => "&capability",
            Hypercall::DomainInspect => "&domain",
            Hypercall::MemoryStatistics => "&memory",
            _ => "result",
        };
        writeln!(source, "\tcheck_results({stored}, {}, \"{}\");", result_count(call), call.name())
            .expect("a string takes it");
    }
    source.push_str("}\n");
    let path: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join("stubs.c");
    fs::write(&path, source).expect("the directory can be written");
    run_test("stubs", &path);
}

const STUBS_HEAD: &str = r#"#include "host.h"

static uint32_t seen;
static struct lcd_utcb copy;
static lcd_status status;

static bool record(uint32_t number, struct lcd_utcb *utcb)
{
	seen = number;
	copy = *utcb;
	for (uint64_t i = 0; i < LCD_UTCB_REGISTERS; i++)
		utcb->message[i] = 5000 + i;
	return true;
}

/* What an earlier call may have left. */
static void prepare(void)
{
	memset(lcd_utcb(), 0xee, sizeof(struct lcd_utcb));
	seen = ~0u;
	status = -1;
}

static void check(uint32_t number, int carries, unsigned int count, const uint64_t *expected,
		  int named, const char *call)
{
	const uint64_t *words = carries ? &copy.endpoint : copy.message;

	CHECK(status == LCD_OK && seen == number, "%s: %ld, %u", call, (long)status, seen);
	for (unsigned int i = 0; i < count; i++)
		CHECK(words[i] == expected[i], "%s: argument %u is %lu", call, i, words[i]);
	CHECK(!carries || copy.message[0] == 0xeeeeeeeeeeeeeeee, "%s: the message", call);
	CHECK(!named || memcmp(copy.buffer, "a name", 6) == 0, "%s: the name", call);
}

static void check_results(const void *results, uint64_t count, const char *call)
{
	for (uint64_t i = 0; i < count; i++)
		CHECK(((const uint64_t *)results)[i] == 5001 + i, "%s: result %lu", call, i);
}

void tests(void)
{
	struct lcd_capability capability;
	struct lcd_domain domain;
	struct lcd_memory memory;
	struct lcd_registers registers = { { 0 }, 0, 0 };
	uint64_t result[2];

	hook = record;
"#;
