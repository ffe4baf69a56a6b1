//! One run, from its turn to its end in the store.

use std::time::Duration;

use lcd::differential::Case;
use lcd::model::bundle::Bundle;
use lcd_results::{Finished, FinishedLog, RunState, RunSummary, SpoolWriter};
use serde_json::{Value, json};

use super::signature::of_case;
use super::{Active, Engine};
use crate::problem::{Kind, Problem};
use crate::request::{Doing, RunRequest};
use crate::uploads;
use crate::worker::job::RunResult;
use crate::worker::process::{Limits, Outcome, Worker};
use crate::worker::protocol::{Answer, Job};

/// How long a full disk is left alone.
const FULL_PAUSE: Duration = Duration::from_secs(2);

/// Workers that a run may use up before it has begun.
const ATTEMPTS: usize = 3;

/// What a run came to, before it is stored.
struct Ended {
    state: RunState,
    outcome: Option<String>,
    reason: Option<String>,
    result: Value,
    signature: Option<lcd_results::Signature>,
}

impl Ended {
    fn without_result(state: RunState, reason: Option<String>) -> Self {
        Self { state, outcome: None, reason, result: Value::Null, signature: None }
    }
}

impl Engine {
    /// Runs a run whose turn it is.
    pub(super) async fn execute(&self, run: u64, active: &Active) {
        let result = self.try_execute(run, active).await;
        if let Err(problem) = result {
            tracing::warn!(run, problem = problem.detail(), "a run failed");
            let reason = Some(problem.detail().to_owned());
            if let Err(problem) = self.finish_unrun(run, RunState::Failed, reason).await {
                // The store cannot be written. The run is interrupted when it is opened next.
                tracing::error!(run, problem = problem.detail(), "a run's end was not stored");
            }
        }
    }

    async fn try_execute(&self, run: u64, active: &Active) -> Result<(), Problem> {
        let host = json!({
            "class": self.host().native.class,
            "processor": self.host().native.processor_model,
            "lcd": self.host().lcd,
        });
        let (request, bundle) = self.prepare(run).await?;
        if active.cancel.is_cancelled() {
            return self.finish_unrun(run, active.why(), None).await;
        }
        let worker = tokio::select! {
            worker = self.0.pool.take() => worker,
            () = active.cancel.cancelled() => {
                return self.finish_unrun(run, active.why(), None).await;
            }
        };
        let worker = worker.map_err(Problem::internal)?;
        let summary = self.stored(move |results| results.start_run(run, host)).await?;
        self.0.changes.announce(run, summary.campaign);
        let mut recorder = Recorder::new(self.clone(), run, active.clone());
        let job = self.job(&request, &bundle);
        let limits = self.process_limits(&job);
        let encoded = bundle.encode();
        let outcome = self.work(worker, &job, &encoded, &mut recorder, limits).await;
        let ended = judge(request.kind, outcome, active);
        self.store_end(summary, recorder, ended).await
    }

    /// Has a worker do a job. One that dies before the job has begun, perhaps because somebody killed
    /// it while it waited, is replaced by another.
    async fn work(
        &self,
        mut worker: Worker,
        job: &Job,
        bundle: &[u8],
        recorder: &mut Recorder,
        limits: Limits,
    ) -> Outcome {
        let cancel = recorder.active.cancel.clone();
        let mut attempts = 1;
        loop {
            let outcome = worker.run(job, bundle, recorder, &cancel, limits).await;
            let Outcome::Died(death) = outcome else { return outcome };
            metrics::counter!("lcd_workers_died_total").increment(1);
            if recorder.has_begun() || attempts == ATTEMPTS {
                return Outcome::Died(death);
            }
            tracing::warn!(run = recorder.run, %death, "before the run began: once more");
            attempts += 1;
            worker = tokio::select! {
                () = cancel.cancelled() => return Outcome::Cancelled,
                next = self.0.pool.take() => match next {
                    Ok(next) => next,
                    Err(_) => return Outcome::Died(death),
                },
            };
        }
    }

