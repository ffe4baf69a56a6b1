//! Devices: ports, interrupts, time, and what a device does to memory by itself.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::{Bench, G, MAIN, PEER, R, W};
use crate::abi::{Hypercall, Status, device, utcb};
use crate::capability::{Object, Place, Ports};
use crate::domain::DomainId;
use crate::event::EventKind;
use crate::microkernel::Microkernel;
use crate::microkernel::scripted::Scripted;
use crate::rights::Rights;

mod interrupts;
mod iommu;
mod ports;
mod random;
mod time;

/// What `main` has in its slots; `peer` has nothing but capabilities that it is given.
const TIMER: u64 = 10;
const SERIAL: u64 = 11;
const TIMER_LINE: u64 = 12;
const SERIAL_LINE: u64 = 13;
const PEER_DOMAIN: u64 = 26;

const TIMER_PORTS: Ports = Ports { first: device::TIMER_FIRST, last: device::TIMER_LAST };
const SERIAL_PORTS: Ports = Ports { first: device::SERIAL_FIRST, last: device::SERIAL_LAST };

const WORLD: &str = r#"
name = "devices"
[limits]
pages = 400
[[domain]]
name = "main"
module = "m"
caps = [{ slot = 26, object = "peer", rights = "rwg" }]
[[domain]]
name = "peer"
module = "m"
"#;

/// Nothing else is there to act.
const ALONE: &str = r#"
name = "alone"
[limits]
pages = 200
[[domain]]
name = "main"
module = "m"
"#;

fn bench_of(world: &str) -> Bench {
    let mut bench = Bench::new(world);
    let main = DomainId(0);
    let kernel = &mut bench.kernel;
    kernel.give_ports(main, TIMER, TIMER_PORTS, Rights::ALL).unwrap();
    kernel.give_ports(main, SERIAL, SERIAL_PORTS, Rights::ALL).unwrap();
    kernel.give_interrupt(main, TIMER_LINE, device::TIMER_INTERRUPT, Rights::ALL).unwrap();
    kernel.give_interrupt(main, SERIAL_LINE, device::SERIAL_INTERRUPT, Rights::ALL).unwrap();
    bench.audit();
    bench
}

fn bench() -> Bench {
    bench_of(WORLD)
}

/// Writes a port through a capability.
#[track_caller]
fn out(bench: &mut Bench, slot: u64, port: u16, width: u64, value: u32) {
    bench.done(MAIN, Hypercall::PortWrite, &[slot, port.into(), width, value.into()]);
}

/// Reads one.
#[track_caller]
fn input(bench: &mut Bench, slot: u64, port: u16, width: u64) -> u64 {
    bench.done(MAIN, Hypercall::PortRead, &[slot, port.into(), width]);
    bench.word(MAIN, utcb::MESSAGE + 8)
}

/// Takes what a notification of `main` has.
#[track_caller]
fn poll(bench: &mut Bench, slot: u64) -> Option<u64> {
    match bench.call(MAIN, Hypercall::NotificationPoll, &[slot]) {
        Status::Ok => Some(bench.word(MAIN, utcb::MESSAGE + 8)),
        Status::WouldBlock => None,
        status => panic!("{status:?}"),
    }
}

/// A notification in a slot, bound to a line.
#[track_caller]
fn listen(bench: &mut Bench, line: u64, slot: u64) {
    bench.done(MAIN, Hypercall::NotificationCreate, &[slot]);
    bench.done(MAIN, Hypercall::InterruptBind, &[line, slot]);
}

/// How often a kind of event is in the log.
fn count(bench: &Bench, word: &str) -> usize {
    bench.kernel.events().iter().filter(|event| event.kind.word() == word).count()
}

/// The last event of the devices' or ports' own.
fn last_of<'a>(bench: &'a Bench, word: &str) -> Option<&'a EventKind> {
    bench.kernel.events().iter().map(|event| &event.kind).rfind(|kind| kind.word() == word)
}

/// What must hold of devices between any two steps.
pub(super) fn audit(kernel: &Microkernel<Scripted>) {
    let mut wanted = BTreeMap::new();
    let mut ports: BTreeMap<DomainId, u32> = BTreeMap::new();
    for (slot, capability) in kernel.capabilities.iter() {
        if let Some(Place::Device { domain, page }) = capability.mapped {
            assert!(kernel.domains.contains_key(&domain), "an I/O space outlives {domain:?}");
            let old = wanted.insert((domain, page), (slot, capability.object));
            assert_eq!(old, None, "two capabilities claim {page:#x} of {domain:?}");
        }
        if let (crate::capability::SpaceId::Domain(domain), Object::Ports(_)) =
            (slot.space, capability.object)
        {
            *ports.entry(domain).or_default() += 1;
        }
    }
    let mapped: BTreeMap<_, _> =
        kernel.devices.mapped().map(|(at, slot, object)| (at, (slot, object))).collect();
    assert_eq!(mapped, wanted, "an I/O mapping exists exactly under a capability");
    for &domain in kernel.domains.keys() {
        let held = ports.get(&domain).copied().unwrap_or(0);
        assert_eq!(kernel.devices.ports_held(domain), held, "{domain:?}");
    }
    for (slot, right) in kernel.devices.arranged_through() {
        let held = kernel.capabilities.expect(slot, right);
        assert!(held.is_ok(), "an arrangement outlives {slot:?}: {held:?}");
    }
    for (id, notification) in &kernel.notifications {
        let bound = kernel.devices.signals(*id);
        assert_eq!(notification.is_bound_to_device, bound, "{id:?}");
    }
}

