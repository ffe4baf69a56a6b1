//! The capabilities once more, so simply that they are plainly right: a record for each, by slot,
//! which knows its parent. Nothing is linked, counted or kept in order; whatever is asked for is
//! found by looking at all of them.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::capability::{CapError, Capability, Object, Place, Removed, Slot, SpaceId};
use crate::rights::Rights;

/// A capability. Its name stays when it moves.
#[derive(Clone, Copy, Debug)]
struct Record {
    name: u32,
    parent: Option<u32>,
    held: Capability,
}

/// The authority of everybody.
#[derive(Debug, Default)]
pub(super) struct Reference {
    records: BTreeMap<Slot, Record>,
    /// Whether it is being closed.
    spaces: BTreeMap<SpaceId, bool>,
    next: u32,
}

impl Reference {
    pub(super) fn open(&mut self, space: SpaceId) {
        self.spaces.entry(space).or_insert(false);
    }

    pub(super) fn insert(
        &mut self,
        at: Slot,
        object: Object,
        rights: Rights,
    ) -> Result<(), CapError> {
        self.vacant(at)?;
        self.add(at, None, Capability { object, rights, badge: 0, mapped: None });
        Ok(())
    }

    pub(super) fn copy(
        &mut self,
        (from, to): (Slot, Slot),
        mask: Rights,
        badge: Option<u64>,
        needed: Rights,
    ) -> Result<Capability, CapError> {
        self.vacant(to)?;
        let source = self.find(from)?;
        let Capability { object, rights, badge: old, .. } = source.held;
        let possible = |badge| match object {
            Object::Endpoint(_) | Object::Notification(_) => true,
            Object::Channel(_) => badge < 2,
            _ => false,
        };
        if badge.is_some_and(|badge| old != 0 || !possible(badge)) {
            return Err(CapError::Badged(from));
        }
        if needed & rights != needed {
            return Err(CapError::Lacks(from, needed));
        }
        let badge = badge.unwrap_or(old);
        let held = Capability { object, rights: rights & mask, badge, mapped: None };
        self.add(to, Some(source.name), held);
        Ok(held)
    }

    pub(super) fn move_to(
        &mut self,
        from: Slot,
        to: Slot,
        mask: Rights,
    ) -> Result<Capability, CapError> {
        self.vacant(to)?;
        let mut record = self.find(from)?;
        let old = record.held.rights;
        let left = old & mask;
        if self
            .children(record.name)
            .any(|(_, child)| child.held.rights & left != child.held.rights)
        {
            return Err(CapError::HasChildren(from));
        }
        let of_memory = Rights::READ_WRITE | Rights::EXECUTE;
        if record.held.mapped.is_some() && old & of_memory != left & of_memory {
            return Err(CapError::Mapped(from));
        }
        record.held.rights = left;
        self.records.remove(&from);
        self.records.insert(to, record);
        Ok(record.held)
    }

    pub(super) fn delete(&mut self, at: Slot) -> Result<Removed, CapError> {
        let gone = self.find(at)?;
        for record in self.records.values_mut().filter(|other| other.parent == Some(gone.name)) {
            record.parent = gone.parent;
        }
        self.records.remove(&at);
        let last = self.references(gone.held.object) == 0;
        Ok(Removed { slot: at, capability: gone.held, last, heir: None })
    }

    /// Removes what was removed, if that was right: one after the other, each a descendant with
    /// nothing below but what is kept; all of them, if it is said to be done.
    pub(super) fn revoke(
        &mut self,
        at: Slot,
        limit: usize,
        keep: impl Fn(Slot, &Capability) -> bool,
        real: Result<(Vec<Removed>, bool), CapError>,
    ) {
        let root = match self.find(at) {
            Ok(root) => root.name,
            Err(error) => return assert_eq!(real, Err(error)),
        };
        let (removed, done) = real.expect("there is a capability");
        let mut doomed = self.doomed(root, &keep);
        assert_eq!(removed.len(), doomed.len().min(limit));
        assert_eq!(done, removed.len() == doomed.len(), "it is done when nothing is left");
        for gone in removed {
            assert!(doomed.remove(&gone.slot), "{gone:?} was not to go");
            let Record { name, parent, .. } = self.records[&gone.slot];
            let left: Vec<_> = self.children(name).map(|(slot, _)| slot).collect();
            let heir = (!left.is_empty() && parent != Some(root)).then_some(at);
            for slot in left {
                assert!(!doomed.contains(&slot), "{slot:?} goes after its parent");
                self.records.get_mut(&slot).expect("a child").parent = Some(root);
            }
            let wanted = self.delete(gone.slot).map(|removed| Removed { heir, ..removed });
            assert_eq!(wanted, Ok(gone));
        }
    }

    /// The descendants that a revoke removes.
    fn doomed(&self, root: u32, keep: impl Fn(Slot, &Capability) -> bool) -> BTreeSet<Slot> {
        let all = self.records.iter();
        let doomed = all.filter(|(_, record)| {
            let lineage: Vec<_> = self.lineage(record.name).collect();
            let below = lineage.iter().position(|(_, above)| above.name == root);
            below.is_some_and(|end| {
                end > 0 && !lineage[..end].iter().any(|(slot, above)| keep(*slot, &above.held))
            })
        });
        doomed.map(|(slot, _)| *slot).collect()
    }

