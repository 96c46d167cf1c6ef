//! Alerts as rows of a table in Microsoft Sentinel, by the Logs Ingestion API. What its columns are stands in
//! `deploy/sentinel/telltale.json`. Azure removes no repetition: `arg_max(TimeGenerated, *) by AlertId` does.

use crate::{
    domain::{
        alert::Alert,
        secret::{Address, Secret},
        section::{Section, SectionError},
    },
    sinks::{
        shape::{
            body::body,
            identity::{alert_key, subject_key},
            oauth::Tokens,
            options::{Options, read, read_authority},
            post::{Post, in_time},
            wording::{self, Wording, severity_name},
        },
        sink::{Entry, Receipt, Sink, SinkError},
    },
};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::PathBuf;
use url::Url;

/// The row of this kind.
pub const ENTRY: Entry = Entry {
    kind: "sentinel",
    about: "rows in Microsoft Sentinel (Logs Ingestion API)",
    build: Sentinel::build,
    gathers: false,
};

const LOGIN: &str = "https://login.microsoftonline.com";
/// What tokens are for, by the cloud that the rows go to; the first where the address says nothing else.
const CLOUDS: [&str; 3] = ["monitor.azure.com", "monitor.azure.us", "monitor.azure.cn"];
/// A longer value is cut off there, in the middle of its JSON.
const MOST_OF_A_FIELD: usize = 60_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    url: Address,
    rule: String,
    #[serde(default = "usual_stream")]
    stream: String,
    tenant: String,
    client: String,
    secret: Secret,
    login: Option<Address>,
    ca: Option<PathBuf>,
}

fn usual_stream() -> String {
    "Custom-TelltaleAlerts_CL".to_owned()
}

struct Sentinel {
    options: Options,
    post: Post,
    tokens: Tokens,
}

impl Sentinel {
    fn build(section: &Section) -> Result<Box<dyn Sink>, SectionError> {
        let (options, config): (Options, Config) = read(section)?;
        let plain = |text: &str| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        for (key, value) in [("rule", &config.rule), ("stream", &config.stream), ("tenant", &config.tenant)] {
            if !plain(value) {
                return Err(SectionError::new(key, "letters, digits, -, _ and . only"));
            }
        }
        let authority = read_authority(section, config.ca.as_deref())?;
        let login = config.login.as_ref().map_or(LOGIN, Address::reveal).trim_end_matches('/');
        let login = format!("{login}/{}/oauth2/v2.0/token", config.tenant);
        let scope = format!("https://{}/.default", cloud(config.url.reveal()));
        let tokens = Tokens::of_client(&login, &options, authority.clone(), (&config.client, &config.secret), &scope)?;
        let base = Post::new(config.url.reveal(), &options, authority)?.hiding([config.secret]);
        let path = format!("/dataCollectionRules/{}/streams/{}", config.rule, config.stream);
        let post = base.at(&path).asking(&[("api-version", "2023-01-01")]);
        Ok(Box::new(Sentinel { options, post, tokens }))
    }

    async fn tell(&self, alert: &Alert) -> Result<Receipt, SinkError> {
        self.tokens.post("Sentinel", &self.post, &json!([row(alert)])).await
    }
}

fn cloud(address: &str) -> &'static str {
    let host = Url::parse(address.trim()).ok().and_then(|url| Some(url.host_str()?.to_owned())).unwrap_or_default();
    CLOUDS.into_iter().find(|cloud| host.ends_with(&format!(".{cloud}"))).unwrap_or(CLOUDS[0])
}

fn row(alert: &Alert) -> Value {
    let wording = Wording::of(alert);
    let incident = alert.incident.as_ref();
    let last = alert.sightings.last();
    let mut whole = body(alert);
    if whole.to_string().len() > MOST_OF_A_FIELD {
        whole = json!({"type": alert.alert_type.as_str(), "left_out": "too long: see the incident"});
    }
    json!({
        "TimeGenerated": alert.at.to_string(),
        "AlertId": alert_key(alert),
        "SubjectId": subject_key(alert),
        "AlertType": alert.alert_type.as_str(),
        "Severity": severity_name(wording.severity),
        "Title": format!("{}{}", wording.mark, wording.title),
        "Summary": wording.summary,
        "Drill": !wording.mark.is_empty(),
        "Incident": incident.map(|incident| webhooks::clean(&incident.id, 60)),
        "Verdict": incident.map(wording::verdict),
        "Stores": incident.map(wording::stores),
        "Sightings": incident.map(|incident| incident.sightings),
        "Canaries": incident.map(|incident| incident.canaries.len()),
        "SourceIp": last.and_then(|last| last.source_ip).map(|address| address.to_string()),
        "Service": last.map(|last| webhooks::clean(&last.service, 200)),
        "Techniques": wording::techniques(alert),
        "Link": wording::link(alert),
        "Alert": whole,
    })
}

#[async_trait]
impl Sink for Sentinel {
    async fn send(&self, alert: &Alert) -> Result<Receipt, SinkError> {
        in_time("Sentinel", self.tell(alert)).await
    }

    async fn probe(&self) -> anyhow::Result<()> {
        self.tokens.probe().await?;
        self.post.probe().await
    }

    fn options(&self) -> &Options {
        &self.options
    }
}
