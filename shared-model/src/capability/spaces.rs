//! Which spaces there are.

use alloc::vec::Vec;

use super::{Id, NONE, SpaceId, cptr, push};

/// A space.
#[derive(Clone, Debug)]
pub(super) struct Space {
    pub(super) id: SpaceId,
    /// Its uppermost table, if anything is in it.
    pub(super) root: Id,
    /// How many capabilities are in it.
    pub(super) count: u32,
    /// Nothing is put into it any more.
    pub(super) closing: bool,
}

/// All spaces. Domains and threads are numbered from 0, so that a vector finds their spaces.
#[derive(Clone, Debug, Default)]
pub(super) struct Spaces {
    all: Vec<Option<Space>>,
    free: Vec<Id>,
    /// Where each is, by the kind of its name and its number in that.
    named: [Vec<Id>; 4],
}

/// A name as the indices where it is looked up.
#[inline(always)]
const fn indices(space: SpaceId) -> (usize, usize) {
    match space {
        SpaceId::Host => (0, 0),
        SpaceId::Boot(domain) => (1, domain.0 as usize),
        SpaceId::Domain(domain) => (2, domain.0 as usize),
        SpaceId::Thread(thread) => (3, thread.0 as usize),
    }
}

impl Spaces {
    #[inline(always)]
    pub(super) fn find(&self, space: SpaceId) -> Option<Id> {
        let (kind, at) = indices(space);
        self.named[kind].get(at).copied().filter(|&id| id != NONE)
    }

    /// A space that exists.
    #[inline(always)]
    pub(super) fn get(&self, id: Id) -> &Space {
        self.all[id as usize].as_ref().expect("capabilities are in spaces that exist")
    }

    #[inline(always)]
    pub(super) fn get_mut(&mut self, id: Id) -> &mut Space {
        self.all[id as usize].as_mut().expect("capabilities are in spaces that exist")
    }

    /// Makes a space that does not exist.
    pub(super) fn make(&mut self, id: SpaceId) {
        let space = Some(Space { id, root: NONE, count: 0, closing: false });
        let at = match self.free.pop() {
            Some(at) => {
                self.all[at as usize] = space;
                at
            }
            None => push(&mut self.all, space),
        };
        self.name(id, at);
    }

    /// Forgets a space that is empty.
    pub(super) fn forget(&mut self, at: Id) {
        let space = self.all[at as usize].take().expect("it exists");
        debug_assert_eq!((space.root, space.count), (NONE, 0));
        self.free.push(at);
        self.name(space.id, NONE);
    }

    fn name(&mut self, space: SpaceId, id: Id) {
        let (kind, at) = indices(space);
        let ids = &mut self.named[kind];
        if ids.len() <= at {
            ids.resize(at + 1, NONE);
        }
        ids[at] = id;
    }

    /// All spaces, in the order of their names.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Id, &Space)> + '_ {
        let named = self.named.iter().flatten().copied();
        named.filter(|&id| id != NONE).map(|id| (id, self.get(id)))
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let ids = self.named.iter().chain([&self.free]).map(Vec::capacity).sum::<usize>();
        self.all.capacity() * size_of::<Option<Space>>() + ids * size_of::<Id>()
    }
}

/// The slots of a space's uppermost table that never hold anything, as a set.
pub(super) const fn reserved(space: SpaceId) -> u32 {
    match space {
        SpaceId::Domain(_) => 1 << cptr::NULL | 1 << cptr::CALL | 1 << cptr::REPLY,
        SpaceId::Host | SpaceId::Boot(_) | SpaceId::Thread(_) => 1 << cptr::NULL,
    }
}
