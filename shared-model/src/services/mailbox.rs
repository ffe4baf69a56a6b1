//! Between a service's future and the step that polls it.
//!
//! The future cannot borrow what a step is given, so the two meet in a mailbox that both own. They
//! never use it at the same time: one runs only while the other waits. Its parts are atomic
//! because a microkernel can be moved to another host thread, its services with it, and the model
//! has neither locks nor `unsafe`.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

use crate::abi::Status;
use crate::address::PAGE_SIZE;
use crate::host::{HostCall, HostResult, WORDS};

/// Bytes that one access to memory carries; the buffer of a hypercall is smaller.
pub(super) const CHUNK: usize = PAGE_SIZE as usize;

/// What a future waits for.
pub(super) enum Wish {
    /// A hypercall, which ends the step.
    Call(HostCall),
    /// Memory to be read, and its bytes put into the mailbox.
    Read { slot: u64, offset: u64, length: usize },
    /// Memory to be written.
    Write { slot: u64, offset: u64, bytes: Vec<u8> },
}

const NOTHING: u64 = 0;
const CALL: u64 = 1;
const READ: u64 = 2;
const WRITE: u64 = 3;

/// The mailbox.
pub(super) struct Mailbox {
    kind: AtomicU64,
    number: AtomicU64,
    words: [AtomicU64; WORDS],
    length: AtomicU64,
    bytes: [AtomicU8; CHUNK],
}

impl Mailbox {
    pub(super) fn new() -> Self {
        Self {
            kind: AtomicU64::new(NOTHING),
            number: AtomicU64::new(0),
            words: [const { AtomicU64::new(0) }; WORDS],
            length: AtomicU64::new(0),
            bytes: [const { AtomicU8::new(0) }; CHUNK],
        }
    }

    pub(super) fn wish_call(&self, call: &HostCall) {
        self.number.store(call.number.into(), Relaxed);
        self.put_words(&call.words());
        self.put_bytes(call.bytes());
        self.kind.store(CALL, Relaxed);
    }

    pub(super) fn wish_read(&self, slot: u64, offset: u64, length: usize) {
        self.words[0].store(slot, Relaxed);
        self.words[1].store(offset, Relaxed);
        self.length.store(length as u64, Relaxed);
        self.kind.store(READ, Relaxed);
    }

    pub(super) fn wish_write(&self, slot: u64, offset: u64, bytes: &[u8]) {
        self.words[0].store(slot, Relaxed);
        self.words[1].store(offset, Relaxed);
        self.put_bytes(bytes);
        self.kind.store(WRITE, Relaxed);
    }

    /// What the future wishes for, once.
    pub(super) fn take_wish(&self) -> Option<Wish> {
        let [slot, offset] = [0, 1].map(|i| self.words[i].load(Relaxed));
        match self.kind.swap(NOTHING, Relaxed) {
            CALL => {
                let number = self.number.load(Relaxed) as u32;
                Some(Wish::Call(HostCall::from_words(number, &self.words(), self.bytes())))
            }
            READ => Some(Wish::Read { slot, offset, length: self.length() }),
            WRITE => Some(Wish::Write { slot, offset, bytes: self.bytes() }),
            _ => None,
        }
    }

    pub(super) fn put_result(&self, result: &HostResult) {
        self.put_words(&result.words());
    }

    pub(super) fn result(&self) -> HostResult {
        HostResult::from_words(&self.words())
    }

    /// How an access to memory ended, and what was read.
    pub(super) fn put_access(&self, status: Result<(), Status>, bytes: &[u8]) {
        let status = status.err().unwrap_or(Status::Ok);
        let result = HostResult { status, ..HostResult::default() };
        self.put_words(&result.words());
        self.put_bytes(bytes);
    }

    pub(super) fn copy_bytes(&self, to: &mut [u8]) {
        for (to, from) in to.iter_mut().zip(&self.bytes) {
            *to = from.load(Relaxed);
        }
    }

    fn length(&self) -> usize {
        (self.length.load(Relaxed) as usize).min(CHUNK)
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = alloc::vec![0; self.length()];
        self.copy_bytes(&mut bytes);
        bytes
    }

    fn put_bytes(&self, bytes: &[u8]) {
        debug_assert!(bytes.len() <= CHUNK);
        self.length.store(bytes.len() as u64, Relaxed);
        for (to, &from) in self.bytes.iter().zip(bytes) {
            to.store(from, Relaxed);
        }
    }

    fn words(&self) -> [u64; WORDS] {
        core::array::from_fn(|i| self.words[i].load(Relaxed))
    }

    fn put_words(&self, words: &[u64; WORDS]) {
        for (to, &from) in self.words.iter().zip(words) {
            to.store(from, Relaxed);
        }
    }
}
