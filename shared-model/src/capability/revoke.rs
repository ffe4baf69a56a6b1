//! Taking back what was derived.
//!
//! A revoke works from the leaves upwards, so that whatever is left in the middle of one has
//! all its ancestors, and can still be revoked by each of them.

use alloc::vec::Vec;

use super::forest::{Forest, some};
use super::{CapError, Capabilities, Capability, Id, NONE, Removed, Slot};

/// Revokes that stopped at their limit, so that they need not go down a long chain again.
///
/// It is a memory of places, not of work to do: when one is lost the revoke starts at the top,
/// with the same result.
#[derive(Clone, Debug, Default)]
pub(super) struct Unfinished(Vec<(Id, Id)>);

/// How many revokes are remembered.
const REMEMBERED: usize = 8;

impl Unfinished {
    /// Where to go on with the revoke of `root`: it, or one of its descendants.
    fn resume(&mut self, root: Id) -> Id {
        let found = self.0.iter().position(|&(of, _)| of == root);
        found.map_or(root, |index| self.0.remove(index).1)
    }

    fn stop(&mut self, root: Id, at: Id) {
        if self.0.len() == REMEMBERED {
            self.0.remove(0);
        }
        self.0.push((root, at));
    }

    /// A node is going: who was there goes on at its parent, which is the revoked node or below
    /// it.
    pub(super) fn forget(&mut self, id: Id, parent: Id) {
        if self.0.is_empty() {
            return;
        }
        self.0.retain(|&(root, _)| root != id);
        for (_, at) in &mut self.0 {
            if *at == id {
                *at = parent;
            }
        }
    }

    pub(super) fn check(&self, forest: &Forest) {
        for &(root, at) in &self.0 {
            let on_the_way = forest.up(at).any(|above| above == root);
            assert!(on_the_way, "an unfinished revoke is where nothing is to be revoked");
        }
    }
}

impl Capabilities {
    /// Where revokes have stopped: what is revoked, and how far that came.
    #[cfg(test)]
    pub(crate) fn unfinished(&self) -> Vec<(Slot, Slot)> {
        let places = self.unfinished.0.iter();
        places.map(|&(root, at)| (self.slot_of(root), self.slot_of(at))).collect()
    }

    /// Removes the descendants of a capability, each after its own, at most `limit` of them.
    /// Whether that is done: if not, the caller must come again. The capability itself stays.
    ///
    /// # Errors
    /// As [`Capabilities::lookup`].
    pub fn revoke(&mut self, slot: Slot, limit: usize) -> Result<(Vec<Removed>, bool), CapError> {
        let root = self.find(slot)?;
        let mut removed = Vec::new();
        let mut at = self.unfinished.resume(root);
        loop {
            let (child, parent) = (self.forest.node(at).first_child, self.forest.node(at).parent);
            if child != NONE {
                at = child;
            } else if at == root {
                return Ok((removed, true));
            } else if removed.len() == limit {
                self.unfinished.stop(root, at);
                return Ok((removed, false));
            } else {
                removed.push(self.remove_leaf(at));
                at = parent;
            }
        }
    }

    /// As [`Capabilities::revoke`], but keeps every descendant for which `prune` says so, with
    /// all that is derived from it. As what it was derived from goes, it becomes a child of the
    /// revoked capability.
    ///
    /// `prune` must say the same of the same capability each time. Takes as many steps as there
    /// are capabilities removed and kept (of the kept ones, the uppermost).
    ///
    /// # Errors
    /// As [`Capabilities::lookup`].
    pub fn revoke_until(
        &mut self,
        slot: Slot,
        limit: usize,
        mut prune: impl FnMut(Slot, &Capability) -> bool,
    ) -> Result<(Vec<Removed>, bool), CapError> {
        let root = self.find(slot)?;
        let mut removed = Vec::new();
        let (mut at, mut next) = (root, some(self.forest.node(root).first_child));
        loop {
            if let Some(child) = next {
                if prune(self.slot_of(child), &self.forest.capability(child)) {
                    next = some(self.forest.node(child).next);
                } else {
                    (at, next) = (child, some(self.forest.node(child).first_child));
                }
            } else if at == root {
                return Ok((removed, true));
            } else if removed.len() == limit {
                return Ok((removed, false));
            } else {
                // Its children that are left are kept. They go to the start of the list, where
                // this revoke has been already.
                let above = self.forest.node(at).parent;
                let keeps_any = self.forest.node(at).first_child != NONE;
                let heir = (keeps_any && above != root).then_some(slot);
                while let Some(kept) = some(self.forest.node(at).first_child) {
                    self.forest.unlink(kept);
                    self.forest.link(kept, root);
                }
                next = some(self.forest.node(at).next);
                removed.push(Removed { heir, ..self.remove_leaf(at) });
                at = above;
            }
        }
    }

    fn remove_leaf(&mut self, id: Id) -> Removed {
        self.remove(id, self.slot_of(id), self.seat_of(id))
    }
}
