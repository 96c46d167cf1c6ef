//! What the codes of a font stand for, where a PDF says it (`ToUnicode`). Which font a text is set in is not followed:
//! a text is read by every map that knows all of its codes.

use std::collections::BTreeMap;

/// The most codes that one map may have.
const MOST: usize = 70_000;

/// One font's map.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Map {
    /// Bytes of a code.
    width: usize,
    letters: BTreeMap<u32, String>,
}

impl Map {
    /// Reads a map; none if the stream is not one.
    pub fn read(content: &[u8]) -> Option<Map> {
        memchr::memmem::find(content, b"begincmap")?;
        let mut map = Map { width: 0, letters: BTreeMap::new() };
        let words = Words { content, at: 0 };
        let mut section = Vec::new();
        for word in words {
            match word {
                Word::Name(b"begincodespacerange" | b"beginbfchar" | b"beginbfrange") => section.clear(),
                Word::Name(b"endcodespacerange") => {
                    if let Some(Word::Text(code)) = section.first() {
                        map.width = code.len();
                    }
                }
                Word::Name(b"endbfchar") => {
                    for pair in section.chunks_exact(2) {
                        if let [Word::Text(code), Word::Text(letters)] = pair {
                            map.add(number(code), &wide(letters));
                        }
                    }
                }
                Word::Name(b"endbfrange") => map.ranges(&section),
                word if section.len() < MOST * 3 => section.push(word),
                _ => return Some(map),
            }
        }
        Some(map)
    }

    fn ranges(&mut self, section: &[Word<'_>]) {
        let mut rest = section;
        while let [Word::Text(from), Word::Text(to), then, after @ ..] = rest {
            let (from, to) = (number(from), number(to));
            rest = after;
            match then {
                Word::Text(first) => {
                    let first = wide(first);
                    let Some(last) = first.last().copied() else { continue };
                    for code in from..=to.min(from.saturating_add(0xffff)) {
                        let mut letters = first.clone();
                        letters.pop();
                        letters.push(last.wrapping_add((code - from) as u16));
                        self.add(code, &letters);
                    }
                }
                Word::Name(b"[") => {
                    for code in from..=to.min(from.saturating_add(0xffff)) {
                        let [Word::Text(letters), after @ ..] = rest else { break };
                        self.add(code, &wide(letters));
                        rest = after;
                    }
                    if let [Word::Name(b"]"), after @ ..] = rest {
                        rest = after;
                    }
                }
                Word::Name(_) => {}
            }
        }
    }

    fn add(&mut self, code: u32, letters: &[u16]) {
        if self.letters.len() < MOST {
            self.letters.insert(code, String::from_utf16_lossy(letters));
        }
    }

    /// The text that these codes stand for; none if one stands for nothing.
    pub fn decode(&self, codes: &[u8]) -> Option<String> {
        if self.width == 0 || !codes.len().is_multiple_of(self.width) {
            return None;
        }
        codes.chunks(self.width).map(|code| self.letters.get(&number(code)).map(String::as_str)).collect()
    }
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |value, byte| (value << 8) | u32::from(*byte))
}

fn wide(bytes: &[u8]) -> Vec<u16> {
    bytes.chunks(2).map(|pair| number(pair) as u16).collect()
}

/// A word of a map's language: a name, a bracket, or `<…>` as bytes.
#[derive(Debug)]
enum Word<'a> {
    Name(&'a [u8]),
    Text(Vec<u8>),
}

struct Words<'a> {
    content: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Words<'a> {
    type Item = Word<'a>;

    fn next(&mut self) -> Option<Word<'a>> {
        let rest = &self.content[self.at..];
        let skipped = rest.iter().position(|byte| !byte.is_ascii_whitespace() && *byte != 0)?;
        let rest = &rest[skipped..];
        let start = self.at + skipped;
        let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'<' | b'>' | b'[' | b']' | b'/');
        match rest[0] {
            b'<' if rest.get(1) != Some(&b'<') => {
                let length = rest.iter().position(|byte| *byte == b'>').unwrap_or(rest.len());
                self.at = (start + length + 1).min(self.content.len());
                let digits: Vec<u32> = rest[1..length].iter().filter_map(|byte| (*byte as char).to_digit(16)).collect();
                Some(Word::Text(
                    digits.chunks(2).map(|pair| (pair[0] * 16 + pair.get(1).copied().unwrap_or(0)) as u8).collect(),
                ))
            }
            _ => {
                let length = 1 + rest[1..].iter().position(ends).unwrap_or(rest.len() - 1);
                let length = if matches!(rest[0], b'[' | b']' | b'<' | b'>') { 1 } else { length };
                self.at = start + length;
                Some(Word::Name(&rest[..length]))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn codes_become_letters() {
        let map =
            b"/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <0000><ffff> endcodespacerange\n\
                    2 beginbfchar <0003> <0020> <0004><00660066> endbfchar 2 beginbfrange <0010> <0012> <0061>\n\
                    <0020> <0021> [<0040> <00e9>] endbfrange endcmap";
        let map = Map::read(map).unwrap();
        assert_eq!(map.decode(b"\0\x10\0\x12\0\x20\0\x21\0\x04\0\x03").unwrap(), "ac@éff ");
        assert_eq!(map.decode(b"\0\x10\0\x13"), None);
        assert_eq!(map.decode(b"\0\x10\0"), None);
        assert_eq!(Map::read(b"BT (x) Tj ET"), None);
    }

    proptest! {
        #[test]
        fn any_map_is_read(text in "(begincmap|<[0-9a-f]{0,6}>|[\\[\\]<> ]|(begin|end)(bfchar|bfrange|codespacerange) ){0,40}") {
            let map = Map::read(format!("begincmap {text}").as_bytes()).unwrap();
            let _ = map.decode(text.as_bytes());
        }
    }
}
