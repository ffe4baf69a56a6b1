//! What comes in, checked before it is stored; and what is named, found again.

use std::path::Path;

use bundled_worlds::{BundledWorld, WORLDS};
use lcd::assemble::{self, AssembleError, Modules};
use lcd::inspect::ModuleReport;
use lcd::model::bundle::{Bundle, assemble as parts};
use lcd::model::loader::{Module, inspect};
use lcd::model::world::{DomainPlan, World};
use lcd::store::{self, StoreError};
use lcd_results::{NewWorld, Results};
use serde_json::json;

use crate::problem::{Kind, Problem};

/// The media type of world files.
pub(crate) const TOML_TYPE: &str = "application/toml";
/// The media type of encoded bundles.
pub(crate) const BUNDLE_TYPE: &str = "application/vnd.lcd.bundle";

/// Characters of a module's name.
const NAME_MAX: usize = 128;

/// An uploaded world with its modules.
#[derive(Clone, Debug)]
pub(crate) struct Upload {
    /// It.
    pub bundle: Bundle,
    /// The file that it came as.
    pub source: Option<String>,
}

/// A world that somebody named.
#[derive(Clone, Debug)]
pub(crate) enum FoundWorld {
    /// One that comes with lcd.
    Bundled(&'static BundledWorld),
    /// One that somebody uploaded.
    Uploaded(Box<lcd_results::World>),
}

impl FoundWorld {
    /// Its name.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Bundled(world) => world.name,
            Self::Uploaded(world) => &world.name,
        }
    }

    /// The id of an uploaded one.
    pub(crate) fn id(&self) -> Option<&str> {
        match self {
            Self::Bundled(_) => None,
            Self::Uploaded(world) => Some(&world.id),
        }
    }

    /// It, with all its modules.
    ///
    /// # Errors
    /// [`Kind::CONFLICT`] for a bundled one that could not be built, and what the store says.
    pub(crate) fn bundle(&self, results: &Results) -> Result<Bundle, Problem> {
        match self {
            Self::Bundled(world) => assemble::bundled(world).map_err(refusal),
            Self::Uploaded(world) => {
                let bytes = results.world_bundle(&world.id)?;
                let bytes = bytes.ok_or_else(|| Problem::no_such("world", &world.id))?;
                Bundle::decode(&bytes).map_err(Problem::internal)
            }
        }
    }
}

/// Unpacks, checks and stores a module. Whether it is new.
///
/// # Errors
/// [`Kind::INVALID`] if it is no module, [`Kind::TOO_LARGE`] if it is too large when unpacked, and
/// what the store says.
pub(crate) fn add_module(
    results: &Results,
    name: &str,
    packed: &[u8],
    limit: usize,
) -> Result<(lcd_results::Module, bool), Problem> {
    let name = module_name(name)?;
    let bytes = store::unpack(packed.to_vec(), Path::new(name)).map_err(|error| match error {
        StoreError::TooLarge { .. } => Problem::new(Kind::TOO_LARGE, error.to_string()),
        other => Problem::invalid(other),
    })?;
    if bytes.len() > limit {
        let detail = format!("unpacked it has {} bytes of {limit} that it may have", bytes.len());
        return Err(Problem::new(Kind::TOO_LARGE, detail));
    }
    let inspection = inspect::inspect(&Module { name, bytes: &bytes }).map_err(Problem::invalid)?;
    Ok(results.add_module(name, &bytes, json!({ "kind": inspection.kind }))?)
}

/// A module's name as others name it: a file's, without the ending that says how it is packed.
fn module_name(given: &str) -> Result<&str, Problem> {
    let name = [".xz", ".zst", ".gz"].iter().find_map(|end| given.strip_suffix(end));
    let name = name.unwrap_or(given);
    let plain = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
    let fits = !name.is_empty() && name.len() <= NAME_MAX && name.chars().all(plain);
    if fits && !name.starts_with('.') {
        return Ok(name);
    }
    let detail = format!(
        "`{}` is no module's name: use 1 to {NAME_MAX} letters, digits, `.`, `_`, `+` and `-`, as in \
         crc16.ko",
        given.chars().take(NAME_MAX).collect::<String>().escape_debug()
    );
    Err(Problem::new(Kind::BAD_REQUEST, detail))
}

/// Reads a world file and finds its modules: among the uploaded ones, then in the module path.
///
/// # Errors
/// [`Kind::INVALID`], with line and column where the file is wrong.
pub(crate) fn assemble(
    results: &Results,
    modules: &Modules,
    source: &[u8],
) -> Result<Upload, Problem> {
    let text = std::str::from_utf8(source)
        .map_err(|error| Problem::invalid(format!("the world file is not UTF-8: {error}")))?;
    let world = World::parse(text).map_err(Problem::invalid)?;
    let bundle = find_modules(world, &mut |file| find_file(results, modules, file))?;
    Ok(Upload { bundle, source: Some(text.to_owned()) })
}

/// Finds a file by its name.
type Find<'a> = dyn FnMut(&str) -> Result<Option<Vec<u8>>, Problem> + 'a;

/// Puts a world and its modules together.
fn find_modules(world: World, find: &mut Find<'_>) -> Result<Bundle, Problem> {
    let mut failed = None;
    let bundle = assemble::world_of(world, &mut |file| {
        Ok(find(file).unwrap_or_else(|problem| {
            failed = Some(problem);
            None
        }))
    });
    // What the store says comes before what follows from it.
    match failed {
        Some(problem) => Err(problem),
        None => bundle.map_err(refusal),
    }
}

