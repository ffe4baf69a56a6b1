//! The capabilities themselves: packed, counted by object, and linked to what they were derived
//! from.
//!
//! A node's children form a doubly linked list, newest first, so that insertion and removal take
//! constant time however many siblings there are. The roots to one object form such a list as
//! well. A node with no parent is in that one.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::{Capability, Id, NONE, Object, Place, push};
use crate::address::{GuestPhysical, PAGE_SIZE};
use crate::domain::DomainId;
use crate::rights::Rights;

/// A capability and its links, in 36 bytes.
///
/// Badge and place share a field: what is not memory is never mapped, and of memory only a channel
/// has a badge, of one bit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) parent: Id,
    pub(super) first_child: Id,
    pub(super) previous: Id,
    pub(super) next: Id,
    /// Among the counted objects; [`NONE`] while the node is not in use.
    pub(super) counted: Id,
    pub(super) space: Id,
    /// From bit 0: the number in its space (22 bits), the rights (5), the location's upper bits.
    packed: u32,
    /// The badge. Of memory: the badge's bit, the place's domain (both in the upper half) and the
    /// location's lower 32 bits.
    payload: [u32; 2],
}

const NUMBER_BITS: u32 = 22;
const RIGHTS_BITS: u32 = 5;
const LOCATION_SHIFT: u32 = NUMBER_BITS + RIGHTS_BITS;
/// Guest-physical pages, numbered; I/O pages come after them in a location, which is one more
/// than all this, or 0 for nowhere. So a location has 37 bits.
const PAGES: u64 = 1 << 36;
const DEVICE_PAGES: u64 = 1 << 19;
/// Where the badge of memory is in the upper half.
const BADGE_SHIFT: u32 = 31;

const _: () = assert!(size_of::<Node>() == 36);
const _: () = assert!(Rights::ALL.bits() < 1 << RIGHTS_BITS);
const _: () = assert!(super::cptr::NUMBERS <= 1 << NUMBER_BITS);
const _: () = assert!(PAGES + DEVICE_PAGES < 1 << (32 + 32 - LOCATION_SHIFT));

impl Node {
    fn new(space: Id, number: u64, counted: Id, rights: Rights) -> Self {
        Self {
            parent: NONE,
            first_child: NONE,
            previous: NONE,
            next: NONE,
            counted,
            space,
            packed: (number | rights.bits() << NUMBER_BITS) as u32,
            payload: [0, 0],
        }
    }

    /// Sets the badge of a node that is not mapped.
    fn set_badge(&mut self, badge: u64, is_memory: bool) {
        debug_assert!(badge < 2 || !is_memory);
        self.payload = match is_memory {
            true => [0, (badge as u32) << BADGE_SHIFT],
            false => [badge as u32, (badge >> 32) as u32],
        };
    }

    pub(super) const fn number(&self) -> u64 {
        (self.packed % (1 << NUMBER_BITS)) as u64
    }

    pub(super) fn rights(&self) -> Rights {
        let bits = self.packed >> NUMBER_BITS & Rights::ALL.bits() as u32;
        Rights::from_bits(bits.into()).expect("all five bits are rights")
    }

    pub(super) fn set_rights(&mut self, rights: Rights) {
        let others = !((Rights::ALL.bits() as u32) << NUMBER_BITS);
        self.packed = self.packed & others | (rights.bits() as u32) << NUMBER_BITS;
    }

    pub(super) fn set_slot(&mut self, space: Id, number: u64) {
        self.space = space;
        self.packed = self.packed >> NUMBER_BITS << NUMBER_BITS | number as u32;
    }

    /// The badge of a node that is not memory.
    pub(super) const fn badge(&self) -> u64 {
        (self.payload[1] as u64) << 32 | self.payload[0] as u64
    }

    /// The badge of a node that is memory.
    const fn memory_badge(&self) -> u64 {
        (self.payload[1] >> BADGE_SHIFT) as u64
    }

