//! Which line of one log stands beside which of the other.
//!
//! Logs of the same world are equal for long stretches. So: what is equal at both ends; of what is
//! between, the lines that each side has once are anchors, if they come in the same order; and
//! between two anchors, where little is left, the longest common part. Lines that nothing equal was
//! found for stand beside each other if they are of the same kind.
//!
//! The work is bounded: where too much is left, lines stand beside each other in their order.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::{Row, kind_of};

/// Pairs of lines that are compared to find a longest common part.
const PAIRS_MAX: usize = 1 << 20;
/// Lines whose kinds are looked at, on each side of a gap.
const KINDS_MAX: usize = 256;
/// Gaps within gaps.
const DEPTH_MAX: usize = 16;

/// The rows of two logs.
pub(super) fn align(left: &[&str], right: &[&str]) -> Vec<Row> {
    let mut rows = Rows { left, right, rows: Vec::new() };
    let keys = [left, right].map(|lines| lines.iter().map(|line| key(line)).collect::<Vec<_>>());
    let mut matched = Vec::new();
    common(&keys[0], &keys[1], (0, 0), 0, &mut matched);
    let (mut at, mut to) = (0, 0);
    for (i, j) in matched {
        rows.gap(at..i, to..j);
        rows.add(Some(i), Some(j), true);
        (at, to) = (i + 1, j + 1);
    }
    rows.gap(at..left.len(), to..right.len());
    rows.rows
}

fn key(line: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    line.hash(&mut hasher);
    hasher.finish()
}

/// Adds the pairs of equal keys, in order. `from` is where the two parts begin.
fn common(
    left: &[u64],
    right: &[u64],
    from: (usize, usize),
    depth: usize,
    out: &mut Vec<(usize, usize)>,
) {
    let start = left.iter().zip(right).take_while(|(a, b)| a == b).count();
    out.extend((0..start).map(|i| (from.0 + i, from.1 + i)));
    let (left, right) = (&left[start..], &right[start..]);
    let from = (from.0 + start, from.1 + start);
    let end = left.iter().rev().zip(right.iter().rev()).take_while(|(a, b)| a == b).count();
    let (middle, other) = (&left[..left.len() - end], &right[..right.len() - end]);
    if !middle.is_empty() && !other.is_empty() {
        between(middle, other, from, depth, out);
    }
    let (after, behind) = (from.0 + middle.len(), from.1 + other.len());
    out.extend((0..end).map(|i| (after + i, behind + i)));
}

/// The same for two parts whose ends differ.
fn between(
    left: &[u64],
    right: &[u64],
    from: (usize, usize),
    depth: usize,
    out: &mut Vec<(usize, usize)>,
) {
    if left.len().saturating_mul(right.len()) <= PAIRS_MAX {
        let pairs = longest(left.len(), right.len(), |i, j| left[i] == right[j]);
        out.extend(pairs.into_iter().map(|(i, j)| (from.0 + i, from.1 + j)));
        return;
    }
    let anchors = if depth < DEPTH_MAX { anchors(left, right) } else { Vec::new() };
    if anchors.is_empty() {
        // What has nothing in order that is there once is compared a piece at a time.
        let piece = PAIRS_MAX.isqrt();
        let (i, j) = (left.len().min(piece), right.len().min(piece));
        let pairs = longest(i, j, |i, j| left[i] == right[j]);
        let next = pairs.last().map_or((i, j), |(i, j)| (i + 1, j + 1));
        out.extend(pairs.iter().map(|(i, j)| (from.0 + i, from.1 + j)));
        if depth < DEPTH_MAX {
            let from = (from.0 + next.0, from.1 + next.1);
            common(&left[next.0..], &right[next.1..], from, depth + 1, out);
        }
        return;
    }
    let (mut at, mut to) = (0, 0);
    for (i, j) in anchors {
        common(&left[at..i], &right[to..j], (from.0 + at, from.1 + to), depth + 1, out);
        out.push((from.0 + i, from.1 + j));
        (at, to) = (i + 1, j + 1);
    }
    common(&left[at..], &right[to..], (from.0 + at, from.1 + to), depth + 1, out);
}

/// Pairs of keys that both sides have once, as many as come in the same order.
fn anchors(left: &[u64], right: &[u64]) -> Vec<(usize, usize)> {
    let mut places: HashMap<u64, [Option<usize>; 2]> = HashMap::new();
    let mut twice: HashMap<u64, ()> = HashMap::new();
    for (side, keys) in [left, right].into_iter().enumerate() {
        for (place, key) in keys.iter().enumerate() {
            if places.entry(*key).or_default()[side].replace(place).is_some() {
                twice.insert(*key, ());
            }
        }
    }
    let once = |key: &&u64| !twice.contains_key(key);
    let pairs = left.iter().filter(once).filter_map(|key| match places.get(key) {
        Some([Some(i), Some(j)]) => Some((*i, *j)),
        _ => None,
    });
    increasing(&pairs.collect::<Vec<_>>())
}

