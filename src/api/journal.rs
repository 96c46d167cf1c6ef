//! The journal: read by auditors, verified, backed up.

use crate::{
    api::{
        access::{Administer, Audit, Caller, May, Right},
        incidents::Page,
        problem::Problem,
    },
    domain::{placement::Placement, record::Record},
    flow::{context::Context, error::FlowError, intact},
    journal::{backup, verify},
};
use axum::{
    Json,
    body::Body,
    extract::{Query, State},
    http::header,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio_util::io::ReaderStream;

/// Entries in order. What is sealed under a canary's or file's own key is named, not shown.
#[utoipa::path(get, path = "/api/v1/journal", tag = "journal", params(Page),
    responses((status = 200, description = "items, next_cursor"), (status = 403, body = Problem)))]
pub async fn list(
    State(context): State<Arc<Context>>,
    _: May<Audit>,
    Query(page): Query<Page>,
) -> Result<Json<Value>, Problem> {
    let from = match page.cursor.as_deref().map(str::parse::<u64>) {
        None => 0,
        Some(Ok(from)) => from,
        Some(Err(_)) => return Err(Problem::bad_request("cursor: not one that this list gave")),
    };
    let mut items = Vec::new();
    let mut next = None;
    for entry in context.journal.read(from) {
        let entry = entry.map_err(anyhow::Error::from)?;
        if items.len() == page.size() {
            next = Some(entry.seq.to_string());
            break;
        }
        let shown = match &entry.record {
            Err(_) => json!("erased"),
            Ok(record) => outline(record),
        };
        items.push(json!({ "seq": entry.seq, "at": entry.at, "entry": shown }));
    }
    Ok(Json(json!({ "items": items, "next_cursor": next })))
}

fn outline(record: &Record) -> Value {
    match record {
        // Which lots were drawn is not shown: whoever knows them can choose what accuses a store.
        Record::Drawn { store, generation, lots } => {
            json!({ "record": "drawn", "store": store, "generation": generation, "lots": lots.len() })
        }
        Record::Planned { placement, .. } => {
            json!({ "record": "planned", "placement": Placement { persona: None, ..placement.clone() } })
        }
        Record::Planted { canary, .. } => json!({ "record": "planted", "canary": canary }),
        Record::Revising { canary, version, .. } => {
            json!({ "record": "revising", "canary": canary, "version": version })
        }
        Record::Revised { canary, version, .. } => {
            json!({ "record": "revised", "canary": canary, "version": version })
        }
        Record::Sighted { sighting, .. } => json!({ "record": "sighted", "sighting": sighting }),
        Record::Held { .. } => json!({ "record": "held" }),
        Record::TokenIssued { id, name, role, by, .. } => {
            json!({ "record": "token_issued", "id": id, "name": name, "role": role, "by": by })
        }
        open => serde_json::to_value(open).unwrap_or(Value::Null),
    }
}

/// Checks every byte of the journal against its chain, its tree and its signed checkpoint, and the files that were taken in
/// against the digests that it holds.
#[utoipa::path(post, path = "/api/v1/journal/verify", tag = "journal",
    responses((status = 200, description = "entries, root, faults"), (status = 403, body = Problem)))]
pub async fn check(State(context): State<Arc<Context>>, caller: Caller) -> Result<Json<Value>, Problem> {
    if !caller.role.may(Right::Audit) {
        caller.needs(Right::Investigate)?;
    }
    let (folder, vkey) = (context.data.clone(), context.journal.vkey().clone());
    let (checkpoint, _) = context.journal.checkpoint().await.map_err(FlowError::from)?;
    let report = tokio::task::spawn_blocking(move || verify::verify_up_to(&folder, &vkey, Some(checkpoint.size)))
        .await
        .map_err(anyhow::Error::from)?;
    let read = context.clone();
    let held = tokio::task::spawn_blocking(move || intact::intact(&read)).await.map_err(anyhow::Error::from)??;
    let mut faults: Vec<String> =
        report.faults.iter().map(|fault| format!("{} entry {}: {}", fault.file, fault.seq, fault.what)).collect();
    faults.extend(held.faults);
    Ok(Json(json!({
        "entries": report.entries,
        "evidence_files": held.sound,
        "root": data_encoding::BASE64.encode(&report.root),
        "checkpoint_ok": report.checkpoint_ok,
        "vkey": context.journal.vkey().to_string(),
        "faults": faults,
    })))
}

/// Journal, keyring and evidence as one consistent file, also while serving.
#[utoipa::path(post, path = "/api/v1/backup", tag = "journal",
    responses((status = 200, description = "The backup", content_type = "application/octet-stream"), (status = 403, body = Problem)))]
pub async fn back_up(State(context): State<Arc<Context>>, caller: May<Administer>) -> Result<Response, Problem> {
    crate::api::stores::acted(&context, &caller, "backup", &["journal, keyring, evidence".to_owned()]).await?;
    // Written whole beside the journal first: what is streamed is a finished backup.
    let path = context.data.join(format!("backup-{}.tmp", uuid::Uuid::now_v7()));
    let made = backup::back_up(&context.journal, &path).await;
    let opened = tokio::fs::File::open(&path).await;
    let removed = tokio::fs::remove_file(&path).await;
    made.map_err(anyhow::Error::from)?;
    removed.map_err(anyhow::Error::from)?;
    let body = Body::from_stream(ReaderStream::new(opened.map_err(anyhow::Error::from)?));
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], body).into_response())
}

/// A new master key wraps the keyring from now on.
#[utoipa::path(post, path = "/api/v1/keys/rotate", tag = "journal",
    request_body(content = String, content_type = "text/plain", description = "The new master key"),
    responses((status = 204, description = "The keyring is wrapped anew"), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub async fn rotate_keys(
    State(context): State<Arc<Context>>,
    caller: May<Administer>,
    key: String,
) -> Result<axum::http::StatusCode, Problem> {
    let key = crate::journal::master::MasterKey::read(&crate::domain::secret::Secret::new(key.trim()))
        .map_err(|error| Problem::bad_request(error.to_string()))?;
    crate::api::stores::acted(&context, &caller, "keys rotate", &["keyring".to_owned()]).await?;
    context.keyring.rewrap(&key).map_err(anyhow::Error::from)?;
    Ok(axum::http::StatusCode::NO_CONTENT)
}
