//! What can be said of the claim that came with the material: whether its rows are what was planted, and whether they
//! were out before. What the material cannot tell stays unsaid.

use crate::{
    domain::{
        sighting::Class,
        verdict::{Claim, Verdict},
    },
    flow::{compared::Agreement, context::Context, error::FlowError},
};
use canaries::CanaryId;
use std::collections::{BTreeMap, BTreeSet};

/// So many fields of a row must be comparable before it says anything.
const LEAST_FIELDS: u32 = 3;
/// So many rows must say the same.
const LEAST_ROWS: usize = 2;
/// The chance at which the absence of newer canaries counts for something.
const CHANCE: f64 = 0.05;

/// Fills in what is known of the claim; only an attributed verdict has one.
pub fn fill(
    context: &Context,
    verdict: &mut Verdict,
    seen: &BTreeSet<CanaryId>,
    agreements: &BTreeMap<CanaryId, Agreement>,
) -> Result<(), FlowError> {
    let accused: Vec<String> =
        verdict.stores.iter().filter(|score| score.accused).map(|score| score.store.clone()).collect();
    let Some(claim) = &mut verdict.claim else { return Ok(()) };
    *claim = Claim {
        authentic: authentic(agreements),
        recycled: recycled(context, seen, &accused)?,
        generations: std::mem::take(&mut claim.generations),
    };
    Ok(())
}

/// Whether the rows are what was planted: enough of them agree in nearly all fields, or in few. In between, and where
/// only strings were found and no rows, nothing is said.
fn authentic(agreements: &BTreeMap<CanaryId, Agreement>) -> Option<bool> {
    let told: Vec<&Agreement> =
        agreements.values().filter(|agreement| agreement.agree + agreement.differ >= LEAST_FIELDS).collect();
    let agree = told.iter().filter(|agreement| agreement.differ <= agreement.agree / 3).count();
    let differ = told.iter().filter(|agreement| agreement.differ > agreement.agree).count();
    match told.len() {
        count if count < LEAST_ROWS => None,
        count if agree * 10 >= count * 9 => Some(true),
        count if differ * 10 >= count * 9 => Some(false),
        _ => None,
    }
}

/// Whether all of it was out before. A canary that no dump showed yet makes it new. If all were shown before, it is the
/// old copy where canaries that the store has held since then are missing, more of them than chance leaves out.
fn recycled(context: &Context, seen: &BTreeSet<CanaryId>, accused: &[String]) -> Result<Option<bool>, FlowError> {
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

    #[test]
    fn rows_that_agree_are_authentic_and_rows_that_do_not_are_not() {
        let of = |counts: &[(u32, u32)]| {
            let agreements = counts
                .iter()
                .enumerate()
                .map(|(number, (agree, differ))| {
                    (CanaryId([number as u8; 10]), Agreement { agree: *agree, differ: *differ })
                })
                .collect();
            authentic(&agreements)
        };
        assert_eq!(of(&[(9, 0), (8, 1)]), Some(true));
        assert_eq!(of(&[(1, 8), (2, 7)]), Some(false));
        assert_eq!(of(&[(9, 0)]), None, "one row is not enough");
        assert_eq!(of(&[(2, 0), (2, 0), (1, 0)]), None, "strings, and no rows");
        assert_eq!(of(&[(9, 0), (1, 8)]), None);
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
