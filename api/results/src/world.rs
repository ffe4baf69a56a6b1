//! Worlds: what somebody uploaded to be run.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Results;
use crate::error::{Result, ResultsError};
use crate::hex;
use crate::index::worlds;
use crate::page::Page;
use crate::record::{Record, WorldAdded, json};

/// Digits of an id.
const ID_DIGITS: usize = 32;

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
        if !hex::is(&world.id, ID_DIGITS) {
            let why = "it is 32 hexadecimal digits in lower case";
            return Err(ResultsError::invalid("a world's id", &world.id, why));
        }
        let about = json(&world.about)?;
        let pin = self.blobs.put(world.bundle)?;
        let added = WorldAdded {
            id: world.id,
            name: world.name,
            domains: world.domains,
            blob: pin.blob().clone(),
            about,
            source: world.source,
        };
        self.change_with(vec![pin], move |draft| {
            let id = added.id.clone();
            if let Some(world) = worlds::get(draft.index, &id)? {
                return Ok((world, false));
            }
            draft.record(Record::WorldAdded(added))?;
            let world = worlds::get(draft.index, &id)?;
            Ok((world.ok_or_else(|| ResultsError::not_found("world", id))?, true))
        })
    }

    /// The world with this id.
    ///
    /// # Errors
    ///
    /// [`ResultsError::Damaged`] if the index is.
    pub fn world(&self, id: &str) -> Result<Option<World>> {
        self.read("reading a world", |index| worlds::get(index, id))
    }

    /// The newest world with this name.
    ///
    /// # Errors
    ///
    /// [`ResultsError::Damaged`] if the index is.
    pub fn world_named(&self, name: &str) -> Result<Option<World>> {
        self.read("reading a world", |index| worlds::named(index, name))
    }

    /// Worlds, newest first. Their numbers are [`World::sequence`].
    ///
    /// # Errors
    ///
    /// [`ResultsError::Damaged`] if the index is.
    pub fn worlds(&self, page: Page) -> Result<Vec<World>> {
        self.read("listing worlds", |index| worlds::list(index, page))
    }

    /// A world's bundle, as it was given.
    ///
    /// # Errors
    ///
    /// [`ResultsError::Damaged`] if it is not the one that was given.
    pub fn world_bundle(&self, id: &str) -> Result<Option<Vec<u8>>> {
        let find = || self.read("reading a world", |index| worlds::bundle(index, id));
        let Some((hash, size)) = find()? else { return Ok(None) };
        let bytes = self.blobs.bytes(&hash, size);
        // It may have been deleted meanwhile, and then nothing is damaged.
        if bytes.is_err() && find()?.is_none() {
            return Ok(None);
        }
        bytes.map(Some)
    }

    /// Forgets a world. Its runs stay.
    ///
    /// # Errors
    ///
    /// [`ResultsError::NotFound`] if there is no such world, [`ResultsError::InUse`] while a run
    /// of it is queued or running.
    pub fn delete_world(&self, id: &str) -> Result<()> {
        let id = id.to_owned();
        self.delete(move |draft| {
            if worlds::sequence(draft.index, &id)?.is_none() {
                return Err(ResultsError::not_found("world", id).into());
            }
            if let Some(run) = worlds::user(draft.index, &id)? {
                let why = format!("run {run} of it is queued or running");
                return Err(ResultsError::InUse { what: "world", id, why }.into());
            }
            draft.record(Record::WorldDeleted { id }).map(drop)
        })
    }
}
