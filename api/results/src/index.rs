//! The index: everything that is asked for, in SQLite, made from the journal's lines.
//!
//! It holds the number of the last line it has applied, changed in the same transaction. One
//! connection writes; a few others read, each by one thread at a time, and see what is
//! committed.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::directory::Directory;
use crate::error::{Result, ResultsError};
use crate::recovery::Rebuilt;

pub(crate) mod apply;
pub(crate) mod blobs;
pub(crate) mod campaigns;
pub(crate) mod divergences;
pub(crate) mod modules;
pub(crate) mod numbers;
pub(crate) mod rows;
pub(crate) mod runs;
mod schema;
pub(crate) mod statistics;
pub(crate) mod worlds;

use numbers::Numbers;

/// The index's name in the directory.
pub(crate) const NAME: &str = "results.sqlite";
/// Files that SQLite keeps beside it.
const WAL: &str = "results.sqlite-wal";
const SHM: &str = "results.sqlite-shm";
/// There if damage was noticed that a quick check might miss.
const MARKER: &str = "results.sqlite.damaged";
/// Readers at the same time; more wait for one of these.
const READERS: usize = 4;
/// Statements that each connection keeps prepared.
const STATEMENTS: usize = 128;

/// What goes wrong between the store and its index.
#[derive(Debug)]
pub(crate) enum Failure {
    /// SQLite failed, or a row is not what was written.
    Index(rusqlite::Error),
    /// Something else.
    Results(ResultsError),
    /// A line is about something that is not there.
    Missing(String),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Index(error)
    }
}

impl From<ResultsError> for Failure {
    fn from(error: ResultsError) -> Self {
        Self::Results(error)
    }
}

/// Where the index is, and what its failures mean.
#[derive(Debug)]
pub(crate) struct Place {
    store: Arc<Directory>,
}

impl Place {
    pub(crate) fn new(store: Arc<Directory>) -> Self {
        Self { store }
    }

    /// Its file, for messages.
    pub(crate) fn path(&self) -> PathBuf {
        self.store.path_of(NAME)
    }

    /// A failure as the caller gets it. Damage is noted, so that the next opening makes the
    /// index anew.
    pub(crate) fn failed(&self, doing: &'static str, failure: Failure) -> ResultsError {
        match failure {
            Failure::Results(error) => error,
            Failure::Missing(what) => ResultsError::NotFound { what: "thing:", id: what },
            Failure::Index(error) if is_damage(&error) => {
                // If this does not work the quick check may still find it.
                let _ = self.store.write(MARKER, "results.sqlite.new", &[]);
                ResultsError::Damaged {
                    path: self.path(),
                    what: error.to_string(),
                    remedy: "restart lcd, which makes it anew from the journal",
                }
            }
            Failure::Index(error) => match error.sqlite_error_code() {
                Some(ErrorCode::DiskFull) => ResultsError::Full { path: self.path() },
                // SQLite names only some of the places at which space can run out.
                Some(ErrorCode::SystemIoFailure) if self.store.is_full() => {
                    ResultsError::Full { path: self.path() }
                }
                _ => ResultsError::Index { doing, source: error.into() },
            },
        }
    }

