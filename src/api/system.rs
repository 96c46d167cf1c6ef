//! Health, metrics, `check`, and test alerts.

use crate::{
    api::{
        access::{Administer, May, Plant},
        long,
        problem::Problem,
    },
    flow::{check, context::Context, measures, notify},
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

/// The process answers.
#[utoipa::path(get, path = "/healthz", tag = "system", responses((status = 200, description = "It lives")))]
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// The journal takes entries, and the index is whole.
#[utoipa::path(get, path = "/readyz", tag = "system",
    responses((status = 200, description = "Ready"), (status = 503, description = "Not yet, or blind")))]
pub async fn readyz(State(context): State<Arc<Context>>) -> (StatusCode, &'static str) {
    if context.journal.stopped() {
        (StatusCode::SERVICE_UNAVAILABLE, "the journal takes no entries\n")
    } else if context.blind.load(Ordering::Acquire) {
        (StatusCode::SERVICE_UNAVAILABLE, "touches cannot be made durable: is the disk full?\n")
    } else if !context.ready.load(Ordering::Acquire) {
        (StatusCode::SERVICE_UNAVAILABLE, "the index is being built\n")
    } else {
        (StatusCode::OK, "ready\n")
    }
}

/// What a monitoring system asks for, and when figures were looked up last.
pub struct Exposed {
    pub metrics: PrometheusHandle,
    pub looked: tokio::sync::Mutex<Option<Instant>>,
}

/// However often somebody asks, so long the figures that were looked up count.
const FRESH: Duration = Duration::from_secs(1);

/// The figures, as Prometheus reads them.
pub async fn metrics(context: Arc<Context>, exposed: Option<Arc<Exposed>>) -> String {
    let Some(exposed) = exposed else { return String::new() };
    let mut looked = exposed.looked.lock().await;
    if looked.is_none_or(|looked| looked.elapsed() > FRESH) {
        // Where they cannot be looked up, the others count all the more.
        let measured = tokio::task::spawn_blocking(move || measures::measure(&context)).await;
        if let Ok(Err(error)) = measured {
            tracing::warn!("not all of /metrics could be looked up: {error}");
        }
        *looked = Some(Instant::now());
    }
    drop(looked);
    exposed.metrics.render()
}

/// Reaches every store, sensor address and sink without changing anything.
#[utoipa::path(post, path = "/api/v1/check", tag = "system",
    responses((status = 200, description = "items, dns, ok"), (status = 403, body = Problem)))]
pub async fn do_check(
    State(context): State<Arc<Context>>,
    _: May<Plant>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    Ok(long::answer(&headers, |progress| async move { check::check(&context, &progress).await }).await)
}

/// Which sink to test.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Sink {
    /// All where absent.
    #[serde(default)]
    pub name: Option<String>,
}

/// Sends a marked test alert.
#[utoipa::path(post, path = "/api/v1/sinks/test", tag = "sinks", request_body = Sink,
    responses((status = 200, description = "What came of it at each sink"), (status = 404, body = Problem)))]
pub async fn test_sinks(
    State(context): State<Arc<Context>>,
    caller: May<Administer>,
    Json(sink): Json<Sink>,
) -> Result<Json<Value>, Problem> {
    let sinks = notify::test(&context, sink.name.as_deref(), caller.actor.clone()).await?;
    Ok(Json(json!({ "sinks": sinks })))
}
