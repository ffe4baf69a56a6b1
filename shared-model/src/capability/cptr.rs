//! Slot numbers: how a domain names its capabilities.
//!
//! ```text
//! bit 21  20 19                    5 4        0
//!    ┌──────┬───────────────────────┬──────────┐
//!    │level │ path, 5 bits a level  │   slot   │
//!    └──────┴───────────────────────┴──────────┘
//! ```
//!
//! A space is a tree of tables, each with 32 slots and room for 32 tables below. The level says
//! how many steps down the table is, the path which way, the slot which of its slots. A shallow
//! number leaves the upper bits of the path unused; they must be zero, so that no slot has two
//! numbers.
//!
//! The first step is the path's uppermost digit. The order of numbers in a level is then the
//! order of the tree, and the lowest free number is found by going down once.

/// Bits of a number that one step takes.
const DIGIT: u32 = 5;
/// Where the level is.
const LEVEL_SHIFT: u32 = 4 * DIGIT;

/// Slots in a table, and tables below it.
pub const FANOUT: usize = 1 << DIGIT;
/// Levels of a space.
pub const LEVELS: usize = 4;
/// Slots of each level.
pub const CAPACITY: [u32; LEVELS] =
    [1 << DIGIT, 1 << (2 * DIGIT), 1 << (3 * DIGIT), 1 << (4 * DIGIT)];
/// Slots of a space, those included that never hold anything.
pub const TOTAL: u32 = CAPACITY[0] + CAPACITY[1] + CAPACITY[2] + CAPACITY[3];
/// Numbers are below this.
pub const NUMBERS: u64 = (LEVELS as u64) << LEVEL_SHIFT;

/// Names no slot, in any space.
pub const NULL: u64 = 0;
/// In a domain's space: the calling thread's own endpoint, on which it is answered.
pub const CALL: u64 = 1;
/// In a domain's space: the calling thread's right to answer who called last.
pub const REPLY: u64 = 2;
/// The first number that a domain can use.
pub const FIRST: u64 = 3;

/// The parts of a slot number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fields {
    /// How many tables are above the slot's own.
    pub level: u32,
    /// The way there, the first step uppermost.
    pub path: u32,
    /// The slot in its table.
    pub slot: u32,
}

impl Fields {
    /// The number with these parts.
    pub const fn number(self) -> u64 {
        (self.level << LEVEL_SHIFT | self.path << DIGIT | self.slot) as u64
    }

    /// Which way to go from the table `step` tables below the root.
    pub(super) const fn digit(self, step: u32) -> usize {
        (self.path >> (DIGIT * (self.level - 1 - step))) as usize % FANOUT
    }
}

/// The parts of a number, or nothing if it cannot name a slot.
pub const fn fields(number: u64) -> Option<Fields> {
    if number >= NUMBERS {
        return None;
    }
    let number = number as u32;
    let (level, within) = (number >> LEVEL_SHIFT, number % (1 << LEVEL_SHIFT));
    if within >= CAPACITY[level as usize] {
        return None;
    }
    Some(Fields { level, path: within >> DIGIT, slot: within % FANOUT as u32 })
}

/// The number of the slot at `index` in the order of allocation: all of level 0, then all of
/// level 1, and so on.
pub const fn nth(index: u32) -> Option<u64> {
    let (mut level, mut within) = (0, index);
    while level < LEVELS {
        if within < CAPACITY[level] {
            return Some((level as u64) << LEVEL_SHIFT | within as u64);
        }
        within -= CAPACITY[level];
        level += 1;
    }
    None
}

/// Where a number is in the order of allocation: the inverse of [`nth`].
pub const fn index(number: u64) -> Option<u32> {
    let Some(Fields { level, path, slot }) = fields(number) else { return None };
    let (mut index, mut above) = (path << DIGIT | slot, 0);
    while above < level {
        index += CAPACITY[above as usize];
        above += 1;
    }
    Some(index)
}

#[cfg(test)]
mod tests {
    use super::{CAPACITY, FIRST, Fields, NUMBERS, TOTAL, fields, index, nth};
    use proptest::prelude::{prop_assert_eq, proptest};

    #[test]
    fn levels_have_the_capacities_of_the_original() {
        assert_eq!(CAPACITY, [32, 1024, 32_768, 1_048_576]);
        assert_eq!(nth(TOTAL), None);
        assert_eq!(nth(TOTAL - 1), Some(NUMBERS - 1));
        let mut numbers = 0;
        for level in 0..4 {
            numbers += (0..1 << 20).filter(|n| fields(level << 20 | n).is_some()).count();
        }
        assert_eq!(numbers, TOTAL as usize);
    }

    #[test]
    fn a_number_has_a_level_a_path_and_a_slot() {
        let number = 2 << 20 | 7 << 10 | 9 << 5 | 11;
        let parts = Fields { level: 2, path: 7 << 5 | 9, slot: 11 };
        assert_eq!(fields(number), Some(parts));
        assert_eq!((parts.digit(0), parts.digit(1)), (7, 9));
        assert_eq!(fields(31), Some(Fields { level: 0, path: 0, slot: 31 }));
    }

    #[test]
    fn bits_of_the_path_that_a_level_does_not_use_must_be_zero() {
        for bad in [32, 1 << 19, 1 << 20 | 1 << 10, 2 << 20 | 1 << 15, 1 << 22, 1 << 32 | 3] {
            assert_eq!(fields(bad), None, "{bad:#x}");
            assert_eq!(index(bad), None, "{bad:#x}");
        }
        assert_eq!(fields(u64::MAX), None);
    }

    #[test]
    fn the_first_numbers_are_those_of_level_0() {
        assert_eq!(nth(3), Some(FIRST));
        assert_eq!((nth(31), nth(32)), (Some(31), Some(1 << 20)));
        assert_eq!((nth(1055), nth(1056)), (Some(1 << 20 | 1023), Some(2 << 20)));
    }

    proptest! {
        #[test]
        fn nth_and_index_are_inverse(at in 0..TOTAL, any in 0..NUMBERS) {
            let number = nth(at).unwrap();
            prop_assert_eq!(index(number), Some(at));
            prop_assert_eq!(fields(number).unwrap().number(), number);
            prop_assert_eq!(index(any).and_then(nth), fields(any).map(Fields::number));
        }

        #[test]
        fn order_of_allocation_is_order_of_numbers(a in 0..TOTAL, b in 0..TOTAL) {
            prop_assert_eq!(a.cmp(&b), nth(a).cmp(&nth(b)));
        }
    }
}
