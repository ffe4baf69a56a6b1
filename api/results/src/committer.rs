//! How changes happen: one thread takes what callers want to change, many at a time if many
//! want to, and gives it to the journal and the index.
//!
//! A batch is one transaction of the index. Each change looks at the index as the changes before
//! it left it, decides, and adds its lines; then all lines go to the journal, which waits for
//! the disk once; then the transaction is committed, and readers see it; then the callers hear
//! about it. If the journal fails, the transaction is rolled back. If the commit fails, the
//! lines are removed from the journal again. So at any moment the journal has what the index
//! has, or more, and nobody was told about the rest.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::thread::JoinHandle;

use rusqlite::{Connection, TransactionBehavior};

use crate::error::{Result, ResultsError};
use crate::index::apply::apply;
use crate::index::numbers::Numbers;
use crate::index::{Failure, Place};
use crate::journal::{Journal, encode};
use crate::record::{Line, Record};

/// How many changes share a transaction at most.
const BATCH_MAX: usize = 256;

/// What a caller wants to change.
trait Change: Send {
    /// Looks at the draft and adds to it, or refuses.
    fn decide(&mut self, draft: &mut Draft<'_>, place: &Place) -> Result<()>;

    /// Tells the caller, given what became of the batch.
    fn acknowledge(self: Box<Self>, batch: Result<()>);
}

/// A change whose caller waits for a `T`.
struct Pending<T, F> {
    /// `None` once it is decided.
    change: Option<F>,
    /// `None` until then.
    decided: Option<Result<Changed<T>>>,
    give: SyncSender<Result<Changed<T>>>,
}

impl<T, F> Change for Pending<T, F>
where
    T: Send,
    F: FnOnce(&mut Draft<'_>) -> std::result::Result<T, Failure> + Send,
{
    fn decide(&mut self, draft: &mut Draft<'_>, place: &Place) -> Result<()> {
        let Some(change) = self.change.take() else { return Ok(()) };
        let decided = change(draft)
            .map(|answer| Changed { answer, unnamed: std::mem::take(&mut draft.unnamed) })
            .map_err(|failure| place.failed("changing it", failure));
        let refused = decided.as_ref().err().cloned();
        self.decided = Some(decided);
        refused.map_or(Ok(()), Err)
    }

    fn acknowledge(self: Box<Self>, batch: Result<()>) {
        let answer = match (self.decided, batch) {
            (Some(Err(refused)), _) => Err(refused),
            (_, Err(error)) => Err(error),
            (Some(Ok(changed)), Ok(())) => Ok(changed),
            // A batch without an error has decided everything. Without an answer the caller
            // would hear that this thread has ended, which is the nearest to the truth.
            (None, Ok(())) => return,
        };
        // Nobody is there to hear it if the caller's thread is gone.
        let _ = self.give.send(answer);
    }
}

/// A change while it is being decided.
pub(crate) struct Draft<'a> {
    /// The index, with the changes before this one.
    pub(crate) index: &'a Connection,
    pub(crate) numbers: Numbers,
    at: i64,
    lines: Vec<u8>,
    unnamed: Vec<String>,
}

impl Draft<'_> {
    /// Makes this change; the number of its line.
    pub(crate) fn record(&mut self, change: Record) -> std::result::Result<u64, Failure> {
        let line = Line { seq: self.numbers.applied + 1, at: self.at, change };
        apply(self.index, &mut self.numbers, &line, &mut self.unnamed)?;
        self.lines.extend(encode(&line)?);
        Ok(line.seq)
    }
}

/// What a change came to.
#[derive(Debug)]
pub(crate) struct Changed<T> {
    pub(crate) answer: T,
    /// Blobs that nothing named when it was made.
    pub(crate) unnamed: Vec<String>,
}

/// The thread that changes things.
#[derive(Debug)]
pub(crate) struct Committer {
    /// `None` only while it ends.
    changes: Option<Sender<Box<dyn Change>>>,
    thread: Option<JoinHandle<()>>,
    place: Arc<Place>,
    journal_bytes: Arc<AtomicU64>,
}

