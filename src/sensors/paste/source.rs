//! How one kind of source is read, as its TOML file describes it: where its list is, what stands in it, where the items
//! are. Some ship with Telltale; the operator's own folder comes first.

use crate::{domain::section::SectionError, sensors::paste::check::check};
use serde::Deserialize;
use std::{collections::BTreeMap, path::Path, time::Duration};

/// The sources that ship, by name.
pub const SHIPPED: &[(&str, &str)] = &[
    ("ail", include_str!("../sources/ail.toml")),
    ("bepasty", include_str!("../sources/bepasty.toml")),
    ("feed", include_str!("../sources/feed.toml")),
    ("github_code", include_str!("../sources/github_code.toml")),
    ("github_gists", include_str!("../sources/github_gists.toml")),
    ("gitlab_search", include_str!("../sources/gitlab_search.toml")),
    ("gitlab_snippets", include_str!("../sources/gitlab_snippets.toml")),
    ("hibp", include_str!("../sources/hibp.toml")),
    ("misp", include_str!("../sources/misp.toml")),
    ("pastebin", include_str!("../sources/pastebin.toml")),
    ("rustypaste", include_str!("../sources/rustypaste.toml")),
];

/// One kind of source.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Where the site is, if there is only one.
    pub url: Option<String>,
    /// How often its list is read.
    pub every: String,
    pub list: List,
    pub item: Item,
    pub auth: Option<Auth>,
    /// Further hosts that its lists may lead to, as `raw.example.org` or with a port.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// What every request to the site itself bears besides.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

/// The list of what there is. `{domain}`, `{query}`, `{since}`, `{since_seconds}` and `{page}` stand for values in its path
/// and body; with `{domain}` there is a list for each of the domains.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// From the site's address; nothing where the address is itself the list's.
    pub path: String,
    /// JSON that is posted; without it the list is asked for by GET.
    pub body: Option<String>,
    pub format: Format,
    /// JSON: pointer (RFC 6901) to the array or object of items.
    #[serde(default)]
    pub items: String,
    /// JSON: pointer within an entry to an array or object, each of whose elements is an item of its own.
    pub each: Option<String>,
    /// JSON: the place of an item's id, or a template of places; none where the entry is itself the id.
    pub id: Option<String>,
    /// JSON: what changes when the item does; the same id with another is another item.
    pub version: Option<String>,
    /// JSON: the place of its date.
    pub date: Option<String>,
    /// Pattern: with a group named `id`, and perhaps one named `date`.
    pub pattern: Option<String>,
    pub paging: Option<Paging>,
    pub since: Option<Since>,
    /// Between two requests for lists.
    pub pause: Option<String>,
}

/// What a list is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// JSON.
    Json,
    /// One id a line.
    Lines,
    /// Any text, in which a pattern finds the ids.
    Pattern,
    /// RSS, Atom or JSON Feed; its entries have `/id`, `/date`, `/link` and `/text`.
    Feed,
}

/// A list that comes in pages: read until one brings nothing new, if it has the newest first.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paging {
    /// The query parameter that counts; none where `{page}` does.
    pub query: Option<String>,
    #[serde(default)]
    pub first: u64,
    #[serde(default = "one")]
    pub step: u64,
    /// The most pages of one reading.
    #[serde(default = "ten")]
    pub pages: u64,
    /// Whether all of them are read each time: for lists that do not have the newest first.
    #[serde(default)]
    pub all: bool,
}

/// A list of what is new since a time: all its pages are read, and the next time begins where this one did.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Since {
    /// How far back the first reading goes.
    pub first: String,
    /// So much is read again.
    pub overlap: String,
}

fn one() -> u64 {
    1
}

fn ten() -> u64 {
    10
}

/// One item: what the list says of it, what is fetched for it, or both.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// A template of what the list itself holds of the item's text.
    pub text: Option<String>,
    /// From the site's address, or the whole address of another host; `{id}` stands for the id.
    pub path: Option<String>,
    /// The place of its address in the list, instead: of the site, or of a host of `hosts`.
    pub address: Option<String>,
    /// JSON that is posted, in which `{id}` stands for the id.
    pub body: Option<String>,
    /// JSON: pointer to the text; none where the answer is the text.
    pub field: Option<String>,
    /// Whether the text is base64.
    #[serde(default)]
    pub base64: bool,
    /// Whether the answer is a page, of which the text is read too.
    #[serde(default)]
    pub html: bool,
    /// How alerts name it, as a template; the id is not for them where it may be a person's.
    pub shown: Option<String>,
    /// Between two items.
    pub pause: Option<String>,
}

