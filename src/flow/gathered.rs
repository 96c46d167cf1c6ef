//! What was found in one file or member, as it streams by: held until it is known which weak markers stand near another
//! of their canary, and in which row and column each stands. Memory does not grow with the file.

use crate::{
    dumps::{
        Piece,
        part::{PartRead, read_part},
        tables::{Row, Tables},
    },
    flow::{
        findings::Finding,
        sheet::{self, Sheet},
    },
};
use canaries::{
    CanaryId, MarkerKind,
    index::{self, Found},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Read},
    ops::Range,
};

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

    /// Scans a piece of the member at hand, and tells what can be told.
    pub fn see(
        &mut self,
        path: &str,
        piece: &Piece<'_>,
        scan: impl FnOnce(&[u8], &mut dyn FnMut(Found)),
        visit: &mut dyn FnMut(&Finding),
    ) {
        let (offset, text) = match piece.decoded {
            true => (0, &[][..]),
            false => (piece.base_offset + piece.report.start as u64, &piece.text[piece.report.clone()]),
        };
        self.take(found(piece, scan), offset, text);
        self.tell(path, piece.base_offset + piece.report.end as u64, visit);
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
            let finding = Finding { column: column.take(), ..Finding::new(found, path, self.member.as_deref()) };
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

/// Scans a part of a plain file: `source` begins at `base` in it and reaches `AROUND` bytes beyond the part, and only what
/// begins in the part is shown. Lines count from the one in which the part begins.
///
/// # Errors
/// The source's own.
pub fn scan_part(
    path: &str,
    source: &mut dyn Read,
    base: u64,
    part: &Range<u64>,
    mut scan: impl FnMut(&[u8], &mut dyn FnMut(Found)),
    visit: &mut dyn FnMut(&Finding),
) -> io::Result<PartRead> {
    let mut gathered = Gathered::of_part();
    let mut tell = |finding: &Finding| {
        if part.contains(&finding.offset) {
            visit(finding);
        }
    };
    let read = read_part(path, source, base, part, &mut |piece| {
        gathered.take(found(piece, &mut scan), piece.base_offset, &[]);
        gathered.tell(path, piece.base_offset + piece.report.end as u64, &mut tell);
    })?;
    gathered.finish(path, &mut tell);
    Ok(read)
}

/// What stands in this piece of a text, with offsets in that text. Pieces overlap: each reports what begins in its own
/// part. What was decoded has no place of its own in the text: the coded form's is told.
fn found(piece: &Piece<'_>, scan: impl FnOnce(&[u8], &mut dyn FnMut(Found))) -> Vec<Found> {
    let mut found = Vec::new();
    scan(piece.text, &mut |mut one| {
        if piece.report.contains(&(one.offset as usize)) {
            if piece.decoded {
                (one.offset, one.line) = (piece.base_offset, piece.first_line);
            } else {
                one.offset += piece.base_offset;
                one.line = one.line.wrapping_add(piece.first_line).wrapping_sub(1);
            }
            found.push(one);
        }
    });
    found
}
