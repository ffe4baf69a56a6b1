//! Everything that can make a difference later, in one number.

use alloc::vec::Vec;
use core::fmt::{self, Write as _};

use sha2::Digest as _;

use crate::address::{Frame, PAGE_SIZE};
use crate::arch::Arch;
use crate::domain::ThreadId;
use crate::event::Digest;
use crate::microkernel::Microkernel;

/// Hashes text as it is written.
struct Hashing(sha2::Sha256);

impl fmt::Write for Hashing {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text.as_bytes());
        Ok(())
    }
}

impl<A: Arch> Microkernel<A> {
    /// A digest of the registers, the memory, the log and all queues. Two runs of the same inputs
    /// that have equal ones go on alike. It takes as long as there is memory,
    /// and log that is kept.
    pub fn digest(&mut self) -> Digest {
        let mut hash = Hashing(sha2::Sha256::new());
        write(&mut hash, &(self.events.len(), self.events.hash()));
        let live: Vec<ThreadId> = self.live.iter().copied().collect();
        for thread in live {
            let registers = self.registers_of(thread);
            let state = self.thread(thread);
            let parts = (
                (thread, state.state, state.started, state.paused, registers),
                (&state.waiting, &state.work, state.replies, state.bound, state.current_call),
            );
            write(&mut hash, &parts);
        }
        for (block, state) in &self.blocks {
            write(&mut hash, &(block, state.account, state.is_lent));
            state.frames.iter().for_each(|&frame| self.hash_frame(frame, &mut hash));
        }
        for (id, domain) in &self.domains {
            write(&mut hash, &(id, domain.state, &domain.mapped, &domain.fault_handler));
        }
        write(&mut hash, &(&self.endpoints, &self.notifications, &self.channels, &self.devices));
        write(&mut hash, &(&self.ready, &self.workers, &self.orphans, &self.deadlines));
        write(&mut hash, &(self.turns.progress(), self.now, self.finished, self.retired()));
        Digest::of([hash.0.finalize().as_slice()])
    }

    fn hash_frame(&self, frame: Frame, hash: &mut Hashing) {
        let mut bytes = [0; PAGE_SIZE as usize];
        self.arch.frame_read(frame, 0, &mut bytes);
        write(hash, &frame);
        // Most pages are empty.
        if bytes.iter().any(|&byte| byte != 0) {
            hash.0.update(bytes);
        }
    }
}

fn write(hash: &mut Hashing, part: &impl fmt::Debug) {
    write!(hash, "{part:?};").expect("hashing does not fail");
}
