//! API tokens: shown once, kept as a hash.

use crate::{
    api::{
        access::{Administer, May},
        problem::Problem,
    },
    domain::record::{Record, Role},
    flow::{context::Context, error::FlowError},
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// What a new token may do.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// `ingest analyst investigator planter auditor admin`
    #[schema(value_type = String)]
    pub role: Role,
    /// What people call it: at most 100 characters.
    #[serde(default)]
    pub name: Option<String>,
}

/// Characters of a name.
const LONGEST: usize = 100;

/// Makes a token.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "tokens", request_body = Wanted,
    responses((status = 201, description = "The token, shown this once"), (status = 403, body = Problem)))]
pub async fn create(
    State(context): State<Arc<Context>>,
    caller: May<Administer>,
    Json(wanted): Json<Wanted>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let name = wanted.name.map(|name| webhooks::clean(name.trim(), LONGEST + 1)).filter(|name| !name.is_empty());
    if name.as_ref().is_some_and(|name| name.chars().count() > LONGEST) {
        return Err(Problem::bad_request(format!("name: at most {LONGEST} characters are expected")));
    }
    let (id, token) = issue(&context, name.clone(), wanted.role, &caller.actor).await?;
    let made = json!({ "id": id, "name": name, "role": wanted.role, "token": token });
    Ok((StatusCode::CREATED, Json(made)))
}

/// The tokens, without what makes them work.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "tokens",
    responses((status = 200, description = "Ids, roles and states"), (status = 403, body = Problem)))]
pub async fn list(State(context): State<Arc<Context>>, _: May<Administer>) -> Result<Json<Value>, Problem> {
    context.settle()?;
    Ok(Json(json!({ "items": context.ledger.accounts()? })))
}

/// Ends a token.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", tag = "tokens", params(("id" = String, Path)),
    responses((status = 204, description = "It no longer works"), (status = 404, body = Problem)))]
pub async fn revoke(
    State(context): State<Arc<Context>>,
    caller: May<Administer>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    context.settle()?;
    if !context.ledger.accounts()?.iter().any(|account| account.id == id && account.revoked_at.is_none()) {
        return Err(Problem::not_found(format!("no live token has the id {id:?}: `telltale tokens list` shows them")));
    }
    let revoked = Record::TokenRevoked { id, by: caller.actor.clone() };
    context.append_one(&revoked).await.map_err(FlowError::from)?;
    context.settle()?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a token of 256 random bits; answers its id and itself. The `tt_` lets secret scanners know one.
pub async fn issue(
    context: &Context,
    name: Option<String>,
    role: Role,
    by: &str,
) -> Result<(String, String), FlowError> {
    let secret: [u8; 32] = rand::random();
    let token = format!("tt_{}", data_encoding::BASE64URL_NOPAD.encode(&secret));
    let id = data_encoding::HEXLOWER.encode(&rand::random::<[u8; 6]>());
    let sha256 = Sha256::digest(token.as_bytes()).into();
    context.append_one(&Record::TokenIssued { id: id.clone(), name, role, sha256, by: by.to_owned() }).await?;
    context.settle()?;
    Ok((id, token))
}
