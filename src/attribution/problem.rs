//! The question as it is put: what was planted, where it was found to be, and what was seen.

use crate::{
    attribution::looks::Looks,
    domain::{sighting::Class, verdict::Material},
};
use canaries::{CanaryId, Field};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// A canary was in a store from one audit to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stay {
    pub store: String,
    /// First known to be there.
    pub from: Timestamp,
    /// First known to be gone; still there where there is none.
    pub until: Option<Timestamp>,
}

/// A canary whose stores were drawn by lot: it is in each with the same chance, and whatever came of it later, the draw stays.
#[derive(Clone, Debug, PartialEq)]
pub struct Draw {
    pub chance: f64,
    /// The stores that took part. Of any other its absence tells nothing by lot.
    pub among: BTreeSet<String>,
    /// The stores that drew it.
    pub stores: BTreeSet<String>,
}

/// A value that a shared person may have in a column: each store that took part drew one of all values of that person and
/// column. A row shows it, and it is seen then as a canary is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ValueOf {
    pub persona: CanaryId,
    pub field: Field,
}

/// What attribution needs to know of a canary.
#[derive(Clone, Debug, PartialEq)]
pub struct CanaryFacts {
    pub id: CanaryId,
    /// The store it was planted in; of one that was drawn by lot none.
    pub home: String,
    /// The generation of that store it belongs to.
    pub generation: u32,
    /// Where it was, as audited: its home, and every store that a feed copied it to.
    pub stays: Vec<Stay>,
    /// The classes in which it can be seen at all: one without a mail alias is never missing from the mail.
    pub showable: Vec<Class>,
    /// How its stores were drawn, if they were.
    pub draw: Option<Draw>,
    /// Of what it is a value, if it is no canary but what a row of one shows.
    pub value: Option<ValueOf>,
    /// Whose it is, if it is but a part of somebody who stands in every store: a value, or what one store alone has.
    pub of: Option<CanaryId>,
}

impl CanaryFacts {
    /// Whom it stands for: itself, if it is no part of somebody.
    pub fn person(&self) -> CanaryId {
        self.of.unwrap_or(self.id)
    }

    /// The stores it was planted in.
    pub fn homes(&self) -> BTreeSet<&str> {
        match &self.draw {
            Some(draw) => draw.stores.iter().map(String::as_str).collect(),
            None => BTreeSet::from([self.home.as_str()]),
        }
    }
}

impl Default for CanaryFacts {
    fn default() -> Self {
        CanaryFacts {
            id: CanaryId([0; 10]),
            home: String::new(),
            generation: 1,
            stays: Vec::new(),
            showable: vec![Class::Dump],
            draw: None,
            value: None,
            of: None,
        }
    }
}

/// One sighting. Repeated sightings of a canary count once, however many there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub canary: CanaryId,
    pub class: Class,
    pub at: Timestamp,
    /// When it was received: it counts where `at` is before the canary was planted.
    pub received: Timestamp,
}

/// Real rows that leaked with the canaries, and how many each store holds: they tell how much of a store was taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RealRows {
    /// Rows of the material that are no canary's.
    pub leaked: u64,
    /// Rows that each store holds, canaries apart. A store that is not named keeps the open prior.
    pub held: BTreeMap<String, u64>,
}

/// Everything the verdict rests on. The order of its lists never changes the verdict.
#[derive(Clone, Debug, Default)]
pub struct Problem {
    /// The candidates.
    pub stores: Vec<String>,
    /// The moment of asking, or `--seen-at`: no copy is younger.
    pub now: Timestamp,
    /// Which store is copied into which, as configured: a canary may have arrived before an audit saw it there.
    pub feeds: BTreeMap<String, Vec<String>>,
    /// When each store was audited, oldest first: a canary that an audit did not see was not there then.
    pub audits: BTreeMap<String, Vec<Timestamp>>,
    /// Every canary that was ever planted.
    pub canaries: Vec<CanaryFacts>,
    /// Sightings, each from one canary; rehearsals only among themselves.
    pub seen: Vec<Seen>,
    /// Further sightings of canaries among those: later ones, of a class in which they were seen already.
    pub repeated: BTreeMap<CanaryId, u64>,
    /// Canaries seen by nothing but mail that their stores' own work explains as well as a leak does.
    pub benign: BTreeSet<CanaryId>,
    /// Whether they came all at once, or one after the other.
    pub looks: Looks,
    /// How many ghosts were minted.
    pub ghosts: u64,
    /// How many distinct ghosts were seen.
    pub ghosts_seen: u64,
    /// What was looked at, to be passed on in the verdict.
    pub material: Option<Material>,
    /// Real rows in the material, where they could be counted.
    pub real_rows: Option<RealRows>,
}
