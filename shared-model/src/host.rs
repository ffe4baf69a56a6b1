//! What host code and the microkernel exchange. A thread of a host domain has a UTCB like any
//! other, and makes its hypercalls with a [`HostCall`], the part of the UTCB that its code fills,
//! and learns from a [`HostResult`], the part that the microkernel fills.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::abi::{Hypercall, Received, Status, utcb};

const REGISTERS: usize = utcb::REGISTERS;

/// Words of a UTCB before its buffer that mean something.
pub(crate) const WORDS: usize = utcb::RECEIVED / 8 + 1;

/// Bytes that one access of an outside thread to memory can have.
pub const ACCESS_MAX: u64 = 1 << 20;

/// The words of a UTCB, in its order.
pub(crate) type Words = [u64; WORDS];

/// What is sent: words, and slots of capabilities that go along (0 for none).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Message {
    /// The message registers.
    pub words: [u64; REGISTERS],
    /// The capability registers.
    pub capabilities: [u64; REGISTERS],
}

impl Message {
    /// A message of at most eight words; the rest is zero.
    pub fn new(words: &[u64]) -> Self {
        Self { words: registers(words), ..Self::default() }
    }

    /// The same with capabilities, by their slots.
    #[must_use]
    pub fn with(self, capabilities: &[u64]) -> Self {
        Self { capabilities: registers(capabilities), ..self }
    }
}

/// A hypercall of a host thread.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct HostCall {
    /// Which one.
    pub number: u32,
    /// The message registers: arguments, or a message.
    pub message: [u64; REGISTERS],
    /// The capability registers: slots to send from, or to receive into.
    pub capabilities: [u64; REGISTERS],
    /// The slot that a call with a message goes through.
    pub endpoint: u64,
    /// Its limit of time, in ticks; 0 for none.
    pub timeout: u64,
    /// The first bytes of the buffer. Longer than it has room for is cut off.
    #[serde(with = "hexadecimal", skip_serializing_if = "Vec::is_empty")]
    pub buffer: Vec<u8>,
}

impl Default for HostCall {
    fn default() -> Self {
        Self::new(Hypercall::Yield, &[])
    }
}

impl HostCall {
    /// A call with these arguments.
    pub fn new(call: Hypercall, arguments: &[u64]) -> Self {
        Self {
            number: call as u32,
            message: registers(arguments),
            capabilities: [0; REGISTERS],
            endpoint: 0,
            timeout: 0,
            buffer: Vec::new(),
        }
    }

    /// A call that carries a message through an endpoint.
    pub fn with_message(call: Hypercall, endpoint: u64, message: &Message) -> Self {
        let Message { words, capabilities } = *message;
        Self { message: words, capabilities, endpoint, ..Self::new(call, &[]) }
    }

    /// A call that receives, with the slots into which capabilities may come.
    pub fn receive(endpoint: u64, into: &[u64]) -> Self {
        Self::with_message(Hypercall::SyncReceive, endpoint, &Message::default().with(into))
    }

    /// The same, given up after so many ticks.
    #[must_use]
    pub fn within(self, timeout: u64) -> Self {
        Self { timeout, ..self }
    }

    /// The same, with bytes in the buffer.
    #[must_use]
    pub fn with_bytes(self, buffer: &[u8]) -> Self {
        Self { buffer: buffer.into(), ..self }
    }

    /// The part of the buffer that fits.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.buffer.len().min(utcb::BUFFER_SIZE)]
    }

    /// As it is in a UTCB.
    pub(crate) fn words(&self) -> Words {
        let mut words = [0; WORDS];
        words[at(utcb::MESSAGE)..][..REGISTERS].copy_from_slice(&self.message);
        words[at(utcb::CAPABILITY)..][..REGISTERS].copy_from_slice(&self.capabilities);
        words[at(utcb::ENDPOINT)] = self.endpoint;
        words[at(utcb::TIMEOUT)] = self.timeout;
        words
    }

    /// From a UTCB's words.
    pub(crate) fn from_words(number: u32, words: &Words, buffer: Vec<u8>) -> Self {
        Self {
            number,
            message: registers(&words[at(utcb::MESSAGE)..]),
            capabilities: registers(&words[at(utcb::CAPABILITY)..]),
            endpoint: words[at(utcb::ENDPOINT)],
            timeout: words[at(utcb::TIMEOUT)],
            buffer,
        }
    }
}

/// How a host thread's last hypercall ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HostResult {
    /// The status.
    pub status: Status,
    /// The message registers: results, or a message.
    pub message: [u64; REGISTERS],
    /// The badge that a received message came with.
    pub badge: u64,
    /// The capability registers that arrived, a bit each.
    pub arrived: u64,
    /// Those that could not be passed on.
    pub failed: u64,
    /// What was received.
    pub received: Received,
}

