//! How many canaries each store needs, and what they will and will not be able to tell.

use crate::{
    attribution::{
        coverage, design_audit,
        problem::{Draw, Problem, ValueOf},
        scenario::{self, Drawn, PlannedStore},
    },
    domain::placement::Lot,
    flow::{
        borne,
        coded::{self, Peers},
        context::{Context, StoreSlot, blocking},
        design::{self, Design},
        error::FlowError,
        mint::Mint,
        plant,
        progress::Progress,
    },
    stores::store::{Profile, Takes},
};
use canaries::{CanaryId, Field, allocation::Coded};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

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
pub const LARGEST_SHARE: f64 = 0.05;

/// The plan for one store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorePlan {
    pub store: String,
    /// Rows or documents that it holds now.
    pub rows: u64,
    /// Live canaries of its current generation.
    pub live: u64,
    /// Live canaries of the generations before it, which stay.
    pub earlier: u64,
    /// Canaries that its current generation shall have.
    pub count: u64,
    /// Those of them that stand in other stores too: coded personas, as far as it drew them.
    #[serde(default)]
    pub coded: u64,
    /// Coded personas of its current generation for which it has a lot.
    #[serde(default)]
    pub lots: u32,
    /// Those of `coded` that stand in every store which takes part.
    #[serde(default)]
    pub everywhere: u32,
    /// The share of the store that is canaries then, of whatever generation.
    pub share: f64,
    /// The chance that a leak of the aimed size holds two or more of the current generation.
    pub coverage: f64,
    /// The columns in which those differ from store to store.
    #[serde(default)]
    pub differing: BTreeSet<Field>,
    /// Their lots, on record or as they would be drawn.
    #[serde(skip)]
    pub lots_of_values: Vec<Lot>,
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
    /// Canaries that only the first holds, and only the second.
    pub separating: [u64; 2],
    /// The expected log10 likelihood ratio where all, three tenths, or a tenth of the first leaks.
    pub log10_lr_at: [f64; 3],
}

/// The whole plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub aim: Aim,
    pub stores: Vec<StorePlan>,
    pub pairs: Vec<PairPlan>,
    pub ghosts: u32,
    /// What these numbers could and could not prove, stores together.
    pub design: Design,
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
    let mut peers = Peers::default();
    for (place, slot) in chosen.iter().enumerate() {
        progress.at(format!("looking at {}", slot.name), place as u64, Some(chosen.len() as u64));
        let profile = slot.store.profile().await.map_err(|error| FlowError::of_store(&slot.name, &error))?;
        let live = live(context, slot)?;
        let mut plan = whole(context, slot, &profile, live, aim, &mut peers).await?;
        if live.current + live.earlier > 0 && slot.store.takes() == Takes::Rows {
            plan.notes.extend(borne::told(&borne::borne(context, slot, &plant::mapping_of(slot, &profile)?).await?));
        }
        if !slot.feeds.is_empty() && slot.kept_home.is_empty() {
            plan.notes.push(format!(
                "its feeds may take every canary of it along, and then it is not told from what {} share: name under \
                 [stores.kept_home] what they leave out",
                slot.feeds.join(" and ")
            ));
        }
        stores.push(plan);
    }
    let audited: Vec<PlannedStore> =
        stores.iter().zip(&chosen).map(|(plan, slot)| planned_store(slot, plan.count - plan.coded)).collect();
    let pairs = design_audit::compare(&audited, aim.leak_fraction)
        .into_iter()
        .map(|pair| PairPlan {
            told_apart: pair.is_told(),
            log10_lr: pair.log10_lr,
            separating: [pair.only_leaked, pair.only_rival],
            log10_lr_at: pair.at_shares,
            stores: [pair.leaked, pair.rival],
        })
        .collect();
    progress.at("putting leaks before the rule", chosen.len() as u64, Some(chosen.len() as u64));
    let base = as_problem(context, &chosen, &stores)?;
    let design = blocking(|| design::of(&base));
    Ok(Plan { aim, stores, pairs, ghosts: context.ghosts, design })
}

/// What would stand if it were all planted, as attribution sees it.
pub fn as_problem(context: &Context, slots: &[&StoreSlot], plans: &[StorePlan]) -> Result<Problem, FlowError> {
    let own = |(slot, plan): (&&StoreSlot, &StorePlan)| planned_store(slot, plan.count - plan.coded);
    let stores: Vec<PlannedStore> = slots.iter().zip(plans).map(own).collect();
    let mut drawn: BTreeMap<CanaryId, Drawn> = BTreeMap::new();
    let mut lot = |store: &str, lot: &Lot| {
        let none = || Draw { chance: lot.chance, among: BTreeSet::new(), stores: BTreeSet::new() };
        let value = lot.value.map(|value| ValueOf { persona: value.persona, field: value.field });
        let Drawn { draw, .. } = drawn.entry(lot.persona).or_insert_with(|| Drawn { draw: none(), value });
        draw.among.insert(store.to_owned());
        draw.stores.extend(lot.drawn.then(|| store.to_owned()));
    };
    for plan in plans {
        let generation = context.ledger.generation(&plan.store)?;
        let by_lot = (0..plan.lots).map(|ordinal| Coded { generation, ordinal });
        for coded in by_lot.chain(Coded::everywhere(generation, plan.everywhere)) {
            lot(&plan.store, &coded::lot(context, coded, &plan.store));
        }
        plan.lots_of_values.iter().for_each(|value| lot(&plan.store, value));
    }
    Ok(scenario::with_drawn(scenario::planned(&stores, u64::from(context.ghosts)), drawn))
}

