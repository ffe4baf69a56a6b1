//! The logs of runs that are over, and how their lines are read.

use std::fmt;
use std::io::{BufRead, BufReader};

use serde::{Deserialize, Serialize};

use crate::Results;
use crate::blobs::BlobReader;
use crate::error::Result;
use crate::index::runs;

/// A sealed log: the lines that one backend wrote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogFile {
    /// The backend that wrote it.
    pub backend: String,
    /// The SHA-256 of its bytes, as 64 hexadecimal digits.
    pub blob: String,
    /// How many bytes it has, not compressed.
    pub bytes: u64,
    /// How many events it has; how many lines, if the run was interrupted.
    pub events: u64,
    /// How long the run took on this backend; zero if the run was interrupted.
    pub seconds: f64,
    /// How many instructions were executed, where the backend counts them.
    pub instructions: Option<u64>,
    /// Whether it goes to the run's end.
    pub complete: bool,
}

/// Reads the lines of a sealed log from its beginning. The log is decompressed as it is read and
/// is never in memory as a whole.
pub struct LogReader {
    blob: BufReader<BlobReader>,
}

impl LogReader {
    /// Puts the next line, without its end, into `line`, whose contents it replaces. `false` at
    /// the end of the log.
    ///
    /// # Errors
    ///
    /// [`ResultsError::Damaged`](crate::ResultsError::Damaged) if the log is not the one that was written. This may come as
    /// late as at the end, because the digest is of the whole log.
    pub fn next_line(&mut self, line: &mut Vec<u8>) -> Result<bool> {
        line.clear();
        match self.blob.read_until(b'\n', line) {
            Ok(0) => Ok(false),
            Ok(_) => {
                line.pop_if(|last| *last == b'\n');
                Ok(true)
            }
            Err(error) => Err(self.blob.get_ref().failed(error)),
        }
    }

    /// Passes over this many lines, and says over how many; less only at the end of the log.
    ///
    /// # Errors
    ///
    /// As [`Self::next_line`].
    pub fn skip_lines(&mut self, lines: u64) -> Result<u64> {
        for skipped in 0..lines {
            match self.blob.skip_until(b'\n') {
                Ok(0) => return Ok(skipped),
                Ok(_) => {}
                Err(error) => return Err(self.blob.get_ref().failed(error)),
            }
        }
        Ok(lines)
    }
}

impl fmt::Debug for LogReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogReader").finish_non_exhaustive()
    }
}

impl Results {
    /// The sealed log of a run that is over.
    ///
    /// # Errors
    ///
    /// [`ResultsError::Damaged`](crate::ResultsError::Damaged) if the index is.
    pub fn run_log(&self, run: u64, backend: &str) -> Result<Option<LogFile>> {
        self.read("reading a log", |index| runs::log(index, run, backend))
    }

    /// Reads a sealed log. Once open, it can be read to its end even if the run is deleted
    /// meanwhile.
    ///
    /// # Errors
    ///
    /// [`ResultsError::Damaged`](crate::ResultsError::Damaged) if its file is not there (also because the run was deleted) or
    /// cannot be read.
    pub fn log_reader(&self, log: &LogFile) -> Result<LogReader> {
        let blob = self.blobs.reader(&log.blob, log.bytes)?;
        Ok(LogReader { blob: BufReader::with_capacity(1 << 16, blob) })
    }
}
