//! What the judge remembers between two batches, so that a flood is not read anew for each of them. It may be lost at
//! any time: the ledger tells it again.

use crate::flow::seen::Evidence;
use std::collections::BTreeMap;

/// At most so many incidents are remembered; others are read from the journal when they grow.
const MOST: usize = 32;

/// The judge's memory.
#[derive(Default)]
pub struct Memory {
    /// What an incident rests on, when it had so many sightings.
    incidents: BTreeMap<String, (u64, Evidence)>,
}

impl Memory {
    /// What this incident rested on when it had so many sightings, if that is remembered.
    pub fn evidence(&self, incident: &str, sightings: u64) -> Option<Evidence> {
        self.incidents.get(incident).filter(|(known, _)| *known == sightings).map(|(_, evidence)| evidence.clone())
    }

    /// Remembers what an incident of so many sightings rests on.
    pub fn keep(&mut self, incident: String, sightings: u64, evidence: Evidence) {
        if self.incidents.len() >= MOST && !self.incidents.contains_key(&incident) {
            self.incidents.pop_first();
        }
        self.incidents.insert(incident, (sightings, evidence));
    }

    /// Forgets a closed incident: it grows no more.
    pub fn forget(&mut self, incident: &str) {
        self.incidents.remove(incident);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn what_is_remembered_holds_for_one_size_only_and_memory_is_bounded() {
        let mut memory = Memory::default();
        memory.keep("i-1".to_owned(), 3, Evidence { ghosts: BTreeSet::from([7]), ..Evidence::default() });
        assert!(memory.evidence("i-1", 2).is_none(), "another size: somebody else moved it");
        assert_eq!(memory.evidence("i-1", 3).unwrap().ghosts, BTreeSet::from([7]));
        memory.forget("i-1");
        assert!(memory.evidence("i-1", 3).is_none());
        for number in 0..2 * MOST {
            memory.keep(format!("i-{number}"), 1, Evidence::default());
        }
        assert!(memory.incidents.len() <= MOST);
    }
}
