//! Alerts as alerts of TheHive 5. Its type, source and reference together are unique there: a repetition is refused as
//! existing, which is how we know that it is there. What belongs to one incident shares a tag, by which it is merged.

use crate::{
    domain::{
        alert::Alert,
        incident::Severity,
        secret::{Address, Secret},
        section::{Section, SectionError},
    },
    sinks::{
        shape::{
            identity::{alert_key, subject_key},
            options::{Options, read, read_authority},
            post::{Post, settle},
            wording::{self, Wording},
        },
        sink::{Entry, Receipt, Sink, SinkError},
    },
};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::PathBuf;
use webhooks::Templates;

/// The row of this kind.
pub const ENTRY: Entry = Entry { kind: "thehive", about: "alerts in TheHive 5", build: TheHive::build, gathers: false };

const TEMPLATE: &str = "{{ summary|markdown(1500) }}\n\n{% for fact in facts %}* {{ fact.label|markdown(60) }}: \
                        {{ fact.value|markdown(1500) }}\n{% endfor %}{% if why_not %}\nWhy not certain:\n\n{% for reason \
                        in why_not %}* {{ reason|markdown(300) }}\n{% endfor %}{% endif %}";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    url: Address,
    token: Secret,
    organisation: Option<String>,
    ca: Option<PathBuf>,
}

struct TheHive {
    options: Options,
    post: Post,
    authorization: Secret,
    organisation: Option<String>,
    templates: Templates,
}

impl TheHive {
    fn build(section: &Section) -> Result<Box<dyn Sink>, SectionError> {
        let (options, config): (Options, Config) = read(section)?;
        if config.organisation.as_deref().is_some_and(|name| !name.bytes().all(|byte| (0x20..0x7f).contains(&byte))) {
            return Err(SectionError::new("organisation", "visible ASCII is expected: it goes into a header"));
        }
        let authority = read_authority(section, config.ca.as_deref())?;
        let authorization = Secret::new(format!("Bearer {}", config.token.reveal()));
        let base = Post::new(config.url.reveal(), &options, authority)?.hiding([config.token]);
        let post = base.at(&format!("{}/api/v1/alert", base.path().trim_end_matches('/')));
        let templates = Templates::default();
        Ok(Box::new(TheHive { options, post, authorization, organisation: config.organisation, templates }))
    }

    fn request(&self, alert: &Alert) -> Result<Value, SinkError> {
        let wording = Wording::of(alert);
        let rendered = self.templates.render_text(TEMPLATE, webhooks::Markup::Text, &wording.context(alert));
        let description = rendered.map_err(|error| SinkError::GiveUp { why: error.to_string(), status: None })?;
        let severity = match wording.severity {
            Severity::Info => 1,
            Severity::Medium => 2,
            Severity::High => 3,
            Severity::Critical => 4,
        };
        let mut tags = vec!["telltale".to_owned(), format!("telltale:subject={}", subject_key(alert))];
        tags.extend(alert.attack.iter().map(|id| format!("attack:{}", webhooks::clean(id, 20))));
        if !wording.mark.is_empty() {
            tags.push("drill".to_owned());
        }
        let mut request = json!({
            "type": webhooks::clean(alert.alert_type.as_str(), 32),
            "source": "telltale",
            "sourceRef": alert_key(alert),
            "title": webhooks::clean(&format!("{}{}", wording.mark, wording.title), 500),
            "description": description,
            "severity": severity,
            "date": alert.at.as_millisecond(),
            "tlp": 2,
            "pap": 2,
            "tags": tags,
        });
        if let Some(link) = wording::link(alert) {
            request["externalLink"] = json!(link);
        }
        let addresses: std::collections::BTreeSet<String> =
            alert.sightings.iter().filter_map(|seen| seen.source_ip).map(|address| address.to_string()).collect();
        if !addresses.is_empty() {
            let observable =
                |address: String| json!({"dataType": "ip", "data": address, "message": "touched a canary"});
            request["observables"] = addresses.into_iter().map(observable).collect();
        }
        Ok(request)
    }
}

#[async_trait]
impl Sink for TheHive {
    async fn send(&self, alert: &Alert) -> Result<Receipt, SinkError> {
        let request = self.request(alert)?.to_string().into_bytes();
        let mut headers = vec![("content-type", "application/json"), ("authorization", self.authorization.reveal())];
        headers.extend(self.organisation.iter().map(|name| ("x-organisation", name.as_str())));
        let answer = self.post.send(&headers, request).await?;
        let status = Some(answer.status);
        let why = || format!("TheHive refuses the alert ({}): {}", answer.status, webhooks::clip(&answer.body, 300));
        match answer.status {
            400 if answer.body.to_lowercase().contains("already exist") => {
                Ok(Receipt { status, response: answer.body })
            }
            400 | 401 | 403 | 404 => Err(SinkError::GiveUp { why: why(), status }),
            _ => settle("TheHive", answer),
        }
    }

    async fn probe(&self) -> anyhow::Result<()> {
        self.post.probe().await
    }

    fn options(&self) -> &Options {
        &self.options
    }
}
