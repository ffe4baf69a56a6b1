//! A world: which domains there are, what runs in them, what they hold from the start, and
//! what is expected to happen. World files are TOML; `docs/worlds.md` describes them.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use toml::Spanned;

use crate::address::GuestPhysical;
use crate::exit::{Access, End, KillReason};
use crate::rights::Rights;

mod check;
#[cfg(test)]
mod tests;

/// A parsed and validated world.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct World {
    /// The name that reports use.
    pub name: String,
    /// What it shows, in a line.
    pub about: String,
    /// When a run is given up.
    pub limits: Limits,
    /// The domains that exist from the start, in the order of their numbers.
    pub domains: Vec<DomainPlan>,
    /// Modules that `domain_configure` can name.
    pub modules: Vec<ModulePlan>,
    /// What must be seen.
    pub expect: Vec<Expectation>,
}

/// When a run is given up. A thread that is still running then ends with `timeout`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Instructions that all threads together may retire, on a backend that counts.
    pub instructions: u64,
    /// Milliseconds of the host's time, on a backend that does not.
    pub milliseconds: u64,
    /// Pages that one domain may own, those it was built from included.
    pub pages: u32,
    /// Events that the log may have before its end.
    pub events: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { instructions: 4_000_000_000, milliseconds: 60_000, pages: 1 << 16, events: 1 << 20 }
    }
}

/// A domain that exists from the start.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainPlan {
    /// Its name, unique in the world.
    pub name: String,
    /// What it runs: a file beside the world, or a name in the module store.
    pub module: String,
    /// Whether its thread starts with the world.
    #[serde(default = "yes")]
    pub start: bool,
    /// The functions its thread calls, in order. Without it: `init_module` of a module, the
    /// entry point of an executable.
    #[serde(default)]
    pub call: Option<Vec<String>>,
    /// Arguments of the last of them.
    #[serde(default)]
    pub args: Vec<Argument>,
    /// When its thread is killed.
    #[serde(default)]
    pub kill_after: Option<KillAfter>,
    /// Pages it holds from the start.
    #[serde(default)]
    pub pages: Vec<PagePlan>,
    /// Domains it holds from the start.
    #[serde(default)]
    pub domains: Vec<DomainGrant>,
}

const fn yes() -> bool {
    true
}

impl DomainPlan {
    /// A domain that runs a module's default function and holds nothing.
    pub fn new(name: &str, module: &str) -> Self {
        Self {
            name: name.to_string(),
            module: module.to_string(),
            start: true,
            call: None,
            args: Vec::new(),
            kill_after: None,
            pages: Vec::new(),
            domains: Vec::new(),
        }
    }
}

/// An argument of a call. Text and bytes are placed in the domain, and the function receives
/// their address.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Argument {
    /// A non-negative integer.
    Unsigned(u64),
    /// A negative integer, passed as its two's complement.
    Signed(i64),
    /// Text; a zero byte is added.
    Text {
        /// The text.
        text: String,
    },
    /// Bytes, in hexadecimal.
    Bytes {
        /// The digits.
        hex: String,
    },
    /// Room for output, all zero, reported after the call.
    Buffer {
        /// How many bytes.
        buffer: u64,
    },
}

/// When a spinning thread is killed: a backend that counts instructions uses the one, another
/// the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KillAfter {
    /// Instructions that the thread has retired.
    pub instructions: u64,
    /// Milliseconds after the thread began to run.
    pub milliseconds: u64,
}

/// A zeroed page that a domain holds from the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PagePlan {
    /// The slot of its capability.
    pub slot: u64,
    /// What the capability allows.
    pub rights: Rights,
    /// Where it is mapped, with as much of the rights as the window allows.
    #[serde(default)]
    pub at: Option<GuestPhysical>,
}

/// A domain that another holds from the start.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainGrant {
    /// The slot of its capability.
    pub slot: u64,
    /// The domain's name.
    pub name: String,
    /// What the capability allows.
    pub rights: Rights,
}

