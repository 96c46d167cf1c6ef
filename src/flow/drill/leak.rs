//! What a thief takes from a store: its rows re-ordered, some columns dropped, passwords as the store holds them.

use crate::{
    domain::placement::{Planting, State},
    dumps,
    flow::{
        context::{Context, StoreSlot},
        error::FlowError,
        mapping::Mapping,
    },
    stores::store::{Store, Stored},
};
use canaries::Field;
use rand::{
    SeedableRng,
    rngs::StdRng,
    seq::{IteratorRandom, SliceRandom},
};
use std::collections::BTreeMap;

/// Stolen data, and what in it can be used.
#[derive(Clone, Debug, Default)]
pub struct Leak {
    pub store: String,
    /// Rows or documents taken.
    pub taken: usize,
    /// As it is published.
    pub text: String,
    pub logins: Vec<String>,
    pub addresses: Vec<String>,
    pub links: Vec<String>,
}

/// The columns that a thief finds worth publishing.
const WORTH: &[Field] = &[
    Field::FamilyName,
    Field::GivenName,
    Field::BirthDate,
    Field::Nir,
    Field::WorkEmail,
    Field::PersonalEmail,
    Field::Phone,
    Field::Iban,
    Field::EmployeeNumber,
    Field::Salary,
    Field::Username,
    Field::Password,
];

/// Takes a share of everything that `store` holds: it must be a demonstration's copy, never real people's data.
pub async fn of_copy(
    name: &str,
    store: &dyn Store,
    mapping: &Mapping,
    share: f64,
    seed: u64,
) -> Result<Leak, FlowError> {
    let mut taken = Vec::new();
    let mut visit = |stored: Stored| taken.push(stored.planting);
    store.read(&[], &mut visit).await.map_err(|error| FlowError::of_store(name, &error))?;
    Ok(of_plantings(name, taken, mapping, share, seed))
}

/// Takes a share of a configured store's canaries, and of nothing else.
pub fn of_canaries(
    context: &Context,
    slot: &StoreSlot,
    mapping: &Mapping,
    share: f64,
    seed: u64,
) -> Result<Leak, FlowError> {
    context.settle()?;
    let mut taken = Vec::new();
    for presence in context.ledger.presences()? {
        if presence.store != slot.name || presence.until.is_some() {
            continue;
        }
        // What a feed copied here looks as it does in its own store, as far as the columns are shared.
        let placements = context.ledger.placements_of(presence.canary)?;
        let own = placements.iter().find(|row| row.placement.store == slot.name).or(placements.first());
        let Some(placed) = own.map(|row| &row.placement).filter(|placement| placement.state != State::Planned) else {
            continue;
        };
        if let Some(contents) = context.ledger.contents(&context.journal, placed.canary)? {
            taken.push(contents.planting);
        }
    }
    if taken.is_empty() {
        return Err(FlowError::Refused(format!(
            "store {} holds no canary that could leak: `telltale plant {}` first",
            slot.name, slot.name
        )));
    }
    Ok(of_plantings(&slot.name, taken, mapping, share, seed))
}

fn of_plantings(store: &str, mut taken: Vec<Planting>, mapping: &Mapping, share: f64, seed: u64) -> Leak {
    let mut random = StdRng::seed_from_u64(seed);
    taken.shuffle(&mut random);
    let keep = ((taken.len() as f64 * share).ceil() as usize).clamp(1, taken.len().max(1));
    taken.truncate(keep);
    let mut leak = Leak { store: store.to_owned(), taken: taken.len(), ..Leak::default() };
    let dropped = WORTH
        .iter()
        .filter(|field| matches!(field, Field::BirthDate | Field::Salary | Field::Phone))
        .choose(&mut random);
    for planting in &taken {
        match planting {
            Planting::Row(row) => leak.take_row(row, mapping, dropped.copied()),
            Planting::Document { name, bytes } => leak.take_document(name, bytes),
        }
    }
    leak
}

impl Leak {
    fn take_row(&mut self, row: &BTreeMap<String, String>, mapping: &Mapping, dropped: Option<Field>) {
        let cell =
            |column: &str| row.iter().find(|(name, _)| name.eq_ignore_ascii_case(column)).map(|(_, value)| value);
        let mut cells = Vec::new();
        for field in WORTH {
            let Some(value) = mapping.fields.get(field).and_then(|column| cell(column)) else { continue };
            if Some(*field) != dropped {
                cells.push(value.clone());
            }
            match field {
                Field::Username => self.logins.push(value.clone()),
                Field::WorkEmail => self.addresses.push(value.clone()),
                _ => {}
            }
        }
        if let Some(hash) = mapping.password.as_ref().and_then(|(column, _)| cell(column)) {
            cells.push(hash.clone());
        }
        self.text.push_str(&cells.join(";"));
        self.text.push('\n');
    }

    fn take_document(&mut self, name: &str, bytes: &[u8]) {
        let mut source = bytes;
        let text = &mut self.text;
        let read = dumps::read(name, &mut source, &dumps::Limits::default(), &mut |piece| {
            text.extend(
                String::from_utf8_lossy(piece.text).chars().filter(|letter| *letter == '\n' || !letter.is_control()),
            );
            text.push('\n');
        });
        if read.is_err() {
            return;
        }
        for word in self.text.split(|letter: char| letter.is_whitespace() || "<>()\"',;".contains(letter)) {
            if word.starts_with("https://") || word.starts_with("http://") {
                self.links.push(word.to_owned());
            } else if word.contains('@') && word.len() < 100 {
                self.addresses.push(word.to_owned());
            }
        }
        for list in [&mut self.links, &mut self.addresses] {
            list.sort();
            list.dedup();
        }
    }
}
