//! What a line of the journal can say.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::error::{Result, ResultsError};
use crate::run::{RunKind, RunState};
use crate::signature::Signature;

/// A value as its text, so that what is read back is what was written, digit for digit.
pub(crate) type Json = Box<RawValue>;

/// How deep values may be nested; readers of JSON stop a little later.
const DEPTH_MAX: usize = 100;

/// A value as its text.
///
/// # Errors
///
/// If it is nested too deeply to be read again.
pub(crate) fn json(value: &Value) -> Result<Json> {
    let too_deep = || ResultsError::invalid("a value", "", "it is nested more than 100 deep");
    if !is_within(value, DEPTH_MAX) {
        return Err(too_deep());
    }
    serde_json::value::to_raw_value(value).map_err(|_| too_deep())
}

fn is_within(value: &Value, depth: usize) -> bool {
    let Some(below) = depth.checked_sub(1) else { return false };
    match value {
        Value::Array(values) => values.iter().all(|value| is_within(value, below)),
        Value::Object(members) => members.values().all(|value| is_within(value, below)),
        _ => true,
    }
}

/// A line: what changed, when, and which change it was.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Line {
    /// Numbers increase from line to line, with gaps where lines were removed.
    pub(crate) seq: u64,
    /// When, in milliseconds since the Unix epoch.
    pub(crate) at: i64,
    /// What.
    pub(crate) change: Record,
}

/// What changed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Record {
    ModuleAdded(ModuleAdded),
    ModuleDeleted {
        id: String,
    },
    WorldAdded(WorldAdded),
    WorldDeleted {
        id: String,
    },
    RunCreated(RunCreated),
    RunStarted {
        run: u64,
        host: Json,
    },
    RunFinished(RunFinished),
    RunDeleted {
        run: u64,
        campaign: Option<u64>,
    },
    CampaignCreated(CampaignCreated),
    CampaignStopped {
        campaign: u64,
    },
    CampaignDeleted {
        campaign: u64,
    },
    /// The highest numbers given away so far. Written when lines are removed from the journal,
    /// among them perhaps those with these numbers.
    Numbers {
        runs: u64,
        campaigns: u64,
    },
}

/// A blob: its name and its sizes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BlobRef {
    /// The SHA-256 of its bytes.
    pub(crate) hash: String,
    /// How many bytes it has.
    pub(crate) bytes: u64,
    /// How many its file has.
    pub(crate) stored: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ModuleAdded {
    pub(crate) name: String,
    pub(crate) blob: BlobRef,
    pub(crate) about: Json,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct WorldAdded {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) domains: u32,
    pub(crate) blob: BlobRef,
    pub(crate) about: Json,
    pub(crate) source: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RunCreated {
    pub(crate) run: u64,
    pub(crate) campaign: Option<u64>,
    pub(crate) restarted_from: Option<u64>,
    pub(crate) kind: RunKind,
    pub(crate) world: String,
    pub(crate) world_id: Option<String>,
    pub(crate) request: Json,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RunFinished {
    pub(crate) run: u64,
    pub(crate) state: RunState,
    pub(crate) outcome: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) result: Json,
    pub(crate) signature: Option<Signature>,
    pub(crate) logs: Vec<LogSealed>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LogSealed {
    pub(crate) backend: String,
    pub(crate) blob: BlobRef,
    pub(crate) events: u64,
    pub(crate) seconds: f64,
    pub(crate) instructions: Option<u64>,
    pub(crate) complete: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CampaignCreated {
    pub(crate) campaign: u64,
    pub(crate) name: String,
    pub(crate) request: Json,
    pub(crate) runs: Vec<RunCreated>,
}