impl Default for HostResult {
    fn default() -> Self {
        Self::from_words(&[0; WORDS])
    }
}

impl HostResult {
    /// The result, or the status if the call was refused.
    ///
    /// # Errors
    /// The status.
    pub const fn checked(self) -> Result<Self, Status> {
        match self.status {
            Status::Ok => Ok(self),
            status => Err(status),
        }
    }

    /// Whether somebody waits for an answer.
    pub const fn wants_answer(&self) -> bool {
        matches!(self.received, Received::Call | Received::Fault)
    }

    /// Whether a capability register arrived.
    pub const fn has(&self, register: usize) -> bool {
        self.arrived >> register & 1 != 0
    }

    /// As it is in a UTCB.
    pub(crate) fn words(&self) -> Words {
        let mut words = [0; WORDS];
        words[at(utcb::MESSAGE)..][..REGISTERS].copy_from_slice(&self.message);
        words[at(utcb::STATUS)] = (self.status as i64).cast_unsigned();
        words[at(utcb::BADGE)] = self.badge;
        words[at(utcb::ARRIVED)] = self.arrived;
        words[at(utcb::FAILED)] = self.failed;
        words[at(utcb::RECEIVED)] = self.received as u64;
        words
    }

    /// From a UTCB's words.
    pub(crate) fn from_words(words: &Words) -> Self {
        let status = words[at(utcb::STATUS)].cast_signed();
        let received = words[at(utcb::RECEIVED)];
        // Nobody else writes to a host thread's UTCB, so both words mean something.
        let status = STATUSES.into_iter().find(|&known| known as i64 == status);
        let received = RECEIVED.into_iter().find(|&known| known as u64 == received);
        Self {
            status: status.unwrap_or(Status::Invalid),
            message: registers(&words[at(utcb::MESSAGE)..]),
            badge: words[at(utcb::BADGE)],
            arrived: words[at(utcb::ARRIVED)],
            failed: words[at(utcb::FAILED)],
            received: received.unwrap_or(Received::Message),
        }
    }
}

const STATUSES: [Status; 14] = [
    Status::Ok,
    Status::NotPermitted,
    Status::NotFound,
    Status::WouldBlock,
    Status::NoMemory,
    Status::Busy,
    Status::Exists,
    Status::Invalid,
    Status::PeerDied,
    Status::NoSystemCall,
    Status::BadState,
    Status::TimedOut,
    Status::Cancelled,
    Status::Waiting,
];

const RECEIVED: [Received; 4] =
    [Received::Message, Received::Call, Received::Notification, Received::Fault];

/// The word at an offset of a UTCB.
const fn at(offset: usize) -> usize {
    offset / 8
}

/// The first eight of these, with zeros for those that are missing.
fn registers(words: &[u64]) -> [u64; REGISTERS] {
    core::array::from_fn(|i| words.get(i).copied().unwrap_or(0))
}

/// Bytes as text of hexadecimal digits.
pub(crate) mod hexadecimal {
    use alloc::string::String;
    use alloc::vec::Vec;

    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&crate::hex::encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        crate::hex::decode(&text).ok_or_else(|| D::Error::custom("not pairs of digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::{HostCall, HostResult, Message, RECEIVED, STATUSES};
    use crate::abi::Hypercall;

    #[test]
    fn calls_and_results_round_trip_through_a_utcb() {
        let message = Message::new(&[1, 2, 3]).with(&[4, 0, 5]);
        let call = HostCall::with_message(Hypercall::SyncCall, 7, &message)
            .within(100)
            .with_bytes(b"bytes");
        let back = HostCall::from_words(call.number, &call.words(), b"bytes".to_vec());
        assert_eq!(back, call);
        for status in STATUSES {
            for received in RECEIVED {
                let result = HostResult {
                    status,
                    message: [9, 8, 7, 6, 5, 4, 3, 2],
                    badge: 1,
                    arrived: 5,
                    failed: 2,
                    received,
                };
                assert_eq!(HostResult::from_words(&result.words()), result);
            }
        }
    }

    #[test]
    fn a_call_is_json_with_hexadecimal_bytes() {
        let call = HostCall::new(Hypercall::ConsoleWrite, &[2]).with_bytes(&[0x61, 0xff]);
        let json = serde_json::to_string(&call).unwrap();
        assert!(json.contains(r#""buffer":"61ff""#), "{json}");
        assert_eq!(serde_json::from_str::<HostCall>(&json).unwrap(), call);
        let short: HostCall = serde_json::from_str(r#"{"number":33}"#).unwrap();
        assert_eq!(short, HostCall::default());
        assert!(serde_json::from_str::<HostCall>(r#"{"buffer":"6"}"#).is_err());
    }
}
