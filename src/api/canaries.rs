//! The register of canaries. Values only on request, and every reveal is a journal entry.

use crate::{
    api::{
        access::{Caller, Right},
        long,
        problem::Problem,
        stores::acted,
    },
    domain::placement::State as PlacementState,
    flow::{
        aliases::{self, Format},
        context::Context,
        sigma,
    },
    ledger::placements::PlacementRow,
};
use axum::{
    extract::{Query, State},
    http::header,
    response::{IntoResponse, Response},
};
use canaries::{CanaryId, MarkerKind};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Which canaries, and whether with values.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    pub store: Option<String>,
    #[serde(default)]
    pub reveal: bool,
}

/// One line of the register.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Registered {
    pub canary: CanaryId,
    /// The coded persona that stands here and in other stores: sightings name it; absent of others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persona: Option<CanaryId>,
    pub kind: String,
    pub store: String,
    /// Only with `reveal`.
    pub locator: Option<String>,
    pub generation: u32,
    pub state: PlacementState,
    pub markers: Vec<RegisteredMarker>,
}

/// A marker of the register.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegisteredMarker {
    pub kind: MarkerKind,
    /// Only with `reveal`.
    pub value: Option<String>,
}

/// Of which canaries rules are wanted.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct RulesOf {
    pub store: Option<String>,
}

/// Sigma rules for the logins and mail aliases of canaries. They hold the values: a reveal, journaled as one.
#[utoipa::path(get, path = "/api/v1/canaries/sigma", tag = "canaries", params(RulesOf),
    responses((status = 200, description = "YAML documents", content_type = "application/yaml"), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn sigma(
    State(context): State<Arc<Context>>,
    caller: Caller,
    Query(wanted): Query<RulesOf>,
) -> Result<Response, Problem> {
    caller.needs(Right::Investigate)?;
    if let Some(store) = &wanted.store {
        context.store(store)?;
    }
    let chosen: Vec<String> = wanted.store.iter().cloned().collect();
    acted(&context, &caller, "reveal", &chosen).await?;
    context.settle()?;
    let made = tokio::task::spawn_blocking(move || sigma::rules(&context, wanted.store.as_deref()));
    let (text, _) = made.await.map_err(anyhow::Error::from)??;
    Ok(([(header::CONTENT_TYPE, "application/yaml")], text).into_response())
}

/// For which mail system, of which store's canaries, and where their mail is to go.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct AliasesFor {
    /// `postfix`, `exchange` or `google`.
    #[param(value_type = String)]
    pub format: Format,
    /// An address, or for Postfix a mail server as `host:port`. Left out: `telltale@` the first alias domain, where no canary is on
    /// that.
    pub to: Option<String>,
    pub store: Option<String>,
}

/// The routing of canaries' mail addresses for the house's own mail system: a table, a script or lines. A reveal, journaled as
/// one.
#[utoipa::path(get, path = "/api/v1/canaries/aliases", tag = "canaries", params(AliasesFor),
    responses((status = 200, description = "The routing", content_type = "text/plain"), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn export_aliases(
    State(context): State<Arc<Context>>,
    caller: Caller,
    Query(wanted): Query<AliasesFor>,
) -> Result<Response, Problem> {
    caller.needs(Right::Investigate)?;
    if let Some(store) = &wanted.store {
        context.store(store)?;
    }
    let chosen: Vec<String> = wanted.store.iter().cloned().collect();
    acted(&context, &caller, "reveal", &chosen).await?;
    context.settle()?;
    let made = tokio::task::spawn_blocking(move || {
        aliases::export(&context, wanted.format, wanted.to.as_deref(), wanted.store.as_deref())
    });
    let (text, _) = made.await.map_err(anyhow::Error::from)??;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

/// The register, one object a line.
#[utoipa::path(get, path = "/api/v1/canaries", tag = "canaries", params(Filter),
    responses((status = 200, description = "NDJSON, one canary a line"), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn list(
    State(context): State<Arc<Context>>,
    caller: Caller,
    Query(filter): Query<Filter>,
) -> Result<Response, Problem> {
    if filter.reveal || !caller.role.may(Right::Plant) {
        caller.needs(Right::Investigate)?;
    }
    if let Some(store) = &filter.store {
        context.store(store)?;
    }
    if filter.reveal {
        let chosen: Vec<String> = filter.store.iter().cloned().collect();
        acted(&context, &caller, "reveal", &chosen).await?;
    }
    context.settle()?;
    let placements = context.ledger.placements(filter.store.as_deref()).map_err(Problem::from)?;
    let (lines, answer) = mpsc::channel::<Registered>(64);
    tokio::spawn(async move {
        for PlacementRow { placement, .. } in placements {
            let Ok(Some(contents)) = context.ledger.contents(&context.journal, placement.canary) else { continue };
            let registered = Registered {
                canary: placement.canary,
                persona: placement.persona.map(|persona| persona.id),
                kind: placement.kind,
                store: placement.store,
                locator: contents.locator.filter(|_| filter.reveal),
                generation: placement.generation,
                state: placement.state,
                markers: contents
                    .markers
                    .into_iter()
                    .map(|marker| RegisteredMarker {
                        kind: marker.kind,
                        value: Some(marker.value).filter(|_| filter.reveal),
                    })
                    .collect(),
            };
            if lines.send(registered).await.is_err() {
                return;
            }
        }
    });
    Ok(long::stream(answer))
}
