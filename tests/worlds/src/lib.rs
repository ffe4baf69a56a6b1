//! The bundled worlds, as data.
//!
//! A world is a directory under `worlds/`: a world file and the sources of its modules,
//! which the build compiles once. Every backend runs these same bytes.
#![no_std]

/// A world with its modules.
#[derive(Clone, Copy, Debug)]
pub struct BundledWorld {
    /// The name of its directory.
    pub name: &'static str,
    /// The text of its world file.
    pub toml: &'static str,
    /// The files that the world file names, with their bytes.
    pub files: &'static [(&'static str, &'static [u8])],
    /// What the files were compiled from: names and texts. The files' tables of lines, if
    /// they have some, name these.
    pub sources: &'static [(&'static str, &'static str)],
    /// Why the files are incomplete, if they are: what was missing when this was built.
    pub unavailable: Option<&'static str>,
}

mod generated {
    use super::BundledWorld;
    include!(concat!(env!("OUT_DIR"), "/worlds.rs"));
}

/// All of them, sorted by name.
pub static WORLDS: &[BundledWorld] = generated::WORLDS;

/// What the sources of several worlds include, beside liblcd's headers.
pub static HEADERS: &[(&str, &str)] = generated::HEADERS;
