//! Whether what `[organisation]` declares suffices for a planting: mail domains, telephone numbers, accounts. Asked before
//! anything is minted, so that an error names the key that is short and not what came of it.

use crate::{
    domain::placement::Planting,
    flow::{
        context::{Context, StoreSlot},
        error::FlowError,
        mapping::Mapping,
    },
    stores::store::{ColumnProfile, Profile, Stored, Takes},
};
use canaries::{Field, Marker, MarkerKind, identifiers::phone, index::canonical, kinds};
use std::collections::BTreeSet;

/// Every so many documents, one is a staff list; the others are payslips.
pub const STAFF_LIST_EVERY: u32 = 4;

/// What one store's canaries need of what the organisation lends.
pub struct Supply<'a> {
    pub context: &'a Context,
    pub slot: &'a StoreSlot,
    pub mapping: &'a Mapping,
    pub profile: &'a Profile,
}

impl Supply<'_> {
    /// Refuses what cannot suffice for so many more canaries.
    ///
    /// # Errors
    /// Names the key of the configuration, how many are needed, and how many there are.
    pub async fn suffices_for(&self, canaries: u64) -> Result<(), FlowError> {
        if canaries == 0 {
            return Ok(());
        }
        self.has_domain()?;
        let house = self.context.minter.house();
        let accounts = match self.slot.store.takes() {
            Takes::Rows => canaries,
            // Payslips bear an account, staff lists none.
            Takes::Documents => canaries - canaries.div_ceil(u64::from(STAFF_LIST_EVERY)),
        };
        if self.draws(Field::Iban) && !house.ibans.is_empty() && accounts > 0 {
            let free = self.free(MarkerKind::Iban, Field::Iban, &house.ibans).await?;
            if free < accounts {
                return Err(self.short("account", "ibans", &house.ibans, free, accounts));
            }
        }
        let apart = phones_apart(self.mapping, self.profile);
        if self.slot.store.takes() == Takes::Documents || !self.draws(Field::Phone) {
            return Ok(());
        }
        if house.phone_numbers.is_empty() {
            return match apart && canaries > phone::RESERVED_NUMBERS {
                true => Err(FlowError::Refused(too_few_phones(self.context, self.slot))),
                false => Ok(()),
            };
        }
        // Canaries may share one, and then it may stand in the store too.
        if !apart && house.phone_numbers.iter().any(|number| self.is_borne(MarkerKind::Phone, number)) {
            return Ok(());
        }
        let needed = if apart { canaries } else { 1 };
        let free = self.free(MarkerKind::Phone, Field::Phone, &house.phone_numbers).await?;
        match free < needed {
            true => Err(self.short("telephone number", "phone_numbers", &house.phone_numbers, free, needed)),
            false => Ok(()),
        }
    }

    /// The columns that are written after people's names, of which few differ where it is one name alone: `few` of them, or
    /// all.
    pub fn named(&self, few: bool) -> Vec<(MarkerKind, String)> {
        let of_few = |field: &Field| {
            let logins = self.column(*field).map(|column| &column.shape.logins);
            let usual = logins.and_then(|logins| logins.iter().max_by_key(|(_, count)| **count));
            usual.is_some_and(|(pattern, _)| ["given", "family"].contains(&pattern.as_str()))
        };
        let fields = [Field::Username, Field::WorkEmail, Field::PersonalEmail];
        let chosen = fields.iter().filter(|field| !few || of_few(field));
        chosen.filter_map(|field| Some((MarkerKind::of(*field)?, self.mapping.fields.get(field)?.clone()))).collect()
    }

    fn has_domain(&self) -> Result<(), FlowError> {
        if !self.context.minter.house().alias_domains.is_empty() {
            return Ok(());
        }
        let addresses = |shape: &canaries::shape::Shape| {
            shape.templates.get("<address>").is_some_and(|count| count * 2 > shape.count)
        };
        let is_mail = |field: Field| match field {
            Field::WorkEmail | Field::PersonalEmail => true,
            Field::Username => self.column(field).is_some_and(|column| addresses(&column.shape)),
            _ => false,
        };
        let mails: Vec<Field> =
            Field::ALL.iter().copied().filter(|field| is_mail(*field) && self.draws(*field)).collect();
        if mails.is_empty() {
            return Ok(());
        }
        let (what, mend) = match self.slot.store.takes() {
            Takes::Documents => ("its staff lists show mail addresses".to_owned(), ""),
            Takes::Rows => {
                let columns: Vec<&str> =
                    mails.iter().filter_map(|field| self.mapping.fields.get(field)).map(String::as_str).collect();
                (
                    format!("its columns {} hold mail addresses", columns.join(", ")),
                    ", or name under [stores.columns] only the columns that hold none",
                )
            }
        };
        Err(FlowError::Refused(format!(
            "store {}: {what}, and alias_domains under [organisation] names no domain for those of canaries: 1 is needed, \
             there are 0; declare one whose mail arrives here{mend}",
            self.slot.name
        )))
    }

    /// Whether its canaries bear a value of this field.
    fn draws(&self, field: Field) -> bool {
        match self.slot.store.takes() {
            Takes::Rows => drawn(self.mapping, self.profile).contains(&field),
            Takes::Documents => ["payslip", "staff_list"]
                .iter()
                .filter_map(|name| kinds::named(name))
                .any(|kind| kind.fields.contains(&field)),
        }
    }

    fn column(&self, field: Field) -> Option<&ColumnProfile> {
        let name = self.mapping.fields.get(&field)?;
        self.profile.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }

    /// How many of the declared values no canary bears and no row of the store holds.
    async fn free(&self, kind: MarkerKind, field: Field, declared: &[String]) -> Result<u64, FlowError> {
        let mut free: BTreeSet<String> = declared.iter().filter_map(|value| canonical(kind, value)).collect();
        free.retain(|value| !self.is_borne(kind, value));
        if let Some(column) = self.mapping.fields.get(&field).filter(|_| !free.is_empty()) {
            let mut visit = |stored: Stored| {
                if let Planting::Row(row) = &stored.planting {
                    for value in row.values().filter_map(|value| canonical(kind, value)) {
                        free.remove(&value);
                    }
                }
            };
            let read = self.slot.store.read(std::slice::from_ref(column), &mut visit).await;
            read.map_err(|error| FlowError::of_store(&self.slot.name, &error))?;
        }
        Ok(free.len() as u64)
    }

    fn is_borne(&self, kind: MarkerKind, value: &str) -> bool {
        let index = self.context.index.read().expect("no thread panics while it holds the index");
        let marker = Marker { kind, value: value.to_owned() };
        index.key().all(&marker).iter().any(|(fingerprint, ..)| index.holds(fingerprint))
    }

    fn short(&self, what: &str, key: &str, declared: &[String], free: u64, needed: u64) -> FlowError {
        let column = match self.slot.store.takes() {
            Takes::Rows => ", or take its column out of [stores.columns]",
            Takes::Documents => "",
        };
        FlowError::Refused(format!(
            "store {}: its canaries need {needed} of the {key} that [organisation] declares, one {what} each; there are {}, of \
             which {free} are free (no other canary bears them, no row of the store holds them): declare {} more, plant fewer \
             with --count, or leave {key} out, and values that nobody can have are taken{column}",
            self.slot.name,
            declared.len(),
            needed - free
        ))
    }
}

