//! The logs of runs that go on: files that grow a line at a time, until they are sealed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use cap_std::fs::OpenOptions;

use crate::Results;
use crate::blobs::{Blobs, Pin};
use crate::directory::Directory;
use crate::error::{Result, ResultsError};
use crate::run::RunState;

/// Lines are given to the file when this many bytes have come together.
const BUFFER: usize = 1 << 16;
const EXTENSION: &str = ".jsonl";
const BACKEND_MAX: usize = 32;

/// Appends to a spool. What is appended reaches the file when 64 KiB have come together, at
/// [`Self::flush`], and when the writer is dropped; then readers see it.
#[derive(Debug)]
pub struct SpoolWriter {
    file: File,
    path: PathBuf,
    /// Bytes of whole lines in the file.
    len: u64,
    /// Whole lines that are not in the file yet.
    pending: Vec<u8>,
}

impl SpoolWriter {
    /// Appends whole lines, each with its end.
    ///
    /// # Errors
    ///
    /// [`ResultsError::Invalid`] if the last line has no end; then nothing is appended.
    /// [`ResultsError::Full`] and other failures of the file system: the lines are kept and tried
    /// again with the next call.
    pub fn append(&mut self, lines: &[u8]) -> Result<()> {
        if !lines.is_empty() && !lines.ends_with(b"\n") {
            return Err(ResultsError::invalid(
                "whole lines",
                &String::from_utf8_lossy(lines),
                "the last one has no end",
            ));
        }
        self.pending.extend_from_slice(lines);
        if self.pending.len() < BUFFER { Ok(()) } else { self.flush() }
    }

    /// Gives what was appended to the file.
    ///
    /// # Errors
    ///
    /// As [`Self::append`].
    pub fn flush(&mut self) -> Result<()> {
        // At a place of its own, so that what a failed attempt left is written over.
        self.file
            .write_all_at(&self.pending, self.len)
            .map_err(|error| ResultsError::io("append to", &self.path, error))?;
        self.len += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }
}

impl Drop for SpoolWriter {
    fn drop(&mut self) {
        // Who wants to know whether this works calls `flush`.
        let _ = self.flush();
    }
}

/// Reads a spool from its beginning while it grows.
#[derive(Debug)]
pub struct SpoolReader {
    file: BufReader<File>,
    path: PathBuf,
    /// The beginning of a line whose end is not there yet.
    begun: Vec<u8>,
}

impl SpoolReader {
    /// Puts the next line, without its end, into `line`, whose contents it replaces. `false` if
    /// there is no further whole line yet: ask again later, or, if the run is over, read the rest
    /// until it is `false` again and stop.
    ///
    /// # Errors
    ///
    /// Failures of the file system.
    pub fn next_line(&mut self, line: &mut Vec<u8>) -> Result<bool> {
        self.file
            .read_until(b'\n', &mut self.begun)
            .map_err(|error| ResultsError::io("read", &self.path, error))?;
        if self.begun.pop_if(|last| *last == b'\n').is_none() {
            return Ok(false);
        }
        line.clear();
        std::mem::swap(line, &mut self.begun);
        Ok(true)
    }
}

/// All spools.
#[derive(Debug)]
pub(crate) struct Spools {
    directory: Directory,
}

impl Spools {
    /// Opens the directory of spools, or makes it.
    pub(crate) fn open(store: &Directory) -> Result<Self> {
        Ok(Self { directory: store.child("spool")? })
    }

