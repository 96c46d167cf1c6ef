//! Alerts in a Slack channel, by a bot's token. An incident is one message, which always shows how it stands, and its further alerts
//! are answers in that message's thread. Each message bears, as Slack's metadata, what it is about, so it is found again after a
//! restart, and nothing is told twice.

use crate::{
    domain::{
        alert::Alert,
        secret::{Address, Secret},
        section::{Section, SectionError},
    },
    sinks::{
        shape::{
            identity::{alert_key, subject_key},
            options::{Options, read, read_authority},
            post::{Post, in_time, settle},
            wording::Wording,
        },
        sink::{Entry, Receipt, Sink, SinkError},
    },
};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    path::PathBuf,
    sync::{Mutex, PoisonError},
};
use tokio::sync::OnceCell;
use webhooks::{Method, Templates};

/// The row of this kind.
pub const ENTRY: Entry = Entry {
    kind: "slack_bot",
    about: "messages in a Slack channel, by a bot: one an incident, brought up to date, with a thread",
    build: SlackBot::build,
    gathers: true,
};

const NAME: &str = "Slack";
const USUAL: &str = "https://slack.com/api";
const SORT: &str = "telltale_alert";
/// Messages of one page, pages that are read to find one, and bytes of a page.
const PAGE: &str = "200";
const PAGES: usize = 10;
const LONGEST: usize = 8 << 20;
/// Messages that are remembered, so that they need not be looked for.
const REMEMBERED: usize = 1000;
/// So many seconds Slack's clock may be behind ours.
const BEHIND: i64 = 300;
/// What Slack says where the same request may do later.
const PASSING: [&str; 9] = [
    "ratelimited",
    "rate_limited",
    "internal_error",
    "fatal_error",
    "request_timeout",
    "service_unavailable",
    "team_added_to_org",
    "message_limit_exceeded",
    "org_login_required",
];
/// Incidents told at once: the alerts of one go one after the other, or each would open a message of its own.
const AT_ONCE: usize = 16;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    token: Secret,
    #[serde(rename = "channel")]
    conversation: String,
    url: Option<Address>,
    ca: Option<PathBuf>,
}

struct SlackBot {
    options: Options,
    post: Post,
    conversation: String,
    authorization: Secret,
    templates: Templates,
    known: Mutex<BTreeMap<String, Message>>,
    /// Who we are there: whatever another writes as we do is not ours.
    own: OnceCell<String>,
    turns: [tokio::sync::Mutex<()>; AT_ONCE],
}

/// A message of ours in the channel.
#[derive(Clone, Debug)]
struct Message {
    /// What Slack knows it by.
    ts: String,
    /// The alert that it was sent for.
    alert: String,
    /// The time of the alert whose state it shows.
    shows: i64,
}

impl Message {
    /// Reads one of ours, with what it is about.
    fn read(message: &Value, own: &str) -> Option<(String, Message)> {
        let ours = message["metadata"]["event_type"] == SORT && (message["bot_id"] == *own || message["user"] == *own);
        let payload = message.pointer("/metadata/event_payload").filter(|_| ours)?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let ours =
            Message { ts: text(&message["ts"])?, alert: text(&payload["alert"])?, shows: payload["shows"].as_i64()? };
        Some((text(&payload["subject"])?, ours))
    }
}

impl SlackBot {
    fn build(section: &Section) -> Result<Box<dyn Sink>, SectionError> {
        let (options, config): (Options, Config) = read(section)?;
        let named = config.conversation.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        if !named || !(3..=30).contains(&config.conversation.len()) {
            return Err(SectionError::new("channel", "expected the channel's id, such as C0123456789: not its name"));
        }
        let authority = read_authority(section, config.ca.as_deref())?;
        let url = config.url.as_ref().map_or(USUAL, Address::reveal);
        let authorization = Secret::new(format!("Bearer {}", config.token.reveal()));
        let post = Post::new(url, &options, authority)?.hiding([config.token]);
        Ok(Box::new(SlackBot {
            options,
            post,
            conversation: config.conversation,
            authorization,
            templates: Templates::default(),
            known: Mutex::default(),
            own: OnceCell::new(),
            turns: Default::default(),
        }))
    }

