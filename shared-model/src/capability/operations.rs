//! Inserting, copying, moving, deleting.

use alloc::vec::Vec;

use super::{
    CapError, Capabilities, Capability, Id, NONE, Object, Place, Removed, Seat, Slot, SpaceId,
};
use crate::rights::Rights;

impl Capabilities {
    /// Opens a space. One that is open, or being closed, stays as it is.
    pub fn open(&mut self, space: SpaceId) {
        if self.spaces.find(space).is_none() {
            self.spaces.make(space);
        }
    }

    /// Deletes a space's capabilities, at most `limit` of them, and then the space. Whether
    /// that is done; until it is, the space takes nothing any more, and the caller must come
    /// again. A table's slots come before the tables below it.
    ///
    /// A space that does not exist is closed already.
    pub fn close(&mut self, space: SpaceId, limit: usize) -> (Vec<Removed>, bool) {
        let mut removed = Vec::new();
        let Some(id) = self.spaces.find(space) else { return (removed, true) };
        self.spaces.get_mut(id).closing = true;
        while let Some(number) = self.tables.first_used(self.spaces.get(id).root) {
            if removed.len() == limit {
                return (removed, false);
            }
            let gone = self.delete(Slot { space, number });
            removed.push(gone.expect("the slot is in use"));
        }
        self.spaces.forget(id);
        (removed, true)
    }

    /// Puts an original capability, one with no parent and no badge, into a slot.
    ///
    /// # Errors
    /// As [`Capabilities::vacant`].
    pub fn insert(&mut self, slot: Slot, object: Object, rights: Rights) -> Result<(), CapError> {
        let seat = self.destination(slot)?;
        let id = self.forest.plant(seat.space, slot.number, object, rights);
        self.fill(seat, id);
        Ok(())
    }

    /// Copies a capability, with those of its rights that are in `mask`, and makes the copy its
    /// child. The copy is not mapped. It has the source's badge; if that is none, it can be
    /// given one.
    ///
    /// # Errors
    /// As [`Capabilities::vacant`] for the destination, then as [`Capabilities::lookup`] for
    /// the source, then [`CapError::Badged`] if it is to get a badge and cannot.
    pub fn copy(
        &mut self,
        from: Slot,
        to: Slot,
        mask: Rights,
        badge: Option<u64>,
    ) -> Result<Capability, CapError> {
        self.derive_copy(from, to, mask, badge, Rights::NONE)
    }

    /// As [`Capabilities::copy`], for a source that its holder may pass on.
    ///
    /// # Errors
    /// As [`Capabilities::copy`], then [`CapError::Lacks`] if the source has no grant.
    pub fn grant(
        &mut self,
        from: Slot,
        to: Slot,
        mask: Rights,
        badge: Option<u64>,
    ) -> Result<Capability, CapError> {
        self.derive_copy(from, to, mask, badge, Rights::GRANT)
    }

    #[inline(always)]
    fn derive_copy(
        &mut self,
        from: Slot,
        to: Slot,
        mask: Rights,
        badge: Option<u64>,
        needed: Rights,
    ) -> Result<Capability, CapError> {
        let seat = self.destination(to)?;
        let source = self.find(from)?;
        let Capability { object, rights, badge: old, .. } = self.forest.capability(source);
        let fits = |badge| old == 0 && object.takes_badge() && badge <= object.badge_max();
        if badge.is_some_and(|badge| !fits(badge)) {
            return Err(CapError::Badged(from));
        }
        if !rights.contains(needed) {
            return Err(CapError::Lacks(from, needed));
        }
        let (rights, badge) = (rights & mask, badge.unwrap_or(old));
        let id = self.forest.derive(source, seat.space, to.number, rights, badge);
        self.fill(seat, id);
        Ok(Capability { object, rights, badge, mapped: None })
    }

    /// Moves a capability to another slot. It keeps its parent, its children, its badge and its
    /// place, and those of its rights that are in `mask`.
    ///
    /// # Errors
    /// As [`Capabilities::vacant`] for the destination, then as [`Capabilities::lookup`] for
    /// the source; [`CapError::HasChildren`] if a child has a right that would be dropped,
    /// [`CapError::Mapped`] if a mapping could.
    pub fn move_to(&mut self, from: Slot, to: Slot, mask: Rights) -> Result<Capability, CapError> {
        let seat = self.destination(to)?;
        let (id, left) = self.held(from)?;
        let old = self.forest.capability(id);
        let rights = old.rights & mask;
        let has_more = |child| !rights.contains(self.forest.node(child).rights());
        if rights != old.rights && self.forest.children(id).any(has_more) {
            return Err(CapError::HasChildren(from));
        }
        if old.mapped.is_some() && rights.for_mapping() != old.rights.for_mapping() {
            return Err(CapError::Mapped(from));
        }
        // In this order no table is given back that the destination is in.
        self.fill(seat, id);
        self.vacate(left);
        let node = self.forest.node_mut(id);
        node.set_slot(seat.space, to.number);
        node.set_rights(rights);
        Ok(Capability { rights, ..old })
    }

