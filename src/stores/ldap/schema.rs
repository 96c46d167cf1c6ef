//! What the directory's schema says: which attributes exist, under which names, and which a class must have.

use ldap3::SearchEntry;
use std::collections::{BTreeSet, HashMap};

/// Attributes and object classes by their names in lower case. Empty where the server does not show its schema.
#[derive(Debug, Default)]
pub struct Schema {
    /// Every name of an attribute, to its first name.
    names: HashMap<String, String>,
    classes: HashMap<String, Class>,
}

#[derive(Debug, Default, Clone)]
struct Class {
    above: Vec<String>,
    must: Vec<String>,
}

impl Schema {
    /// Reads the subschema entry.
    pub fn parse(entry: &SearchEntry) -> Schema {
        let values = |wanted: &'static str| {
            let named = entry.attrs.iter().filter(move |(name, _)| name.eq_ignore_ascii_case(wanted));
            named.flat_map(|(_, values)| values)
        };
        let mut schema = Schema::default();
        for definition in values("attributeTypes") {
            let parts = Definition::parse(definition);
            let Some(first) = parts.list("NAME").first().cloned() else { continue };
            for name in parts.list("NAME").iter().chain(parts.oid.iter()) {
                schema.names.insert(name.clone(), first.clone());
            }
        }
        for definition in values("objectClasses") {
            let parts = Definition::parse(definition);
            let class = Class { above: parts.list("SUP").to_vec(), must: parts.list("MUST").to_vec() };
            for name in parts.list("NAME") {
                schema.classes.insert(name.clone(), class.clone());
            }
        }
        schema
    }

    /// One spelling for all names of an attribute, options (`;lang-fr`) kept.
    pub fn canonical(&self, name: &str) -> String {
        let folded = name.to_lowercase();
        let (base, options) = folded.split_once(';').map_or((folded.as_str(), None), |(base, rest)| (base, Some(rest)));
        let base = self.names.get(base).map_or(base, String::as_str);
        match options {
            Some(options) => format!("{base};{options}"),
            None => base.to_owned(),
        }
    }

    /// Whether an attribute of this name may be written: known, where the schema is.
    pub fn knows(&self, name: &str) -> bool {
        let base = name.split(';').next().unwrap_or_default().to_lowercase();
        let proper = |character: char| character.is_ascii_alphanumeric() || "-._".contains(character);
        let spelt = !base.is_empty() && name.chars().all(|character| proper(character) || character == ';');
        spelt && (self.names.is_empty() || self.names.contains_key(&base))
    }

    /// The attributes that an entry of these classes must have, in their one spelling.
    pub fn required(&self, classes: &[String]) -> BTreeSet<String> {
        let mut open: Vec<String> = classes.iter().map(|class| class.to_lowercase()).collect();
        let (mut seen, mut required) = (BTreeSet::new(), BTreeSet::new());
        while let Some(name) = open.pop() {
            if let (true, Some(class)) = (seen.insert(name.clone()), self.classes.get(&name)) {
                required.extend(class.must.iter().map(|attribute| self.canonical(attribute)));
                open.extend(class.above.iter().cloned());
            }
        }
        required
    }

    /// The classes of these that the directory does not know.
    pub fn unknown_classes(&self, classes: &[String]) -> Vec<String> {
        let known = |class: &&String| self.classes.is_empty() || self.classes.contains_key(&class.to_lowercase());
        classes.iter().filter(|class| !known(class)).cloned().collect()
    }
}

/// A definition as RFC 4512 writes it: `( 2.5.4.4 NAME ( 'sn' 'surname' ) SUP name )`, everything in lower case.
struct Definition {
    oid: Option<String>,
    lists: HashMap<String, Vec<String>>,
}

