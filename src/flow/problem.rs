//! Gathers from the ledger what attribution needs to know.

use crate::{
    attribution::{
        looks::Looks,
        problem::{CanaryFacts, Draw, Problem, Seen, Stay, ValueOf},
    },
    domain::{placement::State, sighting::Class},
    flow::{context::Context, error::FlowError, seen::Evidence},
    ledger::{coded::LotRow, placements::PlacementRow},
};
use canaries::{CanaryId, MarkerKind};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// The problem that this evidence, looked at once and as a whole, poses to attribution, with presence as audited.
pub fn problem(context: &Context, evidence: Evidence) -> Result<Problem, FlowError> {
    Ok(Problem { looks: Looks::Once, ..Facts::gather(context)?.problem(context, evidence) })
}

/// What is known of the canaries at one moment: gathered once for all the incidents of a batch.
pub struct Facts {
    canaries: Vec<CanaryFacts>,
    audits: BTreeMap<String, Vec<Timestamp>>,
    /// Of each coded persona, and of each value, the lots.
    lots: BTreeMap<CanaryId, Vec<LotRow>>,
    /// What stands for people who stand in every store.
    bearers: Vec<Bearer>,
}

/// What one store may have alone of somebody who stands in every store. Logins and addresses follow from each other and from
/// names, so that whoever has another store's rows may try them; a weak marker is often somebody else's.
const ALONE: [MarkerKind; 3] = [MarkerKind::Iban, MarkerKind::Nir, MarkerKind::Password];

/// What stands for a person in one of several stores.
struct Bearer {
    persona: CanaryId,
    /// As it is called where it alone bears a marker.
    canary: CanaryId,
    store: String,
    generation: u32,
    kinds: BTreeSet<MarkerKind>,
    /// Where else an audit met such a marker.
    elsewhere: Vec<Stay>,
}

/// Such a placement, and when its person was there.
type Standing<'a> = (&'a Bearer, Vec<Stay>);

impl Facts {
    /// Reads the ledger.
    pub fn gather(context: &Context) -> Result<Facts, FlowError> {
        let mut stays: BTreeMap<CanaryId, Vec<Stay>> = BTreeMap::new();
        for presence in context.ledger.presences()? {
            stays.entry(presence.canary).or_default().push(Stay {
                store: presence.store,
                from: presence.from,
                until: presence.until,
            });
        }
        let kinds = context.ledger.marker_kinds()?;
        let none = BTreeSet::new();
        let mut facts = Vec::new();
        let lots = context.ledger.lots()?;
        let mut bearers = Vec::new();
        for PlacementRow { placement, .. } in context.ledger.placements(None)? {
            if placement.state == State::Planned {
                continue;
            }
            if let Some(persona) = placement.persona {
                if lots.get(&persona.id).is_some_and(|lots| lots.iter().all(|lot| lot.chance >= 1.0)) {
                    let entries = context.ledger.entries_of(placement.canary)?;
                    bearers.push(Bearer {
                        persona: persona.id,
                        canary: placement.canary,
                        store: placement.store,
                        generation: placement.generation,
                        kinds: entries.into_iter().map(|entry| entry.kind).collect(),
                        elsewhere: stays.remove(&placement.canary).unwrap_or_default(),
                    });
                }
                continue;
            }
            facts.push(CanaryFacts {
                id: placement.canary,
                showable: showable(kinds.get(&placement.canary).unwrap_or(&none)),
                home: placement.store,
                generation: placement.generation,
                stays: stays.remove(&placement.canary).unwrap_or_default(),
                draw: None,
                value: None,
                of: None,
            });
        }
        // Whatever became of its placements, a persona stays in the problem with all of its lots.
        // A value stands where its person does, in the stores that drew it; and wherever else an audit met it.
        for (id, lots) in &lots {
            let Some(value) = lots.first().and_then(|lot| lot.value) else { continue };
            let drew = |store: &str| lots.iter().any(|lot| lot.drawn && lot.store == store);
            let of_persona = stays.get(&value.persona).into_iter().flatten();
            let mut its: Vec<Stay> = of_persona.filter(|stay| drew(&stay.store)).cloned().collect();
            its.extend(stays.remove(id).unwrap_or_default());
            facts.push(CanaryFacts {
                id: *id,
                showable: vec![Class::Dump],
                home: String::new(),
                generation: lots.first().map_or(1, |lot| lot.generation),
                stays: its,
                draw: draw(lots),
                value: Some(ValueOf { persona: value.persona, field: value.field }),
                of: Some(value.persona),
            });
        }
        for (persona, lots) in lots.iter().filter(|(_, lots)| lots.iter().all(|lot| lot.value.is_none())) {
            facts.push(CanaryFacts {
                id: *persona,
                showable: showable(kinds.get(persona).unwrap_or(&none)),
                home: String::new(),
                generation: lots.first().map_or(1, |lot| lot.generation),
                stays: stays.remove(persona).unwrap_or_default(),
                draw: draw(lots),
                value: None,
                of: None,
            });
        }
        Ok(Facts { canaries: facts, audits: context.ledger.audits()?, lots, bearers })
    }

