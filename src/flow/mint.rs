//! Mints canaries that fit a store: its columns, its style, its kind of document.

use crate::{
    domain::{
        placement::{Contents, Lot, Placement, Planting, Shared, State},
        record::{IndexEntry, Record},
    },
    flow::{
        context::{Context, StoreSlot},
        error::FlowError,
        mapping::Mapping,
        supply,
    },
    ledger::coded::Pools,
    stores::store::{ColumnProfile, Profile, Takes},
};
use canaries::{
    CanaryId, Field, Marker, MarkerKind, documents,
    index::{FingerprintKey, Owner, canonical},
    kinds, password,
    persona::{Label, Persona},
};
use std::collections::{BTreeMap, HashSet};

/// How often one canary is minted anew when a name does not fit its column: enough where one in a hundred fits.
pub(super) const ATTEMPTS: u32 = 1_000;
/// In so many of them everything written in words must fit: town, street, title. Then only the names must, and no word
/// may be cut.
pub(super) const FITTING: u32 = 50;
/// How often one is minted anew when a marker of it is taken already.
pub(super) const CLASHES: u32 = 40;
/// So often a phone is refused that another canary bears, and so often one that another of the same planting
/// bears; then two may share it, for there are few phones that reach nobody.
const PHONES_APART: u32 = 4;
const PHONES_APART_HERE: u32 = 8;
/// Clashes of somebody who stands in another store already and cannot become another: what is weak may be shared.
pub(super) const STANDS: u32 = u32::MAX;
/// People on a staff list.
const STAFF: u32 = 9;

/// Of these a part tells that the rest was cut off.
const NAMES: &[Field] = &[Field::GivenName, Field::FamilyName];

/// Kind, planting and markers of what may become a canary.
pub(super) type Draft = (&'static str, Planting, Vec<Marker>);

/// A canary, minted and not yet planted.
pub struct Minted {
    pub placement: Placement,
    pub contents: Contents,
    pub index: Vec<IndexEntry>,
    /// What was drawn for it, to be journaled before it is.
    pub lots: Vec<Lot>,
}

impl Minted {
    /// The journal entry that must stand before the store is touched.
    pub fn record(&self) -> Record {
        Record::Planned {
            placement: self.placement.clone(),
            contents: self.contents.clone(),
            index: self.index.clone(),
        }
    }
}

/// Mints for one store and generation; remembers what it has minted, so that no marker is borne twice.
pub struct Mint<'a> {
    pub(super) context: &'a Context,
    pub(super) slot: &'a StoreSlot,
    pub(super) mapping: &'a Mapping,
    pub(super) profile: &'a Profile,
    kind: &'static str,
    generation: u32,
    ordinal: u32,
    /// Raised for every canary whose values the store turned out to hold already.
    first_attempt: u32,
    taken: HashSet<[u8; 16]>,
    /// What the store drew before for people who stand in every store; read when it is asked for.
    pub(super) pools: Option<Pools>,
}

impl<'a> Mint<'a> {
    /// A mint for the store's generation.
    pub fn new(
        context: &'a Context,
        slot: &'a StoreSlot,
        mapping: &'a Mapping,
        profile: &'a Profile,
        generation: u32,
    ) -> Result<Self, FlowError> {
        let kind = match slot.store.takes() {
            Takes::Documents => "document",
            Takes::Rows => {
                kinds::of(&mapping.mapped(), mapping.password.is_some())
                    .ok_or_else(|| {
                        FlowError::Refused(format!("store {}: no kind of canary fits its mapped columns", slot.name))
                    })?
                    .name
            }
        };
        Ok(Mint {
            context,
            slot,
            mapping,
            profile,
            kind,
            generation,
            ordinal: 0,
            first_attempt: 0,
            taken: HashSet::new(),
            pools: None,
        })
    }

    /// The name of the store that it mints for.
    pub fn store(&self) -> &str {
        &self.slot.name
    }

    /// Mints one more canary.
    ///
    /// # Errors
    /// Refused when no free markers were found.
    pub fn mint(&mut self) -> Result<Minted, FlowError> {
        loop {
            let ordinal = self.ordinal;
            self.ordinal += 1;
            let first = self.label(ordinal, self.first_attempt);
            if self.context.ledger.placement(self.context.minter.canary_id(&first))?.is_some() {
                continue;
            }
            let mut clashes = 0;
            let mut clashing: BTreeMap<MarkerKind, u32> = BTreeMap::new();
            for nth in 0..ATTEMPTS {
                let label = self.label(ordinal, self.first_attempt + nth);
                let Some(draft) = self.draft(&label, nth < FITTING) else { continue };
                match self.free(self.context.minter.canary_id(&label), None, draft, clashes) {
                    Ok(minted) => {
                        self.take(&minted);
                        return Ok(minted);
                    }
                    Err(kind) => *clashing.entry(kind).or_default() += 1,
                }
                clashes += 1;
                // Where logins are names alone, the commonest are soon borne, and rarer ones come seldom.
                if clashes >= CLASHES && !clashing.keys().any(|kind| is_name(*kind)) {
                    break;
                }
            }
            let often = clashing.into_iter().max_by_key(|(_, count)| *count).filter(|(_, count)| *count >= CLASHES / 2);
            return Err(FlowError::Refused(match often {
                Some((kind, _)) => self.too_few(kind),
                None => format!(
                    "store {}: nobody of {ATTEMPTS} has names as short as what stands in its columns {}: is the mapping \
                     right?",
                    self.slot.name,
                    self.mapping.fields.values().cloned().collect::<Vec<_>>().join(", ")
                ),
            }));
        }
    }

