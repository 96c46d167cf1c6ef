//! LZ4, one or more frames in a row, and the frames of its first years. The decoder does not say whether a frame ended or
//! its source did, so it is given zeros behind the source: after a frame they are no frame, within one they are its end.

use crate::dumps::formats::{format::Format, packed};
use lz4_flex::frame::{Error, FrameDecoder};
use std::io::{self, Read};

pub(super) const FORMAT: Format = Format {
    name: "LZ4 stream",
    begins: |head| head.starts_with(b"\x04\x22\x4d\x18"),
    open: Some(|walk, stream| {
        packed::follow(walk, stream, &[(".tlz4", ".tar"), (".lz4", "")], |source| Box::new(Frames::new(source)))
    }),
};

/// As Linux kernels are packed; such a frame has no end but the file's.
pub(super) const LEGACY: Format = Format {
    name: "LZ4 stream",
    begins: |head| head.starts_with(b"\x02\x21\x4c\x18"),
    open: Some(|walk, stream| {
        packed::follow(walk, stream, &[(".lz4", "")], |source| Box::new(FrameDecoder::new(source)))
    }),
};

const ZEROS: usize = 7;

/// The content of all frames.
struct Frames<R: Read> {
    decoder: FrameDecoder<Marked<R>>,
    ended: bool,
}

impl<R: Read> Frames<R> {
    fn new(source: R) -> Self {
        Frames { decoder: FrameDecoder::new(Marked { source, ended: false, zeros: 0 }), ended: false }
    }
}

impl<R: Read> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() || self.ended {
            return Ok(0);
        }
        loop {
            let read = self.decoder.read(buffer);
            let zeros = self.decoder.get_ref().zeros;
            match read {
                Ok(0) if zeros > 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                // A frame ended, and another may follow.
                Ok(0) => {}
                // All frames ended.
                Err(error) if zeros == ZEROS && is_no_frame(&error) => {
                    self.ended = true;
                    return Ok(0);
                }
                other => return other,
            }
        }
    }
}

fn is_no_frame(error: &io::Error) -> bool {
    matches!(error.get_ref().and_then(|inner| inner.downcast_ref()), Some(Error::WrongMagicNumber))
}

/// A source, and as many zeros behind it as the shortest beginning of a frame has bytes.
struct Marked<R> {
    source: R,
    ended: bool,
    zeros: usize,
}

impl<R: Read> Read for Marked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.ended {
            let read = self.source.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            self.ended = true;
        }
        let count = buffer.len().min(ZEROS - self.zeros);
        buffer[..count].fill(0);
        self.zeros += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn frame(text: &[u8]) -> Vec<u8> {
        let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
        encoder.write_all(text).expect("a vector takes all");
        encoder.finish().expect("a vector takes all")
    }

    #[test]
    fn frames_in_a_row_are_read_and_one_that_is_cut_off_is_not_taken_for_whole() {
        let bytes = [frame(b"one "), frame(b""), frame(&b"two ".repeat(100_000))].concat();
        let read = |bytes: &[u8]| {
            let mut text = Vec::new();
            let mut frames = Frames::new(bytes);
            frames.read_to_end(&mut text)?;
            frames.read_to_end(&mut text).map(|_| text)
        };
        let text = read(&bytes).expect("it is whole");
        assert_eq!(text, [&b"one "[..], &b"two ".repeat(100_000)].concat());
        for cut in 1..bytes.len() {
            // Where a frame ends so may a file.
            if cut != frame(b"one ").len() && cut != frame(b"one ").len() + frame(b"").len() {
                assert!(read(&bytes[..cut]).is_err(), "{cut}");
            }
        }
    }
}