/// The plan for one store with its part in the draw of coded personas.
pub async fn whole(
    context: &Context,
    slot: &StoreSlot,
    profile: &Profile,
    live: Live,
    aim: Aim,
    peers: &mut Peers,
) -> Result<StorePlan, FlowError> {
    let generation = context.ledger.generation(&slot.name)?;
    let mapping = plant::mapping_of(slot, profile)?;
    let sized = coded::Sized { mapping: &mapping, rows: profile.rows, live };
    let part = coded::part(context, slot, generation, sized, peers).await?;
    let mut plan = of_store(slot, profile.rows, live, part.rows, aim);
    plan.lots = part.personas;
    plan.everywhere = part.everywhere;
    if part.everywhere > 0 {
        // Where no kind of canary fits, `plant` says why.
        if let Ok(mut mint) = Mint::new(context, slot, &mapping, profile, generation) {
            for coded in Coded::everywhere(generation, part.everywhere) {
                plan.lots_of_values.extend(blocking(|| mint.lots_of(coded))?);
            }
        }
        plan.differing = plan.lots_of_values.iter().filter_map(|lot| lot.value).map(|value| value.field).collect();
    }
    plan.notes.extend(match (part.why_none, part.why_not_everywhere) {
        (Some(why), _) => Some(format!("it shares no invented person with other stores: {why}")),
        (None, Some(why)) => Some(format!("no invented person stands in it who stands in every store: {why}")),
        (None, None) => None,
    });
    Ok(plan)
}

/// A store with so many canaries of its own; every other one stays at home, where its columns allow that.
pub fn planned_store(slot: &StoreSlot, count: u64) -> PlannedStore {
    let kept_home = if slot.kept_home.is_empty() { 0 } else { count / 2 };
    PlannedStore { store: slot.name.clone(), canaries: count - kept_home, kept_home, feeds: slot.feeds.clone() }
}

/// A store's live canaries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Live {
    /// Of its current generation.
    pub current: u64,
    /// Those of them that are coded personas.
    pub coded: u64,
    /// Of those before.
    pub earlier: u64,
    /// The first generation of which any is live.
    pub oldest: Option<u32>,
}

/// Counts the store's live canaries.
pub fn live(context: &Context, slot: &StoreSlot) -> Result<Live, FlowError> {
    live_beside(context, slot, context.ledger.generation(&slot.name)?)
}

/// Counts the store's live canaries, of this generation and of those before it.
pub fn live_beside(context: &Context, slot: &StoreSlot, generation: u32) -> Result<Live, FlowError> {
    use crate::domain::placement::State;
    let mut live = Live::default();
    for row in context.ledger.placements(Some(&slot.name))? {
        let placement = row.placement;
        if matches!(placement.state, State::Planted | State::Altered) {
            let counted = if placement.generation == generation { &mut live.current } else { &mut live.earlier };
            *counted += 1;
            live.coded += u64::from(placement.generation == generation && placement.persona.is_some());
            live.oldest = Some(live.oldest.map_or(placement.generation, |oldest| oldest.min(placement.generation)));
        }
    }
    Ok(live)
}

/// More canaries than these would be noticed among so many people.
pub fn most(staff: u64) -> u64 {
    (((staff as f64) * LARGEST_SHARE).ceil() as u64).max(FEWEST)
}

/// The number for one store that has drawn so many coded personas.
pub fn of_store(slot: &StoreSlot, rows: u64, live: Live, coded: u64, aim: Aim) -> StorePlan {
    let mut notes = Vec::new();
    let staff = rows.saturating_sub(live.current + live.earlier);
    let most = most(staff);
    let count = match slot.store.takes() {
        Takes::Documents => DOCUMENTS,
        Takes::Rows => {
            // No number is enough where fewer than two rows leak.
            let wanted = coverage::smallest_beside(staff + live.earlier, aim.leak_fraction, 2, aim.confidence)
                .unwrap_or(u64::MAX)
                .max(FEWEST);
            if wanted > most {
                notes.push(format!(
                    "{wanted} canaries would be needed for this aim: more than {:.0} % of the store, which would be noticed; \
                     a smaller leak may go unattributed",
                    LARGEST_SHARE * 100.0
                ));
            }
            let count = wanted.min(most);
            let count = count + coded;
            if live.earlier > 0 && live.earlier + count > most {
                notes.push(format!(
                    "with {} live canaries of earlier generations it would hold {}: more than {:.0} % of the store, which \
                     would be noticed; `telltale withdraw {} --generation {}` takes the oldest out",
                    live.earlier,
                    live.earlier + count,
                    LARGEST_SHARE * 100.0,
                    slot.name,
                    live.oldest.unwrap_or(1)
                ));
            }
            count
        }
    };
    let canaries = live.earlier + count;
    let total = staff + canaries;
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
        live: live.current,
        earlier: live.earlier,
        count,
        coded,
        lots: 0,
        everywhere: 0,
        differing: BTreeSet::new(),
        lots_of_values: Vec::new(),
        share: canaries as f64 / total.max(1) as f64,
        coverage: covered,
        notes,
    }
}
