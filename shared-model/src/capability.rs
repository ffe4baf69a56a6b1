//! Capabilities: who may do what to which object, and who gave it to them.
//!
//! A capability lives in a slot of a space. Copying it to another slot makes the copy its
//! child, with the same rights or fewer; the children, their children and so on are its
//! descendants. Revoking a capability removes all descendants and nothing else; deleting it
//! hands its children to its parent. An object whose last capability is gone is gone.
//!
//! What must always hold (and is checked by [`Capabilities::check`] in tests): the
//! derivations form a forest; a child's rights are among its parent's, and both name the same
//! object; a slot and its capability name each other.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::address::{Frame, GuestPhysical};
use crate::domain::DomainId;
use crate::rights::Rights;

/// What a capability can name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Object {
    /// One frame of memory.
    Page(Frame),
    /// A domain, to configure, start and give capabilities to.
    Domain(DomainId),
}

/// A space of slots.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpaceId {
    /// The microkernel's own: the origin of what it hands out.
    Host,
    /// The pages a domain was built from (tables, image, stack, UTCB). They are mapped under
    /// these capabilities, and the domain itself cannot name them.
    Boot(DomainId),
    /// A domain's own, whose slots its hypercalls name.
    Domain(DomainId),
}

/// A place for a capability.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Slot {
    /// The space.
    pub space: SpaceId,
    /// The number within it; 0 is never used.
    pub number: u64,
}

/// Slots of a space are numbered below this.
pub const SLOTS: u64 = 1 << 22;

/// Why a capability operation was refused. Nothing has changed then.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum CapError {
    /// The slot is empty.
    #[error("slot {} is empty", .0.number)]
    Empty(Slot),
    /// The destination holds a capability.
    #[error("slot {} is in use", .0.number)]
    Occupied(Slot),
    /// Not a slot: 0, or past the end.
    #[error("there is no slot {}", .0.number)]
    NoSlot(Slot),
    /// The capability lacks a right.
    #[error("the capability in slot {slot} lacks the right {right}", slot = .0.number, right = .1)]
    Lacks(Slot, Rights),
    /// The capability is of another kind.
    #[error("slot {} holds a capability of another kind", .0.number)]
    WrongKind(Slot),
    /// A page capability can be mapped once.
    #[error("the capability in slot {} is mapped already", .0.number)]
    Mapped(Slot),
}

/// One capability, as a holder sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Capability {
    /// What it names.
    pub object: Object,
    /// What it allows.
    pub rights: Rights,
    /// Where it is mapped: for a page, the domain and the guest-physical page.
    pub mapped: Option<(DomainId, GuestPhysical)>,
}

/// A capability that an operation removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Removed {
    /// Where it was.
    pub slot: Slot,
    /// What it was. If it was mapped, the caller must unmap that page.
    pub capability: Capability,
    /// No capability to the object is left: the caller must free it.
    pub last: bool,
}

/// An index into [`Capabilities::nodes`].
type NodeId = u32;

#[derive(Debug)]
struct Node {
    capability: Capability,
    slot: Slot,
    parent: Option<NodeId>,
    // Children form a doubly linked list, newest first, so that insertion and removal take
    // constant time however many siblings there are.
    first_child: Option<NodeId>,
    previous: Option<NodeId>,
    next: Option<NodeId>,
}

/// All capabilities and the derivation forest over them.
#[derive(Debug, Default)]
pub struct Capabilities {
    nodes: Vec<Option<Node>>,
    free: Vec<NodeId>,
    slots: BTreeMap<Slot, NodeId>,
    references: BTreeMap<Object, u32>,
}

impl Capabilities {
    /// No capability at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// The capability in a slot.
    ///
    /// # Errors
    /// [`CapError::Empty`] or [`CapError::NoSlot`].
    pub fn lookup(&self, slot: Slot) -> Result<Capability, CapError> {
        self.find(slot).map(|id| self.node(id).capability)
    }

