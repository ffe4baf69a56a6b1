//! Two logs side by side: whether they agree, which event stands beside which, and in words what
//! the first difference means.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;
use shared_model::compare::{Verdict, compare as verdict_of, compare_outcomes};
use shared_model::event::{Event, Log, LogError};

mod align;
mod explain;

/// Rows one below the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The number of an event in the left log, if it is on that side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<usize>,
    /// The same of the right log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub right: Option<usize>,
    /// Whether the two are equal.
    pub equal: bool,
    /// For how many rows this goes on, with the numbers after these, if more than one.
    #[serde(skip_serializing_if = "is_one")]
    pub count: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_one(count: &usize) -> bool {
    *count == 1
}

/// How two logs compare.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compared {
    /// What `lcd diff` says.
    pub verdict: Verdict,
    /// Both logs, aligned.
    pub rows: Vec<Row>,
    /// The row, counted with each row's repetitions, of the first difference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<usize>,
    /// What differs, and what that usually means.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explanation: Option<String>,
}

/// Compares the texts of two logs. `outcomes` looks only at how the domains ended and what they
/// wrote.
///
/// # Errors
/// If one of them is no log.
pub fn compare(left: &[u8], right: &[u8], outcomes: bool) -> Result<Compared, String> {
    let left = text(left, "left")?;
    let right = text(right, "right")?;
    let verdict = {
        let mut known = HashMap::new();
        let left = read(left, "left", &mut known)?;
        let right = read(right, "right", &mut known)?;
        drop(known);
        if outcomes { compare_outcomes(&left, &right) } else { verdict_of(&left, &right) }
    };
    let rows = align::align(&events(left), &events(right));
    let first = first(&rows, &verdict);
    let explanation = match &verdict {
        Verdict::Diverge(divergence) => Some(explain::explain(divergence, outcomes)),
        Verdict::Agree { .. } | Verdict::Poisoned { .. } => None,
    };
    Ok(Compared { verdict, rows, first, explanation })
}

fn text<'a>(bytes: &'a [u8], side: &str) -> Result<&'a str, String> {
    std::str::from_utf8(bytes).map_err(|_| format!("the {side} file is not a log: it is not text"))
}

/// Reads a log. Most lines are in both logs, or often in one: `known` has those that were read.
fn read<'t>(text: &'t str, side: &str, known: &mut HashMap<&'t str, Event>) -> Result<Log, String> {
    let fail = |error: LogError| format!("the {side} file is not a log: {error}");
    let header = text.lines().next().unwrap_or_default();
    let mut log = Log::from_json_lines(header).map_err(fail)?;
    for (number, line) in text.lines().enumerate().skip(1) {
        let event = match known.get(line) {
            Some(event) => event.clone(),
            None => {
                let event: Event = serde_json::from_str(line).map_err(|error| {
                    fail(LogError::Line { line: number + 1, reason: error.to_string() })
                })?;
                known.insert(line, event.clone());
                event
            }
        };
        log.events.push(event);
    }
    Ok(log)
}

/// The lines of a log's events.
fn events(text: &str) -> Vec<&str> {
    text.lines().skip(1).collect()
}

/// The row of the first difference that counts: rows before it may differ in what is not compared.
fn first(rows: &[Row], verdict: &Verdict) -> Option<usize> {
    let Verdict::Diverge(divergence) = verdict else { return None };
    let known = divergence.left.is_some() || divergence.right.is_some();
    let mut at = 0;
    let mut any = None;
    for row in rows {
        if !row.equal {
            any = any.or(Some(at));
            // Up to there, as many events of each side are comparable as are equal.
            let reached = |number: Option<usize>| number.is_some_and(|n| n >= divergence.index);
            if known && (reached(row.left) || reached(row.right)) {
                return Some(at);
            }
        }
        at += row.count;
    }
    any
}