    /// Where a node that is memory is mapped.
    pub(super) fn place(&self) -> Option<Place> {
        let location = u64::from(self.packed >> LOCATION_SHIFT) << 32 | u64::from(self.payload[0]);
        let page = location.checked_sub(1)?;
        let domain = DomainId(self.payload[1] % (1 << BADGE_SHIFT));
        Some(match page.checked_sub(PAGES) {
            None => Place::Memory { domain, page: GuestPhysical(page * PAGE_SIZE) },
            Some(page) => Place::Device { domain, page: page * PAGE_SIZE },
        })
    }

    pub(super) fn set_place(&mut self, place: Option<Place>) {
        let (domain, location) = match place {
            None => (0, 0),
            Some(Place::Memory { domain, page }) => (domain.0, 1 + page_number(page.0, PAGES)),
            Some(Place::Device { domain, page }) => {
                (domain.0, 1 + PAGES + page_number(page, DEVICE_PAGES))
            }
        };
        assert!(domain < 1 << BADGE_SHIFT, "a run has fewer domains");
        let badge = self.payload[1] >> BADGE_SHIFT << BADGE_SHIFT;
        self.payload = [location as u32, badge | domain];
        let rest = self.packed % (1 << LOCATION_SHIFT);
        self.packed = rest | ((location >> 32) as u32) << LOCATION_SHIFT;
    }
}

fn page_number(address: u64, pages: u64) -> u64 {
    let number = address / PAGE_SIZE;
    assert!(address.is_multiple_of(PAGE_SIZE) && number < pages, "{address:#x} is not a page");
    number
}

/// An object that capabilities name.
#[derive(Clone, Debug)]
pub(super) struct Counted {
    pub(super) object: Object,
    /// How many capabilities name it.
    pub(super) references: u32,
    /// The first of the list of roots.
    pub(super) first_root: Id,
}

/// All capabilities.
#[derive(Clone, Debug)]
pub(super) struct Forest {
    nodes: Vec<Node>,
    /// The first of a list of nodes that are not in use, linked by `next`.
    free: Id,
    live: u32,
    objects: Vec<Counted>,
    free_objects: Vec<Id>,
    /// Where an object is counted. Only an object's first and last capability touch this.
    index: BTreeMap<Object, Id>,
}

impl Default for Forest {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            free: NONE,
            live: 0,
            objects: Vec::new(),
            free_objects: Vec::new(),
            index: BTreeMap::new(),
        }
    }
}

impl Forest {
    pub(super) fn node(&self, id: Id) -> &Node {
        &self.nodes[id as usize]
    }

    pub(super) fn node_mut(&mut self, id: Id) -> &mut Node {
        &mut self.nodes[id as usize]
    }

    pub(super) const fn len(&self) -> usize {
        self.live as usize
    }

    pub(super) fn object(&self, id: Id) -> Object {
        self.objects[self.node(id).counted as usize].object
    }

    /// A node as its holder sees it.
    #[inline(always)]
    pub(super) fn capability(&self, id: Id) -> Capability {
        let (node, object) = (self.node(id), self.object(id));
        let (badge, mapped) = match object.is_memory() {
            true => (node.memory_badge(), node.place()),
            false => (node.badge(), None),
        };
        Capability { object, rights: node.rights(), badge, mapped }
    }

    /// Where an object is counted, if a capability names it.
    pub(super) fn counted(&self, object: Object) -> Option<&Counted> {
        self.index.get(&object).map(|&id| &self.objects[id as usize])
    }

    #[cfg(test)]
    pub(super) fn counted_mut(&mut self, id: Id) -> &mut Counted {
        &mut self.objects[self.nodes[id as usize].counted as usize]
    }

    /// A new root.
    pub(super) fn plant(&mut self, space: Id, number: u64, object: Object, rights: Rights) -> Id {
        let counted = match self.index.get(&object) {
            Some(&counted) => counted,
            None => self.count(object),
        };
        self.add(Node::new(space, number, counted, rights), NONE)
    }

