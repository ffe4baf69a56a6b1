//! From what KVM says to what it means, as far as that follows from the exit alone.
//!
//! Everything here is a pure function: the hot exit ([`Step::Hypercall`]) needs nothing
//! else, and the cold ones are completed by [`mod@super::explain`].

use std::io;

use kvm_bindings::{KVM_EXIT_SHUTDOWN, KVM_INTERNAL_ERROR_EMULATION};
use shared_model::abi::{EXCEPTION_PORT, EXCEPTION_VECTORS, HYPERCALL_PORT, RETURN_PORT};

/// What one `KVM_RUN` reported, copied out of the run page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Raw {
    Io { out: bool, port: u16, count: u32, data: u32 },
    Mmio { address: u64, write: bool },
    MemoryFault,
    Internal { suberror: u32 },
    Other { reason: u32 },
}

/// What it means for the thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing happened: enter the guest again.
    Again,
    /// Somebody kicked.
    Kicked,
    Hypercall(u32),
    /// A write to the return gate's port.
    Return,
    /// A write to the port of a vector's gate.
    Gate(u8),
    /// Another use of a port. `input` says that the thread waits for data.
    Port {
        port: u16,
        input: bool,
    },
    /// An access the host did not allow. `known` is its address, if KVM told it, and `host`
    /// the host's words.
    Refused {
        known: Option<(u64, bool)>,
        host: &'static str,
    },
    Shutdown,
    /// The host cannot go on.
    Stopped(String),
}

/// The meaning of a `KVM_RUN` that returned without an error.
pub(crate) fn meaning(raw: Raw) -> Step {
    match raw {
        Raw::Io { out: true, count: 1, port: HYPERCALL_PORT, data } => Step::Hypercall(data),
        Raw::Io { out: true, count: 1, port: RETURN_PORT, .. } => Step::Return,
        Raw::Io { out: true, count: 1, port, .. } if gate_of(port).is_some() => {
            Step::Gate(gate_of(port).unwrap_or_default())
        }
        Raw::Io { out, port, .. } => Step::Port { port, input: !out },
        Raw::Mmio { address, write } => {
            Step::Refused { known: Some((address, write)), host: "KVM_EXIT_MMIO" }
        }
        Raw::MemoryFault => Step::Refused { known: None, host: "KVM_EXIT_MEMORY_FAULT" },
        // The kernel's instruction emulator gave up: a fetch it was not allowed, or an
        // instruction that it does not know.
        Raw::Internal { suberror: KVM_INTERNAL_ERROR_EMULATION } => {
            Step::Refused { known: None, host: "KVM cannot emulate the instruction" }
        }
        Raw::Internal { suberror } => {
            Step::Stopped(format!("KVM_EXIT_INTERNAL_ERROR, suberror {suberror}"))
        }
        Raw::Other { reason: KVM_EXIT_SHUTDOWN } => Step::Shutdown,
        Raw::Other { reason } => Step::Stopped(format!("KVM exit reason {reason}")),
    }
}

/// The meaning of a `KVM_RUN` that returned an error.
pub(crate) fn failure(error: &io::Error) -> Step {
    match error.raw_os_error() {
        // A signal or `immediate_exit`; and KVM's own wish to be called again.
        Some(libc::EINTR | libc::EAGAIN) => Step::Again,
        // api.rst, KVM_RUN: a guest access to a host address that the process may not access.
        Some(libc::EFAULT) => Step::Refused { known: None, host: "KVM_RUN failed with EFAULT" },
        _ => Step::Stopped(format!("KVM_RUN failed: {error}")),
    }
}

fn gate_of(port: u16) -> Option<u8> {
    let vector = port.checked_sub(EXCEPTION_PORT).filter(|&vector| vector < EXCEPTION_VECTORS)?;
    u8::try_from(vector).ok()
}

#[cfg(test)]
mod tests {
    use super::{Raw, Step, failure, meaning};
    use shared_model::abi::{EXCEPTION_PORT, HYPERCALL_PORT, RETURN_PORT};
    use std::io;

    fn out(port: u16, data: u32) -> Raw {
        Raw::Io { out: true, port, count: 1, data }
    }

    #[test]
    fn gates_have_their_ports_and_every_other_port_use_is_named() {
        assert_eq!(meaning(out(HYPERCALL_PORT, 77)), Step::Hypercall(77));
        assert_eq!(meaning(out(RETURN_PORT, 0)), Step::Return);
        assert_eq!(meaning(out(EXCEPTION_PORT, 0)), Step::Gate(0));
        assert_eq!(meaning(out(EXCEPTION_PORT + 31, 0)), Step::Gate(31));
        for port in [0, EXCEPTION_PORT - 1, HYPERCALL_PORT + 1, RETURN_PORT + 1, u16::MAX] {
            assert_eq!(meaning(out(port, 0)), Step::Port { port, input: false });
        }
    }

    #[test]
    fn input_and_string_output_are_never_gates() {
        for port in [EXCEPTION_PORT, HYPERCALL_PORT, RETURN_PORT] {
            let input = Raw::Io { out: false, port, count: 1, data: 0 };
            assert_eq!(meaning(input), Step::Port { port, input: true });
            let string = Raw::Io { out: true, port, count: 2, data: 0 };
            assert_eq!(meaning(string), Step::Port { port, input: false });
        }
    }

    #[test]
    fn refusals_keep_what_is_known_of_the_address() {
        let mmio = meaning(Raw::Mmio { address: 0x9000_0000, write: true });
        assert!(matches!(mmio, Step::Refused { known: Some((0x9000_0000, true)), .. }));
        assert!(matches!(meaning(Raw::MemoryFault), Step::Refused { known: None, .. }));
        assert!(matches!(
            meaning(Raw::Internal { suberror: 1 }),
            Step::Refused { known: None, .. }
        ));
        let bad_address = failure(&io::Error::from_raw_os_error(libc::EFAULT));
        assert!(matches!(bad_address, Step::Refused { known: None, .. }));
    }

    #[test]
    fn interruptions_are_nothing_and_the_rest_stops_with_its_name() {
        for errno in [libc::EINTR, libc::EAGAIN] {
            assert_eq!(failure(&io::Error::from_raw_os_error(errno)), Step::Again);
        }
        assert_eq!(meaning(Raw::Other { reason: 8 }), Step::Shutdown);
        for (step, word) in [
            (failure(&io::Error::from_raw_os_error(libc::EIO)), "KVM_RUN failed"),
            (meaning(Raw::Internal { suberror: 3 }), "suberror 3"),
            (meaning(Raw::Other { reason: 9 }), "reason 9"),
        ] {
            assert!(matches!(&step, Step::Stopped(text) if text.contains(word)), "{step:?}");
        }
    }
}
