//! Why a thread stopped running: what a backend reports, and what the model makes
//! of it.

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::address::{GuestPhysical, GuestVirtual};

/// The kind of a memory access.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// A load.
    Read,
    /// A store, or a load that is part of a read-modify-write.
    Write,
    /// An instruction fetch.
    Execute,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Execute => "execute",
        })
    }
}

/// Why [`crate::arch::Arch::run`] returned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Exit {
    /// The thread wrote `number` to [`crate::abi::HYPERCALL_PORT`]. `rip` is past
    /// the instruction.
    Hypercall {
        /// The value written, zero-extended from the width of the write.
        number: u32,
    },
    /// The function that the thread was started on returned: the gate at its
    /// return address wrote to [`crate::abi::RETURN_PORT`]. The result is in `rax`;
    /// `rip` is past the gate's instruction.
    Return,
    /// The domain's page tables allowed an access that its guest-physical space
    /// does not: nothing is mapped at `address`, or not with that right. State is
    /// as before the instruction.
    Fault {
        /// The refused guest-physical address, to the byte.
        address: GuestPhysical,
        /// The guest-virtual address that led to it.
        from: GuestVirtual,
        /// What was attempted.
        access: Access,
    },
    /// The processor raised an exception. State is as the manual says for the
    /// vector: before the instruction for a fault, after it for a trap.
    Exception {
        /// 0 to 31 (Intel SDM vol. 3, 6.3.1).
        vector: u8,
        /// The error code, 0 for the vectors that have none.
        code: u32,
        /// CR2, for a page fault.
        address: Option<GuestVirtual>,
    },
    /// The thread used a port its bitmap allows in a way that means nothing: `in`, or
    /// a gate's port from somewhere that is not the gate. `rip` is past it.
    Port {
        /// The port.
        port: u16,
    },
    /// Somebody called [`crate::arch::Kick::kick`].
    Kicked,
    /// The budget was used up (only on backends that count).
    Budget,
    /// The backend cannot go on: the instruction is unknown to it, or what it does is
    /// outside the contract (reads the clock, say). Nothing after this point may be
    /// compared.
    Unsupported {
        /// The instruction, as an assembler would print it, or the host's answer.
        what: String,
        /// The address of the instruction.
        at: GuestVirtual,
    },
    /// The processor shut down (a fault while delivering a fault).
    Shutdown,
}

/// Why a thread was ended from outside its own will. The first reason sticks.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum KillReason {
    /// Its processor raised an exception.
    Exception {
        /// The vector (Intel SDM vol. 3, 6.3.1).
        vector: u8,
        /// The error code, 0 where the vector has none.
        code: u32,
        /// For a page fault, the address that was accessed.
        address: Option<GuestVirtual>,
    },
    /// It accessed memory that it has no capability for.
    Fault {
        /// The address it used.
        address: GuestVirtual,
        /// Where its page tables lead from there.
        guest_physical: GuestPhysical,
        /// What it tried.
        access: Access,
    },
    /// It called or touched an import that no module provides.
    Unprovided {
        /// The import.
        symbol: String,
        /// What it tried: a call is an execute.
        access: Access,
    },
    /// It used a gate's port without going through the gate.
    Port {
        /// The port.
        port: u16,
    },
    /// It needs something that a backend cannot do, or whose result differs between hosts.
    Unsupported {
        /// The instruction, or the host's answer.
        what: String,
    },
    /// Its processor shut down.
    Shutdown,
    /// It was a host thread, and its code broke down.
    Panicked {
        /// What it said.
        message: String,
    },
    /// Somebody asked for it from outside.
    Killed,
    /// A thread asked for it, by a hypercall.
    Terminated,
    /// The run's limit of instructions, events or time was reached.
    Timeout,
    /// Its domain was destroyed.
    Destroyed,
    /// The run is over, and it was waiting for something that nobody is left to do.
    Stuck,
}

impl KillReason {
    /// Whether the thread was stopped at a moment that depends on the host's speed, so that its
    /// registers and memory say nothing.
    pub const fn is_asynchronous(&self) -> bool {
        matches!(self, Self::Killed | Self::Timeout)
    }
}

/// How a thread ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum End {
    /// By itself.
    Exit(Exited),
    /// Not by itself.
    Killed(KillReason),
}