impl Definition {
    fn parse(text: &str) -> Definition {
        let spaced = text.replace('(', " ( ").replace(')', " ) ");
        let words: Vec<&str> = spaced.split_whitespace().filter(|word| *word != "$").collect();
        let oid = words.get(1).map(|word| word.to_lowercase());
        let mut lists: HashMap<String, Vec<String>> = HashMap::new();
        let mut words = words.into_iter().skip(2).peekable();
        while let Some(word) = words.next() {
            // A description holds words that look like keys.
            if word == "DESC" {
                let mut open = words.next().is_some_and(|first| !ends(first, true));
                while open && words.peek().is_some() {
                    open = words.next().is_some_and(|next| !ends(next, false));
                }
            } else if ["NAME", "SUP", "MUST"].contains(&word) {
                let mut values = Vec::new();
                if words.next_if_eq(&"(").is_some() {
                    values.extend(words.by_ref().take_while(|word| *word != ")").map(unquoted));
                } else {
                    values.extend(words.next().map(unquoted));
                }
                lists.entry(word.to_owned()).or_default().extend(values);
            }
        }
        Definition { oid, lists }
    }

    fn list(&self, key: &str) -> &[String] {
        self.lists.get(key).map(Vec::as_slice).unwrap_or_default()
    }
}

/// Whether this word closes the quoted text that it stands in.
fn ends(word: &str, first: bool) -> bool {
    word.ends_with('\'') && (!first || word.len() > 1)
}

fn unquoted(word: &str) -> String {
    word.trim_matches('\'').to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn schema(attributes: &[&str], classes: &[&str]) -> Schema {
        let own = |values: &[&str]| values.iter().map(|value| value.to_string()).collect::<Vec<_>>();
        let attrs = [("attributeTypes".to_owned(), own(attributes)), ("objectClasses".to_owned(), own(classes))];
        Schema::parse(&SearchEntry { dn: String::new(), attrs: attrs.into(), bin_attrs: HashMap::new() })
    }

    #[test]
    fn names_and_required_attributes_are_found() {
        let schema = schema(
            &[
                "( 2.5.4.4 NAME ( 'sn' 'surname' ) DESC 'RFC2256: last (family) name(s) MUST be known' SUP name )",
                "( 2.5.4.3 NAME ('cn' 'commonName') SUP name )",
                "( 0.9.2342.19200300.100.1.1 NAME ( 'uid' 'userid' ) EQUALITY caseIgnoreMatch )",
            ],
            &[
                "( 2.5.6.0 NAME 'top' DESC 'top' ABSTRACT MUST objectClass )",
                "( 2.5.6.6 NAME 'person' DESC 'RFC2256: a person' SUP top STRUCTURAL MUST ( sn $ cn ) MAY ( userPassword ) )",
                "( 2.5.6.7 NAME 'organizationalPerson' SUP person STRUCTURAL MAY ( title $ ou ) )",
            ],
        );
        assert_eq!(schema.canonical("Surname;lang-FR"), "sn;lang-fr");
        assert_eq!(schema.canonical("2.5.4.3"), "cn");
        assert!(schema.knows("userid") && schema.knows("CN;lang-fr") && !schema.knows("ssn") && !schema.knows("cn)(x"));
        let required = schema.required(&["organizationalPerson".to_owned()]);
        assert_eq!(required, ["cn", "objectclass", "sn"].map(str::to_owned).into());
        assert_eq!(schema.unknown_classes(&["Person".to_owned(), "alien".to_owned()]), ["alien"]);
    }

    #[test]
    fn without_a_schema_every_proper_name_passes() {
        let none = Schema::default();
        assert!(none.knows("anything") && !none.knows("") && !none.knows("a=b") && none.required(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn no_definition_makes_it_panic(text in "[()'$ A-Za-z0-9.é]{0,60}", any in ".*") {
            let schema = schema(&[&text, &any], &[&any, &text]);
            prop_assert!(schema.required(&["x".to_owned()]).is_empty() || !schema.classes.is_empty());
        }
    }
}
