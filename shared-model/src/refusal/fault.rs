//! Accesses to memory.

use alloc::format;
use alloc::string::{String, ToString};

use super::history::{History, Mapping, letter, right_name};
use super::{By, Refusal, tried};
use crate::address::{GuestPhysical, GuestVirtual, PAGE_SIZE};
use crate::capability::{Object, Slot, SpaceId};
use crate::exit::Access;
use crate::hex::Hex;
use crate::layout;
use crate::rights::Rights;

/// The vector of page faults.
pub(super) const PAGE_FAULT: u8 = 14;

const fn needed(access: Access) -> Rights {
    match access {
        Access::Read => Rights::READ,
        Access::Write => Rights::WRITE,
        Access::Execute => Rights::EXECUTE,
    }
}

/// An access that the domain's tables allow, and no capability.
pub(super) fn refused(
    history: History<'_>,
    by: By,
    address: GuestVirtual,
    physical: GuestPhysical,
    access: Access,
) -> Refusal {
    let who = history.who(by.domain, by.thread);
    let text = format!("{who} {} {address} (guest-physical {physical}).", tried(access));
    let base = Refusal {
        address: Some(Hex(address.0)),
        physical: Some(Hex(physical.0)),
        ..by.refusal(access.to_string(), text)
    };
    let Refusal { text, .. } = &base;
    let page = physical.page();
    if layout::window_rights(page).is_none() {
        let why = match history.built(by.domain, page) {
            Some(rights) if !rights.contains(needed(access)) => format!(
                "That page is one the domain was built from, with the rights {rights}: nobody can \
                 be given more to it."
            ),
            _ => String::from(
                "Nothing was ever mapped there: it is outside the windows into which capabilities \
                 can be mapped, and none of the pages that the domain was built from.",
            ),
        };
        return Refusal { text: format!("{text} {why}"), ..base };
    }
    match history.mapping(by.domain, page) {
        None => Refusal {
            text: format!(
                "{text} No capability was ever mapped at that page, so there never was a right to \
                 it."
            ),
            ..base
        },
        Some(mapping @ Mapping { unmapped: Some(event), .. }) => {
            taken_away(history, by, base, mapping, event)
        }
        Some(mapping) => too_narrow(history, by, base, mapping, needed(access)),
    }
}

/// What was mapped there is not any more.
fn taken_away(
    history: History<'_>,
    by: By,
    base: Refusal,
    mapping: Mapping,
    unmapped: usize,
) -> Refusal {
    let removal = history.removal_after(unmapped, by.domain);
    let taken_by = removal.unwrap_or(unmapped);
    let operation = history.operation(taken_by);
    let slot = mapping.slot.map_or_else(String::new, |slot| format!(" in slot {slot}"));
    let what = match removal {
        Some(_) => "was taken away",
        None => "was unmapped",
    };
    let text = format!(
        "{} Until event {taken_by}, frame {} was mapped there with the rights {}, under the \
         capability{slot}; then that {what}: {}.",
        base.text,
        mapping.frame,
        mapping.rights,
        history.whose(operation)
    );
    Refusal {
        text,
        slot: mapping.slot,
        object: object(history, by, mapping),
        taken_by: Some(taken_by),
        operation,
        ..base
    }
}

/// What is mapped there does not allow it.
fn too_narrow(
    history: History<'_>,
    by: By,
    base: Refusal,
    mapping: Mapping,
    right: Rights,
) -> Refusal {
    let held = mapping
        .slot
        .and_then(|number| history.held(Slot { space: SpaceId::Domain(by.domain), number }));
    let capability = held.filter(|held| !held.added.rights.contains(right));
    let (taken_by, what) = match capability {
        Some(held) => {
            let narrowed = history.narrowed(held.added, right);
            let which = if narrowed == held.added.event { "it" } else { "what it is derived from" };
            (narrowed, format!("the capability itself lacks it, as {which} was given without it"))
        }
        None => (mapping.event, String::from("it was mapped without it")),
    };
    let operation = history.operation(taken_by);
    let slot = mapping.slot.map_or_else(String::new, |slot| format!(" in slot {slot}"));
    let text = format!(
        "{} The page is mapped under the capability{slot} with the rights {}, without the right to \
         {}: {what} in event {taken_by}; {}.",
        base.text,
        mapping.rights,
        right_name(right),
        history.whose(operation)
    );
    Refusal {
        text,
        slot: mapping.slot,
        object: object(history, by, mapping),
        missing: Some(letter(right)),
        taken_by: Some(taken_by),
        operation,
        ..base
    }
}

/// What the capability names under which something was mapped.
fn object(history: History<'_>, by: By, mapping: Mapping) -> Option<Object> {
    let slot = Slot { space: SpaceId::Domain(by.domain), number: mapping.slot? };
    Some(history.held(slot)?.added.object)
}

/// An access that the domain's own page tables refuse.
pub(super) fn by_tables(
    history: History<'_>,
    by: By,
    code: u32,
    address: GuestVirtual,
) -> Option<Refusal> {
    // Intel SDM vol. 3, 4.7: bit 0 is set where an entry is present and forbids it, bit 1 for a
    // write, bit 3 for a malformed entry, bit 4 for a fetch.
    let access = match code {
        code if code & 16 != 0 => Access::Execute,
        code if code & 2 != 0 => Access::Write,
        _ => Access::Read,
    };
    let (why, missing) = match (code & 1 != 0, access) {
        (false, _) if address.0 < PAGE_SIZE => {
            ("That is the page of null pointers, which is never mapped.", None)
        }
        (false, _) => (
            "The domain's own page tables lead nowhere from there: neither a page it was built \
             from nor a window is at that address.",
            None,
        ),
        (true, Access::Write) => (
            "The domain's own page tables protect that page from writing: it holds code or \
             constants, or is the microkernel's.",
            Some(Rights::WRITE),
        ),
        (true, Access::Execute) => (
            "The domain's own page tables let nobody execute what is on that page: nothing is both \
             writable and executable.",
            Some(Rights::EXECUTE),
        ),
        (true, Access::Read) => ("The domain's own page tables do not allow that.", None),
    };
    let who = history.who(by.domain, by.thread);
    let text = format!("{who} {} {address}. {why}", tried(access));
    Some(Refusal {
        address: Some(Hex(address.0)),
        missing: missing.map(letter),
        ..by.refusal(access.to_string(), text)
    })
}

/// An import that no module provides.
pub(super) fn unprovided(history: History<'_>, by: By, symbol: &str, access: Access) -> Refusal {
    let who = history.who(by.domain, by.thread);
    let did = match access {
        Access::Execute => "called",
        other => tried(other),
    };
    let text = format!(
        "{who} {did} `{symbol}`, which none of the domain's modules provides: such an import leads \
         to a page that is never mapped."
    );
    by.refusal(access.to_string(), text)
}
