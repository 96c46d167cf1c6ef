//! Taking canaries out: exactly the rows that are still ours, in one transaction, and nothing that hangs on them.

use crate::{
    domain::placement::Planting,
    stores::{
        postgres::{
            Postgres,
            catalog::Table,
            identity::{Identity, quoted},
            shown::{self, Given},
        },
        store::{Placed, StoreError},
    },
};
use canaries::CanaryId;
use std::collections::BTreeMap;
use tokio_postgres::{Transaction, types::ToSql};

/// See `Store::withdraw`.
pub async fn withdraw(store: &Postgres, placed: &[Placed]) -> Result<Vec<CanaryId>, StoreError> {
    if placed.is_empty() {
        return Ok(Vec::new());
    }
    let mut client = store.endpoint.connect().await?;
    let transaction = store.endpoint.begin(&mut client, false).await?;
    let table = Table::load(store, &transaction).await?;
    table.demand(&["SELECT", "DELETE"])?;
    let mut marked: Vec<BTreeMap<String, String>> = Vec::new();
    for one in placed {
        let Planting::Row(values) = &one.planting else {
            return Err(table.refused("a table holds rows, not documents".to_owned()));
        };
        let is_marker = |column: &String| one.marker_columns.is_empty() || one.marker_columns.contains(column);
        marked
            .push(values.iter().filter(|(column, _)| is_marker(column)).map(|(c, v)| (c.clone(), v.clone())).collect());
    }
    let given = shown::by_column(&table, marked.iter())?;
    let shown = shown::shown(&transaction, &table, &given).await?;
    let mut removed = Vec::new();
    for (index, one) in placed.iter().enumerate() {
        let ours = Ours::new(&shown, index);
        if take_out(&transaction, &table, one, &ours).await? {
            removed.push(one.canary);
        }
    }
    transaction.commit().await.map_err(|error| table.judge(&error))?;
    if !table.sequences.is_empty() {
        let sequences = table.sequences.join(", ");
        tracing::info!(store = %table.host, %sequences, "withdrawn; these sequences stay where planting moved them");
    }
    Ok(removed)
}

/// The marker columns of one canary, and what they show.
struct Ours<'g> {
    values: Vec<(&'g str, &'g str)>,
}

impl<'g> Ours<'g> {
    fn new(shown: &'g Given, index: usize) -> Self {
        let pairs = shown.iter().filter_map(|(name, values)| Some((name.as_str(), values[index].as_deref()?)));
        Ours { values: pairs.collect() }
    }

    /// The condition under which the row `t` still is this canary, its arguments counted from `first`.
    fn condition(&self, first: usize) -> String {
        let numbered = self.values.iter().enumerate();
        let terms = numbered.map(|(place, (name, _))| format!("t.{}::text = ${}::text", quoted(name), first + place));
        terms.collect::<Vec<_>>().join(" and ")
    }

    fn arguments(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.values.iter().map(|(_, value)| value as &(dyn ToSql + Sync)).collect()
    }
}

async fn take_out(
    transaction: &Transaction<'_>,
    table: &Table,
    placed: &Placed,
    ours: &Ours<'_>,
) -> Result<bool, StoreError> {
    let canary = placed.canary;
    if ours.values.is_empty() {
        return Err(table.refused(format!("canary {canary} has no value left that tells its row from others")));
    }
    if let Some(key) = table.identity.values(&placed.locator) {
        let condition = at(table, key.len())?;
        let arguments: Vec<&(dyn ToSql + Sync)> = key.iter().map(|text| text as &(dyn ToSql + Sync)).collect();
        let count = count(transaction, table, &condition, &arguments).await?;
        if count > 0 {
            let condition = format!("{condition} and {}", ours.condition(key.len() + 1));
            let arguments: Vec<&(dyn ToSql + Sync)> = arguments.into_iter().chain(ours.arguments()).collect();
            if delete(transaction, table, &condition, &arguments).await? {
                return Ok(true);
            }
            return Err(StoreError::Drifted(format!(
                "{}, table {}: the row of canary {canary} no longer holds its markers; nothing was taken out. Look at it \
                 and decide by hand",
                table.host, table.sql
            )));
        }
    }
    // Its key was changed, by a reload of the table perhaps; all of its markers together are still nobody else's.
    delete(transaction, table, &ours.condition(1), &ours.arguments()).await
}

/// The condition that finds the row by its key; typed, so that the key's index serves.
fn at(table: &Table, parts: usize) -> Result<String, StoreError> {
    let mut terms = Vec::new();
    match &table.identity {
        Identity::Columns(columns) => {
            for (place, name) in columns.iter().enumerate() {
                let column = table.known(name)?;
                terms.push(format!("t.{} = ${}::text::{}", quoted(name), place + 1, column.base_cast));
            }
        }
        Identity::Digest => {
            let expressions = table.identity.expressions();
            terms.extend((0..parts).map(|place| format!("{} = ${}", expressions[place], place + 1)));
        }
    }
    Ok(terms.join(" and "))
}

async fn count(
    transaction: &Transaction<'_>,
    table: &Table,
    condition: &str,
    arguments: &[&(dyn ToSql + Sync)],
) -> Result<i64, StoreError> {
    let statement = format!("select count(*) from {} as t where {condition}", table.sql);
    Ok(transaction.query_one(&statement, arguments).await.map_err(|error| table.judge(&error))?.get(0))
}

/// Deletes the row that meets the condition; false where none does.
async fn delete(
    transaction: &Transaction<'_>,
    table: &Table,
    condition: &str,
    arguments: &[&(dyn ToSql + Sync)],
) -> Result<bool, StoreError> {
    for key in &table.referred_by {
        let columns = |names: &[String], of: &str| {
            names.iter().map(|name| format!("{of}.{}", quoted(name))).collect::<Vec<_>>().join(", ")
        };
        let statement = format!(
            "select exists (select 1 from {} as c where ({}) in (select {} from {} as t where {condition}))",
            key.from,
            columns(&key.from_columns, "c"),
            columns(&key.to_columns, "t"),
            table.sql
        );
        let row = transaction.query_one(&statement, arguments).await.map_err(|error| table.judge(&error))?;
        if row.get(0) {
            return Err(table.refused(format!(
                "rows of {} refer to a canary by the constraint {}; look why, and take them out first",
                key.from, key.name
            )));
        }
    }
    let statement = format!("delete from {} as t where {condition}", table.sql);
    let gone = transaction.execute(&statement, arguments).await.map_err(|error| table.judge(&error))?;
    if gone == 0 && count(transaction, table, condition, arguments).await? > 0 {
        let why = "a trigger, a rule or a row-level security policy keeps a canary's row; nothing was taken out. Let the \
                   owner lift it for this user";
        return Err(table.refused(why.to_owned()));
    }
    Ok(gone > 0)
}
