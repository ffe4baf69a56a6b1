//! Modules: what somebody uploaded to be loaded into domains.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Results;
use crate::error::{Result, ResultsError};
use crate::page::Page;

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
        let _ = (name, bytes, about);
        Err(self.unwritten())
    }

    /// The module with this id.
    ///
    /// # Errors
    ///
    /// [`ResultsError::Damaged`] if the index is.
    pub fn module(&self, id: &str) -> Result<Option<Module>> {
        let _ = id;
        Err(self.unwritten())
    }

    /// The newest module with this name.
    ///
    /// # Errors
    ///
    /// [`ResultsError::Damaged`] if the index is.
    pub fn module_named(&self, name: &str) -> Result<Option<Module>> {
        let _ = name;
        Err(self.unwritten())
    }

    /// Modules, newest first. Their numbers are [`Module::sequence`].
    ///
    /// # Errors
    ///
    /// [`ResultsError::Damaged`] if the index is.
    pub fn modules(&self, page: Page) -> Result<Vec<Module>> {
        let _ = page;
        Err(self.unwritten())
    }

    /// A module's bytes.
    ///
    /// # Errors
    ///
    /// [`ResultsError::Damaged`] if they are not those that were uploaded.
    pub fn module_bytes(&self, id: &str) -> Result<Option<Vec<u8>>> {
        let _ = id;
        Err(self.unwritten())
    }

    /// Forgets a module. Bundles that contain it keep their own copy.
    ///
    /// # Errors
    ///
    /// [`ResultsError::NotFound`] if there is no such module.
    pub fn delete_module(&self, id: &str) -> Result<()> {
        let _ = id;
        Err(self.unwritten())
    }
}
