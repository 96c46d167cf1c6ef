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

/// A row that may be the one: its locator, and how many of the markers it holds.
struct Candidate {
    locator: String,
    matching: usize,
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
        let mut withdrawn = Vec::new();
        for one in placed {
            let Some(locator) = self.find(&transaction, &table, one)? else { continue };
            let row = key::values(&table, &locator).unwrap_or_default();
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

    /// Where the row of a canary stands now; none where it is gone.
    fn find(&self, connection: &Connection, table: &Table, one: &Placed) -> Result<Option<String>, StoreError> {
        let Planting::Row(row) = &one.planting else {
            return Err(self
                .failure
                .refused(format!("a table holds no documents: canary {} was planted elsewhere", one.canary)));
        };
        let all = row.iter().map(|(column, value)| (column.as_str(), value.as_str()));
        let is_marker = |column: &str| one.marker_columns.iter().any(|marker| marker == column);
        let mut markers: Vec<(&str, &str)> =
            all.clone().filter(|(column, value)| is_marker(column) && !value.is_empty()).collect();
        if markers.is_empty() {
            markers = all.collect();
        }
        let wanted = markers.len();
        // A column that has gone from the table since holds no marker.
        markers.retain(|(column, _)| table.column(column).is_some());
        if markers.is_empty() {
            return Ok(None);
        }
        let by_key = || {
            let key = key::values(table, &one.locator)?;
            let condition: Vec<String> = table.key.iter().map(|name| format!("{} = ?", quoted(name))).collect();
            Some((condition.join(" AND "), key))
        };
        let text = |value: &str| Value::Text(value.to_owned());
        let by_markers = || {
            let each: Vec<String> = markers.iter().map(|(column, _)| format!("({} IS ?)", quoted(column))).collect();
            let condition = format!("({}) * 2 >= {wanted}", each.join(" + "));
            (condition, markers.iter().map(|(_, value)| text(value)).collect())
        };
        let look = |(condition, values): (String, Vec<Value>)| {
            candidates(connection, table, &markers, &condition, values).map_err(|error| self.failure.of(error))
        };
        if let Some(query) = by_key()
            && let Some(found) = look(query)?.into_iter().find(|candidate| candidate.matching == wanted)
        {
            return Ok(Some(found.locator));
        }
        let found = look(by_markers())?;
        let whole: Vec<&Candidate> = found.iter().filter(|candidate| candidate.matching == wanted).collect();
        match (&whole[..], found.iter().any(|candidate| candidate.matching * 2 >= wanted)) {
            ([row], _) => Ok(Some(row.locator.clone())),
            ([], false) => Ok(None),
            ([], true) => Err(self.failure.drifted(format!(
                "the row of canary {} in {:?} has been given other identifiers: correct it by hand, then withdraw again",
                one.canary, table.name
            ))),
            _ => Err(self.failure.drifted(format!(
                "the row of canary {} stands more than once in {:?}: take the copies out, then withdraw again",
                one.canary, table.name
            ))),
        }
    }
}

fn candidates(
    connection: &Connection,
    table: &Table,
    markers: &[(&str, &str)],
    condition: &str,
    values: Vec<Value>,
) -> rusqlite::Result<Vec<Candidate>> {
    let names = list(table.key.iter().map(String::as_str).chain(markers.iter().map(|(column, _)| *column)));
    let mut statement =
        connection.prepare_cached(&format!("SELECT {names} FROM {} WHERE {condition}", quoted(&table.name)))?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut candidates = Vec::new();
    while let Some(row) = rows.next()? {
        let mut matching = 0;
        for (index, (_, value)) in markers.iter().enumerate() {
            let stored = key::text(row.get_ref(table.key.len() + index)?);
            matching += usize::from(stored.as_deref() == Some(*value));
        }
        candidates.push(Candidate { locator: key::locator(table, row)?, matching });
    }
    Ok(candidates)
}
