//! A plain text cut into parts that are scanned apart. Each part is read with what stands around it, so that a marker
//! on a border is seen whole by the part in which it begins, and so that a container in base64 is.

use crate::dumps::part::{AROUND, goes_on};
use std::{
    fs::File,
    io::{self, Cursor, Read},
    ops::Range,
    os::unix::fs::FileExt,
    sync::Arc,
};

/// The length of a part.
const LENGTH: u64 = 4 << 20;

/// Cuts a text.
pub struct Parts {
    source: Source,
    number: u64,
    /// Where the next part begins.
    from: u64,
    ended: bool,
    length: u64,
    around: u64,
}

enum Source {
    File {
        file: Arc<File>,
        size: u64,
    },
    /// A stream, with what was read of it from the place `base` on.
    Stream {
        stream: Box<dyn Read + Send>,
        held: Vec<u8>,
        base: u64,
    },
}

/// One part.
pub struct Part {
    pub number: u64,
    pub last: bool,
    /// Where its source begins: before the part itself.
    pub base: u64,
    /// What is its own.
    pub own: Range<u64>,
    source: PartSource,
}

enum PartSource {
    /// The file to its end: whoever reads the part stops behind it.
    File(Arc<File>),
    Read(Vec<u8>),
}

impl Parts {
    /// Cuts a file of this length.
    pub fn of_file(file: File, size: u64) -> Parts {
        Parts::new(Source::File { file: Arc::new(file), size })
    }

    /// Cuts a stream, which is read as its parts are asked for.
    pub fn of_stream(stream: Box<dyn Read + Send>) -> Parts {
        Parts::new(Source::Stream { stream, held: Vec::new(), base: 0 })
    }

    fn new(source: Source) -> Parts {
        Parts { source, number: 0, from: 0, ended: false, length: LENGTH, around: AROUND }
    }

    /// The number of the next part.
    pub fn number(&self) -> u64 {
        self.number
    }

    fn cut(&mut self) -> io::Result<Part> {
        let base = self.from.saturating_sub(self.around);
        let wanted = self.from + self.length + self.around;
        let (end, source) = match &mut self.source {
            Source::File { file, size } => (*size, PartSource::File(file.clone())),
            Source::Stream { stream, held, base: held_from } => {
                held.drain(..(base - *held_from) as usize);
                *held_from = base;
                let room = (wanted - base).saturating_sub(held.len() as u64);
                stream.take(room).read_to_end(held)?;
                let (own, mut kept) = ((self.from - base) as usize, held.len().min((wanted - base) as usize));
                while base + kept as u64 >= wanted && goes_on(&held[..kept], own..own + self.length as usize) {
                    if kept == held.len() && stream.take(self.length).read_to_end(held)? == 0 {
                        break;
                    }
                    kept = held.len();
                }
                (base + kept as u64, PartSource::Read(held[..kept].to_vec()))
            }
        };
        let last = end < wanted;
        let until = if last { end } else { self.from + self.length };
        Ok(Part { number: self.number, last, base, own: self.from..until, source })
    }
}

impl Iterator for Parts {
    type Item = io::Result<Part>;

    /// The next part; none after the last, or after an error. A text without a byte has one part.
    fn next(&mut self) -> Option<io::Result<Part>> {
        if self.ended {
            return None;
        }
        let part = self.cut();
        self.ended = part.as_ref().map_or(true, |part| part.last);
        if let Ok(part) = &part {
            self.from = part.own.end;
            self.number += 1;
        }
        Some(part)
    }
}

impl Part {
    /// The text from `base` on.
    pub fn into_source(self) -> Box<dyn Read> {
        match self.source {
            PartSource::Read(bytes) => Box::new(Cursor::new(bytes)),
            PartSource::File(file) => Box::new(FromPlace { file, at: self.base }),
        }
    }
}

/// A file from some place on, which others read as well.
struct FromPlace {
    file: Arc<File>,
    at: u64,
}

impl Read for FromPlace {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(mut parts: Parts, length: u64, around: u64) -> Vec<(Vec<u8>, Range<u64>, u64)> {
        (parts.length, parts.around) = (length, around);
        let mut all = Vec::new();
        for part in parts {
            let part = part.expect("memory and files of a test are read");
            let (base, own, mut text) = (part.base, part.own.clone(), Vec::new());
            part.into_source().read_to_end(&mut text).expect("memory and files of a test are read");
            all.push((text, own, base));
        }
        all
    }

    #[test]
    fn parts_of_every_length_make_the_whole_with_what_stands_around_them() {
        let text: Vec<u8> = (0..100).collect();
        let mut file = tempfile::tempfile().expect("a file of a test");
        io::Write::write_all(&mut file, &text).expect("a file of a test");
        for (length, around) in (1..40).flat_map(|length| [0, 1, 3, 50].map(|around| (length, around))) {
            let of_file = parts(Parts::of_file(file.try_clone().expect("a file of a test"), 100), length, around);
            let of_stream = parts(Parts::of_stream(Box::new(Cursor::new(text.clone()))), length, around);
            assert_eq!(of_file.len(), of_stream.len());
            let mut next = 0;
            for ((file, own, base), (stream, same_own, same_base)) in of_file.iter().zip(&of_stream) {
                assert_eq!((own, base), (same_own, same_base));
                assert_eq!((own.start, *base), (next, own.start.saturating_sub(around)));
                next = own.end;
                assert_eq!(file, &text[*base as usize..]);
                assert_eq!(stream, &text[*base as usize..(own.end + around).min(100) as usize]);
            }
            assert_eq!(next, 100);
        }
    }

    #[test]
    fn a_container_in_base64_is_read_with_the_part_in_which_it_begins() {
        let packed = data_encoding::BASE64.encode(&[&[0x1f, 0x8b, 8][..], &[7; 3_000]].concat());
        let text = format!("{}{packed}\n{}", "a line\n".repeat(100), "and more\n".repeat(1_000)).into_bytes();
        let cut = parts(Parts::of_stream(Box::new(Cursor::new(text.clone()))), 1_000, 100);
        let longest = cut.iter().max_by_key(|(text, ..)| text.len()).expect("there are parts");
        assert!(longest.1.contains(&700) && longest.0.len() > 4_000, "{:?} {}", longest.1, longest.0.len());
        assert!(cut.iter().all(|(text, own, _)| own.contains(&700) || text.len() <= 1_200 || own.start < 700));
    }
}
