//! PostgreSQL's custom dumps (`pg_dump -Fc`), and the tables of contents of its directory and tar dumps: the
//! definitions, then block after block the rows of each table, as `COPY` would take them. It is read once, in order.

use crate::dumps::{
    account::Packed,
    formats::{format::Format, zstd::Frames},
    stream::{Stream, Whole},
    walk::{Walk, within},
};
use flate2::bufread::ZlibDecoder;
use std::{
    collections::BTreeMap,
    io::{self, BufReader, Read},
};

pub(super) const FORMAT: Format =
    Format { name: "PostgreSQL custom dump", begins: |head| head.starts_with(b"PGDMP"), open: Some(open) };

/// The longest statement that is kept.
const LONGEST: i64 = 64 << 20;
/// Entries of the table of contents, at most.
const MOST_ENTRIES: i64 = 1_000_000;

fn open(walk: &mut Walk<'_>, stream: Stream<'_>) -> io::Result<()> {
    let member = stream.member;
    let depth = stream.depth;
    let head = stream.head.clone();
    let mut dump =
        Dump { source: BufReader::with_capacity(64 << 10, stream.whole()), depth, version: (0, 0), int: 4, offset: 8 };
    let mut definitions = Vec::new();
    let contents = dump.contents(&mut definitions);
    walk.extracted(&within(member, "definitions"), &definitions);
    drop(definitions);
    let contents = match contents {
        Ok(contents) => contents,
        Err(_) => {
            walk.note(member, "PostgreSQL dump: its table of contents is damaged or of an unknown version: not read");
            let mut rest = dump.source;
            return walk.text(member, &head, &mut rest);
        }
    };
    if contents.blocks && dump.blocks(walk, member, &contents).is_err() {
        walk.note(member, "PostgreSQL dump: damaged or cut off: read as far as possible");
    }
    Ok(())
}

/// What the table of contents says.
struct Contents {
    packing: Packing,
    /// Whether blocks of data follow.
    blocks: bool,
    /// By the dump's own number: a table's name, and the statement that takes its rows.
    tables: BTreeMap<i64, (String, Vec<u8>)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Packing {
    None,
    Zlib,
    Zstd,
    Other,
}

struct Dump<'a> {
    source: BufReader<Whole<'a>>,
    depth: u32,
    version: (u8, u8),
    /// The widths of its numbers.
    int: usize,
    offset: usize,
}