    /// A new child, to the same object.
    #[inline(always)]
    pub(super) fn derive(
        &mut self,
        parent: Id,
        space: Id,
        number: u64,
        rights: Rights,
        badge: u64,
    ) -> Id {
        let mut node = Node::new(space, number, self.node(parent).counted, rights);
        node.set_badge(badge, self.object(parent).is_memory());
        self.add(node, parent)
    }

    #[inline(always)]
    fn add(&mut self, node: Node, parent: Id) -> Id {
        self.objects[node.counted as usize].references += 1;
        self.live += 1;
        // The node is only now written, in place: it is not read back sooner than it has to be.
        let id = self.vacant();
        *self.node_mut(id) = node;
        self.link(id, parent);
        id
    }

    /// A node that is not in use.
    #[inline(always)]
    fn vacant(&mut self) -> Id {
        if self.free == NONE {
            self.grow();
        }
        let id = self.free;
        self.free = self.node(id).next;
        id
    }

    #[cold]
    fn grow(&mut self) {
        self.free = push(&mut self.nodes, Node::new(NONE, 0, NONE, Rights::NONE));
    }

    /// Removes a node that has no children. Whether it was the last that named its object.
    #[inline(always)]
    pub(super) fn remove(&mut self, id: Id) -> bool {
        self.unlink(id);
        let Node { counted, first_child, .. } = *self.node(id);
        debug_assert_eq!(first_child, NONE);
        let free = self.free;
        let node = self.node_mut(id);
        (node.counted, node.next) = (NONE, free);
        self.free = id;
        self.live -= 1;
        let object = &mut self.objects[counted as usize];
        object.references -= 1;
        let last = object.references == 0;
        if last {
            self.index.remove(&object.object);
            self.free_objects.push(counted);
        }
        last
    }

    fn count(&mut self, object: Object) -> Id {
        let counted = Counted { object, references: 0, first_root: NONE };
        let id = match self.free_objects.pop() {
            Some(id) => {
                self.objects[id as usize] = counted;
                id
            }
            None => push(&mut self.objects, counted),
        };
        self.index.insert(object, id);
        id
    }

    /// Makes a node that is in no list the first child of another, or the first root.
    #[inline(always)]
    pub(super) fn link(&mut self, id: Id, parent: Id) {
        let next = core::mem::replace(self.head(id, parent), id);
        if next != NONE {
            self.node_mut(next).previous = id;
        }
        let node = self.node_mut(id);
        (node.parent, node.previous, node.next) = (parent, NONE, next);
    }

    /// Takes a node out of its list.
    #[inline(always)]
    pub(super) fn unlink(&mut self, id: Id) {
        let Node { parent, previous, next, .. } = *self.node(id);
        match previous {
            NONE => *self.head(id, parent) = next,
            previous => self.node_mut(previous).next = next,
        }
        if next != NONE {
            self.node_mut(next).previous = previous;
        }
    }

    /// The start of the list that a node with this parent is in.
    #[inline(always)]
    fn head(&mut self, id: Id, parent: Id) -> &mut Id {
        match parent {
            NONE => {
                let counted = self.node(id).counted;
                &mut self.objects[counted as usize].first_root
            }
            parent => &mut self.node_mut(parent).first_child,
        }
    }

    /// Puts a node's children in its own place, after it. Takes as long as there are children.
    pub(super) fn promote_children(&mut self, id: Id) {
        let Node { parent, first_child, next, .. } = *self.node(id);
        let (mut child, mut last) = (first_child, NONE);
        while child != NONE {
            let node = self.node_mut(child);
            node.parent = parent;
            (last, child) = (child, node.next);
        }
        if last == NONE {
            return;
        }
        self.node_mut(last).next = next;
        if next != NONE {
            self.node_mut(next).previous = last;
        }
        self.node_mut(first_child).previous = id;
        let node = self.node_mut(id);
        (node.first_child, node.next) = (NONE, first_child);
    }