/// The value a thread ended itself with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "reason", rename = "exit")]
pub struct Exited {
    /// What it passed to the exit hypercall, or what its last function returned.
    pub value: i64,
}

#[cfg(feature = "schema")]
impl utoipa::PartialSchema for Exited {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::schema::{ObjectBuilder, Type};
        // The derived one would not say what tells it from other ends.
        ObjectBuilder::new()
            .description(Some("The value a thread ended itself with"))
            .property(
                "reason",
                ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["exit"])),
            )
            .property("value", i64::schema())
            .required("reason")
            .required("value")
            .into()
    }
}

#[cfg(feature = "schema")]
impl utoipa::ToSchema for Exited {}

impl End {
    /// The word by which logs, reports and world files call this kind of end.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Exit(_) => "exit",
            Self::Killed(reason) => match reason {
                KillReason::Exception { .. } => "exception",
                KillReason::Fault { .. } => "fault",
                KillReason::Unprovided { .. } => "unprovided",
                KillReason::Port { .. } => "port",
                KillReason::Unsupported { .. } => "unsupported",
                KillReason::Shutdown => "shutdown",
                KillReason::Panicked { .. } => "panicked",
                KillReason::Killed => "killed",
                KillReason::Terminated => "terminated",
                KillReason::Timeout => "timeout",
                KillReason::Destroyed => "destroyed",
                KillReason::Stuck => "stuck",
            },
        }
    }

    /// Every word that [`End::word`] can say.
    pub const WORDS: [&'static str; 13] = [
        "exit",
        "exception",
        "fault",
        "unprovided",
        "port",
        "unsupported",
        "shutdown",
        "panicked",
        "killed",
        "terminated",
        "timeout",
        "destroyed",
        "stuck",
    ];

    /// See [`KillReason::is_asynchronous`].
    pub const fn is_asynchronous(&self) -> bool {
        matches!(self, Self::Killed(reason) if reason.is_asynchronous())
    }
}

/// The short name of an exception vector, as the manuals write it.
pub const fn exception_name(vector: u8) -> &'static str {
    const NAMES: [&str; 22] = [
        "#DE",
        "#DB",
        "NMI",
        "#BP",
        "#OF",
        "#BR",
        "#UD",
        "#NM",
        "#DF",
        "vector 9",
        "#TS",
        "#NP",
        "#SS",
        "#GP",
        "#PF",
        "vector 15",
        "#MF",
        "#AC",
        "#MC",
        "#XM",
        "#VE",
        "#CP",
    ];
    if (vector as usize) < NAMES.len() { NAMES[vector as usize] } else { "reserved vector" }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = match self {
            Self::Exit(Exited { value }) => return write!(f, "exited with {value}"),
            Self::Killed(reason) => reason,
        };
        match reason {
            KillReason::Exception { vector, code, address } => {
                write!(f, "exception {}", exception_name(*vector))?;
                match address {
                    Some(address) => write!(f, ", code {code:#x}, at {address}"),
                    None if *code != 0 => write!(f, ", code {code:#x}"),
                    None => Ok(()),
                }
            }
            KillReason::Fault { address, guest_physical, access } => {
                write!(f, "no capability to {access} {address} (guest-physical {guest_physical})")
            }
            KillReason::Unprovided { symbol, access: Access::Execute } => {
                write!(f, "called `{symbol}`, which nothing provides")
            }
            KillReason::Unprovided { symbol, access } => {
                write!(f, "tried to {access} `{symbol}`, which nothing provides")
            }
            KillReason::Port { port } => write!(f, "misused port {port:#x}"),
            KillReason::Unsupported { what } => write!(f, "unsupported: {what}"),
            KillReason::Shutdown => f.write_str("processor shut down"),
            KillReason::Panicked { message } => write!(f, "panicked: {message}"),
            KillReason::Killed => f.write_str("killed"),
            KillReason::Terminated => f.write_str("ended by a thread"),
            KillReason::Timeout => {
                f.write_str("the run reached its limit of instructions, events or time")
            }
            KillReason::Destroyed => f.write_str("domain destroyed"),
            KillReason::Stuck => f.write_str("waited for something that nobody could do any more"),
        }
    }
}
