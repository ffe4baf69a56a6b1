//! From what a person names (a world file, a module, a bundled world) to a bundle: everything
//! that a run depends on, in memory.
//!
//! liblcd is linked first into every module, then the modules it depends on.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use bundled_worlds::{BundledWorld, WORLDS};
use shared_model::bundle::{Bundle, BundleError, assemble as parts};
use shared_model::event::Digest;
use shared_model::loader::LoadError;
use shared_model::world::{World, WorldError};
use thiserror::Error;

use crate::store::{Resolved, Store, StoreError};

pub use parts::LIBLCD;

/// What was named cannot be put together.
#[derive(Debug, Error)]
pub enum AssembleError {
    /// The world file is wrong.
    #[error("{}: {error}", path.display())]
    World {
        /// The file.
        path: PathBuf,
        /// Where and what.
        error: WorldError,
    },
    /// A file with a bundle is none, or is damaged.
    #[error("{}: {error}", path.display())]
    Bundle {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: BundleError,
    },
    /// The file cannot be read.
    #[error("{}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The host's answer.
        error: std::io::Error,
    },
    /// A module cannot be found or read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A module is damaged.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Something that is needed is not there, or needs itself.
    #[error(transparent)]
    Parts(#[from] parts::AssembleError),
    /// A bundled world could not be built completely.
    #[error("the bundled world {name} is not available: {reason}")]
    Unavailable {
        /// The world.
        name: String,
        /// What was missing when this program was built.
        reason: String,
    },
    /// Nothing is called that.
    #[error(
        "`{0}` is neither a file, nor a bundled world, nor a module in the module path\n\
         (bundled worlds: `lcd diff --list`; a module path: `--modules DIR`)"
    )]
    Unknown(String),
}

/// The module path.
#[derive(Default)]
pub struct Modules {
    given: Option<Store>,
    default: OnceLock<Store>,
}

impl Modules {
    /// The modules of a directory.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be opened.
    pub fn at(directory: &Path) -> Result<Self, AssembleError> {
        Ok(Self { given: Some(Store::open(directory)?), default: OnceLock::new() })
    }

    /// The store: the given directory's, or the running kernel's, opened when first needed.
    ///
    /// # Errors
    /// [`StoreError`] if the running kernel's modules cannot be opened.
    pub fn store(&self) -> Result<&Store, StoreError> {
        if let Some(store) = self.given.as_ref().or_else(|| self.default.get()) {
            return Ok(store);
        }
        let store = Store::open_default()?;
        Ok(self.default.get_or_init(|| store))
    }
}

/// Puts together whatever a person named: a world file (`.toml`), a bundle (`.lcdb`), a module's
/// file, a bundled world, or a module in the module path.
///
/// # Errors
/// See [`AssembleError`].
pub fn anything(name: &str, modules: &Modules) -> Result<Bundle, AssembleError> {
    let path = Path::new(name);
    if path.extension().is_some_and(|extension| extension == "toml") {
        return world_file(path, modules);
    }
    if path.extension().is_some_and(|extension| extension == BUNDLE) {
        return bundle_file(path);
    }
    if is_path(name) {
        return module(name, modules);
    }
    match WORLDS.iter().find(|world| world.name == name) {
        Some(world) => bundled(world),
        None => module(name, modules),
    }
}

/// What the names of files with bundles end with.
const BUNDLE: &str = "lcdb";

/// The bundle in a file.
///
/// # Errors
/// [`AssembleError::Read`] and [`AssembleError::Bundle`].
pub fn bundle_file(path: &Path) -> Result<Bundle, AssembleError> {
    let bytes = fs::read(path).map_err(|error| AssembleError::Read { path: path.into(), error })?;
    Bundle::decode(&bytes).map_err(|error| AssembleError::Bundle { path: path.into(), error })
}

/// The bundled world that a log with these inputs is of, if there is one.
pub fn with_inputs(inputs: Digest) -> Option<Bundle> {
    // One that cannot be built here is none.
    let bundles = WORLDS.iter().filter_map(|world| bundled(world).ok());
    bundles.into_iter().find(|bundle| bundle.digest() == inputs)
}

