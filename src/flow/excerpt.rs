//! Rows of canaries as a report may show them: which column holds what, and no value. What stands in a cell is said by what was
//! planted there.

use crate::{
    domain::verdict::{Excerpt, ExcerptCell, Holds},
    flow::{
        compared::{Planted, is_same},
        sheet::CanaryRow,
    },
};
use canaries::shape;

/// So many rows are shown of all the material, and so many cells of each.
pub const ROWS: usize = 12;
/// So many are held until it is known which of them are canaries'.
pub const HELD: usize = 200;
const CELLS: usize = 40;

/// One row.
pub fn excerpt(row: &CanaryRow, planted: &Planted) -> Excerpt {
    let cells = row.cells.iter().take(CELLS).map(|cell| {
        // Every part of a path: one of them may be somebody's login, under which a document keeps the rest.
        let named = cell.name.as_deref().filter(|name| name.split('.').all(shape::is_column_name));
        let column = named.map_or_else(|| format!("column {}", cell.place + 1), str::to_owned);
        ExcerptCell { column, holds: holds(&cell.value, planted) }
    });
    Excerpt { canary: row.canary, cells: cells.collect() }
}

fn holds(value: &str, planted: &Planted) -> Holds {
    if value.trim().is_empty() {
        return Holds::Nothing;
    }
    let marker = planted.markers.iter().find(|marker| is_same(&marker.value, value, &planted.markers));
    if let Some(marker) = marker {
        return Holds::Marker(marker.kind);
    }
    let stood = |row: &std::collections::BTreeMap<String, String>| {
        row.values().any(|held| is_same(held, value, &planted.markers))
    };
    let mut newest_first = planted.versions.iter().rev();
    if newest_first.next().is_some_and(|version| stood(&version.row)) {
        Holds::AsPlanted
    } else if newest_first.any(|version| stood(&version.row)) {
        Holds::Earlier
    } else {
        Holds::Other
    }
}
