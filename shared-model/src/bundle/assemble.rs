//! From a world and the files that it names to a bundle, wherever the files come from.
//!
//! liblcd is linked first into every module, then the modules it depends on. The same world and the
//! same files always make the same bundle, and so the same digest in a log.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use thiserror::Error;

use super::Bundle;
use crate::loader::{Module, modinfo};
use crate::world::{DomainPlan, World};

/// The name under which liblcd appears in reports.
pub const LIBLCD: &str = "liblcd";

/// Modules that may depend on one another in a row.
const DEPTH_MAX: usize = 64;

/// What the file names of modules end with, compressed or not.
pub const EXTENSIONS: [&str; 4] = [".ko", ".ko.xz", ".ko.zst", ".ko.gz"];

/// Files cannot be put together.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AssembleError {
    /// A world or a module names a module that is not there.
    #[error("{by} needs {needs}, which is not there")]
    Missing {
        /// The world, or the module.
        by: String,
        /// What it names.
        needs: String,
    },
    /// Modules depend on one another in a circle, or in a very long row.
    #[error("{by} needs {needs}, after more than {DEPTH_MAX} others in a row: is it a circle?")]
    Circular {
        /// The module.
        by: String,
        /// What it names.
        needs: String,
    },
}

/// Finds a file by its name.
pub type Find<'a, E> = dyn FnMut(&str) -> Result<Option<Vec<u8>>, E> + 'a;

/// A world whose modules, and those that they depend on, come from wherever `find` takes them: it
/// is given a file's name. `library` is liblcd.
///
/// # Errors
/// [`AssembleError`] for what `find` does not find, and what it says itself.
pub fn world_of<E: From<AssembleError>>(
    world: World,
    library: &[u8],
    find: &mut Find<'_, E>,
) -> Result<Bundle, E> {
    let files: Vec<_> =
        world.files().map(|(key, file)| (key.to_owned(), file.to_owned())).collect();
    let by = format!("the world {}", world.name);
    let mut bundle = Bundle::new(world);
    for (key, file) in files {
        let parts = with_dependencies(&by, &file, find)?;
        add(&mut bundle, &key, library, &parts);
    }
    Ok(bundle)
}

/// A world with one domain that runs a module, the file called `file`; what it depends on comes from
/// `find` as well. In reports the modules have their names, not those of their files.
///
/// # Errors
/// As [`world_of`].
pub fn module_of<E: From<AssembleError>>(
    file: &str,
    library: &[u8],
    find: &mut Find<'_, E>,
) -> Result<Bundle, E> {
    let mut parts = with_dependencies("the page", file, find)?;
    for (name, _) in &mut parts {
        *name = module_name(name);
    }
    Ok(alone(library, &parts))
}

/// A world with one domain that runs the last of these modules, which are in link order.
pub fn alone(library: &[u8], parts: &[(String, Vec<u8>)]) -> Bundle {
    let key = parts.last().map_or("", |(name, _)| name);
    let mut bundle = Bundle::new(World::single(DomainPlan::new(key, key)));
    add(&mut bundle, key, library, parts);
    bundle
}

/// Adds the modules, which are in link order, to a bundle as what `key` means in its world.
pub fn add(bundle: &mut Bundle, key: &str, library: &[u8], parts: &[(String, Vec<u8>)]) {
    let mut numbers = alloc::vec![bundle.add_file(LIBLCD, library)];
    numbers.extend(parts.iter().map(|(name, bytes)| bundle.add_file(name, bytes)));
    bundle.modules.insert(key.into(), numbers);
}

/// The name of a module from its file's: without what it ends with, and with `-` as `_`.
pub fn module_name(file: &str) -> String {
    let file = file.rsplit('/').next().unwrap_or(file);
    let stem = EXTENSIONS.iter().find_map(|extension| file.strip_suffix(extension));
    stem.filter(|stem| !stem.is_empty()).unwrap_or(file).replace('-', "_")
}

