//! Values for columns that may be empty and are not given, as often as the other rows have one, so that an empty field
//! tells no canary: a key or code that many rows share, a number or date among theirs. What may be a person's own stays
//! empty.

use crate::stores::{
    postgres::{
        catalog::{Column, Table},
        identity::quoted,
        shown::text,
    },
    store::{CODES, StoreError, usual_code},
};
use canaries::CanaryId;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use tokio_postgres::Transaction;

/// What fewer rows share may be somebody's own.
const CROWD: u64 = 10;

/// Adds to `filled`, a row a canary, what these columns get that are neither `given` nor filled.
pub async fn fill(
    transaction: &Transaction<'_>,
    table: &Table,
    given: &BTreeSet<&String>,
    canaries: &[CanaryId],
    filled: &mut [BTreeMap<String, String>],
) -> Result<(), StoreError> {
    for column in table.columns.iter().filter(|column| may_be_empty(table, column) && !given.contains(&column.name)) {
        let counts = format!("select count(*), count(t.{}) from {} as t", quoted(&column.name), table.sql);
        let counts = transaction.query_one(&counts, &[]).await.map_err(|error| table.judge(&error))?;
        let (rows, values): (i64, i64) = (counts.get(0), counts.get(1));
        if values == 0 {
            continue;
        }
        let part = values as f64 / rows as f64;
        let found = like(transaction, table, column, values, canaries).await?;
        for ((canary, row), value) in canaries.iter().zip(filled.iter_mut()).zip(found) {
            if draw(*canary, &column.name, "empty") < part {
                row.insert(column.name.clone(), value);
            }
        }
    }
    Ok(())
}

/// Whether the column may be left empty, and no rule of several columns or rows is about it.
fn may_be_empty(table: &Table, column: &Column) -> bool {
    let about = |columns: &[String]| columns.contains(&column.name);
    let one_row = |definition: &str| definition.starts_with("CHECK") || definition.starts_with("FOREIGN KEY");
    let rules = table.constraints.iter().filter(|rule| about(&rule.columns));
    // Rows of the same table are persons: a canary under one of them would be noticed.
    let keys = table.references.iter().filter(|key| about(&key.from_columns));
    column.may_be_left()
        && !column.unique
        && rules.into_iter().all(|rule| one_row(&rule.definition))
        && keys.into_iter().all(|key| key.from_columns.len() == 1 && key.to != table.sql)
}

/// A value for each canary; none where one like the others would be a person's own.
async fn like(
    transaction: &Transaction<'_>,
    table: &Table,
    column: &Column,
    values: i64,
    canaries: &[CanaryId],
) -> Result<Vec<String>, StoreError> {
    let judge = |error: tokio_postgres::Error| table.judge(&error);
    let name = quoted(&column.name);
    let statement = format!(
        "select t.{name}::text, count(*) from {} as t where t.{name} is not null group by 1 order by 2 desc, 1 limit {}",
        table.sql,
        CODES + 1
    );
    let rows = transaction.query(&statement, &[]).await.map_err(judge)?;
    let counted: HashMap<Vec<u8>, u64> =
        rows.iter().map(|row| (text(row, 0).into_bytes(), row.get::<_, i64>(1).unsigned_abs())).collect();
    let shared = rows.first().filter(|row| row.get::<_, i64>(1).unsigned_abs() >= CROWD);
    let is_key = table.references.iter().any(|key| key.from_columns.contains(&column.name));
    if is_key || matches!(column.category, 'B' | 'E') {
        return Ok(shared.map(|row| vec![text(row, 0); canaries.len()]).unwrap_or_default());
    }
    if let Some(code) = usual_code(&counted) {
        return Ok(vec![String::from_utf8_lossy(&code).into_owned(); canaries.len()]);
    }
    // One between the least and the greatest; of whole numbers only if many rows share each.
    let between = match (column.category, column.base.as_str()) {
        ('D', "date") => "m.least + (f.part * (m.most - m.least))::int",
        ('D', "timestamp" | "timestamptz") => "date_trunc('second', m.least + (m.most - m.least) * f.part)",
        ('N', "int2" | "int4" | "int8" | "numeric" | "float4" | "float8") => {
            "case when m.broken then round((m.least + f.part * (m.most - m.least))::numeric, 2)
               when m.most - m.least < $2::bigint / 10 then m.least + floor(f.part * (m.most - m.least + 1))::numeric end"
        }
        _ => return Ok(Vec::new()),
    };
    let value = if column.category == 'N' { format!("t.{name}::numeric") } else { format!("t.{name}") };
    let broken =
        if column.category == 'N' { format!("bool_or({value} <> trunc({value}))") } else { "false".to_owned() };
    let statement = format!(
        "select ({between})::{}::text from (select min({value}) as least, max({value}) as most, {broken} as broken
           from {} as t where t.{name} is not null) as m, unnest($1::float8[]) with ordinality as f(part, place)
         where $2::bigint > 0 order by f.place",
        column.base_cast, table.sql
    );
    let statement =
        statement.replace("f.part *", if column.category == 'N' { "f.part::numeric *" } else { "f.part *" });
    let parts: Vec<f64> = canaries.iter().map(|canary| draw(*canary, &column.name, "value")).collect();
    let rows = transaction.query(&statement, &[&parts, &values]).await.map_err(judge)?;
    Ok(rows.iter().map(|row| text(row, 0)).take_while(|value| !value.is_empty()).collect())
}

/// A number from 0 to 1 that this canary always draws for this column.
fn draw(canary: CanaryId, column: &str, what: &str) -> f64 {
    let mut hasher = blake3::Hasher::new_derive_key("telltale stores postgres sparse value");
    hasher.update(&canary.0).update(what.as_bytes()).update(column.as_bytes());
    let mut bytes = [0; 4];
    hasher.finalize_xof().fill(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
}
