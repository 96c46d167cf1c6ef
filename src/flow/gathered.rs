//! What was found in one file or member, as it streams by: held until it is known which weak markers stand near another
//! of their canary, and in which row and column each stands. Memory does not grow with the file.

use crate::{
    dumps::tables::{Row, Tables},
    flow::{
        observe::name,
        sheet::{self, Sheet},
        trace::Finding,
    },
};
use canaries::{
    CanaryId, MarkerKind,
    index::{self, Found},
};
use std::collections::{BTreeMap, BTreeSet};

/// How far from a weak marker its second one may begin.
const NEARBY: u64 = 2_000;

/// In which column markers stand: column, kind, and the canaries.
pub type Columns = BTreeMap<(String, MarkerKind), BTreeSet<CanaryId>>;

/// One file or member on its way.
#[derive(Default)]
pub struct Gathered {
    member: Option<String>,
    found: Vec<Found>,
    /// The column of each finding, as far as its row has been read.
    columns: Vec<Option<String>>,
    /// Findings before this one have been told, and are kept for their neighbours only.
    told: usize,
    /// Findings before this one have met their row, or have none.
    placed: usize,
    tables: Tables,
    /// Where the text goes on.
    next: u64,
    /// A part of a file shows no table: its header is elsewhere.
    part: bool,
    sheet: Sheet,
    /// Whether rows are wanted, and not only their columns.
    keeps_rows: bool,
    /// Rows of tables with a canary in them.
    pub canary_rows: u64,
    /// Where markers stand, in all files so far.
    pub marked: Columns,
}

impl Gathered {
    /// One that keeps the rows in which canaries stand.
    pub fn with_rows() -> Gathered {
        Gathered { keeps_rows: true, ..Gathered::default() }
    }

    /// For a part of a file.
    pub fn of_part() -> Gathered {
        Gathered { part: true, ..Gathered::default() }
    }

    /// Whether it is this member that is being read.
    pub fn is_in(&self, member: Option<&str>) -> bool {
        self.member.as_deref() == member
    }

    /// Goes on to another member, after `finish`.
    pub fn enter(&mut self, member: Option<&str>) {
        self.member = member.map(str::to_owned);
    }

    /// Takes in what was found in a stretch of the text that begins at `offset`, and then that stretch. One that was
    /// drawn out of text that has been read already holds findings, and no rows.
    pub fn take(&mut self, found: impl IntoIterator<Item = Found>, offset: u64, text: &[u8]) {
        self.found.extend(found);
        self.columns.resize(self.found.len(), None);
        if self.part || offset < self.next {
            return;
        }
        if offset > self.next {
            std::mem::replace(&mut self.tables, Tables::starting_at(offset)).finish(&mut |row| self.place(row));
        }
        let mut tables = std::mem::take(&mut self.tables);
        tables.see(text, &mut |row| self.place(row));
        self.tables = tables;
        self.next = offset + text.len() as u64;
    }

    /// Tells every finding of which nothing more can become known, now that the text was read up to `read`.
    pub fn tell(&mut self, path: &str, read: u64, visit: &mut dyn FnMut(&Finding)) {
        let reached = if self.part { read } else { read.min(self.tables.reached()) };
        let known = reached.saturating_sub(NEARBY);
        self.tell_before(known, path, visit);
    }

    /// Ends the member, and answers the rows in which its canaries stand.
    pub fn finish(&mut self, path: &str, visit: &mut dyn FnMut(&Finding)) -> Sheet {
        std::mem::take(&mut self.tables).finish(&mut |row| self.place(row));
        self.tell_before(u64::MAX, path, visit);
        self.found.clear();
        self.columns.clear();
        (self.told, self.placed, self.next) = (0, 0, 0);
        std::mem::take(&mut self.sheet)
    }

    /// Gives the findings within this row their columns.
    fn place(&mut self, row: &Row<'_>) {
        let end = row.offset + row.text.len() as u64;
        let skipped = self.found[self.placed..].iter().take_while(|found| found.offset < row.offset).count();
        let from = self.placed + skipped;
        let within = self.found[from..].iter().take_while(|found| found.offset < end).count();
        self.placed = from + within;
        if within == 0 {
            return;
        }
        let markers: Vec<_> = self.found[from..self.placed]
            .iter()
            .map(|found| (found.offset.wrapping_sub(row.offset), found.owner))
            .collect();
        let cells = row.cells();
        self.columns.splice(from..self.placed, sheet::columns(row, &cells, &markers));
        let canary = markers.iter().any(|(_, owner)| matches!(owner, index::Owner::Canary(_)));
        self.canary_rows += u64::from(canary && row.is_counted());
        if self.keeps_rows {
            self.sheet.add(row, cells, &markers);
        }
    }

    fn tell_before(&mut self, known: u64, path: &str, visit: &mut dyn FnMut(&Finding)) {
        let until = self.told + self.found[self.told..].iter().take_while(|found| found.offset < known).count();
        if until == self.told {
            return;
        }
        let judged = index::judge_weak(self.found.clone());
        for (found, column) in judged[self.told..until].iter().zip(&mut self.columns[self.told..until]) {
            let finding = Finding {
                marker_kind: found.kind,
                canary: name(found.owner),
                form: found.form,
                path: path.to_owned(),
                member: self.member.clone(),
                offset: found.offset,
                line: found.line,
                digest: found.digest,
                strong: found.strong,
                column: column.take(),
            };
            if let Some(column) = finding.column.as_ref().filter(|_| finding.strong) {
                self.marked.entry((column.clone(), finding.marker_kind)).or_default().insert(finding.canary);
            }
            visit(&finding);
        }
        self.told = until;
        // What still may support a later one stays.
        let kept = known.saturating_sub(NEARBY);
        let dropped = self.found[..self.told].iter().take_while(|found| found.offset < kept).count();
        self.found.drain(..dropped);
        self.columns.drain(..dropped);
        self.told -= dropped;
        self.placed = self.placed.saturating_sub(dropped);
    }
}
