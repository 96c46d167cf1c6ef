//! How many canaries each store needs, and what they will and will not be able to tell.

use crate::{
    attribution::{
        coverage,
        design_audit::{self, PlannedStore},
    },
    flow::{
        context::{Context, StoreSlot},
        error::FlowError,
        progress::Progress,
    },
    stores::store::Takes,
};
use serde::{Deserialize, Serialize};

/// What a plan shall hold for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Aim {
    /// The share of a store's rows that leaks.
    pub leak_fraction: f64,
    /// The chance that at least two canaries are among them.
    pub confidence: f64,
}

impl Default for Aim {
    fn default() -> Self {
        Aim { leak_fraction: 0.1, confidence: 0.99 }
    }
}

/// At least so many, however small the store.
const FEWEST: u64 = 8;
/// Documents are looked at one by one: a few are enough, and many would stand out.
const DOCUMENTS: u64 = 12;
/// More than this share of a store would be noticed.
const LARGEST_SHARE: f64 = 0.05;

/// The plan for one store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorePlan {
    pub store: String,
    /// Rows or documents that it holds now.
    pub rows: u64,
    /// Live canaries of its current generation.
    pub live: u64,
    /// Canaries it shall have.
    pub count: u64,
    /// Their share of the store.
    pub share: f64,
    /// The chance that a leak of the aimed size holds two of them or more.
    pub coverage: f64,
    /// What limits the plan, in words.
    pub notes: Vec<String>,
}

/// Two stores, and whether a leak of one can be told from a leak of the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairPlan {
    pub stores: [String; 2],
    /// Expected log10 likelihood ratio for a leak of the first, at the aimed sample size.
    pub log10_lr: f64,
    /// Whether that passes the decision rule's 4.
    pub told_apart: bool,
}

/// The whole plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub aim: Aim,
    pub stores: Vec<StorePlan>,
    pub pairs: Vec<PairPlan>,
    pub ghosts: u32,
}

/// Plans for the chosen stores, looking at each and changing nothing.
pub async fn plan(context: &Context, names: &[String], aim: Aim, progress: &Progress) -> Result<Plan, FlowError> {
    let leaks = aim.leak_fraction > 0.0 && aim.leak_fraction <= 1.0;
    let sure = aim.confidence > 0.0 && aim.confidence < 1.0;
    if !leaks || !sure {
        return Err(FlowError::Refused(
            "--leak-fraction lies above 0 and at most 1, --confidence between 0 and 1".to_owned(),
        ));
    }
    let chosen = context.chosen(names)?;
    let mut stores = Vec::new();
    for (place, slot) in chosen.iter().enumerate() {
        progress.at(format!("looking at {}", slot.name), place as u64, Some(chosen.len() as u64));
        let profile = slot.store.profile().await.map_err(|error| FlowError::of_store(&slot.name, &error))?;
        let live = live(context, slot)?;
        stores.push(of_store(slot, profile.rows, live, aim));
    }
    let audited: Vec<PlannedStore> = stores
        .iter()
        .zip(&chosen)
        .map(|(plan, slot)| PlannedStore { store: plan.store.clone(), canaries: plan.count, feeds: slot.feeds.clone() })
        .collect();
    let pairs = design_audit::compare(&audited, aim.leak_fraction)
        .into_iter()
        .map(|pair| PairPlan { told_apart: pair.is_told(), log10_lr: pair.log10_lr, stores: [pair.leaked, pair.rival] })
        .collect();
    Ok(Plan { aim, stores, pairs, ghosts: context.ghosts })
}

/// Live canaries of the store's current generation.
pub fn live(context: &Context, slot: &StoreSlot) -> Result<u64, FlowError> {
    use crate::domain::placement::State;
    let generation = context.ledger.generation(&slot.name)?;
    let placements = context.ledger.placements(Some(&slot.name))?;
    let live = placements.iter().map(|row| &row.placement).filter(|placement| {
        placement.generation == generation && matches!(placement.state, State::Planted | State::Altered)
    });
    Ok(live.count() as u64)
}

/// The number for one store.
pub fn of_store(slot: &StoreSlot, rows: u64, live: u64, aim: Aim) -> StorePlan {
    let mut notes = Vec::new();
    let others = rows.saturating_sub(live);
    let count = match slot.store.takes() {
        Takes::Documents => DOCUMENTS,
        Takes::Rows => {
            // No number is enough where fewer than two rows leak.
            let wanted =
                coverage::smallest_beside(others, aim.leak_fraction, 2, aim.confidence).unwrap_or(u64::MAX).max(FEWEST);
            let most = ((others as f64) * LARGEST_SHARE).ceil() as u64;
            if wanted > most.max(FEWEST) {
                notes.push(format!(
                    "{wanted} canaries would be needed for this aim: more than {:.0} % of the store, which would be noticed; \
                     a smaller leak may go unattributed",
                    LARGEST_SHARE * 100.0
                ));
            }
            wanted.min(most.max(FEWEST))
        }
    };
    let total = others + count;
    let leaked = ((total as f64) * aim.leak_fraction).ceil() as u64;
    let covered = coverage::chance(total, count, leaked, 2);
    if count < 2 || covered < aim.confidence {
        notes.push(format!(
            "a leak of {:.1} % holds two canaries or more with probability {covered:.4} only",
            aim.leak_fraction * 100.0
        ));
    }
    StorePlan {
        store: slot.name.clone(),
        rows,
        live,
        count,
        share: count as f64 / total.max(1) as f64,
        coverage: covered,
        notes,
    }
}
