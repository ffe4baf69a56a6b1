//! Compiles the simulator to WebAssembly, so that `cargo build` is all that anybody has to run.
//!
//! The nested cargo has a target directory of its own inside the outer one, shared by all
//! profiles, so that the module is compiled once however it is going to be used.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-unknown-unknown";

fn main() {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let crate_dir = here.parent().expect("the crate lies in wasm-sim").to_path_buf();
    let root = crate_dir.parent().expect("wasm-sim lies in the workspace").to_path_buf();
    for input in [
        "wasm-sim/src",
        "wasm-sim/Cargo.toml",
        "shared-model/src",
        "shared-model/Cargo.toml",
        "Cargo.toml",
    ] {
        println!("cargo::rerun-if-changed={}", root.join(input).display());
    }
    println!("cargo::rerun-if-env-changed=LCD_SIM_WASM");

    let wasm = match env::var_os("LCD_SIM_WASM") {
        // For packagers: a module that was compiled elsewhere.
        Some(path) => PathBuf::from(path),
        None => {
            ensure_target();
            build(&crate_dir)
        }
    };
    println!("cargo::rustc-env=LCD_SIM_WASM_PATH={}", wasm.display());
}

fn rustc() -> PathBuf {
    env::var_os("RUSTC").map_or_else(|| "rustc".into(), PathBuf::from)
}

/// Adds the compilation target if the toolchain lacks it.
fn ensure_target() {
    let output =
        Command::new(rustc()).args(["--print", "target-libdir", "--target", TARGET]).output();
    let directory = output.ok().filter(|output| output.status.success());
    let directory = directory.and_then(|output| String::from_utf8(output.stdout).ok());
    if directory.is_some_and(|directory| Path::new(directory.trim()).exists()) {
        return;
    }
    println!("cargo::warning=adding the {TARGET} target with rustup");
    let added = Command::new("rustup").args(["target", "add", TARGET]).status();
    assert!(
        added.is_ok_and(|status| status.success()),
        "the simulator is compiled to WebAssembly, and the toolchain has no {TARGET} target.\n\
         `rustup target add {TARGET}` failed: run it yourself, or install the target with the \
         package manager that installed Rust, and build again."
    );
}

fn build(crate_dir: &Path) -> PathBuf {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    // OUT_DIR is TARGET_DIR/PROFILE/build/PACKAGE/out, or one deeper with --target.
    let target_dir = out.ancestors().nth(4).expect("OUT_DIR is deep").join("sim-wasm");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(crate_dir)
        .args(["build", "--package", "wasm-sim", "--lib", "--profile", "wasm"])
        .args(["--target", TARGET, "--target-dir"])
        .arg(&target_dir);
    // What is set for the outer build (clippy as the compiler, flags for the host's processor)
    // must not reach the inner one.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let outer =
            ["RUSTC", "RUSTFLAGS", "RUSTDOC", "CARGO_ENCODED_", "CARGO_BUILD_", "CARGO_PROFILE_"];
        if outer.iter().any(|prefix| text.starts_with(prefix)) {
            cargo.env_remove(&name);
        }
    }
    let status = cargo.status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "compiling the simulator to {TARGET} failed; the errors are above"
    );
    target_dir.join(TARGET).join("wasm").join("wasm_sim.wasm")
}
