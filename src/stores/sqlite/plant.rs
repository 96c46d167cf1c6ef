//! Planting in a SQLite table: one transaction, kept only if no value was taken, the guard answers as before, nothing
//! else was set off, and a planted row can be taken out again.

use crate::{
    domain::placement::Planting,
    stores::{
        sqlite::{
            Place,
            failure::{Failure, not_unique},
            fill::Fillers,
            key,
            table::{Table, list, quoted},
            touched::Touched,
        },
        store::{Guard, NewPlanting, StoreError},
    },
};
use canaries::CanaryId;
use rusqlite::{Connection, TransactionBehavior, params_from_iter, types::Value};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Answers of a guard longer than this are no guard.
const GUARD_ROWS: usize = 10_000;

type Row<'a> = BTreeMap<String, &'a str>;

impl Place {
    /// Fills what may be left empty as often as the other rows do, so that it tells no canary; where a check, a trigger
    /// or the guard may have something against that, leaves it empty. What is refused for anything else is tried once.
    pub(super) fn plant(&self, plantings: &[NewPlanting]) -> Result<Vec<String>, StoreError> {
        let mut filled = false;
        match self.plant_all(plantings, true, &mut filled) {
            Err(StoreError::Refused(_)) if filled => self.plant_all(plantings, false, &mut filled),
            outcome => outcome,
        }
    }

    /// `filled` is set once something is put into what could have been left empty.
    fn plant_all(&self, plantings: &[NewPlanting], sparse: bool, filled: &mut bool) -> Result<Vec<String>, StoreError> {
        if plantings.is_empty() {
            return Ok(Vec::new());
        }
        let failure = &self.failure;
        let mut connection = self.open_writable()?;
        let touched = Touched::watch(&mut connection, &self.config.table).map_err(|error| failure.of(error))?;
        let mut transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(|error| failure.of(error))?;
        let table = self.table(&transaction)?;
        let rows = self.rows(&table, plantings)?;
        let taken = taken(&transaction, &table, plantings, &rows, failure)?;
        if !taken.is_empty() {
            return Err(StoreError::Taken(taken.into_iter().collect()));
        }
        let guarded = |connection: &Connection| {
            self.config.guard.as_ref().map(|guard| answer(connection, guard, failure)).transpose()
        };
        let before = guarded(&transaction)?;

        let mut fillers: BTreeMap<BTreeSet<String>, Fillers> = BTreeMap::new();
        let mut locators = Vec::with_capacity(rows.len());
        for (nth, (new, row)) in plantings.iter().zip(&rows).enumerate() {
            let given: BTreeSet<String> = row.keys().cloned().collect();
            if !fillers.contains_key(&given) {
                let found = Fillers::find(&transaction, &table, &given, sparse, failure)?;
                *filled |= found.optional;
                fillers.insert(given.clone(), found);
            }
            let more = fillers[&given].fill(&transaction, &table, new.canary, nth as u64, failure)?;
            locators.push(insert(&transaction, &table, new, row, more, failure)?);
        }

        let elsewhere = touched.elsewhere(rows.len() as u64);
        if !elsewhere.is_empty() {
            return Err(set_off(&transaction, &table, "comes in", &elsewhere, failure));
        }
        if before != guarded(&transaction)? {
            return Err(failure.refused(
                "the guard query answers differently once the canaries are there: add to `constants` what keeps them \
                 out of what it counts"
                    .to_owned(),
            ));
        }
        {
            // Rehearses the withdrawal, for what could never be taken out again must not come in.
            let rehearsal = transaction.savepoint().map_err(|error| failure.of(error))?;
            let first = key::values(&table, &locators[0]).unwrap_or_default();
            delete(&rehearsal, &table, &first).map_err(|error| failure.of(error))?;
            let elsewhere = touched.elsewhere(1);
            if !elsewhere.is_empty() {
                return Err(set_off(&rehearsal, &table, "goes out", &elsewhere, failure));
            }
        }
        transaction.commit().map_err(|error| failure.of(error))?;
        Ok(locators)
    }

