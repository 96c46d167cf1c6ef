//! A mail, a message or a call, as a provider tells of it, and the touches that tell of it further.

use crate::{
    domain::sighting::{Class, Presented, Touch},
    sensors::{
        mail::{
            READ, RECIPIENTS,
            contents::{self, Arrived, House},
            envelope::{Envelope, Way},
            headers,
            origin::Claim,
        },
        request::{EVIDENCE_LIMIT, bounded},
    },
};
use canaries::MarkerKind;
use jiff::Timestamp;
use std::net::IpAddr;

/// What arrived.
pub enum Letter {
    Mail(Mail),
    Message(Message),
}

/// A mail.
#[derive(Default)]
pub struct Mail {
    /// As the provider has it; none: by the mail's own headers.
    pub envelope: Option<Envelope>,
    /// As it was received, or put together from what the provider tells of it.
    pub raw: Vec<u8>,
    /// Who gave it to the provider, as that has seen it.
    pub source_ip: Option<IpAddr>,
    pub at: Option<Timestamp>,
}

/// A short message, or a call.
pub struct Message {
    pub from: String,
    pub to: String,
    /// Empty for a call.
    pub text: String,
    pub call: bool,
    pub at: Option<Timestamp>,
}

impl Letter {
    /// The touches that it is.
    pub async fn touches(
        self,
        sensor: &str,
        reporter: &str,
        service: &str,
        now: Timestamp,
        house: &House,
    ) -> Vec<Touch> {
        match self {
            Letter::Mail(mail) => mail.touches(sensor, reporter, service, now, house).await,
            Letter::Message(message) => vec![message.touch(sensor, reporter, now)],
        }
    }
}

impl Mail {
    async fn touches(
        mut self,
        sensor: &str,
        reporter: &str,
        service: &str,
        now: Timestamp,
        house: &House,
    ) -> Vec<Touch> {
        self.raw.truncate(READ);
        let evidence = self.raw[..self.raw.len().min(EVIDENCE_LIMIT)].to_vec();
        let mut envelope = self.envelope.unwrap_or_default();
        if envelope.recipients.is_empty() {
            let read = headers::envelope(self.raw.clone()).await.unwrap_or_default();
            envelope = Envelope { sender: envelope.sender.or(read.sender), recipients: read.recipients };
        }
        envelope.recipients.truncate(RECIPIENTS);
        // Like every mail server, it takes the mail even where no reader can.
        let arrived = Arrived { envelope: envelope.clone(), ..Arrived::default() };
        let read = contents::read(self.raw, arrived, Claim::default(), house.clone()).await;
        let (text, mail) = read.map_or_else(|| (evidence.clone(), None), |(text, mail)| (text, Some(mail)));
        let way = Way {
            sensor: sensor.to_owned(),
            reporter: reporter.to_owned(),
            source_ip: self.source_ip,
            service: service.to_owned(),
            at: self.at.unwrap_or(now),
        };
        envelope.touches(&way, text, mail.as_ref(), &evidence).collect()
    }
}

impl Message {
    fn touch(self, sensor: &str, reporter: &str, now: Timestamp) -> Touch {
        let line = |text: &str| bounded(&text.replace(char::is_control, " "));
        // As a mail's evidence begins, so that it is read by the same eyes.
        let head = format!("MAIL FROM:<{}>\r\nRCPT TO:<{}>\r\n\r\n\r\n", line(&self.from), line(&self.to));
        let mut evidence = head.into_bytes();
        evidence.extend_from_slice(self.text.as_bytes());
        evidence.truncate(EVIDENCE_LIMIT);
        Touch {
            opened: None,
            sensor: sensor.to_owned(),
            reporter: reporter.to_owned(),
            class: Class::Mail,
            at: self.at.unwrap_or(now),
            source_ip: None,
            service: if self.call { "call" } else { "sms" }.to_owned(),
            presented: vec![Presented { hint: Some(MarkerKind::Phone), value: international(&self.to), hmac: false }],
            text: self.text.into_bytes(),
            mail: None,
            evidence,
        }
    }
}

/// Providers write `33612345678`, `0033612345678` and `+33612345678`: one number.
fn international(number: &str) -> String {
    let number = bounded(number.trim());
    let bare = number.strip_prefix("00").unwrap_or(&number);
    let digits = bare.len() >= 8 && bare.bytes().all(|byte| byte.is_ascii_digit());
    // A national number stays as it is.
    if digits && !bare.starts_with('0') { format!("+{bare}") } else { number }
}

/// Puts a mail together from what a provider tells of it, for its readers; every header is one line.
pub fn put_together(headers: &[(&str, &str)], plain: &str, html: &str, files: &[String]) -> Vec<u8> {
    let mut raw = String::new();
    for (name, value) in headers.iter().filter(|(name, value)| !name.is_empty() && !value.is_empty()) {
        let name: String = name.chars().filter(|letter| letter.is_ascii_graphic() && *letter != ':').collect();
        let mime = ["content-type", "content-transfer-encoding", "mime-version"];
        if !mime.contains(&name.to_ascii_lowercase().as_str()) {
            raw.push_str(&format!("{name}: {}\r\n", value.replace(['\r', '\n'], " ")));
        }
    }
    raw.push_str(
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
    );
    for text in [plain, html].into_iter().chain(files.iter().map(String::as_str)).filter(|text| !text.is_empty()) {
        raw.push_str(text);
        raw.push_str("\r\n");
    }
    raw.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_one_however_they_are_written() {
        for number in ["33612345678", "0033612345678", "+33612345678"] {
            assert_eq!(international(number), "+33612345678");
        }
        assert_eq!((international("0612345678"), international("38600")), ("0612345678".into(), "38600".into()));
    }

    #[tokio::test]
    async fn a_mail_that_is_put_together_is_read_like_any_other() {
        let raw = put_together(
            &[
                ("Subject", "caf\u{e9}\r\nBcc: other@example.org"),
                ("Content-Transfer-Encoding", "base64"),
                ("To", "a@example.org"),
            ],
            "plain k\u{e9}y",
            "<b>bold</b>",
            &["a.pdf".to_owned()],
        );
        let mail = Mail { raw, ..Mail::default() };
        let touches = Letter::Mail(mail).touches("s", "r", "p", Timestamp::UNIX_EPOCH, &House::default()).await;
        assert_eq!((touches.len(), touches[0].presented[0].value.as_str()), (1, "a@example.org"));
        let text = String::from_utf8_lossy(&touches[0].text);
        for wanted in ["café", "plain kéy", "bold", "a.pdf"] {
            assert!(text.contains(wanted), "{wanted} in {text}");
        }
    }
}
