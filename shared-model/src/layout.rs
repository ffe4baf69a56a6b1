//! Where things are in a domain.
//!
//! ```text
//! guest-physical                      guest-virtual
//! 0x0000_0000  nothing                0x1000_0000  linked modules (relocatable)
//! 0x0000_1000  page tables, system    0x3000_0000  imports nobody provides: never mapped
//!              pages, images          system block (0x4000_0000 unless an executable is there)
//! 0x3fd0_0000  further arguments        + 0x0000_0000  data window    read, write
//! 0x3fe0_0000  thread areas             + 0x2000_0000  code window    read, execute
//! 0x4000_0000  data window              + 0x3000_0000  descriptor tables, gates
//! 0x6000_0000  code window              + 0x3000_8000  boot information
//! 0x8000_0000  end                      + 0x3010_0000  arguments of further threads
//!                                       + 0x3100_0000  thread areas, 128 KiB apart
//!                                       + 0x3800_0000  arguments of the first thread
//! ```
//!
//! Guest page tables are built once. The windows are mapped in full from the start, in
//! large pages; a page capability mapped into a window appears there, and disappears
//! when it is unmapped or revoked, without any guest page table changing. The areas of all
//! threads that a domain can have are in the tables as well, at a fixed place each; their pages
//! appear below when the thread is created.

use crate::address::{GuestPhysical, GuestVirtual, LOWER_HALF_END};
use crate::rights::Rights;

/// Bytes of guest-physical space that a domain has.
pub const PHYSICAL_SIZE: u64 = 0x8000_0000;
/// The first guest-physical page that is ever mapped; page 0 never is.
pub const PHYSICAL_FIRST: GuestPhysical = GuestPhysical(0x1000);

/// Guest-physical start of the room for the arguments of further threads, whose pages appear as
/// they are needed. What a domain is built from ends below it.
pub const MORE_ARGUMENTS: GuestPhysical = GuestPhysical(0x3fd0_0000);
/// Bytes in that room.
pub const MORE_ARGUMENTS_SIZE: u64 = 0x10_0000;
/// Guest-physical start of the thread areas, which end where the data window begins.
pub const THREAD_AREAS: GuestPhysical = GuestPhysical(0x3fe0_0000);
/// Bytes of guest-physical space from one thread's area to the next.
const THREAD_AREA_SIZE: u64 = 0x1_0000;

/// Whose thread area a guest-physical page belongs to.
pub fn thread_of(page: GuestPhysical) -> Option<u32> {
    let index = page.0.checked_sub(THREAD_AREAS.0)? / THREAD_AREA_SIZE;
    u32::try_from(index).ok().filter(|&index| index < THREADS_MAX)
}

/// Guest-physical start of the data window.
pub const DATA_WINDOW: GuestPhysical = GuestPhysical(0x4000_0000);
/// Bytes in the data window.
pub const DATA_WINDOW_SIZE: u64 = 0x2000_0000;
/// Guest-physical start of the code window.
pub const CODE_WINDOW: GuestPhysical = GuestPhysical(0x6000_0000);
/// Bytes in the code window.
pub const CODE_WINDOW_SIZE: u64 = 0x1000_0000;

/// The rights that a mapping at `page` can have: those of the window it is in, and nothing
/// outside the windows, where only the domain's builder maps.
pub fn window_rights(page: GuestPhysical) -> Option<Rights> {
    let inside = |start: GuestPhysical, size| page >= start && page.0 - start.0 < size;
    if inside(DATA_WINDOW, DATA_WINDOW_SIZE) {
        Some(Rights::READ_WRITE)
    } else if inside(CODE_WINDOW, CODE_WINDOW_SIZE) {
        Some(Rights::READ_EXECUTE)
    } else {
        None
    }
}

/// Whether a mapping in a window with the first rights can have the second. The guest's tables let
/// everything in the code window be executed, so whatever is mapped there has that right.
pub const fn window_allows(window: Rights, rights: Rights) -> bool {
    window.contains(rights)
        && rights.contains(Rights::READ)
        && rights.contains(Rights::EXECUTE) == window.contains(Rights::EXECUTE)
}