/// A module under a name of its own.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModulePlan {
    /// What `domain_configure` calls it.
    pub name: String,
    /// A file beside the world, or a name in the module store.
    pub file: String,
}

/// What must be seen of one domain at the end of a run.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// The domain.
    pub domain: String,
    /// How its thread ended: one of [`End::WORDS`].
    #[serde(default)]
    pub end: Option<String>,
    /// For `exit`: the value.
    #[serde(default)]
    pub value: Option<i64>,
    /// For `exception`: the vector.
    #[serde(default)]
    pub vector: Option<u8>,
    /// For `exception`: the error code.
    #[serde(default)]
    pub code: Option<u32>,
    /// For `exception` (a page fault) and `fault`: the guest-virtual address.
    #[serde(default)]
    pub address: Option<u64>,
    /// For `fault` and `unprovided`: what was tried.
    #[serde(default)]
    pub access: Option<Access>,
    /// For `unprovided`: the import.
    #[serde(default)]
    pub symbol: Option<String>,
    /// All that the domain wrote to its console.
    #[serde(default)]
    pub console: Option<String>,
}

impl Expectation {
    /// What is not as expected, a line each; nothing if all is.
    pub fn check(&self, end: Option<&End>, console: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut compare = |what: &str, wanted: Option<String>, got: Option<String>| {
            if let Some(wanted) = wanted
                && got.as_ref() != Some(&wanted)
            {
                let got = got.unwrap_or_else(|| "nothing".into());
                wrong.push(format!("{}: expected {what} {wanted}, got {got}", self.domain));
            }
        };
        let seen = Seen::of(end);
        compare("end", self.end.clone(), end.map(|end| end.word().to_string()));
        compare("value", text(self.value), text(seen.value));
        compare("vector", text(self.vector), text(seen.vector));
        compare("code", hex(self.code.map(u64::from)), hex(seen.code.map(u64::from)));
        compare("address", hex(self.address), hex(seen.address));
        compare("access", text(self.access), text(seen.access));
        compare("symbol", self.symbol.clone(), seen.symbol);
        compare("console", quote(self.console.as_deref()), quote(Some(console)));
        wrong
    }
}

fn text(value: Option<impl ToString>) -> Option<String> {
    value.map(|value| value.to_string())
}

fn hex(value: Option<u64>) -> Option<String> {
    value.map(|value| format!("{value:#x}"))
}

fn quote(value: Option<&str>) -> Option<String> {
    value.map(|value| format!("{value:?}"))
}

/// The parts of an end that an expectation can name.
#[derive(Default)]
struct Seen {
    value: Option<i64>,
    vector: Option<u8>,
    code: Option<u32>,
    address: Option<u64>,
    access: Option<Access>,
    symbol: Option<String>,
}

impl Seen {
    fn of(end: Option<&End>) -> Self {
        let none = Self::default();
        match end {
            Some(End::Exit(exited)) => Self { value: Some(exited.value), ..none },
            Some(End::Killed(KillReason::Exception { vector, code, address })) => Self {
                vector: Some(*vector),
                code: Some(*code),
                address: address.map(|address| address.0),
                ..none
            },
            Some(End::Killed(KillReason::Fault { address, access, .. })) => {
                Self { address: Some(address.0), access: Some(*access), ..none }
            }
            Some(End::Killed(KillReason::Unprovided { symbol, access })) => {
                Self { symbol: Some(symbol.clone()), access: Some(*access), ..none }
            }
            _ => none,
        }
    }
}

/// What is wrong with a world file, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}, column {column}: {message}{}", point_at(.excerpt, *.caret))]
pub struct WorldError {
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// What is wrong and what would be right.
    pub message: String,
    /// The line around the place, and where in this part the place is, from 1.
    excerpt: String,
    caret: usize,
}

