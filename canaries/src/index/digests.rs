//! Finds digests, in hexadecimal of either case or in base64 of either alphabet.

use super::{Digest, fingerprint::space_of_digest, scan::Search};
use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};

pub(super) fn find(search: &mut Search<'_>) {
    runs(search, |byte| byte.is_ascii_hexdigit(), 32, try_hexadecimal);
    runs(
        search,
        |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'\\'),
        22,
        try_base64,
    );
}

/// Shows every longest run of such bytes to `each`, if it is long enough.
fn runs(search: &mut Search<'_>, belongs: fn(u8) -> bool, least: usize, each: fn(&mut Search<'_>, usize, usize)) {
    let text = search.text;
    let mut at = 0;
    while at < text.len() {
        if belongs(text[at]) {
            let end = text[at..].iter().position(|byte| !belongs(*byte)).map_or(text.len(), |length| at + length);
            if end - at >= least {
                each(search, at, end);
            }
            at = end;
        }
        at += 1;
    }
}

fn try_bytes(search: &mut Search<'_>, bytes: &[u8], start: usize, end: usize) {
    for digest in Digest::ALL.iter().filter(|digest| digest.length() == bytes.len()) {
        if search.index.may_hold(space_of_digest(*digest), bytes) {
            search.try_fingerprint(search.index.key().digest(*digest, bytes), start, end);
        }
    }
}

/// Tries a run of hexadecimal digits: all of it, and where it is longer than a digest its end and its beginning
/// (`md5…` and a salt glued to either side).
pub(super) fn try_hexadecimal(search: &mut Search<'_>, start: usize, end: usize) {
    let text = search.text;
    for length in [32, 40, 64, 128].into_iter().filter(|length| *length <= end - start) {
        let mut places = vec![end - length, start];
        places.dedup();
        for from in places {
            if let Ok(bytes) = HEXLOWER_PERMISSIVE.decode(&text[from..from + length]) {
                try_bytes(search, &bytes, from, from + length);
            }
        }
    }
}

/// Tries a run of base64. The escaped slash of JSON counts as a slash; what stands before a path's last part does not
/// belong to it.
pub(super) fn try_base64(search: &mut Search<'_>, start: usize, end: usize) {
    if end - start > 200 {
        return;
    }
    let text = search.text;
    let kept: Vec<usize> = (start..end).filter(|&at| text[at] != b'\\').collect();
    let characters: Vec<u8> = kept.iter().map(|&at| text[at]).collect();
    let padded = text.get(end) == Some(&b'=');
    // The number of characters without padding of 16, 20, 32 and 64 bytes.
    for length in [22, 27, 43, 86] {
        if characters.len() != length && !(padded && characters.len() > length) {
            continue;
        }
        let from = characters.len() - length;
        let decoded = BASE64_NOPAD.decode(&characters[from..]).or_else(|_| BASE64URL_NOPAD.decode(&characters[from..]));
        if let Ok(bytes) = decoded {
            try_bytes(search, &bytes, kept[from], end);
        }
    }
}
