//! Campaigns: many runs that belong together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Results;
use crate::committer::Draft;
use crate::error::{Result, ResultsError};
use crate::index::{Failure, campaigns, runs};
use crate::page::Page;
use crate::record::{CampaignCreated, Record, json};
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
        let request = json(&campaign.request)?;
        let requests =
            campaign.runs.iter().map(|run| json(&run.request)).collect::<Result<Vec<_>>>()?;
        self.change(move |draft| {
            let id = draft.numbers.campaigns + 1;
            let mut runs = Vec::with_capacity(campaign.runs.len());
            for ((run, request), number) in
                campaign.runs.into_iter().zip(requests).zip(draft.numbers.runs + 1..)
            {
                let run = NewRun { campaign: Some(id), ..run };
                run.check(draft)?;
                runs.push(run.into_created(number, request));
            }
            let name = campaign.name;
            let created = CampaignCreated { campaign: id, name, request, runs };
            draft.record(Record::CampaignCreated(created))?;
            expect(draft, id)
        })
    }

    /// The campaign with this number.
    ///
    /// # Errors
    ///
    /// [`ResultsError::Damaged`] if the index is.
    pub fn campaign(&self, id: u64) -> Result<Option<Campaign>> {
        self.read("reading a campaign", |index| campaigns::get(index, id))
    }

    /// Campaigns, newest first. Their numbers are their ids.
    ///
    /// # Errors
    ///
    /// [`ResultsError::Damaged`] if the index is.
    pub fn campaigns(&self, page: Page) -> Result<Vec<Campaign>> {
        self.read("listing campaigns", |index| campaigns::list(index, page))
    }

    /// Notes that somebody stopped a campaign. Its runs are for the caller to cancel. Stopping
    /// it again changes nothing.
    ///
    /// # Errors
    ///
    /// [`ResultsError::NotFound`] if there is no such campaign.
    pub fn stop_campaign(&self, id: u64) -> Result<Campaign> {
        self.change(move |draft| {
            if expect(draft, id)?.stopped_at.is_none() {
                draft.record(Record::CampaignStopped { campaign: id })?;
            }
            expect(draft, id)
        })
    }

    /// Forgets a campaign with its runs and their logs.
    ///
    /// # Errors
    ///
    /// [`ResultsError::NotFound`], and [`ResultsError::InUse`] while a run of it is queued or
    /// running.
    pub fn delete_campaign(&self, id: u64) -> Result<()> {
        self.delete(move |draft| {
            expect(draft, id)?;
            if let Some(run) = runs::going_on(draft.index, id)? {
                let why = format!("run {run} of it is queued or running");
                let (what, id) = ("campaign", id.to_string());
                return Err(ResultsError::InUse { what, id, why }.into());
            }
            draft.record(Record::CampaignDeleted { campaign: id }).map(drop)
        })
    }
}

/// The campaign, which must be there.
fn expect(draft: &Draft<'_>, id: u64) -> std::result::Result<Campaign, Failure> {
    Ok(campaigns::get(draft.index, id)?.ok_or_else(|| ResultsError::not_found("campaign", id))?)
}
