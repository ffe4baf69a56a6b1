//! Compiles the simulator to WebAssembly, so that `cargo build` is all that anybody has to run.
//!
//! The nested cargo has a target directory of its own inside the outer one, shared by all
//! profiles, so that the module is compiled once however it is going to be used.

use std::env;
use std::path::PathBuf;

#[path = "../wasm_module.rs"]
mod wasm_module;
use wasm_module::WasmModule;

fn main() {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let root = here.ancestors().nth(2).expect("the crate lies in wasm-sim, in the workspace");
    let simulator = WasmModule {
        package: "wasm-sim",
        what: "the simulator",
        profile: "wasm",
        variable: "LCD_SIM_WASM",
        directory: "sim-wasm",
        inputs: &[
            "wasm-sim/src",
            "wasm-sim/Cargo.toml",
            "wasm-sim/wasm_module.rs",
            "shared-model/src",
            "shared-model/Cargo.toml",
            "Cargo.toml",
        ],
    };
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=LCD_SIM_WASM_PATH={}", simulator.make(root).display());
}
