//! What a difference is, in plain words, what it usually means, and where to look.

use shared_model::compare::Divergence;
use shared_model::event::{Event, EventKind};

/// The first difference in words.
pub(super) fn explain(divergence: &Divergence, outcomes: bool) -> String {
    let fields = &divergence.fields;
    let begins = |word: &str| fields.first().is_some_and(|field| field.starts_with(word));
    if outcomes {
        return format!(
            "The outcomes differ: {}. Compare event by event to see where that begins.",
            fields.join("; ")
        );
    }
    match (&divergence.left, &divergence.right) {
        (None, None) if begins("inputs") => {
            "These are logs of different worlds or of different modules: their inputs differ. Only \
             runs of the same world and the same modules can be compared."
                .into()
        }
        (None, None) => format!(
            "The threads took turns in different ways ({}), so that the order of events says \
             nothing. Run both with the same schedule, or compare only the outcomes.",
            fields.join("; ")
        ),
        (Some(event), None) => ends_earlier("right", "left", event),
        (None, Some(event)) => ends_earlier("left", "right", event),
        (Some(left), Some(right)) => both(left, right, fields),
    }
}

fn ends_earlier(short: &str, long: &str, event: &Event) -> String {
    format!(
        "The {short} log has no more events, and the {long} one goes on with {}. The shorter run was \
         stopped (by a limit, or from outside), or it waits for something that happened only on the \
         other side. Look at the last events of each thread in it.",
        what(event)
    )
}

fn both(left: &Event, right: &Event, fields: &[String]) -> String {
    let same_kind = left.kind.word() == right.kind.word();
    if left.thread != right.thread || left.domain != right.domain {
        return format!(
            "Other threads were at work: on the left {}, on the right {}. Up to here the runs are \
             equal, so the difference is in whose turn it was, or a thread woke on one side only. \
             Look at who waits for whom just before, and at the schedule of the two runs.",
            what(left),
            what(right)
        );
    }
    if !same_kind {
        return format!(
            "{} did different things: on the left {}, on the right {}. It went another way since its \
             last event: it read something else, or an instruction had another result. Step through \
             both from that event on and compare the registers.",
            capital(&who(left)),
            what(left),
            what(right)
        );
    }
    format!(
        "On both sides {}, but not the same: {}. {}",
        what(left),
        shortened(&fields.join("; ")),
        meaning(&left.kind, fields)
    )
}

/// What it usually means that two events of a kind differ in these fields.
fn meaning(kind: &EventKind, fields: &[String]) -> &'static str {
    let touches = |part: &str| fields.iter().any(|field| field.contains(part));
    match kind {
        EventKind::Hypercall { .. } | EventKind::Completed { .. } if touches("status") => {
            "The microkernel is the same on every backend, so it was asked in another situation: look \
             at the capability and the mapping that this call is about, and at the last event that \
             changed them."
        }
        EventKind::Hypercall { .. } => {
            "The program computed other arguments. Step through the thread from its event before this \
             one, and look where the registers begin to differ."
        }
        EventKind::Ended { .. } if touches("registers") && !touches("reason") => {
            "The thread ended in the same way with other registers: an instruction since its last event \
             computes something else on one of the two. Step through those instructions; a flag alone \
             may be one that the manual leaves undefined."
        }
        EventKind::Ended { .. } => {
            "The thread ended for another reason. Look at the instruction at its end, and at the page or \
             the capability that it touched."
        }
        EventKind::Memory { .. } | EventKind::MemoryTotal { .. } | EventKind::Buffer { .. } => {
            "All events before are equal, so something was written that no event shows: a store with \
             another value or to another place. Set a watch on this page, and run both to where it \
             changes."
        }
        EventKind::Loaded { .. } | EventKind::LoadFailed { .. } => {
            "The modules are not the same in memory. Compare their files, and what they were linked with."
        }
        EventKind::Message { .. } | EventKind::Signalled { .. } => {
            "The sender sent something else. Step through the sender from its event before this one."
        }
        EventKind::CapabilityAdded { .. }
        | EventKind::CapabilityRemoved { .. }
        | EventKind::CapabilityDerived { .. }
        | EventKind::Mapped { .. }
        | EventKind::Unmapped { .. } => {
            "One of the two gave or took something else. Look at the hypercall just before: its \
             arguments, and what the capability allowed."
        }
        EventKind::TimeAdvanced { .. } | EventKind::Interrupt { .. } => {
            "The model's clock stood elsewhere: a thread asked for another time, or went to sleep at \
             another. Look at the last calls of `sleep`, `time` and the timer."
        }
        EventKind::Port { .. } | EventKind::DeviceOutput { .. } => {
            "A device saw or answered something else. Look at what was written to its ports before."
        }
        EventKind::Faulted { .. } => {
            "Another access was refused, or at another instruction. Look at which capability the page \
             needs, and which operation took it away."
        }
        EventKind::Return { .. } | EventKind::Call { .. } | EventKind::Dumped { .. } => {
            "The function computed something else. Step through it from where it was called."
        }
        _ => "Step through the events just before, on both sides.",
    }
}

/// An event in a few words.
fn what(event: &Event) -> String {
    match &event.kind {
        EventKind::Hypercall { call: Some(call), .. } => {
            format!("{} makes the hypercall {}", who(event), call.name())
        }
        EventKind::Completed { call, .. } => {
            format!("the hypercall {} of {} is over", call.name(), who(event))
        }
        EventKind::Ended { .. } => format!("{} ends", who(event)),
        kind => format!("the event {} of {}", kind.word(), who(event)),
    }
}

fn who(event: &Event) -> String {
    match event.thread {
        Some(thread) => format!("thread {} (domain {})", thread.0, event.domain.0),
        None => format!("domain {}", event.domain.0),
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// A text that may have a whole page of memory in it.
fn shortened(text: &str) -> String {
    const MAX: usize = 300;
    match text.char_indices().nth(MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into(),
    }
}
