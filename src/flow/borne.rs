//! Markers of canaries that a real row bears: somebody was hired who has that number or address by chance, or a canary was
//! copied by hand. What stands there is looked at in memory, and only counted.

use crate::{
    domain::placement::Planting,
    flow::{
        context::{Context, StoreSlot},
        error::FlowError,
        mapping::Mapping,
    },
    stores::store::Stored,
};
use canaries::{CanaryId, MarkerKind, index::Owner};
use std::collections::{BTreeMap, BTreeSet};

/// Rows of the store that bear a strong marker of a canary and are hardly that canary's, by kind of marker.
pub async fn borne(
    context: &Context,
    slot: &StoreSlot,
    mapping: &Mapping,
) -> Result<BTreeMap<MarkerKind, u64>, FlowError> {
    let columns = mapping.marker_columns();
    let mut counts: BTreeMap<MarkerKind, u64> = BTreeMap::new();
    let mut visit = |stored: Stored| {
        let Planting::Row(row) = &stored.planting else { return };
        let mut found: BTreeMap<CanaryId, BTreeSet<MarkerKind>> = BTreeMap::new();
        let mut shown = 0;
        {
            let index = context.index.read().expect("no thread panics while it holds the index");
            for (column, value) in row.iter().filter(|(_, value)| !value.trim().is_empty()) {
                let Some(kind) = mapping.marker_kind(column) else { continue };
                shown += 1;
                for one in index.recognise(Some(kind), value) {
                    if let (Owner::Canary(canary), None) = (one.owner, one.digest) {
                        found.entry(canary).or_default().insert(kind);
                    }
                }
            }
        }
        // A canary's own row shows most of its markers, whoever edited it.
        for kinds in found.into_values().filter(|kinds| kinds.len() * 2 < shown) {
            // A weak one is many people's.
            kinds.into_iter().filter(|kind| !kind.is_weak()).for_each(|kind| *counts.entry(kind).or_default() += 1);
        }
    };
    slot.store.read(&columns, &mut visit).await.map_err(|error| FlowError::of_store(&slot.name, &error))?;
    Ok(counts)
}

/// The finding in words; none where nothing was found.
pub fn told(counts: &BTreeMap<MarkerKind, u64>) -> Option<String> {
    let each: Vec<String> = counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    (!each.is_empty()).then(|| {
        format!(
            "values of canaries stand in rows that are no canary's ({}): a sighting of such a value may be that person's; \
             `telltale rotate` plants others",
            each.join(", ")
        )
    })
}
