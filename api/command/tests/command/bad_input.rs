//! Wrong input is answered by one clear error: what is wrong, where, and what to do.

use lcd_tests::elf::{Elf, READ_EXECUTE, SHARED, Segment};

use crate::command::{Place, SETUP, USAGE, bundled, lcd};

/// Runs `lcd` and expects nothing on standard output and one error with these parts.
#[track_caller]
fn refused(arguments: &[&str], code: i32, parts: &[&str]) {
    let done = lcd(arguments).expect(code);
    assert_eq!(done.stdout, "", "{done:#?}");
    let errors = done.stderr.lines().filter(|line| line.starts_with("error:")).count();
    assert_eq!(errors, 1, "{done:#?}");
    for part in parts {
        assert!(done.stderr.contains(part), "{part}: {done:#?}");
    }
    for noise in ["RUST_BACKTRACE", "unwrap", "src/"] {
        assert!(!done.stderr.contains(noise), "{done:#?}");
    }
}

/// The commands that take a module, with this one.
fn commands(module: &str) -> [Vec<&str>; 4] {
    [
        vec!["run", module, "--backend", "sim"],
        vec!["diff", module],
        vec!["call", module, "f", "--backend", "sim"],
        vec!["inspect", module],
    ]
}

#[test]
fn a_file_that_is_not_there() {
    for arguments in commands("/nonexistent/foo.ko") {
        refused(&arguments, SETUP, &["/nonexistent/foo.ko", "No such file"]);
    }
    refused(&["run", "/nonexistent/world.toml"], SETUP, &["/nonexistent/world.toml"]);
}

#[test]
fn a_name_that_nothing_has() {
    refused(&["run", "no-such-world"], SETUP, &["`no-such-world`", "lcd diff --list", "--modules"]);
    let place = Place::with(&["printk.ko"]);
    let modules = place.path().to_str().unwrap();
    let arguments = ["--modules", modules, "run", "foo"];
    refused(&arguments, SETUP, &["foo", modules]);
    refused(&["--modules", "/nonexistent", "run", "foo"], SETUP, &["/nonexistent", "directory"]);
}

#[test]
fn a_name_that_leads_out_of_the_module_path() {
    let place = Place::with(&["printk.ko"]);
    let modules = place.path().to_str().unwrap();
    let outside = Place::with(&["printk.ko"]);
    std::os::unix::fs::symlink(outside.join("printk.ko"), place.join("link.ko")).unwrap();
    refused(&["--modules", modules, "run", "link"], SETUP, &["link"]);
}

#[test]
fn files_that_are_no_modules() {
    let place = Place::new();
    let printk = bundled("printk.ko");
    let mut other_machine = printk.to_vec();
    other_machine[18] = 183; // AArch64
    let mut other_class = printk.to_vec();
    other_class[4] = 1;
    for (name, bytes, part) in [
        ("text.ko", b"int main(void) { return 0; }\n".as_slice(), "not an ELF file"),
        ("empty.ko", b"", "empty"),
        ("short.ko", &printk[..40], ""),
        ("half.ko", &printk[..printk.len() / 2], ""),
        ("arm.ko", &other_machine, "x86-64"),
        ("narrow.ko", &other_class, "64"),
        ("packed.ko.xz", b"\xfd7zXZ\0not really", "xz"),
        ("packed.ko.gz", b"\x1f\x8bnot really", "gz"),
        ("packed.ko.zst", b"\x28\xb5\x2f\xfdnot really", "zst"),
    ] {
        let path = place.file(name, bytes);
        for arguments in commands(&path) {
            refused(&arguments, SETUP, &[name, part]);
        }
    }
}

#[test]
fn every_truncation_of_a_module_is_an_error_or_a_run() {
    // In steps, because each is a process; the loader's own tests try every length.
    let place = Place::new();
    let printk = bundled("printk.ko");
    for length in (0..printk.len()).step_by(printk.len() / 23) {
        let path = place.file("cut.ko", &printk[..length]);
        refused(&["inspect", &path], SETUP, &["cut.ko"]);
    }
}

#[test]
fn an_executable_that_needs_a_dynamic_linker() {
    let place = Place::new();
    let code = Segment::new(0, READ_EXECUTE, &[0xc3]);
    let mut file = Elf::executable(0, vec![code]);
    file.kind = SHARED;
    // PT_INTERP
    file.extra.push((3, b"/lib64/ld-linux-x86-64.so.2\0".to_vec()));
    let path = place.file("dynamic", file.bytes());
    refused(&["run", &path, "--backend", "sim"], SETUP, &["dynamic", "static"]);
}

#[test]
fn a_directory_and_a_device() {
    let place = Place::new();
    let path = place.path().to_str().unwrap();
    refused(&["run", path], SETUP, &[path]);
    refused(&["run", "/dev/null"], SETUP, &["/dev/null"]);
}

#[test]
fn a_world_file_with_a_mistake_shows_where() {
    let place = Place::with(&["printk.ko"]);
    let start = "name = \"w\"\n[[domain]]\nname = \"main\"\nmodule = \"printk.ko\"\n";
    for (rest, parts) in [
        ("pagse = []\n", &["line 5, column 1", "pagse"][..]),
        ("kill_after = { instructions = -1, milliseconds = 1 }\n", &["line 5, column"]),
        ("caps = [{ object = \"x\", rights = \"r\" }]\n", &["line 5, column 20", "named `x`"]),
        (
            "[[expect]]\ndomain = \"main\"\nend = \"melted\"\n",
            &["line 7, column 7", "use one of exit"],
        ),
        ("[[", &["line 5"]),
    ] {
        let world = place.file("w.toml", format!("{start}{rest}"));
        let parts = [&["w.toml"], parts].concat();
        refused(&["run", &world], SETUP, &parts);
        refused(&["diff", &world], SETUP, &parts);
    }
    let world = place.file("w.toml", start.replace("printk.ko", "absent.ko"));
    refused(&["run", &world], SETUP, &["absent"]);
    let world = place.file("w.toml", [0xff, 0xfe, 0]);
    refused(&["run", &world], SETUP, &["w.toml"]);
}

#[test]
fn options_with_wrong_values() {
    refused(&["run", "printk", "--backend", "qemu"], USAGE, &["`qemu`", "native or sim"]);
    refused(&["run", "printk", "--timeout", "soon"], USAGE, &["`soon`", "10s or 500ms"]);
    refused(&["run", "printk", "--timeout", "-1s"], USAGE, &[]);
    refused(&["run", "printk", "--format", "xml"], USAGE, &["human, json"]);
    refused(&["call", "printk"], USAGE, &["SYMBOL"]);
}
