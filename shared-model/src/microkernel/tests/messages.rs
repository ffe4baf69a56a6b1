//! Random messages between a few threads, against [`Rendezvous`]: who gets what from whom, what each
//! call returns, and when.
//!
//! `LCD_MODEL_CASES=100000 cargo test --release -p shared-model messages` makes millions.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::test_runner::TestRunner;

use super::message_reference::{Delivery, Op, Rendezvous, badge};
use super::{Bench, Broken};
use crate::abi::{Hypercall, Received, Status, utcb};
use crate::domain::{ThreadId, ThreadState};
use crate::event::EventKind;
use crate::exit::Exit;
use crate::microkernel::Step;

/// The endpoints' slots in every domain, and the notification's.
const ENDPOINTS: [u64; 2] = [10, 11];
const NOTIFICATION: u64 = 12;

/// Domains with one thread each that know two endpoints and a notification, and the reference.
#[derive(Clone)]
pub(super) struct Talk {
    pub(super) bench: Bench,
    reference: Rendezvous,
    token: u64,
}

impl Talk {
    pub(super) fn new(threads: usize, broken: Broken) -> Self {
        let mut world = String::from("name = \"talk\"\n");
        for i in 0..threads {
            world += &alloc::format!("[[domain]]\nname = \"d{i}\"\nmodule = \"m\"\n");
            if i == 0 {
                let cap = |i| {
                    alloc::format!("{{ slot = {}, object = \"d{i}\", rights = \"rwg\" }}", 20 + i)
                };
                let caps: Vec<_> = (1..threads).map(cap).collect();
                world += &alloc::format!("caps = [{}]\n", caps.join(", "));
            }
        }
        let mut bench = Bench::new(&world);
        let first = ThreadId(0);
        for (slot, create) in [
            (ENDPOINTS[0], Hypercall::EndpointCreate),
            (ENDPOINTS[1], Hypercall::EndpointCreate),
            (NOTIFICATION, Hypercall::NotificationCreate),
        ] {
            bench.done(first, create, &[slot]);
            for i in 1..threads {
                let words = [20 + i as u64, slot, slot, 31, badge(i)];
                bench.done(first, Hypercall::CapGrant, &words);
            }
        }
        bench.forget_log();
        bench.unchecked = true;
        bench.kernel.broken = broken;
        let reference = Rendezvous::new(threads, bench.kernel.now);
        Self { bench, reference, token: 0 }
    }

    pub(super) fn runs(&self, thread: usize) -> bool {
        self.reference.runs(thread)
    }

    pub(super) fn step(&mut self, thread: usize, op: Op) {
        self.token += 1;
        let id = ThreadId(thread as u32);
        let (call, endpoint, limit) = match op {
            Op::Send { to, limit } => (Hypercall::SyncSend, to, limit),
            Op::PollSend { to } => (Hypercall::SyncPollSend, to, 0),
            Op::Call { to, limit } => (Hypercall::SyncCall, to, limit),
            Op::Receive { at, limit } => (Hypercall::SyncReceive, at, limit),
            Op::PollReceive { at } => (Hypercall::SyncPollReceive, at, 0),
            Op::Reply => (Hypercall::SyncReply, 0, 0),
            Op::ReplyReceive { at, limit } => (Hypercall::SyncReplyReceive, at, limit),
            other => return self.other(thread, other),
        };
        self.bench.set_word(id, utcb::ENDPOINT, ENDPOINTS[endpoint]);
        self.bench.set_word(id, utcb::TIMEOUT, limit);
        self.make(thread, op, call, &[self.token]);
    }

    /// A call without a message.
    fn other(&mut self, thread: usize, op: Op) {
        let (call, words) = match op {
            Op::DropReply => (Hypercall::CapDelete, [2, 0]),
            Op::Cancel { at, of } => (Hypercall::EndpointCancel, [ENDPOINTS[at], badge(of)]),
            Op::Signal => (Hypercall::NotificationSignal, [NOTIFICATION, 0]),
            Op::Wait { limit } => (Hypercall::NotificationWait, [NOTIFICATION, limit]),
            Op::Poll => (Hypercall::NotificationPoll, [NOTIFICATION, 0]),
            Op::Bind => (Hypercall::NotificationBind, [NOTIFICATION, 0]),
            Op::Unbind => (Hypercall::NotificationBind, [0, 0]),
            Op::Sleep { limit } => (Hypercall::Sleep, [limit, 0]),
            _ => (Hypercall::Exit, [0, 0]),
        };
        self.make(thread, op, call, &words);
    }

    fn make(&mut self, thread: usize, op: Op, call: Hypercall, words: &[u64]) {
        let id = ThreadId(thread as u32);
        for (i, word) in words.iter().enumerate() {
            self.bench.set_word(id, utcb::MESSAGE + i * 8, *word);
        }
        let step = self.bench.exit(id, Exit::Hypercall { number: call as u32 });
        assert_eq!(step, Step::Continued);
        let wanted = self.reference.step(thread, op, self.token);
        let EventKind::Hypercall { status, .. } = self.bench.kernel.events()[0].kind else {
            panic!("a hypercall is its own first event");
        };
        if op != Op::Exit {
            assert_eq!(status, wanted.unwrap_or(Status::Waiting), "{op:?}");
        }
        self.compare();
    }

