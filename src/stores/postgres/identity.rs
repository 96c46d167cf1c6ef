//! Names in SQL, and what tells one row from another: its primary key, else the columns that hold markers, else a
//! digest of the whole row. Nothing but these functions puts a name into SQL.

use std::collections::BTreeMap;

/// The name as SQL takes it, whatever it contains.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A table's name as configured: `employees`, `hr.employees`, `"Ressources humaines".agent`.
#[derive(Debug, PartialEq, Eq)]
pub struct TableName {
    pub schema: Option<String>,
    pub name: String,
}

impl TableName {
    /// Takes the configured name apart at the dot that stands outside quotes.
    pub fn parse(text: &str) -> Result<TableName, String> {
        let mut parts = vec![String::new()];
        let mut inside = false;
        let mut characters = text.trim().chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '"' if inside && characters.peek() == Some(&'"') => {
                    characters.next();
                    parts.last_mut().expect("there is always one").push('"');
                }
                '"' => inside = !inside,
                '.' if !inside => parts.push(String::new()),
                other => parts.last_mut().expect("there is always one").push(other),
            }
        }
        if inside || parts.iter().any(String::is_empty) || parts.len() > 2 {
            return Err(r#"expected a table's name, as employees, hr.employees or "My schema"."My table""#.to_owned());
        }
        let name = parts.pop().expect("one or two");
        Ok(TableName { schema: parts.pop(), name })
    }

    /// The name for SQL.
    pub fn sql(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{}.{}", quoted(schema), quoted(&self.name)),
            None => quoted(&self.name),
        }
    }

    /// The name with every letter as SQL folds it where nothing is quoted.
    pub fn folded(&self) -> TableName {
        TableName { schema: self.schema.as_deref().map(str::to_lowercase), name: self.name.to_lowercase() }
    }
}

/// What tells one row of a table from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// These columns, in this order.
    Columns(Vec<String>),
    /// The SHA-256 of the row's text.
    Digest,
}

impl Identity {
    /// The SQL expressions whose texts identify the row `t`.
    pub fn expressions(&self) -> Vec<String> {
        match self {
            Identity::Columns(columns) => columns.iter().map(|column| format!("t.{}::text", quoted(column))).collect(),
            Identity::Digest => vec!["encode(sha256(convert_to(t::text, getdatabaseencoding())), 'hex')".to_owned()],
        }
    }

    /// The locator of the row whose expressions have these texts.
    pub fn locator(&self, values: &[String]) -> String {
        let names: Vec<&str> = match self {
            Identity::Columns(columns) => columns.iter().map(String::as_str).collect(),
            Identity::Digest => vec![""],
        };
        let pairs: BTreeMap<&str, &str> = names.into_iter().zip(values.iter().map(String::as_str)).collect();
        serde_json::to_string(&pairs).expect("texts are always JSON")
    }

    /// The texts in a locator that this identity made; none for one that it did not make.
    pub fn values(&self, locator: &str) -> Option<Vec<String>> {
        let mut pairs: BTreeMap<String, String> = serde_json::from_str(locator).ok()?;
        match self {
            Identity::Columns(columns) if columns.len() == pairs.len() => {
                columns.iter().map(|column| pairs.remove(column)).collect()
            }
            Identity::Digest if pairs.len() == 1 => pairs.remove("").map(|digest| vec![digest]),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_taken_apart_at_the_dot_outside_quotes() {
        let name =
            |schema: Option<&str>, name: &str| TableName { schema: schema.map(str::to_owned), name: name.into() };
        assert_eq!(TableName::parse("employees").unwrap(), name(None, "employees"));
        assert_eq!(TableName::parse("hr.employees").unwrap(), name(Some("hr"), "employees"));
        assert_eq!(TableName::parse(r#""a.b"."c""d""#).unwrap(), name(Some("a.b"), "c\"d"));
        for wrong in ["", "a.b.c", "\"a", "a..b", "."] {
            assert!(TableName::parse(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_quoted_name_is_one_name(schema in ".{1,12}", name in ".{1,12}") {
            let text = format!("{}.{}", quoted(&schema), quoted(&name));
            let parsed = TableName::parse(&text).unwrap();
            prop_assert_eq!(parsed.sql(), text);
            prop_assert_eq!(parsed.name, name);
        }

        #[test]
        fn a_locator_gives_its_values_back(values in proptest::collection::vec(".*", 2), junk in ".*") {
            let identity = Identity::Columns(vec!["z".into(), "a".into()]);
            prop_assert_eq!(identity.values(&identity.locator(&values)), Some(values.clone()));
            prop_assert_eq!(Identity::Digest.values(&identity.locator(&values)), None);
            prop_assert_eq!(identity.values(&junk), None);
        }
    }
}
