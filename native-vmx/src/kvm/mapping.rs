//! Memory that this process maps itself.
//!
//! # Soundness rules
//!
//! 1. A [`Mapping`] owns its address range from its creation until it is dropped. Nobody
//!    else maps, unmaps or replaces any part of the range.
//! 2. No Rust reference into a range is ever made: guests and the kernel change the bytes.
//!    They are copied through raw pointers, after a bounds check.
//! 3. Bytes that a guest can reach may change at any moment, because virtual processors run on
//!    other host threads. They are accessed atomically ([`super::copy`]). Copies by this
//!    program into one frame do not race with each other: one needs `&mut NativeArch`, which
//!    is one host thread's at a time. (The run page is no guest's: `run_page`.)
//! 4. A shared mapping of a file never reaches past the file's end, and files only grow, so
//!    an access cannot raise SIGBUS. ([`super::frames`] keeps this.)
//! 5. Ranges without access ([`Mapping::reserve`]) are never touched by this process, only
//!    named to KVM.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};

/// What may be done with mapped pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Protection {
    Read,
    ReadWrite,
}

impl Protection {
    const fn bits(self) -> libc::c_int {
        match self {
            Self::Read => libc::PROT_READ,
            Self::ReadWrite => libc::PROT_READ | libc::PROT_WRITE,
        }
    }
}

/// A page-aligned range of this process's address space.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: a mapping belongs to the process, not to a thread, and the type hands out only
// raw pointers, whose use is governed by rules 2 and 3.
unsafe impl Send for Mapping {}
// SAFETY: as for `Send`; the methods that take `&self` only pass addresses to the kernel.
unsafe impl Sync for Mapping {}

/// Address space without access or memory behind it.
const NOTHING: libc::c_int = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;

impl Mapping {
    /// Reserves `len` bytes of address space without access.
    pub(crate) fn reserve(len: usize) -> io::Result<Self> {
        // SAFETY: the kernel chooses a free range; nothing existing is affected.
        let start = unsafe { libc::mmap(ptr::null_mut(), len, libc::PROT_NONE, NOTHING, -1, 0) };
        Self::own(start, len)
    }

    /// Maps `len` bytes of a file, shared, for reading and writing.
    pub(crate) fn file(fd: BorrowedFd<'_>, offset: u64, len: usize) -> io::Result<Self> {
        // SAFETY: as in `reserve`; rule 4 is the caller's.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                len,
                Protection::ReadWrite.bits(),
                libc::MAP_SHARED,
                fd.as_raw_fd(),
                file_offset(offset)?,
            )
        };
        Self::own(start, len)
    }

    fn own(start: *mut libc::c_void, len: usize) -> io::Result<Self> {
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        match NonNull::new(start.cast()) {
            Some(start) => Ok(Self { start, len }),
            None => Err(io::Error::other("the kernel mapped page 0")),
        }
    }

    /// The first byte.
    pub(crate) const fn as_ptr(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// Bytes in the range.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// The address of `len` bytes from `at`.
    ///
    /// Panics if they are not inside: an arithmetic mistake here must never become a write
    /// elsewhere.
    pub(crate) fn range(&self, at: usize, len: usize) -> *mut u8 {
        assert!(
            at.checked_add(len).is_some_and(|end| end <= self.len),
            "{len} bytes at {at} are outside a mapping of {}",
            self.len
        );
        // SAFETY: just checked to be inside the range this value owns (rule 1).
        unsafe { self.as_ptr().add(at) }
    }

    /// Puts part of a file over `len` bytes from `at`, replacing what was there.
    pub(crate) fn place(
        &self,
        at: usize,
        len: usize,
        fd: BorrowedFd<'_>,
        offset: u64,
        protection: Protection,
    ) -> io::Result<()> {
        self.replace(
            at,
            len,
            protection.bits(),
            libc::MAP_SHARED,
            fd.as_raw_fd(),
            file_offset(offset)?,
        )
    }

    /// Takes access to `len` bytes from `at` away.
    pub(crate) fn withdraw(&self, at: usize, len: usize) -> io::Result<()> {
        self.replace(at, len, libc::PROT_NONE, NOTHING, -1, 0)
    }

    /// Takes access to `len` bytes from `at` away, but leaves what is behind them: where the
    /// range's ends are ends of mappings, this makes no new one.
    pub(crate) fn forbid(&self, at: usize, len: usize) -> io::Result<()> {
        self.protect(at, len, libc::PROT_NONE)
    }

    /// Makes `len` bytes from `at` readable.
    pub(crate) fn allow_reading(&self, at: usize, len: usize) -> io::Result<()> {
        self.protect(at, len, libc::PROT_READ)
    }

    fn protect(&self, at: usize, len: usize, protection: libc::c_int) -> io::Result<()> {
        let target = self.range(at, len);
        // SAFETY: `target` is inside the range this value owns (rule 1), and nothing of this
        // program is there to lose access: callers do this to reservations only (rule 5).
        let result = unsafe { libc::mprotect(target.cast(), len, protection) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Puts fresh private memory over the whole range, letting go of the file behind it.
    pub(crate) fn detach(&self) -> io::Result<()> {
        let private = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        self.replace(0, self.len, Protection::ReadWrite.bits(), private, -1, 0)
    }

    fn replace(
        &self,
        at: usize,
        len: usize,
        protection: libc::c_int,
        flags: libc::c_int,
        fd: libc::c_int,
        offset: libc::off_t,
    ) -> io::Result<()> {
        let target = self.range(at, len);
        // SAFETY: `target` is inside the range this value owns (rule 1), to which no
        // reference exists (rule 2), so replacing pages there affects nobody else.
        let placed = unsafe {
            libc::mmap(target.cast(), len, protection, flags | libc::MAP_FIXED, fd, offset)
        };
        if placed == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range is this value's own (rule 1) and nobody can use it any more.
        // A failure would leak address space and nothing else.
        unsafe { libc::munmap(self.as_ptr().cast(), self.len) };
    }
}

fn file_offset(offset: u64) -> io::Result<libc::off_t> {
    libc::off_t::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge.into())
}

#[cfg(test)]
mod tests {
    use super::Mapping;

    #[test]
    fn a_range_outside_is_refused() {
        let mapping = Mapping::reserve(8192).unwrap();
        assert_eq!(mapping.len(), 8192);
        mapping.range(4096, 4096);
        for (at, len) in [(4096, 4097), (8193, 0), (usize::MAX, 2)] {
            let outside = std::panic::AssertUnwindSafe(|| mapping.range(at, len));
            assert!(std::panic::catch_unwind(outside).is_err(), "{at} {len}");
        }
    }
}
