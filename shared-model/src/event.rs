//! The event log: everything observable about a run, in order.
//!
//! Serialised, it is a header line and then one JSON object per line. The report, the
//! comparison and every view are made from it.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::abi::{Hypercall, Received, Status, utcb};
use crate::address::{Frame, GuestPhysical, GuestVirtual, PAGE_SIZE};
use crate::capability::{Object, Slot, SpaceId};
use crate::domain::{DomainId, ThreadId};
use crate::exit::{End, KillReason};
use crate::registers::Registers;
use crate::rights::Rights;
use crate::space::Mapping;

mod log;

pub use log::{Log, LogError, LogHeader, Recovered};

/// Version of the log's format. A reader refuses another.
pub const LOG_VERSION: u32 = 1;

/// One observation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Event {
    /// The domain it is about.
    pub domain: DomainId,
    /// The thread that caused it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<ThreadId>,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// A domain came into being.
    DomainCreated {
        /// Its name.
        name: String,
    },
    /// A domain that was created without a name got one, from its module.
    DomainNamed {
        /// Its name.
        name: String,
    },
    /// A module was linked and its pages were laid out.
    Loaded {
        /// The module.
        module: String,
        /// Digest of its linked segments: their places, rights and bytes.
        digest: Digest,
    },
    /// Loading failed; the domain has no thread.
    LoadFailed {
        /// The module.
        module: String,
        /// Why, and what to do.
        error: String,
    },
    /// A domain got the pages it is built from, and its initial thread.
    Built {
        /// The thread.
        initial: ThreadId,
        /// The pages, in the order of their addresses. A host domain has none.
        pages: Vec<PageRange>,
    },
    /// A thread may run from now on.
    ThreadStarted,
    /// The thread is about to run a function.
    Call {
        /// The function.
        symbol: String,
        /// Its address.
        address: GuestVirtual,
        /// Its integer arguments.
        arguments: Vec<u64>,
    },
    /// The function returned.
    Return {
        /// What was in `rax`.
        value: u64,
    },
    /// A hypercall took effect, or was refused.
    Hypercall {
        /// Which one; nothing if the number means none.
        call: Option<Hypercall>,
        /// The number.
        number: u32,
        /// Its arguments, as many as it has.
        arguments: Vec<u64>,
        /// Text that it carried.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        /// Bytes that it carried and that are no text, in hexadecimal.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bytes: Option<String>,
        /// Its result.
        status: Status,
    },
    /// A hypercall that waited, or took several turns, is over.
    Completed {
        /// Which one.
        call: Hypercall,
        /// How it ended.
        status: Status,
    },
    /// A message went from the event's thread to another.
    Message {
        /// Who received it.
        to: ThreadId,
        /// The badge it came with.
        #[serde(default, skip_serializing_if = "is_zero")]
        badge: u64,
        /// What the receiver is told it is.
        received: Received,
        /// The message registers.
        words: [u64; utcb::REGISTERS],
        /// Capability registers that arrived, a bit each.
        #[serde(default, skip_serializing_if = "is_zero")]
        arrived: u64,
        /// Those that could not be passed on.
        #[serde(default, skip_serializing_if = "is_zero")]
        failed: u64,
    },
    /// A notification, or one side's doorbell of a channel, was signalled.
    Signalled {
        /// Which one.
        #[cfg_attr(feature = "schema", schema(value_type = crate::capability::CapabilityObject))]
        object: Object,
        /// For a channel, the side that hears it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        side: Option<usize>,
        /// The bits that were added.
        bits: u64,
    },
    /// A thread was created after the domain's first.
    ThreadCreated {
        /// Its number within the domain.
        index: u32,
        /// The thread.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        created: Option<ThreadId>,
        /// Whether it is suspended, until somebody resumes it.
        #[serde(default, skip_serializing_if = "is_false")]
        suspended: bool,
        /// Pages that the domain got for it, as for those it is built from. None where there was a
        /// thread with this number before.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pages: Vec<PageRange>,
    },
    /// A thread was suspended.
    ThreadSuspended {
        /// Its number within the domain.
        index: u32,
    },
    /// A thread was resumed.
    ThreadResumed {
        /// Its number within the domain.
        index: u32,
    },
    /// A thread's fault is sent to the domain's fault endpoint instead of ending the thread.
    Faulted {
        /// What it is.
        fault: KillReason,
        /// Its instruction pointer.
        rip: u64,
    },
    /// Nothing could run, so time went on to when something can.
    TimeAdvanced {
        /// The tick.
        to: u64,
    },
    /// A device raised an interrupt.
    Interrupt {
        /// Its line.
        line: u8,
    },
    /// A device was written to, and shows it to the outside.
    DeviceOutput {
        /// The device's name.
        device: String,
        /// The bytes, in hexadecimal.
        hex: String,
    },
    /// A domain used a port through a capability.
    Port {
        /// The port.
        port: u16,
        /// Bytes.
        width: u8,
        /// Whether it wrote.
        write: bool,
        /// What was read or written.
        value: u32,
    },
    /// A thread asked for its registers and the top of its stack to be shown.
    Dumped {
        /// The registers.
        registers: Registers,
        /// Words from the stack pointer upwards.
        stack: Vec<u64>,
        /// The function it is in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<String>,
    },
    /// A page appeared in a window of the domain's guest-physical space.
    Mapped {
        /// Where.
        page: GuestPhysical,
        /// To which frame.
        frame: Frame,
        /// With which rights.
        rights: Rights,
        /// The slot of the capability under which it is mapped.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        slot: Option<u64>,
    },
    /// A page disappeared from it.
    Unmapped {
        /// Where.
        page: GuestPhysical,
        /// The frame.
        frame: Frame,
    },
    /// A capability came into a slot of the domain, or of a thread of it.
    CapabilityAdded {
        /// Whose slot, if not the domain's own: a thread's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        space: Option<SpaceId>,
        /// The slot.
        slot: u64,
        /// What it names.
        #[cfg_attr(feature = "schema", schema(value_type = crate::capability::CapabilityObject))]
        object: Object,
        /// What it allows.
        rights: Rights,
        /// Its badge.
        #[serde(default, skip_serializing_if = "is_zero")]
        badge: u64,
        /// The capability that it is derived from; none if it is an original. The host's own, and
        /// a thread's right to be answered, are told of only here.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Slot>,
    },
    /// A capability left a slot. The domain is the one whose slot it was, or whose thread's; of the
    /// host's slots, only those of its capabilities to domains are told of, which then are these.
    /// Capabilities that were derived from it are now derived from what it was derived from,
    /// unless the event says otherwise.
    CapabilityRemoved {
        /// Whose slot: the domain's own space, a thread's, or the host's.
        space: SpaceId,
        /// The slot.
        slot: u64,
        /// What it named.
        #[cfg_attr(feature = "schema", schema(value_type = crate::capability::CapabilityObject))]
        object: Object,
        /// The domain's slot that it was moved to, with all that is derived from it. That slot's
        /// own event is the next.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        moved_to: Option<u64>,
        /// The capability that those derived from it are derived from now: the one that is being
        /// revoked, where a revoke leaves some alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        heir: Option<Slot>,
    },
    /// An original capability became one that is derived from another of the domain.
    CapabilityDerived {
        /// The slot.
        slot: u64,
        /// The slot of the one that it is derived from now.
        from: u64,
    },
    /// The event's domain held memory that the host lent, and now no domain does.
    LentReturned {
        /// The memory's first frame.
        memory: Frame,
    },
    /// The thread will not run any more, and its own slots are gone.
    Ended {
        /// How.
        end: End,
        /// Its registers then.
        registers: Registers,
        /// The function that it was in, for one that was killed in one: `module!function+0x1a`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<String>,
        /// Flags among them that the manual leaves undefined, where the backend knows.
        #[serde(default)]
        undefined_flags: u64,
    },
    /// The domain is gone, with its pages.
    DomainDestroyed,
    /// The bytes of an output buffer of a call, after it returned.
    Buffer {
        /// Which argument it was.
        argument: usize,
        /// The bytes, in hexadecimal.
        hex: String,
    },
    /// At the end: one page of the domain's memory, or of what is on its account and mapped
    /// nowhere. Pages of zeros are only counted.
    Memory {
        /// Where, if anywhere.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        page: Option<GuestPhysical>,
        /// The frame.
        frame: Frame,
        /// Digest of its bytes.
        digest: Digest,
    },
    /// At the end: how much memory the domain has.
    MemoryTotal {
        /// Pages mapped.
        pages: usize,
        /// Those that are all zero.
        zero: usize,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// Adjacent pages of a guest-physical space that lead to adjacent frames, with the same rights.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PageRange {
    /// The first page.
    pub page: GuestPhysical,
    /// The frame that it leads to.
    pub frame: Frame,
    /// How many pages.
    pub pages: u64,
    /// What the mapping allows.
    pub rights: Rights,
}

