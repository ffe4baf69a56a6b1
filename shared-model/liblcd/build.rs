//! Compiles `c/` into one relocatable ELF object for x86-64 Linux, whatever the host.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

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
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let compiler = compiler();
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
            .args(["-nostdinc", "-isystem"])
            .arg(own_headers(&compiler))
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

/// The C compiler that makes x86-64 Linux code on this host.
fn compiler() -> PathBuf {
    let host = env::var("HOST").expect("cargo sets it");
    let compiler = cc::Build::new()
        .cargo_metadata(false)
        .no_default_flags(true)
        .opt_level(2)
        .host(&host)
        .target("x86_64-unknown-linux-gnu")
        .try_get_compiler();
    match compiler {
        Ok(tool) if Command::new(tool.path()).arg("--version").output().is_ok() => {
            tool.path().to_owned()
        }
        Ok(tool) => panic!(
            "no C compiler: `{}` cannot be started; install gcc or set CC to one that makes \
             x86-64 Linux objects",
            tool.path().display()
        ),
        Err(error) => panic!("no C compiler: {error}; install gcc or set CC"),
    }
}

/// The directory of the headers that come with the compiler: `stddef.h`, `stdarg.h`.
fn own_headers(compiler: &Path) -> PathBuf {
    let output = Command::new(compiler)
        .arg("-print-file-name=include")
        .output()
        .expect("it was started before");
    PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
}

fn run(command: &mut Command) {
    match command.output() {
        Ok(output) if output.status.success() => {
            // Warnings are worth seeing, but only cargo's own lines pass through it.
            for line in String::from_utf8_lossy(&output.stderr).lines() {
                println!("cargo::warning={line}");
            }
        }
        Ok(output) => {
            panic!("{command:?} failed:\n{}", String::from_utf8_lossy(&output.stderr))
        }
        Err(error) => panic!("{command:?}: {error}; install gcc or set CC"),
    }
}
