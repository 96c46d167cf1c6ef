//! How a table will show a value that it is given: `2500.50` in a column of REAL reads back as `2500.5`. SQLite itself
//! says so, in a temporary table of the same affinities.

use crate::{
    domain::placement::Planting,
    stores::{
        sqlite::{Place, key},
        store::StoreError,
    },
};
use rusqlite::Connection;
use std::collections::BTreeMap;

/// How SQLite treats what is stored in a column, by its declared type (sqlite.org/datatype3.html, 3.1).
fn affinity(type_name: &str) -> &'static str {
    let name = type_name.to_ascii_uppercase();
    let is = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    match () {
        () if is(&["INT"]) => "INTEGER",
        () if is(&["CHAR", "CLOB", "TEXT"]) => "TEXT",
        () if name.is_empty() || is(&["BLOB"]) || name == "ANY" => "BLOB",
        () if is(&["REAL", "FLOA", "DOUB"]) => "REAL",
        () => "NUMERIC",
    }
}

/// A value as a column of this affinity shows it.
fn through(connection: &Connection, affinity: &str, value: &str) -> rusqlite::Result<String> {
    let insert = format!("INSERT INTO temp.shown (\"{affinity}\") VALUES (?1) RETURNING \"{affinity}\"");
    connection.prepare_cached(&insert)?.query_row([value], |row| Ok(key::text(row.get_ref(0)?).unwrap_or_default()))
}

impl Place {
    pub(super) fn as_shown(&self, plantings: &[Planting]) -> Result<Vec<Planting>, StoreError> {
        let connection = self.open()?;
        let table = self.table(&connection)?;
        let sqlite = |error| self.failure.of(error);
        connection
            .execute_batch(
                "CREATE TEMP TABLE shown (\"INTEGER\" INTEGER, \"TEXT\" TEXT, \"BLOB\" BLOB, \"REAL\" REAL, \"NUMERIC\" \
                 NUMERIC)",
            )
            .map_err(sqlite)?;
        plantings
            .iter()
            .map(|planting| {
                let Planting::Row(row) = planting else { return Ok(planting.clone()) };
                let shown = row
                    .iter()
                    .map(|(name, value)| {
                        let column = table.named(name, &self.failure)?;
                        let value = through(&connection, affinity(&column.type_name), value).map_err(sqlite)?;
                        Ok((name.clone(), value))
                    })
                    .collect::<Result<BTreeMap<_, _>, StoreError>>()?;
                Ok(Planting::Row(shown))
            })
            .collect()
    }
}
