//! Which modules a store has, and what each depends on.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::path::{Component, Path, PathBuf};

use cap_std::fs::Dir;
use shared_model::bundle::assemble::EXTENSIONS;

use super::StoreError;

/// Directory levels that are searched.
pub(super) const DEPTH_MAX: usize = 16;
/// Directory entries that are looked at.
const FILES_MAX: usize = 100_000;

/// The modules of a store.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Index {
    /// The files of each module name. `-` is `_` in names.
    files: BTreeMap<String, Vec<PathBuf>>,
    /// From `modules.dep`: what each file needs, in the order to load it.
    dependencies: Option<BTreeMap<PathBuf, Vec<PathBuf>>>,
}

/// The module's name if the path is that of a module's file.
pub(super) fn module_name(path: &Path) -> Option<String> {
    let file = path.file_name()?.to_str()?;
    let stem = EXTENSIONS.iter().find_map(|extension| file.strip_suffix(extension))?;
    (!stem.is_empty()).then(|| stem.replace('-', "_"))
}

/// The module's name if the path says it without an extension.
pub(super) fn bare_name(path: &Path) -> Option<String> {
    Some(path.file_name()?.to_str()?.replace('-', "_"))
}

impl Index {
    /// Reads a `modules.dep`: lines of a path, a colon, and the paths of all that it needs,
    /// the last of which is to be loaded first (modules.dep(5)).
    pub(super) fn parse(bytes: &[u8], store: &Path) -> Result<Self, StoreError> {
        let mut index = Self::default();
        let mut all = BTreeMap::new();
        for (number, line) in bytes.split(|&b| b == b'\n').enumerate() {
            let bad = |why| StoreError::BadIndex {
                path: store.join("modules.dep"),
                line: number + 1,
                why,
            };
            let line = str::from_utf8(line).map_err(|_| bad("not text"))?.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (path, needs) = line.split_once(':').ok_or_else(|| bad("no colon"))?;
            let path = relative(path, store).ok_or_else(|| bad("a path out of the store"))?;
            let needs = needs
                .split_whitespace()
                .rev()
                .map(|need| relative(need, store).ok_or_else(|| bad("a path out of the store")))
                .collect::<Result<Vec<_>, _>>()?;
            index.add(path.clone());
            all.insert(path, needs);
        }
        index.dependencies = Some(all);
        Ok(index)
    }

    /// Looks for modules below a directory. Links to directories are not followed.
    pub(super) fn walk(dir: &Dir, path: &Path, depth: usize) -> Result<Self, StoreError> {
        let mut walk = Walk { index: Self::default(), store: path, depth, entries: 0 };
        walk.directory(dir, PathBuf::new(), 0)?;
        walk.index.files.values_mut().for_each(|paths| paths.sort());
        Ok(walk.index)
    }

    fn add(&mut self, path: PathBuf) {
        if let Some(name) = module_name(&path) {
            self.files.entry(name).or_default().push(path);
        }
    }

    /// The files of the module with this name, in which `-` is `_`.
    pub(super) fn find(&self, name: &str) -> &[PathBuf] {
        self.files.get(name).map_or(&[], Vec::as_slice)
    }

    /// What `modules.dep` says that a file needs, in the order to load it; nothing if it does
    /// not say.
    pub(super) fn dependencies(&self, path: &Path) -> Option<&[PathBuf]> {
        self.dependencies.as_ref()?.get(path).map(Vec::as_slice)
    }

    pub(super) fn is_from_depmod(&self) -> bool {
        self.dependencies.is_some()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }
}

/// A path of `modules.dep` in the store. Old versions of depmod wrote them from the root.
fn relative(path: &str, store: &Path) -> Option<PathBuf> {
    let path = Path::new(path.trim());
    let path = path.strip_prefix(store).unwrap_or(path);
    let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
    (inside && path.file_name().is_some()).then(|| path.to_owned())
}

/// The search through the directories of a store.
struct Walk<'s> {
    index: Index,
    store: &'s Path,
    /// Levels to go down.
    depth: usize,
    entries: usize,
}

impl Walk<'_> {
    fn directory(&mut self, dir: &Dir, prefix: PathBuf, level: usize) -> Result<(), StoreError> {
        let failed = |source| StoreError::Read { path: self.store.join(&prefix), source };
        for entry in dir.entries().map_err(failed)? {
            let failed = |source| StoreError::Read { path: self.store.join(&prefix), source };
            let entry = entry.map_err(failed)?;
            self.entries += 1;
            if self.entries > FILES_MAX {
                let path = self.store.to_owned();
                return Err(StoreError::TooManyFiles { path, limit: FILES_MAX });
            }
            let path = prefix.join(entry.file_name());
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() && level < self.depth && !is_hidden(&entry.file_name()) {
                match entry.open_dir() {
                    Ok(dir) => self.directory(&dir, path, level + 1)?,
                    // What may not be read has no modules for us.
                    Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                    Err(source) => {
                        return Err(StoreError::Read { path: self.store.join(path), source });
                    }
                }
            } else if kind.is_file() || kind.is_symlink() {
                self.index.add(path);
            }
        }
        Ok(())
    }
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}
