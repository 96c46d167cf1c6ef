//! Mints canaries that fit a store: its columns, its style, its kind of document.

use crate::{
    domain::{
        placement::{Contents, Placement, Planting, State},
        record::{IndexEntry, Record},
    },
    flow::{
        context::{Context, StoreSlot},
        error::FlowError,
        mapping::Mapping,
    },
    stores::store::{ColumnProfile, Profile, Takes},
};
use canaries::{
    CanaryId, Field, Marker, MarkerKind, documents,
    identifiers::phone,
    index::FingerprintKey,
    kinds, password,
    persona::{Label, Persona},
};
use std::collections::{BTreeMap, HashSet};

/// How often one canary is minted anew when a name does not fit its column: enough where one in a hundred fits.
const ATTEMPTS: u32 = 1_000;
/// In so many of them everything written in words must fit: town, street, title. Then only the names must, and no word
/// may be cut.
const FITTING: u32 = 50;
/// How often one is minted anew when a marker of it is taken already.
const CLASHES: u32 = 40;
/// So often a phone is refused that another canary bears, and so often one that another of the same planting
/// bears; then two may share it, for there are few phones that reach nobody.
const PHONES_APART: u32 = 4;
const PHONES_APART_HERE: u32 = 8;
/// Every so many documents, one is a staff list.
const STAFF_LIST_EVERY: u32 = 4;
/// People on a staff list.
const STAFF: u32 = 9;

/// Of these a part tells that the rest was cut off.
const NAMES: &[Field] = &[Field::GivenName, Field::FamilyName];

