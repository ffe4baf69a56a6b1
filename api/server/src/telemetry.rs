//! What the server says of itself: lines in its log, numbers at `/metrics`.

use std::time::Instant;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

/// How the log is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// An object a line.
    Json,
}

/// Starts writing a log to standard error. `filter` is what `RUST_LOG` can say, as in
/// `info,lcd_server=debug`.
///
/// # Errors
/// What is wrong with the filter.
pub fn log_to_stderr(format: LogFormat, colors: bool, filter: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter).map_err(|error| format!("log filter: {error}"))?;
    let builder = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(filter)
        .with_span_events(FmtSpan::NONE)
        .with_target(false);
    // A second server in one process shares the first one's log.
    let _ = match format {
        LogFormat::Text => builder.with_ansi(colors).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    Ok(())
}

/// Buckets of requests' times, in seconds.
const REQUEST_BUCKETS: [f64; 11] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.0, 10.0];
/// Buckets of runs' times, in seconds.
const RUN_BUCKETS: [f64; 9] = [0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 30.0, 60.0];

/// The numbers of this process.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
    start: Instant,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").field("start", &self.start).finish_non_exhaustive()
    }
}

impl Metrics {
    /// Begins to count. There is one set of numbers in a process; a second server shares it.
    ///
    /// # Errors
    /// A message, if the buckets are no buckets.
    pub fn install() -> Result<Self, String> {
        static HANDLE: std::sync::Mutex<Option<PrometheusHandle>> = std::sync::Mutex::new(None);
        let mut installed = HANDLE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let handle = match &*installed {
            Some(handle) => handle.clone(),
            None => {
                let request = Matcher::Full("lcd_http_request_seconds".into());
                let run = Matcher::Full("lcd_run_seconds".into());
                let builder = PrometheusBuilder::new()
                    .set_buckets_for_metric(request, &REQUEST_BUCKETS)
                    .and_then(|builder| builder.set_buckets_for_metric(run, &RUN_BUCKETS));
                let recorder = builder.map_err(|error| error.to_string())?.build_recorder();
                let handle = recorder.handle();
                metrics::set_global_recorder(recorder).map_err(|error| error.to_string())?;
                describe();
                installed.insert(handle).clone()
            }
        };
        Ok(Self { handle, start: Instant::now() })
    }

    /// The numbers as Prometheus reads them. The store has so many bytes.
    pub fn render(&self, store_bytes: u64) -> String {
        metrics::gauge!("lcd_uptime_seconds").set(self.start.elapsed().as_secs_f64());
        metrics::gauge!("lcd_store_bytes").set(store_bytes as f64);
        if let Some(bytes) = resident_bytes() {
            metrics::gauge!("process_resident_memory_bytes").set(bytes as f64);
        }
        self.handle.run_upkeep();
        self.handle.render()
    }
}

fn describe() {
    use metrics::{
        describe_counter as counter, describe_gauge as gauge, describe_histogram as histogram,
    };
    counter!("lcd_http_requests_total", "Requests, by method, route and status");
    histogram!("lcd_http_request_seconds", "Time until the answer began, by method and route");
    counter!("lcd_http_panics_total", "Handlers that panicked: bugs");
    counter!("lcd_http_stalled_total", "Clients cut off because they did not read");
    gauge!("lcd_http_connections", "Connections that are open");
    gauge!("lcd_streams", "Streams that are followed");
    gauge!("lcd_queue_length", "Runs that wait");
    gauge!("lcd_runs_active", "Runs that are run");
    counter!("lcd_runs_total", "Runs that ended, by kind, state and outcome");
    histogram!("lcd_run_seconds", "Time that runs took on a backend, by backend");
    counter!("lcd_events_total", "Events that runs wrote, by backend");
    gauge!("lcd_store_bytes", "Bytes of the store on disk");
    gauge!("lcd_uptime_seconds", "Seconds since the server started");
    gauge!("process_resident_memory_bytes", "Resident memory of the server, without its workers");
    counter!("lcd_workers_died_total", "Workers that ended by a signal or without an answer");
    // Those that nothing has touched yet are there, too.
    for name in ["lcd_http_connections", "lcd_streams", "lcd_queue_length", "lcd_runs_active"] {
        metrics::gauge!(name).set(0.0);
    }
    for name in ["lcd_http_panics_total", "lcd_http_stalled_total", "lcd_workers_died_total"] {
        metrics::counter!(name).absolute(0);
    }
}

/// Resident memory of this process (proc(5), `statm`: the second number counts pages).
pub(crate) fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}
