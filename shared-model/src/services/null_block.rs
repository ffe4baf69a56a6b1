//! `null-block`: a disk that is always empty. It forgets what is written and reads zeros.

use super::Context;
use super::device::{Answer, Device};
use crate::abi::Status;

/// `m1` sector, `m2` number of sectors, `m3` offset in the memory.
const READ: u64 = 1;
const WRITE: u64 = 2;
const FLUSH: u64 = 3;

const SECTOR: u64 = 512;
/// 1 GiB.
const SECTORS: u64 = 1 << 21;
/// Sectors that one request can have.
const REQUEST_MAX: u64 = 256;

/// What it has been asked for.
#[derive(Default)]
pub(super) struct NullBlock {
    reads: u64,
    writes: u64,
    sectors_read: u64,
    sectors_written: u64,
}

impl Device for NullBlock {
    fn info(&self) -> [u64; 7] {
        let Self { reads, writes, sectors_read, sectors_written } = *self;
        [SECTORS, SECTOR, REQUEST_MAX, reads, writes, sectors_read, sectors_written]
    }

    async fn handle(&mut self, cx: &Context, request: [u64; 7], memory: u64) -> Answer {
        let [operation, sector, count, offset, ..] = request;
        if operation == FLUSH {
            return Ok(0);
        }
        let end = sector.checked_add(count).ok_or(Status::Invalid)?;
        if !matches!(operation, READ | WRITE) || end > SECTORS || count > REQUEST_MAX {
            return Err(Status::Invalid);
        }
        let mut bytes = alloc::vec![0; (count * SECTOR) as usize];
        if operation == READ {
            cx.write(memory, offset, &bytes).await?;
            self.reads += 1;
            self.sectors_read += count;
        } else {
            cx.read(memory, offset, &mut bytes).await?;
            self.writes += 1;
            self.sectors_written += count;
        }
        Ok(count)
    }
}
