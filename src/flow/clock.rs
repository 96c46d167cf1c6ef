//! The attribute clock, read: rows whose versions tell when they were copied, put together to the time in which the copy was
//! taken. A row may lie, be read wrongly, or come from another copy: no single one decides.

use crate::{
    domain::{
        sighting::{Sighting, Span},
        verdict::{Clocked, Verdict, Window},
    },
    flow::{context::Context, error::FlowError},
};
use canaries::CanaryId;
use jiff::Timestamp;
use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// The chance that a row's version is not that of the time at which the copy was taken.
const LIES: f64 = 0.01;
/// How much of the probability a bracket holds.
const CONFIDENCE: f64 = 0.95;

/// One span for each canary that has any: where its rows disagree, each of them is a copy of its own, and the last counts.
pub type Dated = BTreeMap<CanaryId, Vec<Span>>;

/// Narrows the verdict's window by what the versions of the accused store's own rows tell.
pub fn narrow(context: &Context, verdict: &mut Verdict, dated: &Dated, now: Timestamp) -> Result<(), FlowError> {
    let accused: BTreeSet<&str> =
        verdict.stores.iter().filter(|score| score.accused).map(|score| score.store.as_str()).collect();
    let mut spans = Vec::new();
    for (canary, own) in dated {
        // A canary that came by a feed may have been late: its version dates the store it was planted in.
        let home = context.ledger.placement(*canary)?.map(|row| row.placement.store);
        if home.is_some_and(|home| accused.contains(home.as_str())) {
            spans.extend(own.last());
        }
    }
    if let (Some(window), Some(clocked)) = (&verdict.window, read(&spans, verdict.window.as_ref(), now)) {
        let within = Window {
            from: clocked.from.max(window.from),
            to: clocked.to.min(window.to),
            confidence: clocked.confidence.min(window.confidence),
        };
        // Where the two contradict each other neither is narrowed: the copies are several, and the claim says so.
        if within.from < within.to {
            verdict.window = Some(within);
        }
        verdict.clocked = Some(clocked);
    }
    Ok(())
}

/// The same for an incident, by its sightings and those that join now.
pub fn narrow_incident(
    context: &Context,
    verdict: &mut Verdict,
    incident: &str,
    joined: &[Sighting],
) -> Result<(), FlowError> {
    let mut dated = Dated::new();
    for (_, canary, span) in context.ledger.dated(incident)? {
        dated.entry(canary).or_default().push(span);
    }
    for sighting in joined {
        dated.entry(sighting.canary).or_default().extend(sighting.copied);
    }
    narrow(context, verdict, &dated, context.now())
}

