//! Interrupts: binding, delivery, acknowledgement, and what ends a binding.

use super::{
    Bench, DomainId, EventKind, G, Hypercall, MAIN, PEER, PEER_DOMAIN, R, Rights, SERIAL,
    SERIAL_LINE, Status, TIMER, TIMER_LINE, W, bench, count, input, listen, out, poll,
};
use crate::abi::device;
use crate::capability::Object;

const NOTE: u64 = 14;

/// Has the timer run down in the next exit.
fn tick(bench: &mut Bench) {
    out(bench, TIMER, device::TIMER_COUNT, 4, 1);
    bench.done(MAIN, Hypercall::Yield, &[]);
}

fn acknowledge(bench: &mut Bench) -> Status {
    bench.call(MAIN, Hypercall::InterruptAcknowledge, &[TIMER_LINE])
}

fn notes(bench: &Bench) -> usize {
    count(bench, "interrupt")
}

#[test]
fn an_interrupt_signals_once_until_it_is_acknowledged() {
    let mut bench = bench();
    listen(&mut bench, TIMER_LINE, NOTE);
    assert_eq!(poll(&mut bench, NOTE), None);
    bench.refused(MAIN, Hypercall::InterruptAcknowledge, &[TIMER_LINE], Status::BadState);
    tick(&mut bench);
    assert_eq!((poll(&mut bench, NOTE), notes(&bench)), (Some(1), 1));
    // Two more while it is in service are one more afterwards.
    tick(&mut bench);
    tick(&mut bench);
    assert_eq!((poll(&mut bench, NOTE), notes(&bench)), (None, 1));
    assert_eq!(acknowledge(&mut bench), Status::Ok);
    assert_eq!((poll(&mut bench, NOTE), notes(&bench)), (Some(1), 2));
    assert_eq!(acknowledge(&mut bench), Status::Ok);
    assert_eq!((poll(&mut bench, NOTE), notes(&bench)), (None, 2));
    assert_eq!(acknowledge(&mut bench), Status::BadState);
    // The device still knows how often it was.
    assert_eq!(input(&mut bench, TIMER, device::TIMER_EXPIRED, 2), 3);
}

#[test]
fn it_carries_the_badge_that_it_was_bound_with() {
    let mut bench = bench();
    bench.done(MAIN, Hypercall::NotificationCreate, &[NOTE]);
    bench.done(MAIN, Hypercall::CapCopy, &[NOTE, 15, W, 0x80]);
    bench.done(MAIN, Hypercall::CapCopy, &[NOTE, 16, W, 0x20]);
    bench.done(MAIN, Hypercall::InterruptBind, &[TIMER_LINE, 15]);
    bench.done(MAIN, Hypercall::InterruptBind, &[SERIAL_LINE, 16]);
    tick(&mut bench);
    out(&mut bench, SERIAL, device::SERIAL_ENABLE, 1, 2);
    assert_eq!(poll(&mut bench, NOTE), Some(0xa0));
}

#[test]
fn a_disabled_line_keeps_its_interrupt() {
    let mut bench = bench();
    listen(&mut bench, TIMER_LINE, NOTE);
    bench.done(MAIN, Hypercall::InterruptDisable, &[TIMER_LINE]);
    tick(&mut bench);
    tick(&mut bench);
    assert_eq!((poll(&mut bench, NOTE), notes(&bench)), (None, 0));
    bench.done(MAIN, Hypercall::InterruptEnable, &[TIMER_LINE]);
    assert_eq!((poll(&mut bench, NOTE), notes(&bench)), (Some(1), 1));
    // In service and disabled: both must end.
    tick(&mut bench);
    bench.done(MAIN, Hypercall::InterruptDisable, &[TIMER_LINE]);
    assert_eq!(acknowledge(&mut bench), Status::Ok);
    assert_eq!(poll(&mut bench, NOTE), None);
    bench.done(MAIN, Hypercall::InterruptEnable, &[TIMER_LINE]);
    assert_eq!(poll(&mut bench, NOTE), Some(1));
    bench.done(MAIN, Hypercall::InterruptEnable, &[TIMER_LINE]);
    assert_eq!(notes(&bench), 2);
}

