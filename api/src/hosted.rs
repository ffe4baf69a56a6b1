//! The code of host domains that run in this process: a closure on a host thread of its own, and
//! the calls that it can make.
//!
//! It runs only between a [`Turn`] from the driving thread and its next [`Deed`], as in
//! `domains.rs`.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use shared_model::abi::{Hypercall, Status, utcb};
use shared_model::domain::{DomainId, ThreadId};
use shared_model::host::{ACCESS_MAX, HostCall, HostResult, Message};
use shared_model::rights::Rights;
use shared_model::session::{Request, Response};
use thiserror::Error;

use crate::domains;

/// Why a call of host code failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum HostError {
    /// The microkernel refused it, or it waited in vain.
    #[error("the microkernel refused: {0:?}")]
    Refused(Status),
    /// The domain was destroyed, its thread has ended, or the host is gone. Every further call
    /// fails alike.
    #[error("the domain has ended")]
    Ended,
}

/// A closure that is a host domain's code.
pub(crate) type Body = Box<dyn FnOnce(&mut HostContext) -> Result<i64, HostError> + Send>;

/// What the driving thread tells the code.
pub(crate) enum Turn {
    /// It is its turn, and its last hypercall ended like this.
    Result(HostResult),
    /// What came of an access to memory.
    Response(Response),
}

/// What the code does with its turn.
pub(crate) enum Deed {
    /// A hypercall, which is the end of the turn.
    Call(HostCall),
    /// An access to memory.
    Access(Request),
    /// It broke down.
    Panicked(String),
}

/// What the code of a host domain can do. Slots are those of its own capability space; every call
/// waits until it is done.
pub struct HostContext {
    domain: DomainId,
    thread: ThreadId,
    sender: Sender<domains::Message>,
    turns: Receiver<Turn>,
}

/// Starts a host thread for the code. It does nothing before its first turn. It ends when the
/// closure returns; nobody waits for that, as a closure can take as long as it likes.
pub(crate) fn start(
    domain: DomainId,
    thread: ThreadId,
    body: Body,
    sender: Sender<domains::Message>,
) -> io::Result<Sender<Turn>> {
    let (turn, turns) = mpsc::channel();
    let mut context = HostContext { domain, thread, sender, turns };
    thread::Builder::new().name(format!("host domain {}", domain.0)).spawn(move || {
        if context.turn().is_err() {
            return;
        }
        // What the closure leaves half-done, nobody sees: its context is dropped.
        let ended = match catch_unwind(AssertUnwindSafe(|| body(&mut context))) {
            Ok(Ok(value)) => exit(value),
            Ok(Err(HostError::Refused(status))) => exit(status as i64),
            Ok(Err(HostError::Ended)) => return,
            Err(panic) => Deed::Panicked(words(panic.as_ref())),
        };
        // If nobody listens, there is nothing left to end.
        let _ = context.sender.send(domains::Message::Deed(thread, ended));
    })?;
    Ok(turn)
}

fn exit(value: i64) -> Deed {
    Deed::Call(HostCall::new(Hypercall::Exit, &[value.cast_unsigned()]))
}

/// What a panic said.
fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("without words").into()
}

impl HostContext {
    /// Its domain's number, as the log has it.
    pub const fn domain(&self) -> DomainId {
        self.domain
    }

    /// Makes a hypercall, whatever comes of it.
    ///
    /// # Errors
    /// [`HostError::Ended`], as of every call here.
    pub fn make(&mut self, call: HostCall) -> Result<HostResult, HostError> {
        match self.act(Deed::Call(call))? {
            Turn::Result(result) => Ok(result),
            Turn::Response(_) => Err(HostError::Ended),
        }
    }

    /// Makes a hypercall that must succeed.
    ///
    /// # Errors
    /// [`HostError::Refused`] with its status.
    pub fn succeed(&mut self, call: HostCall) -> Result<HostResult, HostError> {
        self.make(call)?.checked().map_err(HostError::Refused)
    }

    /// Makes a hypercall with these arguments that must succeed. The answer is message registers
    /// 1, 2, ….
    ///
    /// # Errors
    /// As [`HostContext::succeed`].
    pub fn hypercall(
        &mut self,
        call: Hypercall,
        arguments: &[u64],
    ) -> Result<[u64; utcb::REGISTERS - 1], HostError> {
        let [_, results @ ..] = self.succeed(HostCall::new(call, arguments))?.message;
        Ok(results)
    }

    /// Sends a message, once somebody receives it.
    ///
    /// # Errors
    /// As [`HostContext::succeed`].
    pub fn send(&mut self, endpoint: u64, message: &Message) -> Result<HostResult, HostError> {
        self.succeed(HostCall::with_message(Hypercall::SyncSend, endpoint, message))
    }

