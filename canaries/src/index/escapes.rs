//! How other formats write a character: percent-encoding, quoted-printable, backslashes, HTML entities. A text is
//! read in one flavour at a time, so that `user=dc@…` is not taken for quoted-printable only.

use std::ops::Deref;

/// One way to write characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// `%40`
    Percent,
    /// `=40`, and a line that goes on behind `=`
    QuotedPrintable,
    /// `\u0040`
    Backslash,
    /// `&#64;`
    Entity,
}

/// What an escape stands for: a character, a byte, or nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Escaped {
    bytes: [u8; 4],
    length: u8,
}

impl Escaped {
    fn byte(byte: u8) -> Escaped {
        Escaped { bytes: [byte, 0, 0, 0], length: 1 }
    }

    fn character(character: char) -> Escaped {
        let mut bytes = [0; 4];
        let length = character.encode_utf8(&mut bytes).len() as u8;
        Escaped { bytes, length }
    }
}

impl Deref for Escaped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// Bytes with the place in the text where each begins.
pub(super) struct Decoded {
    pub bytes: Vec<u8>,
    /// For each byte, the offset in the text where its writing begins; one more at the end.
    pub starts: Vec<usize>,
}

impl Decoded {
    /// Adds a range of the text as it stands.
    fn stand(&mut self, text: &[u8], from: usize, to: usize) {
        self.starts.extend(from..to);
        self.bytes.extend_from_slice(&text[from..to]);
    }
}

impl Flavour {
    /// Every flavour.
    pub const ALL: [Flavour; 4] = [Flavour::Percent, Flavour::QuotedPrintable, Flavour::Backslash, Flavour::Entity];

    /// The byte with which each of its escapes begins.
    pub fn introducer(self) -> u8 {
        match self {
            Flavour::Percent => b'%',
            Flavour::QuotedPrintable => b'=',
            Flavour::Backslash => b'\\',
            Flavour::Entity => b'&',
        }
    }

    /// The flavours that may be at work in this text.
    pub(super) fn within(text: &[u8]) -> impl Iterator<Item = Flavour> {
        Flavour::ALL.into_iter().filter(|flavour| text.contains(&flavour.introducer()))
    }

    /// Reads the escape at the start of `text`: the bytes it stands for, and its length. None: it is no escape.
    pub fn read(self, text: &[u8]) -> Option<(Escaped, usize)> {
        match self {
            Flavour::Percent => Some((Escaped::byte(hex_byte(text.get(1..3)?)?), 3)),
            Flavour::QuotedPrintable => match text {
                [b'=', b'\r', b'\n', ..] => Some((Escaped::default(), 3)),
                [b'=', b'\n', ..] => Some((Escaped::default(), 2)),
                _ => Some((Escaped::byte(hex_byte(text.get(1..3)?)?), 3)),
            },
            Flavour::Backslash => read_backslash(text),
            Flavour::Entity => read_entity(text),
        }
    }

    /// Reads a range of the text in this flavour.
    pub(super) fn decode(self, text: &[u8], from: usize, to: usize) -> Decoded {
        let mut decoded = Decoded { bytes: Vec::with_capacity(to - from), starts: Vec::with_capacity(to - from + 1) };
        let mut at = from;
        while let Some(length) = memchr::memchr(self.introducer(), &text[at..to]) {
            decoded.stand(text, at, at + length);
            at += length;
            match self.read(&text[at..to]) {
                Some((bytes, length)) => {
                    decoded.starts.extend(bytes.iter().map(|_| at));
                    decoded.bytes.extend_from_slice(&bytes);
                    at += length;
                }
                None => {
                    decoded.stand(text, at, at + 1);
                    at += 1;
                }
            }
        }
        decoded.stand(text, at, to);
        decoded.starts.push(to);
        decoded
    }
}

/// A range of the text as it stands.
pub(super) fn verbatim(text: &[u8], from: usize, to: usize) -> Decoded {
    Decoded { bytes: text[from..to].to_vec(), starts: (from..=to).collect() }
}

/// The value of two hexadecimal digits.
fn hex_byte(pair: &[u8]) -> Option<u8> {
    let digit = |byte: u8| (byte as char).to_digit(16);
    match pair {
        [high, low] => Some((digit(*high)? * 16 + digit(*low)?) as u8),
        _ => None,
    }
}

fn read_backslash(text: &[u8]) -> Option<(Escaped, usize)> {
    match *text.get(1)? {
        b'n' => Some((Escaped::byte(b'\n'), 2)),
        b't' => Some((Escaped::byte(b'\t'), 2)),
        b'r' => Some((Escaped::byte(b'\r'), 2)),
        b'0' => Some((Escaped::byte(0), 2)),
        b'u' => {
            let digits = std::str::from_utf8(text.get(2..6)?).ok()?;
            let character = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
            Some((Escaped::character(character), 6))
        }
        b'x' => Some((Escaped::byte(hex_byte(text.get(2..4)?)?), 4)),
        other => Some((Escaped::byte(other), 2)),
    }
}

fn read_entity(text: &[u8]) -> Option<(Escaped, usize)> {
    let end = text.iter().take(10).position(|&byte| byte == b';')?;
    let name = std::str::from_utf8(&text[1..end]).ok()?;
    let character = match name.strip_prefix('#') {
        Some(number) => char::from_u32(match number.strip_prefix(['x', 'X']) {
            Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16).ok()?,
            None => number.parse().ok()?,
        })?,
        None => match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            "nbsp" => '\u{a0}',
            "commat" => '@',
            "period" => '.',
            "plus" => '+',
            "lowbar" => '_',
            "sol" => '/',
            "equals" => '=',
            "excl" => '!',
            "num" => '#',
            "dollar" => '$',
            "percnt" => '%',
            "ast" => '*',
            "quest" => '?',
            "eacute" => 'é',
            "Eacute" => 'É',
            "egrave" => 'è',
            "Egrave" => 'È',
            "ecirc" => 'ê',
            "euml" => 'ë',
            "agrave" => 'à',
            "acirc" => 'â',
            "ccedil" => 'ç',
            "icirc" => 'î',
            "iuml" => 'ï',
            "ocirc" => 'ô',
            "ouml" => 'ö',
            "ugrave" => 'ù',
            "ucirc" => 'û',
            "uuml" => 'ü',
            _ => return None,
        },
    };
    Some((Escaped::character(character), end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(flavour: Flavour, text: &str) -> String {
        String::from_utf8(flavour.decode(text.as_bytes(), 0, text.len()).bytes).expect("these samples are UTF-8")
    }

    #[test]
    fn each_flavour_reads_its_own_escapes() {
        assert_eq!(read(Flavour::Percent, "a%40b%2Ec%zz"), "a@b.c%zz");
        assert_eq!(read(Flavour::QuotedPrintable, "a=40b=\r\nc=\nd=C3=A9"), "a@bcdé");
        assert_eq!(read(Flavour::Backslash, r"a\u0040b\/c\n\x41\u00e9"), "a@b/c\nAé");
        assert_eq!(read(Flavour::Entity, "a&#64;b&#x40;c&amp;&commat;&unknown;"), "a@b@c&@&unknown;");
    }

    #[test]
    fn the_starts_are_those_of_the_writing() {
        let decoded = Flavour::Percent.decode(b"x%40yz", 1, 6);
        assert_eq!(decoded.starts, [1, 4, 5, 6]);
    }
}
