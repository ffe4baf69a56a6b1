//! The module store: a directory that modules are loaded from by name, as `request_module`
//! does it in Linux.
//!
//! The directory is opened once; everything else goes through that handle, so no name, link
//! or `..` leads out of it. A name is looked up in `modules.dep` if the store has one (as
//! `depmod` writes it), else among the files below the directory; what a module depends on
//! comes from the same place, or from its own `.modinfo`. Files may be compressed.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use shared_model::loader::{Module, modinfo};

mod decompress;
mod error;
mod index;

pub use decompress::{Format, unpack};
pub use error::StoreError;
use index::{Index, module_name};
pub use lcd_compression::MODULE_MAX;

/// Modules that one module may depend on, directly or not.
const DEPENDENCIES_MAX: usize = 256;
/// Directory levels to search upwards for the store that a file belongs to.
const LEVELS_UP: usize = 8;
/// Files that mark the top of a tree of modules: the first is written by `depmod`, the others
/// come with the kernel's package.
const MARKERS: [&str; 3] = ["modules.dep", "modules.order", "modules.builtin"];

/// A directory of modules.
#[derive(Debug)]
pub struct Store {
    /// Its path, for messages only.
    path: PathBuf,
    dir: Dir,
    /// Directory levels below it that are searched when it has no `modules.dep`.
    depth: usize,
    /// What is in it, read when it is first needed.
    index: OnceLock<Index>,
}

/// A module's file, unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The module's name: the file's, without extensions and with `-` as `_`.
    pub name: String,
    /// Where it is in the store.
    pub path: PathBuf,
    /// The ELF file.
    pub bytes: Vec<u8>,
}

/// A module with everything it depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The module itself.
    pub module: Found,
    /// What it depends on, directly or not, in the order to load them.
    pub dependencies: Vec<Found>,
}

impl Resolved {
    /// The modules as the loader takes them: dependencies first, the module itself last.
    pub fn modules(&self) -> impl Iterator<Item = Module<'_>> {
        self.dependencies
            .iter()
            .chain([&self.module])
            .map(|found| Module { name: &found.name, bytes: &found.bytes })
    }
}

/// Reads the module that `argument` names, as a user of a command does.
///
/// A file's path is that file, with the store around it (see [`Store::containing`]).
/// Anything else is a name in `store`, or in the running kernel's modules if none is given.
/// A path that starts with `/` or `.` is never a name; with a store given, neither is a word
/// without `/` ever a file.
///
/// # Errors
/// As [`Store::resolve`], and when there is neither such a file nor a store.
pub fn locate(argument: &str, store: Option<&Path>) -> Result<Resolved, StoreError> {
    let path = Path::new(argument);
    let is_path = argument.starts_with(['/', '.']);
    let may_be_file = store.is_none() || argument.contains('/');
    if is_path || may_be_file && path.is_file() {
        let (store, inside) = Store::containing(path)?;
        return store.resolve(inside);
    }
    let store = match store {
        Some(store) => Store::open(store)?,
        None => Store::open_default().map_err(|error| StoreError::Neither {
            argument: argument.to_owned(),
            error: Box::new(error),
        })?,
    };
    store.resolve(argument)
}

