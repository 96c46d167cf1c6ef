//! Who calls, and what they may do. Enforced once, here, for network and socket alike.

use crate::{
    api::problem::Problem,
    domain::record::{Actor, Role},
    flow::context::Context,
};
use axum::{
    extract::{FromRequestParts, State},
    http::{HeaderMap, Request, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// A caller whose right to call is established.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub actor: Actor,
    pub role: Role,
}

/// What a route asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Post logins, mail, sms.
    Ingest,
    /// Read and move incidents.
    Incidents,
    /// Material, evidence, reveal.
    Investigate,
    /// Stores and canaries, without values.
    Plant,
    /// Read the journal.
    Audit,
    /// Tokens, keys, backup, sinks.
    Administer,
}

impl Role {
    /// The one table of who may do what.
    pub fn may(self, right: Right) -> bool {
        match self {
            Role::Admin => true,
            Role::Ingest => right == Right::Ingest,
            Role::Analyst => right == Right::Incidents,
            Role::Investigator => matches!(right, Right::Incidents | Right::Investigate),
            Role::Planter => right == Right::Plant,
            Role::Auditor => right == Right::Audit,
        }
    }
}

impl Caller {
    /// Lets the caller pass, or says what is missing.
    pub fn needs(&self, right: Right) -> Result<(), Problem> {
        if self.role.may(right) {
            return Ok(());
        }
        Err(Problem::new(
            StatusCode::FORBIDDEN,
            format!("the role {:?} may not do this; it needs the right {right:?}", self.role).to_lowercase(),
        ))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Caller>().cloned().ok_or_else(unauthorized)
    }
}

/// Over the network: finds the caller of a bearer token. Over the socket the caller is known already.
pub async fn identify(
    State(context): State<Arc<Context>>,
    mut request: Request<axum::body::Body>,
    next: Next,
) -> Response {
    if request.extensions().get::<Caller>().is_none() {
        match bearer(&context, request.headers()) {
            Ok(caller) => {
                request.extensions_mut().insert(caller);
            }
            Err(problem) => return problem.into_response(),
        }
    }
    next.run(request).await
}

fn bearer(context: &Context, headers: &HeaderMap) -> Result<Caller, Problem> {
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .ok_or_else(unauthorized)?;
    let sha256: [u8; 32] = Sha256::digest(token.trim().as_bytes()).into();
    // A lookup by hash: what time it takes tells nothing of any token.
    let Some((id, role)) = context.ledger.by_sha256(&sha256)? else {
        // A ledger that is still being rebuilt does not know everybody yet: a sender must not give up for that.
        return Err(if context.ledger.is_whole() {
            unauthorized()
        } else {
            Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "the ledger is being rebuilt, and this token is not known yet: try again in a while",
            )
        });
    };
    Ok(Caller { actor: format!("token:{id}"), role })
}

fn unauthorized() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "a bearer token is needed: Authorization: Bearer tt_…, made by `telltale tokens create --role R`",
    )
}
