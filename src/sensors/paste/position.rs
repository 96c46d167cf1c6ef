//! What is remembered of a source: no id in clear, for it may be a person's.

use crate::sensors::paste::{
    fetch::Version,
    listing::{self, Listed},
};
use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet, VecDeque};

// An item that left the list is known for a while, should it come back.
const UNLISTED_KEPT: usize = 500;

/// How far a source was read.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Position {
    seen: VecDeque<String>,
    /// Of each list, by the domain that it was asked for.
    #[serde(default)]
    pub lists: BTreeMap<String, Place>,
}

/// How far one list was read.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    #[serde(default)]
    pub version: Version,
    /// Nothing before is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Where the last reading of a list of what is new had to stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<u64>,
    /// When that reading began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<Timestamp>,
    /// Whether something new may stand behind a page without news: the last reading took not all.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub behind: bool,
}

impl Position {
    /// Marks that are known.
    pub fn known(&self) -> HashSet<String> {
        self.seen.iter().cloned().collect()
    }

    /// Takes note of an item of one of so many lists; the oldest is forgotten where there are more than these can hold.
    pub fn saw(&mut self, mark: String, lists: usize) {
        self.seen.push_back(mark);
        if self.seen.len() > 2 * listing::MOST * lists.max(1) {
            self.seen.pop_front();
        }
    }

    /// Forgets what is in no list any more, but for the last of them.
    pub fn forget_unlisted(&mut self, listed: &HashSet<String>) {
        let unlisted = self.seen.iter().filter(|mark| !listed.contains(*mark)).count();
        let mut surplus = unlisted.saturating_sub(UNLISTED_KEPT);
        self.seen.retain(|mark| {
            let forget = surplus > 0 && !listed.contains(mark);
            surplus -= usize::from(forget);
            !forget
        });
    }
}

/// An item's mark: a few bytes of a digest.
pub fn mark(item: &Listed) -> String {
    let mut hash = blake3::Hasher::new();
    hash.update(item.id.as_bytes());
    if !item.version.is_empty() {
        hash.update(&[0]).update(item.version.as_bytes());
    }
    BASE64URL_NOPAD.encode(&hash.finalize().as_bytes()[..9])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_much_is_known_as_all_lists_can_hold() {
        let (mut position, lists) = (Position::default(), 3);
        (0..lists * listing::MOST).for_each(|number| position.saw(number.to_string(), lists));
        assert!(
            position.known().contains("0"),
            "the first of the first list is still there, and must not be told again"
        );
        (0..lists * listing::MOST + 1).for_each(|number| position.saw(format!("x{number}"), lists));
        assert!(!position.known().contains("0"), "but it has an end");
    }
}
