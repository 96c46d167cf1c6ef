//! Rows of canaries, compared with what was planted: which fields agree, and which differ. A field that had several values in
//! its time dates the copy; one that holds none of them was changed by somebody. Values are compared in memory, and none is told.

use crate::{
    domain::{sighting::Span, verdict::Altered},
    dumps::tables::Cell,
    flow::sheet::CanaryRow,
    ledger::revisions::Version,
};
use canaries::{CanaryId, Marker, index::canonical};
use std::collections::{BTreeMap, BTreeSet};

/// How many fields of one canary's rows agree with what was planted, and how many do not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agreement {
    pub agree: u32,
    pub differ: u32,
    /// Fields that differ in most rows and not by being left out: they were rewritten, or are somebody else's.
    pub rewritten: u32,
    /// Whether each of its values was true once, and all of them never at the same time.
    pub torn: bool,
}

/// What comparing told so far.
#[derive(Default)]
pub struct Compared {
    pub altered: BTreeSet<Altered>,
    pub agreements: BTreeMap<CanaryId, Agreement>,
    /// When the rows of these canaries were copied, by their versions: one span a row.
    pub dated: BTreeMap<CanaryId, Vec<Span>>,
}

/// A canary as it was planted.
pub struct Planted {
    pub store: String,
    /// Its row, version by version; one of an empty row for a document.
    pub versions: Vec<Version>,
    pub markers: Vec<Marker>,
}

impl Planted {
    /// The values that this field had, oldest first.
    fn values(&self, field: &str) -> impl Iterator<Item = &str> {
        self.versions.iter().filter_map(move |version| version.row.get(field)).map(String::as_str)
    }

    /// Which versions hold this text in this field.
    fn holding(&self, field: &str, seen: &str) -> BTreeSet<usize> {
        let holds =
            |version: &&Version| version.row.get(field).is_some_and(|value| is_same(value, seen, &self.markers));
        (0..self.versions.len()).filter(|number| holds(&&self.versions[*number])).collect()
    }

    /// The time in which one of these versions stood there.
    fn span(&self, versions: &BTreeSet<usize>) -> Option<Span> {
        let (first, last) = (self.versions.get(*versions.first()?)?, self.versions.get(*versions.last()?)?);
        Some(Span { from: first.from, until: last.until })
    }
}

/// What this row looks most like, of all that was planted of its canary: a coded persona stands in several stores, each of
/// which writes it in its own way.
pub fn likest<'a>(planted: &'a [Planted], row: &CanaryRow) -> Option<&'a Planted> {
    let alike = |planted: &&Planted| {
        let held = |cell: &&Cell| {
            planted.versions.iter().any(|version| version.row.values().any(|value| *value == cell.value))
        };
        row.cells.iter().filter(held).count()
    };
    match planted {
        [one] => Some(one),
        // The first of those that are equally like it.
        several => several.iter().rev().max_by_key(alike),
    }
}

/// Where a value stands in the rows of one table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Column {
    Named(String),
    Placed(usize),
}

impl Column {
    fn of(cell: &Cell) -> Column {
        match &cell.name {
            Some(name) => Column::Named(folded(name)),
            None => Column::Placed(cell.place),
        }
    }
}

impl Compared {
    /// Compares the rows of one table. Which column is which is told by its name, else by where the planted values of
    /// most rows stand.
    pub fn compare(&mut self, rows: &[CanaryRow], planted: &BTreeMap<CanaryId, Vec<Planted>>) {
        let rows: Vec<(&CanaryRow, &Planted)> = rows
            .iter()
            .filter(|row| row.alone && row.tabular)
            .filter_map(|row| Some((row, likest(planted.get(&row.canary)?, row)?)))
            .collect();
        let mut by_store: BTreeMap<&str, Vec<(&CanaryRow, &Planted)>> = BTreeMap::new();
        for (row, planted) in rows {
            by_store.entry(&planted.store).or_default().push((row, planted));
        }
        for rows in by_store.into_values() {
            self.compare_store(&rows);
        }
    }

