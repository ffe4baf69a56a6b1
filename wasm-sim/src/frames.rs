//! The machine's memory: all frames in one flat array, and what is known about each.

use shared_model::address::{Frame, PAGE_SIZE};
use shared_model::arch::ArchError;

const FRAME_BYTES: usize = PAGE_SIZE as usize;

/// Frames that the machine can have: 2 GiB, so that a position fits into 31 bits.
const FRAMES_MAX: u32 = 1 << 19;

/// Any position masked with this stays below the largest array; the mask tells the
/// compiler that adding an access's size cannot overflow.
pub(crate) const POSITION_MASK: usize = (FRAMES_MAX as usize * FRAME_BYTES) - 1;

/// Code is tracked in pieces of this many bytes, 64 to a frame.
const PIECE_SHIFT: u32 = 6;

/// What decoded or cached state depends on a frame's bytes.
#[derive(Clone, Copy, Default)]
struct Watch {
    /// Pieces that hold bytes of decoded instructions.
    code: u64,
    /// A page walk has read an entry here.
    table: bool,
    /// Somebody wants to hear of writes to some of the bytes.
    data: bool,
    /// And of reads.
    reads: bool,
}

impl Watch {
    fn is_set(self) -> bool {
        self.table || self.data || self.code != 0
    }
}

/// Counters that grow when something cached may have become wrong. A cache remembers the
/// values it was filled under.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Epochs {
    /// Bytes of decoded instructions were written.
    pub(crate) code: u64,
    /// Bytes of a page table were written.
    pub(crate) tables: u64,
    /// A frame has become watched, so nothing may write to it unseen.
    pub(crate) watch: u64,
}

/// Bytes of which somebody wants to hear when they are accessed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Watched {
    /// The first byte's position.
    pub(crate) start: usize,
    /// How many. They are all in one frame.
    pub(crate) length: usize,
    /// Reads count too.
    pub(crate) read: bool,
}

impl Watched {
    const fn overlaps(&self, start: usize, length: usize) -> bool {
        start < self.start + self.length && self.start < start + length
    }
}

/// What has happened to watched bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Touched {
    /// Some were written, perhaps with what was there.
    pub(crate) written: bool,
    /// Some were read: the position of the first that is watched for it.
    pub(crate) read: Option<usize>,
}

/// All frames, by number.
#[derive(Default)]
pub(crate) struct Frames {
    /// Frame `n` is at `n * 4096`. Visible to the translation buffer's accesses, which
    /// have checked their position against it.
    pub(crate) bytes: Vec<u8>,
    watch: Vec<Watch>,
    pub(crate) epochs: Epochs,
    watched: Vec<Watched>,
    watches_reads: bool,
    touched: Touched,
}

impl Frames {
    pub(crate) fn allocate(&mut self, frame: Frame) -> Result<(), ArchError> {
        if frame.0 >= FRAMES_MAX {
            return Err(ArchError(format!(
                "frame {frame} is past the simulator's {FRAMES_MAX} frames of 4 KiB"
            )));
        }
        let index = frame.0 as usize;
        let end = (index + 1) * FRAME_BYTES;
        if end > self.bytes.len() {
            let more = end - self.bytes.len();
            self.bytes
                .try_reserve(more)
                .map_err(|_| ArchError(format!("no memory for {} KiB of frames", end / 1024)))?;
            self.bytes.resize(end, 0);
            self.watch.resize(index + 1, Watch::default());
        }
        self.bytes[end - FRAME_BYTES..end].fill(0);
        self.watch[index] = Watch::default();
        Ok(())
    }

    /// Whether the frame has a place in the array.
    pub(crate) fn exists(&self, frame: Frame) -> bool {
        (frame.0 as usize) < self.watch.len()
    }

    pub(crate) fn free(&mut self, frame: Frame) {
        if let Some(watch) = self.watch.get_mut(frame.0 as usize) {
            *watch = Watch::default();
        }
    }

    pub(crate) fn read(&self, frame: Frame, offset: usize, bytes: &mut [u8]) {
        let start = position(frame, offset);
        bytes.copy_from_slice(&self.bytes[start..start + bytes.len()]);
    }

    /// Writes at a position, and notices if something cached depends on the bytes. They
    /// are all in one frame.
    pub(crate) fn write(&mut self, start: usize, bytes: &[u8]) {
        self.note_write(start, bytes.len());
        self.bytes[start..start + bytes.len()].copy_from_slice(bytes);
    }

    /// Advances the epochs for a write of `length` bytes at a position.
    pub(crate) fn note_write(&mut self, start: usize, length: usize) {
        let watch = &mut self.watch[start / FRAME_BYTES];
        if !watch.is_set() || length == 0 {
            return;
        }
        if watch.data && self.watched.iter().any(|watched| watched.overlaps(start, length)) {
            self.touched.written = true;
        }
        if watch.table {
            self.epochs.tables += 1;
            watch.table = false;
        }
        if watch.code & pieces(start, length) != 0 {
            self.epochs.code += 1;
            // Every code cache is dropped now, so nothing is left to protect.
            watch.code = 0;
        }
    }

