//! Takes canaries out of their stores again, exactly.

use crate::{
    domain::{
        placement::{Planting, State},
        record::Record,
    },
    flow::{
        context::{Context, StoreSlot},
        each::Each,
        error::FlowError,
        plant,
        progress::Progress,
        recover,
    },
    ledger::placements::PlacementRow,
    stores::store::Placed,
};
use serde::{Deserialize, Serialize};

/// What withdrawing did to one store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Withdrawn {
    pub store: String,
    /// Found and removed.
    pub withdrawn: u64,
    /// Were gone already.
    pub gone: u64,
}

/// Removes every canary of the chosen stores.
pub async fn withdraw(context: &Context, names: &[String], progress: &Progress) -> Result<Each<Withdrawn>, FlowError> {
    let _works = context.works.lock().await;
    let mut each = Each::default();
    for slot in context.chosen(names)? {
        each.note(slot, withdraw_store(context, slot, progress).await);
    }
    each.answer()
}

async fn withdraw_store(context: &Context, slot: &StoreSlot, progress: &Progress) -> Result<Withdrawn, FlowError> {
    context.settle()?;
    progress.at(format!("withdrawing from {}", slot.name), 0, None);
    let profile = slot.store.profile().await.map_err(|error| FlowError::of_store(&slot.name, &error))?;
    let mapping = plant::mapping_of(slot, &profile)?;
    let never: Vec<_> =
        recover::recover(context, slot, &mapping).await?.iter().map(|left| left.placement.canary).collect();
    plant::abandon(context, never).await?;
    let mut placed = Vec::new();
    for PlacementRow { placement, .. } in context.ledger.placements(Some(&slot.name))? {
        if matches!(placement.state, State::Withdrawn | State::Planned) {
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
    let removed = slot.store.withdraw(&placed).await.map_err(|error| FlowError::of_store(&slot.name, &error))?;
    if !placed.is_empty() {
        let canaries = placed.iter().map(|placed| placed.canary).collect();
        let withdrawn = Record::Withdrawn { store: slot.name.clone(), canaries };
        context.append_one(&withdrawn).await.map_err(|error| plant::unrecorded(slot, "withdraw", error))?;
        context.settle()?;
    }
    progress.at(format!("withdrawing from {}", slot.name), removed.len() as u64, Some(placed.len() as u64));
    Ok(Withdrawn {
        store: slot.name.clone(),
        withdrawn: removed.len() as u64,
        gone: (placed.len() - removed.len()) as u64,
    })
}
