//! `lcd site`.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, bail};
use lcd_page::Page;
use serde::{Deserialize, Serialize};

use super::Code;
use super::output::Output;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The directory. It is made if it is not there; an earlier page in it is replaced.
    directory: PathBuf,
    /// Write into the directory whatever else is in it.
    #[arg(long)]
    force: bool,
}

/// The file in which a directory lists the files of the page in it, so that the next page removes
/// those that it does not have itself, and no others.
const LIST: &str = "lcd/files.json";

#[derive(Serialize, Deserialize)]
struct List {
    schema: String,
    files: Vec<String>,
}

const LIST_SCHEMA: &str = "lcd-site-files/1";

/// The JSON result.
#[derive(Serialize)]
struct Written<'a> {
    schema: &'static str,
    directory: &'a Path,
    files: usize,
    bytes: usize,
    removed: Vec<String>,
}

pub(super) fn main(arguments: &Arguments, output: &Output) -> anyhow::Result<Code> {
    let directory = arguments.directory.as_path();
    let before = earlier(directory)?;
    if before.is_none() && !arguments.force && !is_empty_or_missing(directory)? {
        bail!(
            "{}: the directory is not empty, and what is in it was not written by `lcd site`: name \
             another one, or write into it all the same with --force",
            directory.display()
        );
    }
    let page = Page::without_server();
    let (files, bytes) = write(page, directory)?;
    let removed = remove_old(directory, page, before.unwrap_or_default())?;
    if output.is_json() {
        output.json(&Written { schema: "lcd-site/1", directory, files, bytes, removed })?;
        return Ok(Code::Success);
    }
    let size = bytes as f64 / 1e6;
    output.print(&format!("{}: {files} files, {size:.1} MB", directory.display()))?;
    if !removed.is_empty() {
        output.print(&format!("of an earlier page, removed: {}", removed.join(", ")))?;
    }
    output.note(
        "any server of static files will do that calls .wasm files application/wasm, under any path",
    );
    Ok(Code::Success)
}

/// The files of the page that is in the directory, if there is one.
fn earlier(directory: &Path) -> anyhow::Result<Option<Vec<String>>> {
    let path = directory.join(LIST);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if is_missing(&error) => return Ok(None),
        Err(error) => return Err(error).context(path.display().to_string()),
    };
    let list = serde_json::from_slice::<List>(&text).ok();
    Ok(list.filter(|list| list.schema == LIST_SCHEMA).map(|list| list.files))
}

fn is_empty_or_missing(directory: &Path) -> anyhow::Result<bool> {
    match fs::read_dir(directory) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error).context(directory.display().to_string()),
    }
}

/// Whether an error only says that there is no such file, or no such directory for it.
fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Writes all files: how many, and their bytes. What names others comes after them, so that
/// somebody who looks meanwhile sees the old page or the new one.
fn write(page: &Page, directory: &Path) -> anyhow::Result<(usize, usize)> {
    let mut files: Vec<_> = page.files().collect();
    files.sort_by_key(|(path, file)| (path.ends_with(".html"), !file.immutable, *path));
    let mut bytes = 0;
    for (path, file) in &files {
        put(&directory.join(path), &file.bytes)?;
        bytes += file.bytes.len();
    }
    let paths = files.iter().map(|(path, _)| (*path).to_owned()).collect();
    let list = List { schema: LIST_SCHEMA.into(), files: paths };
    put(&directory.join(LIST), &serde_json::to_vec(&list)?)?;
    Ok((files.len(), bytes))
}

fn put(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let parent = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
    fs::write(path, bytes).with_context(|| path.display().to_string())
}

/// Removes what the page before had and this one does not have.
fn remove_old(directory: &Path, page: &Page, before: Vec<String>) -> anyhow::Result<Vec<String>> {
    let now: BTreeSet<&str> = page.files().map(|(path, _)| path).collect();
    let mut removed = Vec::new();
    for name in before {
        // The list may have been changed by anybody: nothing outside is touched.
        let inside = Path::new(&name).components().all(|part| matches!(part, Component::Normal(_)));
        if !inside || now.contains(name.as_str()) {
            continue;
        }
        let path = directory.join(&name);
        match fs::remove_file(&path) {
            Ok(()) => removed.push(name),
            Err(error) if is_missing(&error) => {}
            Err(error) => return Err(error).context(path.display().to_string()),
        }
    }
    Ok(removed)
}
