//! Access tokens of clouds: asked for by OAuth 2.0, with a client's secret or a service account's signature, kept while
//! they hold, and shown to nobody.

use crate::{
    domain::{secret::Secret, section::SectionError},
    sinks::{
        shape::{options::Options, post::Post},
        sink::SinkError,
    },
};
use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;
use rustls::{
    SignatureScheme,
    crypto::ring::sign::any_supported_type,
    pki_types::{PrivateKeyDer, pem::PemObject},
    sign::SigningKey,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use url::form_urlencoded::Serializer;

/// So long before its end a token is asked for anew.
const EARLY: Duration = Duration::from_secs(120);
/// How long a signed request for a token is good.
const HOUR: i64 = 3600;

/// Where tokens come from.
pub struct Tokens {
    post: Post,
    grant: Grant,
    kept: tokio::sync::Mutex<Option<(Secret, Instant)>>,
}

enum Grant {
    /// The form with the client's id and secret.
    Client(Secret),
    /// A service account signs what it asks for.
    Signed { key: Arc<dyn SigningKey>, account: String, audience: String, scope: String },
}

/// What of a service account's key file is needed.
#[derive(Deserialize)]
struct Account {
    client_email: String,
    private_key: String,
    token_uri: String,
}

impl Tokens {
    /// For a client with a secret.
    pub fn of_client(
        address: &str,
        options: &Options,
        authority: Option<Vec<u8>>,
        (client, secret): (&str, &Secret),
        scope: &str,
    ) -> Result<Tokens, SectionError> {
        let form = Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", client)
            .append_pair("client_secret", secret.reveal())
            .append_pair("scope", scope)
            .finish();
        let post = Post::new(address, options, authority)?.hiding([secret.clone()]);
        Ok(Tokens { post, grant: Grant::Client(Secret::new(form)), kept: tokio::sync::Mutex::default() })
    }

    /// For a service account, by its key file as Google hands it out. Errors are about the key `service_account`.
    pub fn of_account(
        file: &Secret,
        options: &Options,
        authority: Option<Vec<u8>>,
        scope: &str,
    ) -> Result<Tokens, SectionError> {
        let wrong = |what: &str| {
            SectionError::new("service_account", format!("{what}: a service account's key file (JSON) is expected"))
        };
        let account: Account = serde_json::from_str(file.reveal()).map_err(|_| wrong("not read"))?;
        let der = PrivateKeyDer::from_pem_slice(account.private_key.as_bytes())
            .map_err(|_| wrong("its private_key is none"))?;
        let key = any_supported_type(&der).map_err(|_| wrong("its private_key is none that signs"))?;
        let post =
            Post::new(&account.token_uri, options, authority).map_err(|_| wrong("its token_uri is no address"))?;
        let (account, audience, scope) = (account.client_email, account.token_uri, scope.to_owned());
        Ok(Tokens { post, grant: Grant::Signed { key, account, audience, scope }, kept: tokio::sync::Mutex::default() })
    }

    /// The line for `Authorization`.
    pub async fn bearer(&self) -> Result<Secret, SinkError> {
        let mut kept = self.kept.lock().await;
        if let Some((line, until)) = kept.as_ref()
            && Instant::now() < *until
        {
            return Ok(line.clone());
        }
        let form = match &self.grant {
            Grant::Client(form) => form.reveal().as_bytes().to_vec(),
            Grant::Signed { .. } => self.signed()?.into_bytes(),
        };
        let headers = [("content-type", "application/x-www-form-urlencoded"), ("accept", "application/json")];
        let answer = self.post.send(&headers, form).await?;
        let said: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let (status, token) = (Some(answer.status), said["access_token"].as_str().filter(|token| !token.is_empty()));
        let Some(token) = token.filter(|_| answer.status == 200) else {
            let reason = webhooks::clip(&said["error"].to_string(), 100);
            let why = format!("no access token ({}, {reason}): are the account and its secret right?", answer.status);
            return Err(match answer.status {
                400 | 401 | 403 => SinkError::GiveUp { why, status },
                _ => SinkError::Retry { why, status, after: answer.retry_after },
            });
        };
        let line = Secret::new(format!("Bearer {token}"));
        let holds = Duration::from_secs(said["expires_in"].as_u64().unwrap_or(300)).saturating_sub(EARLY);
        *kept = Some((line.clone(), Instant::now() + holds));
        Ok(line)
    }

    /// Forgets the token: the receiver does not want it.
    pub async fn forget(&self) {
        *self.kept.lock().await = None;
    }

    /// The form with a JWT (RFC 7523).
    fn signed(&self) -> Result<String, SinkError> {
        let Grant::Signed { key, account, audience, scope } = &self.grant else { return Ok(String::new()) };
        let unable = || SinkError::GiveUp { why: "the service account's key signs no RS256".to_owned(), status: None };
        let now = Timestamp::now().as_second();
        let part = |value: Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let claims = json!({"iss": account, "scope": scope, "aud": audience, "iat": now, "exp": now + HOUR});
        let text = format!("{}.{}", part(json!({"alg": "RS256", "typ": "JWT"})), part(claims));
        let signer = key.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256]).ok_or_else(unable)?;
        let signature = signer.sign(text.as_bytes()).map_err(|_| unable())?;
        let assertion = format!("{text}.{}", BASE64URL_NOPAD.encode(&signature));
        Ok(Serializer::new(String::new())
            .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
            .append_pair("assertion", &assertion)
            .finish())
    }
}
