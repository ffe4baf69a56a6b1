//! Messages once more, and so simply that they are plainly right: who waits is in a list, in the
//! order of coming, and each call has a number that its answer must name.

use alloc::vec::Vec;

use crate::abi::{Received, Status};

/// What a thread does about messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Op {
    Send {
        to: usize,
        limit: u64,
    },
    PollSend {
        to: usize,
    },
    Call {
        to: usize,
        limit: u64,
    },
    Receive {
        at: usize,
        limit: u64,
    },
    PollReceive {
        at: usize,
    },
    Reply,
    ReplyReceive {
        at: usize,
        limit: u64,
    },
    /// Gives the right to answer away without an answer.
    DropReply,
    Cancel {
        at: usize,
        of: usize,
    },
    Signal,
    Wait {
        limit: u64,
    },
    Poll,
    Bind,
    Unbind,
    Sleep {
        limit: u64,
    },
    Exit,
}

/// A message that went from one thread to another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Delivery {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) badge: u64,
    pub(super) received: Received,
    pub(super) token: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Doing {
    Runs,
    /// Is in the list of those who wait to send, to receive or for a signal; or sleeps.
    Waits,
    /// Waits for the answer to the call of this number.
    Called(u64),
    Dead,
}

#[derive(Clone, Copy, Debug)]
struct Sender {
    thread: usize,
    to: usize,
    token: u64,
    is_call: bool,
}

/// What all threads are about. Thread 0 has capabilities without a badge; those of another have
/// [`badge`].
#[derive(Clone, Debug)]
pub(super) struct Rendezvous {
    doing: Vec<Doing>,
    senders: Vec<Sender>,
    receivers: Vec<(usize, usize)>,
    sleepers: Vec<usize>,
    /// The calls that each thread has received and not answered: who called, and the number.
    received: Vec<Vec<(usize, u64)>>,
    bits: u64,
    waiters: Vec<usize>,
    bound: Option<usize>,
    now: u64,
    deadlines: Vec<(u64, usize)>,
    calls: u64,
    /// Somebody is gone in this step, or a right to answer.
    gone: bool,
    /// Messages of this step.
    pub(super) delivered: Vec<Delivery>,
    /// Waits that ended in this step.
    pub(super) ended: Vec<(usize, Status)>,
    /// Who got which bits in this step, and whether instead of a message.
    pub(super) signalled: Vec<(usize, u64, bool)>,
}

/// What a thread's capabilities are marked with.
pub(super) const fn badge(thread: usize) -> u64 {
    if thread == 0 { 0 } else { 1 << thread }
}

impl Rendezvous {
    pub(super) fn new(threads: usize, now: u64) -> Self {
        Self {
            doing: alloc::vec![Doing::Runs; threads],
            senders: Vec::new(),
            receivers: Vec::new(),
            sleepers: Vec::new(),
            received: alloc::vec![Vec::new(); threads],
            bits: 0,
            waiters: Vec::new(),
            bound: None,
            now,
            deadlines: Vec::new(),
            calls: 0,
            gone: false,
            delivered: Vec::new(),
            ended: Vec::new(),
            signalled: Vec::new(),
        }
    }

    pub(super) fn runs(&self, thread: usize) -> bool {
        self.doing[thread] == Doing::Runs
    }

    pub(super) fn is_dead(&self, thread: usize) -> bool {
        self.doing[thread] == Doing::Dead
    }

    pub(super) fn has_deadline(&self) -> bool {
        !self.deadlines.is_empty()
    }

    fn start(&mut self) {
        self.delivered.clear();
        self.ended.clear();
        self.signalled.clear();
        self.gone = false;
    }

    /// A thread makes a hypercall with a message of this token. Returns its status, or nothing if
    /// it waits.
    pub(super) fn step(&mut self, thread: usize, op: Op, token: u64) -> Option<Status> {
        self.start();
        self.now += 1;
        let status = self.act(thread, op, token);
        self.expire();
        if self.gone {
            self.end_hopeless();
        }
        status
    }

