//! The log of a run, wherever it is: in a file that grows while the run goes on, or sealed.

use lcd::model::event::{Event, LogHeader};
use lcd_results::{LogReader, Results, ResultsError, SpoolReader};

use crate::problem::Problem;

/// Reads a log from its beginning.
pub(crate) struct Lines {
    source: Source,
    line: Vec<u8>,
}

enum Source {
    Sealed(Box<LogReader>),
    Growing(SpoolReader),
}

impl Lines {
    /// Opens a backend's log of a run. Nothing if it has none (yet).
    ///
    /// # Errors
    /// What the store says.
    pub(crate) fn open(
        results: &Results,
        run: u64,
        backend: &str,
    ) -> Result<Option<Self>, ResultsError> {
        // A log is sealed before its spool goes away, so it is in one of the two places.
        if let Some(spool) = results.spool_reader(run, backend)? {
            return Ok(Some(Self { source: Source::Growing(spool), line: Vec::new() }));
        }
        let Some(log) = results.run_log(run, backend)? else { return Ok(None) };
        let sealed = Box::new(results.log_reader(&log)?);
        Ok(Some(Self { source: Source::Sealed(sealed), line: Vec::new() }))
    }

    /// The next line, without its end. Nothing if there is none (yet).
    ///
    /// # Errors
    /// What the store says.
    pub(crate) fn next_line(&mut self) -> Result<Option<&[u8]>, ResultsError> {
        let there = match &mut self.source {
            Source::Sealed(reader) => reader.next_line(&mut self.line)?,
            Source::Growing(reader) => reader.next_line(&mut self.line)?,
        };
        Ok(there.then_some(self.line.as_slice()))
    }

    /// The log's first line.
    ///
    /// # Errors
    /// What the store says, and that the line is no header.
    pub(crate) fn header(&mut self) -> Result<Option<LogHeader>, Problem> {
        let Some(line) = self.next_line()? else { return Ok(None) };
        serde_json::from_slice(line).map(Some).map_err(Problem::internal)
    }

    /// The next event. Nothing if there is none (yet).
    ///
    /// # Errors
    /// What the store says, and that the line is no event.
    pub(crate) fn event(&mut self) -> Result<Option<Event>, Problem> {
        let Some(line) = self.next_line()? else { return Ok(None) };
        serde_json::from_slice(line).map(Some).map_err(Problem::internal)
    }

    /// Passes over lines, as far as there are so many.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) fn skip(&mut self, lines: u64) -> Result<u64, ResultsError> {
        let mut skipped = 0;
        while skipped < lines && self.next_line()?.is_some() {
            skipped += 1;
        }
        Ok(skipped)
    }
}

/// The backends of which a run has a log, in the order in which they ran.
///
/// # Errors
/// What the store says.
pub(crate) fn backends(
    results: &Results,
    run: &lcd_results::Run,
) -> Result<Vec<String>, ResultsError> {
    let mut found = Vec::new();
    for backend in lcd::Backend::ALL.map(|backend| backend.to_string()) {
        let sealed = run.logs.iter().any(|log| log.backend == backend);
        if sealed || results.spool_reader(run.summary.id, &backend)?.is_some() {
            found.push(backend);
        }
    }
    Ok(found)
}
