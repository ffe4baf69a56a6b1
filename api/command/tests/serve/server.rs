//! A server of this build, as a process.

use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::client::Client;

/// Long enough for everything that should happen at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// How a server is started.
#[derive(Clone, Copy, Default)]
pub(crate) struct Options<'a> {
    /// Lines of the configuration file's `[limits]`.
    pub(crate) limits: &'a str,
    /// Further arguments.
    pub(crate) arguments: &'a [&'a str],
}

/// A server. It is killed when this goes away, and must not have panicked until then.
pub(crate) struct Server {
    child: Child,
    /// Where it is asked.
    pub(crate) client: Client,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
    /// Keeps the directory of a server that has one of its own.
    _place: Option<TempDir>,
}

impl Server {
    /// A server with a directory of its own.
    pub(crate) fn fresh() -> Self {
        Self::fresh_with(Options::default())
    }

    pub(crate) fn fresh_with(options: Options<'_>) -> Self {
        let place = tempfile::tempdir().expect("a temporary directory");
        let mut server = Self::start(place.path(), options);
        server._place = Some(place);
        server
    }

    /// A server whose store is in this directory.
    pub(crate) fn start(place: &Path, options: Options<'_>) -> Self {
        let mut child = command(place, options).spawn().expect("lcd serve starts");
        let log = Arc::new(Mutex::new(String::new()));
        let reader = collect(child.stderr.take().expect("it is a pipe"), Arc::clone(&log));
        let stdout = child.stdout.take().expect("it is a pipe");
        let Some(address) = listening(stdout) else {
            let _ = child.kill();
            let _ = child.wait();
            reader.join().expect("it collects");
            panic!("the server has not begun:\n{}", log.lock().expect("nobody panicked"));
        };
        let client = Client::new(&address);
        Self { child, client, log, reader: Some(reader), _place: None }
    }

    /// Its process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// What it has written to standard error.
    pub(crate) fn log(&self) -> String {
        self.log.lock().expect("nobody panicked").clone()
    }

    /// Whether it runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Kills it, as a power failure would.
    pub(crate) fn kill(mut self) -> String {
        self.end()
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        signal("TERM", self.process());
    }

    /// Waits for its end, and returns its log as well.
    pub(crate) fn wait(mut self) -> (ExitStatus, String) {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it is a child") {
                break status;
            }
            assert!(start.elapsed() < PATIENCE, "it does not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        };
        (status, self.end())
    }

    /// Asks it to end and sees that it does so in order.
    pub(crate) fn stop(self) -> String {
        self.terminate();
        let (status, log) = self.wait();
        assert!(status.success(), "{status}:\n{log}");
        log
    }

    fn end(&mut self) -> String {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            reader.join().expect("it collects");
        }
        self.log()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let log = self.end();
        if std::thread::panicking() {
            let start = log.len().saturating_sub(4000);
            eprintln!("…{}", log.get(start..).unwrap_or_default());
        } else {
            assert!(!has_panicked(&log), "{log}");
        }
    }
}

/// The command that starts a server whose store is in `place`.
pub(crate) fn command(place: &Path, options: Options<'_>) -> Command {
    let config = place.join("lcd.toml");
    std::fs::write(&config, format!("[limits]\n{}\n", options.limits)).expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_lcd"));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("LCD_")) {
            command.env_remove(name);
        }
    }
    command
        .args(["serve", "--format", "json", "--color", "never", "--data"])
        .arg(data(place))
        .arg("--config")
        .arg(config)
        .args(options.arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if !options.arguments.contains(&"--listen") {
        command.args(["--listen", "127.0.0.1:0"]);
    }
    command
}

/// Where the server of `place` keeps things.
pub(crate) fn data(place: &Path) -> PathBuf {
    place.join("data")
}

/// Sends a signal by its name.
pub(crate) fn signal(name: &str, process: u32) {
    let kill = Command::new("sh").arg("-c").arg(format!("kill -{name} {process}")).status();
    assert!(kill.expect("a shell").success(), "no signal {name} to {process}");
}

/// The address in the first object on a server's standard output. Nothing if it ends before that.
fn listening(stdout: impl Read) -> Option<String> {
    let mut objects =
        serde_json::Deserializer::from_reader(BufReader::new(stdout)).into_iter::<Value>();
    let first = objects.next()?.ok()?;
    Some(first["listening"].as_str().expect("where it listens").to_owned())
}

fn collect(stderr: impl Read + Send + 'static, log: Arc<Mutex<String>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
            let mut log = log.lock().expect("nobody panicked");
            log.push_str(&String::from_utf8_lossy(&line));
            log.push('\n');
        }
    })
}

/// Whether a server's log tells of a panic.
pub(crate) fn has_panicked(log: &str) -> bool {
    ["panicked at", "a handler panicked"].iter().any(|text| log.contains(text))
}

/// Asks until there is an answer.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
