//! A domain's guest-physical space: which frame each of its pages is.

use shared_model::address::{Frame, GuestPhysical, PAGE_SIZE};
use shared_model::layout::PHYSICAL_SIZE;
use shared_model::rights::Rights;

/// Pages that one part of the map covers.
const PART: usize = 512;
const PARTS: usize = (PHYSICAL_SIZE / PAGE_SIZE) as usize / PART;

/// One page of the space.
#[derive(Clone, Copy, Default)]
pub(crate) struct Mapping {
    pub(crate) frame: u32,
    present: bool,
    pub(crate) writable: bool,
    /// Decoded code was fetched from here, or through a page table that is here.
    fetched: bool,
}

/// The map, two levels deep; parts appear when something is mapped in them.
#[derive(Default)]
pub(crate) struct PhysicalSpace {
    parts: Vec<Option<Box<[Mapping; PART]>>>,
}

/// What a change of the map makes stale.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Stale {
    /// Cached translations: something had been mapped there.
    pub(crate) translations: bool,
    /// Decoded code too.
    pub(crate) code: bool,
}

impl PhysicalSpace {
    fn slot(page: GuestPhysical) -> Option<(usize, usize)> {
        let number = usize::try_from(page.0 / PAGE_SIZE).ok()?;
        (page.0 < PHYSICAL_SIZE).then_some((number / PART, number % PART))
    }

    /// The mapping of the page that holds `address`.
    pub(crate) fn get(&self, address: GuestPhysical) -> Option<Mapping> {
        let (part, index) = Self::slot(address)?;
        let mapping = self.parts.get(part)?.as_ref()?[index];
        mapping.present.then_some(mapping)
    }

    /// Remembers that decoded code depends on the page's mapping.
    pub(crate) fn mark_fetched(&mut self, address: GuestPhysical) {
        if let Some((part, index)) = Self::slot(address)
            && let Some(Some(part)) = self.parts.get_mut(part)
        {
            part[index].fetched = true;
        }
    }

    /// Replaces the mapping of a page. On x86 whatever is mapped can be read, so a
    /// mapping without any right is none.
    pub(crate) fn map(&mut self, page: GuestPhysical, frame: Frame, rights: Rights) -> Stale {
        let stale = self.unmap(page);
        if let Some((part, index)) = Self::slot(page)
            && !rights.for_mapping().is_empty()
        {
            if self.parts.len() < PARTS {
                self.parts.resize_with(PARTS, || None);
            }
            let part = self.parts[part].get_or_insert_with(|| Box::new([Mapping::default(); PART]));
            part[index] = Mapping {
                frame: frame.0,
                present: true,
                writable: rights.contains(Rights::WRITE),
                fetched: false,
            };
        }
        stale
    }

    /// Removes the mapping of a page.
    pub(crate) fn unmap(&mut self, page: GuestPhysical) -> Stale {
        let Some((part, index)) = Self::slot(page) else { return Stale::default() };
        let Some(Some(part)) = self.parts.get_mut(part) else { return Stale::default() };
        let old = std::mem::take(&mut part[index]);
        Stale { translations: old.present, code: old.fetched }
    }
}

#[cfg(test)]
mod tests {
    use super::{PhysicalSpace, Stale};
    use shared_model::address::{Frame, GuestPhysical};
    use shared_model::layout::PHYSICAL_SIZE;
    use shared_model::rights::Rights;

    #[test]
    fn a_mapping_lasts_until_it_is_removed() {
        let mut space = PhysicalSpace::default();
        let page = GuestPhysical(0x5000);
        assert_eq!(space.map(page, Frame(7), Rights::READ), Stale::default());
        let mapping = space.get(GuestPhysical(0x5fff)).unwrap();
        assert_eq!((mapping.frame, mapping.writable), (7, false));
        space.mark_fetched(page);
        assert_eq!(space.unmap(page), Stale { translations: true, code: true });
        assert!(space.get(page).is_none());
    }

    #[test]
    fn nothing_exists_past_the_end() {
        let mut space = PhysicalSpace::default();
        space.map(GuestPhysical(PHYSICAL_SIZE), Frame(0), Rights::ALL);
        assert!(space.get(GuestPhysical(PHYSICAL_SIZE)).is_none());
        space.map(GuestPhysical(0x1000), Frame(0), Rights::NONE);
        assert!(space.get(GuestPhysical(0x1000)).is_none());
    }
}
