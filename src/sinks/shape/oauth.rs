//! Access tokens of clouds: asked for by OAuth 2.0, with a client's secret or a service account's signature, kept while
//! they hold, and shown to nobody.

use crate::{
    domain::{secret::Secret, section::SectionError},
    sinks::{
        shape::{
            options::Options,
            post::{Post, settle_strictly},
        },
        sink::{Receipt, SinkError},
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
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use url::{Host, Url, form_urlencoded::Serializer};
use webhooks::Answer;

/// So long before its end a token is asked for anew.
const EARLY: Duration = Duration::from_secs(120);
/// How long a signed request for a token is good.
const HOUR: i64 = 3600;
/// No token is kept for longer, whatever its service says.
const LONGEST: u64 = 86_400;
/// Clocks differ: what was signed in the future is refused.
const BEFORE: i64 = 30;

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
    /// For a client with a secret. Errors are about the key `login`.
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
        let post = token_post(address, options, authority).map_err(|why| SectionError::new("login", why))?;
        let post = post.hiding([secret.clone()]);
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
        let post = token_post(&account.token_uri, options, authority)
            .map_err(|why| wrong(&format!("its token_uri is not taken ({why})")))?;
        let (account, audience, scope) = (account.client_email, account.token_uri, scope.to_owned());
        Ok(Tokens { post, grant: Grant::Signed { key, account, audience, scope }, kept: tokio::sync::Mutex::default() })
    }

    /// Posts JSON with a token. One that is not wanted any more is asked for anew, once; whatever is answered shows none.
    pub async fn post(&self, name: &str, post: &Post, body: &Value) -> Result<Receipt, SinkError> {
        let body = body.to_string();
        for _ in 0..2 {
            let token = self.token().await?;
            let answer = with(&token, post, body.clone().into_bytes()).await?;
            if answer.status != 401 {
                return settle_strictly(name, answer);
            }
            self.forget(&token).await;
        }
        let why = format!("{name} does not want the access token, nor another: may the account write there?");
        Err(SinkError::Retry { why, status: Some(401), after: None })
    }

    /// Whether a token is to be had: for `check`.
    pub async fn probe(&self) -> Result<(), SinkError> {
        self.token().await.map(drop)
    }

    async fn token(&self) -> Result<Secret, SinkError> {
        let mut kept = self.kept.lock().await;
        if let Some((token, until)) = kept.as_ref()
            && Instant::now() < *until
        {
            return Ok(token.clone());
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
            // A clock that is wrong, a key that is new, a service that is busy: that mends itself.
            let passing = ["invalid_grant", "temporarily_unavailable"].iter().any(|error| said["error"] == *error);
            if matches!(answer.status, 401 | 403) || (answer.status == 400 && !passing) {
                return Err(SinkError::GiveUp { why, status });
            }
            return Err(SinkError::Retry { why, status, after: answer.retry_after });
        };
        let token = Secret::new(token);
        let holds = said["expires_in"].as_u64().unwrap_or(300).min(LONGEST);
        *kept = Some((token.clone(), Instant::now() + Duration::from_secs(holds).saturating_sub(EARLY)));
        Ok(token)
    }

    /// Forgets a token that the receiver does not want, and no newer one that another attempt has brought meanwhile.
    async fn forget(&self, token: &Secret) {
        let mut kept = self.kept.lock().await;
        if kept.as_ref().is_some_and(|(kept, _)| kept == token) {
            *kept = None;
        }
    }

    /// The form with a JWT (RFC 7523).
    fn signed(&self) -> Result<String, SinkError> {
        let Grant::Signed { key, account, audience, scope } = &self.grant else { return Ok(String::new()) };
        let unable = || SinkError::GiveUp { why: "the service account's key signs no RS256".to_owned(), status: None };
        let now = Timestamp::now().as_second() - BEFORE;
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

async fn with(token: &Secret, post: &Post, body: Vec<u8>) -> Result<Answer, SinkError> {
    let line = Secret::new(format!("Bearer {}", token.reveal()));
    let headers = [("content-type", "application/json"), ("authorization", line.reveal())];
    post.hiding_also(token).send(&headers, body).await
}

/// Where tokens are asked for. What is sent there is a secret, and so is the answer: in plain text only within networks that the
/// operator listed.
fn token_post(address: &str, options: &Options, authority: Option<Vec<u8>>) -> Result<Post, String> {
    let post = Post::new(address, options, authority).map_err(|error| error.message)?;
    let listed = |address: IpAddr| options.allow_private.iter().any(|net| net.contains(&address));
    let inside = match Url::parse(address.trim()).ok().as_ref().and_then(Url::host) {
        Some(Host::Ipv4(address)) => listed(address.into()),
        Some(Host::Ipv6(address)) => listed(address.into()),
        _ => false,
    };
    let plain = Url::parse(address.trim()).is_ok_and(|url| url.scheme() == "http");
    if plain && !inside {
        return Err("expected an https:// address, or http:// with an IP address within allow_private".to_owned());
    }
    Ok(post)
}
