//! Runs on a server: worlds go there as bundles, logs and results come back.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::{Context as _, bail};
use indicatif::ProgressBar;
use lcd::differential::{Case, Outcome};
use lcd::model::bundle::Bundle;
use lcd::model::event::{Digest, Log};
use lcd::{Backend, Run};
use lcd_server::request::{BackendName, Doing, RunRequest};

use super::answers::{
    HostLimits, LogAnswer, ReportAnswer, RunAnswer, RunDetails, RunState, WorldAnswer,
};
use super::client::Ask;
use super::failure::{Failure, plain};
use super::{Remote, follow};
use crate::output::Spinner;
use crate::place::{Comparison, Ran, RunPlan, ToCompare};

/// The media type of bundles.
const BUNDLE: &str = "application/vnd.lcd.bundle";
/// Bytes that a log may have.
const LOG_MAX: u64 = 1 << 30;
/// Bytes that are sent without asking first how many a server takes.
const SMALL: usize = 1 << 20;
/// Worlds that are on their way at the same time, so that a server's workers always have some.
const WINDOW: usize = 16;

impl Remote<'_> {
    /// Runs a world there, and fetches the log. A parallel run comes with its repetition.
    pub(crate) fn run(
        &self,
        bundle: &Bundle,
        plan: &RunPlan<'_>,
        spinner: &Spinner,
    ) -> anyhow::Result<Ran> {
        let parallel = plan.turns.is_parallel();
        let backends = match parallel {
            true => Backend::ALL.to_vec(),
            false => vec![plan.backend],
        };
        let request = RunRequest {
            kind: if parallel { Doing::Comparison } else { Doing::Run },
            backends: Some(backends.into_iter().map(name_of).collect()),
            timeout_ms: plan.timeout.map(milliseconds),
            turns: plan.turns.request(),
            ..Default::default()
        };
        let run = self.submit(bundle, request)?;
        let tell =
            |answer: &RunAnswer| spinner.say(&format!("{}: run {run} {answer}", bundle.world.name));
        let details = follow::wait(self.client()?, run, &tell)?;
        self.check(&bundle.world.name, &details.run)?;
        if !parallel {
            let run = self.log(&details, plan.backend)?;
            return Ok(Ran { run, repeated: None });
        }
        // What could not run has no log, and the case says why.
        let case = self.case_of(run, &bundle.world.name)?;
        let wrong =
            |run: &lcd::differential::BackendRun| run.error.clone().or_else(|| run.skipped.clone());
        if let Some(reason) = case.backends.iter().find_map(wrong) {
            bail!("{}", plain(&reason));
        }
        let repeated = self.log(&details, Backend::Sim)?.log;
        Ok(Ran { run: self.log(&details, Backend::Native)?, repeated: Some(repeated) })
    }

    /// Compares worlds there, several at the same time, and returns what came of them in the order
    /// in which they were given.
    pub(crate) fn compare(
        &self,
        worlds: impl Iterator<Item = (String, anyhow::Result<ToCompare>)>,
        comparison: &Comparison<'_>,
        progress: &ProgressBar,
    ) -> anyhow::Result<Vec<Case>> {
        let mut waiting = VecDeque::new();
        let cases = self.compare_all(worlds, comparison, progress, &mut waiting);
        if cases.is_err() {
            self.abandon(waiting)?;
        }
        cases
    }

    fn compare_all(
        &self,
        mut worlds: impl Iterator<Item = (String, anyhow::Result<ToCompare>)>,
        comparison: &Comparison<'_>,
        progress: &ProgressBar,
        waiting: &mut VecDeque<Waiting>,
    ) -> anyhow::Result<Vec<Case>> {
        let mut cases = Vec::new();
        loop {
            while waiting.len() < WINDOW
                && let Some((name, world)) = worlds.next()
            {
                waiting.push_back(match world? {
                    ToCompare::World(bundle) => {
                        let run = self.submit(&bundle, comparison_of(comparison))?;
                        Waiting::Run { name, run }
                    }
                    ToCompare::Skipped(case) => Waiting::Skipped(case),
                });
            }
            match waiting.pop_front() {
                None => return Ok(cases),
                Some(Waiting::Skipped(case)) => cases.push(*case),
                Some(Waiting::Run { name, run }) => {
                    progress.set_message(name.clone());
                    let tell =
                        |answer: &RunAnswer| progress.set_message(format!("{name} {answer}"));
                    let details = follow::wait(self.client()?, run, &tell)?;
                    self.check(&name, &details.run)?;
                    cases.push(self.case_of(run, &name)?);
                }
            }
            progress.inc(1);
        }
    }

    /// Cancels what nobody waits for any more.
    fn abandon(&self, waiting: VecDeque<Waiting>) -> anyhow::Result<()> {
        let client = self.client()?;
        for world in waiting {
            let Waiting::Run { run, .. } = world else { continue };
            let path = format!("/api/v1/runs/{run}/cancel");
            // One that is over is not cancelled, and a server that is gone needs not be told.
            if let Err(Failure::Connection { .. }) = client.bytes(&Ask::post(&path, b"")) {
                break;
            }
        }
        Ok(())
    }

    /// Sends a world, unless it is there, and asks for a run of it.
    fn submit(&self, bundle: &Bundle, request: RunRequest) -> anyhow::Result<u64> {
        let world = Some(self.upload(bundle)?);
        let json = serde_json::to_vec(&RunRequest { world, ..request })?;
        let answer: RunAnswer = self.client()?.json(&Ask::post("/api/v1/runs", &json))?;
        Ok(answer.id)
    }

    /// Sends a world with all its modules, unless it is there, and returns its id.
    fn upload(&self, bundle: &Bundle) -> anyhow::Result<String> {
        let encoded = bundle.encode();
        let id = Digest::of([encoded.as_slice()]).to_string();
        let client = self.client()?;
        match client.json::<WorldAnswer>(&Ask::get(&format!("/api/v1/worlds/{id}"))) {
            Ok(world) if world.id == id => return Ok(id),
            // Another, which somebody gave this name.
            Ok(_) => {}
            Err(failure) if failure.is_missing() => {}
            Err(failure) => return Err(failure.into()),
        }
        if encoded.len() > SMALL {
            // A server that refuses a body while it comes may not be heard.
            let HostLimits { limits } = client.json(&Ask::get("/api/v1/host"))?;
            if encoded.len() as u64 > limits.world_bytes {
                bail!(
                    "{} with its modules has {} bytes, and {} takes {}: see `world-bytes` in its \
                     configuration",
                    bundle.world.name,
                    encoded.len(),
                    client.address(),
                    limits.world_bytes
                );
            }
        }
        let world: WorldAnswer = client.json(&Ask::put("/api/v1/worlds", BUNDLE, &encoded))?;
        if world.id != id {
            let what = format!("a world that was sent as {id} is kept as {}", world.id);
            return Err(client.strange(what).into());
        }
        Ok(id)
    }

    /// Says why a run has no result, if it has none.
    fn check(&self, name: &str, run: &RunAnswer) -> anyhow::Result<()> {
        let RunAnswer { id, state, reason, .. } = run;
        let ended = match state {
            RunState::Finished => return Ok(()),
            RunState::Cancelled => "was cancelled",
            RunState::Interrupted => "was interrupted: the server ended first",
            RunState::Failed | RunState::Queued | RunState::Running => "failed",
        };
        let reason =
            reason.as_ref().map_or_else(String::new, |reason| format!(": {}", plain(reason)));
        bail!("{name} (run {id} on {}) {ended}{reason}", self.client()?.address())
    }

    /// What a comparison came to.
    fn case_of(&self, run: u64, name: &str) -> anyhow::Result<Case> {
        let client = self.client()?;
        let report = client.json(&Ask::get(&format!("/api/v1/runs/{run}/report")))?;
        let ReportAnswer { run: RunDetails { run, .. }, case } = report;
        self.check(name, &run)?;
        let without = || client.strange(format!("run {} is a comparison without a result", run.id));
        let mut case = case.ok_or_else(without)?;
        // This is not sent: no backend could load it, and they agree about the reason.
        let failed = case.backends.iter().any(|run| run.error.is_some());
        case.unloadable = failed && case.outcome == Outcome::Skipped;
        Ok(case)
    }

    /// The log of a backend, with what else is known of the run there.
    fn log(&self, details: &RunDetails, backend: Backend) -> anyhow::Result<Run> {
        let client = self.client()?;
        let (id, name) = (details.run.id, backend.to_string());
        let found = details.logs.iter().find(|log| log.backend == name);
        let Some(LogAnswer { events, seconds, instructions, complete, .. }) = found else {
            return Err(client.strange(format!("run {id} has no log of {name}")).into());
        };
        let path = format!("/api/v1/runs/{id}/log?backend={name}");
        let bytes = client.bytes(&Ask { limit: LOG_MAX, ..Ask::get(&path) })?;
        let text = String::from_utf8(bytes).context("the log is not UTF-8")?;
        let log = Log::from_json_lines(&text)
            .map_err(|error| client.strange(format!("the log of run {id}: {error}")))?;
        if !complete || log.events.len() as u64 != *events {
            return Err(client.strange(format!("the log of run {id} is not complete")).into());
        }
        let elapsed = Duration::try_from_secs_f64(*seconds).unwrap_or_default();
        Ok(Run { log, elapsed, retired: *instructions, entries: None })
    }
}

/// A world on its way.
enum Waiting {
    Run { name: String, run: u64 },
    Skipped(Box<Case>),
}

fn comparison_of(comparison: &Comparison<'_>) -> RunRequest {
    let backends = comparison.field.iter().map(|(backend, _)| name_of(*backend));
    RunRequest {
        kind: Doing::Comparison,
        backends: Some(backends.collect()),
        timeout_ms: comparison.timeout.map(milliseconds),
        turns: comparison.turns.request(),
        ..Default::default()
    }
}

const fn name_of(backend: Backend) -> BackendName {
    match backend {
        Backend::Native => BackendName::Native,
        Backend::Sim => BackendName::Sim,
    }
}

/// A limit of time as a server takes it: at least one millisecond.
fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1)
}
