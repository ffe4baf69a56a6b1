//! The object's functions, the very bytes that domains get, against the C library's.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

use std::path::Path;
use std::process::Command;

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}:\n{text}");
    text.trim().to_owned()
}

#[test]
fn functions_agree_with_the_c_library() {
    let compiler = env!("LIBLCD_CC");
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let object = directory.join("liblcd.o");
    let prefixed = directory.join("lcd_liblcd.o");
    let program = directory.join("against_libc");
    std::fs::write(&object, liblcd::OBJECT).expect("the directory can be written");
    let objcopy = run(Command::new(compiler).arg("-print-prog-name=objcopy"));
    run(Command::new(objcopy).arg("--prefix-symbols=lcd_").arg(&object).arg(&prefixed));
    // The object's addresses have 32 bits, so the program cannot be position-independent.
    run(Command::new(compiler)
        .args(["-std=gnu11", "-O1", "-D_GNU_SOURCE", "-fno-builtin", "-fno-pie", "-no-pie"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/against_libc.c"))
        .arg(&prefixed)
        .arg("-o")
        .arg(&program));
    run(&mut Command::new(program));
}
