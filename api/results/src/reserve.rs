//! Space that is kept free for deleting: when a disk is full, noting in the journal that
//! something is deleted takes a little space too.

use std::sync::Arc;

use cap_std::fs::OpenOptions;
use rustix::fs::FallocateFlags;

use crate::directory::Directory;

const NAME: &str = "reserve";
const SIZE: u64 = 1 << 20;

/// A file that only takes space.
#[derive(Debug)]
pub(crate) struct Reserve {
    store: Arc<Directory>,
}

impl Reserve {
    /// Takes the space, if there is so much.
    pub(crate) fn new(store: Arc<Directory>) -> Self {
        let reserve = Self { store };
        reserve.fill();
        reserve
    }

    /// Takes the space again. If that is not possible there is none for next time, and nothing
    /// else is wrong.
    pub(crate) fn fill(&self) {
        let options = OpenOptions::new().write(true).create(true).truncate(false).clone();
        let filled = self.store.open(NAME, &options).is_ok_and(|file| {
            rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, SIZE).is_ok()
        });
        if !filled {
            self.release();
        }
    }

    /// Gives the space away; whether there was any.
    pub(crate) fn release(&self) -> bool {
        self.store.remove(NAME).unwrap_or(false)
    }
}