    /// The given columns of each new row under the table's own names, constants included.
    fn rows<'a>(&'a self, table: &Table, plantings: &'a [NewPlanting]) -> Result<Vec<Row<'a>>, StoreError> {
        plantings
            .iter()
            .map(|new| {
                let Planting::Row(given) = &new.planting else {
                    return Err(self.failure.refused(
                        "a table takes rows, not documents: plant those in a store of kind `folder`".to_owned(),
                    ));
                };
                let mut row = Row::new();
                for (name, value) in given {
                    let column = table.named(name, &self.failure)?;
                    if column.computed {
                        return Err(self.failure.refused(format!(
                            "column {name:?} is computed by the database: take it out of `columns`"
                        )));
                    }
                    row.insert(column.name.clone(), value);
                }
                for (name, value) in &self.config.constants {
                    let column = table.named(name, &self.failure)?;
                    if row.insert(column.name.clone(), value).is_some_and(|given| given != value) {
                        return Err(self.failure.refused(format!(
                            "column {name:?} is constant and yet given another value: take it out of `constants` or \
                             of `columns`"
                        )));
                    }
                }
                Ok(row)
            })
            .collect()
    }
}

/// What the guard answers.
pub fn answer(connection: &Connection, guard: &Guard, failure: &Failure) -> Result<Vec<Vec<Value>>, StoreError> {
    let asked = || {
        let mut statement = connection.prepare(&guard.query)?;
        if !statement.readonly() {
            return Ok(None);
        }
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        let mut answer = Vec::new();
        while let Some(row) = rows.next()? {
            answer.push((0..columns).map(|index| row.get(index)).collect::<Result<_, _>>()?);
            if answer.len() > GUARD_ROWS {
                return Ok(None);
            }
        }
        Ok(Some(answer))
    };
    match asked() {
        Ok(Some(answer)) => Ok(answer),
        Ok(None) => Err(failure.refused(format!(
            "the guard's query must only read, and answer at most {GUARD_ROWS} rows: correct `guard.query`"
        ))),
        Err(error) => match failure.of(error) {
            StoreError::Refused(why) => Err(StoreError::Refused(format!("guard.query: {why}"))),
            other => Err(other),
        },
    }
}

/// Takes one row out by its key.
pub fn delete(connection: &Connection, table: &Table, key: &[Value]) -> rusqlite::Result<usize> {
    let condition = table.key.iter().map(|name| format!("{} = ?", quoted(name))).collect::<Vec<_>>().join(" AND ");
    connection
        .prepare_cached(&format!("DELETE FROM {} WHERE {condition}", quoted(&table.name)))?
        .execute(params_from_iter(key))
}

