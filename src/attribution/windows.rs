//! When the copy was taken: the shortest run of epochs that holds most of the probability, cut at the first sighting
//! of what it explains.

use crate::{
    attribution::{copies::Candidate, evidence::Evidence, sums::ln_sum_exp},
    domain::verdict::Window,
};
use jiff::Timestamp;

/// How much of the probability a window holds.
pub const CONFIDENCE: f64 = 0.95;

/// The window of a store's copy; `lns` are ln of prior times likelihood, epoch by epoch. None for a store that never
/// held a canary.
pub fn window(candidate: &Candidate, lns: &[f64], evidence: &Evidence<'_>) -> Option<Window> {
    let whole = ln_sum_exp(lns);
    let chances: Vec<f64> = lns.iter().map(|ln| (ln - whole).exp()).collect();
    let mut best: Option<(usize, usize, i128)> = None;
    for first in 0..chances.len() {
        let mut held = 0.0;
        for (last, chance) in chances.iter().enumerate().skip(first) {
            held += chance;
            if held < CONFIDENCE {
                continue;
            }
            let length = candidate.copies[last].to.as_nanosecond() - candidate.copies[first].from.as_nanosecond();
            if best.is_none_or(|(_, _, shortest)| length < shortest) {
                best = Some((first, last, length));
            }
            break;
        }
    }
    let (first, last, _) = best?;
    let end = &candidate.copies[last];
    let earliest = (0..evidence.canaries.len())
        .filter(|number| end.holds.contains(*number))
        .filter_map(|number| evidence.first_seen[number])
        .min();
    let to: Timestamp = earliest.map_or(end.to, |seen| seen.min(end.to));
    Some(Window { from: candidate.copies[first].from, to, confidence: CONFIDENCE })
}
