//! What the HTTP decoys keep of a request: its body within a limit, and the bytes for the record.

use axum::body::Body;
use http_body_util::BodyExt as _;
use hyper::{HeaderMap, Method, Uri, Version};

/// The most that is kept of a request's head.
pub const HEAD_LIMIT: usize = 16 * 1024;
/// The most that a decoy reads as a body.
pub const BODY_LIMIT: usize = 64 * 1024;
/// The most that may be the evidence of one touch.
pub const EVIDENCE_LIMIT: usize = 64 * 1024;
// A client that is cut off while it still sends may never read the answer: so much is read and thrown away.
const DRAIN_LIMIT: usize = 12 * 1024 * 1024;
const VALUE_LIMIT: usize = 1024;

/// Reads a body of at most `BODY_LIMIT`; else says why not, under a fixed reason.
pub async fn read_body(mut body: Body) -> Result<Vec<u8>, &'static str> {
    let mut kept = Vec::new();
    let mut seen = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Err("unreadable_body") };
        let Some(data) = frame.data_ref() else { continue };
        seen += data.len();
        if seen <= BODY_LIMIT {
            kept.extend_from_slice(data);
        } else {
            kept = Vec::new();
            if seen > DRAIN_LIMIT {
                break;
            }
        }
    }
    if seen > BODY_LIMIT { Err("body_too_large") } else { Ok(kept) }
}

/// The request as it came, within the limit of evidence.
pub fn evidence(method: &Method, uri: &Uri, version: Version, headers: &HeaderMap, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{method} {uri} {version:?}\r\n").into_bytes();
    for (name, value) in headers {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.truncate(HEAD_LIMIT);
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(&body[..body.len().min(EVIDENCE_LIMIT - bytes.len())]);
    bytes
}

/// A presented value, cut to a length that no marker reaches.
pub fn bounded(value: &str) -> String {
    value[..value.floor_char_boundary(VALUE_LIMIT)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_and_values_are_bounded() {
        let mut headers = HeaderMap::new();
        headers.insert("x-long", "y".repeat(20_000).parse().expect("a header"));
        let uri = "/login".parse().expect("a path");
        let bytes = evidence(&Method::POST, &uri, Version::HTTP_11, &headers, &[b'b'; 100_000]);
        assert_eq!(bytes.len(), EVIDENCE_LIMIT);
        assert!(bytes.starts_with(b"POST /login HTTP/1.1\r\nx-long: yyy"));
        assert_eq!(bounded(&"é".repeat(2000)).len(), VALUE_LIMIT);
    }

    #[tokio::test]
    async fn a_body_beyond_the_limit_is_named_and_not_kept() {
        assert_eq!(read_body(Body::from(vec![1; BODY_LIMIT])).await.map(|body| body.len()), Ok(BODY_LIMIT));
        assert_eq!(read_body(Body::from(vec![1; BODY_LIMIT + 1])).await, Err("body_too_large"));
    }
}
