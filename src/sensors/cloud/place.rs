//! How far a log was read. Events come late and out of order, so the last stretch of time is read again and again, and those
//! that were told of it are known by a mark: a few bytes of a digest, from which nothing is to be learned.

use data_encoding::BASE64;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeSet, HashSet},
    time::Duration,
};

/// So many marks are kept: the stretch that is read again becomes shorter where more happens.
const MOST: usize = 20_000;
const MARK: usize = 6;
const RECORD: usize = 4 + MARK;

type Mark = [u8; MARK];

/// A place in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Nothing before it is looked at.
    from: Timestamp,
    known: HashSet<Mark>,
    by_time: BTreeSet<(u32, Mark)>,
    newest: Option<u32>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    from: Timestamp,
    marks: String,
    newest: Option<u32>,
}

impl Place {
    /// The beginning: from this time on.
    pub fn new(from: Timestamp) -> Place {
        Place { from, known: HashSet::new(), by_time: BTreeSet::new(), newest: None }
    }

    /// As it was remembered.
    pub fn read(value: serde_json::Value) -> Option<Place> {
        let kept: Kept = serde_json::from_value(value).ok()?;
        let bytes = BASE64.decode(kept.marks.as_bytes()).ok()?;
        let mut place = Place { newest: kept.newest, ..Place::new(kept.from) };
        let (records, []) = bytes.as_chunks::<RECORD>() else { return None };
        for record in records {
            let (at, mark) = record.split_at(4);
            place.insert(u32::from_be_bytes(at.try_into().ok()?), mark.try_into().ok()?);
        }
        Some(place)
    }

    /// To be remembered.
    pub fn written(&self) -> serde_json::Value {
        let bytes: Vec<u8> =
            self.by_time.iter().flat_map(|(at, mark)| [&at.to_be_bytes()[..], mark].concat()).collect();
        let kept = Kept { from: self.from, marks: BASE64.encode(&bytes), newest: self.newest };
        serde_json::to_value(kept).unwrap_or_default()
    }

    /// Since when the log is to be read.
    pub fn since(&self) -> Timestamp {
        self.from
    }

    fn insert(&mut self, at: u32, mark: Mark) {
        if self.known.insert(mark) {
            self.by_time.insert((at, mark));
        }
    }

    /// Takes note of an event; whether it is new.
    pub fn take(&mut self, id: &str, at: Timestamp) -> bool {
        let digest = blake3::hash(id.as_bytes());
        let mut mark = Mark::default();
        mark.copy_from_slice(&digest.as_bytes()[..MARK]);
        if self.known.contains(&mark) {
            return false;
        }
        let at = u32::try_from(at.as_second().max(0)).unwrap_or(u32::MAX);
        self.insert(at, mark);
        self.newest = Some(self.newest.unwrap_or(0).max(at));
        true
    }

    /// A look was whole: the next begins so long before the newest event, but not before this one began, nor in time to come.
    pub fn looked(&mut self, overlap: Duration, now: Timestamp) {
        let newest = self.newest.and_then(|at| Timestamp::from_second(i64::from(at)).ok()).unwrap_or(now).min(now);
        let next = newest.checked_sub(overlap).unwrap_or(Timestamp::UNIX_EPOCH);
        self.from = self.from.max(next);
        self.newest = None;
        self.forget();
    }

    /// Forgets what lies before, and where there is too much of the rest, that is no longer read again either.
    pub fn forget(&mut self) {
        while let Some((at, mark)) = self.by_time.first().copied() {
            let old = i64::from(at) < self.from.as_second();
            if !old && self.by_time.len() <= MOST {
                return;
            }
            if !old {
                self.from = self.from.max(Timestamp::from_second(i64::from(at) + 1).unwrap_or(self.from));
            }
            self.by_time.remove(&(at, mark));
            self.known.remove(&mark);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn each_is_new_once_and_so_after_it_was_remembered() {
        let mut place = Place::new(at(1000));
        assert!(place.take("a", at(1100)) && place.take("b", at(1050)) && !place.take("a", at(1100)));
        let mut place = Place::read(place.written()).unwrap();
        assert!(!place.take("b", at(1050)) && place.take("c", at(1200)));
        place.looked(Duration::from_secs(120), at(5000));
        assert_eq!(place.since(), at(1080));
        // What lies before is not read again, so it need not be known.
        assert!(!place.take("a", at(1100)) && !place.take("c", at(1200)) && place.take("b", at(1050)));
        assert_eq!(Place::read(serde_json::json!({"from": "x"})), None);
    }

    #[test]
    fn an_event_from_the_future_skips_nothing() {
        let mut place = Place::new(at(1000));
        place.take("a", at(4_000_000_000));
        place.looked(Duration::from_secs(60), at(2000));
        assert_eq!(place.since(), at(1940));
    }

    #[test]
    fn there_is_an_end_to_marks() {
        let mut place = Place::new(at(0));
        for number in 0..(MOST as i64 + 500) {
            place.take(&number.to_string(), at(number));
        }
        place.looked(Duration::from_secs(100_000), at(1_000_000));
        assert_eq!((place.by_time.len(), place.known.len(), place.since()), (MOST, MOST, at(500)));
    }
}
