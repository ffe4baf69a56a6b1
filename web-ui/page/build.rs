//! Compiles the workbench to WebAssembly, and sees to it that a new build of the page is noticed.

use std::env;
use std::path::PathBuf;

#[path = "../../wasm-sim/wasm_module.rs"]
mod wasm_module;
use wasm_module::WasmModule;

fn main() {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let root = here.ancestors().nth(2).expect("the crate lies in web-ui, in the workspace");
    let workbench = WasmModule {
        package: "lcd-workbench",
        what: "the workbench",
        profile: "wasm-small",
        variable: "LCD_WORKBENCH_WASM",
        directory: "workbench-wasm",
        inputs: &[
            "web-ui/workbench/src",
            "web-ui/workbench/Cargo.toml",
            "wasm-sim/wasm_module.rs",
            "shared-model/compression",
            "shared-model/src",
            "shared-model/Cargo.toml",
            "Cargo.toml",
        ],
    };
    println!("cargo::rerun-if-changed=build.rs");
    // Files that are new: the others are watched anyway, being part of the source.
    println!("cargo::rerun-if-changed={}", root.join("web-ui/dist").display());
    println!("cargo::rustc-env=LCD_WORKBENCH_WASM_PATH={}", workbench.make(root).display());
}
