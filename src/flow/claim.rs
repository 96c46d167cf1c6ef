//! What can be said of the claim that came with the material: whether its rows are what was planted, whether they were out
//! before, and whether several copies were put together. What the material cannot tell stays unsaid.

use crate::{
    attribution::hypergeometric::upper_tail,
    domain::{
        placement::Presence,
        sighting::Class,
        verdict::{Claim, ClaimedRows, Earlier, Outcome, Verdict},
    },
    flow::{clock, compared::Agreement, context::Context, copies, error::FlowError, understood::Told},
};
use canaries::CanaryId;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// So many fields of a row must be comparable before it says anything.
const LEAST_FIELDS: u32 = 3;
/// So many rows must say the same.
const LEAST_ROWS: usize = 2;
/// The chance at which the absence of newer canaries counts for something, and that of canaries at all.
const CHANCE: f64 = 0.05;
/// Whoever pads a file knows a row or two; so few true ones among so many that no store explains make no copy.
const FEW: u64 = 2;
const MANY: u64 = 50;
/// Earlier material that is named.
const NAMED: usize = 10;

/// What was found in the material.
pub struct Material<'a> {
    pub seen: &'a BTreeSet<CanaryId>,
    pub told: &'a Told,
    /// Rows of tables in it.
    pub rows: Option<u64>,
}

/// Fills in what is known of the claim, wherever a canary was seen.
pub fn fill(context: &Context, verdict: &mut Verdict, material: &Material<'_>) -> Result<(), FlowError> {
    if verdict.verdict == Outcome::NothingFound {
        return Ok(());
    }
    let Material { seen, told, .. } = material;
    let accused: Vec<String> =
        verdict.stores.iter().filter(|score| score.accused).map(|score| score.store.clone()).collect();
    let likeliest = accused.first().cloned().or_else(|| {
        let seen = |score: &&crate::domain::verdict::StoreScore| score.distinct_canaries > 0;
        verdict.stores.iter().find(seen).map(|score| score.store.clone())
    });
    let generations = match &verdict.claim {
        Some(claim) => claim.generations.clone(),
        None => generations(context, seen, likeliest.as_deref())?,
    };
    let unexplained = match (&likeliest, material.rows) {
        (Some(store), Some(rows)) => {
            let taken = verdict.window.as_ref().map_or_else(|| context.now(), |window| window.to);
            unexplained(context, seen, (store, taken), rows)?
        }
        _ => None,
    };
    let rows = rows(&told.agreements, unexplained);
    let parts = copies::parts(context, seen, &told.dated, verdict)?;
    let is_padding = seen.len() as u64 <= FEW
        && material
            .rows
            .is_some_and(|rows| rows >= MANY && unexplained.is_some_and(|unexplained| unexplained * 10 > rows * 9));
    let merged = match parts.len() {
        0 => None,
        1 => (seen.len() > 2 && rows.is_some()).then_some(false),
        _ => Some(true),
    };
    verdict.claim = Some(Claim {
        authentic: if is_padding { Some(false) } else { authentic(&told.agreements) },
        recycled: recycled(context, seen, &accused, &told.dated)?,
        generations,
        rows,
        recycled_from: earlier(context, &told.rows)?,
        merged,
        parts,
    });
    Ok(())
}

/// The generations of a store whose canaries were seen.
fn generations(context: &Context, seen: &BTreeSet<CanaryId>, store: Option<&str>) -> Result<Vec<u32>, FlowError> {
    let mut found = BTreeSet::new();
    for canary in seen {
        if let Some(row) = context.ledger.placement(*canary)?.filter(|row| Some(row.placement.store.as_str()) == store)
        {
            found.insert(row.placement.generation);
        }
    }
    Ok(found.into_iter().collect())
}

/// What a row of a canary is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    AsPlanted,
    Altered,
    Fabricated,
}

fn kind(agreement: &Agreement) -> Option<Kind> {
    let Agreement { agree, differ, rewritten, torn } = *agreement;
    let wrong = differ + rewritten;
    match agree + wrong {
        count if count < LEAST_FIELDS => None,
        _ if wrong > agree => Some(Kind::Fabricated),
        _ if wrong > 0 || torn => Some(Kind::Altered),
        _ => Some(Kind::AsPlanted),
    }
}

fn rows(agreements: &BTreeMap<CanaryId, Agreement>, unexplained: Option<u64>) -> Option<ClaimedRows> {
    let mut rows = ClaimedRows { unexplained, ..ClaimedRows::default() };
    for kind in agreements.values().filter_map(kind) {
        *match kind {
            Kind::AsPlanted => &mut rows.as_planted,
            Kind::Altered => &mut rows.altered,
            Kind::Fabricated => &mut rows.fabricated,
        } += 1;
    }
    (rows.as_planted + rows.altered + rows.fabricated > 0 || unexplained.is_some()).then_some(rows)
}

