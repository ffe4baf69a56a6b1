//! The timer against sleeping and waiting, and runs that must end.

use alloc::vec::Vec;

use super::{
    ALONE, Bench, EventKind, Hypercall, MAIN, Status, TIMER, TIMER_LINE, bench, bench_of, count,
    input, listen, out, poll,
};
use crate::abi::{device, utcb};
use crate::domain::ThreadState;
use crate::microkernel::Step;

const NOTE: u64 = 14;

fn start(bench: &mut Bench, ticks: u32, periodic: bool) {
    out(bench, TIMER, device::TIMER_MODE, 1, periodic.into());
    out(bench, TIMER, device::TIMER_COUNT, 4, ticks);
}

#[track_caller]
fn step(bench: &mut Bench) -> Step {
    let step = bench.kernel.step(1000);
    bench.audit();
    step
}

fn advances(bench: &Bench) -> Vec<u64> {
    let to = |event: &crate::event::Event| match event.kind {
        EventKind::TimeAdvanced { to } => Some(to),
        _ => None,
    };
    bench.kernel.events().iter().filter_map(to).collect()
}

#[test]
fn a_tick_is_an_exit() {
    let mut bench = bench();
    listen(&mut bench, TIMER_LINE, NOTE);
    start(&mut bench, 3, false);
    assert_eq!(input(&mut bench, TIMER, device::TIMER_COUNT, 4), 2);
    assert_eq!(poll(&mut bench, NOTE), None);
    bench.done(MAIN, Hypercall::Yield, &[]);
    assert_eq!(poll(&mut bench, NOTE), Some(1));
    assert_eq!(input(&mut bench, TIMER, device::TIMER_COUNT, 4), 0);
    // Stopped, it is silent.
    bench.done(MAIN, Hypercall::InterruptAcknowledge, &[TIMER_LINE]);
    start(&mut bench, 2, true);
    out(&mut bench, TIMER, device::TIMER_COUNT, 4, 0);
    for _ in 0..5 {
        assert_eq!(poll(&mut bench, NOTE), None);
    }
    assert_eq!(input(&mut bench, TIMER, device::TIMER_MODE, 1), 1);
}

#[test]
fn time_goes_on_to_a_shot_that_somebody_waits_for() {
    let mut bench = bench_of(ALONE);
    listen(&mut bench, TIMER_LINE, NOTE);
    start(&mut bench, 1_000_000, false);
    let due = bench.kernel.now + 1_000_000;
    assert_eq!(bench.call(MAIN, Hypercall::NotificationWait, &[NOTE]), Status::Waiting);
    assert_eq!(step(&mut bench), Step::Continued);
    assert_eq!((bench.kernel.now, advances(&bench)), (due, [due].into()));
    assert_eq!(bench.kernel.thread(MAIN).state, ThreadState::Ready);
    assert_eq!(bench.word(MAIN, utcb::MESSAGE + 8), 1);
}

#[test]
fn whichever_is_first_ends_a_wait_with_a_limit() {
    for (ticks, limit, ends) in [
        (100, 50, Status::TimedOut),
        (50, 100, Status::Ok),
        // The limit begins a tick after the timer did.
        (100, 99, Status::TimedOut),
        (99, 100, Status::Ok),
    ] {
        let mut bench = bench_of(ALONE);
        listen(&mut bench, TIMER_LINE, NOTE);
        start(&mut bench, ticks, false);
        let wait = [NOTE, limit];
        assert_eq!(bench.call(MAIN, Hypercall::NotificationWait, &wait), Status::Waiting);
        assert_eq!(step(&mut bench), Step::Continued);
        let status = bench.word(MAIN, utcb::STATUS).cast_signed();
        assert_eq!(status, ends as i64, "{ticks} against {limit}");
    }
}

#[test]
fn sleeping_does_not_lose_the_beat() {
    let mut bench = bench_of(ALONE);
    listen(&mut bench, TIMER_LINE, NOTE);
    start(&mut bench, 10, true);
    let began = bench.kernel.now;
    assert_eq!(bench.call(MAIN, Hypercall::Sleep, &[94]), Status::Waiting);
    // Nobody waits for the timer meanwhile, so time goes on at once.
    assert_eq!(step(&mut bench), Step::Continued);
    assert_eq!(advances(&bench), [began + 1 + 94]);
    // However often it ran down, that is one interrupt; the device says how often.
    assert_eq!((count(&bench, "interrupt"), poll(&mut bench, NOTE)), (1, Some(1)));
    assert_eq!(input(&mut bench, TIMER, device::TIMER_EXPIRED, 2), 9);
    bench.done(MAIN, Hypercall::InterruptAcknowledge, &[TIMER_LINE]);
    assert_eq!(poll(&mut bench, NOTE), None);
    assert_eq!((poll(&mut bench, NOTE), bench.kernel.now), (None, began + 100));
    assert_eq!(poll(&mut bench, NOTE), Some(1));
}

#[test]
fn a_driver_waits_period_after_period() {
    let mut bench = bench_of(ALONE);
    listen(&mut bench, TIMER_LINE, NOTE);
    start(&mut bench, 1000, true);
    let began = bench.kernel.now;
    for beat in 1..=20 {
        assert_eq!(bench.call(MAIN, Hypercall::NotificationWait, &[NOTE]), Status::Waiting);
        assert_eq!(step(&mut bench), Step::Continued);
        assert_eq!(bench.kernel.now, began + beat * 1000);
        bench.done(MAIN, Hypercall::InterruptAcknowledge, &[TIMER_LINE]);
    }
}

