//! Taking rows out of a CSV file again: those whose bytes are as planted, or that still hold what identifies them.

use crate::stores::{
    csv::{
        Place,
        format::Format,
        locator,
        rewrite::{Edits, Held, changed},
        walk::{self, Walk},
    },
    remains::{Find, Known, Search},
    store::{Doubt, Left, Placed, StoreError, Withdrawal},
};
use std::collections::{HashMap, HashSet};

impl Place {
    pub(super) fn withdraw(&self, placed: &[Placed]) -> Result<Withdrawal, StoreError> {
        let mut withdrawal = Withdrawal::default();
        if placed.is_empty() {
            return Ok(withdrawal);
        }
        let mut held = Held::open(&self.path)?;
        let format = self.format(&mut held.file, held.length)?;
        let (walk, as_planted) = self.untouched(&mut held, &format, placed)?;
        let sought: Vec<Known> = placed
            .iter()
            .zip(&as_planted)
            .filter(|(_, found)| found.is_none())
            .map(|(one, _)| self.known(&walk.header, one))
            .collect::<Result<_, _>>()?;
        let mut finds = self.look(&mut held, &format, &sought, &walk, &as_planted)?.into_iter();

        let mut edits = Edits::default();
        for (one, found) in placed.iter().zip(as_planted) {
            let canary = one.canary;
            let find = found.map(Find::Ours).or_else(|| finds.next()).unwrap_or(Find::Gone);
            match find {
                Find::Gone => {}
                Find::Ours(record) => {
                    edits.without.insert(record);
                    withdrawal.removed.push(canary);
                }
                Find::Several => {
                    withdrawal.left.push(Left { canary, why: Doubt::Several, columns: Vec::new() });
                }
                Find::Altered(columns) => withdrawal.left.push(Left { canary, why: Doubt::Altered, columns }),
            }
        }
        if withdrawal.removed.is_empty() {
            return Ok(withdrawal);
        }
        let (mut last_kept, last) = (0, walk.records - 1);
        for number in 0..walk.records {
            if !edits.without.contains(&number) {
                last_kept = number;
            }
        }
        // The last line had no line end: neither has the one before it, once it is gone.
        if walk.ends_bare && last_kept < last {
            edits.bare = Some(last_kept);
        }
        held.replace(&format, &edits, walk.digest)?;
        Ok(withdrawal)
    }

    /// Where the rows stand whose bytes are as planted, by the numbers of their records.
    fn untouched(
        &self,
        held: &mut Held,
        format: &Format,
        placed: &[Placed],
    ) -> Result<(Walk, Vec<Option<u64>>), StoreError> {
        let by_locator: HashMap<&str, usize> =
            placed.iter().enumerate().map(|(index, one)| (one.locator.as_str(), index)).collect();
        let mut found: Vec<Option<u64>> = placed.iter().map(|_| None).collect();
        let walk = walk::walk(&mut held.file, &self.path, held.length, format, &mut |_, number, raw| {
            if let Some(&index) = by_locator.get(locator(raw.body()).as_str()) {
                found[index].get_or_insert(number);
            }
            Ok(true)
        })?;
        Ok((walk, found))
    }

    /// The values by which a row is known. A column that has gone from the file since tells nothing.
    fn known(&self, header: &[String], one: &Placed) -> Result<Known, StoreError> {
        let ignored = |column: &str| {
            self.config.constants.contains_key(column) || !header.iter().any(|known| known.as_str() == column)
        };
        Known::of(one, ignored).ok_or_else(|| {
            StoreError::Refused(format!(
                "{}: a CSV file holds no documents: canary {} was planted elsewhere",
                self.path.display(),
                one.canary
            ))
        })
    }

    /// Looks through the file, as it was a moment ago, for rows that were edited.
    fn look(
        &self,
        held: &mut Held,
        format: &Format,
        sought: &[Known],
        before: &Walk,
        as_planted: &[Option<u64>],
    ) -> Result<Vec<Find<u64>>, StoreError> {
        let mut search = Search::new(sought.iter().collect());
        if sought.is_empty() {
            return Ok(Vec::new());
        }
        let places: Vec<usize> =
            search.columns().iter().map(|name| before.column(name, &self.path)).collect::<Result<_, _>>()?;
        let claimed: HashSet<u64> = as_planted.iter().flatten().copied().collect();
        let walk = walk::walk(&mut held.file, &self.path, held.length, format, &mut |_, number, raw| {
            if claimed.contains(&number) {
                return Ok(true);
            }
            let values: Vec<_> = places.iter().map(|&at| raw.value(&raw.cells[at])).collect();
            let texts: Vec<_> = values.iter().map(|value| format.encoding.decode(value)).collect();
            let cells: Vec<(usize, &str)> = texts.iter().map(|text| &**text).enumerate().collect();
            search.see(&cells, || number);
            Ok(true)
        })?;
        match walk.digest == before.digest {
            true => Ok(search.finds()),
            false => Err(changed(&self.path)),
        }
    }
}
