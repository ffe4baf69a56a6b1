//! Modules: what somebody uploaded to be loaded into domains.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Results;
use crate::error::{Result, ResultsError};
use crate::index::modules;
use crate::page::Page;
use crate::record::{ModuleAdded, Record, json};

/// An uploaded module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Module {
    /// Its number in the order of uploads: what [`Page::before`] means in a list of modules.
    pub sequence: u64,
    /// The SHA-256 of its bytes, as 64 hexadecimal digits.
    pub id: String,
    /// The name it was uploaded with.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was uploaded, in milliseconds since the Unix epoch.
    pub uploaded_at: i64,
    /// Whatever the caller knows about it.
    pub about: Value,
}

impl Results {
    /// Keeps a module. If the same bytes are there already, whatever their name, the module that
    /// is there is the answer, with `false`.
    ///
    /// # Errors
    ///
    /// [`ResultsError::Full`] and failures of the file system.
    pub fn add_module(&self, name: &str, bytes: &[u8], about: Value) -> Result<(Module, bool)> {
        let pin = self.blobs.put(bytes)?;
        let added =
            ModuleAdded { name: name.to_owned(), blob: pin.blob().clone(), about: json(&about)? };
        self.change_with(vec![pin], move |draft| {
            let id = added.blob.hash.clone();
            if let Some(module) = modules::get(draft.index, &id)? {
                return Ok((module, false));
            }
            draft.record(Record::ModuleAdded(added))?;
            let module = modules::get(draft.index, &id)?;
            Ok((module.ok_or_else(|| ResultsError::not_found("module", id))?, true))
        })
    }

    /// The module with this id.
    ///
    /// # Errors
    ///
    /// [`ResultsError::Damaged`] if the index is.
    pub fn module(&self, id: &str) -> Result<Option<Module>> {
        self.read("reading a module", |index| modules::get(index, id))
    }

    /// The newest module with this name.
    ///
    /// # Errors
    ///
    /// [`ResultsError::Damaged`] if the index is.
    pub fn module_named(&self, name: &str) -> Result<Option<Module>> {
        self.read("reading a module", |index| modules::named(index, name))
    }

    /// Modules, newest first. Their numbers are [`Module::sequence`].
    ///
    /// # Errors
    ///
    /// [`ResultsError::Damaged`] if the index is.
    pub fn modules(&self, page: Page) -> Result<Vec<Module>> {
        self.read("listing modules", |index| modules::list(index, page))
    }

    /// A module's bytes.
    ///
    /// # Errors
    ///
    /// [`ResultsError::Damaged`] if they are not those that were uploaded.
    pub fn module_bytes(&self, id: &str) -> Result<Option<Vec<u8>>> {
        let Some(module) = self.module(id)? else { return Ok(None) };
        let bytes = self.blobs.bytes(&module.id, module.size);
        // It may have been deleted meanwhile, and then nothing is damaged.
        if bytes.is_err() && self.module(id)?.is_none() {
            return Ok(None);
        }
        bytes.map(Some)
    }

    /// Forgets a module. Bundles that contain it keep their own copy.
    ///
    /// # Errors
    ///
    /// [`ResultsError::NotFound`] if there is no such module.
    pub fn delete_module(&self, id: &str) -> Result<()> {
        let id = id.to_owned();
        self.delete(move |draft| {
            if modules::sequence(draft.index, &id)?.is_none() {
                return Err(ResultsError::not_found("module", id).into());
            }
            draft.record(Record::ModuleDeleted { id }).map(drop)
        })
    }
}
