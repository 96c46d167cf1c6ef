//! One mail, read: its text, in which markers may stand, and what it is. It is read once, away from the connections: a hostile
//! mail may take long or break the reader.

use crate::{
    domain::{
        mail::{Attachment, Checked, Hop, Mail, Origin, Sender, sha256},
        section::SectionError,
    },
    sensors::mail::{
        READ,
        brands::{Brand, Shown, impersonated},
        envelope::Envelope,
        links::{Links, links},
        origin::{Authority, Claim},
        path::stations,
        private::Private,
        signs::{Facts, class},
        text,
    },
};
use mail_parser::{Address, HeaderName, Message, MessageParser, MessagePart, MimeHeaders as _, PartType};
use std::sync::Arc;

/// So many attachments are kept.
const ATTACHMENTS: usize = 20;
/// So many mails within mails are looked into.
const DEPTH: usize = 4;
/// So much of its text is looked at for addresses and signs.
const TEXT: usize = 256 * 1024;
const NAME: usize = 120;

/// What is known of the house, whatever the mail.
#[derive(Clone, Default)]
pub struct House {
    brand: Option<Arc<Brand>>,
    authority: Option<Authority>,
}

impl House {
    /// Its name, and its own domains.
    pub fn new(organisation: &str, domains: &[String]) -> House {
        House { brand: Brand::house(organisation, domains).map(Arc::new), authority: None }
    }

    /// One that asks this resolver whether mails are from where they say; nobody where none is given.
    ///
    /// # Errors
    /// It is no resolver.
    pub fn asking(self, resolver: Option<&str>) -> Result<House, SectionError> {
        let authority = resolver.map(Authority::new).transpose();
        let authority = authority.map_err(|message| SectionError::new("resolver", message))?;
        Ok(House { authority, ..self })
    }
}

/// What is known of the mail beside its bytes.
#[derive(Clone, Default)]
pub struct Arrived {
    pub envelope: Envelope,
    /// Our own station, where we took it in ourselves.
    pub own: Option<Hop>,
    /// What its sender's domain says of it.
    pub origin: Option<Origin>,
    /// Whose domain that was, where it is one author's.
    pub author: Option<String>,
}

/// The mail's text and what it is; none if the reader broke on it. Whoever it is for, the same is asked of the same name servers.
pub async fn read(raw: Vec<u8>, mut arrived: Arrived, claim: Claim, house: House) -> Option<(Vec<u8>, Mail)> {
    let raw: Arc<[u8]> = raw.into();
    if let Some(authority) = &house.authority {
        let judged = authority.check(raw.clone(), claim).await;
        (arrived.origin, arrived.author) = (Some(judged.origin), judged.author);
    }
    tokio::task::spawn_blocking(move || read_now(&raw, arrived, &house)).await.ok()
}

/// The same, here and now.
pub fn read_now(raw: &[u8], arrived: Arrived, house: &House) -> (Vec<u8>, Mail) {
    let message = MessageParser::default().parse(raw);
    (text::of(message.as_ref(), raw), mail(message.as_ref(), raw, arrived, house))
}

