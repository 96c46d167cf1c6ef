//! Decides what stands in the columns that a planting does not give, from the constraints of the schema and the rows
//! that are there.

use crate::stores::{
    sqlite::{
        failure::Failure,
        likeness::{Draw, Likeness},
        table::{Column, Reference, Table, list, quoted},
    },
    store::StoreError,
};
use canaries::CanaryId;
use rusqlite::{Connection, OptionalExtension, types::Value};
use std::collections::{BTreeMap, BTreeSet};

const ATTEMPTS: u32 = 1000;
/// What fewer rows share may be somebody's own, and is not given where it may be left empty.
const CROWD: u64 = 10;

enum How {
    /// The same in every row: an allowed key, a code.
    Fixed(Value),
    /// Like the others.
    Like { likeness: Box<Likeness>, unique: bool },
}

/// How the columns beside those that are given are filled.
pub struct Fillers {
    columns: BTreeMap<String, How>,
    /// Which of them are left empty in a part of the rows, by the name under which that is drawn.
    sparse: BTreeMap<String, (String, f64)>,
    /// Whether any of them is filled only so as to look like the others.
    pub optional: bool,
}

impl Fillers {
    /// Finds out for the plantings that give these columns. Those that may be empty stay so, unless `sparse` ones are to
    /// be filled as often as in the other rows: with what many rows share, or a number or date among theirs.
    pub fn find(
        connection: &Connection,
        table: &Table,
        given: &BTreeSet<String>,
        sparse: bool,
        failure: &Failure,
    ) -> Result<Fillers, StoreError> {
        let mut fillers = Fillers { columns: BTreeMap::new(), sparse: BTreeMap::new(), optional: false };
        let mut settled: BTreeSet<&str> = given.iter().map(String::as_str).collect();
        settled.extend(table.columns.iter().filter(|column| column.generated).map(|column| column.name.as_str()));
        for reference in &table.references {
            let names: Vec<&str> = reference.columns.iter().map(|(here, _)| here.as_str()).collect();
            if names.iter().any(|name| settled.contains(name)) {
                continue;
            }
            if let Some((values, empty)) = fillers.reference(connection, table, reference, sparse, failure)? {
                fillers.optional |= empty > 0.0;
                for (name, value) in names.iter().zip(values) {
                    fillers.sparse.insert((*name).to_owned(), (names.concat(), empty));
                    fillers.columns.insert((*name).to_owned(), How::Fixed(value));
                }
            }
            settled.extend(names);
        }
        for column in table.columns.iter().filter(|column| !settled.contains(column.name.as_str())) {
            let select = format!("SELECT {} FROM {}", quoted(&column.name), quoted(&table.name));
            let likeness =
                Likeness::study(connection, &select, &column.type_name).map_err(|error| failure.of(error))?;
            let empty = likeness.empty();
            let listed = if likeness.is_empty() { table.allowed(&column.name) } else { None };
            let how = match (column.not_null, column.unique, likeness.code()) {
                (true, false, None) if listed.is_some() => How::Fixed(listed.unwrap_or(Value::Null)),
                (_, false, Some(code)) if column.not_null || likeness.empty() == 0.0 || sparse => How::Fixed(code),
                (false, false, None) if sparse && likeness.is_nobodys_own() => {
                    How::Like { likeness: Box::new(likeness), unique: false }
                }
                (false, ..) => continue,
                (true, unique, _) => How::Like { likeness: Box::new(likeness), unique },
            };
            // A code is given to a column that is never empty in any case.
            fillers.optional |= !column.not_null && (!matches!(how, How::Fixed(_)) || empty > 0.0);
            fillers.columns.insert(column.name.clone(), how);
            if !column.not_null {
                fillers.sparse.insert(column.name.clone(), (column.name.clone(), empty));
            }
        }
        Ok(fillers)
    }

