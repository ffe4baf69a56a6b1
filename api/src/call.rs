//! Calls one function of a module in a fresh domain.

use std::fs;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared_model::bundle::Bundle;
use shared_model::event::Log;
use shared_model::exit::End;
use shared_model::hex;
use shared_model::report::RunReport;
use shared_model::world::Argument;
use thiserror::Error;

use crate::assemble::{self, AssembleError, Modules};
use crate::backend::{Backend, BackendError};
use crate::drive::run;

/// The call could not be made.
#[derive(Debug, Error)]
pub enum CallError {
    /// An argument is not one.
    #[error("argument `{text}`: {reason}")]
    Argument {
        /// What was given.
        text: String,
        /// What is wrong with it and what would be right.
        reason: String,
    },
    /// The module cannot be put together.
    #[error(transparent)]
    Assemble(#[from] AssembleError),
    /// The backend cannot run it.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

/// The C type of a function's result: the ABI leaves the rest of `rax` undefined.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ResultType {
    bits: u32,
    signed: bool,
}

impl ResultType {
    /// All of `rax`.
    pub const U64: Self = Self { bits: 64, signed: false };

    /// What of `rax` belongs to the result.
    pub const fn of_rax(self, rax: u64) -> u64 {
        let unused = 64 - self.bits;
        if self.signed {
            ((rax << unused).cast_signed() >> unused).cast_unsigned()
        } else {
            rax << unused >> unused
        }
    }

    /// Whether negative results are meant as such.
    pub const fn is_signed(self) -> bool {
        self.signed
    }
}

impl std::str::FromStr for ResultType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_at_checked(1).and_then(|(kind, bits)| {
            let signed = match kind {
                "u" => false,
                "i" => true,
                _ => return None,
            };
            let bits = bits.parse().ok().filter(|bits| matches!(bits, 8 | 16 | 32 | 64))?;
            Some(Self { bits, signed })
        });
        parsed.ok_or_else(|| format!("`{text}` is no result type: use u8, i8, … u64 or i64"))
    }
}

/// What came of a call.
#[derive(Clone, Default, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CallResult {
    /// What the function returned, as the bits of `rax` that its type has. Nothing if it did not
    /// return.
    #[serde(rename = "return")]
    pub returned: Option<u64>,
    /// The output buffers, in the order of the arguments.
    pub buffers: Vec<OutputBuffer>,
    /// All that was written to the console, by init functions too.
    pub console: String,
    /// How the thread ended.
    pub end: Option<serde_json::Value>,
    /// The same end, for programs. It is not written, so what is read back has none.
    #[serde(skip)]
    pub parsed: Option<End>,
}

/// An output buffer after the call.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct OutputBuffer {
    /// Which argument it was, counted from 0.
    pub arg: usize,
    /// Its bytes.
    pub hex: String,
}

/// Reads an argument: an integer (decimal, `0x…`, negative), `str:TEXT`, `hex:BYTES`,
/// `file:PATH` or `buf:SIZE`.
///
/// # Errors
/// [`CallError::Argument`].
pub fn argument(text: &str) -> Result<Argument, CallError> {
    let wrong = |reason: String| CallError::Argument { text: text.into(), reason };
    let Some((kind, rest)) = text.split_once(':') else { return integer(text).map_err(wrong) };
    match kind {
        "str" => Ok(Argument::Text { text: rest.into() }),
        "hex" => {
            let digits: String = rest.chars().filter(|c| !c.is_whitespace()).collect();
            match hex::decode(&digits) {
                Some(_) => Ok(Argument::Bytes { hex: digits }),
                None => Err(wrong(String::from("use pairs of hexadecimal digits, as hex:00ff"))),
            }
        }
        "file" => {
            let bytes = fs::read(rest).map_err(|error| wrong(error.to_string()))?;
            Ok(Argument::Bytes { hex: hex::encode(&bytes) })
        }
        "buf" => match integer(rest) {
            Ok(Argument::Unsigned(buffer)) => Ok(Argument::Buffer { buffer }),
            _ => Err(wrong(String::from("use a number of bytes, as buf:64"))),
        },
        other => Err(wrong(format!(
            "`{other}:` is no kind of argument: use an integer, str:, hex:, file: or buf:"
        ))),
    }
}

fn integer(text: &str) -> Result<Argument, String> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let parsed = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    let value = parsed
        .map_err(|_| String::from("not a 64-bit integer; text is str:TEXT, bytes are hex:BYTES"))?;
    match negative {
        false => Ok(Argument::Unsigned(value)),
        true => match 0_i64.checked_sub_unsigned(value) {
            Some(value) => Ok(Argument::Signed(value)),
            None => Err(String::from("below the smallest 64-bit integer")),
        },
    }
}

/// The world of a call: the module's init first, if it has one, then the function.
///
/// # Errors
/// See [`AssembleError`].
pub fn bundle(
    module: &str,
    symbol: &str,
    arguments: Vec<Argument>,
    modules: &Modules,
) -> Result<Bundle, AssembleError> {
    Ok(of_function(assemble::module(module, modules)?, symbol, arguments))
}

