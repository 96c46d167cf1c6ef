//! Alerts as JSON on a subject of NATS. The server's PONG says that it has the message; with `acknowledge` a stream of
//! JetStream says that it is stored, and knows a repetition by its id.

use crate::{
    domain::{
        alert::Alert,
        secret::Secret,
        section::{Section, SectionError},
    },
    sinks::{
        shape::{
            body::body,
            identity::alert_key,
            options::{Options, read, read_authority},
            stream::{Reach, Stream, retry},
        },
        sink::{Entry, Receipt, Sink, SinkError},
    },
};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{path::PathBuf, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    time::timeout,
};
use uuid::Uuid;

/// The row of this kind.
pub const ENTRY: Entry =
    Entry { kind: "nats", about: "messages on a subject of NATS", build: Nats::build, gathers: true };

const TOTAL_TIME: Duration = Duration::from_secs(15);
/// The longest line or message that is read.
const LONGEST: usize = 64 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    address: String,
    subject: String,
    #[serde(default)]
    tls: bool,
    #[serde(default)]
    acknowledge: bool,
    user: Option<String>,
    password: Option<Secret>,
    token: Option<Secret>,
    ca: Option<PathBuf>,
}

struct Nats {
    options: Options,
    reach: Reach,
    subject: String,
    tls: bool,
    acknowledge: bool,
    user: Option<String>,
    password: Option<Secret>,
    token: Option<Secret>,
}

type Line = BufReader<Box<dyn Stream>>;