    /// Time goes on to the end of the next wait that has one. Says whether there is one.
    pub(super) fn let_time_pass(&mut self) -> bool {
        assert_eq!(self.bench.kernel.advance_time(), self.reference.has_deadline());
        if !self.reference.has_deadline() {
            return false;
        }
        self.bench.kernel.end_hopeless_waits();
        self.reference.let_time_pass();
        self.compare();
        true
    }

    /// Says whether it was alive.
    pub(super) fn kill(&mut self, thread: usize) -> bool {
        let killed = self.bench.kernel.kill_thread(ThreadId(thread as u32)).is_ok();
        assert_eq!(killed, !self.reference.is_dead(thread));
        if killed {
            self.reference.kill(thread);
            self.compare();
        }
        killed
    }

    /// Compares what happened in this step, and forgets the log of it.
    fn compare(&mut self) {
        let (mut delivered, mut ended) = (Vec::new(), Vec::new());
        for event in self.bench.kernel.events() {
            let thread = event.thread.map_or(usize::MAX, |thread| thread.0 as usize);
            match event.kind {
                EventKind::Message { to, badge, received, words, .. } => {
                    let (to, token) = (to.0 as usize, words[0]);
                    delivered.push(Delivery { from: thread, to, badge, received, token });
                }
                EventKind::Completed { status, .. } => ended.push((thread, status)),
                _ => {}
            }
        }
        assert_eq!(delivered, self.reference.delivered);
        assert_eq!(ended, self.reference.ended);
        self.compare_words();
        for number in 0..self.bench.kernel.threads.len() {
            let found = self.bench.state_of_thread(ThreadId(number as u32));
            let wanted = match (self.reference.runs(number), self.reference.is_dead(number)) {
                (true, _) => ThreadState::Ready,
                (_, true) => ThreadState::Dead,
                _ => ThreadState::Blocked,
            };
            assert_eq!(found, wanted, "thread {number}");
        }
        self.bench.forget_log();
    }

    /// What the threads find in their UTCBs.
    fn compare_words(&self) {
        let word = |thread: usize, offset| self.bench.word(ThreadId(thread as u32), offset);
        for &Delivery { to, badge, received, token, .. } in &self.reference.delivered {
            let found = [utcb::MESSAGE, utcb::BADGE, utcb::RECEIVED].map(|offset| word(to, offset));
            assert_eq!(found, [token, badge, received as u64]);
        }
        for &(thread, status) in &self.reference.ended {
            assert_eq!(word(thread, utcb::STATUS), status as i64 as u64);
        }
        for &(thread, bits, instead) in &self.reference.signalled {
            if instead {
                assert_eq!(word(thread, utcb::RECEIVED), Received::Notification as u64);
            }
            let offset = if instead { utcb::BADGE } else { utcb::MESSAGE + 8 };
            assert_eq!(word(thread, offset), bits);
        }
    }
}

#[derive(Clone, Debug)]
enum Random {
    Do(usize, Op),
    Kill(usize),
}

fn ops() -> impl Strategy<Value = Random> {
    let limit = || prop_oneof![2 => Just(0), 3 => 1..20_u64];
    let at = || prop_oneof![4 => Just(0_usize), 1 => Just(1)];
    let op = prop_oneof![
        4 => (at(), limit()).prop_map(|(to, limit)| Op::Send { to, limit }),
        2 => at().prop_map(|to| Op::PollSend { to }),
        6 => (at(), limit()).prop_map(|(to, limit)| Op::Call { to, limit }),
        6 => (at(), limit()).prop_map(|(at, limit)| Op::Receive { at, limit }),
        2 => at().prop_map(|at| Op::PollReceive { at }),
        4 => Just(Op::Reply),
        4 => (at(), limit()).prop_map(|(at, limit)| Op::ReplyReceive { at, limit }),
        1 => Just(Op::DropReply),
        1 => (at(), 0..5_usize).prop_map(|(at, of)| Op::Cancel { at, of }),
        2 => Just(Op::Signal),
        1 => limit().prop_map(|limit| Op::Wait { limit }),
        1 => Just(Op::Poll),
        1 => Just(Op::Bind),
        1 => Just(Op::Unbind),
        1 => (1..20_u64).prop_map(|limit| Op::Sleep { limit }),
    ];
    prop_oneof![
        100 => (any::<usize>(), op).prop_map(|(who, op)| Random::Do(who, op)),
        1 => any::<usize>().prop_map(|who| Random::Do(who, Op::Exit)),
        1 => any::<usize>().prop_map(Random::Kill),
    ]
}

fn follow(talk: &mut Talk, threads: usize, steps: Vec<Random>) {
    for step in steps {
        match step {
            Random::Do(who, op) => {
                let running: Vec<_> = (0..threads).filter(|&thread| talk.runs(thread)).collect();
                match running.get(who % running.len().max(1)) {
                    Some(&thread) => talk.step(thread, op),
                    None => {
                        talk.let_time_pass();
                    }
                }
            }
            Random::Kill(who) => {
                talk.kill(who % threads);
            }
        }
    }
}

#[test]
fn messages_go_where_the_reference_sends_them() {
    let started: Vec<_> = (3..=5).map(|threads| Talk::new(threads, Broken::Nothing)).collect();
    let sequences = (0..3_usize, proptest::collection::vec(ops(), 1..120));
    TestRunner::new(super::hostile::config(100))
        .run(&sequences, |(which, steps)| {
            let mut talk = started[which].clone();
            follow(&mut talk, which + 3, steps);
            talk.bench.unchecked = false;
            talk.bench.audit();
            Ok(())
        })
        .unwrap();
}
