//! The core's own tests.

mod channels;
mod compared;
mod large;
mod original;
mod reference;
mod rules;
mod sabotage;

use super::{Capabilities, Object, Slot, SpaceId};
use crate::address::Frame;
use crate::domain::DomainId;

const PAGE: Object = Object::Page(Frame(7));

fn space(domain: u32) -> SpaceId {
    SpaceId::Domain(DomainId(domain))
}

fn slot(domain: u32, number: u64) -> Slot {
    Slot { space: space(domain), number }
}

/// Some domains' spaces, with nothing in them.
fn with_spaces(domains: u32) -> Capabilities {
    let mut caps = Capabilities::new();
    (0..domains).for_each(|domain| caps.open(space(domain)));
    caps
}
