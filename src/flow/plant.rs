//! Planting: mint what is missing, journal the intent, plant all or nothing, journal where it stands.

use crate::{
    domain::{
        placement::{Lot, Planting},
        record::Record,
    },
    flow::{
        coded::{self, Part, Peers},
        context::{Context, StoreSlot, blocking},
        each::Each,
        error::FlowError,
        gates,
        mapping::Mapping,
        mint::{self, Mint, Minted},
        plan::{self, Aim},
        progress::Progress,
        recover::{self, Unplanted},
        supply::Supply,
    },
    journal::{key_ref::KeyRef, log::NotDurable},
    stores::store::{NewPlanting, Profile, StoreError, Stored, Takes},
};
use canaries::{CanaryId, Field, MarkerKind, index::Owner};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// How often values that the store holds already are minted anew: enough for a crowded store, where half of the values
/// that fit it are somebody's already.
const ROUNDS: usize = 25;

/// What planting did to one store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Planted {
    pub store: String,
    pub generation: u32,
    /// Planted now.
    pub planted: u64,
    /// Of the current generation, in all.
    pub live: u64,
    /// What limits it, in words.
    pub notes: Vec<String>,
}

/// Plants in each chosen store what it lacks: `count` canaries in all, or as many as the plan says.
pub async fn plant(
    context: &Context,
    names: &[String],
    count: Option<u64>,
    progress: &Progress,
) -> Result<Each<Planted>, FlowError> {
    at_least_one(count)?;
    let _works = context.works.lock().await;
    let mut each = Each::default();
    let mut peers = Peers::default();
    for slot in context.chosen(names)? {
        each.note(slot, plant_store(context, slot, None, count, &mut peers, progress).await);
    }
    each.answer()
}

/// Refuses to plant no canaries: whoever asks for that means to take some out, or nothing.
///
/// # Errors
/// Names the commands that do.
pub fn at_least_one(count: Option<u64>) -> Result<(), FlowError> {
    match count {
        Some(0) => Err(FlowError::Refused(
            "a count of 0 plants nothing: name 1 or more, or leave it out for as many as `telltale plan` says; `telltale \
             withdraw` takes canaries out"
                .to_owned(),
        )),
        _ => Ok(()),
    }
}