    /// From now on, mints no value of this kind that a row holds, but for what is a canary's already: it may stand there, and
    /// the index knows whose it is. Its fingerprint is kept, as long as the planting lasts.
    pub fn avoid(&mut self, kind: MarkerKind, value: &str) {
        let index = self.context.index.read().expect("no thread panics while it holds the index");
        let fingerprint = canonical(kind, value).map(|canonical| index.key().plain(kind, &canonical));
        self.taken.extend(fingerprint.filter(|fingerprint| !index.holds(fingerprint)));
    }

    /// Why no canary could be minted whose values are free, and what would help.
    fn too_few(&self, kind: MarkerKind) -> String {
        let store = &self.slot.name;
        let column = kind.field().and_then(|field| self.mapping.fields.get(&field));
        let column = column.map(|column| format!(" (column {column})")).unwrap_or_default();
        match kind {
            MarkerKind::Phone if supply::phones_apart(self.mapping, self.profile) => {
                supply::too_few_phones(self.context, self.slot)
            }
            MarkerKind::Username | MarkerKind::WorkEmail | MarkerKind::PersonalEmail => format!(
                "store {store}: a {kind}{column} is written there after names alone, and nearly all that canaries could have \
                 are borne already, by rows or by other canaries; others would stand out"
            ),
            MarkerKind::Iban => format!(
                "store {store}: no account was free for another canary: declare more ibans under [organisation], or none"
            ),
            _ => format!("store {store}: no {kind}{column} was free for another canary: plant fewer"),
        }
    }

    /// From now on, mints other values than those that the store turned out to hold.
    pub fn differ(&mut self) {
        self.first_attempt += ATTEMPTS;
    }