    /// The request of a run, and its world.
    async fn prepare(&self, run: u64) -> Result<(RunRequest, Bundle), Problem> {
        let results = std::sync::Arc::clone(&self.0.results);
        let prepared = tokio::task::spawn_blocking(move || {
            let stored = results.run(run)?.ok_or_else(|| Problem::no_such("run", run))?;
            let request = serde_json::from_value(stored.request).map_err(Problem::internal)?;
            let id = stored.summary.world_id.as_deref().unwrap_or(&stored.summary.world);
            Ok((request, uploads::find_world(&results, id)?.bundle(&results)?))
        });
        prepared.await.map_err(Problem::internal)?
    }

    fn job(&self, request: &RunRequest, bundle: &Bundle) -> Job {
        let allowed = self.0.limits.run_milliseconds;
        let own = bundle.world.limits.milliseconds;
        // Without one, the world's own limit holds, which the simulator counts in instructions: so
        // it comes to the same here as elsewhere, however slow this machine is.
        let asked = request.timeout_ms.or((own > allowed).then_some(allowed));
        let asked = asked.map(|asked| asked.min(allowed));
        Job {
            action: request.action(bundle, self.field()),
            timeout_ms: asked,
            cpu_seconds: Some(self.processor_seconds(asked.unwrap_or(allowed))),
            memory_bytes: Some(self.0.limits.run_memory_bytes),
        }
    }

    /// Processor time of a run: as many threads as there are processors, on both backends, and some
    /// for what comes before and after.
    fn processor_seconds(&self, timeout_ms: u64) -> u64 {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        (timeout_ms / 1000 + 1) * 2 * processors as u64 + 30
    }

    /// The limits of a worker's process: beyond what the run's own limits let it come to.
    fn process_limits(&self, job: &Job) -> Limits {
        let each = Duration::from_millis(job.timeout_ms.unwrap_or(self.0.limits.run_milliseconds));
        // Two backends, and time for loading, digests and comparing.
        let wall = each * 2 + Duration::from_secs(30);
        Limits {
            wall,
            output_bytes: self.0.limits.run_log_bytes,
            resident_bytes: self.0.limits.run_memory_bytes,
        }
    }

    async fn store_end(
        &self,
        summary: RunSummary,
        recorder: Recorder,
        ended: Ended,
    ) -> Result<(), Problem> {
        let (run, campaign) = (summary.id, summary.campaign);
        let Ended { state, outcome, reason, result, signature } = ended;
        let labels = [
            ("kind", summary.kind.to_string()),
            ("state", state.to_string()),
            ("outcome", outcome.clone().unwrap_or_default()),
        ];
        metrics::counter!("lcd_runs_total", &labels).increment(1);
        let logs = recorder.close();
        for log in &logs {
            let labels = [("backend", log.backend.clone())];
            metrics::counter!("lcd_events_total", &labels).increment(log.events);
            metrics::histogram!("lcd_run_seconds", &labels).record(log.seconds);
        }
        let finished = Finished { state, outcome, reason, result, signature, logs };
        self.finish(run, finished).await?;
        self.0.changes.announce(run, campaign);
        Ok(())
    }

    /// Stores a run's end. While there is no room for that, it waits, so that nothing is lost; when
    /// the server ends first, the run is interrupted.
    async fn finish(&self, run: u64, finished: Finished) -> Result<RunSummary, Problem> {
        loop {
            let again = finished.clone();
            match self.stored(move |results| results.finish_run(run, again)).await {
                Err(problem) if problem.kind() == Kind::STORAGE_FULL => {
                    tracing::warn!(run, problem = problem.detail(), "a run's end waits for room");
                    tokio::select! {
                        () = tokio::time::sleep(FULL_PAUSE) => {}
                        () = self.0.closed.cancelled() => return Err(problem),
                    }
                }
                other => return other,
            }
        }
    }

    /// Ends a run that no worker did, or not to its end.
    pub(super) async fn finish_unrun(
        &self,
        run: u64,
        state: RunState,
        reason: Option<String>,
    ) -> Result<(), Problem> {
        let finished = Finished {
            state,
            outcome: None,
            reason,
            result: Value::Null,
            signature: None,
            logs: Vec::new(),
        };
        let summary = self.finish(run, finished).await?;
        self.0.changes.announce(run, summary.campaign);
        Ok(())
    }
}

/// What a worker's end means.
fn judge(kind: Doing, outcome: Outcome, active: &Active) -> Ended {
    match outcome {
        Outcome::Finished(result) => match kind {
            Doing::Comparison => judge_case(result),
            Doing::Run => judge_run(result),
        },
        Outcome::Cancelled => Ended::without_result(active.why(), None),
        other => Ended::without_result(RunState::Failed, Some(other.to_string())),
    }
}

