//! The derivation forest, as a log tells it.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::{CapabilitySnapshot, ObjectSnapshot, SpaceSnapshot};
use crate::capability::{Object, Slot, SpaceId};
use crate::rights::Rights;

/// A capability, wherever it moves to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Name(u64);

#[derive(Clone, Debug)]
struct Node {
    slot: Slot,
    object: Object,
    rights: Rights,
    badge: u64,
    parent: Option<Name>,
    children: BTreeSet<Name>,
}

/// All capabilities that the log has told of and that are not gone.
#[derive(Clone, Debug, Default)]
pub(super) struct Derivations {
    nodes: BTreeMap<Name, Node>,
    slots: BTreeMap<Slot, Name>,
    counts: BTreeMap<Object, u64>,
    next: u64,
}

impl Derivations {
    /// A capability has come into a slot: a new one, or one that was just moved there.
    pub(super) fn add(&mut self, slot: Slot, held: (Object, Rights, u64), from: Option<Slot>) {
        let (object, rights, badge) = held;
        if let Some(node) = self.slots.get(&slot).and_then(|name| self.nodes.get_mut(name)) {
            if node.object == object {
                (node.rights, node.badge) = (rights, badge);
                return;
            }
            self.remove(slot, None);
        }
        let parent = from.and_then(|from| self.find_parent(from, object));
        let name = self.insert(slot, held);
        self.link(name, parent);
    }

    /// A capability has left its slot, and there is none any more. What was derived from it is now
    /// derived from `heir`, or from what it was derived from itself.
    pub(super) fn remove(&mut self, slot: Slot, heir: Option<Slot>) {
        let mut forgotten = self.take(slot, heir);
        while let Some(slot) = forgotten {
            forgotten = self.take(slot, None);
        }
    }

    /// Removes one capability. Returns the slot of what it was derived from if nothing tells of that
    /// any more.
    fn take(&mut self, slot: Slot, heir: Option<Slot>) -> Option<Slot> {
        let name = self.slots.remove(&slot)?;
        let node = self.nodes.remove(&name)?;
        let heir = heir.and_then(|heir| self.slots.get(&heir).copied()).or(node.parent);
        for child in node.children {
            self.link(child, heir);
        }
        if let Some(count) = self.counts.get_mut(&node.object) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&node.object);
            }
        }
        self.unlink(name, node.parent?)
    }

    /// A capability goes to another slot with all that is derived from it.
    pub(super) fn move_to(&mut self, from: Slot, to: Slot) {
        self.remove(to, None);
        let Some(name) = self.slots.remove(&from) else { return };
        self.slots.insert(to, name);
        if let Some(node) = self.nodes.get_mut(&name) {
            node.slot = to;
        }
    }

    /// An original becomes a child.
    pub(super) fn derive(&mut self, slot: Slot, from: Slot) {
        let Some((&name, &parent)) = self.slots.get(&slot).zip(self.slots.get(&from)) else {
            return;
        };
        if let Some(before) = self.nodes.get(&name).and_then(|node| node.parent) {
            self.unlink(name, before);
        }
        self.link(name, Some(parent));
    }

    /// A space is gone with all that was in it.
    pub(super) fn close(&mut self, space: SpaceId) {
        let range = Slot { space, number: 0 }..=Slot { space, number: u64::MAX };
        let held: Vec<_> = self.slots.range(range).map(|(&slot, _)| slot).collect();
        held.into_iter().for_each(|slot| self.remove(slot, None));
    }

    pub(super) fn name(&self, slot: Slot) -> Option<Name> {
        self.slots.get(&slot).copied()
    }

    /// Where a capability is now.
    pub(super) fn slot(&self, name: Name) -> Option<Slot> {
        self.nodes.get(&name).map(|node| node.slot)
    }

    /// Whether any capability names an object.
    pub(super) fn is_named(&self, object: Object) -> bool {
        self.counts.contains_key(&object)
    }

    pub(super) fn spaces(&self) -> Vec<SpaceSnapshot> {
        let mut spaces: Vec<SpaceSnapshot> = Vec::new();
        for (&Slot { space, number }, name) in &self.slots {
            let Some(node) = self.nodes.get(name) else { continue };
            let from = node.parent.and_then(|parent| self.slot(parent));
            let Node { object, rights, badge, .. } = *node;
            let held = CapabilitySnapshot { slot: number, object, rights, badge, from };
            match spaces.last_mut() {
                Some(last) if last.space == space => last.capabilities.push(held),
                _ => spaces.push(SpaceSnapshot { space, capabilities: alloc::vec![held] }),
            }
        }
        spaces
    }

    pub(super) fn objects(&self) -> Vec<ObjectSnapshot> {
        let all = self.counts.iter();
        all.map(|(&object, &capabilities)| ObjectSnapshot { object, capabilities }).collect()
    }

    /// What a capability is derived from. Those that only this tells of have all rights that they
    /// can have, and no badge.
    fn find_parent(&mut self, slot: Slot, object: Object) -> Option<Name> {
        let rights = match slot.space {
            SpaceId::Host => Rights::ALL,
            SpaceId::Thread(_) => Rights::WRITE | Rights::GRANT,
            SpaceId::Boot(_) | SpaceId::Domain(_) => return self.name(slot),
        };
        Some(self.name(slot).unwrap_or_else(|| self.insert(slot, (object, rights, 0))))
    }

    fn insert(&mut self, slot: Slot, (object, rights, badge): (Object, Rights, u64)) -> Name {
        let name = Name(self.next);
        self.next += 1;
        let (parent, children) = (None, BTreeSet::new());
        self.nodes.insert(name, Node { slot, object, rights, badge, parent, children });
        self.slots.insert(slot, name);
        *self.counts.entry(object).or_default() += 1;
        name
    }

    fn link(&mut self, child: Name, parent: Option<Name>) {
        if let Some(node) = self.nodes.get_mut(&child) {
            node.parent = parent;
        }
        if let Some(above) = parent.and_then(|parent| self.nodes.get_mut(&parent)) {
            above.children.insert(child);
        }
    }

    /// A child is gone. Returns its parent's slot if only its children told of that, and this was the
    /// last.
    fn unlink(&mut self, child: Name, parent: Name) -> Option<Slot> {
        let above = self.nodes.get_mut(&parent)?;
        above.children.remove(&child);
        let is_told_of = match above.slot.space {
            SpaceId::Host => false,
            SpaceId::Thread(_) => above.parent.is_some(),
            SpaceId::Boot(_) | SpaceId::Domain(_) => true,
        };
        (!is_told_of && above.children.is_empty()).then_some(above.slot)
    }
}
