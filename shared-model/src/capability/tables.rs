//! The tables of all spaces, in one arena.
//!
//! A table exists while something is in it or below it; an empty one goes back to the arena,
//! where any space can take it. Going to a slot takes as many steps as its level. Each table
//! knows which of its slots are taken and which of the tables below have no slot left, so the
//! lowest free number is found without a search.

use alloc::vec::Vec;

use super::cptr::{FANOUT, Fields, LEVELS};
use super::{Id, NONE, push};

/// A bit for each of a table's slots or of the tables below it.
type Set = u32;
const ALL: Set = Set::MAX;

#[derive(Clone, Debug)]
struct Table {
    /// What is in the slots.
    held: [Id; FANOUT],
    below: [Id; FANOUT],
    used: Set,
    present: Set,
    /// By how many levels lie between: tables below that have no free slot on that level.
    full: [Set; LEVELS - 1],
}

const EMPTY: Table = Table {
    held: [NONE; FANOUT],
    below: [NONE; FANOUT],
    used: 0,
    present: 0,
    full: [0; LEVELS - 1],
};

/// The tables on the way to a slot, the root first.
type Trail = [Id; LEVELS];

/// All tables.
#[derive(Clone, Debug, Default)]
pub(super) struct Tables {
    all: Vec<Table>,
    free: Vec<Id>,
}

impl Tables {
    /// What is in a slot.
    pub(super) fn get(&self, root: Id, at: Fields) -> Option<Id> {
        self.held(self.leaf(root, at), at)
    }

    /// The table that a slot is in, or [`NONE`] if it does not exist.
    #[inline(always)]
    pub(super) fn leaf(&self, root: Id, at: Fields) -> Id {
        let mut id = root;
        for step in 0..at.level {
            id = self.table(id).map_or(NONE, |table| table.below[at.digit(step)]);
        }
        id
    }

    /// What is in a slot of that table.
    #[inline(always)]
    pub(super) fn held(&self, leaf: Id, at: Fields) -> Option<Id> {
        let held = self.table(leaf)?.held[at.slot as usize];
        (held != NONE).then_some(held)
    }

    /// Fills an empty slot. `leaf` is its table, which is made if need be.
    #[inline(always)]
    pub(super) fn put(&mut self, root: &mut Id, leaf: Id, at: Fields, held: Id) {
        let leaf = if leaf == NONE { self.make_leaf(root, at) } else { leaf };
        let table = &mut self.all[leaf as usize];
        debug_assert_eq!(table.held[at.slot as usize], NONE);
        table.held[at.slot as usize] = held;
        table.used |= 1 << at.slot;
        if table.used == ALL {
            self.now_full(*root, at);
        }
    }

    /// Empties a slot that is not empty, and gives back the tables that it leaves empty. `leaf`
    /// is its table.
    #[inline(always)]
    pub(super) fn take(&mut self, root: &mut Id, leaf: Id, at: Fields) {
        let table = &mut self.all[leaf as usize];
        debug_assert_ne!(table.held[at.slot as usize], NONE);
        let was_full = table.used == ALL;
        table.held[at.slot as usize] = NONE;
        table.used &= !(1 << at.slot);
        if was_full {
            self.no_longer_full(*root, at);
        } else if table.used == 0 {
            self.give_back(root, at);
        }
    }

    #[cold]
    fn make_leaf(&mut self, root: &mut Id, at: Fields) -> Id {
        if *root == NONE {
            *root = self.make();
        }
        let mut above = *root;
        for step in 0..at.level {
            let digit = at.digit(step);
            let mut below = self.all[above as usize].below[digit];
            if below == NONE {
                below = self.make();
                let table = &mut self.all[above as usize];
                table.below[digit] = below;
                table.present |= 1 << digit;
            }
            above = below;
        }
        above
    }

    /// The way to a slot's table, which exists.
    fn trail(&self, root: Id, at: Fields) -> Trail {
        let mut trail = [root; LEVELS];
        for step in 0..at.level as usize {
            trail[step + 1] = self.all[trail[step] as usize].below[at.digit(step as u32)];
        }
        trail
    }

