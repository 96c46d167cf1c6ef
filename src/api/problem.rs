//! Errors as RFC 9457 problem details: `application/problem+json`.

use crate::{flow::error::FlowError, ledger::state::LedgerError};
use axum::{
    body::to_bytes,
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

/// What went wrong, for whoever called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Problem {
    /// `about:blank`: the status says the kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    pub status: u16,
    /// What, where and how to mend it.
    pub detail: String,
}

impl Problem {
    /// A problem of this status.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Problem {
            kind: "about:blank".to_owned(),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
        }
    }

    /// The problem as an answer that bears these members too.
    pub fn with(self, more: serde_json::Value) -> Response {
        let mut body = serde_json::to_value(&self).unwrap_or_default();
        if let (Some(body), serde_json::Value::Object(more)) = (body.as_object_mut(), more) {
            body.extend(more);
        }
        let mut response = self.into_response();
        response.headers_mut().remove(header::CONTENT_LENGTH);
        *response.body_mut() = body.to_string().into();
        response
    }

    /// 400, with what was expected.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 404.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::NOT_FOUND, detail)
    }
}

impl From<FlowError> for Problem {
    fn from(error: FlowError) -> Self {
        let status = match error {
            FlowError::Unknown(_) => StatusCode::NOT_FOUND,
            FlowError::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
            FlowError::Unavailable(_) | FlowError::NotDurable(_) => StatusCode::SERVICE_UNAVAILABLE,
            FlowError::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Problem::new(status, error.to_string())
    }
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        FlowError::from(error).into()
    }
}

impl From<anyhow::Error> for Problem {
    fn from(error: anyhow::Error) -> Self {
        FlowError::from(error).into()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, serde_json::to_string(&self).unwrap_or_default()).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            // Senders must come back, and not all at once.
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("10"));
        }
        response
    }
}

/// 404, for a path that is no route.
pub async fn no_such_path() -> Problem {
    Problem::not_found("there is no such path: /api/openapi.json names them all")
}

/// What the framework refuses by itself (a body or query that is not understood) becomes a problem as well.
pub async fn shaped(request: Request, next: Next) -> Response {
    const LONGEST: usize = 64 * 1024;
    let response = next.run(request).await;
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) || !(kind.is_empty() || kind.starts_with("text/plain")) {
        return response;
    }
    let allow = response.headers().get(header::ALLOW).cloned();
    let said = to_bytes(response.into_body(), LONGEST).await.unwrap_or_default();
    let detail = match (String::from_utf8_lossy(&said).trim(), status) {
        ("", StatusCode::METHOD_NOT_ALLOWED) => "this path has no such method: /api/openapi.json names them".to_owned(),
        ("", _) => status.canonical_reason().unwrap_or("error").to_owned(),
        (said, _) => said.to_owned(),
    };
    let mut response = Problem::new(status, detail).into_response();
    response.headers_mut().extend(allow.map(|allow| (header::ALLOW, allow)));
    response
}