    fn compare_store(&mut self, rows: &[(&CanaryRow, &Planted)]) {
        let fields: BTreeSet<&str> = rows
            .iter()
            .flat_map(|(_, planted)| planted.versions.first())
            .flat_map(|version| version.row.keys())
            .map(String::as_str)
            .collect();
        // Row by row: the fields that agree, and those that do not.
        let (mut agreeing, mut rewritten) = (vec![0; rows.len()], vec![0; rows.len()]);
        let mut differing: Vec<Vec<&str>> = vec![Vec::new(); rows.len()];
        // The versions that each row may be, once a field that had several values tells.
        let mut versions: Vec<Option<BTreeSet<usize>>> = vec![None; rows.len()];
        for field in fields {
            let Some(column) = column_of(field, rows) else { continue };
            let compared: Vec<(usize, BTreeSet<usize>)> = rows
                .iter()
                .enumerate()
                .filter_map(|(number, (row, planted))| {
                    planted.values(field).next()?;
                    let mut cells = row.cells.iter().filter(|cell| Column::of(cell) == column).peekable();
                    cells.peek()?;
                    Some((number, cells.flat_map(|cell| planted.holding(field, &cell.value)).collect()))
                })
                .collect();
            let differ = compared.iter().filter(|(_, holding)| holding.is_empty()).count();
            // What differs in most rows was rewritten by whoever copied it, and tells nothing of one row.
            if compared.len() > 1 && differ * 2 > compared.len() {
                if is_varied(&column, rows) {
                    compared.iter().filter(|(_, holding)| holding.is_empty()).for_each(|(row, _)| rewritten[*row] += 1);
                }
                continue;
            }
            for (number, holding) in compared {
                if holding.is_empty() {
                    differing[number].push(field);
                    continue;
                }
                agreeing[number] += 1;
                if holding.len() < rows[number].1.versions.len() {
                    let may_be = &mut versions[number];
                    *may_be = Some(match may_be.take() {
                        None => holding,
                        Some(before) => before.intersection(&holding).copied().collect(),
                    });
                }
            }
        }
        for (number, (row, planted)) in rows.iter().enumerate() {
            let agreement = self.agreements.entry(row.canary).or_default();
            agreement.agree = agreement.agree.max(agreeing[number]);
            agreement.differ = agreement.differ.max(differing[number].len() as u32);
            agreement.rewritten = agreement.rewritten.max(rewritten[number]);
            agreement.torn |= versions[number].as_ref().is_some_and(BTreeSet::is_empty);
            // With less in common it may be a row about something else.
            if agreeing[number] >= 2 {
                let told = |field: &&str| Altered { canary: row.canary, field: (*field).to_owned() };
                self.altered.extend(differing[number].iter().map(told));
                let span = versions[number].as_ref().and_then(|versions| planted.span(versions));
                self.dated.entry(row.canary).or_default().extend(span);
            }
        }
    }
}

/// The column of these rows that holds this field.
fn column_of(field: &str, rows: &[(&CanaryRow, &Planted)]) -> Option<Column> {
    let wanted = folded(field);
    let named = |cell: &&Cell| {
        let name = cell.name.as_deref()?;
        let last = name.rsplit('.').next().unwrap_or(name);
        (folded(last) == wanted).then(|| Column::of(cell))
    };
    if let Some(column) = rows.iter().flat_map(|(row, _)| &row.cells).find_map(|cell| named(&cell)) {
        return Some(column);
    }
    let mut votes: BTreeMap<Column, usize> = BTreeMap::new();
    for (row, planted) in rows {
        if planted.values(field).all(|value| value.trim().len() <= 1) {
            continue;
        }
        let places: BTreeSet<Column> =
            row.cells.iter().filter(|cell| !planted.holding(field, &cell.value).is_empty()).map(Column::of).collect();
        places.into_iter().for_each(|column| *votes.entry(column).or_default() += 1);
    }
    let (column, count) = votes.into_iter().max_by_key(|(_, count)| *count)?;
    (count >= 2 && count * 2 > rows.len()).then_some(column)
}

