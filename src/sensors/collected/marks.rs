//! Which files are known: a few bytes of a digest each, from which no name is to be learned, for as long as they are there.

use data_encoding::BASE64;
use serde_json::Value;
use std::collections::{BTreeSet, HashSet};

/// So many files are looked at.
pub const MOST: usize = 20_000;
const LENGTH: usize = 9;

/// A file's mark.
pub type Mark = [u8; LENGTH];

/// Files that are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks(BTreeSet<Mark>);

/// The mark of what these parts tell.
pub fn mark(parts: &[&[u8]]) -> Mark {
    let mut hash = blake3::Hasher::new();
    for part in parts {
        hash.update(&(part.len() as u64).to_be_bytes()).update(part);
    }
    let mut mark = Mark::default();
    mark.copy_from_slice(&hash.finalize().as_bytes()[..LENGTH]);
    mark
}

impl Marks {
    /// As they were remembered.
    pub fn read(value: &Value) -> Option<Marks> {
        let bytes = BASE64.decode(value.get("files")?.as_str()?.as_bytes()).ok()?;
        let (marks, []) = bytes.as_chunks::<LENGTH>() else { return None };
        Some(Marks(marks.iter().copied().collect()))
    }

    /// To be remembered.
    pub fn written(&self) -> Value {
        let bytes: Vec<u8> = self.0.iter().flatten().copied().collect();
        serde_json::json!({ "files": BASE64.encode(&bytes) })
    }

    /// Whether a file is known.
    pub fn has(&self, mark: &Mark) -> bool {
        self.0.contains(mark)
    }

    /// Takes note of a file.
    pub fn add(&mut self, mark: Mark) {
        self.0.insert(mark);
    }

    /// Forgets what is not there any more; whether that was any.
    pub fn keep(&mut self, there: &HashSet<Mark>) -> bool {
        let before = self.0.len();
        self.0.retain(|mark| there.contains(mark));
        self.0.len() != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_written_is_read() {
        let mut marks = Marks::default();
        let (one, other) = (mark(&[b"a", b"b"]), mark(&[b"ab", b""]));
        assert_ne!(one, other);
        marks.add(one);
        marks.add(other);
        assert_eq!(Marks::read(&marks.written()), Some(marks.clone()));
        assert!(marks.keep(&HashSet::from([one])) && !marks.keep(&HashSet::from([one])));
        assert!(marks.has(&one) && !marks.has(&other));
        for wrong in [serde_json::json!({}), serde_json::json!({"files": "AAAA"}), serde_json::json!({"files": 7})] {
            assert_eq!(Marks::read(&wrong), None);
        }
    }

    proptest! {
        #[test]
        fn no_position_breaks_it(text in any::<String>()) {
            let _ = Marks::read(&serde_json::json!({ "files": text }));
        }
    }
}
