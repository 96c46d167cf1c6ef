//! How a table will show a value that it is given: `12.5` in a column of two decimals reads back as `12.50`. The server
//! itself says so, before anything is inserted.

use crate::stores::{
    postgres::catalog::{Column, Table},
    store::StoreError,
};
use std::{collections::BTreeMap, error::Error};
use tokio_postgres::{
    Row, Transaction,
    types::{FromSql, Type},
};

/// A text as the server sent it; bytes that are no UTF-8 (a database in SQL_ASCII) are replaced.
pub struct Text(pub String);

impl<'a> FromSql<'a> for Text {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Text(String::from_utf8_lossy(raw).into_owned()))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// A text of a row, empty where it is null.
pub fn text(row: &Row, index: usize) -> String {
    row.get::<_, Option<Text>>(index).map(|text| text.0).unwrap_or_default()
}

/// An array of texts of a row.
pub fn texts(row: &Row, index: usize) -> Vec<String> {
    row.get::<_, Vec<Text>>(index).into_iter().map(|text| text.0).collect()
}

/// The values of each column, one a row in the order of the rows; none where a row does not give it.
pub type Given = BTreeMap<String, Vec<Option<String>>>;

/// Turns rows into columns, refusing a column that the table does not have.
pub fn by_column<'r>(
    table: &Table,
    rows: impl ExactSizeIterator<Item = &'r BTreeMap<String, String>>,
) -> Result<Given, StoreError> {
    let count = rows.len();
    let mut given = Given::new();
    for (index, row) in rows.enumerate() {
        for (column, value) in row {
            if !given.contains_key(column) {
                table.known(column)?;
            }
            given.entry(column.clone()).or_insert_with(|| vec![None; count])[index] = Some(value.clone());
        }
    }
    Ok(given)
}

/// What each value will read back as.
pub async fn shown(transaction: &Transaction<'_>, table: &Table, given: &Given) -> Result<Given, StoreError> {
    let mut shown = Given::new();
    for (name, values) in given {
        shown.insert(name.clone(), one(transaction, table, table.known(name)?, values).await?);
    }
    Ok(shown)
}

async fn one(
    transaction: &Transaction<'_>,
    table: &Table,
    column: &Column,
    values: &[Option<String>],
) -> Result<Vec<Option<String>>, StoreError> {
    let name = &column.name;
    if let Some(longest) = column.longest
        && values.iter().flatten().any(|value| value.chars().count() > longest)
    {
        return Err(table.refused(format!("column {name} takes at most {longest} characters, and a value is longer")));
    }
    if values.iter().flatten().any(|value| value.contains('\0')) {
        return Err(table.refused(format!("a value for column {name} holds a NUL, which PostgreSQL does not store")));
    }
    let statement =
        format!("select (v::{})::text from unnest($1::text[]) with ordinality as u(v, i) order by i", column.type_name);
    let rows = transaction.query(&statement, &[&values]).await.map_err(|error| match table.judge(&error) {
        StoreError::Refused(_) => table
            .refused(format!("a value does not fit column {name}, which is {}; correct its mapping", column.type_name)),
        other => other,
    })?;
    Ok(rows.iter().map(|row| row.get::<_, Option<Text>>(0).map(|text| text.0)).collect())
}
