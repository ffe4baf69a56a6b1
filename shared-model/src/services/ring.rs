//! A service's end of two rings of messages in a channel's memory, as liblcd's `lcd/ring.h`
//! describes them: for each direction as many slots of 64 bytes as fit half of the memory, that of
//! end 0 first.
//!
//! A service reaches memory by copying, so it cannot exchange a status word in one step, and the
//! other side may run at the same time. It does without: a slot that it gives back always says that
//! it waits, so every message rings; it rings whenever it has answered; and the answer that takes
//! the last room says that it waits for more. So it overwrites nothing that the other side could
//! have announced but what it does anyway.

use super::Context;
use crate::abi::{Hypercall, Status};
use crate::address::PAGE_SIZE;

const SLOT: u64 = 64;

/// What a slot's status says.
const AVAILABLE: u32 = 0;
const AWAITED: u32 = 0x7469_6177;
const SENT: u32 = 0x746e_6573;
const FULL: u32 = 0x6c6c_7566;

/// A message in a ring.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct SlotMessage {
    /// The sender's to choose; an answer has its request's.
    pub(super) flags: u32,
    pub(super) words: [u64; 7],
}

/// The service's end.
pub(super) struct Ring {
    channel: u64,
    /// Slots in each direction.
    slots: u64,
    /// Offsets of the first slots.
    outgoing: u64,
    incoming: u64,
    send_at: u64,
    receive_at: u64,
}

impl Ring {
    /// The end that the channel's capability is for. The rings are in its first `size` bytes, or
    /// in all of them if that is 0.
    pub(super) async fn open(cx: &Context, channel: u64, size: u64) -> Result<Self, Status> {
        let [_, _, badge, pages, ..] = cx.call(Hypercall::CapInspect, &[channel]).await?;
        let all = pages * PAGE_SIZE;
        let size = if size == 0 { all } else { size };
        let slots = size / SLOT / 2;
        if slots == 0 || size > all {
            return Err(Status::Invalid);
        }
        let half = slots * SLOT;
        let (outgoing, incoming) = if badge == 1 { (half, 0) } else { (0, half) };
        let ring = Self { channel, slots, outgoing, incoming, send_at: 0, receive_at: 0 };
        for slot in 0..slots {
            let at = incoming + slot * SLOT;
            if ring.status(cx, at).await? == AVAILABLE {
                ring.set_status(cx, at, AWAITED).await?;
            }
        }
        Ok(ring)
    }

    /// The next message, if there is one and there is room for its answer.
    pub(super) async fn next(&mut self, cx: &Context) -> Result<Option<SlotMessage>, Status> {
        if !self.has_room(cx).await? {
            return Ok(None);
        }
        // A slot whose status means nothing is passed over, but no more than all of them.
        for _ in 0..self.slots {
            let at = self.incoming + self.receive_at * SLOT;
            let status = self.status(cx, at).await?;
            if matches!(status, AVAILABLE | AWAITED) {
                return Ok(None);
            }
            let mut bytes = [0; SLOT as usize];
            cx.read(self.channel, at, &mut bytes).await?;
            self.receive_at = (self.receive_at + 1) % self.slots;
            self.set_status(cx, at, AWAITED).await?;
            if matches!(status, SENT | FULL) {
                return Ok(Some(decode(&bytes)));
            }
        }
        Ok(None)
    }

    /// Sends an answer, for which there is room.
    pub(super) async fn answer(
        &mut self,
        cx: &Context,
        message: SlotMessage,
    ) -> Result<(), Status> {
        let at = self.outgoing + self.send_at * SLOT;
        self.send_at = (self.send_at + 1) % self.slots;
        cx.write(self.channel, at + 4, &encode(message)[4..]).await?;
        let status = if self.has_room(cx).await? && self.slots > 1 { SENT } else { FULL };
        self.set_status(cx, at, status).await
    }

    /// Rings the other side's doorbell.
    pub(super) async fn ring(&self, cx: &Context) -> Result<(), Status> {
        cx.call(Hypercall::NotificationSignal, &[self.channel]).await.map(drop)
    }

    async fn has_room(&self, cx: &Context) -> Result<bool, Status> {
        let status = self.status(cx, self.outgoing + self.send_at * SLOT).await?;
        Ok(!matches!(status, SENT | FULL))
    }

    async fn status(&self, cx: &Context, at: u64) -> Result<u32, Status> {
        let mut bytes = [0; 4];
        cx.read(self.channel, at, &mut bytes).await?;
        Ok(u32::from_le_bytes(bytes))
    }

    async fn set_status(&self, cx: &Context, at: u64, status: u32) -> Result<(), Status> {
        cx.write(self.channel, at, &status.to_le_bytes()).await
    }
}

fn encode(message: SlotMessage) -> [u8; SLOT as usize] {
    let mut bytes = [0; SLOT as usize];
    bytes[4..8].copy_from_slice(&message.flags.to_le_bytes());
    for (bytes, word) in bytes[8..].chunks_exact_mut(8).zip(message.words) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

fn decode(bytes: &[u8; SLOT as usize]) -> SlotMessage {
    let word = |i: usize| u64::from_le_bytes(core::array::from_fn(|j| bytes[8 + i * 8 + j]));
    SlotMessage {
        flags: u32::from_le_bytes(core::array::from_fn(|i| bytes[4 + i])),
        words: core::array::from_fn(word),
    }
}
