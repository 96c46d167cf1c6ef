//! A login endpoint's filter. Its key is never sent: who may read the keyring derives it.

use crate::{
    api::{
        access::{Administer, May},
        problem::Problem,
    },
    domain::record::Record,
    flow::{context::Context, error::FlowError, gates},
};
use axum::{
    Json,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Which endpoint.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// 1 to 64 letters, digits, dots, dashes and underscores. The endpoint's key follows from it.
    pub endpoint: String,
}

/// Builds the filter of an endpoint, of every canary and ghost; from then on digests under its key are known.
#[utoipa::path(post, path = "/api/v1/gates", tag = "material", request_body = Endpoint,
    responses((status = 200, description = "The filter file", content_type = "application/octet-stream"), (status = 400, body = Problem), (status = 403, body = Problem)))]
pub async fn build(
    State(context): State<Arc<Context>>,
    caller: May<Administer>,
    Json(Endpoint { endpoint }): Json<Endpoint>,
) -> Result<Response, Problem> {
    if !gate::is_endpoint(&endpoint) {
        return Err(Problem::bad_request(format!("endpoint: {}", gate::GateError::NotAnEndpoint)));
    }
    let (house, name) = (context.clone(), endpoint.clone());
    let built = tokio::task::spawn_blocking(move || gates::build(&house, &name)).await;
    let built = built.map_err(anyhow::Error::from).flatten().map_err(FlowError::from)?;
    let record = Record::GateBuilt { endpoint: endpoint.clone(), names: built.names, by: caller.actor.clone() };
    context.append_one(&record).await.map_err(FlowError::from)?;
    context.settle()?;
    // What is planted from here on is learnt as it is planted. To learn what is known already changes nothing.
    let filled = tokio::task::spawn_blocking(move || gates::fill_for(&context, &endpoint)).await;
    filled.map_err(anyhow::Error::from).flatten().map_err(FlowError::from)?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], built.file).into_response())
}