    /// A connection, set up.
    fn connect(&self, flags: OpenFlags) -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(self.path(), flags)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        // Nobody else writes, but somebody may look at the file with a tool.
        connection.busy_timeout(Duration::from_secs(10))?;
        connection.pragma_update(None, "temp_store", "memory")?;
        connection.pragma_update(None, "cache_size", -8192)?;
        Ok(connection)
    }

    /// The connection that writes, to an index that is made if it is not there.
    fn writer(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = self.connect(flags)?;
        connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
        // The write-ahead log reaches the disk before the file itself changes; so a crash loses
        // at most the last changes, which are in the journal.
        connection.pragma_update(None, "synchronous", "normal")?;
        Ok(connection)
    }

    /// Opens the index that is there, or says why it cannot be used.
    fn existing(&self) -> std::result::Result<Opened, String> {
        let said = |error: rusqlite::Error| error.to_string();
        let connection = self.writer().map_err(said)?;
        let mut rebuilt = None;
        // A crash may come between the file and its tables.
        if schema::is_blank(&connection).map_err(said)? {
            schema::create(&connection).map_err(said)?;
            rebuilt = Some(Rebuilt { why: "it was empty".into(), set_aside: None });
        }
        schema::check(&connection)?;
        let numbers = Numbers::read(&connection).map_err(said)?;
        Ok(Opened { connection, numbers, rebuilt })
    }

    /// Opens the index, or makes an empty one if there is none or it cannot be used.
    pub(crate) fn open(&self) -> Result<Opened> {
        let there = self.store.size(NAME)?.is_some();
        let why = if !there {
            "it was not there".to_owned()
        } else if self.store.size(MARKER)?.is_some() {
            "damage was noticed when it was used last".to_owned()
        } else {
            match self.existing() {
                Ok(opened) => return Ok(opened),
                Err(why) => why,
            }
        };
        self.renew(why)
    }

    /// Puts the index that is there out of the way, if there is one, and makes an empty one.
    pub(crate) fn renew(&self, why: String) -> Result<Opened> {
        let mut set_aside = None;
        if self.store.size(NAME)?.is_some() {
            let name = format!("{NAME}.damaged-{}", crate::now());
            self.store.rename(NAME, &self.store, &name)?;
            if self.store.size(WAL)?.is_some() {
                self.store.rename(WAL, &self.store, &format!("{name}-wal"))?;
            }
            set_aside = Some(self.store.path_of(&name));
        }
        for name in [WAL, SHM, MARKER] {
            self.store.remove(name)?;
        }
        let connection = self
            .writer()
            .and_then(|connection| schema::create(&connection).map(|()| connection))
            .map_err(|error| self.failed("making it", error.into()))?;
        Ok(Opened {
            connection,
            numbers: Numbers::default(),
            rebuilt: Some(Rebuilt { why, set_aside }),
        })
    }

    /// Opens the connections that read. The one that writes must be open already.
    pub(crate) fn readers(&self) -> Result<Readers> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connections = (0..READERS)
            .map(|_| self.connect(flags).map(Mutex::new))
            .collect::<rusqlite::Result<_>>()
            .map_err(|error| self.failed("opening it", error.into()))?;
        Ok(Readers { connections, next: AtomicUsize::new(0) })
    }

    /// How many bytes it has.
    pub(crate) fn size(&self) -> Result<u64> {
        Ok(self.store.size(NAME)?.unwrap_or(0) + self.store.size(WAL)?.unwrap_or(0))
    }
}

/// An index that is open to be written.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) connection: Connection,
    pub(crate) numbers: Numbers,
    pub(crate) rebuilt: Option<Rebuilt>,
}

/// The connections that read.
#[derive(Debug)]
pub(crate) struct Readers {
    connections: Vec<Mutex<Connection>>,
    /// Where to look for a free one first.
    next: AtomicUsize,
}

impl Readers {
    /// Reads what is committed at one moment.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let connection = self.free();
        let moment = connection.unchecked_transaction()?;
        let answer = read(&moment)?;
        moment.finish()?;
        Ok(answer)
    }

    fn free(&self) -> MutexGuard<'_, Connection> {
        let count = self.connections.len();
        let start = self.next.fetch_add(1, Ordering::Relaxed) % count;
        let free = (0..count).find_map(|offset| {
            match self.connections[(start + offset) % count].try_lock() {
                Ok(connection) => Some(connection),
                Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => None,
            }
        });
        free.unwrap_or_else(|| {
            self.connections[start].lock().unwrap_or_else(PoisonError::into_inner)
        })
    }
}

/// Whether an error means that the file does not hold what was written to it.
fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::Error;
    match error {
        Error::SqliteFailure(failure, _) => {
            matches!(failure.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
                || failure.extended_code == rusqlite::ffi::SQLITE_IOERR_SHORT_READ
        }
        Error::FromSqlConversionFailure(..)
        | Error::IntegralValueOutOfRange(..)
        | Error::InvalidColumnType(..)
        | Error::Utf8Error(..)
        | Error::QueryReturnedNoRows => true,
        _ => false,
    }
}
