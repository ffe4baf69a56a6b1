//! Copies between this program and memory that a guest may be changing.
//!
//! A guest's accesses are those of another processor that knows nothing of Rust. A plain copy
//! of bytes that change underneath would be a data race, so every access here is an atomic
//! one without an order: it reads what is there at some moment, each word by itself. Who
//! needs an order has it from an exit and an entry, which order everything. Naturally aligned
//! values of up to eight bytes are copied in one piece.
//!
//! # Rules for callers
//!
//! 1. The memory is mapped for reading and writing for the whole length and the whole call.
//! 2. It is no Rust object: nobody has a reference into it.

use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

const WORD: usize = size_of::<u64>();

/// Copies from shared memory.
///
/// # Safety
/// The rules above.
pub(crate) unsafe fn load(from: *mut u8, bytes: &mut [u8]) {
    let head = from.align_offset(WORD).min(bytes.len());
    let (head, rest) = bytes.split_at_mut(head);
    let (words, tail) = rest.as_chunks_mut::<WORD>();
    let middle = from.wrapping_add(head.len());
    let end = middle.wrapping_add(words.len() * WORD);
    for (index, word) in words.iter_mut().enumerate() {
        // SAFETY: inside the range (rule 1), aligned, and accessed atomically by everybody
        // (rule 2).
        let place = unsafe { AtomicU64::from_ptr(middle.wrapping_add(index * WORD).cast()) };
        *word = place.load(Ordering::Relaxed).to_ne_bytes();
    }
    // SAFETY: both are parts of the caller's range.
    unsafe {
        load_few(from, head);
        load_few(end, tail);
    }
}

/// Copies into shared memory.
///
/// # Safety
/// The rules above.
pub(crate) unsafe fn store(to: *mut u8, bytes: &[u8]) {
    let head = to.align_offset(WORD).min(bytes.len());
    let (head, rest) = bytes.split_at(head);
    let (words, tail) = rest.as_chunks::<WORD>();
    let middle = to.wrapping_add(head.len());
    let end = middle.wrapping_add(words.len() * WORD);
    // SAFETY: a part of the caller's range.
    unsafe { store_few(to, head) };
    for (index, word) in words.iter().enumerate() {
        // SAFETY: as in `load`.
        let place = unsafe { AtomicU64::from_ptr(middle.wrapping_add(index * WORD).cast()) };
        place.store(u64::from_ne_bytes(*word), Ordering::Relaxed);
    }
    // SAFETY: a part of the caller's range.
    unsafe { store_few(end, tail) };
}

/// The largest piece that is aligned at `place` and not longer than `left`, under a word.
fn piece(place: *mut u8, left: usize) -> usize {
    [4, 2].into_iter().find(|&size| left >= size && place.addr().is_multiple_of(size)).unwrap_or(1)
}

/// # Safety
/// As for [`load`].
unsafe fn load_few(mut from: *mut u8, mut bytes: &mut [u8]) {
    while !bytes.is_empty() {
        let size = piece(from, bytes.len());
        let (now, later) = bytes.split_at_mut(size);
        // SAFETY: as in `load`; `piece` looks at the alignment.
        unsafe {
            match size {
                4 => now.copy_from_slice(
                    &AtomicU32::from_ptr(from.cast()).load(Ordering::Relaxed).to_ne_bytes(),
                ),
                2 => now.copy_from_slice(
                    &AtomicU16::from_ptr(from.cast()).load(Ordering::Relaxed).to_ne_bytes(),
                ),
                _ => now[0] = AtomicU8::from_ptr(from).load(Ordering::Relaxed),
            }
        }
        from = from.wrapping_add(size);
        bytes = later;
    }
}

/// # Safety
/// As for [`store`].
unsafe fn store_few(mut to: *mut u8, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let (now, later) = bytes.split_at(piece(to, bytes.len()));
        // SAFETY: as in `load`; `piece` looks at the alignment.
        unsafe {
            match *now {
                [a, b, c, d] => AtomicU32::from_ptr(to.cast())
                    .store(u32::from_ne_bytes([a, b, c, d]), Ordering::Relaxed),
                [a, b] => AtomicU16::from_ptr(to.cast())
                    .store(u16::from_ne_bytes([a, b]), Ordering::Relaxed),
                _ => AtomicU8::from_ptr(to).store(now[0], Ordering::Relaxed),
            }
        }
        to = to.wrapping_add(now.len());
        bytes = later;
    }
}

#[cfg(test)]
mod tests {
    use super::{load, store};

    #[test]
    fn every_start_and_length_is_copied_exactly() {
        let mut memory = [0_u64; 8];
        let base = memory.as_mut_ptr().cast::<u8>();
        let pattern: Vec<u8> = (1..=40).collect();
        for start in 0..20 {
            for len in 0..=40 {
                let (mut whole, mut part) = ([0; 64], [0; 40]);
                // SAFETY: inside `memory`, which is only accessed through `base` here.
                unsafe {
                    store(base, &[0xee; 64]);
                    store(base.add(start), &pattern[..len]);
                    load(base, &mut whole);
                    load(base.add(start), &mut part[..len]);
                }
                let mut expected = [0xee; 64];
                expected[start..start + len].copy_from_slice(&pattern[..len]);
                assert_eq!((whole, &part[..len]), (expected, &pattern[..len]), "{start} {len}");
            }
        }
    }
}