impl Dump<'_> {
    fn contents(&mut self, definitions: &mut Vec<u8>) -> io::Result<Contents> {
        let mut magic = [0; 5];
        self.source.read_exact(&mut magic)?;
        self.version = (self.byte()?, self.byte()?);
        self.byte()?;
        self.int = usize::from(self.byte()?);
        self.offset = usize::from(self.byte()?);
        let format = self.byte()?;
        if self.version < (1, 10) || self.version > (1, 16) || self.int > 8 || self.offset > 8 {
            return Err(invalid());
        }
        let packing = if self.version >= (1, 15) {
            match self.byte()? {
                0 => Packing::None,
                1 => Packing::Zlib,
                3 => Packing::Zstd,
                _ => Packing::Other,
            }
        } else if self.int()? == 0 {
            Packing::None
        } else {
            Packing::Zlib
        };
        for _ in 0..7 {
            self.int()?; // when it was made
        }
        for _ in 0..3 {
            self.string()?; // the database's name, and two versions
        }
        let count = self.int()?;
        if !(0..=MOST_ENTRIES).contains(&count) {
            return Err(invalid());
        }
        let mut contents = Contents { packing, blocks: format == 1, tables: BTreeMap::new() };
        for _ in 0..count {
            self.entry(&mut contents, definitions)?;
        }
        Ok(contents)
    }

    fn entry(&mut self, contents: &mut Contents, definitions: &mut Vec<u8>) -> io::Result<()> {
        let id = self.int()?;
        self.int()?; // whether it has data
        self.string()?; // the table's own number,
        self.string()?; // and that of the object
        let tag = self.string()?.unwrap_or_default();
        let what = self.string()?.unwrap_or_default();
        self.int()?; // section
        let definition = self.string()?;
        self.string()?; // how to drop it
        let copy = self.string()?.unwrap_or_default();
        let schema = self.string()?.unwrap_or_default();
        self.string()?; // tablespace
        if self.version >= (1, 14) {
            self.string()?; // access method
        }
        if self.version >= (1, 16) {
            self.int()?; // kind of relation
        }
        self.string()?; // owner
        self.string()?; // whether it has numbers of its own
        while self.string()?.is_some() {} // what it depends on
        let mut place = vec![0; 1 + self.offset];
        self.source.read_exact(&mut place)?;
        if definitions.len() < LONGEST as usize {
            definitions.extend(definition.unwrap_or_default());
        }
        if what == b"TABLE DATA" {
            let name = [schema, tag].map(|part| String::from_utf8_lossy(&part).into_owned());
            contents.tables.insert(id, (name.join("."), copy));
        }
        Ok(())
    }

    /// Reads the blocks, each a table's rows or large objects.
    fn blocks(&mut self, walk: &mut Walk<'_>, member: Option<&str>, contents: &Contents) -> io::Result<()> {
        loop {
            let mut kind = [0];
            if self.source.read(&mut kind)? == 0 {
                return Ok(());
            }
            let id = self.int()?;
            match kind[0] {
                1 => {
                    let unknown = (format!("block {id}"), Vec::new());
                    let (name, copy) = contents.tables.get(&id).unwrap_or(&unknown);
                    if !self.block(walk, &within(member, name), copy, contents.packing)? {
                        return Ok(());
                    }
                }
                3 => loop {
                    let object = self.int()?;
                    if object == 0 {
                        break;
                    }
                    let name = within(member, &format!("large object {object}"));
                    if !self.block(walk, &name, &[], contents.packing)? {
                        return Ok(());
                    }
                },
                _ => return Err(invalid()),
            }
        }
    }

    /// Reads one block to its end; false at the limits.
    fn block(&mut self, walk: &mut Walk<'_>, name: &str, copy: &[u8], packing: Packing) -> io::Result<bool> {
        if !walk.enter(name) || walk.account.late() {
            walk.note(Some(name), "this and what follows it is beyond the limits: not read");
            return Ok(false);
        }
        let mut chunks = Chunks { int: self.int, source: &mut self.source, left: 0, ended: false };
        if packing == Packing::Other {
            walk.note(Some(name), "packed in a way that this version does not open: not read");
        } else {
            let source = BufReader::new(&mut chunks);
            let unpacked: Box<dyn Read + '_> = match packing {
                Packing::Zlib => Box::new(ZlibDecoder::new(source)),
                Packing::Zstd => Box::new(Frames::new(source)),
                Packing::None | Packing::Other => Box::new(source),
            };
            let table = !copy.is_empty();
            if table {
                walk.guarded(name, unpacked, Packed::Unknown, |walk, guarded| walk.text(Some(name), copy, guarded));
            } else {
                walk.unpacked(name, unpacked, Packed::Unknown, self.depth + 1);
            }
        }
        io::copy(&mut chunks, &mut io::sink())?;
        Ok(true)
    }

    fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.source.read_exact(&mut byte)?;
        Ok(byte[0])
    }

    fn int(&mut self) -> io::Result<i64> {
        int(&mut self.source, self.int)
    }

    /// A string, or none.
    fn string(&mut self) -> io::Result<Option<Vec<u8>>> {
        let length = self.int()?;
        if length < 0 {
            return Ok(None);
        }
        if length > LONGEST {
            return Err(invalid());
        }
        let mut bytes = Vec::new();
        (&mut self.source).take(length as u64).read_to_end(&mut bytes)?;
        if bytes.len() as i64 == length { Ok(Some(bytes)) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

/// A number: its sign, then its bytes from the lowest.
fn int(source: &mut impl Read, width: usize) -> io::Result<i64> {
    let mut bytes = [0; 9];
    source.read_exact(&mut bytes[..=width])?;
    let value = bytes[1..=width].iter().rev().fold(0i64, |value, byte| (value << 8) | i64::from(*byte));
    Ok(if bytes[0] == 0 { value } else { value.wrapping_neg() })
}

/// The content of a block: chunks that each say how long they are, until one of nothing.
struct Chunks<'a, R> {
    int: usize,
    source: &'a mut R,
    left: u64,
    ended: bool,
}

impl<R: Read> Read for Chunks<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !self.ended {
            let length = int(self.source, self.int)?;
            self.left = u64::try_from(length).map_err(|_| invalid())?;
            self.ended = length == 0;
        }
        if self.ended || buffer.is_empty() {
            return Ok(0);
        }
        let read = (&mut *self.source).take(self.left).read(buffer)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= read as u64;
        Ok(read)
    }
}

fn invalid() -> io::Error {
    io::ErrorKind::InvalidData.into()
}
