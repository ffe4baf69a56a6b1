//! Compiles every world's sources, and lists worlds and files for `src/lib.rs`.
//!
//! A directory of `worlds/` is a world: `world.toml` and its sources. `name.c` and `name.S`
//! become the kernel module `name.ko`, `name.rs` the executable `name.elf`. A comment in a
//! C source may choose how it is compiled, in a line that starts with ` * build:`:
//!
//! - `fentry`, `retpoline`, `stack-protector`: as kernels with those options do;
//! - `executable 0x400000`: not a module but an executable `name.elf` at that address.
//!
//! What C becomes has tables of source lines, which nothing loads. Paths in them are relative to
//! this directory, so that the same compiler makes the same bytes wherever the directory is. What
//! Rust becomes has none: its core library would bring those of its own, twenty times the program.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

#[path = "../../shared-model/liblcd/c_compiler.rs"]
mod c_compiler;
use c_compiler::run;

/// What all C code here is compiled with: what Linux 6.1's build passes on x86-64, as far
/// as it matters to a loader and a processor.
const COMMON: &[&str] = &[
    "-std=gnu11",
    "-O2",
    // Only what says which line an instruction is from.
    "-g1",
    "-gdwarf-5",
    "-gstrict-dwarf",
    "-gno-record-gcc-switches",
    "-gz=none",
    "-ffreestanding",
    "-mgeneral-regs-only",
    "-mno-red-zone",
    "-fno-asynchronous-unwind-tables",
    "-fcf-protection=none",
    "-fno-common",
    "-fno-strict-aliasing",
    "-fno-stack-protector",
    "-Wall",
    "-Wextra",
    "-Wa,--noexecstack",
];

const MODULE: &[&str] = &["-mcmodel=kernel", "-fno-pic", "-fno-pie"];

/// The same for each family of compilers.
const GCC_RETPOLINE: &[&str] =
    &["-mindirect-branch=thunk-extern", "-mfunction-return=thunk-extern"];
const CLANG_RETPOLINE: &[&str] = &["-mretpoline-external-thunk", "-mfunction-return=thunk-extern"];

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let header = root.join("../../shared-model/liblcd/include");
    for watched in ["worlds", "include"] {
        println!("cargo::rerun-if-changed={watched}");
    }
    println!("cargo::rerun-if-changed={}", header.display());
    let compiler = CCompiler { path: c_compiler::find(), root: root.clone(), header };
    // For the tests, which link modules themselves.
    println!("cargo::rustc-env=WORLDS_CC={}", compiler.path.display());

    let mut list = String::from("pub(crate) static WORLDS: &[BundledWorld] = &[\n");
    for directory in sorted(&root.join("worlds")) {
        let name = directory.file_name().and_then(|n| n.to_str()).expect("an ASCII name");
        let to = out.join(name);
        fs::create_dir_all(&to).expect("OUT_DIR can be written");
        let mut files = String::new();
        let mut sources = String::new();
        let mut unavailable = None;
        for source in sorted(&directory) {
            let built = match source.extension().and_then(|e| e.to_str()) {
                Some("c" | "S") => Ok(compiler.build(&source, &to)),
                Some("rs") => build_rust(&source, &to),
                _ => continue,
            };
            item(&mut sources, &source, "include_str");
            match built {
                Ok(file) => item(&mut files, &file, "include_bytes"),
                Err(reason) => unavailable = Some(reason),
            }
        }
        writeln!(
            list,
            "    BundledWorld {{\n        name: {name:?},\n        toml: include_str!({:?}),\n        \
             files: &[\n{files}        ],\n        sources: &[\n{sources}        ],\n        \
             unavailable: {unavailable:?},\n    }},",
            directory.join("world.toml"),
        )
        .expect("a string takes it");
    }
    list.push_str("];\npub(crate) static HEADERS: &[(&str, &str)] = &[\n");
    for included in sorted(&root.join("include")) {
        item(&mut list, &included, "include_str");
    }
    list.push_str("];\n");
    fs::write(out.join("worlds.rs"), list).expect("OUT_DIR can be written");
}

/// Adds a file to a list: its name, and a macro that gives what is in it.
fn item(list: &mut String, file: &Path, include: &str) {
    let name = file.file_name().expect("it has one");
    writeln!(list, "        ({name:?}, {include}!({file:?})),").expect("a string takes it");
}

fn sorted(directory: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.expect("a readable directory").path())
        .collect();
    paths.sort();
    paths
}

struct CCompiler {
    path: PathBuf,
    root: PathBuf,
    header: PathBuf,
}

