//! What a server can be told: by flags, by the environment, by a file, in this order of
//! precedence. Everything has a default that is safe on a machine shared with others.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::ToSchema;

/// The configuration of a server.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where it keeps what it was given and what came of it.
    pub data: PathBuf,
    /// The token that every request must carry, if there is one.
    pub token: Option<Token>,
    /// Further names that requests may call this server by, besides its address and, on loopback,
    /// `localhost`.
    pub allow_hosts: Vec<String>,
    /// The program that is started as `PROGRAM worker` for each run.
    pub worker_program: PathBuf,
    /// Where module names are looked up besides the uploaded ones.
    pub modules: Option<PathBuf>,
    /// After how long a shutdown stops waiting.
    pub shutdown: Duration,
    /// What callers can use up.
    pub limits: Limits,
}

/// What callers can use up. Served as part of `/api/v1/host`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Limits {
    /// Runs at the same time, each in a process of its own.
    pub workers: usize,
    /// Runs that can wait. Beyond it, 429.
    pub queue: usize,
    /// Bytes of an uploaded module, packed or not.
    pub module_bytes: usize,
    /// Bytes of an uploaded world: its file, or a bundle with all its modules.
    pub world_bytes: usize,
    /// Bytes of any other body.
    pub body_bytes: usize,
    /// Uploads at the same time. Beyond it, 429.
    pub uploads: usize,
    /// Requests at the same time, followed streams not counted. Beyond it, 429.
    pub requests: usize,
    /// Streams that are followed at the same time. Beyond it, 429.
    pub streams: usize,
    /// Connections at the same time. Further ones wait to be accepted.
    pub connections: usize,
    /// Milliseconds that a run may take on one backend.
    pub run_milliseconds: u64,
    /// Bytes of events that a run may write.
    pub run_log_bytes: u64,
    /// Bytes of memory that a run's process may have resident.
    pub run_memory_bytes: u64,
    /// Worlds of a campaign.
    pub campaign_runs: usize,
    /// Bytes that the store may have on disk. Beyond it, uploads and runs are refused with 507.
    pub store_bytes: u64,
    /// Milliseconds for a request's headers, and for each pause while its body comes.
    pub request_milliseconds: u64,
    /// Milliseconds for an answer, streams and downloads excepted.
    pub answer_milliseconds: u64,
    /// Milliseconds that a client may take to read what is sent before it is cut off.
    pub stall_milliseconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            workers: processors,
            queue: 1024,
            module_bytes: 32 << 20,
            world_bytes: 64 << 20,
            body_bytes: 256 << 10,
            uploads: 8,
            requests: 512,
            streams: 256,
            connections: 1024,
            run_milliseconds: 60_000,
            run_log_bytes: 256 << 20,
            run_memory_bytes: 1 << 30,
            campaign_runs: 1024,
            store_bytes: 16 << 30,
            request_milliseconds: 20_000,
            answer_milliseconds: 30_000,
            stall_milliseconds: 30_000,
        }
    }
}

/// A configuration file, in TOML. Every key is optional.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ConfigFile {
    /// Where it listens.
    pub listen: Option<SocketAddr>,
    /// Its directory.
    pub data: Option<PathBuf>,
    /// A file with the token.
    pub token_file: Option<PathBuf>,
    /// Further names of the server.
    pub allow_host: Vec<String>,
    /// Where module names are looked up.
    pub modules: Option<PathBuf>,
    /// Seconds that a shutdown waits.
    pub shutdown_seconds: Option<u64>,
    /// What callers can use up.
    pub limits: Limits,
}

/// Something about the configuration is wrong.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The host's answer.
        error: std::io::Error,
    },
    /// The configuration file is not one.
    #[error("{}: {error}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and what.
        error: Box<toml::de::Error>,
    },
    /// The token file's content is no token.
    #[error(
        "{}: a token has 16 to 512 visible ASCII characters on one line; make one with \
         `head -c 24 /dev/urandom | base64 > FILE`", path.display()
    )]
    Token {
        /// The file.
        path: PathBuf,
    },
    /// Others can read the token.
    #[error("{}: others can read this token: `chmod 600` it", path.display())]
    TokenReadable {
        /// The file.
        path: PathBuf,
    },
    /// The address can be reached from elsewhere.
    #[error(
        "{0} can be reached from other machines, so callers must show a token: give --token-file \
         FILE, or listen on 127.0.0.1"
    )]
    Exposed(SocketAddr),
    /// This program's own file cannot be found.
    #[error("cannot find this program's file, to start workers with: {0}")]
    Program(std::io::Error),
    /// A limit that nothing can work with.
    #[error("limit {0} must be at least 1")]
    Zero(String),
}

