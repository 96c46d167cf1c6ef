//! Incidents: read and moved.

use crate::{
    api::{
        access::{Incidents, May, Right},
        problem::Problem,
    },
    case::report::Notification,
    domain::{
        alert::AlertType,
        incident::{Incident, State as IncidentState},
        record::Record,
    },
    flow::{
        context::Context,
        details::details,
        error::FlowError,
        judge, route,
        voices::{self, RestsOn},
    },
    ledger::incidents::Clock,
};
use axum::{
    Json,
    extract::{Path, Query, State},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

/// Part of a longer list.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// Items a page: 100 unless told, 1000 at most.
    pub limit: Option<usize>,
}

impl Page {
    /// The limit that holds.
    pub fn size(&self) -> usize {
        self.limit.unwrap_or(100).clamp(1, 1000)
    }
}

/// An incident as the API shows it.
pub fn shown(incident: &Incident) -> Value {
    json!({
        "id": incident.id,
        "state": incident.state,
        "severity": incident.severity,
        "opened_at": incident.opened_at,
        "updated_at": incident.updated_at,
        "sightings": incident.sightings,
        "sensors": incident.sensors,
        "canaries": incident.canaries,
        "mails": incident.mails,
        "drill": incident.drill,
        "attribution": incident.attribution,
    })
}

/// Incidents, newest first.
#[utoipa::path(get, path = "/api/v1/incidents", tag = "incidents", params(Page),
    responses((status = 200, description = "items, next_cursor"), (status = 403, body = Problem)))]
pub async fn list(
    State(context): State<Arc<Context>>,
    _: May<Incidents>,
    Query(page): Query<Page>,
) -> Result<Json<Value>, Problem> {
    context.settle()?;
    let (incidents, next) = context.ledger.incidents(page.cursor.as_deref(), page.size())?;
    let items: Vec<Value> = incidents.iter().map(shown).collect();
    Ok(Json(json!({ "items": items, "next_cursor": next })))
}

/// One incident: how strong its verdict is without each sensor and reporter, who had looked before, and how far its alerts
/// have come at each sink.
#[utoipa::path(get, path = "/api/v1/incidents/{id}", tag = "incidents", params(("id" = String, Path)),
    responses((status = 200, description = "The incident"), (status = 404, body = Problem)))]
pub async fn show(
    State(context): State<Arc<Context>>,
    _: May<Incidents>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    context.settle()?;
    let incident = known(&context, &id)?;
    let RestsOn { rests_on, reveals } = voices::rests_on(&context, &incident)?;
    let mut answer = shown(&incident);
    answer["rests_on"] = json!(rests_on);
    answer["reveals"] = json!(reveals);
    answer["deliveries"] = json!(context.ledger.deliveries_of(&context.journal, &id)?);
    // A rehearsal starts no clock.
    let clock = if incident.drill { Clock::default() } else { context.ledger.clock(&id)? };
    answer["notification"] = json!(Notification::from(clock));
    Ok(Json(answer))
}

/// Its sightings, oldest first, each with what its evidence tells: `details`, in which analysts see no marker.
#[utoipa::path(get, path = "/api/v1/incidents/{id}/sightings", tag = "incidents", params(("id" = String, Path), Page),
    responses((status = 200, description = "items, next_cursor"), (status = 404, body = Problem)))]
pub async fn sightings(
    State(context): State<Arc<Context>>,
    caller: May<Incidents>,
    Path(id): Path<String>,
    Query(page): Query<Page>,
) -> Result<Json<Value>, Problem> {
    context.settle()?;
    known(&context, &id)?;
    let after: u64 = match page.cursor.as_deref().map(str::parse) {
        None => 0,
        Some(Ok(after)) => after,
        Some(Err(_)) => return Err(Problem::bad_request("cursor: not one that this list gave")),
    };
    let mut joined = context.ledger.sightings_of(&id)?;
    joined.retain(|seq| *seq > after);
    let more = joined.len() > page.size();
    joined.truncate(page.size());
    let next = joined.last().filter(|_| more).map(|last| last.to_string());
    let plain = caller.role.may(Right::Investigate);
    let mut items = Vec::with_capacity(joined.len());
    for seq in joined {
        let Some((mut sighting, evidence)) = context.ledger.evidence(&context.journal, seq)? else { continue };
        if let Some(mail) = sighting.mail.as_mut().filter(|_| !plain) {
            **mail = mail.without_names();
        }
        let mut item = json!(sighting);
        let mut details = details(sighting.class, &evidence);
        if !plain {
            let contents = context.ledger.contents(&context.journal, sighting.canary)?;
            let own = contents.map(|contents| contents.markers).unwrap_or_default();
            let index = context.index.read().expect("no thread panics while it holds the index");
            details = details.without_markers(&index, &own);
        }
        item["details"] = json!(details.shortened());
        items.push(item);
    }
    Ok(Json(json!({ "items": items, "next_cursor": next })))
}

/// Open to acknowledged.
#[utoipa::path(post, path = "/api/v1/incidents/{id}/ack", tag = "incidents", params(("id" = String, Path)),
    responses((status = 200, description = "The incident"), (status = 409, body = Problem)))]
pub async fn acknowledge(
    State(context): State<Arc<Context>>,
    caller: May<Incidents>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    transition(&context, &caller, &id, IncidentState::Acknowledged).await
}

/// To closed; its sinks are told.
#[utoipa::path(post, path = "/api/v1/incidents/{id}/close", tag = "incidents", params(("id" = String, Path)),
    responses((status = 200, description = "The incident"), (status = 409, body = Problem)))]
pub async fn close(
    State(context): State<Arc<Context>>,
    caller: May<Incidents>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    transition(&context, &caller, &id, IncidentState::Closed).await
}

async fn transition(
    context: &Context,
    caller: &May<Incidents>,
    id: &str,
    state: IncidentState,
) -> Result<Json<Value>, Problem> {
    let mut judging = context.judging.lock().await;
    context.settle()?;
    let mut incident = known(context, id)?;
    if incident.state == IncidentState::Closed {
        return Err(Problem::new(axum::http::StatusCode::CONFLICT, format!("{id} is closed already")));
    }
    // Whoever asks twice tells nobody twice.
    if incident.state == state {
        return Ok(Json(shown(&incident)));
    }
    incident.state = state;
    incident.updated_at = context.now();
    let (alert_type, sinks) = match state {
        IncidentState::Closed => (AlertType::IncidentClosed, route::sinks(context, &incident, &[])?),
        _ => (AlertType::IncidentUpdated, route::acknowledged(context, id)?),
    };
    let told = state == IncidentState::Closed || !sinks.is_empty();
    let mut alert = told.then(|| judge::alert(context, alert_type, &incident, &[]));
    if let Some(alert) = alert.as_mut().filter(|alert| alert.alert_type == AlertType::IncidentUpdated) {
        alert.summary = format!("{id} was acknowledged: somebody looks into it.");
    }
    let moved = Record::IncidentMoved {
        incident: incident.clone(),
        judged: context.ledger.judged()?,
        joined: Vec::new(),
        alert,
        sinks,
        by: caller.actor.clone(),
    };
    context.append_one(&moved).await.map_err(FlowError::from)?;
    if state == IncidentState::Closed {
        judging.forget(id);
    }
    context.settle()?;
    context.due.notify_waiters();
    Ok(Json(shown(&incident)))
}

pub(crate) fn known(context: &Context, id: &str) -> Result<Incident, Problem> {
    context.ledger.incident(id)?.ok_or_else(|| {
        Problem::not_found(format!("no incident has the id {id:?}: `telltale incidents list` shows them"))
    })
}
