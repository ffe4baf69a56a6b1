//! Running the command and looking at what it did.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bundled_worlds::WORLDS;
use serde_json::Value;
use tempfile::TempDir;

/// Exit codes, as `lcd --help` documents them.
pub(crate) const SUCCESS: i32 = 0;
pub(crate) const FAILURE: i32 = 1;
pub(crate) const USAGE: i32 = 2;
pub(crate) const SETUP: i32 = 96;
pub(crate) const DIVERGE: i32 = 100;

/// What a run of the command left behind.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Done {
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        assert!(!self.stderr.contains("panicked at"), "{self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

/// Runs `lcd` without a colour or a module path from the environment.
#[track_caller]
pub(crate) fn lcd(arguments: &[&str]) -> Done {
    lcd_with(arguments, &[])
}

#[track_caller]
pub(crate) fn lcd_with(arguments: &[&str], environment: &[(&str, &str)]) -> Done {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lcd"));
    for variable in ["NO_COLOR", "LCD_SERVER", "LCD_TOKEN_FILE"] {
        command.env_remove(variable);
    }
    command.args(arguments).envs(environment.iter().copied());
    let Output { status, stdout, stderr } = command.output().expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("it prints UTF-8");
    let code = status.code().unwrap_or_else(|| panic!("{arguments:?}: ended by a signal"));
    Done { code, stdout: text(stdout), stderr: text(stderr) }
}

/// The backends to test, by name. Says so if one is missing.
pub(crate) fn backends() -> Vec<&'static str> {
    let native = lcd_tests::native_or_note().then_some("native");
    native.into_iter().chain(["sim"]).collect()
}

/// A directory that goes away.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    /// With these files of bundled worlds.
    pub(crate) fn with(names: &[&str]) -> Self {
        let place = Self::new();
        for name in names {
            place.file(name, bundled(name));
        }
        place
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file and returns its path as an argument.
    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.join(name);
        fs::write(&path, bytes).expect("a file");
        path.to_str().expect("a path in UTF-8").to_owned()
    }
}

/// A file of a bundled world.
pub(crate) fn bundled(name: &str) -> &'static [u8] {
    let mut files = WORLDS.iter().flat_map(|world| world.files);
    let found = files.find(|(file, _)| *file == name);
    found.unwrap_or_else(|| panic!("{name} is not bundled")).1
}
