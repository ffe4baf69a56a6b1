//! What a run amounted to, read off its log: the shape that the command line prints and the
//! JSON that scripts read.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::domain::{DomainId, ThreadId};
use crate::event::{Event, EventKind, Log};
use crate::exit::{End, Exited, KillReason, exception_name};
use crate::registers::{GENERAL_NAMES, Registers};
use crate::world::World;

/// The name of the serial port in the log.
const SERIAL: &str = "serial";

/// A whole run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RunReport {
    /// The backend.
    pub backend: String,
    /// Its domains, in the order of their creation.
    pub domains: Vec<DomainReport>,
    /// What the serial port was given.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub serial: String,
    /// How many events the log has.
    pub events: usize,
}

/// One domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DomainReport {
    /// Its name.
    pub name: String,
    /// All that it wrote.
    pub console: String,
    /// Its threads.
    pub threads: Vec<ThreadEnd>,
    /// Output buffers of its call: the argument's number and the bytes in hexadecimal.
    #[serde(skip)]
    pub buffers: Vec<(usize, String)>,
    /// The last function that its thread called.
    #[serde(skip)]
    pub last_call: Option<String>,
    /// What that function returned, if it did.
    #[serde(skip)]
    pub returned: Option<u64>,
}

/// How a thread ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ThreadEnd {
    /// `reason`, what belongs to it, `rip`, `at` (the function), and `address` where one was
    /// accessed; nothing if it
    /// never ended.
    pub end: Option<serde_json::Value>,
    /// Every register, as `0x…`.
    pub registers: Option<BTreeMap<String, String>>,
    /// The function that it was killed in.
    #[serde(skip)]
    pub at: Option<String>,
    /// The same end, for programs.
    #[serde(skip)]
    pub parsed: Option<(End, Registers)>,
    /// The number of the event that says so.
    #[serde(skip)]
    pub event: Option<usize>,
}

impl RunReport {
    /// Reads a log.
    pub fn from_log(log: &Log) -> Self {
        let mut domains: BTreeMap<DomainId, DomainReport> = BTreeMap::new();
        let mut threads: BTreeMap<DomainId, BTreeMap<ThreadId, ThreadEnd>> = BTreeMap::new();
        let mut consoles: BTreeMap<DomainId, Vec<u8>> = BTreeMap::new();
        let mut serial = Vec::new();
        for (number, Event { domain, thread, kind }) in log.events.iter().enumerate() {
            let report = domains.entry(*domain).or_insert_with(DomainReport::empty);
            // Of other events, the thread is who caused them: perhaps another domain's.
            match (thread, kind) {
                (Some(thread), EventKind::ThreadStarted) => {
                    let threads = threads.entry(*domain).or_default();
                    threads.entry(*thread).or_insert_with(ThreadEnd::none);
                }
                (Some(thread), EventKind::Ended { end, registers, at, .. }) => {
                    let mut end = ThreadEnd::new(end, registers, at.as_deref());
                    end.event = Some(number);
                    threads.entry(*domain).or_default().insert(*thread, end);
                }
                _ => {}
            }
            if let EventKind::DeviceOutput { device, hex } = kind
                && device == SERIAL
            {
                serial.extend(crate::hex::decode(hex).unwrap_or_default());
            }
            if let Some(written) = kind.written() {
                consoles.entry(*domain).or_default().extend(written);
            }
            report.take(kind);
        }
        for (domain, bytes) in consoles {
            if let Some(report) = domains.get_mut(&domain) {
                report.console = String::from_utf8_lossy(&bytes).into_owned();
            }
        }
        for (domain, ends) in threads {
            if let Some(report) = domains.get_mut(&domain) {
                report.threads = ends.into_values().collect();
            }
        }
        Self {
            backend: log.header.backend.clone(),
            domains: domains.into_values().collect(),
            serial: String::from_utf8_lossy(&serial).into_owned(),
            events: log.events.len(),
        }
    }

    /// The domain of this name.
    pub fn domain(&self, name: &str) -> Option<&DomainReport> {
        self.domains.iter().find(|domain| domain.name == name)
    }

    /// Whether the run ended as the world expects; if it expects nothing, with 0 everywhere.
    pub fn went_well(&self, world: &World) -> bool {
        let well = |end: &End| matches!(end, End::Exit(Exited { value: 0 }));
        let expects = !world.expect.is_empty();
        let ended_well = || self.domains.iter().filter_map(DomainReport::end).all(well);
        self.unmet(world).is_empty() && (expects || ended_well())
    }

    /// What a world's expectations do not find here, a line each.
    pub fn unmet(&self, world: &World) -> Vec<String> {
        let unmet = |expectation: &crate::world::Expectation| {
            let Some(name) = &expectation.domain else {
                return expectation.check_serial(&self.serial);
            };
            match self.domain(name) {
                Some(domain) => {
                    let thread = expectation.thread.unwrap_or(0) as usize;
                    expectation.check(domain.end_of(thread), &domain.console)
                }
                None => alloc::vec![format!("there was no domain named {name}")],
            }
        };
        world.expect.iter().flat_map(unmet).collect()
    }
}

impl DomainReport {
    fn empty() -> Self {
        Self {
            name: String::new(),
            console: String::new(),
            threads: Vec::new(),
            buffers: Vec::new(),
            last_call: None,
            returned: None,
        }
    }

    /// How its first thread ended.
    pub fn end(&self) -> Option<&End> {
        self.end_of(0)
    }

    /// How one of its threads ended, of those that started in the order of their creation.
    pub fn end_of(&self, thread: usize) -> Option<&End> {
        self.threads.get(thread)?.parsed.as_ref().map(|(end, _)| end)
    }

    fn take(&mut self, kind: &EventKind) {
        match kind {
            EventKind::DomainCreated { name } | EventKind::DomainNamed { name } => {
                self.name.clone_from(name);
            }
            EventKind::Buffer { argument, hex } => self.buffers.push((*argument, hex.clone())),
            EventKind::Call { symbol, .. } => {
                self.last_call = Some(symbol.clone());
                self.returned = None;
            }
            EventKind::Return { value } => self.returned = Some(*value),
            _ => {}
        }
    }
}

impl ThreadEnd {
    const fn none() -> Self {
        Self { end: None, registers: None, at: None, parsed: None, event: None }
    }

    fn new(end: &End, registers: &Registers, at: Option<&str>) -> Self {
        let mut json = serde_json::to_value(end).expect("an end is plain data");
        if let Some(fields) = json.as_object_mut() {
            // Addresses are numbers in the log and hexadecimal here.
            for field in ["address", "guest_physical"] {
                if let Some(number) = fields.get(field).and_then(serde_json::Value::as_u64) {
                    fields.insert(field.into(), format!("{number:#x}").into());
                }
            }
            if let End::Killed(KillReason::Exception { vector, .. }) = end {
                fields.insert("name".into(), exception_name(*vector).into());
            }
            fields.insert("rip".into(), format!("{:#x}", registers.rip).into());
            if let Some(at) = at {
                fields.insert("at".into(), at.into());
            }
        }
        let general = GENERAL_NAMES.iter().zip(registers.general);
        let all = general.chain([(&"rip", registers.rip), (&"rflags", registers.rflags)]);
        let registers_text = all.map(|(name, value)| ((*name).into(), format!("{value:#x}")));
        Self {
            end: Some(json),
            registers: Some(registers_text.collect()),
            at: at.map(String::from),
            parsed: Some((end.clone(), *registers)),
            event: None,
        }
    }
}
