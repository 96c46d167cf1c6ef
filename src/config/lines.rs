//! Which line of the file a key stands on.

use toml::de::{DeTable, DeValue};

/// The text of a configuration file, kept to answer where a key stands.
#[derive(Default)]
pub struct Lines {
    text: String,
}

impl Lines {
    /// Keeps the text.
    pub fn new(text: &str) -> Self {
        Lines { text: text.to_owned() }
    }

    /// The line, from 1, of the key at this path (array places as numbers); of the nearest parent that stands in the
    /// file where the key itself does not.
    pub fn of(&self, path: &[&str]) -> usize {
        let Ok(table) = DeTable::parse(&self.text) else { return 1 };
        let mut offset = 0;
        let mut table = Some(table.get_ref());
        let mut array = None;
        for part in path {
            let next = match (table, array) {
                (Some(keys), _) => keys.iter().find(|(key, _)| key.get_ref() == part).map(|(key, value)| {
                    let at = match value.get_ref() {
                        DeValue::Array(_) => offset,
                        _ => key.span().start,
                    };
                    (at, value)
                }),
                (None, Some(items)) => {
                    let items: &toml::de::DeArray<'_> = items;
                    part.parse::<usize>().ok().and_then(|place| items.get(place)).map(|item| (item.span().start, item))
                }
                (None, None) => None,
            };
            let Some((at, value)) = next else { break };
            offset = at;
            (table, array) = match value.get_ref() {
                DeValue::Table(inner) => (Some(inner), None),
                DeValue::Array(inner) => (None, Some(inner)),
                _ => (None, None),
            };
        }
        self.at(offset)
    }

    /// The line, from 1, of a byte offset.
    pub fn at(&self, offset: usize) -> usize {
        self.text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
    }
}

#[cfg(test)]
mod tests {
    use super::Lines;

    #[test]
    fn a_key_is_found_on_its_line() {
        let lines = Lines::new("top = 1\n[a]\nb = 2\n\n[[stores]]\nname = \"x\"\n[[stores]]\nname = \"y\"\nurl = 3\n");
        assert_eq!(lines.of(&["top"]), 1);
        assert_eq!(lines.of(&["a", "b"]), 3);
        assert_eq!(lines.of(&["stores", "0", "name"]), 6);
        assert_eq!(lines.of(&["stores", "1", "url"]), 9);
        assert_eq!(lines.of(&["stores", "1", "absent"]), 7);
    }
}