/// How the site wants to be told who asks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// The header that carries the token.
    pub header: String,
    /// What stands before the token.
    #[serde(default)]
    pub prefix: String,
    /// HTTP Basic under this name, with the token as password.
    pub basic_user: Option<String>,
}

impl Source {
    /// The source of that name: a file of the operator's folder, or a shipped one.
    pub fn find(name: &str, folder: Option<&Path>) -> Result<Source, SectionError> {
        let named = |message: String| SectionError::new("source", message);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if name.is_empty() || !name.bytes().all(plain) {
            return Err(named("expected a name of letters, digits, - and _".into()));
        }
        let own = folder.map(|folder| folder.join(format!("{name}.toml")));
        let text = match own.as_deref().map(std::fs::read_to_string) {
            Some(Ok(text)) => text,
            Some(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(named(format!("{name}.toml in sources_dir: {error}")));
            }
            _ => match SHIPPED.iter().find(|(shipped, _)| *shipped == name) {
                Some((_, text)) => (*text).to_owned(),
                None => {
                    let known: Vec<&str> = SHIPPED.iter().map(|(shipped, _)| *shipped).collect();
                    let known = known.join(", ");
                    return Err(named(format!(
                        "no source is called {name:?}: known are {known}, and the files of sources_dir"
                    )));
                }
            },
        };
        let source: Source = toml::from_str(&text).map_err(|error| {
            let message = error.message();
            let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            named(format!("{name}.toml, line {line}: {message}"))
        })?;
        check(&source).map_err(|message| named(format!("{name}.toml: {message}")))?;
        Ok(source)
    }

    /// Whether a request of it has this placeholder.
    pub fn asks_by(&self, placeholder: &str) -> bool {
        let texts = [Some(&self.list.path), self.list.body.as_ref(), self.item.path.as_ref(), self.item.body.as_ref()];
        texts.into_iter().flatten().any(|text| text.contains(placeholder))
    }
}

/// Reads `60s`, `5m` or `1h 30m`.
pub fn duration(text: &str) -> Result<Duration, String> {
    text.parse::<jiff::SignedDuration>()
        .ok()
        .and_then(|duration| Duration::try_from(duration).ok())
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| format!("{text:?} is no duration: expected one such as 60s or 5m"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_source_is_sound_and_says_what_its_terms_are() {
        for (name, text) in SHIPPED {
            Source::find(name, None).expect("a sound source");
            for wanted in ["# Limits: ", "# Terms: ", "# Robots: "] {
                assert!(text.lines().any(|line| line.starts_with(wanted)), "{name}.toml has no line {wanted:?}");
            }
        }
    }

    #[test]
    fn the_operators_folder_comes_first_and_its_errors_name_file_and_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |text: &str| std::fs::write(folder.path().join("bepasty.toml"), text).expect("written");
        write("every = '5m'\n[list]\npath = '/'\nformat = 'lines'\n[item]\npath = '/raw/{id}'");
        let source = Source::find("bepasty", Some(folder.path())).expect("the own one");
        assert_eq!(source.every, "5m");
        write("every = '5m'\n[list]\npath = '/'\nformat = 'xml'\n[item]\npath = '/raw/{id}'");
        let error = Source::find("bepasty", Some(folder.path())).expect_err("no such format").to_string();
        assert!(error.contains("bepasty.toml, line 4") && error.contains("pattern"), "{error}");
        write("every = '5m'\n[list]\npath = '/'\nformat = 'pattern'\npattern = 'x'\n[item]\npath = '/raw/{id}'");
        let error = Source::find("bepasty", Some(folder.path())).expect_err("no group").to_string();
        assert!(error.contains("(?<id>"), "{error}");
        let error = Source::find("nowhere", None).expect_err("unknown").to_string();
        assert!(error.contains("hibp, misp, pastebin, rustypaste"), "{error}");
        assert!(Source::find("../etc/passwd", Some(folder.path())).is_err());
    }

    #[test]
    fn durations_are_read() {
        assert_eq!(duration("60s"), Ok(Duration::from_secs(60)));
        assert_eq!(duration("1h 30m"), Ok(Duration::from_secs(5400)));
        assert!(duration("0s").is_err() && duration("-5s").is_err() && duration("soon").is_err());
    }
}
