//! Alerts as OCSF Detection Findings in an S3 bucket, or one of a store that speaks as S3 does: an object each, under a name that
//! follows from the alert, so that a repetition overwrites itself. A request is signed for a quarter of an hour, with the digest of what it
//! brings; the bucket is never listed or read.

use crate::{
    domain::{
        alert::Alert,
        secret::{Address, Secret},
        section::{Section, SectionError},
    },
    sinks::{
        shape::{
            finding::finding,
            identity::alert_key,
            options::{Options, read, read_authority},
            post::{Post, settle_strictly},
        },
        sink::{Entry, Receipt, Sink, SinkError},
    },
};
use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_STANDARD};
use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::{path::PathBuf, time::Duration};
use url::Url;
use webhooks::Method;

/// The row of this kind.
pub const ENTRY: Entry = Entry {
    kind: "ocsf_s3",
    about: "OCSF Detection Findings in an S3 bucket, an object each",
    build: OcsfS3::build,
    gathers: false,
};

const NAME: &str = "The bucket";
/// How long a signature is good: for as long as a clock may be behind.
const GOOD_FOR: Duration = Duration::from_secs(900);
/// What a bucket says where the same alert may be taken later: the clock is wrong, a passing token ran out, or it was slow.
const PASSING: [&str; 5] =
    ["RequestTimeTooSkewed", "Request has expired", "not valid yet", "ExpiredToken", "RequestTimeout"];
const JSON: &str = "application/json";

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
    ca: Option<PathBuf>,
}

fn yes() -> bool {
    true
}

struct OcsfS3 {
    options: Options,
    post: Post,
    bucket: Bucket,
    credentials: Credentials,
    prefix: String,
}

impl OcsfS3 {
    fn build(section: &Section) -> Result<Box<dyn Sink>, SectionError> {
        let (options, config): (Options, Config) = read(section)?;
        let named = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        if config.bucket.len() < 3 || config.bucket.len() > 63 || !named(&config.bucket) {
            return Err(SectionError::new(
                "bucket",
                "expected a bucket's name: 3 to 63 letters, digits, `-`, `.`, `_`",
            ));
        }
        if config.region.is_empty() || !named(&config.region) {
            return Err(SectionError::new(
                "region",
                "expected a region such as eu-west-3; where there is none, us-east-1",
            ));
        }
        let prefix = config.prefix.trim_matches('/');
        let plain = |part: &str| !part.is_empty() && !matches!(part, "." | "..") && (named(part) || part.contains('='));
        if !prefix.is_empty() && (prefix.len() > 500 || !prefix.split('/').all(plain)) {
            return Err(SectionError::new(
                "prefix",
                "expected a path such as telltale/findings, without `.`, `..` or `//`",
            ));
        }
        let authority = read_authority(section, config.ca.as_deref())?;
        let post = Post::new(config.url.reveal(), &options, authority)?.by(Method::Put);
        let style = if config.path_style { UrlStyle::Path } else { UrlStyle::VirtualHost };
        let wrong =
            |error: String| SectionError::new("url", format!("expected the address of an S3 endpoint: {error}"));
        let url = Url::parse(config.url.reveal().trim()).map_err(|error| wrong(error.to_string()))?;
        let bucket = Bucket::new(url, style, config.bucket, config.region).map_err(|error| wrong(error.to_string()))?;
        let (key, secret) = (config.access_key.reveal(), config.secret_key.reveal());
        let credentials = match &config.session_token {
            Some(token) => Credentials::new_with_token(key, secret, token.reveal()),
            None => Credentials::new(key, secret),
        };
        let hidden = [Some(config.access_key), Some(config.secret_key), config.session_token].into_iter().flatten();
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Ok(Box::new(OcsfS3 { options, post: post.hiding(hidden), bucket, credentials, prefix }))
    }

    /// The same at every attempt.
    fn object(&self, alert: &Alert) -> String {
        format!("{}{}/{}.json", self.prefix, alert.at.strftime("%Y/%m/%d"), alert_key(alert))
    }
}

#[async_trait]
impl Sink for OcsfS3 {
    async fn send(&self, alert: &Alert) -> Result<Receipt, SinkError> {
        let body = format!("{}\n", finding(alert)).into_bytes();
        let digest = BASE64_STANDARD.encode(Sha256::digest(&body));
        let object = self.object(alert);
        let mut action = self.bucket.put_object(Some(&self.credentials), &object);
        // What is signed must be sent so; a bucket that locks its objects wants a digest.
        let headers = [("content-type", JSON), ("x-amz-checksum-sha256", digest.as_str())];
        for (name, value) in headers {
            action.headers_mut().insert(name, value);
        }
        let answer = self.post.to(action.sign(GOOD_FOR)).send(&headers, body).await?;
        let said = &answer.body;
        if matches!(answer.status, 400 | 403) && PASSING.iter().any(|why| said.contains(why)) {
            let why = format!(
                "{NAME} does not take it now: is this machine's clock right, and the session token still good? {}",
                webhooks::clip(said, 200)
            );
            return Err(SinkError::Retry { why, status: Some(answer.status), after: None });
        }
        settle_strictly(NAME, answer)
    }

    async fn probe(&self) -> anyhow::Result<()> {
        self.post.to(self.bucket.base_url().clone()).probe().await
    }

    fn options(&self) -> &Options {
        &self.options
    }
}