/// Plants in one store what its current generation lacks, or `next`, which is opened once the store holds its canaries:
/// where they cannot be planted there is none. The caller holds `context.works`.
pub async fn plant_store(
    context: &Context,
    slot: &StoreSlot,
    next: Option<u32>,
    count: Option<u64>,
    peers: &mut Peers,
    progress: &Progress,
) -> Result<Planted, FlowError> {
    context.settle()?;
    progress.at(format!("looking at {}", slot.name), 0, None);
    let profile = slot.store.profile().await.map_err(|error| FlowError::of_store(&slot.name, &error))?;
    let mapping = mapping_of(slot, &profile)?;
    let left = recover::recover(context, slot, &mapping).await?;
    let generation = next.map_or_else(|| context.ledger.generation(&slot.name), Ok)?;
    let live = plan::live_beside(context, slot, generation)?;
    let (count, mut notes, part) = match count {
        // Whoever names a number means canaries of this store alone.
        Some(count) => (count, Vec::new(), Part::default()),
        None => {
            let sized = coded::Sized { mapping: &mapping, rows: profile.rows, live };
            let part = coded::part(context, slot, generation, sized, peers).await?;
            let planned = plan::of_store(slot, profile.rows, live, part.rows, Aim::default());
            (planned.count.saturating_sub(planned.coded), planned.notes, part)
        }
    };
    let mut mint = Mint::new(context, slot, &mapping, &profile, generation)?;
    let missing = count.saturating_sub(live.current.saturating_sub(live.coded));
    let supply = Supply { context, slot, mapping: &mapping, profile: &profile };
    // What another generation never planted would be counted in none.
    let (left, late): (Vec<Unplanted>, Vec<Unplanted>) =
        left.into_iter().partition(|unplanted| unplanted.placement.generation == generation);
    abandon(context, late.iter().map(|unplanted| unplanted.placement.canary).collect()).await?;
    let (shared, mut batch): (Vec<Minted>, Vec<Minted>) = left
        .into_iter()
        .map(|Unplanted { placement, contents }| Minted { placement, contents, index: Vec::new(), lots: Vec::new() })
        .partition(|minted| minted.placement.persona.is_some());
    // What was planned and is no longer wanted never reached the store.
    let surplus: Vec<CanaryId> =
        batch.drain(missing.min(batch.len() as u64) as usize..).map(|minted| minted.placement.canary).collect();
    abandon(context, surplus).await?;
    // So it is with shared people where none are wanted, or none fit any more.
    let (shared, unwanted): (Vec<Minted>, Vec<Minted>) =
        shared.into_iter().partition(|_| !part.is_none() && coded::unfit(slot).is_none());
    abandon(context, unwanted.iter().map(|minted| minted.placement.canary).collect()).await?;
    let lacking = missing - batch.len() as u64;
    let (due, barred) = coded::draw(context, slot, generation, &part).await?;
    // Of the shared people, whoever cannot be had is a loss, which the draw outlives.
    supply.suffices_for(lacking).await?;
    // Of what is left over some may come back, and be minted anew.
    if lacking > 0 || !due.is_empty() || !batch.is_empty() || !shared.is_empty() {
        avoid(slot, &mut mint, supply.named(true)).await?;
        avoid_people_elsewhere(context, &mut mint, &mut notes, progress).await;
    }
    let mut fresh = Vec::new();
    // The shared people first: what the store's own canaries bear must not decide which of those fit.
    let due = due.into_iter().map(|coded| (coded, 0)).collect();
    let mut lost = blocking(|| mint.all_coded(&mut fresh, due))?;
    blocking(|| mint_more(&mut mint, &mut fresh, lacking, progress))
        .map_err(|error| only(live.current + (batch.len() + fresh.len()) as u64, error))?;
    batch.extend(shared);
    let missing = (batch.len() + fresh.len()) as u64;
    let mut planted = 0;
    for round in 0..ROUNDS {
        as_shown(slot, &mut fresh).await?;
        intend(context, &fresh).await?;
        batch.append(&mut fresh);
        if batch.is_empty() {
            break;
        }
        progress.at(format!("planting {}", slot.name), planted, Some(missing));
        match slot.store.plant(&plantings(context, &batch, &mapping)).await {
            Ok(locators) => {
                let planted_here = batch
                    .iter()
                    .zip(locators)
                    .map(|(minted, locator)| Record::Planted { canary: minted.placement.canary, locator });
                let opened = recover::opened(context, slot, generation)?;
                let records: Vec<Record> = opened.into_iter().chain(planted_here).collect();
                context.append(&records).await.map_err(|error| unrecorded(slot, "plant", error))?;
                planted = batch.len() as u64;
                batch.clear();
                break;
            }
            Err(StoreError::Taken(taken)) => {
                let taken: HashSet<CanaryId> = taken.into_iter().collect();
                let gone = batch.extract_if(.., |minted| taken.contains(&minted.placement.canary));
                let (shared, own): (Vec<Minted>, Vec<Minted>) =
                    gone.partition(|minted| minted.placement.persona.is_some());
                mint.differ();
                abandon(context, taken.into_iter().collect()).await?;
                // Chance alone seldom takes two rounds: then it is better known what the rows hold, now that no canary has it.
                if round == 1 {
                    avoid(slot, &mut mint, supply.named(false)).await?;
                }
                let again = shared.iter().filter_map(|minted| coded::again(&minted.placement)).collect();
                lost += blocking(|| mint.all_coded(&mut fresh, again))?;
                if let Err(error) = blocking(|| mint_more(&mut mint, &mut fresh, own.len() as u64, progress)) {
                    abandon(context, batch.iter().map(|minted| minted.placement.canary).collect()).await?;
                    return Err(only(live.current + (batch.len() + fresh.len()) as u64, error));
                }
            }
            Err(error @ StoreError::Retry(_)) => {
                // Whether the store took them is not known: they stay planned, and are looked for next time.
                return Err(FlowError::of_store(&slot.name, &error));
            }
            Err(error) => {
                abandon(context, batch.iter().map(|minted| minted.placement.canary).collect()).await?;
                return Err(FlowError::of_store(&slot.name, &error));
            }
        }
    }
    if !batch.is_empty() || !fresh.is_empty() {
        abandon(context, batch.iter().map(|minted| minted.placement.canary).collect()).await?;
        return Err(FlowError::Refused(format!(
            "store {}: its rows held the new values in each of {ROUNDS} rounds; nothing was planted: plant fewer with --count",
            slot.name
        )));
    }
    context.settle()?;
    progress.at(format!("planting {}", slot.name), missing, Some(missing));
    let live = plan::live_beside(context, slot, generation)?.current;
    notes.extend((barred > 0).then(|| {
        format!(
            "{barred} of the people that it would share with other stores were seen already, or erased: a new generation \
             (`telltale rotate`) has others"
        )
    }));
    notes.extend((lost > 0).then(|| {
        format!(
            "{lost} of the people that it shares with other stores do not fit it, or somebody of it has their values"
        )
    }));
    Ok(Planted { store: slot.name.clone(), generation, planted, live, notes })
}

