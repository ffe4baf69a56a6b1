//! The real thing, or the real thing with one rule broken: to show that the comparison with the
//! reference, or the check of the invariants, would notice.

use alloc::vec::Vec;

use crate::capability::forest::some;
use crate::capability::{
    CapError, Capabilities, Capability, NONE, Object, Place, Removed, Slot, SpaceId,
};
use crate::rights::Rights;

/// What is broken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Broken {
    Nothing,
    /// A copy has every right.
    WidensRights,
    /// A copy is mapped where its source is.
    CopiesPlace,
    /// A badge that cannot be given is left out.
    IgnoresBadge,
    /// The source is looked at before the destination.
    SourceFirst,
    /// A deleted capability's children become originals.
    ForgetsReparenting,
    /// The last capability to an object is not told.
    LosesLast,
    /// An object has one reference too many after a copy.
    Miscounts,
    /// A revoke goes one generation deep.
    KeepsGrandchildren,
    /// A revoke takes its root along.
    RevokesSelf,
    /// A revoke goes on past its limit.
    ForgetsLimit,
    /// A revoke says it is done at its limit.
    SaysDone,
    /// What a revoke keeps becomes an original.
    LosesKept,
    /// A moved capability loses its children to its parent.
    MovesAlone,
    /// A move drops rights that children have.
    MovesFromChildren,
    /// A mapped capability can lose rights.
    MovesFromMapping,
    /// A capability can be put under its own descendant.
    DerivesCycles,
    /// A capability that has a parent is given another.
    DerivesTwice,
    /// A space that is being closed still takes capabilities.
    ClosingTakes,
    /// A second mapping takes the place of the first.
    MapsTwice,
}

pub(super) const ALL: [Broken; 19] = [
    Broken::WidensRights,
    Broken::CopiesPlace,
    Broken::IgnoresBadge,
    Broken::SourceFirst,
    Broken::ForgetsReparenting,
    Broken::LosesLast,
    Broken::Miscounts,
    Broken::KeepsGrandchildren,
    Broken::RevokesSelf,
    Broken::ForgetsLimit,
    Broken::SaysDone,
    Broken::LosesKept,
    Broken::MovesAlone,
    Broken::MovesFromChildren,
    Broken::MovesFromMapping,
    Broken::DerivesCycles,
    Broken::DerivesTwice,
    Broken::ClosingTakes,
    Broken::MapsTwice,
];

type Revoked = Result<(Vec<Removed>, bool), CapError>;

/// The capabilities under test.
#[derive(Debug)]
pub(super) struct Tested {
    pub(super) caps: Capabilities,
    pub(super) broken: Broken,
}

impl Tested {
    pub(super) fn insert(
        &mut self,
        at: Slot,
        object: Object,
        rights: Rights,
    ) -> Result<(), CapError> {
        if self.broken == Broken::ClosingTakes
            && let Some(id) = self.caps.spaces.find(at.space)
        {
            let was = core::mem::take(&mut self.caps.spaces.get_mut(id).closing);
            let result = self.caps.insert(at, object, rights);
            self.caps.spaces.get_mut(id).closing = was;
            return result;
        }
        self.caps.insert(at, object, rights)
    }

    pub(super) fn copy(
        &mut self,
        (from, to): (Slot, Slot),
        mask: Rights,
        badge: Option<u64>,
        grant: bool,
    ) -> Result<Capability, CapError> {
        if self.broken == Broken::SourceFirst {
            self.caps.lookup(from)?;
        }
        let caps = &mut self.caps;
        let mut copy = |badge| match grant {
            true => caps.grant(from, to, mask, badge),
            false => caps.copy(from, to, mask, badge),
        };
        let mut result = copy(badge);
        if self.broken == Broken::IgnoresBadge && matches!(result, Err(CapError::Badged(_))) {
            result = copy(None);
        }
        if result.is_ok() {
            self.after_copy(from, to);
        }
        result
    }

    fn after_copy(&mut self, from: Slot, to: Slot) {
        let id = self.caps.find(to).expect("it was just copied");
        let place = self.caps.lookup(from).expect("the source stays").mapped;
        match self.broken {
            Broken::WidensRights => self.caps.forest.node_mut(id).set_rights(Rights::ALL),
            Broken::CopiesPlace if place.is_some() => {
                self.caps.forest.node_mut(id).set_place(place);
            }
            Broken::Miscounts => self.caps.forest.counted_mut(id).references += 1,
            _ => {}
        }
    }

