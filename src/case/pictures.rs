//! The pictures of a case: the ranked stores as bars, the feeds with the accused path, and the time line with the
//! generations. Everything in them comes from the report.

use crate::case::{
    drawing::{AMBER, Anchor, BLUE, Colour, Drawing, GREY, INK, PALE, RED, ROSE, SKY, WHITE},
    path::Feed,
    report::{Report, ReportStore},
    words::{count, day, harmless, percent},
};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Between the margins of an A4 page.
pub const WIDTH: f32 = 523.0;

fn short(name: &str, most: usize) -> String {
    let name = harmless(name);
    if name.chars().count() <= most { name } else { name.chars().take(most - 1).chain(['…']).collect() }
}

fn is_accused(store: &ReportStore) -> bool {
    store.score.as_ref().is_some_and(|score| score.accused)
}

fn colour(store: &ReportStore) -> Colour {
    match (is_accused(store), store.excluded) {
        (true, _) => RED,
        (false, true) => GREY,
        (false, false) => AMBER,
    }
}

/// Every store that was weighed, best first.
pub fn bars(report: &Report) -> Drawing {
    const ROW: f32 = 20.0;
    const LEFT: f32 = 122.0;
    const FULL: f32 = 170.0;
    let weighed: Vec<&ReportStore> = report.stores.iter().filter(|store| store.score.is_some()).collect();
    let told: Vec<String> = weighed
        .iter()
        .filter_map(|store| {
            let posterior = store.score.as_ref()?.posterior.map_or_else(|| "not computed".to_owned(), percent);
            Some(format!("{} {posterior}", store.store))
        })
        .collect();
    let mut drawing =
        Drawing::new(WIDTH, 16.0 + ROW * weighed.len() as f32, format!("Posterior of each store: {}", told.join(", ")));
    for (x, heading) in [(LEFT, "posterior, with equal priors"), (352.0, "log10 LR"), (402.0, "seen of what it held")] {
        drawing.text(x, 9.0, 7.5, GREY, heading);
    }
    for (place, store) in weighed.into_iter().enumerate() {
        let Some(score) = &store.score else { continue };
        let top = 16.0 + ROW * place as f32;
        let base = top + 11.5;
        drawing.words(0.0, base, 9.5, is_accused(store), Anchor::Start, colour(store), short(&store.store, 22));
        drawing.fill(LEFT, top + 2.5, FULL, 12.0, PALE);
        if let Some(posterior) = score.posterior {
            drawing.fill(LEFT, top + 2.5, (posterior.clamp(0.0, 1.0) as f32 * FULL).max(0.8), 12.0, colour(store));
        }
        let posterior = score.posterior.map_or_else(|| "–".to_owned(), percent);
        drawing.words(LEFT + FULL + 50.0, base, 9.0, false, Anchor::End, INK, posterior);
        let ratio = score.log10_lr.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:+.1}"));
        drawing.words(386.0, base, 9.0, false, Anchor::End, INK, ratio);
        let counts = format!(
            "{}, {}",
            count(score.distinct_canaries, "canary", "canaries"),
            count(score.sightings, "sighting", "sightings")
        );
        drawing.text(402.0, base, 9.0, INK, counts);
    }
    drawing
}

