//! How one kind of paste site is read, as its TOML file describes it: where the list is, what stands in it, where the
//! items are. Three ship with Telltale; the operator's own folder comes first.

use crate::domain::section::SectionError;
use serde::Deserialize;
use std::{path::Path, time::Duration};

const SHIPPED: &[(&str, &str)] = &[
    ("bepasty", include_str!("../sources/bepasty.toml")),
    ("pastebin", include_str!("../sources/pastebin.toml")),
    ("rustypaste", include_str!("../sources/rustypaste.toml")),
];

/// One kind of paste site.
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
}

/// The list of what there is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// From the site's address.
    pub path: String,
    pub format: Format,
    /// JSON: pointer (RFC 6901) to the array or object of items.
    #[serde(default)]
    pub items: String,
    /// JSON: pointer within an item to its id; `@key` for the key of an object; none where the item is itself the id.
    pub id: Option<String>,
    /// JSON: pointer within an item to its date.
    pub date: Option<String>,
    /// Pattern: with a group named `id`, and perhaps one named `date`.
    pub pattern: Option<String>,
    pub paging: Option<Paging>,
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
}

/// A list that comes in pages: read until one brings nothing new.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paging {
    /// The query parameter that counts.
    pub query: String,
    #[serde(default)]
    pub first: u64,
    #[serde(default = "one")]
    pub step: u64,
    /// The most pages of one reading.
    #[serde(default = "ten")]
    pub pages: u64,
}

fn one() -> u64 {
    1
}

fn ten() -> u64 {
    10
}

/// One item.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// From the site's address, or the whole address of another host; `{id}` stands for the id.
    pub path: String,
    /// JSON: pointer to the text; none where the answer is the text.
    pub field: Option<String>,
    /// Whether the text is base64.
    #[serde(default)]
    pub base64: bool,
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
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') {
            return Err(named(format!("{name:?} is no source's name: letters, digits, - and _ are expected")));
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
        source.check().map_err(|message| named(format!("{name}.toml: {message}")))?;
        Ok(source)
    }

    fn check(&self) -> Result<(), String> {
        duration(&self.every).map_err(|message| format!("every: {message}"))?;
        if let Some(pause) = &self.item.pause {
            duration(pause).map_err(|message| format!("item.pause: {message}"))?;
        }
        if !self.item.path.contains("{id}") {
            return Err("item.path: expected {id} in it".into());
        }
        if !self.list.path.starts_with('/') {
            return Err("list.path: expected a path that begins with /".into());
        }
        let pointer = |pointer: &str| pointer.is_empty() || pointer.starts_with('/');
        let wrong = [Some(&self.list.items), self.list.date.as_ref(), self.item.field.as_ref()];
        if wrong.into_iter().flatten().any(|text| !pointer(text)) {
            return Err("expected JSON pointers, such as /data/items".into());
        }
        if self.list.id.as_deref().is_some_and(|id| id != "@key" && !pointer(id)) {
            return Err("list.id: expected a JSON pointer or @key".into());
        }
        match (self.list.format, &self.list.pattern) {
            (Format::Pattern, Some(pattern)) => {
                let pattern = regex::Regex::new(pattern).map_err(|error| format!("list.pattern: {error}"))?;
                if !pattern.capture_names().any(|name| name == Some("id")) {
                    return Err("list.pattern: expected a group named id: (?<id>…)".into());
                }
                Ok(())
            }
            (Format::Pattern, None) => Err("list.pattern: missing".into()),
            (_, Some(_)) => Err("list.pattern: only of use where list.format is pattern".into()),
            _ => Ok(()),
        }
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
    fn every_shipped_source_is_sound() {
        for (name, _) in SHIPPED {
            Source::find(name, None).expect("a sound source");
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
        assert!(error.contains("bepasty, pastebin, rustypaste"), "{error}");
        assert!(Source::find("../etc/passwd", Some(folder.path())).is_err());
    }

    #[test]
    fn durations_are_read() {
        assert_eq!(duration("60s"), Ok(Duration::from_secs(60)));
        assert_eq!(duration("1h 30m"), Ok(Duration::from_secs(5400)));
        assert!(duration("0s").is_err() && duration("-5s").is_err() && duration("soon").is_err());
    }
}
