//! How the text of a CSV file is written in bytes. What is not ours passes through untouched: one-byte encodings and
//! UTF-8 are handled as the bytes they are, invalid ones too; only UTF-16 is read as UTF-8 and written back.

use encoding_rs::Encoding as Charset;
use std::{
    borrow::Cow,
    io::{self, Read, Write},
};

/// An encoding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Encoding {
    Utf8,
    Utf16Le,
    Utf16Be,
    /// ISO 8859-1 proper, without the additions of Windows-1252.
    Latin1,
    /// Any other encoding of one byte a character.
    OneByte(&'static Charset),
}

impl Encoding {
    /// The encoding that an operator names.
    pub fn named(label: &str) -> Option<Encoding> {
        match label.to_ascii_lowercase().as_str() {
            "latin1" | "latin-1" | "iso-8859-1" | "iso8859-1" => return Some(Encoding::Latin1),
            _ => {}
        }
        let charset = Charset::for_label(label.as_bytes())?;
        match charset {
            charset if charset == encoding_rs::UTF_8 => Some(Encoding::Utf8),
            charset if charset == encoding_rs::UTF_16LE => Some(Encoding::Utf16Le),
            charset if charset == encoding_rs::UTF_16BE => Some(Encoding::Utf16Be),
            charset if charset.is_single_byte() => Some(Encoding::OneByte(charset)),
            _ => None,
        }
    }

    /// The name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Utf8 => "UTF-8",
            Encoding::Utf16Le => "UTF-16LE",
            Encoding::Utf16Be => "UTF-16BE",
            Encoding::Latin1 => "ISO-8859-1",
            Encoding::OneByte(charset) => charset.name(),
        }
    }

    /// Finds the encoding of a text, and the length of its byte-order mark.
    pub fn detect(mut text: impl Read) -> io::Result<(Encoding, u64)> {
        let mut count = Utf8Count::default();
        let mut buffer = vec![0; 64 << 10];
        let mut start = true;
        loop {
            let length = fill(&mut text, &mut buffer)?;
            let chunk = &buffer[..length];
            if start {
                if let Some(found) = from_beginning(chunk) {
                    return Ok(found);
                }
                start = false;
            }
            count.see(chunk);
            if length < buffer.len() {
                break;
            }
        }
        // A few broken bytes in a UTF-8 file do not make it Windows-1252; a French file of the latter has next to no
        // valid sequence.
        count.invalid += u64::from(!count.carried.is_empty());
        Ok((if count.invalid > count.valid { WINDOWS_1252 } else { Encoding::Utf8 }, 0))
    }

    /// The value that these bytes of the reader's stand for, losing what is invalid.
    pub fn decode(self, bytes: &[u8]) -> Cow<'_, str> {
        match self {
            Encoding::Utf8 | Encoding::Utf16Le | Encoding::Utf16Be => String::from_utf8_lossy(bytes),
            Encoding::Latin1 => encoding_rs::mem::decode_latin1(bytes),
            Encoding::OneByte(charset) => charset.decode_without_bom_handling(bytes).0,
        }
    }

    /// The bytes, as the reader gives them, of a value; none where the encoding lacks a character.
    pub fn encode(self, value: &str) -> Option<Vec<u8>> {
        match self {
            Encoding::Utf8 | Encoding::Utf16Le | Encoding::Utf16Be => Some(value.as_bytes().to_vec()),
            Encoding::Latin1 => encoding_rs::mem::is_str_latin1(value)
                .then(|| encoding_rs::mem::encode_latin1_lossy(value).into_owned()),
            Encoding::OneByte(charset) => {
                let (bytes, _, missing) = charset.encode(value);
                (!missing).then(|| bytes.into_owned())
            }
        }
    }

    /// A text without its byte-order mark, as bytes in which ASCII stands for itself.
    pub fn reader<'a>(self, text: impl Read + 'a) -> Box<dyn Read + 'a> {
        match self {
            Encoding::Utf16Le => Box::new(FromUtf16 { text, unit: u16::from_le_bytes, ready: Vec::new(), at: 0 }),
            Encoding::Utf16Be => Box::new(FromUtf16 { text, unit: u16::from_be_bytes, ready: Vec::new(), at: 0 }),
            _ => Box::new(text),
        }
    }

    /// The way back: whole characters in, the file's bytes out.
    pub fn write(self, bytes: &[u8], out: &mut impl Write) -> io::Result<()> {
        let unit = match self {
            Encoding::Utf16Le => u16::to_le_bytes,
            Encoding::Utf16Be => u16::to_be_bytes,
            _ => return out.write_all(bytes),
        };
        let text = std::str::from_utf8(bytes).map_err(|_| invalid())?;
        let units: Vec<u8> = text.encode_utf16().flat_map(unit).collect();
        out.write_all(&units)
    }
}

const WINDOWS_1252: Encoding = Encoding::OneByte(encoding_rs::WINDOWS_1252);