    fn writer(&self, run: u64, backend: &str) -> Result<SpoolWriter> {
        let name = name(run, backend)?;
        let options =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).clone();
        let file = self.directory.open(&name, &options)?;
        let path = self.directory.path_of(&name);
        let len = whole(&file).map_err(|error| ResultsError::io("read", &path, error))?;
        Ok(SpoolWriter { file, path, len, pending: Vec::new() })
    }

    fn reader(&self, run: u64, backend: &str) -> Result<Option<SpoolReader>> {
        let name = name(run, backend)?;
        let Some(file) = self.directory.open_to_read(&name)? else { return Ok(None) };
        let path = self.directory.path_of(&name);
        Ok(Some(SpoolReader { file: BufReader::new(file), path, begun: Vec::new() }))
    }

    /// Makes a blob of the whole lines of a spool, which stays. Also says how many lines.
    pub(crate) fn seal<'a>(
        &self,
        blobs: &'a Blobs,
        run: u64,
        backend: &str,
    ) -> Result<(Pin<'a>, u64)> {
        let name = name(run, backend)?;
        let path = self.directory.path_of(&name);
        let failed = |error| ResultsError::io("read", &path, error);
        let Some(mut file) = self.directory.open_to_read(&name)? else {
            return Ok((blobs.put(&[])?, 0));
        };
        let len = whole(&file).map_err(failed)?;
        file.rewind().map_err(failed)?;
        let mut lines = Lines { source: file.take(len), count: 0 };
        let pin = blobs.put_from(&mut lines)?;
        Ok((pin, lines.count))
    }

    /// All spools: runs, and their backends.
    pub(crate) fn list(&self) -> Result<BTreeMap<u64, Vec<String>>> {
        let mut spools: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        for name in self.directory.names()? {
            if let Some((run, backend)) = parse(&name) {
                spools.entry(run).or_default().push(backend.to_owned());
            }
        }
        spools.values_mut().for_each(|backends| backends.sort());
        Ok(spools)
    }

    /// Removes a run's spools; how many.
    pub(crate) fn remove(&self, run: u64) -> Result<u64> {
        let prefix = format!("{run}-");
        self.remove_if(|name| name.starts_with(&prefix))
    }

    /// Removes all spools; how many.
    pub(crate) fn remove_all(&self) -> Result<u64> {
        self.remove_if(|_| true)
    }

    fn remove_if(&self, condition: impl Fn(&str) -> bool) -> Result<u64> {
        let mut removed = 0;
        for name in self.directory.names()? {
            if condition(&name) {
                removed += u64::from(self.directory.remove(&name)?);
            }
        }
        Ok(removed)
    }
}

/// Counts lines on their way.
struct Lines<R> {
    source: R,
    count: u64,
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.count += buffer[..read].iter().filter(|byte| **byte == b'\n').count() as u64;
        Ok(read)
    }
}

/// The name of a spool's file.
fn name(run: u64, backend: &str) -> Result<String> {
    check_backend(backend)?;
    Ok(format!("{run}-{backend}{EXTENSION}"))
}

/// Whether a text can be the name of a backend.
pub(crate) fn check_backend(backend: &str) -> Result<()> {
    let why = if backend.is_empty() || backend.len() > BACKEND_MAX {
        "it has 1 to 32 characters"
    } else if !backend.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) {
        "it consists of letters, digits, - and _"
    } else {
        return Ok(());
    };
    Err(ResultsError::invalid("a backend's name", backend, why))
}

/// Run and backend of a file's name.
fn parse(name: &str) -> Option<(u64, &str)> {
    let (run, backend) = name.strip_suffix(EXTENSION)?.split_once('-')?;
    check_backend(backend).ok()?;
    Some((run.parse().ok()?, backend))
}

/// Where the last whole line of a file ends.
fn whole(mut file: &File) -> std::io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut block = vec![0; BUFFER];
    while end > 0 {
        let start = end.saturating_sub(BUFFER as u64);
        // At most the block's size.
        let part = &mut block[..(end - start) as usize];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(part)?;
        if let Some(last) = part.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + last as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

impl Results {
    /// Opens the spool of a running run to append to it.
    ///
    /// # Errors
    ///
    /// [`ResultsError::NotFound`] if there is no such run or it does not go on,
    /// [`ResultsError::Invalid`] if the backend's name is not one: letters, digits, `-` and `_`,
    /// at most 32.
    pub fn spool(&self, run: u64, backend: &str) -> Result<SpoolWriter> {
        check_backend(backend)?;
        let summary =
            self.read("reading a run", |index| crate::index::runs::summary(index, run))?;
        match summary {
            Some(summary) if summary.state == RunState::Running => self.spools.writer(run, backend),
            _ => Err(ResultsError::not_found("running run", run)),
        }
    }

    /// Opens a spool to read it. `None` if there is none (yet, or any more: then there may be a
    /// sealed log, see [`Results::run_log`]). Once open, it can be read to its end also after it
    /// was sealed.
    ///
    /// # Errors
    ///
    /// [`ResultsError::Invalid`] if the backend's name is not one, and failures of the file
    /// system.
    pub fn spool_reader(&self, run: u64, backend: &str) -> Result<Option<SpoolReader>> {
        self.spools.reader(run, backend)
    }
}
