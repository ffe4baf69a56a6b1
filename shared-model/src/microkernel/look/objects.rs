//! Where threads meet, and what they exchange.

use alloc::string::String;
use alloc::vec::Vec;

use serde::Serialize;

use crate::abi::{Status, utcb};
use crate::address::PAGE_SIZE;
use crate::arch::Arch;
use crate::capability::{ChannelId, EndpointId, NotificationId};
use crate::domain::{ThreadId, Wait};
use crate::hex::{self, Hex};
use crate::microkernel::Microkernel;
use crate::microkernel::notification;

/// Every endpoint, notification and channel, with who waits there.
#[derive(Debug, Serialize)]
pub struct Objects {
    /// In the order of their numbers.
    pub endpoints: Vec<Endpoint>,
    /// In the order of their numbers.
    pub notifications: Vec<Notification>,
    /// In the order of their numbers.
    pub channels: Vec<Channel>,
}

/// An endpoint.
#[derive(Debug, Serialize)]
pub struct Endpoint {
    /// Its number.
    pub endpoint: EndpointId,
    /// Threads whose message or fault nobody has received yet.
    pub senders: Vec<Waiter>,
    /// Threads that wait for a message.
    pub receivers: Vec<Waiter>,
}

/// A notification.
#[derive(Debug, Serialize)]
pub struct Notification {
    /// Its number.
    pub notification: NotificationId,
    /// Bits that nobody has taken.
    pub bits: Hex,
    /// Threads that wait for some.
    pub waiters: Vec<Waiter>,
}

/// A channel.
#[derive(Debug, Serialize)]
pub struct Channel {
    /// Its number.
    pub channel: ChannelId,
    /// Its ends.
    pub sides: Vec<Side>,
}

/// A channel's doorbell at one end.
#[derive(Debug, Serialize)]
pub struct Side {
    /// Bits that nobody has taken.
    pub bits: Hex,
    /// Threads that wait for it to ring.
    pub waiters: Vec<Waiter>,
}

/// A thread that waits.
#[derive(Debug, Serialize)]
pub struct Waiter {
    /// Which.
    pub thread: ThreadId,
    /// The badge that its message will come with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub badge: Option<Hex>,
    /// It will also wait for an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<bool>,
}

/// What is in a thread's UTCB.
#[derive(Debug, Serialize)]
pub struct Utcb {
    /// Its guest-virtual address; 0 for the host's.
    pub address: Hex,
    /// The message registers.
    pub message: [Hex; utcb::REGISTERS],
    /// The capability registers.
    pub capabilities: [Hex; utcb::REGISTERS],
    /// How the last hypercall ended.
    pub status: i64,
    /// What that number means.
    pub status_name: String,
    /// The slot that a call with a message goes through.
    pub endpoint: Hex,
    /// Its limit of time.
    pub timeout: Hex,
    /// The badge of what was received last.
    pub badge: Hex,
    /// Capability registers that arrived, a bit each.
    pub arrived: Hex,
    /// Those that could not be passed on.
    pub failed: Hex,
    /// What was received last.
    pub received: u64,
    /// The buffer up to its last byte that is not zero, in hexadecimal.
    pub buffer: String,
}

impl<A: Arch> Microkernel<A> {
    /// Everything where threads meet, with who waits there.
    pub fn objects(&self) -> Objects {
        let endpoints = self.endpoints.iter().map(|(&endpoint, queues)| Endpoint {
            endpoint,
            senders: queues.senders.iter().map(|&thread| self.waiter(thread)).collect(),
            receivers: queues.receivers.iter().map(|&thread| self.waiter(thread)).collect(),
        });
        let notifications = self.notifications.iter().map(|(&notification, state)| {
            let Side { bits, waiters } = self.side(state);
            Notification { notification, bits, waiters }
        });
        let channels = self.channels.iter().map(|(&channel, state)| Channel {
            channel,
            sides: state.bells.iter().map(|bell| self.side(bell)).collect(),
        });
        Objects {
            endpoints: endpoints.collect(),
            notifications: notifications.collect(),
            channels: channels.collect(),
        }
    }

    fn side(&self, state: &notification::Notification) -> Side {
        let waiters = state.waiters.iter().map(|&thread| self.waiter(thread)).collect();
        Side { bits: Hex(state.bits), waiters }
    }

    fn waiter(&self, thread: ThreadId) -> Waiter {
        let waiting = self.thread(thread).waiting.as_ref().map(|waiting| &waiting.wait);
        let (badge, call) = match waiting {
            Some(Wait::Send { badge, is_call, .. }) => (Some(Hex(*badge)), Some(*is_call)),
            Some(Wait::FaultSend { badge, .. }) => (Some(Hex(*badge)), Some(true)),
            _ => (None, None),
        };
        Waiter { thread, badge, call }
    }

    /// What is in a thread's UTCB.
    ///
    /// # Errors
    /// A message if there is no such thread, or its domain is gone with its pages.
    pub fn utcb(&self, thread: ThreadId) -> Result<Utcb, String> {
        let state = self.threads.get(thread.0 as usize);
        let state = state.ok_or_else(|| alloc::format!("there is no thread {}", thread.0))?;
        if !self.domains.contains_key(&state.domain) {
            return Err(alloc::format!("thread {} is gone, with its domain's pages", thread.0));
        }
        let mut page = [0; PAGE_SIZE as usize];
        self.arch.frame_read(state.utcb, 0, &mut page);
        let word = |at: usize| u64::from_le_bytes(core::array::from_fn(|i| page[at + i]));
        let status = word(utcb::STATUS).cast_signed();
        let buffer = &page[utcb::BUFFER..];
        let used = buffer.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        Ok(Utcb {
            address: Hex(if self.is_of_host(thread) { 0 } else { state.places.utcb().0 }),
            message: core::array::from_fn(|i| Hex(word(utcb::MESSAGE + i * 8))),
            capabilities: core::array::from_fn(|i| Hex(word(utcb::CAPABILITY + i * 8))),
            status,
            status_name: Status::from_number(status).map_or_else(String::new, |status| {
                serde_json::to_value(status)
                    .ok()
                    .and_then(|name| name.as_str().map(String::from))
                    .unwrap_or_default()
            }),
            endpoint: Hex(word(utcb::ENDPOINT)),
            timeout: Hex(word(utcb::TIMEOUT)),
            badge: Hex(word(utcb::BADGE)),
            arrived: Hex(word(utcb::ARRIVED)),
            failed: Hex(word(utcb::FAILED)),
            received: word(utcb::RECEIVED),
            buffer: hex::encode(&buffer[..used]),
        })
    }
}