    /// A record and its ancestors.
    fn lineage(&self, name: u32) -> impl Iterator<Item = (Slot, Record)> + '_ {
        core::iter::successors(self.named(name), |(_, record)| self.named(record.parent?))
    }

    /// Removes what was removed, if that was right.
    pub(super) fn close(&mut self, space: SpaceId, limit: usize, real: (Vec<Removed>, bool)) {
        let (removed, done) = real;
        let count = self.records.keys().filter(|slot| slot.space == space).count();
        assert_eq!((removed.len(), done), (count.min(limit), count <= limit));
        for gone in removed {
            assert_eq!(gone.slot.space, space);
            assert_eq!(self.delete(gone.slot), Ok(gone));
        }
        if done {
            self.spaces.remove(&space);
        } else {
            self.spaces.insert(space, true);
        }
    }

    pub(super) fn derive(&mut self, root: Slot, under: Slot) -> Result<(), CapError> {
        let (child, above) = (self.find(root)?, self.find(under)?);
        if child.parent.is_some() {
            return Err(CapError::NotRoot(root));
        }
        if child.held.object != above.held.object {
            return Err(CapError::WrongKind(under));
        }
        if self.lineage(above.name).any(|(_, ancestor)| ancestor.name == child.name) {
            return Err(CapError::NotRoot(root));
        }
        if above.held.badge != 0 && above.held.badge != child.held.badge {
            return Err(CapError::Badged(under));
        }
        if above.held.rights & child.held.rights != child.held.rights {
            return Err(CapError::Lacks(under, child.held.rights));
        }
        self.records.get_mut(&root).expect("it was found").parent = Some(above.name);
        Ok(())
    }

    pub(super) fn set_mapped(&mut self, at: Slot, place: Place) -> Result<(), CapError> {
        let held = self.find(at)?.held;
        match (held.object, held.mapped) {
            (Object::Page(_) | Object::Lent(_) | Object::Channel(_), None) => {
                self.records.get_mut(&at).expect("it was found").held.mapped = Some(place);
                Ok(())
            }
            (Object::Page(_) | Object::Lent(_) | Object::Channel(_), Some(_)) => {
                Err(CapError::Mapped(at))
            }
            _ => Err(CapError::WrongKind(at)),
        }
    }

    pub(super) fn clear_mapped(&mut self, at: Slot) -> Result<Option<Place>, CapError> {
        self.find(at)?;
        Ok(self.records.get_mut(&at).expect("it was found").held.mapped.take())
    }

    pub(super) fn vacant(&self, at: Slot) -> Result<(), CapError> {
        self.is_slot(at)?;
        if self.spaces[&at.space] {
            return Err(CapError::NoSpace(at.space));
        }
        if self.records.contains_key(&at) { Err(CapError::Occupied(at)) } else { Ok(()) }
    }

    pub(super) fn lookup(&self, at: Slot) -> Result<Capability, CapError> {
        self.find(at).map(|record| record.held)
    }

    /// All capabilities, each with the slot of its parent.
    pub(super) fn all(&self) -> BTreeMap<Slot, (Capability, Option<Slot>)> {
        let parent = |record: &Record| Some(self.named(record.parent?)?.0);
        self.records.iter().map(|(slot, record)| (*slot, (record.held, parent(record)))).collect()
    }

    pub(super) fn references(&self, object: Object) -> u32 {
        self.records.values().filter(|record| record.held.object == object).count() as u32
    }

    /// The lowest number that could be used.
    pub(super) fn first_free(&self, space: SpaceId) -> Option<u64> {
        if self.spaces.get(&space) != Some(&false) {
            return None;
        }
        (0..).find(|&number| self.vacant(Slot { space, number }).is_ok())
    }

    fn add(&mut self, at: Slot, parent: Option<u32>, held: Capability) {
        self.records.insert(at, Record { name: self.next, parent, held });
        self.next += 1;
    }

    fn find(&self, at: Slot) -> Result<Record, CapError> {
        self.is_slot(at)?;
        self.records.get(&at).copied().ok_or(CapError::Empty(at))
    }

    fn is_slot(&self, at: Slot) -> Result<(), CapError> {
        let levels = [0..0x20, 0x10_0000..0x10_0400, 0x20_0000..0x20_8000, 0x30_0000..0x40_0000];
        let reserved = if matches!(at.space, SpaceId::Domain(_)) { 0..3 } else { 0..1 };
        if reserved.contains(&at.number) || !levels.iter().any(|l| l.contains(&at.number)) {
            return Err(CapError::NoSlot(at));
        }
        if self.spaces.contains_key(&at.space) { Ok(()) } else { Err(CapError::NoSpace(at.space)) }
    }

    fn named(&self, name: u32) -> Option<(Slot, Record)> {
        self.records.iter().find(|(_, record)| record.name == name).map(|(at, r)| (*at, *r))
    }

    fn children(&self, name: u32) -> impl Iterator<Item = (Slot, Record)> + '_ {
        let all = self.records.iter().map(|(at, record)| (*at, *record));
        all.filter(move |(_, record)| record.parent == Some(name))
    }
}
