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
use std::{marker::PhantomData, ops::Deref, sync::Arc};

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

/// A caller who has the right `R`. Stands first among what a handler asks for: of a caller who lacks the right nothing
/// else is read, not even what is wrong with the request.
pub struct May<R> {
    caller: Caller,
    right: PhantomData<R>,
}

/// A right as a type, for `May`.
pub trait Needed {
    const RIGHT: Right;
}

macro_rules! rights {
    ($($name:ident)*) => { $(
        /// The right of this name.
        pub struct $name;

        impl Needed for $name {
            const RIGHT: Right = Right::$name;
        }
    )* };
}

rights! { Ingest Incidents Investigate Plant Audit Administer }

impl<R> Deref for May<R> {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

impl<R: Needed, S: Send + Sync> FromRequestParts<S> for May<R> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        caller.needs(R::RIGHT)?;
        Ok(May { caller, right: PhantomData })
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

/// The same where others than holders of our tokens call too: whoever shows none of ours is nobody yet, and what a provider
/// shows is for the route to judge.
pub async fn perhaps(
    State(context): State<Arc<Context>>,
    mut request: Request<axum::body::Body>,
    next: Next,
) -> Response {
    let shown = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let ours = shown.is_some_and(|text| text.starts_with("Bearer ") && !is_jwt(text));
    if ours && request.extensions().get::<Caller>().is_none() {
        match bearer(&context, request.headers()) {
            Ok(caller) => {
                request.extensions_mut().insert(caller);
            }
            Err(problem) => return problem.into_response(),
        }
    }
    next.run(request).await
}

/// Three parts with dots between: none of our tokens is written so.
fn is_jwt(text: &str) -> bool {
    text.bytes().filter(|byte| *byte == b'.').count() == 2
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

/// What one hears who shows nothing that is known.
pub fn unauthorized() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "a bearer token is needed: Authorization: Bearer tt_…, made by `telltale tokens create --role R`",
    )
}
