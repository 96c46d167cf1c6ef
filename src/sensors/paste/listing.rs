//! What stands in a site's list and in its items. The site is a stranger: any bytes may come.

use crate::sensors::{
    credentials::unbase64,
    paste::source::{Format, Item, List},
};
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde_json::Value;

const LONGEST_ID: usize = 256;
/// The most items of one list that are looked at.
pub const MOST: usize = 10_000;

/// One item of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// What the site calls it.
    pub id: String,
    /// When it came there, if the list says so.
    pub at: Option<Timestamp>,
}

/// The items of a list, in its order; or why it cannot be read.
pub fn items(list: &List, body: &[u8]) -> Result<Vec<Listed>, &'static str> {
    let found = match list.format {
        Format::Json => json(list, body)?,
        Format::Lines => String::from_utf8_lossy(body).lines().map(|line| (line.trim().to_owned(), None)).collect(),
        Format::Pattern => {
            let pattern = list.pattern.as_deref().and_then(|pattern| regex::Regex::new(pattern).ok());
            let pattern = pattern.ok_or("list_pattern")?;
            let text = String::from_utf8_lossy(body);
            pattern
                .captures_iter(&text)
                .take(MOST)
                .filter_map(|found| {
                    let at = found.name("date").and_then(|date| timestamp(date.as_str()));
                    Some((found.name("id")?.as_str().to_owned(), at))
                })
                .collect()
        }
    };
    let usable = |id: &str| !id.is_empty() && id.len() <= LONGEST_ID && id != "." && id != "..";
    Ok(found.into_iter().filter(|(id, _)| usable(id)).take(MOST).map(|(id, at)| Listed { id, at }).collect())
}

fn json(list: &List, body: &[u8]) -> Result<Vec<(String, Option<Timestamp>)>, &'static str> {
    let answer: Value = serde_json::from_slice(body).map_err(|_| "list_not_json")?;
    let read = |key: &str, item: &Value| {
        let id = match list.id.as_deref() {
            Some("@key") => Some(key.to_owned()),
            Some(pointer) => item.pointer(pointer).and_then(text),
            None => text(item),
        };
        let at = list.date.as_deref().and_then(|pointer| item.pointer(pointer)).and_then(text);
        id.map(|id| (id, at.and_then(|at| timestamp(&at))))
    };
    match answer.pointer(&list.items) {
        Some(Value::Array(items)) => Ok(items.iter().filter_map(|item| read("", item)).collect()),
        Some(Value::Object(items)) => Ok(items.iter().filter_map(|(key, item)| read(key, item)).collect()),
        _ => Err("list_without_items"),
    }
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
    use crate::sensors::paste::source::Source;
    use proptest::prelude::*;

    fn read(source: &str, body: &str) -> Vec<(String, Option<String>)> {
        let list = Source::find(source, None).expect("shipped").list;
        let found = items(&list, body.as_bytes()).expect("readable");
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
    fn lines_and_patterns_are_read() {
        let list = |toml: &str| toml::from_str::<List>(toml).expect("a list");
        let ids = |list: &List, body: &str| {
            items(list, body.as_bytes()).expect("readable").into_iter().map(|item| item.id).collect::<Vec<_>>()
        };
        assert_eq!(ids(&list("path = '/'\nformat = 'lines'"), "a\r\n\nb c\n"), ["a", "b c"]);
        let html = list("path = '/'\nformat = 'pattern'\npattern = 'href=\"/p/(?<id>[a-z0-9]+)\"'");
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
            for name in ["bepasty", "pastebin", "rustypaste"] {
                let source = Source::find(name, None).expect("shipped");
                for item in items(&source.list, &bytes).unwrap_or_default() {
                    prop_assert!(!item.id.is_empty() && item.id.len() <= LONGEST_ID);
                }
            }
            let _ = timestamp(&String::from_utf8_lossy(&bytes));
        }
    }
}