fn judge_case(result: Value) -> Ended {
    match serde_json::from_value::<Case>(result.clone()) {
        Ok(case) => Ended {
            state: RunState::Finished,
            outcome: Some(case.outcome.word().into()),
            reason: case.reason.as_deref().map(shortened),
            signature: of_case(&case),
            result,
        },
        Err(error) => not_a_result(&error),
    }
}

fn judge_run(result: Value) -> Ended {
    match serde_json::from_value::<RunResult>(result.clone()) {
        Ok(run) => Ended {
            state: RunState::Finished,
            outcome: Some(if run.went_well { "passed" } else { "failed" }.into()),
            reason: (!run.unmet.is_empty()).then(|| shortened(&run.unmet.join("; "))),
            signature: None,
            result,
        },
        Err(error) => not_a_result(&error),
    }
}

/// Characters of a reason that lists show. The report has all of it.
const REASON_MAX: usize = 400;

fn shortened(reason: &str) -> String {
    match reason.char_indices().nth(REASON_MAX) {
        Some((end, _)) => format!("{}…", &reason[..end]),
        None => reason.into(),
    }
}

fn not_a_result(error: &serde_json::Error) -> Ended {
    let reason = format!("the worker's result is none: {error}");
    Ended::without_result(RunState::Failed, Some(reason))
}

/// Writes what a worker says to the spools, and tells those who follow.
struct Recorder {
    engine: Engine,
    run: u64,
    active: Active,
    spools: Vec<(FinishedLog, SpoolWriter)>,
}

impl Recorder {
    const fn new(engine: Engine, run: u64, active: Active) -> Self {
        Self { engine, run, active, spools: Vec::new() }
    }

    /// Whether there is anything to be told of the run.
    const fn has_begun(&self) -> bool {
        !self.spools.is_empty()
    }

    fn record(&mut self, answer: Answer) -> Result<(), String> {
        match answer {
            Answer::LogStarted { backend, header } => {
                let name = backend.to_string();
                let results = &self.engine.0.results;
                let mut spool = results.spool(self.run, &name).map_err(|e| e.to_string())?;
                let mut line = serde_json::to_vec(&header).map_err(|e| e.to_string())?;
                line.push(b'\n');
                spool.append(&line).and_then(|()| spool.flush()).map_err(|e| e.to_string())?;
                self.active.live.started(&name);
                let log = FinishedLog {
                    backend: name,
                    events: 0,
                    seconds: 0.0,
                    instructions: None,
                    complete: false,
                };
                self.spools.push((log, spool));
            }
            Answer::Events { backend, lines } => {
                let (log, spool) = self.spool(&backend.to_string())?;
                spool
                    .append(lines.as_bytes())
                    .and_then(|()| spool.flush())
                    .map_err(|error| error.to_string())?;
                let count = lines.bytes().filter(|&byte| byte == b'\n').count() as u64;
                log.events += count;
                let name = log.backend.clone();
                self.active.live.wrote(&name, count);
            }
            Answer::RunEnded(ended) => {
                // A backend that could not run has no log.
                if let Ok((log, _)) = self.spool(&ended.backend.to_string()) {
                    log.seconds = ended.seconds;
                    log.instructions = ended.instructions;
                    log.complete = ended.error.is_none();
                }
            }
            Answer::Ready(_) | Answer::Finished { .. } | Answer::Failed { .. } => {}
        }
        Ok(())
    }

    fn spool(&mut self, backend: &str) -> Result<&mut (FinishedLog, SpoolWriter), String> {
        let found = self.spools.iter_mut().find(|(log, _)| log.backend == backend);
        found.ok_or_else(|| format!("events of {backend}, which has not begun"))
    }

    /// Closes the spools.
    fn close(self) -> Vec<FinishedLog> {
        self.spools.into_iter().map(|(log, _)| log).collect()
    }
}

impl crate::worker::process::Sink for Recorder {
    fn take(&mut self, answer: Answer) -> impl Future<Output = Result<(), String>> + Send {
        // The spool is a file that the operating system keeps in memory: this does not wait.
        std::future::ready(self.record(answer))
    }
}
