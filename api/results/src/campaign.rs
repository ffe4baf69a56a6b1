//! Campaigns: many runs that belong together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Results;
use crate::error::{Result, ResultsError};
use crate::page::Page;
use crate::run::{NewRun, RunState};

/// A campaign to put into the queue.
#[derive(Debug, Clone, PartialEq)]
pub struct NewCampaign {
    /// Its name.
    pub name: String,
    /// What was asked for, as the caller likes to have it back.
    pub request: Value,
    /// Its runs. Whatever their `campaign` says, they belong to this one.
    pub runs: Vec<NewRun>,
}

/// How many runs there are of which kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All of them.
    pub total: u64,
    /// By their states. A state that no run is in is not in it.
    pub states: BTreeMap<RunState, u64>,
    /// By their outcomes. Runs without one are not in it.
    pub outcomes: BTreeMap<String, u64>,
}

/// A campaign.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Campaign {
    /// Its number: 1 is the first, and none is used twice.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// What was asked for.
    pub request: Value,
    /// When it was put into the queue, in milliseconds since the Unix epoch.
    pub created_at: i64,
    /// When somebody stopped it.
    pub stopped_at: Option<i64>,
    /// Its runs.
    pub runs: Counts,
}

impl Results {
    /// Puts a campaign with all its runs into the queue: all of it, or nothing.
    ///
    /// # Errors
    ///
    /// [`ResultsError::NotFound`] if the world of a run is not there.
    pub fn create_campaign(&self, campaign: NewCampaign) -> Result<Campaign> {
        let _ = campaign;
        Err(self.unwritten())
    }

    /// The campaign with this number.
    ///
    /// # Errors
    ///
    /// [`ResultsError::Damaged`] if the index is.
    pub fn campaign(&self, id: u64) -> Result<Option<Campaign>> {
        let _ = id;
        Err(self.unwritten())
    }

    /// Campaigns, newest first. Their numbers are their ids.
    ///
    /// # Errors
    ///
    /// [`ResultsError::Damaged`] if the index is.
    pub fn campaigns(&self, page: Page) -> Result<Vec<Campaign>> {
        let _ = page;
        Err(self.unwritten())
    }

    /// Notes that somebody stopped a campaign. Its runs are for the caller to cancel. Stopping
    /// it again changes nothing.
    ///
    /// # Errors
    ///
    /// [`ResultsError::NotFound`] if there is no such campaign.
    pub fn stop_campaign(&self, id: u64) -> Result<Campaign> {
        let _ = id;
        Err(self.unwritten())
    }

    /// Forgets a campaign with its runs and their logs.
    ///
    /// # Errors
    ///
    /// [`ResultsError::NotFound`], and [`ResultsError::InUse`] while a run of it is queued or
    /// running.
    pub fn delete_campaign(&self, id: u64) -> Result<()> {
        let _ = id;
        Err(self.unwritten())
    }
}
