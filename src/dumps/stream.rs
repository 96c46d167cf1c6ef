//! A stream on its way through its containers: its head is looked at, the rest is read once. The file itself can be
//! read from any place, if it is one; anything else that needs that is held in memory.

use std::{
    fs::File,
    io::{self, Chain, Cursor, Read, Seek, SeekFrom},
};

/// How much of a stream is looked at to tell what it is.
pub(super) const HEAD: usize = 64 << 10;

/// A stream whose head is known.
pub(super) struct Stream<'a> {
    /// The member's name; none for the file itself.
    pub member: Option<&'a str>,
    /// In how many containers it lies.
    pub depth: u32,
    pub head: Vec<u8>,
    rest: &'a mut dyn Read,
    file: Option<&'a File>,
}

/// Material that can be read from any place.
pub(super) enum Held<'a> {
    File(&'a File),
    Bytes(Cursor<Vec<u8>>),
}

/// The bytes of a stream from its start.
pub(super) type Whole<'a> = Chain<Cursor<Vec<u8>>, &'a mut dyn Read>;

impl<'a> Stream<'a> {
    /// Reads the head. An error of the source is answered beside what came before it.
    pub fn begin(
        member: Option<&'a str>,
        depth: u32,
        rest: &'a mut dyn Read,
        file: Option<&'a File>,
    ) -> (Stream<'a>, Option<io::Error>) {
        let mut head = Vec::new();
        let error = (&mut *rest).take(HEAD as u64).read_to_end(&mut head).err();
        (Stream { member, depth, head, rest, file }, error)
    }

    /// The file itself, if it can be read from any place.
    pub fn file(&self) -> Option<&'a File> {
        self.file
    }

    /// The head, and what follows it.
    pub fn parts(self) -> (Vec<u8>, &'a mut dyn Read) {
        (self.head, self.rest)
    }

    /// All of it, to be read once.
    pub fn whole(self) -> Whole<'a> {
        Cursor::new(self.head).chain(self.rest)
    }

    /// All of it, to be read from any place; else, if it is too large for that, to be read once.
    pub fn held(self, limit: u64) -> io::Result<Result<Held<'a>, Whole<'a>>> {
        if let Some(mut file) = self.file {
            file.seek(SeekFrom::Start(0))?;
            return Ok(Ok(Held::File(file)));
        }
        Ok(self.bytes(limit)?.map(|bytes| Held::Bytes(Cursor::new(bytes))))
    }

    /// All of it in memory; else, if it is too large for that, to be read once.
    pub fn bytes(self, limit: u64) -> io::Result<Result<Vec<u8>, Whole<'a>>> {
        let mut bytes = self.head;
        (&mut *self.rest).take(limit.saturating_sub(bytes.len() as u64)).read_to_end(&mut bytes)?;
        let mut next = [0];
        if self.rest.read(&mut next)? > 0 {
            bytes.push(next[0]);
            return Ok(Err(Cursor::new(bytes).chain(self.rest)));
        }
        Ok(Ok(bytes))
    }
}

impl Read for Held<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Held::File(file) => file.read(buffer),
            Held::Bytes(bytes) => bytes.read(buffer),
        }
    }
}

impl Seek for Held<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Held::File(file) => file.seek(to),
            Held::Bytes(bytes) => bytes.seek(to),
        }
    }
}
