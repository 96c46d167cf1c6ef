//! The patrol: every planted store is read back now and then, as `verify` does, so that what somebody did there does not wait
//! for a person to look. It changes nothing.

use crate::{
    domain::placement::State,
    flow::{
        context::{Context, StoreSlot, blocking},
        error::FlowError,
        judge,
        progress::Progress,
        verify,
    },
};
use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// How often it is looked, at most, whether a store is due; and how long one that could not be read is left alone.
const LOOK: Duration = Duration::from_secs(30);
const REST: Duration = Duration::from_secs(600);

/// Patrols until told to stop.
pub async fn watch(context: Arc<Context>, stop: CancellationToken) {
    let Some(every) = context.patrol else { return };
    let mut rests: BTreeMap<&str, Instant> = BTreeMap::new();
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK.min(every)) => {}
            () = stop.cancelled() => return,
        }
        if !context.ready.load(Ordering::Acquire) {
            continue;
        }
        for slot in &context.stores {
            if rests.get(slot.name.as_str()).is_some_and(|until| Instant::now() < *until) {
                continue;
            }
            let patrolled = tokio::select! {
                patrolled = patrol(&context, slot, every) => patrolled,
                () = stop.cancelled() => return,
            };
            if let Err(error) = &patrolled {
                tracing::error!(store = slot.name, %error, "the store could not be patrolled; it is tried again");
                rests.insert(&slot.name, Instant::now() + REST);
            }
            // A journal that takes nothing has an alarm of its own.
            let blind = matches!(&patrolled, Err(FlowError::Unavailable(_) | FlowError::Refused(_)));
            context.sees(&format!("patrol of {}", slot.name), blind.then_some("the_store_cannot_be_read"));
        }
    }
}

/// Reads a store back if its time has come.
async fn patrol(context: &Context, slot: &StoreSlot, every: Duration) -> Result<(), FlowError> {
    let works = context.works.lock().await;
    context.settle()?;
    if !blocking(|| is_due(context, slot, every))? {
        return Ok(());
    }
    verify::verify_store(context, slot, &Progress::default()).await?;
    drop(works);
    if let Err(error) = judge::again(context).await {
        tracing::error!(%error, "open incidents could not be judged anew");
    }
    Ok(())
}

/// Whether a canary stands in it, of whatever generation, and nobody looked for so long; nor since the clock was put back.
fn is_due(context: &Context, slot: &StoreSlot, every: Duration) -> Result<bool, FlowError> {
    let stands = |state: State| !matches!(state, State::Planned | State::Withdrawn);
    let placements = context.ledger.placements(Some(&slot.name))?;
    let standing = placements.into_iter().map(|row| row.placement).filter(|placement| stands(placement.state));
    let Some(planted) = standing.map(|placement| placement.since).max() else { return Ok(false) };
    let audited = context.ledger.audits()?.remove(&slot.name).and_then(|audits| audits.last().copied());
    let passed = context.now().duration_since(audited.unwrap_or(planted));
    Ok(passed.is_negative() || passed.unsigned_abs() >= every)
}
