//! One guarded HTTP request of a sink: builds the client from the section, and turns what can go wrong into what a sink
//! says. Whatever is said of it shows neither the address's path nor its query: in chat webhooks they are the key.

use crate::{
    domain::{secret::Secret, section::SectionError},
    sinks::{
        shape::{options::Options, sent::note},
        sink::{Receipt, SinkError},
    },
};
use std::time::Duration;
use url::Url;
use webhooks::{Answer, Client, Guard, Judgement, Method, PostError, Refusal, judge};

const MOST_KEPT: usize = 16 * 1024;
/// How long an attempt may take that is made of several requests.
const TOTAL_TIME: Duration = Duration::from_secs(15);

/// An attempt at this receiver, given up for now if it takes too long.
pub async fn in_time<T>(receiver: &str, attempt: impl Future<Output = Result<T, SinkError>>) -> Result<T, SinkError> {
    tokio::time::timeout(TOTAL_TIME, attempt).await.unwrap_or_else(|_| {
        let why = format!("{receiver} did not answer in {} s", TOTAL_TIME.as_secs());
        Err(SinkError::Retry { why, status: None, after: None })
    })
}

/// Posts to one address.
#[derive(Clone)]
pub struct Post {
    url: Url,
    client: Client,
    method: Method,
    /// What else no answer may show, though receivers like to repeat what they were sent.
    hidden: Vec<Secret>,
    most: usize,
}

impl Post {
    /// For this address; an address that cannot be one is an error about the key `url`.
    pub fn new(address: &str, options: &Options, authority: Option<Vec<u8>>) -> Result<Self, SectionError> {
        let expected = "expected an http:// or https:// address";
        let url = Url::parse(address.trim()).map_err(|_| SectionError::new("url", expected))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(SectionError::new("url", format!("{expected}, not {}://", url.scheme())));
        }
        let client = Client::new(Guard::new(options.allow_private.clone()), authority)
            .with_identity(options.identity.clone())
            .by_proxy(options.proxy()?);
        let password = options.proxy()?.and_then(|proxy| proxy.password().map(Secret::new));
        Ok(Post { url, client, method: Method::Post, hidden: password.into_iter().collect(), most: MOST_KEPT })
    }

    /// The same by another method.
    pub fn by(self, method: Method) -> Self {
        Post { method, ..self }
    }

    /// The same, and these secrets are shown to nobody.
    pub fn hiding(mut self, hidden: impl IntoIterator<Item = Secret>) -> Self {
        self.hidden.extend(hidden);
        self
    }

    /// The same, and so much is kept of an answer.
    pub fn keeping(self, most: usize) -> Self {
        Post { client: self.client.keeping(most), most, ..self }
    }

    /// The same, and this secret is shown to nobody either.
    pub fn hiding_also(&self, secret: &Secret) -> Self {
        let mut post = self.clone();
        post.hidden.push(secret.clone());
        post
    }

    /// The same at another path of the same receiver.
    pub fn at(&self, path: &str) -> Self {
        let mut post = self.clone();
        post.url.set_path(path);
        post
    }

    /// The same at another address, whose every part is a secret as that of the first.
    pub fn to(&self, url: Url) -> Self {
        Post { url, ..self.clone() }
    }

    /// The same with this in the address's query, where it does not say otherwise itself.
    pub fn asking(mut self, query: &[(&str, &str)]) -> Self {
        for (name, value) in query {
            if self.url.query_pairs().all(|(known, _)| known != *name) {
                self.url.query_pairs_mut().append_pair(name, value);
            }
        }
        self
    }

    /// The path that was configured.
    pub fn path(&self) -> &str {
        self.url.path()
    }

    /// Makes one attempt and answers whatever the receiver answered, redacted.
    pub async fn send(&self, headers: &[(&str, &str)], body: Vec<u8>) -> Result<Answer, SinkError> {
        let receiver = format!(
            "{}://{}:{}",
            self.url.scheme(),
            self.url.host_str().unwrap_or_default(),
            self.url.port_or_known_default().unwrap_or_default()
        );
        note(self.method.name(), &receiver, &body);
        let mut answer =
            self.client.send(self.method, &self.url, headers, body).await.map_err(|error| self.failure(&error))?;
        answer.body = self.redact(&answer.body);
        Ok(answer)
    }

    /// Connects and sends nothing.
    pub async fn probe(&self) -> anyhow::Result<()> {
        self.client.probe(&self.url).await.map_err(|error| anyhow::anyhow!(self.redact(&error.to_string())))
    }

    fn failure(&self, error: &PostError) -> SinkError {
        let why = self.redact(&error.to_string());
        match error {
            PostError::Refused(Refusal::Private(_) | Refusal::Address(_)) | PostError::Tls(_) => {
                SinkError::GiveUp { why, status: None }
            }
            _ => SinkError::Retry { why, status: None, after: None },
        }
    }

    /// One line without control characters, in which nothing of the address but its host is left.
    fn redact(&self, text: &str) -> String {
        let mut text = webhooks::clean(text, self.most);
        let path = self.url.path().trim_matches('/');
        let values: Vec<String> = self.url.query_pairs().map(|(_, value)| value.into_owned()).collect();
        let whole = [self.url.as_str(), path, self.url.query().unwrap_or(""), self.url.password().unwrap_or("")];
        let last = path.rsplit('/').take(1).chain(path.split('/').filter(|part| part.len() >= 20));
        for part in whole.into_iter().chain(last).chain(values.iter().map(String::as_str)) {
            if part.len() >= 8 {
                text = text.replace(part, "[secret]");
            }
        }
        for secret in self.hidden.iter().map(Secret::reveal).filter(|secret| secret.len() >= 4) {
            text = text.replace(secret, "[secret]");
        }
        let end = (0..=self.most.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        text.truncate(end);
        text
    }
}

/// What an answer means where the receiver keeps to the usual: 2xx has it, 410 wants nothing more, the rest later.
pub fn settle(host: &str, answer: Answer) -> Result<Receipt, SinkError> {
    let status = Some(answer.status);
    let why = || format!("{host} answered {}: {}", answer.status, webhooks::clip(&answer.body, 200));
    match judge(answer.status) {
        Judgement::Delivered => Ok(Receipt { status, response: answer.body }),
        Judgement::GiveUp => Err(SinkError::GiveUp { why: why(), status }),
        Judgement::Retry if (300..400).contains(&answer.status) => Err(SinkError::Retry {
            why: format!("{host} answered with a redirect ({}): give the final address", answer.status),
            status,
            after: answer.retry_after,
        }),
        Judgement::Retry => Err(SinkError::Retry { why: why(), status, after: answer.retry_after }),
    }
}

/// The same where a request that is refused stays so: wrong keys, wrong addresses, what is no such request.
pub fn settle_strictly(host: &str, answer: Answer) -> Result<Receipt, SinkError> {
    match answer.status {
        400 | 401 | 403 | 404 | 413 | 422 => Err(SinkError::GiveUp {
            why: format!("{host} refuses it ({}): {}", answer.status, webhooks::clip(&answer.body, 300)),
            status: Some(answer.status),
        }),
        _ => settle(host, answer),
    }
}