    /// A node's children, newest first.
    pub(super) fn children(&self, id: Id) -> impl Iterator<Item = Id> + '_ {
        self.siblings(self.node(id).first_child)
    }

    fn siblings(&self, first: Id) -> impl Iterator<Item = Id> + '_ {
        core::iter::successors(some(first), |&id| some(self.node(id).next))
    }

    /// Every node that names an object.
    pub(super) fn naming(&self, object: Object) -> impl Iterator<Item = Id> + '_ {
        let first = self.counted(object).map_or(NONE, |counted| counted.first_root);
        core::iter::successors(some(first), |&id| self.after(id))
    }

    /// The next node in an order that has ancestors first.
    fn after(&self, id: Id) -> Option<Id> {
        let child = some(self.node(id).first_child);
        child.or_else(|| {
            let up = core::iter::successors(Some(id), |&id| some(self.node(id).parent));
            up.into_iter().find_map(|id| some(self.node(id).next))
        })
    }

    /// The ancestors of a node, itself first.
    pub(super) fn up(&self, id: Id) -> impl Iterator<Item = Id> + '_ {
        core::iter::successors(Some(id), |&id| some(self.node(id).parent))
    }

    pub(super) fn heap_bytes(&self) -> usize {
        // What a B-tree allocates is its own affair: its nodes are at least half full.
        let index = self.index.len() * 2 * (size_of::<Object>() + size_of::<Id>());
        self.nodes.capacity() * size_of::<Node>()
            + self.objects.capacity() * size_of::<Counted>()
            + self.free_objects.capacity() * size_of::<Id>()
            + index
    }

    /// Every node in use.
    pub(super) fn live(&self) -> impl Iterator<Item = (Id, &Node)> + '_ {
        self.nodes.iter().zip(0..).filter(|(node, _)| node.counted != NONE).map(|(n, id)| (id, n))
    }

    /// Every object that is named.
    pub(super) fn objects(&self) -> impl Iterator<Item = (Object, &Counted)> + '_ {
        self.index.iter().map(|(&object, &id)| (object, &self.objects[id as usize]))
    }
}

/// A link as an option.
pub(super) fn some(id: Id) -> Option<Id> {
    (id != NONE).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::{DEVICE_PAGES, NONE, Node, PAGES, Place};
    use crate::address::{GuestPhysical, PAGE_SIZE};
    use crate::domain::DomainId;
    use crate::rights::Rights;

    #[test]
    fn the_farthest_places_fit_and_leave_the_rest_alone() {
        let domain = DomainId((1 << 31) - 1);
        let mut node = Node::new(7, (1 << 22) - 1, 9, Rights::ALL);
        node.set_badge(u64::MAX, false);
        assert_eq!(node.badge(), u64::MAX);
        node.set_badge(1, true);
        assert_eq!(node.place(), None);
        let last = GuestPhysical((PAGES - 1) * PAGE_SIZE);
        for place in [
            Place::Memory { domain: DomainId(0), page: GuestPhysical(0) },
            Place::Memory { domain, page: last },
            Place::Device { domain: DomainId(0), page: 0 },
            Place::Device { domain, page: (DEVICE_PAGES - 1) * PAGE_SIZE },
        ] {
            node.set_place(Some(place));
            assert_eq!(node.place(), Some(place));
            assert_eq!((node.number(), node.rights()), ((1 << 22) - 1, Rights::ALL));
            assert_eq!(node.memory_badge(), 1);
        }
        node.set_rights(Rights::NONE);
        node.set_slot(NONE, 3);
        assert_eq!((node.number(), node.rights()), (3, Rights::NONE));
        let place = Place::Device { domain, page: (DEVICE_PAGES - 1) * PAGE_SIZE };
        assert_eq!(node.place(), Some(place));
        node.set_place(None);
        assert_eq!((node.place(), node.memory_badge()), (None, 1));
    }
}
