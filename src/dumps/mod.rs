//! A leaked file to streams of text: encodings, archives within limits, office documents and PDF. It writes nothing,
//! opens nothing but the stream it is handed, and never passes over in silence what it could not read.

mod account;
mod containers;
mod encoding;
mod office;
mod pdf;
mod pieces;
mod rows;
mod signatures;

use crate::dumps::{account::Account, containers::Walk};
use std::{io::Read, ops::Range, time::Duration};

/// How far a file is followed into itself.
#[derive(Clone, Debug)]
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
    /// Time for containers; a plain text is read to its end.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            depth: 4,
            entries: 10_000,
            ratio: 200,
            member_bytes: 512 << 20,
            total_bytes: 8 << 30,
            held_bytes: 256 << 20,
            time: Duration::from_secs(600),
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
    /// Data rows, where the material is a table in text.
    pub rows: Option<u64>,
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
    let account = Account::open(limits);
    let mut walk = Walk { path: name, account: &account, summary: Summary::default(), visit };
    let mut counted = Counted { source, bytes: 0 };
    walk.stream(None, &mut counted, 0)?;
    let mut summary = walk.summary;
    // What a damaged container left over is counted, and not read.
    summary.bytes = counted.bytes;
    Ok(summary)
}

/// Whether a file that begins so is a text to be scanned as it stands: no container, and no encoding to be undone.
pub fn is_plain(head: &[u8]) -> bool {
    signatures::Signature::of(head) == signatures::Signature::Text && encoding::stands(head)
}

struct Counted<'a> {
    source: &'a mut dyn Read,
    bytes: u64,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.bytes += read as u64;
        Ok(read)
    }
}
