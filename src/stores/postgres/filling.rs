//! Values for the columns that must not be empty and that nobody gave: taken from keys and codes that many rows share,
//! made fresh where each row needs its own. A value that belongs to one person is never copied.

use crate::stores::{
    postgres::{
        catalog::{Column, ForeignKey, Table},
        identity::quoted,
        shown::text,
    },
    store::{CODES, StoreError, usual_code},
};
use canaries::CanaryId;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use tokio_postgres::{Row, Transaction};

const ATTEMPTS: u32 = 50;

/// Answers, for each canary, the values of the required columns that `given` does not name.
pub async fn fill(
    transaction: &Transaction<'_>,
    table: &Table,
    given: &BTreeSet<&String>,
    rows: &[(CanaryId, &BTreeMap<String, String>)],
) -> Result<Vec<BTreeMap<String, String>>, StoreError> {
    let mut filled = vec![BTreeMap::new(); rows.len()];
    let required = table.columns.iter().filter(|column| column.is_required() && !given.contains(&column.name));
    let mut needed: BTreeMap<&str, &Column> = required.map(|column| (column.name.as_str(), column)).collect();
    for key in &table.references {
        if !key.from_columns.iter().any(|name| needed.contains_key(name.as_str())) {
            continue;
        }
        let allowed = allowed_key(transaction, table, key, &needed).await?;
        for (name, value) in key.from_columns.iter().zip(allowed) {
            if needed.remove(name.as_str()).is_some() {
                filled.iter_mut().for_each(|row| drop(row.insert(name.clone(), value.clone())));
            }
        }
    }
    for column in needed.into_values() {
        let values = if column.unique {
            fresh(transaction, table, column, rows).await?
        } else {
            vec![usual(transaction, table, column).await?; rows.len()]
        };
        for (row, value) in filled.iter_mut().zip(values) {
            row.insert(column.name.clone(), value);
        }
    }
    Ok(filled)
}

/// The key that most rows of the table refer to, else the first of the table referred to.
async fn allowed_key(
    transaction: &Transaction<'_>,
    table: &Table,
    key: &ForeignKey,
    needed: &BTreeMap<&str, &Column>,
) -> Result<Vec<String>, StoreError> {
    let columns = key.from_columns.join(", ");
    if let Some(own) =
        key.from_columns.iter().find(|name| needed.get(name.as_str()).is_some_and(|column| column.unique))
    {
        return Err(table.refused(format!(
            "column {own} needs a row of {} for each canary, which would take a real one; plant where it may be empty",
            key.to
        )));
    }
    if key.from_columns.iter().any(|name| !needed.contains_key(name.as_str())) {
        let why = format!("the columns {columns} refer to {} together; give all of them in [stores.constants]", key.to);
        return Err(table.refused(why));
    }
    let quoted_from: Vec<String> = key.from_columns.iter().map(|name| format!("t.{}::text", quoted(name))).collect();
    let numbers: Vec<String> = (1..=quoted_from.len()).map(|number| number.to_string()).collect();
    let statement = format!(
        "select {} from {} as t where t.{} is not null group by {} order by count(*) desc, {} limit 1",
        quoted_from.join(", "),
        table.sql,
        quoted(&key.from_columns[0]),
        numbers.join(", "),
        numbers.join(", "),
    );
    if let Some(row) = transaction.query_opt(&statement, &[]).await.map_err(|error| table.judge(&error))? {
        return Ok(texts(&row));
    }
    let quoted_to: Vec<String> = key.to_columns.iter().map(|name| format!("t.{}::text", quoted(name))).collect();
    let statement =
        format!("select {} from {} as t order by {} limit 1", quoted_to.join(", "), key.to, numbers.join(", "));
    match transaction.query_opt(&statement, &[]).await.map_err(|error| table.judge(&error))? {
        Some(row) => Ok(texts(&row)),
        None => Err(table.refused(format!(
            "the columns {columns} must refer to a row of {}, which is empty; fill that table first",
            key.to
        ))),
    }
}

