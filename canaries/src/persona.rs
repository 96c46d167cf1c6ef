//! Personas: employees who do not exist, coherent in every field. A persona is a pure function of the secret seed,
//! its label and the month, and none of its identifiers can belong to anybody.

use crate::{canary::CanaryId, draw::Draw, field::Field, locale::Locale, login_name::LoginName, marker::Marker, mint};
use jiff::civil::Date;
use std::fmt;

/// The version of the minting. Any change to a draw, a list or a rule raises it: old canaries are recognised from
/// what was kept of them, new ones come from the new version.
pub const MINT_VERSION: u32 = 2;

/// What the operator's organisation lends to its personas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct House {
    /// Its name; a town in it makes that town's département the home of most personas.
    pub organisation: String,
    /// Mail domains that Telltale receives. The first is that of the work addresses, the others of private ones.
    pub alias_domains: Vec<String>,
    /// Telephone numbers that it owns; none: the reserved ones.
    pub phone_numbers: Vec<String>,
    /// Accounts that it owns; none: those of banks that do not exist.
    pub ibans: Vec<String>,
}

/// Which canary is to be minted: the `ordinal`-th of this generation in this store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label<'a> {
    pub store: &'a str,
    pub generation: u32,
    pub ordinal: u32,
    /// Above 0: minted anew after a conflict.
    pub attempt: u32,
}

impl Label<'_> {
    pub(crate) fn draw(&self, key: &[u8; 32], purpose: &str) -> Draw {
        let numbers = [self.generation, self.ordinal, self.attempt].map(u32::to_le_bytes);
        Draw::new(key, purpose, &[self.store.as_bytes(), &numbers.concat()])
    }
}

/// An employee who does not exist. `Debug` shows nothing of it.
#[derive(Clone)]
pub struct Persona {
    pub(crate) values: [String; Field::ALL.len()],
    pub(crate) login: LoginName,
    /// A draw of its own for what only a column's style asks for.
    pub(crate) dice: [u8; 8],
}

impl Persona {
    /// The canonical value: dates as ISO 8601, phone as `+33…`, IBAN and NIR without spaces, gender `F` or `M`,
    /// salary as yearly gross in whole euros. Addresses are empty where the operator declared no alias domain, as is
    /// the BIC of an account of the operator's own.
    pub fn get(&self, field: Field) -> &str {
        &self.values[field as usize]
    }

    pub(crate) fn set(&mut self, field: Field, value: impl Into<String>) {
        self.values[field as usize] = value.into();
    }

    /// A number that this persona always gives to this question.
    pub(crate) fn dice(&self, question: &str) -> u64 {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.dice).update(question.as_bytes());
        u64::from_le_bytes(std::array::from_fn(|place| hasher.finalize().as_bytes()[place]))
    }
}

impl fmt::Debug for Persona {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Persona")
    }
}

/// Mints personas, ids and ghosts of one seed.
pub struct Minter {
    pub(crate) key: [u8; 32],
    pub(crate) locale: &'static Locale,
    pub(crate) house: House,
    pub(crate) home: mint::Home,
}

impl Minter {
    /// A minter of this secret seed. The same seed, locale and house mint the same for ever.
    pub fn new(seed: &[u8; 32], locale: &'static Locale, house: House) -> Self {
        let key = blake3::derive_key("canaries 2026-11 mint version 1", seed);
        let home = mint::Home::of(&key, locale, &house.organisation);
        Minter { key, locale, house, home }
    }

    /// What it knows of the organisation.
    pub fn house(&self) -> &House {
        &self.house
    }

    /// The canary's name: nobody without the seed can tell its label from it, or its neighbours.
    pub fn canary_id(&self, label: &Label<'_>) -> CanaryId {
        CanaryId(label.draw(&self.key, "canary id").bytes())
    }

    /// The persona of this label, as old and as long employed as one is in the month of `today`.
    pub fn persona(&self, label: &Label<'_>, today: Date) -> Persona {
        mint::persona(self, &mut label.draw(&self.key, "persona"), today)
    }

    /// One marker of the ghost of this number: made like those that are planted, and never planted.
    pub fn ghost(&self, number: u32) -> Marker {
        mint::ghost(self, &mut Draw::new(&self.key, "ghost", &[&number.to_le_bytes()]))
    }

    /// The salt for the hash of this canary's password.
    pub fn password_salt(&self, label: &Label<'_>) -> [u8; 16] {
        label.draw(&self.key, "password salt").bytes()
    }
}

impl fmt::Debug for Minter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Minter({})", self.locale.name())
    }
}
