//! A directory that is open, and its path for messages. Nothing reaches out of it.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use rustix::fs::{Mode, OFlags};

use crate::error::{Result, ResultsError};

/// A directory that is open.
#[derive(Debug)]
pub(crate) struct Directory {
    /// For messages, and for SQLite, which opens its file by itself.
    path: PathBuf,
    dir: Dir,
}

impl Directory {
    /// Opens the store's directory, which is made if it is not there.
    pub(crate) fn store(path: &Path) -> Result<Self> {
        let mut builder = std::fs::DirBuilder::new();
        // What is uploaded is nobody else's business.
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder
            .recursive(true)
            .create(path)
            .map_err(|error| ResultsError::io("make the directory", path, error))?;
        let path = path
            .canonicalize()
            .map_err(|error| ResultsError::io("find the directory", path, error))?;
        let dir = Dir::open_ambient_dir(&path, ambient_authority())
            .map_err(|error| ResultsError::io("open the directory", &path, error))?;
        Ok(Self { path, dir })
    }

    /// Opens a directory in this one, which is made if it is not there.
    pub(crate) fn child(&self, name: &str) -> Result<Self> {
        if let Some(child) = self.existing(name)? {
            return Ok(child);
        }
        self.dir
            .create_dir(name)
            .map_err(|error| ResultsError::io("make the directory", &self.path_of(name), error))?;
        self.sync()?;
        self.existing(name)?.ok_or_else(|| {
            let gone = io::ErrorKind::NotFound.into();
            ResultsError::io("open the directory", &self.path_of(name), gone)
        })
    }

    /// Opens a directory in this one; `None` if it is not there.
    pub(crate) fn existing(&self, name: &str) -> Result<Option<Self>> {
        let path = self.path_of(name);
        match self.dir.open_dir(name) {
            Ok(dir) => Ok(Some(Self { path, dir })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ResultsError::io("open the directory", &path, error)),
        }
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in it, for messages.
    pub(crate) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Opens a file in it.
    pub(crate) fn open(&self, name: &str, options: &OpenOptions) -> Result<File> {
        self.dir
            .open_with(name, options)
            .map(cap_std::fs::File::into_std)
            .map_err(|error| ResultsError::io("open", &self.path_of(name), error))
    }

    /// Opens a file in it to read; `None` if it is not there.
    pub(crate) fn open_to_read(&self, name: &str) -> Result<Option<File>> {
        match self.dir.open(name) {
            Ok(file) => Ok(Some(file.into_std())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ResultsError::io("open", &self.path_of(name), error)),
        }
    }

    /// The size of a file in it; `None` if it is not there.
    pub(crate) fn size(&self, name: &str) -> Result<Option<u64>> {
        match self.dir.metadata(name) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ResultsError::io("look at", &self.path_of(name), error)),
        }
    }

    /// The names of what is in it. A name that is not Unicode is nobody's here and left out.
    pub(crate) fn names(&self) -> Result<Vec<String>> {
        let failed = |error| ResultsError::io("list", &self.path, error);
        let mut names = Vec::new();
        for entry in self.dir.entries().map_err(failed)? {
            if let Ok(name) = entry.map_err(failed)?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// Removes a file; whether it was there.
    pub(crate) fn remove(&self, name: &str) -> Result<bool> {
        match self.dir.remove_file(name) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(ResultsError::io("remove", &self.path_of(name), error)),
        }
    }

    /// Moves a file to a name in another directory, in place of what is there.
    pub(crate) fn rename(&self, from: &str, to: &Self, name: &str) -> Result<()> {
        self.dir
            .rename(from, &to.dir, name)
            .map_err(|error| ResultsError::io("rename", &self.path_of(from), error))
    }

    /// Waits until what was made, renamed and removed in it is on the disk.
    pub(crate) fn sync(&self) -> Result<()> {
        // The handle that is open stands for a place only and cannot be synchronised.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::openat(&self.dir, ".", flags, Mode::empty())
            .and_then(rustix::fs::fsync)
            .map_err(|error| ResultsError::io("synchronise", &self.path, error.into()))
    }

    /// Writes a whole file under another name first, so that it is there completely or not.
    pub(crate) fn write(&self, name: &str, temporary: &str, bytes: &[u8]) -> Result<()> {
        let mut file =
            self.open(temporary, OpenOptions::new().write(true).create(true).truncate(true))?;
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        if let Err(error) = written {
            // What is half written only takes space; it is swept at the next opening at the
            // latest.
            let _ = self.remove(temporary);
            return Err(ResultsError::io("write", &self.path_of(temporary), error));
        }
        self.rename(temporary, self, name)?;
        self.sync()
    }

    /// Whether hardly anything more fits on its file system.
    pub(crate) fn is_full(&self) -> bool {
        rustix::fs::fstatvfs(&self.dir)
            .is_ok_and(|space| space.f_bavail.saturating_mul(space.f_frsize) < 1 << 20)
    }
}
