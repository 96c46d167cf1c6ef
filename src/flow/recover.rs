//! After a crash half way: which planned canaries did their store take, and which not?

use crate::{
    domain::{
        placement::{Contents, Placement, Planting, State},
        record::Record,
    },
    flow::{
        context::{Context, StoreSlot, blocking},
        error::FlowError,
        mapping::Mapping,
        revise,
    },
    ledger::placements::PlacementRow,
    stores::store::Stored,
};
use canaries::CanaryId;
use std::collections::HashMap;

/// A canary that was planned, and that the store does not hold.
pub struct Unplanted {
    pub placement: Placement,
    pub contents: Contents,
}

/// Journals as planted what the store turns out to hold, and answers what it does not hold.
pub async fn recover(context: &Context, slot: &StoreSlot, mapping: &Mapping) -> Result<Vec<Unplanted>, FlowError> {
    revise::settle(context, slot, mapping).await?;
    let mut planned = blocking(|| unplanted(context, slot))?;
    if planned.is_empty() {
        return Ok(planned);
    }
    let columns = mapping.marker_columns();
    let wanted: HashMap<Identity, CanaryId> = planned
        .iter()
        .filter_map(|unplanted| Some((identity(&unplanted.contents.planting, &columns)?, unplanted.placement.canary)))
        .collect();
    let mut found: HashMap<CanaryId, String> = HashMap::new();
    let mut visit = |stored: Stored| {
        if let Some(canary) = identity(&stored.planting, &columns).and_then(|identity| wanted.get(&identity)) {
            found.insert(*canary, stored.locator);
        }
    };
    slot.store.read(&columns, &mut visit).await.map_err(|error| FlowError::of_store(&slot.name, &error))?;
    let newest = planned.iter().filter(|unplanted| found.contains_key(&unplanted.placement.canary));
    let newest = newest.map(|unplanted| unplanted.placement.generation).max();
    let opened = newest.map(|generation| opened(context, slot, generation)).transpose()?.flatten();
    let planted = found.iter().map(|(canary, locator)| Record::Planted { canary: *canary, locator: locator.clone() });
    let records: Vec<Record> = opened.into_iter().chain(planted).collect();
    context.append(&records).await?;
    context.settle()?;
    planned.retain(|unplanted| !found.contains_key(&unplanted.placement.canary));
    Ok(planned)
}

/// What is planned for this store and was never said to be planted.
fn unplanted(context: &Context, slot: &StoreSlot) -> Result<Vec<Unplanted>, FlowError> {
    let mut planned = Vec::new();
    for PlacementRow { placement, .. } in context.ledger.placements(Some(&slot.name))? {
        if placement.state == State::Planned {
            let Some(contents) = context.ledger.contents(&context.journal, placement.canary)? else { continue };
            planned.push(Unplanted { placement, contents });
        }
    }
    Ok(planned)
}

/// What opens this generation, of which the store holds canaries; none where it is open.
pub fn opened(context: &Context, slot: &StoreSlot, generation: u32) -> Result<Option<Record>, FlowError> {
    let is_open = context.ledger.generation(&slot.name)? >= generation;
    Ok((!is_open).then(|| Record::GenerationOpened { store: slot.name.clone(), generation }))
}

/// What tells one planting of a store from another: its marker columns, or its file name.
#[derive(PartialEq, Eq, Hash)]
enum Identity {
    Columns(Vec<(String, String)>),
    Name(String),
}

fn identity(planting: &Planting, columns: &[String]) -> Option<Identity> {
    match planting {
        Planting::Document { name, .. } => Some(Identity::Name(name.clone())),
        Planting::Row(row) => {
            let values: Vec<(String, String)> = columns
                .iter()
                .filter_map(|column| {
                    Some((column.to_lowercase(), row.get(column).filter(|value| !value.is_empty())?.clone()))
                })
                .collect();
            (!values.is_empty()).then_some(Identity::Columns(values))
        }
    }
}
