//! Planting in a CSV file: new rows among the old, at places that only the canary's id decides.

use crate::{
    domain::placement::Planting,
    stores::{
        csv::{
            Place, compose,
            compose::ColumnNotes,
            folded, locator,
            rewrite::{Edits, Held},
            walk,
        },
        store::{NewPlanting, StoreError},
    },
};
use canaries::CanaryId;
use std::collections::{BTreeMap, BTreeSet, HashMap};

impl Place {
    pub(super) fn plant(&self, plantings: &[NewPlanting]) -> Result<Vec<String>, StoreError> {
        let rows = self.rows(plantings)?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let mut held = Held::open(&self.path)?;
        let format = self.format(&mut held.file, held.length)?;

        let mut watch: Option<Watch> = None;
        let mut notes: Vec<ColumnNotes> = Vec::new();
        let mut places: Vec<u64> = Vec::new();
        let walk = walk::walk(&mut held.file, &self.path, held.length, &format, &mut |header, number, raw| {
            let watch = match &mut watch {
                Some(watch) => watch,
                None => watch.insert(Watch::new(header, plantings, &rows, self)?),
            };
            notes.resize_with(header.len(), ColumnNotes::default);
            for (cell, notes) in raw.cells.iter().zip(&mut notes) {
                notes.see(cell.quoted, &raw.value(cell), format.delimiter);
            }
            for (&index, values) in &watch.values {
                let value = folded(&format.encoding.decode(&raw.value(&raw.cells[index])));
                watch.taken.extend(values.get(&value).into_iter().flatten());
            }
            places.push(number);
            Ok(true)
        })?;
        let watch = match watch {
            Some(watch) => watch,
            None => Watch::new(&walk.header, plantings, &rows, self)?,
        };
        if !watch.taken.is_empty() {
            return Err(StoreError::Taken(watch.taken.into_iter().collect()));
        }
        if places.is_empty() {
            notes = compose::notes(&walk.header_record, format.delimiter);
        }

        let mut lines = Vec::with_capacity(rows.len());
        for (nth, row) in rows.iter().enumerate() {
            for name in row.keys() {
                walk.column(name, &self.path)?;
            }
            let values: Vec<Option<&str>> = walk.header.iter().map(|name| row.get(name.as_str()).copied()).collect();
            let line = compose::row(&values, &notes, format.encoding, format.delimiter, nth as u64).map_err(|column| {
                StoreError::Refused(format!(
                    "{}: a new value for column {:?} has a character that {} cannot write: choose another locale, or \
                     export the file as UTF-8",
                    self.path.display(),
                    walk.header[column],
                    format.encoding.name()
                ))
            })?;
            lines.push(line);
        }
        let locators = lines.iter().map(|line| locator(line)).collect();

        let mut edits = Edits::default();
        let end = walk.line_end();
        if places.is_empty() {
            for line in lines {
                // A file that ends without a line end goes on doing so.
                let parts: [&[u8]; 2] = if walk.ends_bare { [end, &line] } else { [&line, end] };
                edits.behind.extend(parts.concat());
            }
        } else {
            let mut order: Vec<(u64, u64, Vec<u8>)> = plantings
                .iter()
                .zip(lines)
                .map(|(new, line)| {
                    let (place, tie) = draw(new.canary);
                    (places[(place % places.len() as u64) as usize], tie, line)
                })
                .collect();
            order.sort_unstable();
            for (place, _, mut line) in order {
                line.extend_from_slice(end);
                edits.before.entry(place).or_default().push(line);
            }
        }
        held.replace(&format, &edits, walk.digest)?;
        Ok(locators)
    }

    /// The given columns of each new row, constants included.
    fn rows<'a>(&'a self, plantings: &'a [NewPlanting]) -> Result<Vec<BTreeMap<&'a str, &'a str>>, StoreError> {
        let path = self.path.display();
        plantings
            .iter()
            .map(|new| {
                let Planting::Row(given) = &new.planting else {
                    return Err(StoreError::Refused(format!(
                        "{path}: a CSV file takes rows, not documents: plant those in a store of kind `folder`"
                    )));
                };
                let mut row: BTreeMap<&str, &str> =
                    given.iter().map(|(column, value)| (column.as_str(), value.as_str())).collect();
                for (column, value) in &self.config.constants {
                    if row.insert(column, value).is_some_and(|given| given != value) {
                        return Err(StoreError::Refused(format!(
                            "{path}: column {column:?} is constant and yet given another value: take it out of \
                             `constants` or of `columns`"
                        )));
                    }
                }
                Ok(row)
            })
            .collect()
    }
}

/// Two numbers that only the canary's id decides.
fn draw(canary: CanaryId) -> (u64, u64) {
    let digest = blake3::derive_key("telltale csv place of a row", &canary.0);
    let number = |at: usize| u64::from_be_bytes(digest[at..at + 8].try_into().expect("eight of 32 bytes"));
    (number(0), number(8))
}

/// Whose marker values are looked for in which column.
struct Watch {
    values: HashMap<usize, HashMap<String, Vec<CanaryId>>>,
    taken: BTreeSet<CanaryId>,
}

impl Watch {
    fn new(
        header: &[String],
        plantings: &[NewPlanting],
        rows: &[BTreeMap<&str, &str>],
        place: &Place,
    ) -> Result<Watch, StoreError> {
        let mut watch = Watch { values: HashMap::new(), taken: BTreeSet::new() };
        for (new, row) in plantings.iter().zip(rows) {
            for name in &new.marker_columns {
                let index = walk::column(header, name, &place.path)?;
                let Some(value) = row.get(name.as_str()).map(|value| folded(value)).filter(|value| !value.is_empty())
                else {
                    continue;
                };
                let owners = watch.values.entry(index).or_default().entry(value).or_default();
                // Two of the new ones with one value: the later is minted anew.
                if !owners.is_empty() {
                    watch.taken.insert(new.canary);
                }
                owners.push(new.canary);
            }
        }
        Ok(watch)
    }
}
