//! Alerts as mails, by SMTP: plain text and HTML, one transaction a recipient, so that one dead mailbox silences
//! nobody else. A password is never sent in the clear unless the operator asks for it.

use crate::{
    domain::{
        alert::Alert,
        secret::{Address, Secret},
        section::{Section, SectionError},
    },
    sinks::{
        shape::{
            dkim::Dkim,
            options::{Options, read, read_authority},
            sent::note,
            wording::{self, Wording, severity_name},
        },
        sink::{Entry, Receipt, Sink, SinkError},
    },
};
use async_trait::async_trait;
use futures_util::future::join_all;
use lettre::{
    Message,
    address::Envelope,
    message::{Mailbox, MultiPart},
    transport::smtp::{
        authentication::{Credentials, Mechanism},
        client::{AsyncSmtpConnection, Certificate, CertificateStore, Identity, TlsParameters},
        extension::ClientId,
    },
};
use serde::Deserialize;
use serde_json::json;
use std::{
    path::PathBuf,
    time::{Duration, UNIX_EPOCH},
};
use tokio::time::timeout;
use url::{Host, Url};
use webhooks::{Guard, Refusal, Templates};

/// The row of this kind.
pub const ENTRY: Entry =
    Entry { kind: "email", about: "mails to one or more people, by SMTP", build: Email::build, gathers: true };

const CONNECT_TIME: Duration = Duration::from_secs(5);
const TOTAL_TIME: Duration = Duration::from_secs(15);

#[derive(Deserialize)]
#[serde(untagged)]
enum Recipients {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    smtp: Option<Address>,
    user: Option<String>,
    password: Option<Secret>,
    /// Whether the connection must be, or must not be, encrypted by STARTTLS; unset: where the server offers it.
    starttls: Option<bool>,
    from: String,
    to: Recipients,
    /// The private key that signs as the sender's domain, and the name under which its public key stands in the DNS.
    dkim_key: Option<Secret>,
    dkim_selector: Option<String>,
    ca: Option<PathBuf>,
}

struct Email {
    options: Options,
    guard: Guard,
    host: Host<String>,
    port: u16,
    implicit_tls: bool,
    starttls: Option<bool>,
    credentials: Option<Credentials>,
    from: Mailbox,
    to: Vec<Mailbox>,
    authority: Option<Vec<u8>>,
    /// A certificate and its key, for a server that asks for one.
    identity: Option<(Vec<u8>, Secret)>,
    templates: Templates,
    dkim: Option<Dkim>,
}

impl Email {
    fn build(section: &Section) -> Result<Box<dyn Sink>, SectionError> {
        let (options, config): (Options, Config) = read(section)?;
        options.refuse(true, false, "only sinks of HTTP go by a proxy: name a mail server that is reached without")?;
        let wrong = || SectionError::new("smtp", "expected smtp://host:port or smtps://host:port");
        let url = Url::parse(config.smtp.as_ref().ok_or_else(wrong)?.reveal()).map_err(|_| wrong())?;
        let (implicit_tls, default_port) = match url.scheme() {
            "smtp" => (false, 25),
            "smtps" => (true, 465),
            _ => return Err(wrong()),
        };
        let host = Host::parse(url.host_str().unwrap_or_default()).map_err(|_| wrong())?;
        if url.password().is_some() || !url.username().is_empty() {
            return Err(SectionError::new("smtp", "give the user and the password as `user` and `password`"));
        }
        let credentials = match (config.user, config.password) {
            (Some(user), Some(password)) => Some(Credentials::new(user, password.reveal().to_owned())),
            (None, None) => None,
            (Some(_), None) => return Err(SectionError::new("password", "is missing beside `user`")),
            (None, Some(_)) => return Err(SectionError::new("user", "is missing beside `password`")),
        };
        let to = match config.to {
            Recipients::One(one) => vec![one],
            Recipients::Many(many) => many,
        };
        let to = to.iter().map(|text| mailbox("to", text)).collect::<Result<Vec<_>, _>>()?;
        if to.is_empty() {
            return Err(SectionError::new("to", "names nobody: give at least one address"));
        }
        let from = mailbox("from", &config.from)?;
        let dkim = match (&config.dkim_key, &config.dkim_selector) {
            (Some(key), Some(selector)) => {
                let named = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
                if selector.is_empty() || !selector.bytes().all(named) {
                    return Err(SectionError::new("dkim_selector", "expected a name such as telltale"));
                }
                let dkim = Dkim::new(from.email.domain(), selector, key.reveal());
                Some(dkim.map_err(|why| SectionError::new("dkim_key", why))?)
            }
            (None, None) => None,
            (Some(_), None) => return Err(SectionError::new("dkim_selector", "is missing beside `dkim_key`")),
            (None, Some(_)) => return Err(SectionError::new("dkim_key", "is missing beside `dkim_selector`")),
        };
        Ok(Box::new(Email {
            guard: Guard::new(options.allow_private.clone()),
            identity: options.identity_pem(section)?,
            options,
            host,
            port: url.port().unwrap_or(default_port),
            implicit_tls,
            starttls: config.starttls,
            credentials,
            from,
            dkim,
            to,
            authority: read_authority(section, config.ca.as_deref())?,
            templates: Templates::default(),
        }))
    }

