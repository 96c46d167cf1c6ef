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
        let generation = context.ledger.generation(&slot.name)? + 1;
        context.append_one(&Record::GenerationOpened { store: slot.name.clone(), generation }).await?;
        outcome.push(plant::plant_store(context, slot, count, progress).await?);
    }
    Ok(outcome)
}
