//! What was found in one file or member, as it streams by: held until it is known which weak markers stand near another
//! of their canary, and in which row and column each stands. Memory does not grow with the file.

use crate::{
    dumps::{
        Limits, Piece,
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

/// Shows what stands in a text.
pub type Scan<'a> = dyn FnMut(&[u8], &mut dyn FnMut(Found)) + 'a;

/// Files and their members on their way.
#[derive(Default)]
pub struct Gathered {
    /// Those that are being read: within a text may lie a container, coded, whose members come before the text goes on.
    open: Vec<Member>,
    /// A part of a file shows no table: its header is elsewhere.
    part: bool,
    /// Whether rows are wanted, and not only their columns.
    keeps_rows: bool,
    /// Rows of tables; none where nothing was a table.
    pub rows: Option<u64>,
    /// Those with a canary in them.
    pub canary_rows: u64,
    /// Where markers stand, in all files so far.
    pub marked: Columns,
}

/// One file or member on its way.
struct Member {
    name: Option<String>,
    found: Vec<Found>,
    /// The column of each finding, as far as its row has been read.
    columns: Vec<Option<String>>,
    /// Findings before this one have been told, and are kept for their neighbours only.
    told: usize,
    /// Findings before this one have met their row, or have none.
    placed: usize,
    /// None where no table is looked for.
    tables: Option<Tables>,
    /// Where the text goes on.
    next: u64,
    sheet: Sheet,
    keeps_rows: bool,
    canary_rows: u64,
    rows: Option<u64>,
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

    /// Scans a piece, and tells what can be told. `ended` takes the rows of each member that has come to its end.
    pub fn see(
        &mut self,
        path: &str,
        piece: &Piece<'_>,
        scan: &mut Scan<'_>,
        visit: &mut dyn FnMut(&Finding),
        ended: &mut dyn FnMut(Sheet),
    ) {
        self.enter(path, piece.member, visit, ended);
        let Some(member) = self.open.last_mut() else { return };
        member.take(found(piece, scan), piece);
        if piece.coded.is_none() {
            let read = piece.base_offset + piece.report.end as u64;
            let reached = member.tables.as_ref().map_or(read, |tables| read.min(tables.reached()));
            member.tell_before(reached.saturating_sub(NEARBY), path, &mut self.marked, visit);
        }
    }

    /// Ends what is open.
    pub fn finish(&mut self, path: &str, visit: &mut dyn FnMut(&Finding), ended: &mut dyn FnMut(Sheet)) {
        while let Some(member) = self.open.pop() {
            self.end(member, path, visit, ended);
        }
    }

    /// Goes on to this member. Those within which it does not lie have ended.
    fn enter(&mut self, path: &str, name: Option<&str>, visit: &mut dyn FnMut(&Finding), ended: &mut dyn FnMut(Sheet)) {
        while let Some(last) = self.open.last() {
            let within = match (&last.name, name) {
                (None, Some(_)) => true,
                (Some(outer), Some(inner)) => {
                    inner.strip_prefix(outer.as_str()).is_some_and(|rest| rest.starts_with('/'))
                }
                _ => false,
            };
            if last.name.as_deref() == name {
                return;
            }
            if within {
                break;
            }
            let member = self.open.pop();
            member.into_iter().for_each(|member| self.end(member, path, visit, ended));
        }
        self.open.push(Member {
            name: name.map(str::to_owned),
            found: Vec::new(),
            columns: Vec::new(),
            told: 0,
            placed: 0,
            tables: (!self.part || name.is_some()).then(Tables::default),
            next: 0,
            sheet: Sheet::default(),
            keeps_rows: self.keeps_rows,
            canary_rows: 0,
            rows: None,
        });
    }

    fn end(&mut self, mut member: Member, path: &str, visit: &mut dyn FnMut(&Finding), ended: &mut dyn FnMut(Sheet)) {
        if let Some(tables) = member.tables.take() {
            member.end_table(tables);
        }
        member.tell_before(u64::MAX, path, &mut self.marked, visit);
        self.canary_rows += member.canary_rows;
        self.rows = add(self.rows, member.rows);
        ended(member.sheet);
    }
}

/// Two counts, of which either may be none.
fn add(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.map_or(other, |one| Some(one + other.unwrap_or(0)))
}

impl Member {
    /// Takes in what was found in a piece, and then its text. What was decoded out of it came before it, and has no rows of
    /// its own.
    fn take(&mut self, found: Vec<Found>, piece: &Piece<'_>) {
        if !found.is_empty() {
            self.found.extend(found);
            // No row was placed yet that reaches to these. What was found as it is written and as it reads is one.
            let mut new = self.found.split_off(self.placed);
            new.sort_by_key(place);
            new.dedup_by_key(|found| place(found));
            self.found.append(&mut new);
            self.columns.truncate(self.placed);
            self.columns.resize(self.found.len(), None);
        }
        let (offset, text) = (piece.base_offset + piece.report.start as u64, &piece.text[piece.report.clone()]);
        if piece.coded.is_some() || offset < self.next {
            return;
        }
        let Some(mut tables) = self.tables.take() else { return };
        if offset > self.next {
            self.end_table(std::mem::replace(&mut tables, Tables::starting_at(offset)));
        }
        tables.see(text, &mut |row| self.place(row));
        self.tables = Some(tables);
        self.next = offset + text.len() as u64;
    }

    fn end_table(&mut self, tables: Tables) {
        let rows = tables.finish(&mut |row| self.place(row));
        self.rows = add(self.rows, rows);
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

    /// Tells every finding before this place: nothing more can become known of it.
    fn tell_before(&mut self, known: u64, path: &str, marked: &mut Columns, visit: &mut dyn FnMut(&Finding)) {
        let until = self.told + self.found[self.told..].iter().take_while(|found| found.offset < known).count();
        if until == self.told {
            return;
        }
        let judged = index::judge_weak(self.found.clone());
        for (found, column) in judged[self.told..until].iter().zip(&mut self.columns[self.told..until]) {
            let finding = Finding { column: column.take(), ..Finding::new(found, path, self.name.as_deref()) };
            if let Some(column) = finding.column.as_ref().filter(|_| finding.strong) {
                marked.entry((column.clone(), finding.marker_kind)).or_default().insert(finding.canary);
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

/// What two findings have alike that are one.
pub fn place(found: &Found) -> (u64, MarkerKind, index::Owner, Option<index::Digest>) {
    (found.offset, found.kind, found.owner, found.digest)
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
    scan: &mut Scan<'_>,
    visit: &mut dyn FnMut(&Finding),
) -> io::Result<PartRead> {
    let mut gathered = Gathered::of_part();
    let mut tell = |finding: &Finding| {
        if finding.member.is_some() || part.contains(&finding.offset) {
            visit(finding);
        }
    };
    let read = read_part(path, source, base, part, &Limits::default(), &mut |piece| {
        gathered.see(path, piece, scan, &mut tell, &mut |_| ());
    })?;
    gathered.finish(path, &mut tell, &mut |_| ());
    Ok(read)
}

/// What stands in this piece of a text, with offsets in that text. Pieces overlap: each reports what begins in its own
/// part.
pub fn found(piece: &Piece<'_>, scan: &mut Scan<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    scan(piece.text, &mut |mut one| {
        if piece.report.contains(&(one.offset as usize)) {
            (one.offset, one.line) = piece.place(one.offset, one.line);
            found.push(one);
        }
    });
    found
}
