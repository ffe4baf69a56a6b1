//! What many runs look like together: divergences that are the same, numbers, and a world's
//! history.

use serde::{Deserialize, Serialize};

use crate::Results;
use crate::campaign::Counts;
use crate::error::Result;
use crate::index::{divergences, runs, statistics};
use crate::page::Page;
use crate::run::RunSummary;
use crate::signature::Signature;

/// Runs whose divergence looks the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Divergence {
    /// The signature's id ([`Signature::id`]): 16 hexadecimal digits.
    pub id: String,
    /// What it looks like.
    pub signature: Signature,
    /// How many runs have it.
    pub count: u64,
    /// When the first of these runs was over, in milliseconds since the Unix epoch.
    pub first_seen: i64,
    /// When the last of them was over.
    pub last_seen: i64,
    /// The names of their worlds, in alphabetical order; at most [`Self::WORLDS_MAX`].
    pub worlds: Vec<String>,
    /// How many worlds there are.
    pub world_count: u64,
    /// The newest of these runs: what [`Page::before`] means in a list of divergences.
    pub newest_run: u64,
}

impl Divergence {
    /// How many names of worlds a divergence lists.
    pub const WORLDS_MAX: usize = 100;
}

/// The store in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistics {
    /// How many modules there are.
    pub modules: u64,
    /// How many worlds.
    pub worlds: u64,
    /// How many campaigns.
    pub campaigns: u64,
    /// How many runs, by state and outcome.
    pub runs: Counts,
    /// How many different divergences.
    pub divergences: u64,
    /// What all that takes on the disk.
    pub disk: DiskUse,
}

/// Bytes on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskUse {
    /// Modules, bundles and sealed logs, compressed.
    pub blobs: u64,
    /// The journal.
    pub journal: u64,
    /// The index.
    pub index: u64,
}

/// A finished run in the history of its world.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// The run.
    pub run: u64,
    /// When it was over, in milliseconds since the Unix epoch.
    pub at: i64,
    /// One word for its result.
    pub outcome: Option<String>,
    /// The `class` of the machine it ran on (see [`Results::start_run`]).
    pub host_class: Option<String>,
    /// What it took on each backend, in the order of their names.
    pub backends: Vec<BackendTime>,
}

/// What a run took on one backend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BackendTime {
    /// The backend.
    pub backend: String,
    /// How long it took.
    pub seconds: f64,
    /// How many instructions were executed, where the backend counts them.
    pub instructions: Option<u64>,
}

impl Results {
    /// Divergences, those with the newest runs first. Their numbers are
    /// [`Divergence::newest_run`].
    ///
    /// # Errors
    ///
    /// [`ResultsError::Damaged`](crate::ResultsError::Damaged) if the index is.
    pub fn divergences(&self, page: Page) -> Result<Vec<Divergence>> {
        self.read("listing divergences", |index| divergences::list(index, page))
    }

    /// The divergence whose signature has this id.
    ///
    /// # Errors
    ///
    /// [`ResultsError::Damaged`](crate::ResultsError::Damaged) if the index is.
    pub fn divergence(&self, id: &str) -> Result<Option<Divergence>> {
        self.read("reading a divergence", |index| divergences::get(index, id))
    }

    /// The store in numbers.
    ///
    /// # Errors
    ///
    /// [`ResultsError::Damaged`](crate::ResultsError::Damaged) if the index is.
    pub fn statistics(&self) -> Result<Statistics> {
        let (totals, runs) = self.read("counting", |index| {
            Ok((statistics::totals(index)?, statistics::all_runs(index)?))
        })?;
        Ok(Statistics {
            modules: totals.modules,
            worlds: totals.worlds,
            campaigns: totals.campaigns,
            runs,
            divergences: totals.divergences,
            disk: DiskUse {
                blobs: totals.blob_bytes,
                journal: self.committer.journal_bytes(),
                index: self.place.size()?,
            },
        })
    }

    /// The last `limit` finished runs of the worlds with this name, the oldest first.
    ///
    /// # Errors
    ///
    /// [`ResultsError::Damaged`](crate::ResultsError::Damaged) if the index is.
    pub fn history(&self, world: &str, limit: usize) -> Result<Vec<HistoryEntry>> {
        self.read("reading a history", |index| runs::history(index, world, limit))
    }

    /// Where each world stands: its newest comparison that came to an end. Newest first; their
    /// numbers are the runs'.
    ///
    /// # Errors
    ///
    /// [`ResultsError::Damaged`](crate::ResultsError::Damaged) if the index is.
    pub fn verdicts(&self, page: Page) -> Result<Vec<RunSummary>> {
        self.read("listing verdicts", |index| runs::verdicts(index, page))
    }

    /// How many bytes the blobs and the journal have: what grows with what is stored.
    ///
    /// # Errors
    ///
    /// [`ResultsError::Damaged`](crate::ResultsError::Damaged) if the index is.
    pub fn bytes_on_disk(&self) -> Result<u64> {
        let blobs = self.read("counting bytes", statistics::blob_bytes)?;
        Ok(blobs + self.committer.journal_bytes())
    }

    /// Whether things can be read and changed: nothing is damaged as far as is known.
    ///
    /// # Errors
    ///
    /// What is wrong.
    pub fn check(&self) -> Result<()> {
        self.change(|_| Ok(())).map(drop)
    }
}