fn with_dependencies<E: From<AssembleError>>(
    by: &str,
    file: &str,
    find: &mut Find<'_, E>,
) -> Result<Vec<(String, Vec<u8>)>, E> {
    let mut parts = Vec::new();
    take(find, by, file, &mut parts, 0)?;
    Ok(parts)
}

/// Adds a file after the ones it depends on.
fn take<E: From<AssembleError>>(
    find: &mut Find<'_, E>,
    by: &str,
    file: &str,
    parts: &mut Vec<(String, Vec<u8>)>,
    depth: usize,
) -> Result<(), E> {
    if parts.iter().any(|(name, _)| name == file) {
        return Ok(());
    }
    let (by, needs) = (|| by.to_owned(), || file.to_owned());
    if depth > DEPTH_MAX {
        return Err(AssembleError::Circular { by: by(), needs: needs() }.into());
    }
    let missing = || AssembleError::Missing { by: by(), needs: needs() };
    let bytes = find(file)?.ok_or_else(missing)?;
    let entries = modinfo::read(&Module { name: file, bytes: &bytes }).unwrap_or_default();
    for needed in modinfo::depends(&entries) {
        take(find, file, &format!("{needed}.ko"), parts, depth + 1)?;
    }
    parts.push((file.into(), bytes));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{AssembleError, LIBLCD, module_name, module_of, world_of};
    use crate::bundle::Bundle;
    use crate::loader::samples::Sample;
    use crate::world::{DomainPlan, World};
    use alloc::format;
    use alloc::string::String;
    use alloc::vec::Vec;
    use object::SectionKind;

    fn module(depends: &str) -> Vec<u8> {
        let mut sample = Sample::new();
        let text = format!("license=GPL\0depends={depends}\0");
        sample.section(".modinfo", SectionKind::ReadOnlyData, text.as_bytes());
        sample.bytes()
    }

    fn names(bundle: &Bundle, key: &str) -> Vec<String> {
        bundle.module(key).unwrap().iter().map(|module| module.name.into()).collect()
    }

    #[test]
    fn what_a_module_depends_on_is_linked_before_it() {
        let files = [("a.ko", "b_x,c"), ("b_x.ko", "c"), ("c.ko", "")];
        let find = |wanted: &str| {
            let found = files.iter().find(|(name, _)| *name == wanted);
            Ok::<_, AssembleError>(found.map(|(_, depends)| module(depends)))
        };
        let world = World::single(DomainPlan::new("main", "a.ko"));
        let bundle = world_of(world, b"library", &mut { find }).unwrap();
        assert_eq!(names(&bundle, "a.ko"), [LIBLCD, "c.ko", "b_x.ko", "a.ko"]);
        let bundle = module_of("a.ko", b"library", &mut { find }).unwrap();
        assert_eq!(names(&bundle, "a"), [LIBLCD, "c", "b_x", "a"]);
        assert_eq!(bundle.world.domains[0].module, "a");
    }

    #[test]
    fn what_is_missing_and_what_goes_round_is_said() {
        let error = |depends: &str| {
            let mut find = |name: &str| {
                Ok::<_, AssembleError>(name.ends_with("a.ko").then(|| module(depends)))
            };
            module_of("a.ko", b"library", &mut find).unwrap_err()
        };
        let missing = AssembleError::Missing { by: "a.ko".into(), needs: "b.ko".into() };
        assert_eq!(error("b"), missing);
        assert!(matches!(error("a"), AssembleError::Circular { .. }));
    }

    #[test]
    fn a_modules_name_is_its_files_without_what_it_ends_with() {
        for (file, name) in [
            ("crc-itu-t.ko.xz", "crc_itu_t"),
            ("lib/crc16.ko", "crc16"),
            ("a.o", "a.o"),
            (".ko", ".ko"),
            ("init", "init"),
        ] {
            assert_eq!(module_name(file), name);
        }
    }
}
