//! What can be asked to be run.

use std::fmt;

use lcd::Backend;
use lcd::assemble::Modules;
use lcd::differential::Field;
use lcd::model::bundle::Bundle;
use lcd::model::microkernel::Schedule;
use lcd::model::world::Argument;
use lcd_results::{Results, RunKind};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::config::Limits;
use crate::problem::{Kind, Problem};
use crate::uploads;
use crate::worker::protocol::Action;

/// A backend, by its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum BackendName {
    /// On the processor, isolated by KVM.
    Native,
    /// In the simulator.
    Sim,
}

impl From<BackendName> for Backend {
    fn from(name: BackendName) -> Self {
        match name {
            BackendName::Native => Self::Native,
            BackendName::Sim => Self::Sim,
        }
    }
}

impl fmt::Display for BackendName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Backend::from(*self).fmt(f)
    }
}

/// What is done with a world.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Doing {
    /// It is run on one backend.
    Run,
    /// It is run on several, and the logs are compared.
    #[default]
    Comparison,
}

impl From<Doing> for RunKind {
    fn from(doing: Doing) -> Self {
        match doing {
            Doing::Run => Self::Run,
            Doing::Comparison => Self::Comparison,
        }
    }
}

/// A function to call, instead of the module's own beginning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CallRequest {
    /// The function: an export, or any other function of the module. The module's `init_module` is
    /// called before it, if it has one.
    #[schema(example = "crc16", min_length = 1, max_length = 256)]
    pub function: String,
    /// Its arguments: integers, `{"text": "…"}`, `{"hex": "…"}` and `{"buffer": bytes}`.
    #[serde(default)]
    #[schema(value_type = Vec<ArgumentSchema>, max_items = 6)]
    pub arguments: Vec<Argument>,
}

/// An argument of a call.
#[derive(ToSchema)]
#[schema(as = Argument)]
#[serde(untagged)]
pub enum ArgumentSchema {
    /// An integer of 64 bits.
    Integer(i64),
    /// Text, passed by address, with a zero byte after it.
    Text {
        /// It.
        text: String,
    },
    /// Bytes, passed by address.
    Bytes {
        /// In hexadecimal.
        hex: String,
    },
    /// Room for output, all zero, passed by address and reported after the call.
    Buffer {
        /// How many bytes.
        buffer: u64,
    },
}

/// How threads take turns, if not as the world says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Turns {
    /// All threads at the same time on hardware; a comparison repeats their order in the simulator.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub parallel: bool,
    /// After each exit, draw whose turn is next with a generator that begins with this number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Also end turns after 1 to so many instructions, drawn as well: on the simulator alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub preempt: Option<u64>,
}

/// What to run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RunRequest {
    /// A bundled world's name, or an uploaded one's id or name. Either this or `module`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "printk")]
    pub world: Option<String>,
    /// An uploaded module's id or name, or a name in the server's module path: it runs in a domain
    /// of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// A function of that module to call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<CallRequest>,
    /// What is done with it.
    pub kind: Doing,
    /// On which backends. A run takes one, by default `native` if it is available; a comparison all
    /// of them by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_items = 1, max_items = 2)]
    pub backends: Option<Vec<BackendName>>,
    /// Give each backend up after so many milliseconds. By default as the world says; in any case
    /// as the server's limits say.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub timeout_ms: Option<u64>,
    /// How threads take turns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turns: Option<Turns>,
}

/// What to run a run of: a world, with its modules if they are not bundled.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The world's name.
    pub name: String,
    /// The stored world's id; a bundled one has none.
    pub id: Option<String>,
}

impl RunRequest {
    /// Checks what can be checked without the world.
    ///
    /// # Errors
    /// [`Kind::INVALID`].
    pub fn check(&self, limits: &Limits) -> Result<(), Problem> {
        let invalid = |detail: &str| Err(Problem::invalid(detail));
        match (&self.world, &self.module, &self.call) {
            (None, None, _) => return invalid("name a `world` or a `module`"),
            (Some(_), Some(_), _) => return invalid("name a `world` or a `module`, not both"),
            (Some(_), None, Some(_)) => return invalid("`call` needs a `module`, not a `world`"),
            _ => {}
        }
        let names = self.backends.as_deref();
        let repeated = names.is_some_and(|names| {
            names.iter().enumerate().any(|(i, name)| names[..i].contains(name))
        });
        match (self.kind, names.map(<[_]>::len)) {
            (_, Some(0)) => return invalid("`backends` is empty: leave it out for the default"),
            _ if repeated => return invalid("`backends` names a backend twice"),
            (Doing::Run, Some(2..)) => return invalid("a run takes one backend"),
            _ => {}
        }
        if self.timeout_ms == Some(0) {
            return invalid("`timeout_ms` must be at least 1");
        }
        if self.timeout_ms.is_some_and(|asked| asked > limits.run_milliseconds) {
            let allowed = limits.run_milliseconds;
            return Err(Problem::invalid(format!("`timeout_ms` can be {allowed} at most here")));
        }
        match self.turns {
            Some(Turns { parallel: true, seed: Some(_), .. }) => {
                invalid("`turns` are `parallel` or have a `seed`, not both")
            }
            Some(Turns { preempt: Some(0), .. }) => invalid("`turns.preempt` must be at least 1"),
            Some(Turns { preempt: Some(_), seed: None, .. }) => {
                invalid("`turns.preempt` needs a `turns.seed`")
            }
            _ => Ok(()),
        }
    }

