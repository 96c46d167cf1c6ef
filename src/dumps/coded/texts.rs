//! Where text stands in bytes: UTF-8 without control characters.

use std::ops::Range;

/// The shortest text that is shown.
const SHORTEST: usize = 6;

/// How many bytes a character takes that begins with this one; none where no text has it there.
pub(super) static LENGTHS: [u8; 256] = {
    let mut lengths = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        lengths[byte] = match byte as u8 {
            b'\t' | b'\n' | b'\r' | b' '..=b'~' => 1,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => 0,
        };
        byte += 1;
    }
    lengths
};

/// Whether a byte may follow on another in a text: each counts as nothing that a text holds, a character of its own, a
/// later byte of one, or its first.
const FOLLOWS: [[bool; 4]; 4] =
    [[false, false, false, false], [false, true, false, true], [false, true, true, true], [false, false, true, false]];

static PLACES: [u8; 256] = {
    let mut places = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        places[byte] = match (byte as u8, LENGTHS[byte]) {
            (_, 1) => 1,
            (0x80..0xc0, _) => 2,
            (_, 0) => 0,
            _ => 3,
        };
        byte += 1;
    }
    places
};

fn is_text(letter: char) -> bool {
    !letter.is_control() || matches!(letter, '\t' | '\n' | '\r')
}

/// Where text stands in these bytes.
pub(super) fn stretches(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while let Some(start) = next_start(bytes, at) {
            let end = end_of(bytes, start);
            // What ends a text begins none.
            at = end + 1;
            if end - start >= SHORTEST {
                return Some(start..end);
            }
        }
        None
    })
}

/// The next place from which on so many bytes may be text as a text has at least. In bytes that are none, few are looked at.
fn next_start(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let some: &[u8; SHORTEST] = bytes.get(at..)?.first_chunk()?;
        let places = some.map(|byte| usize::from(PLACES[usize::from(byte)]));
        match (1..SHORTEST).rev().find(|number| !FOLLOWS[places[number - 1]][places[*number]]) {
            Some(number) => at += number,
            None => return Some(at),
        }
    }
}

/// Where the text ends that begins here.
fn end_of(bytes: &[u8], mut at: usize) -> usize {
    while let Some(byte) = bytes.get(at) {
        let length = usize::from(LENGTHS[usize::from(*byte)]);
        if length == 0 {
            break;
        }
        if length > 1 {
            let character = bytes.get(at..at + length).and_then(|bytes| std::str::from_utf8(bytes).ok());
            if !character.is_some_and(|character| character.chars().all(is_text)) {
                break;
            }
        }
        at += length;
    }
    at
}

/// The whole of these bytes if they are text, but for letters that were cut at their ends.
pub(super) fn whole_text(bytes: &[u8]) -> Option<Range<usize>> {
    let cut = bytes.iter().take(3).take_while(|byte| (0x80..0xc0).contains(*byte)).count();
    let text = match std::str::from_utf8(&bytes[cut..]) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&bytes[cut..cut + error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    (text.len() >= SHORTEST && text.chars().all(is_text)).then_some(cut..cut + text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same, as the standard library reads UTF-8.
    fn plain(bytes: &[u8]) -> Vec<Range<usize>> {
        let (mut stretches, mut at) = (Vec::new(), 0);
        for chunk in bytes.utf8_chunks() {
            let mut start = at;
            for letter in chunk.valid().chars() {
                if !is_text(letter) {
                    stretches.push(start..at);
                    start = at + letter.len_utf8();
                }
                at += letter.len_utf8();
            }
            stretches.push(start..at);
            at += chunk.invalid().len();
        }
        stretches.retain(|stretch| stretch.len() >= SHORTEST);
        stretches
    }

    proptest! {
        #[test]
        fn stretches_are_those_of_utf8(
            parts in prop::collection::vec(prop_oneof![
                prop::collection::vec(any::<u8>(), 0..40),
                "[a-z\t\n é€𝄞\u{7f}\u{85}\u{a0}\u{0}]{0,20}".prop_map(String::into_bytes),
                prop::collection::vec(prop::sample::select(vec![0xc2, 0xe2, 0xed, 0xf0, 0xf4, 0x80, 0x9f, 0xa0, 0xbf, b'a']), 0..12),
            ], 0..8),
        ) {
            let bytes = parts.concat();
            prop_assert_eq!(stretches(&bytes).collect::<Vec<_>>(), plain(&bytes));
        }
    }

    #[test]
    fn stretches_are_the_text_in_bytes() {
        let of = |bytes: &[u8]| stretches(bytes).collect::<Vec<_>>();
        assert_eq!(of(b"\0\x01some text\x02short\xffanother"), [2..11, 18..25]);
        assert_eq!(of("a\u{85}eight eight\0six six".as_bytes()), [3..14, 15..22]);
        assert!(of(b"").is_empty());
    }
}