    /// Calls one of Slack's methods: with a body, or asking.
    async fn call(&self, method: &str, asked: &[(&str, &str)], body: Option<Value>) -> Result<Value, SinkError> {
        let post = self.post.at(&format!("{}/{method}", self.post.path().trim_end_matches('/'))).keeping(LONGEST);
        let headers =
            [("content-type", "application/json; charset=utf-8"), ("authorization", self.authorization.reveal())];
        let answer = match body {
            Some(body) => post.send(&headers, body.to_string().into_bytes()).await?,
            None => post.asking(asked).by(Method::Get).send(&headers[1..], Vec::new()).await?,
        };
        let receipt = settle(NAME, answer)?;
        let said: Value = serde_json::from_str(&receipt.response).unwrap_or_default();
        let (error, status) = (said["error"].as_str().unwrap_or("no answer of its own"), receipt.status);
        match (said["ok"].as_bool(), PASSING.contains(&error)) {
            (Some(true), _) => Ok(said),
            (Some(false), false) => {
                let mend = match error {
                    "missing_scope" => {
                        ": the bot needs chat:write and channels:history (groups:history where it is private)"
                    }
                    "not_in_channel" | "channel_not_found" => ": invite the bot to the channel",
                    _ => "",
                };
                let why = format!("{NAME} refuses {method}: {}{mend}", webhooks::clean(error, 100));
                Err(SinkError::GiveUp { why, status })
            }
            _ => {
                let why = format!("{NAME} did not do {method}: {}", webhooks::clean(error, 100));
                Err(SinkError::Retry { why, status, after: None })
            }
        }
    }

    async fn own(&self) -> Result<&str, SinkError> {
        let asked = async {
            let said = self.call("auth.test", &[], None).await?;
            let own = said["bot_id"].as_str().or(said["user_id"].as_str());
            own.map(str::to_owned).ok_or_else(|| SinkError::GiveUp {
                why: format!("{NAME} does not say whose token it is"),
                status: Some(200),
            })
        };
        self.own.get_or_try_init(|| asked).await.map(String::as_str)
    }

    /// The messages of ours that a method lists, until one is the one that is wanted.
    async fn find(
        &self,
        method: &str,
        asked: &[(&str, &str)],
        wanted: impl Fn(&str, &Message) -> bool,
    ) -> Result<Option<Message>, SinkError> {
        let own = self.own().await?;
        let mut cursor = String::new();
        for _ in 0..PAGES {
            let mut asked = asked.to_vec();
            asked.extend([("channel", self.conversation.as_str()), ("include_all_metadata", "true"), ("limit", PAGE)]);
            if !cursor.is_empty() {
                asked.push(("cursor", &cursor));
            }
            let said = self.call(method, &asked, None).await?;
            let ours =
                said["messages"].as_array().into_iter().flatten().filter_map(|message| Message::read(message, own));
            for (subject, message) in ours {
                if wanted(&subject, &message) {
                    return Ok(Some(message));
                }
            }
            cursor = said["response_metadata"]["next_cursor"].as_str().unwrap_or_default().to_owned();
            if cursor.is_empty() {
                break;
            }
        }
        Ok(None)
    }

