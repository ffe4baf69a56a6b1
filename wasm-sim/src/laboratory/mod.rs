//! A run that can be moved through, stopped and looked into: what a page shows of the simulator.
//!
//! Whoever asks goes back in time by putting a copy of the whole memory back, and going on from
//! there. So all that matters is in this memory, and a moment is called the same however the run
//! got there: see [`advance`].
//!
//! The log is not among what has to be here: whoever asks may keep it, and let it be forgotten.
//!
//! The questions are [`shared_model::laboratory::Request`]s.

mod advance;
mod stops;
#[cfg(test)]
mod tests;

use shared_model::address::GuestVirtual;
use shared_model::laboratory::{
    self, Advanced, Answer, Plant, Position, Repetition, Request, State,
};
use shared_model::microkernel::{EventLog, Schedule, exit_order_of_lines, ways};
use shared_model::registers::GENERAL_NAMES;
use shared_model::session::{self, Session};
use shared_model::snapshot::{Fold, Snapshot};

use crate::SimArch;
use crate::marks::Flip;

/// What is known of a run besides what its session knows.
#[derive(Default)]
pub(crate) struct Laboratory {
    /// Exits and other steps of the microkernel so far.
    steps: u64,
    is_booted: bool,
    is_over: bool,
    /// Somebody has been told that the run is at this moment: what runs stop before goes on here.
    seen: Option<Position>,
    /// What the log's first events have brought about.
    fold: Fold,
    folded: usize,
}

impl Laboratory {
    /// Does what a request asks for. The answer is JSON, but for events: they are lines.
    pub(crate) fn handle(
        &mut self,
        session: &mut Session<SimArch>,
        request: &[u8],
    ) -> Result<Vec<u8>, String> {
        let request = laboratory::parse(request)?;
        let needs_boot = !matches!(
            request,
            Request::Boot { .. } | Request::Order { .. } | Request::Alike { .. } | Request::Header
        );
        if needs_boot && !self.is_booted {
            return Err("nothing is booted: ask for `boot` first".into());
        }
        match request {
            Request::Take { known, limit } => return self.take(session, known, limit),
            Request::Events { from, limit } => {
                is_kept(session, from)?;
                return Ok(laboratory::lines(session.events(from, limit)));
            }
            _ => {}
        }
        self.answer(session, request)?.to_json()
    }

    fn answer(
        &mut self,
        session: &mut Session<SimArch>,
        request: Request,
    ) -> Result<Answer, String> {
        let kernel = session.kernel();
        Ok(match request {
            Request::Boot { schedule, plants } => {
                self.boot(session, schedule, &plants)?;
                Answer::State(self.state(session))
            }
            Request::Order { recorded } => Answer::Order(repetition(&recorded, session)?),
            Request::Alike { one, other, parallel } => {
                Answer::Alike(laboratory::are_alike(one.as_bytes(), other.as_bytes(), parallel))
            }
            Request::Advance { goal, stops, budget } => {
                let stopped = self.advance(session, goal, &stops, budget);
                Answer::Advanced(Advanced { state: self.state(session), stopped })
            }
            Request::State => Answer::State(self.state(session)),
            Request::Memory { domain, space, address, length } => {
                Answer::Memory(kernel.memory(domain, space, address.0, length)?)
            }
            Request::Walk { domain, address } => {
                Answer::Walk(kernel.walk_from(domain, GuestVirtual(address.0))?)
            }
            Request::Graph => Answer::Graph(self.graph(kernel.event_log())),
            Request::Objects => Answer::Objects(kernel.objects()),
            Request::Utcb { thread } => Answer::Utcb(kernel.utcb(thread)?),
            Request::Events { .. } | Request::Take { .. } => {
                return Err("events are lines, and no JSON".into());
            }
            Request::Header => Answer::Header(kernel.header()),
            Request::Program { domain } => Answer::Program(kernel.program(domain)?),
            Request::Digest => Answer::Digest(session.kernel_mut().digest()),
            Request::Console { domain } => {
                Answer::Text(kernel.console(domain).map_err(|error| error.to_string())?)
            }
        })
    }