/// Whose marker values stand in the table's rows already, letter case and blanks at the ends aside.
fn taken(
    connection: &Connection,
    table: &Table,
    plantings: &[NewPlanting],
    rows: &[Row<'_>],
    failure: &Failure,
) -> Result<BTreeSet<CanaryId>, StoreError> {
    let folded = |value: &str| value.trim().to_lowercase();
    let mut watched: BTreeMap<String, HashMap<String, Vec<CanaryId>>> = BTreeMap::new();
    let mut taken = BTreeSet::new();
    for (new, row) in plantings.iter().zip(rows) {
        for name in &new.marker_columns {
            let column = table.named(name, failure)?.name.clone();
            let Some(value) = row.get(&column).map(|value| folded(value)).filter(|value| !value.is_empty()) else {
                continue;
            };
            let owners = watched.entry(column).or_default().entry(value).or_default();
            // Two of the new ones with one value: the later is minted anew.
            if !owners.is_empty() {
                taken.insert(new.canary);
            }
            owners.push(new.canary);
        }
    }
    let mut look = || {
        if watched.is_empty() {
            return Ok(());
        }
        let names = list(watched.keys().map(String::as_str));
        let mut statement = connection.prepare(&format!("SELECT {names} FROM {}", quoted(&table.name)))?;
        let mut found = statement.query([])?;
        while let Some(row) = found.next()? {
            for (index, values) in watched.values().enumerate() {
                if let Some(value) = key::text(row.get_ref(index)?) {
                    taken.extend(values.get(&folded(&value)).into_iter().flatten());
                }
            }
        }
        Ok(())
    };
    look().map_err(|error| failure.of(error))?;
    Ok(taken)
}

fn insert(
    connection: &Connection,
    table: &Table,
    new: &NewPlanting,
    row: &Row<'_>,
    more: Vec<(String, Value)>,
    failure: &Failure,
) -> Result<String, StoreError> {
    for (column, value) in row {
        let Some(reference) = table.reference(column) else { continue };
        let (parent, there) = (&reference.table, &reference.columns[0].1);
        let query = format!("SELECT EXISTS (SELECT 1 FROM {} WHERE {} = ?1)", quoted(parent), quoted(there));
        let allowed: bool = connection
            .prepare_cached(&query)
            .and_then(|mut query| query.query_row([value], |row| row.get(0)))
            .map_err(|error| failure.of(error))?;
        if !allowed {
            return Err(failure.refused(format!(
                "column {column:?} refers to {parent:?}, which has no such row: take it out of `columns`, and an \
                 allowed key is taken"
            )));
        }
    }
    let given = row.iter().map(|(name, value)| (name.clone(), Value::Text((*value).to_owned())));
    let (names, values): (Vec<String>, Vec<Value>) = given.chain(more).unzip();
    let markers: Vec<(&String, &str)> = row
        .iter()
        .filter(|(name, _)| new.marker_columns.iter().any(|marker| marker.eq_ignore_ascii_case(name)))
        .map(|(name, value)| (name, *value))
        .collect();
    let answered = list(table.key.iter().chain(markers.iter().map(|(name, _)| *name)).map(String::as_str));
    let places = vec!["?"; names.len()].join(", ");
    let statement = match names.is_empty() {
        true => format!("INSERT INTO {} DEFAULT VALUES RETURNING {answered}", quoted(&table.name)),
        false => format!(
            "INSERT INTO {} ({}) VALUES ({places}) RETURNING {answered}",
            quoted(&table.name),
            list(names.iter().map(String::as_str))
        ),
    };
    let inserted = connection.prepare_cached(&statement).and_then(|mut statement| {
        statement.query_row(params_from_iter(values), |found| {
            let stored = (table.key.len()..table.key.len() + markers.len())
                .map(|index| found.get_ref(index).map(key::text))
                .collect::<Result<Vec<_>, _>>()?;
            Ok((key::locator(table, found)?, stored))
        })
    });
    let (locator, stored) = inserted.map_err(|error| match not_unique(&error) {
        Some(columns) if columns.iter().any(|column| row.contains_key(column)) => StoreError::Taken(vec![new.canary]),
        _ => failure.of(error),
    })?;
    for ((column, value), stored) in markers.iter().zip(stored) {
        if stored.as_deref() != Some(*value) {
            return Err(failure.refused(format!(
                "column {column:?} would keep its values in another form (leading zeros, length), so a canary could \
                 not be recognised by it: take it out of `columns`"
            )));
        }
    }
    Ok(locator)
}

/// A trigger does more than can be taken back.
fn set_off(connection: &Connection, table: &Table, when: &str, elsewhere: &[String], failure: &Failure) -> StoreError {
    let triggers = || -> rusqlite::Result<Vec<String>> {
        connection
            .prepare("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?1 ORDER BY name")?
            .query_map([&table.name], |row| row.get(0))?
            .collect()
    };
    failure.refused(format!(
        "when a row of {:?} {when}, the database changes {} too, which could not be taken back (triggers: {}): exempt \
         the canaries there, or plant in another store",
        table.name,
        elsewhere.join(", "),
        triggers().unwrap_or_default().join(", ")
    ))
}
