//! A session with the server of a mailbox: reached at a vetted address, logged in, the mailbox opened for reading alone.
//! Nothing there is changed: no flag is set, no mail is deleted.

use crate::sensors::{
    mail,
    mailbox::{
        login::Login,
        wire::{Fault, Said, Wire},
    },
};
use imap_codec::imap_types::{
    auth::AuthMechanism,
    fetch::MessageDataItem,
    response::{Capability, Code, Data, Response, Status},
};
use jiff::Timestamp;
use std::{collections::BTreeMap, net::SocketAddr, time::Duration};
use tokio::{net::TcpStream, time::timeout};
use url::Host;
use webhooks::{Guard, Refusal, connect_tls};

/// The longest answer: one mail as far as it is read, and what stands around it.
const ANSWER: u32 = mail::READ as u32 + 64 * 1024;
/// So many numbers are asked for at once at first, and at most.
const WINDOW: u32 = 512;
const WIDEST: u32 = 64 * 1024;
const CONNECT: Duration = Duration::from_secs(10);
/// A server that keeps the connection open says something at least so often, or is asked.
pub const IDLE: Duration = Duration::from_secs(9 * 60);

/// How the connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// TLS from the first byte.
    Tls,
    /// TLS before anything is told.
    StartTls,
    /// None: within networks that the operator listed.
    Plain,
}

/// Where the mailbox is, and how it is opened.
pub struct Place {
    pub host: Host<String>,
    pub port: u16,
    pub protection: Protection,
    pub guard: Guard,
    /// The authority's certificate (PEM), if it is not one that the system knows.
    pub authority: Option<Vec<u8>>,
    pub user: String,
    pub login: Login,
    /// As IMAP names it.
    pub folder: String,
}

/// Why no session was to be had; nothing in it that the server said.
#[derive(Debug, thiserror::Error)]
pub enum Unopened {
    #[error("{0}")]
    Address(#[from] Refusal),
    #[error("no connection: check url and network")]
    Unreachable,
    #[error("no TLS with it ({0}): check its certificate, and ca")]
    Tls(String),
    #[error("it offers no STARTTLS: use imaps://, or starttls = false within networks listed in allow_private")]
    NoStartTls,
    #[error("it refuses the login: check user and password")]
    Login,
    #[error("no token is given for it: check tenant, client, secret or service_account")]
    NoToken,
    #[error("it takes no token (AUTH=XOAUTH2 or OAUTHBEARER)")]
    NoTokens,
    #[error("it does not open the folder: check folder")]
    Folder,
    #[error("its folder has no lasting numbers (UIDVALIDITY), without which nobody can tell which mail was read")]
    Numberless,
    #[error("{0}")]
    Broken(#[from] Fault),
}

impl Unopened {
    /// Under which it is counted.
    pub fn reason(&self) -> &'static str {
        match self {
            Unopened::Address(_) => "private_address",
            Unopened::Unreachable => "unreachable",
            Unopened::Tls(_) | Unopened::NoStartTls => "tls_failed",
            Unopened::Login => "login_refused",
            Unopened::NoToken | Unopened::NoTokens => "no_token",
            Unopened::Folder | Unopened::Numberless => "folder_refused",
            Unopened::Broken(fault) => fault.reason(),
        }
    }
}

/// A mail that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    pub size: Option<u32>,
    /// When the server took it in.
    pub at: Option<Timestamp>,
}

/// An opened mailbox.
pub struct Session {
    wire: Wire<'static>,
    /// Whether the server tells of new mail by itself.
    pub idles: bool,
    /// Numbers of mails hold as long as this does.
    pub validity: u32,
}

/// What a server says that it can.
#[derive(Default)]
pub(super) struct Offered {
    pub plain: bool,
    pub bearer: bool,
    pub x_oauth2: bool,
    start_tls: bool,
    idle: bool,
    pub login_disabled: bool,
}

