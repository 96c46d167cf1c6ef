//! Coded personas: the same invented person in several stores, and in which ones is its code. What several stores have in
//! common then still tells which these are. Whether a store takes part follows from its columns, feeds and size, never from
//! what it drew; its lots are journaled before anything is planted by them, and never drawn again. Others stand in every
//! store that takes part, and `valued` says what differs there.

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
    ledger::coded::LotRow,
    stores::store::Takes,
};
use canaries::{CanaryId, MarkerKind, allocation::Coded};
use std::collections::{BTreeMap, BTreeSet};

/// A store's part in the draw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Coded personas of the generation for which it has, or draws, a lot.
    pub personas: u32,
    /// Those of the generation that stand in every store, and so in this one.
    pub everywhere: u32,
    /// Both, as far as they are to stand there: rows.
    pub rows: u64,
    /// Why it takes no part in the draw, where some are configured; and why nobody stands in it who stands everywhere.
    pub why_none: Option<String>,
    pub why_not_everywhere: Option<String>,
}

/// Who may stand in several stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layer {
    Drawn,
    Everywhere,
}

/// What is known of the stores that may share personas with one: each is looked at once.
#[derive(Default)]
pub struct Peers(BTreeMap<String, Peer>);

/// A store that may share personas: none of a layer where it takes no part in it, or cannot be looked at now.
#[derive(Default)]
struct Peer {
    layers: Vec<Layer>,
    strong: BTreeSet<MarkerKind>,
}

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
    let before = blocking(|| lots(context, slot, generation))?;
    let mut part = Part::default();
    (part.personas, part.why_none) =
        joins(context, slot, (Layer::Drawn, before.drawn.len() as u32), sized, peers).await;
    (part.everywhere, part.why_not_everywhere) =
        joins(context, slot, (Layer::Everywhere, before.everywhere.len() as u32), sized, peers).await;
    if unfit(slot).is_none() {
        let drawn = part.pool(generation).filter(|coded| context.minter.draws(*coded, &slot.name));
        part.rows = drawn.count() as u64;
    }
    Ok(part)
}

impl Part {
    /// Everybody for whom it has, or draws, a lot.
    fn pool(&self, generation: u32) -> impl Iterator<Item = Coded> + use<> {
        (0..self.personas)
            .map(move |ordinal| Coded { generation, ordinal })
            .chain(Coded::everywhere(generation, self.everywhere))
    }

    /// Whether it shares anybody.
    pub fn is_none(&self) -> bool {
        self.personas == 0 && self.everywhere == 0
    }
}

/// How many of a layer the store has part in, with so many lots on record; and why none, where some are configured.
async fn joins(
    context: &Context,
    slot: &StoreSlot,
    (layer, before): (Layer, u32),
    sized: Sized<'_>,
    peers: &mut Peers,
) -> (u32, Option<String>) {
    let asked = layer.asked(context);
    if asked == 0 || before >= asked {
        return (if asked == 0 { 0 } else { before }, None);
    }
    let mut why_none = unfit(slot).or_else(|| too_small(context, slot, sized, layer));
    if why_none.is_none() {
        let own = strong(sized.mapping);
        let mut shares = false;
        for other in context.stores.iter().filter(|other| other.name != slot.name) {
            let peer = peers.of(context, other).await;
            shares |= peer.layers.contains(&layer) && !peer.strong.is_disjoint(&own);
        }
        why_none = (!shares).then(|| {
            "no other store that could share people with it has an address, login, NIR or account in common with it"
                .to_owned()
        });
    }
    match why_none {
        None => (asked, None),
        Some(_) if before > 0 => (before, None),
        why_none => (0, why_none),
    }
}

