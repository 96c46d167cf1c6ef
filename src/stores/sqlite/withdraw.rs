//! Taking rows out of a SQLite table again: those that hold what identifies them, wherever they stand now.

use crate::stores::{
    remains::{Find, Known, Look, Search},
    sqlite::{
        Place, key,
        plant::delete,
        table::{Table, list, quoted},
        touched::Touched,
    },
    store::{Doubt, Left, Placed, StoreError, Withdrawal},
};
use rusqlite::{Connection, ErrorCode, TransactionBehavior, params_from_iter};
use std::collections::HashSet;

impl Place {
    pub(super) fn withdraw(&self, placed: &[Placed]) -> Result<Withdrawal, StoreError> {
        let mut withdrawal = Withdrawal::default();
        if placed.is_empty() {
            return Ok(withdrawal);
        }
        let failure = &self.failure;
        let mut connection = self.open_writable()?;
        let touched = Touched::watch(&mut connection, &self.config.table).map_err(|error| failure.of(error))?;
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(|error| failure.of(error))?;
        let table = self.table(&transaction)?;
        let known: Vec<Known> = placed.iter().map(|one| self.known(&table, one)).collect::<Result<_, _>>()?;
        let finds = find(&transaction, &table, placed, &known).map_err(|error| failure.of(error))?;
        for (one, find) in placed.iter().zip(finds) {
            let canary = one.canary;
            let locator = match find {
                Find::Gone => continue,
                Find::Ours(locator) => locator,
                Find::Several => {
                    withdrawal.left.push(Left { canary, why: Doubt::Several, columns: Vec::new() });
                    continue;
                }
                Find::Altered(columns) => {
                    withdrawal.left.push(Left { canary, why: Doubt::Altered, columns });
                    continue;
                }
            };
            let Some(row) = key::values(&table, &locator) else { continue };
            let gone = delete(&transaction, &table, &row).map_err(|error| match error.sqlite_error_code() {
                Some(ErrorCode::ConstraintViolation) => failure.refused(format!(
                    "rows of another table refer to the row of canary {canary} by now: take those out, then withdraw again"
                )),
                _ => failure.of(error),
            })?;
            if gone > 0 {
                withdrawal.removed.push(canary);
            }
        }
        let elsewhere = touched.elsewhere(withdrawal.removed.len() as u64);
        if !elsewhere.is_empty() {
            return Err(failure.refused(format!(
                "taking the canaries out of {:?} would change {} too (rows that refer to them, or triggers): take \
                 those out, then withdraw again",
                table.name,
                elsewhere.join(", ")
            )));
        }
        transaction.commit().map_err(|error| failure.of(error))?;
        Ok(withdrawal)
    }

    /// The values by which a row is known. A column that has gone from the table since tells nothing.
    pub(super) fn known(&self, table: &Table, one: &Placed) -> Result<Known, StoreError> {
        let is_constant =
            |column: &str| self.config.constants.keys().any(|constant| constant.eq_ignore_ascii_case(column));
        Known::of(one, |column| is_constant(column) || table.column(column).is_none()).ok_or_else(|| {
            self.failure.refused(format!("a table holds no documents: canary {} was planted elsewhere", one.canary))
        })
    }
}

/// Where each row stands now. Looks where it was planted, then for what is not there through the whole table.
pub fn find(
    connection: &Connection,
    table: &Table,
    placed: &[Placed],
    known: &[Known],
) -> rusqlite::Result<Vec<Find<String>>> {
    let mut finds = Vec::with_capacity(placed.len());
    let mut sought = Vec::new();
    for (index, (one, known)) in placed.iter().zip(known).enumerate() {
        finds.push(match look_at(connection, table, known, &one.locator)? {
            Look::Ours => Find::Ours(one.locator.clone()),
            Look::Doubtful { columns, .. } => Find::Altered(columns),
            Look::Strange => Find::Gone,
        });
        if !matches!(finds[index], Find::Ours(_)) {
            sought.push(index);
        }
    }
    let claimed: HashSet<&str> = finds
        .iter()
        .zip(placed)
        .filter(|(find, _)| matches!(find, Find::Ours(_)))
        .map(|(_, one)| &*one.locator)
        .collect();
    let found = look_through(connection, table, sought.iter().map(|&index| &known[index]).collect(), &claimed)?;
    for (index, found) in sought.into_iter().zip(found) {
        if !matches!((&finds[index], &found), (Find::Altered(_), Find::Gone | Find::Altered(_))) {
            finds[index] = found;
        }
    }
    Ok(finds)
}

/// The row where the canary was planted.
fn look_at(connection: &Connection, table: &Table, known: &Known, locator: &str) -> rusqlite::Result<Look> {
    let Some(key) = key::values(table, locator) else { return Ok(Look::Strange) };
    let columns: Vec<&str> = known.columns().map(String::as_str).collect();
    if columns.is_empty() {
        return Ok(Look::Strange);
    }
    let condition: Vec<String> = table.key.iter().map(|name| format!("{} = ?", quoted(name))).collect();
    let select = format!(
        "SELECT {} FROM {} WHERE {}",
        list(columns.iter().copied()),
        quoted(&table.name),
        condition.join(" AND ")
    );
    let mut statement = connection.prepare_cached(&select)?;
    let mut rows = statement.query(params_from_iter(key))?;
    let Some(row) = rows.next()? else { return Ok(Look::Strange) };
    let texts = (0..columns.len()).map(|at| row.get_ref(at).map(key::text)).collect::<Result<Vec<_>, _>>()?;
    Ok(known.look(true, |column, value| {
        columns.iter().zip(&texts).any(|(name, text)| *name == column && text.as_deref() == Some(value))
    }))
}

/// Looks for some of the rows in one pass over the table, of which the `claimed` ones are found.
fn look_through(
    connection: &Connection,
    table: &Table,
    sought: Vec<&Known>,
    claimed: &HashSet<&str>,
) -> rusqlite::Result<Vec<Find<String>>> {
    let mut search = Search::new(sought);
    if search.columns().is_empty() {
        return Ok(search.finds());
    }
    let names = list(table.key.iter().map(String::as_str).chain(search.columns().iter().copied()));
    let mut statement = connection.prepare(&format!("SELECT {names} FROM {}", quoted(&table.name)))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let locator = key::locator(table, row)?;
        if claimed.contains(&*locator) {
            continue;
        }
        let texts = (0..search.columns().len())
            .map(|at| row.get_ref(table.key.len() + at).map(key::text))
            .collect::<Result<Vec<_>, _>>()?;
        let cells: Vec<(usize, &str)> =
            texts.iter().enumerate().filter_map(|(at, text)| Some((at, text.as_deref()?))).collect();
        search.see(&cells, || locator.clone());
    }
    Ok(search.finds())
}
