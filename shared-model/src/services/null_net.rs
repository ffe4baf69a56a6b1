//! `null-net`: a network card whose cable leads nowhere. It counts what is transmitted, and
//! receives frames that it makes up, always the same ones.

use alloc::vec::Vec;

use super::Context;
use super::device::{Answer, Device};
use crate::abi::Status;

/// `m1` offset in the memory, `m2` bytes of the frame.
const TRANSMIT: u64 = 1;
/// `m1` offset in the memory, `m2` bytes of room. The result is the frame's length.
const RECEIVE: u64 = 2;

/// Bytes of a frame, without the checksum (IEEE 802.3, 3.2): header, and payload of 46 to 1500.
const FRAME_MIN: u64 = 60;
const FRAME_MAX: u64 = 1514;
const HEADER: usize = 14;
/// A locally administered address.
const ADDRESS: [u8; 6] = [0x02, 0, 0, 0x6c, 0x63, 0x64];
/// The type for experiments within one site (IEEE 802, 9.2.3).
const ETHER_TYPE: [u8; 2] = [0x88, 0xb5];

/// What has passed through it.
#[derive(Default)]
pub(super) struct NullNet {
    sent: u64,
    bytes_sent: u64,
    received: u64,
    bytes_received: u64,
}

/// The `number`th frame that is received: to everybody, with its number and a pattern.
pub(super) fn frame(number: u64) -> Vec<u8> {
    // Lengths of all kinds: 89 and the number of lengths have no common factor.
    let length =
        FRAME_MIN + number % (FRAME_MAX - FRAME_MIN + 1) * 89 % (FRAME_MAX - FRAME_MIN + 1);
    let mut frame = [0xff; 6].to_vec();
    frame.extend(ADDRESS);
    frame.extend(ETHER_TYPE);
    frame.extend(number.to_le_bytes());
    frame.extend((0..length as usize - frame.len()).map(|i| (i as u64 + number) as u8));
    frame
}

impl Device for NullNet {
    fn info(&self) -> [u64; 7] {
        let mut address = [0; 8];
        address[..6].copy_from_slice(&ADDRESS);
        let Self { sent, bytes_sent, received, bytes_received } = *self;
        let mtu = FRAME_MAX - HEADER as u64;
        [u64::from_le_bytes(address), mtu, sent, bytes_sent, received, bytes_received, 0]
    }

    async fn handle(&mut self, cx: &Context, request: [u64; 7], memory: u64) -> Answer {
        let [operation, offset, length, ..] = request;
        match operation {
            TRANSMIT if (HEADER as u64..=FRAME_MAX).contains(&length) => {
                cx.read(memory, offset, &mut alloc::vec![0; length as usize]).await?;
                self.sent += 1;
                self.bytes_sent += length;
                Ok(length)
            }
            RECEIVE => {
                let frame = frame(self.received);
                let size = frame.len() as u64;
                if length < size {
                    return Err(Status::Invalid);
                }
                cx.write(memory, offset, &frame).await?;
                self.received += 1;
                self.bytes_received += size;
                Ok(size)
            }
            _ => Err(Status::Invalid),
        }
    }
}
