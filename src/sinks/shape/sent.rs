//! What an attempt sent, for its entry in the journal: to whom, how, how much, and the digest of the bytes. Nothing of the content:
//! that follows from the alert; and no path, query or header: they may be keys.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use std::cell::RefCell;

/// Requests of one attempt that are noted.
const MOST: usize = 8;

tokio::task_local! {
    static SENT: RefCell<Vec<String>>;
}

/// Makes an attempt; answers what it came to, and what it sent, if it told.
pub async fn noting<T>(attempt: impl Future<Output = T>) -> (T, Option<String>) {
    let noted = async {
        let outcome = attempt.await;
        let sent = SENT.with(RefCell::take);
        (outcome, (!sent.is_empty()).then(|| sent.join("; ")))
    };
    SENT.scope(RefCell::default(), noted).await
}

/// Notes one request of the attempt that is under way; of none where there is none, as when a sink is probed.
pub fn note(how: &str, receiver: &str, bytes: &[u8]) {
    let digest = HEXLOWER.encode(&Sha256::digest(bytes));
    let text = format!("{how} {receiver}, {} bytes, sha256 {digest}", bytes.len());
    let _ = SENT.try_with(|sent| {
        let mut sent = sent.borrow_mut();
        if sent.len() < MOST {
            sent.push(text);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_attempt_has_what_it_sent_itself() {
        let attempt = |receiver: &'static str| {
            noting(async move {
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
        assert_eq!(noting(async {}).await.1, None);
    }
}
