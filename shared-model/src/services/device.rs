//! What the null devices have in common: requests come as calls, or through a ring in a channel,
//! and say where in shared memory the data is.

use super::ring::{Ring, SlotMessage};
use super::{Context, ENDPOINT, exit_value};
use crate::abi::{Hypercall, ObjectKind, Status};
use crate::host::{HostResult, Message};

/// `m1` to `m7` of the answer describe the device.
const INFO: u64 = 0;
/// The memory in capability register 0 serves requests that bring none.
const BUFFER: u64 = 8;
/// The channel in capability register 0 brings requests from now on, for the memory in register 1;
/// `m1` is how many bytes of the channel's memory the rings have, 0 for all.
const ATTACH: u64 = 9;
/// In the ring: the channel is given back.
const DETACH: u64 = 10;

/// Slots: the channel, the memory, and where capabilities come in.
const CHANNEL: u64 = 4;
const MEMORY: u64 = 5;
const INTO: [u64; 2] = [6, 7];

/// What a request comes to: the second word of the answer, or the status that is the first.
pub(super) type Answer = Result<u64, Status>;

/// A device that does what it is asked for at once.
pub(super) trait Device {
    /// What it is and has done so far.
    fn info(&self) -> [u64; 7];

    /// Serves a request, whose data is in the memory of a slot.
    fn handle(
        &mut self,
        cx: &Context,
        request: [u64; 7],
        memory: u64,
    ) -> impl Future<Output = Answer> + Send;
}

/// Serves requests until nobody is left who could make any.
pub(super) async fn serve<D: Device + Send>(cx: Context, mut device: D) -> i64 {
    loop {
        let got = match cx.receive(ENDPOINT, &INTO).await {
            Ok(got) => got,
            Err(status) => return exit_value(status),
        };
        let answer = called(&cx, &mut device, &got).await;
        for (register, slot) in INTO.into_iter().enumerate() {
            if got.has(register) {
                delete(&cx, slot).await;
            }
        }
        if got.wants_answer() {
            // Nothing is lost if the caller has gone.
            let _ = cx.reply(&Message::new(&answer)).await;
        }
        if got.message[0] == ATTACH && answer[0] == 0 {
            // An error here is the end of the channel.
            let _ = serve_ring(&cx, &mut device, got.message[1]).await;
            delete(&cx, CHANNEL).await;
            delete(&cx, MEMORY).await;
        }
    }
}

/// Serves a call, and returns the words of its answer.
async fn called<D: Device + Send>(cx: &Context, device: &mut D, got: &HostResult) -> [u64; 8] {
    let memory = if got.has(0) { INTO[0] } else { MEMORY };
    let request = core::array::from_fn(|i| got.message[i]);
    let answer = match request[0] {
        INFO => {
            let [a, b, c, d, e, f, g] = device.info();
            return [0, a, b, c, d, e, f, g];
        }
        BUFFER => replace(cx, got, 0, MEMORY).await,
        ATTACH => attach(cx, got).await,
        _ => device.handle(cx, request, memory).await,
    };
    let [status, result] = words(answer);
    [status, result, 0, 0, 0, 0, 0, 0]
}

/// The first two words of an answer.
fn words(answer: Answer) -> [u64; 2] {
    match answer {
        Ok(result) => [0, result],
        Err(status) => [(status as i64).cast_unsigned(), 0],
    }
}

/// Takes the capabilities that a channel's use needs. On a failure, what was attached stays.
async fn attach(cx: &Context, got: &HostResult) -> Answer {
    if !got.has(0) {
        return Err(Status::NotFound);
    }
    let [kind, ..] = cx.call(Hypercall::CapInspect, &[INTO[0]]).await?;
    if kind != ObjectKind::Channel as u64 {
        return Err(Status::Invalid);
    }
    replace(cx, got, 0, CHANNEL).await?;
    if got.has(1) {
        replace(cx, got, 1, MEMORY).await?;
    }
    Ok(0)
}

/// Moves a capability that arrived to where it is kept, in place of what was there.
async fn replace(cx: &Context, got: &HostResult, register: usize, to: u64) -> Answer {
    if !got.has(register) {
        return Err(Status::NotFound);
    }
    delete(cx, to).await;
    let all = crate::rights::Rights::ALL.bits();
    cx.call(Hypercall::CapMove, &[INTO[register], to, all]).await?;
    Ok(0)
}

async fn delete(cx: &Context, slot: u64) {
    // Empty is what it is to be.
    let _ = cx.call(Hypercall::CapDelete, &[slot]).await;
}

/// Serves the ring until the other side detaches, or is gone.
/// The flags of an answer. Those of a call of liblcd's activities say what a message is in bits 0
/// and 1 (1 a request, 2 its response) and repeat the caller's name for it in the others; whatever
/// else they are, they come back as they were.
const fn answer_flags(request: u32) -> u32 {
    if request & 3 == 1 { request ^ 3 } else { request }
}

async fn serve_ring<D: Device + Send>(
    cx: &Context,
    device: &mut D,
    size: u64,
) -> Result<(), Status> {
    let mut ring = Ring::open(cx, CHANNEL, size).await?;
    loop {
        let mut answered = false;
        while let Some(SlotMessage { flags, words: request }) = ring.next(cx).await? {
            let mut answer = [0; 7];
            match request[0] {
                INFO => answer[1..].copy_from_slice(&device.info()[..6]),
                DETACH => {}
                _ => {
                    let done = device.handle(cx, request, MEMORY).await;
                    answer[..2].copy_from_slice(&words(done));
                }
            }
            let flags = answer_flags(flags);
            ring.answer(cx, SlotMessage { flags, words: answer }).await?;
            answered = true;
            if request[0] == DETACH {
                return ring.ring(cx).await;
            }
        }
        if answered {
            ring.ring(cx).await?;
        }
        cx.call(Hypercall::NotificationWait, &[CHANNEL]).await?;
    }
}