    pub(super) fn move_to(
        &mut self,
        from: Slot,
        to: Slot,
        mask: Rights,
    ) -> Result<Capability, CapError> {
        let result = self.caps.move_to(from, to, mask);
        match (self.broken, &result) {
            (Broken::MovesAlone, Ok(_)) => {
                let id = self.caps.find(to).expect("it was just moved");
                self.caps.forest.promote_children(id);
                result
            }
            (Broken::MovesFromChildren, Err(CapError::HasChildren(_)))
            | (Broken::MovesFromMapping, Err(CapError::Mapped(_))) => {
                let moved = self.caps.move_to(from, to, Rights::ALL);
                let id = self.caps.find(to).expect("it was just moved");
                let node = self.caps.forest.node_mut(id);
                node.set_rights(node.rights() & mask);
                moved
            }
            _ => result,
        }
    }

    pub(super) fn delete(&mut self, at: Slot) -> Result<Removed, CapError> {
        if self.broken == Broken::ForgetsReparenting
            && let Ok(id) = self.caps.find(at)
        {
            while let Some(child) = some(self.caps.forest.node(id).first_child) {
                self.make_original(child);
            }
        }
        let mut removed = self.caps.delete(at)?;
        removed.last &= self.broken != Broken::LosesLast;
        Ok(removed)
    }

    fn make_original(&mut self, id: u32) {
        self.caps.forest.unlink(id);
        self.caps.forest.link(id, NONE);
    }

    pub(super) fn revoke(&mut self, at: Slot, limit: usize) -> Revoked {
        if self.broken == Broken::KeepsGrandchildren
            && let Ok(id) = self.caps.find(at)
        {
            let children: Vec<_> = self.caps.forest.children(id).collect();
            for child in children {
                while let Some(grandchild) = some(self.caps.forest.node(child).first_child) {
                    self.make_original(grandchild);
                }
            }
        }
        let unlimited = self.broken == Broken::ForgetsLimit;
        let (mut removed, mut done) = self.caps.revoke(at, if unlimited { 99 } else { limit })?;
        if self.broken == Broken::RevokesSelf && done {
            removed.push(self.caps.delete(at)?);
        }
        done |= self.broken == Broken::SaysDone;
        Ok((removed, done))
    }

    pub(super) fn revoke_until(
        &mut self,
        at: Slot,
        limit: usize,
        keep: impl Fn(Slot, &Capability) -> bool,
    ) -> Revoked {
        let result = self.caps.revoke_until(at, limit, &keep);
        if self.broken == Broken::LosesKept
            && let Ok(id) = self.caps.find(at)
        {
            let children: Vec<_> = self.caps.forest.children(id).collect();
            children.into_iter().for_each(|child| self.make_original(child));
        }
        result
    }

    pub(super) fn derive(&mut self, root: Slot, under: Slot) -> Result<(), CapError> {
        let result = self.caps.derive(root, under);
        let refused = matches!(result, Err(CapError::NotRoot(_)));
        let (Ok(id), Ok(parent)) = (self.caps.find(root), self.caps.find(under)) else {
            return result;
        };
        let is_copy = self.caps.forest.node(id).parent != NONE;
        let breaks = match self.broken {
            Broken::DerivesCycles => refused && !is_copy && id != parent,
            Broken::DerivesTwice => refused && is_copy && id != parent,
            _ => false,
        };
        if !breaks {
            return result;
        }
        self.caps.forest.unlink(id);
        self.caps.forest.link(id, parent);
        // As if nothing were wrong: the state must tell.
        result
    }

    pub(super) fn close(&mut self, space: SpaceId, limit: usize) -> (Vec<Removed>, bool) {
        self.caps.close(space, limit)
    }

    pub(super) fn set_mapped(&mut self, at: Slot, place: Place) -> Result<(), CapError> {
        if self.broken == Broken::MapsTwice {
            let _ = self.caps.clear_mapped(at);
        }
        self.caps.set_mapped(at, place)
    }
}