impl Place {
    /// Connects, logs in and opens the folder.
    pub async fn open(&self) -> Result<Session, Unopened> {
        let mut wire = self.connect().await?;
        let offered = offered(&mut wire).await?;
        self.login.log_in(&self.user, &mut wire, &offered).await?;
        // Many tell what they can only to whom they know.
        let offered = self::offered(&mut wire).await?;
        let mut validity = None;
        let command = format!("EXAMINE {}", quoted(&self.folder));
        let opened = wire.ask(&command, |said| {
            if let Said::Understood(said) = said
                && let Response::Status(Status::Untagged(body)) = *said
                && let Some(Code::UidValidity(told)) = body.code
            {
                validity = Some(told.get());
            }
        });
        opened.await.map_err(|fault| if fault == Fault::Refused { Unopened::Folder } else { fault.into() })?;
        Ok(Session { wire, idles: offered.idle, validity: validity.ok_or(Unopened::Numberless)? })
    }

    async fn connect(&self) -> Result<Wire<'static>, Unopened> {
        let vetted = self.guard.vet(self.host.clone(), self.port).await?;
        let stream = connect(&vetted.addresses).await.ok_or(Unopened::Unreachable)?;
        let config =
            || webhooks::tls_config(self.authority.as_deref(), None).map_err(|error| Unopened::Tls(error.to_string()));
        let protected = |stream: TcpStream, config| async {
            match timeout(CONNECT, connect_tls(stream, &vetted.host, config)).await {
                Ok(Ok(stream)) => Ok(stream),
                Ok(Err(error)) => Err(Unopened::Tls(error.to_string())),
                Err(_) => Err(Unopened::Tls("no answer in 10 s".to_owned())),
            }
        };
        match self.protection {
            Protection::Tls => {
                let mut wire = Wire::new(Box::new(protected(stream, config()?).await?), ANSWER);
                wire.greeted().await?;
                Ok(wire)
            }
            Protection::Plain => {
                let mut wire = Wire::new(Box::new(stream), ANSWER);
                wire.greeted().await?;
                Ok(wire)
            }
            Protection::StartTls => {
                // What was sent in clear goes no further than this.
                let mut stream = stream;
                let mut clear = Wire::new(Box::new(&mut stream), ANSWER);
                clear.greeted().await?;
                if !offered(&mut clear).await?.start_tls {
                    return Err(Unopened::NoStartTls);
                }
                clear.ask("STARTTLS", drop).await?;
                if clear.has_input() {
                    return Err(Unopened::Broken(Fault::Garbled));
                }
                drop(clear);
                Ok(Wire::new(Box::new(protected(stream, config()?).await?), ANSWER))
            }
        }
    }
}

async fn connect(addresses: &[SocketAddr]) -> Option<TcpStream> {
    for address in addresses {
        if let Ok(Ok(stream)) = timeout(CONNECT, TcpStream::connect(address)).await {
            return Some(stream);
        }
    }
    None
}

async fn offered(wire: &mut Wire<'_>) -> Result<Offered, Fault> {
    let mut offered = Offered::default();
    let asked = wire.ask("CAPABILITY", |said| {
        let Said::Understood(said) = said else { return };
        let Response::Data(Data::Capability(all)) = *said else { return };
        for one in all {
            match one {
                Capability::Auth(AuthMechanism::Plain) => offered.plain = true,
                Capability::Auth(AuthMechanism::XOAuth2) => offered.x_oauth2 = true,
                Capability::Auth(AuthMechanism::OAuthBearer) => offered.bearer = true,
                Capability::StartTls => offered.start_tls = true,
                Capability::Idle => offered.idle = true,
                Capability::LoginDisabled => offered.login_disabled = true,
                _ => {}
            }
        }
    });
    asked.await?;
    Ok(offered)
}

/// A text as IMAP quotes it.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

