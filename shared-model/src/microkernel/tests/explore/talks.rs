//! Three threads that send, call, answer, signal, wait, give up and die, in every order, against the
//! reference of messages.

use alloc::vec::Vec;

use super::super::message_reference::Op;
use super::super::messages::Talk;
use super::{Bench, Broken, Explored, explore_all, is_noticed};

#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    Do(usize, Op),
    Time,
    Kill(usize),
}

/// Long enough to end only when time goes on by itself.
const LIMIT: u64 = 1 << 20;

impl Explored for Talk {
    const DEPTH: usize = 6;
    const STATES: usize = 2000;
    type Act = Act;

    fn start(broken: Broken) -> Self {
        let mut talk = Self::new(3, broken);
        talk.bench.unchecked = false;
        talk
    }

    fn acts() -> Vec<Act> {
        let mut acts = Vec::new();
        for client in 0..2 {
            acts.extend([
                Act::Do(client, Op::Call { to: 0, limit: LIMIT }),
                Act::Do(client, Op::Send { to: 0, limit: 0 }),
            ]);
        }
        for server in 1..3 {
            acts.extend([
                Act::Do(server, Op::Receive { at: 0, limit: 0 }),
                Act::Do(server, Op::Reply),
                Act::Do(server, Op::ReplyReceive { at: 0, limit: LIMIT }),
            ]);
        }
        acts.extend([
            Act::Do(2, Op::DropReply),
            Act::Do(2, Op::Cancel { at: 0, of: 1 }),
            Act::Do(2, Op::Bind),
            Act::Do(0, Op::Signal),
            Act::Do(1, Op::Wait { limit: 0 }),
            Act::Do(0, Op::Sleep { limit: LIMIT / 2 }),
            Act::Do(1, Op::Exit),
            Act::Time,
            Act::Kill(0),
            Act::Kill(2),
        ]);
        acts
    }

    fn apply(&mut self, act: Act) -> bool {
        match act {
            Act::Do(thread, op) => {
                let runs = self.runs(thread);
                if runs {
                    self.step(thread, op);
                }
                runs
            }
            Act::Time => self.let_time_pass(),
            Act::Kill(thread) => self.kill(thread),
        }
    }

    fn bench(&mut self) -> &mut Bench {
        &mut self.bench
    }
}

#[test]
fn explore_messages() {
    explore_all::<Talk>();
}

#[test]
fn explore_broken_messages() {
    for broken in [
        Broken::AnswersTwice,
        Broken::AnswersAnother,
        Broken::ForgetsPeers,
        Broken::LeavesStaleWaiter,
    ] {
        is_noticed::<Talk>(broken);
    }
}
