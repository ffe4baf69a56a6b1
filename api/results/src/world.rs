//! Worlds: what somebody uploaded to be run.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Results;
use crate::error::{Result, ResultsError};
use crate::page::Page;

/// A world to keep.
#[derive(Debug, Clone, PartialEq)]
pub struct NewWorld<'a> {
    /// The digest of its bundle, as the caller computes it: 32 hexadecimal digits, in lower case.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whatever the caller knows about it.
    pub about: Value,
    /// The world file it came from, if there is one.
    pub source: Option<String>,
    /// How many domains it declares.
    pub domains: u32,
    /// The bundle, encoded.
    pub bundle: &'a [u8],
}

/// An uploaded world.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct World {
    /// Its number in the order of uploads: what [`Page::before`] means in a list of worlds.
    pub sequence: u64,
    /// The digest of its bundle.
    pub id: String,
    /// Its name.
    pub name: String,
    /// How many domains it declares.
    pub domains: u32,
    /// The size of its bundle in bytes.
    pub size: u64,
    /// When it was uploaded, in milliseconds since the Unix epoch.
    pub uploaded_at: i64,
    /// Whatever the caller knows about it.
    pub about: Value,
    /// The world file it came from, if there is one.
    pub source: Option<String>,
}

impl Results {
    /// Keeps a world. If there is one with the same id, that one is the answer, with `false`.
    ///
    /// # Errors
    ///
    /// [`ResultsError::Invalid`] if the id is not 32 hexadecimal digits, [`ResultsError::Full`],
    /// and failures of the file system.
    pub fn add_world(&self, world: NewWorld<'_>) -> Result<(World, bool)> {
        let _ = world;
        Err(self.unwritten())
    }

    /// The world with this id.
    ///
    /// # Errors
    ///
    /// [`ResultsError::Damaged`] if the index is.
    pub fn world(&self, id: &str) -> Result<Option<World>> {
        let _ = id;
        Err(self.unwritten())
    }

    /// The newest world with this name.
    ///
    /// # Errors
    ///
    /// [`ResultsError::Damaged`] if the index is.
    pub fn world_named(&self, name: &str) -> Result<Option<World>> {
        let _ = name;
        Err(self.unwritten())
    }

    /// Worlds, newest first. Their numbers are [`World::sequence`].
    ///
    /// # Errors
    ///
    /// [`ResultsError::Damaged`] if the index is.
    pub fn worlds(&self, page: Page) -> Result<Vec<World>> {
        let _ = page;
        Err(self.unwritten())
    }

    /// A world's bundle, as it was given.
    ///
    /// # Errors
    ///
    /// [`ResultsError::Damaged`] if it is not the one that was given.
    pub fn world_bundle(&self, id: &str) -> Result<Option<Vec<u8>>> {
        let _ = id;
        Err(self.unwritten())
    }

    /// Forgets a world. Its runs stay.
    ///
    /// # Errors
    ///
    /// [`ResultsError::NotFound`] if there is no such world, [`ResultsError::InUse`] while a run
    /// of it is queued or running.
    pub fn delete_world(&self, id: &str) -> Result<()> {
        let _ = id;
        Err(self.unwritten())
    }
}