    /// The lowest number whose slot is empty and not in `reserved`, a set of slots of the root.
    pub(super) fn first_free(&self, root: Id, reserved: Set) -> Option<u64> {
        let used = self.table(root).map_or(0, |table| table.used) | reserved;
        if used != ALL {
            return Some(u64::from(used.trailing_ones()));
        }
        (1..LEVELS as u32).find_map(|level| self.first_free_on(root, level))
    }

    fn first_free_on(&self, root: Id, level: u32) -> Option<u64> {
        let mut at = Fields { level, path: 0, slot: 0 };
        let mut table = self.table(root);
        for step in 0..level {
            let full = table.map_or(0, |table| table.full[(level - 1 - step) as usize]);
            if full == ALL {
                // Only the root can be: below it, a table that is full is not gone to.
                return None;
            }
            let digit = full.trailing_ones();
            at.path = at.path << FANOUT.trailing_zeros() | digit;
            table = table.and_then(|table| self.table(table.below[digit as usize]));
        }
        at.slot = table.map_or(0, |table| table.used.trailing_ones());
        Some(at.number())
    }

    /// A slot that is in use: the first in the order of tables, a table's slots before the
    /// tables below it.
    pub(super) fn first_used(&self, root: Id) -> Option<u64> {
        let mut table = self.table(root)?;
        let mut at = Fields { level: 0, path: 0, slot: 0 };
        while table.used == 0 {
            // An empty table with nothing below does not exist.
            let digit = table.present.trailing_zeros();
            at.level += 1;
            at.path = at.path << FANOUT.trailing_zeros() | digit;
            table = self.table(table.below[digit as usize])?;
        }
        at.slot = table.used.trailing_zeros();
        Some(at.number())
    }

    /// All that is held, with the numbers, lowest first.
    pub(super) fn iter(&self, root: Id) -> impl Iterator<Item = (u64, Id)> + '_ {
        let mut level = Some(self.table(root).map(|table| (0, table)).into_iter().collect());
        let levels = core::iter::from_fn(move || {
            let now: Vec<(u32, &Table)> = level.take()?;
            level = Some(now.iter().flat_map(|&(path, table)| self.below(path, table)).collect());
            (!now.is_empty()).then_some(now)
        });
        levels.zip(0_u32..).flat_map(|(tables, level)| {
            tables.into_iter().flat_map(move |(path, table)| {
                bits(table.used).map(move |slot| {
                    (Fields { level, path, slot }.number(), table.held[slot as usize])
                })
            })
        })
    }

    fn below<'a>(
        &'a self,
        path: u32,
        table: &'a Table,
    ) -> impl Iterator<Item = (u32, &'a Table)> + 'a {
        bits(table.present).map(move |digit| {
            let below = &self.all[table.below[digit as usize] as usize];
            (path << FANOUT.trailing_zeros() | digit, below)
        })
    }

    /// Tables that are in use.
    pub(super) fn len(&self) -> usize {
        self.all.len() - self.free.len()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.all.capacity() * size_of::<Table>() + self.free.capacity() * size_of::<Id>()
    }

    fn table(&self, id: Id) -> Option<&Table> {
        self.all.get(id as usize)
    }

    fn make(&mut self) -> Id {
        match self.free.pop() {
            Some(id) => {
                self.all[id as usize] = EMPTY;
                id
            }
            None => push(&mut self.all, EMPTY),
        }
    }

    /// A table has no free slot any more: those above note it, as far as it is news.
    #[cold]
    fn now_full(&mut self, root: Id, at: Fields) {
        let trail = self.trail(root, at);
        for step in (0..at.level).rev() {
            let full = &mut self.all[trail[step as usize] as usize].full;
            let full = &mut full[(at.level - 1 - step) as usize];
            *full |= 1 << at.digit(step);
            if *full != ALL {
                return;
            }
        }
    }

    #[cold]
    fn no_longer_full(&mut self, root: Id, at: Fields) {
        let trail = self.trail(root, at);
        for step in (0..at.level).rev() {
            let full = &mut self.all[trail[step as usize] as usize].full;
            let full = &mut full[(at.level - 1 - step) as usize];
            let was_full = *full == ALL;
            *full &= !(1 << at.digit(step));
            if !was_full {
                return;
            }
        }
    }

    #[cold]
    fn give_back(&mut self, root: &mut Id, at: Fields) {
        let trail = self.trail(*root, at);
        for step in (0..=at.level).rev() {
            let id = trail[step as usize];
            let table = &self.all[id as usize];
            if table.used != 0 || table.present != 0 {
                return;
            }
            self.free.push(id);
            match step.checked_sub(1) {
                Some(above) => {
                    let (digit, above) = (at.digit(above), trail[above as usize]);
                    let above = &mut self.all[above as usize];
                    above.below[digit] = NONE;
                    above.present &= !(1 << digit);
                }
                None => *root = NONE,
            }
        }
    }
}

