//! What the configured stores could prove: leaks that have not happened, in many kinds, each judged as a real one would be.
//! Nothing is planted, touched or journaled.

use crate::{
    attribution::{
        looks::Looks,
        problem::Problem,
        rules::Rule,
        scenario::Leak,
        simulate::{self, Tally},
    },
    flow::{
        coded::Peers,
        context::{Context, blocking},
        error::FlowError,
        plan::{self, Aim},
        problem::Facts,
        progress::Progress,
        seen::Evidence,
    },
};
use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

/// No more trials of a kind are run at a time.
const MOST_TRIALS: u64 = 100_000;

/// The kinds of leak: rule, copies, share of rows, chance sightings.
const LEAKS: &[(Rule, usize, f64, f64)] = &[
    (Rule::Union, 1, 1.0, 0.0),
    (Rule::Union, 1, 0.3, 0.0),
    (Rule::Union, 1, 0.1, 0.0),
    (Rule::Union, 1, 0.03, 0.0),
    (Rule::Union, 1, 1.0, 1e-3),
    (Rule::Union, 2, 1.0, 0.0),
    (Rule::Union, 2, 0.1, 0.0),
    (Rule::Union, 3, 1.0, 0.0),
    (Rule::Union, 4, 1.0, 0.0),
    (Rule::Interleave, 2, 1.0, 0.0),
    (Rule::Interleave, 3, 1.0, 0.0),
    (Rule::Coin, 3, 1.0, 0.0),
    (Rule::Intersection, 2, 1.0, 0.0),
    (Rule::Intersection, 3, 1.0, 0.0),
    (Rule::MajorityTies, 3, 1.0, 0.0),
    (Rule::MajorityTies, 4, 1.0, 0.0),
    // Nothing leaked at all.
    (Rule::Union, 0, 0.0, 1e-3),
];

/// What is asked.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Leaks of each kind; 200 unless told.
    #[serde(default = "trials")]
    pub trials: u64,
    /// The same seed gives the same table.
    #[serde(default)]
    pub seed: u64,
}

fn trials() -> u64 {
    200
}

/// What the table rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The canaries as planted and audited.
    Planted,
    /// Nothing is planted yet: as `plan` would have it.
    Planned,
}

/// One kind of leak, and what became of its trials.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub leak: String,
    pub copies: usize,
    pub share: f64,
    /// The chance that a canary outside the copies is seen.
    pub stray: f64,
    pub trials: u64,
    pub asserted: u64,
    pub wrong: u64,
    pub inconclusive: u64,
    pub unseen: u64,
    pub sources: u64,
    pub sources_told: u64,
    /// Half of the time brackets are no wider; `null` where there is no clock, or nothing was told of one copy.
    pub median_window_days: Option<f64>,
    /// The share of brackets that hold the moment of the copy.
    pub windows_right: Option<f64>,
}

/// The whole table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Simulation {
    pub basis: Basis,
    pub stores: Vec<String>,
    pub canaries: u64,
    pub ghosts: u64,
    pub trials: u64,
    pub seed: u64,
    pub rows: Vec<Row>,
}

/// Runs it.
pub async fn simulation(context: &Context, asked: Asked, progress: &Progress) -> Result<Simulation, FlowError> {
    if asked.trials == 0 || asked.trials > MOST_TRIALS {
        return Err(FlowError::Refused(format!("--trials: from 1 to {MOST_TRIALS} are run of each kind of leak")));
    }
    context.settle()?;
    let facts = Facts::gather(context)?;
    // A dump is one look.
    let planted = Problem { looks: Looks::Once, ..facts.problem(context, Evidence::default()) };
    let (basis, mut base) = if planted.canaries.iter().any(|facts| !facts.stays.is_empty()) {
        (Basis::Planted, planted)
    } else {
        (Basis::Planned, planned(context, progress).await?)
    };
    if basis == Basis::Planted {
        base.now = tonight(base.now);
    }
    let began = base.canaries.iter().flat_map(|facts| &facts.stays).map(|stay| stay.from).min();
    let began = began.filter(|_| basis == Basis::Planted).unwrap_or(base.now);
    let mut rows = Vec::new();
    for (place, (rule, copies, share, stray)) in LEAKS.iter().copied().enumerate() {
        let leak = Leak { rule, copies, share, stray };
        let name = named(leak);
        progress.at(format!("simulating: {name}"), place as u64, Some(LEAKS.len() as u64));
        let seed = asked.seed.wrapping_add(place as u64);
        let tally = blocking(|| simulate::simulate(&base, leak, began, asked.trials, seed));
        rows.extend(tally.map(|tally| row(name, leak, &tally, basis)));
    }
    Ok(Simulation {
        basis,
        stores: base.stores.clone(),
        canaries: base.canaries.len() as u64,
        ghosts: base.ghosts,
        trials: asked.trials,
        seed: asked.seed,
        rows,
    })
}

/// The end of this day in UTC: the leaks are those of tonight, so that whoever asks twice in a day is answered the same.
fn tonight(now: Timestamp) -> Timestamp {
    let tomorrow = TimeZone::UTC.to_datetime(now).date().tomorrow();
    tomorrow.and_then(|date| TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0))).unwrap_or(now)
}

async fn planned(context: &Context, progress: &Progress) -> Result<Problem, FlowError> {
    let slots = context.chosen(&[])?;
    let (mut plans, mut peers) = (Vec::new(), Peers::default());
    for slot in &slots {
        progress.at(format!("looking at {}", slot.name), 0, None);
        let profile = slot.store.profile().await.map_err(|error| FlowError::of_store(&slot.name, &error))?;
        let live = plan::live(context, slot)?;
        plans.push(plan::whole(context, slot, &profile, live, Aim::default(), &mut peers).await?);
    }
    plan::as_problem(context, &slots, &plans)
}

fn row(leak: String, asked: Leak, tally: &Tally, basis: Basis) -> Row {
    let clocked = basis == Basis::Planted && tally.windows > 0;
    Row {
        leak,
        copies: asked.copies,
        share: asked.share,
        stray: asked.stray,
        trials: tally.trials,
        asserted: tally.asserted,
        wrong: tally.wrong,
        inconclusive: tally.inconclusive,
        unseen: tally.unseen,
        sources: tally.sources,
        sources_told: tally.sources_told,
        median_window_days: tally.median_days().filter(|_| clocked),
        windows_right: clocked.then(|| tally.windows_right as f64 / tally.windows as f64),
    }
}

fn named(leak: Leak) -> String {
    let what = match (leak.copies, leak.rule) {
        (0, _) => return "nothing leaked, chance sightings".to_owned(),
        (1, _) => "one store".to_owned(),
        (copies, Rule::Union) => format!("{copies} stores, all rows of each"),
        (copies, Rule::Intersection) => format!("{copies} stores, the rows all hold"),
        (copies, Rule::Majority | Rule::MajorityTies) => format!("{copies} stores, the rows most hold"),
        (copies, Rule::Interleave) => format!("{copies} stores, each row from one"),
        (copies, Rule::Coin) => format!("{copies} stores, differing rows by a coin"),
    };
    let part = if leak.share < 1.0 { format!(", {:.0} % of it", leak.share * 100.0) } else { String::new() };
    format!("{what}{part}{}", if leak.stray > 0.0 { ", and chance sightings" } else { "" })
}
