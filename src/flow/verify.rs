//! Looks whether the canaries are still there and unchanged, and which were copied here by a feed: the audited
//! presence that attribution works on. Real rows are looked at in memory and forgotten.

use crate::{
    domain::{
        placement::{Planting, State},
        record::{Alteration, Record},
    },
    dumps,
    flow::{
        context::{Context, StoreSlot, blocking},
        drift,
        each::Each,
        error::FlowError,
        judge,
        mapping::Mapping,
        observe, plant,
        problem::Facts,
        progress::Progress,
        recover,
        valued::Known,
    },
    ledger::placements::PlacementRow,
    stores::store::Stored,
};
use canaries::{
    CanaryId, Field, MarkerKind,
    index::{self, Index, Owner},
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What was found in one store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Verified {
    pub store: String,
    /// Own canaries that should be there.
    pub planted: u64,
    pub missing: Vec<CanaryId>,
    pub altered: Vec<Alteration>,
    /// Canaries of other stores that stand here.
    pub copied: Vec<CanaryId>,
}

impl Verified {
    /// Whether the store holds what was planted, as it was planted.
    pub fn is_clean(&self) -> bool {
        self.missing.is_empty() && self.altered.is_empty()
    }
}

/// Reads the chosen stores back, and journals what is really in them.
pub async fn verify(context: &Context, names: &[String], progress: &Progress) -> Result<Each<Verified>, FlowError> {
    let _works = context.works.lock().await;
    let mut each = Each::default();
    for slot in context.chosen(names)? {
        each.note(slot, verify_store(context, slot, progress).await);
    }
    // What was audited is on record, and is answered whatever becomes of the incidents: the next sighting judges them too.
    if let Err(error) = judge::again(context).await {
        tracing::error!(%error, "open incidents could not be judged anew");
    }
    each.answer()
}

/// Reads one store back, and journals what is in it. The caller holds `context.works`.
pub(super) async fn verify_store(
    context: &Context,
    slot: &StoreSlot,
    progress: &Progress,
) -> Result<Verified, FlowError> {
    context.settle()?;
    progress.at(format!("verifying {}", slot.name), 0, None);
    let profile = slot.store.profile().await.map_err(|error| FlowError::of_store(&slot.name, &error))?;
    let mapping = plant::mapping_of(slot, &profile)?;
    recover::recover(context, slot, &mapping).await?;

    let own = blocking(|| own(context, slot))?;
    let mut look = Look {
        context,
        store: &slot.name,
        mapping: &mapping,
        own: &own,
        known: blocking(|| Known::read(context))?,
        others: blocking(|| of_others(context, slot))?,
        seen: BTreeMap::new(),
        copied: BTreeSet::new(),
        rows: 0,
    };
    let columns: Vec<String> = Vec::new();
    slot.store
        .read(&columns, &mut |stored| {
            match stored.planting {
                Planting::Row(_) => look.at(&stored),
                // Looking into a document takes a while.
                Planting::Document { .. } => blocking(|| look.at(&stored)),
            }
            if look.rows.is_multiple_of(1000) {
                progress.at(format!("verifying {}", slot.name), look.rows, Some(profile.rows));
            }
        })
        .await
        .map_err(|error| FlowError::of_store(&slot.name, &error))?;
    let Look { seen, copied, rows, .. } = look;
    let own_ids = own.values().map(|(canary, _)| *canary);
    let missing: Vec<CanaryId> = own_ids.filter(|canary| !seen.contains_key(canary)).collect();
    let present = seen.keys().chain(copied.iter()).copied().collect();
    let altered: Vec<Alteration> = seen.into_values().flatten().collect();
    let copied: Vec<CanaryId> = copied.into_iter().collect();
    let verified = Verified { store: slot.name.clone(), planted: own.len() as u64, missing, altered, copied };
    let mut records = vec![Record::Verified {
        store: verified.store.clone(),
        present,
        missing: verified.missing.clone(),
        altered: verified.altered.clone(),
        copied: verified.copied.clone(),
        rows: Some(rows),
    }];
    // In one piece: what was found is told, or looked for again.
    records.extend(blocking(|| drift::news(context, slot, &verified))?);
    context.append(&records).await?;
    observe::sighted(context, &records);
    context.settle()?;
    Ok(verified)
}

/// The canaries that the store should hold, by what they are seen as.
fn own(context: &Context, slot: &StoreSlot) -> Result<Own, FlowError> {
    let mut own = BTreeMap::new();
    for PlacementRow { placement, .. } in context.ledger.placements(Some(&slot.name))? {
        if !matches!(placement.state, State::Planned | State::Withdrawn) {
            let Some(contents) = context.ledger.contents(&context.journal, placement.canary)? else { continue };
            own.insert(placement.seen_as(), (placement.canary, contents.planting));
        }
    }
    Ok(own)
}

/// What was planted, and as which canary.
type Own = BTreeMap<CanaryId, (CanaryId, Planting)>;

struct Look<'a> {
    context: &'a Context,
    store: &'a str,
    mapping: &'a Mapping,
    own: &'a Own,
    known: Known,
    /// Markers of shared people that some other store alone has, as what they are known.
    others: BTreeMap<(CanaryId, MarkerKind), CanaryId>,
    seen: BTreeMap<CanaryId, Vec<Alteration>>,
    copied: BTreeSet<CanaryId>,
    rows: u64,
}