/// Which store is copied into which, upstream to the left.
pub fn feeds(report: &Report) -> Drawing {
    const BOX: (f32, f32) = (104.0, 24.0);
    const ROW: f32 = 40.0;
    let depths = depths(&report.stores);
    let columns = depths.values().max().map_or(1, |deepest| deepest + 1);
    let mut filled = vec![0usize; columns];
    let mut places: BTreeMap<&str, (f32, f32)> = BTreeMap::new();
    let step = if columns > 1 { (WIDTH - BOX.0) / (columns - 1) as f32 } else { 0.0 };
    for store in &report.stores {
        let column = depths[store.store.as_str()];
        places.insert(&store.store, (step * column as f32, 4.0 + ROW * filled[column] as f32));
        filled[column] += 1;
    }
    let rows = filled.into_iter().max().unwrap_or(1);
    let none = Vec::new();
    let path = report.path.as_ref().unwrap_or(&none);
    let accused: Vec<&str> = report.stores.iter().filter(|store| is_accused(store)).map(|s| s.store.as_str()).collect();
    let told = if accused.is_empty() {
        "The feeds between stores; none is accused".to_owned()
    } else {
        format!("The feeds between stores; accused: {}", accused.join(", "))
    };
    let mut drawing = Drawing::new(WIDTH, 8.0 + ROW * rows as f32, told);
    // What is accused is drawn last, above the rest.
    for on_path in [false, true] {
        for store in &report.stores {
            for to in store.feeds.iter().filter(|to| places.contains_key(to.as_str())) {
                let feed = Feed { from: store.store.clone(), to: to.clone() };
                if path.contains(&feed) == on_path {
                    let (from, to) = ends(places[store.store.as_str()], places[to.as_str()], BOX);
                    let (width, colour) = if on_path { (1.8, RED) } else { (0.9, GREY) };
                    drawing.arrow(from, to, width, colour);
                }
            }
        }
    }
    for store in &report.stores {
        let (x, y) = places[store.store.as_str()];
        let accused = is_accused(store);
        drawing.fill(x, y, BOX.0, BOX.1, if accused { ROSE } else { WHITE });
        drawing.frame(x, y, BOX.0, BOX.1, if accused { 1.8 } else { 0.8 }, colour(store));
        drawing.words(x + BOX.0 / 2.0, y + 11.0, 9.0, accused, Anchor::Middle, INK, short(&store.store, 19));
        drawing.words(x + BOX.0 / 2.0, y + 19.5, 6.5, false, Anchor::Middle, GREY, store.kind);
    }
    drawing
}

/// From the edge of one box to the facing edge of another.
fn ends(from: (f32, f32), to: (f32, f32), (width, height): (f32, f32)) -> ((f32, f32), (f32, f32)) {
    let middle = height / 2.0;
    if from.0 < to.0 {
        ((from.0 + width, from.1 + middle), (to.0, to.1 + middle))
    } else if from.0 > to.0 {
        ((from.0, from.1 + middle), (to.0 + width, to.1 + middle))
    } else if from.1 < to.1 {
        ((from.0 + width / 2.0, from.1 + height), (to.0 + width / 2.0, to.1))
    } else {
        ((from.0 + width / 2.0, from.1), (to.0 + width / 2.0, to.1 + height))
    }
}

/// How many feeds lie at most before each store. A circle of feeds ends where it began.
fn depths(stores: &[ReportStore]) -> BTreeMap<&str, usize> {
    let mut depths: BTreeMap<&str, usize> = stores.iter().map(|store| (store.store.as_str(), 0)).collect();
    for _ in 1..stores.len() {
        for store in stores {
            let next = depths[store.store.as_str()] + 1;
            for to in &store.feeds {
                if let Some(depth) = depths.get_mut(to.as_str())
                    && *depth < next
                    && next < stores.len()
                {
                    *depth = next;
                }
            }
        }
    }
    // Columns that a circle left empty are closed up.
    let used: BTreeSet<usize> = depths.values().copied().collect();
    let places: BTreeMap<usize, usize> = used.into_iter().enumerate().map(|(place, depth)| (depth, place)).collect();
    depths.into_iter().map(|(store, depth)| (store, places[&depth])).collect()
}

