//! Interrupts: from a device's line to a notification.
//!
//! ```text
//!          raised                        delivered                acknowledged
//! idle ──────────────► pending ─────────────────────► in service ─────────────► idle
//!                         │  only if bound, enabled      │
//!                         │  and not in service          └─ raised meanwhile: pending as well
//! ```
//!
//! Delivering signals the notification, once, and then the line waits for the acknowledgement: a
//! driver that does not keep up is not flooded, and a device whose driver is gone ends nowhere.

use crate::abi::{Hypercall, Status, device};
use crate::arch::Arch;
use crate::capability::{NotificationId, Slot, SpaceId};
use crate::domain::{DomainId, Wait};
use crate::event::EventKind;
use crate::microkernel::Microkernel;
use crate::microkernel::hypercall::{Answer, Outcome, Request};
use crate::rights::Rights;

/// An interrupt line.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    binding: Option<Binding>,
    is_disabled: bool,
    /// It was delivered and not acknowledged.
    is_in_service: bool,
    /// It was raised and not delivered.
    is_pending: bool,
}

/// What a line signals.
#[derive(Clone, Debug)]
struct Binding {
    notification: NotificationId,
    bits: u64,
    /// The capabilities that it was bound with: it lives no longer than they do.
    interrupt: Slot,
    signal: Slot,
}

impl Line {
    const fn is_deliverable(&self) -> bool {
        self.binding.is_some() && !self.is_disabled && !self.is_in_service
    }

    /// The capabilities that it was bound with, and the rights that that took.
    #[cfg(test)]
    pub(super) fn through(&self) -> impl Iterator<Item = (Slot, Rights)> + '_ {
        let binding = self.binding.iter();
        binding.flat_map(|b| [(b.interrupt, Rights::READ), (b.signal, Rights::WRITE)])
    }

    #[cfg(test)]
    pub(super) fn signals(&self, notification: NotificationId) -> bool {
        self.binding.as_ref().is_some_and(|binding| binding.notification == notification)
    }

    /// One of the capabilities that it was bound with has moved.
    pub(super) fn follow(&mut self, from: Slot, to: Slot) {
        let Some(binding) = &mut self.binding else { return };
        for slot in [&mut binding.interrupt, &mut binding.signal] {
            if *slot == from {
                *slot = to;
            }
        }
    }
}

impl<A: Arch> Microkernel<A> {
    /// Something happened that a device announces once.
    pub(super) fn raise(&mut self, line: u8) {
        self.devices.lines.entry(line).or_default().is_pending = true;
        self.deliver_interrupt(line);
    }

    /// Whether a line wants to be delivered: something happened, or its device goes on asking.
    fn is_raised(&self, line: u8, state: &Line) -> bool {
        state.is_pending || line == device::SERIAL_INTERRUPT && self.devices.serial.is_asserted()
    }

    /// Delivers a line that is raised, if it can be.
    pub(super) fn deliver_interrupt(&mut self, line: u8) {
        let Some(state) = self.devices.lines.get(&line) else { return };
        let raised = state.is_deliverable() && self.is_raised(line, state);
        let Some(binding) = state.binding.as_ref().filter(|_| raised) else { return };
        let (notification, bits) = (binding.notification, binding.bits);
        let domain = match binding.interrupt.space {
            SpaceId::Domain(domain) => domain,
            _ => DomainId(0),
        };
        let state = self.devices.lines.entry(line).or_default();
        (state.is_pending, state.is_in_service) = (false, true);
        self.record(domain, None, EventKind::Interrupt { line });
        self.signal(notification, bits);
    }

    /// Whether a line would end somebody's wait if it were raised.
    pub(super) fn is_awaited(&self, line: u8) -> bool {
        let state = self.devices.lines.get(&line).filter(|state| state.is_deliverable());
        let Some(binding) = state.and_then(|state| state.binding.as_ref()) else { return false };
        let notification = &self.notifications[&binding.notification];
        let receives = |thread| {
            let waiting = self.thread(thread).waiting.as_ref();
            waiting.is_some_and(|waiting| matches!(waiting.wait, Wait::Receive { .. }))
        };
        !notification.waiters.is_empty() || notification.bound.is_some_and(receives)
    }

    /// Makes a line as it was in the beginning.
    pub(in crate::microkernel) fn reset_line(&mut self, line: u8) {
        let Some(Line { binding: Some(Binding { notification, .. }), .. }) =
            self.devices.lines.remove(&line)
        else {
            return;
        };
        let bound = self.devices.lines.values().filter_map(|line| line.binding.as_ref());
        let still = bound.into_iter().any(|binding| binding.notification == notification);
        if let Some(notification) = self.notifications.get_mut(&notification) {
            notification.is_bound_to_device = still;
        }
        // Whoever waits for it may do so in vain now.
        self.peers_changed = true;
    }

    fn reset_lines(&mut self, which: impl Fn(&Binding) -> bool) {
        let bound = |(&line, state): (&u8, &Line)| {
            state.binding.as_ref().is_some_and(&which).then_some(line)
        };
        let lines: alloc::vec::Vec<_> = self.devices.lines.iter().filter_map(bound).collect();
        lines.into_iter().for_each(|line| self.reset_line(line));
    }

    /// A notification is gone: no interrupt signals it any more.
    pub(in crate::microkernel) fn unbind_interrupts(&mut self, notification: NotificationId) {
        self.reset_lines(|binding| binding.notification == notification);
    }

    /// A capability is gone: so is what was bound with it.
    pub(super) fn unbind_through(&mut self, slot: Slot) {
        self.reset_lines(|binding| binding.interrupt == slot || binding.signal == slot);
    }

    pub(in crate::microkernel) fn interrupt_bind(&mut self, request: &Request) -> Answer {
        let interrupt = self.slot_argument(request, 0)?;
        let line = self.capabilities.interrupt(interrupt, Rights::READ)?;
        if request.arguments[1] == 0 {
            self.reset_line(line);
            return Ok(Outcome::Done);
        }
        let signal = self.slot_argument(request, 1)?;
        let notification = self.capabilities.notification(signal, Rights::WRITE)?;
        let bits = self.capabilities.lookup(signal)?.badge.max(1);
        let state = self.devices.lines.entry(line).or_default();
        if state.binding.is_some() {
            return Err(Status::Exists);
        }
        state.binding = Some(Binding { notification, bits, interrupt, signal });
        self.notification_mut(notification).is_bound_to_device = true;
        self.deliver_interrupt(line);
        Ok(Outcome::Done)
    }

    pub(in crate::microkernel) fn interrupt_acknowledge(&mut self, request: &Request) -> Answer {
        let slot = self.slot_argument(request, 0)?;
        let line = self.capabilities.interrupt(slot, Rights::READ)?;
        match self.devices.lines.get_mut(&line) {
            Some(state) if state.is_in_service => state.is_in_service = false,
            _ => return Err(Status::BadState),
        }
        self.deliver_interrupt(line);
        Ok(Outcome::Done)
    }

    pub(in crate::microkernel) fn interrupt_enable(&mut self, request: &Request) -> Answer {
        let slot = self.slot_argument(request, 0)?;
        let line = self.capabilities.interrupt(slot, Rights::READ)?;
        let state = self.devices.lines.entry(line).or_default();
        state.is_disabled = request.call == Hypercall::InterruptDisable;
        self.deliver_interrupt(line);
        Ok(Outcome::Done)
    }
}
