//! Workers that are ready before there is a job.
//!
//! A worker does one job. Starting one takes much longer than most jobs, so some wait: started,
//! warm, and locked in. Each that is taken is replaced in the background. If workers die at birth,
//! the next is tried later and later, and whoever waits for one is told why there is none.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{Mutex as AsyncMutex, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::process::{BirthError, Worker};
use super::sandbox::Confinement;

/// What a pool starts, and how many.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// How many workers wait for a job; at least one does.
    pub idle: usize,
    /// How long a worker may take until it is ready. The first of all may have to compile the
    /// simulator.
    pub patience: Duration,
    /// How long to wait after a worker that died at birth; twice as long after the next, and so on.
    pub first_pause: Duration,
    /// The longest such time.
    pub longest_pause: Duration,
}

impl Settings {
    /// Workers of this very program.
    ///
    /// # Errors
    /// If the program's file cannot be found.
    pub fn own(idle: usize) -> std::io::Result<Self> {
        let program = std::env::current_exe()?;
        Ok(Self {
            program,
            arguments: vec!["worker".into()],
            idle,
            patience: Duration::from_secs(120),
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(30),
        })
    }
}

/// There is no worker.
#[derive(Clone, Debug, Error)]
pub enum PoolError {
    /// Workers cannot be started at present.
    #[error("no worker can be started at present: {0}")]
    Births(Arc<BirthError>),
    /// The pool has been shut down.
    #[error("the server is shutting down")]
    Closed,
}

/// Deaths at birth, one after the other, until whoever waits is told.
const DEATHS: u32 = 3;

/// Workers that wait for a job.
#[derive(Debug)]
pub struct Pool {
    idle: AsyncMutex<mpsc::Receiver<Worker>>,
    /// Why there are no workers, while there are none.
    trouble: watch::Receiver<Option<Arc<BirthError>>>,
    closed: CancellationToken,
    keeper: Mutex<Option<JoinHandle<()>>>,
}

impl Pool {
    /// Begins to start workers. Needs a runtime.
    pub fn start(settings: Settings) -> Self {
        let (sender, idle) = mpsc::channel(settings.idle.max(1));
        let (report, trouble) = watch::channel(None);
        let closed = CancellationToken::new();
        let keeper = Keeper { settings, idle: sender, report };
        let ended = closed.clone();
        let keeper = tokio::spawn(async move {
            tokio::select! {
                () = ended.cancelled() => {}
                () = keeper.keep() => {}
            }
        });
        Self { idle: AsyncMutex::new(idle), trouble, closed, keeper: Mutex::new(Some(keeper)) }
    }

    /// A worker, ready for its job, which the caller has from now on. Waits until there is one, in
    /// the order of the callers.
    ///
    /// # Errors
    /// [`PoolError`].
    pub async fn take(&self) -> Result<Worker, PoolError> {
        tokio::select! {
            biased;
            () = self.closed.cancelled() => Err(PoolError::Closed),
            worker = self.next_alive() => worker,
        }
    }

    async fn next_alive(&self) -> Result<Worker, PoolError> {
        let mut idle = self.idle.lock().await;
        let mut trouble = self.trouble.clone();
        loop {
            let next = tokio::select! {
                biased;
                worker = idle.recv() => worker,
                // The keeper does not end while the pool is open.
                Ok(error) = trouble.wait_for(Option::is_some) => {
                    return Err(error.clone().map_or(PoolError::Closed, PoolError::Births));
                }
            };
            let mut worker = next.ok_or(PoolError::Closed)?;
            if worker.is_alive() {
                return Ok(worker);
            }
            worker.end().await;
        }
    }

    /// How many workers wait for a job.
    pub fn idle(&self) -> usize {
        self.idle.try_lock().map_or(0, |idle| idle.len())
    }

    /// Why there are no workers at present, if there are none and that is not going to change soon.
    pub fn trouble(&self) -> Option<Arc<BirthError>> {
        self.trouble.borrow().clone()
    }

    /// Ends all workers that wait for a job, and starts no others. Those that were taken go on.
    pub async fn shut_down(&self) {
        self.closed.cancel();
        let keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(keeper) = keeper {
            // If it has panicked there is nothing left to wait for.
            let _ = keeper.await;
        }
        let mut idle = self.idle.lock().await;
        idle.close();
        while let Some(worker) = idle.recv().await {
            worker.end().await;
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.closed.cancel();
    }
}

/// Starts workers while there are too few.
struct Keeper {
    settings: Settings,
    idle: mpsc::Sender<Worker>,
    report: watch::Sender<Option<Arc<BirthError>>>,
}

impl Keeper {
    async fn keep(self) {
        let mut deaths = 0u32;
        while let Ok(place) = self.idle.reserve().await {
            match self.birth().await {
                Ok(worker) => {
                    deaths = 0;
                    self.report.send_replace(None);
                    place.send(worker);
                }
                Err(error) => {
                    drop(place);
                    deaths = deaths.saturating_add(1);
                    tracing::warn!(%error, deaths, "a worker died at birth");
                    if deaths >= DEATHS {
                        self.report.send_replace(Some(Arc::new(error)));
                    }
                    sleep(pause(&self.settings, deaths)).await;
                }
            }
        }
    }

    async fn birth(&self) -> Result<Worker, BirthError> {
        let arguments: Vec<&str> = self.settings.arguments.iter().map(String::as_str).collect();
        let worker = Worker::spawn(&self.settings.program, &arguments).await?;
        let (worker, ready) = worker.ready(self.settings.patience).await?;
        if let Confinement::None(reason) = &ready.confinement {
            tracing::warn!(reason, "workers are not confined");
        }
        Ok(worker)
    }
}

/// How long to wait after so many deaths.
fn pause(settings: &Settings, deaths: u32) -> Duration {
    let doubled = 2u32.saturating_pow(deaths.saturating_sub(1));
    settings.first_pause.saturating_mul(doubled).min(settings.longest_pause)
}

#[cfg(test)]
mod tests {
    use super::{BirthError, Pool, PoolError, Settings, pause};
    use std::path::PathBuf;
    use std::time::Duration;

    fn settings(program: &str) -> Settings {
        Settings {
            program: PathBuf::from(program),
            arguments: Vec::new(),
            idle: 2,
            patience: Duration::from_secs(60),
            first_pause: Duration::from_millis(1),
            longest_pause: Duration::from_millis(20),
        }
    }

    #[test]
    fn pauses_double_up_to_a_limit() {
        let settings = settings("");
        let pauses = [1, 2, 3, 5, 6, 100].map(|deaths| pause(&settings, deaths).as_millis());
        assert_eq!(pauses, [1, 2, 4, 16, 20, 20]);
    }

    #[tokio::test]
    async fn whoever_waits_is_told_why_there_is_no_worker() {
        let pool = Pool::start(settings("/nowhere/lcd"));
        let Err(PoolError::Births(error)) = pool.take().await else { panic!("a worker?") };
        assert!(matches!(*error, BirthError::Start(_)), "{error}");
        let pool = Pool::start(settings("true"));
        let Err(PoolError::Births(error)) = pool.take().await else { panic!("a worker?") };
        assert!(matches!(*error, BirthError::Died(_)), "{error}");
        assert!(error.to_string().contains("exit status: 0"), "{error}");
        assert_eq!(pool.idle(), 0);
        pool.shut_down().await;
        assert!(matches!(pool.take().await, Err(PoolError::Closed)));
    }
}
