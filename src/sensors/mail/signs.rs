//! What a mail seems to be for, by the signs that it shows. The signs are data (`signs.txt`); how many of them make a class, and
//! which class goes before which, stands here. Whoever writes mail knows these rules too: a class says how a mail looks, and
//! takes no sighting away.

use crate::domain::mail::MailClass;
use mail_parser::{HeaderForm, HeaderValue, Message};
use regex::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};
use std::{collections::BTreeSet, sync::LazyLock};

/// So much of a mail's text is looked at: signs stand at its beginning.
const TEXT: usize = 64 * 1024;
/// To so many of our addresses nobody writes by hand.
const MANY: usize = 3;

struct Rules {
    /// Name, class, header, pattern.
    headers: Vec<(&'static str, MailClass, &'static str, Regex)>,
    subject: Texts,
    text: Texts,
}

struct Texts {
    patterns: RegexSet,
    signs: Vec<(&'static str, MailClass)>,
}

static RULES: LazyLock<Rules> = LazyLock::new(|| rules(include_str!("signs.txt")));

/// What the mail shows besides its own text.
pub struct Facts<'a> {
    /// The reverse path; empty for what is never to be answered.
    pub sender: Option<&'a str>,
    pub recipients: usize,
    /// Whether it leads anywhere, or bears anything.
    pub leads: bool,
    /// A link shows another address than it leads to.
    pub misleads: bool,
    /// By which sign it poses as somebody.
    pub brand: Option<&'static str>,
}

/// The class, and the signs that it shows, by name.
pub fn class(message: &Message<'_>, text: &str, facts: &Facts<'_>) -> (MailClass, Vec<String>) {
    let mut shown: BTreeSet<(MailClass, &'static str)> = BTreeSet::new();
    for (name, class, header, pattern) in &RULES.headers {
        // As it was written, for few of these headers have a shape of their own.
        let values = message.header_as(*header, HeaderForm::Raw);
        if values.iter().filter_map(HeaderValue::as_text).any(|value| pattern.is_match(value)) {
            shown.insert((*class, name));
        }
    }
    let subject = message.subject().unwrap_or_default();
    let within = format!("{subject}\n{}", &text[..text.floor_char_boundary(TEXT)]);
    for (texts, text) in [(&RULES.subject, subject), (&RULES.text, within.as_str())] {
        shown.extend(texts.patterns.matches(text).iter().map(|at| (texts.signs[at].1, texts.signs[at].0)));
    }
    shown.extend(facts.brand.map(|sign| (MailClass::Phishing, sign)));
    if facts.misleads {
        shown.insert((MailClass::Phishing, "misleading_link"));
    }
    if facts.recipients >= MANY {
        shown.insert((MailClass::SpamRun, "many_recipients"));
    }
    let count = |class: MailClass| shown.iter().filter(|(of, _)| *of == class).count();
    let sure = facts.misleads || matches!(facts.brand, Some("brand_in_name" | "brand_in_domain" | "brand_forged"));
    let phishing = count(MailClass::Phishing);
    // Bounces have an empty reverse path (RFC 3464, section 2, RFC 5321, section 4.5.5), and so have answers of machines that keep
    // to RFC 3834, section 3.3. Without it the header alone says nothing against other signs, which whoever forged it shows too.
    let machine = count(MailClass::DeliveryNoise) > 0;
    let class = if machine && facts.sender == Some("") {
        MailClass::DeliveryNoise
    } else if count(MailClass::Extortion) >= 2 {
        MailClass::Extortion
    } else if sure || phishing >= 2 && facts.leads {
        MailClass::Phishing
    } else if machine {
        MailClass::DeliveryNoise
    } else if count(MailClass::Newsletter) > 0 {
        MailClass::Newsletter
    } else if count(MailClass::SpamRun) > 0 {
        MailClass::SpamRun
    } else {
        MailClass::Other
    };
    let names: BTreeSet<&str> = shown.iter().map(|(_, name)| *name).collect();
    (class, names.into_iter().map(str::to_owned).collect())
}

fn rules(table: &'static str) -> Rules {
    let (mut headers, mut subjects, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    for line in table.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        let parts: Vec<&str> = line.splitn(4, '|').map(str::trim).collect();
        let [name, class, place, pattern] = parts[..] else { panic!("a rule has four parts: {line}") };
        let class = serde_json::from_value(class.into()).expect("a rule names a class");
        match place {
            "subject" => subjects.push((name, class, pattern)),
            "text" => texts.push((name, class, pattern)),
            header => {
                let pattern = RegexBuilder::new(pattern).case_insensitive(true).build().expect("a rule's pattern");
                headers.push((name, class, header, pattern));
            }
        }
    }
    Rules { headers, subject: set(subjects), text: set(texts) }
}

fn set(rules: Vec<(&'static str, MailClass, &str)>) -> Texts {
    let patterns = RegexSetBuilder::new(rules.iter().map(|(.., pattern)| pattern)).case_insensitive(true).build();
    Texts {
        patterns: patterns.expect("the rules' patterns"),
        signs: rules.into_iter().map(|(name, class, _)| (name, class)).collect(),
    }
}
