//! Taking rows out of a SQLite table again: those that hold every marker that was planted, wherever they stand now.

use crate::{
    domain::placement::Planting,
    stores::{
        sqlite::{
            Place, key,
            plant::delete,
            table::{Table, list, quoted},
            touched::Touched,
        },
        store::{Placed, StoreError},
    },
};
use canaries::CanaryId;
use rusqlite::{Connection, ErrorCode, TransactionBehavior, params_from_iter, types::Value};
use std::collections::{BTreeMap, HashMap};

/// The columns and values by which a row is known: its markers, or all that was given where it has none.
struct Known<'a> {
    values: Vec<(&'a str, &'a str)>,
    /// Where it was planted.
    key: Option<Vec<Value>>,
}

/// What a look through the table has found of one row.
#[derive(Default)]
struct Finds {
    with_all: Vec<String>,
    with_most: bool,
}

impl Place {
    pub(super) fn withdraw(&self, placed: &[Placed]) -> Result<Vec<CanaryId>, StoreError> {
        if placed.is_empty() {
            return Ok(Vec::new());
        }
        let failure = &self.failure;
        let mut connection = self.open_writable()?;
        let touched = Touched::watch(&mut connection, &self.config.table).map_err(|error| failure.of(error))?;
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(|error| failure.of(error))?;
        let table = self.table(&transaction)?;
        let known: Vec<Known<'_>> = placed.iter().map(|one| self.known(&table, one)).collect::<Result<_, _>>()?;
        let locators = self.find(&transaction, &table, placed, &known)?;
        let mut withdrawn = Vec::new();
        for (one, locator) in placed.iter().zip(locators) {
            let Some(row) = locator.and_then(|locator| key::values(&table, &locator)) else { continue };
            let gone = delete(&transaction, &table, &row).map_err(|error| match error.sqlite_error_code() {
                Some(ErrorCode::ConstraintViolation) => failure.drifted(format!(
                    "rows of another table refer to the row of canary {} by now: take those out, then withdraw again",
                    one.canary
                )),
                _ => failure.of(error),
            })?;
            if gone > 0 {
                withdrawn.push(one.canary);
            }
        }
        let elsewhere = touched.elsewhere(withdrawn.len() as u64);
        if !elsewhere.is_empty() {
            return Err(failure.drifted(format!(
                "taking the canaries out of {:?} would change {} too (rows that refer to them, or triggers): take \
                 those out, then withdraw again",
                table.name,
                elsewhere.join(", ")
            )));
        }
        transaction.commit().map_err(|error| failure.of(error))?;
        Ok(withdrawn)
    }

    fn known<'a>(&self, table: &Table, one: &'a Placed) -> Result<Known<'a>, StoreError> {
        let Planting::Row(row) = &one.planting else {
            return Err(self
                .failure
                .refused(format!("a table holds no documents: canary {} was planted elsewhere", one.canary)));
        };
        let all = row.iter().map(|(column, value)| (column.as_str(), value.as_str()));
        let is_marker = |column: &str| one.marker_columns.iter().any(|marker| marker == column);
        let markers: Vec<(&str, &str)> =
            all.clone().filter(|(column, value)| is_marker(column) && !value.is_empty()).collect();
        let values = if markers.is_empty() { all.collect() } else { markers };
        Ok(Known { values, key: key::values(table, &one.locator) })
    }

    /// Where each row stands now; none where it is gone. Looks where it was planted, then through the whole table.
    fn find(
        &self,
        connection: &Connection,
        table: &Table,
        placed: &[Placed],
        known: &[Known<'_>],
    ) -> Result<Vec<Option<String>>, StoreError> {
        let mut locators = Vec::with_capacity(placed.len());
        for (one, known) in placed.iter().zip(known) {
            let stands = stands(connection, table, known).map_err(|error| self.failure.of(error))?;
            locators.push(stands.then(|| one.locator.clone()));
        }
        let sought: Vec<usize> = (0..placed.len()).filter(|&index| locators[index].is_none()).collect();
        if sought.is_empty() {
            return Ok(locators);
        }
        let finds = look_through(connection, table, known, &sought).map_err(|error| self.failure.of(error))?;
        for (index, mut finds) in sought.into_iter().zip(finds) {
            let canary = placed[index].canary;
            match (finds.with_all.len(), finds.with_most) {
                (0, false) => {}
                (1, _) => locators[index] = finds.with_all.pop(),
                (0, true) => {
                    return Err(self.failure.drifted(format!(
                        "the row of canary {canary} in {:?} has been given other identifiers: correct it by hand, then \
                         withdraw again",
                        table.name
                    )));
                }
                _ => {
                    return Err(self.failure.drifted(format!(
                        "the row of canary {canary} stands more than once in {:?}: take the copies out, then withdraw \
                         again",
                        table.name
                    )));
                }
            }
        }
        Ok(locators)
    }
}

/// Whether a row stands where it was planted.
fn stands(connection: &Connection, table: &Table, known: &Known<'_>) -> rusqlite::Result<bool> {
    let Some(key) = &known.key else { return Ok(false) };
    if known.values.is_empty() || known.values.iter().any(|(column, _)| table.column(column).is_none()) {
        return Ok(false);
    }
    let condition: Vec<String> = table.key.iter().map(|name| format!("{} = ?", quoted(name))).collect();
    let select = format!(
        "SELECT {} FROM {} WHERE {}",
        list(known.values.iter().map(|(column, _)| *column)),
        quoted(&table.name),
        condition.join(" AND ")
    );
    let mut statement = connection.prepare_cached(&select)?;
    let mut rows = statement.query(params_from_iter(key))?;
    let Some(row) = rows.next()? else { return Ok(false) };
    for (index, (_, value)) in known.values.iter().enumerate() {
        if key::text(row.get_ref(index)?).as_deref() != Some(*value) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Looks for some of the rows by their markers, in one pass over the table.
fn look_through(
    connection: &Connection,
    table: &Table,
    known: &[Known<'_>],
    sought: &[usize],
) -> rusqlite::Result<Vec<Finds>> {
    let mut finds: Vec<Finds> = sought.iter().map(|_| Finds::default()).collect();
    let mut by_value: BTreeMap<&str, HashMap<&str, Vec<usize>>> = BTreeMap::new();
    for (place, &index) in sought.iter().enumerate() {
        // A column that has gone from the table since holds no marker.
        for (column, value) in known[index].values.iter().filter(|(column, _)| table.column(column).is_some()) {
            by_value.entry(column).or_default().entry(value).or_default().push(place);
        }
    }
    if by_value.is_empty() {
        return Ok(finds);
    }
    let names = list(table.key.iter().map(String::as_str).chain(by_value.keys().copied()));
    let mut statement = connection.prepare(&format!("SELECT {names} FROM {}", quoted(&table.name)))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let mut matching: BTreeMap<usize, usize> = BTreeMap::new();
        for (at, values) in by_value.values().enumerate() {
            let Some(value) = key::text(row.get_ref(table.key.len() + at)?) else { continue };
            for &place in values.get(value.as_str()).into_iter().flatten() {
                *matching.entry(place).or_default() += 1;
            }
        }
        for (place, count) in matching {
            let wanted = known[sought[place]].values.len();
            if count == wanted {
                finds[place].with_all.push(key::locator(table, row)?);
            } else if count * 2 >= wanted {
                finds[place].with_most = true;
            }
        }
    }
    Ok(finds)
}
