//! What can be compared of runs in which a thread was stopped at a moment of the host's choosing.
//!
//! One thread runs at a time, or in the order of a parallel run's exits, so up to such a stop the logs are equal event by event. After it,
//! the thread's own further steps are on one side only, and so is their effect on whoever is
//! connected with it: through memory, or through capabilities to domains. Everybody else goes on
//! in the same order on both sides, for the ready threads take turns.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::address::{Frame, GuestPhysical};
use crate::capability::Object;
use crate::domain::{DomainId, ThreadId};
use crate::event::{Event, EventKind, Log};
use crate::exit::{End, KillReason};
use crate::rights::Rights;

/// The threads that were stopped, in either log, and what follows from it.
pub(super) struct Stopped {
    /// For each, how many of its events both sides have.
    threads: BTreeMap<ThreadId, usize>,
    /// Their domains.
    domains: BTreeSet<DomainId>,
    /// Frames that such a domain could write through a window.
    frames: BTreeSet<Frame>,
    /// Domains with such a frame in a window.
    sharing: BTreeSet<DomainId>,
    /// Domains that such a thread can have influenced, however indirectly.
    connected: BTreeSet<DomainId>,
}

impl Stopped {
    pub(super) fn new(left: &Log, right: &Log) -> Self {
        let both = || left.events.iter().chain(&right.events);
        let parallel = [left, right].iter().any(|log| log.header.schedule.is_parallel());
        let taken = |event: &Event| match event.kind {
            EventKind::Unmapped { page, .. } if parallel => Some((event.domain, page)),
            _ => None,
        };
        let unmapped: BTreeSet<_> = both().filter_map(taken).collect();
        let mut threads = BTreeMap::new();
        let mut domains = BTreeSet::new();
        for event in both() {
            if let (Some(thread), EventKind::Ended { end, .. }) = (event.thread, &event.kind)
                && (end.is_asynchronous()
                    || parallel && ends_a_running_thread(end, &unmapped, event.domain))
            {
                let count = |log: &Log| {
                    let own = |event: &&Event| event.thread == Some(thread) && !is_end(event);
                    log.events.iter().filter(own).count()
                };
                threads.entry(thread).or_insert_with(|| count(left).min(count(right)));
                domains.insert(event.domain);
            }
        }
        let mut frames = BTreeSet::new();
        for event in both() {
            if let EventKind::Mapped { frame, rights, .. } = event.kind
                && rights.contains(Rights::WRITE)
                && domains.contains(&event.domain)
            {
                frames.insert(frame);
            }
        }
        let shares = |event: &Event| match event.kind {
            EventKind::Mapped { frame, .. } => frames.contains(&frame).then_some(event.domain),
            _ => None,
        };
        let sharing = both().filter_map(shares).collect();
        let connected = connected(both, &domains);
        Self { threads, domains, frames, sharing, connected }
    }

    /// Whether the thread was stopped.
    pub(super) fn thread(&self, thread: ThreadId) -> bool {
        self.threads.contains_key(&thread)
    }

    /// Whether the domain's pages at the end include some that a stopped thread could write.
    pub(super) fn shares(&self, domain: DomainId) -> bool {
        self.sharing.contains(&domain)
    }

    /// Whether the event says that a thread was stopped, or how it ended on the other side.
    fn is_stop(&self, event: &Event) -> bool {
        is_end(event) && event.thread.is_some_and(|thread| self.thread(thread))
    }

    /// Whether it is not about memory that a stopped thread could write.
    fn settled(&self, event: &Event) -> bool {
        match event.kind {
            EventKind::Memory { frame, .. } => {
                !self.domains.contains(&event.domain) && !self.frames.contains(&frame)
            }
            EventKind::MemoryTotal { .. } => !self.domains.contains(&event.domain),
            _ => true,
        }
    }
}

/// What can be compared of one log.
pub(super) struct Side<'a> {
    backend: &'a str,
    pub(super) events: Vec<&'a Event>,
    /// How many of the events come before the first stop.
    pub(super) before_stop: usize,
}

