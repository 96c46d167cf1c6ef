//! A table that is written as text, cut into its rows while it streams by: CSV and its kin, SQL inserts and copies,
//! JSON, LDIF. A row is bounded, every byte is looked at a bounded number of times, and no text upsets it: what fits no
//! table is cut into lines, which count as nothing. It keeps no row.

mod cells;
mod delimited;
mod json;
mod ldif;
mod recognise;
mod sql;
mod sql_head;

use crate::dumps::tables::{delimited::Delimited, json::Json, ldif::Ldif, sql::Sql};
use std::ops::Range;

/// The longest row that is understood; longer ones are counted, if they are rows, and passed over.
const LONGEST: usize = 1 << 20;
/// How much of a text is looked at to tell what table it is.
const HEAD: usize = 64 << 10;
/// The most cells that a row is split into.
const CELLS: usize = 4_096;

/// One value of a row.
#[derive(Clone, PartialEq, Eq)]
pub struct Cell {
    /// The column's name, where the table tells it.
    pub name: Option<String>,
    /// The column's place, from 0.
    pub place: usize,
    /// Where it stands in the row's text, quotes included.
    pub range: Range<usize>,
    /// What it means, its quoting undone; empty for a null.
    pub value: String,
}

/// One row, as it streams by.
pub struct Row<'a> {
    /// Of its first byte, in the text.
    pub offset: u64,
    pub text: &'a [u8],
    layout: &'a Layout,
}

impl Row<'_> {
    /// Its values. Costs as much as it is long, so it is asked for only where it matters.
    pub fn cells(&self) -> Vec<Cell> {
        match self.layout {
            Layout::Delimited(table) => table.cells(self.text),
            Layout::Sql(table) => table.cells(self.text),
            Layout::Json(_) => json::cells(self.text),
            Layout::Ldif(_) => ldif::cells(self.text),
            Layout::Lines(_) => cells::of_line(self.text),
        }
    }

    /// The name of the SQL table that it belongs to.
    pub fn table(&self) -> Option<&str> {
        match self.layout {
            Layout::Sql(table) => table.name(),
            _ => None,
        }
    }

    /// Whether the names of its columns are the schema's own, and cannot be anybody's data.
    pub fn names_are_schema(&self) -> bool {
        matches!(self.layout, Layout::Sql(_) | Layout::Ldif(_))
    }

    /// Whether it is an object, whose members have no order that means anything.
    pub fn is_nested(&self) -> bool {
        matches!(self.layout, Layout::Json(_))
    }

    /// Whether it is the row of a table, and no line of prose.
    pub fn is_counted(&self) -> bool {
        !matches!(self.layout, Layout::Lines(_))
    }
}

/// What the text at some place is. All places are in the text that was shown.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// A row; what follows it begins at `next`.
    Row { from: usize, to: usize, next: usize },
    /// No row up to here.
    Skip(usize),
    /// The end, or the rest, of a row that was too long to be shown.
    Long(usize),
    /// More text has to be seen.
    More,
}

enum Layout {
    Delimited(Delimited),
    Sql(Sql),
    Json(Json),
    Ldif(Ldif),
    Lines(Lines),
}

impl Layout {
    fn step(&mut self, text: &[u8], from: usize, last: bool) -> Step {
        match self {
            Layout::Delimited(table) => table.step(text, from, last),
            Layout::Sql(table) => table.step(text, from, last),
            Layout::Json(table) => table.step(text, from, last),
            Layout::Ldif(table) => table.step(text, from, last),
            Layout::Lines(lines) => lines.step(text, from, last),
        }
    }

    /// A row began here and does not end: says where to go on.
    fn overflow(&mut self, text: &[u8], from: usize) -> Step {
        match self {
            Layout::Delimited(table) => table.overflow(text, from),
            Layout::Sql(table) => table.overflow(text, from),
            Layout::Json(_) => Step::Skip(text.len()),
            Layout::Ldif(table) => table.overflow(text),
            Layout::Lines(lines) => lines.overflow(text),
        }
    }
}

