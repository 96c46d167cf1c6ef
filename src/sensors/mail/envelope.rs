//! Sender, recipients and body of one mail, and the touches that tell of it: one a recipient.

use crate::{
    domain::{
        mail::Mail,
        sighting::{Class, Presented, Touch},
    },
    sensors::request::{EVIDENCE_LIMIT, bounded},
};
use canaries::MarkerKind;
use jiff::Timestamp;
use std::net::IpAddr;

/// Whom a mail is from and for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// The reverse path; none before MAIL.
    pub sender: Option<String>,
    /// The accepted forward paths.
    pub recipients: Vec<String>,
}

/// How a mail came here.
#[derive(Clone)]
pub struct Way {
    /// The sensor's configured name.
    pub sensor: String,
    /// Who vouches for it.
    pub reporter: String,
    /// Where it came from, if that is known and not only claimed.
    pub source_ip: Option<IpAddr>,
    pub service: String,
    pub at: Timestamp,
}

impl Envelope {
    /// One touch a recipient, or one where none is known. `text` is what stands in the mail, `mail` what it is, `raw` what was
    /// received. The text goes with the first only: what stands in one mail was seen once, however many it was sent to.
    pub fn touches<'mail>(
        &'mail self,
        way: &'mail Way,
        mut text: Vec<u8>,
        mail: Option<&'mail Mail>,
        raw: &'mail [u8],
    ) -> impl Iterator<Item = Touch> + Send + 'mail {
        // Each is a line of the evidence, whoever wrote it.
        let line = |text: &str| bounded(&text.replace(char::is_control, " "));
        let sender = line(self.sender.as_deref().unwrap_or_default());
        let nobody = self.recipients.is_empty().then_some(None);
        self.recipients.iter().map(Some).chain(nobody).map(move |recipient| {
            let named = line(recipient.map_or("", String::as_str));
            let mut evidence = format!("MAIL FROM:<{sender}>\r\nRCPT TO:<{named}>\r\n\r\n").into_bytes();
            let room = EVIDENCE_LIMIT.saturating_sub(evidence.len());
            evidence.extend_from_slice(&raw[..raw.len().min(room)]);
            let address = |recipient: &String| Presented {
                hint: Some(MarkerKind::WorkEmail),
                value: bounded(recipient),
                hmac: false,
            };
            Touch {
                opened: None,
                sensor: way.sensor.clone(),
                reporter: way.reporter.clone(),
                class: Class::Mail,
                at: way.at,
                source_ip: way.source_ip,
                service: way.service.clone(),
                presented: recipient.map(address).into_iter().collect(),
                text: std::mem::take(&mut text),
                mail: mail.cloned().map(Box::new),
                evidence,
            }
        })
    }
}

/// Whether an address stands in one of these domains, which are in lower case.
pub fn is_ours(address: &str, domains: &[String]) -> bool {
    address.rsplit_once('@').is_some_and(|(local, domain)| {
        let domain = domain.trim_end_matches('.');
        !local.is_empty() && domains.iter().any(|ours| ours.eq_ignore_ascii_case(domain))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_alias_domains_are_ours() {
        let domains = ["courriel.example.org".to_owned()];
        assert!(is_ours("a@Courriel.Example.ORG", &domains) && is_ours("\"a@b\"@courriel.example.org.", &domains));
        for other in ["a@example.org", "a@x.courriel.example.org", "courriel.example.org", "@courriel.example.org"] {
            assert!(!is_ours(other, &domains), "{other}");
        }
    }

    #[test]
    fn the_text_goes_with_the_first_and_a_mail_to_nobody_is_told_too() {
        let way = Way {
            sensor: "mx".into(),
            reporter: "127.0.0.1".into(),
            source_ip: None,
            service: "smtp".into(),
            at: Timestamp::UNIX_EPOCH,
        };
        let told = |recipients: &[&str]| {
            let recipients = recipients.iter().map(|text| (*text).to_owned()).collect();
            let envelope = Envelope { sender: Some("s@example.com".into()), recipients };
            let touches: Vec<Touch> = envelope.touches(&way, b"text".to_vec(), None, b"raw").collect();
            touches.into_iter().map(|touch| (touch.presented.len(), touch.text.len())).collect::<Vec<_>>()
        };
        assert_eq!(told(&["a@example.org", "b@example.org"]), [(1, 4), (1, 0)]);
        assert_eq!(told(&[]), [(0, 4)]);
        let envelope =
            Envelope { sender: Some("s\r\nRCPT TO:<forged>".into()), recipients: vec!["a\n".repeat(90_000)] };
        let evidence = envelope.touches(&way, Vec::new(), None, b"the mail").next().expect("one").evidence;
        assert!(evidence.starts_with(b"MAIL FROM:<s  RCPT TO:<forged>>\r\nRCPT TO:<a a "));
        assert!(evidence.ends_with(b">\r\n\r\nthe mail"));
    }
}
