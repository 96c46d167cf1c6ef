//! Stores: profile, plan, plant, verify, rotate, withdraw.

use crate::{
    api::{
        access::{Caller, May, Plant},
        long,
        problem::Problem,
    },
    domain::record::Record,
    flow::{
        context::Context,
        error::FlowError,
        mapping,
        plan::{self, Aim},
        plant, revise, rotate, verify, withdraw,
    },
};
use axum::{
    Json,
    extract::{Path, State},
    http::HeaderMap,
    response::Response,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::Arc;

/// Which stores, and how many canaries.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Chosen {
    /// Names of stores; all where empty.
    #[serde(default)]
    pub stores: Vec<String>,
    /// Canaries a store shall have, at least 1; as many as the plan says where absent.
    #[serde(default)]
    #[schema(minimum = 1)]
    pub count: Option<u64>,
}

/// What is to change.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Revising {
    /// Names of stores; all where empty.
    #[serde(default)]
    pub stores: Vec<String>,
}

/// Which canaries are to go.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Withdrawing {
    /// Names of stores; all where empty.
    #[serde(default)]
    pub stores: Vec<String>,
    /// Only those of this generation, from 1; all where absent.
    #[serde(default)]
    pub generation: Option<u32>,
}

/// What to plan for.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Planned {
    #[serde(default)]
    pub stores: Vec<String>,
    /// The share of a store that leaks, 0 to 1.
    #[serde(default)]
    pub leak_fraction: Option<f64>,
    /// The chance that two canaries or more are in it.
    #[serde(default)]
    pub confidence: Option<f64>,
}

/// Shapes and the proposed mapping of one store.
#[utoipa::path(post, path = "/api/v1/stores/{store}/profile", tag = "stores", params(("store" = String, Path)),
    responses((status = 200, description = "Shapes, counts and the proposed column mapping; no value"), (status = 404, body = Problem)))]
pub async fn profile(
    State(context): State<Arc<Context>>,
    _: May<Plant>,
    Path(store): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    Ok(long::answer(&headers, |progress| async move {
        let slot = context.store(&store)?;
        progress.at(format!("looking at {store}"), 0, None);
        let profile = slot.store.profile().await.map_err(|error| FlowError::of_store(&store, &error))?;
        let proposed = mapping::propose(&profile).as_columns();
        let mut columns = profile.columns;
        // Codes are kept to write like the store; they are values all the same, and not shown.
        columns.iter_mut().for_each(|column| column.shape.codes.clear());
        Ok(json!({ "store": store, "rows": profile.rows, "columns": columns, "proposed": proposed,
            "configured": slot.store.columns() }))
    })
    .await)
}

/// How many canaries, which coverage, which stores cannot be told apart.
#[utoipa::path(post, path = "/api/v1/plan", tag = "stores", request_body = Planned,
    responses((status = 200, description = "The plan; nothing is changed"), (status = 422, body = Problem)))]
pub async fn make_plan(
    State(context): State<Arc<Context>>,
    _: May<Plant>,
    headers: HeaderMap,
    Json(asked): Json<Planned>,
) -> Result<Response, Problem> {
    Ok(long::answer(&headers, |progress| async move {
        let usual = Aim::default();
        let aim = Aim {
            leak_fraction: asked.leak_fraction.unwrap_or(usual.leak_fraction),
            confidence: asked.confidence.unwrap_or(usual.confidence),
        };
        plan::plan(&context, &asked.stores, aim, &progress).await
    })
    .await)
}

/// Mints, allocates and plants what is missing.
#[utoipa::path(post, path = "/api/v1/plant", tag = "stores", request_body = Chosen,
    responses((status = 200, description = "What was planted in each store; `failed` says which were not done, and why"), (status = 422, body = Problem), (status = 503, body = Problem)))]
pub async fn do_plant(
    State(context): State<Arc<Context>>,
    caller: May<Plant>,
    headers: HeaderMap,
    Json(chosen): Json<Chosen>,
) -> Result<Response, Problem> {
    Ok(long::answer(&headers, |progress| async move {
        acted(&context, &caller, "plant", &chosen.stores).await?;
        plant::plant(&context, &chosen.stores, chosen.count, &progress).await
    })
    .await)
}

/// Are they still there and unchanged?
#[utoipa::path(post, path = "/api/v1/verify", tag = "stores", request_body = Chosen,
    responses((status = 200, description = "Per store: planted, missing, altered, copied; `failed` says which were not read, and why"), (status = 503, body = Problem)))]
pub async fn do_verify(
    State(context): State<Arc<Context>>,
    _: May<Plant>,
    headers: HeaderMap,
    Json(chosen): Json<Chosen>,
) -> Result<Response, Problem> {
    Ok(long::answer(&headers, |progress| async move { verify::verify(&context, &chosen.stores, &progress).await })
        .await)
}

/// Opens a new generation.
#[utoipa::path(post, path = "/api/v1/rotate", tag = "stores", request_body = Chosen,
    responses((status = 200, description = "What was planted in each store; `failed` says which were not done, and why"), (status = 422, body = Problem)))]
pub async fn do_rotate(
    State(context): State<Arc<Context>>,
    caller: May<Plant>,
    headers: HeaderMap,
    Json(chosen): Json<Chosen>,
) -> Result<Response, Problem> {
    Ok(long::answer(&headers, |progress| async move {
        acted(&context, &caller, "rotate", &chosen.stores).await?;
        rotate::rotate(&context, &chosen.stores, chosen.count, &progress).await
    })
    .await)
}

/// Changes the salaries and titles of planted rows whose time has come.
#[utoipa::path(post, path = "/api/v1/revise", tag = "stores", request_body = Revising,
    responses((status = 200, description = "How many were changed in each store; `failed` says which were not done, and why"), (status = 503, body = Problem)))]
pub async fn do_revise(
    State(context): State<Arc<Context>>,
    caller: May<Plant>,
    headers: HeaderMap,
    Json(asked): Json<Revising>,
) -> Result<Response, Problem> {
    Ok(long::answer(&headers, |progress| async move {
        acted(&context, &caller, "revise", &asked.stores).await?;
        let period = context.schedule.attributes.unwrap_or(revise::USUAL);
        revise::revise(&context, &asked.stores, period, &progress).await
    })
    .await)
}

/// Takes every canary of the stores out again, or those of one generation.
#[utoipa::path(post, path = "/api/v1/withdraw", tag = "stores", request_body = Withdrawing,
    responses((status = 200, description = "What was withdrawn from each store; `left` names canaries whose rows may be somebody's by now, with the columns that differ and what to do, and `failed` says which stores were not done, and why"), (status = 422, body = Problem)))]
pub async fn do_withdraw(
    State(context): State<Arc<Context>>,
    caller: May<Plant>,
    headers: HeaderMap,
    Json(asked): Json<Withdrawing>,
) -> Result<Response, Problem> {
    Ok(long::answer(&headers, |progress| async move {
        let action = asked.generation.map_or("withdraw".to_owned(), |number| format!("withdraw generation {number}"));
        acted(&context, &caller, &action, &asked.stores).await?;
        withdraw::withdraw(&context, &asked.stores, asked.generation, &progress).await
    })
    .await)
}

/// Puts an operator's action on the record.
pub async fn acted(context: &Context, caller: &Caller, action: &str, stores: &[String]) -> Result<(), FlowError> {
    let detail = if stores.is_empty() { "all stores".to_owned() } else { stores.join(", ") };
    context.append_one(&Record::Acted { by: caller.actor.clone(), action: action.to_owned(), detail }).await?;
    Ok(())
}
