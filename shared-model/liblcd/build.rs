//! Compiles `c/` into one relocatable ELF object for x86-64 Linux, whatever the host.

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

mod c_compiler;
use c_compiler::run;

/// What the object's code may use is what a domain has: general registers, no red zone
/// needed below a signal frame but none assumed either, addresses below 2 GiB.
const FLAGS: &[&str] = &[
    "-std=gnu11",
    "-O2",
    "-g0",
    "-ffreestanding",
    "-mgeneral-regs-only",
    "-mno-red-zone",
    "-mcmodel=kernel",
    "-fno-pic",
    "-fno-pie",
    "-fno-stack-protector",
    "-fcf-protection=none",
    "-fno-asynchronous-unwind-tables",
    "-fno-common",
    "-fno-strict-aliasing",
    // Without it, the loop in memset becomes a call of memset.
    "-fno-tree-loop-distribute-patterns",
    "-Wall",
    "-Wextra",
    "-Wa,--noexecstack",
];

fn main() {
    println!("cargo::rerun-if-changed=c");
    println!("cargo::rerun-if-changed=include");
    println!("cargo::rerun-if-changed=c_compiler.rs");
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let compiler = c_compiler::find();
    // For the tests, which compile programs of their own.
    println!("cargo::rustc-env=LIBLCD_CC={}", compiler.display());

    let mut sources: Vec<PathBuf> = fs::read_dir(root.join("c"))
        .expect("the sources are beside build.rs")
        .map(|entry| entry.expect("a readable directory").path())
        .filter(|path| path.extension().is_some_and(|e| e == "c" || e == "S"))
        .collect();
    // The order of the files is the layout of the object.
    sources.sort();

    let mut objects = Vec::new();
    for source in &sources {
        let object = out.join(source.file_name().expect("it has one")).with_extension("o");
        run(Command::new(&compiler)
            .args(FLAGS)
            .args(c_compiler::own_headers(&compiler))
            .arg("-I")
            .arg(root.join("include"))
            .arg(format!("-ffile-prefix-map={}=.", root.display()))
            .arg("-c")
            .arg(source)
            .arg("-o")
            .arg(&object));
        objects.push(object);
    }
    run(Command::new(&compiler)
        .args(["-r", "-nostdlib", "-no-pie", "-Wl,--build-id=none", "-o"])
        .arg(out.join("liblcd.o"))
        .args(&objects));
}
