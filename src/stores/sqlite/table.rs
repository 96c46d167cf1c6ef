//! What SQLite says of a table: columns, keys, constraints. It looks at the schema only, never at a row.

use crate::stores::{sqlite::failure::Failure, store::StoreError};
use rusqlite::{Connection, OptionalExtension, types::Value};

/// One column.
#[derive(Clone, Debug)]
pub struct Column {
    pub name: String,
    pub type_name: String,
    pub not_null: bool,
    /// Has a default, is computed, or is the row's own number: SQLite fills it.
    pub generated: bool,
    /// Cannot be given: computed.
    pub computed: bool,
    /// Place within the primary key, from 1; 0 where it is not in it.
    pub key: u32,
    /// An index over this column alone allows no value twice.
    pub unique: bool,
}

/// A foreign key.
#[derive(Clone, Debug)]
pub struct Reference {
    pub table: String,
    /// Columns here, and those there.
    pub columns: Vec<(String, String)>,
}

/// A table.
#[derive(Clone, Debug)]
pub struct Table {
    pub name: String,
    pub columns: Vec<Column>,
    pub references: Vec<Reference>,
    /// The columns that tell its rows apart: the primary key, else the row's own number.
    pub key: Vec<String>,
    /// The statement that made it.
    pub sql: String,
}

/// A name as SQL writes it.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Names as SQL writes a list of them.
pub fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(quoted).collect::<Vec<_>>().join(", ")
}

impl Table {
    /// Looks the table up.
    pub fn of(connection: &Connection, name: &str, failure: &Failure) -> Result<Table, StoreError> {
        let kind: Option<(String, String)> = connection
            .query_row(
                "SELECT type, name FROM sqlite_master WHERE lower(name) = lower(?1) AND type IN ('table', 'view')",
                [name],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()
            .map_err(|error| failure.of(error))?;
        let name = match kind {
            None => {
                let tables = table_names(connection).map_err(|error| failure.of(error))?.join(", ");
                return Err(failure.refused(format!("no table is called {name:?}; there are: {tables}")));
            }
            Some((kind, _)) if kind == "view" => {
                return Err(failure.refused(format!("{name:?} is a view: name the table that holds its rows")));
            }
            Some((_, name)) => name,
        };
        Table::look(connection, &name).map_err(|error| failure.of(error))
    }

    fn look(connection: &Connection, name: &str) -> rusqlite::Result<Table> {
        let mut columns = columns(connection, name)?;
        let without_rowid = is_without_rowid(connection, name)?;
        let key_columns = columns.iter().filter(|column| column.key > 0).count();
        for column in &mut columns {
            // SQLite numbers the rows of a table with one INTEGER PRIMARY KEY by itself.
            let numbered = column.key > 0
                && key_columns == 1
                && !without_rowid
                && column.type_name.eq_ignore_ascii_case("integer");
            column.generated |= numbered;
            column.unique |= column.key > 0 && key_columns == 1;
            column.not_null |= column.key > 0;
        }
        let mut keys: Vec<&Column> = columns.iter().filter(|column| column.key > 0).collect();
        keys.sort_by_key(|column| column.key);
        let mut key: Vec<String> = keys.iter().map(|column| column.name.clone()).collect();
        if key.is_empty() {
            let hidden = |name: &&str| !columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
            key.extend(["rowid", "_rowid_", "oid"].iter().copied().find(hidden).map(str::to_owned));
        }
        let sql = connection.query_row(
            "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?1",
            [name],
            |row| row.get(0),
        )?;
        Ok(Table { name: name.to_owned(), references: references(connection, name)?, columns, key, sql })
    }

    /// The column of this name, as SQLite compares names.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }

    /// The column of this name, which a configuration speaks of.
    pub fn named(&self, name: &str, failure: &Failure) -> Result<&Column, StoreError> {
        self.column(name).ok_or_else(|| {
            let known: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
            failure.refused(format!("table {:?} has no column {name:?}; it has: {}", self.name, known.join(", ")))
        })
    }

    /// The first value of a list that a check allows a column: `CHECK (status IN ('active', 'left'))`.
    pub fn allowed(&self, column: &str) -> Option<Value> {
        let lower = self.sql.to_ascii_lowercase();
        let name = column.to_ascii_lowercase();
        lower.match_indices(&name).find_map(|(at, _)| {
            let before = lower[..at].trim_end_matches(['"', '`', '[']).chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
                return None;
            }
            let rest = &self.sql[at + name.len()..];
            let rest = rest.trim_start_matches(['"', '`', ']']).trim_start();
            let (keyword, rest) = (rest.get(..2)?, rest.get(2..)?);
            let list = rest.trim_start().strip_prefix('(').filter(|_| keyword.eq_ignore_ascii_case("in"))?;
            literal(list.trim_start())
        })
    }

