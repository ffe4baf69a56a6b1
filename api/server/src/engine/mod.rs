//! What runs things: the queue, the workers, and those who follow.
//!
//! A run goes from the store (queued) through the queue to a task of its own, which has a worker
//! do it and writes what the worker says to the store. What the store says is what is so; this
//! only keeps what a restart can do without.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lcd::differential::Field;
use lcd::host::HostDescription;
use lcd_results::{NewCampaign, NewRun, Results, ResultsError, RunState};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

mod execute;
pub(crate) mod live;
mod queue;
mod signature;

use crate::config::Limits;
use crate::problem::{Kind, Problem};
use crate::worker::pool::Pool;
use live::{Changes, Live};
use queue::{Lane, Queue};

/// What runs things.
#[derive(Clone)]
pub(crate) struct Engine(Arc<Inner>);

struct Inner {
    results: Arc<Results>,
    limits: Limits,
    pool: Pool,
    host: HostDescription,
    field: Field,
    state: Mutex<State>,
    changes: Changes,
    /// There may be something to start.
    wake: Notify,
    /// As many as can run at the same time.
    slots: Arc<Semaphore>,
    tasks: TaskTracker,
    /// Nothing is started any more.
    closed: CancellationToken,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("load", &self.load()).finish_non_exhaustive()
    }
}

#[derive(Default)]
struct State {
    queue: Queue,
    active: HashMap<u64, Active>,
}

/// A run that a worker does, or is about to.
#[derive(Clone, Default)]
struct Active {
    cancel: CancellationToken,
    /// Why, once it is cancelled.
    why: Arc<Mutex<Option<RunState>>>,
    live: Live,
}

