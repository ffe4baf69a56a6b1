//! One process at a time.

use std::fs::File;
use std::io::{Read, Write};

use cap_std::fs::OpenOptions;
use rustix::fs::FlockOperation;
use rustix::io::Errno;

use crate::directory::Directory;
use crate::error::{Result, ResultsError};

const NAME: &str = "lock";

/// Held as long as it lives; the system lets go of it when the process dies.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the directory's lock, or says who has it.
    pub(crate) fn take(directory: &Directory) -> Result<Self> {
        let mut file = directory
            .open(NAME, OpenOptions::new().read(true).write(true).create(true).truncate(false))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let mut text = String::new();
                // Only for the message, so whatever goes wrong here does not matter.
                let _ = (&mut file).take(32).read_to_string(&mut text);
                let holder = text.trim().parse().ok();
                return Err(ResultsError::Locked { path: directory.path().to_owned(), holder });
            }
            Err(error) => {
                return Err(ResultsError::io("lock", &directory.path_of(NAME), error.into()));
            }
        }
        let _ = file.set_len(0);
        let _ = writeln!(file, "{}", std::process::id());
        Ok(Self { _file: file })
    }
}
