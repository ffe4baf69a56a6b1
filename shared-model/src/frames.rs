//! Which frames are in use. Numbers are given lowest first, so that every backend, and every
//! repetition, uses the same ones.

use alloc::collections::BTreeSet;

use crate::address::Frame;

/// The allocator of frame numbers.
#[derive(Clone, Debug, Default)]
pub struct Frames {
    /// Freed numbers below `next`.
    free: BTreeSet<u32>,
    next: u32,
}

impl Frames {
    /// No frame is in use.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the lowest number that is not in use.
    pub fn take(&mut self) -> Frame {
        Frame(self.free.pop_first().unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        }))
    }

    /// Gives a number back.
    pub fn give(&mut self, frame: Frame) {
        let fresh = frame.0 < self.next && self.free.insert(frame.0);
        debug_assert!(fresh, "frame {frame} was not in use");
    }

    /// How many are in use.
    pub fn in_use(&self) -> usize {
        self.next as usize - self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::Frames;
    use crate::address::Frame;

    #[test]
    fn the_lowest_free_number_comes_first() {
        let mut frames = Frames::new();
        assert_eq!([frames.take(), frames.take(), frames.take()], [Frame(0), Frame(1), Frame(2)]);
        frames.give(Frame(1));
        frames.give(Frame(0));
        assert_eq!((frames.take(), frames.take(), frames.take()), (Frame(0), Frame(1), Frame(3)));
        assert_eq!(frames.in_use(), 4);
    }
}
