//! Asks one provider, with a token that does not leave for anywhere else: addresses are its own origin's, redirects are not
//! followed, and names that lead to private networks are refused.

use crate::{
    domain::secret::Secret,
    sensors::outside::{self, Allowed},
};
use futures_util::StreamExt as _;
use jiff::Timestamp;
use reqwest::{
    Response, StatusCode, Url,
    header::{HeaderMap, HeaderValue},
};
use serde_json::Value;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Mutex;
use webhooks::oauth::{self, Grant};

/// The greatest page.
const LIMIT: usize = 32 * 1024 * 1024;
/// The greatest answer about a token.
const TOKEN: usize = 64 * 1024;
/// So long before its end a token is asked for anew.
const EARLY: Duration = Duration::from_secs(120);
/// No provider is left alone for longer.
pub const LONGEST: Duration = Duration::from_secs(3600);

/// With what we are let in.
pub enum Pass {
    /// A fixed header's value.
    Fixed(Secret),
    /// Tokens that are asked for.
    Asked(Box<Asking>),
}

/// Where tokens are asked for, and the last one.
pub struct Asking {
    pub grant: Grant,
    pub at: Url,
    pub client: reqwest::Client,
    pub kept: Mutex<Option<(Secret, Instant)>>,
}

/// A provider's answer.
pub enum Answer {
    Page(HeaderMap, Value),
    /// Not now; after so long, if it said so.
    Later(Option<Duration>),
    /// Anything else, under a fixed reason.
    Failed(&'static str),
}

/// A client of one provider.
pub struct Client {
    pub client: reqwest::Client,
    pub base: Url,
    pub allowed: Arc<Allowed>,
    pub pass: Pass,
}

impl Client {
    /// The origin, as the one who vouches for what is found there.
    pub fn origin(&self) -> String {
        self.base.origin().ascii_serialization()
    }

    /// Asks for an address of the provider's.
    pub async fn get(&self, address: &Url) -> Answer {
        // A page may name the next one: anywhere else nobody is asked, least of all with our token.
        if address.origin() != self.base.origin() || !address.username().is_empty() || address.password().is_some() {
            return Answer::Failed("strange_address");
        }
        if !self.allowed.literal(address) {
            return Answer::Failed("private_address");
        }
        for again in [false, true] {
            let pass = match self.pass(again).await {
                Ok(pass) => pass,
                Err(answer) => return answer,
            };
            let Ok(mut value) = HeaderValue::from_str(pass.reveal()) else { return Answer::Failed("no_token") };
            value.set_sensitive(true);
            let request = self.client.get(address.clone()).header("authorization", value);
            let Ok(response) = request.header("accept", "application/json").send().await else {
                return Answer::Failed("unreachable");
            };
            match response.status() {
                StatusCode::UNAUTHORIZED if !again && matches!(self.pass, Pass::Asked(_)) => {}
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Answer::Failed("not_allowed"),
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                    return Answer::Later(outside::wait(response.headers(), Timestamp::now(), LONGEST));
                }
                status if status.is_redirection() => return Answer::Failed("redirect_refused"),
                status if status.is_success() => {
                    let headers = response.headers().clone();
                    return match read(response, LIMIT).await {
                        Ok(bytes) => match serde_json::from_slice(&bytes) {
                            Ok(body) => Answer::Page(headers, body),
                            Err(_) => Answer::Failed("no_json"),
                        },
                        Err(reason) => Answer::Failed(reason),
                    };
                }
                _ => return Answer::Failed("unexpected_status"),
            }
        }
        Answer::Failed("not_allowed")
    }

    /// The header's value; a token that was not wanted is asked for anew.
    async fn pass(&self, anew: bool) -> Result<Secret, Answer> {
        match &self.pass {
            Pass::Fixed(value) => Ok(value.clone()),
            Pass::Asked(asking) => {
                let token = asking.token(anew).await?;
                Ok(Secret::new(format!("Bearer {}", token.reveal())))
            }
        }
    }
}

impl Asking {
    /// The token; one that was not wanted is asked for anew.
    pub async fn token(&self, anew: bool) -> Result<Secret, Answer> {
        let Asking { grant, at, client, kept } = self;
        let mut kept = kept.lock().await;
        if let Some((token, until)) = kept.as_ref()
            && !anew
            && Instant::now() < *until
        {
            return Ok(token.clone());
        }
        let form = grant.form(Timestamp::now().as_second()).ok_or(Answer::Failed("no_token"))?;
        let asked = client.post(at.clone()).header("content-type", "application/x-www-form-urlencoded");
        let asked = asked.header("accept", "application/json").body(form.to_string()).send().await;
        let response = asked.map_err(|_| Answer::Failed("no_token"))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = read(response, TOKEN).await.map_err(Answer::Failed)?;
        match oauth::token(status.as_u16(), &String::from_utf8_lossy(&body)) {
            Ok((token, holds)) => {
                let value = Secret::new(token.as_str().to_owned());
                *kept = Some((value.clone(), Instant::now() + holds.saturating_sub(EARLY)));
                Ok(value)
            }
            Err(denied) if !denied.for_good && (status == 429 || status.is_server_error()) => {
                Err(Answer::Later(outside::wait(&headers, Timestamp::now(), LONGEST)))
            }
            Err(_) => Err(Answer::Failed("no_token")),
        }
    }
}

async fn read(response: Response, limit: usize) -> Result<Vec<u8>, &'static str> {
    let mut pieces = response.bytes_stream();
    let mut bytes = Vec::new();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| "answer_cut_short")?;
        if bytes.len() + piece.len() > limit {
            return Err("answer_too_large");
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}
