//! The ordinary people of the demonstration: as invented as the canaries, under another seed, and in no ledger.

use canaries::{
    Field,
    persona::{House, Label, Minter, Persona},
};
use jiff::civil::Date;
use std::collections::HashSet;

/// The mail domain of the demonstration's organisation.
pub const DOMAIN: &str = "saint-aubin.example.org";
/// Its name.
pub const ORGANISATION: &str = "Mairie de Saint-Aubin";

/// Invents `count` people who share no number, address or login.
pub fn invent(seed: &[u8; 32], count: usize, today: Date) -> Vec<Persona> {
    let locale = canaries::locale("fr_FR").expect("the locale is shipped");
    let house = House {
        organisation: ORGANISATION.to_owned(),
        alias_domains: vec![DOMAIN.to_owned()],
        phone_numbers: Vec::new(),
        ibans: Vec::new(),
    };
    let minter = Minter::new(seed, locale, house);
    let mut taken = HashSet::new();
    let mut people = Vec::with_capacity(count);
    for ordinal in 0.. {
        if people.len() == count {
            break;
        }
        let person = minter.persona(&Label { store: "staff", generation: 1, ordinal, attempt: 0 }, today);
        let unique = [Field::EmployeeNumber, Field::WorkEmail, Field::Username];
        if unique.iter().all(|field| !taken.contains(person.get(*field))) {
            taken.extend(unique.iter().map(|field| person.get(*field).to_owned()));
            people.push(person);
        }
    }
    people
}
