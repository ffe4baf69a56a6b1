//! What handlers share.

use std::sync::Arc;

use lcd::assemble::Modules;
use lcd_results::{Results, ResultsError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::engine::Engine;
use crate::problem::{Kind, Problem};
use crate::telemetry::Metrics;

/// A running server, shared by everything that answers requests.
#[derive(Clone, Debug)]
pub(crate) struct App(Arc<Inner>);

struct Inner {
    config: Config,
    results: Arc<Results>,
    engine: Engine,
    metrics: Metrics,
    modules: Modules,
    uploads: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    shutdown: CancellationToken,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("config", &self.config).finish_non_exhaustive()
    }
}

impl App {
    /// Puts a server's parts together.
    pub(crate) fn new(
        config: Config,
        results: Arc<Results>,
        engine: Engine,
        metrics: Metrics,
        modules: Modules,
        shutdown: CancellationToken,
    ) -> Self {
        let uploads = Arc::new(Semaphore::new(config.limits.uploads));
        let streams = Arc::new(Semaphore::new(config.limits.streams));
        Self(Arc::new(Inner {
            config,
            results,
            engine,
            metrics,
            modules,
            uploads,
            streams,
            shutdown,
        }))
    }

    /// What the server was told.
    pub(crate) fn config(&self) -> &Config {
        &self.0.config
    }

    /// What runs things.
    pub(crate) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// The numbers.
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Where module names are looked up besides the uploaded ones.
    pub(crate) fn modules(&self) -> &Modules {
        &self.0.modules
    }

    /// Cancelled when the server is about to end: streams end then.
    pub(crate) fn shutdown(&self) -> &CancellationToken {
        &self.0.shutdown
    }

    /// Asks the store, on a thread that may wait for a disk.
    ///
    /// # Errors
    /// What the store says, as a problem.
    pub(crate) async fn store<T, F>(&self, ask: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnOnce(&Results) -> Result<T, ResultsError> + Send + 'static,
    {
        let results = Arc::clone(&self.0.results);
        self.blocking(move || ask(&results).map_err(Problem::from)).await
    }

    /// Asks the store for something it has in its index, which takes tens of microseconds: less
    /// than going to another thread and back.
    ///
    /// # Errors
    /// What the store says, as a problem.
    pub(crate) fn look_up<T>(
        &self,
        ask: impl FnOnce(&Results) -> Result<T, ResultsError>,
    ) -> Result<T, Problem> {
        ask(&self.0.results).map_err(Problem::from)
    }

    /// Does something that takes its time, on a thread for such.
    ///
    /// # Errors
    /// What it says, or that it panicked.
    pub(crate) async fn blocking<T, F>(&self, work: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T, Problem> + Send + 'static,
    {
        let span = tracing::Span::current();
        match tokio::task::spawn_blocking(move || span.in_scope(work)).await {
            Ok(result) => result,
            Err(error) => Err(Problem::internal(error)),
        }
    }

    /// The store, for what is read bit by bit.
    pub(crate) fn results(&self) -> Arc<Results> {
        Arc::clone(&self.0.results)
    }

    /// The right to upload something.
    ///
    /// # Errors
    /// [`Kind::TOO_MANY`] while as many as are allowed are under way, and [`Kind::STORAGE_FULL`]
    /// when the store has as much as it may have.
    pub(crate) fn upload(&self) -> Result<OwnedSemaphorePermit, Problem> {
        self.check_room()?;
        let permit = Arc::clone(&self.0.uploads).try_acquire_owned();
        permit.map_err(|_| {
            Problem::new(Kind::TOO_MANY, "too many uploads are under way").retry_after(1)
        })
    }

    /// The right to follow something.
    ///
    /// # Errors
    /// [`Kind::TOO_MANY`] while as many as are allowed are followed.
    pub(crate) fn stream(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let permit = Arc::clone(&self.0.streams).try_acquire_owned();
        permit.map_err(|_| {
            Problem::new(Kind::TOO_MANY, "too many streams are followed").retry_after(5)
        })
    }

    /// Whether the store may grow.
    ///
    /// # Errors
    /// [`Kind::STORAGE_FULL`].
    pub(crate) fn check_room(&self) -> Result<(), Problem> {
        let allowed = self.config().limits.store_bytes;
        let used = self.look_up(Results::bytes_on_disk)?;
        if used < allowed {
            return Ok(());
        }
        let detail = format!("the store has {used} bytes of {allowed} that it may have");
        Err(Problem::new(Kind::STORAGE_FULL, detail))
    }
}