/// As many of the pairs as increase on both sides; on the left they do already.
fn increasing(pairs: &[(usize, usize)]) -> Vec<(usize, usize)> {
    // For each length, the pair that such a row can end with at the lowest place.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    for (number, (_, j)) in pairs.iter().enumerate() {
        let length = ends.partition_point(|&end| pairs[end].1 < *j);
        before.push(length.checked_sub(1).map(|shorter| ends[shorter]));
        match ends.get_mut(length) {
            Some(end) => *end = number,
            None => ends.push(number),
        }
    }
    let mut row = Vec::new();
    let mut at = ends.last().copied();
    while let Some(number) = at {
        row.push(pairs[number]);
        at = before[number];
    }
    row.reverse();
    row
}

/// The longest common part of two short ones, as pairs.
fn longest(left: usize, right: usize, equal: impl Fn(usize, usize) -> bool) -> Vec<(usize, usize)> {
    let width = right + 1;
    let mut lengths = vec![0u16; (left + 1) * width];
    for i in (0..left).rev() {
        for j in (0..right).rev() {
            lengths[i * width + j] = if equal(i, j) {
                lengths[(i + 1) * width + j + 1].saturating_add(1)
            } else {
                lengths[(i + 1) * width + j].max(lengths[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut pairs = Vec::new();
    while i < left && j < right {
        if equal(i, j) {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if lengths[(i + 1) * width + j] >= lengths[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

/// Rows as they come, those that go on like the last one gathered.
struct Rows<'a> {
    left: &'a [&'a str],
    right: &'a [&'a str],
    rows: Vec<Row>,
}

impl Rows<'_> {
    fn add(&mut self, left: Option<usize>, right: Option<usize>, equal: bool) {
        if let Some(last) = self.rows.last_mut() {
            let next = |number: Option<usize>| number.map(|number| number + last.count);
            if last.equal == equal && next(last.left) == left && next(last.right) == right {
                last.count += 1;
                return;
            }
        }
        self.rows.push(Row { left, right, equal, count: 1 });
    }

    /// Lines of which none is equal: beside each other if they are of the same kind.
    fn gap(&mut self, left: std::ops::Range<usize>, right: std::ops::Range<usize>) {
        let pairs = if left.len() > KINDS_MAX || right.len() > KINDS_MAX {
            (0..left.len().min(right.len())).map(|i| (i, i)).collect()
        } else {
            let kinds = |lines: &[&str]| lines.iter().map(|line| kind_of(line)).collect::<Vec<_>>();
            let (ours, theirs) =
                (kinds(&self.left[left.clone()]), kinds(&self.right[right.clone()]));
            longest(ours.len(), theirs.len(), |i, j| ours[i] == theirs[j])
        };
        let (mut at, mut to) = (left.start, right.start);
        for (i, j) in pairs.into_iter().map(|(i, j)| (left.start + i, right.start + j)) {
            (at..i).for_each(|i| self.add(Some(i), None, false));
            (to..j).for_each(|j| self.add(None, Some(j), false));
            self.add(Some(i), Some(j), false);
            (at, to) = (i + 1, j + 1);
        }
        (at..left.end).for_each(|i| self.add(Some(i), None, false));
        (to..right.end).for_each(|j| self.add(None, Some(j), false));
    }
}

#[cfg(test)]
mod tests {
    use super::align;
    use proptest::prelude::{prop, proptest};

    proptest! {
        #[test]
        fn every_line_is_in_one_row(
            left in prop::collection::vec(0u8..6, 0..60),
            right in prop::collection::vec(0u8..6, 0..60),
        ) {
            let lines = |bytes: &[u8]| bytes.iter().map(u8::to_string).collect::<Vec<_>>();
            let (left, right) = (lines(&left), lines(&right));
            let (a, b): (Vec<&str>, Vec<&str>) =
                (left.iter().map(|l| &**l).collect(), right.iter().map(|l| &**l).collect());
            let (mut at, mut to) = (0, 0);
            for row in align(&a, &b) {
                for i in 0..row.count {
                    if row.equal {
                        assert_eq!(a[row.left.unwrap() + i], b[row.right.unwrap() + i]);
                    }
                }
                if let Some(number) = row.left {
                    assert_eq!(number, at);
                    at += row.count;
                }
                if let Some(number) = row.right {
                    assert_eq!(number, to);
                    to += row.count;
                }
            }
            assert_eq!((at, to), (a.len(), b.len()));
        }
    }
}