/// Whether the rows are what was planted: enough of them agree in nearly all fields, or in few. In between, and where
/// only strings were found and no rows, nothing is said.
fn authentic(agreements: &BTreeMap<CanaryId, Agreement>) -> Option<bool> {
    let told: Vec<(&Agreement, Kind)> =
        agreements.values().filter_map(|agreement| Some((agreement, kind(agreement)?))).collect();
    let nearly = |agreement: &Agreement| agreement.differ + agreement.rewritten <= agreement.agree / 3;
    let agree = told.iter().filter(|(agreement, _)| nearly(agreement)).count();
    let differ = told.iter().filter(|(_, kind)| *kind == Kind::Fabricated).count();
    match told.len() {
        count if count < LEAST_ROWS => None,
        count if agree * 10 >= count * 9 => Some(true),
        count if differ * 10 >= count * 9 => Some(false),
        _ => None,
    }
}

/// How many of so many rows a copy of this store, taken then, does not explain, at least: were more of them its own, more canaries would
/// be among them. None where its rows were never counted, or it holds none of ours.
fn unexplained(
    context: &Context,
    seen: &BTreeSet<CanaryId>,
    (store, taken): (&str, Timestamp),
    rows: u64,
) -> Result<Option<u64>, FlowError> {
    let Some(audit) = context.ledger.audit(store)? else { return Ok(None) };
    let Some(rows_then) = audit.rows else { return Ok(None) };
    let (mut own, mut canaries) = (BTreeSet::new(), BTreeSet::new());
    for Presence { canary, from, until, .. } in
        context.ledger.presences()?.into_iter().filter(|stay| stay.store == store)
    {
        if seen.contains(&canary) {
            own.insert(canary);
        }
        // Those that stood there when the copy was taken, and whatever of it was seen.
        if seen.contains(&canary) || (from <= taken && until.is_none_or(|until| until > taken)) {
            canaries.insert(canary);
        }
    }
    let (own, canaries) = (own.len() as u64, canaries.len() as u64);
    let held = rows_then.saturating_sub(audit.present) + canaries;
    Ok((canaries > 0).then(|| rows - own_at_most(held, canaries, own, rows)))
}

/// The most of so many rows that may be the store's, were so many of its canaries among them.
fn own_at_most(held: u64, canaries: u64, seen: u64, rows: u64) -> u64 {
    let (mut fits, mut above) = (0, rows.min(held) + 1);
    let is_likely = |drawn: u64| 1.0 - upper_tail(held, canaries, drawn, seen + 1) >= CHANCE;
    while above - fits > 1 {
        let middle = fits + (above - fits) / 2;
        if is_likely(middle) { fits = middle } else { above = middle }
    }
    fits
}

/// Earlier material in which the same rows stood, value for value.
fn earlier(context: &Context, rows: &BTreeMap<CanaryId, BTreeSet<[u8; 16]>>) -> Result<Vec<Earlier>, FlowError> {
    let mut before: Vec<(u64, Timestamp)> = Vec::new();
    for row in rows.values().flatten() {
        let sightings = context.ledger.leaked_row(row)?;
        before
            .extend(sightings.into_iter().filter(|(.., drill)| *drill == context.drill).map(|(seq, at, _)| (seq, at)));
    }
    let incidents = context.ledger.incidents_of(&before.iter().map(|(seq, _)| *seq).collect())?;
    let mut found: BTreeMap<(Option<String>, Timestamp), u64> = BTreeMap::new();
    for (seq, at) in before {
        *found.entry((incidents.get(&seq).cloned(), at)).or_default() += 1;
    }
    let mut found: Vec<Earlier> =
        found.into_iter().map(|((incident, received_at), rows)| Earlier { incident, received_at, rows }).collect();
    found.sort_by_key(|earlier| std::cmp::Reverse((earlier.rows, earlier.received_at)));
    found.truncate(NAMED);
    Ok(found)
}

