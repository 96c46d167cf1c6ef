//! SQLite databases: the file's own bytes, then the rows that were deleted and still stand in them, then table by table
//! the rows that it holds. It is opened for reading alone, and trusted in nothing.

mod carve;

use crate::dumps::{
    account::Packed,
    drawn,
    formats::{self, format::Format, sqlite::carve::Carver},
    stream::{Held, Stream},
    walk::{Walk, within},
};
use rusqlite::{Connection, MAIN_DB, OpenFlags, Row, types::ValueRef};
use std::{
    io::{self, Cursor},
    os::fd::AsRawFd,
};

pub(super) const FORMAT: Format =
    Format { name: "SQLite database", begins: |head| head.starts_with(b"SQLite format 3\0"), open: Some(open) };

/// What is kept of values that are containers, until their table was read.
const KEPT: usize = 16 << 20;

fn open(walk: &mut Walk<'_>, stream: Stream<'_>) -> io::Result<()> {
    let (member, depth) = (stream.member, stream.depth);
    // It is held twice: here, and by the library.
    let mut held = match stream.held(walk.limits().held_bytes / 2)? {
        Ok(held) => held,
        Err(mut whole) => {
            walk.note(member, "larger than a database within a container may be: only its bytes were searched");
            return walk.text(member, &[], &mut whole);
        }
    };
    walk.raw(member, &mut held)?;
    if let Ok(mut carver) = Carver::new(&mut held) {
        walk.drawn(&within(member, "deleted rows"), |text| carver.next(text));
    }
    let result = connect(held).and_then(|database| tables(walk, member, depth, &database));
    if result.is_err() {
        walk.note(member, "damaged or encrypted SQLite database: only its bytes were searched");
    }
    Ok(())
}

fn connect(held: Held<'_>) -> rusqlite::Result<Connection> {
    let database = match held {
        Held::File(file) => {
            let path = format!("file:/proc/self/fd/{}?mode=ro&immutable=1", file.as_raw_fd());
            Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI)?
        }
        Held::Bytes(bytes) => {
            let mut bytes = bytes.into_inner();
            // A database with a log of its own does not open from memory, unless it says that it has none.
            if let Some(versions) = bytes.get_mut(18..20) {
                versions.fill(1);
            }
            let length = bytes.len();
            let mut database = Connection::open_in_memory()?;
            database.deserialize_read_exact(MAIN_DB, Cursor::new(bytes), length, true)?;
            database
        }
    };
    database.execute_batch(
        "PRAGMA trusted_schema=OFF; PRAGMA query_only=ON; PRAGMA mmap_size=0; PRAGMA cell_size_check=ON; PRAGMA cache_size=-8000;",
    )?;
    Ok(database)
}

fn tables(walk: &mut Walk<'_>, member: Option<&str>, depth: u32, database: &Connection) -> rusqlite::Result<()> {
    let mut listed = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0")?;
    let names: Vec<String> = listed.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for name in names {
        let label = within(member, &format!("table {name}"));
        if !walk.enter(&label) {
            return Ok(());
        }
        if table(walk, &label, depth, database, &name).is_err() {
            walk.note(Some(&label), "this table cannot be read: only the file's bytes were searched");
        }
    }
    Ok(())
}

fn table(walk: &mut Walk<'_>, label: &str, depth: u32, database: &Connection, name: &str) -> rusqlite::Result<()> {
    let quoted = name.replace('"', "\"\"");
    let mut statement = database.prepare(&format!("SELECT * FROM \"{quoted}\""))?;
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.query([])?;
    let mut kept: Vec<(String, Vec<u8>)> = Vec::new();
    let (mut number, mut passed, mut size) = (0u64, 0u64, 0usize);
    walk.drawn(label, |text| {
        number += 1;
        if number == 1 {
            drawn::row(text, columns.iter().map(String::as_bytes));
            return Ok(true);
        }
        let Some(row) = rows.next().map_err(|_| io::Error::from(io::ErrorKind::InvalidData))? else {
            return Ok(false);
        };
        let cells: Vec<Vec<u8>> = (0..columns.len()).map(|place| cell(row, place)).collect();
        drawn::row(text, cells.iter().map(Vec::as_slice));
        for (cell, column) in cells.into_iter().zip(&columns) {
            if formats::opens(&cell) {
                size += cell.len();
                if size <= KEPT { kept.push((format!("row {}/{column}", number - 1), cell)) } else { passed += 1 }
            }
        }
        Ok(true)
    });
    for (place, cell) in kept {
        let packed = Packed::Known(cell.len() as u64);
        walk.unpacked(&within(Some(label), &place), cell.as_slice(), packed, depth + 1);
    }
    if passed > 0 {
        walk.note(
            Some(label),
            format!("{passed} values that are containers themselves: only their packed bytes were searched"),
        );
    }
    Ok(())
}

fn cell(row: &Row<'_>, place: usize) -> Vec<u8> {
    match row.get_ref(place) {
        Ok(ValueRef::Text(text) | ValueRef::Blob(text)) => text.to_vec(),
        Ok(ValueRef::Integer(number)) => number.to_string().into_bytes(),
        Ok(ValueRef::Real(number)) => number.to_string().into_bytes(),
        Ok(ValueRef::Null) | Err(_) => Vec::new(),
    }
}
