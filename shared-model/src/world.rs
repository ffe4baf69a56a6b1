//! A world: which domains and other objects there are, what runs, who holds what from the start,
//! and what is expected to happen. World files are TOML; `docs/worlds.md` describes them.
//!
//! - `plan`, `argument`, `objects`, `expect`: what a file can say;
//! - `names`, `distribution`: what that means: who holds which capability to what;
//! - `check`: what else must be true of a world, whether it came in a file or in a bundle;
//! - `error`: where something wrong is.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

mod argument;
mod check;
mod distribution;
mod error;
mod expect;
mod names;
mod objects;
mod plan;
#[cfg(test)]
pub(crate) mod tests;

pub use argument::Argument;
pub(crate) use distribution::{Distribution, Given, Own};
pub use error::WorldError;
pub use expect::Expectation;
pub(crate) use names::Kind;
pub use objects::{
    CHANNEL_ORDER_MAX, ChannelPlan, Contents, InterruptPlan, MEMORY_NODES, MEMORY_PAGES_MAX,
    MemoryPlan, ObjectPlan, PortsPlan, SERIAL_INPUT_MAX,
};
pub use plan::{
    CapPlan, DomainPlan, KillAfter, Limits, ModulePlan, PagePlan, QuotaPlan, SchedulePlan,
    SerialPlan, ThreadPlan,
};

/// A parsed and validated world.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct World {
    /// The name that reports use.
    pub name: String,
    /// What it shows, in a line.
    #[serde(default)]
    pub about: String,
    /// When a run is given up.
    #[serde(default)]
    pub limits: Limits,
    /// How it is meant to be scheduled.
    #[serde(default)]
    pub schedule: SchedulePlan,
    /// What happens at the serial port.
    #[serde(default)]
    pub serial: SerialPlan,
    /// Blocks of pages that domains can share.
    #[serde(default)]
    pub memory: Vec<MemoryPlan>,
    /// Endpoints.
    #[serde(default, rename = "endpoint")]
    pub endpoints: Vec<ObjectPlan>,
    /// Notifications.
    #[serde(default, rename = "notification")]
    pub notifications: Vec<ObjectPlan>,
    /// Channels.
    #[serde(default, rename = "channel")]
    pub channels: Vec<ChannelPlan>,
    /// Ranges of I/O ports.
    #[serde(default)]
    pub ports: Vec<PortsPlan>,
    /// Interrupt lines.
    #[serde(default, rename = "interrupt")]
    pub interrupts: Vec<InterruptPlan>,
    /// The domains that exist from the start, in the order of their numbers.
    #[serde(default, rename = "domain")]
    pub domains: Vec<DomainPlan>,
    /// Modules that `domain_configure` can name.
    #[serde(default, rename = "module")]
    pub modules: Vec<ModulePlan>,
    /// What must be seen.
    #[serde(default)]
    pub expect: Vec<Expectation>,
}

impl World {
    /// A world with one domain.
    pub fn single(domain: DomainPlan) -> Self {
        Self {
            name: domain.name.clone(),
            about: String::new(),
            limits: Limits::default(),
            schedule: SchedulePlan::default(),
            serial: SerialPlan::default(),
            memory: Vec::new(),
            endpoints: Vec::new(),
            notifications: Vec::new(),
            channels: Vec::new(),
            ports: Vec::new(),
            interrupts: Vec::new(),
            domains: alloc::vec![domain],
            modules: Vec::new(),
            expect: Vec::new(),
        }
    }

    /// Reads and validates a world file.
    ///
    /// # Errors
    /// [`WorldError`] with the position of the first thing that is wrong.
    pub fn parse(source: &str) -> Result<Self, WorldError> {
        let world: Self = toml::from_str(source).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            WorldError::at(source, offset, error.message().trim())
        })?;
        if world.domains.is_empty() {
            let message = "the world has no domain: add a [[domain]] with name and module";
            return Err(WorldError::at(source, source.len(), message));
        }
        check::check(&world).map_err(|flaw| flaw.in_file(source))?;
        Ok(world)
    }

    /// Checks what [`World::parse`] checks of a file, in a world that came another way. It may
    /// have no domains.
    ///
    /// # Errors
    /// The first thing that is wrong, after the way to it, as in `domain[0].caps[2].rights`.
    pub fn validate(&self) -> Result<(), String> {
        check::check(self).map_err(|flaw| flaw.to_string())
    }

    /// Every module the world names: the key by which it is looked up in a run, and the file.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        let run = self.domains.iter().filter(|plan| plan.service.is_none());
        let run = run.map(|plan| (plan.module.as_str(), plan.module.as_str()));
        run.chain(self.modules.iter().map(|plan| (plan.name.as_str(), plan.file.as_str())))
    }
}
