//! The addresses that stand in a mail. Nothing is ever fetched. Shown is the host alone, in a form that opens nowhere: what comes
//! after it often holds the recipient's address, and every mail its own.

use crate::{
    domain::mail::{Link, defanged, sha256},
    sensors::mail::private::Private,
};
use regex::Regex;
use std::{borrow::Cow, collections::BTreeMap, sync::LazyLock};
use url::{Host, Url};

/// So many different addresses are kept.
pub const MOST: usize = 20;
/// So many are read at all.
const READ: usize = 1000;
/// A longer one is no address that a browser opens everywhere.
const LONGEST: usize = 2048;
const HOST: usize = 120;

/// An address as it is written: with its scheme, or as people write it.
static WRITTEN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?i)\b(?:h(?:tt|xx)ps?://|ftp://|www\.)[^\s<>"'`{}|\\^\x00-\x1f\x7f]+"#).expect("a pattern")
});
/// A link that shows another address than it leads to.
static ANCHOR: LazyLock<Regex> = LazyLock::new(|| {
    let text = r#"(?is)<a\s[^>]*?href\s*=\s*["']?([^"'\s>]+)["']?[^>]*>([^<]+)</a"#;
    Regex::new(text).expect("a pattern")
});

/// What was found.
#[derive(Default)]
pub struct Links {
    /// Each address once, by its whole text, in the order in which they stand.
    pub kept: Vec<Link>,
    /// Hosts, in lower case, each once.
    pub hosts: Vec<String>,
    /// Different ones beyond those kept.
    pub left_out: u64,
    /// Whether a link shows the address of one host and leads to another.
    pub misleads: bool,
}

/// The addresses in plain text and in HTML.
pub fn links(plain: &str, html: &str, private: &Private) -> Links {
    let html = unescaped(html);
    let mut found = Links::default();
    let mut known: BTreeMap<String, ()> = BTreeMap::new();
    for written in WRITTEN.find_iter(plain).chain(WRITTEN.find_iter(&html)).take(READ) {
        let text = trimmed(written.as_str());
        let Some(url) = parsed(text) else { continue };
        let Some(host) = host(&url) else { continue };
        let sha256 = sha256(text.as_bytes());
        if known.insert(sha256.clone(), ()).is_some() {
            continue;
        }
        if found.kept.len() < MOST {
            found.kept.push(Link { shown: shown(&url, &host, private), sha256 });
        } else {
            found.left_out += 1;
        }
        if !found.hosts.contains(&host) && found.hosts.len() < MOST {
            found.hosts.push(host);
        }
    }
    found.misleads = ANCHOR.captures_iter(&html).take(READ).any(|anchor| {
        let leads = parsed(&anchor[1]).and_then(|url| host(&url));
        let says = WRITTEN.find(&anchor[2]).and_then(|text| parsed(trimmed(text.as_str()))).and_then(|url| host(&url));
        matches!((leads, says), (Some(leads), Some(says)) if !is_of(&leads, &says) && !is_of(&says, &leads))
    });
    found
}

/// Whether a host is of this domain.
pub fn is_of(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// What closes a sentence or a bracket is none of the address.
fn trimmed(text: &str) -> &str {
    text.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '*', '_'])
}

fn parsed(text: &str) -> Option<Url> {
    let text = &text[..text.floor_char_boundary(LONGEST)];
    let lower = text.get(..4)?.to_ascii_lowercase();
    let whole = match lower.as_str() {
        "www." => Cow::Owned(format!("http://{text}")),
        // As analysts write to each other, and thieves to get past filters.
        "hxxp" => Cow::Owned(format!("http{}", &text[4..])),
        _ => Cow::Borrowed(text),
    };
    Url::parse(&whole).ok().filter(|url| matches!(url.scheme(), "http" | "https" | "ftp"))
}

fn host(url: &Url) -> Option<String> {
    match url.host()? {
        Host::Domain(name) => Some(name.trim_end_matches('.').to_ascii_lowercase()).filter(|name| !name.is_empty()),
        Host::Ipv4(address) => Some(address.to_string()),
        Host::Ipv6(address) => Some(format!("[{address}]")),
    }
}

