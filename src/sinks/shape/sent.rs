//! What an attempt sent, for its entry in the journal: to whom, how, how much, and the digest of the bytes. Nothing of the content:
//! that follows from the alert; no digest where values are revealed, for whoever reads it could try values by it; and no path,
//! query or header: they may be keys.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use std::cell::RefCell;

/// Requests of one attempt that are noted.
const MOST: usize = 8;

/// What is noted of one attempt.
#[derive(Default)]
struct Sent {
    reveals: bool,
    requests: RefCell<Vec<String>>,
}

tokio::task_local! {
    static SENT: Sent;
}

/// Makes an attempt, which may reveal values; answers what it came to, and what it sent, if it told.
pub async fn noting<T>(reveals: bool, attempt: impl Future<Output = T>) -> (T, Option<String>) {
    let noted = async {
        let outcome = attempt.await;
        let sent = SENT.with(|sent| sent.requests.take());
        (outcome, (!sent.is_empty()).then(|| sent.join("; ")))
    };
    SENT.scope(Sent { reveals, requests: RefCell::default() }, noted).await
}

/// Notes one request of the attempt that is under way; of none where there is none, as when a sink is probed.
pub fn note(how: &str, receiver: &str, bytes: &[u8]) {
    let _ = SENT.try_with(|sent| {
        let digest = (!sent.reveals).then(|| format!(", sha256 {}", HEXLOWER.encode(&Sha256::digest(bytes))));
        let mut requests = sent.requests.borrow_mut();
        if requests.len() < MOST {
            requests.push(format!("{how} {receiver}, {} bytes{}", bytes.len(), digest.unwrap_or_default()));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_attempt_has_what_it_sent_itself() {
        let attempt = |receiver: &'static str| {
            noting(false, async move {
                note("POST", receiver, b"abc");
                tokio::task::yield_now().await;
                note("GET", receiver, b"");
            })
        };
        let ((_, one), (_, other)) = tokio::join!(attempt("a:1"), attempt("b:2"));
        let (one, other) = (one.unwrap(), other.unwrap());
        assert!(one.starts_with("POST a:1, 3 bytes, sha256 ba7816bf8f01cfea") && one.contains("; GET a:1, 0 bytes"));
        assert!(!one.contains("b:2") && other.starts_with("POST b:2"), "{one} {other}");
        note("POST", "nobody", b"");
        assert_eq!(noting(false, async {}).await.1, None);
        let told = noting(true, async { note("POST", "a:1", b"abc") }).await.1;
        assert_eq!(told.as_deref(), Some("POST a:1, 3 bytes"), "no digest of what is revealed");
    }
}
