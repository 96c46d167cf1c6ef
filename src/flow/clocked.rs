//! What of a planted row changes as time goes, as anybody's does: salary, title, superior, mobile telephone; and to what, from a
//! seed alone. When it does is not told here.

use crate::{
    domain::record::IndexEntry,
    flow::{
        context::{Context, StoreSlot},
        mapping::Mapping,
        mint, supply,
    },
    stores::store::Profile,
};
use canaries::{Field, Marker, MarkerKind, identifiers::phone, shape::Shape};
use std::collections::BTreeMap;

/// A code must be shared by so many rows before a canary may take it.
const SHARED: u64 = 5;

/// The columns whose values may change.
pub struct Clocked {
    salary: Option<String>,
    /// Mobile telephones, where they are not what tells a row from another.
    phone: Option<(String, Shape)>,
    /// Titles and superiors: each column, with lists of the values of which one may follow another.
    others: Vec<(String, Vec<Vec<String>>)>,
}

impl Clocked {
    /// Those of this store.
    pub fn of(context: &Context, slot: &StoreSlot, mapping: &Mapping, profile: &Profile) -> Clocked {
        let free = |field: Field| {
            let column = mapping.fields.get(&field)?;
            let constant = slot.store.constants().keys().any(|name| name.eq_ignore_ascii_case(column));
            (!constant).then(|| column.clone())
        };
        let column = |field: Field| {
            let column = free(field)?;
            let profile = profile.columns.iter().find(|known| known.name.eq_ignore_ascii_case(&column))?;
            Some((column, &profile.shape))
        };
        let titles = column(Field::JobTitle).and_then(|(column, shape)| {
            let codes = shape.codes.iter().filter(|(_, count)| **count >= SHARED);
            let codes: Vec<String> = codes.map(|(code, _)| code.clone()).collect();
            (codes.len() > 1).then(|| (column, vec![codes]))
        });
        // No colleague's superior is kept: only one whom the house invented is followed by another such.
        let superiors = column(Field::Manager)
            .map(|(column, shape)| (column, context.minter.superiors(|person| shape.render(Field::Manager, person))));
        let superiors = superiors.filter(|(_, lists)| lists.iter().flatten().all(|name| !name.is_empty()));
        let phone = column(Field::Phone).filter(|_| !supply::phones_apart(mapping, profile));
        let phone = phone.map(|(column, shape)| (column, shape.clone()));
        Clocked { salary: free(Field::Salary), phone, others: titles.into_iter().chain(superiors).collect() }
    }

    /// Whether nothing of it changes.
    pub fn is_none(&self) -> bool {
        self.salary.is_none() && self.others.is_empty() && self.phone.is_none()
    }

    /// Other values for a row, from a seed alone.
    pub fn change(
        &self,
        context: &Context,
        row: &BTreeMap<String, String>,
        seed: &[u8; 32],
    ) -> BTreeMap<String, String> {
        let mut changes = BTreeMap::new();
        if let Some(column) = &self.salary
            && let Some(more) = row.get(column).and_then(|salary| raised(salary, seed))
        {
            changes.insert(column.clone(), more);
        }
        for (place, (column, lists)) in self.others.iter().enumerate() {
            // A title, a superior or a telephone changes seldom, unless nothing else can.
            let [seldom, which] = [seed[16 + 2 * place], seed[17 + 2 * place]];
            if (seldom < 64 || changes.is_empty())
                && let Some(now) = row.get(column)
            {
                // A title need not be known to be followed by one; of superiors there are many lists.
                let list = lists.iter().find(|list| lists.len() == 1 || list.contains(now)).into_iter().flatten();
                let others: Vec<&String> = list.filter(|value| *value != now).collect();
                if let Some(value) = others.get(usize::from(which) % others.len().max(1)) {
                    changes.insert(column.clone(), (*value).clone());
                }
            }
        }
        if let Some((column, shape)) = &self.phone
            && (seed[20] < 64 || changes.is_empty())
            && row.get(column).is_some_and(|now| phone::is_reserved_mobile(now))
            && let Some(number) = context.minter.another_mobile(seed, |person| shape.render(Field::Phone, person))
            && known_by(context, &number).iter().all(|entry| !holds(context, entry))
        {
            changes.insert(column.clone(), number);
        }
        changes
    }

    /// What a change adds to the index.
    pub fn index(&self, context: &Context, changes: &BTreeMap<String, String>) -> Vec<IndexEntry> {
        let number = self.phone.as_ref().and_then(|(column, _)| changes.get(column));
        number.map(|number| known_by(context, number)).unwrap_or_default()
    }
}

fn known_by(context: &Context, number: &str) -> Vec<IndexEntry> {
    let index = context.index.read().expect("no thread panics while it holds the index");
    mint::entries(index.key(), &[Marker { kind: MarkerKind::Phone, value: number.to_owned() }])
}

fn holds(context: &Context, entry: &IndexEntry) -> bool {
    context.index.read().expect("no thread panics while it holds the index").holds(&entry.fingerprint)
}

/// One to four per cent more, as round as it was.
fn raised(salary: &str, seed: &[u8; 32]) -> Option<String> {
    let digits = salary.bytes().take_while(u8::is_ascii_digit).count();
    let (whole, rest) = salary.split_at(digits);
    let number: u64 = whole.parse().ok().filter(|number| (100..1_000_000_000).contains(number))?;
    let is_fraction = |text: &str| {
        let mut bytes = text.bytes();
        matches!(bytes.next(), Some(b'.' | b',')) && bytes.len() > 0 && bytes.all(|byte| byte.is_ascii_digit())
    };
    if !rest.is_empty() && !is_fraction(rest) {
        return None;
    }
    let round = [100, 10, 12].into_iter().find(|round| number.is_multiple_of(*round)).unwrap_or(1);
    let more = number as f64 * (1.01 + f64::from(seed[0]) / 255.0 * 0.03);
    let raised = ((more / round as f64).round() as u64 * round).max(number + round);
    // What follows the point stays, if it is nothing; else it is as odd as before, and another.
    let odd = |byte: u8, at: usize| char::from(b'0' + (byte - b'0' + 1 + seed[3 + at % 8] % 8) % 10);
    let fraction: String = rest
        .bytes()
        .enumerate()
        .map(|(at, byte)| {
            if byte.is_ascii_digit() && rest.bytes().any(|byte| matches!(byte, b'1'..=b'9')) {
                odd(byte, at)
            } else {
                char::from(byte)
            }
        })
        .collect();
    Some(format!("{raised}{fraction}"))
}

#[cfg(test)]
mod tests {
    use super::raised;

    #[test]
    fn a_rise_is_as_round_as_the_salary_was() {
        for number in 0..50u8 {
            let seed = [number.wrapping_mul(37); 32];
            let risen = |text: &str| raised(text, &seed).unwrap();
            for (before, round) in [("31200", 100), ("31210", 10), ("25008", 12), ("25003", 1), ("2400.00", 100)] {
                let (old, new): (f64, f64) = (before.parse().unwrap(), risen(before).parse().unwrap());
                assert!(new > old && new <= old * 1.05 + f64::from(round), "{before} {new}");
                assert_eq!(new as u64 % u64::from(round as u32), 0, "{before} {new}");
            }
            assert!(risen("2400.00").ends_with(".00") && !risen("2931,45").ends_with(",45"), "{}", risen("2931,45"));
            assert_eq!(risen("2931,45").len(), 7);
        }
        for odd in ["", "12", "31 200", "31200 EUR", "12.345.6", "n/a"] {
            assert_eq!(raised(odd, &[7; 32]), None, "{odd}");
        }
    }
}
