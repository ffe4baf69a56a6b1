//! What a divergence looks like, so that the same one is known again.

use lcd::differential::{Case, Outcome};
use lcd::model::event::Event;
use lcd_results::Signature;
use serde_json::Value;

/// Characters of an outcome that are kept.
const LONGEST: usize = 120;

/// The signature of a comparison that diverges: the kind of the first event that differs, the field,
/// and what each backend has there.
pub(super) fn of_case(case: &Case) -> Option<Signature> {
    if case.outcome != Outcome::Diverge {
        return None;
    }
    let Some(divergence) = &case.divergence else {
        return Some(without_event(case));
    };
    let (left, right) = (divergence.left.as_ref(), divergence.right.as_ref());
    let event = left.or(right).map_or("inputs", |event| event.kind.word());
    let field = divergence.fields.first().map_or("", |field| path(field));
    Some(Signature {
        event: event.into(),
        field: field.into(),
        left: side(left, field),
        right: side(right, field),
    })
}

/// One that shows in no event: a backend could not run the world, or the world's expectations are
/// not met.
fn without_event(case: &Case) -> Signature {
    let errors = |index: usize| {
        let run = case.backends.get(index);
        let text = run.map_or("not run", |run| run.error.as_deref().unwrap_or("ran"));
        shortened(text)
    };
    if case.backends.iter().any(|run| run.error.is_some()) {
        return Signature {
            event: "error".into(),
            field: String::new(),
            left: errors(0),
            right: errors(1),
        };
    }
    let side = |name: &str| {
        let line = case.unmet.iter().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        shortened(line.unwrap_or("as expected"))
    };
    Signature {
        event: "expectation".into(),
        field: String::new(),
        left: side("native"),
        right: side("sim"),
    }
}

/// A field as a comparison names it is a path, and then perhaps what differs there.
fn path(field: &str) -> &str {
    field.split([':', ' ']).next().unwrap_or(field)
}

/// What an event has in a field.
fn side(event: Option<&Event>, field: &str) -> String {
    let Some(event) = event else { return "no event".into() };
    let json = serde_json::to_value(event).unwrap_or_default();
    let mut keys = field.split(['.', '[', ']']).filter(|key| !key.is_empty());
    let found = keys.try_fold(&json, |value, key| match value {
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        other => other.get(key),
    });
    match found {
        Some(Value::String(text)) => shortened(text),
        Some(value) if !value.is_object() => shortened(&value.to_string()),
        _ => event.kind.word().into(),
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into(),
    }
}
