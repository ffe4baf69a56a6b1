//! A whole log: what it is a log of, and its events, as lines of JSON.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Digest, Event, EventKind, LOG_VERSION};
use crate::microkernel::Schedule;

/// The first line of a log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LogHeader {
    /// [`LOG_VERSION`].
    pub lcd_log: u32,
    /// The backend that ran: `native` or `sim`.
    pub backend: String,
    /// The world's name.
    pub world: String,
    /// Digest of the world and all its modules: what the log is a log of.
    pub inputs: Digest,
    /// In which order threads took turns.
    #[serde(default, skip_serializing_if = "Schedule::is_cooperative")]
    pub schedule: Schedule,
}

/// A whole log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Log {
    /// What it is a log of.
    pub header: LogHeader,
    /// The events, in the order in which they took effect.
    pub events: Vec<Event>,
}

/// A log as far as a file has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recovered {
    /// What could be read.
    pub log: Log,
    /// The file ends in the middle of this line, counted from 1, which is left out.
    pub torn: Option<usize>,
}

/// Why a log could not be read.
#[derive(Debug, Error)]
pub enum LogError {
    /// A line is not what the format says.
    #[error("line {line} of the log is not an event: {reason}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What the parser said.
        reason: String,
    },
    /// Written by another version.
    #[error("the log has format {0}, this program reads {LOG_VERSION}")]
    Version(u32),
    /// No header.
    #[error("the log is empty")]
    Empty,
}

impl Log {
    /// The log as lines of JSON. The same log always gives the same bytes.
    pub fn to_json_lines(&self) -> String {
        let mut out = serde_json::to_string(&self.header).expect("a header is plain data");
        for event in &self.events {
            out.push('\n');
            out.push_str(&serde_json::to_string(event).expect("an event is plain data"));
        }
        out.push('\n');
        out
    }

    /// Reads what [`Log::to_json_lines`] wrote.
    ///
    /// # Errors
    /// See [`LogError`].
    pub fn from_json_lines(text: &str) -> Result<Self, LogError> {
        let fail = |line: usize| {
            move |error: serde_json::Error| LogError::Line {
                line: line + 1,
                reason: alloc::format!("{error}"),
            }
        };
        let mut lines = text.lines().enumerate();
        let (_, first) = lines.next().ok_or(LogError::Empty)?;
        let header: LogHeader = serde_json::from_str(first).map_err(fail(0))?;
        if header.lcd_log != LOG_VERSION {
            return Err(LogError::Version(header.lcd_log));
        }
        let events = lines.map(|(number, line)| serde_json::from_str(line).map_err(fail(number)));
        Ok(Self { header, events: events.collect::<Result<_, _>>()? })
    }

    /// Reads a log of which the end may be missing, as it is when whoever wrote it was stopped.
    ///
    /// # Errors
    /// See [`LogError`]. A line that is damaged and has others after it is one.
    pub fn recover(bytes: &[u8]) -> Result<Recovered, LogError> {
        let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let (whole, rest) = bytes.split_at(whole);
        let read = |bytes: &[u8]| {
            let text = core::str::from_utf8(bytes).map_err(|error| {
                let before = &bytes[..error.valid_up_to()];
                let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
                LogError::Line { line, reason: String::from("it is not UTF-8") }
            })?;
            Self::from_json_lines(text)
        };
        let lines = whole.iter().filter(|&&byte| byte == b'\n').count();
        if rest.is_empty() {
            return Ok(Recovered { log: read(whole)?, torn: None });
        }
        // A header that is not whole says nothing of what the log is of.
        if whole.is_empty() {
            return Ok(Recovered { log: read(rest)?, torn: None });
        }
        let mut log = read(whole)?;
        match serde_json::from_slice(rest) {
            Ok(event) => log.events.push(event),
            Err(_) => return Ok(Recovered { log, torn: Some(lines + 1) }),
        }
        Ok(Recovered { log, torn: None })
    }

