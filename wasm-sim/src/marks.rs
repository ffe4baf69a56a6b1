//! Places in code at which something is to happen besides what the code does: a run stops before
//! the instruction, or a fault is built into the machine there.
//!
//! A marked instruction is decoded into a block of its own that the fast loop hands over, so that
//! code without marks runs as fast as ever.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::Engine;

/// What is marked in the code of one domain.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Marks {
    /// Addresses of instructions before which runs stop.
    pub(crate) stops: BTreeSet<u64>,
    /// Registers of which bits are inverted after an instruction.
    pub(crate) plants: BTreeMap<u64, Vec<Flip>>,
}

/// Bits of a register that are to be inverted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Flip {
    pub(crate) register: usize,
    pub(crate) bits: u64,
}

impl Marks {
    pub(crate) fn is_empty(&self) -> bool {
        self.stops.is_empty() && self.plants.is_empty()
    }
}

impl Engine {
    /// Whether the instruction at an address needs attention.
    pub(crate) fn is_marked(&self, address: u64) -> bool {
        self.marks.as_ref().is_some_and(|marks| {
            marks.stops.contains(&address) || marks.plants.contains_key(&address)
        })
    }

    pub(crate) fn stops_at(&self, address: u64) -> bool {
        self.marks.as_ref().is_some_and(|marks| marks.stops.contains(&address))
    }

    /// The instruction at an address has been executed.
    pub(crate) fn spoil(&mut self, address: u64) {
        let Some(marks) = &self.marks else { return };
        for flip in marks.plants.get(&address).into_iter().flatten() {
            self.regs[flip.register] ^= flip.bits;
        }
    }
}