    /// The capability in a slot, if it names a page and allows `rights`.
    ///
    /// # Errors
    /// [`CapError::WrongKind`], [`CapError::Lacks`], and as [`Capabilities::lookup`].
    pub fn page(&self, slot: Slot, rights: Rights) -> Result<(Frame, Capability), CapError> {
        let capability = self.lookup(slot)?;
        let Object::Page(frame) = capability.object else {
            return Err(CapError::WrongKind(slot));
        };
        require(slot, capability, rights)?;
        Ok((frame, capability))
    }

    /// The domain that a slot's capability names, if it allows `rights`.
    ///
    /// # Errors
    /// [`CapError::WrongKind`], [`CapError::Lacks`], and as [`Capabilities::lookup`].
    pub fn domain(&self, slot: Slot, rights: Rights) -> Result<DomainId, CapError> {
        let capability = self.lookup(slot)?;
        let Object::Domain(domain) = capability.object else {
            return Err(CapError::WrongKind(slot));
        };
        require(slot, capability, rights)?;
        Ok(domain)
    }

    /// Whether a slot could take a capability now.
    ///
    /// # Errors
    /// [`CapError::Occupied`] or [`CapError::NoSlot`].
    pub fn vacant(&self, slot: Slot) -> Result<(), CapError> {
        check_slot(slot)?;
        if self.slots.contains_key(&slot) { Err(CapError::Occupied(slot)) } else { Ok(()) }
    }

    /// Puts an original capability, one with no parent, into a slot.
    ///
    /// # Errors
    /// As [`Capabilities::vacant`].
    pub fn insert(&mut self, slot: Slot, object: Object, rights: Rights) -> Result<(), CapError> {
        self.vacant(slot)?;
        self.add(slot, Capability { object, rights, mapped: None }, None);
        Ok(())
    }

    /// Copies a capability, with those of its rights that are in `mask`, and makes the copy its
    /// child. The copy is not mapped.
    ///
    /// # Errors
    /// [`CapError::Lacks`] if the source does not have grant; [`CapError::Empty`],
    /// [`CapError::Occupied`] or [`CapError::NoSlot`].
    pub fn grant(&mut self, from: Slot, to: Slot, mask: Rights) -> Result<Capability, CapError> {
        let source = self.find(from)?;
        require(from, self.node(source).capability, Rights::GRANT)?;
        self.vacant(to)?;
        let Capability { object, rights, .. } = self.node(source).capability;
        let copy = Capability { object, rights: rights & mask, mapped: None };
        self.add(to, copy, Some(source));
        Ok(copy)
    }

    /// Removes one capability. Its children become its parent's.
    ///
    /// # Errors
    /// [`CapError::Empty`] or [`CapError::NoSlot`].
    pub fn delete(&mut self, slot: Slot) -> Result<Removed, CapError> {
        let id = self.find(slot)?;
        let parent = self.node(id).parent;
        while let Some(child) = self.node(id).first_child {
            self.unlink(child);
            self.link(child, parent);
        }
        Ok(self.remove(id))
    }

    /// Removes every descendant of a capability, each after its own descendants.
    ///
    /// # Errors
    /// [`CapError::Empty`] or [`CapError::NoSlot`].
    pub fn revoke(&mut self, slot: Slot) -> Result<Vec<Removed>, CapError> {
        let root = self.find(slot)?;
        let mut removed = Vec::new();
        let mut at = root;
        loop {
            if let Some(child) = self.node(at).first_child {
                at = child;
            } else if at == root {
                return Ok(removed);
            } else {
                let parent = self.node(at).parent;
                removed.push(self.remove(at));
                at = parent.expect("a descendant has a parent");
            }
        }
    }

    /// Deletes every capability of a space, in the order of slots.
    pub fn destroy(&mut self, space: SpaceId) -> Vec<Removed> {
        let slots: Vec<_> = self.in_space(space).map(|(slot, _)| slot).collect();
        slots.into_iter().map(|slot| self.delete(slot).expect("the slot was just seen")).collect()
    }

