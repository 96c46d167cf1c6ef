//! Sender, recipients and body of one mail, and the touches that tell of it: one a recipient.

use crate::{
    domain::sighting::{Class, Presented, Touch},
    sensors::{
        listener::Peer,
        request::{EVIDENCE_LIMIT, bounded},
    },
};
use canaries::MarkerKind;
use jiff::Timestamp;

/// Whom a mail is from and for.
#[derive(Default)]
pub struct Envelope {
    /// The reverse path; none before MAIL.
    pub sender: Option<String>,
    /// The accepted forward paths.
    pub recipients: Vec<String>,
}

impl Envelope {
    /// One touch a recipient. `text` is what stands in the mail, `raw` what was received. The text goes with the first
    /// only: what stands in one mail was seen once, however many it was sent to.
    pub fn touches<'mail>(
        &'mail self,
        sensor: &'mail str,
        peer: Peer,
        mut text: Vec<u8>,
        raw: &'mail [u8],
    ) -> impl Iterator<Item = Touch> + Send + 'mail {
        let sender = self.sender.as_deref().unwrap_or_default();
        self.recipients.iter().map(move |recipient| {
            let mut evidence = format!("MAIL FROM:<{sender}>\r\nRCPT TO:<{recipient}>\r\n\r\n").into_bytes();
            let room = EVIDENCE_LIMIT.saturating_sub(evidence.len());
            evidence.extend_from_slice(&raw[..raw.len().min(room)]);
            Touch {
                sensor: sensor.to_owned(),
                reporter: peer.socket.ip().to_string(),
                class: Class::Mail,
                at: Timestamp::now(),
                source_ip: Some(peer.source),
                service: "smtp".into(),
                presented: vec![Presented {
                    hint: Some(MarkerKind::WorkEmail),
                    value: bounded(recipient),
                    hmac: false,
                }],
                text: std::mem::take(&mut text),
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
}