impl PageRange {
    /// Whether a page is the next of the range.
    pub(crate) fn goes_on_with(&self, page: GuestPhysical, to: Mapping) -> bool {
        let next_page =
            self.pages.checked_mul(PAGE_SIZE).and_then(|size| self.page.0.checked_add(size));
        next_page == Some(page.0)
            && u64::from(self.frame.0).checked_add(self.pages) == Some(to.frame.0.into())
            && self.rights == to.rights
    }

    /// As few ranges as these pages make, which are in the order of their addresses.
    pub(crate) fn of(pages: impl IntoIterator<Item = (GuestPhysical, Mapping)>) -> Vec<Self> {
        let mut ranges: Vec<Self> = Vec::new();
        for (page, to) in pages {
            match ranges.last_mut() {
                Some(last) if last.goes_on_with(page, to) => last.pages += 1,
                _ => {
                    let Mapping { frame, rights } = to;
                    ranges.push(Self { page, frame, pages: 1, rights });
                }
            }
        }
        ranges
    }
}

impl EventKind {
    /// The word that the log calls it by.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::DomainCreated { .. } => "domain_created",
            Self::DomainNamed { .. } => "domain_named",
            Self::Loaded { .. } => "loaded",
            Self::LoadFailed { .. } => "load_failed",
            Self::Built { .. } => "built",
            Self::ThreadStarted => "thread_started",
            Self::Call { .. } => "call",
            Self::Return { .. } => "return",
            Self::Hypercall { .. } => "hypercall",
            Self::Completed { .. } => "completed",
            Self::Message { .. } => "message",
            Self::Signalled { .. } => "signalled",
            Self::ThreadCreated { .. } => "thread_created",
            Self::ThreadSuspended { .. } => "thread_suspended",
            Self::ThreadResumed { .. } => "thread_resumed",
            Self::Faulted { .. } => "faulted",
            Self::TimeAdvanced { .. } => "time_advanced",
            Self::Interrupt { .. } => "interrupt",
            Self::DeviceOutput { .. } => "device_output",
            Self::Port { .. } => "port",
            Self::Dumped { .. } => "dumped",
            Self::Mapped { .. } => "mapped",
            Self::Unmapped { .. } => "unmapped",
            Self::CapabilityAdded { .. } => "capability_added",
            Self::CapabilityRemoved { .. } => "capability_removed",
            Self::CapabilityDerived { .. } => "capability_derived",
            Self::LentReturned { .. } => "lent_returned",
            Self::Ended { .. } => "ended",
            Self::DomainDestroyed => "domain_destroyed",
            Self::Buffer { .. } => "buffer",
            Self::Memory { .. } => "memory",
            Self::MemoryTotal { .. } => "memory_total",
        }
    }
}