/// The mapped fields that a canary's row gives a value. One in a column that is empty in every row would give the canary
/// away, unless nothing else identifies it.
pub fn drawn(mapping: &Mapping, profile: &Profile) -> BTreeSet<Field> {
    let unused = |column: &str| {
        let known = profile.columns.iter().find(|known| known.name.eq_ignore_ascii_case(column));
        known.is_some_and(|known| known.nullable && known.shape.count == 0 && known.shape.empty > 0)
    };
    let marked = |(field, column): (&Field, &String)| MarkerKind::of(*field).is_some() && !unused(column);
    let others = mapping.password.is_some() || mapping.fields.iter().any(marked);
    let given = mapping.fields.iter().filter(|(_, column)| !others || !unused(column));
    given.map(|(field, _)| *field).collect()
}

/// Whether each canary needs a phone of its own: the store demands it, or nothing else identifies the canary.
pub fn phones_apart(mapping: &Mapping, profile: &Profile) -> bool {
    let Some(column) = mapping.fields.get(&Field::Phone) else { return false };
    let strong = |field: &Field| MarkerKind::of(*field).is_some_and(|kind| !kind.is_weak());
    let identified = mapping.password.is_some() || mapping.fields.keys().any(strong);
    // A file has neither types nor constraints: there no two phones were seen alike, and two may be.
    let unique =
        |known: &ColumnProfile| known.unique && !known.type_name.is_empty() && known.name.eq_ignore_ascii_case(column);
    !identified || profile.columns.iter().any(unique)
}

/// What to do where the telephone numbers run out.
pub fn too_few_phones(context: &Context, slot: &StoreSlot) -> String {
    let most = match context.minter.house().phone_numbers.len() as u64 {
        0 => phone::RESERVED_NUMBERS,
        own => own,
    };
    format!(
        "store {}: each of its canaries needs a telephone number that no other canary of any store has, and there are {most} \
         at most: plant fewer, declare more phone_numbers, or take the phone out of `columns`",
        slot.name
    )
}
