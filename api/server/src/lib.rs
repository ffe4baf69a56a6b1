//! lcd over HTTP: modules and worlds in, runs and verdicts out.
//!
//! - `config`: what a server can be told; `telemetry`: what it says of itself;
//! - `http`: connections, who is let in, what every answer has; `problem`: what went wrong;
//! - `routes`: the resources, a file each, with their description;
//! - `page`: the files of the page in the browser;
//! - `request`, `uploads`: what callers ask for and send, checked;
//! - `engine`: the queue, and what runs things; `worker`: the processes that do;
//! - `logs`: what happened in a run, read while it goes on or later.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use lcd::assemble::{AssembleError, Modules};
use lcd::differential::Field;
use lcd_results::{Recovery, Results, ResultsError};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

mod app;
pub mod config;
mod engine;
pub mod http;
mod logs;
mod page;
pub mod problem;
pub mod request;
mod routes;
pub mod telemetry;
mod uploads;
pub mod worker;

use app::App;
use config::{Config, ConfigError};
use engine::Engine;
use http::connection;
use http::guard::Guard;
use telemetry::Metrics;
use worker::pool::{Pool, Settings};

pub use routes::openapi;

/// A server could not begin.
#[derive(Debug, Error)]
pub enum ServeError {
    /// What it was told does not fit together.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The store cannot be opened.
    #[error(transparent)]
    Results(#[from] ResultsError),
    /// The module path cannot be opened.
    #[error(transparent)]
    Modules(#[from] AssembleError),
    /// Somebody else has the address, or it is none of this machine's.
    #[error("cannot listen on {address}: {error}; choose another with --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The host's answer.
        error: io::Error,
    },
    /// The numbers cannot be counted.
    #[error("metrics: {0}")]
    Metrics(String),
}

/// A server that has begun.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    app: App,
    /// What opening the store found and put right.
    pub recovery: Recovery,
}

impl Server {
    /// Opens the store, takes the address and gets workers ready. Needs a runtime with several
    /// threads.
    ///
    /// # Errors
    /// [`ServeError`].
    pub async fn start(config: Config) -> Result<Self, ServeError> {
        config.check()?;
        if config.token.is_none() && !config.allow_hosts.is_empty() {
            tracing::warn!(
                "--allow-host without --token-file: whoever reaches this server may use it"
            );
        }
        raise_descriptor_limit();
        let address = config.listen;
        let listener = TcpListener::bind(address)
            .await
            .map_err(|error| ServeError::Listen { address, error })?;
        let metrics = Metrics::install().map_err(ServeError::Metrics)?;
        let modules = match &config.modules {
            Some(directory) => Modules::at(directory)?,
            None => Modules::default(),
        };
        let (results, recovery) = Results::open(&config.data)?;
        let results = Arc::new(results);
        let settings = Settings {
            program: config.worker_program.clone(),
            arguments: vec!["worker".into()],
            ..Settings::own(config.limits.workers).map_err(ConfigError::Program)?
        };
        let pool = Pool::start(settings);
        let (host, field) = tokio::task::spawn_blocking(|| {
            page::prepare();
            (lcd::host::HostDescription::of_this_host(), field())
        })
        .await
        .map_err(|error| ServeError::Metrics(error.to_string()))?;
        let engine = Engine::start(Arc::clone(&results), pool, config.limits, host, field)?;
        let shutdown = CancellationToken::new();
        let app = App::new(config, results, engine, metrics, modules, shutdown);
        Ok(Self { listener, app, recovery })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// What the host says.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers requests until `shutdown`. Then it accepts no more, ends streams, lets what is being
    /// answered and what runs go on for as long as the configuration says, and interrupts the rest,
    /// which the store remembers. Whether nothing had to be cut off.
    ///
    /// # Errors
    /// What the host says of the address.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> io::Result<bool> {
        let Self { listener, app, .. } = self;
        let limits = app.config().limits;
        let patience = app.config().shutdown;
        let address = listener.local_addr()?;
        let guard = Guard::new(address, &app.config().allow_hosts, app.config().token.clone());
        let (routes, _) = routes::router(&app);
        let routes = http::surround(routes, guard, &limits);
        let ending = app.shutdown().clone();
        let serving = connection::serve(listener, routes, &limits, &ending, patience);
        tokio::pin!(serving);
        tokio::select! {
            clean = &mut serving => return Ok(clean),
            () = shutdown => {}
        }
        tracing::info!("shutting down, within {patience:?}");
        ending.cancel();
        // Answers and runs end side by side; the engine comes to an end in any case.
        let spare = patience.saturating_sub(Duration::from_millis(500));
        let (answered, ended) = tokio::join!(&mut serving, app.engine().shut_down(spare));
        Ok(answered && ended)
    }
}

/// The backends, each with the reason if it cannot be used here.
fn field() -> Field {
    let available = |backend| lcd::available(backend).map_err(|reason| reason.to_string());
    lcd::Backend::ALL.into_iter().map(|backend| (backend, available(backend))).collect()
}

/// A connection, a spool and a log that is read are a descriptor each, and many systems give a
/// process 1024 at first, of many more that it may have.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // What cannot be raised stays: then connections wait to be accepted.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}