/// Whether a column holds different texts from row to row: one that was blanked or masked does not.
fn is_varied(column: &Column, rows: &[(&CanaryRow, &Planted)]) -> bool {
    let cells = rows.iter().flat_map(|(row, _)| &row.cells).filter(|cell| Column::of(cell) == *column);
    let values: Vec<&str> = cells.map(|cell| cell.value.trim()).collect();
    let distinct: BTreeSet<&str> = values.iter().copied().filter(|value| !value.is_empty()).collect();
    distinct.len() > 1 && distinct.len() * 2 > values.len()
}

/// A column's name without what writers of names differ in.
fn folded(name: &str) -> String {
    name.chars().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Whether two texts are one value, however each was written: case, numbers, dates, the separators of a marker.
pub fn is_same(planted: &str, seen: &str, markers: &[Marker]) -> bool {
    let (planted, seen) = (planted.trim(), seen.trim());
    if planted == seen || planted.to_lowercase() == seen.to_lowercase() {
        return true;
    }
    if planted.is_empty() || seen.is_empty() {
        return false;
    }
    let number = |text: &str| text.replace(',', ".").parse::<f64>().ok();
    if number(planted).is_some_and(|old| number(seen) == Some(old)) {
        return true;
    }
    let kinds = markers.iter().filter(|marker| marker.value.trim() == planted).map(|marker| marker.kind);
    for kind in kinds {
        let form = canonical(kind, planted);
        if form.is_some() && form == canonical(kind, seen) {
            return true;
        }
    }
    matches!((date(planted), date(seen)), (Some(old), Some(new)) if old == new)
}

/// The numbers of a date in no order, a midnight left out.
pub(super) fn date(text: &str) -> Option<Vec<u32>> {
    if text.len() > 32 || !text.bytes().all(|byte| byte.is_ascii_digit() || b"-/.: TZ+".contains(&byte)) {
        return None;
    }
    let mut numbers: Vec<u32> =
        text.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect();
    let year = |number: &u32| (1900..2200).contains(number);
    if !(numbers.first().is_some_and(year) || numbers.get(2).is_some_and(year)) || numbers.len() < 3 {
        return None;
    }
    while numbers.len() > 3 && numbers.last() == Some(&0) {
        numbers.pop();
    }
    numbers.sort_unstable();
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use canaries::MarkerKind;
    use jiff::Timestamp;

    fn row(number: u8, values: &[(&str, &str)]) -> CanaryRow {
        let cells = values
            .iter()
            .enumerate()
            .map(|(place, (name, value))| Cell {
                name: (!name.is_empty()).then(|| (*name).to_owned()),
                place,
                range: 0..0,
                value: (*value).to_owned(),
            })
            .collect();
        CanaryRow { canary: CanaryId([number; 10]), cells, alone: true, tabular: true }
    }

    fn version(from: i64, until: Option<i64>, values: &[(&str, &str)]) -> Version {
        let at = |second| Timestamp::from_second(second).unwrap();
        let row = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Version { from: at(from), until: until.map(at), row }
    }

    fn planted(values: &[(&str, &str)]) -> Planted {
        Planted {
            store: "payroll".to_owned(),
            versions: vec![version(0, None, values)],
            markers: vec![Marker { kind: MarkerKind::Phone, value: "0639980012".to_owned() }],
        }
    }

    fn altered(rows: &[CanaryRow], known: &[(u8, Planted)]) -> Vec<String> {
        let known = known.iter().map(|(number, planted)| (CanaryId([*number; 10]), vec![copy(planted)])).collect();
        let mut compared = Compared::default();
        compared.compare(rows, &known);
        compared.altered.into_iter().map(|altered| altered.field).collect()
    }

    #[test]
    fn only_what_means_something_else_is_altered() {
        let known =
            [(1, planted(&[("mail", "a@x.org"), ("tel", "0639980012"), ("hired", "2020-03-01"), ("pay", "41000")]))];
        let seen = [("Mail", "A@X.org"), ("TEL", "+33 6 39 98 00 12"), ("hired", "01/03/2020"), ("pay", "41000.00")];
        assert!(altered(&[row(1, &seen)], &known).is_empty(), "the same, written otherwise");
        let seen = [("Mail", "a@x.org"), ("TEL", "0639980012"), ("hired", "2020-03-01"), ("pay", "43500")];
        assert_eq!(altered(&[row(1, &seen)], &known), ["pay"]);
        let seen = [("Mail", "a@x.org"), ("pay", "43500")];
        assert!(altered(&[row(1, &seen)], &known).is_empty(), "too little in common to be sure that it is the row");
    }

    #[test]
    fn columns_without_names_are_told_by_what_most_rows_hold() {
        let known: Vec<(u8, Planted)> = (1..=4)
            .map(|number| {
                let (mail, pay, town) = (format!("m{number}@x.org"), format!("4{number}000"), format!("Town{number}"));
                (number, planted(&[("mail", &mail), ("pay", &pay), ("town", &town)]))
            })
            .collect();
        let mut rows: Vec<CanaryRow> = (1..=4)
            .map(|number| {
                let (mail, pay, town) = (format!("m{number}@x.org"), format!("4{number}000"), format!("Town{number}"));
                row(number, &[("", "x"), ("", &mail), ("", &pay), ("", &town)])
            })
            .collect();
        assert!(altered(&rows, &known).is_empty());
        rows[2].cells[2].value = "99000".to_owned();
        assert_eq!(altered(&rows, &known), ["pay"]);
        rows.iter_mut().for_each(|row| row.cells[2].value = "hidden".to_owned());
        assert!(altered(&rows, &known).is_empty(), "a column that was rewritten tells nothing of a row");
    }

    #[test]
    fn a_version_dates_the_copy_and_is_no_alteration() {
        let versions = [("41000", "clerk"), ("42000", "clerk"), ("42000", "head"), ("43000", "head")];
        let mut known = planted(&[]);
        known.versions = versions
            .iter()
            .enumerate()
            .map(|(number, (pay, title))| {
                let from = number as i64 * 100;
                let values = [("mail", "a@x.org"), ("tel", "0639980012"), ("pay", *pay), ("title", *title)];
                version(from, (number < 3).then_some(from + 110), &values)
            })
            .collect();
        let read = |pay: &str, title: &str| {
            let seen = [("mail", "a@x.org"), ("tel", "0639980012"), ("pay", pay), ("title", title)];
            let mut compared = Compared::default();
            compared.compare(&[row(1, &seen)], &BTreeMap::from([(CanaryId([1; 10]), vec![copy(&known)])]));
            let spans = compared.dated.into_values().flatten();
            let spans: Vec<_> =
                spans.map(|span| (span.from.as_second(), span.until.map(Timestamp::as_second))).collect();
            (spans, compared.altered.len())
        };
        assert_eq!(read("41000", "clerk"), (vec![(0, Some(110))], 0));
        assert_eq!(read("42000", "clerk"), (vec![(100, Some(210))], 0));
        assert_eq!(read("43000", "head"), (vec![(300, None)], 0));
        assert_eq!(read("41000", "head"), (vec![], 0), "no version was ever so");
        assert_eq!(read("99999", "head"), (vec![(200, None)], 1), "what was changed dates nothing, and the rest does");
    }

    #[test]
    fn a_row_of_somebody_who_stands_in_two_stores_is_compared_with_its_own() {
        let of = |store: &str, values: &[(&str, &str)]| Planted { store: store.to_owned(), ..planted(values) };
        let first = [("mail", "a@x.org"), ("number", "104711"), ("city", "Rennes"), ("pay", "2400")];
        let second = [("mail", "a@x.org"), ("number", "M-4711"), ("city", "RENNES CEDEX"), ("pay", "28800.00")];
        let known = BTreeMap::from([(CanaryId([1; 10]), vec![of("hris", &first), of("payroll", &second)])]);
        let mut compared = Compared::default();
        compared.compare(&[row(1, &first), row(1, &second)], &known);
        assert!(compared.altered.is_empty(), "{:?}", compared.altered);
        let agreement = compared.agreements[&CanaryId([1; 10])];
        assert_eq!((agreement.agree, agreement.differ, agreement.rewritten), (4, 0, 0));
    }

    fn copy(planted: &Planted) -> Planted {
        let Planted { store, versions, markers } = planted;
        Planted { store: store.clone(), versions: versions.clone(), markers: markers.clone() }
    }
}
