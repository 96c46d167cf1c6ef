//! A leaked file to streams of text: encodings, archives within limits, office documents and PDF. It writes nothing,
//! opens nothing but the stream it is handed, and never passes over in silence what it could not read.

mod account;
pub mod apart;
mod coded;
mod drawn;
mod encoding;
mod formats;
pub mod part;
mod pieces;
pub mod places;
mod stream;
pub mod tables;
mod walk;
mod written;

use crate::dumps::{account::Account, places::Places, stream::Stream, walk::Walk};
use serde::{Deserialize, Serialize};
use std::{fs::File, io::Read, ops::Range, path::PathBuf, time::Duration};

/// How far a file is followed into itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Limits {
    /// Containers within containers.
    pub depth: u32,
    /// Members of all containers together.
    pub entries: u64,
    /// Unpacked bytes for each packed one, beyond the first MiB.
    pub ratio: u64,
    /// Unpacked bytes of one member.
    pub member_bytes: u64,
    /// Unpacked bytes of all members together.
    pub total_bytes: u64,
    /// Bytes of a container that has to be held in memory to be read (zip, PDF).
    pub held_bytes: u64,
    /// Memory of the process that reads a container.
    pub memory_bytes: u64,
    /// A process that reads a container, and for so long neither takes nor tells anything, has hung.
    pub silence: Duration,
    /// The program that reads containers in a process of its own; none to read them in this one.
    #[serde(skip)]
    pub program: Option<PathBuf>,
    /// Time of computing that even the smallest container may take. A plain text is read to its end.
    pub time: Duration,
    /// More of it for each MiB of the file.
    pub time_per_mib: Duration,
}

impl Limits {
    /// The time of computing that a container of this length may take.
    fn time_for(&self, packed: u64) -> Duration {
        let mib = f64::from(u32::try_from(packed >> 10).unwrap_or(u32::MAX)) / 1024.0;
        self.time + self.time_per_mib.mul_f64(mib)
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            depth: 6,
            entries: 250_000,
            ratio: 200,
            member_bytes: 1 << 40,
            total_bytes: 1 << 42,
            held_bytes: 96 << 20,
            memory_bytes: 224 << 20,
            silence: Duration::from_secs(30),
            program: apart::program(),
            time: Duration::from_secs(5),
            time_per_mib: Duration::from_millis(500),
        }
    }
}

/// A piece of the text of a file or of one of its members: UTF-8 where the encoding is known, else bytes as they are.
#[derive(Clone, Debug)]
pub struct Piece<'a> {
    /// The file's name, as it was given.
    pub path: &'a str,
    /// The member within the file: `archive.zip` holds `a.xlsx` holds `xl/sharedStrings.xml` is `a.xlsx/xl/sharedStrings.xml`.
    pub member: Option<&'a str>,
    /// The text; neighbouring pieces may overlap.
    pub text: &'a [u8],
    /// Where the text begins in the member's (or file's) text, unpacked and decoded.
    pub base_offset: u64,
    /// The number of its first line.
    pub first_line: u64,
    /// Report what begins in this range of `text`; the rest is context, reported with a neighbouring piece.
    pub report: Range<usize>,
    /// It was decoded out of the text around it (base64, escapes, broken lines): `base_offset` and `first_line` are those of
    /// that text, and this says where in it each byte stands.
    pub coded: Option<Places<'a>>,
}

impl Piece<'_> {
    /// Where in the member's (or file's) text, and on which of its lines, what stands at this place and line of the piece
    /// begins.
    pub fn place(&self, offset: u64, line: u64) -> (u64, u64) {
        let (offset, lines) = match &self.coded {
            Some(places) => {
                let (at, lines) = places.of(usize::try_from(offset).unwrap_or(usize::MAX));
                (at as u64, lines)
            }
            None => (offset, line.wrapping_sub(1)),
        };
        (self.base_offset.wrapping_add(offset), self.first_line.wrapping_add(lines))
    }
}

/// A part that was not read, or not in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotScanned {
    /// The file's name, as it was given.
    pub path: String,
    /// The member; none if it is the file itself.
    pub member: Option<String>,
    /// Why, in words.
    pub reason: String,
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Bytes of the file itself.
    pub bytes: u64,
    /// What was not read.
    pub not_scanned: Vec<NotScanned>,
}

/// Reads a leaked file and shows its text in pieces. Fails only if the source itself fails while a plain text is read;
/// everything else that could not be read is in `not_scanned`.
pub fn read(
    name: &str,
    source: &mut dyn Read,
    limits: &Limits,
    visit: &mut dyn FnMut(&Piece<'_>),
) -> std::io::Result<Summary> {
    read_from(name, source, None, limits, visit)
}

/// The same for a file that can be read from any place: no container of it has to be held in memory. It is read from
/// its start, and where it stands afterwards is not said.
pub fn read_file(
    name: &str,
    file: &File,
    limits: &Limits,
    visit: &mut dyn FnMut(&Piece<'_>),
) -> std::io::Result<Summary> {
    let regular = file.metadata()?.is_file();
    let mut source = file;
    if regular {
        std::io::Seek::rewind(&mut source)?;
    }
    read_from(name, &mut source, regular.then_some(file), limits, visit)
}

fn read_from(
    name: &str,
    source: &mut dyn Read,
    file: Option<&File>,
    limits: &Limits,
    visit: &mut dyn FnMut(&Piece<'_>),
) -> std::io::Result<Summary> {
    let account = Account::open(limits);
    let mut walk = Walk::new(name, &account, visit);
    let length = file.map(File::metadata).transpose()?.map(|metadata| metadata.len());
    account.add_packed(length.unwrap_or(0));
    let mut counted = Counted { source, account: length.is_none().then_some(&account), bytes: 0 };
    let (stream, error) = Stream::begin(None, 0, &mut counted, file);
    if let Some(error) = error {
        // What came before the error is still text.
        walk.text(None, &stream.head, &mut std::io::empty())?;
        return Err(error);
    }
    match &limits.program {
        Some(program) if formats::opens(&stream.head) => {
            if let Err(stream) = apart::read(program, limits, &mut walk, stream)? {
                walk.note(None, format!("{}: only its packed bytes were searched", apart::UNSTARTED));
                walk.text(None, &[], &mut stream.whole())?;
            }
        }
        _ => walk.open(stream)?,
    }
    let mut summary = walk.finish();
    // What a damaged container left over is counted, and not read.
    summary.bytes = length.unwrap_or(counted.bytes);
    Ok(summary)
}

/// Counts what is read of the file itself.
struct Counted<'a> {
    source: &'a mut dyn Read,
    /// None if its length is known.
    account: Option<&'a Account<'a>>,
    bytes: u64,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.bytes += read as u64;
        if let Some(account) = self.account {
            account.add_packed(read as u64);
        }
        Ok(read)
    }
}