/// When the canaries stood where, in which generation, when the copy was taken, and when they were seen.
pub fn time_line(report: &Report) -> Drawing {
    const LEFT: f32 = 96.0;
    const ROW: f32 = 17.0;
    let planted = report.canaries.iter().filter_map(|canary| canary.planted_at);
    let opened = report.generations.iter().map(|opened| opened.at);
    let seen = report.sightings.iter().map(|sighting| sighting.at.min(sighting.received_at));
    let window = report.verdict.window.as_ref();
    let start = planted.chain(opened).chain(seen).chain(window.map(|window| window.from)).min();
    let start = start.unwrap_or(report.opened_at).min(report.opened_at);
    let end = report.as_of.max(window.map_or(report.as_of, |window| window.to.min(report.as_of)));
    let length = end.duration_since(start).as_secs_f64().max(1.0);
    let place = |at: Timestamp| {
        let share = (at.duration_since(start).as_secs_f64() / length).clamp(0.0, 1.0);
        LEFT + share as f32 * (WIDTH - LEFT - 4.0)
    };
    let shown: Vec<&ReportStore> =
        report.stores.iter().filter(|store| report.canaries.iter().any(|c| c.store == store.store)).take(8).collect();
    let rows = shown.len() + 1;
    let floor = 14.0 + ROW * rows as f32;
    let told = format!("From {} to {}: generations of the stores, the window, and the sightings", day(start), day(end));
    let mut drawing = Drawing::new(WIDTH, floor + 28.0, told);
    if let Some(window) = window {
        let (from, to) = (place(window.from), place(window.to));
        drawing.fill(from, 12.0, (to - from).max(1.5), floor - 12.0, ROSE);
        let middle = ((from + to) / 2.0).clamp(LEFT + 30.0, WIDTH - 34.0);
        drawing.words(middle, 8.0, 7.0, true, Anchor::Middle, RED, "copy taken");
    }
    for (row, store) in shown.iter().enumerate() {
        let top = 14.0 + ROW * row as f32;
        drawing.words(0.0, top + 9.5, 8.5, is_accused(store), Anchor::Start, colour(store), short(&store.store, 18));
        for (number, (generation, from, until)) in generations(report, &store.store, end).into_iter().enumerate() {
            let (x, to) = (place(from), place(until));
            let (ground, ink) = if number % 2 == 0 { (BLUE, WHITE) } else { (SKY, INK) };
            drawing.fill(x, top + 2.5, (to - x).max(1.0), 9.0, ground);
            if to - x > 12.0 {
                drawing.words((x + to) / 2.0, top + 9.4, 6.5, false, Anchor::Middle, ink, generation.to_string());
            }
        }
    }
    let top = 14.0 + ROW * shown.len() as f32;
    drawing.text(0.0, top + 9.5, 8.5, INK, "seen");
    let mut drawn = BTreeSet::new();
    for sighting in &report.sightings {
        let x = place(sighting.at);
        // As many as can be told apart.
        if drawn.insert((x * 2.0) as i32) {
            drawing.line((x, top + 1.0), (x, top + 13.0), 1.0, INK);
        }
    }
    drawing.line((LEFT, floor), (WIDTH - 4.0, floor), 0.8, GREY);
    drawing.text(LEFT, floor + 10.0, 7.5, GREY, day(start));
    drawing.words(WIDTH - 4.0, floor + 10.0, 7.5, false, Anchor::End, GREY, day(end));
    if let Some(at) = report.notification.clock.confirmed_at {
        let x = place(at);
        drawing.line((x, floor - 4.0), (x, floor + 4.0), 1.2, RED);
        drawing.words(x.min(WIDTH - 4.0), floor + 20.0, 7.0, false, Anchor::End, RED, "confirmed by a person");
    }
    drawing
}

/// A store's generations that seen canaries belong to or that were opened: number, from, until.
fn generations(report: &Report, store: &str, end: Timestamp) -> Vec<(u32, Timestamp, Timestamp)> {
    let mut starts: BTreeMap<u32, Timestamp> = BTreeMap::new();
    let planted = report.canaries.iter().filter(|canary| canary.store == store);
    for (generation, at) in planted.filter_map(|canary| Some((canary.generation, canary.planted_at?))) {
        let first = starts.entry(generation).or_insert(at);
        *first = at.min(*first);
    }
    for opened in report.generations.iter().filter(|opened| opened.store == store) {
        starts.insert(opened.generation, opened.at);
    }
    let starts: Vec<(u32, Timestamp)> = starts.into_iter().collect();
    let ends = starts.iter().skip(1).map(|(_, at)| *at).chain([end]);
    starts.iter().zip(ends).map(|((generation, from), until)| (*generation, *from, until)).collect()
}
