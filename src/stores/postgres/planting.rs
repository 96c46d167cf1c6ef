//! Planting: one transaction that looks first, inserts, looks again, and commits only what stands exactly as it was
//! meant to.

use crate::{
    domain::placement::Planting,
    stores::{
        postgres::{
            Postgres,
            catalog::Table,
            filling, guard,
            identity::quoted,
            refusal,
            shown::{self, Given, Text},
            sparse,
        },
        store::{NewPlanting, StoreError},
    },
};
use canaries::CanaryId;
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use tokio_postgres::{Statement, Transaction, types::ToSql};

/// Inserts that are under way at once on the one connection.
const AHEAD: usize = 64;

type Values = BTreeMap<String, String>;

/// See `Store::plant`. Fills what may be left empty as often as the other rows do; where a check, a trigger or the guard
/// may have something against that, leaves it empty. What is refused for anything else is tried once.
pub async fn plant(store: &Postgres, plantings: &[NewPlanting]) -> Result<Vec<String>, StoreError> {
    let mut filled = false;
    match plant_all(store, plantings, true, &mut filled).await {
        Err(StoreError::Refused(_)) if filled => plant_all(store, plantings, false, &mut filled).await,
        outcome => outcome,
    }
}

/// `may_differ` is set once something is put into what could have been left empty.
async fn plant_all(
    store: &Postgres,
    plantings: &[NewPlanting],
    sparse: bool,
    may_differ: &mut bool,
) -> Result<Vec<String>, StoreError> {
    if plantings.is_empty() {
        return Ok(Vec::new());
    }
    let mut client = store.endpoint.connect().await?;
    let transaction = store.endpoint.begin(&mut client, false).await?;
    let table = Table::load(store, &transaction).await?;
    table.demand(&["SELECT", "INSERT"])?;
    let rows = rows_of(&table, plantings.iter().map(|new| &new.planting))?;
    let given = shown::by_column(&table, rows.iter().copied())?;
    let expected = shown::shown(&transaction, &table, &given).await?;
    check_free(&transaction, &table, plantings, &expected).await?;
    let before = guard::answer(&transaction, &table, store.guard.as_ref()).await?;
    let keys = insert(&transaction, &table, plantings, &rows, sparse, may_differ).await?;
    // Deferred constraints and triggers speak now, not at the commit.
    transaction.batch_execute("set constraints all immediate").await.map_err(|error| table.judge(&error))?;
    check_shown(&transaction, &table, &keys, &expected).await?;
    if guard::answer(&transaction, &table, store.guard.as_ref()).await? != before {
        let why = "the guard query answers something else once the canaries are there, so they would count; nothing was \
                   planted. Choose [stores.constants] that keep them out of it";
        return Err(table.refused(why.to_owned()));
    }
    transaction.commit().await.map_err(|error| table.judge(&error))?;
    Ok(keys.iter().map(|key| table.identity.locator(key)).collect())
}

/// See `Store::as_shown`.
pub async fn as_shown(store: &Postgres, plantings: &[Planting]) -> Result<Vec<Planting>, StoreError> {
    let mut client = store.endpoint.connect().await?;
    let transaction = store.endpoint.begin(&mut client, true).await?;
    let table = Table::load(store, &transaction).await?;
    let rows = rows_of(&table, plantings.iter())?;
    let given = shown::by_column(&table, rows.iter().copied())?;
    let shown = shown::shown(&transaction, &table, &given).await?;
    let row = |index: usize| {
        let values = shown.iter().filter_map(|(name, values)| Some((name.clone(), values[index].clone()?)));
        Planting::Row(values.collect())
    };
    Ok((0..plantings.len()).map(row).collect())
}

fn rows_of<'p>(table: &Table, plantings: impl Iterator<Item = &'p Planting>) -> Result<Vec<&'p Values>, StoreError> {
    let row = |planting: &'p Planting| match planting {
        Planting::Row(values) => Some(values),
        Planting::Document { .. } => None,
    };
    let rows = plantings.map(row).collect::<Option<Vec<&Values>>>();
    rows.ok_or_else(|| table.refused("a table takes rows, not documents".to_owned()))
}

