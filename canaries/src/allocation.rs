//! Coded personas: people who stand in several stores at once, and in which ones is their code. Each store draws each of
//! them by itself, by a keyed lot that follows from the seed: secret, and independent of every other. No draw is looked at
//! before it counts, evened out or thrown away, for what is proven with them holds for blind draws only.
//! Others stand in every store that is large enough, and their code is what differs there, as it does between systems that
//! are kept apart: a raise that one has and the other has not, a title, a superior, a day of entry.

use crate::{
    canary::CanaryId,
    draw::Draw,
    field::Field,
    mint,
    persona::{Minter, Persona},
};
use jiff::{ToSpan, civil::Date};

/// The chance with which a store draws a coded persona, by the persona's number: a quarter are rare, a quarter even, half
/// frequent, which serves unions as well as what several stores share.
const CHANCES: [f64; 4] = [0.25, 0.5, 0.8, 0.8];

/// From this ordinal on they stand in every store.
const EVERYWHERE: u32 = 1_000_000;

/// The columns in which these differ from store to store.
pub const DIFFERING: [Field; 4] = [Field::Salary, Field::HireDate, Field::JobTitle, Field::Manager];

/// The values that a column may have: few survive where a thief keeps only what two copies agree in, many tell more where he
/// takes rows of either.
const FEW: usize = 2;
const MANY: usize = 8;

/// Which coded persona: the `ordinal`-th of a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Coded {
    pub generation: u32,
    pub ordinal: u32,
}

impl Coded {
    /// So many of a generation that stand in every store.
    pub fn everywhere(generation: u32, count: u32) -> impl Iterator<Item = Coded> {
        (0..count).map(move |number| Coded { generation, ordinal: EVERYWHERE + number })
    }

    /// Whether it stands in every store.
    pub fn is_everywhere(self) -> bool {
        self.ordinal >= EVERYWHERE
    }

    /// How many values this column of it may have; fewer where a store has no room for so many.
    pub fn values(self, field: Field) -> usize {
        let place = DIFFERING.iter().position(|one| *one == field).unwrap_or(0);
        if (self.ordinal as usize + place).is_multiple_of(2) { FEW } else { MANY }
    }

    /// The chance with which each store draws it.
    pub fn chance(self) -> f64 {
        if self.is_everywhere() {
            return 1.0;
        }
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

    /// This persona with each value that this column of it may have, its own first: as systems differ that are kept apart.
    pub fn differing(&self, persona: &Persona, field: Field, minted: Date) -> Vec<Persona> {
        let own = persona.get(field).to_owned();
        let values: Vec<String> = match field {
            Field::Salary => {
                let yearly = own.parse::<u64>().unwrap_or(0);
                (0..MANY as u64).map(|raises| (yearly + yearly * raises * 11 / 1000).to_string()).collect()
            }
            Field::HireDate => {
                let Ok(hired) = own.parse::<Date>() else { return Vec::new() };
                let step = 7 * i32::from(hired.saturating_add(10.weeks()) < minted) * 2 - 7;
                (0..MANY as i32).map(|weeks| hired.saturating_add((weeks * step).days()).to_string()).collect()
            }
            Field::JobTitle => mint::titles(self, persona),
            Field::Manager => mint::superiors(self, persona, MANY as u64),
            _ => return Vec::new(),
        };
        let others = values.into_iter().filter(|value| *value != own);
        let all = std::iter::once(own.clone()).chain(others).take(MANY);
        all.map(|value| {
            let mut other = persona.clone();
            other.set(field, value);
            other
        })
        .collect()
    }

    /// Whom people may answer to, of each department, as a column shows them: who has one of them for a superior may come under
    /// another of the same.
    pub fn superiors(&self, show: impl Fn(&Persona) -> String) -> Vec<Vec<String>> {
        let mut bearer = self.bearer();
        let mut shown = |name: String| {
            bearer.set(Field::Manager, name);
            show(&bearer)
        };
        mint::all_superiors(self).into_iter().map(|names| names.into_iter().map(&mut shown).collect()).collect()
    }

    /// Another mobile telephone number that reaches nobody, as a column shows it; none where the house has numbers of its own.
    pub fn another_mobile(&self, seed: &[u8; 32], show: impl Fn(&Persona) -> String) -> Option<String> {
        let mut bearer = self.bearer();
        bearer.set(Field::Phone, mint::another_mobile(self, seed)?);
        Some(show(&bearer))
    }

    /// Somebody to bear a value for a column to be shown.
    fn bearer(&self) -> Persona {
        self.coded(Coded { generation: 0, ordinal: 0 }, 0, Date::constant(2020, 1, 1))
    }

    /// Which of so many values this store drew for the column.
    pub fn draws_value(&self, coded: Coded, attempt: u32, field: Field, store: &str, of: usize) -> usize {
        let label = [store.as_bytes(), field.as_str().as_bytes(), &coded.numbers(attempt)];
        Draw::new(&self.key, "coded value", &label).below(of as u64) as usize
    }

    /// The salt for the hash of its password in this store.
    pub fn coded_salt(&self, coded: Coded, store: &str) -> [u8; 16] {
        Draw::new(&self.key, "coded password salt", &[store.as_bytes(), &coded.numbers(0)]).bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::{Coded, DIFFERING};
    use crate::{
        field::Field,
        persona::{House, Minter},
    };
    use jiff::civil::date;
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
    fn a_column_has_few_values_or_many_and_each_is_drawn_as_often() {
        let minter = minter(7);
        let minted = date(2026, 11, 1);
        for coded in Coded::everywhere(1, 40) {
            assert!(coded.is_everywhere() && coded.chance() == 1.0 && minter.draws(coded, "payroll"));
            let persona = minter.coded(coded, 0, minted);
            for field in DIFFERING {
                assert!([2, 8].contains(&coded.values(field)));
                let values: Vec<String> =
                    minter.differing(&persona, field, minted).iter().map(|other| other.get(field).to_owned()).collect();
                let distinct: BTreeSet<&String> = values.iter().collect();
                assert_eq!((values[0].as_str(), distinct.len()), (persona.get(field), values.len()), "{field}");
                assert!(field == Field::JobTitle || values.len() == 8, "{field}: {}", values.len());
                assert!(field != Field::HireDate || values.iter().all(|value| *value < minted.to_string()));
            }
        }
        let fields = DIFFERING.map(|field| Coded::everywhere(1, 2).map(|coded| coded.values(field)).sum::<usize>());
        assert_eq!(fields, [10; 4], "both in turn");
        let mut counts = [[0u32; 8]; 2];
        for coded in Coded::everywhere(1, 4000) {
            for (counts, store) in counts.iter_mut().zip(["payroll", "directory"]) {
                counts[minter.draws_value(coded, 0, Field::Salary, store, 8)] += 1;
            }
        }
        assert!(counts.iter().flatten().all(|count| (410..590).contains(count)), "{counts:?}");
        let coded = Coded::everywhere(1, 1).next().unwrap();
        let drawn = |attempt| {
            (0..20).map(|n| minter.draws_value(coded, attempt, Field::Salary, &n.to_string(), 8)).collect::<Vec<_>>()
        };
        assert_ne!(drawn(0), drawn(1));
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