    /// Every capability of a space, in the order of slots.
    pub fn in_space(&self, space: SpaceId) -> impl Iterator<Item = (Slot, Capability)> + '_ {
        let from = Slot { space, number: 0 };
        let to = Slot { space, number: u64::MAX };
        self.slots.range(from..=to).map(|(slot, id)| (*slot, self.node(*id).capability))
    }

    /// Every slot that holds a capability to an object. Looks at all capabilities.
    pub fn holders(&self, object: Object) -> Vec<Slot> {
        let named = |id: &NodeId| self.node(*id).capability.object == object;
        self.slots.iter().filter(|(_, id)| named(id)).map(|(slot, _)| *slot).collect()
    }

    /// The slot that a capability was copied from, if it is a copy.
    ///
    /// # Errors
    /// [`CapError::Empty`] or [`CapError::NoSlot`].
    pub fn parent(&self, slot: Slot) -> Result<Option<Slot>, CapError> {
        let id = self.find(slot)?;
        Ok(self.node(id).parent.map(|parent| self.node(parent).slot))
    }

    /// Records where a page capability is mapped.
    ///
    /// # Errors
    /// [`CapError::Mapped`] if it is mapped already; [`CapError::Empty`] or
    /// [`CapError::NoSlot`].
    pub fn set_mapped(
        &mut self,
        slot: Slot,
        domain: DomainId,
        page: GuestPhysical,
    ) -> Result<(), CapError> {
        let id = self.find(slot)?;
        let mapped = &mut self.node_mut(id).capability.mapped;
        if mapped.is_some() {
            return Err(CapError::Mapped(slot));
        }
        *mapped = Some((domain, page));
        Ok(())
    }

    /// Forgets where a page capability is mapped, and says where it was.
    ///
    /// # Errors
    /// [`CapError::Empty`] or [`CapError::NoSlot`].
    pub fn clear_mapped(
        &mut self,
        slot: Slot,
    ) -> Result<Option<(DomainId, GuestPhysical)>, CapError> {
        let id = self.find(slot)?;
        Ok(self.node_mut(id).capability.mapped.take())
    }

    /// How many capabilities there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Checks the invariants at the top of this file.
    ///
    /// # Panics
    /// If one does not hold: the model is broken.
    pub fn check(&self) {
        let live = self.nodes.iter().flatten().count();
        assert_eq!(live, self.slots.len(), "every capability is in one slot");
        assert_eq!(self.references.values().map(|&n| n as usize).sum::<usize>(), live);
        for (slot, &id) in &self.slots {
            let node = self.node(id);
            assert_eq!(node.slot, *slot);
            let mut above = node.parent;
            for step in 0.. {
                assert!(step <= live, "the derivations form a cycle");
                let Some(parent) = above else { break };
                above = self.node(parent).parent;
            }
            if let Some(parent) = node.parent {
                let parent = self.node(parent).capability;
                assert_eq!(parent.object, node.capability.object);
                assert!(parent.rights.contains(node.capability.rights), "rights grew");
            }
            let mut child = node.first_child;
            while let Some(at) = child {
                assert_eq!(self.node(at).parent, Some(id));
                child = self.node(at).next;
            }
        }
    }

    fn find(&self, slot: Slot) -> Result<NodeId, CapError> {
        check_slot(slot)?;
        self.slots.get(&slot).copied().ok_or(CapError::Empty(slot))
    }

    fn node(&self, id: NodeId) -> &Node {
        self.nodes[id as usize].as_ref().expect("ids in slots and links are live")
    }

    fn node_mut(&mut self, id: NodeId) -> &mut Node {
        self.nodes[id as usize].as_mut().expect("ids in slots and links are live")
    }

    fn add(&mut self, slot: Slot, capability: Capability, parent: Option<NodeId>) {
        let node =
            Node { capability, slot, parent: None, first_child: None, previous: None, next: None };
        let id = match self.free.pop() {
            Some(id) => {
                self.nodes[id as usize] = Some(node);
                id
            }
            None => {
                self.nodes.push(Some(node));
                NodeId::try_from(self.nodes.len() - 1).expect("spaces have fewer slots than ids")
            }
        };
        self.slots.insert(slot, id);
        *self.references.entry(capability.object).or_insert(0) += 1;
        self.link(id, parent);
    }

    /// Removes a node that has no children left.
    fn remove(&mut self, id: NodeId) -> Removed {
        self.unlink(id);
        let node = self.nodes[id as usize].take().expect("ids in slots and links are live");
        debug_assert!(node.first_child.is_none());
        self.free.push(id);
        self.slots.remove(&node.slot);
        let object = node.capability.object;
        let count = self.references.get_mut(&object).expect("live objects are counted");
        *count -= 1;
        let last = *count == 0;
        if last {
            self.references.remove(&object);
        }
        Removed { slot: node.slot, capability: node.capability, last }
    }

    fn link(&mut self, id: NodeId, parent: Option<NodeId>) {
        let next = parent.and_then(|parent| self.node_mut(parent).first_child.replace(id));
        if let Some(next) = next {
            self.node_mut(next).previous = Some(id);
        }
        let node = self.node_mut(id);
        (node.parent, node.previous, node.next) = (parent, None, next);
    }

    fn unlink(&mut self, id: NodeId) {
        let Node { parent, previous, next, .. } = *self.node(id);
        match (previous, parent) {
            (Some(previous), _) => self.node_mut(previous).next = next,
            (None, Some(parent)) => self.node_mut(parent).first_child = next,
            (None, None) => {}
        }
        if let Some(next) = next {
            self.node_mut(next).previous = previous;
        }
    }
}

