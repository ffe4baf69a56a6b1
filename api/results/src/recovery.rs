//! What opening the store found and put right.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;

use crate::Results;
use crate::blobs::Blobs;
use crate::committer::Committer;
use crate::directory::Directory;
use crate::error::{Result, ResultsError};
use crate::index::apply::{apply, is_live};
use crate::index::numbers::Numbers;
use crate::index::{Failure, Opened, Place, runs, statistics};
use crate::journal::{Journal, Scan};
use crate::lock::Lock;
use crate::record::{Line, LogSealed, Record, RunFinished, json};
use crate::reserve::Reserve;
use crate::run::RunState;
use crate::spool::Spools;

/// Lines that share a transaction when they are applied.
const CHUNK: u64 = 4096;
/// So many lines about things that are gone do not matter.
const DEAD_MIN: u64 = 1024;

/// What opening the store found and put right. Its default is a store that was closed properly.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Changes that were in the journal and not yet in the index.
    pub replayed: u64,
    /// Why the index was made anew from the journal.
    pub rebuilt: Option<Rebuilt>,
    /// Bytes cut off the journal's end: a line that a crash left half written, which nobody was
    /// told about.
    pub cut: u64,
    /// Lines of the journal that cannot be read. What they said is lost; the rest is kept.
    pub damaged: Vec<DamagedLine>,
    /// Runs that were going on and are `interrupted` now.
    pub interrupted: Vec<u64>,
    /// Files that nothing names and that were removed: blobs, spools, and what was half written.
    pub swept: u64,
    /// How many lines the journal was made shorter by, because they were about things that are
    /// gone.
    pub compacted: u64,
}

impl Recovery {
    /// What people should know of it, a sentence each. None for a store that was closed properly.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(Rebuilt { why, set_aside }) = &self.rebuilt {
            let aside = set_aside.as_ref().map_or_else(String::new, |path| {
                format!("; the old one is {}, and can be deleted", path.display())
            });
            lines.push(format!("the index was made anew from the journal: {why}{aside}"));
        }
        for DamagedLine { line, what } in &self.damaged {
            lines.push(format!("line {line} of the journal cannot be read and is lost: {what}"));
        }
        if !self.interrupted.is_empty() {
            let runs: Vec<_> = self.interrupted.iter().map(ToString::to_string).collect();
            lines.push(format!(
                "interrupted by the end of the last server: runs {}",
                runs.join(", ")
            ));
        }
        lines
    }
}

/// Why and how the index was made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// Why.
    pub why: String,
    /// Where the old one is, if there was one. It can be deleted.
    pub set_aside: Option<PathBuf>,
}

/// A line of the journal that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedLine {
    /// Its number, counted from 1.
    pub line: u64,
    /// What is wrong with it.
    pub what: String,
}

