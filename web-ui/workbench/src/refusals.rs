//! Why something was refused, from as much of a log as it takes.

use serde_json::{Value, json};
use shared_model::event::Event;
use shared_model::refusal::{Earlier, Excerpt};

/// Why an event was a refusal. `beginning` are the log's first lines, `lines` those from number `from`
/// on, up to the event's at least.
pub(crate) fn refusal(
    event: usize,
    beginning: &[u8],
    from: usize,
    lines: &[u8],
) -> Result<Value, String> {
    let (beginning, events) = (parse(beginning, 0)?, parse(lines, from)?);
    if event >= from.saturating_add(events.len()) {
        return Err(format!("event {event} is not among the lines"));
    }
    let excerpt = Excerpt { beginning: &beginning, from, events: &events };
    Ok(match excerpt.refusal(event) {
        Ok(refusal) => json!({ "refusal": refusal }),
        Err(Earlier) => json!({ "earlier": true }),
    })
}

fn parse(lines: &[u8], from: usize) -> Result<Vec<Event>, String> {
    let lines = lines.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    let parse = |(number, line): (usize, &[u8])| {
        serde_json::from_slice(line).map_err(|error| format!("event {number}: {error}"))
    };
    (from..).zip(lines).map(parse).collect()
}