#[test]
fn what_came_before_anybody_listened_is_delivered_then() {
    let mut bench = bench();
    tick(&mut bench);
    tick(&mut bench);
    listen(&mut bench, TIMER_LINE, NOTE);
    assert_eq!((poll(&mut bench, NOTE), notes(&bench)), (Some(1), 1));
}

#[test]
fn a_line_has_one_listener_and_needs_rights() {
    let mut bench = bench();
    listen(&mut bench, TIMER_LINE, NOTE);
    let bind = Hypercall::InterruptBind;
    bench.refused(MAIN, bind, &[TIMER_LINE, NOTE], Status::Exists);
    bench.done(MAIN, Hypercall::NotificationCreate, &[15]);
    bench.refused(MAIN, bind, &[TIMER_LINE, 15], Status::Exists);
    // One notification can hear several lines.
    bench.done(MAIN, bind, &[SERIAL_LINE, NOTE]);

    bench.done(MAIN, bind, &[SERIAL_LINE, 0]);
    bench.done(MAIN, Hypercall::CapCopy, &[SERIAL_LINE, 20, W | G]);
    bench.done(MAIN, Hypercall::CapCopy, &[15, 21, R | G]);
    bench.refused(MAIN, bind, &[20, 15], Status::NotPermitted);
    bench.refused(MAIN, bind, &[SERIAL_LINE, 21], Status::NotPermitted);
    bench.refused(MAIN, bind, &[15, 15], Status::Invalid);
    bench.refused(MAIN, bind, &[SERIAL_LINE, SERIAL_LINE], Status::Invalid);
    bench.refused(MAIN, bind, &[SERIAL_LINE, 22], Status::NotFound);
    bench.refused(MAIN, bind, &[22, 15], Status::NotFound);
    bench.refused(MAIN, bind, &[1, 15], Status::Invalid);
    for call in [
        Hypercall::InterruptAcknowledge,
        Hypercall::InterruptEnable,
        Hypercall::InterruptDisable,
        Hypercall::InterruptBind,
    ] {
        bench.refused(MAIN, call, &[20], Status::NotPermitted);
        bench.refused(MAIN, call, &[15], Status::Invalid);
        bench.refused(MAIN, call, &[23], Status::NotFound);
    }
}

/// Whether the timer's line signals the notification in [`NOTE`] of `main`. It is in service
/// afterwards.
fn hears(bench: &mut Bench) -> bool {
    tick(bench);
    poll(bench, NOTE).is_some()
}

#[test]
fn unbinding_makes_the_line_as_new() {
    let mut bench = bench();
    listen(&mut bench, TIMER_LINE, NOTE);
    assert!(hears(&mut bench));
    tick(&mut bench);
    bench.done(MAIN, Hypercall::InterruptDisable, &[TIMER_LINE]);
    bench.done(MAIN, Hypercall::InterruptBind, &[TIMER_LINE, 0]);
    bench.done(MAIN, Hypercall::InterruptBind, &[TIMER_LINE, 0]);
    assert_eq!(acknowledge(&mut bench), Status::BadState);
    bench.done(MAIN, Hypercall::InterruptBind, &[TIMER_LINE, NOTE]);
    assert_eq!(poll(&mut bench, NOTE), None);
    assert!(hears(&mut bench));
}

#[test]
fn a_binding_goes_with_the_notification() {
    let mut bench = bench();
    listen(&mut bench, TIMER_LINE, NOTE);
    bench.done(MAIN, Hypercall::CapDelete, &[NOTE]);
    tick(&mut bench);
    assert_eq!(notes(&bench), 0);
    listen(&mut bench, TIMER_LINE, NOTE);
    assert_eq!(poll(&mut bench, NOTE), Some(1));
}

