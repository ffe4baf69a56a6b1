//! The host memory that frames live in: one memory file, frame `n` at offset `n * 4096`.
//!
//! A file rather than plain memory, because a page of it can appear at many addresses: here,
//! for the microkernel, and in each domain it is mapped to. An allocated frame has its page
//! in the file from the start, so that a host without memory says so in an error and not
//! in the middle of an access; a freed frame is a hole, so its memory is the host's again.
//!
//! Guests may run while all of this happens. Growth makes the file longer and maps more of it
//! here, which no guest's mapping notices; a hole is punched only where no domain has a mapping
//! left, and the pieces mapped here are never moved.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use shared_model::address::{Frame, PAGE_SIZE};

use super::copy;
use super::mapping::Mapping;

/// Frames in one piece of the file that this process maps: 64 MiB.
const CHUNK_FRAMES: u32 = 16384;
const CHUNK_BYTES: usize = CHUNK_FRAMES as usize * PAGE_SIZE as usize;
const NAME: &CStr = c"lcd-frames";

/// All frames of one machine.
#[derive(Debug)]
pub(crate) struct Frames {
    file: File,
    chunks: Vec<Mapping>,
}

impl Frames {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: `NAME` is a terminated string; the call affects nothing that exists.
        let fd = unsafe { libc::memfd_create(NAME.as_ptr(), libc::MFD_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just given us this descriptor and nobody else has it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self { file: File::from(fd), chunks: Vec::new() })
    }

    /// The file, for mapping frames of it elsewhere.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Where a frame is in the file.
    pub(crate) const fn offset(frame: Frame) -> u64 {
        frame.0 as u64 * PAGE_SIZE
    }

    /// Makes the frame exist with all bytes zero.
    pub(crate) fn allocate(&mut self, frame: Frame) -> io::Result<()> {
        let chunk = (frame.0 / CHUNK_FRAMES) as usize;
        while self.chunks.len() <= chunk {
            let start = self.chunks.len() as u64 * CHUNK_BYTES as u64;
            // Before the mapping: rule 4 of `mapping`.
            self.file.set_len(start + CHUNK_BYTES as u64)?;
            self.chunks.push(Mapping::file(self.file.as_fd(), start, CHUNK_BYTES)?);
        }
        self.change(frame, 0)
    }

    /// Gives the frame's memory back.
    pub(crate) fn free(&mut self, frame: Frame) {
        let punch = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
        if self.change(frame, punch).is_err() {
            // The memory cannot be given back; its content must go all the same, because
            // `allocate` relies on it.
            self.write(frame, 0, &[0; PAGE_SIZE as usize]);
        }
    }

    fn change(&self, frame: Frame, mode: libc::c_int) -> io::Result<()> {
        let offset = i64::try_from(Self::offset(frame)).expect("32 bits of pages fit");
        loop {
            // SAFETY: the descriptor is ours; the call changes the file's pages, which are
            // only ever accessed as rules 2 to 4 of `mapping` say.
            let result = unsafe {
                libc::fallocate(self.file.as_raw_fd(), mode, offset, PAGE_SIZE.cast_signed())
            };
            if result == 0 {
                return Ok(());
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }

    fn place(&self, frame: Frame, offset: usize, len: usize) -> *mut u8 {
        assert!(
            offset.checked_add(len).is_some_and(|end| end <= PAGE_SIZE as usize),
            "{len} bytes at {offset} are not inside a frame"
        );
        let chunk = &self.chunks[(frame.0 / CHUNK_FRAMES) as usize];
        let start = (frame.0 % CHUNK_FRAMES) as usize * PAGE_SIZE as usize;
        chunk.range(start + offset, len)
    }

    /// Copies out of a frame.
    pub(crate) fn read(&self, frame: Frame, offset: usize, bytes: &mut [u8]) {
        let from = self.place(frame, offset, bytes.len());
        // SAFETY: `from` is mapped for the length (bounds checked, rule 4 of `mapping`), and no
        // reference into it exists (rule 2). Guests may be changing it (rule 3).
        unsafe { copy::load(from, bytes) };
    }

    /// Copies into a frame.
    pub(crate) fn write(&mut self, frame: Frame, offset: usize, bytes: &[u8]) {
        let to = self.place(frame, offset, bytes.len());
        // SAFETY: as in `read`.
        unsafe { copy::store(to, bytes) };
    }
}

#[cfg(test)]
mod tests {
    use shared_model::address::Frame;

    use super::{CHUNK_FRAMES, Frames};

    #[test]
    fn frames_are_separate_and_zero_again_after_a_free() {
        let mut frames = Frames::new().unwrap();
        let far = Frame(CHUNK_FRAMES + 1);
        for frame in [Frame(0), Frame(1), far] {
            frames.allocate(frame).unwrap();
            frames.write(frame, 4090, &[frame.0 as u8 + 1; 6]);
        }
        let mut seen = [0; 6];
        frames.read(Frame(0), 4090, &mut seen);
        assert_eq!(seen, [1; 6]);
        frames.free(far);
        frames.allocate(far).unwrap();
        frames.read(far, 4090, &mut seen);
        assert_eq!(seen, [0; 6]);
        frames.read(Frame(1), 4090, &mut seen);
        assert_eq!(seen, [2; 6]);
    }

    #[test]
    #[should_panic(expected = "not inside a frame")]
    fn a_copy_past_the_end_of_a_frame_is_refused() {
        let mut frames = Frames::new().unwrap();
        frames.allocate(Frame(0)).unwrap();
        frames.write(Frame(0), 4090, &[0; 7]);
    }
}
