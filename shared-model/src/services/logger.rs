//! `logger`: appends what others ask it to to its own console.

use alloc::vec::Vec;

use super::{Context, ENDPOINT, exit_value};
use crate::abi::{Hypercall, Status};
use crate::host::{HostResult, Message};

/// Bytes that follow in the message: `m1` of them, from `m2` on.
const WRITE: u64 = 0;
/// Bytes in memory, whose capability comes along in register 0: `m2` of them, from offset `m1` on.
const WRITE_MEMORY: u64 = 1;

/// Bytes that one request can have.
const LENGTH_MAX: u64 = 1 << 16;
/// Where the capability to memory comes in.
const MEMORY: u64 = 8;

pub(super) async fn logger(cx: Context) -> i64 {
    loop {
        let got = match cx.receive(ENDPOINT, &[MEMORY]).await {
            Ok(got) => got,
            Err(status) => return exit_value(status),
        };
        let answer = match write(&cx, &got).await {
            Ok(length) => [0, length],
            Err(status) => [(status as i64).cast_unsigned(), 0],
        };
        if got.has(0) {
            // It may have been revoked meanwhile.
            let _ = cx.call(Hypercall::CapDelete, &[MEMORY]).await;
        }
        if got.wants_answer() {
            // Nothing is lost if the caller has gone.
            let _ = cx.reply(&Message::new(&answer)).await;
        }
    }
}

async fn write(cx: &Context, got: &HostResult) -> Result<u64, Status> {
    let [operation, first, second, ..] = got.message;
    let bytes = match operation {
        WRITE => {
            let all: Vec<u8> =
                got.message[2..].iter().flat_map(|word| word.to_le_bytes()).collect();
            let length = usize::try_from(first).map_err(|_| Status::Invalid)?;
            all.get(..length).ok_or(Status::Invalid)?.to_vec()
        }
        WRITE_MEMORY if second <= LENGTH_MAX => {
            let mut bytes = alloc::vec![0; second as usize];
            cx.read(MEMORY, first, &mut bytes).await?;
            bytes
        }
        _ => return Err(Status::Invalid),
    };
    cx.print(&bytes).await?;
    Ok(bytes.len() as u64)
}