    /// The names of its columns.
    pub fn names(&self) -> Vec<String> {
        self.columns.iter().map(|column| column.name.clone()).collect()
    }

    /// The foreign key that this column is the whole of.
    pub fn reference(&self, column: &str) -> Option<&Reference> {
        self.references.iter().find(|one| one.columns.len() == 1 && one.columns[0].0.eq_ignore_ascii_case(column))
    }
}

/// The literal that a text of SQL begins with.
fn literal(sql: &str) -> Option<Value> {
    let Some(quoted) = sql.strip_prefix('\'') else {
        let end = sql.find(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c))?;
        let number = &sql[..end];
        return number.parse().map(Value::Integer).or_else(|_| number.parse().map(Value::Real)).ok();
    };
    let mut text = String::new();
    let mut rest = quoted.chars().peekable();
    loop {
        match rest.next()? {
            '\'' if rest.next_if_eq(&'\'').is_some() => text.push('\''),
            '\'' => return Some(Value::Text(text)),
            c => text.push(c),
        }
    }
}

fn table_names(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")?
        .query_map([], |row| row.get(0))?
        .collect()
}

fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Column>> {
    let unique = unique_columns(connection, table)?;
    connection
        .prepare(
            "SELECT name, type, \"notnull\", dflt_value IS NOT NULL, pk, hidden FROM pragma_table_xinfo(?1) ORDER BY cid",
        )?
        .query_map([table], |row| {
            let name: String = row.get(0)?;
            let computed = row.get::<_, i64>(5)? > 1;
            Ok(Column {
                unique: unique.contains(&name),
                name,
                type_name: row.get(1)?,
                not_null: row.get(2)?,
                generated: row.get::<_, bool>(3)? || computed,
                computed,
                key: row.get(4)?,
            })
        })?
        .collect()
}

fn unique_columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare(
            "SELECT max(i.name) FROM pragma_index_list(?1) AS l, pragma_index_info(l.name) AS i WHERE l.\"unique\" = 1 \
             GROUP BY l.name HAVING count(*) = 1 AND max(i.name) IS NOT NULL",
        )?
        .query_map([table], |row| row.get(0))?
        .collect()
}

fn is_without_rowid(connection: &Connection, table: &str) -> rusqlite::Result<bool> {
    connection.query_row("SELECT wr FROM pragma_table_list(?1) WHERE schema = 'main'", [table], |row| row.get(0))
}

fn references(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Reference>> {
    let rows: Vec<(i64, String, String, Option<String>)> = connection
        .prepare("SELECT id, \"table\", \"from\", \"to\" FROM pragma_foreign_key_list(?1) ORDER BY id, seq")?
        .query_map([table], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
        .collect::<Result<_, _>>()?;
    let mut references: Vec<(i64, Reference)> = Vec::new();
    for (id, parent, from, to) in rows {
        if references.last().is_none_or(|(last, _)| *last != id) {
            references.push((id, Reference { table: parent.clone(), columns: Vec::new() }));
        }
        let (_, reference) = references.last_mut().expect("one was just put there");
        // Left out, it is the parent's primary key, in its order.
        let to = match to {
            Some(to) => to,
            None => connection
                .query_row(
                    "SELECT name FROM pragma_table_info(?1) WHERE pk = ?2",
                    (&parent, reference.columns.len() as i64 + 1),
                    |row| row.get(0),
                )
                .optional()?
                .unwrap_or_else(|| "rowid".to_owned()),
        };
        reference.columns.push((from, to));
    }
    Ok(references.into_iter().map(|(_, reference)| reference).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_a_check_allows() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE TABLE t (my_state TEXT CHECK (my_state IN ('no')), state TEXT CHECK ( \"state\" in ( 'l''un', 'b')), \
                 full INT CHECK (full IN (1, 0)), free TEXT CHECK (free <> 'x'))",
            )
            .unwrap();
        let table = Table::of(&connection, "T", &Failure { path: "hr.db".into() }).unwrap();
        assert_eq!(table.allowed("state"), Some(Value::Text("l'un".into())));
        assert_eq!(table.allowed("full"), Some(Value::Integer(1)));
        assert_eq!(table.allowed("free"), None);
    }
}