/// No marker may stand in the table already, in whatever case, nor twice among the new ones.
async fn check_free(
    transaction: &Transaction<'_>,
    table: &Table,
    plantings: &[NewPlanting],
    expected: &Given,
) -> Result<(), StoreError> {
    let mut taken: BTreeSet<usize> = BTreeSet::new();
    for (name, values) in expected {
        let marked = |index: &usize| plantings[*index].marker_columns.contains(name) && values[*index].is_some();
        let marked: Vec<usize> = (0..plantings.len()).filter(marked).collect();
        let markers: Vec<&String> = marked.iter().filter_map(|index| values[*index].as_ref()).collect();
        let mut seen = HashSet::new();
        taken.extend(
            marked.iter().zip(&markers).filter(|(_, marker)| !seen.insert(marker.to_lowercase())).map(|(i, _)| *i),
        );
        let statement = format!(
            "select distinct u.i from unnest($1::text[]) with ordinality as u(v, i)
               join {1} as t on lower(t.{0}::text) = lower(u.v)",
            quoted(name),
            table.sql
        );
        let found = transaction.query(&statement, &[&markers]).await.map_err(|error| table.judge(&error))?;
        taken.extend(found.iter().map(|row| marked[row.get::<_, i64>(0) as usize - 1]));
    }
    match taken.is_empty() {
        true => Ok(()),
        false => Err(StoreError::Taken(taken.into_iter().map(|index| plantings[index].canary).collect())),
    }
}

/// Inserts every row, and answers the texts that identify each.
async fn insert(
    transaction: &Transaction<'_>,
    table: &Table,
    plantings: &[NewPlanting],
    rows: &[&Values],
    sparse: bool,
    may_differ: &mut bool,
) -> Result<Vec<Vec<String>>, StoreError> {
    let mut alike: BTreeMap<BTreeSet<&String>, Vec<usize>> = BTreeMap::new();
    for (index, row) in rows.iter().enumerate() {
        alike.entry(row.keys().collect()).or_default().push(index);
    }
    let mut keys = vec![Vec::new(); rows.len()];
    for (given, indices) in alike {
        let group: Vec<(CanaryId, &Values)> =
            indices.iter().map(|index| (plantings[*index].canary, rows[*index])).collect();
        let mut filled = filling::fill(transaction, table, &given, &group).await?;
        if sparse {
            let canaries: Vec<CanaryId> = group.iter().map(|(canary, _)| *canary).collect();
            let required: usize = filled.iter().map(BTreeMap::len).sum();
            let more = sparse::fill(transaction, table, &given, &canaries, &mut filled).await;
            *may_differ |= more.is_err() || filled.iter().map(BTreeMap::len).sum::<usize>() > required;
            more?;
        }
        let more: BTreeSet<&String> = filled.iter().flat_map(BTreeMap::keys).collect();
        let columns: Vec<&String> = given
            .iter()
            .copied()
            .filter(|name| table.column(name).is_some_and(|column| !column.computed))
            .chain(more)
            .collect();
        let statement = statement(transaction, table, &columns).await?;
        let mut inserts = Vec::new();
        for ((_, row), filled) in group.iter().zip(&filled) {
            inserts.push(one(transaction, table, &statement, &columns, row, filled).boxed());
        }
        let found: Vec<Vec<String>> = futures_util::stream::iter(inserts).buffered(AHEAD).try_collect().await?;
        for (index, key) in indices.into_iter().zip(found) {
            keys[index] = key;
        }
    }
    Ok(keys)
}

