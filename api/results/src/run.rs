//! Runs: a world on one backend, or on all of them and compared; from the queue to the result.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Results;
use crate::blobs::Pin;
use crate::committer::Draft;
use crate::error::{Result, ResultsError};
use crate::index::{Failure, campaigns, runs, worlds};
use crate::log::LogFile;
use crate::page::Page;
use crate::record::{BlobRef, Json, LogSealed, Record, RunCreated, RunFinished, json};
use crate::signature::Signature;
use crate::spool::check_backend;

/// What is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunKind {
    /// A world on one backend.
    Run,
    /// A world on every backend, and the logs compared.
    Comparison,
}

impl RunKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Run, Self::Comparison];

    /// Its name, as everywhere outside: `run`, `comparison`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Comparison => "comparison",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl fmt::Display for RunKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Waiting for its turn.
    Queued,
    /// Going on.
    Running,
    /// Ended by itself; its outcome says how.
    Finished,
    /// It could not be run, or not to its end; its reason says why.
    Failed,
    /// Somebody stopped it.
    Cancelled,
    /// The process that ran it ended first.
    Interrupted,
}

impl RunState {
    /// Every state.
    pub const ALL: [Self; 6] = [
        Self::Queued,
        Self::Running,
        Self::Finished,
        Self::Failed,
        Self::Cancelled,
        Self::Interrupted,
    ];

    /// Its name, as everywhere outside: `queued`, `running`, and so on.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
        }
    }

    /// The state with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// Whether nothing more will happen to such a run.
    #[must_use]
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }

    /// Whether a run in this state may become one in that.
    pub(crate) fn may_become(self, next: Self) -> bool {
        match self {
            // What never started has nothing to finish.
            Self::Queued => {
                matches!(next, Self::Running | Self::Failed | Self::Cancelled | Self::Interrupted)
            }
            Self::Running => next.is_over(),
            _ => false,
        }
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A run to put into the queue.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// The campaign it belongs to. [`Results::create_campaign`] sets it.
    pub campaign: Option<u64>,
    /// The run that this one repeats.
    pub restarted_from: Option<u64>,
    /// What is run.
    pub kind: RunKind,
    /// The world's name.
    pub world: String,
    /// The uploaded world's id; `None` for a bundled one.
    pub world_id: Option<String>,
    /// What was asked for, as the caller likes to have it back.
    pub request: Value,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    /// The state it ends in: any but queued and running.
    pub state: RunState,
    /// One word for its result: agree, diverge, poisoned, skipped; for one backend, how it ended.
    pub outcome: Option<String>,
    /// Why, if there is something to say.
    pub reason: Option<String>,
    /// The result, as the caller likes to have it back.
    pub result: Value,
    /// What the divergence looks like, if there was one.
    pub signature: Option<Signature>,
    /// The logs. A spool of a backend that is not named here is thrown away.
    pub logs: Vec<FinishedLog>,
}

/// A log that is complete, or as complete as it gets.
#[derive(Debug, Clone, PartialEq)]
pub struct FinishedLog {
    /// The backend that wrote it.
    pub backend: String,
    /// How many events it has.
    pub events: u64,
    /// How long the run took on this backend. Anything below zero, or not a number, counts as
    /// zero.
    pub seconds: f64,
    /// How many instructions were executed, where the backend counts them.
    pub instructions: Option<u64>,
    /// Whether it goes to the run's end.
    pub complete: bool,
}

/// A run as lists show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// Its number: 1 is the first, and none is used twice.
    pub id: u64,
    /// The campaign it belongs to.
    pub campaign: Option<u64>,
    /// The run that this one repeats. It may be gone.
    pub restarted_from: Option<u64>,
    /// What is run.
    pub kind: RunKind,
    /// The world's name.
    pub world: String,
    /// The uploaded world's id; `None` for a bundled one. The world may be gone.
    pub world_id: Option<String>,
    /// How far it is.
    pub state: RunState,
    /// One word for its result.
    pub outcome: Option<String>,
    /// Why, if there is something to say.
    pub reason: Option<String>,
    /// What the divergence looks like, if there was one.
    pub signature: Option<Signature>,
    /// When it was put into the queue, in milliseconds since the Unix epoch.
    pub created_at: i64,
    /// When it was started.
    pub started_at: Option<i64>,
    /// When it was over.
    pub finished_at: Option<i64>,
}