/// Kind, planting and markers of what may become a canary.
type Draft = (&'static str, Planting, Vec<Marker>);

/// A canary, minted and not yet planted.
pub struct Minted {
    pub placement: Placement,
    pub contents: Contents,
    pub index: Vec<IndexEntry>,
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
    context: &'a Context,
    slot: &'a StoreSlot,
    mapping: &'a Mapping,
    profile: &'a Profile,
    kind: &'static str,
    generation: u32,
    ordinal: u32,
    /// Raised for every canary whose values the store turned out to hold already.
    first_attempt: u32,
    taken: HashSet<[u8; 16]>,
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
        })
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
            for nth in 0..ATTEMPTS {
                let label = self.label(ordinal, self.first_attempt + nth);
                let Some(draft) = self.draft(&label, nth < FITTING) else { continue };
                if let Some(minted) = self.free(&label, draft, clashes) {
                    self.taken.extend(minted.index.iter().map(|entry| entry.fingerprint));
                    return Ok(minted);
                }
                clashes += 1;
                if clashes == CLASHES {
                    break;
                }
            }
            let store = &self.slot.name;
            return Err(FlowError::Refused(match () {
                () if clashes < CLASHES => format!(
                    "store {store}: nobody of {ATTEMPTS} has names as short as what stands in its columns {}: is the mapping \
                     right?",
                    self.mapping.fields.values().cloned().collect::<Vec<_>>().join(", ")
                ),
                () if self.phones_apart() => self.too_few_phones(),
                () => {
                    format!(
                        "store {store}: no free markers were found in {CLASHES} attempts: declare more alias_domains"
                    )
                }
            }));
        }
    }

    /// Refuses what the telephone numbers cannot suffice for, before anything is minted.
    ///
    /// # Errors
    /// Names the greatest number of canaries.
    pub fn suffices_for(&self, missing: u64) -> Result<(), FlowError> {
        match self.phones_apart() && missing > self.phones() {
            true => Err(FlowError::Refused(self.too_few_phones())),
            false => Ok(()),
        }
    }

    /// Whether each canary needs a phone of its own: the store demands it, or nothing else identifies the canary.
    fn phones_apart(&self) -> bool {
        let Some(column) = self.mapping.fields.get(&Field::Phone) else { return false };
        let strong = |field: &Field| MarkerKind::of(*field).is_some_and(|kind| !kind.is_weak());
        let identified = self.mapping.password.is_some() || self.mapping.fields.keys().any(strong);
        // A file has neither types nor constraints: there no two phones were seen alike, and two may be.
        let unique = |known: &ColumnProfile| {
            known.unique && !known.type_name.is_empty() && known.name.eq_ignore_ascii_case(column)
        };
        !identified || self.profile.columns.iter().any(unique)
    }

    /// How many phones there are for all canaries.
    fn phones(&self) -> u64 {
        match self.context.minter.house().phone_numbers.len() as u64 {
            0 => phone::RESERVED_NUMBERS,
            own => own,
        }
    }

    fn too_few_phones(&self) -> String {
        format!(
            "store {}: each of its canaries needs a telephone number that no other canary of any store has, and there are \
             {} at most: plant fewer, declare more phone_numbers, or take the phone out of `columns`",
            self.slot.name,
            self.phones()
        )
    }

    /// From now on, mints other values than those that the store turned out to hold.
    pub fn differ(&mut self) {
        self.first_attempt += ATTEMPTS;
    }

    fn label(&self, ordinal: u32, attempt: u32) -> Label<'a> {
        Label { store: &self.slot.name, generation: self.generation, ordinal, attempt }
    }

    /// What this label means in this store; none where a name would be cut or another word, or, if `all`
    /// must fit, anything at all.
    fn draft(&self, label: &Label<'_>, all: bool) -> Option<Draft> {
        let minter = &self.context.minter;
        let today = jiff::tz::TimeZone::UTC.to_datetime(self.context.now()).date();
        Some(match self.slot.store.takes() {
            Takes::Rows => {
                let persona = minter.persona(label, today);
                let whole = |field: &Field, column: &str| {
                    let words = !all && !NAMES.contains(field);
                    self.column(column).is_none_or(|known| known.shape.fits(*field, &persona, words))
                };
                if !self.mapping.fields.iter().all(|(field, column)| whole(field, column)) {
                    return None;
                }
                let (row, markers) = self.row(label, &persona);
                (self.kind, Planting::Row(row), markers)
            }
            Takes::Documents => self.document(label, today),
        })
    }

    /// The canary, if nobody else has its markers.
    fn free(&self, label: &Label<'_>, (kind, planting, markers): Draft, clashes: u32) -> Option<Minted> {
        let index = {
            let index = self.context.index.read().expect("no thread panics while it holds the index");
            let entries = entries(index.key(), &markers);
            let may_share = !self.phones_apart() && markers.iter().any(|marker| !marker.kind.is_weak());
            let clashing = |entry: &IndexEntry| {
                let shares = |after| may_share && entry.kind == MarkerKind::Phone && clashes >= after;
                (self.taken.contains(&entry.fingerprint) && !shares(PHONES_APART_HERE))
                    || (index.holds(&entry.fingerprint) && !shares(PHONES_APART))
            };
            if entries.iter().any(clashing) {
                return None;
            }
            entries
        };
        let placement = Placement {
            canary: self.context.minter.canary_id(label),
            kind: kind.to_owned(),
            store: self.slot.name.clone(),
            generation: self.generation,
            state: State::Planned,
            since: self.context.now(),
        };
        Some(Minted { placement, contents: Contents { planting, markers, locator: None }, index })
    }

    fn column(&self, name: &str) -> Option<&ColumnProfile> {
        self.profile.columns.iter().find(|known| known.name.eq_ignore_ascii_case(name))
    }

    fn row(&self, label: &Label<'_>, persona: &Persona) -> (BTreeMap<String, String>, Vec<Marker>) {
        let mut row = BTreeMap::new();
        let mut markers = Vec::new();
        // A value in a column that is empty in every row would give the canary away.
        let unused = |column: &str| {
            self.column(column).is_some_and(|known| known.nullable && known.shape.count == 0 && known.shape.empty > 0)
        };
        let marked = |(field, column): (&Field, &String)| MarkerKind::of(*field).is_some() && !unused(column);
        let others = self.mapping.password.is_some() || self.mapping.fields.iter().any(marked);
        for (field, column) in &self.mapping.fields {
            if others && unused(column) {
                continue;
            }
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
            row.insert(column.clone(), password::hash(*scheme, word, &self.context.minter.password_salt(label)));
            markers.push(Marker { kind: MarkerKind::Password, value: word.to_owned() });
        }
        row.extend(self.slot.store.constants().iter().map(|(column, value)| (column.clone(), value.clone())));
        (row, markers)
    }

    fn document(&self, label: &Label<'_>, today: jiff::civil::Date) -> (&'static str, Planting, Vec<Marker>) {
        let minter = &self.context.minter;
        let mut markers = Vec::new();
        let link = self.slot.links.as_ref().map(|base| {
            let segment = data_encoding::BASE32_NOPAD.encode(&minter.password_salt(label)).to_lowercase();
            format!("{}/{segment}", base.trim_end_matches('/'))
        });
        let (kind, document, people) = if label.ordinal.is_multiple_of(STAFF_LIST_EVERY) {
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