    fn label(&self, ordinal: u32, attempt: u32) -> Label<'a> {
        Label { store: &self.slot.name, generation: self.generation, ordinal, attempt }
    }

    /// The day.
    pub(super) fn today(&self) -> jiff::civil::Date {
        jiff::tz::TimeZone::UTC.to_datetime(self.context.now()).date()
    }

    /// Whether the store's columns take this persona's names, or, if `all` must fit, every word.
    pub(super) fn fits(&self, persona: &Persona, all: bool) -> bool {
        let whole = |(field, column): (&Field, &String)| {
            let words = !all && !NAMES.contains(field);
            self.column(column).is_none_or(|known| known.shape.fits(*field, persona, words))
        };
        self.mapping.fields.iter().all(whole)
    }

    /// Remembers the canary's markers.
    pub(super) fn take(&mut self, minted: &Minted) {
        self.taken.extend(minted.index.iter().map(|entry| entry.fingerprint));
    }

    /// A row of this store's kind.
    pub(super) fn as_row(&self, row: BTreeMap<String, String>, markers: Vec<Marker>) -> Draft {
        (self.kind, Planting::Row(row), markers)
    }

    /// What this label means in this store; none where a name would be cut or another word, or, if `all`
    /// must fit, anything at all.
    fn draft(&self, label: &Label<'_>, all: bool) -> Option<Draft> {
        let minter = &self.context.minter;
        match self.slot.store.takes() {
            Takes::Rows => {
                let persona = minter.persona(label, self.today());
                if !self.fits(&persona, all) {
                    return None;
                }
                // By its place in the generation, so that minting anew gives the same; audits tell whether the feeds keep to it.
                let (row, markers) = self.row(&persona, &minter.password_salt(label), !label.ordinal.is_multiple_of(2));
                Some(self.as_row(row, markers))
            }
            Takes::Documents => Some(self.document(label, self.today())),
        }
    }

    /// The canary, if nobody else has its markers; else the kind of one that somebody has.
    pub(super) fn free(
        &self,
        canary: CanaryId,
        persona: Option<Shared>,
        (kind, planting, markers): Draft,
        clashes: u32,
    ) -> Result<Minted, MarkerKind> {
        // What a person has elsewhere already is its own; any other canary that bears it is another, even one of this name.
        let own = persona.map(|persona| Owner::Canary(persona.id));
        let index = {
            let index = self.context.index.read().expect("no thread panics while it holds the index");
            let entries = entries(index.key(), &markers);
            let may_share = !supply::phones_apart(self.mapping, self.profile)
                && markers.iter().any(|marker| !marker.kind.is_weak());
            let clashing = |entry: &IndexEntry| {
                let shares = |after| may_share && entry.kind == MarkerKind::Phone && clashes >= after;
                (own.is_none() || index.owner(&entry.fingerprint) != own)
                    && ((self.taken.contains(&entry.fingerprint) && !shares(PHONES_APART_HERE))
                        || (index.holds(&entry.fingerprint)
                            && !shares(PHONES_APART)
                            && !(clashes == STANDS && entry.kind.is_weak())))
            };
            if let Some(entry) = entries.iter().find(|entry| clashing(entry)) {
                return Err(entry.kind);
            }
            entries
        };
        let placement = Placement {
            canary,
            kind: kind.to_owned(),
            store: self.slot.name.clone(),
            generation: self.generation,
            state: State::Planned,
            since: self.context.now(),
            persona,
        };
        Ok(Minted { placement, contents: Contents { planting, markers, locator: None }, index, lots: Vec::new() })
    }

    pub(super) fn column(&self, name: &str) -> Option<&ColumnProfile> {
        self.profile.columns.iter().find(|known| known.name.eq_ignore_ascii_case(name))
    }

    /// The persona as a row of the store, and its markers; with `at_home`, one that its feeds leave out.
    pub(super) fn row(
        &self,
        persona: &Persona,
        salt: &[u8; 16],
        at_home: bool,
    ) -> (BTreeMap<String, String>, Vec<Marker>) {
        let mut row = BTreeMap::new();
        let mut markers = Vec::new();
        let drawn = supply::drawn(self.mapping, self.profile);
        for (field, column) in self.mapping.fields.iter().filter(|(field, _)| drawn.contains(field)) {
            let shape = self.column(column);
            let value = match shape {
                Some(column) => column.shape.render(*field, persona),
                None => persona.get(*field).to_owned(),
            };
            if let Some(kind) = MarkerKind::of(*field)
                && !value.is_empty()
            {
                markers.push(Marker { kind, value: value.clone() });
            }
            row.insert(column.clone(), value);
        }
        if let Some((column, scheme)) = &self.mapping.password {
            let word = persona.get(Field::Password);
            row.insert(column.clone(), password::hash(*scheme, word, salt));
            markers.push(Marker { kind: MarkerKind::Password, value: word.to_owned() });
        }
        row.extend(self.slot.store.constants().iter().map(|(column, value)| (column.clone(), value.clone())));
        if at_home {
            row.extend(self.slot.kept_home.iter().map(|(column, value)| (column.clone(), value.clone())));
        }
        (row, markers)
    }

    fn document(&self, label: &Label<'_>, today: jiff::civil::Date) -> (&'static str, Planting, Vec<Marker>) {
        let minter = &self.context.minter;
        let mut markers = Vec::new();
        let link = self.slot.links.as_ref().map(|links| minter.link(label, &links.base, links.named));
        let (kind, document, people) = if label.ordinal.is_multiple_of(supply::STAFF_LIST_EVERY) {
            // Colleagues of one list are minted under ordinals that no document of the store reaches.
            let people: Vec<Persona> = (0..STAFF)
                .map(|person| {
                    let ordinal = 1_000_000 + label.ordinal * STAFF + person;
                    minter.persona(&Label { ordinal, ..*label }, today)
                })
                .collect();
            let document = documents::staff_list(&people, minter.house(), link.as_deref());
            ("staff_list", document, people)
        } else {
            let person = minter.persona(label, today);
            // The current month is not paid yet: its payslip would be from the future.
            let paid = today.first_of_month().yesterday().unwrap_or(today);
            let document = documents::payslip(&person, minter.house(), paid, link.as_deref());
            ("payslip", document, vec![person])
        };
        let shown = kinds::named(kind).map(|kind| kind.fields).unwrap_or_default();
        for person in &people {
            for field in shown {
                if let Some(kind) = MarkerKind::of(*field) {
                    markers.push(Marker { kind, value: person.get(*field).to_owned() });
                }
            }
        }
        markers.extend(link.map(|value| Marker { kind: MarkerKind::DocumentLink, value }));
        (kind, Planting::Document { name: document.name, bytes: document.bytes }, markers)
    }
}

/// Whether a marker of this kind may be written after a person's name alone.
fn is_name(kind: MarkerKind) -> bool {
    matches!(kind, MarkerKind::Username | MarkerKind::WorkEmail | MarkerKind::PersonalEmail)
}

/// The index entries of these markers.
pub fn entries(key: &FingerprintKey, markers: &[Marker]) -> Vec<IndexEntry> {
    markers
        .iter()
        .flat_map(|marker| key.all(marker))
        .map(|(fingerprint, kind, digest)| IndexEntry { fingerprint, kind, digest })
        .collect()
}

/// The data keys that seal these canaries.
pub fn keys(canaries: impl Iterator<Item = CanaryId>) -> Vec<crate::journal::key_ref::KeyRef> {
    canaries.map(crate::journal::key_ref::KeyRef::Canary).collect()
}
