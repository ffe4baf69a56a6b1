//! What was the case at any event of a run: who may do what and has it from whom, and what is
//! mapped where.

use axum::Json;
use axum::extract::State;
use lcd::model::snapshot::{DomainSnapshot, Fold, ObjectSnapshot, Snapshot, SpaceSnapshot};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{events, runs};
use crate::app::App;
use crate::http::extract::{Path, Query};
use crate::problem::{Kind, Problem};
use crate::request::BackendName;

/// When, and on which backend.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct MomentQuery {
    /// Whose log. By default the first that there is.
    #[param(inline)]
    pub backend: Option<BackendName>,
    /// After which event, counted from 0. By default the last that there is.
    pub at: Option<u64>,
    /// Only this domain, by its number.
    pub domain: Option<u32>,
}

/// Who may do what, and has it from whom.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct GraphAnswer {
    /// The backend whose log says so.
    pub backend: String,
    /// After how many events.
    pub events: u64,
    /// The domains and their threads; what is mapped in them is in the address spaces.
    pub domains: Vec<GraphDomain>,
    /// The capability spaces, with what each capability was derived from.
    pub spaces: Vec<SpaceSnapshot>,
    /// What capabilities name.
    pub objects: Vec<ObjectSnapshot>,
}

/// A domain of the capability graph.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct GraphDomain {
    /// Its number.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// How far its life has come.
    pub state: lcd::model::snapshot::DomainStage,
    /// Its threads.
    pub threads: Vec<lcd::model::snapshot::ThreadSnapshot>,
}

/// What is mapped where.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct SpacesAnswer {
    /// The backend whose log says so.
    pub backend: String,
    /// After how many events.
    pub events: u64,
    /// The domains, with all that is mapped in their guest-physical spaces.
    pub domains: Vec<DomainSnapshot>,
}

/// The capability graph at an event: domains, capability spaces, objects, and the derivation tree.
#[utoipa::path(get, path = "/api/v1/runs/{id}/graph", tag = "runs",
    params(("id" = u64, Path, description = "The run's number."), MomentQuery),
    responses((status = 200, description = "It.", body = GraphAnswer)))]
pub(super) async fn graph(
    State(app): State<App>,
    Path(id): Path<u64>,
    Query(query): Query<MomentQuery>,
) -> Result<Json<GraphAnswer>, Problem> {
    let (backend, events, mut snapshot) = moment(&app, id, &query).await?;
    if let Some(domain) = query.domain {
        snapshot.spaces.retain(|space| belongs(space, domain));
        let named: std::collections::BTreeSet<_> = snapshot
            .spaces
            .iter()
            .flat_map(|space| space.capabilities.iter().map(|capability| capability.object))
            .collect();
        snapshot.objects.retain(|object| named.contains(&object.object));
    }
    let domains = snapshot.domains.into_iter().map(|domain| GraphDomain {
        id: domain.id.0,
        name: domain.name,
        state: domain.state,
        threads: domain.threads,
    });
    Ok(Json(GraphAnswer {
        backend,
        events,
        domains: domains.collect(),
        spaces: snapshot.spaces,
        objects: snapshot.objects,
    }))
}

fn belongs(space: &SpaceSnapshot, domain: u32) -> bool {
    use lcd::model::capability::SpaceId;
    matches!(space.space, SpaceId::Domain(id) | SpaceId::Boot(id) if id.0 == domain)
}

/// The address spaces at an event: the pages of each domain, their frames and rights, and the
/// capabilities that they are mapped through.
#[utoipa::path(get, path = "/api/v1/runs/{id}/spaces", tag = "runs",
    params(("id" = u64, Path, description = "The run's number."), MomentQuery),
    responses((status = 200, description = "They.", body = SpacesAnswer)))]
pub(super) async fn spaces(
    State(app): State<App>,
    Path(id): Path<u64>,
    Query(query): Query<MomentQuery>,
) -> Result<Json<SpacesAnswer>, Problem> {
    let (backend, events, snapshot) = moment(&app, id, &query).await?;
    Ok(Json(SpacesAnswer { backend, events, domains: snapshot.domains }))
}

/// What was the case at a moment, on which backend, after how many events.
async fn moment(
    app: &App,
    id: u64,
    query: &MomentQuery,
) -> Result<(String, u64, Snapshot), Problem> {
    let run = runs::find(app, id)?;
    let backend = events::whose(app, &run, query.backend)?;
    let (at, domain) = (query.at, query.domain);
    let asked = app.clone();
    app.blocking(move || {
        let mut lines = events::open(&asked, id, &backend)?;
        lines.header()?;
        let mut fold = Fold::new();
        let mut count = 0;
        while at.is_none_or(|at| count <= at)
            && let Some(event) = lines.event()?
        {
            fold.apply(&event);
            count += 1;
        }
        if let Some(at) = at.filter(|&at| count <= at) {
            let detail = format!("the log has {count} events, so there is no event {at}");
            return Err(Problem::new(Kind::NOT_FOUND, detail));
        }
        let mut snapshot = fold.snapshot();
        if let Some(domain) = domain {
            snapshot.domains.retain(|found| found.id.0 == domain);
            if snapshot.domains.is_empty() {
                return Err(Problem::no_such("domain", domain));
            }
        }
        Ok((backend, count, snapshot))
    })
    .await
}
