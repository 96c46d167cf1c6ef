//! AUTH: user name and password are reported, and refused, whosever they are.

use super::{Next, Session};
use crate::{
    domain::sighting::{Class, Touch},
    sensors::{credentials, door::wire::Broken},
};
use jiff::Timestamp;
use smtp_proto::{AUTH_LOGIN, AUTH_PLAIN};
use tokio::io::{AsyncRead, AsyncWrite};

impl<Stream: AsyncRead + AsyncWrite + Unpin> Session<Stream> {
    pub(super) async fn auth(&mut self, mechanism: u64, initial: String) -> Result<Next, Broken> {
        let mut response = if initial == "=" { String::new() } else { initial };
        let credentials = match mechanism {
            AUTH_PLAIN => {
                if response.is_empty() {
                    response = self.ask("334 ").await?;
                }
                credentials::plain(response.as_bytes())
            }
            AUTH_LOGIN => {
                if response.is_empty() {
                    response = self.ask("334 VXNlcm5hbWU6").await?;
                }
                let password = self.ask("334 UGFzc3dvcmQ6").await?;
                credentials::by_turns(&response, &password)
            }
            _ => {
                self.wrong("504 5.5.4 mechanism not supported");
                return Ok(Next::Go);
            }
        };
        let Some(credentials) = credentials else {
            self.refuse("unreadable_credentials");
            self.wrong("501 5.5.2 cannot decode the response");
            return Ok(Next::Go);
        };
        let touch = Touch {
            opened: None,
            sensor: self.rules.sensor.clone(),
            reporter: self.peer.socket.ip().to_string(),
            class: Class::Login,
            at: Timestamp::now(),
            source_ip: Some(self.peer.source),
            service: "smtp".into(),
            presented: credentials.presented(),
            text: Vec::new(),
            mail: None,
            evidence: format!(
                "AUTH {}\r\nuser name: {}\r\npassword: {}\r\n",
                if mechanism == AUTH_PLAIN { "PLAIN" } else { "LOGIN" },
                credentials.username,
                credentials.password.as_deref().unwrap_or_default()
            )
            .into_bytes(),
        };
        if self.observe(std::iter::once(touch)).await {
            self.wrong("535 5.7.8 authentication failed");
        } else {
            self.wire.say("451 4.3.0 cannot authenticate now, try again later");
        }
        Ok(Next::Go)
    }

    async fn ask(&mut self, prompt: &str) -> Result<String, Broken> {
        self.wire.say(prompt);
        let line = self.wire.line().await?.unwrap_or_default();
        Ok(String::from_utf8_lossy(&line).trim().to_owned())
    }
}