/// Characters of a line that an error shows before the place, and in all.
const EXCERPT: (usize, usize) = (60, 100);

fn point_at(excerpt: &str, caret: usize) -> String {
    if excerpt.is_empty() {
        return String::new();
    }
    format!("\n    {excerpt}\n    {:>caret$}", '^')
}

impl WorldError {
    fn at(source: &str, offset: usize, message: impl Into<String>) -> Self {
        let before = source.get(..offset).unwrap_or(source);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = source.get(start..).unwrap_or_default().lines().next().unwrap_or_default();
        let column = before[start..].chars().count() + 1;
        // A line can be as long as the file, and what is in it must not move the cursor.
        let left_out = (column - 1).saturating_sub(EXCERPT.0);
        let shown = line.chars().skip(left_out).take(EXCERPT.1);
        Self {
            line: before.matches('\n').count() + 1,
            column,
            message: message.into(),
            excerpt: shown.map(|c| if c.is_control() { ' ' } else { c }).collect(),
            caret: column - left_out,
        }
    }
}

/// The file's shape, with positions for the errors.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WorldFile {
    name: Spanned<String>,
    #[serde(default)]
    about: String,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    domain: Vec<Spanned<DomainPlan>>,
    #[serde(default)]
    module: Vec<Spanned<ModulePlan>>,
    #[serde(default)]
    expect: Vec<Spanned<Expectation>>,
}

/// Where things start in the file, and the things.
fn unspan<T>(spanned: Vec<Spanned<T>>) -> (Vec<usize>, Vec<T>) {
    spanned.into_iter().map(|item| (item.span().start, item.into_inner())).unzip()
}

impl World {
    /// A world with one domain.
    pub fn single(domain: DomainPlan) -> Self {
        Self {
            name: domain.name.clone(),
            about: String::new(),
            limits: Limits::default(),
            domains: alloc::vec![domain],
            modules: Vec::new(),
            expect: Vec::new(),
        }
    }

    /// Reads and validates a world file.
    ///
    /// # Errors
    /// [`WorldError`] with the position of the first thing that is wrong.
    pub fn parse(source: &str) -> Result<Self, WorldError> {
        let file: WorldFile = toml::from_str(source).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            WorldError::at(source, offset, error.message().trim())
        })?;
        if file.domain.is_empty() {
            let message = "the world has no domain: add a [[domain]] with name and module";
            return Err(WorldError::at(source, source.len(), message));
        }
        let (name_at, name) = (file.name.span().start, file.name.into_inner());
        let (domains_at, domains) = unspan(file.domain);
        let (modules_at, modules) = unspan(file.module);
        let (expect_at, expect) = unspan(file.expect);
        let WorldFile { about, limits, .. } = file;
        let world = Self { name, about, limits, domains, modules, expect };
        check::check(&world).map_err(|flaw| {
            let offset = match flaw.part {
                check::Part::Name => name_at,
                check::Part::Domain(i) => domains_at[i],
                check::Part::Module(i) => modules_at[i],
                check::Part::Expect(i) => expect_at[i],
            };
            WorldError::at(source, offset, flaw.message)
        })?;
        Ok(world)
    }

    /// Checks what [`World::parse`] checks of a file, in a world that came another way. It may
    /// have no domains.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn validate(&self) -> Result<(), String> {
        check::check(self).map_err(|flaw| match flaw.part {
            check::Part::Name => flaw.message,
            check::Part::Domain(i) => format!("domain {i}: {}", flaw.message),
            check::Part::Module(i) => format!("module {i}: {}", flaw.message),
            check::Part::Expect(i) => format!("expectation {i}: {}", flaw.message),
        })
    }

    /// Every module the world names: the key by which it is looked up in a run, and the file.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        let domains = self.domains.iter().map(|plan| (plan.module.as_str(), plan.module.as_str()));
        domains.chain(self.modules.iter().map(|plan| (plan.name.as_str(), plan.file.as_str())))
    }
}
