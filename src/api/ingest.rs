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
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use std::sync::Arc;

/// Events of one request that wait for the journal together.
const AT_ONCE: usize = 1024;

/// The header with which Okta asks whether an address is its owner's, before it sends events there.
const CHALLENGE: &str = "x-okta-verification-challenge";
/// The longest challenge that is given back.
const LONGEST: usize = 1024;

/// Gives back the challenge with which an Okta event hook is set up.
#[utoipa::path(get, path = "/api/v1/logins", tag = "ingest",
    params(("x-okta-verification-challenge" = String, Header, description = "What is given back")),
    responses((status = 200, description = "verification"), (status = 400, body = Problem)))]
pub async fn verify_logins(_caller: May<Ingest>, headers: HeaderMap) -> Result<Json<Value>, Problem> {
    let challenge = headers.get(CHALLENGE).and_then(|value| value.to_str().ok());
    let challenge = challenge.filter(|text| !text.is_empty() && text.len() <= LONGEST).ok_or_else(|| {
        Problem::new(StatusCode::BAD_REQUEST, format!("{CHALLENGE}: expected; logins themselves are posted here"))
    })?;
    Ok(Json(json!({ "verification": challenge })))
}

/// One login event as JSON, or many as NDJSON, a provider's list, or Windows' XML.
#[utoipa::path(post, path = "/api/v1/logins", tag = "ingest", request_body(content = String, content_type = "application/x-ndjson"),
    responses((status = 202, description = "accepted, refused"), (status = 422, body = Problem, description = "No line is a login event: a problem that also bears accepted and refused"), (status = 503, body = Problem)))]
pub async fn post_logins(
    State(context): State<Arc<Context>>,
    caller: May<Ingest>,
    body: Bytes,
) -> Result<Response, Problem> {
    let parsed = logins::parse(&body, &caller.actor, context.now(), &context.time_zone);
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
    // A system that tells of other things too, or of nothing, would send that again and again.
    if accepted > 0 || (parsed.refused.iter().all(|refused| refused.known) && !body.trim_ascii().is_empty()) {
        return Ok((StatusCode::ACCEPTED, Json(told)).into_response());
    }
    let why = match parsed.refused.first() {
        Some(first) => format!("no line is a login event: line {}: {}", first.line, first.why),
        None => "the body is empty: a login event as JSON, or many as NDJSON, are expected".to_owned(),
    };
    Ok(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why).with(told))
}