impl CCompiler {
    /// Makes a module or an executable of one source; returns its path.
    fn build(&self, source: &Path, to: &Path) -> PathBuf {
        let text = fs::read_to_string(source).expect("a readable source");
        let options: Vec<&str> = text
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix("* build:"))
            .flat_map(str::split_whitespace)
            .collect();
        let stem = to.join(source.file_stem().expect("it has one"));
        match options.as_slice() {
            ["executable", base] => {
                let object = stem.with_extension("o");
                // Addresses relative to the instruction reach everything at any base.
                self.compile(source, &object, &["-fpie"]);
                let executable = stem.with_extension("elf");
                run(Command::new(&self.path)
                    .args(["-nostdlib", "-static", "-no-pie", "-Wl,--build-id=none"])
                    .args(["-Wl,-z,separate-code", "-Wl,-z,noexecstack", "-Wl,-e,_start"])
                    .arg(format!("-Wl,-Ttext-segment={base}"))
                    .arg(&object)
                    .arg("-o")
                    .arg(&executable));
                executable
            }
            options => {
                let mut flags = MODULE.to_vec();
                for &option in options {
                    flags.extend_from_slice(match option {
                        "fentry" => &["-pg", "-mfentry"],
                        "retpoline" if c_compiler::accepts(&self.path, GCC_RETPOLINE[0]) => {
                            GCC_RETPOLINE
                        }
                        "retpoline" => CLANG_RETPOLINE,
                        "stack-protector" => &["-fstack-protector-strong"],
                        _ => panic!("{}: unknown option `{option}`", source.display()),
                    });
                }
                let module = stem.with_extension("ko");
                self.compile(source, &module, &flags);
                module
            }
        }
    }

    fn compile(&self, source: &Path, object: &Path, flags: &[&str]) {
        let file = |path: &Path| path.display().to_string();
        // Where variables are is of no use without their names, and most of the tables.
        let tracking = "-fno-var-tracking";
        let tracking = c_compiler::accepts(&self.path, tracking).then_some(tracking);
        run(Command::new(&self.path)
            // It is in the tables, too.
            .current_dir(&self.root)
            .args(COMMON)
            .args(tracking)
            .args(flags)
            .args(c_compiler::own_headers(&self.path))
            .args(["-I", &file(&self.header), "-I", &file(&self.root.join("include"))])
            .arg(format!("-ffile-prefix-map={}=.", self.root.display()))
            .arg("-c")
            .arg(source)
            .arg("-o")
            .arg(object));
    }
}

/// The target of freestanding Rust programs.
const RUST_TARGET: &str = "x86_64-unknown-none";

/// Makes a static position-independent executable, or says why not.
fn build_rust(source: &Path, to: &Path) -> Result<PathBuf, String> {
    let rustc = env::var_os("RUSTC").expect("cargo sets it");
    require_rust_target(&rustc)?;
    let executable = to.join(source.file_stem().expect("it has one")).with_extension("elf");
    let output = Command::new(&rustc)
        .args(["--edition=2024", "--crate-type=bin", "--target", RUST_TARGET])
        .args(["-Copt-level=2", "-Cpanic=abort", "-Cdebuginfo=0", "-Cstrip=debuginfo"])
        .args(["-Coverflow-checks=on", "-Ccodegen-units=1"])
        .arg(format!("--remap-path-prefix={}=.", source.parent().expect("it has one").display()))
        .arg(source)
        .arg("-o")
        .arg(&executable)
        .output()
        .map_err(|error| format!("rustc cannot be started: {error}"))?;
    if output.status.success() {
        return Ok(executable);
    }
    // A source that does not compile is a mistake here, not a property of the machine.
    panic!("{}:\n{}", source.display(), String::from_utf8_lossy(&output.stderr));
}

/// Makes sure that rustc has the core library of the target.
fn require_rust_target(rustc: &std::ffi::OsStr) -> Result<(), String> {
    let present = || {
        Command::new(rustc)
            .args(["--print", "target-libdir", "--target", RUST_TARGET])
            .output()
            .is_ok_and(|o| Path::new(String::from_utf8_lossy(&o.stdout).trim()).is_dir())
    };
    if !present() {
        // Its own outcome does not matter: what matters is looked at next.
        let _ = Command::new("rustup").args(["target", "add", RUST_TARGET]).output();
    }
    if present() {
        Ok(())
    } else {
        Err(format!("rustc has no target {RUST_TARGET}: run `rustup target add {RUST_TARGET}`"))
    }
}
