//! Where the work is done: here, or on a server. Whatever prints results does not know which.

use std::time::Duration;

use indicatif::ProgressBar;
use lcd::differential::{self, Case, Field};
use lcd::host::HostDescription;
use lcd::inspect::ModuleReport;
use lcd::model::bundle::Bundle;
use lcd::model::event::Log;
use lcd::model::microkernel::Schedule;
use lcd::parallel::Cancel;
use lcd::{Backend, Run};
use native_vmx::HostReport;

use super::output::{Output, Spinner};
use super::remote::Remote;
use super::turns::Turns;

/// Where the work is done.
pub(super) enum Place<'a> {
    /// On this machine, in this process.
    Here,
    /// On a server.
    Server(Box<Remote<'a>>),
}

/// How a world is to be run.
pub(super) struct RunPlan<'a> {
    pub backend: Backend,
    pub timeout: Option<Duration>,
    pub turns: &'a Turns,
}

/// A run, and if it came with one, its repetition in the simulator.
pub(super) struct Ran {
    pub run: Run,
    pub repeated: Option<Log>,
}

/// How worlds are to be compared.
pub(super) struct Comparison<'a> {
    pub field: &'a Field,
    pub timeout: Option<Duration>,
    pub turns: &'a Turns,
}

/// What was named, put together.
pub(super) enum ToCompare {
    World(Box<Bundle>),
    /// It cannot be, for a reason that is the result.
    Skipped(Box<Case>),
}

impl Place<'_> {
    /// The backend to use when none is named: hardware if there is some, else the simulator.
    pub(super) fn backend(
        &self,
        chosen: Option<Backend>,
        output: &Output,
    ) -> anyhow::Result<Backend> {
        if let Some(backend) = chosen {
            return Ok(backend);
        }
        let native = match self {
            Self::Here => lcd::available(Backend::Native).map_err(|reason| reason.to_string()),
            Self::Server(server) => {
                let field = server.backends()?.into_iter();
                let mut native = field.filter(|(backend, _)| *backend == Backend::Native);
                native.next().map_or(Ok(()), |(_, usable)| usable)
            }
        };
        Ok(match native {
            Ok(()) => Backend::Native,
            Err(reason) => {
                output.note(&format!("using the simulator: {reason}"));
                Backend::Sim
            }
        })
    }

    /// The backends, each with the reason if it cannot be used.
    pub(super) fn backends(&self, wanted: impl Fn(&Backend) -> bool) -> anyhow::Result<Field> {
        Ok(match self {
            Self::Here => {
                let usable = |backend| lcd::available(backend).map_err(|reason| reason.to_string());
                let all = Backend::ALL.into_iter().filter(wanted);
                all.map(|backend| (backend, usable(backend))).collect()
            }
            Self::Server(server) => {
                let all = server.backends()?.into_iter();
                all.filter(|(backend, _)| wanted(backend)).collect()
            }
        })
    }

    /// The machine.
    pub(super) fn host(&self) -> anyhow::Result<HostDescription> {
        match self {
            Self::Here => Ok(HostDescription::of_this_host()),
            Self::Server(server) => server.host(),
        }
    }

    /// What of the machine matters for native runs.
    pub(super) fn hardware(&self) -> anyhow::Result<HostReport> {
        match self {
            Self::Here => Ok(native_vmx::probe()),
            Self::Server(server) => Ok(server.host()?.native),
        }
    }

    /// Runs a world. `name` is what it is called while it runs.
    pub(super) fn run(
        &self,
        bundle: &Bundle,
        plan: &RunPlan<'_>,
        name: &str,
    ) -> anyhow::Result<Ran> {
        let RunPlan { backend, timeout, turns } = *plan;
        let spinner = Spinner::new(&format!("{name} on {backend}"));
        match self {
            Self::Here => {
                let run = match turns.of_run(bundle, backend) {
                    Schedule::Parallel => lcd::run_parallel(bundle, timeout, &Cancel::default())?,
                    schedule => lcd::run_scheduled(bundle, backend, timeout, schedule)?,
                };
                Ok(Ran { run, repeated: None })
            }
            Self::Server(server) => server.run(bundle, plan, &spinner),
        }
    }

    /// Compares worlds, in the order in which they are given.
    pub(super) fn compare(
        &self,
        worlds: impl Iterator<Item = (String, anyhow::Result<ToCompare>)>,
        comparison: &Comparison<'_>,
        progress: &ProgressBar,
    ) -> anyhow::Result<Vec<Case>> {
        if let Self::Server(server) = self {
            return server.compare(worlds, comparison, progress);
        }
        let Comparison { field, timeout, turns } = *comparison;
        let schedule = turns.of_worlds();
        let mut cases = Vec::new();
        for (name, world) in worlds {
            progress.set_message(name);
            cases.push(match (world?, &schedule) {
                (ToCompare::Skipped(case), _) => *case,
                (ToCompare::World(bundle), Some(schedule)) => {
                    differential::case_scheduled(&bundle, field, timeout, schedule)
                }
                (ToCompare::World(bundle), None) => differential::case(&bundle, field, timeout),
            });
            progress.inc(1);
        }
        Ok(cases)
    }

    /// Looks into the module of a bundle that [`lcd::assemble::module`] made. `given` is what it was named.
    pub(super) fn inspect(&self, bundle: &Bundle, given: &str) -> anyhow::Result<ModuleReport> {
        match self {
            Self::Here => Ok(ModuleReport::of(bundle)?),
            Self::Server(server) => server.inspect(bundle, given),
        }
    }
}