    /// A key that many rows have, and the part of the rows that have none; nothing where the columns are to be left null.
    fn reference(
        &self,
        connection: &Connection,
        table: &Table,
        reference: &Reference,
        sparse: bool,
        failure: &Failure,
    ) -> Result<Option<(Vec<Value>, f64)>, StoreError> {
        let columns: Vec<&Column> = reference.columns.iter().filter_map(|(here, _)| table.column(here)).collect();
        let nullable = columns.iter().any(|column| !column.not_null);
        let refuse = |why: &str| {
            let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            failure.refused(format!(
                "column {} of {:?} refers to table {:?}, {why}",
                list(names.iter().copied()),
                table.name,
                reference.table
            ))
        };
        if columns.iter().any(|column| column.unique) {
            return match nullable {
                true => Ok(None),
                false => Err(refuse("one row for each: a canary would take somebody's; name another table")),
            };
        }
        let here = list(reference.columns.iter().map(|(here, _)| here.as_str()));
        let there = list(reference.columns.iter().map(|(_, there)| there.as_str()));
        let (own, parent) = (quoted(&table.name), quoted(&reference.table));
        let is_null =
            |names: &str| names.split(", ").map(|name| format!("{name} IS NULL")).collect::<Vec<_>>().join(" OR ");
        let values = |query: &str| {
            connection
                .query_row(query, [], |row| (0..columns.len()).map(|index| row.get(index)).collect())
                .optional()
                .map_err(|error| failure.of(error))
        };
        let empty: Option<f64> = connection
            .query_row(&format!("SELECT avg({}) FROM {own}", is_null(&here)), [], |row| row.get(0))
            .map_err(|error| failure.of(error))?;
        let empty = if nullable { empty.unwrap_or(1.0) } else { 0.0 };
        // Rows of the same table are persons: a canary under one of them would be noticed.
        let sparse = sparse && !reference.table.eq_ignore_ascii_case(&table.name);
        if empty == 1.0 || empty > 0.0 && !sparse {
            return Ok(None);
        }
        let shared = if empty > 0.0 { CROWD } else { 1 };
        let usual = values(&format!(
            "SELECT {here} FROM {own} WHERE NOT ({}) GROUP BY {here} HAVING count(*) >= {shared} ORDER BY count(*) DESC, \
             {here} LIMIT 1",
            is_null(&here)
        ))?;
        let allowed = match usual {
            Some(usual) => Some(usual),
            None if empty > 0.0 => None,
            None => values(&format!("SELECT {there} FROM {parent} WHERE NOT ({}) LIMIT 1", is_null(&there)))?,
        };
        match allowed {
            None if !nullable => Err(refuse("which has no row to refer to: fill it first")),
            allowed => Ok(allowed.map(|values| (values, empty))),
        }
    }

    /// The columns of one new row that are not given.
    pub fn fill(
        &self,
        connection: &Connection,
        table: &Table,
        canary: CanaryId,
        nth: u64,
        failure: &Failure,
    ) -> Result<Vec<(String, Value)>, StoreError> {
        let left_empty = |column: &&String| {
            self.sparse
                .get(*column)
                .is_some_and(|(name, part)| Draw::new(canary, &format!("{name} empty"), 0).happens(*part))
        };
        self.columns
            .iter()
            .filter(|(column, _)| !left_empty(column))
            .map(|(column, how)| {
                let value = match how {
                    How::Fixed(value) => value.clone(),
                    How::Like { likeness, unique } => {
                        let taken = format!(
                            "SELECT EXISTS (SELECT 1 FROM {} WHERE {} = ?1)",
                            quoted(&table.name),
                            quoted(column)
                        );
                        let mut found = None;
                        for attempt in 0..ATTEMPTS {
                            let mut draw = Draw::new(canary, column, attempt);
                            let Some(value) = likeness.another(*unique, nth, &mut draw) else { break };
                            let is_taken = *unique
                                && connection
                                    .prepare_cached(&taken)
                                    .and_then(|mut query| query.query_row([&value], |row| row.get(0)))
                                    .map_err(|error| failure.of(error))?;
                            if !is_taken {
                                found = Some(value);
                                break;
                            }
                        }
                        found.ok_or_else(|| {
                            failure.refused(format!(
                                "column {column:?} of {:?} must have a value in every row, a different one, and those \
                                 identify persons: map it in `columns`",
                                table.name
                            ))
                        })?
                    }
                };
                Ok((column.clone(), value))
            })
            .collect()
    }
}