/// A run with all that is known about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// What lists show of it.
    #[serde(flatten)]
    pub summary: RunSummary,
    /// What was asked for.
    pub request: Value,
    /// The machine it ran on, once it is started.
    pub host: Option<Value>,
    /// The result, once it is over.
    pub result: Option<Value>,
    /// Its sealed logs, in the order of their backends' names. While a run goes on its logs are
    /// spools; see [`Results::spool_reader`].
    pub logs: Vec<LogFile>,
}

/// Which runs. What is `None` does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Runs in this state.
    pub state: Option<RunState>,
    /// Runs with this outcome.
    pub outcome: Option<String>,
    /// Runs of worlds with this name.
    pub world: Option<String>,
    /// Runs of this kind.
    pub kind: Option<RunKind>,
    /// Runs of this campaign.
    pub campaign: Option<u64>,
    /// Runs whose divergence has the signature with this id ([`Signature::id`]).
    pub signature: Option<String>,
}

impl Results {
    /// Puts a run into the queue.
    ///
    /// # Errors
    ///
    /// [`ResultsError::NotFound`] if its campaign, or the world with its id, is not there.
    pub fn create_run(&self, run: NewRun) -> Result<Run> {
        let request = json(&run.request)?;
        self.change(move |draft| {
            if let Some(campaign) = run.campaign
                && !campaigns::exists(draft.index, campaign)?
            {
                return Err(ResultsError::not_found("campaign", campaign).into());
            }
            run.check(draft)?;
            let id = draft.numbers.runs + 1;
            draft.record(Record::RunCreated(run.into_created(id, request)))?;
            Ok(runs::get(draft.index, id)?.ok_or_else(|| ResultsError::not_found("run", id))?)
        })
    }

    /// Notes that a queued run goes on now, on the machine that `host` describes. Its member
    /// `class`, if it is a text, is what histories show of it.
    ///
    /// # Errors
    ///
    /// [`ResultsError::NotFound`], and [`ResultsError::State`] if it is not queued.
    pub fn start_run(&self, id: u64, host: Value) -> Result<RunSummary> {
        let host = json(&host)?;
        self.change(move |draft| {
            check_step(draft, id, RunState::Running)?;
            draft.record(Record::RunStarted { run: id, host })?;
            expect(draft, id)
        })
    }

    /// Notes that a run is over. The spools of the backends that it names become its logs first,
    /// up to the last whole line; a spool that is not there is an empty log. Whoever writes to
    /// the spools must have flushed them.
    ///
    /// A queued run can only fail, be cancelled or be interrupted.
    ///
    /// # Errors
    ///
    /// [`ResultsError::NotFound`], [`ResultsError::State`] if it is over already or cannot end
    /// like this, [`ResultsError::Invalid`] for a state that is no end, a backend's name that is
    /// none (see [`Results::spool`]) or comes twice, or an empty outcome. After
    /// [`ResultsError::Full`] the spools are still there, and the call can be repeated.
    pub fn finish_run(&self, id: u64, finished: Finished) -> Result<RunSummary> {
        finished.check()?;
        let result = json(&finished.result)?;
        // Looked at first, so that nothing is sealed in vain, and decided below.
        match self.read("reading a run", |index| runs::status(index, id))? {
            None => return Err(ResultsError::not_found("run", id)),
            Some(status) => check_state(id, status.state, finished.state)?,
        }
        let mut pins = Vec::with_capacity(finished.logs.len());
        let mut logs = Vec::with_capacity(finished.logs.len());
        for log in finished.logs {
            let (pin, _) = self.spools.seal(&self.blobs, id, &log.backend)?;
            logs.push(log.into_sealed(pin.blob().clone()));
            pins.push(pin);
        }
        let record = RunFinished {
            run: id,
            state: finished.state,
            outcome: finished.outcome,
            reason: finished.reason,
            result,
            signature: finished.signature,
            logs,
        };
        self.record_end(pins, record)
    }

    /// The run with this number.
    ///
    /// # Errors
    ///
    /// [`ResultsError::Damaged`] if the index is.
    pub fn run(&self, id: u64) -> Result<Option<Run>> {
        self.read("reading a run", |index| runs::get(index, id))
    }

