//! The results store: modules, worlds, runs and their logs, kept through crashes.
//!
//! A store is a directory:
//!
//! | | |
//! |---|---|
//! | `journal` | the truth: a line of JSON for every change, with a number and a checksum |
//! | `results.sqlite` | an index of it, to read from; made anew from the journal if need be |
//! | `blobs/` | modules, bundles and logs, named by the SHA-256 of their contents, compressed |
//! | `spool/` | logs of runs that go on |
//! | `reserve` | nothing; space to be able to delete something when the disk is full |
//! | `lock` | held by the one process that has the store open |
//!
//! A call that changes something returns when the change is on the disk and in the index. Calls
//! at the same time share the waiting. Everything here blocks; [`Results`] can be shared by
//! threads, and readers wait neither for each other nor for writers.

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::Connection;

mod blobs;
mod campaign;
mod committer;
mod directory;
mod error;
mod hex;
mod index;
mod journal;
mod lock;
mod log;
mod module;
mod page;
mod record;
mod recovery;
mod reserve;
mod run;
mod signature;
mod spool;
mod view;
mod world;

use blobs::{Blobs, Pin};
use committer::{Committer, Draft};
use directory::Directory;
use index::{Failure, Place, Readers};
use lock::Lock;
use reserve::Reserve;
use spool::Spools;

pub use campaign::{Campaign, Counts, NewCampaign};
pub use error::ResultsError;
pub use log::{LogFile, LogReader};
pub use module::Module;
pub use page::Page;
pub use recovery::{DamagedLine, Rebuilt, Recovery};
pub use run::{Finished, FinishedLog, NewRun, Run, RunFilter, RunKind, RunState, RunSummary};
pub use signature::Signature;
pub use spool::{SpoolReader, SpoolWriter};
pub use view::{BackendTime, DiskUse, Divergence, HistoryEntry, Statistics};
pub use world::{NewWorld, World};

/// A store that is open.
#[derive(Debug)]
pub struct Results {
    // Dropped in this order: of the index's connections the one that writes goes last, because
    // it can tidy up, and the lock goes after everything.
    readers: Readers,
    committer: Committer,
    place: Arc<Place>,
    blobs: Blobs,
    spools: Spools,
    reserve: Reserve,
    store: Arc<Directory>,
    _lock: Lock,
}

impl Results {
    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.store.path()
    }

    /// Reads what is committed at one moment.
    fn read<T>(
        &self,
        doing: &'static str,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, ResultsError> {
        self.readers.read(read).map_err(|error| self.place.failed(doing, error.into()))
    }

    /// Makes a change, and removes the blobs that nothing names after it.
    fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Draft<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, ResultsError> {
        self.change_with(Vec::new(), change)
    }

    /// Makes a change that frees space, if need be with the space that is kept for that.
    fn delete(
        &self,
        change: impl FnOnce(&mut Draft<'_>) -> Result<(), Failure> + Clone + Send + 'static,
    ) -> Result<(), ResultsError> {
        match self.change(change.clone()) {
            Err(ResultsError::Full { .. }) if self.reserve.release() => {
                let deleted = self.change(change);
                self.reserve.fill();
                deleted
            }
            answer => answer,
        }
    }

    /// Makes a change that names these blobs. They are removed if it does not.
    fn change_with<T: Send + 'static>(
        &self,
        pins: Vec<Pin<'_>>,
        change: impl FnOnce(&mut Draft<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, ResultsError> {
        let mut unnamed: Vec<String> = pins.iter().map(|pin| pin.blob().hash.clone()).collect();
        let changed = self.committer.change(change);
        drop(pins);
        let answer = changed.map(|changed| {
            unnamed.extend(changed.unnamed);
            changed.answer
        });
        // The change is made, or not, all the same if this fails; the next opening sweeps.
        let _ = self.remove_unnamed(&unnamed);
        answer
    }

    fn remove_unnamed(&self, blobs: &[String]) -> Result<u64, ResultsError> {
        self.blobs.remove_unnamed(blobs, |hash| {
            self.read("looking for a blob", |index| index::blobs::is_named(index, hash))
        })
    }
}

/// Milliseconds since the Unix epoch.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
