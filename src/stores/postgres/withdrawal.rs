//! Taking canaries out: exactly the rows that are still ours, in one transaction, and nothing that hangs on them.

use crate::stores::{
    postgres::{
        Postgres,
        catalog::Table,
        identity::{Identity, quoted},
        reading,
        shown::{self, Given, Text},
    },
    remains::{Find, Known, Look, Search},
    store::{Doubt, Left, Placed, StoreError, Withdrawal},
};
use std::collections::HashSet;
use tokio_postgres::{Transaction, types::ToSql};

/// See `Store::withdraw`.
pub async fn withdraw(store: &Postgres, placed: &[Placed]) -> Result<Withdrawal, StoreError> {
    let mut withdrawal = Withdrawal::default();
    if placed.is_empty() {
        return Ok(withdrawal);
    }
    let mut client = store.endpoint.connect().await?;
    let mut transaction = store.endpoint.begin(&mut client, false).await?;
    let table = Table::load(store, &transaction).await?;
    table.demand(&["SELECT", "DELETE"])?;
    let known = known(store, &mut transaction, &table, placed).await?;
    let finds = find(&transaction, &table, placed, &known).await?;
    for (known, find) in known.iter().zip(finds) {
        let canary = known.canary;
        match find {
            Find::Gone => {}
            Find::Ours(key) => {
                if delete(&transaction, &table, known, &key).await? {
                    withdrawal.removed.push(canary);
                }
            }
            Find::Several => withdrawal.left.push(Left { canary, why: Doubt::Several, columns: Vec::new() }),
            Find::Altered(columns) => withdrawal.left.push(Left { canary, why: Doubt::Altered, columns }),
        }
    }
    transaction.commit().await.map_err(|error| table.judge(&error))?;
    if !table.sequences.is_empty() {
        let sequences = table.sequences.join(", ");
        tracing::info!(store = %table.host, %sequences, "withdrawn; these sequences stay where planting moved them");
    }
    Ok(withdrawal)
}

/// The values by which each row is known, as the table shows them.
pub async fn known(
    store: &Postgres,
    transaction: &mut Transaction<'_>,
    table: &Table,
    placed: &[Placed],
) -> Result<Vec<Known>, StoreError> {
    let mut known = Vec::with_capacity(placed.len());
    for one in placed {
        // A column that has gone from the table since tells nothing.
        let ignored = |column: &str| store.constants.contains_key(column) || table.column(column).is_none();
        let Some(one) = Known::of(one, ignored) else {
            return Err(table.refused("a table holds rows, not documents".to_owned()));
        };
        if one.ours.is_empty() {
            let why = format!("canary {} has no value left that tells its row from others", one.canary);
            return Err(table.refused(why));
        }
        known.push(one);
    }
    show(transaction, table, known.iter_mut().map(|one| &mut one.ours).collect()).await?;
    {
        // A column may have another type by now, which these do not fit: then they differ.
        let attempt = transaction.transaction().await.map_err(|error| table.judge(&error))?;
        match show(&attempt, table, known.iter_mut().map(|one| &mut one.others).collect()).await {
            Ok(()) => attempt.commit().await,
            Err(_) => attempt.rollback().await,
        }
        .map_err(|error| table.judge(&error))?;
    }
    Ok(known)
}

/// Turns these values of each row into what the table shows of them.
async fn show(
    transaction: &Transaction<'_>,
    table: &Table,
    values: Vec<&mut Vec<(String, String)>>,
) -> Result<(), StoreError> {
    let rows: Vec<_> = values.iter().map(|row| row.iter().cloned().collect()).collect();
    let shown: Given = shown::shown(transaction, table, &shown::by_column(table, rows.iter())?).await?;
    for (index, row) in values.into_iter().enumerate() {
        for (column, value) in row {
            if let Some(text) = shown.get(column).and_then(|texts| texts[index].clone()) {
                *value = text;
            }
        }
    }
    Ok(())
}

