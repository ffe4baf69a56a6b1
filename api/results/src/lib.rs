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
//! | `lock` | held by the one process that has the store open |
//!
//! A call that changes something returns when the change is on the disk and in the index. Calls
//! at the same time share the waiting. Everything here blocks; [`Results`] can be shared by
//! threads, and readers wait neither for each other nor for writers.

use std::path::{Path, PathBuf};

mod campaign;
mod error;
mod hex;
mod log;
mod module;
mod page;
mod recovery;
mod run;
mod signature;
mod spool;
mod view;
mod world;

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
    path: PathBuf,
}

impl Results {
    /// Opens the store in this directory, which is made if it is not there, and puts right what
    /// a crash left behind.
    ///
    /// # Errors
    ///
    /// [`ResultsError::Locked`] if it is open already, [`ResultsError::Version`] if another
    /// version of lcd wrote it, [`ResultsError::Damaged`] if nothing of the journal can be read,
    /// [`ResultsError::Full`], and failures of the file system.
    pub fn open(path: &Path) -> Result<(Self, Recovery), ResultsError> {
        Ok((Self { path: path.to_owned() }, Recovery::default()))
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn unwritten(&self) -> ResultsError {
        ResultsError::Stopped { path: self.path.clone(), why: "not written yet".into() }
    }
}
