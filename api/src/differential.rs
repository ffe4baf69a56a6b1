//! The main job: run a world on every backend, and say whether they agree.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared_model::bundle::Bundle;
use shared_model::compare::{Divergence, Verdict, compare, compare_outcomes};
use shared_model::event::Log;
use shared_model::microkernel::{Schedule, exit_order};
use shared_model::report::RunReport;

use crate::backend::{Backend, BackendError};
use crate::drive::{Run, run_watched};
use crate::observe::Observer;
use crate::parallel::Cancel;

/// The outcome of one case.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// All backends agree, and with the world's expectations.
    Agree,
    /// They do not.
    Diverge,
    /// They agree up to a point after which nothing can be compared.
    Poisoned,
    /// It was not compared, for a reason that is given.
    Skipped,
}

impl Outcome {
    /// The word that reports call it by.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Agree => "agree",
            Self::Diverge => "diverge",
            Self::Poisoned => "poisoned",
            Self::Skipped => "skipped",
        }
    }
}

/// What became of one backend in a case.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BackendRun {
    /// The backend.
    pub backend: String,
    /// Why it did not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// Why it could not finish.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Events in its log.
    pub events: usize,
    /// Seconds that the run took.
    pub seconds: f64,
    /// Instructions retired, where they are counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instructions: Option<u64>,
}

/// One case: a world on every backend.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Case {
    /// The world.
    pub name: String,
    /// What it shows.
    pub about: String,
    /// The outcome.
    pub outcome: Outcome,
    /// What became of each backend.
    pub backends: Vec<BackendRun>,
    /// Events compared; with one backend, events seen.
    pub events: usize,
    /// Why the outcome is not a plain agreement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The first divergent event, with its context.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub divergence: Option<Box<Divergence>>,
    /// Expectations of the world that a backend did not meet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmet: Vec<String>,
    /// Its modules cannot be loaded on any backend: the input is wrong.
    #[serde(skip)]
    pub unloadable: bool,
}

/// How many cases had which outcome.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Summary {
    /// Agreements.
    pub agree: usize,
    /// Divergences.
    pub diverge: usize,
    /// Poisoned comparisons.
    pub poisoned: usize,
    /// Cases that were not compared.
    pub skipped: usize,
}

impl Summary {
    /// Counts.
    pub fn of(cases: &[Case]) -> Self {
        let count = |outcome| cases.iter().filter(|case| case.outcome == outcome).count();
        Self {
            agree: count(Outcome::Agree),
            diverge: count(Outcome::Diverge),
            poisoned: count(Outcome::Poisoned),
            skipped: count(Outcome::Skipped),
        }
    }
}

/// The backends of a comparison: each runs, or is left out for a reason.
pub type Field = Vec<(Backend, Result<(), String>)>;

/// Runs a bundle on the backends of `field`, in the way its world is meant to be scheduled, and
/// compares the logs.
pub fn case(bundle: &Bundle, field: &Field, timeout: Option<Duration>) -> Case {
    case_watched(bundle, field, timeout, None, None)
}

/// As [`case`], with another schedule than the world's own.
///
/// With [`Schedule::Parallel`] the threads run at the same time on hardware, and the simulator
/// repeats the order of their exits. If there was no such run, it has nothing to repeat: see
/// [`alone`].
pub fn case_scheduled(
    bundle: &Bundle,
    field: &Field,
    timeout: Option<Duration>,
    schedule: &Schedule,
) -> Case {
    case_watched(bundle, field, timeout, Some(schedule), None)
}

/// As [`case`] or, with a schedule, [`case_scheduled`], and somebody watches the runs, one after the
/// other. Of a backend that is left out nothing is told.
pub fn case_observed(
    bundle: &Bundle,
    field: &Field,
    timeout: Option<Duration>,
    schedule: Option<&Schedule>,
    observer: &mut dyn Observer,
) -> Case {
    case_watched(bundle, field, timeout, schedule, Some(observer))
}

fn case_watched(
    bundle: &Bundle,
    field: &Field,
    timeout: Option<Duration>,
    schedule: Option<&Schedule>,
    mut observer: Option<&mut dyn Observer>,
) -> Case {
    let world = &bundle.world;
    let own = if world.schedule.parallel { Schedule::Parallel } else { Schedule::Cooperative };
    let schedule = schedule.unwrap_or(&own);
    let mut case = Case {
        name: world.name.clone(),
        about: world.about.clone(),
        outcome: Outcome::Agree,
        backends: Vec::new(),
        events: 0,
        reason: None,
        divergence: None,
        unmet: Vec::new(),
        unloadable: false,
    };
    let mut logs: Vec<Log> = Vec::new();
    for (backend, available) in field {
        let result = match available {
            Ok(()) => {
                let schedule = schedule_of_one(bundle, *backend, schedule, logs.first());
                let observer =
                    observer.as_mut().map(|observer| &mut **observer as &mut dyn Observer);
                let never = Cancel::default();
                Some(run_watched(bundle, *backend, timeout, schedule, &never, observer))
            }
            Err(_) => None,
        };
        case.backends.push(BackendRun::new(*backend, available, result.as_ref()));
        if let Some(Ok(run)) = result {
            for line in RunReport::from_log(&run.log).unmet(world) {
                case.unmet.push(format!("{backend}: {line}"));
            }
            logs.push(run.log);
        }
    }
    let parallel = *schedule == Schedule::Parallel;
    case.judge(&logs, if parallel { comparison(bundle) } else { compare });
    case
}

