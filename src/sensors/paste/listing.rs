//! What stands in a site's list and in its items. The site is a stranger: any bytes may come.

use crate::sensors::{
    credentials::unbase64,
    paste::{
        entry::Entry,
        feed,
        source::{Format, Item, Source},
    },
};
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde_json::Value;

const LONGEST_ID: usize = 1024;
/// The most items of one list that are looked at.
pub const MOST: usize = 10_000;

/// One item of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// What the site calls it.
    pub id: String,
    /// When it came there, if the list says so.
    pub at: Option<Timestamp>,
    /// What changes when it does; empty where the list does not say.
    pub version: String,
    /// How alerts name it.
    pub shown: String,
    /// What the list itself holds of its text.
    pub text: Option<String>,
    /// Where the rest is, if the list says so.
    pub address: Option<String>,
    /// The domain that was asked for.
    pub domain: String,
}

impl Listed {
    fn plain(id: &str, at: Option<Timestamp>) -> Listed {
        Listed { id: id.to_owned(), at, shown: id.to_owned(), ..Listed::default() }
    }
}

/// The items of a list, in its order, and whether it held more than are looked at; or why it cannot be read.
pub async fn items(source: &Source, domain: &str, body: Vec<u8>) -> Result<(Vec<Listed>, bool), &'static str> {
    let list = &source.list;
    let mut found: Vec<Listed> = match list.format {
        Format::Json => {
            let answer: Value = serde_json::from_slice(&body).map_err(|_| "list_not_json")?;
            json(source, domain, answer.pointer(&list.items).ok_or("list_without_items")?)?
        }
        Format::Feed => json(source, domain, &Value::Array(feed::entries(body).await?))?,
        Format::Lines => String::from_utf8_lossy(&body).lines().map(|line| Listed::plain(line.trim(), None)).collect(),
        Format::Pattern => {
            let pattern = list.pattern.as_deref().and_then(|pattern| regex::Regex::new(pattern).ok());
            let pattern = pattern.ok_or("list_pattern")?;
            let text = String::from_utf8_lossy(&body);
            let read = |found: regex::Captures<'_>| {
                let at = found.name("date").and_then(|date| timestamp(date.as_str()));
                Some(Listed::plain(found.name("id")?.as_str(), at))
            };
            pattern.captures_iter(&text).take(MOST + 1).filter_map(read).collect()
        }
    };
    let usable = |id: &str| !id.is_empty() && id.len() <= LONGEST_ID && id != "." && id != "..";
    found.retain(|item| usable(&item.id));
    let cut = found.len() > MOST;
    found.truncate(MOST);
    found.iter_mut().for_each(|item| domain.clone_into(&mut item.domain));
    Ok((found, cut))
}

fn json(source: &Source, domain: &str, items: &Value) -> Result<Vec<Listed>, &'static str> {
    let entries: Vec<(&str, &Value)> = match items {
        Value::Array(items) => items.iter().map(|item| ("", item)).collect(),
        Value::Object(items) => items.iter().map(|(key, item)| (key.as_str(), item)).collect(),
        // A list of nothing.
        Value::Null => Vec::new(),
        _ => return Err("list_without_items"),
    };
    let mut found = Vec::new();
    for (key, value) in entries {
        let entry = Entry { key, value, each: None, domain };
        let elements: Vec<&Value> = match source.list.each.as_deref().map(|each| value.pointer(each)) {
            None => {
                found.extend(read(source, &entry));
                continue;
            }
            Some(Some(Value::Array(elements))) => elements.iter().collect(),
            Some(Some(Value::Object(elements))) => elements.values().collect(),
            Some(_) => Vec::new(),
        };
        // One more, to tell that there are more.
        let room = (MOST + 1).saturating_sub(found.len());
        let elements = elements.into_iter().take(room).map(|element| Entry { each: Some(element), ..entry });
        found.extend(elements.filter_map(|entry| read(source, &entry)));
        if found.len() > MOST {
            break;
        }
    }
    Ok(found)
}

fn read(source: &Source, entry: &Entry<'_>) -> Option<Listed> {
    let (list, item) = (&source.list, &source.item);
    let id = match list.id.as_deref() {
        Some(template) => entry.whole(template),
        None => text(entry.value),
    }?;
    Some(Listed {
        at: list.date.as_deref().and_then(|place| entry.whole(place)).and_then(|at| timestamp(&at)),
        version: list.version.as_deref().map(|template| entry.lenient(template)).unwrap_or_default(),
        shown: item.shown.as_deref().map_or_else(|| id.clone(), |template| entry.lenient(template)),
        text: item.text.as_deref().map(|template| entry.lenient(template)),
        address: item.address.as_deref().and_then(|place| entry.whole(place)),
        domain: String::new(),
        id,
    })
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A date as sites write them: seconds since 1970, RFC 3339, or date and time in UTC.
fn timestamp(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return Timestamp::from_second(seconds as i64).ok().filter(|_| seconds > 0.0);
    }
    text.parse::<Timestamp>().ok().or_else(|| TimeZone::UTC.to_timestamp(text.parse::<DateTime>().ok()?).ok())
}