    fn graph(&mut self, log: &EventLog) -> Snapshot {
        log.since(self.folded).iter().for_each(|event| self.fold.apply(event));
        self.folded = log.len();
        self.fold.snapshot()
    }

    /// Lines after the first `known`, and the end of what is kept of all up to them.
    fn take(
        &mut self,
        session: &mut Session<SimArch>,
        known: usize,
        limit: usize,
    ) -> Result<Vec<u8>, String> {
        is_kept(session, known)?;
        let mut lines = Vec::new();
        let Self { fold, folded, .. } = self;
        session.kernel_mut().forget_events(known.saturating_add(limit), |number, event, line| {
            if number >= *folded {
                fold.apply(event);
                *folded = number + 1;
            }
            if number >= known {
                lines.extend_from_slice(line);
                lines.push(b'\n');
            }
        });
        Ok(lines)
    }

    fn boot(
        &mut self,
        session: &mut Session<SimArch>,
        schedule: Option<Schedule>,
        plants: &[Plant],
    ) -> Result<(), String> {
        if self.is_booted {
            return Err("the run has begun: open the bundle again for another".into());
        }
        let flips = plants.iter().map(flip).collect::<Result<Vec<_>, _>>()?;
        let usual = || Schedule::alone(&session.kernel().bundle().world);
        let schedule = schedule.unwrap_or_else(usual);
        let refused = |error: shared_model::domain::LifecycleError| error.to_string();
        if !schedule.is_cooperative() {
            session.handle(session::Request::Schedule(schedule)).map_err(refused)?;
        }
        for (plant, flip) in plants.iter().zip(flips) {
            session.kernel_mut().arch_mut().plant(plant.domain, plant.address.0, flip);
        }
        session.handle(session::Request::Boot).map_err(refused)?;
        self.is_booted = true;
        self.seen = Some(self.position(session));
        Ok(())
    }

    fn position(&self, session: &Session<SimArch>) -> Position {
        Position { retired: session.kernel().retired().unwrap_or(0), steps: self.steps }
    }

    fn state(&mut self, session: &mut Session<SimArch>) -> State {
        let position = self.position(session);
        State { position, over: self.is_over, state: session.kernel_mut().state() }
    }
}

/// How to repeat a run, by its log.
fn repetition(log: &str, session: &Session<SimArch>) -> Result<Repetition, String> {
    let (recorded, order) = exit_order_of_lines(log).map_err(|error| error.to_string())?;
    let header = session.kernel().header();
    if recorded.inputs != header.inputs {
        return Err(format!(
            "the log is of a run of `{}` with other inputs ({}) than these ({}, `{}`)",
            recorded.world, recorded.inputs, header.inputs, header.world
        ));
    }
    let world = &session.kernel().bundle().world;
    let simulated = recorded.backend == header.backend;
    let ways = ways(world, &recorded.schedule, order, simulated);
    let schedule = ways.into_iter().next().expect("there is at least one way");
    Ok(Repetition { schedule, races: world.schedule.races })
}

fn flip(plant: &Plant) -> Result<Flip, String> {
    let register = GENERAL_NAMES.iter().position(|&name| name == plant.register);
    let register = register.ok_or_else(|| {
        format!("`{}` is no general register: use {}", plant.register, GENERAL_NAMES.join(", "))
    })?;
    Ok(Flip { register, bits: plant.xor.0 })
}

/// Whether events from this number on can be told.
fn is_kept(session: &Session<SimArch>, from: usize) -> Result<(), String> {
    let forgotten = session.kernel().event_log().forgotten();
    if from < forgotten {
        return Err(format!("the first {forgotten} events are forgotten: they have been taken"));
    }
    Ok(())
}
