//! The rehearsal on the configured stores: canary rows only, loopback only, marked.

use crate::{
    api::{
        access::{Administer, May},
        long,
        problem::Problem,
    },
    flow::{
        context::Context,
        drill::{leak, rehearse},
        error::FlowError,
        plant,
        simulate::{self, Asked},
    },
};
use axum::{Json, extract::State, http::HeaderMap, response::Response};
use rand::seq::IndexedRandom;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What shall leak.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// One is drawn where absent.
    #[serde(default)]
    pub store: Option<String>,
    /// The share that leaks; 0.8 unless told.
    #[serde(default)]
    pub leak: Option<f64>,
}

/// The share that leaks unless told.
pub const SHARE: f64 = 0.8;

/// Leaks a store's canaries to a paste site on loopback, uses them at listeners of its own, and answers the verdict.
#[utoipa::path(post, path = "/api/v1/drill", tag = "drill", request_body = Wanted,
    responses((status = 200, description = "The rehearsal"), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn rehearsal(
    State(context): State<Arc<Context>>,
    caller: May<Administer>,
    headers: HeaderMap,
    Json(wanted): Json<Wanted>,
) -> Result<Response, Problem> {
    Ok(long::answer(&headers, |progress| async move {
        let share = share(wanted.leak)?;
        let slot = match &wanted.store {
            Some(name) => context.store(name)?,
            None => context
                .stores
                .choose(&mut rand::rng())
                .ok_or_else(|| FlowError::Refused("no store is configured: add a [[stores]] section".to_owned()))?,
        };
        let profile = slot.store.profile().await.map_err(|error| FlowError::of_store(&slot.name, &error))?;
        let mapping = plant::mapping_of(slot, &profile)?;
        let leak = leak::of_canaries(&context, slot, &mapping, share, rand::random())?;
        rehearse::rehearse(&context, &leak, &caller.actor, &progress).await
    })
    .await)
}

/// Simulates leaks of many kinds over the configured stores, and answers how many would be asserted, rightly or wrongly.
#[utoipa::path(post, path = "/api/v1/drill/simulation", tag = "drill", request_body = Asked,
    responses((status = 200, description = "The table; nothing is changed"), (status = 422, body = Problem)))]
pub async fn simulation(
    State(context): State<Arc<Context>>,
    _: May<Administer>,
    headers: HeaderMap,
    Json(asked): Json<Asked>,
) -> Result<Response, Problem> {
    Ok(long::answer(&headers, |progress| async move { simulate::simulation(&context, asked, &progress).await }).await)
}

/// The share that leaks, if it is one.
pub fn share(wanted: Option<f64>) -> Result<f64, FlowError> {
    match wanted.unwrap_or(SHARE) {
        share if share > 0.0 && share <= 1.0 => Ok(share),
        _ => Err(FlowError::Refused("--leak: a fraction above 0 and at most 1 is expected".to_owned())),
    }
}
