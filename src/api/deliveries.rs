//! Deliveries: how alerts fared at each sink, and sending them again.

use crate::{
    api::{
        access::{Administer, Incidents, May},
        problem::Problem,
    },
    flow::{
        context::Context,
        deliveries::{self, Again, Wanted},
    },
};
use axum::{
    Json,
    extract::{Query, State},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

/// Which deliveries are listed.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Only at this sink.
    pub sink: Option<String>,
    /// Only what was given up, or waits after a failure.
    pub failed: Option<bool>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// Items a page: 100 unless told, 1000 at most; an alert's deliveries stay together.
    pub limit: Option<usize>,
}

/// Deliveries, the newest alert first, with attempts, the next one, and what went wrong; and how each sink fares.
#[utoipa::path(get, path = "/api/v1/deliveries", tag = "deliveries", params(Asked),
    responses((status = 200, description = "items, sinks, next_cursor"), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn list(
    State(context): State<Arc<Context>>,
    _: May<Incidents>,
    Query(asked): Query<Asked>,
) -> Result<Json<Value>, Problem> {
    context.settle()?;
    let wanted = Wanted {
        sink: asked.sink,
        failed: asked.failed.unwrap_or(false),
        before: asked.cursor,
        limit: asked.limit.unwrap_or(100).clamp(1, 1000),
    };
    let (items, next) = deliveries::list(&context, &wanted)?;
    Ok(Json(json!({ "items": items, "sinks": deliveries::sinks(&context)?, "next_cursor": next })))
}

/// Sends alerts once more, under their own ids; on the record with who asked.
#[utoipa::path(post, path = "/api/v1/deliveries/replay", tag = "deliveries", request_body = Again,
    responses((status = 200, description = "items: how each stands now"), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn replay(
    State(context): State<Arc<Context>>,
    caller: May<Administer>,
    Json(again): Json<Again>,
) -> Result<Json<Value>, Problem> {
    context.settle()?;
    let items = deliveries::replay(&context, &again, caller.actor.clone()).await?;
    Ok(Json(json!({ "items": items })))
}
