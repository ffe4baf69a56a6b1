//! The atomics of [`super::stop`], which its tests replace.

pub(super) use std::sync::atomic::{AtomicI32, AtomicU32, Ordering, fence};