fn check_slot(slot: Slot) -> Result<(), CapError> {
    if (1..SLOTS).contains(&slot.number) { Ok(()) } else { Err(CapError::NoSlot(slot)) }
}

fn require(slot: Slot, capability: Capability, rights: Rights) -> Result<(), CapError> {
    if capability.rights.contains(rights) { Ok(()) } else { Err(CapError::Lacks(slot, rights)) }
}

#[cfg(test)]
mod tests {
    use super::{CapError, Capabilities, Object, Slot, SpaceId};
    use crate::address::{Frame, GuestPhysical};
    use crate::domain::DomainId;
    use crate::rights::Rights;
    use alloc::vec::Vec;
    use proptest::prelude::{Strategy, any, prop_oneof, proptest};

    const PAGE: Object = Object::Page(Frame(7));

    fn slot(domain: u32, number: u64) -> Slot {
        Slot { space: SpaceId::Domain(DomainId(domain)), number }
    }

    #[test]
    fn insert_look_up_delete_look_up() {
        let mut caps = Capabilities::new();
        caps.insert(slot(0, 3), PAGE, Rights::ALL).unwrap();
        assert_eq!(caps.lookup(slot(0, 3)).unwrap().object, PAGE);
        let removed = caps.delete(slot(0, 3)).unwrap();
        assert!(removed.last, "the page has no capability left");
        assert_eq!(caps.lookup(slot(0, 3)), Err(CapError::Empty(slot(0, 3))));
        caps.check();
    }

    #[test]
    fn a_copy_never_has_more_rights_than_its_source() {
        let mut caps = Capabilities::new();
        caps.insert(slot(0, 1), PAGE, Rights::READ | Rights::GRANT).unwrap();
        let copy = caps.grant(slot(0, 1), slot(1, 1), Rights::READ_WRITE).unwrap();
        assert_eq!(copy.rights, Rights::READ);
        let again = caps.grant(slot(1, 1), slot(2, 1), Rights::ALL);
        assert_eq!(again, Err(CapError::Lacks(slot(1, 1), Rights::GRANT)));
        assert!(caps.page(slot(1, 1), Rights::WRITE).is_err());
        caps.check();
    }