    /// The message of what this alert is about, if there is one.
    async fn root(&self, alert: &Alert, subject: &str) -> Result<Option<Message>, SinkError> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(subject).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let since = alert.incident.as_ref().map_or(alert.at, |incident| incident.opened_at).as_second() - BEHIND;
        let oldest = format!("{since}.000000");
        self.find("conversations.history", &[("oldest", &oldest)], |about, _| about == subject).await
    }

    fn remember(&self, subject: String, message: Message) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(subject, message);
        if known.len() > REMEMBERED
            && let Some(oldest) = known.iter().min_by_key(|(_, message)| message.shows).map(|(about, _)| about.clone())
        {
            known.remove(&oldest);
        }
    }

    fn forget(&self, subject: &str) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(subject);
    }

    /// What a message says, and what it is about.
    fn message(&self, alert: &Alert, first: &str) -> Result<Value, SinkError> {
        let text = self.templates.render("slack.json.j2", &Wording::of(alert).context(alert));
        let text = text.map_err(|error| SinkError::GiveUp { why: error.to_string(), status: None })?;
        let mut message: Value = serde_json::from_str(&text)
            .map_err(|error| SinkError::GiveUp { why: format!("the template makes no JSON: {error}"), status: None })?;
        message["channel"] = json!(self.conversation);
        message["metadata"] = json!({"event_type": SORT, "event_payload": {
            "alert": first, "subject": subject_key(alert), "shows": alert.at.as_millisecond(),
        }});
        Ok(message)
    }

    async fn all(&self, alert: &Alert) -> Result<Receipt, SinkError> {
        let (key, subject) = (alert_key(alert), subject_key(alert));
        let shows = alert.at.as_millisecond();
        let Some(root) = self.root(alert, &subject).await? else { return self.open(alert, key, subject).await };
        if root.alert != key {
            let asked = [("ts", root.ts.as_str())];
            let told = self.find("conversations.replies", &asked, |_, message| message.alert == key).await;
            if told.map_err(|error| self.gone(&subject, error))?.is_none() {
                let mut answer = self.message(alert, &key)?;
                answer["thread_ts"] = json!(root.ts);
                match self.call("chat.postMessage", &[], Some(answer)).await {
                    // Who may lock a thread silences nobody.
                    Err(SinkError::GiveUp { why, .. }) if why.contains("thread") || why.contains("cannot_reply") => {
                        return self.open(alert, key, subject).await;
                    }
                    answered => answered?,
                };
            }
        }
        if shows > root.shows {
            let mut now = self.message(alert, &root.alert)?;
            now["ts"] = json!(root.ts);
            match self.call("chat.update", &[], Some(now)).await.map_err(|error| self.gone(&subject, error)) {
                // The thread tells it: only the message above shows an older state, as where an old one may not be edited.
                Err(SinkError::GiveUp { why, .. }) => {
                    tracing::warn!(why, "an incident's message could not be brought up to date")
                }
                updated => _ = updated?,
            }
        }
        let response = root.ts.clone();
        self.remember(subject, Message { shows: shows.max(root.shows), ..root });
        Ok(Receipt { status: Some(200), response })
    }

    /// The first message of an incident, or another where nobody may answer to the first.
    async fn open(&self, alert: &Alert, key: String, subject: String) -> Result<Receipt, SinkError> {
        let said = self.call("chat.postMessage", &[], Some(self.message(alert, &key)?)).await?;
        let ts = said["ts"].as_str().unwrap_or_default().to_owned();
        if !ts.is_empty() {
            self.remember(subject, Message { ts: ts.clone(), alert: key, shows: alert.at.as_millisecond() });
        }
        Ok(Receipt { status: Some(200), response: ts })
    }

    /// A message that somebody removed is sent anew, at the next attempt.
    fn gone(&self, subject: &str, error: SinkError) -> SinkError {
        self.forget(subject);
        match error {
            SinkError::GiveUp { why, status } if why.contains("_not_found") => {
                SinkError::Retry { why, status, after: None }
            }
            error => error,
        }
    }
}

#[async_trait]
impl Sink for SlackBot {
    async fn send(&self, alert: &Alert) -> Result<Receipt, SinkError> {
        let mut hasher = DefaultHasher::new();
        subject_key(alert).hash(&mut hasher);
        let _turn = self.turns[(hasher.finish() % AT_ONCE as u64) as usize].lock().await;
        in_time(NAME, self.all(alert)).await
    }

    async fn probe(&self) -> anyhow::Result<()> {
        self.post.probe().await
    }

    fn options(&self) -> &Options {
        &self.options
    }
}