fn shown(url: &Url, host: &str, private: &Private) -> String {
    let scheme = match url.scheme() {
        "http" => "hxxp",
        "https" => "hxxps",
        _ => "fxp",
    };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{scheme}://{}{port}", defanged(&webhooks::clean(&private.hide(host), HOST)))
}

/// HTML's character references undone, as far as addresses are written with them.
fn unescaped(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find('&') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.bytes().take(12).position(|byte| byte == b';');
        let known = end.and_then(|end| Some((reference(&rest[1..end])?, end + 1)));
        match known {
            Some((character, length)) => {
                text.push(character);
                rest = &rest[length..];
            }
            None => {
                text.push('&');
                rest = &rest[1..];
            }
        }
    }
    text.push_str(rest);
    text
}

fn reference(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "sol" => Some('/'),
        "colon" => Some(':'),
        "period" => Some('.'),
        "quot" => Some('"'),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown_of(plain: &str, html: &str) -> Vec<String> {
        let private = Private::of(["camille.roux@courriel.example.org".to_owned()].iter());
        links(plain, html, &private).kept.into_iter().map(|link| link.shown).collect()
    }

    #[test]
    fn addresses_are_found_however_they_are_written_and_open_nowhere() {
        assert_eq!(
            shown_of(
                "see HTTPS://Login.Example.org:8443/a?email=camille.roux@courriel.example.org), www.example.net. hxxp://x.example/",
                "<a href='http&#58;//b.example.com/?a=1&amp;b=2'>b</a> <img src=\"ftp://192.0.2.1/x\">"
            ),
            [
                "hxxps://login[.]example[.]org:8443",
                "hxxp://www[.]example[.]net",
                "hxxp://x[.]example",
                "hxxp://b[.]example[.]com",
                "fxp://192[.]0[.]2[.]1"
            ]
        );
        assert_eq!(shown_of("http://camille-roux.example.org/", ""), ["hxxp://…-…[.]example[.]org"]);
        assert!(shown_of("mailto:a@example.org javascript:alert(1) http:// http://?", "").is_empty());
    }

    #[test]
    fn an_address_is_kept_once_and_there_is_an_end() {
        let private = Private::of(std::iter::empty());
        let many: String = (0..2000).map(|number| format!("http://a{number}.example.org/ ")).collect();
        let found = links(&many, &many, &private);
        assert_eq!((found.kept.len(), found.left_out), (MOST, (READ - MOST) as u64));
        let found = links("http://a.example/1 http://a.example/2 http://a.example/1", "", &private);
        assert_eq!((found.kept.len(), found.hosts.len()), (2, 1));
        // As `printf %s http://a.example/1 | sha256sum` has it.
        let digest = "6f09fce05af7d21c280b5d2ef1713fb441854c68eba3584b3a2d1b1ed99fe4a5";
        assert_eq!(found.kept[0].sha256, digest);
    }

    #[test]
    fn a_link_that_shows_another_address_misleads() {
        let private = Private::of(std::iter::empty());
        let misleads = |html: &str| links("", html, &private).misleads;
        assert!(misleads(r#"<a class=x href="http://evil.example/">https://www.ameli.fr/compte</a>"#));
        assert!(!misleads(
            r#"<a href="https://www.ameli.fr/x">www.ameli.fr</a><a href="http://evil.example/">here</a>"#
        ));
    }

    proptest! {
        #[test]
        fn whatever_is_shown_can_be_opened_nowhere(plain in "\\PC{0,200}", host in "[a-z0-9.%&#;:@/-]{0,40}") {
            let private = Private::of(std::iter::empty());
            for text in [plain.clone(), format!("http://{host}"), format!("<a href=\"https://{host}\">www.{host}</a>")] {
                let found = links(&text, &text, &private);
                prop_assert!(found.kept.len() <= MOST);
                for link in found.kept {
                    prop_assert!(!link.shown.starts_with("http") && link.shown.len() < 4 * HOST + 40, "{}", link.shown);
                    prop_assert!(!link.shown.replace("[.]", "").contains('.'), "{}", link.shown);
                }
            }
        }
    }
}
