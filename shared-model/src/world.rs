//! A world: which domains there are, what runs in them, what they hold from the start, and
//! what is expected to happen. World files are TOML; `docs/worlds.md` describes them.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use toml::Spanned;

use crate::address::GuestPhysical;
use crate::capability::SLOTS;
use crate::exit::{Access, End, KillReason};
use crate::layout;
use crate::rights::Rights;

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
    pub events: usize,
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
#[error("line {line}, column {column}: {message}{}", excerpt(.source_line, *.column))]
pub struct WorldError {
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// What is wrong and what would be right.
    pub message: String,
    source_line: String,
}

fn excerpt(source_line: &str, column: usize) -> String {
    if source_line.is_empty() {
        return String::new();
    }
    format!("\n    {source_line}\n    {:>column$}", '^')
}

impl WorldError {
    fn at(source: &str, offset: usize, message: impl Into<String>) -> Self {
        let before = source.get(..offset).unwrap_or(source);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let rest = source.get(start..).unwrap_or_default();
        Self {
            line: before.matches('\n').count() + 1,
            column: before[start..].chars().count() + 1,
            message: message.into(),
            source_line: rest.lines().next().unwrap_or_default().replace('\t', " "),
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
        let validator = Validator { source, file: &file };
        validator.check()?;
        let unspan = |span: Vec<Spanned<DomainPlan>>| {
            span.into_iter().map(Spanned::into_inner).collect::<Vec<_>>()
        };
        Ok(Self {
            name: file.name.into_inner(),
            about: file.about,
            limits: file.limits,
            domains: unspan(file.domain),
            modules: file.module.into_iter().map(Spanned::into_inner).collect(),
            expect: file.expect.into_iter().map(Spanned::into_inner).collect(),
        })
    }

    /// Every module the world names: the key by which it is looked up in a run, and the file.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        let domains = self.domains.iter().map(|plan| (plan.module.as_str(), plan.module.as_str()));
        domains.chain(self.modules.iter().map(|plan| (plan.name.as_str(), plan.file.as_str())))
    }
}

/// Checks what types cannot say.
struct Validator<'a> {
    source: &'a str,
    file: &'a WorldFile,
}

