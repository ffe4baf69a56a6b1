//! What must always hold, checked.

use super::{Capabilities, NONE, cptr, spaces};

impl Capabilities {
    /// Checks the invariants at the top of this module. Takes time in proportion to all there
    /// is.
    ///
    /// # Panics
    /// If one does not hold: the model is broken.
    pub fn check(&self) {
        self.check_slots();
        self.check_derivations();
        self.check_objects();
        self.unfinished.check(&self.forest);
    }

    fn check_slots(&self) {
        let mut in_slots = 0;
        for (id, space) in self.spaces.iter() {
            let mut count = 0;
            for (number, held) in self.tables.iter(space.root) {
                let node = self.forest.node(held);
                assert_ne!(node.counted, NONE, "slot {number} holds what is gone");
                assert_eq!((node.space, node.number()), (id, number), "slot and node disagree");
                let at = cptr::fields(number).expect("tables have slots with numbers");
                let reserved = at.level == 0 && spaces::reserved(space.id) >> at.slot & 1 != 0;
                assert!(!reserved, "slot {number} is reserved");
                assert_eq!(self.tables.get(space.root, at), Some(held));
                count += 1;
            }
            assert_eq!(space.count, count, "{:?}", space.id);
            in_slots += count as usize;
        }
        assert_eq!(in_slots, self.forest.len(), "every capability is in one slot");
        self.tables.check(self.spaces.iter().map(|(_, space)| space.root));
    }

    fn check_derivations(&self) {
        for (id, node) in self.forest.live() {
            let capability = self.forest.capability(id);
            let mut previous = NONE;
            for child in self.forest.children(id) {
                let node = self.forest.node(child);
                assert_eq!((node.parent, node.previous), (id, previous), "a link is wrong");
                previous = child;
                let child = self.forest.capability(child);
                assert_eq!(child.object, capability.object);
                assert!(capability.rights.contains(child.rights), "rights grew");
                let badge = capability.badge;
                assert!(badge == 0 || child.badge == badge, "a badge changed");
            }
            assert!(capability.badge <= capability.object.badge_max());
            assert_ne!(node.parent, id);
        }
    }

    /// Every capability is reached from its object's roots: so there is no cycle.
    fn check_objects(&self) {
        let mut reached = 0;
        for (object, counted) in self.forest.objects() {
            assert_eq!(counted.object, object);
            assert_ne!(counted.references, 0, "{object:?} is counted and not named");
            let naming = self.forest.naming(object);
            let wrong = naming.take(counted.references as usize + 1).inspect(|&id| {
                assert_eq!(self.forest.object(id), object);
            });
            assert_eq!(wrong.count(), counted.references as usize, "{object:?}");
            reached += counted.references as usize;
        }
        assert_eq!(reached, self.forest.len(), "every capability is counted once");
        let live = self.forest.live().count();
        assert_eq!(live, self.forest.len());
    }
}