/// `peer` binds the timer's line, whose capability it was given, to a notification of `main`'s, and
/// then a capability goes.
fn binds_through_copies(call: Hypercall, slot: u64) -> bool {
    let mut bench = bench();
    bench.done(MAIN, Hypercall::NotificationCreate, &[NOTE]);
    bench.done(MAIN, Hypercall::CapGrant, &[PEER_DOMAIN, TIMER_LINE, 5, R]);
    bench.done(MAIN, Hypercall::CapGrant, &[PEER_DOMAIN, NOTE, 6, W]);
    bench.done(PEER, Hypercall::InterruptBind, &[5, 6]);
    bench.refused(MAIN, Hypercall::InterruptBind, &[TIMER_LINE, NOTE], Status::Exists);
    bench.done(MAIN, call, &[slot]);
    hears(&mut bench)
}

#[test]
fn a_binding_goes_with_each_of_its_capabilities() {
    assert!(!binds_through_copies(Hypercall::CapRevoke, TIMER_LINE));
    assert!(!binds_through_copies(Hypercall::CapRevoke, NOTE));
    // The original of a copy may go, and what has nothing to do with it.
    assert!(binds_through_copies(Hypercall::CapDelete, TIMER_LINE));
    assert!(binds_through_copies(Hypercall::CapRevoke, SERIAL_LINE));
}

#[test]
fn a_binding_goes_with_the_domain_that_made_it() {
    let mut bench = bench();
    bench.done(MAIN, Hypercall::NotificationCreate, &[NOTE]);
    bench.done(MAIN, Hypercall::CapGrant, &[PEER_DOMAIN, TIMER_LINE, 5, R]);
    bench.done(MAIN, Hypercall::CapGrant, &[PEER_DOMAIN, NOTE, 6, W]);
    bench.done(PEER, Hypercall::InterruptBind, &[5, 6]);
    bench.kernel.destroy_domain(DomainId(1)).unwrap();
    bench.audit();
    assert!(!hears(&mut bench));
    bench.done(MAIN, Hypercall::InterruptBind, &[TIMER_LINE, NOTE]);
    assert!(hears(&mut bench) || poll(&mut bench, NOTE).is_some());
}

#[test]
fn a_binding_follows_its_capabilities() {
    let mut bench = bench();
    listen(&mut bench, TIMER_LINE, NOTE);
    bench.done(MAIN, Hypercall::CapMove, &[TIMER_LINE, 20, R]);
    bench.done(MAIN, Hypercall::CapCopy, &[20, TIMER_LINE, R]);
    bench.done(MAIN, Hypercall::CapCopy, &[NOTE, 21, R]);
    bench.done(MAIN, Hypercall::CapMove, &[NOTE, 22, 31]);
    bench.done(MAIN, Hypercall::CapMove, &[21, NOTE, 31]);
    // The places where they were mean nothing now.
    assert!(hears(&mut bench));
    assert_eq!(acknowledge(&mut bench), Status::Ok);
    bench.done(MAIN, Hypercall::CapDelete, &[TIMER_LINE]);
    assert!(hears(&mut bench));
    bench.done(MAIN, Hypercall::InterruptAcknowledge, &[20]);
    // Without the right it could not have been bound.
    bench.done(MAIN, Hypercall::CapMove, &[22, 23, R]);
    assert!(!hears(&mut bench));
}

#[test]
fn a_line_that_nobody_can_name_is_as_new() {
    let mut bench = bench();
    let line = Object::Interrupt(device::TIMER_INTERRUPT);
    bench.done(MAIN, Hypercall::InterruptDisable, &[TIMER_LINE]);
    for slot in bench.kernel.capabilities.holders(line) {
        let removed = bench.kernel.capabilities.delete(slot).unwrap();
        bench.kernel.settle(removed);
    }
    let space = crate::capability::SpaceId::Domain(DomainId(0));
    let slot = crate::capability::Slot { space, number: TIMER_LINE };
    bench.kernel.add_root(slot, line, Rights::ALL).unwrap();
    listen(&mut bench, TIMER_LINE, NOTE);
    assert!(hears(&mut bench));
}

