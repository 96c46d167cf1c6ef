//! Coded personas: the same invented person in several stores, and in which ones is its code. What several stores have in
//! common then still tells which these are. Whether a store takes part follows from its columns, feeds and size, never from
//! what it drew; its lots are journaled before anything is planted by them, and never drawn again.

use crate::{
    domain::{
        placement::{Lot, Placement, Shared, State},
        record::Record,
    },
    flow::{
        context::{Context, StoreSlot, blocking},
        error::FlowError,
        mapping::Mapping,
        mint::{ATTEMPTS, FITTING, Mint, Minted, STANDS},
        plan::{self, Aim, Live},
        plant,
    },
    journal::key_ref::KeyRef,
    stores::store::Takes,
};
use canaries::{MarkerKind, allocation::Coded};
use std::collections::{BTreeMap, BTreeSet};

/// A store's part in the draw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Coded personas of the generation for which it has, or draws, a lot.
    pub personas: u32,
    /// Those that it drew: rows.
    pub rows: u64,
    /// Why it takes no part, where some are configured.
    pub why_none: Option<String>,
}

/// What is known of the stores that may share personas with one: each is looked at once.
#[derive(Default)]
pub struct Peers(BTreeMap<String, BTreeSet<MarkerKind>>);

/// What the part of a store is judged by.
#[derive(Clone, Copy)]
pub struct Sized<'a> {
    pub mapping: &'a Mapping,
    /// Rows that it holds now, canaries among them.
    pub rows: u64,
    pub live: Live,
}

/// The part that this store has in the draw of a generation.
pub async fn part(
    context: &Context,
    slot: &StoreSlot,
    generation: u32,
    sized: Sized<'_>,
    peers: &mut Peers,
) -> Result<Part, FlowError> {
    let drawn_before = blocking(|| lots(context, slot, generation))?.len() as u32;
    let fits = unfit(slot).is_none();
    let part = |personas: u32, why_none: Option<String>| {
        let drawn = |ordinal: &u32| fits && context.minter.draws(Coded { generation, ordinal: *ordinal }, &slot.name);
        Part { personas, rows: (0..personas).filter(drawn).count() as u64, why_none }
    };
    if context.coded == 0 || drawn_before >= context.coded {
        return Ok(part(if context.coded == 0 { 0 } else { drawn_before }, None));
    }
    let mut why_none = unfit(slot).or_else(|| too_small(context, slot, sized));
    if why_none.is_none() {
        let own = strong(sized.mapping);
        let mut shares = false;
        for other in context.stores.iter().filter(|other| other.name != slot.name) {
            shares |= !peers.of(context, other).await.is_disjoint(&own);
        }
        why_none = (!shares).then(|| {
            "no other store that could share people with it has an address, login, NIR or account in common with it"
                .to_owned()
        });
    }
    Ok(match why_none {
        None => part(context.coded, None),
        Some(_) if drawn_before > 0 => part(drawn_before, None),
        why_none => part(0, why_none),
    })
}

/// Why this store can share nobody, whatever its size.
pub fn unfit(slot: &StoreSlot) -> Option<String> {
    if slot.store.takes() == Takes::Documents {
        return Some("it holds documents".to_owned());
    }
    (!slot.feeds.is_empty() && slot.kept_home.is_empty()).then(|| {
        format!(
            "its feeds would take them along to {}: name under [stores.kept_home] what they leave out",
            slot.feeds.join(" and ")
        )
    })
}

/// Why this store is too small for them. Asked of averages: how many it drew must not decide whether it draws.
fn too_small(context: &Context, slot: &StoreSlot, Sized { rows, live, .. }: Sized<'_>) -> Option<String> {
    let unique = plan::of_store(slot, rows, live, 0, Aim::default()).count;
    let more = Coded::rows(context.coded).ceil() as u64;
    let most = plan::most(rows.saturating_sub(live.current + live.earlier));
    (unique + more > most).then(|| {
        format!(
            "about {more} rows more, beside {unique} canaries of its own, would be over {:.0} % of it, which would be noticed",
            plan::LARGEST_SHARE * 100.0
        )
    })
}

/// The kinds of marker by which a person is found again in another store.
fn strong(mapping: &Mapping) -> BTreeSet<MarkerKind> {
    let kinds = mapping.mapped().into_iter().filter_map(MarkerKind::of);
    kinds.filter(|kind| !kind.is_weak() && *kind != MarkerKind::Password).collect()
}

impl Peers {
    /// What the store could share; nothing where it takes no part, or cannot be looked at now.
    async fn of(&mut self, context: &Context, slot: &StoreSlot) -> &BTreeSet<MarkerKind> {
        if !self.0.contains_key(&slot.name) {
            let shared = look(context, slot).await.unwrap_or_default();
            self.0.insert(slot.name.clone(), shared);
        }
        &self.0[&slot.name]
    }
}

async fn look(context: &Context, slot: &StoreSlot) -> Option<BTreeSet<MarkerKind>> {
    if unfit(slot).is_some() {
        return None;
    }
    let profile = slot.store.profile().await.ok()?;
    let mapping = plant::mapping_of(slot, &profile).ok()?;
    let live = plan::live(context, slot).ok()?;
    let sized = Sized { mapping: &mapping, rows: profile.rows, live };
    too_small(context, slot, sized).is_none().then(|| strong(&mapping))
}

