//! The logs of runs that go on: files that grow a line at a time, until they are sealed.

use crate::Results;
use crate::error::{Result, ResultsError};

/// Appends to a spool. What is appended reaches the file when 64 KiB have come together, at
/// [`Self::flush`], and when the writer is dropped; then readers see it.
#[derive(Debug)]
pub struct SpoolWriter;

impl SpoolWriter {
    /// Appends whole lines, each with its end.
    ///
    /// # Errors
    ///
    /// [`ResultsError::Invalid`] if the last line has no end. [`ResultsError::Full`]: the lines
    /// are kept and tried again with the next call.
    pub fn append(&mut self, lines: &[u8]) -> Result<()> {
        let _ = lines;
        Ok(())
    }

    /// Gives what was appended to the file.
    ///
    /// # Errors
    ///
    /// As [`Self::append`].
    pub fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Reads a spool from its beginning while it grows.
#[derive(Debug)]
pub struct SpoolReader;

impl SpoolReader {
    /// Puts the next line, without its end, into `line`, whose contents it replaces. `false` if
    /// there is no further whole line yet: ask again later, or, if the run is over, read the rest
    /// until it is `false` again and stop.
    ///
    /// # Errors
    ///
    /// Failures of the file system.
    pub fn next_line(&mut self, line: &mut Vec<u8>) -> Result<bool> {
        let _ = line;
        Ok(false)
    }
}

impl Results {
    /// Opens the spool of a running run to append to it.
    ///
    /// # Errors
    ///
    /// [`ResultsError::NotFound`] if there is no such run, [`ResultsError::Invalid`] if it does
    /// not run or the backend's name is not one: letters, digits, `-` and `_`, at most 32.
    pub fn spool(&self, run: u64, backend: &str) -> Result<SpoolWriter> {
        let _ = (run, backend);
        Err(self.unwritten())
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
        let _ = (run, backend);
        Err(self.unwritten())
    }
}
