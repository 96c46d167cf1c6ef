//! Follows a stream into what it holds, format by format, within the limits. What is not read is noted.

use crate::dumps::{
    Limits, NotScanned, Piece, Summary,
    account::{Account, Guarded, Packed},
    apart,
    coded::Container,
    drawn::Drawn,
    formats::{self, office},
    pieces::{self, Encoded, Shown, Source},
    stream::{Held, Stream},
};
use std::{
    cell::Cell,
    fs::File,
    io::{self, Cursor, Read, Seek},
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// The longest name of a member that is kept.
const LONGEST_NAME: usize = 1_000;
/// The most notes that are kept one by one.
const MOST_NOTES: u64 = 1_000;

/// One file on its way through its containers.
pub(super) struct Walk<'a> {
    pub path: &'a str,
    pub account: &'a Account<'a>,
    pub summary: Summary,
    pub visit: &'a mut dyn FnMut(&Piece<'_>),
    /// In how many containers lies what is being read.
    depth: u32,
    /// Notes beyond those that are kept.
    unnoted: u64,
}

impl<'a> Walk<'a> {
    pub fn new(path: &'a str, account: &'a Account<'a>, visit: &'a mut dyn FnMut(&Piece<'_>)) -> Walk<'a> {
        Walk { path, account, summary: Summary::default(), visit, depth: 0, unnoted: 0 }
    }

    /// What was read, and what was not.
    pub fn finish(mut self) -> Summary {
        if self.unnoted > 0 {
            self.summary.not_scanned.push(NotScanned {
                path: self.path.to_owned(),
                member: None,
                reason: format!("{} more parts were not read, or not in full", self.unnoted),
            });
        }
        self.summary
    }

    pub fn limits(&self) -> &'a Limits {
        self.account.limits
    }

    /// Reads one stream. Only an error of a plain text's source is answered; all else is noted.
    pub fn stream(
        &mut self,
        member: Option<&str>,
        source: &mut dyn Read,
        depth: u32,
        file: Option<&File>,
    ) -> io::Result<()> {
        let (stream, error) = Stream::begin(member, depth, source, file);
        if let Some(error) = error {
            // What came before the error is still text.
            self.text(member, &stream.head, &mut io::empty())?;
            return Err(error);
        }
        self.open(stream)
    }

    /// Reads one stream whose head is known.
    pub fn open(&mut self, stream: Stream<'_>) -> io::Result<()> {
        let outer = std::mem::replace(&mut self.depth, stream.depth);
        let result = self.open_here(stream);
        self.depth = outer;
        result
    }

    fn open_here(&mut self, stream: Stream<'_>) -> io::Result<()> {
        let member = stream.member;
        let Some(format) = formats::of(&stream.head) else {
            let (head, rest) = stream.parts();
            return self.text(member, &head, rest);
        };
        let Some(open) = format.open else {
            self.note(
                member,
                format!("{}: not opened by this version; only its packed bytes were searched", format.name),
            );
            let (head, rest) = stream.parts();
            return self.text(member, &head, rest);
        };
        if stream.depth >= self.limits().depth {
            self.note(member, "containers within containers, deeper than allowed: only its packed bytes were searched");
            let (head, rest) = stream.parts();
            return self.text(member, &head, rest);
        }
        // A parser that gives up on one member must not cost the others.
        match catch_unwind(AssertUnwindSafe(|| open(self, stream))) {
            Ok(result) => result,
            Err(_) => {
                self.note(member, format!("{}: reading it failed half way: read in part", format.name));
                Ok(())
            }
        }
    }

    /// Shows a plain text, and opens the containers that are coded in it.
    pub fn text(&mut self, member: Option<&str>, head: &[u8], source: &mut dyn Read) -> io::Result<()> {
        self.cut(member, &mut Encoded::new(head.to_vec(), source), 0, &(0..u64::MAX), true).map(drop)
    }

    /// Shows a text whose coded containers are opened by other ways.
    pub fn text_only(&mut self, member: Option<&str>, text: &[u8]) -> io::Result<()> {
        self.cut(member, &mut Encoded::new(text.to_vec(), &mut io::empty()), 0, &(0..u64::MAX), false).map(drop)
    }

    /// Shows a part of a text, and answers the line ends in it.
    pub fn cut(
        &mut self,
        member: Option<&str>,
        source: &mut dyn Source,
        base: u64,
        part: &Range<u64>,
        opening: bool,
    ) -> io::Result<u64> {
        let path = self.path;
        let (lines, result) = pieces::cut((path, member), source, base, part, opening, &mut |shown| match shown {
            Shown::Piece(piece) => (self.visit)(piece),
            Shown::Containers(containers) => self.coded(member, containers),
        });
        result.map(|()| lines)
    }

    /// Opens containers that are coded in a text: here, if this is the process that opens, else in one, all together.
    fn coded(&mut self, member: Option<&str>, containers: Vec<Container>) {
        let depth = self.depth + 1;
        let name = |container: &Container| within(member, &format!("base64 at byte {}", container.offset));
        for container in containers.iter().filter(|container| !container.whole) {
            self.note(
                Some(&name(container)),
                "a value in base64 that is longer than allowed, or cut off: read in part",
            );
        }
        if depth >= self.limits().depth {
            self.note(member, "containers in base64, deeper than allowed: not opened");
            return;
        }
        let Some(program) = &self.limits().program else {
            for container in containers {
                let name = name(&container);
                if self.enter(&name) {
                    let packed = Packed::Known(container.bytes.len() as u64);
                    self.unpacked(&name, container.bytes.as_slice(), packed, depth);
                }
            }
            return;
        };
        let bundle = bundle(containers.iter().map(|container| (name(container), container.bytes.as_slice())));
        let limits = self.account.limits_for(bundle.len() as u64);
        let mut source = Cursor::new(bundle);
        let (stream, _) = Stream::begin(None, 0, &mut source, None);
        let begun = std::time::Instant::now();
        let read = apart::read(program, &limits, self, stream);
        self.account.add_apart(begun.elapsed());
        if !matches!(read, Ok(Ok(()))) {
            self.note(member, format!("{}: {} values in base64 were not opened", apart::UNSTARTED, containers.len()));
        }
    }

    /// Shows the bytes of what could not be opened.
    pub fn raw(&mut self, member: Option<&str>, held: &mut Held<'_>) -> io::Result<()> {
        held.rewind()?;
        self.text(member, &[], held)
    }

    /// Shows a text that was drawn out of a container.
    pub fn extracted(&mut self, member: &str, text: &[u8]) {
        // It is read from memory, which does not fail.
        let _ = self.text(Some(member), text, &mut io::empty());
    }

    /// Notes what was not read.
    pub fn note(&mut self, member: Option<&str>, reason: impl Into<String>) {
        if self.summary.not_scanned.len() as u64 >= MOST_NOTES {
            self.unnoted += 1;
            return;
        }
        self.summary.not_scanned.push(NotScanned {
            path: self.path.to_owned(),
            member: member.map(str::to_owned),
            reason: reason.into(),
        });
    }

    /// Counts a member; false, and noted, if there were too many.
    pub fn enter(&mut self, member: &str) -> bool {
        let within = self.account.enter();
        if !within {
            self.note(Some(member), "more members than allowed: not read");
        }
        within
    }

    /// Reads an unpacked stream within the limits, and notes at which it stopped or what was damaged. False if it
    /// stopped.
    pub fn unpacked(&mut self, member: &str, source: impl Read, packed: Packed<'_>, depth: u32) -> bool {
        self.guarded(member, source, packed, |walk, guarded| walk.stream(Some(member), guarded, depth, None))
    }

    /// The same for a part of an office document.
    pub fn unpacked_xml(&mut self, member: &str, source: impl Read, packed: Packed<'_>) -> bool {
        self.guarded(member, source, packed, |walk, guarded| office::xml::read(walk, member, guarded))
    }

    /// Shows a text that is drawn bit by bit, within the limits; false if it stopped at one.
    pub fn drawn(&mut self, member: &str, draw: impl FnMut(&mut Vec<u8>) -> io::Result<bool>) -> bool {
        self.guarded(member, Drawn::new(draw), Packed::Unknown, |walk, guarded| walk.text(Some(member), &[], guarded))
    }

    /// Has a stream read within the limits.
    pub fn guarded(
        &mut self,
        member: &str,
        source: impl Read,
        packed: Packed<'_>,
        read: impl FnOnce(&mut Self, &mut dyn Read) -> io::Result<()>,
    ) -> bool {
        let stopped = Cell::new(None);
        let mut guarded = Guarded::new(source, packed, self.account, &stopped);
        if let Err(error) = read(self, &mut guarded) {
            let reason = match error.kind() {
                io::ErrorKind::OutOfMemory => {
                    "it needs more memory to unpack than allowed: not read in full".to_owned()
                }
                io::ErrorKind::Unsupported => {
                    "packed in a way that this version does not open: not read in full".to_owned()
                }
                kind => format!("damaged or cut off ({kind}): read as far as possible"),
            };
            self.note(Some(member), reason);
        }
        if let Some(why) = stopped.get() {
            self.note(Some(member), why);
        }
        stopped.get().is_none()
    }
}

/// Containers as one that holds them, so that one process reads them all.
fn bundle<'a>(containers: impl Iterator<Item = (String, &'a [u8])>) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, bytes) in containers {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        // A name is short, and a vector takes all.
        let _ = archive.append_data(&mut header, name, bytes);
    }
    archive.into_inner().unwrap_or_default()
}

/// The name of a member within another.
pub(super) fn within(outer: Option<&str>, inner: &str) -> String {
    let mut name = outer.map_or_else(|| inner.to_owned(), |outer| format!("{outer}/{inner}"));
    if name.len() > LONGEST_NAME {
        let end = (0..=LONGEST_NAME).rev().find(|end| name.is_char_boundary(*end)).unwrap_or(0);
        name.truncate(end);
        name.push('…');
    }
    name
}