impl Session {
    /// The mails from this number on, the `most` first of them. Asked for in windows: a mailbox may hold any number.
    pub async fn listed(&mut self, from: u32, most: usize) -> Result<BTreeMap<u32, Listed>, Fault> {
        // Servers may keep new mails to themselves until they are asked.
        self.wire.ask("NOOP", drop).await?;
        let last = self.list("*", 1, 1).await?.into_keys().next().unwrap_or_default();
        let (mut from, mut window) = (from, WINDOW);
        while from <= last {
            let to = from.saturating_add(window - 1).min(last);
            let found = self.list(&format!("{from}:{to}"), from, most).await?;
            if !found.is_empty() {
                return Ok(found);
            }
            let Some(next) = to.checked_add(1) else { break };
            // What was deleted leaves gaps, and some are wide.
            (from, window) = (next, (window * 2).min(WIDEST));
        }
        Ok(BTreeMap::new())
    }

    /// The mails of these numbers, from one number on; of too many, the first, but of one, the last.
    async fn list(&mut self, numbers: &str, from: u32, most: usize) -> Result<BTreeMap<u32, Listed>, Fault> {
        let mut found: BTreeMap<u32, Listed> = BTreeMap::new();
        let command = format!("UID FETCH {numbers} (UID RFC822.SIZE INTERNALDATE)");
        let asked = self.wire.ask(&command, |said| {
            let Said::Understood(said) = said else { return };
            let Response::Data(Data::Fetch { items, .. }) = *said else { return };
            let (mut number, mut listed) = (None, Listed { size: None, at: None });
            for item in items {
                match item {
                    MessageDataItem::Uid(uid) => number = Some(uid.get()),
                    MessageDataItem::Rfc822Size(size) => listed.size = Some(size),
                    MessageDataItem::InternalDate(at) => {
                        listed.at = Timestamp::from_second(at.as_ref().timestamp()).ok();
                    }
                    _ => {}
                }
            }
            // A change of flags has no size.
            if let Some(number) = number.filter(|number| *number >= from && listed.size.is_some()) {
                found.insert(number, listed);
                if found.len() > most {
                    _ = if most == 1 { found.pop_first() } else { found.pop_last() };
                }
            }
        });
        asked.await?;
        Ok(found)
    }

    /// The first bytes of one mail; none where it is gone meanwhile.
    pub async fn mail(&mut self, number: u32) -> Result<Option<Vec<u8>>, Fault> {
        let (mut mail, mut other) = (None, None);
        let command = format!("UID FETCH {number} (UID BODY.PEEK[]<0.{}>)", mail::READ);
        let asked = self.wire.ask(&command, |said| match said {
            Said::Understood(said) => {
                let Response::Data(Data::Fetch { items, .. }) = *said else { return };
                for item in items {
                    if let MessageDataItem::BodyExt { section: None, data, .. } = item
                        && let Some(bytes) = data.into_option()
                    {
                        mail = Some(bytes.into_owned());
                    }
                }
            }
            // A mail may hold bytes that no literal may.
            Said::Unknown { literal } => other = other.take().or(literal),
        });
        asked.await?;
        let mut mail = mail.or(other);
        if let Some(mail) = &mut mail {
            mail.truncate(mail::READ);
        }
        Ok(mail)
    }

    /// Waits for as long as the server tells of nothing new, at most so long.
    pub async fn idle(&mut self, most: Duration) -> Result<(), Fault> {
        let tag = self.wire.send("IDLE").await?;
        let until = tokio::time::Instant::now() + most;
        loop {
            let left = until.saturating_duration_since(tokio::time::Instant::now());
            match self.wire.next(left).await {
                Ok(Said::Understood(said)) => match *said {
                    Response::Data(Data::Exists(_) | Data::Expunge(_)) => break,
                    Response::Status(Status::Tagged(done)) if done.tag.inner() == tag => return Err(Fault::Refused),
                    Response::Status(Status::Bye(_)) => return Err(Fault::Gone),
                    _ => {}
                },
                Ok(Said::Unknown { .. }) => {}
                Err(Fault::Silent) => break,
                Err(fault) => return Err(fault),
            }
        }
        self.wire.say("DONE").await?;
        self.wire.finish(&tag, drop).await
    }

    /// Says good-bye; whether it is heard makes no difference.
    pub async fn close(mut self) {
        let _ = timeout(Duration::from_secs(2), self.wire.ask("LOGOUT", drop)).await;
    }
}