#[test]
fn a_timer_that_nobody_listens_to_keeps_no_run_alive() {
    type Prepare = fn(&mut Bench);
    let cases: [(&str, Prepare); 5] = [
        ("nothing is bound", |_| {}),
        ("it is disabled", |bench| {
            listen(bench, TIMER_LINE, NOTE);
            bench.done(MAIN, Hypercall::InterruptDisable, &[TIMER_LINE]);
        }),
        ("somebody else would have to wait", |bench| listen(bench, TIMER_LINE, NOTE)),
        ("it was never acknowledged", |bench| {
            listen(bench, TIMER_LINE, NOTE);
            bench.done(MAIN, Hypercall::Yield, &[]);
            bench.done(MAIN, Hypercall::Yield, &[]);
        }),
        ("what is bound to the thread does not end this wait", |bench| {
            listen(bench, TIMER_LINE, NOTE);
            bench.done(MAIN, Hypercall::NotificationBind, &[NOTE]);
        }),
    ];
    for (what, prepare) in cases {
        let mut bench = bench_of(ALONE);
        start(&mut bench, 7, true);
        prepare(&mut bench);
        // Waits for ever, for another notification: another line that stays silent is bound to it.
        bench.done(MAIN, Hypercall::NotificationCreate, &[15]);
        bench.done(MAIN, Hypercall::InterruptBind, &[super::SERIAL_LINE, 15]);
        assert_eq!(bench.call(MAIN, Hypercall::NotificationWait, &[15]), Status::Waiting);
        assert_eq!(step(&mut bench), Step::Idle, "{what}");
        assert_eq!(step(&mut bench), Step::Idle, "{what}");
        assert_eq!(advances(&bench).len(), 0, "{what}");
        // Input ends it, from outside.
        bench.kernel.serial_input(b"x");
    }
}

#[test]
fn a_thread_that_never_acknowledges_hears_no_more() {
    let mut bench = bench_of(ALONE);
    listen(&mut bench, TIMER_LINE, NOTE);
    start(&mut bench, 5, true);
    assert_eq!(bench.call(MAIN, Hypercall::NotificationWait, &[NOTE]), Status::Waiting);
    assert_eq!(step(&mut bench), Step::Continued);
    assert_eq!(bench.call(MAIN, Hypercall::NotificationWait, &[NOTE]), Status::Waiting);
    assert_eq!(step(&mut bench), Step::Idle);
    assert_eq!(count(&bench, "interrupt"), 1);
}

#[test]
fn missed_periods_do_not_flood_the_log() {
    let mut bench = bench_of(ALONE);
    listen(&mut bench, TIMER_LINE, NOTE);
    start(&mut bench, 1, true);
    bench.unchecked = true;
    let before = bench.kernel.events().len();
    for _ in 0..1000 {
        bench.done(MAIN, Hypercall::Yield, &[]);
    }
    // A thousand calls, one interrupt, one signal.
    assert_eq!(bench.kernel.events().len() - before, 1000 + 2);
    assert_eq!(count(&bench, "interrupt"), 1);
}

#[test]
fn an_interrupt_ends_a_receive_through_the_bound_notification() {
    let mut bench = bench_of(ALONE);
    listen(&mut bench, TIMER_LINE, NOTE);
    bench.done(MAIN, Hypercall::NotificationBind, &[NOTE]);
    bench.done(MAIN, Hypercall::EndpointCreate, &[15]);
    start(&mut bench, 500, false);
    let due = bench.kernel.now + 500;
    // Nobody is left who could send, but the timer is.
    bench.kernel.peers_changed = true;
    assert_eq!(bench.send(MAIN, Hypercall::SyncReceive, 15, 0), Status::Waiting);
    assert_eq!(step(&mut bench), Step::Continued);
    assert_eq!((bench.kernel.now, bench.word(MAIN, utcb::STATUS)), (due, 0));
    assert_eq!((bench.word(MAIN, utcb::BADGE), bench.word(MAIN, utcb::RECEIVED)), (1, 2));
}

#[test]
fn waiting_for_an_interrupt_is_not_in_vain_until_it_is_unbound() {
    let mut bench = bench();
    bench.done(MAIN, Hypercall::NotificationCreate, &[NOTE]);
    bench.done(MAIN, Hypercall::CapGrant, &[super::PEER_DOMAIN, NOTE, 5, 3]);
    bench.done(MAIN, Hypercall::CapGrant, &[super::PEER_DOMAIN, TIMER_LINE, 6, 3]);
    bench.done(super::PEER, Hypercall::InterruptBind, &[6, 5]);
    bench.done(MAIN, Hypercall::CapDelete, &[NOTE]);
    let wait = Hypercall::NotificationWait;
    assert_eq!(bench.call(super::PEER, wait, &[5]), Status::Waiting);
    bench.kernel.peers_changed = true;
    bench.done(MAIN, Hypercall::Yield, &[]);
    assert_eq!(bench.kernel.thread(super::PEER).state, ThreadState::Blocked);
    bench.done(MAIN, Hypercall::CapRevoke, &[TIMER_LINE]);
    assert_eq!(bench.kernel.thread(super::PEER).state, ThreadState::Ready);
    let status = bench.word(super::PEER, utcb::STATUS).cast_signed();
    assert_eq!(status, Status::PeerDied as i64);
}

#[test]
fn the_end_of_time_is_reached_and_passed() {
    let mut bench = bench_of(ALONE);
    listen(&mut bench, TIMER_LINE, NOTE);
    bench.kernel.now = u64::MAX - 2;
    start(&mut bench, u32::MAX, true);
    assert_eq!(bench.kernel.now, u64::MAX);
    assert_eq!(bench.call(MAIN, Hypercall::Sleep, &[100]), Status::Waiting);
    for _ in 0..3 {
        assert_eq!(poll(&mut bench, NOTE), Some(1));
        bench.done(MAIN, Hypercall::InterruptAcknowledge, &[TIMER_LINE]);
    }
}
