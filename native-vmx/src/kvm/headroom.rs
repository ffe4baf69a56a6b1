//! Room under the host's limit on a process's mappings (vm.max_map_count), kept so that
//! taking access away never fails for want of it.
//!
//! Each page mapped into a domain may be a mapping of its own, and removing one may split
//! another in two. At the limit the kernel refuses both. So some mappings that serve no
//! purpose are held; a removal that is refused spends them, and no page is mapped until they
//! are there again.

use std::io;

use shared_model::address::PAGE_SIZE;

use super::mapping::Mapping;

/// Mappings held: every page of the range differs from its neighbours.
const PIECES: usize = 64;

/// The reserve.
#[derive(Debug, Default)]
pub(crate) struct Headroom(Option<Mapping>);

impl Headroom {
    /// Makes sure that the reserve is there.
    pub(crate) fn keep(&mut self) -> io::Result<()> {
        if self.0.is_none() {
            let range = Mapping::reserve(PIECES * PAGE_SIZE as usize)?;
            for piece in (0..PIECES).step_by(2) {
                range.allow_reading(piece * PAGE_SIZE as usize, PAGE_SIZE as usize)?;
            }
            self.0 = Some(range);
        }
        Ok(())
    }

    /// Gives the reserve to whoever needs a mapping now.
    pub(crate) fn spend(&mut self) {
        self.0 = None;
    }
}