    /// Time goes on to the next moment at which a wait ends.
    pub(super) fn let_time_pass(&mut self) {
        self.start();
        self.now = self.deadlines.iter().map(|&(at, _)| at).min().unwrap_or(0).max(self.now);
        self.expire();
    }

    /// A thread is killed.
    pub(super) fn kill(&mut self, thread: usize) {
        self.start();
        self.die(thread);
        self.end_hopeless();
    }

    fn act(&mut self, thread: usize, op: Op, token: u64) -> Option<Status> {
        match op {
            Op::Send { to, limit } => {
                self.send(Sender { thread, to, token, is_call: false }, limit)
            }
            Op::Call { to, limit } => self.send(Sender { thread, to, token, is_call: true }, limit),
            Op::PollSend { to } => {
                if !self.receivers.iter().any(|&(_, at)| at == to) {
                    return Some(Status::WouldBlock);
                }
                self.send(Sender { thread, to, token, is_call: false }, 0)
            }
            Op::Receive { at, limit } => self.receive(thread, at, Some(limit)),
            Op::PollReceive { at } => self.receive(thread, at, None),
            Op::Reply => Some(self.reply(thread, token)),
            Op::ReplyReceive { at, limit } => match self.reply(thread, token) {
                Status::Ok => self.receive(thread, at, Some(limit)),
                refused => Some(refused),
            },
            Op::DropReply => Some(match self.received[thread].pop() {
                Some((caller, number)) if self.doing[caller] == Doing::Called(number) => {
                    self.gone = true;
                    Status::Ok
                }
                _ => Status::NotFound,
            }),
            Op::Cancel { at, of } => {
                let is_meant = |s: &&Sender| s.to == at && badge(s.thread) == badge(of);
                let meant: Vec<_> =
                    self.senders.iter().filter(is_meant).map(|sender| sender.thread).collect();
                meant.into_iter().for_each(|thread| self.end_wait(thread, Status::Cancelled));
                Some(Status::Ok)
            }
            Op::Signal => {
                self.signal(badge(thread).max(1));
                Some(Status::Ok)
            }
            Op::Wait { limit } => self.take_bits(thread, false).or_else(|| {
                self.waiters.push(thread);
                self.block(thread, Doing::Waits, limit)
            }),
            Op::Poll => self.take_bits(thread, false).or(Some(Status::WouldBlock)),
            Op::Bind if self.bound.is_some() => Some(Status::Exists),
            Op::Bind => {
                self.bound = Some(thread);
                Some(Status::Ok)
            }
            Op::Unbind => {
                self.bound = self.bound.filter(|&bound| bound != thread);
                Some(Status::Ok)
            }
            Op::Sleep { limit } => {
                self.sleepers.push(thread);
                self.block(thread, Doing::Waits, limit)
            }
            Op::Exit => {
                self.die(thread);
                None
            }
        }
    }

    fn block(&mut self, thread: usize, doing: Doing, limit: u64) -> Option<Status> {
        self.doing[thread] = doing;
        if limit != 0 {
            self.deadlines.push((self.now + limit, thread));
        }
        if self.is_hopeless(thread) {
            self.end_wait(thread, Status::PeerDied);
        }
        None
    }

    fn send(&mut self, sender: Sender, limit: u64) -> Option<Status> {
        let Some(first) = self.receivers.iter().position(|&(_, at)| at == sender.to) else {
            self.senders.push(sender);
            return self.block(sender.thread, Doing::Waits, limit);
        };
        let (receiver, _) = self.receivers[first];
        let number = self.hand_over(sender, receiver);
        self.end_wait(receiver, Status::Ok);
        match sender.is_call {
            true => self.block(sender.thread, Doing::Called(number), limit),
            false => Some(Status::Ok),
        }
    }

