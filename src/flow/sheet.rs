//! Rows of leaked tables in which canaries stand, held until their file is read: which column each marker stands in,
//! and the values beside it. In memory only, within bounds; whatever is told of them leaves without a value.

use crate::dumps::tables::{Cell, Row};
use canaries::{CanaryId, index::Owner, shape};
use std::collections::BTreeMap;

/// So many rows, and so many bytes of values, are held at once; the rest is counted.
const MOST_ROWS: usize = 20_000;
const MOST_BYTES: usize = 64 << 20;
/// Of one canary so many rows of a file are held.
const MOST_OF_ONE: u32 = 4;

/// The row of one canary.
pub struct CanaryRow {
    pub canary: CanaryId,
    pub cells: Vec<Cell>,
    /// Whether no other canary stands in it: then its values are this one's.
    pub alone: bool,
    /// Whether it belongs to a table, and is no line of prose.
    pub tabular: bool,
}

/// The rows of one file or member.
#[derive(Default)]
pub struct Sheet {
    /// By SQL table; others have none.
    pub tables: BTreeMap<Option<String>, Vec<CanaryRow>>,
    of_one: BTreeMap<CanaryId, u32>,
    rows: usize,
    bytes: usize,
}

impl Sheet {
    /// Takes in a row with these markers, given by their places in its text.
    pub fn add(&mut self, row: &Row<'_>, cells: Vec<Cell>, markers: &[(u64, Owner)]) {
        let mut canaries: Vec<CanaryId> = markers
            .iter()
            .filter_map(|(_, owner)| match owner {
                Owner::Canary(canary) => Some(*canary),
                Owner::Ghost(_) => None,
            })
            .collect();
        canaries.sort_unstable();
        canaries.dedup();
        let alone = canaries.len() == 1;
        for canary in canaries {
            let held = self.of_one.entry(canary).or_default();
            let bytes = row.text.len() + 64 * cells.len();
            if *held >= MOST_OF_ONE || self.rows >= MOST_ROWS || self.bytes + bytes > MOST_BYTES {
                continue;
            }
            *held += 1;
            self.rows += 1;
            self.bytes += bytes;
            let table = row.table().map(str::to_owned);
            let kept = CanaryRow { canary, cells: cells.clone(), alone, tabular: row.is_counted() };
            self.tables.entry(table).or_default().push(kept);
        }
    }
}

/// Which column each of these markers stands in.
pub fn columns(row: &Row<'_>, cells: &[Cell], markers: &[(u64, Owner)]) -> Vec<Option<String>> {
    let at = |place: u64| cells.iter().find(|cell| cell.range.contains(&(place as usize)));
    markers.iter().map(|(place, _)| at(*place).and_then(|cell| column(cell, row))).collect()
}

/// How the column is called: by its name, where that is certainly none of anybody's data, else by its place.
fn column(cell: &Cell, row: &Row<'_>) -> Option<String> {
    let name = cell.name.as_deref().filter(|name| {
        let last = name.rsplit('.').next().unwrap_or(name);
        shape::is_column_name(last) || (row.names_are_schema() && is_identifier(name))
    });
    match name {
        Some(name) => Some(name.to_owned()),
        // Of an object's members the place tells nothing.
        None => (row.is_counted() && !row.is_nested()).then(|| format!("column {}", cell.place + 1)),
    }
}

/// Whether a schema may call a column so.
fn is_identifier(name: &str) -> bool {
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    name.len() <= 64
        && digits <= 4
        && name.starts_with(|first: char| first.is_alphabetic() || first == '_')
        && name.chars().all(|character| character.is_alphanumeric() || matches!(character, '_' | '-' | ';' | ' '))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dumps::tables::Tables;

    fn told(text: &str, marker: &str) -> Vec<Option<String>> {
        let mut told = Vec::new();
        let mut tables = Tables::default();
        let mut look = |row: &Row<'_>| {
            if let Some(place) = String::from_utf8_lossy(row.text).find(marker) {
                told.extend(columns(row, &row.cells(), &[(place as u64, Owner::Ghost(1))]));
            }
        };
        tables.see(text.as_bytes(), &mut look);
        tables.finish(&mut look);
        told
    }

    #[test]
    fn a_column_is_named_only_where_its_name_is_nobodys() {
        let named = |text: &str| told(text, "a@x.org");
        assert_eq!(named("nom;courriel\nA;a@x.org\nB;b@x.org\n"), [Some("courriel".into())]);
        assert_eq!(named("Martin;Lyon\nDupont;a@x.org\nDurand;b@x.org\n"), [Some("column 2".into())]);
        assert_eq!(named("INSERT INTO t (x_contact) VALUES ('a@x.org');"), [Some("x_contact".into())]);
        assert_eq!(named("{\"jdupont\":\"a@x.org\"}\n{\"jdupond\":\"b@x.org\"}\n"), [None]);
        assert_eq!(named("{\"who\":{\"email\":\"a@x.org\"}}\n{}\n"), [Some("who.email".into())]);
        assert_eq!(named("Write to a@x.org now.\n"), [None]);
    }
}