impl Store {
    /// Opens a directory as a store.
    ///
    /// # Errors
    /// When it is not a directory that can be read.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        Self::open_depth(path.into(), index::DEPTH_MAX)
    }

    /// Opens the running kernel's modules, `/lib/modules/$(uname -r)`.
    ///
    /// # Errors
    /// When there are none.
    pub fn open_default() -> Result<Self, StoreError> {
        let release = fs::read_to_string("/proc/sys/kernel/osrelease")
            .map_err(|source| StoreError::NoRelease { source })?;
        Self::open(Path::new("/lib/modules").join(release.trim()))
    }

    /// Opens the store that a file belongs to: the tree of modules around it, if one of the
    /// directories above is the top of one, else the file's own directory. Gives back the
    /// file's path in the store too.
    ///
    /// The path is the caller's own: unlike names in a store, it can lead anywhere.
    ///
    /// # Errors
    /// When there is no such file, or its directory cannot be read.
    pub fn containing(file: &Path) -> Result<(Self, PathBuf), StoreError> {
        let unreadable = |source| StoreError::Read { path: file.to_owned(), source };
        let real = file.canonicalize().map_err(unreadable)?;
        let Some(own) = real.parent().filter(|_| real.is_file()) else {
            return Err(StoreError::NotAFile { path: file.to_owned() });
        };
        let is_top = |dir: &&Path| MARKERS.iter().any(|marker| dir.join(marker).is_file());
        let top = own.ancestors().take(LEVELS_UP + 1).find(is_top);
        let depth = if top.is_some() { index::DEPTH_MAX } else { 0 };
        let root = top.unwrap_or(own);
        let inside = real.strip_prefix(root).unwrap_or(&real).to_owned();
        Ok((Self::open_depth(root.to_owned(), depth)?, inside))
    }

    fn open_depth(path: PathBuf, depth: usize) -> Result<Self, StoreError> {
        match Dir::open_ambient_dir(&path, ambient_authority()) {
            Ok(dir) => Ok(Self { path, dir, depth, index: OnceLock::new() }),
            Err(source) => Err(StoreError::NoStore { path, source }),
        }
    }

    /// The directory's path, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names of the modules in the store, sorted.
    ///
    /// # Errors
    /// When the directory cannot be read, or `modules.dep` makes no sense.
    pub fn names(&self) -> Result<impl Iterator<Item = &str>, StoreError> {
        Ok(self.index()?.names())
    }

    /// Reads a module and everything it depends on.
    ///
    /// `name` is a module's name (`crc16`), a file's (`crc16.ko`), or a path in the store
    /// (`kernel/lib/crc16.ko`); `-` and `_` are the same in names.
    ///
    /// # Errors
    /// When it or something it depends on is missing, ambiguous, outside of the store,
    /// damaged or too large, or when modules depend on each other in a circle. The error
    /// names the file and the remedy.
    pub fn resolve(&self, name: impl AsRef<Path>) -> Result<Resolved, StoreError> {
        let mut walk = Walk { store: self, chain: Vec::new(), done: Vec::new() };
        walk.visit(self.find(name.as_ref(), None)?)?;
        match walk.done.pop() {
            Some(module) => Ok(Resolved { module, dependencies: walk.done }),
            None => Err(self.not_found(&name.as_ref().to_string_lossy(), None)),
        }
    }

    /// The path in the store of what `name` stands for.
    fn find(&self, name: &Path, needed_by: Option<&str>) -> Result<PathBuf, StoreError> {
        let exists = match self.dir.metadata(name) {
            // The real path, because that is the one modules.dep knows.
            Ok(metadata) if metadata.is_file() => {
                return self.dir.canonicalize(name).map_err(|error| self.failed(name, error));
            }
            Ok(_) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(self.failed(name, error)),
        };
        let key = module_name(name).or_else(|| index::bare_name(name)).unwrap_or_default();
        let around = name.parent().unwrap_or(Path::new(""));
        let files = self.index()?.find(&key).iter();
        let matching: Vec<_> = files
            .filter(|path| path.parent().is_some_and(|parent| parent.ends_with(around)))
            .collect();
        match &*matching {
            [] if exists => Err(StoreError::NotAFile { path: self.path.join(name) }),
            [] => Err(self.not_found(&name.to_string_lossy(), needed_by)),
            [path] => Ok(path.to_path_buf()),
            several => {
                let paths: Vec<_> = several.iter().map(|path| path.display().to_string()).collect();
                Err(StoreError::Ambiguous {
                    name: name.display().to_string(),
                    store: self.path.clone(),
                    paths: paths.join(", "),
                })
            }
        }
    }

    fn failed(&self, path: &Path, source: io::Error) -> StoreError {
        if is_escape(&source) {
            let name = path.display().to_string();
            return StoreError::Outside { name, store: self.path.clone() };
        }
        StoreError::Read { path: self.path.join(path), source }
    }

    fn not_found(&self, name: &str, needed_by: Option<&str>) -> StoreError {
        let hint = if self.is_built_in(name) {
            "it is built into that kernel, so there is no file to load"
        } else if self.index.get().is_some_and(Index::is_from_depmod) {
            "if the file is there, run depmod to bring modules.dep up to date"
        } else {
            "check its spelling, or name another store"
        };
        let needed_by = needed_by.map_or_else(String::new, |by| format!(", which {by} needs,"));
        StoreError::NotFound { name: format!("{name}{needed_by}"), store: self.path.clone(), hint }
    }

    fn is_built_in(&self, name: &str) -> bool {
        let key = module_name(Path::new(name)).or_else(|| index::bare_name(Path::new(name)));
        let list = self.read(Path::new("modules.builtin")).unwrap_or_default();
        String::from_utf8_lossy(&list)
            .lines()
            .any(|line| key.is_some() && module_name(Path::new(line.trim())) == key)
    }

    fn index(&self) -> Result<&Index, StoreError> {
        if let Some(index) = self.depmod_index()? {
            return Ok(index);
        }
        let index = match self.index.get() {
            Some(index) => return Ok(index),
            None => Index::walk(&self.dir, &self.path, self.depth)?,
        };
        Ok(self.index.get_or_init(|| index))
    }

    /// The index that `modules.dep` is. Unlike a search, it costs little when there is none.
    fn depmod_index(&self) -> Result<Option<&Index>, StoreError> {
        if let Some(index) = self.index.get() {
            return Ok(Some(index).filter(|index| index.is_from_depmod()));
        }
        let index = match self.read(Path::new(MARKERS[0])) {
            Ok(bytes) => Index::parse(&bytes, &self.path)?,
            Err(StoreError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        Ok(Some(self.index.get_or_init(|| index)))
    }

    /// Reads a file of the store as it is.
    fn read(&self, path: &Path) -> Result<Vec<u8>, StoreError> {
        let failed = |source| self.failed(path, source);
        // A pipe would block as soon as it is opened.
        if !self.dir.metadata(path).map_err(failed)?.is_file() {
            return Err(StoreError::NotAFile { path: self.path.join(path) });
        }
        let file = self.dir.open(path).map_err(failed)?;
        let mut bytes = Vec::new();
        file.take(MODULE_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > MODULE_MAX {
            return Err(StoreError::TooLarge { path: self.path.join(path), limit: MODULE_MAX });
        }
        Ok(bytes)
    }

    fn read_module(&self, path: &Path) -> Result<Found, StoreError> {
        let packed = self.read(path)?;
        let bytes = unpack(packed, &self.path.join(path))?;
        let name = module_name(path).or_else(|| index::bare_name(path)).unwrap_or_default();
        Ok(Found { name, path: path.to_owned(), bytes })
    }
}

/// The order to load modules in: each after what it depends on.
struct Walk<'s> {
    store: &'s Store,
    /// The modules that are waiting for a dependency, each for the next.
    chain: Vec<Found>,
    done: Vec<Found>,
}

impl Walk<'_> {
    fn visit(&mut self, path: PathBuf) -> Result<(), StoreError> {
        if self.done.iter().any(|found| found.path == path) {
            return Ok(());
        }
        if let Some(start) = self.chain.iter().position(|found| found.path == path) {
            let names = self.chain[start..].iter().map(|found| &*found.name);
            let circle: Vec<_> = names.chain([&*self.chain[start].name]).collect();
            let path = self.store.path.join(&path);
            return Err(StoreError::Cycle { path, circle: circle.join(" -> ") });
        }
        if self.chain.len() + self.done.len() > DEPENDENCIES_MAX {
            let path = self.store.path.join(&path);
            return Err(StoreError::TooManyDependencies { path, limit: DEPENDENCIES_MAX });
        }
        let found = self.store.read_module(&path)?;
        let dependencies = self.dependencies(&found)?;
        self.chain.push(found);
        for dependency in dependencies {
            self.visit(dependency)?;
        }
        self.done.extend(self.chain.pop());
        Ok(())
    }

    /// The paths of what a module depends on, to be loaded in this order.
    fn dependencies(&self, found: &Found) -> Result<Vec<PathBuf>, StoreError> {
        let store = self.store;
        let module = Module { name: &found.name, bytes: &found.bytes };
        let entries = modinfo::read(&module).map_err(|error| StoreError::Module {
            path: store.path.join(&found.path),
            error: Box::new(error),
        })?;
        if let Some(index) = store.depmod_index()?
            && let Some(listed) = index.dependencies(&found.path)
        {
            return Ok(listed.to_vec());
        }
        modinfo::depends(&entries)
            .map(|name| store.find(Path::new(name), Some(&found.name)))
            .collect()
    }
}

/// Whether the directory handle refused a path because it leads out of the directory.
fn is_escape(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_none()
}

#[cfg(test)]
mod tests;
