//! Which files are known: a few bytes of a digest each, from which no name is to be learned. Those that are not there any
//! more are known for a while: a folder may be away, or a file be moved while it is looked at.

use data_encoding::BASE64;
use serde_json::Value;
use std::collections::{BTreeSet, HashSet, VecDeque};

/// So many files are looked at, and so many that are gone stay known.
pub const MOST: usize = 20_000;
const LENGTH: usize = 9;

/// A file's mark.
pub type Mark = [u8; LENGTH];

/// Files that are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    there: BTreeSet<Mark>,
    /// Those that went first are forgotten first.
    gone: VecDeque<Mark>,
}

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

fn packed<'a>(marks: impl Iterator<Item = &'a Mark>) -> String {
    BASE64.encode(&marks.flatten().copied().collect::<Vec<u8>>())
}

fn unpacked(text: &Value) -> Option<Vec<Mark>> {
    let bytes = BASE64.decode(text.as_str()?.as_bytes()).ok()?;
    let (marks, []) = bytes.as_chunks::<LENGTH>() else { return None };
    Some(marks.to_vec())
}

impl Marks {
    /// As they were remembered.
    pub fn read(value: &Value) -> Option<Marks> {
        let there = unpacked(value.get("files")?)?.into_iter().collect();
        let gone = value.get("gone").map_or(Some(Vec::new()), unpacked)?.into();
        Some(Marks { there, gone })
    }

    /// To be remembered.
    pub fn written(&self) -> Value {
        serde_json::json!({ "files": packed(self.there.iter()), "gone": packed(self.gone.iter()) })
    }

    /// Whether a file is known that is there, by the last look.
    pub fn has(&self, mark: &Mark) -> bool {
        self.there.contains(mark)
    }

    /// Takes note of a file that is there.
    pub fn add(&mut self, mark: Mark) {
        self.there.insert(mark);
    }

    /// Takes note of what is there; whether that changed anything.
    pub fn look(&mut self, there: &HashSet<Mark>) -> bool {
        let before = (self.there.len(), self.gone.len());
        let Marks { there: known, gone } = self;
        gone.retain(|mark| {
            let back = there.contains(mark);
            if back {
                known.insert(*mark);
            }
            !back
        });
        let back = known.len() != before.0;
        gone.extend(known.extract_if(.., |mark| !there.contains(mark)));
        let surplus = gone.len().saturating_sub(MOST);
        gone.drain(..surplus);
        back || (known.len(), gone.len()) != before
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
        assert!(marks.look(&HashSet::from([one])) && !marks.look(&HashSet::from([one])));
        assert!(marks.has(&one) && !marks.has(&other));
        assert_eq!(Marks::read(&marks.written()), Some(marks.clone()));
        let before = serde_json::json!({ "files": packed([one].iter()) });
        assert!(Marks::read(&before).is_some_and(|marks| marks.has(&one)), "as they were written once");
        for wrong in [serde_json::json!({}), serde_json::json!({"files": "AAAA"}), serde_json::json!({"files": 7})] {
            assert_eq!(Marks::read(&wrong), None);
        }
    }

    #[test]
    fn what_was_away_is_known_when_it_is_back_and_not_for_ever() {
        let mut marks = Marks::default();
        let number = |number: usize| mark(&[&number.to_be_bytes()]);
        let first: HashSet<Mark> = (0..MOST).map(number).collect();
        first.iter().for_each(|mark| marks.add(*mark));
        // Nothing is there, and then all of it is again.
        assert!(marks.look(&HashSet::new()));
        let mut marks = Marks::read(&marks.written()).expect("as it was");
        assert!(marks.look(&first) && first.iter().all(|mark| marks.has(mark)));
        marks.look(&HashSet::new());
        marks.add(number(MOST));
        marks.look(&HashSet::new());
        assert_eq!((marks.there.len(), marks.gone.len()), (0, MOST));
        marks.look(&HashSet::from([number(MOST)]));
        assert!(marks.has(&number(MOST)), "the last that went is known the longest");
    }

    proptest! {
        #[test]
        fn no_position_breaks_it(text in any::<String>()) {
            let _ = Marks::read(&serde_json::json!({ "files": text, "gone": text }));
        }
    }
}
