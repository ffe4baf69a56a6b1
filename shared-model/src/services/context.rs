//! How an `async` function becomes a service, and what it can do.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::{self, Poll, Waker};

use super::mailbox::{CHUNK, Mailbox, Wish};
use super::{Memory, Service};
use crate::abi::{Hypercall, Status, utcb};
use crate::host::{HostCall, HostResult, Message};

/// A service written as one `async` function.
struct Straight {
    /// What is left of it; nothing once it has returned.
    rest: Option<Pin<Box<dyn Future<Output = i64> + Send>>>,
    mailbox: Arc<Mailbox>,
}

/// The service that an `async` function is. What it returns, its thread exits with.
pub(super) fn straight<F: Future<Output = i64> + Send + 'static>(
    function: impl FnOnce(Context) -> F,
) -> Box<dyn Service> {
    let mailbox = Arc::new(Mailbox::new());
    let rest = Box::pin(function(Context { mailbox: Arc::clone(&mailbox) }));
    Box::new(Straight { rest: Some(rest), mailbox })
}

impl Service for Straight {
    fn step(&mut self, last: &HostResult, memory: &mut dyn Memory) -> HostCall {
        self.mailbox.put_result(last);
        let mut context = task::Context::from_waker(Waker::noop());
        loop {
            let polled = self.rest.as_mut().map(|rest| rest.as_mut().poll(&mut context));
            if let Some(Poll::Ready(value)) = polled {
                self.rest = None;
                return HostCall::new(Hypercall::Exit, &[value.cast_unsigned()]);
            }
            match self.mailbox.take_wish() {
                Some(Wish::Call(call)) => return call,
                Some(Wish::Read { slot, offset, length }) => {
                    let mut bytes = alloc::vec![0; length];
                    let done = memory.read(slot, offset, &mut bytes);
                    self.mailbox.put_access(done, &bytes);
                }
                Some(Wish::Write { slot, offset, bytes }) => {
                    let done = memory.write(slot, offset, &bytes);
                    self.mailbox.put_access(done, &[]);
                }
                // It waits for something that only it knows, or has ended: let it not spin here.
                None => return HostCall::default(),
            }
        }
    }
}

/// What a service does its hypercalls with, and reaches memory.
pub struct Context {
    mailbox: Arc<Mailbox>,
}

impl Context {
    /// Makes a hypercall, whatever comes of it.
    pub async fn run(&self, call: &HostCall) -> HostResult {
        self.mailbox.wish_call(call);
        wait_once().await;
        self.mailbox.result()
    }

    /// Makes a hypercall with these arguments. The answer is message registers 1, 2, ….
    ///
    /// # Errors
    /// The status, if it was refused.
    pub async fn call(&self, call: Hypercall, arguments: &[u64]) -> Result<[u64; 7], Status> {
        let [_, results @ ..] = self.run(&HostCall::new(call, arguments)).await.checked()?.message;
        Ok(results)
    }

    /// Waits for a message. Capabilities may come into these slots.
    ///
    /// # Errors
    /// The status.
    pub async fn receive(&self, endpoint: u64, into: &[u64]) -> Result<HostResult, Status> {
        self.run(&HostCall::receive(endpoint, into)).await.checked()
    }

    /// Answers the call that was received last.
    ///
    /// # Errors
    /// The status: the caller may be gone.
    pub async fn reply(&self, message: &Message) -> Result<HostResult, Status> {
        self.run(&HostCall::with_message(Hypercall::SyncReply, 0, message)).await.checked()
    }

    /// Calls somebody, and returns the answer.
    ///
    /// # Errors
    /// The status.
    pub async fn ask(&self, endpoint: u64, message: &Message) -> Result<HostResult, Status> {
        self.run(&HostCall::with_message(Hypercall::SyncCall, endpoint, message)).await.checked()
    }

    /// Appends bytes to the domain's console.
    ///
    /// # Errors
    /// The status, if the console is full.
    pub async fn print(&self, bytes: &[u8]) -> Result<(), Status> {
        for bytes in bytes.chunks(utcb::BUFFER_SIZE) {
            let call = HostCall::new(Hypercall::ConsoleWrite, &[bytes.len() as u64]);
            self.run(&call.with_bytes(bytes)).await.checked()?;
        }
        Ok(())
    }

    /// Reads memory: see [`Memory::read`].
    ///
    /// # Errors
    /// As there; some of it may have been read then.
    pub async fn read(&self, slot: u64, offset: u64, bytes: &mut [u8]) -> Result<(), Status> {
        let mut at = offset;
        for bytes in bytes.chunks_mut(CHUNK) {
            self.mailbox.wish_read(slot, at, bytes.len());
            wait_once().await;
            self.mailbox.result().checked()?;
            self.mailbox.copy_bytes(bytes);
            at = at.saturating_add(bytes.len() as u64);
        }
        Ok(())
    }

    /// Writes memory: see [`Memory::write`].
    ///
    /// # Errors
    /// As there; some of it may have been written then.
    pub async fn write(&self, slot: u64, offset: u64, bytes: &[u8]) -> Result<(), Status> {
        let mut at = offset;
        for bytes in bytes.chunks(CHUNK) {
            self.mailbox.wish_write(slot, at, bytes);
            wait_once().await;
            self.mailbox.result().checked()?;
            at = at.saturating_add(bytes.len() as u64);
        }
        Ok(())
    }
}

/// Not ready once: whoever polls does what was wished for meanwhile.
fn wait_once() -> impl Future<Output = ()> + Send {
    let mut waited = false;
    poll_fn(move |_| match core::mem::replace(&mut waited, true) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
}
