//! What is the case at one moment of a run, from its log alone: which domains and threads there
//! are, who may do what and has it from whom, and what is mapped where.
//!
//! A [`Fold`] takes the events one by one, and can say after each what is the case. It believes the
//! log: of one that tells of things out of their order, or that was written before it told all of
//! this, it makes what it can.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::abi::Hypercall;
use crate::address::{Frame, GuestPhysical};
use crate::capability::{Object, Slot, SpaceId};
use crate::domain::{DomainId, ThreadId};
use crate::event::Event;
use crate::exit::{End, KillReason};
use crate::rights::Rights;

mod derivations;
mod fold;
#[cfg(test)]
mod tests;

pub use fold::Fold;

/// What is the case at one moment of a run. Everything is in the order of its numbers.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Snapshot {
    /// Every domain there is or was.
    pub domains: Vec<DomainSnapshot>,
    /// Every capability space that holds something: those of domains, and the own ones of threads.
    /// Of the host's space, and of threads' own rights to be answered, only that from which
    /// something is derived. The pages that a domain is built from are in its `memory`.
    pub spaces: Vec<SpaceSnapshot>,
    /// Everything that these capabilities name.
    pub objects: Vec<ObjectSnapshot>,
}

impl Snapshot {
    /// What is the case after these events, which are a log from its beginning.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut fold = Fold::new();
        events.into_iter().for_each(|event| fold.apply(event));
        fold.snapshot()
    }
}

/// A domain.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DomainSnapshot {
    /// Its number.
    pub id: DomainId,
    /// Its name; empty for one that was created without and has none yet.
    pub name: String,
    /// How far its life has come.
    pub state: DomainStage,
    /// Every thread it has or had.
    pub threads: Vec<ThreadSnapshot>,
    /// What is mapped in its guest-physical space, in the order of addresses. While a domain is
    /// taken apart, what it was built from counts as mapped until it is gone.
    pub memory: Vec<MappedRange>,
}

/// How far a domain's life has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DomainStage {
    /// Nothing is loaded.
    Created,
    /// It has what it runs, and its initial thread.
    Loaded,
    /// A thread was started.
    Running,
    /// All its threads have ended.
    Ended,
    /// It is gone.
    Destroyed,
}

/// A thread.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ThreadSnapshot {
    /// Its number.
    pub id: ThreadId,
    /// Its number within the domain, which another can have after it has ended.
    pub index: u32,
    /// How far its life has come.
    pub state: ThreadStage,
    /// The hypercall that it waits in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Hypercall>,
    /// The fault that somebody else is to deal with, for which it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<KillReason>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<End>,
}

/// How far a thread's life has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ThreadStage {
    /// It has not run.
    Created,
    /// It runs, or waits for its turn.
    Running,
    /// Somebody has suspended it.
    Suspended,
    /// It is in a hypercall that takes longer, or waits because of a fault.
    Waiting,
    /// It will not run any more.
    Ended,
}

/// Adjacent pages that lead to adjacent frames, with the same rights, under the same capability.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MappedRange {
    /// The first page.
    pub page: GuestPhysical,
    /// The frame that it leads to.
    pub frame: Frame,
    /// How many pages.
    pub pages: u64,
    /// What the mapping allows.
    pub rights: Rights,
    /// Whether these are pages that the domain was built from.
    pub boot: bool,
    /// The domain's slot whose capability they are mapped under, where that is known. The domain
    /// cannot name those of its boot pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<u64>,
}

/// A capability space.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SpaceSnapshot {
    /// Whose.
    pub space: SpaceId,
    /// What it holds.
    pub capabilities: Vec<CapabilitySnapshot>,
}

/// A capability.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CapabilitySnapshot {
    /// Its slot.
    pub slot: u64,
    /// What it names.
    #[cfg_attr(feature = "schema", schema(value_type = crate::capability::CapabilityObject))]
    pub object: Object,
    /// What it allows.
    pub rights: Rights,
    /// Its badge; 0 is none.
    #[serde(default)]
    pub badge: u64,
    /// The capability that it is derived from; none if it is an original.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Slot>,
}

/// What capabilities name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ObjectSnapshot {
    /// What it is.
    #[cfg_attr(feature = "schema", schema(value_type = crate::capability::CapabilityObject))]
    pub object: Object,
    /// How many of the snapshot's capabilities name it.
    pub capabilities: u64,
}
