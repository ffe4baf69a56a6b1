//! A timer that counts ticks of the microkernel's own time down.

use crate::abi::device::{TIMER_COUNT, TIMER_EXPIRED, TIMER_MODE, TIMER_PERIODIC};

/// The timer.
#[derive(Clone, Debug, Default)]
pub(super) struct Timer {
    /// From where it counts.
    count: u32,
    is_periodic: bool,
    /// When it runs down, unless it is stopped.
    next: Option<u64>,
    /// How often it ran down and nobody has read that.
    expired: u16,
}

impl Timer {
    /// When it next runs down.
    pub(super) const fn next(&self) -> Option<u64> {
        self.next
    }

    /// Brings it up to a time. Says whether it ran down. That takes no longer if it did so often.
    pub(super) fn run(&mut self, now: u64) -> bool {
        let Some(next) = self.next.filter(|&next| next <= now) else { return false };
        let times = if self.is_periodic {
            let period = u64::from(self.count);
            let times = (now - next) / period + 1;
            self.next = Some(next.saturating_add(times.saturating_mul(period)));
            times
        } else {
            self.next = None;
            1
        };
        self.expired = self.expired.saturating_add(u16::try_from(times).unwrap_or(u16::MAX));
        true
    }

    /// What a register reads, if there is one.
    pub(super) fn read(&mut self, port: u16, width: u8, now: u64) -> Option<u32> {
        match (port, width) {
            (TIMER_COUNT, 4) => {
                let left = self.next.map_or(0, |next| next.saturating_sub(now));
                Some(u32::try_from(left).unwrap_or(u32::MAX))
            }
            (TIMER_MODE, 1) => Some(if self.is_periodic { TIMER_PERIODIC.into() } else { 0 }),
            (TIMER_EXPIRED, 2) => Some(core::mem::take(&mut self.expired).into()),
            _ => None,
        }
    }

    /// Writes a register, if there is one.
    pub(super) fn write(&mut self, port: u16, width: u8, value: u32, now: u64) {
        match (port, width) {
            (TIMER_COUNT, 4) => {
                self.count = value;
                self.next = (value != 0).then(|| now.saturating_add(value.into()));
            }
            (TIMER_MODE, 1) => self.is_periodic = value & u32::from(TIMER_PERIODIC) != 0,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Timer;
    use crate::abi::device::{TIMER_COUNT, TIMER_EXPIRED, TIMER_MODE};

    fn started(count: u32, mode: u32, now: u64) -> Timer {
        let mut timer = Timer::default();
        timer.write(TIMER_MODE, 1, mode, now);
        timer.write(TIMER_COUNT, 4, count, now);
        timer
    }

    #[test]
    fn a_shot_is_fired_once() {
        let mut timer = started(10, 0, 5);
        assert_eq!((timer.next(), timer.read(TIMER_COUNT, 4, 7)), (Some(15), Some(8)));
        assert!(!timer.run(14) && timer.run(15) && !timer.run(1000));
        assert_eq!((timer.next(), timer.read(TIMER_COUNT, 4, 1000)), (None, Some(0)));
        assert_eq!(timer.read(TIMER_EXPIRED, 2, 1000), Some(1));
        assert_eq!(timer.read(TIMER_EXPIRED, 2, 1000), Some(0));
    }

    #[test]
    fn a_period_keeps_its_beat_however_late_anybody_looks() {
        let mut timer = started(10, 1, 3);
        assert!(timer.run(13) && !timer.run(22) && timer.run(58));
        assert_eq!(timer.next(), Some(63));
        assert_eq!(timer.read(TIMER_EXPIRED, 2, 58), Some(1 + 4 + 1 - 1));
        assert!(timer.run(10_000_000));
        assert_eq!(timer.read(TIMER_EXPIRED, 2, 0), Some(0xffff));
        timer.write(TIMER_COUNT, 4, 0, 10_000_000);
        assert_eq!(timer.next(), None);
    }

    #[test]
    fn the_end_of_time_is_no_problem() {
        let mut timer = started(u32::MAX, 1, u64::MAX - 1);
        assert!(timer.run(u64::MAX) && timer.run(u64::MAX));
        let mut timer = started(1, 1, 0);
        assert!(timer.run(u64::MAX));
        assert_eq!(timer.next(), Some(u64::MAX));
    }

    #[test]
    fn only_whole_registers_answer() {
        let mut timer = started(10, 1, 0);
        for (port, width) in [(0x40, 1), (0x40, 2), (0x41, 4), (0x44, 2), (0x46, 1), (0x45, 1)] {
            timer.write(port, width, 77, 0);
            assert_eq!(timer.read(port, width, 0), None, "{port:#x} {width}");
        }
        assert_eq!((timer.next(), timer.read(TIMER_MODE, 1, 0)), (Some(10), Some(1)));
    }
}
