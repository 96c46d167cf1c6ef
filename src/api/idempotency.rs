//! `Idempotency-Key` on POST: the same request sent again is answered as the first was, and done once. Answers are kept
//! in memory for a day, a bounded number of them; streamed material is outside of it.

use crate::api::{access::Caller, problem::Problem};
use axum::{
    body::{Body, Bytes, to_bytes},
    extract::Request,
    http::{HeaderMap, Method, StatusCode},
    middleware::Next,
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, PoisonError},
    time::{Duration, Instant},
};

const HEADER: &str = "idempotency-key";
const KEPT: Duration = Duration::from_secs(24 * 3600);
const MOST: usize = 4096;
const LARGEST: usize = 4 * 1024 * 1024;

static ANSWERS: LazyLock<Mutex<HashMap<Name, Kept>>> = LazyLock::new(Mutex::default);

/// Who sent it, to where, under which key.
type Name = (String, String, String);

struct Kept {
    since: Instant,
    /// Of the request's body: another body under the same key is another request.
    sha256: [u8; 32],
    /// None while it is being done.
    answer: Option<(StatusCode, HeaderMap, Bytes)>,
}

/// Answers a repeated request from memory.
pub async fn once(request: Request, next: Next) -> Response {
    let key = request.headers().get(HEADER).and_then(|key| key.to_str().ok()).map(str::to_owned);
    let caller = request.extensions().get::<Caller>().map(|caller| caller.actor.clone());
    // Nothing is kept for one who is nobody yet.
    let (Some(key), Some(actor), true) = (key, caller, request.method() == Method::POST) else {
        return next.run(request).await;
    };
    let name = (actor, request.uri().path().to_owned(), key);
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST).await else {
        return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "at most 4 MiB can be sent under an Idempotency-Key")
            .into_response();
    };
    let sha256: [u8; 32] = Sha256::digest(&body).into();
    if let Some(answer) = begin(&name, sha256) {
        return answer;
    }
    let mut claim = Claim(Some(name));
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    let (head, body) = response.into_parts();
    let Ok(body) = to_bytes(body, LARGEST).await else {
        return Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the answer is too long to be kept: send no key")
            .into_response();
    };
    // What failed here may be tried again.
    if !head.status.is_server_error()
        && let Some(name) = claim.0.take()
        && let Some(kept) = lock().get_mut(&name)
    {
        kept.answer = Some((head.status, head.headers.clone(), body.clone()));
    }
    Response::from_parts(head, Body::from(body))
}

/// A key that is claimed, and let go unless there is an answer to keep: also where whoever asked hung up meanwhile.
struct Claim(Option<Name>);

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(name) = self.0.take() {
            lock().remove(&name);
        }
    }
}

/// Claims the key, or gives the answer that it has already.
fn begin(name: &Name, sha256: [u8; 32]) -> Option<Response> {
    let mut answers = lock();
    answers.retain(|_, kept| kept.since.elapsed() < KEPT);
    match answers.get(name) {
        Some(kept) if kept.sha256 != sha256 => Some(
            Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "this Idempotency-Key was used with another body: give each request its own",
            )
            .into_response(),
        ),
        Some(Kept { answer: None, .. }) => Some(
            Problem::new(StatusCode::CONFLICT, "the request of this Idempotency-Key is still being done")
                .into_response(),
        ),
        Some(Kept { answer: Some((status, headers, body)), .. }) => {
            let mut response = Response::new(Body::from(body.clone()));
            *response.status_mut() = *status;
            *response.headers_mut() = headers.clone();
            Some(response)
        }
        None => {
            if answers.len() >= MOST
                && let Some(oldest) = answers.iter().min_by_key(|(_, kept)| kept.since).map(|(name, _)| name.clone())
            {
                answers.remove(&oldest);
            }
            answers.insert(name.clone(), Kept { since: Instant::now(), sha256, answer: None });
            None
        }
    }
}

fn lock() -> std::sync::MutexGuard<'static, HashMap<Name, Kept>> {
    ANSWERS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::record::Role;
    use axum::{Router, middleware, routing::post};
    use std::sync::atomic::{AtomicU32, Ordering};
    use tower::ServiceExt;

    static DONE: AtomicU32 = AtomicU32::new(0);

    async fn send(key: &str, body: &str) -> (StatusCode, String) {
        let router = Router::new()
            .route("/", post(async || DONE.fetch_add(1, Ordering::Relaxed).to_string()))
            .layer(middleware::from_fn(once));
        let mut request = Request::post("/").header(HEADER, key).body(Body::from(body.to_owned())).unwrap();
        request.extensions_mut().insert(Caller { actor: "token:1".to_owned(), role: Role::Ingest });
        let response = router.oneshot(request).await.unwrap();
        let status = response.status();
        let text = to_bytes(response.into_body(), LARGEST).await.unwrap();
        (status, String::from_utf8(text.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn the_same_request_is_done_once() {
        let first = send("a", "x").await;
        assert_eq!(send("a", "x").await, first);
        assert_ne!(send("b", "x").await.1, first.1);
        assert_eq!(send("a", "other").await.0, StatusCode::UNPROCESSABLE_ENTITY);
    }
}