impl Validator<'_> {
    fn check(&self) -> Result<(), WorldError> {
        if self.file.name.get_ref().is_empty() {
            return self.fail(&self.file.name, "a world needs a name");
        }
        if self.file.domain.is_empty() {
            let message = "the world has no domain: add a [[domain]] with name and module";
            return Err(WorldError::at(self.source, self.source.len(), message));
        }
        for (i, domain) in self.file.domain.iter().enumerate() {
            self.check_domain(i, domain)?;
        }
        for (i, module) in self.file.module.iter().enumerate() {
            let name = &module.get_ref().name;
            if self.file.module[..i].iter().any(|other| other.get_ref().name == *name) {
                return self.fail(module, format!("a module named `{name}` is declared already"));
            }
        }
        self.file.expect.iter().try_for_each(|expect| self.check_expectation(expect))
    }

    fn check_domain(&self, i: usize, domain: &Spanned<DomainPlan>) -> Result<(), WorldError> {
        let plan = domain.get_ref();
        let names = |name: &String| self.file.domain.iter().any(|d| d.get_ref().name == *name);
        if self.file.domain[..i].iter().any(|other| other.get_ref().name == plan.name) {
            let name = &plan.name;
            return self.fail(domain, format!("a domain named `{name}` is declared already"));
        }
        if plan.call.as_ref().is_some_and(Vec::is_empty) {
            return self.fail(domain, "`call` is empty: name a function, or leave it out");
        }
        let mut slots = Vec::new();
        let held = plan.pages.iter().map(|page| page.slot);
        for slot in held.chain(plan.domains.iter().map(|grant| grant.slot)) {
            if !(1..SLOTS).contains(&slot) {
                return self
                    .fail(domain, format!("slot {slot} is not between 1 and {}", SLOTS - 1));
            }
            if slots.contains(&slot) {
                return self.fail(domain, format!("slot {slot} is used twice"));
            }
            slots.push(slot);
        }
        if let Some(grant) = plan.domains.iter().find(|grant| !names(&grant.name)) {
            return self.fail(domain, format!("no domain is named `{}`", grant.name));
        }
        for at in plan.pages.iter().filter_map(|page| page.at) {
            if !at.is_page_aligned() || layout::window_rights(at).is_none() {
                let message = format!(
                    "{at} is not a page of a window: the data window is {} to {:#x}, the code \
                     window {} to {:#x}",
                    layout::DATA_WINDOW,
                    layout::DATA_WINDOW.0 + layout::DATA_WINDOW_SIZE,
                    layout::CODE_WINDOW,
                    layout::CODE_WINDOW.0 + layout::CODE_WINDOW_SIZE,
                );
                return self.fail(domain, message);
            }
        }
        for argument in &plan.args {
            match argument {
                Argument::Bytes { hex } if crate::hex::decode(hex).is_none() => {
                    let message = format!("`{hex}` is not pairs of hexadecimal digits");
                    return self.fail(domain, message);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn check_expectation(&self, expect: &Spanned<Expectation>) -> Result<(), WorldError> {
        if let Some(end) = &expect.get_ref().end
            && !End::WORDS.contains(&end.as_str())
        {
            let words = End::WORDS.join(", ");
            return self.fail(expect, format!("`{end}` is no way to end: use one of {words}"));
        }
        Ok(())
    }

    fn fail<T>(&self, at: &Spanned<T>, message: impl Into<String>) -> Result<(), WorldError> {
        Err(WorldError::at(self.source, at.span().start, message))
    }
}

#[cfg(test)]
mod tests {
    use super::{Argument, World};
    use crate::exit::{End, Exited};
    use alloc::string::ToString;

    const SMALL: &str = "name = \"w\"\n[[domain]]\nname = \"main\"\nmodule = \"a.ko\"\n";

    #[test]
    fn a_small_world_has_the_defaults() {
        let world = World::parse(SMALL).unwrap();
        assert!(world.domains[0].start && world.domains[0].call.is_none());
        assert_eq!(world.limits, super::Limits::default());
    }

    #[test]
    fn arguments_of_all_kinds_are_read_and_survive_json() {
        let args = "args = [1, -2, { text = \"hi\" }, { hex = \"00ff\" }, { buffer = 16 }]";
        let world = World::parse(&alloc::format!("{SMALL}{args}")).unwrap();
        let json = serde_json::to_string(&world).unwrap();
        assert_eq!(serde_json::from_str::<World>(&json).unwrap(), world);
        assert_eq!(world.domains[0].args[1], Argument::Signed(-2));
        assert_eq!(world.domains[0].args[4], Argument::Buffer { buffer: 16 });
    }

    #[test]
    fn errors_point_at_the_line_and_say_what_to_do() {
        let cases = [
            ("name = \n", 1, "value"),
            ("name = \"w\"\n", 2, "no domain"),
            (&alloc::format!("{SMALL}pagse = []\n"), 5, "pagse"),
            (&alloc::format!("{SMALL}pages = [{{ slot = 0, rights = \"r\" }}]\n"), 2, "slot 0"),
            (&alloc::format!("{SMALL}pages = [{{ slot = 1, rights = \"q\" }}]\n"), 5, "right `q`"),
            (
                &alloc::format!("{SMALL}pages = [{{ slot = 1, rights = \"r\", at = 0x1000 }}]\n"),
                2,
                "data window",
            ),
            (
                &alloc::format!("{SMALL}[[expect]]\ndomain = \"main\"\nend = \"melted\"\n"),
                5,
                "use one of exit",
            ),
        ];
        for (source, line, part) in cases {
            let error = World::parse(source).unwrap_err();
            let text = error.to_string();
            assert_eq!(error.line, line, "{text}\n{source}");
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn an_expectation_names_what_is_different() {
        let source = alloc::format!(
            "{SMALL}[[expect]]\ndomain = \"main\"\nend = \"exit\"\nvalue = 1\nconsole = \"a\\n\"\n"
        );
        let world = World::parse(&source).unwrap();
        let end = End::Exit(Exited { value: 1 });
        assert!(world.expect[0].check(Some(&end), "a\n").is_empty());
        let other = End::Exit(Exited { value: 2 });
        let wrong = world.expect[0].check(Some(&other), "a");
        assert_eq!(wrong.len(), 2, "{wrong:?}");
        assert_eq!(world.expect[0].check(None, "a\n").len(), 2);
    }
}
