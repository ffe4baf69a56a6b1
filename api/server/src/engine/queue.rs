//! What waits to be run. Runs of a campaign stand in a lane of their own and lanes take turns, so
//! that a single run does not wait for a whole campaign.

use std::collections::{BTreeMap, VecDeque};

/// Runs that wait, by lane.
#[derive(Debug, Default)]
pub(super) struct Queue {
    lanes: BTreeMap<Lane, VecDeque<u64>>,
    /// Whose turn it was.
    last: Option<Lane>,
    length: usize,
}

/// The campaign that a run belongs to; single runs share a lane.
pub(super) type Lane = Option<u64>;

impl Queue {
    /// How many wait.
    pub(super) const fn len(&self) -> usize {
        self.length
    }

    /// Adds a run at the end of its lane.
    pub(super) fn push(&mut self, lane: Lane, run: u64) {
        self.lanes.entry(lane).or_default().push_back(run);
        self.length += 1;
    }

    /// Takes the next run: the first of the lane after the one that had its turn.
    pub(super) fn pop(&mut self) -> Option<u64> {
        let after = self.last.and_then(|_| {
            self.lanes
                .range((std::ops::Bound::Excluded(self.last?), std::ops::Bound::Unbounded))
                .next()
        });
        let lane = *after.or_else(|| self.lanes.first_key_value())?.0;
        let waiting = self.lanes.get_mut(&lane)?;
        let run = waiting.pop_front();
        if waiting.is_empty() {
            self.lanes.remove(&lane);
        }
        self.last = Some(lane);
        self.length -= usize::from(run.is_some());
        run
    }

    /// Takes a run out. Whether it was there.
    pub(super) fn remove(&mut self, run: u64) -> bool {
        let found = self.lanes.iter_mut().find_map(|(&lane, waiting)| {
            let at = waiting.iter().position(|&other| other == run)?;
            waiting.remove(at);
            Some((lane, waiting.is_empty()))
        });
        if let Some((lane, true)) = found {
            self.lanes.remove(&lane);
        }
        self.length -= usize::from(found.is_some());
        found.is_some()
    }

    /// How many are before a run in its lane.
    pub(super) fn before(&self, lane: Lane, run: u64) -> Option<usize> {
        self.lanes.get(&lane)?.iter().position(|&other| other == run)
    }
}

#[cfg(test)]
mod tests {
    use super::Queue;

    #[test]
    fn lanes_take_turns() {
        let mut queue = Queue::default();
        for run in 1..=3 {
            queue.push(Some(7), run);
        }
        queue.push(None, 10);
        queue.push(Some(9), 20);
        queue.push(None, 11);
        assert_eq!(queue.before(Some(7), 3), Some(2));
        let order: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(order, [10, 1, 20, 11, 2, 3]);
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn what_is_taken_out_does_not_come() {
        let mut queue = Queue::default();
        queue.push(None, 1);
        queue.push(None, 2);
        assert!(queue.remove(1));
        assert!(!queue.remove(1));
        assert_eq!((queue.len(), queue.pop(), queue.pop()), (1, Some(2), None));
    }
}
