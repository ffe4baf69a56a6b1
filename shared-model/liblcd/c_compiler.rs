// The C compiler, for the build scripts of liblcd and of the bundled worlds.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The compiler that makes x86-64 Linux code on this host.
pub(crate) fn find() -> PathBuf {
    println!("cargo::rerun-if-env-changed=CC");
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
            "no C compiler: `{}` cannot be started; install gcc, or set CC to a compiler that \
             makes x86-64 Linux objects",
            tool.path().display()
        ),
        Err(error) => panic!("no C compiler: {error}; install gcc or set CC"),
    }
}

/// The flags for the headers that come with the compiler (`stddef.h`, `stdint.h`,
/// `stdarg.h`) and no others.
pub(crate) fn own_headers(compiler: &Path) -> Vec<String> {
    let output = Command::new(compiler)
        .arg("-print-file-name=include")
        .output()
        .expect("it was started before");
    let directory = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    vec!["-nostdinc".into(), "-isystem".into(), directory]
}

/// Whether the compiler knows a flag.
#[allow(dead_code, reason = "only one of the two build scripts asks")]
pub(crate) fn accepts(compiler: &Path, flag: &str) -> bool {
    Command::new(compiler)
        .args([flag, "-Werror", "-E", "-x", "c", "/dev/null"])
        .output()
        .is_ok_and(|output| output.status.success())
}

/// Runs a command that must succeed, and passes its warnings on to cargo.
pub(crate) fn run(command: &mut Command) {
    match command.output() {
        Ok(output) if output.status.success() => {
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
