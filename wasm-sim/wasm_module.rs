// A package of this workspace as a WebAssembly module, for the build scripts that embed one.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-unknown-unknown";

/// A package whose library is compiled to WebAssembly.
pub(crate) struct WasmModule<'a> {
    /// The package.
    pub(crate) package: &'a str,
    /// What it is, for messages.
    pub(crate) what: &'a str,
    /// The profile that it is compiled with.
    pub(crate) profile: &'a str,
    /// The environment variable with which packagers name a module that was compiled elsewhere.
    pub(crate) variable: &'a str,
    /// The target directory of the nested cargo, inside the outer one. It is the module's own, so
    /// that modules that are compiled at the same time do not wait for one another.
    pub(crate) directory: &'a str,
    /// The files and directories that it is made of, from the workspace's root.
    pub(crate) inputs: &'a [&'a str],
}

impl WasmModule<'_> {
    /// Compiles it, or takes what the environment names, and tells cargo what that depends on.
    /// `root` is the workspace's.
    pub(crate) fn make(&self, root: &Path) -> PathBuf {
        for input in self.inputs {
            println!("cargo::rerun-if-changed={}", root.join(input).display());
        }
        println!("cargo::rerun-if-env-changed={}", self.variable);
        match env::var_os(self.variable) {
            Some(path) => PathBuf::from(path),
            None => {
                self.ensure_target();
                self.compile(root)
            }
        }
    }

    /// Adds the compilation target if the toolchain lacks it.
    fn ensure_target(&self) {
        let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let output =
            Command::new(rustc).args(["--print", "target-libdir", "--target", TARGET]).output();
        let directory = output.ok().filter(|output| output.status.success());
        let directory = directory.and_then(|output| String::from_utf8(output.stdout).ok());
        if directory.is_some_and(|directory| Path::new(directory.trim()).exists()) {
            return;
        }
        println!("cargo::warning=adding the {TARGET} target with rustup");
        let added = Command::new("rustup").args(["target", "add", TARGET]).status();
        assert!(
            added.is_ok_and(|status| status.success()),
            "{} is compiled to WebAssembly, and the toolchain has no {TARGET} target.\n\
             `rustup target add {TARGET}` failed: run it yourself, or install the target with the \
             package manager that installed Rust, and build again.",
            self.what
        );
    }

    fn compile(&self, root: &Path) -> PathBuf {
        let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
        // OUT_DIR is TARGET_DIR/PROFILE/build/PACKAGE/out, or one deeper with --target.
        let target_dir = out.ancestors().nth(4).expect("OUT_DIR is deep").join(self.directory);
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .current_dir(root)
            .args(["build", "--package", self.package, "--lib", "--profile", self.profile])
            .args(["--target", TARGET, "--target-dir"])
            .arg(&target_dir);
        // What is set for the outer build (clippy as the compiler, flags for the host's processor)
        // must not reach the inner one.
        let outer =
            ["RUSTC", "RUSTFLAGS", "RUSTDOC", "CARGO_ENCODED_", "CARGO_BUILD_", "CARGO_PROFILE_"];
        for (name, _) in env::vars_os() {
            if outer.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
                cargo.env_remove(&name);
            }
        }
        let status = cargo.status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "compiling {} to {TARGET} failed; the errors are above",
            self.what
        );
        let file = format!("{}.wasm", self.package.replace('-', "_"));
        target_dir.join(TARGET).join(self.profile).join(file)
    }
}
