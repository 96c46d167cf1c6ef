//! An entry as a row of columns and back: names of attributes, several values of one, binary ones, and the filter that
//! says whether an entry is still ours.

use crate::{
    domain::placement::Planting,
    stores::{
        ldap::{Directory, connection::Session, schema::Schema},
        store::{NewPlanting, StoreError},
    },
};
use base64::{Engine, engine::general_purpose::STANDARD};
use canaries::{CanaryId, Field};
use ldap3::{SearchEntry, dn_escape, ldap_escape};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Column name to text value, as everywhere above.
pub type Values = BTreeMap<String, String>;

/// What an entry holds, by the one spelling of each attribute. Several values are lines; bytes are Base64.
pub struct Shown(pub HashMap<String, (String, Vec<String>)>);

impl Shown {
    /// Looks at an entry.
    pub fn new(entry: SearchEntry, schema: &Schema) -> Shown {
        let texts = entry.attrs.into_iter();
        let binary = entry.bin_attrs.into_iter();
        let binary = binary.map(|(name, values)| (name, values.iter().map(|value| STANDARD.encode(value)).collect()));
        let named = texts.chain(binary).filter(|(_, values): &(String, Vec<String>)| !values.is_empty());
        Shown(
            named
                .map(|(name, mut values)| {
                    values.sort_unstable();
                    (schema.canonical(&name), (name, values))
                })
                .collect(),
        )
    }

    /// The values of an attribute.
    pub fn values(&self, schema: &Schema, column: &str) -> &[String] {
        self.0.get(&schema.canonical(column)).map(|(_, values)| values.as_slice()).unwrap_or_default()
    }

    /// The values of an attribute as one text.
    pub fn text(&self, schema: &Schema, column: &str) -> Option<String> {
        match self.values(schema, column) {
            [] => None,
            values => Some(values.join("\n")),
        }
    }
}

/// Whether this is the attribute that no directory need show: a password's hash.
pub fn is_password(schema: &Schema, column: &str) -> bool {
    schema.canonical(column) == "userpassword"
}

/// The condition that all of these columns still hold these values; none where there are none.
pub fn all_of<'v>(schema: &Schema, values: impl Iterator<Item = (&'v String, &'v String)>) -> Option<String> {
    let usable = values.filter(|(column, value)| !value.is_empty() && !is_password(schema, column));
    let terms: String = usable.map(|(column, value)| format!("({column}={})", ldap_escape(value.as_str()))).collect();
    (!terms.is_empty()).then(|| format!("(&{terms})"))
}

/// The columns of a row that identify the canary, or all of them where none are named.
pub fn marked<'v>(values: &'v Values, markers: &'v [String]) -> impl Iterator<Item = (&'v String, &'v String)> {
    values.iter().filter(move |(column, _)| markers.is_empty() || markers.contains(column))
}

/// An entry to be added.
pub struct NewEntry<'p> {
    pub canary: CanaryId,
    pub dn: String,
    pub attributes: Vec<(Vec<u8>, HashSet<Vec<u8>>)>,
    /// What was asked for: `attributes` holds what had to be added besides.
    pub row: &'p Values,
    pub markers: &'p [String],
}

