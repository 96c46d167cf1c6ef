//! What was received with an incident's sightings, byte for byte: for investigators, and every look is a journal entry.

use crate::{
    api::{
        access::{Investigate, May},
        incidents::known,
        long,
        problem::Problem,
    },
    domain::record::Record,
    flow::{context::Context, error::FlowError},
};
use axum::{
    extract::{Path, State},
    response::Response,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::mpsc;

/// The evidence of each sighting, oldest first, as NDJSON: `{sighting, at, sensor, service, source_ip, canary, bytes}`, the
/// bytes in base64. What was found in material is kept as a file of its own: there the bytes are `null`.
#[utoipa::path(get, path = "/api/v1/incidents/{id}/evidence", tag = "incidents", params(("id" = String, Path)),
    responses((status = 200, description = "NDJSON, one sighting a line"), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn show(
    State(context): State<Arc<Context>>,
    caller: May<Investigate>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    context.settle()?;
    known(&context, &id)?;
    let (by, detail) = (caller.actor.clone(), format!("evidence of {id}"));
    let looked = Record::Acted { by, action: "reveal evidence".to_owned(), detail };
    context.append_one(&looked).await.map_err(FlowError::from)?;
    let sightings = context.ledger.sightings_of(&id)?;
    let (lines, answer) = mpsc::channel::<Value>(16);
    tokio::spawn(async move {
        for seq in sightings {
            let Ok(Some((sighting, bytes))) = context.ledger.evidence(&context.journal, seq) else { continue };
            let bytes = (!bytes.is_empty()).then(|| STANDARD.encode(&bytes));
            let line = json!({
                "sighting": sighting.id, "at": sighting.at, "sensor": sighting.sensor, "service": sighting.service,
                "source_ip": sighting.source_ip, "canary": sighting.canary, "bytes": bytes,
            });
            if lines.send(line).await.is_err() {
                return;
            }
        }
    });
    Ok(long::stream(answer))
}
