//! People who stand in every store, and what differs there: of a few values for a column each store draws one, by a lot that
//! is journaled before it is planted and never drawn again. A row that shows a value speaks of the stores that drew it. Of a
//! value the journal knows a keyed name, never the text.

use crate::{
    domain::placement::{Lot, State, Valued},
    flow::{compared, context::Context, error::FlowError, mint::Mint, supply},
    ledger::coded::Pools,
};
use canaries::{
    CanaryId, Field,
    allocation::{Coded, DIFFERING},
    persona::Persona,
};
use jiff::civil::Date;
use std::collections::{BTreeMap, BTreeSet};

/// What names a value: the same text, however it is written, has the same name.
fn name(key: &[u8; 32], of: Valued, text: &str) -> CanaryId {
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(&of.persona.0).update(&of.attempt.to_le_bytes());
    hasher.update(of.field.as_str().as_bytes()).update(&[0]).update(folded(text).as_bytes());
    let mut name = [0; 10];
    hasher.finalize_xof().fill(&mut name);
    CanaryId(name)
}

fn key(context: &Context) -> [u8; 32] {
    context.keyring.derive("value of a shared person")
}

/// A text without what writers of numbers, dates and words differ in.
fn folded(text: &str) -> String {
    let text = text.trim();
    if let Some(date) = compared::date(text) {
        return date.iter().map(|number| format!("{number} ")).collect();
    }
    let plain: String = text.chars().filter(|character| !character.is_whitespace()).collect();
    match plain.replace(',', ".").parse::<f64>() {
        Ok(number) if number.is_finite() => number.to_string(),
        _ => text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase(),
    }
}

/// Every value that rows of shared people may show.
#[derive(Default)]
pub struct Known {
    key: [u8; 32],
    /// By persona: its columns with the attempt that stands, and the stores that drew each value of them.
    of: BTreeMap<CanaryId, BTreeMap<Field, (u32, Drawers)>>,
}

/// By value: the stores that drew it.
type Drawers = BTreeMap<CanaryId, BTreeSet<String>>;

impl Known {
    /// Reads them off the register.
    pub fn read(context: &Context) -> Result<Known, FlowError> {
        let mut known = Known { key: key(context), of: BTreeMap::new() };
        for (id, lots) in context.ledger.lots()? {
            let Some(value) = lots.first().and_then(|lot| lot.value) else { continue };
            let columns = known.of.entry(value.persona).or_default();
            let (_, drawers) = columns.entry(value.field).or_insert_with(|| (value.attempt, BTreeMap::new()));
            drawers.insert(id, lots.into_iter().filter(|lot| lot.drawn).map(|lot| lot.store).collect());
        }
        Ok(known)
    }

    /// The values that these texts of a persona's row are, wherever they stand in it: where a column is must not be judged
    /// by what was drawn.
    pub fn shown<'a>(&self, persona: CanaryId, texts: impl Iterator<Item = &'a str>) -> BTreeSet<CanaryId> {
        let Some(columns) = self.of.get(&persona) else { return BTreeSet::new() };
        let mut shown = BTreeSet::new();
        for text in texts {
            shown.extend(columns.iter().filter_map(|(field, (attempt, drawers))| {
                let name = name(&self.key, Valued { persona, field: *field, attempt: *attempt }, text);
                drawers.contains_key(&name).then_some(name)
            }));
        }
        shown
    }

    /// The value that this text is, if other stores drew it for the column and this one did not: then it was copied here.
    pub fn strayed(&self, persona: CanaryId, field: Field, text: &str, store: &str) -> Option<CanaryId> {
        let (attempt, drawers) = self.of.get(&persona)?.get(&field)?;
        let name = name(&self.key, Valued { persona, field, attempt: *attempt }, text);
        let stores = drawers.get(&name)?;
        (!stores.is_empty() && !stores.contains(store)).then_some(name)
    }
}