/// The lots of this store and generation that are on record.
fn lots(context: &Context, slot: &StoreSlot, generation: u32) -> Result<BTreeSet<canaries::CanaryId>, FlowError> {
    let of = |rows: &[crate::ledger::coded::LotRow]| {
        rows.iter().any(|row| row.store == slot.name && row.generation == generation)
    };
    Ok(context.ledger.lots()?.into_iter().filter(|(_, rows)| of(rows)).map(|(persona, _)| persona).collect())
}

/// Puts the lots of this store on record, and answers which of the personas that it drew are to be planted there, and how
/// many must not be: whoever was seen is in circulation, and would be taken for another leak; whoever was erased has no key.
pub async fn draw(
    context: &Context,
    slot: &StoreSlot,
    generation: u32,
    personas: u32,
) -> Result<(Vec<Coded>, u64), FlowError> {
    if personas == 0 {
        return Ok((Vec::new(), 0));
    }
    let known = blocking(|| lots(context, slot, generation))?;
    let pool = || (0..personas).map(|ordinal| Coded { generation, ordinal });
    let new: Vec<Lot> = pool()
        .map(|coded| Lot {
            persona: context.minter.coded_id(coded),
            chance: coded.chance(),
            drawn: context.minter.draws(coded, &slot.name),
            value: None,
        })
        .filter(|lot| !known.contains(&lot.persona))
        .collect();
    if !new.is_empty() {
        context.append_one(&Record::Drawn { store: slot.name.clone(), generation, lots: new }).await?;
        context.settle()?;
    }
    // The lots stay on record, whatever is planted by them.
    if unfit(slot).is_some() {
        return Ok((Vec::new(), 0));
    }
    let (mut due, mut barred) = (Vec::new(), 0);
    for coded in pool().filter(|coded| context.minter.draws(*coded, &slot.name)) {
        let (id, canary) = (context.minter.coded_id(coded), context.minter.coded_canary(coded, &slot.name));
        let row = context.ledger.placement(canary)?;
        let stands = |state: State| matches!(state, State::Planned | State::Planted | State::Altered);
        let is_erased = [id, canary].into_iter().any(|id| context.keyring.is_erased(KeyRef::Canary(id)));
        if row.is_some_and(|row| stands(row.placement.state)) {
            continue;
        }
        if is_erased || context.ledger.touched(id)?.is_some() {
            barred += 1;
        } else {
            due.push(coded);
        }
    }
    Ok((due, barred))
}

/// Which coded persona this placement was to bear, and the attempt that comes after; none where it bears none.
pub fn again(placement: &Placement) -> Option<(Coded, u32)> {
    let shared = placement.persona.as_ref()?;
    Some((Coded { generation: placement.generation, ordinal: shared.ordinal }, shared.attempt + 1))
}

impl Mint<'_> {
    /// Mints what stands in this store for these coded personas, each from its attempt on; answers how many it could not.
    pub fn all_coded(&mut self, fresh: &mut Vec<Minted>, due: Vec<(Coded, u32)>) -> Result<u64, FlowError> {
        let mut lost = 0;
        for (coded, from) in due {
            match self.coded(coded, from)? {
                Some(minted) => fresh.push(minted),
                None => lost += 1,
            }
        }
        Ok(lost)
    }

    /// What stands for a coded persona in this store: the person that stands in other stores already, else one whose values
    /// are free, from this attempt on. None where that person does not fit, or its values are somebody's here: a loss, which
    /// the draw outlives.
    fn coded(&mut self, coded: Coded, from: u32) -> Result<Option<Minted>, FlowError> {
        let minter = &self.context.minter;
        let id = minter.coded_id(coded);
        let known = self.context.ledger.bearers(id)?.into_iter().find_map(|row| row.placement.persona);
        let (attempts, minted) = match known {
            Some(_) if from > 0 => return Ok(None),
            Some(known) => (known.attempt..known.attempt + 1, known.minted),
            None => (from..from + ATTEMPTS, self.today()),
        };
        let salt = minter.coded_salt(coded, &self.slot.name);
        let mut clashes = if known.is_some() { STANDS } else { 0 };
        for (nth, attempt) in (0..).zip(attempts) {
            let persona = minter.coded(coded, attempt, minted);
            // Who stands elsewhere is not drawn anew for the sake of a long word.
            if !self.fits(&persona, known.is_none() && nth < FITTING) {
                continue;
            }
            // No feed may take it along: where it stands is its code.
            let (row, markers) = self.row(&persona, &salt, true);
            let shared = Shared { id, ordinal: coded.ordinal, attempt, minted };
            let canary = minter.coded_canary(coded, &self.slot.name);
            match self.free(canary, Some(shared), self.as_row(row, markers), clashes) {
                Ok(minted) => {
                    self.take(&minted);
                    return Ok(Some(minted));
                }
                // All attempts are made: whether one fits must not hang on who has it elsewhere.
                Err(_) => clashes = clashes.saturating_add(1),
            }
        }
        Ok(None)
    }
}