#[test]
fn a_line_without_a_device_is_silent() {
    let mut bench = bench();
    bench.kernel.give_interrupt(DomainId(0), 20, 255, Rights::ALL).unwrap();
    listen(&mut bench, 20, NOTE);
    assert!(!hears(&mut bench));
    bench.refused(MAIN, Hypercall::InterruptAcknowledge, &[20], Status::BadState);
}

#[test]
fn the_serial_port_asks_until_it_is_served() {
    let mut bench = bench();
    listen(&mut bench, SERIAL_LINE, NOTE);
    bench.kernel.serial_input(b"ab");
    assert_eq!(poll(&mut bench, NOTE), None);
    out(&mut bench, SERIAL, device::SERIAL_ENABLE, 1, 1);
    assert_eq!(poll(&mut bench, NOTE), Some(1));
    assert_eq!(input(&mut bench, SERIAL, device::SERIAL_DATA, 1), 0x61);
    // One byte is left, so it asks again.
    bench.done(MAIN, Hypercall::InterruptAcknowledge, &[SERIAL_LINE]);
    assert_eq!(poll(&mut bench, NOTE), Some(1));
    assert_eq!(input(&mut bench, SERIAL, device::SERIAL_DATA, 1), 0x62);
    bench.done(MAIN, Hypercall::InterruptAcknowledge, &[SERIAL_LINE]);
    assert_eq!(poll(&mut bench, NOTE), None);
    assert_eq!(bench.kernel.serial_input(b"c"), 1);
    assert_eq!(poll(&mut bench, NOTE), Some(1));
}

#[test]
fn an_empty_transmitter_is_told_once_for_each_byte() {
    let mut bench = bench();
    listen(&mut bench, SERIAL_LINE, NOTE);
    out(&mut bench, SERIAL, device::SERIAL_DATA, 1, 0x41);
    assert_eq!(poll(&mut bench, NOTE), None);
    out(&mut bench, SERIAL, device::SERIAL_ENABLE, 1, 2);
    assert_eq!(poll(&mut bench, NOTE), Some(1));
    assert_eq!(input(&mut bench, SERIAL, device::SERIAL_CAUSE, 1), 2);
    bench.done(MAIN, Hypercall::InterruptAcknowledge, &[SERIAL_LINE]);
    assert_eq!(poll(&mut bench, NOTE), None);
    out(&mut bench, SERIAL, device::SERIAL_DATA, 1, 0x42);
    assert_eq!(poll(&mut bench, NOTE), Some(1));
    assert_eq!(bench.kernel.serial_output(), b"AB");
}

#[test]
fn an_interrupt_is_its_listeners_event() {
    let mut bench = bench();
    bench.done(MAIN, Hypercall::NotificationCreate, &[NOTE]);
    bench.done(MAIN, Hypercall::CapGrant, &[PEER_DOMAIN, TIMER_LINE, 5, R]);
    bench.done(MAIN, Hypercall::CapGrant, &[PEER_DOMAIN, NOTE, 6, W]);
    bench.done(PEER, Hypercall::InterruptBind, &[5, 6]);
    tick(&mut bench);
    let at = bench.kernel.events().iter().position(|event| event.kind.word() == "interrupt");
    let events = &bench.kernel.events()[at.unwrap()..];
    assert_eq!((events[0].domain, events[0].thread), (DomainId(1), None));
    assert_eq!(events[0].kind, EventKind::Interrupt { line: 0 });
    assert_eq!(events[1].kind.word(), "signalled");
}
