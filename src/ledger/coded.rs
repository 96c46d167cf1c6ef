//! Coded personas: which stores drew them, and what stands for them where. A lot stays as it was drawn, whatever came of the
//! planting: what is proven with it holds for blind draws only.

use crate::{
    domain::placement::{Contents, Lot, Placement, Valued},
    journal::log::Journal,
    ledger::{
        engine::EngineError,
        placements::{PlacementRow, last_id},
        row::{self, Key, Table},
        state::{Ledger, LedgerError},
        view::View,
    },
};
use canaries::{CanaryId, Field};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, btree_map::Entry};

/// The lots of a store for one column of one attempt at a persona: each value's name, and whether it was drawn.
pub type Pools = BTreeMap<(CanaryId, u32, Field), Vec<(CanaryId, bool)>>;

/// A store's lot for a coded persona.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LotRow {
    pub store: String,
    /// The persona's generation.
    pub generation: u32,
    pub chance: f64,
    pub drawn: bool,
    /// When it was journaled.
    pub at: Timestamp,
    /// Of what it is a value, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Valued>,
}

pub(crate) fn drawn(
    view: &mut View<'_>,
    at: Timestamp,
    store: &str,
    generation: u32,
    lots: &[Lot],
) -> Result<(), EngineError> {
    for lot in lots {
        let key = Key::of(Table::Lot).bytes(&lot.persona.0).text(store);
        // Nobody draws twice.
        if view.get::<LotRow>(&key)?.is_none() {
            let Lot { chance, drawn, value, .. } = *lot;
            view.put(key, &LotRow { store: store.to_owned(), generation, chance, drawn, at, value })?;
        }
    }
    Ok(())
}

fn bearer_key(placement: &Placement) -> Option<Key> {
    let persona = placement.persona?;
    Some(Key::of(Table::Bearer).bytes(&persona.id.0).text(&placement.store))
}

pub(crate) fn borne(view: &mut View<'_>, placement: &Placement) -> Result<(), EngineError> {
    bearer_key(placement).map_or(Ok(()), |key| view.put(key, &placement.canary))
}

pub(crate) fn dropped(view: &mut View<'_>, placement: &Placement) {
    if let Some(key) = bearer_key(placement) {
        view.remove(key);
    }
}

impl Ledger {
    /// Every lot that was drawn, by persona or value. What was drawn for an attempt at a person that stands nowhere is left
    /// out: nothing was ever planted by it.
    pub fn lots(&self) -> Result<BTreeMap<CanaryId, Vec<LotRow>>, LedgerError> {
        let mut found: BTreeMap<CanaryId, Vec<LotRow>> = BTreeMap::new();
        self.each(&Key::of(Table::Lot), None, |key, value| {
            found.entry(first_id(key)?).or_default().push(row::decode(value)?);
            Ok(true)
        })?;
        let mut attempts: BTreeMap<CanaryId, Option<u32>> = BTreeMap::new();
        for persona in found.values().flatten().filter_map(|lot| Some(lot.value?.persona)) {
            if let Entry::Vacant(free) = attempts.entry(persona) {
                let bearer = self.bearers(persona)?.into_iter().find_map(|row| row.placement.persona);
                free.insert(bearer.map(|shared| shared.attempt));
            }
        }
        let stands = |lot: &LotRow| {
            lot.value.is_none_or(|value| attempts.get(&value.persona).copied().flatten() == Some(value.attempt))
        };
        found.retain(|_, lots| lots.iter().all(stands));
        Ok(found)
    }

    /// What this store drew of the values of shared people, whatever stands by it.
    pub fn pools(&self, store: &str) -> Result<Pools, LedgerError> {
        let mut found = Pools::new();
        self.each(&Key::of(Table::Lot), None, |key, value| {
            let lot: LotRow = row::decode(value)?;
            if let Some(Valued { persona, field, attempt }) = lot.value.filter(|_| lot.store == store) {
                found.entry((persona, attempt, field)).or_default().push((first_id(key)?, lot.drawn));
            }
            Ok(true)
        })?;
        Ok(found)
    }

    /// What stands, or stood, for a coded persona, one placement a store.
    pub fn bearers(&self, persona: CanaryId) -> Result<Vec<PlacementRow>, LedgerError> {
        let canaries =
            self.all(&Key::of(Table::Bearer).bytes(&persona.0), |_, value| row::decode::<CanaryId>(value))?;
        canaries.into_iter().filter_map(|canary| self.placement(canary).transpose()).collect()
    }

    /// The placements of what is seen under this name: a canary's one, or a coded persona's several.
    pub fn placements_of(&self, seen: CanaryId) -> Result<Vec<PlacementRow>, LedgerError> {
        match self.placement(seen)? {
            Some(row) => Ok(vec![row]),
            None => self.bearers(seen),
        }
    }

    /// The persona that each placement of one bears.
    pub(crate) fn personas(&self) -> Result<BTreeMap<CanaryId, CanaryId>, LedgerError> {
        let pairs =
            self.all(&Key::of(Table::Bearer), |key, value| Ok((row::decode::<CanaryId>(value)?, first_id(key)?)))?;
        Ok(pairs.into_iter().collect())
    }

    pub(crate) fn contents_of_persona(
        &self,
        journal: &Journal,
        persona: CanaryId,
    ) -> Result<Option<Contents>, LedgerError> {
        let mut found: Option<Contents> = None;
        for row in self.bearers(persona)? {
            let Some(contents) = self.contents(journal, row.placement.canary)? else { continue };
            let known = found.get_or_insert_with(|| Contents { markers: Vec::new(), ..contents.clone() });
            for marker in contents.markers {
                if !known.markers.contains(&marker) {
                    known.markers.push(marker);
                }
            }
        }
        Ok(found)
    }
}

fn first_id(key: &[u8]) -> Result<CanaryId, EngineError> {
    key.get(..11).map_or(Err(EngineError::Damaged), last_id)
}
