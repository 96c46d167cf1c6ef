//! How a mailbox is opened: by a password, or by tokens (OAuth 2.0), which Exchange Online and Gmail insist on. Tokens are asked for at
//! the provider's own address and shown to the mailbox's server alone.

use crate::{
    domain::{secret::Secret, section::SectionError},
    sensors::{
        cloud::{client::Asking, config::Shared},
        mailbox::{
            session::{Offered, Unopened, quoted},
            wire::{Fault, Said, Wire},
        },
    },
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use imap_codec::imap_types::response::{Response, Status, StatusKind};
use ipnet::IpNet;
use std::time::Duration;
use webhooks::oauth::Grant;

const ENTRA: &str = "https://login.microsoftonline.com";
/// What an application may do with mailboxes of Exchange Online, and a service account with those of Gmail.
const EXCHANGE: &str = "https://outlook.office365.com/.default";
const GMAIL: &str = "https://mail.google.com/";
const ANSWER: Duration = Duration::from_secs(10);

/// With what it is opened.
pub enum Login {
    Password(Secret),
    Tokens(Box<Asking>),
}

/// What the section says of it.
pub struct Keys {
    pub password: Option<Secret>,
    pub tenant: Option<String>,
    pub client: Option<String>,
    pub secret: Option<Secret>,
    pub login: Option<String>,
    pub service_account: Option<Secret>,
}

impl Login {
    /// By the one way that is given.
    ///
    /// # Errors
    /// None is, or several are, or what is given is none.
    pub fn new(keys: Keys, user: &str, allow_private: &[IpNet]) -> Result<Login, SectionError> {
        let wrong = |key: &'static str, message: &str| SectionError::new(key, message);
        let shared = Shared { url: None, every: None, allow_private: allow_private.to_vec() };
        match (keys.password, keys.tenant, keys.service_account) {
            (Some(password), None, None) if password.reveal().contains(['\r', '\n', '\0']) => {
                Err(wrong("password", "a line break is in it"))
            }
            (Some(password), None, None) => Ok(Login::Password(password)),
            (None, Some(tenant), None) => {
                let name = |text: &str| {
                    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
                };
                if !name(&tenant) || tenant.starts_with('.') {
                    return Err(wrong("tenant", "expected the directory's id, or a domain of it"));
                }
                let client = keys.client.filter(|client| name(client));
                let client = client.ok_or_else(|| wrong("client", "expected the application's id"))?;
                let secret = keys.secret.ok_or_else(|| wrong("secret", "expected the application's secret"))?;
                let at = shared.address(keys.login.as_deref().unwrap_or(ENTRA));
                let at = at.and_then(|at| at.join(&format!("/{tenant}/oauth2/v2.0/token")).ok());
                let expected = "expected an https:// address, or http:// with an IP address within allow_private";
                let at = at.ok_or_else(|| wrong("login", expected))?;
                let grant = Grant::client(&client, secret.reveal(), EXCHANGE);
                Ok(Login::Tokens(Box::new(shared.asking(grant, at)?)))
            }
            (None, None, Some(account)) => {
                let wrong = |what: &str| {
                    let message = format!("{what}: a service account's key file (JSON) is expected");
                    SectionError::new("service_account", message)
                };
                let (grant, at) = Grant::account(account.reveal(), GMAIL, Some(user)).map_err(wrong)?;
                let at = shared.address(&at).ok_or_else(|| wrong("its token_uri is not taken"))?;
                Ok(Login::Tokens(Box::new(shared.asking(grant, at)?)))
            }
            _ => Err(wrong(
                "password",
                "expected one way to open it: a password; or tenant, client and secret (Exchange Online); or service_account \
                 (Gmail)",
            )),
        }
    }

    /// Logs in, as the server can.
    pub(super) async fn log_in(&self, user: &str, wire: &mut Wire<'_>, offered: &Offered) -> Result<(), Unopened> {
        match self {
            Login::Password(password) => by_password(user, password.reveal(), wire, offered).await,
            Login::Tokens(asking) => by_token(user, asking, wire, offered).await,
        }
    }
}

async fn by_password(user: &str, password: &str, wire: &mut Wire<'_>, offered: &Offered) -> Result<(), Unopened> {
    let refused = |fault: Fault| if fault == Fault::Refused { Unopened::Login } else { fault.into() };
    // LOGIN has no way to say more than ASCII.
    if offered.plain || (!user.is_ascii() || !password.is_ascii()) {
        let tag = wire.send("AUTHENTICATE PLAIN").await?;
        if turn(wire, &tag).await? != Turn::Ours {
            return Err(Unopened::Login);
        }
        let line = Secret::new(STANDARD.encode(format!("\0{user}\0{password}")));
        wire.say(line.reveal()).await?;
        return wire.finish(&tag, drop).await.map_err(refused);
    }
    if offered.login_disabled {
        return Err(Unopened::Login);
    }
    let line = Secret::new(format!("LOGIN {} {}", quoted(user), quoted(password)));
    wire.ask(line.reveal(), drop).await.map_err(refused)
}

/// By XOAUTH2, as Exchange Online and Gmail have it, or OAUTHBEARER (RFC 7628).
async fn by_token(user: &str, asking: &Asking, wire: &mut Wire<'_>, offered: &Offered) -> Result<(), Unopened> {
    let token = asking.token(false).await.map_err(|_| Unopened::NoToken)?;
    let (mechanism, said) = match (offered.x_oauth2, offered.bearer) {
        (true, _) => ("XOAUTH2", format!("user={user}\x01auth=Bearer {}\x01\x01", token.reveal())),
        (_, true) => {
            // RFC 5801: a comma and an equals sign in a name are written out.
            let name = user.replace('=', "=3D").replace(',', "=2C");
            ("OAUTHBEARER", format!("n,a={name},\x01auth=Bearer {}\x01\x01", token.reveal()))
        }
        (false, false) => return Err(Unopened::NoTokens),
    };
    let tag = wire.send(&format!("AUTHENTICATE {mechanism}")).await?;
    if turn(wire, &tag).await? != Turn::Ours {
        return Err(Unopened::Login);
    }
    let line = Secret::new(STANDARD.encode(said));
    wire.say(line.reveal()).await?;
    match turn(wire, &tag).await? {
        Turn::Done(true) => return Ok(()),
        Turn::Done(false) => {}
        // Before it refuses, a server says why, and waits for a line.
        Turn::Ours => {
            wire.say("").await?;
            match wire.finish(&tag, drop).await {
                Ok(()) | Err(Fault::Refused) => {}
                Err(fault) => return Err(fault.into()),
            }
        }
    }
    // It may have been taken back: another is asked for the next time.
    *asking.kept.lock().await = None;
    Err(Unopened::Login)
}

/// Whose turn it is.
#[derive(PartialEq, Eq)]
enum Turn {
    /// The server waits for a line.
    Ours,
    /// The command is done, well or not.
    Done(bool),
}

async fn turn(wire: &mut Wire<'_>, tag: &str) -> Result<Turn, Fault> {
    loop {
        let Said::Understood(said) = wire.next(ANSWER).await? else { continue };
        match *said {
            Response::CommandContinuationRequest(_) => return Ok(Turn::Ours),
            Response::Status(Status::Tagged(done)) if done.tag.inner() == tag => {
                return Ok(Turn::Done(done.body.kind == StatusKind::Ok));
            }
            Response::Status(Status::Bye(_)) => return Err(Fault::Gone),
            _ => {}
        }
    }
}