/// Where each row stands now, by the texts of its key. Looks where it was planted, then, for what is not there, through
/// the whole table: its key was changed, by a reload of the table perhaps.
pub async fn find(
    transaction: &Transaction<'_>,
    table: &Table,
    placed: &[Placed],
    known: &[Known],
) -> Result<Vec<Find<Vec<String>>>, StoreError> {
    let mut finds = Vec::with_capacity(placed.len());
    let mut sought = Vec::new();
    for (index, (one, known)) in placed.iter().zip(known).enumerate() {
        let find = match table.identity.values(&one.locator) {
            Some(key) => look_at(transaction, table, known, key).await?,
            None => Find::Gone,
        };
        if !matches!(find, Find::Ours(_) | Find::Several) {
            sought.push(index);
        }
        finds.push(find);
    }
    if sought.is_empty() {
        return Ok(finds);
    }
    let claimed: HashSet<Vec<String>> =
        finds.iter().filter_map(|find| if let Find::Ours(key) = find { Some(key.clone()) } else { None }).collect();
    let mut search = Search::new(sought.iter().map(|&index| &known[index]).collect());
    let expressions = table.identity.expressions();
    let columns: Vec<String> = search.columns().iter().map(|name| (*name).to_owned()).collect();
    reading::each(transaction, table, &expressions, &columns, &mut |row| {
        let texts: Vec<Option<String>> = (0..row.len()).map(|at| reading::text(row, at)).collect();
        let (key, texts) = texts.split_at(expressions.len());
        let key: Vec<String> = key.iter().map(|text| text.clone().unwrap_or_default()).collect();
        if claimed.contains(&key) {
            return;
        }
        let cells: Vec<(usize, &str)> =
            texts.iter().enumerate().filter_map(|(at, text)| Some((at, text.as_deref()?))).collect();
        search.see(&cells, || key.clone());
    })
    .await?;
    for (index, found) in sought.into_iter().zip(search.finds()) {
        if !matches!((&finds[index], &found), (Find::Altered(_), Find::Gone | Find::Altered(_))) {
            finds[index] = found;
        }
    }
    Ok(finds)
}

/// The row where the canary was planted.
async fn look_at(
    transaction: &Transaction<'_>,
    table: &Table,
    known: &Known,
    key: Vec<String>,
) -> Result<Find<Vec<String>>, StoreError> {
    let columns: Vec<&String> = known.columns().collect();
    let selected: Vec<String> = columns.iter().map(|column| format!("t.{}::text", quoted(column))).collect();
    let condition = at(table, key.len())?;
    let statement = format!("select {} from {} as t where {condition} limit 2", selected.join(", "), table.sql);
    let arguments: Vec<&(dyn ToSql + Sync)> = key.iter().map(|text| text as &(dyn ToSql + Sync)).collect();
    let rows = transaction.query(&statement, &arguments).await.map_err(|error| table.judge(&error))?;
    let row = match rows.as_slice() {
        [] => return Ok(Find::Gone),
        [row] => row,
        // Without a key of its own, a copy of the row cannot be told from it.
        _ => return Ok(Find::Several),
    };
    let texts: Vec<Option<String>> =
        (0..columns.len()).map(|at| row.get::<_, Option<Text>>(at).map(|text| text.0)).collect();
    let holds = |column: &str, value: &str| {
        columns.iter().zip(&texts).any(|(name, text)| *name == column && text.as_deref() == Some(value))
    };
    Ok(match known.look(true, holds) {
        Look::Ours => Find::Ours(key),
        Look::Doubtful { columns, .. } => Find::Altered(columns),
        Look::Strange => Find::Gone,
    })
}

/// The condition that finds the row by its key; typed, so that the key's index serves.
pub fn at(table: &Table, parts: usize) -> Result<String, StoreError> {
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

/// Deletes the row of this key if it still is the canary's; false where it is gone.
async fn delete(
    transaction: &Transaction<'_>,
    table: &Table,
    known: &Known,
    key: &[String],
) -> Result<bool, StoreError> {
    let identified = known.ours.iter().enumerate();
    let identified =
        identified.map(|(place, (name, _))| format!("t.{}::text = ${}::text", quoted(name), key.len() + 1 + place));
    let condition = [at(table, key.len())?].into_iter().chain(identified).collect::<Vec<_>>().join(" and ");
    let values = known.ours.iter().map(|(_, value)| value);
    let arguments: Vec<&(dyn ToSql + Sync)> =
        key.iter().chain(values).map(|text| text as &(dyn ToSql + Sync)).collect();
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
        let row = transaction.query_one(&statement, &arguments).await.map_err(|error| table.judge(&error))?;
        if row.get(0) {
            return Err(table.refused(format!(
                "rows of {} refer to a canary by the constraint {}; look why, and take them out first",
                key.from, key.name
            )));
        }
    }
    let statement = format!("delete from {} as t where {condition}", table.sql);
    let gone = transaction.execute(&statement, &arguments).await.map_err(|error| table.judge(&error))?;
    if gone == 0 && count(transaction, table, &condition, &arguments).await? > 0 {
        let why = "a trigger, a rule or a row-level security policy keeps a canary's row; nothing was taken out. Let the \
                   owner lift it for this user";
        return Err(table.refused(why.to_owned()));
    }
    Ok(gone > 0)
}
