//! A decoy file server: FTP up to the login, which fails. It opens no second connection and has no file.

use crate::sensors::{
    credentials::Credentials,
    door::{
        self, Talk,
        visitor::{Then, Tls, Visitor},
        wire::Broken,
    },
    sensor::Entry,
};
use async_trait::async_trait;
use serde::Deserialize;

/// The row of `sensors::ALL`.
pub const ENTRY: Entry =
    Entry { kind: "ftp", about: "a decoy FTP server (USER and PASS; AUTH TLS or FTPS)", build: door::build::<Ftp> };

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Ftp {
    banner: String,
    implicit_tls: bool,
}

impl Default for Ftp {
    fn default() -> Self {
        Ftp { banner: "(vsFTPd 3.0.3)".into(), implicit_tls: false }
    }
}

#[async_trait]
impl Talk for Ftp {
    const SERVICE: &'static str = "ftp";

    fn implicit_tls(&self) -> bool {
        self.implicit_tls
    }

    fn fault(&self) -> Option<(&'static str, &'static str)> {
        door::unprintable(&self.banner).then_some(("banner", door::PRINTABLE))
    }

    async fn talk(&self, visitor: &mut Visitor) -> Result<Then, Broken> {
        let mut name = None;
        let then = self.converse(visitor, &mut name).await;
        // A name without a password was tried too.
        if let Some(username) = name {
            visitor.present("USER", &Credentials { username, password: None }).await;
        }
        then
    }
}

impl Ftp {
    async fn converse(&self, visitor: &mut Visitor, name: &mut Option<String>) -> Result<Then, Broken> {
        if !visitor.greeted {
            visitor.wire.say(&format!("220 {}", self.banner));
        }
        let mut mistakes = 0;
        loop {
            let line = visitor.line(mistakes).await?;
            let (command, argument) = line.split_once(' ').unwrap_or((&line, ""));
            let answer = match command.to_ascii_uppercase().as_str() {
                "USER" if argument.is_empty() => "501 Missing user name.",
                "USER" => {
                    if let Some(username) = name.replace(argument.to_owned()) {
                        visitor.present("USER", &Credentials { username, password: None }).await;
                    }
                    "331 Please specify the password."
                }
                "PASS" => match name.take() {
                    Some(username) => {
                        let credentials = Credentials { username, password: Some(argument.to_owned()) };
                        visitor.present("USER, PASS", &credentials).await;
                        "530 Login incorrect."
                    }
                    None => "503 Login with USER first.",
                },
                "AUTH"
                    if visitor.tls == Tls::Offered
                        && ["TLS", "SSL"].contains(&argument.to_ascii_uppercase().as_str()) =>
                {
                    visitor.wire.say("234 Proceed with negotiation.");
                    return Ok(Then::StartTls);
                }
                "PBSZ" if visitor.tls == Tls::On => "200 PBSZ set to 0.",
                "PROT" if visitor.tls == Tls::On => "200 PROT now Private.",
                "FEAT" => {
                    let start = if visitor.tls == Tls::None { "" } else { " AUTH TLS\r\n PBSZ\r\n PROT\r\n" };
                    visitor.wire.send(format!("211-Features:\r\n{start} EPSV\r\n UTF8\r\n").as_bytes());
                    "211 End"
                }
                "OPTS" if argument.eq_ignore_ascii_case("UTF8 ON") => "200 Always in UTF8 mode.",
                "QUIT" => {
                    visitor.wire.say("221 Goodbye.");
                    return Ok(Then::Close);
                }
                _ => {
                    mistakes += 1;
                    "530 Please login with USER and PASS."
                }
            };
            visitor.wire.say(answer);
        }
    }
}