    /// Waits for a message.
    ///
    /// # Errors
    /// As [`HostContext::succeed`].
    pub fn receive(&mut self, endpoint: u64) -> Result<HostResult, HostError> {
        self.receive_into(endpoint, &[])
    }

    /// Waits for a message, whose capabilities may come into these slots.
    ///
    /// # Errors
    /// As [`HostContext::succeed`].
    pub fn receive_into(&mut self, endpoint: u64, into: &[u64]) -> Result<HostResult, HostError> {
        self.succeed(HostCall::receive(endpoint, into))
    }

    /// Calls, and waits for the answer. Its capabilities come into the slots that the message
    /// names, as far as they are free.
    ///
    /// # Errors
    /// As [`HostContext::succeed`].
    pub fn call(&mut self, endpoint: u64, message: &Message) -> Result<HostResult, HostError> {
        self.succeed(HostCall::with_message(Hypercall::SyncCall, endpoint, message))
    }

    /// Answers the call that was received last.
    ///
    /// # Errors
    /// As [`HostContext::succeed`].
    pub fn reply(&mut self, message: &Message) -> Result<HostResult, HostError> {
        self.succeed(HostCall::with_message(Hypercall::SyncReply, 0, message))
    }

    /// Answers, then waits for the next message.
    ///
    /// # Errors
    /// As [`HostContext::succeed`].
    pub fn reply_receive(
        &mut self,
        endpoint: u64,
        message: &Message,
    ) -> Result<HostResult, HostError> {
        self.succeed(HostCall::with_message(Hypercall::SyncReplyReceive, endpoint, message))
    }

    /// Signals a notification, or the other end of a channel.
    ///
    /// # Errors
    /// As [`HostContext::succeed`].
    pub fn signal(&mut self, slot: u64) -> Result<(), HostError> {
        self.hypercall(Hypercall::NotificationSignal, &[slot]).map(drop)
    }

    /// Waits for a notification, or for this end's doorbell of a channel, and takes its bits.
    ///
    /// # Errors
    /// As [`HostContext::succeed`].
    pub fn wait(&mut self, slot: u64) -> Result<u64, HostError> {
        self.hypercall(Hypercall::NotificationWait, &[slot]).map(|results| results[0])
    }

    /// Creates an endpoint.
    ///
    /// # Errors
    /// As [`HostContext::succeed`].
    pub fn create_endpoint(&mut self, slot: u64) -> Result<(), HostError> {
        self.hypercall(Hypercall::EndpointCreate, &[slot]).map(drop)
    }

    /// Creates a notification.
    ///
    /// # Errors
    /// As [`HostContext::succeed`].
    pub fn create_notification(&mut self, slot: u64) -> Result<(), HostError> {
        self.hypercall(Hypercall::NotificationCreate, &[slot]).map(drop)
    }

    /// Creates a channel of `1 << order` pages. A copy with badge 1 is the other end's.
    ///
    /// # Errors
    /// As [`HostContext::succeed`].
    pub fn create_channel(&mut self, slot: u64, order: u64) -> Result<(), HostError> {
        self.hypercall(Hypercall::ChannelCreate, &[slot, order]).map(drop)
    }

    /// Takes a block of `1 << order` zeroed pages.
    ///
    /// # Errors
    /// As [`HostContext::succeed`].
    pub fn allocate(&mut self, slot: u64, rights: Rights, order: u64) -> Result<(), HostError> {
        self.hypercall(Hypercall::PageAllocate, &[slot, rights.bits(), order]).map(drop)
    }

    /// Copies a capability to slot `to` of another domain, with a badge if it is not 0.
    ///
    /// # Errors
    /// As [`HostContext::succeed`].
    pub fn grant(
        &mut self,
        domain: u64,
        from: u64,
        to: u64,
        rights: Rights,
        badge: u64,
    ) -> Result<(), HostError> {
        let arguments = [domain, from, to, rights.bits(), badge];
        self.hypercall(Hypercall::CapGrant, &arguments).map(drop)
    }

    /// Copies a capability within its own space.
    ///
    /// # Errors
    /// As [`HostContext::succeed`].
    pub fn copy(
        &mut self,
        from: u64,
        to: u64,
        rights: Rights,
        badge: u64,
    ) -> Result<(), HostError> {
        self.hypercall(Hypercall::CapCopy, &[from, to, rights.bits(), badge]).map(drop)
    }

    /// Removes a capability. A domain, endpoint or block goes with its last one.
    ///
    /// # Errors
    /// As [`HostContext::succeed`].
    pub fn delete(&mut self, slot: u64) -> Result<(), HostError> {
        self.hypercall(Hypercall::CapDelete, &[slot]).map(drop)
    }

