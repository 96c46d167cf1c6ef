//! A decoy directory: LDAP up to the bind, which fails. It has no entry and answers no search.

pub mod message;

use crate::sensors::{
    credentials::{self, Credentials},
    door::{
        self, Talk,
        visitor::{Then, Tls, Visitor},
        wire::Broken,
    },
    sensor::Entry,
};
use async_trait::async_trait;
use message::{Asked, Message, answer, length};
use serde::Deserialize;

/// The row of `sensors::ALL`.
pub const ENTRY: Entry =
    Entry { kind: "ldap", about: "a decoy directory (LDAP bind; StartTLS or LDAPS)", build: door::build::<Ldap> };

/// So many messages that are no bind, and the client is sent away.
const OTHERS: usize = 100;
/// The longest message: no bind is longer.
const LIMIT: usize = 16 * 1024;

// Results of RFC 4511.
const SUCCESS: u8 = 0;
const PROTOCOL_ERROR: u8 = 2;
const METHOD_NOT_SUPPORTED: u8 = 7;
const STRONGER_AUTH_REQUIRED: u8 = 8;
const INAPPROPRIATE: u8 = 48;
const INVALID_CREDENTIALS: u8 = 49;
const UNWILLING: u8 = 53;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Ldap {
    /// What stands beside the refusal.
    diagnostic: String,
    implicit_tls: bool,
}

#[async_trait]
impl Talk for Ldap {
    const SERVICE: &'static str = "ldap";

    fn implicit_tls(&self) -> bool {
        self.implicit_tls
    }

    fn fault(&self) -> Option<(&'static str, &'static str)> {
        let wrong = self.diagnostic.len() > 1000 || self.diagnostic.chars().any(char::is_control);
        wrong.then_some(("diagnostic", "expected a printable text of 1000 bytes at most"))
    }

    async fn talk(&self, visitor: &mut Visitor) -> Result<Then, Broken> {
        let mut others = 0;
        loop {
            let bytes = visitor.wire.message(LIMIT, length).await?;
            let Some(Message { id, asked }) = message::read(&bytes) else {
                visitor.refuse("unreadable_message");
                return Ok(Then::Close);
            };
            others += 1;
            let (result, diagnostic) = match &asked {
                Asked::Bind { name, password } if name.is_empty() && password.is_empty() => {
                    (INAPPROPRIATE, "anonymous bind disallowed")
                }
                Asked::Bind { name, password } => {
                    others = 0;
                    let username = credentials::named(name);
                    let given = (!password.is_empty()).then(|| password.clone());
                    let unauthenticated = given.is_none();
                    visitor.present(&format!("bind {name}"), &Credentials { username, password: given }).await;
                    match unauthenticated {
                        true => (UNWILLING, "unauthenticated bind (DN with no password) disallowed"),
                        false => (INVALID_CREDENTIALS, self.diagnostic.as_str()),
                    }
                }
                Asked::Plain { name, response } => {
                    let read = credentials::plain_bytes(response);
                    if let Some(credentials) = &read {
                        others = 0;
                        visitor.present("bind by PLAIN", credentials).await;
                    }
                    if read.is_none_or(|read| read.username != credentials::named(name)) {
                        present_name(visitor, name).await;
                    }
                    (INVALID_CREDENTIALS, self.diagnostic.as_str())
                }
                Asked::OtherMethod { name } => {
                    present_name(visitor, name).await;
                    (METHOD_NOT_SUPPORTED, "unknown authentication method")
                }
                Asked::StartTls if visitor.tls == Tls::Offered => (SUCCESS, ""),
                Asked::StartTls | Asked::Extended => (PROTOCOL_ERROR, "unsupported extended operation"),
                Asked::Other(_) => (STRONGER_AUTH_REQUIRED, "authentication required"),
                Asked::Unbind => return Ok(Then::Close),
                // It has no answer.
                Asked::Abandon if others > OTHERS => return Ok(Then::Close),
                Asked::Abandon => continue,
            };
            visitor.wire.send(&answer(&id, &asked, result, diagnostic));
            match asked {
                Asked::StartTls if result == SUCCESS => return Ok(Then::StartTls),
                _ if others > OTHERS => return Ok(Then::Close),
                _ => {}
            }
        }
    }
}

/// Reports the name of a bind that has no password in clear.
async fn present_name(visitor: &Visitor, name: &str) {
    if !name.is_empty() {
        let credentials = Credentials { username: credentials::named(name), password: None };
        visitor.present(&format!("bind {name}"), &credentials).await;
    }
}