/// Where the first relocatable module goes. All of them lie below 2 GiB, where both the
/// signed and the unsigned 32-bit relocations of kernel code resolve.
pub const MODULE_BASE: GuestVirtual = GuestVirtual(0x1000_0000);
/// The end of the room for relocatable modules.
pub const MODULE_END: GuestVirtual = GuestVirtual(0x3000_0000);
/// Start of the addresses given to imports that nobody provides, a page each.
pub const UNPROVIDED_BASE: GuestVirtual = GuestVirtual(0x3000_0000);
/// End of those addresses.
pub const UNPROVIDED_END: GuestVirtual = GuestVirtual(0x4000_0000);

/// Bytes that the system block takes of guest-virtual space, and its alignment.
pub const SYSTEM_SIZE: u64 = 0x4000_0000;
/// Where the system block is unless an executable occupies the place.
pub const SYSTEM_DEFAULT: GuestVirtual = GuestVirtual(0x4000_0000);

/// The system block of one domain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SystemBlock {
    base: GuestVirtual,
}

impl SystemBlock {
    /// The first place, from the default upwards and round the lower half once, that
    /// overlaps none of `taken` (start and size in bytes).
    ///
    /// Returns nothing if the lower half has no free gibibyte left.
    pub fn place(taken: &[(GuestVirtual, u64)]) -> Option<Self> {
        let count = LOWER_HALF_END / SYSTEM_SIZE;
        let first = SYSTEM_DEFAULT.0 / SYSTEM_SIZE;
        (0..count).map(|i| (first + i) % count * SYSTEM_SIZE).find_map(|base| {
            let free = taken.iter().all(|&(start, size)| {
                start.0.saturating_add(size) <= base || start.0 >= base + SYSTEM_SIZE
            });
            // The block at 0 would put the data window at the null pointer.
            (free && base != 0).then_some(Self { base: GuestVirtual(base) })
        })
    }

    /// Where the data window appears.
    pub const fn data_window(self) -> GuestVirtual {
        self.base
    }

    /// Where the code window appears.
    pub const fn code_window(self) -> GuestVirtual {
        GuestVirtual(self.base.0 + 0x2000_0000)
    }

    /// The descriptor tables and the gates, a page each.
    pub const fn descriptors(self) -> GuestVirtual {
        GuestVirtual(self.base.0 + 0x3000_0000)
    }

    /// The domain's boot information, a page.
    pub const fn boot_info(self) -> GuestVirtual {
        GuestVirtual(self.base.0 + 0x3000_8000)
    }

    /// Where the buffers of further threads' arguments go.
    pub const fn more_arguments(self) -> GuestVirtual {
        GuestVirtual(self.base.0 + 0x3010_0000)
    }

    /// The area of a domain's `index`-th thread: see [`ThreadPlaces`]. It is below
    /// [`THREADS_MAX`].
    pub const fn thread(self, index: u32) -> ThreadPlaces {
        ThreadPlaces {
            base: GuestVirtual(self.base.0 + 0x3100_0000 + index as u64 * 0x2_0000),
            physical: GuestPhysical(THREAD_AREAS.0 + index as u64 * THREAD_AREA_SIZE),
        }
    }

    /// Where the buffers of a call's arguments go.
    pub const fn arguments(self) -> GuestVirtual {
        GuestVirtual(self.base.0 + 0x3800_0000)
    }

    /// Bytes available for them.
    pub const ARGUMENTS_SIZE: u64 = 0x0800_0000;
}

/// Threads that a domain can have at a time: as many as have areas in its page tables.
pub const THREADS_MAX: u32 = 32;
/// Pages of a thread's stack.
pub const STACK_PAGES: u64 = 8;

/// Where one thread's own pages are. Each is surrounded by addresses that are never
/// mapped, so that running off an end is a fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ThreadPlaces {
    base: GuestVirtual,
    physical: GuestPhysical,
}

impl ThreadPlaces {
    /// The UTCB page.
    pub const fn utcb(self) -> GuestVirtual {
        GuestVirtual(self.base.0 + 0x1000)
    }

