//! Which rights hypercalls need.

use crate::abi::Hypercall;
use crate::rights::Rights;

/// The rights that the capability must have that an argument names, any of which will do: a call
/// needs grant or call.
pub(super) fn needed(call: Hypercall, argument: usize, arguments: &[u64]) -> Need {
    use Hypercall as H;
    let name = call.arguments().get(argument).copied().unwrap_or_default();
    let rights_of = |at: usize| arguments.get(at).copied().and_then(Rights::from_bits);
    let all = match (call, name) {
        (H::DomainInspect | H::QuotaGet, "domain") => Rights::READ,
        // Whose capabilities stay is a question about a domain, and changes nothing in it.
        (H::CapRevokeUntil, "domain") => Rights::NONE,
        (_, "domain") => Rights::WRITE,
        (H::CapGrant | H::MemoryGrantAndMap, "from") => Rights::GRANT,
        (H::SyncReceive | H::SyncPollReceive | H::SyncReplyReceive, "endpoint") => Rights::READ,
        (H::EndpointCancel, "endpoint") => Rights::READ | Rights::WRITE,
        (H::SyncSend | H::SyncPollSend, "endpoint") => Rights::WRITE,
        (H::SyncCall | H::FaultBind, "endpoint") => {
            return Need { all: Rights::WRITE, any: Rights::GRANT | Rights::CALL };
        }
        (H::NotificationSignal, "slot") => Rights::WRITE,
        (H::NotificationWait | H::NotificationPoll | H::NotificationBind, "slot") => Rights::READ,
        (H::PageMap, "slot") => rights_of(2).unwrap_or_default(),
        (H::DeviceMap, "slot") => rights_of(3).unwrap_or_default(),
        (H::DeviceAssign | H::DeviceRelease | H::PortWrite, "ports") => Rights::WRITE,
        (H::PortRead, "ports") | (_, "interrupt") => Rights::READ,
        (H::InterruptBind, "notification") => Rights::WRITE,
        _ => Rights::NONE,
    };
    Need { all, any: Rights::NONE }
}

/// Rights that something needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Need {
    /// All of these.
    pub(super) all: Rights,
    /// And one of these, if there are any.
    pub(super) any: Rights,
}

impl Need {
    /// The first of them that is missing.
    pub(super) fn missing(self, rights: Rights) -> Option<Rights> {
        let singles = [Rights::READ, Rights::WRITE, Rights::EXECUTE, Rights::GRANT, Rights::CALL];
        let lacks = |right: &Rights| self.all.contains(*right) && !rights.contains(*right);
        let first = singles.into_iter().find(lacks);
        let has_one = self.any.is_empty() || !(self.any & rights).is_empty();
        first.or((!has_one).then_some(Rights::CALL))
    }
}
