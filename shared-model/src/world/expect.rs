//! What a world says will be seen, and how that compares with what was seen.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::exit::{Access, End, KillReason};

/// What must be seen at the end of a run: of a thread of a domain, or of the serial port.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// The domain. Without it, `serial` is all that is expected.
    #[serde(default)]
    pub domain: Option<String>,
    /// Which of the domain's threads, in the order of their creation; without it, the initial one.
    #[serde(default)]
    pub thread: Option<u32>,
    /// How the thread ended: one of [`End::WORDS`].
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
    /// All that the model's serial port was given.
    #[serde(default)]
    pub serial: Option<String>,
}

impl Expectation {
    /// What a thread's end and its domain's console are not as expected, a line each; nothing if
    /// all is.
    pub fn check(&self, end: Option<&End>, console: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut compare = |what: &str, wanted: Option<String>, got: Option<String>| {
            if let Some(wanted) = wanted
                && got.as_ref() != Some(&wanted)
            {
                let got = got.unwrap_or_else(|| "nothing".into());
                wrong.push(format!("{}: expected {what} {wanted}, got {got}", self.subject()));
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

    /// What the serial port was given and is not as expected.
    pub fn check_serial(&self, given: &str) -> Vec<String> {
        let wrong = self.serial.as_ref().filter(|wanted| *wanted != given);
        wrong
            .map(|wanted| format!("serial port: expected {wanted:?}, got {given:?}"))
            .into_iter()
            .collect()
    }

    /// What it is about.
    fn subject(&self) -> String {
        let domain = self.domain.as_deref().unwrap_or("serial port");
        match self.thread {
            Some(thread) => format!("{domain}, thread {thread}"),
            None => domain.into(),
        }
    }

    /// Keys that are there and say something of a domain.
    pub(super) fn domain_keys(&self) -> impl Iterator<Item = &'static str> {
        [
            ("thread", self.thread.is_some()),
            ("end", self.end.is_some()),
            ("value", self.value.is_some()),
            ("vector", self.vector.is_some()),
            ("code", self.code.is_some()),
            ("address", self.address.is_some()),
            ("access", self.access.is_some()),
            ("symbol", self.symbol.is_some()),
            ("console", self.console.is_some()),
        ]
        .into_iter()
        .filter_map(|(key, there)| there.then_some(key))
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