/// How a parallel run of a world is compared with its repetition.
pub fn comparison(bundle: &Bundle) -> fn(&Log, &Log) -> Verdict {
    if bundle.world.schedule.races { compare_outcomes } else { compare }
}

/// How a world is run one thread at a time. In one that is meant to run in parallel, a thread may
/// wait for another by looking at memory again and again, so nobody has the processor for long.
pub const fn alone(bundle: &Bundle) -> Schedule {
    Schedule::alone(&bundle.world)
}

/// Why a backend cannot follow a schedule, if it cannot: turns that end after so many instructions
/// need a backend that counts them.
///
/// # Errors
/// The reason.
pub fn can_follow(backend: Backend, schedule: &Schedule) -> Result<(), String> {
    match (backend, schedule) {
        (Backend::Native, Schedule::Seeded { preempt: Some(_), .. }) => Err(String::from(
            "turns that end after so many instructions need a backend that counts them: the \
             simulator",
        )),
        _ => Ok(()),
    }
}

/// The schedule of one run of a case. `before` is the log of the backend before it.
fn schedule_of_one(
    bundle: &Bundle,
    backend: Backend,
    schedule: &Schedule,
    before: Option<&Log>,
) -> Schedule {
    match (schedule, backend, before) {
        (Schedule::Parallel, Backend::Sim, Some(log)) => Schedule::Recorded(exit_order(log)),
        (Schedule::Parallel, Backend::Sim, None) => alone(bundle),
        _ => schedule.clone(),
    }
}

/// A case that cannot even be put together.
pub fn skipped(name: &str, reason: String) -> Case {
    Case {
        name: name.into(),
        about: String::new(),
        outcome: Outcome::Skipped,
        backends: Vec::new(),
        events: 0,
        reason: Some(reason),
        divergence: None,
        unmet: Vec::new(),
        unloadable: false,
    }
}

impl BackendRun {
    fn new(
        backend: Backend,
        available: &Result<(), String>,
        result: Option<&Result<Run, BackendError>>,
    ) -> Self {
        let run = result.and_then(|result| result.as_ref().ok());
        Self {
            backend: backend.to_string(),
            skipped: available.as_ref().err().cloned(),
            error: result.and_then(|result| result.as_ref().err()).map(ToString::to_string),
            events: run.map_or(0, |run| run.log.events.len()),
            seconds: run.map_or(0.0, |run| run.elapsed.as_secs_f64()),
            instructions: run.and_then(|run| run.retired),
        }
    }
}

impl Case {
    /// Decides the outcome from the logs of the backends that ran.
    fn judge(&mut self, logs: &[Log], compare: fn(&Log, &Log) -> Verdict) {
        let errors: Vec<_> = self.backends.iter().filter_map(|run| run.error.clone()).collect();
        if let Some(error) = errors.first() {
            // A module that no backend can load is bad input, which all of them agree about; one
            // that only some can load is a difference.
            self.unloadable = logs.is_empty() && errors.iter().all(|other| other == error);
            self.outcome = if self.unloadable { Outcome::Skipped } else { Outcome::Diverge };
            self.reason = Some(error.clone());
            return;
        }
        self.events = logs.first().map_or(0, |log| log.events.len());
        for pair in logs.windows(2) {
            match compare(&pair[0], &pair[1]) {
                Verdict::Agree { compared } => self.events = compared,
                Verdict::Poisoned { compared, why } => {
                    self.events = compared;
                    self.outcome = Outcome::Poisoned;
                    self.reason = Some(why);
                }
                Verdict::Diverge(divergence) => {
                    self.events = divergence.index;
                    self.outcome = Outcome::Diverge;
                    self.reason = Some(divergence.fields.join("; "));
                    self.divergence = Some(divergence);
                }
            }
        }
        if !self.unmet.is_empty() && self.outcome == Outcome::Agree {
            self.outcome = Outcome::Diverge;
            self.reason = Some(String::from("the world's expectations are not met"));
        }
        if logs.len() < 2 && self.outcome == Outcome::Agree {
            // One run agrees with nothing but its world's expectations.
            self.outcome = Outcome::Skipped;
            self.reason = Some(self.missing_backends());
        }
    }

    fn missing_backends(&self) -> String {
        let missing: Vec<_> = self
            .backends
            .iter()
            .filter_map(|run| Some((&run.backend, run.skipped.as_ref()?)))
            .map(|(backend, reason)| format!("not compared: {backend} was skipped: {reason}"))
            .collect();
        if missing.is_empty() {
            return String::from("not compared: only one backend was asked for");
        }
        missing.join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::{Case, Field, Outcome, case};
    use crate::{Backend, assemble};

    #[test]
    fn a_case_comes_back_from_json() {
        let mut worlds = bundled_worlds::WORLDS.iter();
        let world = worlds.find(|world| world.name == "printk").expect("it is bundled");
        let bundle = assemble::bundled(world).expect("it can be put together");
        let field: Field = vec![(Backend::Native, Err("not here".into())), (Backend::Sim, Ok(()))];
        let done = case(&bundle, &field, None);
        let text = serde_json::to_string(&done).expect("it is plain data");
        let back: Case = serde_json::from_str(&text).expect("it was written here");
        assert_eq!((back.outcome, back.events), (Outcome::Skipped, done.events));
        assert_eq!(serde_json::to_string(&back).expect("it is plain data"), text);
    }
}