/// Mints so many more.
fn mint_more(mint: &mut Mint<'_>, fresh: &mut Vec<Minted>, count: u64, progress: &Progress) -> Result<(), FlowError> {
    for done in 0..count {
        progress.at(format!("minting for {}", mint.store()), done, Some(count));
        fresh.push(mint.mint()?);
    }
    Ok(())
}

/// Shows the mint what stands in these columns.
async fn avoid(slot: &StoreSlot, mint: &mut Mint<'_>, columns: Vec<(MarkerKind, String)>) -> Result<(), FlowError> {
    if columns.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = columns.iter().map(|(_, name)| name.clone()).collect();
    let mut visit = |stored: Stored| {
        let Planting::Row(row) = &stored.planting else { return };
        for (kind, value) in columns.iter().filter_map(|(kind, name)| Some((*kind, row.get(name)?))) {
            mint.avoid(kind, value);
        }
    };
    slot.store.read(&names, &mut visit).await.map_err(|error| FlowError::of_store(&slot.name, &error))
}

/// Shows the mint who is in the other stores: a canary must not bear what identifies a person there, whose every login
/// would be an alarm. A store that cannot be looked at is named in the notes.
async fn avoid_people_elsewhere(context: &Context, mint: &mut Mint<'_>, notes: &mut Vec<String>, progress: &Progress) {
    let elsewhere = |slot: &&StoreSlot| slot.name != mint.store() && slot.store.takes() == Takes::Rows;
    for slot in context.stores.iter().filter(elsewhere).collect::<Vec<_>>() {
        progress.at(format!("looking at {}", slot.name), 0, None);
        let looked = async {
            let profile = slot.store.profile().await.map_err(|error| FlowError::of_store(&slot.name, &error))?;
            let mapping = Mapping::of(slot, &profile)?;
            let identifying = |(field, column): (&Field, &String)| {
                let kind = MarkerKind::of(*field).filter(|kind| !kind.is_weak())?;
                Some((kind, column.clone()))
            };
            avoid(slot, mint, mapping.fields.iter().filter_map(identifying).collect()).await
        };
        if let Err(error) = looked.await {
            notes.push(format!(
                "who is in {} could not be looked at, so that a canary of {} may bear what identifies somebody there \
                 (`telltale check` finds it): {error}",
                slot.name,
                mint.store()
            ));
        }
    }
}

/// Says how many canaries can be planted where not all of them can be minted. None was.
fn only(fitting: u64, error: FlowError) -> FlowError {
    match error {
        FlowError::Refused(why) if fitting > 0 => {
            FlowError::Refused(format!("{why}; nothing was planted: {fitting} fit, so name --count {fitting} or fewer"))
        }
        other => other,
    }
}

/// The store's mapping; documents have none.
pub fn mapping_of(slot: &StoreSlot, profile: &Profile) -> Result<Mapping, FlowError> {
    match slot.store.takes() {
        Takes::Rows => Mapping::of(slot, profile),
        Takes::Documents => Ok(Mapping { fields: std::collections::BTreeMap::new(), password: None }),
    }
}

/// Journaled is what the store will show: it may write a number or a date in its own way.
async fn as_shown(slot: &StoreSlot, fresh: &mut [Minted]) -> Result<(), FlowError> {
    let plantings: Vec<Planting> = fresh.iter().map(|minted| minted.contents.planting.clone()).collect();
    let shown = slot.store.as_shown(&plantings).await.map_err(|error| FlowError::of_store(&slot.name, &error))?;
    for (minted, planting) in fresh.iter_mut().zip(shown) {
        minted.contents.planting = planting;
    }
    Ok(())
}