    /// Without a limit it does not wait at all.
    fn receive(&mut self, thread: usize, at: usize, limit: Option<u64>) -> Option<Status> {
        if self.received[thread].len() == 29 {
            return Some(Status::NoMemory);
        }
        if self.bound == Some(thread) && self.bits != 0 {
            return self.take_bits(thread, true);
        }
        if let Some(first) = self.senders.iter().position(|sender| sender.to == at) {
            let sender = self.senders[first];
            let number = self.hand_over(sender, thread);
            if sender.is_call {
                // Its limit of time goes on.
                self.senders.remove(first);
                self.doing[sender.thread] = Doing::Called(number);
            } else {
                self.end_wait(sender.thread, Status::Ok);
            }
            return Some(Status::Ok);
        }
        let Some(limit) = limit else { return Some(Status::WouldBlock) };
        self.receivers.push((thread, at));
        self.block(thread, Doing::Waits, limit)
    }

    /// Gives a message to its receiver, and for a call the right to answer, with a new number.
    fn hand_over(&mut self, sender: Sender, to: usize) -> u64 {
        let received = if sender.is_call { Received::Call } else { Received::Message };
        let (from, token) = (sender.thread, sender.token);
        self.delivered.push(Delivery { from, to, badge: badge(from), received, token });
        self.calls += 1;
        if sender.is_call {
            self.received[to].push((from, self.calls));
        }
        self.calls
    }

    fn reply(&mut self, thread: usize, token: u64) -> Status {
        let Some((caller, number)) = self.received[thread].pop() else { return Status::NotFound };
        if self.doing[caller] != Doing::Called(number) {
            return Status::PeerDied;
        }
        let received = Received::Message;
        self.delivered.push(Delivery { from: thread, to: caller, badge: 0, received, token });
        self.end_wait(caller, Status::Ok);
        Status::Ok
    }

    fn signal(&mut self, bits: u64) {
        self.bits |= bits;
        let bound = self.bound.filter(|&b| self.receivers.iter().any(|&(thread, _)| thread == b));
        if let Some(told) = self.waiters.first().copied().or(bound) {
            self.take_bits(told, !self.waiters.contains(&told));
            self.end_wait(told, Status::Ok);
        }
    }

    fn take_bits(&mut self, thread: usize, instead: bool) -> Option<Status> {
        let bits = core::mem::take(&mut self.bits);
        if bits == 0 {
            return None;
        }
        self.signalled.push((thread, bits, instead));
        Some(Status::Ok)
    }

    /// A thread waits for nothing any more.
    fn forget(&mut self, thread: usize) {
        self.senders.retain(|sender| sender.thread != thread);
        self.receivers.retain(|&(receiver, _)| receiver != thread);
        self.waiters.retain(|&waiter| waiter != thread);
        self.sleepers.retain(|&sleeper| sleeper != thread);
        self.deadlines.retain(|&(_, waiter)| waiter != thread);
    }

    fn end_wait(&mut self, thread: usize, status: Status) {
        self.forget(thread);
        self.doing[thread] = Doing::Runs;
        self.ended.push((thread, status));
    }

    fn expire(&mut self) {
        while let Some(&(_, thread)) =
            self.deadlines.iter().filter(|&&(at, _)| at <= self.now).min()
        {
            let slept = self.sleepers.contains(&thread);
            self.end_wait(thread, if slept { Status::Ok } else { Status::TimedOut });
        }
    }

    fn die(&mut self, thread: usize) {
        self.forget(thread);
        self.doing[thread] = Doing::Dead;
        self.bound = self.bound.filter(|&bound| bound != thread);
        self.gone = true;
    }

    /// Whether nobody is left who could end the thread's wait.
    fn is_hopeless(&self, thread: usize) -> bool {
        let mut others = (0..self.doing.len())
            .filter(|&other| other != thread && self.doing[other] != Doing::Dead);
        match self.doing[thread] {
            Doing::Runs | Doing::Dead => false,
            Doing::Waits => !self.sleepers.contains(&thread) && others.next().is_none(),
            Doing::Called(number) => {
                !others.any(|other| self.received[other].contains(&(thread, number)))
            }
        }
    }

    fn end_hopeless(&mut self) {
        for thread in 0..self.doing.len() {
            if self.is_hopeless(thread) {
                self.end_wait(thread, Status::PeerDied);
            }
        }
    }
}