fn find_file(results: &Results, modules: &Modules, file: &str) -> Result<Option<Vec<u8>>, Problem> {
    if let Some(module) = results.module_named(file)? {
        return Ok(results.module_bytes(&module.id)?);
    }
    if is_id(file)
        && let Some(bytes) = results.module_bytes(file)?
    {
        return Ok(Some(bytes));
    }
    // A name, never a path: those lead into this machine.
    if file.contains('/') {
        return Ok(None);
    }
    match modules.store().and_then(|store| store.resolve(file)) {
        Ok(resolved) => Ok(Some(resolved.module.bytes)),
        Err(StoreError::NotFound { .. } | StoreError::NoStore { .. }) => Ok(None),
        Err(error) => Err(Problem::invalid(error)),
    }
}

/// Reads an encoded bundle.
///
/// # Errors
/// [`Kind::INVALID`].
pub(crate) fn decode(bytes: &[u8]) -> Result<Upload, Problem> {
    let bundle = Bundle::decode(bytes).map_err(Problem::invalid)?;
    if bundle.world.domains.is_empty() {
        return Err(Problem::invalid("the world has no domain"));
    }
    Ok(Upload { bundle, source: None })
}

/// Stores a world. Whether it is new.
///
/// # Errors
/// What the store says.
pub(crate) fn add_world(
    results: &Results,
    upload: &Upload,
) -> Result<(lcd_results::World, bool), Problem> {
    let bundle = &upload.bundle;
    let new = NewWorld {
        id: bundle.digest().to_string(),
        name: bundle.world.name.clone(),
        about: json!(bundle.world.about),
        source: upload.source.clone(),
        domains: bundle.world.domains.len() as u32,
        bundle: &bundle.encode(),
    };
    Ok(results.add_world(new)?)
}

/// The world with one domain that runs a module: an uploaded one, by id or name, or one of the
/// module path.
///
/// # Errors
/// [`Kind::NOT_FOUND`] if there is no such module, [`Kind::INVALID`] if one that it depends on is not
/// there.
pub(crate) fn world_of_module(
    results: &Results,
    modules: &Modules,
    id: &str,
) -> Result<Bundle, Problem> {
    let uploaded = match find_module(results, id) {
        Ok(module) => Some(module),
        Err(problem) if problem.kind() == Kind::NOT_FOUND && !is_id(id) => None,
        Err(problem) => return Err(problem),
    };
    let name = uploaded.as_ref().map_or(id, |module| module.name.as_str());
    let mut world = World::single(DomainPlan::new(name, name));
    world.name = name.into();
    world.validate().map_err(Problem::invalid)?;
    let mut there = true;
    let bundle = find_modules(world, &mut |file| match &uploaded {
        // By its id, so that another of the same name does not take its place.
        Some(module) if file == name => Ok(results.module_bytes(&module.id)?),
        _ => {
            let found = find_file(results, modules, file)?;
            there &= file != name || found.is_some();
            Ok(found)
        }
    });
    if there { bundle } else { Err(Problem::no_such("module", shown(id))) }
}

/// Looks into an uploaded module. What it imports is looked up as for a run, as far as it is there.
///
/// # Errors
/// [`Kind::INVALID`] if it cannot be read, and what the store says.
pub(crate) fn inspect(
    results: &Results,
    modules: &Modules,
    module: &lcd_results::Module,
) -> Result<ModuleReport, Problem> {
    let report = match world_of_module(results, modules, &module.id) {
        Ok(bundle) => ModuleReport::of(&bundle),
        // Without those that it depends on, it can still be looked into.
        Err(problem) if problem.kind() == Kind::INVALID => {
            let bytes = results.module_bytes(&module.id)?;
            let bytes = bytes.ok_or_else(|| Problem::no_such("module", &module.id))?;
            let own = Module { name: &module.name, bytes: &bytes };
            let library = Module { name: assemble::LIBLCD, bytes: liblcd::OBJECT };
            ModuleReport::of_parts(&module.name, &[library, own])
        }
        Err(problem) => return Err(problem),
    };
    report.map_err(Problem::invalid)
}

/// The module with this id, or the newest of this name.
///
/// # Errors
/// [`Kind::NOT_FOUND`], and what the store says.
pub(crate) fn find_module(results: &Results, id: &str) -> Result<lcd_results::Module, Problem> {
    let found = match results.module(id)? {
        Some(module) => Some(module),
        None => results.module_named(id)?,
    };
    found.ok_or_else(|| Problem::no_such("module", shown(id)))
}

/// The bundled world of this name, the uploaded one with this id, or the newest of this name.
///
/// # Errors
/// [`Kind::NOT_FOUND`], and what the store says.
pub(crate) fn find_world(results: &Results, id: &str) -> Result<FoundWorld, Problem> {
    if let Some(world) = WORLDS.iter().find(|world| world.name == id) {
        return Ok(FoundWorld::Bundled(world));
    }
    let found = match results.world(id)? {
        Some(world) => Some(world),
        None => results.world_named(id)?,
    };
    let found = found.ok_or_else(|| Problem::no_such("world", shown(id)))?;
    Ok(FoundWorld::Uploaded(Box::new(found)))
}

/// A name that somebody sent, short enough to be repeated.
fn shown(name: &str) -> String {
    name.chars().take(80).collect::<String>().escape_debug().to_string()
}

/// Why a world cannot be put together.
fn refusal(error: AssembleError) -> Problem {
    match error {
        AssembleError::Unavailable { .. } => Problem::new(Kind::CONFLICT, error.to_string()),
        AssembleError::Parts(parts::AssembleError::Missing { .. }) => Problem::invalid(error)
            .advise("Upload it first (POST /api/v1/modules), under the name that is used for it."),
        other => Problem::invalid(other),
    }
}

/// Whether a text is a module's id: a SHA-256 in hexadecimal.
fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