impl Mint<'_> {
    /// The persona as this store is to show it, and the lots by which it is. Of a column that was drawn before, nothing is
    /// drawn anew: it shows what it drew, or where it has no room for that any more, what the person has of its own.
    pub(super) fn differing(
        &mut self,
        coded: Coded,
        attempt: u32,
        minted: Date,
        mut persona: Persona,
    ) -> Result<(Persona, Vec<Lot>), FlowError> {
        let mut lots = Vec::new();
        if !coded.is_everywhere() {
            return Ok((persona, lots));
        }
        let minter = &self.context.minter;
        let id = minter.coded_id(coded);
        let key = key(self.context);
        for field in DIFFERING {
            if !self.is_free(field) {
                continue;
            }
            let value = Valued { persona: id, field, attempt };
            let mut pool: Vec<(CanaryId, Persona)> = Vec::new();
            for other in minter.differing(&persona, field, minted) {
                let Some(text) = self.shown(field, &other) else { continue };
                let name = name(&key, value, &text);
                if pool.iter().all(|(known, _)| *known != name) {
                    pool.push((name, other));
                }
            }
            let before = self.pools()?.get(&(id, attempt, field));
            let drawn = match before {
                Some(before) => {
                    let is_drawn = |name: CanaryId| before.contains(&(name, true));
                    pool.iter().position(|(name, _)| is_drawn(*name))
                }
                None => {
                    let wanted = coded.values(field);
                    pool.truncate(if pool.len() < wanted { 2 } else { wanted });
                    if pool.len() < 2 {
                        continue;
                    }
                    let drawn = minter.draws_value(coded, attempt, field, &self.slot.name, pool.len());
                    let chance = 1.0 / pool.len() as f64;
                    lots.extend(pool.iter().enumerate().map(|(place, (name, _))| Lot {
                        persona: *name,
                        chance,
                        drawn: place == drawn,
                        value: Some(value),
                    }));
                    Some(drawn)
                }
            };
            if let Some(drawn) = drawn {
                persona = pool.swap_remove(drawn).1;
            }
        }
        Ok((persona, lots))
    }

    /// The lots of this store for the columns of a person who stands in every store: those on record, and unless the person
    /// stands here already, those that it would draw now. Nothing is recorded.
    pub(super) fn lots_of(&mut self, coded: Coded) -> Result<Vec<Lot>, FlowError> {
        let minter = &self.context.minter;
        let id = minter.coded_id(coded);
        let bearers = self.context.ledger.bearers(id)?;
        let known = bearers.iter().find_map(|row| row.placement.persona);
        let (attempt, minted) = known.map_or((0, self.today()), |known| (known.attempt, known.minted));
        let mut lots = Vec::new();
        for field in DIFFERING {
            let value = Valued { persona: id, field, attempt };
            let before = self.pools()?.get(&(id, attempt, field)).into_iter().flatten();
            let before: Vec<(CanaryId, bool)> = before.copied().collect();
            let chance = 1.0 / before.len() as f64;
            let lot = |(persona, drawn)| Lot { persona, chance, drawn, value: Some(value) };
            lots.extend(before.into_iter().map(lot));
        }
        let stands = |state| matches!(state, State::Planned | State::Planted | State::Altered);
        if !bearers.iter().any(|row| row.placement.store == self.slot.name && stands(row.placement.state)) {
            let persona = minter.coded(coded, attempt, minted);
            // Nothing is promised of somebody who may become another.
            if !self.fits(&persona, known.is_none()) {
                return Ok(Vec::new());
            }
            lots.extend(self.differing(coded, attempt, minted, persona)?.1);
        }
        Ok(lots)
    }

    /// Whether the store shows this field as the persona has it: it has a column, that no constant fills.
    fn is_free(&self, field: Field) -> bool {
        let Some(column) = self.mapping.fields.get(&field) else { return false };
        let constants = self.slot.store.constants().keys().chain(self.slot.kept_home.keys());
        let fixed = constants.into_iter().any(|name| name.eq_ignore_ascii_case(column));
        !fixed && supply::drawn(self.mapping, self.profile).contains(&field)
    }

    /// What the column would show; none where that is nothing, or would be cut.
    fn shown(&self, field: Field, persona: &Persona) -> Option<String> {
        let column = self.mapping.fields.get(&field).and_then(|column| self.column(column));
        let text = match column {
            Some(column) if column.shape.fits(field, persona, true) => column.shape.render(field, persona),
            Some(_) => return None,
            None => persona.get(field).to_owned(),
        };
        (!text.trim().is_empty()).then_some(text)
    }

    /// What this store drew before.
    fn pools(&mut self) -> Result<&Pools, FlowError> {
        let pools = match self.pools.take() {
            Some(pools) => pools,
            None => self.context.ledger.pools(&self.slot.name)?,
        };
        Ok(self.pools.insert(pools))
    }
}

#[cfg(test)]
mod tests {
    use super::{folded, name};
    use crate::domain::placement::Valued;
    use canaries::{CanaryId, Field};

    #[test]
    fn a_value_has_one_name_however_it_is_written() {
        for (one, other) in [
            ("31200", "31200.00"),
            ("2 600,50", "2600.5"),
            ("2020-03-01", "01/03/2020"),
            ("Chef  de service", "CHEF DE SERVICE"),
        ] {
            assert_eq!(folded(one), folded(other), "{one}");
        }
        let of = Valued { persona: CanaryId([7; 10]), field: Field::Salary, attempt: 0 };
        let named = |key: u8, of, text| name(&[key; 32], of, text);
        assert_eq!(named(1, of, "31200"), named(1, of, "31200,0"));
        for other in [
            named(1, of, "31201"),
            named(2, of, "31200"),
            named(1, Valued { attempt: 1, ..of }, "31200"),
            named(1, Valued { field: Field::HireDate, ..of }, "31200"),
            named(1, Valued { persona: CanaryId([8; 10]), ..of }, "31200"),
        ] {
            assert_ne!(named(1, of, "31200"), other);
        }
    }
}