impl EventKind {
    /// What it added to the domain's console, if it did. A character may be split between two.
    pub fn written(&self) -> Option<Vec<u8>> {
        match self {
            Self::Hypercall {
                call: Some(Hypercall::ConsoleWrite | Hypercall::ConsolePut),
                text,
                bytes,
                status: Status::Ok,
                ..
            } => match (text, bytes) {
                (Some(text), _) => Some(Vec::from(text.as_bytes())),
                (None, Some(bytes)) => crate::hex::decode(bytes),
                (None, None) => None,
            },
            _ => None,
        }
    }
}

/// The first 16 bytes of a SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(value_type = String, pattern = "^[0-9a-f]{32}$"))]
pub struct Digest([u8; 16]);

impl Digest {
    /// The digest of the concatenation of `parts`.
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        use sha2::Digest as _;
        let mut hash = sha2::Sha256::new();
        for part in parts {
            hash.update(part);
        }
        Self(hash.finalize()[..16].try_into().expect("a SHA-256 has 32 bytes"))
    }
}

impl core::fmt::Display for Digest {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl core::fmt::Debug for Digest {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = crate::hex::decode(&text).and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| serde::de::Error::custom("a digest is 32 hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::Digest;
    use alloc::string::ToString;

    #[test]
    fn a_digest_is_the_start_of_the_sha256() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(
            Digest::of([b"a".as_slice(), b"bc"]).to_string(),
            "ba7816bf8f01cfea414140de5dae2223"
        );
    }
}
