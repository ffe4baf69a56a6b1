//! `lcd serve`.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use lcd_server::Server;
use lcd_server::config::{Config, ConfigFile, Token};
use lcd_server::telemetry::{self, LogFormat};
use tokio::signal::unix::{SignalKind, signal};

use super::output::Output;
use super::{Code, Color, Common};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Where to listen [default: 127.0.0.1:7171]. Port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT", env = "LCD_LISTEN")]
    listen: Option<SocketAddr>,
    /// Where uploads, runs and logs are kept [default: $XDG_DATA_HOME/lcd, or ~/.local/share/lcd].
    #[arg(long, value_name = "DIR", env = "LCD_DATA")]
    data: Option<PathBuf>,
    /// A further name that requests may call this server by, as behind a proxy.
    #[arg(long, value_name = "NAME", env = "LCD_ALLOW_HOST", value_delimiter = ',')]
    allow_host: Vec<String>,
    /// A file with all this and with limits (docs/server.md). Flags and the environment come first.
    #[arg(long, value_name = "FILE", env = "LCD_CONFIG")]
    config: Option<PathBuf>,
    /// Runs at the same time, each in a process of its own [default: one per processor].
    #[arg(long, value_name = "N", env = "LCD_WORKERS")]
    workers: Option<usize>,
    /// How long a shutdown waits for what goes on [default: 10s].
    #[arg(long, value_name = "T", value_parser = super::duration, env = "LCD_SHUTDOWN")]
    shutdown: Option<Duration>,
    /// How the log on standard error is written.
    #[arg(long, value_enum, default_value_t = LogStyle::Text, env = "LCD_LOG_FORMAT")]
    log_format: LogStyle,
    /// What is logged: off, error, warn, info, debug, trace, or a list as RUST_LOG has it.
    #[arg(long, value_name = "FILTER", default_value = "info", env = "LCD_LOG")]
    log: String,
    /// Print the description of the HTTP API (OpenAPI 3.1) and end.
    #[arg(long)]
    openapi: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum LogStyle {
    Text,
    Json,
}

pub(super) fn main(
    arguments: &Arguments,
    common: &Common,
    output: &Output,
) -> anyhow::Result<Code> {
    if arguments.openapi {
        output.json(&lcd_server::openapi())?;
        return Ok(Code::Success);
    }
    let format = match arguments.log_format {
        LogStyle::Text => LogFormat::Text,
        LogStyle::Json => LogFormat::Json,
    };
    let colors = match common.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            std::io::stderr().is_terminal()
                && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        }
    };
    telemetry::log_to_stderr(format, colors, &arguments.log).map_err(anyhow::Error::msg)?;
    let config = configuration(arguments, common)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the server's threads")?;
    let clean = runtime.block_on(serve(config, output))?;
    // Threads that still wait for a disk have nothing to tell anybody.
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(if clean { Code::Success } else { Code::Failure })
}

/// Flags and the environment, then the file, then defaults.
fn configuration(arguments: &Arguments, common: &Common) -> anyhow::Result<Config> {
    let file = match &arguments.config {
        Some(path) => ConfigFile::read(path)?,
        None => ConfigFile::default(),
    };
    let token_file = common.token_file.as_ref().or(file.token_file.as_ref());
    let mut limits = file.limits;
    limits.workers = arguments.workers.unwrap_or(limits.workers);
    let allow_hosts = match arguments.allow_host.as_slice() {
        [] => file.allow_host,
        given => given.to_vec(),
    };
    let shutdown = file.shutdown_seconds.map(Duration::from_secs);
    Ok(Config {
        listen: arguments.listen.or(file.listen).unwrap_or(Config::LISTEN),
        data: match arguments.data.clone().or(file.data) {
            Some(data) => data,
            None => default_data()?,
        },
        token: token_file.map(|path| Token::read(path)).transpose()?,
        allow_hosts,
        worker_program: std::env::current_exe().context("cannot find this program's file")?,
        modules: common.modules.clone().or(file.modules),
        shutdown: arguments.shutdown.or(shutdown).unwrap_or(Duration::from_secs(10)),
        limits,
    })
}

/// Where a user's data belongs (XDG Base Directory Specification).
fn default_data() -> anyhow::Result<PathBuf> {
    let directory =
        |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || directory("HOME").map(|home| home.join(".local/share"));
    let base = directory("XDG_DATA_HOME").filter(|path| path.is_absolute()).or_else(home);
    Ok(base.context("neither XDG_DATA_HOME nor HOME is set: give --data DIR")?.join("lcd"))
}

async fn serve(config: Config, output: &Output) -> anyhow::Result<bool> {
    let data = config.data.clone();
    let server = Server::start(config).await?;
    for line in server.recovery.lines() {
        tracing::warn!("{line}");
    }
    // Before anybody knows that there is something to end.
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let address = server.address()?;
    if output.is_json() {
        output.json(&serde_json::json!({ "listening": format!("http://{address}") }))?;
    } else {
        output.print(&format!("listening on http://{address}, data in {}", data.display()))?;
        output.print(&format!("documentation: http://{address}/docs"))?;
    }
    let shutdown = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        // Whoever asks twice does not want to wait.
        tokio::spawn(async move {
            interrupt.recv().await;
            std::process::exit(Code::Failure as i32);
        });
    };
    Ok(server.run(shutdown).await?)
}