/// The members of a set, lowest first.
fn bits(mut set: Set) -> impl Iterator<Item = u32> {
    core::iter::from_fn(move || {
        let lowest = (set != 0).then(|| set.trailing_zeros())?;
        set &= set - 1;
        Some(lowest)
    })
}

/// What must hold of the tables, apart from what is in the slots.
impl Tables {
    pub(super) fn check(&self, roots: impl Iterator<Item = Id>) {
        let reached: usize =
            roots.filter_map(|root| self.table(root)).map(|t| self.check_from(t)).sum();
        assert_eq!(reached, self.len(), "every table is in one space");
    }

    /// The number of tables from a root on.
    fn check_from(&self, root: &Table) -> usize {
        let mut level = alloc::vec![root];
        let mut reached = 0;
        for levels_below in (0..LEVELS).rev() {
            reached += level.len();
            level.iter().for_each(|table| self.check_table(table, levels_below));
            level = level.iter().flat_map(|table| self.below(0, table)).map(|(_, t)| t).collect();
        }
        assert!(level.is_empty(), "a table is below the last level");
        reached
    }

    fn check_table(&self, table: &Table, levels_below: usize) {
        assert!(table.used != 0 || table.present != 0, "an empty table was kept");
        for digit in 0..FANOUT {
            assert_eq!(table.used >> digit & 1 != 0, table.held[digit] != NONE);
            let below = self.table(table.below[digit]);
            assert_eq!(table.present >> digit & 1 != 0, below.is_some());
            for (further, full) in table.full.iter().enumerate() {
                let taken = below.map_or(0, |below| match further.checked_sub(1) {
                    None => below.used,
                    Some(further) => below.full[further],
                });
                let on_a_level = further < levels_below;
                assert_eq!(full >> digit & 1 != 0, on_a_level && taken == ALL);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{NONE, cptr};
    use super::Tables;
    use alloc::collections::BTreeSet;
    use alloc::vec::Vec;
    use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};

    /// Ranges of slots, in the order of allocation, to be filled or emptied. They begin and end
    /// where tables and levels do, more often than not.
    fn ranges() -> impl Strategy<Value = Vec<(bool, u32, u32)>> {
        let start = prop_oneof![Just(0), Just(32), Just(1056), Just(33_824), 0..40_000_u32];
        let length = prop_oneof![Just(32), Just(1024), 0..40_u32, 0..3000_u32];
        proptest::collection::vec((any::<bool>(), start, length), 1..12)
    }

    proptest! {
        #[test]
        fn the_lowest_free_number_is_found_whatever_is_full(ranges in ranges()) {
            let (mut tables, mut root, mut used) = (Tables::default(), NONE, BTreeSet::new());
            for (fill, start, length) in ranges {
                for index in start..start + length {
                    let at = cptr::nth(index).and_then(cptr::fields).unwrap();
                    let leaf = tables.leaf(root, at);
                    match (fill, tables.held(leaf, at)) {
                        (true, None) => tables.put(&mut root, leaf, at, index),
                        (false, Some(held)) => {
                            assert_eq!(held, index);
                            tables.take(&mut root, leaf, at);
                        }
                        (_, held) => assert_eq!(held.is_some(), used.contains(&index)),
                    }
                    if fill { used.insert(index) } else { used.remove(&index) };
                }
                let free = (0..).find(|index| !used.contains(index)).and_then(cptr::nth);
                assert_eq!(tables.first_free(root, 0), free);
                assert!(tables.iter(root).map(|(_, held)| held).eq(used.iter().copied()));
                tables.check(core::iter::once(root));
            }
            while let Some(number) = tables.first_used(root) {
                let at = cptr::fields(number).unwrap();
                let leaf = tables.leaf(root, at);
                tables.take(&mut root, leaf, at);
            }
            assert_eq!((root, tables.len()), (NONE, 0));
        }
    }
}