impl<'p> NewEntry<'p> {
    /// Puts an entry together; says what is missing or unknown.
    pub fn compose(
        store: &Directory,
        session: &Session,
        planting: &'p NewPlanting,
    ) -> Result<NewEntry<'p>, StoreError> {
        let refused = |why: String| session.place.refused(why);
        let schema = &session.schema;
        let Planting::Row(row) = &planting.planting else {
            return Err(refused("a directory takes rows, not documents".to_owned()));
        };
        let mut all: BTreeMap<String, (String, HashSet<Vec<u8>>)> = BTreeMap::new();
        for (column, value) in row {
            if !schema.knows(column) {
                let why = "the directory knows no attribute";
                return Err(refused(format!("{why} {column}; correct [stores.columns] or [stores.constants]")));
            }
            if value.is_empty() {
                return Err(refused(format!("an attribute cannot be empty: leave {column} out")));
            }
            let values = HashSet::from([value.clone().into_bytes()]);
            all.insert(schema.canonical(column), (column.clone(), values));
        }
        if all.contains_key("objectclass") {
            return Err(refused("objectClass is set by object_classes, not as a column".to_owned()));
        }
        let naming = schema.canonical(&store.rdn);
        let named = |all: &BTreeMap<String, (String, HashSet<Vec<u8>>)>| {
            let value = all.get(&naming)?.1.iter().next()?;
            Some(String::from_utf8_lossy(value).into_owned())
        };
        if let (false, Some(full)) = (all.contains_key("cn"), common_name(store, schema, row).or_else(|| named(&all))) {
            all.insert("cn".to_owned(), ("cn".to_owned(), HashSet::from([full.into_bytes()])));
        }
        let Some(name) = named(&all) else {
            let why = "nothing to name the entry by: map a field to";
            return Err(refused(format!("{why} {} in [stores.columns], or set rdn = \"cn\"", store.rdn)));
        };
        let classes = store.object_classes.iter().map(|class| class.clone().into_bytes()).collect();
        all.insert("objectclass".to_owned(), ("objectClass".to_owned(), classes));
        let required = schema.required(&store.object_classes);
        let missing: Vec<&str> = required.iter().filter(|name| !all.contains_key(*name)).map(String::as_str).collect();
        if !missing.is_empty() {
            let missing = missing.join(", ");
            return Err(refused(format!(
                "the object classes must have {missing}; map a field to it in [stores.columns], or set it in \
                 [stores.constants]"
            )));
        }
        Ok(NewEntry {
            canary: planting.canary,
            dn: format!("{}={},{}", store.rdn, dn_escape(name), store.base),
            attributes: all.into_values().map(|(name, values)| (name.into_bytes(), values)).collect(),
            row,
            markers: &planting.marker_columns,
        })
    }

    /// Every value that we send, so that no message repeats one.
    pub fn values(&self) -> Vec<&str> {
        self.row.values().map(String::as_str).collect()
    }
}

/// Of the columns that hold the names: as configured, else where a person's names always stand.
fn common_name(store: &Directory, schema: &Schema, row: &Values) -> Option<String> {
    let value = |field, usual: &str| {
        let configured = store.columns.fields.get(&field).and_then(|column| row.get(column));
        configured.or_else(|| {
            row.iter().find(|(column, _)| schema.canonical(column) == schema.canonical(usual)).map(|(_, value)| value)
        })
    };
    match (value(Field::GivenName, "givenName"), value(Field::FamilyName, "sn")) {
        (Some(given), Some(family)) => Some(format!("{given} {family}")),
        (one, other) => one.or(other).cloned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_values_and_bytes_become_text() {
        let schema = Schema::default();
        let attrs = [("Mail".to_owned(), vec!["b@x".to_owned(), "a@x".to_owned()]), ("o".to_owned(), vec![])];
        let bin_attrs = [("jpegPhoto;binary".to_owned(), vec![vec![0xff, 0xd8]])];
        let entry = SearchEntry { dn: String::new(), attrs: attrs.into(), bin_attrs: bin_attrs.into() };
        let shown = Shown::new(entry, &schema);
        assert_eq!(shown.text(&schema, "mail").as_deref(), Some("a@x\nb@x"));
        assert_eq!(shown.text(&schema, "jpegphoto;BINARY").as_deref(), Some("/9g="));
        assert_eq!(shown.text(&schema, "o"), None);
    }

    #[test]
    fn the_condition_escapes_what_would_end_it() {
        let schema = Schema::default();
        let row = Values::from([("uid".into(), "*)(uid=*".into()), ("userPassword".into(), "{SSHA}x".into())]);
        assert_eq!(all_of(&schema, marked(&row, &[])).as_deref(), Some(r"(&(uid=\2a\29\28uid=\2a))"));
        assert_eq!(all_of(&schema, marked(&row, &["mail".to_owned()])), None);
    }
}