impl Look<'_> {
    fn at(&mut self, stored: &Stored) {
        self.rows += 1;
        let index = self.context.index.read().expect("no thread panics while it holds the index");
        for seen in owners(&index, self.mapping, &stored.planting) {
            if let Planting::Row(row) = &stored.planting {
                self.copied.extend(brought(&index, self.mapping, &self.others, seen, row));
                // What another store drew and this one shows was copied here, whoever did it: then a leak of either would
                // look like one of the other.
                let of_field = |(field, column): (&Field, &String)| {
                    let text = row.iter().find(|(name, _)| name.eq_ignore_ascii_case(column))?.1;
                    self.known.strayed(seen, *field, text, self.store)
                };
                self.copied.extend(self.mapping.fields.iter().filter_map(of_field));
            }
            match self.own.get(&seen) {
                None => {
                    self.copied.insert(seen);
                }
                Some((canary, planted)) => {
                    let (canary, key) = (*canary, index.key());
                    let differ =
                        differences(planted, &stored.planting).into_iter().map(|(field, old, new)| Alteration {
                            canary,
                            field,
                            old: data_encoding::HEXLOWER.encode(&key.plain(MarkerKind::Password, &old)),
                            new: data_encoding::HEXLOWER.encode(&key.plain(MarkerKind::Password, &new)),
                        });
                    let differ: Vec<Alteration> = differ.collect();
                    // Where several name it, it is the one that is most like it.
                    let known = self.seen.entry(canary).or_insert_with(|| differ.clone());
                    if differ.len() < known.len() {
                        *known = differ;
                    }
                }
            }
        }
    }
}

/// What another store alone has of shared people.
fn of_others(context: &Context, slot: &StoreSlot) -> Result<BTreeMap<(CanaryId, MarkerKind), CanaryId>, FlowError> {
    let own = Facts::gather(context)?.own();
    let others = own.into_iter().filter(|(facts, ..)| facts.home != slot.name);
    Ok(others
        .flat_map(|(facts, persona, kinds)| kinds.into_iter().map(move |kind| ((persona, kind), facts.id)))
        .collect())
}

/// Such markers in a row of that person: somebody brought them here.
fn brought(
    index: &Index,
    mapping: &Mapping,
    others: &BTreeMap<(CanaryId, MarkerKind), CanaryId>,
    persona: CanaryId,
    row: &BTreeMap<String, String>,
) -> Vec<CanaryId> {
    let its = |kind: MarkerKind, value: &str| {
        index.recognise(Some(kind), value).iter().any(|found| found.owner == Owner::Canary(persona))
    };
    let marked = row.iter().filter_map(|(column, value)| Some((mapping.marker_kind(column)?, value)));
    marked.filter_map(|(kind, value)| others.get(&(persona, kind)).copied().filter(|_| its(kind, value))).collect()
}

/// The canaries whose markers stand in this row or document: of a row the one with the most markers.
fn owners(index: &Index, mapping: &Mapping, planting: &Planting) -> Vec<CanaryId> {
    match planting {
        Planting::Row(row) => {
            let mut votes: BTreeMap<CanaryId, u32> = BTreeMap::new();
            for (column, value) in row {
                let Some(kind) = mapping.marker_kind(column) else { continue };
                for found in index.recognise(Some(kind), value) {
                    if let Owner::Canary(canary) = found.owner
                        && found.digest.is_none()
                    {
                        *votes.entry(canary).or_default() += if kind.is_weak() { 1 } else { 4 };
                    }
                }
            }
            // A weak marker alone may be chance.
            votes
                .into_iter()
                .filter(|(_, votes)| *votes >= 2)
                .max_by_key(|(_, votes)| *votes)
                .map(|(id, _)| id)
                .into_iter()
                .collect()
        }
        Planting::Document { name, bytes } => {
            let mut found = BTreeSet::new();
            let mut source = bytes.as_slice();
            let outcome = dumps::read(name, &mut source, &dumps::Limits::default(), &mut |piece| {
                index::scan(piece.text, index, &mut |sight| {
                    if let (Owner::Canary(canary), true) = (sight.owner, sight.strong) {
                        found.insert(canary);
                    }
                });
            });
            if outcome.is_err() {
                return Vec::new();
            }
            found.into_iter().collect()
        }
    }
}

/// Column, planted value, stored value of each difference; for a document its content as a whole.
fn differences(planted: &Planting, stored: &Planting) -> Vec<(String, String, String)> {
    match (planted, stored) {
        (Planting::Row(planted), Planting::Row(stored)) => planted
            .iter()
            .filter_map(|(column, old)| {
                let new = stored
                    .iter()
                    .find(|(name, _)| name.eq_ignore_ascii_case(column))
                    .map_or("", |(_, value)| value.as_str());
                (!same(old, new)).then(|| (column.clone(), old.clone(), new.to_owned()))
            })
            .collect(),
        (Planting::Document { bytes: old, .. }, Planting::Document { bytes: new, .. }) => {
            if old == new {
                Vec::new()
            } else {
                vec![("content".to_owned(), blake3::hash(old).to_string(), blake3::hash(new).to_string())]
            }
        }
        _ => Vec::new(),
    }
}

/// Whether two texts are one value: stores pad texts, and write numbers in their own way.
fn same(planted: &str, stored: &str) -> bool {
    planted.trim_end() == stored.trim_end()
        || matches!((planted.trim().parse::<f64>(), stored.trim().parse::<f64>()), (Ok(old), Ok(new)) if old == new)
}
