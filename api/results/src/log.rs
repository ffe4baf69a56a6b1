//! The logs of runs that are over, and how their lines are read.

use serde::{Deserialize, Serialize};

use crate::Results;
use crate::error::{Result, ResultsError};

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
pub struct LogReader;

impl LogReader {
    /// Puts the next line, without its end, into `line`, whose contents it replaces. `false` at
    /// the end of the log.
    ///
    /// # Errors
    ///
    /// [`ResultsError::Damaged`] if the log is not the one that was written. This may come as
    /// late as at the end, because the digest is of the whole log.
    pub fn next_line(&mut self, line: &mut Vec<u8>) -> Result<bool> {
        let _ = line;
        Ok(false)
    }

    /// Passes over this many lines, and says over how many; less only at the end of the log.
    ///
    /// # Errors
    ///
    /// As [`Self::next_line`].
    pub fn skip_lines(&mut self, lines: u64) -> Result<u64> {
        let _ = lines;
        Ok(0)
    }
}

impl Results {
    /// The sealed log of a run that is over.
    ///
    /// # Errors
    ///
    /// [`ResultsError::Damaged`] if the index is.
    pub fn run_log(&self, run: u64, backend: &str) -> Result<Option<LogFile>> {
        let _ = (run, backend);
        Err(self.unwritten())
    }

    /// Reads a sealed log. It can be read to its end even if the run is deleted meanwhile.
    ///
    /// # Errors
    ///
    /// [`ResultsError::NotFound`] if it is deleted, [`ResultsError::Damaged`] if its file cannot
    /// be read.
    pub fn log_reader(&self, log: &LogFile) -> Result<LogReader> {
        let _ = log;
        Err(self.unwritten())
    }
}