/// The text of an item; or why it cannot be read.
pub fn content(item: &Item, body: Vec<u8>) -> Result<Vec<u8>, &'static str> {
    let body = match &item.field {
        None => body,
        Some(pointer) => {
            let answer: Value = serde_json::from_slice(&body).map_err(|_| "item_not_json")?;
            let field = answer.pointer(pointer).and_then(text).ok_or("item_without_text")?;
            field.into_bytes()
        }
    };
    if item.base64 {
        let packed: Vec<u8> = body.into_iter().filter(|byte| !byte.is_ascii_whitespace()).collect();
        return unbase64(&packed).ok_or("item_not_base64");
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensors::paste::source::SHIPPED;
    use proptest::prelude::*;

    fn listed(source: &Source, body: &[u8]) -> Result<Vec<Listed>, &'static str> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(items(source, "example.org", body.to_vec())).map(|(found, _)| found)
    }

    fn read(source: &str, body: &str) -> Vec<(String, Option<String>)> {
        let source = Source::find(source, None).expect("shipped");
        let found = listed(&source, body.as_bytes()).expect("readable");
        found.into_iter().map(|item| (item.id, item.at.map(|at| at.to_string()))).collect()
    }

    #[test]
    fn the_lists_of_the_shipped_sources_are_read() {
        let at = |text: &str| Some(text.to_owned());
        let body =
            r#"{"AbCd1234":{"uri":"/apis/rest/items/AbCd1234","file-meta":{"timestamp-upload":1700000000,"size":3}}}"#;
        assert_eq!(read("bepasty", body), [("AbCd1234".to_owned(), at("2023-11-14T22:13:20Z"))]);
        let body = r#"[{"file_name":"dump.txt","file_size":3,"creation_date_utc":"2026-05-01 10:20:30","expires_at_utc":null}]"#;
        assert_eq!(read("rustypaste", body), [("dump.txt".to_owned(), at("2026-05-01T10:20:30Z"))]);
        let body = r#"[{"scrape_url":"https://scrape.pastebin.com/api_scrape_item.php?i=0CeaNm8Y","date":"1442911802","key":"0CeaNm8Y","size":"890"}]"#;
        assert_eq!(read("pastebin", body), [("0CeaNm8Y".to_owned(), at("2015-09-22T08:50:02Z"))]);
        assert_eq!(read("rustypaste", "[]"), []);
        assert_eq!(
            read("rustypaste", r#"[{"file_name":""},{"file_name":".."},{"file_name":7},{"x":1},null]"#).len(),
            1
        );
    }

    #[test]
    fn a_breach_of_an_alias_is_an_item_and_its_name_in_alerts_is_the_breachs() {
        let source = Source::find("hibp", None).expect("shipped");
        let found = listed(&source, br#"{"claire.moreau":["Adobe","Gawker"],"other":["Stratfor"],"odd":7}"#).unwrap();
        let told: Vec<_> = found.iter().map(|item| (item.shown.as_str(), item.text.as_deref().unwrap())).collect();
        assert_eq!(told[0], ("Adobe", "claire.moreau@example.org Adobe"));
        assert_eq!(told[2], ("Stratfor", "other@example.org Stratfor"));
        assert_eq!(found.len(), 3);
        assert!(found.iter().all(|item| !item.shown.contains("claire")), "an alias is not for alerts");
    }

    #[test]
    fn a_list_that_holds_too_much_is_told() {
        let source = Source::find("hibp", None).expect("shipped");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        for (most, cut) in [(MOST, false), (MOST + 1, true), (2 * MOST, true)] {
            let breaches: Vec<String> = (0..most).map(|number| format!("b{number}")).collect();
            let body = serde_json::to_vec(&serde_json::json!({ "claire": breaches })).expect("JSON");
            let (found, told) = runtime.block_on(items(&source, "example.org", body)).expect("readable");
            assert_eq!((found.len(), told), (MOST, cut));
        }
    }

    #[test]
    fn lines_and_patterns_are_read() {
        let source = |list: &str| {
            let text = format!("every = '5m'\n[list]\npath = '/'\n{list}\n[item]\npath = '/{{id}}'");
            toml::from_str::<Source>(&text).expect("a source")
        };
        let ids = |source: &Source, body: &str| {
            listed(source, body.as_bytes()).expect("readable").into_iter().map(|item| item.id).collect::<Vec<_>>()
        };
        assert_eq!(ids(&source("format = 'lines'"), "a\r\n\nb c\n"), ["a", "b c"]);
        let html = source("format = 'pattern'\npattern = 'href=\"/p/(?<id>[a-z0-9]+)\"'");
        assert_eq!(ids(&html, "<a href=\"/p/x1\">x</a><a href=\"/q/y\"><a href=\"/p/z2\">"), ["x1", "z2"]);
    }

    #[test]
    fn wrapped_items_are_read() {
        let item: Item = toml::from_str("path = '/{id}'\nfield = '/data/text'\nbase64 = true").expect("an item");
        assert_eq!(content(&item, br#"{"data":{"text":"ZHVt\ncA=="}}"#.to_vec()), Ok(b"dump".to_vec()));
        assert_eq!(content(&item, b"[".to_vec()), Err("item_not_json"));
        assert_eq!(content(&item, br#"{"data":{}}"#.to_vec()), Err("item_without_text"));
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_readers(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            for (name, _) in SHIPPED.iter().filter(|(name, _)| *name != "feed") {
                let source = Source::find(name, None).expect("shipped");
                for item in listed(&source, &bytes).unwrap_or_default() {
                    prop_assert!(!item.id.is_empty() && item.id.len() <= LONGEST_ID);
                }
            }
            let _ = timestamp(&String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn no_json_breaks_the_readers(text in "(\\{|\\}|\\[|\\]|,|:|\"files\"|\"items\"|\"response\"|\"Attribute\"|\"id\"|\"x\"|7|null|1e999|\\PC){0,24}") {
            for (name, _) in SHIPPED.iter().filter(|(name, _)| *name != "feed") {
                let source = Source::find(name, None).expect("shipped");
                prop_assert!(listed(&source, text.as_bytes()).unwrap_or_default().len() <= MOST);
            }
        }
    }
}