/// Makes keys and journals the intent, before the store is touched; then the index knows them.
async fn intend(context: &Context, fresh: &[Minted]) -> Result<(), FlowError> {
    if fresh.is_empty() {
        return Ok(());
    }
    // A persona's sightings are sealed under a key of its own.
    let named = fresh.iter().flat_map(|minted| BTreeSet::from([minted.placement.canary, minted.placement.seen_as()]));
    let keys: Vec<KeyRef> = mint::keys(named);
    blocking(|| context.keyring.ensure(&keys)).map_err(anyhow::Error::from)?;
    let placement = &fresh[0].placement;
    let lots: Vec<Lot> = fresh.iter().flat_map(|minted| minted.lots.iter().cloned()).collect();
    let drawn = Record::Drawn { store: placement.store.clone(), generation: placement.generation, lots };
    let drawn = Some(drawn).filter(|_| fresh.iter().any(|minted| !minted.lots.is_empty()));
    let records: Vec<Record> = drawn.into_iter().chain(fresh.iter().map(Minted::record)).collect();
    context.append(&records).await?;
    context.settle()?;
    let gates = gates::keys(context)?;
    let mut index = context.index.write().expect("no thread panics while it holds the index");
    for minted in fresh {
        for entry in &minted.index {
            index.insert(entry.fingerprint, Owner::Canary(minted.placement.seen_as()), entry.kind, entry.digest);
        }
    }
    for minted in fresh {
        gates::learn(&mut index, &gates, Owner::Canary(minted.placement.seen_as()), &minted.contents.markers);
    }
    Ok(())
}

/// Gives up canaries that no store holds. The index forgets them too: their values may be a real person's.
pub async fn abandon(context: &Context, canaries: Vec<CanaryId>) -> Result<(), FlowError> {
    if canaries.is_empty() {
        return Ok(());
    }
    let mut gone: HashSet<CanaryId> = HashSet::new();
    let mut personas: BTreeSet<CanaryId> = BTreeSet::new();
    for canary in &canaries {
        gone.insert(*canary);
        let persona = context.ledger.placement(*canary)?.and_then(|row| row.placement.persona);
        personas.extend(persona.map(|persona| persona.id));
    }
    context.append_one(&Record::Abandoned { canaries }).await?;
    context.settle()?;
    // What other stores show of a persona stays known, and so does its password at the gates.
    let gates = gates::keys(context)?;
    let (mut borne, mut passwords) = (Vec::new(), Vec::new());
    for persona in &personas {
        for row in context.ledger.bearers(*persona)? {
            let canary = row.placement.canary;
            borne.extend(context.ledger.entries_of(canary)?.into_iter().map(|entry| (*persona, entry)));
            if !gates.is_empty() {
                let contents = context.ledger.contents(&context.journal, canary)?;
                passwords.extend(contents.map(|contents| (*persona, contents.markers)));
            }
        }
    }
    let mut index = context.index.write().expect("no thread panics while it holds the index");
    index.retain(
        |owner| !matches!(owner, Owner::Canary(canary) if gone.contains(&canary) || personas.contains(&canary)),
    );
    for (persona, entry) in borne {
        index.insert(entry.fingerprint, Owner::Canary(persona), entry.kind, entry.digest);
    }
    for (persona, markers) in passwords {
        gates::learn(&mut index, &gates, Owner::Canary(persona), &markers);
    }
    Ok(())
}

/// The store did its part, and the journal did not.
pub fn unrecorded(slot: &StoreSlot, command: &str, error: NotDurable) -> FlowError {
    let store = &slot.name;
    FlowError::Unavailable(format!(
        "store {store} was changed, but that could not be journaled ({error}): then run `telltale {command} {store}` again, \
         and it finds what was done"
    ))
}

fn plantings(context: &Context, batch: &[Minted], mapping: &Mapping) -> Vec<NewPlanting> {
    let columns = mapping.marker_columns();
    let index = context.index.read().expect("no thread panics while it holds the index");
    // A phone that several canaries bear may stand in the store already, and identifies none of them.
    let shared = |minted: &Minted| {
        minted.contents.markers.iter().any(|marker| {
            marker.kind == MarkerKind::Phone
                && index.key().all(marker).iter().any(|(fingerprint, ..)| index.is_shared(fingerprint))
        })
    };
    // Nor does that of somebody who stands in several stores, and cannot have another in one of them.
    let identifying = |minted: &Minted, row: &BTreeMap<String, String>| {
        let weak = minted.placement.persona.is_some() || shared(minted);
        let phone = mapping.fields.get(&Field::Phone).filter(|_| weak);
        columns.iter().filter(|column| row.contains_key(*column) && phone != Some(*column)).cloned().collect()
    };
    batch
        .iter()
        .map(|minted| NewPlanting {
            canary: minted.placement.canary,
            planting: minted.contents.planting.clone(),
            marker_columns: match &minted.contents.planting {
                Planting::Row(row) => identifying(minted, row),
                Planting::Document { .. } => Vec::new(),
            },
        })
        .collect()
}
