//! Which encoding a text has, and its bytes as UTF-8. Bytes that are no text stay as they are.

use encoding_rs::{Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// The encoding of a stream that begins so; none: bytes to take as they are.
pub(super) fn detect(head: &[u8]) -> Option<&'static Encoding> {
    if let Some((encoding, _)) = Encoding::for_bom(head) {
        return Some(encoding);
    }
    if head.contains(&0) {
        return detect_wide(head);
    }
    match std::str::from_utf8(head) {
        // UTF-8 needs no decoding, and a later byte that is none must not change what was meant.
        Ok(_) => None,
        Err(error) if error.error_len().is_none() => None,
        Err(_) => {
            let letters = head.iter().filter(|byte| **byte >= 0x80).count();
            let controls = head.iter().filter(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace()).count();
            let multibyte = head.windows(2).filter(|pair| pair[0] >= 0xc3 && (0x80..0xc0).contains(&pair[1])).count();
            (controls == 0 && multibyte * 4 < letters).then_some(WINDOWS_1252)
        }
    }
}

/// UTF-16 without a mark: nearly every second byte of western text is zero.
fn detect_wide(head: &[u8]) -> Option<&'static Encoding> {
    let pairs = head.len() / 2;
    let zeros = |parity: usize| head.iter().skip(parity).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    if pairs < 4 {
        None
    } else if odd * 10 >= pairs * 7 && even * 10 <= pairs {
        Some(UTF_16LE)
    } else if even * 10 >= pairs * 7 && odd * 10 <= pairs {
        Some(UTF_16BE)
    } else {
        None
    }
}

/// Whether a text that begins so is shown byte by byte as it stands.
pub(super) fn stands(head: &[u8]) -> bool {
    detect(head).is_none_or(|encoding| encoding == UTF_8)
}

/// Turns a stream into UTF-8, chunk by chunk.
pub(super) struct Transcoder(Option<Decoder>);

impl Transcoder {
    pub fn of(head: &[u8]) -> Transcoder {
        // The scanner bears invalid UTF-8; what it must not see is a decoder's replacement of a byte.
        let encoding = detect(head).filter(|encoding| *encoding != UTF_8);
        Transcoder(encoding.map(Encoding::new_decoder_with_bom_removal))
    }

    /// The chunk as UTF-8, appended to `text`.
    pub fn push(&mut self, chunk: &[u8], last: bool, text: &mut Vec<u8>) {
        let Some(decoder) = &mut self.0 else {
            text.extend_from_slice(chunk);
            return;
        };
        let mut decoded =
            String::with_capacity(decoder.max_utf8_buffer_length(chunk.len()).unwrap_or(chunk.len() * 3 + 16));
        let _ = decoder.decode_to_string(chunk, &mut decoded, last);
        text.extend_from_slice(decoded.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_told_by_mark_or_by_look() {
        let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        assert_eq!(detect(b"plain"), None);
        assert_eq!(detect("été".as_bytes()), None);
        assert_eq!(detect(b"\xef\xbb\xbfplain"), Some(UTF_8));
        assert_eq!(detect(b"Andr\xe9 Beno\xeet"), Some(WINDOWS_1252));
        assert_eq!(detect(&wide("a line of text")), Some(UTF_16LE));
        assert_eq!(detect(b"\xfe\xff\0a\0b"), Some(UTF_16BE));
        assert_eq!(detect(b"\x7fELF\x01\0\0\0\0\xff\xfe"), None);
    }
}
