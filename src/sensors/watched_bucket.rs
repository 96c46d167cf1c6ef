//! A bucket of S3, or of a store that speaks as S3 does, in which analysts lay down leaked files: each object that is new is
//! read, whatever it is packed in. Every request is signed for a few minutes; nothing is ever written.

use crate::{
    domain::{
        secret::{Address, Secret},
        section::{Section, SectionError},
    },
    sensors::{
        collected::{
            Closed, Collected, Collection, Found, Looked,
            marks::{MOST, mark},
        },
        outside::{self, Allowed},
        sensor::{Entry, Sensor},
    },
};
use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use ipnet::IpNet;
use reqwest::{Response, StatusCode};
use rusty_s3::{Bucket, Credentials, S3Action as _, UrlStyle, actions::ListObjectsV2};
use serde::Deserialize;
use std::{
    io::{self, Read},
    sync::Arc,
    time::Duration,
};
use tokio_util::io::{StreamReader, SyncIoBridge};
use url::Url;

/// The row of `sensors::ALL`.
pub const ENTRY: Entry =
    Entry { kind: "watched_bucket", about: "a bucket (S3) of leaked files that analysts collect", build };

/// How long a signature is good: for as long as a clock may be behind.
const GOOD_FOR: Duration = Duration::from_secs(900);
/// The greatest page of a list.
const LIST: usize = 8 * 1024 * 1024;
/// An object may take so long, as long as it comes at all.
const PATIENCE: Duration = Duration::from_secs(6 * 60 * 60);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    url: Address,
    bucket: String,
    region: String,
    access_key: Secret,
    secret_key: Secret,
    session_token: Option<Secret>,
    #[serde(default)]
    prefix: String,
    #[serde(default = "yes")]
    path_style: bool,
    every: Option<String>,
    #[serde(default)]
    allow_private: Vec<IpNet>,
}

fn yes() -> bool {
    true
}

struct Objects {
    client: reqwest::Client,
    allowed: Arc<Allowed>,
    bucket: Bucket,
    credentials: Credentials,
    prefix: String,
}

fn build(section: &Section) -> Result<Box<dyn Sensor>, SectionError> {
    let config: Config = section.read()?;
    let wrong = |key: &str, message: String| SectionError::new(key, message);
    let every = config.every.as_deref().unwrap_or("60s");
    let every = every.parse::<jiff::SignedDuration>().ok().and_then(|every| Duration::try_from(every).ok());
    let every = every.filter(|every| !every.is_zero());
    let every = every.ok_or_else(|| wrong("every", "expected a duration such as 60s or 5m".to_owned()))?;
    let url = Url::parse(config.url.reveal().trim())
        .map_err(|error| wrong("url", format!("expected the address of an S3 endpoint: {error}")))?;
    let style = if config.path_style { UrlStyle::Path } else { UrlStyle::VirtualHost };
    let bucket = Bucket::new(url.clone(), style, config.bucket, config.region)
        .map_err(|error| wrong("url", format!("expected the address of an S3 endpoint: {error}")))?;
    let (key, secret) = (config.access_key.reveal(), config.secret_key.reveal());
    let credentials = match &config.session_token {
        Some(passing) => Credentials::new_with_token(key, secret, passing.reveal()),
        None => Credentials::new(key, secret),
    };
    let allowed = Allowed::new(&url, config.allow_private);
    let client = outside::client(&allowed).map_err(|error| wrong("url", error))?;
    let collection = Objects { client, allowed, bucket, credentials, prefix: config.prefix };
    Ok(Box::new(Collected { sensor: section.name.clone(), collection, every }))
}

impl Objects {
    async fn get(&self, address: Url) -> Result<Option<Response>, Closed> {
        if !self.allowed.literal(&address) {
            return Err(Closed::All("private_address"));
        }
        let answer = self.client.get(address).timeout(PATIENCE).send().await.map_err(|_| Closed::All("unreachable"))?;
        match answer.status() {
            status if status.is_success() => Ok(Some(answer)),
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::UNAUTHORIZED => Err(Closed::All("not_allowed")),
            StatusCode::FORBIDDEN => Err(Closed::File("not_allowed")),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Err(Closed::All("asked_to_wait")),
            StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => Err(Closed::All("unreachable")),
            _ => Err(Closed::File("unexpected_status")),
        }
    }
}

#[async_trait]
impl Collection for Objects {
    fn origin(&self) -> String {
        format!("s3:{}", self.bucket.name())
    }

    fn blind(&self) -> &'static str {
        "the_bucket_cannot_be_read"
    }

    async fn look(&self) -> Result<Looked, &'static str> {
        let mut found: Vec<Found> = Vec::new();
        let mut from: Option<String> = None;
        loop {
            let mut action = self.bucket.list_objects_v2(Some(&self.credentials));
            if !self.prefix.is_empty() {
                action.with_prefix(self.prefix.as_str());
            }
            if let Some(from) = &from {
                action.with_continuation_token(from.as_str());
            }
            let answer = self.get(action.sign(GOOD_FOR)).await;
            let answer =
                answer.map_err(|(Closed::All(reason) | Closed::File(reason))| reason)?.ok_or("no_such_bucket")?;
            let mut body = Vec::new();
            let mut pieces = answer.bytes_stream();
            while let Some(piece) = pieces.try_next().await.map_err(|_| "answer_cut_short")? {
                body.extend_from_slice(&piece);
                if body.len() > LIST {
                    return Err("list_too_large");
                }
            }
            let body = String::from_utf8(body).map_err(|_| "no_list")?;
            let page = ListObjectsV2::parse_response(&body).map_err(|_| "no_list")?;
            for object in page.contents.into_iter().filter(|object| !object.key.ends_with('/')) {
                let told = [object.etag, object.last_modified, object.size.map(|size| size.to_string())];
                let [etag, modified, size] = told.map(Option::unwrap_or_default);
                let parts = [object.key.as_bytes(), etag.as_bytes(), modified.as_bytes(), size.as_bytes()];
                // An object is there when it is whole.
                found.push(Found { mark: mark(&parts), name: object.key, settled: true });
            }
            match page.next_continuation_token {
                Some(next) if found.len() <= MOST && from.as_ref() != Some(&next) => from = Some(next),
                _ => return Ok(Looked { files: found, skipped: 0 }),
            }
        }
    }

    async fn open(&self, file: &Found) -> Result<Option<Box<dyn Read + Send>>, Closed> {
        let action = self.bucket.get_object(Some(&self.credentials), &file.name);
        let Some(answer) = self.get(action.sign(GOOD_FOR)).await? else { return Ok(None) };
        let pieces = answer.bytes_stream().map_err(io::Error::other);
        Ok(Some(Box::new(SyncIoBridge::new(Box::pin(StreamReader::new(pieces))))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_list_breaks_the_reader(text in "(<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">|</ListBucketResult>|<Contents>|</Contents>|<Key>|</Key>|<Size>7</Size>|<IsTruncated>true</IsTruncated>|<EncodingType>url</EncodingType>|%FF|&x;|<!DOCTYPE x \\[|\\PC){0,16}") {
            let _ = ListObjectsV2::parse_response(&text);
        }
    }
}
