//! A world together with the bytes of every module it names: all that a run depends on.
//!
//! Encoded: `lcdb`, the version and the length of the directory (little-endian, 4 bytes each),
//! the directory as JSON, and then the files' bytes one after the other.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::event::Digest;
use crate::loader::Module;
use crate::world::World;

pub mod assemble;

const MAGIC: &[u8; 4] = b"lcdb";
const VERSION: u32 = 2;

/// A file of a bundle.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct File {
    /// The module's name, for reports.
    pub name: String,
    /// The ELF file, decompressed.
    pub bytes: Vec<u8>,
}

/// A world and its modules.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bundle {
    /// The world.
    pub world: World,
    /// The files, each once.
    pub files: Vec<File>,
    /// For each module that the world can name, the files to link, in link order.
    pub modules: BTreeMap<String, Vec<usize>>,
}

/// The part of the encoding that is JSON.
#[derive(Serialize, Deserialize)]
struct Directory {
    world: World,
    files: Vec<(String, usize)>,
    modules: BTreeMap<String, Vec<usize>>,
}

/// The bytes are not a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not a bundle of version {VERSION}: {0}")]
pub struct BundleError(String);

impl Bundle {
    /// A world whose modules are still to be added.
    pub fn new(world: World) -> Self {
        Self { world, files: Vec::new(), modules: BTreeMap::new() }
    }

    /// Adds a file, or finds it if it is there already, and returns its number.
    pub fn add_file(&mut self, name: &str, bytes: &[u8]) -> usize {
        let same = |file: &File| file.name == name && file.bytes == bytes;
        self.files.iter().position(same).unwrap_or_else(|| {
            self.files.push(File { name: name.into(), bytes: bytes.into() });
            self.files.len() - 1
        })
    }