impl Layer {
    fn asked(self, context: &Context) -> u32 {
        match self {
            Layer::Drawn => context.coded,
            Layer::Everywhere => context.everywhere,
        }
    }
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
fn too_small(context: &Context, slot: &StoreSlot, Sized { rows, live, .. }: Sized<'_>, layer: Layer) -> Option<String> {
    let unique = plan::of_store(slot, rows, live, 0, Aim::default()).count;
    // Where there is room for one layer only it is the drawn one.
    let everywhere = if layer == Layer::Everywhere { context.everywhere } else { 0 };
    let more = Coded::rows(context.coded).ceil() as u64 + u64::from(everywhere);
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
    /// What the store could share.
    async fn of(&mut self, context: &Context, slot: &StoreSlot) -> &Peer {
        if !self.0.contains_key(&slot.name) {
            let peer = look(context, slot).await.unwrap_or_default();
            self.0.insert(slot.name.clone(), peer);
        }
        &self.0[&slot.name]
    }
}

async fn look(context: &Context, slot: &StoreSlot) -> Option<Peer> {
    if unfit(slot).is_some() {
        return None;
    }
    let profile = slot.store.profile().await.ok()?;
    let mapping = plant::mapping_of(slot, &profile).ok()?;
    let live = plan::live(context, slot).ok()?;
    let sized = Sized { mapping: &mapping, rows: profile.rows, live };
    let mut layers = vec![Layer::Drawn, Layer::Everywhere];
    layers.retain(|layer| too_small(context, slot, sized, *layer).is_none());
    Some(Peer { layers, strong: strong(&mapping) })
}

/// The lots of one store and generation that are on record.
#[derive(Default)]
struct OnRecord {
    drawn: BTreeSet<CanaryId>,
    everywhere: BTreeSet<CanaryId>,
}

fn lots(context: &Context, slot: &StoreSlot, generation: u32) -> Result<OnRecord, FlowError> {
    let mut found = OnRecord::default();
    for (persona, rows) in context.ledger.lots()? {
        let own = |row: &&LotRow| row.store == slot.name && row.generation == generation && row.value.is_none();
        match rows.iter().find(own).map(|row| row.chance) {
            Some(chance) if chance < 1.0 => found.drawn.insert(persona),
            Some(_) => found.everywhere.insert(persona),
            None => false,
        };
    }
    Ok(found)
}

/// The lot of a store for a coded persona.
pub fn lot(context: &Context, coded: Coded, store: &str) -> Lot {
    let minter = &context.minter;
    Lot { persona: minter.coded_id(coded), chance: coded.chance(), drawn: minter.draws(coded, store), value: None }
}

/// Puts the lots of this store on record, and answers which of the personas that it drew are to be planted there, and how
/// many must not be: whoever was seen is in circulation, and would be taken for another leak; whoever was erased has no key.
pub async fn draw(
    context: &Context,
    slot: &StoreSlot,
    generation: u32,
    part: &Part,
) -> Result<(Vec<Coded>, u64), FlowError> {
    if part.is_none() {
        return Ok((Vec::new(), 0));
    }
    let known = blocking(|| lots(context, slot, generation))?;
    let new: Vec<Lot> = part
        .pool(generation)
        .map(|coded| lot(context, coded, &slot.name))
        .filter(|lot| !known.drawn.contains(&lot.persona) && !known.everywhere.contains(&lot.persona))
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
    for coded in part.pool(generation).filter(|coded| context.minter.draws(*coded, &slot.name)) {
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
        let context = self.context;
        let minter = &context.minter;
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
            let (persona, lots) = self.differing(coded, attempt, minted, persona)?;
            // No feed may take it along: where it stands is its code.
            let (row, markers) = self.row(&persona, &salt, true);
            let shared = Shared { id, ordinal: coded.ordinal, attempt, minted };
            let canary = minter.coded_canary(coded, &self.slot.name);
            match self.free(canary, Some(shared), self.as_row(row, markers), clashes) {
                Ok(minted) => {
                    self.take(&minted);
                    return Ok(Some(Minted { lots, ..minted }));
                }
                // All attempts are made: whether one fits must not hang on who has it elsewhere.
                Err(_) => clashes = clashes.saturating_add(1),
            }
        }
        Ok(None)
    }
}