/// The shortest bracket that holds so much of the probability, each moment before `now` being as likely as any other within
/// the window, and the rest of the time sharing what the window leaves. None where fewer than two rows tell anything.
pub fn read(spans: &[Span], window: Option<&Window>, now: Timestamp) -> Option<Clocked> {
    let start = spans.iter().map(|span| span.from).chain(window.map(|window| window.from)).min()?;
    let end = |span: &Span| span.until.unwrap_or(now).min(now);
    if spans.len() < 2 || start >= now {
        return None;
    }
    let mut bounds: BTreeSet<Timestamp> = spans.iter().flat_map(|span| [span.from, end(span)]).collect();
    bounds.extend([start, now]);
    bounds.extend(window.iter().flat_map(|window| [window.from, window.to.min(now)]));
    bounds.retain(|at| (start..=now).contains(at));
    let bounds: Vec<Timestamp> = bounds.into_iter().collect();
    let seconds = |from: Timestamp, to: Timestamp| to.duration_since(from).as_secs_f64();
    // Rows that cover a segment, by how many begin and end at each bound.
    let mut turns: BTreeMap<Timestamp, i64> = BTreeMap::new();
    for span in spans {
        *turns.entry(span.from).or_default() += 1;
        *turns.entry(end(span).max(span.from)).or_default() -= 1;
    }
    let inside = window.map_or(0.0, |window| seconds(window.from, window.to.min(now)).max(1e-9));
    let outside = (seconds(start, now) - inside).max(1e-9);
    let mut covering = 0;
    let mut segments: Vec<(Timestamp, Timestamp, i64, f64)> = Vec::new();
    for pair in bounds.windows(2) {
        covering += turns.get(&pair[0]).copied().unwrap_or(0);
        let is_inside = window.is_some_and(|window| pair[0] >= window.from && pair[1] <= window.to);
        let density = match window {
            None => 1.0,
            Some(window) if is_inside => window.confidence / inside,
            Some(window) => (1.0 - window.confidence) / outside,
        };
        let likelihood = covering as f64 * (1.0 - LIES).ln() + (spans.len() as f64 - covering as f64) * LIES.ln();
        segments.push((pair[0], pair[1], covering, likelihood + (density * seconds(pair[0], pair[1])).ln()));
    }
    let best = segments.iter().map(|segment| segment.3).fold(f64::NEG_INFINITY, f64::max);
    let mut masses: Vec<f64> = segments.iter().map(|segment| (segment.3 - best).exp()).collect();
    let whole: f64 = masses.iter().sum();
    masses.iter_mut().for_each(|mass| *mass /= whole);
    let (mut first, mut held) = (0, 0.0);
    let mut shortest: Option<(f64, usize, usize, f64)> = None;
    for last in 0..segments.len() {
        held += masses[last];
        while first < last && held - masses[first] >= CONFIDENCE {
            held -= masses[first];
            first += 1;
        }
        let length = seconds(segments[first].0, segments[last].1);
        if held >= CONFIDENCE && shortest.is_none_or(|(before, ..)| length < before) {
            shortest = Some((length, first, last, held));
        }
    }
    let (_, first, last, held) = shortest?;
    let agree = segments[first..=last].iter().map(|segment| segment.2).max().unwrap_or(0);
    // Within a segment each moment is as likely: of the less likely end, or of both alike, only what is needed is taken.
    let density = |place: usize| masses[place] / seconds(segments[place].0, segments[place].1).max(1e-9);
    let spare =
        |place: usize| Duration::try_from_secs_f64((held - CONFIDENCE).max(0.0) / density(place)).unwrap_or_default();
    let (early, late) = match density(first).partial_cmp(&density(last)) {
        _ if first == last => (spare(first) / 2, spare(first) / 2),
        Some(Ordering::Less) => (spare(first), Duration::ZERO),
        _ => (Duration::ZERO, spare(last)),
    };
    let held = if early + late > Duration::ZERO { CONFIDENCE } else { held };
    Some(Clocked {
        from: segments[first].0.saturating_add(early).unwrap_or(segments[first].0),
        to: segments[last].1.saturating_sub(late).unwrap_or(segments[last].1),
        // Never certain.
        confidence: ((held * 1000.0).floor() / 1000.0).min(0.999),
        rows: spans.len() as u64,
        agree: agree as u64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(day: i64) -> Timestamp {
        Timestamp::from_second(1_767_225_600 + day * 86_400).unwrap()
    }

    fn span(from: i64, until: Option<i64>) -> Span {
        Span { from: at(from), until: until.map(at) }
    }

    /// All of these days but the twentieth part, at both ends, that certainty would cost.
    fn is_most_of(told: &Clocked, from: i64, to: i64) -> bool {
        let width = |from: Timestamp, to: Timestamp| to.duration_since(from).as_secs_f64();
        let whole = width(at(from), at(to));
        let cut = [width(at(from), told.from), width(told.to, at(to))];
        cut.iter().all(|cut| (0.0..=0.025 * whole).contains(cut))
    }

    #[test]
    fn versions_that_overlap_date_the_copy() {
        let spans = [span(0, Some(40)), span(30, None), span(10, Some(36)), span(-100, Some(90))];
        let told = read(&spans, None, at(200)).unwrap();
        assert!(is_most_of(&told, 30, 36), "{told:?}");
        assert_eq!((told.rows, told.agree, told.confidence), (4, 4, 0.95));
        // One row that lies among many moves nothing.
        let many: Vec<Span> = (0..10).map(|n| span(30 - n, Some(36 + n))).chain([span(150, None)]).collect();
        let told = read(&many, None, at(200)).unwrap();
        assert!(is_most_of(&told, 30, 36) && told.agree == 10, "{told:?}");
        assert_eq!(read(&spans[..1], None, at(200)), None, "one row is not enough");
    }

    #[test]
    fn of_an_end_that_is_little_likely_only_what_is_needed_counts() {
        // A short time in which all agree, and long ones beside it in which one does not.
        let spans = [span(0, Some(101)), span(100, Some(400)), span(-300, Some(400))];
        let told = read(&spans, None, at(700)).unwrap();
        let days = |from: Timestamp, to: Timestamp| to.duration_since(from).as_secs_f64() / 86_400.0;
        assert!(told.from <= at(100) && at(101) <= told.to, "{told:?}");
        assert_eq!((told.agree, told.confidence), (3, 0.95));
        // In a hundred to one a day there weighs a hundredth: of 400 days 4 weigh beside 1, and all but a twentieth are asked.
        assert!((250.0..390.0).contains(&days(told.from, told.to)), "{told:?}");
    }

    #[test]
    fn the_window_counts_too() {
        let window = Window { from: at(30), to: at(60), confidence: 0.95 };
        let spans = [span(0, Some(40)), span(10, Some(45))];
        let told = read(&spans, Some(&window), at(200)).unwrap();
        assert!(is_most_of(&told, 30, 40), "{told:?}");
    }

    proptest! {
        /// Canaries that change at random times about once a year, copied at a random moment: the bracket holds it, or all but
        /// the twentieth part of the time in which all rows agree.
        #[test]
        fn a_copy_lies_in_its_bracket(copied in 400i64..700, seed in any::<[u8; 32]>(), canaries in 4usize..60) {
            let byte = |n: usize| i64::from(blake3::derive_key("test", &[&seed[..], &n.to_le_bytes()].concat())[0]);
            let spans: Vec<Span> = (0..canaries)
                .map(|n| {
                    let first = byte(n) * 365 / 256;
                    let turns = [0, first, first + 365, first + 730, first + 1095];
                    let held = turns.windows(2).find(|pair| pair[0] <= copied && copied < pair[1]).unwrap();
                    span(held[0], (held[1] < 720).then_some(held[1]))
                })
                .collect();
            let told = read(&spans, None, at(720)).unwrap();
            let spare = told.to.duration_since(told.from).as_secs_f64() * 0.0265;
            let early = told.from.duration_since(at(copied)).as_secs_f64();
            let late = at(copied).duration_since(told.to).as_secs_f64();
            prop_assert!(early <= spare && late <= spare, "{told:?}");
            prop_assert_eq!(told.agree, canaries as u64);
        }
    }
}