    /// What to link for the module that the world calls `name`.
    pub fn module(&self, name: &str) -> Option<Vec<Module<'_>>> {
        let files = self.modules.get(name)?;
        let file = |&i: &usize| Module { name: &self.files[i].name, bytes: &self.files[i].bytes };
        Some(files.iter().map(file).collect())
    }

    /// Digest of everything here.
    pub fn digest(&self) -> Digest {
        Digest::of([self.encode().as_slice()])
    }

    /// The bundle as bytes. The same bundle always gives the same bytes.
    pub fn encode(&self) -> Vec<u8> {
        let directory = Directory {
            world: self.world.clone(),
            files: self.files.iter().map(|file| (file.name.clone(), file.bytes.len())).collect(),
            modules: self.modules.clone(),
        };
        let json = serde_json::to_vec(&directory).expect("a directory is plain data");
        let length = u32::try_from(json.len()).expect("a world is shorter than 4 GiB");
        let mut out = Vec::from(*MAGIC);
        out.extend(VERSION.to_le_bytes());
        out.extend(length.to_le_bytes());
        out.extend(json);
        self.files.iter().for_each(|file| out.extend(&file.bytes));
        out
    }

    /// Reads what [`Bundle::encode`] wrote.
    ///
    /// # Errors
    /// [`BundleError`] if anything is missing, left over, or refers to what is not there.
    pub fn decode(bytes: &[u8]) -> Result<Self, BundleError> {
        let fail = |what: &str| BundleError(what.into());
        let (magic, rest) = bytes.split_first_chunk::<4>().ok_or_else(|| fail("too short"))?;
        let (version, rest) = rest.split_first_chunk::<4>().ok_or_else(|| fail("too short"))?;
        let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(|| fail("too short"))?;
        if magic != MAGIC || u32::from_le_bytes(*version) != VERSION {
            return Err(fail("another magic or version"));
        }
        let length = u32::from_le_bytes(*length) as usize;
        let (json, mut rest) = rest.split_at_checked(length).ok_or_else(|| fail("too short"))?;
        let directory: Directory =
            serde_json::from_slice(json).map_err(|error| BundleError(format!("{error}")))?;
        let mut files = Vec::new();
        for (name, length) in directory.files {
            let (bytes, after) =
                rest.split_at_checked(length).ok_or_else(|| fail("a file is cut off"))?;
            files.push(File { name, bytes: bytes.into() });
            rest = after;
        }
        // A world's own file was checked; these bytes are from anywhere.
        directory.world.validate().map_err(BundleError)?;
        let in_range = directory.modules.values().flatten().all(|&file| file < files.len());
        match (rest.is_empty(), in_range) {
            (true, true) => Ok(Self { world: directory.world, files, modules: directory.modules }),
            (false, _) => Err(fail("bytes are left over")),
            (_, false) => Err(fail("a module names a file that is not there")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Bundle;
    use crate::rights::Rights;
    use crate::world::{CapPlan, DomainPlan, World};
    use alloc::vec::Vec;
    use proptest::prelude::{any, proptest};

    fn bundle() -> Bundle {
        let mut bundle = Bundle::new(World::single(DomainPlan::new("main", "a.ko")));
        let lib = bundle.add_file("liblcd", b"library");
        let a = bundle.add_file("a.ko", b"module");
        assert_eq!(bundle.add_file("liblcd", b"library"), lib);
        bundle.modules.insert("a.ko".into(), alloc::vec![lib, a]);
        bundle
    }

    #[test]
    fn a_bundle_round_trips_and_every_truncation_is_refused() {
        let bytes = bundle().encode();
        assert_eq!(Bundle::decode(&bytes).unwrap(), bundle());
        assert_eq!(bundle().module("a.ko").unwrap()[1].bytes, b"module");
        for length in 0..bytes.len() {
            assert!(Bundle::decode(&bytes[..length]).is_err(), "cut at {length}");
        }
        let mut longer = bytes;
        longer.push(0);
        assert!(Bundle::decode(&longer).is_err());
    }

    #[test]
    fn a_directory_that_leaves_out_what_has_a_default_is_read() {
        let world = r#"{"name":"w","domain":[{"name":"main","module":"a.ko"}]}"#;
        let json = alloc::format!(r#"{{"world":{world},"files":[],"modules":{{}}}}"#);
        let mut bytes = Vec::from(*super::MAGIC);
        bytes.extend(super::VERSION.to_le_bytes());
        bytes.extend((json.len() as u32).to_le_bytes());
        bytes.extend(json.bytes());
        let read = Bundle::decode(&bytes).unwrap().world;
        let same = World::single(DomainPlan::new("main", "a.ko"));
        assert_eq!(read, World { name: "w".into(), ..same });
        // Another version means another shape, which is not guessed at.
        bytes[4] = 1;
        assert!(Bundle::decode(&bytes).is_err());
    }

    #[test]
    fn a_world_that_no_file_could_declare_is_refused() {
        let refused = |change: fn(&mut World)| {
            let mut bundle = bundle();
            change(&mut bundle.world);
            alloc::format!("{}", Bundle::decode(&bundle.encode()).unwrap_err())
        };
        assert!(
            refused(|world| world.domains[0].call = Some(Vec::new())).contains("domain[0].call")
        );
        assert!(refused(|world| world.domains.push(world.domains[0].clone())).contains("already"));
        let nobody = refused(|world| {
            world.domains[0].caps.push(CapPlan::new("nobody", Rights::READ));
        });
        assert!(nobody.contains("domain[0].caps[0].object: nothing is named `nobody`"), "{nobody}");
        let mut bundle = bundle();
        // A machine for domains that are created later has none in its world.
        bundle.world.domains.clear();
        assert_eq!(Bundle::decode(&bundle.encode()), Ok(bundle));
    }

    proptest! {
        #[test]
        fn mutated_bundles_never_panic(at in any::<usize>(), byte in any::<u8>(), cut in any::<usize>()) {
            let mut bytes = bundle().encode();
            let length = bytes.len();
            bytes[at % length] = byte;
            let _ = Bundle::decode(&bytes);
            let _ = Bundle::decode(&bytes[cut % length..]);
        }
    }
}
