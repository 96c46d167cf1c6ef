//! Access tokens by OAuth 2.0: what is asked with, a client's secret or a service account's signature, and what is
//! answered. Nothing is sent here; the clock comes in.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rustls::{
    SignatureScheme,
    crypto::CryptoProvider,
    pki_types::{PrivateKeyDer, pem::PemObject as _},
    sign::SigningKey,
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use url::form_urlencoded::Serializer;
use zeroize::Zeroizing;

/// How long a signed request for a token is good.
const HOUR: i64 = 3600;
/// Clocks differ: what was signed in the future is refused.
const BEFORE: i64 = 30;
/// No token is kept for longer, whatever its service says.
const LONGEST: u64 = 86_400;

/// With what a token is asked for.
pub enum Grant {
    /// The form with the client's id and secret.
    Client(Zeroizing<String>),
    /// A service account signs what it asks for.
    Signed {
        key: Arc<dyn SigningKey>,
        account: String,
        audience: String,
        scope: String,
        /// The person for whom it acts, where it acts for one.
        subject: Option<String>,
    },
}

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// What the service calls it, as JSON, cut short.
    pub reason: String,
    /// It does not mend itself: the account or its secret is wrong.
    pub for_good: bool,
}

impl Grant {
    /// For a client with a secret.
    pub fn client(client: &str, secret: &str, scope: &str) -> Grant {
        let form = Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", client)
            .append_pair("client_secret", secret)
            .append_pair("scope", scope)
            .finish();
        Grant::Client(Zeroizing::new(form))
    }

    /// For a service account, by its key file as Google hands it out; and where it asks.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn account(file: &str, scope: &str, subject: Option<&str>) -> Result<(Grant, String), &'static str> {
        let account: Value = serde_json::from_str(file).map_err(|_| "not read")?;
        let text = |name: &str| account[name].as_str().map(str::to_owned).ok_or("not read");
        let (account, private, audience) = (text("client_email")?, text("private_key")?, text("token_uri")?);
        let der = PrivateKeyDer::from_pem_slice(private.as_bytes()).map_err(|_| "its private_key is none")?;
        let provider = CryptoProvider::get_default().ok_or("no cryptography provider is installed")?;
        let key = provider.key_provider.load_private_key(der).map_err(|_| "its private_key is none that signs")?;
        let (scope, subject) = (scope.to_owned(), subject.map(str::to_owned));
        Ok((Grant::Signed { key, account, audience: audience.clone(), scope, subject }, audience))
    }

    /// The form to post, at this time in seconds since 1970; none where the key signs no RS256.
    pub fn form(&self, now: i64) -> Option<Zeroizing<String>> {
        let (key, account, audience, scope, subject) = match self {
            Grant::Client(form) => return Some(form.clone()),
            Grant::Signed { key, account, audience, scope, subject } => (key, account, audience, scope, subject),
        };
        let now = now - BEFORE;
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string().as_bytes());
        let mut claims = json!({"iss": account, "scope": scope, "aud": audience, "iat": now, "exp": now + HOUR});
        if let Some(subject) = subject {
            claims["sub"] = subject.as_str().into();
        }
        let text = format!("{}.{}", part(json!({"alg": "RS256", "typ": "JWT"})), part(claims));
        let signer = key.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256])?;
        let assertion = format!("{text}.{}", URL_SAFE_NO_PAD.encode(signer.sign(text.as_bytes()).ok()?));
        let form = Serializer::new(String::new())
            .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
            .append_pair("assertion", &assertion)
            .finish();
        Some(Zeroizing::new(form))
    }
}

/// Reads the answer: the token, and how long it holds.
///
/// # Errors
/// There is none in it.
pub fn token(status: u16, body: &str) -> Result<(Zeroizing<String>, Duration), Denied> {
    let said: Value = serde_json::from_str(body).unwrap_or_default();
    let token = said["access_token"].as_str().filter(|token| !token.is_empty());
    let Some(token) = token.filter(|_| status == 200) else {
        // A clock that is wrong, a key that is new, a service that is busy: that mends itself.
        let passing = ["invalid_grant", "temporarily_unavailable"].iter().any(|error| said["error"] == *error);
        let for_good = matches!(status, 401 | 403) || (status == 400 && !passing);
        return Err(Denied { reason: crate::clip(&said["error"].to_string(), 100), for_good });
    };
    let holds = Duration::from_secs(said["expires_in"].as_u64().unwrap_or(300).min(LONGEST));
    Ok((Zeroizing::new(token.to_owned()), holds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_asks_by_its_form_and_the_answer_is_read() {
        let form = Grant::client("id", "s&ecret", "scope").form(0).unwrap();
        assert_eq!(*form, "grant_type=client_credentials&client_id=id&client_secret=s%26ecret&scope=scope");
        let (text, holds) = token(200, r#"{"access_token":"t","expires_in":3599}"#).unwrap();
        assert_eq!((text.as_str(), holds.as_secs()), ("t", 3599));
        assert_eq!(token(200, r#"{"access_token":"t","expires_in":99999999}"#).unwrap().1.as_secs(), LONGEST);
        let denied = |status, body| token(status, body).unwrap_err().for_good;
        assert!(denied(401, "{}") && denied(400, r#"{"error":"invalid_client"}"#));
        assert!(!denied(400, r#"{"error":"invalid_grant"}"#) && !denied(503, "x") && !denied(200, "{}"));
    }

    #[test]
    fn a_key_file_that_is_none_is_told() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let refused = |file: &str| Grant::account(file, "s", None).err();
        assert_eq!(refused("x"), Some("not read"));
        let file = r#"{"client_email":"a","private_key":"b","token_uri":"c"}"#;
        assert_eq!(refused(file), Some("its private_key is none"));
    }
}
