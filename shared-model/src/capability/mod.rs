//! Capabilities: who may do what to which object, and who gave it to them.
//!
//! A capability lives in a slot of a space. Copying it to another slot makes the copy its
//! child, with the same rights or fewer; the children, their children and so on are its
//! descendants. Revoking a capability removes all descendants and nothing else; deleting it
//! hands its children to its parent. An object whose last capability is gone is gone.
//!
//! What must always hold (and is checked by [`Capabilities::check`] in tests):
//!
//! 1. The derivations form a forest.
//! 2. A child names the same object as its parent, and its rights are among its parent's.
//! 3. A badge never changes: a child has its parent's, unless its parent has none.
//! 4. A slot and its capability name each other, and a capability is in one slot.
//! 5. An object is counted while a capability names it, with exactly as many as do.
//! 6. A space has a table exactly where something is in it or below it.
//!
//! An operation that is refused changes nothing. The order in which it looks is part of its
//! meaning, as an error tells what was found first: the destination's number and space, whether
//! it is occupied, the source, its kind, its rights.
//!
//! | operation | takes |
//! |---|---|
//! | lookups, insert, copy, move | at most four steps |
//! | delete | as many steps as there are children |
//! | revoke, close | as many steps as there are capabilities to remove, within a limit |

mod check;
pub mod cptr;
mod forest;
mod operations;
mod query;
mod revoke;
mod spaces;
mod tables;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::address::{Frame, GuestPhysical};
use crate::domain::{DomainId, ThreadId};
use crate::rights::Rights;

use forest::Forest;
use spaces::Spaces;
use tables::Tables;

/// A rendezvous of senders and receivers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct EndpointId(pub u32);

/// A word of bits that threads set and wait for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct NotificationId(pub u32);

/// A pair of message rings between two domains.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct ChannelId(pub u32);

/// A range of I/O ports.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Ports {
    /// The lowest.
    pub first: u16,
    /// The highest, which is part of the range.
    pub last: u16,
}

/// What a capability can name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = CapabilityObject))]
#[serde(rename_all = "snake_case")]
pub enum Object {
    /// A block of pages, named by its first frame.
    Page(Frame),
    /// A block of pages that the host lent: never freed here.
    Lent(Frame),
    /// A domain, to configure, start and give capabilities to.
    Domain(DomainId),
    /// A domain that runs in the host.
    HostDomain(DomainId),
    /// An endpoint.
    Endpoint(EndpointId),
    /// A notification.
    Notification(NotificationId),
    /// A channel.
    Channel(ChannelId),
    /// I/O ports.
    Ports(Ports),
    /// An interrupt line.
    Interrupt(u8),
    /// The right to answer a thread that waits for an answer.
    Reply(ThreadId),
}

/// What schemas call [`Object`], as in them that word means anything at all.
#[cfg(feature = "schema")]
pub(crate) type CapabilityObject = Object;

impl Object {
    /// Whether its capabilities can be mapped.
    pub const fn is_memory(self) -> bool {
        matches!(self, Self::Page(_) | Self::Lent(_) | Self::Channel(_))
    }

    /// Whether its capabilities can have a badge.
    pub const fn takes_badge(self) -> bool {
        self.badge_max() > 0
    }

    /// The largest badge that its capabilities can have. A channel's says which end it is.
    pub const fn badge_max(self) -> u64 {
        match self {
            Self::Endpoint(_) | Self::Notification(_) => u64::MAX,
            Self::Channel(_) => 1,
            _ => 0,
        }
    }
}

/// A space of slots.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum SpaceId {
    /// The microkernel's own: the origin of what it hands out.
    Host,
    /// The pages a domain was built from (tables, image, stack, UTCB). They are mapped under
    /// these capabilities, and the domain itself cannot name them.
    Boot(DomainId),
    /// A domain's own, whose slots its hypercalls name.
    Domain(DomainId),
    /// What belongs to one thread: the numbers [`cptr::CALL`] and [`cptr::REPLY`] lead here.
    Thread(ThreadId),
}