    /// Whether a write to the frame at this position must be noticed.
    pub(crate) fn is_watched(&self, start: usize) -> bool {
        self.watch[start / FRAME_BYTES].is_set()
    }

    /// Hears of a read of `length` bytes at a position.
    #[inline(always)]
    pub(crate) fn note_read(&mut self, start: usize, length: usize) {
        if self.watches_reads {
            self.find_read(start, length);
        }
    }

    fn find_read(&mut self, start: usize, length: usize) {
        let read = |watched: &&Watched| watched.read && watched.overlaps(start, length);
        if let Some(watched) = self.watched.iter().find(read) {
            self.touched.read.get_or_insert(watched.start);
        }
    }

    /// Replaces the bytes of which somebody wants to hear.
    pub(crate) fn set_watched(&mut self, watched: Vec<Watched>) {
        self.touched = Touched::default();
        if watched == self.watched {
            // A frame that was freed meanwhile has lost its mark.
            self.mark_watched(&watched);
            return;
        }
        let old = std::mem::take(&mut self.watched);
        for Watched { start, .. } in old {
            if let Some(watch) = self.watch.get_mut(start / FRAME_BYTES) {
                (watch.data, watch.reads) = (false, false);
            }
        }
        self.mark_watched(&watched);
        self.watches_reads = watched.iter().any(|watched| watched.read);
        self.watched = watched;
    }

    fn mark_watched(&mut self, watched: &[Watched]) {
        for &Watched { start, read, .. } in watched {
            let Some(watch) = self.watch.get_mut(start / FRAME_BYTES) else { continue };
            if !watch.is_set() {
                self.epochs.watch += 1;
            }
            watch.data = true;
            if read && !watch.reads {
                watch.reads = true;
                // Nothing may read it unseen either.
                self.epochs.tables += 1;
            }
        }
    }

    /// Whether watched bytes have been accessed since this was last asked for.
    pub(crate) fn is_touched(&self) -> bool {
        self.touched != Touched::default()
    }

    pub(crate) fn take_touched(&mut self) -> Touched {
        std::mem::take(&mut self.touched)
    }

    /// Whether a read of the frame at this position must be noticed.
    pub(crate) fn is_watched_for_reads(&self, start: usize) -> bool {
        self.watch[start / FRAME_BYTES].reads
    }

    /// Decoded instructions depend on these bytes from now on.
    pub(crate) fn watch_code(&mut self, start: usize, length: usize) {
        let watch = &mut self.watch[start / FRAME_BYTES];
        if !watch.is_set() {
            self.epochs.watch += 1;
        }
        watch.code |= pieces(start, length);
    }

    /// Cached translations depend on the frame at this position from now on.
    pub(crate) fn watch_table(&mut self, start: usize) {
        let watch = &mut self.watch[start / FRAME_BYTES];
        if !watch.is_set() {
            self.epochs.watch += 1;
        }
        watch.table = true;
    }
}

/// Where byte `offset` of a frame is in the array.
pub(crate) const fn position(frame: Frame, offset: usize) -> usize {
    frame.0 as usize * FRAME_BYTES + offset
}

/// The pieces of a frame that a span touches. It does not leave the frame.
fn pieces(start: usize, length: usize) -> u64 {
    let first = (start % FRAME_BYTES) >> PIECE_SHIFT;
    let last = ((start + length.max(1) - 1) % FRAME_BYTES) >> PIECE_SHIFT;
    (u64::MAX << first) & (u64::MAX >> (63 - last.max(first)))
}

#[cfg(test)]
mod tests {
    use super::{Frames, pieces, position};
    use shared_model::address::Frame;

    #[test]
    fn frames_come_zeroed_each_time() {
        let mut frames = Frames::default();
        frames.allocate(Frame(3)).unwrap();
        frames.write(position(Frame(3), 4), b"abc");
        let mut back = [0; 3];
        frames.read(Frame(3), 4, &mut back);
        assert_eq!(&back, b"abc");
        frames.free(Frame(3));
        frames.allocate(Frame(3)).unwrap();
        frames.read(Frame(3), 4, &mut back);
        assert_eq!(back, [0; 3]);
        assert!(frames.allocate(Frame(u32::MAX)).is_err());
    }

    #[test]
    fn only_writes_to_code_advance_its_epoch() {
        let mut frames = Frames::default();
        frames.allocate(Frame(0)).unwrap();
        frames.watch_code(100, 4);
        frames.write(0, &[1; 64]);
        assert_eq!(frames.epochs.code, 0);
        frames.write(60, &[1; 8]);
        assert_eq!(frames.epochs.code, 1);
    }

    #[test]
    fn pieces_cover_the_span() {
        assert_eq!(pieces(0, 1), 1);
        assert_eq!(pieces(63, 2), 3);
        assert_eq!(pieces(4096 + 4095, 1), 1 << 63);
        assert_eq!(pieces(0, 4096), u64::MAX);
    }
}
