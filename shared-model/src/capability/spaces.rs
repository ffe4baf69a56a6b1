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
    host: Option<Id>,
    boot: Vec<Id>,
    domain: Vec<Id>,
    thread: Vec<Id>,
}

impl Spaces {
    pub(super) fn find(&self, space: SpaceId) -> Option<Id> {
        let (ids, at) = match space {
            SpaceId::Host => return self.host,
            SpaceId::Boot(domain) => (&self.boot, domain.0),
            SpaceId::Domain(domain) => (&self.domain, domain.0),
            SpaceId::Thread(thread) => (&self.thread, thread.0),
        };
        ids.get(at as usize).copied().filter(|&id| id != NONE)
    }

    /// A space that exists.
    pub(super) fn get(&self, id: Id) -> &Space {
        self.all[id as usize].as_ref().expect("capabilities are in spaces that exist")
    }

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
        let (ids, at) = match space {
            SpaceId::Host => {
                self.host = (id != NONE).then_some(id);
                return;
            }
            SpaceId::Boot(domain) => (&mut self.boot, domain.0),
            SpaceId::Domain(domain) => (&mut self.domain, domain.0),
            SpaceId::Thread(thread) => (&mut self.thread, thread.0),
        };
        let at = at as usize;
        if ids.len() <= at {
            ids.resize(at + 1, NONE);
        }
        ids[at] = id;
    }

    /// All spaces, in the order of their names.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Id, &Space)> + '_ {
        let named = [&self.boot, &self.domain, &self.thread].into_iter().flatten().copied();
        let ids = self.host.into_iter().chain(named.filter(|&id| id != NONE));
        ids.map(|id| (id, self.get(id)))
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let ids = [&self.free, &self.boot, &self.domain, &self.thread];
        let ids: usize = ids.iter().map(|ids| ids.capacity()).sum();
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