/// Whether all of it was out before. A canary that no dump showed yet makes it new. If all were shown before, it is the
/// old copy where canaries that the store has held since then are missing, more of them than chance leaves out; or whose
/// rows have changed since.
fn recycled(
    context: &Context,
    seen: &BTreeSet<CanaryId>,
    accused: &[String],
    dated: &clock::Dated,
) -> Result<Option<bool>, FlowError> {
    let mut since: Option<u64> = None;
    for canary in seen.iter().filter(|canary| canary.ghost().is_none()) {
        match context.ledger.touched(*canary)? {
            None => return Ok(Some(false)),
            Some(touched) => since = Some(since.map_or(touched.first, |first| first.min(touched.first))),
        }
    }
    let Some(since) = since else { return Ok(None) };
    let mut before = BTreeSet::new();
    let mut last = None;
    let mut from = since;
    loop {
        let page = context.ledger.sightings(from, 10_000)?;
        let Some(end) = page.last().map(|row| row.seq) else { break };
        for row in page.iter().filter(|row| row.class == Class::Dump && row.drill == context.drill) {
            before.insert(row.canary);
            last = last.max(Some(row.seq));
        }
        from = end + 1;
    }
    if !seen.iter().all(|canary| canary.ghost().is_some() || before.contains(canary)) {
        return Ok(Some(false));
    }
    let Some(shown) = last.map(|seq| context.ledger.sighting(&context.journal, seq)).transpose()?.flatten() else {
        return Ok(None);
    };
    let versions = || dated.values().flatten();
    if versions().any(|span| span.from > shown.received_at) {
        return Ok(Some(false));
    }
    // Rows that have changed since: a copy of today would show it.
    if versions().filter(|span| span.until.is_some_and(|until| until > shown.received_at)).count() >= LEAST_ROWS {
        return Ok(Some(true));
    }
    let (mut older, mut older_seen, mut newer, mut newer_seen) = (0_u32, 0_u32, 0_u32, 0_u32);
    for store in accused {
        for row in context.ledger.placements(Some(store))? {
            let canary = row.placement.canary;
            let stays = context.ledger.presences_of(canary, &[store])?;
            let Some(from) = stays.iter().map(|stay| stay.from).min() else { continue };
            // What is gone by now would be missing from a new copy as well.
            if stays.iter().all(|stay| stay.until.is_some()) {
                continue;
            }
            let (all, known) =
                if from > shown.received_at { (&mut newer, &mut newer_seen) } else { (&mut older, &mut older_seen) };
            *all += 1;
            *known += u32::from(seen.contains(&canary));
        }
    }
    Ok(is_old_copy(older, older_seen, newer, newer_seen).then_some(true))
}

/// Whether a new copy that shows so many of the older canaries would show one of the newer ones.
fn is_old_copy(older: u32, older_seen: u32, newer: u32, newer_seen: u32) -> bool {
    let share = f64::from(older_seen) / f64::from(older.max(1));
    newer_seen == 0 && newer > 0 && (1.0 - share).powi(newer as i32) < CHANCE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(counts: &[(u32, u32, u32)]) -> BTreeMap<CanaryId, Agreement> {
        let numbered = counts.iter().enumerate();
        numbered
            .map(|(number, (agree, differ, rewritten))| {
                let agreement = Agreement { agree: *agree, differ: *differ, rewritten: *rewritten, torn: false };
                (CanaryId([number as u8; 10]), agreement)
            })
            .collect()
    }

    #[test]
    fn rows_that_agree_are_authentic_and_rows_that_do_not_are_not() {
        let of = |counts: &[(u32, u32, u32)]| authentic(&of(counts));
        assert_eq!(of(&[(9, 0, 0), (8, 1, 0)]), Some(true));
        assert_eq!(of(&[(1, 8, 0), (2, 7, 0)]), Some(false));
        assert_eq!(of(&[(2, 0, 6), (2, 0, 6)]), Some(false), "true addresses beside invented values");
        assert_eq!(of(&[(9, 0, 0)]), None, "one row is not enough");
        assert_eq!(of(&[(2, 0, 0), (2, 0, 0), (1, 0, 0)]), None, "strings, and no rows");
        assert_eq!(of(&[(9, 0, 0), (1, 8, 0)]), None);
    }

    #[test]
    fn rows_are_told_apart() {
        let mut agreements = of(&[(9, 0, 0), (8, 1, 0), (2, 0, 6), (2, 0, 0), (7, 0, 0)]);
        agreements.get_mut(&CanaryId([4; 10])).unwrap().torn = true;
        let told = rows(&agreements, Some(7)).unwrap();
        assert_eq!((told.as_planted, told.altered, told.fabricated, told.unexplained), (1, 2, 1, Some(7)));
        assert_eq!(rows(&of(&[(2, 0, 0)]), None), None);
    }

    #[test]
    fn a_store_explains_as_many_rows_as_its_canaries_tell() {
        assert_eq!(own_at_most(430, 30, 30, 430), 430, "the whole of it");
        assert!(own_at_most(430, 30, 29, 430) > 420, "one canary less is one row less");
        assert_eq!(own_at_most(430, 30, 1, 1000), 62, "golden");
        assert_eq!(own_at_most(430, 30, 3, 40), 40, "a sample");
        assert!((2300..3300).contains(&own_at_most(10_000, 100, 20, 10_000)));
    }

    #[test]
    fn a_copy_is_old_where_what_was_planted_since_is_missing() {
        assert!(is_old_copy(30, 30, 3, 0));
        assert!(is_old_copy(30, 15, 5, 0));
        assert!(!is_old_copy(30, 3, 5, 0), "so thin a copy may lack them by chance");
        assert!(!is_old_copy(30, 30, 0, 0), "nothing was planted since");
        assert!(!is_old_copy(30, 30, 3, 1));
    }
}
