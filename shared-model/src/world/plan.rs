//! What a world says of its domains, modules and run.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::argument::Argument;
use crate::abi::Resource;
use crate::address::GuestPhysical;
use crate::rights::Rights;

/// When a run is given up. A thread that is still running then ends with `timeout`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Instructions that all threads together may retire, on a backend that counts.
    pub instructions: u64,
    /// Milliseconds of the host's time, on a backend that does not.
    pub milliseconds: u64,
    /// Pages that one domain may own, those it was built from included.
    pub pages: u32,
    /// Events that the log may have before its end.
    pub events: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { instructions: 4_000_000_000, milliseconds: 60_000, pages: 1 << 16, events: 1 << 20 }
    }
}

/// How the world is meant to be scheduled.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SchedulePlan {
    /// Whether it is meant to run with threads at the same time.
    pub parallel: bool,
    /// Threads look at memory that others write meanwhile, so that in parallel the order of events
    /// is another each time: then outcomes are compared, not events.
    pub races: bool,
    /// How many seeded schedules tests try.
    pub seeds: u32,
}

impl Default for SchedulePlan {
    fn default() -> Self {
        Self { parallel: false, races: false, seeds: 1000 }
    }
}

/// What happens at the serial port.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SerialPlan {
    /// What has arrived there when the world starts.
    pub input: String,
}

/// A domain that exists from the start.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainPlan {
    /// Its name, unique in the world.
    pub name: String,
    /// What it runs: a file beside the world, or a name in the module store. Empty for a host
    /// domain.
    #[serde(default)]
    pub module: String,
    /// The host's service that it runs instead: it is a host domain then.
    #[serde(default)]
    pub service: Option<String>,
    /// Whether it starts with the world, and does not wait for somebody to run it.
    #[serde(default = "yes")]
    pub start: bool,
    /// The functions its initial thread calls, in order. Without it: `init_module` of a module,
    /// the entry point of an executable.
    #[serde(default)]
    pub call: Option<Vec<String>>,
    /// Arguments of the last of them.
    #[serde(default)]
    pub args: Vec<Argument>,
    /// When its initial thread is killed.
    #[serde(default)]
    pub kill_after: Option<KillAfter>,
    /// Its further threads, which have the indices 1, 2, … in it.
    #[serde(default)]
    pub threads: Vec<ThreadPlan>,
    /// Pages of its own.
    #[serde(default)]
    pub pages: Vec<PagePlan>,
    /// What it holds from the start besides.
    #[serde(default)]
    pub caps: Vec<CapPlan>,
    /// What it, and all that it creates, can take.
    #[serde(default)]
    pub quota: QuotaPlan,
    /// The endpoint that its threads' faults are sent to.
    #[serde(default)]
    pub faults: Option<String>,
    /// The badge they come with; 0 is none.
    #[serde(default)]
    pub fault_badge: u64,
}

const fn yes() -> bool {
    true
}

impl DomainPlan {
    /// A domain that runs a module's default function and holds nothing.
    pub fn new(name: &str, module: &str) -> Self {
        Self {
            name: name.to_string(),
            module: module.to_string(),
            service: None,
            start: true,
            call: None,
            args: Vec::new(),
            kill_after: None,
            threads: Vec::new(),
            pages: Vec::new(),
            caps: Vec::new(),
            quota: QuotaPlan::default(),
            faults: None,
            fault_badge: 0,
        }
    }
}

/// A further thread of a domain.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThreadPlan {
    /// The function it calls.
    pub call: String,
    /// The arguments.
    #[serde(default)]
    pub args: Vec<Argument>,
    /// Whether it runs once its domain has started, and does not wait for somebody to resume it.
    #[serde(default = "yes")]
    pub start: bool,
    /// When it is killed.
    #[serde(default)]
    pub kill_after: Option<KillAfter>,
}

/// A zeroed page of a domain's own: it is on the domain's account, and the capability is an
/// original.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PagePlan {
    /// The slot of its capability. Without it: as for [`CapPlan`].
    #[serde(default)]
    pub slot: Option<u64>,
    /// What the capability allows.
    pub rights: Rights,
    /// Where it is mapped, with as much of the rights as the window allows.
    #[serde(default)]
    pub at: Option<GuestPhysical>,
}

/// A capability that a domain holds from the start.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CapPlan {
    /// The name of the object or domain.
    pub object: String,
    /// What it allows.
    pub rights: Rights,
    /// Its slot. Without it: the lowest free one, after all that are given.
    #[serde(default)]
    pub slot: Option<u64>,
    /// Its badge; 0 is none, or that of the capability it is derived from.
    #[serde(default)]
    pub badge: u64,
    /// Where it is mapped, with as much of the rights as the window allows.
    #[serde(default)]
    pub at: Option<GuestPhysical>,
    /// What the boot information calls it: the object's name if this is missing, and no entry if
    /// it is empty.
    #[serde(default)]
    pub name: Option<String>,
    /// The domain from whose capability to the same object it is derived, instead of from the
    /// host's.
    #[serde(default)]
    pub under: Option<String>,
}

impl CapPlan {
    /// A capability in a slot of its own choice, not mapped, derived from the host's.
    pub fn new(object: &str, rights: Rights) -> Self {
        Self {
            object: object.to_string(),
            rights,
            slot: None,
            badge: 0,
            at: None,
            name: None,
            under: None,
        }
    }

    /// What the boot information calls it, if it is there.
    pub fn boot_name(&self) -> Option<&str> {
        Some(self.name.as_deref().unwrap_or(&self.object)).filter(|name| !name.is_empty())
    }
}

/// What a domain, and all that it creates, can take. Without a number there is no limit, but for
/// pages the one of [`Limits`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QuotaPlan {
    /// Pages of memory, those that it is built from included.
    pub pages: Option<u64>,
    /// Capabilities in capability spaces.
    pub capabilities: Option<u64>,
    /// Domains.
    pub domains: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
    /// Endpoints, notifications and channels.
    pub objects: Option<u64>,
}

impl QuotaPlan {
    /// The numbers there are.
    pub fn limits(&self) -> impl Iterator<Item = (Resource, u64)> {
        let limit = |resource| match resource {
            Resource::Pages => self.pages,
            Resource::Capabilities => self.capabilities,
            Resource::Domains => self.domains,
            Resource::Threads => self.threads,
            Resource::Objects => self.objects,
        };
        Resource::ALL.into_iter().filter_map(move |resource| Some((resource, limit(resource)?)))
    }
}

/// When a spinning thread is killed: a backend that counts instructions uses the one, another
/// the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KillAfter {
    /// Instructions that the thread has retired.
    pub instructions: u64,
    /// Milliseconds after the thread began to run.
    pub milliseconds: u64,
}

/// A module under a name of its own.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModulePlan {
    /// What `domain_configure` calls it.
    pub name: String,
    /// A file beside the world, or a name in the module store.
    pub file: String,
}
