//! What threat exchanges send. The answer never tells whether a canary was in it.

use crate::{
    api::{
        access::{Ingest, May},
        problem::Problem,
    },
    flow::{context::Context, error::FlowError, observe},
    sensors::reports,
};
use axum::{Json, body::Bytes, extract::State, http::StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;

/// One MISP event, or what one AIL tracker found, as these post it.
#[utoipa::path(post, path = "/api/v1/reports", tag = "ingest", request_body(content = String, content_type = "application/json"),
    responses((status = 202, description = "accepted"), (status = 422, body = Problem), (status = 503, body = Problem)))]
pub async fn post_reports(
    State(context): State<Arc<Context>>,
    caller: May<Ingest>,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let touch = reports::read(&body, &caller.actor, context.now())
        .map_err(|why| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why))?;
    if let Err(error) = observe::observe(&context, touch, context.drill).await {
        context.refuse(reports::SENSOR, "not_durable");
        return Err(FlowError::from(error).into());
    }
    Ok((StatusCode::ACCEPTED, Json(json!({ "accepted": 1 }))))
}