    /// What was known at a moment: what began later is left out, and what ended later goes on.
    pub fn as_of(mut self, at: Timestamp) -> Facts {
        self.audits.values_mut().for_each(|times| times.retain(|audited| *audited <= at));
        self.lots.values_mut().for_each(|lots| lots.retain(|lot| lot.at <= at));
        let lots = &self.lots;
        self.canaries.retain_mut(|canary| {
            if let Some(lots) = lots.get(&canary.id) {
                canary.draw = draw(lots);
                if canary.draw.is_none() {
                    return false;
                }
            }
            let planted = !canary.stays.is_empty();
            canary.stays.retain(|stay| stay.from <= at);
            canary.stays.iter_mut().for_each(|stay| stay.until = stay.until.filter(|until| *until <= at));
            !planted || !canary.stays.is_empty() || canary.draw.is_some()
        });
        self.bearers.iter_mut().for_each(|bearer| bearer.elsewhere.retain(|stay| stay.from <= at));
        self
    }

    /// The problem that this evidence poses, which came bit by bit.
    pub fn problem(&self, context: &Context, evidence: Evidence) -> Problem {
        let (mut canaries, mut seen) = (self.canaries.clone(), evidence.seen);
        let mut otherwise = evidence.otherwise.clone();
        for (own, persona, kinds) in self.own() {
            if evidence.otherwise.contains(&persona) {
                otherwise.insert(own.id);
            }
            let known =
                evidence.kinds.iter().filter(|((canary, _, kind), _)| *canary == persona && kinds.contains(kind));
            seen.extend(known.map(|(_, seen)| Seen { canary: own.id, ..seen.clone() }));
            canaries.push(own);
        }
        Problem {
            stores: context.stores.iter().map(|slot| slot.name.clone()).collect(),
            now: context.now(),
            feeds: context.stores.iter().map(|slot| (slot.name.clone(), slot.feeds.clone())).collect(),
            audits: self.audits.clone(),
            benign: seen.iter().map(|seen| seen.canary).filter(|canary| !otherwise.contains(canary)).collect(),
            canaries,
            seen,
            repeated: evidence.repeated,
            looks: Looks::Doubling,
            ghosts: u64::from(context.ghosts),
            ghosts_seen: evidence.ghosts.len() as u64,
            material: evidence.material,
            real_rows: None,
        }
    }
}