/// A value that a column without uniqueness takes: a code that many rows share, else the type's plainest.
async fn usual(transaction: &Transaction<'_>, table: &Table, column: &Column) -> Result<String, StoreError> {
    let judge = |error: tokio_postgres::Error| table.judge(&error);
    let statement = format!(
        "select t.{0}::text, count(*) from {1} as t where t.{0} is not null group by 1 order by 2 desc, 1 limit {2}",
        quoted(&column.name),
        table.sql,
        CODES + 1
    );
    let rows = transaction.query(&statement, &[]).await.map_err(judge)?;
    let counted: HashMap<Vec<u8>, u64> =
        rows.iter().map(|row| (text(row, 0).into_bytes(), row.get::<_, i64>(1).unsigned_abs())).collect();
    if let Some(code) = usual_code(&counted) {
        return Ok(String::from_utf8_lossy(&code).into_owned());
    }
    if column.category == 'E' {
        // A label of an enum is nobody's own.
        if let Some(row) = rows.first() {
            return Ok(text(row, 0));
        }
        let labels = format!("select (enum_range(null::{}))[1]::text", column.base_cast);
        return Ok(text(&transaction.query_one(&labels, &[]).await.map_err(judge)?, 0));
    }
    let plain = match (column.category, column.base.as_str()) {
        ('S', _) | (_, "bytea") => "",
        ('N' | 'T', _) => "0",
        ('B', _) => "false",
        ('A', _) | (_, "json" | "jsonb") => "{}",
        ('D', _) => "now",
        _ => return Err(unfillable(table, column)),
    };
    Ok(plain.to_owned())
}

/// A value of its own for each row, none of which stands in the table.
async fn fresh(
    transaction: &Transaction<'_>,
    table: &Table,
    column: &Column,
    rows: &[(CanaryId, &BTreeMap<String, String>)],
) -> Result<Vec<String>, StoreError> {
    let judge = |error: tokio_postgres::Error| table.judge(&error);
    if column.category == 'N' {
        let statement = format!(
            "select (coalesce(max(t.{}), 0)::numeric::numeric(40, 0) + n)::text from {} as t, \
             generate_series(1, $1::bigint) as n group by n order by n",
            quoted(&column.name),
            table.sql
        );
        let count = rows.len() as i64;
        let numbers = transaction.query(&statement, &[&count]).await.map_err(judge)?;
        if numbers.len() == rows.len() {
            return Ok(numbers.iter().map(|row| text(row, 0)).collect());
        }
        return Ok((1..=rows.len()).map(|number| number.to_string()).collect());
    }
    let pattern = match (column.category, column.base.as_str()) {
        (_, "uuid") => Pattern::Uuid,
        ('S', _) => Pattern::Mask(mask(transaction, table, column).await?),
        _ => return Err(unfillable(table, column)),
    };
    let mut values = vec![String::new(); rows.len()];
    let mut open: Vec<usize> = (0..rows.len()).collect();
    let mut used = BTreeSet::new();
    for attempt in 0..ATTEMPTS {
        for index in open.iter().copied() {
            values[index] = pattern.value(rows[index].0, &column.name, attempt);
        }
        let tried: Vec<&str> = open.iter().map(|index| values[*index].as_str()).collect();
        let statement = format!(
            "select distinct u.v from unnest($1::text[]) as u(v) join {} as t on t.{}::text = u.v",
            table.sql,
            quoted(&column.name)
        );
        let found = transaction.query(&statement, &[&tried]).await.map_err(judge)?;
        let taken: BTreeSet<String> = found.iter().map(|row| text(row, 0)).collect();
        open.retain(|index| taken.contains(&values[*index]) || !used.insert(values[*index].clone()));
        if open.is_empty() {
            return Ok(values);
        }
    }
    let name = &column.name;
    Err(table
        .refused(format!("no free value of the usual shape is left for column {name}; map it in [stores.columns]")))
}

enum Pattern {
    Uuid,
    Mask(Mask),
}

/// `EMP-99999a`: 9 stands for any digit, a and A for any letter.
struct Mask {
    mask: String,
    /// The least and the greatest value of this mask, for what all values begin with.
    least: Vec<char>,
    most: Vec<char>,
}

impl Pattern {
    fn value(&self, canary: CanaryId, column: &str, attempt: u32) -> String {
        let mut seed = blake3::Hasher::new_derive_key("telltale stores postgres fresh value");
        seed.update(&canary.0).update(&attempt.to_le_bytes()).update(column.as_bytes());
        let mut bytes = seed.finalize_xof();
        match self {
            Pattern::Uuid => {
                let mut random = [0; 16];
                bytes.fill(&mut random);
                uuid::Builder::from_random_bytes(random).into_uuid().to_string()
            }
            Pattern::Mask(mask) => mask.value(attempt, || {
                let mut byte = [0];
                bytes.fill(&mut byte);
                byte[0]
            }),
        }
    }
}

