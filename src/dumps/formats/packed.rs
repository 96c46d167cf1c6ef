//! A single stream that is packed, and unpacked as it is read: what gzip, zstd, xz and bzip2 have alike.

use crate::dumps::{
    account::Packed,
    stream::Stream,
    walk::{Walk, within},
};
use std::{
    cell::Cell,
    io::{self, BufReader, Read},
};

/// A packed stream, buffered and counted.
pub(super) type Source<'a> = BufReader<Tally<'a>>;

/// Follows what a packed stream holds. `endings` are those of the name, and what they become.
pub(super) fn follow(
    walk: &mut Walk<'_>,
    stream: Stream<'_>,
    endings: &[(&str, &str)],
    unpack: impl for<'s> FnOnce(Source<'s>) -> Box<dyn Read + 's>,
) -> io::Result<()> {
    let (member, depth) = (stream.member, stream.depth);
    let inner = within(member, &inner_name(member.unwrap_or(walk.path), endings));
    if walk.enter(&inner) {
        // The packed length is not known before the end, so it is counted while it is read.
        let read = Cell::new(0);
        let source = Tally { source: Box::new(stream.whole()), bytes: &read };
        let unpacked = unpack(BufReader::with_capacity(64 << 10, source));
        walk.unpacked(&inner, unpacked, Packed::Counted(&read), depth + 1);
    }
    Ok(())
}

/// The name of what a packed file holds.
fn inner_name(outer: &str, endings: &[(&str, &str)]) -> String {
    let name = outer.rsplit(['/', '\\']).next().unwrap_or(outer);
    endings
        .iter()
        .find_map(|(ending, becomes)| name.strip_suffix(ending).map(|stem| (stem, becomes)))
        .filter(|(stem, _)| !stem.is_empty())
        .map_or_else(|| "content".to_owned(), |(stem, becomes)| format!("{stem}{becomes}"))
}

/// Counts what is read of a packed stream.
pub(super) struct Tally<'a> {
    source: Box<dyn Read + 'a>,
    bytes: &'a Cell<u64>,
}

impl Read for Tally<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.bytes.set(self.bytes.get() + read as u64);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::inner_name;

    #[test]
    fn what_is_unpacked_is_named_after_the_file() {
        let endings = [(".tgz", ".tar"), (".gz", "")];
        assert_eq!(inner_name("leak/a.csv.gz", &endings), "a.csv");
        assert_eq!(inner_name("a.tgz", &endings), "a.tar");
        assert_eq!(inner_name("b\\.gz", &endings), "content");
        assert_eq!(inner_name("dump", &endings), "content");
    }
}
