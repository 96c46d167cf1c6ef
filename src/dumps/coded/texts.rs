//! Where text stands in bytes: UTF-8 without control characters.

use std::ops::Range;

/// The shortest text that is shown.
const SHORTEST: usize = 6;

fn is_text(letter: char) -> bool {
    !letter.is_control() || matches!(letter, '\t' | '\n' | '\r')
}

/// Where text stands in these bytes.
pub(super) fn stretches(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut from = 0;
    bytes
        .utf8_chunks()
        .flat_map(move |chunk| {
            let (begin, valid) = (from, chunk.valid());
            from += valid.len() + chunk.invalid().len();
            let mut at = begin;
            valid.split(|letter| !is_text(letter)).map(move |text| {
                let start = at;
                // Control characters are a byte long, or two.
                let behind = valid[start - begin + text.len()..].chars().next().map_or(0, char::len_utf8);
                at += text.len() + behind;
                start..start + text.len()
            })
        })
        .filter(|stretch| stretch.len() >= SHORTEST)
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

    #[test]
    fn stretches_are_the_text_in_bytes() {
        let of = |bytes: &[u8]| stretches(bytes).collect::<Vec<_>>();
        assert_eq!(of(b"\0\x01some text\x02short\xffanother"), [2..11, 18..25]);
        assert_eq!(of("a\u{85}eight eight\0six six".as_bytes()), [3..14, 15..22]);
        assert!(of(b"").is_empty());
    }
}