fn mail(message: Option<&Message<'_>>, raw: &[u8], arrived: Arrived, house: &House) -> Mail {
    let Arrived { envelope, mut own, mut origin, author } = arrived;
    let private = Private::of(envelope.recipients.iter());
    // Those who sign and those who greet choose what they call themselves.
    if let Some(own) = &mut own {
        own.from = own.from.take().map(|name| private.hide(&name));
    }
    if let Some(origin) = &mut origin {
        origin.signed_by.iter_mut().for_each(|domain| *domain = private.hide(domain));
        // Two readers of one mail may see two senders in it: what is proven of one is not of the other.
        origin.proven &= author.is_some() && message.and_then(only_author) == author;
    }
    // A message without parts is none, and its methods break on it.
    let Some(message) = message.filter(|message| !message.parts.is_empty()) else {
        return Mail { origin, path: own.into_iter().collect(), ..Mail::default() };
    };
    let mut contents = Contents::default();
    contents.gather(message, &private, DEPTH);
    if let Some(last) = contents.attachments.last_mut() {
        last.cut = raw.len() >= READ && contents.left_out == 0;
    }
    let Links { kept, hosts, left_out, misleads } = links(&contents.plain, &contents.html, &private);
    let (name, address) = from(message);
    let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain).trim_end_matches('.').to_owned();
    let forged = origin.as_ref().is_some_and(|origin| origin.dmarc == Checked::Fail);
    let shown = Shown { name: &name, domain: &domain, hosts: &hosts, forged };
    let brand = impersonated(&shown, house.brand.as_deref());
    let facts = Facts {
        sender: envelope.sender.as_deref(),
        recipients: envelope.recipients.len(),
        leads: !kept.is_empty() || !contents.attachments.is_empty(),
        misleads,
        brand: brand.as_ref().map(|(_, sign)| *sign),
    };
    let (class, signs) = class(message, &contents.text(), &facts);
    let (claimed, more) = stations(message, &private);
    Mail {
        class,
        signs,
        brand: brand.map(|(name, _)| name),
        sender: (!domain.is_empty()).then(|| Sender {
            domain: webhooks::clean(&private.hide(&domain), NAME),
            sha256: sha256(address.as_bytes()),
        }),
        origin,
        path: own.into_iter().chain(claimed).collect(),
        links: kept,
        attachments: contents.attachments,
        left_out: left_out + more + contents.left_out,
    }
}

/// The first address of `From`, in lower case, and the name before it.
fn from(message: &Message<'_>) -> (String, String) {
    let first = message.from().and_then(Address::first);
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    match first {
        Some(first) => (text(first.name()), text(first.address()).trim().to_lowercase()),
        None => (String::new(), String::new()),
    }
}

/// The address of a mail with one `From` that has one.
fn only_author(message: &Message<'_>) -> Option<String> {
    let mut headers = message.parts.first()?.headers.iter().filter(|header| header.name == HeaderName::From);
    let (Some(header), None) = (headers.next(), headers.next()) else { return None };
    let mut addresses = header.value.as_address()?.iter();
    let (Some(first), None) = (addresses.next(), addresses.next()) else { return None };
    first.address().map(str::to_lowercase)
}

#[derive(Default)]
struct Contents {
    plain: String,
    html: String,
    attachments: Vec<Attachment>,
    left_out: u64,
}

impl Contents {
    fn gather(&mut self, message: &Message<'_>, private: &Private, depth: usize) {
        for part in &message.parts {
            match &part.body {
                PartType::Text(text) if part.attachment_name().is_none() => add(&mut self.plain, text),
                PartType::Html(html) if part.attachment_name().is_none() => add(&mut self.html, html),
                PartType::Multipart(_) => {}
                PartType::Message(within) if depth > 0 => {
                    self.attach(part, within.raw_message(), private);
                    self.gather(within, private, depth - 1);
                }
                _ => self.attach(part, part.contents(), private),
            }
        }
    }

    fn attach(&mut self, part: &MessagePart<'_>, bytes: &[u8], private: &Private) {
        if self.attachments.len() >= ATTACHMENTS {
            self.left_out += 1;
            return;
        }
        let media_type = part.content_type().map_or_else(
            || "application/octet-stream".to_owned(),
            |kind| match kind.subtype() {
                Some(subtype) => format!("{}/{subtype}", kind.ctype()),
                None => kind.ctype().to_owned(),
            },
        );
        self.attachments.push(Attachment {
            name: part.attachment_name().map(|name| webhooks::clean(&private.hide(name), NAME)),
            media_type: webhooks::clean(&private.hide(&media_type.to_lowercase()), NAME),
            size: bytes.len() as u64,
            sha256: sha256(bytes),
            cut: false,
        });
    }

    /// As people read it.
    fn text(&self) -> String {
        format!("{}\n{}", self.plain, mail_parser::decoders::html::html_to_text(&self.html))
    }
}

fn add(text: &mut String, more: &str) {
    let room = TEXT.saturating_sub(text.len());
    text.push_str(&more[..more.floor_char_boundary(room)]);
    text.push('\n');
}
