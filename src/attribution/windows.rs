//! When the copy was taken: the shortest run of epochs that holds most of the probability, cut at the first sighting
//! of what it explains.

use crate::{
    attribution::{
        copies::{Candidate, StoreCopy},
        evidence::Evidence,
        sums::ln_sum_exp,
    },
    domain::verdict::Window,
};
use jiff::Timestamp;

/// How much of the probability a window holds.
pub const CONFIDENCE: f64 = 0.95;

/// The window of a store's copy; `lns` are ln of prior times likelihood, copy by copy. None for a store that never
/// held a canary.
pub fn window(candidate: &Candidate, lns: &[f64], evidence: &Evidence<'_>) -> Option<Window> {
    let whole = ln_sum_exp(lns);
    let ends = candidate.copies.iter().map(|copy| copy.to.min(first_explained(copy, evidence).unwrap_or(copy.to)));
    let mut spans: Vec<(Timestamp, Timestamp, f64)> = candidate
        .copies
        .iter()
        .zip(ends)
        .zip(lns)
        .map(|((copy, to), ln)| (to, copy.from, (ln - whole).exp()))
        .collect();
    spans.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then(a.2.total_cmp(&b.2)));
    let mut starts: Vec<Timestamp> = spans.iter().map(|(_, from, _)| *from).collect();
    starts.sort_unstable();
    starts.dedup();
    let within = |start: Timestamp| {
        let mut held = 0.0;
        let mut ends = spans.iter().filter(|(_, from, _)| *from >= start);
        ends.find(|(_, _, chance)| {
            held += chance;
            held >= CONFIDENCE
        })
        .map(|(to, ..)| (start, *to))
    };
    let (from, to) =
        starts.into_iter().filter_map(within).min_by_key(|(from, to)| to.as_nanosecond() - from.as_nanosecond())?;
    Some(Window { from, to, confidence: CONFIDENCE })
}

/// When the first of the canaries in this copy was seen: the copy is older.
fn first_explained(copy: &StoreCopy, evidence: &Evidence<'_>) -> Option<Timestamp> {
    let seen = evidence.first_seen.iter().enumerate().filter(|(number, _)| copy.holds.contains(*number));
    seen.filter_map(|(_, at)| *at).min()
}