async fn statement(transaction: &Transaction<'_>, table: &Table, columns: &[&String]) -> Result<Statement, StoreError> {
    let returned = table.identity.expressions().join(", ");
    let text = if columns.is_empty() {
        format!("insert into {} as t default values returning {returned}", table.sql)
    } else {
        let mut casts = Vec::new();
        for (index, name) in columns.iter().enumerate() {
            casts.push(format!("${}::text::{}", index + 1, table.known(name)?.base_cast));
        }
        let names: Vec<String> = columns.iter().map(|name| quoted(name)).collect();
        let (names, casts) = (names.join(", "), casts.join(", "));
        format!("insert into {} as t ({names}) values ({casts}) returning {returned}", table.sql)
    };
    transaction.prepare(&text).await.map_err(|error| table.judge(&error))
}

async fn one(
    transaction: &Transaction<'_>,
    table: &Table,
    statement: &Statement,
    columns: &[&String],
    row: &Values,
    filled: &Values,
) -> Result<Vec<String>, StoreError> {
    let value = |name: &&String| row.get(*name).or_else(|| filled.get(*name));
    let values: Vec<Option<&String>> = columns.iter().map(value).collect();
    let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
    let answer = transaction.query_opt(statement, &values).await.map_err(|error| {
        // A value that we made up ourselves and that somebody else took meanwhile: another one will do.
        match refusal::is_duplicate(&error) && table.is_made_up(&error, filled) {
            true => StoreError::Retry(format!("{}, table {}: another writer was faster", table.host, table.sql)),
            false => table.judge(&error),
        }
    })?;
    let Some(answer) = answer else {
        let why =
            "a trigger or rule swallowed a row; nothing was planted. Plant where rows are stored as they are given";
        return Err(table.refused(why.to_owned()));
    };
    let mut key = Vec::new();
    for index in 0..answer.len() {
        key.push(shown::text(&answer, index));
    }
    Ok(key)
}

/// Every row must be seen as it was meant to be, whatever triggers, rules and policies did to it.
async fn check_shown(
    transaction: &Transaction<'_>,
    table: &Table,
    keys: &[Vec<String>],
    expected: &Given,
) -> Result<(), StoreError> {
    let identifying = table.identity.expressions();
    let places: Vec<Vec<&str>> =
        (0..identifying.len()).map(|place| keys.iter().map(|key| key[place].as_str()).collect()).collect();
    let names: Vec<&String> = expected.keys().collect();
    let arrays: Vec<String> = (1..=places.len()).map(|number| format!("${number}::text[]")).collect();
    let aliases: Vec<String> = (1..=places.len()).map(|number| format!("k{number}")).collect();
    let equal = identifying.iter().zip(&aliases).map(|(expression, alias)| format!("{expression} = k.{alias}"));
    let statement = format!(
        "select k.i{} from unnest({}) with ordinality as k({}, i) join {} as t on {}",
        names.iter().map(|name| format!(", t.{}::text", quoted(name))).collect::<String>(),
        arrays.join(", "),
        aliases.join(", "),
        table.sql,
        equal.collect::<Vec<_>>().join(" and "),
    );
    let arguments: Vec<&(dyn ToSql + Sync)> = places.iter().map(|place| place as &(dyn ToSql + Sync)).collect();
    let rows = transaction.query(&statement, &arguments).await.map_err(|error| table.judge(&error))?;
    let mut seen = vec![false; keys.len()];
    for row in &rows {
        let index = row.get::<_, i64>(0) as usize - 1;
        seen[index] = true;
        for (place, name) in names.iter().enumerate() {
            let found = row.get::<_, Option<Text>>(place + 1).map(|text| text.0);
            if expected[*name][index].is_some() && found != expected[*name][index] {
                return Err(table.refused(format!(
                    "column {name} reads back otherwise than it was written (a trigger, or a computed column); nothing \
                     was planted. Take it out of [stores.columns]"
                )));
            }
        }
    }
    match seen.iter().all(|seen| *seen) {
        true => Ok(()),
        false => Err(table.refused(
            "a row does not show once it is planted (a trigger, a rule or a row-level security policy); nothing was \
             planted. Let the owner admit this user's rows to a SELECT policy"
                .to_owned(),
        )),
    }
}
