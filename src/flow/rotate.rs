//! Opens a new generation: new canaries beside the old, which stay, so that a copy can be dated.

use crate::flow::{
    context::{Context, StoreSlot},
    each::Each,
    error::FlowError,
    plant::{self, Planted},
    progress::Progress,
};

/// Opens the next generation of each chosen store and plants it.
pub async fn rotate(
    context: &Context,
    names: &[String],
    count: Option<u64>,
    progress: &Progress,
) -> Result<Each<Planted>, FlowError> {
    plant::at_least_one(count)?;
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
    // One that was opened and never planted is still the next.
    plant::plant_store(context, slot, Some(if begun { current + 1 } else { current }), count, progress).await
}
