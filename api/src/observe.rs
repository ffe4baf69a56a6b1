//! Watching runs while they go on.
//!
//! A machine that runs is looked at now and then, by whoever drives it, between two exits or two
//! slices of instructions; nothing is interrupted for it but a native thread that stays in its guest
//! while there is something to tell. Where nobody watches, nothing of this happens.

use std::time::{Duration, Instant};

use shared_model::event::{Event, LogHeader};

use crate::backend::{Backend, BackendError, Machine};
use crate::drive::Run;

/// Watches runs while they go on. All events of a log are delivered, in order and exactly once, by
/// the time that [`Observer::ended`] is called.
///
/// The run waits meanwhile, its limit of time included: pass things on, and return.
pub trait Observer {
    /// A backend is there, and the run begins. Of one that is not, only its end is told.
    fn started(&mut self, backend: Backend, header: &LogHeader);

    /// What has happened since the last time: at least one event, and at most a few thousand.
    fn events(&mut self, backend: Backend, events: &[Event]);

    /// The run is over, or could not be made. An error comes after the events that there were.
    fn ended(&mut self, backend: Backend, result: Result<&Run, &BackendError>);
}

/// How often a machine is looked at.
const EVERY: Duration = Duration::from_millis(50);

/// Events that are delivered at once, at most.
const AT_ONCE: usize = 4096;

/// A run, and who watches it.
pub(crate) struct Watch<'a> {
    backend: Backend,
    observer: Option<&'a mut dyn Observer>,
    delivered: usize,
    /// When the machine is looked at next.
    next: Instant,
}

impl<'a> Watch<'a> {
    pub(crate) fn new(backend: Backend, observer: Option<&'a mut dyn Observer>) -> Self {
        Self { backend, observer, delivered: 0, next: Instant::now() }
    }

    /// The run begins, with this header.
    pub(crate) fn started<E>(
        &mut self,
        header: impl FnOnce() -> Result<LogHeader, E>,
    ) -> Result<(), E> {
        if let Some(observer) = &mut self.observer {
            observer.started(self.backend, &header()?);
        }
        Ok(())
    }

    /// Delivers what there is, if it is time for that. Otherwise says when it will be, if something
    /// is waiting for it.
    pub(crate) fn look(&mut self, machine: &mut Machine) -> Result<Option<Instant>, BackendError> {
        if self.observer.is_none() || !machine.may_have_more_than(self.delivered) {
            return Ok(None);
        }
        let now = Instant::now();
        if now < self.next {
            return Ok(Some(self.next));
        }
        self.next = now + EVERY;
        self.rest(machine)?;
        Ok(None)
    }

    /// Delivers whatever there is.
    pub(crate) fn rest(&mut self, machine: &mut Machine) -> Result<(), BackendError> {
        if self.observer.is_some() {
            self.deliver_after(machine.events()?);
        }
        Ok(())
    }

    /// Of all events so far, delivers those that have not been.
    pub(crate) fn deliver_after(&mut self, all: &[Event]) {
        self.deliver(all.get(self.delivered..).unwrap_or_default());
    }

    /// Delivers the events that come next.
    pub(crate) fn deliver(&mut self, next: &[Event]) {
        let Some(observer) = &mut self.observer else { return };
        for events in next.chunks(AT_ONCE) {
            self.delivered += events.len();
            observer.events(self.backend, events);
        }
    }

    /// When the machine is to be looked at next, if somebody watches.
    pub(crate) fn next_look(&self) -> Option<Instant> {
        self.observer.is_some().then_some(self.next)
    }

    /// If it is time for that, a copy of what is to be delivered next, for a caller that lets go of
    /// the machine first. Of more than a few thousand events these; then the next look is at once.
    pub(crate) fn copy_due(&mut self, all: &[Event], now: Instant) -> Vec<Event> {
        if self.observer.is_none() || now < self.next {
            return Vec::new();
        }
        let waiting = all.get(self.delivered..).unwrap_or_default();
        if waiting.len() <= AT_ONCE {
            self.next = now + EVERY;
        }
        waiting.iter().take(AT_ONCE).cloned().collect()
    }

    /// The run is over.
    pub(crate) fn ended(&mut self, result: &Result<Run, BackendError>) {
        if let Some(observer) = &mut self.observer {
            observer.ended(self.backend, result.as_ref());
        }
    }
}
