//! A text that is drawn out of something else, bit by bit as it is asked for, so that memory does not grow with it.

use std::io::{self, Read};

/// Draws more text; false at the end.
pub(super) struct Drawn<F> {
    draw: F,
    text: Vec<u8>,
    at: usize,
    end: Option<io::Result<()>>,
}

impl<F: FnMut(&mut Vec<u8>) -> io::Result<bool>> Drawn<F> {
    pub fn new(draw: F) -> Self {
        Drawn { draw, text: Vec::new(), at: 0, end: None }
    }
}

impl<F: FnMut(&mut Vec<u8>) -> io::Result<bool>> Read for Drawn<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while self.at == self.text.len() {
            // What was drawn before an error is given before it.
            if let Some(end) = self.end.replace(Ok(())) {
                return end.map(|()| 0);
            }
            self.end = None;
            self.text.clear();
            self.at = 0;
            match (self.draw)(&mut self.text) {
                Ok(true) => {}
                Ok(false) => self.end = Some(Ok(())),
                Err(error) => self.end = Some(Err(error)),
            }
        }
        let count = buffer.len().min(self.text.len() - self.at);
        buffer[..count].copy_from_slice(&self.text[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

/// Writes a row: cells apart by tabs, quoted as in CSV where that is needed.
pub(super) fn row<'a>(text: &mut Vec<u8>, cells: impl IntoIterator<Item = &'a [u8]>) {
    for (place, cell) in cells.into_iter().enumerate() {
        if place > 0 {
            text.push(b'\t');
        }
        if memchr::memchr3(b'\t', b'\n', b'"', cell).is_none() && !cell.contains(&b'\r') {
            text.extend_from_slice(cell);
            continue;
        }
        text.push(b'"');
        for &byte in cell {
            if byte == b'"' {
                text.push(b'"');
            }
            text.push(byte);
        }
        text.push(b'"');
    }
    text.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_before_an_error_is_given() {
        let mut step = 0;
        let mut drawn = Drawn::new(|text: &mut Vec<u8>| {
            step += 1;
            match step {
                1 => row(text, [&b"a"[..], b"b\tc\"d"]),
                2 => {}
                _ => return Err(io::ErrorKind::InvalidData.into()),
            }
            Ok(true)
        });
        let mut text = Vec::new();
        assert!(drawn.read_to_end(&mut text).is_err());
        assert_eq!(text, b"a\t\"b\tc\"\"d\"\n");
    }
}