    fn message(&self, alert: &Alert) -> Result<Vec<u8>, String> {
        let wording = Wording::of(alert);
        let mut context = wording.context(alert);
        if !alert.gathered.is_empty() {
            // A mail has room for all of them.
            let all = wording::lines(alert).into_iter().enumerate();
            context["facts"] =
                all.map(|(place, line)| json!({"label": (place + 1).to_string(), "value": line})).collect();
        }
        let text = self.templates.render("email.txt.j2", &context).map_err(|error| error.to_string())?;
        let html = self.templates.render("email.html.j2", &context).map_err(|error| error.to_string())?;
        let about = match &alert.incident {
            Some(incident) => format!(" ({}, {} sightings)", incident.id, incident.sightings),
            None => format!(" ({})", alert.id),
        };
        let subject =
            format!("[Telltale] {}{} {}{about}", wording.mark, severity_name(wording.severity), wording.title);
        let mut message = Message::builder()
            .from(self.from.clone())
            .subject(webhooks::clean(&subject, 200))
            .date(UNIX_EPOCH + Duration::from_secs(u64::try_from(alert.at.as_second()).unwrap_or(0)))
            .message_id(Some(self.id(&alert.id)));
        if let Some(incident) = &alert.incident {
            message = message.references(self.id(&incident.id));
        }
        for recipient in &self.to {
            message = message.to(recipient.clone());
        }
        let message = message.multipart(MultiPart::alternative_plain_html(text, html));
        let message = message.map_err(|error| error.to_string())?.formatted();
        match &self.dkim {
            Some(dkim) => dkim.sign(message, alert.at.as_second()).map_err(|why| format!("dkim: {why}")),
            None => Ok(message),
        }
    }