impl<'a> Side<'a> {
    /// When a stopped thread ended means nothing, so that it was killed comes last; a run's own
    /// limit stays where it was reached.
    pub(super) fn new(log: &'a Log, stopped: &Stopped) -> Self {
        let mut seen: BTreeMap<ThreadId, usize> = BTreeMap::new();
        let (mut events, mut ends) = (Vec::new(), Vec::new());
        let mut before_stop = None;
        for event in &log.events {
            if stopped.is_stop(event) {
                before_stop.get_or_insert(events.len());
                if limit_or_unsupported(event).is_some() { &mut events } else { &mut ends }
                    .push(event);
                continue;
            }
            let common = event.thread.and_then(|thread| stopped.threads.get_key_value(&thread));
            let common = common.is_none_or(|(&thread, &common)| {
                let seen = seen.entry(thread).or_insert(0);
                *seen += 1;
                *seen <= common
            });
            if !common {
                before_stop.get_or_insert(events.len());
            } else if stopped.settled(event) {
                events.push(event);
            }
        }
        let before_stop = before_stop.unwrap_or(events.len());
        ends.sort_by_key(|event| event.thread);
        events.extend(ends);
        Self { backend: &log.header.backend, events, before_stop }
    }

    /// The first event after which nothing can be compared, and why.
    pub(super) fn poison(&self) -> Option<(usize, String)> {
        self.events.iter().enumerate().find_map(|(at, event)| {
            let why = limit_or_unsupported(event)?;
            Some((at, format!("{}: {why}", self.backend)))
        })
    }

    /// Whether a stop can explain that the other side has another event at `index`.
    pub(super) fn explained(&self, index: usize, stopped: &Stopped) -> bool {
        self.events.get(index).is_none_or(|event| !stopped.is_stop(event))
            && !stopped.threads.is_empty()
    }

    /// Leaves out what a stopped thread can have influenced from `stop` on.
    pub(super) fn keep_independent(&mut self, stop: usize, stopped: &Stopped) {
        let mut at = 0..;
        self.events.retain(|event| {
            at.next().is_some_and(|at| at < stop)
                || stopped.is_stop(event)
                || !stopped.connected.contains(&event.domain)
        });
    }
}

/// Why nothing after this event can be compared, if so.
fn limit_or_unsupported(event: &Event) -> Option<String> {
    let EventKind::Ended { end: End::Killed(reason), registers, .. } = &event.kind else {
        return None;
    };
    match reason {
        KillReason::Unsupported { what } => Some(format!("{what} at {:#x}", registers.rip)),
        KillReason::Timeout => Some("the run's limit was reached".into()),
        _ => None,
    }
}

/// Everything that can be reached from `domains`: two domains are connected when one has held a
/// capability to the other, or both have held one to the same page.
fn connected<'a, I: Iterator<Item = &'a Event>>(
    events: impl Fn() -> I,
    domains: &BTreeSet<DomainId>,
) -> BTreeSet<DomainId> {
    let mut reached = domains.clone();
    let mut pages = BTreeSet::new();
    loop {
        let before = (reached.len(), pages.len());
        for event in events() {
            let EventKind::CapabilityAdded { object, .. } = &event.kind else { continue };
            match object {
                Object::Domain(other) | Object::HostDomain(other)
                    if reached.contains(&event.domain) || reached.contains(other) =>
                {
                    reached.extend([event.domain, *other]);
                }
                Object::Page(frame) | Object::Lent(frame) => {
                    if reached.contains(&event.domain) {
                        pages.insert(*frame);
                    } else if pages.contains(frame) {
                        reached.insert(event.domain);
                    }
                }
                _ => {}
            }
        }
        if before == (reached.len(), pages.len()) {
            return reached;
        }
    }
}

/// Whether a thread can have ended so, while it ran on a processor of its own, at an instruction that
/// nobody chose: because of what another one did at that moment.
fn ends_a_running_thread(
    end: &End,
    unmapped: &BTreeSet<(DomainId, GuestPhysical)>,
    domain: DomainId,
) -> bool {
    match end {
        End::Killed(KillReason::Terminated | KillReason::Destroyed) => true,
        End::Killed(KillReason::Fault { guest_physical, .. }) => {
            unmapped.contains(&(domain, guest_physical.page()))
        }
        _ => false,
    }
}

const fn is_end(event: &Event) -> bool {
    matches!(event.kind, EventKind::Ended { .. })
}