impl Mask {
    /// A value between those that exist, and further from them the more attempts there were.
    fn value(&self, attempt: u32, mut byte: impl FnMut() -> u8) -> String {
        let further = (attempt / 2) as usize;
        let pairs = || self.least.iter().zip(&self.most);
        // A table of one row shares everything with itself: that is a person's value, not a beginning.
        let several = self.least != self.most;
        let shared = if several { pairs().take_while(|(a, b)| a == b).count() } else { 0 };
        let letters = pairs().take(shared).take_while(|(a, _)| !a.is_ascii_digit()).count();
        let kept = shared.saturating_sub(further).max(letters);
        let places = self.mask.chars().enumerate().map(|(index, place)| match place {
            _ if index < kept => self.least[index],
            '9' if several && index == shared && further == 0 => {
                let (least, most) = (self.least[index] as u8, self.most[index] as u8);
                char::from(least + byte() % (most - least + 1))
            }
            '9' => char::from(b'0' + byte() % 10),
            'a' => char::from(b'a' + byte() % 26),
            'A' => char::from(b'A' + byte() % 26),
            other => other,
        });
        places.collect()
    }
}

/// The commonest mask of the column's values.
async fn mask(transaction: &Transaction<'_>, table: &Table, column: &Column) -> Result<Mask, StoreError> {
    let name = quoted(&column.name);
    let statement = format!(
        "select translate(regexp_replace(t.{name}::text, '[0-9]', '9', 'g'), 'bcdefghijklmnopqrstuvwxyzBCDEFGHIJKLMNOPQRSTUVWXYZ',
           'aaaaaaaaaaaaaaaaaaaaaaaaaAAAAAAAAAAAAAAAAAAAAAAAAA'),
         min(t.{name}::text collate \"C\"), max(t.{name}::text collate \"C\") from {} as t
         where t.{name} is not null group by 1 order by count(*) desc, 1 limit 1",
        table.sql
    );
    match transaction.query_opt(&statement, &[]).await.map_err(|error| table.judge(&error))? {
        None => {
            let mask = "a".repeat(column.longest.unwrap_or(12).min(12));
            Ok(Mask { mask, least: Vec::new(), most: Vec::new() })
        }
        Some(row) => Ok(Mask {
            mask: text(&row, 0),
            least: text(&row, 1).chars().collect(),
            most: text(&row, 2).chars().collect(),
        }),
    }
}

fn unfillable(table: &Table, column: &Column) -> StoreError {
    table.refused(format!(
        "column {} ({}) must not be empty and nothing tells what to put there; give it in [stores.constants]",
        column.name, column.type_name
    ))
}

fn texts(row: &Row) -> Vec<String> {
    (0..row.len()).map(|index| text(row, index)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mask(mask: &str, least: &str, most: &str) -> Mask {
        Mask { mask: mask.to_owned(), least: least.chars().collect(), most: most.chars().collect() }
    }

    #[test]
    fn a_fresh_value_lies_among_those_that_exist() {
        let found = mask("AA99999", "AG00010", "AG00470").value(0, || 255);
        assert!(found.starts_with("AG00") && found[4..5] <= *"4", "{found}");
        assert!(
            mask("AA99999", "AG00010", "AG00470").value(40, || 7).starts_with("AG7"),
            "further away, the letters stay"
        );
        assert_eq!(
            mask("AA99", "AG17", "AG17").value(0, || 1),
            "BB11",
            "nothing is taken from a single person's value"
        );
        assert_eq!(mask("aaa", "", "").value(0, || 0), "aaa");
    }

    proptest! {
        #[test]
        fn a_fresh_value_keeps_the_mask(a in "[A-Z]{2}-[0-9]{6}é", b in "[A-Z]{2}-[0-9]{6}é", attempt in 0u32..50, byte: u8) {
            let (least, most) = if a < b { (a, b) } else { (b, a) };
            let found = mask("AA-999999é", &least, &most).value(attempt, || byte);
            let places: String = found.chars().map(|c| match c { '0'..='9' => '9', 'A'..='Z' => 'A', c => c }).collect();
            prop_assert_eq!(places, "AA-999999é");
        }
    }
}
