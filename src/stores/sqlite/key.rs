//! Where a row is: its primary key or row number, written as JSON.

use crate::stores::sqlite::table::Table;
use rusqlite::{
    Row,
    types::{Value, ValueRef},
};
use serde_json::{Map, json};

/// The locator of a row, whose first selected columns are the table's key.
pub fn locator(table: &Table, row: &Row<'_>) -> rusqlite::Result<String> {
    let mut key = Map::new();
    for (index, name) in table.key.iter().enumerate() {
        let value = match row.get_ref(index)? {
            ValueRef::Null => serde_json::Value::Null,
            ValueRef::Integer(number) => json!(number),
            ValueRef::Real(number) => json!(number),
            ValueRef::Text(text) => match std::str::from_utf8(text) {
                Ok(text) => json!(text),
                Err(_) => json!({ "text": data_encoding::HEXLOWER.encode(text) }),
            },
            ValueRef::Blob(bytes) => json!({ "blob": data_encoding::HEXLOWER.encode(bytes) }),
        };
        key.insert(name.clone(), value);
    }
    Ok(serde_json::Value::Object(key).to_string())
}

/// The values of the key that a locator names; none where it does not fit the table, or names no row that can be
/// asked for.
pub fn values(table: &Table, locator: &str) -> Option<Vec<Value>> {
    let key: Map<String, serde_json::Value> = serde_json::from_str(locator).ok()?;
    if key.len() != table.key.len() {
        return None;
    }
    table
        .key
        .iter()
        .map(|name| match key.get(name)? {
            serde_json::Value::Number(number) => {
                number.as_i64().map(Value::Integer).or_else(|| number.as_f64().map(Value::Real))
            }
            serde_json::Value::String(text) => Some(Value::Text(text.clone())),
            serde_json::Value::Object(bytes) => {
                let hex = bytes.get("blob")?.as_str()?;
                data_encoding::HEXLOWER.decode(hex.as_bytes()).ok().map(Value::Blob)
            }
            _ => None,
        })
        .collect()
}

/// A value as text; none for a null. Bytes that are no text are shown as far as they are.
pub fn text(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(number.to_string()),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
    }
}
