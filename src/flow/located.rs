//! Which canary is the document of this name in this store? The names lie sealed in the journal: they are held in memory, and
//! read anew when something was planted since.

use crate::{
    domain::{
        placement::{Planting, State},
        sighting::Opened,
    },
    flow::{context::Context, error::FlowError},
};
use canaries::CanaryId;
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// So long a name that is nobody's is believed to be nobody's.
const FRESH: Duration = Duration::from_secs(2);

/// Documents of stores, by their names there.
#[derive(Default)]
pub struct Located(Mutex<BTreeMap<String, Known>>);

/// The documents of one store.
struct Known {
    names: HashMap<String, CanaryId>,
    looked: Instant,
    /// How many stood there, and since when the last.
    of: (usize, Option<Timestamp>),
}

impl Located {
    /// The canary whose document that is, if it is one's. What cannot be read now is nobody's, and is looked for again.
    pub fn find(&self, context: &Context, opened: &Opened) -> Option<CanaryId> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = known.get(&opened.store).filter(|known| known.looked.elapsed() < FRESH);
        match (fresh, known.get(&opened.store).and_then(|known| known.names.get(&opened.name))) {
            (_, Some(canary)) => return Some(*canary),
            (Some(_), None) => return None,
            (None, None) => {}
        }
        let before = known.remove(&opened.store);
        match read(context, &opened.store, before) {
            Ok(now) => {
                let found = now.names.get(&opened.name).copied();
                known.insert(opened.store.clone(), now);
                found
            }
            Err(error) => {
                tracing::error!(store = opened.store, %error, "where its documents stand cannot be told now");
                None
            }
        }
    }
}

fn read(context: &Context, store: &str, before: Option<Known>) -> Result<Known, FlowError> {
    let mut rows: Vec<_> = context.ledger.placements(Some(store))?.into_iter().map(|row| row.placement).collect();
    rows.retain(|placement| !matches!(placement.state, State::Planned));
    let of = (rows.len(), rows.iter().map(|placement| placement.since).max());
    if let Some(before) = before.filter(|before| before.of == of) {
        return Ok(Known { looked: Instant::now(), ..before });
    }
    let mut names = HashMap::new();
    for placement in rows {
        let Some(contents) = context.ledger.contents(&context.journal, placement.canary)? else { continue };
        if let Planting::Document { name, .. } = contents.planting {
            names.insert(name, placement.seen_as());
        }
    }
    Ok(Known { names, looked: Instant::now(), of })
}
