//! What can go wrong: what, where, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::run::RunState;

/// Why the store did not do what it was asked for.
///
/// After any of these the store is as it was before the call, unless the variant says more.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ResultsError {
    /// Another process, or another `Results` of this one, has the directory.
    #[error("{} is in use by another process{}; stop it, or choose another directory",
        path.display(), holder.map(|pid| format!(" ({pid})")).unwrap_or_default())]
    Locked {
        /// The directory.
        path: PathBuf,
        /// The process that has it, if it said so.
        holder: Option<u32>,
    },
    /// The directory was written by a version of lcd with another format.
    #[error("{} has format {found}, and this version of lcd knows {known}; open it with the lcd \
        that wrote it, or choose another directory", path.display())]
    Version {
        /// The journal.
        path: PathBuf,
        /// The format in its first line.
        found: u64,
        /// The format that this version reads and writes.
        known: u64,
    },
    /// A file does not hold what was written to it.
    #[error("{} is damaged: {what}; {remedy}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
        /// What to do.
        remedy: &'static str,
    },
    /// There is no space left. Nothing was written; when there is space again, the same call
    /// works.
    #[error("no space is left for {}; delete runs or make room, and try again", path.display())]
    Full {
        /// The file that could not grow.
        path: PathBuf,
    },
    /// The operating system refused something.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// The index refused something that is neither damage nor lack of space.
    #[error(
        "the index failed while {doing}: {source}; if it happens again, stop lcd and delete \
        results.sqlite, which is rebuilt from the journal"
    )]
    Index {
        /// What was being done.
        doing: &'static str,
        /// What SQLite said.
        source: Arc<rusqlite::Error>,
    },
    /// There is no such thing.
    #[error("there is no {what} {id}")]
    NotFound {
        /// What kind of thing.
        what: &'static str,
        /// Which one.
        id: String,
    },
    /// It is needed by something that goes on.
    #[error("{what} {id} is in use: {why}; wait until that has ended, or cancel it")]
    InUse {
        /// What kind of thing.
        what: &'static str,
        /// Which one.
        id: String,
        /// By what.
        why: String,
    },
    /// A run is not in a state in which this can happen.
    #[error("run {run} is {state} and cannot become {wanted}")]
    State {
        /// The run.
        run: u64,
        /// What it is.
        state: RunState,
        /// What it was to become.
        wanted: RunState,
    },
    /// An argument is not what it must be.
    #[error("{value:?} is not {what}: {why}")]
    Invalid {
        /// What it should have been.
        what: &'static str,
        /// What it was.
        value: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// An earlier failure left the journal in a state that only opening the store again can put
    /// right. What was acknowledged is safe and can be read.
    #[error("{} takes no more changes: {why}; restart lcd", path.display())]
    Stopped {
        /// The journal.
        path: PathBuf,
        /// What happened.
        why: String,
    },
}

/// The answer of anything here.
pub(crate) type Result<T> = std::result::Result<T, ResultsError>;

impl ResultsError {
    /// What the system said about `path`.
    pub(crate) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        if is_full(&source) {
            return Self::Full { path: path.to_owned() };
        }
        Self::Io { doing, path: path.to_owned(), source: Arc::new(source) }
    }

    /// There is no `what` with this id.
    pub(crate) fn not_found(what: &'static str, id: impl ToString) -> Self {
        Self::NotFound { what, id: id.to_string() }
    }

    /// `value` is not `what`.
    pub(crate) fn invalid(what: &'static str, value: &str, why: &'static str) -> Self {
        // Enough to recognise it, whatever somebody sent.
        Self::Invalid { what, value: value.chars().take(80).collect(), why }
    }
}

/// Whether an error means that there is no space, or no more for this user.
fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
