//! Why a module could not be had from a store.

use std::io;
use std::path::PathBuf;

use shared_model::loader::LoadError;
use thiserror::Error;

/// A module could not be had from a store.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The running kernel's version is not known.
    #[error(
        "cannot tell the running kernel's version from /proc/sys/kernel/osrelease: {source}; \
         name a store"
    )]
    NoRelease {
        /// The system's answer.
        source: io::Error,
    },
    /// The store's directory cannot be opened.
    #[error(
        "cannot open the module store {}: {source}; name a directory of modules, \
         tests/fetch-modules.sh fetches one", path.display()
    )]
    NoStore {
        /// The directory.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// There is no such file, and no store to look for a module of this name in.
    #[error("there is no file {argument}, and no store with a module of that name: {error}")]
    Neither {
        /// What was to be loaded.
        argument: String,
        /// Why there is no store.
        error: Box<StoreError>,
    },
    /// There is no such module.
    #[error("no module {name} in {}; {hint}", store.display())]
    NotFound {
        /// The name, and what needs it.
        name: String,
        /// The store.
        store: PathBuf,
        /// What to do about it.
        hint: &'static str,
    },
    /// Several files have the module's name.
    #[error("module {name} is several files in {}: {paths}; name one by its path", store.display())]
    Ambiguous {
        /// The name.
        name: String,
        /// The store.
        store: PathBuf,
        /// Their paths.
        paths: String,
    },
    /// The name, or a link that it leads to, is outside of the store.
    #[error(
        "{name} leads out of the module store {}; put the file itself into the store, or pass \
         its path", store.display()
    )]
    Outside {
        /// The name.
        name: String,
        /// The store.
        store: PathBuf,
    },
    /// It is a directory, a pipe or a device.
    #[error("{} is not a regular file; name a module's file", path.display())]
    NotAFile {
        /// Its path.
        path: PathBuf,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {source}; check that it is there and readable", path.display())]
    Read {
        /// Its path.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A module's file is larger than any module should be.
    #[error(
        "{} has more than {limit} bytes; strip its debug information (strip -g)", path.display()
    )]
    TooLarge {
        /// Its path.
        path: PathBuf,
        /// Bytes that it may have.
        limit: u64,
    },
    /// A compressed file is damaged.
    #[error("{} cannot be unpacked from {format}: {why}; fetch or pack it again", path.display())]
    Unpack {
        /// Its path.
        path: PathBuf,
        /// What it is packed with.
        format: super::Format,
        /// What is wrong with it.
        why: String,
    },
    /// A line of `modules.dep` makes no sense.
    #[error("{}, line {line}: {why}; write it again with depmod", path.display())]
    BadIndex {
        /// The file.
        path: PathBuf,
        /// The line's number, from 1.
        line: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The directory holds too much to search it.
    #[error(
        "{} holds more than {limit} files; name a directory of modules, or run depmod there",
        path.display()
    )]
    TooManyFiles {
        /// The directory.
        path: PathBuf,
        /// Files that are looked at.
        limit: usize,
    },
    /// Modules depend on each other in a circle.
    #[error(
        "{} depends on itself: {circle}; correct modules.dep (run depmod) or the modules' \
         depends= entries", path.display()
    )]
    Cycle {
        /// The file that is needed for the second time.
        path: PathBuf,
        /// The names, each needing the next.
        circle: String,
    },
    /// A module depends on too many others.
    #[error("{} is more than the {limit} modules that one can depend on", path.display())]
    TooManyDependencies {
        /// The one that is too many.
        path: PathBuf,
        /// How many there may be.
        limit: usize,
    },
    /// The file is not a module.
    #[error("{}: {}", path.display(), error.problem)]
    Module {
        /// Its path.
        path: PathBuf,
        /// What is wrong with it.
        error: Box<LoadError>,
    },
}
