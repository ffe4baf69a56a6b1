//! What a server answers, as far as it is looked at here. What else there is does not matter, so that
//! a server may know more than this program.

use std::collections::BTreeMap;
use std::fmt;

use lcd::differential::Case;
use lcd::inspect::ModuleReport;
use serde::Deserialize;

/// Of `/api/v1`.
#[derive(Deserialize)]
pub(super) struct Index {
    /// The server's version of lcd.
    pub version: String,
}

/// Of `/api/v1/backends`.
#[derive(Deserialize)]
pub(super) struct Backends {
    pub items: Vec<BackendAnswer>,
}

#[derive(Deserialize)]
pub(super) struct BackendAnswer {
    pub name: String,
    pub available: bool,
    #[serde(default)]
    pub reason: Option<String>,
}

/// Of `/api/v1/host`, beside the description of the machine.
#[derive(Deserialize)]
pub(super) struct HostLimits {
    pub limits: Limits,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Limits {
    pub world_bytes: u64,
}

/// Of `/api/v1/worlds/{id}`.
#[derive(Deserialize)]
pub(super) struct WorldAnswer {
    pub id: String,
}

/// Of an upload to `/api/v1/modules`.
#[derive(Deserialize)]
pub(super) struct ModuleAnswer {
    pub id: String,
    pub name: String,
}

/// Of `/api/v1/modules/{id}`.
#[derive(Deserialize)]
pub(super) struct ModuleDetails {
    pub report: ModuleReport,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RunState {
    Queued,
    Running,
    Finished,
    Failed,
    Cancelled,
    Interrupted,
}

impl RunState {
    pub(super) const fn is_over(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

/// Of a new run, and each time that a run has a new state.
#[derive(Deserialize)]
pub(super) struct RunAnswer {
    pub id: u64,
    pub state: RunState,
    #[serde(default)]
    pub reason: Option<String>,
    #[serde(default)]
    pub progress: Option<Progress>,
}

#[derive(Deserialize)]
pub(super) struct Progress {
    #[serde(default)]
    pub before: Option<u64>,
    #[serde(default)]
    pub events: BTreeMap<String, u64>,
}

/// How far a run is, in a few words.
impl fmt::Display for RunAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let progress = self.progress.as_ref();
        match (self.state, progress.and_then(|progress| progress.before)) {
            (RunState::Queued, Some(0)) => f.write_str("is next"),
            (RunState::Queued, Some(before)) => write!(f, "waits, {before} before it"),
            (RunState::Queued, None) => f.write_str("waits"),
            (RunState::Running, _) => {
                let events = progress.map_or(0, |progress| progress.events.values().sum::<u64>());
                match events {
                    0 => f.write_str("runs"),
                    _ => write!(f, "runs, {events} events"),
                }
            }
            _ => f.write_str("is over"),
        }
    }
}

/// Of `/api/v1/runs/{id}`.
#[derive(Deserialize)]
pub(super) struct RunDetails {
    #[serde(flatten)]
    pub run: RunAnswer,
    pub logs: Vec<LogAnswer>,
}

#[derive(Deserialize)]
pub(super) struct LogAnswer {
    pub backend: String,
    pub events: u64,
    pub seconds: f64,
    #[serde(default)]
    pub instructions: Option<u64>,
    pub complete: bool,
}

/// Of `/api/v1/runs/{id}/report`.
#[derive(Deserialize)]
pub(super) struct ReportAnswer {
    pub run: RunDetails,
    #[serde(default)]
    pub case: Option<Case>,
}

#[cfg(test)]
mod tests {
    use super::{HostLimits, RunDetails};

    #[test]
    fn limits_are_read() {
        let limits = lcd_server::config::Limits::default();
        let answer = serde_json::json!({ "lcd": "1.0", "limits": limits }).to_string();
        let read: HostLimits = serde_json::from_str(&answer).unwrap();
        assert_eq!(read.limits.world_bytes, limits.world_bytes as u64);
    }

    #[test]
    fn a_run_says_how_far_it_is() {
        let read = |rest: &str| {
            let text = format!(r#"{{"id": 7, "world": "w", "logs": [], "new": 1, {rest}}}"#);
            serde_json::from_str::<RunDetails>(&text).map(|details| details.run.to_string())
        };
        let said = |rest| read(rest).unwrap();
        assert_eq!(
            said(r#""state": "queued", "progress": {"before": 3, "events": {}}"#),
            "waits, 3 before it"
        );
        assert_eq!(said(r#""state": "queued", "progress": {"before": 0}"#), "is next");
        let running = r#""state": "running", "progress": {"events": {"native": 2, "sim": 5}}"#;
        assert_eq!(said(running), "runs, 7 events");
        assert_eq!(said(r#""state": "running""#), "runs");
        assert_eq!(said(r#""state": "failed", "reason": "it was too much""#), "is over");
        assert!(read(r#""state": "dreaming""#).is_err());
    }
}