impl ConfigFile {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// [`ConfigError`] with the file, the place and what is wrong there.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::Read { path: path.into(), error })?;
        toml::from_str(&text)
            .map_err(|error| ConfigError::Parse { path: path.into(), error: Box::new(error) })
    }
}

impl Config {
    /// The address that a server listens on if nothing else is said.
    pub const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7171);

    /// Checks what must hold together.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.token.is_none() && !self.listen.ip().is_loopback() {
            return Err(ConfigError::Exposed(self.listen));
        }
        let limits = serde_json::to_value(self.limits).unwrap_or_default();
        let zero = limits.as_object().and_then(|limits| limits.iter().find(|(_, n)| **n == 0));
        match zero {
            Some((name, _)) => Err(ConfigError::Zero(name.clone())),
            None => Ok(()),
        }
    }
}

/// What callers must show. It is never printed.
#[derive(Clone)]
pub struct Token(Box<[u8]>);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// Reads a token file: one line. Nobody but its owner (and its group) may be able to read it.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let failed = |error| ConfigError::Read { path: path.into(), error };
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(path).map_err(failed)?.permissions().mode();
            if mode & 0o007 != 0 {
                return Err(ConfigError::TokenReadable { path: path.into() });
            }
        }
        let text = std::fs::read_to_string(path).map_err(failed)?;
        let token = text.trim();
        let fits = (16..=512).contains(&token.len()) && token.bytes().all(|b| b.is_ascii_graphic());
        match fits {
            true => Ok(Self(token.as_bytes().into())),
            false => Err(ConfigError::Token { path: path.into() }),
        }
    }

    /// The value of the `Authorization` header that shows it.
    pub fn authorization(&self) -> String {
        format!("Bearer {}", String::from_utf8_lossy(&self.0))
    }

    /// Whether `shown` is this token, in a time that does not depend on where they differ.
    pub fn matches(&self, shown: &[u8]) -> bool {
        use subtle::ConstantTimeEq as _;
        self.0.ct_eq(shown).into()
    }
}

#[cfg(test)]
mod tests {
    use super::{Config, ConfigError, ConfigFile, Limits, Token};
    use std::fs;
    use std::time::Duration;

    fn config(listen: &str) -> Config {
        Config {
            listen: listen.parse().unwrap(),
            data: "data".into(),
            token: None,
            allow_hosts: Vec::new(),
            worker_program: "lcd".into(),
            modules: None,
            shutdown: Duration::from_secs(1),
            limits: Limits::default(),
        }
    }

    #[test]
    fn only_loopback_needs_no_token() {
        for address in ["127.0.0.1:0", "[::1]:80", "127.1.2.3:1"] {
            config(address).check().unwrap();
        }
        for address in ["0.0.0.0:80", "[::]:80", "192.168.0.1:80"] {
            let error = config(address).check().unwrap_err();
            assert!(error.to_string().contains("--token-file"), "{error}");
        }
        let mut none = config("127.0.0.1:0");
        none.limits.workers = 0;
        assert!(matches!(none.check(), Err(ConfigError::Zero(name)) if name == "workers"));
        let mut none = config("127.0.0.1:0");
        none.limits.answer_milliseconds = 0;
        assert!(none.check().unwrap_err().to_string().contains("answer-milliseconds"));
    }

    #[test]
    fn a_token_file_holds_one_line_for_its_owner() {
        use std::os::unix::fs::PermissionsExt as _;
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("token");
        let write = |text: &str, mode| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            Token::read(&path)
        };
        let token = write("0123456789abcdef\n", 0o600).unwrap();
        assert!(token.matches(b"0123456789abcdef"));
        for other in ["", "0123456789abcde", "0123456789abcdeg", "0123456789abcdef0"] {
            assert!(!token.matches(other.as_bytes()), "{other}");
        }
        assert_eq!(format!("{token:?}"), "Token(…)");
        assert!(matches!(write("short", 0o600), Err(ConfigError::Token { .. })));
        assert!(matches!(
            write("two lines of 16\n0123456789abcdef", 0o600),
            Err(ConfigError::Token { .. })
        ));
        let readable = write("0123456789abcdef", 0o644).map(drop).unwrap_err();
        assert!(readable.to_string().contains("chmod 600"), "{readable}");
    }

    #[test]
    fn a_configuration_file_names_its_mistakes() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("lcd.toml");
        fs::write(&path, "listen = \"127.0.0.1:1\"\n[limits]\nworkers = 3\n").unwrap();
        let read = ConfigFile::read(&path).unwrap();
        assert_eq!((read.limits.workers, read.limits.queue), (3, Limits::default().queue));
        fs::write(&path, "[limits]\nworker = 3\n").unwrap();
        let error = ConfigFile::read(&path).unwrap_err().to_string();
        assert!(error.contains("lcd.toml") && error.contains("line 2"), "{error}");
    }
}
