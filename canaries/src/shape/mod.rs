//! What the values of a column look like: patterns and counts, never a value of any person. Only what at least
//! `CROWD` rows share is kept; what fewer show is forgotten when the column has been read.

pub mod learner;
mod logins;
mod persons;
pub mod propose;
pub mod render;
mod template;

pub use learner::Learner;
pub use propose::{is_column_name, propose, propose_all, propose_password};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Nothing is kept of a column that fewer rows than this share.
pub const CROWD: u64 = 10;

/// How columns say man and woman, the woman's words second.
pub(crate) const GENDERS: &[&str] = &[
    "m", "h", "homme", "male", "masculin", "m.", "mr", "monsieur", "man", "1", "f", "femme", "female", "feminin",
    "féminin", "mme", "madame", "w", "woman", "2",
];

/// The shape of a column.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Shape {
    /// Values seen.
    pub count: u64,
    /// Nulls and empty texts seen.
    pub empty: u64,
    /// Least and greatest length, in characters, with the rarest lengths left out.
    pub lengths: Option<(u32, u32)>,
    /// No value is longer than this, which is rounded up.
    pub longest: Option<u32>,
    /// How often each template occurs: `9` a digit, `A` a run of capitals, `a` of small letters, `Aa` a word.
    pub templates: BTreeMap<String, u64>,
    /// The codes of a column that has few: statuses, contract types, departments. Never names or numbers of people.
    pub codes: BTreeMap<String, u64>,
    /// Capitals that stand before the digits of a number, with the separator: `EMP-`.
    pub prefixes: BTreeMap<String, u64>,
    /// How local parts or login names are built of given and family name.
    pub logins: BTreeMap<String, u64>,
    /// Values whose local part, or that themselves, may be a login name, whatever it is built of.
    pub locals: u64,
    /// Of these: with digits in them, and with the initial of a second given name.
    pub numbered: u64,
    pub initialled: u64,
    /// Of values with letters: all capitals, all small.
    pub upper: u64,
    pub lower: u64,
    /// Values with letters, and with accented ones.
    pub lettered: u64,
    pub accented: u64,
    /// Of dates written with two numbers first: how often the first, and the second, can only be a day.
    pub first_is_day: u64,
    pub second_is_day: u64,
    /// Values that are names of people given to them, or inherited.
    pub given_names: u64,
    pub family_names: u64,
    /// Of numbers: how big they are.
    pub numbers: Option<Numbers>,
}

/// How big the numbers of a column are, to about a tenth.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Numbers {
    pub count: u64,
    pub low: f64,
    pub median: f64,
    /// All numbers are below this, which is rounded up.
    pub high: f64,
    /// Digits after the decimal point, or comma, as most have them.
    pub decimals: u32,
    pub comma: bool,
}

impl Shape {
    /// The template that most values follow.
    pub(crate) fn template(&self) -> Option<&str> {
        self.templates.iter().max_by_key(|row| row.1).map(|row| row.0.as_str())
    }

    /// Share of the values, 0 to 1, whose template passes this test.
    pub(crate) fn share(&self, test: impl Fn(&str) -> bool) -> f32 {
        let passing: u64 = self.templates.iter().filter(|row| test(row.0)).map(|row| row.1).sum();
        self.part(passing)
    }

    pub(crate) fn part(&self, count: u64) -> f32 {
        if self.count == 0 { 0.0 } else { count as f32 / self.count as f32 }
    }
}