    fn id(&self, id: &str) -> String {
        let id: String =
            id.chars().filter(|character| character.is_ascii_alphanumeric() || *character == '-').collect();
        format!("<{}@{}>", webhooks::clip(&id, 100), self.from.email.domain())
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, SinkError> {
        let vetted = self.guard.vet(self.host.clone(), self.port).await.map_err(|refusal| {
            let why = refusal.to_string();
            match refusal {
                Refusal::Private(_) | Refusal::Address(_) => SinkError::GiveUp { why, status: None },
                _ => SinkError::Retry { why, status: None, after: None },
            }
        })?;
        let tls = self.tls(&vetted.host).map_err(|why| SinkError::GiveUp { why, status: None })?;
        let hello = ClientId::default();
        let wrapped = self.implicit_tls.then(|| tls.clone());
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(vetted.addresses.as_slice(), Some(CONNECT_TIME), &hello, wrapped, None)
                .await
                .map_err(|error| self.later(&error))?;
        let must = self.starttls == Some(true) || (self.starttls.is_none() && self.credentials.is_some());
        if !self.implicit_tls && self.starttls != Some(false) {
            if connection.can_starttls() {
                connection.starttls(tls, &hello).await.map_err(|error| self.later(&error))?;
            } else if must {
                connection.abort().await;
                let why =
                    "the server offers no STARTTLS: use smtps://, or allow the clear with starttls = false".to_owned();
                return Err(SinkError::GiveUp { why, status: None });
            }
        }
        if let Some(credentials) = &self.credentials {
            connection
                .auth(&[Mechanism::Plain, Mechanism::Login], credentials)
                .await
                .map_err(|error| self.failure("the login", &error))?;
        }
        Ok(connection)
    }

    fn tls(&self, host: &str) -> Result<TlsParameters, String> {
        let certificates =
            webhooks::trusted_certificates(self.authority.as_deref()).map_err(|error| format!("ca: {error}"))?;
        let mut tls = TlsParameters::builder(host.to_owned());
        if !certificates.is_empty() {
            tls = tls.certificate_store(CertificateStore::None);
        }
        for certificate in certificates {
            if let Ok(certificate) = Certificate::from_der(certificate.to_vec()) {
                tls = tls.add_root_certificate(certificate);
            }
        }
        if let Some((chain, key)) = &self.identity {
            let identity = Identity::from_pem(chain, key.reveal().as_bytes());
            tls = tls.identify_with(identity.map_err(|error| format!("client_cert: {error}"))?);
        }
        tls.build_rustls().map_err(|error| format!("TLS cannot be used: {error}"))
    }

    async fn deliver(&self, recipient: &Mailbox, message: &[u8]) -> Result<Receipt, SinkError> {
        let envelope = Envelope::new(Some(self.from.email.clone()), vec![recipient.email.clone()])
            .map_err(|error| SinkError::GiveUp { why: error.to_string(), status: None })?;
        note("mail", &format!("{}:{}", self.host, self.port), message);
        let mut connection = self.connect().await?;
        let response = connection.send(&envelope, message).await.map_err(|error| self.failure("the mail", &error))?;
        let _ = connection.quit().await;
        let status = u16::from(response.code());
        let said = webhooks::clean(response.first_line().unwrap_or_default(), 500);
        Ok(Receipt { status: Some(status), response: said })
    }

    /// A refusal for good is given up; everything else may work later.
    fn failure(&self, what: &str, error: &lettre::transport::smtp::Error) -> SinkError {
        let status = error.status().map(u16::from);
        let why = format!("{}:{} refused {what}: {}", self.host, self.port, self.said(error));
        match error.is_permanent() {
            true => SinkError::GiveUp { why, status },
            false => SinkError::Retry { why, status, after: None },
        }
    }

    fn later(&self, error: &lettre::transport::smtp::Error) -> SinkError {
        let why = format!("{}:{} could not be reached: {}", self.host, self.port, self.said(error));
        SinkError::Retry { why, status: error.status().map(u16::from), after: None }
    }

    /// The server's words without the people's addresses that servers like to repeat.
    fn said(&self, error: &lettre::transport::smtp::Error) -> String {
        let mut said = webhooks::clean(&error.to_string(), 500);
        for mailbox in self.to.iter().chain([&self.from]) {
            said = said.replace(&mailbox.email.to_string(), "[address]");
        }
        said
    }
}

fn mailbox(key: &str, text: &str) -> Result<Mailbox, SectionError> {
    text.parse().map_err(|_| SectionError::new(key, "expected an address, as soc@example.org or SOC <soc@example.org>"))
}

#[async_trait]
impl Sink for Email {
    async fn send(&self, alert: &Alert) -> Result<Receipt, SinkError> {
        let message = self.message(alert).map_err(|why| SinkError::GiveUp { why, status: None })?;
        let late = || SinkError::Retry {
            why: format!("{}:{} did not take the mail in 15 s", self.host, self.port),
            status: None,
            after: None,
        };
        let deliveries = self.to.iter().map(|recipient| async {
            timeout(TOTAL_TIME, self.deliver(recipient, &message)).await.unwrap_or_else(|_| Err(late()))
        });
        settle(join_all(deliveries).await)
    }

    async fn probe(&self) -> anyhow::Result<()> {
        let probe = async {
            let mut connection = self.connect().await?;
            anyhow::ensure!(connection.test_connected().await, "{}:{} does not answer NOOP", self.host, self.port);
            let _ = connection.quit().await;
            Ok(())
        };
        timeout(TOTAL_TIME, probe)
            .await
            .unwrap_or_else(|_| anyhow::bail!("{}:{} did not answer in 15 s", self.host, self.port))
    }

    fn options(&self) -> &Options {
        &self.options
    }
}

/// Later where anybody's mail may work later (those who have it get it twice, under one Message-ID); delivered where
/// at least one has it and the rest refuse for good.
fn settle(outcomes: Vec<Result<Receipt, SinkError>>) -> Result<Receipt, SinkError> {
    if let Some(Err(error)) = outcomes.iter().find(|outcome| matches!(outcome, Err(SinkError::Retry { .. }))) {
        return Err(error.clone());
    }
    let refused = outcomes.iter().filter(|outcome| outcome.is_err()).count();
    let all = outcomes.len();
    let mut first_error = None;
    for outcome in outcomes {
        match outcome {
            Ok(mut receipt) => {
                if refused > 0 {
                    receipt.response = format!("{} ({refused} of {all} recipients refused for good)", receipt.response);
                }
                return Ok(receipt);
            }
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    Err(first_error.unwrap_or(SinkError::GiveUp { why: "no recipient".to_owned(), status: None }))
}