    /// Runs, newest first. Their numbers are their ids.
    ///
    /// # Errors
    ///
    /// [`ResultsError::Damaged`] if the index is.
    pub fn runs(&self, filter: &RunFilter, page: Page) -> Result<Vec<RunSummary>> {
        self.read("listing runs", |index| runs::list(index, filter, page))
    }

    /// The numbers of all queued runs, in the order in which they were put into the queue.
    ///
    /// # Errors
    ///
    /// [`ResultsError::Damaged`] if the index is.
    pub fn queued_runs(&self) -> Result<Vec<u64>> {
        self.read("listing runs", |index| runs::in_state(index, RunState::Queued))
    }

    /// Forgets a run and its logs.
    ///
    /// # Errors
    ///
    /// [`ResultsError::NotFound`], and [`ResultsError::InUse`] while it is queued or running.
    pub fn delete_run(&self, id: u64) -> Result<()> {
        self.delete(move |draft| {
            let status =
                runs::status(draft.index, id)?.ok_or_else(|| ResultsError::not_found("run", id))?;
            if !status.state.is_over() {
                let why = format!("it is {}", status.state);
                return Err(ResultsError::InUse { what: "run", id: id.to_string(), why }.into());
            }
            draft.record(Record::RunDeleted { run: id, campaign: status.campaign }).map(drop)
        })
    }

    /// Notes that a run is over, whose logs are sealed, and removes its spools.
    pub(crate) fn record_end(&self, logs: Vec<Pin<'_>>, record: RunFinished) -> Result<RunSummary> {
        let id = record.run;
        let summary = self.change_with(logs, move |draft| {
            check_step(draft, id, record.state)?;
            draft.record(Record::RunFinished(record))?;
            expect(draft, id)
        })?;
        // The run is over all the same if this fails; the next opening sweeps them.
        let _ = self.spools.remove(id);
        Ok(summary)
    }
}

impl NewRun {
    /// Whether what it refers to is there.
    pub(crate) fn check(&self, draft: &Draft<'_>) -> std::result::Result<(), Failure> {
        if let Some(world) = &self.world_id
            && worlds::sequence(draft.index, world)?.is_none()
        {
            return Err(ResultsError::not_found("world", world).into());
        }
        Ok(())
    }

    /// As a record, with the run's number and the text of its request.
    pub(crate) fn into_created(self, run: u64, request: Json) -> RunCreated {
        RunCreated {
            run,
            campaign: self.campaign,
            restarted_from: self.restarted_from,
            kind: self.kind,
            world: self.world,
            world_id: self.world_id,
            request,
        }
    }
}

impl Finished {
    fn check(&self) -> Result<()> {
        if !self.state.is_over() {
            let why = "such a run is not over";
            return Err(ResultsError::invalid("the end of a run", self.state.as_str(), why));
        }
        if self.outcome.as_deref() == Some("") {
            return Err(ResultsError::invalid("an outcome", "", "it is a word, or there is none"));
        }
        for (index, log) in self.logs.iter().enumerate() {
            check_backend(&log.backend)?;
            if self.logs[..index].iter().any(|other| other.backend == log.backend) {
                let why = "there is one log of each backend";
                return Err(ResultsError::invalid("a backend's name", &log.backend, why));
            }
        }
        Ok(())
    }
}

impl FinishedLog {
    fn into_sealed(self, blob: BlobRef) -> LogSealed {
        // JSON has no other numbers, and no time is less than none.
        let seconds = if self.seconds.is_finite() { self.seconds.max(0.0) } else { 0.0 };
        LogSealed {
            backend: self.backend,
            blob,
            events: self.events,
            seconds,
            instructions: self.instructions,
            complete: self.complete,
        }
    }
}

/// Whether a run may take a step, as a draft has it.
fn check_step(draft: &Draft<'_>, id: u64, wanted: RunState) -> std::result::Result<(), Failure> {
    let status =
        runs::status(draft.index, id)?.ok_or_else(|| ResultsError::not_found("run", id))?;
    Ok(check_state(id, status.state, wanted)?)
}

fn check_state(run: u64, state: RunState, wanted: RunState) -> Result<()> {
    if state.may_become(wanted) { Ok(()) } else { Err(ResultsError::State { run, state, wanted }) }
}

/// The run, which must be there.
fn expect(draft: &Draft<'_>, id: u64) -> std::result::Result<RunSummary, Failure> {
    Ok(runs::summary(draft.index, id)?.ok_or_else(|| ResultsError::not_found("run", id))?)
}
