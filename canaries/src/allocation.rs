//! Coded personas: people who stand in several stores at once, and in which ones is their code. Each store draws each of
//! them by itself, by a keyed lot that follows from the seed: secret, and independent of every other. No draw is looked at
//! before it counts, evened out or thrown away, for what is proven with them holds for blind draws only.

use crate::{
    canary::CanaryId,
    draw::Draw,
    mint,
    persona::{Minter, Persona},
};
use jiff::civil::Date;

/// The chance with which a store draws a coded persona, by the persona's number: a quarter are rare, a quarter even, half
/// frequent, which serves unions as well as what several stores share.
const CHANCES: [f64; 4] = [0.25, 0.5, 0.8, 0.8];

/// Which coded persona: the `ordinal`-th of a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Coded {
    pub generation: u32,
    pub ordinal: u32,
}

impl Coded {
    /// The chance with which each store draws it.
    pub fn chance(self) -> f64 {
        CHANCES[self.ordinal as usize % CHANCES.len()]
    }

    /// How many rows a store gets on average that draws so many.
    pub fn rows(personas: u32) -> f64 {
        (0..personas).map(|ordinal| Coded { generation: 1, ordinal }.chance()).sum()
    }

    fn numbers(self, attempt: u32) -> [u8; 12] {
        let numbers = [self.generation, self.ordinal, attempt].map(u32::to_le_bytes);
        std::array::from_fn(|place| numbers[place / 4][place % 4])
    }
}

impl Minter {
    /// Whether this store drew the persona.
    pub fn draws(&self, coded: Coded, store: &str) -> bool {
        let label = [store.as_bytes(), &coded.numbers(0)];
        Draw::new(&self.key, "coded presence", &label).fraction() < coded.chance()
    }

    /// The persona's name, wherever it stands.
    pub fn coded_id(&self, coded: Coded) -> CanaryId {
        CanaryId(Draw::new(&self.key, "coded id", &[&coded.numbers(0)]).bytes())
    }

    /// The name of what stands for it in this store.
    pub fn coded_canary(&self, coded: Coded, store: &str) -> CanaryId {
        CanaryId(Draw::new(&self.key, "coded canary", &[store.as_bytes(), &coded.numbers(0)]).bytes())
    }

    /// Who it is. `attempt` is above 0 where values before were somebody's; `today` is the month in which it was first
    /// minted, in whatever store.
    pub fn coded(&self, coded: Coded, attempt: u32, today: Date) -> Persona {
        mint::persona(self, &mut Draw::new(&self.key, "coded persona", &[&coded.numbers(attempt)]), today)
    }

    /// The salt for the hash of its password in this store.
    pub fn coded_salt(&self, coded: Coded, store: &str) -> [u8; 16] {
        Draw::new(&self.key, "coded password salt", &[store.as_bytes(), &coded.numbers(0)]).bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::Coded;
    use crate::persona::{House, Minter};
    use std::collections::BTreeSet;

    fn minter(seed: u8) -> Minter {
        Minter::new(&[seed; 32], crate::locale("fr_FR").unwrap(), House::default())
    }

    fn drawn(minter: &Minter, store: &str, generation: u32) -> Vec<bool> {
        (0..4000).map(|ordinal| minter.draws(Coded { generation, ordinal }, store)).collect()
    }

    #[test]
    fn a_store_draws_as_often_as_chance_says_and_by_itself() {
        let minter = minter(7);
        let (one, other) = (drawn(&minter, "payroll", 1), drawn(&minter, "directory", 1));
        for (place, chance) in super::CHANCES.into_iter().enumerate() {
            let of = |bits: &[bool]| bits.iter().skip(place).step_by(4).filter(|bit| **bit).count() as f64 / 1000.0;
            assert!((of(&one) - chance).abs() < 0.06, "{place}: {}", of(&one));
            let both: Vec<bool> = one.iter().zip(&other).map(|(one, other)| *one && *other).collect();
            assert!((of(&both) - chance * chance).abs() < 0.06, "{place}: {}", of(&both));
        }
        assert_eq!(one, drawn(&minter, "payroll", 1), "the same for ever");
        assert_ne!(one, drawn(&minter, "payroll", 2));
        assert_ne!(one, drawn(&self::minter(8), "payroll", 1));
    }

    #[test]
    fn rows_are_the_sum_of_chances() {
        assert!((Coded::rows(132) - 77.55).abs() < 1e-9 && Coded::rows(0) == 0.0);
    }

    #[test]
    fn names_are_never_the_same() {
        let minter = minter(7);
        let mut names = BTreeSet::new();
        for coded in (0..50).flat_map(|ordinal| [1, 2].map(|generation| Coded { generation, ordinal })) {
            names.insert(minter.coded_id(coded));
            names.extend(["a", "b"].map(|store| minter.coded_canary(coded, store)));
        }
        assert_eq!(names.len(), 300);
    }
}