/// A place for a capability.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Slot {
    /// The space.
    pub space: SpaceId,
    /// The number within it, as [`cptr`] describes.
    pub number: u64,
}

/// Where memory is mapped.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// In a domain's guest-physical space.
    Memory {
        /// The domain.
        domain: DomainId,
        /// The first page, below 2^48.
        page: GuestPhysical,
    },
    /// In the I/O space of a domain's device.
    Device {
        /// The domain.
        domain: DomainId,
        /// The first page's address, below 2^31.
        page: u64,
    },
}

/// Why a capability operation was refused. Nothing has changed then.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum CapError {
    /// The slot is empty.
    #[error("slot {} is empty", .0.number)]
    Empty(Slot),
    /// The destination holds a capability.
    #[error("slot {} is in use", .0.number)]
    Occupied(Slot),
    /// Not a slot: the number is reserved, or malformed.
    #[error("there is no slot {}", .0.number)]
    NoSlot(Slot),
    /// The capability lacks a right.
    #[error("the capability in slot {slot} lacks the right {right}", slot = .0.number, right = .1)]
    Lacks(Slot, Rights),
    /// The capability is of another kind.
    #[error("slot {} holds a capability of another kind", .0.number)]
    WrongKind(Slot),
    /// A capability can be mapped once, and keeps its rights while it is.
    #[error("the capability in slot {} is mapped already", .0.number)]
    Mapped(Slot),
    /// The capability has a badge already, or is of a kind that takes none, or not this one.
    #[error("the capability in slot {} cannot be given a badge", .0.number)]
    Badged(Slot),
    /// A right cannot be dropped while a child has it.
    #[error("a child of the capability in slot {} has more rights: revoke it first", .0.number)]
    HasChildren(Slot),
    /// The capability is a copy, or what it is to be put under is derived from it.
    #[error("the capability in slot {} cannot become another's child", .0.number)]
    NotRoot(Slot),
    /// The space was never opened, or is being destroyed, or is gone.
    #[error("there is no such capability space")]
    NoSpace(SpaceId),
}

/// One capability, as a holder sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Capability {
    /// What it names.
    pub object: Object,
    /// What it allows.
    pub rights: Rights,
    /// A number that its giver chose and its holder cannot change; 0 is none.
    pub badge: u64,
    /// Where it is mapped, if it is memory.
    pub mapped: Option<Place>,
}

/// A capability that an operation removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Removed {
    /// Where it was.
    pub slot: Slot,
    /// What it was. If it was mapped, the caller must unmap it.
    pub capability: Capability,
    /// No capability to the object is left: the caller must free it.
    pub last: bool,
    /// What its children are children of now, if not of its parent.
    pub heir: Option<Slot>,
}

/// All capabilities and the derivation forest over them.
#[derive(Clone, Debug, Default)]
pub struct Capabilities {
    spaces: Spaces,
    tables: Tables,
    forest: Forest,
    unfinished: revoke::Unfinished,
}

impl Capabilities {
    /// No space, and no capability at all.
    pub fn new() -> Self {
        Self::default()
    }
}

/// Where a slot is. It holds until a table is given back.
///
/// The steps of an operation that hand this or a capability on are always inlined: through memory,
/// as results, they take longer than the steps themselves.
#[derive(Clone, Copy, Debug)]
struct Seat {
    space: Id,
    at: cptr::Fields,
    /// The table, if it exists.
    table: Id,
}

/// A link between the arenas' elements. Half the size of a pointer.
type Id = u32;

/// The link that leads nowhere.
const NONE: Id = Id::MAX;

/// Appends to an arena. It grows by a quarter, so that at most a fifth of it is ever unused.
fn push<T>(arena: &mut Vec<T>, element: T) -> Id {
    if arena.len() == arena.capacity() {
        arena.reserve_exact((arena.len() / 4).max(16));
    }
    let id = Id::try_from(arena.len()).ok().filter(|&id| id != NONE);
    arena.push(element);
    id.expect("memory ends before ids do")
}