    /// Whether it goes to the end of its run, at which the memory of every domain that is left is
    /// looked at.
    pub fn is_whole(&self) -> bool {
        let mut open = BTreeSet::new();
        for event in &self.events {
            match event.kind {
                EventKind::DomainCreated { .. } => {
                    open.insert(event.domain);
                }
                EventKind::DomainDestroyed | EventKind::MemoryTotal { .. } => {
                    open.remove(&event.domain);
                }
                _ => {}
            }
        }
        !self.events.is_empty() && open.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::{Log, LogError, LogHeader};
    use crate::address::{Frame, GuestPhysical, GuestVirtual};
    use crate::domain::{DomainId, ThreadId};
    use crate::event::{Digest, Event, EventKind};
    use crate::exit::{Access, End, Exited, KillReason};
    use crate::registers::Registers;
    use alloc::vec;

    fn ended(end: End) -> EventKind {
        EventKind::Ended { end, registers: Registers::default(), at: None, undefined_flags: 0 }
    }

    fn log() -> Log {
        let inputs = Digest::of([b"abc".as_slice()]);
        let header = LogHeader {
            lcd_log: 1,
            backend: "sim".into(),
            world: "test".into(),
            inputs,
            schedule: crate::microkernel::Schedule::Cooperative,
        };
        let fault = KillReason::Fault {
            address: GuestVirtual(0x4000_0000),
            guest_physical: GuestPhysical(0x4000_0000),
            access: Access::Write,
        };
        let kinds = vec![
            EventKind::DomainCreated { name: "main".into() },
            EventKind::Memory {
                page: Some(GuestPhysical(0x1000)),
                frame: Frame(3),
                digest: inputs,
            },
            ended(End::Exit(Exited { value: -22 })),
            ended(End::Killed(fault)),
            ended(End::Killed(KillReason::Timeout)),
        ];
        let thread = Some(ThreadId(0));
        let events = kinds.into_iter().map(|kind| Event { domain: DomainId(0), thread, kind });
        Log { header, events: events.collect() }
    }

    #[test]
    fn a_log_whose_end_is_missing_is_read_as_far_as_it_goes() {
        let text = log().to_json_lines();
        let bytes = text.as_bytes();
        let header = text.lines().next().unwrap().len();
        for length in 0..=bytes.len() {
            let result = Log::recover(&bytes[..length]);
            if length < header {
                assert!(result.is_err(), "cut at {length}");
                continue;
            }
            let recovered = result.unwrap_or_else(|error| panic!("cut at {length}: {error}"));
            // A line is there without what ends it, too.
            let whole = text[..length].lines().count() - 1;
            let torn = recovered.torn.is_some();
            assert_eq!(recovered.log.events.len() + usize::from(torn), whole, "cut at {length}");
            assert_eq!(recovered.log.events, log().events[..recovered.log.events.len()]);
            assert_eq!(recovered.torn.unwrap_or(whole + 1), whole + 1, "cut at {length}");
            assert!(!recovered.log.is_whole());
        }
        // What is damaged in the middle was not cut off.
        let damaged = text.replacen("domain_created", "domain_\u{e9}", 1);
        assert!(matches!(Log::recover(damaged.as_bytes()), Err(LogError::Line { line: 2, .. })));
        let mut bytes = text.clone().into_bytes();
        bytes[header + 5] = 0xff;
        assert!(matches!(Log::recover(&bytes), Err(LogError::Line { line: 2, .. })));
        assert!(matches!(Log::recover(b""), Err(LogError::Empty)));
    }

    #[test]
    fn a_log_is_whole_when_all_memory_has_been_looked_at() {
        let mut log = log();
        assert!(!log.is_whole());
        let end = |domain, kind| Event { domain: DomainId(domain), thread: None, kind };
        log.events.push(end(1, EventKind::DomainCreated { name: "child".into() }));
        log.events.push(end(0, EventKind::MemoryTotal { pages: 1, zero: 1 }));
        assert!(!log.is_whole());
        let (mut destroyed, mut left) = (log.clone(), log);
        destroyed.events.push(end(1, EventKind::DomainDestroyed));
        left.events.push(end(1, EventKind::MemoryTotal { pages: 0, zero: 0 }));
        assert!(destroyed.is_whole() && left.is_whole());
        left.events.clear();
        assert!(!left.is_whole());
    }

    #[test]
    fn a_log_round_trips_through_its_lines() {
        let text = log().to_json_lines();
        assert_eq!(Log::from_json_lines(&text).unwrap(), log());
        for event in log().events {
            let json = serde_json::to_value(&event).unwrap();
            assert_eq!(json["event"], event.kind.word());
            if let EventKind::Ended { end, .. } = event.kind {
                assert_eq!(json["end"]["reason"], end.word());
            }
        }
    }

    #[test]
    fn a_broken_log_names_the_line() {
        let text = log().to_json_lines().replace("memory", "remembered");
        let error = Log::from_json_lines(&text).unwrap_err();
        assert!(matches!(error, LogError::Line { line: 3, .. }), "{error}");
        let other = log().to_json_lines().replace("\"lcd_log\":1", "\"lcd_log\":99");
        assert!(matches!(Log::from_json_lines(&other), Err(LogError::Version(99))));
        assert!(matches!(Log::from_json_lines(""), Err(LogError::Empty)));
    }
}
