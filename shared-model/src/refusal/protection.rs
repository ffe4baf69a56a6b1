//! General protection faults. The log does not say what the instruction was; if it was an access to
//! a port, the port is mostly in `dx`.

use alloc::format;
use alloc::string::ToString;

use super::history::{Held, History, describe, letter};
use super::{By, Refusal};
use crate::capability::{Object, Ports};
use crate::domain::DomainId;
use crate::exit::Access;
use crate::rights::Rights;

/// The vector of these faults.
pub(super) const GENERAL_PROTECTION: u8 = 13;

/// What was refused to a thread, with `dx` as it was then, if that is known.
pub(super) fn refused(history: History<'_>, by: By, dx: Option<u16>) -> Refusal {
    let ports = dx.and_then(|port| Some((port, capability_to(history, by.domain, port)?)));
    let who = history.who(by.domain, by.thread);
    let text = format!("{who} was stopped by the processor's general protection.");
    let base = by.refusal(Access::Execute.to_string(), text);
    let Some((port, (slot, held))) = ports else { return anything(base) };
    let which = describe(held.added.object);
    let rights = held.added.rights;
    let missing = [Rights::READ, Rights::WRITE].into_iter().find(|&right| !rights.contains(right));
    let about = Refusal { slot: Some(slot), object: Some(held.added.object), ..base };
    match (held, missing) {
        (Held { removed: Some(removed), .. }, _) => {
            let operation = history.operation(removed.event);
            let text = format!(
                "{} `dx` names port {port:#x}: until event {}, the domain had a capability to {which} \
                 in slot {slot}, with the rights {rights}; then that was taken away: {}.",
                about.text,
                removed.event,
                history.whose(operation)
            );
            Refusal { text, taken_by: Some(removed.event), operation, ..about }
        }
        (_, Some(missing)) => {
            let given = history.narrowed(held.added, missing);
            let text = format!(
                "{} `dx` names port {port:#x}: the domain has a capability to {which} in slot {slot}, \
                 with the rights {rights}, to which `in` or `out` needs another. It came so with \
                 event {given}: {}.",
                about.text,
                history.whose(history.operation(given))
            );
            let operation = history.operation(given);
            Refusal {
                text,
                missing: Some(letter(missing)),
                taken_by: Some(given),
                operation,
                ..about
            }
        }
        (_, None) => anything(Refusal { slot: None, object: None, ..about }),
    }
}

/// A capability of a domain to a port, with its slot: of those that it still has one that allows
/// everything, if possible, and otherwise the one that went last.
fn capability_to(history: History<'_>, domain: DomainId, port: u16) -> Option<(u64, Held)> {
    let all = history.all_held(domain, |object| {
        matches!(object, Object::Ports(Ports { first, last }) if (first..=last).contains(&port))
    });
    let here = || all.iter().filter(|(_, held)| held.removed.is_none());
    let everything = Rights::READ | Rights::WRITE;
    let best = here().find(|(_, held)| held.added.rights.contains(everything)).or(here().next());
    let last = || all.iter().max_by_key(|(_, held)| held.removed.map(|removed| removed.event));
    best.or_else(last).copied()
}

/// No capability that is known would have allowed it.
fn anything(base: Refusal) -> Refusal {
    let text = format!(
        "{} It did what no domain may do: use an I/O port to which it has no capability, execute a \
         privileged instruction, or access an address that is not canonical.",
        base.text
    );
    Refusal { text, ..base }
}
