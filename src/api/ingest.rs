//! What login endpoints send. The answer never tells which lines were canaries.

use crate::{
    api::{
        access::{Ingest, May},
        problem::Problem,
    },
    flow::{context::Context, error::FlowError, observe},
    sensors::logins,
};
use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use std::sync::Arc;

/// Events of one request that wait for the journal together.
const AT_ONCE: usize = 1024;

/// One login event as JSON, or many as NDJSON.
#[utoipa::path(post, path = "/api/v1/logins", tag = "ingest", request_body(content = String, content_type = "application/x-ndjson"),
    responses((status = 202, description = "accepted, refused"), (status = 422, body = Problem, description = "No line is a login event: a problem that also bears accepted and refused"), (status = 503, body = Problem)))]
pub async fn post_logins(
    State(context): State<Arc<Context>>,
    caller: May<Ingest>,
    body: Bytes,
) -> Result<Response, Problem> {
    let parsed = logins::parse(&body, &caller.actor, context.now());
    let accepted = parsed.touches.len();
    let made = stream::iter(parsed.touches)
        .map(|touch| observe::observe(&context, touch, context.drill))
        .buffer_unordered(AT_ONCE)
        .try_for_each(|_| std::future::ready(Ok(())));
    if let Err(error) = made.await {
        context.refuse(logins::SENSOR, "not_durable");
        return Err(FlowError::from(error).into());
    }
    let told = json!({ "accepted": accepted, "refused": parsed.refused });
    if accepted > 0 {
        return Ok((StatusCode::ACCEPTED, Json(told)).into_response());
    }
    let why = match parsed.refused.first() {
        Some(first) => format!("no line is a login event: line {}: {}", first.line, first.why),
        None => "the body is empty: a login event as JSON, or many as NDJSON, are expected".to_owned(),
    };
    Ok(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why).with(told))
}