impl Nats {
    fn build(section: &Section) -> Result<Box<dyn Sink>, SectionError> {
        let (options, config): (Options, Config) = read(section)?;
        options.refuse(true, false, "only sinks of HTTP go by a proxy")?;
        options.refuse(false, !config.tls, "is shown under TLS alone: set `tls = true`")?;
        let Config { address, subject, tls, acknowledge, user, password, token, ca } = config;
        let plain =
            |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic() && !b"*>".contains(&byte));
        if subject.len() > 200 || !subject.split('.').all(plain) {
            return Err(SectionError::new("subject", "expected words with dots between them, such as alerts.telltale"));
        }
        if user.is_some() != password.is_some() {
            return Err(SectionError::new("password", "`user` and `password` go together"));
        }
        let authority = read_authority(section, ca.as_deref())?;
        let reach =
            Reach::new(&address, 4222, &options, authority).map_err(|error| SectionError::new("address", error))?;
        Ok(Box::new(Nats { options, reach, subject, tls, acknowledge, user, password, token }))
    }

    /// Connects, and says who we are; answers once the server has answered to that, with the longest message that it takes.
    async fn connect(&self) -> Result<(Line, usize), SinkError> {
        let vetted = self.reach.vet().await?;
        let mut stream = self.reach.connect(&vetted).await?;
        // The greeting comes in plain text: byte by byte, so that nothing of what follows it is taken along.
        let mut greeting = Vec::new();
        while !greeting.ends_with(b"\r\n") && greeting.len() < LONGEST {
            greeting.push(stream.read_u8().await.map_err(|error| self.broken(&error.to_string()))?);
        }
        let told = std::str::from_utf8(&greeting).ok().and_then(|line| line.strip_prefix("INFO "));
        let info: Value = told
            .and_then(|text| serde_json::from_str(text.trim()).ok())
            .ok_or_else(|| self.broken("it does not greet as NATS does"))?;
        if info["tls_required"] == true && !self.tls {
            return Err(SinkError::GiveUp {
                why: "the NATS server wants TLS: set `tls = true`".to_owned(),
                status: None,
            });
        }
        if info["headers"] != true {
            return Err(self.broken("it takes no headers: NATS 2.2 or newer is needed"));
        }
        let stream: Box<dyn Stream> =
            if self.tls { self.reach.secure(&vetted, stream).await? } else { Box::new(stream) };
        let mut line = BufReader::new(stream);
        let mut hello = json!({
            "verbose": false, "pedantic": false, "tls_required": self.tls, "lang": "rust", "name": "telltale",
            "version": env!("CARGO_PKG_VERSION"), "protocol": 1, "headers": true, "no_responders": true, "echo": true,
        });
        let secret = |secret: &Option<Secret>| secret.as_ref().map(Secret::reveal).map(str::to_owned);
        for (key, value) in
            [("user", self.user.clone()), ("pass", secret(&self.password)), ("auth_token", secret(&self.token))]
        {
            if let Some(value) = value {
                hello[key] = json!(value);
            }
        }
        self.say(&mut line, format!("CONNECT {hello}\r\nPING\r\n").as_bytes()).await?;
        while !matches!(self.hear(&mut line).await?, Heard::Pong) {}
        let most = info["max_payload"].as_u64().and_then(|most| usize::try_from(most).ok());
        Ok((line, most.unwrap_or(usize::MAX)))
    }

    async fn say(&self, line: &mut Line, bytes: &[u8]) -> Result<(), SinkError> {
        let said = async {
            line.get_mut().write_all(bytes).await?;
            line.get_mut().flush().await
        };
        said.await.map_err(|error: std::io::Error| self.broken(&error.to_string()))
    }

    /// The next thing that the server says.
    async fn hear(&self, line: &mut Line) -> Result<Heard, SinkError> {
        loop {
            let mut text = String::new();
            let read = (&mut *line).take(LONGEST as u64).read_line(&mut text).await;
            if read.map_err(|error| self.broken(&error.to_string()))? == 0 {
                return Err(self.broken("it hung up"));
            }
            let mut words = text.split_whitespace();
            match words.next().unwrap_or_default().to_ascii_uppercase().as_str() {
                "PING" => self.say(line, b"PONG\r\n").await?,
                "PONG" => return Ok(Heard::Pong),
                "-ERR" => return Err(self.refused(text.trim())),
                "MSG" | "HMSG" => {
                    let length: usize = words.next_back().and_then(|word| word.parse().ok()).unwrap_or(usize::MAX);
                    if length > LONGEST {
                        return Err(self.broken("its answer is too long"));
                    }
                    let mut message = vec![0; length + 2];
                    line.read_exact(&mut message).await.map_err(|error| self.broken(&error.to_string()))?;
                    return Ok(Heard::Message(String::from_utf8_lossy(&message).into_owned()));
                }
                _ => {}
            }
        }
    }

    async fn tell(&self, alert: &Alert) -> Result<Receipt, SinkError> {
        let (mut line, most) = self.connect().await?;
        let head = format!("NATS/1.0\r\nNats-Msg-Id: {}\r\nContent-Type: application/json\r\n\r\n", alert_key(alert));
        let mut told = body(alert);
        told["id"] = json!(alert_key(alert));
        if head.len() + told.to_string().len() > most {
            without_canaries(&mut told);
        }
        let told = told.to_string();
        let inbox = format!("_INBOX.{}", Uuid::now_v7().simple());
        let reply = if self.acknowledge { format!(" {inbox}") } else { String::new() };
        let mut order = if self.acknowledge { format!("SUB {inbox} 1\r\n") } else { String::new() };
        order += &format!(
            "HPUB {}{reply} {} {}\r\n{head}{told}\r\nPING\r\n",
            self.subject,
            head.len(),
            head.len() + told.len()
        );
        self.say(&mut line, order.as_bytes()).await?;
        let mut response = String::new();
        let mut taken = false;
        while !(taken && (!self.acknowledge || !response.is_empty())) {
            match self.hear(&mut line).await? {
                Heard::Pong => taken = true,
                Heard::Message(message) => response = message,
            }
        }
        if self.acknowledge {
            self.stored(&response)?;
        }
        Ok(Receipt { status: None, response: webhooks::clean(&response, 1000) })
    }

    /// Whether a stream says that it has the message.
    fn stored(&self, response: &str) -> Result<(), SinkError> {
        if response.contains("NATS/1.0 503") {
            return Err(retry(format!("no stream of JetStream takes what goes to {}: make one", self.subject)));
        }
        let said: Value = serde_json::from_str(response.trim()).unwrap_or_default();
        if said["stream"].is_string() && said["error"].is_null() {
            return Ok(());
        }
        Err(retry(format!("JetStream did not store it: {}", webhooks::clip(&webhooks::clean(response, 1000), 300))))
    }

    fn refused(&self, said: &str) -> SinkError {
        let why = format!("the NATS server refuses it: {}", webhooks::clip(&webhooks::clean(said, 500), 200));
        let lower = said.to_ascii_lowercase();
        // What took too long, or ended, is no refusal, though the words for that are the same.
        let passing = ["timeout", "expired"].iter().any(|word| lower.contains(word));
        let for_good = ["authorization", "authentication", "permissions", "payload", "invalid"];
        if !passing && for_good.iter().any(|word| lower.contains(word)) {
            SinkError::GiveUp { why, status: None }
        } else {
            retry(why)
        }
    }

    fn broken(&self, why: &str) -> SinkError {
        retry(format!("{}:{}: {why}", self.reach.host, self.reach.port))
    }
}

/// A long incident's canaries are many: their number says enough where they are too much.
fn without_canaries(told: &mut Value) {
    if let Some(incident) = told["data"]["incident"].as_object_mut()
        && let Some(Value::Array(canaries)) = incident.remove("canaries")
    {
        incident.insert("canary_count".to_owned(), json!(canaries.len()));
    }
}

enum Heard {
    Pong,
    /// Headers, if there are any, and what follows them.
    Message(String),
}

#[async_trait]
impl Sink for Nats {
    async fn send(&self, alert: &Alert) -> Result<Receipt, SinkError> {
        timeout(TOTAL_TIME, self.tell(alert)).await.map_err(|_| self.broken("it did not answer in 15 s"))?
    }

    async fn probe(&self) -> anyhow::Result<()> {
        timeout(TOTAL_TIME, self.connect()).await.map_err(|_| self.broken("it did not answer in 15 s"))??;
        Ok(())
    }

    fn options(&self) -> &Options {
        &self.options
    }
}
