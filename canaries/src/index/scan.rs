//! The reference scanner.

use super::{Form, Found, table::Index};

/// Hands every marker in `text` to `visit`.
pub fn scan(text: &[u8], index: &Index, visit: &mut dyn FnMut(Found)) {
    let mut line = 1;
    let mut start = None;
    let is_word = |byte: u8| !byte.is_ascii_whitespace() && !b"\"';,|()<>=".contains(&byte);
    for at in 0..=text.len() {
        let word = at < text.len() && is_word(text[at]);
        match (start, word) {
            (None, true) => start = Some(at),
            (Some(from), false) => {
                if let Ok(value) = std::str::from_utf8(&text[from..at]) {
                    for known in index.recognise(None, value) {
                        visit(Found {
                            owner: known.owner,
                            kind: known.kind,
                            form: if known.digest.is_some() { Form::Digest } else { Form::Plain },
                            digest: known.digest,
                            offset: from as u64,
                            line,
                            strong: !known.kind.is_weak(),
                        });
                    }
                }
                start = None;
            }
            _ => {}
        }
        if at < text.len() && text[at] == b'\n' {
            line += 1;
        }
    }
}
