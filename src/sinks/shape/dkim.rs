//! Signs a mail as RFC 6376 (DKIM) says, relaxed in both parts, by RSA or Ed25519 (RFC 8463): so that whoever gets it sees that it is
//! the domain's own. The signing itself is ring's; here stands only what is signed. No header is signed that a relay may change.

use data_encoding::BASE64;
use rustls::{
    SignatureScheme,
    crypto::ring::sign::any_supported_type,
    pki_types::{PrivateKeyDer, pem::PemObject},
    sign::SigningKey,
};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// The headers that are signed, where they are there. The first is signed once more than it stands, so that nobody adds one.
const SIGNED: [&str; 8] = ["from", "to", "subject", "date", "message-id", "references", "mime-version", "content-type"];

/// Who signs, and by what.
pub struct Dkim {
    domain: String,
    selector: String,
    algorithm: &'static str,
    scheme: SignatureScheme,
    key: Arc<dyn SigningKey>,
}

impl Dkim {
    /// For this domain and selector, by a private key in PEM (PKCS#8).
    ///
    /// # Errors
    /// It is no such key.
    pub fn new(domain: &str, selector: &str, pem: &str) -> Result<Dkim, &'static str> {
        let der = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| "a private key in PEM is expected")?;
        let key =
            any_supported_type(&der).map_err(|_| "expected an RSA key of 2048 bits or more, or an Ed25519 key")?;
        let known = [("rsa-sha256", SignatureScheme::RSA_PKCS1_SHA256), ("ed25519-sha256", SignatureScheme::ED25519)];
        let (algorithm, scheme) = known
            .into_iter()
            .find(|(_, scheme)| key.choose_scheme(&[*scheme]).is_some())
            .ok_or("expected an RSA key or an Ed25519 key")?;
        Ok(Dkim { domain: domain.to_owned(), selector: selector.to_owned(), algorithm, scheme, key })
    }

    /// The message with its signature before it. A message without headers is left as it is.
    pub fn sign(&self, message: Vec<u8>, at: i64) -> Result<Vec<u8>, &'static str> {
        let text = std::str::from_utf8(&message).map_err(|_| "the mail is no text")?;
        let Some((head, body)) = text.split_once("\r\n\r\n") else { return Ok(message) };
        let headers = unfolded(head);
        let mut names = vec!["from"];
        let mut signed = String::new();
        for name in SIGNED {
            for (_, value) in headers.iter().filter(|(known, _)| known == name) {
                names.push(name);
                signed += &format!("{name}:{}\r\n", relaxed(value));
            }
        }
        names.rotate_left(1);
        let digest = BASE64.encode(&Sha256::digest(canonical(body)));
        let tags = format!(
            "v=1; a={}; c=relaxed/relaxed; d={}; s={}; t={at}; h={}; bh={digest}; b=",
            self.algorithm,
            self.domain,
            self.selector,
            names.join(":")
        );
        signed += &format!("dkim-signature:{}", relaxed(&tags));
        // RFC 8463: Ed25519 signs the digest; RSA's scheme makes it itself.
        let bytes = match self.scheme {
            SignatureScheme::ED25519 => Sha256::digest(signed).to_vec(),
            _ => signed.into_bytes(),
        };
        let signer = self.key.choose_scheme(&[self.scheme]).ok_or("the key signs nothing")?;
        let signature = signer.sign(&bytes).map_err(|_| "the key signs nothing")?;
        let mut whole = format!("DKIM-Signature: {}", tags.replace("; ", ";\r\n ")).into_bytes();
        for line in BASE64.encode(&signature).as_bytes().chunks(72) {
            whole.extend_from_slice(b"\r\n ");
            whole.extend_from_slice(line);
        }
        whole.extend_from_slice(b"\r\n");
        whole.extend_from_slice(&message);
        Ok(whole)
    }
}

/// Names in small letters, and values with their folded lines.
fn unfolded(head: &str) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in head.split("\r\n") {
        match (line.starts_with([' ', '\t']), headers.last_mut(), line.split_once(':')) {
            (true, Some((_, value)), _) => value.push_str(line),
            (_, _, Some((name, value))) => headers.push((name.trim_end().to_lowercase(), value.to_owned())),
            _ => {}
        }
    }
    headers
}

/// Spaces and tabs in a row are one space, and none stands at either end.
fn relaxed(text: &str) -> String {
    text.split([' ', '\t', '\r', '\n']).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The same in each line of a body, but for what stands at a line's beginning; empty lines at its end do not count.
fn canonical(body: &str) -> String {
    let mut canonical = String::with_capacity(body.len());
    for line in body.split("\r\n") {
        let mut space = false;
        for character in line.chars() {
            match character {
                ' ' | '\t' => space = true,
                character => {
                    canonical.extend(space.then_some(' '));
                    space = false;
                    canonical.push(character);
                }
            }
        }
        canonical.push_str("\r\n");
    }
    let end = canonical.trim_end_matches("\r\n").len();
    canonical.truncate(end);
    if !canonical.is_empty() {
        canonical.push_str("\r\n");
    }
    canonical
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_and_headers_are_relaxed_as_the_standard_s_example() {
        // RFC 6376, 3.4.5.
        assert_eq!(canonical(" C \r\nD \t E\r\n\r\n\r\n"), " C\r\nD E\r\n");
        assert_eq!(canonical("\r\n\r\n"), "");
        let headers = unfolded("A: X\r\nB : Y\t\r\n\tZ  ");
        let read: Vec<String> = headers.iter().map(|(name, value)| format!("{name}:{}", relaxed(value))).collect();
        assert_eq!(read, ["a:X", "b:Y Z"]);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for pem in ["", "hello", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
            assert!(Dkim::new("example.org", "telltale", pem).is_err(), "{pem:?}");
        }
    }
}
