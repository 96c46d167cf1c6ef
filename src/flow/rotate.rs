//! Opens a new generation: new canaries beside the old, which stay, so that a copy can be dated. Also on a schedule, which
//! changes attributes too.

use crate::{
    domain::placement::State,
    flow::{
        coded::Peers,
        context::{Context, StoreSlot, blocking},
        each::Each,
        error::FlowError,
        plant::{self, Planted},
        progress::Progress,
        revise,
    },
};
use jiff::Timestamp;
use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// How often it is looked, at most, whether something is due.
const LOOK: Duration = Duration::from_secs(60);

/// How long a store is left alone that refused, or whose canaries are not as they were planted: every try is journaled, and
/// only a person can mend it.
const REST: Duration = Duration::from_secs(24 * 3600);

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
    let mut peers = Peers::default();
    for slot in context.chosen(names)? {
        each.note(slot, rotate_store(context, slot, count, &mut peers, progress).await);
    }
    each.answer()
}

async fn rotate_store(
    context: &Context,
    slot: &StoreSlot,
    count: Option<u64>,
    peers: &mut Peers,
    progress: &Progress,
) -> Result<Planted, FlowError> {
    context.settle()?;
    let current = context.ledger.generation(&slot.name)?;
    let begun = context.ledger.placements(Some(&slot.name))?.iter().any(|row| row.placement.generation == current);
    // One that was opened and never planted is still the next.
    plant::plant_store(context, slot, Some(if begun { current + 1 } else { current }), count, peers, progress).await
}

/// How often stores change by themselves; where nothing is configured they do not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// A new generation of every store.
    pub generations: Option<Duration>,
    /// Each canary's next version.
    pub attributes: Option<Duration>,
}

/// Keeps the schedule until told to stop.
pub async fn watch(context: Arc<Context>, stop: CancellationToken) {
    let Schedule { generations, attributes } = context.schedule;
    let Some(shortest) = generations.into_iter().chain(attributes).min() else { return };
    let look = (shortest / 20).clamp(Duration::from_secs(1), LOOK);
    let mut wait = look;
    let mut rests: BTreeMap<&str, Instant> = BTreeMap::new();
    while !stop.is_cancelled() {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop.cancelled() => return,
        }
        wait = look;
        // Before the index is whole nothing is planted: what stands in the stores is not known yet.
        if !context.ready.load(Ordering::Acquire) {
            continue;
        }
        for slot in &context.stores {
            if rests.get(slot.name.as_str()).is_some_and(|until| Instant::now() < *until) {
                continue;
            }
            match keep(&context, slot).await {
                Ok(true) => {}
                Ok(false) => _ = rests.insert(&slot.name, Instant::now() + REST),
                Err(error @ FlowError::Unavailable(_)) => {
                    tracing::error!(store = slot.name, %error, "the schedule of [rotate] could not be kept; it is tried again");
                    wait = LOOK;
                }
                Err(error) => {
                    tracing::error!(store = slot.name, %error, "the schedule of [rotate] could not be kept; it is tried again in a day");
                    rests.insert(&slot.name, Instant::now() + REST);
                }
            }
        }
    }
}

/// Does what is due in one store; answers whether all of it could be done. One in which nothing stands waits for somebody
/// to plant it.
async fn keep(context: &Context, slot: &StoreSlot) -> Result<bool, FlowError> {
    let progress = Progress::default();
    let _works = context.works.lock().await;
    context.settle()?;
    let Schedule { generations, attributes } = context.schedule;
    let Some(planted) = blocking(|| planted_at(context, slot))? else { return Ok(true) };
    if generations.is_some_and(|every| context.now().duration_since(planted).unsigned_abs() >= every) {
        let planted = rotate_store(context, slot, None, &mut Peers::default(), &progress).await?;
        tracing::info!(
            store = slot.name,
            generation = planted.generation,
            planted = planted.planted,
            "a new generation"
        );
    }
    if let Some(period) = attributes
        && blocking(|| revise::is_due(context, slot, period))?
    {
        let revised = revise::revise_store(context, slot, period, &progress).await?;
        if revised.revised + revised.left > 0 {
            tracing::info!(
                store = slot.name,
                revised = revised.revised,
                left = revised.left,
                "attributes were changed"
            );
        }
        return Ok(revised.left == 0 && revised.note.is_none());
    }
    Ok(true)
}

/// When the first canary of the present generation was planted, of those that were not taken out.
fn planted_at(context: &Context, slot: &StoreSlot) -> Result<Option<Timestamp>, FlowError> {
    let current = context.ledger.generation(&slot.name)?;
    let mut first = None;
    for row in context.ledger.placements(Some(&slot.name))? {
        if row.placement.generation == current && row.placement.state != State::Withdrawn {
            let stays = context.ledger.presences_of(row.placement.seen_as(), &[&slot.name])?;
            first = stays.first().map(|stay| stay.from).into_iter().chain(first).min();
        }
    }
    Ok(first)
}
