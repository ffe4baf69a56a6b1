//! World files and bundles.

use serde::Serialize;
use shared_model::bundle::Bundle;
use shared_model::bundle::assemble::{self, AssembleError, LIBLCD, module_name};
use shared_model::event::Digest;
use shared_model::world::{World, WorldError};

use crate::places::Complaint;
use crate::request::{Answer, File, FileName};

#[derive(Serialize, Default)]
struct Checked {
    complaints: Vec<Complaint>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<Vec<String>>,
}

#[derive(Serialize, Default)]
struct Bundled {
    complaints: Vec<Complaint>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<Digest>,
    missing: Vec<String>,
}

#[derive(Serialize)]
struct Unbundled {
    world: World,
    digest: Digest,
    files: Vec<FileName>,
}

/// A world file's complaints, or its names.
pub(crate) fn check(text: &str) -> Answer {
    Answer::of(&match World::parse(text) {
        Ok(world) => {
            let mut files: Vec<String> = world.files().map(|(_, file)| file.into()).collect();
            files.sort();
            files.dedup();
            Checked { complaints: Vec::new(), name: Some(world.name), files: Some(files) }
        }
        Err(error) => Checked { complaints: vec![complaint(text, error)], ..Checked::default() },
    })
}

/// A world and its files as a bundle.
pub(crate) fn bundle(text: &str, files: &[File<'_>]) -> Answer {
    let world = match World::parse(text) {
        Ok(world) => world,
        Err(error) => {
            let complaints = vec![complaint(text, error)];
            return Answer::of(&Bundled { complaints, ..Bundled::default() });
        }
    };
    gather(files, |library, find| assemble::world_of(world, library, find))
}

/// One module, alone, as a bundle. The first file is liblcd, the second the module.
pub(crate) fn bundle_module(name: &str, files: &[File<'_>]) -> Result<Answer, String> {
    let module = files.get(1).ok_or("a module's bundle is made of liblcd and the module")?;
    let named = File { name, bytes: module.bytes };
    let files: Vec<_> = [&files[..1], &[named], &files[2..]].concat();
    Ok(gather(&files, |library, find| assemble::module_of(name, library, find)))
}

/// Puts together what `make` asks for, from the given files, and tells of all that it lacks.
fn gather(
    files: &[File<'_>],
    make: impl FnOnce(&[u8], &mut assemble::Find<'_, AssembleError>) -> Result<Bundle, AssembleError>,
) -> Answer {
    let mut missing = Vec::new();
    let mut find = |wanted: &str| {
        let found = find(files, wanted);
        if found.is_none() && !missing.iter().any(|name| name == wanted) {
            missing.push(wanted.to_owned());
        }
        // An empty file in its place, so that everything else that is missing is found, too.
        Ok(Some(found.unwrap_or_default().to_vec()))
    };
    let library = find(LIBLCD);
    let made = library.and_then(|library| make(&library.unwrap_or_default(), &mut find));
    match made {
        Ok(bundle) if missing.is_empty() => {
            let bytes = bundle.encode();
            let digest = Some(Digest::of([&*bytes]));
            Answer::with(&Bundled { digest, ..Bundled::default() }, bytes)
        }
        Ok(_) => Answer::of(&Bundled { missing, ..Bundled::default() }),
        Err(error) => {
            let message = error.to_string();
            let complaints = vec![Complaint { line: 1, column: 1, length: 1, message }];
            Answer::of(&Bundled { complaints, missing, ..Bundled::default() })
        }
    }
}

/// A file by its name, or else the module of that name: `crc_itu_t.ko` is also in `crc-itu-t.ko.xz`.
fn find<'a>(files: &[File<'a>], wanted: &str) -> Option<&'a [u8]> {
    let exactly = files.iter().find(|file| file.name == wanted);
    let module = || files.iter().find(|file| module_name(file.name) == module_name(wanted));
    Some(exactly.or_else(module)?.bytes)
}

/// What is in a bundle.
pub(crate) fn unbundle(bytes: &[u8]) -> Result<Answer, String> {
    let bundle = Bundle::decode(bytes).map_err(|error| error.to_string())?;
    let digest = bundle.digest();
    let listed = bundle.files.iter();
    let listed = listed.map(|file| FileName { name: file.name.clone(), length: file.bytes.len() });
    let answer = Unbundled { digest, files: listed.collect(), world: bundle.world };
    let files: Vec<_> = bundle.files.into_iter().map(|file| file.bytes).collect();
    Ok(Answer::with(&answer, files.concat()))
}

/// An error of a world file, with the length of the word that it is at.
fn complaint(text: &str, error: WorldError) -> Complaint {
    let WorldError { line, column, message, .. } = error;
    let at = text.lines().nth(line - 1).unwrap_or_default().chars().skip(column - 1);
    let word = at.take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '"' | '.'));
    Complaint { line, column, length: word.count().max(1), message }
}
