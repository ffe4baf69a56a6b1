//! `echo`: answers each call with the words it was called with. A capability that came in register
//! 0 to 3 goes back in register 4 to 7, where the caller can name another slot for it.

use super::{Context, ENDPOINT, exit_value};
use crate::abi::Hypercall;
use crate::host::Message;

/// Where capabilities come in.
const INTO: [u64; 4] = [8, 9, 10, 11];

pub(super) async fn echo(cx: Context) -> i64 {
    loop {
        let got = match cx.receive(ENDPOINT, &INTO).await {
            Ok(got) => got,
            Err(status) => return exit_value(status),
        };
        let back = core::array::from_fn(|i| match i.checked_sub(INTO.len()) {
            Some(i) if got.has(i) => INTO[i],
            _ => 0,
        });
        if got.wants_answer() {
            // Whoever does not wait for the answer any more does not get one.
            let _ = cx.reply(&Message { words: got.message, capabilities: back }).await;
        }
        for slot in back.into_iter().filter(|&slot| slot != 0) {
            // It may have been revoked meanwhile.
            let _ = cx.call(Hypercall::CapDelete, &[slot]).await;
        }
    }
}
