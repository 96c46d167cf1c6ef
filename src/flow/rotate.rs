//! Opens a new generation: new canaries beside the old, which stay, so that a copy can be dated.

use crate::{
    domain::record::Record,
    flow::{
        context::Context,
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
) -> Result<Vec<Planted>, FlowError> {
    let _works = context.works.lock().await;
    let mut outcome = Vec::new();
    for slot in context.chosen(names)? {
        context.settle()?;
        let current = context.ledger.generation(&slot.name)?;
        let begun = context.ledger.placements(Some(&slot.name))?.iter().any(|row| row.placement.generation == current);
        // One that was opened and never planted, because the store was away, is still the next.
        if begun {
            let opened = Record::GenerationOpened { store: slot.name.clone(), generation: current + 1 };
            context.append_one(&opened).await?;
        }
        outcome.push(plant::plant_store(context, slot, count, progress).await?);
    }
    Ok(outcome)
}
