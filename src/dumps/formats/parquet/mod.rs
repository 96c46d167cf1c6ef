//! Parquet: each row group's columns side by side, so that a row stands as a row. Columns that are packed or coded in a
//! way that is not known are left out, and named.

mod levels;
mod pages;
mod thrift;

use crate::dumps::{
    drawn,
    formats::{
        format::Format,
        parquet::{
            pages::{Column, Described, invalid},
            thrift::Value,
        },
    },
    stream::{Held, Stream},
    walk::{Walk, within},
};
use std::io::{self, Read, Seek, SeekFrom};

pub(super) const FORMAT: Format =
    Format { name: "Parquet file", begins: |head| head.starts_with(b"PAR1"), open: Some(open) };

/// The most bytes that a footer may have.
const MOST_FOOTER: u64 = 16 << 20;
/// The most columns that are read side by side.
const MOST_COLUMNS: usize = 2_000;

fn open(walk: &mut Walk<'_>, stream: Stream<'_>) -> io::Result<()> {
    let member = stream.member;
    let mut held = match stream.held(walk.limits().held_bytes)? {
        Ok(held) => held,
        Err(mut whole) => {
            walk.note(member, "larger than a table within a container may be: only its packed bytes were searched");
            return walk.text(member, &[], &mut whole);
        }
    };
    let described = footer(&mut held).and_then(|footer| Ok((columns(footer.list(2)).ok_or_else(invalid)?, footer)));
    let Ok((columns, footer)) = described else {
        walk.note(member, "damaged or encrypted Parquet file: only its packed bytes were searched");
        return walk.raw(member, &mut held);
    };
    for (number, group) in footer.list(4).iter().enumerate() {
        let name = within(member, &format!("rows {}", number + 1));
        if !walk.enter(&name) || walk.account.late() {
            walk.note(Some(&name), "these rows and those after them are beyond the limits: not read");
            return Ok(());
        }
        rows(walk, &name, &mut held, &columns, group);
    }
    Ok(())
}

/// Reads the rows of one group. A column that fails is left out of a second attempt, so that the others are read.
fn rows(walk: &mut Walk<'_>, name: &str, held: &mut Held<'_>, columns: &[Described], group: &Value) {
    let mut open: Vec<Option<Column<'_>>> = columns
        .iter()
        .zip(group.list(1).iter().map(Some).chain(std::iter::repeat(None)))
        .map(|(described, chunk)| {
            let about = chunk?.field(3)?;
            let begins = [about.int(9), about.int(11)].into_iter().flatten().filter(|at| *at > 0).min()?;
            let begins = u64::try_from(begins).ok()?;
            let end = begins.checked_add(u64::try_from(about.int(7)?).ok()?)?;
            Some(Column::new(described, about.int(4)?, begins, end))
        })
        .collect();
    let mut failed: Vec<Option<io::ErrorKind>> =
        open.iter().map(|column| column.is_none().then_some(io::ErrorKind::InvalidData)).collect();
    let mut headed = false;
    walk.drawn(name, |text| {
        if !headed {
            headed = true;
            drawn::row(text, columns.iter().map(|column| column.name.as_bytes()));
            return Ok(true);
        }
        let (mut cells, mut any) = (vec![Vec::new(); columns.len()], false);
        for ((column, cell), failed) in open.iter_mut().zip(&mut cells).zip(&mut failed) {
            let Some(reading) = column else { continue };
            match reading.next(held, cell) {
                Ok(true) => any = true,
                Ok(false) => *column = None,
                Err(error) => {
                    *failed = Some(error.kind());
                    *column = None;
                }
            }
        }
        if any {
            drawn::row(text, cells.iter().map(Vec::as_slice));
        }
        Ok(any)
    });
    for (described, failed) in columns.iter().zip(failed) {
        let Some(kind) = failed else { continue };
        let why = match kind {
            io::ErrorKind::Unsupported => "packed or coded in a way that this version does not open: not read",
            _ => "damaged or encrypted: read as far as possible",
        };
        walk.note(Some(&within(Some(name), &format!("column {}", described.name))), why);
    }
}

fn footer(held: &mut Held<'_>) -> io::Result<Value> {
    let length = held.seek(SeekFrom::End(0))?;
    held.seek(SeekFrom::Start(length.checked_sub(8).ok_or_else(invalid)?))?;
    let mut end = [0; 8];
    held.read_exact(&mut end)?;
    let size = u64::from(u32::from_le_bytes([end[0], end[1], end[2], end[3]]));
    let start = length.checked_sub(8 + size).filter(|_| size <= MOST_FOOTER && end.ends_with(b"PAR1"));
    held.seek(SeekFrom::Start(start.ok_or_else(invalid)?))?;
    let mut bytes = Vec::new();
    held.take(size).read_to_end(&mut bytes)?;
    thrift::read(&bytes).map(|(footer, _)| footer).ok_or_else(invalid)
}

/// The columns that the schema describes: its leaves, in order.
fn columns(schema: &[Value]) -> Option<Vec<Described>> {
    let mut columns = Vec::new();
    let mut elements = schema.iter();
    let root = elements.next()?;
    leaves(&mut elements, root.int(5)?, &Described::default(), 0, &mut columns)?;
    (columns.len() <= MOST_COLUMNS).then_some(columns)
}

fn leaves<'a>(
    elements: &mut impl Iterator<Item = &'a Value>,
    children: i64,
    above: &Described,
    depth: u32,
    columns: &mut Vec<Described>,
) -> Option<()> {
    for _ in 0..children {
        let element = elements.next().filter(|_| depth < 32)?;
        let own = element.text(4)?;
        let repetition = element.int(3).unwrap_or(0);
        let described = Described {
            name: if above.name.is_empty() { own } else { format!("{}.{own}", above.name) },
            kind: element.int(1).unwrap_or(-1),
            length: element.int(2).and_then(|length| usize::try_from(length).ok()).unwrap_or(0),
            definition: above.definition + u32::from(repetition > 0),
            repetition: above.repetition + u32::from(repetition == 2),
        };
        match element.int(5).filter(|children| *children > 0) {
            Some(children) => leaves(elements, children, &described, depth + 1, columns)?,
            None => columns.push(described),
        }
    }
    Some(())
}