impl Facts {
    /// Markers that one store alone has of somebody who stands in every store: seen, they are a canary of that store, though
    /// all others of that person are everybody's. Each with the person, and the kinds.
    pub fn own(&self) -> Vec<(CanaryFacts, CanaryId, BTreeSet<MarkerKind>)> {
        let persons: BTreeMap<CanaryId, &CanaryFacts> =
            self.canaries.iter().filter(|facts| facts.draw.is_some()).map(|facts| (facts.id, facts)).collect();
        let mut by_kind: BTreeMap<(CanaryId, MarkerKind), Vec<Standing<'_>>> = BTreeMap::new();
        for bearer in &self.bearers {
            let stays = persons.get(&bearer.persona).into_iter().flat_map(|facts| &facts.stays);
            let stays: Vec<Stay> = stays.filter(|stay| stay.store == bearer.store).cloned().collect();
            for kind in bearer.kinds.iter().filter(|kind| !stays.is_empty() && ALONE.contains(kind)) {
                by_kind.entry((bearer.persona, *kind)).or_default().push((bearer, stays.clone()));
            }
        }
        let mut own: BTreeMap<CanaryId, (CanaryFacts, CanaryId, BTreeSet<MarkerKind>)> = BTreeMap::new();
        for ((persona, kind), bearers) in by_kind {
            let Ok([(bearer, stays)]) = <[_; 1]>::try_from(bearers) else { continue };
            let (_, _, kinds) = own.entry(bearer.canary).or_insert_with(|| {
                let facts = CanaryFacts {
                    id: bearer.canary,
                    home: bearer.store.clone(),
                    generation: bearer.generation,
                    stays: [stays, bearer.elsewhere.clone()].concat(),
                    of: Some(persona),
                    ..CanaryFacts::default()
                };
                (facts, persona, BTreeSet::new())
            });
            kinds.insert(kind);
        }
        let mut own: Vec<_> = own.into_values().collect();
        own.iter_mut().for_each(|(facts, _, kinds)| facts.showable = showable(kinds));
        own
    }
}

/// What was drawn for a persona; none before any lot.
fn draw(lots: &[LotRow]) -> Option<Draw> {
    let stores = |drawn: bool| {
        lots.iter().filter(|lot| lot.drawn || !drawn).map(|lot| lot.store.clone()).collect::<BTreeSet<String>>()
    };
    Some(Draw { chance: lots.first()?.chance, among: stores(false), stores: stores(true) })
}

/// The classes of sighting that a canary with these markers can cause.
fn showable(kinds: &BTreeSet<MarkerKind>) -> Vec<Class> {
    let mut classes = vec![Class::Dump];
    let any = |wanted: &[MarkerKind]| wanted.iter().any(|kind| kinds.contains(kind));
    if any(&[MarkerKind::Username, MarkerKind::WorkEmail, MarkerKind::Password]) {
        classes.push(Class::Login);
    }
    if any(&[MarkerKind::WorkEmail, MarkerKind::PersonalEmail]) {
        classes.push(Class::Mail);
    }
    if any(&[MarkerKind::DocumentLink]) {
        classes.extend([Class::Document, Class::Preview]);
    }
    classes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_from_other_stores_rows_is_no_store_s_own() {
        let persona = CanaryId([1; 10]);
        let stay = |store: &str| Stay { store: store.to_owned(), from: Timestamp::UNIX_EPOCH, until: None };
        let bearer = |number: u8, store: &str, kinds: &[MarkerKind]| Bearer {
            persona,
            canary: CanaryId([number; 10]),
            store: store.to_owned(),
            generation: 1,
            kinds: kinds.iter().copied().collect(),
            elsewhere: Vec::new(),
        };
        let (iban, mail, login) = (MarkerKind::Iban, MarkerKind::WorkEmail, MarkerKind::Username);
        let facts = Facts {
            canaries: vec![CanaryFacts {
                id: persona,
                stays: vec![stay("payroll"), stay("directory"), stay("export")],
                draw: Some(Draw { chance: 1.0, among: BTreeSet::new(), stores: BTreeSet::new() }),
                ..CanaryFacts::default()
            }],
            audits: BTreeMap::new(),
            lots: BTreeMap::new(),
            bearers: vec![
                bearer(2, "payroll", &[mail, iban]),
                bearer(3, "directory", &[mail, login, MarkerKind::Phone]),
                bearer(4, "export", &[mail]),
            ],
        };
        // Whoever has payroll's addresses may try them as logins: that names no directory.
        let own = facts.own();
        let [(alone, of, kinds)] = &own[..] else { panic!("{}", own.len()) };
        assert_eq!(
            (alone.home.as_str(), *of, alone.person(), kinds),
            ("payroll", persona, persona, &BTreeSet::from([iban]))
        );
    }
}
