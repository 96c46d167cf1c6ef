//! Login names and addresses in a column's own style. Digits and initials are as frequent as among its neighbours: where
//! nobody has any, one that has is a canary. A namesake is then minted anew, not set apart.

use crate::{
    field::Field,
    login_name::{Apart, LoginName},
    persona::Persona,
    shape::Shape,
};

/// Fewer initials than this share of the logins are names that were misread.
const MISREAD: f32 = 0.02;
/// A pattern that a smaller share of the logins follows is not written.
const SELDOM: f32 = 0.15;

impl Shape {
    pub(super) fn address(&self, persona: &Persona) -> String {
        let value = persona.get(Field::WorkEmail);
        let Some((_, domain)) = value.split_once('@') else { return value.to_owned() };
        self.cased(format!(
            "{}@{domain}",
            self.login(persona).unwrap_or_else(|| self.set_apart(persona).write("given.family"))
        ))
    }

    pub(super) fn username(&self, persona: &Persona) -> String {
        if self.share(|template| template == "<address>") > 0.5 {
            return self.address(persona);
        }
        let canonical = persona.get(Field::Username);
        let name = match self.login(persona) {
            Some(name) => name,
            None if self.share(|template| template.contains('9') && !template.contains('a')) > 0.5 => {
                return self.serial(canonical, persona.dice("username"));
            }
            None => self.perhaps_numbered(canonical, persona),
        };
        // Only a narrow column cuts login names off: in a wide one a long name is just long.
        let narrow = self.longest.filter(|longest| *longest <= 8).map_or(usize::MAX, |longest| longest as usize);
        self.cased(name).chars().take(narrow).collect()
    }

    /// Private addresses are built in many ways; what they may have in common is that none has digits.
    pub(super) fn private_address(&self, persona: &Persona) -> String {
        let value = persona.get(Field::PersonalEmail);
        let Some((local, domain)) = value.split_once('@') else { return value.to_owned() };
        self.cased(format!("{}@{domain}", self.perhaps_numbered(local, persona)))
    }

    /// The login name after one of the column's patterns, each as often as there.
    fn login(&self, persona: &Persona) -> Option<String> {
        let all: u64 = self.logins.values().sum();
        let usual = self.logins.iter().filter(|(_, count)| **count as f32 >= SELDOM * all as f32);
        let sum: u64 = usual.clone().map(|(_, count)| count).sum();
        let mut place = persona.dice("pattern").checked_rem(sum)?;
        let mut usual = usual;
        let (pattern, _) = usual.find(|(_, count)| match place.checked_sub(**count) {
            Some(rest) => {
                place = rest;
                false
            }
            None => true,
        })?;
        Some(self.set_apart(persona).write(pattern))
    }

    /// The parts of the login name, set apart from namesakes as often as the column's are, and in the same way.
    fn set_apart(&self, persona: &Persona) -> LoginName {
        let mut name = persona.login.clone();
        if self.locals > 0 {
            let initialled = Some(self.initialled()).filter(|share| *share >= MISREAD).unwrap_or_default();
            let (numbered, place) = (self.numbered(), place(persona));
            name.apart = match name.apart {
                Apart::Year(year) if place < numbered => Apart::Year(year),
                _ if place < numbered => Apart::Number(1 + (persona.dice("number") % 98) as u8),
                Apart::Initial(letter) if place < numbered + initialled => Apart::Initial(letter),
                _ if place < numbered + initialled => {
                    Apart::Initial(char::from(b"abcdefghjlmnprstv"[(persona.dice("initial") % 17) as usize]))
                }
                _ => Apart::Nothing,
            };
        }
        name
    }

    /// This name, which has digits, without them where the column's have none.
    fn perhaps_numbered(&self, name: &str, persona: &Persona) -> String {
        if self.locals == 0 || place(persona) < self.numbered() {
            return name.to_owned();
        }
        let plain: String = name.chars().filter(|character| !character.is_ascii_digit()).collect();
        plain.trim_end_matches('.').to_owned()
    }

    fn numbered(&self) -> f32 {
        self.numbered as f32 / self.locals.max(1) as f32
    }

    fn initialled(&self) -> f32 {
        self.initialled as f32 / self.locals.max(1) as f32
    }
}

/// Where among its neighbours, from 0 to 1, this persona stands.
fn place(persona: &Persona) -> f32 {
    (persona.dice("apart") % 10_000) as f32 / 10_000.0
}
