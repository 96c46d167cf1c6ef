//! Takes canaries out of their stores again, exactly.

use crate::{
    domain::{
        placement::{Placement, Planting, State},
        record::Record,
    },
    flow::{
        context::{Context, StoreSlot, blocking},
        each::Each,
        error::FlowError,
        mapping::Mapping,
        plant,
        progress::Progress,
        recover,
    },
    ledger::placements::PlacementRow,
    stores::store::{Doubt, Left, Placed, Takes, Withdrawal},
};
use canaries::CanaryId;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// What withdrawing did to one store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Withdrawn {
    pub store: String,
    /// Found and removed.
    pub withdrawn: u64,
    /// Were gone already.
    pub gone: u64,
    /// Stand there still, as far as can be told, and were left alone; absent where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<LeftAlone>,
}

/// A canary that was not taken out, because what stands there may be somebody's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftAlone {
    pub canary: CanaryId,
    pub why: Doubt,
    /// Columns that hold other values than were planted; of a document `content`. Never a value.
    pub columns: Vec<String>,
    /// What to do about it.
    pub hint: String,
}

impl LeftAlone {
    fn of(slot: &StoreSlot, left: Left) -> LeftAlone {
        let store = &slot.name;
        let Left { canary, why, columns } = left;
        let planted = format!("`telltale canaries list --store {store} --reveal` shows what was planted");
        let again = format!("run `telltale withdraw {store}` again");
        let hint = match (why, slot.store.takes()) {
            (Doubt::Altered, Takes::Rows) => format!(
                "a row holds other values in {}, and may be a person's: look at it ({planted}); delete it by hand if nobody's, \
                 else take out of it what was planted; then {again}",
                columns.join(", ")
            ),
            (Doubt::Altered, Takes::Documents) => format!(
                "its document was edited, or another bears its name: look at it ({planted}), remove it by hand, then {again}"
            ),
            (Doubt::Several, Takes::Rows) => {
                format!(
                    "its row stands there more than once: delete all of them but one by hand ({planted}), then {again}"
                )
            }
            (Doubt::Several, Takes::Documents) => {
                format!(
                    "its document stands there more than once: remove all of them but one by hand ({planted}), then {again}"
                )
            }
        };
        LeftAlone { canary, why, columns, hint }
    }
}

/// Removes the canaries of this generation from the chosen stores; those of every generation where none is named.
pub async fn withdraw(
    context: &Context,
    names: &[String],
    generation: Option<u32>,
    progress: &Progress,
) -> Result<Each<Withdrawn>, FlowError> {
    let _works = context.works.lock().await;
    let mut each = Each::default();
    for slot in context.chosen(names)? {
        each.note(slot, withdraw_store(context, slot, generation, progress).await);
    }
    each.answer()
}

/// What is to be taken out.
fn placed(
    context: &Context,
    slot: &StoreSlot,
    mapping: &Mapping,
    chosen: impl Fn(&Placement) -> bool,
) -> Result<Vec<Placed>, FlowError> {
    let mut placed = Vec::new();
    for PlacementRow { placement, .. } in context.ledger.placements(Some(&slot.name))? {
        if matches!(placement.state, State::Withdrawn | State::Planned) || !chosen(&placement) {
            continue;
        }
        let Some(contents) = context.ledger.contents(&context.journal, placement.canary)? else { continue };
        placed.push(Placed {
            canary: placement.canary,
            marker_columns: match &contents.planting {
                Planting::Row(row) => mapping.identifiers(row),
                Planting::Document { .. } => Vec::new(),
            },
            planting: contents.planting,
            locator: contents.locator.unwrap_or_default(),
        });
    }
    Ok(placed)
}

async fn withdraw_store(
    context: &Context,
    slot: &StoreSlot,
    generation: Option<u32>,
    progress: &Progress,
) -> Result<Withdrawn, FlowError> {
    context.settle()?;
    let current = context.ledger.generation(&slot.name)?;
    if let Some(generation) = generation.filter(|generation| !(1..=current).contains(generation)) {
        return Err(FlowError::Refused(format!(
            "store {}: it has no generation {generation}: its generations are 1 to {current}; `telltale canaries list --store \
             {}` shows them",
            slot.name, slot.name
        )));
    }
    let chosen = |placement: &Placement| generation.is_none_or(|generation| placement.generation == generation);
    progress.at(format!("withdrawing from {}", slot.name), 0, None);
    let profile = slot.store.profile().await.map_err(|error| FlowError::of_store(&slot.name, &error))?;
    let mapping = plant::mapping_of(slot, &profile)?;
    let mut never = recover::recover(context, slot, &mapping).await?;
    never.retain(|unplanted| chosen(&unplanted.placement));
    plant::abandon(context, never.iter().map(|unplanted| unplanted.placement.canary).collect()).await?;
    let placed = blocking(|| placed(context, slot, &mapping, chosen))?;
    let Withdrawal { removed, left } =
        slot.store.withdraw(&placed).await.map_err(|error| FlowError::of_store(&slot.name, &error))?;
    let stays: HashSet<CanaryId> = left.iter().map(|left| left.canary).collect();
    let canaries: Vec<CanaryId> =
        placed.iter().map(|placed| placed.canary).filter(|canary| !stays.contains(canary)).collect();
    let gone = (canaries.len() - removed.len()) as u64;
    if !canaries.is_empty() {
        let withdrawn = Record::Withdrawn { store: slot.name.clone(), canaries };
        context.append_one(&withdrawn).await.map_err(|error| plant::unrecorded(slot, "withdraw", error))?;
        context.settle()?;
    }
    progress.at(format!("withdrawing from {}", slot.name), removed.len() as u64, Some(placed.len() as u64));
    Ok(Withdrawn {
        store: slot.name.clone(),
        withdrawn: removed.len() as u64,
        gone,
        left: left.into_iter().map(|left| LeftAlone::of(slot, left)).collect(),
    })
}
