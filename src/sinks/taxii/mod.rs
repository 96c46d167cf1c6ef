//! Alerts as STIX 2.1 objects in a collection of a TAXII 2.1 server. A 202 says nothing of what became of them, so the
//! status is read; and an object that is refused counts as there if the collection has this version of it.

pub mod objects;

use crate::{
    domain::{
        alert::Alert,
        secret::{Address, Secret},
        section::{Section, SectionError},
    },
    sinks::{
        shape::{
            options::{Options, read, read_authority},
            post::{Post, in_time, settle},
        },
        sink::{Entry, Receipt, Sink, SinkError},
    },
};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{path::PathBuf, time::Duration};
use tokio::time::sleep;
use webhooks::{Answer, Method};

/// The row of this kind.
pub const ENTRY: Entry =
    Entry { kind: "taxii", about: "STIX objects in a TAXII collection", build: Taxii::build, gathers: false };

const MEDIA: &str = "application/taxii+json;version=2.1";
const PAUSE: Duration = Duration::from_millis(500);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    url: Address,
    user: Option<String>,
    password: Option<Secret>,
    ca: Option<PathBuf>,
}

struct Taxii {
    options: Options,
    post: Post,
    /// Path of the collection's objects, and of the server's statuses.
    objects: String,
    statuses: String,
    authorization: Option<Secret>,
}

impl Taxii {
    fn build(section: &Section) -> Result<Box<dyn Sink>, SectionError> {
        let (options, config): (Options, Config) = read(section)?;
        if options.reveal {
            return Err(SectionError::new(
                "reveal",
                "what is shared with others carries no marker's value: leave it out",
            ));
        }
        let authorization = match (config.user, &config.password) {
            (None, None) => None,
            (Some(user), Some(password)) => {
                let pair = format!("{user}:{}", password.reveal());
                Some(Secret::new(format!("Basic {}", data_encoding::BASE64.encode(pair.as_bytes()))))
            }
            (Some(_), None) => return Err(SectionError::new("password", "is missing beside `user`")),
            (None, Some(_)) => return Err(SectionError::new("user", "is missing beside `password`")),
        };
        let authority = read_authority(section, config.ca.as_deref())?;
        let post = Post::new(config.url.reveal(), &options, authority)?.hiding(config.password);
        let path = post.path().trim_end_matches('/').trim_end_matches("/objects").to_owned();
        let Some((root, _)) = path.rsplit_once("/collections/") else {
            return Err(SectionError::new("url", "expected a collection: https://host/root/collections/ID/"));
        };
        let (objects, statuses) = (format!("{path}/objects/"), format!("{root}/status/"));
        Ok(Box::new(Taxii { options, post, objects, statuses, authorization }))
    }

    async fn ask(&self, method: Method, path: &str, body: Vec<u8>) -> Result<Answer, SinkError> {
        let mut headers = vec![("accept", MEDIA), ("content-type", MEDIA)];
        headers.extend(self.authorization.iter().map(|line| ("authorization", line.reveal())));
        self.post.at(path).by(method).send(&headers, body).await
    }

    async fn tell(&self, alert: &Alert) -> Result<Receipt, SinkError> {
        let sent = objects::objects(alert);
        // An envelope: a bundle is taken with the same 202, and all that is in it refused.
        let answer = self.ask(Method::Post, &self.objects, json!({ "objects": sent }).to_string().into_bytes()).await?;
        let status = Some(answer.status);
        match answer.status {
            202 => {}
            400 | 401 | 403 | 404 | 406 | 413 | 415 | 422 => {
                let why = format!("the TAXII server answered {}: {}", answer.status, webhooks::clip(&answer.body, 300));
                return Err(SinkError::GiveUp { why, status });
            }
            _ => return settle("the TAXII server", answer).and_then(|_| Err(odd(status))),
        }
        let mut said: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        while said["status"] == "pending" {
            sleep(PAUSE).await;
            let id: String = said["id"].as_str().unwrap_or_default().chars().filter(char::is_ascii_graphic).collect();
            let later = self.ask(Method::Get, &format!("{}{id}/", self.statuses), Vec::new()).await?;
            said = serde_json::from_str(&later.body).unwrap_or_default();
        }
        if said["status"] != "complete" {
            return Err(odd(status));
        }
        for failure in said["failures"].as_array().into_iter().flatten() {
            let refused = sent.iter().find(|object| object["id"] == failure["id"]);
            let there = match refused {
                Some(object) => self.has(object).await?,
                None => false,
            };
            if !there {
                let why = format!("the TAXII server refuses {}: {}", failure["id"], failure["message"]);
                return Err(SinkError::GiveUp { why: webhooks::clean(&why, 500), status });
            }
        }
        let (count, failed) = (said["success_count"].as_u64(), said["failure_count"].as_u64());
        if count.unwrap_or(0) + failed.unwrap_or(0) != sent.len() as u64 {
            return Err(odd(status));
        }
        Ok(Receipt { status, response: answer.body })
    }

    /// Whether the collection has this version of an object.
    async fn has(&self, object: &Value) -> Result<bool, SinkError> {
        let id = object["id"].as_str().unwrap_or_default();
        let answer = self.ask(Method::Get, &format!("{}{id}/", self.objects), Vec::new()).await?;
        let found: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        Ok(found["objects"].as_array().into_iter().flatten().any(|known| known["modified"] == object["modified"]))
    }
}

fn odd(status: Option<u16>) -> SinkError {
    let why = "the receiver does not answer as a TAXII server does: no complete status".to_owned();
    SinkError::Retry { why, status, after: None }
}

#[async_trait]
impl Sink for Taxii {
    async fn send(&self, alert: &Alert) -> Result<Receipt, SinkError> {
        in_time("the TAXII server", self.tell(alert)).await
    }

    async fn probe(&self) -> anyhow::Result<()> {
        self.post.probe().await
    }

    fn options(&self) -> &Options {
        &self.options
    }
}