    /// The page that `gs` points to.
    pub const fn area(self) -> GuestVirtual {
        GuestVirtual(self.base.0 + 0x3000)
    }

    /// The page with the task segment and its port bitmap.
    pub const fn task(self) -> GuestVirtual {
        GuestVirtual(self.base.0 + 0x5000)
    }

    /// The page for exception frames.
    pub const fn exception_stack(self) -> GuestVirtual {
        GuestVirtual(self.base.0 + 0x7000)
    }

    /// The lowest page of the stack.
    pub const fn stack(self) -> GuestVirtual {
        GuestVirtual(self.base.0 + 0x1_0000)
    }

    /// The address just past the stack.
    pub const fn stack_top(self) -> GuestVirtual {
        GuestVirtual(self.stack().0 + STACK_PAGES * 0x1000)
    }

    /// The UTCB's guest-physical page.
    pub const fn utcb_page(self) -> GuestPhysical {
        self.physical
    }

    /// The guest-physical page that `gs` leads to.
    pub const fn area_page(self) -> GuestPhysical {
        GuestPhysical(self.physical.0 + 0x1000)
    }

    /// The task segment's guest-physical page.
    pub const fn task_page(self) -> GuestPhysical {
        GuestPhysical(self.physical.0 + 0x2000)
    }

    /// The guest-physical page for exception frames.
    pub const fn exception_page(self) -> GuestPhysical {
        GuestPhysical(self.physical.0 + 0x3000)
    }

    /// The guest-physical address of the stack's lowest page; the pages above follow it.
    pub const fn stack_page(self) -> GuestPhysical {
        GuestPhysical(self.physical.0 + 0x8000)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        DATA_WINDOW, MORE_ARGUMENTS, MORE_ARGUMENTS_SIZE, STACK_PAGES, SYSTEM_DEFAULT, SYSTEM_SIZE,
        SystemBlock, THREAD_AREAS, THREADS_MAX, thread_of,
    };
    use crate::address::{GuestPhysical, GuestVirtual};

    #[test]
    fn the_system_block_avoids_what_is_taken() {
        assert_eq!(SystemBlock::place(&[]).unwrap().data_window(), SYSTEM_DEFAULT);
        let low = [(GuestVirtual(0x7fff_f000), 0x1000)];
        assert_eq!(SystemBlock::place(&low).unwrap().data_window().0, 2 * SYSTEM_SIZE);
        let most = [(GuestVirtual(SYSTEM_SIZE), (1 << 47) - SYSTEM_SIZE)];
        assert_eq!(SystemBlock::place(&most), None);
    }

    #[test]
    fn thread_areas_are_apart_and_end_before_the_arguments() {
        let block = SystemBlock::place(&[]).unwrap();
        assert!(block.thread(THREADS_MAX - 1).stack_top() < block.arguments());
        assert_eq!(block.thread(0).utcb().0, 0x7100_1000);
        for index in 1..THREADS_MAX {
            let (before, after) = (block.thread(index - 1), block.thread(index));
            assert!(before.stack_top() < after.utcb());
            assert_eq!(thread_of(after.utcb_page()), Some(index));
            assert_eq!(thread_of(GuestPhysical(after.utcb_page().0 - 1)), Some(index - 1));
        }
        let last = block.thread(THREADS_MAX - 1).stack_page().0 + STACK_PAGES * 0x1000;
        assert_eq!(last, DATA_WINDOW.0);
        assert_eq!(thread_of(DATA_WINDOW), None);
        assert_eq!(thread_of(GuestPhysical(THREAD_AREAS.0 - 1)), None);
    }

    #[test]
    fn the_rooms_of_the_system_block_do_not_overlap() {
        let block = SystemBlock::place(&[]).unwrap();
        assert!(block.descriptors().0 + 0x3000 < block.boot_info().0);
        assert!(block.boot_info() < block.more_arguments());
        assert!(block.more_arguments().0 + MORE_ARGUMENTS_SIZE <= block.thread(0).utcb().0);
        assert_eq!(MORE_ARGUMENTS.0 + MORE_ARGUMENTS_SIZE, THREAD_AREAS.0);
    }
}
