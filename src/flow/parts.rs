//! A plain text cut into parts that are scanned apart. Each part is read with what stands around it, so that a marker
//! on a border is seen whole by the part in which it begins.

use std::{
    fs::File,
    io::{self, Read},
    ops::Range,
    os::unix::fs::FileExt,
    sync::Arc,
};

/// The length of a part.
const LENGTH: u64 = 4 << 20;
/// How much of its neighbours is read with it.
const AROUND: u64 = 16 << 10;

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
    /// Where what is read with it begins.
    pub base: u64,
    report: Range<u64>,
    end: u64,
    source: PartSource,
}

enum PartSource {
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
            Source::File { file, size } => (wanted.min(*size), PartSource::File(file.clone())),
            Source::Stream { stream, held, base: held_from } => {
                held.drain(..(base - *held_from) as usize);
                *held_from = base;
                let room = wanted - base - held.len() as u64;
                stream.take(room).read_to_end(held)?;
                (base + held.len() as u64, PartSource::Read(held.clone()))
            }
        };
        let last = end < wanted;
        let until = if last { end } else { self.from + self.length };
        Ok(Part { number: self.number, last, base, report: self.from..until, end, source })
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
            self.from = part.report.end;
            self.number += 1;
        }
        Some(part)
    }
}

impl Part {
    /// Reads it into `text`, and answers what of that is its own.
    ///
    /// # Errors
    /// The file's own; also where it became shorter.
    pub fn read(self, text: &mut Vec<u8>) -> io::Result<Range<usize>> {
        match self.source {
            PartSource::Read(bytes) => *text = bytes,
            PartSource::File(file) => {
                text.resize((self.end - self.base) as usize, 0);
                file.read_exact_at(text, self.base)?;
            }
        }
        Ok((self.report.start - self.base) as usize..(self.report.end - self.base) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(mut parts: Parts, length: u64, around: u64) -> Vec<(Vec<u8>, Range<usize>, u64)> {
        (parts.length, parts.around) = (length, around);
        let mut all = Vec::new();
        for part in parts {
            let part = part.expect("memory and files of a test are read");
            let (base, mut text) = (part.base, Vec::new());
            let report = part.read(&mut text).expect("memory and files of a test are read");
            all.push((text, report, base));
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
            let of_stream = parts(Parts::of_stream(Box::new(io::Cursor::new(text.clone()))), length, around);
            assert_eq!(of_file, of_stream);
            let whole: Vec<u8> = of_file.iter().flat_map(|(text, report, _)| text[report.clone()].to_vec()).collect();
            assert_eq!(whole, text);
            for (read, report, base) in of_file {
                let from = base + report.start as u64;
                assert_eq!(base, from.saturating_sub(around));
                assert_eq!(read, text[base as usize..base as usize + read.len()]);
                assert!(read.len() - report.end == around.min(100 - base - report.end as u64) as usize);
            }
        }
    }
}
