//! Reports and case files of incidents, and the erasing of what was taken in. Each is a look, or an act, on the record.

use crate::{
    api::{
        access::{Investigate, May},
        problem::Problem,
    },
    case::{
        bundle,
        drafts::{self, Draft, Language},
        gather, html, pdf,
        report::Report,
    },
    domain::record::Record,
    flow::{
        context::Context,
        erase::{self, Erased},
        error::FlowError,
    },
};
use axum::{
    Json,
    extract::{Path, Query, State},
    http::header,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Which form a report takes.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// `html` (unless told otherwise), `pdf`, `json`, or a draft: `cnil`, `people`
    pub format: Option<String>,
    /// Of a draft: `fr` (unless told otherwise) or `en`
    pub language: Option<String>,
}

/// Whether values come with the case file.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// Open the sightings, with what was received
    #[serde(default)]
    pub reveal: bool,
}

/// What to erase.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Erase {
    /// A canary's id, or the name of an evidence file.
    pub of: String,
}

/// The report on an incident.
#[utoipa::path(get, path = "/api/v1/incidents/{id}/report", tag = "incidents", params(("id" = String, Path), Form),
    responses((status = 200, description = "The report"), (status = 404, body = Problem)))]
pub async fn report(
    State(context): State<Arc<Context>>,
    caller: May<Investigate>,
    Path(id): Path<String>,
    Query(form): Query<Form>,
) -> Result<Response, Problem> {
    let format = form.format.as_deref().unwrap_or("html").to_owned();
    if !["html", "pdf", "json", "cnil", "people"].contains(&format.as_str()) {
        return Err(Problem::bad_request("format: html, pdf, json, cnil and people are known"));
    }
    let language: Language = form
        .language
        .as_deref()
        .unwrap_or("fr")
        .parse()
        .map_err(|why| Problem::bad_request(format!("language: {why}")))?;
    known(&context, &id)?;
    looked(&context, &caller, "report", format!("{id} as {format}")).await?;
    let (read, kind) = (context.clone(), format.clone());
    let bytes = tokio::task::spawn_blocking(move || {
        let report = Report::of(&gather::gather(&read, &id, false, u64::MAX)?);
        Ok::<Vec<u8>, FlowError>(match kind.as_str() {
            "pdf" => pdf::document(&report),
            "json" => report.to_json().into_bytes(),
            "cnil" => drafts::draft(&report, Draft::Cnil, language)?.into_bytes(),
            "people" => drafts::draft(&report, Draft::People, language)?.into_bytes(),
            _ => html::page(&report)?.into_bytes(),
        })
    })
    .await
    .map_err(anyhow::Error::from)??;
    let kind = match format.as_str() {
        "pdf" => "application/pdf",
        "json" => "application/json",
        "html" => "text/html; charset=utf-8",
        _ => "text/markdown; charset=utf-8",
    };
    Ok(([(header::CONTENT_TYPE, kind)], bytes).into_response())
}

/// The case file of an incident, as one tar file that unpacks to a BagIt bag.
#[utoipa::path(post, path = "/api/v1/incidents/{id}/export", tag = "incidents", params(("id" = String, Path), Export),
    responses((status = 200, description = "The bag", content_type = "application/x-tar"), (status = 404, body = Problem)))]
pub async fn export(
    State(context): State<Arc<Context>>,
    caller: May<Investigate>,
    Path(id): Path<String>,
    Query(export): Query<Export>,
) -> Result<Response, Problem> {
    known(&context, &id)?;
    let (action, detail) = if export.reveal { ("reveal", format!("export {id}")) } else { ("export", id.clone()) };
    looked(&context, &caller, action, detail).await?;
    let (whole, _) = context.journal.checkpoint().await.map_err(FlowError::from)?;
    let read = context.clone();
    let archive = tokio::task::spawn_blocking(move || {
        let files = bundle::bundle(&read, &id, &whole, export.reveal)?;
        bundle::archive(&files).map_err(|error| FlowError::from(anyhow::Error::from(error)))
    })
    .await
    .map_err(anyhow::Error::from)??;
    Ok(([(header::CONTENT_TYPE, "application/x-tar")], archive).into_response())
}

/// Destroys the key of a withdrawn canary or of an evidence file. It cannot be undone; older backups still hold the key.
#[utoipa::path(post, path = "/api/v1/evidence/erase", tag = "journal", request_body = Erase,
    responses((status = 200, description = "What was erased, and what remains elsewhere"), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn erase(
    State(context): State<Arc<Context>>,
    caller: May<Investigate>,
    Json(asked): Json<Erase>,
) -> Result<Json<Erased>, Problem> {
    Ok(Json(erase::erase(&context, &asked.of, caller.actor.clone()).await?))
}

fn known(context: &Context, id: &str) -> Result<(), Problem> {
    context.settle()?;
    let found = context.ledger.incident(id)?;
    found.map(drop).ok_or_else(|| Problem::not_found(format!("no incident has the id {id:?}")))
}

async fn looked(context: &Context, caller: &May<Investigate>, action: &str, detail: String) -> Result<(), Problem> {
    let record = Record::Acted { by: caller.actor.clone(), action: action.to_owned(), detail };
    context.append_one(&record).await.map_err(FlowError::from)?;
    Ok(())
}
