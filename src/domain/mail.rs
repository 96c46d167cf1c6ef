//! What a mail to a canary is: what it seems to be for, who it claims to be from, which way it came, where it leads. All of it
//! is the sender's word, but for what `origin` and our own hop say. No recipient, no text, no whole address stands here:
//! addresses are shown by their host alone, so that nobody opens one, and as a digest of the whole.

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::{fmt, net::IpAddr};

/// What a mail seems to be for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailClass {
    /// It wants somebody to log in, pay or open something, as somebody else.
    Phishing,
    /// It threatens.
    Extortion,
    /// The same for many, unasked.
    SpamRun,
    /// A mailing list's, or a request to consent to one.
    Newsletter,
    /// A bounce, or a machine's answer.
    DeliveryNoise,
    /// By a sender that the canary's store names as one of its own, and proven to be from there.
    LegitimateSender,
    /// None of these.
    #[default]
    Other,
}

impl MailClass {
    /// Whether the store's own work explains it as well as a leak does: only logs tell the two apart. A mailing list is none of
    /// these, for nobody named it as the store's; nor is a machine's answer, for a thief can make his mail look like one.
    pub fn may_be_benign(self) -> bool {
        self == MailClass::LegitimateSender
    }
}

impl fmt::Display for MailClass {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            MailClass::Phishing => "phishing",
            MailClass::Extortion => "extortion",
            MailClass::SpamRun => "spam run",
            MailClass::Newsletter => "newsletter or consent mail",
            MailClass::DeliveryNoise => "delivery noise",
            MailClass::LegitimateSender => "legitimate sender",
            MailClass::Other => "mail of no known kind",
        })
    }
}

/// The answer of one check, by the names of RFC 8601, section 2.7.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Checked {
    Pass,
    Fail,
    SoftFail,
    Neutral,
    #[default]
    None,
    TempError,
    PermError,
}

/// Whether it is from where it says, as the sender's domain has it in the DNS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Of the reverse path, and of the greeting where that is empty.
    pub spf: Checked,
    /// The best of its signatures.
    pub dkim: Checked,
    pub dmarc: Checked,
    /// Domains whose signature holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signed_by: Vec<String>,
    /// The domain in `From` vouches for it: by DMARC, or by SPF or a signature of just this domain.
    pub proven: bool,
}

/// Whom it says it is from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    /// In lower case.
    pub domain: String,
    /// SHA-256 of the whole address in lower case, in hexadecimal.
    pub sha256: String,
}

impl Sender {
    /// Whether it is this domain or one under it, or just this address; either in lower case.
    pub fn is(&self, own: &str) -> bool {
        match own.contains('@') {
            true => self.sha256 == sha256(own.as_bytes()),
            false => self.domain.strip_suffix(own).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')),
        }
    }
}

/// In hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}

/// One station of its way, by what that has written above it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    pub from: Option<String>,
    pub by: Option<String>,
    pub address: Option<IpAddr>,
    pub at: Option<Timestamp>,
    /// We saw it ourselves. Every other one may be forged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own: bool,
}

/// Where it leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Scheme and host alone, defanged: `hxxps://example[.]org`.
    pub shown: String,
    /// SHA-256 of the whole address as it stands in the mail, in hexadecimal.
    pub sha256: String,
}

/// What is attached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Without what names the recipient.
    pub name: Option<String>,
    /// As the mail has it.
    pub media_type: String,
    /// Bytes, decoded.
    pub size: u64,
    /// SHA-256 of them, in hexadecimal.
    pub sha256: String,
    /// The mail was longer than what is read: the last attachment may go on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    pub class: MailClass,
    /// The rules that it shows, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signs: Vec<String>,
    /// Whom it poses as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brand: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<Sender>,
    /// None where nobody was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// The last station first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<Hop>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// Stations, links and attachments beyond those that are kept.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Mail {
    /// In one line: class, brand, whether its sender is proven, the first links and how many attachments.
    pub fn in_words(&self) -> String {
        let mut words = self.class.to_string();
        if let Some(brand) = &self.brand {
            words.push_str(&format!(", posing as {brand}"));
        }
        if let Some(sender) = &self.sender {
            words.push_str(&format!(", from {}", defanged(&sender.domain)));
        }
        match &self.origin {
            Some(origin) if origin.proven => words.push_str(" (proven)"),
            Some(origin) if origin.dmarc == Checked::Fail => words.push_str(" (forged: DMARC fails)"),
            Some(_) => words.push_str(" (not proven)"),
            None => {}
        }
        for link in self.links.iter().take(SHOWN) {
            words.push_str(&format!(", {}", link.shown));
        }
        match self.attachments.len() {
            0 => {}
            1 => words.push_str(", one attachment"),
            count => words.push_str(&format!(", {count} attachments")),
        }
        words
    }
}

impl Mail {
    /// For who may know no person: a file may be named after one.
    pub fn without_names(&self) -> Mail {
        let mut mail = self.clone();
        mail.attachments.iter_mut().for_each(|attachment| attachment.name = None);
        mail
    }
}

/// So many links are told in one line.
const SHOWN: usize = 2;

/// A host that nothing takes for an address to be opened.
pub fn defanged(host: &str) -> String {
    host.replace('.', "[.]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_is_of_a_domain_or_just_one() {
        let address = "paie@rh.example.org";
        let sender = Sender { domain: "rh.example.org".to_owned(), sha256: sha256(address.as_bytes()) };
        assert!(sender.is("example.org") && sender.is("rh.example.org") && sender.is(address));
        assert!(!sender.is("ample.org") && !sender.is("x.rh.example.org") && !sender.is("b@rh.example.org"));
    }

    #[test]
    fn a_mail_in_words_can_be_opened_nowhere() {
        let mail = Mail {
            class: MailClass::Phishing,
            brand: Some("Ameli".to_owned()),
            sender: Some(Sender { domain: "a.example.com".to_owned(), sha256: String::new() }),
            origin: Some(Origin { dmarc: Checked::Fail, ..Origin::default() }),
            links: vec![Link { shown: "hxxps://b[.]example[.]org".to_owned(), sha256: String::new() }],
            ..Mail::default()
        };
        assert_eq!(
            mail.in_words(),
            "phishing, posing as Ameli, from a[.]example[.]com (forged: DMARC fails), hxxps://b[.]example[.]org"
        );
    }
}