    /// Removes everything that derives from a capability.
    ///
    /// # Errors
    /// As [`HostContext::succeed`].
    pub fn revoke(&mut self, slot: u64) -> Result<(), HostError> {
        self.hypercall(Hypercall::CapRevoke, &[slot]).map(drop)
    }

    /// Creates an empty domain.
    ///
    /// # Errors
    /// As [`HostContext::succeed`].
    pub fn create_domain(&mut self, slot: u64) -> Result<(), HostError> {
        self.hypercall(Hypercall::DomainCreate, &[slot]).map(drop)
    }

    /// Creates a host domain that runs a bundled service.
    ///
    /// # Errors
    /// As [`HostContext::succeed`].
    pub fn create_service(&mut self, slot: u64, service: &str) -> Result<(), HostError> {
        let call = HostCall::new(Hypercall::HostDomainCreate, &[slot, service.len() as u64]);
        self.succeed(call.with_bytes(service.as_bytes())).map(drop)
    }

    /// Loads a module into an empty domain, by a name that [`crate::Host::provide`] returned.
    ///
    /// # Errors
    /// As [`HostContext::succeed`].
    pub fn configure(&mut self, domain: u64, module: &str) -> Result<(), HostError> {
        let call = HostCall::new(Hypercall::DomainConfigure, &[domain, module.len() as u64]);
        self.succeed(call.with_bytes(module.as_bytes())).map(drop)
    }

    /// Starts a domain.
    ///
    /// # Errors
    /// As [`HostContext::succeed`].
    pub fn run_domain(&mut self, domain: u64) -> Result<(), HostError> {
        self.hypercall(Hypercall::DomainRun, &[domain]).map(drop)
    }

    /// Appends text to its domain's console.
    ///
    /// # Errors
    /// As [`HostContext::succeed`].
    pub fn print(&mut self, text: &str) -> Result<(), HostError> {
        for part in text.as_bytes().chunks(utcb::BUFFER_SIZE) {
            let call = HostCall::new(Hypercall::ConsoleWrite, &[part.len() as u64]);
            self.succeed(call.with_bytes(part))?;
        }
        Ok(())
    }

    /// Lets others run first.
    ///
    /// # Errors
    /// As [`HostContext::succeed`].
    pub fn yield_turn(&mut self) -> Result<(), HostError> {
        self.hypercall(Hypercall::Yield, &[]).map(drop)
    }

    /// Waits for so many ticks.
    ///
    /// # Errors
    /// As [`HostContext::succeed`].
    pub fn sleep(&mut self, ticks: u64) -> Result<(), HostError> {
        self.hypercall(Hypercall::Sleep, &[ticks]).map(drop)
    }

    /// Reads memory of a block or channel that it holds a capability to, which needs read.
    ///
    /// # Errors
    /// [`HostError::Refused`]; some of it may have been read then.
    pub fn read(&mut self, slot: u64, offset: u64, bytes: &mut [u8]) -> Result<(), HostError> {
        let domain = self.domain;
        let mut offset = offset;
        for part in bytes.chunks_mut(ACCESS_MAX as usize) {
            let length = part.len() as u64;
            match self.access(Request::HostRead { domain, slot, offset, length })? {
                Response::Bytes(read) if read.len() == part.len() => part.copy_from_slice(&read),
                _ => return Err(HostError::Ended),
            }
            offset = offset.saturating_add(length);
        }
        Ok(())
    }

    /// Writes such memory, which needs write.
    ///
    /// # Errors
    /// [`HostError::Refused`]; some of it may have been written then.
    pub fn write(&mut self, slot: u64, offset: u64, bytes: &[u8]) -> Result<(), HostError> {
        let domain = self.domain;
        let mut offset = offset;
        for part in bytes.chunks(ACCESS_MAX as usize) {
            self.access(Request::HostWrite { domain, slot, offset, bytes: part.into() })?;
            offset = offset.saturating_add(part.len() as u64);
        }
        Ok(())
    }

    fn access(&mut self, request: Request) -> Result<Response, HostError> {
        match self.act(Deed::Access(request))? {
            Turn::Response(Response::Refused(status)) => Err(HostError::Refused(status)),
            Turn::Response(response) => Ok(response),
            Turn::Result(_) => Err(HostError::Ended),
        }
    }

    fn act(&mut self, deed: Deed) -> Result<Turn, HostError> {
        let message = domains::Message::Deed(self.thread, deed);
        self.sender.send(message).map_err(|_| HostError::Ended)?;
        self.turn()
    }

    /// Waits for what comes of it.
    fn turn(&mut self) -> Result<Turn, HostError> {
        self.turns.recv().map_err(|_| HostError::Ended)
    }
}
