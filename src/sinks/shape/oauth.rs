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
use jiff::Timestamp;
use serde_json::Value;
use std::{
    net::IpAddr,
    time::{Duration, Instant},
};
use url::{Host, Url};
use webhooks::{
    Answer,
    oauth::{self, Grant},
};

/// So long before its end a token is asked for anew.
const EARLY: Duration = Duration::from_secs(120);

/// Where tokens come from.
pub struct Tokens {
    post: Post,
    grant: Grant,
    kept: tokio::sync::Mutex<Option<(Secret, Instant)>>,
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
        let post = token_post(address, options, authority).map_err(|why| SectionError::new("login", why))?;
        let post = post.hiding([secret.clone()]);
        let grant = Grant::client(client, secret.reveal(), scope);
        Ok(Tokens { post, grant, kept: tokio::sync::Mutex::default() })
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
        let (grant, address) = Grant::account(file.reveal(), scope, None).map_err(wrong)?;
        let post = token_post(&address, options, authority)
            .map_err(|why| wrong(&format!("its token_uri is not taken ({why})")))?;
        Ok(Tokens { post, grant, kept: tokio::sync::Mutex::default() })
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
        let unable = || SinkError::GiveUp { why: "the service account's key signs no RS256".to_owned(), status: None };
        let form = self.grant.form(Timestamp::now().as_second()).ok_or_else(unable)?;
        let form = form.as_bytes().to_vec();
        let headers = [("content-type", "application/x-www-form-urlencoded"), ("accept", "application/json")];
        let answer = self.post.send(&headers, form).await?;
        let status = Some(answer.status);
        let (token, holds) = match oauth::token(answer.status, &answer.body) {
            Ok((token, holds)) => (Secret::new(token.as_str()), holds),
            Err(denied) => {
                let why = format!(
                    "no access token ({}, {}): are the account and its secret right?",
                    answer.status, denied.reason
                );
                if denied.for_good {
                    return Err(SinkError::GiveUp { why, status });
                }
                return Err(SinkError::Retry { why, status, after: answer.retry_after });
            }
        };
        *kept = Some((token.clone(), Instant::now() + holds.saturating_sub(EARLY)));
        Ok(token)
    }

    /// Forgets a token that the receiver does not want, and no newer one that another attempt has brought meanwhile.
    async fn forget(&self, token: &Secret) {
        let mut kept = self.kept.lock().await;
        if kept.as_ref().is_some_and(|(kept, _)| kept == token) {
            *kept = None;
        }
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