#[test]
fn the_world_gives_ports_and_interrupts() {
    let mut bench = bench();
    let held = bench.capability(MAIN, TIMER).unwrap();
    assert_eq!((held.object, held.rights), (Object::Ports(TIMER_PORTS), Rights::ALL));
    let peer = DomainId(1);
    // Again to another domain, and with fewer rights: both are copies of one.
    bench.kernel.give_ports(peer, 9, TIMER_PORTS, Rights::READ).unwrap();
    assert_eq!(bench.kernel.capabilities.references(held.object), 3);
    bench.audit();
    let backwards = Ports { first: 2, last: 1 };
    assert!(bench.kernel.give_ports(peer, 8, backwards, Rights::READ).is_err());
    assert!(bench.kernel.give_ports(peer, 9, TIMER_PORTS, Rights::READ).is_err());
    assert!(bench.kernel.give_interrupt(peer, 1, 0, Rights::READ).is_err());
    assert!(bench.kernel.give_interrupt(DomainId(9), 5, 0, Rights::READ).is_err());
    bench.audit();
    // A world's capabilities do not stand in the way of domains that come later.
    bench.kernel.create_domain("late").unwrap();
    bench.audit();
}

#[test]
fn what_a_world_declares_is_what_the_host_gives() {
    let declared = r#"
name = "declared"
[[ports]]
name = "timer"
first = 0x40
last = 0x47
[[interrupt]]
name = "timer-line"
line = 0
[[domain]]
name = "main"
module = "m"
caps = [
    { slot = 10, object = "timer", rights = "rw" },
    { slot = 12, object = "timer-line", rights = "r" },
]
"#;
    let mut bench = Bench::new(declared);
    listen(&mut bench, TIMER_LINE, 14);
    out(&mut bench, TIMER, device::TIMER_COUNT, 4, 1);
    assert_eq!(poll(&mut bench, 14), None);
    assert_eq!(poll(&mut bench, 14), Some(1));
    let original = Object::Ports(TIMER_PORTS);
    bench.kernel.give_ports(DomainId(0), 20, TIMER_PORTS, Rights::ALL).unwrap();
    assert_eq!(bench.kernel.capabilities.references(original), 3);
}

#[test]
fn ports_and_interrupts_can_be_inspected() {
    let mut bench = bench();
    let results = |bench: &Bench| [8, 16, 32].map(|at| bench.word(MAIN, utcb::MESSAGE + at));
    bench.done(MAIN, Hypercall::CapInspect, &[SERIAL]);
    assert_eq!(results(&bench), [8, 31, 0x18]);
    bench.done(MAIN, Hypercall::CapInspect, &[TIMER_LINE]);
    assert_eq!(results(&bench), [9, 31, 0]);
}

#[test]
fn a_machine_without_its_domains_is_as_before() {
    let mut bench = bench();
    listen(&mut bench, TIMER_LINE, 14);
    bench.done(MAIN, Hypercall::DeviceAssign, &[PEER_DOMAIN, SERIAL]);
    bench.done(MAIN, Hypercall::PageAllocate, &[15, R | W | G, 1]);
    bench.done(MAIN, Hypercall::DeviceMap, &[PEER_DOMAIN, 15, 0x4000, R]);
    bench.done(MAIN, Hypercall::PageAllocate, &[16, R | W | G, 0]);
    bench.done(MAIN, Hypercall::DeviceMap, &[0, 16, 0x4000, W]);
    for domain in [DomainId(0), DomainId(1)] {
        bench.kernel.destroy_domain(domain).unwrap();
        bench.audit();
    }
    assert_eq!(bench.kernel.frames.in_use(), 0);
    let roots: Vec<_> = bench.kernel.capabilities.iter().collect();
    assert_eq!(roots.len(), 4, "{roots:?}");
}

/// The thread's registers with an instruction pointer and the two registers of port instructions.
fn registers(rip: u64, rax: u64, rdx: u64) -> crate::registers::Registers {
    let mut registers = crate::registers::Registers { rip, ..Default::default() };
    (registers.general[0], registers.general[2]) = (rax, rdx);
    registers
}