impl Engine {
    /// An engine, which starts with what is queued in the store. Needs a runtime.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) fn start(
        results: Arc<Results>,
        pool: Pool,
        limits: Limits,
        host: HostDescription,
        field: Field,
    ) -> Result<Self, ResultsError> {
        let mut state = State::default();
        for run in results.queued_runs()? {
            let lane = results.run(run)?.and_then(|run| run.summary.campaign);
            state.queue.push(lane, run);
        }
        let engine = Self(Arc::new(Inner {
            results,
            limits,
            pool,
            host,
            field,
            state: Mutex::new(state),
            changes: Changes::default(),
            wake: Notify::new(),
            slots: Arc::new(Semaphore::new(limits.workers)),
            tasks: TaskTracker::new(),
            closed: CancellationToken::new(),
        }));
        let dispatcher = engine.clone();
        tokio::spawn(async move { dispatcher.dispatch().await });
        Ok(engine)
    }

    /// The machine.
    pub(crate) fn host(&self) -> &HostDescription {
        &self.0.host
    }

    /// The backends, each with the reason if it cannot be used.
    pub(crate) fn field(&self) -> &Field {
        &self.0.field
    }

    /// Why no run can be run at present, if none can.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.0.pool.trouble().map(|error| error.to_string())
    }

    /// What happens, to follow.
    pub(crate) fn changes(&self) -> &Changes {
        &self.0.changes
    }

    /// How many runs wait, and how many are run.
    pub(crate) fn load(&self) -> (usize, usize) {
        let state = self.state();
        (state.queue.len(), state.active.len())
    }

    /// A run that goes on.
    pub(crate) fn live(&self, run: u64) -> Option<Live> {
        self.state().active.get(&run).map(|active| active.live.clone())
    }

    /// How many runs of its lane are before a queued run.
    pub(crate) fn before(&self, campaign: Option<u64>, run: u64) -> Option<usize> {
        self.state().queue.before(campaign, run)
    }

    /// Stores a run and lets it wait for its turn.
    ///
    /// # Errors
    /// [`Kind::TOO_MANY`] if too many wait, and what the store says.
    pub(crate) async fn submit(&self, run: NewRun) -> Result<lcd_results::Run, Problem> {
        self.check_room(1)?;
        let run = self.stored(move |results| results.create_run(run)).await?;
        self.enqueue(run.summary.campaign, [run.summary.id]);
        Ok(run)
    }

    /// The same for all the runs of a campaign.
    ///
    /// # Errors
    /// As [`Engine::submit`].
    pub(crate) async fn submit_campaign(
        &self,
        campaign: NewCampaign,
    ) -> Result<lcd_results::Campaign, Problem> {
        self.check_room(campaign.runs.len())?;
        let (campaign, runs) = self
            .stored(move |results| {
                let campaign = results.create_campaign(campaign)?;
                let runs = runs_of(results, campaign.id, Some(RunState::Queued))?;
                Ok((campaign, runs))
            })
            .await?;
        self.enqueue(Some(campaign.id), runs);
        Ok(campaign)
    }

    /// Ends a run that waits or goes on. What it wrote stays.
    ///
    /// # Errors
    /// [`Kind::CONFLICT`] if it is over.
    pub(crate) async fn cancel(&self, run: u64) -> Result<(), Problem> {
        let waited = {
            let mut state = self.state();
            let waited = state.queue.remove(run);
            if let Some(active) = state.active.get(&run) {
                active.end(RunState::Cancelled);
            } else if !waited {
                let detail = format!("run {run} is over");
                return Err(Problem::new(Kind::CONFLICT, detail));
            }
            waited
        };
        if waited {
            self.finish_unrun(run, RunState::Cancelled, None).await?;
        }
        Ok(())
    }

    /// Ends all runs of a campaign.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) async fn stop(&self, campaign: u64) -> Result<lcd_results::Campaign, Problem> {
        let (stopped, runs) = self
            .stored(move |results| {
                let stopped = results.stop_campaign(campaign)?;
                let mut runs = runs_of(results, campaign, Some(RunState::Queued))?;
                runs.extend(runs_of(results, campaign, Some(RunState::Running))?);
                Ok((stopped, runs))
            })
            .await?;
        for run in runs {
            match self.cancel(run).await {
                // It came to its end meanwhile.
                Err(problem) if problem.kind() == Kind::CONFLICT => {}
                other => other?,
            }
        }
        Ok(stopped)
    }

    /// Starts nothing more; runs that go on may do so for `patience`, then they are interrupted,
    /// which the store remembers. Whether none was.
    pub(crate) async fn shut_down(&self, patience: Duration) -> bool {
        self.0.closed.cancel();
        self.0.tasks.close();
        let all_ended = tokio::time::timeout(patience, self.0.tasks.wait()).await.is_ok();
        if !all_ended {
            for active in self.state().active.values() {
                active.end(RunState::Interrupted);
            }
            self.0.tasks.wait().await;
        }
        self.0.pool.shut_down().await;
        all_ended
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses more than can wait.
    fn check_room(&self, more: usize) -> Result<(), Problem> {
        if self.0.closed.is_cancelled() {
            return Err(Problem::new(Kind::UNAVAILABLE, "the server is ending"));
        }
        let (waiting, allowed) = (self.load().0, self.0.limits.queue);
        if waiting + more <= allowed {
            return Ok(());
        }
        let detail = format!("{waiting} runs wait already, and {allowed} may");
        Err(Problem::new(Kind::TOO_MANY, detail).retry_after(5))
    }

    fn enqueue(&self, lane: Lane, runs: impl IntoIterator<Item = u64>) {
        {
            let mut state = self.state();
            for run in runs {
                state.queue.push(lane, run);
                self.0.changes.announce(run, lane);
            }
            metrics::gauge!("lcd_queue_length").set(state.queue.len() as f64);
        }
        self.0.wake.notify_one();
    }

    /// Starts what waits, as long as there is room, until the engine is closed.
    async fn dispatch(self) {
        loop {
            let slot = tokio::select! {
                () = self.0.closed.cancelled() => return,
                slot = Arc::clone(&self.0.slots).acquire_owned() => slot,
            };
            let Ok(slot) = slot else { return };
            let Some((run, active)) = self.next().await else { return };
            let engine = self.clone();
            self.0.tasks.spawn(async move {
                engine.execute(run, &active).await;
                engine.state().active.remove(&run);
                metrics::gauge!("lcd_runs_active").set(engine.load().1 as f64);
                active.live.over();
                drop(slot);
            });
        }
    }

    /// Waits for a run and takes it out of the queue. Nothing when the engine is closed.
    async fn next(&self) -> Option<(u64, Active)> {
        loop {
            if self.0.closed.is_cancelled() {
                return None;
            }
            if let Some(taken) = self.take() {
                return Some(taken);
            }
            tokio::select! {
                () = self.0.closed.cancelled() => return None,
                () = self.0.wake.notified() => {}
            }
        }
    }

    /// Takes a run out of the queue. It is active from then on, so that it can be cancelled at
    /// any time.
    fn take(&self) -> Option<(u64, Active)> {
        let mut state = self.state();
        let run = state.queue.pop()?;
        let active = Active::default();
        state.active.insert(run, active.clone());
        metrics::gauge!("lcd_queue_length").set(state.queue.len() as f64);
        metrics::gauge!("lcd_runs_active").set(state.active.len() as f64);
        Some((run, active))
    }

    async fn stored<T, F>(&self, ask: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnOnce(&Results) -> Result<T, ResultsError> + Send + 'static,
    {
        let results = Arc::clone(&self.0.results);
        let asked = tokio::task::spawn_blocking(move || ask(&results)).await;
        asked.map_err(Problem::internal)?.map_err(Problem::from)
    }
}

impl Active {
    /// Ends it for a reason. The first one counts.
    fn end(&self, why: RunState) {
        self.why.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
        self.cancel.cancel();
    }

    fn why(&self) -> RunState {
        let why = *self.why.lock().unwrap_or_else(PoisonError::into_inner);
        why.unwrap_or(RunState::Cancelled)
    }
}

/// All runs of a campaign in a state, oldest first.
fn runs_of(
    results: &Results,
    campaign: u64,
    state: Option<RunState>,
) -> Result<Vec<u64>, ResultsError> {
    let filter = lcd_results::RunFilter { campaign: Some(campaign), state, ..Default::default() };
    let mut runs: Vec<_> = results
        .runs(&filter, lcd_results::Page::first(usize::MAX))?
        .into_iter()
        .map(|run| run.id)
        .collect();
    runs.reverse();
    Ok(runs)
}
