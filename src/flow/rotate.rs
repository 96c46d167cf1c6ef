//! Opens a new generation: new canaries beside the old, which stay, so that a copy can be dated.

use crate::{
    domain::record::Record,
    flow::{
        context::{Context, StoreSlot},
        each::Each,
        error::FlowError,
        plant::{self, Planted},
        progress::Progress,
    },
};

/// Opens the next generation of each chosen store and plants it.
pub async fn rotate(
    context: &Context,
    names: &[String],
    count: Option<u64>,
    progress: &Progress,
) -> Result<Each<Planted>, FlowError> {
    let _works = context.works.lock().await;
    let mut each = Each::default();
    for slot in context.chosen(names)? {
        each.note(slot, rotate_store(context, slot, count, progress).await);
    }
    each.answer()
}

async fn rotate_store(
    context: &Context,
    slot: &StoreSlot,
    count: Option<u64>,
    progress: &Progress,
) -> Result<Planted, FlowError> {
    context.settle()?;
    let current = context.ledger.generation(&slot.name)?;
    let begun = context.ledger.placements(Some(&slot.name))?.iter().any(|row| row.placement.generation == current);
    // One that was opened and never planted, because the store was away, is still the next.
    if begun {
        let opened = Record::GenerationOpened { store: slot.name.clone(), generation: current + 1 };
        context.append_one(&opened).await?;
    }
    plant::plant_store(context, slot, count, progress).await
}