/// The rows of one text, cut while it streams by.
#[derive(Default)]
pub struct Tables {
    /// None until enough was seen to tell.
    layout: Option<Layout>,
    /// Text that no row has used up yet.
    pending: Vec<u8>,
    /// Of the first byte that is pending, in the text.
    offset: u64,
    /// Not before so much is pending is it worth another look.
    enough: usize,
    rows: u64,
}

impl Tables {
    /// For a text of which the beginning was not seen.
    pub fn starting_at(offset: u64) -> Tables {
        Tables { offset, ..Tables::default() }
    }

    /// Takes in the next part of the text, and shows each row that ends in it.
    pub fn see(&mut self, text: &[u8], visit: &mut dyn FnMut(&Row<'_>)) {
        if self.pending.is_empty() && self.layout.is_some() {
            let used = self.cut(text, false, visit);
            self.pending.extend_from_slice(&text[used..]);
        } else {
            self.pending.extend_from_slice(text);
            self.cut_pending(false, visit);
        }
    }

    /// Where in the text the first byte stands that no row has used up yet.
    pub fn reached(&self) -> u64 {
        self.offset
    }

    /// Ends the text, shows what is left, and answers how many rows there were; none if it was no table.
    pub fn finish(mut self, visit: &mut dyn FnMut(&Row<'_>)) -> Option<u64> {
        self.cut_pending(true, visit);
        match self.layout {
            None | Some(Layout::Lines(_)) => None,
            Some(_) => Some(self.rows),
        }
    }

    fn cut_pending(&mut self, last: bool, visit: &mut dyn FnMut(&Row<'_>)) {
        if !last && self.pending.len() < self.enough.max(if self.layout.is_none() { HEAD } else { 0 }) {
            return;
        }
        if self.layout.is_none() {
            let cut = !last || self.pending.len() > HEAD;
            self.layout = Some(recognise::recognise(&self.pending[..self.pending.len().min(HEAD)], cut));
        }
        let mut pending = std::mem::take(&mut self.pending);
        let used = self.cut(&pending, last, visit);
        pending.drain(..used);
        self.pending = pending;
    }

    /// Shows the rows of this text, and answers how much of it they used up.
    fn cut(&mut self, text: &[u8], last: bool, visit: &mut dyn FnMut(&Row<'_>)) -> usize {
        let Some(layout) = &mut self.layout else { return 0 };
        let mut at = 0;
        while at < text.len() {
            let mut step = layout.step(text, at, last);
            if step == Step::More {
                if !last && text.len() - at < LONGEST {
                    break;
                }
                step = layout.overflow(text, at);
            }
            at = match step {
                Step::Row { from, to, next } => {
                    self.rows += u64::from(!matches!(layout, Layout::Lines(_)));
                    visit(&Row { offset: self.offset + from as u64, text: &text[from..to], layout });
                    next
                }
                Step::Long(next) => {
                    self.rows += 1;
                    next
                }
                Step::Skip(next) => next,
                Step::More => text.len(),
            }
            .max(at + 1);
        }
        let at = at.min(text.len());
        self.offset += at as u64;
        // What is left is looked at again once it has doubled: so each byte is seen a few times at most.
        self.enough = (text.len() - at) * 2;
        at
    }
}

/// Text that is no table, line by line.
#[derive(Default)]
struct Lines {
    /// In the middle of a line that was too long.
    within: bool,
}

impl Lines {
    fn step(&mut self, text: &[u8], from: usize, last: bool) -> Step {
        let end = match memchr::memchr(b'\n', &text[from..]) {
            Some(length) => from + length,
            None if last => text.len(),
            None => return Step::More,
        };
        let next = (end + 1).min(text.len());
        if std::mem::take(&mut self.within) { Step::Skip(next) } else { Step::Row { from, to: end, next } }
    }

    fn overflow(&mut self, text: &[u8]) -> Step {
        self.within = true;
        Step::Skip(text.len())
    }
}

#[cfg(test)]
mod tests;