    /// Removes one capability. Its children become its parent's; if it has none, they are
    /// originals from then on.
    ///
    /// # Errors
    /// As [`Capabilities::lookup`].
    pub fn delete(&mut self, slot: Slot) -> Result<Removed, CapError> {
        let (id, seat) = self.held(slot)?;
        self.forest.promote_children(id);
        Ok(self.remove(id, slot, seat))
    }

    /// Makes an original capability, with all that is derived from it, a child of another to the
    /// same object. Takes as many steps as the other has ancestors.
    ///
    /// # Errors
    /// As [`Capabilities::lookup`] for `root`, then for `under`; [`CapError::NotRoot`] if `root`
    /// has a parent; [`CapError::WrongKind`] if `under` names something else;
    /// [`CapError::NotRoot`] if it is, or is derived from, `root`; [`CapError::Badged`] if it
    /// has a badge and `root` another; [`CapError::Lacks`] if it has fewer rights.
    pub fn derive(&mut self, root: Slot, under: Slot) -> Result<(), CapError> {
        let (id, parent) = (self.find(root)?, self.find(under)?);
        let (child, above) = (self.forest.capability(id), self.forest.capability(parent));
        if self.forest.node(id).parent != NONE {
            return Err(CapError::NotRoot(root));
        }
        if child.object != above.object {
            return Err(CapError::WrongKind(under));
        }
        if self.forest.up(parent).any(|ancestor| ancestor == id) {
            return Err(CapError::NotRoot(root));
        }
        if above.badge != 0 && above.badge != child.badge {
            return Err(CapError::Badged(under));
        }
        if !above.rights.contains(child.rights) {
            return Err(CapError::Lacks(under, child.rights));
        }
        self.forest.unlink(id);
        self.forest.link(id, parent);
        Ok(())
    }

    /// Records where a capability to memory is mapped.
    ///
    /// # Errors
    /// As [`Capabilities::lookup`]; [`CapError::WrongKind`] if it is not memory;
    /// [`CapError::Mapped`] if it is mapped already.
    ///
    /// # Panics
    /// If the place is not a page, or past the end of its space.
    pub fn set_mapped(&mut self, slot: Slot, place: Place) -> Result<(), CapError> {
        let id = self.find(slot)?;
        if !self.forest.object(id).is_memory() {
            return Err(CapError::WrongKind(slot));
        }
        let node = self.forest.node_mut(id);
        if node.place().is_some() {
            return Err(CapError::Mapped(slot));
        }
        node.set_place(Some(place));
        Ok(())
    }

    /// Forgets where a capability is mapped, and says where it was.
    ///
    /// # Errors
    /// As [`Capabilities::lookup`].
    pub fn clear_mapped(&mut self, slot: Slot) -> Result<Option<Place>, CapError> {
        let id = self.find(slot)?;
        let was = self.forest.capability(id).mapped;
        if was.is_some() {
            self.forest.node_mut(id).set_place(None);
        }
        Ok(was)
    }

    /// Removes a capability that has no children.
    #[inline(always)]
    pub(super) fn remove(&mut self, id: Id, slot: Slot, seat: Seat) -> Removed {
        let capability = self.forest.capability(id);
        self.unfinished.forget(id, self.forest.node(id).parent);
        self.vacate(seat);
        let last = self.forest.remove(id);
        Removed { slot, capability, last, heir: None }
    }

    /// Puts a node into a slot that is empty.
    #[inline(always)]
    fn fill(&mut self, Seat { space, at, table }: Seat, id: Id) {
        let space = self.spaces.get_mut(space);
        space.count += 1;
        self.tables.put(&mut space.root, table, at, id);
    }

    /// Empties a slot that is not.
    #[inline(always)]
    fn vacate(&mut self, Seat { space, at, table }: Seat) {
        let space = self.spaces.get_mut(space);
        space.count -= 1;
        self.tables.take(&mut space.root, table, at);
    }
}
