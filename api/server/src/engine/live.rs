//! Runs as they go on, for those who follow: how far they are, and when there is more to read.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tokio::sync::{broadcast, watch};

/// How far a run is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The backend that runs now.
    pub backend: Option<String>,
    /// Events that each backend has written.
    pub events: BTreeMap<String, u64>,
    /// Nothing will be added any more.
    pub over: bool,
}

/// A run that goes on.
#[derive(Clone, Debug)]
pub(crate) struct Live(Arc<watch::Sender<Progress>>);

impl Default for Live {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Progress::default())))
    }
}

impl Live {
    /// A backend begins.
    pub(crate) fn started(&self, backend: &str) {
        self.0.send_modify(|progress| {
            progress.backend = Some(backend.to_owned());
            progress.events.insert(backend.to_owned(), 0);
        });
    }

    /// It wrote more events, which can be read from its spool.
    pub(crate) fn wrote(&self, backend: &str, events: u64) {
        self.0.send_modify(|progress| {
            *progress.events.entry(backend.to_owned()).or_default() += events;
        });
    }

    /// The run is over and stored.
    pub(crate) fn over(&self) {
        self.0.send_modify(|progress| progress.over = true);
    }

    /// How far it is.
    pub(crate) fn progress(&self) -> Progress {
        self.0.borrow().clone()
    }

    /// Follows it.
    pub(crate) fn follow(&self) -> watch::Receiver<Progress> {
        self.0.subscribe()
    }
}

/// That something has a new state. What it is, is read from the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// Counted from 1 since the server started.
    pub number: u64,
    /// Which run.
    pub run: u64,
    /// The campaign that it belongs to.
    pub campaign: Option<u64>,
}

/// Changes that a follower can have missed and still hear of.
const REMEMBERED: usize = 4096;

/// All changes, for those who follow more than one run.
#[derive(Debug)]
pub(crate) struct Changes {
    past: Mutex<(u64, VecDeque<Change>)>,
    sender: broadcast::Sender<Change>,
    /// When the server started, in milliseconds: numbers of another start mean nothing.
    start: u128,
}

impl Default for Changes {
    fn default() -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let sender = broadcast::Sender::new(REMEMBERED);
        Self { past: Mutex::default(), sender, start: now.as_millis() }
    }
}

/// What somebody hears who comes back.
#[derive(Debug)]
pub(crate) struct Missed {
    /// What happened meanwhile; nothing if that is too long ago to be known.
    pub changes: Option<Vec<Change>>,
    /// The number of the newest change before the first that `next` brings.
    pub newest: u64,
    /// What happens from now on.
    pub next: broadcast::Receiver<Change>,
}

impl Changes {
    /// Something has a new state.
    pub(crate) fn announce(&self, run: u64, campaign: Option<u64>) {
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        past.0 += 1;
        let change = Change { number: past.0, run, campaign };
        past.1.push_back(change);
        if past.1.len() > REMEMBERED {
            past.1.pop_front();
        }
        // Nobody may be listening. Sent under the lock, so that nothing comes twice or never.
        let _ = self.sender.send(change);
    }

    /// What a change is called outside.
    pub(crate) fn id(&self, number: u64) -> String {
        format!("{:x}-{number}", self.start)
    }

    /// Follows from after the change that is called `seen`, or from now on.
    pub(crate) fn follow(&self, seen: Option<&str>) -> Missed {
        let number = |seen: &str| {
            let (start, number) = seen.split_once('-')?;
            number.parse().ok().filter(|_| start == format!("{:x}", self.start))
        };
        let past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = past.0;
        let oldest = newest + 1 - past.1.len() as u64;
        let changes = match seen.map(number) {
            None => Some(Vec::new()),
            Some(Some(seen)) if seen <= newest && seen + 1 >= oldest => {
                Some(past.1.iter().filter(|c| c.number > seen).copied().collect())
            }
            // Of another start of the server, or forgotten.
            Some(_) => None,
        };
        Missed { changes, newest, next: self.sender.subscribe() }
    }
}

#[cfg(test)]
mod tests {
    use super::{Changes, REMEMBERED};

    #[test]
    fn nothing_is_missed_or_heard_twice() {
        let changes = Changes::default();
        changes.announce(1, None);
        changes.announce(2, Some(5));
        let mut follower = changes.follow(Some(&changes.id(1)));
        assert_eq!(follower.newest, 2);
        let missed: Vec<_> = follower.changes.unwrap().iter().map(|c| c.run).collect();
        assert_eq!(missed, [2]);
        changes.announce(3, None);
        assert_eq!(follower.next.try_recv().unwrap().run, 3);
        assert!(changes.follow(None).changes.unwrap().is_empty());
    }

    #[test]
    fn who_was_away_for_too_long_is_told() {
        let changes = Changes::default();
        for run in 0..REMEMBERED as u64 + 10 {
            changes.announce(run, None);
        }
        assert!(changes.follow(Some(&changes.id(9))).changes.is_none());
        assert_eq!(changes.follow(Some(&changes.id(10))).changes.unwrap().len(), REMEMBERED);
        assert!(changes.follow(Some(&changes.id(1 << 40))).changes.is_none());
        assert!(changes.follow(Some("1-1")).changes.is_none());
        assert!(changes.follow(Some("native/7")).changes.is_none());
    }
}