    #[test]
    fn revoke_removes_all_descendants_and_nothing_else() {
        let mut caps = Capabilities::new();
        caps.insert(slot(0, 1), PAGE, Rights::ALL).unwrap();
        caps.insert(slot(0, 2), Object::Page(Frame(8)), Rights::ALL).unwrap();
        caps.grant(slot(0, 1), slot(1, 1), Rights::ALL).unwrap();
        caps.grant(slot(1, 1), slot(2, 1), Rights::ALL).unwrap();
        caps.grant(slot(1, 1), slot(2, 2), Rights::ALL).unwrap();
        caps.grant(slot(0, 1), slot(3, 1), Rights::ALL).unwrap();
        caps.set_mapped(slot(2, 2), DomainId(2), GuestPhysical(0x4000)).unwrap();
        let removed = caps.revoke(slot(1, 1)).unwrap();
        let mut gone: Vec<_> = removed.iter().map(|r| r.slot).collect();
        gone.sort();
        assert_eq!(gone, [slot(2, 1), slot(2, 2)]);
        let mapped: Vec<_> = removed.iter().filter_map(|r| r.capability.mapped).collect();
        assert_eq!(mapped, [(DomainId(2), GuestPhysical(0x4000))]);
        assert!(removed.iter().all(|r| !r.last));
        for left in [slot(0, 1), slot(0, 2), slot(1, 1), slot(3, 1)] {
            assert!(caps.lookup(left).is_ok());
        }
        assert_eq!(caps.revoke(slot(1, 1)), Ok(Vec::new()));
        caps.check();
    }

    #[test]
    fn deleting_hands_the_children_to_the_parent() {
        let mut caps = Capabilities::new();
        caps.insert(slot(0, 1), PAGE, Rights::ALL).unwrap();
        caps.grant(slot(0, 1), slot(1, 1), Rights::ALL).unwrap();
        caps.grant(slot(1, 1), slot(2, 1), Rights::ALL).unwrap();
        caps.delete(slot(1, 1)).unwrap();
        assert_eq!(caps.parent(slot(2, 1)), Ok(Some(slot(0, 1))));
        assert_eq!(caps.revoke(slot(0, 1)).unwrap().len(), 1);
        caps.check();
    }

    #[test]
    fn slots_that_do_not_exist_are_refused() {
        let mut caps = Capabilities::new();
        for number in [0, super::SLOTS, u64::MAX] {
            let bad = slot(0, number);
            assert_eq!(caps.insert(bad, PAGE, Rights::ALL), Err(CapError::NoSlot(bad)));
            assert_eq!(caps.delete(bad), Err(CapError::NoSlot(bad)));
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u32, u64, u32),
        Grant(u32, u64, u32, u64, u64),
        Delete(u32, u64),
        Revoke(u32, u64),
        Destroy(u32),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let (d, n) = (0..3_u32, 0..6_u64);
        let step = prop_oneof![
            (d.clone(), n.clone(), 0..3_u32).prop_map(|(d, n, f)| Step::Insert(d, n, f)),
            (d.clone(), n.clone(), d.clone(), n.clone(), any::<u64>())
                .prop_map(|(a, b, c, e, r)| Step::Grant(a, b, c, e, r & 15)),
            (d.clone(), n.clone()).prop_map(|(d, n)| Step::Delete(d, n)),
            (d.clone(), n).prop_map(|(d, n)| Step::Revoke(d, n)),
            d.prop_map(Step::Destroy),
        ];
        proptest::collection::vec(step, 1..120)
    }

    proptest! {
        /// The forest stays a forest, and a slot's ancestors explain its rights, whatever is done.
        #[test]
        fn invariants_survive_any_sequence(steps in steps()) {
            let mut caps = Capabilities::new();
            for step in steps {
                match step {
                    Step::Insert(d, n, f) => {
                        let _ = caps.insert(slot(d, n), Object::Page(Frame(f)), Rights::ALL);
                    }
                    Step::Grant(a, b, c, e, r) => {
                        let _ = caps.grant(slot(a, b), slot(c, e), Rights::from_bits(r).unwrap());
                    }
                    Step::Delete(d, n) => {
                        let _ = caps.delete(slot(d, n));
                    }
                    Step::Revoke(d, n) => drop(caps.revoke(slot(d, n))),
                    Step::Destroy(d) => drop(caps.destroy(SpaceId::Domain(DomainId(d)))),
                }
                caps.check();
            }
        }
    }
}