    /// Finds the world that it names, and stores it if it is made from a module.
    ///
    /// # Errors
    /// [`Kind::NOT_FOUND`], [`Kind::INVALID`], [`Kind::CONFLICT`] for a bundled world that could not
    /// be built, and what the store says.
    pub fn subject(&self, results: &Results, modules: &Modules) -> Result<Subject, Problem> {
        if let Some(id) = &self.world {
            let found = uploads::find_world(results, id)?;
            if let uploads::FoundWorld::Bundled(world) = &found
                && let Some(reason) = world.unavailable
            {
                let detail = format!("the bundled world {id} is not available: {reason}");
                return Err(Problem::new(Kind::CONFLICT, detail));
            }
            return Ok(Subject { name: found.name().into(), id: found.id().map(String::from) });
        }
        let module = self.module.as_deref().unwrap_or_default();
        let bundle = uploads::world_of_module(results, modules, module)?;
        let bundle = match &self.call {
            Some(call) => {
                let arguments = call.arguments.clone();
                let bundle = lcd::call::of_function(bundle, &call.function, arguments);
                bundle.world.validate().map_err(Problem::invalid)?;
                bundle
            }
            None => bundle,
        };
        let upload = uploads::Upload { bundle, source: None };
        let (world, _) = uploads::add_world(results, &upload)?;
        Ok(Subject { name: world.name, id: Some(world.id) })
    }

    /// The backends that it runs on, with a reason for each that it cannot run on.
    pub fn field(&self, available: &Field) -> Vec<Backend> {
        match (&self.backends, self.kind) {
            (Some(names), _) => names.iter().map(|name| (*name).into()).collect(),
            (None, Doing::Comparison) => Backend::ALL.into(),
            (None, Doing::Run) => {
                let needed = match self.turns {
                    Some(Turns { parallel: true, .. }) => Some(Backend::Native),
                    Some(Turns { preempt: Some(_), .. }) => Some(Backend::Sim),
                    _ => None,
                };
                let first = available.iter().find(|(_, usable)| usable.is_ok());
                vec![needed.or(first.map(|(backend, _)| *backend)).unwrap_or(Backend::Sim)]
            }
        }
    }

    /// What a worker has to do.
    pub fn action(&self, bundle: &Bundle, available: &Field) -> Action {
        let backends = self.field(available);
        let asked = self.turns.and_then(Turns::schedule);
        match self.kind {
            Doing::Comparison => Action::Compare { backends, schedule: asked },
            Doing::Run => {
                let backend = backends.first().copied().unwrap_or(Backend::Sim);
                let own = || match backend {
                    Backend::Native if bundle.world.schedule.parallel => Schedule::Parallel,
                    _ => lcd::differential::alone(bundle),
                };
                Action::Run { backend, schedule: asked.unwrap_or_else(own) }
            }
        }
    }
}

impl Turns {
    /// The schedule that they mean, if they mean one.
    const fn schedule(self) -> Option<Schedule> {
        match self {
            Self { parallel: true, .. } => Some(Schedule::Parallel),
            Self { seed: Some(seed), preempt, .. } => Some(Schedule::Seeded { seed, preempt }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RunRequest;
    use crate::config::Limits;

    #[test]
    fn requests_that_make_no_sense_are_refused_with_the_reason() {
        let limits = Limits::default();
        let check = |json: &str| {
            let request: RunRequest = serde_json::from_str(json).map_err(|e| e.to_string())?;
            request.check(&limits).map_err(|problem| problem.detail().to_owned())
        };
        check(r#"{"world": "printk"}"#).unwrap();
        check(r#"{"module": "crc16.ko", "call": {"function": "crc16", "arguments": [0, {"text": "a"}, 1]}}"#).unwrap();
        check(r#"{"world": "printk", "kind": "run", "backends": ["sim"], "turns": {"seed": 1, "preempt": 9}}"#).unwrap();
        for (json, part) in [
            ("{}", "world"),
            (r#"{"world": "a", "module": "b"}"#, "not both"),
            (r#"{"world": "a", "call": {"function": "f"}}"#, "module"),
            (r#"{"world": "a", "backends": []}"#, "empty"),
            (r#"{"world": "a", "backends": ["sim", "sim"]}"#, "twice"),
            (r#"{"world": "a", "kind": "run", "backends": ["sim", "native"]}"#, "one backend"),
            (r#"{"world": "a", "backends": ["gpu"]}"#, "gpu"),
            (r#"{"world": "a", "timeout_ms": 0}"#, "at least 1"),
            (r#"{"world": "a", "timeout_ms": 99999999}"#, "at most"),
            (r#"{"world": "a", "turns": {"preempt": 4}}"#, "seed"),
            (r#"{"world": "a", "turns": {"parallel": true, "seed": 4}}"#, "not both"),
            (r#"{"wrld": "a"}"#, "wrld"),
        ] {
            let error = check(json).unwrap_err();
            assert!(error.contains(part), "{json}: {error}");
        }
    }
}