/// Of a world that runs a module, the one that calls a function of it.
pub fn of_function(mut bundle: Bundle, symbol: &str, arguments: Vec<Argument>) -> Bundle {
    let plan = &mut bundle.world.domains[0];
    let files = &bundle.modules[&plan.module];
    let main = files.last().map(|&file| &bundle.files[file]);
    let init =
        main.is_some_and(|file| has_init(&file.name, &file.bytes)) && symbol != "init_module";
    let first = init.then(|| String::from("init_module"));
    plan.call = Some(first.into_iter().chain([symbol.to_owned()]).collect());
    plan.args = arguments;
    bundle
}

/// Whether a module has an init function. One that cannot be read has none; loading it says why.
fn has_init(name: &str, bytes: &[u8]) -> bool {
    use shared_model::loader::{Module, inspect::inspect};
    inspect(&Module { name, bytes })
        .is_ok_and(|found| found.entries.iter().any(|entry| entry.role == "init"))
}

/// Makes the call.
///
/// # Errors
/// [`CallError::Backend`] if the backend is unavailable or the module cannot be loaded.
pub fn call(
    bundle: &Bundle,
    backend: Backend,
    kind: ResultType,
    timeout: Option<Duration>,
) -> Result<CallResult, CallError> {
    Ok(result(bundle, &run(bundle, backend, timeout)?.log, kind))
}

/// What came of a call, read off the log of a run of its world, wherever that was. `bundle` is what
/// [`bundle`] made. A log that breaks off, or is one of something else, says that nothing returned.
pub fn result(bundle: &Bundle, log: &Log, kind: ResultType) -> CallResult {
    let report = RunReport::from_log(log);
    let Some(domain) = report.domains.into_iter().next() else { return CallResult::default() };
    let parsed = domain.end().cloned();
    let calls = bundle.world.domains.first().and_then(|plan| plan.call.as_ref());
    let called = domain.last_call.as_ref() == calls.and_then(|calls| calls.last());
    let buffers = domain.buffers.into_iter().map(|(arg, hex)| OutputBuffer { arg, hex });
    CallResult {
        returned: domain.returned.filter(|_| called).map(|rax| kind.of_rax(rax)),
        buffers: buffers.collect(),
        console: domain.console,
        end: domain.threads.into_iter().next().and_then(|thread| thread.end),
        parsed,
    }
}

#[cfg(test)]
mod tests {
    use super::{CallResult, ResultType, argument, result};
    use bundled_worlds::WORLDS;
    use shared_model::world::Argument;

    use crate::{Backend, assemble, run};

    #[test]
    fn a_result_is_read_off_any_log() {
        let world = WORLDS.iter().find(|world| world.name == "bits").expect("it is bundled");
        let mut bundle = assemble::bundled(world).expect("it can be put together");
        bundle.world.domains[0].call = Some(vec!["init_module".into()]);
        let mut log = run(&bundle, Backend::Sim, None).expect("it runs").log;
        let whole = result(&bundle, &log, ResultType::U64);
        assert!(whole.returned.is_some() && whole.parsed.is_some() && whole.end.is_some());
        let text = serde_json::to_string(&whole).expect("it is plain data");
        let back: CallResult = serde_json::from_str(&text).expect("it was written here");
        assert_eq!((back.returned, &back.end), (whole.returned, &whole.end));
        // What broke off in the middle, or before anything happened.
        log.events.truncate(2);
        assert_eq!(result(&bundle, &log, ResultType::U64).returned, None);
        log.events.clear();
        assert_eq!(result(&bundle, &log, ResultType::U64).console, "");
    }

    #[test]
    fn arguments_of_every_kind_are_read() {
        assert_eq!(argument("0x10").unwrap(), Argument::Unsigned(16));
        assert_eq!(argument("18446744073709551615").unwrap(), Argument::Unsigned(u64::MAX));
        assert_eq!(argument("-22").unwrap(), Argument::Signed(-22));
        assert_eq!(argument("str:a:b").unwrap(), Argument::Text { text: "a:b".into() });
        assert_eq!(argument("hex:00 ff").unwrap(), Argument::Bytes { hex: "00ff".into() });
        assert_eq!(argument("buf:0x20").unwrap(), Argument::Buffer { buffer: 32 });
    }

    #[test]
    fn a_result_has_the_bits_of_its_type() {
        let of = |text: &str, rax| text.parse::<ResultType>().unwrap().of_rax(rax);
        assert_eq!(of("u16", 0x8690_31c3), 0x31c3);
        assert_eq!(of("i32", 0x1_ffff_ffea).cast_signed(), -22);
        assert_eq!(of("u64", u64::MAX), u64::MAX);
        for bad in ["", "u", "u7", "x8", "i128", "é8"] {
            assert!(bad.parse::<ResultType>().is_err(), "{bad}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_advice() {
        let cases = [
            ("12z", "str:TEXT"),
            ("hex:0", "pairs"),
            ("buf:x", "buf:64"),
            ("blob:1", "no kind"),
            ("file:/nonexistent/file", "No such file"),
            ("-9223372036854775809", "smallest"),
        ];
        for (text, part) in cases {
            let error = argument(text).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains(text), "{error}");
        }
    }
}