/// A world with one domain that runs a module: a file, or a name in the module path.
///
/// # Errors
/// See [`AssembleError`].
pub fn module(name: &str, modules: &Modules) -> Result<Bundle, AssembleError> {
    let resolved = if is_path(name) {
        let (store, inside) = Store::containing(Path::new(name))?;
        store.resolve(inside)?
    } else {
        match modules.store().and_then(|store| store.resolve(name)) {
            Ok(resolved) => resolved,
            Err(StoreError::NotFound { .. } | StoreError::NoStore { .. })
                if modules.given.is_none() =>
            {
                return Err(AssembleError::Unknown(name.into()));
            }
            Err(error) => return Err(error.into()),
        }
    };
    Ok(parts::alone(liblcd::OBJECT, &parts_of(resolved)))
}

/// The world of a world file, with the modules beside it or in the module path.
///
/// # Errors
/// See [`AssembleError`].
pub fn world_file(path: &Path, modules: &Modules) -> Result<Bundle, AssembleError> {
    let read = |error| AssembleError::Read { path: path.into(), error };
    let source = fs::read_to_string(path).map_err(read)?;
    let world =
        World::parse(&source).map_err(|error| AssembleError::World { path: path.into(), error })?;
    let directory = match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    };
    let beside = Store::open(directory)?;
    let files: Vec<_> =
        world.files().map(|(key, file)| (key.to_owned(), file.to_owned())).collect();
    let mut bundle = Bundle::new(world);
    for (key, file) in files {
        let resolved = match beside.resolve(&file) {
            // A bare name may also mean a module of the module path.
            Err(error @ StoreError::NotFound { .. }) if !file.contains('/') => {
                modules.store().and_then(|store| store.resolve(&file)).map_err(|_| error)?
            }
            other => other?,
        };
        parts::add(&mut bundle, &key, liblcd::OBJECT, &as_written(&file, resolved));
    }
    Ok(bundle)
}

/// A world that comes with this program.
///
/// # Errors
/// [`AssembleError::Unavailable`] if a part of it could not be built.
pub fn bundled(world: &BundledWorld) -> Result<Bundle, AssembleError> {
    if let Some(reason) = world.unavailable {
        let name = world.name.into();
        return Err(AssembleError::Unavailable { name, reason: reason.into() });
    }
    let path = PathBuf::from(format!("{}/world.toml", world.name));
    let parsed = World::parse(world.toml).map_err(|error| AssembleError::World { path, error })?;
    world_of(parsed, &mut |file| {
        let found = world.files.iter().find(|(name, _)| *name == file);
        Ok(found.map(|(_, bytes)| bytes.to_vec()))
    })
}

/// A world whose modules, and those that they depend on, come from wherever `find` takes them: it
/// is given a file's name.
///
/// # Errors
/// [`AssembleError::Parts`] for what `find` does not find, and what it says itself.
pub fn world_of(world: World, find: &mut Find<'_>) -> Result<Bundle, AssembleError> {
    parts::world_of(world, liblcd::OBJECT, find)
}

/// Finds a file by its name.
pub type Find<'a> = parts::Find<'a, AssembleError>;

/// Whether a name means a file rather than something to look up.
fn is_path(name: &str) -> bool {
    name.contains('/') || Path::new(name).is_file()
}

/// The modules of a file that a world names, called as [`world_of`] calls them: the same world has the
/// same inputs wherever it is put together.
fn as_written(file: &str, resolved: Resolved) -> Vec<(String, Vec<u8>)> {
    let mut parts = parts_of(resolved);
    if let Some(((main, _), needed)) = parts.split_last_mut() {
        *main = file.into();
        needed.iter_mut().for_each(|(name, _)| name.push_str(".ko"));
    }
    parts
}

/// Modules in link order, without liblcd.
fn parts_of(resolved: Resolved) -> Vec<(String, Vec<u8>)> {
    let Resolved { module, dependencies } = resolved;
    let all = dependencies.into_iter().chain([module]);
    all.map(|found| (found.name, found.bytes)).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Modules, bundled, world_file};

    #[test]
    fn a_world_has_the_same_inputs_wherever_it_is_put_together() {
        for name in ["revoke", "freestanding", "exports"] {
            let world = bundled_worlds::WORLDS.iter().find(|world| world.name == name).unwrap();
            let directory = tempfile::tempdir().unwrap();
            let file = directory.path().join("world.toml");
            fs::write(&file, world.toml).unwrap();
            for (file, bytes) in world.files {
                fs::write(directory.path().join(file), bytes).unwrap();
            }
            let found = world_file(&file, &Modules::default()).unwrap();
            assert_eq!(found.digest(), bundled(world).unwrap().digest(), "{name}");
        }
    }
}
