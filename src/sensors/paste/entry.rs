//! One entry of a list, and what is found at its places: a JSON pointer within it, `@key` of an object's entry, `@domain`
//! that was asked for, `@each` element of what `list.each` names, `@each/…` within that. A template has places in braces.

use serde_json::Value;

/// The longest text that is made of one entry.
const LONGEST: usize = 4 * 1024 * 1024;

/// One entry of a list.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    pub key: &'a str,
    pub value: &'a Value,
    pub each: Option<&'a Value>,
    pub domain: &'a str,
}

/// Whether a place is one.
pub fn is_place(place: &str, each: bool) -> bool {
    let within = || each && place.strip_prefix("@each").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    place.is_empty() || place.starts_with('/') || matches!(place, "@key" | "@domain") || within()
}

/// The places of a template; what has no braces is itself a place.
pub fn places(template: &str) -> Vec<&str> {
    if !template.contains('{') {
        return vec![template];
    }
    template.split('{').skip(1).map(|part| part.split('}').next().unwrap_or(part)).collect()
}

impl Entry<'_> {
    /// The text at a place; JSON, where it is no text.
    fn at(&self, place: &str) -> Option<String> {
        let value = match place {
            "@key" => return Some(self.key.to_owned()),
            "@domain" => return Some(self.domain.to_owned()),
            _ => match place.strip_prefix("@each") {
                Some(pointer) => self.each?.pointer(pointer)?,
                None => self.value.pointer(place)?,
            },
        };
        match value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    /// A text or number at a place, or a template of them; none if any is missing.
    pub fn whole(&self, template: &str) -> Option<String> {
        self.fill(template, &mut |_| None)
    }

    /// A template, with nothing where a place is missing.
    pub fn lenient(&self, template: &str) -> String {
        self.fill(template, &mut |_| Some(String::new())).unwrap_or_default()
    }

    fn fill(&self, template: &str, missing: &mut dyn FnMut(&str) -> Option<String>) -> Option<String> {
        if !template.contains('{') {
            return self.at(template).or_else(|| missing(template));
        }
        let mut parts = template.split('{');
        let mut text = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (place, rest) = part.split_once('}').unwrap_or((part, ""));
            text.push_str(&self.at(place).or_else(|| missing(place))?);
            text.push_str(rest);
            if text.len() > LONGEST {
                text.truncate(text.floor_char_boundary(LONGEST));
                break;
            }
        }
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn places_and_templates_are_filled() {
        let value = json!({"id": 7, "name": "a", "none": null, "files": {"x.txt": {"raw_url": "https://r/x"}}});
        let each = &value["files"]["x.txt"];
        let entry = Entry { key: "k", value: &value, each: Some(each), domain: "example.org" };
        assert_eq!(entry.whole("/id").as_deref(), Some("7"));
        assert_eq!(entry.whole("{/name}/{@each/raw_url}").as_deref(), Some("a/https://r/x"));
        assert_eq!(entry.whole("{@key}@{@domain}").as_deref(), Some("k@example.org"));
        assert_eq!((entry.whole("/none"), entry.whole("{/id}{/missing}")), (None, None));
        assert_eq!(entry.lenient("{/id}{/missing}!"), "7!");
        assert_eq!(entry.whole("@each").as_deref(), Some(r#"{"raw_url":"https://r/x"}"#));
        assert_eq!(places("{/a} and {@each/b}"), ["/a", "@each/b"]);
        assert!(is_place("@each/x", true) && !is_place("@each", false) && !is_place("name", true));
    }

    proptest! {
        #[test]
        fn no_template_breaks_it(template in "(\\{|\\}|/id|@key|@each|@each/x|é|\\PC){0,8}", text in any::<String>()) {
            let value = json!({"id": text});
            let entry = Entry { key: &text, value: &value, each: None, domain: "" };
            let _ = entry.whole(&template);
            prop_assert!(entry.lenient(&template).len() <= LONGEST);
            places(&template);
        }
    }
}