fn from_beginning(chunk: &[u8]) -> Option<(Encoding, u64)> {
    match chunk {
        [0xef, 0xbb, 0xbf, ..] => Some((Encoding::Utf8, 3)),
        [0xff, 0xfe, ..] => Some((Encoding::Utf16Le, 2)),
        [0xfe, 0xff, ..] => Some((Encoding::Utf16Be, 2)),
        &[1..=255, 0, 1..=255, 0, ..] => Some((Encoding::Utf16Le, 0)),
        &[0, 1..=255, 0, 1..=255, ..] => Some((Encoding::Utf16Be, 0)),
        _ => None,
    }
}

/// Fills the buffer as far as the text goes.
pub fn fill(text: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match text.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

/// Counts the sequences of more than one byte that are UTF-8, and those that are not.
#[derive(Default)]
struct Utf8Count {
    valid: u64,
    invalid: u64,
    carried: Vec<u8>,
}

impl Utf8Count {
    fn see(&mut self, chunk: &[u8]) {
        if self.carried.is_empty() && chunk.is_ascii() {
            return;
        }
        let mut bytes = std::mem::take(&mut self.carried);
        bytes.extend_from_slice(chunk);
        let mut chunks = bytes.utf8_chunks().peekable();
        while let Some(part) = chunks.next() {
            self.valid += part.valid().chars().filter(|c| !c.is_ascii()).count() as u64;
            if chunks.peek().is_none() {
                // The last may be cut by the chunk's end; three bytes at most.
                self.carried = part.invalid().to_vec();
            } else {
                self.invalid += 1;
            }
        }
    }
}

fn invalid() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "half a character in a UTF-16 text")
}

struct FromUtf16<R> {
    text: R,
    unit: fn([u8; 2]) -> u16,
    ready: Vec<u8>,
    at: usize,
}

impl<R: Read> Read for FromUtf16<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at == self.ready.len() {
            let mut bytes = [0; 8192];
            let mut length = fill(&mut self.text, &mut bytes)?;
            if length % 2 == 1 {
                return Err(invalid());
            }
            let mut units: Vec<u16> =
                bytes[..length].chunks_exact(2).map(|two| (self.unit)([two[0], two[1]])).collect();
            if units.last().is_some_and(|unit| (0xd800..0xdc00).contains(unit)) {
                let mut two = [0; 2];
                length = fill(&mut self.text, &mut two)?;
                if length != 2 {
                    return Err(invalid());
                }
                units.push((self.unit)(two));
            }
            let text = String::from_utf16(&units).map_err(|_| invalid())?;
            self.ready = text.into_bytes();
            self.at = 0;
        }
        let length = out.len().min(self.ready.len() - self.at);
        out[..length].copy_from_slice(&self.ready[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tells_encodings_apart() {
        assert_eq!(Encoding::detect(&b"nom;pr\xe9nom\nZo\xeb;x"[..]).unwrap(), (WINDOWS_1252, 0));
        assert_eq!(Encoding::detect("nom;prénom\n".as_bytes()).unwrap(), (Encoding::Utf8, 0));
        assert_eq!(Encoding::detect(&b"nom;pr\xc3\xa9nom\n\xc3\xa9\xc3\xa8\xff"[..]).unwrap(), (Encoding::Utf8, 0));
        assert_eq!(Encoding::detect(&b"\xef\xbb\xbfnom"[..]).unwrap(), (Encoding::Utf8, 3));
        assert_eq!(Encoding::detect(&b"n\0o\0m\0"[..]).unwrap(), (Encoding::Utf16Le, 0));
        assert_eq!(Encoding::detect(&b""[..]).unwrap(), (Encoding::Utf8, 0));
        assert_eq!(Encoding::named("windows-1252"), Some(WINDOWS_1252));
        assert_eq!(Encoding::named("shift_jis"), None, "its second bytes look like delimiters");
    }

    #[test]
    fn says_when_a_character_is_missing() {
        assert_eq!(Encoding::Latin1.encode("Łukasz"), None);
        assert_eq!(WINDOWS_1252.encode("Zoë €").as_deref(), Some(&b"Zo\xeb \x80"[..]));
        assert_eq!(Encoding::Latin1.encode("€"), None);
    }

    proptest! {
        #[test]
        fn utf_16_comes_back_as_it_was(text in "\\PC{0,80}", pad in 4000usize..4200) {
            let text = format!("{}{text}", "a".repeat(pad));
            for (encoding, unit) in
                [(Encoding::Utf16Le, u16::to_le_bytes as fn(u16) -> [u8; 2]), (Encoding::Utf16Be, u16::to_be_bytes)]
            {
                let bytes: Vec<u8> = text.encode_utf16().flat_map(unit).collect();
                let mut read = String::new();
                encoding.reader(&bytes[..]).read_to_string(&mut read).unwrap();
                prop_assert_eq!(&read, &text);
                let mut written = Vec::new();
                encoding.write(read.as_bytes(), &mut written).unwrap();
                prop_assert_eq!(written, bytes);
            }
        }
    }
}
