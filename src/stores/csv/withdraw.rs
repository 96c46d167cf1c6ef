//! Taking rows out of a CSV file again: those whose bytes are as planted, or whose markers all are.

use crate::{
    domain::placement::Planting,
    stores::{
        csv::{
            Place, locator,
            rewrite::{Edits, Held},
            walk,
        },
        store::{Placed, StoreError},
    },
};
use canaries::CanaryId;
use std::collections::HashMap;

/// What was found of one placed row, by the numbers of the records in the file.
#[derive(Default)]
struct Finds {
    as_planted: Option<u64>,
    with_all_markers: Vec<u64>,
    with_most_markers: bool,
}

impl Place {
    pub(super) fn withdraw(&self, placed: &[Placed]) -> Result<Vec<CanaryId>, StoreError> {
        if placed.is_empty() {
            return Ok(Vec::new());
        }
        let mut held = Held::open(&self.path)?;
        let format = self.format(&mut held.file, held.length)?;
        let markers: Vec<Vec<(&str, &str)>> =
            placed.iter().map(|one| identifying(one, self)).collect::<Result<_, _>>()?;
        let by_locator: HashMap<&str, usize> =
            placed.iter().enumerate().map(|(index, one)| (one.locator.as_str(), index)).collect();
        let mut by_value: HashMap<(&str, &str), Vec<usize>> = HashMap::new();
        for (index, markers) in markers.iter().enumerate() {
            for &marker in markers {
                by_value.entry(marker).or_default().push(index);
            }
        }
        let columns: std::collections::BTreeSet<&str> = by_value.keys().map(|(column, _)| *column).collect();

        let mut finds: Vec<Finds> = placed.iter().map(|_| Finds::default()).collect();
        let mut places: Option<Vec<(&str, usize)>> = None;
        let (mut last_kept, mut last) = (0, 0);
        let walk = walk::walk(&mut held.file, &self.path, held.length, &format, &mut |header, number, raw| {
            // A column that has gone from the file since holds no marker.
            let places = places.get_or_insert_with(|| {
                let place = |name: &&str| header.iter().position(|column| column == name);
                columns.iter().filter_map(|name| place(name).map(|at| (*name, at))).collect()
            });
            if let Some(&index) = by_locator.get(locator(raw.body()).as_str())
                && finds[index].as_planted.is_none()
            {
                finds[index].as_planted = Some(number);
                return Ok(true);
            }
            let mut matching: HashMap<usize, usize> = HashMap::new();
            for &(name, at) in places.iter() {
                let value = raw.value(&raw.cells[at]);
                let value = format.encoding.decode(&value);
                for &index in by_value.get(&(name, &*value)).into_iter().flatten() {
                    *matching.entry(index).or_default() += 1;
                }
            }
            for (index, count) in matching {
                if count == markers[index].len() {
                    finds[index].with_all_markers.push(number);
                } else if count * 2 >= markers[index].len() {
                    finds[index].with_most_markers = true;
                }
            }
            Ok(true)
        })?;

        let mut edits = Edits::default();
        let mut withdrawn = Vec::new();
        for (one, finds) in placed.iter().zip(&finds) {
            let record = match (finds.as_planted, &finds.with_all_markers[..]) {
                (Some(record), _) | (None, &[record]) => record,
                (None, []) if !finds.with_most_markers => continue,
                (None, rows) => {
                    return Err(StoreError::Drifted(format!(
                        "{}: the row of canary {} {}: correct the file by hand, then withdraw again",
                        self.path.display(),
                        one.canary,
                        if rows.is_empty() {
                            "has been given other identifiers"
                        } else {
                            "stands there more than once"
                        }
                    )));
                }
            };
            edits.without.insert(record);
            withdrawn.push(one.canary);
        }
        if withdrawn.is_empty() {
            return Ok(withdrawn);
        }
        for number in 0..walk.records {
            last = number;
            if !edits.without.contains(&number) {
                last_kept = number;
            }
        }
        // The last line had no line end: neither has the one before it, once it is gone.
        if walk.ends_bare && last_kept < last {
            edits.bare = Some(last_kept);
        }
        held.replace(&format, &edits, walk.digest)?;
        Ok(withdrawn)
    }
}

/// The columns and values by which a row is known: its markers, or all that was given where it has none.
fn identifying<'a>(one: &'a Placed, place: &Place) -> Result<Vec<(&'a str, &'a str)>, StoreError> {
    let Planting::Row(row) = &one.planting else {
        return Err(StoreError::Refused(format!(
            "{}: a CSV file holds no documents: canary {} was planted elsewhere",
            place.path.display(),
            one.canary
        )));
    };
    let all = row.iter().map(|(column, value)| (column.as_str(), value.as_str()));
    let markers: Vec<_> = all
        .clone()
        .filter(|(column, value)| !value.is_empty() && one.marker_columns.iter().any(|name| name == column))
        .collect();
    Ok(if markers.is_empty() { all.collect() } else { markers })
}