/// What an event is, roughly: its kind, and whose.
pub(crate) fn kind_of(line: &str) -> Option<(String, Value, Value)> {
    let event: Value = serde_json::from_str(line).ok()?;
    let kind = event.get("event")?.as_str()?.to_owned();
    let part = |key: &str| event.get(key).cloned().unwrap_or(Value::Null);
    Some((kind, part("domain"), part("thread")))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Compared, Row, compare};
    use shared_model::compare::Verdict;

    const HEADER: &str =
        r#"{"lcd_log":1,"backend":"sim","world":"w","inputs":"00000000000000000000000000000000"}"#;

    fn log(events: impl IntoIterator<Item = String>) -> String {
        let events: Vec<_> = events.into_iter().collect();
        format!("{HEADER}\n{}\n", events.join("\n"))
    }

    fn interrupt(domain: usize, line: usize) -> String {
        format!(r#"{{"domain":{domain},"event":"interrupt","line":{line}}}"#)
    }

    fn returned(value: usize) -> String {
        format!(r#"{{"domain":0,"thread":0,"event":"return","value":{value}}}"#)
    }

    fn compared(left: &str, right: &str) -> Compared {
        compare(left.as_bytes(), right.as_bytes(), false).unwrap()
    }

    /// Every event of both sides is in one row, in order.
    fn check(compared: &Compared, left: usize, right: usize) {
        let (mut at, mut to) = (0, 0);
        for row in &compared.rows {
            assert!(row.count > 0);
            if let Some(number) = row.left {
                assert_eq!(number, at);
                at += row.count;
            }
            if let Some(number) = row.right {
                assert_eq!(number, to);
                to += row.count;
            }
            assert!(!row.equal || (row.left.is_some() && row.right.is_some()));
        }
        assert_eq!((at, to), (left, right));
    }

    #[test]
    fn equal_logs_are_one_row() {
        let text = log((0..1000).map(returned));
        let same = compared(&text, &text);
        assert_eq!(same.rows, [Row { left: Some(0), right: Some(0), equal: true, count: 1000 }]);
        assert_eq!((same.first, same.explanation), (None, None));
        assert_eq!(same.verdict, Verdict::Agree { compared: 1000 });
    }

    #[test]
    fn an_event_more_and_a_changed_one_are_found() {
        let left = log([returned(1), interrupt(0, 1), returned(2), returned(3), returned(4)]);
        let right = log([
            returned(1),
            interrupt(0, 2),
            returned(2),
            interrupt(3, 9),
            returned(3),
            returned(4),
        ]);
        let found = compared(&left, &right);
        check(&found, 5, 6);
        let row = |left, right, equal, count| Row { left, right, equal, count };
        assert_eq!(
            found.rows,
            [
                row(Some(0), Some(0), true, 1),
                row(Some(1), Some(1), false, 1),
                row(Some(2), Some(2), true, 1),
                row(None, Some(3), false, 1),
                row(Some(3), Some(4), true, 2),
            ]
        );
        assert_eq!(found.first, Some(1));
        assert!(found.explanation.unwrap().contains("interrupt"));
    }

    #[test]
    fn a_log_that_ends_earlier_is_said_to() {
        let long = log((0..10).map(returned));
        let short = log((0..4).map(returned));
        let found = compared(&short, &long);
        check(&found, 4, 10);
        assert_eq!(found.first, Some(4));
        let text = found.explanation.unwrap();
        assert!(text.contains("left log has no more events"), "{text}");
    }

    #[test]
    fn what_is_no_log_is_refused() {
        let good = log([returned(1)]);
        for bad in ["", "x", "{}", "\u{0}"] {
            let error = compare(good.as_bytes(), bad.as_bytes(), false).unwrap_err();
            assert!(error.starts_with("the right file is not a log"), "{error}");
        }
        assert!(compare(&[0xff], good.as_bytes(), true).is_err());
    }

    #[test]
    fn a_million_events_with_differences_take_seconds() {
        let count = 1_000_000;
        let event = |i: usize| {
            if i.is_multiple_of(3) { interrupt(i % 7, i % 11) } else { returned(i % 1000) }
        };
        let left = log((0..count).map(event));
        // Something is missing, something is more, and at the end nothing is the same.
        let changed = (0..count).filter(|i| *i != 500_000).flat_map(|i| match i {
            600_000 => vec![event(i), interrupt(1, 99)],
            990_000.. => vec![returned(5000 + i)],
            _ => vec![event(i)],
        });
        let right = log(changed);
        let start = Instant::now();
        let found = compared(&left, &right);
        check(&found, count, count);
        // Unoptimised and beside other tests; in the page it is a fraction.
        assert!(start.elapsed() < Duration::from_secs(120), "{:?}", start.elapsed());
        println!("{:?}, {} rows", start.elapsed(), found.rows.len());
        assert_eq!(found.first, Some(500_000));
        assert!(found.rows.len() < 30_000);
    }
}