impl Committer {
    /// Starts it.
    pub(crate) fn start(
        place: Arc<Place>,
        journal: Journal,
        index: Connection,
        numbers: Numbers,
    ) -> Result<Self> {
        let (changes, receiver) = mpsc::channel();
        let journal_bytes = Arc::new(AtomicU64::new(journal.len()));
        let mut worker = Worker {
            place: Arc::clone(&place),
            journal,
            index,
            numbers,
            journal_bytes: Arc::clone(&journal_bytes),
        };
        let thread = std::thread::Builder::new()
            .name("lcd-results".into())
            .spawn(move || worker.work(&receiver))
            .map_err(|error| ResultsError::io("start a thread for", &place.path(), error))?;
        Ok(Self { changes: Some(changes), thread: Some(thread), place, journal_bytes })
    }

    /// Makes a change, and returns when it is on the disk and in the index.
    pub(crate) fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Draft<'_>) -> std::result::Result<T, Failure> + Send + 'static,
    ) -> Result<Changed<T>> {
        let (give, take) = mpsc::sync_channel(1);
        let pending = Pending { change: Some(change), decided: None, give };
        let ended = || ResultsError::Stopped {
            path: self.place.path(),
            why: "its writer has ended".into(),
        };
        self.changes.as_ref().ok_or_else(ended)?.send(Box::new(pending)).map_err(|_| ended())?;
        take.recv().map_err(|_| ended())?
    }

    /// How many bytes the journal has.
    pub(crate) fn journal_bytes(&self) -> u64 {
        self.journal_bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        drop(self.changes.take());
        if let Some(thread) = self.thread.take() {
            // It ends when it has done what was sent. If it panicked, that is on record already.
            let _ = thread.join();
        }
    }
}

struct Worker {
    place: Arc<Place>,
    journal: Journal,
    index: Connection,
    numbers: Numbers,
    journal_bytes: Arc<AtomicU64>,
}

impl Worker {
    fn work(&mut self, changes: &Receiver<Box<dyn Change>>) {
        while let Ok(first) = changes.recv() {
            let mut batch: Vec<_> =
                std::iter::once(first).chain(changes.try_iter()).take(BATCH_MAX).collect();
            let outcome = self.commit(&mut batch);
            self.journal_bytes.store(self.journal.len(), Ordering::Relaxed);
            for change in batch {
                change.acknowledge(outcome.clone());
            }
        }
    }

    /// Makes the changes of a batch: all of them that are not refused, or, on an error, none.
    fn commit(&mut self, batch: &mut [Box<dyn Change>]) -> Result<()> {
        let Self { place, journal, index, numbers, .. } = self;
        let failed = |error: rusqlite::Error| place.failed("changing it", error.into());
        journal.check()?;
        let transaction =
            index.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let mut draft = Draft {
            index: &transaction,
            numbers: *numbers,
            at: crate::now(),
            lines: Vec::new(),
            unnamed: Vec::new(),
        };
        for change in batch {
            decide(change.as_mut(), &mut draft, place)?;
        }
        let Draft { numbers: after, lines, .. } = draft;
        if lines.is_empty() {
            return transaction.finish().map_err(failed);
        }
        after.write(&transaction).map_err(failed)?;
        let before = journal.len();
        journal.append(&lines)?;
        if let Err(error) = transaction.commit() {
            journal.retract(before);
            return Err(failed(error));
        }
        *numbers = after;
        Ok(())
    }
}

/// Decides one change of a batch. If it is refused, whatever it did is undone; an error is one
/// of the whole batch.
fn decide(change: &mut dyn Change, draft: &mut Draft<'_>, place: &Place) -> Result<()> {
    let failed = |error: rusqlite::Error| place.failed("changing it", error.into());
    let (numbers, lines) = (draft.numbers, draft.lines.len());
    savepoint(draft.index, "SAVEPOINT change").map_err(failed)?;
    if let Err(refused) = change.decide(draft, place) {
        // Some failures end the transaction, and with it the changes before this one.
        if draft.index.is_autocommit() {
            return Err(refused);
        }
        savepoint(draft.index, "ROLLBACK TO change").map_err(failed)?;
        draft.numbers = numbers;
        draft.lines.truncate(lines);
        draft.unnamed.clear();
    }
    savepoint(draft.index, "RELEASE change").map_err(failed)
}

fn savepoint(index: &Connection, sql: &str) -> rusqlite::Result<()> {
    index.prepare_cached(sql)?.execute([]).map(drop)
}
