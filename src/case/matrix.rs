//! The matrix that a verdict is computed from: which canary was found where, from when to when, and what was drawn by lot.
//! It holds names and times, never a value.

use crate::{
    attribution,
    case::gather::Case,
    domain::placement::{Placement, Presence},
    flow::{context::Context, error::FlowError, problem::Facts},
};
use canaries::{CanaryId, Field};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;

/// One row of the matrix.
#[derive(Clone, Serialize)]
pub struct Placed {
    pub canary: CanaryId,
    /// Of a coded persona none: each of its stores has its own.
    pub kind: Option<String>,
    /// The store it was planted in; of a coded persona none.
    pub store: Option<String>,
    pub generation: u32,
    pub stays: Vec<Stay>,
    /// How its stores were drawn by lot, if they were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub draw: Option<Drawn>,
    /// Of what it is a value, if it is one that rows of a shared person show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<ValueOf>,
}

/// Of all values of one person and column each store that took part drew one.
#[derive(Clone, Serialize)]
pub struct ValueOf {
    pub persona: CanaryId,
    pub field: Field,
}

/// The lots of a coded persona.
#[derive(Clone, Serialize)]
pub struct Drawn {
    pub chance: f64,
    /// The stores that took part, and those of them that drew it.
    pub among: Vec<String>,
    pub stores: Vec<String>,
}

/// A canary was in a store, as audited.
#[derive(Clone, Serialize)]
pub struct Stay {
    pub store: String,
    pub from: Timestamp,
    pub until: Option<Timestamp>,
}

impl Case {
    /// Presences and placements, cut at the case's last moment.
    pub fn read_matrix(&mut self, context: &Context) -> Result<(), FlowError> {
        let mut stays: BTreeMap<CanaryId, Vec<Stay>> = BTreeMap::new();
        for Presence { canary, store, from, until } in context.ledger.presences()? {
            if from <= self.as_of {
                let until = until.filter(|until| *until <= self.as_of);
                stays.entry(canary).or_default().push(Stay { store: store.clone(), from, until });
                if self.incident.canaries.contains(&canary) {
                    self.presences.push(Presence { canary, store, from, until });
                }
            }
        }
        // What one store alone has of somebody who stands in every store is a canary of that store.
        for (facts, persona, kinds) in Facts::gather(context)?.as_of(self.as_of).own() {
            stays.remove(&facts.id);
            self.own.extend(kinds.into_iter().map(|kind| ((persona, kind), facts.id)));
            let stay =
                |stay: attribution::problem::Stay| Stay { store: stay.store, from: stay.from, until: stay.until };
            self.placements.push(Placed {
                canary: facts.id,
                kind: context.ledger.placement(facts.id)?.map(|row| row.placement.kind),
                store: Some(facts.home),
                generation: facts.generation,
                stays: facts.stays.into_iter().map(stay).collect(),
                draw: None,
                value: None,
            });
        }
        for row in context.ledger.placements(None)? {
            let Placement { canary, kind, store, generation, .. } = row.placement;
            if let Some(stays) = stays.remove(&canary) {
                let (kind, store) = (Some(kind), Some(store));
                self.placements.push(Placed { canary, kind, store, generation, stays, draw: None, value: None });
            }
        }
        let mut lots = context.ledger.lots()?;
        lots.values_mut().for_each(|lots| lots.retain(|lot| lot.at <= self.as_of));
        // A value stands where its person does, in the stores that drew it; and wherever else an audit met it.
        for (value, lots) in &lots {
            let Some(of) = lots.first().and_then(|lot| lot.value) else { continue };
            let drew = |stay: &&Stay| lots.iter().any(|lot| lot.drawn && lot.store == stay.store);
            let its: Vec<Stay> = stays.get(&of.persona).into_iter().flatten().filter(drew).cloned().collect();
            stays.entry(*value).or_default().extend(its);
        }
        for (persona, lots) in lots {
            let Some(first) = lots.first() else { continue };
            let stores = |drawn: bool| {
                lots.iter().filter(|lot| lot.drawn || !drawn).map(|lot| lot.store.clone()).collect::<Vec<_>>()
            };
            self.placements.push(Placed {
                canary: persona,
                kind: None,
                store: None,
                generation: first.generation,
                stays: stays.remove(&persona).unwrap_or_default(),
                draw: Some(Drawn { chance: first.chance, among: stores(false), stores: stores(true) }),
                value: first.value.map(|of| ValueOf { persona: of.persona, field: of.field }),
            });
        }
        Ok(())
    }
}
