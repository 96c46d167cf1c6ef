//! Finds the end of a mail's data. Only CR LF, dot, CR LF ends it: every other sequence that some server takes for the
//! end lets a second mail be smuggled in. Also takes away the dots that the sender stuffed.

/// Where in the data the reader is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DataReader {
    /// After CR LF, or at the very start.
    #[default]
    LineStart,
    /// After a line's first dot.
    Dot,
    /// After a line's first dot and a CR.
    DotCr,
    /// Within a line.
    Within,
    /// After a CR within a line.
    Cr,
}

impl DataReader {
    /// Reads on: content goes to `keep`. Answers how many bytes belong to the data if its end is among them.
    pub fn read(&mut self, bytes: &[u8], mut keep: impl FnMut(u8)) -> Option<usize> {
        for (at, &byte) in bytes.iter().enumerate() {
            *self = match (*self, byte) {
                (DataReader::DotCr, b'\n') => return Some(at + 1),
                (DataReader::LineStart, b'.') => {
                    *self = DataReader::Dot;
                    continue;
                }
                (DataReader::Dot, b'\r') => {
                    *self = DataReader::DotCr;
                    continue;
                }
                (DataReader::Cr, b'\n') => DataReader::LineStart,
                (DataReader::DotCr, _) => {
                    keep(b'\r');
                    if byte == b'\r' { DataReader::Cr } else { DataReader::Within }
                }
                (_, b'\r') => DataReader::Cr,
                _ => DataReader::Within,
            };
            keep(byte);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> (Vec<u8>, Option<usize>) {
        let mut kept = Vec::new();
        let end = DataReader::default().read(bytes, |byte| kept.push(byte));
        (kept, end)
    }

    #[test]
    fn only_crlf_dot_crlf_ends_the_data() {
        assert_eq!(read(b"a\r\n.\r\nQUIT\r\n"), (b"a\r\n".to_vec(), Some(6)));
        assert_eq!(read(b".\r\n"), (vec![], Some(3)));
        for smuggling in SMUGGLING {
            let bytes = [b"a".as_slice(), smuggling, b"MAIL FROM:<x@y>\r\n"].concat();
            assert_eq!(read(&bytes).1, None, "{smuggling:?}");
        }
    }

    /// Sequences that one server or another took for the end of the data.
    pub const SMUGGLING: [&[u8]; 12] = [
        b"\n.\n",
        b"\n.\r\n",
        b"\r\n.\n",
        b"\r.\r",
        b"\r.\r\n",
        b"\r\n.\r",
        b"\n.\r",
        b"\r.\n",
        b"\r\n.\0\r\n",
        b"\r\n\0.\r\n",
        b"\r\n..\r\n",
        b"\r\r\n.\r\r\n",
    ];

    #[test]
    fn stuffed_dots_are_taken_away() {
        assert_eq!(read(b"..a\r\n.b\r\n.\r\n").0, b".a\r\nb\r\n");
        assert_eq!(read(b".\rx\r\n.\r\n").0, b"\rx\r\n");
    }

    proptest! {
        #[test]
        fn cutting_the_bytes_anywhere_changes_nothing(parts in prop::collection::vec(prop::sample::select(
            vec![b"\r".as_slice(), b"\n", b".", b"a", b"\r\n.\r\n", b"\0"]), 0..40), cut in any::<prop::sample::Index>()) {
            let bytes = parts.concat();
            let (left, right) = bytes.split_at(cut.index(bytes.len() + 1));
            let mut kept = Vec::new();
            let mut reader = DataReader::default();
            let end = match reader.read(left, |byte| kept.push(byte)) {
                Some(end) => Some(end),
                None => reader.read(right, |byte| kept.push(byte)).map(|end| end + left.len()),
            };
            prop_assert_eq!((kept, end), read(&bytes));
            let first = [b"\r\n".as_slice(), &bytes].concat().windows(5).position(|window| window == b"\r\n.\r\n");
            prop_assert_eq!(end, first.map(|at| at + 3));
        }
    }
}
