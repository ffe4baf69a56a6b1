//! What the tests of several crates need: executables without a compiler, a source of
//! repeatable random numbers, and what of the machine's equipment is there.

use std::path::{Path, PathBuf};
use std::{env, fs};

pub mod elf;
mod random;

pub use random::Random;

/// Whether domains can run on this machine's hardware, and the reason if they cannot. Tests
/// print it and go on with the simulator alone.
///
/// # Errors
/// The reason.
pub fn native() -> Result<(), String> {
    native_vmx::NativeArch::new().map(drop).map_err(|reason| reason.to_string())
}

/// Whether the native half of a test runs. If not, says so.
pub fn native_or_note() -> bool {
    native().inspect_err(|reason| println!("native half skipped: {reason}")).is_ok()
}

/// The directory of Debian's kernel modules: `LCD_TEST_MODULES`, or where
/// `tests/fetch-modules.sh` puts them.
///
/// # Errors
/// Why there is none, and what to do about it.
pub fn debian_modules() -> Result<PathBuf, String> {
    if let Some(given) = env::var_os("LCD_TEST_MODULES") {
        let path = PathBuf::from(given);
        return match path.is_dir() {
            true => Ok(path),
            false => Err(format!("LCD_TEST_MODULES: {} is no directory", path.display())),
        };
    }
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(Path::new(&env::var_os("HOME")?).join(".cache")));
    let directory = cache.ok_or("neither HOME nor XDG_CACHE_HOME is set")?.join("lcd/modules");
    // The script's mark names the directory that it has finished.
    match fs::read_to_string(directory.join(".complete")) {
        Ok(version) => Ok(directory.join(version.trim())),
        Err(_) => Err(format!(
            "no Debian modules in {}: run tests/fetch-modules.sh, or set LCD_TEST_MODULES",
            directory.display()
        )),
    }
}