impl Results {
    /// Opens the store in this directory, which is made if it is not there, and puts right what
    /// a crash left behind.
    ///
    /// # Errors
    ///
    /// [`ResultsError::Locked`] if it is open already, [`ResultsError::Version`] if another
    /// version of lcd wrote it, [`ResultsError::Damaged`] if nothing of the journal can be read,
    /// [`ResultsError::Full`], and failures of the file system.
    pub fn open(path: &Path) -> Result<(Self, Recovery)> {
        let store = Arc::new(Directory::store(path)?);
        let lock = Lock::take(&store)?;
        let mut recovery = Recovery::default();
        let mut journal = Journal::open(&store)?;
        let place = Arc::new(Place::new(Arc::clone(&store)));
        let (Opened { connection, mut numbers, .. }, lines) =
            bring_up_to_date(&place, &mut journal, &mut recovery)?;
        // What cannot be read stays in the journal, for somebody who can make sense of it.
        if recovery.damaged.is_empty() && is_mostly_dead(&place, &connection, lines)? {
            match compact(&store, &place, &mut journal, &connection, &mut numbers) {
                Ok(kept) => recovery.compacted = lines.saturating_sub(kept),
                // It only saves space, and needs some first.
                Err(ResultsError::Full { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let readers = place.readers()?;
        let results = Self {
            committer: Committer::start(Arc::clone(&place), journal, connection, numbers)?,
            readers,
            place,
            blobs: Blobs::open(&store)?,
            spools: Spools::open(&store)?,
            reserve: Reserve::new(Arc::clone(&store)),
            store,
            _lock: lock,
        };
        // First what is half written: its names are used again.
        recovery.swept += results.blobs.sweep_temporary()?;
        results.interrupt(&mut recovery)?;
        results.sweep(&mut recovery)?;
        Ok((results, recovery))
    }

    /// Ends the runs that were going on, with the logs that they have.
    fn interrupt(&self, recovery: &mut Recovery) -> Result<()> {
        let running =
            self.read("listing runs", |index| runs::in_state(index, RunState::Running))?;
        let mut spools = self.spools.list()?;
        for run in running {
            let mut pins = Vec::new();
            let mut logs = Vec::new();
            for backend in spools.remove(&run).unwrap_or_default() {
                let (pin, events) = self.spools.seal(&self.blobs, run, &backend)?;
                logs.push(LogSealed {
                    backend,
                    blob: pin.blob().clone(),
                    events,
                    seconds: 0.0,
                    instructions: None,
                    complete: false,
                });
                pins.push(pin);
            }
            let record = RunFinished {
                run,
                state: RunState::Interrupted,
                outcome: None,
                reason: Some("lcd ended while it was running".into()),
                result: json(&serde_json::Value::Null)?,
                signature: None,
                logs,
            };
            self.record_end(pins, record)?;
            recovery.interrupted.push(run);
        }
        Ok(())
    }

    /// Removes files that nothing names. Where the journal is damaged it may be that which named
    /// them, so then they stay.
    fn sweep(&self, recovery: &mut Recovery) -> Result<()> {
        if recovery.damaged.is_empty() {
            recovery.swept += self.spools.remove_all()?;
            recovery.swept += self.remove_unnamed(&self.blobs.list()?)?;
        }
        Ok(())
    }
}

/// Opens the index and gives it what it misses, or all there is. Also says how many lines the
/// journal has.
fn bring_up_to_date(
    place: &Place,
    journal: &mut Journal,
    recovery: &mut Recovery,
) -> Result<(Opened, u64)> {
    let mut opened = place.open()?;
    let mut scan = match replay(place, journal, &mut opened) {
        Ok((scan, replayed)) if opened.numbers.applied <= scan.last => {
            recovery.replayed = replayed;
            scan
        }
        // The index has more than the journal, or applying failed: damage that its check missed.
        outcome => {
            let why = match outcome {
                Ok(_) => "it has changes that the journal has not".to_owned(),
                Err(ResultsError::Damaged { what, path, .. }) if path == place.path() => what,
                Err(error) => return Err(error),
            };
            drop(opened);
            opened = place.renew(why)?;
            let (scan, replayed) = replay(place, journal, &mut opened)?;
            recovery.replayed = replayed;
            scan
        }
    };
    recovery.cut = journal.cut(&scan)?;
    recovery.damaged = std::mem::take(&mut scan.damaged);
    // A store that has just begun had no index to lose.
    recovery.rebuilt =
        opened.rebuilt.take().filter(|rebuilt| rebuilt.set_aside.is_some() || scan.lines > 0);
    Ok((opened, scan.lines))
}

/// Applies the lines that the index misses; also says how many.
fn replay(place: &Place, journal: &Journal, opened: &mut Opened) -> Result<(Scan, u64)> {
    let failed = |failure: Failure| place.failed("replaying the journal", failure);
    let Opened { connection, numbers, .. } = opened;
    let mut replayed = 0;
    let begin = |connection: &Connection| connection.execute_batch("BEGIN IMMEDIATE");
    begin(connection).map_err(|error| failed(error.into()))?;
    let read = journal.read(|line, _| {
        if line.seq <= numbers.applied {
            return Ok(None);
        }
        replayed += 1;
        if replayed % CHUNK == 0 {
            numbers
                .write(connection)
                .and_then(|()| connection.execute_batch("COMMIT"))
                .and_then(|()| begin(connection))
                .map_err(|error| failed(error.into()))?;
        }
        apply_or_skip(connection, numbers, &line).map_err(failed)
    });
    let finished = read.and_then(|scan| {
        numbers
            .write(connection)
            .and_then(|()| connection.execute_batch("COMMIT"))
            .map_err(|error| failed(error.into()))?;
        Ok(scan)
    });
    if finished.is_err() && !connection.is_autocommit() {
        // Whatever this says, the connection is given up.
        let _ = connection.execute_batch("ROLLBACK");
    }
    finished.map(|scan| (scan, replayed))
}

/// Applies a line, or says why it makes no sense after the lines before it, which can only be
/// if some of them are damaged.
fn apply_or_skip(
    connection: &Connection,
    numbers: &mut Numbers,
    line: &Line,
) -> std::result::Result<Option<String>, Failure> {
    connection.execute_batch("SAVEPOINT line")?;
    let why = match apply(connection, numbers, line, &mut Vec::new()) {
        Ok(()) => None,
        Err(Failure::Missing(what)) => Some(format!("it is about {what}, which is not there")),
        Err(Failure::Index(error))
            if error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation) =>
        {
            Some(format!("it is about something that is there already: {error}"))
        }
        Err(failure) => return Err(failure),
    };
    if why.is_some() {
        connection.execute_batch("ROLLBACK TO line")?;
        numbers.applied = line.seq;
    }
    connection.execute_batch("RELEASE line")?;
    Ok(why)
}

/// Whether most of so many lines must be about things that are gone.
fn is_mostly_dead(place: &Place, index: &Connection, lines: u64) -> Result<bool> {
    let counted = statistics::totals(index)
        .and_then(|totals| Ok((totals, statistics::all_runs(index)?.total)));
    let (totals, runs) = counted.map_err(|error| place.failed("counting", error.into()))?;
    // Of no run there are more lines than that it was created, started and over.
    let live = totals.modules + totals.worlds + 2 * totals.campaigns + 3 * runs;
    Ok(lines > 2 * live + DEAD_MIN)
}

/// Removes lines about things that are gone; how many lines there are then.
fn compact(
    store: &Directory,
    place: &Place,
    journal: &mut Journal,
    index: &Connection,
    numbers: &mut Numbers,
) -> Result<u64> {
    let failed = |error: rusqlite::Error| place.failed("compacting the journal", error.into());
    // With the numbers that the lines that go may have given away.
    let last = Line {
        seq: numbers.applied + 1,
        at: crate::now(),
        change: Record::Numbers { runs: numbers.runs, campaigns: numbers.campaigns },
    };
    let mut kept = 1;
    journal.rewrite(store, &last, |line| {
        let live = is_live(index, line).map_err(failed)?;
        kept += u64::from(live);
        Ok(live)
    })?;
    numbers.applied = last.seq;
    numbers.write(index).map_err(failed)?;
    Ok(kept)
}
