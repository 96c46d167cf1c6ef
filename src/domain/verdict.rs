//! The verdict: what attribution says of a set of sightings. Its JSON is the contract of `trace --json`.

use canaries::{CanaryId, MarkerKind};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The answer in one word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// One store, with every condition of the decision rule met.
    Attributed,
    /// Canaries were seen, and at least one condition failed: `why_not` names each.
    Inconclusive,
    /// No canary was seen.
    #[default]
    NothingFound,
}

/// By which of two routes the bound on a false accusation is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// Coded canaries: whatever the thief did.
    EValue,
    /// Canaries of the store's own, against the control group: for guesses, chance, and a stolen register.
    Ghosts,
}

/// One candidate store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoreScore {
    pub store: String,
    pub accused: bool,
    /// log10 of its likelihood over that of the best rival in which it is not a source.
    pub log10_lr: Option<f64>,
    /// With equal priors.
    pub posterior: Option<f64>,
    /// log10 of the e-value of the canaries whose stores were drawn by lot; `null` where there are none.
    pub e_value_log10: Option<f64>,
    /// Chance that so many of the seen canaries are this store's, were the seen drawn blindly from planted and ghosts.
    pub ghost_p: Option<f64>,
    /// Which of the two kept the bound, where the store is accused.
    #[serde(default)]
    pub route: Option<Route>,
    /// Sightings of canaries that this store held.
    pub sightings: u64,
    /// Distinct canaries among them.
    pub distinct_canaries: u64,
}

/// The best hypothesis that competes with the first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunnerUp {
    /// A store's name, `nothing_leaked`, `registry_leaked`, or how copies of several stores were combined.
    pub hypothesis: String,
    pub log10_lr: f64,
}

/// Benign use of the first candidate: as likely as a leak, where nothing but that was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BenignUse {
    pub store: String,
    /// Its canaries seen by nothing but mail that its own work explains, and all that were seen.
    pub canaries: u64,
    pub of: u64,
    /// Enough of the others were seen, so that benign use alone does not explain it.
    pub ruled_out: bool,
}

/// When the copy was taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Window {
    pub from: Timestamp,
    pub to: Timestamp,
    pub confidence: f64,
}

/// When the copy was taken by the versions of the accused store's own rows: salaries and titles change in their time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Clocked {
    pub from: Timestamp,
    pub to: Timestamp,
    pub confidence: f64,
    /// Rows whose version tells something, and those of them that agree on one moment in the bracket.
    pub rows: u64,
    pub agree: u64,
}

/// A part of the material that could not be read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NotScanned {
    pub path: String,
    pub member: Option<String>,
    pub reason: String,
}

/// What was looked at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Material {
    pub rows: Option<u64>,
    pub bytes: u64,
    pub not_scanned: Vec<NotScanned>,
    /// Rows of tables in which a canary stands; `null` where nothing was a table.
    #[serde(default)]
    pub canary_rows: Option<u64>,
    /// Where markers stand. A name is shown only if it is a schema's or a customary one: else it may be a person's data.
    #[serde(default)]
    pub columns: Option<Vec<MarkedColumn>>,
    /// Fields of canaries that do not hold what was planted. `null` where no row could be compared.
    #[serde(default)]
    pub altered: Option<Vec<Altered>>,
    /// Some rows of canaries, column by column, without any value; `null` where none could be compared.
    #[serde(default)]
    pub excerpts: Option<Vec<Excerpt>>,
    /// How many rows were computed on for `password_storage`; `null` where no row had a canary with a password.
    #[serde(default)]
    pub passwords: Option<PasswordRows>,
}

/// A row of a canary, redacted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excerpt {
    pub canary: CanaryId,
    pub cells: Vec<ExcerptCell>,
}

/// One cell of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExcerptCell {
    /// Its name, if that is a customary one and so nobody's data; else its place.
    pub column: String,
    pub holds: Holds,
}

/// What stands in a cell, beside what was planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holds {
    /// This marker of the canary.
    Marker(MarkerKind),
    /// Something else that the row holds now.
    AsPlanted,
    /// Something that it held before.
    Earlier,
    /// Something that it never held.
    Other,
    Nothing,
}

/// A column in which markers of canaries stand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MarkedColumn {
    pub column: String,
    pub marker_kind: MarkerKind,
    pub canaries: u64,
}

/// A field of a canary's row that differs from what was planted. Neither value is told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Altered {
    pub canary: CanaryId,
    /// The column of the store in which it was planted.
    pub field: String,
}

/// What computing on passwords was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordRows {
    /// Rows of canaries that have a password.
    pub rows: u64,
    /// Of these, the rows that were computed on; the others are beyond the bound.
    pub computed: u64,
    /// Computations left out because their parameters ask for too much, or all of them together did.
    pub refused: u64,
}

/// What can be said of the claim that came with the material.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// Whether the rows are what stood in a store; `null` where that cannot be told, or holds for a part of them.
    pub authentic: Option<bool>,
    /// Whether all of it was out before.
    pub recycled: Option<bool>,
    /// Generations of the accused store whose canaries were seen.
    pub generations: Vec<u32>,
    /// What the rows of canaries hold; `null` where none could be compared.
    #[serde(default)]
    pub rows: Option<ClaimedRows>,
    /// Earlier material in which the same rows stood, word for word; most rows first.
    #[serde(default)]
    pub recycled_from: Vec<Earlier>,
    /// Whether several copies were put together.
    #[serde(default)]
    pub merged: Option<bool>,
    /// The copies that explain what was seen: of which store, by how many canaries, and when, where their rows tell.
    #[serde(default)]
    pub parts: Vec<Part>,
}

/// Rows of canaries, by what they hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimedRows {
    /// One of the versions that stood in the store.
    pub as_planted: u64,
    /// Such a version, with some fields changed.
    pub altered: u64,
    /// A canary's identifier among values that never stood beside it: such a row never was in any store.
    pub fabricated: u64,
    /// So many rows of the material, at least (95 %), no copy of the likeliest store explains: it would show more canaries.
    /// `null` where that store's rows were never counted.
    pub unexplained: Option<u64>,
}

/// Material that was seen before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earlier {
    /// The incident that it belongs to; `null` while none has taken it in.
    pub incident: Option<String>,
    /// When it was received.
    pub received_at: Timestamp,
    /// Rows of canaries that are the same in both.
    pub rows: u64,
}

/// One of the copies that were put together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    pub store: String,
    /// Canaries that it explains and those before it do not.
    pub canaries: u64,
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
}

/// How a store kept the passwords that leaked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PasswordStorage {
    pub scheme: String,
    pub salt: String,
    pub verified: u64,
}

/// The whole verdict.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    pub verdict: Outcome,
    /// Every candidate, best first.
    pub stores: Vec<StoreScore>,
    pub runner_up: Option<RunnerUp>,
    /// Stores that the evidence rules out.
    pub excluded: Vec<String>,
    /// Stores that nothing seen tells apart from the first.
    pub indistinguishable: Vec<String>,
    pub window: Option<Window>,
    /// The hypothesis that the first store's own work did it; absent where nothing seen speaks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub benign_use: Option<BenignUse>,
    /// What the versions of leaked rows tell of it by themselves; absent where no row had changed in its time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clocked: Option<Clocked>,
    pub material: Option<Material>,
    pub claim: Option<Claim>,
    pub password_storage: Option<Vec<PasswordStorage>>,
    /// Each condition of the decision rule that failed, in words.
    pub why_not: Vec<String>,
}
